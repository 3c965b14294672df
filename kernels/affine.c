/* out = inp * mul + add in the type's own arithmetic: the module `affine`.
 *
 * Own axes: dtype, mul, add (numbers, rounded to the type; whole and within its range for integers).
 * Floating point: one rounding or two, as compiled; f16 and bf16 in the type, f8_e4m3 in float and converted once, which
 * saturates. Integers: modulo 2^bits for u8, u32 and i16 (whose arithmetic is int's); i32 and i64 beyond their range are
 * undefined in the language they are compiled from, so nothing is asked there. */
#include "kernels/operator_like.h"
#include "kernels/pointwise.h"
#include "reference/enclosure.h"

#include "core/util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const axes[] = {"dtype", "mul", "add", POINTWISE_AXES, NULL};
static const char *const defaults[] = {"f32", "1.5", "-0.75", POINTWISE_DEFAULTS};
static const char *const in_entry[] = {"dtype", NULL};
static const enum dtype types[] = {DTYPE_BF16, DTYPE_F16, DTYPE_F32, DTYPE_F64, DTYPE_U8,
				   DTYPE_U32,  DTYPE_I16, DTYPE_I32, DTYPE_I64, DTYPE_F8_E4M3};
extern const struct family affine_family;

static int least_cc(enum dtype dtype)
{
	return dtype == DTYPE_F8_E4M3 ? 89 : dtype == DTYPE_BF16 ? 80 : dtype == DTYPE_F16 ? 53 : 0;
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in every profile */
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		char name[64];
		snprintf(name, sizeof name, "affine_%s", dtype_name(types[i]));
		const struct operator_symbol symbol = {name, "affine", least_cc(types[i])};
		visit(context, &symbol);
	}
}

/* A scalar of the case as the kernel gets it. */
static int scalar(const struct assignment *assignment, const char *axis, enum dtype dtype, struct error *err)
{
	double value;
	if (operator_real(&affine_family, assignment, axis, &value, err))
		return -1;
	/* 2^53: what the text's double holds exactly */
	const int fits = dtype_is_float(dtype)
				 ? isfinite(value) && isfinite(round_to_dtype(dtype, (long double)value))
				 : round_to_dtype(dtype, (long double)value) == (long double)value && fabs(value) <= 0x1p53;
	return fits ? 0 : error_set(err, ERROR_INPUT, "axis %s: %g is no finite number of %s", axis, value, dtype_name(dtype));
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const char *type = operator_value(&affine_family, assignment, "dtype");
	const enum dtype dtype = dtype_from_name(type);
	char entry[64];
	size_t known = 0;
	while (known < ARRAY_COUNT(types) && types[known] != dtype)
		known++;
	if (known == ARRAY_COUNT(types))
		return error_set(err, ERROR_INPUT, "axis dtype: the module affine has no '%s'", type);
	if (scalar(assignment, "mul", dtype, err) || scalar(assignment, "add", dtype, err))
		return -1;
	snprintf(entry, sizeof entry, "affine_%s", dtype_name(dtype));
	if (operator_begin(&affine_family, assignment, seed, entry, in_entry, test, err))
		return -1;
	if (pointwise_add(&affine_family, assignment, dtype, test, err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&affine_family, test, err);
}

static long double scalar_of(const struct test_case *test, const char *name, enum dtype dtype)
{
	const char *text = case_get_text(test, name);
	return round_to_dtype(dtype, text ? (long double)strtod(text, NULL) : 0);
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	if (pointwise_launch(test, launch, err))
		return -1;
	const enum dtype dtype = pointwise_operand(test)->dtype;
	pointwise_pointers(test, launch);
	argument_element(launch, dtype, (double)scalar_of(test, "mul", dtype));
	argument_element(launch, dtype, (double)scalar_of(test, "add", dtype));
	return 0;
}

/* ---- what comes out ---------------------------------------------------------------------------------------------- */

static void expect_whole(enum dtype dtype, int64_t x, int64_t mul, int64_t add, struct expectation *expected)
{
	int64_t product, sum;
	const int beyond = __builtin_mul_overflow(x, mul, &product) || __builtin_add_overflow(product, add, &sum);
	const uint64_t wrapped = (uint64_t)x * (uint64_t)mul + (uint64_t)add;
	*expected = (struct expectation){0};
	if (dtype == DTYPE_I64 || dtype == DTYPE_I32) {
		const int narrow = dtype == DTYPE_I32;
		if (beyond || (narrow && (product != (int32_t)product || sum != (int32_t)sum)))
			expected->flags = EXPECT_ANY; /* signed overflow */
		else
			expected->value = (long double)sum;
	} else if (dtype == DTYPE_I16) {
		expected->value = (long double)(int16_t)(wrapped & 0xffff);
	} else {
		expected->value = (long double)(wrapped & (dtype == DTYPE_U8 ? 0xff : 0xffffffff));
	}
}

static struct enclosure results(enum dtype dtype, enum math math, long double x, long double mul, long double add)
{
	const struct arithmetic type = {dtype, math}, inside = {dtype == DTYPE_F8_E4M3 ? DTYPE_F32 : dtype, math};
	const struct enclosure result =
		enclosure_multiply_add(inside, enclosure_point(x), enclosure_point(mul), enclosure_point(add));
	return dtype == DTYPE_F8_E4M3 ? enclosure_round(type, result) : result;
}

static void expect_real(enum dtype dtype, long double x, long double mul, long double add, struct expectation *expected)
{
	const long double value = fmal(x, mul, add);
	*expected = (struct expectation){.value = value};
	if (isnan(value)) { /* a subnormal number that is flushed turns no NaN into a number here: mul and add are finite */
		expected->flags = EXPECT_NAN;
		return;
	}
	if (isinf(x)) { /* a factor that is flushed makes it a NaN */
		const long double normal = (long double)dtype_smallest_subnormal(dtype) / (long double)dtype_epsilon(dtype);
		expected->flags = fabsl(mul) < normal ? EXPECT_FAST_ANY : 0;
		return;
	}
	enclosure_expect(dtype, value, results(dtype, MATH_PRECISE, x, mul, add), results(dtype, MATH_FAST, x, mul, add),
			 expected);
}

struct range {
	const struct test_case *test;
	const struct tensor *operand;
	long double mul, add;
	struct expectation *expected;
};

static void expect_range(void *context, int64_t first, int64_t last)
{
	const struct range *range = context;
	const enum dtype dtype = range->operand->dtype;
	for (int64_t i = first; i < last; i++) {
		const long double x = operator_element(range->test, range->operand, i);
		if (dtype_is_float(dtype))
			expect_real(dtype, x, range->mul, range->add, &range->expected[i]);
		else
			expect_whole(dtype, (int64_t)x, (int64_t)range->mul, (int64_t)range->add, &range->expected[i]);
	}
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	(void)abi;
	const struct tensor *operand = pointwise_operand(test);
	if (!operand || !case_tensor_data(test, operand))
		return error_set(err, ERROR_INPUT, "case %s: is no complete affine case", test->name);
	const enum dtype dtype = operand->dtype;
	struct range range = {test, operand, scalar_of(test, "mul", dtype), scalar_of(test, "add", dtype), expected};
	parallel_for(tensor_elements(output), 4096, expect_range, &range);
	return 0;
}

const struct family affine_family = {
	.name = "affine",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = pointwise_fill,
	.check_case = check_case,
	.work = pointwise_work,
	.symbols = symbols,
	.launch = launch,
	.expectations = expectations,
};
