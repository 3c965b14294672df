#include "device/ptx/number.h"

#include <math.h>

const struct number_format number_f16_format = {5, 10, 1, 1, NUMBER_F16_NAN};
const struct number_format number_bf16_format = {8, 7, 1, 1, NUMBER_F16_NAN};
const struct number_format number_tf32_format = {8, 10, 1, 1, NUMBER_F32_NAN >> 13};
const struct number_format number_f32_format = {8, 23, 1, 1, NUMBER_F32_NAN};
const struct number_format number_e4m3_format = {4, 3, 0, 1, 0x7f};
const struct number_format number_e5m2_format = {5, 2, 1, 1, 0x7f};
const struct number_format number_e2m1_format = {2, 1, 0, 0, 0};
const struct number_format number_e2m3_format = {2, 3, 0, 0, 0};
const struct number_format number_e3m2_format = {3, 2, 0, 0, 0};

static uint32_t largest_finite(const struct number_format *format)
{
	const uint32_t all = (1u << (format->exponent_bits + format->mantissa_bits)) - 1;
	if (format->has_infinity)
		return all - (1u << format->mantissa_bits);
	return format->has_nan ? all - 1 : all;
}

static uint32_t place(uint32_t bits, const struct number_format *format)
{
	return format == &number_tf32_format ? bits << 13 : bits;
}

uint32_t number_from_f64(double value, const struct number_format *format, enum number_rounding rounding, int satfinite)
{
	const uint64_t bits = number_f64_bits(value);
	const int mantissa_bits = format->mantissa_bits, bias = (1 << (format->exponent_bits - 1)) - 1;
	const int negative = (int)(bits >> 63);
	const uint32_t sign = (uint32_t)negative << (format->exponent_bits + mantissa_bits);
	const uint32_t largest = largest_finite(format);
	const uint32_t infinity = format->has_infinity && !satfinite ? largest + 1 : largest;
	const int exponent = (int)(bits >> 52 & 2047);
	const uint64_t mantissa = bits & 0xfffffffffffffull;

	if (exponent == 2047 && mantissa)
		return format->has_nan ? place(format->nan, format) : largest;
	if (exponent == 2047)
		return place(sign | infinity, format);

	const int up = rounding == NUMBER_RP ? !negative : rounding == NUMBER_RM ? negative : 0;
	/* value = significand * 2^(exponent - 1075); of a subnormal double nothing but its being there matters */
	const uint64_t significand = exponent ? mantissa | 1ull << 52 : mantissa;
	const int target = (exponent ? exponent : 1) - 1023 + bias;
	int drop = 52 - mantissa_bits + (target < 1 ? 1 - target : 0);
	uint64_t kept = 0, rest = significand, half = 0;
	if (drop <= 60) {
		kept = significand >> drop;
		rest = significand & ((1ull << drop) - 1);
		half = 1ull << (drop - 1);
	} else {
		half = ~0ull; /* far below half of the smallest number */
	}
	if (rounding == NUMBER_RN)
		kept += rest > half || (rest == half && (kept & 1));
	else if (rounding == NUMBER_RNA)
		kept += rest >= half;
	else if (up)
		kept += rest != 0;
	/* the leading one of a normal number counts 1 in the exponent field, and a carry out of the mantissa moves there */
	if (target >= 1)
		kept += (uint64_t)(target - 1) << mantissa_bits;
	if (kept > largest) {
		const int toward_zero = rounding == NUMBER_RZ || ((rounding == NUMBER_RP || rounding == NUMBER_RM) && !up);
		kept = toward_zero ? largest : infinity;
	}
	return place(sign | (uint32_t)kept, format);
}

double number_to_f64(uint32_t bits, const struct number_format *format)
{
	if (format == &number_tf32_format)
		bits >>= 13;
	const int mantissa_bits = format->mantissa_bits, bias = (1 << (format->exponent_bits - 1)) - 1;
	const uint32_t all = (1u << (format->exponent_bits + mantissa_bits)) - 1, size = bits & all;
	const double sign = bits > all ? -1.0 : 1.0;
	if (format->has_nan && size > largest_finite(format) + format->has_infinity)
		return (double)number_f32(NUMBER_F32_NAN);
	if (format->has_infinity && size == largest_finite(format) + 1)
		return sign * (double)INFINITY;
	const uint32_t exponent = size >> mantissa_bits, mantissa = size & ((1u << mantissa_bits) - 1);
	if (exponent == 0)
		return sign * ldexp((double)mantissa, 1 - bias - mantissa_bits);
	return sign * ldexp((double)(mantissa | 1u << mantissa_bits), (int)exponent - bias - mantissa_bits);
}

uint32_t number_to_ue8m0(float value, enum number_rounding rounding, int satfinite)
{
	const uint32_t size = number_f32_bits(value) & 0x7fffffff;
	if (size > NUMBER_F32_INFINITY)
		return 0xff;
	if (size == NUMBER_F32_INFINITY)
		return satfinite ? 0xfe : 0xff;
	uint32_t exponent = size >> 23;
	const uint32_t mantissa = size & 0x7fffff;
	/* the smallest, 2^-127, is a subnormal f32 whose mantissa is 0x400000 */
	if (exponent == 0)
		return rounding == NUMBER_RP && mantissa > 0x400000 ? 1 : 0;
	if (rounding == NUMBER_RP && mantissa)
		exponent++;
	return exponent < 0xff ? exponent : satfinite ? 0xfe : 0xff;
}

uint32_t number_ue8m0_to_bf16(uint32_t bits)
{
	return bits == 0xff ? NUMBER_F16_NAN : bits == 0 ? 0x40 : bits << 7;
}
