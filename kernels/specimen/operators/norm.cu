/* rmsnorm and layernorm of contiguous rows, a block of 32 or 1024 threads for each; computed in float whatever the type. The
 * variance is that of the distances from the mean, in a second pass. */
#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

enum { LANES = 32 };

__device__ __forceinline__ float sum_of_warp(float x)
{
#if SPECIMEN_FAULT == 1 /* without the last step */
    for (int mask = LANES / 2; mask > 1; mask /= 2)
#else
    for (int mask = LANES / 2; mask > 0; mask /= 2)
#endif
        x += __shfl_xor_sync(0xffffffffu, x, mask, LANES);
    return x;
}

/* The sum of what all threads of the block hold, in all of them; called by all. */
__device__ __forceinline__ float sum_of_block(float x, int threads, float *shared)
{
    x = sum_of_warp(x);
#if SPECIMEN_FAULT == 2 /* each warp for itself */
    return x;
#endif
    if (threads <= LANES)
        return x;
    const int warp = threadIdx.x / LANES, lane = threadIdx.x % LANES;
#if SPECIMEN_FAULT != 3 /* the sum before is not waited for */
    __syncthreads();
#endif
    if (lane == 0)
        shared[warp] = x;
#if SPECIMEN_FAULT != 4 /* nor are the other warps */
    __syncthreads();
#endif
    return sum_of_warp(lane < threads / LANES ? shared[lane] : 0.0f);
}

__device__ __forceinline__ float inverse_root(float square, float eps)
{
#if SPECIMEN_FAULT == 5 /* eps is forgotten */
    return rsqrtf(square);
#elif SPECIMEN_FAULT == 6 /* behind the root */
    return 1.0f / (sqrtf(square) + eps);
#elif SPECIMEN_FAULT == 7 /* eight bits */
    return __bfloat162float(__float2bfloat16(rsqrtf(square + eps)));
#elif SPECIMEN_FAULT == 8 /* no root */
    return 1.0f / (square + eps);
#else
    return rsqrtf(square + eps);
#endif
}

template <typename T>
__device__ void norm_row(bool centred, const T *src, T *dst, const T *alpha, const T *beta, int columns, int threads, float eps)
{
    __shared__ float shared[LANES];
    const T *x = src + static_cast<size_t>(blockIdx.x) * columns;
    T *y = dst + static_cast<size_t>(blockIdx.x) * columns;
#if SPECIMEN_FAULT == 9 /* whole passes only */
    const int counted = columns < threads ? columns : columns / threads * threads;
#else
    const int counted = columns;
#endif
    float mean = 0.0f, squares = 0.0f;
    if (centred)
    {
        float sum = 0.0f;
        for (int i = threadIdx.x; i < counted; i += threads)
            sum += to_float(x[i]);
        mean = sum_of_block(sum, threads, shared) / columns;
    }
#if SPECIMEN_FAULT == 10 /* the mean of the squares less the square of the mean, which may be below 0 */
    for (int i = threadIdx.x; i < counted; i += threads)
        squares = __fadd_rn(squares, __fmul_rn(to_float(x[i]), to_float(x[i])));
    const float square = __fsub_rn(sum_of_block(squares, threads, shared) / columns, __fmul_rn(mean, mean));
#else
    for (int i = threadIdx.x; i < counted; i += threads)
    {
        const float distance = to_float(x[i]) - mean;
#if SPECIMEN_FAULT == 11 /* squares in half precision */
        squares += __half2float(__float2half(distance * distance));
#else
        squares += distance * distance;
#endif
    }
#if SPECIMEN_FAULT == 12 /* as of a sample */
    const float square = sum_of_block(squares, threads, shared) / (columns > 1 ? columns - 1 : 1);
#else
    const float square = sum_of_block(squares, threads, shared) / columns;
#endif
#endif
    const float inverse = inverse_root(square, eps);
#if SPECIMEN_FAULT == 13 /* without the last pass */
    const int written = columns - threads;
#else
    const int written = columns;
#endif
    for (int i = threadIdx.x; i < written; i += threads)
    {
#if SPECIMEN_FAULT == 14 /* a NULL alpha means 0 */
        const float scale = alpha ? to_float(alpha[i]) : 0.0f;
#elif SPECIMEN_FAULT == 15 /* one alpha for each thread */
        const float scale = alpha ? to_float(alpha[threadIdx.x]) : 1.0f;
#else
        const float scale = alpha ? to_float(alpha[i]) : 1.0f;
#endif
#if SPECIMEN_FAULT == 16 /* beta needs an alpha */
        const float shift = beta && alpha ? to_float(beta[i]) : 0.0f;
#else
        const float shift = beta ? to_float(beta[i]) : 0.0f;
#endif
#if SPECIMEN_FAULT == 17 /* the mean stays */
        const float distance = to_float(x[i]);
#else
        const float distance = to_float(x[i]) - mean;
#endif
#if SPECIMEN_FAULT == 18 /* beta is scaled as well */
        y[i] = from_float<T>((distance * inverse + shift) * scale);
#elif SPECIMEN_FAULT == 19 /* rounded before alpha and beta */
        y[i] = from_float<T>(to_float(from_float<T>(distance * inverse)) * scale + shift);
#else
        y[i] = from_float<T>(distance * inverse * scale + shift);
#endif
    }
#if SPECIMEN_FAULT == 20 /* one more, behind the last row */
    if (threadIdx.x == 0 && blockIdx.x + 1 == gridDim.x)
        y[columns] = from_float<T>(0.0f);
#endif
}

#define NORM(T, SUFFIX)                                                                                                \
    extern "C" __global__ void rmsnorm_##SUFFIX(const T *src, T *dst, const T *alpha, int n_cols, int block_size,      \
                                                float eps)                                                             \
    {                                                                                                                  \
        norm_row<T>(false, src, dst, alpha, nullptr, n_cols, block_size, eps);                                         \
    }                                                                                                                  \
    extern "C" __global__ void layernorm_##SUFFIX(const T *src, T *dst, const T *alpha, const T *beta, int n_cols,     \
                                                  int block_size, float eps)                                           \
    {                                                                                                                  \
        norm_row<T>(true, src, dst, alpha, beta, n_cols, block_size, eps);                                             \
    }

NORM(__nv_bfloat16, bf16)
NORM(__half, f16)
NORM(float, f32)
NORM(double, f64)
