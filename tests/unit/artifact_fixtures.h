/* Artifacts made byte by byte, so that tests of the readers need no CUDA toolkit: fatbin containers, ELF files for CPU
 * and GPU, and archives of every flavour. Memory runs out only in a broken test: then it aborts. */
#ifndef ASSAY_TESTS_ARTIFACT_FIXTURES_H
#define ASSAY_TESTS_ARTIFACT_FIXTURES_H

#include <elf.h>
#include <lz4.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct bytes {
	unsigned char *data;
	size_t size, capacity;
};

static inline void put(struct bytes *out, const void *data, size_t size)
{
	if (size == 0)
		return;
	if (out->size + size > out->capacity) {
		out->capacity = (out->size + size) * 2;
		out->data = realloc(out->data, out->capacity);
		if (!out->data)
			abort();
	}
	if (data)
		memcpy(out->data + out->size, data, size);
	else
		memset(out->data + out->size, 0, size);
	out->size += size;
}

static inline void put_u8(struct bytes *out, unsigned value) { put(out, &(uint8_t){(uint8_t)value}, 1); }
static inline void put_u16(struct bytes *out, unsigned value) { put(out, &(uint16_t){(uint16_t)value}, 2); }
static inline void put_u32(struct bytes *out, uint32_t value) { put(out, &value, 4); }
static inline void put_u64(struct bytes *out, uint64_t value) { put(out, &value, 8); }
static inline void put_u32_be(struct bytes *out, uint32_t value) { put_u32(out, __builtin_bswap32(value)); }
static inline void put_text(struct bytes *out, const char *text) { put(out, text, strlen(text)); }
static inline void put_string(struct bytes *out, const char *text) { put(out, text, strlen(text) + 1); }
static inline void pad_to(struct bytes *out, size_t multiple) { put(out, NULL, (multiple - out->size % multiple) % multiple); }
static inline void set_u32(struct bytes *out, size_t at, uint32_t value) { memcpy(out->data + at, &value, 4); }
static inline void set_u64(struct bytes *out, size_t at, uint64_t value) { memcpy(out->data + at, &value, 8); }
static inline void bytes_free(struct bytes *out)
{
	free(out->data);
	*out = (struct bytes){0};
}

/* ---- fatbin ---- */

struct fixture_entry {
	unsigned kind, arch, major, minor;
	uint64_t flags;
	const void *payload;
	size_t size;
	const char *identifier, *options;
};

/* Where the flags say LZ4 or zstd the payload is compressed here. */
static inline void put_fatbin_entry(struct bytes *out, const struct fixture_entry *entry)
{
	const size_t start = out->size;
	struct bytes stored = {0};
	if (entry->flags & 0x2000) {
		const int bound = LZ4_compressBound((int)entry->size);
		put(&stored, NULL, (size_t)bound);
		stored.size = (size_t)LZ4_compress_default(entry->payload, (char *)stored.data, (int)entry->size, bound);
	} else if (entry->flags & 0x8000) {
		const size_t bound = ZSTD_compressBound(entry->size);
		put(&stored, NULL, bound);
		stored.size = ZSTD_compress(stored.data, bound, entry->payload, entry->size, 3);
	} else {
		put(&stored, entry->payload, entry->size);
	}
	const int compressed = (entry->flags & 0xa000) != 0;
	const size_t identifier = entry->identifier ? strlen(entry->identifier) : 0, options = entry->options ? strlen(entry->options) : 0;
	const size_t header = (64 + identifier + (options ? 8 + options : 0) + 7) / 8 * 8;
	const size_t padded = (stored.size + 7) / 8 * 8;
	put_u16(out, entry->kind);
	put_u16(out, 0x0101);
	put_u32(out, (uint32_t)header);
	put_u64(out, padded);
	put_u32(out, compressed ? (uint32_t)stored.size : 0);
	put_u32(out, options ? (uint32_t)(64 + identifier) : 0);
	put_u16(out, entry->minor);
	put_u16(out, entry->major);
	put_u32(out, entry->arch);
	put_u32(out, identifier ? 64 : 0);
	put_u32(out, (uint32_t)identifier);
	put_u64(out, entry->flags);
	put_u64(out, 0);
	put_u64(out, compressed ? entry->size : 0);
	put(out, entry->identifier, identifier);
	if (options) {
		put_u32(out, (uint32_t)(64 + identifier + 8));
		put_u32(out, (uint32_t)options);
		put_text(out, entry->options);
	}
	put(out, NULL, start + header - out->size);
	put(out, stored.data, stored.size);
	put(out, NULL, padded - stored.size);
	bytes_free(&stored);
}

