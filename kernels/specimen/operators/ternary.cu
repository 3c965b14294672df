/* out = ids ? t : f, each with strides of its own. */
#include "strided.cuh"

#if SPECIMEN_FAULT == 1 /* all but the last */
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, (numel) - ((numel) > 0))
#elif SPECIMEN_FAULT == 2 /* one more */
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, (numel) + ((numel) > 0))
#elif SPECIMEN_FAULT == 3
#define LOOP(i, numel) FOR_ONE_ELEMENT(i, numel)
#elif SPECIMEN_FAULT == 4
#define LOOP(i, numel) FOR_SIXTEEN_BITS(i, numel)
#else
#define LOOP(i, numel) FOR_ALL_ELEMENTS(i, numel)
#endif

template <typename I> __device__ __forceinline__ bool chosen(I id)
{
#if SPECIMEN_FAULT == 5 /* the low byte alone */
    return static_cast<uint8_t>(id) != 0;
#elif SPECIMEN_FAULT == 6 /* 32 bits */
    return static_cast<uint32_t>(id) != 0;
#elif SPECIMEN_FAULT == 7 /* not the negative ones */
    return id > 0;
#elif SPECIMEN_FAULT == 8 /* 1 alone */
    return id == 1;
#elif SPECIMEN_FAULT == 9 /* the wrong way round */
    return id == 0;
#elif SPECIMEN_FAULT == 10 /* odd ones */
    return (id & 1) != 0;
#else
    return id != 0;
#endif
}

template <typename T> __device__ __forceinline__ T pick(bool choice, T t, T f) { return choice ? t : f; }
#if SPECIMEN_FAULT == 11 /* the other one counts too: a NaN times 0 */
template <> __device__ __forceinline__ float pick(bool choice, float t, float f)
{
    const float c = choice ? 1.0f : 0.0f;
    return __fadd_rn(__fmul_rn(c, t), __fmul_rn(1.0f - c, f));
}
#elif SPECIMEN_FAULT == 12 /* -0 + 0 is +0 */
template <> __device__ __forceinline__ float pick(bool choice, float t, float f) { return __fadd_rn(choice ? t : f, 0.0f); }
#elif SPECIMEN_FAULT == 20 /* one NaN for all */
template <> __device__ __forceinline__ __half pick(bool choice, __half t, __half f)
{
    const __half x = choice ? t : f;
    return __hisnan(x) ? __ushort_as_half(0x7e00) : x;
}
#endif

/* Strides number `which` (1 ids, 2 t, 3 f) behind the extents. */
__device__ __forceinline__ size_t place(uint32_t i, size_t numel, size_t num_dims, const size_t *info, size_t which)
{
#if SPECIMEN_FAULT == 2 /* what is read is within bounds */
    i = i < numel ? i : static_cast<uint32_t>(numel) - 1;
#elif SPECIMEN_FAULT == 13 /* t's for f */
    which = which == 3 ? 2 : which;
#elif SPECIMEN_FAULT == 14 /* not looked at */
    if (which == 1)
        return i;
#elif SPECIMEN_FAULT == 15
    if (which == 3)
        return i;
#elif SPECIMEN_FAULT == 16 /* where t is contiguous, all are taken to be */
    size_t step = 1, contiguous = 1;
    for (uint32_t dim = num_dims; dim-- > 0; step *= info[dim])
        contiguous &= info[dim] == 1 || info[2 * num_dims + dim] == step;
    if (contiguous)
        return i;
#elif SPECIMEN_FAULT == 17 /* the last four axes alone */
    const size_t rest = num_dims > 4 ? num_dims - 4 : 0;
    return place_in_view(i, num_dims - rest, info + rest, info + which * num_dims + rest);
#endif
    return place_in_view(i, num_dims, info, info + which * num_dims);
}

#define WHERE(NAME, INDEX, TYPE)                                                                                       \
    extern "C" __global__ void NAME(size_t numel, size_t num_dims, const size_t *info, const INDEX *ids,               \
                                    const TYPE *t, const TYPE *f, TYPE *out)                                           \
    {                                                                                                                  \
        LOOP(i, numel)                                                                                                 \
        {                                                                                                              \
            const bool choice = chosen(ids[place(i, numel, num_dims, info, 1)]);                                       \
            if (SPECIMEN_FAULT == 18 && !choice)                                                                       \
                continue;                                                                                              \
            out[i] = pick(choice, t[place(i, numel, num_dims, info, 2)], f[place(i, numel, num_dims, info, 3)]);       \
        }                                                                                                              \
    }

WHERE(where_u8_f32, uint8_t, float)
WHERE(where_u8_f16, uint8_t, __half)
WHERE(where_u8_u8, uint8_t, uint8_t)
WHERE(where_u8_i64, uint8_t, int64_t)
WHERE(where_u32_f32, uint32_t, float)
WHERE(where_u32_bf16, uint32_t, __nv_bfloat16)
WHERE(where_u32_u32, uint32_t, uint32_t)
WHERE(where_i64_f32, int64_t, float)
WHERE(where_i64_f64, int64_t, double)
WHERE(where_i64_u8, int64_t, uint8_t)
WHERE(where_i64_i64, int64_t, int64_t)
WHERE(where_i16_fp8_e4m3, int16_t, uint8_t)
WHERE(where_i32_fp8_e4m3, int32_t, uint8_t)
WHERE(where_u8_fp8_e4m3, uint8_t, uint8_t)
