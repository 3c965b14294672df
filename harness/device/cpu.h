/* The parts of the cpu device. */
#ifndef ASSAY_DEVICE_CPU_H
#define ASSAY_DEVICE_CPU_H

#include "device/private.h"

/* The matrix product over CBLAS; *gemm has passed device_gemm_check and is not empty. */
int cpu_gemm(const struct device_gemm *gemm, struct error *err);
/* Sets the number of BLAS threads and names the library. `cores`: processors this process may run on. */
void cpu_blas_start(int cores, char *name, size_t name_size);

#endif
