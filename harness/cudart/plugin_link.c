/* One run of `as` and `ld`. No compiler driver is needed, so what its start files would bring is written here. */
#include "cudart/plugin_private.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define SOURCE "stubs.s"
#define OBJECT "stubs.o"

/* --- running a tool ---------------------------------------------------------------------------------------------- */

/* The environment with messages in English, since they are read below. The caller frees the array, not its strings. */
static char **plain_environment(void)
{
	size_t count = 0, kept = 0;
	while (environ[count])
		count++;
	char **copy = calloc(count + 2, sizeof *copy);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "LC_ALL=", 7) && strncmp(environ[i], "LD_PRELOAD=", 11))
			copy[kept++] = environ[i];
	static char english[] = "LC_ALL=C";
	copy[kept] = english;
	return copy;
}

/* Runs argv[0], found in PATH, and collects what it prints (the start of it). *status: exit code, or 128 + signal. */
static int run_tool(char *const argv[], struct text *output, int *status, struct error *err)
{
	const size_t output_max = 64 << 10;
	int ends[2], wait_status, result = -1;
	pid_t child;
	posix_spawn_file_actions_t actions;
	char **environment = plain_environment();
	if (!environment)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (pipe2(ends, O_CLOEXEC)) {
		free(environment);
		return error_set(err, ERROR_ENVIRONMENT, "no pipe to %s: %s", argv[0], strerror(errno));
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
	const int failed = posix_spawnp(&child, argv[0], &actions, NULL, argv, environment);
	close(ends[1]);
	if (failed) {
		error_set(err, ERROR_ENVIRONMENT,
			  "'%s' cannot be run (%s), and archives are linked with it: install binutils (apt install binutils), or "
			  "name the tools in ASSAY_LD and ASSAY_AS", argv[0], strerror(failed));
		goto done;
	}
	for (;;) {
		char buffer[4096];
		const ssize_t got = read(ends[0], buffer, sizeof buffer);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (output->length < output_max)
			text_append_bytes(output, buffer, (size_t)got);
	}
	while (waitpid(child, &wait_status, 0) < 0) {
		if (errno == EINTR)
			continue;
		error_set(err, ERROR_ENVIRONMENT, "lost sight of '%s': %s", argv[0], strerror(errno));
		goto done;
	}
	*status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
	result = 0;
done:
	close(ends[0]);
	posix_spawn_file_actions_destroy(&actions);
	free(environment);
	return result;
}

/* --- stubs ------------------------------------------------------------------------------------------------------- */

/* Names go into assembly text, so only what compilers write is let through. */
static int is_plain_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$";
	return name[0] && !(name[0] >= '0' && name[0] <= '9') && strspn(name, allowed) == strlen(name);
}

/* The compiler's start files and the static part of libc define these two for every shared object. Handlers belong to
 * this object; they run when the process ends, since the object stays loaded. */
static void write_support(struct text *source)
{
	text_append(source,
		    "\t.data\n\t.balign 8\n\t.globl __dso_handle\n\t.hidden __dso_handle\n"
		    "\t.type __dso_handle,%%object\n\t.size __dso_handle,8\n__dso_handle:\n\t.8byte __dso_handle\n"
		    "\t.text\n\t.balign 16\n\t.weak atexit\n\t.hidden atexit\n\t.type atexit,%%function\natexit:\n");
#if defined(__x86_64__)
	text_append(source, "\txorl %%esi,%%esi\n\tleaq __dso_handle(%%rip),%%rdx\n\tjmp __cxa_atexit@PLT\n");
#else
	text_append(source, "\tmov x1,#0\n\tadrp x2,__dso_handle\n\tadd x2,x2,:lo12:__dso_handle\n\tb __cxa_atexit\n");
#endif
	text_append(source, "\t.size atexit,.-atexit\n");
}

/* A stub hands its own name on; a tail call, so that the archive's caller gets what the shim returns. */
static void write_stub(struct text *source, const char *name, size_t index)
{
	text_append(source, "\t.text\n\t.balign 16\n\t.globl %s\n\t.type %s,%%function\n%s:\n", name, name, name);
#if defined(__x86_64__)
	text_append(source, "\tleaq .Lname%zu(%%rip),%%rdi\n\tjmp " CUDART_MISSING "@PLT\n", index);
#else
	text_append(source, "\tadrp x0,.Lname%zu\n\tadd x0,x0,:lo12:.Lname%zu\n\tb " CUDART_MISSING "\n", index, index);
#endif
	text_append(source, "\t.size %s,.-%s\n\t.section .rodata\n.Lname%zu:\n\t.string \"%s\"\n", name, name, index, name);
}

