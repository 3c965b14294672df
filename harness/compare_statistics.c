#include "compare_statistics.h"

#include "core/digest.h"
#include "measure/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

/* ---- variates ---- */

/* SplitMix64 (core/digest.h); in (0, 1). */
static double uniform(uint64_t *state)
{
	*state += DIGEST_KEY_0;
	return ((double)(digest_mix(*state) >> 11) + 0.5) * 0x1p-53;
}

/* The polar method (Marsaglia and Bray, SIAM Review 6, 1964); its second variate is left. */
static double normal(uint64_t *state)
{
	for (;;) {
		const double x = 2 * uniform(state) - 1, y = 2 * uniform(state) - 1, square = x * x + y * y;
		if (square > 0 && square < 1)
			return x * sqrt(-2 * log(square) / square);
	}
}

/* Marsaglia and Tsang, "A simple method for generating gamma variables", ACM Transactions on Mathematical Software 26, 2000.
 * shape >= 1. */
static double gamma_variate(double shape, uint64_t *state)
{
	const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
	for (;;) {
		const double x = normal(state), root = 1 + c * x, v = root * root * root;
		if (root > 0 && log(uniform(state)) < 0.5 * x * x + d - d * v + d * log(v))
			return d * v;
	}
}

/* Median of one resample of sorted samples that count as `effective` independent ones. */
static double resampled_median(const double *sorted, size_t count, double effective, uint64_t *state)
{
	const double shape = (effective + 1) / 2, a = gamma_variate(shape, state), b = gamma_variate(shape, state);
	const size_t rank = (size_t)(a / (a + b) * (double)count);
	return sorted[rank < count ? rank : count - 1];
}

/* ---- series ---- */

static int side(double sample, double median)
{
	return (sample > median) - (sample < median);
}

/* Autocorrelation at a lag; `square` is the sum at lag 0. */
static double correlation(const double *samples, size_t count, double median, size_t lag, double square)
{
	double sum = 0;
	for (size_t i = 0; i + lag < count; i++)
		sum += side(samples[i], median) * side(samples[i + lag], median);
	return sum / square;
}

double effective_count(const double *samples, size_t count, double median)
{
	double square = 0, sum = 0, earlier = INFINITY;
	for (size_t i = 0; i < count; i++)
		square += side(samples[i], median) != 0;
	if (!(square > 0))
		return (double)count; /* all are the median */
	for (size_t lag = 0; lag + 1 < count; lag += 2) {
		double pair = correlation(samples, count, median, lag, square) + correlation(samples, count, median, lag + 1, square);
		if (!(pair > 0))
			break;
		pair = pair < earlier ? pair : earlier;
		earlier = pair;
		sum += pair;
	}
	const double time = 2 * sum - 1; /* lags of both signs, 0 once */
	const double effective = (double)count / (time > 1 ? time : 1);
	return effective < 1 ? 1 : effective;
}

/* The smallest distance of two different samples of either set, both sorted. Differences in the last bits of a double come of
 * arithmetic (means over several calls), not of the timer. */
static double timer_step(const double *base, size_t base_count, const double *next, size_t next_count)
{
	double step = INFINITY, last = -INFINITY;
	for (size_t i = 0, k = 0; i < base_count || k < next_count;) {
		const int from_base = k >= next_count || (i < base_count && base[i] <= next[k]);
		const double value = from_base ? base[i++] : next[k++];
		if (value - last > 1e-9 * value && value - last < step)
			step = value - last;
		last = value;
	}
	return isfinite(step) ? step : 0;
}

/* On a lattice, values come more than once; samples that all differ show no step of the timer. */
static int has_ties(const double *sorted, size_t count)
{
	size_t ties = 0;
	for (size_t i = 1; i < count; i++)
		ties += !(sorted[i] - sorted[i - 1] > 1e-9 * sorted[i]);
	return 4 * ties >= count;
}

/* ---- the interval ---- */

static double *sorted_copy(const double *samples, size_t count, const char *whose, double confidence, struct error *err)
{
	if (!samples || count == 0) {
		error_set(err, ERROR_INPUT, "no samples of the %s run", whose);
		return NULL;
	}
	if (!(1 - exp2(1 - (double)count) >= confidence)) {
		error_set(err, ERROR_INPUT, "the %s run has %zu samples, too few for an interval of %g %%", whose, count, 100 * confidence);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		if (!isfinite(samples[i]) || !(samples[i] > 0)) {
			error_set(err, ERROR_INPUT, "sample %zu of the %s run is %g s, which is no time", i, whose, samples[i]);
			return NULL;
		}
	double *sorted = malloc(count * sizeof *sorted);
	if (!sorted) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu samples", count);
		return NULL;
	}
	memcpy(sorted, samples, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_value);
	return sorted;
}

int ratio_of_medians(const double *base, size_t base_count, const double *next, size_t next_count,
		     const struct ratio_options *options, struct ratio_interval *out, struct error *err)
{
	const size_t resamples = options->resamples > 0 ? (size_t)options->resamples : 1;
	double *old = NULL, *new = NULL, *ratios = NULL;
	uint64_t state = digest_mix(options->seed + DIGEST_KEY_1);
	int result = -1;

	*out = (struct ratio_interval){0};
	old = sorted_copy(base, base_count, "base", options->confidence, err);
	new = old ? sorted_copy(next, next_count, "new", options->confidence, err) : NULL;
	if (!old || !new)
		goto done;
	ratios = malloc(resamples * sizeof *ratios);
	if (!ratios) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu resamples", resamples);
		goto done;
	}
	out->base_median = statistics_quantile(old, base_count, 0.5);
	out->next_median = statistics_quantile(new, next_count, 0.5);
	out->base_effective = effective_count(base, base_count, out->base_median);
	out->next_effective = effective_count(next, next_count, out->next_median);
	for (size_t i = 0; i < resamples; i++)
		ratios[i] = resampled_median(new, next_count, out->next_effective, &state) /
			    resampled_median(old, base_count, out->base_effective, &state);
	qsort(ratios, resamples, sizeof *ratios, by_value);
	const double missed = (1 - options->confidence) / 2;
	double blur = 0;
	if (has_ties(old, base_count) || has_ties(new, next_count))
		blur = timer_step(old, base_count, new, next_count) / 2;
	out->ratio = out->next_median / out->base_median;
	out->low = fmin(out->ratio, statistics_quantile(ratios, resamples, missed));
	out->high = fmax(out->ratio, statistics_quantile(ratios, resamples, 1 - missed));
	out->low *= fmax(0, 1 - blur / out->next_median) / (1 + blur / out->base_median);
	out->high *= (1 + blur / out->next_median) / fmax(1e-3, 1 - blur / out->base_median);
	result = 0;
done:
	free(old);
	free(new);
	free(ratios);
	return result;
}
