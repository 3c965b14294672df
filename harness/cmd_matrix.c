#include "cmd_matrix.h"

#include "cli.h"
#include "interleave.h"
#include "matrix.h"
#include "report.h"
#include "sides.h"

#include <stdlib.h>
#include <string.h>

/* Words of all the values of an option, "A,B" and "C"; the texts are owned. */
struct words {
	char **items;
	size_t count;
};

static void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
}

static int add_word(struct words *words, const char *from, size_t length, struct error *err)
{
	char **items = reallocarray(words->items, words->count + 1, sizeof *items);
	char *word = items ? copy_text(from, length) : NULL;
	if (items)
		words->items = items;
	if (!word)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	words->items[words->count++] = word;
	return 0;
}

/* A value that names a file is one word, commas or not. */
static int split(const struct option_list *list, const char *option, struct words *words, struct error *err)
{
	for (int i = 0; i < list->count; i++) {
		const char *at = list->items[i];
		if (path_exists(at)) {
			if (add_word(words, at, strlen(at), err))
				return -1;
			continue;
		}
		for (;;) {
			const size_t length = strcspn(at, ",");
			if (length == 0)
				return error_set(err, ERROR_USAGE, "assay matrix: %s %s: a part of it is empty", option, list->items[i]);
			if (add_word(words, at, length, err))
				return -1;
			if (!at[length])
				break;
			at += length + 1;
		}
	}
	return 0;
}

/* NAME=PATH, or a path whose last part that says something is its name. */
static int name_artifacts(const struct words *words, struct matrix *matrix, struct words *labels, struct error *err)
{
	matrix->artifacts = calloc(words->count, sizeof *matrix->artifacts);
	if (!matrix->artifacts)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i], *equals = strchr(word, '=');
		char *made = NULL;
		if (equals && equals > word && !path_exists(word)) {
			if (add_word(labels, word, (size_t)(equals - word), err))
				return -1;
			word = equals + 1;
		} else if (side_name(word, &made, err) || add_word(labels, made, strlen(made), err)) {
			free(made);
			return -1;
		}
		free(made);
		matrix->artifacts[i].path = word;
		matrix->artifact_count = i + 1;
	}
	/* columns of one name would not be told apart */
	for (size_t i = 0; i < words->count; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(labels->items[i], labels->items[k]) == 0)
				return error_set(err, ERROR_USAGE, "assay matrix: %s and %s would both be called %s; give names: --artifacts "
						 "NAME=PATH,...", words->items[k], words->items[i], labels->items[i]);
	for (size_t i = 0; i < words->count; i++)
		matrix->artifacts[i].label = labels->items[i];
	return 0;
}

/* A row twice would be run twice, and its second result files would replace the first ones. What cannot be timed is better known
 * before other cells have been. */
static int check_rows(const struct words *datasets, const struct words *devices, int is_timed, struct error *err)
{
	const struct {
		const struct words *words;
		const char *option;
	} lists[] = {{datasets, "--datasets"}, {devices, "--devices"}};
	for (size_t l = 0; l < ARRAY_COUNT(lists); l++)
		for (size_t i = 0; i < lists[l].words->count; i++)
			for (size_t k = 0; k < i; k++)
				if (strcmp(lists[l].words->items[i], lists[l].words->items[k]) == 0)
					return error_set(err, ERROR_USAGE, "assay matrix: %s: %s is there twice", lists[l].option,
							 lists[l].words->items[i]);
	for (size_t i = 0; is_timed && i < devices->count; i++)
		if (!interleave_is_one_device(devices->items[i]))
			return error_set(err, ERROR_USAGE, "assay matrix: --devices %s: takes cpu or cuda:N, or several with commas between; others "
					 "only with --no-timing", devices->items[i]);
	return 0;
}

