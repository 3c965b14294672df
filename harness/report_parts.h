/* Parts of a report that all of its forms have (report.c); each appends to the page, or nothing where it has nothing to say. */
#ifndef ASSAY_HARNESS_REPORT_PARTS_H
#define ASSAY_HARNESS_REPORT_PARTS_H

#include "report_figures.h"
#include "report_page.h"

void report_run_facts(struct page *page, const struct run_record *run);       /* command, version, host, date, device */
void report_artifact(struct page *page, const struct artifact_record *artifact);
void report_measured_facts(struct page *page, const struct run_record *run);  /* datasets, images, rates, clocks, notes */
void report_checks(struct page *page, const struct run_summary *summary);
/* `limit`: most cases in one list, 0: all. */
void report_failures(struct page *page, const struct run_record *run, const struct run_summary *summary, size_t limit);
void report_coverage(struct page *page, const struct run_record *run, const struct report_options *options);
void report_throughput(struct page *page, const struct run_record *run, const struct run_summary *summary, size_t limit);
void report_counts(struct page *page, const struct run_record *run, size_t limit);

#endif
