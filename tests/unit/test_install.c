/* State of installs that is anybody's, and README texts around the table of pack. */
#include "check.h"

#include "core/util.h"
#include "install.h"
#include "install_tree.h"
#include "pack.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/assay-install-XXXXXX";
static char target[128], state_folder[160], victim[160];

static void write_in(const char *folder, const char *name, const char *text)
{
	char path[400];
	struct error err = {0};
	snprintf(path, sizeof path, "%s/%s", folder, name);
	CHECK_INT(write_file_atomically(path, text, strlen(text), &err), 0);
}

static void paths_are_checked(void)
{
	static const char *const good[] = {"a", "a/b", "..a/b..", "a/.b", ".a"};
	static const char *const bad[] = {"", "/", "/a", "..", "../a", "a/..", "a/../b", ".", "./a", "a//b", "a/", "a/./b"};
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		CHECK_INT(install_path_is_safe(good[i]), 1);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		CHECK_INT(install_path_is_safe(bad[i]), 0);
}

#define HASH "0123456789012345678901234567890123456789012345678901234567890123"
#define PLACES(...) "{\"schema\": \"assay-installed\", \"schema_version\": 1, \"places\": [" __VA_ARGS__ "]}"

static void wrong_lists_are_refused(void)
{
	static const char *const wrong[] = {
		"",
		"{",
		"[]",
		"{}",
		"null",
		PLACES("1"),
		PLACES("{}"),
		PLACES("{\"out\": \"relative\", \"files\": [], \"folders\": []}"),
		PLACES("{\"out\": \"/tmp/../etc\", \"files\": [], \"folders\": []}"),
		PLACES("{\"out\": \"/tmp/x\", \"files\": 1, \"folders\": []}"),
		PLACES("{\"out\": \"/tmp/x\", \"files\": [{\"path\": \"../../etc/passwd\", \"sha256\": \"" HASH
		       "\"}], \"folders\": []}"),
		PLACES("{\"out\": \"/tmp/x\", \"files\": [{\"path\": \"/etc/passwd\", \"sha256\": \"" HASH
		       "\"}], \"folders\": []}"),
		PLACES("{\"out\": \"/tmp/x\", \"files\": [{\"path\": \"a\", \"sha256\": \"short\"}], \"folders\": []}"),
		PLACES("{\"out\": \"/tmp/x\", \"files\": [{\"path\": 3, \"sha256\": \"" HASH "\"}], \"folders\": []}"),
		PLACES("{\"out\": \"/tmp/x\", \"files\": [], \"folders\": [1]}"),
		PLACES("{\"out\": \"/tmp/x\", \"files\": [], \"folders\": [\"..\"]}"),
		"{\"schema\": \"assay-installed\", \"schema_version\": 2, \"places\": []}",
		"{\"schema\": \"other\", \"schema_version\": 1, \"places\": []}",
		"{\"schema\": \"assay-installed\", \"schema_version\": 1, \"places\": {}}",
	};
	struct install_state state;
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		struct error err = {0};
		write_in(state_folder, "installed.json", wrong[i]);
		CHECK_INT(install_state_open(target, &state, &err), -1);
		CHECK_CONTAINS(err.message, "installed.json");
	}
	write_in(state_folder, "installed.json", PLACES());
	struct error err = {0};
	CHECK_INT(install_state_open(target, &state, &err), 0);
	install_state_close(&state);
}

