/* The sampler on a device that is a timeline: operations are queued with the host time at which they were given, and the
 * device does them one after another, so that the right answer of every measurement is known. */
#include "check.h"
#include "core/util.h"
#include "measure/sampler.h"

#include <stdlib.h>
#include <time.h>

struct device_event {
	double seconds;
	int recorded, queued;
};

enum operation_kind { OPERATION_WAIT, OPERATION_EVENT, OPERATION_KERNEL };

struct operation {
	enum operation_kind kind;
	uint32_t ticket;
	struct device_event *event;
	double duration, submitted;
};

static const double launch_latency = 40e-6, event_cost = 1e-6;

struct timeline {
	struct device base;
	struct operation queue[4096];
	int queued, most_queued;
	double device_free;       /* when the device is done with what it has taken from the queue */
	double other_stream_free; /* work that is on no stream that events see */
	uint32_t flag;
	int no_gate, wait_refused;
};

static struct timeline *timeline_of(struct device *device)
{
	return (struct timeline *)device;
}

static void sleep_until(double when)
{
	double left;
	while ((left = when - monotonic_seconds()) > 0) {
		const struct timespec pause = {.tv_nsec = (long)(fmin(left, 0.5) * 1e9)};
		if (left > 2e-3)
			nanosleep(&pause, NULL);
	}
}

/* Does everything that is queued, in device time, and lets host time catch up. */
static void drain(struct timeline *timeline)
{
	for (int i = 0; i < timeline->queued; i++) {
		const struct operation *operation = &timeline->queue[i];
		timeline->device_free = fmax(timeline->device_free, operation->submitted + launch_latency);
		switch (operation->kind) {
		case OPERATION_WAIT:
			while ((int32_t)(__atomic_load_n(&timeline->flag, __ATOMIC_SEQ_CST) - operation->ticket) < 0) {
				const struct timespec pause = {.tv_nsec = 20000};
				nanosleep(&pause, NULL);
			}
			/* what is queued behind it has reached the device by then; otherwise a host that is interrupted between
			 * two calls would show in a sample, and how often that happens is not what is tested */
			timeline->device_free = fmax(timeline->device_free, monotonic_seconds());
			timeline->device_free =
				fmax(timeline->device_free, timeline->queue[timeline->queued - 1].submitted + launch_latency);
			break;
		case OPERATION_EVENT:
			timeline->device_free += event_cost;
			operation->event->seconds = timeline->device_free;
			operation->event->recorded = 1;
			operation->event->queued--;
			break;
		case OPERATION_KERNEL:
			timeline->device_free += operation->duration;
			break;
		}
	}
	timeline->queued = 0;
	sleep_until(timeline->device_free);
}

static int submit(struct timeline *timeline, struct operation operation, struct error *err)
{
	if (timeline->queued == (int)(sizeof timeline->queue / sizeof timeline->queue[0]))
		return error_set(err, ERROR_DEVICE, "the queue is full");
	operation.submitted = monotonic_seconds();
	timeline->queue[timeline->queued++] = operation;
	if (timeline->queued > timeline->most_queued)
		timeline->most_queued = timeline->queued;
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
	CHECK_INT(event->queued, 0); /* events in use must not go */
	free(event);
	return 0;
}

static int fake_event_record(struct device *device, struct device_event *event, struct device_stream *stream, struct error *err)
{
	(void)stream;
	event->recorded = 0;
	event->queued++;
	return submit(timeline_of(device), (struct operation){.kind = OPERATION_EVENT, .event = event}, err);
}

static int fake_event_synchronize(struct device *device, struct device_event *event, struct error *err)
{
	(void)event, (void)err;
	drain(timeline_of(device));
	return 0;
}

static int fake_event_elapsed(struct device *device, struct device_event *from, struct device_event *to, double *seconds,
			      struct error *err)
{
	(void)device;
	if (!from->recorded || !to->recorded)
		return error_set(err, ERROR_DEVICE, "not ready");
	*seconds = to->seconds - from->seconds;
	return 0;
}

