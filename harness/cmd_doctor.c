#include "cmd_doctor.h"

#include "core/options.h"
#include "doctor.h"
#include "cli.h"

#include <string.h>

static const char details[] =
	"PREBUILT is what somebody published: a folder that Cargo left of a build script (candle-kernels-<hash>), its out, or a "
	"folder\n"
	"of several. Each requirement fits, does not fit or is not known, with the evidence and what to do about it:\n\n"
	"  readable   every artifact can be read\n"
	"  packed     the files are those that assay pack described, and it found nothing against them\n"
	"  claims     what README, output and root-output say is true of the files\n"
	"  release    the Candle release is that of the project's Cargo.lock\n"
	"  system, processor, crt, linking\n"
	"             the host code can be linked into the project's program\n"
	"  cuda, driver, gpu\n"
	"             toolkit, driver and GPUs here can be used with it\n"
	"  build      the crate's build script will take the files as up to date\n\n"
	"Nothing is changed, and no GPU is needed. docs/doctor-json.schema.json (installed in share/doc/assay) describes the "
	"JSON.\n\n"
	"Exit code: 0; 1 when a requirement does not fit; 3 when there is nothing to look at.";

int cmd_doctor(int argc, char **argv)
{
	struct doctor_options options = {0};
	struct cargo_project_options project = {0};
	const char *json = NULL;
	const struct option table[] = {
		{"--project", OPTION_TEXT, "DIR", &project.path, "the Cargo project that is to use it"},
		{"--profile", OPTION_CHOICE, "release|debug", &project.profile, "which of its build folders; default release"},
		{"--target", OPTION_TEXT, "TRIPLE", &project.triple,
		 "what the project is built for; default: as it is configured, or this machine"},
		{"--target-dir", OPTION_TEXT, "DIR", &project.target_dir,
		 "where Cargo builds; default: what cargo metadata says"},
		{"--cuda", OPTION_TEXT, "DIR", &options.machine.cuda,
		 "root of the CUDA toolkit; default: nvcc on PATH, CUDA_HOME, /usr/local/cuda"},
		{"--driver", OPTION_TEXT, "VERSION", &options.machine.driver, "answer for a machine with this driver"},
		{"--gpu", OPTION_TEXT, "sm_XX,...", &options.machine.gpus, "answer for these GPUs instead of those here"},
		{"--json", OPTION_TEXT, "FILE|-", &json, "write everything as JSON; - is standard output, without the text"},
	};
	const struct command_line command = {
		.program = "assay doctor",
		.positional = "PREBUILT",
		.summary = "Tells whether prebuilt kernels fit a project and this machine, and what to do where they do not.",
		.details = details,
		.options = table,
		.option_count = (int)ARRAY_COUNT(table),
	};
	struct doctor doctor;
	struct text out = {0};
	struct error err = {0};
	int positionals, help, code;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	if (positionals != 1) {
		error_set(&err, ERROR_USAGE, "assay doctor: takes one PREBUILT folder; see assay doctor --help");
		return cli_fail(&err);
	}
	if (!project.path && (project.profile || project.target_dir)) {
		error_set(&err, ERROR_USAGE, "assay doctor: %s needs --project DIR",
			  project.profile ? "--profile" : "--target-dir");
		return cli_fail(&err);
	}
	options.prebuilt = argv[1];
	options.triple = project.triple;
	options.project = project.path ? &project : NULL;
	if (doctor_examine(&options, &doctor, &err))
		return cli_fail(&err);
	int failed = 0;
	if (!json || strcmp(json, "-") != 0) {
		doctor_text(&doctor, cli_colour(stdout), &out);
		failed = cli_write_text(&out, &err);
	}
	if (!failed && json) {
		json_t *root = doctor_json(&doctor);
		failed = cli_write_json(json, root, &err);
		json_decref(root);
	}
	code = failed ? cli_fail(&err) : doctor_verdict(&doctor, -1) == FIT_NO;
	text_free(&out);
	doctor_free(&doctor);
	return code;
}
