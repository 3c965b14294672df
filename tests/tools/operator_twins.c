/* Whether the cases tell good kernels from faulty ones: runs the cases of specs against many modules, each module in a process
 * of its own, so that one that hangs or takes its context with it costs no other.
 *
 *     operator_twins [--device D] [--math fast|precise] [--jobs N] [--seconds S] [--repeats N] --spec FILE... LIST
 *
 * LIST has lines "MODULE ENTRY EXPECTED". EXPECTED is
 *     pass       every case of the entry point passes
 *     any        some case does not
 *     CHECK      some case breaks that check (harness/judge/verdict.h; _ may stand for -), or ends in that status
 * `*` for an entry stands for all that the module has. Cases are run until what is expected is seen. One line for each line of
 * LIST goes to stdout:
 *     as-expected|NOT|UNABLE MODULE ENTRY: what was seen
 * UNABLE: no cases, or the cases could not be run. Exit 1 when some line is not as expected.
 *
 * What only the cpu device sees (access, undefined, race, barrier) shows on a GPU by chance: there such a line is as expected
 * when any check breaks, and says so when none does. */
#include "artifact/ptx.h"
#include "core/util.h"
#include "operate.h"
#include "source.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPECS_MAX = 64, JOBS_MAX = 64 };

struct line {
	char *module, *entry, *expected;
};

struct options {
	const char *device, *specs[SPECS_MAX], *list;
	enum math math;
	int spec_count, jobs, seconds, repeats;
};

struct run {
	struct options options;
	struct case_source *sources[SPECS_MAX];
	struct line *lines;
	size_t line_count;
};

enum result { AS_EXPECTED, NOT_EXPECTED, UNABLE };

/* ---- one module, in a process of its own ---- */

/* Names of what is broken, separated by commas. */
static void name_broken(const struct judgement *judgement, char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (int check = 0; check < CHECK_NAMES_COUNT && used < size; check++)
		if (judgement->checks[check].state == CHECK_BROKEN)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", check_name((enum check)check));
	if (!text[0])
		snprintf(text, size, "%s", status_name(judgement->status));
}

static int is_seen(const struct line *line, const struct judgement *judgement)
{
	char name[32];
	if (strcmp(line->expected, "any") == 0)
		return judgement->status != STATUS_PASS;
	snprintf(name, sizeof name, "%s", line->expected);
	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = '-';
	const enum check check = check_from_name(name);
	if (check != CHECK_NAMES_COUNT)
		return judgement->checks[check].state == CHECK_BROKEN;
	return judgement->status == status_from_name(name);
}

static int only_the_cpu_sees(const char *expected)
{
	static const char *const names[] = {"access", "undefined", "race", "barrier"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(expected, names[i]) == 0)
			return 1;
	return 0;
}

struct seen {
	long cases, bad;
	char first[600]; /* that was bad: what, where */
};

/* 1: seen. 0: not in any case. -1: the cases could not be run. */
static int run_cases(const struct run *run, const struct line *line, struct operate *operate, int is_gpu, struct case_record *record,
		     struct seen *seen, struct error *err)
{
	const int wants_pass = strcmp(line->expected, "pass") == 0;
	for (int s = 0; s < run->options.spec_count; s++) {
		const struct case_source *source = run->sources[s];
		for (size_t i = 0; i < case_source_count(source); i++) {
			struct test_case test;
			const struct family *family;
			if (strcmp(case_source_entry(source, i), line->entry) != 0)
				continue;
			if (case_source_load(source, i, 1, &test, &family, err))
				return -1;
			const int abi = family_has_symbol(family, OPERATOR_ABI_092, line->entry, NULL) ? OPERATOR_ABI_092 : OPERATOR_ABI_011;
			const struct operate_target target = {.family = family, .abi = abi, .symbol = line->entry};
			const int lost = operate_case(operate, &target, &test, NULL, record);
			case_free(&test);
			const struct judgement *judgement = &record->judgement;
			seen->cases++;
			if (judgement->status == STATUS_UNSUPPORTED || judgement->status == STATUS_ERROR)
				return error_set(err, ERROR_INTERNAL, "%s: %s", record->name, judgement->reason);
			if (judgement->status != STATUS_PASS && seen->bad++ == 0) {
				char broken[160];
				name_broken(judgement, broken, sizeof broken);
				snprintf(seen->first, sizeof seen->first, "%s in %.150s (%.260s)", broken, record->name, judgement->reason);
			}
			if (wants_pass ? judgement->status != STATUS_PASS : is_seen(line, judgement))
				return 1;
			if (is_gpu && !wants_pass && only_the_cpu_sees(line->expected) && judgement->status != STATUS_PASS)
				return 1;
			if (lost)
				return 0;
		}
	}
	return 0;
}

