/* One function a requirement. Each adds one line, or none where there is nothing to ask. */
#include "doctor.h"

#include "artifact/compat.h"

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

struct judge {
	struct doctor *doctor;
	const struct prebuilt_folder *folder;
	int index;       /* of the folder */
	int failed;      /* memory ran out */
};

/* `remedy` follows `evidence` after a '|'; without one there is none. */
__attribute__((format(printf, 4, 5))) static void add(struct judge *judge, const char *name, enum fit fit, const char *format, ...)
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

/* Artifacts of the folder, one after the other; start with -1. */
static const struct doctor_artifact *next(const struct judge *judge, int *at)
{
	while (++*at < judge->doctor->artifact_count) {
		const struct doctor_artifact *facts = &judge->doctor->artifacts[*at];
		if (facts->folder == judge->index && !facts->problem)
			return facts;
	}
	return NULL;
}

static const char *file_of(const struct doctor_artifact *facts)
{
	return path_base(facts->path);
}

static const struct cargo_package *package_of(const struct judge *judge)
{
	if (!judge->doctor->has_project || !judge->folder->crate)
		return NULL;
	return cargo_package_find(&judge->doctor->project, judge->folder->crate, NULL);
}

static const char *crate_of(const struct judge *judge)
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
		add(judge, "readable", FIT_NO, "%d of %d artifacts cannot be read: %s|get the folder again: a file was cut off or damaged", bad,
		    count, broken->problem);
	else
		add(judge, "readable", FIT_YES, "%d artifact%s", count, count == 1 ? "" : "s");
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
		add(judge, "packed", FIT_NO, "%s does not list this folder|get the folder again, or pack it again with assay pack",
		    MANIFEST_NAME);
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
		add(judge, "packed", FIT_NO, "%s|get the folder again: what is here is not what was packed", problems.data ? problems.data : "");
		text_free(&problems);
		return 0;
	}
	text_free(&problems);
	const char *policy = manifest_text(json_object_get(doctor->manifest.json, "policy"), "verdict", "");
	if (strcmp(policy, "fail") == 0) {
		add(judge, "packed", FIT_NO, "its publisher's policy failed (%s)|ask the publisher; assay inspect --policy publish shows why",
		    MANIFEST_NAME);
		return 0;
	}
	const struct doctor_artifact *facts;
	int runs = 0;
	for (int i = -1; (facts = next(judge, &i));) {
		for (int g = 0; g < doctor->machine.gpu_count; g++) {
			const char *verdict;
			char architecture[16];
			snprintf(architecture, sizeof architecture, "sm_%u", doctor->machine.gpus[g].cc);
			if (!manifest_run(&doctor->manifest, architecture, facts->sha256, &verdict))
				continue;
			runs++;
			if (strcmp(verdict, "pass") == 0)
				continue;
			add(judge, "packed", FIT_NO, "%s: its publisher's verification on %s gave: %.40s (%s)|do not use it; assay verify %s "
						     "shows what is wrong", file_of(facts), architecture, verdict, MANIFEST_NAME, facts->path);
			return 0;
		}
	}
	add(judge, "packed", FIT_YES, "%zu files are those of %s%s", checked, MANIFEST_NAME,
	    runs			      ? ", and passed verification on this GPU's architecture"
	    : doctor->machine.gpu_count	      ? "; nobody verified them on this GPU's architecture"
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
		add(judge, "claims", FIT_NO, "%s: %s|ask the publisher which of the two is meant: files of several builds may have been mixed",
		    file_of(facts), first);
		return;
	}
	if (kept)
		add(judge, "claims", FIT_YES, "%d statement%s of the folder and its README hold%s", kept, kept == 1 ? "" : "s",
		    kept == 1 ? "s" : "");
	else
		add(judge, "claims", FIT_UNKNOWN, "neither README nor build output says what the files are");
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
	for (int i = -1; (facts = next(judge, &i));)
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

