/* Linked Windows files (DLL, executable, .pyd): headers, sections, imports, exports and the name of the debug file. Microsoft
 * PE specification, "Optional Header", "The .idata Section", "The .edata Section", "The .debug Section". PE32+ (64-bit) and
 * PE32. Pointers point into the bytes given. */
#ifndef ASSAY_ARTIFACT_PE_H
#define ASSAY_ARTIFACT_PE_H

#include "artifact/coff.h"

struct pe_directory {
	uint32_t address, size; /* relative virtual address; 0: none */
};

/* The directories that are looked at. */
enum { PE_EXPORTS = 0, PE_IMPORTS = 1, PE_DEBUG = 6, PE_DELAY_IMPORTS = 13, PE_DIRECTORIES = 16 };

struct pe_file {
	const unsigned char *bytes;
	size_t size;
	unsigned machine;
	int is_64bit, is_dll;
	unsigned characteristics;     /* of the file: 0x1 has no base relocations */
	unsigned dll_characteristics; /* 0x40: may be moved (ASLR) */
	unsigned linker_major, linker_minor;
	uint64_t image_base;
	uint32_t headers_size;
	struct coff_section *sections; /* owned */
	size_t section_count;
	struct pe_directory directories[PE_DIRECTORIES];
};

int pe_open(const void *bytes, size_t size, struct pe_file *pe, struct error *err);
void pe_close(struct pe_file *pe);

/* The bytes at a relative virtual address and how many follow within its section's part of the file; NULL: none. */
const unsigned char *pe_at(const struct pe_file *pe, uint32_t address, size_t *available);
/* A NUL-terminated text there, or NULL. */
const char *pe_text(const struct pe_file *pe, uint32_t address);
/* The section that holds an address, or NULL. */
const struct coff_section *pe_section_of(const struct pe_file *pe, uint32_t address);

/* Calls back for each import, those of delay-loaded DLLs last: `function` is NULL where the DLL exports it by number only.
 * With no import at all of a DLL, once with function NULL and `first`. Stops at what does not lie in the file. -1 when
 * `each` says so. */
struct pe_import {
	const char *dll, *function;
	int first;   /* of this DLL */
	int delayed;
};
int pe_imports(const struct pe_file *pe, int (*each)(void *context, const struct pe_import *import), void *context);

/* The same for each export that has a name. */
struct pe_export {
	const char *name;
	int function;          /* its address lies in a section of code */
	const char *forwarded; /* "OTHER.name" where another DLL has it, else NULL */
};
int pe_exports(const struct pe_file *pe, int (*each)(void *context, const struct pe_export *export), void *context);
const char *pe_own_name(const struct pe_file *pe); /* in the export table; NULL */

/* Path of the .pdb in the debug directory (CodeView record RSDS), or NULL. */
const char *pe_debug_path(const struct pe_file *pe);

#endif
