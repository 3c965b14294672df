#include "doctor.h"

#include "inspect_format.h"
#include "json_object.h"

#include <stdlib.h>

enum { LABEL_WIDTH = 14, NAME_WIDTH = 11 };

static void label(struct text *out, const char *name)
{
	text_append(out, "  %-*s", LABEL_WIDTH, name);
}

__attribute__((format(printf, 3, 4))) static void line(struct text *out, const char *name, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	label(out, name);
	format_flow(out, text ? text : "", LABEL_WIDTH + 2);
	out->failed |= !text;
	free(text);
}

static void append_release(struct text *out, const char *before, unsigned release)
{
	if (release)
		text_append(out, "%sCUDA %u.%u", before, release / 10, release % 10);
}

/* ---- text ---- */

static void show_claims(const struct prebuilt_folder *folder, struct text *out)
{
	const struct provenance *provenance = &folder->provenance;
	const struct readme_claims *claims = &folder->claims;
	struct text said = {0};
	if (folder->has_claims) {
		const char *const before[] = {"README: ", ", "};
		int items = 0;
		if (claims->candle_release)
			text_append(&said, "%sCandle %s", before[items++ > 0], claims->candle_release);
		if (claims->cuda_version)
			append_release(&said, before[items++ > 0], claims->cuda_version);
		else if (claims->cuda_versions)
			text_append(&said, "%sseveral CUDA releases", before[items++ > 0]);
		if (claims->host != HOST_UNKNOWN)
			text_append(&said, "%s%s", before[items++ > 0], host_os_name(claims->host));
		if (claims->windows_sdk)
			text_append(&said, "%sWindows SDK %s", before[items++ > 0], claims->windows_sdk);
		if (claims->machine)
			text_append(&said, "%s%s", before[items++ > 0], claims->machine);
		for (int i = 0; i < claims->compute_cap_count; i++)
			text_append(&said, "%ssm_%u", before[items++ > 0], claims->compute_caps[i]);
	}
	if (folder->is_build_output) {
		text_append(&said, "%sbuild output:", said.length ? "; " : "");
		if (provenance->host != HOST_UNKNOWN)
			text_append(&said, " built on %s", host_os_name(provenance->host));
		append_release(&said, " with ", provenance->cuda_version);
		if (provenance->compute_cap)
			text_append(&said, " for compute capability %u.%u", provenance->compute_cap / 10,
				    provenance->compute_cap % 10);
		if (provenance->host == HOST_UNKNOWN && !provenance->cuda_version && !provenance->compute_cap)
			text_append(&said, " says nothing of how it was made");
	}
	line(out, "claims", "%s", said.length ? said.data : "nothing: neither README nor build output");
	out->failed |= said.failed;
	text_free(&said);
}

static void show_artifact(const struct doctor_artifact *facts, struct text *out)
{
	struct text what = {0};
	text_append(&what, "%s: ", path_base(facts->path));
	if (facts->problem) {
		text_append(&what, "cannot be read");
	} else {
		format_size(&what, (size_t)facts->size);
		text_append(&what, ", %s", facts->targets[0] ? facts->targets : "no device code");
		append_release(&what, ", ", facts->toolkit_max);
		if (facts->toolkit_max && facts->toolkit_at_least)
			text_append(&what, " or later");
		if (facts->host != HOST_UNKNOWN)
			text_append(&what, ", host code for %s %s", host_os_name(facts->host),
				    facts->machine ? facts->machine : "");
		if (facts->crt != MSVC_RUNTIME_UNKNOWN)
			text_append(&what, ", C runtime %s", msvc_runtime_name(facts->crt));
		if (facts->abi.abi != MHA_ABI_NONE)
			text_append(&what, ", run_mha of %s", mha_abi_name(facts->abi.abi));
	}
	line(out, "", "%s", what.data ? what.data : "");
	out->failed |= what.failed;
	text_free(&what);
}

