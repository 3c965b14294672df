#include "artifact/coff.h"
#include "artifact/host_build.h"
#include "artifact/reader.h"

#include <stdio.h>
#include <stdlib.h>

enum { MACHINE_AMD64 = 0x8664, MACHINE_ARM64 = 0xaa64 };
enum { RELOCATION_SIZE = 10, AMD64_ADDR32 = 2, ARM64_ADDR32 = 1 };
enum { TYPE_FUNCTION = 2 }; /* in bits 4 and 5 of a symbol's type */

/* The linker would rather see two of these merged than complain. */
static int may_occur_twice(const struct coff_section *section)
{
	enum { SELECT_NO_DUPLICATES = 1 };
	return (section->characteristics & COFF_SECTION_COMDAT) && section->selection > SELECT_NO_DUPLICATES;
}

static int is_global(const struct coff_symbol *symbol)
{
	return (symbol->storage_class == COFF_CLASS_EXTERNAL || symbol->storage_class == COFF_CLASS_WEAK_EXTERNAL) &&
	       *coff_symbol_name(symbol);
}

static int symbols_read(const struct coff_file *coff, struct host_object *object, struct error *err)
{
	size_t used = 0, capacity = 0;
	uint64_t names_left = host_names_limit(coff->size);
	if (coff->symbol_count > INT32_MAX)
		return error_set(err, ERROR_INPUT, "has %llu COFF symbols", (unsigned long long)coff->symbol_count);
	/* names of eight bytes and fewer end without NUL in the file: room for all symbols to have such is taken at once */
	object->names = malloc((size_t)coff->symbol_count * (COFF_SECTION_NAME_MAX + 1) + 1);
	if (!object->names)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (uint64_t i = 0; i < coff->symbol_count;) {
		struct coff_symbol symbol;
		if (coff_symbol_read(coff, i, &symbol))
			return error_set(err, ERROR_INPUT, "COFF symbol %llu: is damaged", (unsigned long long)i);
		i += 1 + symbol.auxiliary;
		if (!is_global(&symbol) || (symbol.section > 0 && (size_t)symbol.section > coff->section_count))
			continue;
		if ((size_t)object->symbol_count == capacity) {
			const size_t more = capacity ? capacity * 2 : 64;
			struct host_symbol *symbols = realloc(object->symbols, more * sizeof *symbols);
			if (!symbols)
				return error_set(err, ERROR_ENVIRONMENT, "out of memory");
			object->symbols = symbols;
			capacity = more;
		}
		if (host_take_name(&names_left, coff_symbol_name(&symbol), err))
			return -1;
		const char *name = symbol.name;
		if (!name) {
			char *copy = object->names + used;
			used += strlen(symbol.short_name) + 1;
			memcpy(copy, symbol.short_name, strlen(symbol.short_name) + 1);
			name = copy;
		}
		const int imported = strncmp(name, "__imp_", 6) == 0 && name[6];
		const struct coff_section *section = symbol.section > 0 ? &coff->sections[symbol.section - 1] : NULL;
		const int is_weak = symbol.storage_class == COFF_CLASS_WEAK_EXTERNAL;
		const int is_common = !is_weak && symbol.section == 0 && symbol.value > 0;
		struct host_symbol *out = &object->symbols[object->symbol_count++];
		*out = (struct host_symbol){.name = imported ? name + 6 : name,
					    .defined = symbol.section != 0 || is_common,
					    .function = (symbol.type >> 4 & 3) == TYPE_FUNCTION,
					    .weak = is_weak || (section && may_occur_twice(section)),
					    .imported = (unsigned char)imported,
					    .common = (unsigned char)is_common};
		if (out->defined)
			continue;
		out->origin = symbol_origin_coff(out->name);
		host_note_undefined(object, out);
	}
	return 0;
}

/* 64-bit Windows code reaches everything relative to itself and is moved by base relocations: only a 32-bit address, which
 * needs /LARGEADDRESSAWARE:NO, ties it to the low 2 GiB. */
