#include "artifact/elf_file.h"

#include "artifact/reader.h"

#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>

/* Relocatable cubins have types of their own for .nv.global, .nv.local and .nv.shared, which take no room in the file:
 * nvcc 13.0 -rdc=true writes the next section at the same offset. */
static int takes_no_room(const struct elf_file *elf, uint32_t type)
{
	enum { MACHINE_CUDA = 190, CUDA_GLOBAL = 0x70000007, CUDA_LOCAL = 0x70000009, CUDA_SHARED = 0x7000000a };
	return type == SHT_NULL || type == SHT_NOBITS ||
	       (elf->machine == MACHINE_CUDA && (type == CUDA_GLOBAL || type == CUDA_LOCAL || type == CUDA_SHARED));
}

static int section_read(struct elf_file *elf, struct reader *reader, const GElf_Shdr *header, size_t index, struct error *err)
{
	struct elf_section *section = &elf->sections[index];
	*section = (struct elf_section){.name = "",
					.type = header->sh_type,
					.link = header->sh_link,
					.info = header->sh_info,
					.flags = header->sh_flags,
					.offset = header->sh_offset,
					.size = header->sh_size,
					.entry_size = header->sh_entsize};
	if (takes_no_room(elf, header->sh_type))
		return 0;
	section->data = read_bytes(reader, header->sh_offset, header->sh_size);
	if (!section->data)
		return error_set(err, ERROR_INPUT,
				 "ELF section %zu: lies at 0x%llx with 0x%llx bytes, outside the file of 0x%zx; the file is cut off or damaged",
				 index, (unsigned long long)header->sh_offset, (unsigned long long)header->sh_size, reader->size);
	if (elf->extent < header->sh_offset + header->sh_size)
		elf->extent = (size_t)(header->sh_offset + header->sh_size);
	return 0;
}

static int headers_read(struct elf_file *elf, Elf *handle, struct reader *reader, struct error *err)
{
	GElf_Ehdr header;
	size_t count, names_index;
	if (!handle || elf_kind(handle) != ELF_K_ELF || !gelf_getehdr(handle, &header)) {
		const int code = elf_errno();
		return error_set(err, ERROR_INPUT, "is no readable ELF file: %s", code ? elf_errmsg(code) : "it does not start like one");
	}
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return error_set(err, ERROR_UNSUPPORTED, "is an ELF file that is not 64-bit little-endian");
	elf->machine = header.e_machine;
	elf->type = header.e_type;
	elf->os_abi = header.e_ident[EI_OSABI];
	elf->abi_version = header.e_ident[EI_ABIVERSION];
	elf->version = header.e_version;
	elf->flags = header.e_flags;
	if (elf_getshdrnum(handle, &count) || elf_getshdrstrndx(handle, &names_index))
		return error_set(err, ERROR_INPUT, "has a damaged ELF section table: %s", elf_errmsg(-1));
	if (count == 0)
		return error_set(err, ERROR_INPUT, "is an ELF file without sections; it was cut off or stripped of them");
	if (!range_within(header.e_shoff, (uint64_t)count * sizeof(Elf64_Shdr), reader->size))
		return error_set(err, ERROR_INPUT, "has an ELF section table outside the file; the file is cut off or damaged");
	elf->extent = (size_t)header.e_shoff + count * sizeof(Elf64_Shdr);
	if (header.e_phnum && range_within(header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr), reader->size) &&
	    elf->extent < header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr))
		elf->extent = (size_t)header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr);
	elf->sections = calloc(count, sizeof *elf->sections);
	if (!elf->sections)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	elf->section_count = count;
	elf->sections[0].name = "";
	uint32_t *name_offsets = calloc(count, sizeof *name_offsets);
	if (!name_offsets)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	int result = -1;
	for (size_t i = 1; i < count; i++) {
		GElf_Shdr section;
		Elf_Scn *scn = elf_getscn(handle, i);
		if (!scn || !gelf_getshdr(scn, &section)) {
			error_set(err, ERROR_INPUT, "ELF section %zu: %s", i, elf_errmsg(-1));
			goto done;
		}
		name_offsets[i] = section.sh_name;
		if (section_read(elf, reader, &section, i, err))
			goto done;
	}
	for (size_t i = 1; i < count; i++)
		if (elf->sections[i].type == SHT_SYMTAB_SHNDX && elf->sections[i].link < count)
			elf->sections[elf->sections[i].link].extended = (uint32_t)i;
	if (names_index < count) {
		struct reader names = reader_of(elf->sections[names_index].data, elf->sections[names_index].size);
		for (size_t i = 1; i < count; i++) {
			const char *name = read_text(&names, name_offsets[i]);
			elf->sections[i].name = name ? name : "";
		}
	}
	result = 0;
