#include "kernels/operator_like.h"

#include <string.h>

static int differs(const struct test_case *test, const struct tensor *tensor, const char *what, struct error *err)
{
	return error_set(err, ERROR_INPUT, "case %s: %s of tensor %s is not what the attributes ask for", test->name, what,
			 tensor->name);
}

static int compare_tensor(const struct test_case *test, const struct tensor *got, const struct tensor *due, struct error *err)
{
	if (got->dtype != due->dtype)
		return differs(test, got, "the type", err);
	if (got->rank != due->rank)
		return differs(test, got, "the rank", err);
	for (int axis = 0; axis < due->rank; axis++)
		if (got->dims[axis] != due->dims[axis] || got->strides[axis] != due->strides[axis])
			return differs(test, got, "the shape", err);
	if (got->extent != due->extent || got->offset != due->offset || strcmp(got->storage, due->storage) != 0)
		return differs(test, got, "the storage", err);
	size_t bytes;
	if (due->data && tensor_bytes(due, &bytes) == 0 && bytes && (!got->data || memcmp(got->data, due->data, bytes) != 0))
		return differs(test, got, "the content", err);
	return 0;
}

int operator_check_like(const struct family *family, const struct test_case *test, struct error *err)
{
	struct assignment assignment = {.family = family->name, .group = case_get_text(test, "group")};
	for (int i = 0; family->axes[i]; i++) {
		const char *value = case_get_text(test, family->axes[i]);
		if (!value)
			return error_set(err, ERROR_INPUT, "case %s: attribute %s is missing", test->name, family->axes[i]);
		if (i >= SPEC_AXES_MAX)
			return error_set(err, ERROR_INTERNAL, "family %s has too many axes", family->name);
		assignment.axes[assignment.axis_count] = family->axes[i];
		assignment.values[assignment.axis_count++] = value;
	}
	struct test_case due;
	if (family->make_case(&assignment, test->seed, &due, err))
		return error_context(err, "case %s", test->name);
	int result = -1;
	const char *entry = case_get_text(test, "entry");
	if (!entry || strcmp(entry, case_get_text(&due, "entry")) != 0) {
		error_set(err, ERROR_INPUT, "case %s: entry %s is not the one its attributes ask for", test->name,
			  entry ? entry : "(none)");
		goto done;
	}
	for (int i = 0; i < due.tensor_count; i++) {
		const struct tensor *tensor = &due.tensors[i];
		const struct tensor *got = case_find_tensor_const(test, tensor->name, tensor->role);
		if (!got) {
			error_set(err, ERROR_INPUT, "case %s: tensor %s is missing", test->name, tensor->name);
			goto done;
		}
		if (compare_tensor(test, got, tensor, err))
			goto done;
	}
	int count = 0;
	for (int i = 0; i < test->tensor_count; i++)
		count += test->tensors[i].role != TENSOR_EXPECTED;
	if (count != due.tensor_count) {
		error_set(err, ERROR_INPUT, "case %s: it has %d tensors, its attributes ask for %d", test->name, count,
			  due.tensor_count);
		goto done;
	}
	result = 0;
done:
	case_free(&due);
	return result;
}
