/* Policies: how they are read, and every rule with an artifact that passes it, one that fails it and one that it does not apply
 * to. */
#include "artifact/policy.h"
#include "artifact_fixtures.h"
#include "check.h"

#include <unistd.h>

static char folder[256];

static const char *in_folder(const char *name)
{
	static char path[600];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

/* ---- artifacts ---- */

struct unit {
	const char *name;
	unsigned arch, toolkit;      /* SASS; 0: none */
	char suffix;
	unsigned ptx_arch, ptx_isa;  /* 0: none */
	uint64_t flags, ptx_flags;   /* besides 64-bit and Linux */
	const char *identifier, *options;
	const char *defined, *undefined;
	struct fixture_kernel kernel; /* of no name: _Z1kv */
};

static struct bytes unit_bytes(const struct unit *unit)
{
	struct fixture_kernel kernel = unit->kernel;
	struct fixture_entry entries[2];
	struct bytes cubin = {0}, fatbin = {0}, object = {0};
	char ptx[200];
	size_t count = 0;
	const char *const defined[] = {unit->defined, NULL}, *const undefined[] = {unit->undefined, NULL};
	kernel.name = kernel.name ? kernel.name : "_Z1kv";
	if (unit->arch) {
		const unsigned abi = unit->toolkit >= 130 ? 8 : 7;
		put_cubin(&cubin, abi, unit->arch, unit->suffix, unit->toolkit, &kernel, 1);
		entries[count++] = (struct fixture_entry){2, unit->arch, 1, abi, unit->flags | 0x11, cubin.data, cubin.size,
							  unit->identifier, NULL};
	}
	if (unit->ptx_arch) {
		snprintf(ptx, sizeof ptx, ".version %u.%u\n.target sm_%u\n.address_size 64\n.entry %s(.param .u64 p) { ret; }", unit->ptx_isa / 10,
			 unit->ptx_isa % 10, unit->ptx_arch, kernel.name);
		entries[count++] = (struct fixture_entry){1, unit->ptx_arch, unit->ptx_isa / 10, unit->ptx_isa % 10, unit->ptx_flags | 0x11,
							  ptx, strlen(ptx) + 1, unit->identifier, unit->options};
	}
	if (count)
		put_fatbin(&fatbin, entries, count);
	put_host_object(&object, unit->defined ? defined : NULL, unit->undefined ? undefined : NULL, count ? &fatbin : NULL);
	bytes_free(&cubin);
	bytes_free(&fatbin);
	return object;
}

static void make_archive(const char *name, const struct unit *units, size_t count)
{
	struct fixture_member members[4] = {{0}};
	struct bytes bytes[4], file = {0};
	struct error err = {0};
	for (size_t i = 0; i < count; i++) {
		bytes[i] = unit_bytes(&units[i]);
		members[i] = (struct fixture_member){units[i].name, bytes[i].data, bytes[i].size};
	}
	put_ar(&file, FIXTURE_GNU, members, count, 1);
	CHECK_INT(write_file_atomically(in_folder(name), file.data, file.size, &err), 0);
	for (size_t i = 0; i < count; i++)
		bytes_free(&bytes[i]);
	bytes_free(&file);
}

static void write_text(const char *name, const char *text)
{
	struct error err = {0};
	CHECK_INT(write_file_atomically(in_folder(name), text, strlen(text), &err), 0);
}

#define FLASH "_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params"

static void make_artifacts(void)
{
	static const struct fixture_kernel flash = {FLASH, 168, 256, 16, 1, {440}, 2, NULL, 0};
	static const struct unit good[] = {
		{.name = "a.o", .arch = 90, .toolkit = 130, .ptx_arch = 90, .ptx_isa = 90, .defined = "run_mha",
		 .undefined = "__cudaLaunchKernel_ptsz", .kernel = flash},
		{.name = "b.o", .arch = 90, .toolkit = 130, .ptx_arch = 90, .ptx_isa = 90, .undefined = "cudaStreamSynchronize_ptsz"}};
	static const struct unit bad[] = {
		{.name = "a.o", .arch = 90, .toolkit = 130, .ptx_arch = 90, .ptx_isa = 90, .undefined = "__cudaLaunchKernel_ptsz",
		 .kernel = {FLASH, 255, 49152, 512, 1, {464}, 40, NULL, 0}},
		{.name = "b.o", .arch = 80, .toolkit = 124, .flags = 2, .identifier = "/home/someone/k.cu", .undefined = "cudaLaunchKernel"},
		{.name = "c.o", .ptx_arch = 80, .ptx_isa = 80, .options = "--generate-line-info -maxrregcount=32 "}};
	static const struct unit older[] = {{.name = "o.o", .arch = 80, .toolkit = 126, .ptx_arch = 80, .ptx_isa = 85,
					     .ptx_flags = 0x8000, .undefined = "cudaLaunchKernel"}};
	static const struct unit host[] = {{.name = "h.o", .defined = "helper"}};
	struct error err = {0};
	make_archive("good.a", good, 2);
	make_archive("bad.a", bad, 3);
	make_archive("older.a", older, 1);
	make_archive("host.a", host, 1);
	write_text("module.ptx", "// Cuda compilation tools, release 13.0, V13.0.88\n.version 9.0\n.target sm_80\n.address_size 64\n"
				 ".visible .entry uexp_f32(.param .u64 n) { ret; }\n");
	write_text("ftz.ptx", ".version 8.0\n.target sm_80, debug\n.address_size 64\n.file 1 \"/home/someone/k.cu\"\n"
			      ".extern .func (.param .b32 r) helper (.param .b32 a);\n"
			      ".visible .entry uexp_f32(.param .u64 n) {\n.loc 1 3 0\nadd.ftz.f32 %f1, %f1, %f2;\nret; }\n");
	CHECK_INT(make_dirs(in_folder("claims/out"), &err), 0);
	make_archive("claims/out/libk.a", good, 2);
	write_text("claims/output", "cargo:rustc-env=CUDA_VERSION=12.8\ncargo:rustc-env=CUDA_COMPUTE_CAP=90\n"
				    "cargo::warning=Builder { cuda_root: Some(\"/usr/local/cuda-12.8\"), compute_cap: Some(90), "
				    "extra_args: [\"-O3\", \"--use_fast_math\"] }\n");
	write_text("claims/root-output", "/home/someone/out");
}

/* ---- rules ---- */

static void is_not_pic(struct artifact *artifact)
{
	artifact->units[0].host.pic = PIC_NO;
	snprintf(artifact->units[0].host.pic_evidence, sizeof artifact->units[0].host.pic_evidence, "R_X86_64_32 against x");
}

static void is_pic(struct artifact *artifact)
{
	artifact->units[0].host.pic = PIC_YES;
}

static void pic_is_unknown(struct artifact *artifact)
{
	for (int u = 0; u < artifact->unit_count; u++)
		artifact->units[u].host.pic = PIC_UNKNOWN;
}

static void all_md(struct artifact *artifact)
{
	for (int u = 0; u < artifact->unit_count; u++)
		artifact->units[u].host.msvc.runtime = MSVC_RUNTIME_MD;
}

static void one_mt(struct artifact *artifact)
{
	all_md(artifact);
	artifact->units[1].host.msvc.runtime = MSVC_RUNTIME_MT;
}

static void one_mdd(struct artifact *artifact)
{
	all_md(artifact);
	artifact->units[0].host.msvc.runtime = artifact->units[1].host.msvc.runtime = MSVC_RUNTIME_MDD;
	snprintf(artifact->units[0].host.msvc.evidence, sizeof artifact->units[0].host.msvc.evidence, "DEFAULTLIB MSVCRTD");
}

static void has_rtc(struct artifact *artifact)
{
	all_md(artifact);
	artifact->units[1].host.msvc.has_runtime_checks = 1;
}

static void is_unreadable(struct artifact *artifact)
{
	artifact->units[0].problem = strdup("is made of bitcode; build it without");
}

static void has_no_units(struct artifact *artifact)
{
	artifact->unit_count = 0;
}

static void is_relocatable(struct artifact *artifact)
{
	artifact->units[0].images[0].relocatable_section = 1;
}

static void wants_both_majors(struct artifact *artifact)
{
	artifact->units[1].host.cuda_major_max = 12;
	artifact->units[1].host.cuda_max_symbol = "cudaGetDeviceProperties_v2";
}

enum { NA = POLICY_NOT_APPLICABLE, PASS = POLICY_PASS, FAIL = POLICY_FAIL };

static const struct {
	const char *file, *policy;
	int verdict;
	const char *evidence; /* part of it */
	void (*mutate)(struct artifact *artifact);
} cases[] = {
	{"good.a", "[targets]\nsass = same", PASS, "1 target in each of 2", NULL},
	{"bad.a", "[targets]\nsass = same", FAIL, "holds no SASS for sm_80, only for: sm_90", NULL},
	{"host.a", "[targets]\nsass = same", NA, "no SASS", NULL},
	{"module.ptx", "[targets]\nsass = sm_90", NA, "no SASS", NULL},
	{"good.a", "[targets]\nsass = sm_90", PASS, "", NULL},
	{"good.a", "[targets]\nsass = sm_90a", FAIL, "holds no SASS for sm_90a", NULL},
	{"good.a", "[targets]\nsass = sm_80, sm_90", FAIL, "sm_80", NULL},
	{"good.a", "[targets]\nptx = some", PASS, "each of 2", NULL},
	{"bad.a", "[targets]\nptx = some", FAIL, "b.o holds no PTX", NULL},
	{"host.a", "[targets]\nptx = some", NA, "no device code", NULL},
	{"good.a", "[targets]\nptx = compute_90", PASS, "", NULL},
	{"good.a", "[targets]\nptx = compute_80", FAIL, "holds no PTX for compute_80, but: compute_90", NULL},
	{"good.a", "[targets]\nptx = none", FAIL, "holds PTX: compute_90", NULL},
	{"good.a", "[targets]\nruns_on = sm_90:sass, sm_120", PASS, "sm_90: SASS, sm_120: JIT", NULL},
	{"good.a", "[targets]\nruns_on = sm_120:sass", FAIL, "sm_120 has to compile 2 of 2", NULL},
	{"good.a", "[targets]\nruns_on = sm_86", FAIL, "sm_86 cannot run 2 of 2", NULL},
	{"bad.a", "[targets]\nruns_on = sm_90", FAIL, "sm_90 cannot run 1 of 3 translation units, first b.o", NULL},
	{"host.a", "[targets]\nruns_on = sm_90", NA, "no device code", NULL},
	{"good.a", "[toolkit]\nrelease = one", PASS, "CUDA 13.0, by 4 images", NULL},
	{"bad.a", "[toolkit]\nrelease = one", FAIL, "b.o holds SASS of CUDA 12.4, but a.o is of CUDA 13.0", NULL},
	{"host.a", "[toolkit]\nrelease = one", NA, "nothing in it tells", NULL},
	{"good.a", "[toolkit]\nrelease = 13.0", PASS, "", NULL},
	{"good.a", "[toolkit]\nrelease = 12.4, 12.6", FAIL, "CUDA 13.0", NULL},
	{"older.a", "[toolkit]\nrelease = one", PASS, "CUDA 12.6", NULL}, /* PTX 8.5 is of 12.5 and of 12.6 */
	{"older.a", "[toolkit]\nrelease = 12.6", PASS, "", NULL},
	{"older.a", "[toolkit]\nrelease = 12.5", FAIL, "", NULL},
	{"good.a", "[toolkit]\nruntime = one", PASS, "CUDA 13, by the toolkit", NULL},
	{"good.a", "[toolkit]\nruntime = one", FAIL, "13 or newer (the toolkit of its device code), and b.o one of 12 or older", wants_both_majors},
	{"bad.a", "[toolkit]\nruntime = one", FAIL, "13 or newer", NULL},
	{"good.a", "[toolkit]\nruntime = 13", PASS, "", NULL},
	{"good.a", "[toolkit]\nruntime = 12", FAIL, "a.o wants a CUDA runtime of major 13", NULL},
	{"older.a", "[toolkit]\nruntime = 13", FAIL, "o.o wants a CUDA runtime of major 12 or older", NULL},
	{"module.ptx", "[toolkit]\nruntime = one", NA, "no CUDA runtime", NULL},
	{"claims/out/libk.a", "[toolkit]\nflags = -O3, -use_fast_math", PASS, "all are among", NULL},
	{"claims/out/libk.a", "[toolkit]\nflags = -std=c++17", FAIL, "-std=c++17 is not among them", NULL},
	{"good.a", "[toolkit]\nflags = -O3", NA, "no build folder", NULL},
	{"claims/out/libk.a", "[toolkit]\nflags_forbidden = -G", PASS, "none among", NULL},
	{"claims/out/libk.a", "[toolkit]\nflags_forbidden = --use_fast_math", FAIL, "lists --use_fast_math", NULL},
	{"bad.a", "[toolkit]\nflags_forbidden = -maxrregcount=32", FAIL, "c.o was compiled with -maxrregcount=32", NULL},
	{"host.a", "[toolkit]\nflags_forbidden = -G", NA, "nothing states", NULL},
	{"claims/out/libk.a", "[toolkit]\nfast_math = yes", PASS, "says so", NULL},
	{"claims/out/libk.a", "[toolkit]\nfast_math = no", FAIL, "with --use_fast_math", NULL},
	{"good.a", "[toolkit]\nfast_math = no", NA, "no build folder", NULL},
	{"module.ptx", "[toolkit]\nfast_math = no", PASS, "no instruction", NULL},
	{"ftz.ptx", "[toolkit]\nfast_math = no", FAIL, "in 1 instructions", NULL},
	{"ftz.ptx", "[toolkit]\nfast_math = yes", NA, "", NULL},
	{"good.a", "[build]\ndebug = no", PASS, "none of 4", NULL},
	{"bad.a", "[build]\ndebug = no", FAIL, "b.o: its code for sm_80 was built for debugging", NULL},
	{"ftz.ptx", "[build]\ndebug = no", FAIL, "debugging", NULL},
	{"host.a", "[build]\ndebug = no", NA, "no device code", NULL},
	{"good.a", "[build]\nline_info = no", PASS, "none of 4", NULL},
	{"bad.a", "[build]\nline_info = no", FAIL, "c.o: its code for compute_80 holds tables of source lines", NULL},
	{"ftz.ptx", "[build]\nline_info = no", FAIL, "source lines", NULL},
	{"host.a", "[build]\nline_info = no", NA, "no device code", NULL},
	{"good.a", "[build]\npaths = no", PASS, "none in", NULL},
	{"bad.a", "[build]\npaths = no", FAIL, "names its source: /home/someone/k.cu", NULL},
	{"ftz.ptx", "[build]\npaths = no", FAIL, "a path in its PTX: /home/someone/k.cu", NULL},
	{"module.ptx", "[build]\npaths = no", NA, "", has_no_units},
	{"good.a", "[build]\nrelocatable = no", PASS, "none of 4", NULL},
	{"good.a", "[build]\nrelocatable = no", FAIL, "a.o: its code for sm_90 is relocatable", is_relocatable},
	{"ftz.ptx", "[build]\nrelocatable = no", FAIL, "calls the device function helper", NULL},
	{"host.a", "[build]\nrelocatable = no", NA, "no device code", NULL},
	{"good.a", "[build]\ncrt = release", PASS, "/MD", all_md},
	{"good.a", "[build]\ncrt = release", FAIL, "debug C runtime: DEFAULTLIB MSVCRTD", one_mdd},
	{"good.a", "[build]\ncrt = release", FAIL, "/RTC", has_rtc},
	{"good.a", "[build]\ncrt = release", FAIL, "no linker takes both", one_mt},
	{"good.a", "[build]\ncrt = one", FAIL, "no linker takes both", one_mt},
	{"good.a", "[build]\ncrt = one", PASS, "", one_mdd},
	{"good.a", "[build]\ncrt = MD", PASS, "", all_md},
	{"good.a", "[build]\ncrt = MT", FAIL, "", all_md},
	{"good.a", "[build]\ncrt = release", NA, "no code built by MSVC", NULL},
	{"good.a", "[build]\ndefault_stream = one", PASS, "the per-thread one, in 2 units", NULL},
	{"bad.a", "[build]\ndefault_stream = one", FAIL, "a.o launches on the per-thread default stream and b.o on the legacy one", NULL},
	{"good.a", "[build]\ndefault_stream = per-thread", PASS, "", NULL},
	{"good.a", "[build]\ndefault_stream = legacy", FAIL, "per-thread", NULL},
	{"older.a", "[build]\ndefault_stream = per-thread", FAIL, "legacy", NULL},
	{"host.a", "[build]\ndefault_stream = one", NA, "no function", NULL},
	{"good.a", "[build]\nunreadable = no", PASS, "all of 2 units", NULL},
	{"good.a", "[build]\nunreadable = no", FAIL, "a.o is made of bitcode", is_unreadable},
	{"host.a", "[build]\nunreadable = no", NA, "no units", has_no_units},
	{"good.a", "[build]\nposition_independent = yes", PASS, "all of", is_pic},
	{"good.a", "[build]\nposition_independent = yes", FAIL, "a.o cannot be linked into a shared object", is_not_pic},
	{"good.a", "[build]\nposition_independent = yes", NA, "no ELF object", pic_is_unknown},
	{"good.a", "[build]\nhost = linux", PASS, "all of 2", NULL},
	{"good.a", "[build]\nhost = windows", FAIL, "is for linux", NULL},
	{"module.ptx", "[build]\nhost = windows", NA, "no host code", NULL},
	{"good.a", "[symbols]\nentry_points = run_*", PASS, "all 1", NULL},
	{"bad.a", "[symbols]\nentry_points = run_mha", FAIL, "does not define run_mha", NULL},
	{"module.ptx", "[symbols]\nentry_points = uexp_f32", PASS, "", NULL},
	{"module.ptx", "[symbols]\nentry_points = usin_f32", FAIL, "usin_f32", NULL},
	{"good.a", "[symbols]\ncandle = candle-0.9", PASS, "440 bytes", NULL},
	{"good.a", "[symbols]\ncandle = candle-0.11", FAIL, "its run_mha is candle-0.9", NULL},
	{"bad.a", "[symbols]\ncandle = candle-0.9", NA, "no run_mha", NULL},
	{"good.a", "[driver]\nlinux = 580.65.06", PASS, "it takes 580.65.06 for its code", NULL},
	{"good.a", "[driver]\nlinux = 580.65.05", FAIL, "CUDA 13 needs driver 580.65.06", NULL},
	{"good.a", "[driver]\nwindows = 581", NA, "its host code is for Linux", NULL},
	{"older.a", "[driver]\nlinux = 525.60.13", FAIL, "compressed with zstd, which drivers unpack from 550.54.14", NULL},
	{"older.a", "[driver]\nlinux = 550.54.14\n[targets]\nruns_on = sm_80", PASS, "", NULL},
	{"older.a", "[driver]\nlinux = 550.54.14", FAIL, "from PTX 8.5, for which driver 555.42.02", NULL},
	{"older.a", "[driver]\nlinux = 555.42.02", PASS, "", NULL},
	{"module.ptx", "[driver]\nwindows = 580", PASS, "", NULL},
	{"module.ptx", "[driver]\nwindows = 576.02", FAIL, "for which driver 580 is the first", NULL},
	{"host.a", "[driver]\nlinux = 450", NA, "nothing in it needs", NULL},
	{"good.a", "[size]\nfile = 1 MiB", PASS, "bytes", NULL},
	{"good.a", "[size]\nfile = 1 KiB", FAIL, "the file has", NULL},
	{"good.a", "[size]\nimage = 1 MiB", PASS, "the largest of 4", NULL},
	{"good.a", "[size]\nimage = 100 B", FAIL, "bytes unpacked", NULL},
	{"host.a", "[size]\nimage = 1 KiB", NA, "", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\nrequired = yes", PASS, "1 of its 2 kernels", NULL},
	{"good.a", "[kernels f]\npattern = *splitkv*\nrequired = yes", FAIL, "none of its 2", NULL},
	{"host.a", "[kernels f]\npattern = *\nrequired = yes", NA, "", NULL},
	{"good.a", "[kernels f]\npattern = void flash_fwd_kernel<64>(Flash_fwd_params)\nparameter_bytes = 440", PASS, "so many in 1 kernel", NULL},
	{"bad.a", "[kernels f]\npattern = *flash_fwd*\nparameter_bytes = 440", FAIL, "takes 464 bytes of parameters in a.o", NULL},
	{"good.a", "[kernels f]\npattern = *splitkv*\nparameter_bytes = 440", NA, "no kernel", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\nregisters = 168", PASS, "at most 168", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\nregisters = 167", FAIL, "has 168 registers", NULL},
	{"module.ptx", "[kernels f]\npattern = *\nregisters = 10", NA, "states its registers", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\nspills = 2", PASS, "", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\nspills = 1", FAIL, "has 2 instructions that spill", NULL},
	{"good.a", "[kernels f]\npattern = nothing\nspills = 1", NA, "", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\nstack = 16", PASS, "", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\nstack = 0", FAIL, "has 16 bytes of stack", NULL},
	{"good.a", "[kernels f]\npattern = nothing\nstack = 1", NA, "", NULL},
	{"bad.a", "[kernels f]\npattern = *flash_fwd*\nshared = 48 KiB", PASS, "", NULL},
	{"bad.a", "[kernels f]\npattern = *flash_fwd*\nshared = 49151", FAIL, "49152", NULL},
	{"good.a", "[kernels f]\npattern = nothing\nshared = 1", NA, "", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\ncode = 128", PASS, "", NULL},
	{"good.a", "[kernels f]\npattern = *flash_fwd*\ncode = 127", FAIL, "128 bytes of machine code", NULL},
	{"good.a", "[kernels f]\npattern = nothing\ncode = 1", NA, "", NULL},
	/* a section for the file goes before the one for all */
	{"good.a", "[targets]\nsass = sm_75\n[targets good.a]\nsass = sm_90", PASS, "", NULL},
	{"good.a", "[targets]\nsass = sm_90\n[targets *.ptx]\nsass = sm_75", PASS, "", NULL},
	{"good.a", "[kernels f]\nfiles = g*.a\npattern = *flash*\nregisters = 1", FAIL, "", NULL},
};

static void rules_decide(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct policy policy = {0};
		struct policy_report report = {0};
		struct artifact artifact;
		struct error err = {0};
		CHECK_INT(artifact_open(in_folder(cases[i].file), &artifact, &err), 0);
		CHECK_INT(policy_parse(&policy, "p.ini", cases[i].policy, &err), 0);
		if (err.kind) {
			fprintf(stderr, "case %zu: %s\n", i, err.message);
			policy_free(&policy);
			artifact_close(&artifact);
			continue;
		}
		const int units = artifact.unit_count;
		if (cases[i].mutate)
			cases[i].mutate(&artifact);
		CHECK_INT(policy_check(&policy, &artifact, &report, &err), 0);
		const struct policy_result *result = report.count ? &report.items[0] : NULL;
		CHECK(result != NULL);
		if (result) {
			const int before = check_failures;
			CHECK_INT(result->verdict, cases[i].verdict);
			CHECK_CONTAINS(result->evidence, cases[i].evidence);
			CHECK_INT(result->looked_at == 0, result->verdict == POLICY_NOT_APPLICABLE);
			CHECK_INT(result->violations > 0, result->verdict == POLICY_FAIL);
			CHECK(result->violations <= result->looked_at || result->verdict != POLICY_PASS);
			CHECK_INT(result->remedy != NULL, result->verdict == POLICY_FAIL);
			CHECK_INT(policy_report_failures(&report), result->verdict == POLICY_FAIL);
			if (check_failures != before)
				fprintf(stderr, "case %zu, %s: %s: %s\n", i, cases[i].file, cases[i].policy, result->evidence);
		}
		artifact.unit_count = units;
		policy_report_free(&report);
		policy_free(&policy);
		artifact_close(&artifact);
	}
}

static void files_that_a_group_is_not_for_are_left_alone(void)
{
	struct policy policy = {0};
	struct policy_report report = {0};
	struct artifact artifact;
	struct error err = {0};
	CHECK_INT(policy_parse(&policy, "p.ini", "[kernels f]\nfiles = other.a\npattern = *\nregisters = 1\n[targets]\nsass = any\n", &err), 0);
	CHECK_INT(artifact_open(in_folder("good.a"), &artifact, &err), 0);
	CHECK_INT(policy_check(&policy, &artifact, &report, &err), 0);
	CHECK_INT(report.count, 0);
	policy_report_free(&report);
	policy_free(&policy);
	artifact_close(&artifact);
}

static const struct policy_result *find(const struct policy_report *report, const char *rule)
{
	for (int i = 0; i < report->count; i++)
		if (strcmp(report->items[i].rule, rule) == 0)
			return &report->items[i];
	return NULL;
}

static void folders_and_readmes_are_held_to_what_they_say(void)
{
	struct policy policy = {0};
	struct policy_report report = {0};
	struct artifact artifact;
	struct error err = {0};
	write_text("claims/README.md", "Candle 0.11.0, CUDA 13.0, for sm_80 and sm_90, built on Windows\n");
	CHECK_INT(artifact_open(in_folder("claims/out/libk.a"), &artifact, &err), 0);
	CHECK_INT(policy_parse(&policy, "p.ini", "[folder]\nclaims = kept\n", &err), 0);
	CHECK_INT(policy_check(&policy, &artifact, &report, &err), 0);
	const struct policy_result *release = find(&report, "claims.toolkit.release"), *gpus = find(&report, "claims.targets.runs_on"),
				   *host = find(&report, "claims.build.host"), *candle = find(&report, "claims.symbols.candle");
	CHECK(release && release->verdict == POLICY_FAIL);
	CHECK(release && strcmp(release->asked, "12.8") == 0);
	CHECK(gpus && gpus->verdict == POLICY_PASS); /* the folder's sm_90 */
	CHECK(host && host->verdict == POLICY_PASS); /* the folder was built under /home */
	CHECK(candle && candle->verdict == POLICY_FAIL);
	CHECK_TEXT(candle ? candle->origin : NULL, "README.md");
	int readme_failures = 0;
	for (int i = 0; i < report.count; i++)
		readme_failures += strcmp(report.items[i].origin, "README.md") == 0 && report.items[i].verdict == POLICY_FAIL;
	CHECK_INT(readme_failures, 3); /* sm_80, Windows, Candle; its CUDA version is right */
	policy_report_free(&report);
	policy_free(&policy);
	artifact_close(&artifact);
}

static void promised_files_are_missed(void)
{
	const char *const paths[] = {"x/libflashattention.a", "x/unary.ptx"};
	struct policy policy = {0};
	struct policy_report report = {0};
	struct error err = {0};
	CHECK_INT(policy_parse(&policy, "p.ini", "[folder]\nfiles = libflash*.a, *.ptx", &err), 0);
	CHECK_INT(policy_check_files(&policy, paths, 2, &report, &err), 0);
	CHECK_INT(policy_check_files(&policy, paths, 1, &report, &err), 0);
	CHECK_INT(report.count, 2);
	CHECK_INT(report.items[0].verdict, POLICY_PASS);
	CHECK_INT(report.items[1].verdict, POLICY_FAIL);
	CHECK_CONTAINS(report.items[1].evidence, "no artifact is called *.ptx");
	policy_report_free(&report);
	policy_free(&policy);
}

/* ---- reading ---- */

static const struct {
	const char *text, *message;
} wrong[] = {
	{"", "p.ini: sets no rule"},
	{"; nothing\n", "sets no rule"},
	{"sass = same\n", "p.ini:1: 'sass' stands before the first section"},
	{"[target]\nsass = same\n", "p.ini:1: there is no section [target]; there are: targets, toolkit, build"},
	{"[targets]\n\nsas = same\n", "p.ini:3: [targets] has no key 'sas'; it has: sass, ptx, runs_on"},
	{"[targets]\nsass = sm_9\n", "p.ini:2: 'sass' takes same, or targets such as sm_80, sm_90a, not 'sm_9'"},
	{"[targets]\nsass = sm_80,, sm_90\n", "p.ini:2: 'sass' has an empty value"},
	{"[targets]\nsass = sm_80, sm_80\n", "p.ini:2: 'sass' has the value 'sm_80' twice"},
	{"[targets]\nsass = same\nptx = some\nsass = same\n", "p.ini:4: 'sass' is set twice, at line 2 as well"},
	{"[targets]\nsass =\nptx = some\n", "p.ini:3: 'sass' at line 2 has no value"},
	{"[targets]\nsass\n", "p.ini:2: is neither"},
	{"[targets]\nruns_on = sm_90:fast\n", "GPUs such as sm_86"},
	{"[build]\ndebug = maybe\n", "p.ini:2: 'debug' takes no (or any: no rule), not 'maybe'"},
	{"[build]\ndebug = no, no\n", "'debug' takes one value"},
	{"[driver]\nlinux = new\n", "a driver version such as 525.60.13"},
	{"[size]\nfile = 3 parsecs\n", "a size such as 300 MiB"},
	{"[size]\nfile = 99999999999999999999 GB\n", "a size such as 300 MiB"},
	{"[kernels]\npattern = x\n", "p.ini:1: a [kernels] section has a name"},
	{"[kernels f]\nregisters = 3\n", "p.ini:2: [kernels f] has no pattern"},
	{"[kernels f]\npattern = x\nregisters = -3\n", "p.ini:3: 'registers' takes a whole number"},
	{"[against x.a]\nkernels_removed = no\n", "takes no file name"},
	{" [targets]\nsass = same\n", "p.ini:1: a section header is"},
	{"[targets]\n  sass = same\n", "p.ini:2: the line is indented"},
};

static void mistakes_are_told_with_their_line(void)
{
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct policy policy = {0};
		struct error err = {0};
		CHECK_INT(policy_parse(&policy, "dir/p.ini", wrong[i].text, &err), -1);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK_CONTAINS(err.message, wrong[i].message);
		policy_free(&policy);
	}
	struct policy policy = {0};
	struct error err = {0};
	char line[400];
	memset(line, 'x', sizeof line);
	memcpy(line, "[targets]\nsass = ", 17);
	line[sizeof line - 1] = '\0';
	CHECK_INT(policy_parse(&policy, "p.ini", line, &err), -1);
	CHECK_CONTAINS(err.message, "p.ini:2: the line is longer than");
	policy_free(&policy);
	CHECK_INT(policy_read(&policy, in_folder("none.ini"), &err), -1);
	CHECK_INT(policy_read(&policy, in_folder("good.a"), &err), -1);
	CHECK_CONTAINS(err.message, "is no policy");
	policy_free(&policy);
}

static void later_texts_replace_what_they_set(void)
{
	struct policy policy = {0};
	struct error err = {0};
	CHECK_INT(policy_parse(&policy, "one.ini", "[targets]\nsass = same\nptx = some\n[kernels f]\npattern = a, b\n  c\n", &err), 0);
	CHECK_INT(policy.count, 3);
	CHECK_INT(policy.settings[2].value_count, 2); /* a name may hold commas */
	CHECK_TEXT(policy.settings[2].values[0], "a, b");
	CHECK_TEXT(policy.settings[2].values[1], "c");
	CHECK_INT(policy_parse(&policy, "two.ini", "[targets]\nsass = any\n[targets x.a]\nsass = sm_80,\n  sm_90 ; more\n", &err), 0);
	CHECK_INT(policy.count, 4);
	CHECK_TEXT(policy.settings[0].values[0], "any");
	CHECK_TEXT(policy.settings[0].origin, "two.ini:2");
	CHECK_TEXT(policy.settings[1].origin, "one.ini:3");
	CHECK_INT(policy.settings[3].value_count, 2);
	CHECK_TEXT(policy.settings[3].files, "x.a");
	CHECK(policy_asks_anything(&policy));
	policy_free(&policy);
	CHECK_INT(policy_parse(&policy, "three.ini", "[targets]\nsass = any\n", &err), 0);
	CHECK(!policy_asks_anything(&policy));
	policy_free(&policy);
}

/* Every rule of the table is in it, in force or as an example, so that it documents all of them. */
static void the_shipped_policy_shows_every_rule(void)
{
	struct policy policy = {0};
	struct error err = {0};
	struct file_map map;
	static const char *const keys[] = {"sass", "ptx", "runs_on", "release", "runtime", "flags", "flags_forbidden", "fast_math", "debug",
					   "line_info", "paths", "relocatable", "crt", "default_stream", "unreadable",
					   "position_independent", "host", "entry_points", "candle", "linux", "windows", "file", "image",
					   "files", "pattern", "required", "parameter_bytes", "registers", "spills", "stack", "shared", "code",
					   "claims", "targets_removed", "entry_points_removed", "kernels_removed", "parameters_changed",
					   "code_changed", "registers_growth", "spills_growth", "size_growth"};
	CHECK_INT(policy_read(&policy, PUBLISH_POLICY, &err), 0);
	CHECK(policy_asks_anything(&policy));
	policy_free(&policy);
	CHECK_INT(file_map_open(&map, PUBLISH_POLICY, &err), 0);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		char line[64];
		snprintf(line, sizeof line, "%s ", keys[i]);
		int found = 0;
		for (const char *at = (const char *)map.data, *end = at + map.size; at && at < end; at = memchr(at, '\n', (size_t)(end - at))) {
			at += *at == '\n';
			while (at < end && (*at == ';' || *at == ' '))
				at++;
			found |= (size_t)(end - at) > strlen(line) && memcmp(at, line, strlen(line)) == 0;
		}
		CHECK(found);
		if (!found)
			fprintf(stderr, "publish.ini does not show %s\n", keys[i]);
	}
	/* what it shows as examples can be written so */
	struct text all = {0};
	for (const char *at = (const char *)map.data, *end = at + map.size; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const size_t length = newline ? (size_t)(newline - at) : (size_t)(end - at);
		const char *text = at + 2;
		const size_t key = length > 2 ? strspn(text, "abcdefghijklmnopqrstuvwxyz_") : 0;
		const int is_comment = length > 2 && at[0] == ';' && at[1] == ' ';
		/* a header, `key = value`, or a line that goes on */
		const int is_example = is_comment && (text[0] == '[' || (key && text[key + strspn(text + key, " ")] == '=') ||
						      strspn(text, " ") > 8);
		if (is_example)
			text_append(&all, "%.*s\n", (int)(length - 2), text);
		else if (length && at[0] == '[')
			text_append(&all, "%.*s\n", (int)length, at);
		at += length + 1;
	}
	CHECK_INT(policy_parse(&policy, "examples", all.data, &err), 0);
	if (err.kind)
		fprintf(stderr, "%s\n%s\n", err.message, all.data);
	CHECK(policy.count >= 25);
	text_free(&all);
	policy_free(&policy);
	file_map_close(&map);
}

int main(void)
{
	const char *base = getenv("TMPDIR");
	char command[600];
	snprintf(folder, sizeof folder, "%s/assay-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	make_artifacts();
	rules_decide();
	files_that_a_group_is_not_for_are_left_alone();
	folders_and_readmes_are_held_to_what_they_say();
	promised_files_are_missed();
	mistakes_are_told_with_their_line();
	later_texts_replace_what_they_set();
	the_shipped_policy_shows_every_rule();
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	CHECK_INT(system(command), 0);
	return check_result();
}
