/* Numbers to q8_1 blocks: quantize_q8_1 of the module quantized, the activations of all products with quantised matrices.
 *
 * Axes:
 *   k      numbers in a row; any
 *   rows   up to 65535
 *   input  as in quantised.h, or ties: quotients that lie halfway between whole numbers, and one float next to halfway
 *
 * Rows are padded to a multiple of 512 with zeros. For each 32 numbers: d = amax / 127 as a half, s = their sum as a half, q =
 * x / d to the nearest whole number, halves away from zero, where d is the quotient before it is rounded to a half. Judged
 * apart:
 *   d  the half next to amax / 127, which is divided in float32: where an error of 2 units (division under fast math; a
 *      reciprocal) reaches another half, that is right too
 *   s  half a unit of the half, and what adding 32 numbers in float32 in any order may lose: gamma_31 of their magnitudes
 *      (Higham, section 4.2)
 *   q  exact, where d and x / d are (the input `ties`). Else both neighbours are right where x / d lies so close to a tie that half a
 *      unit of d and half a unit of the quotient reach it, under fast math 2 units each. Where d is so small a subnormal that its
 *      own rounding reaches further, q is left open; under fast math wherever d is subnormal. */
#include "kernels/quantised.h"

#include "core/util.h"
#include "dataset/generate.h"
#include "kernels/operator_like.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const axes[] = {"k", "rows", "input", NULL};
static const char *const defaults[] = {"512", "3", "normal"};

enum { MOST_ROWS = 65535, BLOCK = 32, BLOCK_BYTES = 36, STREAM_TIES = 7 };

struct quantising {
	int64_t k, rows, padded, blocks;
};

int quantised_is_ties(const struct test_case *test)
{
	const char *input = case_get_text(test, "input");
	return input && strcmp(input, "ties") == 0;
}

static int parse(const struct test_case *test, struct quantising *q, struct error *err)
{
	if (quantised_int(test, "k", 1, INT32_MAX - QUANTISED_ROW_PADDING, &q->k, err) ||
	    quantised_int(test, "rows", 1, MOST_ROWS, &q->rows, err) ||
	    (!quantised_is_ties(test) && quantised_check_words(test, err)))
		return -1;
	q->padded = quantised_round_up(q->k, QUANTISED_ROW_PADDING);
	q->blocks = q->rows * q->padded / BLOCK;
	return 0;
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	struct quantising q;
	if (operator_begin(&quantize_q8_1_family, assignment, seed, "quantize_q8_1", NULL, test, err) || parse(test, &q, err))
		return -1;
	const int64_t dims[2] = {q.rows, q.k}, bytes[1] = {q.blocks * BLOCK_BYTES};
	return case_add_tensor(test, "x", TENSOR_INPUT, DTYPE_F32, 2, dims, NULL, err) &&
			       case_add_tensor(test, "blocks", TENSOR_OUTPUT, DTYPE_U8, 1, bytes, NULL, err)
		       ? 0
		       : -1;
}

static void fill_ties(uint64_t seed, int64_t rows, int64_t k, int64_t stride, int64_t padded, int share, float *x)
{
	for (int64_t i = 0; i < rows * k; i++) {
		const int64_t column = i % k, block = i / k * (padded / share) + column / share;
		const int exponent = (int)generate_below(25, seed, STREAM_TIES, (uint64_t)block) - 12;
		const uint64_t word = generate_below(1024, seed, STREAM_TIES + 1, (uint64_t)i);
		float value = (float)(word % 126) + 0.5f;
		if (word >> 7 & 1)
			value = nextafterf(value, word >> 8 & 1 ? 0.0f : 1000.0f);
		if (column % share == block % share)
			value = 127;
		x[i / k * stride + column] = ldexpf(word >> 9 & 1 ? -value : value, exponent);
	}
}

int quantised_fill_x(struct test_case *test, int64_t rows, int64_t k, int64_t stride, int64_t padded, int share,
		     struct error *err)
{
	struct tensor *x = case_find_tensor(test, "x", TENSOR_INPUT);
	if (!quantised_is_ties(test))
		return quantised_fill_input(test, "x", stride, err);
	if (tensor_allocate(x, err))
		return -1;
	snprintf(x->generator, sizeof x->generator, "%.23s", case_get_text(test, "input"));
	fill_ties(test->seed, rows, k, stride, padded, share, x->data);
	return 0;
}

static int fill(struct test_case *test, struct error *err)
{
	struct quantising q;
	if (parse(test, &q, err))
		return -1;
	return quantised_fill_x(test, q.rows, q.k, q.k, q.padded, BLOCK, err);
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&quantize_q8_1_family, test, err);
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi;
	visit(context, &(struct operator_symbol){"quantize_q8_1", "quantized", 0});
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	struct quantising q;
	(void)abi;
	if (parse(test, &q, err))
		return -1;
	argument_tensor(launch, test, "x");
	argument_tensor(launch, test, "blocks");
	argument_u32(launch, q.k);
	argument_u32(launch, q.padded);
	launch->grid = (struct device_dim3){(uint32_t)((q.padded + 255) / 256), (uint32_t)q.rows, 1};
	launch->block = (struct device_dim3){256, 1, 1};
	return 0;
}

/* ---- what is right ------------------------------------------------------------------------------------------------- */

static const double two_units = 0x1p-22; /* of a float, relative */

struct expected_blocks {
	int64_t k, padded;
	const float *x;
	struct expectation *d, *s, *quants;
};

/* Whole numbers that a ratio may become. Returns 0 when they are more than two. */
static int neighbours(double ratio, double error, double *nearest, double *neighbour)
{
	const double low = round(ratio * (1 - error)), high = round(ratio * (1 + error));
	*nearest = round(ratio);
	*neighbour = low != *nearest ? low : high;
	return fabs(low - high) <= 1 && fabs(*neighbour) <= 127;
}

