/* A quantised matrix times many vectors in tensor cores, through host functions of libmoe.a from Candle 0.11 on:
 *   launch_mmq_gguf_{format}             the product; splits the work over a given number of multiprocessors ("stream-k"): a block
 *                                        may end in the middle of a tile, whose rest a second kernel adds from tmp_fixup
 *   launch_mmq_quantize_q8_1_{layout}    makes the blocks of the vectors (reference/gguf_mmq.h)
 *
 * Axes:
 *   op       product | quantize
 *   layout   quantize: D4 | DS4 | D2S6; product has that of its format and leaves it at its default
 *   format   product: q4_0 .. q6_K
 *   columns  vectors
 *   k        elements of a vector; quantize: any multiple of 4
 *   rows     of the matrix
 *   gap      quantize: elements between rows of the input, a multiple of 4
 *   sms      product: multiprocessors that the work is for; any number is right on any GPU
 *   blocks, padding, input  as in quantised.h; quantize has the input `ties` as well (quantize_q8_1.c)
 *
 * Behind the vectors lie 128 blocks that tiles of too many columns read and no result depends on: they hold NaNs.
 *
 * Bounds. Product: gamma_n of the magnitude of all terms, as in quantised.h, with n the additions that all terms take in any order
 * and 8 for the factors of one: for each 32 elements one addition, two where a min goes through a stored sum, five halves for q2_K.
 * The sub-blocks' d * scale and m * min may be halves or not: any number between both products is right (gguf_mmq_product).
 * Quantize: q is x * (127 / amax) and d is 1 / (127 / amax), in float32: two divisions, each within half a unit (fast math: 2
 * units); sums as in quantize_q8_1.c. Where 127 / amax overflows, or is so large that an approximate division by it gives 0 (above
 * 2^126: CUDA C Programming Guide on __fdividef), quants are open and d may be 0. */
#include "kernels/quantised.h"
#include "reference/gguf_mmq.h"

#include "core/util.h"
#include "kernels/operator_like.h"

#include <ctype.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern const struct family mmq_family;

static const char *const axes[] = {"op", "layout", "format", "columns", "k", "rows", "gap", "sms", "blocks", "padding", "input", NULL};
static const char *const defaults[] = {"product", "DS4", "q4_0", "9", "512", "40", "0", "3", "random", "zeros", "normal"};
static const char *const in_entry[] = {"op", "layout", "format", NULL};

enum {
	TAIL_BLOCKS = 128,           /* a tile has no more columns */
	TILE_BYTES = 128 * 128 * 4,  /* of tmp_fixup, for each multiprocessor */
	SHARED_BYTES = 227 * 1024,   /* where the device states none */
	NEWEST_CC = 1210             /* likewise; 100 * major + 10 * minor */
};

struct mmq {
	int quantize;
	enum gguf_mmq_layout layout;
	enum gguf_format format;
	int64_t columns, k, rows, gap, sms, padded, blocks;
};

static int parse_op(const struct test_case *test, struct mmq *mmq, struct error *err)
{
	const char *op = case_get_text(test, "op"), *layout = case_get_text(test, "layout");
	int number = 0;
	mmq->quantize = op && strcmp(op, "quantize") == 0;
	if (!mmq->quantize && (!op || strcmp(op, "product") != 0))
		return error_set(err, ERROR_INPUT, "case %s: axis op: '%s' is neither product nor quantize", test->name, op ? op : "");
	while (layout && number < GGUF_MMQ_LAYOUT_COUNT && strcmp(layout, gguf_mmq_layouts[number]) != 0)
		number++;
	if (!layout || number == GGUF_MMQ_LAYOUT_COUNT)
		return error_set(err, ERROR_INPUT, "case %s: axis layout: '%s' is none of D4, DS4, D2S6", test->name, layout ? layout : "");
	if (quantised_format(test, QUANTISED_WEIGHTS, &mmq->format, err))
		return -1;
	mmq->layout = mmq->quantize ? (enum gguf_mmq_layout)number : gguf_mmq_layout_of(mmq->format);
	return 0;
}

