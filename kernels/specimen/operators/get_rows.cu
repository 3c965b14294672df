/* Rows of a table by number, as float32. */
#include "gguf.cuh"

#include <cuda_bf16.h>

#if SPECIMEN_FAULT == 24
#define TABLE_ROW (static_cast<int64_t>(static_cast<uint8_t>(ids[blockIdx.x])))
#else
#define TABLE_ROW (static_cast<int64_t>(ids[blockIdx.x]))
#endif

#if SPECIMEN_FAULT == 20
#define STRIDE(OF_ROW) (OF_ROW)
#else
#define STRIDE(OF_ROW) (stride)
#endif

template <typename T>
__device__ __forceinline__ void floats(const uint8_t *table, const uint32_t *ids, float *out, int64_t hidden, size_t stride)
{
    const int64_t i = static_cast<int64_t>(blockIdx.y) * 256 + threadIdx.x;
#if SPECIMEN_FAULT == 21
    if (i > hidden)
#else
    if (i >= hidden)
#endif
        return;
    const T *row = reinterpret_cast<const T *>(table + TABLE_ROW * STRIDE(hidden * sizeof(T)));
#if SPECIMEN_FAULT == 22
    out[blockIdx.x * hidden + i] = __half2float(__float2half(static_cast<float>(row[i])));
#else
    out[blockIdx.x * hidden + i] = static_cast<float>(row[i]);
#endif
}

template <int FORMAT, int PER_BLOCK>
__device__ __forceinline__ void blocks(const uint8_t *table, const uint32_t *ids, float *out, int64_t hidden, size_t stride)
{
    const uint8_t *row = table + TABLE_ROW * STRIDE(hidden / block_elements(FORMAT) * block_bytes(FORMAT));
    for (int at = threadIdx.x; at < PER_BLOCK; at += blockDim.x) {
#if SPECIMEN_FAULT == 23
        const int64_t i = at;
#else
        const int64_t i = static_cast<int64_t>(blockIdx.y) * PER_BLOCK + at;
#endif
        if (i < hidden)
            out[blockIdx.x * hidden + i] =
                value_of<FORMAT>(row + i / block_elements(FORMAT) * block_bytes(FORMAT), i % block_elements(FORMAT));
    }
}

#define GET_ROWS(NAME, BODY)                                                                                           \
    extern "C" __global__ void get_rows_##NAME(const uint8_t *table, const uint32_t *ids, float *out, int64_t hidden,  \
                                               size_t stride)                                                          \
    {                                                                                                                  \
        BODY(table, ids, out, hidden, stride);                                                                         \
    }

GET_ROWS(f32, floats<float>)
GET_ROWS(f16, floats<__half>)
GET_ROWS(bf16, floats<__nv_bfloat16>)
GET_ROWS(q4_0, (blocks<Q4_0, 512>))
GET_ROWS(q5_1, (blocks<Q5_1, 512>))
GET_ROWS(q3_K, (blocks<Q3_K, 256>))
GET_ROWS(q4_K, (blocks<Q4_K, 256>))
