/* What `assay inspect` prints and writes, and its exit codes. */
#include "artifact_fixtures.h"
#include "check.h"
#include "cmd_inspect.h"
#include "inspect.h"

#include <fcntl.h>
#include <unistd.h>

static char folder[256], archive[512];

static void make_archive(void)
{
	const struct fixture_kernel kernels[] = {{"_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params", 255, 256, 16, 1, {440}, 2, NULL, 0},
						 {"_Z5otheri", 40, 0, 0, 0, {4}, 0, NULL, 0}};
	const char *const defined[] = {"run_mha", NULL}, *const undefined[] = {"__cudaLaunchKernel_ptsz", "memcpy", NULL};
	static const char ptx[] = ".version 9.0\n.target sm_90\n.entry a(.param .u64 p) { ret; }";
	struct bytes cubin = {0}, fatbin = {0}, object = {0}, file = {0};
	struct error err = {0};
	put_cubin(&cubin, 8, 90, 0, 130, kernels, 2);
	const struct fixture_entry entries[] = {{2, 90, 1, 8, 0x11, cubin.data, cubin.size, "/home/someone/k.cu", NULL},
						{1, 90, 9, 0, 0x8011, ptx, sizeof ptx, NULL, NULL}};
	put_fatbin(&fatbin, entries, 2);
	put_host_object(&object, defined, undefined, &fatbin);
	const struct fixture_member member = {"one\033[31m\377.o", object.data, object.size};
	put_ar(&file, FIXTURE_GNU, &member, 1, 1);
	snprintf(archive, sizeof archive, "%s/libflashattention.a", folder);
	CHECK_INT(write_file_atomically(archive, file.data, file.size, &err), 0);
	bytes_free(&cubin);
	bytes_free(&fatbin);
	bytes_free(&object);
	bytes_free(&file);
}

static void gpus_are_parsed(void)
{
	static const char *const wrong[] = {"", "sm_", "sm_9", "9", "sm_90a", "sm_86,", ",sm_86", "8.66", "x", "sm_86 sm_90", "999999"};
	struct gpu_list list;
	struct error err = {0};
	CHECK_INT(gpu_list_parse("sm_86,120,9.0", &list, &err), 0);
	CHECK_INT(list.count, 3);
	CHECK_INT(list.cc[0], 86);
	CHECK_INT(list.cc[1], 120);
	CHECK_INT(list.cc[2], 90);
	CHECK_INT(gpu_list_parse(NULL, &list, &err), 0);
	CHECK(list.count > 5 && list.cc[0] == 75);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		CHECK_INT(gpu_list_parse(wrong[i], &list, &err), -1);
		CHECK_INT(err.kind, ERROR_USAGE);
	}
}

