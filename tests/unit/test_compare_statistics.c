/* Intervals of ratios of medians: how often they miss, what they make of drift, of a timer's lattice and of bad samples. */
#include "check.h"

#include "compare_statistics.h"
#include "core/digest.h"

#include <stdlib.h>

enum { SAMPLES_MAX = 400 };

static double uniform(uint64_t *state)
{
	*state += DIGEST_KEY_0;
	return ((double)(digest_mix(*state) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *state)
{
	const double radius = sqrt(-2 * log(uniform(state)));
	return radius * cos(6.283185307179586 * uniform(state));
}

/* Kernel times: a floor with some noise, and one sample in ten in a tail. */
static void make_times(double *times, size_t count, double seconds, double noise, uint64_t *state)
{
	for (size_t i = 0; i < count; i++)
		times[i] = seconds * (1 + noise * normal(state) + (uniform(state) < 0.1 ? 5 * noise * uniform(state) : 0));
}

static struct ratio_interval interval_of(const double *base, size_t base_count, const double *next, size_t next_count,
					 uint64_t seed)
{
	const struct ratio_options options = {.confidence = 0.99, .resamples = 2000, .seed = seed};
	struct ratio_interval interval;
	struct error err = {0};
	CHECK_INT(ratio_of_medians(base, base_count, next, next_count, &options, &interval, &err), 0);
	return interval;
}

/* The interval holds the true ratio, 1, about as often as it says, for odd and even numbers of samples. */
static void coverage(void)
{
	static const size_t counts[] = {9, 20, 21, 100};
	for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		double base[SAMPLES_MAX], next[SAMPLES_MAX];
		uint64_t state = 7 + c;
		int missed = 0;
		double width = 0;
		for (int trial = 0; trial < 1000; trial++) {
			make_times(base, counts[c], 1e-4, 0.01, &state);
			make_times(next, counts[c], 1e-4, 0.01, &state);
			const struct ratio_interval interval = interval_of(base, counts[c], next, counts[c], (uint64_t)trial);
			missed += !(interval.low <= 1 && 1 <= interval.high);
			width += (interval.high - interval.low) / 1000;
		}
		/* 10 are expected; 25 are beyond 4 standard deviations of that binomial. An interval that is always too wide would
		 * be no use either: that of two normal medians is 2 * 2.576 * 0.01 * sqrt(pi / n) wide */
		CHECK(missed <= 25);
		CHECK(width < 2 * 2.576 * 0.01 * sqrt(3.14159265 / (double)counts[c]) * 1.6);
		printf("%zu samples: %d of 1000 missed, mean width %.4f\n", counts[c], missed, width);
	}
}

/* A series whose neighbours are alike: without the correction, far more than 1 % would miss. */
static void correlated(void)
{
	double base[SAMPLES_MAX], next[SAMPLES_MAX];
	uint64_t state = 99;
	int missed = 0;
	for (int trial = 0; trial < 500; trial++) {
		double *const sides[] = {base, next};
		for (int s = 0; s < 2; s++) {
			double level = normal(&state);
			for (int i = 0; i < 200; i++) {
				level = 0.8 * level + 0.6 * normal(&state); /* stationary, variance 1, correlation 0.8 */
				sides[s][i] = 1e-4 * (1 + 0.01 * level);
			}
		}
		const struct ratio_interval interval = interval_of(base, 200, next, 200, (uint64_t)trial);
		missed += !(interval.low <= 1 && 1 <= interval.high);
	}
	printf("correlated: %d of 500 missed\n", missed);
	CHECK(missed <= 20);
	double alternating[100], rising[100];
	for (int i = 0; i < 100; i++) {
		alternating[i] = i % 2 ? 1.1 : 0.9;
		rising[i] = 1 + 0.01 * i;
	}
	CHECK_NEAR(effective_count(alternating, 100, 1.0), 100, 0);
	CHECK(effective_count(rising, 100, 1.495) < 5);
	CHECK(effective_count(rising, 100, 1.495) >= 1);
	for (int i = 0; i < 100; i++)
		rising[i] = 1;
	CHECK_NEAR(effective_count(rising, 100, 1.0), 100, 0);
}

static void figures(void)
{
	double base[21], next[21];
	for (int i = 0; i < 21; i++) {
		base[i] = 1e-4 * (1 + 0.001 * (i * 8 % 21)); /* no order, all different */
		next[i] = 2e-4 * (1 + 0.001 * (i * 5 % 21));
	}
	const struct ratio_interval one = interval_of(base, 21, next, 21, 5), again = interval_of(base, 21, next, 21, 5);
	CHECK_NEAR(one.base_median, 1.01e-4, 1e-12);
	CHECK_NEAR(one.next_median, 2.02e-4, 1e-12);
	CHECK_NEAR(one.ratio, 2, 1e-9);
	CHECK(one.low < 2 && one.low > 1.96);
	CHECK(one.high > 2 && one.high < 2.04);
	CHECK(memcmp(&one, &again, sizeof one) == 0);
	const struct ratio_interval turned = interval_of(next, 21, base, 21, 5);
	CHECK_NEAR(turned.ratio, 0.5, 1e-9);
	CHECK_NEAR(turned.low * one.high, 1, 0.01);
}

/* All samples on one tick each, a tick apart: that is no difference that such a timer can see. */
static void lattice(void)
{
	double base[30], next[30];
	for (int i = 0; i < 30; i++) {
		base[i] = 5.12e-6;
		next[i] = 5.12e-6 + 0.032e-6;
	}
	const struct ratio_interval interval = interval_of(base, 30, next, 30, 1);
	CHECK(interval.low <= 1.0000001);
	CHECK(interval.high >= interval.ratio);
	const struct ratio_interval same = interval_of(base, 30, base, 30, 1);
	CHECK_NEAR(same.low, 1, 1e-12);
	CHECK_NEAR(same.high, 1, 1e-12);
}

static void refused(const double *base, size_t base_count, const double *next, size_t next_count, const char *words)
{
	const struct ratio_options options = {.confidence = 0.99, .resamples = 100};
	struct ratio_interval interval;
	struct error err = {0};
	CHECK_INT(ratio_of_medians(base, base_count, next, next_count, &options, &interval, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_CONTAINS(err.message, words);
}

static void bad_samples(void)
{
	double good[10], bad[10];
	for (int i = 0; i < 10; i++)
		good[i] = 1e-4 + i * 1e-7;
	refused(NULL, 0, good, 10, "no samples of the base run");
	refused(good, 10, NULL, 10, "no samples of the new run");
	refused(good, 10, good, 7, "the new run has 7 samples, too few for an interval of 99 %");
	refused(good, 1, good, 10, "the base run has 1 samples, too few");
	static const double wrong[] = {NAN, INFINITY, 0, -1e-4};
	for (int i = 0; i < 4; i++) {
		memcpy(bad, good, sizeof bad);
		bad[3] = wrong[i];
		refused(good, 10, bad, 10, "sample 3 of the new run");
	}
	interval_of(good, 8, good, 8, 0);
}

int main(void)
{
	coverage();
	correlated();
	figures();
	lattice();
	bad_samples();
	return check_result();
}
