/* The attention family away from any device: cases, windows, promises, reach. */
#include "check.h"
#include "kernels/attention_params.h"

#include <stdlib.h>

static struct assignment axes(const char *axis, const char *value, const char *axis2, const char *value2)
{
	return (struct assignment){.family = "attention", .group = "test", .axis_count = axis2 ? 2 : 1, .axes = {axis, axis2}, .values = {value, value2}};
}

static int make(const char *axis, const char *value, const char *axis2, const char *value2, struct test_case *test)
{
	const struct assignment assignment = axes(axis, value, axis2, value2);
	struct error err;
	return attention_make_case(&assignment, 7, test, &err);
}

static void cases_are_made_and_read_back(void)
{
	struct test_case test;
	struct attention_params params;
	struct error err = {0};
	for (const char *const *layout = (const char *const[]){"bshd", "bhsd", "padded", "packed", "varlen", "varlen:ragged", "varlen:zero", NULL}; *layout; layout++) {
		CHECK_INT(make("layout", *layout, "heads", "6/3", &test), 0);
		CHECK_INT(attention_fill(&test, &err), 0);
		CHECK_INT(attention_params_of(&test, &params, &err), 0);
		CHECK_INT(params.heads_k, 3);
		CHECK_INT(params.varlen, strncmp(*layout, "varlen", 6) == 0);
		CHECK_CONTAINS(test.name, *layout);
		/* q, k and v are different numbers, wherever they lie */
		CHECK(memcmp(case_tensor_data(&test, params.q), case_tensor_data(&test, params.k), 64) != 0);
		CHECK(memcmp(case_tensor_data(&test, params.k), case_tensor_data(&test, params.v), 64) != 0);
		case_free(&test);
	}
	CHECK_INT(make("layout", "packed", "seqlen", "3/4", &test), -1);
	CHECK_INT(make("heads", "6/4", NULL, NULL, &test), -1);
	CHECK_INT(make("head_dim", "12", NULL, NULL, &test), -1);
	CHECK_INT(make("lse", "padded", NULL, NULL, &test), -1);
	CHECK_INT(make("mask", "window:3", NULL, NULL, &test), -1);
	CHECK_INT(make("softcap", "-1", NULL, NULL, &test), -1);
	CHECK_INT(make("input", "noise", NULL, NULL, &test), -1);
	/* the same case, the same bits; another seed, other bits */
	struct test_case again;
	CHECK_INT(make("dtype", "bf16", NULL, NULL, &test), 0);
	CHECK_INT(make("dtype", "bf16", NULL, NULL, &again), 0);
	CHECK_INT(attention_fill(&test, &err), 0);
	CHECK_INT(attention_fill(&again, &err), 0);
	CHECK(memcmp(test.tensors[0].data, again.tensors[0].data, 1024) == 0);
	again.seed++;
	CHECK_INT(attention_fill(&again, &err), 0);
	CHECK(memcmp(test.tensors[0].data, again.tensors[0].data, 1024) != 0);
	case_free(&test);
	case_free(&again);
}

/* Candle's lib.rs: larger than seqlen_k is open; causal; one closed side makes the other seqlen_k. */
static void windows_are_handed_on_as_candle_does(void)
{
	struct attention_params p = {.seqlen_k = 100};
	const struct {
		int64_t left, right;
		int causal, call_left, call_right;
	} table[] = {{-1, -1, 0, -1, -1}, {-1, 0, 1, 100, 0}, {101, 0, 1, 100, 0}, {30, -1, 0, 30, 100}, {30, 101, 0, 30, 100},
		     {-1, 20, 0, 100, 20}, {101, 101, 0, -1, -1}, {100, 100, 0, 100, 100}, {64, 0, 0, 64, 0}};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		p.window_left = table[i].left;
		p.window_right = table[i].right;
		const struct attention_windows windows = attention_call_windows(&p);
		CHECK_INT(windows.is_causal, table[i].causal);
		CHECK_INT(windows.left, table[i].call_left);
		CHECK_INT(windows.right, table[i].call_right);
	}
}

static void promises_follow_the_profile(void)
{
	struct test_case test;
	struct output_promise promise;
	struct error err = {0};
	struct attention_params params;
	CHECK_INT(make("layout", "varlen:zero", "batch", "4", &test), 0);
	CHECK_INT(attention_params_of(&test, &params, &err), 0);
	/* before 0.11 the heads of an unpadded LSE overlap; O is promised whole */
	CHECK_INT(attention_family.promise(&test, 0, params.lse, &promise, &err), 0);
	CHECK_INT(promise.kind, PROMISE_NOTHING);
	CHECK_INT(attention_family.promise(&test, 0, params.o, &promise, &err), 0);
	CHECK_INT(promise.kind, PROMISE_ALL);
	CHECK_INT(attention_family.promise(&test, 1, params.lse, &promise, &err), 0);
	CHECK_INT(promise.kind, PROMISE_ALL);
	case_free(&test);
	CHECK_INT(make("layout", "varlen:zero", "lse", "padded", &test), 0);
	CHECK_INT(attention_params_of(&test, &params, &err), 0);
	CHECK_INT(attention_family.promise(&test, 0, params.lse, &promise, &err), 0);
	CHECK_INT(promise.kind, PROMISE_REGIONS);
	CHECK_INT(promise.region_count, params.batch);
	free(promise.regions);
	case_free(&test);
}

