/* The gate of a stream, with a thread that opens it when whoever queues work behind it does not come back. */
#ifndef ASSAY_MEASURE_GATE_H
#define ASSAY_MEASURE_GATE_H

#include "device/device.h"

#include <pthread.h>

struct gate {
	struct device *device;
	volatile uint32_t *flag;
	double timeout;
	pthread_t watcher;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int closed, ending, opened_early; /* under the lock */
	uint32_t ticket;
	double deadline;                  /* monotonic seconds */
};

/* ERROR_UNSUPPORTED when the device has no gate. */
int gate_start(struct gate *gate, struct device *device, double timeout, struct error *err);
/* Makes the stream wait; what is queued after this starts when the gate opens. */
int gate_close(struct gate *gate, struct device_stream *stream, struct error *err);
/* Opens it. Returns 1 when the time-out had opened it before. */
int gate_open(struct gate *gate);
void gate_end(struct gate *gate); /* opens it if it is closed */

#endif
