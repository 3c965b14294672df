#include "artifact/artifact.h"
#include "artifact/object_kind.h"
#include "core/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct found {
	char *path;
	enum name_class class;
	int is_ingredient;
};

struct search {
	struct found *items;
	int count, capacity;
	int files; /* seen, of whatever name */
	struct error *err;
};

static int search_add(struct search *search, char *path, enum name_class class)
{
	if (search->count == search->capacity) {
		const int more = search->capacity ? search->capacity * 2 : 16;
		struct found *items = realloc(search->items, (size_t)more * sizeof *items);
		if (!items)
			return error_out_of_memory(search->err);
		search->items = items;
		search->capacity = more;
	}
	search->items[search->count++] = (struct found){path, class, 0};
	return 0;
}

/* Whether `path` is another name of an artifact in the same folder, as libx.so is of libx.so.1. */
static int is_alias(const char *path)
{
	char target[256];
	const ssize_t length = readlink(path, target, sizeof target - 1);
	if (length <= 0 || memchr(target, '/', (size_t)length))
		return 0;
	target[length] = '\0';
	return object_name_class(target) != NAME_OTHER;
}

/* One folder's own files, and below it `depth` levels of folders; `out` costs no level. */
static int search_folder(struct search *search, const char *folder, int depth)
{
	struct name_list names;
	int result = folder_names(folder, &names, search->err);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		const char *name = names.items[i];
		if (name[0] == '.')
			continue;
		char *path = path_join(folder, name);
		if (!path) {
			result = error_out_of_memory(search->err);
			break;
		}
		const enum name_class class = object_name_class(name);
		if (path_is_dir(path)) {
			const int is_out = strcmp(name, "out") == 0;
			if (is_out || depth > 0)
				result = search_folder(search, path, is_out ? 0 : depth - 1);
		} else {
			search->files++;
			if (class != NAME_OTHER && !is_alias(path)) {
				result = search_add(search, path, class);
				if (result == 0)
					path = NULL; /* it is the list's now */
			}
		}
		free(path);
	}
	name_list_free(&names);
	return result;
}

static int compare_found(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->path, ((const struct found *)b)->path);
}

static int by_folder(const void *a, const void *b)
{
	const struct found *left = *(const struct found *const *)a, *right = *(const struct found *const *)b;
	const size_t left_length = (size_t)(path_base(left->path) - left->path);
	const size_t right_length = (size_t)(path_base(right->path) - right->path);
	const int order = memcmp(left->path, right->path, left_length < right_length ? left_length : right_length);
	return order ? order : left_length != right_length ? (left_length < right_length ? -1 : 1) : 0;
}

/* Marks the objects that an archive or shared object lies beside: in the list sorted by path a folder's files need not be
 * neighbours, since its folders' files sort among them. */
static int mark_ingredients(const struct search *search)
{
	struct found **items = calloc((size_t)search->count, sizeof *items);
	if (!items)
		return error_out_of_memory(search->err);
	for (int i = 0; i < search->count; i++)
		items[i] = &search->items[i];
	qsort(items, (size_t)search->count, sizeof *items, by_folder);
	for (int start = 0, end; start < search->count; start = end) {
		int has_library = 0;
		for (end = start; end < search->count && by_folder(&items[start], &items[end]) == 0; end++)
			has_library |= items[end]->class == NAME_LIBRARY;
		for (int i = start; i < end; i++)
			items[i]->is_ingredient = has_library && items[i]->class == NAME_OBJECT;
	}
	free(items);
	return 0;
}

int artifact_discover(const char *path, struct artifact_list *list, struct error *err)
{
	struct search search = {.err = err};
	int result = -1;
	*list = (struct artifact_list){0};
	if (!path_exists(path))
		return error_set(err, ERROR_INPUT, "%s: %s", path, strerror(errno));
	list->paths = calloc(1, sizeof *list->paths);
	if (!list->paths) {
		error_out_of_memory(err);
		goto done;
	}
	if (!path_is_dir(path)) {
		list->paths[0] = strdup(path);
		list->count = list->paths[0] != NULL;
		result = list->count ? 0 : error_out_of_memory(err);
		goto done;
	}
	if (search_folder(&search, path, 1))
		goto done;
	if (search.count == 0) {
		error_set(err, ERROR_INPUT,
			  "%s: %s; looked in it, in its folders and in their out/ for *.a, *.lib, *.rlib, *.so, *.dll, *.pyd, "
			  "*.exe, *.o, *.obj, *.ptx, *.cubin, *.fatbin, *.whl and *.zip",
			  path,
			  search.files ? "none of the files in this folder is an artifact by its name"
				       : "this folder is empty");
		goto done;
	}
	qsort(search.items, (size_t)search.count, sizeof *search.items, compare_found);
	if (mark_ingredients(&search))
		goto done;
	free(list->paths);
	list->paths = calloc((size_t)search.count, sizeof *list->paths);
	if (!list->paths) {
		error_out_of_memory(err);
		goto done;
	}
	for (int i = 0; i < search.count; i++) {
		if (search.items[i].is_ingredient) {
			list->left_out++;
			continue;
		}
		list->paths[list->count++] = search.items[i].path;
		search.items[i].path = NULL;
	}
	result = 0;
done:
	for (int i = 0; i < search.count; i++)
		free(search.items[i].path);
	free(search.items);
	if (result)
		artifact_list_free(list);
	return result;
}

void artifact_list_free(struct artifact_list *list)
{
	for (int i = 0; i < list->count; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct artifact_list){0};
}
