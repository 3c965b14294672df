#include "report_html.h"

#include "operator_figures.h"
#include "report_conditions.h"
#include "report_figures.h"
#include "report_models.h"
#include "report_operators.h"
#include "report_parts.h"
#include "xml_text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_DETAILED = 6, FAILURES_SHOWN = 100, LIST_SHOWN = 60, CASES_SHOWN = 200, ARTIFACTS_OPEN = 3 };

struct builder {
	struct page page;
	struct text body, navigation;
	struct chart_list charts;
	int several;             /* runs: sections are numbered then */
};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* ---- forms ---- */

__attribute__((format(printf, 4, 5)))
static void open_section(struct builder *builder, const char *id, const char *short_name, const char *format, ...)
{
	char title[512];
	va_list args;
	va_start(args, format);
	vsnprintf(title, sizeof title, format, args);
	va_end(args);
	page_close(&builder->page);
	text_append(&builder->body, "<section id=\"%s\">\n<h2>", id);
	xml_append_text(&builder->body, title);
	text_append(&builder->body, "</h2>\n");
	if (short_name)
		text_append(&builder->navigation, "<a href=\"#%s\">%s</a>", id, short_name);
}

static void close_section(struct builder *builder)
{
	page_close(&builder->page);
	text_append(&builder->body, "</section>\n");
}

/* A part of a run; nothing is left of it when `append` has nothing to say. */
static void part(struct builder *builder, const struct run_record *run, size_t number, const char *id, const char *title,
		int in_grid,
		 void (*append)(struct builder *builder, const struct run_record *run))
{
	const size_t before = builder->body.length;
	page_close(&builder->page);
	text_append(&builder->body, "<section id=\"%s%zu\">\n<h3>%s</h3>\n%s", id, number, title, in_grid ? "<div class=\"charts\">\n"
			: "");
	const size_t empty = builder->body.length;
	append(builder, run);
	page_close(&builder->page);
	if (builder->body.length == empty && !builder->body.failed) {
		builder->body.length = before;
		builder->body.data[before] = '\0';
		return;
	}
	text_append(&builder->body, "%s</section>\n", in_grid ? "</div>\n" : "");
	if (!builder->several)
		text_append(&builder->navigation, "<a href=\"#%s%zu\">%s</a>", id, number, title);
}

__attribute__((format(printf, 5, 6)))
static void tile(struct text *out, const char *label, const char *value, const char *unit, const char *format, ...)
{
	char more[512];
	va_list args;
	va_start(args, format);
	vsnprintf(more, sizeof more, format, args);
	va_end(args);
	text_append(out, "<div class=\"tile\"><div class=\"label\">%s</div><div class=\"value\">", label);
	xml_append_text(out, value);
	text_append(out, " <small>%s</small></div><div class=\"more\">", unit);
	xml_append_text(out, more);
	text_append(out, "</div></div>\n");
}

