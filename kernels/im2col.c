/* im2col, im2col1d and col2im1d of Candle's module `conv`: data movement, but for the sums of col2im1d.
 *
 *   im2col    src NCHW, any strides  ->  dst [b, h_out, w_out, c_in, h_k, w_k], 0 where a tap falls into the padding
 *   im2col1d  src NCL, any strides   ->  dst [b, l_out, c_in, l_k]; one thread for each (b, l_out, c_in)
 *   col2im1d  src [b, l_in, c_out, k] contiguous -> dst [b, c_out, l_out], l_out = (l_in - 1) * stride + k:
 *             dst[b, c, t] = sum of src[b, l, c, i] over l * stride + i = t
 *
 * Axes: "src" is BxCxHxW, BxCxL or (col2im1d) BxLxC; "kernel" HxW or L.
 *
 * Candle adds the columns of col2im1d up in the element's own type. Error of a sum of n terms in any order:
 * gamma_(n-1) * sum |x| (Higham, section 4.2) in that type's unit, which a sum kept in float and rounded once keeps as well.
 * Whole numbers whose sum of magnitudes fits the mantissa add up exactly; unsigned integers wrap. */
#include "kernels/operator_like.h"
#include "kernels/spatial.h"

#include "reference/convolution.h"

#include <math.h>
#include <string.h>

enum op { IM2COL, IM2COL1D, COL2IM1D };
static const char *const ops[] = {"im2col", "im2col1d", "col2im1d", NULL};

static const char *const axes[] = {"op",       "dtype",  "src",	   "kernel", "stride", "padding",
				   "dilation", "layout", "values", "scale",  "plant",  NULL};
static const char *const defaults[] = {"im2col", "f32",	       "1x1x1x1", "1x1", "1",	 "0",
				       "1",	 "contiguous", "bits",	  "1",	 "none", NULL};
static const char *const in_entry[] = {"op", "dtype", NULL};
static const char *const plants[] = {"none", "nan", "inf", "all_nan", NULL};

static void im2col_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi;
	spatial_symbols(ops, visit, context);
}

/* ---- cases ---------------------------------------------------------------------------------------------------------- */

struct params {
	enum op op;
	enum dtype dtype;
	int src_rank, dst_rank;
	int64_t src[4], dst[6];
	const char *layout;
};

static int shape_of_columns(const struct assignment *a, struct params *p, int64_t stride, int64_t padding, int64_t dilation,
			    struct error *err)
{
	const int spatial = p->op == IM2COL ? 2 : 1;
	int64_t kernel[2];
	if (spatial_dims(&im2col_family, a, "src", spatial + 2, p->src, err) ||
	    spatial_dims(&im2col_family, a, "kernel", spatial, kernel, err))
		return -1;
	p->src_rank = spatial + 2;
	p->dst_rank = 2 * spatial + 2;
	p->dst[0] = p->src[0];
	p->dst[1 + spatial] = p->src[1];
	for (int i = 0; i < spatial; i++) {
		const struct convolution c = {.in = {p->src[2 + i]}, .kernel = {kernel[i]}, .stride = {stride},
					      .padding = {padding}, .dilation = {dilation}};
		const int64_t extent = kernel[i] ? convolution_extent(&c, 0, 0) : 0;
		if (extent < 1 || extent > SPATIAL_MOST)
			return error_set(err, ERROR_INPUT,
					 "src:%s kernel:%s stride:%lld padding:%lld dilation:%lld leave no place for the "
					 "kernel along axis %d",
					 operator_value(&im2col_family, a, "src"), operator_value(&im2col_family, a, "kernel"),
					 (long long)stride, (long long)padding, (long long)dilation, 2 + i);
		p->dst[1 + i] = extent;
		p->dst[2 + spatial + i] = kernel[i];
	}
	return 0;
}

