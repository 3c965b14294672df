/* Writing a result file; the layout is described in record.h. */
#include "record_layout.h"

#include "dataset/hdf5_access.h"
#include "dataset/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct record_writer {
	char *path, *partial;
	hid_t file, cases;
	hid_t tables[RECORD_TABLES], types[RECORD_TABLES];
	hsize_t rows[RECORD_TABLES];          /* in the file */
	struct text waiting[RECORD_TABLES];   /* rows that are not there yet */
	int failed; /* a write went wrong: what is in the file cannot be relied on */
};

static struct hdf5_place place_of(const struct record_writer *writer)
{
	return (struct hdf5_place){.file = writer->path, .where = ""};
}

/* ---- conditions ---- */

/* A text of any length as a dataset of one string; none when it is empty or NULL. */
static int write_long_text(hid_t group, const char *name, const char *text)
{
	const size_t length = text ? strlen(text) : 0;
	if (length == 0)
		return 0;
	const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
	hid_t dataset = -1;
	int result = -1;
	if (type >= 0 && space >= 0 && H5Tset_size(type, length) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 &&
	    H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
		dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	if (dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0)
		result = 0;
	hdf5_close(dataset);
	hdf5_close(space);
	hdf5_close(type);
	return result;
}

static int write_bytes(hid_t group, const char *name, const uint8_t *bytes, size_t count)
{
	const hsize_t length = count;
	if (count == 0)
		return 0;
	const hid_t space = H5Screate_simple(1, &length, NULL);
	const hid_t dataset = space < 0 ? -1
					: H5Dcreate2(group, name, H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	const int result = dataset >= 0 && H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0 ? 0 : -1;
	hdf5_close(dataset);
	hdf5_close(space);
	return result;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int write_device(hid_t run, const struct device_properties *device)
{
	const hid_t group = H5Gcreate2(run, "device", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	if (group < 0)
		return -1;
	const int failed = write_text(group, "kind", device->kind == DEVICE_CUDA ? "cuda" : "cpu") ||
			   write_text(group, "id", device->id) || write_text(group, "name", device->name) ||
			   write_text(group, "uuid", device->uuid) || write_int(group, "cc_major", device->cc_major) ||
			   write_int(group, "cc_minor", device->cc_minor) ||
			   write_int(group, "multiprocessors", device->multiprocessors) ||
			   write_unsigned(group, "l2_bytes", device->l2_bytes) ||
			   write_unsigned(group, "memory_bytes", device->memory_bytes) ||
			   write_unsigned(group, "shared_per_block_optin", device->shared_per_block_optin) ||
			   write_int(group, "driver_version", device->driver_version) ||
			   write_text(group, "driver_text", device->driver_text) ||
			   write_text(group, "gemm_library", device->gemm_library) || write_int(group, "slow_f64", device->slow_f64);
	hdf5_close(group);
	return failed ? -1 : 0;
}

static hid_t numbered_group(hid_t parent, size_t index)
{
	char name[24];
	snprintf(name, sizeof name, "%zu", index);
	return H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

static int write_datasets(hid_t parent, const struct run_record *run)
{
	const hid_t list = H5Gcreate2(parent, "datasets", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	int failed = list < 0;
	for (size_t i = 0; !failed && i < run->dataset_count; i++) {
		const hid_t group = numbered_group(list, i);
		failed = group < 0 || write_text(group, "path", or_empty(run->datasets[i].path)) ||
			 write_text(group, "sha256", run->datasets[i].sha256);
		hdf5_close(group);
	}
	hdf5_close(list);
	return failed ? -1 : 0;
}

static int write_inventories(hid_t parent, const struct run_record *run)
{
	const hid_t list = H5Gcreate2(parent, "inventories", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	int failed = list < 0;
	for (size_t i = 0; !failed && i < run->inventory_count; i++) {
		const struct inventory_record *inventory = &run->inventories[i];
		const hid_t group = numbered_group(list, i);
		failed = group < 0 || write_text(group, "folder", or_empty(inventory->folder)) ||
			 write_text(group, "profile", or_empty(inventory->profile)) ||
			 write_text(group, "evidence", or_empty(inventory->evidence)) ||
			 write_text(group, "claim", or_empty(inventory->claim)) ||
			 write_text(group, "modules", or_empty(inventory->modules)) ||
			 write_int(group, "architecture", inventory->architecture) ||
			 write_int(group, "expected", inventory->expected) || write_int(group, "present", inventory->present) ||
			 write_int(group, "missing_count", inventory->missing_count) ||
			 write_int(group, "unknown_count", inventory->unknown_count) ||
			 write_int(group, "without_case", inventory->without_case) ||
			 write_int(group, "cases_without_entry", inventory->cases_without_entry) ||
			 write_long_text(group, "missing", inventory->missing) || write_long_text(group, "unknown", inventory->unknown);
		hdf5_close(group);
	}
	hdf5_close(list);
	return failed ? -1 : 0;
}

static int write_run(hid_t file, const struct run_record *run, int complete)
{
	const struct run_device *device = run_record_device(run, NULL);
	const hid_t group = H5Gcreate2(file, "run", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	if (group < 0)
		return -1;
	const int failed = write_text(group, "version", or_empty(run->version)) || write_text(group, "date", or_empty(run->date)) ||
			   write_text(group, "host", or_empty(run->host)) || write_text(group, "dataset", or_empty(run->dataset)) ||
			   write_text(group, "dataset_sha256", run->dataset_sha256) || write_unsigned(group, "seed", run->seed) ||
			   write_int(group, "complete", complete) || write_real(group, "wall_seconds", run->wall_seconds) ||
			   write_real(group, "matrix_product_flops", device->matrix_product_flops) ||
			   write_real(group, "matrix_product_flops_bf16", device->matrix_product_flops_bf16) ||
			   write_real(group, "copy_bytes_per_second", device->copy_bytes_per_second) ||
			   write_text(group, "math", or_empty(run->math)) || write_datasets(group, run) || write_inventories(group, run) ||
			   write_long_text(group, "command", run->command) ||
			   write_long_text(group, "repeat_options", run->repeat_options) ||
			   write_long_text(group, "notes", run->notes) || write_device(group, &device->properties);
	hdf5_close(group);
	return failed ? -1 : 0;
}

static int write_artifact(hid_t parent, size_t index, const struct artifact_record *artifact)
{
	char name[24];
	struct text kernels = {0};
	snprintf(name, sizeof name, "%zu", index);
	for (size_t i = 0; i < artifact->kernel_count; i++)
		text_append(&kernels, "%s%s", i ? "\n" : "", artifact->kernels[i]);
	const hid_t group = kernels.failed ? -1 : H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	const int failed = group < 0 || write_text(group, "path", or_empty(artifact->path)) ||
			   write_text(group, "sha256", artifact->sha256) || write_unsigned(group, "size", artifact->size) ||
			   write_text(group, "kind", or_empty(artifact->kind)) ||
			   write_text(group, "toolkit", or_empty(artifact->toolkit)) || write_text(group, "abi", or_empty(artifact->abi)) ||
			   write_text(group, "cudart", or_empty(artifact->cudart)) ||
			   write_real(group, "link_seconds", artifact->link_seconds) ||
			   write_real(group, "load_seconds", artifact->load_seconds) ||
			   write_real(group, "load_longest_seconds", artifact->load_longest_seconds) ||
			   write_real(group, "load_wall_seconds", artifact->load_wall_seconds) ||
			   write_int(group, "load_parts", artifact->load_parts) ||
			   write_int(group, "entry_points", artifact->entry_points) ||
			   write_int(group, "fast_kernels", artifact->fast_kernels) ||
			   write_long_text(group, "refused", artifact->refused) ||
			   write_long_text(group, "provenance", artifact->provenance) ||
			   write_long_text(group, "stubbed", artifact->stubbed) || write_long_text(group, "kernels", kernels.data) ||
			   write_bytes(group, "kernel_launched", artifact->kernel_launched, artifact->kernel_count);
	hdf5_close(group);
	text_free(&kernels);
	return failed ? -1 : 0;
}

static int write_artifacts(hid_t file, const struct run_record *run)
{
	const hid_t group = H5Gcreate2(file, "artifacts", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	int failed = group < 0;
	for (size_t i = 0; !failed && i < run->artifact_count; i++)
		failed = write_artifact(group, i, &run->artifacts[i]);
	hdf5_close(group);
	return failed ? -1 : 0;
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

/* The rows come last: what they speak of is there by then. */
static int write_all_waiting(struct record_writer *writer)
{
	for (int table = 0; table < RECORD_TABLES; table++)
		if (table != RECORD_ROWS && write_waiting(writer, (enum record_table)table))
			return -1;
	return write_waiting(writer, RECORD_ROWS);
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
	struct record_text_row rows[CHECK_NAMES_COUNT + 3];
	size_t count = 0;
	add_text(rows, &count, "reason", judgement->reason);
	add_text(rows, &count, "mistrust", judgement->mistrust);
	add_text(rows, &count, "note", record->note);
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
	return append(writer, RECORD_LAUNCHES, rows, count, span);
}

static int append_case(struct record_writer *writer, const struct case_record *record)
{
	const struct judgement *judgement = &record->judgement;
	const struct baseline_record *unfused = case_record_baseline(record, RECORD_UNFUSED);
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
	       append_timing(writer, unfused ? &unfused->hot : &(struct timing_record){0}, &row.baseline) ||
	       append(writer, RECORD_COUNTS, &counts, record->counts.launches > 0, &(struct record_span){0}) ||
	       append(writer, RECORD_OPERATORS, &operator_row, is_operator, &(struct record_span){0}) ||
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
	free(writer);
}

void record_writer_discard(struct record_writer *writer)
{
	if (!writer)
		return;
	if (!writer->failed && writer->file >= 0 && write_all_waiting(writer))
		writer->failed = 1;
	const int worth_keeping = writer->rows[RECORD_ROWS] > 0 && !writer->failed;
	const int opened = writer->file >= 0;
	if ((close_file(writer) || !worth_keeping) && opened)
		unlink(writer->partial);
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
	if (!writer->path || asprintf(&writer->partial, "%s.partial", path) < 0) {
		writer->partial = NULL;
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto fail;
	}
	const struct hdf5_place place = place_of(writer);
	access = H5Pcreate(H5P_FILE_ACCESS);
	/* the format of 1.8: headers have checksums, so that damage is found, which older ones lack; and a file that was never
	 * closed can be opened, which 1.10's refuses */
	if (access < 0 || H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0 ||
	    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0) {
		place_hdf5_error(&place, err, "cannot be written");
		goto fail;
	}
	writer->file = H5Fcreate(writer->partial, H5F_ACC_TRUNC, H5P_DEFAULT, access);
	if (writer->file < 0) {
		place_hdf5_error(&place, err, "cannot be written");
		goto fail;
	}
	struct text checks = {0};
	record_check_names(&checks);
	failed = checks.failed || write_int(writer->file, "schema", RECORD_SCHEMA) ||
		 write_text(writer->file, "generator", "assay") || write_run(writer->file, run, 0) ||
		 write_artifacts(writer->file, run);
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
	*out = writer;
	return 0;
fail:
	hdf5_close(access);
	record_writer_discard(writer);
	return -1;
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
	if (write_all_waiting(writer) || H5Fflush(writer->file, H5F_SCOPE_LOCAL) < 0) {
		writer->failed = 1;
		return place_hdf5_error(&place, err, "cannot be written");
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
	if (write_all_waiting(writer) || H5Ldelete(writer->file, "run", H5P_DEFAULT) < 0 || H5Ldelete(writer->file, "artifacts", H5P_DEFAULT) < 0 ||
	    write_run(writer->file, run, 1) || write_artifacts(writer->file, run)) {
		place_hdf5_error(&place, err, "cannot be written");
		goto fail;
	}
	if (close_file(writer)) {
		place_hdf5_error(&place, err, "cannot be written");
		unlink(writer->partial);
		goto fail;
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
