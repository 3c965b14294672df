/* Operators in a session: entry points with their cases, verified by workers side by side, timed by one alone. */
#include "session_private.h"

#include "operator_units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* JOBS_MAX: more workers than that wait for the driver more than they do (its compiler takes a processor each). CONTEXT_BYTES:
 * what a context with its modules and buffers takes of the device's memory. FLUSH_SECONDS: a killed run loses that much. */
enum { JOBS_MAX = 16, JOBS_ASKED_MAX = 256 };
#define CONTEXT_BYTES 700e6
/* Where the numbers of records start that say in what order they were planned: host entry points come first, at 0. */
#define ORDER_VERIFIED (UINT64_C(1) << 40)
#define ORDER_TIMED (UINT64_C(2) << 40)
#define ORDER_REST (UINT64_C(3) << 40)
#define FLUSH_SECONDS 0.1

struct operators_session {
	struct operator_units units;
	struct cases_by_entry verified, timed;
	size_t jobs;                  /* workers side by side */

	/* shared by the threads, under the session's mutex: */
	size_t next;                  /* of units.by_cost */
	size_t allowed;               /* workers that fit into the device's memory, once it is known */
	size_t running;               /* threads */
	struct error failure;
	int failed;                   /* no worker can be started at all, or a result cannot be kept */
	size_t *returned;             /* units of workers that could not be started, for the others */
	size_t returned_count;
	struct error no_worker;       /* why */
	double started;
	pthread_cond_t ended;

	/* timing: */
	struct bench_item {
		size_t entry, unit;   /* of units.entries, units.units */
		size_t source_index;
		uint64_t order;
	} *bench;
	size_t bench_count;
	struct runner *runner;
	size_t loaded_unit;           /* of the runner; SIZE_MAX: none */
	struct error refusal;         /* of the unit, when it was refused */
	int is_refused;
	enum status refused_as;
	const char **symbols;
};

/* ---- pairing ------------------------------------------------------------------------------------------------------ */

static double work_bytes(const struct case_set *set, size_t index)
{
	struct test_case test;
	const struct family *family;
	struct work work = {0};
	if (case_source_load(set->source, index, 0, &test, &family, NULL))
		return (double)INFINITY;
	if (family->work)
		family->work(&test, &work, NULL);
	case_free(&test);
	return work.bytes + work.flops;
}

/* `run` times one size only: the one with the least work. */
static void keep_smallest(const struct cases_by_entry *cases, struct entry_cases *timed)
{
	size_t best = timed->first;
	double least = (double)INFINITY;
	for (size_t i = timed->first; i < timed->first + timed->count; i++) {
		const double bytes = work_bytes(cases->set, cases->sorted[i]);
		if (bytes < least) {
			least = bytes;
			best = i;
		}
	}
	*timed = (struct entry_cases){best, 1};
}

static int pair_entries(struct session *session, struct operators_session *operators, struct error *err)
{
	const struct plan *plan = session->plan;
	const int smallest = session->options->kind == SESSION_RUN && !session->options->dataset;
	size_t entries = 0;
	for (size_t i = 0; i < plan->count; i++)
		entries += plan->jobs[i].entry_count;
	operators->units.entries = calloc(entries + 1, sizeof *operators->units.entries);
	if (!operators->units.entries)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < plan->count; i++) {
		const struct job *job = &plan->jobs[i];
		for (size_t k = 0; k < job->entry_count; k++) {
			struct entry_work work = {.job = job, .entry = &job->entries[k]};
			if (!work.entry->family)
				continue;
			work.verified = cases_by_entry_find(&operators->verified, work.entry->symbol);
			work.timed = cases_by_entry_find(&operators->timed, work.entry->symbol);
			if (smallest && work.timed.count > 1)
				keep_smallest(&operators->timed, &work.timed);
			if (work.verified.count + work.timed.count)
				operators->units.entries[operators->units.entry_count++] = work;
		}
	}
	return 0;
}

