/* avg_pool2d and max_pool2d of Candle's module `conv`: windows without padding over the last two axes of an NCHW source of any
 * strides; what remains behind the last whole window is not read. dst is contiguous, extents (in - k) / stride + 1.
 *
 * The kernels call axis 2 of the source w and axis 3 h: arguments named w_* are those of axis 2. Here axes are rows and columns:
 * "kernel" and "stride" are ROWSxCOLUMNS.
 *
 * Averages of f16, bf16 and f32 are sums in float, divided by the number of elements (or multiplied by its reciprocal: two
 * roundings), those of f64 in double: gamma_(n+1) * sum |x| / n (Higham, section 4.2). Whole numbers of which the sum fits the
 * mantissa leave those two roundings, and none where n is a power of two. An average of unsigned integers is the quotient rounded
 * up or down, which nobody promises; of the sum, or, since sums are kept in the element's own type, of the sum that wrapped.
 *
 * The maximum of numbers is exact. Beside a NaN either the NaN or the largest number is right: Candle has functions that ignore
 * NaN (f32, f64) and others that keep it (f16, bf16). A window of NaNs is NaN. */
#include "kernels/operator_like.h"
#include "kernels/spatial.h"

#include "core/util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum op { AVERAGE, MAXIMUM };
static const char *const ops[] = {"avg_pool2d", "max_pool2d", NULL};

static const char *const axes[] = {"op", "dtype", "src", "kernel", "stride", "layout", "values", "scale", "plant", NULL};
static const char *const defaults[] = {"avg_pool2d", "f32", "1x1x1x1", "1x1", "1x1", "contiguous", "moderate", "1", "none", NULL};
static const char *const in_entry[] = {"op", "dtype", NULL};
/* negative: every number negative, as a maximum that starts from 0 cannot see */
static const char *const plants[] = {"none", "nan", "inf", "all_nan", "negative", NULL};

static void pool_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi;
	spatial_symbols(ops, visit, context);
}

/* ---- cases ---------------------------------------------------------------------------------------------------------- */

static int window_of(const struct assignment *assignment, const char *axis, int64_t window[2], struct error *err)
{
	if (spatial_dims(&pool_family, assignment, axis, 2, window, err))
		return -1;
	if (window[0] < 1)
		return error_set(err, ERROR_INPUT, "%s:%s has an extent of 0", axis,
				 operator_value(&pool_family, assignment, axis));
	return 0;
}

static int pool_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	static const char *const operands[] = {"src"};
	const struct family *const family = &pool_family;
	int64_t src[4], kernel[2], stride[2];
	enum dtype dtype;
	char entry[64];
	int op;
	const char *layout;
	double scale;
	if (spatial_entry(family, assignment, ops, &op, &dtype, entry, err) ||
	    spatial_dims(family, assignment, "src", 4, src, err) || window_of(assignment, "kernel", kernel, err) ||
	    window_of(assignment, "stride", stride, err) || spatial_layout(family, assignment, "layout", &layout, err) ||
	    spatial_values(family, assignment, "values", err) || operator_real(family, assignment, "scale", &scale, err))
		return -1;
	const int plant = operator_is_one_of(family, assignment, "plant", plants, err);
	if (plant < 0 || spatial_plant_allowed(plants[plant], dtype, err))
		return -1;
	int64_t dst[4] = {src[0], src[1]};
	for (int i = 0; i < 2; i++) {
		if (kernel[i] > src[2 + i])
			return error_set(err, ERROR_INPUT, "kernel:%s does not fit into src:%s",
					 operator_value(family, assignment, "kernel"), operator_value(family, assignment, "src"));
		dst[2 + i] = (src[2 + i] - kernel[i]) / stride[i] + 1;
	}
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    !spatial_add_input(test, "src", dtype, 4, src, layout, err) ||
	    !operator_add_tensor(test, "dst", TENSOR_OUTPUT, dtype, 4, dst, "contiguous", err))
		return -1;
	return operator_add_info(test, "info", operands, 1, err);
}

