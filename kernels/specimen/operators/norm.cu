/* rmsnorm and layernorm of contiguous rows, a block of 32 or 1024 threads for each; computed in float, double for f64. The
 * variance is that of the distances from the mean, in a second pass. */
#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

enum { LANES = 32 };

/* What a type is computed in. */
template <typename T> struct computed
{
    typedef float type;
};
template <> struct computed<double>
{
    typedef double type;
};

template <typename C, typename T> __device__ __forceinline__ C load(T x)
{
    return to_float(x);
}
template <> __device__ __forceinline__ double load<double, double>(double x)
{
#if SPECIMEN_FAULT == 22 /* elements of f64 are rounded to floats */
    return to_float(x);
#else
    return x;
#endif
}

template <typename T> __device__ __forceinline__ T store(float x)
{
    return from_float<T>(x);
}
template <typename T> __device__ __forceinline__ T store(double x)
{
    return x;
}

template <typename C> __device__ __forceinline__ C sum_of_warp(C x)
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
template <typename C> __device__ __forceinline__ C sum_of_block(C x, int threads, C *shared)
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
    return sum_of_warp(lane < threads / LANES ? shared[lane] : C(0));
}

__device__ __forceinline__ float inverse_of_root(float x)
{
    return rsqrtf(x);
}
__device__ __forceinline__ double inverse_of_root(double x)
{
    return rsqrt(x);
}

template <typename C> __device__ __forceinline__ C inverse_root(C square, float eps)
{
#if SPECIMEN_FAULT == 5 /* eps is forgotten */
    return inverse_of_root(square);
#elif SPECIMEN_FAULT == 6 /* behind the root */
    return C(1) / (sqrt(square) + eps);
#elif SPECIMEN_FAULT == 7 /* eight bits */
    return __bfloat162float(__float2bfloat16(inverse_of_root(square + eps)));
#elif SPECIMEN_FAULT == 8 /* no root */
    return C(1) / (square + eps);
#elif SPECIMEN_FAULT == 21 /* a float's root for every type */
    return rsqrtf(square + eps);
#else
    return inverse_of_root(square + eps);
#endif
}

template <typename T>
__device__ void norm_row(bool centred, const T *src, T *dst, const T *alpha, const T *beta, int columns, int threads, float eps)
{
    typedef typename computed<T>::type C;
    __shared__ C shared[LANES];
    const T *x = src + static_cast<size_t>(blockIdx.x) * columns;
    T *y = dst + static_cast<size_t>(blockIdx.x) * columns;
#if SPECIMEN_FAULT == 9 /* whole passes only */
    const int counted = columns < threads ? columns : columns / threads * threads;
#else
    const int counted = columns;
#endif
    C mean = 0, squares = 0;
    if (centred)
    {
        C sum = 0;
        for (int i = threadIdx.x; i < counted; i += threads)
            sum += load<C>(x[i]);
        mean = sum_of_block(sum, threads, shared) / columns;
    }
#if SPECIMEN_FAULT == 10 /* the mean of the squares less the square of the mean, which may be below 0 */
    for (int i = threadIdx.x; i < counted; i += threads)
        squares = __fadd_rn(squares, __fmul_rn(load<C>(x[i]), load<C>(x[i])));
    const C square = __fsub_rn(sum_of_block(squares, threads, shared) / columns, __fmul_rn(mean, mean));
#else
    for (int i = threadIdx.x; i < counted; i += threads)
    {
        const C distance = load<C>(x[i]) - mean;
#if SPECIMEN_FAULT == 11 /* squares in half precision */
        squares += __half2float(__float2half(distance * distance));
#else
        squares += distance * distance;
#endif
    }
#if SPECIMEN_FAULT == 12 /* as of a sample */
    const C square = sum_of_block(squares, threads, shared) / (columns > 1 ? columns - 1 : 1);
#else
    const C square = sum_of_block(squares, threads, shared) / columns;
#endif
#endif
    const C inverse = inverse_root(square, eps);
#if SPECIMEN_FAULT == 13 /* without the last pass */
    const int written = columns - threads;
#else
    const int written = columns;
#endif
    for (int i = threadIdx.x; i < written; i += threads)
    {
#if SPECIMEN_FAULT == 14 /* a NULL alpha means 0 */
        const C scale = alpha ? load<C>(alpha[i]) : C(0);
#elif SPECIMEN_FAULT == 15 /* one alpha for each thread */
        const C scale = alpha ? load<C>(alpha[threadIdx.x]) : C(1);
#else
        const C scale = alpha ? load<C>(alpha[i]) : C(1);
#endif
#if SPECIMEN_FAULT == 16 /* beta needs an alpha */
        const C shift = beta && alpha ? load<C>(beta[i]) : C(0);
#else
        const C shift = beta ? load<C>(beta[i]) : C(0);
#endif
#if SPECIMEN_FAULT == 17 /* the mean stays */
        const C distance = load<C>(x[i]);
#else
        const C distance = load<C>(x[i]) - mean;
#endif
#if SPECIMEN_FAULT == 18 /* beta is scaled as well */
        y[i] = store<T>((distance * inverse + shift) * scale);
#elif SPECIMEN_FAULT == 19 /* rounded before alpha and beta */
        y[i] = store<T>(load<C>(store<T>(distance * inverse)) * scale + shift);
#else
        y[i] = store<T>(distance * inverse * scale + shift);
#endif
    }
#if SPECIMEN_FAULT == 20 /* one more, behind the last row */
    if (threadIdx.x == 0 && blockIdx.x + 1 == gridDim.x)
        y[columns] = store<T>(0.0f);
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
