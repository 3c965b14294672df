#include "install_tree.h"

#include "core/folder.h"
#include "core/util.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *beside(const char *folder, const char *ending)
{
	const char *base = path_base(folder);
	char *path = NULL;
	return asprintf(&path, "%.*s.assay-%s.%s", (int)(base - folder), folder, base, ending) < 0 ? NULL : path;
}

char *tree_staging_of(const char *folder)
{
	return beside(folder, "new");
}

char *tree_kept_of(const char *folder)
{
	return beside(folder, "kept");
}

struct tree_identity tree_identify(const char *path)
{
	struct tree_identity identity = {""};
	struct stat status;
	if (lstat(path, &status) == 0)
		snprintf(identity.text, sizeof identity.text, "%llx", (unsigned long long)status.st_ino);
	return identity;
}

static int is_tree(const char *path, const struct tree_identity *identity)
{
	const struct tree_identity its = tree_identify(path);
	return its.text[0] && strcmp(its.text, identity->text) == 0;
}

static int fails(struct error *err, const char *path, const char *what)
{
	const int number = errno;
	return error_set(err, ERROR_INPUT, "%s: %s: %s%s", path, what, strerror(number),
			 number == ENOSPC || number == EDQUOT || number == EFBIG ? "; make room and run it again" : "");
}

int tree_make_parents(const char *root, const char *path, struct error *err)
{
	char *full = path_join(root, path);
	if (!full)
		return error_out_of_memory(err);
	int result = 0;
	for (char *at = full + strlen(root) + 1; result == 0 && (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(full, 0777) && errno != EEXIST)
			result = fails(err, full, "folder cannot be made");
		*at = '/';
	}
	free(full);
	return result;
}

/* ---- files ---- */

static int write_all(int fd, const unsigned char *bytes, size_t size)
{
	while (size) {
		const ssize_t count = write(fd, bytes, size);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return -1;
		bytes += count;
		size -= (size_t)count;
	}
	return 0;
}

static int copy_bytes(int from, int to, EVP_MD_CTX *digest)
{
	enum { PIECE = 1 << 16 };
	unsigned char bytes[PIECE];
	for (;;) {
		const ssize_t count = read(from, bytes, sizeof bytes);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return (int)count;
		EVP_DigestUpdate(digest, bytes, (size_t)count);
		if (write_all(to, bytes, (size_t)count))
			return -1;
	}
}

static int copy_file(const char *from, const char *to, const struct timespec *modified, mode_t mode, char hex[65],
		     struct error *err)
{
	unsigned char sum[32] = {0};
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	const struct timespec times[2] = {*modified, *modified};
	int result = -1, source = -1, target = -1;
	if (!digest || !EVP_DigestInit_ex(digest, EVP_sha256(), NULL)) {
		error_out_of_memory(err);
		goto done;
	}
	source = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (source < 0) {
		fails(err, from, "cannot be read");
		goto done;
	}
	target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (target < 0 || copy_bytes(source, target, digest) || futimens(target, times) || fsync(target)) {
		fails(err, to, "cannot be written");
		goto done;
	}
	const int closed = close(target);
	target = -1;
	if (closed) {
		fails(err, to, "cannot be written");
		goto done;
	}
	EVP_DigestFinal_ex(digest, sum, NULL);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	result = 0;
done:
	if (source >= 0)
		close(source);
	if (target >= 0)
		close(target);
	EVP_MD_CTX_free(digest);
	return result;
}

int tree_copy(const char *from, const char *to, const struct timespec *modified, char hex[65], struct error *err)
{
	return copy_file(from, to, modified, 0666, hex, err);
}

int tree_link(const char *from, const char *to, struct error *err)
{
	struct stat status;
	char hex[65];
	if (link(from, to) == 0)
		return 0;
	/* EPERM: no hard links here, or not of somebody else's file */
	if ((errno != EPERM && errno != ENOTSUP && errno != EMLINK && errno != EXDEV) || lstat(from, &status) ||
	    !S_ISREG(status.st_mode))
		return fails(err, to, "cannot be linked");
	return copy_file(from, to, &status.st_mtim, status.st_mode & 0777, hex, err);
}

int tree_move_file(const char *from_root, const char *to_root, const char *path, struct error *err)
{
	char *from = path_join(from_root, path), *to = path_join(to_root, path);
	int result = -1;
	if (!from || !to)
		error_out_of_memory(err);
	else if (!path_exists(from))
		result = 0;
	else if ((mkdir(to_root, 0777) && errno != EEXIST) || tree_make_parents(to_root, path, err) || rename(from, to))
		fails(err, from, "cannot be kept");
	else
		result = 0;
	free(from);
	free(to);
	return result;
}

/* ---- folders ---- */

int tree_flush_folder(const char *folder, struct error *err)
{
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* some file systems know no fsync of folders, and say EINVAL */
	const int failed = fd < 0 || (fsync(fd) && errno != EINVAL && errno != EROFS);
	if (failed)
		fails(err, folder, "cannot be written");
	if (fd >= 0)
		close(fd);
	return failed ? -1 : 0;
}

