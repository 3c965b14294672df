/* Rules about host code: runtimes, default streams, symbols. */
#include "artifact/policy_private.h"
#include "core/util.h"

#include <stdlib.h>
#include <string.h>

/* Majors of the CUDA runtime that a unit can be linked with: [low, high]; 0: no bound. */
struct majors {
	unsigned low, high;
	const char *low_by, *high_by;
};

static void bound(struct majors *majors, unsigned low, unsigned high, const char *by)
{
	if (low > majors->low) {
		majors->low = low;
		majors->low_by = by;
	}
	if (high && (!majors->high || high < majors->high)) {
		majors->high = high;
		majors->high_by = by;
	}
}

static struct majors majors_of(const struct artifact_unit *unit)
{
	const struct host_object *host = &unit->host;
	struct majors majors = {0};
	bound(&majors, (unsigned)host->cuda_major_min, 0, host->cuda_min_symbol);
	if (host->cuda_major_max)
		bound(&majors, 0, (unsigned)host->cuda_major_max, host->cuda_max_symbol);
	if (host->runtime_library_major)
		bound(&majors, host->runtime_library_major, host->runtime_library_major, host->runtime_library);
	/* host code is compiled by the toolkit that compiles its device code, and takes structures from its headers */
	for (int i = 0; i < unit->image_count && host->origins[ORIGIN_CUDA_RUNTIME]; i++)
		if (unit->images[i].cubin.toolkit)
			bound(&majors, unit->images[i].cubin.toolkit / 10, unit->images[i].cubin.toolkit / 10,
			      "the toolkit of its device code");
	return majors;
}

/* The same for all units of a library together; returns how many of them tell. */
static int library_majors(struct policy_look *look, const struct artifact_library *library, struct majors *all)
{
	const unsigned asked = (unsigned)strtoul(look->setting->values[0], NULL, 10); /* "one": 0 */
	const char *low_unit = NULL, *high_unit = NULL;
	int told = 0;
	*all = (struct majors){0};
	for (int u = library->first; u < library->end; u++) {
		const struct artifact_unit *unit = &look->artifact->units[u];
		const struct majors majors = majors_of(unit);
		char value[16];
		if (!majors.low && !majors.high)
			continue;
		told++;
		look_at(look);
		snprintf(value, sizeof value, "%u", majors.low ? majors.low : majors.high);
		if (asked && majors.low > asked)
			look_violation(look, unit->name, NULL, value, "%s wants a CUDA runtime of major %u or newer (%s)", unit->name,
				       majors.low, majors.low_by);
		else if (asked && majors.high && majors.high < asked)
			look_violation(look, unit->name, NULL, value, "%s wants a CUDA runtime of major %u or older (%s)", unit->name,
				       majors.high, majors.high_by);
		if (majors.low > all->low) {
			bound(all, majors.low, 0, majors.low_by);
			low_unit = unit->name;
		}
		if (majors.high && (!all->high || majors.high < all->high)) {
			bound(all, 0, majors.high, majors.high_by);
			high_unit = unit->name;
		}
	}
	if (all->high && all->low > all->high) {
		char value[32];
		snprintf(value, sizeof value, "%u and %u", all->low, all->high);
		look_violation(look, low_unit, NULL, value,
			       "%s wants a CUDA runtime of major %u or newer (%s), and %s one of %u or older (%s)", low_unit, all->low,
			       all->low_by, high_unit, all->high, all->high_by);
	}
	return told;
}

int check_runtime(struct policy_look *look)
{
	struct majors all = {0};
	int libraries = 0;
	for (struct artifact_library library = {0}; artifact_library_next(look->artifact, &library);) {
		struct majors majors;
		if (library_majors(look, &library, &majors)) {
			all = majors;
			libraries++;
		}
	}
	if (libraries > 1)
		look_note(look, "one fits each of %d libraries", libraries);
	else if (all.low && all.low == all.high)
		look_note(look, "CUDA %u, by %s", all.low, all.low_by);
	else if (all.low)
		look_note(look, "CUDA %u or newer, by %s", all.low, all.low_by);
	else if (all.high)
		look_note(look, "CUDA %u or older, by %s", all.high, all.high_by);
	return 0;
}

static enum msvc_runtime runtime_named(const char *value)
{
	return strcmp(value, "MD") == 0    ? MSVC_RUNTIME_MD
	       : strcmp(value, "MDd") == 0 ? MSVC_RUNTIME_MDD
	       : strcmp(value, "MT") == 0  ? MSVC_RUNTIME_MT
	       : strcmp(value, "MTd") == 0 ? MSVC_RUNTIME_MTD
					   : MSVC_RUNTIME_UNKNOWN;
}

