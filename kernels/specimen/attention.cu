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

template <typename T, bool TRANSFORMS>
static void start_kernel(dim3 grid, int threads, int shared_bytes, cudaStream_t stream, const attention_arguments &arguments)
{
    attention_forward<T, SPECIMEN_HEAD_DIM, TRANSFORMS><<<grid, threads, shared_bytes, stream>>>(arguments);
}

template <typename T, bool TRANSFORMS> static void allow_shared(int bytes)
{
    (void)cudaFuncSetAttribute(attention_forward<T, SPECIMEN_HEAD_DIM, TRANSFORMS>,
                               cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

void SPECIMEN_JOIN(launch_attention_, SPECIMEN_HEAD_DIM)(const attention_arguments &arguments, cudaStream_t stream)
{
    if (arguments.is_bf16)
        launch<__nv_bfloat16>(arguments, stream);
    else
        launch<__half>(arguments, stream);
}

} /* namespace specimen */
