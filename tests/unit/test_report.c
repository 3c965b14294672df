/* Reports: what they say, that they say it in every form, and that nothing in a record can break their form. */
#include "check.h"
#include "record_samples.h"

#include "cmd_report.h"
#include "report.h"
#include "report_conditions.h"
#include "operator_figures.h"
#include "report_figures.h"

#include <unistd.h>

static char *append(const struct run_record *const *runs, size_t count, struct report_options options)
{
	struct text text = {0};
	report_append(runs, count, &options, &text);
	CHECK(!text.failed && text.data);
	if (!text.data)
		exit(1);
	return text.data;
}

static int lines_with(const char *text, const char *needle)
{
	int lines = 0;
	for (const char *at = text; (at = strstr(at, needle)); at += strcspn(at, "\n"))
		lines++;
	return lines;
}

static void test_spread(void)
{
	double none[1] = {0};
	CHECK_INT(spread_of(none, 0).count, 0);
	double values[20];
	for (int i = 0; i < 20; i++)
		values[i] = (double)((i * 7) % 20 + 1); /* 1 to 20 in some order */
	struct spread spread = spread_of(values, 20);
	CHECK(spread.minimum == 1 && spread.median == 10 && spread.high == 19 && spread.maximum == 20);
	double two[] = {3, 2};
	spread = spread_of(two, 2);
	CHECK(spread.median == 2 && spread.high == 3);
	double bad[] = {(double)NAN, 1, 2};
	spread = spread_of(bad, 3);
	CHECK(spread.median == 2 && isinf(spread.maximum));
}

static void test_figures(void)
{
	struct run_device device = {.matrix_product_flops = 4e14, .matrix_product_flops_bf16 = 8e14};
	struct run_record run = {.devices = &device, .device_count = 1};
	struct case_record record = {.dtype = DTYPE_F16, .flops = 2e10, .bytes = 1e8,
				     .hot = {.measured = 1, .median = 1e-4, .low = 0.99e-4, .high = 1.03e-4},
				     .baselines = {{.name = RECORD_UNFUSED, .hot = {.measured = 1, .median = 5e-4}}}, .baseline_count = 1};
	CHECK(case_is_timed(&record));
	CHECK_NEAR(case_flop_rate(&record), 2e14, 1e3);
	CHECK_NEAR(case_byte_rate(&record), 1e12, 1);
	CHECK_NEAR(case_roof_share(&run, &record), 0.5, 1e-12);
	CHECK_NEAR(case_speedup(&record), 5, 1e-12);
	CHECK_NEAR(case_uncertainty(&record), 0.02, 1e-12);
	record.dtype = DTYPE_BF16;
	CHECK_NEAR(case_roof_share(&run, &record), 0.25, 1e-12);
	/* what did not pass has no throughput, however it was timed */
	for (int status = 0; status < STATUS_COUNT; status++) {
		record.judgement.status = (enum status)status;
		CHECK_INT(case_is_timed(&record), status == STATUS_PASS);
	}
	record.judgement.status = STATUS_PASS;
	record.hot.median = 0;
	CHECK(!case_is_timed(&record));
	struct text reasons = {0};
	append_throttle_reasons(1, &reasons);
	CHECK_TEXT(reasons.data, "none");
	text_free(&reasons);
	append_throttle_reasons(4 | 0x40, &reasons);
	CHECK_TEXT(reasons.data, "power cap, thermal slowdown (hardware)");
	text_free(&reasons);
}

static void test_summary(void)
{
	struct run_record run = sample_run(42);
	struct run_summary summary;
	size_t all = 0;
	CHECK_INT(run_summary_of(&run, &summary), 0);
	for (int status = 0; status < STATUS_COUNT; status++)
		all += summary.statuses[status];
	CHECK_INT(all, 42);
	CHECK_INT(summary.statuses[STATUS_FAIL], 6);        /* index 3 of 7 */
	CHECK_INT(summary.statuses[STATUS_MISTRUSTED], 6);  /* 4 */
	CHECK_INT(summary.statuses[STATUS_UNSUPPORTED], 6); /* 6 */
	CHECK_INT(summary.statuses[STATUS_PASS], 24);
	CHECK_INT(summary.checks[CHECK_NUMBERS][CHECK_BROKEN], 6);
	CHECK_INT(summary.checks[CHECK_LSE][CHECK_DISABLED], 6);
	/* the largest margin of a passed case in which numbers were compared: (0 + index) % 3 != 0, index 8 is infinite */
	CHECK(summary.worst && strcmp(summary.worst->name, "case-8") == 0 && isinf(summary.margins.maximum));
	struct throughput_group *groups;
	size_t count, cases = 0;
	CHECK_INT(throughput_groups(&run, &groups, &count), 0);
	for (size_t i = 0; i < count; i++) {
		cases += groups[i].cases;
		CHECK(groups[i].rate_best >= groups[i].rate_median && groups[i].best);
		CHECK(i == 0 || groups[i - 1].dtype < groups[i].dtype || groups[i - 1].head_dim < groups[i].head_dim);
	}
	CHECK_INT(cases, summary.timed);
	CHECK(summary.timed > 5);
	free(groups);
	run_record_free(&run);
}

