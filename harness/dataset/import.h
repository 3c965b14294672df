/* Tensors captured from a real model: .npy, .safetensors, or a dataset inside another HDF5 file. */
#ifndef ASSAY_DATASET_IMPORT_H
#define ASSAY_DATASET_IMPORT_H

#include "dataset/case.h"

/* Where to read one tensor: "file.npy", "file.safetensors:key", "file.h5:/group/name". On success tensor->data is
 * malloc'd, contiguous row-major, dtype f16, bf16 or f32 (f64 stays f64). Hostile headers are expected: every size is
 * checked against the file's. */
int import_tensor(struct tensor *tensor, const char *source, struct error *err);

#endif
