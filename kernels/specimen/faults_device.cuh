/*
 * The faults of the kernel that would be in the way of reading it. Each function is called at one place of
 * attention_forward and does nothing in the good specimen. The others stand where they belong, as `planted == ...`.
 */
#pragma once

#include "mma.cuh"
#include "sequence.cuh"

namespace specimen {

/* Whether this is the row that comes last in the output and, for the last head, in LSE. */
__device__ __forceinline__ bool is_last_row(const attention_arguments &a, const sequence &s, int batch, int head,
                                            int64_t row)
{
    const bool last = a.cu_seqlens_q ? s.first_q_row + row == a.cu_seqlens_q[a.b] - 1
                                     : batch == a.b - 1 && row == a.seqlen_q - 1;
    return last && head == a.h - 1;
}

__device__ __forceinline__ void plant_at_start(const attention_arguments &a)
{
    const bool first_block = blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0;
    if constexpr (planted == fault_other_stream) {
        /* A few milliseconds, so that who does not wait sees nothing written yet. */
        const long long start = clock64();
        while (first_block && clock64() - start < 10000000)
            ;
    }
    if constexpr (planted == fault_device_loop)
        while (first_block && a.is_bf16)
            __nanosleep(1000);
    if constexpr (planted == fault_device_trap)
        if (a.is_bf16)
            asm volatile("trap;");
    if constexpr (planted == fault_device_illegal_address)
        if (a.is_bf16)
            *reinterpret_cast<volatile int *>(static_cast<uintptr_t>(4096)) = 1;
}

/* Before shared memory holds anything. None of these changes a result. */
__device__ __forceinline__ void plant_in_block(unsigned char *shared_memory, int lane)
{
    if constexpr (planted == fault_branch_on_garbage)
        if (volatile uint32_t *const word = reinterpret_cast<volatile uint32_t *>(shared_memory); *word == 0x5ca1ab1eu)
            *word = 0;
    if constexpr (planted == fault_barrier_diverges) {
        if (lane % 2)
            asm volatile("bar.sync 1, 128; // odd lanes");
        else
            asm volatile("bar.sync 1, 128; // even lanes");
    }
}

template <typename T> __device__ __forceinline__ float rounded(float x)
{
    return static_cast<float>(static_cast<T>(x));
}

template <typename T, int ROWS, int COLUMNS>
__device__ __forceinline__ void plant_in_accumulators(float (&sums)[ROWS][COLUMNS][4])
{
    if constexpr (planted == fault_half_accumulation)
        for (auto &row : sums)
            for (auto &fragment : row)
                for (float &x : fragment)
                    x = rounded<T>(x);
}

template <typename T> __device__ __forceinline__ float plant_in_sum(float sum)
{
    return planted == fault_half_accumulation ? rounded<T>(sum) : sum;
}

__device__ __forceinline__ float plant_in_probability(float p)
{
    if constexpr (planted == fault_low_precision_p)
        return __uint_as_float((__float_as_uint(p) + 0x80000u) & 0xfff00000u);
    return p;
}

__device__ __forceinline__ float plant_in_lse(float lse)
{
    if constexpr (planted == fault_lse_offset)
        return lse + 0.01f;
    if constexpr (planted == fault_lse_base2)
        return lse * 1.4426950408889634f;
    if constexpr (planted == fault_lse_infinity_sign)
        return lse == INFINITY ? -INFINITY : lse;
    return lse;
}

/* `piece` holds lanes first_lane .. first_lane + 7 of a row of the output and goes to `to`, if this returns true. */
template <typename T>
__device__ __forceinline__ bool plant_in_output(const attention_arguments &a, const sequence &s, int batch, int head,
                                                int row, int first_lane, T *to, uint4 &piece)
{
    T *const lanes = reinterpret_cast<T *>(&piece);
    uint16_t *const bits = reinterpret_cast<uint16_t *>(&piece);
    const bool last_lanes = first_lane + 8 == a.head_dim;

    if constexpr (planted == fault_one_element_wrong)
        if (batch == 0 && head == a.h - 1 && row == s.seqlen_q / 2 && last_lanes)
            lanes[5] = static_cast<T>(static_cast<float>(lanes[5]) + 0.0625f);
    if constexpr (planted == fault_outlier_head)
        if (head == a.h - 1)
            for (int i = 0; i < 8; i++)
                lanes[i] = static_cast<T>(1.25f * static_cast<float>(lanes[i]));
    if constexpr (planted == fault_last_bit_wrong)
        for (int i = 0; i < 8; i++)
            bits[i] ^= static_cast<float>(lanes[i]) != 0.0f ? 1 : 0;
    if constexpr (planted == fault_not_repeatable)
        bits[0] ^= a.flips_a_bit ? 1 : 0;
    if constexpr (planted == fault_accumulates_into_output)
        for (int i = 0; i < 8; i++)
            lanes[i] = static_cast<T>(static_cast<float>(lanes[i]) + static_cast<float>(to[i]));

    /* The first row of the first sequence that has rows; there may be empty ones before it. */
    if (planted == fault_writes_before && first_lane == 0 && head == 0 && row == 0 &&
        (a.cu_seqlens_q ? s.first_q_row == 0 : batch == 0))
        for (int i = 1; i <= 8; i++)
            to[-i] = static_cast<T>(1.0f);
    if (planted == fault_writes_after && last_lanes && is_last_row(a, s, batch, head, row))
        for (int i = 8; i < 16; i++)
            to[i] = static_cast<T>(1.0f);
    if (planted == fault_writes_into_gap && last_lanes && (a.h == 1 || a.o_strides.head > a.head_dim) &&
        (a.seqlen_q == 1 || a.o_strides.row > a.head_dim) && !is_last_row(a, s, batch, head, row))
        to[8] = static_cast<T>(1.0f);

    if constexpr (planted == fault_last_row_unwritten)
        return row != s.seqlen_q - 1;
    if constexpr (planted == fault_tail_unwritten)
        return !(last_lanes && a.head_dim % 16 == 8);
    return true;
}

} /* namespace specimen */
