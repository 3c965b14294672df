/* Header, sections and symbols of a 64-bit little-endian ELF file, whether for the CPU or the GPU. libelf reads the
 * headers; contents are reached through checked views of the bytes. Pointers point into the bytes given. */
#ifndef ASSAY_ARTIFACT_ELF_FILE_H
#define ASSAY_ARTIFACT_ELF_FILE_H

#include "core/error.h"

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct elf_section {
	const char *name;          /* "" when it has none */
	uint32_t type, link, info;
	uint64_t flags, offset, size, entry_size;
	const unsigned char *data; /* NULL for SHT_NOBITS, SHT_NULL and the GPU's own kinds of the former */
	uint32_t extended;         /* of a symbol table: index of its SHT_SYMTAB_SHNDX section, or 0 */
};

struct elf_file {
	unsigned machine, type, os_abi, abi_version;
	uint32_t version, flags;
	struct elf_section *sections; /* owned; [0] is the null section */
	size_t section_count;
	size_t extent;                /* bytes of the file that its headers and sections use */
};

struct elf_symbol {
	const char *name;
	unsigned char bind, type, visibility, other;
	int defined;
	uint32_t section; /* index of the section it lies in; 0 when undefined, absolute or common */
	uint64_t value, size;
};

/* ERROR_INPUT when it is not such a file or a section lies outside the bytes. */
int elf_file_open(const void *bytes, size_t size, struct elf_file *elf, struct error *err);
void elf_file_close(struct elf_file *elf);

const struct elf_section *elf_file_section(const struct elf_file *elf, const char *name); /* the first, or NULL */
const struct elf_section *elf_file_section_of_type(const struct elf_file *elf, uint32_t type);

/* Symbols of a SHT_SYMTAB or SHT_DYNSYM section: `elf_symbol_count` of them, [0] is the null symbol. Reading one fails
 * (-1) when it is out of range or its name runs out of the string table. */
size_t elf_symbol_count(const struct elf_section *table);
int elf_symbol_read(const struct elf_file *elf, const struct elf_section *table, size_t index, struct elf_symbol *symbol);

#endif
