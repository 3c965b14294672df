/* Tables that only the HTML page has. */
#include "report_html.h"

#include "artifact/demangle.h"
#include "operator_figures.h"
#include "report_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_SHOWN = 1000, KERNELS_SHOWN = 40, NAME_SHOWN = 600 };

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int is_told(const struct launch_record *const *told, size_t count, const struct launch_record *launch)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(told[i]->kernel, launch->kernel) == 0)
			return 1;
	return 0;
}

/* What the driver says of the kernels of one artifact that the cases launched, each once. */
void html_kernel_table(struct page *page, const struct run_record *run, int32_t artifact)
{
	struct table table = {.titles = {"kernel as loaded", "registers", "static shared (B)", "dynamic shared (B)", "local (B)",
			"threads of a block"},
			      .left = {1},
			      .columns = 6};
	const struct launch_record *told[KERNELS_SHOWN];
	size_t count = 0;
	for (size_t i = 0; i < run->case_count && count < KERNELS_SHOWN; i++)
		for (int64_t k = 0; run->cases[i].artifact == artifact && k < run->cases[i].launch_count && k < RECORD_LAUNCHES_MAX; k++) {
			const struct launch_record *launch = &run->cases[i].launches[k];
			if (launch->registers <= 0 || count == KERNELS_SHOWN || is_told(told, count, launch))
				continue;
			told[count++] = launch;
			char *name = demangle(launch->kernel);
			const size_t length = strlen(or_empty(name));
			if (length > NAME_SHOWN) /* instances of a template differ anywhere between: only monsters are cut */
				table_cell(&table, "%.*s ... %s", NAME_SHOWN / 2, name, name + length - NAME_SHOWN / 2);
			else
				table_cell(&table, "%s", or_empty(name));
			free(name);
			table_cell(&table, "%d", launch->registers);
			table_cell(&table, "%d", launch->static_shared_bytes);
			table_cell(&table, "%llu", (unsigned long long)launch->dynamic_shared);
			table_cell(&table, "%d", launch->local_bytes);
			table_cell(&table, "%llu", (unsigned long long)launch->block[0] * launch->block[1] * launch->block[2]);
		}
	if (count)
		page_table(page, &table);
	text_free(&table.cells);
}

/* By entry point: the best and the median case. */
static int by_entry(const void *a, const void *b)
{
	const struct case_record *x = *(const struct case_record *const *)a, *y = *(const struct case_record *const *)b;
	int order = strcmp(x->family, y->family);
	if (!order)
		order = strcmp(x->entry_point, y->entry_point);
	return order ? order : (x > y) - (x < y);
}

void html_entry_table(struct page *page, const struct run_record *run)
{
	struct table table = {.titles = {"family", "entry point", "bound by", "timed cases", "median rate", "best rate", "unit",
			"best of roof (%)", "best case"},
			      .left = {1, 1, 1, 0, 0, 0, 1, 0, 1},
			      .columns = 9};
	const struct case_record **cases = calloc(run->case_count + 1, sizeof *cases);
	double *rates = calloc(run->case_count + 1, sizeof *rates);
	size_t count = 0, left_out = 0;
	for (size_t i = 0; cases && rates && i < run->case_count; i++)
		if (case_is_operator(&run->cases[i]) && case_is_timed(&run->cases[i]))
			cases[count++] = &run->cases[i];
	if (!cases || !rates)
		page->out->failed = 1;
	else
		qsort(cases, count, sizeof *cases, by_entry);
	for (size_t from = 0, to; from < count; from = to) {
		const struct case_record *best = cases[from];
		const double unit = best->unit == WORK_BYTES ? 1e9 : 1e12;
		for (to = from; to < count && strcmp(cases[to]->entry_point, cases[from]->entry_point) == 0 &&
				strcmp(cases[to]->family, cases[from]->family) == 0;
		     to++) {
			rates[to - from] = operator_rate_of(run, cases[to]).rate;
			if (rates[to - from] > operator_rate_of(run, best).rate)
				best = cases[to];
		}
		if (table.rows == ENTRIES_SHOWN) {
			left_out++;
			continue;
		}
		const double share = operator_rate_of(run, best).share;
		table_cell(&table, "%s", best->family);
		table_cell(&table, "%s", best->entry_point);
		table_cell(&table, "%s", best->unit == WORK_BYTES ? "memory" : "arithmetic");
		table_cell(&table, "%zu", to - from);
		table_cell(&table, "%.4g", spread_of(rates, to - from).median / unit);
		table_cell(&table, "%.4g", operator_rate_of(run, best).rate / unit);
		table_cell(&table, "%s", best->unit == WORK_BYTES ? "GB/s" : "TFLOP/s");
		if (isfinite(share))
			table_cell(&table, "%.1f", 100 * share);
		else
			table_cell(&table, "-");
		table_cell(&table, "%s", best->name);
	}
	free(cases);
	free(rates);
	if (count) {
		page_heading(page, 3, "Rates by entry point");
		page_table(page, &table);
		if (left_out)
			page_paragraph(page, "... and %zu more entry points; --csv has every case.", left_out);
	}
	text_free(&table.cells);
}
