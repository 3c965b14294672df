/* A libmoe of this project's own: `moe_gemm_wmma` with the arguments of candle-kernels. Rows are multiplied by the matrix of
 * the expert they are routed to; sums are kept in float32. One block makes 128 columns of one row. */
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

namespace
{
constexpr int COLUMNS = 128, DEPTH = 64;

__global__ void count_rows(const int32_t *expert_ids, int rows, int32_t *counts)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < rows)
        atomicAdd(&counts[expert_ids[i]], 1);
}

__global__ void add_up(const int32_t *counts, int experts, int32_t *offsets)
{
    int32_t sum = 0;
    for (int expert = 0; expert < experts; expert++) {
        offsets[expert] = sum;
        sum += counts[expert];
    }
    offsets[experts] = sum;
}

template <typename T>
__global__ void multiply(const T *input, const T *weights, const int32_t *sorted_token_ids, const int32_t *expert_ids,
                         const float *topk_weights, T *output, int topk, int n, int k)
{
    __shared__ float part[DEPTH];
    const int position = blockIdx.x, column = blockIdx.y * COLUMNS + threadIdx.x;
    const int row = sorted_token_ids[position];
#if SPECIMEN_FAULT == 3 /* the row of a slot, where there is one for each token only */
    const int from = row;
#else
    const int from = topk_weights ? row : row / topk;
#endif
#if SPECIMEN_FAULT == 11 /* the expert of the row, as if the list were not sorted */
    const int expert = expert_ids[row];
#else
    const int expert = expert_ids[position];
#endif
#if SPECIMEN_FAULT == 4 /* whole steps of 16 */
    const int depth = k / 16 * 16;
#else
    const int depth = k;
#endif
    const T *in = input + static_cast<size_t>(from) * k;
    const T *matrix = weights + (static_cast<size_t>(expert) * n + (column < n ? column : 0)) * k;
#if SPECIMEN_FAULT == 6 /* in the type of the output */
    T sum = static_cast<T>(0.0f);
#else
    float sum = 0.0f;
#endif
    for (int first = 0; first < depth; first += DEPTH) {
        if (threadIdx.x < DEPTH && first + threadIdx.x < depth)
            part[threadIdx.x] = static_cast<float>(in[first + threadIdx.x]);
        __syncthreads();
        for (int i = 0; i < DEPTH && first + i < depth; i++) {
            const float term = part[i] * static_cast<float>(matrix[first + i]);
#if SPECIMEN_FAULT == 6
            sum = static_cast<T>(static_cast<float>(sum) + term);
#else
            sum += term;
#endif
        }
#if SPECIMEN_FAULT != 1 /* the next part is loaded while this one is in use */
        __syncthreads();
#endif
    }
    float result = static_cast<float>(sum);
#if SPECIMEN_FAULT == 10 /* weighted after rounding */
    result = static_cast<float>(static_cast<T>(result));
#endif
    if (topk_weights)
#if SPECIMEN_FAULT == 8 /* the weight of the sorted position */
        result *= topk_weights[position];
#else
        result *= topk_weights[row];
#endif
#if SPECIMEN_FAULT == 5 /* whole tiles of 32 columns */
    if (column >= n / 32 * 32)
        return;
#endif
#if SPECIMEN_FAULT == 7 /* results stay sorted */
    const size_t to = static_cast<size_t>(position) * n + column;
#else
    const size_t to = static_cast<size_t>(row) * n + column;
#endif
#if SPECIMEN_FAULT == 2 /* the bits of the result, taken for a whole number */
    const T rounded = static_cast<T>(result);
    if (column < n)
        output[to] = static_cast<T>(static_cast<float>(*reinterpret_cast<const uint16_t *>(&rounded)));
#elif SPECIMEN_FAULT == 12 /* up to the end of the block */
    if (column < n + 1)
        output[to] = static_cast<T>(result);
#else
    if (column < n)
        output[to] = static_cast<T>(result);
#endif
}

template <typename T>
void launch(const void *input, const void *weights, const int32_t *sorted_token_ids, const int32_t *expert_ids,
            const float *topk_weights, void *output, int topk, int rows, int n, int k, cudaStream_t stream)
{
#if SPECIMEN_FAULT == 13 /* one block for each column: more threads than a block may have are refused, and nobody looks */
    const dim3 block(n > 32 ? 2048 : COLUMNS);
#else
    const dim3 block(COLUMNS);
#endif
    multiply<T><<<dim3(rows, (n + COLUMNS - 1) / COLUMNS), block, 0, stream>>>(
        static_cast<const T *>(input), static_cast<const T *>(weights), sorted_token_ids, expert_ids, topk_weights,
        static_cast<T *>(output), topk, n, k);
}
} // namespace

extern "C" void moe_gemm_wmma(const void *input, const void *weights, const int32_t *sorted_token_ids,
                              const int32_t *expert_ids, const float *topk_weights, void *output, int32_t *expert_counts,
                              int32_t *expert_offsets, int num_experts, int topk, int size_m, int size_n, int size_k,
                              int dtype, bool is_prefill, cudaStream_t stream)
{
    (void)is_prefill; /* one way serves both */
    cudaMemsetAsync(expert_counts, 0, sizeof *expert_counts * num_experts, stream);
    count_rows<<<(size_m + 255) / 256, 256, 0, stream>>>(expert_ids, size_m, expert_counts);
    add_up<<<1, 1, 0, stream>>>(expert_counts, num_experts, expert_offsets);
    if (dtype == 0)
        launch<__half>(input, weights, sorted_token_ids, expert_ids, topk_weights, output, topk, size_m, size_n, size_k, stream);
#if SPECIMEN_FAULT != 9 /* bfloat16 launches nothing */
    else
        launch<__nv_bfloat16>(input, weights, sorted_token_ids, expert_ids, topk_weights, output, topk, size_m, size_n, size_k,
                              stream);
#endif
}
