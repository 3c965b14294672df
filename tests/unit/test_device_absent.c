/* What is said where CUDA cannot be used. Each situation is a child of this program with a fake driver library. */
#include "check.h"
#include "device/device.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Prints what opening gives; exit code: the error's kind. */
static int child(void)
{
	struct error err = {0};
	struct device *device = NULL;
	char why[1024] = "";

	const int count = device_cuda_count(why, sizeof why);
	const int opened = device_open(&device, "cuda:0", NULL, &err);
	printf("count %d default %s\nopen: %s\nwhy: %s\n", count, device_default_id(), err.message, why);
	return opened == 0 ? 0 : (int)err.kind;
}

static int run_child(const char *folder, const char *plan, char *out, size_t size)
{
	int ends[2], status = 0;
	size_t used = 0;

	if (pipe(ends) != 0)
		return -1;
	const pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		setenv("LD_LIBRARY_PATH", folder, 1);
		setenv("FAKE_CUDA", plan, 1);
		execl("/proc/self/exe", "test", "child", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	for (ssize_t got; used + 1 < size && (got = read(ends[0], out + used, size - 1 - used)) > 0;)
		used += (size_t)got;
	out[used] = '\0';
	close(ends[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *folder, *plan, *says, *remedy;
	} situations[] = {
		{FAKE_CUDA_FOLDER, "11040 0 1 0", "too old (it supports CUDA 11.4)", "r525"},
		{FAKE_CUDA_LACKING_FOLDER, "12000 0 1 0", "lacks cuStreamWaitValue32_v2", "r525"},
		{FAKE_CUDA_FOLDER, "13000 100 0 0", "CUDA_ERROR_NO_DEVICE (100)", "nvidia-smi"},
		{FAKE_CUDA_FOLDER, "13000 0 0 0", "CUDA_ERROR_NO_DEVICE", "nvidia-smi"},
		{FAKE_CUDA_FOLDER, "13000 0 0 100", "CUDA_ERROR_NO_DEVICE", "--device cpu"},
		{FAKE_CUDA_FOLDER, "13000 999 0 0", "CUDA_ERROR_UNKNOWN", "nvidia-uvm"},
		{FAKE_CUDA_FOLDER, "13000 803 0 0", "different versions", "reboot"},
		{FAKE_CUDA_FOLDER, "13000 804 0 0", "cuda-compat", "LD_LIBRARY_PATH"},
		{FAKE_CUDA_FOLDER, "13000 802 0 0", "not ready", "nvidia-fabricmanager"},
		{FAKE_CUDA_FOLDER, "13000 34 0 0", "stub", "LD_LIBRARY_PATH"},
		{FAKE_CUDA_FOLDER, "13000 3 0 0", "CUDA_ERROR_NOT_INITIALIZED", "new one"},
		{FAKE_CUDA_FOLDER, "13000 304 0 0", "CUDA_ERROR_OPERATING_SYSTEM", "dmesg"},
	};
	char out[4096];

	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return child();
	unsetenv("CUDA_VISIBLE_DEVICES");
	for (size_t i = 0; i < sizeof situations / sizeof situations[0]; i++) {
		CHECK_INT(run_child(situations[i].folder, situations[i].plan, out, sizeof out), ERROR_ENVIRONMENT);
		CHECK_CONTAINS(out, "count 0 default cpu");
		CHECK_CONTAINS(out, "open: no CUDA device: ");
		CHECK_CONTAINS(out, "why: no CUDA device: ");
		CHECK_CONTAINS(out, situations[i].says);
		CHECK_CONTAINS(out, situations[i].remedy);
	}
	setenv("CUDA_VISIBLE_DEVICES", "7", 1);
	CHECK_INT(run_child(FAKE_CUDA_FOLDER, "13000 100 0 0", out, sizeof out), ERROR_ENVIRONMENT);
	CHECK_CONTAINS(out, "CUDA_VISIBLE_DEVICES is '7'");
	/* devices are there, but none opens: counted, and the failure of opening is told */
	CHECK_INT(run_child(FAKE_CUDA_FOLDER, "13000 0 2 0", out, sizeof out), ERROR_ENVIRONMENT);
	CHECK_CONTAINS(out, "count 2 default cuda:0");
	CHECK_CONTAINS(out, "CUDA_ERROR_UNKNOWN");
	return check_result();
}
