/* Small valid inputs made byte by byte, a few for each target: what mutation starts from. */
#ifndef ASSAY_TESTS_FUZZ_SEEDS_H
#define ASSAY_TESTS_FUZZ_SEEDS_H

#include "../unit/coff_fixtures.h"

struct seed {
	const char *target; /* of targets.h */
	const char *name;
	struct bytes bytes;
};

enum { SEEDS_MAX = 48 };

struct seeds {
	struct seed items[SEEDS_MAX];
	int count;
};

static inline struct bytes *seed_add(struct seeds *seeds, const char *target, const char *name)
{
	if (seeds->count == SEEDS_MAX)
		abort();
	seeds->items[seeds->count] = (struct seed){.target = target, .name = name};
	return &seeds->items[seeds->count++].bytes;
}

static inline void seed_copy(struct seeds *seeds, const char *target, const char *name, const struct bytes *from)
{
	put(seed_add(seeds, target, name), from->data, from->size);
}

/* A stored member of a zip archive and its entry of the directory; `crc` is that of the content. */
static inline void put_zip_member(struct bytes *out, struct bytes *directory, const char *name, const void *data, size_t size, uint32_t crc)
{
	const uint32_t local = (uint32_t)out->size;
	const size_t length = strlen(name);
	for (int central = 0; central < 2; central++) {
		struct bytes *to = central ? directory : out;
		put_u32(to, central ? 0x02014b50u : 0x04034b50u);
		if (central)
			put_u16(to, 20);
		put_u16(to, 20);
		put(to, NULL, 4); /* flags, method: stored */
		put_u32(to, 0x58210000u);
		put_u32(to, crc);
		put_u32(to, (uint32_t)size);
		put_u32(to, (uint32_t)size);
		put_u16(to, (unsigned)length);
		put(to, NULL, central ? 12 : 2);
		if (central)
			put_u32(to, local);
		put(to, name, length);
		if (!central)
			put(to, data, size);
	}
}

