/* What one element amounts to: the same text for the cpu (judge_cpu.c) and for the device (judge_kernels.cu), so that
 * both give the same counts, maxima and indices; only the order of float64 sums differs between them. Conversions are on
 * bits, since a compiler for one side and one for the other must not disagree; a test holds them against core/dtype. */
#ifndef ASSAY_JUDGE_ELEMENT_H
#define ASSAY_JUDGE_ELEMENT_H

#include "core/dtype.h"
#include "judge/judge.h"
#include "judge/row_class.h"

#ifdef __CUDACC__
#define JUDGE_INLINE static __device__ __forceinline__
#define JUDGE_F64_BITS(value) ((uint64_t)__double_as_longlong(value))
#define JUDGE_F64_FROM(bits) (__longlong_as_double((long long)(bits)))
#define JUDGE_F32_BITS(value) (__float_as_uint(value))
#define JUDGE_F32_FROM(bits) (__uint_as_float(bits))
#else
#include <string.h>
#define JUDGE_INLINE static inline
static inline uint64_t judge_f64_bits(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}
static inline double judge_f64_from(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}
static inline uint32_t judge_f32_bits(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}
static inline float judge_f32_from(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}
#define JUDGE_F64_BITS(value) judge_f64_bits(value)
#define JUDGE_F64_FROM(bits) judge_f64_from(bits)
#define JUDGE_F32_BITS(value) judge_f32_bits(value)
#define JUDGE_F32_FROM(bits) judge_f32_from(bits)
#endif

#define JUDGE_F64_INFINITY JUDGE_F64_FROM(0x7ff0000000000000ull)
#define JUDGE_F64_MAGNITUDE 0x7fffffffffffffffull

JUDGE_INLINE int judge_is_nan(double value)
{
	return (JUDGE_F64_BITS(value) & JUDGE_F64_MAGNITUDE) > 0x7ff0000000000000ull;
}

JUDGE_INLINE int judge_is_finite(double value)
{
	return (JUDGE_F64_BITS(value) & JUDGE_F64_MAGNITUDE) < 0x7ff0000000000000ull;
}

JUDGE_INLINE double judge_abs(double value)
{
	return JUDGE_F64_FROM(JUDGE_F64_BITS(value) & JUDGE_F64_MAGNITUDE);
}

/* 2^exponent for a normal result. */
JUDGE_INLINE double judge_power_of_two(int exponent)
{
	return JUDGE_F64_FROM((uint64_t)(exponent + 1023) << 52);
}

JUDGE_INLINE int judge_mantissa_bits(enum dtype type)
{
	return type == DTYPE_F16 ? 10 : type == DTYPE_BF16 ? 7 : type == DTYPE_F32 ? 23 : 52;
}

JUDGE_INLINE int judge_exponent_bits(enum dtype type)
{
	return type == DTYPE_F16 ? 5 : type == DTYPE_F64 ? 11 : 8;
}

JUDGE_INLINE double judge_smallest_normal(enum dtype type)
{
	return judge_power_of_two(2 - (1 << (judge_exponent_bits(type) - 1)));
}

/* Bits of element `index` of an array of `type`. */
JUDGE_INLINE uint64_t judge_load_bits(enum dtype type, const void *array, int64_t index)
{
	if (type == DTYPE_F16 || type == DTYPE_BF16)
		return ((const uint16_t *)array)[index];
	if (type == DTYPE_F32)
		return ((const uint32_t *)array)[index];
	return ((const uint64_t *)array)[index];
}

