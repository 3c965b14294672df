/* A matrix as text, Markdown, CSV and JSON. */
#include "matrix.h"

#include "cli.h"
#include "json_object.h"
#include "report_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "27 pass, 3 fail"; of statuses that there are. */
static void append_statuses(struct text *out, const struct matrix_cell *cell)
{
	const size_t start = out->length;
	for (int status = 0; status < STATUS_COUNT; status++)
		if (cell->statuses[status])
			text_append(out, "%s%zu %s", out->length > start ? ", " : "", cell->statuses[status], status_name((enum status)status));
}

static size_t bad_verdicts(const struct matrix_cell *cell)
{
	return cell->cases - cell->statuses[STATUS_PASS] - cell->statuses[STATUS_UNSUPPORTED] - cell->statuses[STATUS_SKIPPED];
}

/* ---- text and Markdown ---- */

static void fill_row(struct table *table, const struct matrix *matrix, size_t d, size_t s, size_t a)
{
	const struct matrix_cell *cell = matrix_cell(matrix, d, s, a);
	const struct matrix_relative *relative = &cell->relative;
	struct text statuses = {0};
	table_cell(table, "%s", matrix->devices[d]);
	table_cell(table, "%s", matrix_dataset_name(matrix, s));
	table_cell(table, "%s", matrix->artifacts[a].label);
	append_statuses(&statuses, cell);
	table_cell(table, "%s", cell->problem.kind ? "not run" : statuses.data ? statuses.data : "no case");
	text_free(&statuses);
	if (isnan(cell->worst))
		table_cell(table, "-");
	else
		table_cell(table, "%.3f", cell->worst);
	if (isnan(cell->load_seconds))
		table_cell(table, "-");
	else
		table_cell(table, "%.2f", cell->load_seconds);
	if (relative->cases) {
		table_cell(table, "%zu", relative->cases);
		table_cell(table, "%.4f", relative->mean);
		table_cell(table, "%.4f .. %.4f", relative->low, relative->high);
		table_cell(table, "%.3f .. %.3f", relative->least, relative->most);
		table_cell(table, "%zu / %zu", cell->hot[TIMING_SLOWER], cell->hot[TIMING_FASTER]);
	} else {
		for (int i = 0; i < 5; i++)
			table_cell(table, "-");
	}
}

static void append_table(struct page *page, const struct matrix *matrix)
{
	struct table table = {.titles = {"device", "dataset", "artifact", "verdicts", "worst error / bound", "load s", "timed",
					 "throughput", "interval", "least .. most", "slower / faster"},
			      .left = {1, 1, 1, 1},
			      .columns = 11};
	for (size_t d = 0; d < matrix->device_count; d++)
		for (size_t s = 0; s < matrix->dataset_count; s++)
			for (size_t a = 0; a < matrix->artifact_count; a++)
				fill_row(&table, matrix, d, s, a);
	page_table(page, &table);
}

static void append_problems(struct page *page, const struct matrix *matrix)
{
	int is_headed = 0;
	for (size_t d = 0; d < matrix->device_count; d++)
		for (size_t s = 0; s < matrix->dataset_count; s++)
			for (size_t a = 0; a < matrix->artifact_count; a++) {
				const struct matrix_cell *cell = matrix_cell(matrix, d, s, a);
				struct text where = {0};
				if (!cell->problem.kind && !bad_verdicts(cell))
					continue;
				if (!is_headed++)
					page_heading(page, 3, "What is wrong");
				text_append(&where, "%s on %s, %s", matrix->artifacts[a].label, matrix->devices[d], matrix_dataset_name(matrix, s));
				page_item(page, TONE_BAD, cell->problem.kind ? "not run" : "verdicts", where.data ? where.data : "");
				if (cell->problem.kind)
					page_item_line(page, "", cell->problem.message, 0);
				/* the first of them says what kind it is; the result file has the rest */
				for (size_t i = 0, shown = 0; i < cell->run.case_count && shown < 3; i++) {
					const struct case_record *record = &cell->run.cases[i];
					const enum status status = record->judgement.status;
					struct text line = {0};
					if (status == STATUS_PASS || status == STATUS_UNSUPPORTED || status == STATUS_SKIPPED)
						continue;
					text_append(&line, "%s %s: %.240s", status_name(status), record->name, record->judgement.reason);
					page_item_line(page, "", line.data ? line.data : "", 0);
					text_free(&line);
					shown++;
				}
				text_free(&where);
			}
}

