/* Candle's module `binary`: out = lhs OP rhs. badd bsub bmul bdiv bmaximum bminimum give the operands' type, eq ne lt le gt ge give
 * u8: 0 or 1.
 *
 *   OP_T(numel: size_t, num_dims: size_t, info*, lhs*, rhs*, out*)
 *
 * info = dims | lhs strides | rhs strides, NULL when both operands are contiguous; out is contiguous.
 *
 * Bounds. Every result is the correctly rounded one: f32 and f64 by IEEE 754 (CUDA C++ Programming Guide, "Mathematical
 * functions": +, -, *, / are IEEE-compliant without fast math), f16 and bf16 by the definition of __hadd, __hsub, __hmul and
 * __hdiv ("in round-to-nearest-even mode"), f8_e4m3 by way of float. So the bound is 0, and the sign of a zero counts. Maximum
 * and minimum of +0 and -0 may be either.
 * Fast math: subnormal f32 operands and results may become zeros of their sign (-ftz=true), which is computed; bf16 comparisons
 * may, since below 9.0 they are made in f32. f32 division is within 2 units in the last place for divisors from 2^-126 to 2^126
 * (-prec-div=false, PTX ISA div.approx); a larger divisor may give 0, a subnormal one counts as zero: those elements may be
 * anything. bf16 division is built upon div.approx.f32 without .ftz, and stays correctly rounded but for subnormal divisors.
 * f8_e4m3 quotients: what 2 units of the f32 quotient can change. */
#include "kernels/elementwise.h"

#include "reference/elementwise.h"

#include <math.h>
#include <string.h>

static const char *const operations[] = {"badd", "bsub", "bmul", "bdiv", "bmaximum", "bminimum",
					 "eq",	 "ne",	 "lt",	 "le",	 "gt",	     "ge",	 NULL};

/* Axes:
 *   op, dtype   the entry point
 *   shape       3x4x5, up to six axes
 *   lhs, rhs    layouts (operator_layouts)
 *   info        given | null | widened
 *   values      those of operator_fill for both operands, or
 *     pairs       every special value beside every other: 48 * 48 elements
 *     every       8-bit types: every pattern beside every other, 65536 elements
 *     all_left    8- and 16-bit types: lhs every pattern, rhs random ones; all_right the other way round
 *     near        rhs equal to lhs, one pattern away, or lhs with the other sign
 *     opposite    rhs equal to -lhs, or near it: sums that cancel
 *     ties        floating-point: sums, differences, products and (subnormal) quotients half way between two numbers, and beside
 *   launch      elementwise_launches */
static const char *const axes[] = {"op", "dtype", "shape", "lhs", "rhs", "info", "values", "launch", NULL};
static const char *const defaults[] = {"badd", "f32", "1000", "contiguous", "contiguous", "given", "moderate", "default"};
static const char *const in_entry[] = {"op", "dtype", NULL};
static const char *const own_values[] = {"pairs", "every", "all_left", "all_right", "near", "opposite", "ties", NULL};

enum { STREAM_LHS = 1, STREAM_RHS, STREAM_CHOICE };

/* defined below */
extern const struct family binary_family;

static void binary_symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* all profiles have the same */
	char name[64];
	for (int op = 0; operations[op]; op++)
		for (const struct elementwise_type *type = elementwise_types; type->dtype; type++) {
			snprintf(name, sizeof name, "%s_%s", operations[op], dtype_name(type->dtype));
			visit(context, &(struct operator_symbol){name, "binary", type->least_cc});
		}
}

static enum binary_operation operation_of(const struct test_case *test)
{
	const char *const text = case_get_text(test, "op");
	int op = 0;
	while (operations[op] && strcmp(operations[op], text) != 0)
		op++;
	return (enum binary_operation)op; /* the operations are in the order of the enum */
}

static int is_own(const char *values)
{
	for (int i = 0; own_values[i]; i++)
		if (strcmp(values, own_values[i]) == 0)
			return 1;
	return 0;
}

