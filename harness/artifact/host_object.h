/* Host side of a translation unit or of a linked file: what ELF (objects, shared objects, executables), COFF (objects,
 * bigobj, short import members) and PE (DLLs, executables) say about the code for the CPU. */
#ifndef ASSAY_ARTIFACT_HOST_OBJECT_H
#define ASSAY_ARTIFACT_HOST_OBJECT_H

#include "artifact/object_kind.h"
#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* Where an undefined symbol is to come from, judged by its name (of PE imports: by the DLL that is to have it). */
enum symbol_origin {
	ORIGIN_OTHER = 0,     /* another member, or a library this program knows nothing of */
	ORIGIN_CUDA_RUNTIME,  /* cuda*, __cuda* */
	ORIGIN_CUDA_DRIVER,   /* cu[A-Z]* */
	ORIGIN_CUDA_LIBRARY,  /* cublas*, cudnn*, curand*, nvrtc* ... */
	ORIGIN_CXX_RUNTIME,   /* libstdc++, libgcc: _ZSt*, _ZNSt*, __cxa_*, operator new, _Unwind_*, __gxx_personality_v0 */
	ORIGIN_C_LIBRARY,     /* a table of what CUDA objects use of libc, libm and the dynamic linker */
	ORIGIN_MSVC_RUNTIME,  /* vcruntime, STL, and in COFF and PE the C library as well: host_object.msvc tells which flavour */
	ORIGIN_COUNT
};
const char *symbol_origin_name(enum symbol_origin origin);
/* By the name as it stands in an ELF file. */
enum symbol_origin symbol_origin(const char *name);

struct host_symbol {
	const char *name;     /* lives as long as the object and its bytes. COFF and PE: without a leading "__imp_" */
	enum symbol_origin origin; /* meaningful for undefined ones */
	unsigned char defined, function;
	unsigned char weak;   /* the linker may drop it for another: ELF weak, COFF weak external, COMDAT that may occur twice */
	unsigned char hidden;
	unsigned char imported; /* COFF: wanted, or defined by an import member, through a DLL's table (__imp_) */
	unsigned char common;   /* COFF: tentative definition without a section; counts as defined */
	const char *library;  /* of an undefined symbol in a linked file: who is to have it ("libcudart.so.13", "cudart64_12.dll"); else NULL */
	const char *version;  /* ELF: the version node it asks for ("GLIBC_2.34", "libcudart.so.13"); else NULL */
};

struct host_section {
	const unsigned char *data;
	size_t size, offset;
	int relocatable; /* __nv_relfatbin: device code that nvlink has yet to link */
};

enum position_independence { PIC_UNKNOWN = 0, PIC_YES, PIC_NO };

/* The C runtime that MSVC-built code is linked with: cl.exe's /MD, /MDd, /MT and /MTd. Objects of different flavours do
 * not link (LNK2038), and the debug ones may not be given away (Visual Studio licence, "Redistribution"). */
enum msvc_runtime { MSVC_RUNTIME_UNKNOWN = 0, MSVC_RUNTIME_MD, MSVC_RUNTIME_MDD, MSVC_RUNTIME_MT, MSVC_RUNTIME_MTD };
const char *msvc_runtime_name(enum msvc_runtime runtime); /* "/MD (dynamic, release)"; "unknown" */
int msvc_runtime_is_debug(enum msvc_runtime runtime);
int msvc_runtime_is_static(enum msvc_runtime runtime);

/* What .drectve (objects) or the imported DLLs (PE) say about it. */
struct msvc_facts {
	enum msvc_runtime runtime;
	char evidence[80];           /* "FAILIFMISMATCH RuntimeLibrary=MD_DynamicRelease", "imports VCRUNTIME140.dll"; "" */
	enum msvc_runtime other_runtime; /* a second flavour that the same object names; MSVC_RUNTIME_UNKNOWN: none */
	int iterator_debug_level;    /* _ITERATOR_DEBUG_LEVEL: 0, 1, 2; -1: not stated */
	unsigned msc_ver;            /* _MSC_VER as STL headers record it: 1900 for every release since 2015; 0: not stated */
	unsigned linker_version;     /* PE: 100 * major + minor of the linker, 1438; 0 */
	int has_runtime_checks;      /* wants _RTC_*: built with /RTC, which debug builds are */
	unsigned exports;            /* /EXPORT: directives */
};

struct host_object {
	enum object_kind kind;
	unsigned machine;
	struct host_symbol *symbols; /* global and weak ones, in the order of the file; owned */
	int symbol_count;
	struct host_section *fatbins; /* .nv_fatbin and __nv_relfatbin (PE: .nv_fatb, __nv_rel); owned */
	int fatbin_count;
	size_t wrapper_count;         /* entries of .nvFatBinSegment */
	enum position_independence pic;
	char pic_evidence[112];        /* "R_X86_64_32 against symbol stdout in .text" */
	int per_thread_stream;        /* number of undefined _ptsz and _ptds symbols */
	int legacy_stream;            /* number of undefined runtime symbols that have a _ptsz or _ptds form but were called plainly */
	unsigned origins[ORIGIN_COUNT]; /* undefined symbols by origin */
	int cuda_major_min, cuda_major_max; /* majors of the runtime that the undefined symbols allow; 0: nothing tells */
	const char *cuda_min_symbol, *cuda_max_symbol; /* the names that say so */
	const char *runtime_library;  /* "libcudart.so.13", "cudart64_12.dll", of a linked file that names it; NULL otherwise */
	unsigned runtime_library_major; /* 13; 0: no library named, or its name does not tell */
	int needs_device_link;        /* __cudaRegisterLinkedBinary_* undefined, or a relocatable fatbin */
	const char **libraries;       /* what a linked file loads (DT_NEEDED; imported DLLs), in its order; owned array */
	int library_count;
	const char *glibc, *glibcxx;  /* newest GLIBC_x and GLIBCXX_x node a linked ELF file asks for ("GLIBC_2.34"); NULL */
	const char *library_name;     /* its own name: DT_SONAME, or that in a DLL's export table; NULL */
	const char *debug_path;       /* path of the .pdb that a PE file names: one of the machine that built it; NULL */
	const char *gnu_lto;          /* name of a section of GCC's link-time optimisation; NULL: holds none */
	struct msvc_facts msvc;       /* COFF and PE */
	char *names;                  /* owned: names that the file does not end with NUL */
};

/* ERROR_INPUT when the bytes are not a well-formed file of such a kind: 64-bit little-endian ELF for a CPU, COFF object,
 * bigobj or import member, PE32+ (or PE32) image. */
int host_object_parse(const void *bytes, size_t size, struct host_object *object, struct error *err);
void host_object_free(struct host_object *object);

/* Whether a linker made it: a shared object, executable or Windows image. */
int host_object_is_linked(const struct host_object *object);

/* The symbol that is defined (or, with `defined` 0, undefined) under this name, or NULL. */
const struct host_symbol *host_object_find(const struct host_object *object, const char *name, int defined);

#endif
