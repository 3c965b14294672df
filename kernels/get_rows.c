/* Rows of a table by number, as float32: get_rows_{f32, f16, bf16, format} of the module quantized, from Candle 0.11 on.
 *
 *   out[i, :] = row ids[i] of the table, whose rows have a gap between them
 *
 * Axes:
 *   type    f32 | f16 | bf16 | q4_0 .. q6_K
 *   hidden  elements of a row
 *   rows    of the table
 *   count   ids
 *   gap     elements between rows, or blocks: the argument counts bytes, but a row of a table of blocks begins with a whole one,
 *           aligned as blocks are
 *   ids     random | first | last | cycle | same
 *   values  of floating-point tables: those of operator_values and generate.h; "blocks" gives the kind of blocks
 *
 * Floating-point elements come out exactly. Blocks: one rounding to float32 of the exact value, as in dequantise.c. */
#include "kernels/quantised.h"

#include "core/util.h"
#include "dataset/generate.h"
#include "kernels/operator_like.h"

#include <math.h>
#include <string.h>

static const char *const axes[] = {"type", "hidden", "rows", "count", "gap", "ids", "values", "blocks", NULL};
static const char *const defaults[] = {"q4_0", "512", "7", "5", "0", "random", "normal", "random"};
static const char *const in_entry[] = {"type", NULL};

enum { STREAM_TABLE = 1 };

struct get_rows {
	enum dtype dtype;         /* of a floating-point table, or invalid: then */
	enum gguf_format format;
	int64_t hidden, rows, count, gap;
	int64_t row_bytes;        /* without the gap */
	enum quantised_ids ids;
};

static int parse(const struct test_case *test, struct get_rows *get, struct error *err)
{
	const char *type = case_get_text(test, "type");
	get->dtype = operator_dtype(test, "type");
	get->format = gguf_format_from_name(type ? type : "");
	const int is_blocks = get->format != GGUF_FORMAT_COUNT && QUANTISED_WEIGHTS >> get->format & 1;
	if (!is_blocks && get->dtype != DTYPE_F32 && get->dtype != DTYPE_F16 && get->dtype != DTYPE_BF16)
		return error_set(err, ERROR_INPUT, "case %s: axis type: '%s' has no such entry point", test->name,
				 type ? type : "");
	if (quantised_int(test, "hidden", 1, 1 << 24, &get->hidden, err) ||
	    quantised_int(test, "rows", 1, 1 << 30, &get->rows, err) ||
	    quantised_int(test, "count", 1, INT32_MAX, &get->count, err) ||
	    quantised_int(test, "gap", 0, 1 << 20, &get->gap, err) || quantised_check_words(test, err))
		return -1;
	if (quantised_ids_of(test, &get->ids, err))
		return -1;
	const struct gguf_layout *layout = is_blocks ? &gguf_layouts[get->format] : NULL;
	const int64_t unit = is_blocks ? layout->bytes : (int64_t)dtype_size(get->dtype);
	if (is_blocks && get->hidden % layout->elements)
		return error_set(err, ERROR_INPUT, "case %s: hidden is no whole number of blocks", test->name);
	get->gap *= unit; /* in bytes from here on */
	if (is_blocks)
		get->dtype = DTYPE_INVALID;
	get->row_bytes = is_blocks ? get->hidden / layout->elements * layout->bytes : get->hidden * unit;
	return 0;
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	char entry[64];
	struct get_rows get;
	snprintf(entry, sizeof entry, "get_rows_%.16s", operator_value(&get_rows_family, assignment, "type"));
	if (operator_begin(&get_rows_family, assignment, seed, entry, in_entry, test, err) || parse(test, &get, err))
		return -1;
	const int64_t size = get.dtype ? (int64_t)dtype_size(get.dtype) : 1, row = get.row_bytes / size;
	const int64_t dims[2] = {get.rows, row}, strides[2] = {row + get.gap / size, 1}, out[2] = {get.count, get.hidden};
	if (!case_add_tensor(test, "table", TENSOR_INPUT, get.dtype ? get.dtype : DTYPE_U8, 2, dims, strides, err) ||
	    !case_add_tensor(test, "ids", TENSOR_INPUT, DTYPE_U32, 1, &get.count, NULL, err) ||
	    !case_add_tensor(test, "out", TENSOR_OUTPUT, DTYPE_F32, 2, out, NULL, err))
		return -1;
	return 0;
}

