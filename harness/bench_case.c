#include "bench_case.h"

#include "core/util.h"
#include "dataset/generate.h"
#include "device/nvml.h"
#include "measure/sampler.h"

#include <stdlib.h>
#include <string.h>

struct bencher {
	struct device *device;
	struct nvml *nvml; /* NULL where it is not to be had */
	double seconds, target;
	int baseline;
};

/* Hot samples of a matrix product of 8192 x 8192 x 8192, random data, float32 accumulation: 1.1 TFLOP, large enough that
 * every card with tensor cores is at its power or clock limit rather than at the product's edges; cards with less than
 * 16 GiB take 4096. */
enum { GEMM_SIDE = 8192, GEMM_SIDE_SMALL = 4096 };

struct product {
	struct device *device;
	struct device_gemm gemm;
};

static int enqueue_product(void *context, int rotation, struct error *err)
{
	struct product *product = context;
	(void)rotation;
	return product->device->ops->gemm(product->device, &product->gemm, NULL, err);
}

static int measure_product(struct bencher *bencher, enum dtype dtype, double *flops, struct error *err)
{
	struct device *device = bencher->device;
	const int64_t side = device->properties.memory_bytes < (size_t)16 << 30 ? GEMM_SIDE_SMALL : GEMM_SIDE;
	const size_t bytes = (size_t)side * (size_t)side * dtype_size(dtype);
	/* one row of random numbers, shifted from row to row on the device, is random enough for power and cheap to make */
	const int64_t seed_count = 1 << 20;
	device_pointer memory = 0;
	void *seed = malloc((size_t)seed_count * dtype_size(dtype));
	struct sampler_result samples = {0};
	int result = -1;
	if (!seed) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (generate_array(seed, dtype, seed_count, seed_count, "normal", 1.0, 1, 1, err) || device_alloc(device, 3 * bytes, &memory, err))
		goto done;
	const size_t part = (size_t)seed_count * dtype_size(dtype);
	for (size_t at = 0; at < 2 * bytes; at += part)
		if (device->ops->copy_in(device, memory + at, seed, part, NULL, err))
			goto done;
	struct product product = {.device = device,
				  .gemm = {.m = side, .n = side, .k = side, .batch = 1, .alpha = 1.0, .a = memory, .b = memory + bytes,
					   .c = memory + 2 * bytes, .lda = side, .ldb = side, .ldc = side, .input = dtype, .output = dtype}};
	const struct sampler_work work = {.enqueue = enqueue_product, .context = &product, .rotations = 1, .operations = 2};
	const struct sampler_options options = {.max_seconds = 0.4};
	if (sampler_run(device, &work, &options, &samples, err))
		goto done;
	*flops = 2.0 * (double)side * (double)side * (double)side / samples.statistics.median;
	result = 0;
done:
	sampler_result_free(&samples);
	device_free(device, memory);
	free(seed);
	return result;
}

int bencher_open(struct bencher **out, struct device *device, const struct worker_setup *setup, struct worker_ready *ready,
		 struct error *err)
{
	struct bencher *bencher = calloc(1, sizeof *bencher);
	if (!bencher)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	*bencher = (struct bencher){.device = device, .seconds = setup->bench_seconds, .target = setup->bench_target, .baseline = setup->baseline};
	*out = bencher;
	if (device->properties.kind != DEVICE_CUDA)
		return 0; /* a throughput of the cpu device would say nothing about the artifact */
	if (nvml_open(&bencher->nvml, device->properties.uuid, NULL))
		bencher->nvml = NULL; /* figures then stand without clocks, as their absence shows */
	if (measure_product(bencher, DTYPE_F16, &ready->matrix_product_flops, err) ||
	    measure_product(bencher, DTYPE_BF16, &ready->matrix_product_flops_bf16, err)) {
		bencher_close(bencher);
		*out = NULL;
		return error_context(err, "measuring the matrix-product rate");
	}
	return 0;
}

void bencher_close(struct bencher *bencher)
{
	if (!bencher)
		return;
	nvml_close(bencher->nvml);
	free(bencher);
}

struct calls { /* context of the sampler's callbacks */
	const struct family *family;
	const struct binding *bindings;
	void *baseline;
	struct device_stream *stream;
};

static int enqueue_call(void *context, int rotation, struct error *err)
{
	const struct calls *calls = context;
	(void)err;
	calls->family->call(&calls->bindings[rotation]);
	return 0;
}

static int enqueue_baseline(void *context, int rotation, struct error *err)
{
	const struct calls *calls = context;
	(void)rotation;
	return calls->family->baseline_enqueue(calls->baseline, calls->stream, err);
}

/* Keeps what the record keeps of a sampler's result; takes over the raw samples. */
static void take_timing(struct timing_record *timing, struct sampler_result *samples)
{
	const struct statistics *statistics = &samples->statistics;
	*timing = (struct timing_record){
		.measured = !samples->other_stream,
		.median = statistics->median,
		.low = statistics->median_low,
		.high = statistics->median_high,
		.confidence = statistics->coverage,
		.minimum = statistics->minimum,
		.maximum = statistics->maximum,
		.samples = (int64_t)samples->count,
		.converged = samples->stop == SAMPLER_STOP_PRECISE,
		.raw = samples->seconds,
	};
	for (size_t i = 0; i < samples->count; i++)
		timing->gate_opened_early += samples->gate == SAMPLER_GATE_REFUSED || (samples->flags[i] & SAMPLE_GATE_OPENED_EARLY) != 0;
	samples->seconds = NULL;
}

