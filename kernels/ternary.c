/* Candle's module `ternary`: out = ids ? t : f.
 *
 *   where_I_T(numel: size_t, num_dims: size_t, info*, ids*, t*, f*, out*)
 *
 * info = dims | ids strides | t strides | f strides, never NULL; out is contiguous. Elements are moved bit by bit, NaNs too; an
 * index of any value but zero, negative ones too, takes t. f8_e4m3 is spelled fp8_e4m3 in this module. */
#include "kernels/elementwise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct index_type {
	enum dtype dtype;
	int f8_only; /* exists for f8_e4m3 alone */
} index_types[] = {{DTYPE_I64, 0}, {DTYPE_U32, 0}, {DTYPE_U8, 0}, {DTYPE_I16, 1}, {DTYPE_I32, 1}, {DTYPE_INVALID, 0}};

enum { F8_LEAST_CC = 89 };

/* Axes:
 *   index, dtype      the entry point
 *   shape             3x4x5, up to six axes; scalar: none
 *   ids, t, f         layouts (operator_layouts)
 *   condition         ids: mixed   half are zero, others 1, 2, a power of two, the highest bit alone, all bits, or any
 *                          none | all   every one zero, or none of them
 *                          high    those that are not zero have zeros in their low half
 *   values            those of operator_fill for t and f
 *   launch            elementwise_launches */
static const char *const axes[] = {"index", "dtype", "shape", "ids", "t", "f", "condition", "values", "launch", NULL};
static const char *const defaults[] = {"u8", "f32", "1000", "contiguous", "contiguous", "contiguous", "mixed", "bits", "default"};
static const char *const in_entry[] = {"index", "dtype", NULL};
static const char *const conditions[] = {"mixed", "none", "all", "high", NULL};

enum { STREAM_IDS = 1, STREAM_T, STREAM_F, STREAM_CHOICE };

/* defined below */
extern const struct family ternary_family;

static const struct elementwise_type *find_type(const char *name)
{
	const struct elementwise_type *type = elementwise_types;
	while (type->dtype && strcmp(dtype_name(type->dtype), name) != 0)
		type++;
	return type->dtype ? type : NULL;
}

static const struct index_type *find_index(const char *name)
{
	const struct index_type *index = index_types;
	while (index->dtype && strcmp(dtype_name(index->dtype), name) != 0)
		index++;
	return index->dtype ? index : NULL;
}

static void name_of(enum dtype index, enum dtype dtype, char name[64])
{
	snprintf(name, 64, "where_%s_%s", dtype_name(index), dtype == DTYPE_F8_E4M3 ? "fp8_e4m3" : dtype_name(dtype));
}

static void ternary_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* all profiles have the same */
	char name[64];
	for (const struct elementwise_type *type = elementwise_types; type->dtype; type++)
		for (const struct index_type *index = index_types; index->dtype; index++) {
			const int f8 = type->dtype == DTYPE_F8_E4M3;
			if (index->f8_only && !f8)
				continue;
			name_of(index->dtype, type->dtype, name);
			visit(context, &(struct operator_symbol){name, "ternary", f8 ? F8_LEAST_CC : type->least_cc});
		}
}

static int ternary_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	static const char *const operands[] = {"ids", "t", "f"};
	const struct family *const family = &ternary_family;
	const char *const index_name = operator_value(family, assignment, "index");
	const char *const type_name = operator_value(family, assignment, "dtype");
	const struct index_type *const index = find_index(index_name);
	const struct elementwise_type *const type = find_type(type_name);
	int64_t dims[TENSOR_RANK_MAX];
	int rank = 0;
	char entry[64];
	if (!index || !type || (index->f8_only && type->dtype != DTYPE_F8_E4M3))
		return error_set(err, ERROR_INPUT, "the module ternary has no kernel for index:%s and dtype:%s", index_name,
				 type_name);
	name_of(index->dtype, type->dtype, entry);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    (strcmp(operator_value(family, assignment, "shape"), "scalar") != 0 &&
	     elementwise_dims(family, assignment, "shape", dims, &rank, err)) ||
	    elementwise_check_launch(family, assignment, err) ||
	    operator_is_one_of(family, assignment, "condition", conditions, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (!operator_add_tensor(test, operands[i], TENSOR_INPUT, i == 0 ? index->dtype : type->dtype, rank, dims,
					 operator_value(family, assignment, operands[i]), err))
			return -1;
	if (operator_add_info(test, "info", operands, 3, err) ||
	    !operator_add_tensor(test, "out", TENSOR_OUTPUT, type->dtype, rank, dims, "contiguous", err))
		return -1;
	return 0;
}

