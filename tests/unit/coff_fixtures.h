/* Windows files made byte by byte: COFF objects, ordinary and bigobj, import members, and DLLs. Layouts: artifact/coff.h and
 * artifact/pe.h. */
#ifndef ASSAY_TESTS_COFF_FIXTURES_H
#define ASSAY_TESTS_COFF_FIXTURES_H

#include "artifact_fixtures.h"

struct fixture_relocation {
	uint32_t address, symbol;
	unsigned type;
};

struct fixture_coff_section {
	const char *name;
	const void *data;
	size_t size;
	uint32_t characteristics;
	const struct fixture_relocation *relocations;
	size_t relocation_count;
	int overflow; /* write the count in the form of more than 65534 */
};

struct fixture_coff_symbol {
	const char *name;
	uint32_t value;
	int section;
	unsigned type, storage_class;
	unsigned selection; /* not 0: an auxiliary record that defines a COMDAT section with it */
	unsigned auxiliary; /* records of zeros after it */
};

/* A name of up to eight bytes stands in the record, a longer one in the string table. `base64` writes sections' offsets as
 * "//AAAAAA". */
static inline void put_coff_name(struct bytes *out, struct bytes *strings, const char *name, int is_section, int base64)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const size_t length = strlen(name);
	char field[16] = "";
	if (length <= 8) {
		put(out, name, length);
		put(out, NULL, 8 - length);
		return;
	}
	const uint32_t offset = (uint32_t)strings->size;
	put_string(strings, name);
	if (!is_section) {
		put_u32(out, 0);
		put_u32(out, offset);
		return;
	}
	if (base64) {
		memcpy(field, "//", 2);
		for (int i = 0; i < 6; i++)
			field[2 + i] = digits[i == 0 ? 0 : offset >> 6 * (5 - i) & 63];
	} else {
		snprintf(field, sizeof field, "/%u", offset);
	}
	put(out, field, 8);
}

struct fixture_coff {
	const struct fixture_coff_section *sections;
	size_t section_count;
	const struct fixture_coff_symbol *symbols;
	size_t symbol_count;
	int bigobj, base64;
};

