/* Reports as CSV (RFC 4180): a row a case, units in the heads. */
#include "report.h"

#include "cli.h"
#include "operator_figures.h"
#include "report_donor.h"
#include "report_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BASELINE_COLUMNS_MAX = 16 };

struct baseline_columns {
	const char *names[BASELINE_COLUMNS_MAX];
	int count;
};

struct row {
	struct text *out;
	int cells;
};

/* A text that a spreadsheet would take for a formula gets an apostrophe in front, as spreadsheets themselves mark text. */
static void cell_text(struct row *row, const char *text)
{
	struct text clean = {0};
	if (row->cells++)
		text_append_bytes(row->out, ",", 1);
	cli_append_clean(&clean, text ? text : "", text ? strlen(text) : 0);
	const char *data = clean.data ? clean.data : "";
	const int is_formula = data[0] && strchr("=+-@", data[0]) != NULL;
	const int is_quoted = is_formula || strpbrk(data, "\",;") || data[0] == ' ' || (clean.length && data[clean.length - 1] == ' ');
	text_append(row->out, "%s%s", is_quoted ? "\"" : "", is_formula ? "'" : "");
	for (const char *at = data; *at; at++) {
		if (*at == '"')
			text_append_bytes(row->out, "\"", 1);
		text_append_bytes(row->out, at, 1);
	}
	if (is_quoted)
		text_append_bytes(row->out, "\"", 1);
	row->out->failed |= clean.failed;
	text_free(&clean);
}

/* Nothing for NaN: not known. */
static void cell_number(struct row *row, double value)
{
	if (row->cells++)
		text_append_bytes(row->out, ",", 1);
	if (isinf(value))
		text_append(row->out, "%sinf", value < 0 ? "-" : "");
	else if (!isnan(value))
		text_append(row->out, "%.9g", value);
}

static void cell_count(struct row *row, uint64_t value)
{
	if (row->cells++)
		text_append_bytes(row->out, ",", 1);
	text_append(row->out, "%llu", (unsigned long long)value);
}

static void end_row(struct row *row)
{
	text_append_bytes(row->out, "\r\n", 2);
	row->cells = 0;
}

static void find_baselines(const struct run_record *const *runs, size_t count, struct baseline_columns *columns)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < runs[i]->case_count; k++) {
			const struct case_record *record = &runs[i]->cases[k];
			for (int b = 0; b < record->baseline_count; b++) {
				int at = 0;
				while (at < columns->count && strcmp(columns->names[at], record->baselines[b].name) != 0)
					at++;
				if (at == columns->count && at < BASELINE_COLUMNS_MAX)
					columns->names[columns->count++] = record->baselines[b].name;
			}
		}
}

static void append_head(struct row *row, const struct baseline_columns *baselines)
{
	static const char *const before[] = {"run date (UTC)", "host", "device", "device id", "architecture", "driver",
					     "artifact", "artifact sha256", "toolkit", "donor of host code",
					     "family", "entry point", "case", "dtype", "head dim", "image", "status", "reason",
					     "error / bound", "log-sum-exp error / bound", "scaled error", "scaled error allowed", "absolute error",
					     "relative error", "largest ULP", "hot median (s)", "hot interval low (s)", "hot interval high (s)",
					     "confidence of the interval", "hot samples", "cold median (s)", "cold interval low (s)",
					     "cold interval high (s)"};
	static const char *const after[] = {"FLOPs of a call", "bytes of a call", "rate (FLOP/s)", "rate (bytes/s)",
			"share of this card's roof",
					    "energy of a call (J)", "energy (J/TFLOP)", "verifying (s)", "wall time (s)", "reproduce"};
	for (size_t i = 0; i < ARRAY_COUNT(before); i++)
		cell_text(row, before[i]);
	for (int i = 0; i < baselines->count; i++) {
		char name[64];
		snprintf(name, sizeof name, "%s median (s)", baselines->names[i]);
		cell_text(row, name);
	}
	for (size_t i = 0; i < ARRAY_COUNT(after); i++)
		cell_text(row, after[i]);
	end_row(row);
}

static void append_timing(struct row *row, const struct timing_record *timing, int is_timed)
{
	const int known = is_timed && timing->measured;
	cell_number(row, known ? timing->median : (double)NAN);
	cell_number(row, known ? timing->low : (double)NAN);
	cell_number(row, known ? timing->high : (double)NAN);
}