static int check_values(const char *values, enum dtype dtype, struct error *err)
{
	const size_t bits = 8 * dtype_size(dtype);
	const char *const name = dtype_name(dtype);
	if (strcmp(values, "every") == 0 && bits != 8)
		return error_set(err, ERROR_INPUT, "values:every is for types of 8 bits, not for %s", name);
	if (strncmp(values, "all_", 4) == 0 && bits > 16)
		return error_set(err, ERROR_INPUT, "values:%s is for types of 8 and 16 bits, not for %s", values, name);
	if (strcmp(values, "ties") == 0 && !dtype_is_float(dtype))
		return error_set(err, ERROR_INPUT, "values:ties is for floating-point types, not for %s", name);
	return 0;
}

static int binary_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	static const char *const operands[] = {"lhs", "rhs"};
	const struct family *const family = &binary_family;
	int64_t dims[TENSOR_RANK_MAX];
	int rank;
	char entry[64];
	const int op = operator_is_one_of(family, assignment, "op", operations, err);
	const char *const type_name = operator_value(family, assignment, "dtype");
	const struct elementwise_type *type = elementwise_types;
	while (type->dtype && strcmp(dtype_name(type->dtype), type_name) != 0)
		type++;
	if (op < 0)
		return -1;
	if (!type->dtype)
		return error_set(err, ERROR_INPUT, "axis dtype: '%s' is no type of the module binary", type_name);
	snprintf(entry, sizeof entry, "%s_%s", operations[op], type_name);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    elementwise_dims(family, assignment, "shape", dims, &rank, err) ||
	    elementwise_check_launch(family, assignment, err) ||
	    check_values(operator_value(family, assignment, "values"), type->dtype, err))
		return -1;
	for (int i = 0; i < 2; i++)
		if (!operator_add_tensor(test, operands[i], TENSOR_INPUT, type->dtype, rank, dims,
					 operator_value(family, assignment, operands[i]), err))
			return -1;
	if (elementwise_add_info(family, assignment, operands, 2, test, err) ||
	    !operator_add_tensor(test, "out", TENSOR_OUTPUT, op >= BINARY_EQ ? DTYPE_U8 : type->dtype, rank, dims, "contiguous",
				 err))
		return -1;
	return 0;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

/* Fields of a floating-point pattern. */
struct fields {
	int mantissa, top; /* bits of the mantissa; largest exponent field */
	uint64_t sign;
};

static struct fields fields_of(enum dtype dtype)
{
	const int mantissa = dtype == DTYPE_F64	   ? 52
			     : dtype == DTYPE_F32  ? 23
			     : dtype == DTYPE_F16  ? 10
			     : dtype == DTYPE_BF16 ? 7
						   : 3;
	const int bits = 8 * (int)dtype_size(dtype);
	return (struct fields){mantissa, (1 << (bits - 1 - mantissa)) - 1, 1ull << (bits - 1)};
}

static uint64_t pattern(const struct fields *fields, int exponent, uint64_t mantissa)
{
	return (uint64_t)exponent << fields->mantissa | (mantissa & ((1ull << fields->mantissa) - 1));
}

static int clamp(int value, int low, int high)
{
	return value < low ? low : value > high ? high : value;
}

