/* Judging outputs on the host, element by element, against what a family expects of each: for entry points whose outputs are
 * small or whose rule is not one bound for all. (Attention, whose outputs are large, is judged on the device: judge.h.) */
#ifndef ASSAY_JUDGE_EXPECT_H
#define ASSAY_JUDGE_EXPECT_H

#include "judge/verdict.h"

/* Which arithmetic a kernel is held to. A build with fast math (nvcc --use_fast_math: subnormal numbers flushed, approximate
 * division, square root and functions) cannot keep the bounds of a precise one. */
enum math { MATH_PRECISE, MATH_FAST };

enum expectation_flags {
	EXPECT_ANY = 1,         /* unspecified: nothing is asked of the element */
	EXPECT_NAN = 2,         /* a NaN, of any bits; `value` is not looked at */
	EXPECT_OR_NAN = 4,      /* a NaN is right as well */
	EXPECT_OTHER = 8,       /* `other` is right as well, within the same bound */
	EXPECT_SIGNED_ZERO = 16,/* where `value` is a zero its sign counts; else +0 equals -0 */
	EXPECT_FAST_ANY = 32    /* a build with fast math may give anything (an argument outside an approximation's range) */
};

/* What one element of an output has to be. All zero: exactly 0.
 *   bound 0:     exactly `value` (which has to be representable in the output's type)
 *   otherwise:   |got - value| <= bound; the bound includes the rounding to the output's type (half a unit in the last place
 *                of the result, where nothing else is allowed)
 * `value` infinite: that infinity. `value` finite: a finite number within the bound; an infinity is right too where value +-
 * bound reaches what rounds to it (for f8_e4m3, which saturates, that is 448), and the largest finite number only within the
 * bound. `value` NaN is the same as EXPECT_NAN. Integers: got as a number.
 * long double: 64 bits of mantissa on x86-64, 113 on aarch64, so that i64 is exact and float64 results have 2^-11 units to
 * spare. */
struct expectation {
	long double value, other;
	double bound;           /* of a precise build; absolute */
	double fast_bound;      /* of a build with fast math; taken as `bound` where it is smaller than that */
	unsigned flags;
};

/* Distance between neighbouring numbers of `type` at |value|: 2^(e - mantissa bits) for 2^e <= |value| < 2^(e+1), at least the
 * smallest subnormal; at the largest finite number for everything beyond. 0 for integers. */
double unit_in_last_place(enum dtype type, long double value);
/* Rounds once to `type` (nearest, ties to even; overflow to an infinity, or to 448 for f8_e4m3) and back. Integers: to the
 * nearest whole number, ties to even, saturated. */
long double round_to_dtype(enum dtype type, long double value);
/* Element `index` of an array, exactly (i64 too). */
long double load_exact(enum dtype type, const void *array, size_t index);

/* Where the value elements of an output lie in its storage: element (i0, i1, ..) at offset sum(i * strides), in elements. */
struct expectation_layout {
	const char *name;             /* of the output, for reasons */
	enum dtype dtype;
	int rank;
	int64_t dims[6], strides[6];
};

/* Compares all elements of an output. `storage` is a copy on the host; expectations are in row-major order of the value.
 * Breaks or holds CHECK_EXACT (elements with bound 0), CHECK_NUMBERS (the others) and CHECK_FINITE (a NaN or infinity where a
 * number is due); fills the figures of *out (maxima over all calls on the same *out): margin = max |got - value| / bound by
 * the bounds of `math`, precise_margin by those of a precise build, ulp_max in units of the output's type, histogram, worst
 * element. Returns the number of elements that broke a check. */
int64_t judge_expectations(const struct expectation_layout *layout, const void *storage, const struct expectation *expected,
			   enum math math, struct judgement *out);

#endif
