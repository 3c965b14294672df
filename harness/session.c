#include "session_private.h"

#include "cli.h"
#include "session_baseline.h"
#include "output_copy.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int session_list(const struct session_options *options, struct error *err)
{
	struct selection selection;
	struct dataset_paths paths;
	int result = -1;
	if (dataset_paths_find(options, 1, 1, &paths, err))
		return -1;
	const struct selection_options wanted = {
		.attention = paths.attention,
		.operators = paths.operators,
		.timed = paths.timed,
		.filters = options->filters,
		.filter_count = options->filter_count,
		.seed = (uint64_t)options->seed,
	};
	if (selection_make(&selection, &wanted, NULL, err) == 0) {
		const struct case_set *const sets[] = {&selection.attention, &selection.operators, &selection.timed};
		for (size_t i = 0; i < ARRAY_COUNT(sets); i++)
			for (size_t k = 0; k < sets[i]->count; k++)
				puts(case_source_name(sets[i]->source, sets[i]->indices[k]));
		selection_free(&selection);
		result = 0;
	}
	dataset_paths_free(&paths);
	return result;
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

static void print_verdict(struct session *session, const struct case_record *record)
{
	const struct judgement *judgement = &record->judgement;
	/* of operators there are some ten thousand: their report says what failed, by entry point */
	if (session->options->quiet || ((judgement->status == STATUS_PASS || record->module[0]) && !session->options->verbose))
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

int session_open_writer(struct session *session, struct error *err)
{
	if (session->writer || !session->options->out)
		return 0;
	return record_writer_open(&session->writer, session->options->out, session->run, err);
}

static int write_case(struct session *session, const struct case_record *record, struct error *err)
{
	if (!session->writer)
		return 0;
	return session->unflushed_is_fine ? record_writer_add_unflushed(session->writer, record, err)
					  : record_writer_add(session->writer, record, err);
}

int session_keep(struct session *session, const struct job *job, struct case_record *record, struct error *err)
{
	struct artifact_record *artifact = &session->run->artifacts[job->artifact];
	record->artifact = job->artifact;
	for (int64_t i = 0; i < record->launch_count && i < RECORD_LAUNCHES_MAX; i++)
		if (record->launches[i].device_code == 0 && artifact_record_mark(artifact, record->launches[i].kernel, err))
			return -1;
	print_verdict(session, record);
	progress_step(&session->progress, record->judgement.status != STATUS_PASS, record->name);
	if (write_case(session, record, err))
		return -1;
	const uint64_t bytes = case_record_output_bytes(record);
	if (!session->options->hold_outputs || bytes > OUTPUT_RUN_BYTES_MAX - session->held_outputs)
		case_record_drop_outputs(record);
	else
		session->held_outputs += bytes;
	if (run_record_add(session->run, record, err))
		return -1;
	/* the run's record owns the samples now */
	case_record_forget(record);
	return 0;
}

static int one_case(struct session *session, size_t index, struct case_record *record, struct error *err)
{
	const struct case_set *set = &session->selection->attention;
	const struct runner_request request = {
		.index = index,
		.name = case_source_name(set->source, index),
		.family = session->job->family->name,
		.entry_point = session->job->entry_point,
		.want_bench = session->options->kind != SESSION_VERIFY,
	};
	if (runner_case(session->runner, &request, record, err))
		return -1;
	if (session->sanitizer) {
		/* the log is whole once the process has ended, and then all that is new in it belongs to this case */
		runner_stop(session->runner);
		sanitizer_fold(session->sanitizer, record, &session->policy);
	}
	if (session_baselines_case(session->baselines, session, &request, record, err))
		return -1;
	record->dataset = set->dataset;
	record->order = session->order++;
	return session_keep(session, session->job, record, err);
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
	const struct job *job; /* NULL: a case of operators */
	size_t index;
};

void session_skip_benchmark(struct gbench_result *result, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(result->message, sizeof result->message, format, args);
	va_end(args);
	result->outcome = GBENCH_SKIPPED;
}

void session_report_benchmark(const struct session *session, const struct case_record *record, struct gbench_result *result)
{
	const struct run_device *device = run_record_device(session->run, record);
	const double roof = record->dtype == DTYPE_BF16 ? device->matrix_product_flops_bf16 : device->matrix_product_flops;
	if (record->judgement.status != STATUS_PASS) {
		session_skip_benchmark(result, "%s: %.200s", status_name(record->judgement.status), record->judgement.reason);
		return;
	}
	if (!record->hot.measured) {
		session_skip_benchmark(result, "%.200s", record->note[0] ? record->note : "passed, not timed");
		return;
	}
	result->outcome = GBENCH_MEASURED;
	result->seconds = record->hot.median;
	result->host_seconds = record->enqueue_seconds;
	gbench_count(result, "samples", (double)record->hot.samples);
	gbench_count(result, "ci_low_us", record->hot.low * 1e6);
	gbench_count(result, "ci_high_us", record->hot.high * 1e6);
	if (record->flops > 0)
		gbench_count(result, "FLOP/s", record->flops / record->hot.median);
	gbench_count(result, "bytes/s", record->bytes / record->hot.median);
	if (roof > 0 && record->unit == WORK_FLOPS)
		gbench_count(result, "percent_of_gemm", 100.0 * record->flops / record->hot.median / roof);
	if (device->copy_bytes_per_second > 0 && record->unit == WORK_BYTES)
		gbench_count(result, "percent_of_copy", 100.0 * record->bytes / record->hot.median / device->copy_bytes_per_second);
	if (record->cold.measured)
		gbench_count(result, "cold_us", record->cold.median * 1e6);
	for (int i = 0; i < record->baseline_count; i++) {
		char counter[sizeof record->baselines[i].name + 4];
		snprintf(counter, sizeof counter, "%s_us", record->baselines[i].name);
		if (record->baselines[i].hot.measured)
			gbench_count(result, counter, record->baselines[i].hot.median * 1e6);
	}
	if (record->energy_joules > 0)
		gbench_count(result, "joules", record->energy_joules);
}

static int start_job(struct session *session, const struct job *job, int *refused, struct error *err);
static void end_job(struct session *session);

static int bench_callback(void *context, struct gbench_result *result)
{
	struct bench_entry *entry = context;
	struct session *session = entry->session;
	if (!entry->job) {
		end_job(session);
		session->failed = operators_bench(session, entry->index, result);
		return session->failed;
	}
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
			session_report_benchmark(session, record, result);
		case_record_free(record);
	} else {
		session_skip_benchmark(result, "the artifact cannot be run");
	}
	free(record);
	return session->failed;
}

static int register_one(struct bench_entry *entry, struct text *name, struct error *err)
{
	const int failed = name->failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory")
					: gbench_register(name->data, bench_callback, entry, err);
	text_free(name);
	return failed;
}

/* One registration for all artifacts: the library keeps its state for the whole process. */
static int run_benchmarks(struct session *session, struct error *err)
{
	const struct plan *plan = session->plan;
	const struct case_set *set = &session->selection->attention;
	const size_t operators = operators_bench_count(session);
	struct bench_entry *entries = calloc(plan->count * set->count + operators + 1, sizeof *entries);
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
		if (plan->jobs[j].reason[0] || job_is_operators(&plan->jobs[j]))
			continue;
		for (size_t i = 0; i < set->count; i++) {
			struct text name = {0};
			entries[count] = (struct bench_entry){session, &plan->jobs[j], set->indices[i]};
			if (plan->count > 1)
				text_append(&name, "%s:", plan->jobs[j].artifact_path);
			text_append(&name, "%s", case_source_name(set->source, set->indices[i]));
			if (register_one(&entries[count++], &name, err))
				goto done;
		}
	}
	for (size_t i = 0; i < operators; i++) {
		struct text name = {0};
		entries[count] = (struct bench_entry){session, NULL, i};
		operators_bench_name(session, i, &name);
		if (register_one(&entries[count++], &name, err))
			goto done;
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
	operators_bench_end(session);
	free(entries);
	return result;
}

static int run_verification(struct session *session, struct error *err)
{
	struct case_record *record = new_record(err);
	int result = record ? 0 : -1;
	for (size_t i = 0; result == 0 && i < session->selection->attention.count; i++) {
		result = one_case(session, session->selection->attention.indices[i], record, err);
		case_record_free(record);
	}
	free(record);
	return result;
}

/* A job that cannot run still answers for every case, so that nothing is silently left out; or once, where there is none. */
static int refuse_job(struct session *session, enum status status, const char *reason, struct error *err)
{
	const struct case_set *set = &session->selection->attention;
	struct case_record *record = new_record(err);
	int result = record ? 0 : -1;
	const int quiet_rest = set->count > 1;
	if (result == 0)
		result = session_open_writer(session, err);
	for (size_t i = 0; result == 0 && (i < set->count || i == 0); i++) {
		*record = (struct case_record){.artifact = session->job->artifact, .order = session->order++, .dataset = set->dataset};
		if (set->count) {
			record->case_index = set->indices[i];
			snprintf(record->name, sizeof record->name, "%s", case_source_name(set->source, record->case_index));
		} else {
			snprintf(record->name, sizeof record->name, "%s", path_base(session->job->artifact_path));
		}
		snprintf(record->family, sizeof record->family, "%s", session->job->family ? session->job->family->name : "");
		snprintf(record->entry_point, sizeof record->entry_point, "%s", session->job->entry_point);
		record->judgement.status = status;
		snprintf(record->judgement.reason, sizeof record->judgement.reason, "%s", reason);
		result = write_case(session, record, err);
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

int session_note_device(struct session *session, const struct worker_ready *ready, struct error *err)
{
	const int index = run_record_add_device(session->run, &ready->device, "", err);
	if (index < 0)
		return -1;
	struct run_device *device = &session->run->devices[index];
	device->properties = ready->device; /* the library behind matrix products is known from the first product on */
	if (ready->matrix_product_flops > 0) {
		device->matrix_product_flops = ready->matrix_product_flops;
		device->matrix_product_flops_bf16 = ready->matrix_product_flops_bf16;
	}
	if (ready->copy_bytes_per_second > 0)
		device->copy_bytes_per_second = ready->copy_bytes_per_second;
	if (ready->other_processes > device->other_processes)
		device->other_processes = ready->other_processes;
	return index;
}

/* What the worker told about device and archive goes into the record. */
static int note_ready(struct session *session, struct error *err)
{
	const struct worker_ready *ready = runner_ready(session->runner);
	struct artifact_record *artifact = &session->run->artifacts[session->job->artifact];
	if (session_note_device(session, ready, err) < 0)
		return -1;
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
	if (session_note_donor(session, session->job, &ready->device, err))
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
	const char *dataset = session->run->datasets[session->selection->attention.dataset].path;
	if (make_setup(options, job, dataset, session->device, setup, err))
		goto done;
	session->policy.disabled_checks = setup->disabled_checks;
	if (options->sanitize && sanitizer_open(&session->sanitizer, err))
		goto done;
	const struct runner_options runner_options = make_runner_options(options, 0, session->device, session->sanitizer);
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
	result = note_ready(session, err) || session_open_writer(session, err) ? -1 : 0;
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

static int verify_jobs(struct session *session, struct error *err)
{
	const struct plan *plan = session->plan;
	int result = 0;
	for (size_t i = 0; result == 0 && i < plan->count; i++) {
		int refused;
		if (plan->jobs[i].reason[0] || job_is_operators(&plan->jobs[i]) || !session->selection->attention.count)
			continue;
		result = start_job(session, &plan->jobs[i], &refused, err);
		if (result == 0 && !refused)
			result = run_verification(session, err);
		end_job(session);
	}
	return result;
}

/* Jobs that were refused while planning answer for their cases first; the others run. */
static int run_jobs(struct session *session, struct error *err)
{
	const struct plan *plan = session->plan;
	for (size_t i = 0; i < plan->count; i++) {
		const struct job *job = &plan->jobs[i];
		const int has_case = job_is_operators(job) || session->selection->attention.count > 0;
		if (!job->reason[0] && (has_case || session->options->filter_count))
			continue;
		session->job = job;
		if (job->reason[0] ? refuse_job(session, job->refused, job->reason, err)
				   : refuse_job(session, STATUS_SKIPPED, "the dataset has no case for it", err))
			return -1;
		session->job = NULL;
	}
	int result = session->operators ? operators_verify(session, err) : 0;
	if (result == 0 && session->options->kind != SESSION_VERIFY)
		result = run_benchmarks(session, err);
	else if (result == 0)
		result = verify_jobs(session, err);
	/* last, so that the result file knows the device by then */
	if (result == 0 && session->operators)
		result = operators_answer_rest(session, err);
	return result;
}

static int make_selection(struct session *session, struct selection *selection, struct error *err)
{
	const struct session_options *options = session->options;
	struct dataset_paths paths;
	int attention = 0, operators = 0;
	for (size_t i = 0; i < session->plan->count; i++)
		*(job_is_operators(&session->plan->jobs[i]) ? &operators : &attention) = 1;
	if (dataset_paths_find(options, attention, operators, &paths, err))
		return -1;
	/* seconds of the cpu device say nothing of a GPU: what has been verified is not run once more for them */
	if (paths.operators && paths.timed && strcmp(session->device, "cpu") == 0) {
		free(paths.timed);
		paths.timed = NULL;
	}
	const struct selection_options wanted = {
		.attention = paths.attention,
		.operators = paths.operators,
		.timed = paths.timed,
		.filters = options->filters,
		.filter_count = options->filter_count,
		.seed = (uint64_t)options->seed,
	};
	const int result = selection_make(selection, &wanted, session->run, err);
	dataset_paths_free(&paths);
	return result;
}

int session_run(const struct session_options *options, struct run_record *run, struct error *err)
{
	struct session session = {.options = options, .run = run, .mutex = PTHREAD_MUTEX_INITIALIZER};
	struct selection selection = {0};
	struct plan plan = {0};
	size_t cases = 0;
	int result = -1;
	const double start = monotonic_seconds();
	*run = (struct run_record){0};
	if (describe_run(run, options, err) || (options->keep_failures && make_dirs(options->keep_failures, err)))
		goto done;
	const struct plan_options plan_options = {
		.abi = options->abi, .donor = options->donor, .paths = options->paths, .path_count = options->path_count};
	if (plan_make(&plan, &plan_options, run, err))
		goto done;
	session.plan = &plan;
	session.selection = &selection;
	session.device = options->device ? options->device : device_default_id();
	if (session_baselines_open(&session.baselines, &session, err) || make_selection(&session, &selection, err) ||
	    operators_session_open(&session, &cases, err))
		goto done;
	for (size_t i = 0; i < plan.count; i++)
		cases += job_is_operators(&plan.jobs[i]) ? 0 : selection.attention.count;
	progress_start(&session.progress, cases);
	if (run_jobs(&session, err))
		goto done;
	progress_clear(&session.progress);
	run_record_sort(run);
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
	operators_session_close(&session);
	session_baselines_close(session.baselines);
	plan_free(&plan);
	selection_free(&selection);
	return result;
}