static void judge_release(struct judge *judge)
{
	const struct doctor_artifact *attention = attention_of(judge);
	const struct cargo_package *package = package_of(judge);
	const char *by, *claimed = claimed_release(judge, &by);
	char source[96] = "";
	if (claimed && attention && release_has_abi(claimed, attention->abi.abi) == 0) {
		add(judge, "release", FIT_NO, "%s says Candle %s, but %s: %s|ask the publisher for the release it really is of", by, claimed,
		    file_of(attention), attention->abi.evidence);
		return;
	}
	if (!judge->doctor->has_project) {
		add(judge, "release", FIT_UNKNOWN, claimed ? "%s says Candle %s; no --project to compare with"
							    : "nothing says which release it is of, and there is no --project to compare with",
		    by, claimed);
		return;
	}
	if (!judge->doctor->project.lock_path) {
		add(judge, "release", FIT_UNKNOWN, "the project has no Cargo.lock|cargo generate-lockfile in %s makes one",
		    judge->doctor->project.root);
		return;
	}
	if (!judge->folder->crate) {
		add(judge, "release", FIT_UNKNOWN, "nothing says which crate the folder belongs to|name the folder <crate>-<hash>, as Cargo did");
		return;
	}
	if (!package) {
		add(judge, "release", FIT_NO, "%s is not among the packages of %s|the project does not use it: add the dependency, or the "
					      "feature that brings it (candle's cuda, flash-attn)",
		    judge->folder->crate, judge->doctor->project.lock_path);
		return;
	}
	if (package->revision[0])
		snprintf(source, sizeof source, " from git revision %.12s", package->revision);
	else if (!package->source)
		snprintf(source, sizeof source, " from a path");
	if (attention && release_has_abi(package->version, attention->abi.abi) == 0) {
		add(judge, "release", FIT_NO, "is made for another Candle release: Cargo.lock has %s %s%s, but %s: %s|get the folder for %s %s, "
					      "or let the build script compile", package->name, package->version, source, file_of(attention),
		    attention->abi.evidence, package->name, package->version);
		return;
	}
	if (claimed && strcmp(claimed, package->version) != 0) {
		add(judge, "release", FIT_NO, "is of another Candle release: %s says %s, and Cargo.lock has %s %s%s|get the folder for %s, or "
					      "change the project: cargo update -p %s --precise %s",
		    by, claimed, package->name, package->version, source, package->version, package->name, claimed);
		return;
	}
	if (claimed)
		add(judge, "release", FIT_YES, "%s says Candle %s, as Cargo.lock has %s%s%s", by, claimed, package->name, source,
		    package->revision[0] ? " (a release is the same at many revisions)" : "");
	else if (attention && release_has_abi(package->version, attention->abi.abi) == 1)
		add(judge, "release", FIT_YES, "Cargo.lock has %s %s%s, and %s: %s", package->name, package->version, source,
		    file_of(attention), attention->abi.evidence);
	else
		add(judge, "release", FIT_UNKNOWN, "Cargo.lock has %s %s%s; nothing says which release the files are of|ask the publisher; assay "
						   "verify checks what the kernels do", package->name, package->version, source);
}

/* ---- host code ---- */

static enum host_os system_of(const char *triple)
{
	return !triple			     ? HOST_UNKNOWN
	       : strstr(triple, "windows") ? HOST_WINDOWS
	       : strstr(triple, "apple")	     ? HOST_MACOS
	       : strstr(triple, "linux")	     ? HOST_LINUX
					     : HOST_UNKNOWN;
}

/* The target that is asked about, and how it is known. Without a project: this machine. */
static const char *triple_of(const struct judge *judge, const char **evidence)
{
	const struct cargo_project *project = &judge->doctor->project;
	if (judge->doctor->has_project && project->triple) {
		*evidence = project->triple_evidence;
		return project->triple;
	}
	if (judge->doctor->triple) {
		*evidence = "--target";
		return judge->doctor->triple;
	}
	*evidence = "this machine";
#if defined __aarch64__
	return "aarch64-unknown-linux-gnu";
#else
	return "x86_64-unknown-linux-gnu";
#endif
}

static const struct doctor_artifact *with_host_code(const struct judge *judge)
{
	const struct doctor_artifact *facts;
	for (int i = -1; (facts = next(judge, &i));)
		if (facts->host != HOST_UNKNOWN)
			return facts;
	return NULL;
}

