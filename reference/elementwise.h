/* Elementwise operations on two operands, and conversions between number formats, as C defines them and IEEE 754 rounds: one
 * rounding to nearest, ties to even, unless said otherwise. Pure functions of bits.
 *
 * Results are long doubles, which hold every value of every type exactly (operator expectations: judge/expect.h); a NaN stands for
 * every NaN. */
#ifndef ASSAY_REFERENCE_ELEMENTWISE_H
#define ASSAY_REFERENCE_ELEMENTWISE_H

#include "core/dtype.h"

enum binary_operation {
	BINARY_ADD,
	BINARY_SUB,
	BINARY_MUL,
	BINARY_DIV,
	BINARY_MAXIMUM,
	BINARY_MINIMUM,
	BINARY_EQ,
	BINARY_NE,
	BINARY_LT,
	BINARY_LE,
	BINARY_GT,
	BINARY_GE
};

/* lhs[i] OP rhs[j], both of `dtype`; comparisons give 0 or 1.
 *   f16, bf16   the exact result rounded once. Maximum and minimum of a NaN are NaN.
 *   f32, f64    IEEE 754. Maximum and minimum are those of fmax and fmin: a NaN counts as missing.
 *   f8_e4m3     through float: the float result is rounded to f8_e4m3, saturating (f8_e4m3_from_f64). fmax and fmin.
 *   integers    wrap around modulo 2^bits; quotients are truncated towards zero. Division by zero, and of the smallest number by
 *               -1, is undefined: NaN.
 * Maximum and minimum of +0 and -0 is one of the two (C, F.10.9.2).
 * `flush`: f32 and bf16 operands and f32 results that are subnormal count as zeros of their sign (PTX: .ftz). */
long double binary_reference(enum binary_operation operation, enum dtype dtype, const void *lhs, size_t i, const void *rhs,
			     size_t j, int flush);

/* from[i] as a `to`.
 *   number to number   rounded once; integers wrap around modulo 2^bits
 *   number to integer  truncated; *unspecified is set, and 0 given, for a NaN and where the whole part is beyond the type's range
 *   to f8_e4m3         saturating
 * `flush`: as above, for operands and results that are f32, and bf16 operands. */
long double cast_reference(enum dtype from, enum dtype to, const void *data, size_t i, int flush, int *unspecified);

/* The same, rounded to f32 first: what a conversion that passes through float gives. */
long double cast_through_float(enum dtype from, enum dtype to, const void *data, size_t i, int *unspecified);

#endif
