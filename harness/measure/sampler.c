#include "measure/sampler.h"

#include "core/util.h"
#include "measure/gate.h"
#include "measure/meter.h"

#include <math.h>
#include <stdlib.h>

enum {
	BATCH_MOST = 64,
	/* The driver's queue holds about a thousand operations and blocks the caller when it is full, which behind a closed
	 * gate would look like a call that synchronises: a quarter of it is far enough from that. */
	QUEUE_OPERATIONS = 256,
	OPERATIONS_ASSUMED = 8,
	OPERATIONS_OF_PREPARE = 4,
	UNGATED_SAMPLES = 5,
	EMPTY_PAIRS = 15,
	REFUSALS_TO_GIVE_UP = 2,
	SLOTS = 2, /* batches in flight */
	CAPPED_SAMPLES = 8 /* times max_samples */
};

/* Work behind one gate: long enough that closing and opening costs little, short enough to stop in time. */
static const double batch_seconds = 0.02;

/* Energy: a step is known to within some ten milliseconds, so that what lies between two that are nearer to each other than
 * this says too little; and what part of that time has to be the calls'. */
static const double energy_seconds_least = 0.4, energy_busy_least = 0.9;

/* How far sampling had come. */
struct progress_point {
	double at, busy; /* busy: sum of the samples until then */
	size_t count;
};

/* Samples that are queued and not looked at yet. */
struct flight {
	struct device_event *from[BATCH_MOST], *to[BATCH_MOST];
	int count;
	unsigned char flag;
};

struct run {
	struct device *device;
	const struct sampler_work *work;
	struct sampler_options options; /* with the defaults filled in */
	struct gate gate;
	int has_gate, calls, batch, operations;
	struct flight flights[SLOTS];
	int slots;    /* of them in use */
	int refusals; /* gates in a row that the time-out had to open */
	int64_t turn; /* samples begun: which rotation is next */
	double start, sampling_start;
	size_t capacity;
	size_t best;       /* samples of the kind that `gate` promises */
	size_t next_look;  /* count of samples at which the median is looked at again */
	double busy;       /* sum of the samples */
	struct progress_point *progress; /* after each batch */
	size_t progress_count, progress_capacity;
	struct meter meter;
	struct sampler_result result;
};

static double default_to(double value, double fallback)
{
	return value > 0 ? value : fallback;
}

static void fill_defaults(struct run *run, const struct sampler_options *given)
{
	struct sampler_options *options = &run->options;

	if (given)
		*options = *given;
	options->target_relative_ci = default_to(options->target_relative_ci, 0.01);
	options->confidence = default_to(options->confidence, 0.95);
	options->max_seconds = default_to(options->max_seconds, 1);
	options->warmup_seconds = fmin(default_to(options->warmup_seconds, 0.05), options->max_seconds / 4);
	options->min_samples = options->min_samples <= 0 ? 20 : options->min_samples < 10 ? 10 : options->min_samples;
	options->max_samples = options->max_samples <= 0 ? 2000 : options->max_samples;
	options->batch = options->batch <= 0 ? 16 : options->batch > BATCH_MOST ? BATCH_MOST : options->batch;
	options->gate_timeout = default_to(options->gate_timeout, 0.2);
	options->clock_interval = default_to(options->clock_interval, 0.05);

	run->operations = run->work->operations > 0 ? run->work->operations : OPERATIONS_ASSUMED;
	const int most_calls = (QUEUE_OPERATIONS - 3 - OPERATIONS_OF_PREPARE) / run->operations;
	run->calls = options->calls_per_sample <= 1 || options->cold ? 1 : options->calls_per_sample;
	if (run->calls > most_calls)
		run->calls = most_calls > 1 ? most_calls : 1;
}

static double elapsed(const struct run *run)
{
	return monotonic_seconds() - run->start;
}

static int next_rotation(struct run *run)
{
	return run->options.cold ? (int)(run->turn++ % run->work->rotations) : 0;
}

static int median_of(const double *samples, size_t count, double *median, struct error *err)
{
	struct statistics statistics;

	if (statistics_of(samples, count, 0.95, &statistics, err) != 0)
		return -1;
	*median = statistics.median;
	return 0;
}

