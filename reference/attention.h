/* Attention in high precision, and the unfused chain in the case's own precision.
 *
 * For batch b, query head h (key/value head h / (heads_q / heads_k)), query i, key j, with offset = seqlen_k - seqlen_q of
 * that batch entry (bottom-right alignment):
 *     visible(i, j)  <=>  (window_left  < 0 or j >= i + offset - window_left)  and
 *                         (window_right < 0 or j <= i + offset + window_right)
 *     s      = scale * sum_d q[i,d] k[j,d]
 *     s      = softcap * tanh(s / softcap)                            when softcap > 0
 *     s     += slope * j                        (causal form)  or  -slope * |i + offset - j|    when ALiBi is used
 *     p      = exp(s - max_visible s),  l = sum_visible p,  P = p / l
 *     O[i,d] = sum_visible P v[j,d],     LSE[i] = max + ln l
 * A row with no visible key has O = 0 and LSE = +inf.
 *
 * All arrays here are contiguous. "Dense" has one shape for every batch entry; "varlen" gives offsets. Inputs are given
 * by base pointer and strides in elements, so that any layout can be read in place. */
#ifndef ASSAY_REFERENCE_ATTENTION_H
#define ASSAY_REFERENCE_ATTENTION_H

#include "device/device.h"
#include "judge/row_class.h"

struct attention_operand { /* element (b, i, h, d) at base + b*batch + (start_b + i)*row + h*head + d */
	device_pointer base;
	int64_t batch_stride, row_stride, head_stride;
};

enum alibi_form { ALIBI_NONE, ALIBI_DISTANCE, ALIBI_CAUSAL };

struct attention_problem {
	enum dtype dtype;                  /* f16 or bf16: type of q, k, v */
	int64_t batch, heads_q, heads_k, head_dim;
	int64_t seqlen_q, seqlen_k;        /* dense: every entry's; varlen: the maximum */
	const int32_t *cu_seqlens_q;       /* host, batch + 1 cumulative lengths, or NULL (dense) */
	const int32_t *cu_seqlens_k;
	struct attention_operand q, k, v;
	int64_t window_left, window_right; /* -1: open */
	double scale, softcap;             /* softcap 0: none */
	enum alibi_form alibi;
	const float *slopes;               /* host, [batch, heads_q] or [heads_q] when slope_batch_stride is 0 */
	int64_t slope_batch_stride;
	int exact_values;                  /* 1: every v is a small integer, so sums of up to 2^20 of them are exact in float32 */
};

/* Row classes (one byte per row of O): the bits of judge/row_class.h. What stands in the reference itself:
 *     ROW_MASKED, ROW_ALL_MINUS_INF   O = 0, LSE = +inf
 *     ROW_NAN                         O and LSE NaN
 * ROW_MASKED_POISON is set, except in a ROW_NAN row, where a key without weight (masked, or visible with p = 0) holds
 * non-finite q.k or v; it may come with any other bit. ROW_EXACT is set only when |logit| <= 64, there is no softcap and
 * every element of O is representable in dtype.
 * A visible key with p > 0 and a non-finite v makes single elements of O non-finite in rows of any class: there any
 * non-finite value is right (a p that underflows in the precision under test gives 0 * inf = NaN); `magnitude` and
 * `low_o` leave that v out. */

/* Rows are ordered [total rows] where row r of batch b, head h, query i is
 *     dense : (b * heads_q + h) * seqlen_q + i
 *     varlen: h * total_q + cu_seqlens_q[b] + i         (total_q = cu_seqlens_q[batch])
 * which is also the order of the LSE that run_mha writes ([b,h,sq] and [h,total_q]). O arrays are [rows, head_dim]. */
struct attention_result {
	int64_t rows;
	int64_t heads;              /* groups: batch * heads_q; group of a row is b * heads_q + h */
	device_pointer o;           /* f64 [rows, head_dim] */
	device_pointer lse;         /* f64 [rows] */
	device_pointer magnitude;   /* f64 [rows, head_dim]: sum_j P |v|, what errors are scaled by; 0 when not asked for */
	device_pointer row_class;   /* u8 [rows] */
	device_pointer row_group;   /* i32 [rows] */
	double *logit_magnitude;    /* host [heads]: max over visible (i, j) of scale * sum_d |q k| + |ALiBi term| */
	double *logit_max;          /* host [heads]: max visible |s| after softcap and ALiBi (finite ones; 0 when none) */
	double *value_sum;          /* host [heads]: max over d of sum_j |v[j,d]| (finite ones): for subnormal terms */
	/* the three host arrays are NULL when magnitudes were not asked for; non-finite elements of q and k count as 0 in
	 * logit_magnitude, which is rounded in float32 */
	/* the unfused chain in the case's precision; 0 when not asked for */
	device_pointer low_o;       /* f64 [rows, head_dim], values rounded to dtype */
	device_pointer low_lse;     /* f64 [rows]: max + ln sum of that chain's scores, in float32 */
	double seconds;             /* device time of the f64 part (wall time on cpu) */
	size_t workspace_bytes;     /* largest scratch that was held */
	device_pointer storage;     /* private: the one allocation behind the device arrays */
};

struct attention_options {
	enum dtype precision;       /* DTYPE_F64, or DTYPE_F32 on cards with little float64; cpu always computes in f64 */
	size_t workspace_limit;     /* bytes of device scratch, the result arrays not counted: scores are computed in blocks of
				     * (batch*head), of query rows and, where one head's keys do not fit, of keys; at least a
				     * row of scores must fit. Less is used where less memory is free. */
	int want_low;               /* compute low_o */
	int want_magnitude;         /* compute magnitude, logit_magnitude, logit_max, value_sum */
};

struct attention_reference; /* loaded helper kernels, streams, scratch: one per device, reused over cases */

/* On a cuda device: cuBLAS through device_gemm and this project's kernels from the embedded PTX. On cpu: plain C over BLAS,
 * an implementation of its own. */
int attention_reference_open(struct attention_reference **reference, struct device *device, struct error *err);
int attention_reference_run(struct attention_reference *reference, const struct attention_problem *problem,
			    const struct attention_options *options, struct attention_result *result, struct error *err);
void attention_result_free(struct attention_reference *reference, struct attention_result *result);
void attention_reference_close(struct attention_reference *reference);

/* The unfused cuBLAS chain as a baseline for throughput: queues S = scale QK^T, softmax, O = PV once, in the case's own
 * precision with float32 accumulation, on `stream`, without synchronising. Scratch (scores) must have been prepared once by
 * attention_chain_prepare, which says ERROR_UNSUPPORTED when it would exceed the limit, and on cpu. Output goes to scratch.
 * A chain is freed before the reference it was made from is closed. */
struct attention_chain;
int attention_chain_prepare(struct attention_reference *reference, const struct attention_problem *problem,
			    size_t workspace_limit, struct attention_chain **chain, struct error *err);
int attention_chain_enqueue(struct attention_chain *chain, struct device_stream *stream, struct error *err);
void attention_chain_free(struct attention_chain *chain);
/* O of the last run, for tests: of batch entry 0 (varlen) or all (dense), in dtype, [batch, heads_k, query, heads_q / heads_k,
 * head_dim] contiguous; 0 when that entry is empty. */
device_pointer attention_chain_output(const struct attention_chain *chain);

/* Work a case asks for: number of visible (i, j) pairs summed over batch and query heads (exact, closed form per row).
 * FLOPs of the forward = 4 * head_dim * pairs (two products, a multiply and an add each). */
int64_t attention_visible_pairs(const struct attention_problem *problem);

#endif
