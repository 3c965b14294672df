/* Convolutions and transposed convolutions: one thread for each output; taps outside the source are left out. */
#include "image.cuh"

struct plane { /* what the convolution does along rows and columns */
    unsigned out_rows, out_columns;
    unsigned stride, padding, dilation;
};

__device__ __forceinline__ plane plane_of(size_t out_rows, size_t out_columns, size_t stride, size_t padding, size_t dilation)
{
    plane it;
    it.out_rows = static_cast<unsigned>(out_rows);
    it.out_columns = static_cast<unsigned>(out_columns);
    it.stride = static_cast<unsigned>(stride);
    it.padding = static_cast<unsigned>(padding);
    it.dilation = static_cast<unsigned>(dilation);
    return it;
}

template <typename T> struct sum_of {
    typedef typename accumulator<T>::type type;
};
#if SPECIMEN_FAULT == 8 /* halves are added up in half */
template <> struct sum_of<__half> {
    typedef __half type;
};
#elif SPECIMEN_FAULT == 9 /* doubles in float */
template <> struct sum_of<double> {
    typedef float type;
};
#endif

template <typename T, typename A> __device__ __forceinline__ T rounded(A sum)
{
    return static_cast<T>(sum);
}
#if SPECIMEN_FAULT == 20 /* towards zero */
template <> __device__ __forceinline__ __half rounded(float sum)
{
    return __float2half_rz(sum);
}
#endif
#if SPECIMEN_FAULT == 10 /* 8-bit sums saturate */
template <> __device__ __forceinline__ uint8_t rounded(unsigned sum)
{
    return sum > 255 ? 255 : static_cast<uint8_t>(sum);
}
template <> struct sum_of<uint8_t> {
    typedef unsigned type;
};
#endif

/* Where a tap of a convolution meets the source along one axis: at or behind `extent` where it does not. */
__device__ __forceinline__ unsigned meets(unsigned at, unsigned tap, unsigned extent, unsigned stride,
                                               unsigned padding, unsigned dilation)
{
#if SPECIMEN_FAULT == 1 /* the dilation stretches the stride as well */
    const unsigned position = (at * stride + tap) * dilation;
#elif SPECIMEN_FAULT == 24 /* the dilation is not looked at */
    const unsigned position = at * stride + tap;
#else
    const unsigned position = at * stride + tap * dilation;
#endif
#if SPECIMEN_FAULT == 5 /* the element behind the last one too */
    return position < padding || position > padding + extent ? ~0u : position - padding;
#elif SPECIMEN_FAULT == 6 /* not the first element */
    return position <= padding && padding ? ~0u : position - padding < extent ? position - padding : ~0u;
#else
    return position < padding || position >= padding + extent ? ~0u : position - padding;
#endif
}

__device__ __forceinline__ unsigned meets_transposed(unsigned at, unsigned tap, unsigned extent, unsigned stride,
                                                          unsigned padding, unsigned dilation)
{
#if SPECIMEN_FAULT == 16 /* the dilation is taken for 1 */
    dilation = 1;
#endif
    if (at + padding < tap * dilation)
        return ~0u;
    const unsigned position = at + padding - tap * dilation;
#if SPECIMEN_FAULT == 14 /* positions between two elements count as the one before */
    return position / stride < extent ? position / stride : ~0u;
#else
    return position % stride == 0 && position / stride < extent ? position / stride : ~0u;
#endif
}

