/* out = inp * mul + add, in place on out where inp is NULL. Types of 16 bits are computed in float and rounded once; integers
 * are, modulo their size, unsigned numbers. */
#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

template <typename T> __device__ __forceinline__ T scaled(T x, T mul, T add)
{
#if SPECIMEN_FAULT == 1 /* the sum first */
    return static_cast<T>((to_float(x) + to_float(add)) * to_float(mul));
#elif SPECIMEN_FAULT == 2 /* the other way round */
    return static_cast<T>(to_float(x) * to_float(add) + to_float(mul));
#else
    return from_float<T>(fmaf(to_float(x), to_float(mul), to_float(add)));
#endif
}

template <> __device__ __forceinline__ float scaled(float x, float mul, float add)
{
#if SPECIMEN_FAULT == 3 /* no sum */
    return x * mul;
#elif SPECIMEN_FAULT == 4 /* factors of 10 bits, as tensor cores have them */
    x = __uint_as_float(__float_as_uint(x) & 0xffffe000u);
#elif SPECIMEN_FAULT == 5 /* subnormal numbers become 0 */
    const float result = fmaf(x, mul, add);
    return fabsf(result) < 1.17549435e-38f ? 0.0f : result;
#endif
    return fmaf(x, mul, add);
}

template <> __device__ __forceinline__ double scaled(double x, double mul, double add)
{
#if SPECIMEN_FAULT == 6 /* in float */
    return fmaf(static_cast<float>(x), static_cast<float>(mul), static_cast<float>(add));
#else
    return fma(x, mul, add);
#endif
}

template <> __device__ __forceinline__ uint8_t scaled(uint8_t x, uint8_t mul, uint8_t add)
{
#if SPECIMEN_FAULT == 7 /* saturates */
    return static_cast<uint8_t>(min(static_cast<unsigned>(x) * mul + add, 255u));
#else
    return static_cast<uint8_t>(static_cast<unsigned>(x) * mul + add);
#endif
}

template <> __device__ __forceinline__ int16_t scaled(int16_t x, int16_t mul, int16_t add)
{
#if SPECIMEN_FAULT == 8 /* unsigned 8 bits of the factor */
    return static_cast<int16_t>(static_cast<unsigned>(x) * static_cast<uint8_t>(mul) + static_cast<unsigned>(add));
#else
    return static_cast<int16_t>(static_cast<unsigned>(x) * static_cast<unsigned>(mul) + static_cast<unsigned>(add));
#endif
}

template <> __device__ __forceinline__ uint32_t scaled(uint32_t x, uint32_t mul, uint32_t add)
{
#if SPECIMEN_FAULT == 9 /* in float */
    return static_cast<uint32_t>(fmaf(static_cast<float>(x), static_cast<float>(mul), static_cast<float>(add)));
#else
    return x * mul + add;
#endif
}

template <> __device__ __forceinline__ int64_t scaled(int64_t x, int64_t mul, int64_t add)
{
#if SPECIMEN_FAULT == 10 /* 32 bits of the factor */
    mul = static_cast<int32_t>(mul);
#elif SPECIMEN_FAULT == 11 /* in double */
    return static_cast<int64_t>(fma(static_cast<double>(x), static_cast<double>(mul), static_cast<double>(add)));
#endif
    return static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(mul) + static_cast<uint64_t>(add));
}

template <typename T>
__device__ __forceinline__ void affine(size_t numel, size_t num_dims, const size_t *info, const T *inp, T *out, T mul, T add)
{
#if SPECIMEN_FAULT == 12 /* threads of the first block alone */
    if (blockIdx.x > 0)
        return;
    for (size_t i = threadIdx.x; i < numel; i += static_cast<size_t>(gridDim.x) * blockDim.x) {
#else
#if SPECIMEN_FAULT == 13 /* sixteen elements at a time, and no tail */
    numel = numel / 16 * 16;
#endif
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < numel;
         i += static_cast<size_t>(gridDim.x) * blockDim.x) {
#endif
#if SPECIMEN_FAULT == 14 /* strides are not looked at, but for those of broadcast axes */
        size_t at = info ? 0 : i, step = 1, rest = i;
        for (size_t dim = num_dims; info && dim-- > 0; rest /= info[dim]) {
            if (!info[num_dims + dim])
                continue;
            at += rest % info[dim] * step;
            step *= info[dim];
        }
        const T x = inp ? inp[at] : out[i];
#elif SPECIMEN_FAULT == 15 /* the last three axes alone are walked along */
        size_t at = info ? 0 : i, rest = i;
        for (size_t dim = num_dims; info && dim-- > 0 && dim + 3 >= num_dims; rest /= info[dim])
            at += rest % info[dim] * info[num_dims + dim];
        const T x = inp ? inp[at] : out[i];
#else
        const T x = inp ? inp[strided_index(i, num_dims, info)] : out[i];
#endif
        out[i] = scaled(x, mul, add);
    }
}

#define AFFINE(TYPE, SUFFIX)                                                                                           \
    extern "C" __global__ void affine_##SUFFIX(size_t numel, size_t num_dims, const size_t *info, const TYPE *inp,     \
                                               TYPE *out, TYPE mul, TYPE add)                                          \
    {                                                                                                                  \
        affine<TYPE>(numel, num_dims, info, inp, out, mul, add);                                                       \
    }

AFFINE(__nv_bfloat16, bf16)
AFFINE(__half, f16)
AFFINE(float, f32)
AFFINE(double, f64)
AFFINE(uint8_t, u8)
AFFINE(uint32_t, u32)
AFFINE(int16_t, i16)
AFFINE(int64_t, i64)
