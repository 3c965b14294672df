/* Argsort of each row by a bitonic network: one block of ncols_pad threads (a power of two) for a row of ncols. Positions
 * beyond the row belong behind everything. */
#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

template <typename T> __device__ __forceinline__ bool less(T a, T b)
{
    return a < b;
}

#if SPECIMEN_FAULT == 7 /* by the bits, so that -1 is above 1 */
template <> __device__ __forceinline__ bool less(__half a, __half b)
{
    return __half_as_ushort(a) < __half_as_ushort(b);
}
#endif

#if SPECIMEN_FAULT == 8 /* doubles hold 53 bits */
template <> __device__ __forceinline__ bool less(int64_t a, int64_t b)
{
    return static_cast<double>(a) < static_cast<double>(b);
}
#endif

#if SPECIMEN_FAULT == 9 /* signed */
template <> __device__ __forceinline__ bool less(uint32_t a, uint32_t b)
{
    return static_cast<int32_t>(a) < static_cast<int32_t>(b);
}
#endif

#if SPECIMEN_FAULT == 15 /* in half the precision */
template <> __device__ __forceinline__ bool less(float a, float b)
{
    return __float2half(a) < __float2half(b);
}
#endif

template <typename T> struct row_view {
    const T *x;
    int columns;
    bool descending;

    __device__ __forceinline__ bool before(int a, int b) const
    {
#if SPECIMEN_FAULT == 3 /* what is beyond the row counts as its first element */
        const T at_a = x[a < columns ? a : 0], at_b = x[b < columns ? b : 0];
        return descending ? less(at_b, at_a) : less(at_a, at_b);
#elif SPECIMEN_FAULT == 4 /* the next row is looked at */
        return descending ? less(x[b], x[a]) : less(x[a], x[b]);
#else
        if (a >= columns || b >= columns)
            return a < columns;
#if SPECIMEN_FAULT == 6 /* always ascending */
        return less(x[a], x[b]);
#else
        return descending ? less(x[b], x[a]) : less(x[a], x[b]);
#endif
#endif
    }
};

template <typename T> __device__ void argsort(const T *x, uint32_t *dst, int ncols, int ncols_pad, bool descending)
{
    extern __shared__ int order[];
    const int thread = threadIdx.x;
#if SPECIMEN_FAULT == 5 /* rows are taken to be padded */
    const size_t first = static_cast<size_t>(blockIdx.x) * ncols_pad;
#else
    const size_t first = static_cast<size_t>(blockIdx.x) * ncols;
#endif
    const row_view<T> row = {x + first, ncols, descending};

#if SPECIMEN_FAULT == 13 /* by counting what is smaller: equal values meet in one place */
    int rank = 0;
    for (int other = 0; other < ncols && thread < ncols; other++)
        rank += row.before(other, thread);
    if (thread < ncols)
        dst[first + rank] = thread;
    return;
#endif
    order[thread] = thread;
    __syncthreads();
#if SPECIMEN_FAULT == 10 /* the last merge is left out */
    for (int size = 2; size < ncols_pad; size *= 2)
#else
    for (int size = 2; size <= ncols_pad; size *= 2)
#endif
        for (int gap = size / 2; gap > 0; gap /= 2) {
            const int partner = thread ^ gap;
#if SPECIMEN_FAULT == 14 /* as if there were no more than 512 */
            if (partner > thread && partner < 512) {
#else
            if (partner > thread) {
#endif
                const int a = order[thread], b = order[partner];
#if SPECIMEN_FAULT == 2 /* runs turn round too early */
                const bool falling = (thread & size / 2) && size < ncols_pad;
#else
                const bool falling = thread & size;
#endif
                if (falling ? row.before(a, b) : row.before(b, a)) {
                    order[thread] = b;
                    order[partner] = a;
                }
            }
#if SPECIMEN_FAULT == 1 /* exchanges within a warp's reach do not wait */
            if (gap > 32)
                __syncthreads();
#else
            __syncthreads();
#endif
        }
#if SPECIMEN_FAULT == 11 /* all but the last */
    if (thread < ncols - 1)
        dst[first + thread] = order[thread];
#elif SPECIMEN_FAULT == 12 /* the padding too */
    dst[first + thread] = order[thread];
#else
    if (thread < ncols)
        dst[first + thread] = order[thread];
#endif
}

#define ASORT(T, SUFFIX)                                                                                               \
    extern "C" __global__ void asort_asc_##SUFFIX(const T *x, uint32_t *dst, int ncols, int ncols_pad)                 \
    {                                                                                                                  \
        argsort(x, dst, ncols, ncols_pad, false);                                                                      \
    }                                                                                                                  \
    extern "C" __global__ void asort_desc_##SUFFIX(const T *x, uint32_t *dst, int ncols, int ncols_pad)                \
    {                                                                                                                  \
        argsort(x, dst, ncols, ncols_pad, true);                                                                       \
    }

ASORT(float, f32)
ASORT(__half, f16)
ASORT(uint32_t, u32)
ASORT(int64_t, i64)