static size_t workers_wanted(const struct session_options *options)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = processors > 0 ? (size_t)processors : 1;
	if (options->sanitize)
		return 1; /* one log for one worker */
	if (options->jobs > 0)
		return options->jobs < JOBS_ASKED_MAX ? (size_t)options->jobs : JOBS_ASKED_MAX;
	if (!options->device ? strcmp(device_default_id(), "cpu") != 0 : strcmp(options->device, "cpu") != 0)
		wanted = wanted < JOBS_MAX ? wanted : JOBS_MAX;
	return wanted;
}

static int list_benchmarks(struct operators_session *operators, struct error *err)
{
	size_t total = 0, verified = 0;
	for (size_t i = 0; i < operators->units.entry_count; i++) {
		struct entry_work *work = &operators->units.entries[i];
		work->verified_order = ORDER_VERIFIED + verified;
		work->timed_order = ORDER_TIMED + total;
		verified += work->verified.count;
		total += work->timed.count;
	}
	operators->bench = calloc(total + 1, sizeof *operators->bench);
	operators->symbols = calloc(operators->units.entry_count + 1, sizeof *operators->symbols);
	operators->returned = calloc(operators->units.unit_count + 1, sizeof *operators->returned);
	if (!operators->bench || !operators->symbols || !operators->returned)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t u = 0; u < operators->units.unit_count; u++)
		for (size_t i = 0; i < operators->units.units[u].count; i++) {
			const size_t entry = operators->units.units[u].first + i;
			const struct entry_work *work = &operators->units.entries[entry];
			for (size_t k = 0; k < work->timed.count; k++)
				operators->bench[operators->bench_count++] = (struct bench_item){
					entry, u, operators->timed.sorted[work->timed.first + k], work->timed_order + k};
		}
	return 0;
}

/* Cases of the dataset whose entry point is not among those of the inventory's artifacts. */
static void count_orphans(const struct session *session, const struct case_set *set, int index)
{
	struct inventory_record *inventory = &session->run->inventories[index];
	const char *last = "";
	int is_present = 1;
	for (size_t i = 0; i < set->count; i++) {
		const char *symbol = case_source_entry(set->source, set->indices[i]);
		if (strcmp(symbol, last) != 0) {
			is_present = 0;
			for (size_t j = 0; j < session->plan->count && !is_present; j++) {
				const struct job *job = &session->plan->jobs[j];
				for (size_t k = 0; job_is_operators(job) && job->inventory == index && k < job->entry_count && !is_present; k++)
					is_present = strcmp(job->entries[k].symbol, symbol) == 0;
			}
			last = symbol;
		}
		inventory->cases_without_entry += !is_present;
	}
}

int operators_session_open(struct session *session, size_t *cases, struct error *err)
{
	const struct selection *selection = session->selection;
	if (!selection->operators.source && !selection->timed.source)
		return 0;
	struct operators_session *operators = calloc(1, sizeof *operators);
	if (!operators)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	session->operators = operators;
	pthread_cond_init(&operators->ended, NULL);
	operators->loaded_unit = SIZE_MAX;
	operators->jobs = workers_wanted(session->options);
	if (cases_by_entry_make(&operators->verified, &selection->operators, err) ||
	    cases_by_entry_make(&operators->timed, &selection->timed, err) || pair_entries(session, operators, err))
		return -1;
	if (operator_units_cut(&operators->units, operators->jobs, session->options->whole, err) || list_benchmarks(operators, err))
		return -1;
	for (size_t i = 0; i < session->run->inventory_count; i++) {
		count_orphans(session, &selection->operators, (int)i);
		if (selection->timed.source != selection->operators.source)
			count_orphans(session, &selection->timed, (int)i);
	}
	for (size_t i = 0; i < operators->units.entry_count; i++)
		*cases += operators->units.entries[i].verified.count + operators->units.entries[i].timed.count;
	return 0;
}

void operators_session_close(struct session *session)
{
	struct operators_session *operators = session->operators;
	if (!operators)
		return;
	operators_bench_end(session);
	pthread_cond_destroy(&operators->ended);
	operator_units_free(&operators->units);
	cases_by_entry_free(&operators->verified);
	cases_by_entry_free(&operators->timed);
	free(operators->bench);
	free(operators->symbols);
	free(operators->returned);
	free(operators);
	session->operators = NULL;
}

