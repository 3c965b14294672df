/* Sharing out the work on operators: entry points with their cases, in units that one worker loads and runs at a time. */
#ifndef ASSAY_HARNESS_OPERATOR_UNITS_H
#define ASSAY_HARNESS_OPERATOR_UNITS_H

#include "plan.h"
#include "selection.h"

/* Cases of one set, by entry point. */
struct entry_cases {
	size_t first, count;    /* of `sorted` */
};
struct cases_by_entry {
	const struct case_set *set;
	size_t *sorted;         /* [set->count]: indices into the source, by entry point, then in the source's order */
};
int cases_by_entry_make(struct cases_by_entry *cases, const struct case_set *set, struct error *err);
struct entry_cases cases_by_entry_find(const struct cases_by_entry *cases, const char *symbol);
void cases_by_entry_free(struct cases_by_entry *cases);

/* An entry point with something to run; or some of its cases, where there are many. */
struct entry_work {
	const struct job *job;
	const struct job_entry *entry;
	struct entry_cases verified, timed;
	uint64_t verified_order, timed_order; /* of their first records */
};

struct unit {
	size_t first, count;    /* of the entries, all of one job */
	size_t cost;
	int is_counted;         /* its load is in the artifact's figures */
};

struct operator_units {
	struct entry_work *entries; /* by job, in the order of the module's text */
	size_t entry_count;
	struct unit *units;         /* in the order of the entries */
	size_t unit_count;
	size_t *by_cost;            /* indices of units, the dearest first */
};

/* Cuts so that `workers` side by side have about the same to do, some five units each. With `whole` everything of
 * an artifact stays together. */
int operator_units_cut(struct operator_units *units, size_t workers, int whole, struct error *err);
void operator_units_free(struct operator_units *units);

#endif
