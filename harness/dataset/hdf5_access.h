/* HDF5 as this folder uses it: small values in and out, and files of other people opened with care. Private. */
#ifndef ASSAY_DATASET_HDF5_ACCESS_H
#define ASSAY_DATASET_HDF5_ACCESS_H

#include "core/dtype.h"
#include "core/error.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

/* What failed, and where: "FILE: WHERE" starts every message. */
struct hdf5_place {
	const char *file;
	const char *where; /* "case 'x', tensor 'q'", or "" */
	int64_t file_size; /* bytes: no stored array can be larger than this times what deflate can do */
};
/* error_set of ERROR_INPUT, and the same with HDF5's innermost message. */
int place_error(const struct hdf5_place *place, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int place_hdf5_error(const struct hdf5_place *place, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Closes an id of any kind; negative ones are skipped. HDF5 keeps what it knows of the last failure. */
void hdf5_close(hid_t id);

/* File access that writes the object format of 1.10 and closes everything that is left open. */
hid_t hdf5_file_access(void);

/* Attributes of `object`. */
int write_int(hid_t object, const char *name, int64_t value);
int write_unsigned(hid_t object, const char *name, uint64_t value);
int write_real(hid_t object, const char *name, double value);
int write_text(hid_t object, const char *name, const char *text);
int write_ints(hid_t object, const char *name, const int64_t *values, int count);

enum { READ_ABSENT = 1 }; /* a read that found no attribute of the name returns it and sets no error */
int read_int(hid_t object, const char *name, int64_t *value, const struct hdf5_place *place, struct error *err);
int read_unsigned(hid_t object, const char *name, uint64_t *value, const struct hdf5_place *place, struct error *err);
int read_real(hid_t object, const char *name, double *value, const struct hdf5_place *place, struct error *err);
/* `size` includes the NUL; longer text, and text that is not printable, is refused. */
int read_text(hid_t object, const char *name, char *text, size_t size, const struct hdf5_place *place, struct error *err);
int read_ints(hid_t object, const char *name, int64_t *values, int count, const struct hdf5_place *place,
	      struct error *err);

/* A member of a group that is a hard link (soft and external links could lead out of the file) of the wanted type;
 * negative with *err set. `name` is one component, not a path. */
hid_t open_member(hid_t group, const char *name, H5O_type_t type, const struct hdf5_place *place, struct error *err);
int has_member(hid_t group, const char *name);

/* Checks that reading `dataset` whole as elements of `element_size` bytes is safe: plain storage within the file,
 * filters that are known, and no more elements than the bytes stored can hold. Gives rank and dims (H5S_MAX_RANK). */
int check_dataset(hid_t dataset, size_t element_size, int *rank, hsize_t *dims, size_t *elements,
		  const struct hdf5_place *place, struct error *err);

#endif
