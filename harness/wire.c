#include "wire.h"

#include "core/util.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIRE_MAGIC = 0x61737379, WIRE_SIZE_MAX = 1 << 30 };

struct header {
	uint32_t magic, type;
	uint64_t size;
};

static int send_all(int fd, const void *bytes, size_t size, struct error *err)
{
	const unsigned char *at = bytes;
	while (size) {
		const ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return error_set(err, ERROR_ENVIRONMENT, "closed");
		at += sent;
		size -= (size_t)sent;
	}
	return 0;
}

int wire_send(int fd, enum wire_type type, const void *bytes, size_t size, struct error *err)
{
	const struct header header = {WIRE_MAGIC, (uint32_t)type, size};
	if (send_all(fd, &header, sizeof header, err))
		return -1;
	return size ? send_all(fd, bytes, size, err) : 0;
}

static int receive_all(int fd, void *bytes, size_t size, double deadline, struct error *err)
{
	unsigned char *at = bytes;
	while (size) {
		int wait = -1;
		if (deadline > 0) {
			const double left = deadline - monotonic_seconds();
			if (left <= 0)
				return error_set(err, ERROR_TIMEOUT, "timed out");
			wait = left > 1000 ? 1000000 : (int)(left * 1000) + 1;
		}
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		const int ready = poll(&poller, 1, wait);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			continue; /* the deadline is looked at above */
		const ssize_t got = ready < 0 ? -1 : recv(fd, at, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_set(err, ERROR_ENVIRONMENT, "closed");
		at += got;
		size -= (size_t)got;
	}
	return 0;
}

int wire_receive(int fd, double deadline, struct wire_message *message, struct error *err)
{
	*message = (struct wire_message){0};
	struct header header;
	if (receive_all(fd, &header, sizeof header, deadline, err))
		return -1;
	if (header.magic != WIRE_MAGIC || header.size > WIRE_SIZE_MAX)
		return wire_garbage(err);
	unsigned char *bytes = malloc(header.size ? (size_t)header.size : 1);
	if (!bytes)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (receive_all(fd, bytes, (size_t)header.size, deadline, err)) {
		free(bytes);
		return -1;
	}
	*message = (struct wire_message){header.type, (size_t)header.size, bytes};
	return 0;
}

int wire_garbage(struct error *err)
{
	return error_set(err, ERROR_INPUT, "the worker sent what is no message of this program's: the artifact wrote into file "
			 "descriptor %d, or into memory that is not its own,", WORKER_FD);
}

void wire_free(struct wire_message *message)
{
	free(message->bytes);
	*message = (struct wire_message){0};
}

static const size_t timing_fields[] = {
	offsetof(struct case_record, hot),
	offsetof(struct case_record, cold),
	offsetof(struct case_record, baselines[0].hot),
	offsetof(struct case_record, baselines[1].hot),
	offsetof(struct case_record, baselines[2].hot),
	offsetof(struct case_record, baselines[3].hot),
};
_Static_assert(RECORD_BASELINES_MAX == 4, "every baseline's timing is among the fields");

int wire_send_record(int fd, const struct case_record *record, struct error *err)
{
	struct text bytes = {0};
	text_append_bytes(&bytes, record, sizeof *record);
	for (size_t i = 0; i < ARRAY_COUNT(timing_fields); i++) {
		const struct timing_record *timing = (const void *)((const char *)record + timing_fields[i]);
		if (timing->raw)
			text_append_bytes(&bytes, timing->raw, (size_t)timing->samples * sizeof *timing->raw);
	}
	if (record->clocks)
		text_append_bytes(&bytes, record->clocks, (size_t)record->clock_count * sizeof *record->clocks);
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++)
		if (record->outputs[i].bytes)
			text_append_bytes(&bytes, record->outputs[i].bytes, (size_t)record->outputs[i].size);
	const int result = bytes.failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory")
					: wire_send(fd, WIRE_RESULT, bytes.data, bytes.length, err);
	text_free(&bytes);
	return result;
}

