/* Requirements about the files themselves, and what all rules share. */
#include "doctor_private.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const struct doctor_requirement_kind doctor_requirements[] = {
	{"readable", "every artifact can be read"},
	{"packed", "the files are those that assay pack described, and it found nothing against them"},
	{"claims", "what README, output and root-output say is true of the files"},
	{"release", "the Candle release is that of the project's Cargo.lock"},
	{"system", "host code is for the target's operating system"},
	{"processor", "host code is for the target's processor"},
	{"crt", "the C runtime is the one that the project links"},
	{"linking", "host code can become part of a program"},
	{"cuda", "the CUDA release of the files and of the toolkit here go together"},
	{"driver", "the driver is new enough"},
	{"gpu", "the GPUs can run the device code"},
	{"build", "the crate's build script will take the files as up to date"},
	{NULL, NULL},
};

void judge_add(struct judge *judge, const char *name, enum fit fit, const char *format, ...)
{
	struct doctor *doctor = judge->doctor;
	struct requirement *requirements =
		realloc(doctor->requirements, (size_t)(doctor->requirement_count + 1) * sizeof *requirements);
	if (!requirements) {
		judge->failed = 1;
		return;
	}
	doctor->requirements = requirements;
	struct requirement *requirement = &requirements[doctor->requirement_count++];
	*requirement = (struct requirement){.folder = judge->index, .name = name, .fit = fit};
	va_list args;
	va_start(args, format);
	char *text = NULL;
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (!text) {
		judge->failed = 1;
		return;
	}
	requirement->evidence = text;
	char *bar = strchr(format, '|') ? strrchr(text, '|') : NULL;
	if (!bar)
		return;
	*bar = '\0';
	requirement->remedy = strdup(bar + 1);
	judge->failed |= !requirement->remedy;
}

const struct doctor_artifact *judge_next(const struct judge *judge, int *at)
{
	while (++*at < judge->doctor->artifact_count) {
		const struct doctor_artifact *facts = &judge->doctor->artifacts[*at];
		if (facts->folder == judge->index && !facts->problem)
			return facts;
	}
	return NULL;
}

const char *judge_file(const struct doctor_artifact *facts)
{
	return path_base(facts->path);
}

const struct cargo_package *judge_package(const struct judge *judge)
{
	if (!judge->doctor->has_project || !judge->folder->crate)
		return NULL;
	return cargo_package_find(&judge->doctor->project, judge->folder->crate, NULL);
}

const char *judge_crate(const struct judge *judge)
{
	return judge->folder->crate ? judge->folder->crate : "the crate";
}

/* ---- what is there ---- */

static void judge_readable(struct judge *judge)
{
	const struct doctor_artifact *broken = NULL;
	int count = 0, bad = 0;
	for (int i = 0; i < judge->doctor->artifact_count; i++) {
		const struct doctor_artifact *facts = &judge->doctor->artifacts[i];
		if (facts->folder != judge->index)
			continue;
		count++;
		bad += facts->problem != NULL;
		if (facts->problem && !broken)
			broken = facts;
	}
	if (broken)
		judge_add(judge, "readable", FIT_NO,
			  "%d of %d artifacts cannot be read: %s|get the folder again: a file was cut off or damaged", bad, count,
			  broken->problem);
	else
		judge_add(judge, "readable", FIT_YES, "%d artifact%s", count, count == 1 ? "" : "s");
}

