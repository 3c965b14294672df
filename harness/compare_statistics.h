/* How much longer one set of timing samples is than another: the ratio of their medians with a confidence interval. */
#ifndef ASSAY_HARNESS_COMPARE_STATISTICS_H
#define ASSAY_HARNESS_COMPARE_STATISTICS_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

struct ratio_options {
	double confidence;   /* of the interval, as 0.99; in (0, 1) */
	int resamples;       /* 4000, say: the ends of the interval are order statistics of so many */
	uint64_t seed;       /* the same seed and samples give the same interval, on every machine that rounds as IEEE 754 has it */
};

struct ratio_interval {
	double base_median, next_median;
	double ratio, low, high;            /* next / base */
	double base_effective, next_effective; /* samples that the interval counts on: fewer where neighbours are alike */
};

/* Samples in the order in which they were taken, seconds.
 *
 * The interval is the percentile bootstrap of the ratio of medians (Efron and Tibshirani, An Introduction to the Bootstrap,
 * 1993, chapter 13): nothing is assumed of the distribution of kernel times, which have a floor, a tail and steps. The median
 * of a resample of n values is the order statistic (n + 1)/2 of n draws of the ranks, and that of n uniform variates is
 * Beta((n + 1)/2, (n + 1)/2) (David and Nagaraja, Order Statistics, 3rd edition, section 2.1), so that one draw of a Beta
 * variate takes the place of n draws of samples; for odd n the law is exactly that of the resampled median (Maritz and Jarrett,
 * Journal of the American Statistical Association 73, 1978, use the same identity), for even n one of the two middle values
 * stands for their mean.
 *
 * Neighbouring samples may be alike (clocks drift, caches change), which a bootstrap of single samples would not see:
 * statistics_effective_count takes the place of n.
 *
 * A timer has a resolution. Where samples lie on a lattice, half its step (the smallest distance of two different samples, but no
 * more than the 0.5 us that the CUDA driver's reference, cuEventElapsedTime, has for the resolution of its events) on
 * either side of each median is added to the interval.
 *
 * What no interval made of one run each can hold is how runs differ from each other (placement of memory, temperature):
 * that is what the threshold of a comparison is for.
 *
 * ERROR_INPUT when no such interval exists: too few samples for the confidence (even the range of n samples holds the median
 * with no more than 1 - 2^(1-n)), or a sample that is not finite or not > 0. ERROR_ENVIRONMENT: out of memory. */
int ratio_of_medians(const double *base, size_t base_count, const double *next, size_t next_count,
		     const struct ratio_options *options, struct ratio_interval *out, struct error *err);

/* Samples that were taken in rounds: `rounds` of them, one after the other in `samples`, `sizes[i]` samples in round i. */
struct timing_rounds {
	const double *samples;
	size_t count;
	const uint32_t *sizes;
	size_t rounds;
};

/* The same where each side was measured in several rounds, each in a process of its own: the ratio is the geometric mean over the
 * rounds of median(next) / median(base), with Student's interval over rounds.
 *
 * Samples of one round have the process in common (placement of memory and code, which of two equal things was allocated
 * first), its clock and its temperature; more of them do not make those known any better, and an interval made of single
 * samples holds only the noise within a round. The round is the unit that is drawn independently, so rounds are what is
 * counted (Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013: repetition at the highest
 * level at which there is variation). What Student's interval asks for is that the medians of rounds scatter about normally,
 * which medians of twenty samples and more do whatever a sample's own distribution is (asymptotic normality of the sample
 * median: David and Nagaraja, Order Statistics, chapter 10); one round that something disturbed widens the interval, it
 * does not move a verdict.
 *
 * `paired`: round i of both sides was measured at the same time, case by case in turns, base first in every second round and
 * last in the others. Then d_i = log median(next_i) - log median(base_i) has the drift of the clock taken out. Who comes second
 * finds a card that the first has warmed and loaded, which may be worth more than the difference that is looked for; so from four
 * rounds on it is the analysis of a crossover of two orders (Jones and Kenward, Design and Analysis of Cross-Over Trials, 3rd
 * edition, chapter 2): the mean of the two orders' means, in which the effect of the order is not, with the scatter within the
 * orders and rounds - 2 degrees of freedom. With fewer rounds it is the interval of the mean, rounds - 1.
 *
 * Not paired, it is Welch's (Biometrika 34, 1947) for the difference of the two means of log medians, with degrees of freedom
 * rounded down.
 *
 * Half a step of the timer is added as above. base_effective and next_effective are numbers of rounds. ERROR_INPUT: fewer than
 * two rounds on a side, rounds that are not as many on both sides of a pair, sizes that do not add up to the count, an empty
 * round, or a sample that is no time. */
int ratio_of_rounds(const struct timing_rounds *base, const struct timing_rounds *next, int paired,
		    const struct ratio_options *options, struct ratio_interval *out, struct error *err);

/* Logarithms of the medians of the rounds, malloc'd; NULL with *err as above. `whose`: "base", "new". */
double *timing_round_medians(const struct timing_rounds *side, const char *whose, struct error *err);

/* Mean of independent values and the half width of Student's interval about it; count >= 2. */
struct mean_interval {
	double mean, half;
};
struct mean_interval mean_of(const double *values, size_t count, double confidence);

/* The t that |T| exceeds with probability 1 - confidence, T of Student's distribution. freedom >= 1. */
double student_quantile(double confidence, size_t freedom);

#endif
