/* cuBLAS, opened at run time by the first matrix product, over the device's primary context.
 *
 * Signatures and constants: cublas_api.h and library_types.h of CUDA 13.0; they are the same in 11.0 and newer (from
 * which release on the compute type is a cublasComputeType_t), except the `_64` functions, which came with 12.0. */
#include "core/util.h"
#include "device/cuda_private.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cublasContext;
typedef unsigned blas_status; /* cublasStatus_t */

enum { /* cublasStatus_t */
	BLAS_SUCCESS = 0,
	BLAS_NOT_INITIALIZED = 1,
	BLAS_ALLOC_FAILED = 3,
	BLAS_NOT_SUPPORTED = 15
};
enum { BLAS_OP_N = 0, BLAS_OP_T = 1 };                                /* cublasOperation_t */
enum { BLAS_R_32F = 0, BLAS_R_64F = 1, BLAS_R_16F = 2, BLAS_R_16BF = 14 }; /* cudaDataType */
enum {                                                                /* cublasComputeType_t */
	BLAS_COMPUTE_32F = 68,
	BLAS_COMPUTE_32F_PEDANTIC = 69,
	BLAS_COMPUTE_64F = 70,
	BLAS_COMPUTE_64F_PEDANTIC = 71
};
enum { BLAS_GEMM_DEFAULT = -1 };                        /* cublasGemmAlgo_t */
enum { BLAS_DISALLOW_REDUCED_PRECISION_REDUCTION = 16 }; /* cublasMath_t */

/* Workspace that the cuBLAS documentation recommends for Hopper (32 MiB) and that is ample elsewhere: with memory of our
 * own the library allocates nothing while the clock runs. */
enum { WORKSPACE_BYTES = 32 << 20 };

/* Matrices of a batch in one call: a CUDA grid has at most 65535 blocks in its third dimension. */
enum { BATCH_AT_ONCE = 65535 };

struct cuda_blas {
	struct cublasContext *handle;
	device_pointer workspace; /* 0 when there was no memory for it: the library then uses its own */
	struct CUstream_st *stream;
	int stream_is_set;
	blas_status (*create)(struct cublasContext **handle);
	blas_status (*destroy)(struct cublasContext *handle);
	blas_status (*get_property)(unsigned part, int *value); /* 0 major, 1 minor, 2 patch (libraryPropertyType) */
	blas_status (*set_stream)(struct cublasContext *handle, struct CUstream_st *stream);
	blas_status (*set_workspace)(struct cublasContext *handle, void *workspace, size_t bytes);
	blas_status (*set_math_mode)(struct cublasContext *handle, unsigned mode);
	blas_status (*gemm)(struct cublasContext *handle, unsigned op_a, unsigned op_b, int m, int n, int k,
			    const void *alpha, const void *a, unsigned type_a, int lda, long long stride_a, const void *b,
			    unsigned type_b, int ldb, long long stride_b, const void *beta, void *c, unsigned type_c,
			    int ldc, long long stride_c, int batch, unsigned compute, int algorithm);
	/* NULL before CUDA 12 */
	blas_status (*gemm_64)(struct cublasContext *handle, unsigned op_a, unsigned op_b, int64_t m, int64_t n, int64_t k,
			       const void *alpha, const void *a, unsigned type_a, int64_t lda, long long stride_a,
			       const void *b, unsigned type_b, int64_t ldb, long long stride_b, const void *beta, void *c,
			       unsigned type_c, int64_t ldc, long long stride_c, int64_t batch, unsigned compute,
			       int algorithm);
};

static const char *status_name(blas_status status)
{
	switch (status) {
	case BLAS_NOT_INITIALIZED:
		return "CUBLAS_STATUS_NOT_INITIALIZED";
	case BLAS_ALLOC_FAILED:
		return "CUBLAS_STATUS_ALLOC_FAILED";
	case 7:
		return "CUBLAS_STATUS_INVALID_VALUE";
	case 8:
		return "CUBLAS_STATUS_ARCH_MISMATCH";
	case 11:
		return "CUBLAS_STATUS_MAPPING_ERROR";
	case 13:
		return "CUBLAS_STATUS_EXECUTION_FAILED";
	case 14:
		return "CUBLAS_STATUS_INTERNAL_ERROR";
	case BLAS_NOT_SUPPORTED:
		return "CUBLAS_STATUS_NOT_SUPPORTED";
	default:
		return "cuBLAS error";
	}
}

