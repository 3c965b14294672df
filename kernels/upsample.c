/* upsample_nearest2d and upsample_bilinear2d of Candle's module `conv`, over the last two axes of an NCHW source of any strides;
 * dst is contiguous. Axes: "out" is ROWSxCOLUMNS; "scale_h" belongs to rows, "scale_w" to columns.
 *
 *   nearest   source index min(in - 1, (size_t)(scale * i)), the product in double; scale "auto" is in / out, otherwise the number
 *             itself. The kernel calls rows w and columns h.
 *   bilinear  align_corners: position i * (in - 1) / (out - 1), 0 for a single output; otherwise max(0, ratio * (i + 1/2) - 1/2),
 *             ratio = in / out with scale "auto", else 1 / scale (the factor out / in that a user gave). Names as usual: w columns.
 *
 * Nearest moves data: exact. Bilinear weights and sums are in double. Error: positions are off by the roundings of two or three
 * operations (reference/interpolation.h), and the interpolation, being continuous and piecewise linear, passes that on times at
 * most the difference of neighbours, 2 max |x|, also where a position falls to the other side of a whole number; weights and the
 * two levels of sums cost three roundings each: 6 * 2^-53 * max |x|. Then comes one rounding to the element's type (f16 and bf16
 * perhaps through float: 2^-24 |value| more). Integers truncate; where that is within the error of a whole number, either side is
 * right.
 *
 * Where a neighbour of (next to) no weight is infinite or NaN, 0 * inf may make a NaN of it: nobody says, so nothing is asked. */
#include "kernels/operator_like.h"
#include "kernels/spatial.h"

#include "core/util.h"
#include "reference/interpolation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum op { NEAREST, BILINEAR };
static const char *const ops[] = {"upsample_nearest2d", "upsample_bilinear2d", NULL};

static const char *const axes[] = {"op",     "dtype",  "src",	"out",	 "align_corners", "scale_h",
				   "scale_w", "layout", "values", "scale", "plant",	   NULL};
static const char *const defaults[] = {"upsample_nearest2d", "f32",	 "1x1x1x1", "1x1",  "no", "auto", "auto",
				       "contiguous",	     "moderate", "1",	    "none", NULL};
static const char *const in_entry[] = {"op", "dtype", NULL};
static const char *const plants[] = {"none", "nan", "inf", "all_nan", NULL};
static const char *const yes_no[] = {"no", "yes", NULL};

static void upsample_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi;
	spatial_symbols(ops, visit, context);
}

/* ---- cases ---------------------------------------------------------------------------------------------------------- */

/* Positive and of a size at which positions stay far within 62 bits. 0 for "auto". */
static int read_scale(const struct assignment *assignment, const char *axis, double *scale, struct error *err)
{
	*scale = 0;
	if (strcmp(operator_value(&upsample_family, assignment, axis), "auto") == 0)
		return 0;
	if (operator_real(&upsample_family, assignment, axis, scale, err))
		return -1;
	if (!(*scale >= 0x1p-20 && *scale <= 0x1p20))
		return error_set(err, ERROR_INPUT, "%s:%s is not from 2^-20 to 2^20", axis,
				 operator_value(&upsample_family, assignment, axis));
	return 0;
}

static int upsample_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	static const char *const operands[] = {"src"};
	static const char *const scales[] = {"scale_h", "scale_w"};
	const struct family *const family = &upsample_family;
	int64_t src[4], out[2];
	enum dtype dtype;
	char entry[64];
	int op;
	const char *layout;
	double real;
	if (spatial_entry(family, assignment, ops, &op, &dtype, entry, err) ||
	    spatial_dims(family, assignment, "src", 4, src, err) || spatial_dims(family, assignment, "out", 2, out, err) ||
	    spatial_layout(family, assignment, "layout", &layout, err) ||
	    spatial_values(family, assignment, "values", err) || operator_real(family, assignment, "scale", &real, err))
		return -1;
	const int plant = operator_is_one_of(family, assignment, "plant", plants, err);
	const int align = operator_is_one_of(family, assignment, "align_corners", yes_no, err);
	if (plant < 0 || align < 0 || spatial_plant_allowed(plants[plant], dtype, err))
		return -1;
	if (align && op == NEAREST)
		return error_set(err, ERROR_INPUT, "align_corners:yes belongs to upsample_bilinear2d");
	if (out[0] < 1)
		return error_set(err, ERROR_INPUT, "out:%s has an extent of 0", operator_value(family, assignment, "out"));
	for (int i = 0; i < 2; i++) {
		double scale;
		if (read_scale(assignment, scales[i], &scale, err))
			return -1;
		/* Candle derives the output from the factor, floor(in * scale), and its kernel does not look after positions
		 * beyond the source */
		if (op == BILINEAR && scale > 0 && !(center_position(1, scale, out[i] - 1) < (long double)src[2 + i] - 0x1p-20L))
			return error_set(err, ERROR_INPUT, "%s:%s leads out:%s beyond the end of src:%s", scales[i],
					 operator_value(family, assignment, scales[i]), operator_value(family, assignment, "out"),
					 operator_value(family, assignment, "src"));
	}
	const int64_t dst[4] = {src[0], src[1], out[0], out[1]};
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    !spatial_add_input(test, "src", dtype, 4, src, layout, err) ||
	    !operator_add_tensor(test, "dst", TENSOR_OUTPUT, dtype, 4, dst, "contiguous", err))
		return -1;
	return operator_add_info(test, "info", operands, 1, err);
}