void quantised_expect_quant(double ratio, double error, double fast_error, struct expectation *expected)
{
	double nearest, neighbour, fast_neighbour;
	if (!(error <= 0.25) || !neighbours(ratio, error * (1 + error), &nearest, &neighbour)) {
		expected->flags |= EXPECT_ANY;
		return;
	}
	expected->value = (long double)((int)nearest & 255);
	expected->other = (long double)((int)neighbour & 255);
	if (neighbour != nearest)
		expected->flags |= EXPECT_OTHER;
	if (!(fast_error <= 0.25) || !neighbours(ratio, fast_error * (1 + fast_error), &nearest, &fast_neighbour))
		expected->flags |= EXPECT_FAST_ANY;
	else if (fast_neighbour != nearest && neighbour == nearest && fabs(nearest + fast_neighbour) == 1 &&
		 nearest + fast_neighbour < 0)
		expected->flags |= EXPECT_FAST_ANY; /* 0 and -1, bytes 0 and 255 */
	else if (fast_neighbour != nearest && neighbour == nearest)
		expected->fast_bound = 1;
}

/* x / d as kernels make it: d = amax / 127 in float32, divided by. What is exact loses nothing. */
static void expect_quant(double x, const struct gguf_q8_1_exact *exact, double ratio, struct expectation *expected)
{
	const double d = (double)(float)exact->d, quotient = x / d, subnormal = 0x1p-149 / exact->d;
	const double of_d = d * 127 != exact->amax ? 0x1p-24 + subnormal : 0;
	const double of_quotient = (double)(float)quotient * d != x ? 0x1p-24 : 0;
	if (exact->d < 0x1p-125)
		expected->flags |= EXPECT_FAST_ANY;
	quantised_expect_quant(ratio, of_d + of_quotient, 2 * two_units + subnormal, expected);
}

static void expect_blocks(void *context, int64_t first, int64_t last)
{
	const struct expected_blocks *job = context;
	const int64_t in_row = job->padded / BLOCK;
	for (int64_t b = first; b < last; b++) {
		const float *row = job->x + b / in_row * job->k;
		struct gguf_q8_1_exact exact;
		float values[BLOCK];
		for (int64_t i = 0, column = b % in_row * BLOCK; i < BLOCK; i++, column++)
			values[i] = column < job->k ? row[column] : 0.0f;
		gguf_quantize_exact(values, &exact);
		const long double d = (long double)exact.d;
		const long double least = round_to_dtype(DTYPE_F16, d * (1 - (long double)two_units));
		const long double most = round_to_dtype(DTYPE_F16, d * (1 + (long double)two_units));
		job->d[b].value = round_to_dtype(DTYPE_F16, round_to_dtype(DTYPE_F32, d));
		job->d[b].other = job->d[b].value == least ? most : least;
		job->d[b].flags = least != most ? EXPECT_OTHER : 0;
		job->s[b].value = exact.sum;
		if (exact.amax == 0)
			continue; /* all zeros, exactly */
		job->s[b].bound =
			0.5 * unit_in_last_place(DTYPE_F16, exact.sum) + 31 * 0x1p-24 / (1 - 31 * 0x1p-24) * exact.magnitude;
		for (int i = 0; i < BLOCK; i++)
			expect_quant((double)values[i], &exact, exact.ratio[i], &job->quants[b * BLOCK + i]);
	}
}

int quantised_judge_q8_1(const struct operator_outputs *outputs, const char *name, const float *x, int64_t rows, int64_t k,
			 int64_t padded, struct judgement *out, struct error *err)
{
	const struct test_case *test = outputs->test;
	const struct tensor *tensor = case_find_tensor_const(test, name, TENSOR_OUTPUT);
	const unsigned char *bytes = tensor ? outputs->storage[tensor - test->tensors] : NULL;
	const int64_t blocks = rows * padded / BLOCK;
	struct expectation *all = calloc((size_t)(blocks * (BLOCK + 2)), sizeof *all);
	if (!all || !bytes) {
		free(all);
		return error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for what is expected", test->name);
	}
	struct expected_blocks job = {k, padded, x, all, all + blocks, all + 2 * blocks};
	parallel_for(blocks, 512, expect_blocks, &job);
	struct expectation_layout layout = {"blocks.d", DTYPE_F16, 1, {blocks}, {BLOCK_BYTES / 2}};
	judge_expectations(&layout, bytes, job.d, outputs->math, out);
	layout.name = "blocks.s";
	judge_expectations(&layout, bytes + 2, job.s, outputs->math, out);
	layout = (struct expectation_layout){"blocks.q", DTYPE_U8, 2, {blocks, BLOCK}, {BLOCK_BYTES, 1}};
	judge_expectations(&layout, bytes + 4, job.quants, outputs->math, out);
	free(all);
	return 0;
}

static int judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	struct quantising q;
	if (parse(outputs->test, &q, err))
		return -1;
	const float *x = case_tensor_data(outputs->test, operator_tensor(outputs->test, "x"));
	return quantised_judge_q8_1(outputs, "blocks", x, q.rows, q.k, q.padded, out, err);
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct quantising q;
	if (parse(test, &q, err))
		return -1;
	*work = (struct work){
		.flops = 2 * (double)q.rows * (double)q.k,
		.bytes = 4 * (double)q.rows * (double)q.k + BLOCK_BYTES * (double)q.blocks,
		.unit = WORK_BYTES,
	};
	return 0;
}

const struct family quantize_q8_1_family = {
	.name = "quantize_q8_1",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = fill,
	.check_case = check_case,
	.symbols = symbols,
	.launch = launch,
	.judge_outputs = judge_outputs,
	.work = work,
};
