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
/* The axis `k`, elements of a row: a whole number of blocks of the format, `most` at most. */
int quantised_k(const struct test_case *test, enum gguf_format format, int64_t most, int64_t *k, struct error *err);
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

/* Bytes of that many elements in blocks, for figures of work. */
static inline double quantised_bytes(enum gguf_format format, double elements)
{
	return elements * gguf_layouts[format].bytes / gguf_layouts[format].elements;
}

/* The axis `ids`, which rows or experts are named: quantised_ids_kinds. -1 with ERROR_INPUT for another word. */
enum quantised_ids { IDS_RANDOM, IDS_FIRST, IDS_LAST, IDS_CYCLE, IDS_SAME };
extern const char *const quantised_ids_kinds[]; /* NULL-terminated, in this order */
int quantised_ids_of(const struct test_case *test, enum quantised_ids *ids, struct error *err);
/* Id number `index` of a case with this seed, below `count`. */
uint32_t quantised_id(enum quantised_ids ids, int64_t count, uint64_t seed, int64_t index);

/* Adds the input "weights", u8 [bytes of `elements` elements and the padding]; elements is a multiple of a block's. */
int quantised_add_weights(struct test_case *test, enum gguf_format format, int64_t elements, struct error *err);
int quantised_fill_weights(struct test_case *test, enum gguf_format format, struct error *err);
/* Fills `name`, u8 [rows * padded / 32 * 36], with q8_1 blocks of `rows` rows of `count` values. */
int quantised_fill_activations(struct test_case *test, const char *name, int64_t rows, int64_t count, int64_t padded,
			       struct error *err);
/* Fills the floating-point input `name`, whose rows lie `row` elements apart, with values of the axis `input`. */
int quantised_fill_input(struct test_case *test, const char *name, int64_t row, struct error *err);
/* Values of the axis `input` for an array of floating-point numbers whose last axis has `row` elements. */
int quantised_fill_values(const struct test_case *test, void *data, enum dtype dtype, int64_t count, int64_t row,
			  struct error *err);

/* The input "ties" of what makes blocks: quotients halfway between whole numbers, and one float next to halfway. `share` numbers
 * have a scale: one of them is 127 * 2^e, so that d is 2^e exactly. Rows lie `stride` elements apart; what lies between is 0. */
int quantised_is_ties(const struct test_case *test);
/* Fills the input "x", f32 [rows, k], of such an entry point: "ties", or any other of the axis `input`. */
int quantised_fill_x(struct test_case *test, int64_t rows, int64_t k, int64_t stride, int64_t padded, int share,
		     struct error *err);

/* What a quant has to be (int8, judged as u8) that is `ratio` rounded to the nearest whole number, halves away from zero, where the
 * ratio as computed errs by a factor of 1 +- error at most, or 1 +- fast_error under fast math: 0 when it is computed exactly. */
void quantised_expect_quant(double ratio, double error, double fast_error, struct expectation *expected);

enum quantised_share { SHARE_BLOCK, SHARE_WARP, SHARE_NONE }; /* see quantised_expect_products */

/* Products of rows of weights with rows of activations, in parallel. */
struct quantised_products {
	enum gguf_format format;
	int64_t k;                     /* elements of a row */
	const unsigned char *weights;  /* [weight_rows, k] in blocks */
	int of_f32;                    /* activations are float32 [.., k]; else q8_1 blocks [.., padded] */
	const void *activations;
	int64_t padded;
	enum quantised_share share;
	int64_t outputs;               /* expectations to fill, by `pair` */
	/* Rows that output `index` is the product of. Outputs whose rows are equal should follow each other: decoding is kept. */
	void (*pair)(const void *context, int64_t index, int64_t *weight_row, int64_t *activation_row);
	const void *context;
};
/* Bounds: gamma_n = n u / (1 - n u) with u = 2^-24, times the sum of the magnitudes of all terms (gguf_product), where no term
 * goes through more than n roundings (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1). Sums
 * of products of quants are exact: integers below 2^24. How many roundings there are depends on how a row is shared out, which
 * follows from the launch:
 *   SHARE_BLOCK   among the threads of a block (64 or 128), each of which takes at least 8 elements at a time: k / 512 additions
 *                 in a thread, up to 4 within what it takes at a time, 3 for the warps, 5 for the lanes, 5 for the scales
 *   SHARE_WARP    among the 32 lanes of a warp: k / 256 additions in a thread, the others as above
 *   SHARE_NONE    a thread for each output: an addition for each 32 elements, 8 more within these
 * Activations in float32, SHARE_WARP: k / 32 additions in a lane, 16 that a lane makes for a block of 256 even when there is but
 * one, 5 for the lanes, 7 within a product. */
double quantised_roundings(enum quantised_share share, int64_t k); /* n, for q8_1 */
int quantised_expect_products(const struct quantised_products *products, struct expectation *expected, struct error *err);
/* The product of all rows with all columns: "weights" and "vectors" to
 * expectations of [columns, rows]. Of *products, format, k, padded, of_f32 and share are set. */
int quantised_expect_matrix(const struct test_case *test, struct quantised_products *products, int64_t columns, int64_t rows,
			    struct expectation *expected, struct error *err);

/* Judges the output `name`, q8_1 blocks of x [rows, k] padded with zeros, d, s and quants apart: quantize_q8_1.c. */
int quantised_judge_q8_1(const struct operator_outputs *outputs, const char *name, const float *x, int64_t rows, int64_t k,
			 int64_t padded, struct judgement *out, struct error *err);

/* A row of numbers that the entry point itself makes q8_1 blocks of, in float32. */
struct quantised_row {
	unsigned char *q8_1;      /* as gguf_quantize_q8_1 makes them */
	struct quantised_slack {
		double d, s;      /* how far the stored d and s may be from those; 0 almost always */
		uint32_t quants;  /* bit i: quant i may be its neighbour */
	} *slack;                 /* of each block */
};
/* NULL when memory runs out. */
struct quantised_row *quantised_rows_make(const float *values, int64_t rows, int64_t count, int64_t padded);
void quantised_rows_free(struct quantised_row *rows); /* NULL is fine */
/* How far the product of the row with `blocks` may be off for these reasons. */
double quantised_row_slack(const struct quantised_row *row, enum gguf_format format, const struct gguf_block *blocks, int64_t k);

#endif
