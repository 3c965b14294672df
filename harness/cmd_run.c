#include "cmd_run.h"

#include "artifact/artifact.h"
#include "cli.h"
#include "inspect.h"
#include "report.h"
#include "session.h"
#include "shard.h"

#include <stdlib.h>
#include <string.h>

static const char details[] =
	"PATH is an artifact, a folder of artifacts, or a Cargo build-output folder.\n"
	"--filter takes a case's whole name as it is printed, a part of it, or a pattern with * and ?; with a leading '-' it\n"
	"takes cases away. Several are combined: any of the first kind, none of the second.\n"
	"Without --dataset, attention takes smoke.h5 (bench: bench.spec), and operators, the kernels of Candle's modules and libmoe,\n"
	"operators.spec (bench: operators-bench.spec; run verifies operators.spec and times the smaller size of operators-bench.spec).\n"
	"The cpu device times nothing: there, bench takes what verify takes and counts its work.\n"
	"--donor PATH: host code that cannot run here (Windows) or is not to run is left out; that of PATH, an archive of the same\n"
	"release for Linux or a folder with some, launches the artifact's kernels. They are matched by name, and only where both take\n"
	"parameters of the same sizes; kernels of CUDA's own libraries (cub, thrust) without a match run from PATH.\n"
	"Modules are cut into parts, which workers load and verify side by side. What of a release is missing or unknown is reported,\n"
	"and fails where --abi or the name of the folder (candle-kernels-...) claims that release.\n"
	"Exit codes: 0 nothing selected failed and at least one case passed; 1 a verdict was fail, mistrusted, crashed, timeout\n"
	"or error (--strict: also unsupported and skipped), or a claimed release is not whole; 2 usage; 3 the environment or an artifact cannot be used, or nothing ran.";

/* The first part of `assay run`. What cannot be inspected is left to the session, which says why it cannot be run. */
static void inspect_all(const char *const *paths, int count)
{
	struct gpu_list gpus;
	struct text out = {0};
	struct error err;
	if (gpu_list_parse(NULL, &gpus, &err))
		return;
	for (int i = 0; i < count; i++) {
		struct artifact_list list;
		if (artifact_discover(paths[i], &list, &err))
			continue;
		for (int k = 0; k < list.count; k++) {
			struct inspection inspection;
			if (inspect_open(list.paths[k], &gpus, &inspection, &err))
				continue;
			inspect_summary(&inspection, &gpus, cli_colour(stdout), &out);
			text_append(&out, "\n");
			inspect_close(&inspection);
		}
		artifact_list_free(&list);
	}
	cli_write_text(&out, &err);
	text_free(&out);
}