/* Whether the context itself is broken by earlier work: then that is the cause to tell, not what cuBLAS makes of it. */
static int context_is_broken(struct device *device, struct error *err)
{
	const cuda_status status = cuda_of(device)->driver.stream_query((struct CUstream_st *)device->stream);

	if (status == CUDA_STATUS_SUCCESS || status == CUDA_STATUS_NOT_READY)
		return 0;
	cuda_check(device, status, "an earlier call", err);
	return 1;
}

static int blas_failed(struct device *device, blas_status status, const char *call, struct error *err)
{
	if (context_is_broken(device, err))
		return error_context(err, "%s gave %s because of", call, status_name(status));
	return error_set(err,
			 status == BLAS_ALLOC_FAILED    ? ERROR_ENVIRONMENT
			 : status == BLAS_NOT_SUPPORTED ? ERROR_UNSUPPORTED
							: ERROR_DEVICE,
			 "%s: %s (%u)%s", call, status_name(status), status,
			 status == BLAS_ALLOC_FAILED ? ": out of device memory" : "");
}

static void find(void *library, const char *symbol, void *function, size_t size)
{
	void *address = dlsym(library, symbol);
	memcpy(function, &address, size);
}
#define FIND(library, symbol, pointer) find(library, symbol, &(pointer), sizeof(pointer))

/* Opens the library and makes a handle. `reason` says why not; returns 0 when it is ready. */
static int try_library(struct cuda_blas *blas, const char *path, char *reason, size_t reason_size)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library) {
		snprintf(reason, reason_size, "%s", dlerror());
		return -1;
	}
	FIND(library, "cublasCreate_v2", blas->create);
	FIND(library, "cublasDestroy_v2", blas->destroy);
	FIND(library, "cublasGetProperty", blas->get_property);
	FIND(library, "cublasSetStream_v2", blas->set_stream);
	FIND(library, "cublasSetWorkspace_v2", blas->set_workspace);
	FIND(library, "cublasSetMathMode", blas->set_math_mode);
	FIND(library, "cublasGemmStridedBatchedEx", blas->gemm);
	FIND(library, "cublasGemmStridedBatchedEx_64", blas->gemm_64);
	if (!blas->create || !blas->destroy || !blas->get_property || !blas->set_stream || !blas->set_math_mode ||
	    !blas->gemm) {
		snprintf(reason, reason_size, "%s lacks functions of cuBLAS 11 and newer", path);
		return -1;
	}
	const blas_status status = blas->create(&blas->handle);
	if (status != BLAS_SUCCESS) {
		snprintf(reason, reason_size, "%s: cublasCreate gave %s%s", path, status_name(status),
			 status == BLAS_NOT_INITIALIZED ? " (the driver may be too old for it, or memory short)" : "");
		blas->handle = NULL;
		return -1;
	}
	return 0;
}

/* Tries `folder`/libcublas.so.N. libcublasLt of the same folder goes first, so that the loader, which does not know the
 * folder, finds it already there. */
static int try_folder(struct cuda_blas *blas, const char *folder, int major, char *reason, size_t reason_size)
{
	char path[1024], ignored[256];
	int length = snprintf(path, sizeof path, "%s/libcublasLt.so.%d", folder, major);

	if (length < 0 || (size_t)length >= sizeof path || !path_exists(path))
		return -1;
	if (!dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))
		snprintf(ignored, sizeof ignored, "%s", dlerror()); /* libcublas itself will say so, better */
	snprintf(path, sizeof path, "%s/libcublas.so.%d", folder, major);
	return path_exists(path) ? try_library(blas, path, reason, reason_size) : -1;
}

static int search_libraries(struct cuda_blas *blas, struct error *err)
{
	static const char *const folders[] = {
		"/usr/local/cuda/lib64",
		"/usr/local/cuda/targets/x86_64-linux/lib",
		"/usr/local/cuda/targets/sbsa-linux/lib",
		"/usr/local/cuda/lib",
	};
	const char *home = getenv("CUDA_HOME");
	char first[512] = "", reason[512], path[1024];

	for (int major = 13; major >= 11; major--) {
		reason[0] = '\0';
		snprintf(path, sizeof path, "libcublas.so.%d", major);
		if (try_library(blas, path, reason, sizeof reason) == 0)
			return 0;
		if (home && snprintf(path, sizeof path, "%s/lib64", home) < (int)sizeof path &&
		    try_folder(blas, path, major, reason, sizeof reason) == 0)
			return 0;
		for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
			if (try_folder(blas, folders[i], major, reason, sizeof reason) == 0)
				return 0;
		/* a library that is there and fails says more than one that is not there */
		if (!first[0] || (strstr(reason, "cublasCreate") && !strstr(first, "cublasCreate")))
			snprintf(first, sizeof first, "%s", reason);
	}
	return error_set(err, ERROR_ENVIRONMENT,
			 "no usable cuBLAS (libcublas.so.13, .12 or .11): %s; install it (apt install libcublas-13-0 from NVIDIA's "
			 "repository, or a CUDA toolkit), set CUDA_HOME, or give --cublas FILE",
			 first);
}

