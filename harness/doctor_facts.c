#include "doctor.h"

#include "artifact/policy.h"

#include <stdlib.h>
#include <string.h>

static char *text_or_empty(struct text *text)
{
	char *copy = text->failed ? NULL : strdup(text->data ? text->data : "");
	text_free(text);
	return copy;
}

/* ---- images ---- */

struct target {
	enum fatbin_kind kind;
	unsigned arch, isa;
	char suffix;
};

static int compare_targets(const void *a, const void *b)
{
	const struct target *left = a, *right = b;
	if (left->kind != right->kind)
		return left->kind == FATBIN_ELF ? -1 : 1;
	if (left->arch != right->arch)
		return left->arch < right->arch ? -1 : 1;
	return left->suffix != right->suffix ? left->suffix - right->suffix : (int)left->isa - (int)right->isa;
}

/* "SASS sm_80, SASS sm_90a, PTX compute_90 (8.5)" */
static char *targets_of(const struct artifact *artifact)
{
	enum { MOST = 64 };
	struct target targets[MOST];
	struct text out = {0};
	int count = 0;
	for (int u = 0; u < artifact->unit_count; u++) {
		for (int i = 0; i < artifact->units[u].image_count && count < MOST; i++) {
			const struct fatbin_entry *entry = &artifact->units[u].images[i].entry;
			if (entry->kind != FATBIN_ELF && entry->kind != FATBIN_PTX)
				continue;
			const struct target target = {
				entry->kind, entry->arch,
				entry->kind == FATBIN_PTX ? 10 * entry->version_major + entry->version_minor : 0, entry->suffix};
			int known = 0;
			for (int k = 0; k < count; k++)
				known |= compare_targets(&targets[k], &target) == 0;
			if (!known)
				targets[count++] = target;
		}
	}
	if (count)
		qsort(targets, (size_t)count, sizeof targets[0], compare_targets);
	for (int i = 0; i < count; i++) {
		const char suffix[2] = {targets[i].suffix, '\0'};
		if (targets[i].kind == FATBIN_ELF)
			text_append(&out, "%sSASS sm_%u%s", i ? ", " : "", targets[i].arch, suffix);
		else
			text_append(&out, "%sPTX compute_%u%s (%u.%u)", i ? ", " : "", targets[i].arch, suffix,
				    targets[i].isa / 10, targets[i].isa % 10);
	}
	return text_or_empty(&out);
}

/* ---- host code ---- */

static enum host_os host_of_kind(enum object_kind kind)
{
	switch (kind) {
	case OBJECT_ELF_RELOCATABLE:
	case OBJECT_ELF_SHARED:
	case OBJECT_ELF_EXECUTABLE:
	case OBJECT_ELF_OTHER: return HOST_LINUX;
	case OBJECT_COFF:
	case OBJECT_COFF_BIGOBJ:
	case OBJECT_COFF_IMPORT:
	case OBJECT_COFF_LTCG:
	case OBJECT_PE: return HOST_WINDOWS;
	case OBJECT_MACHO: return HOST_MACOS;
	default: return HOST_UNKNOWN;
	}
}

/* The first unit of each kind of fact tells; archives whose units disagree are told by the claims and by inspect. */
static int note_host(const struct artifact *artifact, struct doctor_artifact *facts)
{
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		const enum host_os host = host_of_kind(unit->kind);
		const struct msvc_facts *msvc = &unit->host.msvc;
		if (facts->host == HOST_UNKNOWN && host != HOST_UNKNOWN) {
			facts->host = host;
			facts->machine = object_machine_name(unit->kind, unit->machine);
		}
		if (facts->crt == MSVC_RUNTIME_UNKNOWN && msvc->runtime != MSVC_RUNTIME_UNKNOWN) {
			facts->crt = msvc->runtime;
			facts->other_crt = msvc->other_runtime;
			snprintf(facts->crt_evidence, sizeof facts->crt_evidence, "%s", msvc->evidence);
		} else if (msvc->runtime != MSVC_RUNTIME_UNKNOWN && msvc->runtime != facts->crt) {
			facts->other_crt = msvc->runtime;
		}
		if (facts->not_linkable)
			continue;
		const char *why = host == HOST_LINUX ? artifact_unit_not_linkable(unit) : NULL;
		if (why && asprintf(&facts->not_linkable, "%s %s", unit->name, why) < 0)
			return -1;
		/* Rust's programs are position independent unless they are told otherwise */
		if (!why && host == HOST_LINUX && unit->host.pic == PIC_NO &&
		    asprintf(&facts->not_linkable, "%s is not position independent: %s", unit->name, unit->host.pic_evidence) < 0)
			return -1;
		if (!why && unit->host.needs_device_link && unit->kind == OBJECT_ELF_RELOCATABLE && !facts->not_linkable &&
		    asprintf(&facts->not_linkable, "%s holds device code that has yet to be linked (nvcc -dlink)", unit->name) <
			    0)
			return -1;
	}
	return 0;
}

