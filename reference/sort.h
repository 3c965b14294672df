/* Whether a list of indices is an argsort: of one row, against its values. */
#ifndef ASSAY_REFERENCE_SORT_H
#define ASSAY_REFERENCE_SORT_H

#include "core/dtype.h"

#include <stdint.h>

enum argsort_fault {
	ARGSORT_RIGHT,
	ARGSORT_RANGE,  /* an index at or beyond the number of columns */
	ARGSORT_TWICE,  /* an index that occurred before: no permutation */
	ARGSORT_ORDER   /* the value it points to belongs before the one to its left */
};

struct argsort_result {
	enum argsort_fault fault;
	int64_t at;           /* position of the first such index in the row */
};

/* `values`: packed row of `columns` elements; `indices`: what is to be judged. Equal values (+0 and -0 are equal) may stand in
 * any order. Where the row holds a NaN no order is asked for, since a NaN compares with nothing: a permutation is right.
 * `flush`: f32 as with --use_fast_math, which compares subnormal numbers as zeros. `seen`: scratch of `columns` bytes. Range and
 * repetition are looked for in the whole row before order is. */
struct argsort_result argsort_check(enum dtype dtype, const void *values, const uint32_t *indices, int64_t columns,
				    int descending, int flush, unsigned char *seen);

#endif
