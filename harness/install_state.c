#include "install_state.h"

#include "core/folder.h"
#include "core/util.h"
#include "install_tree.h"
#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACES "installed.json"
#define NEXT_PLACES "installed.next.json"

int install_path_is_safe(const char *path)
{
	if (!*path || *path == '/')
		return 0;
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += *at == '/';
		const size_t length = strcspn(at, "/");
		if (length == 0 || (length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
			return 0;
	}
	return 1;
}

/* ---- reading ---- */

static int place_is_sound(const json_t *place)
{
	const json_t *files = json_object_get(place, "files"), *folders = json_object_get(place, "folders");
	const char *out = manifest_text(place, "out", "");
	if (out[0] != '/' || !install_path_is_safe(out + 1) || !json_is_array(files) || !json_is_array(folders))
		return 0;
	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *file = json_array_get(files, i);
		if (!install_path_is_safe(manifest_text(file, "path", "")) || strlen(manifest_text(file, "sha256", "")) != 64)
			return 0;
	}
	for (size_t i = 0; i < json_array_size(folders); i++) {
		const char *folder = json_string_value(json_array_get(folders, i));
		if (!folder || !install_path_is_safe(folder))
			return 0;
	}
	return 1;
}

static int places_are_sound(const json_t *places)
{
	for (size_t i = 0; i < json_array_size(places); i++)
		if (!place_is_sound(json_array_get(places, i)))
			return 0;
	return json_is_array(places);
}

/* A file of this program's own, or *json NULL where there is none. */
static int read_own(const char *folder, const char *name, const char *schema, json_t **json, struct error *err)
{
	char *path = path_join(folder, name);
	int result = -1;
	json_error_t why;
	*json = NULL;
	if (!path)
		return error_out_of_memory(err);
	if (!path_exists(path)) {
		free(path);
		return 0;
	}
	*json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!*json)
		error_set(err, ERROR_INPUT,
			  "%s: cannot be read: %.200s; it is what assay install keeps: without it nothing is changed", path,
			  why.text);
	else if (strcmp(manifest_text(*json, "schema", ""), schema) != 0 ||
		 json_integer_value(json_object_get(*json, "schema_version")) != 1 ||
		 !places_are_sound(json_object_get(*json, "places")))
		error_set(err, ERROR_INPUT, "%s: is not what this version of assay install writes; nothing is changed", path);
	else
		result = 0;
	if (result) {
		json_decref(*json);
		*json = NULL;
	}
	free(path);
	return result;
}

static int read_state(struct install_state *state, struct error *err)
{
	json_t *installed;
	json_decref(state->places);
	json_decref(state->journal);
	state->places = state->journal = NULL;
	if (read_own(state->folder, PLACES, "assay-installed", &installed, err))
		return -1;
	state->places = installed ? json_incref(json_object_get(installed, "places")) : json_array();
	json_decref(installed);
	if (!state->places)
		return error_out_of_memory(err);
	return read_own(state->folder, "journal.json", "assay-install-journal", &state->journal, err);
}

int install_state_open(const char *target_dir, struct install_state *state, struct error *err)
{
	*state = (struct install_state){.lock = -1, .folder = path_join(target_dir, "assay")};
	if (!state->folder)
		return error_out_of_memory(err);
	if (read_state(state, err)) {
		install_state_close(state);
		return -1;
	}
	return 0;
}

void install_state_close(struct install_state *state)
{
	if (state->lock >= 0)
		close(state->lock);
	for (int i = 0; i < state->cargo_count; i++) {
		close(state->cargo_locks[i]);
		free(state->cargo_paths[i]);
	}
	json_decref(state->places);
	json_decref(state->journal);
	free(state->folder);
	*state = (struct install_state){.lock = -1};
}

static int take_lock(const char *path, int flags, const char *holder, int *fd, struct error *err)
{
	*fd = open(path, flags | O_CLOEXEC, 0666);
	if (*fd < 0)
		return error_set(err, ERROR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	const int number = errno;
	close(*fd);
	*fd = -1;
	if (number != EWOULDBLOCK)
		return error_set(err, ERROR_INPUT, "%s: cannot be locked: %s", path, strerror(number));
	return error_set(err, ERROR_ENVIRONMENT, "%s: %s; wait until it is done", path, holder);
}

/* Temporary files of somebody who was killed while writing. */
static int sweep(const char *folder, struct error *err)
{
	struct name_list names;
	int result = folder_names(folder, &names, err);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		if (!glob_match("*.json.??????", names.items[i]))
			continue;
		char *path = path_join(folder, names.items[i]);
		result = path ? tree_remove(path, err) : error_out_of_memory(err);
		free(path);
	}
	name_list_free(&names);
	return result;
}

