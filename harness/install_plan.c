/* What becomes of one place: which files come, go, are displaced or put back. */
#include "install_private.h"

#include "core/util.h"
#include "manifest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMED_MAX = 5 };

void install_change_free(struct change *change)
{
	free(change->out);
	free(change->staging);
	free(change->kept);
	json_decref(change->before);
	json_decref(change->files);
	json_decref(change->folders);
	json_decref(change->displace);
	json_decref(change->restored);
	name_list_free(&change->old_folders);
	name_list_free(&change->old_files);
	free(change->fate);
	text_free(&change->told);
}

int install_file_is_unchanged(const char *root, const json_t *file, struct error *err)
{
	struct stat status;
	char hex[65];
	char *path = path_join(root, manifest_text(file, "path", ""));
	if (!path)
		return error_out_of_memory(err);
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

int install_file_is_displaced(const json_t *file)
{
	return json_is_true(json_object_get(file, "displaced"));
}

int install_any_is_displaced(const json_t *files)
{
	int any = 0;
	for (size_t i = 0; i < json_array_size(files); i++)
		any |= install_file_is_displaced(json_array_get(files, i));
	return any;
}

/* Whether what an installed file displaced lies where it was kept. */
static int has_kept(const struct change *change, const char *path)
{
	char *kept = path_join(change->kept, path);
	struct stat status;
	const int found = kept && lstat(kept, &status) == 0;
	free(kept);
	return found;
}

static int has_new(const struct change *change, const char *path)
{
	return change->target && prebuilt_has_file(change->target->folder, path);
}

/* What was installed before and is not installed now goes, unless it was changed. */
static int plan_old(struct change *change, const struct install_options *options, struct error *err)
{
	const json_t *files = json_object_get(change->before, "files");
	struct text lost = {0};
	for (size_t i = 0; i < json_array_size(files); i++) {
		json_t *file = json_array_get(files, i);
		const char *path = manifest_text(file, "path", "");
		const int at = name_list_find(&change->old_files, path);
		if (has_new(change, path))
			continue;
		const int unchanged = at < 0 ? 1 : install_file_is_unchanged(change->out, file, err);
		const int displaced = install_file_is_displaced(file), kept = displaced && has_kept(change, path);
		if (unchanged < 0) {
			text_free(&lost);
			return -1;
		}
		if (!unchanged && !options->force) {
			text_append(&change->told, "%s: was changed after it was installed, and is kept", path);
			if (kept)
				text_append(&change->told, "; what it displaced lies in %s", change->kept);
			text_append(&change->told, "\n");
			/* with what it displaced it stays on the list, so that nothing is lost */
			if (kept && json_array_append(change->files, file))
				goto no_memory;
			continue;
		}
		if (at >= 0) {
			change->fate[at] = 'd';
			change->dropped++;
		} else {
			text_append(&change->told, "%s: was not there any more\n", path);
		}
		if (kept) {
			change->restored_count++;
			if (json_array_append_new(change->restored, json_string(path)))
				goto no_memory;
		} else if (displaced) {
			if (change->lost++ < NAMED_MAX)
				text_append(&lost, "%s%s", lost.length ? ", " : "", path);
		}
	}
	int result = 0;
	const char *const others = change->lost > NAMED_MAX ? " and others" : "";
	if (change->lost && !options->force) {
		result = error_set(err, ERROR_INPUT,
				   "%s: lacks what was displaced: %.600s%s; put it back there, or --force removes what was "
				   "installed and puts nothing back: then Cargo builds all of it anew",
				   change->kept, lost.data ? lost.data : "", others);
	} else if (change->lost) {
		/* with some of its files a build script may compile nothing, and so not make those that are lost either */
		text_append(&change->told,
			    "%s%s: displaced, and gone since; nothing is put back, and Cargo builds all of it anew\n",
			    lost.data ? lost.data : "", others);
		json_array_clear(change->restored);
		change->restored_count = 0;
	}
	text_free(&lost);
	return result;
no_memory:
	text_free(&lost);
	return error_out_of_memory(err);
}

/* A file or a symbolic link that stays where the new file has a folder: through a link it would be written somewhere else. */
static int check_folders_of(const struct change *change, const char *path, struct error *err)
{
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		char *folder = copy_text(path, (size_t)(slash - path));
		if (!folder)
			return error_out_of_memory(err);
		const int at = name_list_find(&change->old_files, folder);
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
	const int at = name_list_find(&change->old_files, file->path);
	int displaced = before && install_file_is_displaced(before);
	if (check_folders_of(change, file->path, err))
		return -1;
	if (name_list_find(&change->old_folders, file->path) >= 0)
		return error_set(err, ERROR_INPUT, "%s/%s: is a folder, where a file is to be installed; remove it", change->out,
				 file->path);
	if (at >= 0) {
		const int ours = before ? install_file_is_unchanged(change->out, before, err) : 0;
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
				return error_out_of_memory(err);
			displaced = 1;
			change->displaced++;
		}
	}
	change->installed++;
	json_t *entry = json_pack("{s:s, s:I, s:s, s:b}", "path", file->path, "size", (json_int_t)file->size, "sha256",
				  /* known once it is copied */ "", "displaced", displaced);
	return entry && json_array_append_new(change->files, entry) == 0 ? 0 : error_out_of_memory(err);
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
			const int existed = folder && name_list_find(&change->old_folders, folder) >= 0 && !theirs;
			const int failed =
				!folder || (!known && !existed && json_array_append_new(change->folders, json_string(folder)));
			free(folder);
			if (failed)
				return error_out_of_memory(err);
		}
	}
	return 0;
}

/* Folders change places by renaming, which no mount point does. Kernels before 5.8 do not tell: there the renaming itself
 * fails. */
static int check_no_mount(const char *folder, struct error *err)
{
	struct statx status;
	if (statx(AT_FDCWD, folder, 0, STATX_BASIC_STATS, &status) == 0 && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return error_set(err, ERROR_INPUT,
				 "%s: is a mount point, which cannot change places with another folder; mount the folder above "
				 "it, or name one inside of it",
				 folder);
	return 0;
}

int install_plan(struct change *change, const struct install_target *target, const char *out, json_t *before,
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
		return error_out_of_memory(err);
	if (check_no_mount(out, err) || folder_tree(out, &change->old_folders, &change->old_files, err))
		return -1;
	change->fate = malloc(change->old_files.count + 1);
	if (!change->fate)
		return error_out_of_memory(err);
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
	if (result == 0 && json_array_size(change->displace) && path_exists(change->kept) &&
	    !install_any_is_displaced(json_object_get(before, "files")))
		result = error_set(err, ERROR_INPUT,
				   "%s: holds what an install that is not listed here has displaced (another project's, or one "
				   "whose TARGET/assay is gone); uninstall there, or move it away",
				   change->kept);
	return result ? -1 : note_folders(change, err);
}
