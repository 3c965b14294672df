#include "cmd_pack.h"

#include "cli.h"
#include "core/options.h"
#include "inspect_policy.h"
#include "manifest.h"
#include "pack.h"
#include "verify_prebuilt.h"

#include <stdlib.h>
#include <string.h>

static const char details[] =
	"DIR is the folder that is to be published: prebuilt/ with its candle-<crate>-<hash> folders, or one of them. The policy "
	"is\n"
	"checked, the kernels are verified and timed, and two files are written into DIR:\n\n"
	"  assay.json  hashes of all files, how they were made, architectures, drivers, verdicts and figures by GPU "
	"architecture;\n"
	"              assay doctor and assay install read and check it (docs/assay-manifest.schema.json)\n"
	"  README.md   a table of the same, between the lines <!-- assay: begin --> and <!-- assay: end -->; the rest stays as "
	"it is\n\n"
	"Packed again on a machine with another GPU, it keeps what was found on the first, as long as the files are the same.\n\n"
	"Exit code: 0; 1 when the policy fails or a verdict is bad (both files say so); 2 wrong usage; 3 when it cannot be done.";

struct settings {
	struct verify_options verify;
	struct option_list policies;
	const char *readme, *release;
	int no_verify, no_bench, no_readme;
};

static int note_failures(const json_t *checked, const char *file, struct pack_policy *policy)
{
	const json_t *results = json_object_get(json_object_get(checked, "policy"), "results");
	for (size_t i = 0; i < json_array_size(results); i++) {
		const json_t *result = json_array_get(results, i);
		if (strcmp(manifest_text(result, "verdict", ""), "fail") != 0)
			continue;
		json_t *name = cli_json_text(file, strlen(file));
		json_t *entry =
			json_pack("{s:o, s:s, s:s, s:s}", "file", name, "rule", manifest_text(result, "rule", ""), "asked",
				  manifest_text(result, "asked", ""), "evidence", manifest_text(result, "evidence", ""));
		if (!entry || json_array_append_new(policy->failed, entry))
			return -1;
	}
	return 0;
}

static int check_policy(const struct settings *settings, const struct doctor *doctor, struct pack_policy *policy,
			struct text *out, struct error *err)
{
	static const struct option_list none = {0};
	struct option_list list = {.items = {"publish"}, .count = 1};
	struct inspect_policies policies;
	int result = 0;
	for (int i = 0; i < settings->policies.count && list.count < (int)ARRAY_COUNT(list.items); i++)
		list.items[list.count++] = settings->policies.items[i];
	if (inspect_policies_open(&list, &none, &policies, err))
		return -1;
	policy->is_set = 1;
	for (int i = 0; result == 0 && i < doctor->artifact_count; i++) {
		const char *path = doctor->artifacts[i].path;
		struct artifact artifact;
		struct text text = {0};
		int failures = 0;
		json_t *json = json_object();
		if (artifact_open(path, &artifact, err)) {
			json_decref(json);
			result = -1;
			break;
		}
		result = inspect_policies_check(&policies, &artifact, NULL, cli_colour(stdout), &text, json, &failures, err);
		artifact_close(&artifact);
		if (result == 0 && note_failures(json, path_base(path), policy))
			result = error_set(err, ERROR_ENVIRONMENT, "out of memory");
		if (failures) {
			cli_append_clean(out, path, strlen(path));
			text_append(out, "\n");
			text_append_bytes(out, text.data, text.length);
		}
		policy->failures += failures;
		json_decref(json);
		text_free(&text);
	}
	inspect_policies_close(&policies);
	text_append(out, "Policy: %s\n", policy->failures ? "fails" : "pass");
	return result;
}

static int write_readme(const char *path, const json_t *manifest, struct error *err)
{
	struct file_map map = {0};
	struct text table = {0}, text = {0};
	int result = -1;
	if (path_exists(path) && file_map_open(&map, path, err))
		return -1;
	pack_table(manifest, &table);
	if (pack_insert(path, map.data ? (const char *)map.data : "", map.size, &table, &text, err) == 0)
		result = write_file_atomically(path, text.data, text.length, err);
	file_map_close(&map);
	text_free(&table);
	text_free(&text);
	return result;
}

/* Whether the table will find its place in it. */
static int check_readme(const char *path, struct error *err)
{
	const struct text nothing = {0};
	struct file_map map = {0};
	struct text text = {0};
	if (path_exists(path) && file_map_open(&map, path, err))
		return -1;
	const int result = pack_insert(path, map.data ? (const char *)map.data : "", map.size, &nothing, &text, err);
	file_map_close(&map);
	text_free(&text);
	return result;
}

/* A file that cannot be inspected is nothing to publish. */
static int all_readable(const struct doctor *doctor, struct error *err)
{
	for (int i = 0; i < doctor->artifact_count; i++)
		if (doctor->artifacts[i].problem)
			return error_set(err, ERROR_INPUT, "%s", doctor->artifacts[i].problem);
	return 0;
}

static int run_session(const struct settings *settings, const struct doctor *doctor, struct run_record *run, struct text *out,
		       struct error *err)
{
	if (verify_prebuilt(&doctor->prebuilt, NULL, &settings->verify, run, err))
		return -1;
	text_append(out, "Verified%s on ", settings->verify.kind == SESSION_VERIFY ? "" : " and timed");
	verify_summary(run, out);
	text_append(out, "\n");
	return 0;
}

