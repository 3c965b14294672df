#include "compare_report.h"

#include "artifact/demangle.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REASONS_MAX = 12 };

static const struct case_record *either(const struct case_comparison *pair)
{
	return pair->base ? pair->base : pair->next;
}

/* ---- one case ---- */

static void separate(struct text *out, size_t start)
{
	if (out->length > start)
		text_append(out, "; ");
}

static void append_duration(struct text *out, double seconds)
{
	if (!(seconds > 0))
		text_append(out, "-");
	else if (seconds < 1e-3)
		text_append(out, "%.2f us", seconds * 1e6);
	else
		text_append(out, "%.3f ms", seconds * 1e3);
}

static void append_timing(struct text *out, size_t start, const char *what, const struct timing_comparison *timing)
{
	if (timing->verdict == TIMING_NONE)
		return;
	separate(out, start);
	text_append(out, "%s %s ", timing_verdict_name(timing->verdict), what);
	append_duration(out, timing->base_median);
	text_append(out, " -> ");
	append_duration(out, timing->next_median);
	if (isfinite(timing->ratio))
		text_append(out, ", x %.4f", timing->ratio);
	if (isfinite(timing->low))
		text_append(out, " (%.4f .. %.4f)", timing->low, timing->high);
	if (timing->is_normalised)
		text_append(out, ", in cycles x %.4f (%.4f .. %.4f) as the SM clock went %.0f -> %.0f MHz", timing->cycle_ratio,
			    timing->cycle_low, timing->cycle_high, timing->base_mhz, timing->next_mhz);
	if (timing->reason[0])
		text_append(out, ": %s", timing->reason);
}

static void append_margin(struct text *out, size_t start, const char *what, double base, double next)
{
	if (base == next || (isnan(base) && isnan(next)))
		return;
	separate(out, start);
	text_append(out, "%s / bound %.3g -> %.3g", what, base, next);
	if (base > 0 && isfinite(next / base))
		text_append(out, " (x %.3g)", next / base);
}

/* "1: 12, 2-4: 3", of what differs in value. */
static void append_ulps(struct text *out, const uint64_t bins[ULP_BINS])
{
	int shown = 0;
	for (int bin = ULP_ONE; bin < ULP_BINS; bin++)
		if (bins[bin])
			text_append(out, "%s%s: %" PRIu64, shown++ ? ", " : "", ulp_bin_name((enum ulp_bin)bin), bins[bin]);
}

static void append_difference(struct text *out, const struct output_difference *difference)
{
	if (!difference->is_known)
		return;
	text_append(out, ": %" PRIu64 " of %" PRIu64 " elements", difference->differing, difference->elements);
	if (difference->largest)
		text_append(out, ", at most %" PRIu64 " ULP (element %" PRIu64 ": %.9g -> %.9g)", difference->largest, difference->at,
			    difference->base, difference->next);
	else if (difference->bins[ULP_NAN])
		text_append(out, " (element %" PRIu64 ": %.9g -> %.9g)", difference->at, difference->base, difference->next);
	else
		text_append(out, ", the same values (signs of zeros, kinds of NaN)");
	if (difference->bins[ULP_NAN])
		text_append(out, ", NaN in one only: %" PRIu64, difference->bins[ULP_NAN]);
}

static void append_bits(struct text *out, size_t start, const struct case_comparison *pair)
{
	if (pair->bits != BITS_DIFFER)
		return;
	for (int i = 0; i < pair->base->output_count && i < RECORD_OUTPUTS_MAX; i++)
		if (pair->output_bits[i] == BITS_DIFFER) {
			separate(out, start);
			text_append(out, "other bits in %s", pair->base->output_names[i]);
			append_difference(out, &pair->differences[i]);
		}
}

