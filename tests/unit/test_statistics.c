#include "check.h"
#include "measure/statistics.h"

static void ranks_are_those_of_the_tables(void)
{
	/* The sign test's table for 95 %: n, rank of the lower end (Conover, Practical Nonparametric Statistics, table A3;
	 * n = 6 misses with 2/64, n = 10 with 2 * 11/1024, n = 20 with 2 * 21700/2^20). */
	static const struct {
		size_t count, low;
		double coverage;
	} table[] = {
		{6, 1, 1 - 2.0 / 64},
		{8, 1, 1 - 2.0 / 256},
		{9, 2, 1 - 2.0 * 10 / 512},
		{10, 2, 1 - 2.0 * 11 / 1024},
		{15, 4, 1 - 2.0 * (1 + 15 + 105 + 455) / 32768},
		{20, 6, 1 - 2.0 * (1 + 20 + 190 + 1140 + 4845 + 15504) / 1048576},
		{25, 8, 1 - 2.0 * (1 + 25 + 300 + 2300 + 12650 + 53130 + 177100 + 480700) / 33554432},
	};
	size_t low, high;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const double coverage = statistics_median_ranks(table[i].count, 0.95, &low, &high);
		CHECK_INT(low, table[i].low);
		CHECK_INT(high, table[i].count + 1 - table[i].low);
		CHECK_NEAR(coverage, table[i].coverage, 1e-12);
		CHECK(coverage >= 0.95);
	}
	/* too few samples: the range, and what it is worth */
	CHECK_NEAR(statistics_median_ranks(5, 0.95, &low, &high), 1 - 2.0 / 32, 1e-12);
	CHECK(low == 1 && high == 5);
	CHECK_NEAR(statistics_median_ranks(2, 0.95, &low, &high), 0.5, 1e-12);
	CHECK(low == 1 && high == 2);
	CHECK_NEAR(statistics_median_ranks(1, 0.95, &low, &high), 0, 1e-12);
	CHECK(low == 1 && high == 1);
	CHECK_NEAR(statistics_median_ranks(0, 0.95, &low, &high), 0, 0);
	CHECK(low == 0 && high == 0);
	/* far beyond the range of 2^-n: n/2 - 1.96 sqrt(n)/2 by the normal approximation */
	const double coverage = statistics_median_ranks(100000, 0.95, &low, &high);
	CHECK(coverage >= 0.95 && coverage < 0.951);
	CHECK_NEAR((double)low, 50000 - 0.98 * sqrt(100000), 2);
	/* one rank further in would miss more often than allowed: the pair is the narrowest */
	for (size_t count = 6; count < 60; count++) {
		double below = 0, term = ldexp(1, -(int)count);
		statistics_median_ranks(count, 0.95, &low, &high);
		for (size_t k = 0; k <= low; k++) {
			below += term;
			term = term * (double)(count - k) / (double)(k + 1);
			CHECK((below <= 0.025) == (k < low));
		}
	}
}

static void figures_of_known_samples(void)
{
	static const double samples[] = {3, 1, 2, 10, 4, 5, 6, 7, 8, 9};
	struct statistics s;
	struct error err = {0};

	CHECK_INT(statistics_of(samples, 10, 0.95, &s, &err), 0);
	CHECK_INT(s.count, 10);
	CHECK_NEAR(s.median, 5.5, 0);
	CHECK_NEAR(s.minimum, 1, 0);
	CHECK_NEAR(s.maximum, 10, 0);
	CHECK_NEAR(s.quantile_25, 3.25, 1e-15);
	CHECK_NEAR(s.quantile_75, 7.75, 1e-15);
	CHECK_NEAR(s.quantile_10, 1.9, 1e-15);
	CHECK_NEAR(s.quantile_90, 9.1, 1e-14);
	CHECK_NEAR(s.median_low, 2, 0);
	CHECK_NEAR(s.median_high, 9, 0);
	CHECK_NEAR(s.relative_ci, 3.5 / 5.5, 1e-15);
	CHECK_NEAR(s.deviation, 2.5, 0);
	CHECK_INT(s.outliers, 0);
	CHECK_NEAR(samples[0], 3, 0); /* left as it was */

	/* the farther end counts, on whichever side it lies */
	static const double right[] = {10, 10, 10, 10, 10, 10, 10, 10, 14, 20}, left[] = {10, 10, 10, 10, 10, 10, 10, 10, 6, 0};
	CHECK_INT(statistics_of(right, 10, 0.95, &s, &err), 0);
	CHECK_NEAR(s.relative_ci, 0.4, 1e-15);
	CHECK_INT(statistics_of(left, 10, 0.95, &s, &err), 0);
	CHECK_NEAR(s.relative_ci, 0.4, 1e-15);

	CHECK_INT(statistics_of(samples, 1, 0.95, &s, &err), 0);
	CHECK_NEAR(s.median, 3, 0);
	CHECK(isinf(s.relative_ci)); /* one sample never looks precise */
	CHECK_INT(statistics_of(samples, 5, 0.95, &s, &err), 0);
	CHECK(isinf(s.relative_ci));
}

