#include "artifact/host_object.h"

#include "artifact/elf_file.h"
#include "artifact/reader.h"
#include "core/util.h"

#include <stdio.h>
#include <stdlib.h>

enum { ELF_MACHINE_CUDA = 190 };

/* Which majors of the CUDA runtime have a symbol, for those that not all have: compared nm listings of objects and of
 * libcudart 11.8, 12.4 and 13.0, and the release notes of 12.0 and 13.0. `prefix` matches the start of the name. */
static const struct {
	const char *name;
	int prefix, major_min, major_max;
} runtime_symbols[] = {
	{"__cudaGetKernel", 0, 12, 0},
	{"__cudaLaunchKernel", 1, 12, 0},
	{"cudaLibrary", 1, 12, 0},
	{"cudaGetDriverEntryPointByVersion", 1, 12, 0},
	{"cudaKernelSetAttributeForDevice", 0, 12, 0},
	{"cudaMemcpyBatchAsync", 1, 12, 0},
	{"cudaStreamGetDevice", 1, 12, 0},
	{"cudaLogs", 1, 12, 0},
	{"cudaMemGetMemPool", 0, 13, 0},
	{"cudaMemSetMemPool", 0, 13, 0},
	{"cudaMemDiscard", 1, 13, 0},
	{"__cudaGetProcAddress", 0, 13, 0},
	{"cudaDeviceGetHostAtomicCapabilities", 0, 13, 0},
	{"cudaDeviceGetP2PAtomicCapabilities", 0, 13, 0},
	{"cudaGetDeviceProperties_v2", 0, 12, 12},
	{"cudaGraphAddNode_v2", 1, 12, 12},
	{"cudaGraphAddDependencies_v2", 1, 12, 12},
	{"cudaGraphGetEdges_v2", 1, 12, 12},
	{"cudaMemAdvise_v2", 1, 12, 12},
	{"cudaMemPrefetchAsync_v2", 1, 12, 12},
	{"cudaStreamGetCaptureInfo_v3", 1, 12, 12},
	{"cudaStreamUpdateCaptureDependencies_v2", 1, 12, 12},
	{"cudaSignalExternalSemaphoresAsync_v2", 1, 0, 12},
	{"cudaWaitExternalSemaphoresAsync_v2", 1, 0, 12},
	{"cudaThread", 1, 0, 12},
	{"cudaSetDoubleFor", 1, 0, 12},
	{"cudaLaunchCooperativeKernelMultiDevice", 0, 0, 12},
	{"__cudaRegisterTexture", 0, 0, 11},
	{"__cudaRegisterSurface", 0, 0, 11},
	{"cudaBindTexture", 1, 0, 11},
	{"cudaUnbindTexture", 0, 0, 11},
	{"cudaGetTextureReference", 0, 0, 11},
};

/* Runtime functions that a compiler given --default-stream per-thread calls by another name (cuda_runtime_api.h). */
static const char *const stream_functions[] = {
	"__cudaLaunchKernel",  "cudaEventRecord",     "cudaFreeAsync",      "cudaLaunchCooperativeKernel",
	"cudaLaunchHostFunc",  "cudaLaunchKernel",    "cudaLaunchKernelExC", "cudaMallocAsync",
	"cudaMemcpy",          "cudaMemcpy2D",        "cudaMemcpy2DAsync",  "cudaMemcpyAsync",
	"cudaMemset",          "cudaMemsetAsync",     "cudaStreamQuery",    "cudaStreamSynchronize",
	"cudaStreamWaitEvent",
};

static const char *const library_prefixes[] = {"cublas", "cudnn", "cufft", "curand", "cusolver", "cusparse", "cutensor",
					       "nvrtc",  "nvJit", "nccl",  "npp",    "nvml",     "nvtx",     "cudss"};

static const char *const cxx_prefixes[] = {
	"_ZSt",  "_ZNSt", "_ZNKSt", "_ZNVSt",  "_ZTVSt",   "_ZTISt", "_ZTSSt",        "_ZTTSt",        "_ZTVN10__cxxabiv1",
	"_Znw",  "_Zna",  "_Zdl",   "_Zda",    "__cxa_",   "__gxx_", "__dynamic_cast", "_ZN9__gnu_cxx", "_ZTIN10__cxxabiv1",
	"__gcc_", "_Unwind_", "__once_",
};

