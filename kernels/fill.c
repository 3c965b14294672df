/* Candle's module `fill`:
 *   fill_T(buf*, value: T, numel: size_t)                                      buf[0 .. numel) = value
 *   copy2d_T(src*, dst*, d1: u32, d2: u32, src_s: u32, dst_s: u32)             d1 rows of d2 elements; row r from src + r * src_s
 *                                                                              to dst + r * dst_s
 *   const_set_T(numel: size_t, num_dims: size_t, info*, value: T, out*)        every element of a strided view of out
 * info = dims | strides of out, NULL when it is contiguous. copy2d wants a thread for each element.
 * Everything is moved bit by bit, NaNs too; what lies between rows or elements of a view stays as it was. */
#include "kernels/elementwise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum op { FILL, COPY2D, CONST_SET };
static const char *const operations[] = {"fill", "copy2d", "const_set", NULL};

/* Axes:
 *   op, dtype              the entry point
 *   shape                  of what is written; copy2d: d1xd2
 *   layout                 of what is written: fill contiguous | offset, const_set any without stride 0; copy2d contiguous | offset,
 *                          of both sides, its strides being the next two
 *   info                   const_set: given | null | widened
 *   src_stride, dst_stride copy2d: elements from row to row, or `row`: d2. Rows of src may overlap, those of dst may not.
 *   value                  of fill and const_set, by name (fill_values)
 *   values                 copy2d: those of operator_fill for src
 *   launch                 elementwise_launches; copy2d: default | long | small */
static const char *const axes[] = {"op",	 "dtype", "shape",  "layout", "info", "src_stride",
				   "dst_stride", "value", "values", "launch", NULL};
static const char *const defaults[] = {"fill", "f32", "1000", "contiguous", "given", "row", "row", "pattern", "bits", "default"};
static const char *const in_entry[] = {"op", "dtype", NULL};

/*   pattern   all bytes differ from each other and from zero
 *   zero, ones (all bits: a NaN), top (the highest bit alone: -0, or the smallest integer), low (the lowest bit alone: the smallest
 *   subnormal number, or 1), one, quiet (a NaN with a payload), signalling (a signalling NaN), infinity (f8_e4m3 has none: 448) */
static const char *const fill_values[] = {"pattern", "zero", "ones", "top", "low", "one", "quiet", "signalling", "infinity", NULL};

enum { STREAM_SOURCE = 1 };

/* defined below */
extern const struct family fill_family;

static void fill_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* all profiles have the same */
	char name[64];
	for (int op = 0; operations[op]; op++)
		for (const struct elementwise_type *type = elementwise_types; type->dtype; type++) {
			snprintf(name, sizeof name, "%s_%s", operations[op], dtype_name(type->dtype));
			visit(context, &(struct operator_symbol){name, "fill", type->least_cc});
		}
}

static int operation_of(const struct test_case *test)
{
	const char *const text = case_get_text(test, "op");
	int op = 0;
	while (operations[op] && strcmp(operations[op], text) != 0)
		op++;
	return op;
}

/* ---- cases ---------------------------------------------------------------------------------------------------------- */

static int read_stride(const struct assignment *assignment, const char *axis, int64_t row, int64_t *stride, struct error *err)
{
	*stride = row;
	return strcmp(operator_value(&fill_family, assignment, axis), "row") == 0 ?
		       0 : operator_int(&fill_family, assignment, axis, 0, ELEMENTWISE_MOST, stride, err);
}

static int add_rows(struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype, const int64_t *dims,
		    int64_t stride, int offset, struct error *err)
{
	const int64_t strides[] = {stride, 1};
	enum { BEFORE = 3, BEHIND = 5 }; /* elements of the storage around an offset view, as operator_layouts has them */
	char storage[32];
	snprintf(storage, sizeof storage, "%s_storage", name);
	if (!offset)
		return case_add_tensor(test, name, role, dtype, 2, dims, strides, err) ? 0 : -1;
	const int64_t whole[] = {BEFORE + BEHIND + (dims[0] ? (dims[0] - 1) * stride : 0) + dims[1]};
	if (!case_add_tensor(test, storage, role, dtype, 1, whole, NULL, err))
		return -1;
	struct tensor *const tensor = case_add_tensor(test, name, role, dtype, 2, dims, strides, err);
	return tensor ? case_share_storage(test, tensor, storage, BEFORE, err) : -1;
}

