#include "cmd_install.h"

#include "cli.h"
#include "core/options.h"
#include "doctor.h"
#include "install.h"
#include "verify_prebuilt.h"

#include <stdlib.h>
#include <string.h>

static const char install_details[] =
	"The files go into the folder that the crate's build script used last, TARGET/PROFILE/build/<crate>-<hash>/out (of\n"
	"candle-flash-attn into $CANDLE_FLASH_ATTN_BUILD_DIR where that is set): all at once, with the time of now, so that the "
	"build\n"
	"script takes them as compiled. What Cargo keeps beside `out` is this machine's own and stays. Cargo runs the build "
	"script once\n"
	"more, finds nothing to compile, and links what uses it anew.\n\n"
	"Before that the folder is examined (assay doctor), and its kernels are verified on the GPU, or without one on the cpu. "
	"Files\n"
	"that assay did not put there are displaced with --force only, and put back by assay uninstall. TARGET/assay keeps the "
	"list.\n\n"
	"Exit code: 0; 1 when it does not fit or a verdict is bad, and nothing was installed; 2 wrong usage; 3 when it cannot be "
	"done.";

static const char uninstall_details[] = "Removes the files that assay install put there, puts back what they displaced, and has "
					"Cargo run the build scripts again. Files\n"
					"that were changed since are kept and named. An install or uninstall that was "
					"interrupted is brought to its end, or taken\n"
					"back, first.\n\n"
					"Exit code: 0; 2 wrong usage; 3 when it cannot be done.";

struct settings {
	struct cargo_project_options project;
	struct machine_options machine;
	struct verify_options verify;
	const char *json;
	int verify_on, verify_off, force, dry_run, status;
};

/* Folders that the project has a use for. A folder of several may hold some for other projects. */
static int choose(const struct doctor *doctor, unsigned char *taken, struct text *out, struct error *err)
{
	int count = 0;
	for (int f = 0; f < doctor->prebuilt.count; f++) {
		const struct prebuilt_folder *folder = &doctor->prebuilt.folders[f];
		if (!folder->crate)
			return error_set(
				err, ERROR_INPUT,
				"%s: nothing says which crate it belongs to; name the folder <crate>-<hash>, as Cargo did",
				folder->path);
		taken[f] = doctor->prebuilt.count == 1 || !doctor->project.lock_path ||
			   cargo_package_find(&doctor->project, folder->crate, NULL) != NULL;
		count += taken[f];
		if (taken[f])
			continue;
		cli_append_clean(out, folder->path, strlen(folder->path));
		text_append(out, ": left out, %s is not in the project's Cargo.lock\n", folder->crate);
	}
	return count ? 0 : error_set(err, ERROR_INPUT, "%s: the project uses none of its crates", doctor->prebuilt.path);
}

/* 0: go on; 1: a requirement does not fit. What fits is not shown. */
static int consult(const struct doctor *doctor, const unsigned char *taken, int force, struct text *out)
{
	int refused = 0;
	for (int i = 0; i < doctor->requirement_count; i++) {
		const struct requirement *requirement = &doctor->requirements[i];
		if (!taken[requirement->folder] || requirement->fit == FIT_YES)
			continue;
		const char *crate = doctor->prebuilt.folders[requirement->folder].crate;
		text_append(out, "%s: %s: %s: ", fit_name(requirement->fit), crate, requirement->name);
		cli_append_clean(out, requirement->evidence, strlen(requirement->evidence));
		if (requirement->remedy && requirement->fit == FIT_NO) {
			text_append(out, "\n  -> ");
			cli_append_clean(out, requirement->remedy, strlen(requirement->remedy));
		}
		text_append(out, "\n");
		refused |= requirement->fit == FIT_NO;
	}
	if (refused && force)
		text_append(out, "Installed all the same, as --force asks.\n");
	return refused && !force;
}