static int make_events(struct run *run, struct error *err)
{
	for (int slot = 0; slot < SLOTS; slot++)
		for (int i = 0; i < BATCH_MOST; i++)
			if (run->device->ops->event_create(run->device, &run->flights[slot].from[i], err) != 0 ||
			    run->device->ops->event_create(run->device, &run->flights[slot].to[i], err) != 0)
				return -1;
	return 0;
}

static void free_events(struct run *run)
{
	for (int slot = 0; slot < SLOTS; slot++)
		for (int i = 0; i < BATCH_MOST; i++) {
			struct flight *flight = &run->flights[slot];
			if (flight->from[i])
				run->device->ops->event_destroy(run->device, flight->from[i], NULL);
			if (flight->to[i])
				run->device->ops->event_destroy(run->device, flight->to[i], NULL);
		}
}

static int call(struct run *run, int rotation, struct error *err)
{
	if (run->work->prepare && run->work->prepare(run->work->context, rotation, err) != 0)
		return -1;
	return run->work->enqueue(run->work->context, rotation, err);
}

/* So many calls at once that the device has no time to rest, until `until` (seconds since the start). */
static int keep_busy(struct run *run, double each, double until, struct error *err)
{
	const double most_calls = (QUEUE_OPERATIONS - 1) / (run->operations + (run->work->prepare ? OPERATIONS_OF_PREPARE : 0));
	for (double left; (left = until - elapsed(run)) > 0;) {
		const double before = monotonic_seconds(), wanted = fmin(fmin(batch_seconds, left) / fmax(each, 1e-6), most_calls);
		int calls = 0;
		do {
			if (call(run, next_rotation(run), err) != 0)
				return -1;
			calls++;
		} while (calls < wanted);
		if (device_synchronize(run->device, err) != 0)
			return -1;
		each = (monotonic_seconds() - before) / calls;
	}
	return 0;
}

static int is_power_capped(const struct run *run)
{
	struct nvml_reading reading;
	return run->options.read_clocks && run->options.read_clocks(run->options.clocks_context, &reading, NULL) == 0 &&
	       (reading.throttle_reasons & NVML_REASON_POWER_CAP) != 0;
}

/* Loads what loads lazily, a call by itself, and brings the clocks to where they stay. */
static int warm_up(struct run *run, struct error *err)
{
	const struct sampler_options *options = &run->options;
	double each = 0;
	for (int calls = 0; calls < 2; calls++) {
		const double before = monotonic_seconds();
		if (call(run, next_rotation(run), err) != 0 || device_synchronize(run->device, err) != 0)
			return -1;
		each = monotonic_seconds() - before;
		if (calls == 0)
			run->result.first_call_seconds = each;
	}
	if (keep_busy(run, each, fmin(options->warmup_seconds, options->max_seconds / 4), err) != 0)
		return -1;
	const double before = elapsed(run);
	if (before >= options->capped_warmup_seconds || !is_power_capped(run))
		return 0;
	const int result = keep_busy(run, each, options->capped_warmup_seconds, err);
	run->options.max_seconds += elapsed(run) - before;
	return result;
}

/* Calls on an idle stream, without a gate: what queueing costs, what events see when launching is part of it, and whether
 * they see the work at all. */
