/* Operators in a session, timed: on each device one worker, which loads unit after unit. */
#include "session_operators.h"

#include <stdlib.h>
#include <string.h>

/* LOADED_ALL: every entry of the unit is there, or none can be. */
enum { LOADED_NONE = 0, LOADED_ALL = 1, LOADED_ONE = 2 };

struct operators_timing {
	struct crew crew;
	size_t unit;                  /* that is loaded, or was refused; SIZE_MAX: none */
	int loaded;
	size_t entry;                 /* LOADED_ONE: of a unit that was refused, the entry that was tried alone */
	struct error refusal;         /* of the last load, when it was refused */
	int is_refused;
	enum status refused_as;
	size_t last;                  /* entry of the case before; SIZE_MAX: none */
};

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

size_t operators_bench_unit(const struct session *session, size_t index)
{
	return session->operators->bench[index].unit;
}

uint64_t operators_bench_order(const struct session *session, size_t index)
{
	return session->operators->bench[index].order;
}

void operators_timing_close(struct operators_timing *timing)
{
	if (!timing)
		return;
	operators_crew_close(&timing->crew);
	free(timing);
}

static int open_timing(struct operators_timing **out, struct session *session, size_t slot, struct error *err)
{
	struct operators_timing *timing = calloc(1, sizeof *timing);
	if (!timing)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	timing->crew = (struct crew){.session = session, .slot = slot, .device = session->devices.ids[slot]};
	timing->unit = timing->last = SIZE_MAX;
	*out = timing;
	return operators_crew_open(&timing->crew, 1, err);
}

/* Loads entries [first, first + count), which are (part of) the unit; a refusal is kept. */
static int load_part(struct operators_timing *timing, size_t first, size_t count, int whole, struct unit *unit, struct error *err)
{
	struct session *session = timing->crew.session;
	struct wire_loaded loaded;
	int result = 0;
	timing->is_refused = 0;
	if (operators_load_unit(&timing->crew, first, count, whole, &loaded, &timing->refusal)) {
		if (!operators_is_refusal(&timing->refusal)) {
			*err = timing->refusal;
			return -1;
		}
		timing->is_refused = 1;
		timing->refused_as = runner_refusal(timing->crew.runner);
		return 0;
	}
	pthread_mutex_lock(&session->mutex);
	if (!unit->is_counted) {
		result = operators_note_load(&timing->crew, session->operators->units.entries[first].job, &loaded, err);
		unit->is_counted = count == unit->count;
	}
	pthread_mutex_unlock(&session->mutex);
	return result;
}

/* What the case needs, with what it was verified with, so that the driver finds it compiled; alone where that is refused. */
static int load_for(struct operators_timing *timing, const struct bench_item *item, struct error *err)
{
	struct session *session = timing->crew.session;
	struct unit *unit = &session->operators->units.units[item->unit];
	int result = 0;
	if (timing->unit != item->unit) {
		timing->unit = item->unit;
		timing->loaded = LOADED_NONE;
		if (load_part(timing, unit->first, unit->count, session->options->whole, unit, err))
			return -1;
		if (!timing->is_refused || unit->count == 1)
			timing->loaded = LOADED_ALL;
	}
	if (timing->loaded != LOADED_ALL && (timing->loaded != LOADED_ONE || timing->entry != item->entry)) {
		timing->loaded = LOADED_ONE;
		timing->entry = item->entry;
		if (load_part(timing, item->entry, 1, 0, unit, err))
			return -1;
	}
	pthread_mutex_lock(&session->mutex);
	if (runner_ready(timing->crew.runner))
		result = operators_note_device(session, timing->crew.slot, runner_ready(timing->crew.runner), err);
	if (result == 0)
		result = session_open_writer(session, err);
	pthread_mutex_unlock(&session->mutex);
	return result;
}

int operators_bench(struct session *session, size_t slot, struct operators_timing **timing_at, size_t index, struct gbench_result *result,
		    struct error *err)
{
	const struct operators_session *operators = session->operators;
	const struct bench_item *item = &operators->bench[index];
	const struct entry_work *work = &operators->units.entries[item->entry];
	const struct case_set *set = operators->timed.set;
	if (!*timing_at && open_timing(timing_at, session, slot, err))
		return -1;
	struct operators_timing *timing = *timing_at;
	struct case_record *record = timing->crew.record;
	if (load_for(timing, item, err))
		return -1;
	if (timing->is_refused) {
		operators_describe_case(record, work, set, item->source_index);
		record->judgement.status = timing->refused_as;
		snprintf(record->judgement.reason, sizeof record->judgement.reason, "not loaded: %.480s", timing->refusal.message);
	} else {
		const struct runner_request request = {
			.index = case_source_place(set->source, item->source_index),
			.name = case_source_name(set->source, item->source_index),
			.family = work->entry->family->name,
			.entry_point = work->entry->symbol,
			.want_bench = 1,
		};
		if (timing->last != item->entry)
			runner_forget_deaths(timing->crew.runner);
		timing->last = item->entry;
		if (runner_case(timing->crew.runner, &request, record, err))
			return -1;
	}
	operators_complete_record(work, set, item->source_index, item->order, record);
	pthread_mutex_lock(&session->mutex);
	const int failed = session_keep(session, slot, work->job, record, err);
	if (!failed)
		session_report_benchmark(session, record, result);
	pthread_mutex_unlock(&session->mutex);
	case_record_free(record);
	return failed;
}
