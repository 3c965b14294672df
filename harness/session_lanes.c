/* Devices side by side: a lane is a thread that has a device for itself and runs one case after the other there. Cases of host
 * entry points are verified and, when they passed, timed; of operators, which were verified before, what is timed runs here.
 * Lanes take what is to be done in its order; where Google Benchmark asks for results, it is handed them in that order, however
 * early they were ready. */
#include "session_private.h"

#include "dataset/store.h"
#include "session_baseline.h"

#include <stdlib.h>
#include <string.h>

enum item_state { ITEM_WAITS, ITEM_TAKEN, ITEM_DONE };

struct item {
	struct session *session;
	const struct job *job;        /* NULL: operators */
	size_t index;                 /* position in the selection; of operators: of what is timed */
	uint64_t order;
	enum item_state state;
	struct gbench_result result;
};

struct lanes {
	struct item *items;
	size_t count;
	size_t lane_count;
	size_t *refusals;             /* [plan.count]: lanes that could not start the job */
	size_t running;
	int failed;                   /* a lane ended early, or what asks for results did */
	struct error failure;
	pthread_cond_t progressed;
};

struct lane {
	struct session *session;
	size_t slot;
	size_t next;                  /* no item before it is to be taken by this lane */
	unsigned char *refused;       /* [plan.count]: jobs that do not start here */
	struct runner *runner;        /* of `job` */
	const struct job *job;
	struct sanitizer *sanitizer;  /* NULL without --sanitize */
	struct case_record *record;
	struct operators_timing *timing;
};

/* ---- a job on a lane's device -------------------------------------------------------------------------------------- */

static int set_text(char **field, const char *value, struct error *err)
{
	free(*field);
	*field = strdup(value);
	return *field ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

static int note_kernels(const struct lane *lane, struct artifact_record *artifact, struct error *err)
{
	const struct family *family = lane->job->family;
	size_t count = 0;
	while (runner_kernel(lane->runner, count))
		count++;
	if (artifact->kernel_count || !count)
		return 0;
	artifact->kernels = calloc(count, sizeof *artifact->kernels);
	artifact->kernel_launched = calloc(count, 1);
	if (!artifact->kernels || !artifact->kernel_launched)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < count; i++) {
		artifact->kernels[i] = strdup(runner_kernel(lane->runner, i));
		if (!artifact->kernels[i])
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		if (family->reaches && !family->reaches(artifact->kernels[i], &runner_ready(lane->runner)->device))
			artifact->kernel_launched[i] = KERNEL_UNREACHABLE;
		artifact->kernel_count++;
	}
	return 0;
}

/* What the worker told about device and archive goes into the record. Under the mutex. */
static int note_ready(struct lane *lane, struct error *err)
{
	struct session *session = lane->session;
	const struct worker_ready *ready = runner_ready(lane->runner);
	struct artifact_record *artifact = &session->run->artifacts[lane->job->artifact];
	if (session_note_device(session, lane->slot, ready, err))
		return -1;
	/* what is left by a kill has to tell it when no case of the artifact is left to be run */
	if (session->writer && !artifact->cudart[0])
		record_writer_copy_soon(session->writer);
	artifact->link_seconds = ready->link_seconds;
	artifact->load_seconds = ready->load_seconds;
	if (set_text(&artifact->cudart, session->options->cudart && strcmp(session->options->cudart, "real") == 0 ? "real" : "shim", err))
		return -1;
	struct text stubs = {0};
	for (size_t i = 0; runner_stub(lane->runner, i); i++)
		text_append(&stubs, "%s%s", i ? "\n" : "", runner_stub(lane->runner, i));
	const int failed = set_text(&artifact->stubbed, stubs.data ? stubs.data : "", err);
	text_free(&stubs);
	return failed || session_note_donor(session, lane->job, &ready->device, err) || note_kernels(lane, artifact, err) ||
	       session_open_writer(session, err) ? -1 : 0;
}

static void end_job(struct lane *lane)
{
	runner_close(lane->runner);
	lane->runner = NULL;
	sanitizer_close(lane->sanitizer);
	lane->sanitizer = NULL;
	lane->job = NULL;
}

