#include "dataset/hdf5_access.h"

#include "core/util.h"
#include "dataset/store.h"

#include <stdarg.h>
#include <string.h>

enum {
	CHUNK_MAX = 64 << 20, /* bytes: one is held in memory while it is read */
	DEFLATE_RATIO = 1100  /* deflate makes at most 1032 bytes of one (zlib's technical notes) */
};

/* ---- errors ---- */

static herr_t keep_first(unsigned n, const H5E_error2_t *entry, void *context)
{
	const char **innermost = context;
	if (n == 0)
		*innermost = entry->desc;
	return 0;
}

static void innermost_message(char *message, size_t size)
{
	const char *innermost = NULL;
	H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &innermost);
	if (!innermost || !*innermost)
		innermost = "HDF5 gives no cause";
	/* the file driver reports time, descriptor, buffer and more over two lines; what the system said is enough */
	static const char quote[] = "error message = '";
	const char *said = strstr(innermost, quote);
	if (said) {
		said += strlen(quote);
		snprintf(message, size, "%.*s", (int)strcspn(said, "'"), said);
		return;
	}
	snprintf(message, size, "%s", innermost);
	for (char *at = message; *at; at++)
		if (*at == '\n')
			*at = ' ';
}

int hdf5_error_set(struct error *err, const char *format, ...)
{
	char cause[256], message[768];
	va_list args;
	innermost_message(cause, sizeof cause);
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	return error_set(err, ERROR_INPUT, "%s: %s", message, cause);
}

static int place_error_list(const struct hdf5_place *place, struct error *err, const char *cause, const char *format,
			    va_list args)
{
	char message[400];
	vsnprintf(message, sizeof message, format, args);
	return error_set(err, ERROR_INPUT, "%s: %s%s%s%s%s", place->file, place->where, *place->where ? ": " : "", message,
			 *cause ? ": " : "", cause);
}

int place_error(const struct hdf5_place *place, struct error *err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	place_error_list(place, err, "", format, args);
	va_end(args);
	return -1;
}

int place_hdf5_error(const struct hdf5_place *place, struct error *err, const char *format, ...)
{
	char cause[256];
	va_list args;
	innermost_message(cause, sizeof cause);
	va_start(args, format);
	place_error_list(place, err, cause, format, args);
	va_end(args);
	return -1;
}

void hdf5_quiet(void)
{
	H5dont_atexit(); /* fails, without harm, when the library is in use already */
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	H5PLset_loading_state(0);
}

void hdf5_thread_ends(void)
{
	H5Eclear2(H5E_DEFAULT);
}

/* ---- ids and types ---- */

void hdf5_close(hid_t id)
{
	if (id < 0)
		return;
	const hid_t errors = H5Eget_current_stack();
	switch (H5Iget_type(id)) {
	case H5I_FILE:
		H5Fclose(id);
		break;
	case H5I_GROUP:
		H5Gclose(id);
		break;
	case H5I_DATATYPE:
		H5Tclose(id);
		break;
	case H5I_DATASPACE:
		H5Sclose(id);
		break;
	case H5I_DATASET:
		H5Dclose(id);
		break;
	case H5I_ATTR:
		H5Aclose(id);
		break;
	default: /* property lists have classes of their own */
		H5Pclose(id);
	}
	if (errors >= 0)
		H5Eset_current_stack(errors); /* closes it */
}

hid_t hdf5_file_access(void)
{
	const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	if (access < 0)
		return -1;
	if (H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
	    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0) {
		H5Pclose(access);
		return -1;
	}
	return access;
}

/* A float type of 8 or 16 bits with its sign in the highest. */
static hid_t float_type(size_t bits, size_t exponent_bits)
{
	const size_t mantissa_bits = bits - 1 - exponent_bits;
	const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
	if (type < 0)
		return -1;
	/* fields first: the precision cannot shrink below them */
	if (H5Tset_fields(type, bits - 1, mantissa_bits, exponent_bits, 0, mantissa_bits) < 0 ||
	    H5Tset_precision(type, bits) < 0 || H5Tset_size(type, bits / 8) < 0 || H5Tset_ebias(type, (1u << (exponent_bits - 1)) - 1) < 0) {
		H5Tclose(type);
		return -1;
	}
	return type;
}

