/* Streams, events, waiting, and host functions in stream order. */
#include "cudart/shim.h"

#include <stdlib.h>

static int wait_for_stream(struct shim *shim, struct device_stream *stream, struct error *err)
{
	shim_about_to_block(shim);
	shim->log.synchronizations++;
	return shim->binding.device->ops->stream_synchronize(shim->binding.device, stream, err) ? runtime_error_from(err)
												 : RUNTIME_SUCCESS;
}

EXPORT int cudaDeviceSynchronize(void)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result) {
		shim_about_to_block(shim);
		shim->log.synchronizations++;
		if (shim->binding.device->ops->synchronize(shim->binding.device, &err))
			result = runtime_error_from(&err);
	}
	return shim_leave(shim, __func__, result, &err);
}
EXPORT_ALIAS(int, cudaThreadSynchronize, (void), cudaDeviceSynchronize); /* removed in 13 */

static int synchronize_call(const char *call, const void *stream)
{
	struct error err = {0};
	struct device_stream *on;
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = shim_stream(shim, stream, &on, NULL, &err);
	if (!result)
		result = wait_for_stream(shim, on, &err);
	return shim_leave(shim, call, result, &err);
}

EXPORT int cudaStreamSynchronize(void *stream)
{
	return synchronize_call(__func__, stream);
}
EXPORT_ALIAS(int, cudaStreamSynchronize_ptsz, (void *stream), cudaStreamSynchronize);

/* The device table cannot ask, only wait; "done" after waiting is a true answer. */
EXPORT int cudaStreamQuery(void *stream)
{
	return synchronize_call(__func__, stream);
}
EXPORT_ALIAS(int, cudaStreamQuery_ptsz, (void *stream), cudaStreamQuery);

EXPORT int cudaStreamCreateWithFlags(void **stream, unsigned flags)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && (!stream || flags > SHIM_STREAM_NON_BLOCKING))
		result = RUNTIME_INVALID_VALUE;
	if (!result) {
		struct shim_stream *own = calloc(1, sizeof *own);
		struct device *device = shim->binding.device;
		if (!own) {
			result = RUNTIME_OUT_OF_MEMORY;
		} else if (device->ops->stream_create(device, &own->stream, &err)) {
			result = runtime_error_from(&err);
		} else if (pointer_map_put(&shim->objects, (uintptr_t)own, TAG_STREAM, own)) {
			device->ops->stream_destroy(device, own->stream, NULL);
			result = RUNTIME_OUT_OF_MEMORY;
		}
		if (result) {
			free(own);
		} else {
			own->flags = flags;
			*stream = own;
		}
	}
	return shim_leave(shim, "cudaStreamCreate", result, &err);
}

EXPORT int cudaStreamCreate(void **stream)
{
	return cudaStreamCreateWithFlags(stream, 0);
}

EXPORT int cudaStreamCreateWithPriority(void **stream, unsigned flags, int priority)
{
	(void)priority; /* a hint */
	return cudaStreamCreateWithFlags(stream, flags);
}

EXPORT int cudaStreamDestroy(void *stream)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result) {
		struct shim_stream *own = pointer_map_remove(&shim->objects, (uintptr_t)stream, TAG_STREAM);
		if (!own) {
			result = RUNTIME_INVALID_HANDLE;
		} else {
			/* its work goes on after the runtime's call returns; here it is waited for, so that neither the
			 * legacy ordering nor the pool has to remember a stream that is gone */
			result = wait_for_stream(shim, own->stream, &err);
			if (shim->last_ordered == own)
				shim->last_ordered = NULL;
			for (size_t i = 0; i < shim->pool_count; i++)
				if (shim->pool[i].stream == own->stream)
					shim->pool[i].stream = shim->binding.stream;
			if (shim->binding.device->ops->stream_destroy(shim->binding.device, own->stream, &err) && !result)
				result = runtime_error_from(&err);
			free(own);
		}
	}
	return shim_leave(shim, __func__, result, &err);
}

EXPORT int cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
	if (least)
		*least = 0;
	if (greatest)
		*greatest = 0;
	return RUNTIME_SUCCESS;
}