/* FOLDER/DEVICE-DATASET/N-LABEL.h5, or DEVICE-S-DATASET of the S-th dataset, where names of datasets are the same. */
static int name_files(struct matrix *matrix, size_t d, size_t s, const char *folder, struct error *err)
{
	char *device = NULL, *dataset = NULL, *path = NULL, number[24] = "";
	int result = -1;
	if (matrix_dataset_shares_name(matrix, s))
		snprintf(number, sizeof number, "%zu-", s + 1);
	if (side_name(matrix->devices[d], &device, err) ||
	    side_name(matrix->datasets[s] ? matrix->datasets[s] : "default", &dataset, err))
		goto done;
	if (asprintf(&path, "%s/%s-%s%s", folder, device, number, dataset) < 0) {
		path = NULL;
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (make_dirs(path, err))
		goto done;
	for (size_t a = 0; a < matrix->artifact_count; a++)
		if (side_result_path(path, a, matrix->artifacts[a].label, &matrix_cell(matrix, d, s, a)->file, err))
			goto done;
	result = 0;
done:
	free(device);
	free(dataset);
	free(path);
	return result;
}

/* The cells of one device and dataset from `first` on, in turns. What cannot be run is the cells' to tell. */
static int run_cells(struct matrix *matrix, size_t d, size_t s, size_t first, size_t count, const struct session_options *session,
		     int rounds, int no_timing, struct error *err)
{
	struct interleave_side sides[INTERLEAVE_SIDES_MAX] = {{0}};
	struct run_record runs[INTERLEAVE_SIDES_MAX];
	struct error problems[INTERLEAVE_SIDES_MAX] = {{0}}, problem = {0};
	int result = 0;
	for (size_t i = 0; i < count; i++) {
		sides[i].paths = &matrix->artifacts[first + i].path;
		sides[i].path_count = 1;
		sides[i].set = matrix->artifacts[first + i].label;
		sides[i].out = matrix_cell(matrix, d, s, first + i)->file;
	}
	struct interleave_options options = {
		.session = *session, .sides = sides, .count = count, .rounds = rounds, .no_timing = no_timing, .errors = problems};
	options.session.device = matrix->devices[d];
	options.session.dataset = matrix->datasets[s];
	const int failed = interleave_run(&options, runs, &problem);
	if (failed && problem.kind == ERROR_USAGE) {
		*err = problem;
		result = -1;
	}
	for (size_t i = 0; i < count; i++) {
		struct matrix_cell *cell = matrix_cell(matrix, d, s, first + i);
		if (failed && !problems[i].kind)
			problems[i] = problem;
		cell->problem = problems[i];
		if (cell->problem.kind) {
			run_record_free(&runs[i]);
			free(cell->file);
			cell->file = NULL;
		}
		cell->run = runs[i];
	}
	return result;
}

static int run_all(struct matrix *matrix, const struct session_options *session, int rounds, int no_timing, const char *folder,
		   struct error *err)
{
	const size_t together = matrix->in_turns ? matrix->artifact_count : 1;
	/* all folders first: one that cannot be made must not cost the cells before it */
	for (size_t d = 0; folder && d < matrix->device_count; d++)
		for (size_t s = 0; s < matrix->dataset_count; s++)
			if (name_files(matrix, d, s, folder, err))
				return -1;
	for (size_t d = 0; d < matrix->device_count; d++)
		for (size_t s = 0; s < matrix->dataset_count; s++)
			for (size_t a = 0; a < matrix->artifact_count; a += together)
				if (run_cells(matrix, d, s, a, together, session, rounds, no_timing, err))
					return -1;
	return 0;
}

static int is_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

static int write_text(const struct text *text, const char *path, struct error *err)
{
	if (text->failed)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for the table");
	return is_stdout(path) ? cli_write_text(text, err) : write_file_atomically(path, text->data, text->length, err);
}

static int write_page(const struct matrix *matrix, const char *path, enum report_style style, struct error *err)
{
	const struct report_options options = {.style = style, .colour = style == REPORT_TERMINAL && cli_colour(stdout)};
	struct text text = {0};
	matrix_append(matrix, &options, &text);
	const int result = write_text(&text, path, err);
	text_free(&text);
	return result;
}

static int write_csv(const struct matrix *matrix, const char *path, struct error *err)
{
	struct text text = {0};
	matrix_append_csv(matrix, &text);
	const int result = write_text(&text, path, err);
	text_free(&text);
	return result;
}

static int write_json(const struct matrix *matrix, const char *path, struct error *err)
{
	json_t *json = matrix_to_json(matrix);
	const int result = json ? cli_write_json(path, json, err) : error_set(err, ERROR_ENVIRONMENT, "out of memory for the table");
	json_decref(json);
	return result;
}

static int write_outputs(const struct matrix *matrix, const char *markdown, const char *json, const char *csv, struct error *err)
{
	if ((markdown && write_page(matrix, markdown, REPORT_MARKDOWN, err)) || (json && write_json(matrix, json, err)) ||
	    (csv && write_csv(matrix, csv, err)))
		return -1;
	if (is_stdout(markdown) || is_stdout(json) || is_stdout(csv))
		return 0;
	return write_page(matrix, "-", REPORT_TERMINAL, err);
}

static const char details[] =
	"Lists are separated by commas, and the options may be repeated. An artifact is a file, a folder or a Cargo build-output\n"
	"folder; NAME=PATH names its column. The first artifact is what the others' throughput is relative to.\n"
	"Every artifact is verified on every dataset and device; on a GPU what passed is timed in rounds, with --interleave all\n"
	"artifacts in turns, case by case, so that a drift of the clock hits all of them alike. Without --datasets it takes those of\n"
	"`assay run`, without --devices cuda:0 where there is one, else cpu.\n"
	"Exit codes: 0 no verdict is bad; 1 a verdict was fail, mistrusted, crashed, timeout or error, or a claimed release is\n"
	"not whole; 2 usage; 3 a cell could not be run (the table says why), or nothing passed.";

int cmd_matrix(int argc, char **argv)
{
	struct session_options session = {.repeats = -1, .deaths_in_a_row = -1, .quiet = 1};
	struct option_list filters = {0}, artifacts = {0}, datasets = {0}, devices = {0}, without = {0};
	const char *json = NULL, *markdown = NULL, *csv = NULL, *folder = NULL, *threshold = NULL;
	int interleave = 0, no_timing = 0;
	int64_t rounds = 0;
	const struct option options[] = {
		{"--artifacts", OPTION_LIST, "[NAME=]PATH,...", &artifacts, "the columns: one for each build"},
		{"--datasets", OPTION_LIST, "FILE,...", &datasets, "stored cases (.h5) or specs: files, or names of installed ones"},
		{"--devices", OPTION_LIST, "cuda:N|cpu,...", &devices, "where to run"},
		{"--interleave", OPTION_FLAG, NULL, &interleave, "time the artifacts in turns, case by case"},
		{"--rounds", OPTION_COUNT, "N", &rounds, "rounds of timing; default 8"},
		{"--no-timing", OPTION_FLAG, NULL, &no_timing, "verify only"},
		{"--threshold", OPTION_TEXT, "PERCENT", &threshold, "times that differ by less are the same (default 1)"},
		{"--out", OPTION_TEXT, "DIR", &folder, "keep the result files there"},
		{"--json", OPTION_TEXT, "FILE|-", &json, "write the table as JSON"},
		{"--markdown", OPTION_TEXT, "FILE|-", &markdown, "write the table as Markdown"},
		{"--csv", OPTION_TEXT, "FILE|-", &csv, "write the table as CSV, a line for each cell"},
		{"--filter", OPTION_LIST, "EXPR", &filters, "only cases that match; may be repeated"},
		{"--seed", OPTION_COUNT, "N", &session.seed, "seed of the cases of a spec; default 0"},
		{"--abi", OPTION_TEXT, "PROFILE", &session.abi, "calling profile (0.9.2, 0.11); default: told from the artifact"},
		{"--donor", OPTION_TEXT, "PATH", &session.donor, "call this archive's host code, which launches the kernels of all artifacts"},
		{"--math", OPTION_CHOICE, "precise|fast", &session.math, "what kernels built with fast math are held to; default precise"},
		{"--bench-seconds", OPTION_SECONDS, "S", &session.bench_seconds,
		 "most time for one figure of one case; default 0.6, operators 0.12"},
		{"--timeout", OPTION_SECONDS, "S", &session.timeout, "limit for one case; default 60, operators on a GPU 20"},
		{"--jobs", OPTION_COUNT, "N", &session.jobs, "workers side by side that verify operators; default: by processors and memory"},
		{"--verbose", OPTION_FLAG, NULL, &session.verbose, "say on standard error how far it is"},
		{"--without-check", OPTION_LIST, "NAME", &without, "switch a check off (for tests of assay itself)"},
	};
	const struct command_line command = {"assay matrix", NULL, "Artifacts x datasets x devices: runs all of them into one table.",
					     details, options, (int)ARRAY_COUNT(options)};
	struct matrix matrix = {0};
	struct words paths = {0}, sources = {0}, places = {0}, labels = {0};
	struct text quoted = {0};
	struct error err = {0};
	int positionals, help, code;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	for (int i = 0; i < argc; i++) {
		text_append(&quoted, i ? " " : "assay ");
		text_append_quoted(&quoted, argv[i]);
	}
	session.command = quoted.data;
	session.filters = filters.items;
	session.filter_count = filters.count;
	session.without_checks = without.items;
	session.without_count = without.count;
	if (artifacts.count == 0) {
		error_set(&err, ERROR_USAGE, "assay matrix: needs --artifacts A,B,...; see assay matrix --help");
		goto fail;
	}
	if (is_stdout(markdown) + is_stdout(json) + is_stdout(csv) > 1) {
		error_set(&err, ERROR_USAGE, "assay matrix: only one of --markdown, --json and --csv can be '-'");
		goto fail;
	}
	if (rounds > RECORD_ROUNDS_MAX) {
		error_set(&err, ERROR_USAGE, "assay matrix: --rounds takes 1 to %d", RECORD_ROUNDS_MAX);
		goto fail;
	}
	if (sides_threshold("assay matrix", threshold, &matrix.threshold, &err) || sides_folder("assay matrix", folder, &err) ||
	    split(&artifacts, "--artifacts", &paths, &err) ||
	    split(&datasets, "--datasets", &sources, &err) || split(&devices, "--devices", &places, &err) ||
	    check_rows(&sources, &places, !no_timing, &err) || name_artifacts(&paths, &matrix, &labels, &err))
		goto fail;
	if (interleave && paths.count > INTERLEAVE_SIDES_MAX) {
		error_set(&err, ERROR_USAGE, "assay matrix: --interleave takes at most %d artifacts", INTERLEAVE_SIDES_MAX);
		goto fail;
	}
	const char *const no_dataset = NULL, *const default_device = device_default_id();
	matrix.datasets = sources.count ? (const char *const *)sources.items : &no_dataset;
	matrix.dataset_count = sources.count ? sources.count : 1;
	matrix.devices = places.count ? (const char *const *)places.items : &default_device;
	matrix.device_count = places.count ? places.count : 1;
	matrix.in_turns = interleave;
	matrix.cells = calloc(matrix.artifact_count * matrix.dataset_count * matrix.device_count, sizeof *matrix.cells);
	if (!matrix.cells || quoted.failed) {
		error_set(&err, ERROR_ENVIRONMENT, "out of memory");
		goto fail;
	}
	const char *const files[] = {json, markdown, csv};
	if (report_paths_check(files, ARRAY_COUNT(files), NULL, &err) < 0)
		goto fail;
	for (size_t i = 0; i < matrix.artifact_count; i++)
		if (matrix_inspect(&matrix.artifacts[i], &err))
			goto fail;
	if (run_all(&matrix, &session, (int)rounds, no_timing, folder, &err) || matrix_summarise(&matrix, &err) ||
	    write_outputs(&matrix, markdown, json, csv, &err))
		goto fail;
	code = matrix_exit_code(&matrix);
	goto done;
fail:
	code = cli_fail(&err);
done:
	matrix_free(&matrix);
	words_free(&paths);
	words_free(&sources);
	words_free(&places);
	words_free(&labels);
	text_free(&quoted);
	return code;
}
