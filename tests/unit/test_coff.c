/* COFF objects and import members: written byte by byte, and made by an assembler for Windows where there is one. */
#include "artifact/artifact.h"
#include "artifact/coff.h"
#include "check.h"
#include "coff_fixtures.h"

#include <unistd.h>

static char folder[256];

static const char release[] = "   /DEFAULTLIB:\"MSVCRT\" /DEFAULTLIB:\"OLDNAMES\" /FAILIFMISMATCH:\"_MSC_VER=1900\" "
			      "/FAILIFMISMATCH:\"_ITERATOR_DEBUG_LEVEL=0\" /FAILIFMISMATCH:\"RuntimeLibrary=MD_DynamicRelease\" "
			      "/EXPORT:run_mha ";

/* A container of SASS for sm_90, flagged for Windows. */
static void put_windows_fatbin(struct bytes *out)
{
	const struct fixture_kernel kernel = {"_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params", 64, 0, 0, 0, {440}, 0, NULL, 0};
	static const char ptx[] = ".version 9.0\r\n.target sm_90\r\n.entry a(.param .u64 p) { ret; }\r\n";
	struct bytes cubin = {0};
	put_cubin(&cubin, 8, 90, 0, 130, &kernel, 1);
	const struct fixture_entry entries[] = {{2, 90, 1, 8, 0x41, cubin.data, cubin.size, NULL, NULL},
						{1, 90, 9, 0, 0x8041, ptx, sizeof ptx, NULL, NULL}};
	put_fatbin(out, entries, 2);
	bytes_free(&cubin);
}

static const struct host_symbol *find(const struct host_object *object, const char *name)
{
	for (int i = 0; i < object->symbol_count; i++)
		if (strcmp(object->symbols[i].name, name) == 0)
			return &object->symbols[i];
	return NULL;
}

