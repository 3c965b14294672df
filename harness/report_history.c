/* How the same cases went from run to run. Only runs on the same model of GPU are compared: times of others say nothing. */
#include "report_html.h"

#include "report_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 64, TRENDS_MAX = 6, ROWS_MAX = 100, COLUMNS_SHOWN = 6, TOOLKIT_MAX = 512 };

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static const char *file_of(const struct run_record *run, const struct case_record *record)
{
	const int known = record->artifact >= 0 && (size_t)record->artifact < run->artifact_count;
	return known ? path_base(or_empty(run->artifacts[record->artifact].path)) : "";
}

/* A case is the same in another run when family, entry point and name are, and the artifact's file has the same name. */
static int by_identity(const struct run_record *xr, const struct case_record *x, const struct run_record *yr,
		const struct case_record *y)
{
	int order = strcmp(x->name, y->name);
	if (!order)
		order = strcmp(x->entry_point, y->entry_point);
	return order ? order : strcmp(file_of(xr, x), file_of(yr, y));
}

struct entry {
	const struct run_record *run;
	const struct case_record *record;
};

static int by_entry(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return by_identity(x->run, x->record, y->run, y->record);
}

/* The timed cases of one run, sorted by identity. */
struct timed_cases {
	struct entry *items;
	size_t count;
};

struct history {             /* of one GPU model, by date */
	const struct run_record *runs[RUNS_MAX];
	struct timed_cases timed[RUNS_MAX];
	size_t count;
	size_t numbers[RUNS_MAX];  /* in the table of runs */
	char names[RUNS_MAX][64];  /* on the axis */
};

static const struct case_record *find(const struct timed_cases *timed, const struct entry *wanted)
{
	const struct entry *found = timed->count ? bsearch(wanted, timed->items, timed->count, sizeof *timed->items, by_entry) : NULL;
	return found ? found->record : NULL;
}

static size_t timed_count(const struct run_record *run)
{
	size_t count = 0;
	for (size_t i = 0; i < run->case_count; i++)
		count += case_is_timed(&run->cases[i]) != 0;
	return count;
}

static int same_model(const struct run_record *a, const struct run_record *b)
{
	return run_device(a)->id[0] && run_device(b)->id[0] && strcmp(run_device(a)->name, run_device(b)->name) == 0;
}

int history_is_there(const struct run_record *const *runs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			if (same_model(runs[i], runs[k]) && timed_count(runs[i]) && timed_count(runs[k]))
				return 1;
	return 0;
}

static int take_run(struct history *history, const struct run_record *run, size_t number)
{
	const size_t count = timed_count(run);
	if (count == 0 || history->count == RUNS_MAX)
		return 0;
	struct timed_cases *timed = &history->timed[history->count];
	timed->items = calloc(count, sizeof *timed->items);
	if (!timed->items)
		return -1;
	for (size_t i = 0; i < run->case_count; i++)
		if (case_is_timed(&run->cases[i]))
			timed->items[timed->count++] = (struct entry){run, &run->cases[i]};
	qsort(timed->items, timed->count, sizeof *timed->items, by_entry);
	history->numbers[history->count] = number;
	history->runs[history->count++] = run;
	return 0;
}

static const char *toolkit_of(const struct run_record *run)
{
	return run->artifact_count ? or_empty(run->artifacts[0].toolkit) : "";
}

/* Whether the runs differ in the first `length` characters of what `text_of` says. */
static int runs_differ(const struct history *history, const char *(*text_of)(const struct run_record *run), size_t length)
{
	for (size_t i = 1; i < history->count; i++)
		if (strncmp(text_of(history->runs[i]), text_of(history->runs[0]), length) != 0)
			return 1;
	return 0;
}

static const char *date_of(const struct run_record *run)
{
	return or_empty(run->date);
}

static int minutes_tell_apart(const struct history *history)
{
	for (size_t i = 1; i < history->count; i++) /* they are in the order of their dates */
		if (strncmp(date_of(history->runs[i - 1]), date_of(history->runs[i]), strlen("2026-01-02T03:04")) == 0)
			return 0;
	return 1;
}

/* "run 3, 2026-01-02 03:04, CUDA 13.0": its number in the table of runs, and what tells it from the others. Where all are of one
 * day the time is enough; where all are of one toolkit it is not said. */
