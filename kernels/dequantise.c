/* Blocks to numbers: dequantize_block_{format}_{f32, f16} of the module quantized.
 *
 * Axes:
 *   format  any but q8_1
 *   to      f32 | f16
 *   count   elements; a multiple of the block's 32 or 256
 *   blocks, padding  as in quantised.h
 *
 * What is expected: for all formats but q8_K, d is a half (11 bits), a sub-block's scale has at most 8 bits, a quant as many
 * as make scale * quant * d fit 24 (q6_K: 11 + 7 + 5); so does min * dmin. All products are exact in float32 and one
 * rounding is left, that of the sum, with or without fused multiply-add: the exact value rounded once. q8_K has one rounding
 * as well, that of d * q. f16 goes through float32: it is rounded twice; to round once is no fault. With fast math the float
 * scale of q8_K may be flushed, and so may its products; those of halves are never subnormal. */
#include "kernels/quantised.h"

#include "core/util.h"
#include "kernels/operator_like.h"

#include <math.h>
#include <string.h>

static const char *const axes[] = {"format", "to", "count", "blocks", "padding", NULL};
static const char *const defaults[] = {"q4_0", "f32", "4096", "random", "zeros"};
static const char *const in_entry[] = {"format", "to", NULL};

enum { FORMATS = QUANTISED_WEIGHTS | 1 << GGUF_Q8_K };
static const int64_t most_elements = INT64_C(1) << 32;

static int parse(const struct test_case *test, enum gguf_format *format, enum dtype *to, int64_t *count, struct error *err)
{
	*to = operator_dtype(test, "to");
	if (*to != DTYPE_F32 && *to != DTYPE_F16)
		return error_set(err, ERROR_INPUT, "case %s: axis to: it is neither f32 nor f16", test->name);
	if (quantised_format(test, FORMATS, format, err) || quantised_check_words(test, err))
		return -1;
	return quantised_int(test, "count", 1, most_elements, count, err);
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	char entry[64];
	enum gguf_format format;
	enum dtype to;
	int64_t count;
	snprintf(entry, sizeof entry, "dequantize_block_%.8s_%.8s", operator_value(&dequantise_family, assignment, "format"),
		 operator_value(&dequantise_family, assignment, "to"));
	if (operator_begin(&dequantise_family, assignment, seed, entry, in_entry, test, err) ||
	    parse(test, &format, &to, &count, err) || quantised_add_weights(test, format, count, err))
		return -1;
	return case_add_tensor(test, "out", TENSOR_OUTPUT, to, 1, &count, NULL, err) ? 0 : -1;
}

static int fill(struct test_case *test, struct error *err)
{
	enum gguf_format format;
	return quantised_format(test, FORMATS, &format, err) || quantised_fill_weights(test, format, err) ? -1 : 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&dequantise_family, test, err);
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi;
	for (int format = 0; format < GGUF_FORMAT_COUNT; format++) {
		for (int to = 0; to < 2 && FORMATS >> format & 1; to++) {
			char name[64];
			snprintf(name, sizeof name, "dequantize_block_%s_%s", gguf_layouts[format].name, to ? "f16" : "f32");
			visit(context, &(struct operator_symbol){name, "quantized", 0});
		}
	}
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	enum gguf_format format;
	enum dtype to;
	int64_t count;
	(void)abi;
	if (parse(test, &format, &to, &count, err))
		return -1;
	const int wide = format == GGUF_Q5_0 || format == GGUF_Q5_1, of_256 = gguf_layouts[format].elements == 256;
	const int64_t per_block = wide ? 512 : 256;
	argument_tensor(launch, test, "weights");
	argument_tensor(launch, test, "out");
	if (!of_256)
		argument_u32(launch, wide ? count : count / 32);
	launch->grid = (struct device_dim3){(uint32_t)((count + per_block - 1) / per_block), 1, 1};
	launch->block = (struct device_dim3){wide ? 256 : of_256 && format != GGUF_Q4_K && format != GGUF_Q8_K ? 64 : 32, 1, 1};
	return 0;
}

struct job {
	enum gguf_format format;
	enum dtype to;
	const unsigned char *weights;
	struct expectation *expected;
};

static void expect_element(const struct job *job, const struct gguf_block *block, int i, struct expectation *expected)
{
	const int with_m = block->offset[i] != 0 || gguf_layouts[job->format].m >= 0;
	if (isnan(block->d) || (with_m && isnan(block->m))) {
		expected->flags = EXPECT_NAN;
		return;
	}
	if (isinf(block->d) || (with_m && isinf(block->m))) {
		expected->flags = EXPECT_ANY; /* infinities cancel or not as the terms are grouped */
		return;
	}
	const double exact = gguf_value(block, i);
	const double single = (double)(float)exact;
	expected->value = (long double)(job->to == DTYPE_F16 ? f16_to_f64(f16_from_f64(single)) : single);
	expected->other = (long double)(job->to == DTYPE_F16 ? f16_to_f64(f16_from_f64(exact)) : single);
	expected->flags = expected->other != expected->value ? EXPECT_OTHER : 0;
	if (job->format == GGUF_Q8_K && job->to == DTYPE_F32 && (fabs(block->d) < 0x1p-126 || fabs(exact) < 0x1p-126))
		expected->fast_bound = fmax(fabs(exact), fabs((double)expected->value));
}

static void expect_blocks(void *context, int64_t first, int64_t last)
{
	const struct job *job = context;
	const struct gguf_layout *layout = &gguf_layouts[job->format];
	struct gguf_block block;
	for (int64_t b = first; b < last; b++) {
		gguf_decode(job->format, job->weights + b * layout->bytes, &block);
		for (int i = 0; i < layout->elements; i++)
			expect_element(job, &block, i, &job->expected[b * layout->elements + i]);
	}
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct job job = {.expected = expected};
	int64_t count;
	(void)abi;
	if (parse(test, &job.format, &job.to, &count, err))
		return -1;
	job.weights = case_tensor_data(test, operator_tensor(test, "weights"));
	const int elements = gguf_layouts[job.format].elements;
	parallel_for(tensor_elements(output) / elements, 16384 / elements, expect_blocks, &job);
	return 0;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	enum gguf_format format;
	enum dtype to;
	int64_t count;
	if (parse(test, &format, &to, &count, err))
		return -1;
	*work = (struct work){
		.flops = 2 * (double)count,
		.bytes = (double)count *
			 ((double)gguf_layouts[format].bytes / gguf_layouts[format].elements + (double)dtype_size(to)),
		.unit = WORK_BYTES,
	};
	return 0;
}

const struct family dequantise_family = {
	.name = "dequantise",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = fill,
	.check_case = check_case,
	.symbols = symbols,
	.launch = launch,
	.expectations = expectations,
	.work = work,
};
