/*
 * The faults of host code: those that tamper with the arguments, with launches or with the process. Included by
 * run_mha.cu alone, around the launch.
 */
#pragma once

#include "attention.h"

#include <algorithm>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace specimen {

/* How many calls in a row had these arguments before this one; pointers do not count. */
inline unsigned calls_before(const attention_arguments &a)
{
    static attention_arguments last;
    static unsigned calls;
    attention_arguments now;
    memcpy(&now, &a, sizeof now);
    now.q = now.k = now.v = nullptr;
    now.o = nullptr;
    now.softmax_lse = nullptr;
    now.alibi_slopes = nullptr;
    now.cu_seqlens_q = now.cu_seqlens_k = nullptr;
    calls = memcmp(&now, &last, sizeof now) == 0 ? calls + 1 : 0;
    memcpy(&last, &now, sizeof last);
    return calls;
}

inline void print_more_than_a_pipe_holds()
{
    for (int line = 0; line < 2000; line++)
        printf("the quick brown fox jumps over the lazy dog, line %d\n", line);
    fflush(stdout);
}

/* False: the call ends here. */
inline bool plant_before_launch(attention_arguments &a, cudaStream_t &stream)
{
    if constexpr (planted == fault_wrong_scale)
        a.softmax_scale *= 1.02f;
    if constexpr (planted == fault_softcap_missing)
        a.softcap = 0.0f;
    if constexpr (planted == fault_alibi_batch_ignored)
        a.alibi_batch_stride = 0;
    if constexpr (planted == fault_window_off_by_one)
        a.window_right += !a.is_causal && a.window_right >= 0;
    if constexpr (planted == fault_v_stride_ignored)
        a.v_strides.row = std::min(a.v_strides.row, static_cast<int64_t>(a.h_k) * a.head_dim);
    if constexpr (planted == fault_not_repeatable) {
        const unsigned calls = calls_before(a);
        a.flips_a_bit = calls >= 2 && calls % 2 == 0;
    }
    if constexpr (planted == fault_other_stream) {
        static cudaStream_t own;
        if (!own)
            (void)cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking);
        stream = own;
    }
    if constexpr (planted == fault_unknown_runtime_function) {
        (void)cudaIpcCloseMemHandle(nullptr);
        (void)cudaGetLastError();
    }
    if constexpr (planted == fault_prints)
        print_more_than_a_pipe_holds();
    if constexpr (planted == fault_launches_nothing)
        return false;

    if (a.is_bf16) {
        if constexpr (planted == fault_host_segfault) {
            volatile int *volatile nowhere = nullptr; /* volatile twice, or gcc drops the store */
            *nowhere = 1;
        }
        if constexpr (planted == fault_host_exit)
            exit(0);
        if constexpr (planted == fault_host_abort)
            abort();
        if constexpr (planted == fault_heap_corruption) {
            void *volatile block = malloc(24);
            free(block);
            free(block);
        }
        if constexpr (planted == fault_host_loop)
            for (volatile unsigned turns = 0;; turns = turns + 1)
                ;
    }
    return true;
}

/* By the preprocessor: a kernel that is never launched would still be in the good archive. 33: modifies_inputs. */
#if SPECIMEN_FAULT == 33 && defined __CUDACC__
/* Negates the sign bit of lane 0 of every row and head. One thread per row. */
__global__ void negate_first_lane(uint16_t *tensor, strides s, int batches, int rows, int heads,
                                  const int32_t *cu_seqlens)
{
    if (cu_seqlens) {
        rows = cu_seqlens[batches];
        batches = 1;
    }
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
         i < static_cast<int64_t>(batches) * rows; i += static_cast<int64_t>(gridDim.x) * blockDim.x)
        for (int head = 0; head < heads; head++)
            tensor[i / rows * s.batch + i % rows * s.row + head * s.head] ^= 0x8000u;
}

static void start_negation(cudaStream_t stream, uint16_t *tensor, strides s, int batches, int rows, int heads,
                           const int32_t *cu_seqlens)
{
    negate_first_lane<<<64, 128, 0, stream>>>(tensor, s, batches, rows, heads, cu_seqlens);
}
#endif

inline void plant_after_launch(const attention_arguments &a, cudaStream_t stream)
{
#if SPECIMEN_FAULT == 33
    {
        start_negation(stream, static_cast<uint16_t *>(const_cast<void *>(a.q)), a.q_strides, a.b, a.seqlen_q, a.h,
                       a.cu_seqlens_q);
        start_negation(stream, static_cast<uint16_t *>(const_cast<void *>(a.k)), a.k_strides, a.b, a.seqlen_k, a.h_k,
                       a.cu_seqlens_k);
        (void)cudaGetLastError();
    }
#endif
}

} /* namespace specimen */
