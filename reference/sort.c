#include "reference/sort.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* -1, 0, 1: a before, equal to, behind b; exact for every type: i64 does not fit a double. */
static int compare(enum dtype dtype, const void *values, size_t a, size_t b, int flush)
{
	if (dtype == DTYPE_I64) {
		const int64_t x = ((const int64_t *)values)[a], y = ((const int64_t *)values)[b];
		return (x > y) - (x < y);
	}
	double x = dtype_load(dtype, values, a), y = dtype_load(dtype, values, b);
	if (flush && dtype == DTYPE_F32) {
		x = fabs(x) < FLT_MIN ? 0 : x;
		y = fabs(y) < FLT_MIN ? 0 : y;
	}
	return (x > y) - (x < y);
}

struct argsort_result argsort_check(enum dtype dtype, const void *values, const uint32_t *indices, int64_t columns,
				    int descending, int flush, unsigned char *seen)
{
	int ordered = 1;
	memset(seen, 0, (size_t)columns);
	for (int64_t at = 0; at < columns; at++) {
		if (indices[at] >= (uint64_t)columns)
			return (struct argsort_result){ARGSORT_RANGE, at};
		if (seen[indices[at]])
			return (struct argsort_result){ARGSORT_TWICE, at};
		seen[indices[at]] = 1;
		if (dtype_is_float(dtype) && isnan(dtype_load(dtype, values, (size_t)at)))
			ordered = 0;
	}
	for (int64_t at = 1; ordered && at < columns; at++) {
		const int order = compare(dtype, values, indices[at - 1], indices[at], flush);
		if (descending ? order < 0 : order > 0)
			return (struct argsort_result){ARGSORT_ORDER, at};
	}
	return (struct argsort_result){ARGSORT_RIGHT, -1};
}
