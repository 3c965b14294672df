#include "artifact/elf_file.h"
#include "artifact/host_build.h"
#include "artifact/reader.h"

#include <stdio.h>
#include <stdlib.h>

enum { ELF_MACHINE_CUDA = 190 };

static int starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Version nodes that a linked file asks for (System V ABI as extended by Sun and GNU: .gnu.version gives each dynamic symbol
 * an index, .gnu.version_r says which node of which library it is). */
struct versions {
	const struct elf_section *indexes; /* .gnu.version; NULL: none */
	struct node {
		const char *library, *name;
	} *nodes;                          /* by index; owned */
	size_t count;
};

enum { VERSION_INDEX_MASK = 0x7fff };

/* "2.34" after "2.9": numbers between dots count as such. */
static int compare_dotted(const char *a, const char *b)
{
	for (;;) {
		char *end_a, *end_b;
		const unsigned long left = strtoul(a, &end_a, 10), right = strtoul(b, &end_b, 10);
		if (left != right)
			return left < right ? -1 : 1;
		if (*end_a != '.' || *end_b != '.')
			return (*end_a == '.') - (*end_b == '.');
		a = end_a + 1;
		b = end_b + 1;
	}
}

static void note_newest(const char **newest, const char *prefix, const char *name)
{
	const size_t length = strlen(prefix);
	if (starts_with(name, prefix) && name[length] >= '0' && name[length] <= '9' &&
	    (!*newest || compare_dotted(*newest + length, name + length) < 0))
		*newest = name;
}

/* The chains only go forward, so that a table that points back into itself ends. */
static int versions_read(const struct elf_file *elf, struct versions *versions, struct host_object *object, struct error *err)
{
	const struct elf_section *needs = elf_file_section_of_type(elf, SHT_GNU_verneed);
	*versions = (struct versions){.indexes = elf_file_section_of_type(elf, SHT_GNU_versym)};
	if (!needs || needs->link >= elf->section_count)
		return 0;
	versions->nodes = calloc(VERSION_INDEX_MASK + 1, sizeof *versions->nodes);
	if (!versions->nodes)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	versions->count = VERSION_INDEX_MASK + 1;
	struct reader reader = reader_of(needs->data, needs->size);
	struct reader names = reader_of(elf->sections[needs->link].data, elf->sections[needs->link].size);
	size_t budget = (size_t)needs->size / sizeof(Elf64_Vernaux) + 1; /* more records than fit are a loop */
	for (uint64_t at = 0; !reader.failed;) {
		const char *library = read_text(&names, read_u32(&reader, at + 4));
		const unsigned count = read_u16(&reader, at + 2);
		uint64_t node = at + read_u32(&reader, at + 8);
		for (unsigned i = 0; i < count && budget && !reader.failed; i++, budget--) {
			const unsigned index = read_u16(&reader, node + 6) & VERSION_INDEX_MASK;
			const char *name = read_text(&names, read_u32(&reader, node + 8));
			const uint32_t next = read_u32(&reader, node + 12);
			if (reader.failed)
				break;
			if (library && name) {
				versions->nodes[index] = (struct node){library, name};
				note_newest(&object->glibc, "GLIBC_", name);
				note_newest(&object->glibcxx, "GLIBCXX_", name);
			}
			if (!next)
				break;
			node += next;
		}
		const uint32_t next = read_u32(&reader, at + 12);
		if (!next || !budget)
			break;
		budget--;
		at += next;
	}
	return 0;
}

static void version_of(const struct versions *versions, size_t symbol, struct host_symbol *out)
{
	if (!versions->indexes || !versions->count)
		return;
	struct reader reader = reader_of(versions->indexes->data, versions->indexes->size);
	const struct node *node = &versions->nodes[read_u16(&reader, (uint64_t)symbol * 2) & VERSION_INDEX_MASK];
	if (reader.failed || !node->name)
		return;
	out->library = node->library;
	out->version = node->name;
}

static int symbols_read(const struct elf_file *elf, const struct elf_section *table, const struct versions *versions,
			struct host_object *object, struct error *err)
{
	const size_t count = elf_symbol_count(table);
	if (count > INT32_MAX)
		return error_set(err, ERROR_INPUT, "has %zu ELF symbols", count);
	object->symbols = calloc(count ? count : 1, sizeof *object->symbols);
	if (!object->symbols)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	uint64_t names_left = host_names_limit(elf->extent);
	for (size_t i = 1; i < count; i++) {
		struct elf_symbol symbol;
		if (elf_symbol_read(elf, table, i, &symbol))
			return error_set(err, ERROR_INPUT, "ELF symbol %zu: is damaged", i);
		if (host_take_name(&names_left, symbol.name, err))
			return -1;
		if (symbol.bind == STB_LOCAL || !*symbol.name || symbol.type == STT_FILE || symbol.type == STT_SECTION)
			continue;
		struct host_symbol *out = &object->symbols[object->symbol_count++];
		*out = (struct host_symbol){.name = symbol.name,
					    .defined = symbol.defined != 0,
					    .function = symbol.type == STT_FUNC || symbol.type == STT_GNU_IFUNC,
					    .weak = symbol.bind == STB_WEAK,
					    .hidden = symbol.visibility == STV_HIDDEN || symbol.visibility == STV_INTERNAL};
		if (symbol.defined)
			continue;
		out->origin = symbol_origin(symbol.name);
		version_of(versions, i, out);
		host_note_undefined(object, out);
	}
	return 0;
}

/* Whether a relocation of this type against this symbol keeps the object out of a shared object: an absolute 32-bit
 * address, or a distance to a symbol that another module may replace (System V ABI for x86-64, section 4.4; for
 * AArch64 the page address of one). */
