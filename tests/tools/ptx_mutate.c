/* Mutants of a kernel (mutations.h), for measuring what the cases catch:
 *
 *     ptx_mutate FILE.ptx ENTRY SEED COUNT FOLDER
 *
 * cuts the entry out of the module, writes COUNT mutants of it to FOLDER/ENTRY.NNN.ptx, and for each a line
 * "FILE: line N: KIND: before -> after" with the line's number in that file. The same seed gives the same mutants. Beside each,
 * FOLDER/reach/ENTRY.NNN.ptx is the original with a trap before that line: whether anything reaches it.
 *
 * With ptxas (PTXAS, else the one in PATH or /usr/local/cuda/bin) those that it refuses are left out, and those that it
 * compiles to the same machine code as the original: they do the same. Without, the caller has to know that some may. */
#include "artifact/ptx_slice.h"
#include "core/util.h"
#include "mutations.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Fills `found`; -1 when there is none. */
static int find_ptxas(char found[4096])
{
	const char *given = getenv("PTXAS"), *path = getenv("PATH");
	if (given)
		return snprintf(found, 4096, "%s", given) < 4096 && given[0] ? 0 : -1;
	while (path && *path) {
		const size_t length = strcspn(path, ":");
		if (snprintf(found, 4096, "%.*s/ptxas", (int)length, path) < 4096 && access(found, X_OK) == 0)
			return 0;
		path += length + (path[length] == ':');
	}
	snprintf(found, 4096, "/usr/local/cuda/bin/ptxas");
	return access(found, X_OK);
}

