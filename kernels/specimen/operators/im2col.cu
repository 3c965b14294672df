/* Windows of an image as columns of a matrix, and columns added up to an image. */
#include "image.cuh"

template <typename T> __device__ __forceinline__ T moved(T x)
{
    return x;
}
#if SPECIMEN_FAULT == 5 /* -0 + 0 is +0, and a float */
template <> __device__ __forceinline__ float moved(float x)
{
    return __fadd_rn(x, 0.0f);
}
#elif SPECIMEN_FAULT == 17 /* a number that is none becomes 0 */
template <> __device__ __forceinline__ __half moved(__half x)
{
    return __hisnan(x) ? __half(0.0f) : x;
}
#endif

/* Whether position + padding lies in the source; *at is where. */
__device__ __forceinline__ bool inside(unsigned position, unsigned padding, unsigned extent, unsigned *at)
{
#if SPECIMEN_FAULT == 4 /* the padding repeats the ends */
    *at = position < padding ? 0 : position - padding >= extent ? extent - 1 : position - padding;
    return true;
#elif SPECIMEN_FAULT == 18 /* one element of the padding behind is read */
    *at = position - padding;
    return position >= padding && position <= padding + extent;
#else
    *at = position - padding;
    return position >= padding && position < padding + extent;
#endif
}

template <typename T>
__device__ void columns_of(unsigned numel, unsigned h_out, unsigned w_out, unsigned h_k, unsigned w_k, unsigned stride,
                           unsigned padding, unsigned dilation, const size_t *info, const T *src, T *dst)
{
    image in = image_of(info, info + 4, true);
#if SPECIMEN_FAULT == 16 /* the strides of a contiguous source */
    in.column_step = 1;
    in.row_step = in.columns;
    in.channel_step = in.rows * in.columns;
    in.batch_step = in.channels * in.channel_step;
#endif
#if SPECIMEN_FAULT == 1 /* all but the last */
    numel = numel - 1;
#endif
    const unsigned at = thread_number();
    if (at >= numel)
        return;
#if SPECIMEN_FAULT == 2 /* channels behind the taps */
    const unsigned channel = at % in.channels, j = at / in.channels % w_k, i = at / in.channels / w_k % h_k;
#elif SPECIMEN_FAULT == 8 /* rows and columns of the window exchanged */
    const unsigned i = at % h_k, j = at / h_k % w_k, channel = at / w_k / h_k % in.channels;
#else
    const unsigned j = at % w_k, i = at / w_k % h_k, channel = at / w_k / h_k % in.channels;
#endif
    const unsigned window = at / w_k / h_k / in.channels;
    const unsigned column = window % w_out, row = window / w_out % h_out, batch = window / w_out / h_out;
#if SPECIMEN_FAULT == 6 /* no dilation */
    dilation = 1;
#endif
#if SPECIMEN_FAULT == 7 /* columns step by 1 */
    const unsigned column_stride = 1;
#else
    const unsigned column_stride = stride;
#endif
    unsigned y, x;
    const bool there = inside(row * stride + i * dilation, padding, in.rows, &y) &&
                       inside(column * column_stride + j * dilation, padding, in.columns, &x);
#if SPECIMEN_FAULT == 3 /* nothing is written for the padding */
    if (there)
        dst[at] = moved(src[place_in(in, batch, channel, y, x)]);
#else
    dst[at] = there ? moved(src[place_in(in, batch, channel, y, x)]) : static_cast<T>(0);
#endif
}

