#include "check.h"
#include "core/digest.h"
#include "core/dtype.h"
#include "core/folder.h"
#include "core/options.h"
#include "core/util.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void conversions_round_once(void)
{
	/* every f16 and bf16 survives the way to double and back, NaN payloads aside */
	for (uint32_t bits = 0; bits < 0x10000; bits++) {
		const double half = f16_to_f64((uint16_t)bits), brain = bf16_to_f64((uint16_t)bits);
		if (!isnan(half))
			CHECK_INT(f16_from_f64(half), bits);
		else
			CHECK(isnan(f16_to_f64(f16_from_f64(half))));
		if (!isnan(brain))
			CHECK_INT(bf16_from_f64(brain), bits);
	}
	/* ties go to even, and a value just beside a tie is not pulled onto it by a double rounding through f32 */
	CHECK_INT(f16_from_f64(1.0 + ldexp(1, -11)), 0x3c00);
	CHECK_INT(f16_from_f64(1.0 + 3 * ldexp(1, -11)), 0x3c02);
	CHECK_INT(f16_from_f64(1.0 + ldexp(1, -11) + ldexp(1, -40)), 0x3c01);
	CHECK_INT(f16_from_f64(65504.0), 0x7bff);
	CHECK_INT(f16_from_f64(65519.999), 0x7bff);
	CHECK_INT(f16_from_f64(65520.0), 0x7c00);
	CHECK_INT(f16_from_f64(-ldexp(1, -24)), 0x8001);
	CHECK_INT(f16_from_f64(ldexp(1, -25)), 0);                    /* tie between 0 and the smallest: even */
	CHECK_INT(f16_from_f64(ldexp(1, -25) + ldexp(1, -60)), 1);
	CHECK_INT(f16_from_f64(ldexp(1, -300)), 0);
	CHECK_INT(bf16_from_f64(1.0 + ldexp(1, -8)), 0x3f80);
	CHECK_INT(bf16_from_f64(3.4e38), 0x7f80);
	CHECK(isinf(f16_to_f64(0xfc00)) && f16_to_f64(0xfc00) < 0);
	/* the compiler's own conversion to f16 agrees on a sweep of doubles */
	for (int i = -3000; i < 3000; i++) {
		const double value = ldexp(1.0 + i * 1e-4, i / 100);
		const _Float16 theirs = (_Float16)value;
		uint16_t bits;
		memcpy(&bits, &theirs, sizeof bits);
		CHECK_INT(f16_from_f64(value), bits);
	}
}

static void formats_have_their_constants(void)
{
	CHECK_NEAR(dtype_epsilon(DTYPE_F16), ldexp(1, -10), 0);
	CHECK_NEAR(dtype_epsilon(DTYPE_BF16), ldexp(1, -7), 0);
	CHECK_NEAR(dtype_max_finite(DTYPE_F16), 65504, 0);
	CHECK_NEAR(dtype_max_finite(DTYPE_F32), (double)__FLT_MAX__, 0);
	CHECK_NEAR(dtype_smallest_subnormal(DTYPE_F16), ldexp(1, -24), 0);
	CHECK_NEAR(dtype_smallest_subnormal(DTYPE_BF16), ldexp(1, -133), 0);
	CHECK_INT(dtype_from_name("bf16"), DTYPE_BF16);
	CHECK_INT(dtype_from_name("f8"), DTYPE_INVALID);
	CHECK_INT(dtype_ulp_distance(DTYPE_F16, 0x0000, 0x8000), 0);
	CHECK_INT(dtype_ulp_distance(DTYPE_F16, 0x0001, 0x8001), 2);
	CHECK_INT(dtype_ulp_distance(DTYPE_F16, 0x3c00, 0x3bff), 1);
	CHECK(dtype_ulp_distance(DTYPE_F16, 0x3c00, 0x7e00) == UINT64_MAX);
	int32_t whole;
	dtype_store(DTYPE_I32, &whole, 0, 1e300);
	CHECK_INT(whole, INT32_MAX);
	dtype_store(DTYPE_I32, &whole, 0, NAN);
	CHECK_INT(whole, 0);
}

static void errors_keep_cause_and_context(void)
{
	struct error err;
	CHECK_INT(error_set(&err, ERROR_INPUT, "no %s", "file"), -1);
	CHECK_INT(error_context(&err, "loading %d", 7), -1);
	CHECK_TEXT(err.message, "loading 7: no file");
	CHECK_INT(error_exit_code(err.kind), 3);
	CHECK_INT(error_exit_code(ERROR_USAGE), 2);
}

