/* What a fused attention may be wrong by: from measurements (judge.h) to bounds and checks. Pure: no device, no files.
 *
 * Notation. For one batch entry and head: logits s_j, p_j = exp(s_j - max s), l = sum p_j, P_j = p_j / l, O = sum P_j v_j,
 * all sums over the visible keys. u = 2^-23 is the distance from 1 to the next float32, eps that of the case's type. What
 * is computed has a hat. The error of an output element is scaled,
 *
 *     e = (|O^ - O| - slack)+ / sum_j P_j |v_j|,
 *
 * because that sum is what every rounding below is relative to; |O| itself may vanish by cancellation.
 *
 * 1. Logits: |s^_j - s_j| <= delta = (5d/32 + 8) u L, with L = max over visible pairs of scale sum_d |q k| + |ALiBi term|.
 *
 *    5d/32: the dot product. Products of f16 or bf16 numbers are exact in a tensor core. One instruction adds n of them to
 *    the accumulator: the n + 1 terms are aligned to the largest, cut off there at x bits below a float32 mantissa, added,
 *    and the sum is cut off to float32; both cuts truncate. (n, x) is (8, 1) on Ampere and Ada and (16, 2) on Hopper:
 *    M. Fasi, N. Higham, M. Mikaitis, S. Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ Comput. Sci. 7:e330
 *    (2021), and F. Khattak, M. Mikaitis, "Accurate Models of NVIDIA Tensor Cores", arXiv:2512.07004, for the later ones.
 *    With M the magnitude accumulated so far, one instruction thus loses at most (n 2^-x + 1) u M = 5 u M, and half of it
 *    when the bits that are cut off are as good as random but all terms have one sign, which is the worst of the ordinary
 *    (with mixed signs most of it cancels). M grows to L over the d/8 instructions, L/2 on average:
 *    d/8 * 5/2 * 1/2 = 5d/32. On Hopper, and with round-to-nearest float32 FMAs, it is less. The absolute worst case is
 *    four times that; it needs every discarded bit set, every product of one sign, and all magnitude in the first block,
 *    and a bound so wide lets wrong kernels pass, so it is not used.
 *    8: float32 roundings of what follows, in units of u L: the scale as a float 1/2, times log2 e 1/2, product with the
 *    maximum 1/2, the multiply-add scale * (s - max) 1 (it is up to 2 L); slope / scale by the approximate division 2
 *    (CUDA C++ Programming Guide: __fdividef 2 ulp), slope * distance 1/2, its addition 1/2; with a softcap scale /
 *    softcap and its product 1. That is 6.5, rounded up for other orders of the same steps.
 *    With a softcap c > 0 the tangent is tanh.approx.f32, whose relative error is 2^-11 (PTX ISA): delta grows by
 *    2^-11 min(c, L). Errors of its argument do not grow, since |tanh'| <= 1.
 *
 * 2. Probabilities: p^_j = p_j exp(r_j), |r_j| <= delta, in numerator and denominator. So P^_j / P_j lies between
 *    exp(-2 delta) and exp(2 delta). Both signs can meet: one large v on a key of small P.
 *
 * 3. Everything relative to sum P|v|, to first order:
 *      eps      half for P (or p) rounded to the type before the second product, half for the output.
 *      keys/4 u the second product: 5/32 keys as above; the row sum l in float32, where one thread adds up to a quarter of
 *               the keys with round-to-nearest, keys/4 * 1/2 u * 1/2 = keys/16 u; and the running maximum of the online
 *               softmax, whose correction factors exp2(old - new) have a relative error of 2^-22 = 2 u each and come at
 *               most once in 64 keys: keys/32 u. Together (5 + 2 + 1)/32 = 1/4.
 *      16 u     ex2.approx.f32, relative error 2^-22 (PTX ISA), in numerator and denominator: 4 u; reciprocal of l (1 ulp)
 *               and the product with it: 1.5 u; adding the partial sums of a row over threads and warps: up to 5
 *               roundings, 2.5 u; doubled for kernels that keep more than one partial softmax and merge them.
 *    F = expm1(eps + (keys/4 + 16) u + 2 delta): the exponential takes in all the products of these with each other.
 *
 * 4. Where relative bounds end: the output has half a smallest subnormal of the type; each p, being at most 1 and divided
 *    by l >= 1 (the maximum's own term), half a smallest subnormal of the type, or 2^-126 where float32 flushes to zero:
 *    slack = tiny/2 + (tiny/2 + 2^-126) * max_d sum_j |v_jd|.
 *
 * 5. LSE = max + ln l: delta from the logits (of a sum of exponentials the logarithm changes by no more than its largest
 *    exponent does); in units of 2^-24: keys/4 (keys/8 from l as above, doubled for merges), 4 from ex2.approx, 4 ln(keys)
 *    and 4 from lg2.approx.f32 (2^-22 relative, near 1 absolute) and its conversion to base e, 2 max|LSE| for the last
 *    addition and for max * scale; 16 in place of 8 for the constant ones. In natural units, so the unfused chain is not
 *    needed to excuse anything.
 *
 * 6. All this holds against exact mathematics, which float64 is here. A reference in float32 (cards with little float64) makes
 *    errors of the same kind of its own, but for tanh.approx and the roundings to the type: delta without the softcap's
 *    term, the units u of F and the units 2^-24 of the LSE then count twice.
 *
 * The unfused chain `low` in the case's own precision (scores, probabilities and output rounded to the type) shows how
 * hard a case is; FlashAttention's tests allow a multiple of its error, and so does this rule, per batch entry and head, so
 * that one bad head cannot hide behind another:
 *
 *     e(out) <= 2 e(low) + F,       or e(out) <= F where e(low) is not finite or 2 e(low) > 0.1.
 *
 * A case in which F > 0.1 for some head, or in which all outputs ought to be the same, is mistrusted: a wrong kernel could
 * pass it.
 *
 * Exact rows (ROW_EXACT): p of a visible key is exp2(s c - fl(max c)), 1 up to 2^-24 |s| log2 e; the sum of the products
 * is exact, so that with |s| <= 64 and no softcap the output is off by less than 2^-17, below half a unit of either type:
 * where the reference is representable, rounding returns it bit for bit. For LSE no such thing holds. */
