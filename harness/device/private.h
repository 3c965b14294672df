/* What the files of this folder share; nothing outside it includes this. */
#ifndef ASSAY_DEVICE_PRIVATE_H
#define ASSAY_DEVICE_PRIVATE_H

#include "device/device.h"

/* A zero-sized allocation is legal for the layers above (an empty tensor) and gets this many bytes. */
enum { DEVICE_SMALLEST_ALLOCATION = 16 };

int cpu_device_open(struct device **device, const struct device_options *options, struct error *err);
int cuda_device_open(struct device **device, int ordinal, const struct device_options *options, struct error *err);

/* Checks what is the same for every library behind `gemm`: types, signs, leading dimensions, null pointers. */
int device_gemm_check(const struct device_gemm *gemm, struct error *err);
/* 1 when there is nothing to compute: C has no elements. */
int device_gemm_is_empty(const struct device_gemm *gemm);

#endif
