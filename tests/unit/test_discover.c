/* Artifacts as a whole: found in folders, opened, asked. Everything lies in a folder of its own under $TMPDIR. */
#include "artifact/artifact.h"
#include "artifact/compat.h"
#include "artifact_fixtures.h"
#include "check.h"

#include <unistd.h>

static char folder[256];

static void write_bytes(const char *name, const void *data, size_t size)
{
	char path[512];
	struct error err = {0};
	snprintf(path, sizeof path, "%s/%s", folder, name);
	for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		CHECK_INT(make_dirs(path, &err), 0);
		*slash = '/';
	}
	CHECK_INT(write_file_atomically(path, data, size, &err), 0);
}

static const char *in_folder(const char *name)
{
	static char paths[4][512];
	static int next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s%s%s", folder, *name ? "/" : "", name);
	return path;
}

/* A unit as nvcc makes one: SASS for `sm`, PTX, a function and what its host code calls. */
static struct bytes unit_of(const char *defines, const char *kernel, unsigned parameter_bytes, unsigned sm, unsigned ptx_arch,
			    unsigned toolkit, const char *launch)
{
	const struct fixture_kernel kernels[] = {{kernel, 64, 0, 0, 0, {parameter_bytes}, 0, NULL, 0}};
	const char *const defined[] = {defines, NULL}, *const undefined[] = {launch, "__cudaRegisterFatBinary", "memcpy", NULL};
	struct bytes cubin = {0}, fatbin = {0}, object = {0};
	char ptx[512];
	put_cubin(&cubin, toolkit >= 130 ? 8 : 7, sm, 0, toolkit, kernels, kernel ? 1 : 0);
	snprintf(ptx, sizeof ptx, ".version 8.4\n.target sm_%u\n.address_size 64\n", ptx_arch);
	if (kernel)
		snprintf(ptx + strlen(ptx), sizeof ptx - strlen(ptx), ".visible .entry %s(.param .align 8 .b8 p[%u]) { ret; }\n", kernel,
			 parameter_bytes);
	const struct fixture_entry entries[] = {
		{2, sm, 1, toolkit >= 130 ? 8 : 7, 0x11, cubin.data, cubin.size, NULL, NULL},
		{1, ptx_arch, 8, 4, 0x8011, ptx, strlen(ptx), NULL, NULL},
	};
	put_fatbin(&fatbin, entries, ptx_arch ? 2 : 1);
	put_host_object(&object, defined, undefined, &fatbin);
	bytes_free(&cubin);
	bytes_free(&fatbin);
	return object;
}

static void write_archive(const char *name, enum fixture_ar flavour, struct bytes *units, const char *const *names, size_t count)
{
	struct fixture_member members[8];
	struct bytes file = {0};
	for (size_t i = 0; i < count; i++)
		members[i] = (struct fixture_member){names[i], units[i].data, units[i].size};
	put_ar(&file, flavour, members, count, 1);
	write_bytes(name, file.data, file.size);
	bytes_free(&file);
	for (size_t i = 0; i < count; i++)
		bytes_free(&units[i]);
}

static const char *const unit_names[] = {"flash_api.o", "flash_fwd_hdim64_bf16_causal_sm80.o", "flash_fwd_hdim64_fp16_sm80.o"};
static const char flash64[] = "_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params";
static const char flash128[] = "_Z16flash_fwd_kernelILi128EEv16Flash_fwd_params";

static void write_candle(const char *name, unsigned parameter_bytes, const char *other_symbol, enum fixture_ar flavour)
{
	struct bytes units[] = {
		unit_of("run_mha", NULL, 0, 90, 90, 130, "__cudaLaunchKernel_ptsz"),
		unit_of(other_symbol, flash64, parameter_bytes, 90, 90, 130, "__cudaLaunchKernel_ptsz"),
		unit_of("_Z2f2v", flash128, parameter_bytes, 90, 90, 130, "__cudaLaunchKernel_ptsz"),
	};
	write_archive(name, flavour, units, unit_names, 3);
}

