/* A quantised matrix times many vectors of q8_1 blocks: a tile of outputs for each thread block, blocks of vectors in shared
 * memory. */
#include "gguf.cuh"

template <int FORMAT, int TILE_COLUMNS, int TILE_ROWS>
__device__ __forceinline__ void matmul(const uint8_t *weights, const uint8_t *vectors, float *out, int k, int rows, int columns,
                                       int padded, int out_stride)
{
    __shared__ uint32_t tile[TILE_COLUMNS][9]; /* 36 bytes each */
    const int thread = threadIdx.y * 32 + threadIdx.x;
    const int first_row = blockIdx.x * TILE_ROWS, first_column = blockIdx.y * TILE_COLUMNS;
    const int64_t row_bytes = static_cast<int64_t>(k / block_elements(FORMAT)) * block_bytes(FORMAT);
    float sums[TILE_ROWS / 32][TILE_COLUMNS / 4] = {};
#if SPECIMEN_FAULT == 20
    for (int first = 0; first + 32 < k; first += 32) {
#elif SPECIMEN_FAULT == 21 /* rows that end within 256 elements are taken to go on to there */
    for (int first = 0; first < (k + 255) / 256 * 256; first += 32) {
#else
    for (int first = 0; first < k; first += 32) {
#endif
        for (int i = thread; i < TILE_COLUMNS * 9; i += 128) {
            const int column = first_column + i / 9;
#if SPECIMEN_FAULT == 22
            const uint8_t *vector = vectors + static_cast<int64_t>(min(column, columns - 1)) * (k / 32) * 36;
#else
            const uint8_t *vector = vectors + static_cast<int64_t>(min(column, columns - 1)) * (padded / 32) * 36;
#endif
            tile[i / 9][i % 9] = reinterpret_cast<const uint32_t *>(vector + first / 32 * 36)[i % 9];
        }
#if SPECIMEN_FAULT != 23
        __syncthreads();
#endif
#pragma unroll 1
        for (int r = 0; r < TILE_ROWS / 32; r++) {
            const int row = first_row + r * 32 + threadIdx.x;
            if (row >= rows)
                break;
            const uint8_t *block =
                weights + row * row_bytes + first / block_elements(FORMAT) * static_cast<int64_t>(block_bytes(FORMAT));
            element e[2];
            int8_t quants[32];
#pragma unroll 1
            for (int i = 0; i < 32; i++) {
                e[i / 16] = element_of<FORMAT>(block, first % block_elements(FORMAT) + i);
                quants[i] = e[i / 16].quant;
            }
#pragma unroll 1
            for (int c = 0; c < TILE_COLUMNS / 4; c++) {
                const uint8_t *q8_1 = reinterpret_cast<const uint8_t *>(tile[c * 4 + threadIdx.y]);
                if (first_column + c * 4 + static_cast<int>(threadIdx.y) >= columns)
                    break;
                int dot[2] = {0, 0};
                for (int i = 0; i < 32; i++)
                    dot[i / 16] += quants[i] * static_cast<int8_t>(q8_1[4 + i]);
                const float d = half_at(q8_1), s = half_at(q8_1 + 2);
#if SPECIMEN_FAULT == 24
                sums[r][c] += d * (e[0].scale * (dot[0] + dot[1])) + e[0].base * e[0].offset * s;
#elif SPECIMEN_FAULT == 25
                sums[r][c] += d * (e[0].scale * dot[0] + e[1].scale * dot[1]);
#elif SPECIMEN_FAULT == 26
                sums[r][c] += __half2float(__float2half(d * (e[0].scale * dot[0] + e[1].scale * dot[1]) + e[0].base * e[0].offset * s));
#else
                sums[r][c] += d * (e[0].scale * dot[0] + e[1].scale * dot[1]) + e[0].base * e[0].offset * s;
#endif
            }
        }
#if SPECIMEN_FAULT != 27
        __syncthreads();
#endif
    }
#pragma unroll 1
    for (int r = 0; r < TILE_ROWS / 32; r++) {
#pragma unroll 1
        for (int c = 0; c < TILE_COLUMNS / 4; c++) {
            const int row = first_row + r * 32 + threadIdx.x, column = first_column + c * 4 + threadIdx.y;
#if SPECIMEN_FAULT == 28
            if (row < rows && column <= columns)
#elif SPECIMEN_FAULT == 29
            if (row < rows - 1 && column < columns)
#else
            if (row < rows && column < columns)
#endif
                out[static_cast<int64_t>(column) * out_stride + row] = sums[r][c];
        }
    }
}

#define MATMUL(FORMAT, NAME, TILE_COLUMNS, TILE_ROWS)                                                                  \
    extern "C" __global__ void mul_mat_##NAME(const uint8_t *weights, const uint8_t *vectors, float *out, int ncols_x, \
                                              int nrows_x, int ncols_y, int nrows_y, int nrows_dst)                    \
    {                                                                                                                  \
        matmul<FORMAT, TILE_COLUMNS, TILE_ROWS>(weights, vectors, out, ncols_x, nrows_x, ncols_y, nrows_y, nrows_dst); \
    }

MATMUL(Q4_0, q4_0, 64, 128)
MATMUL(Q5_1, q5_1, 128, 64)
MATMUL(Q4_K, q4_K, 64, 128)
MATMUL(Q6_K, q6_K, 64, 64)