static inline void put_coff(struct bytes *out, const struct fixture_coff *coff)
{
	static const unsigned char class_id[16] = {0xc7, 0xa1, 0xba, 0xd1, 0xee, 0xba, 0xa9, 0x4b,
						   0xaf, 0x20, 0xfa, 0xf6, 0x6a, 0xa4, 0xdc, 0xb8};
	const size_t start = out->size, header = coff->bigobj ? 56 : 20, symbol_size = coff->bigobj ? 20 : 18;
	struct bytes strings = {0}, body = {0}, headers = {0};
	size_t records = 0;
	put_u32(&strings, 0);
	for (size_t i = 0; i < coff->symbol_count; i++)
		records += 1 + (coff->symbols[i].selection != 0) + coff->symbols[i].auxiliary;
	const size_t first = header + coff->section_count * 40;
	for (size_t i = 0; i < coff->section_count; i++) {
		const struct fixture_coff_section *section = &coff->sections[i];
		const size_t data_at = first + body.size;
		put(&body, section->data, section->data ? section->size : 0);
		put_u8(&body, 0); /* nothing aligns raw data in objects of MSVC */
		const size_t relocations_at = first + body.size;
		const size_t count = section->relocation_count + (section->overflow != 0);
		if (section->overflow) {
			put_u32(&body, (uint32_t)count);
			put(&body, NULL, 6);
		}
		for (size_t r = 0; r < section->relocation_count; r++) {
			put_u32(&body, section->relocations[r].address);
			put_u32(&body, section->relocations[r].symbol);
			put_u16(&body, section->relocations[r].type);
		}
		put_coff_name(&headers, &strings, section->name, 1, coff->base64);
		put_u32(&headers, 0);
		put_u32(&headers, 0);
		put_u32(&headers, (uint32_t)section->size);
		put_u32(&headers, section->data ? (uint32_t)data_at : 0);
		put_u32(&headers, count ? (uint32_t)relocations_at : 0);
		put_u32(&headers, 0);
		put_u16(&headers, section->overflow ? 0xffff : (unsigned)count);
		put_u16(&headers, 0);
		put_u32(&headers, section->characteristics | (section->overflow ? 0x01000000u : 0));
	}
	if (coff->bigobj) {
		put_u32(out, 0xffff0000u);
		put_u16(out, 2);
		put_u16(out, 0x8664);
		put_u32(out, 0);
		put(out, class_id, 16);
		put(out, NULL, 16);
		put_u32(out, (uint32_t)coff->section_count);
	} else {
		put_u16(out, 0x8664);
		put_u16(out, (unsigned)coff->section_count);
		put_u32(out, 0);
	}
	put_u32(out, (uint32_t)(first + body.size));
	put_u32(out, (uint32_t)records);
	if (!coff->bigobj)
		put_u32(out, 0); /* size of an optional header, characteristics */
	put(out, headers.data, headers.size);
	put(out, body.data, body.size);
	for (size_t i = 0; i < coff->symbol_count; i++) {
		const struct fixture_coff_symbol *symbol = &coff->symbols[i];
		put_coff_name(out, &strings, symbol->name, 0, 0);
		put_u32(out, symbol->value);
		if (coff->bigobj)
			put_u32(out, (uint32_t)symbol->section);
		else
			put_u16(out, (unsigned)symbol->section & 0xffff);
		put_u16(out, symbol->type);
		put_u8(out, symbol->storage_class);
		put_u8(out, (symbol->selection != 0) + symbol->auxiliary);
		if (symbol->selection) {
			put(out, NULL, 14);
			put_u8(out, symbol->selection);
			put(out, NULL, symbol_size - 15);
		}
		put(out, NULL, symbol->auxiliary * symbol_size);
	}
	set_u32(&strings, 0, (uint32_t)strings.size);
	put(out, strings.data, strings.size);
	if (out->size - start != first + body.size + records * symbol_size + strings.size)
		abort();
	bytes_free(&strings);
	bytes_free(&body);
	bytes_free(&headers);
}

static inline void put_coff_import(struct bytes *out, const char *symbol, const char *dll, unsigned type)
{
	put_u16(out, 0);
	put_u16(out, 0xffff);
	put_u16(out, 0);
	put_u16(out, 0x8664);
	put_u32(out, 0);
	put_u32(out, (uint32_t)(strlen(symbol) + strlen(dll) + 2));
	put_u16(out, 1);
	put_u16(out, type);
	put_string(out, symbol);
	put_string(out, dll);
}

/* An object as cl.exe under nvcc makes it: a function, what it calls, device code, and the directives. */
static inline void put_msvc_object(struct bytes *out, const char *defines, const char *wants, const char *directives,
				   const struct bytes *fatbin, int bigobj)
{
	static const unsigned char code[16] = {0xc3}, wrapper[24] = {0xb1, 0x43, 0x62, 0x46, 1};
	const struct fixture_relocation call = {1, 2, 4}, pointer = {8, 0, 1};
	const struct fixture_coff_section sections[] = {
		{".drectve", directives, strlen(directives), 0x100a00, NULL, 0, 0},
		{".text$mn", code, sizeof code, 0x60501020, &call, 1, 0},
		{".nv_fatbin", fatbin ? fatbin->data : NULL, fatbin ? fatbin->size : 0, 0x40500040, NULL, 0, 0},
		{".nvFatBinSegment", wrapper, sizeof wrapper, 0x40500040, &pointer, 1, 0},
	};
	const struct fixture_coff_symbol symbols[] = {
		{".text$mn", 0, 2, 0, 3, 1, 0},
		/* [2], after the auxiliary record */
		{wants, 0, 0, 0x20, 2, 0, 0},
		{defines, 0, 2, 0x20, 2, 0, 0},
		{"__security_check_cookie", 0, 0, 0x20, 2, 0, 0},
	};
	const struct fixture_coff coff = {sections, fatbin ? 4 : 2, symbols, 4, bigobj, 0};
	put_coff(out, &coff);
}