/* Exact for every type. */
JUDGE_INLINE double judge_widen(enum dtype type, uint64_t bits)
{
	if (type == DTYPE_F64)
		return JUDGE_F64_FROM(bits);
	if (type == DTYPE_F32)
		return (double)JUDGE_F32_FROM((uint32_t)bits);
	if (type == DTYPE_BF16)
		return (double)JUDGE_F32_FROM((uint32_t)bits << 16);
	const uint64_t sign = (bits & 0x8000) << 48;
	const uint64_t exponent = bits >> 10 & 31, mantissa = bits & 1023;
	if (exponent == 31)
		return JUDGE_F64_FROM(sign | 0x7ff0000000000000ull | mantissa << 42);
	if (exponent == 0) {
		const double size = (double)(uint32_t)mantissa * judge_power_of_two(-24);
		return sign ? -size : size;
	}
	return JUDGE_F64_FROM(sign | (exponent - 15 + 1023) << 52 | mantissa << 42);
}

/* `value`, which is not NaN, rounded once to `type`: to nearest, ties to even, overflow to infinity. */
JUDGE_INLINE uint64_t judge_round(enum dtype type, double value)
{
	if (type == DTYPE_F64)
		return JUDGE_F64_BITS(value);
	if (type == DTYPE_F32)
		return JUDGE_F32_BITS((float)value);
	const int kept_bits = judge_mantissa_bits(type);
	const int largest = (1 << judge_exponent_bits(type)) - 1;
	const uint64_t bits = JUDGE_F64_BITS(value);
	const uint64_t sign = bits >> 48 & 0x8000;
	const int exponent = (int)(bits >> 52 & 2047);
	const uint64_t infinity = (uint64_t)largest << kept_bits;
	if (exponent == 2047)
		return sign | infinity;
	if (exponent == 0)
		return sign; /* a float64 subnormal is far below half of any 16-bit one */
	const int target = exponent - 1023 + (1 << (judge_exponent_bits(type) - 1)) - 1;
	/* A 16-bit subnormal keeps fewer bits: one less for each step below the smallest normal exponent. */
	int dropped = 52 - kept_bits + (target < 1 ? 1 - target : 0);
	if (dropped > 54)
		return sign;
	const uint64_t significand = (bits & 0xfffffffffffffull) | 1ull << 52;
	const uint64_t half = 1ull << (dropped - 1);
	const uint64_t rest = significand & (half * 2 - 1);
	uint64_t kept = significand >> dropped;
	kept += rest > half || (rest == half && (kept & 1));
	/* The leading one of a normal number adds 1 to the exponent field; so does a carry out of the mantissa. */
	if (target >= 1)
		kept += (uint64_t)(target - 1) << kept_bits;
	return sign | (kept < infinity ? kept : infinity);
}

/* Representable values between two numbers that are not NaN; +0 and -0 are the same. */
JUDGE_INLINE uint64_t judge_ulp_distance(enum dtype type, uint64_t a, uint64_t b)
{
	const uint64_t sign = 1ull << (judge_mantissa_bits(type) + judge_exponent_bits(type));
	const uint64_t size_a = a & (sign - 1), size_b = b & (sign - 1);
	if ((a & sign) == (b & sign))
		return size_a > size_b ? size_a - size_b : size_b - size_a;
	return size_a + size_b;
}

JUDGE_INLINE void judge_group_clear(struct judge_group *group)
{
	*group = (struct judge_group){0};
	group->scaled_max_index = group->ulp_max_index = group->not_finite_index = -1;
	group->class_violation_index = group->exact_mismatch_index = -1;
	group->reference_min = JUDGE_F64_INFINITY;
	group->reference_max = -JUDGE_F64_INFINITY;
}

/* 1 when (a, index_a) is to be replaced by (b, index_b): a larger value, or an equal one that comes earlier. */
#define JUDGE_BEATS(b, index_b, a, index_a) \
	((index_b) >= 0 && ((index_a) < 0 || (b) > (a) || ((b) == (a) && (index_b) < (index_a))))
#define JUDGE_EARLIER(index_b, index_a) ((index_b) >= 0 && ((index_a) < 0 || (index_b) < (index_a)))

