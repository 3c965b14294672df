#include "cmd_compare.h"

#include "cli.h"
#include "compare_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_LENGTH = 40, MARKDOWN_LENGTH = 20 };

struct outputs {
	const char *markdown, *json, *junit;
	int all;
};

struct comparisons {
	struct comparison *items;
	struct comparison_files *files;
	size_t count;
};

/* "1", "0.5", "2.5%": percent. */
static int parse_threshold(const char *word, double *threshold, struct error *err)
{
	char *end;
	*threshold = 0.01;
	if (!word)
		return 0;
	const double percent = strtod(word, &end);
	if (end == word || (*end && strcmp(end, "%") != 0) || !(percent > 0 && percent < 100))
		return error_set(err, ERROR_USAGE, "assay compare: --threshold takes percent above 0 and below 100, not '%s'", word);
	*threshold = percent / 100;
	return 0;
}

static void append_all(const struct comparisons *list, const struct report_options *options, struct text *text)
{
	for (size_t i = 0; i < list->count; i++)
		comparison_append(&list->items[i], &list->files[i], options, text);
}

static int write_text(const struct text *text, const char *path, struct error *err)
{
	if (text->failed)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for the comparison");
	if (strcmp(path, "-") == 0)
		return cli_write_text(text, err);
	return write_file_atomically(path, text->data, text->length, err);
}

static int write_page(const struct comparisons *list, const char *path, const struct report_options *options, struct error *err)
{
	struct text text = {0};
	append_all(list, options, &text);
	const int result = write_text(&text, path, err);
	text_free(&text);
	return result;
}

static int write_junit(const struct comparisons *list, const char *path, struct error *err)
{
	struct text text = {0};
	comparisons_append_junit(list->items, list->files, list->count, &text);
	const int result = write_text(&text, path, err);
	text_free(&text);
	return result;
}

static int write_json(const struct comparisons *list, const char *path, int all, struct error *err)
{
	json_t *json = comparisons_to_json(list->items, list->files, list->count, all);
	const int result = cli_write_json(path, json, err);
	json_decref(json);
	return result;
}

static int on_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

static int write_outputs(const struct comparisons *list, const struct outputs *outputs, struct error *err)
{
	const struct report_options markdown = {.style = REPORT_MARKDOWN, .cases_max = outputs->all ? 0 : MARKDOWN_LENGTH};
	const struct report_options terminal = {
		.style = REPORT_TERMINAL, .colour = cli_colour(stdout), .cases_max = outputs->all ? 0 : LIST_LENGTH};
	if (outputs->markdown && write_page(list, outputs->markdown, &markdown, err))
		return -1;
	if (outputs->json && write_json(list, outputs->json, outputs->all, err))
		return -1;
	if (outputs->junit && write_junit(list, outputs->junit, err))
		return -1;
	if (on_stdout(outputs->markdown) || on_stdout(outputs->json) || on_stdout(outputs->junit))
		return 0;
	return write_page(list, "-", &terminal, err);
}

static int read_run(struct run_record *run, const char *path, struct error *err)
{
	if (record_read(run, path, err))
		return -1;
	if (!run->complete)
		fprintf(stderr, "assay: %s: the run was cut short after %zu cases; the others count as vanished or new\n", path,
			run->case_count);
	return 0;
}

int cmd_compare(int argc, char **argv)
{
	struct outputs outputs = {0};
	const char *threshold = NULL;
	const struct option options[] = {
		{"--threshold", OPTION_TEXT, "PERCENT", &threshold, "times that differ by less are the same (default 1)"},
		{"--markdown", OPTION_TEXT, "FILE|-", &outputs.markdown, "write it as Markdown, short enough for a comment on a change"},
		{"--json", OPTION_TEXT, "FILE|-", &outputs.json, "write it as JSON: every case with a change or a time"},
		{"--junit", OPTION_TEXT, "FILE|-", &outputs.junit, "write it as JUnit XML, a test case for each case"},
		{"--all", OPTION_FLAG, NULL, &outputs.all, "cut no list; in JSON, every case"},
	};
	const struct command_line command = {
		"assay compare", "BASE.h5 NEW.h5...",
		"Holds result files against the first one: verdicts, errors, bits and times, case by case.",
		"The files are what `assay run --out` (or verify, bench) wrote, best with the same dataset and seed.\n"
		"Times: the ratio of the medians with a 99 % interval from the raw samples. SLOWER and FASTER: the whole\n"
		"interval lies beyond the threshold; SAME: within; UNSURE: neither. Where the SM clocks differ, the ratio in\n"
		"cycles has to say the same. Other devices or datasets, calls that block and medians that had not converged\n"
		"are not compared, with the reason.\n"
		"A regression is a verdict that became worse, an entry point or case that vanished, an error beyond its bound\n"
		"which it was not, or SLOWER.\n"
		"Exit codes: 0 no regression; 1 a regression; 2 usage; 3 a file cannot be read or written, or there is no\n"
		"case in common.",
		options, (int)ARRAY_COUNT(options)};
	struct compare_options how = {0};
	struct comparisons list = {0};
	struct run_record *runs = NULL;
	struct error err = {0};
	int positionals, help, code, read = 0;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	if (positionals < 2) {
		error_set(&err, ERROR_USAGE, "assay compare: needs a base and at least one new result file; see assay compare --help");
		return cli_fail(&err);
	}
	if (on_stdout(outputs.markdown) + on_stdout(outputs.json) + on_stdout(outputs.junit) > 1) {
		error_set(&err, ERROR_USAGE, "assay compare: only one of --markdown, --json and --junit can be '-'");
		return cli_fail(&err);
	}
	if (parse_threshold(threshold, &how.threshold, &err))
		return cli_fail(&err);
	runs = calloc((size_t)positionals, sizeof *runs);
	list.items = calloc((size_t)positionals, sizeof *list.items);
	list.files = calloc((size_t)positionals, sizeof *list.files);
	if (!runs || !list.items || !list.files) {
		error_set(&err, ERROR_ENVIRONMENT, "out of memory");
		goto fail;
	}
	for (; read < positionals; read++)
		if (read_run(&runs[read], argv[1 + read], &err))
			goto fail;
	for (int i = 1; i < positionals; i++) {
		if (compare_runs(&runs[0], &runs[i], &how, &list.items[list.count], &err)) {
			error_context(&err, "%s, %s", argv[1], argv[1 + i]);
			goto fail;
		}
		list.files[list.count++] = (struct comparison_files){argv[1], argv[1 + i]};
	}
	if (write_outputs(&list, &outputs, &err))
		goto fail;
	code = 0;
	for (size_t i = 0; i < list.count; i++)
		code |= list.items[i].regressions > 0;
	goto done;
fail:
	code = cli_fail(&err);
done:
	for (size_t i = 0; i < list.count; i++)
		comparison_free(&list.items[i]);
	for (int i = 0; i < read; i++)
		run_record_free(&runs[i]);
	free(runs);
	free(list.items);
	free(list.files);
	return code;
}
