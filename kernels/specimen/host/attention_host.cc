/*
 * Host code of one head dim bucket of the specimen without nvcc: it registers and launches the kernels of a fat binary
 * that holds PTX made earlier (../prebuilt). Does what attention.cu does when nvcc compiles it.
 *
 * -DSPECIMEN_HEAD_DIM=N  -DSPECIMEN_FATBIN="file"  and for a twin -DSPECIMEN_FAULT=id -DSPECIMEN_TWIN (entry point included)
 */
#include <cuda_runtime.h>

struct __half;         /* only their names are needed here, to tell the kernels apart */
struct __nv_bfloat16;

#include "../launch.h"

#define SPECIMEN_JOIN_(a, b) a##b
#define SPECIMEN_JOIN(a, b) SPECIMEN_JOIN_(a, b)
#define SPECIMEN_TEXT_(a) #a
#define SPECIMEN_TEXT(a) SPECIMEN_TEXT_(a)

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

namespace specimen {

/* One byte stands for each kernel, as the stub function does in nvcc's code. Mangled names by the Itanium C++ ABI. */
namespace {
template <typename T, bool TRANSFORMS> struct kernel_of {
    static char stub;
};
template <typename T, bool TRANSFORMS> char kernel_of<T, TRANSFORMS>::stub;
}

/* Text around the type and the last template argument; a test gives them other names. */
#ifndef SPECIMEN_KERNEL_BEFORE
#define SPECIMEN_KERNEL_BEFORE "_ZN8specimen17attention_forwardI"
#define SPECIMEN_KERNEL_BETWEEN "Li" SPECIMEN_TEXT(SPECIMEN_HEAD_DIM) "ELb"
#endif
#define SPECIMEN_KERNEL(type, transforms) \
    SPECIMEN_KERNEL_BEFORE type SPECIMEN_KERNEL_BETWEEN transforms "EEEvNS_19attention_argumentsE"

#if SPECIMEN_FAULT == 33
static char negation_stub;
#endif

static void **registered;

static void register_kernel(void **handle, char *stub, const char *name)
{
    __cudaRegisterFunction(handle, stub, const_cast<char *>(name), name, -1, nullptr, nullptr, nullptr, nullptr, nullptr);
}

__attribute__((constructor)) static void register_kernels()
{
    registered = __cudaRegisterFatBinary(specimen_wrapper);
    register_kernel(registered, &kernel_of<__half, true>::stub, SPECIMEN_KERNEL("6__half", "1"));
    register_kernel(registered, &kernel_of<__nv_bfloat16, true>::stub, SPECIMEN_KERNEL("13__nv_bfloat16", "1"));
#if !SPECIMEN_FAULT
    register_kernel(registered, &kernel_of<__half, false>::stub, SPECIMEN_KERNEL("6__half", "0"));
    register_kernel(registered, &kernel_of<__nv_bfloat16, false>::stub, SPECIMEN_KERNEL("13__nv_bfloat16", "0"));
#endif
#if SPECIMEN_FAULT == 33
    register_kernel(registered, &negation_stub, "_ZN8specimen17negate_first_laneEPtNS_7stridesEiiiPKi");
#endif
    __cudaRegisterFatBinaryEnd(registered);
}

__attribute__((destructor)) static void unregister_kernels()
{
    __cudaUnregisterFatBinary(registered);
}

template <typename T, bool TRANSFORMS>
static void start_kernel(dim3 grid, int threads, int shared_bytes, cudaStream_t stream, const attention_arguments &arguments)
{
    attention_arguments copy = arguments;
    void *pointers[] = {&copy};
    (void)cudaLaunchKernel(&kernel_of<T, TRANSFORMS>::stub, grid, dim3(static_cast<unsigned>(threads)), pointers,
                           static_cast<size_t>(shared_bytes), stream);
}

template <typename T, bool TRANSFORMS> static void allow_shared(int bytes)
{
    (void)cudaFuncSetAttribute(&kernel_of<T, TRANSFORMS>::stub, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

#if SPECIMEN_FAULT == 33
static void start_negation(cudaStream_t stream, uint16_t *tensor, strides s, int batches, int rows, int heads,
                           const int32_t *cu_seqlens)
{
    void *pointers[] = {&tensor, &s, &batches, &rows, &heads, &cu_seqlens};
    (void)cudaLaunchKernel(&negation_stub, dim3(64), dim3(128), pointers, 0, stream);
}
#endif

void SPECIMEN_JOIN(launch_attention_, SPECIMEN_HEAD_DIM)(const attention_arguments &arguments, cudaStream_t stream)
{
    if (arguments.is_bf16)
        launch<__nv_bfloat16>(arguments, stream);
    else
        launch<__half>(arguments, stream);
}

} /* namespace specimen */

#ifdef SPECIMEN_TWIN
#include "../run_mha.cu"
#endif
