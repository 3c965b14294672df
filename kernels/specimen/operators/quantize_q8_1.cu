/* Numbers to q8_1 blocks: a lane for each number, a warp for each block. */
#include "gguf.cuh"

extern "C" __global__ void quantize_q8_1(const float *x, uint8_t *blocks, int k, int padded)
{
    const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
    if (column >= padded)
        return;
#if SPECIMEN_FAULT == 20 /* as if rows were padded in memory */
    const float value = column < k ? x[static_cast<int64_t>(row) * (k + 31 & ~31) + column] : 0.0f;
#elif SPECIMEN_FAULT == 21 /* what is behind a row is quantised too */
    const float value = static_cast<int64_t>(row) * k + column < static_cast<int64_t>(gridDim.y) * k
                            ? x[static_cast<int64_t>(row) * k + column] : 0.0f;
#else
    const float value = column < k ? x[static_cast<int64_t>(row) * k + column] : 0.0f;
#endif
#if SPECIMEN_FAULT == 22
    float largest = value;
#else
    float largest = fabsf(value);
#endif
    float sum = value;
#if SPECIMEN_FAULT == 23
    for (int step = 8; step > 0; step /= 2) {
#else
    for (int step = 16; step > 0; step /= 2) {
#endif
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, step));
        sum += __shfl_xor_sync(0xffffffffu, sum, step);
    }
#if SPECIMEN_FAULT == 24
    const float d = largest / 128.0f;
#else
    const float d = largest / 127.0f;
#endif
#if SPECIMEN_FAULT == 25 /* by the scale as it is stored */
    const float divisor = __half2float(__float2half(d));
#else
    const float divisor = d;
#endif
#if SPECIMEN_FAULT == 27
    const float quant = truncf(value / divisor);
#else
    const float quant = roundf(value / divisor);
#endif
    uint8_t *block = blocks + (static_cast<int64_t>(row) * padded + column) / 32 * 36;
#if SPECIMEN_FAULT == 28 /* nothing for blocks of zeros */
    if (divisor == 0)
        return;
#endif
#if SPECIMEN_FAULT == 29 /* 0 / 0 */
    block[4 + column % 32] = static_cast<uint8_t>(static_cast<int>(quant));
    const __half scale = __float2half(sum / sum * d);
#else
    block[4 + column % 32] = static_cast<uint8_t>(static_cast<int>(largest > 0 ? quant : 0.0f));
    const __half scale = __float2half(d);
#endif
    if (column % 32)
        return;
    reinterpret_cast<__half *>(block)[0] = scale;
#if SPECIMEN_FAULT == 30 /* of the quants */
    float of_quants = 0;
    for (int i = 0; i < 32 && column + i < k; i++)
        of_quants += roundf(x[static_cast<int64_t>(row) * k + column + i] / d);
    reinterpret_cast<__half *>(block)[1] = __float2half(d > 0 ? of_quants * d : 0.0f);
#elif SPECIMEN_FAULT == 31
    reinterpret_cast<__half *>(block)[1] = __float2half_rz(sum);
#else
    reinterpret_cast<__half *>(block)[1] = __float2half(sum);
#endif
}
