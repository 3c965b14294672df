/* Every reader of artifacts, given damaged files: they may refuse, but neither read out of bounds nor ask for memory that
 * a lying size field names, nor take long. Runs in three ways:
 *
 *   fuzz_artifact [SECONDS]     mutates a corpus made here, with a fixed seed (the test; default 4 seconds)
 *   fuzz_artifact FILE...       replays files, such as a crash that was found
 *   libFuzzer                   compile with -DLIBFUZZER -fsanitize=fuzzer,address,undefined
 *
 * FUZZ_SEED=N starts another stream of mutations; FUZZ_KEEP=1 writes every input to ./fuzz_artifact.last before it runs, to
 * catch what takes the program down. */
#include "artifact/artifact.h"
#include "artifact/demangle.h"
#include "../unit/artifact_fixtures.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_cubin(const void *data, size_t size)
{
	struct cubin cubin;
	if (cubin_parse(data, size, &cubin, NULL))
		return;
	for (int i = 0; i < cubin.kernel_count; i++) {
		free(demangle(cubin.kernels[i].name));
		cubin_local_accesses(&cubin.kernels[i]);
	}
	cubin_free(&cubin);
}

static void read_ptx(const void *data, size_t size)
{
	struct ptx ptx;
	if (ptx_parse(data, size, &ptx, NULL) == 0)
		ptx_free(&ptx);
}

static void read_fatbin(const void *data, size_t size)
{
	struct fatbin fatbin;
	char reason[64];
	if (fatbin_parse(data, size, &fatbin, NULL) == 0)
		fatbin_free(&fatbin);
	if (fatbin_parse_section(data, size, &fatbin, NULL))
		return;
	for (int i = 0; i < fatbin.count; i++) {
		void *bytes;
		size_t unpacked;
		char target[24];
		fatbin_entry_target(&fatbin.entries[i], target);
		if (fatbin_entry_decompress(&fatbin.entries[i], &bytes, &unpacked, NULL) == 0) {
			if (fatbin.entries[i].kind == FATBIN_ELF)
				read_cubin(bytes, unpacked);
			else if (fatbin.entries[i].kind == FATBIN_PTX)
				read_ptx(bytes, unpacked);
			free(bytes);
		}
	}
	fatbin_select(fatbin.entries, fatbin.count, -1, 9, 0, IMAGE_ANY, reason, sizeof reason);
	fatbin_free(&fatbin);
}

static void read_provenance(const void *data, size_t size)
{
	struct provenance provenance = {.fast_math = -1};
	provenance_note_output(&provenance, data, size);
	provenance_note_root_output(&provenance, data, size);
	provenance_free(&provenance);
}

