#include "artifact/artifact.h"
#include "artifact/policy.h"

#include <stdlib.h>
#include <string.h>

/* Findings while they are collected; once memory runs out nothing more is added. */
struct collector {
	struct artifact *artifact;
	struct artifact_findings *findings;
	int failed;
};

static void add(struct collector *out, enum finding_level level, struct text *text)
{
	struct artifact_findings *findings = out->findings;
	struct finding *items = realloc(findings->items, (size_t)(findings->count + 1) * sizeof *items);
	if (items)
		findings->items = items;
	if (!items || text->failed || !text->data) {
		text_free(text);
		out->failed = 1;
		return;
	}
	items[findings->count++] = (struct finding){level, text->data};
	*text = (struct text){0};
}

__attribute__((format(printf, 3, 4))) static void report(struct collector *out, enum finding_level level, const char *format, ...)
{
	char *line = NULL;
	va_list args;
	va_start(args, format);
	const int length = vasprintf(&line, format, args);
	va_end(args);
	if (length < 0) {
		out->failed = 1;
		return;
	}
	struct text text = {0};
	text_append(&text, "%s", line);
	free(line);
	add(out, level, &text);
}

/* Units that cannot be looked into, one finding for each kind. */
static void check_kinds(struct collector *out)
{
	const struct artifact *artifact = out->artifact;
	int counts[OBJECT_KIND_COUNT] = {0}, first[OBJECT_KIND_COUNT];
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		if (unit->problem && counts[unit->kind]++ == 0)
			first[unit->kind] = u;
	}
	for (int kind = 0; kind < OBJECT_KIND_COUNT; kind++) {
		if (!counts[kind])
			continue;
		const struct artifact_unit *unit = &artifact->units[first[kind]];
		if (counts[kind] == 1)
			report(out, FINDING_WARNING, "%s %s", unit->name, unit->problem);
		else
			report(out, FINDING_WARNING, "%s (and %d more of its kind) %s", unit->name, counts[kind] - 1, unit->problem);
	}
}

static void check_archive(struct collector *out)
{
	const struct artifact *artifact = out->artifact;
	struct archive_facts facts;
	if (artifact->kind != OBJECT_ARCHIVE && artifact->kind != OBJECT_ARCHIVE_THIN)
		return;
	if (artifact_archive_facts(artifact, &facts, NULL)) {
		out->failed = 1;
		return;
	}
	if (facts.other_format >= 0)
		report(out, FINDING_WARNING, "%s is of another format (ELF, COFF) than the members before it; no linker takes both",
		       artifact->units[facts.other_format].name);
	if (facts.other_machine >= 0)
		report(out, FINDING_WARNING, "%s is for another CPU than the members before it; no linker takes both",
		       artifact->units[facts.other_machine].name);
	if (!artifact->ar.has_index)
		report(out, FINDING_WARNING, "the archive has no index, without which linkers find nothing in it; run ranlib on it");
	if (facts.index_damaged)
		report(out, FINDING_WARNING, "the index of the archive is damaged; run ranlib on it");
	if (facts.index_dangling + facts.index_wrong)
		report(out, FINDING_WARNING, "the index lists %llu symbol%s that %s not where it says, such as %.200s; run ranlib on the archive",
		       (unsigned long long)(facts.index_dangling + facts.index_wrong), facts.index_dangling + facts.index_wrong == 1 ? "" : "s",
		       facts.index_dangling + facts.index_wrong == 1 ? "is" : "are", facts.first_wrong);
	if (facts.index_missing)
		report(out, FINDING_WARNING,
		       "the index lacks %llu symbol%s that its members define, such as %.200s; a linker will not find %s: run ranlib on the "
		       "archive",
		       (unsigned long long)facts.index_missing, facts.index_missing == 1 ? "" : "s", facts.first_missing,
		       facts.index_missing == 1 ? "it" : "them");
	if (facts.duplicate_names)
		report(out, FINDING_NOTE, "%d member%s called as another one, first %s: extracting the archive loses one of them",
		       facts.duplicate_names, facts.duplicate_names == 1 ? " is" : "s are", artifact->units[facts.first_duplicate].name);
	if (facts.temporary_names)
		report(out, FINDING_NOTE, "%d member%s called after a process of the build, first %s: no two builds give the same archive",
		       facts.temporary_names, facts.temporary_names == 1 ? " is" : "s are", artifact->units[facts.first_temporary].name);
	if (artifact->ar.thin)
		report(out, FINDING_WARNING,
		       "the archive is thin: it names its members' files and cannot be published alone; build it without ar's T");
}

