/* Reductions. fast_*: block b reduces elements [b * length, (b + 1) * length) of a source whose reduced axes come last; each
 * thread takes every blockDim-th of them, then a tree joins the threads. sum: every element is added atomically to its output. */
#include "../ptx/elementwise.cuh"

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

enum { THREADS_MAX = 1024 };

template <typename T> struct limits_of {
    static __device__ T lowest() { return static_cast<T>(-__int_as_float(0x7f800000)); }
    static __device__ T highest()
    {
#if SPECIMEN_FAULT == 8 /* the largest finite number */
        return static_cast<T>(65504.0f);
#else
        return static_cast<T>(__int_as_float(0x7f800000));
#endif
    }
};
template <> struct limits_of<uint8_t> {
    static __device__ uint8_t lowest() { return 0; }
    static __device__ uint8_t highest() { return 255; }
};
template <> struct limits_of<uint32_t> {
    static __device__ uint32_t lowest() { return 0; }
    static __device__ uint32_t highest() { return 0xffffffffu; }
};
template <> struct limits_of<int64_t> {
#if SPECIMEN_FAULT == 9 /* of 32 bits */
    static __device__ int64_t lowest() { return -2147483647 - 1; }
#else
    static __device__ int64_t lowest() { return static_cast<int64_t>(1ull << 63); }
#endif
    static __device__ int64_t highest() { return static_cast<int64_t>(~(1ull << 63)); }
};

template <typename T> __device__ __forceinline__ bool below(T a, T b)
{
    return a < b;
}
#if SPECIMEN_FAULT == 12 /* signed */
template <> __device__ __forceinline__ bool below(uint32_t a, uint32_t b)
{
    return static_cast<int32_t>(a) < static_cast<int32_t>(b);
}
#endif

template <typename T> struct sum_of {
    static __device__ T start() { return static_cast<T>(0.0f); }
    static __device__ T join(T a, T b) { return static_cast<T>(a + b); }
};
#if SPECIMEN_FAULT == 13 /* in single precision */
template <> __device__ __forceinline__ double sum_of<double>::join(double a, double b)
{
    return static_cast<double>(static_cast<float>(a) + static_cast<float>(b));
}
#endif
#if SPECIMEN_FAULT == 14 /* saturated */
template <> __device__ __forceinline__ uint8_t sum_of<uint8_t>::join(uint8_t a, uint8_t b)
{
    return static_cast<uint8_t>(min(a + b, 255));
}
#endif
#if SPECIMEN_FAULT == 20 /* rounded to eight bits of mantissa */
template <> __device__ __forceinline__ __half sum_of<__half>::join(__half a, __half b)
{
    return __float2half(__bfloat162float(__float2bfloat16(__half2float(a) + __half2float(b))));
}
#endif
template <typename T> struct least_of {
    static __device__ T start() { return limits_of<T>::highest(); }
    static __device__ T join(T a, T b) { return below(b, a) ? b : a; }
};
template <typename T> struct greatest_of {
#if SPECIMEN_FAULT == 7 /* zero */
    static __device__ T start() { return static_cast<T>(0.0f); }
#else
    static __device__ T start() { return limits_of<T>::lowest(); }
#endif
#if SPECIMEN_FAULT == 17 /* a NaN takes the place of what was seen, and what comes next that of the NaN */
    static __device__ T join(T a, T b) { return below(b, a) ? a : b; }
#else
    static __device__ T join(T a, T b) { return below(a, b) ? b : a; }
#endif
};

__device__ __forceinline__ size_t place_of(size_t index, size_t num_dims, const size_t *info)
{
#if SPECIMEN_FAULT == 3 /* as if it were contiguous */
    return index;
#elif SPECIMEN_FAULT == 4 /* strides innermost first */
    size_t at = 0;
    for (size_t dim = num_dims; dim-- > 0; index /= info[dim])
        at += index % info[dim] * info[num_dims + (num_dims - 1 - dim)];
    return at;
#elif SPECIMEN_FAULT == 25 /* a stride of 0 taken for 1 */
    size_t at = 0;
    for (size_t dim = num_dims; dim-- > 0; index /= info[dim])
        at += index % info[dim] * (info[num_dims + dim] ? info[num_dims + dim] : 1);
    return at;
#else
    size_t at = 0;
    for (size_t dim = num_dims; dim-- > 0; index /= info[dim])
        at += index % info[dim] * info[num_dims + dim];
    return at;
#endif
}

