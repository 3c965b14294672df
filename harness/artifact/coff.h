/* COFF objects for Windows: header, sections, symbols and relocations, ordinary and /bigobj, and the section table that PE
 * images share. Microsoft PE and COFF specification, "COFF File Header", "Section Table", "COFF Symbol Table"; layout of
 * bigobj: ANON_OBJECT_HEADER_BIGOBJ of winnt.h. Pointers point into the bytes given. */
#ifndef ASSAY_ARTIFACT_COFF_H
#define ASSAY_ARTIFACT_COFF_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum { COFF_SECTION_NAME_MAX = 8 };

/* Characteristics of a section. */
#define COFF_SECTION_CODE 0x20u
#define COFF_SECTION_UNINITIALIZED 0x80u
#define COFF_SECTION_INFO 0x200u
#define COFF_SECTION_REMOVE 0x800u
#define COFF_SECTION_COMDAT 0x1000u
#define COFF_SECTION_RELOCATIONS_OVERFLOW 0x01000000u

struct coff_section {
	const char *name;           /* of the string table; NULL: short_name has it */
	char short_name[COFF_SECTION_NAME_MAX + 1];
	uint32_t virtual_size, virtual_address; /* of PE images */
	uint32_t characteristics;
	uint64_t offset, size;      /* in the file; size 0 where it has no bytes there */
	const unsigned char *data;  /* NULL where it has no bytes in the file */
	uint64_t relocations;       /* offset of the first; those of the overflow form follow their count */
	uint64_t relocation_count;  /* as many as lie within the file, or the table is refused */
	unsigned char selection;    /* of a COMDAT section, 1: must not occur twice, 2...: may (IMAGE_COMDAT_SELECT_*) ; 0: none */
};

struct coff_file {
	const unsigned char *bytes;
	size_t size;
	unsigned machine;
	int bigobj;
	struct coff_section *sections; /* owned; number N of a symbol is sections[N - 1] */
	size_t section_count;
	uint64_t symbols;           /* offset of the table; 0: none */
	uint64_t symbol_count;      /* auxiliary records included */
	unsigned symbol_size;       /* 18, or 20 of bigobj */
	const unsigned char *strings;
	size_t strings_size;        /* 0: none */
};

/* Storage classes that matter here. */
enum { COFF_CLASS_EXTERNAL = 2, COFF_CLASS_STATIC = 3, COFF_CLASS_WEAK_EXTERNAL = 105 };

struct coff_symbol {
	const char *name;           /* of the string table; NULL: short_name has it */
	char short_name[COFF_SECTION_NAME_MAX + 1];
	uint32_t value;
	int32_t section;            /* 0 undefined or common, -1 absolute, -2 debugging */
	unsigned type, storage_class, auxiliary;
};

/* ERROR_INPUT when header, sections or symbols do not lie within the bytes. */
int coff_open(const void *bytes, size_t size, struct coff_file *coff, struct error *err);
void coff_close(struct coff_file *coff);

/* Reads the symbol at `index`; the next one is at index + 1 + auxiliary. -1 when it is out of range or its name lies
 * outside the string table. */
int coff_symbol_read(const struct coff_file *coff, uint64_t index, struct coff_symbol *symbol);

/* Reads `count` section headers at `offset`, into zeroed memory. `strings` (or NULL) resolves "/123" and "//base64".
 * Shared with PE images. */
int coff_sections_read(const void *bytes, size_t size, uint64_t offset, size_t count, const unsigned char *strings,
		       size_t strings_size, struct coff_section *sections, struct error *err);

static inline const char *coff_section_name(const struct coff_section *section)
{
	return section->name ? section->name : section->short_name;
}

static inline const char *coff_symbol_name(const struct coff_symbol *symbol)
{
	return symbol->name ? symbol->name : symbol->short_name;
}

/* A short import member of an import library: which symbol of which DLL. */
struct coff_import {
	unsigned machine;
	const char *symbol, *dll;
	int is_data; /* defines only __imp_symbol, not a thunk of that name */
};
int coff_import_read(const void *bytes, size_t size, struct coff_import *import, struct error *err);

#endif
