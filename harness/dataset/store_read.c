/* Reading a dataset, which may be anyone's; the layout is described in store.h. */
#include "dataset/hdf5_access.h"
#include "dataset/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SPEC_TEXT_MAX = 1 << 20, COUNT_MAX = 10000000 };

struct dataset {
	char *path;
	int64_t file_size;
	hid_t file, cases;
	int64_t schema;
	char *spec;
	size_t count;
	size_t name_size;    /* of each slot in `names`, NUL included */
	char *names;
};

static struct hdf5_place place_of(const struct dataset *dataset, const char *where)
{
	return (struct hdf5_place){.file = dataset->path, .where = where, .file_size = dataset->file_size};
}

/* ---- the file ---- */

static int open_file(struct dataset *dataset, struct error *err)
{
	struct stat status;
	if (stat(dataset->path, &status))
		return error_set(err, ERROR_INPUT, "%s: cannot be opened: %s", dataset->path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERROR_INPUT, "%s: is not a regular file; give a dataset made by `assay dataset build`",
				 dataset->path);
	dataset->file_size = status.st_size;
	const hid_t access = hdf5_file_access();
	dataset->file = access < 0 ? -1 : H5Fopen(dataset->path, H5F_ACC_RDONLY, access);
	if (dataset->file < 0)
		hdf5_error_set(err, "%s: is no HDF5 file, or a damaged one; make it with `assay dataset build`", dataset->path);
	hdf5_close(access);
	return dataset->file < 0 ? -1 : 0;
}

static int read_head(struct dataset *dataset, struct error *err)
{
	const struct hdf5_place place = place_of(dataset, "");
	char generator[32];
	const hid_t root = H5Gopen2(dataset->file, "/", H5P_DEFAULT);
	int result = -1;
	if (root < 0) {
		place_hdf5_error(&place, err, "has no root group that can be read");
		goto done;
	}
	const int found = read_text(root, "generator", generator, sizeof generator, &place, err);
	if (found == READ_ABSENT || (found == 0 && strcmp(generator, "assay dataset") != 0)) {
		place_error(&place, err, "is an HDF5 file, but no dataset of this program; make one with `assay dataset build`, or "
			    "take tensors from it with `assay dataset import`");
		goto done;
	}
	if (found)
		goto done;
	const int schema = read_int(root, "schema", &dataset->schema, &place, err);
	if (schema == READ_ABSENT)
		place_error(&place, err, "has no attribute 'schema'");
	if (schema)
		goto done;
	if (dataset->schema != DATASET_SCHEMA) {
		place_error(&place, err, "has schema %lld, but this program reads %d; build it anew with this version",
			    (long long)dataset->schema, DATASET_SCHEMA);
		goto done;
	}
	result = 0;
done:
	hdf5_close(root);
	return result;
}

/* Opens a dataset of the root group, checks that it is 1-D, and gives its type and length. */
static hid_t open_array(const struct dataset *dataset, const char *name, hid_t *type, size_t *length,
			const struct hdf5_place *place, struct error *err)
{
	hsize_t dims[H5S_MAX_RANK];
	int rank;
	const hid_t array = open_member(dataset->file, name, H5O_TYPE_DATASET, place, err);
	*type = -1;
	if (array < 0)
		return -1;
	*type = H5Dget_type(array);
	const size_t size = *type < 0 ? 0 : H5Tget_size(*type);
	if (size == 0)
		place_hdf5_error(place, err, "its type cannot be read");
	else if (check_dataset(array, size, &rank, dims, length, place, err) == 0) {
		if (rank == 1)
			return array;
		place_error(place, err, "it has %d axes, not one", rank);
	}
	hdf5_close(*type);
	hdf5_close(array);
	*type = -1;
	return -1;
}