static inline void put_fatbin(struct bytes *out, const struct fixture_entry *entries, size_t count)
{
	const size_t start = out->size;
	put_u32(out, 0xba55ed50u);
	put_u16(out, 1);
	put_u16(out, 16);
	put_u64(out, 0);
	for (size_t i = 0; i < count; i++)
		put_fatbin_entry(out, &entries[i]);
	set_u64(out, start + 8, out->size - start - 16);
}

/* ---- ELF ---- */

struct fixture_section {
	const char *name;
	uint32_t type;
	uint64_t flags;
	uint32_t link, info;
	const void *data; /* NULL with a size: SHT_NOBITS */
	size_t size, entry_size;
};

struct fixture_elf {
	unsigned machine, type, os_abi, abi_version;
	uint32_t version, flags;
};

/* Sections get the indexes 1 ... count in order; the table of their names comes last. */
static inline void put_elf(struct bytes *out, const struct fixture_elf *elf, const struct fixture_section *sections, size_t count)
{
	const size_t start = out->size;
	struct bytes names = {0}, headers = {0};
	Elf64_Ehdr header = {.e_type = (uint16_t)elf->type,
			     .e_machine = (uint16_t)elf->machine,
			     .e_version = elf->version,
			     .e_flags = elf->flags,
			     .e_ehsize = sizeof(Elf64_Ehdr),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_shentsize = sizeof(Elf64_Shdr),
			     .e_shnum = (uint16_t)(count + 2),
			     .e_shstrndx = (uint16_t)(count + 1)};
	memcpy(header.e_ident, "\177ELF\2\1\1", 7);
	header.e_ident[EI_OSABI] = (unsigned char)elf->os_abi;
	header.e_ident[EI_ABIVERSION] = (unsigned char)elf->abi_version;
	put(out, &header, sizeof header);
	put(&headers, NULL, sizeof(Elf64_Shdr));
	put_u8(&names, 0);
	for (size_t i = 0; i <= count; i++) {
		const struct fixture_section own = {.name = ".shstrtab", .type = SHT_STRTAB};
		const struct fixture_section *section = i < count ? &sections[i] : &own;
		Elf64_Shdr shdr = {.sh_name = (uint32_t)names.size,
				   .sh_type = section->type,
				   .sh_flags = section->flags,
				   .sh_link = section->link,
				   .sh_info = section->info,
				   .sh_size = section->size,
				   .sh_addralign = 8,
				   .sh_entsize = section->entry_size};
		put_string(&names, section->name);
		pad_to(out, 8);
		shdr.sh_offset = out->size - start;
		if (i == count) {
			shdr.sh_size = names.size;
			put(out, names.data, names.size);
		} else if (section->data) {
			put(out, section->data, section->size);
		}
		put(&headers, &shdr, sizeof shdr);
	}
	pad_to(out, 8);
	set_u64(out, start + offsetof(Elf64_Ehdr, e_shoff), out->size - start);
	put(out, headers.data, headers.size);
	bytes_free(&names);
	bytes_free(&headers);
}

/* A symbol table and its strings. */
struct fixture_symbols {
	struct bytes table, names;
};

static inline void put_symbol(struct fixture_symbols *symbols, const char *name, unsigned bind, unsigned type, unsigned other,
			      unsigned section)
{
	if (!symbols->table.size) {
		put(&symbols->table, NULL, sizeof(Elf64_Sym));
		put_u8(&symbols->names, 0);
	}
	const Elf64_Sym symbol = {.st_name = (uint32_t)symbols->names.size,
				  .st_info = (unsigned char)(bind << 4 | type),
				  .st_other = (unsigned char)other,
				  .st_shndx = (uint16_t)section};
	put_string(&symbols->names, name);
	put(&symbols->table, &symbol, sizeof symbol);
}

static inline void symbols_free(struct fixture_symbols *symbols)
{
	bytes_free(&symbols->table);
	bytes_free(&symbols->names);
}

