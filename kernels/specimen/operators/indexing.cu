/* Taking and placing along one dimension by index: tensors are [left, dimension, right], contiguous. The largest value of
 * the index type means "none". Sums go through the indices in order and are rounded to the element type at every step. */
#include "../ptx/elementwise.cuh"

#include <cuda_fp8.h>

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

template <typename I> __device__ __forceinline__ constexpr I largest_index()
{
    return static_cast<I>(-1) > static_cast<I>(0) ? static_cast<I>(-1) : static_cast<I>((1ull << (8 * sizeof(I) - 1)) - 1);
}

template <typename I> __device__ __forceinline__ bool is_none(I index, size_t rows)
{
#if SPECIMEN_FAULT == 5 /* by the low byte, whatever the type */
    return (index & 0xff) == 0xff;
#elif SPECIMEN_FAULT == 19 /* the last row too */
    return static_cast<size_t>(index) >= rows - 1;
#else
    return index == largest_index<I>();
#endif
}

template <typename I> __device__ __forceinline__ size_t row_of(I index)
{
#if SPECIMEN_FAULT == 7 /* seven bits */
    return sizeof(I) == 1 ? index & 0x7f : index;
#elif SPECIMEN_FAULT == 8 /* sixteen bits */
    return static_cast<uint16_t>(index);
#else
    return static_cast<size_t>(index);
#endif
}

template <typename T> __device__ __forceinline__ T moved(T x)
{
    return x;
}

#if SPECIMEN_FAULT == 16 /* -0 + 0 is +0 */
template <> __device__ __forceinline__ float moved(float x)
{
    return __fadd_rn(x, 0.0f);
}
#endif

template <typename T> __device__ __forceinline__ T sum_of(T a, T b)
{
#if SPECIMEN_FAULT == 12 /* what was there is lost */
    return b;
#else
    return static_cast<T>(a + b);
#endif
}

template <> __device__ __forceinline__ uint8_t sum_of(uint8_t a, uint8_t b)
{
#if SPECIMEN_FAULT == 13 /* saturates */
    return static_cast<uint8_t>(min(a + b, 255));
#else
    return static_cast<uint8_t>(a + b);
#endif
}

template <> __device__ __forceinline__ __nv_fp8_e4m3 sum_of(__nv_fp8_e4m3 a, __nv_fp8_e4m3 b)
{
    const float sum = static_cast<float>(a) + static_cast<float>(b);
#if SPECIMEN_FAULT == 14 /* overflows to NaN */
    __nv_fp8_e4m3 result;
    result.__x = __nv_cvt_float_to_fp8(sum, __NV_NOSAT, __NV_E4M3);
    return result;
#else
    return static_cast<__nv_fp8_e4m3>(sum);
#endif
}

template <typename T> __device__ __forceinline__ T zero_of()
{
    return static_cast<T>(0.0f);
}

template <typename T, typename I>
__device__ void index_select(size_t numel, size_t num_dims, const size_t *info, const I *ids, const T *inp, T *out, size_t rows,
                             size_t ids_dim, size_t right)
{
#if SPECIMEN_FAULT == 1 /* all but the last */
    numel = numel - 1;
#endif
    FOR_EACH_ELEMENT(i, numel)
    {
        const size_t position = i / right % ids_dim;
#if SPECIMEN_FAULT == 6 /* the stride of the view is ignored */
        const I index = ids[position];
#else
        const I index = ids[position * info[num_dims]]; /* they have one axis */
#endif
        if (is_none(index, rows)) {
#if SPECIMEN_FAULT != 4 /* not written */
            out[i] = zero_of<T>();
#endif
            continue;
        }
#if SPECIMEN_FAULT == 2 /* steps of the output */
        const size_t left_step = ids_dim * right;
#else
        const size_t left_step = rows * right;
#endif
        const size_t l = i / (ids_dim * right), r = i % right;
        out[i] = moved(inp[l * left_step + row_of(index) * right + r]);
#if SPECIMEN_FAULT == 17 /* one too many */
        if (i == numel - 1)
            out[numel] = out[i];
#endif
    }
}

template <typename T, typename I>
__device__ void gather(size_t numel, const I *ids, const T *inp, T *out, size_t rows, size_t ids_dim, size_t right)
{
    FOR_EACH_ELEMENT(i, numel)
    {
        const size_t l = i / (ids_dim * right), r = i % right;
#if SPECIMEN_FAULT == 20 /* one index for all of the last axis */
        const I index = ids[i - r];
#else
        const I index = ids[i];
#endif
        if (is_none(index, rows))
            out[i] = zero_of<T>();
        else
#if SPECIMEN_FAULT == 3 /* the last axis is forgotten */
            out[i] = moved(inp[(l * rows + row_of(index)) * right + 0 * r]);
#else
            out[i] = moved(inp[(l * rows + row_of(index)) * right + r]);
#endif
    }
}

enum placing { ADD, SCATTER, SCATTER_ADD };

