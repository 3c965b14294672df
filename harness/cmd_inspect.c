#include "cmd_inspect.h"

#include "core/options.h"
#include "inspect.h"

#include <stdlib.h>
#include <string.h>

struct settings {
	const char *json, *gpus;
	int list;
};

/* What the views of all artifacts go into. */
struct output {
	const struct settings *settings;
	struct gpu_list gpus;
	struct text text;
	json_t *artifacts;
	int colour, inspected, exit_code;
};

static int add_json(struct output *out, json_t *json, struct error *err)
{
	if (out->artifacts && json_array_append_new(out->artifacts, json) == 0)
		return 0;
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

static int inspect_one(struct output *out, const char *path, struct error *err)
{
	struct inspection inspection;
	if (inspect_open(path, &out->gpus, &inspection, err))
		return -1;
	int result = 0;
	if (out->settings->list) {
		result = inspect_kernel_list(&inspection, &out->text, err);
	} else {
		if (out->inspected)
			text_append(&out->text, "\n");
		inspect_summary(&inspection, &out->gpus, out->colour, &out->text);
	}
	if (result == 0 && out->settings->json)
		result = add_json(out, inspect_json(&inspection, &out->gpus), err);
	out->inspected++;
	inspect_close(&inspection);
	return result;
}

/* One that cannot be read costs itself only: the others are inspected, and the exit code tells. */
static void refuse(struct output *out, const char *path, struct error *err)
{
	out->exit_code = cli_fail(err);
	if (out->settings->json)
		add_json(out,
			 json_pack("{s:o, s:o}", "path", cli_json_text(path, strlen(path)), "error",
				   cli_json_text(err->message, strlen(err->message))),
			 NULL);
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
	if (list.left_out && !out->settings->list)
		text_append(&out->text, "\n%d object%s beside an archive or library left out: name %s to inspect %s\n", list.left_out,
			    list.left_out == 1 ? "" : "s", list.left_out == 1 ? "it" : "one", list.left_out == 1 ? "it" : "it");
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
	json_t *root = json_pack("{s:s, s:i, s:s, s:O}", "schema", "assay-inspect", "schema_version", 1, "assay_version", ASSAY_VERSION,
				 "artifacts", out->artifacts);
	const int result = cli_write_json(settings->json, root, err);
	json_decref(root);
	return result;
}

int cmd_inspect(int argc, char **argv)
{
	struct settings settings = {0};
	const struct option options[] = {
		{"--gpu", OPTION_TEXT, "sm_XX,...", &settings.gpus, "GPUs to answer for (default: every known one from sm_75 on)"},
		{"--list", OPTION_FLAG, NULL, &settings.list, "kernels, one a line: target, unit and mangled name, with tabs"},
		{"--json", OPTION_TEXT, "FILE|-", &settings.json, "write everything as JSON; - is standard output, without the text"},
	};
	const struct command_line command = {
		.program = "assay inspect",
		.positional = "PATH...",
		.summary = "Shows what is inside artifacts: units, images, kernels, host symbols; which GPUs and drivers can run them,\n"
			   "what made them, and what in them does not fit together. No GPU is needed.",
		.details = "PATH is an archive, object, shared object, PTX module, cubin or fatbin, or a folder that holds some, such as\n"
			   "a Cargo build-output folder.\n\n"
			   "Exit code: 0, or 3 when an artifact cannot be read or there is none.",
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
	if (gpu_list_parse(settings.gpus, &out.gpus, &err))
		return cli_fail(&err);
	out.artifacts = settings.json ? json_array() : NULL;
	for (int i = 0; i < paths; i++)
		inspect_path(&out, argv[1 + i]);
	if (write_output(&out, &err))
		out.exit_code = cli_fail(&err);
	json_decref(out.artifacts);
	text_free(&out.text);
	return out.exit_code;
}