static void judge_system(struct judge *judge)
{
	const char *evidence, *triple = triple_of(judge, &evidence);
	const enum host_os wanted = system_of(triple);
	const struct doctor_artifact *facts;
	for (int i = -1; (facts = next(judge, &i));) {
		if (facts->host == HOST_UNKNOWN || facts->host == wanted)
			continue;
		add(judge, "system", FIT_NO, "%s holds host code for %s (%s), and the target is %s (%s)|get the folder that was built on %s: no "
					     "linker for %s takes such objects; its device code can be verified here (assay verify --donor)",
		    file_of(facts), host_os_name(facts->host), facts->machine ? facts->machine : "unknown processor", triple, evidence,
		    host_os_name(wanted), host_os_name(wanted));
		return;
	}
	if ((facts = with_host_code(judge)))
		add(judge, "system", FIT_YES, "host code for %s, as the target %s (%s)", host_os_name(facts->host), triple, evidence);
	else
		add(judge, "system", FIT_YES, "device code only, which is the same for every system");
}

static void judge_processor(struct judge *judge)
{
	const char *evidence, *triple = triple_of(judge, &evidence);
	const char *wanted = strncmp(triple, "x86_64", 6) == 0 ? "x86-64" : strncmp(triple, "aarch64", 7) == 0 ? "AArch64" : NULL;
	const struct doctor_artifact *facts;
	for (int i = -1; (facts = next(judge, &i));) {
		if (!facts->machine || !wanted || strcmp(facts->machine, wanted) == 0)
			continue;
		add(judge, "processor", FIT_NO, "%s holds host code for %s, and the target is %s (%s)|get the folder that was built for %s",
		    file_of(facts), facts->machine, triple, evidence, wanted);
		return;
	}
	facts = with_host_code(judge);
	if (facts && facts->machine && wanted)
		add(judge, "processor", FIT_YES, "host code for %s", facts->machine);
	else if (facts)
		add(judge, "processor", FIT_UNKNOWN, "the processor of %s or of the target %s is not known", file_of(facts), triple);
}

static void judge_crt(struct judge *judge)
{
	const char *evidence, *triple = triple_of(judge, &evidence);
	const struct cargo_project *project = &judge->doctor->project;
	const int is_static = project->crt_static == 1;
	const char *stated = judge->doctor->has_project && project->crt_static >= 0 ? project->crt_evidence : "Rust's default";
	const struct doctor_artifact *facts, *named = NULL;
	if (system_of(triple) == HOST_LINUX) {
		facts = with_host_code(judge);
		if (!facts || facts->host != HOST_LINUX)
			return;
		if (strstr(triple, "musl"))
			add(judge, "crt", FIT_NO, "%s is built for glibc and libstdc++, and the target %s has musl (%s)|build the project for "
						  "a -gnu target: CUDA's own libraries need glibc too", file_of(facts), triple, evidence);
		else if (is_static)
			add(judge, "crt", FIT_NO, "the project links the C runtime statically (%s), and the CUDA runtime opens the driver with "
						  "dlopen, which such a program cannot do|build without +crt-static", stated);
		else
			add(judge, "crt", FIT_YES, "glibc, linked dynamically (%s)", stated);
		return;
	}
	if (system_of(triple) != HOST_WINDOWS)
		return;
	for (int i = -1; (facts = next(judge, &i));) {
		if (facts->crt == MSVC_RUNTIME_UNKNOWN)
			continue;
		named = facts;
		if (facts->other_crt != MSVC_RUNTIME_UNKNOWN && facts->other_crt != facts->crt)
			add(judge, "crt", FIT_NO, "%s names two C runtimes, %s and %s|ask the publisher for a build with one: no linker takes "
						  "both (LNK2038)", file_of(facts), msvc_runtime_name(facts->crt),
			    msvc_runtime_name(facts->other_crt));
		else if (msvc_runtime_is_debug(facts->crt))
			add(judge, "crt", FIT_NO, "%s is linked with the debug C runtime %s (%s), and Rust links the release one in every "
						  "profile|ask the publisher for a release build", file_of(facts), msvc_runtime_name(facts->crt),
			    facts->crt_evidence);
		else if (strstr(triple, "-gnu"))
			add(judge, "crt", FIT_NO, "%s is built by MSVC for %s (%s), and the target is %s|build the project for "
						  "x86_64-pc-windows-msvc", file_of(facts), msvc_runtime_name(facts->crt), facts->crt_evidence,
			    triple);
		else if (msvc_runtime_is_static(facts->crt) != is_static)
			add(judge, "crt", FIT_NO, "%s is built for %s (%s), and the project links the C runtime %s (%s)|set RUSTFLAGS to '-C "
						  "target-feature=%ccrt-static', or get a folder built with %s", file_of(facts),
			    msvc_runtime_name(facts->crt), facts->crt_evidence, is_static ? "statically" : "dynamically", stated,
			    is_static ? '-' : '+', is_static ? "/MT" : "/MD");
		else
			continue;
		return;
	}
	if (named)
		add(judge, "crt", FIT_YES, "%s, as the project links it (%s)", msvc_runtime_name(named->crt), stated);
	else if (with_host_code(judge))
		add(judge, "crt", FIT_UNKNOWN, "no object names its C runtime");
}

