/* Cases out of the tables of a result file. */
#include "output_copy.h"
#include "record_reader.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

/* Text out of a table: ends within its field, and cannot command a terminal. */
static void clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
}


/* The rows a span speaks of. Together the cases may not claim more rows than there are: a small file could otherwise ask
 * for endless copies. */
static int take(struct record_reader *reader, enum record_table table, const struct record_span *span, const void **rows)
{
	const size_t count = reader->counts[table];
	if (span->first > count || span->count > count - span->first || span->count > count - reader->taken[table])
		return -1;
	reader->taken[table] += (size_t)span->count;
	*rows = (const char *)reader->rows[table] + (size_t)span->first * record_tables[table].row_size;
	return 0;
}

/* A copy of the rows, NULL when there are none. */
static int take_copy(struct record_reader *reader, enum record_table table, const struct record_span *span, void **copy)
{
	const void *rows;
	*copy = NULL;
	if (take(reader, table, span, &rows))
		return -1;
	if (span->count == 0)
		return 0;
	*copy = malloc((size_t)span->count * record_tables[table].row_size);
	if (!*copy)
		return -1;
	memcpy(*copy, rows, (size_t)span->count * record_tables[table].row_size);
	return 0;
}

static int take_timing(struct record_reader *reader, const struct record_timing_row *row, struct timing_record *timing)
{
	void *raw;
	if (row->samples < 0 || (row->raw.count && row->raw.count != (uint64_t)row->samples) ||
	    take_copy(reader, RECORD_SAMPLES, &row->raw, &raw))
		return -1;
	*timing = (struct timing_record){
		.measured = row->measured != 0,
		.median = row->median,
		.low = row->low,
		.high = row->high,
		.confidence = row->confidence,
		.minimum = row->minimum,
		.maximum = row->maximum,
		.samples = row->samples,
		.gate_opened_early = row->gate_opened_early,
		.converged = row->converged != 0,
		.raw = raw,
	};
	return 0;
}

static int take_texts(struct record_reader *reader, const struct record_span *span, struct case_record *record)
{
	const void *rows;
	if (take(reader, RECORD_TEXTS, span, &rows))
		return -1;
	for (uint64_t i = 0; i < span->count; i++) {
		struct record_text_row row = ((const struct record_text_row *)rows)[i];
		clean(row.what, sizeof row.what);
		clean(row.text, sizeof row.text);
		const enum check check = check_from_name(row.what);
		if (strcmp(row.what, "reason") == 0)
			snprintf(record->judgement.reason, sizeof record->judgement.reason, "%s", row.text);
		else if (strcmp(row.what, "mistrust") == 0)
			snprintf(record->judgement.mistrust, sizeof record->judgement.mistrust, "%.*s",
				 (int)sizeof record->judgement.mistrust - 1, row.text);
		else if (strcmp(row.what, "note") == 0)
			snprintf(record->note, sizeof record->note, "%.*s", (int)sizeof record->note - 1, row.text);
		else if (strcmp(row.what, "entry_point") == 0)
			snprintf(record->entry_point, sizeof record->entry_point, "%.*s", (int)sizeof record->entry_point - 1, row.text);
		else if (check != CHECK_NAMES_COUNT)
			snprintf(record->judgement.checks[check].reason, sizeof record->judgement.checks[check].reason, "%.*s",
				 (int)sizeof record->judgement.checks[check].reason - 1, row.text);
	}
	return 0;
}

static int parse_digest(const char *hex, struct digest *digest)
{
	for (int half = 0; half < 2; half++) {
		digest->half[half] = 0;
		for (int i = 0; i < 16; i++) {
			static const char digits[] = "0123456789abcdef";
			const char *digit = hex[16 * half + i] ? strchr(digits, hex[16 * half + i]) : NULL;
			if (!digit)
				return -1;
			digest->half[half] = digest->half[half] << 4 | (uint64_t)(digit - digits);
		}
	}
	return hex[32] ? -1 : 0;
}

