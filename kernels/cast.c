/* Candle's module `cast`: out = inp in another number format.
 *
 *   cast_SRC_DST(numel: size_t, num_dims: size_t, info*, inp*, out*)
 *
 * info = dims | strides of inp, NULL when inp is contiguous; out is contiguous.
 *
 * Bounds. A conversion is exact or rounded once, so the bound is 0 and the sign of a zero counts; f64 to bf16 and to f8_e4m3 may
 * pass through float and round twice: both results are right. A cast to the same type moves bits. Floating-point to integer
 * truncates; a NaN and what is beyond the type is unspecified.
 * Fast math (-ftz=true): subnormal f32 numbers may become zeros on the way from f32 or bf16 to f64, and from f64 to f32. The
 * conversions between f32 and the narrower formats are instructions of their own, which do not flush. */
#include "kernels/elementwise.h"

#include "reference/elementwise.h"

#include <math.h>
#include <string.h>

/* Conversions, with the oldest GPU that has them: a few from and to bf16 have a form for GPUs without its arithmetic. */
static const struct conversion {
	const char *types;
	enum dtype from, to;
	int least_cc;
} conversions[] = {
	{"bf16_bf16", DTYPE_BF16, DTYPE_BF16, 80},
	{"bf16_f16", DTYPE_BF16, DTYPE_F16, 0},
	{"bf16_f32", DTYPE_BF16, DTYPE_F32, 0},
	{"bf16_f64", DTYPE_BF16, DTYPE_F64, 0},
	{"bf16_u8", DTYPE_BF16, DTYPE_U8, 0},
	{"bf16_u32", DTYPE_BF16, DTYPE_U32, 80},
	{"bf16_f8_e4m3", DTYPE_BF16, DTYPE_F8_E4M3, 0},
	{"f16_bf16", DTYPE_F16, DTYPE_BF16, 0},
	{"f16_f16", DTYPE_F16, DTYPE_F16, 53},
	{"f16_f32", DTYPE_F16, DTYPE_F32, 53},
	{"f16_f64", DTYPE_F16, DTYPE_F64, 53},
	{"f16_u8", DTYPE_F16, DTYPE_U8, 53},
	{"f16_u32", DTYPE_F16, DTYPE_U32, 53},
	{"f16_f8_e4m3", DTYPE_F16, DTYPE_F8_E4M3, 80},
	{"f32_bf16", DTYPE_F32, DTYPE_BF16, 0},
	{"f32_f16", DTYPE_F32, DTYPE_F16, 53},
	{"f32_f32", DTYPE_F32, DTYPE_F32, 0},
	{"f32_f64", DTYPE_F32, DTYPE_F64, 0},
	{"f32_u8", DTYPE_F32, DTYPE_U8, 0},
	{"f32_u32", DTYPE_F32, DTYPE_U32, 0},
	{"f32_i64", DTYPE_F32, DTYPE_I64, 0},
	{"f32_f8_e4m3", DTYPE_F32, DTYPE_F8_E4M3, 80},
	{"f64_bf16", DTYPE_F64, DTYPE_BF16, 0},
	{"f64_f16", DTYPE_F64, DTYPE_F16, 53},
	{"f64_f32", DTYPE_F64, DTYPE_F32, 0},
	{"f64_f64", DTYPE_F64, DTYPE_F64, 0},
	{"f64_u8", DTYPE_F64, DTYPE_U8, 0},
	{"f64_u32", DTYPE_F64, DTYPE_U32, 0},
	{"f64_i64", DTYPE_F64, DTYPE_I64, 0},
	{"f64_f8_e4m3", DTYPE_F64, DTYPE_F8_E4M3, 80},
	{"u8_bf16", DTYPE_U8, DTYPE_BF16, 0},
	{"u8_f16", DTYPE_U8, DTYPE_F16, 53},
	{"u8_f32", DTYPE_U8, DTYPE_F32, 0},
	{"u8_f64", DTYPE_U8, DTYPE_F64, 0},
	{"u8_u8", DTYPE_U8, DTYPE_U8, 0},
	{"u8_u32", DTYPE_U8, DTYPE_U32, 0},
	{"u8_i64", DTYPE_U8, DTYPE_I64, 0},
	{"u8_f8_e4m3", DTYPE_U8, DTYPE_F8_E4M3, 80},
	{"u32_bf16", DTYPE_U32, DTYPE_BF16, 80},
	{"u32_f16", DTYPE_U32, DTYPE_F16, 53},
	{"u32_f32", DTYPE_U32, DTYPE_F32, 0},
	{"u32_f64", DTYPE_U32, DTYPE_F64, 0},
	{"u32_u8", DTYPE_U32, DTYPE_U8, 0},
	{"u32_u32", DTYPE_U32, DTYPE_U32, 0},
	{"u32_i64", DTYPE_U32, DTYPE_I64, 0},
	{"i64_f32", DTYPE_I64, DTYPE_F32, 0},
	{"i64_f64", DTYPE_I64, DTYPE_F64, 0},
	{"i64_u8", DTYPE_I64, DTYPE_U8, 0},
	{"i64_u32", DTYPE_I64, DTYPE_U32, 0},
	{"i64_i64", DTYPE_I64, DTYPE_I64, 0},
	{"f8_e4m3_f8_e4m3", DTYPE_F8_E4M3, DTYPE_F8_E4M3, 80},
	{"f8_e4m3_bf16", DTYPE_F8_E4M3, DTYPE_BF16, 80},
	{"f8_e4m3_f16", DTYPE_F8_E4M3, DTYPE_F16, 80},
	{"f8_e4m3_f32", DTYPE_F8_E4M3, DTYPE_F32, 80},
	{"f8_e4m3_f64", DTYPE_F8_E4M3, DTYPE_F64, 80},
	{"f8_e4m3_u8", DTYPE_F8_E4M3, DTYPE_U8, 80},
	{"f8_e4m3_i32", DTYPE_F8_E4M3, DTYPE_I32, 80},
	{"i32_f8_e4m3", DTYPE_I32, DTYPE_F8_E4M3, 80},
};
enum { CONVERSIONS = sizeof conversions / sizeof *conversions };

