/* The cuda device on a real GPU. What breaks a context happens in child processes of this same program. */
#include "check.h"
#include "core/util.h"
#include "device/device.h"
#include "device/nvml.h"
#include "gemm_check.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* Written by hand for the lowest common ground: PTX ISA 7.0, any GPU. */
static const char kernels[] =
	"// kernels of a test\n"
	".version 7.0\n.target sm_52\n.address_size 64\n"
	".visible .global .align 4 .u32 counter;\n"
	".visible .entry scale(.param .u64 out, .param .u64 in, .param .f32 factor, .param .u32 count)\n{\n"
	" .reg .pred %p;\n .reg .b32 %r<6>;\n .reg .b64 %rd<6>;\n .reg .f32 %f<4>;\n"
	" ld.param.u64 %rd1, [out];\n ld.param.u64 %rd2, [in];\n ld.param.f32 %f1, [factor];\n"
	" ld.param.u32 %r1, [count];\n mov.u32 %r2, %ctaid.x;\n mov.u32 %r3, %ntid.x;\n mov.u32 %r4, %tid.x;\n"
	" mad.lo.u32 %r5, %r2, %r3, %r4;\n setp.ge.u32 %p, %r5, %r1;\n @%p bra done;\n"
	" mul.wide.u32 %rd3, %r5, 4;\n add.u64 %rd4, %rd2, %rd3;\n add.u64 %rd5, %rd1, %rd3;\n"
	" ld.global.f32 %f2, [%rd4];\n mul.f32 %f3, %f1, %f2;\n st.global.f32 [%rd5], %f3;\n"
	" atom.global.add.u32 %r2, [counter], 1;\ndone:\n ret;\n}\n"
	".visible .entry spin(.param .u64 cycles)\n{\n .reg .pred %p;\n .reg .b64 %rd<5>;\n"
	" ld.param.u64 %rd1, [cycles];\n mov.u64 %rd2, %clock64;\nagain:\n mov.u64 %rd3, %clock64;\n"
	" sub.u64 %rd4, %rd3, %rd2;\n setp.lt.u64 %p, %rd4, %rd1;\n @%p bra again;\n ret;\n}\n"
	".visible .entry poke(.param .u64 address)\n{\n .reg .b64 %rd<2>;\n .reg .b32 %r<2>;\n"
	" ld.param.u64 %rd1, [address];\n ld.global.u8 %r1, [%rd1];\n st.global.u8 [%rd1], %r1;\n ret;\n}\n"
	".visible .entry fall()\n{\n trap;\n}\n";

static const struct device_dim3 one = {1, 1, 1};

static void show(const char *what, const struct error *err)
{
	if (err->kind)
		fprintf(stderr, "  %s: kind %d, code %d: %s\n", what, (int)err->kind, err->device_code, err->message);
}

static int open_with_kernels(struct device **device, struct device_module **module)
{
	struct error err = {0};
	*device = NULL;
	if (device_open(device, "cuda:0", NULL, &err) != 0 ||
	    (*device)->ops->module_load(*device, kernels, module, &err) != 0) {
		show("open", &err);
		return -1;
	}
	return 0;
}

static int launch_by_name(struct device *device, struct device_module *module, const char *name, void **arguments,
			  struct device_stream *stream, struct error *err)
{
	struct device_function *function;
	if (device->ops->module_function(device, module, name, &function, err) != 0)
		return -1;
	return device->ops->launch(device, function, one, one, 0, stream, arguments, err);
}

static void sleep_seconds(double seconds)
{
	const struct timespec pause = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	nanosleep(&pause, NULL);
}

/* ---- child processes ---- */

enum { CHILD_CLEAN = 0, CHILD_STICKY = 10, CHILD_OTHER_FAILURE = 11, CHILD_BROKEN = 12 };

static int verdict_of(struct device *device, struct error *err)
{
	if (device_synchronize(device, err) == 0)
		return CHILD_CLEAN;
	printf("child: %s\n", err->message);
	if (!device_error_is_sticky(err))
		return CHILD_OTHER_FAILURE;
	/* sticky: everything after it fails as well, and says the same */
	struct error later = {0};
	device_pointer memory = 0;
	if (device_alloc(device, 16, &memory, &later) == 0 || !device_error_is_sticky(&later))
		return CHILD_BROKEN;
	return CHILD_STICKY;
}

