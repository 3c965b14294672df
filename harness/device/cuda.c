/* The cuda device over the driver API: opening, streams, events and the gate. */
#include "device/cuda_private.h"
#include "device/nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cuda_check(struct device *device, cuda_status status, const char *call, struct error *err)
{
	return status == CUDA_STATUS_SUCCESS ? 0 : cuda_error(&cuda_of(device)->driver, status, call, err);
}

int cuda_enter(struct device *device, struct error *err)
{
	return cuda_check(device, cuda_of(device)->driver.context_set(cuda_of(device)->context), "cuCtxSetCurrent", err);
}

static void open_every_gate(struct cuda_device *cuda)
{
	if (cuda->gate)
		__atomic_store_n(cuda->gate, cuda->last_gate_value, __ATOMIC_SEQ_CST);
}

static void cuda_close(struct device *device)
{
	struct cuda_device *cuda = cuda_of(device);

	if (cuda->context && cuda_enter(device, NULL) == 0) {
		open_every_gate(cuda);
		cuda->driver.context_synchronize(); /* streams may still be looking at the word of the gate */
		cuda_blas_close(device);
		if (device->stream)
			cuda->driver.stream_destroy((struct CUstream_st *)device->stream);
		if (cuda->gate)
			cuda->driver.host_free(cuda->gate);
	}
	if (cuda->context)
		cuda->driver.context_release(cuda->ordinal);
	free(cuda->cublas_path);
	free(cuda);
}

static int cuda_stream_create(struct device *device, struct device_stream **out, struct error *err)
{
	struct CUstream_st *stream = NULL;

	*out = NULL;
	if (cuda_enter(device, err) != 0 ||
	    cuda_check(device, cuda_of(device)->driver.stream_create(&stream, CUDA_STREAM_DEFAULT), "cuStreamCreate",
		       err) != 0)
		return -1;
	*out = (struct device_stream *)stream;
	return 0;
}

static int cuda_stream_destroy(struct device *device, struct device_stream *stream, struct error *err)
{
	if (!stream || stream == device->stream)
		return 0;
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.stream_destroy((struct CUstream_st *)stream), "cuStreamDestroy",
			  err);
}

static int cuda_stream_synchronize(struct device *device, struct device_stream *stream, struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.stream_synchronize(cuda_stream(device, stream)),
			  "cuStreamSynchronize", err);
}

static int cuda_event_create(struct device *device, struct device_event **out, struct error *err)
{
	struct CUevent_st *event = NULL;

	*out = NULL;
	if (cuda_enter(device, err) != 0 ||
	    cuda_check(device, cuda_of(device)->driver.event_create(&event, CUDA_EVENT_DEFAULT), "cuEventCreate", err) != 0)
		return -1;
	*out = (struct device_event *)event;
	return 0;
}

static int cuda_event_destroy(struct device *device, struct device_event *event, struct error *err)
{
	if (!event)
		return 0;
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.event_destroy((struct CUevent_st *)event), "cuEventDestroy", err);
}

static int cuda_event_record(struct device *device, struct device_event *event, struct device_stream *stream,
			     struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(
		device, cuda_of(device)->driver.event_record((struct CUevent_st *)event, cuda_stream(device, stream)),
		"cuEventRecord", err);
}

static int cuda_event_synchronize(struct device *device, struct device_event *event, struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.event_synchronize((struct CUevent_st *)event),
			  "cuEventSynchronize", err);
}

static int cuda_event_query(struct device *device, struct device_event *event, int *done, struct error *err)
{
	*done = 0;
	if (cuda_enter(device, err) != 0)
		return -1;
	const cuda_status status = cuda_of(device)->driver.event_query((struct CUevent_st *)event);
	if (status == CUDA_STATUS_NOT_READY)
		return 0;
	*done = status == CUDA_STATUS_SUCCESS;
	return cuda_check(device, status, "cuEventQuery", err);
}