/* Axes:
 *   types    SRC_DST: the entry point
 *   shape    3x4x5, up to six axes
 *   layout   of inp (operator_layouts)
 *   info     given | null | widened
 *   values   those of operator_fill, or
 *     edges    to a float: numbers half way between two of the result's, one pattern beside them, so little beside them that a
 *              rounding to float in between would take them for half way, and what is near the end of the range;
 *              to an integer: whole numbers of every size, what is just below and above them, halves, and the ends of the range
 *   launch   elementwise_launches */
static const char *const axes[] = {"types", "shape", "layout", "info", "values", "launch", NULL};
static const char *const defaults[] = {"f32_f32", "1000", "contiguous", "given", "positive", "default"};
static const char *const in_entry[] = {"types", NULL};

enum { STREAM_INPUT = 1, STREAM_EDGES };

/* defined below */
extern const struct family cast_family;

static void cast_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* all profiles have the same */
	char name[64];
	for (int i = 0; i < CONVERSIONS; i++) {
		snprintf(name, sizeof name, "cast_%s", conversions[i].types);
		visit(context, &(struct operator_symbol){name, "cast", conversions[i].least_cc});
	}
}

static const struct conversion *find_conversion(const char *types)
{
	for (int i = 0; i < CONVERSIONS; i++)
		if (strcmp(conversions[i].types, types) == 0)
			return &conversions[i];
	return NULL;
}

static int mantissa_bits(enum dtype dtype)
{
	return dtype == DTYPE_F64 ? 53 : dtype == DTYPE_F32 ? 24 : dtype == DTYPE_F16 ? 11 : dtype == DTYPE_BF16 ? 8 : 4;
}

static int has_edges(const struct conversion *conversion)
{
	const enum dtype from = conversion->from, to = conversion->to;
	return !dtype_is_float(from) || !dtype_is_float(to) || mantissa_bits(to) < mantissa_bits(from);
}

static int cast_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	static const char *const operands[] = {"inp"};
	const struct family *const family = &cast_family;
	const char *const types = operator_value(family, assignment, "types");
	const struct conversion *const conversion = find_conversion(types);
	int64_t dims[TENSOR_RANK_MAX];
	int rank;
	char entry[64];
	if (!conversion)
		return error_set(err, ERROR_INPUT, "axis types: there is no conversion '%s' in the module cast", types);
	if (strcmp(operator_value(family, assignment, "values"), "edges") == 0 && !has_edges(conversion))
		return error_set(err, ERROR_INPUT, "values:edges is for conversions that can lose something, and %s cannot",
				 types);
	snprintf(entry, sizeof entry, "cast_%s", types);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    elementwise_dims(family, assignment, "shape", dims, &rank, err) ||
	    elementwise_check_launch(family, assignment, err) ||
	    !operator_add_tensor(test, "inp", TENSOR_INPUT, conversion->from, rank, dims,
				 operator_value(family, assignment, "layout"), err) ||
	    elementwise_add_info(family, assignment, operands, 1, test, err) ||
	    !operator_add_tensor(test, "out", TENSOR_OUTPUT, conversion->to, rank, dims, "contiguous", err))
		return -1;
	return 0;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

