#include "runner.h"

#include "cli.h"
#include "core/util.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* TAIL_BYTES: of what a worker printed, for the post-mortem. DRAIN_BYTES: taken at once, so that one that prints without end
 * cannot keep its parent from looking at the clock. */
enum { TAIL_BYTES = 2048, DRAIN_BYTES = 1 << 20 };

struct runner {
	struct worker_setup setup;
	struct runner_options options;
	pid_t pid;              /* 0: no worker */
	int is_starting;        /* it has been told what to set up, and nobody has waited for it */
	int fd;
	int output_fd;          /* read end of the worker's stdout and stderr */
	char tail[TAIL_BYTES];  /* the last of what it printed */
	size_t tail_length;
	enum stage stage;
	int started;            /* ready is valid */
	enum status refusal;    /* of the last runner_start that failed */
	struct worker_ready ready;
	char **names;           /* stubs, then kernels */
	size_t name_count;
	int deaths;
	struct runner_unit unit; /* path NULL: none */
	int unit_loaded;         /* by the worker that runs */
	const char *archive;     /* whose functions it has: they stay in the process */
};

int runner_open(struct runner **out, const struct worker_setup *setup, const struct runner_options *options,
		struct error *err)
{
	struct runner *runner = calloc(1, sizeof *runner);
	if (!runner)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	runner->setup = *setup;
	runner->options = *options;
	runner->fd = runner->output_fd = -1;
	*out = runner;
	return 0;
}

/* Takes what the worker printed, so that its pipe never fills; keeps the end of it for the post-mortem. */
static void drain_output(struct runner *runner)
{
	char chunk[16384];
	ssize_t got;
	for (size_t taken = 0; taken < DRAIN_BYTES; taken += (size_t)got) {
		if (runner->output_fd < 0 || (got = read(runner->output_fd, chunk, sizeof chunk)) <= 0)
			return;
		if (runner->options.keep_output)
			fwrite(chunk, 1, (size_t)got, stderr);
		size_t take = (size_t)got < TAIL_BYTES ? (size_t)got : TAIL_BYTES;
		if (runner->tail_length + take > TAIL_BYTES) {
			const size_t drop = runner->tail_length + take - TAIL_BYTES;
			memmove(runner->tail, runner->tail + drop, runner->tail_length - drop);
			runner->tail_length -= drop;
		}
		memcpy(runner->tail + runner->tail_length, chunk + (size_t)got - take, take);
		runner->tail_length += take;
	}
}

/* The last line the worker printed, as ": it printed '...'" or "". */
static void last_words(struct runner *runner, char *text, size_t size)
{
	drain_output(runner);
	size_t end = runner->tail_length;
	while (end && (runner->tail[end - 1] == '\n' || runner->tail[end - 1] == '\r'))
		end--;
	size_t start = end;
	while (start && runner->tail[start - 1] != '\n' && end - start < 160)
		start--;
	text[0] = '\0';
	struct text words = {0};
	cli_append_clean(&words, runner->tail + start, end - start); /* they go to terminals and documents */
	if (words.data && words.length)
		snprintf(text, size, "; its last words: %s", words.data);
	text_free(&words);
}

