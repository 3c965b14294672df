/* Parts of a run (--shard I/N, each its own result file) put together. */
#ifndef ASSAY_HARNESS_MERGE_H
#define ASSAY_HARNESS_MERGE_H

#include "record.h"

struct merge_options {
	int partial;  /* shards may be missing or cut short: the result says which, and complete is 0 */
	int overlap;  /* a case may be in several of them, as long as they agree on it: the first one's figures stay */
};

/* Moves what is in parts[count] (which `names` are called by in messages) into *out: cases in the order of the whole run, devices
 * each once, coverage and loading of artifacts together, inventories that differ side by side. What is left of the parts is still
 * to be freed. ERROR_INPUT: parts of different runs (record_match.h), cases that contradict each other or are there twice,
 * a shard that is there twice, missing or cut short. On failure *out is empty. */
int merge_runs(struct run_record *out, struct run_record *parts, const char *const *names, size_t count,
	       const struct merge_options *options, struct error *err);

/* Adds to what is known of an artifact what another part of the same run knows of it. */
int merge_artifact(struct artifact_record *to, const struct artifact_record *from, struct error *err);

#endif
