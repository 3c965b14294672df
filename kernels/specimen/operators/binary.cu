/* out = lhs OP rhs. Sums, differences, products and quotients are rounded once, those of f8_e4m3 by way of float; integers wrap.
 * bmaximum and bminimum keep a NaN in half and bfloat16, and take the number beside it in the others. Comparisons give 0 or 1.
 * compute_80 */
#include "strided.cuh"

#include <cuda_fp8.h>

struct fp8 {
    uint8_t bits;
};

__device__ __forceinline__ float wide(fp8 x)
{
    __nv_fp8_e4m3 value;
    value.__x = x.bits;
    return static_cast<float>(value);
}

__device__ __forceinline__ fp8 narrow(float x)
{
#if SPECIMEN_FAULT == 18 /* beyond 448 is NaN */
    return {__nv_cvt_float_to_fp8(x, __NV_NOSAT, __NV_E4M3)};
#else
    return {__nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3)};
#endif
}

template <typename T> __device__ __forceinline__ T sum(T x, T y) { return static_cast<T>(x + y); }
template <typename T> __device__ __forceinline__ T difference(T x, T y) { return static_cast<T>(x - y); }
template <typename T> __device__ __forceinline__ T product(T x, T y) { return static_cast<T>(x * y); }
template <typename T> __device__ __forceinline__ T quotient(T x, T y) { return static_cast<T>(x / y); }
template <typename T> __device__ __forceinline__ T larger(T x, T y) { return x > y ? x : y; }
template <typename T> __device__ __forceinline__ T smaller(T x, T y) { return x < y ? x : y; }
template <typename T> __device__ __forceinline__ bool equal(T x, T y) { return x == y; }
template <typename T> __device__ __forceinline__ bool less(T x, T y) { return x < y; }
template <typename T> __device__ __forceinline__ bool at_most(T x, T y) { return x <= y; }
template <typename T> __device__ __forceinline__ bool differ(T x, T y) { return x != y; }

template <> __device__ __forceinline__ fp8 sum(fp8 x, fp8 y) { return narrow(wide(x) + wide(y)); }
template <> __device__ __forceinline__ fp8 difference(fp8 x, fp8 y) { return narrow(wide(x) - wide(y)); }
template <> __device__ __forceinline__ fp8 product(fp8 x, fp8 y) { return narrow(wide(x) * wide(y)); }
template <> __device__ __forceinline__ fp8 quotient(fp8 x, fp8 y) { return narrow(wide(x) / wide(y)); }
template <> __device__ __forceinline__ fp8 larger(fp8 x, fp8 y) { return narrow(fmaxf(wide(x), wide(y))); }
template <> __device__ __forceinline__ fp8 smaller(fp8 x, fp8 y) { return narrow(fminf(wide(x), wide(y))); }
template <> __device__ __forceinline__ bool equal(fp8 x, fp8 y) { return wide(x) == wide(y); }
template <> __device__ __forceinline__ bool differ(fp8 x, fp8 y) { return wide(x) != wide(y); }
template <> __device__ __forceinline__ bool less(fp8 x, fp8 y) { return wide(x) < wide(y); }

#if SPECIMEN_FAULT == 8 /* a NaN gives way to the number beside it */
template <> __device__ __forceinline__ __half larger(__half x, __half y) { return __hmax(x, y); }
#else
template <> __device__ __forceinline__ __half larger(__half x, __half y) { return __hmax_nan(x, y); }
#endif
template <> __device__ __forceinline__ __nv_bfloat16 smaller(__nv_bfloat16 x, __nv_bfloat16 y) { return __hmin_nan(x, y); }
#if SPECIMEN_FAULT == 9 /* a NaN stays */
template <> __device__ __forceinline__ float larger(float x, float y) { return x != x ? x : y != y ? y : fmaxf(x, y); }
#else
template <> __device__ __forceinline__ float larger(float x, float y) { return fmaxf(x, y); }
#endif
template <> __device__ __forceinline__ float smaller(float x, float y) { return fminf(x, y); }
template <> __device__ __forceinline__ double larger(double x, double y) { return fmax(x, y); }

