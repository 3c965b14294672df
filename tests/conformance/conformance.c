/* conformance: runs the suite on a device, and records its results or compares them with recorded ones.
 *
 * Each family runs in a child process, so that a kernel that hangs, crashes or leaves the device useless costs its own check
 * only: a new child goes on behind it. */
#include "suite.h"

#include "device/device.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SKIPPED = 77, CHILD_STUCK = 3 };

struct options {
	const char *device, *record, *check, *filter, *ptx;
	int list, verbose, seconds, keep;
	int child_family, child_first; /* -1: this is no child */
	int pipe;
};

struct message {
	int32_t index, status;
	uint64_t bytes;
	char text[256];
};

/* ---- child ---- */

static int write_all(int fd, const void *bytes, size_t count)
{
	while (count) {
		const ssize_t written = write(fd, bytes, count);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return -1;
		bytes = (const char *)bytes + written;
		count -= (size_t)written;
	}
	return 0;
}

static int run_kernel(struct device *device, struct device_module *module, const struct check *check, unsigned char *output, struct error *err)
{
	const struct device_ops *ops = device->ops;
	device_pointer buffers[4] = {0};
	void *arguments[4] = {&buffers[0], &buffers[1], &buffers[2], &buffers[3]};
	struct device_function *function;
	unsigned char *bytes = NULL;
	int result = -1;

	if (ops->module_function(device, module, check->kernel, &function, err))
		return -1;
	for (int i = 0; i < 3; i++) {
		if (!check->inputs[i])
			continue;
		bytes = calloc(1, check->input_bytes[i]);
		if (!bytes) {
			error_set(err, ERROR_ENVIRONMENT, "no memory for the inputs");
			goto done;
		}
		inputs_fill(check, i, bytes);
		if (ops->alloc(device, check->input_bytes[i], &buffers[i], err) ||
		    ops->copy_in(device, buffers[i], bytes, check->input_bytes[i], NULL, err))
			goto done;
		free(bytes);
		bytes = NULL;
	}
	if (ops->alloc(device, check->output_bytes, &buffers[3], err) ||
	    ops->fill(device, buffers[3], 0xcc, 1, check->output_bytes, NULL, err) ||
	    ops->launch(device, function, (struct device_dim3){(uint32_t)(check->threads / BLOCK_THREADS), 1, 1},
			(struct device_dim3){BLOCK_THREADS, 1, 1}, 0, NULL, arguments, err) ||
	    ops->synchronize(device, err) || ops->copy_out(device, output, buffers[3], check->output_bytes, NULL, err))
		goto done;
	result = 0;
done:
	free(bytes);
	for (int i = 0; i < 4; i++)
		device_free(device, buffers[i]);
	return result;
}

static int load(struct device *device, const struct check *checks, int count, int family, struct device_module **module, struct error *err)
{
	char *text;
	if (module_text(checks, count, family, &text, err))
		return -1;
	const int result = device->ops->module_load(device, text, module, err);
	free(text);
	return result;
}

static int child(const struct options *options, const struct check *checks, int count)
{
	struct device_module *whole = NULL;
	struct device *device = NULL;
	struct error err = {0};

	if (device_open(&device, options->device, NULL, &err)) {
		fprintf(stderr, "conformance: %s\n", err.message);
		return 1;
	}
	/* a driver that does not know one instruction refuses the whole module: then kernel by kernel */
	if (load(device, checks, count, options->child_family, &whole, &err)) {
		fprintf(stderr, "conformance: family %s as a whole: %s\n", conformance_family(options->child_family).name, err.message);
		whole = NULL;
	}
	int stuck = 0;
	for (int i = options->child_first; i < count && !stuck; i++) {
		struct message message = {.index = i};
		struct device_module *module = whole;
		unsigned char *output = NULL;
		if (checks[i].family != options->child_family || (options->filter && !strstr(checks[i].label, options->filter)))
			continue;
		err = (struct error){0};
		output = calloc(1, checks[i].output_bytes);
		if (!output)
			return 1;
		if ((!module && load(device, &checks[i], 1, options->child_family, &module, &err)) || run_kernel(device, module, &checks[i], output, &err)) {
			message.status = err.kind == ERROR_UNSUPPORTED ? UNSUPPORTED : FAILED;
			snprintf(message.text, sizeof(message.text), "%.255s", err.message);
			stuck = err.kind == ERROR_DEVICE; /* whether sticky or not: the next one gets a fresh device */
		} else {
			message.status = RAN;
			message.bytes = checks[i].output_bytes;
		}
		if (write_all(options->pipe, &message, sizeof(message)) || (message.bytes && write_all(options->pipe, output, message.bytes)))
			stuck = 1;
		free(output);
		if (module && module != whole && !stuck)
			device->ops->module_unload(device, module, NULL);
	}
	if (stuck)
		_exit(CHILD_STUCK); /* closing a device in that state may hang */
	if (whole)
		device->ops->module_unload(device, whole, NULL);
	device_close(device);
	return 0;
}

