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
	for (int i = 0; i < 30; i++) { /* as regular, and further apart than any timer's steps */
		base[i] = 100e-6;
		next[i] = 150e-6;
	}
	const struct ratio_interval slower = interval_of(base, 30, next, 30, 1);
	CHECK_NEAR(slower.ratio, 1.5, 1e-12);
	CHECK(slower.low > 1.49 && slower.high < 1.51);
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

/* ---- rounds ---- */

enum { ROUNDS = 8, PER_ROUND = 25 };

static void quantiles(void)
{
	/* Abramowitz and Stegun, table 26.10, and Fisher and Yates */
	CHECK_NEAR(student_quantile(0.99, 1), 63.657, 1e-3);
	CHECK_NEAR(student_quantile(0.99, 2), 9.925, 1e-3);
	CHECK_NEAR(student_quantile(0.99, 5), 4.032, 1e-3);
	CHECK_NEAR(student_quantile(0.95, 10), 2.228, 1e-3);
	CHECK_NEAR(student_quantile(0.99, 30), 2.750, 1e-3);
	CHECK_NEAR(student_quantile(0.99, 100000), 2.576, 2e-3); /* that of 4000 */
}

/* What a card does to two kernels that are measured in turns. Parts of the time: `slower` is what the new one really takes more;
 * `drift` moves both from round to round (clock, temperature), `process` each of them anew in each round (placement), `noise`
 * the single samples, whose neighbours are alike. */
struct card {
	double slower, drift, process, noise;
	double second;                /* what the one takes more that comes second in a round */
};

static void take_rounds(const struct card *card, double *base, double *next, uint64_t *state)
{
	double clock = card->drift * normal(state);
	for (int round = 0; round < ROUNDS; round++) {
		clock += card->drift * normal(state);
		double *const sides[] = {base + round * PER_ROUND, next + round * PER_ROUND};
		for (int s = 0; s < 2; s++) {
			const double whole = 1e-4 * (1 + s * card->slower) * (1 + (s ^ (round & 1)) * card->second) * (1 + clock) * (1 + card->process * normal(state));
			double level = normal(state);
			for (int i = 0; i < PER_ROUND; i++) {
				level = 0.7 * level + 0.714 * normal(state);
				sides[s][i] = whole * (1 + card->noise * level + (uniform(state) < 0.05 ? 10 * card->noise * uniform(state) : 0));
			}
		}
	}
}

static struct ratio_interval rounds_of(const double *base, const double *next, int paired)
{
	uint32_t sizes[ROUNDS];
	for (int i = 0; i < ROUNDS; i++)
		sizes[i] = PER_ROUND;
	const struct timing_rounds old = {base, ROUNDS * PER_ROUND, sizes, ROUNDS}, new = {next, ROUNDS * PER_ROUND, sizes, ROUNDS};
	const struct ratio_options options = {.confidence = 0.99};
	struct ratio_interval interval;
	struct error err = {0};
	CHECK_INT(ratio_of_rounds(&old, &new, paired, &options, &interval, &err), 0);
	return interval;
}

struct counted {
	int missed, flagged;          /* of 1000: the true ratio is outside; a difference beyond 1 % is told */
	double width;
};

static struct counted count(const struct card *card, int method, uint64_t seed)
{
	struct counted counted = {0};
	double base[ROUNDS * PER_ROUND], next[ROUNDS * PER_ROUND];
	uint64_t state = seed;
	for (int trial = 0; trial < 1000; trial++) {
		take_rounds(card, base, next, &state);
		const struct ratio_interval interval = method < 2 ? rounds_of(base, next, method == 0)
								  : interval_of(base, ROUNDS * PER_ROUND, next, ROUNDS * PER_ROUND, 1);
		counted.missed += !(interval.low <= 1 + card->slower && 1 + card->slower <= interval.high);
		counted.flagged += interval.low > 1.01 || interval.high < 1 / 1.01;
		counted.width += (interval.high - interval.low) / 1000;
	}
	return counted;
}

