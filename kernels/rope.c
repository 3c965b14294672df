/* rope_T, rope_i_T and rope_thd_T of Candle's module `reduce`: rotary position embeddings, one thread for each pair. */
#include "kernels/operator_like.h"

#include "reference/rope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Axes:
 *   op      rope (pairs i, i + d/2 of [b, h, t, d]) | rope_i (pairs 2i, 2i + 1) | rope_thd (as rope, of [b, t, h, d])
 *   dtype   bf16 f16 f32 f64
 *   b, h, t, d    d even
 *   angles  shared: cos and sin are [t, d/2], stride_b is 0 | batch: [b, t, d/2], stride_b is h*t*d
 *   input   operator_fill's kinds for src; cos and sin are cosines and sines of angles, or
 *   angle_values   rotation, or one of operator_fill's kinds for both */
static const char *const axes[] = {"op", "dtype", "b", "h", "t", "d", "angles", "input", "angle_values", NULL};
static const char *const defaults[] = {"rope", "f32", "2", "3", "5", "8", "shared", "normal", "rotation"};
static const char *const in_entry[] = {"op", "dtype", NULL};
static const char *const ops[] = {"rope_i", "rope", "rope_thd", NULL}; /* by enum rope_kind */
static const char *const dtypes[] = {"bf16", "f16", "f32", "f64", NULL};
static const char *const angle_kinds[] = {"shared", "batch", NULL};
enum { ELEMENTS_MAX = 1 << 28, STREAM_SOURCE = 1, STREAM_COS, STREAM_SIN };

extern const struct family rope_family;

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

/* A case: which kind, and its shape from the tensors. */
static int read_case(const struct test_case *test, enum rope_kind *kind, struct rope_shape *shape, struct error *err)
{
	const char *op = case_get_text(test, "op");
	const struct tensor *source = operator_tensor(test, "src"), *cosines = operator_tensor(test, "cos");
	int found = -1;
	for (int i = 0; op && ops[i]; i++)
		if (strcmp(op, ops[i]) == 0)
			found = i;
	if (found < 0 || !source || source->rank != 4 || !cosines || cosines->rank < 2)
		return error_set(err, ERROR_INPUT, "case %s: op, src and cos make no rotation", test->name);
	*kind = (enum rope_kind)found;
	const int thd = *kind == ROPE_THD;
	*shape = (struct rope_shape){source->dims[0], source->dims[thd ? 2 : 1], source->dims[thd ? 1 : 2], source->dims[3],
				     cosines->rank == 3};
	return 0;
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &rope_family;
	const int64_t most = ELEMENTS_MAX;
	int64_t b, h, t, d;
	char entry[40];
	*test = (struct test_case){0};
	const int op = operator_is_one_of(family, assignment, "op", ops, err);
	const int type = op < 0 ? -1 : operator_is_one_of(family, assignment, "dtype", dtypes, err);
	const int by_batch = type < 0 ? -1 : operator_is_one_of(family, assignment, "angles", angle_kinds, err);
	if (by_batch < 0 || operator_int(family, assignment, "b", 1, most, &b, err) ||
	    operator_int(family, assignment, "h", 1, most / b, &h, err) ||
	    operator_int(family, assignment, "t", 1, most / b / h, &t, err) ||
	    operator_int(family, assignment, "d", 2, most / b / h / t, &d, err))
		return -1;
	if (d % 2)
		return error_set(err, ERROR_INPUT, "axis d: %lld is odd, and a rotation is of pairs", (long long)d);
	const int64_t dims[4] = {b, op == ROPE_THD ? t : h, op == ROPE_THD ? h : t, d}, angle_dims[3] = {b, t, d / 2};
	const int angle_rank = by_batch ? 3 : 2;
	const enum dtype dtype = dtype_from_name(dtypes[type]);
	snprintf(entry, sizeof entry, "%s_%s", ops[op], dtypes[type]);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    !case_add_tensor(test, "src", TENSOR_INPUT, dtype, 4, dims, NULL, err) ||
	    !case_add_tensor(test, "cos", TENSOR_INPUT, dtype, angle_rank, angle_dims + !by_batch, NULL, err) ||
	    !case_add_tensor(test, "sin", TENSOR_INPUT, dtype, angle_rank, angle_dims + !by_batch, NULL, err) ||
	    !case_add_tensor(test, "dst", TENSOR_OUTPUT, dtype, 4, dims, NULL, err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&rope_family, test, err);
}

