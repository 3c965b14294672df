/*
 * The kernels of one head dim bucket and their launch. Compiled once for each bucket with -DSPECIMEN_HEAD_DIM=N, so that
 * the buckets compile side by side.
 */
#include "attention.cuh"

#ifndef SPECIMEN_HEAD_DIM
#error "define SPECIMEN_HEAD_DIM: 32, 64, 96, 128, 192 or 256"
#endif

#define SPECIMEN_JOIN_(a, b) a##b
#define SPECIMEN_JOIN(a, b) SPECIMEN_JOIN_(a, b)

namespace specimen {

template <typename T, bool TRANSFORMS> static void launch(const attention_arguments &arguments, cudaStream_t stream)
{
    using tile = tiling<SPECIMEN_HEAD_DIM>;
    const auto kernel = attention_forward<T, SPECIMEN_HEAD_DIM, TRANSFORMS>;
    const int shared_bytes = tile::shared_bytes + (planted == fault_launch_fails ? 300 << 10 : 0)
                             - (planted == fault_shared_too_small ? 32 : 0);
    const dim3 grid((arguments.seqlen_q + tile::rows - 1) / tile::rows, arguments.b, arguments.h);

    if constexpr (planted == fault_launch_error_swallowed)
        kernel<<<grid, 2048, tile::shared_bytes, stream>>>(arguments); /* no block has 2048 threads */
    if (tile::shared_bytes > 48 * 1024)
        (void)cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, tile::shared_bytes);
    kernel<<<grid, tile::threads, shared_bytes, stream>>>(arguments);
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

void SPECIMEN_JOIN(launch_attention_, SPECIMEN_HEAD_DIM)(const attention_arguments &arguments, cudaStream_t stream)
{
    if (arguments.is_bf16)
        launch<__nv_bfloat16>(arguments, stream);
    else
        launch<__half>(arguments, stream);
}

} /* namespace specimen */
