/* Reports of runs: as text for a terminal, as Markdown, as JSON, and as JSON in Google Benchmark's format. All of them are
 * made from struct run_record alone, so that a report of a result file says what the run itself said.
 *
 * Text and Markdown: the conditions of measurement first, then what became of the cases, how far the right ones are from
 * their bounds, what did not pass with the command that repeats it, coverage of kernels, throughput. Runs are grouped by
 * GPU architecture. Only cases that passed have a throughput.
 *
 * Operators, of which there are hundreds with some ten thousand cases, are told by family and by entry point: an entry point
 * passes when all its cases pass.
 *
 * JSON, schema 1: {"schema": 1, "generator": "assay VERSION", "runs": [{"conditions": {}, "summary": {}, "inventories": [] and
 * "entry_points": [] where there are operators, "artifacts": [], "cases": [{"name", "status", "reason", "checks", "figures", "timing", ...}]}]}. Times in seconds, sizes in bytes, rates in
 * units per second. JSON knows no infinities and no NaN: these are the strings "inf", "-inf", "nan". Raw samples are in
 * the result file only.
 *
 * Google Benchmark's format (tools/compare.py reads it): one iteration entry a timed case, real_time the median of the hot
 * samples in microseconds, the other figures as counters; cases that were not passed have error_occurred. */
#ifndef ASSAY_HARNESS_REPORT_H
#define ASSAY_HARNESS_REPORT_H

#include "record.h"

#include <jansson.h>
#include <stdio.h>

enum report_style { REPORT_TERMINAL, REPORT_MARKDOWN };

struct report_options {
	enum report_style style;
	int colour;             /* escape sequences (terminal only) */
	int brief;              /* leave out single cases and throughput: they were printed as they came */
	size_t cases_max;       /* most single cases in one list, 0: all; what was left out is said */
};

/* Appends the report of `count` runs. */
void report_append(const struct run_record *const *runs, size_t count, const struct report_options *options,
		   struct text *out);
json_t *report_to_json(const struct run_record *const *runs, size_t count);        /* NULL when memory runs out */
json_t *report_to_gbench_json(const struct run_record *const *runs, size_t count); /* the same */

/* One run, to where it belongs. Files are written whole or not at all; "-" is standard output for JSON. */
void report_terminal(const struct run_record *run, FILE *out, int full);
int report_markdown(const struct run_record *run, const char *path, struct error *err);
int report_json(const struct run_record *run, const char *path, struct error *err);

#endif
