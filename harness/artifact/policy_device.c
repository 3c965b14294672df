/* Rules about device code: targets, toolkit, how it was built, drivers, sizes. */
#include "artifact/compat.h"
#include "artifact/policy_private.h"
#include "core/util.h"

#include <string.h>

/* One translation unit's device code: the images [first, end) of a unit, which share a container. */
struct container {
	const struct artifact_unit *unit;
	int unit_index, first, end;
};

/* The next one of the library; 0 at the end. Starts from {.unit_index = library->first}. */
static int next_container(const struct artifact *artifact, const struct artifact_library *library, struct container *at)
{
	at->first = at->end;
	while (at->unit_index < library->end && at->first == artifact->units[at->unit_index].image_count) {
		at->unit_index++;
		at->first = 0;
	}
	if (at->unit_index == library->end)
		return 0;
	at->unit = &artifact->units[at->unit_index];
	const struct artifact_image *images = at->unit->images;
	for (at->end = at->first + 1; at->end < at->unit->image_count; at->end++)
		if (images[at->end].entry.container != images[at->first].entry.container)
			break;
	return 1;
}

/* SASS tells; without it PTX; what cannot be looked into is taken as holding some. */
static int has_kernels(const struct container *at)
{
	int sass = 0, other = 0;
	for (int i = at->first; i < at->end; i++) {
		const struct artifact_image *image = &at->unit->images[i];
		if (image->cubin.kernel_count + image->ptx.entry_count > 0)
			return 1;
		sass |= image->loaded;
		other |= !image->loaded && image->entry.kind != FATBIN_PTX;
	}
	return other && !sass;
}

static int container_has(const struct container *at, enum fatbin_kind kind, unsigned arch, char suffix)
{
	for (int i = at->first; i < at->end; i++) {
		const struct fatbin_entry *entry = &at->unit->images[i].entry;
		if (entry->kind == kind && entry->arch == arch && entry->suffix == suffix)
			return 1;
	}
	return 0;
}

/* What the container holds of a kind: "sm_80, sm_90". */
static void list_targets(const struct container *at, enum fatbin_kind kind, char *out, size_t size)
{
	size_t used = 0;
	snprintf(out, size, "none");
	for (int i = at->first; i < at->end; i++) {
		char target[24];
		if (at->unit->images[i].entry.kind != kind)
			continue;
		fatbin_entry_target(&at->unit->images[i].entry, target);
		const int length = snprintf(out + used, size - used, "%s%s", used ? ", " : "", target);
		if (length < 0 || (size_t)length >= size - used)
			return;
		used += (size_t)length;
	}
}

struct target {
	unsigned arch;
	char suffix;
};
enum { TARGETS_MAX = 64 };

static int add_target(struct target *targets, int count, unsigned arch, char suffix)
{
	for (int i = 0; i < count; i++)
		if (targets[i].arch == arch && targets[i].suffix == suffix)
			return count;
	if (count < TARGETS_MAX)
		targets[count++] = (struct target){arch, suffix};
	return count;
}

/* What a library's units hold SASS for, each target once. */
static int targets_held(const struct artifact *artifact, const struct artifact_library *library, struct target *targets, int count)
{
	for (struct container at = {.unit_index = library->first}; next_container(artifact, library, &at);)
		for (int i = at.first; i < at.end && has_kernels(&at); i++)
			if (at.unit->images[i].entry.kind == FATBIN_ELF)
				count = add_target(targets, count, at.unit->images[i].entry.arch, at.unit->images[i].entry.suffix);
	return count;
}

