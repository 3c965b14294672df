/* rmsnorm_T and layernorm_T of Candle's module `reduce`: rows of a contiguous [rows, cols], one block of threads for each. */
#include "kernels/operator_like.h"

#include "dataset/generate.h"
#include "reference/norm.h"
#include "reference/reduce.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Axes:
 *   op      rmsnorm | layernorm
 *   dtype   bf16 f16 f32 f64
 *   rows, cols
 *   affine  both | alpha | beta | none: which of alpha and beta are given, the other pointers are NULL; rmsnorm has no beta
 *   eps     0 or more, as a float
 *   input   operator_fill's kinds, or one of `inputs` below
 *   scale   what generated values are multiplied by
 *   shift   what is added to all elements
 *   affine_values   operator_fill's kinds, for alpha and beta */
static const char *const axes[] = {"op",    "dtype", "rows",  "cols",          "affine", "eps",
				   "input", "scale", "shift", "affine_values", NULL};
static const char *const defaults[] = {"rmsnorm", "f32", "3", "70", "alpha", "1e-5", "normal", "1", "0", "normal"};
static const char *const in_entry[] = {"op", "dtype", NULL};
static const char *const ops[] = {"rmsnorm", "layernorm", NULL};
static const char *const dtypes[] = {"bf16", "f16", "f32", "f64", NULL};
static const char *const affines[] = {"none", "alpha", "beta", "both", NULL}; /* bit 0: alpha, bit 1: beta */

/*   peak       one element of each row is scale, at another place from row to row, all others are 0
 *   some_zero  every second row is 0 throughout
 *   inf, neg_inf, nan_first, nan_last, nan_middle   there in every second row */
static const char *const inputs[] = {"peak", "some_zero", "inf", "neg_inf", "nan_first", "nan_last", "nan_middle", NULL};
enum { ELEMENTS_MAX = 1 << 28, STREAM_BASE = 1, STREAM_PLACE, STREAM_ALPHA, STREAM_BETA };

extern const struct family norm_family;

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in all */
	for (int op = 0; ops[op]; op++)
		for (int type = 0; dtypes[type]; type++) {
			char name[40];
			snprintf(name, sizeof name, "%s_%s", ops[op], dtypes[type]);
			visit(context, &(struct operator_symbol){name, "reduce", type == 0 ? 80 : type == 1 ? 53 : 0});
		}
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &norm_family;
	int64_t dims[2];
	double eps, scale, shift;
	char entry[40];
	*test = (struct test_case){0};
	const int op = operator_is_one_of(family, assignment, "op", ops, err);
	const int type = op < 0 ? -1 : operator_is_one_of(family, assignment, "dtype", dtypes, err);
	const int affine = type < 0 ? -1 : operator_is_one_of(family, assignment, "affine", affines, err);
	if (affine < 0 || operator_int(family, assignment, "rows", 1, ELEMENTS_MAX, &dims[0], err) ||
	    operator_int(family, assignment, "cols", 1, ELEMENTS_MAX / dims[0], &dims[1], err) ||
	    operator_real(family, assignment, "eps", &eps, err) || operator_real(family, assignment, "scale", &scale, err) ||
	    operator_real(family, assignment, "shift", &shift, err))
		return -1;
	if (!(eps >= 0) || !(eps <= 0x1p127) || !isfinite(scale) || !isfinite(shift))
		return error_set(err, ERROR_INPUT, "axes eps, scale, shift: finite numbers are due, eps from 0 on");
	if (op == 0 && (affine & 2))
		return error_set(err, ERROR_INPUT, "axis affine: rmsnorm has no beta, so %s is not possible", affines[affine]);
	snprintf(entry, sizeof entry, "%s_%s", ops[op], dtypes[type]);
	const enum dtype dtype = dtype_from_name(dtypes[type]);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    !case_add_tensor(test, "src", TENSOR_INPUT, dtype, 2, dims, NULL, err) ||
	    ((affine & 1) && !case_add_tensor(test, "alpha", TENSOR_INPUT, dtype, 1, dims + 1, NULL, err)) ||
	    ((affine & 2) && !case_add_tensor(test, "beta", TENSOR_INPUT, dtype, 1, dims + 1, NULL, err)) ||
	    !case_add_tensor(test, "dst", TENSOR_OUTPUT, dtype, 2, dims, NULL, err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&norm_family, test, err);
}