static int fill(struct test_case *test, struct error *err)
{
	struct tensor *source = case_find_tensor(test, "src", TENSOR_INPUT);
	struct tensor *cosines = case_find_tensor(test, "cos", TENSOR_INPUT);
	struct tensor *sines = case_find_tensor(test, "sin", TENSOR_INPUT);
	const char *input = case_get_text(test, "input"), *values = case_get_text(test, "angle_values");
	if (!source || !cosines || !sines || !input || !values)
		return error_set(err, ERROR_INPUT, "case %s: it is not complete", test->name);
	const int rotation = strcmp(values, "rotation") == 0;
	if (operator_fill(source, input, 1.0, test->seed, STREAM_SOURCE, err) ||
	    operator_fill(cosines, rotation ? "uniform" : values, 1.0, test->seed, STREAM_COS, err) ||
	    operator_fill(sines, rotation ? "uniform" : values, 1.0, test->seed, STREAM_SIN, err))
		return -1;
	/* the sine that belongs to the cosine, in the sign that was drawn: sqrt is rounded correctly on every machine */
	for (int64_t i = 0; rotation && i < cosines->extent; i++) {
		const double c = dtype_load(cosines->dtype, cosines->data, (size_t)i);
		const double s = dtype_load(sines->dtype, sines->data, (size_t)i);
		dtype_store(sines->dtype, sines->data, (size_t)i, copysign(sqrt(1 - c * c), s));
	}
	if (rotation)
		snprintf(cosines->generator, sizeof cosines->generator, "rotation");
	if (rotation)
		snprintf(sines->generator, sizeof sines->generator, "rotation");
	return 0;
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	enum rope_kind kind;
	struct rope_shape shape;
	(void)abi;
	if (read_case(test, &kind, &shape, err))
		return -1;
	argument_tensor(launch, test, "src");
	argument_tensor(launch, test, "cos");
	argument_tensor(launch, test, "sin");
	argument_tensor(launch, test, "dst");
	if (kind == ROPE_THD) {
		argument_u32(launch, shape.b);
		argument_u32(launch, shape.t);
		argument_u32(launch, shape.h);
		argument_u32(launch, shape.d);
	} else {
		argument_u32(launch, shape.b * shape.h);
		argument_u32(launch, shape.t * shape.d);
		if (kind == ROPE_HALVES)
			argument_u32(launch, shape.d);
	}
	argument_u32(launch, shape.by_batch ? shape.h * shape.t * shape.d : 0);
	launch_for_elements(launch, shape.b * shape.h * shape.t * shape.d / 2);
	return 0;
}

/* ---- what is right ------------------------------------------------------------------------------------------------
 * out1 = x1 c - x2 s, out2 = x1 s + x2 c, in the arithmetic of the type: each product rounded, or the last one fused with the
 * sum, or all of it in float and rounded at the end. With u = epsilon / 2 each product errs by u relative and by half a subnormal
 * step, the sum of the two rounded products by u relative to itself:
 *     |got - right| <= u (|x1 c| + |x2 s|) + a + u (|right| + u (|x1 c| + |x2 s|) + a),    a = the smallest subnormal
 * Fast math (f32): what is subnormal may be flushed, elements and angles too: then a is the smallest normal number times what it
 * is multiplied by, twice, and once more for the result. bf16 through float flushes alike.
 * Where a product is beyond the type and the result is not, whether it is rounded between decides: left open. */
struct expecting {
	enum rope_kind kind;
	struct rope_shape shape;
	enum dtype dtype;
	const void *source, *cosines, *sines;
	struct expectation *expected;
};

static int is_subnormal(enum dtype dtype, long double x)
{
	return (dtype == DTYPE_F32 || dtype == DTYPE_BF16) && x != 0 && fabsl(x) < 0x1p-126L;
}

