/* Reading a result file, which may be anyone's; the layout is described in record.h. */
#include "record_layout.h"

#include "dataset/hdf5_access.h"
#include "dataset/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLE_BYTES_MAX = 1 << 30, ARTIFACTS_MAX = 100000, CHECKS_TEXT_MAX = 2048, PATH_TEXT_MAX = 8192 };

struct reader {
	struct hdf5_place place;
	char *partial; /* the name that was opened instead, or NULL */
	hid_t file, cases;
	void *rows[RECORD_TABLES];
	size_t counts[RECORD_TABLES], taken[RECORD_TABLES];
	enum check checks[RECORD_CHECKS_STORED]; /* of the file's numbers; CHECK_NAMES_COUNT: unknown here */
};

/* Text out of a table: ends within its field, and cannot command a terminal. */
static void clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
}

/* ---- conditions ---- */

/* What must be there and is not. */
static int required(int result, const char *name, const struct hdf5_place *place, struct error *err)
{
	return result == READ_ABSENT ? place_error(place, err, "attribute '%s' is missing", name) : result;
}

static int get_int(hid_t object, const char *name, int *value, const struct hdf5_place *place, struct error *err)
{
	int64_t wide = 0;
	if (required(read_int(object, name, &wide, place, err), name, place, err))
		return -1;
	if (wide < INT32_MIN || wide > INT32_MAX)
		return place_error(place, err, "attribute '%s' is %lld", name, (long long)wide);
	*value = (int)wide;
	return 0;
}

static int get_size(hid_t object, const char *name, size_t *value, const struct hdf5_place *place, struct error *err)
{
	uint64_t wide = 0;
	const int result = required(read_unsigned(object, name, &wide, place, err), name, place, err);
	*value = (size_t)wide;
	return result;
}

static int get_real(hid_t object, const char *name, double *value, const struct hdf5_place *place, struct error *err)
{
	return required(read_real(object, name, value, place, err), name, place, err);
}

static int get_text(hid_t object, const char *name, char *text, size_t size, const struct hdf5_place *place,
		    struct error *err)
{
	return required(read_text(object, name, text, size, place, err), name, place, err);
}

static int get_owned(hid_t object, const char *name, char **text, const struct hdf5_place *place, struct error *err)
{
	char buffer[PATH_TEXT_MAX];
	if (get_text(object, name, buffer, sizeof buffer, place, err))
		return -1;
	*text = strdup(buffer);
	return *text ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* A dataset of one string, "" when there is none. Newlines stay, other control characters do not. */
static int get_long_text(hid_t group, const char *name, char **text, const struct hdf5_place *place, struct error *err)
{
	hid_t dataset = -1, type = -1;
	hsize_t dims[H5S_MAX_RANK];
	size_t elements, length = 0;
	int rank, result = -1;
	*text = NULL;
	if (has_member(group, name)) {
		dataset = open_member(group, name, H5O_TYPE_DATASET, place, err);
		type = dataset < 0 ? -1 : H5Dget_type(dataset);
		if (type < 0)
			goto done;
		length = H5Tget_size(type);
		if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0) {
			place_error(place, err, "'%s' is not a text of fixed size", name);
			goto done;
		}
		if (check_dataset(dataset, length, &rank, dims, &elements, place, err))
			goto done;
		if (elements != 1) {
			place_error(place, err, "'%s' is %zu texts instead of one", name, elements);
			goto done;
		}
	}
	*text = calloc(length + 1, 1);
	if (!*text) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (dataset >= 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *text) < 0) {
		place_hdf5_error(place, err, "'%s' cannot be read", name);
		goto done;
	}
	for (char *at = *text; *at; at++)
		if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7f)
			*at = '?';
	result = 0;
done:
	hdf5_close(type);
	hdf5_close(dataset);
	return result;
}

