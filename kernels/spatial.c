#include "kernels/spatial.h"

#include "core/util.h"
#include "dataset/generate.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int least_cc;
} types[] = {{"bf16", 80}, {"f16", 53}, {"f32", 0}, {"f64", 0}, {"u8", 0}, {"u32", 0}};

void spatial_symbols(const char *const *ops, operator_visit visit, void *context)
{
	for (; *ops; ops++) {
		for (size_t type = 0; type < ARRAY_COUNT(types); type++) {
			char name[64];
			snprintf(name, sizeof name, "%s_%s", *ops, types[type].name);
			const struct operator_symbol symbol = {name, "conv", types[type].least_cc};
			visit(context, &symbol);
		}
	}
}

/* ---- axes --------------------------------------------------------------------------------------------------------- */

int spatial_entry(const struct family *family, const struct assignment *assignment, const char *const *ops, int *op,
		  enum dtype *dtype, char entry[64], struct error *err)
{
	static const char *const names[] = {"bf16", "f16", "f32", "f64", "u8", "u32", NULL};
	*op = operator_is_one_of(family, assignment, "op", ops, err);
	if (*op < 0)
		return -1;
	const int type = operator_is_one_of(family, assignment, "dtype", names, err);
	if (type < 0)
		return -1;
	*dtype = dtype_from_name(names[type]);
	snprintf(entry, 64, "%s_%s", ops[*op], names[type]);
	return 0;
}

int spatial_dims(const struct family *family, const struct assignment *assignment, const char *axis, int rank, int64_t *dims,
		 struct error *err)
{
	int64_t read[TENSOR_RANK_MAX];
	int got;
	if (operator_dims(family, assignment, axis, TENSOR_RANK_MAX, read, &got, err))
		return -1;
	if (got != rank)
		return error_set(err, ERROR_INPUT, "%s:%s has %d extents; this entry point takes %d", axis,
				 operator_value(family, assignment, axis), got, rank);
	for (int i = 0; i < rank; i++) {
		if (read[i] < (i == 0 ? 0 : 1) || read[i] > SPATIAL_MOST)
			return error_set(err, ERROR_INPUT, "%s:%s: extent %lld is not from %d to %d", axis,
					 operator_value(family, assignment, axis), (long long)read[i], i == 0 ? 0 : 1,
					 SPATIAL_MOST);
		dims[i] = read[i];
	}
	return 0;
}

int spatial_layout(const struct family *family, const struct assignment *assignment, const char *axis, const char **layout,
		   struct error *err)
{
	*layout = "far";
	if (strcmp(operator_value(family, assignment, axis), *layout) == 0)
		return 0;
	const int index = operator_is_one_of(family, assignment, axis, operator_layouts, err);
	if (index < 0)
		return -1;
	*layout = operator_layouts[index];
	return 0;
}

int spatial_values(const struct family *family, const struct assignment *assignment, const char *axis, struct error *err)
{
	const char *const value = operator_value(family, assignment, axis);
	for (const char *const *kind = generator_kinds; value && *kind; kind++)
		if (strcmp(*kind, value) == 0)
			return 0;
	return operator_is_one_of(family, assignment, axis, operator_values, err) < 0 ? -1 : 0;
}

int spatial_plant_allowed(const char *plant, enum dtype dtype, struct error *err)
{
	if (strcmp(plant, "none") != 0 && !dtype_is_float(dtype))
		return error_set(err, ERROR_INPUT, "plant:%s needs a floating-point type; dtype:%s has no such numbers", plant,
				 dtype_name(dtype));
	return 0;
}

int64_t spatial_int(const struct test_case *test, const char *axis)
{
	const char *const text = case_get_text(test, axis);
	return text ? strtoll(text, NULL, 10) : 0;
}

int spatial_is(const struct test_case *test, const char *axis, const char *word)
{
	const char *const text = case_get_text(test, axis);
	return text && strcmp(text, word) == 0;
}

int spatial_op(const struct test_case *test, const char *const *ops)
{
	for (int i = 0; ops[i]; i++)
		if (spatial_is(test, "op", ops[i]))
			return i;
	return -1;
}

/* ---- tensors ------------------------------------------------------------------------------------------------------ */

struct tensor *spatial_add_input(struct test_case *test, const char *name, enum dtype dtype, int rank, const int64_t *dims,
				 const char *layout, struct error *err)
{
	int64_t strides[TENSOR_RANK_MAX], step = 1;
	if (strcmp(layout, "far") != 0)
		return operator_add_tensor(test, name, TENSOR_INPUT, dtype, rank, dims, layout, err);
	for (int axis = rank - 1; axis > 0; axis--) {
		strides[axis] = step;
		if (step > (INT64_C(1) << 31) / (dims[axis] ? dims[axis] : 1)) {
			error_set(err, ERROR_INPUT, "layout:far: more than 2^31 elements behind the first axis of %s", name);
			return NULL;
		}
		step *= dims[axis] ? dims[axis] : 1;
	}
	strides[0] = (INT64_C(1) << 31) + 1;
	return case_add_tensor(test, name, TENSOR_INPUT, dtype, rank, dims, strides, err);
}

