#include "measure/gate.h"

#include "core/util.h"

#include <errno.h>
#include <time.h>

static void release(struct gate *gate)
{
	__atomic_store_n(gate->flag, gate->ticket, __ATOMIC_SEQ_CST);
	gate->closed = 0;
}

static struct timespec timespec_of(double seconds)
{
	const time_t whole = (time_t)seconds;
	return (struct timespec){.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * 1e9)};
}

/* Touches host memory only: the thread that is stuck may hold locks of the driver. */
static void *watch(void *argument)
{
	struct gate *gate = argument;

	pthread_mutex_lock(&gate->lock);
	while (!gate->ending) {
		if (!gate->closed) {
			pthread_cond_wait(&gate->changed, &gate->lock);
		} else if (monotonic_seconds() >= gate->deadline) {
			release(gate);
			gate->opened_early = 1;
		} else {
			const struct timespec deadline = timespec_of(gate->deadline);
			pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline);
		}
	}
	pthread_mutex_unlock(&gate->lock);
	return NULL;
}

int gate_start(struct gate *gate, struct device *device, double timeout, struct error *err)
{
	*gate = (struct gate){.device = device, .flag = device->ops->gate_flag(device), .timeout = timeout};
	if (!gate->flag)
		return error_set(err, ERROR_UNSUPPORTED, "%s has no gate", device->properties.id);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* the clock of monotonic_seconds */
	pthread_cond_init(&gate->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&gate->lock, NULL);
	if (pthread_create(&gate->watcher, NULL, watch, gate) != 0) {
		pthread_cond_destroy(&gate->changed);
		pthread_mutex_destroy(&gate->lock);
		return error_set(err, ERROR_ENVIRONMENT, "no thread for the gate's time-out can be started");
	}
	return 0;
}

int gate_close(struct gate *gate, struct device_stream *stream, struct error *err)
{
	/* the flag holds the last ticket that was let through */
	const uint32_t ticket = *gate->flag + 1;

	if (gate->device->ops->stream_wait_value(gate->device, stream, ticket, err) != 0)
		return -1;
	pthread_mutex_lock(&gate->lock);
	gate->ticket = ticket;
	gate->closed = 1;
	gate->opened_early = 0;
	gate->deadline = monotonic_seconds() + gate->timeout;
	pthread_cond_signal(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
	return 0;
}

int gate_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	if (gate->closed)
		release(gate);
	const int early = gate->opened_early;
	pthread_mutex_unlock(&gate->lock);
	return early;
}

void gate_end(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	if (gate->closed)
		release(gate);
	gate->ending = 1;
	pthread_cond_signal(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
	pthread_join(gate->watcher, NULL);
	pthread_cond_destroy(&gate->changed);
	pthread_mutex_destroy(&gate->lock);
}
