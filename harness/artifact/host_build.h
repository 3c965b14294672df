/* What the readers of ELF, COFF and PE share while they fill in a host_object. For harness/artifact/host_*.c only. */
#ifndef ASSAY_ARTIFACT_HOST_BUILD_H
#define ASSAY_ARTIFACT_HOST_BUILD_H

#include "artifact/host_object.h"

/* One reader a format; the object is zeroed before, and freed by the caller where a reader fails. */
int host_elf_read(const void *bytes, size_t size, struct host_object *object, struct error *err);
int host_coff_read(const void *bytes, size_t size, struct host_object *object, struct error *err);
int host_import_read(const void *bytes, size_t size, struct host_object *object, struct error *err);
int host_pe_read(const void *bytes, size_t size, struct host_object *object, struct error *err);

/* Names of symbols may share their bytes, and a hostile file lets all of them share one endless name, which costs whoever sorts
 * them dearly: they may come to eight times the file, and no more. ERROR_INPUT when `left` is used up. */
static inline uint64_t host_names_limit(size_t file_size)
{
	return (uint64_t)file_size * 8 + 65536;
}
int host_take_name(uint64_t *left, const char *name, struct error *err);

/* Counts an undefined symbol under its origin and draws what follows from its name. */
void host_note_undefined(struct host_object *object, const struct host_symbol *symbol);
/* Adds a section of device code; one of no bytes is left out. */
int host_add_fatbin(struct host_object *object, struct host_section section, struct error *err);
/* Adds a library that a linked file loads, and sees whether it is the CUDA runtime. */
int host_add_library(struct host_object *object, const char *name, struct error *err);

/* By the name as it stands in a COFF file, after "__imp_". */
enum symbol_origin symbol_origin_coff(const char *name);
/* By the DLL that a PE file imports from; ORIGIN_COUNT when the DLL does not tell. */
enum symbol_origin symbol_origin_dll(const char *dll);
/* The text of a .drectve section: options for link.exe, divided by blanks. Notes what is said about the C runtime. */
void msvc_note_directives(struct msvc_facts *facts, const char *text, size_t size);
/* The same by the name of an imported DLL. */
void msvc_note_dll(struct msvc_facts *facts, const char *dll);

#endif
