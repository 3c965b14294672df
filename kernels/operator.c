#include "kernels/operator.h"

#include "core/util.h"
#include "kernels/family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const operator_profiles[] = {"0.9.2", "0.11", NULL};

/* ---- launches ---------------------------------------------------------------------------------------------------- */

static struct operator_argument *next_argument(struct operator_launch *launch)
{
	if (launch->argument_count == OPERATOR_ARGUMENTS_MAX) {
		launch->failed = 1;
		return NULL;
	}
	return &launch->arguments[launch->argument_count++];
}

static void add_value(struct operator_launch *launch, const void *value, size_t size)
{
	struct operator_argument *argument = next_argument(launch);
	if (!argument)
		return;
	*argument = (struct operator_argument){.kind = ARGUMENT_VALUE, .size = (int)size};
	memcpy(argument->value, value, size); /* little-endian, as every machine is that CUDA runs on */
}

void argument_tensor(struct operator_launch *launch, const struct test_case *test, const char *name)
{
	const struct tensor *tensor = operator_tensor(test, name);
	struct operator_argument *argument = tensor ? next_argument(launch) : NULL;
	if (!argument) {
		launch->failed = 1;
		return;
	}
	*argument = (struct operator_argument){.kind = ARGUMENT_TENSOR, .size = 8, .tensor = (int)(tensor - test->tensors)};
}

void argument_null(struct operator_launch *launch)
{
	struct operator_argument *argument = next_argument(launch);
	if (argument)
		*argument = (struct operator_argument){.kind = ARGUMENT_NULL, .size = 8};
}

void argument_size(struct operator_launch *launch, int64_t value)
{
	add_value(launch, &value, sizeof value);
}

void argument_u32(struct operator_launch *launch, int64_t value)
{
	const uint32_t word = (uint32_t)(uint64_t)value;
	add_value(launch, &word, sizeof word);
}

void argument_f32(struct operator_launch *launch, double value)
{
	const float single = (float)value;
	add_value(launch, &single, sizeof single);
}

void argument_f64(struct operator_launch *launch, double value)
{
	add_value(launch, &value, sizeof value);
}

void argument_bool(struct operator_launch *launch, int value)
{
	const unsigned char byte = value != 0;
	add_value(launch, &byte, 1);
}

void argument_element(struct operator_launch *launch, enum dtype dtype, double value)
{
	unsigned char bytes[8] = {0};
	dtype_store(dtype, bytes, 0, value);
	add_value(launch, bytes, dtype_size(dtype));
}

void launch_for_elements(struct operator_launch *launch, int64_t count)
{
	const int64_t blocks = count > 0 ? (count - 1) / 1024 + 1 : 1;
	if (blocks > INT32_MAX)
		launch->failed = 1;
	launch->grid = (struct device_dim3){(uint32_t)blocks, 1, 1};
	launch->block = (struct device_dim3){1024, 1, 1};
}

/* ---- making cases ------------------------------------------------------------------------------------------------ */

const char *operator_value(const struct family *family, const struct assignment *assignment, const char *axis)
{
	const char *value = assignment_value(assignment, axis);
	for (int i = 0; !value && family->axes[i]; i++)
		if (strcmp(family->axes[i], axis) == 0)
			value = family->defaults[i];
	return value ? value : "";
}

int operator_int(const struct family *family, const struct assignment *assignment, const char *axis, int64_t low, int64_t high,
		 int64_t *out, struct error *err)
{
	const char *text = operator_value(family, assignment, axis);
	char *end;
	*out = strtoll(text, &end, 10);
	if (end == text || *end || *out < low || *out > high)
		return error_set(err, ERROR_INPUT, "axis %s: '%s' is no whole number from %lld to %lld", axis, text,
				 (long long)low, (long long)high);
	return 0;
}

int operator_real(const struct family *family, const struct assignment *assignment, const char *axis, double *out,
		  struct error *err)
{
	const char *text = operator_value(family, assignment, axis);
	char *end;
	*out = strtod(text, &end);
	if (end == text || *end)
		return error_set(err, ERROR_INPUT, "axis %s: '%s' is no number", axis, text);
	return 0;
}