/* Modules of one kind are told together. */
static void show_files(const struct doctor *doctor, int folder, struct text *out)
{
	const struct prebuilt_folder *prebuilt = &doctor->prebuilt.folders[folder];
	struct text all = {0};
	int modules = 0;
	const struct doctor_artifact *module = NULL;
	text_append(&all, "%zu in %s, ", prebuilt->file_count, prebuilt->out);
	format_size(&all, (size_t)prebuilt->bytes);
	line(out, "files", "%s", all.data ? all.data : "");
	text_free(&all);
	for (int i = 0; i < doctor->artifact_count; i++) {
		const struct doctor_artifact *facts = &doctor->artifacts[i];
		if (facts->folder != folder)
			continue;
		if (!facts->problem && facts->host == HOST_UNKNOWN &&
		    strcmp(facts->targets, module ? module->targets : facts->targets) == 0) {
			module = facts;
			modules++;
		} else {
			show_artifact(facts, out);
		}
	}
	if (modules == 1)
		show_artifact(module, out);
	else if (modules)
		line(out, "", "%d modules: %s", modules, module->targets);
	if (prebuilt->build_seconds > 0)
		line(out, "built in", "%.0f s, by its time stamps", prebuilt->build_seconds);
}

static void show_machine(const struct machine *machine, struct text *out)
{
	text_append(out, "Machine\n");
	if (machine->toolkit_root || machine->nvcc)
		line(out, "CUDA toolkit", "%u.%u in %s (%s)", machine->toolkit / 10, machine->toolkit % 10,
		     machine->toolkit_root ? machine->toolkit_root : machine->nvcc, machine->toolkit_evidence);
	else
		line(out, "CUDA toolkit", "none: no nvcc on PATH, nor below CUDA_HOME, CUDA_PATH or /usr/local/cuda");
	line(out, "driver", "%s%s%s%s", machine->driver[0] ? machine->driver : "none", machine->driver[0] ? " (" : "",
	     machine->driver_evidence, machine->driver[0] ? ")" : "");
	if (!machine->gpu_count)
		line(out, "GPUs", "none: %s", machine->gpu_evidence);
	for (int g = 0; g < machine->gpu_count; g++)
		line(out, g ? "" : "GPUs", "sm_%u%s%s%s", machine->gpus[g].cc, machine->gpus[g].name[0] ? ", " : "",
		     machine->gpus[g].name,
		     g				? ""
		     : machine->gpus[g].name[0] ? ""
						: " (stated)");
}

static void show_project(const struct doctor *doctor, struct text *out)
{
	const struct cargo_project *project = &doctor->project;
	text_append(out, "Project\n");
	line(out, "folder", "%s", project->root);
	line(out, "target", "%s (%s)", project->triple ? project->triple : "not known",
	     project->triple ? project->triple_evidence : "no rustc");
	line(out, "builds in", "%s (%s)", project->profile_dir, project->target_evidence);
	for (int f = 0; f < doctor->prebuilt.count; f++) {
		const char *crate = doctor->prebuilt.folders[f].crate;
		int others = 0, more = 0;
		if (!crate)
			continue;
		const struct cargo_package *package = cargo_package_find(project, crate, &others);
		const struct cargo_build_folder *folder = cargo_build_folder_find(project, crate, &more);
		line(out, "", "%s %s%s%s%s; %s%s", crate, package ? package->version : "not in Cargo.lock",
		     package && package->revision[0] ? ", git revision " : "", package ? package->revision : "",
		     others ? " (and another version)" : "", folder ? "build folder " : "no build folder yet",
		     folder ? path_base(folder->path) : "");
	}
}

static void show_requirement(const struct requirement *requirement, int colour, struct text *out)
{
	static const char *const paints[] = {"\033[33m", "\033[32m", "\033[31m"};
	const int column = LABEL_WIDTH + 2 + NAME_WIDTH;
	text_append(out, "  %s%-*s%s%-*s", colour ? paints[requirement->fit] : "", LABEL_WIDTH, fit_name(requirement->fit),
		    colour ? "\033[0m" : "", NAME_WIDTH, requirement->name);
	format_flow(out, requirement->evidence, column);
	if (requirement->remedy) {
		struct text remedy = {0};
		text_append(&remedy, "-> %s", requirement->remedy);
		text_append(out, "%*s", column, "");
		format_flow(out, remedy.data ? remedy.data : "", column);
		out->failed |= remedy.failed;
		text_free(&remedy);
	}
}

static void show_path(const char *path, struct text *out)
{
	cli_append_clean(out, path, strlen(path));
}

