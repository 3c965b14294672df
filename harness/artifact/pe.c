#include "artifact/pe.h"

#include "artifact/reader.h"

#include <stdlib.h>

enum { FILE_HEADER_SIZE = 20, SECTION_SIZE = 40 };
enum { SECTIONS_MAX = 1024 }; /* Windows itself loads 96 at most; every address is looked up among them */
enum { MAGIC_PE32 = 0x10b, MAGIC_PE32_PLUS = 0x20b, FILE_IS_DLL = 0x2000 };

static int headers_read(struct pe_file *pe, struct reader *reader, uint64_t start, struct error *err)
{
	const uint64_t optional = start + 4 + FILE_HEADER_SIZE;
	const unsigned section_count = read_u16(reader, start + 6);
	const unsigned optional_size = read_u16(reader, start + 20);
	pe->machine = read_u16(reader, start + 4);
	pe->characteristics = read_u16(reader, start + 22);
	pe->is_dll = (pe->characteristics & FILE_IS_DLL) != 0;
	const unsigned magic = read_u16(reader, optional);
	pe->is_64bit = magic == MAGIC_PE32_PLUS;
	if (reader->failed || (magic != MAGIC_PE32 && magic != MAGIC_PE32_PLUS))
		return error_set(err, ERROR_INPUT, "PE header: is cut off or of a form that is not known (0x%x)", magic);
	pe->linker_major = read_u8(reader, optional + 2);
	pe->linker_minor = read_u8(reader, optional + 3);
	pe->image_base = pe->is_64bit ? read_u64(reader, optional + 24) : read_u32(reader, optional + 28);
	pe->headers_size = read_u32(reader, optional + 60);
	pe->dll_characteristics = read_u16(reader, optional + 70);
	const unsigned counted = pe->is_64bit ? 108 : 92; /* NumberOfRvaAndSizes; the directories follow */
	const uint32_t directories = read_u32(reader, optional + counted);
	for (uint32_t i = 0; i < directories && i < PE_DIRECTORIES && counted + 4 + i * 8 + 8 <= optional_size; i++) {
		pe->directories[i].address = read_u32(reader, optional + counted + 4 + i * 8);
		pe->directories[i].size = read_u32(reader, optional + counted + 4 + i * 8 + 4);
	}
	if (reader->failed || !range_within(optional + optional_size, (uint64_t)section_count * SECTION_SIZE, reader->size))
		return error_set(err, ERROR_INPUT, "PE header: its tables lie outside the file of 0x%zx; the file is cut off or damaged",
				 reader->size);
	if (section_count > SECTIONS_MAX)
		return error_set(err, ERROR_INPUT, "PE header: claims %u sections; Windows loads no such file", section_count);
	pe->sections = calloc(section_count ? section_count : 1, sizeof *pe->sections);
	if (!pe->sections)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	pe->section_count = section_count;
	/* GNU ld keeps long section names in a string table after the symbols, as objects have one */
	const uint64_t symbols = read_u32(reader, start + 12), symbol_count = read_u32(reader, start + 16);
	const uint64_t strings = symbols + symbol_count * 18;
	const uint32_t strings_size = symbols && range_within(strings, 4, reader->size) ? read_u32(reader, strings) : 0;
	const unsigned char *names = strings_size >= 4 && range_within(strings, strings_size, reader->size) ? reader->data + strings : NULL;
	return coff_sections_read(reader->data, reader->size, optional + optional_size, section_count, names, names ? strings_size : 0,
				  pe->sections, err);
}

int pe_open(const void *bytes, size_t size, struct pe_file *pe, struct error *err)
{
	struct reader reader = reader_of(bytes, size);
	*pe = (struct pe_file){.bytes = bytes, .size = reader.size};
	const uint32_t start = read_u32(&reader, 60);
	const unsigned char *signature = read_bytes(&reader, start, 4);
	if (reader.failed || memcmp(reader.data, "MZ", 2) != 0)
		return error_set(err, ERROR_INPUT, "is no Windows image: its DOS header leads nowhere; it is cut off or damaged");
	if (memcmp(signature, "PE\0\0", 4) != 0)
		return error_set(err, ERROR_INPUT, "is a DOS program, not a Windows image");
	if (headers_read(pe, &reader, start, err)) {
		pe_close(pe);
		return -1;
	}
	return 0;
}

void pe_close(struct pe_file *pe)
{
	free(pe->sections);
	*pe = (struct pe_file){0};
}

const struct coff_section *pe_section_of(const struct pe_file *pe, uint32_t address)
{
	for (size_t i = 0; i < pe->section_count; i++) {
		const struct coff_section *section = &pe->sections[i];
		const uint64_t extent = section->virtual_size ? section->virtual_size : section->size;
		if (address >= section->virtual_address && address - section->virtual_address < extent)
			return section;
	}
	return NULL;
}

const unsigned char *pe_at(const struct pe_file *pe, uint32_t address, size_t *available)
{
	if (address < pe->headers_size && address < pe->size) {
		*available = (pe->headers_size < pe->size ? pe->headers_size : pe->size) - address;
		return pe->bytes + address;
	}
	const struct coff_section *section = pe_section_of(pe, address);
	if (!section || !section->data)
		return NULL;
	const uint64_t skip = address - section->virtual_address;
	if (skip >= section->size)
		return NULL;
	*available = (size_t)(section->size - skip);
	return section->data + skip;
}

