/* Writing a result file; the layout is described in record.h. */
#include "record_earlier.h"
#include "record_layout.h"

#include "core/util.h"
#include "dataset/hdf5_access.h"
#include "dataset/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A loss of power costs what was finished since the last copy; copies cost less than a fiftieth of the time. */
enum { COPY_SECONDS = 30, COPY_SHARE = 50 };

struct record_writer {
	char *path, *partial, *earlier;       /* earlier: NULL where no copies are made */
	double next_copy;                     /* monotonic */
	int has_copy;                         /* of this file */
	const struct run_record *run;         /* what a copy says besides the cases */
	hid_t file, cases;
	hid_t tables[RECORD_TABLES], types[RECORD_TABLES];
	hsize_t rows[RECORD_TABLES];          /* in the file */
	struct text waiting[RECORD_TABLES];   /* rows that are not there yet */
	size_t devices;                       /* in the file */
	int leaves_copies; /* of outputs: those are not written */
	int failed; /* a write went wrong: what is in the file cannot be relied on */
};

static struct hdf5_place place_of(const struct record_writer *writer)
{
	return (struct hdf5_place){.file = writer->path, .where = ""};
}

/* ---- tables ---- */

static int create_table(struct record_writer *writer, enum record_table table)
{
	const hsize_t none = 0, endless = H5S_UNLIMITED;
	const hid_t type = record_type(table), space = H5Screate_simple(1, &none, &endless);
	const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
	writer->types[table] = type;
	if (type >= 0 && space >= 0 && creation >= 0 && H5Pset_chunk(creation, 1, &record_tables[table].chunk) >= 0 &&
	    H5Pset_fletcher32(creation) >= 0)
		writer->tables[table] = H5Dcreate2(writer->cases, record_tables[table].name, type, space, H5P_DEFAULT, creation,
						   H5P_DEFAULT);
	hdf5_close(creation);
	hdf5_close(space);
	return writer->tables[table] < 0 ? -1 : 0;
}

/* Appends rows to what waits for the next flush; *span says where they will lie. One write costs as much as hundreds of rows. */
static int append(struct record_writer *writer, enum record_table table, const void *rows, size_t count,
		  struct record_span *span)
{
	const size_t size = record_tables[table].row_size;
	*span = (struct record_span){writer->rows[table] + writer->waiting[table].length / size, count};
	if (count)
		text_append_bytes(&writer->waiting[table], rows, count * size);
	return writer->waiting[table].failed ? -1 : 0;
}

static int write_waiting(struct record_writer *writer, enum record_table table)
{
	struct text *waiting = &writer->waiting[table];
	const hsize_t first = writer->rows[table], length = waiting->length / record_tables[table].row_size, total = first + length;
	if (waiting->failed)
		return -1;
	if (length == 0)
		return 0;
	if (H5Dset_extent(writer->tables[table], &total) < 0)
		return -1;
	const hid_t space = H5Dget_space(writer->tables[table]), memory = H5Screate_simple(1, &length, NULL);
	const int failed = space < 0 || memory < 0 ||
			   H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &length, NULL) < 0 ||
			   H5Dwrite(writer->tables[table], writer->types[table], memory, space, H5P_DEFAULT, waiting->data) < 0;
	hdf5_close(memory);
	hdf5_close(space);
	if (failed)
		return -1;
	writer->rows[table] = total;
	waiting->length = 0;
	return 0;
}

/* The rows come last, when what they speak of is in the file: HDF5 writes what it holds of all tables in an order of its own. */
static int write_all_waiting(struct record_writer *writer)
{
	if (!writer->waiting[RECORD_ROWS].length)
		return 0;
	for (int table = 0; table < RECORD_TABLES; table++)
		if (table != RECORD_ROWS && write_waiting(writer, (enum record_table)table))
			return -1;
	return H5Fflush(writer->file, H5F_SCOPE_LOCAL) < 0 || write_waiting(writer, RECORD_ROWS) ||
	       H5Fflush(writer->file, H5F_SCOPE_LOCAL) < 0 ? -1 : 0;
}