/* ---- parent ---- */

/* 1: everything read; 0: end; -1: too late. */
static int read_all(int fd, void *bytes, size_t count, int seconds)
{
	while (count) {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};
		const int ready = poll(&waiting, 1, seconds * 1000);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return -1;
		const ssize_t got = read(fd, bytes, count);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		bytes = (char *)bytes + got;
		count -= (size_t)got;
	}
	return 1;
}

/* Runs the family's checks from `first` on in one child. Returns the index to go on with, or -1 when all are done. */
static int run_child(const struct options *options, const struct check *checks, int count, int family, int first, struct outcome *outcomes)
{
	char family_text[16], first_text[16], pipe_text[16];
	int ends[2], next = first, last = -1, late = 0, status = 0;

	if (pipe(ends))
		return -1;
	snprintf(family_text, sizeof(family_text), "%d", family);
	snprintf(first_text, sizeof(first_text), "%d", first);
	snprintf(pipe_text, sizeof(pipe_text), "%d", ends[1]);
	fflush(stdout);
	const pid_t pid = fork();
	if (pid == 0) {
		const char *const arguments[] = {"conformance", "--device", options->device, "--child", family_text, first_text, pipe_text,
						 options->filter ? "--filter" : NULL, options->filter, NULL};
		char *copies[10];
		for (int i = 0; i < 10; i++)
			copies[i] = arguments[i] ? strdup(arguments[i]) : NULL;
		close(ends[0]);
		execv("/proc/self/exe", copies);
		_exit(127);
	}
	close(ends[1]);
	for (int i = first; i < count; i++)
		if (checks[i].family == family)
			last = i;
	while (pid > 0) {
		struct message message;
		const int got = read_all(ends[0], &message, sizeof(message), options->seconds);
		if (got <= 0) {
			late = got < 0;
			break;
		}
		if (message.index < next || message.index > last || message.bytes > checks[message.index].output_bytes)
			break;
		struct outcome *outcome = &outcomes[message.index];
		outcome->status = (enum outcome_status)message.status;
		memcpy(outcome->message, message.text, sizeof(outcome->message));
		outcome->message[sizeof(outcome->message) - 1] = 0;
		if (message.bytes) {
			outcome->output = malloc(message.bytes);
			if (!outcome->output || read_all(ends[0], outcome->output, message.bytes, options->seconds) != 1) {
				outcome->status = FAILED;
				break;
			}
		}
		next = message.index + 1;
	}
	close(ends[0]);
	if (pid > 0) {
		if (late)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return -1;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == CHILD_STUCK)
		return next <= last ? next : -1;
	/* it ended inside a check: the first one not reported */
	for (; next <= last; next++)
		if (checks[next].family == family && (!options->filter || strstr(checks[next].label, options->filter)))
			break;
	if (next > last)
		return -1;
	outcomes[next].status = FAILED;
	if (late)
		snprintf(outcomes[next].message, sizeof(outcomes[next].message), "no answer within %d s", options->seconds);
	else if (pid > 0 && WIFSIGNALED(status))
		snprintf(outcomes[next].message, sizeof(outcomes[next].message), "the process was ended by signal %d", WTERMSIG(status));
	else
		snprintf(outcomes[next].message, sizeof(outcomes[next].message), "the process ended with exit code %d", pid > 0 ? WEXITSTATUS(status) : -1);
	/* no device at all is the same for every check */
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1 && next == first ? -2 : next + 1;
}

static int run_all(const struct options *options, const struct check *checks, int count, struct outcome *outcomes)
{
	for (int family = 0; family < conformance_family_count; family++) {
		int first = -1;
		for (int i = count - 1; i >= 0; i--)
			if (checks[i].family == family && (!options->filter || strstr(checks[i].label, options->filter)))
				first = i;
		while (first >= 0)
			first = run_child(options, checks, count, family, first, outcomes);
		if (first == -2)
			return -1;
		if (options->verbose)
			printf("%s\n", conformance_family(family).name);
	}
	return 0;
}