static void append_provenance(struct page *page, const struct matrix *matrix)
{
	page_heading(page, 3, "Artifacts");
	for (size_t a = 0; a < matrix->artifact_count; a++) {
		const struct matrix_artifact *artifact = &matrix->artifacts[a];
		const struct {
			const char *label, *text;
		} lines[] = {{"files", artifact->files}, {"toolkit", artifact->toolkit}, {"images", artifact->images},
			     {"built by", artifact->built}, {"driver", artifact->driver}, {"problem", artifact->problem}};
		page_item(page, TONE_PLAIN, artifact->label, artifact->path);
		for (size_t i = 0; i < ARRAY_COUNT(lines); i++)
			if (lines[i].text[0])
				page_item_line(page, lines[i].label, lines[i].text, 0);
	}
}

void matrix_append(const struct matrix *matrix, const struct report_options *options, struct text *out)
{
	struct page page = {.style = options->style, .colour = options->colour, .out = out};
	page_heading(&page, 2, "assay matrix: %zu artifact%s, %zu dataset%s, %zu device%s", matrix->artifact_count,
		     matrix->artifact_count == 1 ? "" : "s", matrix->dataset_count, matrix->dataset_count == 1 ? "" : "s",
		     matrix->device_count, matrix->device_count == 1 ? "" : "s");
	page_fact(&page, "throughput", "relative to %s: geometric mean over cases that both passed and timed, hot, with a %g %% "
		  "interval%s", matrix->artifacts[0].label, 100 * COMPARE_CONFIDENCE,
		  matrix->in_turns ? " over rounds in turns"
				   : "; timed one after the other, so that what drifted between is in it (--interleave)");
	page_fact(&page, "slower, faster", "cases whose interval lies beyond %g %%", 100 * matrix->threshold);
	append_table(&page, matrix);
	append_problems(&page, matrix);
	append_provenance(&page, matrix);
	if (page.style == REPORT_MARKDOWN)
		text_append(out, "\n");
}

/* ---- CSV ---- */

static void csv_text(struct text *out, const char *text)
{
	struct text clean = {0};
	cli_append_clean(&clean, text, strlen(text));
	/* what a spreadsheet would take for a formula is no number here */
	const char *from = clean.data ? clean.data : "";
	text_append(out, "\"%s", from[0] && strchr("=+-@", from[0]) ? "'" : "");
	for (const char *at = from; *at; at++)
		text_append(out, *at == '"' ? "\"\"" : "%c", *at);
	text_append(out, "\",");
	out->failed |= clean.failed;
	text_free(&clean);
}

/* Empty where it is not known. */
static void csv_number(struct text *out, double value, int known)
{
	if (known && isfinite(value))
		text_append(out, "%.9g", value);
	text_append(out, ",");
}

void matrix_append_csv(const struct matrix *matrix, struct text *out)
{
	text_append(out, "device,dataset,artifact,path,toolkit,images,built_by,driver,cases");
	for (int status = 0; status < STATUS_COUNT; status++)
		text_append(out, ",%s", status_name((enum status)status));
	text_append(out, ",worst_margin,worst_case,load_seconds,timed_cases,throughput,throughput_low,throughput_high,least,least_case,"
		    "most,most_case,slower,faster,same,unsure,refused,regressions,file,problem\r\n");
	for (size_t d = 0; d < matrix->device_count; d++)
		for (size_t s = 0; s < matrix->dataset_count; s++)
			for (size_t a = 0; a < matrix->artifact_count; a++) {
				const struct matrix_cell *cell = matrix_cell(matrix, d, s, a);
				const struct matrix_relative *relative = &cell->relative;
				const struct matrix_artifact *artifact = &matrix->artifacts[a];
				const char *const first[] = {matrix->devices[d], matrix_dataset_name(matrix, s), artifact->label, artifact->path,
							     artifact->toolkit, artifact->images, artifact->built, artifact->driver};
				for (size_t i = 0; i < ARRAY_COUNT(first); i++)
					csv_text(out, first[i]);
				text_append(out, "%zu,", cell->cases);
				for (int status = 0; status < STATUS_COUNT; status++)
					text_append(out, "%zu,", cell->statuses[status]);
				csv_number(out, cell->worst, 1);
				csv_text(out, cell->worst_case ? cell->worst_case : "");
				csv_number(out, cell->load_seconds, 1);
				text_append(out, "%zu,", relative->cases);
				csv_number(out, relative->mean, relative->cases > 0);
				csv_number(out, relative->low, relative->cases > 0);
				csv_number(out, relative->high, relative->cases > 0);
				csv_number(out, relative->least, relative->cases > 0);
				csv_text(out, relative->least_case ? relative->least_case : "");
				csv_number(out, relative->most, relative->cases > 0);
				csv_text(out, relative->most_case ? relative->most_case : "");
				const enum timing_verdict verdicts[] = {TIMING_SLOWER, TIMING_FASTER, TIMING_SAME, TIMING_UNSURE, TIMING_REFUSED};
				for (size_t i = 0; i < ARRAY_COUNT(verdicts); i++)
					text_append(out, "%zu,", cell->hot[verdicts[i]]);
				text_append(out, "%zu,", cell->regressions);
				csv_text(out, cell->file ? cell->file : "");
				csv_text(out, cell->problem.kind ? cell->problem.message : "");
				out->length -= out->failed ? 0 : 1; /* the last comma */
				text_append(out, "\r\n");
			}
}

