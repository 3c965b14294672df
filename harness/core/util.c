#include "core/util.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int size_mul(size_t a, size_t b, size_t *out)
{
	return __builtin_mul_overflow(a, b, out) ? -1 : 0;
}

int size_add(size_t a, size_t b, size_t *out)
{
	return __builtin_add_overflow(a, b, out) ? -1 : 0;
}

static int text_reserve(struct text *text, size_t more)
{
	size_t need;
	if (text->failed || size_add(text->length, more, &need) || size_add(need, 1, &need)) {
		text->failed = 1;
		return -1;
	}
	if (need <= text->capacity)
		return 0;
	size_t capacity = text->capacity ? text->capacity : 128;
	while (capacity < need)
		capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
	char *data = realloc(text->data, capacity);
	if (!data) {
		text->failed = 1;
		return -1;
	}
	text->data = data;
	text->capacity = capacity;
	return 0;
}

void text_append_bytes(struct text *text, const void *bytes, size_t length)
{
	if (text_reserve(text, length))
		return;
	if (length) /* memcpy may not be given NULL, even for nothing */
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void text_append(struct text *text, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	const int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length >= 0 && !text_reserve(text, (size_t)length)) {
		vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
		text->length += (size_t)length;
	}
	va_end(again);
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){0};
}

void text_append_quoted(struct text *text, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
	if (*word && strspn(word, safe) == strlen(word)) {
		text_append(text, "%s", word);
		return;
	}
	text_append(text, "'");
	for (const char *at = word; *at; at++) {
		if (*at == '\'')
			text_append(text, "'\\''");
		else
			text_append_bytes(text, at, 1);
	}
	text_append(text, "'");
}

char *copy_text(const char *text, size_t length)
{
	char *copy = length < SIZE_MAX ? malloc(length + 1) : NULL;
	if (!copy)
		return NULL;
	if (length)
		memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

int file_map_open(struct file_map *map, const char *path, struct error *err)
{
	*map = (struct file_map){0};
	struct stat status;
	/* without O_NONBLOCK, opening a pipe waits for someone to write to it */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, ERROR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
	int result = -1;
	if (fstat(fd, &status)) {
		error_set(err, ERROR_INPUT, "%s: %s", path, strerror(errno));
		goto done;
	}
	if (!S_ISREG(status.st_mode)) {
		error_set(err, ERROR_INPUT, "%s: is not a regular file", path);
		goto done;
	}
	if (status.st_size > 0) {
		void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED) {
			error_set(err, ERROR_INPUT, "%s: cannot be mapped: %s", path, strerror(errno));
			goto done;
		}
		*map = (struct file_map){.data = data, .size = (size_t)status.st_size};
	}
	result = 0;
done:
	close(fd);
	return result;
}

void file_map_close(struct file_map *map)
{
	if (map->data)
		munmap((void *)(uintptr_t)map->data, map->size);
	*map = (struct file_map){0};
}

void sha256_hex(const void *bytes, size_t size, char hex[65])
{
	unsigned char digest[32] = {0};
	EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

char *path_join(const char *dir, const char *name)
{
	const size_t length = strlen(dir);
	const char *separator = length && dir[length - 1] == '/' ? "" : "/";
	char *path = NULL;
	return asprintf(&path, "%s%s%s", dir, separator, name) < 0 ? NULL : path;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

int path_is_dir(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int path_exists(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0;
}

int make_dirs(const char *path, struct error *err)
{
	char *copy = strdup(path);
	if (!copy)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	int result = 0;
	for (char *at = copy + 1; result == 0; at++) {
		if (*at != '/' && *at != '\0')
			continue;
		const char end = *at;
		*at = '\0';
		if (mkdir(copy, 0777) && errno != EEXIST)
			result = error_set(err, ERROR_INPUT, "%s: folder cannot be made: %s", copy, strerror(errno));
		*at = end;
		if (!end)
			break;
	}
	if (result == 0 && !path_is_dir(path))
		result = error_set(err, ERROR_INPUT, "%s: is not a folder", path);
	free(copy);
	return result;
}

int path_can_be_replaced(const char *path, struct error *err)
{
	struct stat status;
	if (!path[0])
		return error_set(err, ERROR_USAGE, "the name of a file to write is empty");
	if (lstat(path, &status) || S_ISREG(status.st_mode))
		return 0;
	return error_set(err, ERROR_INPUT, "%s: is %s; give the name of a file to write", path,
			 path_is_dir(path) ? "a folder" : S_ISLNK(status.st_mode) ? "a symbolic link" : "no regular file");
}

int path_can_be_written(const char *path, struct error *err)
{
	char *temporary;
	if (path_can_be_replaced(path, NULL) && !path_is_dir(path)) {
		if (access(path, W_OK))
			return error_set(err, ERROR_INPUT, "%s: cannot be written: %s", path, strerror(errno));
		return 0;
	}
	if (temporary_beside(path, &temporary, err))
		return -1;
	temporary_discard(temporary);
	return 0;
}

int temporary_beside(const char *path, char **temporary, struct error *err)
{
	*temporary = NULL;
	if (path_can_be_replaced(path, err))
		return -1;
	char *name = NULL;
	if (asprintf(&name, "%s.XXXXXX", path) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	const int fd = mkstemp(name);
	if (fd < 0) {
		error_set(err, ERROR_INPUT, "%s: cannot be written: %s", path, strerror(errno));
		free(name);
		return -1;
	}
	/* mkstemp makes it private; give it the mode an ordinary file would have */
	const mode_t mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	close(fd);
	*temporary = name;
	return 0;
}

int temporary_commit(char *temporary, const char *path, struct error *err)
{
	int result = 0;
	const int fd = open(temporary, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) || rename(temporary, path)) {
		result = error_set(err, ERROR_INPUT, "%s: cannot be written: %s", path, strerror(errno));
		unlink(temporary);
	}
	if (fd >= 0)
		close(fd);
	free(temporary);
	return result;
}

void temporary_discard(char *temporary)
{
	if (temporary)
		unlink(temporary);
	free(temporary);
}

static int write_whole(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");
	if (!file)
		return -1;
	int failed = fwrite(bytes, 1, size, file) != size;
	failed |= fclose(file) != 0;
	return failed ? -1 : 0;
}

int write_file_atomically(const char *path, const void *bytes, size_t size, struct error *err)
{
	char *temporary;
	if (path_can_be_replaced(path, NULL) && !path_is_dir(path)) {
		if (write_whole(path, bytes, size))
			return error_set(err, ERROR_INPUT, "%s: cannot be written: %s", path, strerror(errno));
		return 0;
	}
	if (temporary_beside(path, &temporary, err))
		return -1;
	if (write_whole(temporary, bytes, size)) {
		error_set(err, ERROR_INPUT, "%s: cannot be written: %s", path, strerror(errno));
		temporary_discard(temporary);
		return -1;
	}
	return temporary_commit(temporary, path, err);
}

double monotonic_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int glob_match(const char *pattern, const char *name)
{
	/* Linear-time matching with one point of return: enough, since a later `*` absorbs what an earlier one could. */
	const char *star = NULL, *resume = NULL;
	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++resume;
		} else {
			return 0;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