/* ---- records of what is not run ------------------------------------------------------------------------------------ */

static struct case_record *new_record(struct error *err)
{
	struct case_record *record = calloc(1, sizeof *record);
	if (!record)
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return record;
}

static int keep_refusal(struct session *session, const struct job *job, const struct job_entry *entry, enum status status,
			const char *reason, struct error *err)
{
	struct case_record *record = new_record(err);
	if (!record)
		return -1;
	snprintf(record->name, sizeof record->name, "%s", entry->symbol);
	snprintf(record->family, sizeof record->family, "%s", entry->family ? entry->family->name : "");
	snprintf(record->entry_point, sizeof record->entry_point, "%s", entry->symbol);
	/* an unknown one has no module by the profile: the file's name is what there is */
	if (entry->module[0])
		snprintf(record->module, sizeof record->module, "%s", entry->module);
	else
		snprintf(record->module, sizeof record->module, "%.*s", (int)strcspn(path_base(job->artifact_path), "."), path_base(job->artifact_path));
	record->dtype = DTYPE_INVALID;
	record->fast_math = entry->fast;
	record->order = session->order++;
	record->judgement.status = status;
	snprintf(record->judgement.reason, sizeof record->judgement.reason, "%s", reason);
	const int result = session_keep(session, job, record, err);
	free(record);
	return result;
}

int operators_answer_rest(struct session *session, struct error *err)
{
	struct operators_session *operators = session->operators;
	int result = session_open_writer(session, err);
	session->order = ORDER_REST;
	for (size_t i = 0; result == 0 && i < session->plan->count; i++) {
		const struct job *job = &session->plan->jobs[i];
		for (size_t k = 0; result == 0 && k < job->entry_count; k++) {
			const struct job_entry *entry = &job->entries[k];
			if (!entry->family) {
				if (!session->options->filter_count)
					result = keep_refusal(session, job, entry, STATUS_UNSUPPORTED, "unknown entry point: no family has it under this profile", err);
				continue;
			}
			if (cases_by_entry_find(&operators->verified, entry->symbol).count +
			    cases_by_entry_find(&operators->timed, entry->symbol).count)
				continue;
			session->run->inventories[job->inventory].without_case++;
			if (!session->options->filter_count)
				result = keep_refusal(session, job, entry, STATUS_SKIPPED, "the dataset has no case for it", err);
		}
	}
	return result;
}

/* ---- one unit ----------------------------------------------------------------------------------------------------- */

/* A thread of verification, or the timing. */
struct crew {
	struct session *session;
	size_t index;
	struct runner *runner;
	struct case_record *record;
	const char **symbols;
};

static void note_device(struct session *session, const struct worker_ready *ready)
{
	struct operators_session *operators = session->operators;
	struct run_record *run = session->run;
	run->device = ready->device;
	if (ready->matrix_product_flops > 0) {
		run->matrix_product_flops = ready->matrix_product_flops;
		run->matrix_product_flops_bf16 = ready->matrix_product_flops_bf16;
	}
	if (ready->copy_bytes_per_second > 0)
		run->copy_bytes_per_second = ready->copy_bytes_per_second;
	if (operators->allowed)
		return;
	operators->allowed = operators->jobs;
	if (ready->device.kind == DEVICE_CUDA && session->options->jobs <= 0) {
		const double fit = (double)ready->device.memory_bytes / 2 / CONTEXT_BYTES;
		operators->allowed = fit < 1 ? 1 : fit < (double)operators->jobs ? (size_t)fit : operators->jobs;
	}
}

