/* Launches, and what is asked or set of functions. */
#include "cudart/layouts.h"
#include "cudart/shim.h"

#include <string.h>

/* <<<grid, block, shared, stream>>> pushes what the kernel's host stub pops at once; arguments that launch kernels
 * themselves nest. */
enum { CONFIGURATIONS_MAX = 16 };

struct configuration {
	struct device_dim3 grid, block;
	size_t dynamic_shared;
	void *stream;
};

static _Thread_local struct configuration configurations[CONFIGURATIONS_MAX];
static _Thread_local int configuration_count;

EXPORT unsigned __cudaPushCallConfiguration(struct device_dim3 grid, struct device_dim3 block, size_t dynamic_shared,
					    void *stream)
{
	if (configuration_count == CONFIGURATIONS_MAX)
		return RUNTIME_UNKNOWN; /* the caller then skips the launch, as after any error here */
	configurations[configuration_count++] = (struct configuration){grid, block, dynamic_shared, stream};
	return RUNTIME_SUCCESS;
}

EXPORT int __cudaPopCallConfiguration(struct device_dim3 *grid, struct device_dim3 *block, size_t *dynamic_shared,
				      void *stream)
{
	if (configuration_count == 0)
		return RUNTIME_MISSING_CONFIGURATION;
	const struct configuration *top = &configurations[--configuration_count];
	*grid = top->grid;
	*block = top->block;
	*dynamic_shared = top->dynamic_shared;
	memcpy(stream, &top->stream, sizeof top->stream);
	return RUNTIME_SUCCESS;
}

/* The driver calls an impossible grid an invalid value, the runtime an invalid configuration (9). */
static int check_dimensions(struct shim *shim, struct device_dim3 grid, struct device_dim3 block, struct error *err)
{
	struct device *device = shim->binding.device;
	/* CUdevice_attribute: 1 threads per block, 2-4 block dimensions, 5-7 grid dimensions. A device that does not say
	 * has no limit here and refuses for itself. */
	const uint64_t asked[SHIM_LIMITS] = {(uint64_t)block.x * block.y * block.z, block.x, block.y, block.z,
					     grid.x, grid.y, grid.z};
	for (int i = 0; i < SHIM_LIMITS; i++) {
		if (!shim->limits_known && device->ops->attribute(device, i + 1, &shim->limits[i], NULL))
			shim->limits[i] = 0;
	}
	shim->limits_known = 1;
	for (int i = 0; i < SHIM_LIMITS; i++) {
		if (asked[i] == 0 || (shim->limits[i] > 0 && asked[i] > (uint64_t)shim->limits[i])) {
			error_set(err, ERROR_INPUT, "grid %ux%ux%u of blocks %ux%ux%u is not possible", grid.x, grid.y, grid.z,
				  block.x, block.y, block.z);
			return RUNTIME_INVALID_CONFIGURATION;
		}
	}
	return RUNTIME_SUCCESS;
}

static int launch(struct shim *shim, const void *function, const struct configuration *configuration, void **arguments,
		  struct cudart_launch *record, struct error *err)
{
	struct shim_kernel *kernel = shim_kernel_of(shim, function);
	struct device *device = shim->binding.device;
	struct device_stream *stream;
	enum stream_kind kind = STREAM_OWN;

	if (!kernel) {
		error_set(err, ERROR_INPUT, "the function launched was never registered as a kernel");
		return RUNTIME_INVALID_DEVICE_FUNCTION;
	}
	shim_kernel_decide(shim, kernel);
	record->kernel = kernel->code_name;
	record->own_code = kernel->own;
	int result = shim_ready(shim);
	if (!result && kernel->refused) {
		shim_note_no_match(shim, "kernel", kernel->name, kernel->refused);
		error_set(err, ERROR_UNSUPPORTED, "no donor kernel: %s", kernel->refused);
		return RUNTIME_NOT_SUPPORTED;
	}
	if (!result)
		result = check_dimensions(shim, configuration->grid, configuration->block, err);
	if (!result)
		result = shim_stream(shim, configuration->stream, &stream, &kind, err);
	record->default_stream = kind == STREAM_BOUND;
	record->ordered_stream = kind != STREAM_OWN;
	if (!result)
		result = shim_kernel_resolve(shim, kernel, err);
	if (!result)
		record->resources = kernel->resources;
	record->ptx = kernel->code->ptx;
	if (!result && device->ops->launch(device, kernel->function, configuration->grid, configuration->block,
					   configuration->dynamic_shared, stream, arguments, err))
		result = runtime_error_from(err);
	return result;
}