static const char *const c_names[] = {
	"_GLOBAL_OFFSET_TABLE_", "__assert_fail", "__cxa_atexit", "__cxa_finalize", "__cxa_thread_atexit_impl",
	"__dso_handle", "__errno_location", "__gmon_start__", "__isoc99_sscanf", "__isoc23_strtol", "__isoc23_strtoul",
	"__isoc23_sscanf", "__stack_chk_fail", "__stack_chk_guard", "__tls_get_addr", "_exit", "abort", "atexit", "atof", "atoi",
	"bsearch", "calloc", "clock", "clock_gettime", "dlclose", "dlerror", "dlopen", "dlsym", "environ", "exit", "fclose",
	"fflush", "fgets", "fopen", "fprintf", "fputc", "fputs", "fread", "free", "fseek", "ftell", "fwrite", "getenv",
	"getpid", "gettimeofday", "labs", "ldexp", "longjmp", "malloc", "memchr", "memcmp", "memcpy", "memmove", "memset",
	"nanosleep", "perror", "posix_memalign", "printf", "putc", "putchar", "puts", "qsort", "raise", "rand", "realloc",
	"setenv", "sleep", "snprintf", "sprintf", "srand", "sscanf", "stderr", "stdin", "stdout", "strcasecmp", "strcat",
	"strchr", "strcmp", "strcpy", "strdup", "strerror", "strlen", "strncmp", "strncpy", "strrchr", "strstr", "strtod",
	"strtof", "strtok", "strtol", "strtoll", "strtoul", "strtoull", "syscall", "sysconf", "time", "usleep", "vfprintf",
	"vprintf", "vsnprintf", "write",
	/* libm */
	"acos", "asin", "atan", "atan2", "cbrt", "ceil", "ceilf", "cos", "cosf", "cosh", "erf", "erff", "exp", "exp2", "exp2f",
	"expf", "fabs", "floor", "floorf", "fmod", "fmodf", "frexp", "hypot", "log", "log10", "log10f", "log1p", "log2", "log2f",
	"logf", "lround", "modf", "pow", "powf", "rint", "rintf", "round", "roundf", "sin", "sinf", "sinh", "sqrt", "sqrtf", "tan",
	"tanf", "tanh", "tanhf", "trunc", "truncf"};

static int starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

enum symbol_origin symbol_origin(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(c_names); i++)
		if (strcmp(name, c_names[i]) == 0)
			return ORIGIN_C_LIBRARY;
	if (starts_with(name, "pthread_") || starts_with(name, "sem_"))
		return ORIGIN_C_LIBRARY;
	const size_t length = strlen(name);
	if (starts_with(name, "__") && length > 6 && strcmp(name + length - 4, "_chk") == 0)
		return ORIGIN_C_LIBRARY;
	if ((starts_with(name, "cuda") && is_upper(name[4])) || starts_with(name, "__cuda"))
		return ORIGIN_CUDA_RUNTIME;
	for (size_t i = 0; i < ARRAY_COUNT(library_prefixes); i++)
		if (starts_with(name, library_prefixes[i]))
			return ORIGIN_CUDA_LIBRARY;
	if (starts_with(name, "cu") && is_upper(name[2]))
		return ORIGIN_CUDA_DRIVER;
	for (size_t i = 0; i < ARRAY_COUNT(cxx_prefixes); i++)
		if (starts_with(name, cxx_prefixes[i]))
			return ORIGIN_CXX_RUNTIME;
	return ORIGIN_OTHER;
}

const char *symbol_origin_name(enum symbol_origin origin)
{
	switch (origin) {
	case ORIGIN_CUDA_RUNTIME: return "CUDA runtime";
	case ORIGIN_CUDA_DRIVER: return "CUDA driver";
	case ORIGIN_CUDA_LIBRARY: return "CUDA libraries";
	case ORIGIN_CXX_RUNTIME: return "C++ runtime";
	case ORIGIN_C_LIBRARY: return "C library";
	case ORIGIN_OTHER:
	case ORIGIN_COUNT: break;
	}
	return "other";
}

static void note_runtime_symbol(struct host_object *object, const char *name)
{
	const size_t length = strlen(name);
	if (length > 5 && (strcmp(name + length - 5, "_ptsz") == 0 || strcmp(name + length - 5, "_ptds") == 0))
		object->per_thread_stream++;
	for (size_t i = 0; i < ARRAY_COUNT(stream_functions); i++)
		object->legacy_stream += strcmp(name, stream_functions[i]) == 0;
	if (starts_with(name, "__cudaRegisterLinkedBinary"))
		object->needs_device_link = 1;
	for (size_t i = 0; i < ARRAY_COUNT(runtime_symbols); i++) {
		if (runtime_symbols[i].prefix ? !starts_with(name, runtime_symbols[i].name)
					      : strcmp(name, runtime_symbols[i].name) != 0)
			continue;
		if (runtime_symbols[i].major_min > object->cuda_major_min) {
			object->cuda_major_min = runtime_symbols[i].major_min;
			object->cuda_min_symbol = name;
		}
		const int max = runtime_symbols[i].major_max;
		if (max && (object->cuda_major_max == 0 || max < object->cuda_major_max)) {
			object->cuda_major_max = max;
			object->cuda_max_symbol = name;
		}
	}
}

