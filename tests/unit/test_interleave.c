/* Measuring in turns: rounds put together, what belongs to which side, and the figures made of them. */
#include "check.h"

#include "interleave.h"
#include "matrix.h"
#include "sides.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static struct timing_record round_of(double first, int64_t samples)
{
	struct timing_record timing = {.measured = 1, .samples = samples, .raw = calloc((size_t)samples + 1, sizeof *timing.raw)};
	for (int64_t i = 0; i < samples; i++)
		timing.raw[i] = first * (1 + 0.001 * (double)i);
	return timing;
}

static void merged(void)
{
	struct timing_record all = {0}, first = round_of(1e-4, 10), second = round_of(2e-4, 5), none = {.measured = 1};
	struct error err = {0};
	second.gate_opened_early = 2;
	CHECK_INT(timing_add_round(&all, &first, &err), 0);
	CHECK_INT(timing_add_round(&all, &second, &err), 0);
	CHECK(first.raw == NULL && second.raw == NULL);
	CHECK_INT(all.rounds, 2);
	CHECK_INT(all.round_samples[0], 10);
	CHECK_INT(all.round_samples[1], 5);
	CHECK_INT(all.samples, 15);
	CHECK_INT(all.gate_opened_early, 2);
	CHECK_NEAR(all.raw[10], 2e-4, 0);
	CHECK_INT(timing_add_round(&all, &none, &err), -1);
	CHECK_CONTAINS(err.message, "without samples");
	CHECK_INT(timing_summarise(&all, 0.01, &err), 0);
	CHECK_NEAR(all.median, 1e-4 * 1.007, 1e-12);
	CHECK_NEAR(all.minimum, 1e-4, 0);
	CHECK_NEAR(all.maximum, 2e-4 * 1.004, 1e-12);
	CHECK_INT(all.converged, 0); /* the interval reaches into the second round */
	for (int i = 2; i < RECORD_ROUNDS_MAX; i++) {
		struct timing_record more = round_of(1e-4, 1);
		CHECK_INT(timing_add_round(&all, &more, &err), 0);
	}
	struct timing_record more = round_of(1e-4, 1);
	CHECK_INT(timing_add_round(&all, &more, &err), -1);
	CHECK_CONTAINS(err.message, "at most 32 rounds");
	free(more.raw);
	free(all.raw);
}

/* A figure that one side lacks is nobody's in that round: else the rounds that follow would be pairs of different rounds. */
static void pairs(void)
{
	struct case_record *records = calloc(6, sizeof *records);
	struct case_record *into[] = {&records[0], NULL, &records[1]}, *from[] = {&records[2], NULL, &records[3]};
	struct error err = {0};
	for (int round = 0; round < 3; round++) {
		records[2].hot = round_of(1e-4, 4);
		records[3].hot = round_of(1e-4, 4);
		records[2].cold = round_of(2e-4, 4);
		if (round != 1)
			records[3].cold = round_of(2e-4, 4);
		records[2].clocks = calloc(2, sizeof *records[2].clocks);
		records[2].clock_count = 2;
		records[2].clocks[1].at = 0.5;
		records[2].enqueue_seconds = round + 1;
		CHECK_INT(records_add_round(into, from, 3, &err), 0);
		case_record_free(&records[2]);
		case_record_free(&records[3]);
		records[2] = records[3] = (struct case_record){0};
	}
	CHECK_INT(records[0].hot.rounds, 3);
	CHECK_INT(records[1].hot.rounds, 3);
	CHECK_INT(records[0].cold.rounds, 2);
	CHECK_INT(records[1].cold.rounds, 2);
	CHECK_INT(records[0].clock_count, 6);
	CHECK_NEAR(records[0].clocks[5].at, 1.5, 0);
	CHECK_NEAR(records[0].enqueue_seconds, 1, 0);
	CHECK_INT(records[1].clock_count, 0);
	case_record_free(&records[0]);
	case_record_free(&records[1]);
	free(records);
}

/* ---- relative throughput ---- */

enum { ROUNDS = 5, CASES = 3 };

/* Drift of each round in common, and what the new one is slower by, a case each. */
static void make_runs(struct run_record *base, struct run_record *next, const double *slower, const double *drift)
{
	struct run_record *const runs[] = {base, next};
	for (int s = 0; s < 2; s++) {
		*runs[s] = (struct run_record){.interleaved = strdup("mark")};
		for (int i = 0; i < CASES; i++) {
			struct case_record record = {.output_count = 0};
			snprintf(record.name, sizeof record.name, "case %d", i);
			snprintf(record.family, sizeof record.family, "f");
			judgement_hold(&record.judgement, CHECK_NUMBERS);
			judgement_decide(&record.judgement, NULL);
			for (int round = 0; round < ROUNDS; round++) {
				struct timing_record timing = round_of(1e-4 * (i + 1) * (1 + drift[round]) * (s ? slower[i] : 1), 9);
				CHECK_INT(timing_add_round(&record.hot, &timing, NULL), 0);
			}
			CHECK_INT(timing_summarise(&record.hot, 0.01, NULL), 0);
			CHECK_INT(run_record_add(runs[s], &record, NULL), 0);
		}
		snprintf(runs[s]->dataset_sha256, sizeof runs[s]->dataset_sha256, "abc");
	}
}

