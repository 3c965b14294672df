#include "install.h"

#include "cli.h"
#include "core/util.h"
#include "inspect_format.h"
#include "install_tree.h"
#include "json_object.h"
#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { NAMED_MAX = 5 };
/* Nanoseconds since 1970, a whole second for file systems that count those: every source is newer. */
static const int64_t OUTDATED = 1000000000;

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* ---- where ---- */

static int use_build_dir(const char *given, struct install_target *target, struct error *err)
{
	if (*given != '/')
		return error_set(err, ERROR_INPUT,
				 "CANDLE_FLASH_ATTN_BUILD_DIR=%s: the build script starts from the crate's own folder; give an "
				 "absolute path",
				 given);
	target->out = path_is_dir(given) ? realpath(given, NULL) : NULL;
	if (target->out)
		return 0;
	return error_set(err, ERROR_INPUT,
			 "CANDLE_FLASH_ATTN_BUILD_DIR=%s: is no folder; the build script fails without it: mkdir -p it", given);
}

int install_find_target(const struct cargo_project *project, const struct prebuilt_folder *folder, struct install_target *target,
			struct error *err)
{
	const char *build_dir = getenv("CANDLE_FLASH_ATTN_BUILD_DIR");
	const struct cargo_package *package = cargo_package_find(project, folder->crate, NULL);
	const struct cargo_build_folder *build = cargo_build_folder_find(project, folder->crate, NULL);
	*target = (struct install_target){.folder = folder,
					  .crate = folder->crate,
					  .version = package ? package->version : NULL,
					  .profile = project->profile};
	if (build) {
		char *real = realpath(build->path, NULL);
		target->output = real ? path_join(real, "output") : NULL;
		free(real);
		if (!target->output)
			return out_of_memory(err);
	}
	if (build_dir && *build_dir && strcmp(folder->crate, "candle-flash-attn") == 0) {
		if (use_build_dir(build_dir, target, err) == 0)
			return 0;
		goto failed;
	}
	if (!build) {
		error_set(err, ERROR_INPUT,
			  "%s/build: has no folder of %s's build script yet: run `cargo build%s%s%s -p %s` in %s, with the "
			  "features that are built "
			  "later; it may be stopped, or fail, once it compiles kernels; then install again",
			  project->profile_dir, folder->crate, strcmp(project->profile, "release") == 0 ? " --release" : "",
			  project->is_cross ? " --target " : "", project->is_cross ? project->triple : "", folder->crate,
			  project->root);
		goto failed;
	}
	char *out = path_join(build->path, "out");
	target->out = out ? realpath(out, NULL) : NULL;
	free(out);
	if (target->out)
		return 0;
	error_set(err, ERROR_INPUT, "%s/out: %s", build->path, strerror(errno));
failed:
	install_target_free(target);
	return -1;
}

void install_target_free(struct install_target *target)
{
	free(target->out);
	free(target->output);
	*target = (struct install_target){0};
}

/* ---- what becomes of one place ---- */

struct change {
	const struct install_target *target; /* NULL: nothing new, only what was installed goes */
	char *out, *staging, *kept;
	json_t *before;		     /* the place as it is written down; NULL: none */
	json_t *files, *folders;     /* of the place afterwards */
	json_t *displace, *restored; /* paths: from the old tree to `kept`, out of `kept` */
	struct tree_names old_folders, old_files;
	char *fate; /* of old_files: 'k' keep, 'd' drop */
	int installed, dropped, restored_count, displaced;
	struct text told; /* files that were left alone, a line each */
};

static void change_free(struct change *change)
{
	free(change->out);
	free(change->staging);
	free(change->kept);
	json_decref(change->before);
	json_decref(change->files);
	json_decref(change->folders);
	json_decref(change->displace);
	json_decref(change->restored);
	tree_names_free(&change->old_folders);
	tree_names_free(&change->old_files);
	free(change->fate);
	text_free(&change->told);
}

static int find_name(const struct tree_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return (int)i;
	return -1;
}