/* ---- a case ---- */

static int append_timing(struct record_writer *writer, const struct timing_record *timing, struct record_timing_row *row)
{
	row->measured = timing->measured != 0;
	row->converged = timing->converged != 0;
	row->median = timing->median;
	row->low = timing->low;
	row->high = timing->high;
	row->confidence = timing->confidence;
	row->minimum = timing->minimum;
	row->maximum = timing->maximum;
	row->samples = timing->samples;
	row->gate_opened_early = timing->gate_opened_early;
	const size_t count = timing->raw && timing->samples > 0 ? (size_t)timing->samples : 0;
	return append(writer, RECORD_SAMPLES, timing->raw, count, &row->raw);
}

static void add_text(struct record_text_row *rows, size_t *count, const char *what, const char *text)
{
	if (!text[0])
		return;
	struct record_text_row *row = &rows[(*count)++];
	*row = (struct record_text_row){0};
	snprintf(row->what, sizeof row->what, "%s", what);
	snprintf(row->text, sizeof row->text, "%s", text);
}

static int append_texts(struct record_writer *writer, const struct case_record *record, struct record_span *span)
{
	const struct judgement *judgement = &record->judgement;
	struct record_text_row rows[CHECK_NAMES_COUNT + 4];
	size_t count = 0;
	add_text(rows, &count, "reason", judgement->reason);
	add_text(rows, &count, "mistrust", judgement->mistrust);
	add_text(rows, &count, "note", record->note);
	if (strlen(record->entry_point) >= sizeof ((struct record_row *)0)->entry_point)
		add_text(rows, &count, "entry_point", record->entry_point);
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		add_text(rows, &count, check_name((enum check)check), judgement->checks[check].reason);
	return append(writer, RECORD_TEXTS, rows, count, span);
}

static int append_launches(struct record_writer *writer, const struct case_record *record, struct record_span *span)
{
	struct record_launch_row rows[RECORD_LAUNCHES_MAX];
	const int64_t kept = record->launch_count < RECORD_LAUNCHES_MAX ? record->launch_count : RECORD_LAUNCHES_MAX;
	const size_t count = kept > 0 ? (size_t)kept : 0;
	memset(rows, 0, sizeof rows);
	for (size_t i = 0; i < count; i++) {
		const struct launch_record *launch = &record->launches[i];
		snprintf(rows[i].kernel, sizeof rows[i].kernel, "%s", launch->kernel);
		memcpy(rows[i].grid, launch->grid, sizeof rows[i].grid);
		memcpy(rows[i].block, launch->block, sizeof rows[i].block);
		rows[i].dynamic_shared = launch->dynamic_shared;
		rows[i].default_stream = launch->default_stream;
		rows[i].device_code = launch->device_code;
	}
	if (append(writer, RECORD_LAUNCHES, rows, count, span))
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct launch_record *launch = &record->launches[i];
		struct record_resources_row row;
		memset(&row, 0, sizeof row);
		row.launch_row = span->first + i;
		row.registers = launch->registers;
		row.static_shared_bytes = launch->static_shared_bytes;
		row.local_bytes = launch->local_bytes;
		if (launch->registers > 0 && append(writer, RECORD_RESOURCES, &row, 1, &(struct record_span){0}))
			return -1;
	}
	return 0;
}

static int append_rounds(struct record_writer *writer, const struct timing_record *timing, int which, uint64_t row_number)
{
	struct record_rounds_row row;
	memset(&row, 0, sizeof row);
	row.case_row = row_number;
	row.timing = which;
	row.rounds = timing->rounds;
	_Static_assert(sizeof row.round_samples == sizeof timing->round_samples, "copied whole");
	memcpy(row.round_samples, timing->round_samples, sizeof row.round_samples);
	return append(writer, RECORD_ROUNDS, &row, timing->rounds > 0, &(struct record_span){0});
}

