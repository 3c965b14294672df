/* Resampling of the last two axes. Names of nearest: w belongs to axis 2, h to axis 3; of bilinear: h to axis 2, w to axis 3. */
#include "image.cuh"

struct place {
    image in;
    unsigned at, batch, channel, row, column;
    bool there;
};

__device__ __forceinline__ place place_of(unsigned rows, unsigned columns, const size_t *info)
{
    place it;
    it.in = image_of(info, info + 4, true);
#if SPECIMEN_FAULT == 15 /* the strides of a contiguous source */
    it.in.column_step = 1;
    it.in.row_step = it.in.columns;
    it.in.channel_step = it.in.rows * it.in.columns;
    it.in.batch_step = it.in.channels * it.in.channel_step;
#endif
    it.at = thread_number();
    const unsigned count = it.in.batch * it.in.channels * rows * columns;
#if SPECIMEN_FAULT == 16 /* all but the last */
    it.there = it.at + 1 < count;
#elif SPECIMEN_FAULT == 17 /* one more than there are */
    it.there = it.at <= count;
#else
    it.there = it.at < count;
#endif
    it.column = it.at % columns;
    it.row = it.at / columns % rows;
    it.channel = it.at / columns / rows % it.in.channels;
    it.batch = it.at / columns / rows / it.in.channels;
    return it;
}

__device__ __forceinline__ unsigned nearest(double scale, unsigned at, unsigned in, unsigned out)
{
#if SPECIMEN_FAULT == 1 /* in float */
    const unsigned source = static_cast<unsigned>(static_cast<float>(scale) * static_cast<float>(at));
#elif SPECIMEN_FAULT == 4 /* to the nearest whole number */
    const unsigned source = static_cast<unsigned>(rint(scale * static_cast<double>(at)));
#elif SPECIMEN_FAULT == 5 /* whatever the scale */
    const unsigned source = at * in / out;
#elif SPECIMEN_FAULT == 18 /* centres of elements, as other programs do */
    const unsigned source = static_cast<unsigned>(scale * (static_cast<double>(at) + 0.5));
#else
    const unsigned source = static_cast<unsigned>(scale * static_cast<double>(at));
#endif
#if SPECIMEN_FAULT == 3 /* not held at the end */
    return source;
#else
    return source < in ? source : in - 1;
#endif
}

template <typename T>
__device__ void resample_nearest(unsigned rows, unsigned columns, double row_scale, double column_scale, const size_t *info,
                                 const T *src, T *dst)
{
    const place it = place_of(rows, columns, info);
    if (!it.there)
        return;
#if SPECIMEN_FAULT == 2 /* scales exchanged */
    const unsigned y = nearest(column_scale, it.row, it.in.rows, rows), x = nearest(row_scale, it.column, it.in.columns, columns);
#else
    const unsigned y = nearest(row_scale, it.row, it.in.rows, rows), x = nearest(column_scale, it.column, it.in.columns, columns);
#endif
    dst[it.at] = src[place_in(it.in, it.batch, it.channel, y, x)];
}

#if SPECIMEN_FAULT == 10 /* in float */
typedef float real;
#else
typedef double real;
#endif

struct between {
    unsigned low, high;
    real weight;
};

