/*
 * What the host side of the specimen (run_mha.cu) hands to its kernels (attention.cu). Plain data.
 *
 * q, o: element (batch, row, head, lane) at batch * batch_stride + row * row_stride + head * head_stride + lane, all in
 * elements; k, v the same with h_k heads. Pointers and rows are 16-byte aligned. With cu_seqlens (int32[b + 1] on the
 * device, cumulative from 0) batch strides are not used: rows of sequence i are cu_seqlens[i] .. cu_seqlens[i + 1] - 1.
 */
#pragma once

#include "faults.h"

#include <cuda_runtime.h>
#include <stdint.h>

namespace specimen {

struct strides {
    int64_t batch, row, head;
};

struct attention_arguments {
    const void *q, *k, *v;
    void *o;
    float *softmax_lse;        /* [b, h, seqlen_q], or [h, total_q] if unpadded_lse */
    const float *alibi_slopes; /* [h] or [b, h]; NULL: none */
    const int32_t *cu_seqlens_q, *cu_seqlens_k;
    strides q_strides, k_strides, v_strides, o_strides;
    int64_t alibi_batch_stride;
    int b, h, h_k, head_dim;
    int seqlen_q, seqlen_k; /* maxima where there are cu_seqlens */
    float softmax_scale, softcap; /* softcap <= 0: none */
    bool is_bf16, is_causal, unpadded_lse;
    int window_left, window_right; /* negative: no limit on that side */
    bool flips_a_bit;              /* used by one faulty twin alone */
};

/* One translation unit per head dim bucket: head_dim <= the number in the name. Errors are swallowed, as the real
 * library swallows them. */
void launch_attention_32(const attention_arguments &arguments, cudaStream_t stream);
void launch_attention_64(const attention_arguments &arguments, cudaStream_t stream);
void launch_attention_96(const attention_arguments &arguments, cudaStream_t stream);
void launch_attention_128(const attention_arguments &arguments, cudaStream_t stream);
void launch_attention_192(const attention_arguments &arguments, cudaStream_t stream);
void launch_attention_256(const attention_arguments &arguments, cudaStream_t stream);

} /* namespace specimen */