static int fake_stream_wait_value(struct device *device, struct device_stream *stream, uint32_t value, struct error *err)
{
	(void)stream;
	if (timeline_of(device)->wait_refused)
		return error_set(err, ERROR_UNSUPPORTED, "not here");
	return submit(timeline_of(device), (struct operation){.kind = OPERATION_WAIT, .ticket = value}, err);
}

static volatile uint32_t *fake_gate_flag(struct device *device)
{
	return timeline_of(device)->no_gate ? NULL : &timeline_of(device)->flag;
}

static int fake_synchronize(struct device *device, struct error *err)
{
	(void)err;
	drain(timeline_of(device));
	sleep_until(timeline_of(device)->other_stream_free);
	return 0;
}

static const struct device_ops fake_ops = {
	.event_create = fake_event_create,
	.event_destroy = fake_event_destroy,
	.event_record = fake_event_record,
	.event_synchronize = fake_event_synchronize,
	.event_elapsed = fake_event_elapsed,
	.stream_wait_value = fake_stream_wait_value,
	.gate_flag = fake_gate_flag,
	.synchronize = fake_synchronize,
};

struct work {
	struct timeline *timeline;
	double duration, noise; /* of a kernel; noise as a part of it, uniform */
	double host_seconds;    /* what queueing a call costs */
	int blocks;             /* the call waits for the device */
	int blocks_once;        /* ... only so often */
	int elsewhere;          /* the call runs on a stream that events do not see */
	int fails_at;           /* number of the call that fails, from 1 */
	int calls, prepared;
	int rotation_calls[8];
	int last_rotation, out_of_turn;
	uint64_t state;
	double prepare_duration;
};

static int enqueue(void *context, int rotation, struct error *err)
{
	struct work *work = context;

	work->calls++;
	work->rotation_calls[rotation]++;
	work->out_of_turn += rotation != (work->last_rotation + 1) % 8;
	work->last_rotation = rotation;
	if (work->calls == work->fails_at)
		return error_set(err, ERROR_DEVICE, "call %d was made to fail", work->calls);
	if (work->host_seconds > 0)
		sleep_until(monotonic_seconds() + work->host_seconds);
	work->state = work->state * 6364136223846793005ull + 1442695040888963407ull;
	const double uniform = (double)(work->state >> 11) * 0x1p-53;
	const double duration = work->duration * (1 + work->noise * (2 * uniform - 1));
	if (work->elsewhere) {
		work->timeline->other_stream_free = monotonic_seconds() + duration;
		return 0;
	}
	if (submit(work->timeline, (struct operation){.kind = OPERATION_KERNEL, .duration = duration}, err) != 0)
		return -1;
	if (work->blocks || work->blocks_once > 0) {
		work->blocks_once--;
		drain(work->timeline);
	}
	return 0;
}

static int prepare(void *context, int rotation, struct error *err)
{
	struct work *work = context;
	(void)rotation;
	work->prepared++;
	return submit(work->timeline, (struct operation){.kind = OPERATION_KERNEL, .duration = work->prepare_duration}, err);
}

static struct timeline *timeline_new(void)
{
	struct timeline *timeline = calloc(1, sizeof *timeline);
	timeline->base.ops = &fake_ops;
	return timeline;
}

static int sample(struct work *work, const struct sampler_options *options, struct sampler_result *result, struct error *err)
{
	const struct sampler_work given = {.enqueue = enqueue, .context = work, .rotations = 8, .operations = 1};
	return sampler_run(&work->timeline->base, &given, options, result, err);
}

