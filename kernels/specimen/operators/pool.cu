/* Averages and maxima of windows. Arguments named w belong to axis 2 of the source, those named h to axis 3. */
#include "image.cuh"

struct window {
    unsigned rows, columns, row_stride, column_stride;
};

__device__ __forceinline__ window window_of(size_t rows, size_t columns, size_t row_stride, size_t column_stride)
{
    window it;
    it.rows = static_cast<unsigned>(rows);
    it.columns = static_cast<unsigned>(columns);
    it.row_stride = static_cast<unsigned>(row_stride);
    it.column_stride = static_cast<unsigned>(column_stride);
    return it;
}

struct place {
    image in;
    unsigned at, batch, channel, row, column;
    bool there;
};

__device__ __forceinline__ place place_of(const window &window, const size_t *info)
{
    place it;
    it.in = image_of(info, info + 4, true);
#if SPECIMEN_FAULT == 12 /* the strides of a contiguous source */
    it.in.column_step = 1;
    it.in.row_step = it.in.columns;
    it.in.channel_step = it.in.rows * it.in.columns;
    it.in.batch_step = it.in.channels * it.in.channel_step;
#endif
#if SPECIMEN_FAULT == 4 /* windows over the rest count too */
    const unsigned rows = (it.in.rows - window.rows + window.row_stride - 1) / window.row_stride + 1;
    const unsigned columns = (it.in.columns - window.columns + window.column_stride - 1) / window.column_stride + 1;
#elif SPECIMEN_FAULT == 5 /* the rest is too small for one more even where it is not */
    const unsigned rows = (it.in.rows - window.rows) / window.row_stride + 1;
    const unsigned columns = (it.in.columns - window.columns - 1) / window.column_stride + 1;
#else
    const unsigned rows = (it.in.rows - window.rows) / window.row_stride + 1;
    const unsigned columns = (it.in.columns - window.columns) / window.column_stride + 1;
#endif
    it.at = thread_number();
    const unsigned count = it.in.batch * it.in.channels * rows * columns;
#if SPECIMEN_FAULT == 13 /* all but the last */
    it.there = it.at + 1 < count;
#else
    it.there = it.at < count;
#endif
    it.column = it.at % columns;
    it.row = it.at / columns % rows;
#if SPECIMEN_FAULT == 14 /* channels outside of batches */
    it.batch = it.at / columns / rows % it.in.batch;
    it.channel = it.at / columns / rows / it.in.batch;
#else
    it.channel = it.at / columns / rows % it.in.channels;
    it.batch = it.at / columns / rows / it.in.channels;
#endif
    return it;
}

template <typename T> struct sum_of {
    typedef typename accumulator<T>::type type;
};
#if SPECIMEN_FAULT == 6 /* halves are added up in half */
template <> struct sum_of<__half> {
    typedef __half type;
};
#else
template <> struct sum_of<uint8_t> { /* wide enough for every window */
    typedef unsigned type;
};
template <> struct sum_of<uint32_t> {
    typedef uint64_t type;
};
#endif

template <typename T, typename A> __device__ __forceinline__ T quotient(A sum, unsigned count)
{
    return static_cast<T>(sum / static_cast<A>(count));
}
template <> __device__ __forceinline__ __half quotient(__half sum, unsigned count)
{
    return __float2half_rn(__half2float(sum) / static_cast<float>(count));
}
#if SPECIMEN_FAULT == 7 /* a reciprocal in float, whatever the type */
template <> __device__ __forceinline__ double quotient(double sum, unsigned count)
{
    return sum * (1.0f / static_cast<float>(count));
}
#elif SPECIMEN_FAULT == 11 /* a product with a reciprocal, cut off */
template <> __device__ __forceinline__ uint8_t quotient(unsigned sum, unsigned count)
{
    return static_cast<uint8_t>(static_cast<float>(sum) * (1.0f / static_cast<float>(count)));
}
#elif SPECIMEN_FAULT == 15 /* a quotient in float */
template <> __device__ __forceinline__ uint32_t quotient(uint64_t sum, unsigned count)
{
    return static_cast<uint32_t>(static_cast<float>(sum) / static_cast<float>(count));
}
#endif