static void append_case(struct row *row, const struct run_record *run, const struct case_record *record,
			const struct baseline_columns *baselines)
{
	const struct judgement *judgement = &record->judgement;
	const struct device_properties *device = &run_record_device(run, record)->properties;
	const int known = record->artifact >= 0 && (size_t)record->artifact < run->artifact_count;
	const struct artifact_record *artifact = known ? &run->artifacts[record->artifact] : NULL;
	const int is_timed = case_is_timed(record), has_numbers = judgement->checks[CHECK_NUMBERS].state == CHECK_HELD ||
									judgement->checks[CHECK_NUMBERS].state == CHECK_BROKEN;
	const int has_lse = judgement->checks[CHECK_LSE].state == CHECK_HELD || judgement->checks[CHECK_LSE].state == CHECK_BROKEN;
	char text[32] = "";
	struct text command = {0}, donor = {0};
	cell_text(row, run->date);
	cell_text(row, run_record_device(run, record)->host[0] ? run_record_device(run, record)->host : run->host);
	cell_text(row, device->name);
	cell_text(row, device->id);
	if (device->kind == DEVICE_CUDA && device->id[0])
		snprintf(text, sizeof text, "sm_%d%d", device->cc_major, device->cc_minor);
	cell_text(row, device->kind == DEVICE_CPU ? "cpu" : text);
	cell_text(row, device->driver_text);
	cell_text(row, artifact ? artifact->path : "");
	cell_text(row, artifact ? artifact->sha256 : "");
	cell_text(row, artifact ? artifact->toolkit : "");
	report_donor_words(artifact, &donor);
	cell_text(row, donor.data);
	cell_text(row, record->family);
	cell_text(row, record->entry_point);
	cell_text(row, record->name);
	cell_text(row, record->dtype == DTYPE_INVALID ? "" : dtype_name(record->dtype));
	cell_count(row, (uint64_t)record->attributes_head_dim);
	cell_text(row, record->image);
	cell_text(row, status_name(judgement->status));
	cell_text(row, judgement->reason);
	cell_number(row, has_numbers ? judgement->margin : (double)NAN);
	cell_number(row, has_lse ? judgement->lse_margin : (double)NAN);
	cell_number(row, has_numbers ? judgement->scaled_max : (double)NAN);
	cell_number(row, has_numbers ? judgement->scaled_bound : (double)NAN);
	cell_number(row, has_numbers ? judgement->absolute_max : (double)NAN);
	cell_number(row, has_numbers ? judgement->relative_max : (double)NAN);
	if (has_numbers && judgement->ulp_max != UINT64_MAX)
		cell_count(row, judgement->ulp_max);
	else
		cell_number(row, has_numbers ? (double)INFINITY : (double)NAN);
	append_timing(row, &record->hot, is_timed);
	cell_number(row, is_timed ? record->hot.confidence : (double)NAN);
	cell_number(row, is_timed ? (double)record->hot.samples : (double)NAN);
	append_timing(row, &record->cold, is_timed);
	for (int i = 0; i < baselines->count; i++) {
		const struct baseline_record *baseline = is_timed ? case_record_baseline(record, baselines->names[i]) : NULL;
		cell_number(row, baseline ? baseline->hot.median : (double)NAN);
	}
	cell_number(row, record->flops > 0 ? record->flops : (double)NAN);
	cell_number(row, record->bytes > 0 ? record->bytes : (double)NAN);
	cell_number(row, is_timed ? case_flop_rate(record) : (double)NAN);
	cell_number(row, is_timed ? case_byte_rate(record) : (double)NAN);
	cell_number(row, is_timed ? operator_rate_of(run, record).share : (double)NAN);
	cell_number(row, case_energy(record));
	cell_number(row, case_energy_per_tflop(record));
	cell_number(row, record->verify_seconds);
	cell_number(row, record->wall_seconds);
	if (judgement->status != STATUS_PASS)
		run_record_reproduction(run, record, &command);
	cell_text(row, command.data);
	row->out->failed |= command.failed | donor.failed;
	text_free(&command);
	text_free(&donor);
	end_row(row);
}

void report_append_csv(const struct run_record *const *runs, size_t count, struct text *out)
{
	struct baseline_columns baselines = {.count = 0};
	struct row row = {.out = out};
	find_baselines(runs, count, &baselines);
	append_head(&row, &baselines);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < runs[i]->case_count; k++)
			append_case(&row, runs[i], &runs[i]->cases[k], &baselines);
}
