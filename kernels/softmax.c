/* softmax_T of Candle's module `reduce`: rows of a contiguous [rows, cols]; one warp for each row. */
#include "kernels/operator_like.h"

#include "dataset/generate.h"
#include "reference/norm.h"
#include "reference/reduce.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Axes:
 *   dtype   bf16 f16 f32 f64
 *   rows, cols
 *   input   operator_fill's kinds, or one of `inputs` below
 *   scale   what generated values are multiplied by */
static const char *const axes[] = {"dtype", "rows", "cols", "input", "scale", NULL};
static const char *const defaults[] = {"f32", "5", "33", "normal", "1"};
static const char *const in_entry[] = {"dtype", NULL};
static const char *const dtypes[] = {"bf16", "f16", "f32", "f64", NULL};

/*   peak        one element, row after row at another place, 6 above the others, which are equal
 *   alone       one element is 1, all others -Inf: exactly 1 and exactly 0
 *   spread      from -scale to +scale in equal steps, in another order in each row
 *   ends        the largest finite number and its opposite, in turn
 *   some_neg_inf  a third of the elements is -Inf
 *   neg_inf     every second row is -Inf throughout
 *   pos_inf     +Inf in every second row
 *   nan_first, nan_last, nan_middle   NaN there in every second row */
static const char *const inputs[] = {"peak", "alone", "spread", "ends", "some_neg_inf", "neg_inf", "pos_inf", "nan_first",
				     "nan_last", "nan_middle", NULL};
enum { ELEMENTS_MAX = 1 << 28, LANES = 32, STREAM_BASE = 1, STREAM_PLACE };

extern const struct family softmax_family;

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in all */
	for (int type = 0; dtypes[type]; type++) {
		char name[40];
		snprintf(name, sizeof name, "softmax_%s", dtypes[type]);
		visit(context, &(struct operator_symbol){name, "reduce", type == 0 ? 80 : type == 1 ? 53 : 0});
	}
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &softmax_family;
	int64_t dims[2];
	double scale;
	char entry[40];
	*test = (struct test_case){0};
	const int type = operator_is_one_of(family, assignment, "dtype", dtypes, err);
	if (type < 0 || operator_int(family, assignment, "rows", 1, ELEMENTS_MAX, &dims[0], err) ||
	    operator_int(family, assignment, "cols", 1, ELEMENTS_MAX / dims[0], &dims[1], err) ||
	    operator_real(family, assignment, "scale", &scale, err))
		return -1;
	if (!isfinite(scale))
		return error_set(err, ERROR_INPUT, "axis scale: a finite number is due");
	snprintf(entry, sizeof entry, "softmax_%s", dtypes[type]);
	const enum dtype dtype = dtype_from_name(dtypes[type]);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    !case_add_tensor(test, "src", TENSOR_INPUT, dtype, 2, dims, NULL, err) ||
	    !case_add_tensor(test, "dst", TENSOR_OUTPUT, dtype, 2, dims, NULL, err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&softmax_family, test, err);
}

/* Value of element (row, place) where the kind says one; else 0 and the generated one stays. */
static int value_of(const char *input, enum dtype dtype, double scale, uint64_t seed, int64_t row, int64_t place, int64_t cols,
		    double *value)
{
	const int64_t chosen[] = {0, cols - 1, LANES - 1, LANES};
	int64_t middle = row < 4 ? chosen[row] : (int64_t)generate_below((uint64_t)cols, seed, STREAM_PLACE, (uint64_t)row);
	const int odd = row % 2 != 0;
	middle = middle < cols ? middle : cols - 1;
	if (strcmp(input, "peak") == 0)
		*value = place == middle ? scale + 6 : scale;
	else if (strcmp(input, "alone") == 0)
		*value = place == middle ? 1 : -(double)INFINITY;
	else if (strcmp(input, "spread") == 0)
		*value = cols < 2 ? scale : scale * (2.0 * (double)((place + row * 7) % cols) / (double)(cols - 1) - 1);
	else if (strcmp(input, "ends") == 0)
		*value = ((place + row) % 2 ? -1 : 1) * dtype_max_finite(dtype);
	else if (strcmp(input, "some_neg_inf") == 0 && (place + row) % 3 == 0 && cols > 1)
		*value = -(double)INFINITY;
	else if (strcmp(input, "neg_inf") == 0 && odd)
		*value = -(double)INFINITY;
	else if (strcmp(input, "pos_inf") == 0 && odd && place == middle)
		*value = (double)INFINITY;
	else if (odd &&
		 ((place == 0 && strcmp(input, "nan_first") == 0) || (place == middle && strcmp(input, "nan_middle") == 0) ||
		  (place == cols - 1 && strcmp(input, "nan_last") == 0)))
		*value = (double)NAN;
	else
		return 0;
	return 1;
}