static void judge_linking(struct judge *judge)
{
	const struct doctor_artifact *facts;
	int count = 0;
	for (int i = -1; (facts = next(judge, &i));) {
		count += facts->host == HOST_LINUX;
		if (!facts->not_linkable)
			continue;
		char why[300];
		snprintf(why, sizeof why, "%.290s", facts->not_linkable);
		for (char *bar = why; (bar = strchr(bar, '|'));)
			*bar = '/';
		add(judge, "linking", FIT_NO, "%s: %s|ask the publisher for a build with -Xcompiler -fPIC and without -dc, as the build script "
					      "makes it", file_of(facts), why);
		return;
	}
	if (count)
		add(judge, "linking", FIT_YES, "position independent, nothing left to device-link");
}

/* ---- CUDA ---- */

/* Runtime functions that the toolkit's libcudart lacks: their number, the first into *missing; -1: there is no libcudart to look at. */
static int missing_symbols(const struct judge *judge, const struct doctor_artifact *facts, const char **missing)
{
	static const char *const names[] = {"lib64/libcudart.so", "lib/libcudart.so", "targets/x86_64-linux/lib/libcudart.so"};
	const char *root = judge->doctor->machine.toolkit_root;
	struct artifact library;
	int count = -1;
	for (size_t i = 0; root && count < 0 && i < ARRAY_COUNT(names); i++) {
		char *path = path_join(root, names[i]);
		if (path && path_exists(path) && artifact_open(path, &library, NULL) == 0) {
			count = 0;
			for (int s = 0; s < facts->runtime_symbol_count; s++) {
				if (artifact_defines(&library, facts->runtime_symbols[s]) >= 0)
					continue;
				if (count++ == 0)
					*missing = facts->runtime_symbols[s];
			}
			artifact_close(&library);
		}
		free(path);
	}
	return count;
}

