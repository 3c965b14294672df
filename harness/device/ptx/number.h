/* Number formats of PTX (manual 5.2.3) and their rounding, on bits: f16, bf16, tf32, e4m3, e5m2 and the way to and from f32 and
 * f64. The inline functions are written so that a loop over lanes vectorises. core/dtype.h has the conversions to nearest
 * that the rest of the program uses; a test holds the two against each other.
 *
 * NaN: what PTX calls canonical: 0x7fffffff (f32), 0x7fff (f16, bf16), 0x7fffe000 (tf32), 0x7f (e4m3, e5m2); a generated f64 NaN
 * has the bits 0xfff8000000000000 (math_constants.h of the CUDA toolkit: CUDART_NAN_F, CUDART_NAN). */
#ifndef ASSAY_DEVICE_PTX_NUMBER_H
#define ASSAY_DEVICE_PTX_NUMBER_H

#include <stdint.h>
#include <string.h>

#define NUMBER_F32_NAN 0x7fffffffu
#define NUMBER_F32_INFINITY 0x7f800000u
#define NUMBER_F64_NAN 0xfff8000000000000ull
#define NUMBER_F64_INFINITY 0x7ff0000000000000ull
#define NUMBER_F16_NAN 0x7fffu /* of f16 and bf16 */

enum number_rounding { NUMBER_RN, NUMBER_RZ, NUMBER_RM, NUMBER_RP, NUMBER_RNA }; /* nearest even, zero, down, up, nearest away */

static inline float number_f32(uint32_t bits) { float value; memcpy(&value, &bits, sizeof value); return value; }
static inline uint32_t number_f32_bits(float value) { uint32_t bits; memcpy(&bits, &value, sizeof bits); return bits; }
static inline double number_f64(uint64_t bits) { double value; memcpy(&value, &bits, sizeof value); return value; }
static inline uint64_t number_f64_bits(double value) { uint64_t bits; memcpy(&bits, &value, sizeof bits); return bits; }

static inline int number_f32_is_nan(uint32_t bits) { return (bits & 0x7fffffffu) > NUMBER_F32_INFINITY; }
static inline int number_f64_is_nan(uint64_t bits) { return (bits & 0x7fffffffffffffffull) > NUMBER_F64_INFINITY; }

/* Subnormal numbers become zeros of their sign. */
static inline uint32_t number_f32_flush(uint32_t bits) { return bits & 0x7f800000u ? bits : bits & 0x80000000u; }
static inline uint32_t number_f16_flush(uint32_t bits) { return bits & 0x7c00u ? bits : bits & 0x8000u; }

/* Exact. The argument has no bits above the low 16. A NaN of f16 becomes the canonical one; one of bf16 keeps its bits, a
 * signalling one too, as an H100 does in cvt.f32.bf16; the manual leaves it open. */
static inline uint32_t number_f16_to_f32(uint32_t half)
{
	const uint32_t size = half & 0x7fff, sign = (half & 0x8000) << 16;
	const uint32_t normal = (size << 13) + (112u << 23);
	/* a subnormal is its mantissa in units of 2^-24 */
	const uint32_t subnormal = number_f32_bits((float)(int32_t)size * 0x1p-24f);
	const uint32_t special = size == 0x7c00 ? sign | NUMBER_F32_INFINITY : NUMBER_F32_NAN;
	return size >= 0x7c00 ? special : sign | (size < 0x400 ? subnormal : normal);
}
static inline uint32_t number_bf16_to_f32(uint32_t bf16)
{
	return bf16 << 16;
}

/* To nearest even; overflow to infinity; NaN to 0x7fff. */
static inline uint32_t number_f32_to_f16(uint32_t bits)
{
	const uint32_t size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
	/* adding half an ulp less one, and the last kept bit, carries exactly when rounding goes up */
	const uint32_t normal = (size + 0xfff + (size >> 13 & 1) - (112u << 23)) >> 13;
	/* the ulp of numbers next to 1/2 is 2^-24, that of subnormal halves */
	const uint32_t subnormal = number_f32_bits(number_f32(size) + 0.5f) - 0x3f000000u;
	const uint32_t finite = size < 0x38800000 ? subnormal : normal;
	const uint32_t number = size >= 0x477ff000 ? 0x7c00 : finite;
	return size > NUMBER_F32_INFINITY ? NUMBER_F16_NAN : sign | number;
}
static inline uint32_t number_f32_to_bf16(uint32_t bits)
{
	const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
	return number_f32_is_nan(bits) ? NUMBER_F16_NAN : rounded;
}

