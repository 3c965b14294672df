#include "dataset/import.h"

#include "core/util.h"
#include "dataset/hdf5_access.h"
#include "dataset/store.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	HEADER_MAX = 100000000, /* bytes of a safetensors header: the limit of the format's own reader */
	NPY_HEADER_MAX = 65536, /* a header of the three keys needs a few hundred bytes */
	KEYS_SHOWN = 8
};

static uint64_t little_endian(const unsigned char *bytes, int count)
{
	uint64_t value = 0;
	while (count-- > 0)
		value = value << 8 | bytes[count];
	return value;
}

/* Fills *tensor but for its data; the name is what stands behind the last '/' (or '.', in keys) of `from`. */
static int describe(struct tensor *tensor, const char *from, const char *separators, enum dtype dtype, int rank,
		    const int64_t *dims, const char *source, struct error *err)
{
	struct test_case holder = {0};
	struct error cause = {0};
	char name[sizeof tensor->name];
	for (const char *at = from; *at; at++)
		if (strchr(separators, *at) && at[1])
			from = at + 1;
	snprintf(name, sizeof name, "%s", *from ? from : "tensor");
	for (char *at = name; *at; at++)
		if (*at <= ' ' || *at > '~' || *at == '/')
			*at = '_';
	const struct tensor *made = case_add_tensor(&holder, name, TENSOR_INPUT, dtype, rank, dims, NULL, &cause);
	if (!made)
		return error_set(err, ERROR_INPUT, "%s: %s", source, cause.message);
	*tensor = *made;
	snprintf(tensor->generator, sizeof tensor->generator, "import");
	return 0;
}

/* Copies `size` bytes, which must be what the shape asks for. */
static int take_bytes(struct tensor *tensor, const unsigned char *bytes, size_t size, const char *source, struct error *err)
{
	size_t needed;
	if (tensor_bytes(tensor, &needed) || needed != size)
		return error_set(err, ERROR_INPUT, "%s: the shape needs %zu bytes of data, but there are %zu; is the file cut short?",
				 source, (size_t)tensor->extent * dtype_size(tensor->dtype), size);
	if (tensor_allocate(tensor, err))
		return error_context(err, "%s", source);
	if (size)
		memcpy(tensor->data, bytes, size);
	return 0;
}

/* ---- .npy ---- */

/* A reader of the header, a Python dictionary of three keys: a text, a boolean and a tuple of whole numbers. */
struct npy_header {
	const char *at, *end;
	char descr[16];
	int fortran_order, rank;
	int64_t dims[TENSOR_RANK_MAX];
	int seen; /* bits: descr, fortran_order, shape */
};

static void skip_blanks(struct npy_header *header)
{
	while (header->at < header->end && (*header->at == ' ' || *header->at == '\n' || *header->at == '\t'))
		header->at++;
}

static int take_char(struct npy_header *header, char wanted)
{
	skip_blanks(header);
	if (header->at == header->end || *header->at != wanted)
		return -1;
	header->at++;
	return 0;
}

static int take_word(struct npy_header *header, const char *word)
{
	const size_t length = strlen(word);
	skip_blanks(header);
	if ((size_t)(header->end - header->at) < length || memcmp(header->at, word, length) != 0)
		return -1;
	header->at += length;
	return 0;
}

static int take_string(struct npy_header *header, char *out, size_t size)
{
	skip_blanks(header);
	if (header->at == header->end || (*header->at != '\'' && *header->at != '"'))
		return -1;
	const char quote = *header->at++;
	size_t length = 0;
	while (header->at < header->end && *header->at != quote) {
		if (length + 1 >= size)
			return -1;
		out[length++] = *header->at++;
	}
	out[length] = '\0';
	return take_char(header, quote);
}

