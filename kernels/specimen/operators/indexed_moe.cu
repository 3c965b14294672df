/* A mixture of experts: a thread block for each output. */
#include "gguf.cuh"

template <int FORMAT>
__device__ __forceinline__ void forward(const uint8_t *weights, const uint8_t *inputs, const uint32_t *ids, float *out, int n,
                                        int k, int topk, int k_padded, int input_dim1)
{
    __shared__ float partial[4];
    const int thread = threadIdx.y * 32 + threadIdx.x, row = blockIdx.x;
    const int64_t task = static_cast<int64_t>(blockIdx.y) * topk + blockIdx.z;
#if SPECIMEN_FAULT == 20
    const int64_t input = task;
#elif SPECIMEN_FAULT == 21
    const int64_t input = blockIdx.y;
#elif SPECIMEN_FAULT == 22
    const int64_t input = input_dim1 == 1 ? blockIdx.z : task;
#else
    const int64_t input = input_dim1 == 1 ? blockIdx.y : task;
#endif
#if SPECIMEN_FAULT == 23
    const int64_t expert = ids[blockIdx.z];
#elif SPECIMEN_FAULT == 24
    const int64_t expert = ids[task] & 31;
#else
    const int64_t expert = ids[task];
#endif
    const int64_t row_bytes = static_cast<int64_t>(k / block_elements(FORMAT)) * block_bytes(FORMAT);
#if SPECIMEN_FAULT == 25 /* blocks of 256, whatever the format */
    const uint8_t *matrix = weights + expert * (static_cast<int64_t>(n) * k / 256 * block_bytes(FORMAT));
#else
    const uint8_t *matrix = weights + expert * (n * row_bytes);
#endif
#if SPECIMEN_FAULT == 26
    const uint8_t *vector = inputs + input * (k / 32) * 36;
#else
    const uint8_t *vector = inputs + input * (k_padded / 32) * 36;
#endif
    float sum = 0;
#if SPECIMEN_FAULT == 27
    for (int first = thread * 8; first < min(k, 1024); first += 1024)
#else
    for (int first = thread * 8; first < k; first += 1024)
#endif
        sum += product_of_eight<FORMAT>(matrix + row * row_bytes, vector, first);
    sum = sum_of_lanes(sum);
    if (threadIdx.x == 0)
        partial[threadIdx.y] = sum;
#if SPECIMEN_FAULT != 28
    __syncthreads();
#endif
    if (thread == 0)
#if SPECIMEN_FAULT == 29 /* the outputs of a token stand behind each other by slot */
        out[(static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y) * n + row] =
#else
        out[task * n + row] =
#endif
            partial[0] + partial[1] + partial[2] + partial[3];
}

#define FORWARD(FORMAT, NAME)                                                                                          \
    extern "C" __global__ void indexed_moe_forward_##NAME##_q8_1(const uint8_t *weights, const uint8_t *inputs,        \
                                                                 const uint32_t *ids, float *out, int n, int k,        \
                                                                 int batch, int topk, int k_padded, int input_dim1)    \
    {                                                                                                                  \
        forward<FORMAT>(weights, inputs, ids, out, n, k, topk, k_padded, input_dim1);                                  \
    }

FORWARD(Q8_0, q8_0)
FORWARD(Q2_K, q2k)
FORWARD(Q4_K, q4k)
FORWARD(Q5_K, q5k)
FORWARD(Q6_K, q6k)
