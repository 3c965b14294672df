/* What the specimens of binary, cast, fill and ternary share: loops over elements, which any grid finishes, and where element number
 * `index`, counted in row-major order, lies in a view whose strides are `strides`. There are fewer than 2^32 elements. */
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stddef.h>
#include <stdint.h>

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

#define FOR_ALL_ELEMENTS(i, numel)                                                                                     \
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < static_cast<uint32_t>(numel);                         \
         i += gridDim.x * blockDim.x)

__device__ __forceinline__ size_t place_in_view(uint32_t index, uint32_t num_dims, const size_t *dims, const size_t *strides)
{
    size_t at = 0;
    for (uint32_t dim = num_dims; dim-- > 0;) {
        const uint32_t extent = static_cast<uint32_t>(dims[dim]);
        at += index % extent * strides[dim];
        index /= extent;
    }
    return at;
}

/* Faults: one thread, one element. */
#define FOR_ONE_ELEMENT(i, numel)                                                                                      \
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < static_cast<uint32_t>(numel);                         \
         i = static_cast<uint32_t>(numel))

/* Faults: indices of 16 bits. */
#define FOR_SIXTEEN_BITS(i, numel)                                                                                     \
    for (uint32_t n = blockIdx.x * blockDim.x + threadIdx.x, i = n & 0xffff; n < static_cast<uint32_t>(numel);         \
         n += gridDim.x * blockDim.x, i = n & 0xffff)
