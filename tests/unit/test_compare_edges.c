/* Comparisons at their edges: times that are none, regressions of every kind, devices of each case, entry points that were never
 * there, names that would break what is written. */
#include "check.h"

#include "compare_report.h"
#include "compare_samples.h"
#include "json_schema.h"

static void check_time(const struct comparison *comparison, int index, enum timing_verdict verdict, const char *words)
{
	char name[64];
	snprintf(name, sizeof name, "uexp_f32/case:%d", index);
	const struct timing_comparison *hot = &pair_named(comparison, name)->hot;
	CHECK_TEXT(timing_verdict_name(hot->verdict), timing_verdict_name(verdict));
	CHECK_CONTAINS(hot->reason, words);
}

/* Samples of two values that are a millionth apart: the step of a timer far below any threshold. */
static struct timing_record steady(double seconds, int64_t samples)
{
	struct timing_record timing = {.measured = 1, .median = seconds, .samples = samples};
	timing.raw = calloc((size_t)samples + 1, sizeof *timing.raw);
	if (!timing.raw)
		exit(1);
	for (int64_t i = 0; i < samples; i++)
		timing.raw[i] = seconds * (i % 2 ? 1 + 1e-6 : 1);
	return timing;
}

static struct timing_record in_rounds(double seconds, int rounds)
{
	struct timing_record timing = steady(seconds, 4 * rounds);
	timing.rounds = rounds;
	for (int i = 0; i < rounds; i++)
		timing.round_samples[i] = 4;
	return timing;
}

static void set_times(struct case_record *record, struct timing_record hot)
{
	free(record->hot.raw);
	record->hot = hot;
}

