#include "kernels/pointwise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_OPERAND = 1 };
static const char *const infos[] = {"null", "given", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};
static const char *const grids[] = {"elements", "one", "extra", NULL};

static int is_contiguous_layout(const char *layout)
{
	return strcmp(layout, "contiguous") == 0 || strcmp(layout, "offset") == 0;
}

int pointwise_add(const struct family *family, const struct assignment *assignment, enum dtype dtype, struct test_case *test,
		  struct error *err)
{
	int64_t dims[TENSOR_RANK_MAX], count = 1;
	int rank;
	double scale;
	if (operator_dims(family, assignment, "dims", TENSOR_RANK_MAX, dims, &rank, err) ||
	    operator_real(family, assignment, "scale", &scale, err) ||
	    operator_is_one_of(family, assignment, "grid", grids, err) < 0)
		return -1;
	for (int axis = 0; axis < rank; axis++) {
		/* the kernels count elements in 32 bits */
		if (dims[axis] && count > UINT32_MAX / dims[axis])
			return error_set(err, ERROR_INPUT, "axis dims: more than %lld elements", (long long)UINT32_MAX);
		count *= dims[axis];
	}
	const int layout = operator_is_one_of(family, assignment, "layout", operator_layouts, err);
	const int given = operator_is_one_of(family, assignment, "info", infos, err);
	const int in_place = operator_is_one_of(family, assignment, "in_place", no_yes, err);
	if (layout < 0 || given < 0 || in_place < 0)
		return -1;
	const char *name = operator_layouts[layout];
	if (in_place && strcmp(name, "contiguous") != 0)
		return error_set(err, ERROR_INPUT,
				 "axis layout: '%s', but the operand of in_place:yes is the output, which is contiguous", name);
	/* an output that starts from something comes behind it, so that both are listed as they are used */
	if (!operator_add_tensor(test, in_place ? "out_initial" : "inp", TENSOR_INPUT, dtype, rank, dims, name, err) ||
	    !operator_add_tensor(test, "out", TENSOR_OUTPUT, dtype, rank, dims, "contiguous", err))
		return -1;
	if (!given && is_contiguous_layout(name))
		return 0;
	const char *const operands[] = {in_place ? "out_initial" : "inp"};
	return operator_add_info(test, "info", operands, 1, err);
}

const struct tensor *pointwise_operand(const struct test_case *test)
{
	const struct tensor *operand = case_find_tensor_const(test, "inp", TENSOR_INPUT);
	return operand ? operand : case_find_tensor_const(test, "out_initial", TENSOR_INPUT);
}

struct tensor *pointwise_storage(struct test_case *test)
{
	const struct tensor *operand = pointwise_operand(test);
	if (!operand)
		return NULL;
	return case_find_tensor(test, operand->storage[0] ? operand->storage : operand->name, TENSOR_INPUT);
}

int pointwise_fill(struct test_case *test, struct error *err)
{
	struct tensor *storage = pointwise_storage(test);
	const char *values = case_get_text(test, "values"), *scale = case_get_text(test, "scale");
	if (!storage || !values || !scale)
		return error_set(err, ERROR_INPUT, "case %s: an operand, values or scale is missing", test->name);
	return operator_fill(storage, values, strtod(scale, NULL), test->seed, STREAM_OPERAND, err);
}

int pointwise_launch(const struct test_case *test, struct operator_launch *launch, struct error *err)
{
	const struct tensor *operand = pointwise_operand(test);
	const char *grid = case_get_text(test, "grid");
	if (!operand || !grid)
		return error_set(err, ERROR_INPUT, "case %s: the operand or grid is missing", test->name);
	const int64_t count = tensor_elements(operand);
	launch_for_elements(launch, count);
	if (strcmp(grid, "one") == 0) {
		launch->grid.x = 1;
		launch->block.x = 96;
	} else if (strcmp(grid, "extra") == 0) {
		launch->grid.x += 7;
	}
	argument_size(launch, count);
	argument_size(launch, operand->rank);
	if (case_find_tensor_const(test, "info", TENSOR_INPUT))
		argument_tensor(launch, test, "info");
	else
		argument_null(launch);
	return 0;
}

void pointwise_pointers(const struct test_case *test, struct operator_launch *launch)
{
	if (case_find_tensor_const(test, "inp", TENSOR_INPUT))
		argument_tensor(launch, test, "inp");
	else
		argument_null(launch);
	argument_tensor(launch, test, "out");
}

int pointwise_work(const struct test_case *test, struct work *work, struct error *err)
{
	const struct tensor *operand = pointwise_operand(test), *out = case_find_tensor_const(test, "out", TENSOR_OUTPUT);
	if (!operand || !out)
		return error_set(err, ERROR_INPUT, "case %s: operand or out is missing", test->name);
	/* a broadcast operand is read once */
	const int64_t elements = tensor_elements(out), reach = tensor_reach(operand);
	const double size = (double)dtype_size(out->dtype);
	*work = (struct work){.flops = 0, .bytes = size * (double)(elements + (reach < elements ? reach : elements)), .unit = WORK_BYTES};
	return 0;
}