static int take_shape(struct npy_header *header, const char *source, struct error *err)
{
	if (take_char(header, '('))
		return -1;
	for (header->rank = 0; take_char(header, ')'); header->rank++) {
		int64_t length = 0;
		int digits = 0;
		skip_blanks(header);
		for (; header->at < header->end && *header->at >= '0' && *header->at <= '9'; header->at++, digits++)
			if (__builtin_mul_overflow(length, 10, &length) || __builtin_add_overflow(length, *header->at - '0', &length))
				return error_set(err, ERROR_INPUT, "%s: an axis is longer than a 64-bit number can say", source);
		if (digits == 0)
			return -1;
		if (header->rank == TENSOR_RANK_MAX)
			return error_set(err, ERROR_INPUT, "%s: has more than %d axes; reshape it", source, TENSOR_RANK_MAX);
		header->dims[header->rank] = length;
		if (take_char(header, ',')) {
			header->rank++;
			return take_char(header, ')');
		}
	}
	return 0;
}

static int parse_npy_header(struct npy_header *header, const char *source, struct error *err)
{
	struct error cause = {0};
	if (take_char(header, '{'))
		goto malformed;
	while (take_char(header, '}')) {
		char key[16];
		if (take_string(header, key, sizeof key) || take_char(header, ':'))
			goto malformed;
		const int bit = strcmp(key, "descr") == 0 ? 1 : strcmp(key, "fortran_order") == 0 ? 2 : strcmp(key, "shape") == 0 ? 4 : 0;
		if (!bit || header->seen & bit)
			goto malformed;
		header->seen |= bit;
		if (bit == 1 && take_string(header, header->descr, sizeof header->descr)) {
			if (take_char(header, '['))
				goto malformed;
			error_set(&cause, ERROR_INPUT, "%s: its elements are records, not numbers; save one field", source);
			goto malformed;
		}
		if (bit == 2) {
			header->fortran_order = take_word(header, "True") == 0;
			if (!header->fortran_order && take_word(header, "False"))
				goto malformed;
		}
		if (bit == 4 && take_shape(header, source, &cause))
			goto malformed;
		if (take_char(header, ',')) {
			if (take_char(header, '}'))
				goto malformed;
			break;
		}
	}
	skip_blanks(header);
	if (header->at == header->end && header->seen == 7)
		return 0;
malformed:
	if (cause.kind)
		return error_set(err, cause.kind, "%s", cause.message);
	return error_set(err, ERROR_INPUT, "%s: its header is no dictionary of descr, fortran_order and shape; save it with numpy.save",
			 source);
}

static enum dtype npy_dtype(const char *descr, int as_bf16)
{
	static const char *const two_bytes[] = {"<V2", "|V2", "<u2", "<i2"};
	if (!as_bf16)
		return strcmp(descr, "<f2") == 0   ? DTYPE_F16
		       : strcmp(descr, "<f4") == 0 ? DTYPE_F32
		       : strcmp(descr, "<f8") == 0 ? DTYPE_F64
						   : DTYPE_INVALID;
	for (size_t i = 0; i < ARRAY_COUNT(two_bytes); i++)
		if (strcmp(descr, two_bytes[i]) == 0)
			return DTYPE_BF16;
	return DTYPE_INVALID;
}