static int measure_ungated(struct run *run, struct error *err)
{
	const struct device_ops *ops = run->device->ops;
	struct flight *flight = &run->flights[0];
	double enqueue[UNGATED_SAMPLES], between[UNGATED_SAMPLES];
	int count = 0, unseen = 0;

	while (count < UNGATED_SAMPLES && (count == 0 || elapsed(run) < run->options.max_seconds / 2)) {
		const int rotation = next_rotation(run);
		if (run->work->prepare && (run->work->prepare(run->work->context, rotation, err) != 0 ||
					   device_synchronize(run->device, err) != 0))
			return -1;
		if (ops->event_record(run->device, flight->from[0], run->work->stream, err) != 0)
			return -1;
		const double before = monotonic_seconds();
		if (run->work->enqueue(run->work->context, rotation, err) != 0)
			return -1;
		enqueue[count] = monotonic_seconds() - before;
		if (ops->event_record(run->device, flight->to[0], run->work->stream, err) != 0 ||
		    ops->event_synchronize(run->device, flight->to[0], err) != 0)
			return -1;
		/* the events have passed: what the device still does now they do not see. Waiting before them may be anybody's,
		 * another process that has the device for a while */
		const double passed = monotonic_seconds();
		if (device_synchronize(run->device, err) != 0)
			return -1;
		const double rest = monotonic_seconds() - passed;
		if (ops->event_elapsed(run->device, flight->from[0], flight->to[0], &between[count], err) != 0)
			return -1;
		/* synchronising once more takes some tens of microseconds by itself */
		unseen += rest > 200e-6 && !(between[count] > rest);
		count++;
	}
	run->result.other_stream = unseen == count;
	if (median_of(enqueue, (size_t)count, &run->result.enqueue_seconds, err) != 0 ||
	    median_of(between, (size_t)count, &run->result.ungated_seconds, err) != 0)
		return -1;
	return 0;
}

/* Event pairs with nothing between them. Leaves has_gate at 0 where the device refuses to wait. */
static int measure_empty(struct run *run, struct error *err)
{
	const struct device_ops *ops = run->device->ops;
	struct flight *flight = &run->flights[0];
	double pairs[EMPTY_PAIRS];
	struct error refused = {0};

	if (gate_close(&run->gate, run->work->stream, &refused) != 0) {
		if (refused.kind == ERROR_UNSUPPORTED) {
			gate_end(&run->gate);
			run->has_gate = 0;
			return 0;
		}
		if (err)
			*err = refused;
		return -1;
	}
	int result = 0;
	for (int i = 0; i < EMPTY_PAIRS && result == 0; i++)
		result = ops->event_record(run->device, flight->from[i], run->work->stream, err) != 0 ||
			 ops->event_record(run->device, flight->to[i], run->work->stream, err) != 0;
	gate_open(&run->gate);
	if (result != 0 || ops->event_synchronize(run->device, flight->to[EMPTY_PAIRS - 1], err) != 0)
		return -1;
	for (int i = 0; i < EMPTY_PAIRS; i++)
		if (ops->event_elapsed(run->device, flight->from[i], flight->to[i], &pairs[i], err) != 0)
			return -1;
	return median_of(pairs, EMPTY_PAIRS, &run->result.empty_seconds, err);
}

static void choose_batch(struct run *run)
{
	const double device_seconds = fmax(run->result.ungated_seconds, 1e-6) * run->calls;
	const double host_seconds = fmax(run->result.enqueue_seconds, 1e-6) * run->calls;
	const int each = 2 + run->calls * run->operations + (run->work->prepare ? OPERATIONS_OF_PREPARE : 0);
	double batch = run->options.batch;

	batch = fmin(batch, batch_seconds / device_seconds);
	batch = fmin(batch, run->options.gate_timeout / 4 / host_seconds);
	run->slots = run->has_gate && QUEUE_OPERATIONS / SLOTS > each ? SLOTS : 1;
	batch = fmin(batch, (QUEUE_OPERATIONS / run->slots - 1) / each);
	run->batch = batch >= 1 ? (int)batch : 1;
}

static int reserve(struct run *run, size_t more, struct error *err)
{
	struct sampler_result *result = &run->result;

	if (result->count + more <= run->capacity)
		return 0;
	const size_t capacity = 2 * (result->count + more);
	double *seconds = realloc(result->seconds, capacity * sizeof *seconds);
	if (seconds)
		result->seconds = seconds;
	unsigned char *flags = realloc(result->flags, capacity);
	if (flags)
		result->flags = flags;
	if (!seconds || !flags)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu samples", capacity);
	run->capacity = capacity;
	return 0;
}

static int note_progress(struct run *run, struct error *err)
{
	if (run->progress_count == run->progress_capacity) {
		const size_t capacity = run->progress_capacity ? 2 * run->progress_capacity : 64;
		struct progress_point *grown = realloc(run->progress, capacity * sizeof *grown);
		if (!grown)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu batches of samples", capacity);
		run->progress = grown;
		run->progress_capacity = capacity;
	}
	run->progress[run->progress_count++] = (struct progress_point){monotonic_seconds(), run->busy, run->result.count};
	meter_progress(&run->meter, run->result.count);
	return 0;
}

