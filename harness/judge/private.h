/* What the files of this folder share; nothing outside it includes this. */
#ifndef ASSAY_JUDGE_PRIVATE_H
#define ASSAY_JUDGE_PRIVATE_H

#include "judge/judge.h"
#include "judge/kernel_args.h"

/* The measuring itself. judge.c checks what callers ask for and fills the arguments, except for addresses that only
 * the backend knows (scratch, results), which are 0. */
struct judge_backend {
	void (*close)(void *state);
	/* `covers`: the value fills the storage, so that there are no gaps to look for. */
	int (*memory)(void *state, const struct judge_memory_args *args, int covers, struct judge_memory_counters *out,
		      struct error *err);
	int (*bytes)(void *state, const struct judge_bytes_args *args, struct judge_bytes_counters *out,
		     struct error *err);
	/* Sums of the words' contributions, without the part that depends on the size. */
	int (*digest)(void *state, const struct judge_digest_args *args, uint64_t halves[2], struct error *err);
	/* `slack`: host [groups] or NULL; `groups` [args->groups] and `histogram` are written; *invalid counts rows whose
	 * group is out of range. */
	int (*compare)(void *state, const struct judge_compare_args *args, const double *slack,
		       struct judge_group *groups, int64_t histogram[JUDGE_HISTOGRAM_BINS], uint64_t *invalid,
		       struct error *err);
};

extern const struct judge_backend judge_cpu_backend, judge_cuda_backend;
int judge_cuda_open(void **state, struct device *device, struct error *err);

#endif
