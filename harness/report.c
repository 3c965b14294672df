#include "report.h"

#include "artifact/demangle.h"
#include "cli.h"
#include "operator_figures.h"
#include "report_donor.h"
#include "report_conditions.h"
#include "report_figures.h"
#include "report_models.h"
#include "report_operators.h"
#include "report_timing.h"
#include "report_page.h"
#include "report_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TERMINAL_CASES = 20, MARKDOWN_CASES = 400, KERNEL_NAME_SHOWN = 160, REASONS_MAX = 64 };

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* "12.3", "812", "1.23": three digits, whatever the size. */
static void three_digits(char *text, size_t size, double value)
{
	if (!isfinite(value))
		snprintf(text, size, isnan(value) ? "-" : "inf");
	else
		snprintf(text, size, "%.*f", fabs(value) < 9.995 ? 2 : fabs(value) < 99.95 ? 1 : 0, value);
}

/* A cell with a number and what follows it; "-" where there is none. */
static void number_cell(struct table *table, double value, const char *suffix)
{
	char text[32];
	three_digits(text, sizeof text, value);
	table_cell(table, "%s%s", text, isfinite(value) ? suffix : "");
}

/* ---- conditions ---- */

/* "cuda:1", of several machines "cuda:1 of node-2". */
static void append_id(struct text *out, const struct run_device *device)
{
	text_append(out, "%s%s%s", device->properties.id, device->host[0] ? " of " : "", device->host);
}

static void append_device(struct page *page, const struct run_device *of, const char *title)
{
	const struct device_properties *device = &of->properties;
	struct text id = {0};
	append_id(&id, of);
	const char *name = or_empty(id.data);
	if (device->kind == DEVICE_CPU)
		page_fact(page, title, "%s: %s, %d cores", name, device->name, device->multiprocessors);
	else
		page_fact(page, title, "%s: %s, sm_%d%d, %d multiprocessors, %.1f GiB, L2 %.0f MiB, driver %s (CUDA %d.%d)", name,
			  device->name, device->cc_major, device->cc_minor, device->multiprocessors,
			  (double)device->memory_bytes / (double)(1ull << 30), (double)device->l2_bytes / (double)(1 << 20),
			  device->driver_text[0] ? device->driver_text : "unknown", device->driver_version / 1000,
			  device->driver_version / 10 % 100);
	page->out->failed |= id.failed;
	text_free(&id);
}

/* All devices of the run; those of another model than the first, whose cases are told apart, as such. */
static void append_devices(struct page *page, const struct run_record *run)
{
	const struct run_device *first = run_record_device(run, NULL);
	if (!first->properties.id[0]) {
		page_fact(page, "device", "none was opened: nothing could be run");
		return;
	}
	for (size_t i = 0; i < run->device_count; i++)
		append_device(page, &run->devices[i], run_devices_are_of_one_model(first, &run->devices[i]) ? "device" : "told apart");
	for (size_t i = 0; i < run->device_count; i++) {
		size_t same = 0;
		while (strcmp(run->devices[same].properties.gemm_library, run->devices[i].properties.gemm_library) != 0)
			same++;
		if (same == i)
			page_fact(page, "reference by", "%s", run->devices[i].properties.gemm_library);
	}
}

void report_artifact(struct page *page, const struct artifact_record *artifact)
{
	struct text facts = {0};
	text_append(&facts, "%s (%s%s%.1f MB%s%.16s)", or_empty(artifact->path), or_empty(artifact->kind),
		    artifact->kind && artifact->kind[0] ? ", " : "", (double)artifact->size / 1e6,
		    artifact->sha256[0] ? ", sha256 " : "", artifact->sha256);
	page_fact(page, "artifact", "%s", facts.data ? facts.data : "");
	text_free(&facts);
	report_donor(page, artifact);
	page_fact(page, "toolkit", "%s", or_empty(artifact->toolkit));
	page_fact(page, "provenance", "%s", or_empty(artifact->provenance));
	page_fact(page, "called as", "%s%s%s", or_empty(artifact->abi),
		  artifact->cudart && artifact->cudart[0] ? ", CUDA runtime: " : "", or_empty(artifact->cudart));
	report_module_facts(page, artifact);
	if (!artifact->load_parts && (artifact->link_seconds > 0 || artifact->load_seconds > 0))
		page_fact(page, "loading", "linked in %.2f s, loaded in %.2f s", artifact->link_seconds, artifact->load_seconds);
	if (!artifact->stubbed || !artifact->stubbed[0])
		return;
	size_t stubs = 1;
	for (const char *at = artifact->stubbed; *at; at++)
		stubs += *at == '\n';
	page_fact(page, "stubbed", "%zu symbols that the archive leaves undefined, first: %.*s", stubs,
		  (int)strcspn(artifact->stubbed, "\n"), artifact->stubbed);
}

