/* out = f(inp) for f8_e4m3, which GPUs of compute_89 on have: in float, and one conversion that saturates. */
#include "../ptx/elementwise.cuh"

#include <cuda_fp8.h>

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

using f8 = __nv_fp8_e4m3;

__device__ __forceinline__ float widened(f8 x)
{
    return static_cast<float>(x);
}

__device__ __forceinline__ f8 narrowed(float x)
{
    f8 result;
#if SPECIMEN_FAULT == 1 /* NaN beyond the finite numbers */
    if (fabsf(x) > 464.0f)
        x = nanf("");
#elif SPECIMEN_FAULT == 2 /* subnormal results become 0 */
    if (fabsf(x) < 0.015625f)
        x = 0.0f;
#elif SPECIMEN_FAULT == 3 /* rounded towards zero */
    x = __uint_as_float(__float_as_uint(x) & 0xfff00000u);
#elif SPECIMEN_FAULT == 4 /* up to 240, as another format of 8 bits has it */
    x = fminf(fmaxf(x, -240.0f), 240.0f);
#endif
    result.__x = __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3);
    return result;
}

__device__ __forceinline__ float rounded(float x)
{
#if SPECIMEN_FAULT == 5 /* every step in the type itself */
    return widened(narrowed(x));
#else
    return x;
#endif
}

#define UNARY(NAME, EXPRESSION)                                                                                        \
    extern "C" __global__ void NAME(size_t numel, size_t num_dims, const size_t *info, const f8 *inp, f8 *out)         \
    {                                                                                                                  \
        /* any grid is valid */                                                                                        \
        for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < numel;                         \
             i += static_cast<size_t>(gridDim.x) * blockDim.x)                                                         \
        {                                                                                                              \
            const f8 element = inp ? inp[strided_index(i, num_dims, info)] : out[i];                                   \
            const float x = widened(element);                                                                          \
            out[i] = EXPRESSION;                                                                                       \
        }                                                                                                              \
    }

UNARY(ucopy_f8_e4m3, element)
UNARY(usqr_fp8_e4m3, narrowed(x *x))
UNARY(uexp_fp8_e4m3, narrowed(expf(x)))
UNARY(urecip_fp8_e4m3, narrowed(1.0f / x))
UNARY(usilu_fp8_e4m3, narrowed(x / rounded(1.0f + rounded(expf(-x)))))