/* "26 478" */
static const char *grouped(char text[32], size_t value)
{
	char digits[24];
	snprintf(digits, sizeof digits, "%zu", value);
	const size_t length = strlen(digits);
	size_t used = 0;
	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			text[used++] = ' ';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

static void device_name(const struct run_record *run, char *text, size_t size)
{
	const struct device_properties *device = run_device(run);
	if (!device->id[0])
		snprintf(text, size, "no device");
	else if (device->kind == DEVICE_CPU)
		snprintf(text, size, "cpu device (kernels executed, not timed)");
	else
		snprintf(text, size, "%s (sm_%d%d)", device->name, device->cc_major, device->cc_minor);
}

/* ---- verdict of runs ---- */

struct tally {
	size_t cases, passed, bad, refused, mistrusted;
};

static struct tally tally_of(const struct run_record *run)
{
	struct tally tally = {.cases = run->case_count};
	for (size_t i = 0; i < run->case_count; i++) {
		const enum status status = run->cases[i].judgement.status;
		tally.passed += status == STATUS_PASS;
		tally.mistrusted += status == STATUS_MISTRUSTED;
		tally.refused += status == STATUS_UNSUPPORTED || status == STATUS_SKIPPED;
	}
	tally.bad = tally.cases - tally.passed - tally.refused;
	return tally;
}

static size_t broken_inventories(const struct run_record *run)
{
	size_t broken = 0;
	for (size_t i = 0; i < run->inventory_count; i++)
		broken += inventory_is_broken(&run->inventories[i]) != 0;
	return broken;
}

static void append_status_bar(struct text *out, const struct tally *tally)
{
	const struct {
		const char *class;
		size_t count;
	} parts[] = {{"good", tally->passed}, {"bad", tally->bad - tally->mistrusted}, {"doubtful", tally->mistrusted}, {"plain",
			tally->refused}};
	double x = 0;
	if (tally->cases == 0)
		return;
	text_append(out, "<svg class=\"statuses\" viewBox=\"0 0 1000 14\" preserveAspectRatio=\"none\" role=\"img\" "
			"aria-label=\"%zu passed, %zu did not, "
			 "%zu mistrusted, %zu not judged\">", tally->passed, tally->bad - tally->mistrusted, tally->mistrusted, tally->refused);
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		double width = 1000.0 * (double)parts[i].count / (double)tally->cases;
		if (parts[i].count && width < 4)
			width = 4; /* one of ten thousand has to be seen */
		text_append(out, "<rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" height=\"14\"/>", parts[i].class, x, width);
		x += width;
	}
	text_append(out, "</svg>\n");
}

static void append_verdict(struct builder *builder, const struct run_record *const *runs, size_t count)
{
	struct text *out = &builder->body;
	struct tally all = {0};
	size_t broken = 0, unfinished = 0, artifacts = 0, poor = 0;
	char a[32], b[32];
	for (size_t i = 0; i < count; i++) {
		const struct tally one = tally_of(runs[i]);
		all.cases += one.cases;
		all.passed += one.passed;
		all.bad += one.bad;
		all.refused += one.refused;
		all.mistrusted += one.mistrusted;
		broken += broken_inventories(runs[i]);
		unfinished += !runs[i]->complete;
		artifacts += runs[i]->artifact_count;
		poor += run_conditions_of(runs[i]) == CONDITIONS_POOR;
	}
	const int is_bad = all.bad || broken, is_good = !is_bad && all.passed && !unfinished;
	text_append(out, "<section id=\"summary\" class=\"verdict %s\">\n<span class=\"word %s\">%s</span>\n<h1>", is_bad ? "bad"
			: is_good ? "good" : "doubtful",
		    is_bad ? "bad" : is_good ? "good" : "doubtful", is_bad ? "not fit to publish" : is_good ? "passed" : "no verdict");
	if (is_bad && all.bad)
		text_append(out, "%s of %s cases did not pass", grouped(a, all.bad), grouped(b, all.cases));
	else if (is_bad)
		text_append(out, "Entry points of the claimed release are missing");
	else if (all.passed)
		text_append(out, "%s of %s cases passed%s", grouped(a, all.passed), grouped(b, all.cases), all.refused ? ", none failed" : "");
	else
		text_append(out, "Nothing was verified");
	text_append(out, "</h1>\n<p>");
	if (count == 1 && artifacts) {
		xml_append_text(out, runs[0]->artifacts[0].path);
		if (artifacts > 1)
			text_append(out, " and %zu more", artifacts - 1);
	} else {
		text_append(out, "%zu run%s", count, count == 1 ? "" : "s");
	}
	char device[200];
	device_name(runs[count - 1], device, sizeof device);
	text_append(out, " · ");
	xml_append_text(out, device);
	if (or_empty(runs[count - 1]->date)[0]) {
		text_append(out, " · ");
		xml_append_text(out, runs[count - 1]->date);
	}
	if (all.refused)
		text_append(out, " · %s not judged (unsupported or skipped)", grouped(a, all.refused));
	if (is_bad && builder->several && tally_of(runs[count - 1]).bad == 0 && broken_inventories(runs[count - 1]) == 0)
		text_append(out, " · the newest run has no failure");
	if (unfinished)
		text_append(out, " · %zu run%s cut short", unfinished, unfinished == 1 ? " was" : "s were");
	text_append(out, "</p>\n");
	append_status_bar(out, &all);
	text_append(out, "</section>\n");
	if (poor && builder->several) /* of one run the warnings stand right below */
		text_append(out, "<div class=\"notice bad\" role=\"note\"><b>Times of %zu of %zu runs were taken under poor conditions</b>: "
				 "the table says which. Do not publish them, nor take them for changes.</div>\n", poor, count);
	text_append(&builder->navigation, "<a href=\"#summary\">Summary</a>");
}

