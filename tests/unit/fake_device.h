/* A device that records what it is asked for and does nothing: for tests of the runtime shim and of plugins. Memory is
 * host memory. `fail_with` makes the next launch (or module load) fail as the driver would. */
#ifndef ASSAY_TESTS_FAKE_DEVICE_H
#define ASSAY_TESTS_FAKE_DEVICE_H

#include "device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct device_module {
	char image[64]; /* the start of what was loaded */
};

struct device_function {
	char name[64];
};

struct device_stream {
	int number;
};

struct device_event {
	int recorded;
};

struct fake_device {
	struct device device;
	int loads, launches, allocations, frees, synchronizations, set_attribute, set_value;
	int fail_launch, fail_load; /* CUresult for the next call, then 0 */
	char loaded[64], launched[64];
	struct device_dim3 grid, block;
	size_t dynamic_shared;
	const struct device_stream *stream;
	void **arguments;
	unsigned char variable[16];
	char variable_name[128];
};

static inline struct fake_device *fake(struct device *device)
{
	return (struct fake_device *)device;
}

static inline int fake_failure(int *code, struct error *err)
{
	error_set(err, ERROR_DEVICE, "the fake device fails with %d", *code);
	if (err)
		err->device_code = *code;
	*code = 0;
	return -1;
}

static int fake_alloc(struct device *device, size_t bytes, device_pointer *out, struct error *err)
{
	if (bytes > (size_t)1 << 30)
		return error_set(err, ERROR_ENVIRONMENT, "out of device memory");
	fake(device)->allocations++;
	*out = (uintptr_t)malloc(bytes ? bytes : 1);
	return 0;
}

static int fake_free(struct device *device, device_pointer pointer, struct error *err)
{
	(void)err;
	fake(device)->frees++;
	free((void *)(uintptr_t)pointer);
	return 0;
}

static int fake_memory_info(struct device *device, size_t *free_bytes, size_t *total_bytes, struct error *err)
{
	(void)device, (void)err;
	*free_bytes = 3;
	*total_bytes = 4;
	return 0;
}

static int fake_copy_in(struct device *device, device_pointer to, const void *from, size_t bytes,
			struct device_stream *stream, struct error *err)
{
	(void)device, (void)stream, (void)err;
	memmove((void *)(uintptr_t)to, from, bytes);
	return 0;
}

static int fake_copy_out(struct device *device, void *to, device_pointer from, size_t bytes, struct device_stream *stream,
			 struct error *err)
{
	(void)device, (void)stream, (void)err;
	memmove(to, (const void *)(uintptr_t)from, bytes);
	return 0;
}

static int fake_copy(struct device *device, device_pointer to, device_pointer from, size_t bytes,
		     struct device_stream *stream, struct error *err)
{
	return fake_copy_in(device, to, (const void *)(uintptr_t)from, bytes, stream, err);
}

static int fake_fill(struct device *device, device_pointer to, uint32_t value, int width, size_t count,
		     struct device_stream *stream, struct error *err)
{
	(void)device, (void)stream;
	if (width != 1)
		return error_set(err, ERROR_INTERNAL, "the fake device fills bytes only");
	memset((void *)(uintptr_t)to, (int)value, count);
	return 0;
}

static int fake_module_load(struct device *device, const void *image, struct device_module **out, struct error *err)
{
	struct fake_device *self = fake(device);
	self->loads++;
	if (self->fail_load)
		return fake_failure(&self->fail_load, err);
	*out = calloc(1, sizeof **out);
	snprintf((*out)->image, sizeof (*out)->image, "%s", (const char *)image);
	memcpy(self->loaded, (*out)->image, sizeof self->loaded);
	return 0;
}

static int fake_module_function(struct device *device, struct device_module *module, const char *name,
				struct device_function **out, struct error *err)
{
	(void)device, (void)module;
	if (strstr(name, "absent")) {
		error_set(err, ERROR_DEVICE, "no such kernel");
		if (err)
			err->device_code = 500;
		return -1;
	}
	*out = calloc(1, sizeof **out);
	snprintf((*out)->name, sizeof (*out)->name, "%s", name);
	return 0;
}

static int fake_module_global(struct device *device, struct device_module *module, const char *name, device_pointer *out,
			      size_t *bytes, struct error *err)
{
	(void)module, (void)err;
	snprintf(fake(device)->variable_name, sizeof fake(device)->variable_name, "%s", name);
	*out = (uintptr_t)fake(device)->variable;
	*bytes = sizeof fake(device)->variable;
	return 0;
}

static int fake_function_get(struct device *device, struct device_function *function,
			     enum device_function_attribute attribute, int *value, struct error *err)
{
	(void)device, (void)function;
	if ((int)attribute > 9)
		return error_set(err, ERROR_UNSUPPORTED, "an old driver knows no clusters");
	*value = 100 + (int)attribute;
	return 0;
}