static int fill(struct test_case *test, struct error *err)
{
	struct tensor *source = case_find_tensor(test, "src", TENSOR_INPUT);
	const char *input = case_get_text(test, "input"), *scale_text = case_get_text(test, "scale");
	int ours = 0;
	if (!source || source->rank != 2 || !input || !scale_text)
		return error_set(err, ERROR_INPUT, "case %s: it is not complete", test->name);
	const double scale = strtod(scale_text, NULL);
	for (int i = 0; inputs[i]; i++)
		ours |= strcmp(inputs[i], input) == 0;
	if (operator_fill(source, ours ? "normal" : input, scale, test->seed, STREAM_BASE, err))
		return -1;
	if (!ours)
		return 0;
	snprintf(source->generator, sizeof source->generator, "%s", input);
	for (int64_t row = 0; row < source->dims[0]; row++)
		for (int64_t place = 0; place < source->dims[1]; place++) {
			double value;
			if (value_of(input, source->dtype, scale, test->seed, row, place, source->dims[1], &value))
				dtype_store(source->dtype, source->data, (size_t)(row * source->dims[1] + place), value);
		}
	return 0;
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	const struct tensor *source = operator_tensor(test, "src");
	(void)abi;
	if (!source || source->rank != 2)
		return error_set(err, ERROR_INPUT, "case %s: src is missing or has no two axes", test->name);
	argument_tensor(launch, test, "src");
	argument_tensor(launch, test, "dst");
	argument_u32(launch, source->dims[1]);
	launch->grid = (struct device_dim3){(uint32_t)source->dims[0], 1, 1};
	launch->block = (struct device_dim3){1, LANES, 1};
	return 0;
}

/* ---- what is right ------------------------------------------------------------------------------------------------
 * p_i = e_i / S with e_i = exp(x_i - m), S the sum of all e. By the contract x_i - m, e_i, and the product with 1 / S are of the
 * type T, S is a float (a double for f64), and 1 / S is rounded to T for the product. With u = epsilon(T) / 2, v that of the
 * accumulator, a = what underflow may take (the smallest subnormal; where subnormals are flushed, the smallest normal number):
 *
 *   x_i - m   one rounding, relative error u of the distance d_i = |x_i - m|: e_i is multiplied by up to exp(u d_i)
 *   exp       1 unit in the last place, so 2u, in f32 and f64 (CUDA C++ Programming Guide, table of maximum errors: expf, exp);
 *             f16 and bf16: computed in float and rounded to T: the same 2u is generous enough. Fast math, f32: __expf,
 *             2 + floor(1.173 |x|) units (same guide). Together rho_i relative and a absolute.
 *   S         errors of the terms, averaged over their weights p_j: sum p_j rho_j + n a / S, and those of the additions: a lane
 *             adds up ceil(n / 32), then five steps join the lanes: at most (1 + v)^(ceil(n / 32) + 4) - 1, the first addition
 *             being to 0
 *   1 / S     v (fast math: div.approx, 2 units, 4v), rounded to T: u and half a subnormal step, relative to 1 / S: a S / 2
 *   product   u and a
 * A row with a NaN or +Inf, or with nothing but -Inf, is NaN throughout: Inf - Inf. */
struct rule {
	double u, v, a;
	double exp_units, exp_slope; /* error of exp in units of u: exp_units + exp_slope * distance */
	double division;             /* in units of v */
};

static struct rule rule_of(enum dtype dtype, enum math math)
{
	struct rule rule = {.u = dtype_epsilon(dtype) / 2, .a = dtype_smallest_subnormal(dtype), .exp_units = 2, .division = 1};
	rule.v = dtype == DTYPE_F64 ? rule.u : 0x1p-24;
	if (math == MATH_FAST && dtype != DTYPE_F64)
		rule.division = 4;
	if (math == MATH_FAST && dtype == DTYPE_F32) {
		rule.exp_units = 4;
		rule.exp_slope = 2 * 1.173;
	}
	if (math == MATH_FAST && (dtype == DTYPE_F32 || dtype == DTYPE_BF16))
		rule.a = 0x1p-126;
	return rule;
}