int check_sass(struct policy_look *look)
{
	const struct policy_setting *setting = look->setting;
	struct target asked[TARGETS_MAX] = {{0}};
	int asked_count = 0, same = 0, containers = 0, libraries = 0, count = 0;
	/* a PTX module is PTX because it is meant to be */
	if (look->artifact->kind == OBJECT_PTX)
		return 0;
	for (int v = 0; v < setting->value_count; v++) {
		char suffix = 0;
		const unsigned arch = policy_target_value(setting->values[v], "sm_", &suffix);
		if (arch)
			asked_count = add_target(asked, asked_count, arch, suffix);
		else
			same = 1;
	}
	for (struct artifact_library library = {0}; artifact_library_next(look->artifact, &library);) {
		struct target wanted[TARGETS_MAX];
		const int before = containers;
		memcpy(wanted, asked, sizeof wanted);
		count = same ? targets_held(look->artifact, &library, wanted, asked_count) : asked_count;
		for (struct container at = {.unit_index = library.first}; next_container(look->artifact, &library, &at);) {
			if (!has_kernels(&at))
				continue;
			containers++;
			for (int t = 0; t < count; t++) {
				look_at(look);
				if (container_has(&at, FATBIN_ELF, wanted[t].arch, wanted[t].suffix))
					continue;
				char held[160], target[24];
				const char suffix[2] = {wanted[t].suffix, 0};
				snprintf(target, sizeof target, "sm_%u%s", wanted[t].arch, suffix);
				list_targets(&at, FATBIN_ELF, held, sizeof held);
				look_violation(look, at.unit->name, NULL, held, "%s holds no SASS for %s, only for: %s", at.unit->name, target,
					       held);
			}
		}
		libraries += containers > before;
	}
	if (libraries > 1)
		look_note(look, "so it is in each of %d libraries, with %d translation units with kernels", libraries, containers);
	else
		look_note(look, "%d target%s in each of %d translation unit%s with kernels", count, PLURAL(count), containers,
			  PLURAL(containers));
	return 0;
}

static void check_ptx_of(struct policy_look *look, const struct container *at)
{
	const struct policy_setting *setting = look->setting;
	char held[160];
	list_targets(at, FATBIN_PTX, held, sizeof held);
	for (int v = 0; v < setting->value_count; v++) {
		char suffix = 0;
		int portable = 0;
		const unsigned arch = policy_target_value(setting->values[v], "compute_", &suffix);
		look_at(look);
		for (int i = at->first; i < at->end; i++)
			portable |= at->unit->images[i].entry.kind == FATBIN_PTX && at->unit->images[i].entry.suffix != 'a';
		if (arch && !container_has(at, FATBIN_PTX, arch, suffix))
			look_violation(look, at->unit->name, NULL, held, "%s holds no PTX for %s, but: %s", at->unit->name, setting->values[v],
				       held);
		else if (!arch && strcmp(setting->values[v], "some") == 0 && !portable)
			look_violation(look, at->unit->name, NULL, held, "%s holds no PTX that GPUs of later families can compile, but: %s",
				       at->unit->name, held);
		else if (!arch && strcmp(setting->values[v], "none") == 0 && strcmp(held, "none") != 0)
			look_violation(look, at->unit->name, NULL, held, "%s holds PTX: %s", at->unit->name, held);
	}
}

/* What a device link made holds no PTX: the driver links again from its inputs, which are looked at themselves. */
static int stands_for_inputs(const struct artifact *artifact, const struct artifact_library *library, const struct container *at,
			     int *looked_into)
{
	enum { RESULTS_MAX = 64 }; /* a library has one; beyond it only a made-up file goes */
	for (int i = at->first; i < at->end; i++)
		if (at->unit->images[i].entry.kind == FATBIN_PTX)
			return 0;
	return library->device_linked && (*looked_into)++ < RESULTS_MAX &&
	       artifact_is_link_result(artifact, library, at->unit, at->first, at->end);
}

int check_ptx(struct policy_look *look)
{
	int containers = 0, looked_into = 0;
	for (struct artifact_library library = {0}; artifact_library_next(look->artifact, &library);)
		for (struct container at = {.unit_index = library.first}; next_container(look->artifact, &library, &at);)
			if (has_kernels(&at) && !stands_for_inputs(look->artifact, &library, &at, &looked_into)) {
				containers++;
				check_ptx_of(look, &at);
			}
	look_note(look, "so it is in each of %d translation unit%s with kernels", containers, PLURAL(containers));
	return 0;
}