static void append_share(struct page *page, const struct run_record *run)
{
	const struct timing_share share = timing_share_of(run, TIMING_SHARE_LEAST);
	if (share.cases && share.wall > 0)
		page_fact(page, "timing", "samples are %.0f %% of the %.1f s that the %zu cases of %.0f us and more took in all",
			  100 * share.sampled / share.wall, share.wall, share.cases, TIMING_SHARE_LEAST * 1e6);
}

static void append_clocks(struct page *page, const struct run_record *run)
{
	struct clock_summary clocks;
	struct text reasons = {0};
	if (clock_summary_of(run, &clocks)) {
		page->out->failed = 1;
		return;
	}
	if (clocks.readings == 0)
		return;
	append_throttle_reasons(clocks.throttle_reasons, &reasons);
	page_fact(page, "SM clock", "%.0f MHz median, %.0f to %.0f; power up to %.0f W, %.0f °C; held back by: %s", clocks.sm_mhz.median,
		  clocks.sm_mhz.minimum, clocks.sm_mhz.maximum, clocks.power_watts.maximum, clocks.temperature_celsius.maximum,
		  reasons.data ? reasons.data : "");
	text_free(&reasons);
}

void report_run_facts(struct page *page, const struct run_record *run)
{
	page_fact(page, "command", "%s", or_empty(run->command));
	page_fact(page, "run", "assay %s on %s, %s, %.1f s", or_empty(run->version), or_empty(run->host), or_empty(run->date),
		  run->wall_seconds);
	append_devices(page, run);
}

/* What percentages refer to: each case's to the rates of the device that it ran on. */
static void append_rates(struct page *page, const struct run_record *run)
{
	const struct run_device *first = run_record_device(run, NULL);
	for (size_t i = 0; i < run->device_count; i++) {
		const struct run_device *device = &run->devices[i];
		struct text where = {0};
		if (!run_devices_are_of_one_model(first, device))
			continue;
		if (run->device_count > 1) {
			append_id(&where, device);
			text_append(&where, ": ");
		}
		if (device->matrix_product_flops > 0 || device->matrix_product_flops_bf16 > 0)
			page_fact(page, "matrix product", "%s%.0f TFLOP/s in f16, %.0f in bf16, measured in this run: what percentages refer to",
				  or_empty(where.data), device->matrix_product_flops / 1e12, device->matrix_product_flops_bf16 / 1e12);
		if (device->copy_bytes_per_second > 0)
			page_fact(page, "copy rate", "%s%.0f GB/s read and written, measured in this run: what percentages of bytes refer to",
				  or_empty(where.data), device->copy_bytes_per_second / 1e9);
		page->out->failed |= where.failed;
		text_free(&where);
	}
}

void report_measured_facts(struct page *page, const struct run_record *run)
{
	page_fact(page, "dataset", "%s (sha256 %.16s), seed %llu", or_empty(run->dataset), run->dataset_sha256,
		  (unsigned long long)run->seed);
	for (size_t i = 1; i < run->dataset_count; i++)
		page_fact(page, "dataset", "%s (sha256 %.16s)", or_empty(run->datasets[i].path), run->datasets[i].sha256);
	/* images that ran, each once */
	for (size_t i = 0; i < run->case_count; i++) {
		size_t same = 0;
		while (strcmp(run->cases[same].image, run->cases[i].image) != 0)
			same++;
		if (same == i)
			page_fact(page, "image", "%s", run->cases[i].image);
	}
	append_rates(page, run);
	append_clocks(page, run);
	append_share(page, run);
	for (const char *note = or_empty(run->notes); *note; note += strcspn(note, "\n") + (note[strcspn(note, "\n")] == '\n'))
		page_fact(page, "note", "%.*s", (int)strcspn(note, "\n"), note);
}