static int note_load(struct session *session, const struct job *job, const struct wire_loaded *loaded, struct error *err)
{
	struct artifact_record *artifact = &session->run->artifacts[job->artifact];
	const double wall = monotonic_seconds() - session->operators->started;
	artifact->load_parts++;
	artifact->load_seconds += loaded->seconds;
	if (loaded->seconds > artifact->load_longest_seconds)
		artifact->load_longest_seconds = loaded->seconds;
	if (wall > artifact->load_wall_seconds)
		artifact->load_wall_seconds = wall;
	if (!job->is_archive || artifact->cudart[0])
		return 0;
	char *cudart = strdup(session->options->cudart && strcmp(session->options->cudart, "real") == 0 ? "real" : "shim");
	if (!cudart)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	free(artifact->cudart);
	artifact->cudart = cudart;
	return 0;
}

static int note_refused(struct session *session, const struct entry_work *work, const char *message, struct error *err)
{
	struct artifact_record *artifact = &session->run->artifacts[work->job->artifact];
	char *text = NULL;
	if (asprintf(&text, "%s%s%s: %.300s", artifact->refused, artifact->refused[0] ? "\n" : "", work->entry->symbol, message) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	free(artifact->refused);
	artifact->refused = text;
	return 0;
}

static void complete_record(struct session *session, const struct entry_work *work, const struct case_set *set, size_t source_index,
			    uint64_t order, struct case_record *record)
{
	(void)session;
	snprintf(record->module, sizeof record->module, "%s", work->entry->module);
	record->fast_math = work->entry->fast;
	record->dataset = set->dataset;
	record->case_index = source_index;
	record->order = order;
}

/* Under the mutex. */
static int keep(struct session *session, const struct entry_work *work, struct case_record *record, struct error *err)
{
	if (session->sanitizer)
		sanitizer_fold(session->sanitizer, record, &session->policy);
	return session_keep(session, work->job, record, err);
}

static int load(struct crew *crew, size_t first, size_t count, int whole, struct wire_loaded *loaded, struct error *err)
{
	const struct entry_work *works = &crew->session->operators->units.entries[first];
	for (size_t i = 0; i < count; i++)
		crew->symbols[i] = works[i].entry->symbol;
	const struct runner_unit unit = {
		.path = works[0].job->artifact_path,
		.symbols = crew->symbols,
		.symbol_count = count,
		.abi = works[0].job->abi,
		.whole = whole,
		.is_archive = works[0].job->is_archive,
		.runtime_major = works[0].job->runtime_major,
	};
	return runner_load(crew->runner, &unit, loaded, err);
}

static int is_refusal(const struct error *err)
{
	return err->kind == ERROR_INPUT || err->kind == ERROR_UNSUPPORTED;
}

static void describe_case(struct case_record *record, const struct entry_work *work, const struct case_set *set, size_t source_index)
{
	*record = (struct case_record){.dtype = DTYPE_INVALID};
	snprintf(record->name, sizeof record->name, "%s", case_source_name(set->source, source_index));
	snprintf(record->family, sizeof record->family, "%s", work->entry->family->name);
	snprintf(record->entry_point, sizeof record->entry_point, "%s", work->entry->symbol);
}

/* The driver did not take it: its cases say so. */
static int answer_for(struct crew *crew, const struct entry_work *work, enum status status, const char *message, struct error *err)
{
	struct session *session = crew->session;
	const struct cases_by_entry *cases = &session->operators->verified;
	int result = 0;
	pthread_mutex_lock(&session->mutex);
	result = note_refused(session, work, message, err);
	for (size_t i = 0; result == 0 && i < work->verified.count; i++) {
		const size_t source_index = cases->sorted[work->verified.first + i];
		describe_case(crew->record, work, cases->set, source_index);
		complete_record(session, work, cases->set, source_index, work->verified_order + i, crew->record);
		crew->record->judgement.status = status;
		snprintf(crew->record->judgement.reason, sizeof crew->record->judgement.reason, "not loaded: %.480s", message);
		result = session_keep(session, work->job, crew->record, err);
	}
	pthread_mutex_unlock(&session->mutex);
	return result;
}

static int run_entry(struct crew *crew, const struct entry_work *work, struct error *err)
{
	struct session *session = crew->session;
	const struct cases_by_entry *cases = &session->operators->verified;
	int result = 0;
	runner_forget_deaths(crew->runner);
	for (size_t i = 0; result == 0 && i < work->verified.count; i++) {
		const size_t source_index = cases->sorted[work->verified.first + i];
		const struct runner_request request = {
			.index = case_source_place(cases->set->source, source_index),
			.name = case_source_name(cases->set->source, source_index),
			.family = work->entry->family->name,
			.entry_point = work->entry->symbol,
		};
		if (runner_case(crew->runner, &request, crew->record, err))
			return -1;
		if (session->sanitizer)
			runner_stop(crew->runner); /* its log is whole only then */
		complete_record(session, work, cases->set, source_index, work->verified_order + i, crew->record);
		pthread_mutex_lock(&session->mutex);
		result = session->operators->failed ? -1 : keep(session, work, crew->record, err);
		pthread_mutex_unlock(&session->mutex);
		case_record_free(crew->record);
	}
	return result;
}

static int run_unit(struct crew *crew, struct unit *unit, struct error *err)
{
	struct session *session = crew->session;
	const struct entry_work *works = &session->operators->units.entries[unit->first];
	struct wire_loaded loaded;
	struct error problem = {0};
	const int failed = load(crew, unit->first, unit->count, session->options->whole, &loaded, &problem);
	if (failed && !is_refusal(&problem)) {
		*err = problem;
		return -1;
	}
	pthread_mutex_lock(&session->mutex);
	if (runner_ready(crew->runner))
		note_device(session, runner_ready(crew->runner));
	int problem_here = 0;
	if (!failed && !unit->is_counted) {
		problem_here = note_load(session, works[0].job, &loaded, err);
		unit->is_counted = 1;
	}
	problem_here = problem_here || session_open_writer(session, err);
	pthread_mutex_unlock(&session->mutex);
	if (problem_here)
		return -1;
	if (!failed) {
		for (size_t i = 0; i < unit->count; i++)
			if (run_entry(crew, &works[i], err))
				return -1;
		return 0;
	}
	/* one bad kernel must not cost those that are compiled with it */
	for (size_t i = 0; i < unit->count; i++) {
		const int alone = unit->count > 1;
		if (alone && load(crew, unit->first + i, 1, 0, &loaded, &problem) == 0) {
			pthread_mutex_lock(&session->mutex);
			const int unnoted = note_load(session, works[0].job, &loaded, err);
			pthread_mutex_unlock(&session->mutex);
			if (unnoted || run_entry(crew, &works[i], err))
				return -1;
			continue;
		}
		if (!is_refusal(&problem)) {
			*err = problem;
			return -1;
		}
		if (answer_for(crew, &works[i], runner_refusal(crew->runner), problem.message, err))
			return -1;
	}
	return 0;
}

/* ---- side by side ------------------------------------------------------------------------------------------------- */

static struct unit *take_unit(struct crew *crew)
{
	struct operators_session *operators = crew->session->operators;
	size_t index = SIZE_MAX;
	pthread_mutex_lock(&crew->session->mutex);
	if (operators->failed || (operators->allowed && crew->index >= operators->allowed))
		;
	else if (operators->returned_count && runner_ready(crew->runner)) /* not to the one that has returned it */
		index = operators->returned[--operators->returned_count];
	else if (operators->next < operators->units.unit_count)
		index = operators->units.by_cost[operators->next++];
	pthread_mutex_unlock(&crew->session->mutex);
	return index == SIZE_MAX ? NULL : &operators->units.units[index];
}

static int crew_open(struct crew *crew, int bench, struct error *err)
{
	struct session *session = crew->session;
	struct operators_session *operators = session->operators;
	const struct case_set *set = bench ? &session->selection->timed : operators->verified.set;
	struct worker_setup *setup = calloc(1, sizeof *setup);
	int result = -1;
	if (!set->source)
		set = &session->selection->timed; /* only loaded, not run */
	crew->record = new_record(err);
	crew->symbols = calloc(operators->units.entry_count + 1, sizeof *crew->symbols);
	if (!setup || !crew->record || !crew->symbols) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (make_setup(session->options, NULL, session->run->datasets[set->dataset].path, session->device, setup, err))
		goto done;
	setup->bench = bench;
	const struct runner_options options = make_runner_options(session->options, 1, session->sanitizer);
	result = runner_open(&crew->runner, setup, &options, err);
done:
	free(setup);
	return result;
}

static void crew_close(struct crew *crew)
{
	runner_close(crew->runner);
	free(crew->record);
	free(crew->symbols);
}

/* A worker that cannot be started is everybody's problem only when no other one can take over what it was to do. */
static void note_failure(struct crew *crew, const struct unit *unit, const struct error *err)
{
	struct operators_session *operators = crew->session->operators;
	pthread_mutex_lock(&crew->session->mutex);
	if (unit && crew->runner && !runner_ready(crew->runner)) {
		operators->returned[operators->returned_count++] = (size_t)(unit - operators->units.units);
		operators->no_worker = *err;
	} else if (!operators->failed) {
		operators->failed = 1;
		operators->failure = *err;
	}
	pthread_mutex_unlock(&crew->session->mutex);
}

static void *work(void *context)
{
	struct crew *crew = context;
	struct session *session = crew->session;
	struct operators_session *operators = session->operators;
	struct error err = {0};
	int failed = crew_open(crew, 0, &err);
	struct unit *unit = NULL;
	while (!failed && (unit = take_unit(crew)))
		failed = run_unit(crew, unit, &err);
	if (failed)
		note_failure(crew, unit, &err);
	crew_close(crew);
	pthread_mutex_lock(&session->mutex);
	operators->running--;
	pthread_cond_signal(&operators->ended);
	pthread_mutex_unlock(&session->mutex);
	return NULL;
}

/* Waits for the threads and writes results to the disk meanwhile. */
static void watch(struct session *session)
{
	struct operators_session *operators = session->operators;
	pthread_mutex_lock(&session->mutex);
	while (operators->running) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += (long)(FLUSH_SECONDS * 1e9);
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&operators->ended, &session->mutex, &until);
		if (session->writer && !operators->failed && record_writer_flush(session->writer, &operators->failure))
			operators->failed = 1;
	}
	pthread_mutex_unlock(&session->mutex);
}

