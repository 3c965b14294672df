/* The sort family: asort_{asc,desc}_T of sort.ptx, the argsort of every row. */
#include "dataset/generate.h"
#include "kernels/family.h"
#include "kernels/operator_like.h"
#include "reference/sort.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const orders[] = {"asc", "desc", NULL};
static const char *const element_names[] = {"bf16", "f16", "f32", "f64", "u8", "u32", "i64", NULL};

static void sort_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in all */
	for (const char *const *order = orders; *order; order++)
		for (const char *const *element = element_names; *element; element++) {
			const enum dtype dtype = dtype_from_name(*element);
			char name[64];
			snprintf(name, sizeof name, "asort_%s_%s", *order, *element);
			visit(context, &(struct operator_symbol){name, "sort",
								 dtype == DTYPE_BF16 ? 80 : dtype == DTYPE_F16 ? 53 : 0});
		}
}

/* ---- cases ----------------------------------------------------------------------------------------------------------- */

/*   cols    1 to 1024: a row is sorted by one block of next_pow2(cols) threads
 *   values  those of operator_fill, and
 *           ascending, descending   each row in order already, in steps of one (u8: with repetitions beyond 256)
 *           organ       up to the middle and down again
 *           equal       one value
 *           few         three values: many duplicates
 *           ends        the smallest and largest of the type (infinities too) and zero: what rows are padded with, if anything
 *           zeros       +0 and -0 (integers: 0), with the smallest subnormal number among them */
static const char *const axes[] = {"order", "dtype", "rows", "cols", "layout", "values", "scale", NULL};
static const char *const defaults[] = {"asc", "f32", "3", "64", "contiguous", "normal", "1"};
static const char *const in_entry[] = {"order", "dtype", NULL};

enum kind { KIND_ASCENDING, KIND_DESCENDING, KIND_ORGAN, KIND_EQUAL, KIND_FEW, KIND_ENDS, KIND_ZEROS, KIND_COUNT };
static const char *const kinds[] = {"ascending", "descending", "organ", "equal", "few", "ends", "zeros", NULL};

enum { STREAM_VALUES = 1, ROWS_MAX = INT32_MAX, COLUMNS_MAX = 1024 };

extern const struct family sort_family;

static int64_t padded(int64_t columns)
{
	int64_t power = 1;
	while (power < columns)
		power *= 2;
	return power;
}

static int sort_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &sort_family;
	memset(test, 0, sizeof *test);
	const int order = operator_is_one_of(family, assignment, "order", orders, err);
	if (order < 0)
		return -1;
	const int element = operator_is_one_of(family, assignment, "dtype", element_names, err);
	if (element < 0)
		return -1;
	int64_t dims[2];
	double scale;
	if (operator_int(family, assignment, "rows", 1, ROWS_MAX, &dims[0], err) ||
	    operator_int(family, assignment, "cols", 1, COLUMNS_MAX, &dims[1], err) ||
	    operator_real(family, assignment, "scale", &scale, err))
		return -1;
	const char *layout = operator_value(family, assignment, "layout");
	if (strcmp(layout, "contiguous") != 0 && strcmp(layout, "offset") != 0)
		return error_set(err, ERROR_INPUT, "axis layout: %s is neither contiguous nor offset", layout);
	char entry[64];
	snprintf(entry, sizeof entry, "asort_%s_%s", orders[order], element_names[element]);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err))
		return -1;
	if (!operator_add_tensor(test, "x", TENSOR_INPUT, dtype_from_name(element_names[element]), 2, dims, layout, err) ||
	    !operator_add_tensor(test, "dst", TENSOR_OUTPUT, DTYPE_U32, 2, dims, "contiguous", err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static int sort_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&sort_family, test, err);
}

static double end_of(enum dtype dtype, int which)
{
	switch (dtype) {
	case DTYPE_U8:
		return which == 1 ? UINT8_MAX : 0;
	case DTYPE_U32:
		return which == 1 ? UINT32_MAX : 0;
	case DTYPE_I64:
		return which == 1 ? 0x1p63 : which == 0 ? -0x1p63 : 0; /* see sort_fill */
	default:
		return which == 0   ? -(double)INFINITY
		       : which == 1 ? (double)INFINITY
		       : which == 2 ? 0
		       : which == 3 ? dtype_max_finite(dtype)
				    : -dtype_max_finite(dtype);
	}
}