static int blas_open(struct device *device, struct error *err)
{
	struct cuda_device *cuda = cuda_of(device);
	struct cuda_blas *blas = calloc(1, sizeof *blas);
	char reason[512] = "";
	int version[3] = {0};

	if (!blas)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (cuda->cublas_path ? try_library(blas, cuda->cublas_path, reason, sizeof reason) : search_libraries(blas, err)) {
		if (context_is_broken(device, err))
			error_context(err, "cuBLAS cannot be started because of");
		else if (cuda->cublas_path)
			error_set(err, ERROR_ENVIRONMENT,
				  "cuBLAS cannot be used: %s; --cublas takes the path of a libcublas.so of CUDA 11 or newer", reason);
		free(blas);
		return -1;
	}
	cuda->blas = blas;
	const blas_status status = blas->set_math_mode(blas->handle, BLAS_DISALLOW_REDUCED_PRECISION_REDUCTION);
	if (status != BLAS_SUCCESS) {
		blas_failed(device, status, "cublasSetMathMode", err);
		cuda_blas_close(device);
		return -1;
	}
	if (blas->set_workspace && cuda_alloc(device, WORKSPACE_BYTES, &blas->workspace, NULL) != 0)
		blas->workspace = 0;
	for (unsigned part = 0; part < 3; part++)
		if (blas->get_property(part, &version[part]) != BLAS_SUCCESS)
			version[part] = 0;
	snprintf(device->properties.gemm_library, sizeof device->properties.gemm_library, "cuBLAS %d.%d.%d", version[0],
		 version[1], version[2]);
	return 0;
}

void cuda_blas_close(struct device *device)
{
	struct cuda_device *cuda = cuda_of(device);

	if (!cuda->blas)
		return;
	cuda->blas->destroy(cuda->blas->handle);
	if (cuda->blas->workspace)
		cuda_free(device, cuda->blas->workspace, NULL);
	free(cuda->blas);
	cuda->blas = NULL;
}

static int use_stream(struct device *device, struct CUstream_st *stream, struct error *err)
{
	struct cuda_blas *blas = cuda_of(device)->blas;

	if (blas->stream_is_set && blas->stream == stream)
		return 0;
	blas_status status = blas->set_stream(blas->handle, stream);
	/* setting a stream takes the workspace away again (cuBLAS documentation, cublasSetWorkspace) */
	if (status == BLAS_SUCCESS && blas->workspace)
		status = blas->set_workspace(blas->handle, (void *)(uintptr_t)blas->workspace, WORKSPACE_BYTES);
	if (status != BLAS_SUCCESS)
		return blas_failed(device, status, "cublasSetStream", err);
	blas->stream = stream;
	blas->stream_is_set = 1;
	return 0;
}

static unsigned data_type(enum dtype type)
{
	switch (type) {
	case DTYPE_F16:
		return BLAS_R_16F;
	case DTYPE_BF16:
		return BLAS_R_16BF;
	case DTYPE_F64:
		return BLAS_R_64F;
	default:
		return BLAS_R_32F;
	}
}

/* float32 must not become TF32 or a sum of bfloat16 products, nor float64 an emulation on integers, whatever the
 * environment asks cuBLAS for: the pedantic types exclude all of that. For float64 pedantic is asked for only where the
 * environment turns the emulation on, since without it every float64 path is IEEE arithmetic. */
static unsigned compute_type(enum dtype input)
{
	if (input == DTYPE_F64)
		return getenv("CUBLAS_EMULATE_DOUBLE_PRECISION") ? BLAS_COMPUTE_64F_PEDANTIC : BLAS_COMPUTE_64F;
	return input == DTYPE_F32 ? BLAS_COMPUTE_32F_PEDANTIC : BLAS_COMPUTE_32F;
}

static const void *at(device_pointer base, int64_t elements, enum dtype type)
{
	return (const void *)(uintptr_t)(base + (uint64_t)elements * dtype_size(type));
}

