/* Enclosures: which results a computation may give whose every step is only known to within a published error.
 *
 * A formula of several steps (gelu, silu, x*a+b ...) is followed step by step in the type that the kernel computes in. Each
 * step takes intervals that hold every value its operands may have, and gives one that holds every value its result may have:
 * correctly rounded operations map the ends and round them (rounding is monotone, so nothing else can come out); functions
 * widen by their published error. So cancellation, overflow and underflow of intermediate values count as they must, and no
 * more than they must. (Higham, Accuracy and Stability of Numerical Algorithms, 3.3: running error bounds; Moore, Interval
 * Analysis.)
 *
 * Published errors, in units in the last place of the type, as differences from the correctly rounded result (CUDA C++
 * Programming Guide, mathematical functions; where releases 11 to 13 differ the largest):
 *              exp  log  sin  cos  tanh  erf  normcdf  pow  + * / sqrt
 *     f32       2    1    2    2    2     2      5      4       0
 *     f64       1    1    2    2    2     2      5      2       0
 * With fast math (the guide's table of intrinsics, and the PTX manual where it says more), f32 only:
 *     + * fma   correct, subnormal operands and results taken as 0
 *     x / y     2 units (div.approx); 0 for |y| above 2^126          1 / x   1 unit (rcp.approx)
 *     sqrt      2^-23 of the result (sqrt.approx)
 *     exp       2 + floor(|1.173 x|) units
 *     log       2^-21.41 for x in [0.5, 2], else 3 units
 *     sin       2^-21.41 for |x| <= pi, 2^-20.5 up to 2 pi, 2^-14.7 up to 100 pi; nothing is said beyond. These two figures are
 *               published to one decimal and taken for the most that rounds to them, 2^-20.45 and 2^-14.65: an H100
 *               misses cos 4.9766140 by 2^-20.492
 *     cos       2^-21.19 for |x| <= pi; then as sin
 *     tanh      2^-11 of the result (tanh.approx)
 *     pow       ex2.approx(y * lg2.approx(x)): 2^-22 in [0.5, 2] or 2^-22 of the logarithm; a rounding; 2^-22 of the result
 *     others    as without fast math */
#ifndef ASSAY_REFERENCE_ENCLOSURE_H
#define ASSAY_REFERENCE_ENCLOSURE_H

#include "judge/expect.h"
#include "reference/functions.h"

/* low <= high; either may be infinite; never NaN. */
struct enclosure {
	long double low, high;
};

/* What a step computes in: a floating-point type, under precise or fast math. f16 and bf16 operations round once to the
 * type. */
struct arithmetic {
	enum dtype type;
	enum math math;
};

struct enclosure enclosure_point(long double value);
struct enclosure enclosure_negate(struct enclosure a);
/* Rounded once to the arithmetic's type; with fast math f32 and bf16 subnormal numbers may become 0. */
struct enclosure enclosure_round(struct arithmetic arithmetic, struct enclosure a);
struct enclosure enclosure_add(struct arithmetic arithmetic, struct enclosure a, struct enclosure b);
struct enclosure enclosure_multiply(struct arithmetic arithmetic, struct enclosure a, struct enclosure b);
/* a*b + c with one rounding or two, as the compiler likes. */
struct enclosure enclosure_multiply_add(struct arithmetic arithmetic, struct enclosure a, struct enclosure b, struct enclosure c);
/* b > 0, or a point. f16 and bf16: a float quotient of 2 units (div.approx, which the toolkit's headers divide these types with) rounded
 * once; documented as rounded to nearest even. */
struct enclosure enclosure_divide(struct arithmetic arithmetic, struct enclosure a, struct enclosure b);

/* sqrt, recip, exp, log, sin, cos, tanh, erf, normcdf or pow in f32 or f64. Intervals that are no points only for exp, tanh
 * and normcdf, which grow. Everything (-inf to inf) where nothing is published. The value must be no NaN. */
struct enclosure enclosure_function(struct arithmetic arithmetic, enum function function, struct enclosure x,
				    long double parameter);
/* exp, log, sqrt, sin, cos of f16 and bf16 as the toolkit's headers have them (hexp, ...): documented as rounded to nearest even,
 * computed in float and rounded once. exp, log and sqrt take ex2.approx, lg2.approx and sqrt.approx in any build; sin and cos
 * are sinf and cosf. */
struct enclosure enclosure_half_function(struct arithmetic arithmetic, enum function function, struct enclosure x);

/* The expectation of an element whose exact value is `value` (no NaN), of a precise build that gives what is in `precise` and
 * one with fast math that gives what is in `fast`. Both hold what the output type can hold. */
void enclosure_expect(enum dtype type, long double value, struct enclosure precise, struct enclosure fast,
		      struct expectation *expected);

#endif
