/* conv1d, conv2d, conv_transpose1d, conv_transpose2d of Candle's module `conv`.
 *
 *   src     NCHW or NCL, any strides
 *   kernel  [c_out, c_in, ..], transposed [c_in, c_out, ..], any strides
 *   dst     contiguous
 *
 * Axes "src" (BxCxHxW or BxCxL) and "kernel" (OxHxW or OxL: c_in is that of src) give the shapes.
 *
 * Sums of f16 and bf16 are kept in float and rounded once at the end, others in the element's own type; unsigned integers wrap.
 * Error of a sum of n products in any order, each product rounded or fused with its addition: gamma_n * sum |a b| (Higham,
 * section 3.1), gamma_(n-1) where products are exact (two f16 or bf16 in float). Whole numbers whose sum of magnitudes fits the
 * accumulator's mantissa give the exact sum in every order: there the bound is 0. */
#include "kernels/operator_like.h"
#include "kernels/spatial.h"

#include "reference/convolution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum op { CONV1D, CONV2D, CONV_TRANSPOSE1D, CONV_TRANSPOSE2D };
static const char *const ops[] = {"conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", NULL};

static const char *const axes[] = {"op",	  "dtype",  "src",	     "kernel", "stride",  "padding",	  "dilation",
				   "out_padding", "layout", "kernel_layout", "values", "weights", "scale",	  "kernel_scale",
				   "plant",	  NULL};
static const char *const defaults[] = {"conv1d", "f32",	       "1x1x1",	     "1x1",	 "1",	   "0", "1",
				       "0",	 "contiguous", "contiguous", "moderate", "moderate", "1", "1",
				       "none",	 NULL};
static const char *const in_entry[] = {"op", "dtype", NULL};
/* inf_kernel: an infinity at the first tap of even output channels and the last tap of odd ones, so that a border whose window
 * has that tap in the padding stays finite. cancel: every weight is 256, negative in the second half of the taps: with sources of
 * 255 all partial sums but the last overflow f16. */
static const char *const plants[] = {"none", "nan", "inf", "all_nan", "inf_kernel", "cancel", NULL};

static int rank_of(enum op op)
{
	return op == CONV1D || op == CONV_TRANSPOSE1D ? 3 : 4;
}

static int is_transposed(enum op op)
{
	return op == CONV_TRANSPOSE1D || op == CONV_TRANSPOSE2D;
}

static void conv_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* all profiles have the same */
	spatial_symbols(ops, visit, context);
}

/* ---- cases ---------------------------------------------------------------------------------------------------------- */

struct params {
	enum op op;
	enum dtype dtype;
	int64_t src[4], kernel[4], dst[4];
	const char *layout, *kernel_layout;
};

static int read_params(const struct assignment *a, const struct family *family, struct params *p, char entry[64],
		       struct error *err)
{
	int op;
	int64_t stride, padding, dilation, out_padding, shape[4];
	double real;
	if (spatial_entry(family, a, ops, &op, &p->dtype, entry, err))
		return -1;
	p->op = (enum op)op;
	const int rank = rank_of(p->op), transposed = is_transposed(p->op);
	if (spatial_dims(family, a, "src", rank, p->src, err) || spatial_dims(family, a, "kernel", rank - 1, shape, err) ||
	    operator_int(family, a, "stride", 1, SPATIAL_MOST, &stride, err) ||
	    operator_int(family, a, "padding", 0, SPATIAL_MOST, &padding, err) ||
	    operator_int(family, a, "dilation", 1, 1 << 20, &dilation, err) ||
	    operator_int(family, a, "out_padding", 0, SPATIAL_MOST, &out_padding, err) ||
	    spatial_layout(family, a, "layout", &p->layout, err) ||
	    spatial_layout(family, a, "kernel_layout", &p->kernel_layout, err) || spatial_values(family, a, "values", err) ||
	    spatial_values(family, a, "weights", err) || operator_real(family, a, "scale", &real, err) ||
	    operator_real(family, a, "kernel_scale", &real, err))
		return -1;
	const int plant = operator_is_one_of(family, a, "plant", plants, err);
	if (plant < 0 || spatial_plant_allowed(plants[plant], p->dtype, err))
		return -1;
	if (out_padding && !transposed)
		return error_set(err, ERROR_INPUT, "out_padding:%lld belongs to transposed convolutions; %s has none",
				 (long long)out_padding, ops[op]);
	if (shape[0] < 1)
		return error_set(err, ERROR_INPUT, "kernel:%s has no output channel", operator_value(family, a, "kernel"));
	p->kernel[transposed ? 1 : 0] = shape[0];
	p->kernel[transposed ? 0 : 1] = p->src[1];
	p->dst[0] = p->src[0];
	p->dst[1] = shape[0];
	for (int axis = 2; axis < rank; axis++) {
		p->kernel[axis] = shape[axis - 1];
		struct convolution c = {.transposed = transposed, .in = {p->src[axis]}, .kernel = {p->kernel[axis]},
					.stride = {stride}, .padding = {padding}, .dilation = {dilation}};
		p->dst[axis] = convolution_extent(&c, 0, out_padding);
		if (p->dst[axis] < 1 || p->dst[axis] > SPATIAL_MOST)
			return error_set(err, ERROR_INPUT,
					 "src:%s kernel:%s stride:%lld padding:%lld dilation:%lld leave an output of "
					 "%lld along axis %d; from 1 to %d are possible",
					 operator_value(family, a, "src"), operator_value(family, a, "kernel"), (long long)stride,
					 (long long)padding, (long long)dilation, (long long)p->dst[axis], axis, SPATIAL_MOST);
	}
	return 0;
}