static void test_terminal(void)
{
	struct run_record run = sample_run(42);
	const struct run_record *runs[] = {&run};
	char *text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL});
	CHECK_CONTAINS(text, "sm_90: NVIDIA H100 80GB HBM3\n============================\n");
	CHECK_CONTAINS(text, "driver 580.159.04 (CUDA 13.0)");
	CHECK_CONTAINS(text, "/artifacts/a b/libflashattention.a (ELF archive, 230.0 MB, sha256 0123)");
	CHECK_CONTAINS(text, "CUDA_COMPUTE_CAP=90");
	CHECK_CONTAINS(text, "2 symbols that the archive leaves undefined, first: one");
	CHECK_CONTAINS(text, "750 TFLOP/s in f16, 760 in bf16");
	CHECK_CONTAINS(text, "1755 MHz median, 1755 to 1980; power up to 690 W, 63");
	CHECK_CONTAINS(text, "held back by: power cap");
	CHECK_CONTAINS(text, "first note\n");
	CHECK_CONTAINS(text, "pass        24 of 42 cases (57.1 %)");
	CHECK_CONTAINS(text, "fail        6 of 42 cases (14.3 %)");
	CHECK_CONTAINS(text, "fail        case-3\n              numbers: batch 0, head 1 is wrong in case 3; also broken: exact\n");
	CHECK_CONTAINS(text, "reproduce: assay verify other.a --dataset datasets/attention.spec --filter case-3 --device cuda:0 --seed 5\n");
	CHECK_CONTAINS(text, "unsupported 6 cases, first case-6\n              head dim too large\n");
	CHECK_CONTAINS(text, "kernels        7 of the 10 of libflashattention.a that its entry point can launch here were launched (70.0 %)");
	CHECK_CONTAINS(text, "kernel7\n");
	CHECK_CONTAINS(text, "Throughput of passed cases");
	CHECK_CONTAINS(text, "half the 95 % confidence interval");
	CHECK(!strchr(text, '\033'));
	CHECK(!strstr(text, " nan"));
	/* six cases failed and six are mistrusted: each has its command */
	CHECK_INT(lines_with(text, "reproduce: "), 12);
	CHECK(!strstr(text, "incomplete"));
	free(text);

	text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL, .colour = 1});
	CHECK_CONTAINS(text, "\033[31mfail       \033[0m");
	free(text);
	text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL, .brief = 1});
	CHECK(!strstr(text, "reproduce: ") && !strstr(text, "Throughput"));
	CHECK_CONTAINS(text, "24 of 42 cases");
	free(text);
	text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL, .cases_max = 2});
	CHECK_INT(lines_with(text, "reproduce: "), 2);
	CHECK_CONTAINS(text, "... and 10 more cases");
	CHECK_CONTAINS(text, "The 2 largest cases of ");
	free(text);

	/* a run that was cut short says so; nothing at all says so too */
	run.complete = 0;
	text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL});
	CHECK_CONTAINS(text, "incomplete");
	free(text);
	struct run_record empty = {.complete = 1};
	const struct run_record *nothing[] = {&empty};
	text = append(nothing, 1, (struct report_options){.style = REPORT_TERMINAL});
	CHECK_CONTAINS(text, "No case was run.");
	free(text);
	run_record_free(&run);
}

static void test_groups(void)
{
	struct run_record first = sample_run(3), second = sample_run(2), third = sample_run(1);
	second.devices[0].properties.cc_major = 8;
	snprintf(second.devices[0].properties.name, sizeof second.devices[0].properties.name, "NVIDIA A100");
	const struct run_record *runs[] = {&first, &second, &third};
	char *text = append(runs, 3, (struct report_options){.style = REPORT_TERMINAL});
	const char *a = strstr(text, "sm_90: "), *b = strstr(text, "sm_80: NVIDIA A100\n");
	CHECK(a && b && a < b);
	CHECK_INT(lines_with(text, "sm_90: "), 1);
	/* both runs on the first architecture stand under its heading */
	CHECK(b && lines_with(b, "Conditions") == 1 && lines_with(text, "Conditions") == 3);
	free(text);
	run_record_free(&first);
	run_record_free(&second);
	run_record_free(&third);
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	return count;
}