int check_runs_on(struct policy_look *look)
{
	const struct policy_setting *setting = look->setting;
	struct text how = {0};
	for (int v = 0; v < setting->value_count; v++) {
		char suffix = 0;
		const unsigned cc = policy_target_value(setting->values[v], "sm_", &suffix);
		const char *colon = strchr(setting->values[v], ':');
		struct artifact_coverage coverage;
		if (artifact_coverage(look->artifact, (int)(cc / 10), (int)(cc % 10), IMAGE_ANY, &coverage, look->err)) {
			text_free(&how);
			return -1;
		}
		const char *verdict = coverage_verdict_name(coverage.verdict);
		if (coverage.verdict == COVERAGE_NOTHING)
			continue;
		look_at(look);
		text_append(&how, "%ssm_%u: %s", how.length ? ", " : "", cc, verdict);
		if (coverage.verdict == COVERAGE_NONE) {
			const char *unit = look->artifact->units[coverage.first_none].name;
			look_violation(look, unit, NULL, verdict, "sm_%u cannot run %d of %d translation units, first %s, which %s", cc,
				       coverage.none, coverage.none + coverage.jit + coverage.sass, unit, coverage.reason);
		} else if (coverage.verdict == COVERAGE_JIT && colon && strcmp(colon + 1, "sass") == 0) {
			const char *unit = look->artifact->units[coverage.first_jit].name;
			look_violation(look, unit, NULL, verdict, "sm_%u has to compile %d of %d translation units, first %s", cc, coverage.jit,
				       coverage.jit + coverage.sass, unit);
		}
	}
	if (how.data)
		look_note(look, "%s", how.data);
	look->out_of_memory |= how.failed;
	text_free(&how);
	return 0;
}

/* ---- toolkit ---- */

/* The CUDA release that made an image, and whether it may have been the next one as well (12.5 and 12.6 write the same PTX
 * ISA). 0: nothing tells. */
static unsigned release_of(const struct artifact_image *image, unsigned *also)
{
	*also = 0;
	if (image->entry.kind == FATBIN_ELF)
		return image->cubin.toolkit;
	if (image->entry.kind != FATBIN_PTX)
		return 0;
	unsigned major, minor;
	if (image->loaded && sscanf(image->ptx.toolkit, "%2u.%1u", &major, &minor) == 2)
		return 10 * major + minor;
	const unsigned cuda = cuda_of_ptx_isa(10 * image->entry.version_major + image->entry.version_minor);
	*also = cuda == 125 ? 126 : 0;
	return cuda;
}

/* Whether a release, or the one it may have been as well, is among those of the setting. */
static int is_release_asked(const struct policy_setting *setting, unsigned release, unsigned also)
{
	for (int v = 0; v < setting->value_count; v++) {
		const unsigned asked = policy_release_value(setting->values[v]);
		if (asked && (asked == release || asked == also))
			return 1;
	}
	return 0;
}

/* The release that the first image of a library tells, which all others are held against. */
struct release_measure {
	unsigned release; /* 0: none yet */
	const char *unit;
};

static void check_release_of(struct policy_look *look, const struct artifact_unit *unit, const struct artifact_image *image,
			     struct release_measure *measure)
{
	const int one = strcmp(look->setting->values[0], "one") == 0;
	const char *kind = image->entry.kind == FATBIN_ELF ? "SASS" : "PTX";
	unsigned also;
	const unsigned release = release_of(image, &also), first = measure->release ? measure->release : release;
	char value[16];
	if (!release)
		return;
	look_at(look);
	if (!measure->release)
		*measure = (struct release_measure){release, unit->name};
	if ((one && (release == first || also == first)) || is_release_asked(look->setting, release, also))
		return;
	snprintf(value, sizeof value, "%u.%u", release / 10, release % 10);
	if (one && measure->unit == unit->name)
		look_violation(look, unit->name, NULL, value, "%s holds code of CUDA %u.%u and %s of CUDA %s", unit->name, first / 10,
			       first % 10, kind, value);
	else if (one)
		look_violation(look, unit->name, NULL, value, "%s holds %s of CUDA %s, but %s is of CUDA %u.%u", unit->name, kind, value,
			       measure->unit, first / 10, first % 10);
	else
		look_violation(look, unit->name, NULL, value, "%s holds %s of CUDA %s", unit->name, kind, value);
}