static int conv_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	struct params p = {0};
	char entry[64];
	if (read_params(assignment, &conv_family, &p, entry, err) ||
	    operator_begin(&conv_family, assignment, seed, entry, in_entry, test, err))
		return -1;
	const int rank = rank_of(p.op);
	const struct tensor *const src = spatial_add_input(test, "src", p.dtype, rank, p.src, p.layout, err);
	const struct tensor *const kernel =
		src ? spatial_add_input(test, "kernel", p.dtype, rank, p.kernel, p.kernel_layout, err) : NULL;
	if (!kernel || !operator_add_tensor(test, "dst", TENSOR_OUTPUT, p.dtype, rank, p.dst, "contiguous", err))
		return -1;
	int64_t info[16]; /* extents and strides of the source, then those of the kernel */
	for (int axis = 0; axis < rank; axis++) {
		info[axis] = src->dims[axis];
		info[rank + axis] = src->strides[axis];
		info[2 * rank + axis] = kernel->dims[axis];
		info[3 * rank + axis] = kernel->strides[axis];
	}
	return operator_add_numbers(test, "info", info, 4 * rank, err);
}

static void set_weight(struct tensor *storage, const struct tensor *kernel, int64_t linear, double value)
{
	dtype_store(storage->dtype, storage->data, (size_t)(kernel->offset + tensor_offset(kernel, linear)), value);
}

static int conv_fill(struct test_case *test, struct error *err)
{
	if (spatial_fill(test, "src", "values", "scale", 1, err) ||
	    spatial_fill(test, "kernel", "weights", "kernel_scale", 2, err))
		return -1;
	const char *const plant = case_get_text(test, "plant");
	const int infinite = strcmp(plant, "inf_kernel") == 0, cancel = strcmp(plant, "cancel") == 0;
	if (!infinite && !cancel) {
		spatial_plant(test, "src", plant);
		return 0;
	}
	const struct tensor *const kernel = operator_tensor(test, "kernel");
	struct tensor *const storage = spatial_storage(test, "kernel");
	const int channel_axis = is_transposed((enum op)spatial_op(test, ops)) ? 1 : 0;
	int64_t taps = 1;
	for (int axis = 2; axis < kernel->rank; axis++)
		taps *= kernel->dims[axis];
	for (int64_t i = 0; i < tensor_elements(kernel); i++) {
		const int64_t tap = i % taps, first = i / taps / kernel->dims[1], second = i / taps % kernel->dims[1];
		const int64_t channel = channel_axis == 0 ? first : second;
		if (cancel)
			set_weight(storage, kernel, i, tap < taps / 2 ? 256 : -256);
		else if (tap == (channel % 2 ? taps - 1 : 0))
			set_weight(storage, kernel, i, (double)INFINITY);
	}
	return 0;
}

static int conv_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&conv_family, test, err);
}

