/* Which cases of which datasets a run takes. */
#ifndef ASSAY_HARNESS_SELECTION_H
#define ASSAY_HARNESS_SELECTION_H

#include "record.h"
#include "source.h"

/* Selected cases of one dataset. */
struct case_set {
	struct case_source *source; /* NULL: the run needs none of the kind */
	int is_shared;              /* the source is another set's */
	int dataset;                /* index into run_record.datasets */
	size_t *indices;            /* into the source, in its order */
	size_t count;
	unsigned char *elsewhere;   /* [count]: those of other shards; NULL: all are this run's. Of host entry points only */
};

/* Host entry points (attention) take their cases from one set; operators are verified on the cases of `operators` and timed on
 * those of `timed`. */
struct selection {
	struct case_set attention, operators, timed;
	size_t in_datasets;         /* cases that the datasets hold, selected or not */
	int64_t shard_count;        /* 0 or 1: all of it is this run's */
	const char **entries;       /* entry points of operators of this shard, sorted */
	size_t entry_count;
};

struct selection_options {
	const char *attention, *operators, *timed; /* paths; NULL: none of the kind. Equal paths are opened once */
	const char *const *filters;
	int filter_count;
	uint64_t seed;
};

/* Opens the datasets, which become `run`'s (NULL: not wanted). No case at all is an error. */
int selection_make(struct selection *selection, const struct selection_options *options, struct run_record *run, struct error *err);
void selection_free(struct selection *selection);

/* Leaves to other shards what is theirs (shard.h): the sets stay whole, so that what is said of all of them does not change. */
int selection_shard(struct selection *selection, int64_t index, int64_t count, struct error *err);
/* Whether the cases of that entry point of operators are this run's. */
int selection_has_entry(const struct selection *selection, const char *symbol);
/* Whether the case at indices[position] of a set is. */
int selection_has_case(const struct selection *selection, const struct case_set *set, size_t position);

/* FLOP plus bytes of a case: what makes it large, for verifying as for timing. Infinite when it cannot be made. */
double case_set_work(const struct case_set *set, size_t index);

#endif
