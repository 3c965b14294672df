#include "measure/meter.h"

#include "core/util.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

/* How often the counter of energy is asked whether it has moved: a tenth of its step, which is so well known in time then. */
static const double energy_interval = 0.01;

static struct timespec timespec_of(double seconds)
{
	const time_t whole = (time_t)seconds;
	return (struct timespec){.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * 1e9)};
}

static void read_clocks(struct meter *meter)
{
	struct meter_clock clock = {.progress = __atomic_load_n(&meter->progress, __ATOMIC_RELAXED)};
	if (meter->options.read_clocks(meter->options.clocks_context, &clock.reading, NULL) != 0)
		return;
	__atomic_fetch_or(&meter->reasons, clock.reading.throttle_reasons, __ATOMIC_RELAXED);
	if (meter->clock_count == meter->clock_capacity) {
		const size_t capacity = meter->clock_capacity ? 2 * meter->clock_capacity : 16;
		struct meter_clock *grown = realloc(meter->clocks, capacity * sizeof *grown);
		if (!grown) {
			meter->out_of_memory = 1;
			return;
		}
		meter->clocks = grown;
		meter->clock_capacity = capacity;
	}
	meter->clocks[meter->clock_count++] = clock;
}

/* What it stood at first has been there for nobody knows how long: that is no step. */
static void read_energy(struct meter *meter, double *before)
{
	const double begin = monotonic_seconds();
	struct meter_step step;
	if (meter->options.read_energy(meter->options.energy_context, &step.joules, NULL) != 0)
		return;
	step.at = (begin + monotonic_seconds()) / 2;
	if (*before >= 0 && step.joules > *before) {
		if (meter->steps++ == 0)
			meter->first = step;
		meter->last = step;
	}
	*before = step.joules;
}

static void *run(void *argument)
{
	struct meter *meter = argument;
	double next_clock = 0, next_energy = 0, joules = -1;
	pthread_mutex_lock(&meter->lock);
	while (!meter->is_ending) {
		pthread_mutex_unlock(&meter->lock);
		if (meter->options.read_clocks && monotonic_seconds() >= next_clock) {
			read_clocks(meter);
			next_clock = monotonic_seconds() + meter->options.clock_interval;
		}
		if (meter->options.read_energy && monotonic_seconds() >= next_energy) {
			read_energy(meter, &joules);
			next_energy = monotonic_seconds() + energy_interval;
		}
		const struct timespec due = timespec_of(!meter->options.read_energy ? next_clock
							: !meter->options.read_clocks ? next_energy
										      : fmin(next_clock, next_energy));
		pthread_mutex_lock(&meter->lock);
		if (!meter->is_ending)
			pthread_cond_timedwait(&meter->changed, &meter->lock, &due);
	}
	pthread_mutex_unlock(&meter->lock);
	return NULL;
}

int meter_start(struct meter *meter, const struct meter_options *options, struct error *err)
{
	pthread_condattr_t attributes;
	*meter = (struct meter){.options = *options};
	if (!options->read_clocks && !options->read_energy)
		return 0;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* the clock of monotonic_seconds */
	pthread_cond_init(&meter->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&meter->lock, NULL);
	if (pthread_create(&meter->thread, NULL, run, meter) != 0) {
		pthread_cond_destroy(&meter->changed);
		pthread_mutex_destroy(&meter->lock);
		return error_set(err, ERROR_ENVIRONMENT, "no thread that reads clocks and power can be started");
	}
	meter->is_running = 1;
	return 0;
}

void meter_progress(struct meter *meter, size_t progress)
{
	__atomic_store_n(&meter->progress, progress, __ATOMIC_RELAXED);
}

uint64_t meter_reasons(const struct meter *meter)
{
	return __atomic_load_n(&meter->reasons, __ATOMIC_RELAXED);
}

void meter_end(struct meter *meter)
{
	if (!meter->is_running)
		return;
	pthread_mutex_lock(&meter->lock);
	meter->is_ending = 1;
	pthread_cond_signal(&meter->changed);
	pthread_mutex_unlock(&meter->lock);
	pthread_join(meter->thread, NULL);
	pthread_cond_destroy(&meter->changed);
	pthread_mutex_destroy(&meter->lock);
	meter->is_running = 0;
}
