/* Records of .nv.info: what ptxas tells the driver about a cubin and each of its kernels. */
#include "artifact/cubin_info.h"

#include "core/util.h"

#include <stdlib.h>

/* Attributes that are read, by the names cuobjdump -elf and nvlink have for them. */
enum {
	ATTR_MAX_THREADS = 0x05,
	ATTR_PARAM_CBANK = 0x0a,
	ATTR_REQNTID = 0x10,
	ATTR_FRAME_SIZE = 0x11,
	ATTR_MIN_STACK_SIZE = 0x12,
	ATTR_KPARAM_INFO = 0x17,
	ATTR_CBANK_PARAM_SIZE = 0x19,
	ATTR_MAXREG_COUNT = 0x1b,
	ATTR_REGCOUNT = 0x2f,
	ATTR_CUDA_API_VERSION = 0x37,
	ATTR_NUM_MBARRIERS = 0x38,
	ATTR_CTA_PER_CLUSTER = 0x3d,
	ATTR_EXPLICIT_CLUSTER = 0x3e,
	ATTR_MAX_CLUSTER_RANK = 0x3f,
	ATTR_KPARAM_INFO_V2 = 0x45,
	ATTR_NUM_BARRIERS = 0x4c,
	ATTR_ANNOTATIONS = 0x55,
};

enum { NO_REGISTER_LIMIT = 255 }; /* MAXREG_COUNT of a kernel without one */

const char *cubin_attribute_name(unsigned code)
{
	static const char *const names[] = {
		"ERROR", "PAD", "IMAGE_SLOT", "JUMPTABLE_RELOCS", "CTAIDZ_USED", "MAX_THREADS", "IMAGE_OFFSET",
		"IMAGE_SIZE", "TEXTURE_NORMALIZED", "SAMPLER_INIT", "PARAM_CBANK", "SMEM_PARAM_OFFSETS",
		"CBANK_PARAM_OFFSETS", "SYNC_STACK", "TEXID_SAMPID_MAP", "EXTERNS", "REQNTID", "FRAME_SIZE",
		"MIN_STACK_SIZE", "SAMPLER_FORCE_UNNORMALIZED", "BINDLESS_IMAGE_OFFSETS", "BINDLESS_TEXTURE_BANK",
		"BINDLESS_SURFACE_BANK", "KPARAM_INFO", "SMEM_PARAM_SIZE", "CBANK_PARAM_SIZE", "QUERY_NUMATTRIB",
		"MAXREG_COUNT", "EXIT_INSTR_OFFSETS", "S2RCTAID_INSTR_OFFSETS", "CRS_STACK_SIZE", "NEED_CNP_WRAPPER",
		"NEED_CNP_PATCH", "EXPLICIT_CACHING", "ISTYPEP_USED", "MAX_STACK_SIZE", "SUQ_USED",
		"LD_CACHEMOD_INSTR_OFFSETS", "LOAD_CACHE_REQUEST", "ATOM_SYS_INSTR_OFFSETS", "COOP_GROUP_INSTR_OFFSETS",
		"COOP_GROUP_MASK_REGIDS", "SW1850030_WAR", "WMMA_USED", "HAS_PRE_V10_OBJECT",
		"ATOMF16_EMUL_INSTR_OFFSETS", "ATOM16_EMUL_INSTR_REG_MAP", "REGCOUNT", "SW2393858_WAR",
		"INT_WARP_WIDE_INSTR_OFFSETS", "SHARED_SCRATCH", "STATISTICS", "INDIRECT_BRANCH_TARGETS",
		"SW2861232_WAR", "SW_WAR", "CUDA_API_VERSION", "NUM_MBARRIERS", "MBARRIER_INSTR_OFFSETS",
		"COROUTINE_RESUME_ID_OFFSETS", "SAM_REGION_STACK_SIZE", "PER_REG_TARGET_PERF_STATS", "CTA_PER_CLUSTER",
		"EXPLICIT_CLUSTER", "MAX_CLUSTER_RANK", "INSTR_REG_MAP", "RESERVED_SMEM_USED", "RESERVED_SMEM_0_SIZE",
		"UCODE_SECTION_DATA", "UNUSED_LOAD_BYTE_OFFSET", "KPARAM_INFO_V2", "SYSCALL_OFFSETS",
		"SW_WAR_MEMBAR_SYS_INSTR_OFFSETS", "GRAPHICS_GLOBAL_CBANK", "SHADER_TYPE", "VRC_CTA_INIT_COUNT",
		"TOOLS_PATCH_FUNC", "NUM_BARRIERS", "TEXMODE_INDEPENDENT", "PERF_STATISTICS", "AT_ENTRY_FRAGMENTS",
		"SPARSE_MMA_MASK", "TCGEN05_1CTA_USED", "TCGEN05_2CTA_USED", "GEN_ERRBAR_AT_EXIT", "REG_RECONFIG",
		"ANNOTATIONS", "UNKNOWN", "STACK_CANARY_TRAP_OFFSETS", "STUB_FUNCTION_KIND",
		"LOCAL_CTA_ASYNC_STORE_OFFSETS", "MERCURY_FINALIZER_OPTIONS", "BLOCKS_ARE_CLUSTERS", "SANITIZE",
		"SYSCALLS_FALLBACK", "CUDA_REQ", "MERCURY_ISA_VERSION", "ERROR_LAST", "RTCORE_ENTRY",
		"CLUSTER_LAUNCH_CONTROL_USED", NULL, "MIN_PER_CTA_MEMORY_SIZE", "IGNOREOOB_CP_ASYNC_BULK_INSTR_OFFSETS",
		"LANGUAGE", NULL, "GRID_ATTRIBUTES", "STACK_OFFSET", "RT_LIVESTATE_SASS_MAP", "NVSAL_SW_WAR",
		"INSTR_OFFSETS", "PREEXIT_USED"
	};
	return code < ARRAY_COUNT(names) ? names[code] : NULL;
}

