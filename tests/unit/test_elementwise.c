/* binary, cast, fill, ternary: references against neighbours of their results and answers worked out by hand; cases and launches. */
#include "check.h"
#include "dataset/generate.h"
#include "kernels/family.h"
#include "reference/elementwise.h"

#include <stdlib.h>

extern const struct family binary_family, cast_family, fill_family, ternary_family;

/* ---- references -------------------------------------------------------------------------------------------------------- */

static long double of(enum binary_operation op, enum dtype dtype, double x, double y)
{
	unsigned char left[8], right[8];
	dtype_store(dtype, left, 0, x);
	dtype_store(dtype, right, 0, y);
	return binary_reference(op, dtype, left, 0, right, 0, 0);
}

static long double of_whole(enum binary_operation op, int64_t x, int64_t y)
{
	return binary_reference(op, DTYPE_I64, &x, 0, &y, 0, 0);
}

/* Whether `got`, of 16 bits, is the number nearest to an exact value, which `side` tells: the sign of (number - exact) and, by
 * size, the distance. Ties have an even last bit. Rounding code is not asked. */
static int is_nearest(enum dtype dtype, long double got, long double (*distance)(const double *operands, long double number),
		      const double *operands)
{
	const double most = dtype_max_finite(dtype);
	const long double top = (long double)most, beyond = top + (long double)unit_in_last_place(dtype, top);
	const long double number = isinf(got) ? copysignl(beyond, got) : got; /* as if the next binade went on */
	uint16_t bits;
	unsigned char stored[8];
	dtype_store(dtype, stored, 0, (double)got);
	memcpy(&bits, stored, sizeof bits);
	const long double error = fabsl(distance(operands, number));
	for (int step = -1; step <= 1; step += 2) {
		long double neighbour;
		const uint16_t magnitude = bits & 0x7fff;
		if (magnitude == 0 && step < 0)
			neighbour = copysignl((long double)dtype_smallest_subnormal(dtype), signbit(got) ? 1 : -1);
		else if (isinf(got) && step > 0)
			continue;
		else {
			const uint16_t next = (uint16_t)(bits + step);
			neighbour = load_exact(dtype, &next, 0);
			if (isinf(neighbour))
				neighbour = copysignl(beyond, neighbour);
		}
		const long double other = fabsl(distance(operands, neighbour));
		if (!(error < other || (error == other && !(bits & 1))))
			return 0;
	}
	return 1;
}

static long double from_sum(const double *x, long double number)
{
	return (long double)x[0] + (long double)x[1] - number;
}

static long double from_product(const double *x, long double number)
{
	return (long double)x[0] * (long double)x[1] - number;
}

/* times the divisor, which changes no order: exact in long double */
static long double from_quotient(const double *x, long double number)
{
	return (long double)x[0] - number * (long double)x[1];
}

static void rounding(void)
{
	for (int type = 0; type < 2; type++) {
		const enum dtype dtype = type ? DTYPE_BF16 : DTYPE_F16;
		int64_t wrong[3] = {0}, tried[3] = {0};
		for (uint64_t i = 0; i < 150000; i++) {
			const uint16_t bits[2] = {(uint16_t)generate_below(65536, 3, 1, i), (uint16_t)generate_below(65536, 3, 2, i)};
			const double x[2] = {dtype_load(dtype, bits, 0), dtype_load(dtype, bits, 1)};
			if (!isfinite(x[0]) || !isfinite(x[1]) || x[0] == 0 || x[1] == 0)
				continue;
			/* where long double would round the distance itself */
			if (abs(ilogb(x[0]) - ilogb(x[1])) < 40 && ++tried[0])
				wrong[0] += !is_nearest(dtype, binary_reference(BINARY_ADD, dtype, bits, 0, bits, 1, 0), from_sum, x);
			const double product = fabs(x[0] * x[1]), quotient = fabs(x[0] / x[1]), most = 1.5 * dtype_max_finite(dtype);
			const double least = dtype_smallest_subnormal(dtype);
			if (product < most && product > least / 1024 && ++tried[1])
				wrong[1] += !is_nearest(dtype, binary_reference(BINARY_MUL, dtype, bits, 0, bits, 1, 0), from_product, x);
			if (quotient < most && quotient > least / 1024 && ++tried[2])
				wrong[2] += !is_nearest(dtype, binary_reference(BINARY_DIV, dtype, bits, 0, bits, 1, 0), from_quotient, x);
		}
		for (int op = 0; op < 3; op++) {
			CHECK(tried[op] > 10000);
			CHECK_INT(wrong[op], 0);
		}
	}
}

