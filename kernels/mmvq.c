/* A quantised matrix times 1 to 8 vectors, through host functions of libmoe.a from Candle 0.11 on:
 *   launch_mmvq_gguf_{format}_{bf16, f16, f32}_plain    the product; the type is that of the results
 *   launch_mmvq_gguf_quantize_q8_1_{bf16, f16, f32}     makes q8_1 blocks of the vectors; the type is theirs
 *
 * Axes:
 *   op       product | quantize
 *   type     bf16 | f16 | f32
 *   format   q4_0 .. q6_K; quantize has none and leaves it at its default
 *   columns  vectors: 1 .. 8, quantize any
 *   k        elements of a vector
 *   rows     of the matrix
 *   gap      product: elements between the columns of the output
 *   blocks, padding, input  as in quantised.h
 *
 * Right answers are those of quantised_matvec (a block of the grid shares a row), rounded once more to the type of the results,
 * and of quantize_q8_1. */
#include "kernels/quantised.h"

#include "core/util.h"
#include "kernels/operator_like.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct family mmvq_family;

static const char *const axes[] = {"op", "type", "format", "columns", "k", "rows", "gap", "blocks", "padding", "input", NULL};
static const char *const defaults[] = {"product", "f32", "q4_0", "1", "512", "6", "0", "random", "zeros", "normal"};
static const char *const in_entry[] = {"op", "type", "format", NULL};
static const char *const types[] = {"bf16", "f16", "f32"};

enum { MOST_COLUMNS = 8, MOST_K = INT32_MAX - QUANTISED_ROW_PADDING };

struct mmvq {
	int quantize;
	enum dtype type;
	enum gguf_format format;
	int64_t columns, k, rows, gap, padded;
};

static int parse(const struct test_case *test, struct mmvq *mmvq, struct error *err)
{
	const char *op = case_get_text(test, "op");
	mmvq->quantize = op && strcmp(op, "quantize") == 0;
	mmvq->type = operator_dtype(test, "type");
	if (!mmvq->quantize && (!op || strcmp(op, "product") != 0))
		return error_set(err, ERROR_INPUT, "case %s: axis op: '%s' is neither product nor quantize", test->name,
				 op ? op : "");
	if (mmvq->type != DTYPE_BF16 && mmvq->type != DTYPE_F16 && mmvq->type != DTYPE_F32)
		return error_set(err, ERROR_INPUT, "case %s: axis type: it is none of bf16, f16, f32", test->name);
	if (quantised_format(test, QUANTISED_WEIGHTS, &mmvq->format, err) || quantised_check_words(test, err) ||
	    quantised_int(test, "columns", 1, mmvq->quantize ? 65535 : MOST_COLUMNS, &mmvq->columns, err) ||
	    (mmvq->quantize ? quantised_int(test, "k", 1, MOST_K, &mmvq->k, err)
			    : quantised_k(test, mmvq->format, MOST_K, &mmvq->k, err)) ||
	    quantised_int(test, "rows", 1, INT32_MAX / 2, &mmvq->rows, err) ||
	    quantised_int(test, "gap", 0, mmvq->quantize ? 0 : 4096, &mmvq->gap, err))
		return -1;
	mmvq->padded = quantised_round_up(mmvq->k, QUANTISED_ROW_PADDING);
	return 0;
}

/* Formats are in lower case here: q4_k. */
static void entry_name(int quantize, const char *format, const char *type, char *name, size_t size)
{
	if (quantize)
		snprintf(name, size, "launch_mmvq_gguf_quantize_q8_1_%.8s", type);
	else
		snprintf(name, size, "launch_mmvq_gguf_%.8s_%.8s_plain", format, type);
	for (char *at = name; *at; at++)
		*at = (char)tolower((unsigned char)*at);
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &mmvq_family;
	char entry[64];
	struct mmvq mmvq;
	entry_name(strcmp(operator_value(family, assignment, "op"), "quantize") == 0,
		   operator_value(family, assignment, "format"), operator_value(family, assignment, "type"), entry, sizeof entry);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) || parse(test, &mmvq, err))
		return -1;
	const int64_t bytes[1] = {mmvq.columns * mmvq.padded / 32 * 36};
	if (mmvq.quantize) {
		const int64_t x[2] = {mmvq.columns, mmvq.k};
		return case_add_tensor(test, "x", TENSOR_INPUT, mmvq.type, 2, x, NULL, err) &&
				       case_add_tensor(test, "blocks_of_x", TENSOR_OUTPUT, DTYPE_U8, 1, bytes, NULL, err)
			       ? 0
			       : -1;
	}
	const int64_t dims[2] = {mmvq.columns, mmvq.rows}, strides[2] = {mmvq.rows + mmvq.gap, 1};
	return quantised_add_weights(test, mmvq.format, mmvq.rows * mmvq.k, err) == 0 &&
			       case_add_tensor(test, "vectors", TENSOR_INPUT, DTYPE_U8, 1, bytes, NULL, err) &&
			       case_add_tensor(test, "out", TENSOR_OUTPUT, mmvq.type, 2, dims, strides, err)
		       ? 0
		       : -1;
}