static void objects_are_read(int bigobj)
{
	static const unsigned char code[8] = {0xc3};
	static const char directives[] = "/DEFAULTLIB:LIBCMTD /DEFAULTLIB:libcpmtd.lib -failifmismatch:\"_ITERATOR_DEBUG_LEVEL=2\"";
	struct bytes file = {0}, fatbin = {0};
	struct host_object object;
	struct error err = {0};
	put_windows_fatbin(&fatbin);
	const struct fixture_coff_section sections[] = {
		{".text", code, sizeof code, 0x60000020, NULL, 0, 0},
		{".nv_fatbin", fatbin.data, fatbin.size, 0x40500040, NULL, 0, 0},
		{"a_section_of_a_long_name", code, sizeof code, 0x40000040, NULL, 0, 0},
		{".inline", code, sizeof code, 0x60001020, NULL, 0, 0},
		{".gy", code, sizeof code, 0x60001020, NULL, 0, 0},
		{".bss", NULL, 4096, 0xc0000080, NULL, 0, 0},
		{".drectve", directives, sizeof directives - 1, 0xa00, NULL, 0, 0},
		{"__nv_relfatbin", fatbin.data, fatbin.size, 0x40500040, NULL, 0, 0},
	};
	const struct fixture_coff_symbol symbols[] = {
		{".file", 0, -2, 0, 103, 0, 2},
		{"@feat.00", 17, -1, 0, 3, 0, 0},
		{".inline", 0, 4, 0, 3, 2, 0},
		{".gy", 0, 5, 0, 3, 1, 0},
		{"run_mha", 0, 1, 0x20, 2, 0, 0},
		{"eight888", 0, 1, 0x20, 2, 0, 0},
		{"?inlined@@YAXXZ", 0, 4, 0x20, 2, 0, 0},
		{"?alone@@YAXXZ", 0, 5, 0x20, 2, 0, 0},
		{"tentative", 16, 0, 0, 2, 0, 0},
		{"__imp_cudaLaunchKernel", 0, 0, 0x20, 2, 0, 0},
		{"cudaMemcpyAsync_ptsz", 0, 0, 0x20, 2, 0, 0},
		{"__cudaLaunchKernel", 0, 0, 0x20, 2, 0, 0},
		{"__CxxFrameHandler4", 0, 0, 0x20, 2, 0, 0},
		{"??2@YAPEAX_K@Z", 0, 0, 0x20, 2, 0, 0},
		{"??0bad_alloc@std@@QEAA@XZ", 0, 0, 0x20, 2, 0, 0},
		{"?takes@@YAXV?$vector@H@std@@@Z", 0, 0, 0x20, 2, 0, 0},
		{"_RTC_CheckStackVars", 0, 0, 0x20, 2, 0, 0},
		{"memcpy", 0, 0, 0x20, 2, 0, 0},
		{"fallback", 0, 0, 0, 105, 0, 1},
		{"local_thing", 0, 1, 0x20, 3, 0, 0},
	};
	const struct fixture_coff coff = {sections, 8, symbols, sizeof symbols / sizeof symbols[0], bigobj, bigobj};
	put_coff(&file, &coff);
	CHECK_INT(host_object_parse(file.data, file.size, &object, &err), 0);
	CHECK_INT(object.kind, bigobj ? OBJECT_COFF_BIGOBJ : OBJECT_COFF);
	CHECK_INT(object.machine, 0x8664);
	CHECK_INT(object.symbol_count, 15);
	CHECK_INT(object.fatbin_count, 2);
	CHECK(object.fatbins && memcmp(object.fatbins[0].data, fatbin.data, fatbin.size) == 0);
	CHECK_INT(object.fatbins[0].relocatable, 0);
	CHECK_INT(object.fatbins[1].relocatable, 1);
	CHECK_INT(object.needs_device_link, 1);
	static const struct {
		const char *name;
		int defined, function, weak, imported, common;
	} expected[] = {
		{"run_mha", 1, 1, 0, 0, 0},          {"eight888", 1, 1, 0, 0, 0},       {"?inlined@@YAXXZ", 1, 1, 1, 0, 0},
		{"?alone@@YAXXZ", 1, 1, 0, 0, 0},    {"tentative", 1, 0, 0, 0, 1},      {"cudaLaunchKernel", 0, 1, 0, 1, 0},
		{"__cudaLaunchKernel", 0, 1, 0, 0, 0}, {"fallback", 0, 0, 1, 0, 0},
	};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		const struct host_symbol *symbol = find(&object, expected[i].name);
		CHECK(symbol != NULL);
		if (!symbol)
			continue;
		CHECK_INT(symbol->defined, expected[i].defined);
		CHECK_INT(symbol->function, expected[i].function);
		CHECK_INT(symbol->weak, expected[i].weak);
		CHECK_INT(symbol->imported, expected[i].imported);
		CHECK_INT(symbol->common, expected[i].common);
	}
	CHECK(find(&object, "local_thing") == NULL);
	CHECK(find(&object, ".file") == NULL);
	CHECK_INT(object.origins[ORIGIN_CUDA_RUNTIME], 3);
	CHECK_INT(object.origins[ORIGIN_MSVC_RUNTIME], 5);
	CHECK_INT(object.origins[ORIGIN_OTHER], 2); /* ?takes@@..., fallback */
	CHECK_INT(object.cuda_major_min, 12);
	CHECK_INT(object.per_thread_stream, 1);
	CHECK_INT(object.legacy_stream, 2);
	CHECK_INT(object.msvc.runtime, MSVC_RUNTIME_MTD);
	CHECK_INT(object.msvc.other_runtime, MSVC_RUNTIME_UNKNOWN);
	CHECK_TEXT(object.msvc.evidence, "DEFAULTLIB LIBCMTD");
	CHECK_INT(object.msvc.iterator_debug_level, 2);
	CHECK_INT(object.msvc.has_runtime_checks, 1);
	CHECK(msvc_runtime_is_debug(object.msvc.runtime) && msvc_runtime_is_static(object.msvc.runtime));
	host_object_free(&object);

	/* cut anywhere it is refused, or read without a step beyond its end */
	for (size_t size = 0; size < file.size; size++) {
		unsigned char *base, *copy = copy_exactly(file.data, size, size % 2, &base);
		if (host_object_parse(copy, size, &object, &err) == 0)
			host_object_free(&object);
		else
			CHECK(object.symbols == NULL && object.fatbins == NULL && object.names == NULL);
		free(base);
	}
	bytes_free(&file);
	bytes_free(&fatbin);
}