static void name_runs(struct history *history)
{
	const int days = runs_differ(history, date_of, strlen("2026-01-02")), toolkits = runs_differ(history, toolkit_of, TOOLKIT_MAX);
	const int time_length = minutes_tell_apart(history) ? 5 : 8;
	for (size_t i = 0; i < history->count; i++) {
		const char *date = date_of(history->runs[i]), *toolkit = toolkit_of(history->runs[i]);
		const char *const time = strlen(date) > strlen("2026-01-02T") ? date + strlen("2026-01-02T") : "";
		char *const name = history->names[i];
		snprintf(name, sizeof history->names[i], "run %zu, %.*s%s%.*s%s%.*s", history->numbers[i], days ? 10 : 0, date,
			 days ? " " : "", time_length, time, toolkits && toolkit[0] ? ", " : "",
			 toolkits ? (int)strcspn(toolkit, "(") : 0, toolkit);
		for (size_t length = strlen(name); length && name[length - 1] == ' ';)
			name[--length] = '\0';
	}
}

/* Median over the common cases of time / time in the first run, and the quarters around it. */
static void overall_chart(struct page *page, struct chart_list *list, const struct history *history)
{
	struct chart chart = {.kind = CHART_LINES, .x_title = "run (UTC)", .y_title = "time / first run's", .label_title = "name",
			.is_labelled = 1, .y_free = 1, .y_least = 0.98, .y_most = 1.02, .y_mark = 1};
	double *ratios = calloc(history->timed[0].count + 1, sizeof *ratios);
	if (!ratios) {
		page->out->failed = 1;
		return;
	}
	snprintf(chart.title, sizeof chart.title, "All cases together, %s", run_device(history->runs[0])->name);
	snprintf(chart.about, sizeof chart.about, "Median over the cases that a run has in common with the first one, with the "
			"range in which the middle half of "
						  "them lies; 1: as in the first run, lower is faster.");
	for (size_t i = 0; i < history->count; i++) {
		size_t count = 0;
		for (size_t k = 0; k < history->timed[0].count; k++) {
			const struct case_record *found = find(&history->timed[i], &history->timed[0].items[k]);
			if (found)
				ratios[count++] = found->hot.median / history->timed[0].items[k].record->hot.median;
		}
		if (count == 0)
			continue;
		const struct spread spread = spread_of(ratios, count);
		chart_point(&chart, chart_series(&chart, CHART_SOLID, 0, "median of the common cases"),
			    (struct chart_point){.x = (double)i + 1, .y = spread.median, .low = ratios[count / 4],
					.high = ratios[count - 1 - count / 4],
						 .label = history->names[i]});
	}
	free(ratios);
	page_chart(page, list, &chart);
}

static int by_time(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
	if (x->record->hot.median != y->record->hot.median)
		return x->record->hot.median < y->record->hot.median ? 1 : -1;
	return by_entry(x, y);
}

static size_t times_found(const struct history *history, const struct entry *entry)
{
	size_t found = 0;
	for (size_t i = 0; i < history->count; i++)
		found += find(&history->timed[i], entry) != NULL;
	return found;
}

static void trend_chart(struct page *page, struct chart_list *list, const struct history *history,
		const struct entry *const *entries, size_t count)
{
	struct chart chart = {.kind = CHART_LINES, .x_title = "run (UTC)", .y_title = "time / first run's", .label_title = "name",
			.is_labelled = 1, .y_free = 1, .y_least = 0.98, .y_most = 1.02, .y_mark = 1, .tall = 1};
	snprintf(chart.title, sizeof chart.title, "The longest cases one by one");
	snprintf(chart.about, sizeof chart.about, "Hot median relative to the first run that has the case, with the interval of "
			"the median; lower is faster.");
	for (size_t k = 0; k < count && k < TRENDS_MAX; k++) {
		double first = 0;
		const char *name = entries[k]->record->name;
		const size_t length = strlen(name);
		struct chart_series *series = length < 80 ? chart_series(&chart, CHART_SOLID, (int)k, "%s", name)
							  : chart_series(&chart, CHART_SOLID, (int)k, "%.40s ... %s", name, name + length - 36);
		for (size_t i = 0; i < history->count; i++) {
			const struct case_record *found = find(&history->timed[i], entries[k]);
			if (!found)
				continue;
			first = first > 0 ? first : found->hot.median;
			chart_point(&chart, series, (struct chart_point){.x = (double)i + 1, .y = found->hot.median / first,
					.low = found->hot.low / first,
									 .high = found->hot.high / first, .label = history->names[i]});
		}
	}
	page_chart(page, list, &chart);
}

