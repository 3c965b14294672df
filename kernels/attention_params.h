/* What the attention family reads out of a case: the attributes that make_case writes, checked and in one struct.
 * Private to kernels/attention*.c. */
#ifndef ASSAY_KERNELS_ATTENTION_PARAMS_H
#define ASSAY_KERNELS_ATTENTION_PARAMS_H

#include "kernels/family.h"
#include "reference/attention.h"

struct attention_params {
	enum dtype dtype;
	int64_t batch, heads_q, heads_k, head_dim;
	int64_t seqlen_q, seqlen_k;      /* of every batch entry, or the maximum for varlen */
	int64_t window_left, window_right; /* as a user of the library states them: -1 is open */
	double scale, softcap;
	int alibi;                       /* 0 none, 1 per head, 2 per batch and head */
	int varlen;
	int lse_padded;                  /* varlen only: LSE is [batch, heads_q, seqlen_q] with unspecified tails */
	int64_t total_q, total_k;        /* varlen: sums of the lengths */
	int exact_values;                /* v holds small integers only */
	const struct tensor *q, *k, *v, *slopes, *cu_seqlens_q, *cu_seqlens_k, *o, *lse;
};

/* Fails with ERROR_INPUT naming case and attribute when anything is missing or contradicts. */
int attention_params_of(const struct test_case *test, struct attention_params *params, struct error *err);

/* run_mha wants the windows the way Candle's host code hands them on (candle_flash_attn lib.rs): a window larger than
 * seqlen_k is open; causal is "left open, right 0"; and when one side is closed the open one becomes seqlen_k.
 *
 * What the entry point is given is what it has to compute, so the reference takes these windows too. They differ from the
 * user's where there are many more queries than keys, since positions then are negative: with seqlen_q = 512 and
 * seqlen_k = 64, "left 30, right open" reaches run_mha as right = 64, and query 0 (at position 0 + 64 - 512) sees no key. */
struct attention_windows {
	int is_causal;
	int left, right;
};
struct attention_windows attention_call_windows(const struct attention_params *params);

/* Reference problem for the tensors of `binding`. Pointers into `params` and the case stay borrowed. */
void attention_problem_of(const struct attention_params *params, const struct binding *binding,
			  struct attention_problem *problem);

extern const char *const attention_axes[], *const attention_defaults[];
int attention_reaches(const char *kernel, const struct device_properties *device);
int attention_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err);
int attention_fill(struct test_case *test, struct error *err);
int attention_check_case(const struct test_case *test, struct error *err);

#endif