static void append_conditions(struct page *page, const struct run_record *run)
{
	struct run_warning warnings[RUN_WARNINGS_MAX];
	const int count = run_warnings_of(run, warnings);
	page_heading(page, 2, "Conditions");
	if (!run->complete)
		page_item(page, TONE_DOUBTFUL, "incomplete", "the run was cut short; what follows is what it had by then");
	for (int i = 0; i < count; i++) {
		page_item(page, warnings[i].is_grave ? TONE_BAD : TONE_DOUBTFUL, warnings[i].is_grave ? "warning" : "note", warnings[i].what);
		page_item_line(page, "", warnings[i].remedy, 0);
	}
	report_run_facts(page, run);
	for (size_t i = 0; i < run->artifact_count; i++)
		report_artifact(page, &run->artifacts[i]);
	report_measured_facts(page, run);
}

/* ---- what became of the cases ---- */

static void append_statuses(struct page *page, const struct run_record *run, const struct run_summary *summary)
{
	page_heading(page, 2, "Results");
	if (run->case_count == 0) {
		page_paragraph(page, "No case was run.");
		return;
	}
	for (int status = 0; status < STATUS_COUNT; status++) {
		char text[64];
		if (summary->statuses[status] == 0)
			continue;
		snprintf(text, sizeof text, "%zu of %zu cases (%.1f %%)", summary->statuses[status], run->case_count,
			 100.0 * (double)summary->statuses[status] / (double)run->case_count);
		page_item(page, status_tone((enum status)status), status_name((enum status)status), text);
	}
	if (summary->margins.count)
		page_fact(page, "error / bound", "median %.3f, 95th percentile %.3f, largest %.3f in %s", summary->margins.median,
			  summary->margins.high, summary->margins.maximum, summary->worst->name);
	if (summary->lse_margins.count)
		page_fact(page, "LSE / bound", "median %.3f, 95th percentile %.3f, largest %.3f in %s", summary->lse_margins.median,
			  summary->lse_margins.high, summary->lse_margins.maximum, summary->worst_lse->name);
}

void report_checks(struct page *page, const struct run_summary *summary)
{
	struct table table = {.titles = {"check", "held", "broken", "disabled", "not made"}, .left = {1}, .columns = 5};
	for (int check = 0; check < CHECK_NAMES_COUNT; check++) {
		const size_t *of = summary->checks[check];
		if (of[CHECK_HELD] + of[CHECK_BROKEN] + of[CHECK_DISABLED] == 0)
			continue;
		table_cell(&table, "%s", check_name((enum check)check));
		table_cell(&table, "%zu", of[CHECK_HELD]);
		table_cell(&table, "%zu", of[CHECK_BROKEN]);
		table_cell(&table, "%zu", of[CHECK_DISABLED]);
		table_cell(&table, "%zu", of[CHECK_NOT_MADE]);
	}
	if (table.rows == 0 && !table.cells.failed)
		return;
	page_heading(page, 3, "Checks (number of cases)");
	page_table(page, &table);
}

/* Said of a list that was cut. */
static void append_left_out(struct page *page, size_t left_out, const char *what)
{
	if (left_out)
		page_paragraph(page, "... and %zu more %s; --json and the result file have all of them", left_out, what);
}

static int is_refusal(enum status status)
{
	return status == STATUS_UNSUPPORTED || status == STATUS_SKIPPED;
}

static void append_one_failure(struct page *page, const struct run_record *run, const struct case_record *record)
{
	struct text command = {0};
	page_item(page, status_tone(record->judgement.status), status_name(record->judgement.status), record->name);
	page_item_line(page, "", record->judgement.reason, 0);
	page_item_line(page, "note", record->note, 0);
	run_record_reproduction(run, record, &command);
	page_item_line(page, "reproduce", command.data, 1);
	text_free(&command);
}