/* One run on an H100 and an A100, and a second H100: cases by model, all devices named everywhere. */
static void test_models(void)
{
	struct run_record run = sample_run(12);
	struct device_properties other = run.devices[0].properties;
	snprintf(other.id, sizeof other.id, "cuda:1");
	CHECK_INT(run_record_append_device(&run, &other, "node-2", NULL), 1);
	other.cc_major = 8;
	snprintf(other.id, sizeof other.id, "cuda:2");
	snprintf(other.name, sizeof other.name, "NVIDIA A100");
	CHECK_INT(run_record_append_device(&run, &other, "", NULL), 2);
	run.devices[1].matrix_product_flops = 7e14;
	run.devices[2].matrix_product_flops = 2e14;
	for (size_t i = 0; i < run.case_count; i++)
		run.cases[i].device = (int32_t)(i % 3);
	run.artifacts[0].donor = sample_text("path linux.a\nsha256 ab12");
	const struct run_record *runs[] = {&run};
	char *text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL});
	char *a100 = strstr(text, "sm_80: NVIDIA A100\n");
	CHECK(a100 != NULL && strstr(text, "sm_90: NVIDIA H100 80GB HBM3\n") < a100);
	CHECK_INT(lines_with(text, "Conditions"), 2);
	CHECK_INT(lines_with(text, "device         cuda:0: NVIDIA H100"), 1);
	CHECK_INT(lines_with(text, "device         cuda:1 of node-2: NVIDIA H100"), 1);
	CHECK_INT(lines_with(text, "told apart     cuda:2: NVIDIA A100"), 1);
	CHECK_INT(lines_with(text, "cuda:1 of node-2: 700 TFLOP/s"), 1);
	if (a100) {
		CHECK_INT(lines_with(a100, "device         cuda:2: NVIDIA A100"), 1);
		CHECK_INT(lines_with(a100, "told apart     cuda:0: NVIDIA H100"), 1);
		CHECK_INT(lines_with(a100, "700 TFLOP/s"), 0);
		CHECK_INT(lines_with(a100, " of 4 cases"), 2);
	}
	free(text);

	/* a model of the same architecture: apart, under one heading */
	run.devices[2].properties.cc_major = 9;
	text = append(runs, 1, (struct report_options){.style = REPORT_MARKDOWN});
	CHECK_CONTAINS(text, "# sm\\_90: NVIDIA H100 80GB HBM3, NVIDIA A100\n");
	CHECK_INT(lines_with(text, "## Conditions"), 2);
	free(text);

	struct text out = {0};
	report_append_csv(runs, 1, &out);
	CHECK_CONTAINS(out.data, ",node-2,NVIDIA H100 80GB HBM3,cuda:1,sm_90,");
	CHECK_CONTAINS(out.data, ",NVIDIA A100,cuda:2,sm_90,");
	CHECK_CONTAINS(out.data, ",linux.a (sha256 ab12),");
	text_free(&out);
	report_append_junit(runs, 1, &out);
	CHECK_CONTAINS(out.data, "<testsuites name=\"assay\" tests=\"12\"");
	CHECK_CONTAINS(out.data, " on NVIDIA A100\" tests=\"");
	CHECK_INT(count_of(out.data, "<property name=\"device\" value=\"cuda:2: NVIDIA A100\"/>"), 4);
	CHECK_INT(count_of(out.data, "<property name=\"device\" value=\"cuda:1 of node-2: NVIDIA H100 80GB HBM3\"/>"), 4);
	CHECK_INT(count_of(out.data, "<testcase "), 12);
	CHECK_INT(count_of(out.data, "</testcase>"), 12);
	CHECK_CONTAINS(out.data, "<property name=\"donor of host code\" value=\"linux.a (sha256 ab12)\"/>");
	text_free(&out);
	report_append_html(runs, NULL, 1, &out);
	CHECK_CONTAINS(out.data, "Run 2: NVIDIA A100 (sm_90)");
	text_free(&out);
	json_t *json = report_to_json(runs, 1);
	json_t *made = json_array_get(json_object_get(json, "runs"), 0);
	json_t *conditions = json_object_get(made, "conditions"), *cases = json_object_get(made, "cases");
	CHECK_INT(json_array_size(json_object_get(conditions, "devices")), 3);
	CHECK(json_array_size(json_object_get(conditions, "warnings")) > 0);
	CHECK_INT(json_array_size(cases), 12);
	CHECK_INT(json_integer_value(json_object_get(json_array_get(cases, 5), "device")), 2);
	const char *id = json_string_value(json_object_get(json_array_get(cases, 5), "device_id"));
	CHECK(id && strcmp(id, "cuda:2") == 0);
	json_decref(json);

	/* where all cases ran on one model nothing is split */
	for (size_t i = 0; i < run.case_count; i++)
		run.cases[i].device = (int32_t)(i % 2);
	text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL});
	CHECK_INT(lines_with(text, "Conditions"), 1);
	CHECK_INT(lines_with(text, "told apart     cuda:2: NVIDIA A100"), 1);
	free(text);
	run_record_free(&run);
}

