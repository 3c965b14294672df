#include "cmd_compare.h"

#include "artifact/artifact.h"
#include "cli.h"
#include "compare_report.h"
#include "interleave.h"
#include "output_copy.h"
#include "report.h"
#include "sides.h"

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

static int read_all(struct run_record *runs, char **paths, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (read_run(&runs[i], paths[i], err))
			return -1;
		runs_drop_same_outputs(runs, i + 1, i + 1 == count);
	}
	return 0;
}

/* Runs the artifacts, in turns. */
static int run_all(struct run_record *runs, char **paths, size_t count, const struct session_options *session, int rounds,
		   const char *folder, int keep_copies, struct error *err)
{
	struct interleave_side sides[INTERLEAVE_SIDES_MAX] = {{0}};
	char *files[INTERLEAVE_SIDES_MAX] = {NULL};
	int result = 0;
	if (count > INTERLEAVE_SIDES_MAX)
		return error_set(err, ERROR_USAGE, "assay compare: %zu artifacts; at most %d are measured in turns", count,
				 INTERLEAVE_SIDES_MAX);
	/* a name that is wrong must not cost the verification of those before it */
	for (size_t i = 0; i < count; i++) {
		struct artifact_list list;
		if (artifact_discover(paths[i], &list, err))
			return -1;
		artifact_list_free(&list);
	}
	if (folder && make_dirs(folder, err))
		return -1;
	for (size_t i = 0; result == 0 && i < count; i++) {
		sides[i].paths = (const char *const *)&paths[i];
		sides[i].path_count = 1;
		result = folder ? side_result_path(folder, i, paths[i], &files[i], err) : 0;
		sides[i].out = files[i];
	}
	const struct interleave_options options = {
		.session = *session, .sides = sides, .count = count, .rounds = rounds, .keep_copies = keep_copies};
	if (result == 0)
		result = interleave_run(&options, runs, err);
	for (size_t i = 0; i < count; i++)
		free(files[i]);
	return result;
}

static const char details[] =
	"Result files are what `assay run --out` (or verify, bench) wrote, best with the same dataset and seed. Artifacts, folders of\n"
	"artifacts and Cargo build-output folders are run first: verified one after the other, then timed in turns, case by case\n"
	"(first BASE, then NEW, the other way round the next time), in several rounds with new processes each, so that a drift of\n"
	"the clock hits both alike. Options from --device on are for that. Without --dataset it takes those of `assay run`.\n"
	"Times: the ratio with a 99 % interval, of rounds where there are some, else of the medians of the raw samples. SLOWER and\n"
	"FASTER: the whole interval lies beyond the threshold; SAME: within; UNSURE: neither, which more rounds or time would tell.\n"
	"Where the SM clocks differ, the ratio in cycles has to say the same. Other devices, datasets or memory clocks and calls\n"
	"that block are not compared, with the reason.\n"
	"A regression is a verdict that became worse, an entry point or case that vanished, an error beyond its bound\n"
	"which it was not, or SLOWER.\n"
	"Exit codes: 0 no regression; 1 a regression; 2 usage; 3 a file cannot be read or written, an artifact cannot be\n"
	"run, or there is no case in common that either ran.";