static int take_outputs(struct record_row *row, struct case_record *record)
{
	if (row->output_count < 0 || row->output_count > RECORD_OUTPUTS_MAX)
		return -1;
	record->output_count = row->output_count;
	for (int i = 0; i < row->output_count; i++) {
		clean(row->output_names[i], sizeof row->output_names[i]);
		clean(row->digests[i], sizeof row->digests[i]);
		memcpy(record->output_names[i], row->output_names[i], sizeof record->output_names[i]);
		if (parse_digest(row->digests[i], &record->digests[i]))
			return -1;
	}
	return 0;
}

/* Rows of a table that name the row they belong to, in ascending order: the next one for that row, or NULL. A killed run may
 * have left some whose case is not there. */
static const void *next_for(struct record_reader *reader, enum record_table table, uint64_t row)
{
	const size_t size = record_tables[table].row_size;
	_Static_assert(offsetof(struct record_resources_row, launch_row) == 0 && offsetof(struct record_measured_row, case_row) == 0 &&
		       offsetof(struct record_baseline_row, case_row) == 0 && offsetof(struct record_rounds_row, case_row) == 0 &&
		       offsetof(struct record_counts_row, case_row) == 0 && offsetof(struct record_operator_row, case_row) == 0,
		       "what a row belongs to comes first");
	for (; reader->next[table] < reader->counts[table]; reader->next[table]++) {
		const char *at = (const char *)reader->rows[table] + reader->next[table] * size;
		uint64_t of;
		memcpy(&of, at, sizeof of);
		if (of > row)
			return NULL;
		if (of == row) {
			reader->next[table]++;
			return at;
		}
	}
	return NULL;
}

static void take_resources(struct record_reader *reader, const struct record_row *row, struct case_record *record)
{
	for (uint64_t i = 0; i < row->launches.count; i++) {
		const struct record_resources_row *resources = next_for(reader, RECORD_RESOURCES, row->launches.first + i);
		if (!resources)
			continue;
		record->launches[i].registers = resources->registers;
		record->launches[i].static_shared_bytes = resources->static_shared_bytes;
		record->launches[i].local_bytes = resources->local_bytes;
	}
}

static int take_launches(struct record_reader *reader, const struct record_row *row, struct case_record *record)
{
	const void *rows;
	record->launch_count = row->launch_count;
	if (row->launch_count < 0 || row->launches.count > RECORD_LAUNCHES_MAX ||
	    row->launches.count > (uint64_t)row->launch_count || take(reader, RECORD_LAUNCHES, &row->launches, &rows))
		return -1;
	for (uint64_t i = 0; i < row->launches.count; i++) {
		const struct record_launch_row *from = (const struct record_launch_row *)rows + i;
		struct launch_record *launch = &record->launches[i];
		*launch = (struct launch_record){
			.dynamic_shared = from->dynamic_shared,
			.default_stream = from->default_stream,
			.device_code = from->device_code,
			.registers = -1,
			.static_shared_bytes = -1,
			.local_bytes = -1,
		};
		memcpy(launch->kernel, from->kernel, sizeof launch->kernel);
		memcpy(launch->grid, from->grid, sizeof launch->grid);
		memcpy(launch->block, from->block, sizeof launch->block);
		clean(launch->kernel, sizeof launch->kernel);
	}
	take_resources(reader, row, record);
	/* where fewer were kept than counted, the rest is unknown */
	if (row->launches.count < RECORD_LAUNCHES_MAX && (uint64_t)row->launch_count > row->launches.count)
		return -1;
	return 0;
}