static int launch_recorded(const char *call, const void *function, const struct configuration *configuration,
			   void **arguments, const char *refused)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	struct cudart_launch record = {
		.kernel = "?",
		.grid = configuration->grid,
		.block = configuration->block,
		.dynamic_shared = configuration->dynamic_shared,
		.resources = {-1, -1, -1},
	};
	if (refused) {
		struct shim_kernel *kernel = shim_kernel_of(shim, function);
		if (kernel)
			shim_kernel_decide(shim, kernel);
		record.kernel = kernel ? kernel->code_name : "?";
		error_set(&err, ERROR_UNSUPPORTED, "%s", refused);
		shim_note_missing(shim, call);
		record.result = RUNTIME_NOT_SUPPORTED;
	} else {
		record.result = launch(shim, function, configuration, arguments, &record, &err);
	}
	if (record.result) {
		shim->log.failed_launches++;
		record.device_code = err.device_code;
		shim_text(record.message, sizeof record.message,
			  err.kind ? err.message : runtime_error_words(record.result));
	}
	if (shim->log.launch_count < CUDART_LAUNCHES_MAX)
		shim->log.launches[shim->log.launch_count] = record;
	shim->log.launch_count++;
	return shim_leave(shim, call, record.result, &err);
}

EXPORT int cudaLaunchKernel(const void *function, struct device_dim3 grid, struct device_dim3 block, void **arguments,
			    size_t dynamic_shared, void *stream)
{
	const struct configuration configuration = {grid, block, dynamic_shared, stream};
	return launch_recorded("cudaLaunchKernel", function, &configuration, arguments, NULL);
}
#define LAUNCH_PARAMETERS                                                                                    \
	(const void *function, struct device_dim3 grid, struct device_dim3 block, void **arguments,          \
	 size_t dynamic_shared, void *stream)
EXPORT_ALIAS(int, cudaLaunchKernel_ptsz, LAUNCH_PARAMETERS, cudaLaunchKernel);
/* nvcc 13: the first argument is the handle that __cudaGetKernel gave, which shim_kernel_of knows as well */
EXPORT_ALIAS(int, __cudaLaunchKernel, LAUNCH_PARAMETERS, cudaLaunchKernel);
EXPORT_ALIAS(int, __cudaLaunchKernel_ptsz, LAUNCH_PARAMETERS, cudaLaunchKernel);

EXPORT int cudaLaunchCooperativeKernel LAUNCH_PARAMETERS
{
	const struct configuration configuration = {grid, block, dynamic_shared, stream};
	return launch_recorded("cudaLaunchCooperativeKernel", function, &configuration, arguments,
			       "the runtime shim cannot launch cooperatively");
}
EXPORT_ALIAS(int, cudaLaunchCooperativeKernel_ptsz, LAUNCH_PARAMETERS, cudaLaunchCooperativeKernel);

/* Attributes that only allow the device to be faster may be left out (cudaLaunchAttributeID of driver_types.h: 1 and 8
 * to 10, 14 and 16 are hints; 6 allows an overlap with the kernel before). NULL when the rest can be left out too. */
static const char *attributes_refused(const struct launch_config *config)
{
	for (unsigned i = 0; i < config->attribute_count; i++) {
		const struct launch_attribute *attribute = &config->attributes[i];
		const unsigned *cluster = attribute->value.cluster;
		switch (attribute->id) {
		case 0:
		case 1:
		case 6:
		case 8:
		case 9:
		case 10:
		case 14:
		case 16:
			break;
		case 2:
			if (attribute->value.cooperative)
				return "the runtime shim cannot launch cooperatively";
			break;
		case 4:
			if (cluster[0] != 1 || cluster[1] != 1 || cluster[2] != 1)
				return "the runtime shim cannot launch clusters of blocks";
			break;
		default:
			return "the runtime shim does not know a launch attribute";
		}
	}
	return NULL;
}

EXPORT int cudaLaunchKernelExC(const struct launch_config *config, const void *function, void **arguments)
{
	if (!config)
		return shim_leave(shim_enter(), __func__, RUNTIME_INVALID_VALUE, NULL);
	const struct configuration configuration = {
		{config->grid[0], config->grid[1], config->grid[2]},
		{config->block[0], config->block[1], config->block[2]},
		config->dynamic_shared,
		config->stream,
	};
	return launch_recorded("cudaLaunchKernelExC", function, &configuration, arguments, attributes_refused(config));
}
EXPORT_ALIAS(int, cudaLaunchKernelExC_ptsz, (const struct launch_config *config, const void *function, void **arguments),
	     cudaLaunchKernelExC);

EXPORT int __cudaGetKernel(void **kernel, const void *function)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = RUNTIME_INVALID_VALUE;
	if (kernel) {
		*kernel = shim_kernel_of(shim, function);
		result = *kernel ? RUNTIME_SUCCESS : RUNTIME_INVALID_DEVICE_FUNCTION;
	}
	return shim_leave(shim, "cudaGetKernel", result, &err);
}
EXPORT_ALIAS(int, cudaGetKernel, (void **kernel, const void *function), __cudaGetKernel);