static void answers(void)
{
	CHECK((float)of(BINARY_ADD, DTYPE_F32, 16777216, 1) == 16777216.0f);
	CHECK((float)of(BINARY_ADD, DTYPE_F32, 16777216, 3) == 16777220.0f);
	CHECK((double)of(BINARY_DIV, DTYPE_F64, 1, 3) == 0x1.5555555555555p-2);
	CHECK((float)of(BINARY_DIV, DTYPE_F32, 1, 3) == 0x1.555556p-2f);
	CHECK(of(BINARY_MUL, DTYPE_F32, 0x1p-100, 0x1p-49) == 0x1p-149L);
	CHECK(of(BINARY_MUL, DTYPE_F32, 0x1p-100, 0x1p-50) == 0);
	CHECK(isinf(of(BINARY_MUL, DTYPE_F16, 256, 256)));
	CHECK(of(BINARY_ADD, DTYPE_F8_E4M3, 448, 448) == 448);
	CHECK(of(BINARY_DIV, DTYPE_F8_E4M3, -1, 0) == -448); /* an infinity saturates */
	CHECK(isnan(of(BINARY_DIV, DTYPE_F8_E4M3, 0, 0)));
	CHECK(of(BINARY_ADD, DTYPE_F8_E4M3, 16, 1) == 16 && of(BINARY_ADD, DTYPE_F8_E4M3, 18, 1) == 20);
	CHECK(signbit(of(BINARY_ADD, DTYPE_F32, -0.0, -0.0)) && !signbit(of(BINARY_SUB, DTYPE_F32, 1, 1)));
	/* NaN: a missing number in f32, f64 and f8, a NaN in f16 and bf16 */
	CHECK(of(BINARY_MAXIMUM, DTYPE_F32, NAN, -1) == -1 && of(BINARY_MINIMUM, DTYPE_F64, 2, NAN) == 2);
	CHECK(of(BINARY_MAXIMUM, DTYPE_F8_E4M3, NAN, -1) == -1 && isnan(of(BINARY_MAXIMUM, DTYPE_F32, NAN, NAN)));
	CHECK(isnan(of(BINARY_MAXIMUM, DTYPE_F16, NAN, 1)) && isnan(of(BINARY_MINIMUM, DTYPE_BF16, 1, NAN)));
	CHECK(of(BINARY_MAXIMUM, DTYPE_F16, -INFINITY, -3) == -3 && of(BINARY_MINIMUM, DTYPE_BF16, -INFINITY, -3) == -INFINITY);
	const uint64_t signalling = 0x7ff0000000000001;
	const double four = 4;
	CHECK(binary_reference(BINARY_MAXIMUM, DTYPE_F64, &signalling, 0, &four, 0, 0) == 4);
	/* EQ NE LT LE GT GE of a NaN, of zeros of both signs, of 1 and 2 */
	for (int op = BINARY_EQ; op <= BINARY_GE; op++) {
		const char *const nans = "010000", *const zeros = "100101", *const order = "011100";
		CHECK_INT(of((enum binary_operation)op, DTYPE_F16, NAN, NAN), nans[op - BINARY_EQ] - '0');
		CHECK_INT(of((enum binary_operation)op, DTYPE_F32, 0.0, -0.0), zeros[op - BINARY_EQ] - '0');
		CHECK_INT(of((enum binary_operation)op, DTYPE_U32, 1, 2), order[op - BINARY_EQ] - '0');
		CHECK_INT(of_whole((enum binary_operation)op, INT64_MIN, INT64_MAX), order[op - BINARY_EQ] - '0');
	}
	CHECK(of(BINARY_SUB, DTYPE_U8, 3, 5) == 254 && of(BINARY_MUL, DTYPE_U8, 16, 17) == 16 && of(BINARY_DIV, DTYPE_U8, 255, 2) == 127);
	CHECK(of(BINARY_MUL, DTYPE_U32, 65537, 65537) == 131073 && of(BINARY_SUB, DTYPE_U32, 0, 1) == 4294967295.0L);
	CHECK(of_whole(BINARY_ADD, INT64_MAX, 1) == -0x1p63L && of_whole(BINARY_DIV, -7, 2) == -3);
	CHECK(of_whole(BINARY_MUL, 3037000500, 3037000500) == -9223372036709301616.0L);
	CHECK(isnan(of_whole(BINARY_DIV, 1, 0)) && isnan(of_whole(BINARY_DIV, INT64_MIN, -1)));
	/* flushed: operands and results become zeros of their sign */
	const float tiny[2] = {0x1p-127f, -0x1p-126f}, more = 0x1.8p-126f;
	CHECK(binary_reference(BINARY_ADD, DTYPE_F32, tiny, 0, tiny, 1, 1) == -0x1p-126L);
	CHECK(binary_reference(BINARY_ADD, DTYPE_F32, &more, 0, tiny, 1, 1) == 0);
	CHECK(binary_reference(BINARY_GT, DTYPE_F32, tiny, 0, (const float[]){0}, 0, 1) == 0);
}