/* Held by Cargo while it builds. A lock that this process holds already would be in its own way. */
static int take_cargo_lock(struct install_state *state, const char *profile_dir, struct error *err)
{
	char *path = path_join(profile_dir, ".cargo-lock");
	if (!path)
		return error_out_of_memory(err);
	int held = !path_exists(path) || state->cargo_count == INSTALL_CARGO_LOCKS_MAX;
	for (int i = 0; i < state->cargo_count; i++)
		held |= strcmp(state->cargo_paths[i], path) == 0;
	if (held || take_lock(path, O_RDWR, "Cargo is building here", &state->cargo_locks[state->cargo_count], err)) {
		free(path);
		return held ? 0 : -1;
	}
	state->cargo_paths[state->cargo_count++] = path;
	return 0;
}

/* PROFILE/build/<crate>-<hash>/output names the folder of a profile. */
static int take_locks_of_places(struct install_state *state, struct error *err)
{
	for (size_t i = 0; i < json_array_size(state->places); i++) {
		char *path = strdup(manifest_text(json_array_get(state->places, i), "output", ""));
		if (!path)
			return error_out_of_memory(err);
		for (int up = 0; up < 3; up++) {
			char *slash = strrchr(path, '/');
			if (slash)
				*slash = '\0';
		}
		const int result = *path == '/' ? take_cargo_lock(state, path, err) : 0;
		free(path);
		if (result)
			return -1;
	}
	return 0;
}

int install_state_lock(struct install_state *state, const char *profile_dir, struct error *err)
{
	char *lock = path_join(state->folder, "lock"), *real = profile_dir ? realpath(profile_dir, NULL) : NULL;
	int result = -1;
	if (!lock)
		error_out_of_memory(err);
	else if (make_dirs(state->folder, err) == 0 &&
		 take_lock(lock, O_RDWR | O_CREAT, "another assay install or uninstall is at work here", &state->lock, err) ==
			 0 &&
		 (!real || take_cargo_lock(state, real, err) == 0) && sweep(state->folder, err) == 0 &&
		 read_state(state, err) == 0 && take_locks_of_places(state, err) == 0)
		result = 0;
	free(lock);
	free(real);
	return result;
}

json_t *install_state_place(const struct install_state *state, const char *out)
{
	for (size_t i = 0; i < json_array_size(state->places); i++) {
		json_t *place = json_array_get(state->places, i);
		if (strcmp(manifest_text(place, "out", ""), out) == 0)
			return place;
	}
	return NULL;
}

const json_t *install_place_file(const json_t *place, const char *path)
{
	const json_t *files = json_object_get(place, "files");
	for (size_t i = 0; i < json_array_size(files); i++)
		if (strcmp(manifest_text(json_array_get(files, i), "path", ""), path) == 0)
			return json_array_get(files, i);
	return NULL;
}

/* ---- writing ---- */

static int write_own(const struct install_state *state, const char *name, const json_t *json, struct error *err)
{
	char *path = path_join(state->folder, name), *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	int result = -1;
	if (!path || !text)
		error_out_of_memory(err);
	else
		result = write_file_atomically(path, text, strlen(text), err) || tree_flush_folder(state->folder, err) ? -1 : 0;
	free(path);
	free(text);
	return result;
}

int install_state_write_journal(struct install_state *state, json_t *journal, struct error *err)
{
	if (journal) {
		if (write_own(state, "journal.json", journal, err))
			return -1;
		json_incref(journal);
		json_decref(state->journal);
		state->journal = journal;
		return 0;
	}
	char *path = path_join(state->folder, "journal.json");
	if (!path)
		return error_out_of_memory(err);
	const int failed = unlink(path) && errno != ENOENT
				   ? error_set(err, ERROR_INPUT, "%s: cannot be removed: %s", path, strerror(errno))
				   : 0;
	free(path);
	if (failed || tree_flush_folder(state->folder, err))
		return -1;
	json_decref(state->journal);
	state->journal = NULL;
	return 0;
}

int install_state_prepare_places(struct install_state *state, json_t *places, struct error *err)
{
	json_t *root = json_pack("{s:s, s:i, s:O}", "schema", "assay-installed", "schema_version", 1, "places", places);
	const int result = root ? write_own(state, NEXT_PLACES, root, err) : error_out_of_memory(err);
	json_decref(root);
	return result;
}

/* ---- the steps of a journal ---- */

/* Cargo runs a build script again when a file that the script named is newer than `output`: as old as can be makes it run. */
static int set_time(const char *path, int64_t nanoseconds, struct error *err)
{
	const struct timespec time = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
	const struct timespec times[2] = {time, time};
	if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) && errno != ENOENT)
		return error_set(err, ERROR_INPUT, "%s: its time cannot be set: %s", path, strerror(errno));
	return 0;
}