static struct convolution convolution_of(const struct test_case *test)
{
	const struct tensor *const src = operator_tensor(test, "src"), *const kernel = operator_tensor(test, "kernel"),
			   *const dst = operator_tensor(test, "dst");
	const int transposed = is_transposed((enum op)spatial_op(test, ops));
	struct convolution c = {.transposed = transposed, .batch = src->dims[0], .channels_in = src->dims[1],
				.channels_out = dst->dims[1], .in = {1, 1}, .kernel = {1, 1}, .out = {1, 1},
				.stride = {1, 1}, .dilation = {1, 1}};
	for (int axis = 2; axis < src->rank; axis++) {
		const int to = axis + 2 - src->rank; /* a single axis is the columns */
		c.in[to] = src->dims[axis];
		c.kernel[to] = kernel->dims[axis];
		c.out[to] = dst->dims[axis];
		c.stride[to] = spatial_int(test, "stride");
		c.padding[to] = spatial_int(test, "padding");
		c.dilation[to] = spatial_int(test, "dilation");
	}
	return c;
}

/* ---- calling -------------------------------------------------------------------------------------------------------- */

static int conv_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	(void)err;
	const struct tensor *const src = operator_tensor(test, "src"), *const dst = operator_tensor(test, "dst");
	const enum op op = (enum op)spatial_op(test, ops);
	argument_size(launch, tensor_elements(src));
	if (rank_of(op) == 4)
		argument_size(launch, dst->dims[3]); /* w_out stands before h_out */
	argument_size(launch, dst->dims[2]);
	argument_size(launch, spatial_int(test, "stride"));
	argument_size(launch, spatial_int(test, "padding"));
	if (is_transposed(op))
		argument_size(launch, spatial_int(test, "out_padding"));
	argument_size(launch, spatial_int(test, "dilation"));
	argument_tensor(launch, test, "info");
	argument_tensor(launch, test, "src");
	argument_tensor(launch, test, "kernel");
	argument_tensor(launch, test, "dst");
	launch_for_elements(launch, tensor_elements(dst));
	return 0;
}

/* ---- judging -------------------------------------------------------------------------------------------------------- */

struct judging {
	struct convolution convolution;
	enum dtype dtype;
	const double *src, *kernel;               /* contiguous copies */
	const uint32_t *whole_src, *whole_kernel; /* of integers */
	int whole;                                /* all values are finite whole numbers */
	int plain;                                /* what convolution_plain_sums can add up */
	struct expectation *expected;
};

/* A contiguous copy, as doubles (exact: no type here has more than 53 bits) or, for integers, as u32. */
struct copying {
	const struct test_case *test;
	const struct tensor *tensor;
	const void *data;
	double *values;
	uint32_t *integers;
};

static void copy_part(void *context, int64_t first, int64_t last)
{
	const struct copying *const copying = context;
	for (int64_t i = first; i < last; i++) {
		const size_t at = (size_t)tensor_offset(copying->tensor, i);
		const double value = (double)load_exact(copying->tensor->dtype, copying->data, at);
		if (copying->integers)
			copying->integers[i] = (uint32_t)value;
		else
			copying->values[i] = value;
	}
}

static void *copy_of(const struct test_case *test, const char *name)
{
	const struct tensor *const tensor = operator_tensor(test, name);
	const size_t count = (size_t)tensor_elements(tensor);
	const int integers = !dtype_is_float(tensor->dtype);
	void *const memory = malloc((count ? count : 1) * (integers ? sizeof(uint32_t) : sizeof(double)));
	struct copying copying = {test, tensor, case_tensor_data(test, tensor), integers ? NULL : memory,
				  integers ? memory : NULL};
	if (memory)
		parallel_for((int64_t)count, 1 << 16, copy_part, &copying);
	return memory;
}

static int all_whole(const double *values, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		if (!(fabs(values[i]) <= 0x1p53) || values[i] != floor(values[i]))
			return 0;
	return 1;
}

/* Two doubles with 24 bits each have an exact product; with f64 they may have 53. */
static int all_plain(const double *values, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		if (!(values[i] == 0 || (fabs(values[i]) >= 0x1p-126 && fabs(values[i]) < 0x1p128)))
			return 0;
	return 1;
}

