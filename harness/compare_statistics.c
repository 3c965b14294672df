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

/* compare_statistics.h says where it is from. */
#define TIMER_STEP_MOST 0.5e-6

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
	return isfinite(step) ? fmin(step, TIMER_STEP_MOST) : 0;
}

/* On a lattice, values come more than once; samples that all differ show no step of the timer. */
static int has_ties(const double *sorted, size_t count)
{
	size_t ties = 0;
	for (size_t i = 1; i < count; i++)
		ties += !(sorted[i] - sorted[i - 1] > 1e-9 * sorted[i]);
	return 4 * ties >= count;
}

/* Half a step of the timer on either side of both medians. Both sets sorted. */
static void add_timer_step(const double *base, size_t base_count, const double *next, size_t next_count,
			   struct ratio_interval *out)
{
	double blur = 0;
	if (has_ties(base, base_count) || has_ties(next, next_count))
		blur = timer_step(base, base_count, next, next_count) / 2;
	out->low *= fmax(0, 1 - blur / out->next_median) / (1 + blur / out->base_median);
	out->high *= (1 + blur / out->next_median) / fmax(1e-3, 1 - blur / out->base_median);
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
	out->base_median = statistics_median_of(base, old, base_count, &out->base_effective);
	out->next_median = statistics_median_of(next, new, next_count, &out->next_effective);
	for (size_t i = 0; i < resamples; i++)
		ratios[i] = resampled_median(new, next_count, out->next_effective, &state) /
			    resampled_median(old, base_count, out->base_effective, &state);
	qsort(ratios, resamples, sizeof *ratios, by_value);
	const double missed = (1 - options->confidence) / 2;
	out->ratio = out->next_median / out->base_median;
	out->low = fmin(out->ratio, statistics_quantile(ratios, resamples, missed));
	out->high = fmax(out->ratio, statistics_quantile(ratios, resamples, 1 - missed));
	add_timer_step(old, base_count, new, next_count, out);
	result = 0;
done:
	free(old);
	free(new);
	free(ratios);
	return result;
}

/* ---- rounds ---- */

/* P(|T| <= t) for T of Student's distribution: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4, with
 * theta = atan(t / sqrt(freedom)). */
static double student_within(double theta, size_t freedom)
{
	static const double pi = 3.14159265358979323846;
	const double sine = sin(theta), cosine = cos(theta);
	if (freedom % 2) {
		double term = cosine, sum = 0;
		for (size_t k = 3; k <= freedom; k += 2) {
			sum += term;
			term *= cosine * cosine * (double)(k - 1) / (double)k;
		}
		return 2 / pi * (theta + sine * sum);
	}
	double term = 1, sum = 0;
	for (size_t k = 2; k <= freedom; k += 2) {
		sum += term;
		term *= cosine * cosine * (double)(k - 1) / (double)k;
	}
	return sine * sum;
}

double student_quantile(double confidence, size_t freedom)
{
	/* beyond some thousand it is the normal distribution to four digits */
	const size_t most = 4000, n = freedom > most ? most : freedom;
	double low = 0, high = 1.57079632679489661923;
	for (int i = 0; i < 200 && low < high; i++) {
		const double middle = 0.5 * (low + high);
		if (middle <= low || middle >= high)
			break;
		if (student_within(middle, n) < confidence)
			low = middle;
		else
			high = middle;
	}
	return tan(high) * sqrt((double)n);
}

double *timing_round_medians(const struct timing_rounds *side, const char *whose, struct error *err)
{
	size_t total = 0, largest = 0;
	for (size_t i = 0; i < side->rounds; i++) {
		if (side->sizes[i] == 0 || side->sizes[i] > side->count - total) {
			error_set(err, ERROR_INPUT, "round %zu of the %s run has %u samples, which cannot be", i, whose, side->sizes[i]);
			return NULL;
		}
		total += side->sizes[i];
		largest = side->sizes[i] > largest ? side->sizes[i] : largest;
	}
	if (side->rounds < 2 || total != side->count) {
		error_set(err, ERROR_INPUT, "the %s run has %zu samples in %zu rounds of %zu samples together", whose, side->count,
			  side->rounds, total);
		return NULL;
	}
	double *medians = malloc(side->rounds * sizeof *medians), *sorted = malloc(largest * sizeof *sorted);
	if (!medians || !sorted) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu rounds", side->rounds);
		free(medians);
		free(sorted);
		return NULL;
	}
	for (size_t i = 0, at = 0; i < side->rounds; at += side->sizes[i++]) {
		memcpy(sorted, side->samples + at, side->sizes[i] * sizeof *sorted);
		qsort(sorted, side->sizes[i], sizeof *sorted, by_value);
		medians[i] = log(statistics_median_of(side->samples + at, sorted, side->sizes[i], NULL));
	}
	free(sorted);
	return medians;
}