static void say(const char *result, const struct line *line, const char *what)
{
	printf("%s %s %s: %s\n", result, line->module, line->entry, what);
	fflush(stdout);
}

static enum result run_line(const struct run *run, const struct line *line)
{
	struct operate_options options = {.repeats = run->options.repeats, .math = run->options.math};
	struct operate_loaded loaded;
	struct operate *operate = NULL;
	struct seen seen = {0};
	struct error err = {0};
	char text[900];
	const char *const symbols[] = {line->entry};
	struct case_record *record = calloc(1, sizeof *record);
	int found = record ? 0 : error_set(&err, ERROR_ENVIRONMENT, "out of memory");
	if (!found && (device_open(&options.device, run->options.device, NULL, &err) || operate_open(&operate, &options, &err) ||
		       operate_load(operate, line->module, symbols, 1, 0, &loaded, &err)))
		found = -1;
	const int is_gpu = strcmp(run->options.device, "cpu") != 0;
	if (!found)
		found = run_cases(run, line, operate, is_gpu, record, &seen, &err);
	operate_close(operate);
	device_close(options.device);
	free(record);
	if (found < 0 || !seen.cases) {
		say("UNABLE", line, found < 0 ? err.message : "no case is for it");
		return UNABLE;
	}
	const int wants_pass = strcmp(line->expected, "pass") == 0;
	const int chance = is_gpu && only_the_cpu_sees(line->expected) && !seen.bad;
	const int as_expected = wants_pass ? !seen.bad : found || chance;
	if (!seen.bad)
		snprintf(text, sizeof text, "%ld cases pass%s", seen.cases, chance ? "; a GPU shows this fault by chance only" : "");
	else
		snprintf(text, sizeof text, "%s%s%s%ld of %ld cases", as_expected ? "" : "expected ", as_expected ? "" : line->expected,
			 as_expected ? "" : "; ", seen.bad, seen.cases);
	if (seen.bad) {
		const size_t used = strlen(text);
		snprintf(text + used, sizeof text - used, ": %s", seen.first);
	}
	say(as_expected ? "as-expected" : "NOT", line, text);
	return as_expected ? AS_EXPECTED : NOT_EXPECTED;
}

/* Keeps to one core where several run at once on the cpu device, which would use all. */
static void keep_to_core(int job)
{
	cpu_set_t allowed, one;
	if (sched_getaffinity(0, sizeof allowed, &allowed))
		return;
	int wanted = job % CPU_COUNT(&allowed);
	CPU_ZERO(&one);
	for (int core = 0; core < CPU_SETSIZE; core++)
		if (CPU_ISSET(core, &allowed) && wanted-- == 0)
			CPU_SET(core, &one);
	sched_setaffinity(0, sizeof one, &one); /* a wish: it goes on without */
}

static _Noreturn void child(const struct run *run, const struct line *line, int job)
{
	/* time of the processor, not of the clock: others may use the machine too. The clock is for what sleeps. */
	const struct rlimit limit = {(rlim_t)run->options.seconds, (rlim_t)run->options.seconds + 5};
	setrlimit(RLIMIT_CPU, &limit);
	alarm((unsigned)run->options.seconds * 10);
	if (run->options.jobs > 1 && strcmp(run->options.device, "cpu") == 0)
		keep_to_core(job);
	const enum result result = run_line(run, line);
	fflush(stdout);
	_exit((int)result);
}

/* ---- all of them ---- */

static enum result result_of(const struct line *line, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) <= UNABLE)
		return (enum result)WEXITSTATUS(status);
	const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	const int hung = signal == SIGXCPU || signal == SIGALRM || signal == SIGKILL;
	const char *name = hung ? "timeout" : "crashed";
	const int as_expected = strcmp(line->expected, "any") == 0 || strcmp(line->expected, name) == 0;
	char text[100];
	snprintf(text, sizeof text, "%s%s (signal %d)", as_expected ? "" : "expected something else; ", name, signal);
	say(as_expected ? "as-expected" : "NOT", line, text);
	return as_expected ? AS_EXPECTED : NOT_EXPECTED;
}

