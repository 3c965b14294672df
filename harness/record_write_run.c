/* Writing what a result file says of a run besides its cases. */
#include "record_layout.h"

#include "core/util.h"
#include "dataset/hdf5_access.h"

#include <string.h>

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

static hid_t numbered_group(hid_t parent, size_t index)
{
	char name[24];
	snprintf(name, sizeof name, "%zu", index);
	return H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

/* Into a new group, which is closed. */
static int write_device(hid_t group, const struct run_device *of)
{
	const struct device_properties *device = &of->properties;
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
			   write_text(group, "gemm_library", device->gemm_library) || write_int(group, "slow_f64", device->slow_f64) ||
			   write_text(group, "host", of->host) ||
			   write_real(group, "matrix_product_flops", of->matrix_product_flops) ||
			   write_real(group, "matrix_product_flops_bf16", of->matrix_product_flops_bf16) ||
			   write_real(group, "copy_bytes_per_second", of->copy_bytes_per_second) ||
			   write_unsigned(group, "other_processes", of->other_processes) || write_unsigned(group, "place", of->place);
	hdf5_close(group);
	return failed ? -1 : 0;
}

int record_write_devices(hid_t file, const struct run_record *run, size_t first)
{
	const hid_t list = H5Gopen2(file, "run/devices", H5P_DEFAULT);
	int failed = list < 0;
	for (size_t i = first; !failed && i < run->device_count; i++)
		failed = write_device(numbered_group(list, i), &run->devices[i]);
	hdf5_close(list);
	return failed ? -1 : 0;
}

static int write_device_list(hid_t parent, const struct run_record *run)
{
	const hid_t list = H5Gcreate2(parent, "devices", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	int failed = list < 0;
	for (size_t i = 0; !failed && i < run->device_count; i++)
		failed = write_device(numbered_group(list, i), &run->devices[i]);
	hdf5_close(list);
	return failed ? -1 : 0;
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

/* The first device and its rates stand beside the list of devices too: files of 0.1.0 have no other place for them. */
int record_write_run(hid_t file, const struct run_record *run, int complete)
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
			   write_long_text(group, "notes", run->notes) || write_device_list(group, run) ||
			   write_device(H5Gcreate2(group, "device", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), device) ||
			   write_int(group, "shard_index", run->shard_index) || write_int(group, "shard_count", run->shard_count) ||
			   write_long_text(group, "interleaved", run->interleaved) ||
			   write_long_text(group, "options", run->options);
	hdf5_close(group);
	return failed ? -1 : 0;
}

int record_write_complete(hid_t file)
{
	const hid_t group = H5Gopen2(file, "run", H5P_DEFAULT);
	const int failed = group < 0 || H5Adelete(group, "complete") < 0 || write_int(group, "complete", 1);
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
			   write_long_text(group, "images", artifact->images) || write_long_text(group, "set", artifact->set) ||
			   write_long_text(group, "donor", artifact->donor) ||
			   write_long_text(group, "provenance", artifact->provenance) ||
			   write_long_text(group, "stubbed", artifact->stubbed) || write_long_text(group, "kernels", kernels.data) ||
			   write_bytes(group, "kernel_launched", artifact->kernel_launched, artifact->kernel_count);
	hdf5_close(group);
	text_free(&kernels);
	return failed ? -1 : 0;
}

int record_write_artifacts(hid_t file, const struct run_record *run)
{
	const hid_t group = H5Gcreate2(file, "artifacts", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	int failed = group < 0;
	for (size_t i = 0; !failed && i < run->artifact_count; i++)
		failed = write_artifact(group, i, &run->artifacts[i]);
	hdf5_close(group);
	return failed ? -1 : 0;
}

