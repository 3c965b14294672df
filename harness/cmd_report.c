#include "cmd_report.h"

#include "cli.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_LENGTH = 40 };

struct outputs {
	const char *markdown, *json, *gbench_json;
	struct report_files files;
	int all;
};

static int write_markdown(const struct run_record *const *runs, size_t count, const struct outputs *outputs, struct error *err)
{
	const struct report_options options = {.style = REPORT_MARKDOWN, .cases_max = outputs->all ? 0 : 10 * LIST_LENGTH};
	struct text text = {0};
	int result;
	report_append(runs, count, &options, &text);
	if (text.failed)
		result = error_set(err, ERROR_ENVIRONMENT, "out of memory for the report");
	else if (strcmp(outputs->markdown, "-") == 0)
		result = cli_write_text(&text, err);
	else
		result = write_file_atomically(outputs->markdown, text.data, text.length, err);
	text_free(&text);
	return result;
}

static int write_terminal(const struct run_record *const *runs, size_t count, const struct outputs *outputs, struct error *err)
{
	const struct report_options options = {
		.style = REPORT_TERMINAL, .colour = cli_colour(stdout), .cases_max = outputs->all ? 0 : LIST_LENGTH};
	struct text text = {0};
	report_append(runs, count, &options, &text);
	const int result = cli_write_text(&text, err);
	text_free(&text);
	return result;
}

static int write_json(const char *path, json_t *json, struct error *err)
{
	const int result = cli_write_json(path, json, err);
	json_decref(json);
	return result;
}

/* How many of them go to standard output; -1 when one cannot be written, or two would mix there. */
static int check_outputs(const struct outputs *outputs, struct error *err)
{
	const char *const paths[] = {outputs->markdown, outputs->json, outputs->gbench_json, outputs->files.html, outputs->files.csv,
				     outputs->files.junit};
	const int on_stdout = report_paths_check(paths, ARRAY_COUNT(paths), NULL, err);
	return on_stdout > 1 ? error_set(err, ERROR_USAGE, "assay report: only one output can be '-'") : on_stdout;
}

static int write_outputs(const struct run_record *const *runs, const char *const *names, size_t count, const struct outputs *outputs,
			 int on_stdout, struct error *err)
{
	if (outputs->markdown && write_markdown(runs, count, outputs, err))
		return -1;
	if (outputs->json && write_json(outputs->json, report_to_json(runs, count), err))
		return -1;
	if (outputs->gbench_json && write_json(outputs->gbench_json, report_to_gbench_json(runs, count), err))
		return -1;
	if (report_files_write(&outputs->files, runs, names, count, err))
		return -1;
	/* a page that was asked for takes the place of the text */
	if (outputs->files.html)
		return 0;
	return on_stdout ? 0 : write_terminal(runs, count, outputs, err);
}

int cmd_report(int argc, char **argv)
{
	struct outputs outputs = {0};
	const struct option options[] = {
		{"--markdown", OPTION_TEXT, "FILE|-", &outputs.markdown, "write the report as Markdown"},
		{"--html", OPTION_TEXT, "FILE|-", &outputs.files.html, "write one page with plots that needs no network"},
		{"--csv", OPTION_TEXT, "FILE|-", &outputs.files.csv, "write a row for each case as CSV"},
		{"--junit", OPTION_TEXT, "FILE|-", &outputs.files.junit, "write the verdicts as JUnit XML, for CI systems"},
		{"--json", OPTION_TEXT, "FILE|-", &outputs.json, "write everything but raw samples as JSON"},
		{"--gbench-json", OPTION_TEXT, "FILE|-", &outputs.gbench_json, "write timings in Google Benchmark's JSON format"},
		{"--all", OPTION_FLAG, NULL, &outputs.all, "list every case, however many there are"},
	};
	const struct command_line command = {
		"assay report", "FILE.h5...", "Reports what result files say, grouped by GPU architecture.",
		"FILE.h5 is what `assay run --out` wrote; of a run that was killed, FILE.h5.partial is read.\n"
		"Several files of one GPU model make a history: --html shows how each case's time went from run to run.\n"
		"Exit codes: 0 the report was written, whatever it says; 2 usage; 3 a file cannot be read or written.",
		options, (int)ARRAY_COUNT(options)};
	struct run_record *records = NULL;
	const struct run_record **runs = NULL;
	struct error err = {0};
	int positionals, help, code, on_stdout, read = 0;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	if (positionals == 0) {
		error_set(&err, ERROR_USAGE, "assay report: needs a result file; see assay report --help");
		return cli_fail(&err);
	}
	on_stdout = check_outputs(&outputs, &err);
	if (on_stdout < 0)
		return cli_fail(&err);
	records = calloc((size_t)positionals, sizeof *records);
	runs = calloc((size_t)positionals, sizeof *runs);
	if (!records || !runs) {
		error_set(&err, ERROR_ENVIRONMENT, "out of memory");
		goto fail;
	}
	for (; read < positionals; read++) {
		const char *path = argv[1 + read];
		if (record_read_without_copies(&records[read], path, &err))
			goto fail;
		if (!records[read].complete)
			fprintf(stderr, "assay: %s: the run was cut short; the report covers the %zu cases it had finished\n", path,
				records[read].case_count);
		runs[read] = &records[read];
	}
	if (write_outputs(runs, (const char *const *)(argv + 1), (size_t)positionals, &outputs, on_stdout, &err))
		goto fail;
	code = 0;
	goto done;
fail:
	code = cli_fail(&err);
done:
	for (int i = 0; i < read; i++)
		run_record_free(&records[i]);
	free(records);
	free(runs);
	return code;
}
