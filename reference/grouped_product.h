/* Products of rows with one of several matrices: out[i, j] = scale[i] * sum_k in[row[i], k] * weights[expert[i], j, k], in
 * float64, with what it takes to bound the error of a float32 accumulation. */
#ifndef ASSAY_REFERENCE_GROUPED_PRODUCT_H
#define ASSAY_REFERENCE_GROUPED_PRODUCT_H

#include <stdint.h>

struct grouped_product {
	int64_t n, k;
	const float *in;       /* [.., k] */
	const float *weights;  /* [experts, n, k] */
};

struct dot {
	double sum, magnitude; /* sum of the products and of their sizes; a float64 sum errs by k * 2^-53 * magnitude */
};

/* Of one row of `in` with all n rows of one expert's matrix. */
void grouped_product_row(const struct grouped_product *product, int64_t row, int64_t expert, struct dot *out);

/* Bound of |s - sum| for a float32 accumulation s of k exact products in any order and by any tensor core.
 * Each of k additions errs by at most one unit in the last place of its result (2^-23 relative: truncation, where addition to
 * the nearest would err by half of that), and no partial result exceeds `magnitude` by more than the errors before it: at most
 * ((1 + 2^-23)^k - 1) * magnitude (Higham, "Accuracy and Stability of Numerical Algorithms", 4.2). Tensor cores add several
 * products at once, aligned to the largest and cut off 0 to 2 bits below 24 (Fasi, Higham, Mikaitis, Pranesh, "Numerical
 * behavior of NVIDIA tensor cores", 2021): again no more than one such unit of the largest for each term.
 * `whole`: all products are whole numbers. Below 2^24 their sums then are exact in any order: 0. */
double grouped_product_error(double magnitude, int64_t k, int whole);

#endif