static long double cast(enum dtype from, enum dtype to, double value)
{
	unsigned char bytes[8];
	int unspecified;
	dtype_store(from, bytes, 0, value);
	const long double result = cast_reference(from, to, bytes, 0, 0, &unspecified);
	return unspecified ? -12345 : result;
}

static long double cast_whole(enum dtype to, int64_t value)
{
	int unspecified;
	return cast_reference(DTYPE_I64, to, &value, 0, 0, &unspecified);
}

static void casts(void)
{
	const double trap = 1 + 0x1p-11 + 0x1p-40, bf16_trap = 1 + 0x1p-8 + 0x1p-40;
	int unspecified;
	CHECK(cast(DTYPE_F64, DTYPE_F16, trap) == 1 + 0x1p-10L && cast(DTYPE_F64, DTYPE_F16, 1 + 0x1p-11) == 1);
	CHECK(cast_through_float(DTYPE_F64, DTYPE_F16, &trap, 0, &unspecified) == 1 && !unspecified);
	CHECK(cast(DTYPE_F64, DTYPE_BF16, bf16_trap) == 1 + 0x1p-7L);
	CHECK(cast_through_float(DTYPE_F64, DTYPE_BF16, &bf16_trap, 0, &unspecified) == 1);
	CHECK(cast(DTYPE_F32, DTYPE_F16, 65519.996) == 65504 && isinf(cast(DTYPE_F32, DTYPE_F16, 65520)));
	CHECK(cast(DTYPE_F32, DTYPE_F8_E4M3, -INFINITY) == -448 && isnan(cast(DTYPE_F32, DTYPE_F8_E4M3, NAN)));
	CHECK(signbit(cast(DTYPE_F32, DTYPE_F8_E4M3, -0x1p-20)) && isnan(cast(DTYPE_F8_E4M3, DTYPE_F64, NAN)));
	CHECK(cast(DTYPE_F32, DTYPE_U8, 255.9) == 255 && cast(DTYPE_F32, DTYPE_U8, -0.9) == 0 && !signbit(cast(DTYPE_F32, DTYPE_U8, -0.9)));
	CHECK(cast(DTYPE_F32, DTYPE_U8, 256) == -12345 && cast(DTYPE_F32, DTYPE_U8, -1) == -12345);
	CHECK(cast(DTYPE_F16, DTYPE_U32, NAN) == -12345 && cast(DTYPE_F16, DTYPE_U32, INFINITY) == -12345);
	CHECK(cast(DTYPE_F64, DTYPE_I64, -0x1p63) == -0x1p63L && cast(DTYPE_F64, DTYPE_I64, 0x1p63) == -12345);
	CHECK(cast(DTYPE_F64, DTYPE_U32, 4294967295.5) == 4294967295.0L && cast(DTYPE_F8_E4M3, DTYPE_I32, -1.875) == -1);
	CHECK(cast(DTYPE_U32, DTYPE_U8, 513) == 1 && cast_whole(DTYPE_U32, -1) == 4294967295.0L && cast_whole(DTYPE_U8, -2) == 254);
	CHECK(cast_whole(DTYPE_F32, 16777217) == 16777216 && cast_whole(DTYPE_F32, 16777219) == 16777220);
	/* above a tie by so little that double loses it */
	CHECK(cast_whole(DTYPE_F32, (1ll << 62) + (1ll << 38) + 1) == 0x1p62L + 0x1p39L);
	CHECK(cast_whole(DTYPE_F64, INT64_MAX) == 0x1p63L && cast_whole(DTYPE_I64, INT64_MAX) == 9223372036854775807.0L);
	CHECK(cast(DTYPE_U32, DTYPE_BF16, 4286578689.0) == 0x1p32L && isinf(cast(DTYPE_U32, DTYPE_F16, 65520)));
	const float subnormal = -0x1p-130f;
	CHECK(cast_reference(DTYPE_F32, DTYPE_F64, &subnormal, 0, 0, &unspecified) == -0x1p-130L);
	CHECK(cast_reference(DTYPE_F32, DTYPE_F64, &subnormal, 0, 1, &unspecified) == 0);
}

