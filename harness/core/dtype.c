#include "core/dtype.h"

#include <math.h>
#include <string.h>

static const struct {
	const char *name;
	size_t size;
	int mantissa_bits; /* stored bits; 0 for integers */
	int exponent_bits;
} formats[DTYPE_COUNT] = {
	[DTYPE_INVALID] = {"?", 0, 0, 0}, [DTYPE_F16] = {"f16", 2, 10, 5}, [DTYPE_BF16] = {"bf16", 2, 7, 8},
	[DTYPE_F32] = {"f32", 4, 23, 8},  [DTYPE_F64] = {"f64", 8, 52, 11}, [DTYPE_U8] = {"u8", 1, 0, 0},
	[DTYPE_I32] = {"i32", 4, 0, 0},   [DTYPE_U32] = {"u32", 4, 0, 0},   [DTYPE_I64] = {"i64", 8, 0, 0},
	[DTYPE_I16] = {"i16", 2, 0, 0},   [DTYPE_F8_E4M3] = {"f8_e4m3", 1, 3, 4},
};

static int valid(enum dtype type)
{
	return type > DTYPE_INVALID && type < DTYPE_COUNT;
}

const char *dtype_name(enum dtype type)
{
	return formats[valid(type) ? type : DTYPE_INVALID].name;
}

enum dtype dtype_from_name(const char *name)
{
	for (int type = DTYPE_INVALID + 1; type < DTYPE_COUNT; type++)
		if (strcmp(formats[type].name, name) == 0)
			return (enum dtype)type;
	return DTYPE_INVALID;
}

size_t dtype_size(enum dtype type)
{
	return formats[valid(type) ? type : DTYPE_INVALID].size;
}

int dtype_is_float(enum dtype type)
{
	return valid(type) && formats[type].mantissa_bits > 0;
}

static int bias(enum dtype type)
{
	return (1 << (formats[type].exponent_bits - 1)) - 1;
}

double dtype_epsilon(enum dtype type)
{
	return dtype_is_float(type) ? ldexp(1.0, -formats[type].mantissa_bits) : 0.0;
}

double dtype_smallest_subnormal(enum dtype type)
{
	return dtype_is_float(type) ? ldexp(1.0, 1 - bias(type) - formats[type].mantissa_bits) : 0.0;
}

double dtype_max_finite(enum dtype type)
{
	if (!dtype_is_float(type))
		return 0.0;
	if (type == DTYPE_F8_E4M3)
		return 448.0; /* the largest exponent holds numbers too, but for its last mantissa */
	return ldexp(2.0 - dtype_epsilon(type), bias(type));
}

/* Rounds a double to a 16-bit format with `mantissa_bits` stored bits in one step. */
static uint16_t narrow(double value, enum dtype type)
{
	const int mantissa_bits = formats[type].mantissa_bits;
	const int exponent_bits = formats[type].exponent_bits;
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	const uint16_t sign = (uint16_t)(bits >> 63 << 15);
	const int exponent = (int)(bits >> 52 & 0x7ff);
	const uint64_t mantissa = bits & ((1ull << 52) - 1);
	const uint16_t infinity = (uint16_t)(((1u << exponent_bits) - 1) << mantissa_bits);

	if (exponent == 0x7ff) {
		if (mantissa == 0)
			return sign | infinity;
		return (uint16_t)(sign | infinity | 1u << (mantissa_bits - 1));
	}
	if (exponent == 0)
		return sign; /* below 2^-1022: rounds to zero in every 16-bit format */

	/* value = significand * 2^(exponent - 1075), significand in [2^52, 2^53) */
	const uint64_t significand = mantissa | 1ull << 52;
	int target = exponent - 1023 + bias(type); /* biased exponent in the narrow format, if normal */
	int drop = 52 - mantissa_bits;
	if (target < 1) {
		drop += 1 - target; /* subnormal: fewer bits are kept */
		target = 0;
	}
	if (drop > 54)
		return sign; /* less than half of the smallest subnormal */
	uint64_t kept = significand >> drop;
	const uint64_t rest = significand & ((1ull << drop) - 1);
	const uint64_t half = 1ull << (drop - 1);
	if (rest > half || (rest == half && (kept & 1)))
		kept++;
	/* For a normal number the leading one of `kept` adds 1 to the exponent field, hence target - 1;
	 * a carry out of the mantissa then moves to the next exponent (or to infinity) by itself. */
	uint64_t result = target ? ((uint64_t)(target - 1) << mantissa_bits) + kept : kept;
	if (result >= infinity)
		result = infinity;
	return (uint16_t)(sign | result);
}

static double widen(uint16_t bits, enum dtype type)
{
	const int mantissa_bits = formats[type].mantissa_bits;
	const int exponent_max = (1 << formats[type].exponent_bits) - 1;
	const double sign = bits & 0x8000 ? -1.0 : 1.0;
	const int exponent = bits >> mantissa_bits & exponent_max;
	const int mantissa = bits & ((1 << mantissa_bits) - 1);
	if (exponent == exponent_max)
		return mantissa ? copysign(NAN, sign) : sign * INFINITY;
	if (exponent == 0)
		return sign * mantissa * dtype_smallest_subnormal(type);
	return sign * ldexp((double)(mantissa + (1 << mantissa_bits)), exponent - bias(type) - mantissa_bits);
}

uint16_t f16_from_f64(double value) { return narrow(value, DTYPE_F16); }
uint16_t bf16_from_f64(double value) { return narrow(value, DTYPE_BF16); }

