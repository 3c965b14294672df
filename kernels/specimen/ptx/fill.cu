/* fill: buf[0 .. numel) = value. copy2d: d1 rows of d2 elements from src, rows src_s apart, to dst, rows dst_s apart; what
 * lies between the rows of dst stays. */
#include "elementwise.cuh"

#define FILL(TYPE, SUFFIX)                                                                                             \
    extern "C" __global__ void fill_##SUFFIX(TYPE *buf, TYPE value, size_t numel)                                      \
    {                                                                                                                  \
        FOR_EACH_ELEMENT(i, numel)                                                                                     \
        buf[i] = value;                                                                                                \
    }                                                                                                                  \
    extern "C" __global__ void copy2d_##SUFFIX(const TYPE *src, TYPE *dst, uint32_t d1, uint32_t d2, uint32_t src_s,   \
                                               uint32_t dst_s)                                                         \
    {                                                                                                                  \
        FOR_EACH_ELEMENT(i, static_cast<size_t>(d1) * d2)                                                              \
        dst[i / d2 * dst_s + i % d2] = src[i / d2 * src_s + i % d2];                                                   \
    }

FILL(float, f32)
FILL(__half, f16)
FILL(__nv_bfloat16, bf16)
FILL(uint8_t, u8)
FILL(uint32_t, u32)
