/* What the specimens on images share: views that `info` describes, accumulators, one thread for each output. */
#pragma once

#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

/* [batch, channels, rows, columns], or without rows (then there is one). `extents` and `strides` are those of info. They and
 * the number of outputs are below 2^32 here, so that the compiler makes no 64-bit divisions, of which no case reaches the
 * half for large numbers; offsets have 64 bits. */
struct image {
    unsigned batch, channels, rows, columns;
    unsigned batch_step, channel_step, row_step, column_step;
};

__device__ __forceinline__ image image_of(const size_t *extents, const size_t *strides, bool has_rows)
{
    image it;
    it.batch = static_cast<unsigned>(extents[0]);
    it.channels = static_cast<unsigned>(extents[1]);
    it.rows = has_rows ? static_cast<unsigned>(extents[2]) : 1;
    it.columns = static_cast<unsigned>(extents[has_rows ? 3 : 2]);
    it.batch_step = static_cast<unsigned>(strides[0]);
    it.channel_step = static_cast<unsigned>(strides[1]);
    it.row_step = has_rows ? static_cast<unsigned>(strides[2]) : 0;
    it.column_step = static_cast<unsigned>(strides[has_rows ? 3 : 2]);
    return it;
}

__device__ __forceinline__ size_t place_in(const image &it, unsigned batch, unsigned channel, unsigned row, unsigned column)
{
    return static_cast<size_t>(batch) * it.batch_step + static_cast<size_t>(channel) * it.channel_step +
           static_cast<size_t>(row) * it.row_step + static_cast<size_t>(column) * it.column_step;
}

__device__ __forceinline__ unsigned thread_number()
{
    return blockIdx.x * blockDim.x + threadIdx.x;
}

/* Sums of f16 and bf16 are kept in float, others in their own type. */
template <typename T> struct accumulator {
    typedef T type;
};
template <> struct accumulator<__half> {
    typedef float type;
};
template <> struct accumulator<__nv_bfloat16> {
    typedef float type;
};