static int child_guarded(size_t bytes, long offset)
{
	struct device *device;
	struct device_module *module;
	struct device_guarded memory = {0};
	struct error err = {0};
	int verdict = CHILD_BROKEN;

	if (open_with_kernels(&device, &module) != 0)
		return verdict;
	if (device->ops->alloc_guarded(device, bytes, &memory, &err) == 0) {
		device_pointer address = memory.pointer + (device_pointer)offset;
		if (launch_by_name(device, module, "poke", (void *[]){&address}, NULL, &err) == 0)
			verdict = verdict_of(device, &err);
	}
	show("child", &err);
	device_close(device);
	return verdict;
}

static int child_trap(void)
{
	struct device *device;
	struct device_module *module;
	struct error err = {0};
	int verdict = CHILD_BROKEN;

	if (open_with_kernels(&device, &module) != 0)
		return verdict;
	if (launch_by_name(device, module, "fall", NULL, NULL, &err) == 0)
		verdict = verdict_of(device, &err);
	/* a matrix product after it names the cause, not cuBLAS' complaint about it */
	struct device_gemm gemm = {.m = 1, .n = 1, .k = 1, .batch = 1, .alpha = 1, .a = 16, .b = 16, .c = 16, .lda = 1, .ldb = 1,
				   .ldc = 1, .input = DTYPE_F32, .output = DTYPE_F32};
	if (device->ops->gemm(device, &gemm, NULL, &err) == 0 || !device_error_is_sticky(&err))
		verdict = CHILD_BROKEN;
	printf("child: gemm afterwards: %s\n", err.message);
	device_close(device);
	return verdict;
}

/* Closing a device whose stream waits at a gate that nobody opens must not hang. */
static int child_closes_behind_gate(void)
{
	struct device *device;
	struct device_module *module;
	struct error err = {0};
	uint64_t cycles = 1000;

	if (open_with_kernels(&device, &module) != 0)
		return CHILD_BROKEN;
	if (device->ops->stream_wait_value(device, NULL, 1, &err) != 0 ||
	    launch_by_name(device, module, "spin", (void *[]){&cycles}, NULL, &err) != 0)
		return CHILD_BROKEN;
	device_close(device);
	return CHILD_CLEAN;
}

static int run_child(const char *a, const char *b, const char *c)
{
	char *const argv[] = {(char *)(uintptr_t)"test", (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c, NULL};
	const double deadline = monotonic_seconds() + 60;
	int status = 0;
	pid_t child;

	if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ) != 0)
		return -1;
	for (;;) {
		const pid_t ended = waitpid(child, &status, WNOHANG);
		if (ended == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		if (monotonic_seconds() > deadline) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return -2;
		}
		sleep_seconds(0.01);
	}
}

static void broken_contexts_are_told(void)
{
	CHECK_INT(run_child("guarded", "100", "99"), CHILD_CLEAN);
	CHECK_INT(run_child("guarded", "100", "0"), CHILD_CLEAN);
	CHECK_INT(run_child("guarded", "100", "112"), CHILD_STICKY);
	CHECK_INT(run_child("guarded", "4194304", "4194303"), CHILD_CLEAN);
	CHECK_INT(run_child("guarded", "4194304", "4194304"), CHILD_STICKY);
	CHECK_INT(run_child("guarded", "4194304", "-1"), CHILD_STICKY); /* whole granules: the start touches one too */
	CHECK_INT(run_child("guarded", "0", "0"), CHILD_STICKY);
	CHECK_INT(run_child("trap", NULL, NULL), CHILD_STICKY);
	CHECK_INT(run_child("gate", NULL, NULL), CHILD_CLEAN);
}

/* ---- in this process ---- */

