/* The indexing family: index_select, gather, index_add, scatter and scatter_add of indexing.ptx. */
#include "dataset/generate.h"
#include "kernels/family.h"
#include "kernels/operator_like.h"
#include "reference/indexing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- names --------------------------------------------------------------------------------------------------------- */

static const char *const operations[] = {"select", "gather", "add", "scatter", "scatter_add", NULL}; /* enum index_operation */
static const char *const prefixes[] = {"is", "gather", "ia", "s", "sa"};
static const char *const element_names[] = {"bf16", "f16", "f32", "f64", "u8", "u32", "i64", "f8_e4m3", NULL};
static const char *const index_names[] = {"i64", "u32", "u8", "i16", "i32", NULL};

static int least_cc_of(enum dtype dtype)
{
	return dtype == DTYPE_F8_E4M3 ? 89 : dtype == DTYPE_BF16 ? 80 : dtype == DTYPE_F16 ? 53 : 0;
}

/* f8_e4m3 is not scattered, and alone has the signed index types of 16 and 32 bits. */
static int has_entry(enum index_operation operation, enum dtype index, enum dtype dtype)
{
	if (dtype == DTYPE_F8_E4M3)
		return operation != INDEX_SCATTER;
	return index != DTYPE_I16 && index != DTYPE_I32;
}

static void indexing_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in all */
	for (int operation = 0; operation < INDEX_OPERATION_COUNT; operation++)
		for (const char *const *index = index_names; *index; index++)
			for (const char *const *element = element_names; *element; element++) {
				const enum dtype dtype = dtype_from_name(*element);
				if (!has_entry((enum index_operation)operation, dtype_from_name(*index), dtype))
					continue;
				char name[64];
				snprintf(name, sizeof name, "%s_%s_%s", prefixes[operation], *index, *element);
				visit(context, &(struct operator_symbol){name, "indexing", least_cc_of(dtype)});
			}
}

/* ---- cases ----------------------------------------------------------------------------------------------------------- */

/*   op       select, gather, add, scatter, scatter_add
 *   shape    LEFTxROWSxIDSxRIGHT: tensors [left, rows, right] and [left, ids, right]; the indices point into the rows
 *   indices  random      any row
 *            few         the first three rows: many indices to the same
 *            same        all to the middle row
 *            first, last, ends   row 0, the last row, each in turn
 *            ascending, descending   rows in order, round and round
 *            distinct    no row twice (rows >= ids): a permutation drawn for each column
 *            none_first, none_last, none_some, none_all   random, but the first, the last, every third, or all are "none"
 *   ids_layout  contiguous, offset; select: strided and broadcast as well
 *   layout   of the input: contiguous, offset
 *   values, scale   of the input: those of operator_fill, and along the indexed dimension of add and scatter_add
 *            cancel      normal numbers, each followed by its negative, the pairs 2^8 times larger and smaller in turn
 *            overflow    three quarters of the type's largest, signs ++--: a sum that is kept in the type leaves its range
 *   initial  what add, scatter and scatter_add find in the output: those of operator_fill */
static const char *const axes[] = {"op",     "dtype",  "index", "shape",   "indices", "ids_layout",
				   "layout", "values", "scale", "initial", NULL};
static const char *const defaults[] = {"select",     "f32",  "u32", "3x7x5x4", "random", "contiguous",
				       "contiguous", "bits", "1",   "moderate"};
static const char *const in_entry[] = {"op", "dtype", "index", NULL};

enum pattern {
	PATTERN_RANDOM, PATTERN_FEW, PATTERN_SAME, PATTERN_FIRST, PATTERN_LAST, PATTERN_ENDS, PATTERN_ASCENDING,
	PATTERN_DESCENDING, PATTERN_DISTINCT, PATTERN_NONE_FIRST, PATTERN_NONE_LAST, PATTERN_NONE_SOME, PATTERN_NONE_ALL
};
static const char *const patterns[] = {"random",     "few",	  "same",      "first",	    "last",	 "ends",      "ascending",
				       "descending", "distinct",  "none_first", "none_last", "none_some", "none_all",  NULL};
static const char *const ids_layouts[] = {"contiguous", "offset", "strided", "broadcast", NULL};