static int cuda_event_elapsed(struct device *device, struct device_event *from, struct device_event *to,
			      double *seconds, struct error *err)
{
	float milliseconds = 0;

	if (cuda_enter(device, err) != 0 ||
	    cuda_check(device,
		       cuda_of(device)->driver.event_elapsed(&milliseconds, (struct CUevent_st *)from,
							     (struct CUevent_st *)to),
		       "cuEventElapsedTime", err) != 0)
		return -1;
	*seconds = (double)milliseconds * 1e-3;
	return 0;
}

static int cuda_stream_wait_value(struct device *device, struct device_stream *stream, uint32_t value, struct error *err)
{
	struct cuda_device *cuda = cuda_of(device);

	if (!cuda->gate)
		return error_set(err, ERROR_UNSUPPORTED, "%s cannot see host memory, which the gate needs",
				 device->properties.id);
	if (cuda_enter(device, err) != 0)
		return -1;
	const cuda_status status = cuda->driver.stream_wait_value(cuda_stream(device, stream), cuda->gate_address, value,
								  CUDA_WAIT_VALUE_GEQ);
	if (status == CUDA_STATUS_SUCCESS)
		cuda->last_gate_value = value;
	return cuda_check(device, status, "cuStreamWaitValue32", err);
}

static volatile uint32_t *cuda_gate_flag(struct device *device)
{
	return cuda_of(device)->gate;
}

static int cuda_synchronize(struct device *device, struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.context_synchronize(), "cuCtxSynchronize", err);
}

static int cuda_attribute(struct device *device, int attribute, int *value, struct error *err)
{
	*value = 0;
	return cuda_check(device,
			  cuda_of(device)->driver.device_attribute(value, (unsigned)attribute, cuda_of(device)->ordinal),
			  "cuDeviceGetAttribute", err);
}

static const struct device_ops cuda_ops = {
	.close = cuda_close,
	.alloc = cuda_alloc,
	.free = cuda_free,
	.alloc_guarded = cuda_alloc_guarded,
	.free_guarded = cuda_free_guarded,
	.memory_info = cuda_memory_info,
	.copy_in = cuda_copy_in,
	.copy_out = cuda_copy_out,
	.copy = cuda_copy,
	.fill = cuda_fill,
	.module_load = cuda_module_load,
	.module_unload = cuda_module_unload,
	.module_function = cuda_module_function,
	.module_global = cuda_module_global,
	.function_get = cuda_function_get,
	.function_set = cuda_function_set,
	.function_occupancy = cuda_function_occupancy,
	.launch = cuda_launch,
	.stream_create = cuda_stream_create,
	.stream_destroy = cuda_stream_destroy,
	.stream_synchronize = cuda_stream_synchronize,
	.event_create = cuda_event_create,
	.event_destroy = cuda_event_destroy,
	.event_record = cuda_event_record,
	.event_synchronize = cuda_event_synchronize,
	.event_query = cuda_event_query,
	.event_elapsed = cuda_event_elapsed,
	.stream_wait_value = cuda_stream_wait_value,
	.gate_flag = cuda_gate_flag,
	.synchronize = cuda_synchronize,
	.attribute = cuda_attribute,
	.gemm = cuda_gemm,
};

/* 0 when the driver does not tell. */
static int attribute_or_zero(const struct cuda_device *cuda, unsigned attribute)
{
	int value = 0;
	return cuda->driver.device_attribute(&value, attribute, cuda->ordinal) == CUDA_STATUS_SUCCESS ? value : 0;
}

