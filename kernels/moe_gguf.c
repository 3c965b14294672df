/* The moe_gguf family: `moe_gemm_gguf` and `moe_gemm_gguf_prefill` of libmoe.a, products of rows with the quantised matrices of
 * the experts they are routed to.
 *
 *   output[row, :] = topk_weights[row] * W[expert of row] * input[row], or W[..] * input[row / topk] without topk_weights
 *
 * Axes:
 *   input_type  f32: moe_gemm_gguf, which quantises the input to q8_1 first; f16, bf16: moe_gemm_gguf_prefill, which makes
 *               halves of the weights and multiplies in tensor cores
 *   format      q8_0, q4_K, q2_K, q3_K, q5_K, q6_K
 *   experts, topk, tokens (tokens * topk rows), n, k
 *   weighted    no | yes
 *   routing     moe_routing.h
 *   blocks, padding, input  as in quantised.h
 *
 * Bounds. moe_gemm_gguf: products of blocks as in quantised.h (a warp shares a row), and one multiplication by the row's weight.
 * The q8_1 blocks are made inside: where a quotient lies so close to a tie, or a scale or a sum so close to the middle of two
 * halves, that float32 may fall on either side, what the other choice changes is added to the bound.
 * moe_gemm_gguf_prefill: a weight is computed in half arithmetic. Where scale * d, quant * scale * d, min * dmin and their
 * difference are halves, no order of roundings matters and the weight is that difference, rounded once more where the input is
 * bf16. Else up to two roundings of the product, one of the minimum and one of the difference, each 2^-11 of what is rounded (or
 * 2^-25 where that is subnormal, times the quant that multiplies it), and 2^-8 of the whole for bf16. Then float32 accumulation
 * in tensor cores (grouped_product_error) and the row's weight. */
#include "kernels/moe_routing.h"
#include "kernels/operator_like.h"
#include "kernels/quantised.h"
#include "reference/grouped_product.h"

#include "core/util.h"
#include "dataset/generate.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern const struct family moe_gguf_family;

static const char *const axes[] = {"input_type", "format", "experts", "topk", "tokens", "n", "k", "weighted", "routing", "blocks",
				   "padding", "input", NULL};
static const char *const defaults[] = {"f32", "q4_K", "4", "2", "5", "10", "512", "no", "random", "random", "zeros", "normal"};
static const char *const in_entry[] = {NULL};

enum { STREAM_SCALES = 21 };

/* The entry points' own numbers of formats. */
static const int format_numbers[GGUF_FORMAT_COUNT] = {
	[GGUF_Q8_0] = 0, [GGUF_Q4_K] = 1, [GGUF_Q2_K] = 2, [GGUF_Q3_K] = 3, [GGUF_Q5_K] = 4, [GGUF_Q6_K] = 5,
};
enum { FORMATS = QUANTISED_OF_256 | 1 << GGUF_Q8_0 };

struct moe {
	enum dtype type;
	enum gguf_format format;
	int64_t experts, topk, tokens, rows, n, k, padded;
	int weighted;
};

static int parse(const struct test_case *test, struct moe *moe, struct error *err)
{
	const char *weighted = case_get_text(test, "weighted");
	moe->type = operator_dtype(test, "input_type");
	if (moe->type != DTYPE_F32 && moe->type != DTYPE_F16 && moe->type != DTYPE_BF16)
		return error_set(err, ERROR_INPUT, "case %s: axis input_type: it is none of f32, f16, bf16", test->name);
	if (!weighted || (strcmp(weighted, "yes") != 0 && strcmp(weighted, "no") != 0))
		return error_set(err, ERROR_INPUT, "case %s: axis weighted: it is neither yes nor no", test->name);
	if (quantised_format(test, FORMATS, &moe->format, err) || quantised_check_words(test, err) ||
	    quantised_int(test, "experts", 1, 4096, &moe->experts, err) ||
	    quantised_int(test, "topk", 1, 1024, &moe->topk, err) ||
	    quantised_int(test, "tokens", 1, 1 << 20, &moe->tokens, err) || quantised_int(test, "n", 1, 1 << 20, &moe->n, err) ||
	    quantised_k(test, moe->format, 1 << 20, &moe->k, err))
		return -1;
	moe->weighted = strcmp(weighted, "yes") == 0;
	moe->rows = moe->tokens * moe->topk;
	moe->padded = quantised_round_up(moe->k, QUANTISED_ROW_PADDING);
	/* moe_gemm_gguf has a block of the grid's second axis for each row */
	if (moe->rows > (moe->type == DTYPE_F32 ? 65535 : INT32_MAX / 2))
		return error_set(err, ERROR_INPUT, "case %s: it has too many rows: %lld", test->name, (long long)moe->rows);
	return 0;
}

