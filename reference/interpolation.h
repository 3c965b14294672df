/* Where resampling along one axis reads its source. */
#ifndef ASSAY_REFERENCE_INTERPOLATION_H
#define ASSAY_REFERENCE_INTERPOLATION_H

#include <stdint.h>

/* Nearest neighbour: min(in - 1, floor(scale * at)), the product rounded once to double. `scale` is positive and scale * at below
 * 2^62. */
int64_t nearest_source(double scale, int64_t at, int64_t in);

/* Linear interpolation: source[low] * (1 - weight) + source[high] * weight, 0 <= low <= high < in, high - low <= 1. `error` is how
 * far positions may lie from the exact one when they are computed in double (each operation rounded once). */
struct interpolation {
	int64_t low, high;
	long double weight;  /* in [0, 1] */
	double error;
};
/* Position at * (in - 1) / (out - 1): the ends of source and output coincide. 0 for an output of one element. */
struct interpolation interpolate_corners(int64_t at, int64_t in, int64_t out);
/* Position max(0, ratio * (at + 1/2) - 1/2) with ratio = numerator / denominator, a division of two doubles. */
struct interpolation interpolate_centers(double numerator, double denominator, int64_t at, int64_t in);
/* The same position, not clamped at the upper end of the source. */
long double center_position(double numerator, double denominator, int64_t at);

#endif