/* 0: verified, 1: a verdict is bad, -1: *err. */
static int verify(const struct settings *settings, const struct doctor *doctor, const unsigned char *taken, struct text *summary,
		  struct error *err)
{
	struct run_record run;
	if (verify_prebuilt(&doctor->prebuilt, taken, &settings->verify, &run, err)) {
		run_record_free(&run);
		error_context(err, "not verified, and so not installed (--no-verify installs without)");
		return -1;
	}
	verify_summary(&run, summary);
	int result = run_record_exit_code(&run, 0);
	if (result == 3)
		result = error_set(err, ERROR_ENVIRONMENT,
				   "%s: nothing could be verified here, and so nothing is installed (--no-verify installs "
				   "without)",
				   summary->data ? summary->data : "");
	run_record_free(&run);
	return result;
}

static void tell_time(const struct doctor *doctor, const unsigned char *taken, struct text *out)
{
	double seconds = 0;
	for (int f = 0; f < doctor->prebuilt.count; f++)
		seconds += taken[f] ? doctor->prebuilt.folders[f].build_seconds : 0;
	if (seconds >= 60)
		text_append(out,
			    "Build time saved: %.0f min %02.0f s, as the folder's time stamps tell of its publisher's machine.\n",
			    (double)(long)(seconds / 60), seconds - 60 * (double)(long)(seconds / 60));
	else if (seconds > 0)
		text_append(out, "Build time saved: %.0f s, as the folder's time stamps tell of its publisher's machine.\n",
			    seconds);
	else
		text_append(out, "Build time saved: not known, the folder's time stamps are not those of its build.\n");
}

static void tell_recovery(const char *what)
{
	if (what)
		printf("%s.\n", what);
}

static int find_targets(const struct doctor *doctor, const unsigned char *taken, struct install_target *targets, int *count,
			struct error *err)
{
	for (int f = 0; f < doctor->prebuilt.count; f++) {
		if (!taken[f])
			continue;
		if (install_find_target(&doctor->project, &doctor->prebuilt.folders[f], &targets[*count], err))
			return -1;
		++*count;
	}
	return 0;
}

/* The exit code. */
static int install(const struct settings *settings, const char *path, struct error *err)
{
	const struct doctor_options options = {.prebuilt = path, .project = &settings->project, .machine = settings->machine};
	struct install_options how = {.force = settings->force, .dry_run = settings->dry_run};
	struct install_target *targets = NULL;
	struct install_state state = {.lock = -1};
	struct doctor doctor;
	struct text out = {0}, verified = {0};
	unsigned char *taken = NULL;
	const char *recovered;
	int count = 0, code = -1;
	if (doctor_examine(&options, &doctor, err))
		return -1;
	taken = calloc((size_t)doctor.prebuilt.count + 1, 1);
	targets = calloc((size_t)doctor.prebuilt.count + 1, sizeof *targets);
	if (!taken || !targets) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (choose(&doctor, taken, &out, err) || find_targets(&doctor, taken, targets, &count, err))
		goto done;
	const int refused = consult(&doctor, taken, settings->force, &out);
	if (cli_write_text(&out, err))
		goto done;
	out.length = 0;
	if (refused) {
		fprintf(stderr, "assay: it does not fit, and nothing is installed; --force installs all the same\n");
		code = 1;
		goto done;
	}
	if (install_state_open(doctor.project.target_dir, &state, err))
		goto done;
	if (!settings->verify_off && !settings->dry_run) {
		/* what is in the way is better known before verification than after it */
		struct text plan = {0};
		const struct install_options only_plan = {.force = settings->force, .dry_run = 1};
		const int stands = state.journal || install_all(&state, targets, count, &only_plan, &plan, err) == 0;
		text_free(&plan);
		if (!stands)
			goto done;
		const int verdict = verify(settings, &doctor, taken, &verified, err);
		if (verdict < 0)
			goto done;
		printf("Verified on %s.\n", verified.data ? verified.data : "?");
		if (verdict) {
			fprintf(stderr,
				"assay: a verdict is bad, and nothing is installed; assay verify %s shows which and why\n", path);
			code = 1;
			goto done;
		}
		how.verified = verified.data;
	}
	if (!settings->dry_run) {
		if (install_state_lock(&state, doctor.project.profile_dir, err) || install_state_recover(&state, &recovered, err))
			goto done;
		tell_recovery(recovered);
	}
	if (install_all(&state, targets, count, &how, &out, err))
		goto done;
	if (!settings->dry_run)
		tell_time(&doctor, taken, &out);
	code = cli_write_text(&out, err) ? -1 : 0;
done:
	install_state_close(&state);
	for (int i = 0; targets && i < count; i++)
		install_target_free(&targets[i]);
	free(targets);
	free(taken);
	text_free(&out);
	text_free(&verified);
	doctor_free(&doctor);
	return code;
}

