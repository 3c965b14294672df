/* Reductions: everything that has to be known of a set of numbers to judge a sum, an extremum or the place of one. */
#ifndef ASSAY_REFERENCE_REDUCE_H
#define ASSAY_REFERENCE_REDUCE_H

#include <stdint.h>

/* Zero-initialise, then add numbers one by one. What they are is kept whatever their order, but for the error of `sum`, which
 * is compensated (Neumaier 1974): at most 2^-62 |sum| + 2^-124 count^2 (positive + negative) in long doubles of 64 bits. */
struct reduction {
	int64_t count, nan_count, plus_infinities, minus_infinities;
	int64_t zeros;
	long double sum, compensation;       /* of the finite ones; reduction_sum adds them up */
	long double positive, negative;      /* sums of the magnitudes of the finite ones above and below 0 */
	long double least, greatest;         /* of all but NaNs; +Inf and -Inf when there is none */
	int lowest_bit;                      /* every finite number is a multiple of 2^lowest_bit; INT32_MAX when all are 0 */
	int started;
};

/* x: a number that a double holds exactly (any floating-point element), or an integer below 2^63. */
void reduction_add(struct reduction *reduction, long double x);
/* Puts together the numbers of two. */
void reduction_merge(struct reduction *reduction, const struct reduction *other);

long double reduction_sum(const struct reduction *reduction);       /* of the finite ones */
long double reduction_magnitude(const struct reduction *reduction); /* sum of the magnitudes of the finite ones */
/* Whether every sum of any of the numbers, and so every way of adding them up, is exact in arithmetic with `precision` bits of
 * mantissa (the leading one included), overflow aside: all are multiples of 2^lowest_bit, and the magnitudes add up to at most
 * 2^(lowest_bit + precision). */
int reduction_is_exact(const struct reduction *reduction, int precision);

/* Largest relative error of a number that goes through `steps` roundings of at most `unit` (half an epsilon) each:
 * (1 + unit)^steps - 1 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1). */
double rounding_growth(double unit, double steps);

#endif