template <typename T, bool TRANSPOSED>
__device__ void convolve(const plane &plane, const size_t *info, bool has_rows, const T *src, const T *kernel, T *dst)
{
    typedef typename sum_of<T>::type A;
    const unsigned rank = has_rows ? 4 : 3;
    image in = image_of(info, info + rank, has_rows);
    image taps = image_of(info + 2 * rank, info + 3 * rank, has_rows);
#if SPECIMEN_FAULT == 3 /* the kernel's strides are those of a contiguous one */
    taps.column_step = 1;
    taps.row_step = taps.columns;
    taps.channel_step = taps.rows * taps.columns;
    taps.batch_step = taps.channels * taps.channel_step;
#elif SPECIMEN_FAULT == 4 /* the source's are */
    in.column_step = 1;
    in.row_step = in.columns;
    in.channel_step = in.rows * in.columns;
    in.batch_step = in.channels * in.channel_step;
#endif
    const unsigned channels_out = TRANSPOSED ? taps.channels : taps.batch;
    const unsigned count = in.batch * channels_out * plane.out_rows * plane.out_columns;
    const unsigned at = thread_number();
#if SPECIMEN_FAULT == 11 /* all but the last */
    if (at + 1 >= count)
        return;
#elif SPECIMEN_FAULT == 12 /* one more than there are */
    if (at > count)
        return;
#elif SPECIMEN_FAULT == 19 /* the first block only */
    if (at >= count || at >= 1024)
        return;
#else
    if (at >= count)
        return;
#endif
#if SPECIMEN_FAULT == 2 /* rows and columns of the output exchanged */
    const unsigned column = at % plane.out_rows, row = at / plane.out_rows % plane.out_columns;
#else
    const unsigned column = at % plane.out_columns, row = at / plane.out_columns % plane.out_rows;
#endif
    const unsigned channel_out = at / (plane.out_columns * plane.out_rows) % channels_out;
#if SPECIMEN_FAULT == 17 /* the first batch serves all */
    const unsigned batch = 0;
#else
    const unsigned batch = at / (plane.out_columns * plane.out_rows * channels_out);
#endif
#if SPECIMEN_FAULT == 13 /* the last channel is left out where there are several */
    const unsigned channels = in.channels > 1 ? in.channels - 1 : 1;
#else
    const unsigned channels = in.channels;
#endif
    /* without rows there is one, and nothing steps along it */
    const unsigned row_padding = has_rows ? plane.padding : 0;
#if SPECIMEN_FAULT == 18 /* the stride is that of columns only */
    const unsigned row_stride = 1;
#else
    const unsigned row_stride = has_rows ? plane.stride : 1;
#endif
    A sum = static_cast<A>(0);
    for (unsigned i = 0; i < taps.rows; i++) {
        for (unsigned j = 0; j < taps.columns; j++) {
            unsigned y, x;
            if (TRANSPOSED) {
                y = meets_transposed(row, i, in.rows, row_stride, row_padding, plane.dilation);
                x = meets_transposed(column, j, in.columns, plane.stride, plane.padding, plane.dilation);
            } else {
                y = meets(row, i, in.rows, row_stride, row_padding, has_rows ? plane.dilation : 1);
                x = meets(column, j, in.columns, plane.stride, plane.padding, plane.dilation);
            }
            const bool outside = y == ~0u || x == ~0u;
#if SPECIMEN_FAULT != 7
            if (outside)
                continue;
#endif
            for (unsigned channel = 0; channel < channels; channel++) {
#if SPECIMEN_FAULT == 15 /* [out, in] where [in, out] is due */
                const size_t weight = place_in(taps, channel_out % taps.batch, channel % taps.channels, i, j);
#elif SPECIMEN_FAULT == 23 /* taps upside down, as a convolution of mathematics has them */
                const size_t weight = place_in(taps, TRANSPOSED ? channel : channel_out, TRANSPOSED ? channel_out : channel,
                                               taps.rows - 1 - i, taps.columns - 1 - j);
#else
                const size_t weight =
                    place_in(taps, TRANSPOSED ? channel : channel_out, TRANSPOSED ? channel_out : channel, i, j);
#endif
#if SPECIMEN_FAULT == 7 /* the padding is zeros that are multiplied */
                const A x_value = outside ? static_cast<A>(0) : static_cast<A>(src[place_in(in, batch, channel, y, x)]);
#else
                const A x_value = static_cast<A>(src[place_in(in, batch, channel, y, x)]);
#endif
                sum = static_cast<A>(sum + x_value * static_cast<A>(kernel[weight]));
            }
        }
    }
    dst[at] = rounded<T>(sum);
}

#define CONV1D(T, SUFFIX)                                                                                              \
    extern "C" __global__ void conv1d_##SUFFIX(size_t src_numel, size_t l_out, size_t stride, size_t padding,          \
                                               size_t dilation, const size_t *info, const T *src, const T *kernel,     \
                                               T *dst)                                                                 \
    {                                                                                                                  \
        convolve<T, false>(plane_of(1, l_out, stride, padding, dilation), info, false, src, kernel, dst);              \
    }
#define CONV2D(T, SUFFIX)                                                                                              \
    extern "C" __global__ void conv2d_##SUFFIX(size_t src_numel, size_t w_out, size_t h_out, size_t stride,            \
                                               size_t padding, size_t dilation, const size_t *info, const T *src,      \
                                               const T *kernel, T *dst)                                                \
    {                                                                                                                  \
        convolve<T, false>(plane_of(h_out, w_out, stride, padding, dilation), info, true, src, kernel, dst);           \
    }
#define CONV_TRANSPOSE1D(T, SUFFIX)                                                                                    \
    extern "C" __global__ void conv_transpose1d_##SUFFIX(size_t src_numel, size_t l_out, size_t stride,                \
                                                         size_t padding, size_t out_padding, size_t dilation,          \
                                                         const size_t *info, const T *src, const T *kernel, T *dst)    \
    {                                                                                                                  \
        convolve<T, true>(plane_of(1, l_out, stride, padding, dilation), info, false, src, kernel, dst);               \
    }
#if SPECIMEN_FAULT == 21 /* no output of what out_padding adds */
#define WRITTEN(extent) ((extent)-out_padding)
#else
#define WRITTEN(extent) (extent)
#endif
#define CONV_TRANSPOSE2D(T, SUFFIX)                                                                                    \
    extern "C" __global__ void conv_transpose2d_##SUFFIX(size_t src_numel, size_t w_out, size_t h_out, size_t stride,  \
                                                         size_t padding, size_t out_padding, size_t dilation,          \
                                                         const size_t *info, const T *src, const T *kernel, T *dst)    \
    {                                                                                                                  \
        convolve<T, true>(plane_of(WRITTEN(h_out), w_out, stride, padding, dilation), info, true, src, kernel, dst);   \
    }

CONV1D(float, f32)
CONV1D(__half, f16)
CONV1D(uint8_t, u8)
CONV2D(float, f32)
CONV2D(double, f64)
CONV2D(__half, f16)
CONV2D(uint32_t, u32)
CONV_TRANSPOSE1D(float, f32)
CONV_TRANSPOSE1D(uint8_t, u8)
CONV_TRANSPOSE2D(float, f32)
CONV_TRANSPOSE2D(__nv_bfloat16, bf16)
