#include "prebuilt.h"

#include "core/folder.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 100000, DEPTH_MAX = 16, FOLDERS_MAX = 256 };

int file_sha256(const char *path, char hex[65], struct error *err)
{
	struct file_map map;
	if (file_map_open(&map, path, err))
		return -1;
	sha256_hex(map.data, map.size, hex);
	file_map_close(&map);
	return 0;
}

/* ---- the files of an `out` ---- */

static int depth_of(const char *path)
{
	int depth = 1;
	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

/* Looks at one name of the tree: a regular file it has to be. */
static int take_file(const char *folder, char **name, struct prebuilt_file *file, struct error *err)
{
	struct stat status;
	char *path = path_join(folder, *name);
	int result = 0;
	if (!path)
		result = error_out_of_memory(err);
	else if (lstat(path, &status))
		result = error_set(err, ERROR_INPUT, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(status.st_mode))
		result = error_set(err, ERROR_INPUT, "%s: is %s; only regular files are published and installed", path,
				   S_ISLNK(status.st_mode) ? "a symbolic link" : "no regular file");
	else
		*file = (struct prebuilt_file){*name, (uint64_t)status.st_size};
	free(path);
	if (result == 0)
		*name = NULL; /* it is the file's now */
	return result;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct prebuilt_file *)a)->path, ((const struct prebuilt_file *)b)->path);
}

int prebuilt_list_files(const char *folder, struct prebuilt_file **files, size_t *count, struct error *err)
{
	struct name_list folders, names;
	int result = -1;
	*files = NULL;
	*count = 0;
	if (folder_tree(folder, &folders, &names, err))
		return -1;
	for (size_t i = 0; i < folders.count; i++)
		if (depth_of(folders.items[i]) >= DEPTH_MAX) {
			error_set(err, ERROR_INPUT, "%s/%s: folder cannot be read: it lies too deep", folder, folders.items[i]);
			goto done;
		}
	if (names.count > FILES_MAX) {
		error_set(err, ERROR_INPUT, "%s: more than %d files are no build script's output", folder, FILES_MAX);
		goto done;
	}
	*files = calloc(names.count + 1, sizeof **files);
	if (!*files) {
		error_out_of_memory(err);
		goto done;
	}
	for (; *count < names.count; ++*count)
		if (take_file(folder, &names.items[*count], &(*files)[*count], err))
			goto done;
	qsort(*files, *count, sizeof **files, by_path);
	result = 0;
done:
	name_list_free(&folders);
	name_list_free(&names);
	if (result) {
		prebuilt_files_free(*files, *count);
		*files = NULL;
		*count = 0;
	}
	return result;
}

void prebuilt_files_free(struct prebuilt_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(files[i].path);
	free(files);
}

/* ---- one folder ---- */

int prebuilt_has_file(const struct prebuilt_folder *folder, const char *name)
{
	for (size_t i = 0; i < folder->file_count; i++)
		if (strcmp(folder->files[i].path, name) == 0)
			return 1;
	return 0;
}

/* Names that the build scripts of candle give: candle-flash-attn/build.rs and candle-kernels/build.rs. */
static int name_crate(struct prebuilt_folder *folder, struct error *err)
{
	static const struct {
		const char *file, *crate;
	} known[] = {{"libflashattention.a", "candle-flash-attn"},
		     {"flashattention.lib", "candle-flash-attn"},
		     {"libflashattentionv3.a", "candle-flash-attn-v3"},
		     {"libmoe.a", "candle-kernels"},
		     {"moe.lib", "candle-kernels"},
		     {"ptx.rs", "candle-kernels"},
		     {"unary.ptx", "candle-kernels"}};
	const char *crate = folder->provenance.crate;
	if (crate) {
		snprintf(folder->crate_evidence, sizeof folder->crate_evidence, "%s",
			 strncmp(path_base(folder->provenance.folder), crate, strlen(crate)) == 0 ? "name of the folder"
												  : "root-output");
	} else {
		for (size_t i = 0; i < ARRAY_COUNT(known) && !crate; i++) {
			if (!prebuilt_has_file(folder, known[i].file))
				continue;
			crate = known[i].crate;
			snprintf(folder->crate_evidence, sizeof folder->crate_evidence, "holds %s", known[i].file);
		}
	}
	if (!crate)
		return 0;
	folder->crate = strdup(crate);
	return folder->crate ? 0 : error_out_of_memory(err);
}

/* Cargo touches invoked.timestamp before it starts a build script, sets the time of `output` to that when the script has ended,
 * and writes `stderr` after it: the two tell how long it took, as long as the times are the builder's. Those of a checkout or a
 * download are not: then `output` is not as old as invoked.timestamp, or all three are of one moment. */
static double build_seconds_of(const char *folder)
{
	static const char *const names[] = {"invoked.timestamp", "output", "stderr"};
	enum { SAME = 2 /* what zip archives round times to */, LEAST = 3, MOST = 24 * 3600 };
	double times[ARRAY_COUNT(names)];
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		struct stat status;
		char *path = path_join(folder, names[i]);
		const int failed = !path || stat(path, &status) || !S_ISREG(status.st_mode);
		free(path);
		if (failed)
			return 0;
		times[i] = (double)status.st_mtim.tv_sec + (double)status.st_mtim.tv_nsec * 1e-9;
	}
	const double seconds = times[2] - times[0];
	return times[1] - times[0] <= SAME && times[0] - times[1] <= SAME && seconds >= LEAST && seconds <= MOST ? seconds : 0;
}

