#include "kernels/elementwise.h"

#include "dataset/generate.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct elementwise_type elementwise_types[] = {
	{DTYPE_BF16, 80}, {DTYPE_F16, 53}, {DTYPE_F32, 0}, {DTYPE_F64, 0},	  {DTYPE_U8, 0},
	{DTYPE_U32, 0},	  {DTYPE_I64, 0},  {DTYPE_F8_E4M3, 80}, {DTYPE_INVALID, 0},
};

const char *const elementwise_launches[] = {"default", "short", "long", "small", NULL};

int elementwise_check_launch(const struct family *family, const struct assignment *assignment, struct error *err)
{
	return operator_is_one_of(family, assignment, "launch", elementwise_launches, err) < 0 ? -1 : 0;
}

void elementwise_launch(const struct test_case *test, int64_t count, struct operator_launch *launch)
{
	const char *const kind = case_get_text(test, "launch");
	launch_for_elements(launch, count);
	if (!kind)
		return;
	if (strcmp(kind, "short") == 0) {
		launch->grid = (struct device_dim3){3, 1, 1};
		launch->block = (struct device_dim3){96, 1, 1};
	} else if (strcmp(kind, "long") == 0) {
		launch->grid.x += 2;
	} else if (strcmp(kind, "small") == 0) {
		launch->grid.x = (uint32_t)(count > 0 ? (count - 1) / 32 + 1 : 1);
		launch->block = (struct device_dim3){32, 1, 1};
	}
}

enum { WIDENED_BY = 2 };

static int add_widened(struct test_case *test, const char *const *operands, int operand_count, struct error *err)
{
	enum { OPERANDS_MOST = 3 };
	int64_t numbers[(TENSOR_RANK_MAX + WIDENED_BY) * (OPERANDS_MOST + 1)];
	const struct tensor *const first = operator_tensor(test, operands[0]);
	int count = 0;
	if (!first || operand_count > OPERANDS_MOST)
		return error_set(err, ERROR_INTERNAL, "case %s: no operands for info", test->name);
	for (int part = 0; part <= operand_count; part++) {
		const struct tensor *const operand = part ? operator_tensor(test, operands[part - 1]) : first;
		if (!operand || operand->rank != first->rank)
			return error_set(err, ERROR_INTERNAL, "case %s: operands of different ranks", test->name);
		const int64_t *const own = part ? operand->strides : operand->dims;
		const int64_t in_front = part && operand->rank ? own[0] * operand->dims[0] : 1;
		for (int axis = 0; axis < WIDENED_BY; axis++)
			numbers[count++] = in_front;
		for (int axis = 0; axis < operand->rank; axis++)
			numbers[count++] = own[axis];
	}
	return operator_add_numbers(test, "info", numbers, count, err);
}

int elementwise_add_info(const struct family *family, const struct assignment *assignment, const char *const *operands,
			 int operand_count, struct test_case *test, struct error *err)
{
	static const char *const words[] = {"null", "given", "widened", NULL};
	const int word = operator_is_one_of(family, assignment, "info", words, err);
	if (word < 0)
		return -1;
	if (word == 1)
		return operator_add_info(test, "info", operands, operand_count, err);
	if (word == 2)
		return add_widened(test, operands, operand_count, err);
	for (int i = 0; i < operand_count; i++) {
		const struct tensor *const tensor = operator_tensor(test, operands[i]);
		if (!tensor_is_contiguous(tensor))
			return error_set(err, ERROR_INPUT,
					 "info:null stands for contiguous operands, and %s is not: use info:given", operands[i]);
	}
	return 0;
}

void elementwise_argument_info(struct operator_launch *launch, const struct test_case *test, int rank)
{
	const char *const info = case_get_text(test, "info");
	argument_size(launch, rank + (info && strcmp(info, "widened") == 0 ? WIDENED_BY : 0));
	if (operator_tensor(test, "info"))
		argument_tensor(launch, test, "info");
	else
		argument_null(launch);
}

int64_t elementwise_count(const int64_t *dims, int rank)
{
	int64_t count = 1;
	for (int axis = 0; axis < rank; axis++)
		count *= dims[axis];
	return count;
}

int elementwise_dims(const struct family *family, const struct assignment *assignment, const char *axis, int64_t *dims, int *rank,
		     struct error *err)
{
	if (operator_dims(family, assignment, axis, TENSOR_RANK_MAX, dims, rank, err))
		return -1;
	int64_t count = 1; /* with empty axes as if they were 1, as their strides are made */
	for (int i = 0; i < *rank; i++) {
		const int64_t extent = dims[i] ? dims[i] : 1;
		if (extent > ELEMENTWISE_MOST / count)
			return error_set(err, ERROR_INPUT, "axis %s: '%s' has more than %lld elements", axis,
					 operator_value(family, assignment, axis), ELEMENTWISE_MOST);
		count *= extent;
	}
	return 0;
}

