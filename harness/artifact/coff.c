#include "artifact/coff.h"

#include "artifact/reader.h"

#include <stdlib.h>

enum { HEADER_SIZE = 20, BIGOBJ_HEADER_SIZE = 56, SECTION_SIZE = 40, SYMBOL_SIZE = 18, BIGOBJ_SYMBOL_SIZE = 20, RELOCATION_SIZE = 10 };
/* Section numbers up to 0xfeff are for sections, later ones have a meaning of their own; bigobj counts in 31 bits. */
enum { SECTIONS_MAX = 0xfeff };

/* A NUL-terminated string of the string table, or NULL. Its first four bytes are its size. */
static const char *string_at(const unsigned char *strings, size_t size, uint64_t offset)
{
	struct reader reader = reader_of(strings, size);
	return offset >= 4 ? read_text(&reader, offset) : NULL;
}

/* "//" and six digits of base64 (A-Z a-z 0-9 + /), most significant first: offsets that seven decimals do not hold. */
static int base64_offset(const char *digits, uint64_t *offset)
{
	uint64_t value = 0;
	int count = 0;
	for (; digits[count]; count++) {
		const char c = digits[count];
		const int digit = c >= 'A' && c <= 'Z'   ? c - 'A'
				  : c >= 'a' && c <= 'z' ? c - 'a' + 26
				  : c >= '0' && c <= '9' ? c - '0' + 52
				  : c == '+'             ? 62
				  : c == '/'             ? 63
							 : -1;
		if (digit < 0)
			return -1;
		value = value << 6 | (unsigned)digit; /* at most six digits: 36 bits */
	}
	*offset = value;
	return count ? 0 : -1;
}

static int decimal_offset(const char *digits, uint64_t *offset)
{
	uint64_t value = 0;
	int count = 0;
	for (; digits[count] >= '0' && digits[count] <= '9'; count++)
		value = value * 10 + (unsigned)(digits[count] - '0'); /* at most seven digits */
	*offset = value;
	return count && !digits[count] ? 0 : -1;
}

/* Linked images keep "/4" where nobody reads the string table any more: then the short form stays. */
static void resolve_name(struct coff_section *section, const unsigned char *strings, size_t strings_size)
{
	uint64_t offset;
	if (section->short_name[0] != '/' || !strings)
		return;
	if (section->short_name[1] == '/' ? base64_offset(section->short_name + 2, &offset)
					  : decimal_offset(section->short_name + 1, &offset))
		return;
	section->name = string_at(strings, strings_size, offset);
}

int coff_sections_read(const void *bytes, size_t size, uint64_t offset, size_t count, const unsigned char *strings,
		       size_t strings_size, struct coff_section *sections, struct error *err)
{
	struct reader reader = reader_of(bytes, size);
	for (size_t i = 0; i < count; i++) {
		struct coff_section *section = &sections[i];
		const uint64_t at = offset + i * SECTION_SIZE;
		const unsigned char *name = read_bytes(&reader, at, COFF_SECTION_NAME_MAX);
		if (name)
			memcpy(section->short_name, name, COFF_SECTION_NAME_MAX);
		section->virtual_size = read_u32(&reader, at + 8);
		section->virtual_address = read_u32(&reader, at + 12);
		const uint32_t raw_size = read_u32(&reader, at + 16), raw_offset = read_u32(&reader, at + 20);
		section->relocations = read_u32(&reader, at + 24);
		section->relocation_count = read_u16(&reader, at + 32);
		section->characteristics = read_u32(&reader, at + 36);
		if (reader.failed)
			return error_set(err, ERROR_INPUT, "section %zu: its header lies outside the file; the file is cut off or damaged",
					 i + 1);
		resolve_name(section, strings, strings_size);
		if (raw_offset && raw_size && !(section->characteristics & COFF_SECTION_UNINITIALIZED)) {
			section->data = read_bytes(&reader, raw_offset, raw_size);
			if (!section->data)
				return error_set(err, ERROR_INPUT,
						 "section %zu (%.40s): lies at 0x%x with 0x%x bytes, outside the file of 0x%zx; the file is cut "
						 "off or damaged",
						 i + 1, coff_section_name(section), raw_offset, raw_size, size);
			section->offset = raw_offset;
			section->size = raw_size;
		}
		/* the true count is in the first relocation, which is none itself */
		if ((section->characteristics & COFF_SECTION_RELOCATIONS_OVERFLOW) && section->relocation_count == 0xffff) {
			section->relocation_count = read_u32(&reader, section->relocations);
			if (section->relocation_count)
				section->relocation_count--;
			section->relocations += RELOCATION_SIZE;
		}
		if (reader.failed || (section->relocation_count &&
				      !range_within(section->relocations, section->relocation_count * RELOCATION_SIZE, size)))
			return error_set(err, ERROR_INPUT, "section %zu (%.40s): its %llu relocations lie outside the file", i + 1,
					 coff_section_name(section), (unsigned long long)section->relocation_count);
	}
	return 0;
}

