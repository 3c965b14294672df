/* Reading what a result file says of a run besides its cases. */
#include "record_reader.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

enum { ARTIFACTS_MAX = 100000, PATH_TEXT_MAX = 8192 };

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

int record_read_text(hid_t object, const char *name, char *text, size_t size, const struct hdf5_place *place, struct error *err)
{
	return required(read_text(object, name, text, size, place, err), name, place, err);
}

static int get_owned(hid_t object, const char *name, char **text, const struct hdf5_place *place, struct error *err)
{
	char buffer[PATH_TEXT_MAX];
	if (record_read_text(object, name, buffer, sizeof buffer, place, err))
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

/* What files of 0.1.0 lack stays as it is. */
static int optional(int result)
{
	return result == READ_ABSENT ? 0 : result;
}

static int read_device(hid_t group, void *item, const struct hdf5_place *place, struct error *err)
{
	struct run_device *of = item;
	struct device_properties *device = &of->properties;
	uint64_t processes = 0, list_place = 0;
	char kind[16];
	int result = record_read_text(group, "kind", kind, sizeof kind, place, err) ||
		     record_read_text(group, "id", device->id, sizeof device->id, place, err) ||
		     record_read_text(group, "name", device->name, sizeof device->name, place, err) ||
		     record_read_text(group, "uuid", device->uuid, sizeof device->uuid, place, err) ||
		     get_int(group, "cc_major", &device->cc_major, place, err) ||
		     get_int(group, "cc_minor", &device->cc_minor, place, err) ||
		     get_int(group, "multiprocessors", &device->multiprocessors, place, err) ||
		     get_size(group, "l2_bytes", &device->l2_bytes, place, err) ||
		     get_size(group, "memory_bytes", &device->memory_bytes, place, err) ||
		     get_size(group, "shared_per_block_optin", &device->shared_per_block_optin, place, err) ||
		     get_int(group, "driver_version", &device->driver_version, place, err) ||
		     record_read_text(group, "driver_text", device->driver_text, sizeof device->driver_text, place, err) ||
		     record_read_text(group, "gemm_library", device->gemm_library, sizeof device->gemm_library, place, err) ||
		     get_int(group, "slow_f64", &device->slow_f64, place, err) ||
		     optional(read_text(group, "host", of->host, sizeof of->host, place, err)) ||
		     optional(read_real(group, "matrix_product_flops", &of->matrix_product_flops, place, err)) ||
		     optional(read_real(group, "matrix_product_flops_bf16", &of->matrix_product_flops_bf16, place, err)) ||
		     optional(read_real(group, "copy_bytes_per_second", &of->copy_bytes_per_second, place, err)) ||
		     optional(read_unsigned(group, "other_processes", &processes, place, err)) ||
		     optional(read_unsigned(group, "place", &list_place, place, err)) ? -1 : 0;
	of->place = list_place > UINT32_MAX ? UINT32_MAX : (uint32_t)list_place;
	of->other_processes = processes > UINT32_MAX ? UINT32_MAX : (uint32_t)processes;
	if (result == 0) {
		device->kind = strcmp(kind, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU;
		if (device->kind == DEVICE_CPU && strcmp(kind, "cpu") != 0)
			result = place_error(place, err, "'%s' is no kind of device", kind);
	}
	return result;
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
	       record_read_text(group, "sha256", dataset->sha256, sizeof dataset->sha256, place, err) ? -1 : 0;
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

/* A file of 0.1.0 has one device, and its rates among the attributes of the run. */
static int read_only_device(hid_t run_group, struct run_record *run, const struct hdf5_place *place, struct error *err)
{
	const hid_t group = open_member(run_group, "device", H5O_TYPE_GROUP, place, err);
	if (group < 0)
		return -1;
	struct run_device device = {0};
	int result = read_device(group, &device, place, err);
	hdf5_close(group);
	if (result || !device.properties.id[0])
		return result;
	if (get_real(run_group, "matrix_product_flops", &device.matrix_product_flops, place, err) ||
	    get_real(run_group, "matrix_product_flops_bf16", &device.matrix_product_flops_bf16, place, err) ||
	    optional(read_real(run_group, "copy_bytes_per_second", &device.copy_bytes_per_second, place, err)))
		return -1;
	const int index = run_record_add_device(run, &device.properties, "", err);
	if (index < 0)
		return -1;
	run->devices[index] = device;
	return 0;
}

static int read_devices(hid_t group, struct run_record *run, const struct hdf5_place *place, struct error *err)
{
	void *devices = NULL;
	if (!has_member(group, "devices"))
		return read_only_device(group, run, place, err);
	const int result = read_list(group, "devices", sizeof *run->devices, &devices, &run->device_count, read_device, place, err);
	run->devices = devices;
	if (result == 0 && run->device_count > RECORD_DEVICES_MAX)
		return place_error(place, err, "it has %zu devices, which is more than %d", run->device_count, RECORD_DEVICES_MAX);
	return result;
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

int record_read_run(struct record_reader *reader, struct run_record *run, struct error *err)
{
	const struct hdf5_place *place = &reader->place;
	const hid_t group = open_member(reader->file, "run", H5O_TYPE_GROUP, place, err);
	if (group < 0)
		return -1;
	const int result = get_owned(group, "version", &run->version, place, err) ||
			   get_owned(group, "date", &run->date, place, err) || get_owned(group, "host", &run->host, place, err) ||
			   get_owned(group, "dataset", &run->dataset, place, err) ||
			   record_read_text(group, "dataset_sha256", run->dataset_sha256, sizeof run->dataset_sha256, place, err) ||
			   required(read_unsigned(group, "seed", &run->seed, place, err), "seed", place, err) ||
			   get_int(group, "complete", &run->complete, place, err) ||
			   get_real(group, "wall_seconds", &run->wall_seconds, place, err) ||
			   optional_owned(group, "math", &run->math, place, err) || read_lists(group, run, place, err) ||
			   get_long_text(group, "command", &run->command, place, err) ||
			   get_long_text(group, "repeat_options", &run->repeat_options, place, err) ||
			   get_long_text(group, "notes", &run->notes, place, err) || get_long_text(group, "interleaved", &run->interleaved, place, err) ||
			   get_long_text(group, "options", &run->options, place, err) ||
			   optional(read_int(group, "shard_index", &run->shard_index, place, err)) ||
			   optional(read_int(group, "shard_count", &run->shard_count, place, err)) ||
			   read_devices(group, run, place, err) ? -1 : 0;
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
			   record_read_text(group, "sha256", artifact->sha256, sizeof artifact->sha256, place, err) ||
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
			   get_long_text(group, "images", &artifact->images, place, err) ||
			   get_long_text(group, "set", &artifact->set, place, err) ||
			   get_long_text(group, "donor", &artifact->donor, place, err) ||
			   get_long_text(group, "provenance", &artifact->provenance, place, err) ||
			   get_long_text(group, "stubbed", &artifact->stubbed, place, err) ||
			   get_long_text(group, "kernels", &kernels, place, err) || split_kernels(artifact, kernels, err) ||
			   read_launched(group, artifact, place, err) ? -1 : 0;
	free(kernels);
	hdf5_close(group);
	return result;
}

int record_read_artifacts(struct record_reader *reader, struct run_record *run, struct error *err)
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