static int parse(const struct test_case *test, struct mmq *mmq, struct error *err)
{
	if (parse_op(test, mmq, err) || (!(mmq->quantize && quantised_is_ties(test)) && quantised_check_words(test, err)) ||
	    quantised_int(test, "columns", 1, 1 << 20, &mmq->columns, err) ||
	    quantised_int(test, "k", 4, 1 << 24, &mmq->k, err) || quantised_int(test, "rows", 1, 1 << 24, &mmq->rows, err) ||
	    quantised_int(test, "gap", 0, mmq->quantize ? 4096 : 0, &mmq->gap, err) ||
	    quantised_int(test, "sms", 1, 256, &mmq->sms, err))
		return -1;
	const int unit = mmq->quantize ? 4 : gguf_layouts[mmq->format].elements;
	if (mmq->k % unit || mmq->gap % 4)
		return error_set(err, ERROR_INPUT, "case %s: axis %s: %lld is no multiple of %d", test->name, mmq->k % unit ? "k" : "gap",
				 (long long)(mmq->k % unit ? mmq->k : mmq->gap), mmq->k % unit ? unit : 4);
	mmq->padded = quantised_round_up(mmq->k, QUANTISED_ROW_PADDING);
	mmq->blocks = mmq->columns * mmq->padded / GGUF_MMQ_ELEMENTS;
	return 0;
}

/* Formats are in lower case here: q4_k. */
static void entry_name(const char *layout, const char *format, char *name, size_t size)
{
	if (layout)
		snprintf(name, size, "launch_mmq_quantize_q8_1_%.8s", layout);
	else
		snprintf(name, size, "launch_mmq_gguf_%.8s", format);
	for (char *at = name; !layout && *at; at++)
		*at = (char)tolower((unsigned char)*at);
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &mmq_family;
	const int quantize = strcmp(operator_value(family, assignment, "op"), "quantize") == 0;
	char entry[64];
	struct mmq mmq;
	entry_name(quantize ? operator_value(family, assignment, "layout") : NULL, operator_value(family, assignment, "format"), entry,
		   sizeof entry);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) || parse(test, &mmq, err))
		return -1;
	const int64_t bytes[1] = {mmq.blocks * GGUF_MMQ_BYTES}, padded[1] = {bytes[0] + TAIL_BLOCKS * GGUF_MMQ_BYTES};
	if (mmq.quantize) {
		const int64_t x[2] = {mmq.columns, mmq.k}, strides[2] = {mmq.k + mmq.gap, 1};
		return case_add_tensor(test, "x", TENSOR_INPUT, DTYPE_F32, 2, x, strides, err) &&
				       case_add_tensor(test, "blocks_of_x", TENSOR_OUTPUT, DTYPE_U8, 1, bytes, NULL, err)
			       ? 0
			       : -1;
	}
	const int64_t dims[2] = {mmq.columns, mmq.rows}, fixup[1] = {mmq.sms * TILE_BYTES / 4};
	return quantised_add_weights(test, mmq.format, mmq.rows * mmq.k, err) == 0 &&
			       case_add_tensor(test, "vectors", TENSOR_INPUT, DTYPE_U8, 1, padded, NULL, err) &&
			       case_add_tensor(test, "out", TENSOR_OUTPUT, DTYPE_F32, 2, dims, NULL, err) &&
			       case_add_tensor(test, "tmp_fixup", TENSOR_OUTPUT, DTYPE_F32, 1, fixup, NULL, err)
		       ? 0
		       : -1;
}