static void gated_samples_hold_the_kernel_alone(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 100e-6};
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3}, &result, &err), 0);
	CHECK_INT(result.gate, SAMPLER_GATED);
	CHECK_INT(result.stop, SAMPLER_STOP_PRECISE);
	CHECK_NEAR(result.statistics.median, 101e-6, 1e-9);
	CHECK_NEAR(result.empty_seconds, event_cost, 1e-9);
	CHECK(result.ungated_seconds >= 101e-6 - 1e-9); /* times are differences of doubles */
	CHECK(result.first_call_seconds >= 100e-6 && result.enqueue_seconds < 1e-3);
	CHECK(result.count >= 20 && result.count < 60);
	CHECK_INT(result.statistics.count, result.count);
	CHECK_INT(result.other_stream, 0);
	CHECK_INT(result.calls_per_sample, 1);
	for (size_t i = 0; i < result.count; i++)
		CHECK(result.flags[i] == SAMPLE_GATED && fabs(result.seconds[i] - 101e-6) < 1e-9);
	CHECK_INT(work.rotation_calls[0], work.calls); /* hot: always the same tensors */
	CHECK(work.timeline->most_queued <= 256);
	sampler_result_free(&result);
	CHECK(result.seconds == NULL && result.count == 0);

	/* launching takes longer than the kernel: a stream that is not gated shows it, a gated one does not */
	work.duration = 10e-6;
	work.host_seconds = 300e-6;
	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3}, &result, &err), 0);
	CHECK_NEAR(result.statistics.median, 11e-6, 1e-9);
	CHECK(result.ungated_seconds > 250e-6 && result.enqueue_seconds >= 300e-6);
	CHECK_INT(result.other_stream, 0);
	sampler_result_free(&result);
	free(work.timeline);
}

static void sampling_stops_when_it_should(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 50e-6, .noise = 0.2, .state = 7};
	struct sampler_result result;
	struct error err = {0};

	/* uniform noise of 20 % needs about (1.96 / 2 * 0.4 / 0.01)^2 / 1 = some 1500 samples for 1 %, some 60 for 5 % */
	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3, .target_relative_ci = 0.05, .max_seconds = 20},
			 &result, &err),
		  0);
	CHECK_INT(result.stop, SAMPLER_STOP_PRECISE);
	CHECK(result.statistics.relative_ci <= 0.05);
	CHECK(result.count > 30 && result.count < 400);
	CHECK_NEAR(result.statistics.median, 51e-6, 51e-6 * 0.06);
	sampler_result_free(&result);

	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3, .target_relative_ci = 1e-9, .max_samples = 100,
							  .max_seconds = 20}, &result, &err),
		  0);
	CHECK_INT(result.stop, SAMPLER_STOP_SAMPLES);
	CHECK_INT(result.count, 100);
	sampler_result_free(&result);

	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3, .target_relative_ci = 1e-9, .max_seconds = 0.1},
			 &result, &err),
		  0);
	CHECK_INT(result.stop, SAMPLER_STOP_TIME);
	CHECK(result.elapsed_seconds >= 0.1 && result.elapsed_seconds < 2 && result.count > 20);
	sampler_result_free(&result);

	/* a call that takes longer than all the time there is still gives a sample */
	work.duration = 0.1;
	CHECK_INT(sample(&work, &(struct sampler_options){.max_seconds = 0.05}, &result, &err), 0);
	CHECK(result.count >= 1 && result.stop == SAMPLER_STOP_TIME && isinf(result.statistics.relative_ci));
	CHECK_NEAR(result.statistics.median, 0.1, 0.021);
	sampler_result_free(&result);
	free(work.timeline);
}

/* However well the median is known, samples are taken for as long as asked for, and the device has the next batch before the last
 * one ends. */
static void samples_fill_the_time_that_they_are_given(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 2e-3};
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3, .min_seconds = 0.25, .max_seconds = 5}, &result,
			 &err), 0);
	CHECK_INT(result.stop, SAMPLER_STOP_PRECISE);
	CHECK(result.sampling_seconds >= 0.25 && result.sampling_seconds < 1);
	double sum = 0;
	for (size_t i = 0; i < result.count; i++)
		sum += result.seconds[i];
	/* this device works only while the host waits for it; a batch is 20 ms, launching 40 us, and the test may share its cores */
	CHECK(sum >= 0.7 * result.sampling_seconds);
	CHECK(work.timeline->most_queued > 2 * 10 && work.timeline->most_queued <= 256); /* more than one batch of 2 + 10 * 3 */
	sampler_result_free(&result);

	/* time that is up ends it all the same */
	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3, .min_seconds = 5, .max_seconds = 0.1}, &result,
			 &err), 0);
	CHECK_INT(result.stop, SAMPLER_STOP_TIME);
	CHECK(result.sampling_seconds < 2);
	sampler_result_free(&result);
	free(work.timeline);
}

