/* Writing a dataset; the layout is described in store.h. */
#include "dataset/hdf5_access.h"
#include "dataset/store.h"

#include <stdlib.h>
#include <string.h>

#ifndef ASSAY_VERSION
#error "the build defines ASSAY_VERSION"
#endif

enum {
	IN_HEADER_MAX = 1024,  /* bytes of data that lie in the object's header */
	CHUNK_BYTES = 1 << 20,
	COMPACT_ATTRIBUTES = 96, /* more would move to a structure of their own, which costs kilobytes; a case has at most
				  * CASE_ATTRIBUTES_MAX and three of ours */
	COMPACT_LINKS = 32       /* likewise; a case has at most CASE_TENSORS_MAX tensors */
};

struct dataset_writer {
	char *path, *temporary;
	hid_t file, cases;
	hid_t object_creation; /* of groups with few members */
	int deflate;
	size_t count;
	char (*names)[CASE_NAME_MAX];
};

static struct hdf5_place place_of(const struct dataset_writer *writer, const char *where)
{
	return (struct hdf5_place){.file = writer->path, .where = where};
}

/* Nothing in an object tells when it was made, and its attributes and links keep their order. */
static hid_t group_creation(void)
{
	const hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
	if (creation < 0)
		return -1;
	if (H5Pset_obj_track_times(creation, 0) < 0 || H5Pset_attr_phase_change(creation, COMPACT_ATTRIBUTES, 0) < 0 ||
	    H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED) < 0 ||
	    H5Pset_link_phase_change(creation, COMPACT_LINKS, 0) < 0 ||
	    H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED) < 0) {
		H5Pclose(creation);
		return -1;
	}
	return creation;
}

/* How `bytes` bytes in elements of `size` are laid out. */
static hid_t dataset_creation(size_t bytes, size_t size, int deflate)
{
	const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
	const hsize_t elements = bytes / size, most = CHUNK_BYTES / size;
	const hsize_t chunk = elements < most ? elements : most;
	if (creation < 0)
		return -1;
	if (H5Pset_obj_track_times(creation, 0) < 0 || H5Pset_attr_phase_change(creation, COMPACT_ATTRIBUTES, 0) < 0 ||
	    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) < 0)
		goto failed;
	if (bytes <= IN_HEADER_MAX) {
		if (bytes && H5Pset_layout(creation, H5D_COMPACT) < 0)
			goto failed;
		return creation;
	}
	if (H5Pset_chunk(creation, 1, &chunk) < 0)
		goto failed;
	if (deflate && ((size > 1 && H5Pset_shuffle(creation) < 0) || H5Pset_deflate(creation, (unsigned)deflate) < 0))
		goto failed;
	if (H5Pset_fletcher32(creation) < 0)
		goto failed;
	return creation;
failed:
	H5Pclose(creation);
	return -1;
}

/* A 1-D dataset of `count` elements; count 0 and `data` NULL make an empty one. The id is the caller's. */
static hid_t write_array(hid_t group, const char *name, hid_t type, size_t count, const void *data, int deflate)
{
	const size_t size = H5Tget_size(type);
	const hsize_t length = data ? (hsize_t)count : 0;
	const hid_t space = H5Screate_simple(1, &length, NULL);
	const hid_t creation = dataset_creation((size_t)length * size, size, deflate);
	hid_t dataset = -1;
	if (space >= 0 && creation >= 0)
		dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
	if (dataset >= 0 && length && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
		hdf5_close(dataset);
		dataset = -1;
	}
	hdf5_close(creation);
	hdf5_close(space);
	return dataset;
}

void dataset_writer_discard(struct dataset_writer *writer)
{
	if (!writer)
		return;
	hdf5_close(writer->object_creation);
	hdf5_close(writer->cases);
	hdf5_close(writer->file);
	temporary_discard(writer->temporary);
	free(writer->names);
	free(writer->path);
	free(writer);
}

static int write_head(struct dataset_writer *writer, const char *text, struct error *err)
{
	const struct hdf5_place place = place_of(writer, "");
	const hid_t root = H5Gopen2(writer->file, "/", H5P_DEFAULT);
	int result = -1;
	if (root < 0 || write_int(root, "schema", DATASET_SCHEMA) || write_text(root, "generator", "assay dataset") ||
	    write_text(root, "version", ASSAY_VERSION)) {
		place_hdf5_error(&place, err, "cannot be written");
		goto done;
	}
	if (text && *text) {
		const hid_t spec = write_array(root, "spec", H5T_STD_U8LE, strlen(text), text, 6);
		if (spec < 0) {
			place_hdf5_error(&place, err, "the spec cannot be written");
			goto done;
		}
		hdf5_close(spec);
	}
	result = 0;
done:
	hdf5_close(root);
	return result;
}