static int fill_vectors(struct test_case *test, const struct mmq *mmq, struct error *err)
{
	struct tensor *vectors = case_find_tensor(test, "vectors", TENSOR_INPUT);
	const size_t used = (size_t)(mmq->blocks * GGUF_MMQ_BYTES);
	float *values = malloc((size_t)(mmq->columns * mmq->k) * sizeof *values);
	if (!values)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for its vectors", test->name);
	const int failed = tensor_allocate(vectors, err) ||
			   quantised_fill_values(test, values, DTYPE_F32, mmq->columns * mmq->k, mmq->k, err);
	if (!failed) {
		gguf_mmq_quantize(mmq->layout, values, mmq->columns, mmq->k, mmq->padded, vectors->data);
		memset((unsigned char *)vectors->data + used, 0xff, TAIL_BLOCKS * GGUF_MMQ_BYTES);
	}
	free(values);
	return failed ? -1 : 0;
}

static int fill(struct test_case *test, struct error *err)
{
	struct mmq mmq;
	if (parse(test, &mmq, err))
		return -1;
	if (!mmq.quantize)
		return quantised_fill_weights(test, mmq.format, err) || fill_vectors(test, &mmq, err) ? -1 : 0;
	return quantised_fill_x(test, mmq.columns, mmq.k, mmq.k + mmq.gap, mmq.padded, gguf_mmq_scale_elements(mmq.layout), err);
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&mmq_family, test, err);
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	char name[64];
	for (int layout = 0; abi == OPERATOR_ABI_011 && layout < GGUF_MMQ_LAYOUT_COUNT; layout++) {
		entry_name(gguf_mmq_layouts[layout], NULL, name, sizeof name);
		visit(context, &(struct operator_symbol){name, "libmoe", 0});
	}
	for (int format = 0; abi == OPERATOR_ABI_011 && format < GGUF_FORMAT_COUNT; format++) {
		if (!(QUANTISED_WEIGHTS >> format & 1))
			continue;
		entry_name(NULL, gguf_layouts[format].name, name, sizeof name);
		visit(context, &(struct operator_symbol){name, "libmoe", 0});
	}
}

/* Older GPUs multiply without tensor cores, in roundings of their own. */
static int supports(const struct test_case *test, int abi, const struct device_properties *device, struct error *err)
{
	const char *op = case_get_text(test, "op");
	(void)abi;
	if (device->kind == DEVICE_CUDA && device->cc_major * 10 + device->cc_minor < 75 && op && strcmp(op, "product") == 0)
		return error_set(err, ERROR_UNSUPPORTED, "the bounds are those of tensor cores of compute capability 7.5 on; %s is %d.%d",
				 device->name, device->cc_major, device->cc_minor);
	return 0;
}

/* ---- calling --------------------------------------------------------------------------------------------------------- */

/* candle-kernels 0.11, src/ffi.rs */
typedef void (*launch_product)(void *tmp_fixup, const void *x, const void *y, void *dst, int64_t ncols_x, int64_t nrows_x,
			       int64_t ncols_y, int64_t stride_row_x, int64_t stride_col_dst, int cc, int nsm, int64_t smpbo,
			       int warp_size, void *stream);
typedef void (*launch_quantize)(const void *x, const int32_t *ids, void *vy, int type_x, int64_t ne00, int64_t s01, int64_t s02,
				int64_t s03, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3, void *stream);

/* ggml's numbers of types (ggml.h); the quantiser is told one that has its layout. */
static const int type_of_layout[GGUF_MMQ_LAYOUT_COUNT] = {[GGUF_MMQ_D4] = 8, [GGUF_MMQ_DS4] = 2, [GGUF_MMQ_D2S6] = 10};

