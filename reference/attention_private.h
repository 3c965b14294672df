/* Shared by the files of the attention reference; nothing outside this folder includes it. */
#ifndef ASSAY_REFERENCE_ATTENTION_PRIVATE_H
#define ASSAY_REFERENCE_ATTENTION_PRIVATE_H

#include "reference/attention.h"

/* Lengths are held in 32 bits on the device, and sums of three of them must fit. */
#define ATTENTION_LENGTH_MAX ((int64_t)1 << 29)

struct cuda_reference;
struct cpu_reference;

struct attention_reference {
	struct device *device;
	struct cuda_reference *cuda; /* one of the two */
	struct cpu_reference *cpu;
};

/* ERROR_INPUT names what is wrong: types, heads that do not divide, lengths that do not ascend, missing arrays. */
int attention_problem_check(const struct attention_problem *problem, struct error *err);

/* Lengths and starts of batch entry b. */
struct attention_lengths {
	int64_t seqlen_q, seqlen_k, start_q, start_k;
};
struct attention_lengths attention_lengths(const struct attention_problem *problem, int64_t b);
int64_t attention_total_q(const struct attention_problem *problem);

/* Visible keys of a query: [begin, end), empty when end <= begin; always within [0, seqlen_k]. */
struct attention_range {
	int64_t begin, end;
};
struct attention_range attention_visible(const struct attention_problem *problem, int64_t seqlen_q, int64_t seqlen_k,
					 int64_t query);

float attention_slope(const struct attention_problem *problem, int64_t b, int64_t head); /* 0 without ALiBi */

/* Allocates what the options ask for; on failure nothing stays allocated. */
int attention_result_allocate(struct device *device, const struct attention_problem *problem,
			      const struct attention_options *options, struct attention_result *result,
			      struct error *err);

/* How a pass over one batch entry (or the whole dense batch) is cut so that its scratch fits `limit`.
 * A block is `groups` x `queries` x all visible keys of scores; keys and values come `keys` at a time: all at once
 * (resident, gathered once for all query blocks) where they fit. */
struct attention_shape {
	int64_t groups, ratio, seqlen_q, seqlen_k, head_dim; /* ratio: query heads per group */
	int64_t window_left, window_right;
	size_t gathered_size, scored_size;
	size_t product_size; /* per element of O in scratch; 0: no product, or written to its place at once */
	int value_arrays;    /* 0, 1 (v) or 2 (v and |v|) */
	int careful;         /* room for the flags of non-finite inputs */
};
struct attention_blocking {
	int64_t groups, queries, keys;
	int64_t leading;     /* row stride of the scores in elements: a multiple of 16 bytes */
	size_t q, k, v, absolute_v, scores, product, bad_keys, bad_before, bad_queries; /* offsets into the scratch */
	size_t bytes;
};
/* -1 when not even one row of scores fits; blocking->bytes then says what would. */
int attention_blocking_choose(const struct attention_shape *shape, size_t limit, struct attention_blocking *blocking);

int cuda_reference_open(struct cuda_reference **cuda, struct device *device, struct error *err);
int cuda_reference_run(struct cuda_reference *cuda, const struct attention_problem *problem,
		       const struct attention_options *options, struct attention_result *result, struct error *err);
void cuda_reference_close(struct cuda_reference *cuda);

int cpu_reference_open(struct cpu_reference **cpu, struct device *device, struct error *err);
int cpu_reference_run(struct cpu_reference *cpu, const struct attention_problem *problem,
		      const struct attention_options *options, struct attention_result *result, struct error *err);
void cpu_reference_close(struct cpu_reference *cpu);

#endif