static void the_views_say_what_is_inside(void)
{
	static const char *const says[] = {
		"GNU ar of 1 member, index of 1 symbol,",
		"made by       CUDA 13.0 (release 13.0, V13.0.88; ptxas -arch sm_90 -m 64)",
		"1 x ELF object for x86-64",
		"sm_90       SASS, raw, 1 image",
		"2 kernels: 40 to 255 registers, static shared memory up to 256 B, stack in 1 (up to 16 B),\n",
		"                            spills in 1 (up to 2 instructions)\n",
		"compute_90  PTX 9.0, zstd, 1 image",
		"entry points  run_mha",
		"CUDA runtime: 1 symbol: __cudaLaunchKernel_ptsz",
		"per-thread default stream",
		"candle-0.9: flash_fwd_kernel takes 440 bytes",
		"580.65.06 or newer to load it",
		"sm_80   A100, A30                               no   holds SASS for sm_90 and PTX for compute_90",
		"sm_90   H100, H200, GH200                       SASS",
		"sm_120  RTX 50 series, RTX PRO 6000 Blackwell   JIT  from PTX 9.0",
		"tells a path of the machine it was built on: /home/someone/k.cu",
	};
	struct inspection inspection;
	const struct inspect_selection all = {0};
	struct gpu_list gpus;
	struct text plain = {0}, coloured = {0}, list = {0};
	struct error err = {0};
	CHECK_INT(gpu_list_parse("sm_80,sm_90,sm_120", &gpus, &err), 0);
	CHECK_INT(inspect_open(archive, &gpus, &inspection, &err), 0);
	CHECK_INT(inspect_warnings(&inspection), 1);
	inspect_summary(&inspection, &gpus, 0, &plain);
	inspect_summary(&inspection, &gpus, 1, &coloured);
	for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
		CHECK_CONTAINS(plain.data, says[i]);
	/* a member's name cannot command the terminal */
	CHECK(strchr(plain.data, '\033') == NULL);
	CHECK(strchr(plain.data, '\377') == NULL);
	CHECK_CONTAINS(coloured.data, "\033[32mSASS\033[0m");
	CHECK_INT(inspect_kernel_list(&inspection, &all, &list, &err), 0);
	CHECK_TEXT(list.data, "sm_90\tone?[31m?.o\t_Z16flash_fwd_kernelILi64EEv16Flash_fwd_params\nsm_90\tone?[31m?.o\t_Z5otheri\n");

	json_t *json;
	CHECK_INT(inspect_json(&inspection, &gpus, &json, &err), 0);
	CHECK(json != NULL);
	const json_t *unit = json_array_get(json_object_get(json, "units"), 0);
	const json_t *image = json_array_get(json_object_get(unit, "images"), 0);
	const json_t *kernel = json_array_get(json_object_get(image, "kernels"), 0);
	CHECK_TEXT(json_string_value(json_object_get(unit, "name")), "one\033[31m?.o"); /* JSON escapes it */
	CHECK_TEXT(json_string_value(json_object_get(image, "target")), "sm_90");
	CHECK_TEXT(json_string_value(json_object_get(kernel, "demangled")), "void flash_fwd_kernel<64>(Flash_fwd_params)");
	CHECK_INT(json_integer_value(json_object_get(kernel, "registers")), 255);
	CHECK_INT(json_integer_value(json_object_get(kernel, "spill_instructions")), 2);
	CHECK_INT(json_integer_value(json_object_get(json_array_get(json_object_get(kernel, "parameters"), 0), "size")), 440);
	CHECK_INT(strlen(json_string_value(json_object_get(json, "sha256"))), 64);
	CHECK_INT(json_array_size(json_object_get(json, "gpus")), 3);
	CHECK_TEXT(json_string_value(json_object_get(json_object_get(json, "abi"), "run_mha")), "candle-0.9");
	json_decref(json);
	text_free(&plain);
	text_free(&coloured);
	text_free(&list);
	inspect_close(&inspection);
}

static int run(const char *a, const char *b, const char *c, const char *d)
{
	char *words[] = {strdup("inspect"), a ? strdup(a) : NULL, b ? strdup(b) : NULL, c ? strdup(c) : NULL, d ? strdup(d) : NULL};
	char *argv[5];
	int argc = 0;
	for (int i = 0; i < 5; i++)
		if (words[i])
			argv[argc++] = words[i];
	const int code = cmd_inspect(argc, argv);
	for (int i = 0; i < 5; i++)
		free(words[i]);
	return code;
}

static void exit_codes_tell(void)
{
	char json[512], unwritable[512], empty[512];
	json_error_t where;
	struct error err = {0};
	/* what the command prints is not looked at here */
	const int keep_out = dup(1), keep_err = dup(2), null = open("/dev/null", O_WRONLY);
	fflush(stdout);
	dup2(null, 1);
	dup2(null, 2);
	snprintf(json, sizeof json, "%s/out.json", folder);
	snprintf(unwritable, sizeof unwritable, "%s/none/out.json", folder);
	snprintf(empty, sizeof empty, "%s/empty", folder);
	const int made = make_dirs(empty, &err);
	const int codes[] = {run(archive, NULL, NULL, NULL),           run(folder, "--list", NULL, NULL),
			     run(archive, "--json", json, NULL),       run("--help", NULL, NULL, NULL),
			     run(NULL, NULL, NULL, NULL),              run(archive, "--nonsense", NULL, NULL),
			     run(archive, "--gpu", "x", NULL),         run("/nonexistent", NULL, NULL, NULL),
			     run(empty, NULL, NULL, NULL),             run(archive, "--json", unwritable, NULL),
			     run(archive, "/nonexistent", NULL, NULL), run("--gpu", "90", archive, "--list")};
	fflush(stdout);
	dup2(keep_out, 1);
	dup2(keep_err, 2);
	close(keep_out);
	close(keep_err);
	close(null);
	CHECK_INT(made, 0);
	static const int expected[] = {0, 0, 0, 0, 2, 2, 2, 3, 3, 3, 3, 0};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		CHECK_INT(codes[i], expected[i]);
	json_t *root = json_load_file(json, 0, &where);
	CHECK_TEXT(json_string_value(json_object_get(root, "schema")), "assay-inspect");
	CHECK_INT(json_array_size(json_object_get(root, "artifacts")), 1);
	json_decref(root);
	CHECK(!path_exists(unwritable));
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
	make_archive();
	gpus_are_parsed();
	the_views_say_what_is_inside();
	exit_codes_tell();
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	CHECK_INT(system(command), 0);
	return check_result();
}