static void format_uuid(const struct cuda_uuid *uuid, char *text, size_t size)
{
	const unsigned char *b = uuid->bytes;
	snprintf(text, size, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
		 b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static int read_properties(struct cuda_device *cuda, struct error *err)
{
	struct device_properties *properties = &cuda->base.properties;
	const struct cuda_driver *driver = &cuda->driver;
	struct device *device = &cuda->base;
	struct cuda_uuid uuid = {{0}};

	if (cuda_check(device, driver->device_name(properties->name, sizeof properties->name, cuda->ordinal),
		       "cuDeviceGetName", err) != 0 ||
	    cuda_check(device, driver->device_memory(&properties->memory_bytes, cuda->ordinal), "cuDeviceTotalMem",
		       err) != 0)
		return -1;
	if (driver->device_uuid((struct CUuuid_st *)&uuid, cuda->ordinal) == CUDA_STATUS_SUCCESS)
		format_uuid(&uuid, properties->uuid, sizeof properties->uuid);
	properties->cc_major = attribute_or_zero(cuda, CUDA_ATTRIBUTE_CC_MAJOR);
	properties->cc_minor = attribute_or_zero(cuda, CUDA_ATTRIBUTE_CC_MINOR);
	properties->multiprocessors = attribute_or_zero(cuda, CUDA_ATTRIBUTE_MULTIPROCESSORS);
	properties->l2_bytes = (size_t)attribute_or_zero(cuda, CUDA_ATTRIBUTE_L2_BYTES);
	properties->shared_per_block_optin = (size_t)attribute_or_zero(cuda, CUDA_ATTRIBUTE_SHARED_OPTIN);
	properties->slow_f64 = attribute_or_zero(cuda, CUDA_ATTRIBUTE_SINGLE_TO_DOUBLE_RATIO) >= 16;
	properties->driver_version = driver->version;
	if (nvml_driver_version(properties->driver_text, sizeof properties->driver_text) != 0)
		properties->driver_text[0] = '\0';
	return 0;
}

/* A gate that cannot be had is no reason not to open the device: stream_wait_value says so when it is asked for. */
static void make_gate(struct cuda_device *cuda)
{
	void *memory = NULL;

	if (cuda->driver.host_alloc(&memory, sizeof *cuda->gate, CUDA_HOST_ALLOC_PORTABLE | CUDA_HOST_ALLOC_DEVICEMAP) !=
	    CUDA_STATUS_SUCCESS)
		return;
	if (cuda->driver.host_address(&cuda->gate_address, memory, 0) != CUDA_STATUS_SUCCESS) {
		cuda->driver.host_free(memory);
		return;
	}
	cuda->gate = memory;
	*cuda->gate = 0;
}

int cuda_device_open(struct device **device, int ordinal, const struct device_options *options, struct error *err)
{
	struct cuda_device *cuda = calloc(1, sizeof *cuda);
	int count, result = -1;

	*device = NULL;
	if (!cuda)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	cuda->base.ops = &cuda_ops;
	cuda->base.properties.kind = DEVICE_CUDA;
	snprintf(cuda->base.properties.id, sizeof cuda->base.properties.id, "cuda:%d", ordinal);
	if (options->cublas_path && !(cuda->cublas_path = strdup(options->cublas_path))) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (cuda_driver_open(&cuda->driver, err) != 0 || cuda_driver_devices(&cuda->driver, &count, err) != 0)
		goto done;
	if (ordinal >= count) {
		error_set(err, ERROR_ENVIRONMENT,
			  "there is no cuda:%d: the driver shows %d device%s, counted from cuda:0 (see `assay devices`)", ordinal,
			  count, count == 1 ? "" : "s");
		goto done;
	}
	cuda_status status = cuda->driver.device_get(&cuda->ordinal, ordinal);
	if (status == CUDA_STATUS_SUCCESS)
		status = cuda->driver.context_retain(&cuda->context, cuda->ordinal);
	if (status != CUDA_STATUS_SUCCESS) {
		cuda->context = NULL;
		cuda_environment_error(status, "cuDevicePrimaryCtxRetain", err);
		goto done;
	}
	if (cuda_enter(&cuda->base, err) != 0 || read_properties(cuda, err) != 0 ||
	    cuda_stream_create(&cuda->base, &cuda->base.stream, err) != 0)
		goto done;
	make_gate(cuda);
	*device = &cuda->base;
	result = 0;
done:
	if (result != 0)
		cuda_close(&cuda->base);
	return result;
}
