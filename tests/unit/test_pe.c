/* Linked Windows files: written byte by byte, and made by GNU ld where there is one for Windows. */
#include "artifact/artifact.h"
#include "artifact/pe.h"
#include "check.h"
#include "coff_fixtures.h"

#include <unistd.h>

static char folder[256];

static void put_windows_fatbin(struct bytes *out)
{
	const struct fixture_kernel kernel = {"k", 64, 0, 0, 0, {8}, 0, NULL, 0};
	struct bytes cubin = {0};
	put_cubin(&cubin, 7, 86, 0, 124, &kernel, 1);
	put_fatbin(out, &(struct fixture_entry){2, 86, 1, 7, 0x41, cubin.data, cubin.size, NULL, NULL}, 1);
	bytes_free(&cubin);
}

static const char *const exports[] = {"alpha", "run_mha", NULL};

static void dlls_are_read(int is_32bit)
{
	static const char *const imports[] = {"cudart64_12.dll:cudaLaunchKernel", "cudart64_12.dll:__cudaLaunchKernel",
					      "VCRUNTIME140.dll:memcpy",          "cublas64_12.dll:#",
					      "KERNEL32.dll:GetLastError",        NULL};
	struct bytes file = {0}, fatbin = {0};
	struct host_object object;
	struct error err = {0};
	put_windows_fatbin(&fatbin);
	put_dll(&file, &(struct fixture_dll){.name = "plugin.dll",
					     .exports = exports,
					     .imports = imports,
					     .fatbin = &fatbin,
					     .debug_path = "C:\\Users\\someone\\plugin.pdb",
					     .is_32bit = is_32bit});
	CHECK_INT(host_object_parse(file.data, file.size, &object, &err), 0);
	CHECK_INT(object.kind, OBJECT_PE);
	CHECK_INT(object.machine, is_32bit ? 0x14c : 0x8664);
	CHECK_TEXT(object.library_name, "plugin.dll");
	CHECK_TEXT(object.debug_path, "C:\\Users\\someone\\plugin.pdb");
	CHECK_INT(object.msvc.linker_version, 1438);
	CHECK_INT(object.pic, PIC_YES);
	CHECK_INT(object.library_count, 4);
	CHECK_TEXT(object.libraries[0], "cudart64_12.dll");
	CHECK_TEXT(object.libraries[2], "cublas64_12.dll");
	CHECK_TEXT(object.libraries[3], "KERNEL32.dll");
	CHECK_TEXT(object.runtime_library, "cudart64_12.dll");
	CHECK_INT(object.runtime_library_major, 12);
	CHECK_INT(object.symbol_count, 6);
	const struct host_symbol *run_mha = host_object_find(&object, "run_mha", 1);
	CHECK(run_mha && run_mha->function && !run_mha->imported);
	const struct host_symbol *launch = host_object_find(&object, "cudaLaunchKernel", 0);
	CHECK(launch && launch->imported && launch->origin == ORIGIN_CUDA_RUNTIME);
	if (launch)
		CHECK_TEXT(launch->library, "cudart64_12.dll");
	CHECK_INT(object.origins[ORIGIN_CUDA_RUNTIME], 2);
	CHECK_INT(object.origins[ORIGIN_MSVC_RUNTIME], 1);
	CHECK_INT(object.cuda_major_min, 12);
	CHECK_INT(object.msvc.runtime, MSVC_RUNTIME_MD);
	CHECK_TEXT(object.msvc.evidence, "imports VCRUNTIME140.dll");
	CHECK_INT(object.wrapper_count, 1);
	CHECK_INT(object.fatbin_count, 1);
	if (object.fatbin_count == 1) {
		CHECK_INT(object.fatbins[0].size, fatbin.size);
		CHECK(memcmp(object.fatbins[0].data, fatbin.data, fatbin.size) == 0);
	}
	host_object_free(&object);

	for (size_t size = 0; size < file.size; size++) {
		unsigned char *base, *copy = copy_exactly(file.data, size, 0, &base);
		if (host_object_parse(copy, size, &object, &err) == 0)
			host_object_free(&object);
		free(base);
	}
	/* every byte of the tables changed: it is refused, or read without a step beyond its end */
	const size_t tables = file.size - fatbin.size - 24;
	for (size_t at = 0; at < tables; at++) {
		unsigned char *base, *copy = copy_exactly(file.data, file.size, 0, &base);
		copy[at] ^= 0xff;
		if (host_object_parse(copy, file.size, &object, &err) == 0)
			host_object_free(&object);
		free(base);
	}
	bytes_free(&file);
	bytes_free(&fatbin);
}

