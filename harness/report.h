/* Reports of runs: as text for a terminal, as Markdown, as an HTML page, as JSON, as JSON in Google Benchmark's format, as CSV
 * and as JUnit XML. All of them are made from struct run_record alone, so that a report of a result file says what the run
 * itself said.
 *
 * Text and Markdown: the conditions of measurement first, then what became of the cases, how far the right ones are from
 * their bounds, what did not pass with the command that repeats it, coverage of kernels, throughput. Runs are grouped by
 * GPU architecture; cases that ran on another model than the run's first are told apart, as if they were a run of their own
 * (HTML too). Only cases that passed have a throughput.
 *
 * Operators, of which there are hundreds with some ten thousand cases, are told by family and by entry point: an entry point
 * passes when all its cases pass.
 *
 * JSON, schema 1: {"schema": 1, "generator": "assay VERSION", "runs": [{"conditions": {}, "summary": {}, "inventories": [] and
 * "entry_points": [] where there are operators, "artifacts": [], "cases": [{"name", "status", "reason", "checks", "figures",
 * "timing", ...}]}]}. A case's "device" and "artifact" are indices into conditions.devices and artifacts. Times in seconds, sizes in bytes, rates in
 * units per second. JSON knows no infinities and no NaN: these are the strings "inf", "-inf", "nan". Raw samples are in
 * the result file only.
 *
 * Google Benchmark's format (tools/compare.py reads it): one iteration entry a timed case, real_time the median of the hot
 * samples in microseconds, the other figures as counters; cases that were not passed have error_occurred.
 *
 * CSV (RFC 4180): a row a case, units in the heads; what is not known is empty. JUnit: a suite for each artifact, family
 * and model of device;
 * fail and mistrusted are failures; crashed, timeout and error are errors; unsupported and skipped are skipped.
 *
 * HTML: report_html.h. */
#ifndef ASSAY_HARNESS_REPORT_H
#define ASSAY_HARNESS_REPORT_H

#include "record.h"

#include <jansson.h>
#include <stdio.h>

enum report_style { REPORT_TERMINAL, REPORT_MARKDOWN, REPORT_HTML };

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
void report_append_csv(const struct run_record *const *runs, size_t count, struct text *out);
void report_append_junit(const struct run_record *const *runs, size_t count, struct text *out);
/* One whole page; `files` are the names of the result files, NULL where there are none. */
void report_append_html(const struct run_record *const *runs, const char *const *files, size_t count, struct text *out);

/* Further forms of a report, where the command line asked for them. */
struct report_files {
	const char *html, *csv, *junit; /* NULL: not asked for; "-": standard output */
};
/* Before anything is run: -1 when one of the files that a command is to write (NULL: none, "-": standard output) could not be
 * written later on, when two have the same name, `result_file` included (NULL: none), or when one is an HDF5 file: where an
 * option's name was forgotten ("--html run.h5"), a report would take the place of measurements. Otherwise how many of them go to
 * standard output. */
int report_paths_check(const char *const *paths, size_t count, const char *result_file, struct error *err);
int report_files_write(const struct report_files *files, const struct run_record *const *runs, const char *const *names, size_t count,
		       struct error *err);

/* One run, to where it belongs. Files are written whole or not at all; "-" is standard output for JSON. */
void report_terminal(const struct run_record *run, FILE *out, int full);
int report_markdown(const struct run_record *run, const char *path, struct error *err);
int report_json(const struct run_record *run, const char *path, struct error *err);

#endif
