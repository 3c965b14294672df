/* A quantised matrix times many vectors of q8_1 blocks: mul_mat_{format} of the module quantized.
 *
 * Axes:
 *   format   q4_0 .. q6_K
 *   columns  vectors
 *   k        elements of a row; a multiple of the block's
 *   rows     of the matrix
 *   blocks, padding, input  as in quantised.h
 *
 * A block of the grid makes a tile of `tile_rows` by `tile_columns` outputs from runs of 256 or 512 elements: a row that
 * ends within a run goes on into the next row (the last into the padding), where the vectors, padded to a multiple of 512
 * elements, are zeros. Bounds and right answers as for quantised_matvec. */
#include "kernels/quantised.h"

#include "core/util.h"
#include "kernels/operator_like.h"

static const char *const axes[] = {"format", "columns", "k", "rows", "blocks", "padding", "input", NULL};
static const char *const defaults[] = {"q4_0", "9", "512", "33", "random", "zeros", "normal"};
static const char *const in_entry[] = {"format", NULL};

/* Of the launches that the contract gives for each format. */
static const struct {
	int columns, rows;
} tiles[GGUF_FORMAT_COUNT] = {
	[GGUF_Q4_0] = {64, 128}, [GGUF_Q4_1] = {64, 128}, [GGUF_Q5_0] = {128, 64},  [GGUF_Q5_1] = {128, 64}, [GGUF_Q8_0] = {128, 64},
	[GGUF_Q2_K] = {64, 128}, [GGUF_Q3_K] = {128, 128}, [GGUF_Q4_K] = {64, 128}, [GGUF_Q5_K] = {64, 128}, [GGUF_Q6_K] = {64, 64},
};

struct matmul {
	enum gguf_format format;
	int64_t columns, k, rows, padded;
};

static int parse(const struct test_case *test, struct matmul *matmul, struct error *err)
{
	if (quantised_format(test, QUANTISED_WEIGHTS, &matmul->format, err) || quantised_check_words(test, err) ||
	    quantised_int(test, "columns", 1, INT32_MAX / 2, &matmul->columns, err) ||
	    quantised_k(test, matmul->format, INT32_MAX - QUANTISED_ROW_PADDING, &matmul->k, err) ||
	    quantised_int(test, "rows", 1, INT32_MAX / 2, &matmul->rows, err))
		return -1;
	matmul->padded = quantised_round_up(matmul->k, QUANTISED_ROW_PADDING);
	if (matmul->columns > INT64_MAX / 64 / matmul->padded)
		return error_set(err, ERROR_INPUT, "case %s: its vectors are too large", test->name);
	return 0;
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	char entry[64];
	struct matmul matmul;
	snprintf(entry, sizeof entry, "mul_mat_%.8s", operator_value(&quantised_matmul_family, assignment, "format"));
	if (operator_begin(&quantised_matmul_family, assignment, seed, entry, in_entry, test, err) || parse(test, &matmul, err) ||
	    quantised_add_weights(test, matmul.format, matmul.rows * matmul.k, err))
		return -1;
	const int64_t dims[2] = {matmul.columns, matmul.rows}, count[1] = {matmul.columns * matmul.padded / 32 * 36};
	if (!case_add_tensor(test, "vectors", TENSOR_INPUT, DTYPE_U8, 1, count, NULL, err) ||
	    !case_add_tensor(test, "out", TENSOR_OUTPUT, DTYPE_F32, 2, dims, NULL, err))
		return -1;
	return 0;
}

static int fill(struct test_case *test, struct error *err)
{
	struct matmul matmul;
	if (parse(test, &matmul, err) || quantised_fill_weights(test, matmul.format, err))
		return -1;
	return quantised_fill_activations(test, "vectors", matmul.columns, matmul.k, matmul.padded, err);
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&quantised_matmul_family, test, err);
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi;
	for (int format = 0; format < GGUF_FORMAT_COUNT; format++) {
		char name[64];
		if (!(QUANTISED_WEIGHTS >> format & 1))
			continue;
		snprintf(name, sizeof name, "mul_mat_%s", gguf_layouts[format].name);
		visit(context, &(struct operator_symbol){name, "quantized", 0});
	}
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	struct matmul matmul;
	(void)abi;
	if (parse(test, &matmul, err))
		return -1;
	argument_tensor(launch, test, "weights");
	argument_tensor(launch, test, "vectors");
	argument_tensor(launch, test, "out");
	argument_u32(launch, matmul.k);
	argument_u32(launch, matmul.rows);
	argument_u32(launch, matmul.columns);
	argument_u32(launch, matmul.padded);
	argument_u32(launch, matmul.rows);
	const int64_t tile_rows = tiles[matmul.format].rows, tile_columns = tiles[matmul.format].columns;
	launch->grid = (struct device_dim3){(uint32_t)((matmul.rows + tile_rows - 1) / tile_rows),
					    (uint32_t)((matmul.columns + tile_columns - 1) / tile_columns), 1};
	launch->block = (struct device_dim3){32, 4, 1};
	return 0;
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct matmul matmul;
	(void)abi;
	(void)output;
	if (parse(test, &matmul, err))
		return -1;
	struct quantised_products products = {
		.format = matmul.format,
		.k = matmul.k,
		.padded = matmul.padded,
		.share = SHARE_NONE,
	};
	return quantised_expect_matrix(test, &products, matmul.columns, matmul.rows, expected, err);
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct matmul matmul;
	if (parse(test, &matmul, err))
		return -1;
	const double k = (double)matmul.k, rows = (double)matmul.rows, columns = (double)matmul.columns;
	*work = (struct work){
		.flops = 2 * k * rows * columns,
		.bytes = quantised_bytes(matmul.format, k * rows) + k * columns * 36 / 32 + 4 * rows * columns,
		.unit = WORK_FLOPS,
	};
	return 0;
}

const struct family quantised_matmul_family = {
	.name = "quantised_matmul",
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
