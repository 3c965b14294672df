/* Sort: what counts as an argsort, and the family's cases. */
#include "check.h"
#include "kernels/family.h"
#include "reference/sort.h"

#include <stdlib.h>

extern const struct family sort_family;

static enum argsort_fault fault_of(enum dtype dtype, const double *numbers, const uint32_t *indices, int columns, int descending,
				   int flush)
{
	unsigned char values[64], seen[8];
	for (int i = 0; i < columns; i++)
		dtype_store(dtype, values, (size_t)i, numbers[i]);
	return argsort_check(dtype, values, indices, columns, descending, flush, seen).fault;
}

static void rule(void)
{
	const double numbers[] = {3, 1, 2, 1};
	CHECK_INT(fault_of(DTYPE_F16, numbers, (const uint32_t[]){1, 3, 2, 0}, 4, 0, 0), ARGSORT_RIGHT);
	CHECK_INT(fault_of(DTYPE_F16, numbers, (const uint32_t[]){3, 1, 2, 0}, 4, 0, 0), ARGSORT_RIGHT); /* equal ones */
	CHECK_INT(fault_of(DTYPE_F16, numbers, (const uint32_t[]){0, 2, 1, 3}, 4, 1, 0), ARGSORT_RIGHT);
	CHECK_INT(fault_of(DTYPE_F16, numbers, (const uint32_t[]){1, 2, 3, 0}, 4, 0, 0), ARGSORT_ORDER);
	CHECK_INT(fault_of(DTYPE_F16, numbers, (const uint32_t[]){1, 3, 2, 0}, 4, 1, 0), ARGSORT_ORDER);
	CHECK_INT(fault_of(DTYPE_U8, numbers, (const uint32_t[]){1, 1, 2, 0}, 4, 0, 0), ARGSORT_TWICE);
	CHECK_INT(fault_of(DTYPE_U8, numbers, (const uint32_t[]){1, 3, 2, 4}, 4, 0, 0), ARGSORT_RANGE);
	CHECK_INT(fault_of(DTYPE_U8, numbers, (const uint32_t[]){1, 3, 2, UINT32_MAX}, 4, 0, 0), ARGSORT_RANGE);

	const double zeros[] = {0.0, -0.0};
	CHECK_INT(fault_of(DTYPE_F32, zeros, (const uint32_t[]){0, 1}, 2, 0, 0), ARGSORT_RIGHT);
	const double infinite[] = {INFINITY, -INFINITY, 0};
	CHECK_INT(fault_of(DTYPE_BF16, infinite, (const uint32_t[]){1, 2, 0}, 3, 0, 0), ARGSORT_RIGHT);
	CHECK_INT(fault_of(DTYPE_BF16, infinite, (const uint32_t[]){0, 2, 1}, 3, 0, 0), ARGSORT_ORDER);
	const double with_nan[] = {2, NAN, 1};
	CHECK_INT(fault_of(DTYPE_F64, with_nan, (const uint32_t[]){0, 1, 2}, 3, 0, 0), ARGSORT_RIGHT);
	CHECK_INT(fault_of(DTYPE_F64, with_nan, (const uint32_t[]){0, 0, 2}, 3, 0, 0), ARGSORT_TWICE);
	/* subnormal numbers are told apart, but not where they are flushed */
	const double small[] = {0x1p-130, 0x1p-131};
	CHECK_INT(fault_of(DTYPE_F32, small, (const uint32_t[]){0, 1}, 2, 0, 0), ARGSORT_ORDER);
	CHECK_INT(fault_of(DTYPE_F32, small, (const uint32_t[]){0, 1}, 2, 0, 1), ARGSORT_RIGHT);
	CHECK_INT(fault_of(DTYPE_F16, (const double[]){0x1p-23, 0x1p-24}, (const uint32_t[]){0, 1}, 2, 0, 1), ARGSORT_ORDER);
	/* neighbours that are one double */
	const int64_t wide[] = {INT64_MAX, INT64_MAX - 1};
	unsigned char seen[2];
	CHECK_INT(argsort_check(DTYPE_I64, wide, (const uint32_t[]){0, 1}, 2, 0, 0, seen).fault, ARGSORT_ORDER);
	CHECK_INT(argsort_check(DTYPE_I64, wide, (const uint32_t[]){1, 0}, 2, 0, 0, seen).fault, ARGSORT_RIGHT);
	CHECK_INT(argsort_check(DTYPE_I64, wide, (const uint32_t[]){0, 1}, 2, 0, 0, seen).at, 1);
}

