/* Runs against each other, made up: what is the same, worse, gone, not comparable; how often times that are the same are
 * flagged and slower ones are not. */
#include "check.h"

#include "cmd_compare.h"
#include "compare_report.h"
#include "compare_samples.h"

#include <unistd.h>

static void identical(void)
{
	struct run_record run = timed_run(40, 1, 0.002, 1);
	struct comparison comparison = compared(&run, &run);
	CHECK_INT(comparison.common, 40);
	CHECK_INT(comparison.case_count, 40);
	CHECK_INT(comparison.regressions, 0);
	CHECK_INT(comparison.same_bits, 40);
	CHECK_INT(comparison.hot[TIMING_SAME], 40);
	CHECK_INT(comparison.cold[TIMING_NONE], 40);
	CHECK_INT(comparison.entry_count, 4);
	CHECK_INT(comparison.entries[0].common, 10);
	CHECK_TEXT(comparison.conditions, "");
	CHECK_TEXT(comparison.artifacts[0].changes, "");
	comparison_free(&comparison);
	run_record_free(&run);
}

/* Two runs of the same kernels, a hair apart as runs are: hardly ever SLOWER or FASTER, whatever the noise of samples. */
static void false_alarms(void)
{
	static const double noises[] = {0.001, 0.005, 0.02, 0.1};
	for (int n = 0; n < 4; n++) {
		struct run_record base = timed_run(1000, 1, noises[n], 10 + (uint64_t)n);
		struct run_record next = timed_run(1000, 1.002, noises[n], 20 + (uint64_t)n);
		struct comparison comparison = compared(&base, &next);
		const size_t flagged = comparison.hot[TIMING_SLOWER] + comparison.hot[TIMING_FASTER];
		printf("noise %g: %zu flagged, %zu same, %zu unsure of 1000\n", noises[n], flagged, comparison.hot[TIMING_SAME],
		       comparison.hot[TIMING_UNSURE]);
		CHECK(flagged <= 10);
		if (n == 0)
			CHECK(comparison.hot[TIMING_SAME] >= 990);
		if (n == 3)
			CHECK(comparison.hot[TIMING_UNSURE] >= 980); /* nobody could tell */
		comparison_free(&comparison);
		run_record_free(&base);
		run_record_free(&next);
	}
}

static void slower_and_faster(void)
{
	struct run_record base = timed_run(1000, 1, 0.005, 3), next = timed_run(1000, 1.03, 0.005, 4);
	struct comparison comparison = compared(&base, &next), turned = compared(&next, &base);
	printf("3 %%: %zu of 1000 SLOWER, turned %zu FASTER\n", comparison.hot[TIMING_SLOWER], turned.hot[TIMING_FASTER]);
	CHECK(comparison.hot[TIMING_SLOWER] >= 990);
	CHECK(turned.hot[TIMING_FASTER] >= 990);
	CHECK_INT(comparison.hot[TIMING_FASTER], 0);
	CHECK_INT(comparison.regressions, comparison.hot[TIMING_SLOWER]);
	CHECK_INT(turned.regressions, 0);
	CHECK(comparison.cases[0].hot.ratio >= comparison.cases[1].hot.ratio); /* worst first */
	comparison_free(&comparison);
	comparison_free(&turned);
	run_record_free(&base);
	run_record_free(&next);
}

static void check_refused(struct run_record *base, struct run_record *next, int index, const char *words)
{
	char name[64];
	snprintf(name, sizeof name, "uexp_f32/case:%d", index);
	struct comparison comparison = compared(base, next);
	const struct case_comparison *pair = pair_named(&comparison, name);
	CHECK_INT(pair->hot.verdict, TIMING_REFUSED);
	CHECK_CONTAINS(pair->hot.reason, words);
	CHECK_INT(pair->regressions, 0);
	comparison_free(&comparison);
}