static void append_warnings(struct builder *builder, const struct run_record *run)
{
	struct run_warning warnings[RUN_WARNINGS_MAX];
	const int count = run_warnings_of(run, warnings);
	int grave = 0;
	for (int i = 0; i < count; i++)
		grave |= warnings[i].is_grave;
	if (count == 0)
		return;
	text_append(&builder->body, "<div class=\"notice%s\" role=\"note\"><b>%s</b><ul>\n", grave ? " bad" : "",
		    grave ? "Conditions were poor: do not publish these times." : "Conditions to know of");
	for (int i = 0; i < count; i++) {
		char what[sizeof warnings[i].what];
		snprintf(what, sizeof what, "%s", warnings[i].what);
		what[0] = (char)toupper((unsigned char)what[0]);
		text_append(&builder->body, "<li>");
		xml_append_text(&builder->body, what);
		text_append(&builder->body, ". ");
		xml_append_text(&builder->body, warnings[i].remedy);
		text_append(&builder->body, "</li>\n");
	}
	text_append(&builder->body, "</ul></div>\n");
}

/* ---- tiles ---- */

static void best_tiles(struct text *out, const struct run_record *run)
{
	const struct case_record *flops = NULL, *bytes = NULL;
	double energy = (double)NAN;
	const char *frugal = "";
	for (size_t i = 0; i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		if (!case_is_timed(record))
			continue;
		if (record->unit == WORK_BYTES && (!bytes || operator_rate_of(run, record).rate > operator_rate_of(run, bytes).rate))
			bytes = record;
		if (record->unit == WORK_FLOPS && record->flops > 0 && (!flops || case_flop_rate(record) > case_flop_rate(flops)))
			flops = record;
		const double joules = case_energy_per_tflop(record);
		if (joules > 0 && !(joules >= energy)) {
			energy = joules;
			frugal = record->name;
		}
	}
	char value[32], share[64] = "";
	if (flops) {
		const double of = case_roof_share(run, flops);
		snprintf(value, sizeof value, "%.3g", case_flop_rate(flops) / 1e12);
		if (isfinite(of))
			snprintf(share, sizeof share, "%.0f %% of this card's matrix product: ", 100 * of);
		tile(out, "Most arithmetic", value, "TFLOP/s", "%s%s", share, flops->name);
	}
	if (bytes) {
		const struct operator_rate rate = operator_rate_of(run, bytes);
		share[0] = '\0';
		snprintf(value, sizeof value, "%.4g", rate.rate / 1e9);
		if (isfinite(rate.share))
			snprintf(share, sizeof share, "%.0f %% of this card's copy rate: ", 100 * rate.share);
		tile(out, "Most bytes", value, "GB/s", "%s%s", share, bytes->name);
	}
	if (energy > 0) {
		snprintf(value, sizeof value, "%.3g", energy);
		tile(out, "Least energy", value, "J / TFLOP", "%s", frugal);
	}
}

