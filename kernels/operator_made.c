#include "kernels/operator_made.h"

#include <string.h>

static int same_shape(const struct tensor *a, const struct tensor *b)
{
	if (a->dtype != b->dtype || a->rank != b->rank || a->extent != b->extent || a->offset != b->offset ||
	    strcmp(a->storage, b->storage) != 0)
		return 0;
	for (int axis = 0; axis < a->rank; axis++)
		if (a->dims[axis] != b->dims[axis] || a->strides[axis] != b->strides[axis])
			return 0;
	return 1;
}

static int same_tensors(const struct test_case *test, const struct test_case *made, struct error *err)
{
	int wanted = 0, present = 0;
	for (int i = 0; i < test->tensor_count; i++)
		present += test->tensors[i].role != TENSOR_EXPECTED;
	for (int i = 0; i < made->tensor_count; i++) {
		const struct tensor *want = &made->tensors[i];
		const struct tensor *have = case_find_tensor_const(test, want->name, want->role);
		size_t bytes;
		wanted++;
		if (!have)
			return error_set(err, ERROR_INPUT, "case %s: it has no tensor %s", test->name, want->name);
		if (!same_shape(want, have))
			return error_set(err, ERROR_INPUT, "case %s: tensor %s has another type, shape, stride or storage than its "
					 "attributes say", test->name, want->name);
		if (want->data && have->data && tensor_bytes(want, &bytes) == 0 && bytes &&
		    memcmp(want->data, have->data, bytes) != 0)
			return error_set(err, ERROR_INPUT, "case %s: tensor %s holds other numbers than its attributes say", test->name,
					 want->name);
	}
	if (present != wanted)
		return error_set(err, ERROR_INPUT, "case %s: it has %d tensors where its attributes ask for %d", test->name, present,
				 wanted);
	return 0;
}

int operator_check_made(const struct family *family, const struct test_case *test, struct error *err)
{
	struct assignment assignment = {.family = family->name, .group = case_get_text(test, "group")};
	struct test_case made;
	for (int i = 0; family->axes[i]; i++) {
		const char *value = case_get_text(test, family->axes[i]);
		if (!value || assignment.axis_count == SPEC_AXES_MAX)
			return error_set(err, ERROR_INPUT, "case %s: attribute %s is missing or no text", test->name, family->axes[i]);
		assignment.axes[assignment.axis_count] = family->axes[i];
		assignment.values[assignment.axis_count++] = value;
	}
	if (family->make_case(&assignment, test->seed, &made, err))
		return error_context(err, "case %s", test->name);
	const char *entry = case_get_text(test, "entry"), *wanted = case_get_text(&made, "entry");
	int status;
	if (!entry || !wanted || strcmp(entry, wanted) != 0)
		status = error_set(err, ERROR_INPUT, "case %s: its entry point is %s, but its attributes say %s", test->name,
				   entry ? entry : "missing", wanted ? wanted : "none");
	else
		status = same_tensors(test, &made, err);
	case_free(&made);
	return status;
}

struct tensor *operator_storage(struct test_case *test, struct tensor *tensor)
{
	return tensor->storage[0] ? case_find_tensor(test, tensor->storage, tensor->role) : tensor;
}