void comparison_append_case(const struct case_comparison *pair, struct text *out)
{
	const size_t start = out->length;
	if (!pair->base || !pair->next) {
		text_append(out, pair->base ? "not in the new run (%s in the base)" : "not in the base run (%s in the new)",
			    status_name(either(pair)->judgement.status));
		return;
	}
	if (pair->verdict_differs) {
		const struct case_record *told = pair->verdict_change < 0 ? pair->base : pair->next;
		text_append(out, "%s -> %s", status_name(pair->base->judgement.status), status_name(pair->next->judgement.status));
		if (told->judgement.reason[0])
			text_append(out, " (%s%.200s)", pair->verdict_change < 0 ? "was: " : "", told->judgement.reason);
	}
	if (!pair->verdict_differs && pair->regressions && pair->next->judgement.status != STATUS_PASS)
		text_append(out, "%s in both", status_name(pair->next->judgement.status));
	append_timing(out, start, "hot", &pair->hot);
	append_timing(out, start, "cold", &pair->cold);
	append_margin(out, start, "error", pair->base_margin, pair->next_margin);
	append_margin(out, start, "LSE error", pair->base_lse_margin, pair->next_lse_margin);
	append_bits(out, start, pair);
	if (pair->launches_differ) {
		separate(out, start);
		text_append(out, "launched otherwise");
	}
	if (pair->image_differs) {
		separate(out, start);
		text_append(out, "image %s -> %s", pair->base->image, pair->next->image);
	}
}

const char *comparison_regression_name(const struct case_comparison *pair)
{
	return pair->regressions & REGRESSION_VERDICT  ? "verdict" :
	       pair->regressions & REGRESSION_MARGIN   ? "error" :
	       pair->regressions & REGRESSION_VANISHED ? "vanished" :
	       pair->regressions & REGRESSION_SLOWER   ? "SLOWER" :
							 "";
}

/* ---- lists ---- */

struct view {
	struct page page;
	const struct comparison *comparison;
	size_t limit;                 /* SIZE_MAX: none */
};

static void fold(struct view *view, const char *title, size_t count)
{
	if (view->page.style == REPORT_MARKDOWN)
		text_append(view->page.out, "\n<details><summary>%s (%zu)</summary>\n\n", title, count);
	else
		page_heading(&view->page, 2, "%s (%zu)", title, count);
}

static void unfold(struct view *view)
{
	if (view->page.style == REPORT_MARKDOWN)
		text_append(view->page.out, "\n</details>\n");
}

static void say_rest(struct view *view, size_t shown, size_t count)
{
	char text[64];
	if (count <= shown)
		return;
	snprintf(text, sizeof text, "and %zu more; --all lists them", count - shown);
	page_item(&view->page, TONE_PLAIN, "...", text);
}

static void list_case(struct view *view, const char *word, enum tone tone, const struct case_comparison *pair, const char *before)
{
	struct text line = {0}, said = {0};
	text_append(&line, "%s%s", before, either(pair)->name);
	comparison_append_case(pair, &said);
	page_item(&view->page, tone, word, line.data ? line.data : "");
	page_item_line(&view->page, "", said.data, 0);
	view->page.out->failed |= line.failed | said.failed;
	text_free(&line);
	text_free(&said);
}

/* Cases that `select` takes, in their order: worst first. */
static void list_cases(struct view *view, const char *word, enum tone tone, size_t count,
		       int (*select)(const struct case_comparison *pair))
{
	size_t shown = 0;
	for (size_t i = 0; i < view->comparison->case_count && shown < view->limit; i++)
		if (select(&view->comparison->cases[i])) {
			list_case(view, word[0] ? word : comparison_regression_name(&view->comparison->cases[i]), tone,
				  &view->comparison->cases[i], "");
			shown++;
		}
	say_rest(view, shown, count);
}

static int is_regression(const struct case_comparison *pair)
{
	return pair->regressions != 0;
}

static int is_faster(const struct case_comparison *pair)
{
	return pair->regressions == 0 && case_timing(pair) == TIMING_FASTER;
}

