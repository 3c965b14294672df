#include "artifact/host_build.h"
#include "artifact/pe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	const struct pe_file *pe;
	struct host_object *object;
	size_t capacity;
	uint64_t names_left;
	struct error *err;
};

static int symbol_append(struct reading *in, struct host_symbol symbol)
{
	struct host_object *object = in->object;
	if (host_take_name(&in->names_left, symbol.name, in->err))
		return -1;
	if ((size_t)object->symbol_count == in->capacity) {
		const size_t more = in->capacity ? in->capacity * 2 : 64;
		struct host_symbol *symbols = more > INT32_MAX ? NULL : realloc(object->symbols, more * sizeof *symbols);
		if (!symbols)
			return error_set(in->err, ERROR_ENVIRONMENT, "out of memory");
		object->symbols = symbols;
		in->capacity = more;
	}
	object->symbols[object->symbol_count++] = symbol;
	return 0;
}

static int take_export(void *context, const struct pe_export *export)
{
	return symbol_append(context, (struct host_symbol){.name = export->name,
							   .defined = 1,
							   .function = (unsigned char)export->function,
							   .library = export->forwarded});
}

static int take_import(void *context, const struct pe_import *import)
{
	struct reading *in = context;
	if (import->first) {
		if (host_add_library(in->object, import->dll, in->err))
			return -1;
		msvc_note_dll(&in->object->msvc, import->dll);
	}
	if (!import->function)
		return 0;
	struct host_symbol symbol = {.name = import->function, .function = 1, .imported = 1, .library = import->dll};
	symbol.origin = symbol_origin_dll(import->dll);
	if (symbol.origin == ORIGIN_COUNT)
		symbol.origin = symbol_origin_coff(import->function);
	if (symbol_append(in, symbol))
		return -1;
	host_note_undefined(in->object, &symbol);
	return 0;
}

static int is_named(const struct coff_section *section, const char *full)
{
	const char *name = coff_section_name(section);
	/* link.exe cuts names to eight bytes, GNU ld keeps them */
	return strcmp(name, full) == 0 || (!section->name && strncmp(name, full, COFF_SECTION_NAME_MAX) == 0);
}

/* What is in the file beyond the section's virtual size is padding. */
static size_t true_size(const struct coff_section *section)
{
	return section->virtual_size && section->virtual_size < section->size ? section->virtual_size : (size_t)section->size;
}

static int sections_look(const struct pe_file *pe, struct host_object *object, struct error *err)
{
	for (size_t i = 0; i < pe->section_count; i++) {
		const struct coff_section *section = &pe->sections[i];
		const int relocatable = is_named(section, "__nv_relfatbin");
		if (is_named(section, ".nvFatBinSegment"))
			object->wrapper_count += true_size(section) / 24;
		if ((!relocatable && !is_named(section, ".nv_fatbin")) || !section->data)
			continue;
		const struct host_section fatbin = {.data = section->data,
						    .size = true_size(section),
						    .offset = (size_t)section->offset,
						    .relocatable = relocatable};
		if (host_add_fatbin(object, fatbin, err))
			return -1;
	}
	return 0;
}

int host_pe_read(const void *bytes, size_t size, struct host_object *object, struct error *err)
{
	enum { NO_RELOCATIONS = 1, DYNAMIC_BASE = 0x40 };
	struct pe_file pe;
	if (pe_open(bytes, size, &pe, err))
		return -1;
	struct reading in = {.pe = &pe, .object = object, .names_left = host_names_limit(pe.size), .err = err};
	int result = -1;
	object->machine = pe.machine;
	object->library_name = pe_own_name(&pe);
	object->debug_path = pe_debug_path(&pe);
	object->msvc.linker_version = 100 * pe.linker_major + pe.linker_minor;
	if (pe_exports(&pe, take_export, &in) || pe_imports(&pe, take_import, &in) || sections_look(&pe, object, err))
		goto done;
	object->pic = pe.characteristics & NO_RELOCATIONS ? PIC_NO : PIC_YES;
	snprintf(object->pic_evidence, sizeof object->pic_evidence, "%s",
		 pe.characteristics & NO_RELOCATIONS           ? "linked at a fixed address: base relocations were stripped"
		 : pe.dll_characteristics & DYNAMIC_BASE ? "may be moved (/DYNAMICBASE)"
							 : "has base relocations");
	result = 0;
done:
	pe_close(&pe);
	return result;
}
