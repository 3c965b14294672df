/* Elements against what is expected of them: bounds, exact values, NaN, overflow, zeros, alternatives, strides. */
#include "judge/expect.h"

#include "check.h"

#include <math.h>
#include <string.h>

static int64_t judge_one(enum dtype dtype, long double got, struct expectation expected, enum math math, struct judgement *out)
{
	unsigned char storage[8] = {0};
	const struct expectation_layout layout = {.name = "out", .dtype = dtype, .rank = 1, .dims = {1}, .strides = {1}};
	if (dtype == DTYPE_I64) {
		const int64_t whole = (int64_t)got;
		memcpy(storage, &whole, sizeof whole);
	} else {
		dtype_store(dtype, storage, 0, (double)got);
	}
	*out = (struct judgement){0};
	return judge_expectations(&layout, storage, &expected, math, out);
}

static int is_right(enum dtype dtype, long double got, struct expectation expected)
{
	struct judgement out;
	return judge_one(dtype, got, expected, MATH_PRECISE, &out) == 0;
}

static void test_units(void)
{
	CHECK(unit_in_last_place(DTYPE_F32, 1.0L) == 0x1p-23);
	CHECK(unit_in_last_place(DTYPE_F32, 1.5L) == 0x1p-23);
	CHECK(unit_in_last_place(DTYPE_F32, -2.0L) == 0x1p-22);
	CHECK(unit_in_last_place(DTYPE_F32, 0.0L) == 0x1p-149);
	CHECK(unit_in_last_place(DTYPE_F32, 0x1p-140L) == 0x1p-149);
	CHECK(unit_in_last_place(DTYPE_F16, 65504.0L) == 32.0);
	CHECK(unit_in_last_place(DTYPE_F16, 1e30L) == 32.0);
	CHECK(unit_in_last_place(DTYPE_F8_E4M3, 448.0L) == 32.0);
	CHECK(unit_in_last_place(DTYPE_F8_E4M3, 0.0L) == 0x1p-9);
	CHECK(unit_in_last_place(DTYPE_BF16, 1.0L) == 0x1p-7);
	CHECK(unit_in_last_place(DTYPE_F64, 1.0L) == 0x1p-52);
	CHECK(unit_in_last_place(DTYPE_I32, 5.0L) == 0.0);
}

/* Against the conversions of core/dtype.h, which round by another method. */
static void test_rounding(void)
{
	static const enum dtype types[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F32, DTYPE_F8_E4M3};
	uint64_t state = 1;
	for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
		for (int i = 0; i < 20000; i++) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			const double value = ldexp((double)(int64_t)state, (int)(state >> 33 & 63) - 90);
			unsigned char stored[4];
			dtype_store(types[t], stored, 0, value);
			const long double ours = round_to_dtype(types[t], (long double)value);
			CHECK((double)ours == dtype_load(types[t], stored, 0));
		}
	}
	CHECK(round_to_dtype(DTYPE_F16, 65519.0L) == 65504.0L);
	CHECK(isinf(round_to_dtype(DTYPE_F16, 65520.0L)));
	CHECK(round_to_dtype(DTYPE_F8_E4M3, 1e9L) == 448.0L);
	CHECK(round_to_dtype(DTYPE_F8_E4M3, -(long double)INFINITY) == -448.0L);
	CHECK(round_to_dtype(DTYPE_F64, 1.0L + 0x1p-53L) == 1.0L);
	CHECK(round_to_dtype(DTYPE_U8, 254.5L) == 254.0L);
	CHECK(round_to_dtype(DTYPE_U8, 300.0L) == 255.0L);
	CHECK(round_to_dtype(DTYPE_I64, 1e30L) == 9223372036854775807.0L);
	CHECK(signbit(round_to_dtype(DTYPE_F32, -1e-60L)));
}

static void test_all_of_f8(void)
{
	for (int bits = 0; bits < 256; bits++) {
		const double value = f8_e4m3_to_f64((uint8_t)bits);
		if (isnan(value))
			CHECK_INT(f8_e4m3_from_f64(value) & 0x7f, 0x7f);
		else
			CHECK_INT(f8_e4m3_from_f64(value), bits);
	}
	/* halfway between neighbours: to the even one */
	CHECK_INT(f8_e4m3_from_f64(0x1.1p0), f8_e4m3_from_f64(1.0));
	CHECK_INT(f8_e4m3_from_f64(0x1.3p0), f8_e4m3_from_f64(0x1.4p0));
	CHECK_INT(f8_e4m3_from_f64(0x1p-10), 0);
	CHECK_INT(f8_e4m3_from_f64(0x1.8p-10), 1);
	CHECK_INT(f8_e4m3_from_f64(0x1.ffp-7), 8); /* rounds up into the normal numbers */
}