void doctor_text(const struct doctor *doctor, int colour, struct text *out)
{
	show_machine(&doctor->machine, out);
	if (doctor->has_project)
		show_project(doctor, out);
	for (int f = 0; f < doctor->prebuilt.count; f++) {
		const struct prebuilt_folder *folder = &doctor->prebuilt.folders[f];
		int counts[3] = {0};
		text_append(out, "\n");
		show_path(folder->path, out);
		text_append(out, "\n");
		line(out, "crate", "%s%s%s%s", folder->crate ? folder->crate : "not known", folder->crate ? " (" : "",
		     folder->crate ? folder->crate_evidence : "", folder->crate ? ")" : "");
		show_claims(folder, out);
		show_files(doctor, f, out);
		static const enum fit order[] = {FIT_NO, FIT_UNKNOWN, FIT_YES};
		for (size_t k = 0; k < ARRAY_COUNT(order); k++)
			for (int i = 0; i < doctor->requirement_count; i++) {
				const struct requirement *requirement = &doctor->requirements[i];
				if (requirement->folder != f || requirement->fit != order[k])
					continue;
				counts[order[k]]++;
				show_requirement(requirement, colour, out);
			}
		text_append(out, "  %s: %d of %d requirements do not fit, %d not known\n",
			    counts[FIT_NO]	  ? "DOES NOT FIT"
			    : counts[FIT_UNKNOWN] ? "fits as far as is known"
						  : "fits",
			    counts[FIT_NO], counts[0] + counts[1] + counts[2], counts[FIT_UNKNOWN]);
	}
}

/* ---- JSON ---- */

static json_t *claims_json(const struct prebuilt_folder *folder)
{
	const struct readme_claims *claims = &folder->claims;
	if (!folder->has_claims)
		return json_null();
	struct object object = object_new();
	json_t *caps = json_array();
	for (int i = 0; i < claims->compute_cap_count; i++)
		json_array_append_new(caps, json_sprintf("sm_%u", claims->compute_caps[i]));
	put_text(&object, "path", claims->path);
	put(&object, "candle_release", text_or_none(claims->candle_release));
	put(&object, "cuda", release_json(claims->cuda_version));
	put(&object, "system", claims->host == HOST_UNKNOWN ? json_null() : json_string(host_os_name(claims->host)));
	put(&object, "windows_sdk", text_or_none(claims->windows_sdk));
	put(&object, "processor", text_or_none(claims->machine));
	put(&object, "architectures", caps);
	return object_done(&object);
}

static json_t *build_json(const struct prebuilt_folder *folder)
{
	const struct provenance *provenance = &folder->provenance;
	if (!folder->is_build_output)
		return json_null();
	struct object object = object_new();
	put(&object, "root_output", text_or_none(provenance->root_output));
	put(&object, "system", provenance->host == HOST_UNKNOWN ? json_null() : json_string(host_os_name(provenance->host)));
	put(&object, "cuda", release_json(provenance->cuda_version));
	put(&object, "compute_capability", release_json(provenance->compute_cap));
	put(&object, "seconds", folder->build_seconds > 0 ? number_json(folder->build_seconds) : json_null());
	return object_done(&object);
}

static json_t *artifact_json(const struct doctor_artifact *facts)
{
	struct object object = object_new();
	put_text(&object, "path", facts->path);
	put(&object, "problem", text_or_none(facts->problem));
	if (!facts->problem) {
		put_text(&object, "sha256", facts->sha256);
		put_int(&object, "size", (int64_t)facts->size);
		put_text(&object, "kind", facts->kind);
		put(&object, "system", facts->host == HOST_UNKNOWN ? json_null() : json_string(host_os_name(facts->host)));
		put(&object, "processor", text_or_none(facts->machine));
		put_text(&object, "targets", facts->targets);
		put(&object, "cuda", release_json(facts->toolkit_max));
		put(&object, "cuda_at_least", facts->toolkit_max ? json_boolean(facts->toolkit_at_least) : json_null());
		put(&object, "c_runtime",
		    facts->crt == MSVC_RUNTIME_UNKNOWN ? json_null() : json_string(msvc_runtime_name(facts->crt)));
		put(&object, "run_mha", facts->abi.abi == MHA_ABI_NONE ? json_null() : json_string(mha_abi_name(facts->abi.abi)));
	}
	return object_done(&object);
}

