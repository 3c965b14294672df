/*
 * Tiles of the kernels and how they are launched. Plain C++: host code that no nvcc has compiled (host/) launches the same
 * kernels the same way. Whoever calls launch() defines SPECIMEN_HEAD_DIM and start_kernel and allow_shared for it.
 */
#pragma once

#include "attention.h"

namespace specimen {

template <int HEAD_DIM> struct tiling {
    static constexpr int warps = 4;
    static constexpr int threads = 32 * warps;
    /* 32 rows to a warp halve the traffic from shared memory for K and V; above 128 lanes the accumulators of a second
     * row tile no longer fit in the registers. */
    static constexpr int row_tiles = HEAD_DIM <= 128 ? 2 : 1;
    static constexpr int rows = 16 * row_tiles * warps;
    static constexpr int keys = HEAD_DIM <= 192 ? 64 : 32;
    /* 16 bytes of padding make the row pitch an odd number of 16-byte units, so that the eight rows of a matrix load
     * fall on different banks. */
    static constexpr int pitch = HEAD_DIM + 8;
    static constexpr int shared_bytes = (rows + 2 * keys) * pitch * 2;
};

/* Whether anything but the mask stands between q . k and the exponent. If not, the scores stay as they are and the scale
 * joins the exponent's multiplication; it must then be positive, to keep their order, and not so small that its product
 * with log2(e) is flushed to zero, which would turn the -inf of a masked key into NaN. */
inline bool transforms_scores(const attention_arguments &a)
{
    return a.alibi_slopes || a.softcap > 0.0f || !(a.softmax_scale > 1e-30f);
}

#ifdef SPECIMEN_HEAD_DIM
/* Of the kernel attention_forward<T, SPECIMEN_HEAD_DIM, TRANSFORMS>: one launch, and the shared memory it may ask for. */
template <typename T, bool TRANSFORMS>
static void start_kernel(dim3 grid, int threads, int shared_bytes, cudaStream_t stream, const attention_arguments &arguments);
template <typename T, bool TRANSFORMS> static void allow_shared(int bytes);

template <typename T, bool TRANSFORMS> static void launch(const attention_arguments &arguments, cudaStream_t stream)
{
    using tile = tiling<SPECIMEN_HEAD_DIM>;
    const int shared_bytes = tile::shared_bytes + (planted == fault_launch_fails ? 300 << 10 : 0)
                             - (planted == fault_shared_too_small ? 32 : 0);
    const dim3 grid((arguments.seqlen_q + tile::rows - 1) / tile::rows, arguments.b, arguments.h);

    if constexpr (planted == fault_launch_error_swallowed)
        start_kernel<T, TRANSFORMS>(grid, 2048, tile::shared_bytes, stream, arguments); /* no block has 2048 threads */
    if (tile::shared_bytes > 48 * 1024)
        allow_shared<T, TRANSFORMS>(tile::shared_bytes);
    start_kernel<T, TRANSFORMS>(grid, tile::threads, shared_bytes, stream, arguments);
    (void)cudaGetLastError();
}

template <typename T> static void launch(const attention_arguments &arguments, cudaStream_t stream)
{
    /* The path that transforms scores does for all cases: twins hold no other, to be quick to build. */
    if (planted != fault_none || transforms_scores(arguments))
        launch<T, true>(arguments, stream);
    else if constexpr (planted == fault_none)
        launch<T, false>(arguments, stream);
}

#endif

} /* namespace specimen */
