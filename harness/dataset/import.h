/* Tensors captured from a real model: .npy, .safetensors, or a dataset inside another HDF5 file. */
#ifndef ASSAY_DATASET_IMPORT_H
#define ASSAY_DATASET_IMPORT_H

#include "dataset/case.h"

/* Reads one tensor from `source`:
 *   FILE.npy                formats 1.0 to 3.0 (numpy, "NEP 1"), C order, little-endian '<f2', '<f4', '<f8'
 *   FILE.npy:bf16           elements of two bytes ('<V2', '|V2', '<u2', '<i2') taken as bfloat16, which numpy lacks
 *   FILE.safetensors:KEY    F16, BF16, F32, F64 (huggingface/safetensors, "Format"); the key may hold anything
 *   FILE.h5:/GROUP/NAME     or .hdf5, .hdf: a float dataset of any byte order; one that is none of our types is converted
 *                           to f32 (up to 4 bytes) or f64
 * On success tensor->data is malloc'd (release it with free or case_free), contiguous row-major, dtype f16, bf16, f32 or
 * f64, role TENSOR_INPUT, generator "import"; name is the last part of the key or of the file's name, cut to what fits;
 * whatever was in *tensor is overwritten. Hostile headers are expected: every size is checked against the file's, and
 * nothing is allocated that the file does not hold (HDF5: could not hold when inflated). Errors are ERROR_USAGE for a
 * source that is none of the above, else ERROR_INPUT, and name file, cause and remedy. */
int import_tensor(struct tensor *tensor, const char *source, struct error *err);

#endif
