#include "report_operators.h"

#include "cli.h"
#include "operator_figures.h"
#include "report_figures.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_SHOWN = 8 }; /* of each module, where lists are cut */

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* ---- inventory ---- */

/* Lines "module: name", a line for each module: how many, and the first `limit` names (0: all). */
static void append_by_module(struct page *page, const char *lines, size_t limit)
{
	for (const char *first = or_empty(lines); *first; first += strcspn(first, "\n") + (first[strcspn(first, "\n")] == '\n')) {
		const size_t prefix = strcspn(first, ":\n");
		struct text names = {0};
		size_t count = 0;
		int earlier = 0;
		for (const char *at = lines; *at; at += strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n')) {
			if (strncmp(at, first, prefix) != 0 || at[prefix] != ':')
				continue;
			earlier |= at < first;
			if (count++ < (limit ? limit : SIZE_MAX))
				text_append(&names, "%s%.*s", names.length ? ", " : "", (int)strcspn(at + prefix + 2, "\n"), at + prefix + 2);
		}
		if (!earlier && names.data) {
			char label[64];
			snprintf(label, sizeof label, "%.*s (%zu)", (int)prefix, first, count);
			if (limit && count > limit)
				text_append(&names, " ... and %zu more", count - limit);
			page_item_line(page, label, names.data, 0);
		}
		text_free(&names);
	}
}

static void inventory_verdict(struct page *page, const struct inventory_record *inventory)
{
	char text[512];
	if (!inventory->expected && !inventory->present) { /* "0 of 0, complete" would be a verdict on nothing */
		snprintf(text, sizeof text, "%s: no module of a release that is known", or_empty(inventory->folder));
		page_item(page, TONE_DOUBTFUL, "unknown", text);
		return;
	}
	snprintf(text, sizeof text, "%s: %lld of the %lld entry points that %s has on sm_%lld (%s)", or_empty(inventory->folder),
		 (long long)inventory->present, (long long)inventory->expected, or_empty(inventory->profile),
		 (long long)inventory->architecture, or_empty(inventory->modules));
	page_item(page, inventory_is_broken(inventory) ? TONE_BAD : inventory->missing_count ? TONE_DOUBTFUL : TONE_GOOD,
		  inventory_is_broken(inventory) ? "fail" : inventory->missing_count ? "incomplete" : "complete", text);
}

void report_inventories(struct page *page, const struct run_record *run, size_t limit)
{
	if (limit > NAMES_SHOWN)
		limit = NAMES_SHOWN;
	if (run->inventory_count)
		page_heading(page, 2, "Inventory");
	for (size_t i = 0; i < run->inventory_count; i++) {
		const struct inventory_record *inventory = &run->inventories[i];
		const int claimed = inventory->claim && inventory->claim[0];
		char text[512];
		inventory_verdict(page, inventory);
		page_item_line(page, "release by", inventory->evidence, 0);
		page_item_line(page, "claimed to be whole by", inventory->claim, 0);
		if (inventory->missing_count) {
			snprintf(text, sizeof text, "%lld missing%s:", (long long)inventory->missing_count,
				 claimed ? "" : ", which is no fault as nothing claims that all of them are there");
			page_item_line(page, "", text, 0);
			append_by_module(page, inventory->missing, limit);
		}
		if (inventory->unknown_count) {
			snprintf(text, sizeof text, "%lld unknown:", (long long)inventory->unknown_count);
			page_item_line(page, "", text, 0);
			append_by_module(page, inventory->unknown, limit);
		}
		if (inventory->without_case) {
			snprintf(text, sizeof text, "%lld for which no case was selected", (long long)inventory->without_case);
			page_item_line(page, "", text, 0);
		}
		if (inventory->cases_without_entry) {
			snprintf(text, sizeof text, "%lld selected cases are for entry points that are not there", (long long)inventory->cases_without_entry);
			page_item_line(page, "", text, 0);
		}
	}
}

