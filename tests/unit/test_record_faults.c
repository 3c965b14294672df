/* A run that is killed, or finds the disk full, at any of the calls that change a file: what it had finished is there, each case
 * whole, and nothing is taken for complete that is not. Two runs that write one file. */
#include "check.h"
#include "record_same.h"
#include "record_samples.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* In memory, where that can be: what is tested is the order of the steps, not the disk. */
static char in_memory[] = "/dev/shm/assay-faults-XXXXXX", on_disk[] = "/tmp/assay-faults-XXXXXX";
static const char *folder;
static char path[64];

enum { CASES = 9 }; /* more than a chunk of the table of cases */

/* What the process that writes tells the one that looks at what it has left. */
static struct told {
	int steps;            /* calls that change a file */
	int finished;         /* cases that the writer has taken */
	int steps_of[CASES];  /* steps until each was */
	int result;
	size_t left;          /* cases that were read */
	char message[1024];
} *told;

/* ---- faults, in the process that writes ------------------------------------------------------------------------------------- */

static int armed, fail_at, fail_with; /* 0: the process ends */

static int fault(void)
{
	if (!armed || ++told->steps < fail_at || !fail_at)
		return 0;
	if (!fail_with)
		_exit(99);
	errno = fail_with;
	return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CHANGES(type, name, parameters, arguments)                 \
	type name parameters                                       \
	{                                                          \
		return fault() ? -1 : REAL(name) arguments;        \
	}

CHANGES(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at))
CHANGES(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
CHANGES(int, ftruncate, (int fd, off_t size), (fd, size))
CHANGES(int, fsync, (int fd), (fd))
CHANGES(int, rename, (const char *from, const char *to), (from, to))

/* A full disk has room for the removal of a file. */
int unlink(const char *name)
{
	const int fails = fault() && fail_with != ENOSPC;
	return fails ? -1 : REAL(unlink)(name);
}

int open(const char *name, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return flags & O_CREAT && fault() ? -1 : REAL(open)(name, flags, mode);
}

/* ---- the run ----------------------------------------------------------------------------------------------------------------- */

static int write_run(const struct run_record *run, struct error *err)
{
	struct record_writer *writer;
	if (record_writer_open(&writer, path, run, err))
		return -1;
	if (record_writer_keep_earlier(writer, run, err)) {
		record_writer_discard(writer);
		return -1;
	}
	for (size_t i = 0; i < run->case_count; i++) {
		if (record_writer_add(writer, &run->cases[i], err)) {
			record_writer_discard(writer);
			return -1;
		}
		told->steps_of[told->finished++] = told->steps;
	}
	return record_writer_commit(writer, run, err);
}

/* In a process of its own; its exit status. */
static int run_with_fault(const struct run_record *run, int at, int with)
{
	struct error err = {0};
	int status = -1;
	*told = (struct told){0};
	const pid_t child = fork();
	if (child == 0) {
		armed = 1;
		fail_at = at;
		fail_with = with;
		told->result = write_run(run, &err);
		snprintf(told->message, sizeof told->message, "%s", err.message);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static size_t files_left(void)
{
	size_t count = 0;
	DIR *dir = opendir(folder);
	for (const struct dirent *entry; dir && (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

static size_t look(const struct run_record *run)
{
	struct error err = {0};
	struct run_record back;
	if (record_read(&back, path, &err)) {
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK(!path_exists(path));
		return 0;
	}
	CHECK(back.complete || !path_exists(path));
	if (back.complete)
		same_run(run, &back);
	for (size_t i = 0; i < back.case_count; i++)
		same_case(&run->cases[i], &back.cases[i]);
	const size_t count = back.case_count;
	run_record_free(&back);
	return count;
}

/* Cases that are read, each of them whole. In a process of its own, since HDF5 1.10 leaks what it has read of a damaged header. */
static size_t check_what_is_left(const struct run_record *run)
{
	int status = -1;
	told->left = 0;
	const pid_t child = fork();
	if (child == 0) {
		check_failures = 0;
		told->left = look(run);
		_exit(check_failures != 0);
	}
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
	return told->left;
}

static void remove_all(void)
{
	static const char *const ends[] = {"", ".partial", ".earlier", ".earlier.new"};
	for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
		char name[96];
		snprintf(name, sizeof name, "%s%s", path, ends[i]);
		unlink(name);
	}
	CHECK_INT(files_left(), 0);
}

static int count_steps(const struct run_record *run)
{
	CHECK_INT(run_with_fault(run, 0, 0), 0);
	CHECK_TEXT(told->message, "");
	CHECK_INT(told->result, 0);
	CHECK_INT(files_left(), 1);
	CHECK_INT(check_what_is_left(run), CASES);
	CHECK(told->steps > 100);
	remove_all();
	return told->steps;
}

static void test_killed(const struct run_record *run)
{
	const int steps = count_steps(run), alike_from = told->steps_of[2], alike_to = told->steps_of[6];
	int less = 0, tried = 0;
	for (int at = 1; at <= steps; at++) {
		/* one case after the other goes into chunks that are there */
		if (at > alike_from && at <= alike_to)
			continue;
		tried++;
		CHECK_INT(run_with_fault(run, at, 0), 99);
		const size_t left = check_what_is_left(run);
		/* the first case is copied at once, and everything before the end */
		CHECK(told->finished == 0 || left >= 1);
		CHECK(told->finished < CASES || left == CASES);
		less += left < (size_t)told->finished;
		/* the next run of that name is not confused by it */
		if (at % 16 == 0) {
			CHECK_INT(run_with_fault(run, 0, 0), 0);
			CHECK_INT(told->result, 0);
			CHECK_INT(check_what_is_left(run), CASES);
			CHECK(path_exists(path));
		}
		remove_all();
	}
	/* in the midst of a write that makes a table longer only */
	CHECK(less * 10 < tried);
}

static void test_failing(const struct run_record *run, int with, const char *says)
{
	const int steps = count_steps(run);
	for (int at = 1; at <= steps; at += 7) {
		CHECK_INT(run_with_fault(run, at, with), 0);
		const size_t left = check_what_is_left(run);
		CHECK(told->result == 0 || strstr(told->message, says));
		CHECK(told->result == 0 || !path_exists(path));
		CHECK(told->result || (path_exists(path) && left == CASES));
		CHECK(told->finished == 0 || left >= 1);
		CHECK(told->finished < CASES || left == CASES);
		remove_all();
	}
}

/* The second is refused, and the first one's file is as it would be without it. */
static void test_two_at_once(const struct run_record *run)
{
	struct error err = {0};
	struct record_writer *writer = NULL;
	int ready[2], go[2], status = -1;
	char byte = 0;
	if (pipe(ready) || pipe(go))
		exit(1);
	const pid_t child = fork();
	if (child == 0) {
		if (record_writer_open(&writer, path, run, &err) || record_writer_add(writer, &run->cases[0], &err) ||
		    write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		for (size_t i = 1; i < run->case_count; i++)
			if (record_writer_add(writer, &run->cases[i], &err))
				_exit(2);
		_exit(record_writer_commit(writer, run, &err) ? 3 : 0);
	}
	CHECK_INT(read(ready[0], &byte, 1), 1);
	CHECK_INT(record_writer_open(&writer, path, run, &err), -1);
	CHECK(writer == NULL);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_CONTAINS(err.message, "is being written by another run");
	CHECK_INT(write(go[1], &byte, 1), 1);
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
	CHECK_INT(check_what_is_left(run), CASES);
	CHECK_INT(files_left(), 1);
	remove_all();
	/* what is no regular file is not written through */
	char name[96];
	snprintf(name, sizeof name, "%s.partial", path);
	CHECK_INT(symlink("/dev/null", name), 0);
	CHECK_INT(record_writer_open(&writer, path, run, &err), -1);
	CHECK_CONTAINS(err.message, "is a symbolic link");
	remove_all();
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

int main(void)
{
	struct run_record run = sample_run(CASES);
	sample_operators(&run);
	sample_newer(&run);
	told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	folder = mkdtemp(in_memory);
	if (!folder)
		folder = mkdtemp(on_disk);
	if (told == MAP_FAILED || !folder)
		return 1;
	snprintf(path, sizeof path, "%s/run.h5", folder);
	run.complete = 1;
	test_two_at_once(&run);
	test_killed(&run);
	test_failing(&run, ENOSPC, "No space left on device");
	rmdir(folder);
	run_record_free(&run);
	return check_result();
}