/* Machine code of a module, as the bytes of its cubin: 0, 1 when ptxas refuses it, -1 when ptxas cannot be run. */
static int assemble(char *ptxas, const char *arch, char *path, char *cubin, char digest[65], struct error *err)
{
	char option[32], output[] = "-o";
	snprintf(option, sizeof option, "-arch=%s", arch);
	char *const arguments[] = {ptxas, option, output, cubin, path, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;
	int status;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	const int failed = posix_spawn(&child, ptxas, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed)
		return error_set(err, ERROR_ENVIRONMENT, "%s: %s", ptxas, strerror(failed));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return error_set(err, ERROR_ENVIRONMENT, "%s: %s", ptxas, strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return 1;
	struct file_map map;
	if (file_map_open(&map, cubin, err))
		return -1;
	sha256_hex(map.data, map.size, digest);
	file_map_close(&map);
	return 0;
}

/* ".target sm_80" */
static int read_arch(const char *module, char arch[16])
{
	const char *at = strstr(module, ".target");
	return at && sscanf(at, ".target %15[a-z0-9_]", arch) == 1 ? 0 : -1;
}

struct job {
	const char *entry, *folder;
	char *ptxas;     /* NULL: none */
	char *module;    /* the entry alone */
	char arch[16], digest[65];
	char scratch[4096]; /* cubin */
	size_t wanted, written, refused, equivalent;
};

/* 1: written; 0: it is none; -1. A mutant is assembled under the same name as the original: names are in the cubin. */
static int try_mutation(struct job *job, const struct mutation *mutation, struct error *err)
{
	char path[4096], same_name[4096], digest[65];
	char *text = mutation_apply(job->module, mutation);
	if (!text)
		return error_set(err, ERROR_INTERNAL, "line %d cannot be changed", mutation->line);
	snprintf(path, sizeof path, "%s/%s.%03zu.ptx", job->folder, job->entry, job->written);
	snprintf(same_name, sizeof same_name, "%s/.assembled.ptx", job->folder);
	int result = write_file_atomically(job->ptxas ? same_name : path, text, strlen(text), err);
	free(text);
	if (result)
		return -1;
	if (job->ptxas) {
		result = assemble(job->ptxas, job->arch, same_name, job->scratch, digest, err);
		if (result < 0)
			return -1;
		job->refused += result == 1;
		const int same = !result && strcmp(digest, job->digest) == 0;
		job->equivalent += (size_t)same;
		if (result || same) {
			unlink(same_name);
			return 0;
		}
		if (rename(same_name, path))
			return error_set(err, ERROR_INPUT, "%s: %s", path, strerror(errno));
	}
	char *probe = mutation_probe(job->module, mutation), *folder = path_join(job->folder, "reach");
	snprintf(same_name, sizeof same_name, "%s/%s.%03zu.ptx", folder ? folder : "", job->entry, job->written);
	result = !probe || !folder ? error_set(err, ERROR_ENVIRONMENT, "out of memory") :
		 make_dirs(folder, err) || write_file_atomically(same_name, probe, strlen(probe), err) ? -1 : 0;
	free(probe);
	free(folder);
	if (result)
		return -1;
	printf("%s: line %d: %s: %s -> %s\n", path, mutation->line, mutation_kind_names[mutation->kind], mutation->before,
	       mutation->after[0] ? mutation->after : "(nothing)");
	job->written++;
	return 1;
}

static int make_mutants(struct job *job, uint64_t seed, struct error *err)
{
	struct mutations mutations;
	if (mutations_find(job->module, job->entry, &mutations, err))
		return -1;
	size_t *order = malloc((mutations.count + 1) * sizeof *order);
	int failed = order ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (!failed)
		mutations_order(&mutations, seed, order);
	for (size_t i = 0; !failed && i < mutations.count && job->written < job->wanted; i++)
		failed = try_mutation(job, &mutations.list[order[i]], err) < 0 ? -1 : 0;
	if (!failed)
		fprintf(stderr, "%s: %zu mutations, %zu written, %zu refused by the assembler, %zu that do the same%s\n", job->entry,
			mutations.count, job->written, job->refused, job->equivalent,
			job->ptxas ? "" : "; no ptxas here: some of those written may be no PTX, or do the same");
	free(order);
	mutations_free(&mutations);
	return failed;
}

static int run(const char *path, struct job *job, uint64_t seed, struct error *err)
{
	struct file_map map;
	const char *const entries[] = {job->entry};
	if (make_dirs(job->folder, err) || file_map_open(&map, path, err))
		return -1;
	int failed = ptx_slice((const char *)map.data, map.size, entries, 1, &job->module, NULL, err);
	file_map_close(&map);
	if (failed)
		return error_context(err, "%s", path);
	if (job->ptxas) {
		char original[4096];
		snprintf(job->scratch, sizeof job->scratch, "%s/.assembled.cubin", job->folder);
		snprintf(original, sizeof original, "%s/.assembled.ptx", job->folder);
		failed = read_arch(job->module, job->arch) ? error_set(err, ERROR_INPUT, "%s: no .target", path) : 0;
		failed = failed || write_file_atomically(original, job->module, strlen(job->module), err);
		if (!failed) {
			const int result = assemble(job->ptxas, job->arch, original, job->scratch, job->digest, err);
			failed = result == 1 ? error_set(err, ERROR_INPUT, "%s: the assembler refuses the original", path) : result;
		}
	}
	if (!failed)
		failed = make_mutants(job, seed, err);
	if (job->ptxas)
		unlink(job->scratch);
	free(job->module);
	return failed;
}

int main(int argc, char **argv)
{
	struct error err = {0};
	char *end = NULL, *seed_end = NULL;
	if (argc != 6 || (strtoull(argv[3], &seed_end, 0), *seed_end) || (strtoull(argv[4], &end, 10), *end)) {
		fprintf(stderr, "usage: ptx_mutate FILE.ptx ENTRY SEED COUNT FOLDER\n");
		return 2;
	}
	char ptxas[4096];
	struct job job = {.entry = argv[2], .folder = argv[5], .wanted = strtoull(argv[4], NULL, 10)};
	job.ptxas = find_ptxas(ptxas) ? NULL : ptxas;
	if (run(argv[1], &job, strtoull(argv[3], NULL, 0), &err)) {
		fprintf(stderr, "ptx_mutate: %s\n", err.message);
		return 1;
	}
	return job.written ? 0 : 1;
}
