#include "bench_case.h"

#include "core/util.h"
#include "dataset/generate.h"
#include "device/nvml.h"
#include "measure/sampler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bencher {
	struct device *device;
	struct nvml *nvml; /* NULL where it is not to be had */
	double most, least, target;   /* seconds of samples of the hot figure, at most and at least; width of its interval */
	int baseline, beside;
	char cudnn[WORKER_PATH_MAX];  /* "": search */
	double busy_until;            /* when the device was last seen at work, monotonic */
};

/* Hot samples of a matrix product of 8192 x 8192 x 8192, random data, float32 accumulation: 1.1 TFLOP, large enough that
 * every card with tensor cores is at its power or clock limit rather than at the product's edges; cards with less than
 * 16 GiB take 4096. */
enum { GEMM_SIDE = 8192, GEMM_SIDE_SMALL = 4096 };

/* Of the tensors of a case, for cold timing: small cases would need thousands to fill the cache, and more than this add nothing
 * but set-up time. */
enum { MOST_SETS = 512 };

/* A million random numbers over and over: random enough for the power that they cost, and cheap to make. */
static int fill_random(struct device *device, device_pointer memory, size_t bytes, enum dtype dtype, struct error *err)
{
	const int64_t count = 1 << 20;
	const size_t part = (size_t)count * dtype_size(dtype);
	void *numbers = malloc(part);
	int result = numbers ? generate_array(numbers, dtype, count, count, "normal", 1.0, 1, 1, err)
			     : error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t at = 0; result == 0 && at < bytes; at += part)
		result = device->ops->copy_in(device, memory + at, numbers, bytes - at < part ? bytes - at : part, NULL, err);
	free(numbers);
	return result;
}

/* Under sustained load a card's clocks settle below those of the first tens of milliseconds. Where there is time for it, the
 * samples are taken after that: SETTLING after a rest, and RESTED says what a rest is; a figure that follows another at once
 * finds the card warm. A card at its power limit (an H100 at 700 W, measured) first overshoots, half a second later falls to
 * three quarters of its clock, and then swings once a second about what it can hold, at first farther and somewhat above it:
 * CAPPED, and CAPPED_TURN. */
#define SETTLING_SECONDS 0.3
#define CAPPED_SECONDS 1.5
#define CAPPED_TURN_SECONDS 1.0
#define RESTED_SECONDS 0.05
/* The hot figure is what is reported, compared and held against the roof. The others are there to be put beside it: where the
 * hot one has a least time for its samples, they get this part of it each, and of their number, whatever precision it brings. */
#define BESIDE_SHARE 0.25
/* What a case has to be worth for a baseline that has to be planned first. */
#define PLANNING_SECONDS 0.2
/* A second of calls of 100 us; at the power limit there are more (capped_min_seconds). */
enum { SAMPLES_MOST = 10000 };

/* The rate at which this card copies its own memory, bytes read and written counted: what operations that move data are held
 * against. 1 GiB from here to there is 20 times the largest L2. */
static const size_t copy_bytes = (size_t)1 << 30;

struct copied {
	struct device *device;
	device_pointer from, to;
	size_t bytes;
};

static int enqueue_copy(void *context, int rotation, struct error *err)
{
	const struct copied *copied = context;
	(void)rotation;
	return copied->device->ops->copy(copied->device, copied->to, copied->from, copied->bytes, NULL, err);
}

