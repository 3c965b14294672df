/* out = f(inp): the module `unary`.
 *
 * Own axes: function (as in the names of the kernels: copy, exp, gelu_erf ...), dtype, parameter (of elu and powf; in the
 * kernel's type). Own values: hard, the points at which functions are hard to get right (below).
 *
 * Which type a kernel computes in (its source at the revision that the ABI profile names):
 *   f32, f64   itself
 *   f16, bf16  exp log sqrt sin cos by the toolkit's half functions; neg abs sqr recip and the arithmetic of composites in the
 *              type, an operation at a time; tanh erf normcdf powf ceil floor round through float
 *   f8_e4m3    everything in float, composites too; one conversion at the end, which saturates. recip in double. */
#include "kernels/operator_like.h"
#include "kernels/pointwise.h"
#include "reference/enclosure.h"

#include "core/util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const axes[] = {"function", "dtype", "parameter", POINTWISE_AXES, NULL};
static const char *const defaults[] = {"copy", "f32", "1.5", POINTWISE_DEFAULTS};
static const char *const in_entry[] = {"function", "dtype", NULL};
extern const struct family unary_family;

/* ---- names ------------------------------------------------------------------------------------------------------- */

static int least_cc(enum dtype dtype)
{
	return dtype == DTYPE_F8_E4M3 ? 89 : dtype == DTYPE_BF16 ? 80 : dtype == DTYPE_F16 ? 53 : 0;
}