__device__ __forceinline__ between between_of(unsigned at, unsigned in, unsigned out, bool corners, bool has_scale, double scale)
{
    double position;
#if SPECIMEN_FAULT == 6 /* corners are not looked at */
    corners = false;
#elif SPECIMEN_FAULT == 7 /* the user's factor is not */
    has_scale = false;
#endif
    if (corners) {
#if SPECIMEN_FAULT == 13 /* a division by 0 for a single output */
        position = static_cast<double>(at) * (static_cast<double>(in - 1) / static_cast<double>(out - 1));
#else
        position = out > 1 ? static_cast<double>(at) * (static_cast<double>(in - 1) / static_cast<double>(out - 1)) : 0.0;
#endif
    } else {
#if SPECIMEN_FAULT == 19 /* the factor for its inverse */
        const double ratio = has_scale ? scale : static_cast<double>(in) / static_cast<double>(out);
#else
        const double ratio = has_scale ? 1.0 / scale : static_cast<double>(in) / static_cast<double>(out);
#endif
#if SPECIMEN_FAULT == 20 /* corners of elements for their centres */
        position = ratio * static_cast<double>(at);
#else
        position = ratio * (static_cast<double>(at) + 0.5) - 0.5;
#endif
    }
#if SPECIMEN_FAULT != 9 /* positions before the first centre */
    position = position < 0.0 ? 0.0 : position;
#endif
    between it;
    it.low = static_cast<unsigned>(position < 0 ? 0.0 : floor(position));
    it.low = it.low < in ? it.low : in - 1;
#if SPECIMEN_FAULT == 12 /* the neighbour of the last is the element behind it */
    it.high = it.low + 1;
#else
    it.high = it.low + 1 < in ? it.low + 1 : in - 1;
#endif
    it.weight = static_cast<real>(position - static_cast<double>(it.low));
    return it;
}

template <typename T> __device__ __forceinline__ T stored(double value)
{
    return static_cast<T>(value);
}
#if SPECIMEN_FAULT == 11 /* integers rounded to the nearest */
template <> __device__ __forceinline__ uint8_t stored(double value)
{
    return static_cast<uint8_t>(rint(value));
}
#elif SPECIMEN_FAULT == 14 /* towards zero */
template <> __device__ __forceinline__ __half stored(double value)
{
    return __float2half_rz(static_cast<float>(value));
}
#endif

template <typename T>
__device__ void resample_bilinear(unsigned rows, unsigned columns, bool corners, bool has_row_scale, double row_scale,
                                  bool has_column_scale, double column_scale, const size_t *info, const T *src, T *dst)
{
    const place it = place_of(rows, columns, info);
    if (!it.there)
        return;
    const between y = between_of(it.row, it.in.rows, rows, corners, has_row_scale, row_scale);
#if SPECIMEN_FAULT == 8 /* one factor for both axes */
    const between x = between_of(it.column, it.in.columns, columns, corners, has_row_scale, row_scale);
#else
    const between x = between_of(it.column, it.in.columns, columns, corners, has_column_scale, column_scale);
#endif
    const real top_left = static_cast<real>(src[place_in(it.in, it.batch, it.channel, y.low, x.low)]);
    const real top_right = static_cast<real>(src[place_in(it.in, it.batch, it.channel, y.low, x.high)]);
    const real bottom_left = static_cast<real>(src[place_in(it.in, it.batch, it.channel, y.high, x.low)]);
    const real bottom_right = static_cast<real>(src[place_in(it.in, it.batch, it.channel, y.high, x.high)]);
    const real top = top_left * (1 - x.weight) + top_right * x.weight;
    const real bottom = bottom_left * (1 - x.weight) + bottom_right * x.weight;
    dst[it.at] = stored<T>(static_cast<double>(top * (1 - y.weight) + bottom * y.weight));
}

#define UPSAMPLE(T, SUFFIX)                                                                                            \
    extern "C" __global__ void upsample_nearest2d_##SUFFIX(size_t w_out, size_t h_out, double w_scale,                 \
                                                           double h_scale, const size_t *info, const T *src, T *dst)   \
    {                                                                                                                  \
        resample_nearest(w_out, h_out, w_scale, h_scale, info, src, dst);                                              \
    }                                                                                                                  \
    extern "C" __global__ void upsample_bilinear2d_##SUFFIX(size_t w_out, size_t h_out, bool align_corners,            \
                                                            bool has_scale_h, double scale_h, bool has_scale_w,        \
                                                            double scale_w, const size_t *info, const T *src, T *dst)  \
    {                                                                                                                  \
        resample_bilinear(h_out, w_out, align_corners, has_scale_h, scale_h, has_scale_w, scale_w, info, src, dst);    \
    }

UPSAMPLE(float, f32)
UPSAMPLE(double, f64)
UPSAMPLE(__half, f16)
UPSAMPLE(uint8_t, u8)
