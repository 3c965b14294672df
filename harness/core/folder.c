#include "core/folder.h"

#include "core/util.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int name_list_add(struct name_list *names, char *name)
{
	if (name && names->count == names->capacity) {
		const size_t capacity = names->capacity ? names->capacity * 2 : 16;
		char **items = realloc(names->items, capacity * sizeof *items);
		if (!items) {
			free(name);
			return -1;
		}
		names->items = items;
		names->capacity = capacity;
	}
	if (!name)
		return -1;
	names->items[names->count++] = name;
	return 0;
}

int name_list_find(const struct name_list *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return (int)i;
	return -1;
}

void name_list_free(struct name_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct name_list){0};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int folder_names(const char *folder, struct name_list *names, struct error *err)
{
	*names = (struct name_list){0};
	DIR *directory = opendir(folder);
	if (!directory)
		return error_set(err, ERROR_INPUT, "%s: folder cannot be read: %s", folder, strerror(errno));
	int result = 0;
	for (;;) {
		errno = 0;
		const struct dirent *item = readdir(directory);
		if (!item) {
			if (errno)
				result = error_set(err, ERROR_INPUT, "%s: folder cannot be read: %s", folder, strerror(errno));
			break;
		}
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		if (name_list_add(names, strdup(item->d_name))) {
			result = error_out_of_memory(err);
			break;
		}
	}
	closedir(directory);
	if (result)
		name_list_free(names);
	else if (names->count)
		qsort(names->items, names->count, sizeof *names->items, by_name);
	return result;
}

/* `below`: the way from the top to `folder`, "" at the top. */
static int add_below(const char *folder, const char *below, struct name_list *folders, struct name_list *files, struct error *err)
{
	struct name_list names;
	int result = folder_names(folder, &names, err);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		struct stat status;
		char *path = path_join(folder, names.items[i]);
		char *name = *below ? path_join(below, names.items[i]) : strdup(names.items[i]);
		if (!path || !name) {
			free(name);
			result = error_out_of_memory(err);
		} else if (lstat(path, &status)) {
			result = error_set(err, ERROR_INPUT, "%s: cannot be read: %s", path, strerror(errno));
			free(name);
		} else {
			const int is_folder = S_ISDIR(status.st_mode);
			if (name_list_add(is_folder ? folders : files, name))
				result = error_out_of_memory(err);
			else if (is_folder)
				result = add_below(path, name, folders, files, err);
		}
		free(path);
	}
	name_list_free(&names);
	return result;
}

int folder_tree(const char *folder, struct name_list *folders, struct name_list *files, struct error *err)
{
	*folders = *files = (struct name_list){0};
	if (add_below(folder, "", folders, files, err) == 0)
		return 0;
	name_list_free(folders);
	name_list_free(files);
	return -1;
}
