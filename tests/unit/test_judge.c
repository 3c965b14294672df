/* The judge on the cpu device, the number formats its kernels share with it, and the decision from checks. */
#include "judge_checks.h"

#include "judge/element.h"
#include "judge/verdict.h"

static void same_rounding(double value)
{
	CHECK_INT(judge_round(DTYPE_F16, value), f16_from_f64(value));
	CHECK_INT(judge_round(DTYPE_BF16, value), bf16_from_f64(value));
}

/* Every 16-bit number, and what lies on and beside the midpoints between them. */
static void test_formats(void)
{
	static const enum dtype types[] = {DTYPE_F16, DTYPE_BF16};
	for (size_t t = 0; t < ARRAY_COUNT(types); t++)
		for (uint32_t bits = 0; bits < 0x10000; bits++) {
			const uint16_t pattern = (uint16_t)bits;
			const double expected = dtype_load(types[t], &pattern, 0);
			const double value = judge_widen(types[t], pattern);
			CHECK(isnan(expected) ? isnan(value)
					      : expected == value && !signbit(expected) == !signbit(value));
			if (isnan(expected))
				continue;
			const uint16_t next = (uint16_t)(pattern + 1);
			const double middle = (value + judge_widen(types[t], next)) / 2;
			same_rounding(value);
			if (!isfinite(middle))
				continue;
			same_rounding(middle);
			same_rounding(nextafter(middle, -INFINITY));
			same_rounding(nextafter(middle, INFINITY));
		}
	same_rounding(DBL_MAX);
	same_rounding(-DBL_MAX);
	same_rounding(DBL_TRUE_MIN);
	same_rounding(-DBL_TRUE_MIN);
	same_rounding(DBL_MIN);
	same_rounding(65519.999999999993);
	same_rounding(65520.0);
	uint64_t state = 1;
	for (int i = 0; i < 200000; i++) {
		const uint64_t bits = digest_mix(state++);
		double value;
		memcpy(&value, &bits, sizeof value);
		if (isnan(value))
			continue;
		same_rounding(value);
		CHECK(judge_round(DTYPE_F64, value) == bits);
		const float rounded = (float)value;
		uint32_t expected;
		memcpy(&expected, &rounded, sizeof expected);
		CHECK(judge_round(DTYPE_F32, value) == expected);
	}
	CHECK(judge_smallest_normal(DTYPE_F16) == 0x1p-14);
	CHECK(judge_smallest_normal(DTYPE_BF16) == 0x1p-126);
	CHECK(judge_smallest_normal(DTYPE_F32) == 0x1p-126);
	CHECK(judge_smallest_normal(DTYPE_F64) == 0x1p-1022);
}

static void test_ulp_distance(void)
{
	static const enum dtype types[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F32, DTYPE_F64};
	uint64_t state = 1000;
	for (size_t t = 0; t < ARRAY_COUNT(types); t++) {
		const int width = 8 * (int)dtype_size(types[t]);
		for (int i = 0; i < 20000; i++) {
			const uint64_t a = digest_mix(state++) >> (64 - width), b = digest_mix(state++) >> (64 - width);
			if (isnan(judge_widen(types[t], a)) || isnan(judge_widen(types[t], b)))
				continue;
			CHECK(judge_ulp_distance(types[t], a, b) == dtype_ulp_distance(types[t], a, b));
		}
	}
}

static void test_histogram(void)
{
	CHECK_INT(judge_histogram_bin(0.0), 0);
	CHECK_INT(judge_histogram_bin(DBL_TRUE_MIN), 0);
	CHECK_INT(judge_histogram_bin(0x1p-31), 0);
	CHECK_INT(judge_histogram_bin(nextafter(0x1p-30, 0)), 0);
	CHECK_INT(judge_histogram_bin(0x1p-30), 1);
	CHECK_INT(judge_histogram_bin(nextafter(1.0, 0)), 30);
	CHECK_INT(judge_histogram_bin(1.0), 31);
	CHECK_INT(judge_histogram_bin(1e300), 31);
	CHECK_INT(judge_histogram_bin((double)INFINITY), 31);
}