/* ---- symbols ------------------------------------------------------------------------------------------------------------ */

struct tally {
	const char *module;
	int at_75, at_80, at_89, misplaced;
};

static void count_symbol(void *context, const struct operator_symbol *symbol)
{
	struct tally *const tally = context;
	tally->at_75 += symbol->least_cc <= 75;
	tally->at_80 += symbol->least_cc <= 80;
	tally->at_89 += symbol->least_cc <= 89;
	const struct family *const family = family_of_entry_point(symbol->name);
	tally->misplaced += strcmp(symbol->module, tally->module) != 0 || !family || strcmp(family->name, tally->module) != 0;
}

static void symbols(void)
{
	static const struct {
		const struct family *family;
		int at_75, at_80, at_89;
	} due[] = {{&binary_family, 72, 96, 96}, {&cast_family, 43, 58, 58}, {&fill_family, 18, 24, 24}, {&ternary_family, 18, 21, 26}};
	for (size_t i = 0; i < sizeof due / sizeof *due; i++)
		for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++) {
			struct tally tally = {.module = due[i].family->name};
			due[i].family->symbols((enum operator_abi)abi, count_symbol, &tally);
			CHECK_INT(tally.at_75, due[i].at_75);
			CHECK_INT(tally.at_80, due[i].at_80);
			CHECK_INT(tally.at_89, due[i].at_89);
			CHECK_INT(tally.misplaced, 0);
		}
	CHECK(family_has_symbol(&ternary_family, 0, "where_i16_fp8_e4m3", NULL) && !family_has_symbol(&ternary_family, 0, "where_i16_f32", NULL));
	CHECK(family_has_symbol(&binary_family, 0, "ge_f8_e4m3", NULL) && !family_has_symbol(&cast_family, 0, "cast_i64_f16", NULL));
}

/* ---- cases ---------------------------------------------------------------------------------------------------------------- */

