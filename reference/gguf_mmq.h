/* Activations as the matrix product kernels of GGUF formats take them ("mmq", from Candle 0.11 on), and products with them.
 *
 * A block holds 128 values of one row in 144 bytes: 16 bytes of scales and sums, then 128 int8. Blocks of the same values of
 * all rows follow each other: of `rows` rows of `padded` values (a multiple of 128), block c of row r is number c * rows + r.
 * The 16 bytes are, by what the weights need:
 *   D4    4 float d, one for each 32 values
 *   DS4   4 times half d, half s, for each 32 values: s is the sum of the values before they were quantised
 *   D2S6  2 half d, one for each 64 values, then 6 half s, sums of 16 values each, of the first 96
 * A value is d * quant, d = amax / 127 of the values that share it, quants rounded to the nearest, halves away from zero.
 * Source: the released 0.11 library's own block type and quantising kernel, described here by what they store. */
#ifndef ASSAY_REFERENCE_GGUF_MMQ_H
#define ASSAY_REFERENCE_GGUF_MMQ_H

#include "reference/gguf.h"

enum gguf_mmq_layout { GGUF_MMQ_D4, GGUF_MMQ_DS4, GGUF_MMQ_D2S6, GGUF_MMQ_LAYOUT_COUNT };
enum { GGUF_MMQ_ELEMENTS = 128, GGUF_MMQ_BYTES = 144, GGUF_MMQ_QUANTS = 16 /* where they start */ };

extern const char *const gguf_mmq_layouts[]; /* "D4", "DS4", "D2S6", NULL */
/* What the weights of a format are multiplied with. */
enum gguf_mmq_layout gguf_mmq_layout_of(enum gguf_format format);
static inline int gguf_mmq_scale_elements(enum gguf_mmq_layout layout) /* that share a d */
{
	return layout == GGUF_MMQ_D2S6 ? 64 : 32;
}
static inline int gguf_mmq_sum_elements(enum gguf_mmq_layout layout) /* that a sum is of; 0: there are none */
{
	return layout == GGUF_MMQ_D2S6 ? 16 : layout == GGUF_MMQ_DS4 ? 32 : 0;
}

/* Scale `group` of a block, and sum `group`, exactly as stored. D2S6 has sums 0 .. 5 only. */
double gguf_mmq_scale(enum gguf_mmq_layout layout, const void *block, int group);
double gguf_mmq_sum(enum gguf_mmq_layout layout, const void *block, int group);

/* Quantises rows of `count` values, padded with zeros. Scales and sums are computed in float64 and rounded once. */
void gguf_mmq_quantize(enum gguf_mmq_layout layout, const float *values, int64_t rows, int64_t count, int64_t padded, void *bytes);

/* The product of a row of weights with a row of activations. Four numbers are right:
 *   offsets times the sums that are stored (where there are some), or times the sum of the quants: gguf_product
 *   d * scale and m * min of a sub-block as they are, or each rounded to a half: the tiles of the tensor core kernels hold them
 *   so. The others hold what is exact in float32. */
struct gguf_mmq_product {
	long double by_sum[2], by_quants[2]; /* [1]: scales and mins of sub-blocks rounded to halves */
	double magnitude;                    /* of the terms: the larger of both roundings; runs of 16 elements are summed exactly */
};
/* `row` of `rows`; blocks: the row of `count` elements of weights, decoded. */
void gguf_mmq_product(enum gguf_format format, const struct gguf_block *blocks, const void *activations, int64_t rows, int64_t row,
		      int64_t count, struct gguf_mmq_product *product);

#endif
