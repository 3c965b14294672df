/* Messages of workers, and what an artifact may put among them: it shares the worker's descriptors and memory. */
#include "check.h"

#include "core/util.h"
#include "wire.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static void open_ends(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		perror("socketpair");
}

static void close_ends(void)
{
	close(ends[0]);
	close(ends[1]);
}

static double soon(void)
{
	return monotonic_seconds() + 0.05;
}

static void test_messages(void)
{
	struct error err = {0};
	struct wire_message message;
	open_ends();
	CHECK_INT(wire_send(ends[0], WIRE_CASE, "twelve bytes", 12, &err), 0);
	CHECK_INT(wire_send(ends[0], WIRE_QUIT, NULL, 0, &err), 0);
	CHECK_INT(wire_receive(ends[1], 0, &message, &err), 0);
	CHECK_INT(message.type, WIRE_CASE);
	CHECK_INT(message.size, 12);
	CHECK(memcmp(message.bytes, "twelve bytes", 12) == 0);
	wire_free(&message);
	CHECK_INT(wire_receive(ends[1], soon(), &message, &err), 0);
	CHECK_INT(message.type, WIRE_QUIT);
	CHECK_INT(message.size, 0);
	wire_free(&message);
	CHECK_INT(wire_receive(ends[1], soon(), &message, &err), -1);
	CHECK_INT(err.kind, ERROR_TIMEOUT);
	close(ends[0]);
	CHECK_INT(wire_receive(ends[1], 0, &message, &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	CHECK_TEXT(err.message, "closed");
	/* no SIGPIPE */
	CHECK_INT(wire_send(ends[1], WIRE_QUIT, NULL, 0, &err), -1);
	CHECK_TEXT(err.message, "closed");
	close(ends[1]);
}

/* The first bytes of a message as wire.c lays them out. */
struct header {
	uint32_t magic, type;
	uint64_t size;
};

static void receive_garbage(const void *bytes, size_t size, enum error_kind kind, const char *what)
{
	struct error err = {0};
	struct wire_message message;
	open_ends();
	CHECK_INT(write(ends[0], bytes, size), (ssize_t)size);
	CHECK_INT(wire_receive(ends[1], soon(), &message, &err), -1);
	CHECK_INT(err.kind, kind);
	CHECK_CONTAINS(err.message, what);
	CHECK(message.bytes == NULL);
	close_ends();
}

static void test_garbage(void)
{
	struct header header = {0x61737379, WIRE_RESULT, 0};
	struct error err = {0};
	struct wire_message message;
	open_ends(); /* what is sent now must be good, or the cases below show nothing */
	CHECK_INT(write(ends[0], &header, sizeof header), sizeof header);
	CHECK_INT(wire_receive(ends[1], soon(), &message, &err), 0);
	wire_free(&message);
	close_ends();

	receive_garbage("hello, hello, hello", 19, ERROR_INPUT, "no message of this program");
	receive_garbage("hello", 5, ERROR_TIMEOUT, "timed out");
	header.size = UINT64_MAX;
	receive_garbage(&header, sizeof header, ERROR_INPUT, "no message of this program");
	header.size = (1ull << 30) + 1;
	receive_garbage(&header, sizeof header, ERROR_INPUT, "no message of this program");
	header.size = 1000; /* which never come */
	receive_garbage(&header, sizeof header, ERROR_TIMEOUT, "timed out");
	header.magic ^= 1;
	receive_garbage(&header, sizeof header, ERROR_INPUT, "no message of this program");
}

static struct case_record *new_record(void)
{
	struct case_record *record = calloc(1, sizeof *record);
	if (!record)
		exit(1);
	snprintf(record->name, sizeof record->name, "attention/x");
	record->hot.raw = calloc(3, sizeof *record->hot.raw);
	record->hot.samples = 3;
	record->baselines[0].hot.raw = calloc(2, sizeof *record->baselines[0].hot.raw);
	record->baseline_count = 1;
	record->baselines[0].hot.samples = 2;
	record->clocks = calloc(2, sizeof *record->clocks);
	record->clock_count = 2;
	if (!record->hot.raw || !record->baselines[0].hot.raw || !record->clocks)
		exit(1);
	for (int i = 0; i < 3; i++)
		record->hot.raw[i] = i + 0.5;
	record->baselines[0].hot.raw[1] = 7;
	record->clocks[1].power_milliwatts = 123456;
	return record;
}

static void free_record(struct case_record *record)
{
	case_record_free(record);
	free(record);
}

static int send_and_read(const struct case_record *record, size_t cut, struct case_record *out, struct error *err)
{
	struct wire_message message;
	open_ends();
	CHECK_INT(wire_send_record(ends[0], record, err), 0);
	CHECK_INT(wire_receive(ends[1], soon(), &message, err), 0);
	close_ends();
	CHECK_INT(message.type, WIRE_RESULT);
	CHECK(message.size > cut);
	message.size -= cut;
	const int result = wire_read_record(&message, out, err);
	wire_free(&message);
	return result;
}

static void test_record(void)
{
	struct error err = {0};
	struct case_record *record = new_record(), *out = calloc(1, sizeof *out);
	if (!out)
		exit(1);
	CHECK_INT(send_and_read(record, 0, out, &err), 0);
	CHECK_TEXT(out->name, "attention/x");
	CHECK(out->hot.raw && out->hot.raw != record->hot.raw);
	CHECK_INT(out->hot.samples, 3);
	CHECK_NEAR(out->hot.raw ? out->hot.raw[2] : NAN, 2.5, 0);
	CHECK(out->cold.raw == NULL);
	CHECK_NEAR(out->baselines[0].hot.raw ? out->baselines[0].hot.raw[1] : NAN, 7, 0);
	CHECK_INT(out->clocks ? out->clocks[1].power_milliwatts : 0, 123456);
	case_record_free(out);
	/* cut anywhere in the samples, and in the struct */
	const size_t cuts[] = {1, 2 * sizeof *record->clocks, 2 * sizeof *record->clocks + 1,
			       2 * sizeof *record->clocks + 5 * sizeof(double), 2 * sizeof *record->clocks + 5 * sizeof(double) + 1};
	for (size_t i = 0; i < ARRAY_COUNT(cuts); i++) {
		CHECK_INT(send_and_read(record, cuts[i], out, &err), -1);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK(!out->hot.raw && !out->baselines[0].hot.raw && !out->clocks);
	}
	free(out);
	free_record(record);
}

/* What an artifact could have written into the record before it was sent. */
/* Copies of outputs travel behind the rest; sizes and types that the artifact has written into are found. */
static void test_outputs(void)
{
	for (int what = 0; what < 6; what++) {
		struct error err = {0};
		struct wire_message message;
		struct case_record *record = new_record(), *out = calloc(1, sizeof *out);
		if (!out)
			return;
		for (int i = 0; i < 3; i += 2) {
			record->outputs[i] = (struct output_copy){.dtype = DTYPE_F16, .size = (uint64_t)(6 + i), .bytes = malloc(8)};
			memset(record->outputs[i].bytes, 5 + i, 8);
		}
		open_ends();
		CHECK_INT(wire_send_record(ends[0], record, &err), 0);
		CHECK_INT(wire_receive(ends[1], soon(), &message, &err), 0);
		close_ends();
		struct case_record *sent = (void *)message.bytes;
		if (what == 1)
			sent->outputs[2].size = UINT64_MAX - 1;
		if (what == 2)
			sent->outputs[2].size = 10; /* beyond the message */
		if (what == 3)
			sent->outputs[0].dtype = (enum dtype)1000;
		if (what == 4)
			sent->outputs[0].size = 5; /* no whole number of elements */
		if (what == 5)
			sent->hot.rounds = 40;
		CHECK_INT(wire_read_record(&message, out, &err), what ? -1 : 0);
		if (what == 0) {
			CHECK_INT(out->outputs[0].size, 6);
			CHECK_INT(out->outputs[2].size, 8);
			CHECK(memcmp(out->outputs[0].bytes, "\5\5\5\5\5\5", 6) == 0);
			CHECK(memcmp(out->outputs[2].bytes, "\7\7\7\7\7\7\7\7", 8) == 0);
			CHECK(out->outputs[1].bytes == NULL);
			case_record_free(out);
		} else {
			CHECK_INT(err.kind, ERROR_INPUT);
		}
		free(out);
		wire_free(&message);
		free_record(record);
	}
}

static void test_spoilt_record(void)
{
	enum { SPOILT = 16 };
	for (int what = 0; what < SPOILT; what++) {
		struct error err = {0};
		struct case_record *record = new_record(), *out = calloc(1, sizeof *out), spoilt;
		if (!out)
			exit(1);
		memcpy(&spoilt, record, sizeof spoilt);
		struct judgement *judgement = &spoilt.judgement;
		switch (what) {
		case 0: memset(spoilt.name, 'x', sizeof spoilt.name); break;
		case 1: memset(spoilt.note, 'x', sizeof spoilt.note); break;
		case 2: memset(spoilt.image, 'x', sizeof spoilt.image); break;
		case 3: memset(judgement->reason, 'x', sizeof judgement->reason); break;
		case 4: memset(judgement->checks[CHECK_LSE].reason, 'x', sizeof judgement->checks[0].reason); break;
		case 5: memset(spoilt.launches[RECORD_LAUNCHES_MAX - 1].kernel, 'x', sizeof spoilt.launches[0].kernel); break;
		case 6: memset(spoilt.output_names[0], 'x', sizeof spoilt.output_names[0]); break;
		case 7: judgement->status = STATUS_COUNT; break;
		case 8: judgement->status = (enum status)-1; break;
		case 9: judgement->checks[0].state = (enum check_state)99; break;
		case 10: spoilt.output_count = RECORD_OUTPUTS_MAX + 1; break;
		case 11: spoilt.output_count = -1; break;
		case 12: spoilt.launch_count = -1; break;
		case 13: spoilt.clock_count = -1; break;
		case 14: memset(judgement->mistrust, 'x', sizeof judgement->mistrust); break;
		case 15: spoilt.cold.samples = 1000; break; /* without any */
		}
		struct wire_message message = {.type = WIRE_RESULT, .size = sizeof spoilt + 5 * sizeof(double) + 2 * sizeof *record->clocks};
		message.bytes = calloc(1, message.size);
		if (!message.bytes)
			exit(1);
		memcpy(message.bytes, &spoilt, sizeof spoilt);
		if (wire_read_record(&message, out, &err) != -1 || err.kind != ERROR_INPUT) {
			fprintf(stderr, "spoilt record %d was accepted\n", what);
			check_failures++;
		}
		check_count++;
		/* samples beyond what was sent */
		memcpy(&spoilt, record, sizeof spoilt);
		spoilt.hot.samples = what ? INT64_MAX - what : 6;
		memcpy(message.bytes, &spoilt, sizeof spoilt);
		message.size = sizeof spoilt + 5 * sizeof(double);
		CHECK_INT(wire_read_record(&message, out, &err), -1);
		CHECK(!out->hot.raw && !out->clocks);
		wire_free(&message);
		free(out);
		free_record(record);
	}
}

int main(void)
{
	test_messages();
	test_garbage();
	test_record();
	test_outputs();
	test_spoilt_record();
	return check_result();
}
