/* A session's datasets, the conditions of its record, and what workers are told. */
#include "session_private.h"

#include "buffers.h"
#include "cli.h"
#include "cudart/donor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Defaults, each with its reason.
 * CASE_TIMEOUT: the longest case of attention.spec takes well under a second; a first call may have to compile PTX, which
 * took 10 s for the largest module known. One kernel of many on a GPU gets less: its module is loaded before its cases, and the
 * largest takes a second, most of it the reference's. SETUP, in case timeouts and at least so many seconds: linking an archive of
 * 230 MB and opening a context take some ten seconds on a slow machine.
 * DEATHS: a worker takes about two seconds to start; an archive that kills twenty in a row will kill the next as well. Of one
 * kernel among hundreds three are enough.
 * BENCH_SECONDS: three turns of the clock control of a card at its power limit (an H100's takes about a second, measured): the
 * medians of ten runs that sampled for one turn lay 1.2 to 1.8 % apart.
 * BENCH_LEAST, of a card that is not at its limit: with it the samples of a case take longer than what surrounds them (making
 * inputs, reference, warming up, cuDNN's planning). With --bench-seconds half of that.
 * BENCH_SECONDS_OPERATORS: there are some 1500 of them, each timed twice (hot and cold); 0.05 s are 1000 samples and more of a
 * kernel that takes 10 us. */
#define CASE_TIMEOUT 60.0
#define CASE_TIMEOUT_OPERATORS 20.0
#define SETUP_TIMEOUTS 5.0
#define SETUP_TIMEOUT_LEAST 30.0
#define DEATHS_IN_A_ROW 20
#define DEATHS_IN_A_ROW_OPERATORS 3
#define REPEATS 2
#define BENCH_SECONDS 3.0
#define BENCH_LEAST 1.5
#define BENCH_SECONDS_RUN 0.01
#define BENCH_SECONDS_OPERATORS 0.05
#define BENCH_TARGET 0.01

char *session_data_file(const char *name, struct error *err)
{
	char executable[WORKER_PATH_MAX];
	const char *folder = getenv("ASSAY_DATADIR");
	char *path = NULL;
	if (folder) {
		path = path_join(folder, name);
		if (path && path_exists(path))
			return path;
		free(path);
		error_set(err, ERROR_INPUT, "%s: is not in $ASSAY_DATADIR (%s)", name, folder);
		return NULL;
	}
	const ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
	if (length > 0) {
		executable[length] = '\0';
		char *slash = strrchr(executable, '/');
		static const char *const places[] = {"datasets", "../share/assay/datasets"};
		for (size_t i = 0; slash && i < ARRAY_COUNT(places); i++) {
			if (asprintf(&path, "%.*s/%s/%s", (int)(slash - executable), executable, places[i], name) < 0)
				break;
			if (path_exists(path))
				return path;
			free(path);
		}
	}
	error_set(err, ERROR_INPUT, "%s: is not installed with this program; name a dataset with --dataset FILE", name);
	return NULL;
}

static char *dataset_path(const char *given, const char *installed, struct error *err)
{
	if (!given)
		return session_data_file(installed, err);
	/* a bare name that is not here may be one of those that are installed */
	char *path = NULL;
	if (!strchr(given, '/') && !path_exists(given))
		path = session_data_file(given, NULL);
	if (!path)
		path = strdup(given);
	if (!path)
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return path;
}

int dataset_paths_find(const struct session_options *options, int attention, int operators, struct dataset_paths *paths,
		       struct error *err)
{
	const int bench = options->kind == SESSION_BENCH, verify = options->kind == SESSION_VERIFY;
	*paths = (struct dataset_paths){0};
	if ((attention && !(paths->attention = dataset_path(options->dataset, bench ? "bench.spec" : "smoke.h5", err))) ||
	    (operators && verify && !(paths->operators = dataset_path(options->dataset, "operators.spec", err))) ||
	    (operators && !verify && !(paths->timed = dataset_path(options->dataset, "operators-bench.spec", err))) ||
	    /* `run` with a dataset verifies and times the same cases */
	    (operators && !verify && !bench && !options->dataset &&
	     !(paths->operators = dataset_path(NULL, "operators.spec", err)))) {
		dataset_paths_free(paths);
		return -1;
	}
	return 0;
}

void dataset_paths_free(struct dataset_paths *paths)
{
	free(paths->attention);
	free(paths->operators);
	free(paths->timed);
	*paths = (struct dataset_paths){0};
}

/* ---- the record's conditions --------------------------------------------------------------------------------------- */

static void append_conditions(struct text *out, const struct session_options *options)
{
	if (options->math)
		text_append(out, " --math %s", options->math);
	if (options->whole)
		text_append(out, " --whole");
	if (options->repeats >= 0)
		text_append(out, " --repeats %" PRId64, options->repeats);
	if (options->sanitize)
		text_append(out, " --sanitize");
	if (options->no_check)
		text_append(out, " --no-check");
	for (int i = 0; i < options->without_count; i++)
		text_append(out, " --without-check %s", options->without_checks[i]);
}

/* What a command that repeats one case has to say beside path, dataset and filter. */
static char *repeat_options(const struct session_options *options)
{
	/* of several, the record of a case says which */
	const int is_one_device = options->device && !strchr(options->device, ',') && strcmp(options->device, "cuda:all") != 0;
	const struct {
		const char *name, *value;
	} given[] = {{"--device", is_one_device ? options->device : NULL}, {"--donor", options->donor}, {"--image", options->image},
		     {"--abi", options->abi}, {"--guard", options->guard},
		     {"--cudart", options->cudart}, {"--cudart-path", options->cudart_path}, {"--cublas", options->cublas},
		     {"--reference", options->reference}};
	struct text out = {0};
	text_append(&out, "%s", "");
	if (options->seed)
		text_append(&out, " --seed %" PRId64, options->seed);
	for (size_t i = 0; i < ARRAY_COUNT(given); i++)
		if (given[i].value) {
			text_append(&out, " %s ", given[i].name);
			text_append_quoted(&out, given[i].value);
		}
	append_conditions(&out, options);
	if (options->timeout > 0)
		text_append(&out, " --timeout %g", options->timeout);
	if (out.failed)
		text_free(&out);
	return out.data;
}

/* What results depend on and paths, devices and limits do not say. */
static char *result_options(const struct session_options *options)
{
	static const char *const kinds[] = {"verify", "bench", "run"};
	const struct {
		const char *name, *value;
	} given[] = {{"--image", options->image}, {"--abi", options->abi}, {"--guard", options->guard}, {"--cudart", options->cudart},
		     {"--reference", options->reference}};
	struct text out = {0};
	text_append(&out, "%s", kinds[options->kind]);
	for (size_t i = 0; i < ARRAY_COUNT(given); i++)
		if (given[i].value)
			text_append(&out, " %s %s", given[i].name, given[i].value);
	if (options->donor)
		text_append(&out, " --donor");
	append_conditions(&out, options);
	for (int i = 0; i < options->filter_count; i++) {
		text_append(&out, " --filter ");
		text_append_quoted(&out, options->filters[i]);
	}
	if (options->bench_seconds > 0)
		text_append(&out, " --bench-seconds %g", options->bench_seconds);
	if (options->no_baseline)
		text_append(&out, " --no-baseline");
	if (options->baseline_count)
		text_append(&out, " --baseline (%d)", options->baseline_count);
	if (options->deaths_in_a_row >= 0)
		text_append(&out, " --deaths %" PRId64, options->deaths_in_a_row);
	if (out.failed)
		text_free(&out);
	return out.data;
}

int describe_run(struct run_record *run, const struct session_options *options, struct error *err)
{
	char date[32], host[128] = "";
	const time_t now = time(NULL);
	struct tm utc;
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	gethostname(host, sizeof host - 1);
	run->schema = RECORD_SCHEMA;
	run->command = strdup(options->command ? options->command : "");
	run->version = strdup(ASSAY_VERSION);
	run->date = strdup(date);
	run->host = strdup(host);
	run->math = strdup(options->math ? options->math : "precise");
	run->notes = strdup("");
	run->repeat_options = repeat_options(options);
	run->options = result_options(options);
	run->shard_index = options->shard_count > 1 ? options->shard_index : 0;
	run->shard_count = options->shard_count > 1 ? options->shard_count : 0;
	run->seed = (uint64_t)options->seed;
	if (!run->options || !run->command || !run->version || !run->date || !run->host || !run->math || !run->notes || !run->repeat_options)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return 0;
}

static int copy_path(char *to, size_t size, const char *from, const char *what, struct error *err)
{
	to[0] = '\0';
	if (from && snprintf(to, size, "%s", from) >= (int)size)
		return error_set(err, ERROR_USAGE, "%s: the path is longer than %zu characters", what, size - 1);
	return 0;
}

static enum image_policy image_policy_of(const struct session_options *options)
{
	return !options->image ? IMAGE_ANY : strcmp(options->image, "sass") == 0 ? IMAGE_SASS : IMAGE_PTX;
}

int make_setup(const struct session_options *options, const struct job *job, const char *dataset, const char *device,
	       struct worker_setup *setup, struct error *err)
{
	*setup = (struct worker_setup){
		.cudart = options->cudart && strcmp(options->cudart, "real") == 0 ? CUDART_REAL : CUDART_SHIM,
		.image = image_policy_of(options),
		.operators = !job,
		.math = options->math && strcmp(options->math, "fast") == 0 ? MATH_FAST : MATH_PRECISE,
		.abi = job ? job->abi : 0,
		.runtime_major = job ? job->runtime_major : 0,
		.seed = (uint64_t)options->seed,
		.guard = options->guard && strcmp(options->guard, "pages") == 0 ? GUARD_PAGES
			 : options->sanitize					   ? GUARD_SEPARATE
										   : GUARD_CANARIES,
		.repeats = options->repeats >= 0 ? (int)options->repeats : REPEATS,
		.precision = !options->reference		       ? DTYPE_INVALID
			     : strcmp(options->reference, "f32") == 0 ? DTYPE_F32
									 : DTYPE_F64,
		.unchecked = options->no_check,
		.orderly_exit = options->sanitize,
		.bench = options->kind != SESSION_VERIFY,
		.keep_outputs = options->keep_outputs,
		.bench_seconds = options->bench_seconds > 0 ? options->bench_seconds
				 : options->kind == SESSION_RUN ? BENCH_SECONDS_RUN
				 : !job				? BENCH_SECONDS_OPERATORS
								: BENCH_SECONDS,
		.bench_least = options->kind != SESSION_BENCH || !job ? 0
			       : options->bench_seconds > 0	? options->bench_seconds / 2
								: BENCH_LEAST,
		.bench_target = options->bench_target > 0 ? options->bench_target : BENCH_TARGET,
		.baseline = !options->no_baseline,
	};
	snprintf(setup->entry_point, sizeof setup->entry_point, "%s", job ? job->entry_point : "");
	snprintf(setup->family, sizeof setup->family, "%s", job ? job->family->name : "");
	snprintf(setup->keep_label, sizeof setup->keep_label, "%s", job ? job->keep_label : "");
	snprintf(setup->device, sizeof setup->device, "%s", device);
	for (int i = 0; i < options->without_count; i++) {
		const enum check check = check_from_name(options->without_checks[i]);
		if (check == CHECK_NAMES_COUNT)
			return error_set(err, ERROR_USAGE, "--without-check %s: no such check; there are numbers, lse, finite, row-class, "
					 "exact, unwritten, previous, canary, gap, input, repeat, launch, no-launch, stream, guard, sanitizer, "
					 "access, undefined, race, barrier",
					 options->without_checks[i]);
		setup->disabled_checks |= 1u << check;
	}
	return copy_path(setup->archive, sizeof setup->archive, job ? job->artifact_path : "", "PATH", err) ||
	       copy_path(setup->donor, sizeof setup->donor, job ? job->donor_path : NULL, "--donor", err) ||
	       copy_path(setup->dataset, sizeof setup->dataset, dataset, "--dataset", err) ||
	       copy_path(setup->cublas, sizeof setup->cublas, options->cublas, "--cublas", err) ||
	       copy_path(setup->cudnn, sizeof setup->cudnn, options->cudnn, "--cudnn", err) ||
	       copy_path(setup->real_cudart, sizeof setup->real_cudart, options->cudart_path, "--cudart-path", err) ||
	       copy_path(setup->cache_dir, sizeof setup->cache_dir, options->cache_dir, "--cache-dir", err) ||
	       copy_path(setup->keep_failures, sizeof setup->keep_failures, options->keep_failures, "--keep-failures", err) ? -1 : 0;
}

int session_note_donor(struct session *session, const struct job *job, const struct device_properties *device, struct error *err)
{
	struct artifact_record *artifact = &session->run->artifacts[job->artifact];
	struct donor *donor;
	struct text words = {0};
	if (!job->donor_path || (artifact->donor && artifact->donor[0]))
		return 0;
	const enum image_policy image = image_policy_of(session->options);
	if (donor_open(&donor, job->artifact_path, job->donor_path, device, image, err))
		return -1;
	donor_describe(donor, &words);
	donor_close(donor);
	if (words.failed || !words.data) {
		text_free(&words);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	free(artifact->donor);
	artifact->donor = words.data;
	return 0;
}

struct runner_options make_runner_options(const struct session_options *options, int operators, const char *device,
					  const struct sanitizer *sanitizer)
{
	const int is_quick = operators && strcmp(device, "cpu") != 0;
	const double timeout = options->timeout > 0 ? options->timeout : is_quick ? CASE_TIMEOUT_OPERATORS : CASE_TIMEOUT;
	const double slower = sanitizer ? SANITIZER_SLOWDOWN : 1;
	return (struct runner_options){
		.case_timeout = timeout * slower,
		.setup_timeout = (timeout * SETUP_TIMEOUTS > SETUP_TIMEOUT_LEAST ? timeout * SETUP_TIMEOUTS : SETUP_TIMEOUT_LEAST) * slower,
		.deaths_in_a_row = options->deaths_in_a_row >= 0 ? (int)options->deaths_in_a_row
				   : operators			 ? DEATHS_IN_A_ROW_OPERATORS
								 : DEATHS_IN_A_ROW,
		.keep_output = options->verbose,
		.wrapper = sanitizer ? sanitizer_command(sanitizer) : NULL,
	};
}