static int judge_packed(struct judge *judge, struct error *err)
{
	const struct doctor *doctor = judge->doctor;
	struct text problems = {0};
	size_t checked;
	if (!doctor->has_manifest)
		return 0;
	const json_t *entry = manifest_folder(&doctor->manifest, judge->folder);
	if (!entry) {
		judge_add(judge, "packed", FIT_NO,
			  "%s does not list this folder|get the folder again, or pack it again with assay pack", MANIFEST_NAME);
		return 0;
	}
	const int count = manifest_check_files(entry, judge->folder, &problems, &checked, err);
	if (count < 0) {
		text_free(&problems);
		return -1;
	}
	if (count > 0) {
		for (char *newline = problems.data; newline && (newline = strchr(newline, '\n'));)
			*newline = ';';
		judge_add(judge, "packed", FIT_NO, "%s|get the folder again: what is here is not what was packed",
			  problems.data ? problems.data : "");
		text_free(&problems);
		return 0;
	}
	text_free(&problems);
	const char *policy = manifest_text(json_object_get(doctor->manifest.json, "policy"), "verdict", "");
	if (strcmp(policy, "fail") == 0) {
		judge_add(judge, "packed", FIT_NO,
			  "its publisher's policy failed (%s)|ask the publisher; assay inspect --policy publish shows why",
			  MANIFEST_NAME);
		return 0;
	}
	const struct doctor_artifact *facts;
	int runs = 0;
	for (int i = -1; (facts = judge_next(judge, &i));) {
		for (int g = 0; g < doctor->machine.gpu_count; g++) {
			const char *verdict;
			char architecture[16];
			snprintf(architecture, sizeof architecture, "sm_%u", doctor->machine.gpus[g].cc);
			if (!manifest_run(&doctor->manifest, architecture, facts->sha256, &verdict))
				continue;
			runs++;
			if (strcmp(verdict, "pass") == 0)
				continue;
			judge_add(judge, "packed", FIT_NO,
				  "%s: its publisher's verification on %s gave: %.40s (%s)|do not use it; assay verify %s "
				  "shows what is wrong",
				  judge_file(facts), architecture, verdict, MANIFEST_NAME, facts->path);
			return 0;
		}
	}
	judge_add(judge, "packed", FIT_YES, "%zu files are those of %s%s", checked, MANIFEST_NAME,
		  runs			      ? ", and passed verification on this GPU's architecture"
		  : doctor->machine.gpu_count ? "; nobody verified them on this GPU's architecture"
					      : "");
	return 0;
}

static void judge_claims(struct judge *judge)
{
	int kept = 0;
	for (int i = 0; i < judge->doctor->artifact_count; i++) {
		const struct doctor_artifact *facts = &judge->doctor->artifacts[i];
		if (facts->folder != judge->index || facts->problem)
			continue;
		kept += facts->claims_kept;
		if (!facts->claims)
			continue;
		char first[512];
		snprintf(first, sizeof first, "%.*s", (int)strcspn(facts->claims, "\n"), facts->claims);
		for (char *bar = first; (bar = strchr(bar, '|'));)
			*bar = '/';
		judge_add(judge, "claims", FIT_NO,
			  "%s: %s|ask the publisher which of the two is meant: files of several builds may have been mixed",
			  judge_file(facts), first);
		return;
	}
	if (kept)
		judge_add(judge, "claims", FIT_YES, "%d statement%s of the folder and its README hold%s", kept,
			  kept == 1 ? "" : "s", kept == 1 ? "s" : "");
	else
		judge_add(judge, "claims", FIT_UNKNOWN, "neither README nor build output says what the files are");
}

/* ---- release ---- */

/* Releases whose run_mha takes the arguments of that ABI; mha_abi.c has the source. */
static int release_has_abi(const char *version, enum mha_abi abi)
{
	unsigned major = 0, minor = 0;
	if (sscanf(version, "%3u.%3u", &major, &minor) != 2 || major != 0)
		return -1;
	if (abi == MHA_ABI_CANDLE_0_9)
		return minor == 9 || minor == 10;
	if (abi == MHA_ABI_CANDLE_0_11)
		return minor == 11;
	return -1;
}

static const struct doctor_artifact *attention_of(const struct judge *judge)
{
	const struct doctor_artifact *facts;
	for (int i = -1; (facts = judge_next(judge, &i));)
		if (facts->abi.abi != MHA_ABI_NONE && !facts->abi.assumed)
			return facts;
	return NULL;
}

static const char *claimed_release(const struct judge *judge, const char **by)
{
	const json_t *entry = judge->doctor->has_manifest ? manifest_folder(&judge->doctor->manifest, judge->folder) : NULL;
	const char *packed = manifest_text(entry, "release", NULL);
	*by = packed ? MANIFEST_NAME : "README";
	return packed ? packed : judge->folder->has_claims ? judge->folder->claims.candle_release : NULL;
}

/* Folders whose crate the project uses: one of several may be for somebody else. */
static int used_crates(const struct judge *judge)
{
	int count = 0;
	for (int f = 0; f < judge->doctor->prebuilt.count; f++) {
		const char *crate = judge->doctor->prebuilt.folders[f].crate;
		count += crate && cargo_package_find(&judge->doctor->project, crate, NULL);
	}
	return count;
}

