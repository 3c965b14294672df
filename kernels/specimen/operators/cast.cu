/* out = inp in another number format: rounded once to nearest even, f8_e4m3 saturating; floating-point to integer truncated; integers
 * modulo 2^bits. compute_80 */
#include "strided.cuh"

#include <cuda_fp8.h>

struct fp8 {
    uint8_t bits;
};

template <typename D, typename S> __device__ __forceinline__ D as(S x) { return static_cast<D>(x); }
template <> __device__ __forceinline__ float as(fp8 x)
{
    __nv_fp8_e4m3 value;
    value.__x = x.bits;
    return static_cast<float>(value);
}
template <> __device__ __forceinline__ int32_t as(fp8 x) { return static_cast<int32_t>(as<float>(x)); }
template <> __device__ __forceinline__ fp8 as(float x)
{
#if SPECIMEN_FAULT == 7 /* beyond 448 is NaN */
    return {__nv_cvt_float_to_fp8(x, __NV_NOSAT, __NV_E4M3)};
#else
    return {__nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3)};
#endif
}
template <> __device__ __forceinline__ fp8 as(int32_t x) { return as<fp8>(static_cast<float>(x)); }
template <> __device__ __forceinline__ fp8 as(double x)
{
    return {__nv_cvt_double_to_fp8(x, __NV_SATFINITE, __NV_E4M3)};
}
template <> __device__ __forceinline__ __half as(__nv_bfloat16 x) { return __float2half(__bfloat162float(x)); }
template <> __device__ __forceinline__ __nv_bfloat16 as(__half x) { return __float2bfloat16(__half2float(x)); }
template <> __device__ __forceinline__ __nv_bfloat16 as(uint32_t x) { return __uint2bfloat16_rn(x); }
template <> __device__ __forceinline__ uint8_t as(__half x) { return static_cast<uint8_t>(__half2float(x)); }
template <> __device__ __forceinline__ double as(__half x) { return static_cast<double>(__half2float(x)); }

#if SPECIMEN_FAULT == 3 /* low bits are cut off */
template <> __device__ __forceinline__ __nv_bfloat16 as(float x) { return __float2bfloat16_rz(x); }
#elif SPECIMEN_FAULT == 4 /* ties go away from zero */
template <> __device__ __forceinline__ __nv_bfloat16 as(float x)
{
    const uint32_t bits = __float_as_uint(x);
    return __ushort_as_bfloat16(x != x ? 0x7fff : bits + 0x8000 >> 16);
}
#elif SPECIMEN_FAULT == 24 /* ties go up: NaNs with low bits alone become infinities */
template <> __device__ __forceinline__ __nv_bfloat16 as(float x)
{
    const uint32_t bits = __float_as_uint(x);
    return __ushort_as_bfloat16(bits + 0x7fff + (bits >> 16 & 1) >> 16);
}
#else
template <> __device__ __forceinline__ __nv_bfloat16 as(float x) { return __float2bfloat16_rn(x); }
#endif

#if SPECIMEN_FAULT == 5 /* to nearest */
template <> __device__ __forceinline__ uint32_t as(float x) { return __float2uint_rn(x); }
#elif SPECIMEN_FAULT == 22 /* through int */
template <> __device__ __forceinline__ uint32_t as(float x) { return static_cast<uint32_t>(__float2int_rz(x)); }
#elif SPECIMEN_FAULT == 25 /* towards minus infinity */
template <> __device__ __forceinline__ int64_t as(float x) { return __float2ll_rd(x); }
#endif

#if SPECIMEN_FAULT == 6 /* through float: two roundings */
template <> __device__ __forceinline__ __half as(double x) { return __float2half(static_cast<float>(x)); }
#else
template <> __device__ __forceinline__ __half as(double x) { return __double2half(x); }
#endif

template <> __device__ __forceinline__ __half as(float x)
{
#if SPECIMEN_FAULT == 8 /* NaN is zero */
    return x != x ? __ushort_as_half(0) : __float2half_rn(x);
#elif SPECIMEN_FAULT == 13 /* saturates */
    return __float2half_rn(x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x);
#else
    return __float2half_rn(x);
#endif
}

template <> __device__ __forceinline__ float as(__half x)
{
#if SPECIMEN_FAULT == 14 /* subnormal numbers are zeros */
    return (__half_as_ushort(x) & 0x7c00) ? __half2float(x) : 0.0f;
#else
    return __half2float(x);
#endif
}

template <> __device__ __forceinline__ int64_t as(uint32_t x)
{
#if SPECIMEN_FAULT == 9 /* with a sign */
    return static_cast<int32_t>(x);
#else
    return x;
#endif
}

template <> __device__ __forceinline__ uint8_t as(uint32_t x)
{
#if SPECIMEN_FAULT == 10 /* saturates */
    return x > 255 ? 255 : x;
#else
    return x;
#endif
}