static void judge_cuda(struct judge *judge)
{
	const struct machine *machine = &judge->doctor->machine;
	const struct doctor_artifact *facts, *newest = NULL;
	const char *missing = NULL;
	for (int i = -1; (facts = next(judge, &i));)
		if (facts->host != HOST_UNKNOWN && (!newest || facts->toolkit_max > newest->toolkit_max))
			newest = facts;
	if (!newest) {
		add(judge, "cuda", FIT_YES, "device code only: the driver decides");
		return;
	}
	const unsigned theirs = newest->toolkit_max ? newest->toolkit_max
				: judge->folder->has_claims ? judge->folder->claims.cuda_version
							   : 0;
	const unsigned major = newest->runtime_major ? newest->runtime_major : theirs / 10, here = machine->toolkit;
	if (!major) {
		add(judge, "cuda", FIT_UNKNOWN, "nothing says which CUDA release %s was built with", file_of(newest));
		return;
	}
	if (!here) {
		add(judge, "cuda", judge->doctor->has_project ? FIT_NO : FIT_UNKNOWN,
		    "%s was built with CUDA %u.%u, and no CUDA toolkit was found (nvcc on PATH, CUDA_HOME, CUDA_PATH, /usr/local/cuda)|install CUDA "
		    "%u.%u or a later %u.x: programs are linked with its libcudart",
		    file_of(newest), theirs / 10, theirs % 10, theirs / 10, theirs % 10, major);
		return;
	}
	if (here / 10 != major) {
		add(judge, "cuda", FIT_NO, "%s was built with CUDA %u.%u and needs a CUDA runtime of major %u, and the toolkit here is CUDA %u.%u "
					   "(%s)|use CUDA %u.x for this project, or get the folder built with CUDA %u",
		    file_of(newest), theirs / 10, theirs % 10, major, here / 10, here % 10, machine->toolkit_evidence, major, here / 10);
		return;
	}
	const int lacks = newest->host == HOST_LINUX && newest->runtime_symbol_count ? missing_symbols(judge, newest, &missing) : -1;
	if (lacks > 0)
		add(judge, "cuda", FIT_NO, "%s wants %d function%s that libcudart of CUDA %u.%u here lacks, %s among them|use CUDA %u.%u or a later "
					   "%u.x", file_of(newest), lacks, lacks == 1 ? "" : "s", here / 10, here % 10, missing, theirs / 10,
		    theirs % 10, major);
	else if (here >= theirs || lacks == 0)
		add(judge, "cuda", FIT_YES, "built with CUDA %u.%u, here CUDA %u.%u (%s)%s", theirs / 10, theirs % 10, here / 10, here % 10,
		    machine->toolkit_evidence, lacks == 0 ? ", whose libcudart has all it wants" : "");
	else
		add(judge, "cuda", FIT_UNKNOWN, "%s was built with CUDA %u.%u, and here is the older CUDA %u.%u (%s), whose libcudart may lack what "
						"it wants|use CUDA %u.%u or a later %u.x", file_of(newest), theirs / 10, theirs % 10, here / 10,
		    here % 10, machine->toolkit_evidence, theirs / 10, theirs % 10, major);
}

static void judge_driver(struct judge *judge)
{
	const struct machine *machine = &judge->doctor->machine;
	const char *evidence;
	const int windows = system_of(triple_of(judge, &evidence)) == HOST_WINDOWS;
	const struct doctor_artifact *facts, *by = NULL;
	const char *needed = NULL;
	int compiles = 0;
	for (int i = -1; (facts = next(judge, &i));) {
		/* PTX is compiled where there is nothing else, or where a GPU here needs it */
		int jit = strstr(facts->targets, "SASS") == NULL && facts->targets[0];
		for (int g = 0; g < machine->gpu_count; g++)
			jit |= facts->coverage[g].verdict == COVERAGE_JIT;
		const char *both[] = {windows ? facts->windows_to_load : facts->to_load,
				      !jit ? NULL : windows ? facts->windows_to_compile : facts->to_compile};
		for (size_t k = 0; k < ARRAY_COUNT(both); k++) {
			if (!both[k] || (needed && driver_compare(both[k], needed) <= 0))
				continue;
			needed = both[k];
			by = facts;
			compiles = k == 1;
		}
	}
	if (!needed)
		add(judge, "driver", FIT_UNKNOWN, "nothing says which driver the files need");
	else if (!machine->driver[0])
		add(judge, "driver", FIT_UNKNOWN, "needs driver %s or newer to %s %s; there is none here|--driver VERSION asks for another machine",
		    needed, compiles ? "compile" : "load", file_of(by));
	else if (driver_compare(machine->driver, needed) < 0)
		add(judge, "driver", FIT_NO, "needs driver %s or newer to %s %s, and here is %s (%s)|install driver %s or newer", needed,
		    compiles ? "compile" : "load", file_of(by), machine->driver, machine->driver_evidence, needed);
	else
		add(judge, "driver", FIT_YES, "needs driver %s or newer, and here is %s (%s)", needed, machine->driver, machine->driver_evidence);
}

