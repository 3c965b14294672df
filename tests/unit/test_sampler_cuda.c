/* The sampler on a real GPU: a kernel that spins for a number of cycles has a time that can be known in other ways. */
#include "check.h"
#include "core/util.h"
#include "measure/sampler.h"

#include <stdlib.h>

static const char kernels[] =
	".version 7.0\n.target sm_52\n.address_size 64\n"
	".visible .entry spin(.param .u64 cycles)\n{\n .reg .pred %p;\n .reg .b64 %rd<5>;\n"
	" ld.param.u64 %rd1, [cycles];\n mov.u64 %rd2, %clock64;\nagain:\n mov.u64 %rd3, %clock64;\n"
	" sub.u64 %rd4, %rd3, %rd2;\n setp.lt.u64 %p, %rd4, %rd1;\n @%p bra again;\n ret;\n}\n"
	/* reads `count` words of 4 bytes with 64 x 256 threads */
	".visible .entry sum(.param .u64 from, .param .u32 count)\n{\n .reg .pred %p;\n .reg .b32 %r<8>;\n .reg .b64 %rd<4>;\n"
	" ld.param.u64 %rd1, [from];\n ld.param.u32 %r1, [count];\n mov.u32 %r2, %ctaid.x;\n mov.u32 %r3, %tid.x;\n"
	" mad.lo.u32 %r4, %r2, 256, %r3;\n mov.u32 %r5, 0;\nmore:\n setp.ge.u32 %p, %r4, %r1;\n @%p bra done;\n"
	" mul.wide.u32 %rd2, %r4, 4;\n add.u64 %rd3, %rd1, %rd2;\n ld.global.u32 %r6, [%rd3];\n add.u32 %r5, %r5, %r6;\n"
	" add.u32 %r4, %r4, 16384;\n bra more;\ndone:\n setp.ne.u32 %p, %r5, 1;\n @%p bra out;\n st.global.u32 [%rd1], %r5;\n"
	"out:\n ret;\n}\n";

struct spin {
	struct device *device;
	struct device_function *function;
	struct device_stream *stream;
	uint64_t cycles;
	int synchronise, allocate;
};

static int enqueue_spin(void *context, int rotation, struct error *err)
{
	struct spin *spin = context;
	static const struct device_dim3 one = {1, 1, 1};
	device_pointer memory = 0;

	(void)rotation;
	if (spin->allocate && device_alloc(spin->device, 1 << 20, &memory, err) != 0)
		return -1;
	if (spin->device->ops->launch(spin->device, spin->function, one, one, 0, spin->stream, (void *[]){&spin->cycles}, err) != 0)
		return -1;
	if (spin->allocate)
		return spin->device->ops->free(spin->device, memory, err);
	return spin->synchronise ? spin->device->ops->stream_synchronize(spin->device, spin->stream, err) : 0;
}

struct reader {
	struct device *device;
	struct device_function *function;
	device_pointer memory;
	uint32_t words;
};

static int enqueue_reader(void *context, int rotation, struct error *err)
{
	struct reader *reader = context;
	device_pointer from = reader->memory + (device_pointer)rotation * reader->words * 4;
	return reader->device->ops->launch(reader->device, reader->function, (struct device_dim3){64, 1, 1},
					   (struct device_dim3){256, 1, 1}, 0, NULL, (void *[]){&from, &reader->words}, err);
}

static void print_result(const char *what, const struct sampler_result *result)
{
	printf("%-22s %9.2f us (%.2f to %.2f, +-%.2f %%), %zu samples, %s, %s; ungated %.2f, enqueue %.2f, empty %.2f, first %.0f us; "
	       "%zu clock readings, SM %u MHz\n",
	       what, result->statistics.median * 1e6, result->statistics.minimum * 1e6, result->statistics.maximum * 1e6,
	       result->statistics.relative_ci * 100, result->count, sampler_gate_name(result->gate), sampler_stop_name(result->stop),
	       result->ungated_seconds * 1e6, result->enqueue_seconds * 1e6, result->empty_seconds * 1e6,
	       result->first_call_seconds * 1e6, result->clock_count,
	       result->clock_count ? result->clocks[result->clock_count - 1].reading.sm_clock_mhz : 0);
}

