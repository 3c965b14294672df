/* Carrying a plan out: the new trees, the journal, and the places as they are afterwards. */
#include "install_private.h"

#include "core/util.h"
#include "json_object.h"
#include "manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Nanoseconds since 1970, a whole second for file systems that count those: every source is newer. */
static const int64_t OUTDATED = 1000000000;

/* ---- the new tree ---- */

static int link_into(const char *from_root, const char *to_root, const char *path, struct error *err)
{
	char *from = path_join(from_root, path), *to = path_join(to_root, path);
	const int result = !from || !to							       ? error_out_of_memory(err)
			   : tree_make_parents(to_root, path, err) || tree_link(from, to, err) ? -1
											       : 0;
	free(from);
	free(to);
	return result;
}

static int is_own_folder(const struct change *change, const char *folder)
{
	const json_t *earlier = json_object_get(change->before, "folders");
	for (size_t i = 0; i < json_array_size(earlier); i++)
		if (strcmp(json_string_value(json_array_get(earlier, i)), folder) == 0)
			return 1;
	return 0;
}

static int copy_new(struct change *change, const struct timespec *now, struct error *err)
{
	const struct prebuilt_folder *folder = change->target ? change->target->folder : NULL;
	for (size_t i = 0; folder && i < folder->file_count; i++) {
		const struct prebuilt_file *file = &folder->files[i];
		char hex[65];
		struct stat status;
		char *from = path_join(folder->out, file->path), *to = path_join(change->staging, file->path);
		int result = !from || !to ? error_out_of_memory(err)
			     : tree_make_parents(change->staging, file->path, err) || tree_copy(from, to, now, hex, err) ? -1
															 : 0;
		if (result == 0 && (stat(to, &status) || (uint64_t)status.st_size != file->size))
			result = error_set(err, ERROR_INPUT, "%s: changed while it was copied; install again", from);
		free(from);
		free(to);
		if (result)
			return -1;
		for (size_t k = 0; k < json_array_size(change->files); k++) {
			json_t *entry = json_array_get(change->files, k);
			if (strcmp(manifest_text(entry, "path", ""), file->path) == 0 &&
			    json_object_set_new(entry, "sha256", json_string(hex)))
				return error_out_of_memory(err);
		}
	}
	return 0;
}

static int build_tree(struct change *change, const struct timespec *now, struct error *err)
{
	struct stat status;
	if (stat(change->out, &status))
		return error_set(err, ERROR_INPUT, "%s: %s", change->out, strerror(errno));
	if (mkdir(change->staging, 0777) || chmod(change->staging, status.st_mode & 07777))
		return error_set(err, ERROR_INPUT, "%s: folder cannot be made: %s", change->staging, strerror(errno));
	for (size_t i = 0; i < change->old_folders.count; i++) {
		const char *folder = change->old_folders.items[i];
		char *path = is_own_folder(change, folder) ? NULL : path_join(change->staging, folder);
		if (path && (tree_make_parents(change->staging, folder, err) || (mkdir(path, 0777) && errno != EEXIST))) {
			error_set(err, ERROR_INPUT, "%s: folder cannot be made: %s", path, strerror(errno));
			free(path);
			return -1;
		}
		free(path);
	}
	for (size_t i = 0; i < change->old_files.count; i++)
		if (change->fate[i] == 'k' && link_into(change->out, change->staging, change->old_files.items[i], err))
			return -1;
	for (size_t i = 0; i < json_array_size(change->restored); i++)
		if (link_into(change->kept, change->staging, json_string_value(json_array_get(change->restored, i)), err))
			return -1;
	if (copy_new(change, now, err))
		return -1;
	for (size_t i = 0; i < json_array_size(change->displace); i++) {
		/* so that nothing is left to be made when the trees have changed places */
		if ((mkdir(change->kept, 0777) && errno != EEXIST) ||
		    tree_make_parents(change->kept, json_string_value(json_array_get(change->displace, i)), err))
			return error_set(err, ERROR_INPUT, "%s: folder cannot be made: %s", change->kept, strerror(errno));
	}
	return tree_flush(change->staging, err);
}

/* ---- writing it down ---- */