/* *first: the first unit of its library that names a C runtime, NULL before. */
static void check_crt_of(struct policy_look *look, const struct artifact_unit *unit, const struct artifact_unit **first)
{
	const char *asked = look->setting->values[0];
	const enum msvc_runtime named = runtime_named(asked);
	const int release = strcmp(asked, "release") == 0;
	const struct msvc_facts *msvc = &unit->host.msvc;
	const int is_debug = msvc_runtime_is_debug(msvc->runtime) || msvc_runtime_is_debug(msvc->other_runtime);
	const char *name = msvc_runtime_name(msvc->runtime);
	if (msvc->runtime == MSVC_RUNTIME_UNKNOWN && !msvc->has_runtime_checks && msvc->iterator_debug_level <= 0)
		return;
	look_at(look);
	if (msvc->other_runtime != MSVC_RUNTIME_UNKNOWN)
		look_violation(look, unit->name, NULL, name, "%s names two C runtimes: %s and %s", unit->name, name,
			       msvc_runtime_name(msvc->other_runtime));
	else if (release && is_debug)
		look_violation(look, unit->name, NULL, name, "%s is linked with a debug C runtime: %s", unit->name, msvc->evidence);
	else if (release && msvc->has_runtime_checks)
		look_violation(look, unit->name, NULL, "/RTC", "%s was built with /RTC, whose functions debug runtimes have", unit->name);
	else if (release && msvc->iterator_debug_level > 0)
		look_violation(look, unit->name, NULL, "_ITERATOR_DEBUG_LEVEL", "%s was built with _ITERATOR_DEBUG_LEVEL=%d", unit->name,
			       msvc->iterator_debug_level);
	else if (named != MSVC_RUNTIME_UNKNOWN && msvc->runtime != MSVC_RUNTIME_UNKNOWN && msvc->runtime != named)
		look_violation(look, unit->name, NULL, name, "%s is linked with %s: %s", unit->name, name, msvc->evidence);
	else if (*first && msvc->runtime != MSVC_RUNTIME_UNKNOWN && msvc->runtime != (*first)->host.msvc.runtime)
		look_violation(look, unit->name, NULL, name, "%s is linked with %s, but %s with %s: no linker takes both", unit->name, name,
			       (*first)->name, msvc_runtime_name((*first)->host.msvc.runtime));
	if (!*first && msvc->runtime != MSVC_RUNTIME_UNKNOWN)
		*first = unit;
}

int check_crt(struct policy_look *look)
{
	const struct artifact_unit *named = NULL;
	int same = 1;
	for (struct artifact_library library = {0}; artifact_library_next(look->artifact, &library);) {
		const struct artifact_unit *first = NULL;
		for (int u = library.first; u < library.end; u++)
			check_crt_of(look, &look->artifact->units[u], &first);
		if (first && named)
			same &= first->host.msvc.runtime == named->host.msvc.runtime;
		if (!named)
			named = first;
	}
	if (named && same)
		look_note(look, "%s in all of %zu unit%s that name%s one", msvc_runtime_name(named->host.msvc.runtime), look->result->looked_at,
			  PLURAL(look->result->looked_at), look->result->looked_at == 1 ? "s" : "");
	else if (named)
		look_note(look, "one in each library, by %zu units", look->result->looked_at);
	return 0;
}

int check_default_stream(struct policy_look *look)
{
	const char *asked = look->setting->values[0];
	int any_legacy = 0, any_per_thread = 0;
	for (struct artifact_library library = {0}; artifact_library_next(look->artifact, &library);) {
		const struct artifact_unit *legacy = NULL, *per_thread = NULL;
		for (int u = library.first; u < library.end; u++) {
			const struct artifact_unit *unit = &look->artifact->units[u];
			if (!unit->host.legacy_stream && !unit->host.per_thread_stream)
				continue;
			look_at(look);
			if (unit->host.legacy_stream && !legacy)
				legacy = unit;
			if (unit->host.per_thread_stream && !per_thread)
				per_thread = unit;
			if (unit->host.legacy_stream && strcmp(asked, "per-thread") == 0)
				look_violation(look, unit->name, NULL, "legacy", "%s launches on the legacy default stream", unit->name);
			if (unit->host.per_thread_stream && strcmp(asked, "legacy") == 0)
				look_violation(look, unit->name, NULL, "per-thread", "%s launches on the per-thread default stream",
					       unit->name);
		}
		if (legacy && per_thread)
			look_violation(look, legacy->name, NULL, "both",
				       "%s launches on the per-thread default stream and %s on the legacy one", per_thread->name, legacy->name);
		any_legacy |= legacy != NULL;
		any_per_thread |= per_thread != NULL;
	}
	if (any_legacy && any_per_thread)
		look_note(look, "one in each library, by %zu units", look->result->looked_at);
	else if (any_legacy || any_per_thread)
		look_note(look, "the %s one, in %zu unit%s", any_legacy ? "legacy" : "per-thread", look->result->looked_at,
			  PLURAL(look->result->looked_at));
	return 0;
}