struct tensor *spatial_storage(struct test_case *test, const char *name)
{
	struct tensor *const tensor = case_find_tensor(test, name, TENSOR_INPUT);
	if (!tensor || !tensor->storage[0])
		return tensor;
	return case_find_tensor(test, tensor->storage, TENSOR_INPUT);
}

int spatial_fill(struct test_case *test, const char *tensor, const char *values_axis, const char *scale_axis, uint32_t stream,
		 struct error *err)
{
	struct tensor *const storage = spatial_storage(test, tensor);
	const char *const values = case_get_text(test, values_axis), *const scale = case_get_text(test, scale_axis);
	if (!storage || !values || !scale)
		return error_set(err, ERROR_INPUT, "case %s has no %s", test->name, storage ? values_axis : tensor);
	return operator_fill(storage, values, strtod(scale, NULL), test->seed, stream, err);
}

void spatial_plant(struct test_case *test, const char *name, const char *plant)
{
	enum { ONE_IN = 40, STREAM = 900 };
	const struct tensor *const tensor = case_find_tensor(test, name, TENSOR_INPUT);
	struct tensor *const storage = spatial_storage(test, name);
	if (strcmp(plant, "none") == 0 || !tensor || !storage || !storage->data)
		return;
	const int64_t count = tensor_elements(tensor);
	const int all = strcmp(plant, "all_nan") == 0, infinite = strcmp(plant, "inf") == 0;
	for (int64_t i = 0; i < (count + ONE_IN - 1) / ONE_IN && !all; i++) {
		const int64_t at = (int64_t)generate_below((uint64_t)count, test->seed, STREAM, (uint64_t)i);
		dtype_store(storage->dtype, storage->data, (size_t)(tensor->offset + tensor_offset(tensor, at)),
			    !infinite ? (double)NAN : i % 2 ? -(double)INFINITY : (double)INFINITY);
	}
	for (int64_t i = 0; i < storage->extent && all; i++)
		dtype_store(storage->dtype, storage->data, (size_t)i, (double)NAN);
}

struct spatial_view spatial_view_of(const struct test_case *test, const char *name)
{
	const struct tensor *const tensor = operator_tensor(test, name);
	return (struct spatial_view){tensor, tensor ? case_tensor_data(test, tensor) : NULL};
}

long double spatial_at(const struct spatial_view *view, int64_t batch, int64_t channel, int64_t row, int64_t column)
{
	const struct tensor *const tensor = view->tensor;
	const int64_t *const strides = tensor->strides;
	const int64_t within = tensor->rank == 4 ? row * strides[2] + column * strides[3] : column * strides[2];
	return load_exact(tensor->dtype, view->data, (size_t)(batch * strides[0] + channel * strides[1] + within));
}

double spatial_bytes(const struct test_case *test)
{
	static const char *const names[] = {"src", "kernel", "dst"};
	double bytes = 0;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		const struct tensor *const tensor = operator_tensor(test, names[i]);
		double elements = tensor ? 1 : 0;
		for (int axis = 0; tensor && axis < tensor->rank; axis++)
			if (tensor->strides[axis] != 0 || tensor->dims[axis] == 0)
				elements *= (double)tensor->dims[axis];
		bytes += tensor ? elements * (double)dtype_size(tensor->dtype) : 0;
	}
	return bytes;
}

/* ---- bounds ------------------------------------------------------------------------------------------------------- */

double spatial_gamma(int64_t roundings, double unit)
{
	const double n = (double)(roundings > 0 ? roundings : 0);
	return n * unit < 0.5 ? expm1(-n * log1p(-unit)) : (double)INFINITY;
}

double spatial_accumulator_unit(enum dtype dtype)
{
	return dtype == DTYPE_F64 ? 0x1p-53 : 0x1p-24;
}

double spatial_accumulator_max(enum dtype dtype)
{
	return dtype == DTYPE_F64 ? DBL_MAX : (double)FLT_MAX;
}

double spatial_accumulator_tiny(enum dtype dtype)
{
	return dtype == DTYPE_F64 ? 0x1p-1074 : 0x1p-149;
}

double spatial_output_rounding(enum dtype dtype, long double value, double error)
{
	if (dtype == DTYPE_F32 || dtype == DTYPE_F64)
		return 0;
	return unit_in_last_place(dtype, fabsl(value) + error) / 2;
}

double spatial_flush(enum dtype dtype)
{
	return dtype == DTYPE_F32 || dtype == DTYPE_BF16 ? 0x1p-126 : 0;
}