static int upsample_fill(struct test_case *test, struct error *err)
{
	if (spatial_fill(test, "src", "values", "scale", 1, err))
		return -1;
	spatial_plant(test, "src", case_get_text(test, "plant"));
	return 0;
}

static int upsample_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&upsample_family, test, err);
}

/* ---- calling -------------------------------------------------------------------------------------------------------- */

static double given_scale(const struct test_case *test, const char *axis) /* 0: auto */
{
	return spatial_is(test, axis, "auto") ? 0 : strtod(case_get_text(test, axis), NULL);
}

/* What the nearest kernel is given for rows (0) or columns (1). */
static double nearest_scale(const struct test_case *test, int which)
{
	const double given = given_scale(test, which ? "scale_w" : "scale_h");
	const double in = (double)operator_tensor(test, "src")->dims[2 + which];
	return given > 0 ? given : in / (double)operator_tensor(test, "dst")->dims[2 + which];
}

static int upsample_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	(void)err;
	const struct tensor *const dst = operator_tensor(test, "dst");
	if (spatial_op(test, ops) == NEAREST) {
		argument_size(launch, dst->dims[2]);
		argument_size(launch, dst->dims[3]);
		argument_f64(launch, nearest_scale(test, 0));
		argument_f64(launch, nearest_scale(test, 1));
	} else {
		argument_size(launch, dst->dims[3]);
		argument_size(launch, dst->dims[2]);
		argument_bool(launch, spatial_is(test, "align_corners", "yes"));
		argument_bool(launch, given_scale(test, "scale_h") > 0);
		argument_f64(launch, given_scale(test, "scale_h"));
		argument_bool(launch, given_scale(test, "scale_w") > 0);
		argument_f64(launch, given_scale(test, "scale_w"));
	}
	argument_tensor(launch, test, "info");
	argument_tensor(launch, test, "src");
	argument_tensor(launch, test, "dst");
	launch_for_elements(launch, tensor_elements(dst));
	return 0;
}

/* ---- judging -------------------------------------------------------------------------------------------------------- */

struct judging {
	struct spatial_view src;
	const struct tensor *dst;
	double nearest[2];
	double numerator[2], denominator[2]; /* of the ratio of positions */
	int align_corners;
	struct expectation *expected;
};

struct place {
	int64_t batch, channel, at[2];
};

static struct place place_of(const struct tensor *dst, int64_t index)
{
	const int64_t plane = dst->dims[2] * dst->dims[3];
	return (struct place){index / plane / dst->dims[1], index / plane % dst->dims[1],
			      {index / dst->dims[3] % dst->dims[2], index % dst->dims[3]}};
}

static void nearest_part(void *context, int64_t first, int64_t last)
{
	const struct judging *const judging = context;
	const int64_t *const in = judging->src.tensor->dims;
	for (int64_t i = first; i < last; i++) {
		const struct place place = place_of(judging->dst, i);
		judging->expected[i] = (struct expectation){
			.value = spatial_at(&judging->src, place.batch, place.channel,
					    nearest_source(judging->nearest[0], place.at[0], in[2]),
					    nearest_source(judging->nearest[1], place.at[1], in[3])),
			.flags = EXPECT_SIGNED_ZERO};
	}
}

/* Weight of the source's element `at`; `sure`: every evaluation in double gives it some. */
static long double weight_of(const struct interpolation *axis, int64_t at, int *sure)
{
	long double weight = 0;
	if (at == axis->low)
		weight += 1 - axis->weight;
	if (at == axis->high)
		weight += axis->weight;
	*sure = weight > axis->error;
	return weight;
}

/* Whether a position computed in double may lie on the other side of the whole number below or above. */
static int may_fall_below(const struct interpolation *axis)
{
	return axis->weight <= axis->error;
}

static int may_fall_above(const struct interpolation *axis)
{
	return 1 - axis->weight <= axis->error;
}