static int import_npy(struct tensor *tensor, const char *path, int as_bf16, struct error *err)
{
	struct file_map map;
	char stem[256];
	int result = -1;
	if (file_map_open(&map, path, err))
		return -1;
	if (map.size < 10 || memcmp(map.data, "\x93NUMPY", 6) != 0) {
		error_set(err, ERROR_INPUT, "%s: is no .npy file, or a cut one; save it with numpy.save", path);
		goto done;
	}
	const int major = map.data[6];
	const size_t prefix = major == 1 ? 10 : 12;
	if (major < 1 || major > 3) {
		error_set(err, ERROR_INPUT, "%s: is of format %d, but 1 to 3 are known; save it with numpy.save", path, major);
		goto done;
	}
	const uint64_t length = map.size < prefix ? UINT64_MAX : little_endian(map.data + 8, major == 1 ? 2 : 4);
	if (length > NPY_HEADER_MAX || length > map.size - prefix) {
		error_set(err, ERROR_INPUT, "%s: its header does not fit into the file; is it cut short?", path);
		goto done;
	}
	const char *text = (const char *)map.data + prefix;
	struct npy_header header = {.at = text, .end = text + length};
	if (parse_npy_header(&header, path, err))
		goto done;
	const enum dtype dtype = npy_dtype(header.descr, as_bf16);
	if (dtype == DTYPE_INVALID) {
		error_set(err, ERROR_INPUT, "%s: holds elements of type '%s'; %s", path, header.descr,
			  as_bf16 ? "with :bf16 they must have two bytes ('<V2', '|V2', '<u2', '<i2')"
				  : "save it as float16, float32 or float64 (little-endian), or say FILE.npy:bf16 for two-byte elements "
				    "that are bfloat16");
		goto done;
	}
	if (header.fortran_order && header.rank > 1) {
		error_set(err, ERROR_INPUT, "%s: is in Fortran order; save numpy.ascontiguousarray of it", path);
		goto done;
	}
	snprintf(stem, sizeof stem, "%.*s", (int)(strlen(path_base(path)) - strlen(".npy")), path_base(path));
	if (describe(tensor, stem, "", dtype, header.rank, header.dims, path, err))
		goto done;
	result = take_bytes(tensor, map.data + prefix + length, map.size - prefix - (size_t)length, path, err);
done:
	file_map_close(&map);
	return result;
}

/* ---- .safetensors ---- */

static int no_such_key(json_t *root, const char *path, const char *key, struct error *err)
{
	struct text known = {0};
	const char *name;
	json_t *value;
	int shown = 0;
	json_object_foreach(root, name, value) {
		if (strcmp(name, "__metadata__") == 0)
			continue;
		if (shown++ == KEYS_SHOWN) {
			text_append(&known, ", ...");
			break;
		}
		text_append(&known, "%s%.60s", shown > 1 ? ", " : "", name);
	}
	error_set(err, ERROR_INPUT, "%s: has no tensor '%.80s'; it has: %s", path, key, known.data && !known.failed ? known.data : "none");
	text_free(&known);
	return -1;
}

static enum dtype safetensors_dtype(const char *name)
{
	static const struct { const char *name; enum dtype dtype; } types[] = {
		{"F16", DTYPE_F16}, {"BF16", DTYPE_BF16}, {"F32", DTYPE_F32}, {"F64", DTYPE_F64}};
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].dtype;
	return DTYPE_INVALID;
}

/* A whole number that is not negative, or -1. */
static int64_t json_length(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 ? (int64_t)json_integer_value(value) : -1;
}

static int import_entry(struct tensor *tensor, json_t *entry, const char *key, const char *source, const unsigned char *data,
			size_t size, struct error *err)
{
	const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
	const char *type = json_string_value(json_object_get(entry, "dtype"));
	const int64_t begin = json_length(json_array_get(offsets, 0)), end = json_length(json_array_get(offsets, 1));
	int64_t dims[TENSOR_RANK_MAX];
	if (!type || !json_is_array(shape) || json_array_size(offsets) != 2)
		return error_set(err, ERROR_INPUT, "%s: its entry lacks dtype, shape or data_offsets", source);
	const enum dtype dtype = safetensors_dtype(type);
	if (dtype == DTYPE_INVALID)
		return error_set(err, ERROR_INPUT, "%s: is of type %.16s; F16, BF16, F32 and F64 can be taken", source, type);
	if (json_array_size(shape) > TENSOR_RANK_MAX)
		return error_set(err, ERROR_INPUT, "%s: has %zu axes, more than %d; reshape it", source, json_array_size(shape),
				 TENSOR_RANK_MAX);
	for (size_t axis = 0; axis < json_array_size(shape); axis++) {
		dims[axis] = json_length(json_array_get(shape, axis));
		if (dims[axis] < 0)
			return error_set(err, ERROR_INPUT, "%s: the length of axis %zu is no whole number", source, axis);
	}
	if (begin < 0 || end < begin || (uint64_t)end > size)
		return error_set(err, ERROR_INPUT, "%s: its data lie outside the file; is the file cut short?", source);
	if (describe(tensor, key, "./", dtype, (int)json_array_size(shape), dims, source, err))
		return -1;
	return take_bytes(tensor, data + begin, (size_t)(end - begin), source, err);
}

