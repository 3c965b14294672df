#include "session.h"

#include "buffers.h"
#include "cli.h"
#include "measure/gbench.h"
#include "plan.h"
#include "progress.h"
#include "runner.h"
#include "sanitize.h"
#include "source.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Defaults, each with its reason.
 * CASE_TIMEOUT: the longest case of attention.spec takes well under a second; a first call may have to compile PTX, which
 * took 10 s for the largest module known. SETUP, in case timeouts and at least so many seconds: linking an archive of
 * 230 MB and opening a context take some ten seconds on a slow machine.
 * DEATHS: a worker takes about two seconds to start; an archive that kills twenty in a row will kill the next as well. */
#define CASE_TIMEOUT 60.0
#define SETUP_TIMEOUTS 5.0
#define SETUP_TIMEOUT_LEAST 30.0
#define DEATHS_IN_A_ROW 20
#define REPEATS 2
#define BENCH_SECONDS 2.0
#define BENCH_SECONDS_RUN 0.01
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

static char *dataset_path(const struct session_options *options, struct error *err)
{
	if (options->dataset) {
		/* a bare name that is not here may be one of those that are installed */
		char *path = NULL;
		if (!strchr(options->dataset, '/') && !path_exists(options->dataset))
			path = session_data_file(options->dataset, NULL);
		if (path)
			return path;
		path = strdup(options->dataset);
		if (!path)
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return path;
	}
	return session_data_file(options->kind == SESSION_BENCH ? "bench.spec" : "smoke.h5", err);
}

/* ---- selection --------------------------------------------------------------------------------------------------- */

struct selection {
	struct case_source *source;
	size_t *indices;
	size_t count;
};

static void selection_free(struct selection *selection)
{
	case_source_close(selection->source);
	free(selection->indices);
	*selection = (struct selection){0};
}