const char *pe_text(const struct pe_file *pe, uint32_t address)
{
	size_t available = 0;
	const unsigned char *at = pe_at(pe, address, &available);
	struct reader reader = reader_of(at, available);
	return at ? read_text(&reader, 0) : NULL;
}

static struct reader reader_at(const struct pe_file *pe, uint32_t address)
{
	size_t available = 0;
	const unsigned char *at = pe_at(pe, address, &available);
	return reader_of(at, available);
}

/* The table of one DLL: entries of 8 bytes (PE32: 4), 0 ends it, the top bit means a number instead of a name. `budget` is
 * what the whole file may list: tables that share their bytes must not multiply. */
static int imports_of_dll(const struct pe_file *pe, struct pe_import *import, uint32_t table, size_t *budget,
			  int (*each)(void *, const struct pe_import *), void *context)
{
	struct reader reader = reader_at(pe, table);
	const unsigned width = pe->is_64bit ? 8 : 4;
	import->first = 1;
	for (uint64_t i = 0; *budget; i++) {
		const uint64_t entry = pe->is_64bit ? read_u64(&reader, i * width) : read_u32(&reader, i * width);
		if (reader.failed || entry == 0)
			break;
		--*budget;
		const int by_number = (int)(entry >> (width * 8 - 1));
		/* two bytes of hint stand before the name */
		import->function = by_number || entry > UINT32_MAX - 2 ? NULL : pe_text(pe, (uint32_t)entry + 2);
		if (each(context, import))
			return -1;
		import->first = 0;
	}
	import->function = NULL;
	return import->first ? each(context, import) : 0;
}

int pe_imports(const struct pe_file *pe, int (*each)(void *context, const struct pe_import *import), void *context)
{
	static const struct {
		int directory;
		unsigned size, names, name; /* of a descriptor: bytes, offset of the table of names, offset of the DLL's name */
	} forms[] = {{PE_IMPORTS, 20, 0, 12}, {PE_DELAY_IMPORTS, 32, 16, 4}};
	size_t budget = pe->size / 4;
	for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
		const uint32_t start = pe->directories[forms[f].directory].address;
		if (!start)
			continue;
		struct reader reader = reader_at(pe, start);
		for (uint64_t at = 0; budget; at += forms[f].size, budget--) {
			const uint32_t name = read_u32(&reader, at + forms[f].name);
			uint32_t table = read_u32(&reader, at + forms[f].names);
			if (f == 0 && !table)
				table = read_u32(&reader, at + 16); /* bound or made by an old linker */
			if (reader.failed || !name)
				break;
			struct pe_import import = {.dll = pe_text(pe, name), .delayed = f == 1};
			if (!import.dll)
				break;
			if (imports_of_dll(pe, &import, table, &budget, each, context))
				return -1;
			if (!budget)
				break;
		}
	}
	return 0;
}

int pe_exports(const struct pe_file *pe, int (*each)(void *context, const struct pe_export *export), void *context)
{
	const struct pe_directory *directory = &pe->directories[PE_EXPORTS];
	if (!directory->address)
		return 0;
	struct reader table = reader_at(pe, directory->address);
	const uint32_t functions = read_u32(&table, 20), names = read_u32(&table, 24);
	struct reader addresses = reader_at(pe, read_u32(&table, 28)), pointers = reader_at(pe, read_u32(&table, 32)),
		      ordinals = reader_at(pe, read_u32(&table, 36));
	if (table.failed)
		return 0;
	for (uint64_t i = 0; i < names; i++) {
		struct pe_export export = {.name = pe_text(pe, read_u32(&pointers, i * 4))};
		const unsigned ordinal = read_u16(&ordinals, i * 2);
		if (pointers.failed || ordinals.failed)
			break;
		if (!export.name || ordinal >= functions)
			continue;
		const uint32_t address = read_u32(&addresses, (uint64_t)ordinal * 4);
		if (addresses.failed)
			break;
		if (address - directory->address < directory->size) {
			export.forwarded = pe_text(pe, address);
			export.function = 1;
		} else {
			const struct coff_section *section = pe_section_of(pe, address);
			export.function = section && (section->characteristics & COFF_SECTION_CODE);
		}
		if (each(context, &export))
			return -1;
	}
	return 0;
}

const char *pe_own_name(const struct pe_file *pe)
{
	if (!pe->directories[PE_EXPORTS].address)
		return NULL;
	struct reader table = reader_at(pe, pe->directories[PE_EXPORTS].address);
	const uint32_t name = read_u32(&table, 12);
	return name ? pe_text(pe, name) : NULL;
}

const char *pe_debug_path(const struct pe_file *pe)
{
	enum { ENTRY_SIZE = 28, TYPE_CODEVIEW = 2, ENTRIES_MAX = 64, PATH = 24 };
	const struct pe_directory *directory = &pe->directories[PE_DEBUG];
	if (!directory->address)
		return NULL;
	struct reader entries = reader_at(pe, directory->address), file = reader_of(pe->bytes, pe->size);
	for (uint64_t i = 0; i < ENTRIES_MAX && (i + 1) * ENTRY_SIZE <= directory->size; i++) {
		const uint32_t type = read_u32(&entries, i * ENTRY_SIZE + 12), offset = read_u32(&entries, i * ENTRY_SIZE + 24);
		if (entries.failed)
			break;
		const unsigned char *record = type == TYPE_CODEVIEW ? read_bytes(&file, offset, 4) : NULL;
		if (record && memcmp(record, "RSDS", 4) == 0)
			return read_text(&file, (uint64_t)offset + PATH);
	}
	return NULL;
}
