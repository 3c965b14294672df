/* Operators in a session: entry points with their cases, verified by workers side by side, timed by one alone. */
#include "session_operators.h"

#include "dataset/store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* CONTEXT_BYTES: what a context with its modules and buffers takes of the device's memory. FLUSH_SECONDS: a killed run loses
 * that much. */
#define CONTEXT_BYTES 700e6
#define FLUSH_SECONDS 0.1

/* ---- records of what is not run ------------------------------------------------------------------------------------ */

static int keep_refusal(struct session *session, const struct job *job, const struct job_entry *entry, enum status status,
			const char *reason, uint64_t order, struct error *err)
{
	if (session_earlier(session, order))
		return 0;
	struct case_record *record = session_new_record(err);
	if (!record)
		return -1;
	/* there is no case: what is listed instead may be longer than a case's name, and the entry point has it whole */
	snprintf(record->name, sizeof record->name, "%.*s", CASE_NAME_MAX - 1, entry->symbol);
	snprintf(record->family, sizeof record->family, "%s", entry->family ? entry->family->name : "");
	snprintf(record->entry_point, sizeof record->entry_point, "%s", entry->symbol);
	/* an unknown one has no module by the profile: the file's name is what there is */
	if (entry->module[0])
		snprintf(record->module, sizeof record->module, "%s", entry->module);
	else
		snprintf(record->module, sizeof record->module, "%.*s", (int)strcspn(path_base(job->artifact_path), "."), path_base(job->artifact_path));
	record->dtype = DTYPE_INVALID;
	record->fast_math = entry->fast;
	record->order = order;
	record->judgement.status = status;
	snprintf(record->judgement.reason, sizeof record->judgement.reason, "%s", reason);
	const int result = session_keep(session, SIZE_MAX, job, record, err);
	free(record);
	return result;
}

int operators_answer_rest(struct session *session, struct error *err)
{
	struct operators_session *operators = session->operators;
	/* what has no case belongs to the first shard */
	const int is_ours = !session->options->filter_count && session->options->shard_index <= 1;
	int result = session_open_writer(session, err);
	uint64_t order = ORDER_REST;
	for (size_t i = 0; result == 0 && i < session->plan->count; i++) {
		const struct job *job = &session->plan->jobs[i];
		for (size_t k = 0; result == 0 && k < job->entry_count; k++, order++) {
			const struct job_entry *entry = &job->entries[k];
			if (entry->whole_length) {
				char reason[160];
				snprintf(reason, sizeof reason, "its name has %zu characters: entry points with names of up to %d can be "
					 "called", entry->whole_length, RECORD_ENTRY_MAX - 1);
				if (is_ours)
					result = keep_refusal(session, job, entry, STATUS_UNSUPPORTED, reason, order, err);
				continue;
			}
			if (!entry->family) {
				if (is_ours)
					result = keep_refusal(session, job, entry, STATUS_UNSUPPORTED,
							      "unknown entry point: no family has it under this profile", order, err);
				continue;
			}
			if (cases_by_entry_find(&operators->verified, entry->symbol).count +
			    cases_by_entry_find(&operators->timed, entry->symbol).count)
				continue;
			session->run->inventories[job->inventory].without_case++;
			if (is_ours)
				result = keep_refusal(session, job, entry, STATUS_SKIPPED, "the dataset has no case for it", order, err);
		}
	}
	return result;
}

/* ---- one unit ----------------------------------------------------------------------------------------------------- */

int operators_note_device(struct session *session, size_t slot, const struct worker_ready *ready, struct error *err)
{
	struct operators_session *operators = session->operators;
	if (session_note_device(session, slot, ready, err))
		return -1;
	if (operators->allowed[slot])
		return 0;
	operators->allowed[slot] = operators->jobs;
	if (ready->device.kind == DEVICE_CUDA && session->options->jobs <= 0) {
		const double fit = (double)ready->device.memory_bytes / 2 / CONTEXT_BYTES;
		operators->allowed[slot] = fit < 1 ? 1 : fit < (double)operators->jobs ? (size_t)fit : operators->jobs;
	}
	return 0;
}

int operators_note_load(const struct crew *crew, const struct job *job, const struct wire_loaded *loaded, struct error *err)
{
	struct session *session = crew->session;
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
	if (session_note_donor(session, job, &runner_ready(crew->runner)->device, err))
		return -1;
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

void operators_complete_record(const struct entry_work *work, const struct case_set *set, size_t source_index,
			    uint64_t order, struct case_record *record)
{
	snprintf(record->module, sizeof record->module, "%s", work->entry->module);
	record->fast_math = work->entry->fast;
	record->dataset = set->dataset;
	record->case_index = source_index;
	record->order = order;
}

/* Under the mutex. */
static int keep(struct crew *crew, const struct entry_work *work, struct error *err)
{
	struct session *session = crew->session;
	if (session->sanitizer)
		sanitizer_fold(session->sanitizer, crew->record, &session->policy);
	return session_keep(session, crew->slot, work->job, crew->record, err);
}

int operators_load_unit(struct crew *crew, size_t first, size_t count, int whole, struct wire_loaded *loaded, struct error *err)
{
	const struct entry_work *works = &crew->session->operators->units.entries[first];
	for (size_t i = 0; i < count; i++)
		crew->symbols[i] = works[i].entry->symbol;
	const struct runner_unit unit = {
		.path = works[0].job->artifact_path,
		.donor = works[0].job->donor_path,
		.keep_label = works[0].job->keep_label,
		.symbols = crew->symbols,
		.symbol_count = count,
		.abi = works[0].job->abi,
		.whole = whole,
		.is_archive = works[0].job->is_archive,
		.runtime_major = works[0].job->runtime_major,
	};
	return runner_load(crew->runner, &unit, loaded, err);
}

int operators_is_refusal(const struct error *err)
{
	return err->kind == ERROR_INPUT || err->kind == ERROR_UNSUPPORTED;
}

void operators_describe_case(struct case_record *record, const struct entry_work *work, const struct case_set *set, size_t source_index)
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
		if (session_earlier(session, work->verified_order + i))
			continue;
		operators_describe_case(crew->record, work, cases->set, source_index);
		operators_complete_record(work, cases->set, source_index, work->verified_order + i, crew->record);
		crew->record->judgement.status = status;
		snprintf(crew->record->judgement.reason, sizeof crew->record->judgement.reason, "not loaded: %.480s", message);
		result = session_keep(session, crew->slot, work->job, crew->record, err);
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
		if (session_earlier(session, work->verified_order + i))
			continue;
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
		operators_complete_record(work, cases->set, source_index, work->verified_order + i, crew->record);
		pthread_mutex_lock(&session->mutex);
		result = session->operators->failed ? -1 : keep(crew, work, err);
		pthread_mutex_unlock(&session->mutex);
		case_record_free(crew->record);
	}
	return result;
}