/* Mean and the variance of that mean. */
struct estimate {
	double mean, variance;
};

static struct estimate estimate_of(const double *values, size_t count)
{
	double sum = 0, square = 0;
	for (size_t i = 0; i < count; i++)
		sum += values[i];
	const double mean = sum / (double)count;
	for (size_t i = 0; i < count; i++)
		square += (values[i] - mean) * (values[i] - mean);
	return (struct estimate){mean, square / (double)(count - 1) / (double)count};
}

struct mean_interval mean_of(const double *values, size_t count, double confidence)
{
	const struct estimate estimate = estimate_of(values, count);
	return (struct mean_interval){estimate.mean, student_quantile(confidence, count - 1) * sqrt(estimate.variance)};
}

/* Welch and Satterthwaite, rounded down. */
static size_t welch_freedom(const struct estimate *a, size_t a_count, const struct estimate *b, size_t b_count)
{
	const double sum = a->variance + b->variance;
	const double below = a->variance * a->variance / (double)(a_count - 1) + b->variance * b->variance / (double)(b_count - 1);
	const size_t least = (a_count < b_count ? a_count : b_count) - 1;
	if (!(below > 0))
		return least;
	const double freedom = sum * sum / below;
	return freedom > (double)least ? (size_t)freedom : least;
}

/* Mean of the means of every second value and of the others, with the scatter within the two; count >= 4. */
static struct estimate crossover(const double *values, size_t count)
{
	double sums[2] = {0}, square = 0;
	const size_t counts[2] = {(count + 1) / 2, count / 2};
	for (size_t i = 0; i < count; i++)
		sums[i % 2] += values[i];
	const double means[2] = {sums[0] / (double)counts[0], sums[1] / (double)counts[1]};
	for (size_t i = 0; i < count; i++)
		square += (values[i] - means[i % 2]) * (values[i] - means[i % 2]);
	return (struct estimate){0.5 * (means[0] + means[1]),
				 square / (double)(count - 2) * (1 / (double)counts[0] + 1 / (double)counts[1]) / 4};
}

int ratio_of_rounds(const struct timing_rounds *base, const struct timing_rounds *next, int paired,
		    const struct ratio_options *options, struct ratio_interval *out, struct error *err)
{
	double *old = NULL, *new = NULL, *base_sorted = NULL, *next_sorted = NULL;
	int result = -1;

	*out = (struct ratio_interval){0};
	if (paired && base->rounds != next->rounds)
		return error_set(err, ERROR_INPUT, "%zu rounds of the base run cannot be paired with %zu of the new run", base->rounds,
				 next->rounds);
	/* any number of samples will do: rounds are counted */
	base_sorted = sorted_copy(base->samples, base->count, "base", 0, err);
	next_sorted = base_sorted ? sorted_copy(next->samples, next->count, "new", 0, err) : NULL;
	old = next_sorted ? timing_round_medians(base, "base", err) : NULL;
	new = old ? timing_round_medians(next, "new", err) : NULL;
	if (!new)
		goto done;
	struct estimate difference;
	size_t freedom = base->rounds - 1;
	if (paired) {
		for (size_t i = 0; i < base->rounds; i++)
			new[i] -= old[i];
		difference = base->rounds >= 4 ? crossover(new, base->rounds) : estimate_of(new, base->rounds);
		freedom -= base->rounds >= 4;
	} else {
		const struct estimate a = estimate_of(old, base->rounds), b = estimate_of(new, next->rounds);
		difference = (struct estimate){b.mean - a.mean, a.variance + b.variance};
		freedom = welch_freedom(&a, base->rounds, &b, next->rounds);
	}
	const double half = student_quantile(options->confidence, freedom) * sqrt(difference.variance);
	out->base_median = statistics_median_of(base->samples, base_sorted, base->count, NULL);
	out->next_median = statistics_median_of(next->samples, next_sorted, next->count, NULL);
	out->base_effective = (double)base->rounds;
	out->next_effective = (double)next->rounds;
	out->ratio = exp(difference.mean);
	out->low = exp(difference.mean - half);
	out->high = exp(difference.mean + half);
	add_timer_step(base_sorted, base->count, next_sorted, next->count, out);
	result = 0;
done:
	free(old);
	free(new);
	free(base_sorted);
	free(next_sorted);
	return result;
}