static void relative(void)
{
	const double slower[CASES] = {1.03, 1.03, 1.03}, mixed[CASES] = {1.10, 0.95, 1.0};
	const double drift[ROUNDS] = {0, 0.05, -0.04, 0.02, 0.1};
	const struct compare_options options = {.threshold = 0.01};
	struct run_record base, next;
	struct comparison comparison;
	struct matrix_relative found;
	struct error err = {0};
	make_runs(&base, &next, slower, drift);
	/* the slower one also takes more power */
	base.cases[0].clocks = calloc(1, sizeof *base.cases[0].clocks);
	next.cases[0].clocks = calloc(1, sizeof *next.cases[0].clocks);
	base.cases[0].clock_count = next.cases[0].clock_count = 1;
	base.cases[0].clocks[0].sm_clock_mhz = 1980;
	next.cases[0].clocks[0].sm_clock_mhz = 1920;
	CHECK_INT(compare_runs(&base, &next, &options, &comparison, &err), 0);
	/* the clock moved by 10 %, and the pairs do not see it */
	CHECK_INT(comparison.hot[TIMING_SLOWER], CASES);
	CHECK_INT(comparison.by_rounds, CASES);
	CHECK_INT(comparison.cases[0].hot.in_turns, 1);
	CHECK_INT(comparison.cases[0].hot.rounds, ROUNDS);
	CHECK_INT(matrix_relative_of(&comparison, &found, &err), 0);
	CHECK_INT(found.cases, CASES);
	CHECK_INT(found.by_rounds, 1);
	CHECK_NEAR(found.mean, 1 / 1.03, 1e-9);
	CHECK_NEAR(found.low, 1 / 1.03, 1e-9);
	CHECK_NEAR(found.high, 1 / 1.03, 1e-9);
	comparison_free(&comparison);
	/* what was not measured in turns has the drift of each side in it */
	next.interleaved[0] = 'M';
	CHECK_INT(compare_runs(&base, &next, &options, &comparison, &err), 0);
	CHECK_INT(comparison.hot[TIMING_SLOWER], 0);
	CHECK_INT(comparison.hot[TIMING_UNSURE], CASES);
	CHECK_INT(matrix_relative_of(&comparison, &found, &err), 0);
	CHECK_INT(found.by_rounds, 0);
	CHECK(found.high / found.low > 1.05);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);

	make_runs(&base, &next, mixed, drift);
	CHECK_INT(compare_runs(&base, &next, &options, &comparison, &err), 0);
	CHECK_INT(comparison.hot[TIMING_SLOWER], 1);
	CHECK_INT(comparison.hot[TIMING_FASTER], 1);
	CHECK_INT(comparison.hot[TIMING_SAME], 1);
	CHECK_INT(matrix_relative_of(&comparison, &found, &err), 0);
	CHECK_NEAR(found.mean, cbrt(1 / (1.10 * 0.95)), 1e-9);
	CHECK_NEAR(found.least, 1 / 1.10, 1e-9);
	CHECK_NEAR(found.most, 1 / 0.95, 1e-9);
	CHECK_TEXT(found.least_case, "case 0");
	CHECK_TEXT(found.most_case, "case 1");
	comparison_free(&comparison);
	/* nothing timed: no figure */
	for (int i = 0; i < CASES; i++)
		next.cases[i].hot.measured = 0;
	CHECK_INT(compare_runs(&base, &next, &options, &comparison, &err), 0);
	CHECK_INT(matrix_relative_of(&comparison, &found, &err), 0);
	CHECK_INT(found.cases, 0);
	comparison_free(&comparison);
	run_record_free(&base);
	run_record_free(&next);
}

/* ---- views of a matrix ---- */

