#include "artifact/cubin.h"
#include "artifact/demangle.h"
#include "artifact/host_object.h"
#include "artifact_fixtures.h"
#include "check.h"
#include "core/util.h"

static struct bytes code_with_spills(void)
{
	struct bytes code = {0};
	static const unsigned opcodes[6] = {0x7918, 0x7387, 0x7983, 0x9387, 0x7984, 0x794d}; /* NOP, STL, LDL, STL, LDS, EXIT */
	for (int i = 0; i < 6; i++) {
		put_u16(&code, opcodes[i]);
		put(&code, NULL, 14);
	}
	return code;
}

static struct bytes sample(unsigned abi, unsigned sm, char suffix, unsigned toolkit)
{
	struct bytes file = {0}, code = code_with_spills();
	const struct fixture_kernel kernels[] = {
		{"_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params", 255, 0, 296, 1, {440}, 3, code.data, code.size},
		{"plain", 10, 128, 0, 6, {8, 56, 4}, 0, NULL, 0},
		{"large", 32, 0, 0, 0, {8000, 8}, 0, NULL, 0},
		{"empty", 4, 0, 0, 0, {0}, 0, NULL, 0},
	};
	put_cubin(&file, abi, sm, suffix, toolkit, kernels, 4);
	bytes_free(&code);
	return file;
}

static void reads_both_abis(void)
{
	static const struct {
		unsigned abi, sm, toolkit;
		char suffix;
	} forms[] = {{7, 80, 124, 0}, {7, 90, 118, 'a'}, {8, 80, 130, 0}, {8, 90, 131, 'a'}, {8, 120, 128, 0}};
	for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
		struct bytes file = sample(forms[f].abi, forms[f].sm, forms[f].suffix, forms[f].toolkit);
		struct cubin cubin;
		struct error err = {0};
		unsigned char *base, *copy = copy_exactly(file.data, file.size, 2, &base); /* as in an ar archive */
		CHECK_INT(cubin_parse(copy, file.size, &cubin, &err), 0);
		CHECK_TEXT(err.message, "");
		CHECK_INT(cubin.abi, forms[f].abi);
		CHECK_INT(cubin.sm, forms[f].sm);
		CHECK_INT(cubin.suffix, forms[f].suffix);
		CHECK_INT(cubin.toolkit, forms[f].toolkit);
		CHECK_INT(cubin.relocatable, 0);
		CHECK_INT(cubin.kernel_count, 4);
		if (forms[f].abi >= 8) {
			CHECK_TEXT(cubin.tool_version, "release 13.0, V13.0.88");
			CHECK_TEXT(cubin.tool_options, "-arch sm_90 -m 64");
		} else {
			CHECK(cubin.tool_version == NULL);
		}
		const struct cubin_kernel *k = cubin.kernels;
		CHECK_TEXT(k[0].name, "_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params");
		CHECK_INT(k[0].registers, 255);
		CHECK_INT(k[0].frame_bytes, 296);
		CHECK_INT(k[0].stack_bytes, 296);
		CHECK_INT(k[0].parameter_count, 1);
		CHECK_INT(k[0].parameters[0].size, 440);
		CHECK_INT(k[0].parameter_bytes, 440);
		CHECK_INT(k[0].max_threads[0], 128);
		CHECK_INT(k[0].spill_instructions, forms[f].abi >= 8 ? 3 : -1);
		CHECK_INT(cubin_local_accesses(&k[0]), 3);
		CHECK_INT(k[0].local_accesses, forms[f].abi >= 8 ? -1 : 3); /* counted where spills are not stated */
		CHECK_INT(k[1].reserved_shared_bytes, forms[f].sm >= 90 ? 1024 : 0);
		CHECK_INT(cubin.file_bytes, file.size);
		CHECK_INT(k[1].shared_bytes, 128); /* without what sm_90 and newer reserve */
		CHECK_INT(k[1].barriers, 6);
		CHECK_INT(k[1].parameter_count, 3);
		CHECK_INT(k[1].parameters[0].ordinal, 0);
		CHECK_INT(k[1].parameters[1].offset, 8);
		CHECK_INT(k[1].parameters[1].size, 56);
		CHECK_INT(k[1].parameters[2].offset, 64);
		CHECK_INT(k[1].parameter_bytes, 68);
		CHECK_INT(k[1].spill_instructions, forms[f].toolkit >= 130 ? 0 : -1);
		CHECK_INT(k[2].parameters[0].size, 8000);
		CHECK_INT(k[2].parameters[1].offset, 8000);
		CHECK_INT(k[2].parameter_bytes, 8008);
		CHECK_INT(k[3].parameter_count, 0);
		/* on its own, it survives the bytes it was read from */
		CHECK_INT(cubin_detach(&cubin, &err), 0);
		memset(copy, 0x55, file.size);
		CHECK_TEXT(k[0].name, "_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params");
		CHECK_TEXT(k[3].name, "empty");
		CHECK(forms[f].abi < 8 || strcmp(cubin.tool_options, "-arch sm_90 -m 64") == 0);
		CHECK(k[0].code == NULL);
		CHECK_INT(cubin_local_accesses(&k[0]), 0);
		CHECK_INT(cubin_detach(&cubin, &err), 0);
		CHECK_TEXT(k[1].name, "plain");
		cubin_free(&cubin);

		for (size_t size = 0; size < file.size; size += size < 256 ? 1 : 37) {
			unsigned char *cut_base, *cut = copy_exactly(file.data, size, size % 8, &cut_base);
			CHECK_INT(cubin_parse(cut, size, &cubin, &err), -1); /* the section table comes last */
			CHECK_INT(cubin.kernel_count, 0);
			free(cut_base);
		}
		free(base);
		bytes_free(&file);
	}
}