static void memory_is_copied_and_filled(struct device *device)
{
	struct error err = {0};
	device_pointer a = 0, b = 0, empty = 0, none = 0;
	unsigned char bytes[64];
	size_t free_before = 0, free_after = 0, total = 0;

	CHECK_INT(device_alloc(device, sizeof bytes, &a, &err), 0);
	CHECK_INT(device_alloc(device, sizeof bytes, &b, &err), 0);
	CHECK_INT(device_alloc(device, 0, &empty, &err), 0);
	CHECK(a && b && empty && a != b && a % 256 == 0);
	CHECK_INT(device->ops->fill(device, a, 0x11, 1, 64, NULL, &err), 0);
	CHECK_INT(device->ops->fill(device, a + 2, 0xabcd7e00, 2, 3, NULL, &err), 0);
	CHECK_INT(device->ops->fill(device, a + 16, 0x7fc00001, 4, 2, NULL, &err), 0);
	CHECK_INT(device->ops->copy(device, b, a, 64, NULL, &err), 0);
	CHECK_INT(device->ops->copy_out(device, bytes, b, 64, NULL, &err), 0);
	static const unsigned char expected[24] = {0x11, 0x11, 0x00, 0x7e, 0x00, 0x7e, 0x00, 0x7e, 0x11, 0x11, 0x11, 0x11,
						   0x11, 0x11, 0x11, 0x11, 0x01, 0x00, 0xc0, 0x7f, 0x01, 0x00, 0xc0, 0x7f};
	CHECK(memcmp(bytes, expected, sizeof expected) == 0);
	CHECK_INT(bytes[24], 0x11);
	CHECK_INT(bytes[63], 0x11);
	CHECK_INT(device->ops->fill(device, a + 1, 0, 4, 1, NULL, &err), -1);
	CHECK_INT(device->ops->copy_in(device, a, NULL, 0, NULL, &err), 0);
	CHECK_INT(device->ops->free(device, empty, &err), 0);
	CHECK_INT(device->ops->free(device, 0, &err), 0);

	CHECK_INT(device_alloc(device, (size_t)1 << 60, &none, &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	CHECK_CONTAINS(err.message, "out of memory");
	show("expected", &err);
	struct device_guarded guarded = {0};
	CHECK_INT(device->ops->alloc_guarded(device, SIZE_MAX - 20, &guarded, &err), -1);
	CHECK_INT(device->ops->alloc_guarded(device, device->properties.memory_bytes * 2, &guarded, &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	show("expected", &err);

	/* guarded memory gives back what it took */
	CHECK_INT(device->ops->memory_info(device, &free_before, &total, &err), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(device->ops->alloc_guarded(device, 100 << 20, &guarded, &err), 0);
		CHECK_INT(guarded.pointer % 16, 0);
		CHECK_INT(device->ops->fill(device, guarded.pointer, 5, 1, 100 << 20, NULL, &err), 0);
		CHECK_INT(device->ops->copy_out(device, bytes, guarded.pointer + (100 << 20) - 64, 64, NULL, &err), 0);
		CHECK_INT(bytes[63], 5);
		CHECK_INT(device->ops->free_guarded(device, &guarded, &err), 0);
	}
	CHECK_INT(device->ops->memory_info(device, &free_after, &total, &err), 0);
	CHECK(free_after + (64 << 20) > free_before && total > 0);
	device_free(device, a);
	device_free(device, b);
}

static void modules_load_and_launch(struct device *device, struct device_module *module)
{
	enum { COUNT = 1000 };
	struct error err = {0};
	struct device_function *scale = NULL, *missing = NULL;
	device_pointer in = 0, out = 0, counter = 0;
	float values[COUNT], results[COUNT];
	size_t counter_bytes = 0;
	uint32_t counted = 0, count = COUNT;
	float factor = 0.75f;
	int value = 0, blocks = 0;

	CHECK_INT(device->ops->module_function(device, module, "scale", &scale, &err), 0);
	CHECK_INT(device->ops->module_function(device, module, "nothing", &missing, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_INT(err.device_code, 500);
	CHECK(missing == NULL);
	show("expected", &err);
	CHECK_INT(device->ops->module_global(device, module, "nothing", &counter, &counter_bytes, &err), -1);
	CHECK_INT(device->ops->module_global(device, module, "counter", &counter, &counter_bytes, &err), 0);
	CHECK_INT(counter_bytes, 4);
	CHECK_INT(device_alloc(device, sizeof values, &in, &err), 0);
	CHECK_INT(device_alloc(device, sizeof results, &out, &err), 0);
	for (int i = 0; i < COUNT; i++)
		values[i] = (float)i * 0.37f;
	CHECK_INT(device->ops->copy_in(device, in, values, sizeof values, NULL, &err), 0);
	CHECK_INT(device->ops->launch(device, scale, (struct device_dim3){8, 1, 1}, (struct device_dim3){128, 1, 1}, 0, NULL,
				      (void *[]){&out, &in, &factor, &count}, &err),
		  0);
	CHECK_INT(device->ops->copy_out(device, results, out, sizeof results, NULL, &err), 0);
	CHECK_INT(device->ops->copy_out(device, &counted, counter, sizeof counted, NULL, &err), 0);
	int wrong = 0;
	for (int i = 0; i < COUNT; i++)
		wrong += !(results[i] == values[i] * factor);
	CHECK_INT(wrong, 0);
	CHECK_INT(counted, COUNT);

	CHECK_INT(device->ops->function_get(device, scale, DEVICE_FUNCTION_REGISTERS, &value, &err), 0);
	CHECK(value > 0 && value < 256);
	CHECK_INT(device->ops->function_get(device, scale, DEVICE_FUNCTION_PTX_VERSION, &value, &err), 0);
	CHECK_INT(value, 52);
	CHECK_INT(device->ops->function_get(device, scale, DEVICE_FUNCTION_BINARY_VERSION, &value, &err), 0);
	CHECK_INT(value, 10 * device->properties.cc_major + device->properties.cc_minor);
	CHECK_INT(device->ops->function_set(device, scale, DEVICE_FUNCTION_MAX_DYNAMIC_SHARED, 48 << 10, &err), 0);
	CHECK_INT(device->ops->function_set(device, scale, DEVICE_FUNCTION_MAX_DYNAMIC_SHARED, 1 << 30, &err), -1);
	show("expected", &err);
	CHECK_INT(device->ops->function_occupancy(device, scale, 128, 0, &blocks, &err), 0);
	CHECK(blocks >= 1);
	CHECK_INT(device->ops->attribute(device, 16, &value, &err), 0);
	CHECK_INT(value, device->properties.multiprocessors);

	/* a launch that cannot be is refused, and hurts nothing */
	CHECK_INT(device->ops->launch(device, scale, one, (struct device_dim3){4096, 1, 1}, 0, NULL,
				      (void *[]){&out, &in, &factor, &count}, &err),
		  -1);
	CHECK_INT(err.kind, ERROR_DEVICE);
	CHECK_CONTAINS(err.message, "block 4096x1x1");
	CHECK(!device_error_is_sticky(&err));
	show("expected", &err);
	err = (struct error){0};
	CHECK_INT(device_synchronize(device, &err), 0);
	device_free(device, in);
	device_free(device, out);
}

static void bad_modules_are_explained(struct device *device)
{
	static const struct {
		const char *text, *says;
		enum error_kind kind;
		int code;
	} bad[] = {
		{"// newer\n.version 99.0\n.target sm_52\n.address_size 64\n", "is newer than this driver", ERROR_UNSUPPORTED, 222},
		{".version 7.0\n.target sm_52\n.address_size 64\n.visible .entry k()\n{\n frobnicate.u32 %r1;\n}\n", "its log:",
		 ERROR_DEVICE, 218},
		{"this is no module at all, but some text that goes on for a while", NULL, ERROR_DEVICE, 0},
	};
	struct device_module *module;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct error err = {0};
		CHECK_INT(device->ops->module_load(device, bad[i].text, &module, &err), -1);
		CHECK_INT(err.kind, bad[i].kind);
		if (bad[i].code)
			CHECK_INT(err.device_code, bad[i].code);
		if (bad[i].says)
			CHECK_CONTAINS(err.message, bad[i].says);
		CHECK(module == NULL && !device_error_is_sticky(&err));
		show("expected", &err);
	}
}

/* The stream stands still until the flag is written, and the time between events leaves the wait out. */
static void gate_holds(struct device *device, struct device_module *module, struct device_stream *stream, uint32_t ticket,
		       const char *which)
{
	volatile uint32_t *flag = device->ops->gate_flag(device);
	struct device_event *from = NULL, *to = NULL;
	struct error err = {0};
	uint64_t cycles = 200000;
	double seconds = -1;
	int done = -1;

	CHECK(flag != NULL);
	if (!flag)
		return;
	CHECK_INT(device->ops->event_create(device, &from, &err), 0);
	CHECK_INT(device->ops->event_create(device, &to, &err), 0);
	CHECK_INT(device->ops->stream_wait_value(device, stream, ticket, &err), 0);
	CHECK_INT(device->ops->event_record(device, from, stream, &err), 0);
	CHECK_INT(launch_by_name(device, module, "spin", (void *[]){&cycles}, stream, &err), 0);
	CHECK_INT(device->ops->event_record(device, to, stream, &err), 0);
	sleep_seconds(0.05);
	CHECK_INT(device->ops->event_query(device, from, &done, &err), 0);
	CHECK_INT(done, 0);
	CHECK_INT(device->ops->event_elapsed(device, from, to, &seconds, &err), -1); /* not ready: an error, no number */
	__atomic_store_n(flag, ticket, __ATOMIC_SEQ_CST);
	CHECK_INT(device->ops->event_synchronize(device, to, &err), 0);
	CHECK_INT(device->ops->event_query(device, to, &done, &err), 0);
	CHECK_INT(done, 1);
	CHECK_INT(device->ops->event_elapsed(device, from, to, &seconds, &err), 0);
	/* 200,000 cycles at 0.2 to 4 GHz; the 50 ms at the gate are not in it */
	CHECK(seconds >= 50e-6 && seconds < 1e-3);
	printf("gate on %s: %.1f us for %llu cycles\n", which, seconds * 1e6, (unsigned long long)cycles);

	/* a flag that is already past the ticket lets through (the wait is >=, so that a late one cannot hang) */
	CHECK_INT(device->ops->stream_wait_value(device, stream, ticket - 1, &err), 0);
	CHECK_INT(device->ops->stream_synchronize(device, stream, &err), 0);
	show("gate", &err);
	CHECK_INT(device->ops->event_destroy(device, from, &err), 0);
	CHECK_INT(device->ops->event_destroy(device, to, &err), 0);
}

/* The legacy default stream and the device's own wait for each other, which --cudart real relies on. */
static void legacy_stream_is_ordered(struct device *device, struct device_module *module)
{
	struct error err = {0};
	struct device_event *event = NULL;
	uint64_t cycles = 100000000;
	int done = -1;

	CHECK_INT(device->ops->event_create(device, &event, &err), 0);
	CHECK_INT(launch_by_name(device, module, "spin", (void *[]){&cycles}, NULL, &err), 0);
	CHECK_INT(device->ops->event_record(device, event, DEVICE_STREAM_LEGACY, &err), 0);
	CHECK_INT(device->ops->event_query(device, event, &done, &err), 0);
	CHECK_INT(done, 0);
	CHECK_INT(device->ops->stream_synchronize(device, DEVICE_STREAM_LEGACY, &err), 0);
	CHECK_INT(device->ops->event_query(device, event, &done, &err), 0);
	CHECK_INT(done, 1);
	CHECK_INT(device->ops->event_destroy(device, event, &err), 0);
}

static void clocks_are_read(const struct device *device)
{
	struct error err = {0};
	struct nvml *nvml = NULL;
	struct nvml_reading reading = {0};

	if (nvml_open(&nvml, device->properties.uuid, &err) != 0) {
		printf("NVML: not checked: %s\n", err.message);
		return;
	}
	CHECK_INT(nvml_read(nvml, &reading, &err), 0);
	CHECK(reading.sm_clock_mhz > 0 && reading.sm_clock_mhz < 10000);
	const double start = monotonic_seconds();
	for (int i = 0; i < 10; i++)
		CHECK_INT(nvml_read(nvml, &reading, &err), 0);
	printf("NVML: SM %u MHz, memory %u MHz, %.1f W, %u C, throttle %#llx, driver %s; %.2f ms a reading\n",
	       reading.sm_clock_mhz, reading.memory_clock_mhz, reading.power_milliwatts / 1e3, reading.temperature_celsius,
	       (unsigned long long)reading.throttle_reasons, device->properties.driver_text,
	       (monotonic_seconds() - start) * 100);
	nvml_close(nvml);
}

static void products_run_at_full_speed(struct device *device)
{
	static const enum dtype types[] = {DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16};
	enum { SIZE = 4096 };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct device_gemm gemm = {.m = SIZE, .n = SIZE, .k = SIZE, .batch = 1, .alpha = 1, .lda = SIZE, .ldb = SIZE,
					   .ldc = SIZE, .transpose_b = 1, .input = types[i], .output = types[i]};
		const size_t bytes = (size_t)SIZE * SIZE * dtype_size(types[i]);
		struct device_event *from = NULL, *to = NULL;
		struct error err = {0};
		double seconds = 0;
		CHECK_INT(device_alloc(device, bytes, &gemm.a, &err), 0);
		CHECK_INT(device_alloc(device, bytes, &gemm.b, &err), 0);
		CHECK_INT(device_alloc(device, bytes, &gemm.c, &err), 0);
		CHECK_INT(device->ops->fill(device, gemm.a, 0x3c, 1, bytes, NULL, &err), 0);
		CHECK_INT(device->ops->fill(device, gemm.b, 0x3c, 1, bytes, NULL, &err), 0);
		CHECK_INT(device->ops->event_create(device, &from, &err), 0);
		CHECK_INT(device->ops->event_create(device, &to, &err), 0);
		CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), 0);
		CHECK_INT(device->ops->event_record(device, from, NULL, &err), 0);
		for (int repeat = 0; repeat < 5; repeat++)
			CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), 0);
		CHECK_INT(device->ops->event_record(device, to, NULL, &err), 0);
		CHECK_INT(device->ops->event_synchronize(device, to, &err), 0);
		CHECK_INT(device->ops->event_elapsed(device, from, to, &seconds, &err), 0);
		CHECK(seconds > 0);
		printf("product %d^3 of %s: %.2f TFLOP/s\n", SIZE, dtype_name(types[i]), 10.0 * SIZE * SIZE * SIZE / seconds * 1e-12);
		CHECK_INT(device->ops->event_destroy(device, from, &err), 0);
		CHECK_INT(device->ops->event_destroy(device, to, &err), 0);
		device_free(device, gemm.a);
		device_free(device, gemm.b);
		device_free(device, gemm.c);
	}
}

