/* out = inp * mul + add, in place on out where inp is NULL. */
#include "../delay.cuh"
#include "elementwise.cuh"

#define AFFINE(TYPE, SUFFIX)                                                                                           \
    extern "C" __global__ void affine_##SUFFIX(size_t numel, size_t num_dims, const size_t *info, const TYPE *inp,     \
                                               TYPE *out, TYPE mul, TYPE add)                                          \
    {                                                                                                                  \
        const specimen::delayed_block delay;                                                                           \
        FOR_EACH_ELEMENT(i, numel)                                                                                     \
        {                                                                                                              \
            const float x = to_float(inp ? inp[strided_index(i, num_dims, info)] : out[i]);                            \
            out[i] = from_float<TYPE>(x * to_float(mul) + to_float(add));                                              \
        }                                                                                                              \
    }

AFFINE(float, f32)
AFFINE(__half, f16)
AFFINE(__nv_bfloat16, bf16)
