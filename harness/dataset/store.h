/* Datasets in HDF5 (any library from 1.10 on reads them; object format of 1.10).
 *
 * Layout, schema 1:
 *   /            attributes: schema (int), generator ("assay dataset"), version (of the program)
 *   /spec        the text it was made from; absent when empty. No attribute, since those end at 64 KiB
 *   /index       names in case order, so that listing does not open every group
 *   /cases/NNNNN attributes: name, family, seed, and every attribute of the case under its own name (int64, double or
 *                text), in the order in which they were set
 *     inputs/T   one dataset per tensor: 1-D, the `extent` elements of its storage. Attributes rank, dims, strides (in
 *                elements; absent for rank 0), extent where it is more than the shape reaches, generator where there is
 *                one, and storage and offset where it shares the storage of another tensor: then the dataset is empty. f16 and bf16 are proper HDF5 float types (IEEE
 *                binary16; 1 sign, 8 exponent, 7 mantissa bits, bias 127).
 *     outputs/T  the same; empty (shape only) unless the tensor has data (outputs that were kept)
 *     expected/T float64 results
 *
 * Data of up to 1 KiB lie within the object's header, larger ones in chunks of up to 1 MiB, each with a checksum
 * (Fletcher-32) and shuffled and deflated when that is asked for. Headers have checksums of their own, so that damage
 * to a file is found. No times are stored: the same cases give the same bytes. A case costs about 3.5 KiB besides its
 * data.
 *
 * HDF5 is not reentrant: call these functions from one thread at a time. */
#ifndef ASSAY_DATASET_STORE_H
#define ASSAY_DATASET_STORE_H

#include "core/util.h"
#include "dataset/case.h"

enum { DATASET_SCHEMA = 1 };

struct dataset_writer;
/* Writes beside `path` and renames on commit: a build that fails leaves what was there before. `deflate` 0 (none) to 9;
 * `spec_text` may be NULL. */
int dataset_writer_open(struct dataset_writer **writer, const char *path, const char *spec_text, int deflate,
			struct error *err);
/* Inputs that own their storage and expected tensors must have data. The names "name", "family" and "seed" are taken. */
int dataset_writer_add(struct dataset_writer *writer, const struct test_case *test, struct error *err);
/* Frees the writer in any case. Two cases of one name, or none at all, are errors. */
int dataset_writer_commit(struct dataset_writer *writer, struct error *err);
void dataset_writer_discard(struct dataset_writer *writer);

struct dataset; /* an open file */
int dataset_open(struct dataset **dataset, const char *path, struct error *err);
size_t dataset_count(const struct dataset *dataset);
const char *dataset_case_name(const struct dataset *dataset, size_t index);
/* Reads a case whole (with_data) or its description only. Checks shapes, types, sizes against each other and against
 * the stored bytes; a contradiction is an ERROR_INPUT that names file, case and tensor. */
/* `test` is overwritten, and empty after a failure; free it with case_free. */
int dataset_read(const struct dataset *dataset, size_t index, int with_data, struct test_case *test, struct error *err);
const char *dataset_spec(const struct dataset *dataset); /* the text it was made from, or "" */
int64_t dataset_schema(const struct dataset *dataset);
void dataset_close(struct dataset *dataset);

/* HDF5 types, owned by the library's user (H5Tclose). Returned as int64_t so that this header needs no hdf5.h. */
int64_t hdf5_type_of(enum dtype type);           /* little-endian file type; < 0 on failure */
enum dtype hdf5_dtype_of(int64_t hdf5_type);     /* DTYPE_INVALID when it is none of ours (big-endian ones are not) */
/* Turns off HDF5's own error printing (messages go through struct error), the loading of filter plugins, so that a file
 * cannot name code to run, and the library's closing of files at exit: where a file could not be written (disk full),
 * that crashes, so every file is to be closed by hand, and only once. The last works before any other HDF5 function
 * only. The functions above call it; calling it again does no harm. */
void hdf5_quiet(void);
/* At the end of a thread that used HDF5: the library keeps what went wrong for each thread, and frees it only then. (Its setting
 * of printing is a thread's own, too: one that uses it calls hdf5_quiet first.) */
void hdf5_thread_ends(void);
/* error_set of ERROR_INPUT with HDF5's innermost message behind ": ". To be called before the next HDF5 function. */
int hdf5_error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