done:
	free(name_offsets);
	return result;
}

int elf_file_open(const void *bytes, size_t size, struct elf_file *elf, struct error *err)
{
	struct reader reader = reader_of(bytes, size);
	*elf = (struct elf_file){0};
	if (elf_version(EV_CURRENT) == EV_NONE)
		return error_set(err, ERROR_INTERNAL, "libelf: %s", elf_errmsg(-1));
	if (size < sizeof(Elf64_Ehdr))
		return error_set(err, ERROR_INPUT, "is too short for an ELF file: %zu bytes", size);
	/* opened for reading, libelf does not write to the image, whatever its prototype says */
	Elf *handle = elf_memory((char *)(uintptr_t)bytes, size);
	const int result = headers_read(elf, handle, &reader, err);
	elf_end(handle);
	if (result)
		elf_file_close(elf);
	return result;
}

void elf_file_close(struct elf_file *elf)
{
	free(elf->sections);
	*elf = (struct elf_file){0};
}

const struct elf_section *elf_file_section(const struct elf_file *elf, const char *name)
{
	for (size_t i = 1; i < elf->section_count; i++)
		if (strcmp(elf->sections[i].name, name) == 0)
			return &elf->sections[i];
	return NULL;
}

const struct elf_section *elf_file_section_of_type(const struct elf_file *elf, uint32_t type)
{
	for (size_t i = 1; i < elf->section_count; i++)
		if (elf->sections[i].type == type)
			return &elf->sections[i];
	return NULL;
}

size_t elf_symbol_count(const struct elf_section *table)
{
	return table->data ? (size_t)table->size / sizeof(Elf64_Sym) : 0;
}

/* Index of the section for a symbol whose 16 bits do not hold it. */
static uint32_t extended_index(const struct elf_file *elf, const struct elf_section *table, size_t index)
{
	const struct elf_section *indexes = &elf->sections[table->extended];
	struct reader reader = reader_of(indexes->data, indexes->size);
	return read_u32(&reader, (uint64_t)index * 4);
}

int elf_symbol_read(const struct elf_file *elf, const struct elf_section *table, size_t index, struct elf_symbol *symbol)
{
	struct reader reader = reader_of(table->data, table->size);
	const uint64_t at = (uint64_t)index * sizeof(Elf64_Sym);
	const uint32_t name = read_u32(&reader, at);
	const unsigned info = read_u8(&reader, at + 4), other = read_u8(&reader, at + 5);
	const unsigned section = read_u16(&reader, at + 6);
	const uint64_t value = read_u64(&reader, at + 8), size = read_u64(&reader, at + 16);
	if (reader.failed || table->link >= elf->section_count)
		return -1;
	struct reader names = reader_of(elf->sections[table->link].data, elf->sections[table->link].size);
	const char *text = name ? read_text(&names, name) : "";
	if (!text)
		return -1;
	*symbol = (struct elf_symbol){.name = text,
				      .bind = (unsigned char)(info >> 4),
				      .type = (unsigned char)(info & 15),
				      .visibility = (unsigned char)(other & 3),
				      .other = (unsigned char)other,
				      .defined = section != SHN_UNDEF,
				      .value = value,
				      .size = size};
	if (section == SHN_XINDEX)
		symbol->section = extended_index(elf, table, index);
	else if (section < SHN_LORESERVE)
		symbol->section = section;
	if (symbol->section >= elf->section_count)
		symbol->section = 0;
	return 0;
}
