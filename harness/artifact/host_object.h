/* Host side of a translation unit: an ELF object, shared object or executable for the CPU. */
#ifndef ASSAY_ARTIFACT_HOST_OBJECT_H
#define ASSAY_ARTIFACT_HOST_OBJECT_H

#include "core/error.h"

#include <stddef.h>

/* Where an undefined symbol is to come from, judged by its name. */
enum symbol_origin {
	ORIGIN_OTHER = 0,     /* another member, or a library this program knows nothing of */
	ORIGIN_CUDA_RUNTIME,  /* cuda*, __cuda* */
	ORIGIN_CUDA_DRIVER,   /* cu[A-Z]* */
	ORIGIN_CUDA_LIBRARY,  /* cublas*, cudnn*, curand*, nvrtc* ... */
	ORIGIN_CXX_RUNTIME,   /* libstdc++, libgcc: _ZSt*, _ZNSt*, __cxa_*, operator new, _Unwind_*, __gxx_personality_v0 */
	ORIGIN_C_LIBRARY,     /* a table of what CUDA objects use of libc, libm and the dynamic linker */
	ORIGIN_COUNT
};
const char *symbol_origin_name(enum symbol_origin origin);
enum symbol_origin symbol_origin(const char *name);

struct host_symbol {
	const char *name;     /* points into the object's bytes */
	enum symbol_origin origin; /* meaningful for undefined ones */
	unsigned char defined, function, weak, hidden;
};

struct host_section {
	const unsigned char *data;
	size_t size, offset;
	int relocatable; /* __nv_relfatbin: device code that nvlink has yet to link */
};

enum position_independence { PIC_UNKNOWN = 0, PIC_YES, PIC_NO };

struct host_object {
	struct host_symbol *symbols; /* global and weak ones, in the order of the file; owned */
	int symbol_count;
	struct host_section *fatbins; /* .nv_fatbin and __nv_relfatbin; owned */
	int fatbin_count;
	size_t wrapper_count;         /* entries of .nvFatBinSegment */
	enum position_independence pic;
	char pic_evidence[112];        /* "R_X86_64_32 against symbol stdout in .text" */
	int per_thread_stream;        /* number of undefined _ptsz and _ptds symbols */
	int legacy_stream;            /* number of undefined runtime symbols that have a _ptsz or _ptds form but were called plainly */
	unsigned origins[ORIGIN_COUNT]; /* undefined symbols by origin */
	int cuda_major_min, cuda_major_max; /* majors of the runtime that the undefined symbols allow; 0: nothing tells */
	const char *cuda_min_symbol, *cuda_max_symbol; /* the names that say so */
	const char *runtime_library;  /* "libcudart.so.13", of a linked file that names it; NULL otherwise */
	int needs_device_link;        /* __cudaRegisterLinkedBinary_* undefined, or a relocatable fatbin */
};

/* ERROR_INPUT when the bytes are not a well-formed 64-bit little-endian ELF file for a CPU. */
int host_object_parse(const void *bytes, size_t size, struct host_object *object, struct error *err);
void host_object_free(struct host_object *object);

/* The symbol that is defined (or, with `defined` 0, undefined) under this name, or NULL. */
const struct host_symbol *host_object_find(const struct host_object *object, const char *name, int defined);

#endif
