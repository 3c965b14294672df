/* Copies of outputs in a result file: /cases/outputs, a dataset for each, named CASE_ROW.OUTPUT. */
#include "output_copy.h"
#include "record_layout.h"

#include "dataset/hdf5_access.h"

#include <inttypes.h>
#include <stdlib.h>

/* Elements are stored as unsigned integers of their size, whose bytes compress once those of equal significance lie together
 * (shuffle); level 1 of deflate takes most of what there is to gain. */
enum { CHUNK_ELEMENTS = 1 << 16, DEFLATE_LEVEL = 1 };

static hid_t element_type(enum dtype dtype)
{
	switch (dtype_size(dtype)) {
	case 1:
		return H5T_STD_U8LE;
	case 2:
		return H5T_STD_U16LE;
	case 4:
		return H5T_STD_U32LE;
	case 8:
		return H5T_STD_U64LE;
	default:
		return -1;
	}
}

static int write_one(hid_t group, const char *name, const struct output_copy *copy)
{
	const hid_t type = element_type(copy->dtype);
	const hsize_t elements = type < 0 ? 0 : copy->size / dtype_size(copy->dtype);
	const hsize_t chunk = elements < CHUNK_ELEMENTS ? elements : CHUNK_ELEMENTS;
	const hid_t space = H5Screate_simple(1, &elements, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
	hid_t dataset = -1;
	int result = -1;
	if (type >= 0 && space >= 0 && creation >= 0 &&
	    (elements == 0 || (H5Pset_chunk(creation, 1, &chunk) >= 0 && H5Pset_shuffle(creation) >= 0 &&
			       H5Pset_deflate(creation, DEFLATE_LEVEL) >= 0 && H5Pset_fletcher32(creation) >= 0)))
		dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
	if (dataset >= 0 && write_text(dataset, "dtype", dtype_name(copy->dtype)) == 0 &&
	    (elements == 0 || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, copy->bytes) >= 0))
		result = 0;
	hdf5_close(dataset);
	hdf5_close(creation);
	hdf5_close(space);
	return result;
}

int record_outputs_write(hid_t cases, uint64_t row, const struct case_record *record)
{
	int result = 0;
	if (case_record_output_bytes(record) == 0)
		return 0;
	const hid_t group = H5Lexists(cases, "outputs", H5P_DEFAULT) > 0
				    ? H5Gopen2(cases, "outputs", H5P_DEFAULT)
				    : H5Gcreate2(cases, "outputs", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	if (group < 0)
		return -1;
	for (int i = 0; result == 0 && i < record->output_count && i < RECORD_OUTPUTS_MAX; i++) {
		char name[40];
		snprintf(name, sizeof name, "%" PRIu64 ".%d", row, i);
		if (record->outputs[i].bytes)
			result = write_one(group, name, &record->outputs[i]);
	}
	hdf5_close(group);
	return result;
}

static int read_one(hid_t group, const char *name, struct output_copy *copy, uint64_t *room, const struct hdf5_place *place,
		    struct error *err)
{
	char dtype[16];
	hsize_t dims[H5S_MAX_RANK];
	size_t elements, bytes;
	int rank, result = -1;
	const hid_t dataset = open_member(group, name, H5O_TYPE_DATASET, place, err);
	if (dataset < 0)
		return -1;
	hid_t stored = -1;
	const int found = read_text(dataset, "dtype", dtype, sizeof dtype, place, err);
	if (found) {
		if (found == READ_ABSENT)
			place_error(place, err, "output %s has no dtype", name);
		goto done;
	}
	const enum dtype type = dtype_from_name(dtype);
	stored = H5Dget_type(dataset);
	if (element_type(type) < 0 || stored < 0 || H5Tequal(stored, element_type(type)) <= 0) {
		place_error(place, err, "output %s is not of the type that it names", name);
		goto done;
	}
	if (check_dataset(dataset, dtype_size(type), &rank, dims, &elements, place, err))
		goto done;
	if (size_mul(elements, dtype_size(type), &bytes) || bytes > OUTPUT_CASE_BYTES_MAX) {
		place_error(place, err, "output %s is larger than %d MiB", name, OUTPUT_CASE_BYTES_MAX >> 20);
		goto done;
	}
	result = 0;
	if (bytes > *room)
		goto done; /* left out, as what was not kept is */
	copy->bytes = malloc(bytes ? bytes : 1);
	if (!copy->bytes) {
		result = error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (bytes && H5Dread(dataset, element_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, copy->bytes) < 0) {
		free(copy->bytes);
		copy->bytes = NULL;
		result = place_hdf5_error(place, err, "output %s cannot be read", name);
		goto done;
	}
	copy->dtype = type;
	copy->size = bytes;
	*room -= bytes;
done:
	hdf5_close(stored);
	hdf5_close(dataset);
	return result;
}

int record_outputs_read(hid_t cases, uint64_t row, struct case_record *record, uint64_t *room, const struct hdf5_place *place,
			struct error *err)
{
	int result = 0;
	if (!has_member(cases, "outputs"))
		return 0;
	const hid_t group = open_member(cases, "outputs", H5O_TYPE_GROUP, place, err);
	if (group < 0)
		return -1;
	for (int i = 0; result == 0 && i < record->output_count; i++) {
		char name[40];
		snprintf(name, sizeof name, "%" PRIu64 ".%d", row, i);
		if (has_member(group, name))
			result = read_one(group, name, &record->outputs[i], room, place, err);
	}
	hdf5_close(group);
	return result;
}