static int write_source(const struct name_set *stubs, const char *path, int *no_room, struct error *err)
{
	struct text source = {0};
	int result = -1;
	write_support(&source);
	for (size_t i = 0; i < stubs->count; i++) {
		if (!is_plain_name(stubs->names[i])) {
			error_set(err, ERROR_INPUT, "needs a symbol whose name no compiler writes: '%.200s'", stubs->names[i]);
			goto done;
		}
		write_stub(&source, stubs->names[i], i);
	}
	text_append(&source, "\t.section .note.GNU-stack,\"\",%%progbits\n");
	if (source.failed) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	result = write_file_atomically(path, source.data, source.length, err);
	*no_room = result != 0;
done:
	text_free(&source);
	return result;
}

/* --- the linker's words ------------------------------------------------------------------------------------------ */

static const char *tool(const char *variable, const char *usual)
{
	const char *named = getenv(variable);
	return named && *named ? named : usual;
}

/* The line of `output` that holds `needle`; the first line when it is NULL. */
static void quote_line(const char *output, const char *needle, char *line, size_t size)
{
	const char *at = needle ? strstr(output, needle) : output;
	if (!at)
		at = output;
	while (at > output && at[-1] != '\n')
		at--;
	snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static int explain(const struct link_job *job, const struct text *output, int status, int *no_room, struct error *err)
{
	const char *words = output->data ? output->data : "";
	char line[400];
	const char *not_pic = strstr(words, "recompile with -fPIC") ? "recompile with -fPIC"
			    : strstr(words, "can not be used when making a shared object")
				    ? "can not be used when making a shared object"
				    : NULL;
	if (not_pic) {
		quote_line(words, not_pic, line, sizeof line);
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: is not position-independent code, so that no shared object can be made of it; compile it with "
				 "-Xcompiler -fPIC (the linker: %s)", job->archive, line);
	}
	if (strstr(words, "No space left on device") || strstr(words, "Read-only file system") ||
	    strstr(words, "Disk quota exceeded") || strstr(words, "File too large") || status == 128 + SIGXFSZ) {
		*no_room = 1;
		quote_line(words, NULL, line, sizeof line);
		return error_set(err, ERROR_ENVIRONMENT, "%s: there was no room to link it (%s)", job->archive, line);
	}
	if (strstr(words, "plugin needed to handle lto object"))
		return error_set(err, ERROR_UNSUPPORTED, "%s: holds link-time-optimisation objects; build it without -flto",
				 job->archive);
	if (status >= 128)
		return error_set(err, ERROR_ENVIRONMENT, "%s: the linker was ended by signal %d (out of memory?)", job->archive,
				 status - 128);
	quote_line(words, strstr(words, "undefined reference") ? "undefined reference" : "error", line, sizeof line);
	return error_set(err, ERROR_INPUT, "%s: cannot be linked: %s", job->archive, line[0] ? line : "the linker gave no reason");
}

int link_shared_object(const struct link_job *job, const char *folder, int *no_room, struct error *err)
{
	char *source = path_join(folder, SOURCE), *object = path_join(folder, OBJECT), *out = path_join(folder, LINK_OUTPUT);
	struct text output = {0};
	int result = -1, status = 0;
	*no_room = 0;
	if (!source || !object || !out) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (write_source(job->stubs, source, no_room, err)) {
		if (!*no_room)
			error_context(err, "%s", job->archive);
		goto done;
	}
	const char *assemble[] = {tool("ASSAY_AS", "as"), "-o", object, source, NULL};
	if (run_tool((char *const *)(uintptr_t)assemble, &output, &status, err))
		goto done;
	if (status) {
		explain(job, &output, status, no_room, err);
		goto done;
	}
	/* --allow-multiple-definition: of a symbol that several members define, a program linked with the archive gets
	 * the first one; taking the archive whole must not differ. -Bsymbolic: the archive's own functions call each
	 * other whatever the process defines. nodelete: registered handlers outlive any dlclose. */
	const char *link[64] = {
		tool("ASSAY_LD", "ld"), "-shared", "-o", out, "-soname", job->soname, "-Bsymbolic", "--eh-frame-hdr",
		"--hash-style=gnu", "-z", "noexecstack", "-z", "defs", "-z", "nodelete", "--allow-multiple-definition",
		"--no-as-needed", object, "--whole-archive", job->input, "--no-whole-archive",
	};
	size_t count = 21;
	link[count++] = job->libraries[0]; /* the CUDA runtime: needed even when nothing calls it */
	link[count++] = "--as-needed";
	for (size_t i = 1; i < LINK_LIBRARIES_MAX && job->libraries[i]; i++)
		link[count++] = job->libraries[i];
	if (job->last_library)
		link[count++] = job->last_library;
	link[count] = NULL;
	if (run_tool((char *const *)(uintptr_t)link, &output, &status, err))
		goto done;
	if (status) {
		explain(job, &output, status, no_room, err);
		goto done;
	}
	result = 0;
done:
	if (source)
		unlink(source);
	if (object)
		unlink(object);
	if (result && out)
		unlink(out);
	free(source);
	free(object);
	free(out);
	text_free(&output);
	return result;
}