static int is_unsure(const struct case_comparison *pair)
{
	return pair->regressions == 0 && case_timing(pair) == TIMING_UNSURE;
}

static int is_better(const struct case_comparison *pair)
{
	return pair->verdict_differs && pair->verdict_change <= 0;
}

static size_t count_cases(const struct comparison *comparison, int (*select)(const struct case_comparison *pair))
{
	size_t count = 0;
	for (size_t i = 0; i < comparison->case_count; i++)
		count += (size_t)select(&comparison->cases[i]);
	return count;
}

static int by_first_regression(const void *a, const void *b)
{
	const struct entry_comparison *const *left = a, *const *right = b;
	return ((*left)->first_regression > (*right)->first_regression) - ((*left)->first_regression < (*right)->first_regression);
}

static void list_regressing_entries(struct view *view)
{
	const struct comparison *comparison = view->comparison;
	const struct entry_comparison **entries = calloc(comparison->entry_count, sizeof *entries);
	size_t count = 0;
	if (!entries) {
		view->page.out->failed = 1;
		return;
	}
	for (size_t i = 0; i < comparison->entry_count; i++)
		if (comparison->entries[i].regressions)
			entries[count++] = &comparison->entries[i];
	qsort(entries, count, sizeof *entries, by_first_regression);
	size_t shown = 0;
	for (; shown < count && shown < view->limit; shown++) {
		const struct entry_comparison *entry = entries[shown];
		const struct case_comparison *worst = &comparison->cases[entry->first_regression];
		struct text before = {0};
		text_append(&before, "%s: %zu of %zu cases, worst ", entry->entry_point, entry->regressions, entry->base_cases);
		list_case(view, comparison_regression_name(worst), TONE_BAD, worst, before.data ? before.data : "");
		view->page.out->failed |= before.failed;
		text_free(&before);
	}
	say_rest(view, shown, count);
	free(entries);
}

static void list_lines(struct view *view, const char *word, enum tone tone, const char *lines, size_t count)
{
	size_t shown = 0;
	for (const char *at = lines; *at && shown < view->limit; shown++) {
		const size_t length = strcspn(at, "\n");
		char *line = strndup(at, length);
		if (line)
			page_item(&view->page, tone, word, line);
		else
			view->page.out->failed = 1;
		free(line);
		at += length + (at[length] == '\n');
	}
	say_rest(view, shown, count);
}


/* ---- parts of the page ---- */

static int is_timed(const struct comparison *c)
{
	return c->hot[TIMING_NONE] < c->common || c->cold[TIMING_NONE] < c->common;
}

static void append_families(struct view *view)
{
	const struct comparison *comparison = view->comparison;
	const int columns = is_timed(comparison) ? 12 : 7;
	struct table table = {.titles = {"family", "entry points", "common cases", "same bits", "other bits", "worse", "better",
					 "SLOWER", "FASTER", "SAME", "UNSURE", "refused"},
			      .left = {1},
			      .columns = columns};
	size_t family_count = 0;
	for (size_t i = 0; i < comparison->entry_count; i++)
		family_count += i == 0 || strcmp(comparison->entries[i].family, comparison->entries[i - 1].family) != 0;
	fold(view, "By family", family_count);
	for (size_t i = 0; i < comparison->entry_count;) {
		struct entry_comparison sum = {.family = comparison->entries[i].family};
		size_t entries = 0;
		for (; i < comparison->entry_count && strcmp(comparison->entries[i].family, sum.family) == 0; i++, entries++) {
			const struct entry_comparison *entry = &comparison->entries[i];
			sum.common += entry->common;
			sum.same_bits += entry->same_bits;
			sum.other_bits += entry->other_bits;
			sum.worse += entry->worse;
			sum.better += entry->better;
			sum.slower += entry->slower;
			sum.faster += entry->faster;
			sum.same += entry->same;
			sum.unsure += entry->unsure;
			sum.refused += entry->refused;
		}
		table_cell(&table, "%s", sum.family[0] ? sum.family : "(unknown)");
		const size_t values[] = {entries, sum.common, sum.same_bits, sum.other_bits, sum.worse, sum.better, sum.slower,
					 sum.faster, sum.same, sum.unsure, sum.refused};
		for (size_t k = 0; k < ARRAY_COUNT(values) && (int)k < columns - 1; k++)
			table_cell(&table, "%zu", values[k]);
	}
	page_table(&view->page, &table);
	unfold(view);
}

