#include "reference/norm.h"

#include <math.h>

/* A sum that keeps what its additions lose (Neumaier 1974): the error is two roundings and n^2 2^-128 of the magnitudes, where
 * float64 kernels are judged that lose 2^-53 a step. */
struct total {
	long double sum, lost;
};

static void add(struct total *total, long double x)
{
	const long double sum = total->sum + x;
	total->lost += fabsl(total->sum) >= fabsl(x) ? total->sum - sum + x : x - sum + total->sum;
	total->sum = sum;
}

static long double value_of(struct total total)
{
	return isfinite(total.sum) ? total.sum + total.lost : total.sum;
}

void norm_row(const long double *x, int64_t count, struct norm_row *row)
{
	*row = (struct norm_row){.count = count};
	struct total sum = {0}, magnitude = {0}, squares = {0}, deviations = {0}, rest = {0};
	int64_t finite = 0;
	for (int64_t i = 0; i < count; i++) {
		if (isnan(x[i])) {
			row->nan_count++;
		} else if (isinf(x[i])) {
			row->infinity_count++;
		} else {
			finite++;
			add(&sum, x[i]);
			add(&magnitude, fabsl(x[i]));
			add(&squares, x[i] * x[i]);
		}
	}
	if (finite == 0)
		return;
	row->mean = value_of(sum) / finite;
	row->magnitude_mean = value_of(magnitude) / finite;
	row->square_mean = value_of(squares) / finite;
	/* two passes, and the second one takes out what is left of the mean (Chan, Golub, LeVeque 1983) */
	for (int64_t i = 0; i < count; i++) {
		if (!isfinite(x[i]))
			continue;
		const long double deviation = x[i] - row->mean;
		add(&deviations, deviation * deviation);
		add(&rest, deviation);
	}
	row->variance = (value_of(deviations) - value_of(rest) * value_of(rest) / finite) / finite;
	if (!(row->variance > 0))
		row->variance = 0;
}

void softmax_row(const long double *x, int64_t count, int precise, long double *exponentials, struct softmax_row *row)
{
	*row = (struct softmax_row){.greatest = -INFINITY};
	for (int64_t i = 0; i < count; i++) {
		if (isnan(x[i]))
			row->is_nan = 1;
		else if (x[i] > row->greatest)
			row->greatest = x[i];
	}
	if (row->is_nan || isinf(row->greatest)) {
		row->is_nan = 1;
		return;
	}
	for (int64_t i = 0; i < count; i++) {
		const long double distance = x[i] - row->greatest;
		exponentials[i] = precise ? expl(distance) : exp((double)distance);
		row->sum += exponentials[i];
	}
}