void report_module_facts(struct page *page, const struct artifact_record *artifact)
{
	if (artifact->load_parts)
		page_fact(page, "loading", "%lld part%s, %.2f s of the driver in all, %.2f s the longest; all there %.2f s after the start",
			  (long long)artifact->load_parts, artifact->load_parts == 1 ? "" : "s", artifact->load_seconds,
			  artifact->load_longest_seconds, artifact->load_wall_seconds);
	if (artifact->fast_kernels)
		page_fact(page, "fast math", "%lld of its %lld kernels are compiled with it", (long long)artifact->fast_kernels,
			  (long long)artifact->entry_points);
	size_t refused = 0;
	for (const char *at = or_empty(artifact->refused); *at; at += strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n'))
		refused++;
	if (refused)
		page_fact(page, "refused", "the driver does not load %zu of its entry points: who loads the whole module gets none of them. First: %.*s",
			  refused, (int)strcspn(artifact->refused, "\n"), artifact->refused);
}

/* ---- verdicts ---- */

static void figure_cell(struct table *table, double value)
{
	if (isnan(value))
		table_cell(table, "-");
	else
		table_cell(table, "%.3g", value);
}

static void ulp_cell(struct table *table, uint64_t ulp)
{
	if (ulp == UINT64_MAX)
		table_cell(table, "no number");
	else
		table_cell(table, "%llu", (unsigned long long)ulp);
}

static void append_families(struct page *page, const struct entry_summary *entries, size_t count)
{
	struct table table = {.titles = {"family", "module", "entry points", "pass", "fail", "other", "cases", "fast math", "error / bound",
					 "of precise", "ULP", "nearest to its bound"},
			      .left = {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
			      .columns = 12};
	struct family_summary *list;
	size_t family_count;
	if (family_summaries(entries, count, &list, &family_count)) {
		page->out->failed = 1;
		return;
	}
	for (size_t i = 0; i < family_count; i++) {
		const struct family_summary *family = &list[i];
		table_cell(&table, "%s", family->family[0] ? family->family : "(unknown)");
		table_cell(&table, "%s", family->module);
		table_cell(&table, "%zu", family->entries);
		table_cell(&table, "%zu", family->statuses[STATUS_PASS]);
		table_cell(&table, "%zu", family->statuses[STATUS_FAIL]);
		table_cell(&table, "%zu", family->entries - family->statuses[STATUS_PASS] - family->statuses[STATUS_FAIL]);
		table_cell(&table, "%zu", family->cases);
		table_cell(&table, "%zu", family->fast);
		figure_cell(&table, family->margin);
		figure_cell(&table, family->precise_margin);
		ulp_cell(&table, family->ulp_max);
		table_cell(&table, "%s", family->worst);
	}
	free(list);
	page_table(page, &table);
}

static int is_bad(enum status status)
{
	return status != STATUS_PASS && status != STATUS_UNSUPPORTED && status != STATUS_SKIPPED;
}

static enum check first_broken(const struct entry_summary *entry)
{
	enum check check = 0;
	while (check < CHECK_NAMES_COUNT && entry->worst->judgement.checks[check].state != CHECK_BROKEN)
		check++;
	return check;
}

/* Of one family, with one status, by one check: most likely for one reason. */
static int is_alike(const struct entry_summary *a, const struct entry_summary *b)
{
	return a->status == b->status && first_broken(a) == first_broken(b) && strcmp(a->family, b->family) == 0 &&
	       strcmp(a->module, b->module) == 0;
}

static size_t bad_cases(const struct entry_summary *entry)
{
	size_t bad = 0;
	for (int status = 0; status < STATUS_COUNT; status++)
		bad += is_bad((enum status)status) ? entry->statuses[status] : 0;
	return bad;
}

/* The entry point, and the names of those further on in the list that are like it. */
static void append_bad_entries(struct page *page, const struct run_record *run, const struct entry_summary *entry, size_t left, size_t limit)
{
	struct text command = {0}, others = {0};
	char text[CASE_NAME_MAX + 128];
	size_t alike = 0;
	if (entry->cases == 1)
		snprintf(text, sizeof text, "%s", entry->worst->name);
	else
		snprintf(text, sizeof text, "%s: %zu of %zu cases, first %s", entry->symbol, bad_cases(entry), entry->cases, entry->worst->name);
	page_item(page, status_tone(entry->status), status_name(entry->status), text);
	page_item_line(page, "", entry->worst->judgement.reason, 0);
	page_item_line(page, "note", entry->worst->note, 0);
	run_record_reproduction(run, entry->worst, &command);
	page_item_line(page, "reproduce", command.data, 1);
	text_free(&command);
	for (size_t i = 1; i < left; i++)
		if (is_alike(entry, &entry[i]) && alike++ < (limit ? limit : SIZE_MAX))
			text_append(&others, "%s%s (%zu of %zu)", others.length ? ", " : "", entry[i].symbol, bad_cases(&entry[i]), entry[i].cases);
	if (limit && alike > limit)
		text_append(&others, " ... and %zu more", alike - limit);
	if (alike) {
		snprintf(text, sizeof text, "likewise %zu more of %.31s", alike, entry->family);
		page_item_line(page, text, others.data, 0);
	}
	text_free(&others);
}

/* Entry points that nothing could be said of, each reason once. */
static void append_refused_entries(struct page *page, const struct entry_summary *entries, size_t count, size_t limit)
{
	for (size_t i = 0; i < count; i++) {
		const struct entry_summary *entry = &entries[i];
		struct text names = {0};
		size_t same = 0, first = i;
		if (entry->status == STATUS_PASS || is_bad(entry->status))
			continue;
		for (size_t k = 0; k < count && first == i; k++) {
			if (entries[k].status != entry->status ||
			    strcmp(entries[k].worst->judgement.reason, entry->worst->judgement.reason) != 0)
				continue;
			if (k < i)
				first = k;
			else if (same++ < (limit ? limit : count))
				text_append(&names, "%s%s", names.length ? ", " : "", entries[k].symbol);
		}
		if (first == i) {
			char text[160];
			snprintf(text, sizeof text, "%zu entry point%s: %.120s", same, same == 1 ? "" : "s", entry->worst->judgement.reason);
			page_item(page, TONE_PLAIN, status_name(entry->status), text);
			page_item_line(page, "", names.data, 0);
			if (limit && same > limit) {
				snprintf(text, sizeof text, "... and %zu more", same - limit);
				page_item_line(page, "", text, 0);
			}
		}
		text_free(&names);
	}
}

/* Passed in all that could be checked, which is no value: operate_verdict.h. */
static void append_unjudged(struct page *page, const struct run_record *run)
{
	const struct case_record *first = NULL;
	size_t count = 0;
	for (size_t i = 0; i < run->case_count; i++) {
		if (!case_is_unjudged(&run->cases[i]))
			continue;
		first = first ? first : &run->cases[i];
		count++;
	}
	if (count)
		page_paragraph(page, "%zu of the skipped cases %s run but not judged, since a build with fast math may give anything for all "
			       "of %s elements; the first: %s", count, count == 1 ? "was" : "were", count == 1 ? "its" : "their", first->name);
}

void report_operators(struct page *page, const struct run_record *run, size_t limit)
{
	struct entry_summary *entries;
	size_t count, verdicts = 0, bad = 0, refused = 0, told = 0;
	if (entry_summaries(run, &entries, &count)) {
		page->out->failed = 1;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		bad += is_bad(entries[i].status) != 0;
		verdicts += is_bad(entries[i].status) || entries[i].status == STATUS_PASS;
	}
	refused = count - verdicts;
	if (count) {
		page_heading(page, 2, "Entry points of operators");
		page_paragraph(page, "%zu of %zu entry points have a verdict: %zu pass, %zu do not%s. Math: %s.", verdicts, count, verdicts - bad, bad,
			       refused ? "; the others are listed below" : "", or_empty(run->math));
		append_families(page, entries, count);
		append_unjudged(page, run);
	}
	if (bad)
		page_heading(page, 3, "Entry points that do not pass");
	for (size_t i = 0; i < count; i++) {
		int earlier = 0;
		for (size_t k = 0; k < i && !earlier; k++)
			earlier = is_alike(&entries[k], &entries[i]);
		if (!is_bad(entries[i].status) || earlier)
			continue;
		if (!limit || told < limit)
			append_bad_entries(page, run, &entries[i], count - i, limit);
		told++;
	}
	if (limit && told > limit)
		page_paragraph(page, "... and %zu more kinds of failure; --json, --markdown and the result file have all of them", told - limit);
	if (refused) {
		page_heading(page, 3, "Entry points without a verdict");
		append_refused_entries(page, entries, count, limit);
	}
	free(entries);
}

/* ---- throughput ---- */

static int by_group(const void *a, const void *b)
{
	const struct case_record *x = *(const struct case_record *const *)a, *y = *(const struct case_record *const *)b;
	const int families_differ = strcmp(x->family, y->family);
	if (families_differ)
		return families_differ;
	if (x->unit != y->unit)
		return (int)x->unit - (int)y->unit;
	return (x > y) - (x < y);
}

/* "812 GB/s", "1.23 TFLOP/s". */
static void rate_cell(struct table *table, enum work_unit unit, double rate)
{
	if (!isfinite(rate))
		table_cell(table, "-");
	else if (unit == WORK_BYTES)
		table_cell(table, "%.3g GB/s", rate / 1e9);
	else
		table_cell(table, "%.3g TFLOP/s", rate / 1e12);
}

static void share_cell(struct table *table, double share)
{
	if (isfinite(share))
		table_cell(table, "%.1f %%", 100 * share);
	else
		table_cell(table, "-");
}

static void append_rate_groups(struct page *page, const struct run_record *run, const struct case_record *const *cases, size_t count)
{
	struct table table = {.titles = {"family", "bound by", "cases", "median rate", "best rate", "best of roof", "best case"},
			      .left = {1, 1, 0, 0, 0, 0, 1},
			      .columns = 7};
	double *rates = calloc(count + 1, sizeof *rates);
	if (!rates) {
		page->out->failed = 1;
		return;
	}
	for (size_t from = 0, to; from < count; from = to) {
		const struct case_record *best = cases[from];
		for (to = from; to < count && strcmp(cases[to]->family, cases[from]->family) == 0 && cases[to]->unit == cases[from]->unit; to++) {
			rates[to - from] = operator_rate_of(run, cases[to]).rate;
			if (operator_rate_of(run, cases[to]).rate > operator_rate_of(run, best).rate)
				best = cases[to];
		}
		table_cell(&table, "%s", cases[from]->family);
		table_cell(&table, "%s", cases[from]->unit == WORK_BYTES ? "bytes" : "FLOPs");
		table_cell(&table, "%zu", to - from);
		rate_cell(&table, cases[from]->unit, spread_of(rates, to - from).median);
		rate_cell(&table, cases[from]->unit, operator_rate_of(run, best).rate);
		share_cell(&table, operator_rate_of(run, best).share);
		table_cell(&table, "%s", best->name);
	}
	free(rates);
	page_table(page, &table);
}

void report_operator_throughput(struct page *page, const struct run_record *run, size_t limit)
{
	struct table table = {.titles = {"case", "hot us", "+-", "cold us", "rate", "of roof", "samples"}, .left = {1}, .columns = 7};
	const struct case_record **cases = calloc(run->case_count + 1, sizeof *cases);
	size_t count = 0;
	if (!cases) {
		page->out->failed = 1;
		return;
	}
	for (size_t i = 0; i < run->case_count; i++)
		if (case_is_operator(&run->cases[i]) && case_is_timed(&run->cases[i]))
			cases[count++] = &run->cases[i];
	if (count) {
		qsort(cases, count, sizeof *cases, by_group);
		page_heading(page, 2, "Throughput of operators");
		page_paragraph(page, "In the unit that bounds the operation: bytes read and written once, by cold times, of this card's copy rate%s; FLOPs, by "
				     "hot times, of its matrix product.",
			       run_record_device(run, NULL)->copy_bytes_per_second > 0 ? "" : " (not measured)");
		append_rate_groups(page, run, cases, count);
		const size_t shown = limit && count > limit ? limit : count;
		for (size_t i = 0; i < shown; i++) {
			const struct operator_rate rate = operator_rate_of(run, cases[i]);
			table_cell(&table, "%s%s", cases[i]->name, 2 * cases[i]->hot.gate_opened_early >= cases[i]->hot.samples ? " (launch latency included)" : "");
			table_cell(&table, "%.2f", cases[i]->hot.median * 1e6);
			share_cell(&table, case_uncertainty(cases[i]));
			if (cases[i]->cold.measured)
				table_cell(&table, "%.2f", cases[i]->cold.median * 1e6);
			else
				table_cell(&table, "-");
			rate_cell(&table, cases[i]->unit, rate.rate);
			share_cell(&table, rate.share);
			table_cell(&table, "%lld", (long long)cases[i]->hot.samples);
		}
		page_heading(page, 3, "Cases");
		page_table(page, &table);
		if (shown < count)
			page_paragraph(page, "... and %zu more cases; --json, --markdown and the result file have all of them", count - shown);
	}
	free(cases);
}

/* ---- JSON ---- */

static json_t *text_of(const char *text)
{
	return cli_json_text(or_empty(text), strlen(or_empty(text)));
}

static json_t *lines_of(const char *lines)
{
	json_t *array = json_array();
	for (const char *at = or_empty(lines); array && *at;) {
		const size_t length = strcspn(at, "\n");
		json_t *line = cli_json_text(at, length);
		if (!line || json_array_append_new(array, line)) {
			json_decref(array);
			return NULL;
		}
		at += length + (at[length] == '\n');
	}
	return array;
}

static json_t *number_of(double value)
{
	return isfinite(value) ? json_real(value) : json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

/* `o?` takes over its value even when another one is NULL, and gives NULL then. */
json_t *inventories_to_json(const struct run_record *run)
{
	json_t *array = json_array();
	for (size_t i = 0; array && i < run->inventory_count; i++) {
		const struct inventory_record *inventory = &run->inventories[i];
		json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:b}", "folder", text_of(inventory->folder),
					   "profile", text_of(inventory->profile), "evidence", text_of(inventory->evidence), "claim",
					   text_of(inventory->claim), "modules", text_of(inventory->modules), "architecture",
					   (json_int_t)inventory->architecture, "expected", (json_int_t)inventory->expected, "present",
					   (json_int_t)inventory->present, "missing", lines_of(inventory->missing), "unknown",
					   lines_of(inventory->unknown), "without_case", (json_int_t)inventory->without_case, "cases_without_entry",
					   (json_int_t)inventory->cases_without_entry, "failed", inventory_is_broken(inventory));
		if (!object || json_array_append_new(array, object)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *operators_to_json(const struct run_record *run)
{
	struct entry_summary *entries;
	size_t count;
	if (entry_summaries(run, &entries, &count))
		return NULL;
	json_t *array = json_array();
	for (size_t i = 0; array && i < count; i++) {
		const struct entry_summary *entry = &entries[i];
		json_t *ulp = entry->ulp_max > INT64_MAX ? json_string("inf") : json_integer((json_int_t)entry->ulp_max);
		json_t *object = json_pack("{s:o, s:o, s:o, s:i, s:s, s:I, s:I, s:b, s:o, s:o, s:o, s:o}", "entry_point", text_of(entry->symbol), "family",
					   text_of(entry->family), "module", text_of(entry->module), "artifact", entry->artifact, "status",
					   status_name(entry->status), "cases", (json_int_t)entry->cases, "passed",
					   (json_int_t)entry->statuses[STATUS_PASS], "fast_math", entry->fast_math, "margin", number_of(entry->margin),
					   "precise_margin", number_of(entry->precise_margin), "ulp_max", ulp, "worst_case",
					   text_of(entry->worst->name));
		if (!object || json_array_append_new(array, object)) {
			json_decref(array);
			array = NULL;
		}
	}
	free(entries);
	return array;
}
