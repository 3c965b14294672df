#include "prebuilt.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 100000, DEPTH_MAX = 16, FOLDERS_MAX = 256 };

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

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

struct listing {
	struct prebuilt_file *files;
	size_t count, capacity;
	struct error *err;
};

static int add_file(struct listing *listing, char *path, uint64_t size)
{
	if (listing->count == FILES_MAX)
		return error_set(listing->err, ERROR_INPUT, "%s: more than %d files are no build script's output", path,
				 FILES_MAX);
	if (listing->count == listing->capacity) {
		const size_t capacity = listing->capacity ? listing->capacity * 2 : 32;
		struct prebuilt_file *files = realloc(listing->files, capacity * sizeof *files);
		if (!files)
			return out_of_memory(listing->err);
		listing->files = files;
		listing->capacity = capacity;
	}
	listing->files[listing->count++] = (struct prebuilt_file){path, size};
	return 0;
}

/* `below`: the part of the path that is kept, "" at the top. */
static int list_folder(struct listing *listing, const char *folder, const char *below, int depth)
{
	int result = -1;
	char *path = NULL, *name = NULL;
	DIR *directory = depth < DEPTH_MAX ? opendir(folder) : NULL;
	if (!directory)
		return error_set(listing->err, ERROR_INPUT, "%s: folder cannot be read: %s", folder,
				 depth < DEPTH_MAX ? strerror(errno) : "it lies too deep");
	for (;;) {
		struct stat status;
		errno = 0;
		const struct dirent *item = readdir(directory);
		if (!item) {
			if (errno) {
				error_set(listing->err, ERROR_INPUT, "%s: folder cannot be read: %s", folder, strerror(errno));
				goto done;
			}
			break;
		}
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		path = path_join(folder, item->d_name);
		name = *below ? path_join(below, item->d_name) : strdup(item->d_name);
		if (!path || !name) {
			out_of_memory(listing->err);
			goto done;
		}
		if (lstat(path, &status)) {
			error_set(listing->err, ERROR_INPUT, "%s: %s", path, strerror(errno));
			goto done;
		}
		if (S_ISDIR(status.st_mode)) {
			if (list_folder(listing, path, name, depth + 1))
				goto done;
			free(name);
		} else if (!S_ISREG(status.st_mode)) {
			error_set(listing->err, ERROR_INPUT, "%s: is %s; only regular files are published and installed", path,
				  S_ISLNK(status.st_mode) ? "a symbolic link" : "no regular file");
			goto done;
		} else if (add_file(listing, name, (uint64_t)status.st_size)) {
			goto done;
		}
		name = NULL;
		free(path);
		path = NULL;
	}
	result = 0;
done:
	free(path);
	free(name);
	closedir(directory);
	return result;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct prebuilt_file *)a)->path, ((const struct prebuilt_file *)b)->path);
}

int prebuilt_list_files(const char *folder, struct prebuilt_file **files, size_t *count, struct error *err)
{
	struct listing listing = {.err = err};
	*files = NULL;
	*count = 0;
	if (list_folder(&listing, folder, "", 0)) {
		prebuilt_files_free(listing.files, listing.count);
		return -1;
	}
	if (listing.count)
		qsort(listing.files, listing.count, sizeof *listing.files, by_path);
	*files = listing.files;
	*count = listing.count;
	return 0;
}

void prebuilt_files_free(struct prebuilt_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(files[i].path);
	free(files);
}

/* ---- one folder ---- */

static int has_file(const struct prebuilt_folder *folder, const char *name)
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
			if (!has_file(folder, known[i].file))
				continue;
			crate = known[i].crate;
			snprintf(folder->crate_evidence, sizeof folder->crate_evidence, "holds %s", known[i].file);
		}
	}
	if (!crate)
		return 0;
	folder->crate = strdup(crate);
	return folder->crate ? 0 : out_of_memory(err);
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
		return out_of_memory(err);
	prebuilt->folders = folders;
	struct prebuilt_folder *folder = &folders[prebuilt->count];
	*folder = (struct prebuilt_folder){.path = strdup(path), .out = path_join(path, "out")};
	if (!folder->path || !folder->out) {
		out_of_memory(err);
		goto failed;
	}
	if (!path_is_dir(folder->out)) {
		free(folder->out);
		folder->out = strdup(path);
		if (!folder->out) {
			out_of_memory(err);
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
	struct dirent **items;
	int result = 0;
	const int count = scandir(prebuilt->path, &items, NULL, alphasort);
	if (count < 0)
		return error_set(err, ERROR_INPUT, "%s: folder cannot be read: %s", prebuilt->path, strerror(errno));
	for (int i = 0; i < count; i++) {
		char *path = items[i]->d_name[0] == '.' ? NULL : path_join(prebuilt->path, items[i]->d_name);
		if (result == 0 && path && path_is_dir(path) && looks_built(path))
			result = add_folder(prebuilt, path, err);
		free(path);
		free(items[i]);
	}
	free(items);
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
		return out_of_memory(err);
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
			out_of_memory(err);
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