static void section_tables_are_read(void)
{
	static const unsigned char code[64] = {0};
	enum { MANY = 70000 };
	struct fixture_relocation *relocations = calloc(MANY, sizeof *relocations);
	const struct fixture_relocation fixed = {4, 0, 2};
	struct bytes file = {0};
	struct coff_file coff;
	struct host_object object;
	struct error err = {0};
	if (!relocations)
		abort();
	for (unsigned i = 0; i < MANY; i++)
		relocations[i].type = 4; /* REL32 */
	const struct fixture_coff_section sections[] = {{".text", code, sizeof code, 0x60000020, relocations, MANY, 1},
							{"a_name_of_more_than_eight_bytes", code, sizeof code, 0x40000040, &fixed, 1, 0}};
	const struct fixture_coff_symbol symbols[] = {{"stdout_or_so", 0, 0, 0, 2, 0, 0}};
	const struct fixture_coff written = {sections, 2, symbols, 1, 0, 1};
	put_coff(&file, &written);
	CHECK_INT(coff_open(file.data, file.size, &coff, &err), 0);
	CHECK_INT(coff.section_count, 2);
	CHECK_INT(coff.sections[0].relocation_count, MANY);
	CHECK_TEXT(coff_section_name(&coff.sections[0]), ".text");
	CHECK_TEXT(coff_section_name(&coff.sections[1]), "a_name_of_more_than_eight_bytes"); /* written as "//AAAAAE" */
	coff_close(&coff);
	CHECK_INT(host_object_parse(file.data, file.size, &object, &err), 0);
	CHECK_INT(object.pic, PIC_NO);
	CHECK_TEXT(object.pic_evidence, "IMAGE_REL_AMD64_ADDR32 against stdout_or_so in a_name_of_more_than_eigh");
	host_object_free(&object);
	free(relocations);

	/* claims that do not fit in the file */
	static const struct {
		size_t at;
		uint32_t value;
		const char *says;
	} lies[] = {{2, 0xfeff, "sections, which do not fit"}, {2, 0xffff, "more than such a file can have"}, {12, 0x10000000, "claims 268435456 symbols"},
		    {20 + 16, 0x7fffffff, "outside the file"}, {20 + 24, 0x7fffffff, "relocations lie outside"}};
	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		unsigned char keep[4];
		memcpy(keep, file.data + lies[i].at, 4);
		memcpy(file.data + lies[i].at, &lies[i].value, lies[i].at == 2 ? 2 : 4);
		CHECK_INT(host_object_parse(file.data, file.size, &object, &err), -1);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK_CONTAINS(err.message, lies[i].says);
		memcpy(file.data + lies[i].at, keep, 4);
	}
	bytes_free(&file);
}

static void endless_names_are_refused(void)
{
	enum { SYMBOLS = 3000, LENGTH = 60000 };
	struct bytes file = {0}, text = {0};
	struct host_object object;
	struct error err = {0};
	put(&text, NULL, LENGTH + 1);
	memset(text.data, 'n', LENGTH);
	put_u16(&file, 0x8664);
	put(&file, NULL, 6);
	put_u32(&file, 20);
	put_u32(&file, SYMBOLS);
	put_u32(&file, 0);
	for (int i = 0; i < SYMBOLS; i++) {
		put_u32(&file, 0);
		put_u32(&file, 4);
		put(&file, "\0\0\0\0\0\0\0\0\2\0", 10);
	}
	put_u32(&file, 4 + LENGTH + 1);
	put(&file, text.data, text.size);
	CHECK_INT(host_object_parse(file.data, file.size, &object, &err), -1);
	CHECK_CONTAINS(err.message, "many times its size");
	bytes_free(&file);
	bytes_free(&text);
}