/* A board that draws 500 W and whose counter moves every 20 ms. */
struct meter {
	double start, watts, step;
	int refuses, reads;
};

static int read_meter(void *context, double *joules, struct error *err)
{
	struct meter *meter = context;
	meter->reads++;
	if (meter->refuses)
		return error_set(err, ERROR_UNSUPPORTED, "not counted");
	*joules = 1e6 + meter->watts * meter->step * floor((monotonic_seconds() - meter->start) / meter->step);
	return 0;
}

static void energy_is_that_of_the_calls(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 2e-3};
	struct meter meter = {.start = monotonic_seconds(), .watts = 500, .step = 0.02};
	struct sampler_options options = {.warmup_seconds = 1e-3, .min_seconds = 0.7, .max_seconds = 5, .read_energy = read_meter,
					  .energy_context = &meter};
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(sample(&work, &options, &result, &err), 0);
	CHECK(meter.reads > 10);
	/* 500 W for 2 ms: 1 J. Where other programs take the host's time, samples do not fill the time, and there is none */
	if (result.energy_joules > 0) {
		CHECK(result.energy_joules > 0.9 && result.energy_joules < 1.2);
		CHECK(result.energy_calls > 100 && result.energy_calls <= (double)result.count);
		CHECK(result.energy_seconds >= 0.2 && result.energy_seconds <= result.sampling_seconds);
	} else {
		double sum = 0;
		for (size_t i = 0; i < result.count; i++)
			sum += result.seconds[i];
		CHECK(sum < 0.95 * result.sampling_seconds);
	}
	sampler_result_free(&result);

	/* a counter that does not move within the time, and one that is not there */
	meter.step = 100;
	CHECK_INT(sample(&work, &options, &result, &err), 0);
	CHECK_NEAR(result.energy_joules, 0, 0);
	sampler_result_free(&result);
	meter.refuses = 1;
	CHECK_INT(sample(&work, &options, &result, &err), 0);
	CHECK_NEAR(result.energy_joules, 0, 0);
	sampler_result_free(&result);

	/* too short to be told from the steps */
	meter = (struct meter){.start = monotonic_seconds(), .watts = 500, .step = 0.02};
	options.min_seconds = 0.1;
	options.max_seconds = 0.15;
	CHECK_INT(sample(&work, &options, &result, &err), 0);
	CHECK_NEAR(result.energy_joules, 0, 0);
	sampler_result_free(&result);

	/* calls so short that the board mostly waits for the next: what it draws is not theirs */
	work.duration = 20e-6;
	work.host_seconds = 200e-6;
	options.min_seconds = 0.5;
	options.max_seconds = 5;
	CHECK_INT(sample(&work, &options, &result, &err), 0);
	CHECK_NEAR(result.energy_joules, 0, 0);
	sampler_result_free(&result);
	free(work.timeline);
}

static void blocking_calls_open_the_gate(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 100e-6, .blocks = 1};
	struct sampler_result result;
	struct error err = {0};
	size_t early = 0, gated = 0;

	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3, .gate_timeout = 0.1, .max_seconds = 3}, &result,
			 &err), 0);
	CHECK_INT(result.gate, SAMPLER_GATE_REFUSED);
	for (size_t i = 0; i < result.count; i++) {
		early += result.flags[i] == SAMPLE_GATE_OPENED_EARLY;
		gated += result.flags[i] == SAMPLE_GATED;
	}
	CHECK(early >= 2 && early <= 17);
	CHECK_INT(gated, 0);
	CHECK_INT(result.statistics.count, result.count - early); /* figures are of the ungated ones */
	CHECK(result.statistics.count >= 20);
	CHECK(result.statistics.median >= 101e-6);
	CHECK(result.elapsed_seconds < 3);
	sampler_result_free(&result);
	free(work.timeline);
}