static void test_bounds(void)
{
	CHECK(is_right(DTYPE_F32, 1.0L, (struct expectation){.value = 1}));
	CHECK(!is_right(DTYPE_F32, 1.0L + 0x1p-23L, (struct expectation){.value = 1}));
	CHECK(is_right(DTYPE_F32, 1.0L + 0x1p-23L, (struct expectation){.value = 1, .bound = 0x1p-23}));
	CHECK(!is_right(DTYPE_F32, 1.0L + 0x1p-22L, (struct expectation){.value = 1, .bound = 0x1p-23}));
	CHECK(!is_right(DTYPE_F32, (long double)NAN, (struct expectation){.value = 1, .bound = 100}));
	CHECK(is_right(DTYPE_F32, (long double)NAN, (struct expectation){.value = 1, .bound = 100, .flags = EXPECT_OR_NAN}));
	CHECK(!is_right(DTYPE_F32, 1.0L, (struct expectation){.flags = EXPECT_NAN}));
	CHECK(is_right(DTYPE_F32, (long double)NAN, (struct expectation){.flags = EXPECT_NAN}));
	CHECK(is_right(DTYPE_F32, 7.0L, (struct expectation){.value = 1, .flags = EXPECT_ANY}));
	CHECK(is_right(DTYPE_F32, 2.0L, (struct expectation){.value = 1, .other = 2, .flags = EXPECT_OTHER}));
	CHECK(!is_right(DTYPE_F32, 3.0L, (struct expectation){.value = 1, .other = 2, .flags = EXPECT_OTHER}));
	CHECK(is_right(DTYPE_F32, -0.0L, (struct expectation){.value = 0}));
	CHECK(!is_right(DTYPE_F32, -0.0L, (struct expectation){.value = 0, .flags = EXPECT_SIGNED_ZERO}));
	CHECK(is_right(DTYPE_F32, -0.0L, (struct expectation){.value = -0.0L, .flags = EXPECT_SIGNED_ZERO}));
	/* i64 beyond what a double holds */
	CHECK(is_right(DTYPE_I64, 9007199254740993.0L, (struct expectation){.value = 9007199254740993.0L}));
	CHECK(!is_right(DTYPE_I64, 9007199254740993.0L, (struct expectation){.value = 9007199254740992.0L}));
}

static void test_overflow(void)
{
	const long double infinity = (long double)INFINITY;
	CHECK(is_right(DTYPE_F16, infinity, (struct expectation){.value = infinity}));
	CHECK(!is_right(DTYPE_F16, 65504, (struct expectation){.value = infinity, .bound = 1e6}));
	CHECK(!is_right(DTYPE_F16, -infinity, (struct expectation){.value = infinity, .bound = 1e6}));
	CHECK(is_right(DTYPE_F16, infinity, (struct expectation){.value = 65530, .bound = 16}));
	CHECK(!is_right(DTYPE_F16, infinity, (struct expectation){.value = 65000, .bound = 16}));
	CHECK(!is_right(DTYPE_F16, -infinity, (struct expectation){.value = 65530, .bound = 16}));
	CHECK(!is_right(DTYPE_F16, 65504, (struct expectation){.value = 70000, .bound = 16}));
	CHECK(is_right(DTYPE_F8_E4M3, 448, (struct expectation){.value = 1000, .bound = 16}));
	CHECK(is_right(DTYPE_F8_E4M3, 448, (struct expectation){.value = infinity, .bound = 16}));
	CHECK(!is_right(DTYPE_F8_E4M3, 416, (struct expectation){.value = 1000, .bound = 16}));
}

static void test_math_and_figures(void)
{
	struct judgement out;
	const struct expectation expected = {.value = 1, .bound = 0x1p-24, .fast_bound = 0x1p-21};
	CHECK_INT(judge_one(DTYPE_F32, 1.0L + 0x1p-22L, expected, MATH_PRECISE, &out), 1);
	CHECK(out.margin == 4.0 && out.precise_margin == 4.0);
	CHECK_INT((long long)out.ulp_max, 2);
	CHECK_INT(out.checks[CHECK_NUMBERS].state, CHECK_BROKEN);
	CHECK_INT(judge_one(DTYPE_F32, 1.0L + 0x1p-22L, expected, MATH_FAST, &out), 0);
	CHECK(out.margin == 0.5 && out.precise_margin == 4.0);
	CHECK_INT(out.checks[CHECK_NUMBERS].state, CHECK_HELD);
	/* a NaN where a number is due can never be within a margin */
	CHECK_INT(judge_one(DTYPE_F32, (long double)NAN, expected, MATH_FAST, &out), 1);
	CHECK(isinf(out.margin));
	CHECK_INT(out.checks[CHECK_FINITE].state, CHECK_BROKEN);
	/* nothing asked: no check is held either */
	CHECK_INT(judge_one(DTYPE_F32, 5.0L, (struct expectation){.flags = EXPECT_FAST_ANY, .bound = 1}, MATH_FAST, &out), 0);
	CHECK_INT(out.checks[CHECK_NUMBERS].state, CHECK_NOT_MADE);
	CHECK_INT(judge_one(DTYPE_F32, 5.0L, (struct expectation){.flags = EXPECT_FAST_ANY, .bound = 1}, MATH_PRECISE, &out), 1);
}

static void test_strides(void)
{
	/* 2 x 3, second axis in steps of 2, rows of 7: gaps hold what would be wrong */
	int32_t storage[14];
	struct expectation expected[6] = {{0}};
	struct judgement out = {0};
	const struct expectation_layout layout = {.name = "out", .dtype = DTYPE_I32, .rank = 2, .dims = {2, 3}, .strides = {7, 2}};
	for (int i = 0; i < 14; i++)
		storage[i] = -1;
	for (int r = 0; r < 2; r++)
		for (int c = 0; c < 3; c++) {
			storage[r * 7 + c * 2] = 10 * r + c;
			expected[r * 3 + c].value = 10 * r + c;
		}
	CHECK_INT(judge_expectations(&layout, storage, expected, MATH_PRECISE, &out), 0);
	CHECK_INT((long long)out.elements, 6);
	storage[7 + 4] = 5;
	out = (struct judgement){0};
	CHECK_INT(judge_expectations(&layout, storage, expected, MATH_PRECISE, &out), 1);
	CHECK(strstr(out.checks[CHECK_EXACT].reason, "out[1, 2] is 5 where 12 is due") != NULL);
	CHECK_INT(out.worst_index[2], 1);
	CHECK_INT(out.worst_index[3], 2);
}

int main(void)
{
	test_units();
	test_rounding();
	test_all_of_f8();
	test_bounds();
	test_overflow();
	test_math_and_figures();
	test_strides();
	return check_result();
}