/* A journal says what is to be removed, exchanged and aged: none of it may be chosen freely. */
static void wrong_journals_change_nothing(void)
{
	static const char *const moves[] = {
		"{\"out\": \"relative\"}",
		"{\"out\": \"/tmp/../tmp\"}",
		"{\"out\": \"%s\", \"displace\": [\"../x\"]}",
		"{\"out\": \"%s\", \"restored\": [\"/etc/passwd\"]}",
		"{\"out\": \"%s\", \"displace\": [1]}",
		"{\"out\": \"%s\", \"output\": {\"path\": \"/etc/passwd\", \"time\": 1}}",
		"{}",
	};
	for (int ready = 0; ready < 2; ready++) {
		for (size_t i = 0; i < ARRAY_COUNT(moves); i++) {
			char move[512], text[1024];
			struct install_state state;
			struct error err = {0};
			const char *what;
			snprintf(move, sizeof move, moves[i], victim);
			snprintf(text, sizeof text,
				 "{\"schema\": \"assay-install-journal\", \"schema_version\": 1, \"ready\": %s, \"moves\": [%s], "
				 "\"places\": []}",
				 ready ? "true" : "false", move);
			write_in(state_folder, "journal.json", text);
			CHECK_INT(install_state_open(target, &state, &err), 0);
			CHECK_INT(install_state_lock(&state, NULL, &err), 0);
			CHECK_INT(install_state_recover(&state, &what, &err), -1);
			CHECK_CONTAINS(err.message, "journal.json: is not what assay install writes");
			install_state_close(&state);
		}
	}
}

/* Reads a ready journal about the victim, and has it ended; -1 with *err when it cannot be. */
static int end_journal(const char *before, const char *next, struct error *err)
{
	char text[512];
	struct install_state state;
	const char *what;
	snprintf(text, sizeof text,
		 "{\"schema\": \"assay-install-journal\", \"schema_version\": 1, \"ready\": true, \"moves\": [{\"out\": \"%s\", "
		 "\"before\": \"%s\", \"identity\": \"%s\", \"drop_kept\": true}], \"places\": []}",
		 victim, before, next);
	write_in(state_folder, "journal.json", text);
	CHECK_INT(install_state_open(target, &state, err), 0);
	CHECK_INT(install_state_lock(&state, NULL, err), 0);
	const int result = install_state_recover(&state, &what, err);
	install_state_close(&state);
	return result;
}

/* Trees that are not those of the journal stay; where neither is there any more, nothing is left to be done, now or ever. */
static void journals_without_their_trees(void)
{
	char file[300], journal[300];
	struct error err = {0};
	const struct tree_identity before = tree_identify(victim);
	char *staging = tree_staging_of(victim);
	snprintf(file, sizeof file, "%s/file", victim);
	snprintf(journal, sizeof journal, "%s/journal.json", state_folder);
	/* the new tree was removed, and the old one is still there */
	CHECK_INT(end_journal(before.text, "1", &err), -1);
	CHECK_CONTAINS(err.message, "one of them is not what it was; remove both and run it again");
	CHECK(path_exists(file) && path_exists(journal));
	/* something else lies where the new tree was made */
	CHECK_INT(make_dirs(staging, &err), 0);
	CHECK_INT(end_journal("2", "1", &err), -1);
	CHECK(path_exists(file) && path_exists(staging) && path_exists(journal));
	CHECK_INT(tree_remove(staging, &err), 0);
	/* Cargo has cleaned up, and made the folder anew */
	CHECK_INT(end_journal("2", "1", &err), 0);
	CHECK(path_exists(file) && !path_exists(journal));
	free(staging);
}

static void locks_exclude(void)
{
	struct install_state first, second;
	struct error err = {0};
	CHECK_INT(install_state_open(target, &first, &err), 0);
	CHECK_INT(install_state_lock(&first, NULL, &err), 0);
	CHECK_INT(install_state_open(target, &second, &err), 0);
	CHECK_INT(install_state_lock(&second, NULL, &err), -1);
	CHECK_CONTAINS(err.message, "another assay install or uninstall is at work here");
	install_state_close(&second);
	install_state_close(&first);
	CHECK_INT(install_state_open(target, &second, &err), 0);
	CHECK_INT(install_state_lock(&second, NULL, &err), 0);
	install_state_close(&second);
}