/* Operands whose result is half way between two numbers of the type, and what is one pattern beside that. */
static void tie(enum binary_operation op, enum dtype dtype, uint64_t random, int64_t index, uint64_t *lhs, uint64_t *rhs)
{
	const struct fields fields = fields_of(dtype);
	const int bias = fields.top >> 1, m = fields.mantissa;
	const uint64_t negative = random >> 63 ? fields.sign : 0;
	const int beside = (int)(index % 3) - 1;
	if (op == BINARY_ADD || op == BINARY_SUB) {
		/* rhs is half a unit of lhs: a power of two, or its neighbour */
		const int exponent = clamp(bias + (int)(random >> 58 & 15) - 8, m + 3, fields.top - 1);
		*lhs = pattern(&fields, exponent, random);
		*rhs = (pattern(&fields, exponent - m - 1, 0) + (uint64_t)(int64_t)beside) | (random >> 62 & 1 ? fields.sign : 0);
	} else if (op == BINARY_MUL) {
		/* an odd mantissa below 4/3 times 3/2 needs one bit more than there are, and that bit is set */
		*lhs = pattern(&fields, bias, (random & ((1ull << m) - 1)) / 3 | 1);
		*rhs = pattern(&fields, bias, 1ull << (m - 1)) + (uint64_t)(int64_t)beside;
	} else {
		/* a small number divided by a power of two, or by a neighbour of it, down to the subnormal ones */
		*lhs = pattern(&fields, 1 + (int)(random >> 58 & 1), random);
		*rhs = pattern(&fields, clamp(bias + 1 + (int)(random >> 48 & 63) % (m + 2), 0, fields.top - 1), 0) +
		       (uint64_t)(int64_t)beside;
	}
	*lhs |= negative;
}

/* What `near` and `opposite` put beside an element. */
static uint64_t beside(enum dtype dtype, uint64_t bits, int opposite, uint64_t random, int64_t index)
{
	const uint64_t sign = dtype_is_float(dtype) ? fields_of(dtype).sign : 0;
	if (opposite)
		bits = sign ? bits ^ sign : 0 - bits;
	switch (index % 8) {
	case 0:
	case 1:
		return bits;
	case 2:
		return bits + 1;
	case 3:
		return bits - 1;
	case 4: /* the other sign, or one other bit */
		return sign ? bits ^ sign : bits ^ 1ull << (random >> 32) % (8 * dtype_size(dtype));
	case 5: /* the highest bit that tells */
		return bits ^ (elementwise_mask(dtype) / 2 + 1) >> (sign ? 1 : 0);
	default: /* random low bits: results of every size */
		return bits ^ (random & (elementwise_mask(dtype) >> (sign ? 4 : 0)) >> (random >> 56) % (8 * dtype_size(dtype)));
	}
}

static int fill_own(struct test_case *test, const char *values, struct error *err)
{
	const struct elementwise_operand lhs = elementwise_operand(test, "lhs"), rhs = elementwise_operand(test, "rhs");
	const enum dtype dtype = lhs.tensor->dtype;
	const enum binary_operation op = operation_of(test);
	struct tensor *const left = elementwise_storage(test, "lhs"), *const right = elementwise_storage(test, "rhs");
	uint64_t special[ELEMENTWISE_SPECIALS];
	const int pairs = strcmp(values, "pairs") == 0, every = strcmp(values, "every") == 0, ties = strcmp(values, "ties") == 0;
	const int opposite = strcmp(values, "opposite") == 0;
	if (elementwise_specials(dtype, special, err))
		return -1;
	for (int64_t i = 0; i < tensor_elements(lhs.tensor); i++) {
		const int64_t l = lhs.tensor->offset + elementwise_at(&lhs, i), r = rhs.tensor->offset + elementwise_at(&rhs, i);
		const uint64_t random = elementwise_random(test->seed, STREAM_CHOICE, i);
		uint64_t x = elementwise_bits(dtype, left->data, l), y;
		if (pairs) {
			x = special[i % ELEMENTWISE_SPECIALS];
			y = special[i / ELEMENTWISE_SPECIALS % ELEMENTWISE_SPECIALS];
		} else if (every) {
			x = (uint64_t)i & 255;
			y = (uint64_t)i >> 8 & 255;
		} else if (ties) {
			tie(op, dtype, random, i, &x, &y);
		} else {
			y = beside(dtype, x, opposite, random, i);
		}
		elementwise_set_bits(dtype, left->data, l, x);
		elementwise_set_bits(dtype, right->data, r, y);
	}
	return 0;
}