/* 25 misses of 1000, as in coverage(). */
static void rounds(void)
{
	/* a drifting clock, processes that differ by 0.3 %, noise of 0.4 % in which neighbours are alike */
	const struct card same = {.drift = 0.01, .process = 0.003, .noise = 0.004};
	const struct counted paired = count(&same, 0, 11), welch = count(&same, 1, 11), samples = count(&same, 2, 11);
	printf("A/A: paired rounds miss %d, flag %d of 1000 (width %.4f); unpaired rounds miss %d, flag %d (%.4f); samples miss %d, "
	       "flag %d (%.4f)\n", paired.missed, paired.flagged, paired.width, welch.missed, welch.flagged, welch.width, samples.missed,
	       samples.flagged, samples.width);
	CHECK(paired.missed <= 25);
	CHECK(paired.flagged <= 2);
	CHECK(paired.width < 0.025);
	/* the drift was in both at the same time: who does not pair, pays with width, and is not wrong more often */
	CHECK(welch.missed <= 25);
	CHECK(welch.flagged <= 2);
	CHECK(welch.width > 2 * paired.width);
	/* processes that differ a good deal: the rounds say so, and nothing is told of them */
	const struct card placed = {.process = 0.02, .noise = 0.002};
	const struct counted known = count(&placed, 0, 12);
	CHECK(known.missed <= 25);
	CHECK(known.flagged <= 10);
	printf("processes that differ by 2 %%: paired rounds miss %d, flag %d of 1000\n", known.missed, known.flagged);
	/* who comes second finds a warm card: that is in every round, one way and the other, and not in the interval */
	const struct card warm = {.drift = 0.01, .process = 0.003, .noise = 0.004, .second = 0.02};
	const struct counted crossed = count(&warm, 0, 15);
	printf("2 %% for the second: paired rounds miss %d, flag %d of 1000 (width %.4f)\n", crossed.missed, crossed.flagged, crossed.width);
	CHECK(crossed.missed <= 25);
	CHECK_INT(crossed.flagged, 0);
	CHECK(crossed.width < 1.1 * paired.width);
	/* what a calibrated slowdown shows */
	const struct card three = {.slower = 0.03, .drift = 0.01, .process = 0.003, .noise = 0.004};
	const struct card ten = {.slower = 0.10, .drift = 0.01, .process = 0.003, .noise = 0.004};
	const struct counted found = count(&three, 0, 13), all = count(&ten, 0, 14);
	printf("3 %% slower: %d of 1000 flagged; 10 %%: %d\n", found.flagged, all.flagged);
	CHECK(found.flagged >= 950);
	CHECK_INT(all.flagged, 1000);
}

static void bad_rounds(void)
{
	static const double samples[] = {1e-4, 1e-4, 1.01e-4, 1e-4};
	const struct {
		uint32_t sizes[3];
		size_t rounds, count;
		const char *words;
	} bad[] = {{{4}, 1, 4, "the base run has 4 samples in 1 rounds"}, {{2, 1}, 2, 4, "of 3 samples together"},
		   {{2, 0, 2}, 3, 4, "round 1 of the base run has 0 samples"}, {{2, 3}, 2, 4, "round 1 of the base run has 3 samples"}};
	const uint32_t good[] = {2, 2};
	const struct ratio_options options = {.confidence = 0.99};
	const struct timing_rounds fine = {samples, 4, good, 2};
	struct ratio_interval interval;
	struct error err;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const struct timing_rounds side = {samples, bad[i].count, bad[i].sizes, bad[i].rounds};
		err = (struct error){0};
		CHECK_INT(ratio_of_rounds(&side, &fine, 0, &options, &interval, &err), -1);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK_CONTAINS(err.message, bad[i].words);
	}
	const uint32_t four[] = {1, 1, 1, 1};
	const struct timing_rounds other = {samples, 4, four, 4};
	CHECK_INT(ratio_of_rounds(&fine, &other, 1, &options, &interval, &err), -1);
	CHECK_CONTAINS(err.message, "cannot be paired");
	CHECK_INT(ratio_of_rounds(&fine, &other, 0, &options, &interval, &err), 0);
	/* rounds that agree to the last bit: no scatter, but a timer has its step, here the 0.5 us that it has at most */
	CHECK_INT(ratio_of_rounds(&other, &other, 1, &options, &interval, &err), 0);
	CHECK_NEAR(interval.ratio, 1, 1e-15);
	CHECK(interval.low < 0.9951);
	CHECK(interval.high > 1.0049);
	const double wrong[] = {1e-4, NAN, 1e-4, 1e-4};
	const struct timing_rounds none = {wrong, 4, good, 2};
	CHECK_INT(ratio_of_rounds(&fine, &none, 1, &options, &interval, &err), -1);
	CHECK_CONTAINS(err.message, "sample 1 of the new run");
}

int main(void)
{
	quantiles();
	rounds();
	bad_rounds();
	coverage();
	correlated();
	figures();
	lattice();
	bad_samples();
	return check_result();
}