static void not_comparable(void)
{
	struct run_record base = timed_run(10, 1, 0.002, 5), next = timed_run(10, 1.5, 0.002, 6);
	base.cases[0].clocks = calloc(1, sizeof *base.cases[0].clocks);
	next.cases[0].clocks = calloc(1, sizeof *next.cases[0].clocks);
	base.cases[0].clock_count = next.cases[0].clock_count = 1;
	base.cases[0].clocks[0] = (struct clock_reading){.sm_clock_mhz = 1980, .memory_clock_mhz = 2619};
	next.cases[0].clocks[0] = (struct clock_reading){.sm_clock_mhz = 1980, .memory_clock_mhz = 1593};
	next.cases[6].hot.converged = 0; /* the interval says what there is to say */
	next.cases[1].hot.gate_opened_early = 2;
	base.cases[2].hot.raw[4] = (double)NAN;
	next.cases[3].hot.samples = 4;
	next.cases[4].hot.measured = 0;
	free(next.cases[5].hot.raw);
	next.cases[5].hot.raw = NULL;
	check_refused(&base, &next, 0, "the memory clock was 2619 MHz in the base and 1593 MHz in the new run");
	check_refused(&base, &next, 1, "launch latency is in 0 of 24 samples of the base and 2 of 24 of the new run");
	check_refused(&base, &next, 2, "sample 4 of the base run is nan s");
	check_refused(&base, &next, 3, "the new run has 4 samples, too few");
	check_refused(&base, &next, 4, "timed in the base run only");
	check_refused(&base, &next, 5, "no samples of the new run");
	struct comparison comparison = compared(&base, &next);
	CHECK_INT(comparison.hot[TIMING_SLOWER], 4);
	CHECK_INT(comparison.hot[TIMING_REFUSED], 6);
	comparison_free(&comparison);

	snprintf(next.dataset_sha256, sizeof next.dataset_sha256, "fedcba");
	check_refused(&base, &next, 6, "another dataset or seed");
	snprintf(next.dataset_sha256, sizeof next.dataset_sha256, "abcdef");
	next.seed++;
	check_refused(&base, &next, 6, "another dataset or seed");
	next.seed--;
	snprintf(next.devices[0].properties.name, sizeof next.devices[0].properties.name, "NVIDIA H200");
	check_refused(&base, &next, 6, "the devices differ (NVIDIA H100 80GB HBM3, NVIDIA H200)");
	next.devices[0].properties.cc_major = 10;
	check_refused(&base, &next, 6, "different architectures (sm_90, sm_100)");
	comparison = compared(&base, &next);
	CHECK_INT(comparison.hot[TIMING_REFUSED], 10);
	CHECK_INT(comparison.same_bits, 10); /* bits may be compared across devices */
	CHECK_CONTAINS(comparison.conditions, "architecture: sm_90 -> sm_100");
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

static void set_clock(struct case_record *record, uint32_t mhz)
{
	free(record->clocks);
	record->clocks = calloc(3, sizeof *record->clocks);
	if (!record->clocks)
		exit(1);
	record->clock_count = 3;
	for (int i = 0; i < 3; i++)
		record->clocks[i].sm_clock_mhz = i == 2 ? 300 : mhz; /* the median counts, not one odd reading */
}

/* A clock 10 % lower: what takes 10 % longer may be the clock's doing, what takes 25 % longer is not. */
static void clocks(void)
{
	struct run_record base = timed_run(5, 1, 0.002, 7), slower = timed_run(5, 1.1, 0.002, 8), slow = timed_run(5, 1.25, 0.002, 9);
	for (int i = 0; i < 5; i++) {
		set_clock(&base.cases[i], 1980);
		set_clock(&slower.cases[i], 1800);
		set_clock(&slow.cases[i], 1800);
	}
	struct comparison comparison = compared(&base, &slower);
	CHECK_INT(comparison.hot[TIMING_UNSURE], 5);
	CHECK_INT(comparison.cases[0].hot.is_normalised, 1);
	CHECK_NEAR(comparison.cases[0].hot.ratio, 1.1, 0.005);
	CHECK_NEAR(comparison.cases[0].hot.cycle_ratio, 1.0, 0.005);
	CHECK_NEAR(comparison.cases[0].hot.base_mhz, 1980, 0);
	struct text text = {0};
	comparison_append_case(&comparison.cases[0], &text);
	CHECK_CONTAINS(text.data, "in cycles x ");
	CHECK_CONTAINS(text.data, "as the SM clock went 1980 -> 1800 MHz");
	text_free(&text);
	comparison_free(&comparison);
	comparison = compared(&base, &slow);
	CHECK_INT(comparison.hot[TIMING_SLOWER], 5);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&slower);
	run_record_free(&slow);
}

