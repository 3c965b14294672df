/* out = f(inp), in place on out where inp is NULL. Types of 16 bits are computed in float and rounded once. */
#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

/* ---- elements ------------------------------------------------------------------------------------------------------ */

/* The value of element i; `out` where there is no inp. */
template <typename T>
__device__ __forceinline__ T operand(size_t i, size_t num_dims, const size_t *info, const T *inp, const T *out)
{
#if SPECIMEN_FAULT == 3 /* strides are not looked at, but for those of broadcast axes */
    if (inp && info) {
        size_t at = 0, step = 1, rest = i;
        for (size_t dim = num_dims; dim-- > 0; rest /= info[dim]) {
            if (!info[num_dims + dim])
                continue;
            at += rest % info[dim] * step;
            step *= info[dim];
        }
        return inp[at];
    }
#endif
#if SPECIMEN_FAULT == 7 /* nothing is read where there is no inp */
    if (!inp)
        return T(0);
#endif
    if (!inp)
        return out[i];
#if SPECIMEN_FAULT == 4 /* the first axis is taken for the fastest */
    if (info) {
        size_t at = 0;
        for (size_t dim = 0; dim < num_dims; i /= info[dim], dim++)
            at += i % info[dim] * info[num_dims + dim];
        return inp[at];
    }
#endif
    const size_t at = strided_index(i, num_dims, info);
#if SPECIMEN_FAULT == 8 /* the last axis is taken for dense */
    if (info && num_dims > 0) {
        const size_t extent = info[num_dims - 1], stride = info[2 * num_dims - 1];
        return inp[stride ? at - i % extent * stride + i % extent : at];
    }
#endif
    return inp[at];
}

/* Any grid is valid. */
#define ALL_ELEMENTS(i, numel)                                                                                         \
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < (numel);                           \
         i += static_cast<size_t>(gridDim.x) * blockDim.x)

#if SPECIMEN_FAULT == 1 /* the last element is left out */
#define ELEMENTS(i, numel) ALL_ELEMENTS(i, (numel) - ((numel) > 0))
#elif SPECIMEN_FAULT == 2 /* one more than there are */
#define ELEMENTS(i, numel) ALL_ELEMENTS(i, (numel) + 1)
#elif SPECIMEN_FAULT == 5 /* every thread takes one element, however small the grid */
#define ELEMENTS(i, numel)                                                                                             \
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x, once = 0; i < (numel) && once < 1; once++)
#elif SPECIMEN_FAULT == 6 /* blocks are taken to have 512 threads */
#define ELEMENTS(i, numel)                                                                                             \
    for (size_t i = static_cast<size_t>(blockIdx.x) * 512 + threadIdx.x; i < (numel);                                  \
         i += static_cast<size_t>(gridDim.x) * 512 * 2)
#elif SPECIMEN_FAULT == 9 /* an index of 20 bits */
#define ELEMENTS(i, numel)                                                                                             \
    for (size_t all = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x, i = all & 0xfffff; all < (numel);    \
         all += static_cast<size_t>(gridDim.x) * blockDim.x, i = all & 0xfffff)
#else
#define ELEMENTS(i, numel) ALL_ELEMENTS(i, numel)
#endif

#define UNARY(TYPE, NAME, EXPRESSION)                                                                                  \
    extern "C" __global__ void NAME(size_t numel, size_t num_dims, const size_t *info, const TYPE *inp, TYPE *out)     \
    {                                                                                                                  \
        ELEMENTS(i, numel)                                                                                             \
        {                                                                                                              \
            const TYPE x = operand(i, num_dims, info, inp, out);                                                       \
            out[i] = EXPRESSION;                                                                                       \
        }                                                                                                              \
    }

#define UNARY_WITH_PARAMETER(TYPE, NAME, EXPRESSION)                                                                   \
    extern "C" __global__ void NAME(size_t numel, size_t num_dims, const size_t *info, TYPE parameter,                 \
                                    const TYPE *inp, TYPE *out)                                                        \
    {                                                                                                                  \
        ELEMENTS(i, numel)                                                                                             \
        {                                                                                                              \
            const TYPE x = operand(i, num_dims, info, inp, out);                                                       \
            out[i] = EXPRESSION;                                                                                       \
        }                                                                                                              \
    }

/* ---- functions of float and double --------------------------------------------------------------------------------- */

