/* Requirements of CUDA: toolkit, driver, GPUs, and what build scripts ask of them. */
#include "doctor_private.h"

#include "artifact/compat.h"

#include <stdlib.h>
#include <string.h>

/* Runtime functions that the toolkit's libcudart lacks: their number, the first into *missing; -1: there is no libcudart. */
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

/* Which toolkit serves a program that is linked with what was built with release `theirs` (0: of `major`, no more is known). */
static void name_remedy(unsigned theirs, unsigned major, int at_least, char *text, size_t size)
{
	if (!theirs)
		snprintf(text, size, "CUDA %u.x", major);
	else if (at_least)
		snprintf(text, size, "CUDA %u.%u or later, of the major that its publisher built it with", theirs / 10, theirs % 10);
	else
		snprintf(text, size, "CUDA %u.%u or a later %u.x", theirs / 10, theirs % 10, major);
}

void judge_cuda(struct judge *judge)
{
	const struct machine *machine = &judge->doctor->machine;
	const struct doctor_artifact *facts, *newest = NULL;
	const char *missing = NULL;
	for (int i = -1; (facts = judge_next(judge, &i));)
		if (facts->host != HOST_UNKNOWN && (!newest || facts->toolkit_max > newest->toolkit_max))
			newest = facts;
	if (!newest) {
		judge_add(judge, "cuda", FIT_YES, "device code only: the driver decides");
		return;
	}
	/* what the device code tells; of PTX it is a lower bound, and what the README says above that may be so */
	const unsigned claimed = judge->folder->has_claims ? judge->folder->claims.cuda_version : 0;
	const int by_claim = !newest->toolkit_max || (newest->toolkit_at_least && claimed >= newest->toolkit_max);
	const unsigned theirs = by_claim ? claimed : newest->toolkit_max, here = machine->toolkit;
	const unsigned major = newest->runtime_major && !(by_claim && newest->toolkit_at_least) ? newest->runtime_major
												: theirs / 10;
	const int at_least = newest->toolkit_at_least && !by_claim;
	char release[40], remedy[96];
	name_remedy(theirs, major, at_least, remedy, sizeof remedy);
	if (theirs)
		snprintf(release, sizeof release, "CUDA %u.%u%s", theirs / 10, theirs % 10, at_least ? " or later" : "");
	else
		snprintf(release, sizeof release, "CUDA %u.x", major);
	if (!major) {
		judge_add(judge, "cuda", FIT_UNKNOWN, "nothing says which CUDA release %s was built with", judge_file(newest));
		return;
	}
	if (!here) {
		judge_add(judge, "cuda", judge->doctor->has_project ? FIT_NO : FIT_UNKNOWN,
			  "%s was built with %s, and no CUDA toolkit was found (nvcc on PATH, CUDA_HOME, CUDA_PATH, "
			  "/usr/local/cuda)|install %s: programs are linked with its libcudart",
			  judge_file(newest), release, remedy);
		return;
	}
	/* later than a lower bound may be what it was built with */
	const int may_be_here = at_least && here / 10 > major;
	if (here / 10 != major && !may_be_here) {
		name_remedy(at_least ? theirs : 0, major, at_least, remedy, sizeof remedy);
		judge_add(judge, "cuda", FIT_NO,
			  "%s was built with %s and needs a CUDA runtime of major %u%s, and the toolkit here is CUDA %u.%u "
			  "(%s)|use %s for this project, or get the folder built with CUDA %u",
			  judge_file(newest), release, major, at_least ? " or later" : "", here / 10, here % 10,
			  machine->toolkit_evidence, remedy, here / 10);
		return;
	}
	const int lacks =
		newest->host == HOST_LINUX && newest->runtime_symbol_count ? missing_symbols(judge, newest, &missing) : -1;
	if (lacks > 0)
		judge_add(judge, "cuda", FIT_NO,
			  "%s wants %d function%s that libcudart of CUDA %u.%u here lacks, %s among them|use %s",
			  judge_file(newest), lacks, lacks == 1 ? "" : "s", here / 10, here % 10, missing, remedy);
	else if (may_be_here)
		judge_add(judge, "cuda", FIT_UNKNOWN,
			  "%s was built with %s: all its device code is PTX, of an ISA that every release since writes; here is "
			  "CUDA %u.%u (%s)|ask the publisher which CUDA release it was built with; its host code needs that "
			  "major's libcudart",
			  judge_file(newest), release, here / 10, here % 10, machine->toolkit_evidence);
	else if (here >= theirs || lacks == 0)
		judge_add(judge, "cuda", FIT_YES, "built with %s, here CUDA %u.%u (%s)%s", release, here / 10, here % 10,
			  machine->toolkit_evidence,
			  lacks == 0 ? ", whose libcudart has all it wants" : "");
	else
		judge_add(judge, "cuda", FIT_UNKNOWN,
			  "%s was built with %s, and here is the older CUDA %u.%u (%s), whose libcudart may lack what "
			  "it wants|use %s",
			  judge_file(newest), release, here / 10, here % 10, machine->toolkit_evidence, remedy);
}