static int has_verification(const struct session *session)
{
	const struct operators_session *operators = session->operators;
	for (size_t i = 0; i < operators->units.entry_count; i++)
		if (operators->units.entries[i].verified.count)
			return 1;
	/* nothing but timing: the driver may compile side by side first, and finds the code in its cache then */
	return operators->units.unit_count > 1 && strcmp(session->device, "cpu") != 0;
}

int operators_verify(struct session *session, struct error *err)
{
	struct operators_session *operators = session->operators;
	const size_t count = operators->jobs < operators->units.unit_count ? operators->jobs : operators->units.unit_count;
	operators->started = monotonic_seconds();
	if (!count || !has_verification(session))
		return 0;
	struct crew *crews = calloc(count, sizeof *crews);
	pthread_t *threads = calloc(count, sizeof *threads);
	int result = -1;
	if (!crews || !threads) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (session->options->sanitize && sanitizer_open(&session->sanitizer, err))
		goto done;
	session->unflushed_is_fine = 1;
	operators->next = 0;
	operators->failed = 0;
	size_t started = 0;
	for (; started < count; started++) {
		crews[started] = (struct crew){.session = session, .index = started};
		pthread_mutex_lock(&session->mutex);
		operators->running++;
		pthread_mutex_unlock(&session->mutex);
		if (pthread_create(&threads[started], NULL, work, &crews[started])) {
			pthread_mutex_lock(&session->mutex);
			operators->running--;
			pthread_mutex_unlock(&session->mutex);
			break;
		}
	}
	if (started)
		watch(session);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	session->unflushed_is_fine = 0;
	if (!started)
		error_set(err, ERROR_ENVIRONMENT, "no thread can be started");
	else if (operators->failed)
		*err = operators->failure;
	else if (operators->returned_count || operators->next < operators->units.unit_count)
		*err = operators->no_worker;
	else
		result = 0;
done:
	sanitizer_close(session->sanitizer);
	session->sanitizer = NULL;
	free(crews);
	free(threads);
	return result;
}