/* The C runtime that Windows units of a library are built for. */
static void check_msvc(struct collector *out, const struct artifact_library *library)
{
	const struct artifact_unit *units = out->artifact->units;
	int first = -1, other = -1, debug = 0, level_unit = -1, levels = 0;
	for (int u = library->first; u < library->end; u++) {
		const struct msvc_facts *msvc = &units[u].host.msvc;
		if (units[u].host.kind == OBJECT_UNKNOWN) /* no host code was read from it */
			continue;
		if (msvc->other_runtime != MSVC_RUNTIME_UNKNOWN)
			report(out, FINDING_WARNING, "%s: wants two C runtimes at once, %s and %s; build it with one of them", units[u].name,
			       msvc_runtime_name(msvc->runtime), msvc_runtime_name(msvc->other_runtime));
		if (msvc_runtime_is_debug(msvc->runtime) && debug++ == 0)
			report(out, FINDING_WARNING,
			       "%s: is built for the debug C runtime (%s), which only Visual Studio has; build with /MD or /MT", units[u].name,
			       msvc->evidence);
		if (msvc->runtime == MSVC_RUNTIME_UNKNOWN)
			continue;
		if (first < 0)
			first = u;
		else if (other < 0 && msvc->runtime != units[first].host.msvc.runtime)
			other = u;
		if (msvc->iterator_debug_level >= 0 && level_unit < 0)
			level_unit = u;
		else if (msvc->iterator_debug_level >= 0 && level_unit >= 0 && !levels &&
			 msvc->iterator_debug_level != units[level_unit].host.msvc.iterator_debug_level) {
			levels = 1;
			report(out, FINDING_WARNING, "%s has _ITERATOR_DEBUG_LEVEL %d and %s has %d; link.exe refuses them together",
			       units[level_unit].name, units[level_unit].host.msvc.iterator_debug_level, units[u].name,
			       msvc->iterator_debug_level);
		}
	}
	if (other >= 0)
		report(out, FINDING_WARNING, "%s is built for the C runtime %s and %s for %s; link.exe refuses them together", units[first].name,
		       msvc_runtime_name(units[first].host.msvc.runtime), units[other].name,
		       msvc_runtime_name(units[other].host.msvc.runtime));
}

static void check_labels(struct collector *out)
{
	const struct artifact *artifact = out->artifact;
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			const struct artifact_image *image = &artifact->units[u].images[i];
			if (image->entry.kind != FATBIN_ELF || !image->cubin.toolkit || image->cubin.sm == image->entry.arch)
				continue;
			report(out, FINDING_WARNING, "%s: an image is listed as sm_%u but is code for sm_%u", artifact->units[u].name,
			       image->entry.arch, image->cubin.sm);
			return;
		}
}

static void check_toolkits(struct collector *out, const struct artifact_library *library)
{
	const struct artifact *artifact = out->artifact;
	struct {
		unsigned toolkit;
		int images, unit;
	} seen[16];
	int count = 0;
	for (int u = library->first; u < library->end; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		for (int i = 0; i < unit->image_count; i++) {
			const struct artifact_image *image = &unit->images[i];
			int at = 0;
			if (image->entry.kind != FATBIN_ELF || !image->cubin.toolkit)
				continue;
			while (at < count && seen[at].toolkit != image->cubin.toolkit)
				at++;
			if (at == (int)ARRAY_COUNT(seen))
				continue;
			if (at == count) {
				seen[count].toolkit = image->cubin.toolkit;
				seen[count].images = 0;
				seen[count++].unit = u;
			}
			seen[at].images++;
		}
	}
	if (count > 1) {
		struct text text = {0};
		text_append(&text, "made by more than one CUDA release:");
		for (int i = 0; i < count; i++)
			text_append(&text, "%s %u.%u (%d image%s, first in %s)", i ? "," : "", seen[i].toolkit / 10,
				    seen[i].toolkit % 10, seen[i].images, seen[i].images == 1 ? "" : "s",
				    artifact->units[seen[i].unit].name);
		text_append(&text, "; build all of it again with one");
		add(out, FINDING_WARNING, &text);
	}
}

/* Whether one of the unit's images is for this target. */
static int unit_has_target(const struct artifact_unit *unit, enum fatbin_kind kind, unsigned arch, char suffix)
{
	for (int i = 0; i < unit->image_count; i++)
		if (unit->images[i].entry.kind == kind && unit->images[i].entry.arch == arch && unit->images[i].entry.suffix == suffix)
			return 1;
	return 0;
}

/* All SASS has been read by now. PTX alone may not have been: it is taken as holding kernels. */
static int unit_has_kernels(const struct artifact_unit *unit)
{
	int has_sass = 0;
	for (int i = 0; i < unit->image_count; i++) {
		const struct artifact_image *image = &unit->images[i];
		if (image->cubin.kernel_count + image->ptx.entry_count > 0)
			return 1;
		has_sass |= image->entry.kind == FATBIN_ELF;
	}
	return unit->image_count > 0 && !has_sass && !unit->images[0].loaded;
}

