#include "sanitize.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct sanitizer {
	char program[4096];
	char log[256];
	long read;              /* bytes of the log that earlier cases have seen */
	const char *command[14];
};

static int find_program(char *out, size_t size)
{
	const char *path = getenv("PATH"), *home = getenv("CUDA_HOME");
	char folders[8192];
	snprintf(folders, sizeof folders, "%s:%s/bin:%s/compute-sanitizer:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer",
		 path ? path : "", home ? home : "/usr/local/cuda", home ? home : "/usr/local/cuda");
	char *save = NULL;
	for (char *folder = strtok_r(folders, ":", &save); folder; folder = strtok_r(NULL, ":", &save)) {
		const int length = snprintf(out, size, "%s/compute-sanitizer", folder);
		if (length > 0 && (size_t)length < size && access(out, X_OK) == 0 && !path_is_dir(out))
			return 0;
	}
	return -1;
}

int sanitizer_open(struct sanitizer **out, struct error *err)
{
	struct sanitizer *sanitizer = calloc(1, sizeof *sanitizer);
	const char *folder = getenv("TMPDIR");
	if (!sanitizer)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (find_program(sanitizer->program, sizeof sanitizer->program)) {
		free(sanitizer);
		return error_set(err, ERROR_ENVIRONMENT, "--sanitize: compute-sanitizer is not installed; it comes with the CUDA toolkit "
				 "(package cuda-sanitizer), and is looked for in PATH, $CUDA_HOME and /usr/local/cuda");
	}
	snprintf(sanitizer->log, sizeof sanitizer->log, "%.200s/assay-sanitizer-XXXXXX", folder ? folder : "/tmp");
	const int fd = mkstemp(sanitizer->log);
	if (fd < 0) {
		error_set(err, ERROR_ENVIRONMENT, "%s: cannot be made", sanitizer->log);
		free(sanitizer);
		return -1;
	}
	close(fd);
	/* Its own exit code and its own printing are not used: the log is read. Padding after each allocation, since a read past
	 * the end of one tensor that hits the next is an access to valid memory for the tool. */
	const char *const command[] = {sanitizer->program, "--tool", "memcheck", "--padding", "65536", "--log-file", sanitizer->log,
				       "--error-exitcode", "0", "--print-limit", "100", NULL};
	memcpy(sanitizer->command, command, sizeof command);
	*out = sanitizer;
	return 0;
}

const char *const *sanitizer_command(const struct sanitizer *sanitizer)
{
	return sanitizer->command;
}

/* A finding starts with "========= Invalid __global__ read of size 4 bytes" and the like; lines that only frame the output
 * are left out: the banner, the summary, back traces (indented), and notes about API errors that the driver itself has
 * returned, which the shim has seen. */
static int is_finding(const char *line)
{
	static const char mark[] = "========= ";
	static const char *const noise[] = {"COMPUTE-SANITIZER", "ERROR SUMMARY", "Program hit", "LEAK SUMMARY", "Target application", "Error: process"};
	if (strncmp(line, mark, sizeof mark - 1) != 0)
		return 0;
	line += sizeof mark - 1;
	if (*line == ' ' || *line == '\0')
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(noise); i++)
		if (strncmp(line, noise[i], strlen(noise[i])) == 0)
			return 0;
	return 1;
}

void sanitizer_fold(struct sanitizer *sanitizer, struct case_record *record, const struct judge_policy *policy)
{
	char line[512], first[256] = "";
	int findings = 0;
	FILE *log = fopen(sanitizer->log, "r");
	if (log && fseek(log, sanitizer->read, SEEK_SET) == 0)
		while (fgets(line, sizeof line, log)) {
			line[strcspn(line, "\r\n")] = '\0';
			if (!is_finding(line))
				continue;
			if (!findings++)
				snprintf(first, sizeof first, "%.200s", line + strlen("========= "));
		}
	if (log) {
		sanitizer->read = ftell(log);
		fclose(log);
	}
	struct judgement *judgement = &record->judgement;
	if (!findings) {
		judgement_hold(judgement, CHECK_SANITIZER);
		return;
	}
	judgement_break(judgement, CHECK_SANITIZER, "compute-sanitizer: %d findings, the first: %s", findings, first);
	/* The tool ends a kernel at its first bad access: what looks like a crash is the finding. With the check switched off it
	 * stays a crash, since the case did not come to its end. */
	const int counts = !(policy && policy->disabled_checks & 1u << CHECK_SANITIZER);
	if (judgement->status == STATUS_PASS || judgement->status == STATUS_MISTRUSTED || judgement->status == STATUS_FAIL ||
	    (judgement->status == STATUS_CRASHED && counts))
		judgement_decide(judgement, policy);
}

void sanitizer_close(struct sanitizer *sanitizer)
{
	if (!sanitizer)
		return;
	unlink(sanitizer->log);
	free(sanitizer);
}