/* Every lane has tried: the last one answers for the cases that none could take. Under the mutex. */
static int refuse_rest(struct lane *lane, const struct job *job, enum status status, const char *reason, struct error *err)
{
	struct session *session = lane->session;
	struct lanes *lanes = session->lanes;
	int result = 0;
	for (size_t i = 0; result == 0 && i < lanes->count; i++) {
		struct item *item = &lanes->items[i];
		if (item->job != job || item->state != ITEM_WAITS)
			continue;
		result = session_refuse_case(session, job, item->index, status, reason, err);
		session_skip_benchmark(&item->result, "the artifact cannot be run");
		item->state = ITEM_DONE;
	}
	if (result == 0)
		session_print_refusal(session, status, reason);
	return result;
}

/* Starts a worker for the job. What turns out to be the artifact's fault is left to other lanes: lane->refused is set. */
static int start_job(struct lane *lane, const struct job *job, struct error *err)
{
	struct session *session = lane->session;
	const struct session_options *options = session->options;
	const char *device = session->devices.ids[lane->slot];
	struct worker_setup *setup = calloc(1, sizeof *setup);
	const size_t number = (size_t)(job - session->plan->jobs);
	struct error refusal = {0};
	int result = -1;
	if (!setup)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	lane->job = job;
	const char *dataset = session->run->datasets[session->selection->attention.dataset].path;
	if (make_setup(options, job, dataset, device, setup, err) ||
	    (options->sanitize && sanitizer_open(&lane->sanitizer, err)))
		goto done;
	const struct runner_options runner_options = make_runner_options(options, 0, device, lane->sanitizer);
	if (runner_open(&lane->runner, setup, &runner_options, err))
		goto done;
	const int failed = runner_start(lane->runner, &refusal);
	pthread_mutex_lock(&session->mutex);
	session->policy.disabled_checks = setup->disabled_checks;
	if (!failed) {
		result = note_ready(lane, err);
	} else if (refusal.kind != ERROR_UNSUPPORTED && refusal.kind != ERROR_INPUT) {
		*err = refusal; /* a missing device or library is everybody's fault */
	} else {
		lane->refused[number] = 1;
		result = 0;
		if (++session->lanes->refusals[number] == session->lanes->lane_count)
			result = refuse_rest(lane, job, runner_refusal(lane->runner), refusal.message, err);
	}
	pthread_mutex_unlock(&session->mutex);
	if (failed)
		end_job(lane);
done:
	free(setup);
	return result;
}

static int run_case(struct lane *lane, struct item *item, struct error *err)
{
	struct session *session = lane->session;
	const struct case_set *set = &session->selection->attention;
	const size_t index = set->indices[item->index];
	const struct runner_request request = {
		.index = index,
		.name = case_source_name(set->source, index),
		.family = lane->job->family->name,
		.entry_point = lane->job->entry_point,
		.want_bench = session->options->kind != SESSION_VERIFY,
	};
	if (runner_case(lane->runner, &request, lane->record, err))
		return -1;
	if (lane->sanitizer) {
		/* the log is whole once the process has ended, and then all that is new in it belongs to this case */
		runner_stop(lane->runner);
		sanitizer_fold(lane->sanitizer, lane->record, &session->policy);
	}
	int result = session_baselines_case(session->baselines[lane->slot], session, &request, lane->record, err);
	if (result == 0) {
		lane->record->dataset = set->dataset;
		lane->record->order = item->order;
		pthread_mutex_lock(&session->mutex);
		result = session_keep(session, lane->slot, lane->job, lane->record, err);
		if (result == 0)
			session_report_benchmark(session, lane->record, &item->result);
		pthread_mutex_unlock(&session->mutex);
	}
	case_record_free(lane->record);
	return result;
}

/* ---- lanes --------------------------------------------------------------------------------------------------------- */

/* The next item that this lane can run, and with it those that have to stay together; NULL when there is none. What needs a
 * worker that this lane has yet to start stays there for all: a refusal may be everybody's or this lane's alone, and another lane
 * that has gone past an item never comes back to it. */
