/* What folders hold. */
#ifndef ASSAY_CORE_FOLDER_H
#define ASSAY_CORE_FOLDER_H

#include "core/error.h"

#include <stddef.h>

/* Names that are owned; zero-initialise, free with name_list_free. */
struct name_list {
	char **items;
	size_t count, capacity;
};
/* Takes `name` over, and frees it when memory runs out: then -1. NULL is memory that ran out. */
int name_list_add(struct name_list *names, char *name);
/* Index of a name, -1: it is none of them. */
int name_list_find(const struct name_list *names, const char *name);
void name_list_free(struct name_list *names);

/* Names of all that lies in a folder but "." and "..", sorted. ERROR_INPUT when it cannot be read; *names is then empty. */
int folder_names(const char *folder, struct name_list *names, struct error *err);

/* Paths of all below a folder, from it on with '/': folders, each before what it holds, and apart from them whatever is none,
 * such as files and links, which are not followed. ERROR_INPUT when one of them cannot be read; both lists are then empty. */
int folder_tree(const char *folder, struct name_list *folders, struct name_list *files, struct error *err);

#endif