/* What the row of the table has no place for. */
static int append_measured(struct record_writer *writer, const struct case_record *record, uint64_t row_number)
{
	struct record_measured_row measured;
	memset(&measured, 0, sizeof measured);
	measured.case_row = row_number;
	measured.bench_seconds = record->bench_seconds;
	measured.energy_joules = record->energy_joules;
	measured.energy_calls = record->energy_calls;
	measured.device = record->device;
	const int is_needed = record->device || record->bench_seconds > 0 || record->energy_joules > 0 || record->energy_calls > 0;
	if (append(writer, RECORD_MEASURED, &measured, is_needed, &(struct record_span){0}) ||
	    append_rounds(writer, &record->hot, 0, row_number) || append_rounds(writer, &record->cold, 1, row_number))
		return -1;
	for (int i = 0; i < record->baseline_count && i < RECORD_BASELINES_MAX; i++) {
		const struct baseline_record *baseline = &record->baselines[i];
		struct record_baseline_row row;
		memset(&row, 0, sizeof row);
		row.case_row = row_number;
		snprintf(row.name, sizeof row.name, "%s", baseline->name);
		snprintf(row.note, sizeof row.note, "%s", baseline->note);
		if (append_timing(writer, &baseline->hot, &row.hot) ||
		    append(writer, RECORD_BASELINES, &row, 1, &(struct record_span){0}) ||
		    append_rounds(writer, &baseline->hot, 2 + i, row_number))
			return -1;
	}
	return 0;
}

static int append_case(struct record_writer *writer, const struct case_record *record)
{
	const struct judgement *judgement = &record->judgement;
	struct record_row row;
	memset(&row, 0, sizeof row); /* what lies between the members is written too */
	row.artifact = record->artifact;
	row.case_index = record->case_index;
	row.head_dim = record->attributes_head_dim;
	row.figures = (struct record_figures){
		.margin = judgement->margin,
		.scaled_max = judgement->scaled_max,
		.scaled_bound = judgement->scaled_bound,
		.low_scaled_max = judgement->low_scaled_max,
		.absolute_max = judgement->absolute_max,
		.relative_max = judgement->relative_max,
		.relative_l2 = judgement->relative_l2,
		.lse_absolute_max = judgement->lse_absolute_max,
		.lse_margin = judgement->lse_margin,
		.worst_value = judgement->worst_value,
		.worst_reference = judgement->worst_reference,
		.ulp_max = judgement->ulp_max,
		.elements = judgement->elements,
		.nan_count = judgement->nan_count,
		.inf_count = judgement->inf_count,
	};
	row.output_count = record->output_count;
	row.launch_count = record->launch_count;
	row.flops = record->flops;
	row.bytes = record->bytes;
	row.enqueue_seconds = record->enqueue_seconds;
	row.ungated_seconds = record->ungated_seconds;
	row.event_overhead_seconds = record->event_overhead_seconds;
	row.verify_seconds = record->verify_seconds;
	row.wall_seconds = record->wall_seconds;
	_Static_assert(sizeof row.figures.worst_index == sizeof judgement->worst_index, "copied whole");
	_Static_assert(sizeof row.figures.histogram == sizeof judgement->histogram, "copied whole");
	_Static_assert((int)CHECK_NAMES_COUNT <= (int)RECORD_CHECKS_STORED, "every check has a place in the file");
	snprintf(row.name, sizeof row.name, "%s", record->name);
	snprintf(row.family, sizeof row.family, "%s", record->family);
	snprintf(row.entry_point, sizeof row.entry_point, "%.63s", record->entry_point);
	snprintf(row.image, sizeof row.image, "%s", record->image);
	snprintf(row.dtype, sizeof row.dtype, "%s", record->dtype == DTYPE_INVALID ? "" : dtype_name(record->dtype));
	snprintf(row.status, sizeof row.status, "%s", status_name(judgement->status));
	memcpy(row.figures.worst_index, judgement->worst_index, sizeof row.figures.worst_index);
	memcpy(row.figures.histogram, judgement->histogram, sizeof row.figures.histogram);
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		row.check_states[check] = (uint8_t)judgement->checks[check].state;
	for (int i = 0; i < record->output_count && i < RECORD_OUTPUTS_MAX; i++) {
		snprintf(row.output_names[i], sizeof row.output_names[i], "%s", record->output_names[i]);
		digest_hex(record->digests[i], row.digests[i]);
	}
	const size_t clocks = record->clocks && record->clock_count > 0 ? (size_t)record->clock_count : 0;
	const uint64_t row_number = writer->rows[RECORD_ROWS] + writer->waiting[RECORD_ROWS].length / sizeof row;
	struct record_operator_row operator_row;
	memset(&operator_row, 0, sizeof operator_row);
	operator_row.case_row = row_number;
	operator_row.order = record->order;
	operator_row.precise_margin = judgement->precise_margin;
	operator_row.dataset = record->dataset;
	operator_row.fast_math = record->fast_math != 0;
	snprintf(operator_row.unit, sizeof operator_row.unit, "%s", record->unit == WORK_BYTES ? "bytes" : "flops");
	snprintf(operator_row.module, sizeof operator_row.module, "%s", record->module);
	const int is_operator = record->module[0] || record->dataset || record->order || record->unit;
	const struct record_counts_row counts = {.case_row = row_number, .counts = record->counts};
	return append_texts(writer, record, &row.texts) ||
	       append_launches(writer, record, &row.launches) ||
	       append(writer, RECORD_CLOCKS, record->clocks, clocks, &row.clocks) ||
	       append_timing(writer, &record->hot, &row.hot) || append_timing(writer, &record->cold, &row.cold) ||
	       append_measured(writer, record, row_number) ||
	       append(writer, RECORD_COUNTS, &counts, record->counts.launches > 0, &(struct record_span){0}) ||
	       append(writer, RECORD_OPERATORS, &operator_row, is_operator, &(struct record_span){0}) ||
	       (!writer->leaves_copies && record_outputs_write(writer->cases, row_number, record)) ||
	       append(writer, RECORD_ROWS, &row, 1, &(struct record_span){0}) ? -1 : 0;
}

