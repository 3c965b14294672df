/* A thread that reads clocks and energy of a board while samples are taken: asking takes milliseconds (3 of an H100's energy
 * counter), in which the thread that samples would leave the device idle. */
#ifndef ASSAY_MEASURE_METER_H
#define ASSAY_MEASURE_METER_H

#include "device/nvml.h"

#include <pthread.h>

struct meter_options { /* either function may be NULL; a reading that fails is left out */
	int (*read_clocks)(void *context, struct nvml_reading *reading, struct error *err);
	void *clocks_context;
	double clock_interval; /* seconds */
	int (*read_energy)(void *context, double *joules, struct error *err);
	void *energy_context;
};

struct meter_clock {
	size_t progress; /* what meter_progress said last */
	struct nvml_reading reading;
};

/* A moment at which the counter of energy was seen to have moved; an H100's does so every 100 ms. */
struct meter_step {
	double at; /* monotonic seconds */
	double joules;
};

struct meter {
	struct meter_options options;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int is_running, is_ending;
	size_t progress;              /* written by meter_progress */
	uint64_t reasons;             /* read by meter_reasons */
	/* to be looked at after meter_end: */
	struct meter_clock *clocks;   /* owned by whoever ends the meter */
	size_t clock_count, clock_capacity;
	struct meter_step first, last;
	int steps;                    /* that were seen */
	int out_of_memory;
};

/* A meter without functions starts nothing. */
int meter_start(struct meter *meter, const struct meter_options *options, struct error *err);
void meter_progress(struct meter *meter, size_t progress);
/* All the reasons that readings have named so far for a lower clock: NVML_REASON_*. */
uint64_t meter_reasons(const struct meter *meter);
void meter_end(struct meter *meter); /* once or more; a zeroed meter is fine */

#endif
