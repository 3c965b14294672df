/* Recorded results: one HDF5 file. Datasets, one entry a check: label (text), key (of text and inputs), status, offset and bytes
 * into `output`, a row of bytes. Equal results share their place. Within a check the bytes of its elements stand apart (all
 * first bytes, all second ones ...), as HDF5's shuffle would put them, since that compresses. */
#include "suite.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_BYTES = 128, CHUNK = 1 << 18 };

static void shuffle(const unsigned char *from, unsigned char *to, size_t bytes, size_t width, int back)
{
	const size_t count = bytes / width;
	for (size_t i = 0; i < count; i++)
		for (size_t b = 0; b < width; b++)
			if (back)
				to[i * width + b] = from[b * count + i];
			else
				to[b * count + i] = from[i * width + b];
}

static size_t width_of(const struct check *check)
{
	const struct type *type = check->operands[0].type;
	return (size_t)(type->bytes / (type->halves ? type->halves : 1));
}

static int put(hid_t file, const char *name, hid_t type, const void *values, hsize_t count, int compress)
{
	const hid_t space = H5Screate_simple(1, &count, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
	const hsize_t chunk = count < CHUNK ? count : CHUNK;
	int result = -1;
	if (space >= 0 && properties >= 0 && (!compress || (H5Pset_chunk(properties, 1, &chunk) >= 0 && H5Pset_deflate(properties, 9) >= 0))) {
		const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
		if (dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0)
			result = 0;
		if (dataset >= 0)
			H5Dclose(dataset);
	}
	H5Pclose(properties);
	H5Sclose(space);
	return result;
}

static hid_t text_type(size_t bytes)
{
	const hid_t type = H5Tcopy(H5T_C_S1);
	H5Tset_size(type, bytes);
	H5Tset_strpad(type, H5T_STR_NULLPAD);
	return type;
}

static int put_text(hid_t file, const char *name, const char *text)
{
	const hid_t type = text_type(strlen(text) + 1), space = H5Screate(H5S_SCALAR);
	const hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
	const int result = attribute >= 0 && H5Awrite(attribute, type, text) >= 0 ? 0 : -1;
	if (attribute >= 0)
		H5Aclose(attribute);
	H5Sclose(space);
	H5Tclose(type);
	return result;
}

int store_write(const char *path, const struct check *checks, int count, const struct outcome *outcomes, const struct machine_facts *facts,
		struct error *err)
{
	const hsize_t rows = (hsize_t)count;
	char (*labels)[LABEL_BYTES] = calloc((size_t)count, sizeof(*labels));
	uint64_t *keys = calloc((size_t)count, sizeof(*keys)), *offsets = calloc((size_t)count, sizeof(*offsets)), *bytes = calloc((size_t)count, sizeof(*bytes));
	int32_t *status = calloc((size_t)count, sizeof(*status));
	size_t total = 0, used = 0;
	unsigned char *output = NULL;
	hid_t file = -1;
	int result = -1;

	for (int i = 0; i < count; i++)
		total += checks[i].output_bytes;
	output = calloc(1, total ? total : 1);
	if (!labels || !keys || !offsets || !bytes || !status || !output) {
		error_set(err, ERROR_ENVIRONMENT, "no memory for the results");
		goto done;
	}
	for (int i = 0; i < count; i++) {
		const struct check *check = &checks[i];
		strncpy(labels[i], check->label, LABEL_BYTES - 1);
		keys[i] = check_key(check);
		status[i] = (int32_t)outcomes[i].status;
		if (outcomes[i].status != RAN)
			continue;
		bytes[i] = check->output_bytes;
		offsets[i] = used;
		shuffle(outcomes[i].output, output + used, check->output_bytes, width_of(check), 0);
		for (int other = i - 1; other >= 0; other--)
			if (bytes[other] == bytes[i] && offsets[other] != used && !memcmp(output + offsets[other], output + used, bytes[i])) {
				offsets[i] = offsets[other];
				break;
			}
		if (offsets[i] == used)
			used += check->output_bytes;
	}
	file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
	if (file < 0) {
		error_set(err, ERROR_INPUT, "%s: cannot be written", path);
		goto done;
	}
	const hid_t label_type = text_type(LABEL_BYTES);
	const int failed = put(file, "label", label_type, labels, rows, 1) || put(file, "key", H5T_NATIVE_UINT64, keys, rows, 1) ||
			   put(file, "status", H5T_NATIVE_INT32, status, rows, 1) || put(file, "offset", H5T_NATIVE_UINT64, offsets, rows, 1) ||
			   put(file, "bytes", H5T_NATIVE_UINT64, bytes, rows, 1) || put(file, "output", H5T_NATIVE_UINT8, output, used ? used : 1, 1) ||
			   put_text(file, "device", facts->device) || put_text(file, "driver", facts->driver) || put_text(file, "date", facts->date) ||
			   put_text(file, "about", "Results of assay's PTX conformance suite; layout: tests/conformance/store.c");
	H5Tclose(label_type);
	if (failed || H5Fclose(file) < 0) {
		file = failed ? file : -1;
		error_set(err, ERROR_INPUT, "%s: writing failed; is the disk full?", path);
		goto done;
	}
	file = -1;
	result = 0;
done:
	if (file >= 0)
		H5Fclose(file);
	free(labels);
	free(keys);
	free(offsets);
	free(bytes);
	free(status);
	free(output);
	return result;
}

/* A whole one-dimensional dataset; *count must be its length, or 0 to take what is there (at most 64 MiB). */
static void *get(hid_t file, const char *name, hid_t type, hsize_t *count)
{
	const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
	const hid_t space = dataset < 0 ? -1 : H5Dget_space(dataset);
	const size_t width = H5Tget_size(type);
	hsize_t length = 0;
	void *values = NULL;
	if (space >= 0 && H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_dims(space, &length, NULL) == 1 && length > 0 &&
	    length <= (64u << 20) / width && (*count == 0 || length == *count))
		values = calloc(length, width);
	if (values && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
		free(values);
		values = NULL;
	}
	*count = length;
	if (space >= 0)
		H5Sclose(space);
	if (dataset >= 0)
		H5Dclose(dataset);
	return values;
}

static void get_text(hid_t file, const char *name, char *text, size_t size)
{
	const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT), type = text_type(size);
	memset(text, 0, size);
	if (attribute >= 0) {
		H5Aread(attribute, type, text);
		H5Aclose(attribute);
	}
	text[size - 1] = 0;
	H5Tclose(type);
}