/* ---- the file ---- */

static void close_ids(struct record_writer *writer)
{
	for (int table = 0; table < RECORD_TABLES; table++) {
		hdf5_close(writer->tables[table]);
		hdf5_close(writer->types[table]);
		writer->tables[table] = writer->types[table] = -1;
	}
	hdf5_close(writer->cases);
	writer->cases = -1;
}

/* What is still in memory goes to the disk here, and may find it full. */
static int close_file(struct record_writer *writer)
{
	close_ids(writer);
	const hid_t file = writer->file;
	writer->file = -1;
	return file >= 0 && H5Fclose(file) < 0 ? -1 : 0;
}

static void writer_free(struct record_writer *writer)
{
	for (int table = 0; table < RECORD_TABLES; table++)
		text_free(&writer->waiting[table]);
	free(writer->path);
	free(writer->partial);
	free(writer->earlier);
	free(writer);
}

/* What stays of a file that is not finished. A write that failed, on a full disk, need not have spoilt what was there before. */
static void leave_partial(const struct record_writer *writer)
{
	size_t finished = 0;
	if (writer->earlier && writer->failed)
		finished = record_finished_cases(writer->partial);
	if (writer->failed ? finished == 0 : writer->rows[RECORD_ROWS] == 0)
		unlink(writer->partial);
	if (writer->earlier && (!path_exists(writer->partial) || (writer->failed && record_finished_cases(writer->earlier) >= finished)))
		rename(writer->earlier, writer->partial);
}