static int measure_copy(struct device *device, double *bytes_per_second, struct error *err)
{
	struct copied copied = {.device = device,
				.bytes = copy_bytes < device->properties.memory_bytes / 16 ? copy_bytes : device->properties.memory_bytes / 16};
	struct sampler_result samples = {0};
	const struct sampler_work work = {.enqueue = enqueue_copy, .context = &copied, .rotations = 1, .operations = 1};
	const struct sampler_options options = {.max_seconds = 0.1};
	device_pointer memory;
	if (device_alloc(device, 2 * copied.bytes, &memory, err))
		return -1;
	copied.from = memory;
	copied.to = memory + copied.bytes;
	const int result = fill_random(device, memory, copied.bytes, DTYPE_F32, err) ||
			   sampler_run(device, &work, &options, &samples, err) ? -1 : 0;
	if (result == 0)
		*bytes_per_second = 2.0 * (double)copied.bytes / samples.statistics.median;
	sampler_result_free(&samples);
	device_free(device, memory);
	return result;
}

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
	device_pointer memory = 0;
	struct sampler_result samples = {0};
	int result = -1;
	if (device_alloc(device, 3 * bytes, &memory, err) || fill_random(device, memory, 2 * bytes, dtype, err))
		goto done;
	struct product product = {.device = device,
				  .gemm = {.m = side, .n = side, .k = side, .batch = 1, .alpha = 1.0, .a = memory, .b = memory + bytes,
					   .c = memory + 2 * bytes, .lda = side, .ldb = side, .ldc = side, .input = dtype, .output = dtype}};
	const struct sampler_work work = {.enqueue = enqueue_product, .context = &product, .rotations = 1, .operations = 2};
	/* where cases are given the time to settle, the rate that they are held against is one that the card can hold too */
	const int is_settled = bencher->least > 0 && bencher->most >= 2 * SETTLING_SECONDS;
	const struct sampler_options options = {
		.max_seconds = is_settled ? 4 * SETTLING_SECONDS : 0.4,
		.warmup_seconds = is_settled ? SETTLING_SECONDS : 0,
		.min_seconds = is_settled ? SETTLING_SECONDS : 0, /* the board's limits are read off while samples are taken */
		.capped_warmup_seconds = is_settled ? CAPPED_TURN_SECONDS : 0,
		.capped_min_seconds = is_settled ? CAPPED_TURN_SECONDS : 0,
		.read_clocks = bencher->nvml ? sampler_read_nvml : NULL,
		.clocks_context = bencher->nvml,
	};
	if (sampler_run(device, &work, &options, &samples, err))
		goto done;
	*flops = 2.0 * (double)side * (double)side * (double)side / samples.statistics.median;
	result = 0;
done:
	sampler_result_free(&samples);
	device_free(device, memory);
	return result;
}

int bencher_open(struct bencher **out, struct device *device, const struct worker_setup *setup, struct worker_ready *ready,
		 struct error *err)
{
	struct bencher *bencher = calloc(1, sizeof *bencher);
	if (!bencher)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	*bencher = (struct bencher){
		.device = device,
		.most = setup->bench_seconds,
		.least = setup->bench_least < setup->bench_seconds ? setup->bench_least : setup->bench_seconds,
		.target = setup->bench_target,
		.baseline = setup->baseline,
		.beside = setup->beside,
	};
	snprintf(bencher->cudnn, sizeof bencher->cudnn, "%s", setup->cudnn);
	*out = bencher;
	if (device->properties.kind != DEVICE_CUDA)
		return 0; /* a throughput of the cpu device would say nothing about the artifact */
	if (nvml_open(&bencher->nvml, device->properties.uuid, NULL))
		bencher->nvml = NULL; /* figures then stand without clocks, as their absence shows */
	else if (nvml_other_processes(bencher->nvml, &ready->other_processes, NULL))
		ready->other_processes = 0;
	if (setup->skip_rates)
		return 0;
	if (measure_product(bencher, DTYPE_F16, &ready->matrix_product_flops, err) ||
	    measure_product(bencher, DTYPE_BF16, &ready->matrix_product_flops_bf16, err) ||
	    measure_copy(device, &ready->copy_bytes_per_second, err)) {
		bencher_close(bencher);
		*out = NULL;
		return error_context(err, "measuring the matrix-product and copy rates");
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
};

static int enqueue_call(void *context, int rotation, struct error *err)
{
	const struct calls *calls = context;
	(void)err;
	calls->family->call(&calls->bindings[rotation]);
	return 0;
}

struct baseline_calls {
	const struct family_baseline *with;
	void *baseline;
	struct device_stream *stream;
};

static int enqueue_baseline(void *context, int rotation, struct error *err)
{
	const struct baseline_calls *calls = context;
	(void)rotation;
	return calls->with->enqueue(calls->baseline, calls->stream, err);
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
			.at = samples->count ? samples->sampling_seconds * (double)samples->clocks[i].sample / (double)samples->count : 0,
			.sm_clock_mhz = reading->sm_clock_mhz,
			.memory_clock_mhz = reading->memory_clock_mhz,
			.power_milliwatts = reading->power_milliwatts,
			.temperature_celsius = reading->temperature_celsius,
			.throttle_reasons = reading->throttle_reasons,
		};
	}
	return 0;
}

enum figure { FIGURE_HOT, FIGURE_COLD, FIGURE_BASELINE };