template <typename T> __device__ void average(window window, const size_t *info, const T *src, T *dst)
{
    typedef typename sum_of<T>::type A;
    const place it = place_of(window, info);
    if (!it.there)
        return;
    A sum = static_cast<A>(0);
    for (unsigned i = 0; i < window.rows; i++)
        for (unsigned j = 0; j < window.columns; j++)
            sum = static_cast<A>(sum + static_cast<A>(src[place_in(it.in, it.batch, it.channel, it.row * window.row_stride + i,
                                                                   it.column * window.column_stride + j)]));
#if SPECIMEN_FAULT == 3 /* a square of its rows */
    dst[it.at] = quotient<T>(sum, window.rows * window.rows);
#else
    dst[it.at] = quotient<T>(sum, window.rows * window.columns);
#endif
}

template <typename T> __device__ void maximum(window window, const size_t *info, const T *src, T *dst)
{
    const place it = place_of(window, info);
    if (!it.there)
        return;
    /* a value that is no number gives way to one that is */
#if SPECIMEN_FAULT == 1 /* from 0 */
    T largest = static_cast<T>(0);
#elif SPECIMEN_FAULT == 10 /* from the smallest normal number */
    T largest = static_cast<T>(1.17549435e-38f);
#else
    T largest = src[place_in(it.in, it.batch, it.channel, it.row * window.row_stride, it.column * window.column_stride)];
#endif
#if SPECIMEN_FAULT == 9 /* not the last column of the window */
    const unsigned columns = window.columns > 1 ? window.columns - 1 : 1;
#elif SPECIMEN_FAULT == 8 /* one column more than the window has, where there is one */
    const bool has_next = it.column * window.column_stride + window.columns < it.in.columns;
    const unsigned columns = has_next ? window.columns + 1 : window.columns;
#else
    const unsigned columns = window.columns;
#endif
    for (unsigned i = 0; i < window.rows; i++) {
        for (unsigned j = 0; j < columns; j++) {
            const T x = src[place_in(it.in, it.batch, it.channel, it.row * window.row_stride + i,
                                     it.column * window.column_stride + j)];
#if SPECIMEN_FAULT == 16 /* the smallest */
            if (x < largest || largest != largest)
                largest = x;
#elif SPECIMEN_FAULT == 17 /* in half as many bits */
            const float narrow = static_cast<float>(static_cast<__half>(static_cast<float>(x)));
            if (narrow > static_cast<float>(largest) || largest != largest)
                largest = x;
#else
            if (x > largest || largest != largest)
                largest = x;
#endif
        }
    }
    dst[it.at] = largest;
}

#if SPECIMEN_FAULT == 2 /* strides of the two axes exchanged */
#define WINDOW window_of(w_k, h_k, h_stride, w_stride)
#elif SPECIMEN_FAULT == 18 /* extents of the window exchanged */
#define WINDOW window_of(h_k, w_k, w_stride, h_stride)
#else
#define WINDOW window_of(w_k, h_k, w_stride, h_stride)
#endif
#define POOL(NAME, FUNCTION, T, SUFFIX)                                                                                \
    extern "C" __global__ void NAME##_##SUFFIX(size_t src_numel, size_t w_k, size_t h_k, size_t w_stride,              \
                                               size_t h_stride, const size_t *info, const T *src, T *dst)              \
    {                                                                                                                  \
        FUNCTION<T>(WINDOW, info, src, dst);                                                                           \
    }

POOL(avg_pool2d, average, float, f32)
POOL(avg_pool2d, average, double, f64)
POOL(avg_pool2d, average, __half, f16)
POOL(avg_pool2d, average, uint8_t, u8)
POOL(avg_pool2d, average, uint32_t, u32)
POOL(max_pool2d, maximum, float, f32)
POOL(max_pool2d, maximum, __nv_bfloat16, bf16)
POOL(max_pool2d, maximum, uint8_t, u8)