/* -1 without a message when the row contradicts itself or the other tables. */
static int take_case(struct record_reader *reader, struct record_row *row, size_t artifact_count, struct case_record *record)
{
	const struct record_figures *figures = &row->figures;
	struct judgement *judgement = &record->judgement;
	struct timing_record unfused = {0};
	void *clocks;
	clean(row->name, sizeof row->name);
	clean(row->family, sizeof row->family);
	clean(row->entry_point, sizeof row->entry_point);
	clean(row->dtype, sizeof row->dtype);
	clean(row->status, sizeof row->status);
	clean(row->image, sizeof row->image);
	memcpy(record->name, row->name, sizeof record->name);
	memcpy(record->family, row->family, sizeof record->family);
	snprintf(record->entry_point, sizeof record->entry_point, "%s", row->entry_point);
	memcpy(record->image, row->image, sizeof record->image);
	record->dtype = dtype_from_name(row->dtype);
	judgement->status = status_from_name(row->status);
	if (judgement->status == STATUS_COUNT || row->artifact < 0 || (size_t)row->artifact >= artifact_count)
		return -1;
	record->artifact = row->artifact;
	record->case_index = row->case_index;
	record->attributes_head_dim = row->head_dim;
	for (int i = 0; i < RECORD_CHECKS_STORED; i++) {
		if (row->check_states[i] > CHECK_DISABLED)
			return -1;
		if (reader->checks[i] != CHECK_NAMES_COUNT)
			judgement->checks[reader->checks[i]].state = (enum check_state)row->check_states[i];
	}
	judgement->margin = figures->margin;
	judgement->scaled_max = figures->scaled_max;
	judgement->scaled_bound = figures->scaled_bound;
	judgement->low_scaled_max = figures->low_scaled_max;
	judgement->absolute_max = figures->absolute_max;
	judgement->relative_max = figures->relative_max;
	judgement->relative_l2 = figures->relative_l2;
	judgement->lse_absolute_max = figures->lse_absolute_max;
	judgement->lse_margin = figures->lse_margin;
	judgement->worst_value = figures->worst_value;
	judgement->worst_reference = figures->worst_reference;
	judgement->ulp_max = figures->ulp_max;
	judgement->elements = figures->elements;
	judgement->nan_count = figures->nan_count;
	judgement->inf_count = figures->inf_count;
	memcpy(judgement->worst_index, figures->worst_index, sizeof judgement->worst_index);
	memcpy(judgement->histogram, figures->histogram, sizeof judgement->histogram);
	record->flops = row->flops;
	record->bytes = row->bytes;
	record->enqueue_seconds = row->enqueue_seconds;
	record->ungated_seconds = row->ungated_seconds;
	record->event_overhead_seconds = row->event_overhead_seconds;
	record->verify_seconds = row->verify_seconds;
	record->wall_seconds = row->wall_seconds;
	if (take_outputs(row, record) || take_texts(reader, &row->texts, record) || take_launches(reader, row, record) ||
	    take_timing(reader, &row->hot, &record->hot) || take_timing(reader, &row->cold, &record->cold) ||
	    take_timing(reader, &row->baseline, &unfused) ||
	    take_copy(reader, RECORD_CLOCKS, &row->clocks, &clocks)) {
		free(unfused.raw);
		return -1;
	}
	if (unfused.measured)
		case_record_add_baseline(record, RECORD_UNFUSED)->hot = unfused;
	else
		free(unfused.raw);
	record->clocks = clocks;
	record->clock_count = (int64_t)row->clocks.count;
	return 0;
}

static struct timing_record *timing_numbered(struct case_record *record, int32_t number)
{
	if (number == 0 || number == 1)
		return number ? &record->cold : &record->hot;
	return number >= 2 && number - 2 < record->baseline_count ? &record->baselines[number - 2].hot : NULL;
}

static int take_rounds(const struct record_rounds_row *row, struct case_record *record)
{
	struct timing_record *timing = timing_numbered(record, row->timing);
	int64_t total = 0;
	if (!timing || row->rounds < 1 || row->rounds > RECORD_ROUNDS_MAX)
		return -1;
	for (int i = 0; i < row->rounds; i++)
		total += row->round_samples[i];
	if (total != timing->samples)
		return -1;
	timing->rounds = row->rounds;
	memcpy(timing->round_samples, row->round_samples, (size_t)row->rounds * sizeof row->round_samples[0]);
	return 0;
}

