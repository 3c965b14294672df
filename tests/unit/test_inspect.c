/* What `assay inspect` prints and writes, and its exit codes. */
#include "artifact_fixtures.h"
#include "check.h"
#include "cmd_inspect.h"
#include "inspect.h"
#include "json_schema.h"

#include <fcntl.h>
#include <stdio.h>
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

static void tables_have_a_row_each(void)
{
	static const struct {
		int (*show)(struct inspection *, const struct inspect_selection *, struct text *, struct error *);
		const char *filter, *sort;
		const char *has, *has_not;
	} views[] = {
		{inspect_kernels, NULL, NULL, "sm_90        255     256     16      2     -    1     128       -     440     128 B  "
					      "void flash_fwd_kernel<64>(Flash_fwd_params)\n", "[one"},
		{inspect_kernels, NULL, "name", "2 kernels, 256 B of code", NULL},
		{inspect_kernels, "other", NULL, "1 kernel, 128 B of code", "flash_fwd"},
		{inspect_kernels, "-*Flash_fwd_params)", NULL, "other(int)", "flash_fwd"},
		{inspect_kernels, "sm_80", NULL, "0 kernels", "other"},
		{inspect_images, NULL, NULL, "2 kernels, ABI 8, CUDA 13.0, ptxas \"-arch sm_90 -m 64\", source \"/home/someone/k.cu\"\n", NULL},
		{inspect_images, "PTX", NULL, "ISA 9.0, 1 entry, 0 functions, .ftz 0, .approx 0\n1 image\n", "SASS"},
		{inspect_members, NULL, NULL, "  one?[31m?.o, ELF object for x86-64, sm_90, compute_90\n1 member\n", NULL},
		{inspect_members, "two", NULL, "0 members", "one"},
		{inspect_symbols, NULL, NULL, "  run_mha\nneeded from elsewhere, CUDA runtime:\n  __cudaLaunchKernel_ptsz\n", NULL},
		{inspect_symbols, "memcpy", NULL, "  none\nneeded from elsewhere, C library:\n  memcpy\n1 symbol\n", "run_mha"},
		{inspect_sizes, NULL, NULL, "sm_90        SASS           1        2      256 B", NULL},
		{inspect_sizes, NULL, NULL, "     128 B   50.0%       1  other(int)\n", NULL},
	};
	struct gpu_list gpus;
	struct inspection inspection;
	struct error err = {0};
	CHECK_INT(gpu_list_parse("sm_90", &gpus, &err), 0);
	CHECK_INT(inspect_open(archive, &gpus, &inspection, &err), 0);
	for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
		const struct inspect_selection selection = {.filters = &views[i].filter, .filter_count = views[i].filter != NULL, .sort = views[i].sort};
		struct text out = {0};
		CHECK_INT(views[i].show(&inspection, &selection, &out, &err), 0);
		CHECK_CONTAINS(out.data, views[i].has);
		if (views[i].has_not && strstr(out.data, views[i].has_not))
			fprintf(stderr, "view %zu says %s:\n%s\n", i, views[i].has_not, out.data);
		CHECK(!views[i].has_not || !strstr(out.data, views[i].has_not));
		text_free(&out);
	}
	inspect_close(&inspection);
}

/* An archive whose members' names would lead out of the folder, or hide, if they were taken as they are. */
static void make_hostile(const char *path)
{
	static const char ptx[] = ".version 9.0\n.target sm_90\n.entry a(.param .u64 p) { ret; }";
	static const struct fixture_member members[] = {{"../../../escaped.ptx", ptx, sizeof ptx - 1}, {"/tmp/absolute.ptx", ptx, sizeof ptx - 1},
							{"..", ptx, sizeof ptx - 1},		       {"-rf", ptx, sizeof ptx - 1},
							{"same.ptx", ptx, sizeof ptx - 1},	       {"same.ptx", ptx, sizeof ptx - 1}};
	struct bytes file = {0};
	struct error err = {0};
	put_ar(&file, FIXTURE_GNU, members, 6, 1);
	CHECK_INT(write_file_atomically(path, file.data, file.size, &err), 0);
	bytes_free(&file);
}