static void runtimes_are_told_by_dlls(void)
{
	static const struct {
		const char *import;
		enum msvc_runtime runtime;
		const char *library;
		unsigned major;
	} cases[] = {
		{"VCRUNTIME140D.dll:memcpy", MSVC_RUNTIME_MDD, NULL, 0},
		{"MSVCP140_1.dll:x", MSVC_RUNTIME_MD, NULL, 0},
		{"ucrtbased.dll:malloc", MSVC_RUNTIME_MDD, NULL, 0},
		{"api-ms-win-crt-heap-l1-1-0.dll:malloc", MSVC_RUNTIME_MD, NULL, 0},
		{"msvcrt.dll:malloc", MSVC_RUNTIME_UNKNOWN, NULL, 0}, /* Windows' own, which mingw uses */
		{"cudart64_110.dll:cudaMalloc", MSVC_RUNTIME_UNKNOWN, "cudart64_110.dll", 11},
		{"cudart64_13.dll:cudaMalloc", MSVC_RUNTIME_UNKNOWN, "cudart64_13.dll", 13},
		{"cudart64_x.dll:cudaMalloc", MSVC_RUNTIME_UNKNOWN, "cudart64_x.dll", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const imports[] = {cases[i].import, NULL};
		struct bytes file = {0};
		struct host_object object;
		struct error err = {0};
		put_dll(&file, &(struct fixture_dll){.name = "x.dll", .imports = imports});
		CHECK_INT(host_object_parse(file.data, file.size, &object, &err), 0);
		CHECK_INT(object.msvc.runtime, cases[i].runtime);
		CHECK_INT(object.runtime_library_major, cases[i].major);
		if (cases[i].library)
			CHECK_TEXT(object.runtime_library, cases[i].library);
		else
			CHECK(object.runtime_library == NULL);
		host_object_free(&object);
		bytes_free(&file);
	}
}

static void damage_is_named(void)
{
	struct bytes file = {0};
	struct host_object object;
	struct error err = {0};
	put_dll(&file, &(struct fixture_dll){.name = "x.dll", .exports = exports});
	static const struct {
		size_t at;
		uint32_t value;
		size_t width;
		const char *says;
	} lies[] = {{60, 0x7fffffff, 4, "leads nowhere"},    {64, 0x0000454e, 4, "DOS program"}, {64 + 24, 0x107, 2, "not known (0x107)"},
		    {64 + 6, 0xffff, 2, "outside the file"}, {64 + 24 + 240 + 16, 0x7fffffff, 4, "outside the file"}};
	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		unsigned char keep[4];
		memcpy(keep, file.data + lies[i].at, 4);
		memcpy(file.data + lies[i].at, &lies[i].value, lies[i].width);
		CHECK_INT(host_object_parse(file.data, file.size, &object, &err), -1);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK_CONTAINS(err.message, lies[i].says);
		memcpy(file.data + lies[i].at, keep, 4);
	}
	bytes_free(&file);
}

static void write_bytes(const char *name, const struct bytes *file)
{
	char path[512];
	struct error err = {0};
	snprintf(path, sizeof path, "%s/%s", folder, name);
	CHECK_INT(write_file_atomically(path, file->data, file->size, &err), 0);
}