/* Checks the handle and stores a number that is the same for every stream here. */
static int stream_fact(const char *call, const void *stream, void *out, size_t size, unsigned long long value)
{
	struct error err = {0};
	struct device_stream *on;
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = out ? shim_stream(shim, stream, &on, NULL, &err) : RUNTIME_INVALID_VALUE;
	if (!result && size == sizeof(int))
		*(int *)out = (int)value;
	else if (!result)
		*(unsigned long long *)out = value;
	return shim_leave(shim, call, result, &err);
}

EXPORT int cudaStreamGetPriority(void *stream, int *priority)
{
	return stream_fact(__func__, stream, priority, sizeof *priority, 0);
}
EXPORT_ALIAS(int, cudaStreamGetPriority_ptsz, (void *stream, int *priority), cudaStreamGetPriority);

EXPORT int cudaStreamGetDevice(void *stream, int *device)
{
	return stream_fact(__func__, stream, device, sizeof *device, 0);
}
EXPORT_ALIAS(int, cudaStreamGetDevice_ptsz, (void *stream, int *device), cudaStreamGetDevice);

EXPORT int cudaStreamGetId(void *stream, unsigned long long *id)
{
	return stream_fact(__func__, stream, id, sizeof *id, (uintptr_t)stream);
}
EXPORT_ALIAS(int, cudaStreamGetId_ptsz, (void *stream, unsigned long long *id), cudaStreamGetId);

/* No stream is ever captured: starting a capture is among the functions the shim lacks. */
EXPORT int cudaStreamIsCapturing(void *stream, int *status)
{
	return stream_fact(__func__, stream, status, sizeof *status, 0);
}
EXPORT_ALIAS(int, cudaStreamIsCapturing_ptsz, (void *stream, int *status), cudaStreamIsCapturing);

/* Later versions have more outputs after the third argument; all are defined only while a capture is on. */
EXPORT int cudaStreamGetCaptureInfo(void *stream, int *status, unsigned long long *id)
{
	if (id)
		*id = 0;
	return stream_fact(__func__, stream, status, sizeof *status, 0);
}
#define CAPTURE_INFO (void *stream, int *status, unsigned long long *id)
EXPORT_ALIAS(int, cudaStreamGetCaptureInfo_ptsz, CAPTURE_INFO, cudaStreamGetCaptureInfo);
EXPORT_ALIAS(int, cudaStreamGetCaptureInfo_v2, CAPTURE_INFO, cudaStreamGetCaptureInfo);
EXPORT_ALIAS(int, cudaStreamGetCaptureInfo_v2_ptsz, CAPTURE_INFO, cudaStreamGetCaptureInfo);
EXPORT_ALIAS(int, cudaStreamGetCaptureInfo_v3, CAPTURE_INFO, cudaStreamGetCaptureInfo);
EXPORT_ALIAS(int, cudaStreamGetCaptureInfo_v3_ptsz, CAPTURE_INFO, cudaStreamGetCaptureInfo);

/* --- events ------------------------------------------------------------------------------------------------------ */

EXPORT int cudaEventCreateWithFlags(void **event, unsigned flags)
{
	(void)flags; /* how to wait, and whether time is kept: keeping it does no harm */
	struct error err = {0};
	struct device_event *made = NULL;
	struct shim *shim = shim_enter();
	int result = event ? shim_ready(shim) : RUNTIME_INVALID_VALUE;
	if (!result && shim->binding.device->ops->event_create(shim->binding.device, &made, &err))
		result = runtime_error_from(&err);
	if (!result && pointer_map_put(&shim->objects, (uintptr_t)made, TAG_EVENT, made)) {
		shim->binding.device->ops->event_destroy(shim->binding.device, made, NULL);
		result = RUNTIME_OUT_OF_MEMORY;
	}
	if (!result)
		*event = made;
	return shim_leave(shim, "cudaEventCreate", result, &err);
}

EXPORT int cudaEventCreate(void **event)
{
	return cudaEventCreateWithFlags(event, 0);
}

enum event_action { EVENT_DESTROY, EVENT_RECORD, EVENT_WAIT, EVENT_QUERY };