static int fill(struct test_case *test, struct error *err)
{
	struct mmvq mmvq;
	if (parse(test, &mmvq, err))
		return -1;
	if (!mmvq.quantize)
		return quantised_fill_weights(test, mmvq.format, err) ||
				       quantised_fill_activations(test, "vectors", mmvq.columns, mmvq.k, mmvq.padded, err)
			       ? -1
			       : 0;
	return quantised_fill_input(test, "x", mmvq.k, err);
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&mmvq_family, test, err);
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	char name[64];
	if (abi != OPERATOR_ABI_011)
		return;
	for (size_t type = 0; type < ARRAY_COUNT(types); type++) {
		entry_name(1, "", types[type], name, sizeof name);
		visit(context, &(struct operator_symbol){name, "libmoe", 0});
		for (int format = 0; format < GGUF_FORMAT_COUNT; format++) {
			if (!(QUANTISED_WEIGHTS >> format & 1))
				continue;
			entry_name(0, gguf_layouts[format].name, types[type], name, sizeof name);
			visit(context, &(struct operator_symbol){name, "libmoe", 0});
		}
	}
}

/* candle-kernels 0.11, src/ffi.rs */
typedef void (*launch_product)(const void *vx, const void *vy, void *dst, int ncols_x, int nrows_x, int stride_col_y,
			       int stride_col_dst, int b_size, void *stream);
typedef void (*launch_quantize)(const void *x, void *vy, int kx, int kx_padded, int num_rows, void *stream);

static void call(const struct binding *binding)
{
	struct mmvq mmvq;
	if (parse(binding->test, &mmvq, NULL))
		return; /* cannot be: check_case has passed */
	/* a function pointer may not be cast from void * in ISO C; POSIX dlsym demands that it works */
	if (mmvq.quantize) {
		launch_quantize entry;
		memcpy(&entry, &binding->entry, sizeof entry);
		entry(binding_address(binding, "x"), binding_address(binding, "blocks_of_x"), (int)mmvq.k, (int)mmvq.padded,
		      (int)mmvq.columns, NULL);
	} else {
		launch_product entry;
		memcpy(&entry, &binding->entry, sizeof entry);
		entry(binding_address(binding, "weights"), binding_address(binding, "vectors"), binding_address(binding, "out"),
		      (int)mmvq.k, (int)mmvq.rows, (int)(mmvq.padded / 32), (int)(mmvq.rows + mmvq.gap), (int)mmvq.columns, NULL);
	}
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct mmvq mmvq;
	(void)abi;
	if (parse(test, &mmvq, err))
		return -1;
	if (mmvq.quantize) { /* judge_outputs takes the blocks apart */
		for (int64_t i = 0; i < tensor_elements(output); i++)
			expected[i].flags = EXPECT_ANY;
		return 0;
	}
	struct quantised_products products = {
		.format = mmvq.format,
		.k = mmvq.k,
		.padded = mmvq.padded,
		.share = SHARE_BLOCK,
	};
	if (quantised_expect_matrix(test, &products, mmvq.columns, mmvq.rows, expected, err))
		return -1;
	for (int64_t i = 0; mmvq.type != DTYPE_F32 && i < tensor_elements(output); i++) {
		const long double size =
			fmaxl(fabsl(expected[i].value), fabsl(expected[i].other)) + (long double)expected[i].bound;
		expected[i].bound += unit_in_last_place(mmvq.type, size) / 2;
	}
	return 0;
}

static int judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	const struct test_case *test = outputs->test;
	struct mmvq mmvq;
	if (parse(test, &mmvq, err))
		return -1;
	if (!mmvq.quantize)
		return 0;
	const int64_t count = mmvq.columns * mmvq.k;
	const void *x = case_tensor_data(test, operator_tensor(test, "x"));
	float *values = malloc((size_t)count * sizeof *values);
	if (!values)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for its values", test->name);
	for (int64_t i = 0; i < count; i++)
		values[i] = (float)dtype_load(mmvq.type, x, (size_t)i);
	const int result = quantised_judge_q8_1(outputs, "blocks_of_x", values, mmvq.columns, mmvq.k, mmvq.padded, out, err);
	free(values);
	return result;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct mmvq mmvq;
	if (parse(test, &mmvq, err))
		return -1;
	const double type = (double)dtype_size(mmvq.type), vectors = (double)mmvq.columns * (double)mmvq.k;
	const double size = (double)mmvq.rows * (double)mmvq.k;
	*work = (struct work){
		.flops = mmvq.quantize ? 2 * vectors : 2 * size * (double)mmvq.columns,
		.bytes = mmvq.quantize ? type * vectors + (double)mmvq.columns * (double)mmvq.padded * 36 / 32
				       : quantised_bytes(mmvq.format, size) + vectors * 36 / 32 +
						 type * (double)mmvq.columns * (double)mmvq.rows,
		.unit = WORK_BYTES,
	};
	return 0;
}

const struct family mmvq_family = {
	.name = "mmvq",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = fill,
	.check_case = check_case,
	.symbols = symbols,
	.call = call,
	.expectations = expectations,
	.judge_outputs = judge_outputs,
	.work = work,
};