static void expect_rotated(enum dtype dtype, long double a, long double ca, long double b, long double cb,
			   struct expectation *expected)
{
	const long double one = a * ca, other = b * cb, most = (long double)dtype_max_finite(dtype);
	const double u = dtype_epsilon(dtype) / 2;
	expected->value = one + other;
	if (isnan(expected->value)) {
		/* NaN, 0 * Inf or Inf - Inf, whatever the order; but a product of finite numbers is never infinite here */
		expected->flags = EXPECT_NAN;
		return;
	}
	if (isinf(expected->value)) {
		/* an infinity among the four; the other product may overflow to the opposite one */
		const long double finite = isinf(one) ? other : one;
		if (isfinite(finite) && fabsl(finite) >= most && signbit(finite) != signbit(expected->value))
			expected->flags = EXPECT_ANY;
		/* flushed, what is subnormal makes a NaN of an infinity */
		if (is_subnormal(dtype, a) || is_subnormal(dtype, ca) || is_subnormal(dtype, b) || is_subnormal(dtype, cb))
			expected->flags |= EXPECT_FAST_ANY;
		return;
	}
	if (fabsl(one) >= most || fabsl(other) >= most) {
		if (signbit(one) != signbit(other))
			expected->flags = EXPECT_ANY;
		if (expected->flags)
			return;
	}
	const double magnitude = (double)(fabsl(one) + fabsl(other)), least = dtype_smallest_subnormal(dtype);
	const int not_zero = one != 0 || other != 0; /* which a double may not see of products of doubles */
	const double products = u * magnitude + (not_zero ? least : 0);
	expected->bound = products + u * ((double)fabsl(expected->value) + products);
	if (dtype == DTYPE_F32 || dtype == DTYPE_BF16) {
		const double normal = 0x1p-126, factors = (double)(fabsl(a) + fabsl(ca) + fabsl(b) + fabsl(cb));
		expected->fast_bound = expected->bound + (not_zero ? normal * (3 + factors) : 0);
	}
}

static void expect_pairs(void *context, int64_t first, int64_t last)
{
	const struct expecting *expecting = context;
	const enum dtype dtype = expecting->dtype;
	for (int64_t number = first; number < last; number++) {
		const struct rope_pair pair = rope_pair(expecting->kind, &expecting->shape, number);
		const long double x1 = load_exact(dtype, expecting->source, (size_t)pair.first);
		const long double x2 = load_exact(dtype, expecting->source, (size_t)pair.second);
		const long double c = load_exact(dtype, expecting->cosines, (size_t)pair.angle);
		const long double s = load_exact(dtype, expecting->sines, (size_t)pair.angle);
		expect_rotated(dtype, x1, c, x2, -s, &expecting->expected[pair.first]);
		expect_rotated(dtype, x1, s, x2, c, &expecting->expected[pair.second]);
	}
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct expecting expecting = {.expected = expected};
	(void)abi;
	if (read_case(test, &expecting.kind, &expecting.shape, err))
		return -1;
	const struct tensor *source = operator_tensor(test, "src"), *cosines = operator_tensor(test, "cos");
	const struct tensor *sines = operator_tensor(test, "sin");
	expecting.dtype = source->dtype;
	expecting.source = source->data;
	expecting.cosines = cosines->data;
	expecting.sines = sines ? sines->data : NULL;
	if (!expecting.source || !expecting.cosines || !expecting.sines || tensor_elements(output) != tensor_elements(source))
		return error_set(err, ERROR_INTERNAL, "case %s: its inputs have no data", test->name);
	parallel_for(tensor_elements(source) / 2, 1 << 13, expect_pairs, &expecting);
	return 0;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	const struct tensor *source = operator_tensor(test, "src"), *cosines = operator_tensor(test, "cos");
	if (!source || !cosines)
		return error_set(err, ERROR_INPUT, "case %s: src or cos is missing", test->name);
	const double elements = (double)tensor_elements(source), size = (double)dtype_size(source->dtype);
	work->flops = 3 * elements;
	work->bytes = (2 * elements + 2 * (double)tensor_elements(cosines)) * size;
	work->unit = WORK_BYTES;
	return 0;
}

const struct family rope_family = {
	.name = "rope",
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