/* Samples until a moment between two batches, by proportion. 0 when it lies outside of them. */
static int progress_at(const struct run *run, double at, double *count, double *busy)
{
	for (size_t i = 1; i < run->progress_count; i++) {
		const struct progress_point *from = &run->progress[i - 1], *to = &run->progress[i];
		if (at < from->at || at > to->at || !(to->at > from->at))
			continue;
		const double part = (at - from->at) / (to->at - from->at);
		*count = (double)from->count + part * (double)(to->count - from->count);
		*busy = from->busy + part * (to->busy - from->busy);
		return 1;
	}
	return 0;
}

/* The batch that is running counts at neither end: what is left out at the one is put in at the other. */
static void conclude_energy(struct run *run)
{
	const struct meter_step *from = &run->meter.first, *to = &run->meter.last;
	double from_count, to_count, from_busy, to_busy;
	const double seconds = to->at - from->at;

	if (run->meter.steps < 2 || !(seconds >= energy_seconds_least) || !progress_at(run, from->at, &from_count, &from_busy) ||
	    !progress_at(run, to->at, &to_count, &to_busy) || !(to_busy - from_busy >= energy_busy_least * seconds))
		return;
	run->result.energy_calls = (to_count - from_count) * run->calls;
	run->result.energy_joules = (to->joules - from->joules) / run->result.energy_calls;
	run->result.energy_seconds = seconds;
}

/* Takes what the meter read. */
static int conclude_meter(struct run *run, struct error *err)
{
	struct sampler_result *result = &run->result;
	meter_end(&run->meter);
	if (run->meter.out_of_memory)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for clock readings");
	conclude_energy(run);
	if (run->meter.clock_count == 0)
		return 0;
	result->clocks = calloc(run->meter.clock_count, sizeof *result->clocks);
	if (!result->clocks)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for clock readings");
	for (size_t i = 0; i < run->meter.clock_count; i++)
		result->clocks[i] = (struct sampler_clock){run->meter.clocks[i].progress, run->meter.clocks[i].reading};
	result->clock_count = run->meter.clock_count;
	return 0;
}

static int queue_sample(struct run *run, struct flight *flight, int index, struct error *err)
{
	const struct device_ops *ops = run->device->ops;
	const int rotation = next_rotation(run);

	if (run->work->prepare && run->work->prepare(run->work->context, rotation, err) != 0)
		return -1;
	if (ops->event_record(run->device, flight->from[index], run->work->stream, err) != 0)
		return -1;
	for (int i = 0; i < run->calls; i++)
		if (run->work->enqueue(run->work->context, rotation, err) != 0)
			return -1;
	return ops->event_record(run->device, flight->to[index], run->work->stream, err);
}

/* Queues up to `count` samples, behind one gate where the figures are of gated ones. */
static int queue_samples(struct run *run, struct flight *flight, int count, struct error *err)
{
	const int gated = run->result.gate == SAMPLER_GATED;
	int failed = 0, early = 0;

	if (gated && gate_close(&run->gate, run->work->stream, err) != 0)
		return -1;
	for (int i = 0; i < count && !failed; i++)
		failed = queue_sample(run, flight, i, err) != 0;
	if (gated)
		early = gate_open(&run->gate);
	if (failed)
		return -1;
	flight->count = count;
	flight->flag = !gated ? 0 : early ? SAMPLE_GATE_OPENED_EARLY : SAMPLE_GATED;
	run->refusals = early ? run->refusals + 1 : 0;
	if (early)
		run->batch = 1;
	if (run->refusals == REFUSALS_TO_GIVE_UP) {
		run->result.gate = SAMPLER_GATE_REFUSED;
		run->best = 0;
	}
	return 0;
}