/* A host object that defines `defined` (functions), wants `undefined` (both NULL-terminated) and carries a fatbin. */
static inline void put_host_object(struct bytes *out, const char *const *defined, const char *const *undefined,
				   const struct bytes *fatbin)
{
	struct fixture_symbols symbols = {0};
	static const unsigned char code[16] = {0xc3};
	const Elf64_Rela relocation = {.r_offset = 0, .r_info = ELF64_R_INFO(1, R_X86_64_PLT32), .r_addend = -4};
	for (size_t i = 0; defined && defined[i]; i++)
		put_symbol(&symbols, defined[i], STB_GLOBAL, STT_FUNC, STV_DEFAULT, 1);
	for (size_t i = 0; undefined && undefined[i]; i++)
		put_symbol(&symbols, undefined[i], STB_GLOBAL, STT_NOTYPE, STV_DEFAULT, 0);
	if (!symbols.table.size)
		put_symbol(&symbols, "nothing", STB_LOCAL, STT_OBJECT, STV_DEFAULT, 1);
	const struct fixture_section sections[] = {
		{".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, 0, code, sizeof code, 0},
		{".rela.text", SHT_RELA, SHF_INFO_LINK, 3, 1, &relocation, sizeof relocation, sizeof relocation},
		{".symtab", SHT_SYMTAB, 0, 4, 1, symbols.table.data, symbols.table.size, sizeof(Elf64_Sym)},
		{".strtab", SHT_STRTAB, 0, 0, 0, symbols.names.data, symbols.names.size, 0},
		{".nv_fatbin", SHT_PROGBITS, SHF_ALLOC, 0, 0, fatbin ? fatbin->data : NULL, fatbin ? fatbin->size : 0, 0},
		{".nvFatBinSegment", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0, 0, code, sizeof code, 0},
	};
	const struct fixture_elf elf = {EM_X86_64, ET_REL, 0, 0, 1, 0};
	put_elf(out, &elf, sections, fatbin ? 6 : 4);
	symbols_free(&symbols);
}

/* ---- cubin ---- */

struct fixture_kernel {
	const char *name;
	unsigned registers, shared, frame, barriers;
	unsigned parameter_sizes[4]; /* laid out one after the other; 0 ends */
	unsigned spills;             /* records of ABI 8 */
	const void *code;
	size_t code_size;
};

static inline void put_sized(struct bytes *out, unsigned attribute, size_t size)
{
	put_u8(out, 4);
	put_u8(out, attribute);
	put_u16(out, (unsigned)size);
}

static inline void put_kernel_info(struct bytes *out, const struct fixture_kernel *kernel, unsigned toolkit, int is_abi8)
{
	unsigned offsets[4] = {0}, count = 0, total = 0;
	for (; count < 4 && kernel->parameter_sizes[count]; count++) {
		offsets[count] = total;
		total += kernel->parameter_sizes[count];
	}
	put_sized(out, 0x37, 4);
	put_u32(out, toolkit);
	for (unsigned i = count; i-- > 0;) { /* highest ordinal first, as ptxas does */
		const int large = total > 4096;
		put_sized(out, large ? 0x45 : 0x17, 12);
		put_u32(out, 0);
		put_u16(out, i);
		put_u16(out, offsets[i]);
		/* the size is the low half of the large form; sm_100 and newer have an address space above it */
		put_u32(out, large ? kernel->parameter_sizes[i] | 0x05000000u : kernel->parameter_sizes[i] << 18 | 0x1f000);
	}
	put_u8(out, 3);
	put_u8(out, 0x19);
	put_u16(out, total);
	if (is_abi8 && kernel->barriers) {
		put_u8(out, 2);
		put_u8(out, 0x4c);
		put_u16(out, kernel->barriers);
	}
	if (is_abi8 && kernel->spills) {
		put_sized(out, 0x55, kernel->spills * 8);
		for (unsigned i = 0; i < kernel->spills; i++) {
			put_u32(out, 1);
			put_u32(out, i * 16);
		}
	}
	put_sized(out, 0x05, 12);
	put_u32(out, 128);
	put_u32(out, 1);
	put_u32(out, 1);
}

/* Sections: 1 .symtab, 2 .strtab, 3 .nv.info, 4 the tool's note, 5 .nv.compat, then .text.K, .nv.info.K and .nv.shared.K of
 * each kernel. At most 8 kernels. */
static inline void put_cubin(struct bytes *out, unsigned abi, unsigned sm, char suffix, unsigned toolkit,
			     const struct fixture_kernel *kernels, size_t count)
{
	enum { FIRST = 5, EACH = 3 };
	struct fixture_symbols symbols = {0};
	struct bytes global = {0}, note = {0}, infos[8] = {{0}};
	char names[8][EACH][320];
	struct fixture_section sections[FIRST + 8 * EACH];
	const unsigned char compat[4] = {2, 9, suffix == 'a', 0};
	static const unsigned char no_code[128];
	put_symbol(&symbols, "helper", STB_LOCAL, STT_FUNC, 0, FIRST + 1);
	for (size_t i = 0; i < count; i++) {
		const unsigned text = (unsigned)(FIRST + 1 + i * EACH);
		put_symbol(&symbols, kernels[i].name, STB_GLOBAL, STT_FUNC, 0x10, text);
		const uint32_t symbol = (uint32_t)(2 + i);
		put_sized(&global, 0x2f, 8);
		put_u32(&global, symbol);
		put_u32(&global, kernels[i].registers);
		put_sized(&global, 0x11, 8);
		put_u32(&global, symbol);
		put_u32(&global, kernels[i].frame);
		put_sized(&global, 0x12, 8);
		put_u32(&global, symbol);
		put_u32(&global, kernels[i].frame);
		put_kernel_info(&infos[i], &kernels[i], toolkit, abi >= 8);
		snprintf(names[i][0], sizeof names[i][0], ".text.%s", kernels[i].name);
		snprintf(names[i][1], sizeof names[i][1], ".nv.info.%s", kernels[i].name);
		snprintf(names[i][2], sizeof names[i][2], ".nv.shared.%s", kernels[i].name);
		sections[text - 1] = (struct fixture_section){names[i][0], SHT_PROGBITS,
							      SHF_ALLOC | SHF_EXECINSTR | (abi < 8 ? (uint64_t)kernels[i].barriers << 20 : 0),
							      1, symbol, kernels[i].code ? kernels[i].code : no_code,
							      kernels[i].code ? kernels[i].code_size : sizeof no_code, 0};
		sections[text] = (struct fixture_section){names[i][1], 0x70000000, SHF_INFO_LINK, 1, text, infos[i].data, infos[i].size, 0};
		sections[text + 1] = (struct fixture_section){names[i][2], SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0, text, NULL,
							      kernels[i].shared + (sm >= 90 ? 1024 : 0), 0};
	}
	/* tkinfo: six words, then the strings */
	static const char strings[] = "\0k.cubin\0ptxas\0release 13.0, V13.0.88\0branch\0-arch sm_90 -m 64";
	put_u32(&note, 12);
	put_u32(&note, (uint32_t)(24 + sizeof strings));
	put_u32(&note, 2000);
	put_string(&note, "NVIDIA Corp");
	const uint32_t words[6] = {2, 1, 9, 15, 38, 45};
	put(&note, words, sizeof words);
	put(&note, strings, sizeof strings);
	pad_to(&note, 4);
	put_u32(&note, 12);
	put_u32(&note, 8);
	put_u32(&note, 1000);
	put_string(&note, "NVIDIA Corp");
	put_u16(&note, 2);
	put_u16(&note, sm);
	put_u32(&note, toolkit);
	sections[0] = (struct fixture_section){".symtab", SHT_SYMTAB, 0, 2, 2, symbols.table.data, symbols.table.size, sizeof(Elf64_Sym)};
	sections[1] = (struct fixture_section){".strtab", SHT_STRTAB, 0, 0, 0, symbols.names.data, symbols.names.size, 0};
	sections[2] = (struct fixture_section){".nv.info", 0x70000000, 0, 1, 0, count ? global.data : compat, global.size, 0};
	sections[3] = (struct fixture_section){".note.nv.tkinfo", abi >= 8 ? SHT_NOTE : SHT_PROGBITS, 0, 0, 0, note.data, note.size, 0};
	sections[4] = (struct fixture_section){".nv.compat", abi >= 8 ? 0x70000086 : SHT_PROGBITS, 0, 0, 0, compat, sizeof compat, 0};
	const uint32_t flags = abi >= 8 ? sm << 8 | 4 : sm | sm << 16 | 0x500 | (suffix == 'a' ? 0x800u : 0);
	const struct fixture_elf elf = {190, ET_EXEC, abi >= 8 ? 0x41 : 0x33, abi, abi >= 8 ? 1 : toolkit, flags};
	put_elf(out, &elf, sections, FIRST + count * EACH);
	symbols_free(&symbols);
	bytes_free(&global);
	bytes_free(&note);
	for (size_t i = 0; i < count; i++)
		bytes_free(&infos[i]);
}

/* ---- ar ---- */

enum fixture_ar { FIXTURE_GNU, FIXTURE_BSD, FIXTURE_MSVC, FIXTURE_THIN };

struct fixture_member {
	const char *name;
	const void *data;
	size_t size;
};

static inline void put_ar_header(struct bytes *out, const char *name, size_t size)
{
	char header[96];
	snprintf(header, sizeof header, "%-16.16s%-12s%-6s%-6s%-8s%-10zu`\n", name, "0", "0", "0", "644", size);
	put(out, header, 60);
}

/* The same for a COFF object. */
static inline unsigned put_defined_coff_names(struct bytes *names, const struct fixture_member *member)
{
	const unsigned char *data = member->data;
	uint32_t magic = 0, symbols = 0, count = 0, offset;
	unsigned defined = 0;
	memcpy(&magic, data, member->size >= 60 ? 4 : 0);
	const int bigobj = magic == 0xffff0000u && data[4] == 2;
	if (!bigobj && (magic & 0xffff) != 0x8664)
		return 0;
	const size_t size = bigobj ? 20 : 18;
	memcpy(&symbols, data + (bigobj ? 48 : 8), 4);
	memcpy(&count, data + (bigobj ? 52 : 12), 4);
	for (size_t i = 0; i < count; i += 1 + data[symbols + i * size + size - 1]) {
		const unsigned char *symbol = data + symbols + i * size;
		char name[9] = "";
		int16_t section; /* the low half of bigobj's */
		memcpy(&section, symbol + 12, 2);
		if (symbol[size - 2] != 2 || section <= 0)
			continue;
		memcpy(name, symbol, 8);
		memcpy(&offset, symbol + 4, 4);
		put_string(names, *name ? name : (const char *)data + symbols + count * size + offset);
		defined++;
	}
	return defined;
}

/* Names of the global symbols that an ELF object of put_elf defines, one after the other with their NULs; gives their number. */
static inline unsigned put_defined_names(struct bytes *names, const struct fixture_member *member)
{
	const unsigned char *data = member->data;
	unsigned count = 0;
	Elf64_Ehdr header;
	if (member->size < sizeof header || memcmp(data, ELFMAG, SELFMAG) != 0)
		return put_defined_coff_names(names, member);
	memcpy(&header, data, sizeof header);
	for (unsigned s = 0; header.e_shoff && s < header.e_shnum; s++) {
		Elf64_Shdr table, strings;
		memcpy(&table, data + header.e_shoff + s * sizeof table, sizeof table);
		if (table.sh_type != SHT_SYMTAB)
			continue;
		memcpy(&strings, data + header.e_shoff + table.sh_link * sizeof strings, sizeof strings);
		for (size_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size; at += sizeof(Elf64_Sym)) {
			Elf64_Sym symbol;
			memcpy(&symbol, data + table.sh_offset + at, sizeof symbol);
			if (ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL || symbol.st_shndx == SHN_UNDEF)
				continue;
			put_string(names, (const char *)data + strings.sh_offset + symbol.st_name);
			count++;
		}
	}
	return count;
}

/* An archive with an index of what its members define; where they define nothing, of `fillers` symbols "f" that are said to
 * be in the first one. MSVC: both indexes. */
static inline void put_ar(struct bytes *out, enum fixture_ar flavour, const struct fixture_member *members, size_t count,
			  unsigned fillers)
{
	enum { MEMBERS_MAX = 64 };
	struct bytes index_names = {0}, names = {0};
	unsigned defined[MEMBERS_MAX] = {0}, total = 0;
	size_t headers[MEMBERS_MAX] = {0}, offsets_at, second_at = 0;
	const int msvc = flavour == FIXTURE_MSVC;
	if (count > MEMBERS_MAX)
		abort();
	for (size_t i = 0; i < count; i++)
		total += defined[i] = put_defined_names(&index_names, &members[i]);
	for (unsigned i = 0; total == 0 && count && i < fillers; i++, defined[0]++)
		put_string(&index_names, "f");
	total = total ? total : count ? defined[0] : 0;
	put_text(out, flavour == FIXTURE_THIN ? "!<thin>\n" : "!<arch>\n");
	if (flavour == FIXTURE_BSD) {
		put_ar_header(out, "#1/12", 12 + 4 + total * 8 + 4 + index_names.size);
		put(out, "__.SYMDEF\0\0\0", 12);
		put_u32(out, total * 8);
		offsets_at = out->size;
		for (size_t i = 0, at = 0; i < total; i++) {
			put_u32(out, (uint32_t)at);
			put_u32(out, 0);
			at += strlen((const char *)index_names.data + at) + 1;
		}
		put_u32(out, (uint32_t)index_names.size);
	} else {
		put_ar_header(out, "/", 4 + total * 4 + index_names.size);
		put_u32_be(out, total);
		offsets_at = out->size;
		put(out, NULL, (size_t)total * 4);
	}
	put(out, index_names.data, index_names.size);
	if (out->size & 1)
		put_text(out, "\n");
	if (msvc) {
		put_ar_header(out, "/", 4 + count * 4 + 4 + total * 2 + index_names.size);
		put_u32(out, (uint32_t)count);
		second_at = out->size;
		put(out, NULL, count * 4);
		put_u32(out, total);
		for (size_t i = 0; i < count; i++)
			for (unsigned s = 0; s < defined[i]; s++)
				put_u16(out, (unsigned)i + 1);
		put(out, index_names.data, index_names.size); /* lib.exe sorts them */
		if (out->size & 1)
			put_text(out, "\n");
	}
	for (size_t i = 0; i < count; i++) {
		if (strlen(members[i].name) <= 15 && flavour != FIXTURE_THIN)
			continue;
		put_text(&names, members[i].name);
		put(&names, msvc ? "\0" : "/\n", msvc ? 1 : 2);
	}
	if (flavour != FIXTURE_BSD && names.size) {
		put_ar_header(out, "//", names.size);
		put(out, names.data, names.size);
		if (out->size & 1)
			put_text(out, "\n");
	}
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		const size_t length = strlen(members[i].name);
		char name[32];
		headers[i] = out->size;
		if (flavour == FIXTURE_BSD) {
			const size_t padded = (length + 4) / 4 * 4;
			snprintf(name, sizeof name, "#1/%zu", padded);
			put_ar_header(out, name, padded + members[i].size);
			put(out, members[i].name, length);
			put(out, NULL, padded - length);
		} else if (length <= 15 && flavour != FIXTURE_THIN) {
			snprintf(name, sizeof name, "%.15s/", members[i].name);
			put_ar_header(out, name, members[i].size);
		} else {
			snprintf(name, sizeof name, "/%zu", at);
			put_ar_header(out, name, members[i].size);
			at += length + (msvc ? 1 : 2);
		}
		if (flavour == FIXTURE_THIN)
			continue;
		put(out, members[i].data, members[i].size);
		if (out->size & 1)
			put_text(out, "\n");
	}
	for (size_t i = 0, symbol = 0; i < count; i++) {
		for (unsigned s = 0; s < defined[i]; s++, symbol++) {
			if (flavour == FIXTURE_BSD)
				set_u32(out, offsets_at + symbol * 8 + 4, (uint32_t)headers[i]);
			else
				set_u32(out, offsets_at + symbol * 4, __builtin_bswap32((uint32_t)headers[i]));
		}
		if (msvc)
			set_u32(out, second_at + i * 4, (uint32_t)headers[i]);
	}
	bytes_free(&index_names);
	bytes_free(&names);
}

/* The bytes at a size that a file could have, in memory that ends where they end, so that a sanitizer sees every step
 * beyond; free() it. `shift` sets the alignment. */
static inline unsigned char *copy_exactly(const void *data, size_t size, size_t shift, unsigned char **base)
{
	*base = malloc(size + shift ? size + shift : 1);
	if (!*base)
		abort();
	if (size)
		memcpy(*base + shift, data, size);
	return *base + shift;
}

#endif
