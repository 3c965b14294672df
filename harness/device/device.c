#include "device/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int device_open(struct device **device, const char *id, const struct device_options *options, struct error *err)
{
	static const struct device_options none = {0};

	*device = NULL;
	if (!options)
		options = &none;
	if (strcmp(id, "cpu") == 0)
		return cpu_device_open(device, options, err);
	if (strcmp(id, "cuda") == 0)
		return cuda_device_open(device, 0, options, err);
	if (strncmp(id, "cuda:", 5) == 0) {
		char *end;
		errno = 0;
		const long ordinal = strtol(id + 5, &end, 10);
		if (id[5] >= '0' && id[5] <= '9' && *end == '\0' && errno == 0 && ordinal <= 4095)
			return cuda_device_open(device, (int)ordinal, options, err);
	}
	return error_set(err, ERROR_USAGE, "no device is called '%s': give cpu, cuda or cuda:N (see `assay devices`)", id);
}

void device_close(struct device *device)
{
	if (device)
		device->ops->close(device);
}

const char *device_default_id(void)
{
	return device_cuda_count(NULL, 0) > 0 ? "cuda:0" : "cpu";
}

/* Codes of cuda.h (CUresult, CUDA 13.0). `sticky`: the context is lost, every later call fails with the same code (the
 * descriptions in cuda.h say "the process must be terminated and relaunched"). 999 does not promise it, but nothing
 * that happens after an unknown failure deserves trust. */
