#include "cmd_inspect.h"

#include "core/options.h"
#include "inspect.h"
#include "inspect_against.h"
#include "inspect_policy.h"

#include <stdlib.h>
#include <string.h>

struct settings {
	const char *json, *gpus, *extract, *against;
	struct option_list filters, policies, expected;
	struct inspect_selection selection;
	int list, kernels, images, members, symbols, sizes, all, fail_on_difference;
};

/* What the views of all artifacts go into. */
struct output {
	const struct settings *settings;
	struct gpu_list gpus;
	struct text text;
	json_t *artifacts;             /* or, with --against, differences */
	json_t *files_policy;          /* with --json: results of the rules about which files there are */
	struct inspect_policies policies;
	int failures;                  /* rules that fail */
	struct extraction *extraction; /* with --extract */
	int extraction_failed;
	int colour, inspected, exit_code;
};

/* The views that are asked for, in the order in which they are shown. */
static int show_views(struct output *out, struct inspection *inspection, struct error *err)
{
	const struct settings *settings = out->settings;
	const struct {
		int wanted;
		int (*show)(struct inspection *, const struct inspect_selection *, struct text *, struct error *);
	} views[] = {{settings->kernels, inspect_kernels}, {settings->images, inspect_images},	 {settings->members, inspect_members},
		     {settings->symbols, inspect_symbols}, {settings->sizes, inspect_sizes}};
	int shown = 0;
	for (size_t i = 0; i < ARRAY_COUNT(views); i++) {
		if (!views[i].wanted)
			continue;
		if (out->inspected || shown)
			text_append(&out->text, "\n");
		if (shown++ == 0) {
			cli_append_clean(&out->text, inspection->artifact.path, strlen(inspection->artifact.path));
			text_append(&out->text, "\n");
		}
		if (views[i].show(inspection, &settings->selection, &out->text, err))
			return -1;
	}
	if (settings->list)
		return inspect_kernel_list(inspection, &settings->selection, &out->text, err);
	if (shown || settings->extract)
		return 0;
	if (out->inspected)
		text_append(&out->text, "\n");
	inspect_summary(inspection, &out->gpus, out->colour, &out->text);
	return 0;
}

static int inspect_one(struct output *out, const char *path, struct error *err)
{
	struct inspection inspection;
	json_t *json = NULL;
	if (inspect_open(path, &out->gpus, &inspection, err))
		return -1;
	json_t *verdicts = out->settings->json ? json_object() : NULL;
	int result = show_views(out, &inspection, err);
	if (result == 0)
		result = inspect_policies_check(&out->policies, &inspection.artifact, NULL, out->colour, &out->text, verdicts,
						&out->failures, err);
	if (result == 0 && out->settings->json && (result = inspect_json(&inspection, &out->gpus, &json, err)) == 0 &&
	    (json_object_update(json, verdicts) || json_array_append_new(out->artifacts, json)))
		result = error_set(err, ERROR_ENVIRONMENT, "out of memory");
	json_decref(verdicts);
	if (result == 0 && out->extraction && inspect_extract(&inspection, &out->settings->selection, out->extraction, err)) {
		out->extraction_failed = 1;
		result = -1;
	}
	out->inspected++;
	inspect_close(&inspection);
	return result;
}

/* One that cannot be read costs itself only: the others are inspected, and the exit code tells. */
static void refuse(struct output *out, const char *path, struct error *err)
{
	out->exit_code = cli_fail(err);
	if (out->settings->json)
		json_array_append_new(out->artifacts, json_pack("{s:o, s:o}", "path", cli_json_text(path, strlen(path)), "error",
								cli_json_text(err->message, strlen(err->message))));
}

