#include "operate_conditions.h"

#include <stdlib.h>

/* stale: fills 48 KiB of shared memory, the most that a kernel gets without asking, with NaN in every floating-point type;
 * busy: keeps a multiprocessor for the given number of clock cycles. */
static const char kernels[] =
	".version 6.0\n.target sm_50\n.address_size 64\n"
	".visible .entry stale()\n{\n"
	".reg .pred %p; .reg .b32 %r<4>; .reg .b64 %a;\n"
	".shared .align 16 .b8 junk[49152];\n"
	"mov.u32 %r0, %tid.x;\nmov.u32 %r1, junk;\nshl.b32 %r2, %r0, 2;\nadd.u32 %r1, %r1, %r2;\n"
	"mov.u32 %r3, 0;\n"
	"again:\nst.volatile.shared.u32 [%r1], 0x7fa57fa5;\nadd.u32 %r1, %r1, 1024;\nadd.u32 %r3, %r3, 1;\n"
	"setp.lt.u32 %p, %r3, 48;\n@%p bra again;\nret;\n}\n"
	".visible .entry busy(.param .u64 cycles)\n{\n"
	".reg .pred %p; .reg .b64 %d<4>;\n"
	"ld.param.u64 %d0, [cycles];\nmov.u64 %d1, %clock64;\n"
	"again:\nmov.u64 %d2, %clock64;\nsub.u64 %d3, %d2, %d1;\nsetp.lt.u64 %p, %d3, %d0;\n@%p bra again;\nret;\n}\n";

struct operate_conditions {
	struct device *device;
	struct device_module *module;
	struct device_function *stale, *busy;
	struct device_stream *stream;
};

struct operate_condition operate_condition(int repeat)
{
	static const struct operate_condition conditions[] = {
		{.name = "with other content of shared memory", .stale_shared = 1},
		{.name = "beside other work", .busy = 1},
	};
	return conditions[repeat % 2];
}

void operate_conditions_close(struct operate_conditions *conditions)
{
	if (!conditions)
		return;
	if (conditions->stream)
		conditions->device->ops->stream_destroy(conditions->device, conditions->stream, NULL);
	if (conditions->module)
		conditions->device->ops->module_unload(conditions->device, conditions->module, NULL);
	free(conditions);
}

int operate_conditions_open(struct operate_conditions **out, struct device *device, struct error *err)
{
	struct operate_conditions *conditions = calloc(1, sizeof *conditions);
	*out = NULL;
	if (!conditions)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	conditions->device = device;
	if (device->properties.kind == DEVICE_CUDA &&
	    (device->ops->module_load(device, kernels, &conditions->module, err) ||
	     device->ops->module_function(device, conditions->module, "stale", &conditions->stale, err) ||
	     device->ops->module_function(device, conditions->module, "busy", &conditions->busy, err) ||
	     device->ops->stream_create(device, &conditions->stream, err))) {
		operate_conditions_close(conditions);
		return -1;
	}
	*out = conditions;
	return 0;
}

int operate_conditions_set(struct operate_conditions *conditions, const struct operate_condition *condition, struct error *err)
{
	struct device *device = conditions->device;
	const uint32_t processors = (uint32_t)device->properties.multiprocessors;
	if (!conditions->module)
		return 0; /* the cpu device tells reads of stale shared memory by themselves */
	/* 256 threads of 48 KiB: a block at least on each multiprocessor */
	const struct device_dim3 blocks = {processors * 4, 1, 1}, threads = {256, 1, 1};
	if (condition->stale_shared && device->ops->launch(device, conditions->stale, blocks, threads, 0, NULL, NULL, err))
		return -1;
	if (!condition->busy)
		return 0;
	/* 20 us at 1.5 GHz: longer than it takes to launch what is to run beside it, too short to be felt over thousands of cases */
	uint64_t cycles = 30000;
	void *arguments[] = {&cycles};
	return device->ops->launch(device, conditions->busy, (struct device_dim3){processors / 2 ? processors / 2 : 1, 1, 1},
				   (struct device_dim3){1024, 1, 1}, 0, conditions->stream, arguments, err);
}