static int note_runtime_symbols(struct artifact *artifact, struct doctor_artifact *facts, struct error *err)
{
	struct artifact_undefined undefined;
	if (artifact_undefined(artifact, &undefined, err))
		return -1;
	int result = 0;
	if (undefined.count) {
		facts->runtime_symbols = calloc((size_t)undefined.count, sizeof *facts->runtime_symbols);
		if (!facts->runtime_symbols)
			result = error_out_of_memory(err);
	}
	for (int i = 0; result == 0 && i < undefined.count; i++) {
		if (undefined.items[i].origin != ORIGIN_CUDA_RUNTIME)
			continue;
		facts->runtime_symbols[facts->runtime_symbol_count] = strdup(undefined.items[i].name);
		if (!facts->runtime_symbols[facts->runtime_symbol_count])
			result = error_out_of_memory(err);
		else
			facts->runtime_symbol_count++;
	}
	artifact_undefined_free(&undefined);
	return result;
}

static const char *claim_subject(const char *rule)
{
	return strcmp(rule, "claims.toolkit.release") == 0   ? "CUDA "
	       : strcmp(rule, "claims.targets.runs_on") == 0 ? "that it is for "
	       : strcmp(rule, "claims.build.host") == 0	     ? "that it is for "
							     : "";
}

/* What the folder's build output and README say of the file, against what it is. */
static int note_claims(struct artifact *artifact, struct doctor_artifact *facts, struct error *err)
{
	struct policy_report report = {0};
	struct text broken = {0};
	if (policy_check_claims(artifact, &report, err)) {
		policy_report_free(&report);
		return -1;
	}
	for (int i = 0; i < report.count; i++) {
		const struct policy_result *claim = &report.items[i];
		/* kernels that nobody can tell are no contradiction */
		if (strcmp(claim->rule, "claims.symbols.candle") == 0 && facts->abi.assumed)
			continue;
		facts->claims_kept += claim->verdict == POLICY_PASS;
		if (claim->verdict == POLICY_FAIL)
			text_append(&broken, "%s%s says %s%s; %s", broken.length ? "\n" : "", claim->origin,
				    claim_subject(claim->rule), claim->asked, claim->evidence);
	}
	policy_report_free(&report);
	if (!broken.length)
		return 0;
	facts->claims = text_or_empty(&broken);
	return facts->claims ? 0 : error_out_of_memory(err);
}

static int look_inside(const struct doctor *doctor, struct artifact *artifact, struct doctor_artifact *facts, struct error *err)
{
	struct artifact_driver_needs needs;
	facts->size = artifact->map.size;
	facts->kind = object_kind_name(artifact->kind);
	if (artifact_load_images(artifact, 1u << FATBIN_ELF, err) || artifact_driver_needs(artifact, &needs, err) ||
	    artifact_mha_abi(artifact, &facts->abi, err) || note_runtime_symbols(artifact, facts, err) ||
	    note_claims(artifact, facts, err))
		return -1;
	facts->targets = targets_of(artifact);
	if (!facts->targets || note_host(artifact, facts))
		return error_out_of_memory(err);
	facts->toolkit_min = needs.toolkit_min;
	facts->toolkit_max = needs.toolkit_max;
	facts->runtime_major = needs.runtime_major;
	facts->toolkit_at_least = needs.toolkit_at_least;
	facts->to_load = needs.to_load;
	facts->to_compile = needs.to_compile;
	facts->windows_to_load = needs.windows_to_load;
	facts->windows_to_compile = needs.windows_to_compile;
	for (int g = 0; g < doctor->machine.gpu_count; g++) {
		const unsigned cc = doctor->machine.gpus[g].cc;
		if (artifact_coverage(artifact, (int)(cc / 10), (int)(cc % 10), IMAGE_ANY, &facts->coverage[g], err))
			return -1;
	}
	snprintf(facts->sha256, sizeof facts->sha256, "%s", artifact_sha256(artifact));
	return 0;
}