static void judge_position_independence(const struct coff_file *coff, struct host_object *object)
{
	const unsigned fixed = coff->machine == MACHINE_AMD64 ? AMD64_ADDR32 : coff->machine == MACHINE_ARM64 ? ARM64_ADDR32 : 0;
	struct reader reader = reader_of(coff->bytes, coff->size);
	uint64_t relocations = 0;
	if (!fixed)
		return;
	for (size_t i = 0; i < coff->section_count; i++) {
		const struct coff_section *section = &coff->sections[i];
		if (section->characteristics & (COFF_SECTION_INFO | COFF_SECTION_REMOVE) ||
		    strncmp(coff_section_name(section), ".debug", 6) == 0)
			continue;
		for (uint64_t r = 0; r < section->relocation_count; r++, relocations++) {
			const uint64_t at = section->relocations + r * RELOCATION_SIZE;
			struct coff_symbol symbol;
			if (read_u16(&reader, at + 8) != fixed)
				continue;
			object->pic = PIC_NO;
			snprintf(object->pic_evidence, sizeof object->pic_evidence, "%s against %.40s in %.24s",
				 fixed == AMD64_ADDR32 ? "IMAGE_REL_AMD64_ADDR32" : "IMAGE_REL_ARM64_ADDR32",
				 coff_symbol_read(coff, read_u32(&reader, at + 4), &symbol) ? "a symbol" : coff_symbol_name(&symbol),
				 coff_section_name(section));
			return;
		}
		/* many sections may claim the same relocations: as many as the file holds are enough */
		if (relocations > coff->size / RELOCATION_SIZE)
			break;
	}
	if (relocations) {
		object->pic = PIC_YES;
		snprintf(object->pic_evidence, sizeof object->pic_evidence, "none of %llu relocations needs a 32-bit address",
			 (unsigned long long)relocations);
	}
}

static int sections_look(const struct coff_file *coff, struct host_object *object, struct error *err)
{
	size_t directives = coff->size; /* sections may claim the same bytes: as many as the file has are read */
	for (size_t i = 0; i < coff->section_count; i++) {
		const struct coff_section *section = &coff->sections[i];
		const char *name = coff_section_name(section);
		const int relocatable = strcmp(name, "__nv_relfatbin") == 0;
		if (strcmp(name, ".nvFatBinSegment") == 0)
			object->wrapper_count += (size_t)section->size / 24;
		if (strncmp(name, ".gnu.lto_", 9) == 0 && section->name && !object->gnu_lto)
			object->gnu_lto = section->name;
		if (!section->data)
			continue;
		if (strcmp(name, ".drectve") == 0 && section->size <= directives) {
			directives -= (size_t)section->size;
			msvc_note_directives(&object->msvc, (const char *)section->data, (size_t)section->size);
		}
		if (!relocatable && strcmp(name, ".nv_fatbin") != 0)
			continue;
		const struct host_section fatbin = {.data = section->data,
						    .size = (size_t)section->size,
						    .offset = (size_t)section->offset,
						    .relocatable = relocatable};
		if (host_add_fatbin(object, fatbin, err))
			return -1;
	}
	return 0;
}

int host_coff_read(const void *bytes, size_t size, struct host_object *object, struct error *err)
{
	struct coff_file coff;
	if (coff_open(bytes, size, &coff, err))
		return -1;
	const int result = symbols_read(&coff, object, err) || sections_look(&coff, object, err) ? -1 : 0;
	if (result == 0)
		judge_position_independence(&coff, object);
	coff_close(&coff);
	return result;
}

int host_import_read(const void *bytes, size_t size, struct host_object *object, struct error *err)
{
	struct coff_import import;
	if (coff_import_read(bytes, size, &import, err))
		return -1;
	/* it makes the linker define both "f", a jump, and "__imp_f", the address */
	object->symbols = calloc(1, sizeof *object->symbols);
	if (!object->symbols)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	object->symbol_count = 1;
	object->symbols[0] = (struct host_symbol){
		.name = import.symbol, .defined = 1, .function = !import.is_data, .weak = 0, .hidden = 1, .imported = 1, .library = import.dll};
	return host_add_library(object, import.dll, err);
}
