/* Quantised matrices in the formats of GGUF files (the file format of ggml): what a block stands for, exactly; blocks to test
 * with; activations as the kernels quantise them; products of both.
 *
 * A matrix is a sequence of rows, a row a sequence of blocks of 32 or 256 elements. Fields in the order in which they are
 * stored, little endian; h is a half (binary16), sub-blocks are 16 or 32 elements that share a scale:
 *   q4_0   h d; 16 bytes                             d * (q - 8): low nibbles are elements 0 .. 15, high ones 16 .. 31
 *   q4_1   h d, m; 16 bytes                          d * q + m
 *   q5_0   h d; 32 fifth bits; 16 bytes              d * (q - 16)
 *   q5_1   h d, m; 32 fifth bits; 16 bytes           d * q + m
 *   q8_0   h d; 32 int8                              d * q
 *   q8_1   h d, s; 32 int8                           d * q; s is the sum of the values before they were quantised
 *   q2_K   16 bytes scale | min << 4; 64 bytes of 2 bits; h d, dmin          d * scale * q - dmin * min, sub-blocks of 16
 *   q3_K   32 bytes of third bits; 64 bytes of 2 bits; 16 scales of 6 bits; h d    d * (scale - 32) * (q - 4), sub-blocks of 16
 *   q4_K   h d, dmin; 8 scales and mins of 6 bits; 128 bytes of nibbles      d * scale * q - dmin * min, sub-blocks of 32
 *   q5_K   h d, dmin; 8 scales and mins of 6 bits; 32 bytes of fifth bits; 128 bytes of nibbles     as q4_K
 *   q6_K   128 bytes of nibbles; 64 bytes of 2 bits; 16 int8 scales; h d     d * scale * (q - 32), sub-blocks of 16
 *   q8_K   float d; 256 int8; 16 int16 sums of 16 quants                     d * q
 * Source: ggml's definition of its block types (ggml-org/llama.cpp, ggml/src/ggml-common.h and the reference
 * dequantisation in ggml-quants.c). */
#ifndef ASSAY_REFERENCE_GGUF_H
#define ASSAY_REFERENCE_GGUF_H

#include <stddef.h>
#include <stdint.h>

enum gguf_format {
	GGUF_Q4_0, GGUF_Q4_1, GGUF_Q5_0, GGUF_Q5_1, GGUF_Q8_0, GGUF_Q8_1,
	GGUF_Q2_K, GGUF_Q3_K, GGUF_Q4_K, GGUF_Q5_K, GGUF_Q6_K, GGUF_Q8_K, GGUF_FORMAT_COUNT
};

enum { GGUF_ELEMENTS_MAX = 256, GGUF_BYTES_MAX = 292 };

struct gguf_layout {
	const char *name;   /* "q4_K" */
	int bytes, elements;/* of a block */
	int d, m;           /* where the scale and the second half (m, dmin, s) stand; -1: there is none */
	int codes;          /* number of values of a quant: 4, 8, 16, 32, 64, 256 */
};
extern const struct gguf_layout gguf_layouts[GGUF_FORMAT_COUNT];
/* GGUF_FORMAT_COUNT when there is none of that name. */
enum gguf_format gguf_format_from_name(const char *name);

/* A block as numbers: element i is d * weight[i] + m * offset[i], exactly. For the formats whose quants are stored with a
 * bias (q4_0, q5_0), weight is the quant as stored, m is d and offset is minus the bias: kernels may sum the biases apart.
 * weight has up to 13 bits, offset 6: with halves as scales every product and the sum are exact in a double; so is d * weight
 * of q8_K. (Scales that are no finite numbers give what IEEE arithmetic gives.) */
struct gguf_block {
	double d, m;
	int16_t weight[GGUF_ELEMENTS_MAX], offset[GGUF_ELEMENTS_MAX];
	int16_t scale[GGUF_ELEMENTS_MAX]; /* weight[i] = scale[i] * quant: of the element's sub-block */
};
void gguf_decode(enum gguf_format format, const void *bytes, struct gguf_block *block);
static inline double gguf_value(const struct gguf_block *block, int i)
{
	return block->offset[i] ? block->d * block->weight[i] + block->m * block->offset[i] : block->d * block->weight[i];
}

/* Blocks with any bits but for the scales, by kind; all from (seed, stream) and the block's number only:
 *   random    random bits, scales such that elements are of the order of 1, of both signs
 *   positive  the same, scales positive and mins negative: nothing cancels but what the quants' own bias makes negative
 *   zeros     every bit of quants and sub-block scales 0; scales of random
 *   ones      every such bit 1; scales of random
 *   bit       one such bit differs: in block 2b, bit b of zeros is set; in block 2b + 1, bit b of ones is cleared. All scales 1,
 *             m = 1/2
 *   exact     random bits, scales powers of two around 1 (of both signs) with m = d: sums of few of them are exact
 *   special   random bits; scales run through +-0, the smallest and largest subnormal and normal halves of both signs, 1 and
 *             its neighbours
 *   tiny      random bits, subnormal scales
 *   large     random bits, scales near 65504
 *   nonfinite random bits, scales run through NaNs, infinities and numbers
 * -1 for an unknown kind. q8_1 blocks are made from values: gguf_quantize_q8_1. */
extern const char *const gguf_kinds[]; /* NULL-terminated, in this order */
int gguf_fill(enum gguf_format format, const char *kind, int64_t count, uint64_t seed, uint32_t stream, void *bytes);

/* ---- activations -------------------------------------------------------------------------------------------------- */

/* How far a q8_1 block that was made in float32 arithmetic may lie from the exact one: see gguf_quantize_exact. */
struct gguf_q8_1_exact {
	double amax, d;                 /* largest magnitude; amax / 127, not rounded */
	long double sum;                /* of the values */
	double magnitude;               /* sum of magnitudes */
	double ratio[32];               /* x / d; 0 for a block of zeros */
};
void gguf_quantize_exact(const float values[32], struct gguf_q8_1_exact *exact);

/* Rows of `count` values to rows of `padded` (>= count, a multiple of 32) quants: d = amax / 127 and x / d in float32, each
 * rounded once, q = x / d to the nearest whole number, halves away from zero; d and s = sum of the 32 values (summed exactly)
 * rounded to half. A block of zeros, such as all beyond `count`, has d = s = q = 0. */
void gguf_quantize_q8_1(const float *values, int64_t rows, int64_t count, int64_t padded, void *bytes);

/* ---- products ------------------------------------------------------------------------------------------------------ */

/* The product of one row of weights and one of activations. The formats with an offset have two right answers, since the
 * offset is multiplied by the sum of the activations and kernels take it from either
 *   by_sum     the stored s of each q8_1 block (only where a sub-block has all its 32 elements: not q2_K), or
 *   by_quants  d times the sum of the quants
 * which differ by what quantisation lost. The others have both equal. */
struct gguf_product {
	long double by_sum, by_quants;
	/* Sum of |d d8 (sum of weight q)| and of |m d8 (sum of offset q)| (or |m offset s|, when that is more) over runs of 4
	 * elements: kernels sum those and more as integers, which is exact. */
	double magnitude;
};
/* blocks: row of `count` elements decoded; activations: count / 32 blocks of q8_1. */
void gguf_product(enum gguf_format format, const struct gguf_block *blocks, const void *activations, int64_t count,
		  struct gguf_product *product);
/* The same with activations that are numbers. magnitude: sum of (|d weight| + |m offset|) * |y|; by_sum = by_quants. */
void gguf_product_f32(enum gguf_format format, const struct gguf_block *blocks, const float *activations, int64_t count,
		      struct gguf_product *product);

#endif