static struct sampler_options options_of(const struct bencher *bencher, enum figure figure)
{
	const int is_beside = figure != FIGURE_HOT || bencher->beside;
	const double least = is_beside ? bencher->least * BESIDE_SHARE : bencher->least;
	const double most = is_beside && least > 0 ? least : bencher->most;
	const int rested = monotonic_seconds() - bencher->busy_until > RESTED_SECONDS;
	/* 0: the sampler's own, a quarter of so short a time at most */
	const double settling = bencher->most < 2 * SETTLING_SECONDS ? 0 : rested ? SETTLING_SECONDS : RESTED_SECONDS;
	return (struct sampler_options){
		.cold = figure == FIGURE_COLD,
		.target_relative_ci = bencher->target,
		/* the sampler takes no more than a quarter of max_seconds for warming up */
		.max_seconds = fmax(settling + most, 4 * settling),
		.min_seconds = least,
		.max_samples = is_beside && least > 0 ? (int)(SAMPLES_MOST * BESIDE_SHARE) : SAMPLES_MOST,
		.warmup_seconds = settling,
		.capped_warmup_seconds = figure == FIGURE_HOT && settling > 0 ? CAPPED_SECONDS : 0,
		.capped_min_seconds = figure == FIGURE_HOT && settling > 0 && bencher->least > 0 ? bencher->most : 0,
		/* they are kept for the hot figure only; asking costs some ten milliseconds */
		.read_clocks = bencher->nvml && figure == FIGURE_HOT ? sampler_read_nvml : NULL,
		.clocks_context = bencher->nvml,
		/* asking costs milliseconds, and within less time the counter does not move often enough */
		.read_energy = bencher->nvml && figure == FIGURE_HOT && settling > 0 ? sampler_read_energy : NULL,
		.energy_context = bencher->nvml,
	};
}

static int run_sampler(struct bencher *bencher, const struct sampler_work *work, enum figure figure,
		       struct sampler_result *samples,
		       struct error *err)
{
	const struct sampler_options options = options_of(bencher, figure);
	const int result = sampler_run(bencher->device, work, &options, samples, err);
	bencher->busy_until = monotonic_seconds();
	return result;
}

/* Samples of calls that find their tensors in the cache. */
static int sample_hot(struct bencher *bencher, int (*enqueue)(void *context, int rotation, struct error *err), void *context,
		      struct case_record *record, struct error *err)
{
	const struct sampler_work work = {.enqueue = enqueue, .context = context, .rotations = 1,
					  .operations = (int)record->launch_count + 1};
	struct sampler_result samples = {0};
	if (run_sampler(bencher, &work, FIGURE_HOT, &samples, err))
		return -1;
	if (samples.other_stream)
		snprintf(record->note, sizeof record->note, "not timed: the work runs on another stream than the default one");
	take_timing(&record->hot, &samples);
	record->enqueue_seconds = samples.enqueue_seconds;
	record->ungated_seconds = samples.ungated_seconds;
	record->event_overhead_seconds = samples.empty_seconds;
	record->energy_joules = samples.energy_joules;
	record->energy_calls = samples.energy_calls;
	const int result = take_clocks(record, &samples, err);
	sampler_result_free(&samples);
	return result;
}

/* Samples of calls that go round over `sets` sets of tensors. */
static int sample_cold(struct bencher *bencher, int (*enqueue)(void *context, int rotation, struct error *err), void *context,
		       int sets, struct case_record *record, struct error *err)
{
	struct sampler_result samples = {0};
	const struct sampler_work work = {
		.enqueue = enqueue, .context = context, .rotations = sets, .operations = (int)record->launch_count + 1};
	const int result = run_sampler(bencher, &work, FIGURE_COLD, &samples, err);
	if (result == 0)
		take_timing(&record->cold, &samples);
	sampler_result_free(&samples);
	return result;
}

static int time_hot(struct bencher *bencher, const struct family *family, const struct binding *binding,
		    struct case_record *record, struct error *err)
{
	struct calls calls = {.family = family, .bindings = binding};
	return sample_hot(bencher, enqueue_call, &calls, record, err);
}

/* Cold sets may take an eighth of the memory; where two do not fit, there is no cold figure. */
static int time_cold(struct bencher *bencher, struct buffers *buffers, const struct family *family,
		     const struct binding *binding, struct case_record *record, struct error *err)
{
	struct rotation rotation;
	struct error problem = {0};
	const struct device_properties *properties = &bencher->device->properties;
	if (buffers_rotate(buffers, binding, 2 * properties->l2_bytes, properties->memory_bytes / 8, &rotation, &problem)) {
		if (device_error_is_sticky(&problem)) {
			*err = problem;
			return -1;
		}
		return 0;
	}
	struct calls calls = {.family = family, .bindings = rotation.bindings};
	const int result = sample_cold(bencher, enqueue_call, &calls, rotation.count, record, err);
	buffers_rotation_free(buffers, &rotation);
	return result;
}