int dataset_writer_open(struct dataset_writer **out, const char *path, const char *text, int deflate, struct error *err)
{
	hid_t access = -1, creation = -1, cases_creation = -1;
	*out = NULL;
	if (deflate < 0 || deflate > 9)
		return error_set(err, ERROR_USAGE, "a compression level is 0 to 9, not %d", deflate);
	struct dataset_writer *writer = calloc(1, sizeof *writer);
	if (!writer)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	*writer = (struct dataset_writer){.path = strdup(path), .file = -1, .cases = -1, .object_creation = -1, .deflate = deflate};
	if (!writer->path) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto failed;
	}
	const struct hdf5_place place = place_of(writer, "");
	hdf5_quiet();
	if (temporary_beside(path, &writer->temporary, err))
		goto failed;
	access = hdf5_file_access();
	creation = H5Pcreate(H5P_FILE_CREATE);
	writer->object_creation = group_creation();
	cases_creation = H5Pcreate(H5P_GROUP_CREATE);
	if (access < 0 || creation < 0 || writer->object_creation < 0 || cases_creation < 0 ||
	    H5Pset_obj_track_times(creation, 0) < 0 || H5Pset_obj_track_times(cases_creation, 0) < 0) {
		place_hdf5_error(&place, err, "cannot be written");
		goto failed;
	}
	writer->file = H5Fcreate(writer->temporary, H5F_ACC_TRUNC, creation, access);
	if (writer->file < 0) {
		place_hdf5_error(&place, err, "cannot be written");
		goto failed;
	}
	if (write_head(writer, text, err))
		goto failed;
	writer->cases = H5Gcreate2(writer->file, "cases", H5P_DEFAULT, cases_creation, H5P_DEFAULT);
	if (writer->cases < 0) {
		place_hdf5_error(&place, err, "cannot be written");
		goto failed;
	}
	hdf5_close(access);
	hdf5_close(creation);
	hdf5_close(cases_creation);
	*out = writer;
	return 0;
failed:
	hdf5_close(access);
	hdf5_close(creation);
	hdf5_close(cases_creation);
	dataset_writer_discard(writer);
	return -1;
}

static int write_attributes(hid_t group, const struct test_case *test)
{
	if (write_text(group, "name", test->name) || write_text(group, "family", test->family) ||
	    write_unsigned(group, "seed", test->seed))
		return -1;
	for (int i = 0; i < test->attribute_count; i++) {
		const struct attribute *attribute = &test->attributes[i];
		int failed = 0;
		switch (attribute->type) {
		case ATTRIBUTE_INT:
			failed = write_int(group, attribute->name, attribute->integer);
			break;
		case ATTRIBUTE_REAL:
			failed = write_real(group, attribute->name, attribute->real);
			break;
		case ATTRIBUTE_TEXT:
			failed = write_text(group, attribute->name, attribute->text);
			break;
		}
		if (failed)
			return -1;
	}
	return 0;
}

static int write_tensor(const struct dataset_writer *writer, hid_t group, const struct tensor *tensor,
			const struct hdf5_place *place, struct error *err)
{
	const int shares = tensor->storage[0] != '\0';
	const hid_t type = hdf5_type_of(tensor->dtype);
	hid_t dataset = -1;
	int result = -1;
	if (type < 0)
		return place_hdf5_error(place, err, "tensor '%s' has a type that cannot be stored", tensor->name);
	if (!shares && !tensor->data && tensor->extent && tensor->role != TENSOR_OUTPUT) {
		error_set(err, ERROR_INTERNAL, "%s: %s: tensor '%s' has no data to store", place->file, place->where, tensor->name);
		goto done;
	}
	dataset = write_array(group, tensor->name, type, (size_t)tensor->extent, shares ? NULL : tensor->data, writer->deflate);
	if (dataset < 0 || write_int(dataset, "rank", tensor->rank) ||
	    (tensor->rank && (write_ints(dataset, "dims", tensor->dims, tensor->rank) ||
			      write_ints(dataset, "strides", tensor->strides, tensor->rank))) ||
	    (tensor->extent != tensor_reach(tensor) && write_int(dataset, "extent", tensor->extent)) ||
	    (tensor->generator[0] && write_text(dataset, "generator", tensor->generator)) ||
	    (shares && (write_text(dataset, "storage", tensor->storage) || write_int(dataset, "offset", tensor->offset)))) {
		place_hdf5_error(place, err, "tensor '%s' cannot be written", tensor->name);
		goto done;
	}
	result = 0;
done:
	hdf5_close(dataset);
	hdf5_close(type);
	return result;
}

static int write_tensors(const struct dataset_writer *writer, hid_t parent, const struct test_case *test,
			 enum tensor_role role, const char *group_name, const struct hdf5_place *place, struct error *err)
{
	int count = 0, result = 0;
	for (int i = 0; i < test->tensor_count; i++)
		count += test->tensors[i].role == role;
	if (count == 0)
		return 0;
	const hid_t group = H5Gcreate2(parent, group_name, H5P_DEFAULT, writer->object_creation, H5P_DEFAULT);
	if (group < 0)
		return place_hdf5_error(place, err, "group '%s' cannot be written", group_name);
	for (int i = 0; i < test->tensor_count && !result; i++)
		if (test->tensors[i].role == role)
			result = write_tensor(writer, group, &test->tensors[i], place, err);
	hdf5_close(group);
	return result;
}