/* Refusals come in hundreds with the same reason: each reason once, with the number of cases. */
static void append_refusals(struct page *page, const struct run_record *run)
{
	size_t told = 0;
	for (size_t i = 0; i < run->case_count; i++) {
		const struct judgement *judgement = &run->cases[i].judgement;
		size_t same = 0, first = run->case_count;
		if (!is_refusal(judgement->status) || case_is_operator(&run->cases[i]))
			continue;
		for (size_t k = 0; k < run->case_count && first >= i; k++) {
			const struct judgement *other = &run->cases[k].judgement;
			if (other->status != judgement->status || case_is_operator(&run->cases[k]) || strcmp(other->reason, judgement->reason) != 0)
				continue;
			first = k < first ? k : first;
			same++;
		}
		if (first != i)
			continue;
		if (++told > REASONS_MAX) {
			page_paragraph(page, "... and further reasons; --json has all of them");
			return;
		}
		char text[CASE_NAME_MAX + 64];
		if (same == 1)
			snprintf(text, sizeof text, "%s", run->cases[i].name);
		else
			snprintf(text, sizeof text, "%zu cases, first %s", same, run->cases[i].name);
		page_item(page, TONE_PLAIN, status_name(judgement->status), text);
		page_item_line(page, "", judgement->reason, 0);
	}
}

void report_failures(struct page *page, const struct run_record *run, const struct run_summary *summary, size_t limit)
{
	size_t told = 0, left_out = 0, concerned = 0;
	(void)summary;
	/* operators are told by entry point */
	for (size_t i = 0; i < run->case_count; i++)
		concerned += run->cases[i].judgement.status != STATUS_PASS && !case_is_operator(&run->cases[i]);
	if (concerned == 0)
		return;
	page_heading(page, 2, "Not passed");
	for (size_t i = 0; i < run->case_count; i++) {
		const enum status status = run->cases[i].judgement.status;
		if (status == STATUS_PASS || is_refusal(status) || case_is_operator(&run->cases[i]))
			continue;
		if (limit && told == limit)
			left_out++;
		else if (++told)
			append_one_failure(page, run, &run->cases[i]);
	}
	append_left_out(page, left_out, "cases");
	append_refusals(page, run);
}

/* ---- coverage ---- */

void report_coverage(struct page *page, const struct run_record *run, const struct report_options *options)
{
	int headed = 0;
	for (size_t i = 0; i < run->artifact_count; i++) {
		const struct artifact_record *artifact = &run->artifacts[i];
		const struct kernel_counts counts = kernel_counts_of(artifact);
		size_t told = 0;
		if (artifact->kernel_count == 0 || artifact->load_parts)
			continue; /* of modules every entry point is told of */
		if (!headed++)
			page_heading(page, 2, "Kernels reached");
		page_fact(page, "kernels", "%zu of the %zu of %s that its entry point can launch here were launched (%.1f %%)",
			  counts.launched, counts.reachable, path_base(or_empty(artifact->path)),
			  counts.reachable ? 100.0 * (double)counts.launched / (double)counts.reachable : 0.0);
		if (counts.reachable < artifact->kernel_count)
			page_fact(page, "", "%zu more are in it that the entry point cannot launch on this device", artifact->kernel_count - counts.reachable);
		if (options->brief || counts.launched == 0 || counts.launched == counts.reachable)
			continue;
		page_paragraph(page, "Not launched:");
		for (size_t k = 0; k < artifact->kernel_count; k++) {
			if (artifact->kernel_launched[k] != KERNEL_NOT_LAUNCHED || (options->cases_max && told++ >= options->cases_max))
				continue;
			/* instances of a template differ near the end of the name: the middle is what can be left out */
			char *name = demangle(artifact->kernels[k]);
			char shown[KERNEL_NAME_SHOWN + 8];
			const size_t length = strlen(or_empty(name)), half = KERNEL_NAME_SHOWN / 2;
			if (length > KERNEL_NAME_SHOWN)
				snprintf(shown, sizeof shown, "%.*s ... %s", (int)half, name, name + length - half);
			else
				snprintf(shown, sizeof shown, "%s", or_empty(name));
			page_item_line(page, "", shown, 1);
			free(name);
		}
		if (options->cases_max && told > options->cases_max)
			append_left_out(page, told - options->cases_max, "kernels");
	}
}

/* ---- throughput ---- */

