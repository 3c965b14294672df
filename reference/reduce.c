#include "reference/reduce.h"

#include <math.h>
#include <string.h>

static void start(struct reduction *reduction)
{
	if (reduction->started)
		return;
	reduction->started = 1;
	reduction->least = INFINITY;
	reduction->greatest = -INFINITY;
	reduction->lowest_bit = INT32_MAX;
}

/* Exponent of the lowest bit that is set in the mantissa of a finite double that is not 0. */
static int lowest_bit_of(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	const uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
	const int exponent = (int)(bits >> 52 & 0x7ff);
	if (exponent == 0)
		return -1074 + __builtin_ctzll(fraction);
	return exponent - 1075 + (fraction ? __builtin_ctzll(fraction) : 52);
}

static void add_compensated(struct reduction *reduction, long double x)
{
	const long double sum = reduction->sum + x;
	if (fabsl(reduction->sum) >= fabsl(x))
		reduction->compensation += reduction->sum - sum + x;
	else
		reduction->compensation += x - sum + reduction->sum;
	reduction->sum = sum;
}

void reduction_add(struct reduction *reduction, long double x)
{
	start(reduction);
	reduction->count++;
	if (isnan(x)) {
		reduction->nan_count++;
		return;
	}
	if (x < reduction->least)
		reduction->least = x;
	if (x > reduction->greatest)
		reduction->greatest = x;
	if (isinf(x)) {
		*(x > 0 ? &reduction->plus_infinities : &reduction->minus_infinities) += 1;
		return;
	}
	if (x == 0) {
		reduction->zeros++;
		return;
	}
	add_compensated(reduction, x);
	*(x > 0 ? &reduction->positive : &reduction->negative) += fabsl(x);
	/* an integer that a double does not hold has bits no lower than the double's own: then 0 is the safe answer */
	const int lowest = (long double)(double)x == x ? lowest_bit_of((double)x) : 0;
	if (lowest < reduction->lowest_bit)
		reduction->lowest_bit = lowest;
}

void reduction_merge(struct reduction *reduction, const struct reduction *other)
{
	if (!other->started)
		return;
	start(reduction);
	reduction->count += other->count;
	reduction->nan_count += other->nan_count;
	reduction->plus_infinities += other->plus_infinities;
	reduction->minus_infinities += other->minus_infinities;
	reduction->zeros += other->zeros;
	add_compensated(reduction, other->sum);
	reduction->compensation += other->compensation;
	reduction->positive += other->positive;
	reduction->negative += other->negative;
	if (other->least < reduction->least)
		reduction->least = other->least;
	if (other->greatest > reduction->greatest)
		reduction->greatest = other->greatest;
	if (other->lowest_bit < reduction->lowest_bit)
		reduction->lowest_bit = other->lowest_bit;
}

long double reduction_sum(const struct reduction *reduction)
{
	return reduction->sum + reduction->compensation;
}

long double reduction_magnitude(const struct reduction *reduction)
{
	return reduction->positive + reduction->negative;
}

int reduction_is_exact(const struct reduction *reduction, int precision)
{
	const long double magnitude = reduction_magnitude(reduction);
	return magnitude == 0 || magnitude <= ldexpl(1, reduction->lowest_bit + precision);
}

double rounding_growth(double unit, double steps)
{
	return expm1(steps * log1p(unit));
}