static int make_copy2d(const struct assignment *assignment, enum dtype dtype, const int64_t *dims, int rank,
		       struct test_case *test, struct error *err)
{
	static const char *const layouts[] = {"contiguous", "offset", NULL};
	static const char *const launches[] = {"default", "long", "small", NULL}; /* none that leaves elements without a thread */
	int64_t src, dst;
	const int layout = operator_is_one_of(&fill_family, assignment, "layout", layouts, err);
	if (layout < 0 || operator_is_one_of(&fill_family, assignment, "launch", launches, err) < 0)
		return -1;
	if (rank != 2)
		return error_set(err, ERROR_INPUT, "shape:%s: copy2d copies rows by columns, such as 3x4",
				 operator_value(&fill_family, assignment, "shape"));
	if (read_stride(assignment, "src_stride", dims[1], &src, err) || read_stride(assignment, "dst_stride", dims[1], &dst, err))
		return -1;
	if (dst < dims[1] && dims[0] > 1)
		return error_set(err, ERROR_INPUT, "dst_stride:%lld is less than a row of %lld: rows would overlap", (long long)dst,
				 (long long)dims[1]);
	if (dims[0] > 1 && (src > ELEMENTWISE_MOST / dims[0] || dst > ELEMENTWISE_MOST / dims[0]))
		return error_set(err, ERROR_INPUT, "%lld rows with strides of %lld and %lld are more than %lld elements",
				 (long long)dims[0], (long long)src, (long long)dst, ELEMENTWISE_MOST);
	return add_rows(test, "src", TENSOR_INPUT, dtype, dims, src, layout == 1, err) ||
			       add_rows(test, "dst", TENSOR_OUTPUT, dtype, dims, dst, layout == 1, err) ?
		       -1 : 0;
}

static int make_constant(const struct assignment *assignment, int op, enum dtype dtype, const int64_t *dims, int rank,
			 struct test_case *test, struct error *err)
{
	static const char *const fill_layouts[] = {"contiguous", "offset", NULL};
	static const char *const set_layouts[] = {"contiguous", "transposed", "strided", "offset", NULL};
	static const char *const operands[] = {"out"};
	const int layout = operator_is_one_of(&fill_family, assignment, "layout", op == FILL ? fill_layouts : set_layouts, err);
	if (layout < 0 || operator_is_one_of(&fill_family, assignment, "value", fill_values, err) < 0 ||
	    elementwise_check_launch(&fill_family, assignment, err) ||
	    !operator_add_tensor(test, "out", TENSOR_OUTPUT, dtype, rank, dims, operator_value(&fill_family, assignment, "layout"), err))
		return -1;
	return op == FILL ? 0 : elementwise_add_info(&fill_family, assignment, operands, 1, test, err);
}

static int fill_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	int64_t dims[TENSOR_RANK_MAX];
	int rank;
	char entry[64];
	const int op = operator_is_one_of(&fill_family, assignment, "op", operations, err);
	const char *const type_name = operator_value(&fill_family, assignment, "dtype");
	const struct elementwise_type *type = elementwise_types;
	while (type->dtype && strcmp(dtype_name(type->dtype), type_name) != 0)
		type++;
	if (op < 0)
		return -1;
	if (!type->dtype)
		return error_set(err, ERROR_INPUT, "axis dtype: '%s' is no type of the module fill", type_name);
	snprintf(entry, sizeof entry, "%s_%s", operations[op], type_name);
	if (operator_begin(&fill_family, assignment, seed, entry, in_entry, test, err) ||
	    elementwise_dims(&fill_family, assignment, "shape", dims, &rank, err))
		return -1;
	return op == COPY2D ? make_copy2d(assignment, type->dtype, dims, rank, test, err) :
			      make_constant(assignment, op, type->dtype, dims, rank, test, err);
}

static int fill_fill(struct test_case *test, struct error *err)
{
	return operation_of(test) == COPY2D ? elementwise_fill(test, "src", case_get_text(test, "values"), STREAM_SOURCE, err) : 0;
}

static int fill_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&fill_family, test, err);
}

/* ---- launch and what is due ------------------------------------------------------------------------------------------- */

