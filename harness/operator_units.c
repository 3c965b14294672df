#include "operator_units.h"

#include <stdlib.h>
#include <string.h>

/* ---- cases by entry point ----------------------------------------------------------------------------------------- */

static int by_entry(const void *a, const void *b, void *context)
{
	const struct case_source *source = context;
	const size_t left = *(const size_t *)a, right = *(const size_t *)b;
	const int order = strcmp(case_source_entry(source, left), case_source_entry(source, right));
	return order ? order : (left > right) - (left < right);
}

int cases_by_entry_make(struct cases_by_entry *cases, const struct case_set *set, struct error *err)
{
	*cases = (struct cases_by_entry){.set = set};
	cases->sorted = calloc(set->count + 1, sizeof *cases->sorted);
	if (!cases->sorted)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (set->count) {
		memcpy(cases->sorted, set->indices, set->count * sizeof *cases->sorted);
		qsort_r(cases->sorted, set->count, sizeof *cases->sorted, by_entry, set->source);
	}
	return 0;
}

struct entry_cases cases_by_entry_find(const struct cases_by_entry *cases, const char *symbol)
{
	size_t low = 0, high = cases->set->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (strcmp(case_source_entry(cases->set->source, cases->sorted[middle]), symbol) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	struct entry_cases found = {.first = low};
	while (low + found.count < cases->set->count &&
	       strcmp(case_source_entry(cases->set->source, cases->sorted[low + found.count]), symbol) == 0)
		found.count++;
	return found;
}

void cases_by_entry_free(struct cases_by_entry *cases)
{
	free(cases->sorted);
	*cases = (struct cases_by_entry){0};
}

/* ---- units -------------------------------------------------------------------------------------------------------- */

/* UNITS_EACH: fewer leave workers idle at the end, more cost a module's fixed part more often. CASE_COST: one case in bytes of
 * PTX: an H100's driver compiles some 300 bytes in a millisecond (36 s for 10.7 MB), a case takes about five. */
enum { UNITS_EACH = 5, CASE_COST = 1500, ENTRY_COST = 3000 };

static size_t cost_of(const struct entry_work *work)
{
	return work->entry->text_size + ENTRY_COST + CASE_COST * work->verified.count;
}

static int by_cost(const void *a, const void *b, void *context)
{
	const struct unit *units = context;
	const struct unit *x = &units[*(const size_t *)a], *y = &units[*(const size_t *)b];
	if (x->cost != y->cost)
		return x->cost < y->cost ? 1 : -1;
	return (x > y) - (x < y);
}

int operator_units_cut(struct operator_units *units, size_t workers, int whole, struct error *err)
{
	size_t total = 0;
	for (size_t i = 0; i < units->entry_count; i++)
		total += cost_of(&units->entries[i]);
	const size_t share = total / (UNITS_EACH * (workers ? workers : 1)) + 1;
	units->units = calloc(units->entry_count + 1, sizeof *units->units);
	units->by_cost = calloc(units->entry_count + 1, sizeof *units->by_cost);
	if (!units->units || !units->by_cost)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < units->entry_count; i++) {
		const struct entry_work *work = &units->entries[i];
		struct unit *unit = units->unit_count ? &units->units[units->unit_count - 1] : NULL;
		const int same_job = unit && units->entries[unit->first].job == work->job;
		if (!same_job || (!whole && unit->cost + cost_of(work) / 2 > share)) {
			unit = &units->units[units->unit_count++];
			*unit = (struct unit){.first = i};
		}
		unit->count++;
		unit->cost += cost_of(work);
	}
	for (size_t i = 0; i < units->unit_count; i++)
		units->by_cost[i] = i;
	if (units->unit_count)
		qsort_r(units->by_cost, units->unit_count, sizeof *units->by_cost, by_cost, units->units);
	return 0;
}

void operator_units_free(struct operator_units *units)
{
	free(units->entries);
	free(units->units);
	free(units->by_cost);
	*units = (struct operator_units){0};
}
