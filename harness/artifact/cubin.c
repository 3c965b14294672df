#include "artifact/cubin.h"

#include "artifact/cubin_info.h"
#include "artifact/elf_file.h"
#include "artifact/reader.h"
#include "core/util.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ELF_MACHINE_CUDA = 190,
	ELF_TYPE_MERCURY = 0xff00,     /* relocatable of ptxas -ewp */
	SECTION_INFO = 0x70000000,     /* .nv.info* */
	SECTION_COMPAT = 0x70000086,   /* .nv.compat */
	SYMBOL_IS_KERNEL = 0x10,       /* in st_other */
	RESERVED_SHARED = 0x400,       /* what .nv.shared.K of sm_90 and newer counts in */
	NOTE_TKINFO = 2000,
	NOTE_CUINFO = 1000,
};

/* A cubin while it is being read. Kernels are found by the index of their section or symbol. */
struct reading {
	struct elf_file elf;
	struct cubin *cubin;
	int32_t *kernel_of_section, *kernel_of_symbol; /* -1: none */
	size_t symbol_count;
};

static int kernels_find(struct reading *in, const struct elf_section *symbols, struct error *err)
{
	struct cubin *cubin = in->cubin;
	int capacity = 0;
	for (size_t i = 1; i < in->symbol_count; i++) {
		struct elf_symbol symbol;
		if (elf_symbol_read(&in->elf, symbols, i, &symbol))
			return error_set(err, ERROR_INPUT, "cubin symbol %zu: is damaged", i);
		if (symbol.type != STT_FUNC || !symbol.defined || !(symbol.other & SYMBOL_IS_KERNEL) || !symbol.section)
			continue;
		const struct elf_section *text = &in->elf.sections[symbol.section];
		if (strncmp(text->name, ".text.", 6) != 0 || in->kernel_of_section[symbol.section] >= 0)
			continue;
		if (cubin->kernel_count == capacity) {
			capacity = capacity ? capacity * 2 : 16;
			struct cubin_kernel *kernels = realloc(cubin->kernels, (size_t)capacity * sizeof *kernels);
			if (!kernels)
				return error_set(err, ERROR_ENVIRONMENT, "out of memory");
			cubin->kernels = kernels;
		}
		in->kernel_of_section[symbol.section] = in->kernel_of_symbol[i] = cubin->kernel_count;
		/* before .nv.info had records for them, the number of barriers was in the flags of the section (until 13.0), and
		 * registers in its info (still so in code that NVIDIA's own assembler made, not ptxas) */
		cubin->kernels[cubin->kernel_count++] = (struct cubin_kernel){
			.name = symbol.name,
			.registers = text->info >> 24 ? (int)(text->info >> 24) : -1,
			.spill_instructions = -1,
			.local_accesses = -1,
			.barriers = cubin->abi < 8 ? (int)(text->flags >> 20 & 0x7f) : -1,
			.code = text->data,
			.code_size = text->data ? (size_t)text->size : 0,
		};
	}
	return 0;
}

static struct cubin_kernel *kernel_of_section(const struct reading *in, uint64_t section)
{
	if (section >= in->elf.section_count || in->kernel_of_section[section] < 0)
		return NULL;
	return &in->cubin->kernels[in->kernel_of_section[section]];
}

static unsigned bounded(uint64_t size)
{
	return size > UINT32_MAX ? UINT32_MAX : (unsigned)size;
}

/* What a section that belongs to a kernel says of it. */
static void read_kernel_section(const struct reading *in, const struct elf_section *section)
{
	struct cubin_kernel *kernel = kernel_of_section(in, section->info);
	if (!kernel)
		return;
	if (strncmp(section->name, ".nv.shared.", 11) == 0) {
		kernel->reserved_shared_bytes = in->cubin->sm >= 90 && section->size >= RESERVED_SHARED ? RESERVED_SHARED : 0;
		kernel->shared_bytes = bounded(section->size - kernel->reserved_shared_bytes);
	} else if (strncmp(section->name, ".nv.local.", 10) == 0) {
		kernel->local_bytes = bounded(section->size);
	} else if (strncmp(section->name, ".nv.constant0.", 14) == 0) {
		kernel->constant_bytes = bounded(section->size);
	}
}

static void read_compat(struct reading *in, const struct elf_section *section)
{
	struct reader reader = reader_of(section->data, section->size);
	struct cubin_record record;
	for (size_t at = 0; cubin_record_next(&reader, &at, &record);)
		if (record.format == 2 && record.attribute == 9 && (record.value & 0xff) == 1)
			in->cubin->suffix = 'a';
}