static int fake_function_set(struct device *device, struct device_function *function,
			     enum device_function_attribute attribute, int value, struct error *err)
{
	(void)function, (void)err;
	fake(device)->set_attribute = (int)attribute;
	fake(device)->set_value = value;
	return 0;
}

static int fake_function_occupancy(struct device *device, struct device_function *function, int block_threads,
				   size_t dynamic_shared, int *blocks, struct error *err)
{
	(void)device, (void)function, (void)err;
	*blocks = block_threads + (int)dynamic_shared;
	return 0;
}

static int fake_launch(struct device *device, struct device_function *function, struct device_dim3 grid,
		       struct device_dim3 block, size_t dynamic_shared, struct device_stream *stream, void **arguments,
		       struct error *err)
{
	struct fake_device *self = fake(device);
	self->launches++;
	if (self->fail_launch)
		return fake_failure(&self->fail_launch, err);
	memcpy(self->launched, function->name, sizeof self->launched);
	self->grid = grid;
	self->block = block;
	self->dynamic_shared = dynamic_shared;
	self->stream = stream;
	self->arguments = arguments;
	return 0;
}

static int fake_stream_create(struct device *device, struct device_stream **out, struct error *err)
{
	(void)device, (void)err;
	*out = calloc(1, sizeof **out);
	return 0;
}

static int fake_stream_destroy(struct device *device, struct device_stream *stream, struct error *err)
{
	(void)device, (void)err;
	free(stream);
	return 0;
}

static int fake_stream_synchronize(struct device *device, struct device_stream *stream, struct error *err)
{
	(void)stream, (void)err;
	fake(device)->synchronizations++;
	return 0;
}

static int fake_event_create(struct device *device, struct device_event **out, struct error *err)
{
	(void)device, (void)err;
	*out = calloc(1, sizeof **out);
	return 0;
}

static int fake_event_destroy(struct device *device, struct device_event *event, struct error *err)
{
	(void)device, (void)err;
	free(event);
	return 0;
}

static int fake_event_record(struct device *device, struct device_event *event, struct device_stream *stream,
			     struct error *err)
{
	(void)device, (void)stream, (void)err;
	event->recorded++;
	return 0;
}

static int fake_event_synchronize(struct device *device, struct device_event *event, struct error *err)
{
	(void)event, (void)err;
	fake(device)->synchronizations++;
	return 0;
}

static int fake_event_query(struct device *device, struct device_event *event, int *done, struct error *err)
{
	(void)device, (void)err;
	*done = event->recorded > 1;
	return 0;
}

static int fake_event_elapsed(struct device *device, struct device_event *from, struct device_event *to, double *seconds,
			      struct error *err)
{
	(void)device, (void)from, (void)to, (void)err;
	*seconds = 0.25;
	return 0;
}

static int fake_synchronize(struct device *device, struct error *err)
{
	(void)err;
	fake(device)->synchronizations++;
	return 0;
}

/* Its attributes are 1000 + number, except the limits of grid and block (1 to 7) and the compute capability. */
static int fake_attribute(struct device *device, int attribute, int *value, struct error *err)
{
	static const int limits[] = {1024, 1024, 1024, 64, 0x7fffffff, 65535, 65535};
	if (attribute < 1 || attribute > 200)
		return error_set(err, ERROR_INPUT, "no such attribute");
	*value = attribute <= 7	   ? limits[attribute - 1]
		 : attribute == 75 ? device->properties.cc_major
		 : attribute == 76 ? device->properties.cc_minor
				   : 1000 + attribute;
	return 0;
}

static const struct device_ops fake_ops = {
	.alloc = fake_alloc,
	.free = fake_free,
	.memory_info = fake_memory_info,
	.copy_in = fake_copy_in,
	.copy_out = fake_copy_out,
	.copy = fake_copy,
	.fill = fake_fill,
	.module_load = fake_module_load,
	.module_function = fake_module_function,
	.module_global = fake_module_global,
	.function_get = fake_function_get,
	.function_set = fake_function_set,
	.function_occupancy = fake_function_occupancy,
	.launch = fake_launch,
	.stream_create = fake_stream_create,
	.stream_destroy = fake_stream_destroy,
	.stream_synchronize = fake_stream_synchronize,
	.event_create = fake_event_create,
	.event_destroy = fake_event_destroy,
	.event_record = fake_event_record,
	.event_synchronize = fake_event_synchronize,
	.event_query = fake_event_query,
	.event_elapsed = fake_event_elapsed,
	.synchronize = fake_synchronize,
	.attribute = fake_attribute,
};

static struct device_stream fake_stream = {.number = 7};

static inline struct fake_device fake_device_make(void)
{
	return (struct fake_device){
		.device = {
			.ops = &fake_ops,
			.stream = &fake_stream,
			.properties = {
				.kind = DEVICE_CUDA,
				.id = "cuda:0",
				.name = "fake device",
				.uuid = "GPU-00112233-4455-6677-8899-aabbccddeeff",
				.cc_major = 9,
				.memory_bytes = (size_t)80 << 30,
				.driver_version = 13000,
			},
		},
	};
}

#endif