int64_t hdf5_type_of(enum dtype type)
{
	switch (type) {
	case DTYPE_F16:
		return float_type(16, 5);
	case DTYPE_BF16:
		return float_type(16, 8);
	case DTYPE_F32:
		return H5Tcopy(H5T_IEEE_F32LE);
	case DTYPE_F64:
		return H5Tcopy(H5T_IEEE_F64LE);
	case DTYPE_U8:
		return H5Tcopy(H5T_STD_U8LE);
	case DTYPE_I32:
		return H5Tcopy(H5T_STD_I32LE);
	case DTYPE_U32:
		return H5Tcopy(H5T_STD_U32LE);
	case DTYPE_I64:
		return H5Tcopy(H5T_STD_I64LE);
	case DTYPE_I16:
		return H5Tcopy(H5T_STD_I16LE);
	case DTYPE_F8_E4M3:
		return float_type(8, 4);
	default:
		return -1;
	}
}

enum dtype hdf5_dtype_of(int64_t hdf5_type)
{
	for (int type = DTYPE_INVALID + 1; type < DTYPE_COUNT; type++) {
		const hid_t ours = hdf5_type_of((enum dtype)type);
		const int same = ours >= 0 && H5Tequal(ours, hdf5_type) > 0;
		hdf5_close(ours);
		if (same)
			return (enum dtype)type;
	}
	return DTYPE_INVALID;
}

/* ---- attributes ---- */

static int write_attribute(hid_t object, const char *name, hid_t type, hid_t space, const void *value)
{
	const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
	if (attribute < 0)
		return -1;
	const int result = H5Awrite(attribute, type, value) < 0 ? -1 : 0;
	hdf5_close(attribute);
	return result;
}

static int write_scalar(hid_t object, const char *name, hid_t type, const void *value)
{
	const hid_t space = H5Screate(H5S_SCALAR);
	const int result = space < 0 ? -1 : write_attribute(object, name, type, space, value);
	hdf5_close(space);
	return result;
}

int write_int(hid_t object, const char *name, int64_t value)
{
	return write_scalar(object, name, H5T_STD_I64LE, &value);
}

int write_unsigned(hid_t object, const char *name, uint64_t value)
{
	return write_scalar(object, name, H5T_STD_U64LE, &value);
}

int write_real(hid_t object, const char *name, double value)
{
	return write_scalar(object, name, H5T_IEEE_F64LE, &value);
}

