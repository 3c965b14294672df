/* Families of the module conv: symbols, cases, argument lists, what is refused, what is expected of hard elements. */
#include "check.h"
#include "kernels/spatial.h"

#include <stdlib.h>

struct pair {
	const char *axis, *value;
};

/* Up to the first pair without an axis. */
static int make(const struct family *family, const struct pair *pairs, struct test_case *test, struct error *err)
{
	struct assignment assignment = {.family = family->name, .group = "test"};
	for (; pairs->axis; pairs++) {
		assignment.axes[assignment.axis_count] = pairs->axis;
		assignment.values[assignment.axis_count++] = pairs->value;
	}
	return family->make_case(&assignment, 11, test, err);
}

#define PAIRS(...) ((const struct pair[]){__VA_ARGS__, {NULL, NULL}})

static void refused(const struct family *family, const struct pair *pairs, const char *message)
{
	struct test_case *const test = calloc(1, sizeof *test);
	struct error err = {0};
	CHECK(test != NULL);
	if (!test)
		return;
	CHECK_INT(make(family, pairs, test, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_CONTAINS(err.message, message);
	case_free(test);
	free(test);
}

struct count {
	int all, bf16, f16, others;
};

static void count_symbol(void *context, const struct operator_symbol *symbol)
{
	struct count *const count = context;
	count->all++;
	CHECK_TEXT(symbol->module, "conv");
	count->bf16 += symbol->least_cc == 80;
	count->f16 += symbol->least_cc == 53;
	count->others += symbol->least_cc == 0;
}

static void symbols(void)
{
	struct count count = {0};
	conv_family.symbols(OPERATOR_ABI_092, count_symbol, &count);
	im2col_family.symbols(OPERATOR_ABI_092, count_symbol, &count);
	pool_family.symbols(OPERATOR_ABI_092, count_symbol, &count);
	upsample_family.symbols(OPERATOR_ABI_092, count_symbol, &count);
	CHECK_INT(count.all, 66);
	CHECK_INT(count.bf16, 11);
	CHECK_INT(count.f16, 11);
	CHECK_INT(count.others, 44);
	struct operator_symbol found;
	CHECK(family_has_symbol(&upsample_family, 0, "upsample_bilinear2d_bf16", &found) && found.least_cc == 80);
	CHECK(!family_has_symbol(&conv_family, 0, "conv2d_i64", NULL));
}

static int64_t value_of(const struct operator_argument *argument)
{
	int64_t value = 0;
	memcpy(&value, argument->value, (size_t)argument->size);
	return value;
}

/* The values of the arguments in order; tensors are told as -1 - index, the list ends with LAST. */
enum { LAST = -1000 };
static void check_launch(const struct family *family, const struct pair *pairs, const int64_t *due, int64_t grid)
{
	struct test_case *const test = calloc(1, sizeof *test);
	struct error err = {0};
	struct operator_launch launch = {0};
	CHECK(test != NULL);
	if (!test)
		return;
	CHECK_INT(make(family, pairs, test, &err), 0);
	CHECK_INT(family->launch(test, 0, &launch, &err), 0);
	CHECK_INT(launch.failed, 0);
	CHECK_INT(launch.grid.x, grid);
	CHECK_INT(launch.block.x, 1024);
	int i = 0;
	for (; due[i] != LAST && i < launch.argument_count; i++) {
		const struct operator_argument *const argument = &launch.arguments[i];
		CHECK_INT(argument->kind == ARGUMENT_TENSOR ? -1 - argument->tensor : value_of(argument), due[i]);
	}
	CHECK_INT(launch.argument_count, i);
	CHECK_INT(due[i], LAST);
	case_free(test);
	free(test);
}

static int64_t bits_of(double value)
{
	int64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static void launches(void)
{
	/* tensors: 0 src, 1 kernel, 2 dst, 3 info; or 0 src, 1 dst, 2 info */
	check_launch(&conv_family,
		     PAIRS({"op", "conv2d"}, {"src", "2x3x11x7"}, {"kernel", "5x2x3"}, {"stride", "2"}, {"padding", "1"}),
		     (const int64_t[]){462, 4, 6, 2, 1, 1, -4, -1, -2, -3, LAST}, 1);
	check_launch(&conv_family,
		     PAIRS({"op", "conv_transpose1d"}, {"src", "2x3x700"}, {"kernel", "5x3"}, {"stride", "2"}, {"padding", "1"},
			   {"out_padding", "1"}, {"dilation", "3"}),
		     (const int64_t[]){4200, 1404, 2, 1, 1, 3, -4, -1, -2, -3, LAST}, 14);
	check_launch(&im2col_family,
		     PAIRS({"op", "im2col"}, {"src", "2x3x11x7"}, {"kernel", "2x3"}, {"stride", "2"}, {"padding", "1"}),
		     (const int64_t[]){2 * 6 * 4 * 3 * 6, 6, 4, 2, 3, 2, 1, 1, -3, -1, -2, LAST}, 1);
	/* a thread for each window, not for each element */
	check_launch(&im2col_family, PAIRS({"op", "im2col1d"}, {"src", "2x3x400"}, {"kernel", "5"}),
		     (const int64_t[]){2 * 396 * 3, 396, 5, 1, 0, 1, -3, -1, -2, LAST}, 3);
	check_launch(&im2col_family, PAIRS({"op", "col2im1d"}, {"src", "2x7x3"}, {"kernel", "4"}, {"stride", "2"}),
		     (const int64_t[]){2 * 3 * 16, 16, 7, 3, 4, 2, -1, -2, LAST}, 1);
	check_launch(&pool_family, PAIRS({"src", "2x3x11x7"}, {"kernel", "2x3"}, {"stride", "4x1"}),
		     (const int64_t[]){462, 2, 3, 4, 1, -3, -1, -2, LAST}, 1);
	/* nearest calls the rows w; bilinear has columns first and calls them w */
	check_launch(&upsample_family, PAIRS({"src", "2x3x5x7"}, {"out", "10x28"}),
		     (const int64_t[]){10, 28, bits_of(0.5), bits_of(0.25), -3, -1, -2, LAST}, 2);
	check_launch(&upsample_family,
		     PAIRS({"op", "upsample_bilinear2d"}, {"src", "2x3x5x7"}, {"out", "10x28"}, {"scale_w", "4"}),
		     (const int64_t[]){28, 10, 0, 0, bits_of(0), 1, bits_of(4), -3, -1, -2, LAST}, 2);
}

static void refusals(void)
{
	refused(&conv_family, PAIRS({"op", "conv1d"}, {"src", "1x1x3"}, {"kernel", "1x6"}, {"padding", "1"}), "leave an output of 0");
	refused(&conv_family, PAIRS({"op", "conv1d"}, {"src", "1x1x3"}, {"kernel", "1x2"}, {"out_padding", "1"}), "out_padding");
	refused(&conv_family, PAIRS({"op", "conv2d"}, {"src", "1x1x3"}, {"kernel", "1x2"}), "3 extents");
	refused(&conv_family, PAIRS({"op", "conv1d"}, {"src", "1x0x3"}), "extent 0");
	refused(&conv_family, PAIRS({"op", "conv1d"}, {"src", "1x1x3"}, {"kernel", "0x1"}), "no output channel");
	refused(&conv_family, PAIRS({"op", "conv1d"}, {"dtype", "u8"}, {"plant", "nan"}), "floating-point");
	refused(&conv_family, PAIRS({"op", "conv3d"}), "conv3d");
	refused(&conv_family, PAIRS({"op", "conv1d"}, {"stride", "0"}), "stride");
	refused(&conv_family, PAIRS({"op", "conv1d"}, {"values", "primes"}), "primes");
	refused(&conv_family, PAIRS({"op", "conv1d"}, {"src", "1x1x9999999999"}), "9999999999");
	refused(&conv_family, PAIRS({"op", "conv_transpose1d"}, {"src", "1x1x268435456"}, {"stride", "268435456"}),
		"leave an output of");
	refused(&im2col_family, PAIRS({"op", "col2im1d"}, {"src", "1x2x3"}, {"kernel", "2"}, {"layout", "strided"}), "contiguous");
	refused(&im2col_family, PAIRS({"op", "col2im1d"}, {"src", "1x2x3"}, {"kernel", "2"}, {"padding", "1"}), "padding");
	refused(&im2col_family, PAIRS({"op", "im2col"}, {"src", "1x2x3x3"}, {"kernel", "4x1"}), "no place");
	refused(&im2col_family, PAIRS({"op", "im2col"}, {"src", "1x2x3x3"}, {"kernel", "0x1"}), "no place");
	refused(&pool_family, PAIRS({"src", "1x2x3x3"}, {"kernel", "1x4"}), "does not fit");
	refused(&pool_family, PAIRS({"src", "1x2x3x3"}, {"stride", "0x1"}), "stride");
	refused(&upsample_family, PAIRS({"src", "1x1x2x2"}, {"out", "2x2"}, {"align_corners", "yes"}), "align_corners");
	refused(&upsample_family, PAIRS({"src", "1x1x2x2"}, {"out", "2x2"}, {"scale_h", "-1"}), "scale_h");
	refused(&upsample_family, PAIRS({"src", "1x1x2x2"}, {"out", "2x2"}, {"scale_h", "nan"}), "scale_h");
	/* 10 rows at a ratio of 1/2 end at 4.25, in a source of 3 */
	refused(&upsample_family, PAIRS({"op", "upsample_bilinear2d"}, {"src", "1x1x3x2"}, {"out", "10x2"}, {"scale_h", "2"}),
		"beyond the end");
}

/* A case from a file that is not what its attributes say. */
static void tampered(void)
{
	struct test_case *const test = calloc(1, sizeof *test);
	struct error err = {0};
	CHECK(test != NULL);
	if (!test)
		return;
	CHECK_INT(make(&conv_family, PAIRS({"op", "conv2d"}, {"src", "2x3x5x7"}, {"kernel", "5x2x3"}, {"layout", "offset"}), test,
		       &err), 0);
	CHECK_INT(conv_family.fill(test, &err), 0);
	CHECK_INT(conv_family.check_case(test, &err), 0);
	struct tensor *const info = case_find_tensor(test, "info", TENSOR_INPUT);
	((int64_t *)info->data)[5] += 1;
	CHECK_INT(conv_family.check_case(test, &err), -1);
	((int64_t *)info->data)[5] -= 1;
	CHECK_INT(conv_family.check_case(test, &err), 0);
	struct tensor *const kernel = case_find_tensor(test, "kernel", TENSOR_INPUT);
	kernel->dims[1] = 2;
	CHECK_INT(conv_family.check_case(test, &err), -1);
	kernel->dims[1] = 3;
	case_set_text(test, "padding", "-1", &err);
	CHECK_INT(conv_family.check_case(test, &err), -1);
	case_free(test);
	free(test);
}

enum { MOST = 300 };
struct expected {
	struct expectation elements[MOST];
	int64_t count;
};

/* Expectations of a case whose source holds `values` (as many as it has). */
static void expect(const struct family *family, const struct pair *pairs, const double *values, struct expected *out)
{
	struct test_case *const test = calloc(1, sizeof *test);
	struct error err = {0};
	memset(out, 0, sizeof *out);
	CHECK(test != NULL);
	if (!test)
		return;
	CHECK_INT(make(family, pairs, test, &err), 0);
	CHECK_INT(family->fill(test, &err), 0);
	struct tensor *const src = case_find_tensor(test, "src", TENSOR_INPUT);
	const struct tensor *const dst = case_find_tensor(test, "dst", TENSOR_OUTPUT);
	for (int64_t i = 0; i < tensor_elements(src); i++)
		dtype_store(src->dtype, src->data, (size_t)i, values[i]);
	out->count = tensor_elements(dst);
	CHECK(out->count <= MOST);
	if (out->count <= MOST)
		CHECK_INT(family->expectations(test, 0, dst, out->elements, &err), 0);
	case_free(test);
	free(test);
}

static void hard_elements(void)
{
	static const double nan = (double)NAN, inf = (double)INFINITY;
	struct expected e;
	const struct pair window[] = {{"op", "max_pool2d"}, {"src", "1x1x1x6"}, {"kernel", "1x2"}, {"stride", "1x2"}, {NULL, NULL}};
	expect(&pool_family, window, (const double[]){-3, -2, nan, -5, nan, nan}, &e);
	CHECK(e.elements[0].value == -2 && e.elements[0].flags == 0 && !(e.elements[0].bound > 0));
	CHECK(e.elements[1].value == -5 && e.elements[1].flags == EXPECT_OR_NAN);
	CHECK(e.elements[2].flags == EXPECT_NAN);

	/* averages of bytes: 300 / 2, or what is left of 300 in 8 bits; 5 / 2 either way; 4 / 2 only 2 */
	expect(&pool_family, PAIRS({"op", "avg_pool2d"}, {"dtype", "u8"}, {"src", "1x1x1x6"}, {"kernel", "1x2"}, {"stride", "1x2"}),
	       (const double[]){200, 100, 2, 3, 1, 3}, &e);
	CHECK(e.elements[0].value == 150 && e.elements[0].other == 22);
	CHECK(e.elements[1].value == 2.5L && e.elements[1].bound >= 0.5 && e.elements[1].bound < 1);
	CHECK(e.elements[2].value == 2 && e.elements[2].bound < 1);
	/* f16: a sum beyond 65504 whose average is not; an infinity; two of opposite signs */
	expect(&pool_family, PAIRS({"dtype", "f16"}, {"src", "1x1x1x6"}, {"kernel", "1x2"}, {"stride", "1x2"}),
	       (const double[]){60000, 60000, inf, 1, inf, -inf}, &e);
	CHECK(e.elements[0].value == 60000 && e.elements[0].bound <= 16);
	CHECK(isinf(e.elements[1].value) && isnan(e.elements[2].value));

	/* truncation: 1.5 is 1; 2 may be 1 or 2 only where the position is not exact */
	expect(&upsample_family, PAIRS({"op", "upsample_bilinear2d"}, {"dtype", "u8"}, {"src", "1x1x1x2"}, {"out", "1x3"},
				       {"align_corners", "yes"}), (const double[]){1, 2}, &e);
	CHECK(e.elements[1].value == 1 && e.elements[1].flags == 0);
	CHECK(e.elements[2].value == 2);
	/* NaN is for whom it has weight; beside it nothing is asked, further away a number */
	expect(&upsample_family, PAIRS({"op", "upsample_bilinear2d"}, {"src", "1x1x1x4"}, {"out", "1x8"}),
	       (const double[]){1, 2, 3, nan}, &e);
	CHECK(e.elements[0].value == 1 && e.elements[4].value == 2.75L && e.elements[4].flags == 0);
	CHECK(isnan(e.elements[5].value) && isnan(e.elements[7].value));

	/* col2im1d: stride 2, 3 taps, columns (1 2 4) (8 16 32): 1 2 4+8 16 32; and wrapping */
	expect(&im2col_family, PAIRS({"op", "col2im1d"}, {"src", "1x2x1"}, {"kernel", "3"}, {"stride", "2"}),
	       (const double[]){1, 2, 4, 8, 16, 32}, &e);
	CHECK_INT(e.count, 5);
	CHECK(e.elements[1].value == 2 && e.elements[2].value == 12 && !(e.elements[2].bound > 0) && e.elements[4].value == 32);
	expect(&im2col_family, PAIRS({"op", "col2im1d"}, {"dtype", "u8"}, {"src", "1x2x1"}, {"kernel", "3"}, {"stride", "4"}),
	       (const double[]){1, 2, 4, 8, 16, 32}, &e);
	CHECK_INT(e.count, 7);
	CHECK(e.elements[3].value == 0 && e.elements[4].value == 8);
	/* im2col: -0 keeps its sign, the padding's zeros are of any */
	expect(&im2col_family, PAIRS({"op", "im2col1d"}, {"src", "1x1x2"}, {"kernel", "2"}, {"padding", "1"}),
	       (const double[]){-0.0, 7}, &e);
	CHECK_INT(e.count, 6);
	CHECK(e.elements[0].flags == 0 && e.elements[1].flags == EXPECT_SIGNED_ZERO && signbit(e.elements[1].value));
	CHECK(e.elements[3].value == 7 && e.elements[5].value == 0);

	/* one exact product in f16: half a unit in the last place and nothing more; 2 products of f32: two roundings */
	expect(&conv_family, PAIRS({"op", "conv1d"}, {"dtype", "f16"}, {"src", "1x1x2"}, {"kernel", "1x1"}),
	       (const double[]){1.0 / 3, 1.0 / 7}, &e);
	CHECK_NEAR(e.elements[0].bound / (unit_in_last_place(DTYPE_F16, e.elements[0].value) / 2), 1, 1e-9);
	/* overflow in one direction is an infinity; partial sums that may overflow either way are open */
	expect(&conv_family, PAIRS({"op", "conv1d"}, {"src", "1x1x2"}, {"kernel", "1x1"}, {"weights", "constant"},
				   {"kernel_scale", "1e30"}), (const double[]){1e20, -1e20}, &e);
	CHECK(isinf(e.elements[0].value) && e.elements[0].value > 0 && e.elements[0].flags == 0);
	CHECK(isinf(e.elements[1].value) && e.elements[1].value < 0);
	expect(&conv_family, PAIRS({"op", "conv1d"}, {"src", "1x1x2"}, {"kernel", "1x2"}, {"weights", "constant"},
				   {"kernel_scale", "1e30"}), (const double[]){1e20, -1e20}, &e);
	CHECK(e.elements[0].flags == EXPECT_ANY);
}

/* Sums of so many terms that the bound is no bound: nothing is asked of them, and of the others as before. */
static void too_many_terms(void)
{
	enum { TAPS = 130 };
	static double values[TAPS * TAPS];
	static struct expected e;
	for (int i = 0; i < TAPS * TAPS; i++)
		values[i] = 1.0 / (3 + i % 7);
	expect(&im2col_family, PAIRS({"op", "col2im1d"}, {"dtype", "bf16"}, {"src", "1x130x1"}, {"kernel", "130"}, {"stride", "1"}), values, &e);
	CHECK_INT(e.count, 2 * TAPS - 1);
	CHECK(e.elements[TAPS - 1].flags == EXPECT_ANY); /* of 130 terms: 129 * 2^-8 is above 1/2 */
	CHECK(e.elements[99].flags == 0 && e.elements[99].bound > 0 && isfinite(e.elements[99].bound)); /* of 100 */
	CHECK(spatial_gamma(127, 0x1p-8) < 1 && isinf(spatial_gamma(128, 0x1p-8)) && spatial_gamma(0, 0x1p-8) == 0);
	CHECK_NEAR(spatial_gamma(1000, 0x1p-53) / (1000 * 0x1p-53), 1, 1e-9);
}

int main(void)
{
	symbols();
	launches();
	refusals();
	tampered();
	hard_elements();
	too_many_terms();
	return check_result();
}