static void judge_gpu(struct judge *judge)
{
	const struct machine *machine = &judge->doctor->machine;
	const struct doctor_artifact *facts;
	const char *compiled = NULL;
	for (int i = -1; (facts = next(judge, &i));) {
		for (int g = 0; g < machine->gpu_count; g++) {
			const struct artifact_coverage *coverage = &facts->coverage[g];
			const struct machine_gpu *gpu = &machine->gpus[g];
			if (coverage->verdict == COVERAGE_JIT)
				compiled = file_of(facts);
			if (coverage->verdict != COVERAGE_NONE)
				continue;
			add(judge, "gpu", FIT_NO, "%s cannot run on sm_%u (%s): %s|get the folder built for sm_%u (CUDA_COMPUTE_CAP=%u), or one "
						  "with PTX for an older architecture", file_of(facts), gpu->cc,
			    gpu->name[0] ? gpu->name : machine->gpu_evidence, coverage->reason, gpu->cc, gpu->cc);
			return;
		}
	}
	if (!machine->gpu_count) {
		int at = -1;
		facts = next(judge, &at);
		add(judge, "gpu", FIT_UNKNOWN, "no GPU here (%.*s); %s holds %s|--gpu sm_XX asks for another machine's",
		    (int)strcspn(machine->gpu_evidence, "(;"), machine->gpu_evidence,
		    facts ? file_of(facts) : "it", facts && facts->targets[0] ? facts->targets : "no device code");
		return;
	}
	struct text list = {0};
	for (int g = 0; g < machine->gpu_count; g++)
		text_append(&list, "%ssm_%u%s%s%s", g ? ", " : "", machine->gpus[g].cc, machine->gpus[g].name[0] ? " (" : "",
			    machine->gpus[g].name, machine->gpus[g].name[0] ? ")" : "");
	add(judge, "gpu", FIT_YES, "runs on %s (%s)%s%s%s", list.data ? list.data : "", machine->gpu_evidence, compiled ? "; the driver compiles the PTX of " : "",
	    compiled ? compiled : "", compiled ? " at the first start" : "");
	text_free(&list);
}

/* ---- the build script ---- */

static int has_file(const struct judge *judge, const char *name)
{
	for (size_t i = 0; i < judge->folder->file_count; i++)
		if (strcmp(judge->folder->files[i].path, name) == 0)
			return 1;
	return 0;
}

/* bindgen_cuda (candle up to 0.9) compares modification times: the archive has to be newer than every source, a PTX file not older
 * than its own, and ptx.rs is only written when something was compiled. cudaforge (from 0.10 on) goes by .cudaforge_cache.json,
 * which holds hashes of sources and arguments. Both ask nvcc for its targets before anything else. */
static void judge_build(struct judge *judge)
{
	const struct cargo_project *project = &judge->doctor->project;
	if (!judge->doctor->has_project || !package_of(judge))
		return;
	int modules = 0;
	for (size_t i = 0; i < judge->folder->file_count; i++) {
		const char *name = judge->folder->files[i].path;
		const size_t length = strlen(name);
		modules += length > 4 && strcmp(name + length - 4, ".ptx") == 0;
	}
	const int forge = cargo_package_find(project, "cudaforge", NULL) != NULL;
	const int bindgen = cargo_package_find(project, "bindgen_cuda", NULL) != NULL;
	if ((forge || bindgen) && !judge->doctor->machine.nvcc)
		add(judge, "build", FIT_NO, "no nvcc: the build script of %s asks it for its targets, and fails without, even when there is nothing "
					    "to compile|install the CUDA toolkit, or put its bin folder on PATH", crate_of(judge));
	else if (modules && !has_file(judge, "ptx.rs"))
		add(judge, "build", FIT_NO, "lacks ptx.rs beside %d PTX file%s: the build script writes it only after it has compiled|get the whole "
					    "folder, ptx.rs included", modules, modules == 1 ? "" : "s");
	else if (forge && !bindgen && !has_file(judge, ".cudaforge_cache.json"))
		add(judge, "build", FIT_NO, "lacks .cudaforge_cache.json, by which the build script (cudaforge) knows what is up to date: it will "
					    "compile everything again|get the whole folder, hidden files included");
	else if (forge && !bindgen)
		add(judge, "build", FIT_UNKNOWN, "the build script (cudaforge) compares hashes of sources and arguments with "
						 ".cudaforge_cache.json: whether they are the same shows when it runs");
	else
		add(judge, "build", FIT_YES, "%s", bindgen ? "the build script (bindgen_cuda) compares times, which install sets"
							    : "no build crate is known that would look at more than times, which install sets");
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
