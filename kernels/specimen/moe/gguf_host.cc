/*
 * Host code of a libmoe of this project's own, without nvcc: it registers and launches the kernels of gguf_moe.cu from a fat
 * binary that holds PTX made earlier (../prebuilt/moe.zst). Arguments: candle-kernels 0.9.2 to 0.11, src/ffi.rs.
 *
 * -DSPECIMEN_FATBIN="file", and for a twin -DSPECIMEN_FAULT=number of gguf_moe.def
 */
#include <cuda_runtime.h>

#include <stdint.h>

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

/* Where nvcc puts them: containers in .nv_fatbin, their wrappers (fatbinary_section.h) in .nvFatBinSegment. */
__asm__(".pushsection .nv_fatbin, \"a\", %progbits\n"
        ".balign 8\n"
        ".local specimen_fatbin\n"
        "specimen_fatbin:\n"
        ".incbin \"" SPECIMEN_FATBIN "\"\n"
        ".balign 8\n"
        ".popsection\n"
        ".pushsection .nvFatBinSegment, \"aw\", %progbits\n"
        ".balign 8\n"
        ".local specimen_wrapper\n"
        "specimen_wrapper:\n"
        ".long 0x466243b1, 1\n"
        ".quad specimen_fatbin, 0\n"
        ".popsection\n");
extern "C" __attribute__((visibility("hidden"))) char specimen_wrapper[24] __asm__("specimen_wrapper");

namespace
{
enum kernel {
    QUANTIZE_F32, QUANTIZE_F16, QUANTIZE_BF16, VECTORS_F32, VECTORS_F16, VECTORS_BF16, DECODE, PREFILL_F16, PREFILL_BF16, MMQ_QUANTIZE, MMQ,
    KERNELS
};
const char *const names[KERNELS] = {
    "specimen_quantize_f32", "specimen_quantize_f16", "specimen_quantize_bf16", "specimen_vectors_f32", "specimen_vectors_f16",
    "specimen_vectors_bf16", "specimen_decode", "specimen_prefill_f16", "specimen_prefill_bf16", "specimen_mmq_quantize", "specimen_mmq"};
char stubs[KERNELS]; /* one byte stands for each kernel, as the stub function does in nvcc's code */
void **registered;

__attribute__((constructor)) void register_kernels()
{
    registered = __cudaRegisterFatBinary(specimen_wrapper);
    for (int i = 0; i < KERNELS; i++)
        __cudaRegisterFunction(registered, &stubs[i], const_cast<char *>(names[i]), names[i], -1, nullptr, nullptr, nullptr, nullptr,
                               nullptr);
    __cudaRegisterFatBinaryEnd(registered);
}

__attribute__((destructor)) void unregister_kernels()
{
    __cudaUnregisterFatBinary(registered);
}

/* Arguments have the types of the kernel's parameters. */
template <typename... A> void launch(kernel which, dim3 grid, dim3 block, cudaStream_t stream, A... arguments)
{
    void *addresses[] = {&arguments...};
    cudaLaunchKernel(&stubs[which], grid, block, addresses, 0, stream);
}

enum block_format { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K };

/* The entry points' own numbers of formats; -1: none. */
int format_of(int gguf_dtype)
{
#if SPECIMEN_FAULT == 40
    static const int formats[] = {Q8_0, Q4_K, Q3_K, Q2_K, Q5_K, Q6_K};
#else
    static const int formats[] = {Q8_0, Q4_K, Q2_K, Q3_K, Q5_K, Q6_K};
#endif
    return gguf_dtype >= 0 && gguf_dtype < 6 ? formats[gguf_dtype] : -1;
}

void launch_vectors(kernel which, const void *weights, const void *vy, void *dst, int k, int rows, int stride_col_y, int stride_col_dst,
                    int columns, int format, void *stream)
{
#if SPECIMEN_FAULT == 42 /* more threads than a block may have are refused, and nobody looks */
    const dim3 block(columns == 8 ? 2048 : 32);
#else
    const dim3 block(32);
#endif
    launch(which, dim3(rows, columns), block, static_cast<cudaStream_t>(stream), weights, vy, dst, k, stride_col_y, stride_col_dst, format);
}
} // namespace