/* Whether the file is what was installed: 1, 0; -1 with *err. */
static int is_unchanged(const char *root, const json_t *file, struct error *err)
{
	struct stat status;
	char hex[65];
	char *path = path_join(root, manifest_text(file, "path", ""));
	if (!path)
		return out_of_memory(err);
	int result = 0;
	if (lstat(path, &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_size == json_integer_value(json_object_get(file, "size"))) {
		if (file_sha256(path, hex, err))
			result = -1;
		else
			result = strcmp(hex, manifest_text(file, "sha256", "")) == 0;
	}
	free(path);
	return result;
}

static int is_displaced(const json_t *file)
{
	return json_is_true(json_object_get(file, "displaced"));
}

static int has_new(const struct change *change, const char *path)
{
	const struct prebuilt_folder *folder = change->target ? change->target->folder : NULL;
	for (size_t i = 0; folder && i < folder->file_count; i++)
		if (strcmp(folder->files[i].path, path) == 0)
			return 1;
	return 0;
}

/* What was installed before and is not installed now goes, unless it was changed. */
static int plan_old(struct change *change, const struct install_options *options, struct error *err)
{
	const json_t *files = json_object_get(change->before, "files");
	for (size_t i = 0; i < json_array_size(files); i++) {
		json_t *file = json_array_get(files, i);
		const char *path = manifest_text(file, "path", "");
		const int at = find_name(&change->old_files, path);
		if (has_new(change, path))
			continue;
		const int unchanged = at < 0 ? 1 : is_unchanged(change->out, file, err);
		if (unchanged < 0)
			return -1;
		if (!unchanged && !options->force) {
			text_append(&change->told, "%s: was changed after it was installed, and is kept", path);
			if (is_displaced(file))
				text_append(&change->told, "; what it displaced lies in %s", change->kept);
			text_append(&change->told, "\n");
			/* with what it displaced it stays on the list, so that nothing is lost */
			if (is_displaced(file) && json_array_append(change->files, file))
				return out_of_memory(err);
			continue;
		}
		if (at >= 0) {
			change->fate[at] = 'd';
			change->dropped++;
		} else {
			text_append(&change->told, "%s: was not there any more\n", path);
		}
		if (is_displaced(file)) {
			change->restored_count++;
			if (json_array_append_new(change->restored, json_string(path)))
				return out_of_memory(err);
		}
	}
	return 0;
}

/* A file or a symbolic link that stays where the new file has a folder: through a link it would be written somewhere else. */
static int check_folders_of(const struct change *change, const char *path, struct error *err)
{
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		char *folder = copy_text(path, (size_t)(slash - path));
		if (!folder)
			return out_of_memory(err);
		const int at = find_name(&change->old_files, folder);
		free(folder);
		if (at >= 0 && change->fate[at] == 'k')
			return error_set(err, ERROR_INPUT,
					 "%s/%s: is no folder, and %s is to be installed in it; remove it, and install again",
					 change->out, change->old_files.items[at], path);
	}
	return 0;
}

/* A new file: what is in its way. -1 with *err; `in_the_way` names those that only --force displaces. */
static int plan_new(struct change *change, const struct prebuilt_file *file, const struct install_options *options,
		    struct text *in_the_way, int *count, struct error *err)
{
	const json_t *before = change->before ? install_place_file(change->before, file->path) : NULL;
	const int at = find_name(&change->old_files, file->path);
	int displaced = before && is_displaced(before);
	if (check_folders_of(change, file->path, err))
		return -1;
	if (find_name(&change->old_folders, file->path) >= 0)
		return error_set(err, ERROR_INPUT, "%s/%s: is a folder, where a file is to be installed; remove it", change->out,
				 file->path);
	if (at >= 0) {
		const int ours = before ? is_unchanged(change->out, before, err) : 0;
		if (ours < 0)
			return -1;
		change->fate[at] = 'd';
		if (!ours) {
			char hex[2][65];
			char *here = path_join(change->out, file->path),
			     *theirs = path_join(change->target->folder->out, file->path);
			struct stat status;
			const int regular = here && lstat(here, &status) == 0 && S_ISREG(status.st_mode);
			const int failed = !here || !theirs ||
					   (regular && (file_sha256(here, hex[0], err) || file_sha256(theirs, hex[1], err)));
			free(here);
			free(theirs);
			if (failed)
				return -1;
			if ((!regular || strcmp(hex[0], hex[1]) != 0) && !options->force && (*count)++ < NAMED_MAX)
				text_append(in_the_way, "%s%s%s", in_the_way->length ? ", " : "", file->path,
					    before ? " (changed since it was installed)" : "");
			/* the first file that was displaced is the one that was there before assay */
			if (!displaced && json_array_append_new(change->displace, json_string(file->path)))
				return out_of_memory(err);
			displaced = 1;
			change->displaced++;
		}
	}
	change->installed++;
	json_t *entry = json_pack("{s:s, s:I, s:s, s:b}", "path", file->path, "size", (json_int_t)file->size, "sha256",
				  /* known once it is copied */ "", "displaced", displaced);
	return entry && json_array_append_new(change->files, entry) == 0 ? 0 : out_of_memory(err);
}