static int read_sections(struct reading *in, struct error *err)
{
	struct cubin *cubin = in->cubin;
	for (size_t i = 1; i < in->elf.section_count; i++) {
		const struct elf_section *section = &in->elf.sections[i];
		const char *name = section->name;
		struct cubin_kernel *kernel;
		if (section->type == SECTION_INFO && strcmp(name, ".nv.info") == 0) {
			if (cubin_global_info(cubin, reader_of(section->data, section->size), in->kernel_of_symbol, in->symbol_count, err))
				return -1;
		} else if (section->type == SECTION_INFO && (kernel = kernel_of_section(in, section->info))) {
			if (cubin_kernel_info(cubin, reader_of(section->data, section->size), name, kernel, err))
				return -1;
		} else if (section->type == SECTION_COMPAT) {
			read_compat(in, section);
		} else if (strncmp(name, ".text.", 6) == 0) {
			cubin->code_bytes += section->data ? (size_t)section->size : 0;
		} else if (strncmp(name, ".nv.capmerc.", 12) == 0) {
			cubin->mercury = 1;
		} else if (strncmp(name, ".nv.", 4) == 0) {
			read_kernel_section(in, section);
		} else if (strcmp(name, ".debug_line") == 0 || strcmp(name, ".nv_debug_line_sass") == 0) {
			cubin->line_info = 1;
		} else if (strcmp(name, ".debug_info") == 0) {
			cubin->debug_info = 1;
		}
	}
	return 0;
}

/* Notes of ABI 8: the toolkit, and the tool with its options. */
static void read_notes(struct reading *in)
{
	for (size_t i = 1; i < in->elf.section_count; i++) {
		const struct elf_section *section = &in->elf.sections[i];
		if (section->type != SHT_NOTE || !section->data)
			continue;
		struct reader reader = reader_of(section->data, section->size);
		for (uint64_t at = 0; at + 12 <= section->size;) {
			const uint64_t name_size = read_u32(&reader, at), size = read_u32(&reader, at + 4);
			const uint32_t type = read_u32(&reader, at + 8);
			const uint64_t description = at + 12 + ((name_size + 3) & ~3ull);
			if (!range_within(description, size, section->size))
				break;
			at = description + ((size + 3) & ~3ull);
			struct reader note = reader_of(section->data + description, (size_t)size);
			if (type == NOTE_CUINFO && size >= 8) {
				in->cubin->virtual_sm = read_u16(&note, 2);
				in->cubin->toolkit = read_u32(&note, 4);
			} else if (type == NOTE_TKINFO && size >= 24 && !in->cubin->tool_version) {
				/* offsets count from the strings, which follow the six words */
				const uint64_t tool = 24ull + read_u32(&note, 8), version = 24ull + read_u32(&note, 12);
				const uint64_t options = 24ull + read_u32(&note, 20);
				in->cubin->tool = read_text(&note, tool);
				in->cubin->tool_version = read_text(&note, version);
				in->cubin->tool_options = read_text(&note, options);
			}
		}
	}
}

static int32_t *no_kernels(size_t count)
{
	int32_t *kernels = malloc((count ? count : 1) * sizeof *kernels);
	for (size_t i = 0; kernels && i < count; i++)
		kernels[i] = -1;
	return kernels;
}

/* 130 for "Cuda compilation tools, release 13.0, V13.0.88"; 0 when it does not say. */
static unsigned release_of(const char *tool_version)
{
	const char *at = tool_version ? strstr(tool_version, "release ") : NULL;
	unsigned major, minor;
	if (!at || sscanf(at, "release %2u.%1u", &major, &minor) != 2)
		return 0;
	return 10 * major + minor;
}

/* "-arch sm_100f": nothing else in a cubin tells it from sm_100. */
static int is_family_target(const struct cubin *cubin)
{
	char target[24];
	const char *at = cubin->tool_options;
	const int length = snprintf(target, sizeof target, "sm_%uf", cubin->sm);
	while (at && (at = strstr(at, target))) {
		at += length;
		if (*at == '\0' || *at == ' ' || *at == ',')
			return 1;
	}
	return 0;
}