static double real_of(const struct test_case *test, const char *attribute)
{
	const char *text = case_get_text(test, attribute);
	return text ? strtod(text, NULL) : 0.0;
}

static int value_of(const char *input, double scale, uint64_t seed, int64_t row, int64_t place, int64_t cols, double *value)
{
	const int64_t chosen[] = {0, cols - 1, 31, 32, 1023, 1024};
	int64_t middle = row < 6 ? chosen[row] : (int64_t)generate_below((uint64_t)cols, seed, STREAM_PLACE, (uint64_t)row);
	const int odd = row % 2 != 0;
	middle = middle < cols ? middle : cols / 2;
	if (strcmp(input, "peak") == 0)
		*value = place == middle ? scale : 0;
	else if (strcmp(input, "some_zero") == 0 && odd)
		*value = 0;
	else if (strcmp(input, "inf") == 0 && odd && place == middle)
		*value = (double)INFINITY;
	else if (strcmp(input, "neg_inf") == 0 && odd && place == middle)
		*value = -(double)INFINITY;
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
	struct tensor *alpha = case_find_tensor(test, "alpha", TENSOR_INPUT);
	struct tensor *beta = case_find_tensor(test, "beta", TENSOR_INPUT);
	const char *input = case_get_text(test, "input"), *values = case_get_text(test, "affine_values");
	const double scale = real_of(test, "scale"), shift = real_of(test, "shift");
	int ours = 0;
	if (!source || source->rank != 2 || !input || !values)
		return error_set(err, ERROR_INPUT, "case %s: it is not complete", test->name);
	for (int i = 0; inputs[i]; i++)
		ours |= strcmp(inputs[i], input) == 0;
	if (operator_fill(source, ours ? "normal" : input, scale, test->seed, STREAM_BASE, err) ||
	    (alpha && operator_fill(alpha, values, 1.0, test->seed, STREAM_ALPHA, err)) ||
	    (beta && operator_fill(beta, values, 1.0, test->seed, STREAM_BETA, err)))
		return -1;
	snprintf(source->generator, sizeof source->generator, "%s", input);
	for (int64_t row = 0; (ours || shift != 0) && row < source->dims[0]; row++)
		for (int64_t place = 0; place < source->dims[1]; place++) {
			const size_t at = (size_t)(row * source->dims[1] + place);
			double value = dtype_load(source->dtype, source->data, at);
			value_of(input, scale, test->seed, row, place, source->dims[1], &value);
			dtype_store(source->dtype, source->data, at, value + shift);
		}
	return 0;
}

/* 32 and 1024 are the only sizes that Candle launches. */
static int block_of(int64_t cols)
{
	return cols < 1024 ? 32 : 1024;
}

static void pointer_or_null(struct operator_launch *launch, const struct test_case *test, const char *name)
{
	if (operator_tensor(test, name))
		argument_tensor(launch, test, name);
	else
		argument_null(launch);
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	const struct tensor *source = operator_tensor(test, "src");
	const char *op = case_get_text(test, "op");
	(void)abi;
	if (!source || source->rank != 2 || !op)
		return error_set(err, ERROR_INPUT, "case %s: src is missing or has no two axes", test->name);
	const int block = block_of(source->dims[1]);
	argument_tensor(launch, test, "src");
	argument_tensor(launch, test, "dst");
	pointer_or_null(launch, test, "alpha");
	if (strcmp(op, "layernorm") == 0)
		pointer_or_null(launch, test, "beta");
	argument_u32(launch, source->dims[1]);
	argument_u32(launch, block);
	argument_f32(launch, real_of(test, "eps"));
	launch->grid = (struct device_dim3){(uint32_t)source->dims[0], 1, 1};
	launch->block = (struct device_dim3){(uint32_t)block, 1, 1};
	return 0;
}