int store_read(const char *path, const struct check *checks, int count, struct outcome *outcomes, uint64_t *keys, struct machine_facts *facts,
	       struct error *err)
{
	const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), label_type = text_type(LABEL_BYTES);
	hsize_t rows = 0, size = 0;
	char (*labels)[LABEL_BYTES] = NULL;
	uint64_t *stored_keys = NULL, *offsets = NULL, *bytes = NULL;
	int32_t *status = NULL;
	unsigned char *output = NULL;
	int result = -1;

	if (file < 0) {
		error_set(err, ERROR_INPUT, "%s: is no HDF5 file that can be read", path);
		goto done;
	}
	labels = get(file, "label", label_type, &rows);
	if (labels) {
		stored_keys = get(file, "key", H5T_NATIVE_UINT64, &rows);
		offsets = get(file, "offset", H5T_NATIVE_UINT64, &rows);
		bytes = get(file, "bytes", H5T_NATIVE_UINT64, &rows);
		status = get(file, "status", H5T_NATIVE_INT32, &rows);
		output = get(file, "output", H5T_NATIVE_UINT8, &size);
	}
	if (!labels || !stored_keys || !offsets || !bytes || !status || !output) {
		error_set(err, ERROR_INPUT, "%s: is no record of the conformance suite", path);
		goto done;
	}
	get_text(file, "device", facts->device, sizeof(facts->device));
	get_text(file, "driver", facts->driver, sizeof(facts->driver));
	get_text(file, "date", facts->date, sizeof(facts->date));
	for (int i = 0; i < count; i++)
		for (hsize_t row = 0; row < rows; row++) {
			const size_t wanted = checks[i].output_bytes;
			if (strncmp(labels[row], checks[i].label, LABEL_BYTES - 1))
				continue;
			keys[i] = stored_keys[row];
			outcomes[i].status = status[row] == RAN ? RAN : status[row] == UNSUPPORTED ? UNSUPPORTED : FAILED;
			if (outcomes[i].status != RAN)
				break;
			if (bytes[row] != wanted || offsets[row] > size || size - offsets[row] < wanted) {
				keys[i] = 0; /* of another size: recorded for another kernel */
				break;
			}
			outcomes[i].output = malloc(wanted);
			if (!outcomes[i].output) {
				error_set(err, ERROR_ENVIRONMENT, "no memory for the recorded results");
				goto done;
			}
			shuffle(output + offsets[row], outcomes[i].output, wanted, width_of(&checks[i]), 1);
			break;
		}
	result = 0;
done:
	free(labels);
	free(stored_keys);
	free(offsets);
	free(bytes);
	free(status);
	free(output);
	H5Tclose(label_type);
	if (file >= 0)
		H5Fclose(file);
	return result;
}