static inline uint32_t crc32_of(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint32_t crc = ~0u;
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static inline void put_zip(struct bytes *out, const struct fixture_member *members, size_t count)
{
	struct bytes directory = {0};
	for (size_t i = 0; i < count; i++)
		put_zip_member(out, &directory, members[i].name, members[i].data, members[i].size, crc32_of(members[i].data, members[i].size));
	const uint32_t at = (uint32_t)out->size;
	put(out, directory.data, directory.size);
	put_u32(out, 0x06054b50u);
	put_u32(out, 0);
	put_u16(out, (unsigned)count);
	put_u16(out, (unsigned)count);
	put_u32(out, (uint32_t)directory.size);
	put_u32(out, at);
	put_u16(out, 0);
	bytes_free(&directory);
}

static inline void make_seeds(struct seeds *seeds)
{
	static const char ptx[] = "// Cuda compilation tools, release 13.0, V13.0.88\n.version 9.0\n.target sm_90a, debug\n.address_size 64\n"
				  ".extern .func (.param .b32 r) other (.param .b32 a);\n"
				  ".visible .entry k(.param .u64 .ptr .global .align 8 p, .param .align 8 .b8 q[440]) .maxntid 128, 1, 1\n"
				  "{ /* c */ .pragma \"nounroll\"; ret; }\n";
	static const char output[] = "cargo:rustc-env=CUDA_COMPUTE_CAP=90a\ncargo::warning=Builder { cuda_root: Some(\"/cuda-12.4\"), compute_cap: "
				     "Some(90), extra_args: [\"-O3\", \"--use_fast_math\"] }\n#$ TOP=/x/bin/..\n#$ cicc -arch compute_90 -ftz=1 "
				     "-prec_div=0\n";
	static const char readme[] = "# Kernels\nCandle 0.9.2-alpha.2, CUDA 12.6, Windows SDK 10.0.19041, x86_64, sm_86 and compute capability 9.0\n";
	static const char directives[] = "/DEFAULTLIB:\"MSVCRT\" /FAILIFMISMATCH:\"_ITERATOR_DEBUG_LEVEL=0\" /EXPORT:run_mha";
	const struct fixture_kernel kernels[] = {
		{"_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params", 255, 0, 296, 1, {440}, 3, NULL, 0},
		{"plain", 10, 128, 0, 6, {8, 56, 4}, 0, NULL, 0},
	};
	const char *const defined[] = {"run_mha", NULL}, *const undefined[] = {"__cudaLaunchKernel_ptsz", "memcpy", NULL};
	static const char *const exports[] = {"run_mha", NULL};
	static const char *const imports[] = {"cudart64_12.dll:cudaLaunchKernel", "VCRUNTIME140.dll:memcpy", "cublas64_12.dll:#", NULL};
	struct bytes cubin7 = {0}, cubin8 = {0}, fatbin = {0}, small = {0}, object = {0}, coff = {0}, bigobj = {0}, dll = {0}, import = {0};
	put_cubin(&cubin7, 7, 80, 0, 124, &kernels[1], 1);
	put_cubin(&cubin8, 8, 90, 'a', 130, kernels, 2);
	const struct fixture_entry entries[] = {
		{1, 90, 9, 0, 0x8011, ptx, sizeof ptx, "k.cu", "-O3"},
		{2, 90, 1, 8, 0x102011, cubin8.data, cubin8.size, NULL, NULL},
		{2, 80, 1, 7, 0x2041, cubin7.data, cubin7.size, NULL, NULL},
		{8, 90, 1, 65, 0x10011, "nvvm", 4, NULL, NULL},
	};
	put_fatbin(&fatbin, entries, 4);
	put_fatbin(&fatbin, entries, 1);
	put_fatbin(&small, &entries[2], 1);
	put_host_object(&object, defined, undefined, &small);
	put_msvc_object(&coff, "run_mha", "__imp_cudaLaunchKernel", directives, &small, 0);
	put_msvc_object(&bigobj, "run_mha", "cudaMemcpyAsync_ptsz", directives, &small, 1);
	put_coff_import(&import, "cudaMalloc", "cudart64_12.dll", 4);
	put_dll(&dll, &(struct fixture_dll){.name = "x.dll", .exports = exports, .imports = imports, .fatbin = &small, .debug_path = "C:\\x.pdb"});
	seed_copy(seeds, "cubin", "abi7", &cubin7);
	seed_copy(seeds, "cubin", "abi8", &cubin8);
	seed_copy(seeds, "fatbin", "kinds", &fatbin);
	seed_copy(seeds, "fatbin", "small", &small);
	seed_copy(seeds, "elf", "object", &object);
	seed_copy(seeds, "coff", "object", &coff);
	seed_copy(seeds, "coff", "bigobj", &bigobj);
	seed_copy(seeds, "coff", "import", &import);
	seed_copy(seeds, "pe", "dll", &dll);
	static const char policy[] = "; promises\n[targets x.a]\nsass = sm_80, sm_90a,\n  same ; more\nruns_on = sm_90:jit\n[kernels a]\n"
				     "pattern = a, b\nregisters = 255\n[size]\nfile = 300 MiB\n";
	put_text(seed_add(seeds, "ptx", "module"), ptx);
	put_text(seed_add(seeds, "text", "output"), output);
	put_text(seed_add(seeds, "policy", "rules"), policy);
	put_text(seed_add(seeds, "text", "readme"), readme);
	/* an archive's reader looks no further than at the first bytes of a member */
	const struct fixture_member heads[] = {{"one.o", object.data, 64}, {"a_name_longer_than_sixteen.o", coff.data, 61}, {"one.o", "", 0}};
	put_ar(seed_add(seeds, "ar", "gnu"), FIXTURE_GNU, heads, 3, 2);
	put_ar(seed_add(seeds, "ar", "bsd"), FIXTURE_BSD, heads, 3, 2);
	put_ar(seed_add(seeds, "ar", "msvc"), FIXTURE_MSVC, heads, 3, 2);
	put_ar(seed_add(seeds, "ar", "thin"), FIXTURE_THIN, heads, 3, 2);
	const struct fixture_member files[] = {{"a/k.ptx", ptx, sizeof ptx - 1}, {"a-1.0.dist-info/WHEEL", "Tag: py3-none-any\n", 18}, {"readme", "x", 1}};
	put_zip(seed_add(seeds, "zip", "stored"), files, 3);
	const struct fixture_member members[] = {{"one.o", object.data, object.size}, {"two.o", object.data, object.size}};
	const struct fixture_member windows[] = {{"x.dir\\Release\\one.obj", coff.data, coff.size},
						 {"two.obj", bigobj.data, bigobj.size},
						 {"cudart64_12.dll", import.data, import.size}};
	struct bytes library = {0};
	put_ar(&library, FIXTURE_GNU, members, 2, 0);
	seed_copy(seeds, "artifact", "archive", &library);
	put_ar(seed_add(seeds, "artifact", "windows_archive"), FIXTURE_MSVC, windows, 3, 0);
	const struct fixture_member packed[] = {{"liba.a", library.data, library.size}, {"x.dll", dll.data, dll.size}};
	put_zip(seed_add(seeds, "artifact", "packed"), packed, 2);
	seed_copy(seeds, "artifact", "dll", &dll);
	struct bytes *all[] = {&cubin7, &cubin8, &fatbin, &small, &object, &coff, &bigobj, &dll, &import, &library};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		bytes_free(all[i]);
}

static inline void seeds_free(struct seeds *seeds)
{
	for (int i = 0; i < seeds->count; i++)
		bytes_free(&seeds->items[i].bytes);
	seeds->count = 0;
}

#endif