/* ---- what is right ------------------------------------------------------------------------------------------------
 * Computed in float, elements of f64 in double: what an f64 is for (the released kernels add up floats for it as well, and fail;
 * f64 elsewhere in Candle is computed in double). u = 2^-24, a = what underflow may take (2^-150; flushed: 2^-126); of double
 * u = 2^-53, a = 2^-1075, whatever the flags of the build. eps is a float.
 *
 *   sums      a thread adds up ceil(n / block) elements, then 5 (block 32) or 10 steps (1024) join the threads; a square adds one
 *             rounding. steps = ceil(n / block) + joins + that:
 *             relative error g = (1 + u)^steps - 1 of sum x^2, and g' of sum x relative to sum |x|
 *   / n       u; fast math: div.approx, 2 units in the last place: 4u
 *   rsqrt     2 units: 4u (CUDA C++ Programming Guide, rsqrtf; rsqrt is 1 unit); rsqrt.approx 2^-22.9 (PTX ISA) is no more than
 *             that
 *   rmsnorm   q = mean x^2 + eps: relative (1 + g)(1 + division)(1 + u) - 1, and a for squares that underflow. The root halves
 *             that. Then two products (x, alpha), and the rounding to T, where that is not what it is computed in.
 *   layernorm The variance. By which formula is not in the contract; the public source adds up x and x^2, so the variance is
 *             mean x^2 - mean^2, and its error is absolute:
 *                 D = (g + division) mean x^2 + 2 |mean| d + d^2 + u mean^2 + u variance + a,   d = error of the mean
 *             That is nothing while |mean| is of the size of the deviations, and everything where |mean|^2 u is above the
 *             variance. A variance is never below 0, though: what is taken under the root may be anything in
 *             [max(0, variance - D) + eps, variance + D + eps], and the result has to be a number whenever eps > 0. A kernel that
 *             lets the difference become negative beyond eps gives NaN, and fails. One that takes two passes is well within. */
struct rule {
	double u, division, a;   /* relative, relative, absolute */
	double out;              /* least of what the last rounding may take */
	double steps;
};

static struct rule rule_of(enum dtype dtype, int64_t cols, enum math math)
{
	const int block = block_of(cols), fast = math == MATH_FAST;
	struct rule rule = {.u = 0x1p-24, .division = fast ? 0x1p-22 : 0x1p-24, .a = fast ? 0x1p-126 : 0x1p-150};
	if (dtype == DTYPE_F64)
		rule = (struct rule){.u = 0x1p-53, .division = 0x1p-53, .a = 0x1p-1074 /* half of it is no double */};
	rule.steps = (double)((cols - 1) / block + 1) + (block == 32 ? 5 : 10);
	rule.out = fast && dtype != DTYPE_F16 && dtype != DTYPE_F64 ? 0x1p-126 : 0;
	return rule;
}

/* Interval of 1 / sqrt(q) for q in [low, high] times (1 +- 4u), as distances from 1 / sqrt(middle). */
struct inverse {
	double value, below, above;
};

static struct inverse inverse_root(double low, double middle, double high, double u)
{
	struct inverse inverse = {.value = 1 / sqrt(middle)};
	inverse.below = inverse.value - 1 / sqrt(high) * (1 - 4 * u);
	inverse.above = low > 0 ? 1 / sqrt(low) * (1 + 4 * u) - inverse.value : (double)INFINITY;
	return inverse;
}

struct expecting {
	const struct test_case *test;
	const struct tensor *source, *alpha, *beta;
	int centred;             /* layernorm */
	double eps;
	struct expectation *expected;
	_Atomic int failed;
};

struct row_bound {
	struct rule rule;
	struct inverse inverse;
	double mean_error;
};

