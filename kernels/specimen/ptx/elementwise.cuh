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

#define FOR_EACH_ELEMENT(i, numel)                                                                                     \
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < (numel);                           \
         i += static_cast<size_t>(gridDim.x) * blockDim.x)

/* Where element number `index`, counted in row-major order, lies in a strided view. */
__device__ __forceinline__ size_t strided_index(size_t index, size_t num_dims, const size_t *info)
{
    if (!info)
        return index;
    size_t at = 0;
    for (size_t dim = num_dims; dim-- > 0; index /= info[dim])
        at += index % info[dim] * info[num_dims + dim];
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