int check_toolkit_release(struct policy_look *look)
{
	const struct artifact *artifact = look->artifact;
	unsigned lowest = 0, highest = 0;
	for (struct artifact_library library = {0}; artifact_library_next(artifact, &library);) {
		struct release_measure measure = {0};
		for (int sass = 1; sass >= 0; sass--) /* SASS names its toolkit, PTX its ISA: SASS is the measure */
			for (int u = library.first; u < library.end; u++)
				for (int i = 0; i < artifact->units[u].image_count; i++)
					if ((artifact->units[u].images[i].entry.kind == FATBIN_ELF) == sass)
						check_release_of(look, &artifact->units[u], &artifact->units[u].images[i], &measure);
		if (measure.release && (!lowest || measure.release < lowest))
			lowest = measure.release;
		if (measure.release > highest)
			highest = measure.release;
	}
	if (lowest && lowest == highest)
		look_note(look, "CUDA %u.%u, by %zu image%s", lowest / 10, lowest % 10, look->result->looked_at,
			  PLURAL(look->result->looked_at));
	else if (lowest)
		look_note(look, "one in each library, from CUDA %u.%u to %u.%u, by %zu images", lowest / 10, lowest % 10, highest / 10,
			  highest % 10, look->result->looked_at);
	return 0;
}

/* "--use_fast_math" and "-use_fast_math" are the same; so are "use_fast_math=..." and its name. */
static int flag_is(const char *word, size_t length, const char *flag)
{
	while (length && *word == '-') {
		word++;
		length--;
	}
	flag += strspn(flag, "-");
	return strlen(flag) == length && memcmp(word, flag, length) == 0;
}

static int text_has_flag(const char *text, size_t length, const char *flag)
{
	for (size_t at = 0; at < length;) {
		size_t end = at;
		while (end < length && text[end] != ' ' && text[end] != '\n' && text[end] != '\0')
			end++;
		if (end > at && flag_is(text + at, end - at, flag))
			return 1;
		at = end + 1;
	}
	return 0;
}

int check_flags(struct policy_look *look)
{
	const struct policy_setting *setting = look->setting;
	const struct provenance *provenance = look->artifact->provenance;
	for (int v = 0; v < setting->value_count && provenance && provenance->flag_count; v++) {
		int found = 0;
		look_at(look);
		for (int f = 0; f < provenance->flag_count && !found; f++)
			found = flag_is(provenance->flags[f], strlen(provenance->flags[f]), setting->values[v]);
		if (!found)
			look_violation(look, NULL, NULL, NULL, "the build folder's output lists %d flags of nvcc, and %s is not among them",
				       provenance->flag_count, setting->values[v]);
	}
	look_note(look, "all are among the flags in the build folder's output");
	return 0;
}

int check_flags_forbidden(struct policy_look *look)
{
	const struct policy_setting *setting = look->setting;
	const struct provenance *provenance = look->artifact->provenance;
	for (int v = 0; v < setting->value_count; v++) {
		const char *flag = setting->values[v];
		for (int f = 0; provenance && f < provenance->flag_count; f++) {
			look_at(look);
			if (flag_is(provenance->flags[f], strlen(provenance->flags[f]), flag))
				look_violation(look, NULL, NULL, provenance->flags[f], "the build folder's output lists %s", provenance->flags[f]);
		}
		for (int u = 0; u < look->artifact->unit_count; u++)
			for (int i = 0; i < look->artifact->units[u].image_count; i++) {
				const struct artifact_unit *unit = &look->artifact->units[u];
				const struct artifact_image *image = &unit->images[i];
				const char *options = image->cubin.tool_options;
				if (!options && !image->entry.options)
					continue;
				look_at(look);
				if ((options && text_has_flag(options, strlen(options), flag)) ||
				    (image->entry.options && text_has_flag(image->entry.options, image->entry.options_length, flag)))
					look_violation(look, unit->name, NULL, flag, "%s was compiled with %s", unit->name, flag);
			}
	}
	if (look->result->looked_at)
		look_note(look, "none among %zu recorded flags and lists of options", look->result->looked_at);
	return 0;
}