static void test_hostile(void)
{
	struct run_record run = sample_run(8);
	snprintf(run.cases[3].name, sizeof run.cases[3].name, "a|b`c*\033[31m\n# d");
	snprintf(run.cases[3].judgement.reason, sizeof run.cases[3].judgement.reason, "<script>|\x01\xff");
	const struct run_record *runs[] = {&run};
	char *text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL});
	CHECK(!strchr(text, '\033') && !strchr(text, 1));
	free(text);
	text = append(runs, 1, (struct report_options){.style = REPORT_MARKDOWN});
	CHECK_CONTAINS(text, "# sm\\_90: NVIDIA H100 80GB HBM3\n");
	CHECK_CONTAINS(text, "a\\|b\\`c\\*?\\[31m?\\# d");
	CHECK_CONTAINS(text, "\\<script\\>\\|?");
	CHECK(!strchr(text, '\033'));
	/* every row of a table has as many cells as its head */
	int bars = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		int here = 0;
		if (line[0] == '|')
			for (const char *at = line; *at; at++)
				here += *at == '|' && (at == line || at[-1] != '\\');
		CHECK(here == bars || bars == 0 || here == 0);
		bars = here;
	}
	free(text);
	json_t *json = report_to_json(runs, 1);
	CHECK(json != NULL);
	json_decref(json);
	run_record_free(&run);
}

static json_t *at(json_t *json, const char *name)
{
	json_t *value = json_object_get(json, name);
	CHECK(value != NULL);
	return value;
}

static void test_json(void)
{
	struct run_record run = sample_run(42);
	const struct run_record *runs[] = {&run};
	json_t *made = report_to_json(runs, 1);
	char *dumped = made ? json_dumps(made, 0) : NULL;
	CHECK(dumped != NULL);
	json_t *json = dumped ? json_loads(dumped, 0, NULL) : NULL;
	CHECK(json && json_equal(json, made));
	CHECK_INT(json_integer_value(at(json, "schema")), RECORD_SCHEMA);
	json_t *first = json_array_get(at(json, "runs"), 0), *cases = at(first, "cases");
	CHECK_INT(json_array_size(cases), 42);
	CHECK_INT(json_integer_value(at(at(at(first, "summary"), "statuses"), "pass")), 24);
	CHECK_INT(json_integer_value(at(at(at(at(first, "summary"), "checks"), "numbers"), "broken")), 6);
	CHECK_TEXT(json_string_value(at(at(at(first, "conditions"), "device"), "name")), "NVIDIA H100 80GB HBM3");
	CHECK_INT(json_integer_value(at(json_array_get(at(first, "artifacts"), 0), "kernels_launched")), 7);
	size_t timed = 0;
	for (size_t i = 0; i < json_array_size(cases); i++) {
		json_t *one = json_array_get(cases, i);
		const int passed = strcmp(json_string_value(at(one, "status")), "pass") == 0;
		CHECK_TEXT(json_string_value(at(one, "name")), run.cases[i].name);
		CHECK_INT(json_object_get(one, "reproduce") != NULL, !passed);
		CHECK(passed || json_object_get(one, "timing") == NULL);
		timed += json_object_get(one, "timing") != NULL;
	}
	CHECK_INT(json_integer_value(at(at(first, "summary"), "timed")), timed);
	CHECK_TEXT(json_string_value(at(at(json_array_get(cases, 8), "figures"), "margin")), "inf");
	CHECK_TEXT(json_string_value(at(at(json_array_get(cases, 8), "figures"), "ulp_max")), "inf");
	CHECK_TEXT(json_string_value(at(at(json_array_get(cases, 9), "figures"), "unfused_scaled_max")), "nan");
	CHECK_NEAR(json_real_value(at(at(json_array_get(cases, 7), "figures"), "margin")), 0.07, 1e-15);
	CHECK_TEXT(json_string_value(at(at(at(json_array_get(cases, 3), "checks"), "exact"), "state")), "broken");
	CHECK_TEXT(json_string_value(at(at(at(json_array_get(cases, 5), "checks"), "lse"), "state")), "disabled");
	json_decref(json);
	json_decref(made);
	free(dumped);
	run_record_free(&run);
}