static int show_status(const struct settings *settings, struct error *err)
{
	struct cargo_project project;
	struct install_state state = {.lock = -1};
	struct text out = {0};
	int changed, result = -1;
	if (cargo_project_open(&settings->project, &project, err))
		return -1;
	if (install_state_open(project.target_dir, &state, err))
		goto done;
	if (settings->json) {
		json_t *json = install_status_json(&state);
		result = cli_write_json(settings->json, json, err);
		json_decref(json);
		if (result || strcmp(settings->json, "-") == 0)
			goto done;
	}
	result = install_status(&state, &out, &changed, err) || cli_write_text(&out, err) ? -1 : 0;
done:
	text_free(&out);
	install_state_close(&state);
	cargo_project_free(&project);
	return result;
}

static int uninstall(const struct settings *settings, const char *only, struct error *err)
{
	const struct install_options how = {.force = settings->force, .dry_run = settings->dry_run};
	struct cargo_project project;
	struct install_state state = {.lock = -1};
	struct text out = {0};
	const char *recovered;
	int result = -1;
	if (cargo_project_open(&settings->project, &project, err))
		return -1;
	if (install_state_open(project.target_dir, &state, err))
		goto done;
	if (!path_exists(state.folder)) {
		printf("Nothing is installed.\n");
		result = 0;
		goto done;
	}
	if (!settings->dry_run) {
		if (install_state_lock(&state, project.profile_dir, err) || install_state_recover(&state, &recovered, err))
			goto done;
		tell_recovery(recovered);
	}
	if (json_array_size(state.places) == 0)
		text_append(&out, "Nothing is installed.\n");
	result = uninstall_all(&state, only, &how, &out, err) || cli_write_text(&out, err) ? -1 : 0;
done:
	text_free(&out);
	install_state_close(&state);
	cargo_project_free(&project);
	return result;
}

static int usage(struct error *err, const char *message)
{
	error_set(err, ERROR_USAGE, "%s", message);
	return cli_fail(err);
}