int main(int argc, char **argv)
{
	char why[512];
	struct device *device = NULL, *second = NULL;
	struct device_module *module = NULL;
	struct device_stream *stream = NULL;
	struct error err = {0};

	if (argc > 1 && strcmp(argv[1], "trap") == 0)
		return child_trap();
	if (argc > 1 && strcmp(argv[1], "gate") == 0)
		return child_closes_behind_gate();
	if (argc > 3 && strcmp(argv[1], "guarded") == 0)
		return child_guarded((size_t)strtoull(argv[2], NULL, 10), strtol(argv[3], NULL, 10));

	if (device_cuda_count(why, sizeof why) == 0)
		return check_skip(why);
	if (open_with_kernels(&device, &module) != 0) {
		CHECK(device && module);
		return check_result();
	}
	const struct device_properties *properties = &device->properties;
	printf("%s: %s, %s, compute capability %d.%d, %d multiprocessors, L2 %zu, memory %zu, shared %zu, CUDA %d, driver %s, "
	       "slow f64 %d\n",
	       properties->id, properties->name, properties->uuid, properties->cc_major, properties->cc_minor,
	       properties->multiprocessors, properties->l2_bytes, properties->memory_bytes,
	       properties->shared_per_block_optin, properties->driver_version, properties->driver_text, properties->slow_f64);
	CHECK_TEXT(properties->id, "cuda:0");
	CHECK(properties->cc_major >= 5 && properties->multiprocessors > 0 && properties->l2_bytes > 0 &&
	      properties->memory_bytes > 0 && properties->shared_per_block_optin >= 48 << 10);
	CHECK_INT(strlen(properties->uuid), 40);
	CHECK_TEXT(device_default_id(), "cuda:0");

	memory_is_copied_and_filled(device);
	modules_load_and_launch(device, module);
	bad_modules_are_explained(device);
	gate_holds(device, module, NULL, 5, "the device's own stream");
	CHECK_INT(device->ops->stream_create(device, &stream, &err), 0);
	gate_holds(device, module, stream, 7, "a created stream");
	gate_holds(device, module, DEVICE_STREAM_LEGACY, 9, "the legacy default stream");
	CHECK_INT(device->ops->stream_destroy(device, stream, &err), 0);
	legacy_stream_is_ordered(device, module);
	clocks_are_read(device);
	check_gemm(device);
	printf("products by %s\n", properties->gemm_library);
	CHECK_CONTAINS(properties->gemm_library, "cuBLAS");
	products_run_at_full_speed(device);

	/* a second device over the same context, and a cuBLAS that is none */
	CHECK_INT(device_open(&second, "cuda", &(struct device_options){.cublas_path = "/dev/null"}, &err), 0);
	if (second) {
		device_pointer memory = 0;
		CHECK_INT(device_alloc(second, 64, &memory, &err), 0);
		struct device_gemm gemm = {.m = 1, .n = 1, .k = 1, .batch = 1, .alpha = 1, .a = memory, .b = memory,
					   .c = memory + 32, .lda = 1, .ldb = 1, .ldc = 1, .input = DTYPE_F32, .output = DTYPE_F32};
		CHECK_INT(second->ops->gemm(second, &gemm, NULL, &err), -1);
		CHECK_INT(err.kind, ERROR_ENVIRONMENT);
		CHECK_CONTAINS(err.message, "/dev/null");
		show("expected", &err);
		device_free(second, memory);
		device_close(second);
	}
	err = (struct error){0};
	CHECK_INT(device_synchronize(device, &err), 0);
	CHECK_INT(device->ops->module_unload(device, module, &err), 0);
	show("end", &err);
	device_close(device);
	broken_contexts_are_told();
	return check_result();
}