/* What is in tables besides the row's own. */
static int take_measured(struct record_reader *reader, uint64_t number, const struct run_record *run, struct case_record *record)
{
	const struct record_measured_row *measured = next_for(reader, RECORD_MEASURED, number);
	if (measured) {
		if (measured->device < 0 || (measured->device > 0 && (size_t)measured->device >= run->device_count))
			return -1;
		record->device = measured->device;
		record->bench_seconds = measured->bench_seconds;
		record->energy_joules = measured->energy_joules;
		record->energy_calls = measured->energy_calls;
	}
	for (const struct record_baseline_row *row; (row = next_for(reader, RECORD_BASELINES, number));) {
		struct record_baseline_row copy = *row;
		clean(copy.name, sizeof copy.name);
		clean(copy.note, sizeof copy.note);
		struct baseline_record *baseline = case_record_add_baseline(record, copy.name);
		if (!baseline || take_timing(reader, &copy.hot, &baseline->hot))
			return -1;
		memcpy(baseline->note, copy.note, sizeof baseline->note);
	}
	for (const struct record_rounds_row *row; (row = next_for(reader, RECORD_ROUNDS, number));)
		if (take_rounds(row, record))
			return -1;
	return 0;
}

static int take_operator(const struct record_operator_row *stored, const struct run_record *run, struct case_record *record)
{
	struct record_operator_row copy = *stored, *row = &copy;
	clean(row->unit, sizeof row->unit);
	clean(row->module, sizeof row->module);
	if (row->dataset < 0 || (row->dataset > 0 && (size_t)row->dataset >= run->dataset_count))
		return -1;
	record->dataset = row->dataset;
	record->order = row->order;
	record->fast_math = row->fast_math != 0;
	record->unit = strcmp(row->unit, "bytes") == 0 ? WORK_BYTES : WORK_FLOPS;
	record->judgement.precise_margin = row->precise_margin;
	memcpy(record->module, row->module, sizeof record->module);
	return 0;
}

int record_read_cases(struct record_reader *reader, struct run_record *run, struct error *err)
{
	struct record_row *rows = reader->rows[RECORD_ROWS];
	uint64_t room = OUTPUT_RUN_BYTES_MAX;
	int result = -1;
	struct case_record *record = calloc(1, sizeof *record); /* some 10 KiB */
	if (!record)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < reader->counts[RECORD_ROWS]; i++) {
		*record = (struct case_record){0};
		if (take_case(reader, &rows[i], run->artifact_count, record) || take_measured(reader, i, run, record)) {
			case_record_free(record);
			place_error(&reader->place, err, "row %zu of cases/table contradicts the rest of the file", i);
			goto done;
		}
		const struct record_counts_row *counts = next_for(reader, RECORD_COUNTS, i);
		if (counts)
			record->counts = counts->counts;
		const struct record_operator_row *operator = next_for(reader, RECORD_OPERATORS, i);
		if (operator && take_operator(operator, run, record)) {
			case_record_free(record);
			place_error(&reader->place, err, "a row of cases/operators contradicts the rest of the file");
			goto done;
		}
		if ((!reader->leaves_copies && record_outputs_read(reader->cases, i, record, &room, &reader->place, err)) ||
		    run_record_add(run, record, err)) {
			case_record_free(record);
			goto done;
		}
		struct artifact_record *artifact = &run->artifacts[record->artifact];
		for (uint64_t launch = 0; !run->complete && launch < rows[i].launches.count; launch++)
			if (record->launches[launch].device_code == 0 &&
			    artifact_record_mark(artifact, record->launches[launch].kernel, err))
				goto done;
	}
	result = 0;
done:
	free(record);
	return result;
}

