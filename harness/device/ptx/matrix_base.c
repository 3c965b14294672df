#define KERNELS ptx_matrix_kernels_base
#define KERNELS_NAME "base"
#include "device/ptx/matrix_multiply.inc"