/* cuBLAS is column-major. A row-major matrix read column-major is its transpose, so C = A op(B) becomes
 * C' = op(B)' A': the operands change places, m and n too, and B is transposed exactly when the caller's B is. */
static blas_status multiply(const struct cuda_blas *blas, const struct device_gemm *gemm, int64_t first, int64_t count)
{
	const struct device_gemm g = *gemm;
	const float alpha32 = (float)g.alpha, beta32 = (float)g.beta;
	const void *alpha = g.input == DTYPE_F64 ? (const void *)&g.alpha : &alpha32;
	const void *beta = g.input == DTYPE_F64 ? (const void *)&g.beta : &beta32;
	const unsigned op = g.transpose_b ? BLAS_OP_T : BLAS_OP_N, input = data_type(g.input);
	const void *a = at(g.a, first * g.stride_a, g.input), *b = at(g.b, first * g.stride_b, g.input);
	void *c = (void *)(uintptr_t)(g.c + (uint64_t)(first * g.stride_c) * dtype_size(g.output));

	if (blas->gemm_64)
		return blas->gemm_64(blas->handle, op, BLAS_OP_N, g.n, g.m, g.k, alpha, b, input, g.ldb, g.stride_b, a,
				     input, g.lda, g.stride_a, beta, c, data_type(g.output), g.ldc, g.stride_c, count,
				     compute_type(g.input), BLAS_GEMM_DEFAULT);
	return blas->gemm(blas->handle, op, BLAS_OP_N, (int)g.n, (int)g.m, (int)g.k, alpha, b, input, (int)g.ldb,
			  g.stride_b, a, input, (int)g.lda, g.stride_a, beta, c, data_type(g.output), (int)g.ldc, g.stride_c,
			  (int)count, compute_type(g.input), BLAS_GEMM_DEFAULT);
}

/* k = 0 and beta = 0: C becomes zero whatever it held. BLAS libraries differ in how they take k = 0, so this much is not
 * left to one. */
static int clear_result(struct device *device, const struct device_gemm *gemm, struct device_stream *stream,
			struct error *err)
{
	const size_t width = dtype_size(gemm->output), row_bytes = (size_t)gemm->n * width;

	for (int64_t entry = 0; entry < gemm->batch; entry++)
		for (int64_t row = 0; row < gemm->m; row++) {
			const uint64_t first = (uint64_t)(entry * gemm->stride_c + row * gemm->ldc);
			if (cuda_fill(device, gemm->c + first * width, 0, 1, row_bytes, stream, err) != 0)
				return -1;
		}
	return 0;
}

static int fits_int(int64_t value)
{
	return value <= INT_MAX;
}

int cuda_gemm(struct device *device, const struct device_gemm *gemm, struct device_stream *stream, struct error *err)
{
	struct cuda_device *cuda = cuda_of(device);
	const struct device_gemm g = *gemm;

	if (device_gemm_check(gemm, err) != 0)
		return -1;
	if (device_gemm_is_empty(gemm))
		return 0;
	if (g.k == 0 && g.beta == 0)
		return clear_result(device, gemm, stream, err);
	if (cuda_enter(device, err) != 0 || (!cuda->blas && blas_open(device, err) != 0) ||
	    use_stream(device, cuda_stream(device, stream), err) != 0)
		return -1;
	if (!cuda->blas->gemm_64 && !(fits_int(g.m) && fits_int(g.n) && fits_int(g.k) && fits_int(g.lda) &&
				      fits_int(g.ldb) && fits_int(g.ldc)))
		return error_set(err, ERROR_UNSUPPORTED,
				 "matrix product %lld x %lld x %lld: a size exceeds 2^31-1, which needs cuBLAS 12 or newer",
				 (long long)g.m, (long long)g.n, (long long)g.k);
	for (int64_t first = 0; first < g.batch; first += BATCH_AT_ONCE) {
		const int64_t left = g.batch - first;
		const blas_status status = multiply(cuda->blas, gemm, first, left < BATCH_AT_ONCE ? left : BATCH_AT_ONCE);
		if (status != BLAS_SUCCESS) {
			blas_failed(device, status, "cublasGemmStridedBatchedEx", err);
			return error_context(err, "matrix product %lld x %lld x %lld of %s, batch %lld", (long long)g.m,
					     (long long)g.n, (long long)g.k, dtype_name(g.input), (long long)g.batch);
		}
	}
	return 0;
}
