/* Rows of a softmax or of a normalisation, in long double. */
#ifndef ASSAY_REFERENCE_NORM_H
#define ASSAY_REFERENCE_NORM_H

#include <stdint.h>

struct norm_row {
	int64_t count, nan_count, infinity_count;
	long double mean, variance;      /* of the finite elements; variance about the mean, divided by their number */
	long double square_mean;         /* mean of x^2 */
	long double magnitude_mean;      /* mean of |x| */
};
void norm_row(const long double *x, int64_t count, struct norm_row *row);

/* exp(x - greatest) and their sum. NaN or +Inf among the elements, or nothing but -Inf: is_nan, as the formula has it
 * (Inf - Inf), and the others are not set. `exponentials` has room for count numbers; relative error below 2^-51, or 2^-62
 * when `precise`. */
struct softmax_row {
	int is_nan;
	long double greatest, sum;
};
void softmax_row(const long double *x, int64_t count, int precise, long double *exponentials, struct softmax_row *row);

#endif