/* ---- JSON ---- */

static json_t *artifact_of(const struct matrix_artifact *artifact)
{
	struct object object = object_new();
	put_text(&object, "label", artifact->label);
	put_text(&object, "path", artifact->path);
	put_text(&object, "files", artifact->files);
	put_text(&object, "toolkit", artifact->toolkit);
	put_text(&object, "images", artifact->images);
	put_text(&object, "built_by", artifact->built);
	put_text(&object, "driver", artifact->driver);
	put_text(&object, "problem", artifact->problem);
	return object_done(&object);
}

static json_t *counts_of(const struct matrix_cell *cell)
{
	struct object object = object_new();
	for (int status = 0; status < STATUS_COUNT; status++)
		put_int(&object, status_name((enum status)status), (int64_t)cell->statuses[status]);
	return object_done(&object);
}

static json_t *relative_of(const struct matrix_cell *cell)
{
	const struct matrix_relative *relative = &cell->relative;
	struct object object = object_new();
	put_int(&object, "cases", (int64_t)relative->cases);
	put_number(&object, "geometric_mean", relative->mean);
	put_number(&object, "low", relative->low);
	put_number(&object, "high", relative->high);
	put_number(&object, "least", relative->least);
	put_text(&object, "least_case", relative->least_case);
	put_number(&object, "most", relative->most);
	put_text(&object, "most_case", relative->most_case);
	put(&object, "by_rounds", json_boolean(relative->by_rounds));
	for (int i = TIMING_SLOWER; i < TIMING_VERDICTS; i++)
		put_int(&object, timing_verdict_name((enum timing_verdict)i), (int64_t)cell->hot[i]);
	return object_done(&object);
}

static json_t *cell_of(const struct matrix *matrix, size_t d, size_t s, size_t a)
{
	const struct matrix_cell *cell = matrix_cell(matrix, d, s, a);
	struct object object = object_new();
	put_text(&object, "device", matrix->devices[d]);
	put(&object, "dataset", matrix->datasets[s] ? text_json(matrix->datasets[s]) : json_null());
	put_text(&object, "artifact", matrix->artifacts[a].label);
	put(&object, "problem", cell->problem.kind ? text_json(cell->problem.message) : json_null());
	put(&object, "file", cell->file ? text_json(cell->file) : json_null());
	put_int(&object, "cases", (int64_t)cell->cases);
	put(&object, "verdicts", counts_of(cell));
	put(&object, "worst_margin", isnan(cell->worst) ? json_null() : number_json(cell->worst));
	put_text(&object, "worst_case", cell->worst_case);
	put(&object, "load_seconds", isnan(cell->load_seconds) ? json_null() : number_json(cell->load_seconds));
	put(&object, "throughput", cell->relative.cases ? relative_of(cell) : json_null());
	put_int(&object, "regressions", (int64_t)cell->regressions);
	put_text(&object, "not_compared", cell->incomparable);
	return object_done(&object);
}

json_t *matrix_to_json(const struct matrix *matrix)
{
	struct object object = object_new();
	json_t *artifacts = json_array(), *cells = json_array();
	int failed = !artifacts || !cells;
	for (size_t a = 0; !failed && a < matrix->artifact_count; a++)
		failed = json_array_append_new(artifacts, artifact_of(&matrix->artifacts[a])) != 0;
	for (size_t d = 0; d < matrix->device_count; d++)
		for (size_t s = 0; s < matrix->dataset_count; s++)
			for (size_t a = 0; !failed && a < matrix->artifact_count; a++)
				failed = json_array_append_new(cells, cell_of(matrix, d, s, a)) != 0;
	put_int(&object, "schema", 1);
	put_text(&object, "generator", "assay " ASSAY_VERSION);
	put_number(&object, "threshold", matrix->threshold);
	put_number(&object, "confidence", COMPARE_CONFIDENCE);
	put(&object, "in_turns", json_boolean(matrix->in_turns));
	put(&object, "artifacts", artifacts);
	put(&object, "cells", cells);
	object.failed |= failed;
	return object_done(&object);
}