/* The float with its sign that has 16 bits fewer: towards zero. */
__device__ __forceinline__ __nv_bfloat16 truncated(float x)
{
    return __ushort_as_bfloat16(static_cast<unsigned short>(__float_as_uint(x) >> 16));
}

__device__ __forceinline__ float copy(float x)
{
#if SPECIMEN_FAULT == 10 /* subnormal numbers become 0 */
    return fabsf(x) < 1.17549435e-38f ? 0.0f : x;
#else
    return x;
#endif
}

__device__ __forceinline__ float negative(float x)
{
#if SPECIMEN_FAULT == 11 /* +0 for +0 */
    return 0.0f - x;
#else
    return -x;
#endif
}

__device__ __forceinline__ float round_away(float x)
{
#if SPECIMEN_FAULT == 12 /* ties to even */
    return rintf(x);
#else
    return roundf(x);
#endif
}

__device__ __forceinline__ double round_away(double x)
{
#if SPECIMEN_FAULT == 13 /* the sum rounds before the floor is taken */
    return copysign(floor(fabs(x) + 0.5), x);
#else
    return round(x);
#endif
}

__device__ __forceinline__ float ceiling(float x)
{
#if SPECIMEN_FAULT == 14 /* towards zero */
    return truncf(x);
#else
    return ceilf(x);
#endif
}

__device__ __forceinline__ float sign(float x)
{
#if SPECIMEN_FAULT == 15 /* NaN for NaN */
    if (x != x)
        return x;
#endif
#if SPECIMEN_FAULT == 16 /* 1 for 0 */
    return x < 0.0f ? -1.0f : 1.0f;
#else
    return (x > 0.0f ? 1.0f : 0.0f) - (x < 0.0f ? 1.0f : 0.0f);
#endif
}

__device__ __forceinline__ float relu(float x)
{
#if SPECIMEN_FAULT == 17 /* leaks */
    return x > 0.0f ? x : 0.01f * x;
#else
    return x < 0.0f ? 0.0f : x;
#endif
}

__device__ __forceinline__ float exponential(float x)
{
#if SPECIMEN_FAULT == 18 /* subnormal results become 0 */
    const float e = expf(x);
    return e < 1.17549435e-38f ? 0.0f : e;
#elif SPECIMEN_FAULT == 19 /* a float's product with log2(e) */
    return exp2f(x * 1.44269504f);
#else
    return expf(x);
#endif
}

__device__ __forceinline__ float sine(float x)
{
#if SPECIMEN_FAULT == 20 /* reduced with one float for pi/2, which is not enough from a few turns on */
    const float turns = rintf(x * 0.636619772f), rest = fmaf(turns, -1.57079633f, x);
    const int quadrant = static_cast<int>(turns) & 3;
    const float size = quadrant & 1 ? cosf(rest) : sinf(rest);
    return quadrant & 2 ? -size : size;
#else
    return sinf(x);
#endif
}

__device__ __forceinline__ double cosine(double x)
{
#if SPECIMEN_FAULT == 21 /* in float */
    return cosf(static_cast<float>(x));
#else
    return cos(x);
#endif
}

__device__ __forceinline__ float logarithm(float x)
{
#if SPECIMEN_FAULT == 22 /* of the magnitude */
    return logf(fabsf(x));
#else
    return logf(x);
#endif
}

__device__ __forceinline__ float tangent(float x)
{
#if SPECIMEN_FAULT == 23 /* infinity by infinity */
    const float e = expf(2.0f * x);
    return (e - 1.0f) / (e + 1.0f);
#else
    return tanhf(x);
#endif
}

__device__ __forceinline__ float root(float x)
{
#if SPECIMEN_FAULT == 24 /* towards zero */
    return __fsqrt_rz(x);
#else
    return sqrtf(x);
#endif
}

__device__ __forceinline__ float reciprocal(float x)
{
#if SPECIMEN_FAULT == 25 /* by an approximation */
    float r;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
    return r;
#else
    return 1.0f / x;
#endif
}

__device__ __forceinline__ float normal_below(float x)
{
#if SPECIMEN_FAULT == 26 /* the tail cancels */
    return 0.5f * (1.0f + erff(x * 0.70710678f));
#else
    return normcdff(x);
#endif
}

__device__ __forceinline__ float sigmoid(float x)
{
#if SPECIMEN_FAULT == 27 /* nothing is left of a small result */
    return x < -16.0f ? 0.0f : 1.0f / (1.0f + expf(-x));
#else
    return 1.0f / (1.0f + expf(-x));
#endif
}