static int read_device(hid_t run, struct device_properties *device, const struct hdf5_place *place, struct error *err)
{
	char kind[16];
	const hid_t group = open_member(run, "device", H5O_TYPE_GROUP, place, err);
	if (group < 0)
		return -1;
	int result = get_text(group, "kind", kind, sizeof kind, place, err) ||
		     get_text(group, "id", device->id, sizeof device->id, place, err) ||
		     get_text(group, "name", device->name, sizeof device->name, place, err) ||
		     get_text(group, "uuid", device->uuid, sizeof device->uuid, place, err) ||
		     get_int(group, "cc_major", &device->cc_major, place, err) ||
		     get_int(group, "cc_minor", &device->cc_minor, place, err) ||
		     get_int(group, "multiprocessors", &device->multiprocessors, place, err) ||
		     get_size(group, "l2_bytes", &device->l2_bytes, place, err) ||
		     get_size(group, "memory_bytes", &device->memory_bytes, place, err) ||
		     get_size(group, "shared_per_block_optin", &device->shared_per_block_optin, place, err) ||
		     get_int(group, "driver_version", &device->driver_version, place, err) ||
		     get_text(group, "driver_text", device->driver_text, sizeof device->driver_text, place, err) ||
		     get_text(group, "gemm_library", device->gemm_library, sizeof device->gemm_library, place, err) ||
		     get_int(group, "slow_f64", &device->slow_f64, place, err) ? -1 : 0;
	if (result == 0) {
		device->kind = strcmp(kind, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU;
		if (device->kind == DEVICE_CPU && strcmp(kind, "cpu") != 0)
			result = place_error(place, err, "'%s' is no kind of device", kind);
	}
	hdf5_close(group);
	return result;
}

/* What files of 0.1.0 lack stays as it is. */
static int optional(int result)
{
	return result == READ_ABSENT ? 0 : result;
}

static int optional_owned(hid_t object, const char *name, char **text, const struct hdf5_place *place, struct error *err)
{
	char buffer[PATH_TEXT_MAX] = "";
	if (optional(read_text(object, name, buffer, sizeof buffer, place, err)))
		return -1;
	*text = strdup(buffer);
	return *text ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* Opens the numbered groups of a list and reads each with `read_one`, for which there is room in the caller's array. */
static int read_list(hid_t parent, const char *name, size_t size, void **items, size_t *count,
		     int (*read_one)(hid_t group, void *item, const struct hdf5_place *place, struct error *err),
		     const struct hdf5_place *place, struct error *err)
{
	H5G_info_t info;
	int result = -1;
	if (!has_member(parent, name))
		return 0;
	const hid_t list = open_member(parent, name, H5O_TYPE_GROUP, place, err);
	if (list < 0)
		return -1;
	if (H5Gget_info(list, &info) < 0 || info.nlinks > ARTIFACTS_MAX) {
		place_error(place, err, "its list of %s cannot be read", name);
		goto done;
	}
	*items = calloc(info.nlinks ? (size_t)info.nlinks : 1, size);
	if (!*items) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	for (size_t i = 0; i < (size_t)info.nlinks; i++) {
		char number[24];
		snprintf(number, sizeof number, "%zu", i);
		const hid_t group = open_member(list, number, H5O_TYPE_GROUP, place, err);
		if (group < 0)
			goto done;
		(*count)++;
		const int failed = read_one(group, (char *)*items + i * size, place, err);
		hdf5_close(group);
		if (failed)
			goto done;
	}
	result = 0;
done:
	hdf5_close(list);
	return result;
}

static int read_dataset_record(hid_t group, void *item, const struct hdf5_place *place, struct error *err)
{
	struct dataset_record *dataset = item;
	return get_owned(group, "path", &dataset->path, place, err) ||
	       get_text(group, "sha256", dataset->sha256, sizeof dataset->sha256, place, err) ? -1 : 0;
}

static int get_count(hid_t group, const char *name, int64_t *value, const struct hdf5_place *place, struct error *err)
{
	return required(read_int(group, name, value, place, err), name, place, err);
}

static int read_inventory(hid_t group, void *item, const struct hdf5_place *place, struct error *err)
{
	struct inventory_record *inventory = item;
	return get_owned(group, "folder", &inventory->folder, place, err) ||
	       get_owned(group, "profile", &inventory->profile, place, err) ||
	       get_owned(group, "evidence", &inventory->evidence, place, err) ||
	       get_owned(group, "claim", &inventory->claim, place, err) ||
	       get_owned(group, "modules", &inventory->modules, place, err) ||
	       get_count(group, "architecture", &inventory->architecture, place, err) ||
	       get_count(group, "expected", &inventory->expected, place, err) ||
	       get_count(group, "present", &inventory->present, place, err) ||
	       get_count(group, "missing_count", &inventory->missing_count, place, err) ||
	       get_count(group, "unknown_count", &inventory->unknown_count, place, err) ||
	       get_count(group, "without_case", &inventory->without_case, place, err) ||
	       get_count(group, "cases_without_entry", &inventory->cases_without_entry, place, err) ||
	       get_long_text(group, "missing", &inventory->missing, place, err) ||
	       get_long_text(group, "unknown", &inventory->unknown, place, err) ? -1 : 0;
}

static int read_lists(hid_t group, struct run_record *run, const struct hdf5_place *place, struct error *err)
{
	void *datasets = NULL, *inventories = NULL;
	int result = read_list(group, "datasets", sizeof *run->datasets, &datasets, &run->dataset_count, read_dataset_record, place, err);
	run->datasets = datasets;
	if (result == 0)
		result = read_list(group, "inventories", sizeof *run->inventories, &inventories, &run->inventory_count, read_inventory, place, err);
	run->inventories = inventories;
	return result;
}

static int read_run(struct reader *reader, struct run_record *run, struct error *err)
{
	const struct hdf5_place *place = &reader->place;
	const hid_t group = open_member(reader->file, "run", H5O_TYPE_GROUP, place, err);
	if (group < 0)
		return -1;
	struct run_device device = {0};
	int result = get_owned(group, "version", &run->version, place, err) ||
			   get_owned(group, "date", &run->date, place, err) || get_owned(group, "host", &run->host, place, err) ||
			   get_owned(group, "dataset", &run->dataset, place, err) ||
			   get_text(group, "dataset_sha256", run->dataset_sha256, sizeof run->dataset_sha256, place, err) ||
			   required(read_unsigned(group, "seed", &run->seed, place, err), "seed", place, err) ||
			   get_int(group, "complete", &run->complete, place, err) ||
			   get_real(group, "wall_seconds", &run->wall_seconds, place, err) ||
			   get_real(group, "matrix_product_flops", &device.matrix_product_flops, place, err) ||
			   get_real(group, "matrix_product_flops_bf16", &device.matrix_product_flops_bf16, place, err) ||
			   optional(read_real(group, "copy_bytes_per_second", &device.copy_bytes_per_second, place, err)) ||
			   optional_owned(group, "math", &run->math, place, err) || read_lists(group, run, place, err) ||
			   get_long_text(group, "command", &run->command, place, err) ||
			   get_long_text(group, "repeat_options", &run->repeat_options, place, err) ||
			   get_long_text(group, "notes", &run->notes, place, err) || read_device(group, &device.properties, place, err) ? -1 : 0;
	if (result == 0 && device.properties.id[0]) {
		const int index = run_record_add_device(run, &device.properties, "", err);
		result = index < 0 ? -1 : 0;
		if (result == 0)
			run->devices[index] = device;
	}
	hdf5_close(group);
	return result;
}

/* Splits the lines of `text` into kernel names; nothing is launched yet. */
static int split_kernels(struct artifact_record *artifact, const char *text, struct error *err)
{
	size_t lines = text[0] != '\0';
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	if (lines == 0)
		return 0;
	artifact->kernels = calloc(lines, sizeof *artifact->kernels);
	artifact->kernel_launched = calloc(lines, 1);
	if (!artifact->kernels || !artifact->kernel_launched)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for the names of kernels");
	for (size_t i = 0; i < lines; i++) {
		const size_t length = strcspn(text, "\n");
		artifact->kernels[i] = copy_text(text, length);
		if (!artifact->kernels[i])
			return error_set(err, ERROR_ENVIRONMENT, "out of memory for the names of kernels");
		artifact->kernel_count++;
		text += length + (text[length] == '\n');
	}
	return 0;
}

static int read_launched(hid_t group, struct artifact_record *artifact, const struct hdf5_place *place, struct error *err)
{
	hsize_t dims[H5S_MAX_RANK];
	size_t elements;
	int rank, result = -1;
	if (artifact->kernel_count == 0)
		return 0;
	const hid_t dataset = open_member(group, "kernel_launched", H5O_TYPE_DATASET, place, err);
	const hid_t type = dataset < 0 ? -1 : H5Dget_type(dataset);
	if (type < 0)
		goto done;
	if (H5Tequal(type, H5T_STD_U8LE) <= 0) {
		place_error(place, err, "'kernel_launched' is not of bytes");
		goto done;
	}
	if (check_dataset(dataset, 1, &rank, dims, &elements, place, err))
		goto done;
	if (elements != artifact->kernel_count) {
		place_error(place, err, "%zu kernels have names and %zu were looked for", artifact->kernel_count, elements);
		goto done;
	}
	if (H5Dread(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, artifact->kernel_launched) < 0) {
		place_hdf5_error(place, err, "'kernel_launched' cannot be read");
		goto done;
	}
	result = 0;
done:
	hdf5_close(type);
	hdf5_close(dataset);
	return result;
}

static int read_artifact(hid_t parent, size_t index, struct artifact_record *artifact, const struct hdf5_place *file,
			 struct error *err)
{
	char name[24], where[48], *kernels = NULL;
	snprintf(name, sizeof name, "%zu", index);
	snprintf(where, sizeof where, "artifact %zu", index);
	const struct hdf5_place here = {.file = file->file, .where = where, .file_size = file->file_size}, *place = &here;
	const hid_t group = open_member(parent, name, H5O_TYPE_GROUP, place, err);
	if (group < 0)
		return -1;
	const int result = get_owned(group, "path", &artifact->path, place, err) ||
			   get_text(group, "sha256", artifact->sha256, sizeof artifact->sha256, place, err) ||
			   required(read_unsigned(group, "size", &artifact->size, place, err), "size", place, err) ||
			   get_owned(group, "kind", &artifact->kind, place, err) ||
			   get_owned(group, "toolkit", &artifact->toolkit, place, err) ||
			   get_owned(group, "abi", &artifact->abi, place, err) || get_owned(group, "cudart", &artifact->cudart, place, err) ||
			   get_real(group, "link_seconds", &artifact->link_seconds, place, err) ||
			   get_real(group, "load_seconds", &artifact->load_seconds, place, err) ||
			   optional(read_real(group, "load_longest_seconds", &artifact->load_longest_seconds, place, err)) ||
			   optional(read_real(group, "load_wall_seconds", &artifact->load_wall_seconds, place, err)) ||
			   optional(read_int(group, "load_parts", &artifact->load_parts, place, err)) ||
			   optional(read_int(group, "entry_points", &artifact->entry_points, place, err)) ||
			   optional(read_int(group, "fast_kernels", &artifact->fast_kernels, place, err)) ||
			   get_long_text(group, "refused", &artifact->refused, place, err) ||
			   get_long_text(group, "provenance", &artifact->provenance, place, err) ||
			   get_long_text(group, "stubbed", &artifact->stubbed, place, err) ||
			   get_long_text(group, "kernels", &kernels, place, err) || split_kernels(artifact, kernels, err) ||
			   read_launched(group, artifact, place, err) ? -1 : 0;
	free(kernels);
	hdf5_close(group);
	return result;
}

static int read_artifacts(struct reader *reader, struct run_record *run, struct error *err)
{
	H5G_info_t info;
	int result = -1;
	const hid_t group = open_member(reader->file, "artifacts", H5O_TYPE_GROUP, &reader->place, err);
	if (group < 0)
		return -1;
	if (H5Gget_info(group, &info) < 0 || info.nlinks > ARTIFACTS_MAX) {
		place_error(&reader->place, err, "its list of artifacts cannot be read");
		goto done;
	}
	run->artifacts = calloc(info.nlinks ? (size_t)info.nlinks : 1, sizeof *run->artifacts);
	if (!run->artifacts) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	for (size_t i = 0; i < (size_t)info.nlinks; i++) {
		run->artifact_count++;
		if (read_artifact(group, i, &run->artifacts[i], &reader->place, err))
			goto done;
	}
	result = 0;
done:
	hdf5_close(group);
	return result;
}

/* ---- tables ---- */

static int read_check_names(struct reader *reader, hid_t table, struct error *err)
{
	char names[CHECKS_TEXT_MAX];
	if (get_text(table, "checks", names, sizeof names, &reader->place, err))
		return -1;
	char *rest = names;
	for (int i = 0; i < RECORD_CHECKS_STORED; i++) {
		const char *name = strsep(&rest, ",");
		reader->checks[i] = name ? check_from_name(name) : CHECK_NAMES_COUNT;
	}
	return 0;
}

static int read_table(struct reader *reader, enum record_table table, struct error *err)
{
	char where[64];
	snprintf(where, sizeof where, "cases/%s", record_tables[table].name);
	const struct hdf5_place place = {.file = reader->place.file, .where = where, .file_size = reader->place.file_size};
	hid_t dataset = -1, stored = -1, ours = -1;
	hsize_t dims[H5S_MAX_RANK];
	size_t bytes;
	int rank, result = -1;
	if ((table == RECORD_COUNTS || table == RECORD_OPERATORS) && H5Lexists(reader->cases, record_tables[table].name, H5P_DEFAULT) == 0)
		return 0; /* files of 0.1.0 have none */
	dataset = open_member(reader->cases, record_tables[table].name, H5O_TYPE_DATASET, &place, err);
	if (dataset < 0)
		goto done;
	stored = H5Dget_type(dataset);
	ours = record_type(table);
	if (stored < 0 || ours < 0 || H5Tequal(stored, ours) <= 0) {
		place_error(&place, err, "its columns are not those of schema %d", RECORD_SCHEMA);
		goto done;
	}
	if (check_dataset(dataset, H5Tget_size(stored), &rank, dims, &reader->counts[table], &place, err))
		goto done;
	if (rank != 1 || size_mul(reader->counts[table], record_tables[table].row_size, &bytes) || bytes > TABLE_BYTES_MAX) {
		place_error(&place, err, "it is not one list, or longer than %d MiB", TABLE_BYTES_MAX >> 20);
		goto done;
	}
	reader->rows[table] = calloc(bytes ? bytes : 1, 1);
	if (!reader->rows[table]) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (reader->counts[table] && H5Dread(dataset, ours, H5S_ALL, H5S_ALL, H5P_DEFAULT, reader->rows[table]) < 0) {
		place_hdf5_error(&place, err, "it cannot be read");
		goto done;
	}
	result = table == RECORD_ROWS ? read_check_names(reader, dataset, err) : 0;
done:
	hdf5_close(ours);
	hdf5_close(stored);
	hdf5_close(dataset);
	return result;
}

/* ---- a case ---- */

/* The rows a span speaks of. Together the cases may not claim more rows than there are: a small file could otherwise ask
 * for endless copies. */
static int take(struct reader *reader, enum record_table table, const struct record_span *span, const void **rows)
{
	const size_t count = reader->counts[table];
	if (span->first > count || span->count > count - span->first || span->count > count - reader->taken[table])
		return -1;
	reader->taken[table] += (size_t)span->count;
	*rows = (const char *)reader->rows[table] + (size_t)span->first * record_tables[table].row_size;
	return 0;
}

/* A copy of the rows, NULL when there are none. */
static int take_copy(struct reader *reader, enum record_table table, const struct record_span *span, void **copy)
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

static int take_timing(struct reader *reader, const struct record_timing_row *row, struct timing_record *timing)
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

static int take_texts(struct reader *reader, const struct record_span *span, struct case_record *record)
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

static int take_launches(struct reader *reader, const struct record_row *row, struct case_record *record)
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
	/* where fewer were kept than counted, the rest is unknown */
	if (row->launches.count < RECORD_LAUNCHES_MAX && (uint64_t)row->launch_count > row->launches.count)
		return -1;
	return 0;
}

/* -1 without a message when the row contradicts itself or the other tables. */
static int take_case(struct reader *reader, struct record_row *row, size_t artifact_count, struct case_record *record)
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

static int take_operator(struct record_operator_row *row, const struct run_record *run, struct case_record *record)
{
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

static int take_cases(struct reader *reader, struct run_record *run, struct error *err)
{
	struct record_row *rows = reader->rows[RECORD_ROWS];
	const struct record_counts_row *counts = reader->rows[RECORD_COUNTS];
	struct record_operator_row *operators = reader->rows[RECORD_OPERATORS];
	size_t counted = 0, operated = 0;
	int result = -1;
	struct case_record *record = calloc(1, sizeof *record); /* some 10 KiB */
	if (!record)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < reader->counts[RECORD_ROWS]; i++) {
		*record = (struct case_record){0};
		if (take_case(reader, &rows[i], run->artifact_count, record)) {
			case_record_free(record);
			place_error(&reader->place, err, "row %zu of cases/table contradicts the rest of the file", i);
			goto done;
		}
		/* rows of the two tables are in the same order; a killed run may have left counts whose case is not there */
		if (counted < reader->counts[RECORD_COUNTS] && counts[counted].case_row == i)
			record->counts = counts[counted++].counts;
		if (operated < reader->counts[RECORD_OPERATORS] && operators[operated].case_row == i &&
		    take_operator(&operators[operated++], run, record)) {
			case_record_free(record);
			place_error(&reader->place, err, "a row of cases/operators contradicts the rest of the file");
			goto done;
		}
		if (run_record_add(run, record, err)) {
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

/* ---- the file ---- */

/* Whether a writer holds the file: HDF5 locks what it writes. */
static int is_locked(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const int locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	if (fd >= 0)
		close(fd);
	return locked;
}

/* PATH, or PATH.partial where that is all a killed run left. */
static int open_file(struct reader *reader, const char *path, struct error *err)
{
	struct stat status;
	reader->place = (struct hdf5_place){.file = path, .where = ""};
	if (!path_exists(path)) {
		if (asprintf(&reader->partial, "%s.partial", path) < 0) {
			reader->partial = NULL;
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		}
		if (path_exists(reader->partial))
			reader->place.file = reader->partial;
	}
	struct file_map map; /* says why a file cannot be opened better than HDF5 does */
	if (file_map_open(&map, reader->place.file, err))
		return -1;
	file_map_close(&map);
	if (stat(reader->place.file, &status))
		return place_error(&reader->place, err, "cannot be read");
	reader->place.file_size = status.st_size;
	const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	if (access >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0)
		reader->file = H5Fopen(reader->place.file, H5F_ACC_RDONLY, access);
	hdf5_close(access);
	if (reader->file < 0 && is_locked(reader->place.file))
		return place_error(&reader->place, err, "is being written by a run: read it when that has ended");
	if (reader->file < 0)
		return place_hdf5_error(&reader->place, err, "is not an HDF5 file that can be read");
	return 0;
}

static int read_head(struct reader *reader, struct run_record *run, struct error *err)
{
	char generator[32];
	const int found = read_text(reader->file, "generator", generator, sizeof generator, &reader->place, err);
	if (found < 0)
		return -1;
	if (found == READ_ABSENT || strcmp(generator, "assay") != 0)
		return place_error(&reader->place, err, "is not a result file of assay (give one that `assay run --out` wrote)");
	if (required(read_int(reader->file, "schema", &run->schema, &reader->place, err), "schema", &reader->place, err))
		return -1;
	if (run->schema != RECORD_SCHEMA)
		return place_error(&reader->place, err, "has schema %lld, this version of assay reads %d", (long long)run->schema,
				   RECORD_SCHEMA);
	return 0;
}

int record_read(struct run_record *run, const char *path, struct error *err)
{
	struct reader reader = {.file = -1, .cases = -1};
	int result = -1;
	*run = (struct run_record){0};
	hdf5_quiet();
	if (open_file(&reader, path, err) || read_head(&reader, run, err) || read_run(&reader, run, err) ||
	    read_artifacts(&reader, run, err))
		goto done;
	reader.cases = open_member(reader.file, "cases", H5O_TYPE_GROUP, &reader.place, err);
	if (reader.cases < 0)
		goto done;
	for (int table = 0; table < RECORD_TABLES; table++)
		if (read_table(&reader, (enum record_table)table, err))
			goto done;
	result = take_cases(&reader, run, err);
	if (result == 0)
		run_record_sort(run);
done:
	for (int table = 0; table < RECORD_TABLES; table++)
		free(reader.rows[table]);
	hdf5_close(reader.cases);
	hdf5_close(reader.file);
	free(reader.partial);
	if (result)
		run_record_free(run);
	return result;
}