/* Adds `b` to `a`. Everything but the two sums is the same in any order. */
JUDGE_INLINE void judge_group_merge(struct judge_group *a, const struct judge_group *b)
{
	if (JUDGE_BEATS(b->finite_scaled_max, b->scaled_max_index, a->finite_scaled_max, a->scaled_max_index)) {
		a->finite_scaled_max = b->finite_scaled_max;
		a->scaled_max_index = b->scaled_max_index;
		a->scaled_max_value = b->scaled_max_value;
		a->scaled_max_reference = b->scaled_max_reference;
	}
	if (b->absolute_max > a->absolute_max)
		a->absolute_max = b->absolute_max;
	if (b->relative_max > a->relative_max)
		a->relative_max = b->relative_max;
	a->error_square_sum += b->error_square_sum;
	a->reference_square_sum += b->reference_square_sum;
	if (JUDGE_BEATS(b->ulp_max, b->ulp_max_index, a->ulp_max, a->ulp_max_index)) {
		a->ulp_max = b->ulp_max;
		a->ulp_max_index = b->ulp_max_index;
	}
	if (JUDGE_EARLIER(b->not_finite_index, a->not_finite_index)) {
		a->not_finite_index = b->not_finite_index;
		a->not_finite_value = b->not_finite_value;
		a->not_finite_reference = b->not_finite_reference;
	}
	if (JUDGE_EARLIER(b->class_violation_index, a->class_violation_index)) {
		a->class_violation_index = b->class_violation_index;
		a->class_violation_class = b->class_violation_class;
		a->class_violation_value = b->class_violation_value;
		a->class_violation_reference = b->class_violation_reference;
	}
	if (JUDGE_EARLIER(b->exact_mismatch_index, a->exact_mismatch_index)) {
		a->exact_mismatch_index = b->exact_mismatch_index;
		a->exact_mismatch_value = b->exact_mismatch_value;
		a->exact_mismatch_reference = b->exact_mismatch_reference;
	}
	a->elements += b->elements;
	a->not_finite += b->not_finite;
	a->class_elements += b->class_elements;
	a->class_violations += b->class_violations;
	a->exact_elements += b->exact_elements;
	a->exact_mismatches += b->exact_mismatches;
	a->nan_count += b->nan_count;
	a->inf_count += b->inf_count;
	if (b->reference_min < a->reference_min)
		a->reference_min = b->reference_min;
	if (b->reference_max > a->reference_max)
		a->reference_max = b->reference_max;
}

/* Bin of a scaled error that is >= 0 or +inf. */
JUDGE_INLINE int judge_histogram_bin(double scaled)
{
	const int exponent = (int)(JUDGE_F64_BITS(scaled) >> 52 & 2047) - 1023; /* floor(log2), or less for subnormals */
	const int bin = exponent + JUDGE_HISTOGRAM_BINS - 1;
	return bin < 0 ? 0 : bin >= JUDGE_HISTOGRAM_BINS ? JUDGE_HISTOGRAM_BINS - 1 : bin;
}

enum judge_demand { JUDGE_NUMBER, JUDGE_CLASS_KEPT, JUDGE_CLASS_BROKEN };

/* The table of judge.h. `first` is the value of column 0 of the same row. */
JUDGE_INLINE enum judge_demand judge_demand(double value, double first, double reference, uint64_t rounded,
					    enum dtype type, int row_class, int is_lse)
{
	const int nan = judge_is_nan(value);
	int kept;