static int64_t time_of(const char *path)
{
	struct stat status;
	return !path || stat(path, &status) ? -1 : (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

/* Cargo is to run the build script again; where it has not done so since a first install, the time from before is given back,
 * but where files of that time are lost: the script has to make them.
 * *before: that time, -1 once Cargo has run the script with what was installed. */
static json_t *output_json(const struct change *change, int64_t *before)
{
	const char *path = change->target ? change->target->output : manifest_text(change->before, "output", NULL);
	const int64_t now = time_of(path), earlier = json_integer_value(json_object_get(change->before, "output_time"));
	*before = !change->before ? now : now == OUTDATED ? earlier : -1;
	if (now < 0)
		return json_null();
	const int is_as_before = !change->target && !change->lost && now == OUTDATED && earlier > 0;
	return json_pack("{s:s, s:I}", "path", path, "time", (json_int_t)(is_as_before ? earlier : OUTDATED));
}

static char *date_now(void)
{
	const time_t now = time(NULL);
	struct tm parts;
	char text[32];
	return gmtime_r(&now, &parts) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) ? strdup(text) : NULL;
}

/* The place afterwards; *place NULL: nothing is left of it. */
static int place_after(const struct change *change, int64_t output_time, const struct install_options *options, json_t **place,
		       struct error *err)
{
	const struct install_target *target = change->target;
	*place = NULL;
	if (!target && json_array_size(change->files) == 0)
		return 0;
	char *date = date_now(), *from = target ? realpath(target->folder->path, NULL) : NULL;
	struct object object = object_new();
	put_text(&object, "out", change->out);
	put_text(&object, "crate", target ? target->crate : manifest_text(change->before, "crate", ""));
	put_text(&object, "version", target ? target->version : manifest_text(change->before, "version", ""));
	put_text(&object, "profile", target ? target->profile : manifest_text(change->before, "profile", ""));
	put_text(&object, "from", target ? from : manifest_text(change->before, "from", ""));
	put_text(&object, "installed", target ? date : manifest_text(change->before, "installed", ""));
	put_text(&object, "verified", target ? options->verified : manifest_text(change->before, "verified", ""));
	if (target ? target->output != NULL : json_object_get(change->before, "output") != NULL) {
		put_text(&object, "output", target ? target->output : manifest_text(change->before, "output", ""));
		put_int(&object, "output_time", output_time);
	}
	put(&object, "files", json_incref(change->files));
	put(&object, "folders", json_incref(change->folders));
	free(date);
	free(from);
	*place = object_done(&object);
	return *place ? 0 : error_out_of_memory(err);
}

/* The journal before anything is made: all that is needed to take it back. */
static json_t *journal_of(const struct change *changes, int count, json_t *places)
{
	json_t *moves = json_array();
	int failed = !moves;
	for (int i = 0; i < count && !failed; i++) {
		json_t *move =
			json_pack("{s:s, s:b, s:O, s:O}", "out", changes[i].out, "kept_is_new", !path_exists(changes[i].kept),
				  "displace", changes[i].displace, "restored", changes[i].restored);
		failed = !move || json_array_append_new(moves, move);
	}
	json_t *journal = failed ? NULL
				 : json_pack("{s:s, s:i, s:b, s:o, s:O}", "schema", "assay-install-journal", "schema_version", 1,
					     "ready", 0, "moves", moves, "places", places);
	if (failed)
		json_decref(moves);
	return journal;
}

/* Places that stay as they are, and those that change as they will be. */
static int places_after(const struct install_state *state, const struct change *changes, int count,
			const struct install_options *options, json_t *journal, json_t **places, struct error *err)
{
	*places = json_array();
	if (!*places)
		return error_out_of_memory(err);
	for (size_t i = 0; i < json_array_size(state->places); i++) {
		json_t *place = json_array_get(state->places, i);
		int changes_it = 0;
		for (int k = 0; k < count; k++)
			changes_it |= strcmp(changes[k].out, manifest_text(place, "out", "")) == 0;
		if (!changes_it && json_array_append(*places, place))
			return error_out_of_memory(err);
	}
	for (int k = 0; k < count; k++) {
		int64_t output_time;
		json_t *place, *move = json_array_get(json_object_get(journal, "moves"), (size_t)k);
		json_t *output = output_json(&changes[k], &output_time);
		if (!output || json_object_set_new(move, "output", output))
			return error_out_of_memory(err);
		if (place_after(&changes[k], output_time, options, &place, err))
			return -1;
		if (place && json_array_append_new(*places, place))
			return error_out_of_memory(err);
		/* what was displaced and is not listed any more is not kept either; what others have displaced is theirs */
		const int drop = !install_any_is_displaced(changes[k].files) &&
				 install_any_is_displaced(json_object_get(changes[k].before, "files"));
		const struct tree_identity before = tree_identify(changes[k].out), next = tree_identify(changes[k].staging);
		if (json_object_set_new(move, "before", json_string(before.text)) ||
		    json_object_set_new(move, "identity", json_string(next.text)) ||
		    json_object_set_new(move, "drop_kept", json_boolean(drop)))
			return error_out_of_memory(err);
	}
	return 0;
}

/* All trees are made, then all change places; when one cannot be made, those that were are removed. */
int install_carry_out(struct install_state *state, struct change *changes, int count, const struct install_options *options,
		     struct error *err)
{
	struct timespec now;
	json_t *places = NULL, *journal = journal_of(changes, count, state->places);
	const char *what;
	int result = -1;
	if (!journal)
		return error_out_of_memory(err);
	clock_gettime(CLOCK_REALTIME, &now);
	if (install_state_write_journal(state, journal, err))
		goto done;
	int made = 0;
	for (int i = 0; made == 0 && i < count; i++)
		made = build_tree(&changes[i], &now, err);
	if (made || places_after(state, changes, count, options, journal, &places, err) ||
	    json_object_set(journal, "places", places) || install_state_prepare_places(state, places, err))
		goto take_back;
	json_object_set_new(journal, "ready", json_true());
	if (install_state_write_journal(state, journal, err)) {
		json_object_set_new(journal, "ready", json_false());
		goto take_back;
	}
	result = install_state_finish(state, err);
	goto done;
take_back:
	/* what it fails with is of less interest than why it has to be */
	install_state_recover(state, &what, NULL);
done:
	json_decref(places);
	json_decref(journal);
	return result;
}