static int symbols_read(const struct elf_file *elf, const struct elf_section *table, struct host_object *object,
			struct error *err)
{
	const size_t count = elf_symbol_count(table);
	if (count > INT32_MAX)
		return error_set(err, ERROR_INPUT, "has %zu ELF symbols", count);
	object->symbols = calloc(count ? count : 1, sizeof *object->symbols);
	if (!object->symbols)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 1; i < count; i++) {
		struct elf_symbol symbol;
		if (elf_symbol_read(elf, table, i, &symbol))
			return error_set(err, ERROR_INPUT, "ELF symbol %zu: is damaged", i);
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
		object->origins[out->origin]++;
		if (out->origin == ORIGIN_CUDA_RUNTIME)
			note_runtime_symbol(object, symbol.name);
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
	for (size_t i = 1; i < elf->section_count; i++) {
		const struct elf_section *section = &elf->sections[i];
		if (section->type != SHT_RELA || section->info >= elf->section_count || section->link >= elf->section_count ||
		    !(elf->sections[section->info].flags & SHF_ALLOC))
			continue;
		struct reader reader = reader_of(section->data, section->size);
		for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= section->size; at += sizeof(Elf64_Rela), relocations++) {
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

static int fatbins_find(const struct elf_file *elf, struct host_object *object, struct error *err)
{
	for (size_t i = 1; i < elf->section_count; i++) {
		const struct elf_section *section = &elf->sections[i];
		const int relocatable = strcmp(section->name, "__nv_relfatbin") == 0;
		if (strcmp(section->name, ".nvFatBinSegment") == 0)
			object->wrapper_count += (size_t)section->size / 24;
		if ((!relocatable && strcmp(section->name, ".nv_fatbin") != 0) || !section->data || section->size == 0)
			continue;
		if (section->flags & SHF_COMPRESSED)
			return error_set(err, ERROR_UNSUPPORTED,
					 "has a compressed section %s; run objcopy --decompress-debug-sections on it", section->name);
		struct host_section *fatbins = realloc(object->fatbins, (size_t)(object->fatbin_count + 1) * sizeof *fatbins);
		if (!fatbins)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		object->fatbins = fatbins;
		fatbins[object->fatbin_count++] = (struct host_section){.data = section->data,
									.size = (size_t)section->size,
									.offset = (size_t)section->offset,
									.relocatable = relocatable};
		object->needs_device_link |= relocatable;
	}
	return 0;
}

/* The runtime library that a linked file names among those it needs. */
static void runtime_library_find(const struct elf_file *elf, struct host_object *object)
{
	const struct elf_section *dynamic = elf_file_section_of_type(elf, SHT_DYNAMIC);
	if (!dynamic || dynamic->link >= elf->section_count)
		return;
	struct reader reader = reader_of(dynamic->data, dynamic->size);
	struct reader names = reader_of(elf->sections[dynamic->link].data, elf->sections[dynamic->link].size);
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic->size; at += sizeof(Elf64_Dyn)) {
		if (read_u64(&reader, at) != DT_NEEDED)
			continue;
		const char *name = read_text(&names, read_u64(&reader, at + 8));
		if (name && starts_with(name, "libcudart.so"))
			object->runtime_library = name;
	}
}

int host_object_parse(const void *bytes, size_t size, struct host_object *object, struct error *err)
{
	struct elf_file elf;
	int result = -1;
	*object = (struct host_object){0};
	if (elf_file_open(bytes, size, &elf, err))
		return -1;
	if (elf.machine == ELF_MACHINE_CUDA) {
		error_set(err, ERROR_INPUT, "is ELF for the GPU, not a host object");
		goto done;
	}
	const struct elf_section *symbols = elf_file_section_of_type(&elf, elf.type == ET_REL ? SHT_SYMTAB : SHT_DYNSYM);
	if (symbols && symbols_read(&elf, symbols, object, err))
		goto done;
	if (fatbins_find(&elf, object, err))
		goto done;
	judge_position_independence(&elf, object);
	if (elf.type != ET_REL)
		runtime_library_find(&elf, object);
	result = 0;
done:
	elf_file_close(&elf);
	if (result)
		host_object_free(object);
	return result;
}

void host_object_free(struct host_object *object)
{
	free(object->symbols);
	free(object->fatbins);
	*object = (struct host_object){0};
}

const struct host_symbol *host_object_find(const struct host_object *object, const char *name, int defined)
{
	for (int i = 0; i < object->symbol_count; i++)
		if (!object->symbols[i].defined == !defined && strcmp(object->symbols[i].name, name) == 0)
			return &object->symbols[i];
	return NULL;
}
