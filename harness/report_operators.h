/* The parts of a report that operators have: inventory, verdicts by family, entry points that did not pass, throughput. */
#ifndef ASSAY_HARNESS_REPORT_OPERATORS_H
#define ASSAY_HARNESS_REPORT_OPERATORS_H

#include "report_page.h"

/* Nothing where the run has no operators. */
void report_inventories(struct page *page, const struct run_record *run, size_t limit);
/* `limit`: most entry points in one list, 0: all. */
void report_operators(struct page *page, const struct run_record *run, size_t limit);
void report_operator_throughput(struct page *page, const struct run_record *run, size_t limit);
/* Loading in parts, fast math, refusals: facts of one artifact. */
void report_module_facts(struct page *page, const struct artifact_record *artifact);

json_t *inventories_to_json(const struct run_record *run);        /* NULL when memory runs out */
json_t *operators_to_json(const struct run_record *run);          /* entry points with their verdicts; likewise */

#endif