/* An architecture that most units have and one has not is the classic fault of a build that was stopped and gone on
 * with. */
static void check_targets(struct collector *out, const struct artifact_library *library)
{
	const struct artifact_unit *units = out->artifact->units;
	unsigned archs[32];
	char suffixes[32];
	int count = 0, with_kernels = 0;
	for (int u = library->first; u < library->end; u++) {
		with_kernels += unit_has_kernels(&units[u]);
		for (int i = 0; i < units[u].image_count; i++) {
			const struct fatbin_entry *entry = &units[u].images[i].entry;
			int at = 0;
			if (entry->kind != FATBIN_ELF || count == (int)ARRAY_COUNT(archs))
				continue;
			while (at < count && (archs[at] != entry->arch || suffixes[at] != entry->suffix))
				at++;
			if (at == count) {
				archs[count] = entry->arch;
				suffixes[count++] = entry->suffix;
			}
		}
	}
	for (int t = 0; t < count; t++) {
		int without = 0, first = -1;
		for (int u = library->first; u < library->end; u++) {
			if (!unit_has_kernels(&units[u]) || unit_has_target(&units[u], FATBIN_ELF, archs[t], suffixes[t]))
				continue;
			first = without++ ? first : u;
		}
		const char suffix[2] = {suffixes[t], 0};
		if (without)
			report(out, FINDING_WARNING, "sm_%u%s is missing in %d of %d units with kernels, first in %s; build all with the same -gencode", archs[t], suffix,
			       without, with_kernels, units[first].name);
	}
}

/* Libraries with SASS and no PTX: in a wheel one of them may be meant to have it. */
static void check_ptx(struct collector *out)
{
	const struct artifact *artifact = out->artifact;
	int with_sass = 0, without_ptx = 0, first = 0;
	for (struct artifact_library library = {0}; artifact_library_next(artifact, &library);) {
		int sass = 0, ptx = 0;
		for (int u = library.first; u < library.end; u++)
			for (int i = 0; i < artifact->units[u].image_count; i++) {
				sass |= artifact->units[u].images[i].entry.kind == FATBIN_ELF;
				ptx |= artifact->units[u].images[i].entry.kind == FATBIN_PTX;
			}
		with_sass += sass;
		if (sass && !ptx && without_ptx++ == 0)
			first = library.first;
	}
	if (without_ptx && with_sass == 1)
		report(out, FINDING_NOTE, "holds no PTX: GPUs of later families cannot run it");
	else if (without_ptx)
		report(out, FINDING_NOTE, "%d of %d libraries hold no PTX, first %s: GPUs of later families cannot run them", without_ptx,
		       with_sass, artifact->units[first].name);
}

static void check_images(struct collector *out)
{
	const struct artifact *artifact = out->artifact;
	int debug = 0, paths = 0, obfuscated = 0, unresolved = 0;
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		for (int i = 0; i < unit->image_count; i++) {
			const struct artifact_image *image = &unit->images[i];
			const struct fatbin_entry *entry = &image->entry;
			if ((entry->flags & FATBIN_FLAG_DEBUG) && debug++ == 0)
				report(out, FINDING_WARNING, "%s: device code was built for debugging (-G), which makes it many times slower; build without it",
				       unit->name);
			if (entry->identifier_length && (memchr(entry->identifier, '/', entry->identifier_length) ||
							 memchr(entry->identifier, '\\', entry->identifier_length)) &&
			    paths++ == 0)
				report(out, FINDING_WARNING, "%s: tells a path of the machine it was built on: %.*s; build without -G and -lineinfo", unit->name,
				       (int)(entry->identifier_length < 200 ? entry->identifier_length : 200), entry->identifier);
			if (entry->compression == FATBIN_OBFUSCATED && obfuscated++ == 0)
				report(out, FINDING_NOTE, "%s: holds obfuscated NVVM code, which nothing but the driver reads", unit->name);
			if (image->ptx.unresolved && unresolved++ == 0)
				report(out, FINDING_WARNING, "%s: calls the device function %s, which is not in it", unit->name,
				       image->ptx.unresolved);
		}
	}
}

static void check_relocatable(struct collector *out, const struct artifact_library *library)
{
	for (int u = library->first; u < library->end && !library->device_linked; u++) {
		const struct artifact_unit *unit = &out->artifact->units[u];
		for (int i = 0; i < unit->image_count; i++)
			if (unit->images[i].relocatable_section || unit->images[i].cubin.relocatable) {
				report(out, FINDING_WARNING, "%s: device code is relocatable and has to be linked by nvcc -dlink before it can run",
				       unit->name);
				return;
			}
	}
}