/* Division by zero, and of the smallest i64 by -1, is undefined: no case asks for it. */
static void leave_out_undefined(struct test_case *test)
{
	const struct elementwise_operand lhs = elementwise_operand(test, "lhs"), rhs = elementwise_operand(test, "rhs");
	struct tensor *const left = elementwise_storage(test, "lhs"), *const right = elementwise_storage(test, "rhs");
	const enum dtype dtype = lhs.tensor->dtype;
	for (int64_t i = 0; i < tensor_elements(rhs.tensor); i++) {
		const int64_t l = lhs.tensor->offset + elementwise_at(&lhs, i), r = rhs.tensor->offset + elementwise_at(&rhs, i);
		const uint64_t divisor = elementwise_bits(dtype, right->data, r);
		if (divisor == 0 || (dtype == DTYPE_I64 && divisor == UINT64_MAX &&
				     elementwise_bits(dtype, left->data, l) == 1ull << 63))
			elementwise_set_bits(dtype, right->data, r, 7);
	}
}

static int binary_fill(struct test_case *test, struct error *err)
{
	const char *const values = case_get_text(test, "values");
	const char *left = values, *right = values;
	if (strcmp(values, "all_left") == 0) {
		left = "all";
		right = "bits";
	} else if (strcmp(values, "all_right") == 0) {
		left = "bits";
		right = "all";
	} else if (is_own(values)) {
		left = strcmp(values, "near") == 0 || strcmp(values, "opposite") == 0 ? "special" : "bits";
		right = "bits";
	}
	if (elementwise_fill(test, "lhs", left, STREAM_LHS, err) || elementwise_fill(test, "rhs", right, STREAM_RHS, err))
		return -1;
	if (is_own(values) && strncmp(values, "all_", 4) != 0 && fill_own(test, values, err))
		return -1;
	if (operation_of(test) == BINARY_DIV && !dtype_is_float(operator_tensor(test, "lhs")->dtype))
		leave_out_undefined(test);
	return 0;
}

static int binary_check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&binary_family, test, err);
}

static int binary_launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	(void)abi;
	(void)err;
	const struct tensor *const out = operator_tensor(test, "out");
	const int64_t count = tensor_elements(out);
	argument_size(launch, count);
	elementwise_argument_info(launch, test, out->rank);
	argument_tensor(launch, test, "lhs");
	argument_tensor(launch, test, "rhs");
	argument_tensor(launch, test, "out");
	elementwise_launch(test, count, launch);
	return 0;
}

/* ---- what is due ------------------------------------------------------------------------------------------------------ */

static int is_subnormal(enum dtype dtype, long double value)
{
	const long double least = dtype == DTYPE_F16 ? 0x1p-14L : dtype == DTYPE_F64 ? 0x1p-1022L : 0x1p-126L;
	return value != 0 && fabsl(value) < least;
}

/* Quotients of f32 with fast math: see the head of this file. */
static void fast_quotient_f32(struct expectation *e, long double x, long double y)
{
	if (isnan(e->value) || isinf(y) || (y == 0 && !is_subnormal(DTYPE_F32, x)))
		return; /* a * (1 / b) is exact there */
	/* a subnormal number by 0 becomes 0 by 0, an infinity by more than 2^126 an infinity times 0 */
	if (y == 0 || is_subnormal(DTYPE_F32, y) || fabsl(y) > 0x1p126L) {
		e->flags |= EXPECT_FAST_ANY;
		return;
	}
	if (isinf(x))
		return;
	if (isinf(e->value)) {
		/* two units below what rounds to an infinity */
		if (fabsl(x / y) < 0x1p128L * (1 + 0x1p-21L))
			e->flags |= EXPECT_FAST_ANY;
		return;
	}
	e->fast_bound = 2 * unit_in_last_place(DTYPE_F32, e->value);
	if (is_subnormal(DTYPE_F32, x) || fabsl(e->value) < 0x1p-126L * (1 + 0x1p-21L))
		e->fast_bound = fmax(e->fast_bound, (double)fabsl(e->value));
}

