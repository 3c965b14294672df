#include "cmd_compare.h"
#include "cmd_dataset.h"
#include "cmd_devices.h"
#include "cmd_doctor.h"
#include "cmd_inspect.h"
#include "cmd_install.h"
#include "cmd_pack.h"
#include "cmd_matrix.h"
#include "cmd_merge.h"
#include "cmd_report.h"
#include "cmd_run.h"
#include "core/util.h"
#include "dataset/store.h"
#include "worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; gives the exit code */
	const char *summary;
} commands[] = {
	{"inspect", cmd_inspect, "what is inside an artifact, and which GPUs and drivers can run it"},
	{"dataset", cmd_dataset, "build, import, list and check stored cases"},
	{"verify", cmd_verify, "run the artifact on the cases and judge every result"},
	{"bench", cmd_bench, "verify, then time what passed, through Google Benchmark"},
	{"run", cmd_run, "inspect, verify and time in one go, and print the report"},
	{"report", cmd_report, "turn a result file into a table, Markdown or JSON"},
	{"compare", cmd_compare, "what became worse or better between result files or artifacts"},
	{"matrix", cmd_matrix, "artifacts x datasets x devices, all of them in one table"},
	{"merge", cmd_merge, "put the result files of a run's shards together"},
	{"devices", cmd_devices, "which devices there are, or why there are none"},
	{"doctor", cmd_doctor, "whether prebuilt kernels fit a Cargo project and this machine"},
	{"install", cmd_install, "put prebuilt kernels where a Cargo project builds them"},
	{"uninstall", cmd_uninstall, "take them away again"},
	{"pack", cmd_pack, "check prebuilt kernels and describe them for those who will use them"},
};

static void print_usage(FILE *out)
{
	fprintf(out, "usage: assay COMMAND [PATH...] [options]\n\n"
		     "Tells whether prebuilt CUDA kernels are fit to publish.\n\ncommands:\n");
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\nassay COMMAND --help lists the options of a command; assay --version prints the version.\n"
		     "Exit codes: 0 nothing failed and something passed, 1 a verdict was bad, 2 wrong usage, 3 nothing could be run.\n");
}

/* A caller may have closed a standard stream: the next file to be opened would get its number, and what is printed. */
static void open_standard_streams(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int run_command(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("assay %s\n", ASSAY_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "assay: unknown command '%s'; see assay --help\n", argv[1]);
	return 2;
}

int main(int argc, char **argv)
{
	signal(SIGXFSZ, SIG_IGN); /* a file that grows beyond the user's limit is an error to tell of, as a full disk is */
	if (argc >= 2 && strcmp(argv[1], WORKER_ARGUMENT) == 0)
		return worker_main();
	open_standard_streams();
	signal(SIGPIPE, SIG_IGN); /* a report piped into `head` is no reason to die half-way */
	hdf5_quiet();
	const int code = run_command(argc, argv);
	/* lines that single functions have printed: a full disk must not look like success */
	if ((fflush(stdout) || ferror(stdout)) && code < 2) {
		fprintf(stderr, "assay: standard output: cannot be written whole\n");
		return code ? code : 3;
	}
	return code;
}