/* Median over the cases of how much faster the artifact is. */
static void baseline_tiles(struct text *out, const struct run_record *run)
{
	const char *told[RECORD_BASELINES_MAX] = {NULL};
	size_t told_count = 0;
	double *ratios = calloc(run->case_count + 1, sizeof *ratios);
	if (!ratios) {
		out->failed = 1;
		return;
	}
	for (size_t i = 0; i < run->case_count; i++)
		for (int b = 0; case_is_timed(&run->cases[i]) && b < run->cases[i].baseline_count; b++) {
			const char *name = run->cases[i].baselines[b].name;
			size_t at = 0, count = 0;
			while (at < told_count && strcmp(told[at], name) != 0)
				at++;
			if (at < told_count || told_count == RECORD_BASELINES_MAX)
				continue;
			told[told_count++] = name;
			for (size_t k = i; k < run->case_count; k++) {
				const struct baseline_record *other = case_is_timed(&run->cases[k]) ? case_record_baseline(&run->cases[k], name) : NULL;
				if (other && other->hot.median > 0)
					ratios[count++] = other->hot.median / run->cases[k].hot.median;
			}
			if (count == 0)
				continue;
			const struct spread spread = spread_of(ratios, count);
			char label[64], value[32];
			snprintf(label, sizeof label, "%.31s", name);
			struct text clean = {0};
			text_append(&clean, "Against ");
			xml_append_text(&clean, label);
			snprintf(value, sizeof value, "%.2fx", spread.median);
			tile(out, clean.data ? clean.data : "", value, "",
			     "its speed: median of %zu cases, %.2fx to %.2fx", count, spread.minimum, spread.maximum);
			text_free(&clean);
		}
	free(ratios);
}

static void append_tiles(struct builder *builder, const struct run_record *run, const struct run_summary *summary)
{
	struct text *out = &builder->body;
	char value[32];
	text_append(out, "<div class=\"tiles\">\n");
	if (summary->margins.count) {
		snprintf(value, sizeof value, "%.2f", summary->margins.maximum);
		tile(out, "Largest error / bound", value, "of 1", "median %.2f; among the passed: %s", summary->margins.median,
				summary->worst->name);
	}
	best_tiles(out, run);
	baseline_tiles(out, run);
	size_t launched = 0, reachable = 0, entries = 0;
	double load = 0;
	for (size_t i = 0; i < run->artifact_count; i++) {
		const struct kernel_counts counts = kernel_counts_of(&run->artifacts[i]);
		entries += (size_t)(run->artifacts[i].entry_points > 0 ? run->artifacts[i].entry_points : 0);
		launched += run->artifacts[i].load_parts ? 0 : counts.launched;
		reachable += run->artifacts[i].load_parts ? 0 : counts.reachable;
		/* modules are loaded side by side: the last one's end counts */
		if (!run->artifacts[i].load_parts)
			load += run->artifacts[i].link_seconds + run->artifacts[i].load_seconds;
		else if (run->artifacts[i].load_wall_seconds > load)
			load = run->artifacts[i].load_wall_seconds;
	}
	if (reachable) {
		snprintf(value, sizeof value, "%zu", launched);
		tile(out, "Kernels reached", value, "", "of %zu that the entry point can launch on this device", reachable);
	}
	if (run->inventory_count && run->inventories[0].expected) {
		snprintf(value, sizeof value, "%lld", (long long)run->inventories[0].present);
		tile(out, "Entry points", value, "", "of the %lld that release %s has here", (long long)run->inventories[0].expected,
		     or_empty(run->inventories[0].profile));
	} else if (entries) {
		snprintf(value, sizeof value, "%zu", entries);
		tile(out, "Entry points", value, "", "that a program can call");
	}
	if (load > 0) {
		snprintf(value, sizeof value, "%.2f", load);
		tile(out, "Loading", value, "s", "linking and the driver's own work, before the first call");
	}
	text_append(out, "</div>\n");
}

/* ---- parts of one run ---- */