static void inspect_path(struct output *out, const char *path)
{
	struct artifact_list list;
	struct error err = {0};
	if (artifact_discover(path, &list, &err)) {
		refuse(out, path, &err);
		return;
	}
	for (int i = 0; i < list.count; i++)
		if (inspect_one(out, list.paths[i], &err))
			refuse(out, list.paths[i], &err);
	if (inspect_policies_check_files(&out->policies, (const char *const *)list.paths, list.count, out->colour, &out->text,
					 out->files_policy, &out->failures, &err))
		refuse(out, path, &err);
	if (list.left_out && !out->settings->list && !out->settings->extract)
		text_append(&out->text, "\n%d object%s beside an archive or library left out: name %s to inspect it\n", list.left_out,
			    list.left_out == 1 ? "" : "s", list.left_out == 1 ? "it" : "one");
	artifact_list_free(&list);
}

static int write_output(struct output *out, struct error *err)
{
	const struct settings *settings = out->settings;
	/* JSON on standard output is meant for a program: nothing else goes there */
	if ((!settings->json || strcmp(settings->json, "-") != 0) && cli_write_text(&out->text, err))
		return -1;
	if (!settings->json)
		return 0;
	json_t *root = json_pack("{s:s, s:i, s:s, s:O}", "schema", settings->against ? "assay-inspect-difference" : "assay-inspect",
				 "schema_version", 1, "assay_version", ASSAY_VERSION,
				 settings->against ? "differences" : "artifacts", out->artifacts);
	if (root && json_object_size(out->files_policy))
		json_object_set(root, "files", out->files_policy);
	const int result = cli_write_json(settings->json, root, err);
	json_decref(root);
	return result;
}

/* All files that were asked for, or none. */
static int finish_extraction(struct output *out, struct error *err)
{
	size_t files;
	struct extraction *extraction = out->extraction;
	out->extraction = NULL;
	if (!extraction || out->extraction_failed || !out->inspected) {
		extraction_abandon(extraction);
		return 0; /* why has been told */
	}
	if (extraction_commit(extraction, &files, err))
		return -1;
	text_append(&out->text, "%zu file%s in ", files, files == 1 ? "" : "s");
	cli_append_clean(&out->text, out->settings->extract, strlen(out->settings->extract));
	text_append(&out->text, "\n");
	return 0;
}

/* A difference is information: it fails only where a policy or --fail-on-difference says so. */
static int compare(struct output *out, const char *base, const char *next, struct error *err)
{
	const struct against_options options = {
		.base = base, .next = next, .all = out->settings->all, .colour = out->colour, .policies = &out->policies};
	struct against_result result;
	if (inspect_against(&options, &out->text, out->artifacts, out->files_policy, &result, err))
		return -1;
	out->failures += result.failures;
	if (result.failures || (out->settings->fail_on_difference && (result.differing || result.alone)))
		out->exit_code = 1;
	return 0;
}

