/* Preloaded into the program under test: the Nth call that changes a file or folder kills the process, or fails.
 *   FAULT_AT=N     which one, from 1 on; 0 or unset: none
 *   FAULT_ERRNO=E  fail with this error, from that call on; unset: SIGKILL before it
 *   FAULT_COUNT=F  writes how many there were to F, when the process exits by itself
 *   FAULT_DEVICE=N file systems have other device numbers, as after a reboot
 *   FAULT_LAYER=1  folders called `out` cannot be renamed, as those of a lower layer of overlayfs: EXDEV */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long calls;

static int fault(void)
{
	const char *at = getenv("FAULT_AT"), *error = getenv("FAULT_ERRNO");
	const long number = at ? strtol(at, NULL, 10) : 0;
	calls++;
	if (!number || calls < number)
		return 0;
	if (!error)
		kill(getpid(), SIGKILL);
	errno = (int)strtol(error, NULL, 10);
	return 1;
}

__attribute__((destructor)) static void tell(void)
{
	const char *path = getenv("FAULT_COUNT");
	char text[32];
	const int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
	if (fd < 0)
		return;
	const int length = snprintf(text, sizeof text, "%ld\n", calls - 1);
	if (write(fd, text, (size_t)length) != length)
		_exit(99);
	close(fd);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define CHANGES(type, failure, name, parameters, arguments)                                           \
	type name parameters                                                                          \
	{                                                                                             \
		return fault() ? (failure) : REAL(name) arguments;                                    \
	}

static int in_lower_layer(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat status;
	if (!getenv("FAULT_LAYER") || strcmp(slash ? slash + 1 : path, "out") != 0 || REAL(stat)(path, &status))
		return 0;
	errno = EXDEV;
	return S_ISDIR(status.st_mode);
}

int rename(const char *from, const char *to)
{
	return fault() || in_lower_layer(from) ? -1 : REAL(rename)(from, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	return fault() || in_lower_layer(from) || in_lower_layer(to) ? -1 : REAL(renameat2)(a, from, b, to, flags);
}

int lstat(const char *path, struct stat *status)
{
	const char *shift = getenv("FAULT_DEVICE");
	const int result = REAL(lstat)(path, status);
	if (result == 0 && shift)
		status->st_dev += (dev_t)strtol(shift, NULL, 10);
	return result;
}

CHANGES(int, -1, link, (const char *from, const char *to), (from, to))
CHANGES(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
CHANGES(int, -1, fsync, (int fd), (fd))
CHANGES(int, -1, mkstemp, (char *name), (name))
CHANGES(int, -1, utimensat, (int fd, const char *path, const struct timespec times[2], int flags), (fd, path, times, flags))
CHANGES(int, -1, futimens, (int fd, const struct timespec times[2]), (fd, times))
CHANGES(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
CHANGES(ssize_t, -1, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))

/* Making room never fails for want of it; a read-only file system refuses it. */
static int removal_fails(void)
{
	const char *error = getenv("FAULT_ERRNO");
	return fault() && strtol(error, NULL, 10) == EROFS;
}

int unlink(const char *path)
{
	return removal_fails() ? -1 : REAL(unlink)(path);
}

int rmdir(const char *path)
{
	return removal_fails() ? -1 : REAL(rmdir)(path);
}

FILE *fopen(const char *path, const char *mode)
{
	return mode[0] != 'r' && fault() ? NULL : REAL(fopen)(path, mode);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return flags & O_CREAT && fault() ? -1 : REAL(open)(path, flags, mode);
}