int cmd_install(int argc, char **argv)
{
	struct settings settings = {.verify = {.kind = SESSION_VERIFY}};
	const struct option table[] = {
		{"--project", OPTION_TEXT, "DIR", &settings.project.path, "the Cargo project; needed"},
		{"--profile", OPTION_CHOICE, "release|debug", &settings.project.profile,
		 "which of its build folders; default release"},
		{"--target", OPTION_TEXT, "TRIPLE", &settings.project.triple,
		 "what the project is built for; default: as it is configured, or this machine"},
		{"--target-dir", OPTION_TEXT, "DIR", &settings.project.target_dir,
		 "where Cargo builds; default: what cargo metadata says"},
		{"--verify", OPTION_FLAG, NULL, &settings.verify_on,
		 "verify the kernels first, which is what happens without it too"},
		{"--no-verify", OPTION_FLAG, NULL, &settings.verify_off, "do not"},
		{"--device", OPTION_TEXT, "cuda:N|cpu", &settings.verify.device,
		 "where to verify; default: cuda:0 when there is one, else cpu"},
		{"--dataset", OPTION_TEXT, "FILE", &settings.verify.dataset,
		 "cases to verify with; default: the ones installed with assay"},
		{"--filter", OPTION_LIST, "EXPR", &settings.verify.filters, "verify with these cases only; may be repeated"},
		{"--donor", OPTION_TEXT, "PATH", &settings.verify.donor,
		 "host code to verify with, where the artifacts' own cannot run"},
		{"--verbose", OPTION_FLAG, NULL, &settings.verify.verbose, "a line for each case that does not pass"},
		{"--force", OPTION_FLAG, NULL, &settings.force,
		 "install what does not fit, and displace files that are in the way"},
		{"--dry-run", OPTION_FLAG, NULL, &settings.dry_run, "say what would be done; nothing is verified or changed"},
		{"--status", OPTION_FLAG, NULL, &settings.status,
		 "list what is installed in the project, and what of it was changed"},
		{"--json", OPTION_TEXT, "FILE|-", &settings.json, "with --status: write the list as JSON"},
		{"--cuda", OPTION_TEXT, "DIR", &settings.machine.cuda,
		 "root of the CUDA toolkit; default: as assay doctor finds it"},
	};
	const struct command_line command = {"assay install",
					     "PREBUILT",
					     "Installs prebuilt kernels in a Cargo project, so that its build skips "
					     "compiling them.",
					     install_details,
					     table,
					     (int)ARRAY_COUNT(table)};
	struct error err = {0};
	struct text quoted = {0};
	int positionals, help;
	for (int i = 0; i < argc; i++) {
		text_append(&quoted, i ? " " : "assay ");
		text_append_quoted(&quoted, argv[i]);
	}
	settings.verify.command = quoted.data;
	int code = -1;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		code = cli_fail(&err);
	else if (help)
		code = cli_print_help(&command);
	else if (!settings.project.path)
		code = usage(&err, "assay install: needs --project DIR, the Cargo project; see assay install --help");
	else if (settings.status ? positionals != 0 : positionals != 1)
		code = usage(&err, settings.status ? "assay install: --status takes no PREBUILT"
						   : "assay install: takes one PREBUILT folder; see assay install --help");
	else if (settings.verify_on && settings.verify_off)
		code = usage(&err, "assay install: --verify and --no-verify do not go together");
	else if (settings.json && !settings.status)
		code = usage(&err, "assay install: --json needs --status");
	else
		code = settings.status ? show_status(&settings, &err) : install(&settings, argv[1], &err);
	if (code < 0)
		code = cli_fail(&err);
	text_free(&quoted);
	return code;
}

int cmd_uninstall(int argc, char **argv)
{
	struct settings settings = {0};
	const struct option table[] = {
		{"--project", OPTION_TEXT, "DIR", &settings.project.path, "the Cargo project; needed"},
		{"--profile", OPTION_CHOICE, "release|debug", &settings.project.profile,
		 "whose builds to wait for; default release"},
		{"--target", OPTION_TEXT, "TRIPLE", &settings.project.triple, "likewise"},
		{"--target-dir", OPTION_TEXT, "DIR", &settings.project.target_dir,
		 "where Cargo builds; default: what cargo metadata says"},
		{"--force", OPTION_FLAG, NULL, &settings.force,
		 "remove files that were changed since, too, and even where displaced ones are gone"},
		{"--dry-run", OPTION_FLAG, NULL, &settings.dry_run, "say what would be done, and change nothing"},
	};
	const struct command_line command = {"assay uninstall",
					     "[CRATE]",
					     "Removes what assay install put into a Cargo project, or one crate's "
					     "part of it.",
					     uninstall_details,
					     table,
					     (int)ARRAY_COUNT(table)};
	struct error err = {0};
	int positionals, help;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	if (!settings.project.path)
		return usage(&err, "assay uninstall: needs --project DIR, the Cargo project; see assay uninstall --help");
	if (positionals > 1)
		return usage(&err, "assay uninstall: takes one CRATE at most, such as candle-kernels");
	return uninstall(&settings, positionals ? argv[1] : NULL, &err) ? cli_fail(&err) : 0;
}