int tree_flush(const char *folder, struct error *err)
{
	struct name_list folders, files;
	if (folder_tree(folder, &folders, &files, err))
		return -1;
	int result = 0;
	for (size_t i = 0; result == 0 && i < folders.count; i++) {
		char *path = path_join(folder, folders.items[i]);
		result = path ? tree_flush_folder(path, err) : error_out_of_memory(err);
		free(path);
	}
	name_list_free(&folders);
	name_list_free(&files);
	return result ? -1 : tree_flush_folder(folder, err);
}

static int flush_above(const char *path, struct error *err)
{
	const char *base = path_base(path);
	char *folder = base == path ? strdup(".") : copy_text(path, (size_t)(base - path));
	const int result = folder ? tree_flush_folder(folder, err) : error_out_of_memory(err);
	free(folder);
	return result;
}

static char *old_of(const char *folder)
{
	return beside(folder, "old");
}

/* Everything in a folder under a second name in another one, which is made. */
static int link_tree(const char *from, const char *to, struct error *err)
{
	struct name_list folders, files;
	if (folder_tree(from, &folders, &files, err))
		return -1;
	int result = mkdir(to, 0777) ? fails(err, to, "folder cannot be made") : 0;
	for (size_t i = 0; result == 0 && i < folders.count; i++) {
		char *path = path_join(to, folders.items[i]);
		if (!path)
			result = error_out_of_memory(err);
		else if (mkdir(path, 0777))
			result = fails(err, path, "folder cannot be made");
		free(path);
	}
	for (size_t i = 0; result == 0 && i < files.count; i++) {
		char *old = path_join(from, files.items[i]), *new = path_join(to, files.items[i]);
		result = old && new ? tree_link(old, new, err) : error_out_of_memory(err);
		free(old);
		free(new);
	}
	name_list_free(&folders);
	name_list_free(&files);
	return result;
}

/* The folder is at `old` then. Where it had to be copied there, it is there whole before anything of it is removed. */
static int set_aside(const char *folder, const char *old, struct error *err)
{
	if (rename(folder, old) == 0)
		return 0;
	if (errno != EXDEV)
		return fails(err, folder, "cannot be replaced");
	char *half = beside(folder, "half");
	int result = -1;
	if (!half)
		error_out_of_memory(err);
	else if (tree_remove(half, err) == 0 && link_tree(folder, half, err) == 0 && tree_flush(half, err) == 0)
		result = rename(half, old) ? fails(err, old, "cannot be made") : flush_above(old, err);
	free(half);
	return result ? -1 : tree_remove(folder, err);
}

int tree_exchange(const char *staging, const char *folder, struct error *err)
{
	if (renameat2(AT_FDCWD, staging, AT_FDCWD, folder, RENAME_EXCHANGE) == 0)
		return flush_above(folder, err);
	if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP && errno != EXDEV)
		return fails(err, folder, "cannot be replaced");
	const struct tree_identity before = tree_identify(folder), next = tree_identify(staging);
	char *old = old_of(folder);
	if (!old)
		return error_out_of_memory(err);
	const int failed = set_aside(folder, old, err);
	free(old);
	return failed ? -1 : tree_exchange_finish(staging, folder, &before, &next, err);
}

int tree_exchange_finish(const char *staging, const char *folder, const struct tree_identity *before,
			 const struct tree_identity *next, struct error *err)
{
	char *old = old_of(folder);
	int result = -1;
	if (!old)
		return error_out_of_memory(err);
	if (is_tree(folder, next)) {
		/* they have changed places */
	} else if (is_tree(staging, next)) {
		if (!path_exists(old) && path_exists(folder)) {
			result = tree_exchange(staging, folder, err);
			goto done;
		}
		/* the old one was set aside; where that was by a copy, some of it may still be here */
		if (tree_remove(folder, err))
			goto done;
		if (rename(staging, folder)) {
			fails(err, folder, "cannot be replaced");
			goto done;
		}
	} else if (path_exists(staging) || is_tree(folder, before)) {
		error_set(err, ERROR_INPUT,
			  "%s: an interrupted run made %s to take its place, and one of them is not what it was; remove both and "
			  "run it again: Cargo makes the first anew",
			  folder, staging);
		goto done;
	}
	if (path_exists(old) && rename(old, staging)) {
		fails(err, staging, "cannot be written");
		goto done;
	}
	result = flush_above(folder, err);
done:
	free(old);
	return result;
}

int tree_remove(const char *path, struct error *err)
{
	struct stat status;
	if (lstat(path, &status))
		return errno == ENOENT ? 0 : fails(err, path, "cannot be removed");
	if (!S_ISDIR(status.st_mode))
		return unlink(path) && errno != ENOENT ? fails(err, path, "cannot be removed") : 0;
	struct name_list names;
	int result = folder_names(path, &names, err);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		char *child = path_join(path, names.items[i]);
		result = child ? tree_remove(child, err) : error_out_of_memory(err);
		free(child);
	}
	name_list_free(&names);
	if (result == 0 && rmdir(path) && errno != ENOENT)
		result = fails(err, path, "cannot be removed");
	return result;
}