static int64_t input_rows(const struct moe *moe)
{
	return moe->weighted ? moe->rows : moe->tokens;
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &moe_gguf_family;
	const int decode = strcmp(operator_value(family, assignment, "input_type"), "f32") == 0;
	struct moe moe;
	if (operator_is_one_of(family, assignment, "routing", moe_routings, err) < 0 ||
	    operator_begin(family, assignment, seed, decode ? "moe_gemm_gguf" : "moe_gemm_gguf_prefill", in_entry, test, err) ||
	    parse(test, &moe, err))
		return -1;
	const int64_t input[2] = {input_rows(&moe), moe.k}, output[2] = {moe.rows, moe.n};
	if (!case_add_tensor(test, "input_rows", TENSOR_INPUT, moe.type, 2, input, NULL, err) ||
	    quantised_add_weights(test, moe.format, moe.experts * moe.n * moe.k, err) || moe_routing_add(test, moe.rows, err) ||
	    (moe.weighted && !case_add_tensor(test, "topk_weights", TENSOR_INPUT, DTYPE_F32, 1, &moe.rows, NULL, err)) ||
	    !case_add_tensor(test, "output", TENSOR_OUTPUT, DTYPE_F32, 2, output, NULL, err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static int fill(struct test_case *test, struct error *err)
{
	struct moe moe;
	struct tensor *scales = case_find_tensor(test, "topk_weights", TENSOR_INPUT);
	if (parse(test, &moe, err) || quantised_fill_weights(test, moe.format, err) ||
	    quantised_fill_input(test, "input_rows", moe.k, err) ||
	    moe_routing_fill(test, case_get_text(test, "routing"), moe.experts, err))
		return -1;
	return scales ? operator_fill(scales, "normal", 1, test->seed, STREAM_SCALES, err) : 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	struct moe moe;
	if (operator_check_like(&moe_gguf_family, test, err) || parse(test, &moe, err))
		return -1;
	return operator_tensor(test, "sorted_token_ids")->data ? moe_routing_check(test, moe.experts, err) : 0;
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in all */
	visit(context, &(struct operator_symbol){"moe_gemm_gguf", "libmoe", 0});
	visit(context, &(struct operator_symbol){"moe_gemm_gguf_prefill", "libmoe", 70});
}

static int supports(const struct test_case *test, int abi, const struct device_properties *device, struct error *err)
{
	const enum dtype type = operator_dtype(test, "input_type");
	const int cc = device->cc_major * 10 + device->cc_minor, least = type == DTYPE_F32 ? 0 : type == DTYPE_BF16 ? 80 : 70;
	(void)abi;
	if (device->kind == DEVICE_CUDA && cc < least)
		return error_set(err, ERROR_UNSUPPORTED,
				 "tensor cores multiply this type from compute capability %d.%d on; %s is %d.%d", least / 10,
				 least % 10, device->name, device->cc_major, device->cc_minor);
	return 0;
}

/* ---- calling --------------------------------------------------------------------------------------------------------- */

/* candle-kernels 0.9.2 to 0.11, src/ffi.rs; `stream` is a CUstream as a number, 0: the default one. */
typedef void (*moe_gemm_gguf)(const float *input, const void *weights, const int32_t *sorted_token_ids, const int32_t *expert_ids,
			      const float *topk_weights, void *output, int num_experts, int topk, int size_m, int size_n,
			      int size_k, int gguf_dtype, int64_t stream);
typedef void (*moe_gemm_gguf_prefill)(const void *input, const uint8_t *weights, const int32_t *sorted_token_ids,
				      const int32_t *expert_ids, const float *topk_weights, void *output, int num_experts,
				      int topk, int size_m, int size_n, int size_k, int input_dtype, int gguf_dtype,
				      int64_t stream);

static void call(const struct binding *binding)
{
	struct moe moe;
	if (parse(binding->test, &moe, NULL))
		return; /* cannot be: check_case has passed */
	void *input = binding_address(binding, "input_rows"), *weights = binding_address(binding, "weights");
	void *sorted = binding_address(binding, "sorted_token_ids"), *ids = binding_address(binding, "expert_ids");
	void *scales = binding_address(binding, "topk_weights"), *output = binding_address(binding, "output");
	const int number = format_numbers[moe.format];
	/* a function pointer may not be cast from void * in ISO C; POSIX dlsym demands that it works */
	if (moe.type == DTYPE_F32) {
		moe_gemm_gguf entry;
		memcpy(&entry, &binding->entry, sizeof entry);
		entry(input, weights, sorted, ids, scales, output, (int)moe.experts, (int)moe.topk, (int)moe.rows, (int)moe.n,
		      (int)moe.k, number, 0);
	} else {
		moe_gemm_gguf_prefill entry;
		memcpy(&entry, &binding->entry, sizeof entry);
		entry(input, weights, sorted, ids, scales, output, (int)moe.experts, (int)moe.topk, (int)moe.rows, (int)moe.n,
		      (int)moe.k, moe.type == DTYPE_BF16, number, 0);
	}
}

/* ---- what is right --------------------------------------------------------------------------------------------------- */

struct job {
	const struct moe *moe;
	const int32_t *sorted, *ids;
	const float *scales;            /* or NULL */
	const unsigned char *weights;
	const float *input;
	struct quantised_row *quantised;/* decode: of each input row */
	struct expectation *expected;
	atomic_int failed;
};

/* Prefill: weights of a row as halves or bf16, and how far they may be off. */
struct rounded_weight {
	double value, error;
};

static double to_half(double x)
{
	return f16_to_f64(f16_from_f64(x));
}

static int is_half(double x)
{
	return to_half(x) == x; /* beyond 65504: an infinity, which x is not */
}

static double to_type(enum dtype type, double x)
{
	return type == DTYPE_F16 ? to_half(x) : bf16_to_f64(bf16_from_f64(x));
}

static struct rounded_weight round_weight(enum dtype type, enum gguf_format format, const struct gguf_block *block, int i)
{
	const double part = block->d * block->scale[i], product = block->d * block->weight[i];
	const double offset = block->offset[i] ? block->m * block->offset[i] : 0, exact = product + offset;
	const double quant = block->scale[i] ? fabs((double)block->weight[i] / block->scale[i]) : 0;
	if (fabs(product) >= 65504 || fabs(offset) >= 65504 || fabs(exact) >= 65504)
		return (struct rounded_weight){exact, (double)INFINITY}; /* it may overflow on the way, or not */
	if (format == GGUF_Q8_0 || (is_half(part) && is_half(product) && is_half(offset) && is_half(exact))) {
		const double once = to_type(type, exact);
		return (struct rounded_weight){once, fabs(once - to_type(type, to_half(exact)))};
	}
	const double sizes = fabs(product) + fabs(offset);
	double error = 0x1p-11 * (2 * fabs(product) + fabs(offset) + fabs(exact)) + 3 * 0x1p-22 * sizes + 0x1p-25 * (quant + 3);
	if (type == DTYPE_BF16)
		error += 0x1p-8 * (fabs(exact) + error);
	return (struct rounded_weight){exact, error};
}

static void expect_scaled(long double value, long double other, double error, double scale, struct expectation *expected)
{
	if (!(error < (double)INFINITY)) {
		expected->flags = EXPECT_ANY;
		return;
	}
	expected->value = value * (long double)scale;
	expected->other = other * (long double)scale;
	expected->flags = value != other ? EXPECT_OTHER : 0;
	const double size = (double)fmaxl(fabsl(expected->value), fabsl(expected->other));
	expected->bound = error * fabs(scale) + (scale != 1 ? 0x1p-24 * (size + error * fabs(scale)) : 0) + 0x1p-149;
	expected->fast_bound = expected->bound + 0x1p-126 * (1 + fabs(scale)); /* a sum or product that is subnormal is flushed */
}

/* What a thread works with: one row of an expert's matrix. */
struct scratch {
	struct gguf_block *blocks;      /* decode */
	struct rounded_weight *weights; /* prefill */
};

static void load_row(const struct job *job, int64_t expert, int64_t n, struct scratch *scratch)
{
	const struct moe *moe = job->moe;
	const struct gguf_layout *layout = &gguf_layouts[moe->format];
	const int64_t row_blocks = moe->k / layout->elements;
	const unsigned char *row = job->weights + (expert * moe->n + n) * row_blocks * layout->bytes;
	for (int64_t b = 0; b < row_blocks; b++) {
		gguf_decode(moe->format, row + b * layout->bytes, &scratch->blocks[b]);
		for (int i = 0; !job->quantised && i < layout->elements; i++)
			scratch->weights[b * layout->elements + i] =
				round_weight(moe->type, moe->format, &scratch->blocks[b], i);
	}
}

static void prefill_one(const struct job *job, const struct scratch *scratch, const float *in, double scale,
			struct expectation *expected)
{
	double sum = 0, magnitude = 0, error = 0; /* a float64 sum errs by k * 2^-53, far below what float32 does */
	for (int64_t i = 0; i < job->moe->k; i++) {
		const struct rounded_weight *weight = &scratch->weights[i];
		const double x = (double)in[i], product = weight->value * x;
		sum += product;
		magnitude += fabs(product);
		error += weight->error * fabs(x); /* infinite, or a NaN where x is 0: decided by expect_scaled */
	}
	error += grouped_product_error(magnitude + error, job->moe->k, 0);
	expect_scaled((long double)sum, (long double)sum, isnan(error) ? (double)INFINITY : error, scale, expected);
}

static void decode_one(const struct job *job, const struct scratch *scratch, const struct quantised_row *in, double scale,
		       struct expectation *expected)
{
	const struct moe *moe = job->moe;
	const double nu = quantised_roundings(SHARE_WARP, moe->k) * 0x1p-24;
	struct gguf_product product;
	gguf_product(moe->format, scratch->blocks, in->q8_1, moe->k, &product);
	const double error = nu / (1 - nu) * product.magnitude + quantised_row_slack(in, moe->format, scratch->blocks, moe->k);
	expect_scaled(product.by_quants, product.by_sum, error, scale, expected);
}

/* Columns of the output: rows come grouped by expert, so that each row of weights is decoded once. */
static void expect_columns(void *context, int64_t first, int64_t last)
{
	struct job *job = context;
	const struct moe *moe = job->moe;
	struct scratch scratch = {
		.blocks = malloc((size_t)(moe->k / gguf_layouts[moe->format].elements) * sizeof *scratch.blocks),
		.weights = malloc((size_t)moe->k * sizeof *scratch.weights),
	};
	if (!scratch.blocks || !scratch.weights)
		job->failed = 1;
	for (int64_t n = first; n < last && scratch.blocks && scratch.weights; n++) {
		for (int64_t i = 0; i < moe->rows; i++) {
			const int64_t row = job->sorted[i], from = job->scales ? row : row / moe->topk;
			const double scale = job->scales ? (double)job->scales[row] : 1;
			struct expectation *expected = &job->expected[row * moe->n + n];
			if (i == 0 || job->ids[i] != job->ids[i - 1])
				load_row(job, job->ids[i], n, &scratch);
			if (job->quantised)
				decode_one(job, &scratch, &job->quantised[from], scale, expected);
			else
				prefill_one(job, &scratch, job->input + from * moe->k, scale, expected);
		}
	}
	free(scratch.blocks);
	free(scratch.weights);
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct moe moe;
	(void)abi;
	(void)output;
	if (parse(test, &moe, err) || moe_routing_check(test, moe.experts, err))
		return -1;
	const struct tensor *scales = operator_tensor(test, "topk_weights");
	const void *input = case_tensor_data(test, operator_tensor(test, "input_rows"));
	const int64_t count = input_rows(&moe) * moe.k;
	float *widened = malloc((size_t)count * sizeof *widened);
	struct job job = {
		.moe = &moe,
		.sorted = case_tensor_data(test, operator_tensor(test, "sorted_token_ids")),
		.ids = case_tensor_data(test, operator_tensor(test, "expert_ids")),
		.scales = scales ? case_tensor_data(test, scales) : NULL,
		.weights = case_tensor_data(test, operator_tensor(test, "weights")),
		.input = widened,
		.expected = expected,
	};
	for (int64_t i = 0; widened && i < count; i++)
		widened[i] = (float)dtype_load(moe.type, input, (size_t)i);
	if (widened && moe.type == DTYPE_F32)
		job.quantised = quantised_rows_make(widened, input_rows(&moe), moe.k, moe.padded);
	job.failed = !widened || (moe.type == DTYPE_F32 && !job.quantised);
	if (!job.failed)
		parallel_for(moe.n, 1 + 100000 / (moe.rows * moe.k), expect_columns, &job);
	quantised_rows_free(job.quantised);
	free(widened);
	return job.failed ? error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for what is expected", test->name) : 0;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct moe moe;
	if (parse(test, &moe, err))
		return -1;
	const int32_t *ids = operator_tensor(test, "expert_ids")->data;
	int64_t used = moe.rows < moe.experts ? moe.rows : moe.experts; /* without data: as many as there can be */
	for (int64_t i = 0; ids && i < moe.rows; i++)
		used = i == 0 ? 1 : used + (ids[i] != ids[i - 1]);
	const double size = (double)moe.n * (double)moe.k, rows = (double)moe.rows;
	*work = (struct work){
		.flops = 2 * size * rows,
		.bytes = quantised_bytes(moe.format, (double)used * size) +
			 (double)input_rows(&moe) * (double)moe.k * (double)dtype_size(moe.type) +
			 4 * rows * ((double)moe.n + (moe.weighted ? 3 : 2)),
		.unit = moe.type == DTYPE_F32 ? WORK_BYTES : WORK_FLOPS,
	};
	return 0;
}

const struct family moe_gguf_family = {
	.name = "moe_gguf",
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
	.work = work,
};