static void test_gbench_json(void)
{
	struct run_record run = sample_run(42);
	const struct run_record *runs[] = {&run};
	json_t *json = report_to_gbench_json(runs, 1);
	json_t *benchmarks = at(json, "benchmarks");
	static const char *const context[] = {"date", "host_name", "executable", "num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "caches",
					      "library_build_type"};
	for (size_t i = 0; i < ARRAY_COUNT(context); i++)
		at(at(json, "context"), context[i]);
	size_t timed = 0, errors = 0;
	for (size_t i = 0; i < json_array_size(benchmarks); i++) {
		json_t *one = json_array_get(benchmarks, i);
		CHECK(strncmp(json_string_value(at(one, "name")), "run_mha/case-", 13) == 0);
		CHECK_TEXT(json_string_value(at(one, "time_unit")), "us");
		CHECK_TEXT(json_string_value(at(one, "run_type")), "iteration");
		at(one, "cpu_time");
		if (json_is_true(json_object_get(one, "error_occurred"))) {
			errors++;
			CHECK(json_object_get(one, "flops") == NULL);
			continue;
		}
		timed++;
		const struct case_record *record = &run.cases[atoi(json_string_value(at(one, "name")) + 13)];
		CHECK_NEAR(json_real_value(at(one, "real_time")), record->hot.median * 1e6, 1e-9);
		CHECK_NEAR(json_real_value(at(one, "flops")), record->flops / record->hot.median, 1);
	}
	CHECK_INT(errors, 18);
	CHECK(timed > 5);
	json_decref(json);
	run_record_free(&run);
}

/* What was timed on which device, whichever is the first of its run. */
static void test_gbench_devices(void)
{
	struct run_record run = sample_run(42), other = sample_run(42);
	const struct run_record *runs[] = {&run, &other};
	struct device_properties second = run.devices[0].properties;
	snprintf(second.id, sizeof second.id, "cuda:1");
	snprintf(second.name, sizeof second.name, "NVIDIA H200");
	second.multiprocessors = 7;
	CHECK_INT(run_record_append_device(&run, &second, "", NULL), 1);
	for (size_t i = 0; i < run.case_count; i++)
		run.cases[i].device = 1;
	json_t *json = report_to_gbench_json(runs, 1);
	CHECK_TEXT(json_string_value(at(at(json, "context"), "device")), "NVIDIA H200");
	CHECK_INT(json_integer_value(at(at(json, "context"), "num_cpus")), 7);
	CHECK(json_object_get(json_array_get(at(json, "benchmarks"), 0), "label") == NULL);
	json_decref(json);
	json = report_to_gbench_json(runs, 2);
	CHECK_TEXT(json_string_value(at(at(json, "context"), "device")), "NVIDIA H200, NVIDIA H100 80GB HBM3");
	CHECK_INT(json_integer_value(at(at(json, "context"), "num_cpus")), 0);
	json_t *benchmarks = at(json, "benchmarks");
	size_t on_h200 = 0, on_h100 = 0;
	for (size_t i = 0; i < json_array_size(benchmarks); i++) {
		const char *label = json_string_value(json_object_get(json_array_get(benchmarks, i), "label"));
		on_h200 += label && strcmp(label, "NVIDIA H200") == 0;
		on_h100 += label && strcmp(label, "NVIDIA H100 80GB HBM3") == 0;
	}
	CHECK(on_h200 > 5 && on_h200 == on_h100);
	json_decref(json);
	run_record_free(&run);
	run_record_free(&other);
}

static int report(const char *a, const char *b, const char *c, const char *d)
{
	const char *words[] = {"report", a, b, c, d};
	char *argv[6] = {0};
	int argc = 0;
	for (size_t i = 0; i < ARRAY_COUNT(words) && words[i]; i++)
		argv[argc++] = sample_text(words[i]);
	char *owned[6];
	memcpy(owned, argv, sizeof owned);
	const int code = cmd_report(argc, argv);
	for (int i = 0; i < argc; i++)
		free(owned[i]);
	return code;
}