static void part_artifacts(struct builder *builder, const struct run_record *run)
{
	for (size_t i = 0; i < run->artifact_count; i++) {
		const struct artifact_record *artifact = &run->artifacts[i];
		const struct kernel_counts counts = kernel_counts_of(artifact);
		page_close(&builder->page);
		text_append(&builder->body, "<details class=\"fold\"%s><summary>", i < ARTIFACTS_OPEN ? " open" : "");
		xml_append_text(&builder->body, path_base(or_empty(artifact->path)));
		text_append(&builder->body, "</summary>\n");
		report_artifact(&builder->page, artifact);
		page_fact(&builder->page, "sha256", "%s", artifact->sha256);
		struct text images = {0};
		for (const char *at = or_empty(artifact->images); *at; at += strcspn(at, "\n"), at += *at == '\n')
			text_append(&images, "%s%.*s", images.length ? "; " : "", (int)strcspn(at, "\n"), at);
		page_fact(&builder->page, "images", "%s", images.data ? images.data : "");
		text_free(&images);
		page_fact(&builder->page, "size", "%llu bytes", (unsigned long long)artifact->size);
		if (counts.reachable && !artifact->load_parts)
			page_fact(&builder->page, "kernels", "%zu of %zu that can be reached here were launched; %zu in all", counts.launched,
					counts.reachable,
				  artifact->kernel_count);
		html_kernel_table(&builder->page, run, (int32_t)i);
		page_close(&builder->page);
		text_append(&builder->body, "</details>\n");
	}
	const size_t before = builder->body.length;
	text_append(&builder->body, "<details><summary>Kernels that no case launched</summary>\n");
	const size_t empty = builder->body.length;
	report_coverage(&builder->page, run, &(struct report_options){.style = REPORT_HTML, .cases_max = LIST_SHOWN});
	page_close(&builder->page);
	if (builder->body.length == empty && !builder->body.failed) {
		builder->body.length = before;
		builder->body.data[before] = '\0';
	} else {
		text_append(&builder->body, "</details>\n");
	}
}

static void part_verdicts(struct builder *builder, const struct run_record *run)
{
	struct run_summary summary;
	struct table table = {.titles = {"verdict", "cases", "%"}, .left = {1}, .columns = 3};
	if (run_summary_of(run, &summary)) {
		builder->body.failed = 1;
		return;
	}
	for (int status = 0; status < STATUS_COUNT && run->case_count; status++)
		if (summary.statuses[status]) {
			table_cell(&table, "%s", status_name((enum status)status));
			table_cell(&table, "%zu", summary.statuses[status]);
			const double percent = 100.0 * (double)summary.statuses[status] / (double)run->case_count;
			table_cell(&table, "%.*f", percent < 1 ? 3 : 1, percent); /* few of many are not none */
		}
	if (run->case_count)
		page_table(&builder->page, &table);
	report_failures(&builder->page, run, &summary, FAILURES_SHOWN);
	report_inventories(&builder->page, run, LIST_SHOWN);
	report_operators(&builder->page, run, LIST_SHOWN);
	page_close(&builder->page);
	text_append(&builder->body, "<details><summary>What was checked</summary>\n");
	report_checks(&builder->page, &summary);
	page_close(&builder->page);
	text_append(&builder->body, "</details>\n");
}

static void part_errors(struct builder *builder, const struct run_record *run)
{
	html_error_charts(&builder->page, &builder->charts, run);
}

static void part_throughput(struct builder *builder, const struct run_record *run)
{
	html_throughput_charts(&builder->page, &builder->charts, run);
	html_operator_charts(&builder->page, &builder->charts, run);
	html_roofline_charts(&builder->page, &builder->charts, run);
}

static void part_figures(struct builder *builder, const struct run_record *run)
{
	struct run_summary summary;
	if (run_summary_of(run, &summary)) {
		builder->body.failed = 1;
		return;
	}
	report_throughput(&builder->page, run, &summary, CASES_SHOWN);
	html_entry_table(&builder->page, run);
	report_operator_throughput(&builder->page, run, CASES_SHOWN);
	report_counts(&builder->page, run, CASES_SHOWN);
}

static void part_conditions(struct builder *builder, const struct run_record *run)
{
	report_run_facts(&builder->page, run);
	report_measured_facts(&builder->page, run);
	page_close(&builder->page);
	text_append(&builder->body, "<div class=\"charts\">\n");
	html_condition_charts(&builder->page, &builder->charts, run);
	page_close(&builder->page);
	text_append(&builder->body, "</div>\n");
}

