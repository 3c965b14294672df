#include "device/cuda_private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which driver compiles which PTX: "Release Notes" table of the PTX ISA manual 9.4 (a driver of a CUDA version takes that
 * version's PTX ISA and older ones). Older PTX than the first row is taken by every driver this program works with. */
static const struct {
	int ptx, cuda;
	const char *branch;
} ptx_table[] = {
	{80, 12000, "r525"}, {81, 12010, "r530"}, {82, 12020, "r535"}, {83, 12030, "r545"}, {84, 12040, "r550"},
	{85, 12050, "r555"}, {86, 12070, "r565"}, {87, 12080, "r570"}, {88, 12090, "r575"}, {90, 13000, "r580"},
	{91, 13010, "r590"}, {92, 13020, "r595"}, {93, 13030, "r610"}, {94, 13040, "r615"},
};

int cuda_ptx_of_driver(int driver_version)
{
	int newest = 0;
	for (size_t i = 0; i < sizeof ptx_table / sizeof ptx_table[0]; i++)
		if (ptx_table[i].cuda <= driver_version)
			newest = ptx_table[i].ptx;
	return newest;
}

int cuda_driver_of_ptx(int ptx, const char **branch)
{
	*branch = NULL;
	for (size_t i = 0; i < sizeof ptx_table / sizeof ptx_table[0]; i++)
		if (ptx <= ptx_table[i].ptx) {
			*branch = ptx_table[i].branch;
			return ptx_table[i].cuda;
		}
	return 0;
}

static int is_ptx_text(const void *image)
{
	const unsigned char *bytes = image;
	/* ELF and the fatbin container (0xba55ed50, little-endian) both hold a byte that no PTX starts with */
	return bytes[0] == '.' || bytes[0] == '/' || bytes[0] == ' ' || bytes[0] == '\t' || bytes[0] == '\n' ||
	       bytes[0] == '\r';
}

/* 10 * major + minor of the .version directive, which only comments may precede; 0 when there is none. */
static int ptx_version(const char *text)
{
	for (;;) {
		text += strspn(text, " \t\r\n");
		if (text[0] == '/' && text[1] == '/') {
			text += strcspn(text, "\n");
		} else if (text[0] == '/' && text[1] == '*') {
			const char *end = strstr(text + 2, "*/");
			if (!end)
				return 0;
			text = end + 2;
		} else {
			int major, minor;
			return sscanf(text, ".version %3d.%1d", &major, &minor) == 2 ? 10 * major + minor : 0;
		}
	}
}

/* Appends what to do about a refused image. */
static void explain_refusal(const struct device *device, const void *image, cuda_status status, char *text, size_t size)
{
	const struct device_properties *gpu = &device->properties;
	const int newest = cuda_ptx_of_driver(gpu->driver_version);
	const int cuda_major = gpu->driver_version / 1000, cuda_minor = gpu->driver_version % 1000 / 10;
	const int needed = is_ptx_text(image) ? ptx_version(image) : 0;
	const char *branch;

	switch (status) {
	case CUDA_STATUS_NO_BINARY_FOR_GPU:
		snprintf(text, size,
			 "it holds no code for this GPU (compute capability %d.%d): build it with SASS for sm_%d%d, or with PTX of "
			 "compute_%d%d or lower",
			 gpu->cc_major, gpu->cc_minor, gpu->cc_major, gpu->cc_minor, gpu->cc_major, gpu->cc_minor);
		break;
	case CUDA_STATUS_UNSUPPORTED_PTX_VERSION:
		if (needed && cuda_driver_of_ptx(needed, &branch))
			snprintf(text, size,
				 "its PTX ISA %d.%d is newer than this driver (CUDA %d.%d compiles up to %d.%d): install a driver of "
				 "branch %s or newer, build with CUDA %d.%d or older, or ship SASS for sm_%d%d",
				 needed / 10, needed % 10, cuda_major, cuda_minor, newest / 10, newest % 10, branch, cuda_major,
				 cuda_minor, gpu->cc_major, gpu->cc_minor);
		else
			snprintf(text, size,
				 "its PTX is newer than this driver (CUDA %d.%d compiles up to PTX ISA %d.%d): install a newer "
				 "driver, build with CUDA %d.%d or older, or ship SASS for sm_%d%d",
				 cuda_major, cuda_minor, newest / 10, newest % 10, cuda_major, cuda_minor, gpu->cc_major,
				 gpu->cc_minor);
		break;
	case CUDA_STATUS_INVALID_PTX:
		snprintf(text, size, "the driver's compiler refused its PTX");
		break;
	case CUDA_STATUS_JIT_COMPILER_NOT_FOUND:
		snprintf(text, size,
			 "it is PTX, and the driver's compiler libnvidia-ptxjitcompiler.so.1 is missing: install the driver's "
			 "compute package, in a container set NVIDIA_DRIVER_CAPABILITIES=compute,utility");
		break;
	case CUDA_STATUS_JIT_COMPILATION_DISABLED:
		snprintf(text, size, "it is PTX, and compiling is switched off: unset CUDA_DISABLE_PTX_JIT");
		break;
	case CUDA_STATUS_INVALID_SOURCE:
	case CUDA_STATUS_INVALID_IMAGE:
		snprintf(text, size,
			 "the driver cannot read it: it is damaged, is no cubin, PTX or fatbin, or was made by a toolkit newer than "
			 "this driver (CUDA %d.%d)",
			 cuda_major, cuda_minor);
		break;
	default:
		snprintf(text, size, "the driver did not load it");
		break;
	}
}