int write_text(hid_t object, const char *name, const char *text)
{
	const size_t length = strlen(text);
	const hid_t type = H5Tcopy(H5T_C_S1);
	int result = -1;
	/* a string of no bytes is no HDF5 type, hence one NUL for "" */
	if (type >= 0 && H5Tset_size(type, length ? length : 1) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 &&
	    H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
		result = write_scalar(object, name, type, text);
	hdf5_close(type);
	return result;
}

int write_ints(hid_t object, const char *name, const int64_t *values, int count)
{
	const hsize_t length = (hsize_t)count;
	const hid_t space = H5Screate_simple(1, &length, NULL);
	const int result = space < 0 ? -1 : write_attribute(object, name, H5T_STD_I64LE, space, values);
	hdf5_close(space);
	return result;
}

/* Reads `count` elements of class `wanted`, at most 8 bytes each, converted to `memory_type`. */
static int read_numbers(hid_t object, const char *name, H5T_class_t wanted, hid_t memory_type, int64_t count, void *values,
			const struct hdf5_place *place, struct error *err)
{
	hid_t attribute = -1, type = -1, space = -1;
	int result = -1;
	const htri_t exists = H5Aexists(object, name);
	if (exists == 0)
		return READ_ABSENT;
	attribute = exists < 0 ? -1 : H5Aopen(object, name, H5P_DEFAULT);
	type = attribute < 0 ? -1 : H5Aget_type(attribute);
	space = attribute < 0 ? -1 : H5Aget_space(attribute);
	if (type < 0 || space < 0) {
		place_hdf5_error(place, err, "attribute '%s' cannot be read", name);
		goto done;
	}
	if (H5Tget_class(type) != wanted || H5Tget_size(type) > 8 || H5Sget_simple_extent_npoints(space) != count) {
		place_error(place, err, "attribute '%s' is not %s", name,
			    count == 1 ? (wanted == H5T_INTEGER ? "a whole number" : "a number") : "a list of the rank's length");
		goto done;
	}
	if (H5Aread(attribute, memory_type, values) < 0)
		place_hdf5_error(place, err, "attribute '%s' cannot be read", name);
	else
		result = 0;
done:
	hdf5_close(space);
	hdf5_close(type);
	hdf5_close(attribute);
	return result;
}

int read_int(hid_t object, const char *name, int64_t *value, const struct hdf5_place *place, struct error *err)
{
	return read_numbers(object, name, H5T_INTEGER, H5T_NATIVE_INT64, 1, value, place, err);
}

int read_unsigned(hid_t object, const char *name, uint64_t *value, const struct hdf5_place *place, struct error *err)
{
	return read_numbers(object, name, H5T_INTEGER, H5T_NATIVE_UINT64, 1, value, place, err);
}

int read_real(hid_t object, const char *name, double *value, const struct hdf5_place *place, struct error *err)
{
	return read_numbers(object, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, 1, value, place, err);
}

int read_ints(hid_t object, const char *name, int64_t *values, int count, const struct hdf5_place *place,
	      struct error *err)
{
	return read_numbers(object, name, H5T_INTEGER, H5T_NATIVE_INT64, count, values, place, err);
}

int read_text(hid_t object, const char *name, char *text, size_t size, const struct hdf5_place *place, struct error *err)
{
	hid_t attribute = -1, type = -1, space = -1;
	int result = -1;
	const htri_t exists = H5Aexists(object, name);
	text[0] = '\0';
	if (exists == 0)
		return READ_ABSENT;
	attribute = exists < 0 ? -1 : H5Aopen(object, name, H5P_DEFAULT);
	type = attribute < 0 ? -1 : H5Aget_type(attribute);
	space = attribute < 0 ? -1 : H5Aget_space(attribute);
	if (type < 0 || space < 0) {
		place_hdf5_error(place, err, "attribute '%s' cannot be read", name);
		goto done;
	}
	const size_t length = H5Tget_size(type);
	if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || length >= size ||
	    H5Sget_simple_extent_npoints(space) != 1) {
		place_error(place, err, "attribute '%s' is not a text of fixed size with at most %zu bytes", name, size - 1);
		goto done;
	}
	if (H5Aread(attribute, type, text) < 0) {
		place_hdf5_error(place, err, "attribute '%s' cannot be read", name);
		goto done;
	}
	text[length] = '\0';
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f) {
			place_error(place, err, "attribute '%s' holds bytes that are no text", name);
			goto done;
		}
	result = 0;
done:
	if (result)
		text[0] = '\0';
	hdf5_close(space);
	hdf5_close(type);
	hdf5_close(attribute);
	return result;
}

/* ---- objects of other people's files ---- */

int has_member(hid_t group, const char *name)
{
	return H5Lexists(group, name, H5P_DEFAULT) > 0;
}

hid_t open_member(hid_t group, const char *name, H5O_type_t type, const struct hdf5_place *place, struct error *err)
{
	H5L_info_t link;
	const char *kind = type == H5O_TYPE_GROUP ? "group" : "dataset";
	if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0)
		return place_hdf5_error(place, err, "there is no %s '%s'", kind, name);
	if (link.type != H5L_TYPE_HARD)
		return place_error(place, err, "'%s' is a soft or external link; copy what it leads to into this file", name);
	const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
	if (object < 0)
		return place_hdf5_error(place, err, "the %s '%s' cannot be opened", kind, name);
	const H5I_type_t opened = H5Iget_type(object);
	if (opened != (type == H5O_TYPE_GROUP ? H5I_GROUP : H5I_DATASET)) {
		hdf5_close(object);
		return place_error(place, err, "'%s' is not a %s", name, kind);
	}
	return object;
}