static void call(const struct binding *binding)
{
	const struct device_properties *device = binding->device;
	const int cc = device && device->cc_major ? device->cc_major * 100 + device->cc_minor * 10 : NEWEST_CC;
	const int64_t shared = device && device->shared_per_block_optin ? (int64_t)device->shared_per_block_optin : SHARED_BYTES;
	struct mmq mmq;
	if (parse(binding->test, &mmq, NULL))
		return; /* cannot be: check_case has passed */
	/* a function pointer may not be cast from void * in ISO C; POSIX dlsym demands that it works */
	if (mmq.quantize) {
		const int64_t stride = mmq.k + mmq.gap;
		launch_quantize entry;
		memcpy(&entry, &binding->entry, sizeof entry);
		entry(binding_address(binding, "x"), NULL, binding_address(binding, "blocks_of_x"), type_of_layout[mmq.layout],
		      mmq.k, stride, stride * mmq.columns, stride * mmq.columns, mmq.padded, mmq.columns, 1, 1, NULL);
	} else {
		launch_product entry;
		memcpy(&entry, &binding->entry, sizeof entry);
		entry(binding_address(binding, "tmp_fixup"), binding_address(binding, "weights"),
		      binding_address(binding, "vectors"), binding_address(binding, "out"), mmq.k, mmq.rows, mmq.columns,
		      mmq.k / gguf_layouts[mmq.format].elements, mmq.rows, cc, (int)mmq.sms, shared, 32, NULL);
	}
}

/* ---- products -------------------------------------------------------------------------------------------------------- */

static double roundings(enum gguf_format format, int64_t k)
{
	const enum gguf_mmq_layout layout = gguf_mmq_layout_of(format);
	return ceil((double)k / 32 * (layout == GGUF_MMQ_D2S6 ? 2.5 : layout == GGUF_MMQ_DS4 ? 2 : 1)) + 8;
}

struct job {
	const struct mmq *mmq;
	const unsigned char *weights, *vectors;
	struct expectation *expected;
	atomic_int failed;
};

/* Any number between `one` and `two`, and what float32 loses. */
static long double span(long double one, long double two, double *half_width)
{
	*half_width = fmax(*half_width, (double)fabsl(one - two) / 2);
	return (one + two) / 2;
}

static void expect_product(const struct mmq *mmq, const struct gguf_mmq_product *product, struct expectation *expected)
{
	const double n = roundings(mmq->format, mmq->k), gamma = n * 0x1p-24 / (1 - n * 0x1p-24);
	double half_width = 0;
	expected->value = span(product->by_sum[0], product->by_sum[1], &half_width);
	expected->other = span(product->by_quants[0], product->by_quants[1], &half_width);
	expected->flags = expected->value != expected->other ? EXPECT_OTHER : 0;
	/* a scale of D4 is a float and may be so small that products with it are subnormal */
	expected->bound = gamma * product->magnitude + half_width * (1 + 0x1p-20) + n * 0x1p-149;
	expected->fast_bound = expected->bound + 3 * n * 0x1p-126;
	if (!isfinite(expected->bound))
		expected->flags = EXPECT_ANY; /* a sub-block's scale is beyond the halves */
}

static void expect_rows(void *context, int64_t first, int64_t last)
{
	struct job *job = context;
	const struct mmq *mmq = job->mmq;
	const struct gguf_layout *layout = &gguf_layouts[mmq->format];
	const int64_t row_blocks = mmq->k / layout->elements;
	struct gguf_block *blocks = malloc((size_t)row_blocks * sizeof *blocks);
	if (!blocks)
		job->failed = 1;
	for (int64_t row = first; blocks && row < last; row++) {
		for (int64_t b = 0; b < row_blocks; b++)
			gguf_decode(mmq->format, job->weights + (row * row_blocks + b) * layout->bytes, &blocks[b]);
		for (int64_t column = 0; column < mmq->columns; column++) {
			struct gguf_mmq_product product;
			gguf_mmq_product(mmq->format, blocks, job->vectors, mmq->columns, column, mmq->k, &product);
			expect_product(mmq, &product, &job->expected[column * mmq->rows + row]);
		}
	}
	free(blocks);
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct mmq mmq;
	(void)abi;
	if (parse(test, &mmq, err))
		return -1;
	if (strcmp(output->name, "out") != 0) { /* scratch, or blocks: judge_outputs takes them apart */
		for (int64_t i = 0; i < tensor_elements(output); i++)
			expected[i].flags = EXPECT_ANY;
		return 0;
	}
	struct job job = {
		.mmq = &mmq,
		.weights = case_tensor_data(test, operator_tensor(test, "weights")),
		.vectors = case_tensor_data(test, operator_tensor(test, "vectors")),
		.expected = expected,
	};
	parallel_for(mmq.rows, 1 + 100000 / (mmq.columns * mmq.k), expect_rows, &job);
	return job.failed ? error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for what is expected", test->name) : 0;
}

