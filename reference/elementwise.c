#include "reference/elementwise.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The host computes f32 and f64 in their own formats: no wider intermediate, which would round twice. */
_Static_assert(FLT_EVAL_METHOD == 0, "float and double expressions must be evaluated in their own formats");

static double flushed(enum dtype dtype, double value)
{
	if ((dtype == DTYPE_F32 || dtype == DTYPE_BF16) && fabs(value) < 0x1p-126)
		return copysign(0.0, value);
	return value;
}

static int64_t load_whole(enum dtype dtype, const void *array, size_t index)
{
	int64_t value;
	if (dtype != DTYPE_I64)
		return (int64_t)dtype_load(dtype, array, index);
	memcpy(&value, (const char *)array + index * sizeof value, sizeof value);
	return value;
}

/* The low bits of a two's complement number, as a number of the type. */
static int64_t wrap(enum dtype dtype, uint64_t bits)
{
	switch (dtype) {
	case DTYPE_U8:
		return (int64_t)(bits & 0xff);
	case DTYPE_U32:
		return (int64_t)(bits & 0xffffffff);
	case DTYPE_I16:
		return (int16_t)(uint16_t)bits;
	case DTYPE_I32:
		return (int32_t)(uint32_t)bits;
	default:
		return (int64_t)bits;
	}
}

static int compares(enum binary_operation operation, int less, int equal, int unordered)
{
	switch (operation) {
	case BINARY_EQ:
		return equal;
	case BINARY_NE:
		return !equal;
	case BINARY_LT:
		return less;
	case BINARY_LE:
		return less || equal;
	case BINARY_GT:
		return !less && !equal && !unordered;
	default:
		return !less && !unordered;
	}
}

static long double of_integers(enum binary_operation operation, enum dtype dtype, int64_t x, int64_t y)
{
	const uint64_t a = (uint64_t)x, b = (uint64_t)y;
	switch (operation) {
	case BINARY_ADD:
		return (long double)wrap(dtype, a + b);
	case BINARY_SUB:
		return (long double)wrap(dtype, a - b);
	case BINARY_MUL:
		return (long double)wrap(dtype, a * b);
	case BINARY_DIV:
		return y == 0 || (x == INT64_MIN && y == -1) ? (long double)NAN : (long double)(x / y);
	case BINARY_MAXIMUM:
		return (long double)(x > y ? x : y);
	case BINARY_MINIMUM:
		return (long double)(x < y ? x : y);
	default:
		return compares(operation, x < y, x == y, 0);
	}
}

static float in_float(enum binary_operation operation, float x, float y)
{
	return operation == BINARY_ADD ? x + y : operation == BINARY_SUB ? x - y : operation == BINARY_MUL ? x * y : x / y;
}

static double in_double(enum binary_operation operation, double x, double y)
{
	return operation == BINARY_ADD ? x + y : operation == BINARY_SUB ? x - y : operation == BINARY_MUL ? x * y : x / y;
}

static double arithmetic(enum binary_operation operation, enum dtype dtype, double x, double y, int flush)
{
	switch (dtype) {
	case DTYPE_F32: {
		/* flushed by what the result is before it is rounded: an H100 makes 0 of a product just below 2^-126, where double is
		 * exact but for quotients */
		if (flush && fabs(in_double(operation, x, y)) < 0x1p-126)
			return flushed(dtype, in_double(operation, x, y));
		return (double)in_float(operation, (float)x, (float)y);
	}
	case DTYPE_F8_E4M3:
		return f8_e4m3_to_f64(f8_e4m3_from_f64((double)in_float(operation, (float)x, (float)y)));
	/* Sums, differences and products of f16 are exact in double. Otherwise double's 53 bits are more than 2 * 8 + 2, and more
	 * than 2 * 11 + 2, so that rounding twice is rounding once (Figueroa, "When is double rounding innocuous?", 1995); where the
	 * 16-bit result is subnormal, products and sums are exact in double, and a quotient of 11-bit numbers is either exact or
	 * further from a tie than double can miss. */
	case DTYPE_F16:
		return f16_to_f64(f16_from_f64(in_double(operation, x, y)));
	case DTYPE_BF16:
		return bf16_to_f64(bf16_from_f64(in_double(operation, x, y)));
	default:
		return in_double(operation, x, y);
	}
}

