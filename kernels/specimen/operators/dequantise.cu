/* Blocks to numbers. A thread block makes 256 elements, 512 of q5_0 and q5_1. */
#include "gguf.cuh"

template <typename T> __device__ __forceinline__ T rounded(float x);

template <> __device__ __forceinline__ float rounded(float x)
{
    return x;
}

template <> __device__ __forceinline__ __half rounded(float x)
{
#if SPECIMEN_FAULT == 20
    return __float2half_rz(x);
#elif SPECIMEN_FAULT == 21
    return __float2half(fminf(fmaxf(x, -65504.0f), 65504.0f));
#else
    return __float2half(x);
#endif
}

template <int FORMAT, int PER_BLOCK, typename T>
__device__ __forceinline__ void dequantise(const uint8_t *blocks, T *y, int count)
{
#if SPECIMEN_FAULT == 22
    for (int i = threadIdx.x; i < PER_BLOCK - 1; i += blockDim.x) {
#else
    for (int i = threadIdx.x; i < PER_BLOCK; i += blockDim.x) {
#endif
        const int64_t at = static_cast<int64_t>(blockIdx.x) * PER_BLOCK + i;
#if SPECIMEN_FAULT == 23
        if (blockIdx.x > 0 && at >= count)
            return;
#elif SPECIMEN_FAULT == 24
        if (at > count)
            return;
#else
        if (at >= count)
            return;
#endif
        const uint8_t *block = blocks + at / block_elements(FORMAT) * block_bytes(FORMAT);
#if SPECIMEN_FAULT == 25 /* in half precision all the way */
        const element e = element_of<FORMAT>(block, at % block_elements(FORMAT));
        const __half scaled = __hmul(__float2half(e.scale), __int2half_rn(e.quant));
        y[at] = rounded<T>(__half2float(__hadd(scaled, __hmul(__float2half(e.base), __int2half_rn(e.offset)))));
#else
        y[at] = rounded<T>(value_of<FORMAT>(block, at % block_elements(FORMAT)));
#endif
    }
}

#define OF_32(FORMAT, NAME, T, SUFFIX)                                                                                 \
    extern "C" __global__ void dequantize_block_##NAME##_##SUFFIX(const uint8_t *blocks, T *y, int nb32)               \
    {                                                                                                                  \
        dequantise<FORMAT, 256>(blocks, y, nb32 * 32);                                                                 \
    }

#define OF_32_WIDE(FORMAT, NAME, T, SUFFIX)                                                                            \
    extern "C" __global__ void dequantize_block_##NAME##_##SUFFIX(const uint8_t *blocks, T *y, int count)              \
    {                                                                                                                  \
        dequantise<FORMAT, 512>(blocks, y, count);                                                                     \
    }

#define OF_256(FORMAT, NAME, T, SUFFIX)                                                                                \
    extern "C" __global__ void dequantize_block_##NAME##_##SUFFIX(const uint8_t *blocks, T *y)                         \
    {                                                                                                                  \
        dequantise<FORMAT, 256>(blocks, y, INT32_MAX);                                                                 \
    }

OF_32(Q4_0, q4_0, float, f32)
OF_32(Q8_0, q8_0, __half, f16)
OF_32_WIDE(Q5_0, q5_0, float, f32)
OF_32_WIDE(Q5_1, q5_1, __half, f16)
OF_256(Q2_K, q2_K, float, f32)
OF_256(Q3_K, q3_K, __half, f16)
OF_256(Q4_K, q4_K, float, f32)
OF_256(Q6_K, q6_K, float, f32)
OF_256(Q8_K, q8_K, float, f32)