static const char *offending_relocation(unsigned machine, uint32_t type, const struct elf_symbol *symbol)
{
	const int may_be_replaced = symbol->bind != STB_LOCAL && symbol->visibility == STV_DEFAULT &&
				    (!symbol->defined || symbol->type == STT_OBJECT);
	if (machine == EM_X86_64) {
		if (type == R_X86_64_32)
			return "R_X86_64_32";
		if (type == R_X86_64_32S)
			return "R_X86_64_32S";
		if (type == R_X86_64_PC32 && may_be_replaced && strcmp(symbol->name, "_GLOBAL_OFFSET_TABLE_") != 0)
			return "R_X86_64_PC32";
	}
	if (machine == EM_AARCH64 && type == R_AARCH64_ADR_PREL_PG_HI21 && may_be_replaced)
		return "R_AARCH64_ADR_PREL_PG_HI21";
	return NULL;
}

static void judge_position_independence(const struct elf_file *elf, struct host_object *object)
{
	if (elf->type != ET_REL) {
		object->pic = elf->type == ET_DYN ? PIC_YES : PIC_NO;
		snprintf(object->pic_evidence, sizeof object->pic_evidence, "%s",
			 elf->type == ET_DYN ? "linked as a shared object" : "linked at a fixed address");
		return;
	}
	size_t relocations = 0;
	/* several sections may claim the same bytes: no more relocations than the file can hold are looked at */
	for (size_t i = 1; i < elf->section_count && relocations <= elf->extent / sizeof(Elf64_Rela); i++) {
		const struct elf_section *section = &elf->sections[i];
		if (section->type != SHT_RELA || section->info >= elf->section_count || section->link >= elf->section_count ||
		    !(elf->sections[section->info].flags & SHF_ALLOC))
			continue;
		struct reader reader = reader_of(section->data, section->size);
		for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= reader.size; at += sizeof(Elf64_Rela), relocations++) {
			const uint64_t info = read_u64(&reader, at + 8);
			struct elf_symbol symbol;
			if (elf_symbol_read(elf, &elf->sections[section->link], (size_t)(info >> 32), &symbol))
				continue;
			const char *type = offending_relocation(elf->machine, (uint32_t)info, &symbol);
			if (!type)
				continue;
			object->pic = PIC_NO;
			snprintf(object->pic_evidence, sizeof object->pic_evidence, "%s against %.40s in %.24s", type,
				 *symbol.name ? symbol.name : "a section", elf->sections[section->info].name);
			return;
		}
	}
	if (relocations) {
		object->pic = PIC_YES;
		snprintf(object->pic_evidence, sizeof object->pic_evidence, "none of %zu relocations needs a fixed address",
			 relocations);
	}
}

static int sections_look(const struct elf_file *elf, struct host_object *object, struct error *err)
{
	for (size_t i = 1; i < elf->section_count; i++) {
		const struct elf_section *section = &elf->sections[i];
		const int relocatable = strcmp(section->name, "__nv_relfatbin") == 0;
		if (strcmp(section->name, ".nvFatBinSegment") == 0)
			object->wrapper_count += (size_t)section->size / 24;
		if (starts_with(section->name, ".gnu.lto_") && !object->gnu_lto)
			object->gnu_lto = section->name;
		if ((!relocatable && strcmp(section->name, ".nv_fatbin") != 0) || !section->data)
			continue;
		if (section->flags & SHF_COMPRESSED)
			return error_set(err, ERROR_UNSUPPORTED,
					 "has a compressed section %s; run objcopy --decompress-debug-sections on it", section->name);
		const struct host_section fatbin = {.data = section->data,
						    .size = (size_t)section->size,
						    .offset = (size_t)section->offset,
						    .relocatable = relocatable};
		if (host_add_fatbin(object, fatbin, err))
			return -1;
	}
	return 0;
}

/* What a linked file says it is called and needs. */
static int dynamic_read(const struct elf_file *elf, struct host_object *object, struct error *err)
{
	const struct elf_section *dynamic = elf_file_section_of_type(elf, SHT_DYNAMIC);
	if (!dynamic || dynamic->link >= elf->section_count)
		return 0;
	struct reader reader = reader_of(dynamic->data, dynamic->size);
	struct reader names = reader_of(elf->sections[dynamic->link].data, elf->sections[dynamic->link].size);
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= reader.size; at += sizeof(Elf64_Dyn)) {
		const uint64_t tag = read_u64(&reader, at);
		if (tag == DT_NULL)
			break;
		if (tag != DT_NEEDED && tag != DT_SONAME)
			continue;
		const char *name = read_text(&names, read_u64(&reader, at + 8));
		if (name && tag == DT_SONAME)
			object->library_name = name;
		else if (name && host_add_library(object, name, err))
			return -1;
	}
	return 0;
}

int host_elf_read(const void *bytes, size_t size, struct host_object *object, struct error *err)
{
	struct elf_file elf;
	struct versions versions = {0};
	int result = -1;
	if (elf_file_open(bytes, size, &elf, err))
		return -1;
	if (elf.machine == ELF_MACHINE_CUDA) {
		error_set(err, ERROR_INPUT, "is ELF for the GPU, not a host object");
		goto done;
	}
	if (elf.type != ET_REL && (dynamic_read(&elf, object, err) || versions_read(&elf, &versions, object, err)))
		goto done;
	const struct elf_section *symbols = elf_file_section_of_type(&elf, elf.type == ET_REL ? SHT_SYMTAB : SHT_DYNSYM);
	if (symbols && symbols_read(&elf, symbols, &versions, object, err))
		goto done;
	if (sections_look(&elf, object, err))
		goto done;
	judge_position_independence(&elf, object);
	result = 0;
done:
	free(versions.nodes);
	elf_file_close(&elf);
	return result;
}
