/* out = OP(inp), in place on out where inp is NULL. */
#include "elementwise.cuh"

#define UNARY(TYPE, SUFFIX, NAME, EXPRESSION)                                                                          \
    extern "C" __global__ void NAME##_##SUFFIX(size_t numel, size_t num_dims, const size_t *info, const TYPE *inp,     \
                                               TYPE *out)                                                              \
    {                                                                                                                  \
        FOR_EACH_ELEMENT(i, numel)                                                                                     \
        {                                                                                                              \
            const float x = to_float(inp ? inp[strided_index(i, num_dims, info)] : out[i]);                            \
            out[i] = from_float<TYPE>(EXPRESSION);                                                                     \
        }                                                                                                              \
    }

#define UNARY_ALL(NAME, EXPRESSION)                                                                                    \
    UNARY(float, f32, NAME, EXPRESSION)                                                                                \
    UNARY(__half, f16, NAME, EXPRESSION)                                                                               \
    UNARY(__nv_bfloat16, bf16, NAME, EXPRESSION)

UNARY_ALL(ucopy, x)
UNARY_ALL(uneg, -x)
UNARY_ALL(usqr, x *x)
UNARY_ALL(urelu, x != x ? x : fmaxf(x, 0.0f))
UNARY_ALL(uexp, expf(x))
UNARY_ALL(usilu, x / (1.0f + expf(-x)))
