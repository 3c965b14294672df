/* What the host (attention_cuda.c, attention_chain.c) and the kernels (attention_kernels.cu) agree on: names, parameter
 * structs (passed by value, same layout on both sides) and launch shapes. Private to this folder.
 *
 * Words: a *group* is one key/value head of one batch entry; the `ratio` query heads that share it are folded into its
 * rows, so that a grouped-query problem is a batch of larger matrix products and no key is copied. Row `row` of a group
 * is query first_query + row / ratio of query head group * ratio + row % ratio. */
#ifndef ASSAY_REFERENCE_ATTENTION_KERNELS_H
#define ASSAY_REFERENCE_ATTENTION_KERNELS_H

#include <stdint.h>

#ifdef __CUDACC__
#define DEVICE_ARRAY(type) type *
#else
#define DEVICE_ARRAY(type) uint64_t
#endif

/* Scores a softmax thread keeps in registers: a row of up to SOFTMAX_THREADS_MAX times as many is read once and written
 * once; a longer one goes to the `long` kernels, which read twice. 16 doubles are 32 of the 64 registers that 1024
 * threads leave each other. */
enum {
	SOFTMAX_PER_THREAD = 16,
	SOFTMAX_THREADS_MAX = 1024,
	SOFTMAX_WARP_ROWS = 8, /* rows per block when one warp has a row */
	KERNEL_THREADS = 256,  /* of the other kernels */
	VALUE_SUM_SIDE = 32,   /* value_sum: blocks of 32 x 32 */
	ATTENTION_GATHER_BYTES = 80,
	ATTENTION_BLOCK_BYTES = 168
};

/* Classes of non-finite input that gathering reports (bits of *non_finite) and flag_rows writes. */
enum { NON_FINITE_KEY = 1, NON_FINITE_VALUE = 2, NON_FINITE_QUERY = 4 };

/* ALiBi forms: values of enum alibi_form in attention.h. */
enum { KERNEL_ALIBI_NONE = 0, KERNEL_ALIBI_DISTANCE = 1, KERNEL_ALIBI_CAUSAL = 2 };

/* Which part of a strided operand is copied: rows of `columns` elements to [groups, rows, columns]. Element offsets are
 * relative to the operand's first element of this batch entry (dense: of entry 0). Keys and values have ratio 1. */
struct attention_gather {
	int64_t batch_stride, row_stride, head_stride;
	int32_t groups, rows, columns;
	int32_t first_group, heads_k; /* group = entry * heads_k + key head */
	int32_t first_row, ratio;
	int32_t is_bf16;
	int32_t absolute;    /* |x| */
	int32_t finite_only; /* non-finite becomes 0 */
	int32_t non_finite_bit;
	int32_t unused;
	DEVICE_ARRAY(uint32_t) non_finite; /* word that gets non_finite_bit or'ed in when one is met; NULL: not wanted */
};

/* A block of score rows [groups, rows, leading dimension], holding keys [first_column, first_column + columns). Every key
 * that a row of the block sees lies in that range. */
struct attention_block {
	int64_t group_stride, row_stride; /* of the scores, in elements; the rows start at multiples of 16 bytes */
	int64_t result_base, result_head_stride; /* result row = base + query head * head_stride + query */
	int32_t groups, rows, ratio;
	int32_t first_group, first_query;
	int32_t first_column, columns;
	int32_t seqlen_k, offset; /* offset = seqlen_k - seqlen_q */
	int32_t window_left, window_right; /* -1: open */
	int32_t alibi;
	int32_t head_base; /* result group of query head 0 */
	int32_t exact_values;
	double softcap, inverse_softcap; /* 0: none */
	DEVICE_ARRAY(const float) slopes; /* [result groups] */
	/* outputs by result row; each may be NULL */
	DEVICE_ARRAY(double) lse;
	DEVICE_ARRAY(uint8_t) row_class;
	DEVICE_ARRAY(int32_t) row_group;
	/* outputs by result group: largest value so far, as the bits of a non-negative double; may be NULL */
	DEVICE_ARRAY(unsigned long long) logit_max;
	/* where inputs are not finite, else NULL: */
	DEVICE_ARRAY(const int32_t) bad_before;  /* [groups, seqlen_k + 1]: keys j' < j with a non-finite element of k or v */
	DEVICE_ARRAY(const uint8_t) bad_queries; /* [groups, rows]: NON_FINITE_QUERY */
	DEVICE_ARRAY(const uint8_t) bad_keys;    /* [groups, seqlen_k]: NON_FINITE_KEY, NON_FINITE_VALUE */
};

/* Kernels, with their parameters. Flat rows (groups * rows) are below 2^31.
 *
 * gather_{f64,f32,16}[_pair](const uint16_t *in, T *out, struct attention_gather)
 *     grid: ceil(flat rows / blockDim.y), block: (x, y) with x*y threads; `_pair` moves two elements at a time and needs
 *     even columns, strides and a 4-byte aligned start.
 * softmax_{f64,f32,f16,bf16}[_transform](T *scores, struct attention_block)
 *     in place; `_transform` has softcap and ALiBi. Block (t, 1) with t a multiple of 32 and t * SOFTMAX_PER_THREAD >=
 *     columns, or (32, SOFTMAX_WARP_ROWS); grid: ceil(flat rows / blockDim.y). Columns up to the next multiple of 16
 *     bytes are written (0).
 * softmax_long_{f64,f32,f16,bf16}(T *scores, struct attention_block)
 *     any number of columns; block (SOFTMAX_THREADS_MAX, 1), grid: flat rows.
 * logit_magnitude(const float *scores, struct attention_block)
 *     logit_max[group] = max(that, scores + |ALiBi term|) over visible keys; block (t, 1), grid: flat rows.
 * store_rows_{f64,f32}(const T *in [groups, rows, columns] or NULL (zeros), double *result, struct attention_block,
 *                      int32_t columns, int32_t round_to): round_to 0 as it is, 1 through f16, 2 through bf16.
 *     grid: ceil(flat rows / blockDim.y), block (x, y).
 * value_sum(const uint16_t *v, unsigned long long *sums [groups], struct attention_gather)
 *     max over columns of sum over rows of |v|, finite ones; grid (groups, ceil(columns / 32)), block (32, 32).
 * flag_rows(const uint16_t *in, uint8_t *flags [groups, rows], struct attention_gather, int32_t keep)
 *     flags = (keep ? flags : 0) | (non_finite_bit where a row has a non-finite element); block (32, y).
 * count_bad(const uint8_t *flags [groups, rows], int32_t *before [groups, rows + 1], int32_t rows)
 *     grid: groups, block (1024, 1).
 * spread_{f64,f32}(const T *probabilities, const uint16_t *v, double *o, struct attention_block, struct attention_gather)
 *     adds visible non-finite v with p > 0 to O, marks rows where p is 0 as ROW_MASKED_POISON and clears ROW_EXACT;
 *     block (t, 1), grid: flat rows.
 * check_exact(const double *o, uint8_t *row_class, int64_t rows, int32_t columns, int32_t is_bf16)
 *     clears ROW_EXACT where an element of O is not representable; block (32, y), grid: ceil(rows / y).
 */

#endif
