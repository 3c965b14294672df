/* Number formats of tensors, and conversions that are exact or correctly
 * rounded (round to nearest, ties to even; IEEE 754-2019, bfloat16 as the upper
 * half of binary32). Everything here is plain integer arithmetic on bits, so it
 * gives the same result on every machine. */
#ifndef ASSAY_CORE_DTYPE_H
#define ASSAY_CORE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

enum dtype {
	DTYPE_INVALID = 0,
	DTYPE_F16,
	DTYPE_BF16,
	DTYPE_F32,
	DTYPE_F64,
	DTYPE_U8,
	DTYPE_I32,
	DTYPE_U32,
	DTYPE_I64,
	DTYPE_I16,
	DTYPE_F8_E4M3, /* 1 sign, 4 exponent (bias 7) and 3 mantissa bits; no infinity, NaN is 0x7f and 0xff (OCP 8-bit
			* floating point, E4M3) */
	DTYPE_COUNT
};

const char *dtype_name(enum dtype type);            /* "f16", "bf16", "f32", "f8_e4m3" ...; "?" when invalid */
enum dtype dtype_from_name(const char *name);       /* DTYPE_INVALID when unknown */
size_t dtype_size(enum dtype type);                 /* bytes; 0 when invalid */
int dtype_is_float(enum dtype type);
double dtype_epsilon(enum dtype type);              /* distance from 1 to the next number: 2^-10, 2^-7, 2^-23, 2^-52, 2^-3; 0 for integers */
double dtype_smallest_subnormal(enum dtype type);   /* 2^-24, 2^-133, 2^-149, 2^-1074, 2^-9; 0 for integers */
double dtype_max_finite(enum dtype type);           /* 65504, ..., 448; 0 for integers */

uint16_t f16_from_f64(double value);  /* one rounding; overflow to infinity; NaN stays NaN (quiet, sign kept) */
uint16_t bf16_from_f64(double value);
/* One rounding; what rounds beyond 448, infinities too, becomes 448, as CUDA converts with __NV_SATFINITE (cuda_fp8.h);
 * NaN becomes 0x7f with its sign. */
uint8_t f8_e4m3_from_f64(double value);
double f8_e4m3_to_f64(uint8_t bits);  /* exact */
double f16_to_f64(uint16_t bits);     /* exact */
double bf16_to_f64(uint16_t bits);    /* exact */
float f16_to_f32(uint16_t bits);      /* exact */
float bf16_to_f32(uint16_t bits);     /* exact */
static inline uint16_t f16_from_f32(float value) { return f16_from_f64((double)value); }
static inline uint16_t bf16_from_f32(float value) { return bf16_from_f64((double)value); }

/* Element `index` of a packed array of `type`, as a double (i64 beyond 2^53 rounds). */
double dtype_load(enum dtype type, const void *array, size_t index);
/* Rounds `value` once and stores it; integers saturate, NaN becomes 0 for integers. */
void dtype_store(enum dtype type, void *array, size_t index, double value);

/* Number of representable values between a and b (0 when equal; +0 and -0 count as equal):
 * UINT64_MAX when either is NaN. Both are bit patterns of `type` (a floating-point one) in the low bits. */
uint64_t dtype_ulp_distance(enum dtype type, uint64_t a, uint64_t b);

#endif