/* Waits for the samples of a batch and takes them. */
static int collect(struct run *run, struct flight *flight, struct error *err)
{
	const struct device_ops *ops = run->device->ops;
	struct sampler_result *result = &run->result;
	const unsigned char wanted = result->gate == SAMPLER_GATED ? SAMPLE_GATED : 0;

	if (reserve(run, (size_t)flight->count, err) != 0 ||
	    ops->event_synchronize(run->device, flight->to[flight->count - 1], err) != 0)
		return -1;
	for (int i = 0; i < flight->count; i++) {
		double seconds;
		if (ops->event_elapsed(run->device, flight->from[i], flight->to[i], &seconds, err) != 0)
			return -1;
		result->seconds[result->count] = seconds / run->calls;
		result->flags[result->count] = flight->flag;
		result->count++;
		run->busy += seconds;
	}
	run->best += flight->flag == wanted ? (size_t)flight->count : 0;
	flight->count = 0;
	return note_progress(run, err);
}

/* Statistics of the samples of the best kind there is: gated; else those that no gate touched; else all. */
static int summarise(struct run *run, struct error *err)
{
	struct sampler_result *result = &run->result;
	const int wanted = result->gate == SAMPLER_GATED ? SAMPLE_GATED : 0;
	size_t count = 0;

	double *chosen = malloc((result->count ? result->count : 1) * sizeof *chosen);
	if (!chosen)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu samples", result->count);
	for (size_t i = 0; i < result->count; i++)
		if (result->flags[i] == wanted)
			chosen[count++] = result->seconds[i];
	run->best = count;
	const int failed = count ? statistics_of(chosen, count, run->options.confidence, &result->statistics, err)
				 : statistics_of(result->seconds, result->count, run->options.confidence,
						 &result->statistics, err);
	free(chosen);
	return failed;
}

/* How long samples are taken at least, and how many of them at most: more of both while the board is at its power limit. */
static double least_seconds(const struct run *run)
{
	const int is_capped = (meter_reasons(&run->meter) & NVML_REASON_POWER_CAP) != 0;
	return is_capped ? fmax(run->options.min_seconds, run->options.capped_min_seconds) : run->options.min_seconds;
}

static size_t most_samples(const struct run *run)
{
	const size_t most = (size_t)run->options.max_samples;
	return least_seconds(run) > run->options.min_seconds ? CAPPED_SAMPLES * most : most;
}

/* Whether to stop: 1, 0, or -1 on an error. Sorting the samples costs more the more there are, so the median is looked at when
 * there is an eighth more than the last time. */
static int enough(struct run *run, struct error *err)
{
	struct sampler_result *result = &run->result;
	const double least = least_seconds(run);
	const int long_enough = monotonic_seconds() - run->sampling_start >= least;

	if (run->best >= (size_t)run->options.min_samples && long_enough && result->count >= run->next_look) {
		if (summarise(run, err) != 0)
			return -1;
		run->next_look = result->count + result->count / 8;
		if (result->statistics.relative_ci <= run->options.target_relative_ci) {
			result->stop = SAMPLER_STOP_PRECISE;
			return 1;
		}
	}
	if (result->count >= most_samples(run)) {
		result->stop = SAMPLER_STOP_SAMPLES;
		return 1;
	}
	/* what is asked for beyond min_seconds is beyond max_seconds too */
	if (elapsed(run) >= run->options.max_seconds && (long_enough || !(least > run->options.min_seconds))) {
		result->stop = SAMPLER_STOP_TIME;
		return 1;
	}
	return 0;
}

