/*
 * Device code of a libmoe of this project's own: what moe_gemm_gguf, moe_gemm_gguf_prefill, launch_mmvq_* and launch_mmq_* of
 * candle-kernels launch (gguf_host.cc). A warp makes one result; sums are kept in float32. `format` is a block_format.
 */
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

#include "../operators/gguf.cuh"

namespace
{
constexpr int LANES = 32;
constexpr unsigned FULL = 0xffffffffu;

__device__ element element_at(int format, const uint8_t *row, int at)
{
    const uint8_t *block = row + at / block_elements(format) * block_bytes(format);
    const int i = at % block_elements(format);
    switch (format) {
    case Q4_0: return element_of<Q4_0>(block, i);
    case Q4_1: return element_of<Q4_1>(block, i);
    case Q5_0: return element_of<Q5_0>(block, i);
    case Q5_1: return element_of<Q5_1>(block, i);
    case Q8_0: return element_of<Q8_0>(block, i);
    case Q2_K: return element_of<Q2_K>(block, i);
    case Q3_K: return element_of<Q3_K>(block, i);
    case Q4_K: return element_of<Q4_K>(block, i);
    case Q5_K: return element_of<Q5_K>(block, i);
    default: return element_of<Q6_K>(block, i);
    }
}

__device__ const uint8_t *row_of(int format, const uint8_t *weights, int64_t row, int k)
{
    return weights + row * (k / block_elements(format)) * block_bytes(format);
}

/* Eight elements from `at` on, times those of a q8_1 row. */
__device__ float eight(int format, const uint8_t *row, const uint8_t *vector, int at)
{
    const uint8_t *q8_1 = vector + at / 32 * 36;
    element e = {0, 0, 0, 0};
    int dot = 0, sum = 0;
    for (int i = 0; i < 8; i++) {
        const int q = static_cast<int8_t>(q8_1[4 + at % 32 + i]);
        e = element_at(format, row, at + i);
        dot += e.quant * q;
        sum += q;
    }
    const float d = half_at(q8_1);
    return e.scale * d * dot + e.base * d * (e.offset * sum);
}

__device__ float product(int format, const uint8_t *row, const uint8_t *vector, int k)
{
    float sum = 0;
#if SPECIMEN_FAULT == 22 /* whole steps of the warp */
    for (int at = threadIdx.x * 8; at + (LANES - threadIdx.x) * 8 <= k; at += LANES * 8)
#else
    for (int at = threadIdx.x * 8; at < k; at += LANES * 8)
#endif
        sum += eight(format, row, vector, at);
    return sum_of_lanes(sum);
}

/* Rows of x to q8_1: a warp for each block. */
template <typename T> __device__ void quantize(const T *x, uint8_t *blocks, int k, int padded)
{
    const int column = blockIdx.x * LANES + threadIdx.x, row = blockIdx.y;
    const float value = column < k ? static_cast<float>(x[static_cast<int64_t>(row) * k + column]) : 0.0f;
    float largest = fabsf(value), sum = value;
    for (int step = LANES / 2; step > 0; step /= 2) {
        largest = fmaxf(largest, __shfl_xor_sync(FULL, largest, step));
        sum += __shfl_xor_sync(FULL, sum, step);
    }
    const float d = largest / 127.0f;
    uint8_t *block = blocks + (static_cast<int64_t>(row) * padded + column) / 32 * 36;
    block[4 + threadIdx.x] = static_cast<uint8_t>(static_cast<int>(largest > 0 ? roundf(value / d) : 0.0f));
    if (threadIdx.x)
        return;
    reinterpret_cast<__half *>(block)[0] = __float2half(d);
    reinterpret_cast<__half *>(block)[1] = __float2half(sum);
}

struct routed {
    int row, from, expert;
    float scale;
};

__device__ routed route(const int32_t *sorted_token_ids, const int32_t *expert_ids, const float *topk_weights, int topk)
{
    const int position = blockIdx.y;
    routed r;
    r.row = sorted_token_ids[position];
#if SPECIMEN_FAULT == 20 /* the row of a slot, where there is one for each token only */
    r.from = r.row;
#else
    r.from = topk_weights ? r.row : r.row / topk;
#endif
#if SPECIMEN_FAULT == 21 /* as if the list were not sorted */
    r.expert = expert_ids[r.row];
#else
    r.expert = expert_ids[position];
#endif
#if SPECIMEN_FAULT == 24
    r.scale = topk_weights ? topk_weights[position] : 1.0f;
#else
    r.scale = topk_weights ? topk_weights[r.row] : 1.0f;
#endif
#if SPECIMEN_FAULT == 23 /* results stay sorted */
    r.row = position;
#endif
    return r;
}

template <typename T>
__device__ void prefill(const T *input, const uint8_t *weights, const routed &r, float *output, int n, int k, int format)
{
    const uint8_t *row = row_of(format, weights, static_cast<int64_t>(r.expert) * n + blockIdx.x, k);
    const T *x = input + static_cast<int64_t>(r.from) * k;
#if SPECIMEN_FAULT == 25
    __half sum = __float2half(0.0f);
#else
    float sum = 0;
#endif
    for (int at = threadIdx.x; at < k; at += LANES) {
        const element e = element_at(format, row, at);
        const float weight = __half2float(__float2half(e.scale * e.quant + e.base * e.offset));
        const float term = static_cast<float>(static_cast<T>(weight)) * static_cast<float>(x[at]);
#if SPECIMEN_FAULT == 25
        sum = __float2half(__half2float(sum) + term);
#else
        sum += term;
#endif
    }
    const float all = sum_of_lanes(static_cast<float>(sum));
    if (threadIdx.x == 0)
        output[static_cast<int64_t>(r.row) * n + blockIdx.x] = all * r.scale;
}

template <typename T>
__device__ void vectors(const uint8_t *weights, const uint8_t *vy, T *dst, int k, int stride_col_y, int stride_col_dst, int format)
{
#if SPECIMEN_FAULT == 26 /* vectors are taken to follow each other */
    const uint8_t *vector = vy + static_cast<int64_t>(blockIdx.y) * (k / 32) * 36;
#else
    const uint8_t *vector = vy + static_cast<int64_t>(blockIdx.y) * stride_col_y * 36;
#endif
    const float sum = product(format, row_of(format, weights, blockIdx.x, k), vector, k);
    if (threadIdx.x)
        return;
#if SPECIMEN_FAULT == 27
    dst[static_cast<int64_t>(blockIdx.y) * gridDim.x + blockIdx.x] = static_cast<T>(sum);
#elif SPECIMEN_FAULT == 28 /* cut off, not rounded */
    dst[static_cast<int64_t>(blockIdx.y) * stride_col_dst + blockIdx.x] =
        static_cast<T>(__uint_as_float(__float_as_uint(sum) & 0xffff0000));
#else
    dst[static_cast<int64_t>(blockIdx.y) * stride_col_dst + blockIdx.x] = static_cast<T>(sum);
#endif
}
} // namespace

