/* What a comparison says: as text, Markdown, JSON, JUnit XML. Names and paths may be anything: they are cleaned and escaped.
 *
 * Text and Markdown: the outcome first, then what differs in the conditions, what became worse (worst first), and a table by
 * family and the rest, which Markdown folds away. Lists are cut at `cases_max` entries, with a count of what was left out; more
 * regressions than that are told by entry point.
 *
 * JSON, schema 1: {"schema": 1, "generator": "assay VERSION", "threshold", "confidence", "base": {}, "regressions": N,
 * "comparisons": [{"new": {}, "conditions": [], "summary": {}, "entry_points": [], "artifacts": [], "missing": [],
 * "resources": [], "cases": []}]}: docs/compare-json.schema.json. `cases` are those with anything to tell (a change or a time),
 * or all of them. As in a report's JSON, numbers that JSON does not know are strings.
 *
 * JUnit: a test suite for each new run, a test case for each case; a failure is a regression, skipped is a case that
 * neither run could judge. */
#ifndef ASSAY_HARNESS_COMPARE_REPORT_H
#define ASSAY_HARNESS_COMPARE_REPORT_H

#include "compare.h"
#include "report_page.h"

struct comparison_files {
	const char *base, *next;      /* as they were named */
};

/* One line of what is different in a case; nothing when nothing is. */
void comparison_append_case(const struct case_comparison *pair, struct text *out);
/* "verdict", "vanished", "error", "SLOWER"; "" without a regression. The worst one. */
const char *comparison_regression_name(const struct case_comparison *pair);

void comparison_append(const struct comparison *comparison, const struct comparison_files *files,
		       const struct report_options *options, struct text *out);
/* All the comparisons share the base. NULL when memory runs out. */
json_t *comparisons_to_json(const struct comparison *comparisons, const struct comparison_files *files, size_t count, int all);
void comparisons_append_junit(const struct comparison *comparisons, const struct comparison_files *files, size_t count,
			      struct text *out);

#endif
