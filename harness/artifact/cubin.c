#include "artifact/cubin.h"

#include "artifact/elf_file.h"
#include "artifact/reader.h"
#include "core/util.h"

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

/* Records of .nv.info, by the names cuobjdump -elf and nvlink have for them. */
enum {
	FORMAT_SIZED = 4,
	ATTR_MAX_THREADS = 0x05,
	ATTR_PARAM_CBANK = 0x0a,
	ATTR_REQNTID = 0x10,
	ATTR_FRAME_SIZE = 0x11,
	ATTR_MIN_STACK_SIZE = 0x12,
	ATTR_KPARAM_INFO = 0x17,
	ATTR_CBANK_PARAM_SIZE = 0x19,
	ATTR_REGCOUNT = 0x2f,
	ATTR_CUDA_API_VERSION = 0x37,
	ATTR_CTA_PER_CLUSTER = 0x3d,
	ATTR_KPARAM_INFO_V2 = 0x45,
	ATTR_NUM_BARRIERS = 0x4c,
	ATTR_ANNOTATIONS = 0x55,
};

/* A cubin while it is being read. Kernels are found by the index of their section or symbol. */
struct reading {
	struct elf_file elf;
	struct cubin *cubin;
	int32_t *kernel_of_section, *kernel_of_symbol; /* -1: none */
	size_t symbol_count;
};

struct record {
	unsigned format, attribute;
	unsigned value;  /* of the formats that carry one in the header */
	size_t at, size; /* of the rest, for FORMAT_SIZED */
};

