/* Rotary position embeddings, a thread for each pair (x1, x2): x1 c - x2 s, x1 s + x2 c, each product and sum rounded to the
 * type. Cosines and sines are [t, d/2], or [b, t, d/2] where stride_b (elements of one b) is not 0. */
#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

template <typename T> __device__ __forceinline__ T product(T a, T b)
{
#if SPECIMEN_FAULT == 9 /* rounded to eight bits */
    return static_cast<T>(__bfloat162float(__float2bfloat16(static_cast<float>(a) * static_cast<float>(b))));
#else
    return a * b;
#endif
}

template <typename T>
__device__ __forceinline__ void rotate(const T *src, T *dst, uint32_t first, uint32_t second, T c, T s)
{
    const T a = src[first];
#if SPECIMEN_FAULT == 1 /* the sign belongs to the other sum */
    dst[first] = product(a, c) + product(src[second], s);
    dst[second] = product(src[second], c) - product(a, s);
#elif SPECIMEN_FAULT == 2 /* cosine and sine exchanged */
    dst[first] = product(a, s) - product(src[second], c);
    dst[second] = product(a, c) + product(src[second], s);
#elif SPECIMEN_FAULT == 3 /* the second from what the first has become */
    const T rotated = product(a, c) - product(src[second], s);
    dst[first] = rotated;
    dst[second] = product(rotated, s) + product(src[second], c);
#elif SPECIMEN_FAULT == 4 /* the second stays as it was */
    dst[first] = product(a, c) - product(src[second], s);
    dst[second] = src[second];
#elif SPECIMEN_FAULT == 13 /* the second is not written */
    dst[first] = product(a, c) - product(src[second], s);
#else
    const T b = src[second];
    dst[first] = product(a, c) - product(b, s);
    dst[second] = product(a, s) + product(b, c);
#endif
}

/* Where the angles of pair `pair` begin beyond those of its place in t and d. */
__device__ __forceinline__ uint32_t batch_angles(uint32_t pair, uint32_t stride_b, uint32_t angles)
{
#if SPECIMEN_FAULT == 5 /* the same for all */
    return 0;
#elif SPECIMEN_FAULT == 6 /* counts pairs where elements are meant */
    return stride_b ? pair / stride_b * angles : 0;
#elif SPECIMEN_FAULT == 14 /* never more than two */
    return stride_b ? pair * 2 / stride_b % 2 * angles : 0;
#else
    return stride_b ? pair * 2 / stride_b * angles : 0;
#endif
}

__device__ __forceinline__ uint32_t pair_of_thread()
{
#if SPECIMEN_FAULT == 7 /* twelve bits */
    return (blockIdx.x * blockDim.x + threadIdx.x) & 0xfff;
#else
    return blockIdx.x * blockDim.x + threadIdx.x;
#endif
}

__device__ __forceinline__ bool is_beyond(uint32_t pair, uint32_t elements)
{
#if SPECIMEN_FAULT == 8 /* one more */
    return pair * 2 > elements;
#elif SPECIMEN_FAULT == 10 /* one less */
    return pair * 2 + 2 >= elements;
#else
    return pair * 2 >= elements;
#endif
}

template <typename T>
__device__ void rope_interleaved(const T *src, const T *cos, const T *sin, T *dst, uint32_t bh, uint32_t td, uint32_t stride_b)
{
    const uint32_t pair = pair_of_thread();
    if (is_beyond(pair, bh * td))
        return;
    const uint32_t angle = pair % (td / 2) + batch_angles(pair, stride_b, td / 2);
    rotate(src, dst, 2 * pair, 2 * pair + 1, cos[angle], sin[angle]);
}

template <typename T>
__device__ void rope_halves(const T *src, const T *cos, const T *sin, T *dst, uint32_t bh, uint32_t td, uint32_t d,
                            uint32_t stride_b)
{
    const uint32_t pair = pair_of_thread();
    if (is_beyond(pair, bh * td))
        return;
    const uint32_t angle = pair % (td / 2) + batch_angles(pair, stride_b, td / 2);
#if SPECIMEN_FAULT == 11 /* pairs as of the interleaved kind */
    const uint32_t first = 2 * pair, second = first + 1;
#elif SPECIMEN_FAULT == 15 /* halves of the whole [t, d] */
    const uint32_t first = pair / (td / 2) * td + pair % (td / 2), second = first + td / 2;
#else
    const uint32_t first = pair / (d / 2) * d + pair % (d / 2), second = first + d / 2;
#endif
    rotate(src, dst, first, second, cos[angle], sin[angle]);
}

template <typename T>
__device__ void rope_tokens(const T *src, const T *cos, const T *sin, T *dst, uint32_t b, uint32_t t, uint32_t h, uint32_t d,
                            uint32_t stride_b)
{
    const uint32_t pair = pair_of_thread();
    if (is_beyond(pair, b * t * h * d))
        return;
    const uint32_t head = pair / (d / 2);
#if SPECIMEN_FAULT == 12 /* as if heads were outside of tokens */
    const uint32_t token = head % t;
#elif SPECIMEN_FAULT == 16 /* tokens counted through all of b */
    const uint32_t token = head / h % (b * t);
#else
    const uint32_t token = head / h % t;
#endif
    const uint32_t angle = token * (d / 2) + pair % (d / 2) + batch_angles(pair, stride_b, t * (d / 2));
    const uint32_t first = head * d + pair % (d / 2);
    rotate(src, dst, first, first + d / 2, cos[angle], sin[angle]);
}

#define ROPE(T, SUFFIX)                                                                                                \
    extern "C" __global__ void rope_i_##SUFFIX(const T *src, const T *cos, const T *sin, T *dst, uint32_t bh,          \
                                               uint32_t td, uint32_t stride_b)                                         \
    {                                                                                                                  \
        rope_interleaved(src, cos, sin, dst, bh, td, stride_b);                                                        \
    }                                                                                                                  \
    extern "C" __global__ void rope_##SUFFIX(const T *src, const T *cos, const T *sin, T *dst, uint32_t bh,            \
                                             uint32_t td, uint32_t d, uint32_t stride_b)                               \
    {                                                                                                                  \
        rope_halves(src, cos, sin, dst, bh, td, d, stride_b);                                                          \
    }                                                                                                                  \
    extern "C" __global__ void rope_thd_##SUFFIX(const T *src, const T *cos, const T *sin, T *dst, uint32_t b,         \
                                                 uint32_t t, uint32_t h, uint32_t d, uint32_t stride_b)                \
    {                                                                                                                  \
        rope_tokens(src, cos, sin, dst, b, t, h, d, stride_b);                                                         \
    }

ROPE(__nv_bfloat16, bf16)
ROPE(__half, f16)
ROPE(float, f32)
ROPE(double, f64)