static void test_names(void)
{
	for (int status = 0; status < STATUS_COUNT; status++)
		CHECK_INT(status_from_name(status_name((enum status)status)), status);
	CHECK_INT(status_from_name("passed"), STATUS_COUNT);
	CHECK_TEXT(status_name(STATUS_COUNT), "?");
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		CHECK_INT(check_from_name(check_name((enum check)check)), check);
	CHECK_INT(check_from_name(""), CHECK_NAMES_COUNT);
	CHECK_TEXT(check_name((enum check)-1), "?");
	CHECK_TEXT(check_state_name(CHECK_DISABLED), "disabled");
}

static void test_decision(void)
{
	/* nothing known is not a pass */
	struct judgement judgement = {0};
	judgement_decide(&judgement, NULL);
	CHECK_INT(judgement.status, STATUS_ERROR);

	judgement_hold(&judgement, CHECK_CANARY);
	judgement_decide(&judgement, NULL);
	CHECK_INT(judgement.status, STATUS_PASS);
	CHECK_TEXT(judgement.reason, "");

	judgement_mistrust(&judgement, "all %s", "zero");
	judgement_mistrust(&judgement, "another reason");
	judgement_decide(&judgement, NULL);
	CHECK_INT(judgement.status, STATUS_MISTRUSTED);
	CHECK_TEXT(judgement.reason, "all zero");

	/* every check alone decides, and stops deciding when it is switched off */
	for (int check = 0; check < CHECK_NAMES_COUNT; check++) {
		struct judgement one = {0};
		judgement_hold(&one, check == CHECK_CANARY ? CHECK_GAP : CHECK_CANARY);
		judgement_break(&one, (enum check)check, "because %d", check);
		judgement_hold(&one, (enum check)check);
		judgement_break(&one, (enum check)check, "another reason");
		judgement_decide(&one, NULL);
		CHECK_INT(one.status, STATUS_FAIL);
		char expected[64];
		snprintf(expected, sizeof expected, "%s: because %d", check_name((enum check)check), check);
		CHECK_TEXT(one.reason, expected);
		const struct judge_policy others = {.disabled_checks = ~(1u << check) & ~(1u << CHECK_CANARY)};
		struct judgement same = one;
		judgement_decide(&same, &others);
		CHECK_INT(same.status, STATUS_FAIL);
		const struct judge_policy policy = {.disabled_checks = 1u << check};
		judgement_decide(&one, &policy);
		CHECK_INT(one.status, STATUS_PASS);
		CHECK_INT(one.checks[check].state, CHECK_DISABLED);
		CHECK_CONTAINS(one.checks[check].reason, "because");
	}

	/* a check that held and is switched off does not count as held */
	struct judgement lone = {0};
	judgement_hold(&lone, CHECK_NUMBERS);
	judgement_decide(&lone, &(struct judge_policy){.disabled_checks = 1u << CHECK_NUMBERS});
	CHECK_INT(lone.status, STATUS_ERROR);

	/* the cause is told before what follows from it, and every broken check is named */
	struct judgement several = {0};
	judgement_break(&several, CHECK_NUMBERS, "wrong");
	judgement_break(&several, CHECK_UNWRITTEN, "7 elements");
	judgement_break(&several, CHECK_LAUNCH, "no kernel image");
	judgement_mistrust(&several, "and doubtful");
	judgement_decide(&several, NULL);
	CHECK_INT(several.status, STATUS_FAIL);
	CHECK_TEXT(several.reason, "launch: no kernel image; also broken: unwritten, numbers");

	/* a text that is too long is cut, not spilt */
	struct judgement lengthy = {0};
	char text[1000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		judgement_break(&lengthy, (enum check)check, "%s", text);
	judgement_decide(&lengthy, NULL);
	CHECK_INT(lengthy.status, STATUS_FAIL);
	CHECK(strlen(lengthy.reason) < sizeof lengthy.reason);
	CHECK_CONTAINS(lengthy.reason, "also broken: no-launch");
}

int main(void)
{
	struct error err = {0};
	struct bench bench = {0};
	test_formats();
	test_ulp_distance();
	test_histogram();
	test_names();
	test_decision();
	if (device_open(&bench.device, "cpu", NULL, &err) || judge_open(&bench.judge, bench.device, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	judge_checks(&bench);
	judge_close(bench.judge);
	device_close(bench.device);
	return check_result();
}