static int fill(struct test_case *test, struct error *err)
{
	struct get_rows get;
	struct tensor *table = case_find_tensor(test, "table", TENSOR_INPUT), *ids = case_find_tensor(test, "ids", TENSOR_INPUT);
	if (parse(test, &get, err) || tensor_allocate(ids, err))
		return -1;
	for (int64_t i = 0; i < get.count; i++)
		((uint32_t *)ids->data)[i] = quantised_id(get.ids, get.rows, test->seed, i);
	snprintf(ids->generator, sizeof ids->generator, "%s", quantised_ids_kinds[get.ids]);
	if (get.dtype)
		return operator_fill(table, case_get_text(test, "values"), 1, test->seed, STREAM_TABLE, err);
	if (tensor_allocate(table, err))
		return -1;
	const int64_t blocks = get.hidden / gguf_layouts[get.format].elements;
	for (int64_t row = 0; row < get.rows; row++)
		if (gguf_fill(get.format, case_get_text(test, "blocks"), blocks, test->seed + (uint64_t)row, STREAM_TABLE,
			      (unsigned char *)table->data + row * (get.row_bytes + get.gap)))
			return error_set(err, ERROR_INPUT, "case %s: axis blocks: no such kind", test->name);
	snprintf(table->generator, sizeof table->generator, "gguf %.18s", case_get_text(test, "blocks"));
	return 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	struct get_rows get;
	if (operator_check_like(&get_rows_family, test, err) || parse(test, &get, err))
		return -1;
	const uint32_t *ids = case_tensor_data(test, operator_tensor(test, "ids"));
	for (int64_t i = 0; ids && i < get.count; i++)
		if (ids[i] >= get.rows)
			return error_set(err, ERROR_INPUT, "case %s: ids[%lld] is %u, but the table has %lld rows", test->name,
					 (long long)i, ids[i], (long long)get.rows);
	return 0;
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	static const char *const floats[] = {"f32", "f16", "bf16"};
	char name[64];
	if (abi != OPERATOR_ABI_011)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(floats); i++) {
		snprintf(name, sizeof name, "get_rows_%s", floats[i]);
		visit(context, &(struct operator_symbol){name, "quantized", 0});
	}
	for (int format = 0; format < GGUF_FORMAT_COUNT; format++) {
		if (!(QUANTISED_WEIGHTS >> format & 1))
			continue;
		snprintf(name, sizeof name, "get_rows_%s", gguf_layouts[format].name);
		visit(context, &(struct operator_symbol){name, "quantized", 0});
	}
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	struct get_rows get;
	(void)abi;
	if (parse(test, &get, err))
		return -1;
	const int of_256 = !get.dtype && gguf_layouts[get.format].elements == 256;
	const int64_t per_block = get.dtype || of_256 ? 256 : 512;
	argument_tensor(launch, test, "table");
	argument_tensor(launch, test, "ids");
	argument_tensor(launch, test, "out");
	argument_size(launch, get.hidden);
	argument_size(launch, get.row_bytes + get.gap);
	launch->grid = (struct device_dim3){(uint32_t)get.count, (uint32_t)((get.hidden + per_block - 1) / per_block), 1};
	launch->block = (struct device_dim3){!of_256 ? 256 : get.format == GGUF_Q4_K ? 32 : 64, 1, 1};
	return 0;
}

struct job {
	const struct get_rows *get;
	const unsigned char *table;
	const uint32_t *ids;
	struct expectation *expected;
};

static void expect_rows(void *context, int64_t first, int64_t last)
{
	const struct job *job = context;
	const struct get_rows *get = job->get;
	for (int64_t i = first; i < last; i++) {
		const unsigned char *row = job->table + (int64_t)job->ids[i] * (get->row_bytes + get->gap);
		struct expectation *expected = job->expected + i * get->hidden;
		struct gguf_block block;
		for (int64_t h = 0; h < get->hidden; h++) {
			if (get->dtype) {
				expected[h].value = load_exact(get->dtype, row, (size_t)h);
				expected[h].flags = EXPECT_SIGNED_ZERO;
				continue;
			}
			const struct gguf_layout *layout = &gguf_layouts[get->format];
			const int at = (int)(h % layout->elements);
			if (at == 0)
				gguf_decode(get->format, row + h / layout->elements * layout->bytes, &block);
			expected[h].value = (long double)(float)gguf_value(&block, at);
			if (!isfinite(block.d) || !isfinite(block.m))
				expected[h].flags = EXPECT_ANY; /* infinities cancel or not as the terms are grouped */
		}
	}
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct get_rows get;
	(void)abi;
	(void)output;
	if (parse(test, &get, err))
		return -1;
	struct job job = {&get, case_tensor_data(test, operator_tensor(test, "table")),
			  case_tensor_data(test, operator_tensor(test, "ids")), expected};
	parallel_for(get.count, 1 + 65536 / get.hidden, expect_rows, &job);
	return 0;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct get_rows get;
	if (parse(test, &get, err))
		return -1;
	*work = (struct work){
		.flops = 0,
		.bytes = (double)get.count * ((double)get.row_bytes + 4 * (double)get.hidden + 4),
		.unit = WORK_BYTES,
	};
	return 0;
}

const struct family get_rows_family = {
	.name = "get_rows",
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