static int spawn(struct runner *runner, struct error *err)
{
	int sockets[2], pipes[2];
	char executable[WORKER_PATH_MAX];
	const char *arguments[24];
	int count = 0;
	const ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
	if (length < 0)
		return error_set(err, ERROR_ENVIRONMENT, "/proc/self/exe cannot be read: %s", strerror(errno));
	executable[length] = '\0';
	for (const char *const *word = runner->options.wrapper; word && *word && count < 20; word++)
		arguments[count++] = *word;
	arguments[count++] = executable;
	arguments[count++] = WORKER_ARGUMENT;
	arguments[count] = NULL;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return error_set(err, ERROR_ENVIRONMENT, "no socket for a worker: %s", strerror(errno));
	if (pipe2(pipes, O_CLOEXEC)) {
		close(sockets[0]);
		close(sockets[1]);
		return error_set(err, ERROR_ENVIRONMENT, "no pipe for a worker: %s", strerror(errno));
	}
	fflush(NULL);
	const pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		/* its own process group, so that children of the artifact die with it */
		setpgid(0, 0);
		/* here and not only in the worker: what wraps it must not outlive this process either */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
		/* O_CLOEXEC was set with each descriptor, so that no other thread's worker gets this one's; what libraries open
		 * (result files, locked) is another matter. The kernel has the call from 5.9 on. */
		const int null = open("/dev/null", O_RDONLY);
		dup2(null, 0);
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		if (sockets[1] == WORKER_FD)
			fcntl(WORKER_FD, F_SETFD, 0);
		else
			dup2(sockets[1], WORKER_FD);
#ifdef SYS_close_range
		syscall(SYS_close_range, (unsigned)WORKER_FD + 1, ~0u, 0u);
#endif
		execvp(arguments[0], (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	close(sockets[1]);
	close(pipes[1]);
	if (pid < 0) {
		close(sockets[0]);
		close(pipes[0]);
		return error_set(err, ERROR_ENVIRONMENT, "no process for a worker: %s", strerror(errno));
	}
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	runner->pid = pid;
	runner->fd = sockets[0];
	runner->output_fd = pipes[0];
	runner->tail_length = 0;
	runner->stage = STAGE_START;
	runner->unit_loaded = 0;
	runner->archive = NULL;
	return 0;
}

/* Whether the worker has ended; it is left to be reaped. */
static int has_ended(const struct runner *runner)
{
	siginfo_t info = {0};
	return waitid(P_PID, (id_t)runner->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == runner->pid;
}

/* Ends the worker, by force when `kill_it`, and says how it ended. */
static void reap(struct runner *runner, int kill_it, char *how, size_t size)
{
	int status = 0;
	char words[256];
	how[0] = '\0';
	if (!runner->pid)
		return;
	/* one that closed its socket is about to end: give it a moment to do so in its own way */
	for (int i = 0; !kill_it && i < 200 && !has_ended(runner); i++) {
		drain_output(runner);
		usleep(10000);
	}
	/* whatever it started goes with it; before it is reaped, while its number cannot have become another's */
	kill(-runner->pid, SIGKILL);
	kill(runner->pid, SIGKILL);
	while (waitpid(runner->pid, &status, 0) < 0 && errno == EINTR)
		;
	last_words(runner, words, sizeof words);
	if (WIFSIGNALED(status))
		snprintf(how, size, "killed by signal %d (%s) while %s%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
			 stage_name(runner->stage), words);
	else if (WEXITSTATUS(status) == 127 && runner->stage == STAGE_START)
		snprintf(how, size, "the worker could not be executed%s", words);
	else
		snprintf(how, size, "the process ended itself with exit code %d while %s%s", WEXITSTATUS(status),
			 stage_name(runner->stage), words);
	close(runner->fd);
	close(runner->output_fd);
	runner->fd = runner->output_fd = -1;
	runner->pid = 0;
	runner->is_starting = 0;
}

/* Waits for an answer, noting stages on the way. Short waits, so that the worker's output is taken meanwhile. */
static int await(struct runner *runner, double seconds, struct wire_message *message, struct error *err)
{
	const double deadline = monotonic_seconds() + seconds;
	for (;;) {
		struct pollfd pollers[2] = {{.fd = runner->fd, .events = POLLIN}, {.fd = runner->output_fd, .events = POLLIN}};
		const double left = deadline - monotonic_seconds();
		const int ended = has_ended(runner); /* before the look at what it has sent */
		if (left <= 0)
			return error_set(err, ERROR_TIMEOUT, "timed out");
		poll(pollers, 2, ended ? 0 : left > 0.1 ? 100 : (int)(left * 1000) + 1);
		if (pollers[1].revents & POLLIN)
			drain_output(runner);
		else if (pollers[1].revents)
			usleep(1000); /* closed by the worker: do not spin */
		/* children that the artifact has left behind keep the socket open: its end is not to be waited for */
		if (!pollers[0].revents && ended)
			return error_set(err, ERROR_ENVIRONMENT, "closed");
		if (!pollers[0].revents)
			continue;
		if (wire_receive(runner->fd, deadline, message, err))
			return -1;
		if (message->type != WIRE_STAGE)
			return 0;
		uint32_t stage;
		if (message->size == sizeof stage) {
			memcpy(&stage, message->bytes, sizeof stage);
			runner->stage = (enum stage)stage;
		}
		wire_free(message);
	}
}

static void free_names(struct runner *runner)
{
	for (size_t i = 0; i < runner->name_count; i++)
		free(runner->names[i]);
	free(runner->names);
	runner->names = NULL;
	runner->name_count = 0;
}

static int read_ready(struct runner *runner, const struct wire_message *message, struct error *err)
{
	struct worker_ready ready;
	if (message->size < sizeof ready)
		return wire_garbage(err);
	memcpy(&ready, message->bytes, sizeof ready);
	const size_t count = (size_t)ready.stubbed_count + ready.kernel_count;
	free_names(runner);
	runner->names = calloc(count ? count : 1, sizeof *runner->names);
	if (!runner->names)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	size_t at = sizeof ready;
	for (size_t i = 0; i < count; i++) {
		const void *end = memchr(message->bytes + at, 0, message->size - at);
		if (!end || !(runner->names[i] = strdup((const char *)message->bytes + at)))
			return wire_garbage(err);
		runner->name_count++;
		at = (size_t)((const unsigned char *)end - message->bytes) + 1;
	}
	runner->ready = ready;
	runner->started = 1;
	return 0;
}

enum status runner_refusal(const struct runner *runner)
{
	return runner->refusal;
}

/* What the worker was loading. */
static const char *subject(const struct runner *runner)
{
	return runner->unit.path ? runner->unit.path : runner->setup.archive[0] ? runner->setup.archive : "the worker";
}

/* No answer came to the set-up: what that says, and how the worker ended. */
static int explain_lost_setup(struct runner *runner, struct error *err)
{
	const struct error problem = *err;
	const enum stage stage = runner->stage;
	const int late = problem.kind == ERROR_TIMEOUT;
	char how[512];
	reap(runner, problem.kind != ERROR_ENVIRONMENT, how, sizeof how);
	/* only then is code of the archive running */
	const int is_archive = stage == STAGE_LOAD;
	if (late) {
		runner->refusal = is_archive ? STATUS_TIMEOUT : STATUS_ERROR;
		return error_set(err, is_archive ? ERROR_INPUT : ERROR_ENVIRONMENT,
				 "%s: no answer after %.0f s while %s; a longer --timeout gives it more time", subject(runner),
				 runner->options.setup_timeout, stage_name(stage));
	}
	runner->refusal = is_archive ? STATUS_CRASHED : STATUS_ERROR;
	if (problem.kind == ERROR_INPUT)
		return error_set(err, ERROR_INPUT, "%s: %s while %s", subject(runner), problem.message, stage_name(stage));
	return error_set(err, ERROR_INPUT, "%s: loading it ended the process: %s", subject(runner), how);
}

int runner_begin(struct runner *runner, struct error *err)
{
	if (runner->pid)
		return 0;
	runner->refusal = STATUS_ERROR;
	if (spawn(runner, err))
		return -1;
	if (wire_send(runner->fd, WIRE_SETUP, &runner->setup, sizeof runner->setup, err))
		return explain_lost_setup(runner, err);
	runner->is_starting = 1;
	return 0;
}

int runner_start(struct runner *runner, struct error *err)
{
	struct wire_message message;
	char how[512];
	if (runner->pid && !runner->is_starting)
		return 0;
	if (runner_begin(runner, err))
		return -1;
	runner->is_starting = 0;
	if (await(runner, runner->options.setup_timeout, &message, err))
		return explain_lost_setup(runner, err);
	int result = -1;
	if (message.type == WIRE_FAILED && message.size == sizeof *err)
		memcpy(err, message.bytes, sizeof *err);
	else if (message.type == WIRE_READY)
		result = read_ready(runner, &message, err);
	else
		wire_garbage(err);
	wire_free(&message);
	if (result) {
		err->message[sizeof err->message - 1] = '\0';
		if (err->kind == ERROR_UNSUPPORTED)
			runner->refusal = STATUS_UNSUPPORTED;
		reap(runner, 1, how, sizeof how);
	}
	return result;
}

static int send_unit(struct runner *runner, struct error *err)
{
	const struct runner_unit *unit = &runner->unit;
	struct text bytes = {0};
	struct wire_unit *head = calloc(1, sizeof *head);
	int result = -1;
	if (!head)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	*head = (struct wire_unit){.abi = unit->abi, .whole = unit->whole, .is_archive = unit->is_archive,
				   .runtime_major = unit->runtime_major, .symbol_count = (uint32_t)unit->symbol_count};
	if (snprintf(head->path, sizeof head->path, "%s", unit->path) >= (int)sizeof head->path) {
		error_set(err, ERROR_USAGE, "PATH: longer than %zu characters", sizeof head->path - 1);
		goto done;
	}
	if (unit->donor && snprintf(head->donor, sizeof head->donor, "%s", unit->donor) >= (int)sizeof head->donor) {
		error_set(err, ERROR_USAGE, "--donor: longer than %zu characters", sizeof head->donor - 1);
		goto done;
	}
	snprintf(head->keep_label, sizeof head->keep_label, "%s", unit->keep_label ? unit->keep_label : "");
	text_append_bytes(&bytes, head, sizeof *head);
	for (size_t i = 0; i < unit->symbol_count; i++)
		text_append_bytes(&bytes, unit->symbols[i], strlen(unit->symbols[i]) + 1);
	result = bytes.failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory")
			      : wire_send(runner->fd, WIRE_UNIT, bytes.data, bytes.length, err);
done:
	text_free(&bytes);
	free(head);
	return result;
}

/* Loads the runner's unit into the worker that runs. */
static int load_unit(struct runner *runner, struct wire_loaded *loaded, struct error *err)
{
	struct wire_message message;
	*loaded = (struct wire_loaded){0};
	runner->refusal = STATUS_ERROR;
	runner->stage = STAGE_LOAD;
	if (runner->unit.is_archive)
		runner->archive = runner->unit.path;
	if (send_unit(runner, err) || await(runner, runner->options.setup_timeout, &message, err))
		return explain_lost_setup(runner, err);
	const int good = message.type == WIRE_LOADED && message.size == sizeof *loaded;
	if (good)
		memcpy(loaded, message.bytes, sizeof *loaded);
	wire_free(&message);
	if (!good) {
		wire_garbage(err);
		return explain_lost_setup(runner, err);
	}
	loaded->image[sizeof loaded->image - 1] = '\0';
	loaded->err.message[sizeof loaded->err.message - 1] = '\0';
	if (!loaded->failed) {
		runner->unit_loaded = 1;
		return 0;
	}
	*err = loaded->err;
	if (err->kind == ERROR_UNSUPPORTED)
		runner->refusal = STATUS_UNSUPPORTED;
	else
		err->kind = ERROR_INPUT;
	if (device_error_is_sticky(err)) {
		char how[512];
		wire_send(runner->fd, WIRE_QUIT, NULL, 0, NULL);
		reap(runner, 0, how, sizeof how);
	}
	return -1;
}

int runner_load(struct runner *runner, const struct runner_unit *unit, struct wire_loaded *loaded, struct error *err)
{
	struct error problem = {0};
	*loaded = (struct wire_loaded){0};
	runner->unit = (struct runner_unit){0};
	if (unit->is_archive && runner->archive && strcmp(runner->archive, unit->path) != 0)
		runner_stop(runner);
	if (runner_start(runner, &problem)) {
		/* nothing of the artifact is in it yet */
		if (problem.kind == ERROR_INPUT)
			problem.kind = ERROR_ENVIRONMENT;
		*err = problem;
		return -1;
	}
	runner->unit = *unit;
	return load_unit(runner, loaded, err);
}

void runner_forget_deaths(struct runner *runner)
{
	runner->deaths = 0;
}

static void make_record(struct case_record *record, const struct runner_request *request, enum status status)
{
	*record = (struct case_record){.case_index = request->index};
	snprintf(record->name, sizeof record->name, "%s", request->name);
	snprintf(record->family, sizeof record->family, "%s", request->family);
	snprintf(record->entry_point, sizeof record->entry_point, "%s", request->entry_point);
	record->judgement.status = status;
}

int runner_case(struct runner *runner, const struct runner_request *request, struct case_record *record, struct error *err)
{
	struct wire_message message = {0};
	char how[512];
	struct error problem = {0};
	struct wire_case wire = {.index = request->index, .want_bench = request->want_bench};
	if (request->verified) {
		wire.known.count = request->verified->output_count;
		memcpy(wire.known.digests, request->verified->digests, sizeof wire.known.digests);
	}
	snprintf(wire.name, sizeof wire.name, "%s", request->name);
	snprintf(wire.family, sizeof wire.family, "%s", request->family);
	snprintf(wire.entry_point, sizeof wire.entry_point, "%s", request->entry_point);

	if (runner->options.deaths_in_a_row && runner->deaths >= runner->options.deaths_in_a_row) {
		make_record(record, request, STATUS_SKIPPED);
		snprintf(record->judgement.reason, sizeof record->judgement.reason,
			 "not run: the %d cases before it all ended the worker", runner->deaths);
		return 0;
	}
	struct wire_loaded loaded;
	if (((!runner->pid || runner->is_starting) && runner_start(runner, &problem)) ||
	    (runner->unit.path && !runner->unit_loaded && load_unit(runner, &loaded, &problem))) {
		if (problem.kind != ERROR_INPUT && problem.kind != ERROR_UNSUPPORTED) {
			if (err)
				*err = problem;
			return -1;
		}
		/* it could be loaded before: this case bears it, and the next one has another try */
		make_record(record, request, runner->refusal);
		snprintf(record->judgement.reason, sizeof record->judgement.reason, "%.511s", problem.message);
		runner->deaths++;
		return 0;
	}
	const double start = monotonic_seconds();
	runner->stage = STAGE_PREPARE;
	if (wire_send(runner->fd, WIRE_CASE, &wire, sizeof wire, &problem) == 0 &&
	    await(runner, runner->options.case_timeout, &message, &problem) == 0) {
		const int is_result = message.type == WIRE_RESULT && wire_read_record(&message, record, &problem) == 0;
		wire_free(&message);
		if (is_result && record->case_index == request->index && strcmp(record->name, request->name) == 0) {
			const enum status status = record->judgement.status;
			runner->deaths = status == STATUS_CRASHED ? runner->deaths + 1 : 0;
			/* a lost context ends the worker by itself; the next case must not be sent to it */
			if (record->context_lost)
				reap(runner, 0, how, sizeof how);
			return 0;
		}
		if (is_result)
			case_record_free(record);
		wire_garbage(&problem);
	}
	const int late = problem.kind == ERROR_TIMEOUT, garbled = problem.kind == ERROR_INPUT;
	const enum stage stage = runner->stage;
	make_record(record, request, late ? STATUS_TIMEOUT : STATUS_CRASHED);
	record->wall_seconds = monotonic_seconds() - start;
	reap(runner, late || garbled, how, sizeof how);
	if (late)
		snprintf(record->judgement.reason, sizeof record->judgement.reason, "no answer within %g s while %s",
			 runner->options.case_timeout, stage_name(stage));
	else if (garbled)
		snprintf(record->judgement.reason, sizeof record->judgement.reason, "%.400s while %s", problem.message,
			 stage_name(stage));
	else
		snprintf(record->judgement.reason, sizeof record->judgement.reason, "%.511s", how[0] ? how : problem.message);
	runner->deaths++;
	return 0;
}

const struct worker_ready *runner_ready(const struct runner *runner)
{
	return runner->started ? &runner->ready : NULL;
}

const char *runner_stub(const struct runner *runner, size_t index)
{
	return runner->started && index < runner->ready.stubbed_count ? runner->names[index] : NULL;
}

const char *runner_kernel(const struct runner *runner, size_t index)
{
	return runner->started && index < runner->ready.kernel_count ? runner->names[runner->ready.stubbed_count + index] : NULL;
}

void runner_stop(struct runner *runner)
{
	char how[512];
	if (!runner->pid)
		return;
	wire_send(runner->fd, WIRE_QUIT, NULL, 0, NULL);
	reap(runner, 0, how, sizeof how);
}

void runner_close(struct runner *runner)
{
	if (!runner)
		return;
	runner_stop(runner);
	free_names(runner);
	free(runner);
}