static void folder_free(struct prebuilt_folder *folder)
{
	free(folder->path);
	free(folder->out);
	free(folder->crate);
	provenance_free(&folder->provenance);
	readme_claims_free(&folder->claims);
	prebuilt_files_free(folder->files, folder->file_count);
	artifact_list_free(&folder->artifacts);
}

/* Whether a folder holds `out`, or any of the files that Cargo keeps beside it. */
static int looks_built(const char *path)
{
	static const char *const marks[] = {"out", "output", "root-output", "invoked.timestamp"};
	for (size_t i = 0; i < ARRAY_COUNT(marks); i++) {
		char *name = path_join(path, marks[i]);
		const int found = name && (i ? path_exists(name) && !path_is_dir(name) : path_is_dir(name));
		free(name);
		if (found)
			return 1;
	}
	return 0;
}

static int add_folder(struct prebuilt *prebuilt, const char *path, struct error *err)
{
	if (prebuilt->count == FOLDERS_MAX)
		return error_set(err, ERROR_INPUT, "%s: holds more than %d folders", prebuilt->path, FOLDERS_MAX);
	struct prebuilt_folder *folders = realloc(prebuilt->folders, (size_t)(prebuilt->count + 1) * sizeof *folders);
	if (!folders)
		return error_out_of_memory(err);
	prebuilt->folders = folders;
	struct prebuilt_folder *folder = &folders[prebuilt->count];
	*folder = (struct prebuilt_folder){.path = strdup(path), .out = path_join(path, "out")};
	if (!folder->path || !folder->out) {
		error_out_of_memory(err);
		goto failed;
	}
	if (!path_is_dir(folder->out)) {
		free(folder->out);
		folder->out = strdup(path);
		if (!folder->out) {
			error_out_of_memory(err);
			goto failed;
		}
	}
	if (provenance_read(path, &folder->provenance, &folder->is_build_output, err) ||
	    prebuilt_list_files(folder->out, &folder->files, &folder->file_count, err) ||
	    artifact_discover(folder->out, &folder->artifacts, err) || name_crate(folder, err))
		goto failed;
	for (int above = 0; above <= 2 && !folder->has_claims; above++)
		if (readme_claims_read(path, above, &folder->claims, &folder->has_claims, err))
			goto failed;
	for (size_t i = 0; i < folder->file_count; i++)
		folder->bytes += folder->files[i].size;
	folder->build_seconds = build_seconds_of(path);
	prebuilt->count++;
	return 0;
failed:
	folder_free(folder);
	return -1;
}

/* Folders in it that look like a build script's. */
static int add_children(struct prebuilt *prebuilt, struct error *err)
{
	struct name_list names;
	int result = folder_names(prebuilt->path, &names, err);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		char *path = names.items[i][0] == '.' ? NULL : path_join(prebuilt->path, names.items[i]);
		if (path && path_is_dir(path) && looks_built(path))
			result = add_folder(prebuilt, path, err);
		free(path);
	}
	name_list_free(&names);
	return result;
}

int prebuilt_open(const char *path, struct prebuilt *prebuilt, struct error *err)
{
	size_t length = strlen(path);
	*prebuilt = (struct prebuilt){0};
	while (length > 1 && path[length - 1] == '/')
		length--;
	prebuilt->path = copy_text(path, length);
	if (!prebuilt->path)
		return error_out_of_memory(err);
	if (!path_exists(prebuilt->path)) {
		error_set(err, ERROR_INPUT, "%s: %s", prebuilt->path, strerror(errno));
		goto failed;
	}
	if (!path_is_dir(prebuilt->path)) {
		error_set(err, ERROR_INPUT,
			  "%s: is a file; name the folder that is published, such as prebuilt/ or candle-kernels-<hash>/",
			  prebuilt->path);
		goto failed;
	}
	if (strcmp(path_base(prebuilt->path), "out") == 0) {
		/* the folder around it knows more */
		char *above = length > 4 ? copy_text(prebuilt->path, length - 4) : strdup(length == 4 ? "/" : ".");
		if (!above) {
			error_out_of_memory(err);
			goto failed;
		}
		free(prebuilt->path);
		prebuilt->path = above;
	}
	if (looks_built(prebuilt->path)) {
		if (add_folder(prebuilt, prebuilt->path, err))
			goto failed;
		return 0;
	}
	if (add_children(prebuilt, err))
		goto failed;
	if (prebuilt->count == 0 && add_folder(prebuilt, prebuilt->path, err))
		goto failed;
	return 0;
failed:
	prebuilt_free(prebuilt);
	return -1;
}

void prebuilt_free(struct prebuilt *prebuilt)
{
	for (int i = 0; i < prebuilt->count; i++)
		folder_free(&prebuilt->folders[i]);
	free(prebuilt->folders);
	free(prebuilt->path);
	*prebuilt = (struct prebuilt){0};
}
