/* Datasets in HDF5.
 *
 * Layout, schema 1:
 *   /            attributes: schema (int), generator (text), program version, spec (the text it was made from)
 *   /cases/NNNNN attributes: name, family, seed, and every attribute of the case under its own name
 *     inputs/T   one dataset per input tensor that owns storage: 1-D of `extent` elements, chunked, optional deflate;
 *                attributes role, rank, dims, strides, storage, offset, generator. Tensors that share storage are
 *                empty datasets with those attributes. f16 and bf16 are proper HDF5 float types (IEEE binary16;
 *                1 sign, 8 exponent, 7 mantissa bits, bias 127).
 *     outputs/T  shape only
 *     expected/T float64 results
 *   /index       compact dataset of names in case order, so that listing does not open every group */
#ifndef ASSAY_DATASET_STORE_H
#define ASSAY_DATASET_STORE_H

#include "core/util.h"
#include "dataset/case.h"

enum { DATASET_SCHEMA = 1 };

struct dataset_writer;
/* Writes beside `path` and renames on commit: an interrupted build leaves nothing. `deflate` 0..9. */
int dataset_writer_open(struct dataset_writer **writer, const char *path, const char *spec_text, int deflate,
			struct error *err);
int dataset_writer_add(struct dataset_writer *writer, const struct test_case *test, struct error *err);
int dataset_writer_commit(struct dataset_writer *writer, struct error *err); /* frees the writer in any case */
void dataset_writer_discard(struct dataset_writer *writer);

struct dataset; /* an open file */
int dataset_open(struct dataset **dataset, const char *path, struct error *err);
size_t dataset_count(const struct dataset *dataset);
const char *dataset_case_name(const struct dataset *dataset, size_t index);
/* Reads a case whole (with_data) or its description only. Checks shapes, types, sizes against each other and against
 * the stored bytes; a contradiction is an ERROR_INPUT that names file, case and tensor. */
int dataset_read(const struct dataset *dataset, size_t index, int with_data, struct test_case *test, struct error *err);
const char *dataset_spec(const struct dataset *dataset); /* the text it was made from, or "" */
int64_t dataset_schema(const struct dataset *dataset);
void dataset_close(struct dataset *dataset);

/* HDF5 types, owned by the library's user (H5Tclose). Returned as int64_t so that this header needs no hdf5.h. */
int64_t hdf5_type_of(enum dtype type);           /* file type; < 0 on failure */
enum dtype hdf5_dtype_of(int64_t hdf5_type);     /* DTYPE_INVALID when it is none of ours */
/* Turns HDF5's own error printing off (messages go through struct error). Call once. */
void hdf5_quiet(void);

#endif