static int strings_find(struct coff_file *coff, struct reader *reader, struct error *err)
{
	const uint64_t at = coff->symbols + coff->symbol_count * coff->symbol_size;
	if (!coff->symbols) {
		coff->symbol_count = 0; /* without a table the number means nothing */
		return 0;
	}
	if (!range_within(coff->symbols, coff->symbol_count * coff->symbol_size, reader->size))
		return error_set(err, ERROR_INPUT,
				 "COFF symbol table: claims %llu symbols at 0x%llx of a file of 0x%zx; the file is cut off or damaged",
				 (unsigned long long)coff->symbol_count, (unsigned long long)coff->symbols, reader->size);
	if (!range_within(at, 4, reader->size)) /* no long names, no table */
		return 0;
	const uint32_t length = read_u32(reader, at);
	if (length < 4)
		return 0;
	coff->strings = read_bytes(reader, at, length);
	if (!coff->strings)
		return error_set(err, ERROR_INPUT, "COFF string table: claims %u bytes where %llu are left; the file is cut off or damaged",
				 length, (unsigned long long)(reader->size - at));
	coff->strings_size = length;
	return 0;
}

/* A symbol without a name that stands in the string table. */
static int record_read(const struct coff_file *coff, uint64_t index, struct coff_symbol *symbol)
{
	struct reader reader = reader_of(coff->bytes, coff->size);
	if (index >= coff->symbol_count)
		return -1;
	const uint64_t at = coff->symbols + index * coff->symbol_size;
	const unsigned wide = coff->bigobj ? 2 : 0; /* bytes that a longer section number moves the rest by */
	const unsigned char *name = read_bytes(&reader, at, COFF_SECTION_NAME_MAX);
	*symbol = (struct coff_symbol){.value = read_u32(&reader, at + 8),
				       .section = coff->bigobj ? (int32_t)read_u32(&reader, at + 12) : (int16_t)read_u16(&reader, at + 12),
				       .type = read_u16(&reader, at + 14 + wide),
				       .storage_class = read_u8(&reader, at + 16 + wide),
				       .auxiliary = read_u8(&reader, at + 17 + wide)};
	if (!name || reader.failed)
		return -1;
	memcpy(symbol->short_name, name, COFF_SECTION_NAME_MAX);
	return 0;
}

/* How a COMDAT section may be merged stands in the auxiliary record of the symbol that defines the section: its size is that
 * of a symbol, the selection at 14. */
