/* Which entry points a session runs on which cases, and how many workers share them. */
#include "session_operators.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* JOBS_MAX: more workers than that wait for the driver more than they do (its compiler takes a processor each).
 * CASES_TOGETHER: of one entry point, for one worker: some five milliseconds each. */
enum { JOBS_MAX = 16, JOBS_ASKED_MAX = 256, CASES_TOGETHER = 150 };

/* `run` times one size only: the one with the least work. */
static void keep_smallest(const struct cases_by_entry *cases, struct entry_cases *timed)
{
	size_t best = timed->first;
	double least = (double)INFINITY;
	for (size_t i = timed->first; i < timed->first + timed->count; i++) {
		const double bytes = case_set_work(cases->set, cases->sorted[i]);
		if (bytes < least) {
			least = bytes;
			best = i;
		}
	}
	*timed = (struct entry_cases){best, 1};
}

/* An entry point with many cases is shared by several workers: it is there several times then. */
static void add_work(struct operators_session *operators, const struct entry_work *all)
{
	struct entry_work work = *all;
	size_t left = all->verified.count;
	if (left + all->timed.count == 0)
		return;
	do {
		work.verified.count = left < CASES_TOGETHER ? left : CASES_TOGETHER;
		operators->units.entries[operators->units.entry_count++] = work;
		left -= work.verified.count;
		work.verified.first += work.verified.count;
		work.verified_order += work.verified.count;
		work.timed.count = 0;
	} while (left);
}

static int pair_entries(struct session *session, struct operators_session *operators, struct error *err)
{
	const struct plan *plan = session->plan;
	const int smallest = session->options->kind == SESSION_RUN && !session->options->dataset;
	size_t entries = (operators->verified.set->count + operators->timed.set->count) / CASES_TOGETHER;
	for (size_t i = 0; i < plan->count; i++) {
		entries += plan->jobs[i].entry_count;
		/* the same case may be for entry points of several artifacts */
		entries += plan->jobs[i].entry_count ? operators->verified.set->count / CASES_TOGETHER : 0;
	}
	operators->units.entries = calloc(entries + 1, sizeof *operators->units.entries);
	if (!operators->units.entries)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	uint64_t ordinal = 0; /* of the entry point among all that the artifacts have: whatever part of them this run takes */
	for (size_t i = 0; i < plan->count; i++) {
		const struct job *job = &plan->jobs[i];
		for (size_t k = 0; k < job->entry_count; k++, ordinal++) {
			struct entry_work work = {.job = job, .entry = &job->entries[k],
						  .verified_order = ORDER_VERIFIED + (ordinal << ORDER_ENTRY_BITS),
						  .timed_order = ORDER_TIMED + (ordinal << ORDER_ENTRY_BITS)};
			if (!work.entry->family || !selection_has_entry(session->selection, work.entry->symbol))
				continue;
			work.verified = cases_by_entry_find(&operators->verified, work.entry->symbol);
			work.timed = cases_by_entry_find(&operators->timed, work.entry->symbol);
			if (smallest && work.timed.count > 1)
				keep_smallest(&operators->timed, &work.timed);
			add_work(operators, &work);
		}
	}
	return 0;
}

static size_t workers_wanted(const struct session *session)
{
	const struct session_options *options = session->options;
	const size_t devices = session->devices.count;
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = processors > 0 ? (size_t)processors : 1;
	if (options->sanitize)
		return 1; /* one log for one worker */
	if (options->jobs > 0)
		return options->jobs < JOBS_ASKED_MAX ? (size_t)options->jobs : JOBS_ASKED_MAX;
	if (strcmp(session->device, "cpu") != 0)
		wanted = wanted < JOBS_MAX * devices ? wanted : JOBS_MAX * devices;
	return wanted > devices ? wanted : devices;
}

static int list_benchmarks(struct operators_session *operators, struct error *err)
{
	size_t total = 0;
	for (size_t i = 0; i < operators->units.entry_count; i++)
		total += operators->units.entries[i].timed.count;
	operators->bench = calloc(total + 1, sizeof *operators->bench);
	operators->returned = calloc(operators->units.unit_count + 1, sizeof *operators->returned);
	if (!operators->bench || !operators->returned)
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
	operators->jobs = workers_wanted(session);
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
	pthread_cond_destroy(&operators->ended);
	operator_units_free(&operators->units);
	cases_by_entry_free(&operators->verified);
	cases_by_entry_free(&operators->timed);
	free(operators->bench);
	free(operators->returned);
	free(operators);
	session->operators = NULL;
}