void record_writer_discard(struct record_writer *writer)
{
	if (!writer)
		return;
	const int opened = writer->file >= 0;
	if (!writer->failed && opened && write_all_waiting(writer))
		writer->failed = 1;
	if (close_file(writer))
		writer->failed = 1;
	if (opened)
		leave_partial(writer);
	writer_free(writer);
}

int record_writer_open(struct record_writer **out, const char *path, const struct run_record *run, struct error *err)
{
	hid_t access = -1;
	int failed;
	*out = NULL;
	hdf5_quiet();
	if (path_can_be_replaced(path, err))
		return -1;
	struct record_writer *writer = calloc(1, sizeof *writer);
	if (!writer)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	writer->file = writer->cases = -1;
	for (int table = 0; table < RECORD_TABLES; table++)
		writer->tables[table] = writer->types[table] = -1;
	writer->path = strdup(path);
	writer->partial = record_partial_name(path);
	if (!writer->path || !writer->partial) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto fail;
	}
	if (record_partial_remove(writer->partial, err))
		goto fail;
	const struct hdf5_place place = place_of(writer);
	access = H5Pcreate(H5P_FILE_ACCESS);
	/* the format of 1.8: headers have checksums, so that damage is found, which older ones lack; and a file that was never
	 * closed can be opened, which 1.10's refuses */
	if (access < 0 || H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0 ||
	    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0) {
		place_hdf5_error(&place, err, "cannot be written");
		goto fail;
	}
	writer->file = H5Fcreate(writer->partial, H5F_ACC_EXCL, H5P_DEFAULT, access); /* of two at once one gets it */
	if (writer->file < 0) {
		place_hdf5_error(&place, err, "cannot be written");
		goto fail;
	}
	struct text checks = {0};
	record_check_names(&checks);
	failed = checks.failed || write_int(writer->file, "schema", RECORD_SCHEMA) ||
		 write_text(writer->file, "generator", "assay") || record_write_run(writer->file, run, 0) ||
		 record_write_artifacts(writer->file, run);
	if (!failed)
		writer->cases = H5Gcreate2(writer->file, "cases", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	failed = failed || writer->cases < 0;
	for (int table = 0; !failed && table < RECORD_TABLES; table++)
		failed = create_table(writer, (enum record_table)table);
	failed = failed || write_text(writer->tables[RECORD_ROWS], "checks", checks.data) ||
		 H5Fflush(writer->file, H5F_SCOPE_LOCAL) < 0;
	text_free(&checks);
	if (failed) {
		place_hdf5_error(&place, err, "cannot be written");
		goto fail;
	}
	H5Pclose(access);
	writer->devices = run->device_count;
	*out = writer;
	return 0;
fail:
	hdf5_close(access);
	record_writer_discard(writer);
	return -1;
}