static void trees_change_places(void)
{
	struct error err = {0};
	char a[200], b[200], file[300];
	snprintf(a, sizeof a, "%s/a", root);
	snprintf(b, sizeof b, "%s/.assay-a.new", root);
	CHECK_INT(make_dirs(a, &err) || make_dirs(b, &err), 0);
	write_in(a, "old", "1");
	write_in(b, "new", "2");
	char *staging = tree_staging_of(a);
	CHECK_TEXT(staging, b);
	free(staging);
	const struct tree_identity before = tree_identify(a), next = tree_identify(b);
	CHECK_INT(tree_exchange(b, a, &err), 0);
	snprintf(file, sizeof file, "%s/new", a);
	CHECK(path_exists(file));
	/* it has been done: once more does nothing */
	CHECK_INT(tree_exchange_finish(b, a, &before, &next, &err), 0);
	CHECK(path_exists(file));
	/* in two steps, and interrupted between them */
	char old[200];
	snprintf(old, sizeof old, "%s/.assay-a.old", root);
	CHECK_INT(rename(b, file), -1); /* `new` is a file */
	CHECK_INT(rename(a, old), 0);
	const struct tree_identity back = tree_identify(b);
	CHECK_INT(tree_exchange_finish(b, a, &next, &back, &err), 0);
	snprintf(file, sizeof file, "%s/old", a);
	CHECK(path_exists(file));
	snprintf(file, sizeof file, "%s/new", b);
	CHECK(path_exists(file));
	CHECK(!path_exists(old));
	/* set aside by a copy, and interrupted while what was copied is removed: `a` holds `old`, `b` holds `new` */
	const struct tree_identity from = tree_identify(a), to = tree_identify(b);
	CHECK_INT(make_dirs(old, &err), 0);
	write_in(old, "old", "1");
	snprintf(file, sizeof file, "%s/old", a);
	CHECK_INT(unlink(file), 0);
	write_in(a, "rest", "1");
	CHECK_INT(tree_exchange_finish(b, a, &from, &to, &err), 0);
	CHECK(!path_exists(file) && !path_exists(old));
	snprintf(file, sizeof file, "%s/new", a);
	CHECK(path_exists(file));
	snprintf(file, sizeof file, "%s/old", b);
	CHECK(path_exists(file));
}

static void insert(const char *before, const char *expected)
{
	struct text table = {0}, out = {0};
	struct error err = {0};
	text_append(&table, "TABLE\n");
	const int result = pack_insert("README.md", before, strlen(before), &table, &out, &err);
	CHECK_INT(result, expected ? 0 : -1);
	if (expected)
		CHECK_TEXT(out.data, expected);
	else
		CHECK_CONTAINS(err.message, "README.md: does not hold one line");
	text_free(&table);
	text_free(&out);
}

static void tables_are_inserted(void)
{
	static const char whole[] = PACK_BEGIN "\nTABLE\n" PACK_END;
	insert("", PACK_BEGIN "\nTABLE\n" PACK_END "\n");
	insert("text", "text\n\n" PACK_BEGIN "\nTABLE\n" PACK_END "\n");
	insert("text\n", "text\n\n" PACK_BEGIN "\nTABLE\n" PACK_END "\n");
	insert("a" PACK_BEGIN PACK_END "b", "a" PACK_BEGIN "\nTABLE\n" PACK_END "b");
	insert("a " PACK_BEGIN "\nolder\n" PACK_END "\nb\n", "a " PACK_BEGIN "\nTABLE\n" PACK_END "\nb\n");
	insert(whole, whole);
	insert(PACK_BEGIN, NULL);
	insert(PACK_END, NULL);
	insert(PACK_END PACK_BEGIN, NULL);
	insert(PACK_BEGIN PACK_BEGIN PACK_END, NULL);
	insert(PACK_BEGIN PACK_END PACK_END, NULL);
}

