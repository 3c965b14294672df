/* Stands for the host code of an archive. Compiled by test_plugin at run time, without this project's flags, in several
 * forms (-D). It registers a fatbin as nvcc's constructors do, launches a kernel, and needs symbols that nobody has. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
	unsigned x, y, z;
} dim3;

extern void **__cudaRegisterFatBinary(void *wrapper);
extern void __cudaRegisterFatBinaryEnd(void **handle);
extern void __cudaUnregisterFatBinary(void **handle);
extern void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int thread_limit,
				   void *tid, void *bid, void *block, void *grid, int *warp_size);
extern unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream);
extern int __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream);
extern int cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared, void *stream);

/* one raw PTX entry for compute_80: container header, 64 bytes of entry header, text */
static const struct {
	uint32_t magic;
	uint16_t version, header_size;
	uint64_t size;
	uint16_t kind, unknown;
	uint32_t entry_header_size;
	uint64_t payload_size;
	uint32_t compressed_size, options;
	uint16_t minor, major;
	uint32_t arch, identifier, identifier_length;
	uint64_t flags, zero, decompressed_size;
	char text[32];
} container = {
	.magic = 0xba55ed50, .version = 1, .header_size = 16, .size = 64 + 32,
	.kind = 1, .unknown = 0x0101, .entry_header_size = 64, .payload_size = 32, .minor = 0, .major = 7, .arch = 80,
	.flags = 0x11, .text = "fixture PTX",
};

static struct {
	uint32_t magic, version;
	const void *container;
	void *filename;
} wrapper = {0x466243b1, 1, &container, NULL};

static void **handle;

static void unregister(void)
{
	__cudaUnregisterFatBinary(handle);
}

static void kernel_stub(float *out, int count)
{
	void *arguments[] = {&out, &count}, *stream;
	dim3 grid, block;
	size_t shared;
	if (__cudaPopCallConfiguration(&grid, &block, &shared, &stream) != 0)
		return;
	cudaLaunchKernel((const void *)kernel_stub, grid, block, arguments, shared, stream);
}

__attribute__((constructor)) static void register_all(void)
{
	handle = __cudaRegisterFatBinary(&wrapper);
	__cudaRegisterFunction(handle, (const char *)kernel_stub, NULL, "fixture_kernel", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterFatBinaryEnd(handle);
	atexit(unregister);
}

#ifdef WITH_RDC
extern void __cudaRegisterLinkedBinary_1234_5_a_cu(void *);
void uses_rdc(void)
{
	__cudaRegisterLinkedBinary_1234_5_a_cu(NULL);
}
#endif

#ifdef WITH_HOSTILE_NAME
extern void hostile(void) __asm__("\"a b\"");
void uses_hostile(void)
{
	hostile();
}
#endif

#ifdef WITH_MISSING
extern long run_mha_fwd_for_96(int head_dim);
extern int cudaGraphCreate(void **graph, unsigned flags);
__attribute__((visibility("hidden"))) extern long hidden_helper(void);
#endif

#ifdef ENTRY_HIDDEN
__attribute__((visibility("hidden")))
#endif
#ifndef ENTRY
#define ENTRY run_mha
#endif
long ENTRY(int head_dim)
{
#ifdef WITH_MISSING
	void *graph;
	if (head_dim == 96)
		return run_mha_fwd_for_96(head_dim);
	if (head_dim == 97)
		return cudaGraphCreate(&graph, 0);
	if (head_dim == 98)
		return hidden_helper();
#endif
	if (head_dim == 99)
		fprintf(stderr, "head_dim 99\n");
	if (__cudaPushCallConfiguration((dim3){(unsigned)head_dim, 1, 2}, (dim3){128, 1, 1}, 49152, NULL) == 0)
		kernel_stub(NULL, head_dim);
	return 0;
}