static json_t *folder_json(const struct doctor *doctor, int index)
{
	const struct prebuilt_folder *folder = &doctor->prebuilt.folders[index];
	struct object object = object_new();
	json_t *artifacts = json_array(), *requirements = json_array();
	put_text(&object, "path", folder->path);
	put_text(&object, "out", folder->out);
	put(&object, "crate", text_or_none(folder->crate));
	put_int(&object, "files", (int64_t)folder->file_count);
	put_int(&object, "bytes", (int64_t)folder->bytes);
	put(&object, "readme", claims_json(folder));
	put(&object, "build_output", build_json(folder));
	for (int i = 0; i < doctor->artifact_count; i++)
		if (doctor->artifacts[i].folder == index &&
		    json_array_append_new(artifacts, artifact_json(&doctor->artifacts[i])))
			object.failed = 1;
	put(&object, "artifacts", artifacts);
	for (int i = 0; i < doctor->requirement_count; i++) {
		const struct requirement *requirement = &doctor->requirements[i];
		if (requirement->folder != index)
			continue;
		struct object item = object_new();
		put_text(&item, "name", requirement->name);
		put_text(&item, "verdict", fit_name(requirement->fit));
		put_text(&item, "evidence", requirement->evidence);
		put(&item, "remedy", text_or_none(requirement->remedy));
		if (json_array_append_new(requirements, object_done(&item)))
			object.failed = 1;
	}
	put(&object, "requirements", requirements);
	put_text(&object, "verdict", fit_name(doctor_verdict(doctor, index)));
	return object_done(&object);
}

static json_t *machine_json(const struct machine *machine)
{
	struct object object = object_new();
	json_t *gpus = json_array();
	for (int g = 0; g < machine->gpu_count; g++)
		json_array_append_new(gpus, json_pack("{s:o, s:o}", "architecture", json_sprintf("sm_%u", machine->gpus[g].cc),
						      "name", text_or_none(machine->gpus[g].name)));
	put(&object, "toolkit", release_json(machine->toolkit));
	put(&object, "toolkit_root", text_or_none(machine->toolkit_root));
	put(&object, "nvcc", text_or_none(machine->nvcc));
	put(&object, "driver", text_or_none(machine->driver));
	put(&object, "gpus", gpus);
	put(&object, "gpus_evidence", text_or_none(machine->gpu_evidence));
	return object_done(&object);
}

static json_t *project_json(const struct doctor *doctor)
{
	const struct cargo_project *project = &doctor->project;
	if (!doctor->has_project)
		return json_null();
	struct object object = object_new();
	json_t *crates = json_array();
	put_text(&object, "root", project->root);
	put(&object, "lock", text_or_none(project->lock_path));
	put_text(&object, "build_folder", project->profile_dir);
	put_text(&object, "profile", project->profile);
	put(&object, "target", text_or_none(project->triple));
	put(&object, "crt_static", project->crt_static < 0 ? json_null() : json_boolean(project->crt_static));
	for (int f = 0; f < doctor->prebuilt.count; f++) {
		const char *crate = doctor->prebuilt.folders[f].crate;
		const struct cargo_package *package = crate ? cargo_package_find(project, crate, NULL) : NULL;
		const struct cargo_build_folder *folder = crate ? cargo_build_folder_find(project, crate, NULL) : NULL;
		if (!crate)
			continue;
		struct object item = object_new();
		put_text(&item, "name", crate);
		put(&item, "version", text_or_none(package ? package->version : NULL));
		put(&item, "revision", text_or_none(package ? package->revision : NULL));
		put(&item, "build_folder", text_or_none(folder ? folder->path : NULL));
		if (json_array_append_new(crates, object_done(&item)))
			object.failed = 1;
	}
	put(&object, "crates", crates);
	return object_done(&object);
}

json_t *doctor_json(const struct doctor *doctor)
{
	struct object object = object_new();
	json_t *folders = json_array();
	put_text(&object, "schema", "assay-doctor");
	put_int(&object, "schema_version", 1);
	put_text(&object, "assay_version", ASSAY_VERSION);
	put_text(&object, "prebuilt", doctor->prebuilt.path);
	put(&object, "manifest", text_or_none(doctor->has_manifest ? doctor->manifest.path : NULL));
	put(&object, "machine", machine_json(&doctor->machine));
	put(&object, "project", project_json(doctor));
	for (int f = 0; f < doctor->prebuilt.count; f++)
		if (json_array_append_new(folders, folder_json(doctor, f)))
			object.failed = 1;
	put(&object, "folders", folders);
	put_text(&object, "verdict", fit_name(doctor_verdict(doctor, -1)));
	return object_done(&object);
}