/* Folders that only installed files needed. */
static int note_folders(struct change *change, struct error *err)
{
	const json_t *earlier = json_object_get(change->before, "folders");
	for (size_t i = 0; i < json_array_size(change->files); i++) {
		const char *path = manifest_text(json_array_get(change->files, i), "path", "");
		for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
			char *folder = copy_text(path, (size_t)(slash - path));
			int known = 0, theirs = 0;
			for (size_t k = 0; folder && k < json_array_size(change->folders); k++)
				known |= strcmp(json_string_value(json_array_get(change->folders, k)), folder) == 0;
			for (size_t k = 0; folder && k < json_array_size(earlier); k++)
				theirs |= strcmp(json_string_value(json_array_get(earlier, k)), folder) == 0;
			const int existed = folder && find_name(&change->old_folders, folder) >= 0 && !theirs;
			const int failed =
				!folder || (!known && !existed && json_array_append_new(change->folders, json_string(folder)));
			free(folder);
			if (failed)
				return out_of_memory(err);
		}
	}
	return 0;
}

/* Folders change places by renaming, which no mount point does. Kernels before 5.8 do not tell: there the renaming itself fails. */
static int check_no_mount(const char *folder, struct error *err)
{
	struct statx status;
	if (statx(AT_FDCWD, folder, 0, STATX_BASIC_STATS, &status) == 0 && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return error_set(err, ERROR_INPUT, "%s: is a mount point, which cannot change places with another folder; mount the folder above it, "
				 "or name one inside of it", folder);
	return 0;
}

static int plan_change(struct change *change, const struct install_target *target, const char *out, json_t *before,
		       const struct install_options *options, struct error *err)
{
	struct text in_the_way = {0};
	int count = 0;
	*change = (struct change){.target = target,
				  .out = strdup(out),
				  .staging = tree_staging_of(out),
				  .kept = tree_kept_of(out),
				  .before = json_incref(before),
				  .files = json_array(),
				  .folders = json_array(),
				  .displace = json_array(),
				  .restored = json_array()};
	if (!change->out || !change->staging || !change->kept || !change->files || !change->folders || !change->displace ||
	    !change->restored)
		return out_of_memory(err);
	if (check_no_mount(out, err) || tree_list(out, &change->old_folders, &change->old_files, err))
		return -1;
	change->fate = malloc(change->old_files.count + 1);
	if (!change->fate)
		return out_of_memory(err);
	memset(change->fate, 'k', change->old_files.count + 1);
	if (plan_old(change, options, err))
		return -1;
	int result = 0;
	for (size_t i = 0; result == 0 && target && i < target->folder->file_count; i++)
		result = plan_new(change, &target->folder->files[i], options, &in_the_way, &count, err);
	if (result == 0 && count > 0)
		result = error_set(err, ERROR_INPUT,
				   "%s: holds files that assay did not put there and that are not the same: %.600s%s; --force "
				   "displaces them, and uninstall puts them back",
				   out, in_the_way.data ? in_the_way.data : "", count > NAMED_MAX ? " and others" : "");
	text_free(&in_the_way);
	return result ? -1 : note_folders(change, err);
}

/* ---- the new tree ---- */

static int link_into(const char *from_root, const char *to_root, const char *path, struct error *err)
{
	char *from = path_join(from_root, path), *to = path_join(to_root, path);
	const int result = !from || !to							       ? out_of_memory(err)
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
		int result = !from || !to ? out_of_memory(err)
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
				return out_of_memory(err);
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

/* Cargo is to run the build script again; where it has not done so since a first install, the time from before is given back.
 * *before: that time, -1 once Cargo has run the script with what was installed. */
static json_t *output_json(const struct change *change, int64_t *before)
{
	const char *path = change->target ? change->target->output : manifest_text(change->before, "output", NULL);
	const int64_t now = time_of(path), earlier = json_integer_value(json_object_get(change->before, "output_time"));
	*before = !change->before ? now : now == OUTDATED ? earlier : -1;
	if (now < 0)
		return json_null();
	return json_pack("{s:s, s:I}", "path", path, "time",
			 (json_int_t)(!change->target && now == OUTDATED && earlier > 0 ? earlier : OUTDATED));
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
	return *place ? 0 : out_of_memory(err);
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
		return out_of_memory(err);
	for (size_t i = 0; i < json_array_size(state->places); i++) {
		json_t *place = json_array_get(state->places, i);
		int changes_it = 0;
		for (int k = 0; k < count; k++)
			changes_it |= strcmp(changes[k].out, manifest_text(place, "out", "")) == 0;
		if (!changes_it && json_array_append(*places, place))
			return out_of_memory(err);
	}
	for (int k = 0; k < count; k++) {
		int64_t output_time;
		json_t *place, *move = json_array_get(json_object_get(journal, "moves"), (size_t)k);
		json_t *output = output_json(&changes[k], &output_time);
		if (!output || json_object_set_new(move, "output", output))
			return out_of_memory(err);
		if (place_after(&changes[k], output_time, options, &place, err))
			return -1;
		if (place && json_array_append_new(*places, place))
			return out_of_memory(err);
		/* what was displaced and is not listed any more is not kept either */
		int displaced = 0;
		for (size_t i = 0; i < json_array_size(changes[k].files); i++)
			displaced |= is_displaced(json_array_get(changes[k].files, i));
		const struct tree_identity identity = tree_identify(changes[k].staging);
		if (json_object_set_new(move, "identity", json_string(identity.text)) ||
		    json_object_set_new(move, "drop_kept", json_boolean(!displaced)))
			return out_of_memory(err);
	}
	return 0;
}

/* All trees are made, then all change places; when one cannot be made, those that were are removed. */
static int carry_out(struct install_state *state, struct change *changes, int count, const struct install_options *options,
		     struct error *err)
{
	struct timespec now;
	json_t *places = NULL, *journal = journal_of(changes, count, state->places);
	const char *what;
	int result = -1;
	if (!journal)
		return out_of_memory(err);
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

/* ---- what the commands do ---- */

static void tell_change(const struct change *change, const struct install_options *options, struct text *out)
{
	const char *crate = change->target ? change->target->crate : manifest_text(change->before, "crate", "?");
	cli_append_clean(out, crate, strlen(crate));
	const int count = change->target ? change->installed : change->dropped;
	text_append(out, ": %d file%s %s%s ", count, count == 1 ? "" : "s", options->dry_run ? "would be " : "",
		    change->target ? "installed in" : "removed from");
	cli_append_clean(out, change->out, strlen(change->out));
	text_append(out, "\n");
	if (change->displaced)
		text_append(out, "  %d file%s displaced, and kept for uninstall\n", change->displaced,
			    change->displaced == 1 ? "" : "s");
	if (change->restored_count)
		text_append(out, "  %d displaced file%s put back\n", change->restored_count,
			    change->restored_count == 1 ? "" : "s");
	for (const char *at = change->told.data; at && *at;) {
		const size_t length = strcspn(at, "\n");
		text_append(out, "  ");
		cli_append_clean(out, at, length);
		text_append(out, "\n");
		at += length + (at[length] == '\n');
	}
}

static int run_changes(struct install_state *state, struct change *changes, int count, const struct install_options *options,
		       struct text *out, struct error *err)
{
	if (!options->dry_run && count && carry_out(state, changes, count, options, err))
		return -1;
	for (int i = 0; i < count; i++)
		tell_change(&changes[i], options, out);
	return 0;
}

int install_all(struct install_state *state, const struct install_target *targets, int count,
		const struct install_options *options, struct text *out, struct error *err)
{
	struct change *changes = calloc((size_t)count + 1, sizeof *changes);
	int result = changes ? 0 : out_of_memory(err), planned = 0;
	for (; result == 0 && planned < count; planned++) {
		for (int k = 0; k < planned && result == 0; k++)
			if (strcmp(targets[k].out, targets[planned].out) == 0)
				result = error_set(err, ERROR_INPUT, "%s and %s would both go to %s; install one of them",
						   targets[k].folder->path, targets[planned].folder->path, targets[k].out);
		if (result == 0)
			result = plan_change(&changes[planned], &targets[planned], targets[planned].out,
					     install_state_place(state, targets[planned].out), options, err);
	}
	if (result == 0)
		result = run_changes(state, changes, count, options, out, err);
	for (int i = 0; changes && i < count; i++)
		change_free(&changes[i]);
	free(changes);
	return result;
}

int uninstall_all(struct install_state *state, const char *only, const struct install_options *options, struct text *out,
		  struct error *err)
{
	const size_t places = json_array_size(state->places);
	struct change *changes = calloc(places + 1, sizeof *changes);
	int result = changes ? 0 : out_of_memory(err), count = 0;
	json_t *gone = json_array();
	for (size_t i = 0; result == 0 && i < places; i++) {
		json_t *place = json_array_get(state->places, i);
		const char *folder = manifest_text(place, "out", "");
		if (only && strcmp(manifest_text(place, "crate", ""), only) != 0)
			continue;
		if (!path_is_dir(folder)) {
			/* somebody cleaned up */
			cli_append_clean(out, folder, strlen(folder));
			text_append(out, ": is gone, and with it what was installed\n");
			if (json_array_append(gone, place))
				result = out_of_memory(err);
			continue;
		}
		result = plan_change(&changes[count], NULL, folder, place, options, err);
		count++;
	}
	if (result == 0 && json_array_size(gone) && !options->dry_run) {
		json_t *left = json_array(), *journal;
		for (size_t i = 0; left && i < places; i++) {
			json_t *place = json_array_get(state->places, i);
			int is_gone = 0;
			for (size_t k = 0; k < json_array_size(gone); k++)
				is_gone |= json_array_get(gone, k) == place;
			if (!is_gone)
				json_array_append(left, place);
		}
		journal = json_pack("{s:s, s:i, s:b, s:[], s:O}", "schema", "assay-install-journal", "schema_version", 1, "ready",
				    1, "moves", "places", left);
		result = !journal ? out_of_memory(err)
			 : install_state_prepare_places(state, left, err) || install_state_write_journal(state, journal, err) ||
					 install_state_finish(state, err)
				 ? -1
				 : 0;
		json_decref(journal);
		/* the changes speak of places of the list before, which `gone` keeps alive no longer than this function */
		json_decref(left);
	}
	if (result == 0)
		result = run_changes(state, changes, count, options, out, err);
	for (int i = 0; changes && i < count; i++)
		change_free(&changes[i]);
	free(changes);
	json_decref(gone);
	return result;
}

int install_status(const struct install_state *state, struct text *out, int *changed, struct error *err)
{
	*changed = 0;
	if (state->journal)
		text_append(out, "A run was interrupted; the next install or uninstall brings it to its end or takes it back.\n");
	if (json_array_size(state->places) == 0)
		text_append(out, "Nothing is installed.\n");
	for (size_t i = 0; i < json_array_size(state->places); i++) {
		const json_t *place = json_array_get(state->places, i), *files = json_object_get(place, "files");
		const char *folder = manifest_text(place, "out", ""), *from = manifest_text(place, "from", "?");
		const char *crate = manifest_text(place, "crate", "?"), *verified = manifest_text(place, "verified", "");
		json_int_t bytes = 0;
		struct text gone = {0};
		for (size_t k = 0; k < json_array_size(files); k++) {
			const json_t *file = json_array_get(files, k);
			const int same = is_unchanged(folder, file, err);
			bytes += json_integer_value(json_object_get(file, "size"));
			if (same < 0) {
				text_free(&gone);
				return -1;
			}
			if (!same) {
				(*changed)++;
				text_append(&gone, "  changed or gone: %s\n", manifest_text(file, "path", "?"));
			}
		}
		cli_append_clean(out, crate, strlen(crate));
		text_append(out, " %s: %zu files, ", manifest_text(place, "version", ""), json_array_size(files));
		format_size(out, (size_t)bytes);
		text_append(out, ", in ");
		cli_append_clean(out, folder, strlen(folder));
		text_append(out, "\n  since %s from ", manifest_text(place, "installed", "?"));
		cli_append_clean(out, from, strlen(from));
		text_append(out, "\n  verified: ");
		cli_append_clean(out, *verified ? verified : "no", strlen(*verified ? verified : "no"));
		text_append(out, "\n");
		if (gone.data)
			for (const char *at = gone.data; *at;) {
				const size_t length = strcspn(at, "\n");
				cli_append_clean(out, at, length);
				text_append(out, "\n");
				at += length + 1;
			}
		text_free(&gone);
	}
	return out->failed ? out_of_memory(err) : 0;
}

json_t *install_status_json(const struct install_state *state)
{
	return json_pack("{s:s, s:i, s:b, s:O}", "schema", "assay-install-status", "schema_version", 1, "interrupted",
			 state->journal != NULL, "places", state->places);
}