static int check_names(const struct test_case *test, const struct hdf5_place *place, struct error *err)
{
	if (!test->name[0] || !test->family[0])
		return error_set(err, ERROR_INTERNAL, "%s: a case has no name or no family", place->file);
	for (const char *at = test->name; *at; at++)
		if (*at <= ' ' || *at > '~')
			return error_set(err, ERROR_INTERNAL, "%s: the case name '%s' holds a space or is not printable ASCII",
					 place->file, test->name);
	for (int i = 0; i < test->attribute_count; i++) {
		const char *name = test->attributes[i].name;
		if (strcmp(name, "name") == 0 || strcmp(name, "family") == 0 || strcmp(name, "seed") == 0)
			return error_set(err, ERROR_INTERNAL, "%s: %s: the attribute name '%s' is taken by the file format",
					 place->file, place->where, name);
	}
	return 0;
}

int dataset_writer_add(struct dataset_writer *writer, const struct test_case *test, struct error *err)
{
	char where[CASE_NAME_MAX + 16], number[24];
	hid_t group = -1;
	int result = -1;
	snprintf(where, sizeof where, "case '%s'", test->name);
	const struct hdf5_place place = place_of(writer, where);
	if (check_names(test, &place, err))
		return -1;
	if ((writer->count & (writer->count - 1)) == 0) {
		void *names = realloc(writer->names, (writer->count ? 2 * writer->count : 1) * sizeof *writer->names);
		if (!names)
			return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", writer->path);
		writer->names = names;
	}
	snprintf(number, sizeof number, "%05zu", writer->count);
	group = H5Gcreate2(writer->cases, number, H5P_DEFAULT, writer->object_creation, H5P_DEFAULT);
	if (group < 0 || write_attributes(group, test)) {
		place_hdf5_error(&place, err, "cannot be written");
		goto done;
	}
	if (write_tensors(writer, group, test, TENSOR_INPUT, "inputs", &place, err) ||
	    write_tensors(writer, group, test, TENSOR_OUTPUT, "outputs", &place, err) ||
	    write_tensors(writer, group, test, TENSOR_EXPECTED, "expected", &place, err))
		goto done;
	memcpy(writer->names[writer->count++], test->name, CASE_NAME_MAX);
	result = 0;
done:
	hdf5_close(group);
	return result;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int check_unique(const struct dataset_writer *writer, struct error *err)
{
	int result = 0;
	const char **sorted = malloc(writer->count * sizeof *sorted);
	if (!sorted)
		return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", writer->path);
	for (size_t i = 0; i < writer->count; i++)
		sorted[i] = writer->names[i];
	qsort(sorted, writer->count, sizeof *sorted, compare_names);
	for (size_t i = 1; i < writer->count && !result; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			result = error_set(err, ERROR_INPUT, "%s: two cases are named '%s'; make the sections of the spec differ in an "
					   "axis that the name shows", writer->path, sorted[i]);
	free(sorted);
	return result;
}

static int write_index(struct dataset_writer *writer, struct error *err)
{
	const struct hdf5_place place = place_of(writer, "");
	size_t longest = 1;
	hid_t type = -1, index = -1;
	int result = -1;
	for (size_t i = 0; i < writer->count; i++)
		longest = strlen(writer->names[i]) > longest ? strlen(writer->names[i]) : longest;
	char *packed = calloc(writer->count, longest + 1);
	if (!packed)
		return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", writer->path);
	for (size_t i = 0; i < writer->count; i++)
		memcpy(packed + i * (longest + 1), writer->names[i], strlen(writer->names[i]));
	type = H5Tcopy(H5T_C_S1);
	if (type < 0 || H5Tset_size(type, longest + 1) < 0 ||
	    (index = write_array(writer->file, "index", type, writer->count, packed, 6)) < 0) {
		place_hdf5_error(&place, err, "the index cannot be written");
		goto done;
	}
	result = 0;
done:
	hdf5_close(index);
	hdf5_close(type);
	free(packed);
	return result;
}

int dataset_writer_commit(struct dataset_writer *writer, struct error *err)
{
	const struct hdf5_place place = place_of(writer, "");
	int result = -1;
	if (writer->count == 0) {
		error_set(err, ERROR_INPUT, "%s: a dataset without a case is not written", writer->path);
		goto done;
	}
	if (check_unique(writer, err) || write_index(writer, err))
		goto done;
	hdf5_close(writer->object_creation);
	hdf5_close(writer->cases);
	writer->object_creation = writer->cases = -1;
	/* what is still in memory goes to the disk here, and may find it full; the library has taken the file apart in either
	 * case, and a second attempt to close it would crash */
	const int failed = H5Fclose(writer->file) < 0;
	writer->file = -1;
	if (failed) {
		place_hdf5_error(&place, err, "cannot be written");
		goto done;
	}
	char *temporary = writer->temporary;
	writer->temporary = NULL;
	result = temporary_commit(temporary, writer->path, err);
done:
	dataset_writer_discard(writer);
	return result;
}