static void work_counts_what_is_asked_for(void)
{
	struct test_case test;
	struct work full, causal;
	struct error err = {0};
	CHECK_INT(make("seqlen", "64", NULL, NULL, &test), 0);
	CHECK_INT(attention_family.work(&test, &full, &err), 0);
	case_free(&test);
	CHECK_INT(make("seqlen", "64", "mask", "causal", &test), 0);
	CHECK_INT(attention_family.work(&test, &causal, &err), 0);
	case_free(&test);
	CHECK_NEAR(full.flops, 4.0 * 64 * 64 * 64 * 2, 0);           /* 4 d sq sk h */
	CHECK_NEAR(causal.flops, 4.0 * 64 * (64 * 65 / 2) * 2, 0);   /* the triangle with its diagonal */
	CHECK_NEAR(full.bytes, 2.0 * 4 * 64 * 2 * 64 + 4.0 * 2 * 64, 0);
}

static void reach_follows_the_dispatch(void)
{
#define KERNEL(tile, flags) "_Z16flash_fwd_kernelI23Flash_fwd_kernel_traitsI" tile "ELb0ELb0EN7cutlass6half_tE19xE" flags "EEv16Flash_fwd_params"
	const struct device_properties h100 = {.cc_major = 9, .shared_per_block_optin = 232448};
	const struct device_properties a10 = {.cc_major = 8, .cc_minor = 6, .shared_per_block_optin = 101376};
	const char *plain = KERNEL("Li64ELi128ELi128ELi4", "Lb0ELb1ELb0ELb0ELb1ELb1ELb0ELb0");
	const char *dropout = KERNEL("Li64ELi128ELi128ELi4", "Lb1ELb1ELb0ELb0ELb1ELb1ELb0ELb0");
	const char *dropout_softcap = KERNEL("Li64ELi128ELi64ELi4", "Lb0ELb1ELb0ELb0ELb1ELb1ELb1ELb0");
	const char *d128_large = KERNEL("Li128ELi128ELi64ELi4", "Lb0ELb0ELb0ELb0ELb1ELb1ELb0ELb0");
	const char *d128_small = KERNEL("Li128ELi128ELi32ELi4", "Lb0ELb0ELb0ELb0ELb1ELb1ELb0ELb0");
	CHECK_INT(attention_reaches(plain, &h100), 1);
	CHECK_INT(attention_reaches(dropout, &h100), 0);
	CHECK_INT(attention_reaches(dropout_softcap, &h100), 0);
	CHECK_INT(attention_reaches(d128_large, &h100), 1);
	CHECK_INT(attention_reaches(d128_large, &a10), 0);
	CHECK_INT(attention_reaches(d128_small, &h100), 0);
	CHECK_INT(attention_reaches(d128_small, &a10), 1);
	CHECK_INT(attention_reaches("_Z24flash_fwd_splitkv_kernelI", &h100), 0);
	CHECK_INT(attention_reaches("somebody_elses_kernel", &h100), 1);
}

/* run_mha takes scale and softcap as float32, and so must the reference. A compiler once dropped this rounding. */
static void the_reference_works_with_the_scale_that_is_passed(void)
{
	struct test_case test;
	struct attention_params params;
	struct attention_problem problem;
	struct error err = {0};
	CHECK_INT(make("head_dim", "128", "softcap", "0.1", &test), 0);
	CHECK_INT(attention_params_of(&test, &params, &err), 0);
	const struct binding binding = {.test = &test};
	attention_problem_of(&params, &binding, &problem);
	volatile float scale = (float)params.scale, softcap = (float)params.softcap;
	CHECK_NEAR(problem.scale, (double)scale, 0);
	CHECK_NEAR(problem.softcap, (double)softcap, 0);
	CHECK(problem.scale != params.scale && problem.softcap != params.softcap);
	case_free(&test);
}

int main(void)
{
	the_reference_works_with_the_scale_that_is_passed();
	cases_are_made_and_read_back();
	windows_are_handed_on_as_candle_does();
	promises_follow_the_profile();
	work_counts_what_is_asked_for();
	reach_follows_the_dispatch();
	return check_result();
}