static double made_value(enum kind kind, enum dtype dtype, int64_t column, int64_t columns, uint64_t drawn)
{
	const int64_t steps = dtype == DTYPE_U8 && columns > 256 ? (columns + 255) / 256 : 1;
	switch (kind) {
	case KIND_ASCENDING:
		return (double)(column / steps);
	case KIND_DESCENDING:
		return (double)((columns - 1 - column) / steps);
	case KIND_ORGAN:
		return (double)((column < columns / 2 ? column : columns - 1 - column) / steps);
	case KIND_FEW:
		return (double)(drawn % 3);
	case KIND_ENDS:
		return end_of(dtype, (int)(drawn % 5));
	case KIND_ZEROS:
		return drawn % 4 == 0 ? dtype_smallest_subnormal(dtype) : drawn % 4 == 1 ? -dtype_smallest_subnormal(dtype)
		       : drawn % 2    ? -0.0
				      : 0.0;
	default:
		return 3;
	}
}

static int sort_fill(struct test_case *test, struct error *err)
{
	const struct tensor *x = operator_tensor(test, "x");
	const char *values = case_get_text(test, "values"), *scale = case_get_text(test, "scale");
	if (!x || !values || !scale)
		return error_set(err, ERROR_INPUT, "case %s: x, values or scale is missing", test->name);
	struct tensor *owner = case_find_tensor(test, x->storage[0] ? x->storage : "x", TENSOR_INPUT);
	if (!owner || (!owner->data && tensor_allocate(owner, err)))
		return -1;
	int kind = 0;
	while (kinds[kind] && strcmp(kinds[kind], values) != 0)
		kind++;
	if (kind == KIND_COUNT)
		return operator_fill(owner, values, strtod(scale, NULL), test->seed, STREAM_VALUES, err);
	if (operator_fill(owner, "normal", 1, test->seed, STREAM_VALUES, err)) /* around an offset view */
		return -1;
	const int64_t rows = x->dims[0], columns = x->dims[1];
	for (int64_t row = 0; row < rows; row++)
		for (int64_t column = 0; column < columns; column++) {
			const int64_t at = row * columns + column;
			const uint64_t drawn = generate_below(UINT32_MAX, test->seed, STREAM_VALUES, (uint64_t)at);
			const double value = made_value((enum kind)kind, x->dtype, column, columns, drawn);
			dtype_store(x->dtype, owner->data, (size_t)(x->offset + at), value);
			if (x->dtype == DTYPE_I64 && value >= 0x1p63) /* a double does not hold the largest */
				((int64_t *)owner->data)[x->offset + at] = INT64_MAX;
		}
	snprintf(owner->generator, sizeof owner->generator, "%s", values);
	return 0;
}

/* ---- launch ---------------------------------------------------------------------------------------------------------- */

static int sort_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	const struct tensor *x = operator_tensor(test, "x");
	if (!x || x->rank != 2)
		return error_set(err, ERROR_INPUT, "case %s: x is missing", test->name);
	const int64_t pad = padded(x->dims[1]);
	argument_tensor(launch, test, "x");
	argument_tensor(launch, test, "dst");
	argument_u32(launch, x->dims[1]);
	argument_u32(launch, pad);
	launch->grid = (struct device_dim3){(uint32_t)x->dims[0], 1, 1};
	launch->block = (struct device_dim3){(uint32_t)pad, 1, 1};
	launch->dynamic_shared = (uint32_t)(pad * 4);
	return 0;
}

/* ---- judgement -------------------------------------------------------------------------------------------------------- */

struct rows_check {
	const struct tensor *x;
	const unsigned char *values;
	const uint32_t *indices;
	int descending, flush;
	struct argsort_result *results; /* one for each row */
	unsigned char *seen;            /* [rows, columns] */
};