/* Steps over one record of .nv.info or .nv.compat; 0 at the end or when the rest is damaged (reader->failed). */
static int record_next(struct reader *reader, size_t *at, struct record *record)
{
	if (*at >= reader->size)
		return 0;
	*record = (struct record){.format = read_u8(reader, *at),
				  .attribute = read_u8(reader, *at + 1),
				  .value = read_u16(reader, *at + 2),
				  .at = *at + 4};
	if (record->format == FORMAT_SIZED)
		record->size = record->value;
	*at += 4 + record->size;
	if (*at > reader->size)
		reader->failed = 1;
	return !reader->failed;
}

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
		/* before .nv.info had a record for it (13.0), the number of barriers was in the flags of the section */
		cubin->kernels[cubin->kernel_count++] = (struct cubin_kernel){
			.name = symbol.name,
			.registers = -1,
			.spill_instructions = -1,
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

static void three(struct reader *reader, const struct record *record, unsigned values[3])
{
	if (record->size < 12)
		return;
	for (unsigned i = 0; i < 3; i++)
		values[i] = read_u32(reader, record->at + 4 * i);
}

/* Records of the whole cubin carry the index of the kernel's symbol first. */
static int read_global_info(struct reading *in, const struct elf_section *section, struct error *err)
{
	struct reader reader = reader_of(section->data, section->size);
	struct record record;
	for (size_t at = 0; record_next(&reader, &at, &record);) {
		if (record.format != FORMAT_SIZED || record.size < 8)
			continue;
		const uint32_t symbol = read_u32(&reader, record.at), value = read_u32(&reader, record.at + 4);
		if (symbol >= in->symbol_count || in->kernel_of_symbol[symbol] < 0)
			continue;
		struct cubin_kernel *kernel = &in->cubin->kernels[in->kernel_of_symbol[symbol]];
		if (record.attribute == ATTR_REGCOUNT)
			kernel->registers = value > 0xffff ? -1 : (int)value;
		else if (record.attribute == ATTR_FRAME_SIZE)
			kernel->frame_bytes = value;
		else if (record.attribute == ATTR_MIN_STACK_SIZE)
			kernel->stack_bytes = value;
	}
	return reader.failed ? error_set(err, ERROR_INPUT, "cubin section .nv.info: is damaged") : 0;
}

static int compare_parameters(const void *a, const void *b)
{
	const struct cubin_parameter *left = a, *right = b;
	return left->ordinal < right->ordinal ? -1 : left->ordinal > right->ordinal;
}

static int read_kernel_info(struct reading *in, const struct elf_section *section, struct cubin_kernel *kernel,
			    struct error *err)
{
	struct reader reader = reader_of(section->data, section->size);
	struct record record;
	size_t parameter_records = 0;
	for (size_t at = 0; record_next(&reader, &at, &record);)
		parameter_records += record.format == FORMAT_SIZED && record.size >= 12 &&
				     (record.attribute == ATTR_KPARAM_INFO || record.attribute == ATTR_KPARAM_INFO_V2);
	if (reader.failed || parameter_records > INT32_MAX)
		return error_set(err, ERROR_INPUT, "cubin section %s: is damaged", section->name);
	if (parameter_records && !kernel->parameters) {
		kernel->parameters = calloc(parameter_records, sizeof *kernel->parameters);
		if (!kernel->parameters)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	} else if (parameter_records) {
		return error_set(err, ERROR_INPUT, "cubin kernel %s: its parameters are listed twice", kernel->name);
	}
	unsigned end = 0, stated = 0;
	for (size_t at = 0; record_next(&reader, &at, &record);) {
		switch (record.attribute) {
		case ATTR_KPARAM_INFO:
		case ATTR_KPARAM_INFO_V2:
			if (record.format == FORMAT_SIZED && record.size >= 12) {
				const uint32_t packed = read_u32(&reader, record.at + 8);
				struct cubin_parameter *parameter = &kernel->parameters[kernel->parameter_count++];
				parameter->ordinal = read_u16(&reader, record.at + 4);
				parameter->offset = read_u16(&reader, record.at + 6);
				parameter->size = record.attribute == ATTR_KPARAM_INFO ? packed >> 18 : packed;
				if (parameter->size <= UINT32_MAX - 0xffff && parameter->offset + parameter->size > end)
					end = parameter->offset + parameter->size;
			}
			break;
		case ATTR_CBANK_PARAM_SIZE:
			stated = record.value;
			break;
		case ATTR_MAX_THREADS:
			three(&reader, &record, kernel->max_threads);
			break;
		case ATTR_REQNTID:
			three(&reader, &record, kernel->required_threads);
			break;
		case ATTR_CTA_PER_CLUSTER:
			three(&reader, &record, kernel->cluster);
			break;
		case ATTR_NUM_BARRIERS:
			kernel->barriers = (int)(record.value & 0xff);
			break;
		case ATTR_CUDA_API_VERSION:
			if (record.size >= 4 && in->cubin->toolkit < 50)
				in->cubin->toolkit = read_u32(&reader, record.at);
			break;
		case ATTR_ANNOTATIONS: /* pairs of kind and offset; kind 1 marks each instruction that spills */
			for (size_t pair = 0; pair + 8 <= record.size && record.format == FORMAT_SIZED; pair += 8)
				if (read_u32(&reader, record.at + pair) == 1)
					kernel->spill_instructions += kernel->spill_instructions < 0 ? 2 : 1;
			break;
		}
	}
	kernel->parameter_bytes = stated ? stated : end;
	if (kernel->parameter_count)
		qsort(kernel->parameters, (size_t)kernel->parameter_count, sizeof *kernel->parameters, compare_parameters);
	return 0;
}

static int read_sections(struct reading *in, struct error *err)
{
	for (size_t i = 1; i < in->elf.section_count; i++) {
		const struct elf_section *section = &in->elf.sections[i];
		struct cubin_kernel *kernel;
		if (section->type == SECTION_INFO && strcmp(section->name, ".nv.info") == 0) {
			if (read_global_info(in, section, err))
				return -1;
		} else if (section->type == SECTION_INFO && (kernel = kernel_of_section(in, section->info))) {
			if (read_kernel_info(in, section, kernel, err))
				return -1;
		} else if (strncmp(section->name, ".nv.shared.", 11) == 0 && (kernel = kernel_of_section(in, section->info))) {
			const uint64_t reserved = in->cubin->sm >= 90 && section->size >= RESERVED_SHARED ? RESERVED_SHARED : 0;
			kernel->shared_bytes = section->size - reserved > UINT32_MAX ? UINT32_MAX
										     : (unsigned)(section->size - reserved);
		} else if (strncmp(section->name, ".nv.local.", 10) == 0 && (kernel = kernel_of_section(in, section->info))) {
			kernel->local_bytes = section->size > UINT32_MAX ? UINT32_MAX : (unsigned)section->size;
		} else if (section->type == SECTION_COMPAT) {
			struct reader reader = reader_of(section->data, section->size);
			struct record record;
			for (size_t at = 0; record_next(&reader, &at, &record);)
				if (record.format == 2 && record.attribute == 9 && (record.value & 0xff) == 1)
					in->cubin->suffix = 'a';
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
				in->cubin->toolkit = read_u32(&note, 4);
			} else if (type == NOTE_TKINFO && size >= 24 && !in->cubin->tool_version) {
				/* offsets count from the strings, which follow the six words */
				const uint64_t version = 24ull + read_u32(&note, 12), options = 24ull + read_u32(&note, 20);
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
	cubin->abi = in.elf.abi_version;
	if (cubin->abi >= 8) {
		cubin->sm = in.elf.flags >> 8 & 0xff;
	} else {
		cubin->sm = in.elf.flags & 0xff;
		cubin->suffix = in.elf.flags & 0x800 ? 'a' : 0;
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
	/* some of NVIDIA's own libraries carry a 1 there */
	if (cubin->toolkit < 50 || cubin->toolkit > 999)
		cubin->toolkit = 0;
	/* a toolkit that marks spills and counts barriers, and did neither, found none */
	for (int i = 0; i < cubin->kernel_count && cubin->toolkit >= 130; i++) {
		if (cubin->kernels[i].spill_instructions < 0)
			cubin->kernels[i].spill_instructions = 0;
		if (cubin->kernels[i].barriers < 0)
			cubin->kernels[i].barriers = 0;
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
	size_t size = 1 + (cubin->tool_version ? strlen(cubin->tool_version) + 1 : 0) +
		      (cubin->tool_options ? strlen(cubin->tool_options) + 1 : 0);
	for (int i = 0; i < cubin->kernel_count; i++)
		if (size_add(size, strlen(cubin->kernels[i].name) + 1, &size))
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	char *texts = malloc(size), *end = texts;
	if (!texts)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
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