/* The whole way that `assay inspect` goes, on a file that lies in memory. */
static void read_artifact(const void *data, size_t size)
{
	struct artifact artifact;
	struct artifact_coverage coverage;
	struct artifact_kernels kernels;
	struct artifact_findings findings;
	struct artifact_undefined undefined;
	struct artifact_entry_points points;
	struct artifact_driver_needs needs;
	struct mha_abi_evidence abi;
	char path[64];
	static int file = -1;
	if (file < 0)
		file = memfd_create("artifact", 0);
	if (file < 0 || ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	if (artifact_open(path, &artifact, NULL))
		return;
	artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, NULL);
	if (artifact_kernel_names(&artifact, 12, 0, IMAGE_ANY, &kernels, NULL) == 0)
		artifact_kernels_free(&kernels);
	if (artifact_findings(&artifact, &findings, NULL) == 0)
		artifact_findings_free(&findings);
	if (artifact_undefined(&artifact, &undefined, NULL) == 0)
		artifact_undefined_free(&undefined);
	if (artifact_entry_points(&artifact, &points, NULL) == 0)
		artifact_entry_points_free(&points);
	artifact_driver_needs(&artifact, &needs, NULL);
	artifact_mha_abi(&artifact, &abi, NULL);
	artifact_close(&artifact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ar ar;
	struct host_object host;
	if (ar_parse(data, size, &ar, NULL) == 0)
		ar_free(&ar);
	if (host_object_parse(data, size, &host, NULL) == 0)
		host_object_free(&host);
	read_cubin(data, size);
	read_fatbin(data, size);
	read_ptx(data, size);
	read_provenance(data, size);
	read_artifact(data, size);
	return 0;
}

#ifndef LIBFUZZER

enum { CORPUS = 9 };

static void make_corpus(struct bytes corpus[CORPUS])
{
	static const char ptx[] = "// Cuda compilation tools, release 13.0, V13.0.88\n.version 9.0\n.target sm_90a, debug\n.address_size 64\n"
				  ".extern .func (.param .b32 r) other (.param .b32 a);\n"
				  ".visible .entry k(.param .u64 .ptr .global .align 8 p, .param .align 8 .b8 q[440]) .maxntid 128, 1, 1\n"
				  "{ /* c */ .pragma \"nounroll\"; ret; }\n";
	static const char output[] = "cargo:rustc-env=CUDA_COMPUTE_CAP=90a\ncargo::warning=Builder { cuda_root: Some(\"/cuda-12.4\"), compute_cap: "
				     "Some(90), extra_args: [\"-O3\", \"--use_fast_math\"] }\n#$ TOP=/x/bin/..\n#$ cicc -arch compute_90 -ftz=1 "
				     "-prec_div=0\n";
	const struct fixture_kernel kernels[] = {
		{"_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params", 255, 0, 296, 1, {440}, 3, NULL, 0},
		{"plain", 10, 128, 0, 6, {8, 56, 4}, 0, NULL, 0},
	};
	const char *const defined[] = {"run_mha", NULL}, *const undefined[] = {"__cudaLaunchKernel_ptsz", "memcpy", NULL};
	struct bytes *cubin7 = &corpus[0], *cubin8 = &corpus[1], *fatbin = &corpus[2], *object = &corpus[3];
	put_cubin(cubin7, 7, 80, 0, 124, kernels, 2);
	put_cubin(cubin8, 8, 90, 'a', 130, kernels, 2);
	const struct fixture_entry entries[] = {
		{1, 90, 9, 0, 0x8011, ptx, sizeof ptx, "k.cu", "-O3"},
		{2, 90, 1, 8, 0x100011, cubin8->data, cubin8->size, NULL, NULL},
		{2, 80, 1, 7, 0x2011, cubin7->data, cubin7->size, NULL, NULL},
	};
	put_fatbin(fatbin, entries, 3);
	put_fatbin(fatbin, entries, 1);
	put_host_object(object, defined, undefined, fatbin);
	const struct fixture_member members[] = {
		{"one.o", object->data, object->size}, {"a_name_longer_than_sixteen.o", object->data, object->size}, {"k.ptx", ptx, sizeof ptx}};
	put_ar(&corpus[4], FIXTURE_GNU, members, 3, 2);
	put_ar(&corpus[5], FIXTURE_BSD, members, 1, 2);
	put_ar(&corpus[6], FIXTURE_MSVC, members, 2, 2);
	put_text(&corpus[7], ptx);
	put_text(&corpus[8], output);
}

static uint64_t random_state = 0x853c49e6748fea9bull;

static uint64_t random_bits(void)
{
	/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t random_below(size_t limit)
{
	return limit ? (size_t)(random_bits() % limit) : 0;
}

/* One to four changes: a bit, a byte, a number such as a size could be, a cut, a piece copied elsewhere. */
static size_t mutate(unsigned char *data, size_t size)
{
	static const uint64_t numbers[] = {0,          1,          63,         64,         0x7f,       0xff,       0x7fff, 0xffff, 0x10000,
					   0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff, 1ull << 32, 1ull << 40, 1ull << 63, ~0ull,  ~0ull - 63};
	for (size_t i = 1 + random_below(4); i > 0 && size; i--) {
		const size_t at = random_below(size);
		switch (random_below(7)) {
		case 0:
			data[at] ^= (unsigned char)(1u << random_below(8));
			break;
		case 1:
			data[at] = (unsigned char)random_bits();
			break;
		case 2:
		case 3:
		case 4: {
			const uint64_t number = random_below(2) ? numbers[random_below(sizeof numbers / sizeof numbers[0])]
								: size - random_below(size < 256 ? size : 256);
			const size_t width = (size_t)1 << random_below(4), aligned = random_below(4) ? at / width * width : at;
			memcpy(data + aligned, &number, width < size - aligned ? width : size - aligned);
			break;
		}
		case 5: {
			const size_t from = random_below(size), length = random_below(64);
			if (from + length <= size && at + length <= size)
				memmove(data + at, data + from, length);
			break;
		}
		default:
			if (random_below(4) == 0)
				size = at;
			break;
		}
	}
	return size;
}

static void keep(const unsigned char *data, size_t size)
{
	FILE *file = fopen("fuzz_artifact.last", "wb");
	if (!file)
		return;
	fwrite(data, 1, size, file);
	fclose(file);
}

static int replay(int count, char **paths)
{
	for (int i = 0; i < count; i++) {
		struct file_map map;
		struct error err = {0};
		if (file_map_open(&map, paths[i], &err)) {
			fprintf(stderr, "%s\n", err.message);
			return 3;
		}
		LLVMFuzzerTestOneInput(map.data, map.size);
		file_map_close(&map);
	}
	printf("%d files replayed\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	struct bytes corpus[CORPUS] = {{0}};
	char *end = NULL;
	const double seconds = argc > 1 ? strtod(argv[1], &end) : 4;
	if (argc > 2 || (end && *end))
		return replay(argc - 1, argv + 1);
	make_corpus(corpus);
	for (int i = 0; i < CORPUS; i++)
		LLVMFuzzerTestOneInput(corpus[i].data, corpus[i].size);
	const double start = monotonic_seconds();
	double slowest = 0, now = start;
	long runs = 0;
	const int keep_all = getenv("FUZZ_KEEP") != NULL;
	const char *seed_text = getenv("FUZZ_SEED");
	if (seed_text)
		random_state ^= strtoull(seed_text, NULL, 0) * 0x9e3779b97f4a7c15ull;
	for (; now - start < seconds; runs++) {
		const struct bytes *seed = &corpus[random_below(CORPUS)];
		unsigned char *base, *copy = copy_exactly(seed->data, seed->size, random_below(8), &base);
		size_t size = mutate(copy, seed->size);
		/* the readers get memory that ends where the file ends */
		unsigned char *exact_base, *exact = copy_exactly(copy, size, random_below(8), &exact_base);
		if (keep_all)
			keep(exact, size);
		const double before = monotonic_seconds();
		LLVMFuzzerTestOneInput(exact, size);
		now = monotonic_seconds();
		if (now - before > slowest) {
			slowest = now - before;
			if (slowest > 1)
				keep(exact, size);
		}
		free(base);
		free(exact_base);
	}
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("%ld mutations in %.1f s, slowest %.3f s, at most %ld MB of memory\n", runs, now - start, slowest, usage.ru_maxrss / 1024);
	for (int i = 0; i < CORPUS; i++)
		bytes_free(&corpus[i]);
	if (slowest > 1) {
		fprintf(stderr, "a file of a few kilobytes took %.1f s: see fuzz_artifact.last\n", slowest);
		return 1;
	}
	if (runs < 100) {
		fprintf(stderr, "only %ld mutations ran\n", runs);
		return 1;
	}
	return 0;
}

#endif
