/* What the specimens on images share: views that `info` describes, accumulators, one thread for each output. */
#pragma once

#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

/* [batch, channels, rows, columns], or without rows (then there is one). `extents` and `strides` are those of info. */
struct image {
    size_t batch, channels, rows, columns;
    size_t batch_step, channel_step, row_step, column_step;
};

__device__ __forceinline__ image image_of(const size_t *extents, const size_t *strides, bool has_rows)
{
    image it;
    it.batch = extents[0];
    it.channels = extents[1];
    it.rows = has_rows ? extents[2] : 1;
    it.columns = extents[has_rows ? 3 : 2];
    it.batch_step = strides[0];
    it.channel_step = strides[1];
    it.row_step = has_rows ? strides[2] : 0;
    it.column_step = strides[has_rows ? 3 : 2];
    return it;
}

__device__ __forceinline__ size_t place_in(const image &it, size_t batch, size_t channel, size_t row, size_t column)
{
    return batch * it.batch_step + channel * it.channel_step + row * it.row_step + column * it.column_step;
}

__device__ __forceinline__ size_t thread_number()
{
    return static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
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
