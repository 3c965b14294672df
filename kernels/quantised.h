/* What the families of quantised (GGUF) matrices share: tensors of blocks, their values, products and their bounds. The
 * formats themselves are reference/gguf.h's. */
#ifndef ASSAY_KERNELS_QUANTISED_H
#define ASSAY_KERNELS_QUANTISED_H

#include "kernels/family.h"
#include "reference/gguf.h"

extern const struct family dequantise_family, quantised_matvec_family, quantised_matmul_family, quantize_q8_1_family,
	indexed_moe_family, get_rows_family;

enum { QUANTISED_ROW_PADDING = 512 }; /* elements: Candle's MATRIX_ROW_PADDING */

/* Axes that they share:
 *   format   a name of gguf_layouts
 *   blocks   a kind of gguf_kinds: the weights
 *   padding  zeros | finite: what lies in the QUANTISED_ROW_PADDING elements behind the weights, which kernels may read;
 *            Candle gives zeros, the contract asks for finite numbers
 *   input    KIND or KIND:SCALE, kinds of dataset/generate.h: the activations before they are quantised */

/* An axis of the case (its attribute) as a whole number; ERROR_INPUT outside low .. high. */
int quantised_int(const struct test_case *test, const char *axis, int64_t low, int64_t high, int64_t *out, struct error *err);
/* The same for formats; `allowed` is a bit set, 1 << format. */
int quantised_format(const struct test_case *test, unsigned allowed, enum gguf_format *format, struct error *err);
/* ERROR_INPUT unless blocks, padding and input (each where the case has such an attribute) are known and the scale is finite. */
int quantised_check_words(const struct test_case *test, struct error *err);

enum { /* sets of formats */
	QUANTISED_OF_32 = 1 << GGUF_Q4_0 | 1 << GGUF_Q4_1 | 1 << GGUF_Q5_0 | 1 << GGUF_Q5_1 | 1 << GGUF_Q8_0,
	QUANTISED_OF_256 = 1 << GGUF_Q2_K | 1 << GGUF_Q3_K | 1 << GGUF_Q4_K | 1 << GGUF_Q5_K | 1 << GGUF_Q6_K,
	QUANTISED_WEIGHTS = QUANTISED_OF_32 | QUANTISED_OF_256
};

static inline int64_t quantised_round_up(int64_t value, int64_t step)
{
	return (value + step - 1) / step * step;
}

/* Adds the input "weights", u8 [bytes of `elements` elements and the padding]; elements is a multiple of a block's. */
int quantised_add_weights(struct test_case *test, enum gguf_format format, int64_t elements, struct error *err);
int quantised_fill_weights(struct test_case *test, enum gguf_format format, struct error *err);
/* Fills `name`, u8 [rows * padded / 32 * 36], with q8_1 blocks of `rows` rows of `count` values. */
int quantised_fill_activations(struct test_case *test, const char *name, int64_t rows, int64_t count, int64_t padded,
			       struct error *err);
/* Values of the axis `input` for an array of floating-point numbers whose last axis has `row` elements. */
int quantised_fill_values(const struct test_case *test, void *data, enum dtype dtype, int64_t count, int64_t row,
			  struct error *err);

/* Products of rows of weights with rows of activations, in parallel. */
struct quantised_products {
	enum gguf_format format;
	int64_t k;                     /* elements of a row */
	int64_t weight_rows;           /* in all, without padding */
	const unsigned char *weights;  /* [weight_rows, k] in blocks */
	const unsigned char *q8_1;     /* [.., padded] in blocks, or NULL: then */
	const float *values;           /* [.., k] */
	int64_t padded;
	int64_t outputs;               /* expectations to fill, by `pair` */
	/* Rows that output `index` is the product of. Outputs whose rows are equal should follow each other: decoding is kept. */
	void (*pair)(const void *context, int64_t index, int64_t *weight_row, int64_t *activation_row);
	const void *context;
};
/* Bounds, in units of u = 2^-24, relative to the sum of the magnitudes of all terms (gguf_product), by Higham (Accuracy and
 * Stability of Numerical Algorithms, 2nd edition, section 3.1): gamma_n = n u / (1 - n u) for terms that go through at most n
 * roundings. Products of quants are exact integers below 2^24. A kernel that shares a row between the lanes of at least one
 * warp, or that keeps one sum per block of 32 (what all launches of this contract ask for), rounds a term at most k / 32 times
 * as it adds blocks, 5 + 3 times as lanes and warps are added, and up to 8 times within a block's scales. Float activations:
 * k / 32 additions in a lane, 16 that a lane may add for a block of 256 whatever k is, 5 for the lanes, up to 7 within a
 * product. */
int quantised_expect_products(const struct quantised_products *products, struct expectation *expected, struct error *err);
/* The product of all rows with all columns: "weights" and "vectors" (float32 [columns, k], or q8_1 [columns, padded]) to
 * expectations of [columns, rows]. */
int quantised_expect_matrix(const struct test_case *test, enum gguf_format format, int of_f32, int64_t columns, int64_t k,
			    int64_t rows, int64_t padded, struct expectation *expected, struct error *err);

#endif
