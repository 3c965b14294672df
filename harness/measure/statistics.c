#include "measure/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* statistics.h says why. */
enum { SMOOTHED_LEAST = 20, EFFECTIVE_LEAST = 6, WEIGHED_DEVIATIONS = 8 };

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

/* ---- series ---- */

enum { RUNS_MOST = 512 };

/* For each run of neighbours, how many more of them are above the median than below. Returns how many runs there are. */
static size_t sum_runs(const double *samples, size_t count, double median, double *runs)
{
	const size_t length = (count + RUNS_MOST - 1) / RUNS_MOST, whole = count / length;
	for (size_t run = 0; run < whole; run++) {
		runs[run] = 0;
		for (size_t i = run * length; i < (run + 1) * length; i++)
			runs[run] += (samples[i] > median) - (samples[i] < median);
	}
	return whole;
}

static double product_at(const double *runs, size_t count, size_t lag)
{
	double sum = 0;
	for (size_t i = 0; i + lag < count; i++)
		sum += runs[i] * runs[i + lag];
	return sum;
}

double statistics_effective_count(const double *samples, size_t count, double median)
{
	double runs[RUNS_MOST], sides = 0, sum = 0, earlier = INFINITY;
	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		sides += samples[i] != median;
	const size_t run_count = sum_runs(samples, count, median, runs);
	for (size_t lag = 0; lag + 1 < run_count; lag += 2) {
		double pair = product_at(runs, run_count, lag) + product_at(runs, run_count, lag + 1);
		if (!(pair > 0))
			break;
		pair = pair < earlier ? pair : earlier;
		earlier = pair;
		sum += pair;
	}
	/* of independent samples the sums would have this square: a whole number of runs may leave some samples out */
	const double alone = sides * (double)(run_count * (count / run_count)) / (double)count;
	const double time = alone > 0 ? (2 * sum - product_at(runs, run_count, 0)) / alone : 1; /* lags of both signs, 0 once */
	const double effective = (double)count / (time > 1 ? time : 1);
	return effective < 1 ? 1 : effective;
}

double statistics_median(const double *sorted, size_t count, double effective)
{
	if (count < SMOOTHED_LEAST)
		return statistics_quantile(sorted, count, 0.5);
	const double power = (fmax(effective, EFFECTIVE_LEAST) - 1) / 2, n = (double)count;
	/* the standard deviation of Beta(power + 1, power + 1) */
	const double deviation = 0.5 / sqrt(2 * power + 3);
	const double from = n * (0.5 - WEIGHED_DEVIATIONS * deviation);
	double weights = 0, sum = 0;
	for (size_t i = from > 0 ? (size_t)from : 0; 2 * i < count; i++) {
		const double below = ((double)i + 0.5) / n;
		/* 1 in the middle, so that no power leaves the range of double */
		const double weight = pow(4 * below * (1 - below), power);
		const size_t other = count - 1 - i;
		weights += other == i ? weight : 2 * weight;
		sum += other == i ? weight * sorted[i] : weight * (sorted[i] + sorted[other]);
	}
	return sum / weights;
}

double statistics_median_of(const double *samples, const double *sorted, size_t count, double *effective)
{
	const double independent = statistics_effective_count(samples, count, statistics_quantile(sorted, count, 0.5));
	if (effective)
		*effective = independent;
	return statistics_median(sorted, count, independent);
}

/* Ranks (1-based) among `count` samples that lie where those of the interval would among `effective` ones. */
static double median_ranks(size_t count, double effective, double confidence, size_t *low, size_t *high)
{
	const size_t independent = (size_t)effective;
	const double coverage = statistics_median_ranks(independent, confidence, low, high);
	if (independent == count)
		return coverage;
	*low = independent < 2 ? 1 : 1 + (*low - 1) * (count - 1) / (independent - 1);
	*high = count + 1 - *low;
	return coverage;
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
	out->median = statistics_median_of(samples, sorted, count, &out->effective);
	out->quantile_10 = statistics_quantile(sorted, count, 0.10);
	out->quantile_25 = statistics_quantile(sorted, count, 0.25);
	out->quantile_75 = statistics_quantile(sorted, count, 0.75);
	out->quantile_90 = statistics_quantile(sorted, count, 0.90);
	out->coverage = median_ranks(count, out->effective, confidence, &low, &high);
	/* with a tail that is one heap, the estimate may lie beyond it */
	out->median_low = fmin(sorted[low - 1], out->median);
	out->median_high = fmax(sorted[high - 1], out->median);
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