int check_unreadable(struct policy_look *look)
{
	for (int u = 0; u < look->artifact->unit_count; u++) {
		const struct artifact_unit *unit = &look->artifact->units[u];
		look_at(look);
		if (unit->problem)
			look_violation(look, unit->name, NULL, object_kind_name(unit->kind), "%s %s", unit->name, unit->problem);
	}
	look_note(look, "all of %zu unit%s could be read", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

int check_position_independent(struct policy_look *look)
{
	for (int u = 0; u < look->artifact->unit_count; u++) {
		const struct artifact_unit *unit = &look->artifact->units[u];
		if (unit->kind != OBJECT_ELF_RELOCATABLE || unit->host.pic == PIC_UNKNOWN)
			continue;
		look_at(look);
		if (unit->host.pic == PIC_NO)
			look_violation(look, unit->name, NULL, unit->host.pic_evidence, "%s cannot be linked into a shared object: %s", unit->name,
				       unit->host.pic_evidence);
	}
	look_note(look, "all of %zu object%s whose relocations tell", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

/* "linux", "windows"; NULL: the unit is for none. */
static const char *host_of(const struct artifact_unit *unit)
{
	switch (unit->kind) {
	case OBJECT_ELF_RELOCATABLE:
	case OBJECT_ELF_SHARED:
	case OBJECT_ELF_EXECUTABLE: return "linux";
	case OBJECT_COFF:
	case OBJECT_COFF_BIGOBJ:
	case OBJECT_COFF_IMPORT:
	case OBJECT_COFF_LTCG:
	case OBJECT_PE: return "windows";
	case OBJECT_MACHO: return "macos";
	default: return NULL;
	}
}

int check_host(struct policy_look *look)
{
	const char *asked = look->setting->values[0];
	for (int u = 0; u < look->artifact->unit_count; u++) {
		const struct artifact_unit *unit = &look->artifact->units[u];
		const char *host = host_of(unit);
		if (!host)
			continue;
		look_at(look);
		if (strcmp(host, asked) != 0)
			look_violation(look, unit->name, NULL, host, "%s (%s) is for %s", unit->name, object_kind_name(unit->kind), host);
	}
	look_note(look, "all of %zu unit%s of host code", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

/* Whether something callable matches: host functions, and kernels of files that are device code only. */
static int defines(const struct policy_look *look, const struct artifact_entry_points *points, const char *pattern)
{
	for (int i = 0; i < points->count; i++)
		if (glob_match(pattern, points->items[i].name))
			return 1;
	for (int u = 0; u < look->artifact->unit_count && !points->count; u++)
		for (int i = 0; i < look->artifact->units[u].image_count; i++) {
			const struct artifact_image *image = &look->artifact->units[u].images[i];
			for (int k = 0; k < image->cubin.kernel_count; k++)
				if (glob_match(pattern, image->cubin.kernels[k].name))
					return 1;
			for (int k = 0; k < image->ptx.entry_count; k++)
				if (glob_match(pattern, image->ptx.entries[k].name))
					return 1;
		}
	return 0;
}

int check_entry_points(struct policy_look *look)
{
	const struct policy_setting *setting = look->setting;
	struct artifact_entry_points points;
	if (artifact_entry_points(look->artifact, &points, look->err))
		return -1;
	for (int v = 0; v < setting->value_count; v++) {
		look_at(look);
		if (defines(look, &points, setting->values[v]))
			continue;
		look_violation(look, NULL, NULL, setting->values[v], "it does not define %s", setting->values[v]);
	}
	look_note(look, "all %d are defined", setting->value_count);
	artifact_entry_points_free(&points);
	return 0;
}

int check_candle(struct policy_look *look)
{
	struct mha_abi_evidence abi;
	if (artifact_mha_abi(look->artifact, &abi, look->err))
		return -1;
	if (abi.abi == MHA_ABI_NONE)
		return 0;
	look_at(look);
	if (abi.assumed)
		look_violation(look, NULL, NULL, NULL, "nothing tells which release its run_mha is of: %s", abi.evidence);
	else if (strcmp(mha_abi_name(abi.abi), look->setting->values[0]) != 0)
		look_violation(look, NULL, NULL, mha_abi_name(abi.abi), "its run_mha is %s: %s", mha_abi_name(abi.abi), abi.evidence);
	look_note(look, "%s", abi.evidence);
	return 0;
}
