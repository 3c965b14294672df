#include "reference/enclosure.h"

#include <float.h>
#include <math.h>

static const struct enclosure everything = {-INFINITY, INFINITY};

struct enclosure enclosure_point(long double value)
{
	return (struct enclosure){value, value};
}

struct enclosure enclosure_negate(struct enclosure a)
{
	return (struct enclosure){-a.high, -a.low};
}

static int is_point(struct enclosure a)
{
	return !(a.low < a.high);
}

static struct enclosure hull(struct enclosure a, struct enclosure b)
{
	return (struct enclosure){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
}

/* Results that long double has rounded itself: the ends go outward by one of its own units. */
static struct enclosure outward(struct enclosure a)
{
	return (struct enclosure){nextafterl(a.low, -INFINITY), nextafterl(a.high, INFINITY)};
}

/* The least size that is beyond the type's finite numbers. */
static long double overflow_from(enum dtype type)
{
	const double most = dtype_max_finite(type);
	return (long double)most + (long double)unit_in_last_place(type, (long double)most) / 2;
}

static long double least_normal(enum dtype type)
{
	return (long double)dtype_smallest_subnormal(type) / (long double)dtype_epsilon(type);
}

static int flushes(struct arithmetic arithmetic)
{
	return arithmetic.math == MATH_FAST && (arithmetic.type == DTYPE_F32 || arithmetic.type == DTYPE_BF16);
}

/* A number below the normal ones may become a zero. */
static struct enclosure flush(struct arithmetic arithmetic, struct enclosure a)
{
	if (!flushes(arithmetic))
		return a;
	const long double normal = least_normal(arithmetic.type);
	if (a.low > 0 && a.low < normal)
		a.low = 0;
	if (a.high < 0 && a.high > -normal)
		a.high = 0;
	return a;
}

/* Dekker's splitting (Numerische Mathematik 18, 1971) of a number of 64 bits: rounded to `bits` bits, ties either way. */
static long double split(long double value, int bits)
{
	const long double stretched = value * ((long double)(1ull << (64 - bits)) + 1);
	return stretched - (stretched - value);
}

/* As round_to_dtype, quickly for the common case: normal numbers and no tie. */
static long double rounded(enum dtype type, long double value)
{
	const int bits = type == DTYPE_F32 ? 24 : type == DTYPE_F16 ? 11 : type == DTYPE_BF16 ? 8 : 0;
	if (bits && LDBL_MANT_DIG == 64) {
		const long double size = fabsl(value), most = type == DTYPE_F16 ? 0x1p15L : 0x1p127L;
		const long double least = type == DTYPE_F16 ? 0x1p-14L : 0x1p-126L, result = split(value, bits);
		if (size >= least && size < most && (result == value || split(value, bits + 1) != value))
			return result;
	}
	return round_to_dtype(type, value);
}

struct enclosure enclosure_round(struct arithmetic arithmetic, struct enclosure a)
{
	if (isinf(a.low) && isinf(a.high) && a.low < a.high)
		return a; /* nothing is known, NaN included: a type that saturates knows no more */
	/* tininess is told before rounding (an H100 flushes what would round to the smallest normal number), or after it */
	const struct enclosure kept = flush(arithmetic, a);
	const long double low = rounded(arithmetic.type, kept.low);
	return (struct enclosure){low, is_point(kept) ? low : rounded(arithmetic.type, kept.high)};
}

/* Ends that a function's error moved: not rounded, but overflow is seen. */
static struct enclosure saturate(struct arithmetic arithmetic, struct enclosure a)
{
	const long double limit = overflow_from(arithmetic.type);
	const long double ends[] = {a.low, a.high};
	long double kept[2];
	for (int i = 0; i < 2; i++)
		kept[i] = fabsl(ends[i]) >= limit ? copysignl(INFINITY, ends[i]) : ends[i];
	return flush(arithmetic, (struct enclosure){kept[0], kept[1]});
}

/* Sum of two ends and whether it is inexact (Knuth's two-sum). */
static long double end_sum(long double a, long double b, int *inexact)
{
	const long double sum = a + b, of_b = sum - a;
	if (isfinite(sum) && (a - (sum - of_b)) + (b - of_b) != 0)
		*inexact = 1;
	return sum;
}

static struct enclosure raw_add(struct enclosure a, struct enclosure b)
{
	int inexact = 0;
	struct enclosure sum = {end_sum(a.low, b.low, &inexact), 0};
	sum.high = is_point(a) && is_point(b) ? sum.low : end_sum(a.high, b.high, &inexact);
	if (isnan(sum.low) || isnan(sum.high))
		return everything;
	return inexact ? outward(sum) : sum;
}

/* The product of two numbers of at most 32 bits each is exact. */
static int products_are_exact(enum dtype type)
{
	return type != DTYPE_F64;
}

static struct enclosure raw_multiply(enum dtype type, struct enclosure a, struct enclosure b)
{
	struct enclosure result = enclosure_point(a.low * b.low);
	if (!is_point(a) || !is_point(b)) {
		const long double ends[] = {a.low * b.high, a.high * b.low, a.high * b.high};
		for (int i = 0; i < 3; i++)
			result = hull(result, enclosure_point(ends[i]));
		for (int i = 0; i < 3; i++)
			if (isnan(ends[i]))
				return everything;
	}
	if (isnan(result.low))
		return everything;
	const int exact = products_are_exact(type) && is_point(a) && is_point(b);
	return exact ? result : outward(result);
}

struct enclosure enclosure_add(struct arithmetic arithmetic, struct enclosure a, struct enclosure b)
{
	return enclosure_round(arithmetic, raw_add(flush(arithmetic, a), flush(arithmetic, b)));
}

struct enclosure enclosure_multiply(struct arithmetic arithmetic, struct enclosure a, struct enclosure b)
{
	return enclosure_round(arithmetic, raw_multiply(arithmetic.type, flush(arithmetic, a), flush(arithmetic, b)));
}

struct enclosure enclosure_multiply_add(struct arithmetic arithmetic, struct enclosure a, struct enclosure b, struct enclosure c)
{
	a = flush(arithmetic, a);
	b = flush(arithmetic, b);
	c = flush(arithmetic, c);
	const struct enclosure product = raw_multiply(arithmetic.type, a, b);
	struct enclosure fused = raw_add(product, c);
	if (!is_point(product) && is_point(a) && is_point(b) && is_point(c)) {
		/* once rounded to long double, and the ends one unit further: right under cancellation too */
		const long double value = fmal(a.low, b.low, c.low);
		fused = isnan(value) ? everything : outward(enclosure_point(value));
	}
	const struct enclosure apart = raw_add(enclosure_round(arithmetic, product), c);
	return hull(enclosure_round(arithmetic, fused), enclosure_round(arithmetic, apart));
}

/* a / b, b > 0, widened by `relative` of the result. */
static struct enclosure quotient(struct enclosure a, struct enclosure b, long double relative)
{
	/* a finite number over infinity is 0; both infinite does not occur for finite arguments */
	const long double low = a.low / (a.low < 0 ? b.low : b.high), high = a.high / (a.high < 0 ? b.high : b.low);
	if (isnan(low) || isnan(high))
		return everything;
	return outward((struct enclosure){isinf(low) ? low : low - fabsl(low) * relative,
					  isinf(high) ? high : high + fabsl(high) * relative});
}

struct enclosure enclosure_divide(struct arithmetic arithmetic, struct enclosure a, struct enclosure b)
{
	const int half = arithmetic.type == DTYPE_F16 || arithmetic.type == DTYPE_BF16;
	const int approximate = half || flushes(arithmetic);
	a = flush(arithmetic, a);
	b = flush(arithmetic, b);
	/* 2 units of float are at most 2^-22 of the quotient, and half a unit for its rounding */
	const struct enclosure exact = quotient(a, b, approximate ? 2.5L * 0x1p-23L : 0);
	struct enclosure result = approximate && !half ? saturate(arithmetic, exact) : enclosure_round(arithmetic, exact);
	if (flushes(arithmetic) && fabsl(b.high) > 0x1p126L)
		result = hull(result, enclosure_point(0));
	return result;
}

/* ---- functions ----------------------------------------------------------------------------------------------------- */

/* Units of the correctly rounded value at which a result may lie, `units` on each side and half of one for the rounding.
 * Beyond the finite numbers the units go on growing, so that a result far beyond is an infinity for sure. */
static struct enclosure around(struct arithmetic arithmetic, struct enclosure values, double units)
{
	const enum dtype type = arithmetic.type;
	if (units == 0)
		return enclosure_round(arithmetic, outward(values));
	long double reach[2];
	const long double ends[] = {values.low, values.high};
	for (int i = 0; i < 2; i++) {
		const long double size = fabsl(ends[i]), most = (long double)dtype_max_finite(type);
		const long double unit = size > most ? ldexpl((long double)dtype_epsilon(type), ilogbl(size))
						     : (long double)unit_in_last_place(type, size * (1 + (long double)dtype_epsilon(type) / 2));
		reach[i] = isfinite(size) ? unit * ((long double)units + 0.5L) : 0;
	}
	return saturate(arithmetic, (struct enclosure){values.low - reach[0], values.high + reach[1]});
}

/* The two ends may lie `absolute` and `relative` away, the rounding included. */
static struct enclosure within(struct arithmetic arithmetic, struct enclosure values, long double absolute, long double relative)
{
	const long double low = values.low - absolute - fabsl(values.low) * relative;
	const long double high = values.high + absolute + fabsl(values.high) * relative;
	return saturate(arithmetic, (struct enclosure){isfinite(values.low) ? low : values.low, isfinite(values.high) ? high : values.high});
}

static double published_units(enum dtype type, enum function function)
{
	const int single = type == DTYPE_F32;
	switch (function) {
	case FUNCTION_EXP: return single ? 2 : 1;
	case FUNCTION_LOG: return 1;
	case FUNCTION_SIN: case FUNCTION_COS: case FUNCTION_TANH: case FUNCTION_ERF: return 2;
	case FUNCTION_NORMCDF: return 5;
	case FUNCTION_POW: return single ? 4 : 2;
	default: return 0;
	}
}

/* Values that every version of a function is documented to give exactly. */
static int is_documented(enum function function, long double x, long double parameter, enum math math)
{
	switch (function) {
	case FUNCTION_EXP: case FUNCTION_SIN: case FUNCTION_COS: case FUNCTION_TANH: case FUNCTION_ERF:
		return x == 0 || (isinf(x) && function != FUNCTION_SIN && function != FUNCTION_COS);
	case FUNCTION_NORMCDF: return isinf(x);
	case FUNCTION_LOG: return x == 0 || isinf(x) || (x == 1 && math == MATH_PRECISE);
	case FUNCTION_POW:
		if (math == MATH_FAST)
			return 0;
		return x == 0 || isinf(x) || x == 1 || parameter == 0 || isinf(parameter) || (x == -1 && rintl(parameter) == parameter);
	default: return 0;
	}
}

/* The range of x * log2(e) is reached with a relative error `relative` of ex2, each unit of the argument adding 2^-23: the
 * product's rounding and the constant's. */
static long double exp_error(long double x)
{
	return 0x1p-22L + fminl(fabsl(x), 1000) * 0x1p-23L;
}

static struct enclosure fast_trigonometric(struct arithmetic arithmetic, enum function function, long double x, struct enclosure value)
{
	const long double pi = 3.14159265358979323846264338327950288L, size = fabsl(x);
	if (!(size <= 100 * pi))
		return everything;
	const long double near = function == FUNCTION_SIN ? exp2l(-21.41L) : exp2l(-21.19L);
	return within(arithmetic, value, size <= pi ? near : size <= 2 * pi ? exp2l(-20.45L) : exp2l(-14.65L), 0);
}

/* ex2.approx(y * lg2.approx(x)): defined for x >= 0 and where 0 * infinity does not come up. */
static struct enclosure fast_power(struct arithmetic arithmetic, long double x, long double y)
{
	if (!(x >= 0) || signbit(x) || y == 0 || isinf(y))
		return everything;
	if (x == 0 || isinf(x))
		return enclosure_point((x == 0) == (y > 0) ? 0 : INFINITY);
	if (x < least_normal(arithmetic.type) || fabsl(y) < least_normal(arithmetic.type))
		return everything;
	const struct enclosure logarithm =
		within(arithmetic, enclosure_point(log2l(x)), x >= 0.5L && x <= 2 ? 0x1p-22L : 0, x >= 0.5L && x <= 2 ? 0x1p-24L : 0x1p-22L);
	const struct enclosure exponent = enclosure_multiply(arithmetic, logarithm, enclosure_point(y));
	return within(arithmetic, (struct enclosure){exp2l(exponent.low), exp2l(exponent.high)}, 0, 0x1p-22L);
}

static struct enclosure fast_function(struct arithmetic arithmetic, enum function function, struct enclosure x, long double parameter,
				      struct enclosure value)
{
	switch (function) {
	case FUNCTION_EXP: {
		const struct enclosure low = around(arithmetic, enclosure_point(value.low), 2 + floor(fabs((double)x.low) * 1.173));
		const struct enclosure high = around(arithmetic, enclosure_point(value.high), 2 + floor(fabs((double)x.high) * 1.173));
		return hull(low, high);
	}
	case FUNCTION_LOG:
		return x.low >= 0.5L && x.low <= 2 ? within(arithmetic, value, exp2l(-21.41L), 0) : around(arithmetic, value, 3);
	case FUNCTION_SIN: case FUNCTION_COS: return fast_trigonometric(arithmetic, function, x.low, value);
	case FUNCTION_TANH: return within(arithmetic, value, 0, 0x1p-11L);
	case FUNCTION_SQRT: return within(arithmetic, value, 0, 0x1p-23L);
	case FUNCTION_RECIP: return around(arithmetic, value, 1);
	case FUNCTION_POW: return fast_power(arithmetic, x.low, parameter);
	default: return around(arithmetic, value, published_units(arithmetic.type, function));
	}
}

/* A value where a function jumps or is singular at 0 may be anything once a subnormal argument is taken as 0. */
static struct enclosure with_flushed_argument(struct arithmetic arithmetic, enum function function, long double x,
					      long double parameter, struct enclosure result)
{
	if (!flushes(arithmetic) || x == 0 || fabsl(x) >= least_normal(arithmetic.type))
		return result;
	const long double at_zero = function_value(function, copysignl(0, x), parameter);
	return isfinite(at_zero) ? hull(result, enclosure_point(at_zero)) : everything;
}

struct enclosure enclosure_function(struct arithmetic arithmetic, enum function function, struct enclosure x, long double parameter)
{
	const long double low = function_value(function, x.low, parameter);
	const struct enclosure value = {low, is_point(x) ? low : function_value(function, x.high, parameter)};
	if (isnan(value.low) || isnan(value.high))
		return everything;
	if (is_point(x) && is_documented(function, x.low, parameter, arithmetic.math))
		return enclosure_round(arithmetic, value);
	/* the library's own error is far below a unit of float64; `outward` within `around` covers what rounds to nearest */
	const struct enclosure result = arithmetic.math == MATH_FAST && arithmetic.type == DTYPE_F32
						? fast_function(arithmetic, function, x, parameter, value)
						: around(arithmetic, value, published_units(arithmetic.type, function));
	return with_flushed_argument(arithmetic, function, x.low, parameter, result);
}

struct enclosure enclosure_half_function(struct arithmetic arithmetic, enum function function, struct enclosure x)
{
	const struct arithmetic single = {DTYPE_F32, arithmetic.math};
	const long double low = function_value(function, x.low, 0);
	const struct enclosure value = {low, is_point(x) ? low : function_value(function, x.high, 0)};
	struct enclosure result;
	if (isnan(value.low) || isnan(value.high))
		return everything;
	if (is_point(x) && is_documented(function, x.low, 0, MATH_PRECISE))
		return enclosure_round(arithmetic, value);
	if (function == FUNCTION_EXP) {
		const struct enclosure ends[] = {within(single, enclosure_point(value.low), 0, exp_error(x.low)),
						 within(single, enclosure_point(value.high), 0, exp_error(x.high))};
		result = hull(ends[0], ends[1]);
	} else if (function == FUNCTION_LOG) {
		/* the product with ln 2 and that constant's rounding: 2^-23 */
		const int near_one = x.low >= 0.5L && x.low <= 2;
		result = within(single, value, near_one ? 0x1p-22L * 0.6931472L : 0, near_one ? 0x1p-23L : 1.5L * 0x1p-22L);
	} else if (function == FUNCTION_SQRT) {
		result = within(single, value, 0, 0x1p-23L);
	} else {
		result = enclosure_function(single, function, x, 0);
	}
	result = enclosure_round(arithmetic, result);
	/* next to a tie: the headers correct some of these arguments by a unit, for the approximation that GPUs have; another one
	 * within the published error then comes out a unit off */
	if (arithmetic.type == DTYPE_F16 && function != FUNCTION_SQRT && result.low < result.high && is_point(x))
		result = (struct enclosure){result.low - (long double)unit_in_last_place(DTYPE_F16, result.low),
					    result.high + (long double)unit_in_last_place(DTYPE_F16, result.high)};
	return with_flushed_argument(arithmetic, function, x.low, 0, result);
}

/* ---- expectations -------------------------------------------------------------------------------------------------- */

/* Distance from the value to the further end, rounded up. An infinite end is reached where the bound reaches what rounds to
 * it. */
static double reach(enum dtype type, long double value, struct enclosure results)
{
	const long double limit = overflow_from(type);
	const long double low = results.low < -limit ? -limit : results.low, high = results.high > limit ? limit : results.high;
	const long double far = fmaxl(value - low, high - value);
	if (!(far > 0))
		return 0;
	/* a sliver for the value's own error: it matters for float64 alone */
	const double bound = (double)(far * (1 + 0x1p-50L) + fabsl(value) * 0x1p-61L);
	return nextafter(bound, (double)INFINITY);
}

void enclosure_expect(enum dtype type, long double value, struct enclosure precise, struct enclosure fast,
		      struct expectation *expected)
{
	const long double limit = overflow_from(type);
	const int saturates = type == DTYPE_F8_E4M3;
	if (saturates && fabsl(value) > (long double)dtype_max_finite(type))
		value = copysignl((long double)dtype_max_finite(type), value);
	/* beyond the finite numbers for sure, at either end */
	const int infinite = isinf(precise.low) && precise.low == precise.high;
	expected->value = infinite ? precise.low : isinf(value) ? copysignl(limit, value) : value;
	expected->bound = infinite ? 0 : reach(type, expected->value, precise);
	const int fast_infinite = isinf(fast.low) && fast.low == fast.high;
	if (isinf(fast.low) && isinf(fast.high) && !fast_infinite)
		expected->flags |= EXPECT_FAST_ANY;
	else if (infinite && !(fast_infinite && fast.low == precise.low))
		expected->flags |= EXPECT_FAST_ANY; /* no one value with a bound says "this infinity or a large number" */
	else if (!infinite)
		expected->fast_bound = reach(type, expected->value, fast);
}