static void append_groups(struct page *page, const struct run_record *run)
{
	struct table table = {.titles = {"dtype", "head_dim", "cases", "median TFLOP/s", "best TFLOP/s", "of matrix product",
					 "over unfused (median)", "best case"},
			      .left = {1, 0, 0, 0, 0, 0, 0, 1},
			      .columns = 8};
	struct throughput_group *groups;
	size_t count;
	if (throughput_groups(run, &groups, &count)) {
		page->out->failed = 1;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct throughput_group *group = &groups[i];
		table_cell(&table, "%s", group->dtype == DTYPE_INVALID ? "-" : dtype_name(group->dtype));
		table_cell(&table, "%lld", (long long)group->head_dim);
		table_cell(&table, "%zu", group->cases);
		number_cell(&table, group->rate_median / 1e12, "");
		number_cell(&table, group->rate_best / 1e12, "");
		number_cell(&table, 100.0 * group->share_best, " %");
		number_cell(&table, group->speedup_median, "x");
		table_cell(&table, "%s", group->best->name);
	}
	free(groups);
	if (count)
		page_table(page, &table);
	text_free(&table.cells);
}

static int by_work(const void *a, const void *b)
{
	const struct case_record *x = *(const struct case_record *const *)a, *y = *(const struct case_record *const *)b;
	if (x->flops != y->flops)
		return x->flops < y->flops ? 1 : -1;
	return (x > y) - (x < y); /* as they were run */
}

/* Baselines that any timed case has, in the order in which they are met; returns how many. */
static int baselines_in(const struct case_record *const *cases, size_t count, const char *names[RECORD_BASELINES_MAX])
{
	int known = 0;
	for (size_t i = 0; i < count; i++)
		for (int b = 0; b < cases[i]->baseline_count && b < RECORD_BASELINES_MAX; b++) {
			int at = 0;
			while (at < known && strcmp(names[at], cases[i]->baselines[b].name) != 0)
				at++;
			if (at == known && known < RECORD_BASELINES_MAX)
				names[known++] = cases[i]->baselines[b].name;
		}
	return known;
}

/* What a baseline is, and where it was not timed why: the first reason, and how many there are. */
static void append_baseline(struct page *page, const struct case_record *const *cases, size_t count, const char *name)
{
	const char *what = "", *missing = "";
	size_t measured = 0, not_measured = 0;
	for (size_t i = 0; i < count; i++)
		for (int b = 0; b < cases[i]->baseline_count && b < RECORD_BASELINES_MAX; b++) {
			const struct baseline_record *baseline = &cases[i]->baselines[b];
			if (strcmp(baseline->name, name) != 0)
				continue;
			if (baseline->hot.measured && !measured++)
				what = baseline->note;
			if (!baseline->hot.measured && !not_measured++)
				missing = baseline->note;
		}
	if (measured)
		page_fact(page, name, "timed beside %zu of %zu cases (the first: %s)", measured, measured + not_measured, what);
	if (not_measured)
		page_fact(page, measured ? "" : name, "not beside %zu, the first because: %s", not_measured, missing);
}

static void append_timed_cases(struct page *page, const struct run_record *run, size_t timed, size_t limit)
{
	struct table table = {.titles = {"case", "hot us", "+-", "cold us", "TFLOP/s", "of matrix product", "GB/s", "J/TFLOP", "samples"},
			      .left = {1},
			      .columns = 9};
	const char *names[RECORD_BASELINES_MAX];
	char titles[RECORD_BASELINES_MAX][48];
	const struct case_record **cases = calloc(timed + 1, sizeof *cases);
	size_t count = 0;
	if (!cases) {
		page->out->failed = 1;
		return;
	}
	for (size_t i = 0; i < run->case_count; i++)
		if (case_is_timed(&run->cases[i]) && !case_is_operator(&run->cases[i]))
			cases[count++] = &run->cases[i];
	qsort(cases, count, sizeof *cases, by_work);
	const size_t shown = limit && count > limit ? limit : count;
	const int baselines = baselines_in(cases, count, names);
	for (int b = 0; b < baselines; b++) {
		append_baseline(page, cases, count, names[b]);
		snprintf(titles[b], sizeof titles[b], "over %s", names[b]);
		table.titles[table.columns++] = titles[b];
	}
	for (size_t i = 0; i < shown; i++) {
		const struct case_record *record = cases[i];
		/* a median is spoilt once half of its samples are */
		table_cell(&table, "%s%s", record->name,
			   2 * record->hot.gate_opened_early >= record->hot.samples ? " (launch latency included)" : "");
		number_cell(&table, record->hot.median * 1e6, "");
		number_cell(&table, 100.0 * case_uncertainty(record), " %");
		number_cell(&table, record->cold.measured ? record->cold.median * 1e6 : (double)NAN, "");
		number_cell(&table, case_flop_rate(record) / 1e12, "");
		number_cell(&table, 100.0 * case_roof_share(run, record), " %");
		number_cell(&table, case_byte_rate(record) / 1e9, "");
		number_cell(&table, case_joules_per_teraflop(record), "");
		table_cell(&table, "%lld", (long long)record->hot.samples);
		for (int b = 0; b < baselines; b++)
			number_cell(&table, baseline_speedup(record, case_record_baseline(record, names[b])), "x");
	}
	page_heading(page, 3, shown < count ? "The %zu largest cases of %zu" : "Cases", shown, count);
	page_table(page, &table);
	append_left_out(page, count - shown, "cases");
	free(cases);
}