/* What stands in assay.json cannot leave its cell, nor its page. */
static void cells_are_escaped(void)
{
	json_t *manifest = json_pack("{s:s, s:[{s:[{s:s, s:s, s:s}]}], s:[{s:s, s:s, s:[]}]}", "assay_version", "1", "folders",
				     "artifacts", "path", "a|b<script>`*\n&", "sha256", "x", "targets", "[x](y)", "runs",
				     "architecture", "sm_90", "device", "H100 | <b>", "artifacts");
	struct text out = {0};
	CHECK(manifest != NULL);
	pack_table(manifest, &out);
	CHECK_CONTAINS(out.data, "| a\\|b&lt;script>\\`\\* &amp; |");
	CHECK_CONTAINS(out.data, "\\[x\\](y)");
	CHECK_CONTAINS(out.data, "sm_90: H100 \\| &lt;b>");
	CHECK_CONTAINS(out.data, " not verified |");
	json_decref(manifest);
	text_free(&out);
	/* a release that is only a lower bound says so */
	static const struct {
		const char *json, *cell;
	} releases[] = {{"{\"cuda\": \"11.0\", \"cuda_at_least\": true}", "| 11.0 or later |"},
			{"{\"cuda\": \"11.0\", \"cuda_at_least\": false}", "| 11.0 |"},
			{"{\"cuda\": \"11.0\"}", "| 11.0 |"}};
	for (size_t i = 0; i < ARRAY_COUNT(releases); i++) {
		json_t *json = json_pack("{s:[{s:[o]}]}", "folders", "artifacts", json_loads(releases[i].json, 0, NULL));
		pack_table(json, &out);
		CHECK_CONTAINS(out.data, releases[i].cell);
		text_free(&out);
		json_decref(json);
	}
	/* of another shape altogether */
	static const char *const wrong[] = {"{}", "{\"folders\": 1, \"runs\": {}}",
					    "{\"folders\": [1, {\"artifacts\": [[]]}], \"runs\": [null]}"};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		json_t *json = json_loads(wrong[i], 0, NULL);
		pack_table(json, &out);
		CHECK(!out.failed);
		text_free(&out);
		json_decref(json);
	}
}

/* Makes it too. */
static void folder_in_root(char path[200], const char *name)
{
	snprintf(path, 200, "%s/%s", root, name);
	CHECK_INT(make_dirs(path, NULL), 0);
}

/* A link in the place is nobody's way out of it. */
static void links_are_not_followed(void)
{
	struct error err = {0};
	char from[200], out[200], elsewhere[200], path[300];
	folder_in_root(from, "from");
	folder_in_root(out, "out");
	folder_in_root(elsewhere, "elsewhere");
	folder_in_root(path, "from/deep");
	write_in(from, "deep/note", "new");
	snprintf(path, sizeof path, "%s/deep", out);
	CHECK_INT(symlink(elsewhere, path), 0);
	struct prebuilt_file file = {.path = (char[]){"deep/note"}, .size = 3};
	const struct prebuilt_folder folder = {.path = from, .out = from, .files = &file, .file_count = 1};
	const struct install_target to = {
		.folder = &folder, .out = out, .crate = "candle-kernels", .version = "1", .profile = "release"};
	for (int force = 0; force < 2; force++) {
		const struct install_options options = {.force = force};
		struct install_state state;
		struct text text = {0};
		CHECK_INT(install_state_open(target, &state, &err) || install_state_lock(&state, NULL, &err), 0);
		CHECK_INT(install_all(&state, &to, 1, &options, &text, &err), -1);
		CHECK_CONTAINS(err.message, "out/deep: is no folder, and deep/note is to be installed in it; remove it");
		text_free(&text);
		install_state_close(&state);
	}
	snprintf(path, sizeof path, "%s/note", elsewhere);
	CHECK(!path_exists(path));
	/* a folder it is: then it goes in */
	snprintf(path, sizeof path, "%s/deep", out);
	CHECK_INT(unlink(path) || make_dirs(path, &err), 0);
	struct install_state state;
	struct text text = {0};
	CHECK_INT(install_state_open(target, &state, &err) || install_state_lock(&state, NULL, &err), 0);
	CHECK_INT(install_all(&state, &to, 1, &(struct install_options){0}, &text, &err), 0);
	snprintf(path, sizeof path, "%s/deep/note", out);
	CHECK(path_exists(path));
	CHECK_INT(uninstall_all(&state, NULL, &(struct install_options){0}, &text, &err), 0);
	CHECK(!path_exists(path));
	text_free(&text);
	install_state_close(&state);
}