static struct expectation expect_sum(const struct judging *judging, const struct convolution_sum *sum)
{
	const enum dtype dtype = judging->dtype;
	const double unit = spatial_accumulator_unit(dtype), most = spatial_accumulator_max(dtype);
	struct expectation expected = {.value = sum->value};
	const int same_sign = fabsl(sum->value) == sum->magnitude;
	if (sum->infinite_small && spatial_flush(dtype) > 0)
		expected.flags |= EXPECT_FAST_ANY; /* inf * 0 once the subnormal factor is flushed */
	if (isnan(sum->value)) {
		expected.flags |= EXPECT_NAN;
		return expected;
	}
	if (sum->magnitude > most && !same_sign) {
		/* whether a partial sum overflows depends on the order, which is nobody's promise */
		expected.flags |= EXPECT_ANY;
		return expected;
	}
	if (fabsl(sum->value) > most * (1 + 0x1p-20L)) {
		expected.value = copysignl((long double)INFINITY, sum->value);
		return expected;
	}
	const double magnitude = sum->magnitude < most ? (double)sum->magnitude : most;
	if (judging->whole && magnitude * unit <= 1) {
		expected.value = round_to_dtype(dtype, sum->value);
		return expected;
	}
	const int exact_products = dtype == DTYPE_F16 || dtype == DTYPE_BF16;
	const double error = spatial_gamma(sum->terms - exact_products, unit) * magnitude +
			     (double)sum->terms * spatial_accumulator_tiny(dtype);
	expected.bound = error + spatial_output_rounding(dtype, sum->value, error);
	/* flushed factors, products and sums */
	const double flushed = error + spatial_flush(dtype) * ((double)sum->partners + 2 * (double)sum->terms);
	expected.fast_bound = flushed + spatial_output_rounding(dtype, sum->value, flushed);
	spatial_open(&expected);
	return expected;
}

static void judge_part(void *context, int64_t first, int64_t last)
{
	enum { AT_ONCE = 64 };
	const struct judging *const judging = context;
	for (int64_t at = first; at < last; at += AT_ONCE) {
		const int64_t end = at + AT_ONCE < last ? at + AT_ONCE : last;
		if (judging->whole_src) {
			uint32_t sums[AT_ONCE];
			convolution_wrapped(&judging->convolution, judging->whole_src, judging->whole_kernel, at, end, sums);
			for (int64_t i = at; i < end; i++)
				judging->expected[i].value = judging->dtype == DTYPE_U8 ? sums[i - at] & 0xff : sums[i - at];
		} else {
			struct convolution_sum sums[AT_ONCE];
			(judging->plain ? convolution_plain_sums : convolution_sums)(&judging->convolution, judging->src,
										     judging->kernel, at, end, sums);
			for (int64_t i = at; i < end; i++)
				judging->expected[i] = expect_sum(judging, &sums[i - at]);
		}
	}
}

static int conv_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			     struct error *err)
{
	(void)abi;
	struct judging judging = {.convolution = convolution_of(test), .dtype = output->dtype, .expected = expected};
	void *const src = copy_of(test, "src"), *const kernel = copy_of(test, "kernel");
	const int failed = !src || !kernel;
	if (!failed) {
		if (dtype_is_float(output->dtype)) {
			const int64_t src_count = tensor_elements(operator_tensor(test, "src"));
			const int64_t kernel_count = tensor_elements(operator_tensor(test, "kernel"));
			judging.src = src;
			judging.kernel = kernel;
			judging.whole = all_whole(src, src_count) && all_whole(kernel, kernel_count);
			judging.plain =
				output->dtype != DTYPE_F64 && all_plain(src, src_count) && all_plain(kernel, kernel_count);
		} else {
			judging.whole_src = src;
			judging.whole_kernel = kernel;
		}
		parallel_for(tensor_elements(output), 256, judge_part, &judging);
	}
	free(src);
	free(kernel);
	return failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory for the reference of %s", test->name) : 0;
}

static int conv_work(const struct test_case *test, struct work *work, struct error *err)
{
	(void)err;
	const struct convolution c = convolution_of(test);
	*work = (struct work){.flops = 2 * convolution_products(&c), .bytes = spatial_bytes(test), .unit = WORK_FLOPS};
	return 0;
}

const struct family conv_family = {
	.name = "conv",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = conv_make_case,
	.fill = conv_fill,
	.check_case = conv_check_case,
	.work = conv_work,
	.symbols = conv_symbols,
	.launch = conv_launch,
	.expectations = conv_expectations,
};