/* What other machines have found is to be kept: a file that cannot be read is not written over. */
static int read_earlier(const char *folder, json_t **earlier, struct error *err)
{
	struct manifest manifest;
	struct error why = {0};
	int found;
	if (manifest_find(folder, &manifest, &found, &why))
		return error_set(err, why.kind, "%s (what it holds would be lost: move it away first)", why.message);
	*earlier = found ? json_incref(manifest.json) : NULL;
	manifest_free(&manifest);
	return 0;
}

static int pack(const struct settings *settings, const char *folder, struct error *err)
{
	const struct doctor_options options = {.prebuilt = folder, .machine = {.without_gpus = 1}, .without_manifest = 1};
	struct pack_policy policy = {.failed = json_array()};
	struct pack_options how = {.release = settings->release, .policy = &policy};
	struct doctor doctor;
	struct run_record run = {0};
	struct text out = {0};
	json_t *manifest = NULL, *earlier = NULL;
	char *path = NULL, *readme = NULL;
	int code = -1;
	if (!policy.failed)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (doctor_examine(&options, &doctor, err)) {
		json_decref(policy.failed);
		return -1;
	}
	path = path_join(doctor.prebuilt.path, MANIFEST_NAME);
	readme = settings->readme ? strdup(settings->readme) : path_join(doctor.prebuilt.path, "README.md");
	if (!path || !readme) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (path_exists(path) && read_earlier(doctor.prebuilt.path, &earlier, err))
		goto done;
	/* better known now than after an hour of work */
	if (all_readable(&doctor, err) || path_can_be_written(path, err) ||
	    (!settings->no_readme && (path_can_be_written(readme, err) || check_readme(readme, err))) ||
	    check_policy(settings, &doctor, &policy, &out, err) ||
	    (!settings->no_verify && run_session(settings, &doctor, &run, &out, err)))
		goto done;
	how.run = settings->no_verify ? NULL : &run;
	how.earlier = earlier;
	if (pack_manifest(&doctor, &how, &manifest, &out, err) || cli_write_json(path, manifest, err) ||
	    (!settings->no_readme && write_readme(readme, manifest, err)))
		goto done;
	cli_append_clean(&out, path, strlen(path));
	if (!settings->no_readme) {
		text_append(&out, " and ");
		cli_append_clean(&out, readme, strlen(readme));
	}
	text_append(&out, " written\n");
	code = pack_is_bad(manifest);
	if (how.run && run_record_exit_code(&run, 0) == 3) {
		fprintf(stderr, "assay: nothing could be verified here: %s says so\n", MANIFEST_NAME);
		code = code ? code : 3;
	}
	if (cli_write_text(&out, err))
		code = -1;
done:
	run_record_free(&run);
	json_decref(manifest);
	json_decref(earlier);
	json_decref(policy.failed);
	free(path);
	free(readme);
	text_free(&out);
	doctor_free(&doctor);
	return code;
}

int cmd_pack(int argc, char **argv)
{
	struct settings settings = {.verify = {.kind = SESSION_RUN}};
	const struct option table[] = {
		{"--policy", OPTION_LIST, "FILE|NAME", &settings.policies, "what is asked beside `publish`; may be repeated"},
		{"--release", OPTION_TEXT, "VERSION", &settings.release,
		 "Candle release of the files; default: what the README says"},
		{"--device", OPTION_TEXT, "cuda:N|cpu", &settings.verify.device,
		 "where to verify; default: cuda:0 when there is one, else cpu"},
		{"--dataset", OPTION_TEXT, "FILE", &settings.verify.dataset, "cases; default: the ones installed with assay"},
		{"--filter", OPTION_LIST, "EXPR", &settings.verify.filters, "these cases only; may be repeated"},
		{"--donor", OPTION_TEXT, "PATH", &settings.verify.donor,
		 "host code to verify with, where the artifacts' own cannot run"},
		{"--math", OPTION_CHOICE, "precise|fast", &settings.verify.math,
		 "what kernels built with fast math are held to; default precise"},
		{"--no-bench", OPTION_FLAG, NULL, &settings.no_bench, "verify, and time nothing"},
		{"--no-verify", OPTION_FLAG, NULL, &settings.no_verify,
		 "neither; what was found before is kept where it is of these files"},
		{"--readme", OPTION_TEXT, "FILE", &settings.readme, "where the table goes; default README.md in DIR"},
		{"--no-readme", OPTION_FLAG, NULL, &settings.no_readme, "write assay.json only"},
		{"--verbose", OPTION_FLAG, NULL, &settings.verify.verbose, "a line for each case that does not pass"},
	};
	const struct command_line command = {
		"assay pack", "DIR", "Checks prebuilt kernels before they are published, and writes down what they are.",
		details,      table, (int)ARRAY_COUNT(table)};
	struct error err = {0};
	struct text quoted = {0};
	int positionals, help, code = -1;
	for (int i = 0; i < argc; i++) {
		text_append(&quoted, i ? " " : "assay ");
		text_append_quoted(&quoted, argv[i]);
	}
	settings.verify.command = quoted.data;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err)) {
		code = cli_fail(&err);
	} else if (help) {
		code = cli_print_help(&command);
	} else if (positionals != 1) {
		error_set(&err, ERROR_USAGE, "assay pack: takes one folder; see assay pack --help");
		code = cli_fail(&err);
	} else {
		if (settings.no_bench)
			settings.verify.kind = SESSION_VERIFY;
		code = pack(&settings, argv[1], &err);
		if (code < 0)
			code = cli_fail(&err);
	}
	text_free(&quoted);
	return code;
}