static int finish_move(const json_t *move, struct error *err)
{
	const char *out = manifest_text(move, "out", "");
	struct tree_identity before, next;
	char *staging = tree_staging_of(out), *kept = tree_kept_of(out);
	const json_t *displace = json_object_get(move, "displace"), *restored = json_object_get(move, "restored");
	const json_t *output = json_object_get(move, "output");
	int result = -1;
	if (!staging || !kept) {
		error_out_of_memory(err);
		goto done;
	}
	snprintf(before.text, sizeof before.text, "%s", manifest_text(move, "before", "?"));
	snprintf(next.text, sizeof next.text, "%s", manifest_text(move, "identity", "?"));
	if (tree_exchange_finish(staging, out, &before, &next, err))
		goto done;
	/* what lies at `staging` now is the old tree */
	for (size_t i = 0; i < json_array_size(displace); i++)
		if (tree_move_file(staging, kept, json_string_value(json_array_get(displace, i)), err))
			goto done;
	if (tree_remove(staging, err))
		goto done;
	for (size_t i = 0; i < json_array_size(restored); i++) {
		char *path = path_join(kept, json_string_value(json_array_get(restored, i)));
		const int failed = !path || (unlink(path) && errno != ENOENT);
		free(path);
		if (failed) {
			error_set(err, ERROR_INPUT, "%s: cannot be removed: %s", kept, strerror(errno));
			goto done;
		}
	}
	if (json_is_true(json_object_get(move, "drop_kept")) && tree_remove(kept, err))
		goto done;
	if (json_is_object(output) &&
	    set_time(manifest_text(output, "path", ""), json_integer_value(json_object_get(output, "time")), err))
		goto done;
	result = 0;
done:
	free(staging);
	free(kept);
	return result;
}

static int move_is_sound(const json_t *move)
{
	static const char *const lists[] = {"displace", "restored"};
	const char *out = manifest_text(move, "out", "");
	const json_t *output = json_object_get(move, "output");
	for (size_t k = 0; k < ARRAY_COUNT(lists); k++) {
		const json_t *list = json_object_get(move, lists[k]);
		for (size_t i = 0; i < json_array_size(list); i++)
			if (!json_is_string(json_array_get(list, i)) ||
			    !install_path_is_safe(json_string_value(json_array_get(list, i))))
				return 0;
	}
	return out[0] == '/' && install_path_is_safe(out + 1) &&
	       (!json_is_object(output) || strcmp(path_base(manifest_text(output, "path", "")), "output") == 0);
}

static int check_moves(const struct install_state *state, struct error *err)
{
	const json_t *moves = json_object_get(state->journal, "moves");
	for (size_t i = 0; i < json_array_size(moves); i++)
		if (!move_is_sound(json_array_get(moves, i)))
			return error_set(err, ERROR_INPUT,
					 "%s/journal.json: is not what assay install writes; nothing is changed", state->folder);
	return 0;
}

/* The list was written before: no room is needed any more. */
static int commit_places(struct install_state *state, struct error *err)
{
	char *next = path_join(state->folder, NEXT_PLACES), *path = path_join(state->folder, PLACES);
	json_t *places = json_incref(json_object_get(state->journal, "places"));
	int result = -1;
	if (!next || !path)
		error_out_of_memory(err);
	else if (rename(next, path) && errno != ENOENT)
		error_set(err, ERROR_INPUT, "%s: cannot be written: %s", path, strerror(errno));
	else
		result = tree_flush_folder(state->folder, err);
	free(next);
	free(path);
	if (result) {
		json_decref(places);
		return -1;
	}
	json_decref(state->places);
	state->places = places;
	return 0;
}

int install_state_finish(struct install_state *state, struct error *err)
{
	const json_t *moves = json_object_get(state->journal, "moves");
	if (check_moves(state, err))
		return -1;
	for (size_t i = 0; i < json_array_size(moves); i++)
		if (finish_move(json_array_get(moves, i), err))
			return -1;
	return commit_places(state, err) || install_state_write_journal(state, NULL, err) ? -1 : 0;
}

int install_state_recover(struct install_state *state, const char **what, struct error *err)
{
	*what = NULL;
	if (!state->journal)
		return 0;
	if (json_is_true(json_object_get(state->journal, "ready"))) {
		*what = "an interrupted run was brought to its end";
		return install_state_finish(state, err);
	}
	*what = "an interrupted run was taken back";
	const json_t *moves = json_object_get(state->journal, "moves");
	if (check_moves(state, err))
		return -1;
	for (size_t i = 0; i < json_array_size(moves); i++) {
		const json_t *move = json_array_get(moves, i);
		char *staging = tree_staging_of(manifest_text(move, "out", "")),
		     *kept = tree_kept_of(manifest_text(move, "out", ""));
		const int failed = !staging || !kept ? error_out_of_memory(err)
				   : tree_remove(staging, err) ||
						   (json_is_true(json_object_get(move, "kept_is_new")) && tree_remove(kept, err))
					   ? -1
					   : 0;
		free(staging);
		free(kept);
		if (failed)
			return -1;
	}
	char *next = path_join(state->folder, NEXT_PLACES);
	const int failed = !next ? error_out_of_memory(err) : tree_remove(next, err);
	free(next);
	if (failed)
		return -1;
	return install_state_write_journal(state, NULL, err);
}