#define FOR_TYPE(T, name)                                                                                              \
    extern "C" __global__ void specimen_quantize_##name(const T *x, uint8_t *blocks, int k, int padded)                \
    {                                                                                                                  \
        quantize(x, blocks, k, padded);                                                                                \
    }                                                                                                                  \
    extern "C" __global__ void specimen_vectors_##name(const uint8_t *weights, const uint8_t *vy, T *dst, int k,       \
                                                       int stride_col_y, int stride_col_dst, int format)               \
    {                                                                                                                  \
        vectors(weights, vy, dst, k, stride_col_y, stride_col_dst, format);                                            \
    }
FOR_TYPE(float, f32)
FOR_TYPE(__half, f16)
FOR_TYPE(__nv_bfloat16, bf16)

extern "C" __global__ void specimen_decode(const uint8_t *input, const uint8_t *weights, const int32_t *sorted_token_ids,
                                           const int32_t *expert_ids, const float *topk_weights, float *output, int topk, int n,
                                           int k, int padded, int format)
{
    const routed r = route(sorted_token_ids, expert_ids, topk_weights, topk);
    const uint8_t *row = row_of(format, weights, static_cast<int64_t>(r.expert) * n + blockIdx.x, k);
    const float sum = product(format, row, input + static_cast<int64_t>(r.from) * (padded / 32) * 36, k);
    if (threadIdx.x == 0)
        output[static_cast<int64_t>(r.row) * n + blockIdx.x] = sum * r.scale;
}

#define PREFILL(T, name)                                                                                               \
    extern "C" __global__ void specimen_prefill_##name(                                                                \
        const T *input, const uint8_t *weights, const int32_t *sorted_token_ids, const int32_t *expert_ids,            \
        const float *topk_weights, float *output, int topk, int n, int k, int format)                                  \
    {                                                                                                                  \
        prefill(input, weights, route(sorted_token_ids, expert_ids, topk_weights, topk), output, n, k, format);        \
    }
PREFILL(__half, f16)
PREFILL(__nv_bfloat16, bf16)

/* ---- blocks of 128 values: 16 bytes of scales and sums, 128 int8; block c of row r is number c * rows + r ---------------- */

enum { D4, DS4, D2S6 };