static const struct {
	int code;
	const char *name;
	int sticky;
} device_errors[] = {
	{0, "CUDA_SUCCESS", 0},
	{1, "CUDA_ERROR_INVALID_VALUE", 0},
	{2, "CUDA_ERROR_OUT_OF_MEMORY", 0},
	{3, "CUDA_ERROR_NOT_INITIALIZED", 0},
	{4, "CUDA_ERROR_DEINITIALIZED", 1},
	{34, "CUDA_ERROR_STUB_LIBRARY", 0},
	{36, "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", 0},
	{46, "CUDA_ERROR_DEVICE_UNAVAILABLE", 0},
	{100, "CUDA_ERROR_NO_DEVICE", 0},
	{101, "CUDA_ERROR_INVALID_DEVICE", 0},
	{102, "CUDA_ERROR_DEVICE_NOT_LICENSED", 0},
	{200, "CUDA_ERROR_INVALID_IMAGE", 0},
	{201, "CUDA_ERROR_INVALID_CONTEXT", 0},
	{205, "CUDA_ERROR_MAP_FAILED", 0},
	{206, "CUDA_ERROR_UNMAP_FAILED", 0},
	{208, "CUDA_ERROR_ALREADY_MAPPED", 0},
	{209, "CUDA_ERROR_NO_BINARY_FOR_GPU", 0},
	{211, "CUDA_ERROR_NOT_MAPPED", 0},
	{214, "CUDA_ERROR_ECC_UNCORRECTABLE", 1},
	{215, "CUDA_ERROR_UNSUPPORTED_LIMIT", 0},
	{216, "CUDA_ERROR_CONTEXT_ALREADY_IN_USE", 0},
	{218, "CUDA_ERROR_INVALID_PTX", 0},
	{220, "CUDA_ERROR_NVLINK_UNCORRECTABLE", 1},
	{221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", 0},
	{222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", 0},
	{223, "CUDA_ERROR_JIT_COMPILATION_DISABLED", 0},
	{224, "CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY", 0},
	{225, "CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC", 0},
	{226, "CUDA_ERROR_CONTAINED", 1},
	{300, "CUDA_ERROR_INVALID_SOURCE", 0},
	{301, "CUDA_ERROR_FILE_NOT_FOUND", 0},
	{302, "CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", 0},
	{303, "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", 0},
	{304, "CUDA_ERROR_OPERATING_SYSTEM", 0},
	{400, "CUDA_ERROR_INVALID_HANDLE", 0},
	{401, "CUDA_ERROR_ILLEGAL_STATE", 0},
	{500, "CUDA_ERROR_NOT_FOUND", 0},
	{600, "CUDA_ERROR_NOT_READY", 0},
	{700, "CUDA_ERROR_ILLEGAL_ADDRESS", 1},
	{701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", 0},
	{702, "CUDA_ERROR_LAUNCH_TIMEOUT", 1},
	{703, "CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING", 0},
	{708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", 0},
	{709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", 1},
	{710, "CUDA_ERROR_ASSERT", 1},
	{712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", 0},
	{713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", 0},
	{714, "CUDA_ERROR_HARDWARE_STACK_ERROR", 1},
	{715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", 1},
	{716, "CUDA_ERROR_MISALIGNED_ADDRESS", 1},
	{717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", 1},
	{718, "CUDA_ERROR_INVALID_PC", 1},
	{719, "CUDA_ERROR_LAUNCH_FAILED", 1},
	{720, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", 0},
	{721, "CUDA_ERROR_TENSOR_MEMORY_LEAK", 1},
	{800, "CUDA_ERROR_NOT_PERMITTED", 0},
	{801, "CUDA_ERROR_NOT_SUPPORTED", 0},
	{802, "CUDA_ERROR_SYSTEM_NOT_READY", 0},
	{803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", 0},
	{804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", 0},
	{805, "CUDA_ERROR_MPS_CONNECTION_FAILED", 0},
	{806, "CUDA_ERROR_MPS_RPC_FAILURE", 1},
	{807, "CUDA_ERROR_MPS_SERVER_NOT_READY", 0},
	{808, "CUDA_ERROR_MPS_MAX_CLIENTS_REACHED", 0},
	{809, "CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED", 0},
	{810, "CUDA_ERROR_MPS_CLIENT_TERMINATED", 1},
	{900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", 0},
	{901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", 0},
	{906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", 0},
	{909, "CUDA_ERROR_TIMEOUT", 0},
	{911, "CUDA_ERROR_EXTERNAL_DEVICE", 1},
	{912, "CUDA_ERROR_INVALID_CLUSTER_SIZE", 0},
	{913, "CUDA_ERROR_FUNCTION_NOT_LOADED", 0},
	{999, "CUDA_ERROR_UNKNOWN", 1},
};

static int find_code(int device_code)
{
	for (size_t i = 0; i < sizeof device_errors / sizeof device_errors[0]; i++)
		if (device_errors[i].code == device_code)
			return (int)i;
	return -1;
}

int device_error_is_sticky(const struct error *err)
{
	const int found = err && err->kind == ERROR_DEVICE ? find_code(err->device_code) : -1;
	return found >= 0 && device_errors[found].sticky;
}

const char *device_error_name(int device_code)
{
	const int found = find_code(device_code);
	return found >= 0 ? device_errors[found].name : "CUDA error without a name here";
}

int device_gemm_is_empty(const struct device_gemm *gemm)
{
	return gemm->m == 0 || gemm->n == 0 || gemm->batch == 0;
}

/* A leading dimension must hold a row; BLAS wants at least 1 even for empty matrices. */
static int too_short(int64_t leading, int64_t columns)
{
	return leading < (columns > 1 ? columns : 1);
}

int device_gemm_check(const struct device_gemm *gemm, struct error *err)
{
	const struct device_gemm g = *gemm;
	const int single = (g.input == DTYPE_F64 || g.input == DTYPE_F32) && g.output == g.input;
	const int low = (g.input == DTYPE_F16 || g.input == DTYPE_BF16) && (g.output == g.input || g.output == DTYPE_F32);

	if (!single && !low)
		return error_set(err, ERROR_UNSUPPORTED, "matrix product of %s into %s: no device supports it",
				 dtype_name(g.input), dtype_name(g.output));
	if (g.m < 0 || g.n < 0 || g.k < 0 || g.batch < 0)
		return error_set(err, ERROR_INTERNAL, "matrix product: negative size %lld x %lld x %lld, batch %lld",
				 (long long)g.m, (long long)g.n, (long long)g.k, (long long)g.batch);
	if (device_gemm_is_empty(gemm))
		return 0;
	if (too_short(g.lda, g.k) || too_short(g.ldb, g.transpose_b ? g.k : g.n) || too_short(g.ldc, g.n))
		return error_set(err, ERROR_INTERNAL,
				 "matrix product %lld x %lld x %lld: a leading dimension (%lld, %lld, %lld) is shorter than its row",
				 (long long)g.m, (long long)g.n, (long long)g.k, (long long)g.lda, (long long)g.ldb,
				 (long long)g.ldc);
	if (g.stride_a < 0 || g.stride_b < 0 || g.stride_c < 0)
		return error_set(err, ERROR_INTERNAL, "matrix product: a batch stride is negative");
	if (g.batch > 1 && g.stride_c == 0)
		return error_set(err, ERROR_INTERNAL, "matrix product: the results of a batch of %lld would overwrite each other",
				 (long long)g.batch);
	if (!g.c || (g.k > 0 && (!g.a || !g.b)))
		return error_set(err, ERROR_INTERNAL, "matrix product: a matrix has no memory");
	return 0;
}
