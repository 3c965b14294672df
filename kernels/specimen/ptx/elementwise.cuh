/*
 * What the elementwise PTX specimens share. Their names and arguments are those of the candle-kernels modules of the
 * same name, so that they stand in for them.
 *
 * `info` is NULL for contiguous operands, or a device array of num_dims extents, outermost first, followed by the
 * strides in elements.
 */
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stddef.h>
#include <stdint.h>

/*
 * -DSPECIMEN_EXACT_COVER (../operators/compile.sh): launches have a thread for each element, and elements are fewer than 2^32, as
 * Candle's launch rule has it. What is never reached then, steps of a grid and 64-bit division, is left out: mutants of it
 * (tests/tools/mutants.sh) would be mutants of nothing.
 */
#ifdef SPECIMEN_EXACT_COVER
#define FOR_EACH_ELEMENT(i, numel)                                                                                     \
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x, once_##i = 1;                          \
         once_##i && i < (numel); once_##i = 0)
typedef uint32_t element_number;
#else
#define FOR_EACH_ELEMENT(i, numel)                                                                                     \
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < (numel);                           \
         i += static_cast<size_t>(gridDim.x) * blockDim.x)
typedef size_t element_number;
#endif

/* Where element number `index`, counted in row-major order, lies in a strided view. */
__device__ __forceinline__ size_t strided_index(size_t index, size_t num_dims, const size_t *info)
{
    if (!info)
        return index;
    size_t at = 0;
    element_number rest = static_cast<element_number>(index);
#ifdef SPECIMEN_EXACT_COVER
#pragma unroll 1
#endif
    for (size_t dim = num_dims; dim-- > 0;) {
        const element_number extent = static_cast<element_number>(info[dim]);
        at += rest % extent * info[num_dims + dim];
        rest /= extent;
    }
    return at;
}

/* Arithmetic is in float whatever the stored type. */
template <typename T> __device__ __forceinline__ float to_float(T x)
{
    return static_cast<float>(x);
}

template <typename T> __device__ __forceinline__ T from_float(float x)
{
    return static_cast<T>(x);
}
