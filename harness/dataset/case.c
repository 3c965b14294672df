#include "dataset/case.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

static int set_attribute(struct test_case *test, const struct attribute *value, const char *name, struct error *err)
{
	struct attribute *slot = NULL;
	const size_t length = strlen(name);
	if (length == 0 || length >= sizeof slot->name)
		return error_set(err, ERROR_INTERNAL, "%s: the attribute name '%.64s' is empty or longer than %zu bytes",
				 test->name, name, sizeof slot->name - 1);
	for (int i = 0; i < test->attribute_count; i++)
		if (strcmp(test->attributes[i].name, name) == 0)
			slot = &test->attributes[i];
	if (!slot) {
		if (test->attribute_count >= CASE_ATTRIBUTES_MAX)
			return error_set(err, ERROR_INTERNAL, "%s: no room for the attribute '%s': a case has at most %d",
					 test->name, name, CASE_ATTRIBUTES_MAX);
		slot = &test->attributes[test->attribute_count++];
	}
	*slot = *value;
	memcpy(slot->name, name, length + 1);
	return 0;
}

int case_set_int(struct test_case *test, const char *name, int64_t value, struct error *err)
{
	return set_attribute(test, &(struct attribute){.type = ATTRIBUTE_INT, .integer = value}, name, err);
}

int case_set_real(struct test_case *test, const char *name, double value, struct error *err)
{
	return set_attribute(test, &(struct attribute){.type = ATTRIBUTE_REAL, .real = value}, name, err);
}

int case_set_text(struct test_case *test, const char *name, const char *value, struct error *err)
{
	struct attribute attribute = {.type = ATTRIBUTE_TEXT};
	const size_t length = strlen(value);
	if (length >= sizeof attribute.text)
		return error_set(err, ERROR_INTERNAL, "%s: the value of '%s' is longer than %zu bytes: '%.80s'", test->name,
				 name, sizeof attribute.text - 1, value);
	memcpy(attribute.text, value, length + 1);
	return set_attribute(test, &attribute, name, err);
}

static const struct attribute *find_attribute(const struct test_case *test, const char *name)
{
	for (int i = 0; i < test->attribute_count; i++)
		if (strcmp(test->attributes[i].name, name) == 0)
			return &test->attributes[i];
	return NULL;
}

static int missing(const struct test_case *test, const char *name, struct error *err)
{
	return error_set(err, ERROR_INPUT, "case '%s' has no attribute '%s'", test->name, name);
}

int case_get_int(const struct test_case *test, const char *name, int64_t *value, struct error *err)
{
	const struct attribute *attribute = find_attribute(test, name);
	if (!attribute)
		return missing(test, name, err);
	if (attribute->type != ATTRIBUTE_INT)
		return error_set(err, ERROR_INPUT, "case '%s': attribute '%s' is not a whole number", test->name, name);
	*value = attribute->integer;
	return 0;
}

int case_get_real(const struct test_case *test, const char *name, double *value, struct error *err)
{
	const struct attribute *attribute = find_attribute(test, name);
	if (!attribute)
		return missing(test, name, err);
	if (attribute->type == ATTRIBUTE_TEXT)
		return error_set(err, ERROR_INPUT, "case '%s': attribute '%s' is not a number", test->name, name);
	*value = attribute->type == ATTRIBUTE_INT ? (double)attribute->integer : attribute->real;
	return 0;
}

const char *case_get_text(const struct test_case *test, const char *name)
{
	const struct attribute *attribute = find_attribute(test, name);
	return attribute && attribute->type == ATTRIBUTE_TEXT ? attribute->text : NULL;
}