int record_writer_keep_earlier(struct record_writer *writer, const struct run_record *run, struct error *err)
{
	writer->run = run;
	writer->earlier = record_earlier_name(writer->path);
	return writer->earlier ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

void record_writer_copy_soon(struct record_writer *writer)
{
	writer->next_copy = 0;
}

/* Everything of the run but its cases once more; nothing waits, and it is flushed. */
static int rewrite_run(struct record_writer *writer, const struct run_record *run)
{
	if (H5Ldelete(writer->file, "run", H5P_DEFAULT) < 0 || H5Ldelete(writer->file, "artifacts", H5P_DEFAULT) < 0 ||
	    record_write_run(writer->file, run, 0) || record_write_artifacts(writer->file, run) ||
	    H5Fflush(writer->file, H5F_SCOPE_LOCAL) < 0)
		return -1;
	writer->devices = run->device_count;
	return 0;
}

/* A copy that fails is no reason to end a run. */
static void copy_now(struct record_writer *writer)
{
	const double start = monotonic_seconds();
	writer->has_copy |= record_earlier_copy(writer->partial, writer->earlier) == 0;
	const double end = monotonic_seconds(), pause = COPY_SHARE * (end - start);
	writer->next_copy = end + (pause > COPY_SECONDS ? pause : COPY_SECONDS);
}

int record_writer_note_devices(struct record_writer *writer, const struct run_record *run, struct error *err)
{
	const struct hdf5_place place = place_of(writer);
	if (writer->failed || writer->devices >= run->device_count)
		return 0;
	if (record_write_devices(writer->file, run, writer->devices)) {
		writer->failed = 1;
		return place_hdf5_error(&place, err, "cannot be written");
	}
	writer->devices = run->device_count;
	return 0;
}

int record_writer_add_unflushed(struct record_writer *writer, const struct case_record *record, struct error *err)
{
	const struct hdf5_place place = place_of(writer);
	if (writer->failed)
		return error_set(err, ERROR_INPUT, "%s: cannot be written since an earlier write failed", writer->path);
	if (append_case(writer, record)) {
		writer->failed = 1;
		return place_hdf5_error(&place, err, "cannot be written");
	}
	return 0;
}

int record_writer_flush(struct record_writer *writer, struct error *err)
{
	const struct hdf5_place place = place_of(writer);
	if (!writer->waiting[RECORD_ROWS].length || writer->failed)
		return 0;
	if (write_all_waiting(writer)) {
		writer->failed = 1;
		return place_hdf5_error(&place, err, "cannot be written");
	}
	if (writer->earlier && monotonic_seconds() >= writer->next_copy) {
		/* a kill in the midst of that costs what was finished since the copy before */
		if (writer->has_copy && rewrite_run(writer, writer->run)) {
			writer->failed = 1;
			return place_hdf5_error(&place, err, "cannot be written");
		}
		copy_now(writer);
	}
	return 0;
}

int record_writer_add(struct record_writer *writer, const struct case_record *record, struct error *err)
{
	return record_writer_add_unflushed(writer, record, err) || record_writer_flush(writer, err) ? -1 : 0;
}

int record_writer_commit(struct record_writer *writer, const struct run_record *run, struct error *err)
{
	const struct hdf5_place place = place_of(writer);
	if (writer->failed) {
		error_set(err, ERROR_INPUT, "%s: cannot be written since an earlier write failed", writer->path);
		goto fail;
	}
	if (write_all_waiting(writer)) {
		place_hdf5_error(&place, err, "cannot be written");
		goto fail;
	}
	if (writer->earlier)
		copy_now(writer); /* what follows changes the file all over */
	if (rewrite_run(writer, run) || (run->complete && record_write_complete(writer->file))) {
		place_hdf5_error(&place, err, "cannot be written");
		goto fail;
	}
	if (close_file(writer)) {
		place_hdf5_error(&place, err, "cannot be written");
		unlink(writer->partial);
		if (writer->earlier)
			rename(writer->earlier, writer->partial);
		goto fail;
	}
	if (writer->earlier) {
		const int published = record_publish(writer->partial, writer->path, writer->earlier, err);
		writer_free(writer);
		return published;
	}
	char *partial = writer->partial;
	writer->partial = NULL;
	const int result = temporary_commit(partial, writer->path, err);
	writer_free(writer);
	return result;
fail:
	writer->failed = 1;
	record_writer_discard(writer);
	return -1;
}

static int write_whole(const char *path, const struct run_record *run, int leaves_copies, struct error *err)
{
	struct record_writer *writer;
	if (record_writer_open(&writer, path, run, err))
		return -1;
	writer->leaves_copies = leaves_copies;
	for (size_t i = 0; i < run->case_count; i++)
		if (record_writer_add_unflushed(writer, &run->cases[i], err)) {
			record_writer_discard(writer);
			return -1;
		}
	return record_writer_commit(writer, run, err);
}

int record_write(const char *path, const struct run_record *run, struct error *err)
{
	return write_whole(path, run, 0, err);
}

int record_write_without_copies(const char *path, const struct run_record *run, struct error *err)
{
	return write_whole(path, run, 1, err);
}
