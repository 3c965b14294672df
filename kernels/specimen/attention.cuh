/*
 * Fused attention forward for sm_80 and newer: O = softmax(logits) V with the logits never in memory.
 *
 *   logit(i, j) = softmax_scale * q_i . k_j
 *               -> softcap * tanh(logit / softcap)                          if softcap > 0
 *               -> + slope * j (causal) or - slope * |i + sk - sq - j|      if there are ALiBi slopes
 *               -> -inf unless i + sk - sq - window_left <= j <= i + sk - sq + window_right
 *
 * One block of four warps owns `rows` rows of Q of one (batch, head), each warp 16 * row_tiles of them, and walks over
 * the visible keys in tiles of `keys`, keeping for each row the running maximum m of its logits, the sum l of
 * exp(logit - m) and the unnormalised output (online softmax: Milakov and Gimelshein 2018; Dao et al. 2022). K of the
 * next tile is copied while the current tile is multiplied with V, and V of this tile while Q is multiplied with K.
 *
 * A row whose visible keys are none gives O = 0 and LSE = +inf; a row whose sum is NaN keeps its NaN and gives LSE =
 * +inf, since a row sum of 0 or NaN is inverted to 1.
 */
#pragma once

#include "attention.h"
#include "delay.cuh"
#include "faults_device.cuh"
#include "launch.h"
#include "mma.cuh"
#include "sequence.cuh"