static void test_command(void)
{
	char folder[] = "/tmp/assay-report-XXXXXX", file[64], output[64];
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
	snprintf(file, sizeof file, "%s/run.h5", folder);
	snprintf(output, sizeof output, "%s/out", folder);
	struct run_record run = sample_run(10);
	struct record_writer *writer;
	struct error err = {0};
	CHECK_INT(record_writer_open(&writer, file, &run, &err), 0);
	for (size_t i = 0; i < run.case_count; i++)
		CHECK_INT(record_writer_add(writer, &run.cases[i], &err), 0);
	CHECK_INT(record_writer_commit(writer, &run, &err), 0);

	CHECK_INT(report(file, "--markdown", output, NULL), 0);
	CHECK(path_exists(output));
	unlink(output);
	/* the JSON of the file is that of the run */
	const struct run_record *runs[] = {&run};
	CHECK_INT(report(file, "--json", output, NULL), 0);
	json_t *from_file = json_load_file(output, 0, NULL), *from_run = report_to_json(runs, 1);
	CHECK(from_file && from_run && json_equal(from_file, from_run));
	json_decref(from_file);
	json_decref(from_run);
	unlink(output);
	CHECK_INT(report(file, "--gbench-json", output, NULL), 0);
	CHECK(path_exists(output));
	unlink(output);
	CHECK_INT(report(NULL, NULL, NULL, NULL), 2);
	CHECK_INT(report(file, "--jsn", output, NULL), 2);
	CHECK_INT(report(file, "--json=-", "--markdown=-", NULL), 2);
	CHECK_INT(report("/nowhere/run.h5", NULL, NULL, NULL), 3);
	CHECK_INT(report(file, "--json", "/nowhere/out", NULL), 3);
	/* measurements are no place for a report, whether it is theirs or the name of the page was forgotten */
	CHECK_INT(report(file, "--csv", file, NULL), 2);
	CHECK_INT(report("--html", file, file, NULL), 2);
	CHECK_INT(report(file, NULL, NULL, NULL), 0);
	unlink(file);
	CHECK_INT(rmdir(folder), 0);
	run_record_free(&run);
}

static void test_operators(void)
{
	struct run_record run = sample_run(42);
	const struct run_record *runs[] = {&run};
	struct entry_summary *entries;
	size_t count;
	sample_operators(&run);
	CHECK_INT(entry_summaries(&run, &entries, &count), 0);
	CHECK_INT(count, 3);
	size_t cases = 0;
	for (size_t i = 0; i < count; i++) {
		cases += entries[i].cases;
		size_t by_status = 0;
		for (int status = 0; status < STATUS_COUNT; status++)
			by_status += entries[i].statuses[status];
		CHECK_INT(by_status, entries[i].cases);
		CHECK_INT(entries[i].status == STATUS_FAIL, entries[i].statuses[STATUS_FAIL] > 0);
		CHECK(entries[i].worst->judgement.status == entries[i].status);
	}
	CHECK_INT(cases, 21);
	CHECK_TEXT(entries[0].symbol, "affine_f32");
	CHECK_TEXT(entries[0].module, "affine");
	CHECK_TEXT(entries[1].symbol, "uexp_f32");
	CHECK_INT(entries[1].fast_math, 1);
	CHECK_INT(entries[2].fast_math, 0);
	free(entries);

	char *text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL});
	CHECK_CONTAINS(text, "datasets/operators.spec (sha256 012345)");
	CHECK_CONTAINS(text, "copy rate      2900 GB/s");
	CHECK_CONTAINS(text, "11 parts, 12.50 s of the driver in all, 1.25 s the longest; all there 2.50 s after the start");
	CHECK_CONTAINS(text, "76 of its 123 kernels are compiled with it");
	CHECK_CONTAINS(text, "does not load 2 of its entry points: who loads the whole module gets none of them. First: uexp_f32: bad\n");
	CHECK_CONTAINS(text, "incomplete  /artifacts/modules/: 135 of the 137 entry points that 0.9.2 has on sm_90 (unary, sort)\n");
	CHECK_CONTAINS(text, "sort (2): asort_asc_f32, asort_desc_f32\n");
	CHECK_CONTAINS(text, "unary (1): umystery\n");
	CHECK_CONTAINS(text, "of 3 entry points have a verdict");
	CHECK_CONTAINS(text, "--dataset datasets/operators.spec --filter case-");
	CHECK_CONTAINS(text, "Throughput of operators");
	CHECK(!strstr(text, "claimed to be whole"));
	free(text);
	/* a claim that does not hold is a failure and says so */
	free(run.inventories[0].claim);
	run.inventories[0].claim = sample_text("folder candle-kernels-0123456789abcdef");
	text = append(runs, 1, (struct report_options){.style = REPORT_TERMINAL, .brief = 1});
	CHECK_CONTAINS(text, "fail        /artifacts/modules/: 135 of the 137");
	CHECK_CONTAINS(text, "claimed to be whole by: folder candle-kernels-0123456789abcdef");
	free(text);

	json_t *json = report_to_json(runs, 1);
	json_t *first = at(json, "runs") ? json_array_get(at(json, "runs"), 0) : NULL;
	CHECK_INT(json_array_size(at(first, "inventories")), 1);
	json_t *inventory = json_array_get(at(first, "inventories"), 0);
	CHECK_INT(json_array_size(at(inventory, "missing")), 2);
	CHECK(json_is_true(at(inventory, "failed")));
	CHECK_INT(json_array_size(at(first, "entry_points")), 3);
	CHECK_INT(json_array_size(at(at(first, "conditions"), "datasets")), 2);
	json_decref(json);
	run_record_free(&run);
}