static int pool_fill(struct test_case *test, struct error *err)
{
	if (spatial_fill(test, "src", "values", "scale", 1, err))
		return -1;
	const char *const plant = case_get_text(test, "plant");
	if (strcmp(plant, "negative") != 0) {
		spatial_plant(test, "src", plant);
		return 0;
	}
	struct tensor *const storage = spatial_storage(test, "src");
	for (int64_t i = 0; i < storage->extent; i++)
		dtype_store(storage->dtype, storage->data, (size_t)i,
			    -fabs(dtype_load(storage->dtype, storage->data, (size_t)i)));
	return 0;
}

static int pool_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&pool_family, test, err);
}

/* ---- calling -------------------------------------------------------------------------------------------------------- */

static void read_window(const struct test_case *test, const char *axis, int64_t window[2])
{
	const char *const text = case_get_text(test, axis);
	window[0] = strtoll(text, NULL, 10);
	window[1] = strtoll(strchr(text, 'x') + 1, NULL, 10);
}

static int pool_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	(void)err;
	int64_t kernel[2], stride[2];
	read_window(test, "kernel", kernel);
	read_window(test, "stride", stride);
	argument_size(launch, tensor_elements(operator_tensor(test, "src")));
	argument_size(launch, kernel[0]);
	argument_size(launch, kernel[1]);
	argument_size(launch, stride[0]);
	argument_size(launch, stride[1]);
	argument_tensor(launch, test, "info");
	argument_tensor(launch, test, "src");
	argument_tensor(launch, test, "dst");
	launch_for_elements(launch, tensor_elements(operator_tensor(test, "dst")));
	return 0;
}

/* ---- judging -------------------------------------------------------------------------------------------------------- */

struct judging {
	struct spatial_view src;
	const struct tensor *dst;
	int64_t kernel[2], stride[2];
	struct expectation *expected;
};

struct window {
	long double sum, magnitude, largest;
	uint64_t integer;       /* sum of an integer type */
	int64_t elements, nans;
	int whole, signs;       /* signs: 1 positive, 2 negative numbers */
};

static struct window look(const struct judging *judging, int64_t index)
{
	const struct spatial_view *const src = &judging->src;
	const int64_t *const dims = judging->dst->dims;
	const int64_t column = index % dims[3], row = index / dims[3] % dims[2], channel = index / dims[3] / dims[2] % dims[1];
	const int64_t batch = index / dims[3] / dims[2] / dims[1];
	struct window window = {.largest = -(long double)INFINITY, .whole = 1};
	for (int64_t i = 0; i < judging->kernel[0]; i++) {
		for (int64_t j = 0; j < judging->kernel[1]; j++) {
			const long double x = spatial_at(src, batch, channel, row * judging->stride[0] + i,
							 column * judging->stride[1] + j);
			window.elements++;
			window.sum += x;
			if (isnan(x))
				window.nans++;
			else if (x > window.largest)
				window.largest = x;
			if (!isfinite(x))
				continue;
			window.magnitude += fabsl(x);
			window.whole &= x == floorl(x);
			window.signs |= x < 0 ? 2 : x > 0;
			window.integer += x > 0 ? (uint64_t)fminl(x, 0x1p40L) : 0;
		}
	}
	return window;
}

static struct expectation expect_maximum(enum dtype dtype, const struct window *window)
{
	if (window->nans == window->elements)
		return (struct expectation){.flags = EXPECT_NAN};
	const double flush = spatial_flush(dtype);
	return (struct expectation){.value = window->largest, .flags = window->nans ? EXPECT_OR_NAN : 0,
				    /* max.ftz makes a zero of a subnormal number */
				    .fast_bound = fabsl(window->largest) < flush ? flush : 0};
}