static struct item *take_items(struct lane *lane, size_t *count)
{
	struct session *session = lane->session;
	struct lanes *lanes = session->lanes;
	struct item *first = NULL;
	*count = 0;
	pthread_mutex_lock(&session->mutex);
	for (; !lanes->failed && lane->next < lanes->count && !first; lane->next++) {
		struct item *item = &lanes->items[lane->next];
		if (item->state == ITEM_WAITS && !(item->job && lane->refused[item->job - session->plan->jobs]))
			first = item;
	}
	const int is_ready = first && (!first->job || (lane->job == first->job && lane->runner));
	for (struct item *item = first; is_ready && item < lanes->items + lanes->count; item++) {
		if (item != first && (item->job || first->job || item->state != ITEM_WAITS ||
				      operators_bench_unit(session, item->index) != operators_bench_unit(session, first->index)))
			break;
		item->state = ITEM_TAKEN;
		++*count;
	}
	pthread_mutex_unlock(&session->mutex);
	return first;
}

static void finish_item(struct lane *lane, struct item *item)
{
	pthread_mutex_lock(&lane->session->mutex);
	item->state = ITEM_DONE;
	pthread_cond_broadcast(&lane->session->lanes->progressed);
	pthread_mutex_unlock(&lane->session->mutex);
}

static int has_failed(const struct lane *lane)
{
	pthread_mutex_lock(&lane->session->mutex);
	const int failed = lane->session->lanes->failed;
	pthread_mutex_unlock(&lane->session->mutex);
	return failed;
}

static int run_operators(struct lane *lane, struct item *items, size_t count, struct error *err)
{
	int result = 0;
	end_job(lane);
	for (size_t i = 0; result == 0 && i < count && !has_failed(lane); i++) {
		result = operators_bench(lane->session, lane->slot, &lane->timing, items[i].index, &items[i].result, err);
		if (result == 0)
			finish_item(lane, &items[i]);
	}
	return result;
}

static int run_host(struct lane *lane, struct item *item, struct error *err)
{
	if (lane->job != item->job || !lane->runner) {
		end_job(lane);
		if (start_job(lane, item->job, err))
			return -1;
		lane->next = (size_t)(item - lane->session->lanes->items);
		return 0;
	}
	if (run_case(lane, item, err))
		return -1;
	finish_item(lane, item);
	return 0;
}

static void *run_lane(void *context)
{
	struct lane *lane = context;
	struct session *session = lane->session;
	struct lanes *lanes = session->lanes;
	struct error err = {0};
	struct item *item;
	size_t count;
	hdf5_quiet(); /* results are written by whichever thread has them */
	lane->record = session_new_record(&err);
	lane->refused = calloc(session->plan->count + 1, 1);
	int failed = !lane->record || !lane->refused;
	if (failed)
		error_set(&err, ERROR_ENVIRONMENT, "out of memory");
	while (!failed && (item = take_items(lane, &count)))
		failed = item->job ? run_host(lane, item, &err) : run_operators(lane, item, count, &err);
	end_job(lane);
	operators_timing_close(lane->timing);
	free(lane->record);
	free(lane->refused);
	pthread_mutex_lock(&session->mutex);
	if (failed && !lanes->failed) {
		lanes->failed = 1;
		lanes->failure = err;
	}
	lanes->running--;
	pthread_cond_broadcast(&lanes->progressed);
	pthread_mutex_unlock(&session->mutex);
	hdf5_thread_ends();
	return NULL;
}

/* ---- what is asked of them ----------------------------------------------------------------------------------------- */

int session_lanes_open(struct session *session, size_t *cases, struct error *err)
{
	const struct plan *plan = session->plan;
	const struct case_set *set = &session->selection->attention;
	const size_t operators = session->options->kind == SESSION_VERIFY ? 0 : operators_bench_count(session);
	struct lanes *lanes = calloc(1, sizeof *lanes);
	session->lanes = lanes;
	if (!lanes)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	pthread_cond_init(&lanes->progressed, NULL);
	lanes->items = calloc(plan->count * set->count + operators + 1, sizeof *lanes->items);
	lanes->refusals = calloc(plan->count + 1, sizeof *lanes->refusals);
	if (!lanes->items || !lanes->refusals)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t j = 0; j < plan->count; j++) {
		if (job_is_operators(&plan->jobs[j]))
			continue;
		for (size_t i = 0; i < set->count; i++) {
			if (!selection_has_case(session->selection, set, i))
				continue;
			++*cases;
			if (!plan->jobs[j].reason[0])
				lanes->items[lanes->count++] = (struct item){.session = session, .job = &plan->jobs[j], .index = i,
									     .order = session_order(session, &plan->jobs[j], i)};
		}
	}
	for (size_t i = 0; i < operators; i++)
		lanes->items[lanes->count++] = (struct item){.session = session, .index = i, .order = operators_bench_order(session, i)};
	return 0;
}