/* ---- pages, CSV, JUnit, conditions ---- */

static void make_hostile(struct run_record *run)
{
	snprintf(run->cases[3].name, sizeof run->cases[3].name, "</script><script>alert(\"1\")</script>'");
	snprintf(run->cases[3].judgement.reason, sizeof run->cases[3].judgement.reason, "=1+1,\"quoted\"\x01\xff <!-- ]]>");
	snprintf(run->cases[5].name, sizeof run->cases[5].name, "<!--<script>{{data}}");
	snprintf(run->cases[7].entry_point, sizeof run->cases[7].entry_point, "@cmd");
	run->cases[5].judgement.margin = (double)NAN;
}

static void test_html(void)
{
	struct run_record run = sample_run(42), other = sample_run(42);
	const struct run_record *runs[] = {&run, &other};
	const char *const files[] = {"one.h5", "</title>.h5"};
	struct text text = {0};
	make_hostile(&run);
	sample_operators(&other);
	run.devices[0].other_processes = 1;
	/* instances of a template that differ somewhere in a long name */
	int named = 0;
	for (size_t i = 0; i < other.case_count; i++) {
		struct launch_record *launch = &other.cases[i].launches[0];
		other.cases[i].clock_count = 0; /* nothing is wrong with the conditions of this one but wide intervals */
		other.cases[i].hot.gate_opened_early = 0;
		other.cases[i].hot.converged = 0;
		if (other.cases[i].launch_count == 0 || other.cases[i].artifact != 0 || named == 2)
			continue;
		launch->registers = 255;
		snprintf(launch->kernel, sizeof launch->kernel, "void forward<Traits<%d, 128, 128, 4, false, false, half, "
			 "Base<128, 128, 4, half> >, false, false, false, false, true, true, false, false>(Params)", 64 << named++);
	}
	CHECK_INT(named, 2);
	report_append_html(runs, files, 2, &text);
	CHECK(!text.failed && text.data);
	CHECK_CONTAINS(text.data, "default-src 'none'; base-uri 'none'");
	CHECK(!strstr(text.data, "<script>alert") && !strstr(text.data, "{{body}}"));
	CHECK_CONTAINS(text.data, "{{data}}"); /* of a name: what is put in is not looked through again */
	CHECK_CONTAINS(text.data, "&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;");
	/* the data, our own script and the library, if there is one: nothing of the files became an element */
	const size_t scripts = count_of(text.data, "<script");
	CHECK(scripts == 2 || scripts == 3);
	CHECK_INT(count_of(text.data, "</script>"), scripts);
	CHECK_INT(count_of(text.data, "</title>"), 1);
	const char *data = strstr(text.data, "id=\"data\">");
	CHECK(data != NULL);
	if (data) {
		data += strlen("id=\"data\">");
		const size_t length = strcspn(data, "<"); /* none is left within */
		CHECK(strncmp(data + length, "</script>", 9) == 0);
		json_t *json = json_loadb(data, length, 0, NULL);
		CHECK(json != NULL);
		CHECK(json && (scripts == 2 || json_array_size(json_object_get(json, "charts")) > 5));
		CHECK_INT(json_array_size(json_object_get(json, "charts")), count_of(text.data, "<canvas "));
		json_decref(json);
	}
	CHECK_CONTAINS(text.data, "Runs, by GPU architecture");
	CHECK_CONTAINS(text.data, "newest / first");
	CHECK_CONTAINS(text.data, "Times of 1 of 2 runs were taken under poor conditions");
	CHECK_INT(count_of(text.data, "<td>poor</td>"), 1);
	CHECK_INT(count_of(text.data, "<td>fair</td>"), 1);
	CHECK_CONTAINS(text.data, "1 other process used the card while it was timed. End it ");
	CHECK_CONTAINS(text.data, "Traits&lt;64, 128, 128, 4, false, false, half, ");
	CHECK_CONTAINS(text.data, "Traits&lt;128, 128, 128, 4, false, false, half, ");
	CHECK_CONTAINS(text.data, "Inventory");
	text_free(&text);
	/* a failure of the past counts, but the page says that it is one */
	for (size_t i = 0; i < other.case_count; i++)
		other.cases[i].judgement.status = STATUS_PASS;
	report_append_html(runs, files, 2, &text);
	CHECK_CONTAINS(text.data, "not fit to publish");
	CHECK_CONTAINS(text.data, "the newest run has no failure");
	text_free(&text);
	/* nothing at all is no pass */
	struct run_record empty = {.complete = 1};
	const struct run_record *nothing[] = {&empty};
	report_append_html(nothing, NULL, 1, &text);
	CHECK(!text.failed);
	CHECK_CONTAINS(text.data, "Nothing was verified");
	CHECK_CONTAINS(text.data, "no verdict");
	text_free(&text);
	run_record_free(&run);
	run_record_free(&other);
}

