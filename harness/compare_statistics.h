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
 * Neighbouring samples may be alike (clocks drift, caches change), which a bootstrap of single samples would not see. The
 * variance of a median of such a series is that of n/t independent samples, where t is the sum over all lags of the
 * autocorrelation of "below or above the median" (Sen, Journal of Multivariate Analysis 2, 1972); t is estimated by the
 * initial monotone sequence (Geyer, Statistical Science 7, 1992), never below 1, and n/t takes the place of n.
 *
 * A timer has a resolution. Where samples lie on a lattice, half its step (the smallest distance of two different samples) on
 * either side of each median is added to the interval.
 *
 * What no interval made of one run each can hold is how runs differ from each other (placement of memory, temperature):
 * that is what the threshold of a comparison is for.
 *
 * ERROR_INPUT when no such interval exists: too few samples for the confidence (even the range of n samples holds the median
 * with no more than 1 - 2^(1-n)), or a sample that is not finite or not > 0. ERROR_ENVIRONMENT: out of memory. */
int ratio_of_medians(const double *base, size_t base_count, const double *next, size_t next_count,
		     const struct ratio_options *options, struct ratio_interval *out, struct error *err);

/* n/t of the above, at least 1 and at most `count`. `median` is that of the samples. */
double effective_count(const double *samples, size_t count, double median);

#endif