int operator_dims(const struct family *family, const struct assignment *assignment, const char *axis, int most, int64_t *dims,
		  int *rank, struct error *err)
{
	const char *text = operator_value(family, assignment, axis), *at = text;
	for (*rank = 0; *rank < most; at++) {
		char *end;
		const long long extent = strtoll(at, &end, 10);
		if (end == at || extent < 0 || extent > INT32_MAX * 4LL)
			break;
		dims[(*rank)++] = extent;
		at = end;
		if (!*at)
			return 0;
		if (*at != 'x')
			break;
	}
	return error_set(err, ERROR_INPUT, "axis %s: '%s' is no shape such as 3x4x5, of at most %d axes", axis, text, most);
}

int operator_is_one_of(const struct family *family, const struct assignment *assignment, const char *axis,
		       const char *const *words, struct error *err)
{
	const char *value = operator_value(family, assignment, axis);
	struct text all = {0};
	for (int i = 0; words[i]; i++)
		if (strcmp(value, words[i]) == 0)
			return i;
	for (int i = 0; words[i]; i++)
		text_append(&all, "%s%s", i ? ", " : "", words[i]);
	error_set(err, ERROR_INPUT, "axis %s: '%s' is none of %s", axis, value, all.data ? all.data : "");
	text_free(&all);
	return -1;
}

static int is_among(const char *word, const char *const *words)
{
	for (; words && *words; words++)
		if (strcmp(word, *words) == 0)
			return 1;
	return 0;
}

int operator_begin(const struct family *family, const struct assignment *assignment, uint64_t seed, const char *entry,
		   const char *const *in_entry, struct test_case *test, struct error *err)
{
	*test = (struct test_case){.seed = seed};
	snprintf(test->family, sizeof test->family, "%s", family->name);
	if (case_set_text(test, "entry", entry, err) ||
	    (assignment->group && case_set_text(test, "group", assignment->group, err)))
		return -1;
	size_t used = (size_t)snprintf(test->name, sizeof test->name, "%s", entry);
	for (int i = 0; family->axes[i]; i++) {
		const char *axis = family->axes[i], *value = operator_value(family, assignment, axis);
		if (case_set_text(test, axis, value, err))
			return -1;
		if (is_among(axis, in_entry) || strcmp(value, family->defaults[i]) == 0)
			continue;
		used += (size_t)snprintf(test->name + used, sizeof test->name - used, "/%s:%s", axis, value);
		if (used >= sizeof test->name)
			return error_set(err, ERROR_INPUT, "the name of the case is longer than %zu characters: %s...",
					 sizeof test->name - 1, entry);
	}
	return 0;
}

const char *const operator_layouts[] = {"contiguous", "transposed", "broadcast", "broadcast_all", "strided", "offset", NULL};
enum { OFFSET_BEFORE = 3, OFFSET_BEHIND = 5 };

static struct tensor *add_offset(struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype, int rank,
				 const int64_t *dims, struct error *err)
{
	char storage[32];
	int64_t count = 1, whole[1];
	for (int axis = 0; axis < rank; axis++)
		if (dims[axis] && count > INT64_MAX / 16 / dims[axis])
			count = INT64_MAX / 16; /* refused below */
		else
			count *= dims[axis];
	whole[0] = count + OFFSET_BEFORE + OFFSET_BEHIND;
	if (snprintf(storage, sizeof storage, "%s_storage", name) >= (int)sizeof storage) {
		error_set(err, ERROR_INTERNAL, "tensor name %s is too long", name);
		return NULL;
	}
	if (!case_add_tensor(test, storage, role, dtype, 1, whole, NULL, err))
		return NULL;
	struct tensor *tensor = case_add_tensor(test, name, role, dtype, rank, dims, NULL, err);
	return tensor && case_share_storage(test, tensor, storage, OFFSET_BEFORE, err) == 0 ? tensor : NULL;
}

