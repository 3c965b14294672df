/* What assay doctor says of folders made here: one that fits, and one for each thing that does not. */
#include "check.h"
#include "coff_fixtures.h"
#include "json_schema.h"

#include "core/util.h"
#include "doctor.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/assay-doctor-XXXXXX";
static char prebuilt[256], out_folder[320], project[256], toolkit[256];

#define FOLDER "candle-flash-attn-0123456789abcdef"

static void write_bytes(const char *folder, const char *name, const void *bytes, size_t size)
{
	char path[600];
	struct error err = {0};
	snprintf(path, sizeof path, "%s/%s", folder, name);
	CHECK_INT(write_file_atomically(path, bytes, size, &err), 0);
}

static void write_text(const char *folder, const char *name, const char *text)
{
	write_bytes(folder, name, text, strlen(text));
}

/* What an archive is made to be. */
struct kind {
	unsigned sm, toolkit, parameter_bytes;
	const char *directives; /* of a Windows object; NULL: an ELF one */
	unsigned machine;	/* of an ELF one; 0: x86-64 */
	unsigned ptx_isa;	/* 10 * major + minor: PTX and no SASS; 0: SASS */
};

static void make_archive(const struct kind *kind)
{
	const struct fixture_kernel kernel = {.name = "_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params",
					      .registers = 64,
					      .barriers = 1,
					      .parameter_sizes = {kind->parameter_bytes}};
	const char *const defined[] = {"run_mha", NULL}, *const wanted[] = {"cudaLaunchKernel", "cudaGetLastError", NULL};
	struct bytes cubin = {0}, fatbin = {0}, object = {0}, file = {0};
	char ptx[256];
	const int ptx_size = snprintf(ptx, sizeof ptx,
				      ".version %u.%u\n.target sm_%u\n.address_size 64\n.visible .entry %s(.param .align 8 .b8 "
				      "p[%u])\n{\nret;\n}\n",
				      kind->ptx_isa / 10, kind->ptx_isa % 10, kind->sm, kernel.name, kind->parameter_bytes);
	const struct fixture_entry ptx_entry = {.kind = 1,
						.arch = kind->sm,
						.major = kind->ptx_isa / 10,
						.minor = kind->ptx_isa % 10,
						.flags = 0x11,
						.payload = (const unsigned char *)ptx,
						.size = (size_t)ptx_size + 1};
	put_cubin(&cubin, kind->toolkit >= 130 ? 8 : 7, kind->sm, 0, kind->toolkit, &kernel, 1);
	put_fatbin(&fatbin,
		   kind->ptx_isa ? &ptx_entry :
		   &(struct fixture_entry){.kind = 2,
					   .arch = kind->sm,
					   .major = 1,
					   .minor = 7,
					   .flags = kind->directives ? 0x41 : 0x11,
					   .payload = cubin.data,
					   .size = cubin.size},
		   1);
	if (kind->directives)
		put_msvc_object(&object, "run_mha", "cudaLaunchKernel", kind->directives, &fatbin, 0);
	else
		put_host_object(&object, defined, wanted, &fatbin);
	if (kind->machine) /* e_machine */
		memcpy(object.data + 18, &(uint16_t){(uint16_t)kind->machine}, 2);
	const struct fixture_member member = {
		.name = kind->directives ? "flash_api.obj" : "flash_api.o", .data = object.data, .size = object.size};
	put_ar(&file, kind->directives ? FIXTURE_MSVC : FIXTURE_GNU, &member, 1, 1);
	write_bytes(out_folder, "libflashattention.a", file.data, file.size);
	bytes_free(&cubin);
	bytes_free(&fatbin);
	bytes_free(&object);
	bytes_free(&file);
}

static void make_toolkit(const char *release)
{
	char text[128], path[320];
	snprintf(text, sizeof text, "{\"cuda\": {\"name\": \"CUDA SDK\", \"version\": \"%s.1\"}}\n", release);
	write_text(toolkit, "version.json", text);
	snprintf(path, sizeof path, "%s/bin/nvcc", toolkit);
	snprintf(text, sizeof text, "#!/bin/sh\necho 'Cuda compilation tools, release %s, V%s.85'\n", release, release);
	write_text(toolkit, "bin/nvcc", text);
	CHECK_INT(chmod(path, 0755), 0);
}