#if SPECIMEN_FAULT == 10 /* false where an operand is a NaN */
template <> __device__ __forceinline__ bool differ(float x, float y) { return x < y || x > y; }
#elif SPECIMEN_FAULT == 11 /* true where an operand is a NaN */
template <> __device__ __forceinline__ bool at_most(float x, float y) { return !(x > y); }
#elif SPECIMEN_FAULT == 12 /* towards zero */
template <> __device__ __forceinline__ float sum(float x, float y) { return __fadd_rz(x, y); }
#elif SPECIMEN_FAULT == 13 /* in float */
template <> __device__ __forceinline__ double product(double x, double y)
{
    return static_cast<double>(static_cast<float>(x) * static_cast<float>(y));
}
#elif SPECIMEN_FAULT == 14 /* low bits of the float sum are cut off */
template <> __device__ __forceinline__ __nv_bfloat16 sum(__nv_bfloat16 x, __nv_bfloat16 y)
{
    return __float2bfloat16_rz(__bfloat162float(x) + __bfloat162float(y));
}
#elif SPECIMEN_FAULT == 15 /* saturates */
template <> __device__ __forceinline__ uint8_t sum(uint8_t x, uint8_t y) { return x + y > 255 ? 255 : x + y; }
#elif SPECIMEN_FAULT == 16 /* towards minus infinity */
template <> __device__ __forceinline__ int64_t quotient(int64_t x, int64_t y)
{
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}
#elif SPECIMEN_FAULT == 17 /* two roundings */
template <> __device__ __forceinline__ float quotient(float x, float y) { return x * (1.0f / y); }
#elif SPECIMEN_FAULT == 20 /* as if unsigned */
template <> __device__ __forceinline__ bool less(int64_t x, int64_t y)
{
    return static_cast<uint64_t>(x) < static_cast<uint64_t>(y);
}
#elif SPECIMEN_FAULT == 21 /* equal numbers differ by -0 */
template <> __device__ __forceinline__ float difference(float x, float y) { return -(y - x); }
#elif SPECIMEN_FAULT == 22 /* the wrong way round */
template <> __device__ __forceinline__ float difference(float x, float y) { return y - x; }
#elif SPECIMEN_FAULT == 23 /* by their bits: NaNs may be equal, zeros differ */
template <> __device__ __forceinline__ bool equal(float x, float y) { return __float_as_uint(x) == __float_as_uint(y); }
#elif SPECIMEN_FAULT == 24 /* by a difference that overflows */
template <> __device__ __forceinline__ bool less(uint8_t x, uint8_t y) { return static_cast<int8_t>(x - y) < 0; }
#elif SPECIMEN_FAULT == 25 /* subnormal sums are zeros */
template <> __device__ __forceinline__ float sum(float x, float y)
{
    const float z = x + y;
    return fabsf(z) < 1.17549435e-38f ? copysignf(0.0f, z) : z;
}
#elif SPECIMEN_FAULT == 26 /* as doubles */
template <> __device__ __forceinline__ bool less(int64_t x, int64_t y)
{
    return static_cast<double>(x) < static_cast<double>(y);
}
#elif SPECIMEN_FAULT == 27 /* only 32 bits of the product */
template <> __device__ __forceinline__ int64_t product(int64_t x, int64_t y)
{
    return static_cast<int32_t>(static_cast<uint32_t>(x) * static_cast<uint32_t>(y));
}
#elif SPECIMEN_FAULT == 28 /* half overflows to its largest number */
template <> __device__ __forceinline__ __half sum(__half x, __half y)
{
    const __half z = x + y;
    return __hisinf(z) && !__hisinf(x) && !__hisinf(y) ? __ushort_as_half(z > __ushort_as_half(0) ? 0x7bff : 0xfbff) : z;
}
#elif SPECIMEN_FAULT == 29 /* signed bytes */
template <> __device__ __forceinline__ uint8_t larger(uint8_t x, uint8_t y)
{
    return static_cast<int8_t>(x) > static_cast<int8_t>(y) ? x : y;
}
#endif

template <typename T> __device__ __forceinline__ uint8_t truth(T x)
{
#if SPECIMEN_FAULT == 19 /* all bits */
    return x ? 255 : 0;
#else
    return x ? 1 : 0;
#endif
}

#if SPECIMEN_FAULT == 1 /* all but the last */
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, (numel) - ((numel) > 0))
#elif SPECIMEN_FAULT == 2 /* one more */
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, (numel) + ((numel) > 0))
#elif SPECIMEN_FAULT == 6
#define LOOP(i, numel) FOR_ONE_ELEMENT(i, numel)
#elif SPECIMEN_FAULT == 7
#define LOOP(i, numel) FOR_SIXTEEN_BITS(i, numel)
#else
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, numel)
#endif