/* Filters, chunks and external files of a dataset; *deflated tells whether the stored bytes may stand for more. */
static int check_creation(hid_t creation, size_t element_size, int *deflated, const struct hdf5_place *place,
			  struct error *err)
{
	const H5D_layout_t layout = H5Pget_layout(creation);
	*deflated = 0;
	if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
		return place_error(place, err, "its data lie in other files or datasets; copy them into this one");
	if (layout == H5D_CONTIGUOUS && H5Pget_external_count(creation) != 0)
		return place_error(place, err, "its data lie in other files; copy them into this one");
	if (layout != H5D_CHUNKED)
		return 0;
	hsize_t chunk[H5S_MAX_RANK];
	size_t bytes = element_size;
	const int rank = H5Pget_chunk(creation, H5S_MAX_RANK, chunk);
	if (rank < 0 || rank > H5S_MAX_RANK)
		return place_hdf5_error(place, err, "its chunks cannot be read");
	for (int axis = 0; axis < rank; axis++)
		if (size_mul(bytes, (size_t)chunk[axis], &bytes) || bytes > CHUNK_MAX)
			return place_error(place, err, "it has chunks of more than %d MiB; store it in smaller ones", CHUNK_MAX >> 20);
	const int filters = H5Pget_nfilters(creation);
	for (int i = 0; i < filters; i++) {
		unsigned flags, config;
		size_t values = 0;
		const H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
		if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
			return place_error(place, err, "it went through filter %d; store it with deflate, shuffle, fletcher32 or none",
					   (int)filter);
		*deflated |= filter == H5Z_FILTER_DEFLATE;
	}
	return filters < 0 ? place_hdf5_error(place, err, "its filters cannot be read") : 0;
}

int check_dataset(hid_t dataset, size_t element_size, int *rank, hsize_t *dims, size_t *elements,
		  const struct hdf5_place *place, struct error *err)
{
	hid_t creation = H5Dget_create_plist(dataset), space = H5Dget_space(dataset);
	int result = -1, deflated;
	size_t bytes;
	if (creation < 0 || space < 0) {
		place_hdf5_error(place, err, "its description cannot be read");
		goto done;
	}
	if (check_creation(creation, element_size, &deflated, place, err))
		goto done;
	*rank = H5Sget_simple_extent_ndims(space);
	if (*rank < 0 || *rank > H5S_MAX_RANK || H5Sget_simple_extent_type(space) == H5S_NULL ||
	    H5Sget_simple_extent_dims(space, dims, NULL) < 0) {
		place_error(place, err, "it has no shape");
		goto done;
	}
	*elements = 1;
	for (int axis = 0; axis < *rank; axis++)
		if (size_mul(*elements, (size_t)dims[axis], elements)) {
			place_error(place, err, "its shape has more elements than a 64-bit size can hold");
			goto done;
		}
	/* what an allocation will rest on: the bytes must be in the file, be it compressed */
	const hsize_t stored = *elements ? H5Dget_storage_size(dataset) : 0;
	const uint64_t most = deflated ? (uint64_t)stored * DEFLATE_RATIO : (uint64_t)stored;
	if (size_mul(*elements, element_size, &bytes) || stored > (hsize_t)place->file_size || (uint64_t)bytes > most) {
		place_error(place, err, "it claims %zu elements of %zu bytes, but the file holds %llu bytes of it", *elements,
			    element_size, (unsigned long long)stored);
		goto done;
	}
	result = 0;
done:
	hdf5_close(space);
	hdf5_close(creation);
	return result;
}