static int take_clocks(struct case_record *record, const struct sampler_result *samples, struct error *err)
{
	if (!samples->clock_count)
		return 0;
	struct clock_reading *clocks = realloc(record->clocks, ((size_t)record->clock_count + samples->clock_count) * sizeof *clocks);
	if (!clocks)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	record->clocks = clocks;
	for (size_t i = 0; i < samples->clock_count; i++) {
		const struct nvml_reading *reading = &samples->clocks[i].reading;
		clocks[record->clock_count++] = (struct clock_reading){
			.at = samples->count ? samples->elapsed_seconds * (double)samples->clocks[i].sample / (double)samples->count : 0,
			.sm_clock_mhz = reading->sm_clock_mhz,
			.memory_clock_mhz = reading->memory_clock_mhz,
			.power_milliwatts = reading->power_milliwatts,
			.temperature_celsius = reading->temperature_celsius,
			.throttle_reasons = reading->throttle_reasons,
		};
	}
	return 0;
}

/* Under sustained load a card's clocks settle below those of the first tens of milliseconds. Where there is time for it, the
 * samples are taken after that. */
#define SETTLING_SECONDS 0.5

static struct sampler_options options_of(const struct bencher *bencher, int cold)
{
	return (struct sampler_options){
		.cold = cold,
		.target_relative_ci = bencher->target,
		.max_seconds = bencher->seconds,
		.warmup_seconds = bencher->seconds >= 4 * SETTLING_SECONDS ? SETTLING_SECONDS : 0,
		.read_clocks = bencher->nvml ? sampler_read_nvml : NULL,
		.clocks_context = bencher->nvml,
	};
}

static int time_hot(struct bencher *bencher, const struct family *family, const struct binding *binding,
		    struct case_record *record, struct error *err)
{
	struct calls calls = {.family = family, .bindings = binding};
	const struct sampler_work work = {.enqueue = enqueue_call, .context = &calls, .rotations = 1, .operations = (int)record->launch_count + 1};
	const struct sampler_options options = options_of(bencher, 0);
	struct sampler_result samples = {0};
	if (sampler_run(bencher->device, &work, &options, &samples, err))
		return -1;
	if (samples.other_stream)
		snprintf(record->note, sizeof record->note, "not timed: the work runs on another stream than the default one");
	take_timing(&record->hot, &samples);
	record->enqueue_seconds = samples.enqueue_seconds;
	record->ungated_seconds = samples.ungated_seconds;
	record->event_overhead_seconds = samples.empty_seconds;
	const int result = take_clocks(record, &samples, err);
	sampler_result_free(&samples);
	return result;
}

/* Cold sets may take an eighth of the memory; where two do not fit, there is no cold figure. */
static int time_cold(struct bencher *bencher, struct buffers *buffers, const struct family *family,
		     const struct binding *binding, struct case_record *record, struct error *err)
{
	struct rotation rotation;
	struct error problem = {0};
	struct sampler_result samples = {0};
	const struct device_properties *properties = &bencher->device->properties;
	if (buffers_rotate(buffers, binding, 2 * properties->l2_bytes, properties->memory_bytes / 8, &rotation, &problem)) {
		if (device_error_is_sticky(&problem)) {
			*err = problem;
			return -1;
		}
		return 0;
	}
	struct calls calls = {.family = family, .bindings = rotation.bindings};
	const struct sampler_work work = {
		.enqueue = enqueue_call, .context = &calls, .rotations = rotation.count, .operations = (int)record->launch_count + 1};
	const struct sampler_options options = options_of(bencher, 1);
	const int result = sampler_run(bencher->device, &work, &options, &samples, err);
	if (result == 0)
		take_timing(&record->cold, &samples);
	sampler_result_free(&samples);
	buffers_rotation_free(buffers, &rotation);
	return result;
}

static int time_baseline(struct bencher *bencher, const struct family *family, void *family_state,
			 const struct binding *binding, struct case_record *record, struct error *err)
{
	struct error problem = {0};
	struct calls calls = {.family = family, .stream = bencher->device->stream};
	struct sampler_result samples = {0};
	if (!family->baseline_open || family->baseline_open(family_state, binding, &calls.baseline, &problem)) {
		if (!device_error_is_sticky(&problem))
			return 0;
		*err = problem;
		return -1;
	}
	const struct sampler_work work = {.enqueue = enqueue_baseline, .context = &calls, .rotations = 1, .operations = 16};
	const struct sampler_options options = options_of(bencher, 0);
	const int result = sampler_run(bencher->device, &work, &options, &samples, err);
	if (result == 0)
		take_timing(&record->baseline, &samples);
	sampler_result_free(&samples);
	family->baseline_close(calls.baseline);
	return result;
}

int bencher_run(struct bencher *bencher, struct buffers *buffers, const struct family *family, void *family_state,
		const struct binding *binding, struct case_record *record, struct error *err)
{
	if (bencher->device->properties.kind != DEVICE_CUDA) {
		if (!record->note[0])
			snprintf(record->note, sizeof record->note, "not timed: seconds of the cpu device say nothing of a GPU; its work was counted instead");
		return 0;
	}
	if (time_hot(bencher, family, binding, record, err))
		return -1;
	if (!record->hot.measured)
		return 0;
	if (time_cold(bencher, buffers, family, binding, record, err))
		return -1;
	return bencher->baseline ? time_baseline(bencher, family, family_state, binding, record, err) : 0;
}