static double exp_error(const struct rule *rule, double distance)
{
	const double own = rule->u * (rule->exp_units + floor(rule->exp_slope * distance));
	const double relative = expm1(fmin(rule->u * distance, 700)) + own;
	/* nothing is known of what is below the smallest subnormal but that: keep the product with p finite */
	return fmin(relative, 0x1p1000);
}

struct expecting {
	const struct tensor *source;
	struct expectation *expected;
	_Atomic int failed;
};

static double distance_of(long double x, long double greatest)
{
	return isinf(x) ? (double)INFINITY : (double)(greatest - x);
}

static void expect_row(const struct tensor *source, const long double *x, const long double *exponentials,
		       const struct softmax_row *row, enum math math, struct expectation *expected)
{
	const struct rule rule = rule_of(source->dtype, math);
	const int64_t cols = source->dims[1];
	const double sum = (double)row->sum;
	double average = (double)cols * rule.a / sum;
	for (int64_t i = 0; i < cols; i++)
		if (exponentials[i] > 0)
			average += (double)exponentials[i] / sum * exp_error(&rule, distance_of(x[i], row->greatest));
	const double additions = rounding_growth(rule.v, (double)((cols - 1) / LANES + 5));
	/* 1 / S is too large where S is too small */
	const double terms = average < 1 ? average / (1 - average) : (double)INFINITY;
	const double inverse = (1 + rule.v * rule.division) * (1 + rule.u + rule.a * sum / 2);
	const double shared = (1 + terms) * (1 + additions) * inverse * (1 + rule.u) - 1;
	for (int64_t i = 0; i < cols; i++) {
		const double p = (double)expected[i].value;
		const double own = p > 0 ? exp_error(&rule, distance_of(x[i], row->greatest)) : 0;
		/* exactly 0 where x is -Inf: no error can come of that */
		const double bound = isinf(x[i]) ? 0 : p * ((1 + own) * (1 + shared) - 1) + rule.a * ((1 + shared) / sum + 1);
		*(math == MATH_FAST ? &expected[i].fast_bound : &expected[i].bound) = bound;
	}
}

static void expect_rows(void *context, int64_t first, int64_t last)
{
	struct expecting *expecting = context;
	const struct tensor *source = expecting->source;
	const int64_t cols = source->dims[1];
	long double *x = malloc((size_t)cols * 2 * sizeof *x), *exponentials = x ? x + cols : NULL;
	if (!x) {
		expecting->failed = 1;
		return;
	}
	for (int64_t index = first; index < last; index++) {
		struct expectation *expected = expecting->expected + index * cols;
		struct softmax_row row;
		for (int64_t i = 0; i < cols; i++)
			x[i] = load_exact(source->dtype, source->data, (size_t)(index * cols + i));
		softmax_row(x, cols, source->dtype == DTYPE_F64, exponentials, &row);
		for (int64_t i = 0; i < cols; i++) {
			if (row.is_nan)
				expected[i].flags = EXPECT_NAN;
			else
				expected[i].value = exponentials[i] / row.sum;
		}
		if (row.is_nan)
			continue;
		expect_row(source, x, exponentials, &row, MATH_PRECISE, expected);
		expect_row(source, x, exponentials, &row, MATH_FAST, expected);
	}
	free(x);
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct expecting expecting = {.source = operator_tensor(test, "src"), .expected = expected};
	(void)abi;
	if (!expecting.source || !expecting.source->data || expecting.source->rank != 2 ||
	    tensor_elements(output) != tensor_elements(expecting.source))
		return error_set(err, ERROR_INTERNAL, "case %s: src has no data", test->name);
	parallel_for(expecting.source->dims[0], 1 + (1 << 13) / expecting.source->dims[1], expect_rows, &expecting);
	return expecting.failed ? error_set(err, ERROR_ENVIRONMENT, "not enough memory for a row of %lld numbers",
					    (long long)expecting.source->dims[1])
				: 0;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	const struct tensor *source = operator_tensor(test, "src");
	if (!source)
		return error_set(err, ERROR_INPUT, "case %s: src is missing", test->name);
	const double elements = (double)tensor_elements(source);
	work->flops = 5 * elements; /* maximum, subtraction, exponential, sum, product */
	work->bytes = 2 * elements * (double)dtype_size(source->dtype);
	work->unit = WORK_BYTES;
	return 0;
}

const struct family softmax_family = {
	.name = "softmax",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = fill,
	.check_case = check_case,
	.work = work,
	.symbols = symbols,
	.launch = launch,
	.expectations = expectations,
};