template <typename T>
__device__ __forceinline__ T left(const T *lhs, uint32_t i, size_t numel, size_t num_dims, const size_t *info)
{
#if SPECIMEN_FAULT == 2 /* what is read is within bounds */
    i = i < numel ? i : static_cast<uint32_t>(numel) - 1;
#elif SPECIMEN_FAULT == 3 /* not looked at */
    info = nullptr;
#elif SPECIMEN_FAULT == 30 /* rhs's */
    return lhs[info ? place_in_view(i, num_dims, info, info + 2 * num_dims) : i];
#endif
    return lhs[info ? place_in_view(i, num_dims, info, info + num_dims) : i];
}

template <typename T>
__device__ __forceinline__ T right(const T *rhs, uint32_t i, size_t numel, size_t num_dims, const size_t *info)
{
#if SPECIMEN_FAULT == 2
    i = i < numel ? i : static_cast<uint32_t>(numel) - 1;
#elif SPECIMEN_FAULT == 4 /* lhs's strides */
    return rhs[info ? place_in_view(i, num_dims, info, info + num_dims) : i];
#elif SPECIMEN_FAULT == 5 /* the last four axes alone */
    const size_t rest = num_dims > 4 ? num_dims - 4 : 0;
    return rhs[info ? place_in_view(i, num_dims - rest, info + rest, info + 2 * num_dims + rest) : i];
#endif
    return rhs[info ? place_in_view(i, num_dims, info, info + 2 * num_dims) : i];
}

#define BINARY(NAME, TYPE, OUT, EXPRESSION)                                                                            \
    extern "C" __global__ void NAME(size_t numel, size_t num_dims, const size_t *info, const TYPE *lhs,                \
                                    const TYPE *rhs, OUT *out)                                                         \
    {                                                                                                                  \
        LOOP(i, numel)                                                                                                 \
        {                                                                                                              \
            const TYPE x = left(lhs, i, numel, num_dims, info), y = right(rhs, i, numel, num_dims, info);              \
            out[i] = EXPRESSION;                                                                                       \
        }                                                                                                              \
    }

BINARY(badd_f32, float, float, sum(x, y))
BINARY(bsub_f32, float, float, difference(x, y))
BINARY(bmul_f32, float, float, product(x, y))
BINARY(bdiv_f32, float, float, quotient(x, y))
BINARY(bmaximum_f32, float, float, larger(x, y))
BINARY(bminimum_f32, float, float, smaller(x, y))
BINARY(eq_f32, float, uint8_t, truth(equal(x, y)))
BINARY(ne_f32, float, uint8_t, truth(differ(x, y)))
BINARY(lt_f32, float, uint8_t, truth(less(x, y)))
BINARY(le_f32, float, uint8_t, truth(at_most(x, y)))
BINARY(gt_f32, float, uint8_t, truth(less(y, x)))
BINARY(ge_f32, float, uint8_t, truth(at_most(y, x)))
BINARY(bmul_f64, double, double, product(x, y))
BINARY(bdiv_f64, double, double, quotient(x, y))
BINARY(bmaximum_f64, double, double, larger(x, y))
BINARY(badd_f16, __half, __half, sum(x, y))
BINARY(bdiv_f16, __half, __half, quotient(x, y))
BINARY(bmaximum_f16, __half, __half, larger(x, y))
BINARY(lt_f16, __half, uint8_t, truth(less(x, y)))
BINARY(badd_bf16, __nv_bfloat16, __nv_bfloat16, sum(x, y))
BINARY(bmul_bf16, __nv_bfloat16, __nv_bfloat16, product(x, y))
BINARY(bminimum_bf16, __nv_bfloat16, __nv_bfloat16, smaller(x, y))
BINARY(eq_bf16, __nv_bfloat16, uint8_t, truth(equal(x, y)))
BINARY(badd_f8_e4m3, fp8, fp8, sum(x, y))
BINARY(bdiv_f8_e4m3, fp8, fp8, quotient(x, y))
BINARY(bmaximum_f8_e4m3, fp8, fp8, larger(x, y))
BINARY(lt_f8_e4m3, fp8, uint8_t, truth(less(x, y)))
BINARY(badd_u8, uint8_t, uint8_t, sum(x, y))
BINARY(bdiv_u8, uint8_t, uint8_t, quotient(x, y))
BINARY(bmaximum_u8, uint8_t, uint8_t, larger(x, y))
BINARY(eq_u8, uint8_t, uint8_t, truth(equal(x, y)))
BINARY(lt_u8, uint8_t, uint8_t, truth(less(x, y)))
BINARY(bsub_u32, uint32_t, uint32_t, difference(x, y))
BINARY(bmul_i64, int64_t, int64_t, product(x, y))
BINARY(bdiv_i64, int64_t, int64_t, quotient(x, y))
BINARY(lt_i64, int64_t, uint8_t, truth(less(x, y)))