/* To nearest even, .satfinite: overflow and infinity to the largest number, 448 and 57344; NaN to 0x7f. */
static inline uint32_t number_f32_to_e4m3(uint32_t bits)
{
	const uint32_t size = bits & 0x7fffffff, sign = bits >> 24 & 0x80;
	const uint32_t normal = (size + 0x7ffff + (size >> 20 & 1) - (120u << 23)) >> 20;
	/* the ulp of numbers next to 2^14 is 2^-9, that of subnormal e4m3 */
	const uint32_t subnormal = number_f32_bits(number_f32(size) + 0x1p14f) - 0x46800000u;
	const uint32_t finite = size < 0x3c800000 ? subnormal : normal;
	const uint32_t number = size >= 0x43e00000 ? 0x7e : finite;
	return size > NUMBER_F32_INFINITY ? 0x7f : sign | number;
}
static inline uint32_t number_f32_to_e5m2(uint32_t bits)
{
	const uint32_t size = bits & 0x7fffffff, sign = bits >> 24 & 0x80;
	const uint32_t normal = (size + 0xfffff + (size >> 21 & 1) - (112u << 23)) >> 21;
	const uint32_t subnormal = number_f32_bits(number_f32(size) + 0x1p7f) - 0x43000000u; /* in units of 2^-16 */
	const uint32_t finite = size < 0x38800000 ? subnormal : normal;
	const uint32_t number = size >= 0x47600000 ? 0x7b : finite;
	return size > NUMBER_F32_INFINITY ? 0x7f : sign | number;
}
/* Exact. e4m3 in the place of f16's bits is 2^8 too small. */
static inline uint32_t number_e4m3_to_f16(uint32_t bits)
{
	const float value = number_f32(number_f16_to_f32((bits & 0x7f) << 7)) * 256.0f;
	return (bits & 0x7f) == 0x7f ? NUMBER_F16_NAN : (bits & 0x80) << 8 | number_f32_to_f16(number_f32_bits(value));
}
static inline uint32_t number_e5m2_to_f16(uint32_t bits)
{
	return (bits & 0x7f) > 0x7c ? NUMBER_F16_NAN : bits << 8;
}

/* A format with sign, exponent and mantissa bits, biased as IEEE 754 does it. */
struct number_format {
	uint8_t exponent_bits, mantissa_bits;
	uint8_t has_infinity; /* 0: the exponent of all ones holds numbers too (e4m3), but for the one of all ones, NaN */
	uint8_t has_nan;      /* 0: e2m1, e2m3, e3m2 */
	uint32_t nan;         /* canonical */
};
extern const struct number_format number_f16_format, number_bf16_format, number_tf32_format, number_f32_format, number_e4m3_format,
	number_e5m2_format, number_e2m1_format, number_e2m3_format, number_e3m2_format;

/* One rounding of a double (exact, or rounded to odd from something longer). Overflow goes to infinity or the largest number as
 * the mode says; with `satfinite`, and in formats without infinity, always to the largest number. NaN to the canonical one, in
 * formats that have none to the largest number. tf32 gives the 19 bits shifted to where f32 has them, the others 0. */
uint32_t number_from_f64(double value, const struct number_format *format, enum number_rounding rounding, int satfinite);
/* Exact. NaN: the canonical NaN of f32, widened. */
double number_to_f64(uint32_t bits, const struct number_format *format);

/* ue8m0: 2^(bits - 127), 255 is NaN. From f32 `rounding` RZ or RP; zero and below the range go to 0, above it with satfinite to
 * 254, else to NaN; the sign is dropped. */
uint32_t number_to_ue8m0(float value, enum number_rounding rounding, int satfinite);
uint32_t number_ue8m0_to_bf16(uint32_t bits);

/* The sum of two doubles rounded to odd: the exact sum where it is one, else of its two neighbours the one with odd mantissa. A
 * later rounding to a format at least two bits shorter is then as if done from the exact sum (Boldo and Melquiond 2008). No
 * overflow, no subnormal: for operands far inside the range of doubles. Infinity and NaN as in a plain sum. */
static inline double number_add_odd(double a, double b)
{
	const double sum = a + b;
	const double b_part = sum - a;
	const double error = (a - (sum - b_part)) + (b - b_part); /* two-sum, Knuth: exact */
	const uint64_t bits = number_f64_bits(sum);
	const uint64_t error_bits = number_f64_bits(error);
	const int inexact = error != 0.0 && (bits & NUMBER_F64_INFINITY) != NUMBER_F64_INFINITY && !(bits & 1);
	const uint64_t down = (bits ^ error_bits) >> 63; /* the error points to zero: the neighbour below, else above in size */
	return number_f64(bits + (inexact ? 1 - 2 * down : 0));
}

#endif
