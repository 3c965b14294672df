/* Small things every layer needs: checked sizes, growing text, mapped files, paths. */
#ifndef ASSAY_CORE_UTIL_H
#define ASSAY_CORE_UTIL_H

#include "core/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* a*b and a+b in size_t: return -1 on overflow and leave *out alone. */
int size_mul(size_t a, size_t b, size_t *out);
int size_add(size_t a, size_t b, size_t *out);

/* Text that grows. Zero-initialise; free with text_free. `failed` is set once memory ran out and
 * every later append is a no-op, so that only the end needs a check. `data` is NUL-terminated, or
 * NULL while empty. */
struct text {
	char *data;
	size_t length, capacity;
	int failed;
};
void text_append(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_append_bytes(struct text *text, const void *bytes, size_t length);
void text_free(struct text *text);

/* `length` bytes and a NUL, in memory the caller frees; NULL when memory runs out. Unlike strndup it never looks for a NUL,
 * so the bytes may be the end of a buffer. */
char *copy_text(const char *text, size_t length);

/* A file mapped read-only. An empty file has data == NULL, size == 0. */
struct file_map {
	const unsigned char *data;
	size_t size;
};
int file_map_open(struct file_map *map, const char *path, struct error *err);
void file_map_close(struct file_map *map);

/* SHA-256 (FIPS 180-4) of bytes, as 64 lower-case hex digits and a NUL. */
void sha256_hex(const void *bytes, size_t size, char hex[65]);

/* "dir/name" in memory the caller frees; NULL when memory runs out. */
char *path_join(const char *dir, const char *name);
const char *path_base(const char *path); /* part after the last '/' */
int path_is_dir(const char *path);
int path_exists(const char *path);
int make_dirs(const char *path, struct error *err); /* like mkdir -p */

/* Whether a file may be put at `path` by renaming: -1 with ERROR_INPUT when a folder, device, pipe or link is there, which a
 * rename would replace (/dev/null or /dev/stdout, for one who may); ERROR_USAGE when it is empty. */
int path_can_be_replaced(const char *path, struct error *err);
/* Whether write_file_atomically will be able to write there, as far as can be told before: better known now than after an
 * hour of work. */
int path_can_be_written(const char *path, struct error *err);

/* Writes a file whole or not at all: to a temporary in the same folder, which is renamed. What is no regular file
 * (/dev/stdout, a pipe) is written to as it is. */
int write_file_atomically(const char *path, const void *bytes, size_t size, struct error *err);

/* Opens a temporary file beside `path` for a library that writes by name; on success *temporary is a malloc'd
 * path. `temporary_commit` renames it over `path` (fsync'd), `temporary_discard` removes it; both free it. */
int temporary_beside(const char *path, char **temporary, struct error *err);
int temporary_commit(char *temporary, const char *path, struct error *err);
void temporary_discard(char *temporary);

double monotonic_seconds(void);

/* Shell-style match with `*` and `?` over the whole of `name`. */
int glob_match(const char *pattern, const char *name);

/* Quotes `word` for a POSIX shell when it needs it. */
void text_append_quoted(struct text *text, const char *word);

#endif