static void directives_tell_the_runtime(void)
{
	static const struct {
		const char *text;
		enum msvc_runtime runtime, other;
		int level;
		unsigned msc_ver, exports;
	} cases[] = {
		{release, MSVC_RUNTIME_MD, MSVC_RUNTIME_UNKNOWN, 0, 1900, 1},
		{"/FAILIFMISMATCH:\"RuntimeLibrary=MDd_DynamicDebug\"", MSVC_RUNTIME_MDD, MSVC_RUNTIME_UNKNOWN, -1, 0, 0},
		{"/DEFAULTLIB:\"libcmt\" /DEFAULTLIB:\"msvcprtd\"", MSVC_RUNTIME_MT, MSVC_RUNTIME_MDD, -1, 0, 0},
		{"-aligncomm:\"x\",4 -exclude-symbols:_y ", MSVC_RUNTIME_UNKNOWN, MSVC_RUNTIME_UNKNOWN, -1, 0, 0},
		{"/DEFAULTLIB: /FAILIFMISMATCH:= /EXPORT /DEFAULTLIB:\"msvcrt", MSVC_RUNTIME_MD, MSVC_RUNTIME_UNKNOWN, -1, 0, 0},
		{"", MSVC_RUNTIME_UNKNOWN, MSVC_RUNTIME_UNKNOWN, -1, 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes file = {0};
		struct host_object object;
		struct error err = {0};
		put_msvc_object(&file, "run_mha", "memcpy", cases[i].text, NULL, 0);
		CHECK_INT(host_object_parse(file.data, file.size, &object, &err), 0);
		CHECK_INT(object.msvc.runtime, cases[i].runtime);
		CHECK_INT(object.msvc.other_runtime, cases[i].other);
		CHECK_INT(object.msvc.iterator_debug_level, cases[i].level);
		CHECK_INT(object.msvc.msc_ver, cases[i].msc_ver);
		CHECK_INT(object.msvc.exports, cases[i].exports);
		CHECK_INT(object.pic, PIC_YES);
		host_object_free(&object);
		bytes_free(&file);
	}
}

static const char *path_of(const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void write_bytes(const char *name, const struct bytes *file)
{
	struct error err = {0};
	CHECK_INT(write_file_atomically(path_of(name), file->data, file->size, &err), 0);
}

static int has_finding(struct artifact *artifact, const char *text)
{
	struct artifact_findings findings;
	struct error err = {0};
	int found = 0;
	CHECK_INT(artifact_findings(artifact, &findings, &err), 0);
	for (int i = 0; i < findings.count; i++)
		found |= strstr(findings.items[i].text, text) != NULL;
	artifact_findings_free(&findings);
	return found;
}

/* What lib.exe makes of objects that nvcc made on Windows: two indexes, names that end with NUL, import members, LTCG. */
static void windows_archives_are_read(void)
{
	static const char ltcg[56] = "\0\0\377\377\1\0\144\206\0\0\0\0\070\376\263\014\245\331\253\115\254\233\326\266\042\046\123\302";
	struct bytes fatbin = {0}, objects[3] = {{0}}, import = {0}, archive = {0};
	struct artifact artifact;
	struct artifact_coverage coverage;
	struct artifact_kernels kernels;
	struct artifact_entry_points points;
	struct artifact_undefined undefined;
	struct archive_facts facts;
	struct error err = {0};
	put_windows_fatbin(&fatbin);
	put_msvc_object(&objects[0], "run_mha", "cudaLaunchKernel", release, &fatbin, 0);
	put_msvc_object(&objects[1], "?helper@@YAXXZ", "__imp_cudaMalloc", "/DEFAULTLIB:\"libcmt\"", &fatbin, 1);
	put_coff_import(&import, "cudaMalloc", "cudart64_12.dll", 1 << 2);
	const struct fixture_member members[] = {
		{"flash.dir\\Release\\flash_api.obj", objects[0].data, objects[0].size},
		{"tmpxft_000012ab_00000000-10_helper.obj", objects[1].data, objects[1].size},
		{"cudart64_12.dll", import.data, import.size},
		{"ltcg.obj", ltcg, sizeof ltcg},
	};
	put_ar(&archive, FIXTURE_MSVC, members, 4, 0);
	write_bytes("libflashattention.a", &archive);
	CHECK_INT(artifact_open(path_of("libflashattention.a"), &artifact, &err), 0);
	CHECK_TEXT(ar_flavour_name(&artifact.ar), "MSVC lib");
	CHECK_INT(artifact.ar.has_second_index, 1);
	CHECK_INT(artifact.unit_count, 4);
	CHECK_TEXT(artifact.units[0].name, "flash.dir\\Release\\flash_api.obj");
	CHECK_INT(artifact.units[0].image_count, 2);
	CHECK_INT(artifact.units[0].images[0].entry.flags & FATBIN_FLAG_WINDOWS, FATBIN_FLAG_WINDOWS);
	CHECK_INT(artifact.units[1].kind, OBJECT_COFF_BIGOBJ);
	CHECK_INT(artifact.units[1].image_count, 2);
	CHECK_CONTAINS(artifact.units[3].problem, "build without /GL");
	CHECK_CONTAINS(artifact_unit_not_linkable(&artifact.units[0]), "Windows object");
	CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.sass, 2);
	CHECK_INT(artifact_coverage(&artifact, 12, 0, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.jit, 2);
	CHECK_INT(artifact_kernel_names(&artifact, 9, 0, IMAGE_SASS, &kernels, &err), 0);
	CHECK_INT(kernels.count, 2);
	artifact_kernels_free(&kernels);
	CHECK_INT(artifact_entry_points(&artifact, &points, &err), 0);
	CHECK_INT(points.count, 1); /* neither MSVC's C++ names nor imports are any */
	CHECK_TEXT(points.items[0].name, "run_mha");
	artifact_entry_points_free(&points);
	CHECK_INT(artifact_undefined(&artifact, &undefined, &err), 0);
	CHECK_INT(undefined.count, 2); /* the import member has cudaMalloc */
	CHECK_TEXT(undefined.items[0].name, "__security_check_cookie");
	CHECK_INT(undefined.items[0].origin, ORIGIN_MSVC_RUNTIME);
	CHECK_TEXT(undefined.items[1].name, "cudaLaunchKernel");
	artifact_undefined_free(&undefined);
	CHECK_INT(artifact_archive_facts(&artifact, &facts, &err), 0);
	CHECK_INT(facts.index_dangling + facts.index_wrong + facts.index_missing, 0);
	CHECK_INT(facts.index_damaged, 0);
	CHECK_INT(facts.import_members, 1);
	CHECK_INT(facts.temporary_names, 1);
	CHECK_INT(facts.first_temporary, 1);
	CHECK_INT(facts.other_format, -1);
	CHECK_INT(facts.other_machine, -1);
	CHECK(has_finding(&artifact, "is built for the C runtime /MD (dynamic, release) and "));
	CHECK(has_finding(&artifact, "called after a process of the build"));
	artifact_close(&artifact);
	bytes_free(&archive);

	/* with one symbol of its index changed, that is found */
	put_ar(&archive, FIXTURE_MSVC, members, 2, 0);
	unsigned char *name = memmem(archive.data, archive.size, "run_mha", 7);
	CHECK(name != NULL);
	if (name)
		name[0] = 'x';
	write_bytes("wrong.lib", &archive);
	CHECK_INT(artifact_open(path_of("wrong.lib"), &artifact, &err), 0);
	CHECK_INT(artifact_archive_facts(&artifact, &facts, &err), 0);
	CHECK_INT(facts.index_wrong, 1);
	CHECK_TEXT(facts.first_wrong, "xun_mha");
	CHECK_INT(facts.index_missing, 1);
	CHECK_TEXT(facts.first_missing, "run_mha");
	artifact_close(&artifact);
	for (size_t i = 0; i < 3; i++)
		bytes_free(&objects[i]);
	bytes_free(&archive);
	bytes_free(&import);
	bytes_free(&fatbin);
}

/* ---- an assembler for Windows ---- */

static int command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int command(const char *format, ...)
{
	char line[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	return system(line);
}

/* What nm says of one object, held against what we read. */
static void compare_with_nm(const char *object_path, const struct host_object *object)
{
	char line[2048];
	snprintf(line, sizeof line, "x86_64-w64-mingw32-nm -g '%s'", object_path);
	FILE *nm = popen(line, "r");
	int lines = 0, same = 0;
	CHECK(nm != NULL);
	while (nm && fgets(line, sizeof line, nm)) {
		char type, name[1024];
		if (sscanf(line, "%*x %c %1023s", &type, name) != 2 && sscanf(line, " %c %1023s", &type, name) != 2)
			continue;
		lines++;
		const struct host_symbol *symbol = find(object, strncmp(name, "__imp_", 6) == 0 ? name + 6 : name);
		const int undefined = type == 'U' || type == 'w';
		if (symbol && symbol->defined == !undefined && (type != 'C' || symbol->common))
			same++;
		else
			fprintf(stderr, "nm and we disagree: %s", line);
	}
	if (nm)
		pclose(nm);
	CHECK_INT(same, lines);
	CHECK_INT(lines, object->symbol_count);
}

static void assembled_objects_are_read(void)
{
	static const char source[] = "\t.section .nv_fatbin,\"dr\"\n\t.p2align 4\nfatbinData:\n\t.incbin \"fatbin.bin\"\n"
				     "\t.section .nvFatBinSegment,\"dw\"\n\t.long 0x466243b1,1\n\t.quad fatbinData\n\t.quad 0\n"
				     "\t.section .drectve,\"yn\"\n\t.ascii \" /DEFAULTLIB:\\\"LIBCMT\\\" /DEFAULTLIB:\\\"OLDNAMES\\\" \"\n"
				     "\t.text\n\t.globl run_mha\n\t.def run_mha; .scl 2; .type 32; .endef\nrun_mha:\n\tcall cudaLaunchKernel\n"
				     "\tcall *__imp_cudaMalloc(%rip)\n\tcall __security_check_cookie\n\tret\n"
				     "\t.section .text$inl,\"xr\"\n\t.linkonce discard\n\t.globl inl\n\t.def inl; .scl 2; .type 32; .endef\ninl:\n\tret\n"
				     "\t.comm shared_thing,64\n\t.weak perhaps\n\t.text\n\tcall perhaps\n";
	const int has_assembler = system("command -v x86_64-w64-mingw32-as >/dev/null") == 0;
	if (!has_assembler) {
		printf("SKIPPED: objects of a real assembler: there is no x86_64-w64-mingw32-as (Debian: binutils-mingw-w64-x86-64)\n");
		return;
	}
	struct bytes fatbin = {0}, text = {0};
	struct error err = {0};
	put_windows_fatbin(&fatbin);
	put_text(&text, source);
	write_bytes("fatbin.bin", &fatbin);
	write_bytes("unit.s", &text);
	/* with nvcc, a second one carries what it made */
	static const char nvcc[] = "PATH=\"$PATH:/usr/local/cuda/bin\" nvcc";
	const int has_nvcc = command("%s --version >/dev/null 2>&1", nvcc) == 0;
	for (int form = 0; form < 4; form++) {
		char object_path[512];
		struct artifact artifact;
		const int bigobj = form & 1, real = form >> 1;
		if (real && !has_nvcc) {
			printf("SKIPPED: COFF with device code of nvcc: there is no nvcc\n");
			break;
		}
		if (real && form == 2) {
			static const char kernel[] = "__global__ void k(int *p, float f) { p[threadIdx.x] = (int)f; }\n";
			struct bytes cu = {0};
			put_text(&cu, kernel);
			write_bytes("k.cu", &cu);
			bytes_free(&cu);
			CHECK_INT(command("cd '%s' && %s -fatbin -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=[sm_90,compute_90] "
					  "-o fatbin.bin k.cu", folder, nvcc), 0);
		}
		snprintf(object_path, sizeof object_path, "%s/unit%d.obj", folder, form);
		CHECK_INT(command("cd '%s' && x86_64-w64-mingw32-as %s -o '%s' unit.s", folder, bigobj ? "-mbig-obj" : "", object_path), 0);
		CHECK_INT(artifact_open(object_path, &artifact, &err), 0);
		if (artifact.unit_count != 1)
			continue;
		const struct host_object *object = &artifact.units[0].host;
		CHECK_INT(artifact.kind, bigobj ? OBJECT_COFF_BIGOBJ : OBJECT_COFF);
		compare_with_nm(object_path, object);
		CHECK_INT(object->wrapper_count, 1);
		CHECK_INT(object->fatbin_count, 1);
		CHECK_INT(object->msvc.runtime, MSVC_RUNTIME_MT);
		CHECK_INT(object->pic, PIC_YES);
		const struct host_symbol *inl = find(object, "inl");
		CHECK(inl && inl->weak && inl->defined && inl->function);
		CHECK_INT(artifact.units[0].image_count, real ? 3 : 2);
		struct artifact_kernels kernels;
		CHECK_INT(artifact_kernel_names(&artifact, 9, 0, IMAGE_SASS, &kernels, &err), 0);
		CHECK_INT(kernels.count, 1);
		if (kernels.count == 1)
			CHECK_TEXT(kernels.items[0].name, real ? "_Z1kPif" : "_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params");
		artifact_kernels_free(&kernels);
		artifact_close(&artifact);
	}
	bytes_free(&fatbin);
	bytes_free(&text);
}

int main(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%s/assay-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	objects_are_read(0);
	objects_are_read(1);
	section_tables_are_read();
	endless_names_are_refused();
	directives_tell_the_runtime();
	windows_archives_are_read();
	assembled_objects_are_read();
	CHECK_INT(command("rm -rf '%s'", folder), 0);
	return check_result();
}
