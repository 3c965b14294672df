#include "reference/norm.h"

#include <math.h>

void norm_row(const long double *x, int64_t count, struct norm_row *row)
{
	*row = (struct norm_row){.count = count};
	long double sum = 0, magnitude = 0, squares = 0;
	int64_t finite = 0;
	for (int64_t i = 0; i < count; i++) {
		if (isnan(x[i])) {
			row->nan_count++;
		} else if (isinf(x[i])) {
			row->infinity_count++;
		} else {
			finite++;
			sum += x[i];
			magnitude += fabsl(x[i]);
			squares += x[i] * x[i];
		}
	}
	if (finite == 0)
		return;
	row->mean = sum / finite;
	row->magnitude_mean = magnitude / finite;
	row->square_mean = squares / finite;
	/* two passes, and the second one takes out what is left of the mean (Chan, Golub, LeVeque 1983) */
	long double deviations = 0, rest = 0;
	for (int64_t i = 0; i < count; i++) {
		if (!isfinite(x[i]))
			continue;
		const long double deviation = x[i] - row->mean;
		deviations += deviation * deviation;
		rest += deviation;
	}
	row->variance = (deviations - rest * rest / finite) / finite;
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