static int run_all(const struct run *run)
{
	struct {
		pid_t process;
		const struct line *line;
	} jobs[JOBS_MAX] = {0};
	size_t next = 0;
	int running = 0, bad = 0;
	while (next < run->line_count || running) {
		for (int job = 0; job < run->options.jobs && next < run->line_count; job++) {
			if (jobs[job].process)
				continue;
			fflush(stdout);
			const pid_t process = fork();
			if (process == 0)
				child(run, &run->lines[next], job);
			if (process < 0) {
				perror("operator_twins: fork");
				return 2;
			}
			jobs[job].process = process;
			jobs[job].line = &run->lines[next++];
			running++;
		}
		int status;
		const pid_t ended = wait(&status);
		for (int job = 0; ended > 0 && job < run->options.jobs; job++)
			if (jobs[job].process == ended) {
				bad += result_of(jobs[job].line, status) != AS_EXPECTED;
				jobs[job].process = 0;
				running--;
			}
	}
	fprintf(stderr, "%zu modules and entry points, %d not as expected\n", run->line_count, bad);
	return bad ? 1 : 0;
}

static int add_line(struct run *run, const char *module, const char *entry, const char *expected, struct error *err)
{
	struct line *lines = realloc(run->lines, (run->line_count + 1) * sizeof *lines);
	if (!lines)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	run->lines = lines;
	lines[run->line_count++] = (struct line){copy_text(module, strlen(module)), copy_text(entry, strlen(entry)),
						 copy_text(expected, strlen(expected))};
	return 0;
}

static int add_lines(struct run *run, const char *module, const char *entry, const char *expected, struct error *err)
{
	if (strcmp(entry, "*") != 0)
		return add_line(run, module, entry, expected, err);
	struct file_map map;
	struct ptx ptx;
	if (file_map_open(&map, module, err))
		return -1;
	int failed = ptx_parse((const char *)map.data, map.size, &ptx, err) ? error_context(err, "%s", module) : 0;
	file_map_close(&map);
	if (failed)
		return -1;
	for (int i = 0; !failed && i < ptx.entry_count; i++)
		failed = add_line(run, module, ptx.entries[i].name, expected, err);
	ptx_free(&ptx);
	return failed;
}

static int read_list(struct run *run, struct error *err)
{
	FILE *file = strcmp(run->options.list, "-") == 0 ? stdin : fopen(run->options.list, "r");
	char text[8192], module[4096], entry[256], expected[64];
	int failed = 0;
	if (!file)
		return error_set(err, ERROR_INPUT, "%s: %s", run->options.list, strerror(errno));
	while (!failed && fgets(text, sizeof text, file)) {
		if (sscanf(text, "%4095s %255s %63s", module, entry, expected) != 3)
			failed = error_set(err, ERROR_INPUT, "%s: not MODULE ENTRY EXPECTED: %s", run->options.list, text);
		else
			failed = add_lines(run, module, entry, expected, err);
	}
	if (file != stdin)
		fclose(file);
	return failed || run->line_count ? failed : error_set(err, ERROR_INPUT, "%s: no line", run->options.list);
}

static int read_options(int argc, char **argv, struct options *options)
{
	*options = (struct options){.device = "cpu", .jobs = 1, .seconds = 60, .repeats = 1};
	int i = 1;
	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];
		if (!strcmp(name, "--device"))
			options->device = value;
		else if (!strcmp(name, "--math"))
			options->math = strcmp(value, "fast") == 0 ? MATH_FAST : MATH_PRECISE;
		else if (!strcmp(name, "--jobs"))
			options->jobs = atoi(value);
		else if (!strcmp(name, "--seconds"))
			options->seconds = atoi(value);
		else if (!strcmp(name, "--repeats"))
			options->repeats = atoi(value);
		else if (!strcmp(name, "--spec") && options->spec_count < SPECS_MAX)
			options->specs[options->spec_count++] = value;
		else
			return -1;
	}
	options->list = i + 1 == argc ? argv[i] : NULL;
	return options->list && options->spec_count && options->jobs > 0 && options->jobs <= JOBS_MAX && options->seconds > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct run run = {0};
	struct error err = {0};
	if (read_options(argc, argv, &run.options)) {
		fprintf(stderr, "usage: operator_twins [--device D] [--math fast|precise] [--jobs N] [--seconds S] [--repeats N] --spec FILE... "
				"LIST\n");
		return 2;
	}
	int failed = read_list(&run, &err);
	for (int i = 0; !failed && i < run.options.spec_count; i++)
		failed = case_source_open(&run.sources[i], run.options.specs[i], 0, &err) ?
				 error_context(&err, "%s", run.options.specs[i]) : 0;
	if (failed)
		fprintf(stderr, "operator_twins: %s\n", err.message);
	const int code = failed ? 2 : run_all(&run);
	for (int i = 0; i < run.options.spec_count; i++)
		case_source_close(run.sources[i]);
	for (size_t i = 0; i < run.line_count; i++) {
		free(run.lines[i].module);
		free(run.lines[i].entry);
		free(run.lines[i].expected);
	}
	free(run.lines);
	return code;
}
