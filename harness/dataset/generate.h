/* Counter-based generation of input tensors: element i of a tensor depends on (seed, stream, i) only, through
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11) and integer or
 * exactly rounded arithmetic, so every machine gives the same bits and any part can be made alone. */
#ifndef ASSAY_DATASET_GENERATE_H
#define ASSAY_DATASET_GENERATE_H

#include "dataset/case.h"

/* Philox4x32-10 block: counter and key in, four 32-bit words out. Known answers are in tests/unit/test_generate.c. */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Kinds, by name:
 *   normal      mean 0, variance 1: sum of eight 16-bit uniforms, centred and scaled (Irwin-Hall; |x| <= 4.9)
 *   uniform     [-1, 1)
 *   constant    1 everywhere (scaled)
 *   one_hot     along the last axis one element is 1, the others 0; which one is random
 *   integers    whole numbers in [-3, 3]
 *   outliers    normal, with one element in 1024 multiplied by 64
 *   zeros
 * `scale` multiplies (in double, then one rounding to the dtype). Gaps of strided tensors are filled as well (with the
 * values of the same stream), so that a kernel that reads them gets finite, wrong data. */
int generate_tensor(struct tensor *tensor, const char *kind, double scale, uint64_t seed, uint32_t stream,
		    struct error *err);
/* The same for a plain array of `count` elements whose last axis has length `row` (one_hot). */
int generate_array(void *data, enum dtype dtype, int64_t count, int64_t row, const char *kind, double scale,
		   uint64_t seed, uint32_t stream, struct error *err);
/* NULL-terminated list of kinds. */
extern const char *const generator_kinds[];
/* Uniform integer in [0, bound) that depends on (seed, stream, index) only. */
uint64_t generate_below(uint64_t bound, uint64_t seed, uint32_t stream, uint64_t index);

#endif