static int make(struct test_case *test, struct error *err, const char *dtype, const char *rows, const char *columns,
		const char *values)
{
	const struct assignment assignment = {.family = "sort", .axis_count = 4, .axes = {"dtype", "rows", "cols", "values"},
					      .values = {dtype, rows, columns, values}};
	return sort_family.make_case(&assignment, 5, test, err);
}

static int compare_index(const void *a, const void *b, void *values)
{
	const float x = ((const float *)values)[*(const uint32_t *)a], y = ((const float *)values)[*(const uint32_t *)b];
	return (x > y) - (x < y);
}

static void count_symbol(void *context, const struct operator_symbol *symbol)
{
	*(int *)context += strcmp(symbol->module, "sort") == 0;
}

static void cases(void)
{
	struct test_case test;
	struct error err = {0};
	int count = 0;
	sort_family.symbols(OPERATOR_ABI_092, count_symbol, &count);
	CHECK_INT(count, 14);
	CHECK(make(&test, &err, "f32", "2", "1025", "normal") < 0);
	CHECK(make(&test, &err, "f32", "2", "0", "normal") < 0);
	CHECK(make(&test, &err, "f8_e4m3", "2", "3", "normal") < 0);

	CHECK(make(&test, &err, "f32", "2", "5", "few") == 0);
	CHECK(sort_family.fill(&test, &err) == 0);
	CHECK(sort_family.check_case(&test, &err) == 0);
	struct operator_launch launch = {0};
	CHECK(sort_family.launch(&test, OPERATOR_ABI_092, &launch, &err) == 0);
	CHECK_INT(launch.grid.x, 2);
	CHECK_INT(launch.block.x, 8);
	CHECK_INT(launch.dynamic_shared, 32);
	CHECK_INT(launch.argument_count, 4);
	CHECK_INT(launch.arguments[2].value[0], 5);
	CHECK_INT(launch.arguments[3].value[0], 8);
	CHECK_INT(launch.arguments[3].size, 4);

	float *values = case_find_tensor(&test, "x", TENSOR_INPUT)->data;
	for (int i = 0; i < 10; i++)
		values[i] = (float)(i * 7 % 5);
	uint32_t indices[10];
	for (uint32_t row = 0; row < 2; row++) {
		for (uint32_t i = 0; i < 5; i++)
			indices[row * 5 + i] = i;
		qsort_r(indices + row * 5, 5, sizeof *indices, compare_index, values + row * 5);
	}
	struct operator_outputs outputs = {.test = &test};
	outputs.storage[case_find_tensor(&test, "dst", TENSOR_OUTPUT) - test.tensors] = indices;
	struct judgement *judgement = calloc(2, sizeof *judgement);
	if (!judgement)
		return;
	CHECK(sort_family.judge_outputs(&outputs, &judgement[0], &err) == 0);
	judgement_decide(&judgement[0], NULL);
	CHECK_INT(judgement[0].status, STATUS_PASS);
	const uint32_t swap = indices[7];
	indices[7] = indices[8];
	indices[8] = swap;
	CHECK(sort_family.judge_outputs(&outputs, &judgement[1], &err) == 0);
	judgement_decide(&judgement[1], NULL);
	CHECK_INT(judgement[1].status, STATUS_FAIL);
	CHECK_CONTAINS(judgement[1].reason, "dst[1, 3]");
	free(judgement);
	CHECK(case_set_text(&test, "cols", "6", &err) == 0);
	CHECK(sort_family.check_case(&test, &err) < 0);
	case_free(&test);

	/* values of its own */
	CHECK(make(&test, &err, "u8", "1", "1024", "descending") == 0);
	CHECK(sort_family.fill(&test, &err) == 0);
	const uint8_t *bytes = case_find_tensor(&test, "x", TENSOR_INPUT)->data;
	CHECK_INT(bytes[0], 255);
	CHECK_INT(bytes[1023], 0);
	case_free(&test);
	CHECK(make(&test, &err, "i64", "1", "64", "ends") == 0);
	CHECK(sort_family.fill(&test, &err) == 0);
	const int64_t *wide = case_find_tensor(&test, "x", TENSOR_INPUT)->data;
	int least = 0, most = 0;
	for (int i = 0; i < 64; i++) {
		least += wide[i] == INT64_MIN;
		most += wide[i] == INT64_MAX;
	}
	CHECK(least > 0 && most > 0);
	case_free(&test);
}

int main(void)
{
	rule();
	cases();
	return check_result();
}