void session_lanes_close(struct session *session)
{
	struct lanes *lanes = session->lanes;
	if (!lanes)
		return;
	pthread_cond_destroy(&lanes->progressed);
	free(lanes->items);
	free(lanes->refusals);
	free(lanes);
	session->lanes = NULL;
}

/* Google Benchmark calls this for each benchmark, in their order. */
static int hand_out(void *context, struct gbench_result *result)
{
	struct item *item = context;
	struct session *session = item->session;
	struct lanes *lanes = session->lanes;
	pthread_mutex_lock(&session->mutex);
	while (item->state != ITEM_DONE && !lanes->failed && lanes->running)
		pthread_cond_wait(&lanes->progressed, &session->mutex);
	const int is_there = item->state == ITEM_DONE;
	if (is_there)
		*result = item->result;
	else
		session_skip_benchmark(result, "%.200s", lanes->failure.message);
	pthread_mutex_unlock(&session->mutex);
	return is_there ? 0 : -1;
}

/* One registration for all artifacts: the library keeps its state for the whole process. */
static int register_all(struct session *session, struct error *err)
{
	const struct case_set *set = &session->selection->attention;
	const struct gbench_options options = {
		.json_path = session->options->gbench_json,
		/* a table of what the cpu device does not time would be one of errors */
		.console = session->options->kind == SESSION_BENCH && !session->options->quiet && strcmp(session->device, "cpu") != 0,
	};
	if (gbench_initialize(&options, err) || gbench_context("assay_version", ASSAY_VERSION, err))
		return -1;
	for (size_t i = 0; i < session->lanes->count; i++) {
		struct item *item = &session->lanes->items[i];
		struct text name = {0};
		if (!item->job) {
			operators_bench_name(session, item->index, &name);
		} else {
			if (session->plan->count > 1)
				text_append(&name, "%s:", item->job->artifact_path);
			text_append(&name, "%s", case_source_name(set->source, set->indices[item->index]));
		}
		const int failed = name.failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory")
					       : gbench_register(name.data, hand_out, item, err);
		text_free(&name);
		if (failed)
			return -1;
	}
	return 0;
}

/* What an earlier part of the run has is there already. */
static size_t note_earlier(struct session *session)
{
	struct lanes *lanes = session->lanes;
	size_t left = lanes->count;
	for (size_t i = 0; i < lanes->count; i++) {
		const struct case_record *record = session_earlier(session, lanes->items[i].order);
		if (!record)
			continue;
		session_report_benchmark(session, record, &lanes->items[i].result);
		lanes->items[i].state = ITEM_DONE;
		left--;
	}
	return left;
}

int session_lanes_run(struct session *session, struct error *err)
{
	struct lanes *lanes = session->lanes;
	const int is_bench = session->options->kind != SESSION_VERIFY;
	struct lane lane[RECORD_DEVICES_MAX];
	pthread_t threads[RECORD_DEVICES_MAX];
	size_t started = 0;
	int result = 0;
	if (is_bench && register_all(session, err))
		return -1;
	const size_t left = note_earlier(session);
	lanes->lane_count = session->devices.count < left ? session->devices.count : left;
	lanes->running = lanes->lane_count;
	for (; started < lanes->lane_count; started++) {
		lane[started] = (struct lane){.session = session, .slot = started};
		if (pthread_create(&threads[started], NULL, run_lane, &lane[started]))
			break;
	}
	if (started < lanes->lane_count) {
		pthread_mutex_lock(&session->mutex);
		lanes->running -= lanes->lane_count - started;
		lanes->failed = 1;
		error_set(&lanes->failure, ERROR_ENVIRONMENT, "no thread can be started for %s", session->devices.ids[started]);
		pthread_mutex_unlock(&session->mutex);
	}
	if (is_bench && lanes->count && gbench_run(err) < 0)
		result = -1;
	pthread_mutex_lock(&session->mutex);
	const int stopped = result && !lanes->failed;
	lanes->failed |= result != 0;
	pthread_mutex_unlock(&session->mutex);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (stopped)
		return -1;
	if (lanes->failed) {
		*err = lanes->failure;
		return -1;
	}
	return 0;
}
