/* The timing core: how long one call keeps the device busy.
 *
 * A sample is the time between two events on the stream that the call's kernels run on, taken behind a gate: the stream
 * first waits for a word of host memory, then the start event, the call and the stop event are queued, and only then is the
 * word written. The device so finds its work queued, and the time of launching is not in the sample; it is reported
 * beside it (enqueue_seconds, ungated_seconds). Several samples wait behind one gate where that is possible.
 *
 * A call that synchronises or allocates would wait for ever at a closed gate: after gate_timeout seconds a second thread
 * opens it, and the sample is marked. Where that happens again with a single sample behind the gate, the call cannot be
 * gated; the rest is sampled without, and the result says so. The first calls are made without a gate, so that lazy loading
 * and compiling are over before one closes.
 *
 * What the events themselves cost (a pair with nothing between them, behind the gate) is reported as empty_seconds and NOT
 * subtracted: with a kernel in between, part of that cost overlaps with the kernel's start and end, so that subtracting it
 * would make kernels look faster than they are, by an amount nobody knows. For a kernel of some microseconds the sample is
 * an upper bound that is too high by at most empty_seconds; for one of 100 us and more the difference is lost in the noise.
 *
 * While the device works on one batch of samples the next one is queued behind a gate of its own, so that it is never idle
 * between them: clocks, temperature and power are those of steady work, and the sum of the samples is close to the time that
 * sampling took.
 *
 * Energy is read off a counter of the whole board while samples are taken. It moves in steps (100 ms on an H100), so the
 * figure is the difference between two moments at which it moved, over the calls between them; there is none unless samples
 * fill nine tenths of that time, since what an idle board draws is not the call's.
 *
 * Hot: every call uses rotation 0, so that what fits in L2 is found there. Cold: sample i uses rotation i modulo
 * `rotations`, and the caller makes so many that they do not fit in twice the L2. */
#ifndef ASSAY_MEASURE_SAMPLER_H
#define ASSAY_MEASURE_SAMPLER_H

#include "device/device.h"
#include "device/nvml.h"
#include "measure/statistics.h"

struct sampler_work {
	/* Queues ONE call on `stream`, with the tensors of this rotation. -1 ends the run with that error. */
	int (*enqueue)(void *context, int rotation, struct error *err);
	/* NULL, or queues what has to happen before each sample and is not timed (evicting the L2, resetting a buffer that
	 * the call reads and writes). */
	int (*prepare)(void *context, int rotation, struct error *err);
	void *context;
	struct device_stream *stream; /* NULL: the device's own */
	int rotations;                /* >= 1; how many sets of tensors there are */
	int operations;               /* at most so many things (launches, copies) one call queues; 0: not known, 8 is assumed */
};

struct sampler_options { /* 0 means the default */
	int cold;                  /* default 0: hot */
	double target_relative_ci; /* 0.01: stop when the median is known to +- 1 % ... */
	double confidence;         /* 0.95: ... with this confidence */
	double max_seconds;        /* 1: the whole run, warm-up included; at least one sample is taken in any case */
	double min_seconds;        /* 0: samples are taken for at least so long, however well the median is known */
	double warmup_seconds;     /* 0.05, at most a quarter of max_seconds; at least two calls are made */
	/* 0: no difference; else warming up goes on for so long in all, beside max_seconds, where the reader of clocks says at its
	 * end that the board is at its power limit: its control takes a second or two to find the clock that it can hold */
	double capped_warmup_seconds;
	/* 0: no difference; else samples are taken for so long at least, instead of min_seconds and beyond max_seconds and max_samples
	 * (up to 8 times as many), where the board is at its power limit at any moment of sampling: its clock then goes up and down
	 * with a period of its own (a second on an H100), and the median of a part of that depends on which part it is */
	double capped_min_seconds;
	int min_samples;           /* 20; at least 10 */
	int max_samples;           /* 2000 */
	int batch;                 /* 16: samples behind one gate at most; lowered for long calls and for the queue's depth */
	int calls_per_sample;      /* 1; K > 1 queues K calls back to back between the events and divides by K (hot only) */
	double gate_timeout;       /* 0.2 s */
	/* NULL, or reads clocks and power; called every clock_interval (0.05 s) while samples are taken, by a thread of its own
	 * (meter.h). A failed reading is left out. sampler_read_nvml with a `struct nvml *` fits. */
	int (*read_clocks)(void *context, struct nvml_reading *reading, struct error *err);
	void *clocks_context;
	double clock_interval;
	/* NULL, or reads the energy that the board has drawn since some moment, in joules; by that thread too.
	 * sampler_read_energy with a `struct nvml *` fits. */
	int (*read_energy)(void *context, double *joules, struct error *err);
	void *energy_context;
};

enum sample_flag {
	SAMPLE_GATED = 1,             /* all of it was queued before it started */
	SAMPLE_GATE_OPENED_EARLY = 2, /* the time-out opened the gate: holds launch latency, and whatever the call waited for */
};

enum sampler_gate {
	SAMPLER_GATED,          /* the figures are of gated samples */
	SAMPLER_GATE_REFUSED,   /* the call synchronises or allocates: the figures hold its launch latency */
	SAMPLER_NO_GATE         /* the device has no gate (cpu) */
};

enum sampler_stop { SAMPLER_STOP_PRECISE, SAMPLER_STOP_SAMPLES, SAMPLER_STOP_TIME };

struct sampler_clock {
	size_t sample; /* taken while this sample was the latest */
	struct nvml_reading reading;
};

struct sampler_result { /* owned by whoever ran the sampler: sampler_result_free */
	double *seconds;               /* raw, per call, in the order they were taken */
	unsigned char *flags;          /* of each sample: sample_flag */
	size_t count;
	struct statistics statistics;  /* of the samples that `gate` says the figures are of */
	enum sampler_gate gate;
	enum sampler_stop stop;
	int calls_per_sample;
	int other_stream;              /* 1: the events saw much less time than a device-wide synchronisation: the work runs on
					* a stream other than the one named, and the samples mean nothing */
	double first_call_seconds;     /* host time of the first call until the device was idle: loading and compiling */
	double enqueue_seconds;        /* median host time of queueing a call on an idle stream */
	double ungated_seconds;        /* median time between events around a call on an idle stream */
	double empty_seconds;          /* median time between two events with nothing between them, gated; 0 without a gate */
	double elapsed_seconds;        /* host time of the whole run */
	double sampling_seconds;       /* of it, from the first sample's queueing to the last one's end */
	double energy_joules;          /* of one call; 0: not measured */
	double energy_calls;           /* that it was measured over */
	double energy_seconds;         /* how long that took */
	struct sampler_clock *clocks;
	size_t clock_count;
};

/* Runs the work until it is known well enough. On an error the device may have to be replaced (device_error_is_sticky) and
 * *result holds nothing. */
int sampler_run(struct device *device, const struct sampler_work *work, const struct sampler_options *options,
		struct sampler_result *result, struct error *err);
void sampler_result_free(struct sampler_result *result);

int sampler_read_nvml(void *nvml, struct nvml_reading *reading, struct error *err);
int sampler_read_energy(void *nvml, double *joules, struct error *err);

const char *sampler_gate_name(enum sampler_gate gate); /* "gated", "gate refused", "no gate" */
const char *sampler_stop_name(enum sampler_stop stop); /* "precise", "samples", "time" */

/* Number of sets of tensors for a cold run: the smallest N with N * bytes > 2 * l2_bytes, at least 2 and at most
 * `limit`. */
int sampler_rotations(size_t bytes, size_t l2_bytes, int limit);

#endif