extern "C" {

void moe_gemm_gguf(const float *input, const void *weights, const int32_t *sorted_token_ids, const int32_t *expert_ids,
                   const float *topk_weights, void *output, int, int topk, int size_m, int size_n, int size_k, int gguf_dtype,
                   cudaStream_t stream)
{
    const int format = format_of(gguf_dtype), padded = (size_k + 511) / 512 * 512, rows = topk_weights ? size_m : size_m / topk;
    void *blocks = nullptr;
    if (format < 0)
        return;
#if SPECIMEN_FAULT == 43 /* as if every row were of one token */
    cudaMallocAsync(&blocks, static_cast<size_t>(padded) / 32 * 36, stream);
#else
    cudaMallocAsync(&blocks, static_cast<size_t>(rows) * padded / 32 * 36, stream);
#endif
    launch(QUANTIZE_F32, dim3(padded / 32, rows), dim3(32), stream, input, blocks, size_k, padded);
    launch(DECODE, dim3(size_n, size_m), dim3(32), stream, blocks, weights, sorted_token_ids, expert_ids, topk_weights, output, topk, size_n,
           size_k, padded, format);
    cudaFreeAsync(blocks, stream);
}

void moe_gemm_gguf_prefill(const void *input, const uint8_t *weights, const int32_t *sorted_token_ids, const int32_t *expert_ids,
                           const float *topk_weights, void *output, int, int topk, int size_m, int size_n, int size_k, int input_dtype,
                           int gguf_dtype, cudaStream_t stream)
{
    const int format = format_of(gguf_dtype);
#if SPECIMEN_FAULT == 41 /* bfloat16 launches nothing */
    if (input_dtype)
        return;
#endif
    if (format >= 0)
        launch(input_dtype ? PREFILL_BF16 : PREFILL_F16, dim3(size_n, size_m), dim3(32), stream, input, weights, sorted_token_ids,
               expert_ids, topk_weights, output, topk, size_n, size_k, format);
}

#define QUANTIZE(name, which)                                                                                          \
    void launch_mmvq_gguf_quantize_q8_1_##name(const void *x, void *vy, int kx, int kx_padded, int num_rows, void *stream) \
    {                                                                                                                  \
        launch(which, dim3(kx_padded / 32, num_rows), dim3(32), static_cast<cudaStream_t>(stream), x, vy, kx, kx_padded); \
    }
QUANTIZE(f32, QUANTIZE_F32)
QUANTIZE(f16, QUANTIZE_F16)
QUANTIZE(bf16, QUANTIZE_BF16)

#define VECTORS(format, code, name, which)                                                                             \
    void launch_mmvq_gguf_##format##_##name##_plain(const void *vx, const void *vy, void *dst, int ncols_x, int nrows_x, \
                                                    int stride_col_y, int stride_col_dst, int b_size, void *stream)     \
    {                                                                                                                  \
        launch_vectors(which, vx, vy, dst, ncols_x, nrows_x, stride_col_y, stride_col_dst, b_size, code, stream);       \
    }
#define PRODUCTS(format, code)                                                                                         \
    VECTORS(format, code, f32, VECTORS_F32)                                                                            \
    VECTORS(format, code, f16, VECTORS_F16)                                                                            \
    VECTORS(format, code, bf16, VECTORS_BF16)                                                                          \
    void launch_mmq_gguf_##format(void *, const void *x, const void *y, void *dst, int64_t ncols_x, int64_t nrows_x,   \
                                  int64_t ncols_y, int64_t, int64_t, int, int, int64_t, int, void *stream)             \
    {                                                                                                                  \
        launch(MMQ, dim3(static_cast<unsigned>(nrows_x), static_cast<unsigned>(ncols_y)), dim3(32),                    \
               static_cast<cudaStream_t>(stream), x, y, dst, ncols_x, nrows_x, ncols_y, static_cast<int>(code));       \
    }
PRODUCTS(q4_0, Q4_0)
PRODUCTS(q4_1, Q4_1)
PRODUCTS(q5_0, Q5_0)
PRODUCTS(q5_1, Q5_1)
PRODUCTS(q8_0, Q8_0)
PRODUCTS(q2_k, Q2_K)
PRODUCTS(q3_k, Q3_K)
PRODUCTS(q4_k, Q4_K)
PRODUCTS(q5_k, Q5_K)
PRODUCTS(q6_k, Q6_K)

#define MMQ_BLOCKS(name, code)                                                                                         \
    void launch_mmq_quantize_q8_1_##name(const void *x, const int32_t *, void *vy, int, int64_t ne00, int64_t s01, int64_t, int64_t, \
                                         int64_t ne0, int64_t ne1, int64_t, int64_t, void *stream)                     \
    {                                                                                                                  \
        launch(MMQ_QUANTIZE, dim3(static_cast<unsigned>(ne1), static_cast<unsigned>(ne0 / 128)), dim3(128),            \
               static_cast<cudaStream_t>(stream), x, vy, code, ne00, s01, static_cast<int>(ne1));                      \
    }
MMQ_BLOCKS(D4, 0)
MMQ_BLOCKS(DS4, 1)
MMQ_BLOCKS(D2S6, 2)
}