static int block_at = 0;

static int enqueue_blocking_at(void *context, int rotation, struct error *err)
{
	struct work *work = context;
	/* the flag is behind the ticket of the wait that heads the queue: this call stands behind a closed gate */
	const int behind_gate = work->timeline->queued > 0 && work->timeline->queue[0].kind == OPERATION_WAIT;
	if (behind_gate && --block_at == 0)
		work->blocks_once = 1;
	return enqueue(context, rotation, err);
}

static void a_hiccup_marks_its_samples_only(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 100e-6};
	const struct sampler_work given = {.enqueue = enqueue_blocking_at, .context = &work, .rotations = 8, .operations = 1};
	struct sampler_result result;
	struct error err = {0};
	size_t early = 0;

	block_at = 3;
	CHECK_INT(sampler_run(&work.timeline->base, &given, &(struct sampler_options){.warmup_seconds = 1e-3, .gate_timeout = 0.1},
			      &result, &err),
		  0);
	CHECK_INT(result.gate, SAMPLER_GATED);
	for (size_t i = 0; i < result.count; i++)
		early += result.flags[i] == SAMPLE_GATE_OPENED_EARLY;
	CHECK(early >= 3 && early <= 16);
	CHECK_INT(result.statistics.count, result.count - early);
	CHECK_NEAR(result.statistics.median, 101e-6, 1e-9);
	CHECK_NEAR(result.statistics.maximum, 101e-6, 1e-9);
	sampler_result_free(&result);
	free(work.timeline);
}

static void cold_runs_take_turns(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 100e-6, .last_rotation = 7, .prepare_duration = 30e-6};
	const struct sampler_work given = {.enqueue = enqueue, .prepare = prepare, .context = &work, .rotations = 8, .operations = 1};
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(sampler_run(&work.timeline->base, &given, &(struct sampler_options){.cold = 1, .warmup_seconds = 1e-3,
										      .calls_per_sample = 5},
			      &result, &err),
		  0);
	CHECK_INT(work.out_of_turn, 0);
	for (int i = 0; i < 8; i++)
		CHECK(work.rotation_calls[i] >= work.calls / 8);
	CHECK_INT(result.calls_per_sample, 1); /* back to back would be warm */
	CHECK_INT(work.prepared, work.calls);
	CHECK_NEAR(result.statistics.median, 101e-6, 1e-9); /* preparing is not in it */
	sampler_result_free(&result);
	free(work.timeline);
}

static void errors_leave_no_closed_gate(void)
{
	/* every place where a call can fail: warm-up, ungated, behind the gate */
	for (int fails_at = 1; fails_at < 40; fails_at += 3) {
		struct work work = {.timeline = timeline_new(), .duration = 20e-6, .fails_at = fails_at};
		struct sampler_result result;
		struct error err = {0};
		CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-9, .min_samples = 100}, &result, &err), -1);
		CHECK_INT(err.kind, ERROR_DEVICE);
		CHECK_CONTAINS(err.message, "made to fail");
		CHECK(result.seconds == NULL && result.count == 0);
		CHECK_INT(work.timeline->queued, 0); /* drained: nothing waits any more */
		free(work.timeline);
	}
	struct work work = {.timeline = timeline_new()};
	struct sampler_result result;
	struct error err = {0};
	const struct sampler_work nothing = {.enqueue = enqueue, .context = &work, .rotations = 0};
	CHECK_INT(sampler_run(&work.timeline->base, &nothing, NULL, &result, &err), -1);
	CHECK_INT(err.kind, ERROR_INTERNAL);
	free(work.timeline);
}