static int read_spec(struct dataset *dataset, struct error *err)
{
	const struct hdf5_place place = place_of(dataset, "the spec");
	hid_t type = -1;
	size_t length;
	int result = -1;
	if (!has_member(dataset->file, "spec")) {
		dataset->spec = strdup("");
		return dataset->spec ? 0 : error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", dataset->path);
	}
	const hid_t array = open_array(dataset, "spec", &type, &length, &place, err);
	if (array < 0)
		return -1;
	if (hdf5_dtype_of(type) != DTYPE_U8 || length > SPEC_TEXT_MAX) {
		place_error(&place, err, "is no text of at most %d bytes", SPEC_TEXT_MAX);
		goto done;
	}
	dataset->spec = calloc(length + 1, 1);
	if (!dataset->spec) {
		error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", dataset->path);
		goto done;
	}
	if (H5Dread(array, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, dataset->spec) < 0) {
		place_hdf5_error(&place, err, "cannot be read");
		goto done;
	}
	if (strlen(dataset->spec) != length) {
		place_error(&place, err, "holds bytes that are no text");
		goto done;
	}
	result = 0;
done:
	hdf5_close(type);
	hdf5_close(array);
	return result;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int check_index(const struct dataset *dataset, const struct hdf5_place *place, struct error *err)
{
	int result = 0;
	const char **sorted = malloc(dataset->count * sizeof *sorted);
	if (!sorted)
		return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", dataset->path);
	for (size_t i = 0; i < dataset->count && !result; i++) {
		const char *name = sorted[i] = dataset_case_name(dataset, i);
		const size_t length = strnlen(name, dataset->name_size);
		if (length == 0 || length == dataset->name_size)
			result = place_error(place, err, "the name of case %zu is empty or has no end", i);
		for (size_t at = 0; at < length && !result; at++)
			if (name[at] <= ' ' || name[at] > '~')
				result = place_error(place, err, "the name of case %zu holds a space or is not printable ASCII", i);
	}
	if (!result) {
		qsort(sorted, dataset->count, sizeof *sorted, compare_names);
		for (size_t i = 1; i < dataset->count && !result; i++)
			if (strcmp(sorted[i - 1], sorted[i]) == 0)
				result = place_error(place, err, "two cases are named '%s'", sorted[i]);
	}
	free(sorted);
	return result;
}

static int read_index(struct dataset *dataset, struct error *err)
{
	const struct hdf5_place place = place_of(dataset, "the index");
	hid_t type = -1;
	int result = -1;
	const hid_t array = open_array(dataset, "index", &type, &dataset->count, &place, err);
	if (array < 0) {
		dataset->count = 0;
		return -1;
	}
	dataset->name_size = H5Tget_size(type);
	if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || dataset->name_size > CASE_NAME_MAX) {
		place_error(&place, err, "is no list of names of at most %d bytes", CASE_NAME_MAX - 1);
		goto done;
	}
	if (dataset->count == 0 || dataset->count > COUNT_MAX) {
		place_error(&place, err, "names %zu cases; a dataset has 1 to %d", dataset->count, COUNT_MAX);
		goto done;
	}
	dataset->names = malloc(dataset->count * dataset->name_size);
	if (!dataset->names) {
		error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", dataset->path);
		goto done;
	}
	if (H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, dataset->names) < 0) {
		place_hdf5_error(&place, err, "cannot be read");
		goto done;
	}
	result = check_index(dataset, &place, err);
done:
	hdf5_close(type);
	hdf5_close(array);
	return result;
}

int dataset_open(struct dataset **out, const char *path, struct error *err)
{
	*out = NULL;
	struct dataset *dataset = calloc(1, sizeof *dataset);
	if (!dataset)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	*dataset = (struct dataset){.path = strdup(path), .file = -1, .cases = -1};
	hdf5_quiet();
	if (!dataset->path) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto failed;
	}
	if (open_file(dataset, err) || read_head(dataset, err) || read_spec(dataset, err) || read_index(dataset, err))
		goto failed;
	const struct hdf5_place place = place_of(dataset, "");
	dataset->cases = open_member(dataset->file, "cases", H5O_TYPE_GROUP, &place, err);
	if (dataset->cases < 0)
		goto failed;
	*out = dataset;
	return 0;
failed:
	dataset_close(dataset);
	return -1;
}

size_t dataset_count(const struct dataset *dataset)
{
	return dataset->count;
}

