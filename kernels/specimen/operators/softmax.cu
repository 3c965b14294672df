/* Softmax of contiguous rows, a warp (blockDim.y = 32) for each: exponentials of the distance to the greatest element, rounded
 * to the type, over their sum, which is a float (f64: a double). */
#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

enum { LANES = 32 };

template <typename T> struct wide_of { typedef float type; };
template <> struct wide_of<double> { typedef double type; };
#if SPECIMEN_FAULT == 4 /* the sum in the type itself */
template <> struct wide_of<__half> { typedef __half type; };
#endif

__device__ __forceinline__ float power_of_e(float x)
{
#if SPECIMEN_FAULT == 7 /* to the base 2 */
    return exp2f(x);
#elif SPECIMEN_FAULT == 12 /* ten bits */
    return __half2float(__float2half(expf(x)));
#else
    return expf(x);
#endif
}
__device__ __forceinline__ double power_of_e(double x)
{
#if SPECIMEN_FAULT == 13 /* single precision */
    return static_cast<double>(expf(static_cast<float>(x)));
#else
    return exp(x);
#endif
}
__device__ __forceinline__ __half power_of_e(__half x)
{
    return __float2half(expf(__half2float(x)));
}

template <typename W> __device__ __forceinline__ W greater(W a, W b)
{
    return a < b ? b : a;
}

template <typename W> __device__ __forceinline__ W exchanged(W x, int mask)
{
    return __shfl_xor_sync(0xffffffffu, x, mask, LANES);
}

#if SPECIMEN_FAULT == 5 /* without the last step */
enum { LEAST_MASK = 2 };
#else
enum { LEAST_MASK = 1 };
#endif

template <typename T> __device__ void softmax_row(const T *src, T *dst, int columns)
{
    typedef typename wide_of<T>::type W;
    const int lane = threadIdx.y;
#if SPECIMEN_FAULT == 6 /* rows padded to whole passes of the warp, where there is more than one */
    const size_t row = static_cast<size_t>(blockIdx.x) * (columns > LANES ? (columns + LANES - 1) / LANES * LANES : columns) %
                       (static_cast<size_t>(gridDim.x) * columns - columns + 1);
#else
    const size_t row = static_cast<size_t>(blockIdx.x) * columns;
#endif
    const T *x = src + row;
    T *y = dst + row;
#if SPECIMEN_FAULT == 3 /* zero */
    W greatest = static_cast<W>(0.0f);
#else
    W greatest = static_cast<W>(-__int_as_float(0x7f800000));
#endif
#if SPECIMEN_FAULT == 14 /* of the first pass only */
    for (int i = lane; i < columns && i < LANES; i += LANES)
#else
    for (int i = lane; i < columns; i += LANES)
#endif
        greatest = greater(greatest, static_cast<W>(x[i]));
    for (int mask = LANES / 2; mask > 0; mask /= 2)
        greatest = greater(greatest, exchanged(greatest, mask));
#if SPECIMEN_FAULT == 1 /* nothing is subtracted */
    greatest = static_cast<W>(0.0f);
#endif
    W sum = static_cast<W>(0.0f);
    for (int i = lane; i < columns; i += LANES)
    {
        const T value = static_cast<T>(power_of_e(static_cast<W>(x[i]) - greatest));
#if SPECIMEN_FAULT == 2 /* whole passes only */
        if (columns < LANES || i < columns / LANES * LANES)
#elif SPECIMEN_FAULT == 9 /* without those that are no numbers */
        if (static_cast<W>(x[i]) == static_cast<W>(x[i]))
#endif
            sum = static_cast<W>(sum + static_cast<W>(value));
        y[i] = value;
    }
    for (int mask = LANES / 2; mask >= LEAST_MASK; mask /= 2)
        sum = static_cast<W>(sum + exchanged(sum, mask));
#if SPECIMEN_FAULT == 10 /* rows of -Inf become 0 */
    if (greatest == static_cast<W>(-__int_as_float(0x7f800000)))
    {
        for (int i = lane; i < columns; i += LANES)
            y[i] = static_cast<T>(0.0f);
        return;
    }
#endif
#if SPECIMEN_FAULT == 11 /* without the last column */
    for (int i = lane; i < columns - 1; i += LANES)
#elif SPECIMEN_FAULT == 8 /* without the last pass */
    for (int i = lane; i < columns - LANES; i += LANES)
#else
    for (int i = lane; i < columns; i += LANES)
#endif
        y[i] = static_cast<T>(static_cast<W>(y[i]) / sum);
#if SPECIMEN_FAULT == 15 /* one more, behind the last row */
    if (lane == 0 && blockIdx.x + 1 == gridDim.x)
        y[columns] = static_cast<T>(0.0f);
#endif
}

#define SOFTMAX(T, SUFFIX)                                                                                             \
    extern "C" __global__ void softmax_##SUFFIX(const T *src, T *dst, int n_cols)                                      \
    {                                                                                                                  \
        softmax_row(src, dst, n_cols);                                                                                 \
    }

SOFTMAX(__nv_bfloat16, bf16)
SOFTMAX(__half, f16)
SOFTMAX(float, f32)
SOFTMAX(double, f64)