double f8_e4m3_to_f64(uint8_t bits)
{
	const double sign = bits & 0x80 ? -1.0 : 1.0;
	const int exponent = bits >> 3 & 15, mantissa = bits & 7;
	if (exponent == 15 && mantissa == 7)
		return copysign(NAN, sign);
	return sign * (exponent ? ldexp(8 + mantissa, exponent - 10) : ldexp(mantissa, -9));
}

uint8_t f8_e4m3_from_f64(double value)
{
	const uint8_t sign = signbit(value) ? 0x80 : 0;
	const double size = fabs(value);
	if (isnan(value))
		return sign | 0x7f;
	if (size >= 448.0)
		return sign | 0x7e;
	int exponent;
	frexp(size, &exponent);
	if (exponent < -5)
		exponent = -5; /* subnormal numbers are spaced as the smallest normal ones, 2^-6 */
	/* units of the last place, a whole number from 0 to 16, rounded half to even; 16 is 8 of the next exponent. The default
	 * rounding of rint is to nearest even, and this program never changes it. */
	const int units = (int)rint(ldexp(size, 4 - exponent));
	return (uint8_t)(sign | (units < 8 ? units : units + 8 * (exponent + 5)));
}

double f16_to_f64(uint16_t bits) { return widen(bits, DTYPE_F16); }

double bf16_to_f64(uint16_t bits) { return (double)bf16_to_f32(bits); }
float f16_to_f32(uint16_t bits) { return (float)widen(bits, DTYPE_F16); }

float bf16_to_f32(uint16_t bits)
{
	const uint32_t wide = (uint32_t)bits << 16;
	float value;
	memcpy(&value, &wide, sizeof value);
	return value;
}

double dtype_load(enum dtype type, const void *array, size_t index)
{
	const unsigned char *at = (const unsigned char *)array + index * dtype_size(type);
	switch (type) {
	case DTYPE_F16:
	case DTYPE_BF16: {
		uint16_t bits;
		memcpy(&bits, at, sizeof bits);
		return type == DTYPE_F16 ? f16_to_f64(bits) : bf16_to_f64(bits);
	}
	case DTYPE_F32: {
		float value;
		memcpy(&value, at, sizeof value);
		return (double)value;
	}
	case DTYPE_F64: {
		double value;
		memcpy(&value, at, sizeof value);
		return value;
	}
	case DTYPE_U8:
		return (double)*at;
	case DTYPE_F8_E4M3:
		return f8_e4m3_to_f64(*at);
	case DTYPE_I16: {
		int16_t value;
		memcpy(&value, at, sizeof value);
		return (double)value;
	}
	case DTYPE_I32: {
		int32_t value;
		memcpy(&value, at, sizeof value);
		return (double)value;
	}
	case DTYPE_U32: {
		uint32_t value;
		memcpy(&value, at, sizeof value);
		return (double)value;
	}
	case DTYPE_I64: {
		int64_t value;
		memcpy(&value, at, sizeof value);
		return (double)value;
	}
	default:
		return NAN;
	}
}

static double clamp(double value, double low, double high)
{
	if (isnan(value))
		return 0.0;
	return value < low ? low : value > high ? high : value;
}

void dtype_store(enum dtype type, void *array, size_t index, double value)
{
	unsigned char *at = (unsigned char *)array + index * dtype_size(type);
	switch (type) {
	case DTYPE_F16:
	case DTYPE_BF16: {
		const uint16_t bits = type == DTYPE_F16 ? f16_from_f64(value) : bf16_from_f64(value);
		memcpy(at, &bits, sizeof bits);
		break;
	}
	case DTYPE_F32: {
		const float rounded = (float)value;
		memcpy(at, &rounded, sizeof rounded);
		break;
	}
	case DTYPE_F64:
		memcpy(at, &value, sizeof value);
		break;
	case DTYPE_U8:
		*at = (unsigned char)clamp(value, 0.0, 255.0);
		break;
	case DTYPE_F8_E4M3:
		*at = f8_e4m3_from_f64(value);
		break;
	case DTYPE_I16: {
		const int16_t whole = (int16_t)clamp(value, -32768.0, 32767.0);
		memcpy(at, &whole, sizeof whole);
		break;
	}
	case DTYPE_I32: {
		const int32_t whole = (int32_t)clamp(value, -2147483648.0, 2147483647.0);
		memcpy(at, &whole, sizeof whole);
		break;
	}
	case DTYPE_U32: {
		const uint32_t whole = (uint32_t)clamp(value, 0.0, 4294967295.0);
		memcpy(at, &whole, sizeof whole);
		break;
	}
	case DTYPE_I64: {
		/* 2^63 is not representable, the largest double below it is */
		const int64_t whole = (int64_t)clamp(value, -9223372036854775808.0, 9223372036854774784.0);
		memcpy(at, &whole, sizeof whole);
		break;
	}
	default:
		break;
	}
}

uint64_t dtype_ulp_distance(enum dtype type, uint64_t a, uint64_t b)
{
	const int width = (int)dtype_size(type) * 8;
	const uint64_t sign = 1ull << (width - 1);
	const uint64_t magnitude = sign - 1;
	/* the largest pattern that is no NaN */
	const uint64_t infinity = type == DTYPE_F8_E4M3 ? 0x7e : ((1ull << formats[type].exponent_bits) - 1) << formats[type].mantissa_bits;
	const uint64_t size_a = a & magnitude, size_b = b & magnitude;
	if (!dtype_is_float(type) || size_a > infinity || size_b > infinity)
		return UINT64_MAX;
	if ((a & sign) == (b & sign))
		return size_a > size_b ? size_a - size_b : size_b - size_a;
	return size_a + size_b;
}