static void append_other_bits(struct view *view)
{
	const struct comparison *comparison = view->comparison;
	size_t count = 0, shown = 0;
	for (size_t i = 0; i < comparison->entry_count; i++)
		count += comparison->entries[i].other_bits != 0;
	if (count == 0)
		return;
	fold(view, "Entry points with other bits", count);
	for (size_t i = 0; i < comparison->entry_count && shown < view->limit; i++) {
		const struct entry_comparison *entry = &comparison->entries[i];
		struct text text = {0};
		if (entry->other_bits == 0)
			continue;
		text_append(&text, "%s: %zu of %zu cases", entry->entry_point, entry->other_bits, entry->same_bits + entry->other_bits);
		page_item(&view->page, TONE_PLAIN, entry->family, text.data ? text.data : "");
		view->page.out->failed |= text.failed;
		text_free(&text);
		shown++;
	}
	say_rest(view, shown, count);
	unfold(view);
}

static void append_entries_of_one(struct view *view, const char *title, int vanished, size_t count)
{
	size_t shown = 0;
	if (count == 0)
		return;
	fold(view, title, count);
	for (size_t i = 0; i < view->comparison->entry_count && shown < view->limit; i++) {
		const struct entry_comparison *entry = &view->comparison->entries[i];
		if (vanished ? entry->next_cases != 0 : entry->base_cases != 0)
			continue;
		page_item(&view->page, vanished ? TONE_BAD : TONE_PLAIN, entry->family, entry->entry_point);
		shown++;
	}
	say_rest(view, shown, count);
	unfold(view);
}

/* Digits tell samples apart, not reasons; those of devices belong to their names. */
static int same_reason(const struct timing_comparison *a, const struct timing_comparison *b)
{
	if (a->other_device || b->other_device)
		return strcmp(a->reason, b->reason) == 0;
	return strncmp(a->reason, b->reason, strcspn(b->reason, "0123456789")) == 0;
}

/* Why times were not compared, each reason once. */
static void append_refusals(struct view *view)
{
	const struct comparison *comparison = view->comparison;
	struct {
		const struct timing_comparison *first;
		size_t count;
	} reasons[REASONS_MAX];
	size_t used = 0, others = 0;
	for (size_t i = 0; i < 2 * comparison->case_count; i++) {
		const struct case_comparison *pair = &comparison->cases[i / 2];
		const struct timing_comparison *timing = i % 2 ? &pair->cold : &pair->hot;
		if (timing->verdict != TIMING_REFUSED)
			continue;
		size_t at = 0;
		while (at < used && !same_reason(reasons[at].first, timing))
			at++;
		if (at == used && used < REASONS_MAX) {
			reasons[used].first = timing;
			reasons[used++].count = 0;
		}
		if (at < used)
			reasons[at].count++;
		else
			others++;
	}
	if (used == 0)
		return;
	fold(view, "Times that are not comparable", comparison->hot[TIMING_REFUSED] + comparison->cold[TIMING_REFUSED]);
	for (size_t i = 0; i < used; i++) {
		char text[256];
		snprintf(text, sizeof text, "%s (%zu)", reasons[i].first->reason, reasons[i].count);
		page_item(&view->page, TONE_DOUBTFUL, "refused", text);
	}
	say_rest(view, 0, others);
	unfold(view);
}