/* 50 calls between two events: what other harnesses do. */
static double back_to_back(struct spin *spin)
{
	const struct device_ops *ops = spin->device->ops;
	struct device_event *from = NULL, *to = NULL;
	struct error err = {0};
	double seconds = 0;

	CHECK_INT(ops->event_create(spin->device, &from, &err), 0);
	CHECK_INT(ops->event_create(spin->device, &to, &err), 0);
	CHECK_INT(enqueue_spin(spin, 0, &err), 0);
	CHECK_INT(ops->event_record(spin->device, from, spin->stream, &err), 0);
	for (int i = 0; i < 50; i++)
		CHECK_INT(enqueue_spin(spin, 0, &err), 0);
	CHECK_INT(ops->event_record(spin->device, to, spin->stream, &err), 0);
	CHECK_INT(ops->event_synchronize(spin->device, to, &err), 0);
	CHECK_INT(ops->event_elapsed(spin->device, from, to, &seconds, &err), 0);
	CHECK_INT(ops->event_destroy(spin->device, from, &err), 0);
	CHECK_INT(ops->event_destroy(spin->device, to, &err), 0);
	return seconds / 50;
}

static void times_are_those_of_the_kernel(struct spin *spin, struct nvml *nvml)
{
	static const uint64_t cycles[] = {0, 2000, 20000, 400000, 2000000};
	struct sampler_options options = {.read_clocks = nvml ? sampler_read_nvml : NULL, .clocks_context = nvml};
	double slowest = 0;
	uint64_t most = 0;

	for (size_t i = 0; i < sizeof cycles / sizeof cycles[0]; i++) {
		struct sampler_result result;
		struct error err = {0};
		char what[32];
		spin->cycles = cycles[i];
		const struct sampler_work work = {.enqueue = enqueue_spin, .context = spin, .rotations = 1, .stream = spin->stream,
						  .operations = 1};
		CHECK_INT(sampler_run(spin->device, &work, &options, &result, &err), 0);
		snprintf(what, sizeof what, "%llu cycles", (unsigned long long)cycles[i]);
		print_result(what, &result);
		CHECK_INT(result.gate, SAMPLER_GATED);
		CHECK_INT(result.other_stream, 0);
		CHECK(result.statistics.relative_ci <= (cycles[i] < 20000 ? 0.05 : 0.01)); /* events tick in steps that show in the smallest */
		CHECK(result.statistics.median > slowest);
		CHECK(result.statistics.median < result.ungated_seconds * 1.02);
		CHECK(result.empty_seconds > 0 && result.empty_seconds < 10e-6);
		if (nvml)
			CHECK(result.clock_count >= 1);
		slowest = result.statistics.median;
		most = cycles[i];
		const double together = back_to_back(spin);
		printf("%-22s %9.2f us back to back\n", "", together * 1e6);
		if (result.statistics.median > 200e-6)
			CHECK_NEAR(result.statistics.median, together, 0.02 * together);
		sampler_result_free(&result);
	}
	printf("clock by the longest: %.0f MHz\n", (double)most / slowest * 1e-6);
}