static void check_rows(void *context, int64_t first, int64_t last)
{
	const struct rows_check *check = context;
	const int64_t columns = check->x->dims[1];
	for (int64_t row = first; row < last; row++)
		check->results[row] = argsort_check(check->x->dtype,
						    check->values + (size_t)(row * columns) * dtype_size(check->x->dtype),
						    check->indices + row * columns, columns, check->descending, check->flush,
						    check->seen + row * columns);
}

static void tell_fault(const struct rows_check *check, int64_t row, int64_t wrong, struct judgement *out)
{
	const struct argsort_result *result = &check->results[row];
	const int64_t columns = check->x->dims[1], rows = check->x->dims[0];
	const uint32_t *indices = check->indices + row * columns;
	const size_t first = (size_t)(row * columns);
	const enum dtype dtype = check->x->dtype;
	char where[64];
	snprintf(where, sizeof where, "%" PRId64 " of %" PRId64 " rows: dst[%" PRId64 ", %" PRId64 "]", wrong, rows, row,
		 result->at);
	if (result->fault == ARGSORT_RANGE)
		judgement_break(out, CHECK_EXACT, "%s is %" PRIu32 ", no column of the %" PRId64, where, indices[result->at],
				columns);
	else if (result->fault == ARGSORT_TWICE)
		judgement_break(out, CHECK_EXACT, "%s is %" PRIu32 ", which stands in the row before: no permutation", where,
				indices[result->at]);
	else
		judgement_break(out, CHECK_EXACT, "%s names %.21Lg, which does not belong behind %.21Lg", where,
				load_exact(dtype, check->values, first + indices[result->at]),
				load_exact(dtype, check->values, first + indices[result->at - 1]));
	out->worst_index[0] = out->worst_index[1] = -1;
	out->worst_index[2] = row;
	out->worst_index[3] = result->at;
	out->worst_value = (double)indices[result->at];
	out->worst_reference = (double)NAN; /* there is more than one right answer */
	out->margin = (double)INFINITY;
}

/* Not stable, and any argsort is right: the indices of a row are a permutation of its columns and their values in order. */
static int sort_judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	const struct test_case *test = outputs->test;
	const struct tensor *x = operator_tensor(test, "x"), *dst = operator_tensor(test, "dst");
	const char *order = case_get_text(test, "order");
	if (!x || !dst || !order || !case_tensor_data(test, x) || !outputs->storage[dst - test->tensors])
		return error_set(err, ERROR_INPUT, "case %s: order, x or dst is missing", test->name);
	const int64_t rows = x->dims[0], elements = tensor_elements(x);
	struct rows_check check = {
		.x = x,
		.values = case_tensor_data(test, x),
		.indices = outputs->storage[dst - test->tensors],
		.descending = strcmp(order, "desc") == 0,
		.flush = outputs->math == MATH_FAST,
		.results = calloc((size_t)rows, sizeof *check.results),
		.seen = malloc((size_t)elements),
	};
	int result = -1;
	if (!check.results || !check.seen) {
		error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory", test->name);
		goto done;
	}
	parallel_for(rows, 65536 / x->dims[1] + 1, check_rows, &check);
	int64_t wrong = 0, first = -1;
	for (int64_t row = 0; row < rows; row++)
		if (check.results[row].fault != ARGSORT_RIGHT && wrong++ == 0)
			first = row;
	out->elements += elements;
	if (wrong)
		tell_fault(&check, first, wrong, out);
	else
		judgement_hold(out, CHECK_EXACT);
	result = 0;
done:
	free(check.results);
	free(check.seen);
	return result;
}

static int sort_work(const struct test_case *test, struct work *work, struct error *err)
{
	const struct tensor *x = operator_tensor(test, "x");
	if (!x)
		return error_set(err, ERROR_INPUT, "case %s: x is missing", test->name);
	*work = (struct work){.unit = WORK_BYTES, .bytes = (double)tensor_elements(x) * ((double)dtype_size(x->dtype) + 4)};
	return 0;
}

const struct family sort_family = {
	.name = "sort",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = sort_make_case,
	.fill = sort_fill,
	.check_case = sort_check_case,
	.work = sort_work,
	.symbols = sort_symbols,
	.launch = sort_launch,
	.judge_outputs = sort_judge_outputs,
};