/* Its first run loads what loads lazily, and is what is looked at. */
static int sample_baseline(struct bencher *bencher, struct baseline_calls *calls, const struct binding *binding,
			   struct timing_record *timing, struct error *err)
{
	/* how much a library queues for one call is not known: 16 is more than any that was seen */
	const struct sampler_work work = {.enqueue = enqueue_baseline, .context = calls, .rotations = 1, .operations = 16};
	struct sampler_result samples = {0};
	if (calls->with->enqueue(calls->baseline, calls->stream, err) || device_synchronize(bencher->device, err) ||
	    (calls->with->check && calls->with->check(calls->baseline, binding, err)) ||
	    run_sampler(bencher, &work, FIGURE_BASELINE, &samples, err))
		return -1;
	take_timing(timing, &samples);
	sampler_result_free(&samples);
	return timing->measured ? 0 : error_set(err, ERROR_UNSUPPORTED, "runs on a stream of its own");
}

/* Returns 1 when the baseline broke the device's context. */
static int time_baseline(struct bencher *bencher, const struct family_baseline *with, void *family_state,
			 const struct binding *binding, struct baseline_record *record)
{
	const struct baseline_options options = {.cudnn = bencher->cudnn[0] ? bencher->cudnn : NULL};
	struct baseline_calls calls = {.with = with, .stream = bencher->device->stream};
	struct error problem = {0};
	_Static_assert(sizeof record->note >= BASELINE_NOTE_MAX, "the note of a baseline does not fit its record");
	if (with->open(family_state, &options, binding, &calls.baseline, record->note, &problem) == 0) {
		sample_baseline(bencher, &calls, binding, &record->hot, &problem);
		with->close(calls.baseline);
	}
	if (!record->hot.measured)
		snprintf(record->note, sizeof record->note, "%.*s", (int)sizeof record->note - 1,
			 problem.message[0] ? problem.message : "not measured");
	return device_error_is_sticky(&problem);
}

static int time_baselines(struct bencher *bencher, const struct family *family, void *family_state, const struct binding *binding,
			  struct case_record *record, struct error *err)
{
	for (size_t i = 0; bencher->baseline && family->baselines && family->baselines[i]; i++) {
		if (family->baselines[i]->plans && bencher->most < PLANNING_SECONDS)
			continue;
		struct baseline_record *baseline = case_record_add_baseline(record, family->baselines[i]->name);
		if (!baseline)
			return error_set(err, ERROR_INTERNAL, "no room for the baseline %s", family->baselines[i]->name);
		/* the artifact has passed and was timed: what a baseline does to the device is not held against it */
		if (time_baseline(bencher, family->baselines[i], family_state, binding, baseline)) {
			record->context_lost = 1;
			return 0;
		}
	}
	return 0;
}

static int says_not_timed(const struct bencher *bencher, struct case_record *record)
{
	if (bencher->device->properties.kind == DEVICE_CUDA)
		return 0;
	if (!record->note[0])
		snprintf(record->note, sizeof record->note,
			 "not timed: seconds of the cpu device say nothing of a GPU; its work was counted instead");
	return 1;
}

static int run_subject(struct bencher *bencher, const struct bench_subject *subject, struct case_record *record,
		       struct error *err)
{
	const struct device_properties *properties = &bencher->device->properties;
	if (subject->make_sets(subject->context, 1, err) || sample_hot(bencher, subject->enqueue, subject->context, record, err))
		return -1;
	subject->free_sets(subject->context);
	if (!record->hot.measured || !subject->set_bytes)
		return 0;
	const size_t most = properties->memory_bytes / 8 / subject->set_bytes;
	int sets = sampler_rotations(subject->set_bytes, properties->l2_bytes, MOST_SETS);
	if ((size_t)sets > most)
		sets = (int)most;
	if (sets < 2)
		return 0; /* two do not fit: there is no cold figure */
	if (subject->make_sets(subject->context, sets, err))
		return -1;
	return sample_cold(bencher, subject->enqueue, subject->context, sets, record, err);
}

int bencher_run_subject(struct bencher *bencher, const struct bench_subject *subject, struct case_record *record,
			struct error *err)
{
	if (says_not_timed(bencher, record))
		return 0;
	const double start = monotonic_seconds();
	const int result = run_subject(bencher, subject, record, err);
	record->bench_seconds = monotonic_seconds() - start;
	return result;
}

int bencher_run(struct bencher *bencher, struct buffers *buffers, const struct family *family, void *family_state,
		const struct binding *binding, struct case_record *record, struct error *err)
{
	if (says_not_timed(bencher, record))
		return 0;
	const double start = monotonic_seconds();
	int result = time_hot(bencher, family, binding, record, err);
	if (result == 0 && record->hot.measured && !bencher->beside)
		result = time_cold(bencher, buffers, family, binding, record, err) ||
			 time_baselines(bencher, family, family_state, binding, record, err) ? -1 : 0;
	record->bench_seconds = monotonic_seconds() - start;
	return result;
}
