/* What the parts of measuring in turns share: interleave.c (the flow), interleave_plan.c (what is to be timed). */
#ifndef ASSAY_HARNESS_INTERLEAVE_PRIVATE_H
#define ASSAY_HARNESS_INTERLEAVE_PRIVATE_H

#include "interleave.h"
#include "operator_units.h"
#include "plan.h"
#include "progress.h"
#include "runner.h"
#include "selection.h"
#include "session_private.h"

/* Kernels that a worker has loaded at a time: cutting and loading so many takes some ten milliseconds, once the driver has
 * compiled them. */
enum { ENTRIES_TOGETHER = 32 };

/* One case of one side. */
struct place {
	const struct job_entry *entry; /* operators */
	size_t record;                 /* of the side's run; SIZE_MAX: not yet there */
	int is_wanted;                 /* 0: the side does not have it, or it did not pass */
};

/* A case of an entry point, on every side that has the entry point. */
struct item {
	size_t source_index;
	struct place *places;          /* [sides] */
};

/* Items for which every side has the same things loaded. */
struct group {
	const struct job *jobs[INTERLEAVE_SIDES_MAX]; /* NULL: the side has none of it */
	int is_operators;
	size_t first, count;           /* of the items */
	size_t entries;                /* operators: so many */
};

struct side {
	const struct interleave_side *given;
	struct run_record *run;
	int is_here;                   /* it could be verified */
	struct run_record scratch;     /* that the plan describes artifacts in: those of `run` are there already */
	struct plan plan;
	int attention_dataset, timed_dataset; /* of `run` */
	struct runner *runner;
	const struct group *loaded;    /* by the runner */
	const struct job_entry *alone; /* the one entry that is loaded, where the group was refused */
	int is_alone;
	struct case_record *record;    /* of the round */
	uint64_t held_outputs;         /* bytes of the copies that cases of the first round brought */
	const struct case_record **sorted; /* verified ones by what they are */
	const char **symbols;
};

struct interleave {
	const struct interleave_options *options;
	struct session_options session;
	const char *device;
	int rounds;
	struct side sides[INTERLEAVE_SIDES_MAX];
	size_t count;
	struct selection selection;    /* the same for all sides: same datasets, seed and filters */
	struct cases_by_entry timed;
	struct group *groups;
	size_t group_count;
	struct item *items;
	size_t item_count, item_capacity;
	struct place *places;
	uint32_t other_processes;      /* on the device, when the first worker started */
	int has_seen_others;
	struct progress progress;
};

/* Pairs the cases of all sides that were verified. A filter that leaves nothing to be timed is no error. */
int interleave_plan(struct interleave *all, struct error *err);

#endif
