#include "check.h"
#include "device/device.h"
#include "device/nvml.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static sigjmp_buf fault_return;

static void on_fault(int signal_number)
{
	(void)signal_number;
	siglongjmp(fault_return, 1);
}

/* 1 when reading (or writing) the byte is a fault. */
static int faults(volatile char *byte, int write)
{
	struct sigaction action = {.sa_handler = on_fault}, old_segv, old_bus;
	int faulted = 0;

	sigaction(SIGSEGV, &action, &old_segv);
	sigaction(SIGBUS, &action, &old_bus);
	if (sigsetjmp(fault_return, 1))
		faulted = 1;
	else if (write)
		*byte = 1;
	else
		(void)*byte;
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return faulted;
}

static void memory_is_owned_and_filled(struct device *device)
{
	struct error err = {0};
	device_pointer first = 0, second = 0, empty = 0;
	uint32_t words[4] = {1, 2, 3, 4}, back[4] = {0};

	CHECK_INT(device_alloc(device, 64, &first, &err), 0);
	CHECK_INT(device_alloc(device, 64, &second, &err), 0);
	CHECK_INT(device_alloc(device, 0, &empty, &err), 0);
	CHECK(empty != 0 && empty != first);
	CHECK_INT(first % 256, 0);
	CHECK_INT(device->ops->fill(device, first, 0xabcdef, 1, 64, NULL, &err), 0);
	CHECK_INT(*(uint32_t *)(uintptr_t)first, 0xefefefef);
	CHECK_INT(device->ops->fill(device, first, 0xabcdef01, 2, 3, NULL, &err), 0);
	CHECK_INT(*(uint32_t *)(uintptr_t)first, 0xef01ef01);
	CHECK_INT(*(uint32_t *)(uintptr_t)(first + 4), 0xefefef01);
	CHECK_INT(device->ops->fill(device, first + 1, 0, 2, 3, NULL, &err), -1);
	CHECK_INT(device->ops->fill(device, first, 0, 8, 3, NULL, &err), -1);
	CHECK_INT(device->ops->fill(device, first, 7, 4, 4, NULL, &err), 0);
	CHECK_INT(device->ops->copy_in(device, first, words, sizeof words, NULL, &err), 0);
	CHECK_INT(device->ops->copy(device, second, first, sizeof words, NULL, &err), 0);
	CHECK_INT(device->ops->copy_out(device, back, second, sizeof back, NULL, &err), 0);
	CHECK(memcmp(words, back, sizeof words) == 0);

	/* what was not handed out, or was given back, cannot be freed */
	CHECK_INT(device->ops->free(device, first + 16, &err), -1);
	CHECK_INT(err.kind, ERROR_INTERNAL);
	CHECK_INT(device->ops->free(device, first, &err), 0);
	CHECK_INT(device->ops->free(device, first, &err), -1);
	CHECK_INT(device->ops->free(device, 0, &err), 0);
	CHECK_INT(device->ops->free(device, empty, &err), 0);

	/* `second` is left to close; absurd sizes are refused instead of promised */
	device_pointer none = 0;
	CHECK_INT(device_alloc(device, SIZE_MAX, &none, &err), -1);
	CHECK_INT(device_alloc(device, SIZE_MAX / 4, &none, &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	CHECK_CONTAINS(err.message, "out of memory");
	CHECK_INT(none, 0);
	size_t free_bytes = 0, total_bytes = 0;
	CHECK_INT(device->ops->memory_info(device, &free_bytes, &total_bytes, &err), 0);
	CHECK(free_bytes > 0 && free_bytes <= total_bytes);
}

static void guarded_memory_ends_at_a_fault(struct device *device)
{
	static const size_t sizes[] = {1, 16, 100, 4096, 4097, 70000};
	struct error err = {0};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		const size_t bytes = sizes[i], rounded = (bytes + 15) / 16 * 16;
		struct device_guarded memory = {0};
		CHECK_INT(device->ops->alloc_guarded(device, bytes, &memory, &err), 0);
		char *start = (char *)(uintptr_t)memory.pointer;
		CHECK_INT(memory.pointer % 16, 0);
		CHECK_INT(memory.bytes, bytes);
		memset(start, 1, bytes);
		CHECK_INT(faults(start + bytes - 1, 1), 0);
		CHECK_INT(faults(start + rounded, 0), 1);
		CHECK_INT(faults(start + rounded, 1), 1);
		CHECK_INT(faults(start + rounded - (rounded + 4095) / 4096 * 4096 - 1, 0), 1);
		CHECK_INT(device->ops->free_guarded(device, &memory, &err), 0);
		CHECK_INT(memory.pointer, 0);
		CHECK_INT(device->ops->free_guarded(device, &memory, &err), 0);
	}
	struct device_guarded empty = {0}, absurd = {0};
	CHECK_INT(device->ops->alloc_guarded(device, 0, &empty, &err), 0);
	CHECK_INT(faults((char *)(uintptr_t)empty.pointer, 0), 1);
	CHECK_INT(device->ops->free_guarded(device, &empty, &err), 0);
	CHECK_INT(device->ops->alloc_guarded(device, SIZE_MAX - 8, &absurd, &err), -1);
	CHECK_INT(device->ops->alloc_guarded(device, SIZE_MAX / 4, &absurd, &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
}

static const char scale_ptx[] =
	".version 7.0\n.target sm_80\n.address_size 64\n"
	".global .align 4 .f32 factor = 0f40400000;\n" /* 3 */
	".visible .entry scale(.param .u64 to, .param .u32 n)\n{\n"
	".reg .b32 %r<4>; .reg .f32 %f<4>; .reg .b64 %rd<4>; .reg .pred %p<2>;\n"
	"mov.u32 %r1, %tid.x;\nld.param.u32 %r2, [n];\nsetp.ge.u32 %p1, %r1, %r2;\n@%p1 bra DONE;\n"
	"ld.param.u64 %rd1, [to];\nmul.wide.u32 %rd2, %r1, 4;\nadd.s64 %rd1, %rd1, %rd2;\n"
	"ld.global.f32 %f1, [%rd1];\nld.global.f32 %f2, [factor];\nmul.f32 %f3, %f1, %f2;\nst.global.f32 [%rd1], %f3;\n"
	"DONE: ret;\n}\n";

static void kernels_run(struct device *device)
{
	const struct device_ops *ops = device->ops;
	const struct device_dim3 one = {1, 1, 1}, block = {64, 1, 1};
	float values[40];
	struct error err = {0};
	struct device_module *module;
	struct device_function *function;
	struct device_counts counts;
	device_pointer memory, factor;
	uint32_t n = 40;
	size_t bytes;
	int value;

	for (int i = 0; i < 40; i++)
		values[i] = (float)i;
	CHECK_INT(ops->alloc(device, sizeof values, &memory, &err), 0);
	CHECK_INT(ops->copy_in(device, memory, values, sizeof values, NULL, &err), 0);
	CHECK_INT(ops->module_load(device, scale_ptx, &module, &err), 0);
	CHECK_INT(ops->module_global(device, module, "factor", &factor, &bytes, &err), 0);
	CHECK_INT((long long)bytes, 4);
	CHECK_INT(ops->module_function(device, module, "absent", &function, &err), -1);
	CHECK_INT(err.device_code, 500);
	CHECK_INT(ops->module_function(device, module, "scale", &function, &err), 0);
	CHECK_INT(ops->function_get(device, function, DEVICE_FUNCTION_MAX_THREADS, &value, &err), 0);
	CHECK_INT(value, 1024);
	CHECK_INT(ops->function_occupancy(device, function, 256, 0, &value, &err), 0);
	CHECK_INT(value, 8);
	void *arguments[] = {&memory, &n};
	CHECK_INT(ops->launch(device, function, one, block, 0, NULL, arguments, &err), 0);
	CHECK_INT(ops->launch(device, function, one, block, 64 << 10, NULL, arguments, &err), -1); /* more than was asked for */
	CHECK_INT(err.device_code, 1);
	CHECK_INT(ops->function_set(device, function, DEVICE_FUNCTION_MAX_DYNAMIC_SHARED, 64 << 10, &err), 0);
	CHECK_INT(ops->launch(device, function, one, block, 64 << 10, NULL, arguments, &err), 0);
	CHECK_INT(ops->copy_out(device, values, memory, sizeof values, NULL, &err), 0);
	for (int i = 0; i < 40; i++)
		CHECK_INT((int)values[i], 9 * i);
	CHECK_INT(device_counts(device, &counts), 1);
	CHECK_INT((long long)counts.launches, 2);
	CHECK_INT((long long)counts.flops, 80);
	CHECK_INT(device_findings(device, NULL, 0), 0);
	CHECK_INT(ops->module_unload(device, module, &err), 0);
	CHECK_INT(ops->free(device, memory, &err), 0);
}

/* What a kernel does wrong is told, and what ends it ends the device, as on a GPU. */
static void faults_are_told(struct device *device)
{
	const struct device_ops *ops = device->ops;
	const struct device_dim3 one = {1, 1, 1}, block = {64, 1, 1};
	struct device_finding findings[4];
	struct error err = {0};
	struct device_module *module;
	struct device_function *function;
	device_pointer memory;
	uint32_t n = 41;

	CHECK_INT(ops->alloc(device, 64 * sizeof(float), &memory, &err), 0);
	device_mark(device, memory, 64 * sizeof(float), DEVICE_MEMORY_NO_ACCESS);
	device_mark(device, memory, 40 * sizeof(float), DEVICE_MEMORY_OUTPUT);
	CHECK_INT(ops->module_load(device, scale_ptx, &module, &err), 0);
	CHECK_INT(ops->module_function(device, module, "scale", &function, &err), 0);
	void *arguments[] = {&memory, &n};
	CHECK_INT(ops->launch(device, function, one, block, 0, NULL, arguments, &err), 0);
	CHECK_INT(ops->synchronize(device, &err), 0);
	const int count = device_findings(device, findings, 4);
	CHECK(count >= 2);
	int access = 0, undefined = 0;
	for (int i = 0; i < count && i < 4; i++) {
		access |= findings[i].fault == DEVICE_FAULT_ACCESS && strstr(findings[i].text, "just past the end of an output of 160 bytes");
		undefined |= findings[i].fault == DEVICE_FAULT_UNDEFINED;
	}
	CHECK(access);
	CHECK(undefined); /* the product of what nobody wrote, in an output */
	CHECK_INT(device_findings(device, findings, 4) > 0, 1); /* which is still there */

	device_pointer nowhere = 4096;
	arguments[0] = &nowhere;
	CHECK_INT(ops->launch(device, function, one, block, 0, NULL, arguments, &err), 0);
	CHECK_INT(ops->synchronize(device, &err), -1);
	CHECK_INT(err.device_code, 700);
	CHECK_INT(device_error_is_sticky(&err), 1);
	CHECK_INT(ops->launch(device, function, one, block, 0, NULL, arguments, &err), -1);
	CHECK_INT(ops->module_unload(device, module, &err), 0);
	CHECK_INT(ops->free(device, memory, &err), 0);
}

static void what_cannot_run_is_refused(struct device *device)
{
	struct error err = {0};
	struct device_module *module;
	int value;

	CHECK_INT(device->ops->module_load(device, "\177ELF and so on", &module, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK_CONTAINS(err.message, "no PTX");
	CHECK(module == NULL);
	CHECK_INT(device->ops->attribute(device, 16, &value, &err), -1);
	CHECK_INT(device->ops->stream_wait_value(device, NULL, 1, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK(device->ops->gate_flag(device) == NULL);
}

static void events_measure_time(struct device *device)
{
	struct error err = {0};
	struct device_stream *stream;
	struct device_event *from, *to;
	double seconds = -1;
	int done = 0;

	CHECK_INT(device->ops->stream_create(device, &stream, &err), 0);
	CHECK_INT(device->ops->event_create(device, &from, &err), 0);
	CHECK_INT(device->ops->event_create(device, &to, &err), 0);
	CHECK_INT(device->ops->event_elapsed(device, from, to, &seconds, &err), -1);
	CHECK_INT(device->ops->event_record(device, from, stream, &err), 0);
	const struct timespec pause = {.tv_nsec = 5000000};
	nanosleep(&pause, NULL);
	CHECK_INT(device->ops->event_record(device, to, stream, &err), 0);
	CHECK_INT(device->ops->event_query(device, to, &done, &err), 0);
	CHECK_INT(done, 1);
	CHECK_INT(device->ops->event_synchronize(device, to, &err), 0);
	CHECK_INT(device->ops->event_elapsed(device, from, to, &seconds, &err), 0);
	CHECK(seconds >= 0.005 && seconds < 5);
	CHECK_INT(device->ops->stream_synchronize(device, stream, &err), 0);
	CHECK_INT(device->ops->event_destroy(device, from, &err), 0);
	CHECK_INT(device->ops->event_destroy(device, to, &err), 0);
	CHECK_INT(device->ops->stream_destroy(device, stream, &err), 0);
	CHECK_INT(device_synchronize(device, &err), 0);
}

#include "gemm_check.h"

static void names_select_devices(void)
{
	struct error err = {0};
	struct device *device = NULL;
	static const char *const wrong[] = {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "", "cpu:0", "cuda:99999999999999999999"};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		CHECK_INT(device_open(&device, wrong[i], NULL, &err), -1);
		CHECK_INT(err.kind, ERROR_USAGE);
		CHECK(device == NULL);
	}
	/* with or without a GPU: an ordinal that no machine has is an environment error that says why */
	CHECK_INT(device_open(&device, "cuda:4000", NULL, &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	char why[512] = "";
	const int count = device_cuda_count(why, sizeof why);
	CHECK((count == 0) == (why[0] != '\0'));
	CHECK_TEXT(device_default_id(), count ? "cuda:0" : "cpu");
	device_close(NULL);
}

static void errors_have_names(void)
{
	struct error err = {.kind = ERROR_DEVICE, .device_code = 700};
	CHECK_TEXT(device_error_name(700), "CUDA_ERROR_ILLEGAL_ADDRESS");
	CHECK(device_error_name(123456) != NULL);
	static const int sticky[] = {214, 700, 702, 710, 714, 715, 716, 717, 718, 719, 999};
	for (size_t i = 0; i < sizeof sticky / sizeof sticky[0]; i++) {
		err.device_code = sticky[i];
		CHECK(device_error_is_sticky(&err));
	}
	static const int passing[] = {0, 1, 2, 98, 200, 209, 222, 701, 720};
	for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
		err.device_code = passing[i];
		CHECK(!device_error_is_sticky(&err));
	}
	err = (struct error){.kind = ERROR_INPUT, .device_code = 700};
	CHECK(!device_error_is_sticky(&err));
	CHECK(!device_error_is_sticky(NULL));
}

static void nvml_without_a_gpu_is_an_error(void)
{
	struct error err = {0};
	struct nvml *nvml = NULL;
	CHECK_INT(nvml_open(&nvml, "GPU-00000000-0000-0000-0000-000000000000", &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	CHECK(nvml == NULL);
	nvml_close(NULL);
}

int main(void)
{
	struct error err = {0};
	struct device *device = NULL;

	CHECK_INT(device_open(&device, "cpu", NULL, &err), 0);
	if (!device)
		return check_result();
	CHECK_INT(device->properties.kind, DEVICE_CPU);
	CHECK_TEXT(device->properties.id, "cpu");
	CHECK(device->properties.name[0] != '\0' && device->properties.multiprocessors >= 1);
	CHECK_CONTAINS(device->properties.gemm_library, "OpenBLAS");
	memory_is_owned_and_filled(device);
	guarded_memory_ends_at_a_fault(device);
	what_cannot_run_is_refused(device);
	kernels_run(device);
	events_measure_time(device);
	check_gemm(device);
	faults_are_told(device); /* the device is of no use afterwards */
	device_close(device);
	names_select_devices();
	errors_have_names();
	nvml_without_a_gpu_is_an_error();
	return check_result();
}