/* ---- blocks ---------------------------------------------------------------------------------------------------------- */

struct quantized {
	const struct mmq *mmq;
	const float *x;
	struct expectation *scales, *sums, *quants; /* in the order of the blocks */
};

static const double unit = 0x1p-24, two_units = 0x1p-22; /* of a division; relative */

static void expect_quants(const float *values, int count, double amax, struct expectation *expected)
{
	const double inverse = (double)(float)(127 / amax);
	const double of_inverse = inverse * amax != 127 ? unit : 0;
	for (int i = 0; i < count; i++) {
		const double x = (double)values[i], product = x * inverse, of_product = (double)(float)product != product ? unit : 0;
		quantised_expect_quant(x * 127 / amax, of_inverse + of_product, two_units + of_product, &expected[i]);
		if (amax < 0x1p-118)
			expected[i].flags |= EXPECT_ANY;
		else if (amax > 0x1p126)
			expected[i].flags |= EXPECT_FAST_ANY;
	}
}

static void expect_scale(enum gguf_mmq_layout layout, double amax, struct expectation *expected)
{
	const double d = amax / 127;
	expected->value = (long double)d;
	if (amax == 0)
		return; /* exactly: the quotient is an infinity, one over it a zero */
	if (amax > 0x1p126)
		expected->flags |= EXPECT_FAST_ANY;
	expected->bound = d * (2 * unit + 4 * unit * unit) + 0x1p-149 + (amax < 0x1p-118 ? d : 0);
	expected->fast_bound = d * (2 * two_units + 4 * two_units * two_units) + (amax < 0x1p-118 ? d : 0);
	if (layout == GGUF_MMQ_D4)
		return;
	/* the halves that what is within those bounds rounds to: next to each other */
	const long double least = round_to_dtype(DTYPE_F16, (long double)(d - expected->fast_bound));
	const long double most = round_to_dtype(DTYPE_F16, (long double)(d + expected->fast_bound));
	expected->value = round_to_dtype(DTYPE_F16, (long double)d);
	expected->other = expected->value == least ? most : least;
	expected->bound = expected->fast_bound = 0;
	expected->flags |= least != most ? EXPECT_OTHER : 0;
}

static void expect_sum(const float *values, int count, struct expectation *expected)
{
	const double n = count - 1, gamma = n * unit / (1 - n * unit);
	double magnitude = 0;
	for (int i = 0; i < count; i++) {
		expected->value += (long double)values[i];
		magnitude += fabs((double)values[i]);
	}
	if (magnitude > 0)
		expected->bound = 0.5 * unit_in_last_place(DTYPE_F16, expected->value) * (1 + 0x1p-10) + gamma * magnitude;
}

static void expect_blocks(void *context, int64_t first, int64_t last)
{
	const struct quantized *job = context;
	const struct mmq *mmq = job->mmq;
	const int of_scale = gguf_mmq_scale_elements(mmq->layout), of_sum = gguf_mmq_sum_elements(mmq->layout);
	const int sums = mmq->layout == GGUF_MMQ_D2S6 ? 6 : 4, scales = GGUF_MMQ_ELEMENTS / of_scale;
	for (int64_t b = first; b < last; b++) {
		const float *row = job->x + b % mmq->columns * (mmq->k + mmq->gap);
		float values[GGUF_MMQ_ELEMENTS];
		for (int64_t i = 0, at = b / mmq->columns * GGUF_MMQ_ELEMENTS; i < GGUF_MMQ_ELEMENTS; i++, at++)
			values[i] = at < mmq->k ? row[at] : 0.0f;
		for (int i = 0; i < scales; i++) {
			double amax = 0;
			for (int j = 0; j < of_scale; j++)
				amax = fmax(amax, fabs((double)values[i * of_scale + j]));
			expect_scale(mmq->layout, amax, &job->scales[b * scales + i]);
			if (amax > 0)
				expect_quants(values + i * of_scale, of_scale, amax, job->quants + b * GGUF_MMQ_ELEMENTS + i * of_scale);
		}
		for (int i = 0; of_sum && i < sums; i++)
			expect_sum(values + i * of_sum, of_sum, &job->sums[b * sums + i]);
	}
}

