/*
 * The few sm_80 instructions that the specimen needs and CUDA C++ has no words for: asynchronous copies to shared
 * memory, matrix loads from it and the 16x8x16 matrix product. Source: PTX ISA manual, "Warp-level matrix
 * instructions" and "cp.async".
 *
 * Fragment layouts of mma.m16n8k16 with 16-bit inputs, for lane = 4 * group + pair (group 0..7, pair 0..3); every
 * 32-bit register holds two neighbouring 16-bit elements, the lower index in the lower half:
 *
 *   A 16x16, row major   a[0] = (row group,     col 2*pair)      a[1] = (row group + 8, col 2*pair)
 *                        a[2] = (row group,     col 2*pair + 8)  a[3] = (row group + 8, col 2*pair + 8)
 *   B 16x8, column major b[0] = (row 2*pair,     col group)      b[1] = (row 2*pair + 8, col group)
 *   C 16x8, float        c[0], c[1] = (row group, cols 2*pair, 2*pair + 1)
 *                        c[2], c[3] = (row group + 8, the same cols)
 *
 * ldmatrix.x4 reads four 8x8 matrices of 16-bit elements; lanes 8*i .. 8*i + 7 give the addresses of the rows of
 * matrix i, and register i of a lane becomes (row group, cols 2*pair, 2*pair + 1) of matrix i. With .trans it becomes
 * (rows 2*pair, 2*pair + 1, col group).
 */
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

namespace specimen {

__device__ __forceinline__ uint32_t shared_address(const void *pointer)
{
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/* Copies 16 bytes, or writes 16 zero bytes without touching `global` when `wanted` is false. Both 16-byte aligned. */
__device__ __forceinline__ void copy16_async(void *shared, const void *global, bool wanted)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n"
                 :
                 : "r"(shared_address(shared)), "l"(__cvta_generic_to_global(global)), "r"(wanted ? 16 : 0)
                 : "memory");
}

/* Waits for every asynchronous copy this thread has issued. */
__device__ __forceinline__ void wait_for_copies()
{
    asm volatile("cp.async.wait_all;\n" : : : "memory");
}

__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void *shared)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(shared))
                 : "memory");
}

__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], const void *shared)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(shared))
                 : "memory");
}

template <typename T> struct number;

template <> struct number<__half> {
    static __device__ __forceinline__ uint32_t pack(float low, float high)
    {
        const __half2 pair = __floats2half2_rn(low, high);
        return *reinterpret_cast<const uint32_t *>(&pair);
    }

    /* c += a * b */
    static __device__ __forceinline__ void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
    {
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                     "{%0, %1, %2, %3};\n"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
};

template <> struct number<__nv_bfloat16> {
    static __device__ __forceinline__ uint32_t pack(float low, float high)
    {
        const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
        return *reinterpret_cast<const uint32_t *>(&pair);
    }

    static __device__ __forceinline__ void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
    {
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
                     "{%8, %9}, {%0, %1, %2, %3};\n"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
};

} /* namespace specimen */