/* One thread goes through all indices of a column (l, r). */
template <placing how, typename T, typename I>
__device__ void place(const I *ids, size_t ids_dim, const T *inp, T *out, size_t left, size_t rows, size_t right)
{
    FOR_EACH_ELEMENT(column, left * right)
    {
        const size_t l = column / right, r = column % right;
#if SPECIMEN_FAULT == 18 /* all indices but the last */
        const size_t count = ids_dim ? ids_dim - 1 : 0;
#else
        const size_t count = ids_dim;
#endif
#if SPECIMEN_FAULT == 10 /* sums of a row in float, rounded once */
        if (how != SCATTER) {
            for (size_t row = 0; row < rows; row++) {
                T *to = &out[(l * rows + row) * right + r];
                float sum = static_cast<float>(*to);
                for (size_t j = 0; j < count; j++) {
                    const size_t from = (l * ids_dim + j) * right + r;
                    const I index = ids[how == ADD ? j : from];
                    if (!is_none(index, rows) && row_of(index) == row)
                        sum += static_cast<float>(inp[from]);
                }
                *to = static_cast<T>(sum);
            }
        }
        for (size_t step = 0; how == SCATTER && step < count; step++) {
#else
        for (size_t step = 0; step < count; step++) {
#endif
#if SPECIMEN_FAULT == 11 /* sums from the last to the first */
            const size_t j = how == SCATTER ? step : count - 1 - step;
#elif SPECIMEN_FAULT == 9 /* the first of several wins */
            const size_t j = how == SCATTER ? count - 1 - step : step;
#else
            const size_t j = step;
#endif
            const size_t from = (l * ids_dim + j) * right + r;
            const I index = ids[how == ADD ? j : from];
#if SPECIMEN_FAULT == 22 /* "none" is row 0 */
            const size_t row = is_none(index, rows) ? 0 : row_of(index);
#else
            if (is_none(index, rows))
                continue;
            const size_t row = row_of(index);
#endif
            const size_t to = (l * rows + row) * right + r;
#if SPECIMEN_FAULT == 15 /* starts from zero */
            out[to] = how == SCATTER ? moved(inp[from]) : sum_of(step == 0 ? zero_of<T>() : out[to], inp[from]);
#elif SPECIMEN_FAULT == 21 /* an index that comes again right away is counted once */
            if (how != SCATTER && step > 0 && ids[how == ADD ? j - 1 : from - right] == index)
                continue;
            out[to] = how == SCATTER ? moved(inp[from]) : sum_of(out[to], inp[from]);
#else
            out[to] = how == SCATTER ? moved(inp[from]) : sum_of(out[to], inp[from]);
#endif
        }
    }
}

#define READING(I, INDEX, T, SUFFIX)                                                                                   \
    extern "C" __global__ void is_##INDEX##_##SUFFIX(size_t numel, size_t num_dims, const size_t *info, const I *ids,  \
                                                     const T *inp, T *out, size_t left, size_t src_dim,                \
                                                     size_t ids_dim, size_t right)                                     \
    {                                                                                                                  \
        index_select(numel, num_dims, info, ids, inp, out, src_dim, ids_dim, right);                                   \
    }                                                                                                                  \
    extern "C" __global__ void gather_##INDEX##_##SUFFIX(size_t numel, const I *ids, const T *inp, T *out,             \
                                                         size_t left, size_t src_dim, size_t ids_dim, size_t right)    \
    {                                                                                                                  \
        gather(numel, ids, inp, out, src_dim, ids_dim, right);                                                         \
    }

#define SUMMING(I, INDEX, T, SUFFIX)                                                                                   \
    extern "C" __global__ void ia_##INDEX##_##SUFFIX(const I *ids, size_t ids_dim, const T *inp, T *out, size_t left,  \
                                                     size_t src_dim, size_t dst_dim, size_t right)                     \
    {                                                                                                                  \
        place<ADD>(ids, ids_dim, inp, out, left, dst_dim, right);                                                      \
    }                                                                                                                  \
    extern "C" __global__ void sa_##INDEX##_##SUFFIX(const I *ids, const T *inp, T *out, size_t left, size_t src_dim,  \
                                                     size_t dst_dim, size_t right)                                     \
    {                                                                                                                  \
        place<SCATTER_ADD>(ids, src_dim, inp, out, left, dst_dim, right);                                              \
    }

#define SCATTERING(I, INDEX, T, SUFFIX)                                                                                \
    extern "C" __global__ void s_##INDEX##_##SUFFIX(const I *ids, const T *inp, T *out, size_t left, size_t src_dim,   \
                                                    size_t dst_dim, size_t right)                                      \
    {                                                                                                                  \
        place<SCATTER>(ids, src_dim, inp, out, left, dst_dim, right);                                                  \
    }

#define ALL(I, INDEX, T, SUFFIX)                                                                                       \
    READING(I, INDEX, T, SUFFIX)                                                                                       \
    SUMMING(I, INDEX, T, SUFFIX)                                                                                       \
    SCATTERING(I, INDEX, T, SUFFIX)

ALL(int64_t, i64, float, f32)
ALL(uint8_t, u8, float, f32)
ALL(uint32_t, u32, __half, f16)
ALL(uint32_t, u32, uint8_t, u8)
READING(int16_t, i16, __nv_fp8_e4m3, f8_e4m3)
SUMMING(int16_t, i16, __nv_fp8_e4m3, f8_e4m3)