void report_throughput(struct page *page, const struct run_record *run, const struct run_summary *summary, size_t limit)
{
	if (summary->timed_hosts == 0)
		return;
	page_heading(page, 2, "Throughput of passed cases");
	double confidence = 0;
	for (size_t i = 0; i < run->case_count && confidence == 0; i++)
		if (case_is_timed(&run->cases[i]))
			confidence = run->cases[i].hot.confidence;
	page_paragraph(page, "Median (as Harrell and Davis estimate it) of device times behind a gate, with half the %.0f %% confidence "
			     "interval; hot: inputs as they lie in the cache, cold: rotated through more than twice the L2. FLOPs "
			     "count the work that was asked for.",
		       100.0 * confidence);
	append_groups(page, run);
	append_timed_cases(page, run, summary->timed_hosts, limit);
}

/* ---- work that was counted ---- */

static int by_lane_instructions(const void *a, const void *b)
{
	const struct case_record *x = *(const struct case_record *const *)a, *y = *(const struct case_record *const *)b;
	if (x->counts.lane_instructions != y->counts.lane_instructions)
		return x->counts.lane_instructions < y->counts.lane_instructions ? 1 : -1;
	return (x > y) - (x < y); /* as they were run */
}

static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : (double)NAN;
}

void report_counts(struct page *page, const struct run_record *run, size_t limit)
{
	struct table table = {.titles = {"case", "M lane instr.", "lanes in use", "MFLOP", "of work", "global MB", "coalesced", "shared MB",
					 "bank conflicts", "diverging branches"},
			      .left = {1},
			      .columns = 10};
	const struct case_record **cases = calloc(run->case_count + 1, sizeof *cases);
	size_t count = 0;
	if (!cases) {
		page->out->failed = 1;
		return;
	}
	for (size_t i = 0; i < run->case_count; i++)
		if (run->cases[i].counts.launches)
			cases[count++] = &run->cases[i];
	qsort(cases, count, sizeof *cases, by_lane_instructions);
	const size_t shown = limit && count > limit ? limit : count;
	for (size_t i = 0; i < shown; i++) {
		const struct device_counts *of = &cases[i]->counts;
		const double flops = (double)(of->flops + of->matrix_flops);
		table_cell(&table, "%s", cases[i]->name);
		number_cell(&table, (double)of->lane_instructions / 1e6, "");
		number_cell(&table, 100.0 * ratio(of->lane_instructions, 32 * of->warp_instructions), " %");
		number_cell(&table, flops / 1e6, "");
		number_cell(&table, cases[i]->flops > 0 ? flops / cases[i]->flops : (double)NAN, "x");
		number_cell(&table, (double)(of->global_read_bytes + of->global_written_bytes) / 1e6, "");
		number_cell(&table, 100.0 * ratio(of->global_ideal_sectors, of->global_sectors), " %");
		number_cell(&table, (double)(of->shared_read_bytes + of->shared_written_bytes) / 1e6, "");
		number_cell(&table, 100.0 * ratio(of->shared_wavefronts - of->shared_requests, of->shared_requests), " %");
		number_cell(&table, 100.0 * ratio(of->divergent_branches, of->branches), " %");
	}
	if (count) {
		page_heading(page, 2, shown < count ? "Work counted: the %zu largest cases of %zu" : "Work counted", shown, count);
		page_paragraph(page, "Of one call, as the PTX executed. Lanes in use: of the 32 of each warp. Of work: floating-point operations "
				     "over those that were asked for. Coalesced: 32-byte sectors that the bytes would fill, over those touched. "
				     "Bank conflicts: wavefronts beyond one a request of shared memory.");
		page_table(page, &table);
		append_left_out(page, count - shown, "cases");
	}
	free(cases);
}