struct tensor *elementwise_storage(struct test_case *test, const char *name)
{
	struct tensor *const tensor = case_find_tensor(test, name, TENSOR_INPUT);
	return tensor && tensor->storage[0] ? case_find_tensor(test, tensor->storage, TENSOR_INPUT) : tensor;
}

int elementwise_fill(struct test_case *test, const char *name, const char *values, uint32_t stream, struct error *err)
{
	struct tensor *const storage = elementwise_storage(test, name);
	if (!storage)
		return error_set(err, ERROR_INTERNAL, "case %s has no input %s", test->name, name);
	return operator_fill(storage, values, 1.0, test->seed, stream, err);
}

uint64_t elementwise_bits(enum dtype dtype, const void *array, int64_t index)
{
	uint64_t bits = 0;
	const size_t size = dtype_size(dtype);
	memcpy(&bits, (const char *)array + (size_t)index * size, size);
	return bits;
}

void elementwise_set_bits(enum dtype dtype, void *array, int64_t index, uint64_t bits)
{
	const size_t size = dtype_size(dtype);
	memcpy((char *)array + (size_t)index * size, &bits, size);
}

uint64_t elementwise_mask(enum dtype dtype)
{
	return ~0ull >> (64 - 8 * dtype_size(dtype));
}

uint64_t elementwise_random(uint64_t seed, uint32_t stream, int64_t index)
{
	const uint32_t counter[4] = {(uint32_t)index, (uint32_t)((uint64_t)index >> 32), stream, 4};
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	uint32_t words[4];
	philox4x32(counter, key, words);
	return (uint64_t)words[1] << 32 | words[0];
}

int elementwise_specials(enum dtype dtype, uint64_t *bits, struct error *err)
{
	struct tensor list = {.name = "specials", .dtype = dtype, .rank = 1, .dims = {ELEMENTWISE_SPECIALS}, .strides = {1},
			      .extent = ELEMENTWISE_SPECIALS};
	if (operator_fill(&list, "special", 1.0, 1, 1, err)) {
		free(list.data);
		return -1;
	}
	for (int i = 0; i < ELEMENTWISE_SPECIALS; i++)
		bits[i] = elementwise_bits(dtype, list.data, i);
	free(list.data);
	return 0;
}

struct elementwise_operand elementwise_operand(const struct test_case *test, const char *name)
{
	const struct tensor *const tensor = operator_tensor(test, name);
	return (struct elementwise_operand){tensor, case_tensor_data(test, tensor), tensor_is_contiguous(tensor)};
}

void elementwise_expect_moved(struct expectation *expected, enum dtype dtype, const void *array, int64_t at)
{
	expected->value = load_exact(dtype, array, (size_t)at);
	expected->flags = isnan(expected->value) ? EXPECT_NAN : EXPECT_SIGNED_ZERO;
}

int elementwise_judge_moved(const struct operator_outputs *outputs, const char *output,
			    uint64_t (*due)(const void *context, int64_t linear), const void *context,
			    struct judgement *out, struct error *err)
{
	const struct test_case *const test = outputs->test;
	const struct tensor *const tensor = case_find_tensor_const(test, output, TENSOR_OUTPUT);
	const void *const data = tensor ? outputs->storage[tensor - test->tensors] : NULL; /* its first element */
	if (!data)
		return error_set(err, ERROR_INTERNAL, "case %s: output %s was not kept", test->name, output);
	const int64_t count = tensor_elements(tensor);
	int64_t wrong = 0, first = 0;
	for (int64_t i = 0; i < count; i++) {
		const uint64_t got = elementwise_bits(tensor->dtype, data, tensor_offset(tensor, i));
		if (got != due(context, i) && wrong++ == 0)
			first = i;
	}
	if (wrong)
		judgement_break(out, CHECK_EXACT,
				"%" PRId64 " of %" PRId64 " elements of %s were not moved bit by bit: element %" PRId64
				" is 0x%" PRIx64 " where 0x%" PRIx64 " is due",
				wrong, count, output, first, elementwise_bits(tensor->dtype, data, tensor_offset(tensor, first)),
				due(context, first));
	else if (count)
		judgement_hold(out, CHECK_EXACT);
	return 0;
}

double elementwise_bytes(const struct test_case *test, const char *name)
{
	const struct tensor *const tensor = operator_tensor(test, name);
	double count = 1;
	for (int axis = 0; axis < tensor->rank; axis++)
		if (tensor->strides[axis] || !tensor->dims[axis])
			count *= (double)tensor->dims[axis];
	return count * (double)dtype_size(tensor->dtype);
}