static void options_are_parsed_and_named(void)
{
	int flag = 0;
	int64_t count = 0;
	double seconds = 0;
	const char *text = NULL, *choice = NULL;
	struct option_list list = {0};
	const struct option options[] = {
		{"--strict", OPTION_FLAG, NULL, &flag, "be strict"},
		{"--seed", OPTION_COUNT, "N", &count, "seed"},
		{"--timeout", OPTION_SECONDS, "S", &seconds, "limit"},
		{"--out", OPTION_TEXT, "FILE", &text, "result"},
		{"--image", OPTION_CHOICE, "sass|ptx", &choice, "image"},
		{"--filter", OPTION_LIST, "EXPR", &list, "cases"},
	};
	const struct command_line command = {"assay test", "PATH...", "Tests.", NULL, options, ARRAY_COUNT(options)};
	struct error err = {0};
	int positionals, help;
	char *good[] = {"a", "--strict", "--seed=0x10", "--timeout", "2.5", "b", "--image", "ptx", "--filter", "x",
			"--filter", "y", "--", "--out"};
	CHECK_INT(command_line_parse(&command, ARRAY_COUNT(good), good, &positionals, &help, &err), 0);
	CHECK_INT(positionals, 3);
	CHECK_TEXT(good[1], "b");
	CHECK_TEXT(good[2], "--out");
	CHECK_INT(flag, 1);
	CHECK_INT(count, 16);
	CHECK_NEAR(seconds, 2.5, 0);
	CHECK_TEXT(choice, "ptx");
	CHECK_INT(list.count, 2);
	char *typo[] = {"--strikt"};
	CHECK_INT(command_line_parse(&command, 1, typo, &positionals, &help, &err), -1);
	CHECK_CONTAINS(err.message, "did you mean --strict?");
	char *bad_choice[] = {"--image", "as"};
	CHECK_INT(command_line_parse(&command, 2, bad_choice, &positionals, &help, &err), -1);
	char *bad_seconds[] = {"--timeout", "nan"};
	CHECK_INT(command_line_parse(&command, 2, bad_seconds, &positionals, &help, &err), -1);
	char *missing[] = {"--out"};
	CHECK_INT(command_line_parse(&command, 1, missing, &positionals, &help, &err), -1);
	struct text out = {0};
	command_line_help(&command, &out);
	for (size_t i = 0; i < ARRAY_COUNT(options); i++)
		CHECK_CONTAINS(out.data, options[i].name);
	text_free(&out);
}

static void small_utilities(void)
{
	size_t size = 5;
	CHECK_INT(size_mul(SIZE_MAX, 2, &size), -1);
	CHECK(glob_match("a*c?", "abbbcd") && !glob_match("a*c?", "abbbc") && glob_match("*", "") && glob_match("**x", "yx"));
	char hex[65];
	sha256_hex("abc", 3, hex); /* FIPS 180-4 example */
	CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	struct text quoted = {0};
	text_append_quoted(&quoted, "it's");
	CHECK_TEXT(quoted.data, "'it'\\''s'");
	text_free(&quoted);
	/* the digest sees a changed, a moved and a missing word */
	const uint32_t a[] = {1, 2, 3}, b[] = {2, 1, 3};
	CHECK(digest_bytes(a, 12).half[0] != digest_bytes(b, 12).half[0]);
	CHECK(digest_bytes(a, 12).half[1] != digest_bytes(a, 11).half[1]);
	CHECK(digest_bytes(a, 8).half[0] != digest_bytes(a, 12).half[0]);
	struct error err = {0};
	struct file_map map;
	CHECK_INT(file_map_open(&map, "/nonexistent/file", &err), -1);
	CHECK_CONTAINS(err.message, "/nonexistent/file");
	CHECK_INT(file_map_open(&map, "/", &err), -1);
}