/* The finite number with these bits; what is no number is the largest. */
static double finite_number(enum dtype dtype, uint64_t bits)
{
	const double value = (double)load_exact(dtype, &bits, 0);
	return isfinite(value) ? value : dtype_max_finite(dtype);
}

static double edge_to_float(enum dtype to, uint64_t random, int64_t index)
{
	const uint64_t magnitude = random & (elementwise_mask(to) >> 1);
	const double most = dtype_max_finite(to);
	double low = index % 16 == 15 ? most : finite_number(to, magnitude), high = finite_number(to, magnitude + 1);
	if (!(low < most) || !(high > low)) { /* beyond the largest lies what would be next, half way to which it overflows */
		low = most;
		high = most + unit_in_last_place(to, (long double)most);
	}
	const double middle = low + (high - low) / 2, sign = random >> 63 ? -1 : 1;
	switch (index % 5) {
	case 0:
		return sign * middle;
	case 1:
		return sign * low;
	case 2: /* f32's rounding would take these two for the middle */
		return sign * (middle * (1 + 0x1p-40));
	case 3:
		return sign * (middle * (1 - 0x1p-40));
	default: /* f32 holds these */
		return sign * (middle * (random >> 62 & 1 ? 1 + 0x1p-23 : 1 - 0x1p-24));
	}
}

static double edge_to_integer(enum dtype from, enum dtype to, uint64_t random, int64_t index)
{
	const int bits = 8 * (int)dtype_size(to), is_signed = to == DTYPE_I64 || to == DTYPE_I32;
	const int length = (int)(random >> 56) % (bits - is_signed + 1);
	const uint64_t whole = length ? (random & (~0ull >> (64 - length))) | 1ull << (length - 1) : 0;
	const double end = ldexp(1.0, bits - is_signed), sign = is_signed && (random >> 55 & 1) ? -1 : 1;
	/* numbers of the source's own grid: what is cut off here does not round up to the next whole number */
	const double unit = ldexp(1.0, -mantissa_bits(from));
	double value = (double)whole;
	if (length > mantissa_bits(from))
		value = ldexp(floor(ldexp(value, mantissa_bits(from) - length)), length - mantissa_bits(from));
	switch (index % 8) {
	case 0:
		return sign * value;
	case 1:
		return sign * (value + 0.5 < end && length + 1 < mantissa_bits(from) ? value + 0.5 : value);
	case 2: /* just below a whole number */
		return sign * value * (1 - unit);
	case 3: /* just above */
		return sign * (value * (1 + 2 * unit) < end ? value * (1 + 2 * unit) : value);
	case 4: /* below the end of the range */
		return end * (1 - unit);
	case 5:
		return is_signed ? -end : end / 2;
	case 6: /* above -1 */
		return -ldexp((double)(random >> 11), -53) * (random >> 10 & 1 ? 1 : 0x1p-20);
	default:
		return sign * ldexp((double)(random >> 11), -53) * 16;
	}
}

/* Whole numbers near a tie of the float `to`. */
static uint64_t edge_of_integer(enum dtype from, enum dtype to, uint64_t random, int64_t index)
{
	const int is_signed = from == DTYPE_I64 || from == DTYPE_I32, bits = 8 * (int)dtype_size(from) - is_signed;
	const int kept = dtype_is_float(to) ? mantissa_bits(to) : 8 * (int)dtype_size(to);
	if (kept >= bits) /* all fit: every length */
		return random >> (64 - bits) >> (random & 63) % (uint64_t)bits;
	const int length = kept + 1 + (int)(random & 63) % (bits - kept); /* of the number: kept bits, a half, the rest */
	const uint64_t head = random >> (64 - kept) | 1ull << (kept - 1);
	uint64_t value = (head << 1 | 1) << (length - kept - 1);
	if (index % 8 == 7) /* all bits set: rounds up to a power of two */
		value = ~0ull >> (64 - length);
	value += (uint64_t)(int64_t)(index % 3 - 1);
	return is_signed && (random >> 20 & 1) ? 0 - value : value;
}