static void make_project(const char *version, const char *build_crate)
{
	char text[700];
	snprintf(text, sizeof text,
		 "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n "
		 "\"candle-flash-attn\",\n]\n\n"
		 "[[package]]\nname = \"candle-flash-attn\"\nversion = \"%s\"\n"
		 "source = "
		 "\"git+https://github.com/huggingface/candle?rev=63437a48c#63437a48c0123456789012345678901234567890\"\n\n"
		 "[[package]]\nname = \"%s\"\nversion = \"0.1.5\"\nsource = "
		 "\"registry+https://github.com/rust-lang/crates.io-index\"\n",
		 version, build_crate);
	write_text(project, "Cargo.lock", text);
	write_text(project, "Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
}

/* Everything as it should be. */
static const struct kind good = {.sm = 86, .toolkit = 126, .parameter_bytes = 440};
static const char readme[] = "# Prebuilt kernels\nCandle 0.9.2-alpha.2, CUDA 12.6, Linux x86_64, sm_86\n";

static void reset(void)
{
	char above[256];
	snprintf(above, sizeof above, "%s/prebuilt", root);
	write_text(above, "README.md", readme);
	make_archive(&good);
	make_toolkit("12.6");
	make_project("0.9.2-alpha.2", "bindgen_cuda");
	unsetenv("RUSTFLAGS");
}

struct question {
	const char *path, *triple, *gpus, *driver;
	int without_project;
};

static struct doctor examine(const struct question *question)
{
	const struct cargo_project_options with = {.path = project, .triple = question->triple};
	const struct doctor_options options = {
		.prebuilt = question->path ? question->path : prebuilt,
		.project = question->without_project ? NULL : &with,
		.triple = question->triple,
		.machine = {.cuda = toolkit,
			    .driver = question->driver ? question->driver : "560.35.03",
			    .gpus = question->gpus ? question->gpus : "sm_86"},
	};
	struct doctor doctor;
	struct error err = {0};
	if (doctor_examine(&options, &doctor, &err)) {
		fprintf(stderr, "doctor_examine: %s\n", err.message);
		CHECK(!"doctor_examine");
	}
	return doctor;
}

static const struct requirement *find(const struct doctor *doctor, const char *name)
{
	for (int i = 0; i < doctor->requirement_count; i++)
		if (strcmp(doctor->requirements[i].name, name) == 0)
			return &doctor->requirements[i];
	return NULL;
}

/* One requirement of this verdict whose evidence and remedy contain the texts. */
static void expect(const struct question *question, const char *name, enum fit fit, const char *evidence, const char *remedy)
{
	struct doctor doctor = examine(question);
	const struct requirement *requirement = find(&doctor, name);
	CHECK(requirement != NULL);
	if (requirement) {
		if (requirement->fit != fit)
			fprintf(stderr, "%s: %s: %s\n", name, fit_name(requirement->fit), requirement->evidence);
		CHECK_INT(requirement->fit, fit);
		CHECK_CONTAINS(requirement->evidence, evidence);
		if (remedy)
			CHECK_CONTAINS(requirement->remedy, remedy);
		if (fit == FIT_NO)
			CHECK_INT(doctor_verdict(&doctor, -1), FIT_NO);
	}
	doctor_free(&doctor);
}

static const struct question plain = {0};

static void test_fits(void)
{
	reset();
	struct doctor doctor = examine(&plain);
	struct text text = {0};
	doctor_text(&doctor, 0, &text);
	for (int i = 0; i < doctor.requirement_count; i++)
		if (doctor.requirements[i].fit != FIT_YES)
			fprintf(stderr, "%s: %s\n", doctor.requirements[i].name, doctor.requirements[i].evidence);
	CHECK_INT(doctor_verdict(&doctor, -1), FIT_YES);
	CHECK_INT(doctor.requirement_count, 11); /* all but `packed`, which asks for an assay.json */
	CHECK_CONTAINS(text.data, "README: Candle 0.9.2-alpha.2, CUDA 12.6, Linux, x86-64, sm_86");
	CHECK_CONTAINS(text.data, "0.9.2-alpha.2, git revision 63437a48c0123456789012345678901234567890");
	text_free(&text);
	doctor_free(&doctor);
	/* the folder of it, and its out, are the same */
	expect(&(struct question){.path = out_folder}, "release", FIT_YES, "README says Candle 0.9.2-alpha.2, as Cargo.lock has",
	       NULL);
	/* without a project its questions stay open */
	expect(&(struct question){.without_project = 1}, "release", FIT_UNKNOWN, "no --project to compare with", NULL);
}

static void test_release(void)
{
	reset();
	make_project("0.9.1", "bindgen_cuda");
	expect(&plain, "release", FIT_NO,
	       "is of another Candle release: README says 0.9.2-alpha.2, and Cargo.lock has candle-flash-attn 0.9.1 "
	       "from git revision 63437a48c012",
	       "cargo update -p candle-flash-attn --precise 0.9.2-alpha.2");
	/* the archive itself tells where nobody claims anything */
	make_project("0.11.0", "cudaforge");
	char above[256];
	snprintf(above, sizeof above, "%s/prebuilt", root);
	write_text(above, "README.md", "nothing of interest\n");
	expect(&plain, "release", FIT_NO, "is made for another Candle release: Cargo.lock has candle-flash-attn 0.11.0",
	       "get the folder for");
	reset();
	make_archive(&(struct kind){.sm = 86, .toolkit = 126, .parameter_bytes = 464});
	expect(&plain, "release", FIT_NO, "README says Candle 0.9.2-alpha.2, but libflashattention.a", "ask the publisher");
	reset();
	write_text(project, "Cargo.lock", "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n");
	expect(&plain, "release", FIT_NO, "candle-flash-attn is not among the packages of", "flash-attn");
	/* beside a folder of a crate that the project uses it is only left out */
	reset();
	char other[400], command[900];
	snprintf(other, sizeof other, "%s/prebuilt/candle-kernels-0123456789abcdef", root);
	snprintf(command, sizeof command, "/bin/cp -r '%s' '%s'", prebuilt, other);
	CHECK_INT(system(command), 0);
	snprintf(command, sizeof command, "%s/prebuilt", root);
	struct doctor doctor = examine(&(struct question){.path = command});
	CHECK_INT(doctor.prebuilt.count, 2);
	CHECK_INT(doctor_verdict(&doctor, 0), FIT_YES);
	CHECK_INT(doctor_verdict(&doctor, 1), FIT_UNKNOWN);
	for (int i = 0; i < doctor.requirement_count; i++)
		if (doctor.requirements[i].folder == 1 && strcmp(doctor.requirements[i].name, "release") == 0)
			CHECK_CONTAINS(doctor.requirements[i].evidence, "the project does not use candle-kernels");
	doctor_free(&doctor);
	snprintf(command, sizeof command, "/bin/rm -r '%s'", other);
	CHECK_INT(system(command), 0);
}

/* The release of the artifact as the JSON has it, and whether it is marked as a lower bound. */
static void check_cuda_of_json(const char *release, int at_least)
{
	struct doctor doctor = examine(&plain);
	json_t *json = doctor_json(&doctor);
	const json_t *folder = json_array_get(json_object_get(json, "folders"), 0);
	const json_t *artifact = json_array_get(json_object_get(folder, "artifacts"), 0);
	const json_t *bound = json_object_get(artifact, "cuda_at_least");
	CHECK_TEXT(json_string_value(json_object_get(artifact, "cuda")), release);
	json_t *schema = json_load_file(DOCTOR_SCHEMA, 0, NULL);
	CHECK(schema && schema_check_document(schema, json) == 0);
	json_decref(schema);
	CHECK(json_is_boolean(bound));
	CHECK_INT(json_is_true(bound), at_least);
	json_decref(json);
	doctor_free(&doctor);
}

static void test_cuda(void)
{
	reset();
	make_toolkit("13.0");
	expect(&plain, "cuda", FIT_NO,
	       "was built with CUDA 12.6 and needs a CUDA runtime of major 12, and the toolkit here is CUDA 13.0",
	       "use CUDA 12.x for this project");
	make_toolkit("12.4");
	expect(&plain, "cuda", FIT_UNKNOWN, "was built with CUDA 12.6, and here is the older CUDA 12.4",
	       "use CUDA 12.6 or a later 12.x");
	make_toolkit("12.8");
	expect(&plain, "cuda", FIT_YES, "built with CUDA 12.6, here CUDA 12.8", NULL);
	make_toolkit("none");
	expect(&plain, "cuda", FIT_NO, "was built with CUDA 12.6, and no CUDA toolkit was found",
	       "install CUDA 12.6 or a later 12.x");
	check_cuda_of_json("12.6", 0);
	/* the README names another release than the files are of */
	reset();
	make_archive(&(struct kind){.sm = 86, .toolkit = 124, .parameter_bytes = 440});
	expect(&plain, "claims", FIT_NO, "README.md says CUDA 12.6", "files of several builds may have been mixed");
}

/* PTX alone tells a lower bound of the toolkit: what is later is not wrong, but not known either. */
static void test_ptx_alone(void)
{
	static const struct kind ptx = {.sm = 80, .parameter_bytes = 440, .ptx_isa = 70};
	char above[256];
	reset();
	make_archive(&ptx);
	snprintf(above, sizeof above, "%s/prebuilt", root);
	write_text(above, "README.md", "For Linux.\n");
	make_toolkit("13.0");
	expect(&plain, "cuda", FIT_UNKNOWN, "was built with CUDA 11.0 or later: all its device code is PTX", "ask the publisher");
	struct doctor doctor = examine(&plain);
	struct text text = {0};
	doctor_text(&doctor, 0, &text);
	CHECK_CONTAINS(text.data, "README: Linux\n");
	CHECK_CONTAINS(text.data, "CUDA 11.0 or later, host code for Linux");
	text_free(&text);
	doctor_free(&doctor);
	make_toolkit("11.8");
	expect(&plain, "cuda", FIT_YES, "built with CUDA 11.0 or later, here CUDA 11.8", NULL);
	make_toolkit("10.2");
	/* 11.0 is where what it may be begins, not the major that it is: no remedy sends anybody to 11.x */
	static const char which[] = "CUDA 11.0 or later, of the major that its publisher built it with";
	expect(&plain, "cuda", FIT_NO, "needs a CUDA runtime of major 11 or later, and the toolkit here is CUDA 10.2", which);
	make_toolkit("none");
	expect(&plain, "cuda", FIT_NO, "was built with CUDA 11.0 or later, and no CUDA toolkit was found", which);
	check_cuda_of_json("11.0", 1);
	/* a README may say which */
	write_text(above, "README.md", "Built with CUDA 12.6 on Linux.\n");
	make_toolkit("12.8");
	expect(&plain, "cuda", FIT_YES, "built with CUDA 12.6, here CUDA 12.8", NULL);
	make_toolkit("13.0");
	expect(&plain, "cuda", FIT_NO, "was built with CUDA 12.6 and needs a CUDA runtime of major 12", "use CUDA 12.x");
	/* or what it says can be seen to be wrong */
	write_text(above, "README.md", "Built with CUDA 10.2 on Linux.\n");
	expect(&plain, "cuda", FIT_UNKNOWN, "was built with CUDA 11.0 or later", NULL);
}

static void test_gpu_and_driver(void)
{
	reset();
	expect(&(struct question){.gpus = "sm_86,sm_75"}, "gpu", FIT_NO, "libflashattention.a cannot run on sm_75",
	       "CUDA_COMPUTE_CAP=75");
	expect(&(struct question){.gpus = "sm_89"}, "gpu", FIT_YES, "runs on sm_89", NULL);
	expect(&(struct question){.driver = "470.82.01"}, "driver", FIT_NO,
	       "needs driver 525.60.13 or newer to load libflashattention.a, and "
	       "here is 470.82.01",
	       "install driver 525.60.13 or newer");
}

static void test_system(void)
{
	static const char md[] = "/FAILIFMISMATCH:\"RuntimeLibrary=MD_DynamicRelease\" /DEFAULTLIB:\"MSVCRT\"";
	const struct kind windows = {.sm = 86, .toolkit = 126, .parameter_bytes = 440, .directives = md};
	reset();
	make_archive(&windows);
	expect(&(struct question){.triple = "x86_64-unknown-linux-gnu"}, "system", FIT_NO,
	       "libflashattention.a holds host code for Windows (x86-64), and the target is x86_64-unknown-linux-gnu",
	       "get the folder that was built on Linux");
	/* and described all the same */
	struct doctor doctor = examine(&(struct question){.triple = "x86_64-unknown-linux-gnu"});
	struct text text = {0};
	doctor_text(&doctor, 0, &text);
	CHECK_CONTAINS(text.data, "SASS sm_86, CUDA 12.6, host code for Windows x86-64, C runtime /MD");
	CHECK_CONTAINS(text.data, "run_mha of candle-0.9");
	CHECK_CONTAINS(doctor.artifacts[0].claims,
		       "README.md says that it is for linux; flash_api.obj (COFF object) is for windows");
	text_free(&text);
	doctor_free(&doctor);
	reset();
	expect(&(struct question){.triple = "x86_64-pc-windows-msvc"}, "system", FIT_NO,
	       "holds host code for Linux (x86-64), and the target is x86_64-pc-windows-msvc", "built on Windows");
	make_archive(&(struct kind){.sm = 86, .toolkit = 126, .parameter_bytes = 440, .machine = 183});
	expect(&(struct question){.triple = "x86_64-unknown-linux-gnu"}, "processor", FIT_NO,
	       "holds host code for AArch64, and the target is x86_64-unknown-linux-gnu", "built for x86-64");
}

static void test_crt(void)
{
	static const char md[] = "/FAILIFMISMATCH:\"RuntimeLibrary=MD_DynamicRelease\"";
	static const char mt[] = "/FAILIFMISMATCH:\"RuntimeLibrary=MT_StaticRelease\"";
	static const char debug[] = "/FAILIFMISMATCH:\"RuntimeLibrary=MDd_DynamicDebug\"";
	const struct question windows = {.triple = "x86_64-pc-windows-msvc"};
	struct kind kind = {.sm = 86, .toolkit = 126, .parameter_bytes = 440, .directives = md};
	reset();
	make_archive(&kind);
	expect(&windows, "crt", FIT_YES, "/MD (dynamic, release), as the project links it", NULL);
	setenv("RUSTFLAGS", "-C target-feature=+crt-static", 1);
	expect(&windows, "crt", FIT_NO, "is built for /MD (dynamic, release)", "-crt-static");
	kind.directives = mt;
	make_archive(&kind);
	expect(&windows, "crt", FIT_YES, "/MT (static, release), as the project links it (+crt-static in RUSTFLAGS)", NULL);
	unsetenv("RUSTFLAGS");
	expect(&windows, "crt", FIT_NO, "and the project links the C runtime dynamically (Rust's default)", "+crt-static");
	kind.directives = debug;
	make_archive(&kind);
	expect(&windows, "crt", FIT_NO, "is linked with the debug C runtime /MDd", "release build");
	kind.directives = md;
	make_archive(&kind);
	expect(&(struct question){.triple = "x86_64-pc-windows-gnu"}, "crt", FIT_NO, "is built by MSVC",
	       "x86_64-pc-windows-msvc");
	reset();
	expect(&(struct question){.triple = "x86_64-unknown-linux-musl"}, "crt", FIT_NO, "is built for glibc", "-gnu target");
	setenv("RUSTFLAGS", "-C target-feature=+crt-static", 1);
	expect(&(struct question){.triple = "x86_64-unknown-linux-gnu"}, "crt", FIT_NO, "links the C runtime statically",
	       "without +crt-static");
	unsetenv("RUSTFLAGS");
}

static void test_build(void)
{
	reset();
	make_project("0.9.2-alpha.2", "cudaforge");
	expect(&plain, "build", FIT_NO, "lacks .cudaforge_cache.json", "hidden files included");
	write_text(out_folder, ".cudaforge_cache.json", "{}");
	expect(&plain, "build", FIT_UNKNOWN, "compares hashes of sources and arguments", NULL);
	char path[400];
	snprintf(path, sizeof path, "%s/.cudaforge_cache.json", out_folder);
	unlink(path);
	reset();
	snprintf(path, sizeof path, "%s/bin/nvcc", toolkit);
	unlink(path);
	expect(&plain, "build", FIT_NO, "no nvcc: the build script of candle-flash-attn asks it for its targets",
	       "install the CUDA toolkit");
}

static void test_damaged(void)
{
	reset();
	write_text(out_folder, "libflashattention.a", "!<arch>\nnonsense");
	expect(&plain, "readable", FIT_NO, "1 of 1 artifacts cannot be read", "get the folder again");
	reset();
}

/* assay.json as assay pack writes it, as far as doctor reads it. */
static void write_manifest(const char *sha256, long long size, const char *policy, const char *verdict)
{
	char text[1200], above[256];
	snprintf(above, sizeof above, "%s/prebuilt", root);
	snprintf(text, sizeof text,
		 "{\"schema\": \"assay-manifest\", \"schema_version\": 1, \"folders\": [{\"path\": \"" FOLDER
		 "/out\", \"files\": [{\"path\": "
		 "\"libflashattention.a\", \"size\": %lld, \"sha256\": \"%s\"}]}], \"policy\": {\"verdict\": \"%s\"}, \"runs\": "
		 "[{\"architecture\": \"sm_86\", \"artifacts\": [{\"path\": \"x\", \"sha256\": \"%s\", \"verdict\": \"%s\"}]}]}",
		 size, sha256, policy, sha256, verdict);
	write_text(above, "assay.json", text);
}

static void test_packed(void)
{
	char path[500], hex[65], above[400];
	struct error err = {0};
	struct stat status;
	reset();
	snprintf(path, sizeof path, "%s/libflashattention.a", out_folder);
	CHECK_INT(file_sha256(path, hex, &err), 0);
	CHECK_INT(stat(path, &status), 0);
	write_manifest(hex, status.st_size, "pass", "pass");
	expect(&plain, "packed", FIT_YES, "1 files are those of assay.json, and passed verification on this GPU's architecture",
	       NULL);
	expect(&(struct question){.gpus = "sm_89"}, "packed", FIT_YES, "nobody verified them on this GPU's architecture", NULL);
	write_manifest(hex, status.st_size, "pass", "fail");
	expect(&plain, "packed", FIT_NO, "its publisher's verification on sm_86 gave: fail", "do not use it");
	write_manifest(hex, status.st_size, "fail", "pass");
	expect(&plain, "packed", FIT_NO, "its publisher's policy failed", "ask the publisher");
	write_manifest("0000000000000000000000000000000000000000000000000000000000000000", status.st_size, "pass", "pass");
	expect(&plain, "packed", FIT_NO, "libflashattention.a: is not the file that was packed", "get the folder again");
	write_manifest(hex, status.st_size, "pass", "pass");
	write_text(out_folder, "extra.o", "x");
	expect(&plain, "packed", FIT_NO, "extra.o: was added after it was packed", NULL);
	snprintf(path, sizeof path, "%s/extra.o", out_folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/libflashattention.a", out_folder);
	snprintf(above, sizeof above, "%s/other.a", out_folder);
	CHECK_INT(rename(path, above), 0);
	expect(&plain, "packed", FIT_NO, "libflashattention.a: is missing", NULL);
	CHECK_INT(rename(above, path), 0);
	snprintf(above, sizeof above, "%s/prebuilt", root);
	write_text(above, "assay.json", "{\"schema\": ");
	struct doctor doctor;
	const struct doctor_options options = {.prebuilt = prebuilt, .machine = {.cuda = toolkit, .without_gpus = 1}};
	CHECK_INT(doctor_examine(&options, &doctor, &err), -1);
	CHECK_CONTAINS(err.message, "assay.json: is no JSON");
	snprintf(path, sizeof path, "%s/assay.json", above);
	unlink(path);
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_INT(doctor_examine(&options, &doctor, &err), -1);
	CHECK_CONTAINS(err.message, "assay.json: is not a regular file");
	unlink(path);
}

static void test_json(void)
{
	json_error_t why;
	json_t *schema = json_load_file(DOCTOR_SCHEMA, 0, &why);
	const struct question questions[] = {{0}, {.gpus = "sm_75"}, {.without_project = 1}};
	CHECK(schema != NULL);
	reset();
	for (size_t i = 0; i < ARRAY_COUNT(questions); i++) {
		struct doctor doctor = examine(&questions[i]);
		json_t *json = doctor_json(&doctor);
		CHECK(json && schema && schema_check_document(schema, json) == 0);
		CHECK_TEXT(json_string_value(json_object_get(json, "verdict")), i == 0	 ? "fits"
										: i == 1 ? "does not fit"
											 : "not known");
		json_decref(json);
		doctor_free(&doctor);
	}
	json_decref(schema);
}

/* What is no project, no folder, or hostile. */
static void test_refused(void)
{
	struct doctor doctor;
	struct error err = {0};
	const struct cargo_project_options nowhere = {.path = "/"};
	struct doctor_options options = {.prebuilt = "/nonexistent", .machine = {.without_gpus = 1}};
	CHECK_INT(doctor_examine(&options, &doctor, &err), -1);
	CHECK_CONTAINS(err.message, "/nonexistent");
	reset();
	options.prebuilt = prebuilt;
	options.project = &nowhere;
	CHECK_INT(doctor_examine(&options, &doctor, &err), -1);
	CHECK_CONTAINS(err.message, "no Cargo project");
	/* a toolkit that was named and is none is not looked for somewhere else, nor told to be missing everywhere */
	options.machine.cuda = project;
	CHECK_INT(doctor_examine(&options, &doctor, &err), -1);
	CHECK_INT(err.kind, ERROR_USAGE);
	CHECK_CONTAINS(err.message, "holds neither bin/nvcc nor version.json");
	options.machine.cuda = NULL;
	char link[400];
	snprintf(link, sizeof link, "%s/passwd.o", out_folder);
	CHECK_INT(symlink("/etc/passwd", link), 0);
	options.project = NULL;
	CHECK_INT(doctor_examine(&options, &doctor, &err), -1);
	CHECK_CONTAINS(err.message, "is a symbolic link; only regular files are published and installed");
	unlink(link);
	/* Cargo.lock: keys without values, endless lines, packages without a name */
	static const char lock[] = "[[package]]\nname = \"\n[[package]]\nversion = \"1\"\nname = \"a\"b\n[[package]]\r\nname = "
				   "\"c\"\r\nversion = \"2\"\r\n"
				   "source = \"git+x#0123\"\n[[patch.unused]]\nname = \"d\"";
	struct cargo_project parsed = {.crt_static = -1};
	int others;
	for (size_t size = 0; size <= sizeof lock - 1; size++) {
		char *exactly = copy_text(lock, size);
		CHECK_INT(cargo_lock_note(&parsed, exactly, size), 0);
		free(exactly);
	}
	const struct cargo_package *package = cargo_package_find(&parsed, "c", &others);
	CHECK(package != NULL);
	if (package) {
		CHECK_TEXT(package->version, "2");
		CHECK_TEXT(package->revision, "");
	}
	CHECK(cargo_package_find(&parsed, "d", NULL) == NULL);
	cargo_project_free(&parsed);
}

int main(void)
{
	char command[400];
	if (!mkdtemp(root)) {
		perror(root);
		return 1;
	}
	snprintf(prebuilt, sizeof prebuilt, "%s/prebuilt/" FOLDER, root);
	snprintf(out_folder, sizeof out_folder, "%s/out", prebuilt);
	snprintf(project, sizeof project, "%s/project", root);
	snprintf(toolkit, sizeof toolkit, "%s/cuda", root);
	struct error err = {0};
	char bin[300];
	snprintf(bin, sizeof bin, "%s/bin", toolkit);
	CHECK_INT(make_dirs(out_folder, &err) || make_dirs(project, &err) || make_dirs(bin, &err), 0);
	/* neither cargo nor rustc nor a toolkit of this machine has a say */
	setenv("PATH", "/usr/bin-of-nobody", 1);
	static const char *const variables[] = {"CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS",
						"CUDA_COMPUTE_CAP"};
	for (size_t i = 0; i < ARRAY_COUNT(variables); i++)
		unsetenv(variables[i]);
	test_fits();
	test_release();
	test_cuda();
	test_ptx_alone();
	test_gpu_and_driver();
	test_system();
	test_crt();
	test_build();
	test_damaged();
	test_packed();
	test_json();
	test_refused();
	setenv("PATH", "/usr/bin:/bin", 1);
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	CHECK_INT(system(command), 0);
	return check_result();
}