static void foreign_files_are_refused(void)
{
	struct bytes file = {0};
	struct cubin cubin;
	struct host_object host;
	struct error err = {0};
	put_host_object(&file, NULL, NULL, NULL);
	CHECK_INT(cubin_parse(file.data, file.size, &cubin, &err), -1);
	CHECK_CONTAINS(err.message, "not a cubin");
	bytes_free(&file);
	file = sample(8, 90, 0, 130);
	CHECK_INT(host_object_parse(file.data, file.size, &host, &err), -1);
	CHECK_CONTAINS(err.message, "GPU");
	bytes_free(&file);
	put_text(&file, "\177ELF and then something else that is long enough for a header, but is none at all");
	CHECK_INT(cubin_parse(file.data, file.size, &cubin, &err), -1);
	CHECK_INT(host_object_parse(file.data, file.size, &host, &err), -1);
	CHECK_INT(host_object_parse(NULL, 0, &host, &err), -1);
	bytes_free(&file);
}

static void host_symbols_are_sorted_by_origin(void)
{
	static const struct {
		const char *name;
		enum symbol_origin origin;
	} names[] = {
		{"cudaLaunchKernel", ORIGIN_CUDA_RUNTIME}, {"__cudaRegisterFatBinary", ORIGIN_CUDA_RUNTIME},
		{"cuLaunchKernel", ORIGIN_CUDA_DRIVER},    {"cublasSgemm_v2", ORIGIN_CUDA_LIBRARY},
		{"_ZSt4cout", ORIGIN_CXX_RUNTIME},         {"_ZNSt8ios_base4InitC1Ev", ORIGIN_CXX_RUNTIME},
		{"__cxa_guard_acquire", ORIGIN_CXX_RUNTIME}, {"_Znwm", ORIGIN_CXX_RUNTIME},
		{"_Unwind_Resume", ORIGIN_CXX_RUNTIME},    {"__cxa_atexit", ORIGIN_C_LIBRARY},
		{"memcpy", ORIGIN_C_LIBRARY},              {"__printf_chk", ORIGIN_C_LIBRARY},
		{"_Z7run_mhav", ORIGIN_OTHER},             {"cudas", ORIGIN_OTHER},
		{"custom", ORIGIN_OTHER},                  {"", ORIGIN_OTHER},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (symbol_origin(names[i].name) != names[i].origin)
			fprintf(stderr, "%s:\n", names[i].name);
		CHECK_INT(symbol_origin(names[i].name), names[i].origin);
	}
	char *plain = demangle("_Z16flash_fwd_kernelILi64EEvPf");
	CHECK_TEXT(plain, "void flash_fwd_kernel<64>(float*)");
	free(plain);
	plain = demangle("run_mha");
	CHECK_TEXT(plain, "run_mha");
	free(plain);
	/* each back reference doubles the name: 2^30 times "i" if it were written out */
	struct bytes wild = {0};
	put_text(&wild, "_Z1f1PIiiE");
	for (int i = 0; i < 30; i++) {
		char reference[8];
		snprintf(reference, sizeof reference, "S%c_", i < 10 ? '0' + i : 'A' + i - 10);
		put_text(&wild, "S_I");
		put_text(&wild, reference);
		put_text(&wild, reference);
		put_text(&wild, "E");
	}
	put_u8(&wild, 0);
	plain = demangle((const char *)wild.data);
	CHECK_TEXT(plain, (const char *)wild.data);
	free(plain);
	bytes_free(&wild);
}

