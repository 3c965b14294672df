/* Reports as one HTML page: readable by who has never seen this program, and safe to publish whatever a result file says.
 *
 * report_html.c says what is on the page and in which order, report_html_charts.c and report_history.c which charts there are,
 * report_html_tables.c which tables other reports do not have,
 * report_chart.c how a chart goes into it, report_html_page.c puts it together. Style, scripts and frame are in html/.
 *
 * The page needs no network, and a policy in its head (Content-Security-Policy) forbids it: only the two scripts and the style that
 * were built into this program run, by their hashes. Text of result files is escaped; data of charts is JSON in a script element
 * of a type that browsers do not run, without any '<'. Everything a chart shows is in a table as well.
 *
 * Large results stay usable: lists and charts are cut, and say so; of many files the newest have details. */
#ifndef ASSAY_HARNESS_REPORT_HTML_H
#define ASSAY_HARNESS_REPORT_HTML_H

#include "report_chart.h"

struct html_content {
	const char *title;
	const struct text *navigation, *body;
	json_t *charts;          /* borrowed */
};
void html_assemble(const struct html_content *content, struct text *out);
int html_has_chart_library(void); /* whether one was there when this program was built */

/* ---- report_html_charts.c: each nothing where the run has no such figures ---- */
void html_throughput_charts(struct page *page, struct chart_list *list, const struct run_record *run);
void html_roofline_charts(struct page *page, struct chart_list *list, const struct run_record *run);
void html_error_charts(struct page *page, struct chart_list *list, const struct run_record *run);
void html_operator_charts(struct page *page, struct chart_list *list, const struct run_record *run);
void html_condition_charts(struct page *page, struct chart_list *list, const struct run_record *run);

/* ---- report_html_tables.c ---- */
void html_kernel_table(struct page *page, const struct run_record *run, int32_t artifact); /* kernels of the artifact as loaded */
void html_entry_table(struct page *page, const struct run_record *run);                    /* rates of operators by entry point */

/* ---- report_history.c: runs[] by date; nothing where no two runs of a GPU model have timed cases in common ---- */
int history_is_there(const struct run_record *const *runs, size_t count);
void html_history(struct page *page, struct chart_list *list, const struct run_record *const *runs, size_t count);

#endif