static int import_safetensors(struct tensor *tensor, const char *source, const char *path, const char *key, struct error *err)
{
	struct file_map map;
	json_t *root = NULL;
	json_error_t cause;
	int result = -1;
	if (file_map_open(&map, path, err))
		return -1;
	const uint64_t length = map.size < 8 ? UINT64_MAX : little_endian(map.data, 8);
	if (length > HEADER_MAX || length > map.size - 8) {
		error_set(err, ERROR_INPUT, "%s: is no .safetensors file, or a cut one: its header does not fit into it", path);
		goto done;
	}
	root = json_loadb((const char *)map.data + 8, (size_t)length, JSON_REJECT_DUPLICATES, &cause);
	if (!json_is_object(root)) {
		error_set(err, ERROR_INPUT, "%s: its header is no JSON object: %s", path, root ? "it is something else" : cause.text);
		goto done;
	}
	json_t *entry = json_object_get(root, key);
	if (!json_is_object(entry) || strcmp(key, "__metadata__") == 0)
		no_such_key(root, path, key, err);
	else
		result = import_entry(tensor, entry, key, source, map.data + 8 + length, map.size - 8 - (size_t)length, err);
done:
	json_decref(root);
	file_map_close(&map);
	return result;
}

/* ---- HDF5 ---- */

/* Follows `path` from the root, one hard link after another. */
static hid_t open_by_path(hid_t file, const char *path, const struct hdf5_place *place, struct error *err)
{
	char component[256];
	hid_t group = H5Gopen2(file, "/", H5P_DEFAULT);
	if (group < 0)
		return place_hdf5_error(place, err, "has no root group that can be read");
	path += strspn(path, "/");
	while (*path) {
		const size_t length = strcspn(path, "/");
		const size_t slashes = strspn(path + length, "/");
		const H5O_type_t type = path[length + slashes] ? H5O_TYPE_GROUP : H5O_TYPE_DATASET;
		hid_t next = -1;
		if (length < sizeof component) {
			memcpy(component, path, length);
			component[length] = '\0';
			next = open_member(group, component, type, place, err);
		} else {
			place_error(place, err, "a name in the path has more than %zu bytes", sizeof component - 1);
		}
		hdf5_close(group);
		if (next < 0 || type == H5O_TYPE_DATASET)
			return next;
		group = next;
		path += length + slashes;
	}
	hdf5_close(group);
	return place_error(place, err, "names no dataset; write FILE.h5:/group/name");
}