const char *dataset_case_name(const struct dataset *dataset, size_t index)
{
	return dataset->names + index * dataset->name_size;
}

const char *dataset_spec(const struct dataset *dataset)
{
	return dataset->spec;
}

int64_t dataset_schema(const struct dataset *dataset)
{
	return dataset->schema;
}

void dataset_close(struct dataset *dataset)
{
	if (!dataset)
		return;
	hdf5_close(dataset->cases);
	hdf5_close(dataset->file);
	free(dataset->names);
	free(dataset->spec);
	free(dataset->path);
	free(dataset);
}

/* ---- a case ---- */

struct reading {
	const struct hdf5_place *place;
	struct test_case *test;
	int with_data;
	enum tensor_role role;
	struct error *err;
};

static int required(int found, const char *name, const struct hdf5_place *place, struct error *err)
{
	return found == READ_ABSENT ? place_error(place, err, "has no attribute '%s'", name) : found;
}

/* For H5Aiterate2: negative stops with a failure. */
static herr_t take_attribute(hid_t group, const char *name, const H5A_info_t *info, void *context)
{
	const struct reading *reading = context;
	struct error *err = reading->err;
	(void)info;
	if (strcmp(name, "name") == 0 || strcmp(name, "family") == 0 || strcmp(name, "seed") == 0)
		return 0;
	const hid_t attribute = H5Aopen(group, name, H5P_DEFAULT);
	const hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
	const H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
	hdf5_close(type);
	hdf5_close(attribute);
	int64_t integer;
	double real;
	char text[sizeof reading->test->attributes[0].text];
	int failed;
	switch (class) {
	case H5T_INTEGER:
		failed = required(read_int(group, name, &integer, reading->place, err), name, reading->place, err) ||
			 case_set_int(reading->test, name, integer, err);
		break;
	case H5T_FLOAT:
		failed = required(read_real(group, name, &real, reading->place, err), name, reading->place, err) ||
			 case_set_real(reading->test, name, real, err);
		break;
	case H5T_STRING:
		failed = required(read_text(group, name, text, sizeof text, reading->place, err), name, reading->place, err) ||
			 case_set_text(reading->test, name, text, err);
		break;
	default:
		failed = place_error(reading->place, err, "attribute '%.64s' is no number and no text", name);
	}
	if (failed && err && err->kind == ERROR_INTERNAL) /* a table of ours is full: the file's fault here */
		err->kind = ERROR_INPUT;
	return failed ? -1 : 0;
}

static int read_attributes(const struct reading *reading, hid_t group, const char *expected_name)
{
	struct test_case *test = reading->test;
	unsigned order = 0;
	if (required(read_text(group, "name", test->name, sizeof test->name, reading->place, reading->err), "name", reading->place,
		     reading->err) ||
	    required(read_text(group, "family", test->family, sizeof test->family, reading->place, reading->err), "family",
		     reading->place, reading->err) ||
	    required(read_unsigned(group, "seed", &test->seed, reading->place, reading->err), "seed", reading->place, reading->err))
		return -1;
	if (strcmp(test->name, expected_name) != 0)
		return place_error(reading->place, reading->err, "the index gives this name, the case itself '%s'", test->name);
	const hid_t creation = H5Gget_create_plist(group);
	if (creation >= 0)
		H5Pget_attr_creation_order(creation, &order);
	hdf5_close(creation);
	hsize_t at = 0;
	struct reading again = *reading;
	struct error quiet = {0};
	again.err = reading->err ? reading->err : &quiet;
	again.err->kind = ERROR_NONE;
	if (H5Aiterate2(group, order & H5P_CRT_ORDER_TRACKED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME, H5_ITER_INC, &at, take_attribute,
			&again) < 0)
		return again.err->kind ? -1 : place_hdf5_error(reading->place, reading->err, "its attributes cannot be read");
	return 0;
}