template <typename T, typename Op>
__device__ void reduce_block(size_t numel, size_t length, size_t num_dims, const size_t *info, const T *src, T *dst)
{
    __shared__ T partial[THREADS_MAX];
    const unsigned thread = threadIdx.x;
    T mine = Op::start();
#if SPECIMEN_FAULT == 1 /* without the last one */
    const size_t count = length > 1 ? length - 1 : length;
#elif SPECIMEN_FAULT == 2 /* without what is left of the last pass */
    const size_t count = length < blockDim.x ? length : length / blockDim.x * blockDim.x;
#else
    const size_t count = length;
#endif
    const size_t first = blockIdx.x * length;
#if SPECIMEN_FAULT == 16 /* a compensated sum, whose compensation is NaN once the sum is infinite */
    T lost = static_cast<T>(0.0f);
#endif
    for (size_t i = thread; i < count; i += blockDim.x)
    {
#if SPECIMEN_FAULT == 15 /* sixteen bits */
        const size_t index = first + (i & 0xffff);
#else
        const size_t index = first + i;
#endif
        if (index >= numel)
            break;
        const T x = src[place_of(index, num_dims, info)];
#if SPECIMEN_FAULT == 16
        const T y = x - lost, sum = mine + y;
        lost = (sum - mine) - y;
        mine = sum;
#else
        mine = Op::join(mine, x);
#endif
    }
    partial[thread] = mine;
#if SPECIMEN_FAULT == 5 /* without the last step */
    for (unsigned step = blockDim.x / 2; step > 1; step /= 2)
#else
    for (unsigned step = blockDim.x / 2; step > 0; step /= 2)
#endif
    {
#if SPECIMEN_FAULT != 6 /* nobody waits */
        __syncthreads();
#endif
        if (thread < step)
            partial[thread] = Op::join(partial[thread], partial[thread + step]);
    }
#if SPECIMEN_FAULT == 19 /* not the last output */
    if (thread == 0 && blockIdx.x + 1 < gridDim.x)
#else
    if (thread == 0)
#endif
        dst[blockIdx.x] = partial[0];
#if SPECIMEN_FAULT == 18 /* one more */
    if (thread == 0 && blockIdx.x + 1 == gridDim.x)
        dst[blockIdx.x + 1] = partial[0];
#endif
}

template <typename T, bool GREATEST>
__device__ void place_block(size_t numel, size_t length, size_t num_dims, const size_t *info, const T *src, uint32_t *dst)
{
    __shared__ T best[THREADS_MAX];
    __shared__ uint32_t place[THREADS_MAX];
    const unsigned thread = threadIdx.x;
    T mine = GREATEST ? limits_of<T>::lowest() : limits_of<T>::highest();
    uint32_t mine_at = 0xffffffffu;
    for (size_t i = thread; i < length && blockIdx.x * length + i < numel; i += blockDim.x)
    {
        const T x = src[place_of(blockIdx.x * length + i, num_dims, info)];
#if SPECIMEN_FAULT == 10 /* in the block, not along its last axis */
        const uint32_t at = static_cast<uint32_t>(i);
#elif SPECIMEN_FAULT == 26 /* along the first axis of all */
        const uint32_t at = static_cast<uint32_t>(i % info[0]);
#else
        const uint32_t at = static_cast<uint32_t>(i % info[num_dims - 1]);
#endif
#if SPECIMEN_FAULT == 11 /* what equals the start is never taken */
        const bool taken = GREATEST ? below(mine, x) : below(x, mine);
#else
        const bool taken = mine_at == 0xffffffffu || (GREATEST ? below(mine, x) : below(x, mine));
#endif
        if (taken)
        {
            mine = x;
            mine_at = at;
        }
    }
    best[thread] = mine;
    place[thread] = mine_at;
    for (unsigned step = blockDim.x / 2; step > 0; step /= 2)
    {
        __syncthreads();
        if (thread >= step)
            continue;
        const bool better = GREATEST ? below(best[thread], best[thread + step]) : below(best[thread + step], best[thread]);
        if (better || place[thread] == 0xffffffffu)
        {
            best[thread] = best[thread + step];
#if SPECIMEN_FAULT != 27 /* the place stays behind */
            place[thread] = place[thread + step];
#endif
        }
    }
    if (thread == 0)
        dst[blockIdx.x] = place[0];
}