/* Fills dims, strides and extent; the product of the dims and the bytes of the extent stay below PTRDIFF_MAX. */
static int set_shape(struct tensor *tensor, int rank, const int64_t *dims, const int64_t *strides, struct error *err)
{
	int64_t elements = 1, extent = 1, bytes;
	int empty = 0;
	if (rank < 0 || rank > TENSOR_RANK_MAX)
		return error_set(err, ERROR_INPUT, "tensor '%s': rank %d is outside 0 to %d", tensor->name, rank,
				 TENSOR_RANK_MAX);
	for (int axis = rank - 1; axis >= 0; axis--) {
		const int64_t stride = strides ? strides[axis] : elements;
		int64_t reach;
		if (dims[axis] < 0 || stride < 0)
			return error_set(err, ERROR_INPUT, "tensor '%s': axis %d has a negative length or stride", tensor->name,
					 axis);
		tensor->dims[axis] = dims[axis];
		tensor->strides[axis] = stride;
		empty |= dims[axis] == 0;
		/* an empty axis counts as 1 here, so that the strides and the check are those of the other axes */
		const int64_t length = dims[axis] ? dims[axis] : 1;
		if (__builtin_mul_overflow(elements, length, &elements) ||
		    __builtin_mul_overflow(length - 1, stride, &reach) || __builtin_add_overflow(extent, reach, &extent))
			goto too_large;
	}
	if (__builtin_mul_overflow(extent, (int64_t)dtype_size(tensor->dtype), &bytes) ||
	    __builtin_mul_overflow(elements, (int64_t)dtype_size(tensor->dtype), &bytes))
		goto too_large;
	tensor->rank = rank;
	tensor->extent = empty ? 0 : extent;
	return 0;
too_large:
	return error_set(err, ERROR_INPUT, "tensor '%s': the shape has more bytes than a 64-bit size can hold", tensor->name);
}

struct tensor *case_add_tensor(struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype, int rank,
			       const int64_t *dims, const int64_t *strides, struct error *err)
{
	struct tensor tensor = {.role = role, .dtype = dtype};
	const size_t length = strlen(name);
	if (test->tensor_count >= CASE_TENSORS_MAX) {
		error_set(err, ERROR_INTERNAL, "case '%s' has no room for tensor '%.64s': the limit is %d", test->name, name,
			  CASE_TENSORS_MAX);
		return NULL;
	}
	if (length == 0 || length >= sizeof tensor.name) {
		error_set(err, ERROR_INPUT, "case '%s': the tensor name '%.64s' is empty or longer than %zu bytes", test->name,
			  name, sizeof tensor.name - 1);
		return NULL;
	}
	if (dtype_size(dtype) == 0) {
		error_set(err, ERROR_INPUT, "case '%s': tensor '%s' has no valid type", test->name, name);
		return NULL;
	}
	if (case_find_tensor_const(test, name, role)) {
		error_set(err, ERROR_INPUT, "case '%s' has two tensors '%s' of the same role", test->name, name);
		return NULL;
	}
	memcpy(tensor.name, name, length + 1);
	if (set_shape(&tensor, rank, dims, strides, err)) {
		error_context(err, "case '%s'", test->name);
		return NULL;
	}
	test->tensors[test->tensor_count] = tensor;
	return &test->tensors[test->tensor_count++];
}

int case_share_storage(struct test_case *test, struct tensor *tensor, const char *owner, int64_t offset,
		       struct error *err)
{
	const struct tensor *other = case_find_tensor_const(test, owner, tensor->role);
	int64_t end;
	if (!other || other == tensor)
		return error_set(err, ERROR_INPUT, "case '%s': tensor '%s' shares the storage of '%.64s', which is no other "
				 "tensor of its role", test->name, tensor->name, owner);
	if (other->storage[0] || tensor->data)
		return error_set(err, ERROR_INPUT, "case '%s': tensor '%s' cannot share the storage of '%s': %s", test->name,
				 tensor->name, owner, tensor->data ? "it has data of its own" : "that one has none of its own");
	if (other->dtype != tensor->dtype)
		return error_set(err, ERROR_INPUT, "case '%s': tensor '%s' is %s but shares the storage of '%s', which is %s",
				 test->name, tensor->name, dtype_name(tensor->dtype), owner, dtype_name(other->dtype));
	if (offset < 0 || __builtin_add_overflow(offset, tensor_reach(tensor), &end) || end > other->extent)
		return error_set(err, ERROR_INPUT, "case '%s': tensor '%s' (%lld elements from %lld on) reaches beyond the "
				 "storage of '%s' (%lld elements)", test->name, tensor->name, (long long)tensor_reach(tensor),
				 (long long)offset, owner, (long long)other->extent);
	memcpy(tensor->storage, other->name, sizeof tensor->storage);
	tensor->offset = offset;
	return 0;
}

