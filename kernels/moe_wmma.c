/* The moe_wmma family: `moe_gemm_wmma` of libmoe.a, products of rows with the matrices of the experts they are routed to. */
#include "core/util.h"
#include "dataset/generate.h"
#include "kernels/family.h"
#include "kernels/moe_routing.h"
#include "kernels/operator_like.h"
#include "reference/grouped_product.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct family moe_wmma_family;

/* Tensor cores, and with them wmma, came with compute capability 7.0. */
static void moe_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in all */
	visit(context, &(struct operator_symbol){"moe_gemm_wmma", "libmoe", 70});
}

/* ---- cases ----------------------------------------------------------------------------------------------------------- */

/*   prefill   yes, no: which of the two ways through the entry point
 *   tokens, topk   rows of the output: tokens * topk
 *   weighted  none      topk_weights is NULL: the input has a row for each token
 *             random, powers   it has one for each output row, which is scaled by normal numbers, or by 2^-3 .. 2^3
 *   routing   moe_routing.h
 *   values    of input and weights: those of operator_fill, `scale` for the weights alone, and
 *             cancel      pairs of products that cancel, but for the last of a row
 *             nan_unused  normal; experts without a row hold NaNs
 *             nan_row     normal; one row of the input starts with a NaN */
static const char *const axes[] = {"dtype", "prefill", "experts", "topk", "tokens", "n", "k", "weighted", "routing", "values",
				   "scale", NULL};
static const char *const defaults[] = {"bf16", "yes", "4", "2", "20", "40", "64", "none", "random", "integers", "1"};

static const char *const dtypes[] = {"f16", "bf16", NULL}; /* the entry point's own numbers: 0, 1 */
static const char *const answers[] = {"no", "yes", NULL};
static const char *const weightings[] = {"none", "random", "powers", NULL};

enum { STREAM_INPUT = 1, STREAM_WEIGHTS, STREAM_SCALES };
enum { ROWS_MAX = 1 << 24, WIDTH_MAX = 1 << 20, EXPERTS_MAX = 65535, EXPERTS_MAX_DECODE = 1024 };