static void append_artifacts(struct view *view)
{
	const struct comparison *comparison = view->comparison;
	size_t changed = 0, shown = 0;
	for (size_t i = 0; i < comparison->artifact_count; i++)
		changed += !comparison->artifacts[i].base || !comparison->artifacts[i].next || comparison->artifacts[i].changes[0];
	if (changed == 0)
		return;
	fold(view, "Artifacts", changed);
	for (size_t i = 0; i < comparison->artifact_count && shown < view->limit; i++) {
		const struct artifact_comparison *pair = &comparison->artifacts[i];
		const struct artifact_record *one = pair->base ? pair->base : pair->next;
		if (pair->base && pair->next && !pair->changes[0])
			continue;
		page_item(&view->page, TONE_PLAIN, !pair->next ? "vanished" : !pair->base ? "new" : "changed",
			  path_base(one->path ? one->path : ""));
		for (const char *at = pair->changes; *at;) {
			const size_t length = strcspn(at, "\n");
			char *line = strndup(at, length < 400 ? length : 400);
			page_item_line(&view->page, "", line, 0);
			free(line);
			at += length + (at[length] == '\n');
		}
		shown++;
	}
	say_rest(view, shown, changed);
	unfold(view);
}

static void append_resource(struct text *out, const char *what, int32_t base, int32_t next)
{
	if (base != next && base >= 0 && next >= 0)
		text_append(out, "%s%s %d -> %d", out->length ? ", " : "", what, base, next);
}

static void append_resources(struct view *view)
{
	const struct comparison *comparison = view->comparison;
	size_t shown = 0;
	if (comparison->resource_count == 0)
		return;
	fold(view, "Resources of kernels", comparison->resource_count);
	for (; shown < comparison->resource_count && shown < view->limit; shown++) {
		const struct resource_comparison *one = &comparison->resources[shown];
		struct text said = {0};
		char *name = demangle(one->name);
		append_resource(&said, "registers", one->base[RESOURCE_REGISTERS], one->next[RESOURCE_REGISTERS]);
		append_resource(&said, "static shared bytes", one->base[RESOURCE_SHARED], one->next[RESOURCE_SHARED]);
		append_resource(&said, "local bytes (stack, spills)", one->base[RESOURCE_LOCAL], one->next[RESOURCE_LOCAL]);
		if (one->is_new_local)
			page_item(&view->page, TONE_BAD, "NEW LOCAL", name ? name : one->name);
		else
			page_item(&view->page, one->worse ? TONE_DOUBTFUL : TONE_GOOD,
				  one->worse && one->better ? "other" : one->worse ? "more" : "less", name ? name : one->name);
		page_item_line(&view->page, "", said.data, 0);
		view->page.out->failed |= said.failed;
		text_free(&said);
		free(name);
	}
	say_rest(view, shown, comparison->resource_count);
	unfold(view);
}