/* ---- timing ------------------------------------------------------------------------------------------------------- */

size_t operators_bench_count(const struct session *session)
{
	return session->operators ? session->operators->bench_count : 0;
}

void operators_bench_name(const struct session *session, size_t index, struct text *name)
{
	const struct operators_session *operators = session->operators;
	const struct bench_item *item = &operators->bench[index];
	if (session->plan->count > 1)
		text_append(name, "%s:", operators->units.entries[item->entry].job->artifact_path);
	text_append(name, "%s", case_source_name(operators->timed.set->source, item->source_index));
}

static int load_for_bench(struct session *session, struct crew *crew, size_t index, struct error *err)
{
	struct operators_session *operators = session->operators;
	struct unit *unit = &operators->units.units[index];
	struct wire_loaded loaded;
	if (operators->loaded_unit == index)
		return 0;
	operators->loaded_unit = index;
	operators->is_refused = 0;
	if (load(crew, unit->first, unit->count, session->options->whole, &loaded, &operators->refusal)) {
		if (!is_refusal(&operators->refusal)) {
			*err = operators->refusal;
			return -1;
		}
		operators->is_refused = 1;
		operators->refused_as = runner_refusal(crew->runner);
	} else if (!unit->is_counted) {
		if (note_load(session, operators->units.entries[unit->first].job, &loaded, err))
			return -1;
		unit->is_counted = 1;
	}
	if (runner_ready(crew->runner))
		note_device(session, runner_ready(crew->runner));
	return session_open_writer(session, err);
}