static int read_hdf5(struct tensor *tensor, hid_t dataset, const char *name, const struct hdf5_place *place, const char *source,
		     struct error *err)
{
	const hid_t file_type = H5Dget_type(dataset);
	hid_t memory_type = -1;
	hsize_t lengths[H5S_MAX_RANK];
	int64_t dims[TENSOR_RANK_MAX];
	size_t elements;
	int rank, result = -1;
	const size_t size = file_type < 0 ? 0 : H5Tget_size(file_type);
	if (size == 0 || H5Tget_class(file_type) != H5T_FLOAT || size > 8) {
		place_error(place, err, "holds no floating-point numbers of up to 8 bytes; convert it");
		goto done;
	}
	enum dtype dtype = hdf5_dtype_of(file_type);
	if (dtype == DTYPE_INVALID)
		dtype = size <= 4 ? DTYPE_F32 : DTYPE_F64;
	if (check_dataset(dataset, size, &rank, lengths, &elements, place, err))
		goto done;
	if (rank > TENSOR_RANK_MAX) {
		place_error(place, err, "has %d axes, more than %d; reshape it", rank, TENSOR_RANK_MAX);
		goto done;
	}
	for (int axis = 0; axis < rank; axis++)
		dims[axis] = lengths[axis] > INT64_MAX ? -1 : (int64_t)lengths[axis]; /* describe refuses -1 */
	if (describe(tensor, name, "/", dtype, rank, dims, source, err) || tensor_allocate(tensor, err))
		goto done;
	memory_type = hdf5_type_of(dtype);
	if (elements && (memory_type < 0 ||
			 H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor->data) < 0)) {
		place_hdf5_error(place, err, "its data cannot be read");
		goto done;
	}
	result = 0;
done:
	hdf5_close(memory_type);
	hdf5_close(file_type);
	return result;
}

static int import_hdf5(struct tensor *tensor, const char *source, const char *path, const char *name, struct error *err)
{
	struct stat status;
	int result = -1;
	hdf5_quiet();
	if (stat(path, &status))
		return error_set(err, ERROR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
	const struct hdf5_place place = {.file = path, .where = name, .file_size = status.st_size};
	const hid_t access = hdf5_file_access();
	const hid_t file = access < 0 ? -1 : H5Fopen(path, H5F_ACC_RDONLY, access);
	hid_t dataset = -1;
	if (file < 0)
		hdf5_error_set(err, "%s: is no HDF5 file, or a damaged one", path);
	else
		dataset = open_by_path(file, name, &place, err);
	if (dataset >= 0)
		result = read_hdf5(tensor, dataset, name, &place, source, err);
	hdf5_close(dataset);
	hdf5_close(file);
	hdf5_close(access);
	return result;
}

/* ---- which ---- */

int import_tensor(struct tensor *tensor, const char *source, struct error *err)
{
	static const char *const containers[] = {".safetensors:", ".h5:", ".hdf5:", ".hdf:"};
	const size_t length = strlen(source);
	static const char npy[] = ".npy", npy_bf16[] = ".npy:bf16";
	const size_t npy_length = strlen(npy), bf16_length = strlen(npy_bf16);
	const int is_npy = length > npy_length && strcmp(source + length - npy_length, npy) == 0;
	const int is_bf16 = length > bf16_length && strcmp(source + length - bf16_length, npy_bf16) == 0;
	const char *found = NULL, *inner = NULL;
	int safetensors = 0, result = -1;

	*tensor = (struct tensor){0};
	for (size_t i = 0; i < ARRAY_COUNT(containers) && !(is_npy || is_bf16); i++) {
		const char *at = strstr(source, containers[i]);
		if (at && (!found || at < found)) {
			found = at;
			inner = at + strlen(containers[i]);
			safetensors = i == 0;
		}
	}
	if (!is_npy && !is_bf16 && !found)
		return error_set(err, ERROR_USAGE, "'%s' names no tensor; write FILE.npy, FILE.npy:bf16, FILE.safetensors:KEY or "
				 "FILE.h5:/GROUP/NAME", source);
	const char *end = is_npy ? source + length : is_bf16 ? source + length - strlen(":bf16") : inner - 1;
	char *path = copy_text(source, (size_t)(end - source));
	if (!path)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (is_npy || is_bf16)
		result = import_npy(tensor, path, is_bf16, err);
	else if (safetensors)
		result = import_safetensors(tensor, source, path, inner, err);
	else
		result = import_hdf5(tensor, source, path, inner, err);
	if (result) {
		free(tensor->data);
		*tensor = (struct tensor){0};
	}
	free(path);
	return result;
}