/* Enters with a resolved kernel, or with the error to leave with. */
static struct shim *enter_with_kernel(const void *function, struct shim_kernel **kernel, int *result, struct error *err)
{
	struct shim *shim = shim_enter();
	*result = shim_ready(shim);
	*kernel = shim_kernel_of(shim, function);
	if (!*result && !*kernel)
		*result = RUNTIME_INVALID_DEVICE_FUNCTION;
	if (!*result) {
		*result = shim_kernel_resolve(shim, *kernel, err);
		/* the host code would go on from an answer, and has none */
		if (*result && (*kernel)->refused)
			shim_note_no_match(shim, "kernel", (*kernel)->name, (*kernel)->refused);
	}
	return shim;
}

EXPORT int cudaFuncSetAttribute(const void *function, int attribute, int value)
{
	struct error err = {0};
	struct shim_kernel *kernel;
	int result;
	struct shim *shim = shim_enter();
	struct device *device = shim->binding.device;
	kernel = shim_kernel_of(shim, function);
	result = shim_ready(shim);
	if (!result && !kernel)
		result = RUNTIME_INVALID_DEVICE_FUNCTION;
	if (!result)
		shim_kernel_decide(shim, kernel);
	/* of a kernel that cannot run it makes no difference, and it is told when it is launched, not before */
	const int matters = !result && !kernel->refused;
	if (matters)
		result = shim_kernel_resolve(shim, kernel, &err);
	/* cudaFuncAttribute starts at 8 and has CUfunction_attribute's numbers; 8 is the dynamic shared memory */
	if (!result && (attribute < 8 || attribute > 15 || (attribute == 8 && value < 0)))
		result = RUNTIME_INVALID_VALUE;
	if (!result && matters && device->ops->function_set(device, kernel->function, (enum device_function_attribute)attribute, value, &err))
		result = runtime_error_from(&err);
	return shim_leave(shim, __func__, result, &err);
}

EXPORT int cudaFuncGetAttributes(void *attributes, const void *function)
{
	struct error err = {0};
	struct shim_kernel *kernel;
	int result;
	struct shim *shim = enter_with_kernel(function, &kernel, &result, &err);
	struct device *device = shim->binding.device;
	int values[16] = {0};
	if (!result && !attributes)
		result = RUNTIME_INVALID_VALUE;
	/* 10 to 15 are about clusters and newer than some drivers: 0 where the device does not know them */
	const int last = shim->binding.runtime_major == 11 ? 9 : 15;
	for (int i = 0; !result && i <= last; i++)
		if (device->ops->function_get(device, kernel->function, (enum device_function_attribute)i, &values[i], &err)) {
			if (i <= 9)
				result = runtime_error_from(&err);
			values[i] = 0;
		}
	if (!result) {
		const struct func_attributes_12 out = {
			.shared_bytes = (size_t)values[1],
			.const_bytes = (size_t)values[2],
			.local_bytes = (size_t)values[3],
			.max_threads_per_block = values[0],
			.registers = values[4],
			.ptx_version = values[5],
			.binary_version = values[6],
			.cache_mode_ca = values[7],
			.max_dynamic_shared = values[8],
			.preferred_shared_carveout = values[9],
			.cluster_dim_must_be_set = values[10],
			.required_cluster = {values[11], values[12], values[13]},
			.non_portable_cluster_allowed = values[14],
			.cluster_scheduling_policy = values[15],
		};
		memcpy(attributes, &out,
		       shim->binding.runtime_major == 11 ? sizeof(struct func_attributes_11) : sizeof out);
	}
	return shim_leave(shim, __func__, result, &err);
}

/* Hints about the split of L1 and shared memory: ignoring them costs speed at most, and none since Volta. */
EXPORT int cudaFuncSetCacheConfig(const void *function, int config)
{
	(void)config;
	struct shim *shim = shim_enter();
	return shim_leave(shim, __func__, shim_kernel_of(shim, function) ? RUNTIME_SUCCESS : RUNTIME_INVALID_DEVICE_FUNCTION,
			  NULL);
}

EXPORT int cudaFuncSetSharedMemConfig(const void *function, int config)
{
	return cudaFuncSetCacheConfig(function, config);
}

EXPORT int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *function, int block_threads,
								  size_t dynamic_shared, unsigned flags)
{
	(void)flags; /* 1 only tells devices of compute capability 5 to leave caching as it is */
	struct error err = {0};
	struct shim_kernel *kernel;
	int result;
	struct shim *shim = enter_with_kernel(function, &kernel, &result, &err);
	struct device *device = shim->binding.device;
	if (!result && !blocks)
		result = RUNTIME_INVALID_VALUE;
	if (!result && device->ops->function_occupancy(device, kernel->function, block_threads, dynamic_shared, blocks, &err))
		result = runtime_error_from(&err);
	return shim_leave(shim, __func__, result, &err);
}

EXPORT int cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function, int block_threads,
							 size_t dynamic_shared)
{
	return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, block_threads, dynamic_shared, 0);
}
