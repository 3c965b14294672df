#include "manifest.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *manifest_text(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : otherwise;
}

static int read_manifest(struct manifest *manifest, struct error *err)
{
	enum { LARGEST = 64 << 20 };
	struct stat status;
	json_error_t why;
	/* reading a pipe would wait for its writer */
	if (stat(manifest->path, &status) == 0 && !S_ISREG(status.st_mode))
		return error_set(err, ERROR_INPUT, "%s: is not a regular file; pack the folder again", manifest->path);
	if (stat(manifest->path, &status) == 0 && status.st_size > LARGEST)
		return error_set(err, ERROR_INPUT, "%s: is too large for what assay pack writes", manifest->path);
	manifest->json = json_load_file(manifest->path, JSON_REJECT_DUPLICATES, &why);
	if (!manifest->json)
		return error_set(err, ERROR_INPUT, "%s: is no JSON: line %d: %.200s; pack the folder again", manifest->path,
				 why.line, why.text);
	if (strcmp(manifest_text(manifest->json, "schema", ""), "assay-manifest") != 0)
		return error_set(err, ERROR_INPUT, "%s: is not what assay pack writes (no schema \"assay-manifest\")",
				 manifest->path);
	if (json_integer_value(json_object_get(manifest->json, "schema_version")) != 1)
		return error_set(err, ERROR_INPUT, "%s: is of a schema version this program does not know; use a newer assay",
				 manifest->path);
	return 0;
}

int manifest_find(const char *folder, struct manifest *manifest, int *found, struct error *err)
{
	static const char *const places[] = {"", "/.."};
	*manifest = (struct manifest){0};
	*found = 0;
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		if (asprintf(&manifest->base, "%s%s", folder, places[i]) < 0) {
			manifest->base = NULL;
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		}
		manifest->path = path_join(manifest->base, MANIFEST_NAME);
		if (!manifest->path) {
			manifest_free(manifest);
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		}
		if (path_exists(manifest->path)) {
			*found = 1;
			if (read_manifest(manifest, err) == 0)
				return 0;
			manifest_free(manifest);
			return -1;
		}
		manifest_free(manifest);
	}
	return 0;
}

void manifest_free(struct manifest *manifest)
{
	free(manifest->path);
	free(manifest->base);
	json_decref(manifest->json);
	*manifest = (struct manifest){0};
}

const json_t *manifest_folder(const struct manifest *manifest, const struct prebuilt_folder *folder)
{
	char *base = realpath(manifest->base, NULL), *out = realpath(folder->out, NULL);
	const json_t *found = NULL;
	size_t index;
	json_t *entry;
	const size_t length = base ? strlen(base) : 0;
	if (base && out && strncmp(out, base, length) == 0 && (out[length] == '/' || out[length] == '\0')) {
		const char *path = out[length] ? out + length + 1 : ".";
		json_array_foreach(json_object_get(manifest->json, "folders"), index,
				   entry) if (!found && strcmp(manifest_text(entry, "path", ""), path) == 0) found = entry;
	}
	free(base);
	free(out);
	return found;
}

enum { PROBLEMS_SHOWN = 8 };

static void add_problem(struct text *problems, int *count, const char *path, const char *what)
{
	if ((*count)++ < PROBLEMS_SHOWN)
		text_append(problems, "%s%.200s: %s", problems->length ? "\n" : "", path, what);
}

static const struct prebuilt_file *find_file(const struct prebuilt_folder *folder, const char *path)
{
	for (size_t i = 0; i < folder->file_count; i++)
		if (strcmp(folder->files[i].path, path) == 0)
			return &folder->files[i];
	return NULL;
}

int manifest_check_files(const json_t *entry, const struct prebuilt_folder *folder, struct text *problems, size_t *checked,
			 struct error *err)
{
	const json_t *files = json_object_get(entry, "files");
	int count = 0;
	*checked = 0;
	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *item = json_array_get(files, i);
		const char *path = manifest_text(item, "path", ""), *sha256 = manifest_text(item, "sha256", "");
		const struct prebuilt_file *file = find_file(folder, path);
		char hex[65];
		if (!file) {
			add_problem(problems, &count, path, "is missing");
			continue;
		}
		(*checked)++;
		char *full = path_join(folder->out, file->path);
		const int failed = !full || file_sha256(full, hex, err);
		free(full);
		if (failed)
			return -1;
		if ((json_int_t)file->size != json_integer_value(json_object_get(item, "size")) || strcmp(hex, sha256) != 0)
			add_problem(problems, &count, path, "is not the file that was packed: its SHA-256 differs");
	}
	for (size_t f = 0; f < folder->file_count; f++) {
		int known = 0;
		for (size_t i = 0; i < json_array_size(files) && !known; i++)
			known = strcmp(manifest_text(json_array_get(files, i), "path", ""), folder->files[f].path) == 0;
		if (!known)
			add_problem(problems, &count, folder->files[f].path, "was added after it was packed");
	}
	if (count > PROBLEMS_SHOWN)
		text_append(problems, "\nand %d more", count - PROBLEMS_SHOWN);
	return count;
}

const json_t *manifest_run(const struct manifest *manifest, const char *architecture, const char *sha256, const char **verdict)
{
	const json_t *runs = json_object_get(manifest->json, "runs"), *found = NULL;
	*verdict = NULL;
	for (size_t i = 0; i < json_array_size(runs); i++) {
		const json_t *run = json_array_get(runs, i), *artifacts = json_object_get(run, "artifacts");
		if (strcmp(manifest_text(run, "architecture", ""), architecture) != 0)
			continue;
		for (size_t k = 0; k < json_array_size(artifacts); k++) {
			const json_t *artifact = json_array_get(artifacts, k);
			if (strcmp(manifest_text(artifact, "sha256", ""), sha256) != 0)
				continue;
			found = run;
			*verdict = manifest_text(artifact, "verdict", "not stated");
		}
	}
	return found;
}