static int select_cases(const struct session_options *options, const char *dataset, struct selection *selection,
			struct error *err)
{
	*selection = (struct selection){0};
	if (case_source_open(&selection->source, dataset, (uint64_t)options->seed, err))
		return -1;
	const size_t count = case_source_count(selection->source);
	selection->indices = calloc(count, sizeof *selection->indices);
	if (!selection->indices) {
		selection_free(selection);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	for (size_t i = 0; i < count; i++)
		if (filter_matches(options->filters, options->filter_count, case_source_name(selection->source, i)))
			selection->indices[selection->count++] = i;
	if (selection->count == 0) {
		selection_free(selection);
		return error_set(err, ERROR_INPUT, "%s: none of its %zu cases matches the filter; --list shows their names", dataset, count);
	}
	return 0;
}

int session_list(const struct session_options *options, struct error *err)
{
	struct selection selection;
	char *dataset = dataset_path(options, err);
	int result = -1;
	if (dataset && select_cases(options, dataset, &selection, err) == 0) {
		for (size_t i = 0; i < selection.count; i++)
			puts(case_source_name(selection.source, selection.indices[i]));
		selection_free(&selection);
		result = 0;
	}
	free(dataset);
	return result;
}

/* ---- the record's conditions --------------------------------------------------------------------------------------- */

/* What a command that repeats one case has to say beside path, dataset and filter. */
static char *repeat_options(const struct session_options *options)
{
	const struct {
		const char *name, *value;
	} given[] = {{"--device", options->device}, {"--image", options->image}, {"--abi", options->abi}, {"--guard", options->guard},
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
	if (options->timeout > 0)
		text_append(&out, " --timeout %g", options->timeout);
	if (options->repeats >= 0)
		text_append(&out, " --repeats %" PRId64, options->repeats);
	if (options->sanitize)
		text_append(&out, " --sanitize");
	if (options->no_check)
		text_append(&out, " --no-check");
	for (int i = 0; i < options->without_count; i++)
		text_append(&out, " --without-check %s", options->without_checks[i]);
	if (out.failed)
		text_free(&out);
	return out.data;
}

static int describe_run(struct run_record *run, const struct session_options *options, const char *dataset, struct error *err)
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
	run->dataset = strdup(dataset);
	run->notes = strdup("");
	run->repeat_options = repeat_options(options);
	run->seed = (uint64_t)options->seed;
	if (!run->command || !run->version || !run->date || !run->host || !run->dataset || !run->notes ||
	    !run->repeat_options)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	struct file_map map;
	if (file_map_open(&map, dataset, err))
		return -1;
	sha256_hex(map.data, map.size, run->dataset_sha256);
	file_map_close(&map);
	return 0;
}

static int copy_path(char *to, size_t size, const char *from, const char *what, struct error *err)
{
	to[0] = '\0';
	if (from && snprintf(to, size, "%s", from) >= (int)size)
		return error_set(err, ERROR_USAGE, "%s: the path is longer than %zu characters", what, size - 1);
	return 0;
}

static int make_setup(const struct session_options *options, const struct job *job, const char *dataset, const char *device,
		      struct worker_setup *setup, struct error *err)
{
	*setup = (struct worker_setup){
		.cudart = options->cudart && strcmp(options->cudart, "real") == 0 ? CUDART_REAL : CUDART_SHIM,
		.image = !options->image			     ? IMAGE_ANY
			 : strcmp(options->image, "sass") == 0 ? IMAGE_SASS
								     : IMAGE_PTX,
		.abi = job->abi,
		.runtime_major = job->runtime_major,
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
		.bench_seconds = options->bench_seconds > 0 ? options->bench_seconds
				 : options->kind == SESSION_RUN ? BENCH_SECONDS_RUN
								: BENCH_SECONDS,
		.bench_target = options->bench_target > 0 ? options->bench_target : BENCH_TARGET,
		.baseline = !options->no_baseline,
	};
	snprintf(setup->entry_point, sizeof setup->entry_point, "%s", job->entry_point);
	snprintf(setup->family, sizeof setup->family, "%s", job->family->name);
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
	return copy_path(setup->archive, sizeof setup->archive, job->artifact_path, "PATH", err) ||
	       copy_path(setup->dataset, sizeof setup->dataset, dataset, "--dataset", err) ||
	       copy_path(setup->cublas, sizeof setup->cublas, options->cublas, "--cublas", err) ||
	       copy_path(setup->real_cudart, sizeof setup->real_cudart, options->cudart_path, "--cudart-path", err) ||
	       copy_path(setup->cache_dir, sizeof setup->cache_dir, options->cache_dir, "--cache-dir", err) ||
	       copy_path(setup->keep_failures, sizeof setup->keep_failures, options->keep_failures, "--keep-failures", err) ? -1 : 0;
}

/* ---- running ------------------------------------------------------------------------------------------------------- */

struct session {
	const struct session_options *options;
	struct run_record *run;
	const char *device;
	struct record_writer *writer;   /* NULL without --out */
	struct progress progress;
	struct runner *runner;
	const struct job *job;
	const struct selection *selection;
	struct sanitizer *sanitizer;    /* NULL without --sanitize */
	struct judge_policy policy;     /* the worker's */
	struct error failure;           /* what stopped the session from inside a callback */
	int failed;
};

static void print_verdict(struct session *session, const struct case_record *record)
{
	const struct judgement *judgement = &record->judgement;
	if (session->options->quiet || (judgement->status == STATUS_PASS && !session->options->verbose))
		return;
	progress_clear(&session->progress);
	if (judgement->status == STATUS_PASS) {
		printf("%-11s %s  margin %.3f\n", "pass", record->name, judgement->margin);
		return;
	}
	/* the artifact may have had a word in the reason */
	struct text command = {0}, reason = {0};
	cli_append_clean(&reason, judgement->reason, strlen(judgement->reason));
	run_record_reproduction(session->run, record, &command);
	printf("%-11s %s\n            %s\n            reproduce: %s\n", status_name(judgement->status), record->name,
	       reason.data ? reason.data : "", command.data ? command.data : "");
	text_free(&command);
	text_free(&reason);
	fflush(stdout);
}

/* The result file starts with the conditions, so it is opened once they are known: before the first case. */
static int open_writer(struct session *session, struct error *err)
{
	if (session->writer || !session->options->out)
		return 0;
	return record_writer_open(&session->writer, session->options->out, session->run, err);
}

static int keep_case(struct session *session, struct case_record *record, struct error *err)
{
	struct artifact_record *artifact = &session->run->artifacts[session->job->artifact];
	record->artifact = session->job->artifact;
	for (int64_t i = 0; i < record->launch_count && i < RECORD_LAUNCHES_MAX; i++)
		if (record->launches[i].device_code == 0 && artifact_record_mark(artifact, record->launches[i].kernel, err))
			return -1;
	print_verdict(session, record);
	progress_step(&session->progress, record->judgement.status != STATUS_PASS, record->name);
	if ((session->writer && record_writer_add(session->writer, record, err)) || run_record_add(session->run, record, err))
		return -1;
	/* the run's record owns the samples now */
	record->hot.raw = record->cold.raw = record->baseline.raw = NULL;
	record->clocks = NULL;
	return 0;
}

static int one_case(struct session *session, size_t index, struct case_record *record, struct error *err)
{
	const char *name = case_source_name(session->selection->source, index);
	if (runner_case(session->runner, index, name, session->options->kind != SESSION_VERIFY, record, err))
		return -1;
	if (session->sanitizer) {
		/* the log is whole once the process has ended, and then all that is new in it belongs to this case */
		runner_stop(session->runner);
		sanitizer_fold(session->sanitizer, record, &session->policy);
	}
	return keep_case(session, record, err);
}

static struct case_record *new_record(struct error *err)
{
	struct case_record *record = calloc(1, sizeof *record);
	if (!record)
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return record;
}

/* Google Benchmark calls this for each selected benchmark: the case is verified and, when it passed, timed. */
struct bench_entry {
	struct session *session;
	const struct job *job;
	size_t index;
};

static void skip_benchmark(struct gbench_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void skip_benchmark(struct gbench_result *result, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(result->message, sizeof result->message, format, args);
	va_end(args);
	result->outcome = GBENCH_SKIPPED;
}

static void report_benchmark(const struct session *session, const struct case_record *record, struct gbench_result *result)
{
	const double roof = record->dtype == DTYPE_BF16 ? session->run->matrix_product_flops_bf16 : session->run->matrix_product_flops;
	if (record->judgement.status != STATUS_PASS) {
		skip_benchmark(result, "%s: %.200s", status_name(record->judgement.status), record->judgement.reason);
		return;
	}
	if (!record->hot.measured) {
		skip_benchmark(result, "%.200s", record->note[0] ? record->note : "passed, not timed");
		return;
	}
	result->outcome = GBENCH_MEASURED;
	result->seconds = record->hot.median;
	result->host_seconds = record->enqueue_seconds;
	gbench_count(result, "samples", (double)record->hot.samples);
	gbench_count(result, "ci_low_us", record->hot.low * 1e6);
	gbench_count(result, "ci_high_us", record->hot.high * 1e6);
	gbench_count(result, "FLOP/s", record->flops / record->hot.median);
	gbench_count(result, "bytes/s", record->bytes / record->hot.median);
	if (roof > 0)
		gbench_count(result, "percent_of_gemm", 100.0 * record->flops / record->hot.median / roof);
	if (record->cold.measured)
		gbench_count(result, "cold_us", record->cold.median * 1e6);
	if (record->baseline.measured)
		gbench_count(result, "unfused_us", record->baseline.median * 1e6);
}

static int start_job(struct session *session, const struct job *job, int *refused, struct error *err);
static void end_job(struct session *session);

static int bench_callback(void *context, struct gbench_result *result)
{
	struct bench_entry *entry = context;
	struct session *session = entry->session;
	struct case_record *record = new_record(&session->failure);
	int refused = 0;
	session->failed = !record;
	if (!session->failed && session->job != entry->job) {
		end_job(session);
		session->failed = start_job(session, entry->job, &refused, &session->failure);
	}
	if (!session->failed && session->runner) {
		session->failed = one_case(session, entry->index, record, &session->failure);
		if (!session->failed)
			report_benchmark(session, record, result);
		case_record_free(record);
	} else {
		skip_benchmark(result, "the artifact cannot be run");
	}
	free(record);
	return session->failed;
}

/* One registration for all artifacts: the library keeps its state for the whole process. */
static int run_benchmarks(struct session *session, const struct plan *plan, struct error *err)
{
	const struct selection *selection = session->selection;
	struct bench_entry *entries = calloc(plan->count * selection->count, sizeof *entries);
	size_t count = 0;
	int result = -1;
	if (!entries)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	const struct gbench_options options = {
		.json_path = session->options->gbench_json,
		.console = session->options->kind == SESSION_BENCH && !session->options->quiet,
	};
	if (gbench_initialize(&options, err) || gbench_context("assay_version", ASSAY_VERSION, err))
		goto done;
	for (size_t j = 0; j < plan->count; j++) {
		for (size_t i = 0; i < selection->count && !plan->jobs[j].reason[0]; i++) {
			struct text name = {0};
			entries[count] = (struct bench_entry){session, &plan->jobs[j], selection->indices[i]};
			if (plan->count > 1)
				text_append(&name, "%s:", plan->jobs[j].artifact_path);
			text_append(&name, "%s", case_source_name(selection->source, selection->indices[i]));
			const int failed = name.failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory")
						       : gbench_register(name.data, bench_callback, &entries[count], err);
			text_free(&name);
			if (failed)
				goto done;
			count++;
		}
	}
	if (count && gbench_run(err) < 0 && !session->failed)
		goto done;
	if (session->failed) {
		*err = session->failure;
		goto done;
	}
	result = 0;
done:
	end_job(session);
	free(entries);
	return result;
}

static int run_verification(struct session *session, struct error *err)
{
	struct case_record *record = new_record(err);
	int result = record ? 0 : -1;
	for (size_t i = 0; result == 0 && i < session->selection->count; i++) {
		result = one_case(session, session->selection->indices[i], record, err);
		case_record_free(record);
	}
	free(record);
	return result;
}

/* A job that cannot run still answers for every case, so that nothing is silently left out. */
static int refuse_job(struct session *session, enum status status, const char *reason, struct error *err)
{
	struct case_record *record = new_record(err);
	int result = record ? 0 : -1;
	const int quiet_rest = session->selection->count > 1;
	if (result == 0)
		result = open_writer(session, err);
	for (size_t i = 0; result == 0 && i < session->selection->count; i++) {
		*record = (struct case_record){.case_index = session->selection->indices[i], .artifact = session->job->artifact};
		snprintf(record->name, sizeof record->name, "%s", case_source_name(session->selection->source, record->case_index));
		snprintf(record->family, sizeof record->family, "%s", session->job->family ? session->job->family->name : "");
		snprintf(record->entry_point, sizeof record->entry_point, "%s", session->job->entry_point);
		record->judgement.status = status;
		snprintf(record->judgement.reason, sizeof record->judgement.reason, "%s", reason);
		if (session->writer)
			result = record_writer_add(session->writer, record, err);
		if (result == 0)
			result = run_record_add(session->run, record, err);
	}
	free(record);
	if (result == 0 && !session->options->quiet) {
		struct text clean = {0};
		cli_append_clean(&clean, reason, strlen(reason));
		printf("%-11s %s%s\n", status_name(status), quiet_rest ? "every case: " : "", clean.data ? clean.data : "");
		text_free(&clean);
	}
	return result;
}

static int set_text(char **field, const char *value, struct error *err)
{
	free(*field);
	*field = strdup(value);
	return *field ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* What the worker told about device and archive goes into the record. */
static int note_ready(struct session *session, struct error *err)
{
	const struct worker_ready *ready = runner_ready(session->runner);
	struct artifact_record *artifact = &session->run->artifacts[session->job->artifact];
	session->run->device = ready->device;
	session->run->matrix_product_flops = ready->matrix_product_flops;
	session->run->matrix_product_flops_bf16 = ready->matrix_product_flops_bf16;
	artifact->link_seconds = ready->link_seconds;
	artifact->load_seconds = ready->load_seconds;
	if (set_text(&artifact->cudart, session->options->cudart && strcmp(session->options->cudart, "real") == 0 ? "real" : "shim", err))
		return -1;
	struct text stubs = {0};
	for (size_t i = 0; runner_stub(session->runner, i); i++)
		text_append(&stubs, "%s%s", i ? "\n" : "", runner_stub(session->runner, i));
	const int failed = set_text(&artifact->stubbed, stubs.data ? stubs.data : "", err);
	text_free(&stubs);
	if (failed)
		return -1;
	size_t count = 0;
	while (runner_kernel(session->runner, count))
		count++;
	if (artifact->kernel_count || !count)
		return 0;
	artifact->kernels = calloc(count, sizeof *artifact->kernels);
	artifact->kernel_launched = calloc(count, 1);
	if (!artifact->kernels || !artifact->kernel_launched)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < count; i++) {
		artifact->kernels[i] = strdup(runner_kernel(session->runner, i));
		if (!artifact->kernels[i])
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		const struct family *family = session->job->family;
		if (family->reaches && !family->reaches(artifact->kernels[i], &ready->device))
			artifact->kernel_launched[i] = KERNEL_UNREACHABLE;
		artifact->kernel_count++;
	}
	return 0;
}

/* Starts workers for a job. A job that turns out to be the artifact's fault answers for its cases here: *refused is set and
 * no runner is left. */
static int start_job(struct session *session, const struct job *job, int *refused, struct error *err)
{
	const struct session_options *options = session->options;
	struct worker_setup *setup = calloc(1, sizeof *setup);
	int result = -1;
	session->job = job;
	*refused = 0;
	if (!setup)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (make_setup(options, job, session->run->dataset, session->device, setup, err))
		goto done;
	session->policy.disabled_checks = setup->disabled_checks;
	const double timeout = options->timeout > 0 ? options->timeout : CASE_TIMEOUT;
	struct runner_options runner_options = {
		.case_timeout = timeout,
		.setup_timeout = timeout * SETUP_TIMEOUTS > SETUP_TIMEOUT_LEAST ? timeout * SETUP_TIMEOUTS : SETUP_TIMEOUT_LEAST,
		.deaths_in_a_row = options->deaths_in_a_row >= 0 ? (int)options->deaths_in_a_row : DEATHS_IN_A_ROW,
		.keep_output = options->verbose,
	};
	if (options->sanitize) {
		if (sanitizer_open(&session->sanitizer, err))
			goto done;
		runner_options.wrapper = sanitizer_command(session->sanitizer);
		runner_options.case_timeout *= SANITIZER_SLOWDOWN;
		runner_options.setup_timeout *= SANITIZER_SLOWDOWN;
	}
	if (runner_open(&session->runner, setup, &runner_options, err))
		goto done;
	struct error refusal = {0};
	if (runner_start(session->runner, &refusal)) {
		/* the artifact's fault is the job's verdict; a missing device or library is everybody's */
		if (refusal.kind != ERROR_UNSUPPORTED && refusal.kind != ERROR_INPUT) {
			*err = refusal;
			goto done;
		}
		*refused = 1;
		result = refuse_job(session, runner_refusal(session->runner), refusal.message, err);
		runner_close(session->runner);
		session->runner = NULL;
		goto done;
	}
	result = note_ready(session, err) || open_writer(session, err) ? -1 : 0;
done:
	free(setup);
	return result;
}

static void end_job(struct session *session)
{
	runner_close(session->runner);
	session->runner = NULL;
	sanitizer_close(session->sanitizer);
	session->sanitizer = NULL;
	session->job = NULL;
}

/* Jobs that were refused while planning answer for their cases first; the others run. */
static int run_jobs(struct session *session, const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (!plan->jobs[i].reason[0])
			continue;
		session->job = &plan->jobs[i];
		if (refuse_job(session, plan->jobs[i].refused, plan->jobs[i].reason, err))
			return -1;
		session->job = NULL;
	}
	if (session->options->kind != SESSION_VERIFY)
		return run_benchmarks(session, plan, err);
	int result = 0;
	for (size_t i = 0; result == 0 && i < plan->count; i++) {
		int refused;
		if (plan->jobs[i].reason[0])
			continue;
		result = start_job(session, &plan->jobs[i], &refused, err);
		if (result == 0 && !refused)
			result = run_verification(session, err);
		end_job(session);
	}
	return result;
}

int session_run(const struct session_options *options, struct run_record *run, struct error *err)
{
	struct session session = {.options = options, .run = run};
	struct selection selection = {0};
	struct plan plan = {0};
	int result = -1;
	const double start = monotonic_seconds();
	char *dataset = dataset_path(options, err);
	*run = (struct run_record){0};
	if (!dataset || describe_run(run, options, dataset, err))
		goto done;
	if (options->keep_failures && make_dirs(options->keep_failures, err))
		goto done;
	const struct plan_options plan_options = {.abi = options->abi, .paths = options->paths, .path_count = options->path_count};
	if (plan_make(&plan, &plan_options, run, err) || select_cases(options, dataset, &selection, err))
		goto done;
	session.selection = &selection;
	session.device = options->device ? options->device : device_default_id();
	progress_start(&session.progress, selection.count * plan.count);
	if (run_jobs(&session, &plan, err))
		goto done;
	progress_clear(&session.progress);
	run->wall_seconds = monotonic_seconds() - start;
	run->complete = 1;
	if (session.writer) {
		result = record_writer_commit(session.writer, run, err);
		session.writer = NULL;
		goto done;
	}
	result = 0;
done:
	progress_clear(&session.progress);
	if (session.writer)
		record_writer_discard(session.writer);
	plan_free(&plan);
	selection_free(&selection);
	free(dataset);
	return result;
}
