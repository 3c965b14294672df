/* Taking and placing elements along one dimension by index, on packed arrays viewed as [left, dimension, right]:
 *
 *     select       out[l, i, r]  = in[l, at[i], r]             in [left, rows, right], out [left, ids, right]
 *     gather       out[l, i, r]  = in[l, at[l, i, r], r]       in [left, rows, right], out [left, ids, right]
 *     add          out[l, at[j], r]       += in[l, j, r]       in [left, ids, right],  out [left, rows, right]
 *     scatter      out[l, at[l, j, r], r]  = in[l, j, r]       in [left, ids, right],  out [left, rows, right]
 *     scatter_add  out[l, at[l, j, r], r] += in[l, j, r]       in [left, ids, right],  out [left, rows, right]
 *
 * The last three go through j = 0 .. ids - 1 in that order. An index of INDEX_NONE gives a zero (the first two) or is passed
 * over (the others). A column is one pair (l, r), number l * right + r: columns do not touch each other, so that any range of
 * them can be computed apart. */
#ifndef ASSAY_REFERENCE_INDEXING_H
#define ASSAY_REFERENCE_INDEXING_H

#include "core/dtype.h"

#include <stddef.h>
#include <stdint.h>

enum { INDEX_NONE = -1 };

enum index_operation { INDEX_SELECT, INDEX_GATHER, INDEX_ADD, INDEX_SCATTER, INDEX_SCATTER_ADD, INDEX_OPERATION_COUNT };

struct index_problem {
	enum index_operation operation;
	int64_t left, rows, ids, right; /* rows: extent of what the indices point into; ids: indices along the dimension */
	const int64_t *at;              /* [ids], or [left, ids, right]; each INDEX_NONE or in [0, rows) */
};

/* Whether the operation has an index for each element of [left, ids, right], or else one for each of [ids]. */
int index_is_per_element(enum index_operation operation);
/* Extent of the dimension in the input and in the output. */
int64_t index_input_extent(const struct index_problem *problem);
int64_t index_output_extent(const struct index_problem *problem);

/* select, gather, scatter: where each element of the columns [first, last) of the output comes from: an element of the input
 * (row-major number), or -1: a zero (select, gather), the output's own content (scatter). `source` is of the output's shape. */
void index_sources(const struct index_problem *problem, int64_t first, int64_t last, int64_t *source);

/* add, scatter_add: sums onto `out`, an array of `dtype` that holds what the output held before. Each addition is rounded to
 * dtype (nearest, ties to even) before the next: integers wrap, f8_e4m3 saturates at 448 (its additions are made in a wider
 * type, where they are exact, and stored with saturation).
 * `flush`: f32 as with --use_fast_math: subnormal operands and results of an addition are zeros of their sign. */
void index_sums(const struct index_problem *problem, enum dtype dtype, const void *in, int flush, int64_t first, int64_t last,
		void *out);

#endif