#ifndef ASSAY_JUDGE_ATTENTION_RULE_H
#define ASSAY_JUDGE_ATTENTION_RULE_H

#include "judge/judge.h"
#include "judge/verdict.h"

/* What the rule has to know of a case; arrays are [groups], group g is batch entry g / heads, query head g % heads. */
struct attention_rule_input {
	enum dtype dtype;              /* f16 or bf16: of q, k, v, and of the output */
	enum dtype reference;          /* precision of the reference: f64 (also when left 0) or f32, see above */
	int64_t groups, heads, head_dim;
	double softcap;                /* 0: none */
	const double *logit_magnitude; /* L of this group: max over visible pairs of scale sum |q k| + |ALiBi term|; >= 0 */
	const double *logit_max;       /* max over visible pairs of |s|, after softcap and ALiBi */
	const double *value_sum;       /* max over d of sum_j |v_jd| */
	const int64_t *keys;           /* seqlen_k of this group's batch entry */
	const int64_t *first_row;      /* row (in the order of the judge's rows) of query 0 */
};

struct attention_bounds {
	double delta;  /* of the logits */
	double f;      /* F */
	double slack;  /* what judge_input.absolute_slack has to hold for this group */
	double lse;    /* bound of |LSE^ - LSE| */
};
/* `lse_max`: the largest |LSE| of the group (only `lse` depends on it). Not finite measurements give infinite bounds. */
struct attention_bounds attention_bounds_of(const struct attention_rule_input *input, int64_t group, double lse_max);

/* slacks[groups], for judge_input.absolute_slack of `out` and `low`. */
void attention_slacks(const struct attention_rule_input *input, double *slacks);

/* Fills CHECK_NUMBERS, CHECK_LSE, CHECK_FINITE, CHECK_ROW_CLASS, CHECK_EXACT, the mistrust and the figures of *judgement;
 * leaves its other checks alone and decides nothing. All were measured with the same rows and groups:
 *   out  the output, with magnitude and slack;
 *   low  the unfused chain, with the same magnitude and slack; NULL: F alone decides;
 *   lse  the log-sum-exp in float32, is_lse, one column, neither magnitude nor slack; NULL: not judged.
 * ERROR_INTERNAL when they do not belong together or a magnitude is NaN or negative. */
int attention_judge(const struct judge_numbers *out, const struct judge_numbers *low, const struct judge_numbers *lse,
		    const struct attention_rule_input *input, struct judgement *judgement, struct error *err);

#endif