static void outliers_are_counted(void)
{
	double samples[40];
	struct statistics s;
	struct error err = {0};

	for (int i = 0; i < 40; i++)
		samples[i] = 100 + (i % 5) * 0.1;
	samples[7] = 130;
	samples[33] = 150;
	CHECK_INT(statistics_of(samples, 40, 0.95, &s, &err), 0);
	CHECK_INT(s.outliers, 2);
	CHECK(s.relative_ci < 0.002);
	/* -20 ... 20 has a median absolute deviation of 10: the threshold lies at 3.5 * 10 / 0.6745 = 51.9 */
	double wide[43];
	for (int i = 0; i < 41; i++)
		wide[i] = i - 20;
	wide[41] = 51;
	wide[42] = -51;
	CHECK_INT(statistics_of(wide, 43, 0.95, &s, &err), 0);
	CHECK_INT(s.outliers, 0);
	wide[41] = 60;
	wide[42] = -60;
	CHECK_INT(statistics_of(wide, 43, 0.95, &s, &err), 0);
	CHECK_INT(s.outliers, 2);
	/* a clock that ticks coarsely: most samples equal, deviation 0 */
	for (int i = 0; i < 40; i++)
		samples[i] = 5;
	CHECK_INT(statistics_of(samples, 40, 0.95, &s, &err), 0);
	CHECK_INT(s.outliers, 0);
	CHECK_NEAR(s.relative_ci, 0, 0);
	samples[3] = 9;
	CHECK_INT(statistics_of(samples, 40, 0.95, &s, &err), 0);
	CHECK_INT(s.outliers, 1);
}

static void nonsense_is_refused(void)
{
	const double bad[][2] = {{1, NAN}, {INFINITY, 1}, {-INFINITY, 0}};
	struct statistics s;
	struct error err = {0};

	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(statistics_of(bad[i], 2, 0.95, &s, &err), -1);
		CHECK_INT(err.kind, ERROR_INTERNAL);
	}
	CHECK_INT(statistics_of(bad[0], 0, 0.95, &s, &err), -1);
	const double zeros[10] = {0};
	CHECK_INT(statistics_of(zeros, 10, 0.95, &s, &err), 0);
	CHECK(isinf(s.relative_ci)); /* a time of 0 is no precise time */
}

/* The interval holds the true median as often as it says: 2000 experiments of 25 samples from a skewed distribution. */
static void coverage_is_kept(void)
{
	uint64_t state = 99;
	int held = 0;

	for (int experiment = 0; experiment < 2000; experiment++) {
		double samples[25];
		struct statistics s;
		for (int i = 0; i < 25; i++) {
			state = state * 6364136223846793005ull + 1442695040888963407ull;
			samples[i] = 1 - log(((double)(state >> 11) + 0.5) * 0x1p-53);
		}
		CHECK_INT(statistics_of(samples, 25, 0.95, &s, NULL), 0);
		held += s.median_low <= 1 + log(2) && 1 + log(2) <= s.median_high;
	}
	/* 0.9567 expected; four standard deviations are 0.018 */
	CHECK(held >= 1877 && held <= 1950);
}

int main(void)
{
	ranks_are_those_of_the_tables();
	figures_of_known_samples();
	outliers_are_counted();
	nonsense_is_refused();
	coverage_is_kept();
	return check_result();
}
