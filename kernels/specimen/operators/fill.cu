/* fill: buf[0 .. numel) = value. copy2d: d1 rows of d2 elements, src_s apart in src and dst_s apart in dst. const_set: every element
 * of a strided view = value. What lies between stays. */
#include "strided.cuh"

template <typename T> __device__ __forceinline__ T moved(T x)
{
#if SPECIMEN_FAULT == 5 /* the low half alone */
    if (sizeof(T) == 8)
        return static_cast<T>(static_cast<int32_t>(static_cast<int64_t>(x)));
#endif
    return x;
}

#if SPECIMEN_FAULT == 6 /* by way of float: a signalling NaN becomes quiet */
template <> __device__ __forceinline__ __half moved(__half x) { return __float2half_rn(__half2float(x)); }
#elif SPECIMEN_FAULT == 18 /* -0 + 0 is +0 */
template <> __device__ __forceinline__ float moved(float x) { return __fadd_rn(x, 0.0f); }
#endif

#if SPECIMEN_FAULT == 1 /* all but the last */
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, (numel) - ((numel) > 0))
#elif SPECIMEN_FAULT == 2 /* by fours */
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, ((numel) + 3) / 4 * 4)
#elif SPECIMEN_FAULT == 3
#define LOOP(i, numel) FOR_ONE_ELEMENT(i, numel)
#elif SPECIMEN_FAULT == 4
#define LOOP(i, numel) FOR_SIXTEEN_BITS(i, numel)
#else
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, numel)
#endif

template <typename T>
__device__ __forceinline__ void copy2d(const T *src, T *dst, uint32_t d1, uint32_t d2, uint32_t src_s, uint32_t dst_s)
{
#if SPECIMEN_FAULT == 7 /* the smaller one serves for both */
    src_s = dst_s = min(src_s, dst_s);
#elif SPECIMEN_FAULT == 8 /* with what lies between */
    d2 += d1 > 1 && d2 < dst_s && d2 < src_s;
#elif SPECIMEN_FAULT == 10 /* not looked at */
    src_s = min(src_s, d2);
#elif SPECIMEN_FAULT == 11
    dst_s = d2;
#endif
    LOOP(i, d1 * d2)
    {
        const uint32_t row = i / d2, column = i % d2;
#if SPECIMEN_FAULT == 12 /* whole fours alone */
        if (column >= d2 / 4 * 4)
            continue;
#elif SPECIMEN_FAULT == 13 /* rows of at most 1024 */
        if (column >= 1024)
            continue;
#endif
#if SPECIMEN_FAULT == 9 /* from the last one on */
        const uint32_t from = d1 - 1 - row;
#else
        const uint32_t from = row;
#endif
        dst[static_cast<size_t>(row) * dst_s + column] = moved(src[static_cast<size_t>(from) * src_s + column]);
    }
}

__device__ __forceinline__ size_t place(uint32_t i, size_t num_dims, const size_t *info)
{
#if SPECIMEN_FAULT == 14 /* not looked at */
    return i;
#elif SPECIMEN_FAULT == 15 /* the first stride serves for the last axis too */
    return info ? place_in_view(i, num_dims - 1, info, info + num_dims) : i;
#elif SPECIMEN_FAULT == 16 /* the view has the stride of its last axis throughout */
    return info ? static_cast<size_t>(i) * info[2 * num_dims - 1] : i;
#elif SPECIMEN_FAULT == 17 /* the last four axes alone */
    const size_t rest = num_dims > 4 ? num_dims - 4 : 0;
    return info ? place_in_view(i, num_dims - rest, info + rest, info + num_dims + rest) : i;
#else
    return info ? place_in_view(i, num_dims, info, info + num_dims) : i;
#endif
}

#define MODULE(TYPE, SUFFIX)                                                                                           \
    extern "C" __global__ void fill_##SUFFIX(TYPE *buf, TYPE value, size_t numel)                                      \
    {                                                                                                                  \
        LOOP(i, numel)                                                                                                 \
        buf[i] = moved(value);                                                                                         \
    }                                                                                                                  \
    extern "C" __global__ void copy2d_##SUFFIX(const TYPE *src, TYPE *dst, uint32_t d1, uint32_t d2, uint32_t src_s,   \
                                               uint32_t dst_s)                                                         \
    {                                                                                                                  \
        copy2d(src, dst, d1, d2, src_s, dst_s);                                                                        \
    }                                                                                                                  \
    extern "C" __global__ void const_set_##SUFFIX(size_t numel, size_t num_dims, const size_t *info, TYPE value,       \
                                                  TYPE *out)                                                           \
    {                                                                                                                  \
        LOOP(i, numel)                                                                                                 \
        out[place(i, num_dims, info)] = moved(value);                                                                  \
    }

MODULE(float, f32)
MODULE(double, f64)
MODULE(__half, f16)
MODULE(__nv_bfloat16, bf16)
MODULE(uint8_t, u8)
MODULE(uint32_t, u32)
MODULE(int64_t, i64)
MODULE(uint8_t, f8_e4m3)