static int shape_of_image(const struct assignment *a, struct params *p, int64_t stride, int64_t padding, int64_t dilation,
			  struct error *err)
{
	int64_t shape[3], kernel;
	if (spatial_dims(&im2col_family, a, "src", 3, shape, err) || spatial_dims(&im2col_family, a, "kernel", 1, &kernel, err))
		return -1;
	if (padding || dilation != 1)
		return error_set(err, ERROR_INPUT, "padding:%lld dilation:%lld: col2im1d has neither", (long long)padding,
				 (long long)dilation);
	if (strcmp(p->layout, "contiguous") != 0 && strcmp(p->layout, "offset") != 0)
		return error_set(err, ERROR_INPUT, "layout:%s: col2im1d takes no strides, its source is contiguous", p->layout);
	if (kernel < 1)
		return error_set(err, ERROR_INPUT, "kernel:0 is no kernel");
	p->src_rank = 4;
	p->dst_rank = 3;
	memcpy(p->src, shape, sizeof shape);
	p->src[3] = kernel;
	p->dst[0] = shape[0];
	p->dst[1] = shape[2];
	p->dst[2] = (shape[1] - 1) * stride + kernel;
	/* positions within an output are of 32 bits in Candle's kernel */
	if (p->dst[2] > INT32_MAX)
		return error_set(err, ERROR_INPUT, "src:%s stride:%lld: the output has %lld elements along its last axis",
				 operator_value(&im2col_family, a, "src"), (long long)stride, (long long)p->dst[2]);
	return 0;
}

static int im2col_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	static const char *const operands[] = {"src"};
	const struct family *const family = &im2col_family;
	struct params p = {0};
	char entry[64];
	int op;
	int64_t stride, padding, dilation;
	double scale;
	if (spatial_entry(family, assignment, ops, &op, &p.dtype, entry, err) ||
	    operator_int(family, assignment, "stride", 1, SPATIAL_MOST, &stride, err) ||
	    operator_int(family, assignment, "padding", 0, SPATIAL_MOST, &padding, err) ||
	    operator_int(family, assignment, "dilation", 1, 1 << 20, &dilation, err) ||
	    spatial_layout(family, assignment, "layout", &p.layout, err) ||
	    spatial_values(family, assignment, "values", err) || operator_real(family, assignment, "scale", &scale, err))
		return -1;
	const int plant = operator_is_one_of(family, assignment, "plant", plants, err);
	if (plant < 0 || spatial_plant_allowed(plants[plant], p.dtype, err))
		return -1;
	p.op = (enum op)op;
	if (p.op == COL2IM1D ? shape_of_image(assignment, &p, stride, padding, dilation, err)
			     : shape_of_columns(assignment, &p, stride, padding, dilation, err))
		return -1;
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    !spatial_add_input(test, "src", p.dtype, p.src_rank, p.src, p.layout, err) ||
	    !operator_add_tensor(test, "dst", TENSOR_OUTPUT, p.dtype, p.dst_rank, p.dst, "contiguous", err))
		return -1;
	return p.op == COL2IM1D ? 0 : operator_add_info(test, "info", operands, 1, err);
}

static int im2col_fill(struct test_case *test, struct error *err)
{
	if (spatial_fill(test, "src", "values", "scale", 1, err))
		return -1;
	spatial_plant(test, "src", case_get_text(test, "plant"));
	return 0;
}

static int im2col_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&im2col_family, test, err);
}

/* ---- calling -------------------------------------------------------------------------------------------------------- */

static int im2col_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	(void)err;
	const struct tensor *const src = operator_tensor(test, "src"), *const dst = operator_tensor(test, "dst");
	const int64_t *const out = dst->dims;
	const enum op op = (enum op)spatial_op(test, ops);
	const int64_t elements = tensor_elements(dst), threads = op == IM2COL1D ? out[0] * out[1] * out[2] : elements;
	argument_size(launch, threads);
	if (op == COL2IM1D) {
		argument_size(launch, out[2]);
		argument_size(launch, src->dims[1]);
		argument_size(launch, src->dims[2]);
		argument_size(launch, src->dims[3]);
		argument_size(launch, spatial_int(test, "stride"));
	} else {
		const int spatial = op == IM2COL ? 2 : 1;
		for (int i = 0; i < spatial; i++)
			argument_size(launch, out[1 + i]);
		for (int i = 0; i < spatial; i++)
			argument_size(launch, out[2 + spatial + i]);
		argument_size(launch, spatial_int(test, "stride"));
		argument_size(launch, spatial_int(test, "padding"));
		argument_size(launch, spatial_int(test, "dilation"));
		argument_tensor(launch, test, "info");
	}
	argument_tensor(launch, test, "src");
	argument_tensor(launch, test, "dst");
	launch_for_elements(launch, threads);
	return 0;
}

/* ---- judging -------------------------------------------------------------------------------------------------------- */

struct judging {
	struct spatial_view src;
	const struct tensor *dst;
	int64_t stride, padding, dilation;
	struct expectation *expected;
};

