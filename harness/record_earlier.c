#include "record_earlier.h"

#include "core/util.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *record_partial_name(const char *path)
{
	char *name;
	return asprintf(&name, "%s.partial", path) < 0 ? NULL : name;
}

char *record_earlier_name(const char *path)
{
	char *name;
	return asprintf(&name, "%s.earlier", path) < 0 ? NULL : name;
}

/* 1: it is gone; 0: another one has that name by now; -1. The lock is the one that HDF5 has on what it writes. */
static int remove_unless_written(const char *partial, struct error *err)
{
	struct stat opened, named;
	const int fd = open(partial, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int result = -1;
	if (fd < 0)
		return errno == ENOENT ? 1 : error_set(err, ERROR_INPUT, "%s: cannot be written: %s", partial, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		error_set(err, ERROR_INPUT, "%s: is being written by another run: wait until that has ended, or give another name", partial);
	else if (fstat(fd, &opened) || stat(partial, &named) || opened.st_ino != named.st_ino || opened.st_dev != named.st_dev)
		result = 0;
	else
		result = unlink(partial) ? error_set(err, ERROR_INPUT, "%s: cannot be replaced: %s", partial, strerror(errno)) : 1;
	close(fd);
	return result;
}

int record_partial_remove(const char *partial, struct error *err)
{
	int result = 0;
	while (result == 0)
		result = path_can_be_replaced(partial, err) ? -1 : remove_unless_written(partial, err);
	return result < 0 ? -1 : 0;
}

static int copy_bytes(int from, int to)
{
	enum { PIECE = 1 << 20 };
	char *piece = malloc(PIECE);
	ssize_t got = piece ? 1 : -1;
	while (got > 0) {
		got = read(from, piece, PIECE);
		for (ssize_t done = 0; done < got;) {
			const ssize_t written = write(to, piece + done, (size_t)(got - done));
			if (written < 0) {
				got = -1;
				break;
			}
			done += written;
		}
	}
	free(piece);
	return got < 0 ? -1 : 0;
}

int record_earlier_copy(const char *partial, const char *earlier)
{
	char *copy = NULL;
	int result = -1;
	if (asprintf(&copy, "%s.new", earlier) < 0)
		return -1;
	const int from = open(partial, O_RDONLY | O_CLOEXEC);
	const int to = from < 0 ? -1 : open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (to >= 0)
		result = copy_bytes(from, to) || fsync(to) || rename(copy, earlier) ? -1 : 0;
	if (to >= 0 && result)
		unlink(copy);
	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	free(copy);
	return result;
}

int record_publish(const char *file, const char *path, const char *earlier, struct error *err)
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) ? -1 : 0;
	/* in this order: beside a file that is complete, an earlier one would be taken for the start of another run */
	if (result == 0 && earlier && unlink(earlier) && errno != ENOENT)
		result = -1;
	if (result || rename(file, path))
		result = error_set(err, ERROR_INPUT, "%s: is complete, but cannot be renamed to %s: %s", file, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return result;
}

size_t record_finished_cases(const char *file)
{
	struct run_record run;
	size_t count = 0;
	if (!path_exists(file) || record_read(&run, file, NULL))
		return 0;
	for (size_t i = 0; i < run.case_count; i++)
		count += run.cases[i].judgement.status != STATUS_ERROR;
	run_record_free(&run);
	return count;
}

const char *record_better_of(const char *partial, const char *earlier)
{
	if (!path_exists(earlier))
		return path_exists(partial) ? partial : NULL;
	if (record_is_being_written(partial))
		return partial;
	return path_exists(partial) && record_finished_cases(partial) > record_finished_cases(earlier) ? partial : earlier;
}