int check_fast_math(struct policy_look *look)
{
	const struct provenance *provenance = look->artifact->provenance;
	const int asked = strcmp(look->setting->values[0], "yes") == 0;
	if (!provenance || provenance->fast_math < 0) {
		/* .ftz is what -use_fast_math and -ftz=true leave in PTX; .approx alone may be the source's own wish */
		for (int u = 0; u < look->artifact->unit_count && !asked; u++)
			for (int i = 0; i < look->artifact->units[u].image_count; i++) {
				const struct artifact_unit *unit = &look->artifact->units[u];
				const struct ptx *ptx = &unit->images[i].ptx;
				if (!ptx->entry_count)
					continue;
				look_at(look);
				if (ptx->ftz)
					look_violation(look, unit->name, NULL, "ftz", "%s flushes subnormal numbers to zero in %u instructions",
						       unit->name, ptx->ftz);
			}
		if (look->result->looked_at)
			look_note(look, "no instruction of its PTX flushes subnormal numbers to zero");
		return 0;
	}
	look_at(look);
	if (provenance->fast_math != asked)
		look_violation(look, NULL, NULL, provenance->fast_math ? "yes" : "no", "the build folder says it was built %s --use_fast_math",
			       provenance->fast_math ? "with" : "without");
	look_note(look, "the build folder says so");
	return 0;
}

/* ---- how it was built ---- */