static void selections_read(struct coff_file *coff)
{
	struct reader reader = reader_of(coff->bytes, coff->size);
	for (uint64_t i = 0; i < coff->symbol_count;) {
		struct coff_symbol symbol;
		if (record_read(coff, i, &symbol))
			return; /* refused by those who need it */
		if (symbol.storage_class == COFF_CLASS_STATIC && symbol.auxiliary && symbol.value == 0 && symbol.section > 0 &&
		    (size_t)symbol.section <= coff->section_count) {
			struct coff_section *section = &coff->sections[symbol.section - 1];
			if (section->characteristics & COFF_SECTION_COMDAT && !section->selection)
				section->selection = read_u8(&reader, coff->symbols + (i + 1) * coff->symbol_size + 14);
		}
		i += 1 + symbol.auxiliary;
	}
}

int coff_open(const void *bytes, size_t size, struct coff_file *coff, struct error *err)
{
	struct reader reader = reader_of(bytes, size);
	uint64_t sections, section_count;
	*coff = (struct coff_file){.bytes = bytes, .size = reader.size};
	coff->bigobj = read_u32(&reader, 0) == 0xffff0000u;
	if (coff->bigobj) {
		coff->machine = read_u16(&reader, 6);
		section_count = read_u32(&reader, 44);
		coff->symbols = read_u32(&reader, 48);
		coff->symbol_count = read_u32(&reader, 52);
		coff->symbol_size = BIGOBJ_SYMBOL_SIZE;
		sections = BIGOBJ_HEADER_SIZE;
	} else {
		coff->machine = read_u16(&reader, 0);
		section_count = read_u16(&reader, 2);
		coff->symbols = read_u32(&reader, 8);
		coff->symbol_count = read_u32(&reader, 12);
		coff->symbol_size = SYMBOL_SIZE;
		sections = HEADER_SIZE + (uint64_t)read_u16(&reader, 16);
	}
	if (reader.failed)
		return error_set(err, ERROR_INPUT, "COFF header: is cut off");
	if (!coff->bigobj && section_count > SECTIONS_MAX)
		return error_set(err, ERROR_INPUT, "COFF header: claims %llu sections, more than such a file can have",
				 (unsigned long long)section_count);
	if (!range_within(sections, section_count * SECTION_SIZE, reader.size))
		return error_set(err, ERROR_INPUT,
				 "COFF header: claims %llu sections, which do not fit in the file of 0x%zx; the file is cut off or damaged",
				 (unsigned long long)section_count, reader.size);
	if (strings_find(coff, &reader, err))
		return -1;
	coff->sections = calloc(section_count ? (size_t)section_count : 1, sizeof *coff->sections);
	if (!coff->sections)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	coff->section_count = (size_t)section_count;
	if (coff_sections_read(bytes, reader.size, sections, coff->section_count, coff->strings, coff->strings_size, coff->sections,
			       err)) {
		coff_close(coff);
		return -1;
	}
	selections_read(coff);
	return 0;
}

void coff_close(struct coff_file *coff)
{
	free(coff->sections);
	*coff = (struct coff_file){0};
}

int coff_symbol_read(const struct coff_file *coff, uint64_t index, struct coff_symbol *symbol)
{
	if (record_read(coff, index, symbol))
		return -1;
	struct reader record = reader_of(symbol->short_name, COFF_SECTION_NAME_MAX);
	if (read_u32(&record, 0) == 0) {
		const uint32_t offset = read_u32(&record, 4);
		symbol->name = offset ? string_at(coff->strings, coff->strings_size, offset) : "";
		return symbol->name ? 0 : -1;
	}
	return 0;
}

int coff_import_read(const void *bytes, size_t size, struct coff_import *import, struct error *err)
{
	struct reader reader = reader_of(bytes, size);
	enum { IMPORT_DATA = 1 };
	*import = (struct coff_import){.machine = read_u16(&reader, 6), .is_data = (read_u16(&reader, 18) & 3) == IMPORT_DATA};
	import->symbol = read_text(&reader, HEADER_SIZE);
	if (import->symbol)
		import->dll = read_text(&reader, HEADER_SIZE + strlen(import->symbol) + 1);
	if (!import->symbol || !import->dll)
		return error_set(err, ERROR_INPUT, "COFF import member: its names are cut off");
	return 0;
}
