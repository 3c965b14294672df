#if defined(__x86_64__)
#define KERNELS ptx_matrix_kernels_avx2
#define KERNELS_NAME "avx2"
#include "device/ptx/matrix_multiply.inc"
#else
typedef int ptx_matrix_avx2_is_for_x86_64; /* ISO C forbids an empty file */
#endif