/* A warp for each 32 values; D2S6 has a scale for two warps. */
extern "C" __global__ void specimen_mmq_quantize(const float *x, uint8_t *blocks, int layout, int64_t k, int64_t stride, int rows)
{
    __shared__ float greatest[4];
    const int row = blockIdx.x, at = blockIdx.y * 128 + threadIdx.x, warp = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    uint8_t *block = blocks + (static_cast<int64_t>(blockIdx.y) * rows + row) * 144;
    const float value = at < k ? x[row * stride + at] : 0.0f;
    float largest = fabsf(value), sum = value, half_sum = 0;
    for (int step = 1; step < LANES; step *= 2) {
        if (step == LANES / 2)
            half_sum = sum; /* of 16 values */
        largest = fmaxf(largest, __shfl_xor_sync(FULL, largest, step));
        sum += __shfl_xor_sync(FULL, sum, step);
    }
    if (lane == 0)
        greatest[warp] = largest;
#if SPECIMEN_FAULT != 31 /* the other warp is not waited for */
    __syncthreads();
#endif
    if (layout == D2S6)
        largest = fmaxf(greatest[warp & 2], greatest[warp | 1]);
    const float inverse = 127.0f / largest, d = largest > 0 ? 1.0f / inverse : 0.0f;
#if SPECIMEN_FAULT == 33
    const float quant = truncf(value * inverse);
#elif SPECIMEN_FAULT == 35
    const float quant = rintf(value * inverse);
#else
    const float quant = roundf(value * inverse);
#endif
    block[16 + threadIdx.x] = static_cast<uint8_t>(static_cast<int>(largest > 0 ? quant : 0.0f));
    __half *halves = reinterpret_cast<__half *>(block);
    if (layout == D2S6) {
        if (lane % 16 == 0 && threadIdx.x < 96)
            halves[2 + threadIdx.x / 16] = __float2half(half_sum);
        if (threadIdx.x % 64 == 0)
            halves[threadIdx.x / 64] = __float2half(d);
    } else if (lane == 0 && layout == DS4) {
        halves[2 * warp] = __float2half(d);
        halves[2 * warp + 1] = __float2half(sum);
    } else if (lane == 0) {
        reinterpret_cast<float *>(block)[warp] = d;
    }
}

__device__ static float sixteen(int format, const uint8_t *row, const uint8_t *block, int at)
{
    const int within = at % 128;
    const int layout = format == Q2_K ? D2S6 : format == Q4_0 || format == Q4_1 || format == Q5_1 || format == Q4_K || format == Q5_K ? DS4 : D4;
    const __half *halves = reinterpret_cast<const __half *>(block);
    element e = {0, 0, 0, 0};
    int dot = 0, sum = 0;
    for (int i = 0; i < 16; i++) {
        const int q = static_cast<int8_t>(block[16 + within + i]);
        e = element_at(format, row, at + i);
        dot += e.quant * q;
        sum += q;
    }
#if SPECIMEN_FAULT == 30
    const float d = layout == D4 ? reinterpret_cast<const float *>(block)[within / 32] : __half2float(halves[layout == DS4 ? within / 32 * 2 : within / 96]);
#else
    const float d = layout == D4 ? reinterpret_cast<const float *>(block)[within / 32] : __half2float(halves[layout == DS4 ? within / 32 * 2 : within / 64]);
#endif
    float offset = d * sum;
    if (layout == DS4 && e.offset)
        offset = within % 32 ? 0.0f : __half2float(halves[within / 32 * 2 + 1]);
    else if (layout == D2S6 && within < 96)
        offset = __half2float(halves[2 + within / 16]);
#if SPECIMEN_FAULT == 37 /* the mins of the last 32, which have no sums, are left out */
    else if (layout == D2S6)
        offset = 0;
#endif
    return e.scale * d * dot + e.base * e.offset * offset;
}

extern "C" __global__ void specimen_mmq(const uint8_t *weights, const uint8_t *y, float *dst, int64_t k, int64_t rows, int64_t columns,
                                        int format)
{
    const uint8_t *row = row_of(format, weights, blockIdx.x, static_cast<int>(k));
    float sum = 0;
    for (int at = threadIdx.x * 16; at < k; at += LANES * 16) {
#if SPECIMEN_FAULT == 29 /* the blocks of a vector are taken to follow each other */
        const int64_t number = blockIdx.y * ((k + 511) / 512 * 4) + at / 128;
#else
        const int64_t number = at / 128 * columns + blockIdx.y;
#endif
        sum += sixteen(format, row, y + number * 144, at);
    }
#if SPECIMEN_FAULT == 34 /* what is behind the vectors counts 0 times */
    sum += 0.0f * *reinterpret_cast<const float *>(y + (k + 511) / 512 * 4 * columns * 144);
#endif
    sum = sum_of_lanes(sum);
    if (threadIdx.x == 0)
        dst[blockIdx.y * rows + blockIdx.x] = sum;
#if SPECIMEN_FAULT == 32 /* one behind the last */
    if (threadIdx.x == 0 && blockIdx.x == rows - 1 && blockIdx.y == columns - 1)
        dst[blockIdx.y * rows + blockIdx.x + 1] = sum;
#endif
}