static void append_counts(struct view *view)
{
	const struct comparison *c = view->comparison;
	struct page *page = &view->page;
	page_fact(page, "cases", "%zu in common, %zu vanished, %zu new", c->common, c->vanished, c->added);
	page_fact(page, "entry points", "%zu, of which %zu vanished and %zu are new", c->entry_count,
		  c->entries_gone, c->entries_added);
	page_fact(page, "verdicts", "%zu became worse, %zu better, %zu other; error beyond its bound in %zu where it was not", c->worse,
		  c->better, c->other_verdict, c->margins);
	page_fact(page, "outputs", "%zu cases bit-identical, %zu with other bits, %zu not comparable", c->same_bits, c->other_bits,
		  c->unknown_bits);
	if (c->measured_outputs) {
		struct text ulps = {0};
		append_ulps(&ulps, c->ulps);
		page_fact(page, "differences", "%" PRIu64 " of %" PRIu64 " elements in %zu outputs; ULP apart: %s", c->differing, c->elements,
			  c->measured_outputs, ulps.data ? ulps.data : "none, in value");
		text_free(&ulps);
	}
	if (c->kernels_compared)
		page_fact(page, "resources", "%zu kernels in both: %zu take more, %zu less%s", c->kernels_compared, c->kernels_worse,
			  c->kernels_better, c->kernels_new_local ? "; see below for local memory where there was none" : "");
	for (int cold = 0; cold < 2; cold++) {
		const size_t *of = cold ? c->cold : c->hot;
		if (of[TIMING_NONE] < c->common)
			page_fact(page, cold ? "cold times" : "hot times",
				  "%zu SLOWER, %zu FASTER, %zu SAME, %zu UNSURE, %zu not comparable", of[TIMING_SLOWER],
				  of[TIMING_FASTER], of[TIMING_SAME], of[TIMING_UNSURE], of[TIMING_REFUSED]);
	}
	if (!is_timed(c))
		page_fact(page, "times", "none: neither run timed a case (assay bench does)");
	else
		page_fact(page, "threshold", "%g %%, intervals of %g %%%s%s", 100 * c->threshold, 100 * c->confidence,
			  c->by_rounds ? ", over rounds" : "",
			  c->by_samples ? c->by_rounds ? " or of single samples" : " of one run each: what sets runs as a whole apart is not in "
			  "them, so that artifacts are better compared in turns (assay compare BASE NEW on the artifacts)" : "");
	if (c->launches || c->images)
		page_fact(page, "launches", "%zu cases are launched otherwise, %zu run another kind of image", c->launches, c->images);
}

void comparison_append(const struct comparison *comparison, const struct comparison_files *files,
		       const struct report_options *options, struct text *out)
{
	struct view view = {.page = {.style = options->style, .colour = options->colour, .out = out},
			    .comparison = comparison,
			    .limit = options->cases_max ? options->cases_max : SIZE_MAX};
	struct page *page = &view.page;
	if (comparison->regressions)
		page_heading(page, 2, "assay compare: %zu regression%s", comparison->regressions, comparison->regressions == 1 ? "" : "s");
	else
		page_heading(page, 2, "assay compare: no regression");
	page_fact(page, "base", "%s (%s)", files->base, comparison->base->date ? comparison->base->date : "");
	page_fact(page, "new", "%s (%s)", files->next, comparison->next->date ? comparison->next->date : "");
	append_counts(&view);
	if (comparison->timing_refusal[0])
		page_fact(page, "no times", "%s", comparison->timing_refusal);
	for (const char *at = comparison->conditions; *at;) {
		const size_t length = strcspn(at, "\n");
		page_fact(page, "differs", "%.*s", (int)length, at);
		at += length + (at[length] == '\n');
	}
	const size_t worse = comparison->regressions - comparison->missing_count;
	if (comparison->regressions)
		page_heading(page, 3, "Regressions");
	list_lines(&view, "vanished", TONE_BAD, comparison->missing, comparison->missing_count);
	if (worse > view.limit)
		list_regressing_entries(&view);
	else
		list_cases(&view, "", TONE_BAD, worse, is_regression);
	const struct {
		const char *title, *word;
		enum tone tone;
		int (*select)(const struct case_comparison *pair);
	} lists[] = {{"Other changed verdicts", "verdict", TONE_GOOD, is_better},
		     {"Faster", "FASTER", TONE_GOOD, is_faster},
		     {"Unsure", "UNSURE", TONE_DOUBTFUL, is_unsure}};
	append_families(&view);
	append_entries_of_one(&view, "Vanished entry points", 1, comparison->entries_vanished);
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
		const size_t count = count_cases(comparison, lists[i].select);
		if (count == 0)
			continue;
		fold(&view, lists[i].title, count);
		list_cases(&view, lists[i].word, lists[i].tone, count, lists[i].select);
		unfold(&view);
	}
	append_refusals(&view);
	append_entries_of_one(&view, "New entry points", 0, comparison->entries_added);
	append_other_bits(&view);
	append_resources(&view);
	append_artifacts(&view);
	if (page->style == REPORT_MARKDOWN)
		text_append(out, "\n");
}
