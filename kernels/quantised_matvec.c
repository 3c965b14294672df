/* A quantised matrix times vectors, in the module quantized:
 *   f32    dequantize_mul_mat_vec_{format}: one vector of float32
 *   q8_1   mul_mat_vec_{format}_q8_1_cuda{1..8}: 1 to 8 vectors of q8_1 blocks
 *
 * Axes:
 *   vector   f32 | q8_1
 *   format   q4_0 .. q6_K
 *   columns  vectors: 1 for f32, 1 .. 8 for q8_1
 *   k        elements of a row; a multiple of the block's
 *   rows     of the matrix
 *   gap      elements between the columns of the output (nrows_dst - rows); q8_1 only. They must stay.
 *   blocks, padding, input  as in quantised.h
 *
 * Vectors are padded to a multiple of 512 elements with blocks of zeros (quantize_q8_1). Some kernels take two rows for a
 * block and so read the row behind the last of an odd number: the padding serves that. They must not write it.
 *
 * Where a format has an offset (a bias or a minimum), the product with it may come from the stored sum of a q8_1 block or
 * from its quants: gguf_product. Bounds: quantised_expect_products. */
#include "kernels/quantised.h"

#include "core/util.h"
#include "kernels/operator_like.h"

#include <string.h>

static const char *const axes[] = {"vector", "format", "columns", "k", "rows", "gap", "blocks", "padding", "input", NULL};
static const char *const defaults[] = {"q8_1", "q4_0", "1", "512", "6", "0", "random", "zeros", "normal"};
static const char *const in_entry[] = {"vector", "format", "columns", NULL};

enum { MOST_COLUMNS = 8 };

struct matvec {
	int of_f32;
	enum gguf_format format;
	int64_t columns, k, rows, gap, padded;
};

static int parse(const struct test_case *test, struct matvec *matvec, struct error *err)
{
	const char *vector = case_get_text(test, "vector");
	*matvec = (struct matvec){.of_f32 = vector && strcmp(vector, "f32") == 0};
	if (!matvec->of_f32 && (!vector || strcmp(vector, "q8_1") != 0))
		return error_set(err, ERROR_INPUT, "case %s: axis vector: '%s' is neither f32 nor q8_1", test->name,
				 vector ? vector : "");
	if (quantised_format(test, QUANTISED_WEIGHTS, &matvec->format, err) || quantised_check_words(test, err) ||
	    quantised_int(test, "columns", 1, matvec->of_f32 ? 1 : MOST_COLUMNS, &matvec->columns, err) ||
	    quantised_k(test, matvec->format, INT32_MAX - QUANTISED_ROW_PADDING, &matvec->k, err) ||
	    quantised_int(test, "rows", 1, INT32_MAX / 2, &matvec->rows, err) ||
	    quantised_int(test, "gap", 0, matvec->of_f32 ? 0 : 4096, &matvec->gap, err))
		return -1;
	matvec->padded = quantised_round_up(matvec->k, QUANTISED_ROW_PADDING);
	return 0;
}