int cmd_compare(int argc, char **argv)
{
	struct outputs outputs = {0};
	struct session_options session = {.repeats = -1, .deaths_in_a_row = -1, .quiet = 1, .keep_outputs = 1, .hold_outputs = 1};
	struct option_list filters = {0}, without = {0};
	const char *threshold = NULL, *folder = NULL;
	int64_t rounds = 0;
	int keep_copies = 0;
	const struct option options[] = {
		{"--threshold", OPTION_TEXT, "PERCENT", &threshold, "times that differ by less are the same (default 1)"},
		{"--markdown", OPTION_TEXT, "FILE|-", &outputs.markdown, "write it as Markdown, short enough for a comment on a change"},
		{"--json", OPTION_TEXT, "FILE|-", &outputs.json, "write it as JSON: every case with a change or a time"},
		{"--junit", OPTION_TEXT, "FILE|-", &outputs.junit, "write it as JUnit XML, a test case for each case"},
		{"--all", OPTION_FLAG, NULL, &outputs.all, "cut no list; in JSON, every case"},
		{"--device", OPTION_TEXT, "cuda:N|cpu", &session.device, "where to run; default: cuda:0 when there is one, else cpu"},
		{"--dataset", OPTION_TEXT, "FILE", &session.dataset, "stored cases (.h5) or a spec: a file, or the name of an installed one"},
		{"--filter", OPTION_LIST, "EXPR", &filters, "only cases that match; may be repeated"},
		{"--seed", OPTION_COUNT, "N", &session.seed, "seed of the cases of a spec; default 0"},
		{"--abi", OPTION_TEXT, "PROFILE", &session.abi, "calling profile (0.9.2, 0.11); default: told from the artifact"},
		{"--donor", OPTION_TEXT, "PATH", &session.donor, "call this archive's host code, which launches the kernels of all artifacts"},
		{"--math", OPTION_CHOICE, "precise|fast", &session.math, "what kernels built with fast math are held to; default precise"},
		{"--rounds", OPTION_COUNT, "N", &rounds, "rounds of timing; default 8"},
		{"--bench-seconds", OPTION_SECONDS, "S", &session.bench_seconds,
		 "most time for one figure of one case; default 0.6, operators 0.12"},
		{"--timeout", OPTION_SECONDS, "S", &session.timeout, "limit for one case; default 60, operators on a GPU 20"},
		{"--jobs", OPTION_COUNT, "N", &session.jobs, "workers side by side that verify operators; default: by processors and memory"},
		{"--verbose", OPTION_FLAG, NULL, &session.verbose, "say on standard error how far it is"},
		{"--without-check", OPTION_LIST, "NAME", &without, "switch a check off (for tests of assay itself)"},
		{"--out", OPTION_TEXT, "DIR", &folder, "keep the result files there, a file for each artifact"},
		{"--keep-outputs", OPTION_FLAG, NULL, &keep_copies, "copies of outputs in these files, up to 64 MiB a case"},
	};
	const struct command_line command = {
		"assay compare", "BASE NEW...",
		"Holds result files, or artifacts that it runs, against the first one: verdicts, errors, bits and times, case by case.",
		details, options, (int)ARRAY_COUNT(options)};
	struct compare_options how = {0};
	struct comparisons list = {0};
	struct run_record *runs = NULL;
	struct error err = {0};
	int positionals, help, code, files = 0;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	const size_t count = (size_t)positionals;
	if (positionals < 2) {
		error_set(&err, ERROR_USAGE, "assay compare: needs a base and something new: result files, or artifacts; see "
			  "assay compare --help");
		return cli_fail(&err);
	}
	if (on_stdout(outputs.markdown) + on_stdout(outputs.json) + on_stdout(outputs.junit) > 1) {
		error_set(&err, ERROR_USAGE, "assay compare: only one of --markdown, --json and --junit can be '-'");
		return cli_fail(&err);
	}
	if (sides_threshold("assay compare", threshold, &how.threshold, &err) || sides_folder("assay compare", folder, &err) ||
	    sides_are_files(argv + 1, count, &files, &err))
		return cli_fail(&err);
	if (rounds > RECORD_ROUNDS_MAX) {
		error_set(&err, ERROR_USAGE, "assay compare: --rounds takes 1 to %d", RECORD_ROUNDS_MAX);
		return cli_fail(&err);
	}
	if (keep_copies && !folder) {
		error_set(&err, ERROR_USAGE, "assay compare: --keep-outputs is for the result files of --out DIR");
		return cli_fail(&err);
	}
	const char *const written[] = {outputs.markdown, outputs.json, outputs.junit};
	if (report_paths_check(written, ARRAY_COUNT(written), NULL, &err) < 0)
		return cli_fail(&err);
	session.filters = filters.items;
	session.filter_count = filters.count;
	session.without_checks = without.items;
	session.without_count = without.count;
	if (files && (session.device || session.dataset || filters.count || session.seed || session.abi || session.donor || session.math ||
		      rounds || session.bench_seconds > 0 || session.timeout > 0 || session.jobs || without.count || session.verbose ||
		      folder)) {
		error_set(&err, ERROR_USAGE, "assay compare: options from --device on are for artifacts, which are run; %s is a result "
			  "file", argv[1]);
		return cli_fail(&err);
	}
	runs = calloc(count, sizeof *runs);
	list.items = calloc(count, sizeof *list.items);
	list.files = calloc(count, sizeof *list.files);
	struct text quoted = {0};
	for (int i = 0; i < argc; i++) {
		text_append(&quoted, i ? " " : "assay ");
		text_append_quoted(&quoted, argv[i]);
	}
	session.command = quoted.data;
	if (!runs || !list.items || !list.files || quoted.failed) {
		error_set(&err, ERROR_ENVIRONMENT, "out of memory");
		goto fail;
	}
	if (files ? read_all(runs, argv + 1, count, &err)
		  : run_all(runs, argv + 1, count, &session, (int)rounds, folder, keep_copies, &err))
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
	for (size_t i = 0; i < list.count && !code; i++)
		if (list.items[i].judged == 0) {
			fprintf(stderr, "assay: %s, %s: no case was run by either: nothing was compared\n", list.files[i].base, list.files[i].next);
			code = 3;
		}
	goto done;
fail:
	code = cli_fail(&err);
done:
	for (size_t i = 0; i < list.count; i++)
		comparison_free(&list.items[i]);
	for (size_t i = 0; runs && i < count; i++)
		run_record_free(&runs[i]);
	text_free(&quoted);
	free(runs);
	free(list.items);
	free(list.files);
	return code;
}