/* ---- PE ---- */

struct fixture_dll {
	const char *name;
	const char *const *exports;      /* functions, sorted; NULL-terminated */
	const char *const *imports;      /* "dll:function", those of one DLL together; "dll:#" by number; NULL-terminated */
	const struct bytes *fatbin;      /* goes to .nv_fatb; NULL: none */
	const char *debug_path;          /* in a CodeView record; NULL: none */
	int is_32bit, is_exe;
};

/* Sections: .text, .rdata (exports, imports and the debug record), .nv_fatb, .nvFatBi. Addresses are 0x1000 apart from offsets:
 * a section at offset X of the file is at X + 0x1000 of the image. */
static inline void put_dll(struct bytes *out, const struct fixture_dll *dll)
{
	enum { SHIFT = 0x1000, OPTIONAL = 0x58, SECTIONS = 4 };
	const size_t start = out->size;
	const int wide = !dll->is_32bit;
	const unsigned optional_size = (wide ? 112 : 96) + 16 * 8, width = wide ? 8 : 4;
	struct bytes head = {0}, data = {0};
	size_t export_count = 0, import_count = 0, dll_count = 0;
	static const unsigned char code[64] = {0xc3}, wrapper[24] = {0xb1, 0x43, 0x62, 0x46, 1};
	while (dll->exports && dll->exports[export_count])
		export_count++;
	for (; dll->imports && dll->imports[import_count]; import_count++) {
		const size_t length = strcspn(dll->imports[import_count], ":") + 1;
		dll_count += !import_count || strncmp(dll->imports[import_count], dll->imports[import_count - 1], length) != 0;
	}
	const size_t headers_size = 0x400, text_at = headers_size, rdata_at = text_at + sizeof code;
	const uint32_t base = (uint32_t)(rdata_at + SHIFT);
	/* exports: directory of 40 bytes, addresses, names, ordinals, then the texts */
	const size_t exports_at = 0;
	if (export_count) {
		put(&data, NULL, 40 + export_count * 10);
		set_u32(&data, 12, base + (uint32_t)data.size);
		put_string(&data, dll->name);
		set_u32(&data, 16, 1);
		set_u32(&data, 20, (uint32_t)export_count);
		set_u32(&data, 24, (uint32_t)export_count);
		set_u32(&data, 28, base + 40);
		set_u32(&data, 32, base + 40 + (uint32_t)export_count * 4);
		set_u32(&data, 36, base + 40 + (uint32_t)export_count * 8);
		for (size_t i = 0; i < export_count; i++) {
			set_u32(&data, 40 + i * 4, (uint32_t)(text_at + SHIFT + i % sizeof code));
			set_u32(&data, 40 + export_count * 4 + i * 4, base + (uint32_t)data.size);
			memcpy(data.data + 40 + export_count * 8 + i * 2, &(uint16_t){(uint16_t)i}, 2);
			put_string(&data, dll->exports[i]);
		}
	}
	const size_t exports_size = data.size;
	pad_to(&data, 8);
	const size_t imports_at = data.size;
	if (dll_count)
		put(&data, NULL, (dll_count + 1) * 20);
	for (size_t i = 0, d = 0; i < import_count; d++) {
		const size_t length = strcspn(dll->imports[i], ":");
		const char *first = dll->imports[i];
		char name[128];
		size_t end = i;
		while (end < import_count && strncmp(dll->imports[end], first, length + 1) == 0)
			end++;
		snprintf(name, sizeof name, "%.*s", (int)length, first);
		set_u32(&data, imports_at + d * 20 + 12, base + (uint32_t)data.size);
		put_string(&data, name);
		pad_to(&data, 8);
		const size_t table = data.size;
		set_u32(&data, imports_at + d * 20, base + (uint32_t)table);
		put(&data, NULL, (end - i + 1) * width);
		for (size_t n = 0; i < end; i++, n++) {
			const char *function = dll->imports[i] + length + 1;
			if (*function == '#') { /* by number 7 */
				data.data[table + n * width] = 7;
				data.data[table + n * width + width - 1] = 0x80;
				continue;
			}
			set_u32(&data, table + n * width, base + (uint32_t)data.size);
			put_u16(&data, 0);
			put_string(&data, function);
			if (data.size & 1)
				put_u8(&data, 0);
		}
	}
	pad_to(&data, 8);
	const size_t debug_at = data.size;
	if (dll->debug_path) {
		put(&data, NULL, 28);
		set_u32(&data, debug_at + 12, 2);
		set_u32(&data, debug_at + 24, (uint32_t)(rdata_at + data.size));
		put_text(&data, "RSDS");
		put(&data, NULL, 20);
		put_string(&data, dll->debug_path);
	}
	pad_to(&data, 8);
	const struct {
		const char *name;
		size_t size, offset;
		uint32_t characteristics;
	} sections[SECTIONS] = {
		{".text", sizeof code, text_at, 0x60000020},
		{".rdata", data.size, rdata_at, 0x40000040},
		{".nv_fatb", dll->fatbin ? dll->fatbin->size : 0, rdata_at + data.size, 0x40000040},
		{".nvFatBi", sizeof wrapper, rdata_at + data.size + (dll->fatbin ? dll->fatbin->size : 0), 0x40000040},
	};
	put(&head, "MZ", 2);
	put(&head, NULL, 58);
	put_u32(&head, 64);
	put(&head, "PE\0\0", 4);
	put_u16(&head, dll->is_32bit ? 0x14c : 0x8664);
	put_u16(&head, dll->fatbin ? SECTIONS : 2);
	put(&head, NULL, 12);
	put_u16(&head, optional_size);
	put_u16(&head, 0x22 | (dll->is_exe ? 0 : 0x2000));
	put_u16(&head, wide ? 0x20b : 0x10b);
	put_u8(&head, 14);
	put_u8(&head, 38);
	put(&head, NULL, optional_size - 4);
	set_u32(&head, OPTIONAL + 60, (uint32_t)headers_size);
	head.data[OPTIONAL + 70] = 0x60; /* HIGH_ENTROPY_VA, DYNAMIC_BASE */
	const size_t directories = OPTIONAL + (wide ? 112 : 96);
	set_u32(&head, directories - 4, 16);
	if (export_count) {
		set_u32(&head, directories, base + (uint32_t)exports_at);
		set_u32(&head, directories + 4, (uint32_t)exports_size);
	}
	if (dll_count) {
		set_u32(&head, directories + 8, base + (uint32_t)imports_at);
		set_u32(&head, directories + 12, (uint32_t)(dll_count + 1) * 20);
	}
	if (dll->debug_path) {
		set_u32(&head, directories + 48, base + (uint32_t)debug_at);
		set_u32(&head, directories + 52, 28);
	}
	for (size_t i = 0; i < (dll->fatbin ? (size_t)SECTIONS : 2); i++) {
		const size_t length = strlen(sections[i].name);
		put(&head, sections[i].name, length);
		put(&head, NULL, 8 - length);
		put_u32(&head, (uint32_t)sections[i].size);
		put_u32(&head, (uint32_t)(sections[i].offset + SHIFT));
		put_u32(&head, (uint32_t)sections[i].size);
		put_u32(&head, (uint32_t)sections[i].offset);
		put(&head, NULL, 12);
		put_u32(&head, sections[i].characteristics);
	}
	if (head.size > headers_size)
		abort();
	put(out, head.data, head.size);
	put(out, NULL, headers_size - head.size);
	put(out, code, sizeof code);
	put(out, data.data, data.size);
	if (dll->fatbin) {
		put(out, dll->fatbin->data, dll->fatbin->size);
		put(out, wrapper, sizeof wrapper);
	}
	if (out->size <= start)
		abort();
	bytes_free(&head);
	bytes_free(&data);
}

#endif