static void check_host(struct collector *out, const struct artifact_library *library)
{
	const struct artifact_unit *units = out->artifact->units;
	int per_thread = -1, legacy = -1, fixed = 0, max_unit = -1, min_unit = -1, low = 0, high = 0;
	unsigned toolkit_major = 0;
	for (int u = library->first; u < library->end; u++) {
		const struct host_object *host = &units[u].host;
		if (host->per_thread_stream && per_thread < 0)
			per_thread = u;
		if (host->legacy_stream && legacy < 0)
			legacy = u;
		if (units[u].kind == OBJECT_ELF_RELOCATABLE && host->pic == PIC_NO && fixed++ == 0)
			report(out, FINDING_WARNING, "%s: cannot be linked into a shared object (%s); build with -Xcompiler -fPIC",
			       units[u].name, host->pic_evidence);
		if (host->cuda_major_min > low) {
			low = host->cuda_major_min;
			min_unit = u;
		}
		if (host->cuda_major_max && (!high || host->cuda_major_max < high)) {
			high = host->cuda_major_max;
			max_unit = u;
		}
		for (int i = 0; i < units[u].image_count && !toolkit_major; i++)
			toolkit_major = units[u].images[i].cubin.toolkit / 10;
	}
	if (per_thread >= 0 && legacy >= 0)
		report(out, FINDING_WARNING,
		       "%s launches on the per-thread default stream and %s on the legacy one; build all with the same --default-stream",
		       units[per_thread].name, units[legacy].name);
	if (min_unit >= 0 && max_unit >= 0 && low > high)
		report(out, FINDING_WARNING, "%s needs a CUDA runtime of major %d or newer (%s) and %s one of %d or older (%s)",
		       units[min_unit].name, low, units[min_unit].host.cuda_min_symbol, units[max_unit].name, high,
		       units[max_unit].host.cuda_max_symbol);
	const int is_older = toolkit_major && low && toolkit_major < (unsigned)low;
	const int is_newer = toolkit_major && high && toolkit_major > (unsigned)high;
	if (is_older || is_newer)
		report(out, FINDING_WARNING, "its device code is of CUDA %u, but the host code of %s calls %s", toolkit_major,
		       units[is_older ? min_unit : max_unit].name,
		       is_older ? units[min_unit].host.cuda_min_symbol : units[max_unit].host.cuda_max_symbol);
}

/* Whether the folder it lies in, and the README beside it, say what is so: the rules of policies, with the claims as values. */
static int check_claims(struct collector *out, struct error *err)
{
	struct policy_report claims = {0};
	const int result = policy_check_claims(out->artifact, &claims, err);
	for (int i = 0; result == 0 && i < claims.count; i++) {
		const struct policy_result *claim = &claims.items[i];
		const char *what = strcmp(claim->rule, "claims.toolkit.release") == 0  ? "CUDA "
				   : strcmp(claim->rule, "claims.targets.runs_on") == 0 ? "that it is for "
				   : strcmp(claim->rule, "claims.build.host") == 0      ? "that it is for "
											: "";
		if (claim->verdict == POLICY_FAIL)
			report(out, FINDING_WARNING, "%s, but %s says %s%s", claim->evidence, claim->origin, what, claim->asked);
	}
	policy_report_free(&claims);
	return result;
}

int artifact_findings(struct artifact *artifact, struct artifact_findings *findings, struct error *err)
{
	struct collector out = {.artifact = artifact, .findings = findings};
	*findings = (struct artifact_findings){0};
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++)
			if (artifact->units[u].images[i].entry.kind == FATBIN_ELF &&
			    artifact_load_image(artifact, &artifact->units[u], &artifact->units[u].images[i], err))
				return -1;
	check_kinds(&out);
	check_archive(&out);
	check_labels(&out);
	check_images(&out);
	for (struct artifact_library library = {0}; artifact_library_next(artifact, &library);) {
		check_msvc(&out, &library);
		check_toolkits(&out, &library);
		check_targets(&out, &library);
		check_relocatable(&out, &library);
		check_host(&out, &library);
	}
	check_ptx(&out);
	if (check_claims(&out, err)) {
		artifact_findings_free(findings);
		return -1;
	}
	if (!out.failed)
		return 0;
	artifact_findings_free(findings);
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

void artifact_findings_free(struct artifact_findings *findings)
{
	for (int i = 0; i < findings->count; i++)
		free(findings->items[i].text);
	free(findings->items);
	*findings = (struct artifact_findings){0};
}