static void views(void)
{
	struct matrix_artifact artifacts[] = {
		{.label = "=cmd|'x'!A1", .path = "a,\"b\"\n", .files = strdup("a|b"), .toolkit = strdup("CUDA 13.0"), .images = strdup(""),
		 .built = strdup(""), .driver = strdup(""), .problem = strdup("")},
		{.label = "two", .path = "b", .files = strdup("b"), .toolkit = strdup(""), .images = strdup(""), .built = strdup(""),
		 .driver = strdup(""), .problem = strdup("")}};
	struct matrix_cell cells[2] = {{.problem = {0}}, {.problem = {.kind = ERROR_INPUT, .message = "no, \"not\" this"}}};
	const char *const dataset = NULL, *const device = "cpu";
	struct matrix matrix = {.artifacts = artifacts, .artifact_count = 2, .datasets = &dataset, .dataset_count = 1,
				.devices = &device, .device_count = 1, .cells = cells, .threshold = 0.01};
	struct error err = {0};
	struct text text = {0};
	struct case_record record = {.judgement = {.status = STATUS_PASS, .margin = 0.5}};
	snprintf(record.name, sizeof record.name, "one");
	CHECK_INT(run_record_add(&cells[0].run, &record, NULL), 0);
	CHECK_INT(matrix_summarise(&matrix, &err), 0);
	CHECK_INT(cells[0].statuses[STATUS_PASS], 1);
	CHECK_NEAR(cells[0].worst, 0.5, 0);
	CHECK(isnan(cells[0].load_seconds));
	CHECK_TEXT(cells[1].incomparable, "it was not run");
	CHECK_INT(matrix_exit_code(&matrix), 3);
	matrix_append_csv(&matrix, &text);
	CHECK_CONTAINS(text.data, "\r\n\"cpu\",\"default\",\"'=cmd|'x'!A1\",\"a,\"\"b\"\"?\",\"CUDA 13.0\",");
	CHECK_CONTAINS(text.data, ",\"no, \"\"not\"\" this\"\r\n");
	text_free(&text);
	const struct report_options markdown = {.style = REPORT_MARKDOWN};
	matrix_append(&matrix, &markdown, &text);
	CHECK_CONTAINS(text.data, "a\\|b");
	CHECK_CONTAINS(text.data, "not run");
	text_free(&text);
	cells[0].run.cases[0].judgement.status = STATUS_FAIL;
	CHECK_INT(matrix_exit_code(&matrix), 1); /* a bad verdict says more than a cell that is missing */
	run_record_free(&cells[0].run);
	for (int i = 0; i < 2; i++) {
		free(cells[i].incomparable);
		free(artifacts[i].files);
		free(artifacts[i].toolkit);
		free(artifacts[i].images);
		free(artifacts[i].built);
		free(artifacts[i].driver);
		free(artifacts[i].problem);
	}
}

/* ---- paths ---- */

static void named(const char *path, const char *name)
{
	char *found = NULL;
	CHECK_INT(side_name(path, &found, NULL), 0);
	CHECK_TEXT(found, name);
	free(found);
}

static void paths(void)
{
	char folder[] = "/tmp/assay-sides.XXXXXX", file[64], other[64];
	char *path = NULL;
	struct error err = {0};
	int files = -1;
	named("prebuilt/candle-flash-attn-0f3b/out/", "candle-flash-attn-0f3b");
	named("a/out/out", "a");
	named("out", "out");
	named("/", "artifact");
	named("x/kernels v2;rm.ptx", "kernels_v2_rm.ptx");
	CHECK_INT(side_result_path("r", 2, "a/b.ptx", &path, &err), 0);
	CHECK_TEXT(path, "r/3-b.ptx.h5");
	free(path);
	CHECK(mkdtemp(folder) != NULL);
	snprintf(file, sizeof file, "%s/results", folder);
	snprintf(other, sizeof other, "%s/kernels.ptx", folder);
	FILE *out = fopen(file, "w");
	fputs("\x89HDF\r\n\x1a\n and more", out);
	fclose(out);
	out = fopen(other, "w");
	fputs(".version 8.0", out);
	fclose(out);
	CHECK_INT(path_is_result(file), 1);
	CHECK_INT(path_is_result(other), 0);
	CHECK_INT(path_is_result(folder), 0);
	CHECK_INT(path_is_result("/no/such/file.h5"), 1);
	CHECK_INT(path_is_result("/no/such/file.h5.partial"), 1);
	CHECK_INT(path_is_result(".h5"), 0);
	char *same[] = {file, file}, *mixed[] = {file, other}, *artifacts[] = {other, folder};
	CHECK_INT(sides_are_files(same, 2, &files, &err), 0);
	CHECK_INT(files, 1);
	CHECK_INT(sides_are_files(artifacts, 2, &files, &err), 0);
	CHECK_INT(files, 0);
	CHECK_INT(sides_are_files(mixed, 2, &files, &err), -1);
	CHECK_INT(err.kind, ERROR_USAGE);
	CHECK_CONTAINS(err.message, "assay run");
	unlink(file);
	unlink(other);
	rmdir(folder);
}

int main(void)
{
	merged();
	pairs();
	relative();
	views();
	paths();
	return check_result();
}