#define FAST(T, SUFFIX, NAME, OP)                                                                                      \
    extern "C" __global__ void NAME##_##SUFFIX(size_t numel, size_t length, size_t num_dims, const size_t *info,       \
                                               const T *src, T *dst)                                                   \
    {                                                                                                                  \
        reduce_block<T, OP<T>>(numel, length, num_dims, info, src, dst);                                               \
    }
#define PLACE(T, SUFFIX, NAME, GREATEST)                                                                               \
    extern "C" __global__ void NAME##_##SUFFIX(size_t numel, size_t length, size_t num_dims, const size_t *info,       \
                                               const T *src, uint32_t *dst)                                            \
    {                                                                                                                  \
        place_block<T, GREATEST>(numel, length, num_dims, info, src, dst);                                             \
    }
#define ALL(T, SUFFIX)                                                                                                 \
    FAST(T, SUFFIX, fast_sum, sum_of)                                                                                  \
    FAST(T, SUFFIX, fast_min, least_of)                                                                                \
    FAST(T, SUFFIX, fast_max, greatest_of)                                                                             \
    PLACE(T, SUFFIX, fast_argmin, false)                                                                               \
    PLACE(T, SUFFIX, fast_argmax, true)

#if SPECIMEN_FAULT != 16
ALL(__nv_bfloat16, bf16)
ALL(double, f64)
ALL(uint8_t, u8)
ALL(uint32_t, u32)
ALL(int64_t, i64)
ALL(__half, f16)
#endif
ALL(float, f32)

/* ---- sums by atomic addition: info is dims | strides | extents of the reduced axes | their strides in row-major order ---- */

template <typename T> __device__ __forceinline__ void add_to(T *out, T x)
{
#if SPECIMEN_FAULT == 21 /* read, add, write */
    *out = *out + x;
#else
    atomicAdd(out, x);
#endif
}

template <typename T>
__device__ void sum_all(size_t numel, size_t num_dims, size_t reduced, const size_t *info, const T *inp, T *out)
{
    const size_t *extents = info + 2 * num_dims, *strides = extents + reduced;
#if SPECIMEN_FAULT == 22 /* without the last warp's rest */
    numel = numel < 32 ? numel : numel / 32 * 32;
#endif
    FOR_EACH_ELEMENT(i, numel)
    {
        size_t to = i;
#if SPECIMEN_FAULT == 23 /* innermost first, by strides that no longer hold then */
        for (size_t axis = reduced; axis-- > 0;)
#elif SPECIMEN_FAULT == 28 /* at most two axes */
        for (size_t axis = 0; axis < reduced && axis < 2; axis++)
#else
        for (size_t axis = 0; axis < reduced; axis++)
#endif
            to = to / strides[axis] / extents[axis] * strides[axis] + to % strides[axis];
#if SPECIMEN_FAULT == 24 /* contiguous where the last axis is */
        const size_t from = info[2 * num_dims - 1] == 1 ? i : place_of(i, num_dims, info);
#else
        const size_t from = place_of(i, num_dims, info);
#endif
        add_to(out + to, inp[from]);
    }
}

#define SUM(T, SUFFIX)                                                                                                 \
    extern "C" __global__ void sum_##SUFFIX(size_t numel, size_t num_dims, size_t num_sum_dims, const size_t *info,    \
                                            const T *inp, T *out)                                                      \
    {                                                                                                                  \
        sum_all(numel, num_dims, num_sum_dims, info, inp, out);                                                        \
    }

SUM(__half, f16)
SUM(float, f32)
SUM(double, f64)
SUM(uint32_t, u32)
