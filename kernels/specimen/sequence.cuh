/* Where the sequences of a batch lie: side by side, or one after the other with cu_seqlens. */
#pragma once

#include "attention.h"

namespace specimen {

/* Where one sequence of the batch lies. */
struct sequence {
    int64_t q_offset, k_offset, v_offset, o_offset; /* elements, of its first row and head 0 */
    int64_t first_q_row;                            /* among the rows of all sequences; 0 without cu_seqlens */
    int seqlen_q, seqlen_k;
};

__device__ __forceinline__ sequence find_sequence(const attention_arguments &a, int batch)
{
    sequence s;
    s.first_q_row = 0;
    if (a.cu_seqlens_q) {
        s.first_q_row = a.cu_seqlens_q[batch];
        s.seqlen_q = a.cu_seqlens_q[batch + 1] - a.cu_seqlens_q[batch];
        s.q_offset = s.first_q_row * a.q_strides.row;
        s.o_offset = s.first_q_row * a.o_strides.row;
    } else {
        s.seqlen_q = a.seqlen_q;
        s.q_offset = batch * a.q_strides.batch;
        s.o_offset = batch * a.o_strides.batch;
    }
    if (a.cu_seqlens_k) {
        const int64_t first_k_row = a.cu_seqlens_k[batch];
        s.seqlen_k = a.cu_seqlens_k[batch + 1] - a.cu_seqlens_k[batch];
        if constexpr (planted == fault_varlen_leak)
            s.seqlen_k = min(a.seqlen_k, a.cu_seqlens_k[a.b] - a.cu_seqlens_k[batch]);
        s.k_offset = first_k_row * a.k_strides.row;
        s.v_offset = first_k_row * a.v_strides.row;
    } else {
        s.seqlen_k = a.seqlen_k;
        s.k_offset = batch * a.k_strides.batch;
        s.v_offset = batch * a.v_strides.batch;
    }
    return s;
}

} /* namespace specimen */