static int run_session(enum session_kind kind, int argc, char **argv)
{
	static const char *const names[] = {"assay verify", "assay bench", "assay run"};
	static const char *const summaries[] = {
		"Runs entry points of artifacts on the cases of a dataset and judges every result against the reference.",
		"Verifies each case and times it when it passed; Google Benchmark prints and writes the figures.",
		"Verifies and times, and prints the report.",
	};
	struct session_options options = {.kind = kind, .repeats = -1, .deaths_in_a_row = -1};
	struct option_list filters = {0}, without = {0}, baselines = {0};
	const char *shard = NULL, *json = NULL, *markdown = NULL;
	struct report_files files = {0};
	const struct option table[] = {
		{"--device", OPTION_TEXT, "ID[,ID...]", &options.device, "cuda:N, cuda:all or cpu; several share the cases; default: cuda:0, else cpu"},
		{"--dataset", OPTION_TEXT, "FILE", &options.dataset, "stored cases (.h5) or a spec: a file, or the name of an installed one"},
		{"--filter", OPTION_LIST, "EXPR", &filters, "only cases that match; may be repeated"},
		{"--list", OPTION_FLAG, NULL, &options.list, "print the names of the selected cases and stop"},
		{"--seed", OPTION_COUNT, "N", &options.seed, "seed of the cases of a spec; default 0"},
		{"--out", OPTION_TEXT, "FILE.h5", &options.out, "write the results, with every raw sample"},
		{"--shard", OPTION_TEXT, "I/N", &shard, "only the I-th of N parts of the cases; assay merge puts them together"},
		{"--resume", OPTION_TEXT, "FILE.h5", &options.resume, "go on with a run that was cut off; without one, start it (in place of --out)"},
		{"--json", OPTION_TEXT, "FILE|-", &json, "write the report as JSON"},
		{"--markdown", OPTION_TEXT, "FILE", &markdown, "write the report as Markdown"},
		{"--html", OPTION_TEXT, "FILE", &files.html, "write the report as one page with plots that needs no network"},
		{"--csv", OPTION_TEXT, "FILE", &files.csv, "write a row for each case as CSV"},
		{"--junit", OPTION_TEXT, "FILE", &files.junit, "write the verdicts as JUnit XML, for CI systems"},
		{"--benchmark-json", OPTION_TEXT, "FILE", &options.gbench_json, "Google Benchmark's own JSON (bench, run)"},
		{"--keep-failures", OPTION_TEXT, "DIR", &options.keep_failures, "keep inputs, outputs and reference of what failed, as HDF5"},
		{"--keep-outputs", OPTION_FLAG, NULL, &options.keep_outputs, "copies of outputs in the result file, up to 64 MiB a case, for compare"},
		{"--timeout", OPTION_SECONDS, "S", &options.timeout, "limit for one case; default 60, operators on a GPU 20"},
		{"--image", OPTION_CHOICE, "sass|ptx", &options.image, "which image of a fatbin runs; default: SASS where there is one"},
		{"--abi", OPTION_TEXT, "PROFILE", &options.abi, "calling profile (0.9.2, 0.11); default: told from the artifact"},
		{"--math", OPTION_CHOICE, "precise|fast", &options.math, "what kernels built with fast math are held to; default precise"},
		{"--donor", OPTION_TEXT, "PATH", &options.donor, "call this archive's host code, which launches the artifact's kernels (Windows archives)"},
		{"--cudart", OPTION_CHOICE, "shim|real", &options.cudart, "CUDA runtime under the artifact; default shim"},
		{"--cudart-path", OPTION_TEXT, "FILE", &options.cudart_path, "libcudart to use with --cudart real"},
		{"--cublas", OPTION_TEXT, "FILE", &options.cublas, "libcublas of the reference; default: the loader's"},
		{"--cudnn", OPTION_TEXT, "FILE", &options.cudnn, "libcudnn.so.9 to time attention against; default: the loader's"},
		{"--reference", OPTION_CHOICE, "f64|f32", &options.reference, "precision of the reference; default f64 unless the card is slow at it"},
		{"--guard", OPTION_CHOICE, "canary|pages", &options.guard, "pages: buffers end at unmapped memory, reads past them show"},
		{"--sanitize", OPTION_FLAG, NULL, &options.sanitize, "run under compute-sanitizer and count its findings"},
		{"--no-check", OPTION_FLAG, NULL, &options.no_check, "cpu: kernels are not watched (values nobody wrote, races, canaries): faster"},
		{"--repeats", OPTION_COUNT, "N", &options.repeats, "further runs that must agree bit for bit; default 2"},
		{"--bench-seconds", OPTION_SECONDS, "S", &options.bench_seconds, "most time for one figure of one case; default 3, operators 0.05, run 0.01"},
		{"--baseline", OPTION_LIST, "PATH", &baselines, "time attention against this archive or shared library too; at most twice"},
		{"--no-baseline", OPTION_FLAG, NULL, &options.no_baseline, "do not time what attention is held against: the unfused cuBLAS chain, cuDNN"},
		{"--without-check", OPTION_LIST, "NAME", &without, "switch a check off (for tests of assay itself)"},
		{"--jobs", OPTION_COUNT, "N", &options.jobs, "workers side by side that verify operators; default: by processors and memory"},
		{"--whole", OPTION_FLAG, NULL, &options.whole, "load modules uncut: all of their kernels at once"},
		{"--deaths", OPTION_COUNT, "N", &options.deaths_in_a_row, "skip the rest after so many crashes in a row; default 20 (of one kernel 3), 0: never"},
		{"--cache-dir", OPTION_TEXT, "DIR", &options.cache_dir, "where linked archives are kept; default $XDG_CACHE_HOME/assay"},
		{"--strict", OPTION_FLAG, NULL, &options.strict, "unsupported and skipped cases give exit code 1 too"},
		{"--quiet", OPTION_FLAG, NULL, &options.quiet, "no line for single cases"},
		{"--verbose", OPTION_FLAG, NULL, &options.verbose, "a line for passed cases as well, and what the artifact prints"},
	};
	const struct command_line command = {names[kind], "PATH...", summaries[kind], details, table, (int)ARRAY_COUNT(table)};
	struct text quoted = {0};
	struct error err = {0};
	struct run_record run = {0};
	int positionals, help, code;

	for (int i = 0; i < argc; i++) {
		text_append(&quoted, i ? " " : "assay ");
		text_append_quoted(&quoted, argv[i]);
	}
	options.command = quoted.data;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		goto fail;
	if (help) {
		code = cli_print_help(&command);
		goto done;
	}
	options.filters = filters.items;
	options.filter_count = filters.count;
	options.without_checks = without.items;
	options.baselines = baselines.items;
	options.baseline_count = baselines.count;
	options.without_count = without.count;
	if (shard && shard_parse(shard, &options.shard_index, &options.shard_count, &err))
		goto fail;
	if (options.resume && options.out && strcmp(options.resume, options.out) != 0) {
		error_set(&err, ERROR_USAGE, "--resume %s, --out %s: the result file of a resumed run is the one that is resumed; leave --out out",
			  options.resume, options.out);
		goto fail;
	}
	if (options.resume)
		options.out = options.resume;
	if (options.list) {
		if (session_list(&options, &err))
			goto fail;
		code = 0;
		goto done;
	}
	if (positionals == 0) {
		error_set(&err, ERROR_USAGE, "%s: needs the path of an artifact or folder; see %s --help", names[kind], names[kind]);
		goto fail;
	}
	if (options.donor && options.cudart && strcmp(options.cudart, "real") == 0) {
		error_set(&err, ERROR_USAGE, "--donor: the real CUDA runtime launches nothing but what the donor registers; leave --cudart real out");
		goto fail;
	}
	options.paths = (const char *const *)(argv + 1);
	options.path_count = positionals;
	/* JSON on stdout must be alone there */
	if (json && strcmp(json, "-") == 0)
		options.quiet = 1;
	if (kind == SESSION_RUN && !options.quiet)
		inspect_all(options.paths, options.path_count);
	const char *const written[] = {json, markdown, files.html, files.csv, files.junit, options.gbench_json};
	const int on_stdout = report_paths_check(written, ARRAY_COUNT(written), options.out, &err);
	if (on_stdout > 1)
		error_set(&err, ERROR_USAGE, "%s: only one output can be '-'", names[kind]);
	if (on_stdout < 0 || on_stdout > 1)
		goto fail;
	if (session_run(&options, &run, &err))
		goto fail;
	if (json && report_json(&run, json, &err))
		goto fail;
	if (markdown && report_markdown(&run, markdown, &err))
		goto fail;
	const struct run_record *const runs[] = {&run};
	if (report_files_write(&files, runs, options.out ? &options.out : NULL, 1, &err))
		goto fail;
	if (!(json && strcmp(json, "-") == 0))
		report_terminal(&run, stdout, kind == SESSION_RUN);
	code = run_record_exit_code(&run, options.strict);
	if (code == 3)
		fprintf(stderr, "assay: no case passed and none failed: nothing was verified\n");
	goto done;
fail:
	code = cli_fail(&err);
done:
	run_record_free(&run);
	text_free(&quoted);
	return code;
}

int cmd_verify(int argc, char **argv)
{
	return run_session(SESSION_VERIFY, argc, argv);
}

int cmd_bench(int argc, char **argv)
{
	return run_session(SESSION_BENCH, argc, argv);
}

int cmd_run(int argc, char **argv)
{
	return run_session(SESSION_RUN, argc, argv);
}