/* Whether an earlier part of the run has all of it. */
static int is_finished(const struct session *session, const struct unit *unit)
{
	const struct entry_work *works = &session->operators->units.entries[unit->first];
	size_t left = 0;
	for (size_t i = 0; session->earlier_count && i < unit->count; i++)
		for (size_t k = 0; k < works[i].verified.count; k++)
			left += !session_earlier(session, works[i].verified_order + k);
	return session->earlier_count && !left;
}

static int run_unit(struct crew *crew, struct unit *unit, struct error *err)
{
	struct session *session = crew->session;
	const struct entry_work *works = &session->operators->units.entries[unit->first];
	struct wire_loaded loaded;
	struct error problem = {0};
	if (is_finished(session, unit))
		return 0;
	const int failed = operators_load_unit(crew, unit->first, unit->count, session->options->whole, &loaded, &problem);
	if (failed && !operators_is_refusal(&problem)) {
		*err = problem;
		return -1;
	}
	pthread_mutex_lock(&session->mutex);
	int problem_here = runner_ready(crew->runner) ? operators_note_device(session, crew->slot, runner_ready(crew->runner), err) : 0;
	if (!problem_here && !failed && !unit->is_counted) {
		problem_here = operators_note_load(crew, works[0].job, &loaded, err);
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
		if (alone && operators_load_unit(crew, unit->first + i, 1, 0, &loaded, &problem) == 0) {
			pthread_mutex_lock(&session->mutex);
			const int unnoted = operators_note_load(crew, works[0].job, &loaded, err);
			pthread_mutex_unlock(&session->mutex);
			if (unnoted || run_entry(crew, &works[i], err))
				return -1;
			continue;
		}
		if (!operators_is_refusal(&problem)) {
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
	const size_t allowed = operators->allowed[crew->slot];
	if (operators->failed || (allowed && crew->index / crew->session->devices.count >= allowed))
		;
	else if (operators->returned_count && runner_ready(crew->runner)) /* not to the one that has returned it */
		index = operators->returned[--operators->returned_count];
	else if (operators->next < operators->units.unit_count)
		index = operators->units.by_cost[operators->next++];
	pthread_mutex_unlock(&crew->session->mutex);
	return index == SIZE_MAX ? NULL : &operators->units.units[index];
}

int operators_crew_open(struct crew *crew, int bench, struct error *err)
{
	struct session *session = crew->session;
	struct operators_session *operators = session->operators;
	const struct case_set *set = bench ? &session->selection->timed : operators->verified.set;
	struct worker_setup *setup = calloc(1, sizeof *setup);
	int result = -1;
	if (!set->source)
		set = &session->selection->timed; /* only loaded, not run */
	crew->record = session_new_record(err);
	crew->symbols = calloc(operators->units.entry_count + 1, sizeof *crew->symbols);
	if (!setup || !crew->record || !crew->symbols) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (make_setup(session->options, NULL, session->run->datasets[set->dataset].path, crew->device, setup, err))
		goto done;
	setup->bench = bench;
	const struct runner_options options = make_runner_options(session->options, 1, crew->device, session->sanitizer);
	result = runner_open(&crew->runner, setup, &options, err);
done:
	free(setup);
	return result;
}

void operators_crew_close(struct crew *crew)
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
	hdf5_quiet(); /* results are written by whichever thread has them */
	int failed = operators_crew_open(crew, 0, &err);
	struct unit *unit = NULL;
	while (!failed && (unit = take_unit(crew)))
		failed = run_unit(crew, unit, &err);
	if (failed)
		note_failure(crew, unit, &err);
	operators_crew_close(crew);
	pthread_mutex_lock(&session->mutex);
	operators->running--;
	pthread_cond_signal(&operators->ended);
	pthread_mutex_unlock(&session->mutex);
	hdf5_thread_ends();
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
		const size_t slot = started % session->devices.count;
		crews[started] = (struct crew){.session = session, .index = started, .slot = slot, .device = session->devices.ids[slot]};
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
	for (size_t i = 0; i < session->run->artifact_count; i++)
		artifact_record_sort_kernels(&session->run->artifacts[i]);
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