void judge_driver(struct judge *judge)
{
	const struct machine *machine = &judge->doctor->machine;
	const char *evidence;
	const int windows = judge_system_of(judge_triple(judge, &evidence)) == HOST_WINDOWS;
	const struct doctor_artifact *facts, *by = NULL;
	const char *needed = NULL;
	int compiles = 0;
	for (int i = -1; (facts = judge_next(judge, &i));) {
		/* PTX is compiled where there is nothing else, or where a GPU here needs it */
		int jit = strstr(facts->targets, "SASS") == NULL && facts->targets[0];
		for (int g = 0; g < machine->gpu_count; g++)
			jit |= facts->coverage[g].verdict == COVERAGE_JIT;
		const char *both[] = {windows ? facts->windows_to_load : facts->to_load, !jit	   ? NULL
											 : windows ? facts->windows_to_compile
												   : facts->to_compile};
		for (size_t k = 0; k < ARRAY_COUNT(both); k++) {
			if (!both[k] || (needed && driver_compare(both[k], needed) <= 0))
				continue;
			needed = both[k];
			by = facts;
			compiles = k == 1;
		}
	}
	if (!needed)
		judge_add(judge, "driver", FIT_UNKNOWN, "nothing says which driver the files need");
	else if (!machine->driver[0])
		judge_add(judge, "driver", FIT_UNKNOWN,
			  "needs driver %s or newer to %s %s; there is none here|--driver VERSION asks for another machine",
			  needed, compiles ? "compile" : "load", judge_file(by));
	else if (driver_compare(machine->driver, needed) < 0)
		judge_add(judge, "driver", FIT_NO,
			  "needs driver %s or newer to %s %s, and here is %s (%s)|install driver %s or newer", needed,
			  compiles ? "compile" : "load", judge_file(by), machine->driver, machine->driver_evidence, needed);
	else
		judge_add(judge, "driver", FIT_YES, "needs driver %s or newer, and here is %s (%s)", needed, machine->driver,
			  machine->driver_evidence);
}

void judge_gpu(struct judge *judge)
{
	const struct machine *machine = &judge->doctor->machine;
	const struct doctor_artifact *facts;
	const char *compiled = NULL;
	for (int i = -1; (facts = judge_next(judge, &i));) {
		for (int g = 0; g < machine->gpu_count; g++) {
			const struct artifact_coverage *coverage = &facts->coverage[g];
			const struct machine_gpu *gpu = &machine->gpus[g];
			if (coverage->verdict == COVERAGE_JIT)
				compiled = judge_file(facts);
			if (coverage->verdict != COVERAGE_NONE)
				continue;
			judge_add(judge, "gpu", FIT_NO,
				  "%s cannot run on sm_%u (%s): %s|get the folder built for sm_%u (CUDA_COMPUTE_CAP=%u), or one "
				  "with PTX for an older architecture",
				  judge_file(facts), gpu->cc, gpu->name[0] ? gpu->name : machine->gpu_evidence, coverage->reason,
				  gpu->cc, gpu->cc);
			return;
		}
	}
	if (!machine->gpu_count) {
		int at = -1;
		facts = judge_next(judge, &at);
		judge_add(judge, "gpu", FIT_UNKNOWN, "no GPU here (%.*s); %s holds %s|--gpu sm_XX asks for another machine's",
			  (int)strcspn(machine->gpu_evidence, ":;("), machine->gpu_evidence, facts ? judge_file(facts) : "it",
			  facts && facts->targets[0] ? facts->targets : "no device code");
		return;
	}
	struct text list = {0};
	for (int g = 0; g < machine->gpu_count; g++)
		text_append(&list, "%ssm_%u%s%s%s", g ? ", " : "", machine->gpus[g].cc, machine->gpus[g].name[0] ? " (" : "",
			    machine->gpus[g].name, machine->gpus[g].name[0] ? ")" : "");
	judge_add(judge, "gpu", FIT_YES, "runs on %s (%s)%s%s%s", list.data ? list.data : "", machine->gpu_evidence,
		  compiled ? "; the driver compiles the PTX of " : "", compiled ? compiled : "",
		  compiled ? " at the first start" : "");
	text_free(&list);
}

/* ---- the build script ---- */

/* bindgen_cuda (candle up to 0.9) compares modification times: the archive has to be newer than every source, a PTX file
 * not older than its own, and ptx.rs is only written when something was compiled. cudaforge (from 0.10 on) goes by
 * .cudaforge_cache.json, which holds hashes of sources and arguments. Both ask nvcc for its targets before anything else. */
void judge_build(struct judge *judge)
{
	const struct cargo_project *project = &judge->doctor->project;
	if (!judge->doctor->has_project || !judge_package(judge))
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
		judge_add(
			judge, "build", FIT_NO,
			"no nvcc: the build script of %s asks it for its targets, and fails without, even when there is nothing "
			"to compile|install the CUDA toolkit, or put its bin folder on PATH",
			judge_crate(judge));
	else if (modules && !prebuilt_has_file(judge->folder, "ptx.rs"))
		judge_add(
			judge, "build", FIT_NO,
			"lacks ptx.rs beside %d PTX file%s: the build script writes it only after it has compiled|get the whole "
			"folder, ptx.rs included",
			modules, modules == 1 ? "" : "s");
	else if (forge && !bindgen && !prebuilt_has_file(judge->folder, ".cudaforge_cache.json"))
		judge_add(judge, "build", FIT_NO,
			  "lacks .cudaforge_cache.json, by which the build script (cudaforge) knows what is up to date: it will "
			  "compile everything again|get the whole folder, hidden files included");
	else if (forge && !bindgen)
		judge_add(judge, "build", FIT_UNKNOWN,
			  "the build script (cudaforge) compares hashes of sources and arguments with "
			  ".cudaforge_cache.json: whether they are the same shows when it runs");
	else
		judge_add(judge, "build", FIT_YES, "%s",
			  bindgen ? "the build script (bindgen_cuda) compares times, which install sets"
				  : "no build crate is known that would look at more than times, which install sets");
}