static void judge_release(struct judge *judge)
{
	const struct doctor_artifact *attention = attention_of(judge);
	const struct cargo_package *package = judge_package(judge);
	const char *by, *claimed = claimed_release(judge, &by);
	char source[96] = "";
	if (claimed && attention && release_has_abi(claimed, attention->abi.abi) == 0) {
		judge_add(judge, "release", FIT_NO,
			  "%s says Candle %s, but %s: %s|ask the publisher for the release it really is of", by, claimed,
			  judge_file(attention), attention->abi.evidence);
		return;
	}
	if (!judge->doctor->has_project) {
		judge_add(judge, "release", FIT_UNKNOWN,
			  claimed ? "%s says Candle %s; no --project to compare with"
				  : "nothing says which release it is of, and there is no --project to compare with",
			  by, claimed);
		return;
	}
	if (!judge->doctor->project.lock_path) {
		judge_add(judge, "release", FIT_UNKNOWN, "the project has no Cargo.lock|cargo generate-lockfile in %s makes one",
			  judge->doctor->project.root);
		return;
	}
	if (!judge->folder->crate) {
		judge_add(judge, "release", FIT_UNKNOWN,
			  "nothing says which crate the folder belongs to|name the folder <crate>-<hash>, as Cargo did");
		return;
	}
	if (!package && used_crates(judge)) {
		judge_add(judge, "release", FIT_UNKNOWN,
			  "the project does not use %s (not in %s): install leaves this folder out", judge->folder->crate,
			  judge->doctor->project.lock_path);
		return;
	}
	if (!package) {
		judge_add(judge, "release", FIT_NO,
			  "%s is not among the packages of %s|the project does not use it: add the dependency, or the "
			  "feature that brings it (candle's cuda, flash-attn)",
			  judge->folder->crate, judge->doctor->project.lock_path);
		return;
	}
	if (package->revision[0])
		snprintf(source, sizeof source, " from git revision %.12s", package->revision);
	else if (!package->source)
		snprintf(source, sizeof source, " from a path");
	if (attention && release_has_abi(package->version, attention->abi.abi) == 0) {
		judge_add(judge, "release", FIT_NO,
			  "is made for another Candle release: Cargo.lock has %s %s%s, but %s: %s|get the folder for %s %s, "
			  "or let the build script compile",
			  package->name, package->version, source, judge_file(attention), attention->abi.evidence, package->name,
			  package->version);
		return;
	}
	if (claimed && strcmp(claimed, package->version) != 0) {
		judge_add(judge, "release", FIT_NO,
			  "is of another Candle release: %s says %s, and Cargo.lock has %s %s%s|get the folder for %s, or "
			  "change the project: cargo update -p %s --precise %s",
			  by, claimed, package->name, package->version, source, package->version, package->name, claimed);
		return;
	}
	if (claimed)
		judge_add(judge, "release", FIT_YES, "%s says Candle %s, as Cargo.lock has %s%s%s", by, claimed, package->name,
			  source, package->revision[0] ? " (a release is the same at many revisions)" : "");
	else if (attention && release_has_abi(package->version, attention->abi.abi) == 1)
		judge_add(judge, "release", FIT_YES, "Cargo.lock has %s %s%s, and %s: %s", package->name, package->version,
			  source, judge_file(attention), attention->abi.evidence);
	else
		judge_add(judge, "release", FIT_UNKNOWN,
			  "Cargo.lock has %s %s%s; nothing says which release the files are of|ask the publisher; assay "
			  "verify checks what the kernels do",
			  package->name, package->version, source);
}

int doctor_judge(struct doctor *doctor, struct error *err)
{
	for (int f = 0; f < doctor->prebuilt.count; f++) {
		struct judge judge = {.doctor = doctor, .folder = &doctor->prebuilt.folders[f], .index = f};
		judge_readable(&judge);
		if (judge_packed(&judge, err))
			return -1;
		judge_claims(&judge);
		judge_release(&judge);
		judge_system(&judge);
		judge_processor(&judge);
		judge_crt(&judge);
		judge_linking(&judge);
		judge_cuda(&judge);
		judge_driver(&judge);
		judge_gpu(&judge);
		judge_build(&judge);
		if (judge.failed)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	return 0;
}
