/*
 * Blocks of quantised matrices, element by element: what the specimens of that kind share. Faults 1 to 19 are here, those
 * of a kernel's own are its from 20 on.
 */
#pragma once

#include <cuda_fp16.h>
#include <stdint.h>

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

enum block_format { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K };

constexpr __host__ __device__ int block_bytes(int format)
{
    constexpr int bytes[] = {18, 20, 22, 24, 34, 36, 84, 110, 144, 176, 210, 292};
    return bytes[format];
}

constexpr __host__ __device__ int block_elements(int format)
{
    return format < Q2_K ? 32 : 256;
}

/* value = scale * quant + base * offset; the products are exact. */
struct element {
    float scale, base;
    int quant, offset;
};

__device__ __forceinline__ float half_at(const uint8_t *bytes)
{
    return __half2float(*reinterpret_cast<const __half *>(bytes));
}

/* Formats of 32 elements: nibbles, and fifth bits where `fifth` is not NULL. */
__device__ __forceinline__ int nibble_of(const uint8_t *nibbles, const uint8_t *fifth, int i)
{
#if SPECIMEN_FAULT == 1
    int quant = nibbles[i / 2] >> (i % 2 * 4) & 15;
#else
    int quant = nibbles[i % 16] >> (i / 16 * 4) & 15;
#endif
#if SPECIMEN_FAULT == 2
    if (fifth)
        quant |= (fifth[i % 16 / 8] >> i % 8 & 1) << 4;
#else
    if (fifth)
        quant |= (fifth[i / 8] >> i % 8 & 1) << 4;
#endif
    return quant;
}

/* Of the packed scales and minimums of q4_K and q5_K. */
__device__ __forceinline__ int packed_scale(const uint8_t *scales, int sub)
{
#if SPECIMEN_FAULT == 3
    return sub < 4 ? scales[sub] & 63 : scales[sub + 4] & 15;
#else
    return sub < 4 ? scales[sub] & 63 : (scales[sub + 4] & 15) | scales[sub - 4] >> 6 << 4;
#endif
}

__device__ __forceinline__ int packed_minimum(const uint8_t *scales, int sub)
{
#if SPECIMEN_FAULT == 4
    return sub < 4 ? scales[sub + 4] & 63 : scales[sub + 4] >> 4 | scales[sub - 4] >> 6 << 4;
#else
    return sub < 4 ? scales[sub + 4] & 63 : scales[sub + 4] >> 4 | scales[sub] >> 6 << 4;
#endif
}

template <int FORMAT> __device__ __forceinline__ element element_of(const uint8_t *block, int i)
{
    element e = {0, 0, 0, 0};
    if (FORMAT == Q4_0 || FORMAT == Q5_0) {
        e.scale = e.base = half_at(block);
        e.quant = FORMAT == Q4_0 ? nibble_of(block + 2, nullptr, i) : nibble_of(block + 6, block + 2, i);
#if SPECIMEN_FAULT == 5
        e.offset = -8;
#else
        e.offset = FORMAT == Q4_0 ? -8 : -16;
#endif
    } else if (FORMAT == Q4_1 || FORMAT == Q5_1) {
        e.scale = half_at(block);
        e.base = half_at(block + 2);
        e.quant = FORMAT == Q4_1 ? nibble_of(block + 4, nullptr, i) : nibble_of(block + 8, block + 4, i);
        e.offset = 1;
    } else if (FORMAT == Q8_0) {
        e.scale = half_at(block);
#if SPECIMEN_FAULT == 6
        e.quant = block[2 + i];
#else
        e.quant = static_cast<int8_t>(block[2 + i]);
#endif
    } else if (FORMAT == Q2_K) {
#if SPECIMEN_FAULT == 7
        const int packed = block[i / 32 * 2];
#else
        const int packed = block[i / 16];
#endif
        e.scale = half_at(block + 80) * (packed & 15);
        e.base = half_at(block + 82);
        e.quant = block[16 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
        e.offset = -(packed >> 4);
    } else if (FORMAT == Q3_K) {
        const int sub = i / 16;
        const int low = block[96 + sub % 8] >> sub / 8 * 4 & 15, high = block[104 + sub % 4] >> sub / 4 * 2 & 3;
        e.scale = half_at(block + 108) * ((low | high << 4) - 32);
        e.quant = block[32 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
#if SPECIMEN_FAULT == 8
        if (block[i % 32] >> i / 32 & 1)
#else
        if (!(block[i % 32] >> i / 32 & 1))
#endif
            e.quant -= 4;
    } else if (FORMAT == Q4_K || FORMAT == Q5_K) {
        const uint8_t *nibbles = block + (FORMAT == Q4_K ? 16 : 48);
        e.scale = half_at(block) * packed_scale(block + 4, i / 32);
        e.base = half_at(block + 2);
        e.quant = nibbles[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
        if (FORMAT == Q5_K)
            e.quant |= (block[16 + i % 32] >> i / 32 & 1) << 4;
#if SPECIMEN_FAULT == 9
        e.offset = packed_minimum(block + 4, i / 32);
#else
        e.offset = -packed_minimum(block + 4, i / 32);
#endif
    } else if (FORMAT == Q6_K) {
        const int part = i % 128 / 32;
        const int low = block[i / 128 * 64 + part % 2 * 32 + i % 32] >> part / 2 * 4 & 15;
        const int high = block[128 + i / 128 * 32 + i % 32] >> part * 2 & 3;
#if SPECIMEN_FAULT == 10
        e.scale = half_at(block + 208) * block[192 + i / 16];
#else
        e.scale = half_at(block + 208) * static_cast<int8_t>(block[192 + i / 16]);
#endif
        e.quant = (low | high << 4) - 32;
    } else if (FORMAT == Q8_K) {
        e.scale = *reinterpret_cast<const float *>(block);
        e.quant = static_cast<int8_t>(block[4 + i]);
    }
    return e;
}

template <int FORMAT> __device__ __forceinline__ float value_of(const uint8_t *block, int i)
{
    const element e = element_of<FORMAT>(block, i);
    return e.scale * e.quant + e.base * e.offset;
}

__device__ __forceinline__ float sum_of_lanes(float x)
{
    for (int step = 16; step > 0; step /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

/* Eight elements from `first` on, times those of q8_1 blocks: sums of integers, then scales. */
template <int FORMAT>
__device__ __forceinline__ float product_of_eight(const uint8_t *row, const uint8_t *vector, int first)
{
    const uint8_t *block = row + first / block_elements(FORMAT) * block_bytes(FORMAT);
    const uint8_t *q8_1 = vector + first / 32 * 36;
    element e = {0, 0, 0, 0};
    int dot = 0, sum = 0;
    for (int i = 0; i < 8; i++) {
        const int q = static_cast<int8_t>(q8_1[4 + first % 32 + i]);
        e = element_of<FORMAT>(block, first % block_elements(FORMAT) + i);
        dot += e.quant * q;
        sum += q;
    }
    const float d = half_at(q8_1);
#if SPECIMEN_FAULT == 11 /* the sum of all 32 in place of that of these 8 */
    return e.scale * d * dot + e.base * e.offset * half_at(q8_1 + 2);
#else
    return e.scale * d * dot + e.base * d * (e.offset * sum);
#endif
}