static int count_files(const char *where)
{
	char command[700];
	int count = -1;
	snprintf(command, sizeof command, "find '%s' -type f 2>/dev/null | wc -l", where);
	FILE *pipe = popen(command, "r");
	if (!pipe || fscanf(pipe, "%d", &count) != 1)
		count = -1;
	if (pipe)
		pclose(pipe);
	return count;
}

static int extract(const char *path, const char *into, const char *filter, size_t *files, struct error *err)
{
	const struct inspect_selection selection = {.filters = &filter, .filter_count = filter != NULL};
	struct extraction *extraction;
	struct inspection inspection;
	struct gpu_list gpus = {0};
	if (extraction_open(&extraction, into, err))
		return -1;
	CHECK_INT(inspect_open(path, &gpus, &inspection, err), 0);
	const int failed = inspect_extract(&inspection, &selection, extraction, err);
	inspect_close(&inspection);
	if (failed) {
		extraction_abandon(extraction);
		return -1;
	}
	return extraction_commit(extraction, files, err);
}

static void extraction_stays_in_its_folder(void)
{
	static const char *const made[] = {"members/0000-_._.._.._escaped.ptx", "code/0000-_._.._.._escaped.ptx/c0000-00.compute_90.ptx",
					   "members/0001-_tmp_absolute.ptx",	 "members/0002-_.",	"members/0003-_rf",
					   "members/0004-same.ptx",		 "members/0005-same.ptx"};
	char hostile[512], into[512], inside[1200], taken[600];
	size_t files = 0;
	struct error err = {0};
	snprintf(hostile, sizeof hostile, "%s/hostile.a", folder);
	snprintf(into, sizeof into, "%s/extracted", folder);
	make_hostile(hostile);
	const int before = count_files(folder);
	CHECK_INT(extract(hostile, into, NULL, &files, &err), 0);
	CHECK_TEXT(err.message, "");
	CHECK_INT(files, 12);
	CHECK_INT(count_files(into), 12);
	CHECK_INT(count_files(folder), before + 12);
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
		snprintf(inside, sizeof inside, "%s/hostile.a/%s", into, made[i]);
		if (!path_exists(inside))
			fprintf(stderr, "%s is not there\n", inside);
		CHECK(path_exists(inside));
	}
	/* nothing is written over, and nothing is left of what did not come to its end */
	CHECK_INT(extract(hostile, into, NULL, &files, &err), -1);
	CHECK_CONTAINS(err.message, "holds files, which are not written over");
	snprintf(taken, sizeof taken, "%s/elsewhere", folder);
	CHECK_INT(extract(hostile, taken, "matches nothing", &files, &err), -1);
	CHECK_CONTAINS(err.message, "matches the filter");
	CHECK(!path_exists(taken));
	CHECK_INT(extract(hostile, hostile, NULL, &files, &err), -1);
	CHECK_CONTAINS(err.message, "is no folder");
	CHECK_INT(count_files(folder), before + 12);
	/* an empty folder is as good as none */
	CHECK_INT(make_dirs(taken, &err), 0);
	CHECK_INT(extract(archive, taken, "*.cubin", &files, &err), 0);
	CHECK_INT(files, 1);
	snprintf(inside, sizeof inside, "%s/libflashattention.a/code/0000-one__31m_.o/c0000-00.sm_90.cubin", taken);
	CHECK(path_exists(inside));
	unlink(hostile);
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
	json_t *schema = json_load_file(SCHEMA, 0, &where);
	CHECK(schema != NULL);
	CHECK_INT(schema_check_document(schema, root), 0);
	json_decref(schema);
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
	tables_have_a_row_each();
	extraction_stays_in_its_folder();
	exit_codes_tell();
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	CHECK_INT(system(command), 0);
	return check_result();
}
