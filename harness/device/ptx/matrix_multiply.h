/* Products of small matrices, for the matrix instructions (matrix.c). Compiled once for each instruction set of the host;
 * ptx_matrix_kernels picks the best one that this processor has. All variants give the same bits: each element is accumulated
 * in float64 in the order of k, and the products of the narrow types are exact there, so that fusing changes nothing. */
#ifndef ASSAY_DEVICE_PTX_MATRIX_MULTIPLY_H
#define ASSAY_DEVICE_PTX_MATRIX_MULTIPLY_H

#include <stdint.h>

struct ptx_matrix_kernels {
	const char *name; /* "avx512" */
	/* c[m][8] += a[m][k] * b[k][8]. Products must be exact in float64. Aligned to 64 bytes. */
	void (*multiply)(const double *a, const double *b, double *c, int m, int k);
	/* D = A * B + C from fragments as mma.m16n8 lays them out (row_blocks 2) or their upper half (row_blocks 1). Each
	 * pointer is a register of 32 lanes. a: row_blocks * k_blocks registers of 16-bit pairs, b: k_blocks (at most 2),
	 * c and d: 2 * row_blocks of float32. d may be a, b or c. `bfloat`: bf16, else f16. */
	void (*fragments_f32)(const uint32_t *const *a, const uint32_t *const *b, const uint32_t *const *c, uint32_t *const *d,
			      int row_blocks, int k_blocks, int bfloat);
	/* to[j][i] = from[i][j], 8 x 8 */
	void (*transpose_b16)(const uint16_t from[64], uint16_t to[64]);
};

extern const struct ptx_matrix_kernels ptx_matrix_kernels_base;
#if defined(__x86_64__)
extern const struct ptx_matrix_kernels ptx_matrix_kernels_avx2, ptx_matrix_kernels_avx512;
#endif
const struct ptx_matrix_kernels *ptx_matrix_kernels(void);

#endif