static enum error_kind refusal_kind(cuda_status status)
{
	switch (status) {
	case CUDA_STATUS_NO_BINARY_FOR_GPU:
	case CUDA_STATUS_UNSUPPORTED_PTX_VERSION:
		return ERROR_UNSUPPORTED;
	case CUDA_STATUS_JIT_COMPILER_NOT_FOUND:
	case CUDA_STATUS_JIT_COMPILATION_DISABLED:
	case CUDA_STATUS_OUT_OF_MEMORY:
		return ERROR_ENVIRONMENT;
	default:
		return ERROR_DEVICE;
	}
}

int cuda_module_load(struct device *device, const void *image, struct device_module **out, struct error *err)
{
	char log[8192] = "", notes[1024] = "", reason[512];
	unsigned options[] = {CUDA_JIT_ERROR_LOG_BUFFER, CUDA_JIT_ERROR_LOG_BYTES, CUDA_JIT_INFO_LOG_BUFFER,
			      CUDA_JIT_INFO_LOG_BYTES};
	void *values[] = {log, (void *)(uintptr_t)sizeof log, notes, (void *)(uintptr_t)sizeof notes};
	struct CUmod_st *module = NULL;

	*out = NULL;
	if (cuda_enter(device, err) != 0)
		return -1;
	const cuda_status status =
		cuda_of(device)->driver.module_load(&module, image, sizeof options / sizeof options[0], options, values);
	if (status == CUDA_STATUS_SUCCESS) {
		*out = (struct device_module *)module;
		return 0;
	}
	log[sizeof log - 1] = '\0';
	explain_refusal(device, image, status, reason, sizeof reason);
	for (size_t end = strlen(log); end > 0 && (log[end - 1] == '\n' || log[end - 1] == ' '); end--)
		log[end - 1] = '\0';
	error_set(err, refusal_kind(status), "the module cannot be loaded: %s (%u): %s%s%.600s",
		  device_error_name((int)status), status, reason, log[0] ? "; its log: " : "", log);
	if (err)
		err->device_code = (int)status;
	return -1;
}

int cuda_module_unload(struct device *device, struct device_module *module, struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.module_unload((struct CUmod_st *)module), "cuModuleUnload", err);
}

/* `what` of the module is not there, or the driver could not load it. */
static int lookup_failed(struct device *device, cuda_status status, const char *call, const char *what,
			 const char *name, struct error *err)
{
	if (status != CUDA_STATUS_NOT_FOUND) {
		cuda_check(device, status, call, err);
		return error_context(err, "%s %.200s", what, name);
	}
	error_set(err, ERROR_INPUT, "the module has no %s named %.400s", what, name);
	if (err)
		err->device_code = (int)status;
	return -1;
}

int cuda_module_function(struct device *device, struct device_module *module, const char *name,
			 struct device_function **out, struct error *err)
{
	struct CUfunc_st *function = NULL;

	*out = NULL;
	if (cuda_enter(device, err) != 0)
		return -1;
	const cuda_status status =
		cuda_of(device)->driver.module_function(&function, (struct CUmod_st *)module, name);
	if (status != CUDA_STATUS_SUCCESS)
		return lookup_failed(device, status, "cuModuleGetFunction", "kernel", name, err);
	*out = (struct device_function *)function;
	return 0;
}

int cuda_module_global(struct device *device, struct device_module *module, const char *name, device_pointer *out,
		       size_t *bytes, struct error *err)
{
	cuda_address address = 0;

	*out = 0;
	*bytes = 0;
	if (cuda_enter(device, err) != 0)
		return -1;
	const cuda_status status =
		cuda_of(device)->driver.module_global(&address, bytes, (struct CUmod_st *)module, name);
	if (status != CUDA_STATUS_SUCCESS)
		return lookup_failed(device, status, "cuModuleGetGlobal", "global variable", name, err);
	*out = address;
	return 0;
}

int cuda_function_get(struct device *device, struct device_function *function, enum device_function_attribute attribute,
		      int *value, struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device,
			  cuda_of(device)->driver.function_get(value, attribute, (struct CUfunc_st *)function),
			  "cuFuncGetAttribute", err);
}

int cuda_function_set(struct device *device, struct device_function *function, enum device_function_attribute attribute,
		      int value, struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device,
			  cuda_of(device)->driver.function_set((struct CUfunc_st *)function, attribute, value),
			  "cuFuncSetAttribute", err);
}

int cuda_function_occupancy(struct device *device, struct device_function *function, int block_threads,
			    size_t dynamic_shared, int *blocks, struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device,
			  cuda_of(device)->driver.occupancy(blocks, (struct CUfunc_st *)function, block_threads,
							    dynamic_shared),
			  "cuOccupancyMaxActiveBlocksPerMultiprocessor", err);
}

int cuda_launch(struct device *device, struct device_function *function, struct device_dim3 grid,
		struct device_dim3 block, size_t dynamic_shared, struct device_stream *stream, void **arguments,
		struct error *err)
{
	if (dynamic_shared > UINT_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "launch with %zu bytes of dynamic shared memory", dynamic_shared);
	if (cuda_enter(device, err) != 0)
		return -1;
	const cuda_status status = cuda_of(device)->driver.launch(
		(struct CUfunc_st *)function, grid.x, grid.y, grid.z, block.x, block.y, block.z, (unsigned)dynamic_shared,
		cuda_stream(device, stream), arguments, NULL);
	if (status == CUDA_STATUS_SUCCESS)
		return 0;
	cuda_check(device, status, "cuLaunchKernel", err);
	return error_context(err, "launch of grid %ux%ux%u, block %ux%ux%u, %zu bytes of dynamic shared memory", grid.x,
			     grid.y, grid.z, block.x, block.y, block.z, dynamic_shared);
}