const struct tensor *case_find_tensor_const(const struct test_case *test, const char *name, enum tensor_role role)
{
	for (int i = 0; i < test->tensor_count; i++)
		if (test->tensors[i].role == role && strcmp(test->tensors[i].name, name) == 0)
			return &test->tensors[i];
	return NULL;
}

struct tensor *case_find_tensor(struct test_case *test, const char *name, enum tensor_role role)
{
	const struct tensor *found = case_find_tensor_const(test, name, role);
	return found ? &test->tensors[found - test->tensors] : NULL;
}

int64_t tensor_elements(const struct tensor *tensor)
{
	int64_t elements = 1;
	for (int axis = 0; axis < tensor->rank; axis++)
		elements *= tensor->dims[axis];
	return elements;
}

int64_t tensor_reach(const struct tensor *tensor)
{
	int64_t reach = 1;
	for (int axis = 0; axis < tensor->rank; axis++) {
		if (tensor->dims[axis] == 0)
			return 0;
		reach += (tensor->dims[axis] - 1) * tensor->strides[axis];
	}
	return reach;
}

int tensor_bytes(const struct tensor *tensor, size_t *bytes)
{
	if (tensor->extent < 0)
		return -1;
	return size_mul((size_t)tensor->extent, dtype_size(tensor->dtype), bytes);
}

int tensor_is_contiguous(const struct tensor *tensor)
{
	int64_t expected = 1;
	if (tensor->extent == 0)
		return 1;
	for (int axis = tensor->rank - 1; axis >= 0; axis--) {
		if (tensor->dims[axis] != 1 && tensor->strides[axis] != expected)
			return 0;
		expected *= tensor->dims[axis];
	}
	return 1;
}

int64_t tensor_offset(const struct tensor *tensor, int64_t linear)
{
	int64_t offset = 0;
	for (int axis = tensor->rank - 1; axis >= 0; axis--) {
		offset += linear % tensor->dims[axis] * tensor->strides[axis];
		linear /= tensor->dims[axis];
	}
	return offset;
}

int tensor_allocate(struct tensor *tensor, struct error *err)
{
	enum { ALIGNMENT = 64 };
	size_t bytes, room;
	if (tensor->storage[0])
		return error_set(err, ERROR_INTERNAL, "tensor '%s' shares the storage of '%s' and cannot have its own",
				 tensor->name, tensor->storage);
	if (tensor_bytes(tensor, &bytes) || size_add(bytes, ALIGNMENT, &room))
		return error_set(err, ERROR_INPUT, "tensor '%s' is too large", tensor->name);
	free(tensor->data);
	tensor->data = aligned_alloc(ALIGNMENT, room / ALIGNMENT * ALIGNMENT);
	if (!tensor->data)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory: tensor '%s' needs %zu bytes", tensor->name, bytes);
	memset(tensor->data, 0, room / ALIGNMENT * ALIGNMENT);
	return 0;
}

const void *case_tensor_data(const struct test_case *test, const struct tensor *tensor)
{
	if (!tensor->storage[0])
		return tensor->data;
	const struct tensor *owner = case_find_tensor_const(test, tensor->storage, tensor->role);
	if (!owner || !owner->data)
		return NULL;
	return (const unsigned char *)owner->data + (size_t)tensor->offset * dtype_size(tensor->dtype);
}

void case_without_expected(const struct test_case *test, struct test_case *copy)
{
	*copy = *test;
	copy->tensor_count = 0;
	for (int i = 0; i < test->tensor_count; i++)
		if (test->tensors[i].role != TENSOR_EXPECTED)
			copy->tensors[copy->tensor_count++] = test->tensors[i];
}

void case_free(struct test_case *test)
{
	for (int i = 0; i < test->tensor_count; i++)
		free(test->tensors[i].data);
	*test = (struct test_case){0};
}