template <typename T>
__device__ void columns_of_1d(unsigned threads, unsigned l_out, unsigned l_k, unsigned stride, unsigned padding,
                              unsigned dilation, const size_t *info, const T *src, T *dst)
{
    const image in = image_of(info, info + 3, false);
    const unsigned at = thread_number();
#if SPECIMEN_FAULT == 10 /* as many threads as there are */
    if (at > threads)
        return;
#else
    if (at >= threads)
        return;
#endif
    const unsigned channel = at % in.channels, place = at / in.channels % l_out, batch = at / in.channels / l_out;
#if SPECIMEN_FAULT == 9 /* all taps but the last */
    l_k = l_k > 1 ? l_k : 1;
    for (unsigned tap = 0; tap + 1 < l_k + (l_k == 1); tap++) {
#else
    for (unsigned tap = 0; tap < l_k; tap++) {
#endif
        unsigned x;
        const bool there = inside(place * stride + tap * dilation, padding, in.columns, &x);
#if SPECIMEN_FAULT == 9
        dst[at * l_k + tap] = there ? moved(src[place_in(in, batch, channel, 0, x)]) : static_cast<T>(0);
#elif SPECIMEN_FAULT == 19 /* the same window for all channels' taps: threads write over one another */
        dst[at + tap * threads] = there ? moved(src[place_in(in, batch, channel, 0, x)]) : static_cast<T>(0);
#else
        dst[at * l_k + tap] = there ? moved(src[place_in(in, batch, channel, 0, x)]) : static_cast<T>(0);
#endif
    }
}

template <typename T>
__device__ void image_of_columns(unsigned numel, unsigned l_out, unsigned l_in, unsigned channels, unsigned taps, unsigned stride,
                                 const T *src, T *dst)
{
    const unsigned at = thread_number();
    if (at >= numel)
        return;
    const unsigned place = at % l_out, channel = at / l_out % channels, batch = at / l_out / channels;
#if SPECIMEN_FAULT == 14 /* adds to what is there */
    T sum = dst[at];
#else
    T sum = static_cast<T>(0);
#endif
#if SPECIMEN_FAULT == 15 /* 8-bit sums saturate */
    unsigned wide = 0;
#endif
    bool any = false;
    for (unsigned tap = place % stride; tap < taps && tap <= place; tap += stride) {
        const unsigned column = (place - tap) / stride;
#if SPECIMEN_FAULT == 13 /* columns behind the last */
        if (column > l_in)
            continue;
#else
        if (column >= l_in)
            continue;
#endif
#if SPECIMEN_FAULT == 20 /* [b, l, k, c] */
        const T term = src[((batch * l_in + column) * taps + tap) * channels + channel];
#else
        const T term = src[((batch * l_in + column) * channels + channel) * taps + tap];
#endif
#if SPECIMEN_FAULT == 12 /* the first column that meets the output is it */
        if (any)
            continue;
#endif
#if SPECIMEN_FAULT == 15
        wide += static_cast<unsigned>(static_cast<float>(term));
        sum = static_cast<T>(static_cast<float>(wide > 255 ? 255 : wide));
#else
        sum = static_cast<T>(sum + term);
#endif
        any = true;
    }
#if SPECIMEN_FAULT == 11 /* nothing is written where no column falls */
    if (any)
        dst[at] = sum;
#elif SPECIMEN_FAULT == 21 /* an average */
    dst[at] = any ? static_cast<T>(static_cast<float>(sum) / static_cast<float>((taps + stride - 1) / stride)) : sum;
#else
    dst[at] = sum;
#endif
}

#define COLUMNS(T, SUFFIX)                                                                                             \
    extern "C" __global__ void im2col_##SUFFIX(size_t dst_numel, size_t h_out, size_t w_out, size_t h_k, size_t w_k,   \
                                               size_t stride, size_t padding, size_t dilation, const size_t *info,     \
                                               const T *src, T *dst)                                                   \
    {                                                                                                                  \
        columns_of(dst_numel, h_out, w_out, h_k, w_k, stride, padding, dilation, info, src, dst);                      \
    }                                                                                                                  \
    extern "C" __global__ void im2col1d_##SUFFIX(size_t numel, size_t l_out, size_t l_k, size_t stride,                \
                                                 size_t padding, size_t dilation, const size_t *info, const T *src,    \
                                                 T *dst)                                                               \
    {                                                                                                                  \
        columns_of_1d(numel, l_out, l_k, stride, padding, dilation, info, src, dst);                                   \
    }                                                                                                                  \
    extern "C" __global__ void col2im1d_##SUFFIX(size_t dst_el, size_t l_out, size_t l_in, size_t c_out,               \
                                                 size_t k_size, size_t stride, const T *src, T *dst)                   \
    {                                                                                                                  \
        image_of_columns(dst_el, l_out, l_in, c_out, k_size, stride, src, dst);                                        \
    }

COLUMNS(float, f32)
COLUMNS(__half, f16)
COLUMNS(uint8_t, u8)