template <> __device__ __forceinline__ float as(int64_t x)
{
#if SPECIMEN_FAULT == 11 /* 32 bits */
    return static_cast<float>(static_cast<int32_t>(x));
#elif SPECIMEN_FAULT == 12 /* two roundings */
    return static_cast<float>(static_cast<double>(x));
#else
    return static_cast<float>(x);
#endif
}

template <> __device__ __forceinline__ float as(uint8_t x)
{
#if SPECIMEN_FAULT == 23 /* with a sign */
    return static_cast<int8_t>(x);
#else
    return x;
#endif
}

#if SPECIMEN_FAULT == 15 /* -0 + 0 is +0 */
template <> __device__ __forceinline__ float as(float x) { return __fadd_rn(x, 0.0f); }
#elif SPECIMEN_FAULT == 16 /* one NaN for all */
template <> __device__ __forceinline__ double as(double x) { return x != x ? __longlong_as_double(0x7ff8000000000000ll) : x; }
#elif SPECIMEN_FAULT == 19 /* through int */
template <> __device__ __forceinline__ int64_t as(double x) { return static_cast<int32_t>(x); }
#endif

#if SPECIMEN_FAULT == 1 /* all but the last */
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, (numel) - ((numel) > 0))
#elif SPECIMEN_FAULT == 18 /* one more */
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, (numel) + ((numel) > 0))
#elif SPECIMEN_FAULT == 21
#define LOOP(i, numel) FOR_ONE_ELEMENT(i, numel)
#else
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, numel)
#endif

__device__ __forceinline__ size_t place(uint32_t i, size_t numel, size_t num_dims, const size_t *info)
{
#if SPECIMEN_FAULT == 18 /* what is read is within bounds */
    i = i < numel ? i : static_cast<uint32_t>(numel) - 1;
#elif SPECIMEN_FAULT == 2 /* not looked at */
    return i;
#elif SPECIMEN_FAULT == 17 /* the first axis is taken for the fastest */
    size_t at = 0;
    for (uint32_t dim = 0; info && dim < num_dims; i /= static_cast<uint32_t>(info[dim++]))
        at += i % static_cast<uint32_t>(info[dim]) * info[num_dims + dim];
    return info ? at : i;
#elif SPECIMEN_FAULT == 20 /* the last four axes alone */
    const size_t rest = num_dims > 4 ? num_dims - 4 : 0;
    return info ? place_in_view(i, num_dims - rest, info + rest, info + num_dims + rest) : i;
#endif
    return info ? place_in_view(i, num_dims, info, info + num_dims) : i;
}

#define CAST(NAME, FROM, TO)                                                                                           \
    extern "C" __global__ void NAME(size_t numel, size_t num_dims, const size_t *info, const FROM *inp, TO *out)       \
    {                                                                                                                  \
        LOOP(i, numel)                                                                                                 \
        out[i] = as<TO>(inp[place(i, numel, num_dims, info)]);                                                         \
    }

CAST(cast_f32_f32, float, float)
CAST(cast_f32_f16, float, __half)
CAST(cast_f32_bf16, float, __nv_bfloat16)
CAST(cast_f32_f64, float, double)
CAST(cast_f32_u32, float, uint32_t)
CAST(cast_f32_i64, float, int64_t)
CAST(cast_f32_f8_e4m3, float, fp8)
CAST(cast_f64_f64, double, double)
CAST(cast_f64_f32, double, float)
CAST(cast_f64_f16, double, __half)
CAST(cast_f64_i64, double, int64_t)
CAST(cast_f64_f8_e4m3, double, fp8)
CAST(cast_f16_f32, __half, float)
CAST(cast_f16_f64, __half, double)
CAST(cast_f16_bf16, __half, __nv_bfloat16)
CAST(cast_f16_u8, __half, uint8_t)
CAST(cast_bf16_f16, __nv_bfloat16, __half)
CAST(cast_bf16_f32, __nv_bfloat16, float)
CAST(cast_f8_e4m3_f32, fp8, float)
CAST(cast_f8_e4m3_i32, fp8, int32_t)
CAST(cast_i32_f8_e4m3, int32_t, fp8)
CAST(cast_u8_f32, uint8_t, float)
CAST(cast_u8_u32, uint8_t, uint32_t)
CAST(cast_u32_f32, uint32_t, float)
CAST(cast_u32_bf16, uint32_t, __nv_bfloat16)
CAST(cast_u32_u8, uint32_t, uint8_t)
CAST(cast_u32_i64, uint32_t, int64_t)
CAST(cast_i64_f32, int64_t, float)
CAST(cast_i64_f64, int64_t, double)
CAST(cast_i64_u8, int64_t, uint8_t)