static void fast_quotient_f8(struct expectation *e, long double x, long double y)
{
	if (isnan(e->value) || y == 0)
		return;
	const double quotient = (double)(float)(x / y), slack = 2 * unit_in_last_place(DTYPE_F32, (long double)quotient);
	const double low = f8_e4m3_to_f64(f8_e4m3_from_f64(quotient - slack));
	const double high = f8_e4m3_to_f64(f8_e4m3_from_f64(quotient + slack));
	e->fast_bound = fmax(fabs(low - (double)e->value), fabs(high - (double)e->value));
}

static void expect(enum binary_operation op, enum dtype dtype, const void *lhs, int64_t i, const void *rhs, int64_t j,
		   struct expectation *e)
{
	const int compares = op >= BINARY_EQ;
	e->value = binary_reference(op, dtype, lhs, (size_t)i, rhs, (size_t)j, 0);
	if (!dtype_is_float(dtype)) {
		if (isnan(e->value))
			*e = (struct expectation){.flags = EXPECT_ANY}; /* an undefined quotient, in a case made elsewhere */
		return;
	}
	const long double x = load_exact(dtype, lhs, (size_t)i), y = load_exact(dtype, rhs, (size_t)j);
	if (isnan(e->value))
		e->flags = EXPECT_NAN;
	else if (!compares && !((op == BINARY_MAXIMUM || op == BINARY_MINIMUM) && x == 0 && y == 0 && !signbit(x) != !signbit(y)))
		e->flags = EXPECT_SIGNED_ZERO;
	if (op == BINARY_DIV && dtype == DTYPE_BF16 && is_subnormal(dtype, y))
		e->flags |= EXPECT_FAST_ANY;
	else if (op == BINARY_DIV && dtype == DTYPE_F8_E4M3)
		fast_quotient_f8(e, x, y);
	else if (op == BINARY_DIV && dtype == DTYPE_F32)
		fast_quotient_f32(e, x, y);
	else if (dtype == DTYPE_F32 || (dtype == DTYPE_BF16 && compares)) {
		const long double flushed = binary_reference(op, dtype, lhs, (size_t)i, rhs, (size_t)j, 1);
		if (isnan(flushed) != isnan(e->value) || isinf(flushed) != isinf(e->value))
			e->flags |= EXPECT_FAST_ANY; /* an infinity times a subnormal number */
		else if (isfinite(flushed))
			e->fast_bound = (double)fabsl(flushed - e->value);
		/* maximum and minimum of two zeros again, that were a zero and a subnormal number */
		if (e->value == 0 && !compares && (is_subnormal(dtype, x) || is_subnormal(dtype, y)))
			e->flags &= ~(unsigned)EXPECT_SIGNED_ZERO;
	}
}

struct job {
	enum binary_operation op;
	struct elementwise_operand lhs, rhs;
	struct expectation *expected;
};

static void expect_part(void *context, int64_t first, int64_t last)
{
	const struct job *const job = context;
	for (int64_t i = first; i < last; i++)
		expect(job->op, job->lhs.tensor->dtype, job->lhs.data, elementwise_at(&job->lhs, i), job->rhs.data,
		       elementwise_at(&job->rhs, i), &job->expected[i]);
}

static int binary_expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			       struct error *err)
{
	(void)abi;
	(void)err;
	struct job job = {operation_of(test), elementwise_operand(test, "lhs"), elementwise_operand(test, "rhs"), expected};
	parallel_for(tensor_elements(output), 1 << 16, expect_part, &job);
	return 0;
}

static int binary_work(const struct test_case *test, struct work *work, struct error *err)
{
	(void)err;
	*work = (struct work){.flops = (double)tensor_elements(operator_tensor(test, "out")),
			      .bytes = elementwise_bytes(test, "lhs") + elementwise_bytes(test, "rhs") +
				       elementwise_bytes(test, "out"),
			      .unit = WORK_BYTES};
	return 0;
}

const struct family binary_family = {
	.name = "binary",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = binary_make_case,
	.fill = binary_fill,
	.check_case = binary_check_case,
	.work = binary_work,
	.symbols = binary_symbols,
	.launch = binary_launch,
	.expectations = binary_expectations,
};