int cubin_parse(const void *bytes, size_t size, struct cubin *cubin, struct error *err)
{
	struct reading in = {.cubin = cubin};
	int result = -1;
	*cubin = (struct cubin){0};
	if (elf_file_open(bytes, size, &in.elf, err))
		return -1;
	if (in.elf.machine != ELF_MACHINE_CUDA) {
		error_set(err, ERROR_INPUT, "is ELF for a CPU (machine %u), not a cubin", in.elf.machine);
		goto done;
	}
	cubin->file_bytes = in.elf.extent;
	cubin->abi = in.elf.abi_version;
	if (cubin->abi >= 8) {
		cubin->sm = in.elf.flags >> 8 & 0xff;
	} else {
		cubin->sm = in.elf.flags & 0xff;
		cubin->suffix = in.elf.flags & 0x800 ? 'a' : 0;
		cubin->virtual_sm = in.elf.flags >> 16 & 0xff;
		cubin->toolkit = in.elf.version > 1 ? in.elf.version : 0;
	}
	cubin->relocatable = in.elf.type == ET_REL || in.elf.type == ELF_TYPE_MERCURY;

	const struct elf_section *symbols = elf_file_section(&in.elf, ".symtab"); /* not .nv.merc.symtab */
	in.symbol_count = symbols ? elf_symbol_count(symbols) : 0;
	in.kernel_of_section = no_kernels(in.elf.section_count);
	in.kernel_of_symbol = no_kernels(in.symbol_count);
	if (!in.kernel_of_section || !in.kernel_of_symbol) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	read_notes(&in);
	if ((symbols && kernels_find(&in, symbols, err)) || read_sections(&in, err))
		goto done;
	/* some of NVIDIA's own libraries, not made by ptxas, carry a 1 there */
	if (cubin->toolkit < 50 || cubin->toolkit > 999)
		cubin->toolkit = release_of(cubin->tool_version);
	if (!cubin->suffix && is_family_target(cubin))
		cubin->suffix = 'f';
	for (int i = 0; i < cubin->kernel_count; i++) {
		struct cubin_kernel *kernel = &cubin->kernels[i];
		/* a toolkit that marks spills and counts barriers, and did neither, found none */
		if (cubin->toolkit >= 130 && kernel->spill_instructions < 0)
			kernel->spill_instructions = 0;
		if (cubin->toolkit >= 130 && kernel->barriers < 0)
			kernel->barriers = 0;
		if (kernel->spill_instructions < 0 && cubin->sm >= 70)
			kernel->local_accesses = (int)cubin_local_accesses(kernel);
	}
	result = 0;
done:
	free(in.kernel_of_section);
	free(in.kernel_of_symbol);
	elf_file_close(&in.elf);
	if (result)
		cubin_free(cubin);
	return result;
}

void cubin_free(struct cubin *cubin)
{
	for (int i = 0; i < cubin->kernel_count; i++)
		free(cubin->kernels[i].parameters);
	free(cubin->kernels);
	free(cubin->texts);
	*cubin = (struct cubin){0};
}

/* Copies a text behind `*end` and lets the pointer follow it. */
static void move_text(const char **text, char **end)
{
	if (!*text)
		return;
	const size_t size = strlen(*text) + 1;
	memcpy(*end, *text, size);
	*text = *end;
	*end += size;
}

int cubin_detach(struct cubin *cubin, struct error *err)
{
	size_t size = 1 + (cubin->tool ? strlen(cubin->tool) + 1 : 0) +
		      (cubin->tool_version ? strlen(cubin->tool_version) + 1 : 0) +
		      (cubin->tool_options ? strlen(cubin->tool_options) + 1 : 0);
	for (int i = 0; i < cubin->kernel_count; i++)
		if (size_add(size, strlen(cubin->kernels[i].name) + 1, &size))
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	char *texts = malloc(size), *end = texts;
	if (!texts)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	move_text(&cubin->tool, &end);
	move_text(&cubin->tool_version, &end);
	move_text(&cubin->tool_options, &end);
	for (int i = 0; i < cubin->kernel_count; i++) {
		move_text(&cubin->kernels[i].name, &end);
		cubin->kernels[i].code = NULL;
	}
	free(cubin->texts); /* of an earlier call */
	cubin->texts = texts;
	return 0;
}

size_t cubin_local_accesses(const struct cubin_kernel *kernel)
{
	enum { INSTRUCTION_SIZE = 16, OPCODE_MASK = 0xfff, STORE_LOCAL = 0x387, LOAD_LOCAL = 0x983 };
	struct reader reader = reader_of(kernel->code, kernel->code_size);
	size_t found = 0;
	for (size_t at = 0; at + INSTRUCTION_SIZE <= reader.size; at += INSTRUCTION_SIZE) {
		const unsigned opcode = read_u16(&reader, at) & OPCODE_MASK;
		found += opcode == STORE_LOCAL || opcode == LOAD_LOCAL;
	}
	return found;
}