static uint64_t value_bits(enum dtype dtype, const char *value)
{
	const uint64_t mask = elementwise_mask(dtype), top = mask / 2 + 1;
	unsigned char bytes[8] = {0};
	uint64_t one;
	dtype_store(dtype, bytes, 0, 1.0);
	one = elementwise_bits(dtype, bytes, 0);
	const uint64_t infinity = dtype == DTYPE_F64 ? 0x7ff0ull << 48 : dtype == DTYPE_F32 ? 0x7f800000 : dtype == DTYPE_F16 ? 0x7c00 :
				  dtype == DTYPE_BF16 ? 0x7f80 : top - 2;
	const uint64_t quiet = (infinity & (0 - infinity)) >> 1; /* below the exponent's lowest bit */
	const struct {
		const char *name;
		uint64_t bits;
	} values[] = {
		{"pattern", 0xf1c2d3b4a5968778 & mask}, {"zero", 0}, {"ones", mask}, {"top", top}, {"low", 1}, {"one", one},
		{"quiet", infinity | quiet | 5}, {"signalling", infinity | 1}, {"infinity", infinity},
	};
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (strcmp(values[i].name, value) == 0)
			return values[i].bits;
	return 0;
}

/* An element's bits by value: a double could not carry a NaN's. */
static void argument_bits(struct operator_launch *launch, enum dtype dtype, uint64_t bits)
{
	if (launch->argument_count == OPERATOR_ARGUMENTS_MAX) {
		launch->failed = 1;
		return;
	}
	struct operator_argument *const argument = &launch->arguments[launch->argument_count++];
	*argument = (struct operator_argument){.kind = ARGUMENT_VALUE, .size = (int)dtype_size(dtype)};
	memcpy(argument->value, &bits, dtype_size(dtype)); /* little-endian, as every machine is that CUDA runs on */
}

static int fill_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	(void)err;
	const int op = operation_of(test);
	const struct tensor *const out = operator_tensor(test, op == COPY2D ? "dst" : "out");
	const int64_t count = tensor_elements(out);
	const uint64_t bits = value_bits(out->dtype, case_get_text(test, "value"));
	if (op == FILL) {
		argument_tensor(launch, test, "out");
		argument_bits(launch, out->dtype, bits);
		argument_size(launch, count);
	} else if (op == COPY2D) {
		argument_tensor(launch, test, "src");
		argument_tensor(launch, test, "dst");
		argument_u32(launch, out->dims[0]);
		argument_u32(launch, out->dims[1]);
		argument_u32(launch, operator_tensor(test, "src")->strides[0]);
		argument_u32(launch, out->strides[0]);
	} else {
		argument_size(launch, count);
		elementwise_argument_info(launch, test, out->rank);
		argument_bits(launch, out->dtype, bits);
		argument_tensor(launch, test, "out");
	}
	elementwise_launch(test, count, launch);
	return 0;
}

struct due {
	int op;
	enum dtype dtype;
	uint64_t bits;
	struct elementwise_operand src; /* copy2d */
};

static struct due due_of(const struct test_case *test)
{
	struct due due = {.op = operation_of(test)};
	if (due.op == COPY2D)
		due.src = elementwise_operand(test, "src");
	due.dtype = operator_tensor(test, due.op == COPY2D ? "dst" : "out")->dtype;
	due.bits = value_bits(due.dtype, case_get_text(test, "value"));
	return due;
}

static uint64_t due_bits(const void *context, int64_t linear)
{
	const struct due *const due = context;
	return due->op == COPY2D ? elementwise_bits(due->dtype, due->src.data, elementwise_at(&due->src, linear)) : due->bits;
}

struct job {
	struct due due;
	struct expectation *expected;
};

static void expect_part(void *context, int64_t first, int64_t last)
{
	const struct job *const job = context;
	for (int64_t i = first; i < last; i++) {
		const uint64_t bits = due_bits(&job->due, i);
		elementwise_expect_moved(&job->expected[i], job->due.dtype, &bits, 0);
	}
}

static int fill_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			     struct error *err)
{
	(void)abi;
	(void)err;
	struct job job = {due_of(test), expected};
	parallel_for(tensor_elements(output), 1 << 16, expect_part, &job);
	return 0;
}

static int fill_judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	const struct due due = due_of(outputs->test);
	return elementwise_judge_moved(outputs, due.op == COPY2D ? "dst" : "out", due_bits, &due, out, err);
}

static int fill_work(const struct test_case *test, struct work *work, struct error *err)
{
	(void)err;
	const int copies = operation_of(test) == COPY2D;
	*work = (struct work){.bytes = elementwise_bytes(test, copies ? "dst" : "out") + (copies ? elementwise_bytes(test, "src") : 0),
			      .unit = WORK_BYTES};
	return 0;
}

const struct family fill_family = {
	.name = "fill",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = fill_make_case,
	.fill = fill_fill,
	.check_case = fill_check_case,
	.work = fill_work,
	.symbols = fill_symbols,
	.launch = fill_launch,
	.expectations = fill_expectations,
	.judge_outputs = fill_judge_outputs,
};
