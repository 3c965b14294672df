#include "worker.h"

#include "core/util.h"
#include "dataset/store.h"
#include "execute.h"
#include "operators.h"
#include "wire.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

const char *stage_name(enum stage stage)
{
	static const char *const names[STAGE_COUNT] = {
		[STAGE_START] = "starting",
		[STAGE_DEVICE] = "opening the device",
		[STAGE_LINK] = "linking the archive",
		[STAGE_LOAD] = "loading the archive",
		[STAGE_PREPARE] = "preparing the case",
		[STAGE_CALL] = "calling the entry point",
		[STAGE_WAIT] = "waiting for the device",
		[STAGE_JUDGE] = "judging the result",
		[STAGE_BENCH] = "timing the case",
	};
	return stage >= 0 && stage < STAGE_COUNT ? names[stage] : "an unknown stage";
}

static void send_stage(void *context, enum stage stage)
{
	const uint32_t number = (uint32_t)stage;
	(void)context;
	wire_send(WORKER_FD, WIRE_STAGE, &number, sizeof number, NULL);
}

static int send_ready(const struct executor *executor, const struct worker_ready *ready, struct error *err)
{
	struct text bytes = {0};
	text_append_bytes(&bytes, ready, sizeof *ready);
	for (uint32_t i = 0; i < ready->stubbed_count; i++)
		text_append_bytes(&bytes, executor_stub(executor, i), strlen(executor_stub(executor, i)) + 1);
	for (uint32_t i = 0; i < ready->kernel_count; i++)
		text_append_bytes(&bytes, executor_kernel(executor, i), strlen(executor_kernel(executor, i)) + 1);
	const int result = bytes.failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory")
					: wire_send(WORKER_FD, WIRE_READY, bytes.data, bytes.length, err);
	text_free(&bytes);
	return result;
}

/* What a worker does with requests: one of the two. */
struct service {
	struct executor *executor;
	struct operators *operators;
};

/* Returns -1 when there is nobody to talk to any more. */
static int serve_unit(struct operators *operators, const struct wire_message *message, struct error *err)
{
	struct wire_loaded loaded;
	memset(&loaded, 0, sizeof loaded);
	loaded.failed = operators_load(operators, message->bytes, message->size, &loaded, &loaded.err) != 0;
	return wire_send(WORKER_FD, WIRE_LOADED, &loaded, sizeof loaded, err);
}

static int serve(const struct service *service)
{
	struct case_record *record = malloc(sizeof *record);
	struct error err = {0};
	int lost = 0, failed = 0;
	while (record && !lost && !failed) {
		struct wire_message message;
		if (wire_receive(WORKER_FD, 0, &message, &err))
			break;
		if (message.type == WIRE_UNIT && service->operators) {
			failed = serve_unit(service->operators, &message, &err);
			wire_free(&message);
			continue;
		}
		const int is_case = message.type == WIRE_CASE && message.size == sizeof(struct wire_case);
		struct wire_case request = {0};
		if (is_case)
			memcpy(&request, message.bytes, sizeof request);
		wire_free(&message);
		if (!is_case)
			break; /* WIRE_QUIT */
		lost = service->operators ? operators_run(service->operators, &request, record)
					  : executor_run(service->executor, request.index, request.want_bench, &request.known, record);
		record->context_lost = lost;
		failed = wire_send_record(WORKER_FD, record, &err);
		case_record_free(record);
	}
	free(record);
	return lost;
}

static int open_service(struct service *service, const struct worker_setup *setup, struct error *err)
{
	struct worker_ready ready;
	memset(&ready, 0, sizeof ready);
	if (!setup->operators)
		return executor_open(&service->executor, setup, send_stage, NULL, &ready, err) ||
		       send_ready(service->executor, &ready, err) ? -1 : 0;
	return operators_open(&service->operators, setup, send_stage, NULL, &ready, err) ||
	       wire_send(WORKER_FD, WIRE_READY, &ready, sizeof ready, err) ? -1 : 0;
}

int worker_main(void)
{
	struct error err = {0};
	struct wire_message message;
	struct service service = {0};
	struct worker_setup *setup = malloc(sizeof *setup);

	/* a worker outlives neither its parent nor a closed pipe */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	fcntl(WORKER_FD, F_SETFD, FD_CLOEXEC);
	hdf5_quiet();
	if (!setup || wire_receive(WORKER_FD, 0, &message, &err))
		return 1;
	const int good = message.type == WIRE_SETUP && message.size == sizeof *setup;
	if (good)
		memcpy(setup, message.bytes, sizeof *setup);
	wire_free(&message);
	if (!good)
		return 1;
	if (open_service(&service, setup, &err)) {
		wire_send(WORKER_FD, WIRE_FAILED, &err, sizeof err, NULL);
		_exit(1);
	}
	/* A lost context cannot be closed in order, and the artifact's destructors are not to be trusted either way: the
	 * process ends without them. */
	const int lost = serve(&service);
	fflush(NULL);
	if (setup->orderly_exit && !lost) {
		alarm(20); /* foreign destructors may hang */
		exit(0);
	}
	_exit(0);
}