/* Shape, storage and type; *length is the number of elements stored. */
static struct tensor *describe_tensor(const struct reading *reading, hid_t dataset, const char *name, enum dtype dtype)
{
	const struct hdf5_place *place = reading->place;
	struct error *err = reading->err;
	int64_t rank, extent, dims[TENSOR_RANK_MAX], strides[TENSOR_RANK_MAX];
	char generator[sizeof reading->test->tensors[0].generator];
	if (required(read_int(dataset, "rank", &rank, place, err), "rank", place, err))
		return NULL;
	if (rank < 0 || rank > TENSOR_RANK_MAX) {
		place_error(place, err, "has rank %lld, outside 0 to %d", (long long)rank, TENSOR_RANK_MAX);
		return NULL;
	}
	if (rank && (required(read_ints(dataset, "dims", dims, (int)rank, place, err), "dims", place, err) ||
		     required(read_ints(dataset, "strides", strides, (int)rank, place, err), "strides", place, err)))
		return NULL;
	const int has_extent = read_int(dataset, "extent", &extent, place, err);
	if (has_extent < 0 || read_text(dataset, "generator", generator, sizeof generator, place, err) < 0)
		return NULL;
	struct error cause = {0};
	struct tensor *tensor = case_add_tensor(reading->test, name, reading->role, dtype, (int)rank, dims, strides, &cause);
	if (!tensor) {
		place_error(place, err, "%s", cause.message);
		return NULL;
	}
	memcpy(tensor->generator, generator, sizeof generator);
	if (has_extent == READ_ABSENT)
		return tensor;
	int64_t bytes;
	if (extent < tensor->extent || __builtin_mul_overflow(extent, (int64_t)dtype_size(dtype), &bytes)) {
		place_error(place, err, "has an extent of %lld elements, but its shape reaches over %lld", (long long)extent,
			    (long long)tensor->extent);
		return NULL;
	}
	tensor->extent = extent;
	return tensor;
}

static int read_data(const struct reading *reading, hid_t dataset, hid_t type, size_t length, struct tensor *tensor)
{
	const int shape_only = tensor->role == TENSOR_OUTPUT && length == 0;
	if (shape_only)
		return 0;
	if (length != (size_t)tensor->extent)
		return place_error(reading->place, reading->err, "its storage has %lld elements, but %zu are stored",
				   (long long)tensor->extent, length);
	if (!reading->with_data)
		return 0;
	if (tensor_allocate(tensor, reading->err))
		return -1;
	if (length && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor->data) < 0)
		return place_hdf5_error(reading->place, reading->err, "its data cannot be read");
	return 0;
}

static int read_tensor(const struct reading *reading, hid_t group, const char *name)
{
	const struct hdf5_place *place = reading->place;
	struct error *err = reading->err;
	char storage[sizeof reading->test->tensors[0].storage];
	hsize_t dims[H5S_MAX_RANK];
	hid_t type = -1;
	size_t length;
	int rank, result = -1;
	const hid_t dataset = open_member(group, name, H5O_TYPE_DATASET, place, err);
	if (dataset < 0)
		return -1;
	type = H5Dget_type(dataset);
	const enum dtype dtype = type < 0 ? DTYPE_INVALID : hdf5_dtype_of(type);
	if (dtype == DTYPE_INVALID) {
		place_error(place, err, "has a type that is none of f16, bf16, f32, f64, u8, i32, u32, i64 (little-endian)");
		goto done;
	}
	if (check_dataset(dataset, dtype_size(dtype), &rank, dims, &length, place, err))
		goto done;
	if (rank != 1) {
		place_error(place, err, "is stored with %d axes, not one", rank);
		goto done;
	}
	struct tensor *tensor = describe_tensor(reading, dataset, name, dtype);
	if (!tensor)
		goto done;
	const int shares = read_text(dataset, "storage", storage, sizeof storage, place, err);
	if (shares < 0)
		goto done;
	if (shares == READ_ABSENT) {
		result = read_data(reading, dataset, type, length, tensor);
		goto done;
	}
	/* joined to its owner once all tensors are there */
	if (length) {
		place_error(place, err, "shares the storage of '%s' and yet has data of its own", storage);
		goto done;
	}
	if (required(read_int(dataset, "offset", &tensor->offset, place, err), "offset", place, err))
		goto done;
	memcpy(tensor->storage, storage, sizeof storage);
	result = 0;
done:
	hdf5_close(type);
	hdf5_close(dataset);
	return result;
}