int operators_bench(struct session *session, size_t index, struct gbench_result *result)
{
	struct operators_session *operators = session->operators;
	struct error *err = &session->failure;
	const struct bench_item *item = &operators->bench[index];
	const struct entry_work *work = &operators->units.entries[item->entry];
	const struct case_set *set = operators->timed.set;
	struct crew crew = {.session = session, .runner = operators->runner, .symbols = operators->symbols};
	int failed = 0;
	if (!crew.runner) {
		const char **symbols = NULL;
		failed = crew_open(&crew, 1, err);
		symbols = crew.symbols;
		free(symbols);
		free(crew.record);
		crew.symbols = operators->symbols;
		crew.record = NULL;
		operators->runner = crew.runner;
	}
	crew.record = failed ? NULL : new_record(err);
	failed = failed || !crew.record || load_for_bench(session, &crew, item->unit, err);
	if (!failed && operators->is_refused) {
		describe_case(crew.record, work, set, item->source_index);
		crew.record->judgement.status = operators->refused_as;
		snprintf(crew.record->judgement.reason, sizeof crew.record->judgement.reason, "not loaded: %.480s", operators->refusal.message);
	} else if (!failed) {
		const struct runner_request request = {
			.index = case_source_place(set->source, item->source_index),
			.name = case_source_name(set->source, item->source_index),
			.family = work->entry->family->name,
			.entry_point = work->entry->symbol,
			.want_bench = 1,
		};
		if (index == 0 || operators->bench[index - 1].entry != item->entry)
			runner_forget_deaths(crew.runner);
		failed = runner_case(crew.runner, &request, crew.record, err);
	}
	if (!failed) {
		complete_record(session, work, set, item->source_index, item->order, crew.record);
		failed = session_keep(session, work->job, crew.record, err);
		if (!failed)
			session_report_benchmark(session, crew.record, result);
		case_record_free(crew.record);
	}
	if (failed)
		session_skip_benchmark(result, "%.200s", err->message);
	free(crew.record);
	return failed ? -1 : 0;
}

void operators_bench_end(struct session *session)
{
	if (!session->operators)
		return;
	runner_close(session->operators->runner);
	session->operators->runner = NULL;
	session->operators->loaded_unit = SIZE_MAX;
}