/* One batch runs while the next is queued; without a gate they take turns, since a call then has to find an idle stream. */
static int sample_until_enough(struct run *run, struct error *err)
{
	struct sampler_result *result = &run->result;
	int in_flight = 0, oldest = 0, stop = 0;

	const struct meter_options meter = {run->options.read_clocks, run->options.clocks_context, run->options.clock_interval,
					    run->options.read_energy, run->options.energy_context};
	run->sampling_start = monotonic_seconds();
	if (meter_start(&run->meter, &meter, err) != 0 || note_progress(run, err) != 0)
		return -1;
	while (!stop || in_flight) {
		size_t begun = result->count;
		for (int i = 0; i < in_flight; i++)
			begun += (size_t)run->flights[(oldest + i) % SLOTS].count;
		const int slots = result->gate == SAMPLER_GATED ? run->slots : 1;
		const size_t most = most_samples(run);
		if (!stop && in_flight < slots && begun < most) {
			const size_t left = most - begun;
			const int count = (size_t)run->batch < left ? run->batch : (int)left;
			if (queue_samples(run, &run->flights[(oldest + in_flight) % SLOTS], count, err) != 0)
				return -1;
			in_flight++;
			continue;
		}
		if (collect(run, &run->flights[oldest], err) != 0)
			return -1;
		oldest = (oldest + 1) % SLOTS;
		in_flight--;
		/* what was in flight belongs to the samples too: the median has to be known as well with them */
		const int look_again = stop && !in_flight && result->stop == SAMPLER_STOP_PRECISE;
		if (look_again)
			run->next_look = 0;
		if ((!stop || look_again) && (stop = enough(run, err)) < 0)
			return -1;
	}
	result->sampling_seconds = monotonic_seconds() - run->sampling_start;
	if (conclude_meter(run, err) != 0 || summarise(run, err) != 0)
		return -1;
	/* time ran out before one gated sample came about: the statistics are of what there is */
	if (result->gate == SAMPLER_GATED && run->best == 0)
		result->gate = SAMPLER_GATE_REFUSED;
	return 0;
}

int sampler_run(struct device *device, const struct sampler_work *work, const struct sampler_options *options,
		struct sampler_result *result, struct error *err)
{
	struct run run = {.device = device, .work = work, .start = monotonic_seconds()};
	int failed = -1;

	*result = (struct sampler_result){0};
	if (!work->enqueue || work->rotations < 1)
		return error_set(err, ERROR_INTERNAL, "a measurement without work");
	fill_defaults(&run, options);
	run.result.calls_per_sample = run.calls;
	if (make_events(&run, err) != 0 || warm_up(&run, err) != 0 || measure_ungated(&run, err) != 0)
		goto done;
	if (device->ops->gate_flag(device)) {
		if (gate_start(&run.gate, device, run.options.gate_timeout, err) != 0)
			goto done;
		run.has_gate = 1;
		if (measure_empty(&run, err) != 0)
			goto done;
	}
	run.result.gate = run.has_gate ? SAMPLER_GATED : SAMPLER_NO_GATE;
	choose_batch(&run);
	if (sample_until_enough(&run, err) != 0)
		goto done;
	run.result.elapsed_seconds = elapsed(&run);
	failed = 0;
done:
	if (run.has_gate)
		gate_end(&run.gate);
	meter_end(&run.meter);
	free(run.meter.clocks);
	free(run.progress);
	if (failed)
		device_synchronize(device, NULL); /* queued work still uses the caller's memory */
	free_events(&run);
	if (failed)
		sampler_result_free(&run.result);
	else
		*result = run.result;
	return failed;
}

void sampler_result_free(struct sampler_result *result)
{
	free(result->seconds);
	free(result->flags);
	free(result->clocks);
	*result = (struct sampler_result){0};
}

int sampler_read_nvml(void *nvml, struct nvml_reading *reading, struct error *err)
{
	return nvml_read(nvml, reading, err);
}

int sampler_read_energy(void *nvml, double *joules, struct error *err)
{
	return nvml_energy(nvml, joules, err);
}

const char *sampler_gate_name(enum sampler_gate gate)
{
	switch (gate) {
	case SAMPLER_GATED:
		return "gated";
	case SAMPLER_GATE_REFUSED:
		return "gate refused";
	case SAMPLER_NO_GATE:
		return "no gate";
	}
	return "?";
}

const char *sampler_stop_name(enum sampler_stop stop)
{
	switch (stop) {
	case SAMPLER_STOP_PRECISE:
		return "precise";
	case SAMPLER_STOP_SAMPLES:
		return "samples";
	case SAMPLER_STOP_TIME:
		return "time";
	}
	return "?";
}

int sampler_rotations(size_t bytes, size_t l2_bytes, int limit)
{
	const size_t each = bytes ? bytes : 1;
	const size_t needed = 2 * l2_bytes / each + 1;
	const size_t most = limit < 2 ? 2 : (size_t)limit;

	if (needed < 2)
		return 2;
	return needed > most ? (int)most : (int)needed;
}