	if (row_class & ROW_NAN) {
		kept = nan || (is_lse && value == JUDGE_F64_INFINITY);
	} else if ((row_class & ROW_MASKED_POISON) && nan) {
		kept = 1;
	} else if (row_class & ROW_MASKED) {
		kept = is_lse ? value == JUDGE_F64_INFINITY : value == 0.0;
	} else if (row_class & ROW_ALL_MINUS_INF) {
		kept = is_lse ? !judge_is_finite(value) : judge_is_nan(first) ? nan : value == 0.0;
	} else if (judge_is_nan(reference)) {
		kept = !judge_is_finite(value);
	} else if (!judge_is_finite(reference)) {
		kept = value == reference || (nan && !is_lse);
	} else if (!nan && !judge_is_finite(value) && JUDGE_F64_BITS(value) == JUDGE_F64_BITS(judge_widen(type, rounded))) {
		kept = 1; /* the reference rounds to this infinity */
	} else {
		return JUDGE_NUMBER;
	}
	return kept ? JUDGE_CLASS_KEPT : JUDGE_CLASS_BROKEN;
}

/* One element as a group of its own is added to `group`. Returns its histogram bin, or -1 when it was not compared as a
 * number. `slack` is finite and >= 0. */
JUDGE_INLINE int judge_element(struct judge_group *group, enum dtype type, uint64_t bits, double first, double reference,
			       double magnitude, double slack, int row_class, int is_lse, int64_t index)
{
	const double value = judge_widen(type, bits);
	const int nan = judge_is_nan(value), finite = judge_is_finite(value);
	const uint64_t rounded = judge_is_nan(reference) ? 0 : judge_round(type, reference);

	group->nan_count += nan;
	group->inf_count += !nan && !finite;
	const enum judge_demand demand = judge_demand(value, first, reference, rounded, type, row_class, is_lse);
	if (demand != JUDGE_NUMBER) {
		group->class_elements++;
		if (demand == JUDGE_CLASS_BROKEN) {
			group->class_violations++;
			if (JUDGE_EARLIER(index, group->class_violation_index)) {
				group->class_violation_index = index;
				group->class_violation_class = row_class;
				group->class_violation_value = value;
				group->class_violation_reference = reference;
			}
		}
		return -1;
	}
	if (reference < group->reference_min)
		group->reference_min = reference;
	if (reference > group->reference_max)
		group->reference_max = reference;
	const uint64_t ulps = finite ? judge_ulp_distance(type, bits, rounded) : ~0ull;
	if ((row_class & ROW_EXACT) && !is_lse && judge_widen(type, rounded) == reference) {
		group->exact_elements++;
		if (ulps != 0) {
			group->exact_mismatches++;
			if (JUDGE_EARLIER(index, group->exact_mismatch_index)) {
				group->exact_mismatch_index = index;
				group->exact_mismatch_value = value;
				group->exact_mismatch_reference = reference;
			}
		}
	}
	if (!finite) {
		group->not_finite++;
		if (JUDGE_EARLIER(index, group->not_finite_index)) {
			group->not_finite_index = index;
			group->not_finite_value = value;
			group->not_finite_reference = reference;
		}
		return JUDGE_HISTOGRAM_BINS - 1;
	}
	const double error = judge_abs(value - reference), size = judge_abs(reference);
	const double excess = error > slack ? error - slack : 0.0;
	double scaled = JUDGE_F64_INFINITY;
	if (judge_is_finite(magnitude) && magnitude > 0.0)
		scaled = excess / magnitude;
	else if (magnitude == 0.0 && excess == 0.0)
		scaled = 0.0;
	group->elements++;
	if (JUDGE_BEATS(scaled, index, group->finite_scaled_max, group->scaled_max_index)) {
		group->finite_scaled_max = scaled;
		group->scaled_max_index = index;
		group->scaled_max_value = value;
		group->scaled_max_reference = reference;
	}
	if (error > group->absolute_max)
		group->absolute_max = error;
	if (size > 0.0 && error / size > group->relative_max)
		group->relative_max = error / size;
	group->error_square_sum += error * error;
	group->reference_square_sum += reference * reference;
	if (size >= judge_smallest_normal(type) && JUDGE_BEATS(ulps, index, group->ulp_max, group->ulp_max_index)) {
		group->ulp_max = ulps;
		group->ulp_max_index = index;
	}
	return judge_histogram_bin(scaled);
}

#endif
