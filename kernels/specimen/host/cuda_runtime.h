/*
 * The few declarations of the CUDA runtime that the specimen's host code needs, for machines without the toolkit. Names,
 * types and values: CUDA Runtime API reference. Included instead of the real header by way of the include path.
 */
#pragma once

#include <stddef.h>

typedef struct CUstream_st *cudaStream_t;
typedef int cudaError_t;

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

enum { cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaStreamNonBlocking = 1 };

/* what nvcc --default-stream per-thread makes of it */
#ifdef SPECIMEN_PER_THREAD_STREAM
#define cudaLaunchKernel cudaLaunchKernel_ptsz
#endif

extern "C" {
cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared_bytes,
                             cudaStream_t stream);
cudaError_t cudaFuncSetAttribute(const void *function, int attribute, int value);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaIpcCloseMemHandle(void *pointer);
cudaError_t cudaGetLastError(void);
cudaError_t cudaMallocAsync(void **pointer, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *pointer, cudaStream_t stream);

/* crt/host_runtime.h: what the code that nvcc adds to a translation unit calls */
void **__cudaRegisterFatBinary(void *wrapper);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
void __cudaRegisterFunction(void **handle, const char *host_function, char *device_function, const char *device_name,
                            int thread_limit, void *thread_index, void *block_index, dim3 *block, dim3 *grid, int *warp_size);
}