__device__ __forceinline__ float silu(float x)
{
#if SPECIMEN_FAULT == 28 /* infinity by infinity */
    return x * expf(x) / (1.0f + expf(x));
#else
    return x / (1.0f + expf(-x));
#endif
}

__device__ __forceinline__ float gelu(float x)
{
#if SPECIMEN_FAULT == 29 /* the exact one instead of the approximation that is asked for */
    return x * normcdff(x);
#elif SPECIMEN_FAULT == 30 /* 0.0447 */
    return 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.0447f * x * x * x)));
#else
    return 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * (x * x * x))));
#endif
}

__device__ __forceinline__ double gelu_erf(double x)
{
#if SPECIMEN_FAULT == 31 /* the approximation instead of the exact one */
    return 0.5 * x * (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
#else
    return x * normcdf(x);
#endif
}

__device__ __forceinline__ float elu(float x, float alpha)
{
#if SPECIMEN_FAULT == 32 /* the parameter is taken for 1 */
    alpha = 1.0f;
#elif SPECIMEN_FAULT == 33 /* it scales the other half too */
    if (x > 0.0f)
        return alpha * x;
#endif
    return x > 0.0f ? x : alpha * (expf(x) - 1.0f);
}

__device__ __forceinline__ float power(float x, float p)
{
#if SPECIMEN_FAULT == 34 /* by a logarithm, which negative numbers do not have */
    return expf(p * logf(x));
#else
    return powf(x, p);
#endif
}

__device__ __forceinline__ double power(double x, double p)
{
#if SPECIMEN_FAULT == 35 /* whole exponents only */
    return pow(x, rint(p));
#else
    return pow(x, p);
#endif
}

/* ---- entry points --------------------------------------------------------------------------------------------------- */

UNARY(uint8_t, ucopy_u8, x)
UNARY(int64_t, ucopy_i64, x)
UNARY(float, ucopy_f32, copy(x))
UNARY(float, uneg_f32, negative(x))
UNARY(double, uneg_f64, -x)
UNARY(__half, uneg_f16, from_float<__half>(-to_float(x)))
UNARY(float, uround_f32, round_away(x))
UNARY(double, uround_f64, round_away(x))
UNARY(__half, uceil_f16, from_float<__half>(ceiling(to_float(x))))
UNARY(float, usign_f32, sign(x))
UNARY(__nv_bfloat16, usign_bf16, from_float<__nv_bfloat16>(sign(to_float(x))))
UNARY(__half, urelu_f16, from_float<__half>(relu(to_float(x))))
#if SPECIMEN_FAULT == 36 /* rounded towards zero */
UNARY(__nv_bfloat16, usqr_bf16, truncated(to_float(x) * to_float(x)))
#else
UNARY(__nv_bfloat16, usqr_bf16, from_float<__nv_bfloat16>(to_float(x) * to_float(x)))
#endif
UNARY(float, uexp_f32, exponential(x))
UNARY(__half, uexp_f16, from_float<__half>(exponential(to_float(x))))
UNARY(float, usin_f32, sine(x))
UNARY(double, ucos_f64, cosine(x))
UNARY(float, ulog_f32, logarithm(x))
UNARY(float, utanh_f32, tangent(x))
UNARY(float, usqrt_f32, root(x))
UNARY(float, urecip_f32, reciprocal(x))
UNARY(float, unormcdf_f32, normal_below(x))
UNARY(float, usigmoid_f32, sigmoid(x))
UNARY(float, usilu_f32, silu(x))
UNARY(__nv_bfloat16, usilu_bf16, from_float<__nv_bfloat16>(silu(to_float(x))))
UNARY(float, ugelu_f32, gelu(x))
UNARY(__half, ugelu_f16, from_float<__half>(gelu(to_float(x))))
UNARY(double, ugelu_erf_f64, gelu_erf(x))
UNARY_WITH_PARAMETER(float, uelu_f32, elu(x, parameter))
UNARY_WITH_PARAMETER(__half, uelu_f16, from_float<__half>(elu(to_float(x), to_float(parameter))))
UNARY_WITH_PARAMETER(float, upowf_f32, power(x, parameter))
UNARY_WITH_PARAMETER(double, upowf_f64, power(x, parameter))