static int moe_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &moe_wmma_family;
	memset(test, 0, sizeof *test);
	int64_t experts, topk, tokens, n, k;
	double scale;
	const int dtype_number = operator_is_one_of(family, assignment, "dtype", dtypes, err);
	if (dtype_number < 0)
		return -1;
	const int prefill = operator_is_one_of(family, assignment, "prefill", answers, err);
	if (prefill < 0)
		return -1;
	const int weighted = operator_is_one_of(family, assignment, "weighted", weightings, err);
	if (weighted < 0 || operator_is_one_of(family, assignment, "routing", moe_routings, err) < 0)
		return -1;
	if (operator_int(family, assignment, "experts", 1, prefill ? EXPERTS_MAX : EXPERTS_MAX_DECODE, &experts, err) ||
	    operator_int(family, assignment, "topk", 1, 1024, &topk, err) ||
	    operator_int(family, assignment, "tokens", 1, ROWS_MAX, &tokens, err) ||
	    operator_int(family, assignment, "n", 1, WIDTH_MAX, &n, err) ||
	    operator_int(family, assignment, "k", 8, WIDTH_MAX, &k, err) ||
	    operator_real(family, assignment, "scale", &scale, err))
		return -1;
	if (k % 8)
		return error_set(err, ERROR_INPUT, "axis k: %lld is no multiple of 8, which moe_gemm_wmma asks for",
				 (long long)k);
	if (topk * tokens > ROWS_MAX)
		return error_set(err, ERROR_INPUT, "axes topk and tokens make more than %d rows", ROWS_MAX);
	static const char *const in_entry[] = {NULL};
	if (operator_begin(family, assignment, seed, "moe_gemm_wmma", in_entry, test, err))
		return -1;
	const enum dtype dtype = dtype_from_name(dtypes[dtype_number]);
	const int64_t rows = topk * tokens, input[] = {weighted ? rows : tokens, k}, weights[] = {experts, n, k};
	const int64_t output[] = {rows, n}, counts[] = {experts}, offsets[] = {experts + 1};
	if (!case_add_tensor(test, "input", TENSOR_INPUT, dtype, 2, input, NULL, err) ||
	    !case_add_tensor(test, "weights", TENSOR_INPUT, dtype, 3, weights, NULL, err) || moe_routing_add(test, rows, err) ||
	    (weighted && !case_add_tensor(test, "topk_weights", TENSOR_INPUT, DTYPE_F32, 1, output, NULL, err)) ||
	    !case_add_tensor(test, "output", TENSOR_OUTPUT, dtype, 2, output, NULL, err) ||
	    !case_add_tensor(test, "expert_counts", TENSOR_OUTPUT, DTYPE_I32, 1, counts, NULL, err) ||
	    !case_add_tensor(test, "expert_offsets", TENSOR_OUTPUT, DTYPE_I32, 1, offsets, NULL, err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

struct parameters {
	enum dtype dtype;
	int prefill;
	int64_t experts, topk, rows, n, k;
	const struct tensor *input, *weights, *sorted, *ids, *scales, *output, *counts, *offsets; /* scales: NULL where none */
};

static int parameters_of(const struct test_case *test, struct parameters *p, struct error *err)
{
	const char *prefill = case_get_text(test, "prefill"), *topk = case_get_text(test, "topk");
	*p = (struct parameters){
		.dtype = operator_dtype(test, "dtype"),
		.input = operator_tensor(test, "input"),
		.weights = operator_tensor(test, "weights"),
		.sorted = operator_tensor(test, "sorted_token_ids"),
		.ids = operator_tensor(test, "expert_ids"),
		.scales = operator_tensor(test, "topk_weights"),
		.output = operator_tensor(test, "output"),
		.counts = operator_tensor(test, "expert_counts"),
		.offsets = operator_tensor(test, "expert_offsets"),
	};
	if (!prefill || !topk || !p->input || !p->weights || p->weights->rank != 3 || !p->sorted || !p->ids || !p->output ||
	    p->output->rank != 2 || !p->counts || !p->offsets)
		return error_set(err, ERROR_INPUT, "case %s: an attribute or a tensor is missing", test->name);
	p->prefill = strcmp(prefill, "yes") == 0;
	p->topk = strtoll(topk, NULL, 10);
	p->experts = p->weights->dims[0];
	p->rows = p->output->dims[0];
	p->n = p->output->dims[1];
	p->k = p->weights->dims[2];
	if (p->topk < 1)
		return error_set(err, ERROR_INPUT, "case %s: topk is %s", test->name, topk);
	return 0;
}

static int moe_check_case(const struct test_case *test, struct error *err)
{
	struct parameters p;
	if (operator_check_like(&moe_wmma_family, test, err) || parameters_of(test, &p, err))
		return -1;
	return p.sorted->data ? moe_routing_check(test, p.experts, err) : 0;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

/* Neighbours along k cancel: the second of a pair has the same input and the negative weight. */
static void make_pairs(struct tensor *tensor, int64_t k, double sign)
{
	const int64_t count = tensor_elements(tensor);
	for (int64_t at = 0; at + 1 < count; at += 2)
		if (at % k + 2 < k)
			dtype_store(tensor->dtype, tensor->data, (size_t)at + 1,
				    sign * dtype_load(tensor->dtype, tensor->data, (size_t)at));
}

static void spoil_unused(struct tensor *weights, const struct tensor *ids, int64_t experts)
{
	const int64_t size = tensor_elements(weights) / experts, rows = ids->dims[0];
	const int32_t *used = ids->data;
	for (int64_t expert = 0, row = 0; expert < experts; expert++) {
		while (row < rows && used[row] < expert)
			row++;
		if (row < rows && used[row] == expert)
			continue;
		for (int64_t i = 0; i < size; i++)
			dtype_store(weights->dtype, weights->data, (size_t)(expert * size + i), (double)NAN);
	}
}

static int fill(struct test_case *test, const char *name, const char *values, double scale, uint32_t stream, struct error *err)
{
	struct tensor *tensor = case_find_tensor(test, name, TENSOR_INPUT);
	if (!tensor || (!tensor->data && tensor_allocate(tensor, err)))
		return -1;
	return operator_fill(tensor, values, scale, test->seed, stream, err);
}

static int moe_fill(struct test_case *test, struct error *err)
{
	struct parameters p;
	const char *values = case_get_text(test, "values"), *scale = case_get_text(test, "scale");
	const char *routing = case_get_text(test, "routing"), *weighted = case_get_text(test, "weighted");
	if (!values || !scale || !routing || !weighted)
		return error_set(err, ERROR_INPUT, "case %s: an attribute is missing", test->name);
	if (parameters_of(test, &p, err))
		return -1;
	const int cancel = strcmp(values, "cancel") == 0, unused = strcmp(values, "nan_unused") == 0;
	const int row = strcmp(values, "nan_row") == 0;
	const char *kind = cancel || unused || row ? "normal" : values;
	if (fill(test, "input", kind, 1, STREAM_INPUT, err) ||
	    fill(test, "weights", kind, strtod(scale, NULL), STREAM_WEIGHTS, err) ||
	    moe_routing_fill(test, routing, p.experts, err))
		return -1;
	struct tensor *input = case_find_tensor(test, "input", TENSOR_INPUT);
	struct tensor *weights = case_find_tensor(test, "weights", TENSOR_INPUT);
	if (cancel) {
		make_pairs(input, p.k, 1);
		make_pairs(weights, p.k, -1);
	}
	if (unused)
		spoil_unused(weights, p.ids, p.experts);
	if (row)
		dtype_store(p.dtype, input->data, (size_t)(input->dims[0] / 2 * p.k), (double)NAN);
	if (p.scales && fill(test, "topk_weights", "normal", 1, STREAM_SCALES, err))
		return -1;
	if (p.scales && strcmp(weighted, "powers") == 0)
		for (int64_t i = 0; i < p.rows; i++)
			((float *)p.scales->data)[i] =
				ldexpf(1.0f, (int)generate_below(7, test->seed, STREAM_SCALES, (uint64_t)i) - 3);
	return 0;
}

/* ---- calling --------------------------------------------------------------------------------------------------------- */

/* candle-kernels 0.9.2 to 0.11, src/ffi.rs; `stream` is a CUstream as a number, 0: the default one. */
typedef void (*moe_gemm_wmma)(const void *input, const void *weights, const int32_t *sorted_token_ids, const int32_t *expert_ids,
			      const float *topk_weights, void *output, int32_t *expert_counts, int32_t *expert_offsets,
			      int num_experts, int topk, int size_m, int size_n, int size_k, int dtype, _Bool is_prefill,
			      int64_t stream);

static void *data_of(const struct binding *binding, const struct tensor *tensor)
{
	return tensor ? (void *)(uintptr_t)binding->tensors[tensor - binding->test->tensors].data : NULL;
}

static void moe_call(const struct binding *binding)
{
	struct parameters p;
	if (parameters_of(binding->test, &p, NULL))
		return; /* cannot be: check_case has passed */
	/* a function pointer may not be cast from void * in ISO C; POSIX dlsym demands that it works */
	moe_gemm_wmma entry;
	memcpy(&entry, &binding->entry, sizeof entry);
	entry(data_of(binding, p.input), data_of(binding, p.weights), data_of(binding, p.sorted), data_of(binding, p.ids),
	      data_of(binding, p.scales), data_of(binding, p.output), data_of(binding, p.counts), data_of(binding, p.offsets),
	      (int)p.experts, (int)p.topk, (int)p.rows, (int)p.n, (int)p.k, p.dtype == DTYPE_BF16, p.prefill != 0, 0);
}

static int moe_supports(const struct test_case *test, int abi, const struct device_properties *device, struct error *err)
{
	(void)abi;
	const int cc = device->cc_major * 10 + device->cc_minor, least = operator_dtype(test, "dtype") == DTYPE_BF16 ? 80 : 70;
	if (device->kind == DEVICE_CUDA && cc < least)
		return error_set(err, ERROR_UNSUPPORTED,
				 "tensor cores multiply this type from compute capability %d.%d on; %s is %d.%d", least / 10,
				 least % 10, device->name, device->cc_major, device->cc_minor);
	return 0;
}

/* ---- expectations ----------------------------------------------------------------------------------------------------- */

struct rows_job {
	const struct parameters *p;
	struct grouped_product product;
	int whole;                    /* all inputs and weights are whole numbers */
	struct dot *dots;             /* [rows, n] */
	struct expectation *expected; /* [rows, n] */
};

/* float32 accumulation (grouped_product_error), one float32 multiplication by the row's weight (half a unit: 2^-24), one
 * rounding to the output's type. Where all of that is exact but the last, the result is the rounded value and no other. */
static struct expectation expect_one(const struct rows_job *job, const struct dot *dot, double scale)
{
	const enum dtype dtype = job->p->dtype;
	struct expectation expected = {.value = (long double)dot->sum * (long double)scale};
	int exponent;
	if (isnan(dot->sum) || isnan(scale)) {
		expected.flags = EXPECT_NAN;
		return expected;
	}
	if (!isfinite(dot->sum) || !isfinite(scale)) /* what an infinite operand leads to is the same in float32 */
		return expected;
	/* a partial sum may leave float32, depending on the order */
	if (dot->magnitude * fmax(1, fabs(scale)) > FLT_MAX / 2) {
		expected.flags = EXPECT_ANY;
		return expected;
	}
	const double accumulated = grouped_product_error(dot->magnitude, job->p->k, job->whole);
	const int power = frexp(fabs(scale), &exponent) == 0.5 || scale == 0;
	/* below the normal numbers a product is rounded to a multiple of 2^-149 */
	const double scaled = power ? 0 : fabs(dot->sum * scale) * 0x1p-24 + 0x1p-150;
	const double error = accumulated * fabs(scale) + scaled;
	if (error == 0) {
		expected.value = round_to_dtype(dtype, expected.value);
		return expected;
	}
	const double size = (double)fabsl(expected.value) + error;
	expected.bound = error + unit_in_last_place(dtype, (long double)size) / 2;
	expected.fast_bound = expected.bound + FLT_MIN * (1 + fabs(scale)); /* sums and products below it are flushed */
	return expected;
}

static void expect_rows(void *context, int64_t first, int64_t last)
{
	const struct rows_job *job = context;
	const struct parameters *p = job->p;
	for (int64_t i = first; i < last; i++) {
		const int64_t row = ((const int32_t *)p->sorted->data)[i], expert = ((const int32_t *)p->ids->data)[i];
		const double scale = p->scales ? (double)((const float *)p->scales->data)[row] : 1;
		struct dot *dots = job->dots + row * p->n;
		grouped_product_row(&job->product, p->scales ? row : row / p->topk, expert, dots);
		for (int64_t j = 0; j < p->n; j++)
			job->expected[row * p->n + j] = expect_one(job, &dots[j], scale);
	}
}

struct widening {
	enum dtype dtype;
	const uint16_t *from;
	float *to;
};

static void widen(void *context, int64_t first, int64_t last)
{
	const struct widening *widening = context;
	for (int64_t i = first; i < last; i++)
		widening->to[i] = widening->dtype == DTYPE_F16 ? f16_to_f32(widening->from[i]) : bf16_to_f32(widening->from[i]);
}

static float *widened(const struct tensor *tensor)
{
	const int64_t count = tensor_elements(tensor);
	struct widening widening = {tensor->dtype, tensor->data, malloc((size_t)count * sizeof(float))};
	if (widening.to)
		parallel_for(count, 65536, widen, &widening);
	return widening.to;
}

static int all_whole(const float *values, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		if (!(rintf(values[i]) == values[i])) /* a NaN is no whole number */
			return 0;
	return 1;
}

static int moe_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			    struct error *err)
{
	(void)abi;
	struct parameters p;
	if (parameters_of(test, &p, err) || moe_routing_check(test, p.experts, err))
		return -1;
	if (output != p.output) {
		/* scratch: what the entry point leaves in it is its own business */
		for (int64_t i = 0; i < tensor_elements(output); i++)
			expected[i].flags = EXPECT_ANY;
		return 0;
	}
	float *input = widened(p.input), *weights = widened(p.weights);
	struct rows_job job = {
		.p = &p,
		.product = {.n = p.n, .k = p.k, .in = input, .weights = weights},
		.dots = malloc(sizeof *job.dots * (size_t)(p.rows * p.n)),
		.expected = expected,
	};
	int result = -1;
	if (!input || !weights || !job.dots) {
		error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory", test->name);
		goto done;
	}
	job.whole = all_whole(input, tensor_elements(p.input)) && all_whole(weights, tensor_elements(p.weights));
	parallel_for(p.rows, 1 + 100000 / (p.n * p.k), expect_rows, &job);
	result = 0;
done:
	free(input);
	free(weights);
	free(job.dots);
	return result;
}

static int moe_work(const struct test_case *test, struct work *work, struct error *err)
{
	struct parameters p;
	if (parameters_of(test, &p, err))
		return -1;
	int64_t used = p.rows < p.experts ? p.rows : p.experts; /* without data: as many as there can be */
	if (p.ids->data) {
		used = 0;
		for (int64_t i = 0; i < p.rows; i++)
			used += i == 0 || ((const int32_t *)p.ids->data)[i] != ((const int32_t *)p.ids->data)[i - 1];
	}
	const double matrices = (double)used * (double)p.n * (double)p.k;
	const double elements = (double)tensor_elements(p.input) + matrices + (double)p.rows * (double)p.n;
	*work = (struct work){
		.flops = 2.0 * (double)p.rows * (double)p.n * (double)p.k,
		.bytes = 2 * elements + 4.0 * (double)p.rows * (p.scales ? 3 : 2),
		.unit = p.prefill ? WORK_FLOPS : WORK_BYTES,
	};
	return 0;
}

const struct family moe_wmma_family = {
	.name = "moe_wmma",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = moe_make_case,
	.fill = moe_fill,
	.check_case = moe_check_case,
	.supports = moe_supports,
	.call = moe_call,
	.work = moe_work,
	.symbols = moe_symbols,
	.expectations = moe_expectations,
};