static void work_on_another_stream_is_noticed(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 2e-3, .elsewhere = 1};
	struct sampler_result result;
	struct error err = {0};
	CHECK_INT(sample(&work, &(struct sampler_options){.max_seconds = 0.2}, &result, &err), 0);
	CHECK_INT(result.other_stream, 1);
	sampler_result_free(&result);
	free(work.timeline);
}

static void devices_without_a_gate_are_sampled(void)
{
	for (int refused = 0; refused < 2; refused++) {
		struct work work = {.timeline = timeline_new(), .duration = 200e-6};
		struct sampler_result result;
		struct error err = {0};
		work.timeline->no_gate = !refused;
		work.timeline->wait_refused = refused;
		CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3}, &result, &err), 0);
		CHECK_INT(result.gate, SAMPLER_NO_GATE);
		CHECK(result.statistics.median >= 200e-6 && result.statistics.count == result.count);
		CHECK_NEAR(result.empty_seconds, 0, 0);
		sampler_result_free(&result);
		free(work.timeline);
	}
}

static int read_fake_clocks(void *context, struct nvml_reading *reading, struct error *err)
{
	int *readings = context;
	++*readings;
	if (*readings % 2 == 0)
		return error_set(err, ERROR_ENVIRONMENT, "not now");
	*reading = (struct nvml_reading){.sm_clock_mhz = 1000u + (unsigned)*readings};
	return 0;
}

static void clocks_are_kept_with_the_samples(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 500e-6};
	struct sampler_result result;
	struct error err = {0};
	int readings = 0;

	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3, .target_relative_ci = 1e-12, .min_samples = 10000,
							  .max_seconds = 0.5, .read_clocks = read_fake_clocks, .clocks_context = &readings,
							  .clock_interval = 0.05}, &result, &err),
		  0);
	CHECK(readings >= 4 && readings <= 11);
	CHECK_INT(result.clock_count, (readings + 1) / 2); /* failed readings are left out */
	for (size_t i = 0; i < result.clock_count; i++) {
		CHECK_INT(result.clocks[i].reading.sm_clock_mhz, 1001 + 2 * i);
		CHECK(result.clocks[i].sample <= result.count && (i == 0 || result.clocks[i].sample > result.clocks[i - 1].sample));
	}
	sampler_result_free(&result);
	free(work.timeline);
}

static int read_capped_clocks(void *context, struct nvml_reading *reading, struct error *err)
{
	(void)err;
	*reading = (struct nvml_reading){.throttle_reasons = *(const uint64_t *)context};
	return 0;
}

/* At its power limit the board gets the longer warm-up, which is not taken from the samples' time. */
static void a_board_at_its_limit_warms_up_longer(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 1e-3};
	uint64_t reasons = 0x1 /* idle */;
	const struct sampler_options options = {.warmup_seconds = 0.02, .capped_warmup_seconds = 0.8, .max_seconds = 0.6,
						.min_seconds = 5, .read_clocks = read_capped_clocks, .clocks_context = &reasons};
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(sample(&work, &options, &result, &err), 0);
	const double without = result.elapsed_seconds - result.sampling_seconds;
	CHECK(without < 0.6 && result.elapsed_seconds >= 0.6);
	sampler_result_free(&result);
	reasons |= NVML_REASON_POWER_CAP;
	CHECK_INT(sample(&work, &options, &result, &err), 0);
	CHECK(result.elapsed_seconds - result.sampling_seconds >= 0.8);
	/* 0.58 but for what a busy machine takes; none were the longer warm-up part of max_seconds */
	CHECK(result.sampling_seconds > 0.2);
	sampler_result_free(&result);
	free(work.timeline);
}