static void test_csv(void)
{
	struct run_record run = sample_run(12);
	const struct run_record *runs[] = {&run};
	struct text text = {0};
	make_hostile(&run);
	report_append_csv(runs, 1, &text);
	CHECK(!text.failed);
	CHECK_INT(count_of(text.data, "\r\n"), 13);
	CHECK_INT(count_of(text.data, "\n"), 13);
	CHECK_CONTAINS(text.data, "hot median (s)");
	CHECK_CONTAINS(text.data, "unfused median (s)");
	CHECK_CONTAINS(text.data, "\"'=1+1,\"\"quoted\"\"?? <!-- ]]>\"");
	CHECK_CONTAINS(text.data, "\"'@cmd\"");
	CHECK(!strstr(text.data, ",=") && !strstr(text.data, ",@") && !strstr(text.data, ",nan"));
	/* as many commas as in the head, outside quotes */
	size_t commas = 0, first = 0;
	int quoted = 0;
	for (const char *at = text.data; *at; at++) {
		quoted ^= *at == '"';
		commas += *at == ',' && !quoted;
		if (*at != '\n')
			continue;
		first = first ? first : commas;
		CHECK_INT(commas, first);
		commas = 0;
	}
	text_free(&text);
	run_record_free(&run);
}

static void test_junit(void)
{
	struct run_record run = sample_run(42);
	const struct run_record *runs[] = {&run};
	struct text text = {0};
	make_hostile(&run);
	report_append_junit(runs, 1, &text);
	CHECK(!text.failed);
	/* 6 failed and 6 mistrusted; 6 unsupported; two artifacts of one family */
	CHECK_CONTAINS(text.data, "<testsuites name=\"assay\" tests=\"42\" failures=\"12\" errors=\"0\">");
	CHECK_INT(count_of(text.data, "<testsuite "), 2);
	CHECK_INT(count_of(text.data, "<testcase "), 42);
	CHECK_INT(count_of(text.data, "<failure "), 12);
	CHECK_INT(count_of(text.data, "<skipped "), 6);
	CHECK_INT(count_of(text.data, "reproduce: assay verify "), 12);
	CHECK_CONTAINS(text.data, "<property name=\"driver\" value=\"580.159.04\"/>");
	CHECK_CONTAINS(text.data, "name=\"&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;\"");
	CHECK(!strchr(text.data, 1));
	text_free(&text);
	run_record_free(&run);
}

static int warnings_with(const struct run_record *run, const char *part, int is_grave)
{
	struct run_warning warnings[RUN_WARNINGS_MAX];
	const int count = run_warnings_of(run, warnings);
	int found = 0;
	for (int i = 0; i < count; i++)
		found += warnings[i].is_grave == is_grave && warnings[i].remedy[0] && strstr(warnings[i].what, part) != NULL;
	return found;
}

static void test_conditions(void)
{
	struct run_record run = sample_run(42);
	/* at its power limit the clock may change: that is no fault by itself */
	CHECK_INT(warnings_with(&run, "power limit", 0), 1);
	CHECK_INT(warnings_with(&run, "unsteady", 1), 0);
	CHECK_INT(warnings_with(&run, "slowed itself down", 1), 0);
	for (size_t i = 0; i < run.case_count; i++)
		for (int64_t k = 0; k < run.cases[i].clock_count; k++)
			run.cases[i].clocks[k].throttle_reasons = k ? 0x40 : 0;
	run.devices[0].other_processes = 2;
	CHECK_INT(warnings_with(&run, "power limit", 0), 0);
	CHECK_INT(warnings_with(&run, "unsteady", 1), 1);
	CHECK_INT(warnings_with(&run, "slowed itself down", 1), 1);
	CHECK_INT(warnings_with(&run, "thermal slowdown (hardware)", 1), 1);
	CHECK_INT(warnings_with(&run, "2 other processes used the card", 1), 1);
	/* what was not timed does not depend on any of it */
	for (size_t i = 0; i < run.case_count; i++)
		run.cases[i].hot.measured = 0;
	struct run_warning warnings[RUN_WARNINGS_MAX];
	CHECK_INT(run_warnings_of(&run, warnings), 0);
	run_record_free(&run);
}

int main(void)
{
	test_spread();
	test_figures();
	test_summary();
	test_terminal();
	test_operators();
	test_groups();
	test_models();
	test_hostile();
	test_json();
	test_gbench_json();
	test_gbench_devices();
	test_command();
	test_html();
	test_csv();
	test_junit();
	test_conditions();
	return check_result();
}