static struct expectation expect_whole(long double value, double error)
{
	const long double low = floorl(value - error), high = floorl(value + error);
	return (struct expectation){.value = high, .other = low < 0 ? 0 : low, .flags = low < high ? EXPECT_OTHER : 0};
}

static struct expectation interpolate(const struct judging *judging, int64_t index)
{
	const struct tensor *const src = judging->src.tensor, *const dst = judging->dst;
	const struct place place = place_of(dst, index);
	struct interpolation axis[2];
	for (int i = 0; i < 2; i++)
		axis[i] = judging->align_corners ? interpolate_corners(place.at[i], src->dims[2 + i], dst->dims[2 + i])
						 : interpolate_centers(judging->numerator[i], judging->denominator[i],
								       place.at[i], src->dims[2 + i]);
	long double value = 0, largest = 0;
	int open = 0;
	for (int64_t row = axis[0].low - may_fall_below(&axis[0]); row <= axis[0].high + may_fall_above(&axis[0]); row++) {
		for (int64_t column = axis[1].low - may_fall_below(&axis[1]);
		     column <= axis[1].high + may_fall_above(&axis[1]); column++) {
			if (row < 0 || row >= src->dims[2] || column < 0 || column >= src->dims[3])
				continue;
			int sure_row, sure_column;
			const long double weight =
				weight_of(&axis[0], row, &sure_row) * weight_of(&axis[1], column, &sure_column);
			const long double x = spatial_at(&judging->src, place.batch, place.channel, row, column);
			if (isfinite(x) && fabsl(x) > largest)
				largest = fabsl(x);
			if (isfinite(x) || (sure_row && sure_column))
				value += weight * x;
			else
				open = 1;
		}
	}
	if (open)
		return (struct expectation){.flags = EXPECT_ANY};
	if (!isfinite(value)) {
		int edge = 0; /* an infinity at the end of an axis is its own neighbour, of no weight */
		for (int i = 0; i < 2; i++)
			edge |= may_fall_below(&axis[i]) || may_fall_above(&axis[i]);
		return (struct expectation){.value = value, .flags = edge ? EXPECT_OR_NAN : 0};
	}
	/* products of subnormal numbers round to whole units of the smallest one: six of them, by half a unit each */
	const double error = (double)largest * (2 * (axis[0].error + axis[1].error) + 6 * 0x1p-53) +
			     (dst->dtype == DTYPE_F64 ? 3 * 0x1p-1074 : 0);
	if (!dtype_is_float(dst->dtype))
		return expect_whole(value, error);
	struct expectation expected = {.value = value, .bound = error};
	const double flushed = error + 2 * spatial_flush(dst->dtype);
	expected.fast_bound = flushed;
	if (dst->dtype != DTYPE_F64) {
		const double half = unit_in_last_place(dst->dtype, fabsl(value) + error) / 2;
		const double through_float = dst->dtype == DTYPE_F32 ? 0 : 0x1p-24 * (double)fabsl(value);
		expected.bound += half + through_float;
		expected.fast_bound += half + through_float;
	}
	return expected;
}

static void bilinear_part(void *context, int64_t first, int64_t last)
{
	const struct judging *const judging = context;
	for (int64_t i = first; i < last; i++)
		judging->expected[i] = interpolate(judging, i);
}

static int upsample_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
				 struct error *err)
{
	(void)abi;
	(void)err;
	struct judging judging = {.src = spatial_view_of(test, "src"), .dst = output, .expected = expected,
				  .align_corners = spatial_is(test, "align_corners", "yes")};
	for (int i = 0; i < 2; i++) {
		const double given = given_scale(test, i ? "scale_w" : "scale_h");
		judging.nearest[i] = nearest_scale(test, i);
		judging.numerator[i] = given > 0 ? 1 : (double)judging.src.tensor->dims[2 + i];
		judging.denominator[i] = given > 0 ? given : (double)output->dims[2 + i];
	}
	parallel_for(tensor_elements(output), 1024, spatial_op(test, ops) == NEAREST ? nearest_part : bilinear_part, &judging);
	return 0;
}

static int upsample_work(const struct test_case *test, struct work *work, struct error *err)
{
	(void)err;
	const double outputs = (double)tensor_elements(operator_tensor(test, "dst"));
	*work = (struct work){.flops = spatial_op(test, ops) == NEAREST ? 0 : 9 * outputs, .bytes = spatial_bytes(test),
			      .unit = WORK_BYTES};
	return 0;
}

const struct family upsample_family = {
	.name = "upsample",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = upsample_make_case,
	.fill = upsample_fill,
	.check_case = upsample_check_case,
	.work = upsample_work,
	.symbols = upsample_symbols,
	.launch = upsample_launch,
	.expectations = upsample_expectations,
};
