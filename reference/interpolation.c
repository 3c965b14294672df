#include "reference/interpolation.h"

#include <math.h>

static const double UNIT = 0x1p-53;

int64_t nearest_source(double scale, int64_t at, int64_t in)
{
	const double position = scale * (double)at;
	const int64_t whole = (int64_t)position;
	return whole < in ? whole : in - 1;
}

static struct interpolation at_position(long double position, double error, int64_t in)
{
	struct interpolation result = {.error = error};
	if (position >= (long double)(in - 1)) {
		result.low = result.high = in - 1;
		return result;
	}
	result.low = (int64_t)floorl(position);
	result.high = result.low + 1;
	result.weight = position - (long double)result.low;
	return result;
}

struct interpolation interpolate_corners(int64_t at, int64_t in, int64_t out)
{
	if (out < 2)
		return at_position(0, 0, in);
	const long double position = (long double)at * (long double)(in - 1) / (long double)(out - 1);
	return at_position(position, 2 * UNIT * (double)position, in); /* quotient, product */
}

long double center_position(double numerator, double denominator, int64_t at)
{
	const long double position = (long double)numerator / denominator * ((long double)at + 0.5L) - 0.5L;
	return position > 0 ? position : 0;
}

struct interpolation interpolate_centers(double numerator, double denominator, int64_t at, int64_t in)
{
	const long double position = center_position(numerator, denominator, at);
	const double product = numerator / denominator * ((double)at + 0.5);
	/* quotient, product, difference; a position clamped to 0 may have been that much above it */
	return at_position(position, UNIT * (2 * product + fabs(product - 0.5)), in);
}