struct link_names {
	int count, too_many;
	char names[CASE_TENSORS_MAX][32];
};

static herr_t take_link(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
	struct link_names *links = context;
	(void)group;
	(void)info;
	if (links->count == CASE_TENSORS_MAX || strlen(name) >= sizeof links->names[0]) {
		links->too_many = 1;
		return -1;
	}
	memcpy(links->names[links->count++], name, strlen(name) + 1);
	return 0;
}

static int read_tensors(const struct dataset *dataset, const struct reading *reading, hid_t parent, const char *group_name)
{
	struct link_names links = {0};
	unsigned order = 0;
	hsize_t at = 0;
	int result = -1;
	if (!has_member(parent, group_name))
		return 0;
	const hid_t group = open_member(parent, group_name, H5O_TYPE_GROUP, reading->place, reading->err);
	if (group < 0)
		return -1;
	const hid_t creation = H5Gget_create_plist(group);
	if (creation >= 0)
		H5Pget_link_creation_order(creation, &order);
	hdf5_close(creation);
	if (H5Literate(group, order & H5P_CRT_ORDER_TRACKED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME, H5_ITER_INC, &at, take_link,
		       &links) < 0) {
		if (links.too_many)
			place_error(reading->place, reading->err, "group '%s' has more than %d tensors, or one with too long a name",
				    group_name, CASE_TENSORS_MAX);
		else
			place_hdf5_error(reading->place, reading->err, "group '%s' cannot be read", group_name);
		goto done;
	}
	for (int i = 0; i < links.count; i++) {
		char where[CASE_NAME_MAX + 64];
		snprintf(where, sizeof where, "%s, %s/%s", reading->place->where, group_name, links.names[i]);
		const struct hdf5_place place = place_of(dataset, where);
		struct reading inner = *reading;
		inner.place = &place;
		if (read_tensor(&inner, group, links.names[i]))
			goto done;
	}
	result = 0;
done:
	hdf5_close(group);
	return result;
}

/* The names of owners were only noted down: checks them against the owners' extents, types and roles. */
static int join_storage(const struct reading *reading)
{
	struct test_case *test = reading->test;
	for (int i = 0; i < test->tensor_count; i++) {
		struct tensor *tensor = &test->tensors[i];
		struct error cause = {0};
		char owner[sizeof tensor->storage];
		if (!tensor->storage[0])
			continue;
		memcpy(owner, tensor->storage, sizeof owner);
		if (case_share_storage(test, tensor, owner, tensor->offset, &cause))
			return error_set(reading->err, ERROR_INPUT, "%s: %s", reading->place->file, cause.message);
	}
	return 0;
}

int dataset_read(const struct dataset *dataset, size_t index, int with_data, struct test_case *test, struct error *err)
{
	static const struct { enum tensor_role role; const char *group; } parts[] = {
		{TENSOR_INPUT, "inputs"}, {TENSOR_OUTPUT, "outputs"}, {TENSOR_EXPECTED, "expected"}};
	char where[CASE_NAME_MAX + 16], number[24];
	int result = -1;
	*test = (struct test_case){0};
	if (index >= dataset->count)
		return error_set(err, ERROR_INTERNAL, "%s: has no case number %zu", dataset->path, index);
	snprintf(where, sizeof where, "case '%s'", dataset_case_name(dataset, index));
	snprintf(number, sizeof number, "%05zu", index);
	const struct hdf5_place place = place_of(dataset, where);
	struct reading reading = {.place = &place, .test = test, .with_data = with_data, .err = err};
	const hid_t group = open_member(dataset->cases, number, H5O_TYPE_GROUP, &place, err);
	if (group < 0)
		return -1;
	if (read_attributes(&reading, group, dataset_case_name(dataset, index)))
		goto done;
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		reading.role = parts[i].role;
		if (read_tensors(dataset, &reading, group, parts[i].group))
			goto done;
	}
	result = join_storage(&reading);
done:
	hdf5_close(group);
	if (result)
		case_free(test);
	return result;
}