static void dlls_are_artifacts(void)
{
	static const char *const imports[] = {"cudart64_12.dll:cudaLaunchKernel", NULL};
	struct bytes file = {0}, fatbin = {0};
	struct artifact artifact;
	struct artifact_coverage coverage;
	struct artifact_driver_needs needs;
	struct artifact_entry_points points;
	struct error err = {0};
	char path[512];
	put_windows_fatbin(&fatbin);
	put_dll(&file, &(struct fixture_dll){.name = "x.pyd", .exports = exports, .imports = imports, .fatbin = &fatbin});
	write_bytes("x.pyd", &file);
	snprintf(path, sizeof path, "%s/x.pyd", folder);
	CHECK_INT(artifact_open(path, &artifact, &err), 0);
	CHECK_INT(artifact.kind, OBJECT_PE);
	CHECK_INT(artifact.units[0].image_count, 1);
	CHECK(artifact.units[0].problem == NULL);
	CHECK_CONTAINS(artifact_unit_not_linkable(&artifact.units[0]), "Windows image");
	CHECK_INT(artifact_coverage(&artifact, 8, 6, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_SASS);
	CHECK_INT(artifact_driver_needs(&artifact, &needs, &err), 0);
	CHECK_INT(needs.runtime_major, 12);
	CHECK_TEXT(needs.runtime_evidence, "cudart64_12.dll");
	CHECK_INT(artifact_entry_points(&artifact, &points, &err), 0);
	CHECK_INT(points.count, 2);
	artifact_entry_points_free(&points);
	artifact_close(&artifact);
	bytes_free(&file);
	bytes_free(&fatbin);
}

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

/* An import library and a DLL that uses it, by GNU binutils: long section names, delay-free imports, a string table. */
static void linked_dlls_are_read(void)
{
	static const char source[] = "\t.section .nv_fatbin,\"dr\"\nfatbinData:\n\t.incbin \"fatbin.bin\"\n"
				     "\t.section .nvFatBinSegment,\"dw\"\n\t.long 0x466243b1,1\n\t.quad fatbinData\n\t.quad 0\n"
				     "\t.text\n\t.globl run_mha\n\t.def run_mha; .scl 2; .type 32; .endef\nrun_mha:\n"
				     "\tcall *__imp_cudaLaunchKernel(%rip)\n\tret\n"
				     "\t.globl DllMainCRTStartup\nDllMainCRTStartup:\n\tmov $1,%eax\n\tret\n"
				     "\t.section .drectve,\"yn\"\n\t.ascii \" -export:run_mha\"\n";
	static const char definition[] = "LIBRARY cudart64_12.dll\nEXPORTS\ncudaLaunchKernel\ncudaMalloc\n";
	static const char tool[] = "x86_64-w64-mingw32-";
	if (command("command -v %sld >/dev/null && command -v %sas >/dev/null && command -v %sdlltool >/dev/null", tool, tool, tool) != 0) {
		printf("SKIPPED: DLLs of a real linker: there is no x86_64-w64-mingw32-ld (Debian: binutils-mingw-w64-x86-64)\n");
		return;
	}
	struct bytes fatbin = {0}, text = {0}, def = {0};
	struct artifact artifact;
	struct error err = {0};
	char path[512];
	put_windows_fatbin(&fatbin);
	put_text(&text, source);
	put_text(&def, definition);
	write_bytes("fatbin.bin", &fatbin);
	write_bytes("unit.s", &text);
	write_bytes("cudart.def", &def);
	CHECK_INT(command("cd '%s' && %sdlltool -d cudart.def -l cudart.lib && %sas -o unit.obj unit.s && %sld -shared -e DllMainCRTStartup "
			  "-o plugin.dll unit.obj cudart.lib", folder, tool, tool, tool), 0);
	snprintf(path, sizeof path, "%s/plugin.dll", folder);
	CHECK_INT(artifact_open(path, &artifact, &err), 0);
	if (artifact.unit_count == 1) {
		const struct host_object *host = &artifact.units[0].host;
		CHECK_INT(artifact.units[0].image_count, 1);
		CHECK_INT(host->wrapper_count, 1);
		CHECK_TEXT(host->library_name, "plugin.dll");
		CHECK_TEXT(host->runtime_library, "cudart64_12.dll");
		CHECK_INT(host->runtime_library_major, 12);
		CHECK(host_object_find(host, "run_mha", 1) != NULL);
		CHECK(host_object_find(host, "cudaLaunchKernel", 0) != NULL);
		CHECK(host_object_find(host, "cudaMalloc", 0) == NULL);
		CHECK_INT(host->symbol_count, 2);
	}
	artifact_close(&artifact);
	/* dlltool writes import libraries of ordinary COFF members */
	snprintf(path, sizeof path, "%s/cudart.lib", folder);
	CHECK_INT(artifact_open(path, &artifact, &err), 0);
	CHECK_INT(artifact_defines(&artifact, "cudaMalloc") >= 0, 1);
	struct archive_facts facts;
	CHECK_INT(artifact_archive_facts(&artifact, &facts, &err), 0);
	CHECK_INT(facts.index_damaged, 0);
	CHECK_INT(facts.index_wrong + facts.index_dangling, 0);
	artifact_close(&artifact);
	bytes_free(&fatbin);
	bytes_free(&text);
	bytes_free(&def);
}

int main(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%s/assay-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	dlls_are_read(0);
	dlls_are_read(1);
	runtimes_are_told_by_dlls();
	damage_is_named();
	dlls_are_artifacts();
	linked_dlls_are_read();
	CHECK_INT(command("rm -rf '%s'", folder), 0);
	return check_result();
}
