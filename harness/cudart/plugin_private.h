/* Shared by the files of assay_plugin. */
#ifndef ASSAY_CUDART_PLUGIN_PRIVATE_H
#define ASSAY_CUDART_PLUGIN_PRIVATE_H

#include "core/util.h"
#include "cudart/plugin.h"

/* A set of names: filled, then sorted once, then asked. Zero-initialise. */
struct name_set {
	char **names; /* owned */
	size_t count, capacity;
	int failed; /* memory ran out: `name_set_sort` says so */
};
void name_set_add(struct name_set *set, const char *name);
int name_set_sort(struct name_set *set, struct error *err); /* and drops duplicates */
int name_set_has(const struct name_set *set, const char *name);
void name_set_free(struct name_set *set);

/* plugin_symbols.c: who defines and who needs what */
struct archive_symbols {
	struct name_set defined;   /* in some object, whatever the visibility */
	struct name_set exported;  /* functions a program can call */
	struct name_set undefined; /* needed by some object, weak references aside, and defined by none */
};
/* `path` names the bytes in messages. ERROR_UNSUPPORTED for what a Linux linker cannot take in: foreign objects, LLVM
 * bitcode, slim LTO objects, another processor; ERROR_INPUT for damage and for archives that hold nothing. */
int archive_symbols_read(struct archive_symbols *symbols, const struct file_map *archive, const char *path,
			 struct error *err);
void archive_symbols_free(struct archive_symbols *symbols);
/* Adds what a shared object defines for others. */
int shared_object_symbols(struct name_set *defined, const char *path, struct error *err);
/* ERROR_INPUT when a required symbol is not among `exported`; names similar ones. */
int require_symbols(const struct name_set *defined, const struct name_set *exported, const char *const *required,
		    const char *path, struct error *err);

/* plugin_link.c: one run of assembler and linker */
enum { LINK_LIBRARIES_MAX = 12 };
struct link_job {
	const char *archive; /* as messages name it */
	const char *input;   /* the same file by an absolute path, which no tool takes for an option */
	const char *soname;
	const struct name_set *stubs;
	const char *libraries[LINK_LIBRARIES_MAX]; /* NULL-terminated, in the order of preference */
	const char *last_library;                  /* used only for what none of the others defines; NULL: none */
};
/* Writes `folder`/plugin.so; intermediate files are removed. On failure nothing is left in the folder, and
 * *no_room tells whether the folder was the cause (full, read-only), so that another one may do. */
int link_shared_object(const struct link_job *job, const char *folder, int *no_room, struct error *err);
#define LINK_OUTPUT "plugin.so"

#endif