namespace specimen {

constexpr float LOG2_E = 1.4426950408889634f;
constexpr float LN_2 = 0.6931471805599453f;

/* Starts copying ROWS rows of HEAD_DIM lanes into shared memory. Rows from rows_there on and lanes from head_dim on
 * become zero and are not read; rows_there >= 1. */
template <int ROWS, int HEAD_DIM, typename T>
__device__ __forceinline__ void start_copy(T *tile, const T *source, int64_t row_stride, int rows_there, int head_dim)
{
    /* Lanes of 16 bytes side by side, so many that every thread keeps its column. */
    constexpr int columns = HEAD_DIM % 64 == 0 ? 8 : 4;
    constexpr int rows_at_once = tiling<HEAD_DIM>::threads / columns;
    static_assert(ROWS % rows_at_once == 0 && HEAD_DIM % (8 * columns) == 0, "the tile is copied in whole steps");

    int row = threadIdx.x / columns;
    const int first_lane = threadIdx.x % columns * 8;
    const T *from = source + row * row_stride + first_lane;
    T *to = tile + row * tiling<HEAD_DIM>::pitch + first_lane;
#pragma unroll
    for (int step = 0; step < ROWS / rows_at_once; step++) {
#pragma unroll
        for (int lane = 0; lane < HEAD_DIM; lane += 8 * columns) {
            const bool there = row < rows_there && first_lane + lane < head_dim;
            copy16_async(to + lane, there ? from + lane : source, there);
        }
        row += rows_at_once;
        from += rows_at_once * row_stride;
        to += rows_at_once * tiling<HEAD_DIM>::pitch;
    }
}

__device__ __forceinline__ float quad_max(float x)
{
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

__device__ __forceinline__ float quad_sum(float x)
{
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/* 1 - 2 / (e^2x + 1): absolute error of a few 2^-24 everywhere, and right at +-inf and NaN. */
__device__ __forceinline__ float tanh_by_exp(float x)
{
    return 1.0f - __fdividef(2.0f, exp2f(2.0f * LOG2_E * x) + 1.0f);
}

/* The steps from q . k to what is kept as a score; score * exponent_scale is the base-2 logit. */
template <bool TRANSFORMS> struct score_rule {
    bool has_alibi, is_causal;
    float softmax_scale, softcap, slope, exponent_scale;

    __device__ __forceinline__ score_rule(const attention_arguments &a, int batch, int head)
    {
        has_alibi = a.alibi_slopes != nullptr;
        is_causal = a.is_causal;
        softmax_scale = a.softmax_scale;
        softcap = a.softcap;
        slope = TRANSFORMS && has_alibi ? a.alibi_slopes[batch * a.alibi_batch_stride + head] : 0.0f;
        if constexpr (planted == fault_alibi_sign)
            slope = -slope;
        exponent_scale = TRANSFORMS ? LOG2_E : softmax_scale * LOG2_E;
    }

    /* `distance` is i + sk - sq - j, `key` is j. */
    __device__ __forceinline__ float operator()(float product, int key, int distance) const
    {
        if constexpr (!TRANSFORMS)
            return product;
        float logit = product * softmax_scale;
        if (softcap > 0.0f && planted != fault_softcap_after_alibi)
            logit = softcap * tanh_by_exp(__fdividef(logit, softcap));
        if (has_alibi)
            logit += is_causal ? slope * static_cast<float>(key) : -slope * fabsf(static_cast<float>(distance));
        if (softcap > 0.0f && planted == fault_softcap_after_alibi)
            logit = softcap * tanh_by_exp(__fdividef(logit, softcap));
        if constexpr (planted == fault_nan_swallowed)
            logit = logit != logit ? -INFINITY : logit;
        return logit;
    }
};

/* Which keys row i sees: first(i) <= j < end(i). */
struct visibility {
    int shift; /* seqlen_k - seqlen_q */
    int seqlen_k, left, right;

    __device__ __forceinline__ visibility(const attention_arguments &a, const sequence &s)
    {
        shift = s.seqlen_k - s.seqlen_q;
        seqlen_k = s.seqlen_k;
        left = a.is_causal ? -1 : a.window_left;
        right = a.is_causal ? 0 : a.window_right;
        if constexpr (planted == fault_mask_top_left)
            shift = 0;
        if constexpr (planted == fault_causal_off_by_one)
            right += a.is_causal;
    }

    __device__ __forceinline__ int first(int row) const
    {
        return left < 0 ? 0 : max(0, row + shift - left);
    }

    __device__ __forceinline__ int end(int row) const
    {
        return right < 0 ? seqlen_k : min(seqlen_k, row + shift + 1 + right);
    }

    /* What the score of a key that is not visible becomes. */
    __device__ __forceinline__ float hidden(int key, float softcap) const
    {
        if (planted == fault_softcap_after_mask && softcap > 0.0f && key < seqlen_k)
            return -softcap;
        return planted == fault_masked_row_average ? -30000.0f : -INFINITY;
    }
};

template <typename T, int HEAD_DIM, bool TRANSFORMS>
__global__ void __launch_bounds__(tiling<HEAD_DIM>::threads)
    attention_forward(const __grid_constant__ attention_arguments a)
{
    using tile = tiling<HEAD_DIM>;
    constexpr int row_tiles = tile::row_tiles, keys = tile::keys, pitch = tile::pitch;
    const delayed_block delay;

    extern __shared__ __align__(16) unsigned char shared_memory[];
    T *const q_tile = reinterpret_cast<T *>(shared_memory);
    T *const k_tile = q_tile + tile::rows * pitch;
    T *const v_tile = k_tile + keys * pitch;

    const int batch = blockIdx.y, head = blockIdx.z;
    const int kv_head = planted == fault_gqa_mapping ? head % a.h_k : head / (a.h / a.h_k);
    const sequence s = find_sequence(a, batch);
    plant_at_start(a);
    /* Under a causal mask the last blocks have the most keys; they start first so that none is left over alone. */
    const int block_row = tile::rows * static_cast<int>(a.is_causal ? gridDim.x - 1 - blockIdx.x : blockIdx.x);
    const int rows_there = min(tile::rows, s.seqlen_q - block_row);
    if (rows_there <= 0)
        return;

    const T *const q = static_cast<const T *>(a.q) + s.q_offset + head * a.q_strides.head + block_row * a.q_strides.row;
    const T *const k = static_cast<const T *>(a.k) + s.k_offset + kv_head * a.k_strides.head;
    const T *const v = static_cast<const T *>(a.v) + s.v_offset + kv_head * a.v_strides.head;

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, pair = lane % 4;
    const int warp_row = 16 * row_tiles * warp; /* within the block */
    plant_in_block(shared_memory, lane);
    const int shift = s.seqlen_k - s.seqlen_q;
    const visibility visible(a, s);
    const score_rule<TRANSFORMS> score_of(a, batch, head);

    const int first_key = visible.first(block_row) / keys * keys;
    int end_key = visible.end(block_row + rows_there - 1);
    if constexpr (planted == fault_last_tile_dropped)
        end_key = end_key > keys ? (end_key - 1) / keys * keys : end_key;
    /* Rows of K that may be read, counted from the first of the sequence. */
    const int k_rows = s.seqlen_k + (planted == fault_reads_past_k || planted == fault_reads_past_k_watched ? 1 : 0);

    float out[row_tiles][HEAD_DIM / 8][4] = {};
    float row_max[row_tiles][2], row_sum[row_tiles][2]; /* row_sum: this lane's share only, until the end */
#pragma unroll
    for (int m = 0; m < row_tiles; m++) {
        row_max[m][0] = row_max[m][1] = -INFINITY;
        row_sum[m][0] = row_sum[m][1] = 0.0f;
    }

    /* Addresses this lane gives to the matrix loads: matrices 0..3 of Q are (rows, lanes) + (0,0) (8,0) (0,8) (8,8), of
     * K (keys, lanes) + (0,0) (0,8) (8,0) (8,8), of V (keys, lanes) + (0,0) (8,0) (0,8) (8,8). */
    const T *const q_matrix = q_tile + (warp_row + lane % 16) * pitch + lane / 16 * 8;
    const T *const k_matrix = k_tile + (lane % 8 + lane / 16 * 8) * pitch + lane / 8 % 2 * 8;
    const T *const v_matrix = v_tile + (lane % 16) * pitch + lane / 16 * 8;

    if (first_key < end_key) {
        start_copy<tile::rows, HEAD_DIM>(q_tile, q, a.q_strides.row, rows_there, a.head_dim);
        start_copy<keys, HEAD_DIM>(k_tile, k + first_key * a.k_strides.row, a.k_strides.row, k_rows - first_key,
                                   a.head_dim);
    }

    for (int key0 = first_key; key0 < end_key; key0 += keys) {
        wait_for_copies();
        __syncthreads(); /* K has come, and no warp still reads V of the tile before */
        start_copy<keys, HEAD_DIM>(v_tile, v + key0 * a.v_strides.row, a.v_strides.row, s.seqlen_k - key0, a.head_dim);

        float score[row_tiles][keys / 8][4] = {};
#pragma unroll
        for (int d = 0; d < HEAD_DIM; d += 16) {
            uint32_t q_part[row_tiles][4];
#pragma unroll
            for (int m = 0; m < row_tiles; m++)
                load_matrices(q_part[m], q_matrix + 16 * m * pitch + d);
#pragma unroll
            for (int n = 0; n < keys / 8; n += 2) {
                uint32_t k_part[4];
                load_matrices(k_part, k_matrix + 8 * n * pitch + d);
#pragma unroll
                for (int m = 0; m < row_tiles; m++) {
                    number<T>::multiply_add(score[m][n], q_part[m], k_part[0], k_part[1]);
                    number<T>::multiply_add(score[m][n + 1], q_part[m], k_part[2], k_part[3]);
                }
            }
            plant_in_accumulators<T>(score);
        }

        if constexpr (planted != fault_copy_not_waited)
            wait_for_copies();
        if constexpr (planted != fault_barrier_missing)
            __syncthreads(); /* V has come, and no warp still reads K */
        if (key0 + keys < end_key)
            start_copy<keys, HEAD_DIM>(k_tile, k + (key0 + keys) * a.k_strides.row, a.k_strides.row,
                                       k_rows - key0 - keys, a.head_dim);

#pragma unroll
        for (int m = 0; m < row_tiles; m++) {
            const int tile_row = block_row + warp_row + 16 * m;
            const bool all_visible = visible.first(tile_row + 15) <= key0 && key0 + keys <= visible.end(tile_row);
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = tile_row + 8 * half + group;
#pragma unroll
                for (int n = 0; n < keys / 8; n++)
#pragma unroll
                    for (int c = 0; c < 2; c++) {
                        const int key = key0 + 8 * n + 2 * pair + c;
                        score[m][n][2 * half + c] = score_of(score[m][n][2 * half + c], key, row + shift - key);
                    }
                if (!all_visible) {
                    const int first = visible.first(row), end = visible.end(row);
#pragma unroll
                    for (int n = 0; n < keys / 8; n++)
#pragma unroll
                        for (int c = 0; c < 2; c++) {
                            const int key = key0 + 8 * n + 2 * pair + c;
                            if (key < first || key >= end)
                                score[m][n][2 * half + c] = visible.hidden(key, a.softcap);
                        }
                }

                const float old_max = row_max[m][half];
                float new_max = old_max;
#pragma unroll
                for (int n = 0; n < keys / 8; n++)
                    new_max = fmaxf(new_max, fmaxf(score[m][n][2 * half], score[m][n][2 * half + 1]));
                new_max = planted == fault_no_max_subtraction ? 0.0f : quad_max(new_max);
                row_max[m][half] = new_max;

                /* -inf - -inf would be NaN where a row has seen no key yet. */
                const float base = new_max == -INFINITY ? 0.0f : new_max * score_of.exponent_scale;
                const float rescale = exp2f(old_max * score_of.exponent_scale - base);
                float sum = row_sum[m][half] * rescale;
#pragma unroll
                for (int n = 0; n < keys / 8; n++)
#pragma unroll
                    for (int c = 0; c < 2; c++) {
                        float &x = score[m][n][2 * half + c];
                        x = exp2f(x * score_of.exponent_scale - base);
                        sum = plant_in_sum<T>(sum + x);
                        x = plant_in_probability(x);
                    }
                row_sum[m][half] = sum;
#pragma unroll
                for (int n = 0; n < HEAD_DIM / 8; n++) {
                    out[m][n][2 * half] *= rescale;
                    out[m][n][2 * half + 1] *= rescale;
                }
            }
        }

        /* Accumulator tiles n and n + 1 of the scores are, packed, the A fragment of 16 keys: no exchange needed. */
#pragma unroll
        for (int n = 0; n < keys / 8; n += 2) {
            uint32_t p_part[row_tiles][4];
#pragma unroll
            for (int m = 0; m < row_tiles; m++) {
                p_part[m][0] = number<T>::pack(score[m][n][0], score[m][n][1]);
                p_part[m][1] = number<T>::pack(score[m][n][2], score[m][n][3]);
                p_part[m][2] = number<T>::pack(score[m][n + 1][0], score[m][n + 1][1]);
                p_part[m][3] = number<T>::pack(score[m][n + 1][2], score[m][n + 1][3]);
            }
#pragma unroll
            for (int d = 0; d < HEAD_DIM; d += 16) {
                uint32_t v_part[4];
                load_matrices_transposed(v_part, v_matrix + 8 * n * pitch + d);
#pragma unroll
                for (int m = 0; m < row_tiles; m++) {
                    number<T>::multiply_add(out[m][d / 8], p_part[m], v_part[0], v_part[1]);
                    number<T>::multiply_add(out[m][d / 8 + 1], p_part[m], v_part[2], v_part[3]);
                }
            }
            plant_in_accumulators<T>(out);
        }
    }

    /* The output leaves through this warp's own rows of the Q tile, which no other warp reads, in 16-byte pieces. */
#pragma unroll
    for (int m = 0; m < row_tiles; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int tile_row = warp_row + 16 * m + 8 * half + group;
            const float sum = quad_sum(row_sum[m][half]);
            const bool degenerate = sum == 0.0f || sum != sum;
            const float inverse =
                degenerate && planted != fault_masked_row_nan ? 1.0f : __fdividef(1.0f, sum);
#pragma unroll
            for (int n = 0; n < HEAD_DIM / 8; n++)
                *reinterpret_cast<uint32_t *>(q_tile + tile_row * pitch + 8 * n + 2 * pair) =
                    number<T>::pack(out[m][n][2 * half] * inverse, out[m][n][2 * half + 1] * inverse);

            if (pair == 0 && tile_row < rows_there) {
                const int64_t row = block_row + tile_row;
                const int64_t at = a.unpadded_lse
                                       ? head * static_cast<int64_t>(a.cu_seqlens_q[a.b]) + s.first_q_row + row
                                       : (static_cast<int64_t>(batch) * a.h + head) * a.seqlen_q + row;
                const float lse = degenerate ? INFINITY : row_max[m][half] * score_of.exponent_scale * LN_2 + logf(sum);
                if constexpr (planted != fault_lse_unwritten)
                    a.softmax_lse[at] = plant_in_lse(lse);
                if (planted == fault_lse_writes_after && is_last_row(a, s, batch, head, row))
                    a.softmax_lse[a.unpadded_lse ? static_cast<int64_t>(a.h) * a.cu_seqlens_q[a.b]
                                                 : static_cast<int64_t>(a.b) * a.h * a.seqlen_q] = 1.0f;
            }
        }
    __syncwarp();

    T *const o = static_cast<T *>(a.o) + s.o_offset + head * a.o_strides.head + block_row * a.o_strides.row;
    constexpr int chunks = HEAD_DIM / 8, warp_rows = 16 * row_tiles;
#pragma unroll
    for (int i = lane; i < warp_rows * chunks; i += 32) {
        const int row = warp_row + i / chunks, first_lane = 8 * (i % chunks);
        if (row < rows_there && first_lane < a.head_dim) {
            uint4 piece = *reinterpret_cast<const uint4 *>(q_tile + row * pitch + first_lane);
            T *const to = o + row * a.o_strides.row + first_lane;
            if (plant_in_output(a, s, batch, head, block_row + row, first_lane, to, piece))
                *reinterpret_cast<uint4 *>(to) = piece;
        }
    }
}

} /* namespace specimen */
