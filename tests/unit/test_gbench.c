/* Google Benchmark keeps its state for the process, so each run is a child of this program: test_gbench RUN JSON FILTER. */
#include "check.h"
#include "core/util.h"
#include "measure/gbench.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int calls_of_good, calls_after_stop;

static int good(void *context, struct gbench_result *result)
{
	calls_of_good++;
	result->seconds = *(const double *)context;
	result->host_seconds = 4.5e-6;
	gbench_count(result, "flops", 395.25e12);
	gbench_count(result, "percent_of_roof", 62.5);
	gbench_count(result, "nothing", NAN);
	gbench_count(result, "endless", -INFINITY);
	snprintf(result->label, sizeof result->label, "gated");
	return 0;
}

static int too_many(void *context, struct gbench_result *result)
{
	(void)context;
	result->seconds = 1;
	for (int i = 0; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof name, "c%d", i);
		gbench_count(result, name, i);
	}
	return 0;
}

static int skipped(void *context, struct gbench_result *result)
{
	(void)context;
	result->outcome = GBENCH_SKIPPED;
	snprintf(result->message, sizeof result->message, "verdict was \"fail\"");
	return 0;
}

static int without_time(void *context, struct gbench_result *result)
{
	(void)context;
	result->seconds = NAN;
	return 0;
}

static int stops(void *context, struct gbench_result *result)
{
	(void)context;
	result->outcome = GBENCH_FAILED;
	snprintf(result->message, sizeof result->message, "the device is gone");
	return 1;
}

static int after_stop(void *context, struct gbench_result *result)
{
	(void)context;
	calls_after_stop++;
	result->seconds = 1;
	return 0;
}

static int child(const char *json, const char *filter)
{
	static const double times[] = {1377e-6, 10.1e-6};
	struct gbench_options options = {.filter = filter, .json_path = json[0] ? json : NULL, .console = 1};
	struct error err = {0};

	CHECK_INT(gbench_context("early", "1", &err), -1);
	if (gbench_initialize(&options, &err) != 0) {
		printf("error: %s\n", err.message);
		return 3;
	}
	CHECK_INT(gbench_initialize(&options, &err), -1);
	CHECK_INT(gbench_context("device", "cuda:0 \"H100\"", &err), 0);
	CHECK_INT(gbench_context("device", "another", &err), 0);
	CHECK_INT(gbench_register("attention/f16 d=128 (hot)", good, (void *)(uintptr_t)&times[0], &err), 0);
	CHECK_INT(gbench_register("attention/f16 d=128 (hot)", good, NULL, &err), -1);
	CHECK_INT(gbench_register("attention/f16 d=128 (hot)+", good, (void *)(uintptr_t)&times[1], &err), 0);
	CHECK_INT(gbench_register("many", too_many, NULL, &err), 0);
	CHECK_INT(gbench_register("skipped", skipped, NULL, &err), 0);
	CHECK_INT(gbench_register("no time", without_time, NULL, &err), 0);
	CHECK_INT(gbench_register("stops", stops, NULL, &err), 0);
	CHECK_INT(gbench_register("after", after_stop, NULL, &err), 0);
	err = (struct error){0};
	const int count = gbench_run(&err);
	printf("count %d, good %d, after %d\n", count, calls_of_good, calls_after_stop);
	if (count < 0)
		printf("error: %s\n", err.message);
	CHECK_INT(gbench_run(&err), -1);
	CHECK_INT(gbench_register("late", good, NULL, &err), -1);
	return check_failures ? 9 : 0;
}

