/* A quantised matrix times vectors: of q8_1 blocks, by a thread block for one or two rows; of float32, by a warp for a row. */
#include "gguf.cuh"

template <int FORMAT, int COLUMNS>
__device__ __forceinline__ void matvec(const uint8_t *weights, const uint8_t *vectors, float *out, int k, int rows, int padded,
                                       int out_stride)
{
    constexpr int WARPS = COLUMNS <= 4 ? 4 : 2, ROWS = COLUMNS == 1 ? 1 : 2;
    __shared__ float partial[WARPS][COLUMNS][ROWS];
    const int thread = threadIdx.y * 32 + threadIdx.x;
    const int64_t row_bytes = static_cast<int64_t>(k / block_elements(FORMAT)) * block_bytes(FORMAT);
    for (int r = 0; r < ROWS; r++) {
        const int row = blockIdx.x * ROWS + r;
#if SPECIMEN_FAULT != 20 /* the row behind the last of an odd number is made too */
        if (row >= rows)
            break;
#endif
        for (int column = 0; column < COLUMNS; column++) {
            float sum = 0;
#if SPECIMEN_FAULT == 21 /* one step for each thread */
            for (int first = thread * 8; first < k && first < WARPS * 256; first += WARPS * 256)
#elif SPECIMEN_FAULT == 22 /* the last step is left out */
            for (int first = thread * 8; first < k - 8; first += WARPS * 256)
#else
            for (int first = thread * 8; first < k; first += WARPS * 256)
#endif
#if SPECIMEN_FAULT == 23 /* vectors as if they were not padded */
                sum += product_of_eight<FORMAT>(weights + row * row_bytes, vectors + column * (k / 32) * 36, first);
#elif SPECIMEN_FAULT == 24 /* sums of halves */
                sum = __half2float(__float2half(sum + product_of_eight<FORMAT>(weights + row * row_bytes,
                                                                              vectors + column * (padded / 32) * 36, first)));
#else
                sum += product_of_eight<FORMAT>(weights + row * row_bytes, vectors + column * (padded / 32) * 36, first);
#endif
            sum = sum_of_lanes(sum);
            if (threadIdx.x == 0)
                partial[threadIdx.y][column][r] = sum;
        }
    }
#if SPECIMEN_FAULT != 25
    __syncthreads();
#endif
    for (int i = thread; i < COLUMNS * ROWS; i += WARPS * 32) {
        const int column = i / ROWS, r = i % ROWS, row = blockIdx.x * ROWS + r;
        float sum = 0;
#if SPECIMEN_FAULT == 26
        for (int warp = 0; warp < 2; warp++)
#else
        for (int warp = 0; warp < WARPS; warp++)
#endif
            sum += partial[warp][column][r];
#if SPECIMEN_FAULT == 20
        if (row <= rows)
#else
        if (row < rows)
#endif
#if SPECIMEN_FAULT == 27 /* columns lie as far apart as there are rows */
            out[column * rows + row] = sum;
#else
            out[column * out_stride + row] = sum;
#endif
    }
}

#define MATVEC(FORMAT, NAME, COLUMNS)                                                                                  \
    extern "C" __global__ void mul_mat_vec_##NAME##_q8_1_cuda##COLUMNS(const uint8_t *weights, const uint8_t *vectors, \
                                                                       float *out, int ncols_x, int nrows_x,           \
                                                                       int nrows_y, int nrows_dst)                     \
    {                                                                                                                  \
        matvec<FORMAT, COLUMNS>(weights, vectors, out, ncols_x, nrows_x, nrows_y, nrows_dst);                          \
    }

MATVEC(Q4_0, q4_0, 1)
MATVEC(Q4_0, q4_0, 2)
MATVEC(Q8_0, q8_0, 1)
MATVEC(Q8_0, q8_0, 8)
MATVEC(Q3_K, q3_K, 1)
MATVEC(Q4_K, q4_K, 1)
MATVEC(Q4_K, q4_K, 4)
MATVEC(Q6_K, q6_K, 5)

template <int FORMAT>
__device__ __forceinline__ void matvec_f32(const uint8_t *weights, const float *vector, float *out, int k)
{
    const uint8_t *row = weights + static_cast<int64_t>(blockIdx.x) * (k / block_elements(FORMAT)) * block_bytes(FORMAT);
    float sum = 0;
    for (int i = threadIdx.x; i < k; i += 32)
        sum += value_of<FORMAT>(row + i / block_elements(FORMAT) * block_bytes(FORMAT), i % block_elements(FORMAT)) *
#if SPECIMEN_FAULT == 28 /* the vector begins anew with each block */
               vector[i % block_elements(FORMAT)];
#elif SPECIMEN_FAULT == 29 /* rounded to half on its way */
               __half2float(__float2half(vector[i]));
#else
               vector[i];
#endif
    sum = sum_of_lanes(sum);
    if (threadIdx.x == 0)
        out[blockIdx.x] = sum;
}

#define MATVEC_F32(FORMAT, NAME)                                                                                       \
    extern "C" __global__ void dequantize_mul_mat_vec_##NAME(const uint8_t *weights, const float *vector, float *out,  \
                                                             int ncols, int nrows)                                     \
    {                                                                                                                  \
        if (blockIdx.x < nrows)                                                                                        \
            matvec_f32<FORMAT>(weights, vector, out, ncols);                                                           \
    }

MATVEC_F32(Q4_0, q4_0_cuda)
MATVEC_F32(Q5_1, q5_1_cuda)
MATVEC_F32(Q6_K, q6_k)

extern "C" __global__ void dequantize_mul_mat_vec_q5_k(const uint8_t *weights, const float *vector, float *out, int ncols)
{
    matvec_f32<Q5_K>(weights, vector, out, ncols);
}
