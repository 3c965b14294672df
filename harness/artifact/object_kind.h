/* What a run of bytes is, by its first bytes. */
#ifndef ASSAY_ARTIFACT_OBJECT_KIND_H
#define ASSAY_ARTIFACT_OBJECT_KIND_H

#include <stddef.h>

enum object_kind {
	OBJECT_UNKNOWN = 0,
	OBJECT_EMPTY,
	OBJECT_ELF_RELOCATABLE,
	OBJECT_ELF_SHARED,     /* shared object or position-independent executable */
	OBJECT_ELF_EXECUTABLE,
	OBJECT_ELF_OTHER,      /* 32-bit, big-endian, core files ... */
	OBJECT_CUBIN,          /* ELF for the GPU */
	OBJECT_COFF,
	OBJECT_COFF_BIGOBJ,
	OBJECT_COFF_IMPORT,    /* short import member of an import library */
	OBJECT_COFF_LTCG,      /* cl.exe /GL: compiler-internal code */
	OBJECT_PE,
	OBJECT_MACHO,
	OBJECT_LLVM_BITCODE,
	OBJECT_RUST_METADATA,  /* lib.rmeta of a Rust library where it is no object of its own */
	OBJECT_ARCHIVE,
	OBJECT_ARCHIVE_THIN,
	OBJECT_FATBIN,
	OBJECT_PTX,
	OBJECT_ZIP,
	OBJECT_KIND_COUNT
};

/* *machine: e_machine of ELF, Machine of COFF and PE, else 0; may be NULL. Looks at the first 4096 bytes at most. */
enum object_kind object_identify(const void *bytes, size_t size, unsigned *machine);

const char *object_kind_name(enum object_kind kind); /* "ELF relocatable object", "COFF object (bigobj)", ... */

/* What a file is by the end of its name, case aside: "libx.a", "x.dll", "libx.so.1.2" are libraries. */
enum name_class { NAME_OTHER = 0, NAME_OBJECT, NAME_LIBRARY, NAME_MODULE, NAME_PACKAGE };
enum name_class object_name_class(const char *name);

/* "x86-64", "AArch64", "i386" ...; NULL when not known. */
const char *object_machine_name(enum object_kind kind, unsigned machine);

#endif
