#include "command_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { LARGEST = 64 << 20 };

/* Until its end of file; -1 when the time is up or it is too much. */
static int read_until(int fd, double deadline, struct text *out)
{
	for (;;) {
		char bytes[4096];
		const double left = deadline - monotonic_seconds();
		struct pollfd watched = {.fd = fd, .events = POLLIN};
		if (!(left > 0))
			return -1;
		const int ready = poll(&watched, 1, (int)(left * 1000) + 1);
		if (ready < 0 && errno != EINTR)
			return -1;
		if (ready <= 0)
			continue;
		const ssize_t count = read(fd, bytes, sizeof bytes);
		if (count == 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -1;
		if (count > 0)
			text_append_bytes(out, bytes, (size_t)count);
		if (out->failed || out->length > LARGEST)
			return -1;
	}
}

/* A program that has closed its output may still be running. */
static int wait_until(pid_t child, double deadline, int *status)
{
	for (;;) {
		const pid_t ended = waitpid(child, status, WNOHANG);
		if (ended == child)
			return 0;
		if (ended < 0 && errno != EINTR)
			return -1;
		if (!(monotonic_seconds() < deadline))
			return -1;
		poll(NULL, 0, 5);
	}
}

int command_output(const char *const *argv, const char *folder, double seconds, struct text *out, struct error *err)
{
	posix_spawn_file_actions_t actions;
	int ends[2], status = 0;
	pid_t child;
	if (pipe2(ends, O_CLOEXEC))
		return error_set(err, ERROR_ENVIRONMENT, "%s: no pipe: %s", argv[0], strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (folder)
		posix_spawn_file_actions_addchdir_np(&actions, folder);
	/* posix_spawn takes arguments that are not const, and leaves them alone */
	const int failed = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (failed) {
		close(ends[0]);
		return error_set(err, ERROR_ENVIRONMENT, "%s: cannot be run: %s", argv[0], strerror(failed));
	}
	const double deadline = monotonic_seconds() + seconds;
	int result = read_until(ends[0], deadline, out);
	close(ends[0]);
	if (result || wait_until(child, deadline, &status)) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		return error_set(err, ERROR_ENVIRONMENT, "%s: did not end within %g s, or printed too much", argv[0], seconds);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return error_set(err, ERROR_ENVIRONMENT, "%s: failed (%s %d)", argv[0],
				 WIFEXITED(status) ? "exit code" : "signal",
				 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return 0;
}

char *command_find(const char *name)
{
	const char *at = getenv("PATH");
	while (at && *at) {
		const size_t length = strcspn(at, ":");
		char *path = NULL;
		if (length && asprintf(&path, "%.*s/%s", (int)length, at, name) < 0)
			return NULL;
		if (path && access(path, X_OK) == 0 && !path_is_dir(path))
			return path;
		free(path);
		at += length + (at[length] == ':');
	}
	return NULL;
}
