/* What is demanded of a row of an attention output where plain numbers are not the whole answer: bits of one byte per
 * row, written by the reference and read by the judge. They follow the contract of run_mha for masked rows and the rules
 * of IEEE 754 for what non-finite inputs do to a softmax. */
#ifndef ASSAY_JUDGE_ROW_CLASS_H
#define ASSAY_JUDGE_ROW_CLASS_H

enum {
	ROW_MASKED = 1,        /* no visible key: O = +-0, LSE = +inf */
	ROW_NAN = 2,           /* a visible logit is NaN or +inf: the row is NaN, LSE NaN or +inf */
	ROW_MASKED_POISON = 4, /* only masked keys hold non-finite q.k or v: the right answer or NaN is accepted */
	ROW_ALL_MINUS_INF = 8, /* every visible logit is -inf: NaN, or as if wholly masked */
	ROW_EXACT = 16         /* one visible key, or a power of two of equal logits with exact_values: with |logit| <= 64 and no
				* softcap O is the correctly rounded reference, bit for bit */
};

#endif
