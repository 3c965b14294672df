#include "cmd_merge.h"

#include "cli.h"
#include "merge.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

static const char details[] =
	"The parts are what runs with --shard I/N left: same version of assay, same datasets, artifacts (by their hashes) and options; hosts,\n"
	"GPUs and paths may differ. What contradicts is refused. The cases come out in the order of a run that was not split.\n"
	"Exit codes: 0 nothing failed and at least one case passed; 1 a verdict was fail, mistrusted, crashed, timeout or error, or a part of\n"
	"the run is missing (--partial); 2 usage; 3 a file cannot be read or written, the parts do not fit together, or nothing was verified.\n";

int cmd_merge(int argc, char **argv)
{
	struct merge_options how = {0};
	int quiet = 0, strict = 0;
	const struct option options[] = {
		{"--partial", OPTION_FLAG, NULL, &how.partial, "parts may be missing or cut short: the file says which, and is not complete"},
		{"--overlap", OPTION_FLAG, NULL, &how.overlap, "a case may be in several parts as long as they agree; the first one's figures stay"},
		{"--strict", OPTION_FLAG, NULL, &strict, "unsupported and skipped cases give exit code 1 too"},
		{"--quiet", OPTION_FLAG, NULL, &quiet, "no report"},
	};
	const struct command_line command = {"assay merge", "OUT.h5 IN.h5...", "Puts the result files of a run's shards together.",
					     details, options, (int)ARRAY_COUNT(options)};
	struct error err = {0};
	struct run_record *parts = NULL, run = {0};
	int positionals, help, code;
	size_t read = 0;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	if (positionals < 2) {
		error_set(&err, ERROR_USAGE, "assay merge: needs the file to be written and at least one to be read; see assay merge --help");
		return cli_fail(&err);
	}
	const char *const *names = (const char *const *)(argv + 2);
	const size_t count = (size_t)positionals - 1;
	parts = calloc(count, sizeof *parts);
	if (!parts) {
		error_set(&err, ERROR_ENVIRONMENT, "out of memory");
		goto fail;
	}
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], argv[1]) == 0) {
			error_set(&err, ERROR_USAGE, "assay merge: %s is both read and written; the first name is that of the new file", argv[1]);
			goto fail;
		}
	for (; read < count; read++)
		if (record_read(&parts[read], names[read], &err))
			goto fail;
	if (merge_runs(&run, parts, names, count, &how, &err) || record_write(argv[1], &run, &err))
		goto fail;
	if (!quiet)
		report_terminal(&run, stdout, 0);
	code = run_record_exit_code(&run, strict);
	if (!run.complete && code != 3) {
		fprintf(stderr, "assay: %s: a part of the run is missing: %zu cases are there\n", argv[1], run.case_count);
		code = 1;
	}
	if (code == 3)
		fprintf(stderr, "assay: no case passed and none failed: nothing was verified\n");
	goto done;
fail:
	code = cli_fail(&err);
done:
	for (size_t i = 0; i < read; i++)
		run_record_free(&parts[i]);
	free(parts);
	run_record_free(&run);
	return code;
}
