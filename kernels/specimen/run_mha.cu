/*
 * The entry point of the specimen, with the arguments of run_mha of candle-flash-attn 0.9.2 (libflashattention.a), so
 * that it stands in for the real library. Contract: see attention.cuh; strides in elements; errors are invisible to
 * the caller, as they are there. d_rounded, seqlen_q_rounded and seqlen_k_rounded are not needed.
 */
#include "attention.h"
#include "faults_host.cuh"

#include <string.h>

static void launch_attention(const specimen::attention_arguments &a, cudaStream_t stream)
{
#if SPECIMEN_FAULT
    /* Twins hold one bucket, to be quick to build. */
    if constexpr (specimen::planted == specimen::fault_missing_head_dim) {
        if (a.head_dim <= 32)
            return specimen::launch_attention_32(a, stream);
    }
    if (a.head_dim <= 64)
        specimen::launch_attention_64(a, stream);
#else
    if (a.head_dim <= 32)
        specimen::launch_attention_32(a, stream);
    else if (a.head_dim <= 64)
        specimen::launch_attention_64(a, stream);
    else if (a.head_dim <= 96)
        specimen::launch_attention_96(a, stream);
    else if (a.head_dim <= 128)
        specimen::launch_attention_128(a, stream);
    else if (a.head_dim <= 192)
        specimen::launch_attention_192(a, stream);
    else if (a.head_dim <= 256)
        specimen::launch_attention_256(a, stream);
#endif
}

extern "C" void run_mha(void *q, void *k, void *v, void *o, void *softmax_lse, void *alibi_slopes,
                        int32_t *cu_seqlens_q, int32_t *cu_seqlens_k,
                        uint32_t q_batch_stride, uint32_t k_batch_stride, uint32_t v_batch_stride,
                        uint32_t o_batch_stride, uint32_t alibi_slopes_batch_stride,
                        uint32_t q_row_stride, uint32_t k_row_stride, uint32_t v_row_stride, uint32_t o_row_stride,
                        uint32_t q_head_stride, uint32_t k_head_stride, uint32_t v_head_stride, uint32_t o_head_stride,
                        uint32_t b, uint32_t h, uint32_t h_k, uint32_t d, uint32_t d_rounded, float softmax_scale,
                        uint32_t seqlen_q, uint32_t seqlen_k, uint32_t seqlen_q_rounded, uint32_t seqlen_k_rounded,
                        int is_bf16, int is_causal, int unpadded_lse,
                        int window_size_left, int window_size_right, float softcap)
{
    (void)d_rounded;
    (void)seqlen_q_rounded;
    (void)seqlen_k_rounded;

    specimen::attention_arguments a;
    memset(&a, 0, sizeof a);
    a.q = q;
    a.k = k;
    a.v = v;
    a.o = o;
    a.softmax_lse = static_cast<float *>(softmax_lse);
    a.alibi_slopes = static_cast<const float *>(alibi_slopes);
    a.cu_seqlens_q = cu_seqlens_q;
    a.cu_seqlens_k = cu_seqlens_k;
    a.q_strides = {q_batch_stride, q_row_stride, q_head_stride};
    a.k_strides = {k_batch_stride, k_row_stride, k_head_stride};
    a.v_strides = {v_batch_stride, v_row_stride, v_head_stride};
    a.o_strides = {o_batch_stride, o_row_stride, o_head_stride};
    a.alibi_batch_stride = alibi_slopes_batch_stride;
    a.b = static_cast<int>(b);
    a.h = static_cast<int>(h);
    a.h_k = static_cast<int>(h_k);
    a.head_dim = static_cast<int>(d);
    a.seqlen_q = static_cast<int>(seqlen_q);
    a.seqlen_k = static_cast<int>(seqlen_k);
    a.softmax_scale = softmax_scale;
    a.softcap = softcap;
    a.is_bf16 = is_bf16 != 0;
    a.is_causal = is_causal != 0;
    a.unpadded_lse = unpadded_lse != 0;
    a.window_left = window_size_left;
    a.window_right = window_size_right;

    if (b == 0 || h == 0 || seqlen_q == 0)
        return; /* a grid of no blocks is a launch error */

    cudaStream_t stream = 0; /* the default stream of this build: legacy or per thread */
    if (!specimen::plant_before_launch(a, stream))
        return;
    launch_attention(a, stream);
    specimen::plant_after_launch(a, stream);
}