static struct row_bound row_bound(const struct expecting *expecting, const struct norm_row *row, enum math math)
{
	const struct rule rule = rule_of(expecting->source->dtype, row->count, math);
	const double u = rule.u, squares = (double)row->square_mean, mean = fabs((double)row->mean);
	const double square_growth = (1 + rounding_growth(u, rule.steps + 1)) * (1 + rule.division) - 1;
	struct row_bound bound = {.rule = rule};
	if (!expecting->centred) {
		const double q = squares + expecting->eps;
		const double error = ((1 + square_growth) * (1 + u) - 1) * q + rule.a;
		bound.inverse = inverse_root(q - error, q, q + error, u);
		return bound;
	}
	const double mean_growth = (1 + rounding_growth(u, rule.steps)) * (1 + rule.division) - 1;
	const double d = mean_growth * (double)row->magnitude_mean + (row->magnitude_mean > 0 ? rule.a : 0);
	const double variance = (double)row->variance;
	const double error = square_growth * squares + 2 * mean * d + d * d + u * (mean + d) * (mean + d) + u * variance +
			     (squares > 0 ? rule.a : 0);
	const double low = (fmax(0, variance - error) + expecting->eps) * (1 - u);
	bound.mean_error = d;
	bound.inverse = inverse_root(low, variance + expecting->eps, (variance + error + expecting->eps) * (1 + u), u);
	return bound;
}

/* An element whose distance from the mean (rmsnorm: from 0) is `deviation`. */
static double element_bound(const struct row_bound *row, int centred, double deviation, double alpha, double beta, double value,
			    double rounding)
{
	const struct rule rule = row->rule;
	const double u = rule.u, inverse = row->inverse.value + row->inverse.above;
	/* the mean's error, the subtraction */
	const double off = row->mean_error + rule.a + (centred ? u * fabs(deviation) : 0);
	double scaled = fabs(deviation) * fmax(row->inverse.below, row->inverse.above) + off * inverse;
	scaled += u * (fabs(deviation) + off) * inverse + rule.a;                              /* product with the inverse root */
	/* with alpha, which may be flushed; plus beta, likewise */
	const double whole = fabs(deviation) * inverse;
	scaled = scaled * fabs(alpha) + u * whole * fabs(alpha) + rule.a * (2 + whole);
	scaled += u * (fabs(beta) + fabs(value)) + rule.out;
	return scaled * (1 + 4 * u) + rounding;
}

static void expect_element(const struct expecting *expecting, const struct norm_row *row, const struct row_bound bounds[2],
			   long double x, double alpha, double beta, struct expectation *expected)
{
	const long double q = (expecting->centred ? row->variance : row->square_mean) + (long double)expecting->eps;
	const long double deviation = expecting->centred ? x - row->mean : x;
	if (row->nan_count || (row->infinity_count && (expecting->centred || isinf(x)))) {
		expected->flags = EXPECT_NAN; /* Inf - Inf, Inf / Inf */
		return;
	}
	if (row->square_mean * row->count >= (expecting->source->dtype == DTYPE_F64 ? 0x1p1023L : 0x1p127L) ||
	    (row->infinity_count && !(isfinite(alpha) && isfinite(beta)))) {
		expected->flags = EXPECT_ANY; /* the sum of squares may be beyond what it is formed in */
		return;
	}
	if (row->infinity_count) {
		expected->value = (long double)beta; /* rmsnorm: x / Inf = 0 */
		expected->bound = 0;
		expected->fast_bound = 0x1p-126;
		return;
	}
	if (q == 0) {
		expected->flags = EXPECT_NAN; /* 0 / 0: all elements are equal, and eps is 0 */
		/* whose mean need not come out as that one value unless it is 0 */
		if (row->magnitude_mean > 0)
			expected->flags = EXPECT_ANY;
		return;
	}
	if (isinf(bounds[0].inverse.above)) {
		expected->flags = EXPECT_ANY; /* eps is 0 (or vanishes), and the variance may be lost: a division by 0 */
		return;
	}
	const long double scaled = deviation / sqrtl(q);
	expected->value = scaled * (long double)alpha + (long double)beta;
	if (!isfinite(alpha) || !isfinite(beta)) {
		/* infinite or NaN as IEEE 754 has it, where the sign of what is scaled by alpha is beyond doubt */
		const double about = (double)scaled;
		const double error = element_bound(&bounds[1], expecting->centred, (double)deviation, 1, 0, about, 0);
		if (isinf(alpha) && !(fabs(about) > error))
			expected->flags = EXPECT_ANY;
		return;
	}
	const enum dtype dtype = expecting->source->dtype;
	const int is_last = dtype == DTYPE_F64 || dtype == DTYPE_F32; /* what it is computed in */
	const double rounding = is_last ? 0 : unit_in_last_place(dtype, expected->value) / 2;
	const double off = (double)deviation, value = (double)expected->value;
	expected->bound = element_bound(&bounds[0], expecting->centred, off, alpha, beta, value, rounding);
	expected->fast_bound = element_bound(&bounds[1], expecting->centred, off, alpha, beta, value, rounding);
	if (isinf(bounds[1].inverse.above))
		expected->flags = EXPECT_FAST_ANY;
}