int check_debug(struct policy_look *look)
{
	for (int u = 0; u < look->artifact->unit_count; u++)
		for (int i = 0; i < look->artifact->units[u].image_count; i++) {
			const struct artifact_unit *unit = &look->artifact->units[u];
			const struct artifact_image *image = &unit->images[i];
			char target[24];
			look_at(look);
			if (!(image->entry.flags & FATBIN_FLAG_DEBUG) && !image->ptx.debug && !image->cubin.debug_info)
				continue;
			fatbin_entry_target(&image->entry, target);
			look_violation(look, unit->name, NULL, target, "%s: its code for %s was built for debugging", unit->name, target);
		}
	look_note(look, "none of %zu image%s", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

int check_line_info(struct policy_look *look)
{
	for (int u = 0; u < look->artifact->unit_count; u++)
		for (int i = 0; i < look->artifact->units[u].image_count; i++) {
			const struct artifact_unit *unit = &look->artifact->units[u];
			const struct artifact_image *image = &unit->images[i];
			const struct fatbin_entry *entry = &image->entry;
			char target[24];
			look_at(look);
			const int stated = entry->options && memmem(entry->options, entry->options_length, "line-info", 9);
			if (!image->cubin.line_info && !image->ptx.line_info && !stated)
				continue;
			fatbin_entry_target(entry, target);
			look_violation(look, unit->name, NULL, target, "%s: its code for %s holds tables of source lines%s%.*s", unit->name,
				       target, entry->identifier_length ? " of " : "",
				       (int)(entry->identifier_length < 200 ? entry->identifier_length : 200),
				       entry->identifier ? entry->identifier : "");
		}
	look_note(look, "none of %zu image%s", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

static void check_relocatable_of(struct policy_look *look, const struct artifact_unit *unit)
{
	for (int i = 0; i < unit->image_count; i++) {
		const struct artifact_image *image = &unit->images[i];
		char target[24];
		fatbin_entry_target(&image->entry, target);
		if (image->relocatable_section || image->cubin.relocatable)
			look_violation(look, unit->name, NULL, target, "%s: its code for %s is relocatable and not linked", unit->name, target);
		else if (image->ptx.unresolved)
			look_violation(look, unit->name, NULL, image->ptx.unresolved, "%s calls the device function %s, which is not in it",
				       unit->name, image->ptx.unresolved);
	}
}

int check_relocatable(struct policy_look *look)
{
	int linked = 0;
	for (struct artifact_library library = {0}; artifact_library_next(look->artifact, &library);) {
		linked |= library.device_linked;
		for (int u = library.first; u < library.end; u++) {
			look->result->looked_at += (size_t)look->artifact->units[u].image_count;
			if (!library.device_linked)
				check_relocatable_of(look, &look->artifact->units[u]);
		}
	}
	if (linked)
		look_note(look, "its relocatable device code is linked");
	else
		look_note(look, "none of %zu image%s", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

/* ---- drivers ---- */

static const char *driver_of(unsigned cuda, int windows)
{
	return windows ? windows_driver_of_cuda(cuda) : driver_of_cuda(cuda);
}

/* GPUs that the policy promises for this file, or else every known one from sm_75 on. */
static int gpu_is_promised(const struct policy_look *look, unsigned cc)
{
	int any = 0;
	for (int i = 0; i < look->policy->count; i++) {
		const struct policy_setting *setting = &look->policy->settings[i];
		if (strcmp(setting->rule->key, "runs_on") != 0 || strcmp(setting->values[0], "any") == 0 ||
		    (setting->files && !glob_match(setting->files, path_base(look->artifact->path))))
			continue;
		any = 1;
		for (int v = 0; v < setting->value_count; v++) {
			char suffix;
			if (policy_target_value(setting->values[v], "sm_", &suffix) == cc)
				return 1;
		}
	}
	return !any && cc >= 75;
}

/* PTX that some GPU has to compile, by a driver as old as is promised, or as that GPU needs anyhow. */
static int check_compiling(struct policy_look *look, const char *promised, int windows)
{
	for (size_t g = 0; g < gpu_model_count; g++) {
		const unsigned cc = gpu_models[g].cc;
		struct artifact_coverage coverage;
		if (!gpu_is_promised(look, cc))
			continue;
		if (artifact_coverage(look->artifact, (int)(cc / 10), (int)(cc % 10), IMAGE_ANY, &coverage, look->err))
			return -1;
		if (!coverage.jit || !coverage.ptx_isa) /* linked again from SASS: nothing to compile */
			continue;
		const char *own = driver_of(cuda_of_compute_capability(cc), windows);
		const char *oldest = own && driver_compare(own, promised) > 0 ? own : promised;
		const unsigned cuda = cuda_of_ptx_isa(coverage.ptx_isa);
		const char *needed = driver_of(cuda, windows);
		look_at(look);
		if (!needed)
			look_violation(look, NULL, NULL, NULL, "no driver is known that compiles its PTX %u.%u, which sm_%u would have to",
				       coverage.ptx_isa / 10, coverage.ptx_isa % 10, cc);
		else if (driver_compare(needed, oldest) > 0)
			look_violation(look, look->artifact->units[coverage.first_jit].name, NULL, needed,
				       "sm_%u has to compile %s from PTX %u.%u, for which driver %s is the first; %s cannot", cc,
				       look->artifact->units[coverage.first_jit].name, coverage.ptx_isa / 10, coverage.ptx_isa % 10, needed,
				       oldest);
		if (look->result->violations)
			look_remedy(look, "build with an older toolkit, add SASS for that GPU, or promise a newer driver");
	}
	return 0;
}

static int check_driver(struct policy_look *look, int windows)
{
	const char *promised = look->setting->values[0], *zstd = driver_of(124, windows);
	struct artifact_driver_needs needs;
	const struct artifact_unit *zstd_unit = NULL;
	for (int u = 0; u < look->artifact->unit_count; u++) {
		const struct artifact_unit *unit = &look->artifact->units[u];
		const int coff = unit->kind == OBJECT_COFF || unit->kind == OBJECT_COFF_BIGOBJ || unit->kind == OBJECT_PE;
		const int elf = unit->kind == OBJECT_ELF_RELOCATABLE || unit->kind == OBJECT_ELF_SHARED || unit->kind == OBJECT_ELF_EXECUTABLE;
		if ((windows && elf) || (!windows && coff)) {
			look_nothing(look, "its host code is for %s", windows ? "Linux" : "Windows");
			return 0;
		}
		for (int i = 0; i < unit->image_count; i++)
			if (!zstd_unit && unit->images[i].entry.compression == FATBIN_ZSTD)
				zstd_unit = unit;
	}
	if (artifact_driver_needs(look->artifact, &needs, look->err))
		return -1;
	const char *by_runtime = windows ? needs.windows_runtime : needs.linux_runtime;
	if (by_runtime) {
		look_at(look);
		if (driver_compare(by_runtime, promised) > 0) {
			look_violation(look, NULL, NULL, by_runtime, "code of CUDA %u needs driver %s", needs.major, by_runtime);
			look_remedy(look, "build with a toolkit of an older major release, or promise a newer driver");
		}
	}
	if (zstd_unit) {
		look_at(look);
		if (driver_compare(zstd, promised) > 0) {
			look_violation(look, zstd_unit->name, NULL, zstd, "%s is compressed with zstd, which drivers unpack from %s on",
				       zstd_unit->name, zstd);
			look_remedy(look, "compress it as LZ4 (nvcc --compress-mode=speed), or promise a newer driver");
		}
	}
	if (check_compiling(look, promised, windows))
		return -1;
	look_note(look, "it takes %s%s%s%s%s; its PTX compiles wherever it has to", by_runtime ? "" : "any driver for its code",
		  by_runtime ? by_runtime : "", by_runtime ? " for its code" : "", zstd_unit ? ", for its compression " : "",
		  zstd_unit ? zstd : "");
	return 0;
}

int check_driver_linux(struct policy_look *look)
{
	return check_driver(look, 0);
}

int check_driver_windows(struct policy_look *look)
{
	return check_driver(look, 1);
}

/* ---- sizes ---- */

int check_size_file(struct policy_look *look)
{
	const unsigned long long limit = policy_size_value(look->setting->values[0]);
	char value[32];
	look_at(look);
	snprintf(value, sizeof value, "%zu", look->artifact->map.size);
	if (look->artifact->map.size > limit)
		look_violation(look, NULL, NULL, value, "the file has %s bytes", value);
	look_note(look, "%s bytes", value);
	return 0;
}

int check_size_image(struct policy_look *look)
{
	const unsigned long long limit = policy_size_value(look->setting->values[0]);
	const struct artifact_unit *worst_unit = NULL;
	const struct artifact_image *worst = NULL;
	size_t over = 0;
	for (int u = 0; u < look->artifact->unit_count; u++)
		for (int i = 0; i < look->artifact->units[u].image_count; i++) {
			const struct artifact_image *image = &look->artifact->units[u].images[i];
			look_at(look);
			over += image->entry.decompressed_size > limit;
			if (!worst || image->entry.decompressed_size > worst->entry.decompressed_size) {
				worst = image;
				worst_unit = &look->artifact->units[u];
			}
		}
	if (!worst)
		return 0;
	char target[24], value[32];
	fatbin_entry_target(&worst->entry, target);
	snprintf(value, sizeof value, "%zu", worst->entry.decompressed_size);
	if (over) {
		look_violation(look, worst_unit->name, NULL, value, "%s: its image for %s has %s bytes unpacked", worst_unit->name, target, value);
		look->result->violations = over;
	}
	look_note(look, "the largest of %zu images has %s bytes unpacked", look->result->looked_at, value);
	return 0;
}