static void blocking_calls_are_noticed(struct spin *spin)
{
	const struct sampler_work work = {.enqueue = enqueue_spin, .context = spin, .rotations = 1, .stream = spin->stream,
					  .operations = 1};
	struct sampler_result result;
	struct error err = {0};

	spin->cycles = 100000;
	spin->synchronise = 1;
	CHECK_INT(sampler_run(spin->device, &work, &(struct sampler_options){.max_seconds = 2}, &result, &err), 0);
	print_result("synchronises", &result);
	CHECK_INT(result.gate, SAMPLER_GATE_REFUSED);
	CHECK(result.statistics.count >= 20);
	sampler_result_free(&result);
	spin->synchronise = 0;
	spin->allocate = 1;
	CHECK_INT(sampler_run(spin->device, &work, &(struct sampler_options){.max_seconds = 2}, &result, &err), 0);
	print_result("allocates and frees", &result);
	CHECK(result.statistics.count >= 10);
	sampler_result_free(&result);
	spin->allocate = 0;
}

static void work_elsewhere_is_noticed(struct spin *spin)
{
	struct device_stream *other = NULL;
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(spin->device->ops->stream_create(spin->device, &other, &err), 0);
	const struct sampler_work work = {.enqueue = enqueue_spin, .context = spin, .rotations = 1, .stream = other, .operations = 1};
	spin->cycles = 4000000;
	CHECK_INT(sampler_run(spin->device, &work, &(struct sampler_options){.max_seconds = 0.5}, &result, &err), 0);
	print_result("on another stream", &result);
	CHECK_INT(result.other_stream, 1);
	sampler_result_free(&result);
	CHECK_INT(spin->device->ops->stream_destroy(spin->device, other, &err), 0);
}

/* 8 MiB from the L2, and from memory when the tensors take turns through more than twice the L2. */
static void cold_is_slower_than_hot(struct device *device, struct device_module *module)
{
	struct reader reader = {.device = device, .words = 2 << 20};
	struct sampler_result hot, cold;
	struct error err = {0};
	const int rotations = sampler_rotations((size_t)reader.words * 4, device->properties.l2_bytes, 1000);

	CHECK_INT(device->ops->module_function(device, module, "sum", &reader.function, &err), 0);
	CHECK_INT(device_alloc(device, (size_t)rotations * reader.words * 4, &reader.memory, &err), 0);
	CHECK_INT(device->ops->fill(device, reader.memory, 0x55, 1, (size_t)rotations * reader.words * 4, NULL, &err), 0);
	const struct sampler_work work = {.enqueue = enqueue_reader, .context = &reader, .rotations = rotations, .operations = 1};
	CHECK_INT(sampler_run(device, &work, &(struct sampler_options){0}, &hot, &err), 0);
	CHECK_INT(sampler_run(device, &work, &(struct sampler_options){.cold = 1}, &cold, &err), 0);
	print_result("8 MiB hot", &hot);
	print_result("8 MiB cold", &cold);
	printf("%d rotations\n", rotations);
	CHECK(cold.statistics.median > 1.1 * hot.statistics.median);
	sampler_result_free(&hot);
	sampler_result_free(&cold);
	device_free(device, reader.memory);
}

int main(void)
{
	char why[512];
	struct device *device = NULL;
	struct device_module *module = NULL;
	struct nvml *nvml = NULL;
	struct error err = {0};

	if (device_cuda_count(why, sizeof why) == 0)
		return check_skip(why);
	CHECK_INT(device_open(&device, "cuda:0", NULL, &err), 0);
	if (!device) {
		fprintf(stderr, "%s\n", err.message);
		return check_result();
	}
	if (nvml_open(&nvml, device->properties.uuid, &err) != 0)
		printf("clock readings are not tested: %s\n", err.message);
	struct spin spin = {.device = device};
	CHECK_INT(device->ops->module_load(device, kernels, &module, &err), 0);
	CHECK_INT(device->ops->module_function(device, module, "spin", &spin.function, &err), 0);
	if (spin.function) {
		times_are_those_of_the_kernel(&spin, nvml);
		blocking_calls_are_noticed(&spin);
		work_elsewhere_is_noticed(&spin);
		cold_is_slower_than_hot(device, module);
	}
	nvml_close(nvml);
	device_close(device);
	return check_result();
}