static void expect_rows(void *context, int64_t first, int64_t last)
{
	struct expecting *expecting = context;
	const struct tensor *source = expecting->source;
	const int64_t cols = source->dims[1];
	long double *x = malloc((size_t)cols * sizeof *x);
	if (!x) {
		expecting->failed = 1;
		return;
	}
	for (int64_t index = first; index < last; index++) {
		struct norm_row row;
		for (int64_t i = 0; i < cols; i++)
			x[i] = load_exact(source->dtype, source->data, (size_t)(index * cols + i));
		norm_row(x, cols, &row);
		const struct row_bound bounds[2] = {row_bound(expecting, &row, MATH_PRECISE),
						    row_bound(expecting, &row, MATH_FAST)};
		for (int64_t i = 0; i < cols; i++) {
			const double alpha = expecting->alpha ? dtype_load(source->dtype, expecting->alpha->data, (size_t)i) : 1;
			const double beta = expecting->beta ? dtype_load(source->dtype, expecting->beta->data, (size_t)i) : 0;
			expect_element(expecting, &row, bounds, x[i], alpha, beta, &expecting->expected[index * cols + i]);
		}
	}
	free(x);
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	const char *op = case_get_text(test, "op");
	struct expecting expecting = {.test = test,
				      .source = operator_tensor(test, "src"),
				      .alpha = operator_tensor(test, "alpha"),
				      .beta = operator_tensor(test, "beta"),
				      .centred = op && strcmp(op, "layernorm") == 0,
				      .eps = (double)(float)real_of(test, "eps"),
				      .expected = expected};
	(void)abi;
	if (!expecting.source || !expecting.source->data || expecting.source->rank != 2 ||
	    (expecting.alpha && !expecting.alpha->data) || (expecting.beta && !expecting.beta->data) ||
	    tensor_elements(output) != tensor_elements(expecting.source))
		return error_set(err, ERROR_INTERNAL, "case %s: its inputs have no data", test->name);
	parallel_for(expecting.source->dims[0], 1 + (1 << 13) / expecting.source->dims[1], expect_rows, &expecting);
	return expecting.failed ? error_set(err, ERROR_ENVIRONMENT, "not enough memory for a row of %lld numbers",
					    (long long)expecting.source->dims[1])
				: 0;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	const struct tensor *source = operator_tensor(test, "src");
	if (!source || source->rank != 2)
		return error_set(err, ERROR_INPUT, "case %s: src is missing or has no two axes", test->name);
	const double elements = (double)tensor_elements(source), size = (double)dtype_size(source->dtype);
	const int vectors = (operator_tensor(test, "alpha") != NULL) + (operator_tensor(test, "beta") != NULL);
	work->flops = (4 + vectors) * elements;
	work->bytes = (2 * elements + vectors * (double)source->dims[1]) * size;
	work->unit = WORK_BYTES;
	return 0;
}

const struct family norm_family = {
	.name = "norm",
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