/* Whether the module has the function for a type; its name. */
static int entry_name(enum function function, enum dtype dtype, char name[64])
{
	static const enum dtype types[] = {DTYPE_BF16, DTYPE_F16, DTYPE_F32, DTYPE_F64, DTYPE_F8_E4M3, DTYPE_U8, DTYPE_U32, DTYPE_I64};
	const size_t count = function == FUNCTION_COPY ? ARRAY_COUNT(types) : 5;
	for (size_t i = 0; i < count; i++) {
		if (types[i] != dtype)
			continue;
		/* the module spells the type in two ways */
		const int short_name = dtype == DTYPE_F8_E4M3 && function != FUNCTION_COPY;
		snprintf(name, 64, "u%s_%s", function_names[function], short_name ? "fp8_e4m3" : dtype_name(dtype));
		return 1;
	}
	return 0;
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in every profile */
	for (int function = 0; function < FUNCTION_COUNT; function++) {
		for (int dtype = DTYPE_INVALID + 1; dtype < DTYPE_COUNT; dtype++) {
			char name[64];
			if (!entry_name((enum function)function, (enum dtype)dtype, name))
				continue;
			const struct operator_symbol symbol = {name, "unary", least_cc((enum dtype)dtype)};
			visit(context, &symbol);
		}
	}
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const char *name = operator_value(&unary_family, assignment, "function");
	const char *type = operator_value(&unary_family, assignment, "dtype");
	const enum function function = function_from_name(name);
	const enum dtype dtype = dtype_from_name(type);
	double parameter;
	char entry[64];
	if (function == FUNCTION_COUNT)
		return error_set(err, ERROR_INPUT, "axis function: '%s' is no function of the module unary", name);
	if (dtype == DTYPE_INVALID || !entry_name(function, dtype, entry))
		return error_set(err, ERROR_INPUT, "axis dtype: the module unary has no %s of '%s'", name, type);
	if (operator_real(&unary_family, assignment, "parameter", &parameter, err))
		return -1;
	if (!isfinite(parameter) || !(fabsl(round_to_dtype(dtype, (long double)parameter)) < (long double)INFINITY))
		return error_set(err, ERROR_INPUT, "axis parameter: %g is no finite number of %s", parameter, dtype_name(dtype));
	if (operator_begin(&unary_family, assignment, seed, entry, in_entry, test, err))
		return -1;
	if (pointwise_add(&unary_family, assignment, dtype, test, err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&unary_family, test, err);
}

static long double parameter_of(const struct test_case *test, enum dtype dtype)
{
	const char *text = case_get_text(test, "parameter");
	return round_to_dtype(dtype, text ? (long double)strtod(text, NULL) : 1);
}

/* Where functions are hard: zeros, thresholds of overflow and underflow in every type, tails, arguments next to multiples of
 * pi/2 (among them those nearest to one that f32 and f64 have: Muller et al., Handbook of Floating-Point Arithmetic, 10.2),
 * halves, squares. */
static const double hard_points[] = {
	0, 0x1p-1074, 0x1p-1022, 0x1p-149, 0x1p-126, 0x1p-133, 0x1p-64, 0x1p-54, 0x1p-53, 0x1p-30, 0x1p-27, 0x1p-25, 0x1p-24,
	0x1p-15, 0x1p-14, 0x1p-12, 0x1p-10, 1e-5, 1e-3, 0.01, 0.1, 0.125, 0.25, 1.0 / 3, 0.34657359027997264, 0.46875, 0.49999997,
	0.49999999999999994, 0.5, 0.5493061443340549, 0.55, 0.625, 2.0 / 3, 0.6931471805599453, 0.7071067811865476, 0.75, 0.84375,
	0.9999, 1, 1.0001, 1.25, 1.4142135623730951, 1.5, 2, 2.5, 2.718281828459045, 3, 3.5, 3.9192059, 4, 4.5, 5, 5.5, 5.9215871,
	6, 6.5, 7, 8, 8.2923611, 8.66433976, 9, 9.0109, 9.7, 10, 11.0898664, 11.5, 12, 13, 14.16, 14.5, 16, 16.6355, 17.3287, 19.0615,
	20, 22, 25, 26.5, 27.2262, 28, 32, 36.7368, 37.5193793471445, 38.4674056172733, 38.6, 40, 44.36, 64, 85, 87.3365478515625,
	88, 88.029, 88.3762626647949, 88.722839, 88.72283935546875, 89.4, 90, 92.2, 100, 103.278929903431, 103.972084, 104, 127, 128,
	150, 181, 254, 255, 256, 300, 448, 464, 700, 708.3964185322641, 709.782712893384, 710, 744.4400719213812, 745.1332191019412,
	746, 1000, 1024, 2047.5, 2048, 4095.5, 4096, 32768, 65504, 65519, 65520, 1e5, 105615, 1e6, 4194303.5, 8388607.5, 8388608.5,
	8388609, 16777215, 16777216, 16777217, 2147483647, 2147483648.5, 4294967296, 4503599627370495.5, 4503599627370497.5,
	9007199254740991, 0x1p62, 0x1p63, 0x1p64, 1.8446743e19, 6.9e12, 1e15, 1e22, 0x1.f9cbe2p95, 0x1p100, 0x1.fffffep125, 0x1p126,
	0x1.000002p126, 0x1p127, 0x1.fffffep127, 1.3407807929942597e154, 0x1.6ac5b262ca1ffp849, 0x1p1000, 0x1.fffffffffffffp1021,
	0x1p1022, 0x1p1023, 0x1.fffffffffffffp1023};
enum { TRIGONOMETRIC = 40, HARD_POINTS = (int)ARRAY_COUNT(hard_points) + TRIGONOMETRIC };

/* Multiples of pi/2: 1 to 20, then powers of two and tens. */
static long double hard_point(int index)
{
	if (index < (int)ARRAY_COUNT(hard_points))
		return (long double)hard_points[index];
	const int k = index - (int)ARRAY_COUNT(hard_points);
	const long double multiple = k < 20 ? k + 1 : k < 30 ? ldexpl(1, k - 14) : powl(10, k - 28) + 1;
	return multiple * 1.57079632679489661923132169163975144L;
}

/* Every point with both signs and two neighbours on each side; powers of a parameter as well: where x^p is a limit. */
static void fill_hard(struct tensor *tensor, long double parameter, int is_power)
{
	const enum dtype dtype = tensor->dtype;
	const long double limits[] = {(long double)dtype_max_finite(dtype), (long double)dtype_smallest_subnormal(dtype),
				      (long double)dtype_smallest_subnormal(dtype) / (long double)dtype_epsilon(dtype)};
	for (int64_t i = 0; i < tensor->extent; i++) {
		const int64_t point = i / 10 % (HARD_POINTS + 3);
		const int neighbour = (int)(i % 5) - 2, negative = (int)(i / 5 % 2);
		long double value = 1;
		if (point < HARD_POINTS)
			value = hard_point((int)point);
		else if (is_power && parameter != 0)
			value = powl(limits[point - HARD_POINTS], 1 / parameter);
		value = round_to_dtype(dtype, value);
		if (isfinite(value))
			value += neighbour * (long double)unit_in_last_place(dtype, value);
		dtype_store(dtype, tensor->data, (size_t)i, (double)(negative ? -value : value));
	}
}

static int fill(struct test_case *test, struct error *err)
{
	const char *values = case_get_text(test, "values"), *name = case_get_text(test, "function");
	if (!values || strcmp(values, "hard") != 0)
		return pointwise_fill(test, err);
	struct tensor *storage = pointwise_storage(test);
	if (!storage || !name || !dtype_is_float(storage->dtype))
		return error_set(err, ERROR_INPUT, "case %s: values:hard are for floating-point operands", test->name);
	if (!storage->data && tensor_allocate(storage, err))
		return -1;
	snprintf(storage->generator, sizeof storage->generator, "hard");
	fill_hard(storage, parameter_of(test, storage->dtype), function_from_name(name) == FUNCTION_POW);
	return 0;
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	const struct tensor *operand = pointwise_operand(test);
	const char *name = case_get_text(test, "function");
	if (!name || pointwise_launch(test, launch, err))
		return error_set(err, ERROR_INPUT, "case %s: is no complete unary case", test->name);
	if (function_has_parameter(function_from_name(name)))
		argument_element(launch, operand->dtype, (double)parameter_of(test, operand->dtype));
	pointwise_pointers(test, launch);
	return 0;
}

/* ---- what comes out ---------------------------------------------------------------------------------------------- */

static int is_half(enum dtype dtype)
{
	return dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

/* One function as a kernel of the type calls it. */
static struct enclosure step(struct arithmetic arithmetic, enum function function, struct enclosure x, long double parameter)
{
	if (!is_half(arithmetic.type))
		return enclosure_function(arithmetic, function, x, parameter);
	switch (function) {
	case FUNCTION_EXP: case FUNCTION_LOG: case FUNCTION_SQRT: case FUNCTION_SIN: case FUNCTION_COS:
		return enclosure_half_function(arithmetic, function, x);
	case FUNCTION_RECIP:
		return enclosure_divide(arithmetic, enclosure_point(1), x);
	case FUNCTION_TANH: case FUNCTION_ERF: case FUNCTION_NORMCDF: case FUNCTION_POW: {
		const struct arithmetic single = {DTYPE_F32, arithmetic.math};
		return enclosure_round(arithmetic, enclosure_function(single, function, x, parameter));
	}
	default:
		return enclosure_function(arithmetic, function, x, parameter);
	}
}

/* The formulas of candle_nn's activations; constants are rounded to the type they are used in. */
static struct enclosure composite(struct arithmetic type, enum function function, struct enclosure x, long double parameter)
{
	const struct enclosure one = enclosure_point(1);
	switch (function) {
	case FUNCTION_SQR:
		return enclosure_multiply(type, x, x);
	case FUNCTION_SIGMOID:
	case FUNCTION_SILU: {
		const struct enclosure below = enclosure_add(type, one, step(type, FUNCTION_EXP, enclosure_negate(x), 0));
		return enclosure_divide(type, function == FUNCTION_SILU ? x : one, below);
	}
	case FUNCTION_GELU: {
		const struct enclosure k = enclosure_point(round_to_dtype(type.type, 0.044715));
		const struct enclosure c = enclosure_point(round_to_dtype(type.type, 0.79788456080286535588));
		const struct enclosure cube = enclosure_multiply(type, enclosure_multiply(type, x, x), x);
		const struct enclosure inner = enclosure_multiply_add(type, k, cube, x);
		const struct enclosure t = step(type, FUNCTION_TANH, enclosure_multiply(type, c, inner), 0);
		return enclosure_multiply(type, enclosure_multiply(type, enclosure_point(0.5L), x), enclosure_add(type, one, t));
	}
	case FUNCTION_GELU_ERF:
		return enclosure_multiply(type, x, step(type, FUNCTION_NORMCDF, x, 0));
	case FUNCTION_ELU:
		if (x.low > 0)
			return enclosure_function(type, FUNCTION_RELU, x, 0); /* itself, or flushed */
		return enclosure_multiply(type, enclosure_point(parameter),
					  enclosure_add(type, step(type, FUNCTION_EXP, x, 0), enclosure_point(-1)));
	default:
		return step(type, function, x, parameter);
	}
}

static int has_steps(enum function function)
{
	return function == FUNCTION_SIGMOID || function == FUNCTION_SILU || function == FUNCTION_GELU ||
	       function == FUNCTION_GELU_ERF || function == FUNCTION_ELU;
}

/* The formulas of f16 and bf16 may as well be followed in float and rounded once: nobody could call that wrong, and under
 * cancellation neither way is always the nearer. */
static struct enclosure results(enum dtype dtype, enum math math, enum function function, long double x, long double parameter)
{
	const struct enclosure point = enclosure_point(x);
	const struct arithmetic type = {dtype, math};
	const struct enclosure in_type = dtype != DTYPE_F8_E4M3 ? composite(type, function, point, parameter) : point;
	if (dtype != DTYPE_F8_E4M3 && !(is_half(dtype) && has_steps(function)))
		return in_type;
	const struct arithmetic inside = {function == FUNCTION_RECIP ? DTYPE_F64 : DTYPE_F32, math};
	const struct enclosure in_float = enclosure_round(type, composite(inside, function, point, parameter));
	if (dtype == DTYPE_F8_E4M3)
		return in_float;
	return (struct enclosure){fminl(in_type.low, in_float.low), fmaxl(in_type.high, in_float.high)};
}

/* Functions that keep the sign of a zero (C, Annex F). */
static int keeps_zero(enum function function)
{
	switch (function) {
	case FUNCTION_COPY: case FUNCTION_NEG: case FUNCTION_ABS: case FUNCTION_CEIL: case FUNCTION_FLOOR: case FUNCTION_ROUND:
	case FUNCTION_SQRT: case FUNCTION_SIN: case FUNCTION_TANH: case FUNCTION_ERF: case FUNCTION_POW:
		return 1;
	default:
		return 0;
	}
}

/* Functions whose result is a number of the operand's own type. */
static int is_exact(enum function function)
{
	switch (function) {
	case FUNCTION_COPY: case FUNCTION_NEG: case FUNCTION_ABS: case FUNCTION_SIGN: case FUNCTION_RELU: case FUNCTION_CEIL:
	case FUNCTION_FLOOR: case FUNCTION_ROUND:
		return 1;
	default:
		return 0;
	}
}

/* A subnormal operand of a build with fast math is 0: NaN for the one may be a number for the other. */
static int may_flush(enum dtype dtype, long double x)
{
	const long double normal = (long double)dtype_smallest_subnormal(dtype) / (long double)dtype_epsilon(dtype);
	return (dtype == DTYPE_F32 || dtype == DTYPE_BF16) && x != 0 && fabsl(x) < normal;
}

static void expect_one(enum function function, enum dtype dtype, long double x, long double parameter,
		       struct expectation *expected)
{
	const long double value = function_value(function, x, parameter);
	*expected = (struct expectation){.value = value};
	if (function == FUNCTION_RELU && isnan(x)) {
		expected->value = 0; /* max(NaN, 0): the contract does not say which, and Candle's types differ */
		expected->flags = EXPECT_OR_NAN;
		return;
	}
	if (isnan(value)) {
		expected->flags = EXPECT_NAN | (may_flush(dtype, x) ? EXPECT_FAST_ANY : 0);
		return;
	}
	if (x == 0 && keeps_zero(function))
		expected->flags = EXPECT_SIGNED_ZERO;
	if (function == FUNCTION_COPY)
		return;
	if (isnan(x)) { /* sign(NaN) = 0 by its formula; NaN^0 = 1, which the fast power's 0 * log(x) does not give */
		expected->flags = function == FUNCTION_POW ? EXPECT_FAST_ANY : 0;
		return;
	}
	if (isinf(x) && (function == FUNCTION_SILU || function == FUNCTION_GELU || function == FUNCTION_GELU_ERF)) {
		/* -inf: the limit is -0, the formula -inf * 0 or -inf / inf */
		expected->flags = x < 0 ? EXPECT_OR_NAN : 0;
		return;
	}
	if (is_exact(function) && !may_flush(dtype, x))
		return;
	const struct enclosure precise = results(dtype, MATH_PRECISE, function, x, parameter);
	/* double is not touched by fast math */
	const struct enclosure fast = dtype == DTYPE_F64 ? precise : results(dtype, MATH_FAST, function, x, parameter);
	enclosure_expect(dtype, value, precise, fast, expected);
}

struct range {
	const struct test_case *test;
	const struct tensor *operand;
	enum function function;
	long double parameter;
	struct expectation *expected;
};

static void expect_range(void *context, int64_t first, int64_t last)
{
	const struct range *range = context;
	for (int64_t i = first; i < last; i++)
		expect_one(range->function, range->operand->dtype, operator_element(range->test, range->operand, i), range->parameter,
			   &range->expected[i]);
}

/* A type of few bits has few values: each is looked at once. */
struct lookup {
	const struct range *range;
	struct expectation *table;
	size_t size;
};

static void expect_patterns(void *context, int64_t first, int64_t last)
{
	const struct lookup *lookup = context;
	const enum dtype dtype = lookup->range->operand->dtype;
	for (int64_t bits = first; bits < last; bits++) {
		const uint16_t pattern = (uint16_t)bits; /* little-endian, as every machine is that CUDA runs on */
		expect_one(lookup->range->function, dtype, load_exact(dtype, &pattern, 0), lookup->range->parameter, &lookup->table[bits]);
	}
}

static void look_up(void *context, int64_t first, int64_t last)
{
	const struct lookup *lookup = context;
	const struct range *range = lookup->range;
	const unsigned char *data = case_tensor_data(range->test, range->operand);
	for (int64_t i = first; i < last; i++) {
		uint16_t pattern = 0;
		memcpy(&pattern, data + (size_t)tensor_offset(range->operand, i) * lookup->size, lookup->size);
		range->expected[i] = lookup->table[pattern];
	}
}

static int expect_by_table(const struct range *range, int64_t count, struct error *err)
{
	const size_t size = dtype_size(range->operand->dtype);
	const int64_t patterns = (int64_t)1 << 8 * size;
	struct expectation *table = malloc((size_t)patterns * sizeof *table);
	if (!table)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory for %lld expectations", range->test->name,
				 (long long)patterns);
	struct lookup lookup = {range, table, size};
	parallel_for(patterns, 2048, expect_patterns, &lookup);
	parallel_for(count, 65536, look_up, &lookup);
	free(table);
	return 0;
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	(void)abi;
	const struct tensor *operand = pointwise_operand(test);
	const char *name = case_get_text(test, "function");
	if (!operand || !name || !case_tensor_data(test, operand))
		return error_set(err, ERROR_INPUT, "case %s: is no complete unary case", test->name);
	struct range range = {test, operand, function_from_name(name), parameter_of(test, operand->dtype), expected};
	const int64_t count = tensor_elements(output);
	if (dtype_size(operand->dtype) <= 2 && count > 2 * ((int64_t)1 << 8 * dtype_size(operand->dtype)))
		return expect_by_table(&range, count, err);
	parallel_for(count, 2048, expect_range, &range);
	return 0;
}

const struct family unary_family = {
	.name = "unary",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = fill,
	.check_case = check_case,
	.work = pointwise_work,
	.symbols = symbols,
	.launch = launch,
	.expectations = expectations,
};