enum { STREAM_IDS = 1, STREAM_GAPS, STREAM_INPUT, STREAM_INITIAL };

/* Elements of one tensor: beyond that neither this program nor a GPU has the memory. */
#define ELEMENTS_MAX ((int64_t)1 << 36)

extern const struct family indexing_family;

/* The index that means "none": the largest of its type. */
static int64_t none_of(enum dtype index)
{
	return index == DTYPE_I64   ? INT64_MAX
	       : index == DTYPE_U32 ? UINT32_MAX
	       : index == DTYPE_I32 ? INT32_MAX
	       : index == DTYPE_I16 ? INT16_MAX
				    : UINT8_MAX;
}

static int is_in_place(enum index_operation operation)
{
	return operation != INDEX_SELECT && operation != INDEX_GATHER;
}

static int indexing_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &indexing_family;
	memset(test, 0, sizeof *test);
	const int operation = operator_is_one_of(family, assignment, "op", operations, err);
	if (operation < 0)
		return -1;
	const int element = operator_is_one_of(family, assignment, "dtype", element_names, err);
	if (element < 0)
		return -1;
	const int index = operator_is_one_of(family, assignment, "index", index_names, err);
	if (index < 0)
		return -1;
	const int pattern = operator_is_one_of(family, assignment, "indices", patterns, err);
	if (pattern < 0)
		return -1;
	const int ids_layout = operator_is_one_of(family, assignment, "ids_layout", ids_layouts, err);
	if (ids_layout < 0)
		return -1;
	struct index_problem problem = {.operation = (enum index_operation)operation};
	double scale;
	int64_t shape[4], elements;
	int axis_count;
	if (operator_dims(family, assignment, "shape", 4, shape, &axis_count, err) ||
	    operator_real(family, assignment, "scale", &scale, err))
		return -1;
	if (axis_count != 4 || shape[0] < 1 || shape[1] < 1 || shape[3] < 1)
		return error_set(err, ERROR_INPUT, "axis shape: %s is no LEFTxROWSxIDSxRIGHT, of which only IDS may be 0",
				 operator_value(family, assignment, "shape"));
	problem.left = shape[0];
	problem.rows = shape[1];
	problem.ids = shape[2];
	problem.right = shape[3];
	const char *layout = operator_value(family, assignment, "layout"), *values = operator_value(family, assignment, "values");
	const char *ids_layout_name = ids_layouts[ids_layout];
	const enum dtype dtype = dtype_from_name(element_names[element]), index_type = dtype_from_name(index_names[index]);
	if (!has_entry(problem.operation, index_type, dtype))
		return error_set(err, ERROR_INPUT, "there is no %s_%s_%s in indexing.ptx", prefixes[operation],
				 index_names[index], element_names[element]);
	if (strcmp(layout, "contiguous") != 0 && strcmp(layout, "offset") != 0)
		return error_set(err, ERROR_INPUT, "axis layout: %s is neither contiguous nor offset", layout);
	if (ids_layout >= 2 && operation != INDEX_SELECT)
		return error_set(err, ERROR_INPUT, "axis ids_layout: only select takes strides of its indices, not %s",
				 operations[operation]);
	const int64_t reach = problem.rows < none_of(index_type) ? problem.rows : none_of(index_type);
	if (pattern == PATTERN_DISTINCT && problem.ids > reach)
		return error_set(err, ERROR_INPUT, "axis indices: %lld distinct ones need more than %lld rows",
				 (long long)problem.ids, (long long)reach);
	const int made = strcmp(values, "cancel") == 0 || strcmp(values, "overflow") == 0;
	if (made && (strcmp(layout, "contiguous") != 0 || (operation != INDEX_ADD && operation != INDEX_SCATTER_ADD)))
		return error_set(err, ERROR_INPUT, "axis values: %s is for contiguous input of add and scatter_add", values);
	if (__builtin_mul_overflow(problem.left, problem.right, &elements) ||
	    __builtin_mul_overflow(elements, problem.rows > problem.ids ? problem.rows : problem.ids, &elements) ||
	    elements > ELEMENTS_MAX)
		return error_set(err, ERROR_INPUT, "axis shape: a tensor of more than 2^36 elements");

	char entry[64];
	snprintf(entry, sizeof entry, "%s_%s_%s", prefixes[operation], index_names[index], element_names[element]);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err))
		return -1;
	const int64_t input[] = {problem.left, index_input_extent(&problem), problem.right};
	const int64_t output[] = {problem.left, index_output_extent(&problem), problem.right};
	const int64_t per_element[] = {problem.left, problem.ids, problem.right};
	const int rank = index_is_per_element(problem.operation) ? 3 : 1;
	const char *const ids[] = {"ids"};
	struct tensor *ids_tensor = operator_add_tensor(test, "ids", TENSOR_INPUT, index_type, rank,
							rank == 3 ? per_element : &problem.ids, ids_layout_name, err);
	/* who takes a view for contiguous finds indices there, if the wrong ones: not what stops a kernel */
	if (ids_tensor && !ids_tensor->storage[0] && ids_tensor->extent < problem.ids)
		ids_tensor->extent = problem.ids;
	if (!ids_tensor ||
	    (operation == INDEX_SELECT && operator_add_info(test, "info", ids, 1, err)) ||
	    !operator_add_tensor(test, "inp", TENSOR_INPUT, dtype, 3, input, layout, err) ||
	    (is_in_place(problem.operation) &&
	     !operator_add_tensor(test, "out_initial", TENSOR_INPUT, dtype, 3, output, "contiguous", err)) ||
	    !operator_add_tensor(test, "out", TENSOR_OUTPUT, dtype, 3, output, "contiguous", err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

/* What a case says, for the functions below; -1 when it cannot be read (check_case has said why). */
struct parameters {
	struct index_problem problem; /* without `at` */
	enum dtype dtype, index;
	const struct tensor *ids, *inp, *initial, *out;
};

static int text_index(const struct test_case *test, const char *attribute, const char *const *words)
{
	const char *text = case_get_text(test, attribute);
	for (int i = 0; text && words[i]; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	return -1;
}

static int parameters_of(const struct test_case *test, struct parameters *p, struct error *err)
{
	*p = (struct parameters){
		.dtype = operator_dtype(test, "dtype"),
		.index = operator_dtype(test, "index"),
		.ids = operator_tensor(test, "ids"),
		.inp = operator_tensor(test, "inp"),
		.initial = case_find_tensor_const(test, "out_initial", TENSOR_INPUT),
		.out = case_find_tensor_const(test, "out", TENSOR_OUTPUT),
	};
	const int operation = text_index(test, "op", operations);
	if (operation < 0 || !p->ids || !p->inp || !p->out || p->inp->rank != 3 || p->out->rank != 3)
		return error_set(err, ERROR_INPUT, "case %s: attribute op or a tensor is missing", test->name);
	const int in_place = is_in_place((enum index_operation)operation);
	p->problem = (struct index_problem){
		.operation = (enum index_operation)operation,
		.left = p->inp->dims[0],
		.rows = in_place ? p->out->dims[1] : p->inp->dims[1],
		.ids = in_place ? p->inp->dims[1] : p->out->dims[1],
		.right = p->inp->dims[2],
	};
	if (in_place && !p->initial)
		return error_set(err, ERROR_INPUT, "case %s: tensor out_initial is missing", test->name);
	return 0;
}

/* Indices are packed in a storage of `index`, one at element `at`. Little-endian, as all machines that this runs on. */
static void put_index(enum dtype index, void *storage, int64_t at, int64_t value)
{
	const size_t size = dtype_size(index);
	memcpy((unsigned char *)storage + (size_t)at * size, &value, size);
}

static int64_t get_index(enum dtype index, const void *data, int64_t at)
{
	int64_t value = 0;
	const size_t size = dtype_size(index);
	memcpy(&value, (const unsigned char *)data + (size_t)at * size, size);
	if (index == DTYPE_I16)
		return (int16_t)value;
	return index == DTYPE_I32 ? (int32_t)value : value;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

struct index_maker {
	enum pattern pattern;
	int64_t reach;         /* rows that an index of the type can name: [0, reach) */
	int64_t ids, right;    /* right: 1 for one index per position */
	int64_t none;
	uint64_t seed;
};

/* Position `j` of a permutation of [0, reach) that depends on the column: multiplying by a number without common factor. */
static int64_t distinct(const struct index_maker *make, int64_t j, int64_t column)
{
	uint64_t factor = 1 + generate_below((uint64_t)make->reach, make->seed, STREAM_IDS, (uint64_t)column);
	for (uint64_t a = factor, b = (uint64_t)make->reach;;) {
		while (b) {
			const uint64_t rest = a % b;
			a = b;
			b = rest;
		}
		if (a == 1)
			break;
		a = ++factor;
		b = (uint64_t)make->reach;
	}
	const uint64_t shift = generate_below((uint64_t)make->reach, make->seed, STREAM_GAPS, (uint64_t)column);
	return (int64_t)(((unsigned __int128)factor * (uint64_t)j + shift) % (uint64_t)make->reach);
}

static int64_t make_index(const struct index_maker *make, int64_t element)
{
	const int64_t j = element / make->right % make->ids;
	const int64_t column = element / make->right / make->ids * make->right + element % make->right;
	const int64_t random = (int64_t)generate_below((uint64_t)make->reach, make->seed, STREAM_IDS, (uint64_t)element);
	switch (make->pattern) {
	case PATTERN_FEW:
		return (int64_t)generate_below(make->reach < 3 ? (uint64_t)make->reach : 3, make->seed, STREAM_IDS,
					       (uint64_t)element);
	case PATTERN_SAME:
		return make->reach / 2;
	case PATTERN_FIRST:
		return 0;
	case PATTERN_LAST:
		return make->reach - 1;
	case PATTERN_ENDS:
		return j % 2 ? make->reach - 1 : 0;
	case PATTERN_ASCENDING:
		return j % make->reach;
	case PATTERN_DESCENDING:
		return make->reach - 1 - j % make->reach;
	case PATTERN_DISTINCT:
		return distinct(make, j, column);
	case PATTERN_NONE_FIRST:
		return j == 0 ? make->none : random;
	case PATTERN_NONE_LAST:
		return j == make->ids - 1 ? make->none : random;
	case PATTERN_NONE_SOME:
		return (j + column) % 3 == 1 ? make->none : random;
	case PATTERN_NONE_ALL:
		return make->none;
	default:
		return random;
	}
}

/* The tensor that owns the storage of an input, allocated. */
static struct tensor *owner_of(struct test_case *test, const struct tensor *tensor, struct error *err)
{
	struct tensor *owner = case_find_tensor(test, tensor->storage[0] ? tensor->storage : tensor->name, TENSOR_INPUT);
	if (owner && !owner->data && tensor_allocate(owner, err))
		return NULL;
	if (!owner)
		error_set(err, ERROR_INTERNAL, "case %s: the storage of %s is missing", test->name, tensor->name);
	return owner;
}

static int fill_indices(struct test_case *test, const struct parameters *p, struct error *err)
{
	struct tensor *owner = owner_of(test, p->ids, err);
	if (!owner)
		return -1;
	const int64_t none = none_of(p->index);
	const struct index_maker make = {
		.pattern = (enum pattern)text_index(test, "indices", patterns),
		.reach = p->problem.rows < none ? p->problem.rows : none,
		.ids = p->problem.ids,
		.right = p->ids->rank == 3 ? p->problem.right : 1,
		.none = none,
		.seed = test->seed,
	};
	/* what lies between strides and around an offset view: indices as well, so that who reads them goes astray harmlessly */
	for (int64_t at = 0; at < owner->extent; at++)
		put_index(p->index, owner->data, at,
			  (int64_t)generate_below((uint64_t)make.reach, test->seed, STREAM_GAPS, (uint64_t)at));
	const int64_t count = tensor_elements(p->ids);
	for (int64_t i = 0; i < count; i++)
		put_index(p->index, owner->data, p->ids->offset + tensor_offset(p->ids, i), make_index(&make, i));
	snprintf(owner->generator, sizeof owner->generator, "%s", patterns[make.pattern]);
	return 0;
}

/* Numbers that meet in one sum, along the dimension of the input (see `values` above). */
static int fill_for_sums(const struct parameters *p, struct tensor *inp, const char *values, double scale, uint64_t seed,
			 struct error *err)
{
	const int64_t left = p->problem.left, ids = p->problem.ids, right = p->problem.right;
	const int cancel = strcmp(values, "cancel") == 0;
	if (operator_fill(inp, "normal", scale, seed, STREAM_INPUT, err))
		return -1;
	const double largest = dtype_is_float(p->dtype) ? dtype_max_finite(p->dtype)
			       : p->dtype == DTYPE_U8   ? UINT8_MAX
			       : p->dtype == DTYPE_U32  ? UINT32_MAX
							: 0x1p63;
	for (int64_t l = 0; l < left; l++)
		for (int64_t j = 0; j < ids; j++)
			for (int64_t r = 0; r < right; r++) {
				const size_t at = (size_t)((l * ids + j) * right + r);
				if (!cancel)
					dtype_store(p->dtype, inp->data, at, (j / 2 % 2 ? -0.75 : 0.75) * largest);
				else if (j % 2)
					dtype_store(p->dtype, inp->data, at,
						    -dtype_load(p->dtype, inp->data, at - (size_t)right));
				else if (j / 2 % 2)
					dtype_store(p->dtype, inp->data, at, 0x1p8 * dtype_load(p->dtype, inp->data, at));
			}
	snprintf(inp->generator, sizeof inp->generator, "%s", values);
	return 0;
}

static int indexing_fill(struct test_case *test, struct error *err)
{
	struct parameters p;
	const char *values = case_get_text(test, "values"), *initial = case_get_text(test, "initial");
	const char *scale_text = case_get_text(test, "scale");
	if (!values || !initial || !scale_text || parameters_of(test, &p, err))
		return error_set(err, ERROR_INPUT, "case %s: attribute values, initial or scale is missing", test->name);
	const double scale = strtod(scale_text, NULL);
	struct tensor *inp = owner_of(test, p.inp, err);
	if (!inp || fill_indices(test, &p, err))
		return -1;
	const int made = strcmp(values, "cancel") == 0 || strcmp(values, "overflow") == 0;
	if (made ? fill_for_sums(&p, inp, values, scale, test->seed, err)
		 : operator_fill(inp, values, scale, test->seed, STREAM_INPUT, err))
		return -1;
	if (!p.initial)
		return 0;
	struct tensor *before = owner_of(test, p.initial, err);
	return before ? operator_fill(before, initial, 1.0, test->seed, STREAM_INITIAL, err) : -1;
}

/* Indices decoded, in row-major order; malloc'd. An index that is neither a row nor "none" is an error: kernels may stop. */
static int64_t *decode_indices(const struct test_case *test, const struct parameters *p, struct error *err)
{
	const int64_t count = tensor_elements(p->ids), none = none_of(p->index);
	const void *data = case_tensor_data(test, p->ids);
	int64_t *at = malloc(sizeof *at * (size_t)(count ? count : 1));
	if (!at || (count && !data)) {
		error_set(err, at ? ERROR_INPUT : ERROR_ENVIRONMENT, "case %s: %s", test->name,
			  at ? "ids has no data" : "out of memory for indices");
		free(at);
		return NULL;
	}
	for (int64_t i = 0; i < count; i++) {
		const int64_t value = get_index(p->index, data, tensor_offset(p->ids, i));
		if (value != none && (value < 0 || value >= p->problem.rows)) {
			error_set(err, ERROR_INPUT, "case %s: index %lld at position %lld is outside the %lld rows", test->name,
				  (long long)value, (long long)i, (long long)p->problem.rows);
			free(at);
			return NULL;
		}
		at[i] = value == none ? INDEX_NONE : value;
	}
	return at;
}

static int indexing_check_case(const struct test_case *test, struct error *err)
{
	struct parameters p;
	if (operator_check_like(&indexing_family, test, err) || parameters_of(test, &p, err))
		return -1;
	if (!case_tensor_data(test, p.ids))
		return 0;
	int64_t *at = decode_indices(test, &p, err);
	free(at);
	return at ? 0 : -1;
}

/* ---- launch ---------------------------------------------------------------------------------------------------------- */

static int indexing_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	struct parameters p;
	if (parameters_of(test, &p, err))
		return -1;
	const struct index_problem *problem = &p.problem;
	const int64_t read = problem->left * problem->ids * problem->right, columns = problem->left * problem->right;
	switch (problem->operation) {
	case INDEX_SELECT:
		argument_size(launch, read);
		argument_size(launch, 1);
		argument_tensor(launch, test, "info");
		break;
	case INDEX_GATHER:
		argument_size(launch, read);
		break;
	default:
		break;
	}
	argument_tensor(launch, test, "ids");
	if (problem->operation == INDEX_ADD)
		argument_size(launch, problem->ids);
	argument_tensor(launch, test, "inp");
	argument_tensor(launch, test, "out");
	argument_size(launch, problem->left);
	argument_size(launch, index_input_extent(problem));
	argument_size(launch, index_output_extent(problem));
	argument_size(launch, problem->right);
	launch_for_elements(launch, is_in_place(problem->operation) ? columns : read);
	return 0;
}

/* ---- judgement -------------------------------------------------------------------------------------------------------- */

struct columns {
	const struct index_problem *problem;
	enum dtype dtype;
	const void *in;
	int flush;
	void *out;          /* int64_t for sources */
};

static void sources_of_columns(void *context, int64_t first, int64_t last)
{
	const struct columns *columns = context;
	index_sources(columns->problem, first, last, columns->out);
}

static void sums_of_columns(void *context, int64_t first, int64_t last)
{
	const struct columns *columns = context;
	index_sums(columns->problem, columns->dtype, columns->in, columns->flush, first, last, columns->out);
}

enum { COLUMNS_LEAST = 1024 }; /* fewer are not worth a thread */

/* Elements that are moved keep their bits; those that nobody writes keep what was there. judge_outputs looks at the bits,
 * which tell NaNs apart; here are the values. */
static int expect_moves(const struct test_case *test, const struct parameters *p, struct expectation *expected,
			struct error *err)
{
	const int64_t count = tensor_elements(p->out);
	int64_t *source = malloc(sizeof *source * (size_t)(count ? count : 1));
	if (!source)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory", test->name);
	struct columns columns = {.problem = &p->problem, .out = source};
	parallel_for(p->problem.left * p->problem.right, COLUMNS_LEAST, sources_of_columns, &columns);
	for (int64_t i = 0; i < count; i++) {
		expected[i].flags = EXPECT_SIGNED_ZERO;
		if (source[i] >= 0)
			expected[i].value = operator_element(test, p->inp, source[i]);
		else if (p->initial)
			expected[i].value = operator_element(test, p->initial, i);
	}
	free(source);
	return 0;
}

/* Sums are exact to the bit: the order and the rounding after each addition are part of the contract. A build with fast math
 * may flush subnormal numbers of f32, in operands and results: how far that leads is computed by doing so. */
static int expect_sums(const struct test_case *test, const struct parameters *p, struct expectation *expected,
		       struct error *err)
{
	const int64_t count = tensor_elements(p->out);
	const size_t bytes = (size_t)count * dtype_size(p->dtype);
	void *sums = malloc(bytes ? bytes : 1), *flushed = malloc(bytes ? bytes : 1);
	const void *initial = case_tensor_data(test, p->initial), *in = case_tensor_data(test, p->inp);
	int result = -1;
	if (!sums || !flushed || !initial || !in) {
		error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory, or inputs without data", test->name);
		goto done;
	}
	struct columns columns = {.problem = &p->problem, .dtype = p->dtype, .in = in, .out = sums};
	memcpy(sums, initial, bytes);
	parallel_for(p->problem.left * p->problem.right, COLUMNS_LEAST, sums_of_columns, &columns);
	if (p->dtype == DTYPE_F32) {
		memcpy(flushed, initial, bytes);
		columns.out = flushed;
		columns.flush = 1;
		parallel_for(p->problem.left * p->problem.right, COLUMNS_LEAST, sums_of_columns, &columns);
	}
	for (int64_t i = 0; i < count; i++) {
		expected[i].flags = EXPECT_SIGNED_ZERO;
		expected[i].value = load_exact(p->dtype, sums, (size_t)i);
		if (p->dtype == DTYPE_F32) {
			const double apart = fabs(dtype_load(DTYPE_F32, flushed, (size_t)i) - (double)expected[i].value);
			if (apart > 0 && isfinite(apart))
				expected[i].fast_bound = apart;
		}
	}
	result = 0;
done:
	free(sums);
	free(flushed);
	return result;
}

static int is_sum(enum index_operation operation)
{
	return operation == INDEX_ADD || operation == INDEX_SCATTER_ADD;
}

static int indexing_expectations(const struct test_case *test, int abi, const struct tensor *output,
				 struct expectation *expected, struct error *err)
{
	(void)abi;
	(void)output; /* there is one */
	struct parameters p;
	if (parameters_of(test, &p, err))
		return -1;
	int64_t *at = decode_indices(test, &p, err);
	if (!at)
		return -1;
	p.problem.at = at;
	const int result = is_sum(p.problem.operation) ? expect_sums(test, &p, expected, err)
						       : expect_moves(test, &p, expected, err);
	free(at);
	return result;
}

/* Moved and untouched elements, bit for bit. */
static int indexing_judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	const struct test_case *test = outputs->test;
	struct parameters p;
	if (parameters_of(test, &p, err))
		return -1;
	int64_t *at = decode_indices(test, &p, err);
	if (!at)
		return -1;
	p.problem.at = at;
	const int64_t count = tensor_elements(p.out);
	int64_t *source = malloc(sizeof *source * (size_t)(count ? count : 1));
	if (!source) {
		free(at);
		return error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory", test->name);
	}
	struct columns columns = {.problem = &p.problem, .out = source};
	parallel_for(p.problem.left * p.problem.right, COLUMNS_LEAST, sources_of_columns, &columns);
	const size_t size = dtype_size(p.dtype);
	const unsigned char *got = outputs->storage[p.out - test->tensors];
	const unsigned char *in = case_tensor_data(test, p.inp), zero[8] = {0};
	const unsigned char *initial = p.initial ? case_tensor_data(test, p.initial) : NULL;
	for (int64_t i = 0; got && i < count; i++) {
		if (source[i] >= 0 && is_sum(p.problem.operation))
			continue;
		const unsigned char *due = source[i] >= 0 ? in + (size_t)source[i] * size
					   : initial	  ? initial + (size_t)i * size
							  : zero;
		if (memcmp(got + (size_t)i * size, due, size) == 0)
			continue;
		judgement_break(out, CHECK_EXACT, "out[%lld] has other bits than %s it %s", (long long)i,
				source[i] >= 0 ? "the element that" : "what",
				source[i] >= 0 ? "takes"
				: initial      ? "held"
					       : "has to be, zero,");
		break;
	}
	if (got && count)
		judgement_hold(out, CHECK_EXACT);
	free(source);
	free(at);
	return 0;
}

static int indexing_work(const struct test_case *test, struct work *work, struct error *err)
{
	struct parameters p;
	if (parameters_of(test, &p, err))
		return -1;
	const double size = (double)dtype_size(p.dtype), ids = (double)tensor_elements(p.ids) * (double)dtype_size(p.index);
	const double moved = (double)p.problem.left * (double)p.problem.ids * (double)p.problem.right;
	const double held = (double)p.problem.left * (double)p.problem.rows * (double)p.problem.right;
	/* rows that several indices name are counted once: at most the whole of what the indices point into */
	const double pointed = moved < held ? moved : held;
	*work = (struct work){.unit = WORK_BYTES, .bytes = ids + (moved + pointed) * size};
	if (is_sum(p.problem.operation)) {
		work->flops = moved;
		work->bytes += pointed * size; /* read and written */
	}
	return 0;
}

const struct family indexing_family = {
	.name = "indexing",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = indexing_make_case,
	.fill = indexing_fill,
	.check_case = indexing_check_case,
	.work = indexing_work,
	.symbols = indexing_symbols,
	.launch = indexing_launch,
	.expectations = indexing_expectations,
	.judge_outputs = indexing_judge_outputs,
};