long double binary_reference(enum binary_operation operation, enum dtype dtype, const void *lhs, size_t i, const void *rhs,
			     size_t j, int flush)
{
	if (!dtype_is_float(dtype))
		return of_integers(operation, dtype, load_whole(dtype, lhs, i), load_whole(dtype, rhs, j));
	double x = dtype_load(dtype, lhs, i), y = dtype_load(dtype, rhs, j);
	if (flush) {
		x = flushed(dtype, x);
		y = flushed(dtype, y);
	}
	switch (operation) {
	case BINARY_ADD:
	case BINARY_SUB:
	case BINARY_MUL:
	case BINARY_DIV:
		return (long double)arithmetic(operation, dtype, x, y, flush);
	case BINARY_MAXIMUM:
	case BINARY_MINIMUM:
		/* not C's fmax, which may take a signalling NaN for a result */
		if (isnan(x) || isnan(y))
			return (long double)(dtype == DTYPE_F16 || dtype == DTYPE_BF16 || (isnan(x) && isnan(y)) ? (double)NAN :
					     isnan(x) ? y : x);
		return (long double)((operation == BINARY_MAXIMUM ? x > y : x < y) ? x : y);
	default:
		return compares(operation, x < y, x == y, isnan(x) || isnan(y));
	}
}

static long double narrowed(enum dtype to, double value)
{
	switch (to) {
	case DTYPE_F16:
		return (long double)f16_to_f64(f16_from_f64(value));
	case DTYPE_BF16:
		return (long double)bf16_to_f64(bf16_from_f64(value));
	case DTYPE_F8_E4M3:
		return (long double)f8_e4m3_to_f64(f8_e4m3_from_f64(value));
	case DTYPE_F32:
		return (long double)(float)value;
	default:
		return (long double)value;
	}
}

/* Truncated; the ends of the range as powers of two, which double holds exactly. */
static long double truncated(enum dtype to, double value, int *unspecified)
{
	const double whole = trunc(value);
	const int is_unsigned = to == DTYPE_U8 || to == DTYPE_U32;
	const double end = ldexp(1.0, (int)dtype_size(to) * 8 - !is_unsigned);
	if (!(whole < end && whole >= (is_unsigned ? 0 : -end))) {
		*unspecified = 1;
		return 0;
	}
	return (long double)whole + 0.0L; /* no sign on a zero */
}

static long double cast_value(enum dtype to, double value, int *unspecified)
{
	return dtype_is_float(to) ? narrowed(to, value) : truncated(to, value, unspecified);
}

long double cast_reference(enum dtype from, enum dtype to, const void *data, size_t i, int flush, int *unspecified)
{
	*unspecified = 0;
	if (!dtype_is_float(from)) {
		const int64_t whole = load_whole(from, data, i);
		if (!dtype_is_float(to))
			return (long double)wrap(to, (uint64_t)whole);
		/* only i64 can be beyond what a double holds, and C rounds it once to either format */
		if (to == DTYPE_F32)
			return (long double)(float)whole;
		return to == DTYPE_F64 ? (long double)(double)whole : narrowed(to, (double)whole);
	}
	double value = dtype_load(from, data, i);
	if (flush)
		value = flushed(from, value);
	long double result = cast_value(to, value, unspecified);
	/* whether tininess is told before or after rounding is left open: both are flushed */
	if (flush && to == DTYPE_F32 && fabs(value) < 0x1p-126)
		result = copysignl(0.0L, result);
	return result;
}

long double cast_through_float(enum dtype from, enum dtype to, const void *data, size_t i, int *unspecified)
{
	*unspecified = 0;
	const float value = dtype_is_float(from) ? (float)dtype_load(from, data, i) : (float)load_whole(from, data, i);
	return cast_value(to, (double)value, unspecified);
}
