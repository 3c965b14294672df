#include "session_private.h"

#include "cli.h"
#include "session_baseline.h"
#include "output_copy.h"
#include "record_earlier.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What is made to keep a GPU busy takes the cpu device hours, for seconds that say nothing: the cases of bench are those of `run`
 * there. */
static enum session_kind kind_of_cases(const struct session_options *options, const char *device)
{
	return options->kind == SESSION_BENCH && !options->dataset && strcmp(device, "cpu") == 0 ? SESSION_RUN : options->kind;
}

int session_list(const struct session_options *options, struct error *err)
{
	struct session_options cases = *options;
	struct selection selection;
	struct dataset_paths paths;
	struct device_list devices;
	int result = -1;
	/* names can be listed for a device that is not here */
	if (options->kind == SESSION_BENCH && device_list_parse(&devices, options->device, NULL) == 0)
		cases.kind = kind_of_cases(options, devices.ids[0]);
	if (dataset_paths_find(&cases, 1, 1, &paths, err))
		return -1;
	const struct selection_options wanted = {
		.attention = paths.attention,
		.operators = paths.operators,
		.timed = paths.timed,
		.filters = options->filters,
		.filter_count = options->filter_count,
		.seed = (uint64_t)options->seed,
	};
	int made = selection_make(&selection, &wanted, NULL, err) == 0;
	if (made && selection_shard(&selection, options->shard_index, options->shard_count, err)) {
		selection_free(&selection);
		made = 0;
	}
	if (made) {
		const struct case_set *const sets[] = {&selection.attention, &selection.operators, &selection.timed};
		for (size_t i = 0; i < ARRAY_COUNT(sets); i++)
			for (size_t k = 0; k < sets[i]->count; k++)
				if (selection_has_case(&selection, sets[i], k))
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
	if (session_resume_prepare(session, err) || record_writer_open(&session->writer, session->options->out, session->run, err) ||
	    record_writer_keep_earlier(session->writer, session->run, err))
		return -1;
	session->has_written = 1;
	return session_resume_write(session, err);
}

static int write_case(struct session *session, const struct case_record *record, struct error *err)
{
	if (!session->writer)
		return 0;
	return session->unflushed_is_fine ? record_writer_add_unflushed(session->writer, record, err)
					  : record_writer_add(session->writer, record, err);
}

int session_keep(struct session *session, size_t slot, const struct job *job, struct case_record *record, struct error *err)
{
	struct artifact_record *artifact = &session->run->artifacts[job->artifact];
	record->artifact = job->artifact;
	record->device = slot < session->devices.count && session->noted[slot] ? session->noted[slot] - 1 : 0;
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

struct case_record *session_new_record(struct error *err)
{
	struct case_record *record = calloc(1, sizeof *record);
	if (!record)
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return record;
}

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

uint64_t session_order(const struct session *session, const struct job *job, size_t position)
{
	const size_t count = session->selection->attention.count;
	return (uint64_t)(job - session->plan->jobs) * (count ? count : 1) + position;
}

int session_refuse_case(struct session *session, const struct job *job, size_t position, enum status status, const char *reason,
			struct error *err)
{
	const struct case_set *set = &session->selection->attention;
	const uint64_t order = session_order(session, job, position);
	if (session_earlier(session, order))
		return 0;
	if (session_open_writer(session, err))
		return -1;
	struct case_record *record = session_new_record(err);
	if (!record)
		return -1;
	*record = (struct case_record){.artifact = job->artifact, .order = order, .dataset = set->dataset};
	if (set->count) {
		record->case_index = set->indices[position];
		snprintf(record->name, sizeof record->name, "%s", case_source_name(set->source, record->case_index));
	} else {
		snprintf(record->name, sizeof record->name, "%s", path_base(job->artifact_path));
	}
	snprintf(record->family, sizeof record->family, "%s", job->family ? job->family->name : "");
	snprintf(record->entry_point, sizeof record->entry_point, "%s", job->entry_point);
	record->judgement.status = status;
	snprintf(record->judgement.reason, sizeof record->judgement.reason, "%s", reason);
	int result = write_case(session, record, err);
	if (result == 0)
		result = run_record_add(session->run, record, err);
	free(record);
	return result;
}

void session_print_refusal(const struct session *session, enum status status, const char *reason)
{
	if (session->options->quiet)
		return;
	struct text clean = {0};
	cli_append_clean(&clean, reason, strlen(reason));
	printf("%-11s %s%s\n", status_name(status), session->selection->attention.count > 1 ? "every case: " : "", clean.data ? clean.data : "");
	text_free(&clean);
}

/* A job that cannot run still answers for every case, so that nothing is silently left out; or once, where there is none. */
static int refuse_job(struct session *session, const struct job *job, enum status status, const char *reason, struct error *err)
{
	const struct case_set *set = &session->selection->attention;
	int result = 0;
	/* one that has no case belongs to the first shard */
	if (set->count == 0 && session->options->shard_index <= 1)
		result = session_refuse_case(session, job, 0, status, reason, err);
	for (size_t i = 0; result == 0 && i < set->count; i++)
		if (selection_has_case(session->selection, set, i))
			result = session_refuse_case(session, job, i, status, reason, err);
	if (result == 0)
		session_print_refusal(session, status, reason);
	return result;
}

int session_note_device(struct session *session, size_t slot, const struct worker_ready *ready, struct error *err)
{
	struct run_record *run = session->run;
	if (!session->noted[slot]) {
		int index = -1;
		/* one of an earlier part of the run, unless another worker has it: there may be several of the cpu */
		for (size_t i = 0; i < run->device_count && index < 0; i++) {
			int is_taken = strcmp(run->devices[i].properties.id, ready->device.id) != 0 ||
				       strcmp(run->devices[i].properties.uuid, ready->device.uuid) != 0 || run->devices[i].host[0];
			for (size_t k = 0; k < session->devices.count; k++)
				is_taken |= session->noted[k] == (int)i + 1;
			if (!is_taken)
				index = (int)i;
		}
		if (index < 0 && (index = run_record_append_device(run, &ready->device, "", err)) < 0)
			return -1;
		session->noted[slot] = index + 1;
		if (session->writer && record_writer_note_devices(session->writer, run, err))
			return -1;
	}
	struct run_device *device = &run->devices[session->noted[slot] - 1];
	device->place = (uint32_t)slot;
	device->properties = ready->device; /* the library behind matrix products is known from the first product on */
	if (ready->matrix_product_flops > 0) {
		device->matrix_product_flops = ready->matrix_product_flops;
		device->matrix_product_flops_bf16 = ready->matrix_product_flops_bf16;
	}
	if (ready->copy_bytes_per_second > 0)
		device->copy_bytes_per_second = ready->copy_bytes_per_second;
	if (ready->other_processes > device->other_processes)
		device->other_processes = ready->other_processes;
	return 0;
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
		if (job->reason[0] ? refuse_job(session, job, job->refused, job->reason, err)
				   : refuse_job(session, job, STATUS_SKIPPED, "the dataset has no case for it", err))
			return -1;
	}
	int result = session->operators ? operators_verify(session, err) : 0;
	if (result == 0)
		result = session_lanes_run(session, err);
	/* last, so that the result file knows the device by then */
	if (result == 0 && session->operators)
		result = operators_answer_rest(session, err);
	return result;
}

static int make_selection(struct session *session, struct selection *selection, struct error *err)
{
	const struct session_options *options = session->options;
	struct session_options cases = *options;
	struct dataset_paths paths;
	int attention = 0, operators = 0;
	const int is_cpu = strcmp(session->device, "cpu") == 0;
	for (size_t i = 0; i < session->plan->count; i++)
		*(job_is_operators(&session->plan->jobs[i]) ? &operators : &attention) = 1;
	cases.kind = kind_of_cases(options, session->device);
	if (is_cpu && options->kind == SESSION_BENCH)
		fprintf(stderr, "assay: the cpu device times nothing, since its seconds say nothing of a GPU: %s verified, and their "
				"work is counted\n", options->dataset ? "cases are" : "the cases of `assay verify` are");
	if (dataset_paths_find(&cases, attention, operators, &paths, err))
		return -1;
	/* what has been verified is not run once more for seconds that say nothing */
	if (paths.operators && paths.timed && is_cpu) {
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
	int result = selection_make(selection, &wanted, session->run, err);
	if (result == 0)
		result = selection_shard(selection, options->shard_index, options->shard_count, err);
	dataset_paths_free(&paths);
	return result;
}

/* A run that ends early says how to go on. */
static void tell_what_is_left(const struct session_options *options)
{
	char *partial = record_partial_name(options->out);
	if (partial && path_exists(partial))
		fprintf(stderr, "assay: what was finished is in %s: the same command with --resume %s goes on with it\n", partial, options->out);
	free(partial);
}

int session_run(const struct session_options *options, struct run_record *run, struct error *err)
{
	struct session session = {.options = options, .run = run, .mutex = PTHREAD_MUTEX_INITIALIZER, .earlier_lock = -1};
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
	if (device_list_parse(&session.devices, options->device, err))
		goto done;
	session.device = session.devices.ids[0];
	if (options->sanitize && session.devices.count > 1) {
		error_set(err, ERROR_USAGE, "--sanitize: compute-sanitizer's findings are told apart on one device only; name one with --device");
		goto done;
	}
	for (size_t i = 0; i < session.devices.count; i++)
		if (session_baselines_open(&session.baselines[i], &session, session.devices.ids[i], err))
			goto done;
	if (make_selection(&session, &selection, err) || operators_session_open(&session, &cases, err) || session_lanes_open(&session, &cases, err))
		goto done;
	const int resumed = session_resume(&session, err);
	if (resumed < 0)
		goto done;
	if (resumed > 0) { /* all of it was there */
		result = 0;
		goto done;
	}
	/* better now than when the first artifact has been loaded */
	if (options->out && (path_can_be_replaced(options->out, err) || path_can_be_written(options->out, err)))
		goto done;
	progress_start(&session.progress, cases);
	session.progress.done = session.earlier_count;
	/* a part may have no case at all, or none left: its result file says so */
	if (run_jobs(&session, err) || session_open_writer(&session, err))
		goto done;
	progress_clear(&session.progress);
	run_record_sort(run);
	run->wall_seconds += monotonic_seconds() - start;
	run->complete = 1;
	if (session.writer) {
		result = record_writer_commit(session.writer, run, err);
		session.writer = NULL;
	} else {
		result = 0;
	}
	run_record_order_devices(run); /* from here on no case is written */
done:
	progress_clear(&session.progress);
	if (session.writer)
		record_writer_discard(session.writer);
	session_lanes_close(&session);
	operators_session_close(&session);
	for (size_t i = 0; i < session.devices.count; i++)
		session_baselines_close(session.baselines[i]);
	session_resume_close(&session, result == 0);
	if (result && session.has_written)
		tell_what_is_left(options);
	plan_free(&plan);
	selection_free(&selection);
	return result;
}