/* dequantize_mul_mat_vec_q4_0_cuda but dequantize_mul_mat_vec_q4_k */
static void entry_name(int of_f32, const char *format, int64_t columns, char *name, size_t size)
{
	const int is_k = strlen(format) == 4 && format[3] == 'K';
	if (!of_f32)
		snprintf(name, size, "mul_mat_vec_%.8s_q8_1_cuda%d", format, (int)columns);
	else
		snprintf(name, size, "dequantize_mul_mat_vec_%.8s%s", format, is_k ? "" : "_cuda");
	if (of_f32 && is_k)
		name[strlen(name) - 1] = 'k';
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &quantised_matvec_family;
	char entry[64];
	struct matvec matvec;
	int64_t columns;
	if (operator_int(family, assignment, "columns", 1, MOST_COLUMNS, &columns, err))
		return -1;
	entry_name(strcmp(operator_value(family, assignment, "vector"), "f32") == 0, operator_value(family, assignment, "format"),
		   columns, entry, sizeof entry);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) || parse(test, &matvec, err) ||
	    quantised_add_weights(test, matvec.format, matvec.rows * matvec.k, err))
		return -1;
	const int64_t dims[2] = {matvec.columns, matvec.rows}, strides[2] = {matvec.rows + matvec.gap, 1};
	const int64_t count[1] = {matvec.of_f32 ? matvec.k : matvec.columns * matvec.padded / 32 * 36};
	if (!case_add_tensor(test, "vectors", TENSOR_INPUT, matvec.of_f32 ? DTYPE_F32 : DTYPE_U8, 1, count, NULL, err) ||
	    !case_add_tensor(test, "out", TENSOR_OUTPUT, DTYPE_F32, 2, dims, strides, err))
		return -1;
	return 0;
}

static int fill(struct test_case *test, struct error *err)
{
	struct matvec matvec;
	if (parse(test, &matvec, err) || quantised_fill_weights(test, matvec.format, err))
		return -1;
	if (!matvec.of_f32)
		return quantised_fill_activations(test, "vectors", matvec.columns, matvec.k, matvec.padded, err);
	return quantised_fill_input(test, "vectors", matvec.k, err);
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&quantised_matvec_family, test, err);
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	char name[64];
	(void)abi;
	for (int format = 0; format < GGUF_FORMAT_COUNT; format++) {
		for (int columns = 0; columns <= MOST_COLUMNS && QUANTISED_WEIGHTS >> format & 1; columns++) {
			entry_name(columns == 0, gguf_layouts[format].name, columns, name, sizeof name);
			visit(context, &(struct operator_symbol){name, "quantized", 0});
		}
	}
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	struct matvec matvec;
	(void)abi;
	if (parse(test, &matvec, err))
		return -1;
	argument_tensor(launch, test, "weights");
	argument_tensor(launch, test, "vectors");
	argument_tensor(launch, test, "out");
	argument_u32(launch, matvec.k);
	if (matvec.of_f32) {
		if (matvec.format != GGUF_Q5_K) /* it alone has no such parameter */
			argument_u32(launch, matvec.rows);
		launch->grid = (struct device_dim3){(uint32_t)matvec.rows, 1, 1};
		launch->block = (struct device_dim3){32, 1, 1};
		return 0;
	}
	argument_u32(launch, matvec.rows);
	argument_u32(launch, matvec.padded);
	argument_u32(launch, matvec.rows + matvec.gap);
	launch->grid = (struct device_dim3){(uint32_t)(matvec.columns == 1 ? matvec.rows : (matvec.rows + 1) / 2), 1, 1};
	launch->block = (struct device_dim3){32, matvec.columns <= 4 ? 4 : 2, 1};
	return 0;
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct matvec matvec;
	(void)abi;
	(void)output;
	if (parse(test, &matvec, err))
		return -1;
	struct quantised_products products = {
		.format = matvec.format,
		.k = matvec.k,
		.padded = matvec.padded,
		.of_f32 = matvec.of_f32,
		.share = SHARE_BLOCK,
	};
	return quantised_expect_matrix(test, &products, matvec.columns, matvec.rows, expected, err);
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct matvec matvec;
	if (parse(test, &matvec, err))
		return -1;
	const double vector = matvec.of_f32 ? 4 : 36.0 / 32, size = (double)matvec.k * (double)matvec.rows;
	*work = (struct work){
		.flops = 2 * size * (double)matvec.columns,
		.bytes = quantised_bytes(matvec.format, size) + (double)matvec.columns * (double)matvec.k * vector +
			 4 * (double)matvec.columns * (double)matvec.rows,
		.unit = WORK_BYTES,
	};
	return 0;
}

const struct family quantised_matvec_family = {
	.name = "quantised_matvec",
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