static void append_run(struct builder *builder, const struct run_record *run, size_t number)
{
	struct run_summary summary;
	if (run_summary_of(run, &summary)) {
		builder->body.failed = 1;
		return;
	}
	text_append(&builder->body, "<div%s id=\"run%zu\">\n", builder->several ? " class=\"run\"" : "", number);
	if (builder->several) {
		char device[200];
		const struct tally tally = tally_of(run);
		device_name(run, device, sizeof device);
		text_append(&builder->body, "<h2>Run %zu: ", number);
		xml_append_text(&builder->body, device);
		text_append(&builder->body, ", ");
		xml_append_text(&builder->body, run->date);
		text_append(&builder->body, "</h2>\n<p>%zu of %zu cases passed, %zu did not, %zu were not judged.</p>\n", tally.passed,
				tally.cases,
			    tally.bad, tally.refused);
		append_status_bar(&builder->body, &tally);
		text_append(&builder->navigation, "<a href=\"#run%zu\">Run %zu</a>", number, number);
	}
	if (!run->complete)
		text_append(&builder->body, "<div class=\"notice\" role=\"note\"><b>This run was cut short.</b> What follows is what it "
				"had by then.</div>\n");
	append_warnings(builder, run);
	append_tiles(builder, run, &summary);
	/* what is wrong comes first; where nothing is, what the reader came for */
	const int is_wrong = tally_of(run).bad || broken_inventories(run);
	if (is_wrong)
		part(builder, run, number, "verdicts", "Verdicts", 0, part_verdicts);
	part(builder, run, number, "throughput", "Speed", 1, part_throughput);
	part(builder, run, number, "errors", "Errors", 1, part_errors);
	if (!is_wrong)
		part(builder, run, number, "verdicts", "Verdicts", 0, part_verdicts);
	part(builder, run, number, "figures", "Figures", 0, part_figures);
	part(builder, run, number, "artifacts", "Artifacts", 0, part_artifacts);
	part(builder, run, number, "conditions", "Conditions", 0, part_conditions);
	text_append(&builder->body, "</div>\n");
}

/* ---- several runs ---- */

static void append_runs_table(struct builder *builder, const struct run_record *const *runs, const char *const *files,
		size_t count)
{
	static const char *const conditions[] = {[CONDITIONS_GOOD] = "good", [CONDITIONS_FAIR] = "fair", [CONDITIONS_POOR] = "poor"};
	struct table table = {.titles = {"run", "file", "cases", "passed", "did not", "largest error / bound", "best TFLOP/s",
					 "of matrix product (%)", "conditions", "date (UTC)", "GPU", "driver", "toolkit"},
			      .left = {[1] = 1, [8] = 1, [9] = 1, [10] = 1, [11] = 1, [12] = 1},
			      .columns = 13};
	open_section(builder, "runs", "Runs", "Runs, by GPU architecture");
	for (int cc = 0; cc < 1000; cc++)
		for (size_t i = 0; i < count; i++) {
			const struct device_properties *device = run_device(runs[i]);
			const struct tally tally = tally_of(runs[i]);
			struct run_summary summary;
			const struct case_record *best = NULL;
			char name[200];
			const int version = device->cc_major * 10 + device->cc_minor;
			if ((version < 0 || version > 999 ? 999 : version) != cc)
				continue;
			if (run_summary_of(runs[i], &summary)) {
				builder->body.failed = 1;
				continue;
			}
			for (size_t k = 0; k < runs[i]->case_count; k++)
				if (case_is_timed(&runs[i]->cases[k]) && runs[i]->cases[k].flops > 0 &&
				    (!best || case_flop_rate(&runs[i]->cases[k]) > case_flop_rate(best)))
					best = &runs[i]->cases[k];
			device_name(runs[i], name, sizeof name);
			table_cell(&table, "%zu", i + 1);
			table_cell(&table, "%s", files ? path_base(files[i]) : "");
			table_cell(&table, "%zu", tally.cases);
			table_cell(&table, "%zu", tally.passed);
			table_cell(&table, "%zu", tally.bad);
			if (summary.margins.count)
				table_cell(&table, "%.3f", summary.margins.maximum);
			else
				table_cell(&table, "-");
			if (best)
				table_cell(&table, "%.4g", case_flop_rate(best) / 1e12);
			else
				table_cell(&table, "-");
			if (best && isfinite(case_roof_share(runs[i], best)))
				table_cell(&table, "%.1f", 100 * case_roof_share(runs[i], best));
			else
				table_cell(&table, "-");
			table_cell(&table, "%s", summary.timed ? conditions[run_conditions_of(runs[i])] : "-");
			table_cell(&table, "%s", or_empty(runs[i]->date));
			table_cell(&table, "%s", name);
			table_cell(&table, "%s", device->driver_text);
			/* without what its tools say of themselves: "CUDA 13.0 (Cuda compilation tools, ...)" */
			const char *const toolkit = runs[i]->artifact_count ? or_empty(runs[i]->artifacts[0].toolkit) : "";
			table_cell(&table, "%.*s", (int)strcspn(toolkit, "("), toolkit);
		}
	page_table(&builder->page, &table);
	if (count > RUNS_DETAILED)
		page_paragraph(&builder->page, "The newest %d of them have a section of their own below.", RUNS_DETAILED);
	close_section(builder);
}