static void host_objects_are_read(void)
{
	static const char *const defined[] = {"run_mha", "_Z5otherv", NULL};
	static const char *const undefined[] = {"__cudaLaunchKernel_ptsz", "cudaGetDeviceProperties_v2", "cudaMemcpyAsync",
						"__cudaRegisterLinkedBinary_1234", "memcpy", "_ZSt4cout", NULL};
	struct bytes file = {0}, fatbin = {0};
	struct host_object host;
	struct error err = {0};
	put_fatbin(&fatbin, NULL, 0);
	put_host_object(&file, defined, undefined, &fatbin);
	unsigned char *base, *copy = copy_exactly(file.data, file.size, 2, &base);
	CHECK_INT(host_object_parse(copy, file.size, &host, &err), 0);
	CHECK_INT(host.symbol_count, 8);
	CHECK(host_object_find(&host, "run_mha", 1) && host_object_find(&host, "run_mha", 1)->function);
	CHECK(host_object_find(&host, "run_mha", 0) == NULL);
	CHECK(host_object_find(&host, "memcpy", 0) != NULL);
	CHECK_INT(host.fatbin_count, 1);
	CHECK_INT(host.fatbins[0].size, fatbin.size);
	CHECK(memcmp(host.fatbins[0].data, fatbin.data, fatbin.size) == 0);
	CHECK_INT(host.per_thread_stream, 1);
	CHECK_INT(host.legacy_stream, 1);
	CHECK_INT(host.origins[ORIGIN_CUDA_RUNTIME], 4);
	CHECK_INT(host.origins[ORIGIN_C_LIBRARY], 1);
	CHECK_INT(host.origins[ORIGIN_CXX_RUNTIME], 1);
	CHECK_INT(host.cuda_major_min, 12);
	CHECK_INT(host.cuda_major_max, 12);
	CHECK_TEXT(host.cuda_max_symbol, "cudaGetDeviceProperties_v2");
	CHECK_INT(host.needs_device_link, 1);
	CHECK_INT(host.pic, PIC_YES);
	host_object_free(&host);
	free(base);
	for (size_t size = 0; size < file.size; size += size < 128 ? 1 : 13) {
		unsigned char *cut_base, *cut = copy_exactly(file.data, size, size % 8, &cut_base);
		CHECK_INT(host_object_parse(cut, size, &host, &err), -1);
		free(cut_base);
	}
	bytes_free(&file);
	bytes_free(&fatbin);
}