static int event_call(const char *call, enum event_action action, void *handle, const void *stream)
{
	struct error err = {0};
	struct device_stream *on;
	struct shim *shim = shim_enter();
	struct device *device = shim->binding.device;
	int result = shim_ready(shim), failed = 0, done = 1;
	struct device_event *event = pointer_map_get(&shim->objects, (uintptr_t)handle, TAG_EVENT);
	if (!result && !event)
		result = RUNTIME_INVALID_HANDLE;
	if (!result && action == EVENT_RECORD)
		result = shim_stream(shim, stream, &on, NULL, &err);
	if (result)
		return shim_leave(shim, call, result, &err);
	switch (action) {
	case EVENT_DESTROY:
		pointer_map_remove(&shim->objects, (uintptr_t)handle, TAG_EVENT);
		failed = device->ops->event_destroy(device, event, &err);
		break;
	case EVENT_RECORD:
		failed = device->ops->event_record(device, event, on, &err);
		break;
	case EVENT_WAIT:
		shim_about_to_block(shim);
		shim->log.synchronizations++;
		failed = device->ops->event_synchronize(device, event, &err);
		break;
	case EVENT_QUERY:
		failed = device->ops->event_query(device, event, &done, &err);
		break;
	}
	return shim_leave(shim, call, failed ? runtime_error_from(&err) : done ? RUNTIME_SUCCESS : RUNTIME_NOT_READY, &err);
}

EXPORT int cudaEventDestroy(void *event)
{
	return event_call(__func__, EVENT_DESTROY, event, NULL);
}

EXPORT int cudaEventRecord(void *event, void *stream)
{
	return event_call(__func__, EVENT_RECORD, event, stream);
}
EXPORT_ALIAS(int, cudaEventRecord_ptsz, (void *event, void *stream), cudaEventRecord);

EXPORT int cudaEventRecordWithFlags(void *event, void *stream, unsigned flags)
{
	(void)flags; /* matters to captures only */
	return cudaEventRecord(event, stream);
}
EXPORT_ALIAS(int, cudaEventRecordWithFlags_ptsz, (void *event, void *stream, unsigned flags), cudaEventRecordWithFlags);

EXPORT int cudaEventSynchronize(void *event)
{
	return event_call(__func__, EVENT_WAIT, event, NULL);
}

EXPORT int cudaEventQuery(void *event)
{
	return event_call(__func__, EVENT_QUERY, event, NULL);
}

/* The device table has no wait between streams: the host waits instead, which is slower and orders just as well. */
EXPORT int cudaStreamWaitEvent(void *stream, void *event, unsigned flags)
{
	(void)stream, (void)flags;
	return event_call(__func__, EVENT_WAIT, event, NULL);
}
EXPORT_ALIAS(int, cudaStreamWaitEvent_ptsz, (void *stream, void *event, unsigned flags), cudaStreamWaitEvent);

EXPORT int cudaEventElapsedTime(float *milliseconds, void *from, void *to)
{
	struct error err = {0};
	double seconds = 0;
	struct shim *shim = shim_enter();
	struct device *device = shim->binding.device;
	struct device_event *first = pointer_map_get(&shim->objects, (uintptr_t)from, TAG_EVENT);
	struct device_event *last = pointer_map_get(&shim->objects, (uintptr_t)to, TAG_EVENT);
	int result = shim_ready(shim);
	if (!result)
		result = !milliseconds ? RUNTIME_INVALID_VALUE : first && last ? RUNTIME_SUCCESS : RUNTIME_INVALID_HANDLE;
	if (!result && device->ops->event_elapsed(device, first, last, &seconds, &err))
		result = runtime_error_from(&err);
	if (!result)
		*milliseconds = (float)(seconds * 1e3);
	return shim_leave(shim, __func__, result, &err);
}
EXPORT_ALIAS(int, cudaEventElapsedTime_v2, (float *milliseconds, void *from, void *to), cudaEventElapsedTime);

/* --- host functions: after everything queued before them, hence after waiting for it ----------------------------- */

EXPORT int cudaLaunchHostFunc(void *stream, void (*function)(void *), void *data)
{
	const int result = synchronize_call(__func__, stream);
	if (result == RUNTIME_SUCCESS)
		function(data);
	return result;
}
EXPORT_ALIAS(int, cudaLaunchHostFunc_ptsz, (void *stream, void (*function)(void *), void *data), cudaLaunchHostFunc);

EXPORT int cudaStreamAddCallback(void *stream, void (*function)(void *stream, int status, void *data), void *data,
				 unsigned flags)
{
	(void)flags;
	const int result = synchronize_call(__func__, stream);
	function(stream, result, data);
	return result;
}
EXPORT_ALIAS(int, cudaStreamAddCallback_ptsz,
	     (void *stream, void (*function)(void *stream, int status, void *data), void *data, unsigned flags),
	     cudaStreamAddCallback);