static void facts_of(const char *id, struct machine_facts *facts)
{
	struct device *device;
	struct error err;
	const time_t now = time(NULL);
	struct tm parts;

	memset(facts, 0, sizeof(*facts));
	if (gmtime_r(&now, &parts))
		strftime(facts->date, sizeof(facts->date), "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (device_open(&device, id, NULL, &err)) /* after the children: forking with an open device would not do */
		return;
	snprintf(facts->device, sizeof(facts->device), "%s", device->properties.name);
	snprintf(facts->driver, sizeof(facts->driver), "%s, CUDA %d.%d", device->properties.driver_text, device->properties.driver_version / 1000,
		 device->properties.driver_version % 1000 / 10);
	device_close(device);
}

/* Outcomes that were not made now are taken from the file that is about to be written again: on the same device only. */
static int keep_recorded(const struct options *options, const struct check *checks, int count, struct outcome *outcomes,
			 struct machine_facts *facts, struct error *err)
{
	struct outcome *recorded = calloc((size_t)count, sizeof(*recorded));
	uint64_t *keys = calloc((size_t)count, sizeof(*keys));
	struct machine_facts before;
	int result = -1;

	if (!recorded || !keys) {
		error_set(err, ERROR_ENVIRONMENT, "no memory for the recorded results");
		goto done;
	}
	if (store_read(options->record, checks, count, recorded, keys, &before, err))
		goto done;
	if (strcmp(before.device, facts->device) || strcmp(before.driver, facts->driver)) {
		error_set(err, ERROR_INPUT, "%s: was recorded on %s (%s), and this is %s (%s): record all of it", options->record, before.device,
			  before.driver, facts->device, facts->driver);
		goto done;
	}
	*facts = before;
	for (int i = 0; i < count; i++)
		if (outcomes[i].status == NOT_RUN && keys[i] && keys[i] == check_key(&checks[i])) {
			outcomes[i] = recorded[i];
			recorded[i].output = NULL;
		}
	result = 0;
done:
	for (int i = 0; i < count && recorded; i++)
		free(recorded[i].output);
	free(recorded);
	free(keys);
	return result;
}

static int compare(const struct options *options, const struct check *checks, int count, const struct outcome *outcomes, struct error *err)
{
	struct outcome *recorded = calloc((size_t)count, sizeof(*recorded));
	uint64_t *keys = calloc((size_t)count, sizeof(*keys));
	struct machine_facts facts;
	int same = 0, wrong = 0, unsupported = 0, failed = 0, missing = 0, both = 0;
	int result = -1;

	if (!recorded || !keys) {
		error_set(err, ERROR_ENVIRONMENT, "no memory for the recorded results");
		goto done;
	}
	if (store_read(options->check, checks, count, recorded, keys, &facts, err))
		goto done;
	for (int i = 0; i < count; i++) {
		struct verdict verdict;
		if (options->filter && !strstr(checks[i].label, options->filter))
			continue;
		if (keys[i] == 0 || keys[i] != check_key(&checks[i])) {
			printf("  skipped        %s: not recorded yet; --record FILE --keep --filter on the GPU of the record adds it\n", checks[i].label);
			missing++;
		} else if (outcomes[i].status == UNSUPPORTED) {
			printf("  unsupported    %s: %s\n", checks[i].label, outcomes[i].message);
			unsupported++;
		} else if (outcomes[i].status != RAN && recorded[i].status != RAN) {
			printf("  runs on neither %s: %s\n", checks[i].label, outcomes[i].message);
			both++;
		} else if (outcomes[i].status != RAN) {
			printf("  failed         %s: %s\n", checks[i].label, outcomes[i].message);
			failed++;
		} else if (recorded[i].status != RAN) {
			printf("  skipped        %s: the recorded device could not run it\n", checks[i].label);
			missing++;
		} else {
			judge(&checks[i], outcomes[i].output, recorded[i].output, &verdict);
			if (verdict.different) {
				printf("  different      %s: %ld of %ld: %s\n", checks[i].label, verdict.different, verdict.compared, verdict.first);
				wrong++;
			} else
				same++;
			if (options->verbose && verdict.worst > 0)
				printf("  worst error    %s: %.3f of its bound\n", checks[i].label, verdict.worst);
		}
	}
	printf("recorded on %s (%s) at %s\n", facts.device, facts.driver, facts.date);
	printf("%d agree, %d differ, %d failed, %d unsupported, %d not recorded, %d run on neither device\n", same, wrong, failed, unsupported, missing,
	       both);
	if (same + wrong + failed + unsupported + missing == 0)
		error_set(err, ERROR_INPUT, "no check was selected");
	else
		/* a new row waits for its record; a table that changed as a whole needs a new one */
		result = wrong || failed || unsupported || same == 0 || missing > (same + wrong) / 50;
done:
	for (int i = 0; i < count && recorded; i++)
		free(recorded[i].output);
	free(recorded);
	free(keys);
	return result;
}

static int write_modules(const struct options *options, const struct check *checks, int count, struct error *err)
{
	for (int family = 0; family < conformance_family_count; family++) {
		char path[4096], *text;
		if (module_text(checks, count, family, &text, err))
			return -1;
		snprintf(path, sizeof(path), "%s/%s.ptx", options->ptx, conformance_family(family).name);
		FILE *file = fopen(path, "w");
		const int failed = !file || fputs(text, file) == EOF;
		free(text);
		if ((file && fclose(file)) || failed)
			return error_set(err, ERROR_INPUT, "%s: cannot be written", path);
	}
	return 0;
}

static int usage(void)
{
	fputs("usage: conformance [--device ID] [--filter TEXT] [--verbose] [--seconds N] [--keep] --record FILE | --check FILE | --ptx FOLDER | --list\n"
	      "  --record FILE  runs the suite and stores its results (HDF5)\n"
	      "  --keep         with --record and --filter: FILE keeps what it has of the checks that were not selected\n"
	      "  --check FILE   runs the suite and compares with stored results; exit code 1 where they differ, 77 without the file or device\n"
	      "  --ptx FOLDER   writes the PTX modules\n"
	      "  --list         names the checks\n"
	      "  --seconds N    gives a kernel up, or the loading of a module, after N seconds without an answer (300)\n", stderr);
	return 2;
}

static int parse(struct options *options, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char **text = !strcmp(argv[i], "--device") ? &options->device : !strcmp(argv[i], "--record") ? &options->record
				    : !strcmp(argv[i], "--check") ? &options->check : !strcmp(argv[i], "--filter") ? &options->filter
				    : !strcmp(argv[i], "--ptx") ? &options->ptx : NULL;
		if (text && i + 1 < argc)
			*text = argv[++i];
		else if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
			options->seconds = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--list"))
			options->list = 1;
		else if (!strcmp(argv[i], "--keep"))
			options->keep = 1;
		else if (!strcmp(argv[i], "--verbose"))
			options->verbose = 1;
		else if (!strcmp(argv[i], "--child") && i + 3 < argc) {
			options->child_family = atoi(argv[++i]);
			options->child_first = atoi(argv[++i]);
			options->pipe = atoi(argv[++i]);
		} else
			return -1;
	}
	return options->seconds > 0 && (options->child_first >= 0 || options->list || options->record || options->check || options->ptx) ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct options options = {.device = device_default_id(), .seconds = 300, .child_family = -1, .child_first = -1};
	struct outcome *outcomes = NULL;
	struct check *checks = NULL;
	struct error err = {0};
	int count = 0, status = 1;

	if (parse(&options, argc, argv))
		return usage();
	if (checks_make(&checks, &count, &err)) {
		fprintf(stderr, "conformance: %s\n", err.message);
		return 1;
	}
	if (options.child_first >= 0) {
		status = child(&options, checks, count);
		goto done;
	}
	if (options.list)
		for (int i = 0; i < count; i++)
			printf("%-20s %s\n", conformance_family(checks[i].family).name, checks[i].label);
	if (options.ptx && write_modules(&options, checks, count, &err))
		goto failed;
	if (!options.record && !options.check) {
		status = 0;
		goto done;
	}
	if (options.check && access(options.check, F_OK)) {
		printf("SKIPPED: there are no recorded results %s; make them with --device cuda:0 --record\n", options.check);
		status = SKIPPED;
		goto done;
	}
	if (!strncmp(options.device, "cuda", 4)) {
		char why[256];
		if (device_cuda_count(why, sizeof(why)) == 0) {
			printf("SKIPPED: no CUDA device: %s\n", why);
			status = SKIPPED;
			goto done;
		}
	}
	outcomes = calloc((size_t)count, sizeof(*outcomes));
	if (!outcomes || run_all(&options, checks, count, outcomes)) {
		fprintf(stderr, "conformance: the device %s cannot be used\n", options.device);
		goto done;
	}
	status = 0;
	if (options.record) {
		struct machine_facts facts;
		int ran = 0, selected = 0;
		for (int i = 0; i < count; i++) {
			ran += outcomes[i].status == RAN;
			selected += outcomes[i].status != NOT_RUN;
			if (outcomes[i].status == FAILED || outcomes[i].status == UNSUPPORTED)
				printf("  %s  %s: %s\n", outcomes[i].status == FAILED ? "failed     " : "unsupported", checks[i].label, outcomes[i].message);
		}
		facts_of(options.device, &facts);
		if (options.keep && keep_recorded(&options, checks, count, outcomes, &facts, &err))
			goto failed;
		if (store_write(options.record, checks, count, outcomes, &facts, &err))
			goto failed;
		printf("%d of %d checks ran; their results are in %s\n", ran, selected, options.record);
		status = ran == 0;
	}
	if (options.check) {
		const int different = compare(&options, checks, count, outcomes, &err);
		if (different < 0)
			goto failed;
		status |= different;
	}
	goto done;
failed:
	fprintf(stderr, "conformance: %s\n", err.message);
	status = 1;
done:
	for (int i = 0; i < count && outcomes; i++)
		free(outcomes[i].output);
	free(outcomes);
	free(checks);
	return status;
}