/* Takes `count` items of `size` bytes from the message into new memory. */
static int take(const struct wire_message *message, size_t *at, int64_t count, size_t size, void **out)
{
	size_t bytes;
	*out = NULL;
	if (count <= 0)
		return 0;
	if (size_mul((size_t)count, size, &bytes) || bytes > message->size - *at)
		return -1;
	*out = malloc(bytes);
	if (!*out)
		return -1;
	memcpy(*out, message->bytes + *at, bytes);
	*at += bytes;
	return 0;
}

static int take_output(const struct wire_message *message, size_t *at, const struct output_copy *sent, struct output_copy *out)
{
	if (!sent->bytes)
		return 0;
	if (!dtype_size(sent->dtype) || sent->size % dtype_size(sent->dtype) || sent->size > message->size - *at)
		return -1;
	out->bytes = malloc(sent->size ? (size_t)sent->size : 1);
	if (!out->bytes)
		return -1;
	memcpy(out->bytes, message->bytes + *at, (size_t)sent->size);
	out->dtype = sent->dtype;
	out->size = sent->size;
	*at += (size_t)sent->size;
	return 0;
}

static int is_text(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}
#define IS_TEXT(array) is_text(array, sizeof(array))

static int is_sound(const struct case_record *record)
{
	const struct judgement *judgement = &record->judgement;
	int sound = IS_TEXT(record->name) && IS_TEXT(record->family) && IS_TEXT(record->entry_point) && IS_TEXT(record->note) &&
		    IS_TEXT(record->image) && IS_TEXT(record->module) && (record->unit == WORK_FLOPS || record->unit == WORK_BYTES) && IS_TEXT(judgement->reason) && IS_TEXT(judgement->mistrust) &&
		    (unsigned)judgement->status < STATUS_COUNT && record->launch_count >= 0 && record->output_count >= 0 &&
		    record->output_count <= RECORD_OUTPUTS_MAX;
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		sound &= IS_TEXT(judgement->checks[check].reason) && (unsigned)judgement->checks[check].state <= CHECK_DISABLED;
	for (int i = 0; i < RECORD_LAUNCHES_MAX; i++)
		sound &= IS_TEXT(record->launches[i].kernel);
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++)
		sound &= IS_TEXT(record->output_names[i]);
	sound &= record->baseline_count >= 0 && record->baseline_count <= RECORD_BASELINES_MAX;
	for (int i = 0; i < RECORD_BASELINES_MAX; i++)
		sound &= IS_TEXT(record->baselines[i].name) && IS_TEXT(record->baselines[i].note);
	for (size_t i = 0; i < ARRAY_COUNT(timing_fields); i++) {
		const struct timing_record *timing = (const void *)((const char *)record + timing_fields[i]);
		sound &= timing->samples == 0 || (timing->raw && timing->samples > 0);
		sound &= timing->rounds == 0; /* rounds are made of several records */
	}
	return sound && (record->clock_count == 0 || (record->clocks && record->clock_count > 0));
}

int wire_read_record(const struct wire_message *message, struct case_record *record, struct error *err)
{
	if (message->size < sizeof *record)
		return wire_garbage(err);
	memcpy(record, message->bytes, sizeof *record);
	if (!is_sound(record)) {
		*record = (struct case_record){0};
		return wire_garbage(err);
	}
	size_t at = sizeof *record;
	int failed = 0;
	struct output_copy outputs[RECORD_OUTPUTS_MAX];
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++)
		outputs[i] = record->outputs[i]; /* pointers of the other process */
	memset(record->outputs, 0, sizeof record->outputs);
	for (size_t i = 0; i < ARRAY_COUNT(timing_fields); i++) {
		struct timing_record *timing = (void *)((char *)record + timing_fields[i]);
		void *raw = NULL;
		if (timing->raw)
			failed |= take(message, &at, timing->samples, sizeof *timing->raw, &raw);
		timing->raw = raw;
	}
	void *clocks = NULL;
	if (record->clocks)
		failed |= take(message, &at, record->clock_count, sizeof *record->clocks, &clocks);
	record->clocks = clocks;
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++)
		failed |= take_output(message, &at, &outputs[i], &record->outputs[i]);
	if (failed) {
		case_record_free(record);
		return wire_garbage(err);
	}
	return 0;
}