static void trend_table(struct page *page, const struct history *history, const struct entry *const *entries, size_t count)
{
	/* the first run and the newest ones */
	const size_t shown = history->count < COLUMNS_SHOWN ? history->count : COLUMNS_SHOWN;
	struct table table = {.titles = {"case"}, .left = {1}, .columns = (int)shown + 3};
	size_t runs[COLUMNS_SHOWN], rows = 0;
	for (size_t i = 0; i < shown; i++) {
		runs[i] = i == 0 ? 0 : history->count - shown + i;
		table.titles[i + 1] = history->names[runs[i]];
	}
	table.titles[shown + 1] = "newest / first";
	table.titles[shown + 2] = "in runs";
	for (size_t k = 0; k < count && rows < ROWS_MAX; k++, rows++) {
		const struct case_record *first = NULL, *last = NULL;
		table_cell(&table, "%s", entries[k]->record->name);
		for (size_t i = 0; i < history->count; i++) {
			const struct case_record *found = find(&history->timed[i], entries[k]);
			first = first ? first : found;
			last = found ? found : last;
		}
		for (size_t i = 0; i < shown; i++) {
			const struct case_record *found = find(&history->timed[runs[i]], entries[k]);
			if (found)
				table_cell(&table, "%.*f us +- %.2f %%", found->hot.median < 1e-4 ? 2 : found->hot.median < 1e-3 ? 1 : 0,
					   found->hot.median * 1e6, 100 * case_uncertainty(found));
			else
				table_cell(&table, "-");
		}
		if (first && last && first != last)
			table_cell(&table, "%.3f", last->hot.median / first->hot.median);
		else
			table_cell(&table, "-");
		table_cell(&table, "%zu", times_found(history, entries[k]));
	}
	page_table(page, &table);
	if (count > rows)
		page_paragraph(page, "... and %zu more cases; --csv has all of them.", count - rows);
}

static void append_model(struct page *page, struct chart_list *list, struct history *history)
{
	name_runs(history);
	/* cases of the newest run that an earlier one has as well */
	const struct timed_cases *newest = &history->timed[history->count - 1];
	const struct entry **entries = calloc(newest->count + 1, sizeof *entries);
	size_t count = 0;
	if (!entries) {
		page->out->failed = 1;
		return;
	}
	for (size_t i = 0; i < newest->count; i++)
		if (times_found(history, &newest->items[i]) > 1)
			entries[count++] = &newest->items[i];
	qsort(entries, count, sizeof *entries, by_time);
	if (count == 0) {
		page_paragraph(page, "%s: its runs have no timed case in common.", run_device(history->runs[0])->name);
	} else {
		page_close(page);
		text_append(page->out, "<div class=\"charts\">\n");
		overall_chart(page, list, history);
		trend_chart(page, list, history, entries, count);
		text_append(page->out, "</div>\n");
		trend_table(page, history, entries, count);
	}
	free(entries);
}

void html_history(struct page *page, struct chart_list *list, const struct run_record *const *runs, size_t count)
{
	for (size_t first = 0; first < count; first++) {
		size_t earlier = 0;
		while (earlier < first && !same_model(runs[earlier], runs[first]))
			earlier++;
		if (earlier < first || !run_device(runs[first])->id[0])
			continue;
		struct history *history = calloc(1, sizeof *history);
		int failed = history == NULL;
		size_t alike = 0;
		for (size_t i = first; i < count; i++)
			alike += same_model(runs[i], runs[first]) && timed_count(runs[i]) > 0;
		/* of very many the newest */
		for (size_t i = first, skip = alike > RUNS_MAX ? alike - RUNS_MAX : 0; !failed && i < count; i++) {
			if (!same_model(runs[i], runs[first]) || timed_count(runs[i]) == 0)
				continue;
			if (skip)
				skip--;
			else
				failed = take_run(history, runs[i], i + 1) != 0;
		}
		if (failed)
			page->out->failed = 1;
		else if (history->count > 1)
			append_model(page, list, history);
		if (!failed && alike > RUNS_MAX)
			page_paragraph(page, "The newest %d of %zu runs.", RUNS_MAX, alike);
		for (size_t i = 0; history && i < history->count; i++)
			free(history->timed[i].items);
		free(history);
	}
}