/* What no verdict can be made of is refused with the reason and never the same, faster or slower. */
static void times_at_the_edge(void)
{
	struct run_record base = timed_run(14, 1, 1e-6, 51), next = timed_run(14, 1, 1e-6, 51);
	const struct {
		struct timing_record base, next;
		enum timing_verdict verdict;
		const char *words;
	} cases[] = {
		{steady(1e-4, 24), steady(0, 24), TIMING_REFUSED, "sample 0 of the new run is 0 s, which is no time"},
		{steady(-1e-4, 24), steady(1e-4, 24), TIMING_REFUSED, "sample 0 of the base run is -0.0001 s"},
		{steady(1e-4, 24), steady((double)INFINITY, 24), TIMING_REFUSED, "is inf s"},
		{steady(1e-4, 24), steady((double)NAN, 24), TIMING_REFUSED, "is nan s"},
		{steady(1e-4, 1), steady(1e-4, 24), TIMING_REFUSED, "the base run has 1 samples, too few"},
		{steady(1e-4, 24), steady(1e-4, 0), TIMING_REFUSED, "no samples of the new run"},
		{{0}, steady(1e-4, 24), TIMING_REFUSED, "timed in the new run only"},
		{{0}, {0}, TIMING_NONE, ""},
		/* a ratio beyond what a double holds is slower all the same */
		{steady(1e-300, 24), steady(1e300, 24), TIMING_SLOWER, ""},
		{steady(1e300, 24), steady(1e-300, 24), TIMING_FASTER, ""},
		/* one round is none: its samples are one run's */
		{in_rounds(1e-4, 1), in_rounds(1e-4, 1), TIMING_REFUSED, "4 samples, too few"},
		/* rounds that are all alike: an interval of hardly any width */
		{in_rounds(1e-4, 2), in_rounds(1e-4, 3), TIMING_SAME, ""},
		{in_rounds(1e-4, 2), in_rounds(1.02e-4, 2), TIMING_SLOWER, ""},
		/* rounds on one side only are samples */
		{in_rounds(1e-4, 8), steady(1e-4, 24), TIMING_SAME, ""},
	};
	for (int i = 0; i < (int)ARRAY_COUNT(cases); i++) {
		set_times(&base.cases[i], cases[i].base);
		set_times(&next.cases[i], cases[i].next);
	}
	struct comparison comparison = compared(&base, &next);
	for (int i = 0; i < (int)ARRAY_COUNT(cases); i++)
		check_time(&comparison, i, cases[i].verdict, cases[i].words);
	CHECK_INT(comparison.regressions, 2);
	/* numbers that JSON does not know are what the schema says */
	const struct comparison_files files = {"a.h5", "b.h5"};
	struct schema_check check = {0};
	json_t *schema = json_load_file(COMPARE_SCHEMA, 0, NULL), *json = comparisons_to_json(&comparison, &files, 1, 1);
	check.root = schema;
	CHECK(schema && json && schema_validate(&check, schema, json) == 0);
	json_decref(schema);
	json_decref(json);
	comparison_free(&comparison);
	/* sizes of rounds that do not add up are a file's fault, not a verdict */
	base.cases[12].hot.round_samples[1] = 3;
	next.cases[11].hot.round_samples[0] = 0;
	comparison = compared(&base, &next);
	check_time(&comparison, 12, TIMING_REFUSED, "the base run has 8 samples in 2 rounds");
	check_time(&comparison, 11, TIMING_REFUSED, "round 0 of the new run has 0 samples");
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

/* The threshold decides at its edge: 3 % more is slower by a threshold of 2 % and the same by one of 4 %. */
static void thresholds(void)
{
	struct run_record base = timed_run(1, 1, 1e-6, 52), next = timed_run(1, 1.03, 1e-6, 52);
	const struct {
		double threshold;
		enum timing_verdict forth, back;
	} cases[] = {{1e-9, TIMING_SLOWER, TIMING_FASTER}, {0.02, TIMING_SLOWER, TIMING_FASTER}, {0.04, TIMING_SAME, TIMING_SAME},
		     {0.999, TIMING_SAME, TIMING_SAME}};
	for (int i = 0; i < (int)ARRAY_COUNT(cases); i++) {
		const struct compare_options options = {.threshold = cases[i].threshold};
		struct comparison forth, back;
		CHECK_INT(compare_runs(&base, &next, &options, &forth, NULL), 0);
		CHECK_INT(compare_runs(&next, &base, &options, &back, NULL), 0);
		CHECK_TEXT(timing_verdict_name(forth.cases[0].hot.verdict), timing_verdict_name(cases[i].forth));
		CHECK_TEXT(timing_verdict_name(back.cases[0].hot.verdict), timing_verdict_name(cases[i].back));
		comparison_free(&forth);
		comparison_free(&back);
	}
	run_record_free(&base);
	run_record_free(&next);
}

/* Each by itself is one, and is called by its name. */
static void every_regression(void)
{
	struct run_record base = timed_run(6, 1, 1e-6, 53), next = timed_run(5, 1, 1e-6, 53);
	static const char *const names[] = {"verdict", "error", "error", "SLOWER", "SLOWER", "vanished"};
	static const unsigned bits[] = {REGRESSION_VERDICT, REGRESSION_MARGIN, REGRESSION_MARGIN, REGRESSION_SLOWER, REGRESSION_SLOWER,
					REGRESSION_VANISHED};
	set_status(&next.cases[0], STATUS_TIMEOUT);
	next.cases[1].judgement.margin = nextafter(1, 2);
	base.cases[2].judgement.lse_margin = 1;
	next.cases[2].judgement.lse_margin = (double)INFINITY;
	set_times(&next.cases[3], steady(1.5e-4 * 4, 24));
	/* faster with warm caches and slower with cold ones */
	set_times(&next.cases[4], steady(1e-5, 24));
	base.cases[4].cold = steady(1e-4, 24);
	next.cases[4].cold = steady(2e-4, 24);
	struct comparison comparison = compared(&base, &next);
	CHECK_INT(comparison.regressions, 6);
	for (int i = 0; i < 6; i++) {
		char name[64];
		snprintf(name, sizeof name, "uexp_f32/case:%d", i);
		CHECK_INT(pair_named(&comparison, name)->regressions, bits[i]);
		CHECK_TEXT(comparison_regression_name(pair_named(&comparison, name)), names[i]);
	}
	CHECK_INT(pair_named(&comparison, "uexp_f32/case:4")->hot.verdict, TIMING_FASTER);
	CHECK_TEXT(timing_verdict_name(case_timing(pair_named(&comparison, "uexp_f32/case:4"))), "SLOWER");
	comparison_free(&comparison);
	/* a bound that is met exactly is met; what had been beyond it before is no news */
	next.cases[1].judgement.margin = 1;
	base.cases[2].judgement.lse_margin = 2;
	comparison = compared(&base, &next);
	CHECK_INT(comparison.regressions, 4);
	CHECK_INT(comparison.margins, 0);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

static void add_device(struct run_record *run, const char *id, const char *name, const char *uuid, int cc_major)
{
	struct device_properties properties = run->devices[0].properties;
	snprintf(properties.id, sizeof properties.id, "%s", id);
	snprintf(properties.name, sizeof properties.name, "%s", name);
	snprintf(properties.uuid, sizeof properties.uuid, "%s", uuid);
	properties.cc_major = cc_major;
	if (run_record_append_device(run, &properties, "", NULL) < 0)
		exit(1);
}

/* Runs on several devices: each case by those that it ran on, whichever is the first of its run. */
static void several_devices(void)
{
	struct run_record base = timed_run(8, 1, 0.002, 31), next = timed_run(8, 1.1, 0.002, 32);
	static const char h100[] = "NVIDIA H100 80GB HBM3"; /* as the sample's first device */
	add_device(&base, "cuda:1", "NVIDIA A100", "GPU-a", 8);
	add_device(&base, "cuda:2", h100, "GPU-4567", 9);
	add_device(&next, "cuda:1", h100, "GPU-4567", 9);
	add_device(&next, "cuda:2", "NVIDIA A100", "GPU-a", 8);
	add_device(&next, "cuda:3", "NVIDIA H200", "GPU-h", 9);
	base.devices[2].other_processes = 3;
	/* of case 0, 1, ...: H100 twice, another H100, A100 twice, H100 and A100, A100 and H100, H100 and H200, H100, H100 */
	const int on_base[] = {0, 0, 1, 0, 1, 0, 2, 2}, on_next[] = {0, 1, 2, 2, 0, 3, 1, 0};
	for (int i = 0; i < 8; i++) {
		base.cases[i].device = on_base[i];
		next.cases[i].device = on_next[i];
	}
	struct comparison comparison = compared(&base, &next);
	for (int i = 0; i < 3; i++)
		check_time(&comparison, i, TIMING_SLOWER, "");
	check_time(&comparison, 3, TIMING_REFUSED, "different architectures (sm_90, sm_80)");
	check_time(&comparison, 4, TIMING_REFUSED, "different architectures (sm_80, sm_90)");
	check_time(&comparison, 5, TIMING_REFUSED, "the devices differ (NVIDIA H100 80GB HBM3, NVIDIA H200)");
	check_time(&comparison, 6, TIMING_SLOWER, "");
	check_time(&comparison, 7, TIMING_SLOWER, "");
	CHECK_INT(comparison.regressions, 5);
	CHECK_TEXT(comparison.timing_refusal, "");
	CHECK_CONTAINS(comparison.conditions, "device: NVIDIA A100, NVIDIA H100 80GB HBM3 -> NVIDIA A100, NVIDIA H100 80GB HBM3, "
					      "NVIDIA H200");
	CHECK_CONTAINS(comparison.conditions, "cards: 2 of the 8 cases that both runs timed ran on another card of the same name");
	CHECK_CONTAINS(comparison.conditions, "other processes on a card: 3 in the base run, 0 in the new one");
	CHECK(strstr(comparison.conditions, "architecture: ") == NULL); /* the same two, in another order */
	/* every reason is told, though digits are all that sets them apart */
	const struct comparison_files files = {"a.h5", "b.h5"};
	const struct report_options options = {.style = REPORT_TERMINAL};
	struct text text = {0};
	comparison_append(&comparison, &files, &options, &text);
	CHECK_CONTAINS(text.data, "(sm_90, sm_80) (1)");
	CHECK_CONTAINS(text.data, "(sm_80, sm_90) (1)");
	text_free(&text);
	json_t *json = comparisons_to_json(&comparison, &files, 1, 0);
	CHECK_TEXT(json_string_value(json_object_get(json_object_get(json, "base"), "device")), "NVIDIA A100, NVIDIA H100 80GB HBM3");
	json_decref(json);
	comparison_free(&comparison);

	/* all cases on the second device, which is another than the first run's first: the refusal is of the whole */
	for (int i = 0; i < 8; i++) {
		base.cases[i].device = 0;
		next.cases[i].device = 3;
	}
	comparison = compared(&base, &next);
	CHECK_INT(comparison.hot[TIMING_REFUSED], 8);
	CHECK_CONTAINS(comparison.timing_refusal, "the devices differ (NVIDIA H100 80GB HBM3, NVIDIA H200)");
	comparison_free(&comparison);
	/* an index that no device has is of none, not of the first */
	next.cases[0].device = 77;
	comparison = compared(&base, &next);
	check_time(&comparison, 0, TIMING_REFUSED, "the devices are of different kinds (cuda, cpu)");
	CHECK_TEXT(comparison.timing_refusal, "");
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);

	/* two workers of one cpu are one device, and so is one of them */
	base = timed_run(4, 1, 0.002, 33);
	next = timed_run(4, 1, 0.002, 33);
	for (int i = 0; i < 2; i++) {
		struct device_properties *cpu = &(i ? &next : &base)->devices[0].properties;
		*cpu = (struct device_properties){.kind = DEVICE_CPU, .id = "cpu", .name = "A CPU"};
	}
	add_device(&next, "cpu", "A CPU", "", 0);
	next.cases[1].device = next.cases[3].device = 1;
	comparison = compared(&base, &next);
	CHECK_INT(comparison.hot[TIMING_SAME], 4);
	CHECK_TEXT(comparison.conditions, "");
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

static struct comparison with_inventories(struct run_record *base, struct run_record *next, const char *modules,
					  const char *missing, const char *profile, int64_t architecture)
{
	set_text(&next->inventories[0].modules, modules);
	set_text(&next->inventories[0].missing, missing);
	set_text(&next->inventories[0].profile, profile);
	next->inventories[0].architecture = architecture;
	return compared(base, next);
}

/* What an inventory lacks has vanished only if it was there. */
static void newly_missing(void)
{
	struct run_record base = sample_run(8), next = sample_run(8);
	sample_operators(&base);
	sample_operators(&next);
	/* nobody looked at that module in the base */
	struct comparison comparison = with_inventories(&base, &next, "unary, sort, fill", "fill: fill_u8\nsort: asort_asc_f32", "0.9.2",
							90);
	CHECK_TEXT(comparison.missing, "");
	CHECK_INT(comparison.regressions, 0);
	comparison_free(&comparison);
	/* another release may have others: what the base had is told by its cases */
	comparison = with_inventories(&base, &next, "unary, sort", "unary: uexp_f32\nunary: unew_f32", "0.11", 90);
	CHECK_TEXT(comparison.missing, "unary: uexp_f32");
	comparison_free(&comparison);
	/* of an older architecture fewer are expected */
	base.inventories[0].architecture = 80;
	comparison = with_inventories(&base, &next, "unary, sort", "unary: uexp_f32\nunary: uexp_f8_e4m3", "0.9.2", 90);
	CHECK_TEXT(comparison.missing, "unary: uexp_f32");
	comparison_free(&comparison);
	base.inventories[0].architecture = 90;
	/* two folders that lack it lack one entry point; one that has vanished with its cases is counted once */
	for (size_t i = 0; i < next.case_count; i++)
		if (strcmp(next.cases[i].entry_point, "ulog_f32") == 0)
			snprintf(next.cases[i].entry_point, sizeof next.cases[i].entry_point, "ulog_new");
	struct inventory_record *more = run_record_add_inventory(&next, NULL);
	CHECK(more != NULL);
	set_text(&more->profile, "0.9.2");
	set_text(&more->missing, "unary: ulog_f32\nunary: usqrt_f32");
	more->architecture = 90;
	comparison = with_inventories(&base, &next, "unary, sort", "unary: ulog_f32", "0.9.2", 90);
	CHECK_TEXT(comparison.missing, "unary: ulog_f32\nunary: usqrt_f32");
	CHECK_INT(comparison.missing_count, 2);
	CHECK_INT(comparison.entries_vanished, 1);
	CHECK_INT(comparison.entries_gone, 2);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

/* An entry point has a name of up to 255 characters; how many of its cases became worse comes after it. */
static void long_names(void)
{
	struct run_record base = timed_run(4, 1, 1e-6, 61), next = timed_run(4, 1, 1e-6, 61);
	struct text text = {0};
	for (int i = 0; i < 4; i++) {
		memset(base.cases[i].entry_point, 'e', sizeof base.cases[i].entry_point - 1);
		memset(next.cases[i].entry_point, 'e', sizeof next.cases[i].entry_point - 1);
		set_status(&next.cases[i], STATUS_FAIL);
		next.cases[i].digests[0].half[0]++;
	}
	struct comparison comparison = compared(&base, &next);
	const struct comparison_files files = {"a.h5", "b.h5"};
	const struct report_options options = {.style = REPORT_TERMINAL, .cases_max = 1};
	comparison_append(&comparison, &files, &options, &text);
	CHECK_CONTAINS(text.data, "eee: 4 of 4 cases, worst uexp_f32/case:0");
	CHECK_CONTAINS(text.data, "eee: 4 of 4 cases\n");
	text_free(&text);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

/* Names of a result file are anyone's: no line begins with a part of them, and no control character reaches a terminal. */
static void hostile_names(void)
{
	static const char evil[] = "e|`v\n# il\r\033[31m";
	struct run_record base = timed_run(3, 1, 0.002, 41), next = timed_run(3, 1, 0.002, 41);
	struct run_record *const runs[] = {&base, &next};
	for (int s = 0; s < 2; s++) {
		struct case_record *cases = runs[s]->cases;
		for (int i = 0; i < 3; i++)
			snprintf(cases[i].family, sizeof cases[i].family, "%s", evil);
		snprintf(cases[s].name, sizeof cases[s].name, "%s%d", evil, s);
		snprintf(cases[s].entry_point, sizeof cases[s].entry_point, "%s%d", evil, s);
		snprintf(cases[2].output_names[0], sizeof cases[2].output_names[0], "%s", evil);
		set_text(&runs[s]->host, s ? evil : "host");
		snprintf(runs[s]->devices[0].properties.name, sizeof runs[s]->devices[0].properties.name, "%s%d", evil, s);
		set_text(&runs[s]->artifacts[s].path, evil);
	}
	next.cases[2].digests[0].half[0]++;
	set_status(&next.cases[2], STATUS_FAIL);
	snprintf(next.cases[2].judgement.reason, sizeof next.cases[2].judgement.reason, "%s", evil);
	struct comparison comparison = compared(&base, &next);
	const struct comparison_files files = {evil, evil};
	for (int style = 0; style < 2; style++) {
		const struct report_options options = {.style = style ? REPORT_MARKDOWN : REPORT_TERMINAL};
		struct text text = {0};
		comparison_append(&comparison, &files, &options, &text);
		CHECK_CONTAINS(text.data, style ? "e\\|\\`v?\\# il??\\[31m" : "e|`v?# il??[31m");
		CHECK(strstr(text.data, "\n# il") == NULL);
		CHECK(strchr(text.data, '\r') == NULL && strchr(text.data, 033) == NULL);
		if (style)
			CHECK(strstr(text.data, "e|") == NULL && strstr(text.data, "|`") == NULL);
		text_free(&text);
	}
	struct text xml = {0};
	comparisons_append_junit(&comparison, &files, 1, &xml);
	CHECK(strchr(xml.data, 033) == NULL && strchr(xml.data, '\r') == NULL);
	text_free(&xml);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

int main(void)
{
	times_at_the_edge();
	thresholds();
	every_regression();
	several_devices();
	newly_missing();
	long_names();
	hostile_names();
	return check_result();
}