int cmd_inspect(int argc, char **argv)
{
	struct settings settings = {0};
	const struct option options[] = {
		{"--gpu", OPTION_TEXT, "sm_XX,...", &settings.gpus, "GPUs to answer for (default: every known one from sm_75 on)"},
		{"--kernels", OPTION_FLAG, NULL, &settings.kernels, "table of kernels with what each needs, largest first"},
		{"--sort", OPTION_CHOICE, "size|registers|shared|stack|spills|name", &settings.selection.sort, "order of --kernels"},
		{"--list", OPTION_FLAG, NULL, &settings.list, "kernels, one a line: target, unit and mangled name, with tabs"},
		{"--images", OPTION_FLAG, NULL, &settings.images, "table of the SASS, PTX and other images, with how each was made"},
		{"--members", OPTION_FLAG, NULL, &settings.members, "table of the members of an archive or wheel"},
		{"--symbols", OPTION_FLAG, NULL, &settings.symbols, "host symbols: entry points, and what is needed from elsewhere"},
		{"--sizes", OPTION_FLAG, NULL, &settings.sizes, "sizes by architecture and by kernel, largest first"},
		{"--filter", OPTION_LIST, "PATTERN", &settings.filters,
		 "only what has a name that contains or (with * and ?) matches it; -PATTERN: has not; may be repeated"},
		{"--top", OPTION_COUNT, "N", &settings.selection.top, "show N rows of a table"},
		{"--json", OPTION_TEXT, "FILE|-", &settings.json, "write everything as JSON; - is standard output, without the text"},
		{"--policy", OPTION_LIST, "FILE|NAME", &settings.policies,
		 "check what the file asks; publish: what nobody publishes without; may be repeated"},
		{"--expect", OPTION_LIST, "FILE", &settings.expected, "check what the file says of the artifacts, in the format of a policy"},
		{"--against", OPTION_TEXT, "BASE", &settings.against, "what PATH changed since BASE: file and file, or folder and folder"},
		{"--all", OPTION_FLAG, NULL, &settings.all, "with --against: every kernel that is not the same"},
		{"--fail-on-difference", OPTION_FLAG, NULL, &settings.fail_on_difference,
		 "with --against: exit code 1 when anything differs"},
		{"--extract", OPTION_TEXT, "DIR", &settings.extract,
		 "write members, containers and images into a new folder, as far as --filter selects them"},
	};
	const struct command_line command = {
		.program = "assay inspect",
		.positional = "PATH...",
		.summary = "Shows what is inside artifacts: units, images, kernels, host symbols; which GPUs and drivers can run them,\n"
			   "what made them, and what in them does not fit together. No GPU is needed.",
		.details = "PATH is an archive, object, library or program (ELF, DLL), wheel or zip archive, PTX module, cubin or fatbin,\n"
			   "or a folder that holds some, such as a Cargo build-output folder. Without a table or --list the summary is\n"
			   "shown.\n\n"
			   "docs/inspect-json.schema.json (installed in share/doc/assay) describes the JSON, and\n"
			   "inspect-difference-json.schema.json beside it that of --against. DIR of --extract must not be there, or be\n"
			   "empty; it appears once all its files are written.\n\n"
			   "policies/publish.ini, which is installed as `publish`, shows every rule that a policy can hold.\n\n"
			   "Exit code: 0; 1 when a rule of --policy or --expect fails, or --fail-on-difference finds one; 3 when an\n"
			   "artifact cannot be read or there is none.",
		.options = options,
		.option_count = (int)ARRAY_COUNT(options),
	};
	struct error err = {0};
	struct output out = {.settings = &settings, .colour = cli_colour(stdout)};
	int paths, help;
	if (command_line_parse(&command, argc - 1, argv + 1, &paths, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	if (paths == 0) {
		error_set(&err, ERROR_USAGE, "assay inspect: needs a PATH; see assay inspect --help");
		return cli_fail(&err);
	}
	if (settings.against && (paths != 1 || settings.extract)) {
		error_set(&err, ERROR_USAGE, settings.extract ? "assay inspect: --against and --extract do not go together"
							       : "assay inspect: --against BASE takes one PATH, the new one");
		return cli_fail(&err);
	}
	if ((settings.all || settings.fail_on_difference) && !settings.against) {
		error_set(&err, ERROR_USAGE, "assay inspect: %s needs --against BASE", settings.all ? "--all" : "--fail-on-difference");
		return cli_fail(&err);
	}
	if (gpu_list_parse(settings.gpus, &out.gpus, &err) ||
	    inspect_policies_open(&settings.policies, &settings.expected, &out.policies, &err))
		return cli_fail(&err);
	settings.selection.filters = settings.filters.items;
	settings.selection.filter_count = settings.filters.count;
	if (settings.extract && extraction_open(&out.extraction, settings.extract, &err)) {
		inspect_policies_close(&out.policies);
		return cli_fail(&err);
	}
	out.artifacts = settings.json ? json_array() : NULL;
	out.files_policy = settings.json ? json_object() : NULL;
	if (settings.against && compare(&out, settings.against, argv[1], &err))
		refuse(&out, argv[1], &err);
	for (int i = 0; i < paths && !settings.against; i++)
		inspect_path(&out, argv[1 + i]);
	if (out.failures && !out.exit_code)
		out.exit_code = 1;
	if (finish_extraction(&out, &err) || write_output(&out, &err))
		out.exit_code = cli_fail(&err);
	json_decref(out.artifacts);
	json_decref(out.files_policy);
	inspect_policies_close(&out.policies);
	text_free(&out.text);
	return out.exit_code;
}