/* The case of one assignment, "axis=value ..."; 0 when it was made, filled and accepted. */
static int make(const struct family *family, const char *text, struct test_case *test)
{
	char words[256];
	struct error err = {0};
	struct assignment assignment = {.family = family->name, .group = "test"};
	snprintf(words, sizeof words, "%s", text);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		char *const value = strchr(word, '=');
		*value = '\0';
		assignment.axes[assignment.axis_count] = word;
		assignment.values[assignment.axis_count++] = value + 1;
	}
	*test = (struct test_case){0};
	if (family->make_case(&assignment, 5, test, &err) || family->fill(test, &err) || family->check_case(test, &err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static void *data_of(struct test_case *test, const char *name)
{
	return case_find_tensor(test, name, TENSOR_INPUT)->data;
}

static void bad_cases(void)
{
	static const struct {
		const struct family *family;
		const char *text;
	} bad[] = {
		{&binary_family, "op=badd dtype=i32"}, {&binary_family, "op=bmod"}, {&binary_family, "shape=3x-1"},
		{&binary_family, "shape=99999x99999"}, {&binary_family, "shape=0x99999x99999"}, {&binary_family, "lhs=sideways"},
		{&binary_family, "shape=3x4 lhs=transposed info=null"}, {&binary_family, "dtype=f32 values=every"},
		{&binary_family, "dtype=u8 values=ties"}, {&binary_family, "values=nothing"}, {&binary_family, "launch=none"},
		{&binary_family, "shape=2x2x2x2x2x2x2"}, {&cast_family, "types=i64_f16"}, {&cast_family, "types=f32_f64 values=edges"},
		{&fill_family, "op=fill layout=strided"}, {&fill_family, "op=const_set layout=broadcast shape=3x4"},
		{&fill_family, "op=fill value=everything"}, {&fill_family, "op=copy2d shape=3x4x5"},
		{&fill_family, "op=copy2d shape=3x4 dst_stride=3"}, {&fill_family, "op=copy2d shape=3x4 src_stride=-1"},
		{&fill_family, "op=copy2d shape=3x4 launch=short"}, {&fill_family, "op=copy2d shape=99999x4 dst_stride=99999"},
		{&ternary_family, "index=i16 dtype=f32"}, {&ternary_family, "condition=some"},
	};
	struct test_case test;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const int made = make(bad[i].family, bad[i].text, &test) == 0;
		CHECK_TEXT(made ? bad[i].text : "refused", "refused");
		if (made)
			case_free(&test);
	}
	/* info that leads out of the tensors */
	struct error err = {0};
	CHECK_INT(make(&binary_family, "shape=3x4 lhs=transposed", &test), 0);
	((int64_t *)data_of(&test, "info"))[2] = 1000;
	CHECK_INT(binary_family.check_case(&test, &err), -1);
	case_free(&test);
}

static void values(void)
{
	struct test_case test;
	/* pairs: all combinations of 48; every: all of 256 */
	CHECK_INT(make(&binary_family, "op=eq dtype=f16 shape=48x48 values=pairs", &test), 0);
	const uint16_t *left = data_of(&test, "lhs"), *right = data_of(&test, "rhs");
	int same = 0, zeros = 0;
	for (int i = 0; i < 48 * 48; i++) {
		same += left[i] == right[i];
		zeros += (left[i] == 0 && right[i] == 0x8000) || (left[i] == 0x8000 && right[i] == 0);
	}
	CHECK(same >= 48 && same < 100);
	CHECK(zeros >= 2);
	case_free(&test);
	CHECK_INT(make(&binary_family, "op=bdiv dtype=u8 shape=256x256 values=every", &test), 0);
	const unsigned char *divisors = data_of(&test, "rhs");
	int by_zero = 0;
	for (int i = 0; i < 65536; i++)
		by_zero += divisors[i] == 0;
	CHECK_INT(by_zero, 0);
	case_free(&test);
	CHECK_INT(make(&binary_family, "op=bdiv dtype=i64 shape=48x48 values=pairs lhs=offset", &test), 0);
	const struct tensor *const lhs = operator_tensor(&test, "lhs"), *const rhs = operator_tensor(&test, "rhs");
	int undefined = 0, smallest = 0;
	for (int i = 0; i < 48 * 48; i++) {
		const long double x = operator_element(&test, lhs, i), y = operator_element(&test, rhs, i);
		undefined += y == 0 || (x == -0x1p63L && y == -1);
		smallest += x == -0x1p63L;
	}
	CHECK_INT(undefined, 0);
	CHECK(smallest > 10);
	case_free(&test);

	/* ties: what long double holds exactly is half way in one third */
	for (int op = 0; op < 3; op++) {
		char text[64];
		snprintf(text, sizeof text, "op=%s dtype=f32 shape=3000 values=ties", (const char *const[]){"badd", "bsub", "bmul"}[op]);
		CHECK_INT(make(&binary_family, text, &test), 0);
		const float *const x = data_of(&test, "lhs"), *const y = data_of(&test, "rhs");
		int ties = 0;
		for (int i = 0; i < 3000; i++) {
			const long double exact = op == 2 ? (long double)x[i] * (long double)y[i] : (long double)x[i] + (long double)y[i];
			const float rounded = (float)exact;
			ties += fabsl(exact - (long double)rounded) == (long double)unit_in_last_place(DTYPE_F32, rounded) / 2;
		}
		CHECK(ties > 700);
		case_free(&test);
	}

	/* conditions that a kernel which looks at the low half would miss */
	CHECK_INT(make(&ternary_family, "index=u32 dtype=u8 condition=high", &test), 0);
	const uint32_t *const ids = data_of(&test, "ids");
	int high = 0, low = 0, none = 0;
	for (int i = 0; i < 1000; i++) {
		none += ids[i] == 0;
		high += ids[i] != 0;
		low += (ids[i] & 0xffff) != 0;
	}
	CHECK(none > 300 && high > 300 && low == 0);
	case_free(&test);

	/* edges: every conversion that narrows meets ties, and numbers of the type itself */
	CHECK_INT(make(&cast_family, "types=f64_f16 shape=5000 values=edges", &test), 0);
	const double *const doubles = data_of(&test, "inp");
	int ties = 0, exact = 0, infinite = 0, traps = 0;
	for (int i = 0; i < 5000; i++) {
		const long double rounded = round_to_dtype(DTYPE_F16, (long double)doubles[i]);
		const double unit = unit_in_last_place(DTYPE_F16, (long double)doubles[i]);
		ties += isfinite(rounded) && fabsl((long double)doubles[i] - rounded) == (long double)unit / 2;
		exact += rounded == (long double)doubles[i];
		infinite += isinf(rounded) != 0;
		traps += round_to_dtype(DTYPE_F16, (long double)(float)doubles[i]) != rounded;
	}
	CHECK(ties > 500);
	CHECK(exact > 500);
	CHECK(infinite > 50);
	CHECK(traps > 500);
	case_free(&test);
}

/* ---- launches and what is due --------------------------------------------------------------------------------------------- */

static void launches(void)
{
	struct test_case test;
	struct error err = {0};
	struct operator_launch launch = {0};
	CHECK_INT(make(&fill_family, "op=const_set dtype=f16 shape=3000 value=signalling info=null", &test), 0);
	CHECK_INT(fill_family.launch(&test, 0, &launch, &err), 0);
	CHECK_INT(launch.argument_count, 5);
	CHECK_INT(launch.arguments[2].kind, ARGUMENT_NULL);
	CHECK_INT(launch.arguments[3].size, 2);
	CHECK_INT(launch.arguments[3].value[0] | launch.arguments[3].value[1] << 8, 0x7c01);
	CHECK_INT(launch.grid.x, 3);
	CHECK_INT(launch.block.x, 1024);
	case_free(&test);

	launch = (struct operator_launch){0};
	CHECK_INT(make(&fill_family, "op=copy2d dtype=u8 shape=3x400 src_stride=500 dst_stride=600 layout=offset launch=small", &test), 0);
	CHECK_INT(fill_family.launch(&test, 0, &launch, &err), 0);
	CHECK_INT(launch.argument_count, 6);
	for (int i = 2; i < 6; i++) {
		CHECK_INT(launch.arguments[i].size, 4);
		CHECK_INT(launch.arguments[i].value[0] | launch.arguments[i].value[1] << 8, ((const int[]){3, 400, 500, 600})[i - 2]);
	}
	CHECK(launch.grid.x * launch.block.x >= 1200);
	const struct tensor *const src = operator_tensor(&test, "src"), *const dst = operator_tensor(&test, "dst");
	struct expectation *const expected = calloc(1200, sizeof *expected);
	CHECK(expected && fill_family.expectations(&test, 0, dst, expected, &err) == 0);
	const unsigned char *const storage = data_of(&test, "src_storage");
	CHECK_INT(src->offset, dst->offset);
	CHECK_INT(expected[0].value, storage[src->offset]);
	CHECK_INT(expected[2 * 400 + 399].value, storage[src->offset + 2 * 500 + 399]);
	free(expected);
	case_free(&test);

	launch = (struct operator_launch){0};
	CHECK_INT(make(&ternary_family, "index=i64 dtype=f64 shape=5x7 t=broadcast f=transposed launch=short", &test), 0);
	CHECK_INT(ternary_family.launch(&test, 0, &launch, &err), 0);
	CHECK_INT(launch.argument_count, 7);
	CHECK_INT(launch.grid.x * launch.block.x, 288);
	const int64_t *const info = data_of(&test, "info");
	const int64_t due[] = {5, 7, 7, 1, 0, 1, 1, 5};
	CHECK(memcmp(info, due, sizeof due) == 0);
	struct expectation choices[35] = {0};
	CHECK_INT(ternary_family.expectations(&test, 0, operator_tensor(&test, "out"), choices, &err), 0);
	const int64_t *const ids = data_of(&test, "ids");
	const double *const t = data_of(&test, "t"), *const f = data_of(&test, "f");
	for (int row = 0; row < 5; row++)
		for (int column = 0; column < 7; column++) {
			const double value = ids[row * 7 + column] ? t[column] : f[row + 5 * column];
			const struct expectation *const e = &choices[row * 7 + column];
			CHECK(isnan(value) ? e->flags & EXPECT_NAN : e->value == (long double)value);
		}
	case_free(&test);
}

/* What a build with fast math may do beside a precise one. */
static void fast_bounds(void)
{
	struct test_case test;
	struct error err = {0};
	CHECK_INT(make(&binary_family, "op=bdiv dtype=f32 shape=8", &test), 0);
	const float left[8] = {1, 1, 0x1p-130f, 1, 0, 0x1.8p127f, 1, 0x1p-126f};
	const float right[8] = {3, 0x1p-127f, 1, 0x1.8p126f, 0, 0.5f, 0, 2};
	memcpy(data_of(&test, "lhs"), left, sizeof left);
	memcpy(data_of(&test, "rhs"), right, sizeof right);
	struct expectation e[8] = {0};
	CHECK_INT(binary_family.expectations(&test, 0, operator_tensor(&test, "out"), e, &err), 0);
	for (int i = 0; i < 8; i++)
		CHECK(e[i].bound == 0);
	CHECK(e[0].value == (long double)(1.0f / 3.0f) && e[0].fast_bound == 2 * 0x1p-25);
	CHECK(e[1].flags & EXPECT_FAST_ANY);             /* a subnormal divisor counts as zero */
	CHECK(e[2].fast_bound >= 0x1p-130);              /* a subnormal dividend too */
	CHECK(e[3].flags & EXPECT_FAST_ANY);             /* beyond 2^126 */
	CHECK(e[4].flags & EXPECT_NAN);
	CHECK(isinf(e[5].value) && !(e[5].flags & EXPECT_FAST_ANY));
	CHECK(isinf(e[6].value) && !(e[6].flags & EXPECT_FAST_ANY));
	CHECK(e[7].fast_bound >= 0x1p-127);              /* a subnormal quotient */
	case_free(&test);
}

int main(void)
{
	rounding();
	answers();
	casts();
	symbols();
	bad_cases();
	values();
	launches();
	fast_bounds();
	return check_result();
}
