/* Reductions: what kernels/reduce.c (entry points, bounds) and kernels/reduce_values.c (inputs) share. */
#ifndef ASSAY_KERNELS_REDUCE_PLAN_H
#define ASSAY_KERNELS_REDUCE_PLAN_H

#include "kernels/family.h"

enum reduce_op { REDUCE_SUM, REDUCE_MIN, REDUCE_MAX, REDUCE_ARGMIN, REDUCE_ARGMAX, REDUCE_ATOMIC_SUM };

/* A case, ready to be walked through: output `o` reduces the `length` elements of block o, in the order in which the entry
 * point numbers them. */
struct reduce_plan {
	enum reduce_op op;
	enum dtype dtype;
	const struct tensor *source;
	int kept_count, over_count;
	int kept[TENSOR_RANK_MAX], over[TENSOR_RANK_MAX]; /* axes of the source that stay, and that are reduced, ascending */
	int64_t outputs, length;
	int64_t last;  /* extent of the last reduced axis: argmin and argmax answer with a place on it */
	int block;     /* threads of a block of fast_*: next power of two of min(1024, length) */
};
/* -1 when the case's attributes and source do not make one. */
int reduce_plan(const struct test_case *test, struct reduce_plan *plan, struct error *err);

/* Offset in the source's storage of the first element of block `output`, offset of the tensor included. */
int64_t reduce_block_offset(const struct reduce_plan *plan, int64_t output);
/* Walks through a block: zero-initialised before its first step, `offset` is that of the element relative to the first. */
struct reduce_walk {
	int64_t index[TENSOR_RANK_MAX], offset;
};
void reduce_step(const struct reduce_plan *plan, struct reduce_walk *walk);

extern const char *const reduce_inputs[]; /* kinds of inputs beyond those of operator_fill; NULL-terminated */
int reduce_fill(struct test_case *test, struct error *err);

#endif