static int install_into(const struct install_target *to, int force, struct error *err)
{
	struct install_state state;
	struct text text = {0};
	CHECK_INT(install_state_open(target, &state, err) || install_state_lock(&state, NULL, err), 0);
	const int result = install_all(&state, to, 1, &(struct install_options){.force = force}, &text, err);
	text_free(&text);
	install_state_close(&state);
	return result;
}

/* *said: what it tells, to be freed; may be NULL. */
static void uninstall_from_all(struct text *said)
{
	struct error err = {0};
	struct install_state state;
	struct text text = {0};
	CHECK_INT(install_state_open(target, &state, &err) || install_state_lock(&state, NULL, &err), 0);
	CHECK_INT(uninstall_all(&state, NULL, &(struct install_options){0}, &text, &err), 0);
	if (said)
		*said = text;
	else
		text_free(&text);
	install_state_close(&state);
}

/* What another project has displaced from the same folder (CANDLE_FLASH_ATTN_BUILD_DIR), or one whose list was deleted, is not
 * this one's to replace or remove. */
static void kept_files_of_others_stay(void)
{
	struct error err = {0};
	char from[200], out[200], kept[200], path[300];
	folder_in_root(from, "theirs");
	folder_in_root(out, "shared");
	folder_in_root(kept, ".assay-shared.kept");
	snprintf(path, sizeof path, "%s/note", kept);
	write_in(from, "note", "new");
	write_in(out, "note", "installed by another");
	write_in(kept, "note", "the first");
	struct prebuilt_file file = {.path = (char[]){"note"}, .size = 3};
	const struct prebuilt_folder folder = {.path = from, .out = from, .files = &file, .file_count = 1};
	const struct install_target to = {
		.folder = &folder, .out = out, .crate = "candle-kernels", .version = "1", .profile = "release"};
	CHECK_INT(install_into(&to, 1, &err), -1);
	CHECK_CONTAINS(err.message, ".assay-shared.kept: holds what an install that is not listed here has displaced");
	struct file_map map;
	CHECK_INT(file_map_open(&map, path, &err), 0);
	CHECK(map.size == 9 && memcmp(map.data, "the first", 9) == 0);
	file_map_close(&map);
	/* where nothing has to be displaced it is in nobody's way, and stays */
	char note[300];
	snprintf(note, sizeof note, "%s/note", out);
	CHECK_INT(unlink(note), 0);
	CHECK_INT(install_into(&to, 0, &err), 0);
	uninstall_from_all(NULL);
	CHECK(!path_exists(note));
	CHECK(path_exists(path));
	/* moved away, the same install displaces, and its own kept files go with it */
	CHECK_INT(tree_remove(kept, &err), 0);
	write_in(out, "note", "mine");
	CHECK_INT(install_into(&to, 1, &err), 0);
	CHECK(path_exists(path));
	CHECK_INT(install_into(&to, 1, &err), 0);
	uninstall_from_all(NULL);
	CHECK(!path_exists(kept) && path_exists(note));
	/* somebody has removed the folder, but not what lies beside it */
	struct text said = {0};
	CHECK_INT(install_into(&to, 1, &err), 0);
	CHECK_INT(tree_remove(out, &err), 0);
	uninstall_from_all(&said);
	CHECK_CONTAINS(said.data, "shared: is gone, and with it what was installed\n  what was displaced from it still lies in ");
	CHECK(path_exists(path));
	text_free(&said);
}

int main(void)
{
	struct error err = {0};
	if (!mkdtemp(root)) {
		perror(root);
		return 1;
	}
	snprintf(target, sizeof target, "%s/target", root);
	snprintf(state_folder, sizeof state_folder, "%s/assay", target);
	snprintf(victim, sizeof victim, "%s/victim", root);
	CHECK_INT(make_dirs(state_folder, &err) || make_dirs(victim, &err), 0);
	write_in(victim, "file", "keep");
	paths_are_checked();
	wrong_lists_are_refused();
	wrong_journals_change_nothing();
	journals_without_their_trees();
	locks_exclude();
	trees_change_places();
	links_are_not_followed();
	kept_files_of_others_stay();
	tables_are_inserted();
	cells_are_escaped();
	CHECK_INT(tree_remove(root, &err), 0);
	return check_result();
}