static void fill_edges(struct test_case *test, const struct conversion *conversion)
{
	struct tensor *const storage = elementwise_storage(test, "inp");
	const enum dtype from = conversion->from, to = conversion->to;
	for (int64_t i = 0; i < storage->extent; i++) {
		const uint64_t random = elementwise_random(test->seed, STREAM_EDGES, i);
		if (!dtype_is_float(from))
			elementwise_set_bits(from, storage->data, i, edge_of_integer(from, to, random, i));
		else
			dtype_store(from, storage->data, (size_t)i, dtype_is_float(to) ? edge_to_float(to, random, i) :
				    edge_to_integer(from, to, random, i));
	}
	snprintf(storage->generator, sizeof storage->generator, "edges");
}

static int cast_fill(struct test_case *test, struct error *err)
{
	const char *const values = case_get_text(test, "values");
	const struct conversion *const conversion = find_conversion(case_get_text(test, "types"));
	const int edges = strcmp(values, "edges") == 0;
	if (elementwise_fill(test, "inp", edges ? "zeros" : values, STREAM_INPUT, err))
		return -1;
	if (edges)
		fill_edges(test, conversion);
	return 0;
}

static int cast_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&cast_family, test, err);
}

static int cast_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	(void)err;
	const struct tensor *const out = operator_tensor(test, "out");
	const int64_t count = tensor_elements(out);
	argument_size(launch, count);
	elementwise_argument_info(launch, test, out->rank);
	argument_tensor(launch, test, "inp");
	argument_tensor(launch, test, "out");
	elementwise_launch(test, count, launch);
	return 0;
}

/* ---- what is due ------------------------------------------------------------------------------------------------------ */

static int may_pass_through_float(const struct conversion *conversion)
{
	return conversion->from == DTYPE_F64 && (conversion->to == DTYPE_BF16 || conversion->to == DTYPE_F8_E4M3);
}

static int may_flush(const struct conversion *conversion)
{
	return conversion->to == DTYPE_F64 ? conversion->from == DTYPE_F32 || conversion->from == DTYPE_BF16 :
					     conversion->to == DTYPE_F32 && conversion->from == DTYPE_F64;
}

static void expect(const struct conversion *conversion, const void *data, int64_t at, struct expectation *e)
{
	const enum dtype from = conversion->from, to = conversion->to;
	int unspecified;
	if (from == to) {
		elementwise_expect_moved(e, to, data, at);
		return;
	}
	e->value = cast_reference(from, to, data, (size_t)at, 0, &unspecified);
	if (unspecified) {
		e->flags = EXPECT_ANY;
		return;
	}
	e->flags = isnan(e->value) ? EXPECT_NAN : dtype_is_float(to) && dtype_is_float(from) ? EXPECT_SIGNED_ZERO : 0;
	if (may_pass_through_float(conversion)) {
		e->other = cast_through_float(from, to, data, (size_t)at, &unspecified);
		e->flags |= EXPECT_OTHER;
	}
	if (may_flush(conversion) && isfinite(e->value))
		e->fast_bound = (double)fabsl(e->value - cast_reference(from, to, data, (size_t)at, 1, &unspecified));
}

struct job {
	const struct conversion *conversion;
	struct elementwise_operand inp;
	struct expectation *expected;
};

static void expect_part(void *context, int64_t first, int64_t last)
{
	const struct job *const job = context;
	for (int64_t i = first; i < last; i++)
		expect(job->conversion, job->inp.data, elementwise_at(&job->inp, i), &job->expected[i]);
}

static int cast_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			     struct error *err)
{
	(void)abi;
	(void)err;
	struct job job = {find_conversion(case_get_text(test, "types")), elementwise_operand(test, "inp"), expected};
	parallel_for(tensor_elements(output), 1 << 16, expect_part, &job);
	return 0;
}

static uint64_t moved(const void *context, int64_t linear)
{
	const struct elementwise_operand *const inp = context;
	return elementwise_bits(inp->tensor->dtype, inp->data, elementwise_at(inp, linear));
}

static int cast_judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	const struct elementwise_operand inp = elementwise_operand(outputs->test, "inp");
	if (inp.tensor->dtype != operator_tensor(outputs->test, "out")->dtype)
		return 0;
	return elementwise_judge_moved(outputs, "out", moved, &inp, out, err);
}

static int cast_work(const struct test_case *test, struct work *work, struct error *err)
{
	(void)err;
	*work = (struct work){.bytes = elementwise_bytes(test, "inp") + elementwise_bytes(test, "out"), .unit = WORK_BYTES};
	return 0;
}

const struct family cast_family = {
	.name = "cast",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = cast_make_case,
	.fill = cast_fill,
	.check_case = cast_check_case,
	.work = cast_work,
	.symbols = cast_symbols,
	.launch = cast_launch,
	.expectations = cast_expectations,
	.judge_outputs = cast_judge_outputs,
};
