#include "measure/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

double statistics_quantile(const double *sorted, size_t count, double fraction)
{
	const double position = fraction * (double)(count - 1);
	const size_t below = (size_t)position;
	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (position - (double)below) * (sorted[below + 1] - sorted[below]);
}

double statistics_median_ranks(size_t count, double confidence, size_t *low, size_t *high)
{
	const double n = (double)count, allowed = (1.0 - confidence) / 2.0;
	double below = 0, missed = 0; /* P(B < rank) so far, and at the rank chosen */
	size_t rank = 0;

	*low = *high = 0;
	if (count == 0)
		return 0;
	/* logarithms, since 2^-n leaves the range of double at n = 1075 */
	const double log_whole = lgamma(n + 1) - n * log(2.0);
	while (rank < (count + 1) / 2) {
		const double k = (double)rank;
		below += exp(log_whole - lgamma(k + 1) - lgamma(n - k + 1));
		if (below > allowed && rank > 0)
			break;
		missed = below;
		rank++;
		if (below > allowed)
			break; /* even the whole range misses too often */
	}
	*low = rank;
	*high = count + 1 - rank;
	return 1.0 - 2.0 * missed < 0 ? 0 : 1.0 - 2.0 * missed;
}

/* Modified z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993): 0.6745 is the third quartile of the
 * normal distribution, 3.5 their threshold; where the median absolute deviation is 0, the mean one times 1.2533 stands in. */
static size_t count_outliers(const double *samples, size_t count, double median, double deviation)
{
	double scale = deviation / 0.6745;
	size_t outliers = 0;

	if (!(scale > 0)) {
		double sum = 0;
		for (size_t i = 0; i < count; i++)
			sum += fabs(samples[i] - median);
		scale = 1.2533 * sum / (double)count;
	}
	for (size_t i = 0; scale > 0 && i < count; i++)
		outliers += fabs(samples[i] - median) > 3.5 * scale;
	return outliers;
}

int statistics_of(const double *samples, size_t count, double confidence, struct statistics *out, struct error *err)
{
	size_t low, high;

	*out = (struct statistics){0};
	if (count == 0)
		return error_set(err, ERROR_INTERNAL, "statistics of no samples");
	for (size_t i = 0; i < count; i++)
		if (!isfinite(samples[i]))
			return error_set(err, ERROR_INTERNAL, "sample %zu is not finite", i);
	double *sorted = malloc(count * sizeof *sorted);
	if (!sorted)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu samples", count);
	memcpy(sorted, samples, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare);

	out->count = count;
	out->minimum = sorted[0];
	out->maximum = sorted[count - 1];
	out->median = statistics_quantile(sorted, count, 0.5);
	out->quantile_10 = statistics_quantile(sorted, count, 0.10);
	out->quantile_25 = statistics_quantile(sorted, count, 0.25);
	out->quantile_75 = statistics_quantile(sorted, count, 0.75);
	out->quantile_90 = statistics_quantile(sorted, count, 0.90);
	out->coverage = statistics_median_ranks(count, confidence, &low, &high);
	out->median_low = sorted[low - 1];
	out->median_high = sorted[high - 1];
	out->relative_ci = INFINITY;
	if (out->coverage >= confidence && out->median > 0)
		out->relative_ci = fmax(out->median_high - out->median, out->median - out->median_low) / out->median;
	for (size_t i = 0; i < count; i++)
		sorted[i] = fabs(samples[i] - out->median);
	qsort(sorted, count, sizeof *sorted, compare);
	out->deviation = statistics_quantile(sorted, count, 0.5);
	out->outliers = count_outliers(samples, count, out->median, out->deviation);
	free(sorted);
	return 0;
}