static void folders_are_searched(void)
{
	static const char output[] = "cargo::rerun-if-changed=build.rs\n"
				     "cargo:rustc-env=CUDA_COMPUTE_CAP=90\n"
				     "cargo:rustc-env=CUDA_INCLUDE_DIR=/usr/local/cuda-13.0/include\n"
				     "cargo::warning=Builder { cuda_root: Some(\"/usr/local/cuda-13.0\"), compute_cap: Some(90), out_dir: \"/x\", "
				     "extra_args: [\"-std=c++17\", \"-O3\", \"--use_fast_math\"] }\n";
	static const char root[] = "/home/someone/target/release/build/candle-flash-attn-0123456789abcdef/out";
	struct artifact_list list;
	struct error err = {0};
	write_candle("build/candle-flash-attn-0123456789abcdef/out/libflashattention.a", 440, "_Z2f1v", FIXTURE_GNU);
	write_bytes("build/candle-flash-attn-0123456789abcdef/out/flash_api-1234.o", "x", 1);
	write_bytes("build/candle-flash-attn-0123456789abcdef/out/notes.txt", "x", 1);
	write_bytes("build/candle-flash-attn-0123456789abcdef/out/unary.ptx", ".version 8.4\n.target sm_80\n", 26);
	write_bytes("build/candle-flash-attn-0123456789abcdef/output", output, strlen(output));
	write_bytes("build/candle-flash-attn-0123456789abcdef/root-output", root, strlen(root));
	CHECK_INT(artifact_discover(in_folder("build/candle-flash-attn-0123456789abcdef"), &list, &err), 0);
	CHECK_INT(list.count, 2);
	CHECK_INT(list.left_out, 1);
	CHECK_CONTAINS(list.paths[0], "out/libflashattention.a");
	CHECK_CONTAINS(list.paths[1], "out/unary.ptx");
	artifact_list_free(&list);
	CHECK_INT(artifact_discover(in_folder("build"), &list, &err), 0); /* a folder of build folders */
	CHECK_INT(list.count, 2);
	artifact_list_free(&list);
	CHECK_INT(artifact_discover(in_folder("build/candle-flash-attn-0123456789abcdef/out/flash_api-1234.o"), &list, &err), 0);
	CHECK_INT(list.count, 1);
	artifact_list_free(&list);
	CHECK_INT(artifact_discover(in_folder("nowhere"), &list, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_INT(list.count, 0);
	write_bytes("links/libx.so.1.2", "x", 1);
	CHECK_INT(symlink("libx.so.1.2", in_folder("links/libx.so")), 0);
	CHECK_INT(symlink("../build/candle-flash-attn-0123456789abcdef/out/unary.ptx", in_folder("links/unary.ptx")), 0);
	CHECK_INT(artifact_discover(in_folder("links"), &list, &err), 0);
	CHECK_INT(list.count, 2);
	CHECK_CONTAINS(list.paths[0], "libx.so.1.2");
	artifact_list_free(&list);
	CHECK_INT(make_dirs(in_folder("empty"), &err), 0);
	CHECK_INT(artifact_discover(in_folder("empty"), &list, &err), -1);
	CHECK_CONTAINS(err.message, "is empty");
	CHECK_CONTAINS(err.message, "*.ptx");
	write_bytes("texts/a.txt", "x", 1);
	CHECK_INT(artifact_discover(in_folder("texts"), &list, &err), -1);
	CHECK_CONTAINS(err.message, "none of the files");

	struct artifact artifact;
	CHECK_INT(artifact_open(in_folder("build/candle-flash-attn-0123456789abcdef/out/libflashattention.a"), &artifact, &err), 0);
	const struct provenance *from = artifact.provenance;
	CHECK(from != NULL);
	if (from) {
		CHECK_TEXT(from->crate, "candle-flash-attn");
		CHECK_TEXT(from->crate_hash, "0123456789abcdef");
		CHECK_TEXT(from->cuda_root, "/usr/local/cuda-13.0");
		CHECK_INT(from->cuda_version, 130);
		CHECK_INT(from->compute_cap, 90);
		CHECK_INT(from->host, HOST_LINUX);
		CHECK_INT(from->fast_math, 1);
		CHECK_INT(from->flag_count, 3);
		CHECK_TEXT(from->flags[2], "--use_fast_math");
	}
	artifact_close(&artifact);
}

static void note(struct provenance *from, const char *text)
{
	CHECK_INT(provenance_note_output(from, text, strlen(text)), 0);
}

static void provenance_is_read_from_any_writer(void)
{
	struct provenance from = {.fast_math = -1};
	note(&from, "#$ TOP=/opt/cuda/bin/..\n#$ gcc -D__CUDACC_VER_MAJOR__=12 -D__CUDACC_VER_MINOR__=8 x\n"
		    "#$ \"$CICC_PATH/cicc\" --c++17 -arch compute_89 -m64 -ftz=1 -prec_div=0 -prec_sqrt=0 -fmad=1\n");
	CHECK_TEXT(from.cuda_root, "/opt/cuda");
	CHECK_INT(from.cuda_version, 128);
	CHECK_INT(from.compute_cap, 89);
	CHECK_INT(from.fast_math, 1);
	provenance_free(&from);
	note(&from, "cargo::warning=Builder { cuda_root: Some(\"C:\\\\Program Files\\\\NVIDIA GPU Computing Toolkit\\\\CUDA\\\\v12.4\"), "
		    "compute_cap: Some(86), extra_args: [\"-O3\"] }\r\n");
	CHECK_TEXT(from.cuda_root, "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v12.4");
	CHECK_INT(from.cuda_version, 124);
	CHECK_INT(from.compute_cap, 86);
	CHECK_INT(from.fast_math, 0);
	CHECK_INT(provenance_note_root_output(&from, "D:\\a\\candle\\out\r\n", 17), 0);
	CHECK_INT(from.host, HOST_WINDOWS);
	provenance_free(&from);
	note(&from, "cargo:rustc-env=CUDA_COMPUTE_CAP=sm_90a\ncargo:rustc-env=CUDA_VERSION=11.8\n");
	CHECK_INT(from.compute_cap, 90);
	CHECK_INT(from.compute_cap_suffix, 'a');
	CHECK_INT(from.cuda_version, 118);
	CHECK_INT(from.fast_math, -1);
	provenance_free(&from);
	note(&from, "cargo:rustc-env=CUDA_COMPUTE_CAP=8.6\ncargo:rustc-env=CUDA_COMPUTE_CAP=75\n");
	CHECK_INT(from.compute_cap, 86);
	provenance_free(&from);
	/* nothing that tells, and pieces that are cut off */
	note(&from, "\n\n\"\\\ncuda_root: Some(\"\nextra_args: [\"\ncargo:rustc-env=CUDA_COMPUTE_CAP=\ncargo:rustc-env=CUDA_VERSION=12.\n");
	CHECK_INT(from.compute_cap, 0);
	CHECK_INT(from.cuda_version, 0);
	provenance_free(&from);
	CHECK_INT(provenance_note_folder_name(&from, "crate-0123456789abcdeg"), 0);
	CHECK(from.crate == NULL);
	provenance_free(&from);
}

static void archives_are_asked(void)
{
	struct artifact artifact;
	struct artifact_coverage coverage;
	struct artifact_kernels kernels;
	struct artifact_entry_points points;
	struct artifact_undefined undefined;
	struct artifact_driver_needs needs;
	struct artifact_findings findings;
	struct mha_abi_evidence abi;
	struct error err = {0};
	write_candle("libflashattention.a", 440, "_Z2f1v", FIXTURE_GNU);
	CHECK_INT(artifact_open(in_folder("libflashattention.a"), &artifact, &err), 0);
	CHECK_INT(artifact.kind, OBJECT_ARCHIVE);
	CHECK_INT(artifact.unit_count, 3);
	CHECK_TEXT(artifact.units[1].name, unit_names[1]);
	CHECK(artifact.provenance == NULL);
	CHECK_INT(artifact.units[0].image_count, 2);
	CHECK(!artifact.units[0].images[0].loaded); /* opening reads structure only */
	CHECK_INT(strlen(artifact_sha256(&artifact)), 64);
	CHECK_INT(artifact_defines(&artifact, "run_mha"), 0);
	CHECK_INT(artifact_defines(&artifact, "run_mha_v3"), -1);

	CHECK_INT(artifact_entry_points(&artifact, &points, &err), 0);
	CHECK_INT(points.count, 1);
	CHECK_TEXT(points.items[0].name, "run_mha");
	artifact_entry_points_free(&points);

	CHECK_INT(artifact_undefined(&artifact, &undefined, &err), 0);
	CHECK_INT(undefined.count, 3);
	CHECK_TEXT(undefined.items[0].name, "__cudaLaunchKernel_ptsz");
	CHECK_INT(undefined.items[2].origin, ORIGIN_C_LIBRARY);
	artifact_undefined_free(&undefined);

	CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_SASS);
	CHECK_INT(coverage.sass, 3);
	CHECK_INT(artifact_coverage(&artifact, 12, 0, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_JIT);
	CHECK_INT(coverage.ptx_isa, 84);
	CHECK_INT(artifact_coverage(&artifact, 12, 0, IMAGE_SASS, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_NONE);
	CHECK_INT(artifact_coverage(&artifact, 8, 0, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_NONE);
	CHECK_INT(coverage.none, 2); /* flash_api.o holds no kernel that could be missed */
	CHECK_INT(coverage.first_none, 1);
	CHECK_TEXT(coverage.reason, "holds SASS for sm_90 and PTX for compute_90; this GPU is sm_80");

	CHECK_INT(artifact_kernel_names(&artifact, 9, 0, IMAGE_ANY, &kernels, &err), 0);
	CHECK_INT(kernels.count, 2);
	CHECK_INT(kernels.missing, 0);
	CHECK_TEXT(kernels.items[0].name, flash128);
	CHECK_TEXT(kernels.items[1].name, flash64);
	CHECK(kernels.items[0].sass && !kernels.items[0].ptx);
	artifact_kernels_free(&kernels);
	CHECK_INT(artifact_kernel_names(&artifact, 9, 0, IMAGE_PTX, &kernels, &err), 0);
	CHECK_INT(kernels.count, 2);
	CHECK(kernels.items[1].ptx && kernels.items[1].ptx->parameter_bytes == 440);
	artifact_kernels_free(&kernels);
	CHECK_INT(artifact_kernel_names(&artifact, 8, 0, IMAGE_ANY, &kernels, &err), 0);
	CHECK_INT(kernels.count, 0);
	CHECK_INT(kernels.missing, 2);
	artifact_kernels_free(&kernels);

	CHECK_INT(artifact_mha_abi(&artifact, &abi, &err), 0);
	CHECK_INT(abi.abi, MHA_ABI_CANDLE_0_9);
	CHECK_INT(abi.assumed, 0);
	CHECK_CONTAINS(abi.evidence, "440");

	CHECK_INT(artifact_driver_needs(&artifact, &needs, &err), 0);
	CHECK_INT(needs.toolkit_max, 130);
	CHECK_INT(needs.runtime_major, 13);
	CHECK_TEXT(needs.to_load, "580.65.06");
	CHECK_TEXT(needs.to_compile, "580.65.06");
	CHECK_INT(needs.zstd, 1);

	CHECK_INT(artifact_findings(&artifact, &findings, &err), 0);
	CHECK_INT(findings.count, 0);
	artifact_findings_free(&findings);
	artifact_close(&artifact);
}

static struct mha_abi_evidence abi_of(const char *name)
{
	struct artifact artifact;
	struct mha_abi_evidence abi = {0};
	struct error err = {0};
	CHECK_INT(artifact_open(in_folder(name), &artifact, &err), 0);
	CHECK_INT(artifact_mha_abi(&artifact, &abi, &err), 0);
	artifact_close(&artifact);
	return abi;
}

static void releases_are_told_apart(void)
{
	write_candle("abi11.a", 464, "_Z26run_mha_fwd_splitkv_paged_v", FIXTURE_GNU);
	struct mha_abi_evidence abi = abi_of("abi11.a");
	CHECK_INT(abi.abi, MHA_ABI_CANDLE_0_11);
	CHECK_INT(abi.assumed, 0);
	CHECK_CONTAINS(abi.evidence, "split-KV");
	write_candle("abi_new.a", 512, "_Z1xv", FIXTURE_GNU);
	abi = abi_of("abi_new.a");
	CHECK_INT(abi.abi, MHA_ABI_CANDLE_0_9);
	CHECK_INT(abi.assumed, 1);
	CHECK_CONTAINS(abi.evidence, "512");
	/* kernels of this project's own */
	struct bytes own = unit_of("run_mha", "_ZN8specimen9attentionILi64EEEvNS_19attention_argumentsE", 232, 80, 80, 130, "cudaLaunchKernel");
	write_archive("own.a", FIXTURE_GNU, &own, unit_names, 1);
	abi = abi_of("own.a");
	CHECK_INT(abi.abi, MHA_ABI_CANDLE_0_9);
	CHECK_INT(abi.assumed, 1);
	CHECK_CONTAINS(abi.evidence, "no known release");
	struct bytes v3 = unit_of("run_mha", "_ZN5flash15compute_attn_wsEv", 1000, 90, 90, 130, "cudaLaunchKernel");
	write_archive("v3.a", FIXTURE_GNU, &v3, unit_names, 1);
	CHECK_INT(abi_of("v3.a").abi, MHA_ABI_FLASH3);
	struct bytes none = unit_of("moe_gemm", "k", 8, 90, 90, 130, "cudaLaunchKernel");
	write_archive("none.a", FIXTURE_GNU, &none, unit_names, 1);
	CHECK_INT(abi_of("none.a").abi, MHA_ABI_NONE);
}

static int has_finding(const struct artifact_findings *findings, const char *text)
{
	for (int i = 0; i < findings->count; i++)
		if (strstr(findings->items[i].text, text))
			return 1;
	for (int i = 0; i < findings->count; i++)
		fprintf(stderr, "finding: %s\n", findings->items[i].text);
	return 0;
}

static void disagreement_is_found(void)
{
	struct artifact artifact;
	struct artifact_findings findings;
	struct error err = {0};
	struct bytes units[] = {
		unit_of("run_mha", flash64, 440, 90, 90, 130, "__cudaLaunchKernel_ptsz"),
		unit_of("_Z1av", flash128, 440, 80, 0, 124, "cudaLaunchKernel"),
		{0},
	};
	put_u16(&units[2], 0x8664); /* a COFF object of no sections */
	put(&units[2], NULL, 40);
	static const char output[] = "cargo:rustc-env=CUDA_VERSION=12.8\ncargo:rustc-env=CUDA_COMPUTE_CAP=75\n";
	write_archive("mixed/libmixed.a", FIXTURE_GNU, units, unit_names, 3);
	write_bytes("mixed/output", output, strlen(output));
	CHECK_INT(artifact_open(in_folder("mixed/libmixed.a"), &artifact, &err), 0);
	CHECK_INT(artifact_findings(&artifact, &findings, &err), 0);
	CHECK(has_finding(&findings, "more than one CUDA release: 13.0 (1 image, first in flash_api.o), 12.4"));
	CHECK(has_finding(&findings, "says CUDA 12.8"));
	CHECK(has_finding(&findings, "but the build folder says that it is for sm_75"));
	CHECK(has_finding(&findings, "sm_90 is missing in 1 of 2 units"));
	CHECK(has_finding(&findings, "per-thread default stream"));
	CHECK(has_finding(&findings, "is of another format (ELF, COFF)"));
	artifact_findings_free(&findings);
	artifact_close(&artifact);
}

static void single_files_are_opened(void)
{
	static const char ptx[] = ".version 8.4\n.target sm_80\n.address_size 64\n.entry k(.param .u64 a) { ret; }\n";
	const struct fixture_kernel kernel = {"k", 10, 0, 0, 0, {8}, 0, NULL, 0};
	struct bytes cubin = {0}, fatbin = {0};
	struct artifact artifact;
	struct artifact_coverage coverage;
	struct artifact_kernels kernels;
	struct error err = {0};
	write_bytes("k.ptx", ptx, sizeof ptx); /* with its NUL */
	CHECK_INT(artifact_open(in_folder("k.ptx"), &artifact, &err), 0);
	CHECK_INT(artifact.kind, OBJECT_PTX);
	CHECK_INT(artifact_kernel_names(&artifact, 9, 0, IMAGE_ANY, &kernels, &err), 0);
	CHECK_INT(kernels.count, 1);
	CHECK_TEXT(kernels.items[0].name, "k");
	artifact_kernels_free(&kernels);
	CHECK_INT(artifact_coverage(&artifact, 7, 5, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_NONE);
	artifact_close(&artifact);

	put_cubin(&cubin, 8, 90, 'a', 130, &kernel, 1);
	write_bytes("k.cubin", cubin.data, cubin.size);
	CHECK_INT(artifact_open(in_folder("k.cubin"), &artifact, &err), 0);
	CHECK_INT(artifact.units[0].images[0].entry.arch, 90);
	CHECK_INT(artifact.units[0].images[0].entry.suffix, 'a');
	CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_SASS);
	artifact_close(&artifact);

	put_fatbin(&fatbin, &(struct fixture_entry){2, 90, 1, 8, 0x11, cubin.data, cubin.size, NULL, NULL}, 1);
	write_bytes("k.fatbin", fatbin.data, fatbin.size);
	CHECK_INT(artifact_open(in_folder("k.fatbin"), &artifact, &err), 0);
	CHECK_INT(artifact.units[0].image_count, 1);
	artifact_close(&artifact);

	/* a damaged image is found where it is read, and says where it lies */
	memset(fatbin.data + 16 + 64 + 40, 0xff, 24);
	write_bytes("damaged.fatbin", fatbin.data, fatbin.size);
	CHECK_INT(artifact_open(in_folder("damaged.fatbin"), &artifact, &err), 0);
	CHECK_INT(artifact_kernel_names(&artifact, 9, 0, IMAGE_ANY, &kernels, &err), -1);
	CHECK_CONTAINS(err.message, "damaged.fatbin): SASS for sm_90");
	artifact_close(&artifact);

	write_bytes("foreign.obj", "\144\206\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	CHECK_INT(artifact_open(in_folder("foreign.obj"), &artifact, &err), 0);
	CHECK(artifact.units[0].problem == NULL);
	CHECK_CONTAINS(artifact_unit_not_linkable(&artifact.units[0]), "Windows object");
	CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_NOTHING);
	artifact_close(&artifact);
	bytes_free(&cubin);
	bytes_free(&fatbin);
}

static void bad_files_are_refused(void)
{
	static const struct {
		const char *name, *bytes;
		size_t size;
		const char *says;
	} files[] = {
		{"empty.a", "", 0, "is empty"},
		{"text.a", "hello, world", 12, "is no archive, object"},
		{"members.a", "!<arch>\n", 8, "without members"},
		{"cut.a", "!<arch>\nx", 9, "cut off"},
		{"cut.o", "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\1\0\76\0", 20, "too short"},
		{"cut.fatbin", "\120\355\125\272\1\0\20\0\377\0\0\0\0\0\0\0", 16, "cut off or damaged"},
		{"cut.ptx", ".version 8.4\n", 13, "no .target"},
	};
	struct artifact artifact;
	struct error err = {0};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		write_bytes(files[i].name, files[i].bytes, files[i].size);
		CHECK_INT(artifact_open(in_folder(files[i].name), &artifact, &err), -1);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK_CONTAINS(err.message, files[i].says);
		CHECK_CONTAINS(err.message, files[i].name);
		CHECK(artifact.path == NULL);
	}
	CHECK_INT(artifact_open(in_folder("not there"), &artifact, &err), -1);
	CHECK_INT(artifact_open(folder, &artifact, &err), -1);
	CHECK_CONTAINS(err.message, "is not a regular file");
}

static void thin_archives_name_their_files(void)
{
	struct artifact artifact;
	struct error err = {0};
	struct bytes one = unit_of("run_mha", flash64, 440, 90, 90, 130, "cudaLaunchKernel");
	write_bytes("thin/parts/one.o", one.data, one.size);
	static const char *const names[] = {"parts/one.o"};
	write_archive("thin/lib.a", FIXTURE_THIN, &one, names, 1);
	CHECK_INT(artifact_open(in_folder("thin/lib.a"), &artifact, &err), 0);
	CHECK_INT(artifact.unit_count, 1);
	CHECK_INT(artifact.units[0].kind, OBJECT_ELF_RELOCATABLE);
	CHECK_INT(artifact_defines(&artifact, "run_mha"), 0);
	artifact_close(&artifact);
	CHECK_INT(unlink(in_folder("thin/parts/one.o")), 0);
	CHECK_INT(artifact_open(in_folder("thin/lib.a"), &artifact, &err), -1);
	CHECK_CONTAINS(err.message, "one.o");
}

static void tables_agree_with_themselves(void)
{
	CHECK_INT(cuda_of_ptx_isa(84), 124);
	CHECK_INT(cuda_of_ptx_isa(99), 0);
	CHECK_TEXT(driver_of_cuda(124), "550.54.14");
	CHECK(driver_of_cuda(999) == NULL);
	CHECK_TEXT(driver_of_cuda_major(12), "525.60.13");
	CHECK(driver_compare("550.54.14", "550.54.14") == 0);
	CHECK(driver_compare("550.54.14", "550.54.15") < 0);
	CHECK(driver_compare("550.9", "550.54") < 0);
	CHECK(driver_compare("560", "550.54.14") > 0);
	CHECK(driver_compare("550", "550.0.0") == 0);
	CHECK(driver_compare("x", "y") == 0);
	/* a release's own driver is no older than what its major asks for, and every GPU's first release has one */
	for (unsigned cuda = 110; cuda < 140; cuda++)
		if (driver_of_cuda(cuda) && cuda >= 111)
			CHECK(driver_compare(driver_of_cuda(cuda), driver_of_cuda_major(cuda / 10)) >= 0);
	for (size_t i = 0; i < gpu_model_count; i++) {
		CHECK(cuda_of_compute_capability(gpu_models[i].cc) != 0);
		CHECK(i == 0 || gpu_models[i].cc > gpu_models[i - 1].cc);
	}
}

static int remove_folder(void)
{
	char command[512];
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	return system(command);
}

int main(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%s/assay-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	folders_are_searched();
	provenance_is_read_from_any_writer();
	archives_are_asked();
	releases_are_told_apart();
	disagreement_is_found();
	single_files_are_opened();
	bad_files_are_refused();
	thin_archives_name_their_files();
	tables_agree_with_themselves();
	CHECK_INT(remove_folder(), 0);
	return check_result();
}