/* A rename over a device, pipe or link would replace it, for one who may. */
static void only_regular_files_are_replaced(void)
{
	char folder[] = "/tmp/assay-test-core.XXXXXX", path[64], link_path[64], pipe_path[64], *temporary = NULL;
	struct error err = {0};
	struct file_map map = {0};
	struct stat status;
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
	snprintf(path, sizeof path, "%s/file", folder);
	snprintf(link_path, sizeof link_path, "%s/link", folder);
	snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
	CHECK_INT(symlink("file", link_path), 0);
	CHECK_INT(mkfifo(pipe_path, 0600), 0);

	CHECK_INT(path_can_be_replaced(path, &err), 0);
	CHECK_INT(path_can_be_written(path, &err), 0);
	CHECK_INT(path_exists(path), 0); /* the question left nothing behind */
	CHECK_INT(write_file_atomically(path, "first", 5, &err), 0);
	CHECK_INT(path_can_be_replaced(path, &err), 0);
	CHECK_INT(write_file_atomically(path, "second", 6, &err), 0);
	/* through the link, which stays one */
	CHECK_INT(write_file_atomically(link_path, "by link", 7, &err), 0);
	CHECK(lstat(link_path, &status) == 0 && S_ISLNK(status.st_mode));
	CHECK_INT(file_map_open(&map, path, &err), 0);
	CHECK(map.size == 7 && memcmp(map.data, "by link", 7) == 0);
	file_map_close(&map);

	const char *const others[] = {link_path, pipe_path, folder, "/dev/null", "/dev/full"};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
		CHECK_INT(path_can_be_replaced(others[i], &err), -1);
		CHECK_CONTAINS(err.message, others[i]);
		CHECK_INT(temporary_beside(others[i], &temporary, &err), -1);
	}
	CHECK_INT(write_file_atomically("/dev/null", "x", 1, &err), 0);
	CHECK(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
	CHECK_INT(write_file_atomically("/dev/full", "x", 1, &err), -1);
	CHECK_CONTAINS(err.message, "/dev/full: cannot be written");
	CHECK_INT(path_can_be_written(folder, &err), -1);
	CHECK_INT(path_can_be_written("/nonexistent/file", &err), -1);
	/* a pipe that nobody writes to is refused, not waited for */
	CHECK_INT(file_map_open(&map, pipe_path, &err), -1);

	unlink(path);
	unlink(link_path);
	unlink(pipe_path);
	CHECK_INT(rmdir(folder), 0); /* no temporary was left behind */
}

/* What lies in folders is told whole, sorted, and without following links. */
static void folders_tell_what_they_hold(void)
{
	char root[] = "/tmp/assay-folder-XXXXXX", path[64], elsewhere[64];
	static const char *const paths[] = {"b", "b/deep", "b/deep/er", "a"};
	static const char *const files[] = {"b/deep/file", ".hidden", "z"};
	struct name_list folders, names;
	struct error err = {0};
	CHECK(mkdtemp(root) != NULL);
	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		snprintf(path, sizeof path, "%s/%s", root, paths[i]);
		CHECK_INT(mkdir(path, 0777), 0);
	}
	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		snprintf(path, sizeof path, "%s/%s", root, files[i]);
		CHECK_INT(write_file_atomically(path, "x", 1, &err), 0);
	}
	snprintf(path, sizeof path, "%s/link", root);
	snprintf(elsewhere, sizeof elsewhere, "%s/b", root);
	CHECK_INT(symlink(elsewhere, path), 0);

	CHECK_INT(folder_names(root, &names, &err), 0);
	static const char *const top[] = {".hidden", "a", "b", "link", "z"};
	CHECK_INT(names.count, ARRAY_COUNT(top));
	for (size_t i = 0; i < ARRAY_COUNT(top) && i < names.count; i++)
		CHECK_TEXT(names.items[i], top[i]);
	CHECK_INT(name_list_find(&names, "link"), 3);
	CHECK_INT(name_list_find(&names, "none"), -1);
	name_list_free(&names);

	CHECK_INT(folder_tree(root, &folders, &names, &err), 0);
	static const char *const below[] = {"a", "b", "b/deep", "b/deep/er"};
	CHECK_INT(folders.count, ARRAY_COUNT(below));
	for (size_t i = 0; i < ARRAY_COUNT(below) && i < folders.count; i++)
		CHECK_TEXT(folders.items[i], below[i]);
	CHECK_INT(names.count, 4);
	CHECK(name_list_find(&names, "b/deep/file") >= 0 && name_list_find(&names, "link") >= 0);
	name_list_free(&folders);
	name_list_free(&names);

	/* enough names for the list to grow several times */
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof path, "%s/a/%03d", root, i);
		CHECK_INT(write_file_atomically(path, "", 0, &err), 0);
	}
	CHECK_INT(folder_tree(root, &folders, &names, &err), 0);
	CHECK_INT(names.count, 104);
	CHECK(name_list_find(&names, "a/099") >= 0);
	name_list_free(&folders);
	name_list_free(&names);

	snprintf(path, sizeof path, "%s/z", root);
	CHECK_INT(folder_names(path, &names, &err), -1);
	CHECK_CONTAINS(err.message, "/z: folder cannot be read: Not a directory");
	CHECK_INT(names.count, 0);
	CHECK_INT(folder_tree("/nonexistent", &folders, &names, &err), -1);
	CHECK_INT(folders.count + names.count, 0);
	char command[128];
	snprintf(command, sizeof command, "/bin/rm -r '%s'", root);
	CHECK_INT(system(command), 0);
}

int main(void)
{
	conversions_round_once();
	formats_have_their_constants();
	errors_keep_cause_and_context();
	options_are_parsed_and_named();
	small_utilities();
	only_regular_files_are_replaced();
	folders_tell_what_they_hold();
	return check_result();
}
