#include "reference/grouped_product.h"

#include <math.h>

enum { LANES = 4 }; /* independent sums, so that one addition need not wait for the other */

void grouped_product_row(const struct grouped_product *product, int64_t row, int64_t expert, struct dot *out)
{
	const int64_t k = product->k;
	const float *in = product->in + row * k;
	for (int64_t j = 0; j < product->n; j++) {
		const float *weights = product->weights + (expert * product->n + j) * k;
		double sum[LANES] = {0}, size[LANES] = {0};
		int64_t at = 0;
		for (; at + LANES <= k; at += LANES)
			for (int lane = 0; lane < LANES; lane++) {
				const double term = (double)in[at + lane] * (double)weights[at + lane];
				sum[lane] += term;
				size[lane] += fabs(term);
			}
		for (; at < k; at++) {
			const double term = (double)in[at] * (double)weights[at];
			sum[0] += term;
			size[0] += fabs(term);
		}
		out[j] = (struct dot){(sum[0] + sum[1]) + (sum[2] + sum[3]), (size[0] + size[1]) + (size[2] + size[3])};
	}
}

double grouped_product_error(double magnitude, int64_t k, int whole)
{
	if (whole && magnitude <= 0x1p24)
		return 0;
	return expm1((double)k * log1p(0x1p-23)) * magnitude;
}