static uint64_t condition_bits(const char *condition, enum dtype dtype, uint64_t random)
{
	const int bits = 8 * (int)dtype_size(dtype);
	const uint64_t mask = elementwise_mask(dtype), top = mask / 2 + 1;
	if (strcmp(condition, "none") == 0 || (strcmp(condition, "all") != 0 && random >> 63))
		return 0;
	if (strcmp(condition, "high") == 0)
		return 1ull << (bits / 2 + (int)(random >> 32 & 63) % (bits / 2));
	switch (random >> 56 & 7) {
	case 0:
	case 1:
		return 1;
	case 2:
		return 2;
	case 3:
		return top;
	case 4:
		return mask;
	case 5:
		return 1ull << (random >> 32) % (unsigned)bits;
	default:
		return (random & mask) | 1ull << (random >> 48) % (unsigned)bits;
	}
}

static int ternary_fill(struct test_case *test, struct error *err)
{
	const char *const values = case_get_text(test, "values"), *const condition = case_get_text(test, "condition");
	if (elementwise_fill(test, "ids", "zeros", STREAM_IDS, err) || elementwise_fill(test, "t", values, STREAM_T, err) ||
	    elementwise_fill(test, "f", values, STREAM_F, err))
		return -1;
	struct tensor *const ids = elementwise_storage(test, "ids");
	for (int64_t i = 0; i < ids->extent; i++)
		elementwise_set_bits(ids->dtype, ids->data, i,
				     condition_bits(condition, ids->dtype, elementwise_random(test->seed, STREAM_CHOICE, i)));
	snprintf(ids->generator, sizeof ids->generator, "%s", condition);
	return 0;
}

static int ternary_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&ternary_family, test, err);
}

static int ternary_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	(void)err;
	const struct tensor *const out = operator_tensor(test, "out");
	const int64_t count = tensor_elements(out);
	argument_size(launch, count);
	argument_size(launch, out->rank);
	argument_tensor(launch, test, "info");
	argument_tensor(launch, test, "ids");
	argument_tensor(launch, test, "t");
	argument_tensor(launch, test, "f");
	argument_tensor(launch, test, "out");
	elementwise_launch(test, count, launch);
	return 0;
}

struct job {
	struct elementwise_operand ids, t, f;
	struct expectation *expected;
};

static struct job job_of(const struct test_case *test)
{
	return (struct job){elementwise_operand(test, "ids"), elementwise_operand(test, "t"), elementwise_operand(test, "f"),
			    NULL};
}

static uint64_t due_bits(const void *context, int64_t linear)
{
	const struct job *const job = context;
	const uint64_t id = elementwise_bits(job->ids.tensor->dtype, job->ids.data, elementwise_at(&job->ids, linear));
	const struct elementwise_operand *const from = id ? &job->t : &job->f;
	return elementwise_bits(from->tensor->dtype, from->data, elementwise_at(from, linear));
}

static void expect_part(void *context, int64_t first, int64_t last)
{
	const struct job *const job = context;
	for (int64_t i = first; i < last; i++) {
		const uint64_t bits = due_bits(job, i);
		elementwise_expect_moved(&job->expected[i], job->t.tensor->dtype, &bits, 0);
	}
}

static int ternary_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
				struct error *err)
{
	(void)abi;
	(void)err;
	struct job job = job_of(test);
	job.expected = expected;
	parallel_for(tensor_elements(output), 1 << 16, expect_part, &job);
	return 0;
}

static int ternary_judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	const struct job job = job_of(outputs->test);
	return elementwise_judge_moved(outputs, "out", due_bits, &job, out, err);
}

static int ternary_work(const struct test_case *test, struct work *work, struct error *err)
{
	(void)err;
	/* both choices are read: which one, a warp's worth of random conditions does not spare */
	*work = (struct work){.bytes = elementwise_bytes(test, "ids") + elementwise_bytes(test, "t") + elementwise_bytes(test, "f") +
				       elementwise_bytes(test, "out"),
			      .unit = WORK_BYTES};
	return 0;
}

const struct family ternary_family = {
	.name = "ternary",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = ternary_make_case,
	.fill = ternary_fill,
	.check_case = ternary_check_case,
	.work = ternary_work,
	.symbols = ternary_symbols,
	.launch = ternary_launch,
	.expectations = ternary_expectations,
	.judge_outputs = ternary_judge_outputs,
};