/* Standard output of the child in `out`; its exit code. */
static int run_child(const char *json, const char *filter, char *out, size_t size)
{
	int ends[2], status = 0;
	size_t used = 0;

	if (pipe(ends) != 0)
		return -1;
	const pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		/* what the environment asks the library for must not matter */
		setenv("BENCHMARK_REPETITIONS", "3", 1);
		setenv("BENCHMARK_LIST_TESTS", "true", 1);
		setenv("BENCHMARK_FILTER", "many", 1);
		execl("/proc/self/exe", "test_gbench", "run", json, filter, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	for (ssize_t got; used + 1 < size && (got = read(ends[0], out + used, size - 1 - used)) > 0;)
		used += (size_t)got;
	out[used] = '\0';
	close(ends[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int lines_with(const char *text, const char *needle)
{
	int count = 0;
	for (const char *at = text; (at = strstr(at, needle)); at += strlen(needle))
		count++;
	return count;
}

int main(int argc, char **argv)
{
	static char out[65536];
	char folder[] = "/tmp/test_gbench.XXXXXX", path[64];

	if (argc == 4 && strcmp(argv[1], "run") == 0)
		return child(argv[2], argv[3]);
	CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/result.json", folder);

	/* all of them */
	CHECK_INT(run_child(path, "", out, sizeof out), 0);
	CHECK_CONTAINS(out, "count 7, good 2, after 0");
	CHECK_CONTAINS(out, "attention/f16 d=128 (hot) ");
	CHECK_CONTAINS(out, "1377 us");
	CHECK_CONTAINS(out, "10.1 us");
	CHECK_CONTAINS(out, "gated");
	/* why it stopped is said once, by whoever stopped it */
	CHECK_INT(lines_with(out, "the device is gone") + lines_with(out, "an earlier benchmark stopped the run"), 0);
	CHECK_INT(lines_with(out, "iterations:"), 0); /* names are those that were registered */
	CHECK_INT(lines_with(out, "manual_time"), 0);
	struct file_map map;
	static char json[65536];
	CHECK_INT(file_map_open(&map, path, NULL), 0);
	CHECK(map.data && map.size < sizeof json);
	if (map.data && map.size < sizeof json)
		memcpy(json, map.data, map.size);
	file_map_close(&map);
	CHECK_CONTAINS(json, "\"device\": \"cuda:0 \\\"H100\\\"\"");
	CHECK_CONTAINS(json, "\"executable\": \"assay\"");
	CHECK_CONTAINS(json, "\"name\": \"attention/f16 d=128 (hot)\"");
	CHECK_CONTAINS(json, "\"flops\": 3.952");
	CHECK_CONTAINS(json, "\"label\": \"gated\"");
	CHECK_CONTAINS(json, "verdict was \\\"fail\\\"");
	CHECK_CONTAINS(json, "the measured time is no time");
	CHECK_CONTAINS(json, "the device is gone");
	CHECK_CONTAINS(json, "an earlier benchmark stopped the run");
	CHECK_INT(lines_with(json, "\"name\":"), 7);
	CHECK_INT(lines_with(json, "\"flops\":"), 2);
	CHECK_INT(lines_with(json, "\"nothing\":"), 0);
	CHECK_INT(lines_with(json, "\"endless\":"), 0);
	CHECK_INT(lines_with(json, "\"c15\":"), 1);
	CHECK_INT(lines_with(json, "\"c16\":"), 0);
	CHECK_INT(lines_with(json, ": nan") - lines_with(json, "no time: nan s"), 0);
	CHECK_INT(lines_with(json, ": NaN") + lines_with(json, ": inf") + lines_with(json, ": -inf") + lines_with(json, "Infinity"), 0);
	CHECK_CONTAINS(json, "\"real_time\": 1.377");
	CHECK_CONTAINS(json, "\"time_unit\": \"us\"");
	CHECK_INT(lines_with(json, "\"cpu_time\": 4.5"), 2);
	unlink(path);

	/* a printed name selects that one, though it is no regular expression for itself */
	CHECK_INT(run_child("", "attention/f16 d=128 (hot)+", out, sizeof out), 0);
	CHECK_CONTAINS(out, "count 1, good 1,");
	CHECK_CONTAINS(out, "10.1 us");
	CHECK_INT(lines_with(out, "1377"), 0);
	CHECK_INT(run_child("", "^attention|many$", out, sizeof out), 0);
	CHECK_CONTAINS(out, "count 3, good 2");
	CHECK_INT(run_child("", "hot.$", out, sizeof out), 0); /* the end of the name, not of what the library makes of it */
	CHECK_CONTAINS(out, "count 1, good 1,");

	/* nothing selected is an error, and leaves no file */
	CHECK_INT(run_child(path, "absent", out, sizeof out), 0);
	CHECK_CONTAINS(out, "count -1, good 0");
	CHECK_CONTAINS(out, "no benchmark is selected by 'absent'");
	CHECK(!path_exists(path));
	CHECK_INT(run_child(path, "(", out, sizeof out), 0);
	CHECK_CONTAINS(out, "count -1");
	CHECK(!path_exists(path));

	/* what cannot be written is told before anything runs */
	CHECK_INT(run_child("/nowhere/at/all.json", "", out, sizeof out), 3);
	CHECK_CONTAINS(out, "/nowhere/at/all.json");
	CHECK_INT(run_child(folder, "", out, sizeof out), 3);
	rmdir(folder);
	CHECK(!path_exists(folder)); /* nothing was left in it */
	return check_result();
}