/* At its power limit it is also sampled for longer, whatever the other limits are; elsewhere these hold. */
static void a_board_at_its_limit_is_sampled_for_longer(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 1e-3};
	uint64_t reasons = 0x1 /* idle */;
	const struct sampler_options options = {.warmup_seconds = 0.01, .max_seconds = 0.1, .min_seconds = 0.05, .capped_min_seconds = 0.3,
						.max_samples = 64, .read_clocks = read_capped_clocks, .clocks_context = &reasons};
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(sample(&work, &options, &result, &err), 0);
	CHECK(result.count <= 64);
	sampler_result_free(&result);
	reasons |= NVML_REASON_POWER_CAP;
	CHECK_INT(sample(&work, &options, &result, &err), 0);
	CHECK(result.count > 64 && result.count <= 512);
	CHECK(result.sampling_seconds >= 0.3 || result.count == 512);
	sampler_result_free(&result);
	free(work.timeline);
}

static void calls_back_to_back_are_divided(void)
{
	struct work work = {.timeline = timeline_new(), .duration = 10e-6};
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(sample(&work, &(struct sampler_options){.warmup_seconds = 1e-3, .calls_per_sample = 20}, &result, &err), 0);
	CHECK_INT(result.calls_per_sample, 20);
	CHECK_NEAR(result.statistics.median, 10e-6 + event_cost / 20, 1e-9);
	CHECK(work.timeline->most_queued <= 256);
	sampler_result_free(&result);

	/* calls that queue much: fewer behind one gate */
	const struct sampler_work heavy = {.enqueue = enqueue, .context = &work, .rotations = 1, .operations = 60};
	work.timeline->most_queued = 0;
	CHECK_INT(sampler_run(&work.timeline->base, &heavy,
			      &(struct sampler_options){.warmup_seconds = 1e-3, .calls_per_sample = 100}, &result, &err),
		  0);
	CHECK_INT(result.calls_per_sample, 4);
	sampler_result_free(&result);
	free(work.timeline);
}

static int copy_on_cpu(void *context, int rotation, struct error *err)
{
	struct device *device = context;
	static char from[1 << 20], to[1 << 20];
	(void)rotation;
	return device->ops->copy(device, (device_pointer)(uintptr_t)to, (device_pointer)(uintptr_t)from, sizeof from, NULL, err);
}

static void the_cpu_device_can_be_sampled(void)
{
	struct device *device = NULL;
	struct sampler_result result;
	struct error err = {0};

	CHECK_INT(device_open(&device, "cpu", NULL, &err), 0);
	const struct sampler_work given = {.enqueue = copy_on_cpu, .context = device, .rotations = 1};
	CHECK_INT(sampler_run(device, &given, &(struct sampler_options){.max_seconds = 0.3}, &result, &err), 0);
	CHECK_INT(result.gate, SAMPLER_NO_GATE);
	CHECK(result.statistics.median > 1e-6 && result.statistics.median < 1);
	sampler_result_free(&result);
	device_close(device);
}

static void rotations_exceed_twice_the_cache(void)
{
	CHECK_INT(sampler_rotations(10, 100, 1000), 21);
	CHECK_INT(sampler_rotations(100, 100, 1000), 3);
	CHECK_INT(sampler_rotations(1000, 100, 1000), 2);
	CHECK_INT(sampler_rotations(0, 100, 50), 50);
	CHECK_INT(sampler_rotations(1, 0, 50), 2);
	CHECK_INT(sampler_rotations((size_t)1 << 40, 50 << 20, 0), 2);
}

int main(void)
{
	gated_samples_hold_the_kernel_alone();
	sampling_stops_when_it_should();
	samples_fill_the_time_that_they_are_given();
	energy_is_that_of_the_calls();
	blocking_calls_open_the_gate();
	a_hiccup_marks_its_samples_only();
	cold_runs_take_turns();
	errors_leave_no_closed_gate();
	work_on_another_stream_is_noticed();
	devices_without_a_gate_are_sampled();
	clocks_are_kept_with_the_samples();
	a_board_at_its_limit_warms_up_longer();
	a_board_at_its_limit_is_sampled_for_longer();
	calls_back_to_back_are_divided();
	the_cpu_device_can_be_sampled();
	rotations_exceed_twice_the_cache();
	return check_result();
}