static enum position_independence pic_of(unsigned relocation, unsigned bind, unsigned type, unsigned visibility, unsigned section)
{
	struct fixture_symbols symbols = {0};
	static const unsigned char code[16];
	const Elf64_Rela rela = {.r_info = ELF64_R_INFO(1, relocation)};
	struct bytes file = {0};
	struct host_object host;
	put_symbol(&symbols, "thing", bind, type, visibility, section);
	const struct fixture_section sections[] = {
		{".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, 0, code, sizeof code, 0},
		{".rela.text", SHT_RELA, SHF_INFO_LINK, 3, 1, &rela, sizeof rela, sizeof rela},
		{".symtab", SHT_SYMTAB, 0, 4, 1, symbols.table.data, symbols.table.size, sizeof(Elf64_Sym)},
		{".strtab", SHT_STRTAB, 0, 0, 0, symbols.names.data, symbols.names.size, 0},
	};
	put_elf(&file, &(struct fixture_elf){EM_X86_64, ET_REL, 0, 0, 1, 0}, sections, 4);
	const int failed = host_object_parse(file.data, file.size, &host, NULL);
	const enum position_independence pic = failed ? PIC_UNKNOWN : host.pic;
	if (!failed)
		host_object_free(&host);
	symbols_free(&symbols);
	bytes_free(&file);
	return pic;
}

static void position_independence_is_judged(void)
{
	CHECK_INT(pic_of(R_X86_64_PLT32, STB_GLOBAL, STT_NOTYPE, STV_DEFAULT, 0), PIC_YES);
	CHECK_INT(pic_of(R_X86_64_REX_GOTPCRELX, STB_GLOBAL, STT_NOTYPE, STV_DEFAULT, 0), PIC_YES);
	CHECK_INT(pic_of(R_X86_64_32, STB_LOCAL, STT_SECTION, STV_DEFAULT, 1), PIC_NO);
	CHECK_INT(pic_of(R_X86_64_32S, STB_GLOBAL, STT_OBJECT, STV_DEFAULT, 0), PIC_NO);
	CHECK_INT(pic_of(R_X86_64_PC32, STB_GLOBAL, STT_NOTYPE, STV_DEFAULT, 0), PIC_NO);
	CHECK_INT(pic_of(R_X86_64_PC32, STB_GLOBAL, STT_OBJECT, STV_DEFAULT, 1), PIC_NO);
	CHECK_INT(pic_of(R_X86_64_PC32, STB_GLOBAL, STT_NOTYPE, STV_HIDDEN, 0), PIC_YES); /* __dso_handle */
	CHECK_INT(pic_of(R_X86_64_PC32, STB_LOCAL, STT_OBJECT, STV_DEFAULT, 1), PIC_YES);
}

/* This very program is a real file of a real linker. */
static void reads_a_real_file(void)
{
	struct file_map map;
	struct host_object host;
	struct error err = {0};
	CHECK_INT(file_map_open(&map, "/proc/self/exe", &err), 0);
	CHECK_INT(host_object_parse(map.data, map.size, &host, &err), 0);
	CHECK(host_object_find(&host, "memcmp", 0) || host_object_find(&host, "malloc", 0) || host_object_find(&host, "free", 0));
	CHECK_INT(host.fatbin_count, 0);
	host_object_free(&host);
	file_map_close(&map);
}

static void attributes_have_names(void)
{
	CHECK_TEXT(cubin_attribute_name(0x2f), "REGCOUNT");
	CHECK_TEXT(cubin_attribute_name(0x55), "ANNOTATIONS");
	CHECK_TEXT(cubin_attribute_name(0x6d), "PREEXIT_USED");
	CHECK(cubin_attribute_name(0x63) == NULL);
	CHECK(cubin_attribute_name(0x6e) == NULL);
}

int main(void)
{
	attributes_have_names();
	reads_both_abis();
	foreign_files_are_refused();
	host_symbols_are_sorted_by_origin();
	host_objects_are_read();
	position_independence_is_judged();
	reads_a_real_file();
	return check_result();
}
