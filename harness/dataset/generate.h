/* Counter-based generation of input tensors: element i of a tensor depends on (seed, stream, i) only, through
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11) and integer or
 * exactly rounded arithmetic, so every machine gives the same bits and any part can be made alone.
 *
 * Block b of a stream is philox4x32({low 32 bits of b, high 32 bits of b, stream, purpose}, {low, high half of seed}),
 * four words w0..w3. Purpose 0 gives elements, 1 generate_below, 2 the choices of one_hot and outliers.
 *
 * Kinds, with x the value before scaling:
 *   normal      x = k * NORMAL_UNIT, k = h0 + h1 + h2 + h3 - 131070, the h being the 16-bit halves of two words: w0, w1 of
 *               block b make element 2b, w2, w3 make element 2b + 1. A sum of four uniforms (Irwin-Hall): mean 0,
 *               variance 1, 262141 equidistant values, |x| <= 3.4641, excess kurtosis -0.3. Four and not more, because a
 *               Philox block is the cost and this way makes two elements of one; what the tails lack the kind
 *               `outliers` has.
 *   uniform     x = w * 2^-31 in [-1, 1), w a word as a signed number: word j of block b makes element 4b + j
 *   constant    x = 1
 *   one_hot     along the last axis one element is 1, the others 0; which one is random (row r: generate_below's method)
 *   integers    x = floor(7 * w / 2^32) - 3, whole numbers from -3 to 3 (w as in uniform, but unsigned)
 *   outliers    normal, but one element in each 1024 (aligned; a random one) is multiplied by 64. An array that ends
 *               within its last 1024 may have none there.
 *   zeros       x = 0
 *
 * The value stored is x rounded once from the double x * scale. For normal and uniform that double is
 * (double)k * (NORMAL_UNIT * scale) and (double)w * (2^-31 * scale), products of two doubles. */
#ifndef ASSAY_DATASET_GENERATE_H
#define ASSAY_DATASET_GENERATE_H

#include "dataset/case.h"

/* 1 / sqrt((2^32 - 1) / 3): the variance of a uniform over 0..65535 is (2^32 - 1) / 12, and four are added. */
#define NORMAL_UNIT 0x1.bb67ae86627e8p-16

/* Philox4x32-10 block: counter and key in, four 32-bit words out. Known answers are in tests/unit/test_generate.c. */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Fills the storage of a tensor that owns it (allocated when data is NULL) and sets tensor->generator. Gaps of strided
 * tensors are filled as well, so that a kernel that reads them gets finite, wrong data: with the values of the same
 * stream, and for constant, one_hot and zeros, which would not be wrong, with those of `normal`. Element i is the i-th of
 * the storage, except for one_hot, whose rows are those of the tensor in row-major order.
 * -1 with ERROR_INPUT for an unknown kind or a scale that is not finite. */
int generate_tensor(struct tensor *tensor, const char *kind, double scale, uint64_t seed, uint32_t stream,
		    struct error *err);
/* The same for a plain array of `count` elements whose last axis has length `row` (used by one_hot only). */
int generate_array(void *data, enum dtype dtype, int64_t count, int64_t row, const char *kind, double scale,
		   uint64_t seed, uint32_t stream, struct error *err);
/* NULL-terminated list of kinds. */
extern const char *const generator_kinds[];
/* Whole number in [0, bound) that depends on (seed, stream, index) only: floor(bound * (w0 + 2^32 w1) / 2^64), uniform
 * within bound / 2^64; 0 when bound is 0. */
uint64_t generate_below(uint64_t bound, uint64_t seed, uint32_t stream, uint64_t index);

#endif