struct dated {
	const struct run_record *run;
	const char *file;
	size_t given;            /* place on the command line, which decides between equal dates */
};

static int by_date(const void *a, const void *b)
{
	const struct dated *x = a, *y = b;
	const int order = strcmp(or_empty(x->run->date), or_empty(y->run->date));
	return order ? order : (x->given > y->given) - (x->given < y->given);
}

static void append_body(struct builder *builder, const struct run_record *const *runs, const char *const *files, size_t count)
{
	append_verdict(builder, runs, count);
	if (builder->several) {
		append_runs_table(builder, runs, files, count);
		if (history_is_there(runs, count)) {
			open_section(builder, "history", "History", "History");
			html_history(&builder->page, &builder->charts, runs, count);
			close_section(builder);
		}
	}
	for (size_t i = 0; i < count && i < RUNS_DETAILED; i++)
		append_run(builder, runs[count - 1 - i], count - i);
	text_append(&builder->navigation, "<a href=\"#reading\">How to read this</a>");
}

void report_append_html(const struct run_record *const *given, const char *const *files, size_t given_count, struct text *out)
{
	struct model_runs models;
	if (model_runs_make(&models, given, given_count)) {
		out->failed = 1;
		return;
	}
	const size_t count = models.count;
	struct builder builder = {.several = count > 1, .charts = {.charts = json_array(), .is_drawn = html_has_chart_library()}};
	struct dated *dated = calloc(count + 1, sizeof *dated);
	const struct run_record **sorted = calloc(count + 1, sizeof *sorted);
	const char **names = calloc(count + 1, sizeof *names);
	char title[300] = "assay report";
	builder.page = (struct page){.style = REPORT_HTML, .out = &builder.body};
	if (!dated || !sorted || !names || !builder.charts.charts || count == 0) {
		out->failed = 1;
		goto done;
	}
	for (size_t i = 0; i < count; i++)
		dated[i] = (struct dated){models.runs[i], files ? files[models.given[i]] : "", i};
	qsort(dated, count, sizeof *dated, by_date);
	for (size_t i = 0; i < count; i++) {
		sorted[i] = dated[i].run;
		names[i] = dated[i].file;
	}
	append_body(&builder, sorted, names, count);
	if (sorted[count - 1]->artifact_count)
		snprintf(title, sizeof title, "assay: %.250s", path_base(or_empty(sorted[count - 1]->artifacts[0].path)));
	const struct html_content content = {title, &builder.navigation, &builder.body, builder.charts.charts};
	html_assemble(&content, out);
done:
	model_runs_free(&models);
	free(dated);
	free(sorted);
	free(names);
	json_decref(builder.charts.charts);
	text_free(&builder.body);
	text_free(&builder.navigation);
}