static int gather_one(struct doctor *doctor, int folder, const char *path, struct error *err)
{
	struct artifact artifact;
	struct error why = {0};
	struct doctor_artifact *facts = &doctor->artifacts[doctor->artifact_count];
	*facts = (struct doctor_artifact){.folder = folder, .path = strdup(path)};
	if (!facts->path)
		return error_out_of_memory(err);
	doctor->artifact_count++;
	int failed = artifact_open(path, &artifact, &why);
	if (!failed) {
		failed = look_inside(doctor, &artifact, facts, &why);
		artifact_close(&artifact);
	}
	if (!failed)
		return 0;
	if (why.kind == ERROR_ENVIRONMENT) {
		*err = why;
		return -1;
	}
	facts->problem = strdup(why.message);
	return facts->problem ? 0 : error_out_of_memory(err);
}

int doctor_gather(struct doctor *doctor, struct error *err)
{
	size_t count = 0;
	for (int f = 0; f < doctor->prebuilt.count; f++)
		count += (size_t)doctor->prebuilt.folders[f].artifacts.count;
	doctor->artifacts = calloc(count + 1, sizeof *doctor->artifacts);
	if (!doctor->artifacts)
		return error_out_of_memory(err);
	for (int f = 0; f < doctor->prebuilt.count; f++) {
		const struct artifact_list *list = &doctor->prebuilt.folders[f].artifacts;
		for (int i = 0; i < list->count; i++)
			if (gather_one(doctor, f, list->paths[i], err))
				return -1;
	}
	return 0;
}

int doctor_examine(const struct doctor_options *options, struct doctor *doctor, struct error *err)
{
	*doctor = (struct doctor){.triple = options->triple};
	/* the machine first: what is wrong with an option is told before what is wrong with a folder */
	if (machine_look(&options->machine, &doctor->machine, err))
		return -1;
	if (prebuilt_open(options->prebuilt, &doctor->prebuilt, err) ||
	    (options->project && cargo_project_open(options->project, &doctor->project, err)))
		goto failed;
	doctor->has_project = options->project != NULL;
	if ((!options->without_manifest && manifest_find(doctor->prebuilt.path, &doctor->manifest, &doctor->has_manifest, err)) ||
	    doctor_gather(doctor, err) || doctor_judge(doctor, err))
		goto failed;
	return 0;
failed:
	doctor_free(doctor);
	return -1;
}

void doctor_free(struct doctor *doctor)
{
	for (int i = 0; i < doctor->artifact_count; i++) {
		struct doctor_artifact *facts = &doctor->artifacts[i];
		for (int k = 0; k < facts->runtime_symbol_count; k++)
			free(facts->runtime_symbols[k]);
		free(facts->runtime_symbols);
		free(facts->path);
		free(facts->problem);
		free(facts->targets);
		free(facts->not_linkable);
		free(facts->claims);
	}
	free(doctor->artifacts);
	for (int i = 0; i < doctor->requirement_count; i++) {
		free(doctor->requirements[i].evidence);
		free(doctor->requirements[i].remedy);
	}
	free(doctor->requirements);
	manifest_free(&doctor->manifest);
	machine_free(&doctor->machine);
	cargo_project_free(&doctor->project);
	prebuilt_free(&doctor->prebuilt);
	*doctor = (struct doctor){0};
}

const char *fit_name(enum fit fit)
{
	switch (fit) {
	case FIT_YES: return "fits";
	case FIT_NO: return "does not fit";
	case FIT_UNKNOWN: break;
	}
	return "not known";
}

enum fit doctor_verdict(const struct doctor *doctor, int folder)
{
	enum fit worst = FIT_YES;
	for (int i = 0; i < doctor->requirement_count; i++) {
		const struct requirement *requirement = &doctor->requirements[i];
		if (folder >= 0 && requirement->folder != folder)
			continue;
		if (requirement->fit == FIT_NO)
			return FIT_NO;
		if (requirement->fit == FIT_UNKNOWN)
			worst = FIT_UNKNOWN;
	}
	return worst;
}