static void verdicts_and_errors(void)
{
	struct run_record base = timed_run(12, 1, 0.002, 11), next = timed_run(12, 1, 0.002, 11);
	set_status(&next.cases[0], STATUS_FAIL);
	set_status(&next.cases[1], STATUS_SKIPPED);
	set_status(&base.cases[2], STATUS_CRASHED);
	set_status(&base.cases[3], STATUS_FAIL);
	set_status(&next.cases[3], STATUS_CRASHED);
	set_status(&base.cases[4], STATUS_UNSUPPORTED);
	set_status(&next.cases[4], STATUS_SKIPPED);
	next.cases[5].judgement.margin = 1.5;
	next.cases[6].judgement.margin = (double)NAN;
	base.cases[7].judgement.margin = 2.0;
	next.cases[7].judgement.margin = (double)INFINITY;
	next.cases[8].digests[0].half[1]++;
	snprintf(next.cases[9].output_names[0], sizeof next.cases[9].output_names[0], "other");
	struct comparison comparison = compared(&base, &next);
	CHECK_INT(comparison.worse, 3);
	CHECK_INT(comparison.better, 1);
	CHECK_INT(comparison.other_verdict, 1);
	CHECK_INT(comparison.margins, 1);
	CHECK_INT(comparison.other_bits, 1);
	CHECK_INT(comparison.unknown_bits, 1);
	CHECK_INT(comparison.regressions, 4);
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:0")->regressions, REGRESSION_VERDICT);
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:0")->hot.verdict, TIMING_REFUSED);
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:3")->regressions, REGRESSION_VERDICT);
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:5")->regressions, REGRESSION_MARGIN);
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:6")->regressions, 0);
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:7")->regressions, 0);
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:8")->output_bits[0], BITS_DIFFER);
	comparison_free(&comparison);
	next.seed++; /* other inputs: bits say nothing */
	comparison = compared(&base, &next);
	CHECK_INT(comparison.unknown_bits, 12);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

static void set_launch(struct case_record *record, const char *kernel, int registers, int shared, int local)
{
	record->launch_count = 1;
	record->launches[0] = (struct launch_record){.grid = {1, 1, 1}, .block = {128, 1, 1}, .registers = registers,
						     .static_shared_bytes = shared, .local_bytes = local};
	snprintf(record->launches[0].kernel, sizeof record->launches[0].kernel, "%s", kernel);
}

/* What kernels take: each told once, new local memory first, and none of it a regression by itself. */
static void resources(void)
{
	struct run_record base = timed_run(8, 1, 0.002, 21), next = timed_run(8, 1, 0.002, 21);
	const struct {
		const char *kernel;
		int base[3], next[3];
	} launches[8] = {{"same", {32, 0, 0}, {32, 0, 0}},	{"spills", {32, 0, 0}, {32, 0, 16}}, {"more", {32, 0, 8}, {40, 0, 8}},
			 {"more", {32, 0, 8}, {40, 0, 8}},	{"less", {64, 1024, 0}, {64, 512, 0}}, {"other", {64, 0, 0}, {60, 256, 0}},
			 {"unknown", {-1, -1, -1}, {40, 0, 16}}, {"failed", {32, 0, 0}, {255, 0, 64}}};
	for (int i = 0; i < 8; i++) {
		set_launch(&base.cases[i], launches[i].kernel, launches[i].base[0], launches[i].base[1], launches[i].base[2]);
		set_launch(&next.cases[i], launches[i].kernel, launches[i].next[0], launches[i].next[1], launches[i].next[2]);
	}
	set_status(&base.cases[7], STATUS_FAIL);
	set_status(&next.cases[7], STATUS_FAIL);
	struct comparison comparison = compared(&base, &next);
	CHECK_INT(comparison.regressions, 0);
	CHECK_INT(comparison.kernels_compared, 5);
	CHECK_INT(comparison.resource_count, 4);
	CHECK_INT(comparison.kernels_worse, 3);
	CHECK_INT(comparison.kernels_better, 1);
	CHECK_INT(comparison.kernels_new_local, 1);
	CHECK_TEXT(comparison.resources[0].name, "spills");
	CHECK_INT(comparison.resources[0].is_new_local, 1);
	CHECK_TEXT(comparison.resources[1].name, "more");
	CHECK_INT(comparison.resources[1].cases, 2);
	CHECK_TEXT(comparison.resources[2].name, "other");
	CHECK_TEXT(comparison.resources[3].name, "less");
	const struct comparison_files files = {"a.h5", "b.h5"};
	const struct report_options options = {.style = REPORT_TERMINAL};
	struct text text = {0};
	comparison_append(&comparison, &files, &options, &text);
	CHECK_CONTAINS(text.data, "NEW LOCAL");
	CHECK_CONTAINS(text.data, "local bytes (stack, spills) 0 -> 16");
	CHECK_CONTAINS(text.data, "static shared bytes 1024 -> 512");
	text_free(&text);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

/* Copies of outputs that differ say by how much. */
static void differences(void)
{
	struct run_record base = timed_run(3, 1, 0.002, 22), next = timed_run(3, 1, 0.002, 22);
	struct run_record *const runs[] = {&base, &next};
	for (int s = 0; s < 2; s++)
		for (int i = 0; i < 2; i++) {
			struct output_copy *copy = &runs[s]->cases[i].outputs[0];
			float *values = calloc(4, sizeof *values);
			*copy = (struct output_copy){.dtype = DTYPE_F32, .size = 16, .bytes = values};
			values[2] = 1;
			if (s && i)
				values[2] = nextafterf(nextafterf(1, 2), 2);
		}
	next.cases[1].digests[0].half[0]++;
	next.cases[2].digests[0].half[0]++;
	struct comparison comparison = compared(&base, &next);
	CHECK_INT(comparison.other_bits, 2);
	CHECK_INT(comparison.measured_outputs, 1);
	CHECK_INT(comparison.elements, 4);
	CHECK_INT(comparison.differing, 1);
	CHECK_INT(comparison.ulps[ULP_FEW], 1);
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:2")->differences[0].is_known, 0);
	struct text text = {0};
	comparison_append_case(pair_named(&comparison, "uexp_f32/case:1"), &text);
	CHECK_CONTAINS(text.data, "other bits in out: 1 of 4 elements, at most 2 ULP (element 2: 1 -> 1.00000024)");
	text_free(&text);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

static void vanished_and_new(void)
{
	struct run_record base = timed_run(9, 1, 0.002, 12), next = timed_run(8, 1, 0.002, 12), other = timed_run(2, 1, 0.002, 13);
	snprintf(next.cases[3].entry_point, sizeof next.cases[3].entry_point, "uexp_new");
	snprintf(next.cases[7].entry_point, sizeof next.cases[7].entry_point, "uexp_new");
	struct comparison comparison = compared(&base, &next);
	CHECK_INT(comparison.common, 6);
	CHECK_INT(comparison.vanished, 3); /* 3, 7 and 8 */
	CHECK_INT(comparison.added, 2);
	CHECK_INT(comparison.regressions, 3);
	CHECK_INT(comparison.entries_vanished, 1); /* uexp_f3 */
	CHECK_INT(comparison.entries_added, 1);
	CHECK_INT(comparison.cases[0].regressions, REGRESSION_VANISHED);
	comparison_free(&comparison);

	snprintf(other.cases[0].name, sizeof other.cases[0].name, "elsewhere");
	snprintf(other.cases[1].family, sizeof other.cases[1].family, "binary");
	const struct compare_options options = {.threshold = 0.01};
	struct error err = {0};
	CHECK_INT(compare_runs(&base, &other, &options, &comparison, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_CONTAINS(err.message, "none of the 9 cases of the base run is among the 2 of the new run");
	other.case_count = 0;
	CHECK_INT(compare_runs(&other, &other, &options, &comparison, &err), -1);
	other.case_count = 2;
	run_record_free(&base);
	run_record_free(&next);
	run_record_free(&other);
}

/* Two artifacts with the same entry points: cases stay with the artifact of their name, wherever it lies in the run. */
static void several_artifacts(void)
{
	struct run_record base = timed_run(2, 1, 0.002, 14), next = timed_run(2, 1, 0.002, 14);
	for (int i = 0; i < 2; i++) {
		struct case_record *const both[] = {&base.cases[i], &next.cases[i]};
		for (int k = 0; k < 2; k++) {
			snprintf(both[k]->name, sizeof both[k]->name, "same");
			snprintf(both[k]->entry_point, sizeof both[k]->entry_point, "uexp");
		}
	}
	struct artifact_record swapped = next.artifacts[0];
	next.artifacts[0] = next.artifacts[1];
	next.artifacts[1] = swapped;
	next.cases[0].artifact = 1;
	next.cases[1].artifact = 0;
	struct comparison comparison = compared(&base, &next);
	CHECK_INT(comparison.common, 2);
	CHECK_INT(comparison.same_bits, 2);
	for (size_t i = 0; i < 2; i++)
		CHECK_TEXT(base.artifacts[comparison.cases[i].base->artifact].path, next.artifacts[comparison.cases[i].next->artifact].path);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

static void artifacts_and_inventories(void)
{
	struct run_record base = sample_run(8), next = sample_run(8);
	sample_operators(&base);
	sample_operators(&next);
	set_text(&next.artifacts[0].toolkit, "CUDA 13.1");
	next.artifacts[0].load_seconds = 0.5;
	set_text(&next.artifacts[0].donor, "path /of/linux.a\nsha256 ab12");
	set_text(&next.artifacts[1].path, "renamed.a");
	set_text(&next.inventories[0].missing, "sort: asort_asc_f32\nunary: uexp_f64");
	CHECK_INT(artifact_record_mark(&next.artifacts[0], "_Z10additionalv", NULL), 0);
	struct comparison comparison = compared(&base, &next);
	CHECK_INT(comparison.artifact_count, 3);
	CHECK_CONTAINS(comparison.artifacts[0].changes, "toolkit: CUDA 13.0 (V13.0.88) -> CUDA 13.1");
	CHECK_CONTAINS(comparison.artifacts[0].changes, "host code that ran: its own -> /of/linux.a (sha256 ab12)");
	CHECK_CONTAINS(comparison.artifacts[0].changes, "load time (measured once): 0.2 s -> 0.5 s (x 2.50)");
	CHECK_CONTAINS(comparison.artifacts[0].changes, "1 kernel new: additional");
	CHECK(comparison.artifacts[1].next == NULL);
	CHECK(comparison.artifacts[2].base == NULL);
	CHECK_TEXT(comparison.missing, "unary: uexp_f64");
	CHECK_INT(comparison.missing_count, 1);
	CHECK_INT(comparison.regressions, 1);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

/* ---- what is said ---- */

static void outputs(void)
{
	struct run_record base = timed_run(60, 1, 0.002, 15), next = timed_run(58, 1.05, 0.002, 16);
	const struct comparison_files files = {"a<b>.h5", "c&d.h5"};
	set_status(&next.cases[0], STATUS_FAIL);
	set_status(&base.cases[1], STATUS_SKIPPED);
	set_status(&next.cases[1], STATUS_SKIPPED);
	snprintf(next.cases[2].name, sizeof next.cases[2].name, "odd\001\xff|name");
	struct comparison comparison = compared(&base, &next);
	struct text text = {0};
	const struct report_options cut = {.style = REPORT_MARKDOWN, .cases_max = 5}, all = {.style = REPORT_TERMINAL};
	comparison_append(&comparison, &files, &cut, &text);
	CHECK_CONTAINS(text.data, "## assay compare: 59 regressions");
	CHECK_CONTAINS(text.data, "uexp\\_f1: 14 of 15 cases, worst ");
	CHECK_CONTAINS(text.data, "<details><summary>By family (1)</summary>");
	CHECK_CONTAINS(text.data, "a\\<b\\>.h5");
	CHECK(strchr(text.data, 1) == NULL);
	text_free(&text);
	comparison_append(&comparison, &files, &all, &text);
	CHECK_CONTAINS(text.data, "verdict     uexp_f32/case:0\n              pass -> fail (because <it>");
	CHECK_CONTAINS(text.data, "vanished    uexp_f32/case:59");
	CHECK_CONTAINS(text.data, "SLOWER      uexp_f32/case:57");
	text_free(&text);

	comparisons_append_junit(&comparison, &files, 1, &text);
	CHECK_CONTAINS(text.data, "<testsuite name=\"c&amp;d.h5 against a&lt;b&gt;.h5\" tests=\"61\" "
				  "failures=\"59\" errors=\"0\" skipped=\"1\">");
	CHECK_CONTAINS(text.data, "classname=\"unary.uexp_f0 (libflashattention.a)\" name=\"uexp_f32/case:0\"");
	CHECK_CONTAINS(text.data, "&lt;it&gt; &amp; &quot;that&quot;");
	CHECK_CONTAINS(text.data, "name=\"odd??|name\"");
	size_t opened = 0, closed = 0;
	for (const char *at = text.data; (at = strstr(at, "<testcase ")); at++)
		opened++;
	for (const char *at = text.data; (at = strstr(at, "</testcase>")); at++)
		closed++;
	CHECK_INT(opened, 61);
	CHECK_INT(closed, 60); /* one is well */
	text_free(&text);

	json_t *json = comparisons_to_json(&comparison, &files, 1, 1);
	const json_t *one = json_array_get(json_object_get(json, "comparisons"), 0);
	CHECK_INT(json_integer_value(json_object_get(json, "regressions")), 59);
	CHECK_INT(json_array_size(json_object_get(one, "cases")), 61);
	const json_t *first = json_array_get(json_object_get(one, "cases"), 0);
	CHECK_TEXT(json_string_value(json_object_get(first, "new_status")), "fail");
	CHECK_TEXT(json_string_value(json_object_get(json_object_get(first, "hot"), "verdict")), "REFUSED");
	json_decref(json);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

static void write_run(const struct run_record *run, const char *path)
{
	struct record_writer *writer;
	struct error err = {0};
	CHECK_INT(record_writer_open(&writer, path, run, &err), 0);
	for (size_t i = 0; i < run->case_count; i++)
		CHECK_INT(record_writer_add_unflushed(writer, &run->cases[i], &err), 0);
	CHECK_INT(record_writer_commit(writer, run, &err), 0);
}

static int compare_files(const char *base, const char *next, const char *threshold, const char *json)
{
	char *words[] = {strdup("compare"), strdup(base), strdup(next), strdup("--threshold"), strdup(threshold), strdup("--json"),
			 strdup(json)};
	const int count = (int)(sizeof words / sizeof words[0]);
	char *argv[sizeof words / sizeof words[0] + 1] = {0};
	memcpy(argv, words, sizeof words); /* parsing moves them */
	const int code = cmd_compare(count, argv);
	for (int i = 0; i < count; i++)
		free(words[i]);
	return code;
}

/* The command on files: samples go through them, the threshold decides. */
static void command(void)
{
	char folder[] = "/tmp/assay-compare.XXXXXX", base_path[64], next_path[64], json_path[64];
	struct run_record base = timed_run(20, 1, 0.002, 17), next = timed_run(20, 1.03, 0.002, 18);
	if (!mkdtemp(folder))
		exit(1);
	snprintf(base_path, sizeof base_path, "%s/base.h5", folder);
	snprintf(next_path, sizeof next_path, "%s/next.h5", folder);
	snprintf(json_path, sizeof json_path, "%s/out.json", folder);
	write_run(&base, base_path);
	write_run(&next, next_path);
	CHECK_INT(compare_files(base_path, next_path, "1", json_path), 1);
	json_t *json = json_load_file(json_path, 0, NULL);
	CHECK_INT(json_integer_value(json_object_get(json, "regressions")), 20);
	json_decref(json);
	CHECK_INT(compare_files(base_path, next_path, "5%", json_path), 0);
	CHECK_INT(compare_files(next_path, base_path, "1", json_path), 0); /* faster is no regression */
	CHECK_INT(compare_files(base_path, base_path, "0.5", json_path), 0);
	CHECK_INT(compare_files(base_path, "/no/such/file.h5", "1", json_path), 3);
	CHECK_INT(compare_files(base_path, next_path, "nan", json_path), 2);
	CHECK_INT(compare_files(base_path, next_path, "1 or so", json_path), 2);
	unlink(base_path);
	unlink(next_path);
	unlink(json_path);
	CHECK_INT(rmdir(folder), 0);
	run_record_free(&base);
	run_record_free(&next);
}

/* 27 000 cases that all became worse: still a comment that fits GitHub's 65 536 characters. */
static void bounded(void)
{
	struct run_record base = sample_run(0), next = sample_run(0);
	for (int i = 0; i < 27000; i++) {
		struct case_record record = passed_case(i);
		snprintf(record.entry_point, sizeof record.entry_point, "entry_%d", i % 740);
		snprintf(record.family, sizeof record.family, "family_%d", i % 24);
		if (run_record_add(&base, &record, NULL))
			exit(1);
		if (i % 3 == 0)
			continue;
		if (i % 3 == 1)
			set_status(&record, STATUS_FAIL);
		memset(record.judgement.reason, 'x', sizeof record.judgement.reason - 1);
		record.digests[0].half[0]++;
		if (run_record_add(&next, &record, NULL))
			exit(1);
	}
	struct comparison comparison = compared(&base, &next);
	const struct comparison_files files = {"a.h5", "b.h5"};
	const struct report_options cut = {.style = REPORT_MARKDOWN, .cases_max = 20};
	struct text text = {0};
	CHECK_INT(comparison.regressions, 18000);
	comparison_append(&comparison, &files, &cut, &text);
	printf("Markdown of 18000 regressions: %zu bytes\n", text.length);
	CHECK(text.length > 1000 && text.length < 65536);
	text_free(&text);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

int main(void)
{
	identical();
	false_alarms();
	slower_and_faster();
	not_comparable();
	clocks();
	verdicts_and_errors();
	resources();
	differences();
	vanished_and_new();
	several_artifacts();
	artifacts_and_inventories();
	outputs();
	command();
	bounded();
	return check_result();
}