static struct expectation expect_whole_average(enum dtype dtype, const struct window *window)
{
	const uint64_t wrapped = window->integer & (dtype == DTYPE_U8 ? 0xff : 0xffffffff);
	const long double n = (long double)window->elements;
	/* less than 1 away: rounded up or down; where the quotient is whole no other number is that near */
	return (struct expectation){.value = (long double)window->integer / n, .other = (long double)wrapped / n,
				    .bound = window->elements > 1 ? (double)(1 - 0.5L / n) : 0, .flags = EXPECT_OTHER};
}

static struct expectation expect_average(enum dtype dtype, const struct window *window)
{
	const double unit = spatial_accumulator_unit(dtype), n = (double)window->elements, magnitude = (double)window->magnitude;
	struct expectation expected = {.value = window->sum / (long double)window->elements};
	if (window->magnitude > spatial_accumulator_max(dtype)) {
		expected.flags = EXPECT_ANY; /* the order, which is nobody's promise, decides whether a partial sum overflows */
		return expected;
	}
	if (!isfinite(window->sum))
		return expected;
	const int sum_is_exact = window->whole && magnitude * unit <= 1;
	const int quotient_is_exact = (window->elements & (window->elements - 1)) == 0;
	const int64_t roundings = (sum_is_exact ? 0 : window->elements - 1) + (quotient_is_exact ? 0 : 2);
	double error = spatial_gamma(roundings, unit) * magnitude / n;
	if (magnitude / n < 0x1p-100)
		error += spatial_accumulator_tiny(dtype); /* a subnormal quotient */
	if (error > 0 || window->elements > 1)
		expected.bound = error + spatial_output_rounding(dtype, expected.value, error);
	/* div.full and div.approx: 2 units in the last place (PTX ISA), 3 roundings more; flushed terms, sums and quotient */
	const double fast = error + spatial_gamma(quotient_is_exact ? 0 : 3, unit) * magnitude / n +
			    (window->whole ? 0 : 3 * spatial_flush(dtype));
	expected.fast_bound = fast + (window->elements > 1 ? spatial_output_rounding(dtype, expected.value, fast) : 0);
	if (!(expected.bound > 0))
		expected.value = round_to_dtype(dtype, expected.value);
	spatial_open(&expected);
	return expected;
}

static void judge_part(void *context, int64_t first, int64_t last)
{
	const struct judging *const judging = context;
	const enum dtype dtype = judging->dst->dtype;
	for (int64_t i = first; i < last; i++) {
		const struct window window = look(judging, i);
		judging->expected[i] =
			!dtype_is_float(dtype) ? expect_whole_average(dtype, &window) : expect_average(dtype, &window);
	}
}

static void judge_maximum_part(void *context, int64_t first, int64_t last)
{
	const struct judging *const judging = context;
	for (int64_t i = first; i < last; i++) {
		const struct window window = look(judging, i);
		judging->expected[i] = expect_maximum(judging->dst->dtype, &window);
	}
}

static int pool_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			     struct error *err)
{
	(void)abi;
	(void)err;
	struct judging judging = {.src = spatial_view_of(test, "src"), .dst = output, .expected = expected};
	read_window(test, "kernel", judging.kernel);
	read_window(test, "stride", judging.stride);
	parallel_for(tensor_elements(output), 1024, spatial_op(test, ops) == MAXIMUM ? judge_maximum_part : judge_part, &judging);
	return 0;
}

static int pool_work(const struct test_case *test, struct work *work, struct error *err)
{
	(void)err;
	int64_t kernel[2];
	read_window(test, "kernel", kernel);
	*work = (struct work){.flops = (double)tensor_elements(operator_tensor(test, "dst")) * (double)kernel[0] * (double)kernel[1],
			      .bytes = spatial_bytes(test), .unit = WORK_BYTES};
	return 0;
}

const struct family pool_family = {
	.name = "pool",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = pool_make_case,
	.fill = pool_fill,
	.check_case = pool_check_case,
	.work = pool_work,
	.symbols = pool_symbols,
	.launch = pool_launch,
	.expectations = pool_expectations,
};