struct tensor *operator_add_tensor(struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype, int rank,
				   const int64_t *dims, const char *layout, struct error *err)
{
	int64_t strides[TENSOR_RANK_MAX] = {0}, step = 1, room = 2;
	if (strcmp(layout, "contiguous") == 0 || rank == 0)
		return case_add_tensor(test, name, role, dtype, rank, dims, NULL, err);
	if (strcmp(layout, "offset") == 0)
		return add_offset(test, name, role, dtype, rank, dims, err);
	/* beside an empty axis extents are whatever a file says: the largest step below has to be a number */
	for (int axis = 0; axis < rank; axis++)
		if (__builtin_mul_overflow(room, (dims[axis] ? dims[axis] : 1) + 1, &room)) {
			error_set(err, ERROR_INPUT, "tensor %s of layout %s is too large", name, layout);
			return NULL;
		}
	if (strcmp(layout, "transposed") == 0) {
		for (int axis = 0; axis < rank; axis++) {
			strides[axis] = step;
			step *= dims[axis] ? dims[axis] : 1;
		}
	} else if (strcmp(layout, "strided") == 0) {
		step = 2;
		for (int axis = rank - 1; axis >= 0; axis--) {
			strides[axis] = step;
			step *= (dims[axis] ? dims[axis] : 1) + 1;
		}
	} else if (strcmp(layout, "broadcast") == 0) {
		for (int axis = rank - 1; axis > 0; axis--) {
			strides[axis] = step;
			step *= dims[axis] ? dims[axis] : 1;
		}
	} else if (strcmp(layout, "broadcast_all") != 0) {
		error_set(err, ERROR_INPUT, "'%s' is no layout", layout);
		return NULL;
	}
	return case_add_tensor(test, name, role, dtype, rank, dims, strides, err);
}

int operator_add_numbers(struct test_case *test, const char *name, const int64_t *numbers, int count, struct error *err)
{
	const int64_t dims[1] = {count};
	struct tensor *tensor = case_add_tensor(test, name, TENSOR_INPUT, DTYPE_I64, 1, dims, NULL, err);
	if (!tensor || tensor_allocate(tensor, err))
		return -1;
	if (count)
		memcpy(tensor->data, numbers, (size_t)count * sizeof *numbers);
	snprintf(tensor->generator, sizeof tensor->generator, "numbers");
	return 0;
}

int operator_add_info(struct test_case *test, const char *name, const char *const *operands, int operand_count,
		      struct error *err)
{
	enum { MOST = 8 };
	int64_t numbers[TENSOR_RANK_MAX * (MOST + 1)];
	int count = 0;
	const struct tensor *first = operand_count ? operator_tensor(test, operands[0]) : NULL;
	if (!first || operand_count > MOST)
		return error_set(err, ERROR_INTERNAL, "case %s: no operands for %s", test->name, name);
	for (int axis = 0; axis < first->rank; axis++)
		numbers[count++] = first->dims[axis];
	for (int i = 0; i < operand_count; i++) {
		const struct tensor *operand = operator_tensor(test, operands[i]);
		if (!operand || operand->rank != first->rank)
			return error_set(err, ERROR_INTERNAL, "case %s: operand %s has another rank than %s", test->name,
					 operands[i], operands[0]);
		for (int axis = 0; axis < operand->rank; axis++)
			numbers[count++] = operand->strides[axis];
	}
	return operator_add_numbers(test, name, numbers, count, err);
}

const struct tensor *operator_tensor(const struct test_case *test, const char *name)
{
	const struct tensor *input = case_find_tensor_const(test, name, TENSOR_INPUT);
	return input ? input : case_find_tensor_const(test, name, TENSOR_OUTPUT);
}

long double operator_element(const struct test_case *test, const struct tensor *tensor, int64_t linear)
{
	return load_exact(tensor->dtype, case_tensor_data(test, tensor), (size_t)tensor_offset(tensor, linear));
}

enum dtype operator_dtype(const struct test_case *test, const char *attribute)
{
	const char *text = case_get_text(test, attribute);
	return text ? dtype_from_name(text) : DTYPE_INVALID;
}