int cubin_record_next(struct reader *reader, size_t *at, struct cubin_record *record)
{
	if (*at >= reader->size)
		return 0;
	*record = (struct cubin_record){.format = read_u8(reader, *at),
					.attribute = read_u8(reader, *at + 1),
					.value = read_u16(reader, *at + 2),
					.at = *at + 4};
	if (record->format == RECORD_SIZED)
		record->size = record->value;
	*at += 4 + record->size;
	if (*at > reader->size)
		reader->failed = 1;
	return !reader->failed;
}

static void note_unknown(struct cubin *cubin, unsigned code)
{
	if (cubin_attribute_name(code))
		return;
	if (cubin->unknown_attributes++ == 0)
		cubin->unknown_attribute = code;
}

int cubin_global_info(struct cubin *cubin, struct reader reader, const int32_t *kernel_of_symbol, size_t symbol_count,
		      struct error *err)
{
	struct cubin_record record;
	for (size_t at = 0; cubin_record_next(&reader, &at, &record);) {
		note_unknown(cubin, record.attribute);
		if (record.format != RECORD_SIZED || record.size < 8)
			continue;
		const uint32_t symbol = read_u32(&reader, record.at), value = read_u32(&reader, record.at + 4);
		if (symbol >= symbol_count || kernel_of_symbol[symbol] < 0)
			continue;
		struct cubin_kernel *kernel = &cubin->kernels[kernel_of_symbol[symbol]];
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

static int is_parameter(const struct cubin_record *record)
{
	return (record->attribute == ATTR_KPARAM_INFO || record->attribute == ATTR_KPARAM_INFO_V2) &&
	       record->format == RECORD_SIZED && record->size >= 12;
}

/* Makes room for as many parameters as the section lists. */
static int count_parameters(struct reader reader, const char *section, struct cubin_kernel *kernel, struct error *err)
{
	struct cubin_record record;
	size_t count = 0;
	for (size_t at = 0; cubin_record_next(&reader, &at, &record);)
		count += (size_t)is_parameter(&record);
	if (reader.failed || count > INT32_MAX)
		return error_set(err, ERROR_INPUT, "cubin section %s: is damaged", section);
	if (count && kernel->parameters)
		return error_set(err, ERROR_INPUT, "cubin kernel %s: its parameters are listed twice", kernel->name);
	if (!count)
		return 0;
	kernel->parameters = calloc(count, sizeof *kernel->parameters);
	return kernel->parameters ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

static void three(struct reader *reader, const struct cubin_record *record, unsigned values[3])
{
	if (record->size < 12)
		return;
	for (unsigned i = 0; i < 3; i++)
		values[i] = read_u32(reader, record->at + 4 * i);
}

/* Pairs of kind and offset; kind 1 marks each instruction that spills. */
static void count_spills(struct reader *reader, const struct cubin_record *record, struct cubin_kernel *kernel)
{
	for (size_t pair = 0; pair + 8 <= record->size && record->format == RECORD_SIZED; pair += 8)
		if (read_u32(reader, record->at + pair) == 1)
			kernel->spill_instructions += kernel->spill_instructions < 0 ? 2 : 1;
}

int cubin_kernel_info(struct cubin *cubin, struct reader reader, const char *section, struct cubin_kernel *kernel,
		      struct error *err)
{
	struct cubin_record record;
	unsigned end = 0, stated = 0;
	if (count_parameters(reader, section, kernel, err))
		return -1;
	for (size_t at = 0; cubin_record_next(&reader, &at, &record);) {
		note_unknown(cubin, record.attribute);
		switch (record.attribute) {
		case ATTR_KPARAM_INFO:
		case ATTR_KPARAM_INFO_V2:
			if (is_parameter(&record)) {
				const uint32_t packed = read_u32(&reader, record.at + 8);
				struct cubin_parameter *parameter = &kernel->parameters[kernel->parameter_count++];
				parameter->ordinal = read_u16(&reader, record.at + 4);
				parameter->offset = read_u16(&reader, record.at + 6);
				/* the rest is alignment and address space of what a pointer leads to */
				parameter->size = record.attribute == ATTR_KPARAM_INFO ? packed >> 18 : packed & 0xffff;
				if (parameter->offset + parameter->size > end)
					end = parameter->offset + parameter->size;
			}
			break;
		case ATTR_PARAM_CBANK:
			if (record.size >= 8)
				kernel->parameter_base = read_u16(&reader, record.at + 4);
			break;
		case ATTR_CBANK_PARAM_SIZE:
			stated = record.value;
			break;
		case ATTR_MAXREG_COUNT:
			kernel->register_limit = record.value == NO_REGISTER_LIMIT ? 0 : record.value;
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
		case ATTR_EXPLICIT_CLUSTER:
			kernel->explicit_cluster = 1;
			break;
		case ATTR_MAX_CLUSTER_RANK:
			if (record.size >= 4)
				kernel->max_cluster_rank = read_u32(&reader, record.at);
			break;
		case ATTR_NUM_BARRIERS:
			kernel->barriers = (int)(record.value & 0xff);
			break;
		case ATTR_NUM_MBARRIERS:
			kernel->mbarriers = record.format == RECORD_SIZED ? 0 : (int)record.value;
			break;
		case ATTR_CUDA_API_VERSION:
			if (record.size >= 4 && cubin->toolkit < 50)
				cubin->toolkit = read_u32(&reader, record.at);
			break;
		case ATTR_ANNOTATIONS:
			count_spills(&reader, &record, kernel);
			break;
		}
	}
	kernel->parameter_bytes = stated ? stated : end;
	if (kernel->parameter_count)
		qsort(kernel->parameters, (size_t)kernel->parameter_count, sizeof *kernel->parameters, compare_parameters);
	return 0;
}
