#include "sides.h"

#include "core/util.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ends_in(const char *text, const char *end)
{
	const size_t length = strlen(text), tail = strlen(end);
	return length > tail && strcmp(text + length - tail, end) == 0;
}

/* HDF5 File Format Specification, version 3, section II.A: the superblock may stand at 0; this program's files have it there. */
static int has_signature(const char *path)
{
	static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
	unsigned char start[sizeof signature];
	FILE *file = path_is_dir(path) ? NULL : fopen(path, "rb");
	const int found = file && fread(start, sizeof start, 1, file) == 1 && memcmp(start, signature, sizeof start) == 0;
	if (file)
		fclose(file);
	return found;
}

int path_is_result(const char *path)
{
	return has_signature(path) || (!path_is_dir(path) && (ends_in(path, ".h5") || ends_in(path, ".h5.partial")));
}

int sides_are_files(char *const *paths, size_t count, int *files, struct error *err)
{
	const char *result = NULL, *artifact = NULL;
	for (size_t i = 0; i < count; i++)
		*(path_is_result(paths[i]) ? &result : &artifact) = paths[i];
	*files = result != NULL;
	if (!result || !artifact)
		return 0;
	return error_set(err, ERROR_USAGE, "%s is a result file and %s is not: give the artifacts of both, or make a result file with "
			 "`assay run %s --out FILE.h5` first", result, artifact, artifact);
}

int sides_threshold(const char *program, const char *word, double *threshold, struct error *err)
{
	char *end;
	*threshold = 0.01;
	if (!word)
		return 0;
	const double percent = strtod(word, &end);
	if (end == word || (*end && strcmp(end, "%") != 0) || !(percent > 0 && percent < 100))
		return error_set(err, ERROR_USAGE, "%s: --threshold takes percent above 0 and below 100, not '%s'", program, word);
	*threshold = percent / 100;
	return 0;
}

int sides_folder(const char *program, const char *folder, struct error *err)
{
	if (!folder || folder[0])
		return 0;
	return error_set(err, ERROR_USAGE, "%s: --out takes the name of a folder, and is empty", program);
}

int side_name(const char *path, char **out, struct error *err)
{
	size_t end = strlen(path), start;
	for (;;) {
		while (end && path[end - 1] == '/')
			end--;
		for (start = end; start && path[start - 1] != '/';)
			start--;
		if (start == 0 || end - start != 3 || strncmp(path + start, "out", 3) != 0)
			break;
		end = start;
	}
	char *name = end > start ? copy_text(path + start, end - start < 100 ? end - start : 100) : strdup("artifact");
	for (char *at = name; at && *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("._-+", *at))
			*at = '_';
	*out = name;
	return name ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

int side_result_path(const char *folder, size_t index, const char *path, char **out, struct error *err)
{
	char *name;
	*out = NULL;
	if (side_name(path, &name, err))
		return -1;
	if (asprintf(out, "%s/%zu-%s.h5", folder, index + 1, name) < 0)
		*out = NULL;
	free(name);
	return *out ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}