static int judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	const struct test_case *test = outputs->test;
	struct mmq mmq;
	if (parse(test, &mmq, err))
		return -1;
	if (!mmq.quantize)
		return 0;
	const struct tensor *tensor = operator_tensor(test, "blocks_of_x");
	const unsigned char *bytes = outputs->storage[tensor - test->tensors];
	const int scales = GGUF_MMQ_ELEMENTS / gguf_mmq_scale_elements(mmq.layout), sums = mmq.layout == GGUF_MMQ_D2S6 ? 6 : 4;
	struct expectation *all = calloc((size_t)mmq.blocks * (GGUF_MMQ_ELEMENTS + 10), sizeof *all);
	if (!all || !bytes) {
		free(all);
		return error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for what is expected", test->name);
	}
	struct quantized job = {
		.mmq = &mmq,
		.x = case_tensor_data(test, operator_tensor(test, "x")),
		.scales = all,
		.sums = all + mmq.blocks * 4,
		.quants = all + mmq.blocks * 10,
	};
	parallel_for(mmq.blocks, 128, expect_blocks, &job);
	const int halves = mmq.layout != GGUF_MMQ_D4, paired = mmq.layout == GGUF_MMQ_DS4 ? 2 : 1;
	const int64_t row = GGUF_MMQ_BYTES / 2;
	struct expectation_layout layout = {"blocks.d", halves ? DTYPE_F16 : DTYPE_F32, 2, {mmq.blocks, scales}, {row, paired}};
	layout.strides[0] = halves ? row : row / 2;
	judge_expectations(&layout, bytes, job.scales, outputs->math, out);
	if (halves) {
		layout = (struct expectation_layout){"blocks.s", DTYPE_F16, 2, {mmq.blocks, sums}, {row, paired}};
		judge_expectations(&layout, bytes + (mmq.layout == GGUF_MMQ_DS4 ? 2 : 4), job.sums, outputs->math, out);
	}
	layout = (struct expectation_layout){"blocks.q", DTYPE_U8, 2, {mmq.blocks, GGUF_MMQ_ELEMENTS}, {GGUF_MMQ_BYTES, 1}};
	judge_expectations(&layout, bytes + GGUF_MMQ_QUANTS, job.quants, outputs->math, out);
	free(all);
	return 0;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct mmq mmq;
	if (parse(test, &mmq, err))
		return -1;
	const double vectors = (double)mmq.columns * (double)mmq.k, size = (double)mmq.rows * (double)mmq.k;
	*work = (struct work){
		.flops = mmq.quantize ? 2 * vectors : 2 * size * (double)mmq.columns,
		.bytes = mmq.quantize ? 4 * vectors + GGUF_MMQ_BYTES * (double)mmq.blocks
				      : quantised_bytes(mmq.format, size) + GGUF_MMQ_BYTES * (double)mmq.blocks +
						4 * (double)mmq.columns * (double)mmq.rows,
		.unit = mmq.quantize ? WORK_BYTES : WORK_FLOPS,
	};
	return 0;
}

const struct family mmq_family = {
	.name = "mmq",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = fill,
	.check_case = check_case,
	.supports = supports,
	.symbols = symbols,
	.call = call,
	.expectations = expectations,
	.judge_outputs = judge_outputs,
	.work = work,
};
