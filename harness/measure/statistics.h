/* Order statistics of timing samples. Nothing is assumed about their distribution: kernel times have a floor, a tail and
 * steps (clocks), so means and standard deviations say little. */
#ifndef ASSAY_MEASURE_STATISTICS_H
#define ASSAY_MEASURE_STATISTICS_H

#include "core/error.h"

#include <stddef.h>

struct statistics {
	size_t count;
	double minimum, maximum;
	double median;      /* statistics_median */
	double quantile_10, quantile_25, quantile_75, quantile_90; /* linear interpolation between order statistics */
	/* Confidence interval of the median: two order statistics, see statistics_median_ranks, for as many independent samples
	 * as there effectively are */
	double median_low, median_high;
	double effective;   /* statistics_effective_count */
	double coverage;    /* what the interval really covers: at least the confidence asked for, except with few samples */
	double relative_ci; /* the farther end of the interval from the median, as a part of the median: "median +- 1 %" is 0.01;
			     * infinite while the interval cannot reach the confidence asked for, or the median is not > 0 */
	double deviation;   /* median absolute deviation from the median */
	size_t outliers;    /* samples with a modified z-score above 3.5 */
};

/* Samples in the order in which they were taken; they stay as they are. `confidence`: 0.95, say. ERROR_INTERNAL when count is 0 or a sample is
 * not finite: a measurement that failed must not turn into a figure. */
int statistics_of(const double *samples, size_t count, double confidence, struct statistics *out, struct error *err);

/* How many independent samples tell the median as well as these, which were taken one after the other: fewer where neighbours
 * are alike (a clock that goes up and down, caches that change), at least 1 and at most `count`. `median` is the middle one of
 * the samples.
 *
 * The variance of a median of such a series is that of n/t independent samples, where t is the sum over all lags of the
 * autocorrelation of "below or above the median" (Sen, Journal of Multivariate Analysis 2, 1972); t is estimated by the initial
 * monotone sequence (Geyer, Statistical Science 7, 1992), never below 1. Beyond 512 samples that is done for the sums of up to
 * 512 runs of neighbours, whose scatter has what is correlated within a run in it (batch means): the time it takes then grows
 * with n only, short enough to be asked for while samples are taken. */
double statistics_effective_count(const double *samples, size_t count, double median);

/* The median of what the samples were drawn from, as Harrell and Davis estimate quantiles (Biometrika 69, 1982): a mean of the
 * order statistics, each weighted with the probability that it is the median of a resample of `effective` samples
 * (statistics_effective_count, of the samples in their order). It is the value about which the bootstrap of the median scatters.
 * What is called the median of samples, everywhere in this program, is this.
 *
 * The middle sample alone is a poor estimate where times lie in heaps with little between them: a card at its power limit lets
 * its clock swing, and which heap the middle one belongs to is chance. Ten runs of a kernel on an H100 at 700 W had middle samples
 * 1.3 % apart, and these estimates 0.9 %. Where samples are many and independent the two hardly differ.
 *
 * The weights are a beta density taken at the middle of each sample's share. `effective` is taken as 6 at least, since below that
 * the weights would reach the outliers; fewer than 20 samples are too few to tell how alike neighbours are, and their middle one
 * stands. `sorted`: ascending, count > 0. */
double statistics_median(const double *sorted, size_t count, double effective);

/* The same of samples in the order in which they were taken, with `sorted` the same in ascending order. *effective is set,
 * unless it is NULL. */
double statistics_median_of(const double *samples, const double *sorted, size_t count, double *effective);

/* Ranks (1-based) of the order statistics between which the median lies with at least `confidence`, whatever the
 * distribution: the number of samples below the median is binomial(count, 1/2), so [x(low), x(high)] with
 * high = count + 1 - low misses it with probability 2 P(B < low) (David and Nagaraja, Order Statistics, 3rd edition, section
 * 7.1). The narrowest such pair; with fewer than 6 samples none reaches 95 %, and the whole range with its true coverage is
 * returned. Returns the coverage; 0 and ranks 0 when count is 0. */
double statistics_median_ranks(size_t count, double confidence, size_t *low, size_t *high);

/* Quantile of sorted samples by linear interpolation at (count - 1) * fraction (type 7 of Hyndman and Fan, "Sample Quantiles in
 * Statistical Packages", The American Statistician 50, 1996). count > 0. */
double statistics_quantile(const double *sorted, size_t count, double fraction);

#endif