/* ---- whole reports ---- */

static void append_run(struct page *page, const struct run_record *run, const struct report_options *options)
{
	struct run_summary summary;
	if (run_summary_of(run, &summary)) {
		page->out->failed = 1;
		return;
	}
	append_conditions(page, run);
	append_statuses(page, run, &summary);
	if (!options->brief)
		report_checks(page, &summary);
	if (!options->brief)
		report_failures(page, run, &summary, options->cases_max);
	report_inventories(page, run, options->cases_max);
	report_operators(page, run, options->cases_max);
	report_coverage(page, run, options);
	if (!options->brief) {
		report_throughput(page, run, &summary, options->cases_max);
		report_operator_throughput(page, run, options->cases_max);
		report_counts(page, run, options->cases_max);
	}
}

static int same_architecture(const struct run_record *a, const struct run_record *b)
{
	return run_devices_are_alike(run_record_device(a, NULL), run_record_device(b, NULL));
}

/* "sm_90: NVIDIA H100, NVIDIA H200": the architecture, and the models that runs[first] and later ones have of it. */
static void append_architecture(struct page *page, const struct run_record *const *runs, size_t count, size_t first)
{
	const struct device_properties *device = &run_record_device(runs[first], NULL)->properties;
	struct text names = {0};
	if (!device->id[0]) {
		page_heading(page, 1, "no device");
		return;
	}
	if (device->kind == DEVICE_CPU) {
		page_heading(page, 1, "cpu");
		return;
	}
	for (size_t i = first; i < count; i++) {
		const char *name = run_record_device(runs[i], NULL)->properties.name;
		size_t same = first;
		while (!same_architecture(runs[same], runs[i]) || strcmp(run_record_device(runs[same], NULL)->properties.name, name) != 0)
			same++;
		if (same == i && same_architecture(runs[i], runs[first]))
			text_append(&names, "%s%s", names.length ? ", " : "", name);
	}
	page_heading(page, 1, "sm_%d%d: %s", device->cc_major, device->cc_minor, or_empty(names.data));
	page->out->failed |= names.failed;
	text_free(&names);
}

void report_append(const struct run_record *const *given, size_t given_count, const struct report_options *options,
		   struct text *out)
{
	struct page page = {.style = options->style, .colour = options->style == REPORT_TERMINAL && options->colour, .out = out};
	struct model_runs models;
	if (model_runs_make(&models, given, given_count)) {
		out->failed = 1;
		return;
	}
	const struct run_record *const *runs = models.runs;
	for (size_t first = 0; first < models.count; first++) {
		size_t earlier = 0;
		while (!same_architecture(runs[earlier], runs[first]))
			earlier++;
		if (earlier < first)
			continue; /* told with the first of its architecture */
		append_architecture(&page, runs, models.count, first);
		for (size_t i = first; i < models.count; i++)
			if (same_architecture(runs[i], runs[first]))
				append_run(&page, runs[i], options);
	}
	model_runs_free(&models);
}

void report_terminal(const struct run_record *run, FILE *out, int full)
{
	const struct report_options options = {.style = REPORT_TERMINAL, .colour = cli_colour(out), .brief = !full, .cases_max = TERMINAL_CASES};
	struct text text = {0};
	report_append(&run, 1, &options, &text);
	if (text.failed)
		fprintf(stderr, "assay: out of memory for the report\n");
	else if (text.data)
		fwrite(text.data, 1, text.length, out);
	fflush(out);
	text_free(&text);
}

int report_markdown(const struct run_record *run, const char *path, struct error *err)
{
	const struct report_options options = {.style = REPORT_MARKDOWN, .cases_max = MARKDOWN_CASES};
	struct text text = {0};
	report_append(&run, 1, &options, &text);
	const int result = text.failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory for the report")
				       : write_file_atomically(path, text.data, text.length, err);
	text_free(&text);
	return result;
}

int report_json(const struct run_record *run, const char *path, struct error *err)
{
	json_t *json = report_to_json(&run, 1);
	const int result = cli_write_json(path, json, err); /* NULL is out of memory to it */
	json_decref(json);
	return result;
}