static void columns_part(void *context, int64_t first, int64_t last)
{
	const struct judging *const judging = context;
	const struct tensor *const src = judging->src.tensor, *const dst = judging->dst;
	const int spatial = src->rank - 2;
	for (int64_t i = first; i < last; i++) {
		int64_t index[TENSOR_RANK_MAX], rest = i, at[2] = {0, 0};
		for (int axis = dst->rank - 1; axis >= 0; axis--) {
			index[axis] = rest % dst->dims[axis];
			rest /= dst->dims[axis];
		}
		int inside = 1;
		for (int k = 0; k < spatial; k++) {
			const int64_t position = index[1 + k] * judging->stride + index[2 + spatial + k] * judging->dilation -
						 judging->padding;
			inside &= position >= 0 && position < src->dims[2 + k];
			at[2 - spatial + k] = position;
		}
		if (inside) /* the very number: a zero keeps its sign; what sign the padding's zeros have nobody says */
			judging->expected[i] = (struct expectation){
				.value = spatial_at(&judging->src, index[0], index[1 + spatial], at[0], at[1]),
				.flags = EXPECT_SIGNED_ZERO};
	}
}

static struct expectation expect_sum(enum dtype dtype, long double value, long double magnitude, int64_t terms, int whole,
				     int signs)
{
	const double unit = dtype_epsilon(dtype) / 2, most = dtype_max_finite(dtype);
	struct expectation expected = {.value = value};
	if (magnitude > most && signs == 3)
		expected.flags = EXPECT_ANY; /* the order, which is nobody's promise, decides whether a partial sum overflows */
	if (!isfinite(value) || expected.flags)
		return expected;
	if (terms > 1 && (!whole || magnitude * unit > 1))
		expected.bound = spatial_gamma(terms - 1, unit) * (double)magnitude;
	/* flushed terms and sums; the only term too, which is added to 0 */
	if (terms && !whole)
		expected.fast_bound = expected.bound + (2 * (double)terms - 1) * spatial_flush(dtype);
	spatial_open(&expected);
	return expected;
}

static void image_part(void *context, int64_t first, int64_t last)
{
	const struct judging *const judging = context;
	const struct tensor *const src = judging->src.tensor, *const dst = judging->dst;
	const int64_t length = src->dims[1], channels = src->dims[2], taps = src->dims[3];
	for (int64_t i = first; i < last; i++) {
		const int64_t at = i % dst->dims[2], channel = i / dst->dims[2] % channels, batch = i / dst->dims[2] / channels;
		long double value = 0, magnitude = 0;
		uint64_t integer = 0;
		int64_t terms = 0;
		int whole = 1, signs = 0;
		for (int64_t tap = at % judging->stride; tap < taps && tap <= at; tap += judging->stride) {
			const int64_t place = (at - tap) / judging->stride;
			if (place >= length)
				continue;
			const long double term =
				load_exact(src->dtype, judging->src.data,
					   (size_t)(((batch * length + place) * channels + channel) * taps + tap));
			value += term;
			terms++;
			if (!isfinite(term))
				continue;
			magnitude += fabsl(term);
			whole &= term == floorl(term);
			signs |= term < 0 ? 2 : term > 0;
			if (!dtype_is_float(src->dtype))
				integer += (uint64_t)term;
		}
		if (src->dtype == DTYPE_U8)
			judging->expected[i].value = integer & 0xff;
		else if (src->dtype == DTYPE_U32)
			judging->expected[i].value = integer & 0xffffffff;
		else
			judging->expected[i] = expect_sum(src->dtype, value, magnitude, terms, whole, signs);
	}
}

static int im2col_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			       struct error *err)
{
	(void)abi;
	(void)err;
	struct judging judging = {.src = spatial_view_of(test, "src"), .dst = output, .stride = spatial_int(test, "stride"),
				  .padding = spatial_int(test, "padding"), .dilation = spatial_int(test, "dilation"),
				  .expected = expected};
	parallel_for(tensor_elements(output), 4096, spatial_op(test, ops) == COL2IM1D ? image_part : columns_part, &judging);
	return 0;
}

static int im2col_work(const struct test_case *test, struct work *work, struct error *err)
{
	(void)err;
	const double additions = spatial_op(test, ops) == COL2IM1D ? (double)tensor_elements(operator_tensor(test, "src")) : 0;
	*work = (struct work){.flops = additions, .bytes = spatial_bytes(test), .unit = WORK_BYTES};
	return 0;
}

const struct family im2col_family = {
	.name = "im2col",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = im2col_make_case,
	.fill = im2col_fill,
	.check_case = im2col_check_case,
	.work = im2col_work,
	.symbols = im2col_symbols,
	.launch = im2col_launch,
	.expectations = im2col_expectations,
};
