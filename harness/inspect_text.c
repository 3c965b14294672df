#include "inspect.h"

#include "artifact/compat.h"
#include "artifact/demangle.h"
#include "inspect_format.h"

#include <stdlib.h>
#include <string.h>

/* The summary is to fit a screen: of more targets than MOST_TARGETS each gets one line. */
enum { LABEL_WIDTH = 14, LINE_WIDTH = 118, MOST_TARGETS = 4 };

static const char *const colour_good = "\033[32m", *const colour_fair = "\033[33m", *const colour_bad = "\033[31m",
			 *const colour_title = "\033[1m", *const colour_off = "\033[0m";

struct view {
	struct text *out;
	int colour;
	struct text line; /* what stands behind the label, while it is put together */
};

static void paint(struct view *view, const char *colour, const char *text)
{
	if (view->colour)
		text_append(view->out, "%s", colour);
	cli_append_clean(view->out, text, strlen(text));
	if (view->colour)
		text_append(view->out, "%s", colour_off);
}

static void line_name(struct view *view, const char *name)
{
	cli_append_clean(&view->line, name, strlen(name));
}

static void line_clear(struct view *view)
{
	view->line.length = 0;
	if (view->line.data)
		view->line.data[0] = '\0';
}

/* Lays out the words of view->line from column `indent` on, where further lines start as well. */
static void flow_line(struct view *view, size_t indent)
{
	const char *at = view->line.data ? view->line.data : "";
	size_t column = indent;
	int first = 1;
	while (*at) {
		const size_t length = strcspn(at, " ");
		if (!first && column + 1 + length > LINE_WIDTH) {
			text_append(view->out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			text_append(view->out, " ");
			column++;
		}
		text_append_bytes(view->out, at, length);
		column += length;
		at += length + strspn(at + length, " ");
		first = 0;
	}
	text_append(view->out, "\n");
	line_clear(view);
}

static void show_line(struct view *view, const char *label)
{
	text_append(view->out, "  %-*s", LABEL_WIDTH, label);
	flow_line(view, LABEL_WIDTH + 2);
}

static void show_file(const struct inspection *in, struct view *view)
{
	const struct artifact *artifact = &in->artifact;
	const struct ar *ar = &artifact->ar;
	struct text *line = &view->line;
	if (artifact->kind == OBJECT_ARCHIVE || artifact->kind == OBJECT_ARCHIVE_THIN) {
		text_append(line, "%s of %d %s, ", ar_flavour_name(ar), ar->count, plural(ar->count, "member", "members"));
		if (ar->has_index)
			text_append(line, "index of %llu symbol%s, ", (unsigned long long)ar->index_symbols,
				    ar->index_symbols == 1 ? "" : "s");
	} else {
		text_append(line, "%s, ", object_kind_name(artifact->kind));
	}
	format_size(line, artifact->map.size);
	show_line(view, "file");
}

/* What a wheel says of itself. */
static void show_wheel(const struct inspection *in, struct view *view)
{
	enum { MOST_REQUIREMENTS = 4 };
	const struct wheel *wheel = in->artifact.zip ? in->artifact.zip->wheel : NULL;
	struct text *line = &view->line;
	if (!wheel)
		return;
	const struct {
		const char *before, *text;
	} parts[] = {{"", wheel->distribution}, {" ", wheel->version},   {", build ", wheel->build},     {", tags ", wheel->python_tag},
		     {"-", wheel->abi_tag},     {"-", wheel->platform_tag}, {", made by ", wheel->generator}};
	if (!wheel->platform_tag)
		text_append(line, "not named as wheels are (NAME-VERSION-PYTHON-ABI-PLATFORM.whl): pip refuses it");
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
		if (parts[i].text) {
			text_append(line, "%s", parts[i].before);
			line_name(view, parts[i].text);
		}
	show_line(view, "wheel");
	for (int i = 0; i < wheel->require_count && i < MOST_REQUIREMENTS; i++) {
		text_append(line, "%s", i ? ", " : "");
		line_name(view, wheel->requires[i]);
	}
	if (wheel->require_count > MOST_REQUIREMENTS)
		text_append(line, " and %d more", wheel->require_count - MOST_REQUIREMENTS);
	if (wheel->require_count)
		show_line(view, "requires");
}

static void show_provenance(const struct inspection *in, struct view *view)
{
	const struct provenance *from = in->artifact.provenance;
	struct text *line = &view->line;
	if (!from)
		return;
	if (from->crate) {
		text_append(line, "crate ");
		line_name(view, from->crate);
	}
	if (from->host != HOST_UNKNOWN)
		text_append(line, "%sbuilt on %s", line->length ? ", " : "", host_os_name(from->host));
	if (from->cuda_version) {
		text_append(line, "%sCUDA %u.%u (by the %s)", line->length ? ", " : "", from->cuda_version / 10, from->cuda_version % 10,
			    from->cuda_evidence);
	} else if (from->cuda_root) {
		text_append(line, "%sCUDA in ", line->length ? ", " : "");
		line_name(view, from->cuda_root);
	}
	if (from->compute_cap) {
		const char suffix[2] = {from->compute_cap_suffix, 0};
		text_append(line, "%sfor sm_%u%s", line->length ? ", " : "", from->compute_cap, suffix);
	}
	if (from->fast_math >= 0)
		text_append(line, "%s%s --use_fast_math", line->length ? ", " : "", from->fast_math ? "with" : "without");
	if (!line->length)
		text_append(line, "says nothing of CUDA");
	show_line(view, "build folder");
	for (int i = 0; i < from->flag_count; i++) {
		text_append(line, "%s", i ? " " : "");
		line_name(view, from->flags[i]);
	}
	if (from->flag_count)
		show_line(view, "nvcc flags");
}

/* Where one toolkit made all: its version and the options of the first cubin as well. */
static void show_toolkit(const struct inspection *in, struct view *view)
{
	const struct artifact *artifact = &in->artifact;
	const struct artifact_driver_needs *needs = &in->needs;
	const struct cubin *cubin = NULL;
	const struct ptx *ptx = NULL;
	struct text *line = &view->line;
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			const struct artifact_image *image = &artifact->units[u].images[i];
			if (!cubin && image->loaded && image->cubin.tool_version)
				cubin = &image->cubin;
			if (!ptx && image->loaded && image->ptx.toolkit[0])
				ptx = &image->ptx;
		}
	if (!needs->toolkit_max)
		return;
	text_append(line, "CUDA %u.%u", needs->toolkit_min / 10, needs->toolkit_min % 10);
	if (needs->toolkit_max != needs->toolkit_min) {
		text_append(line, " to %u.%u", needs->toolkit_max / 10, needs->toolkit_max % 10);
		show_line(view, "made by");
		return;
	}
	if (cubin) {
		text_append(line, " (");
		line_name(view, cubin->tool_version);
		if (cubin->tool_options) {
			size_t length = strlen(cubin->tool_options);
			while (length && cubin->tool_options[length - 1] == ' ')
				length--;
			text_append(line, "; ptxas ");
			cli_append_clean(line, cubin->tool_options, length);
		}
		text_append(line, ")");
	} else if (ptx) {
		text_append(line, " (release ");
		line_name(view, ptx->toolkit);
		text_append(line, ")");
	} else if (needs->ptx_isa) {
		text_append(line, " (by the PTX ISA, %u.%u)", needs->ptx_isa / 10, needs->ptx_isa % 10);
	}
	show_line(view, "made by");
}

static void show_units(const struct inspection *in, struct view *view)
{
	const struct artifact *artifact = &in->artifact;
	int counts[OBJECT_KIND_COUNT] = {0}, last[OBJECT_KIND_COUNT] = {0}, containers = 0;
	struct text *line = &view->line;
	for (int u = 0; u < artifact->unit_count; u++) {
		counts[artifact->units[u].kind]++;
		last[artifact->units[u].kind] = u;
		containers += artifact->units[u].container_count;
	}
	for (int kind = 0; kind < OBJECT_KIND_COUNT; kind++) {
		if (!counts[kind])
			continue;
		const char *machine = object_machine_name((enum object_kind)kind, artifact->units[last[kind]].machine);
		text_append(line, "%s%d x %s%s%s", line->length ? ", " : "", counts[kind], object_kind_name((enum object_kind)kind),
			    machine ? " for " : "", machine ? machine : "");
	}
	text_append(line, "; %d %s of device code", containers, plural(containers, "container", "containers"));
	show_line(view, "units");
}

static void show_kernels(const struct target_summary *target, struct view *view)
{
	struct text *line = &view->line;
	if (!target->read || (target->read != target->images && target->kernels == 0))
		return;
	text_append(line, "%d %s", target->kernels, plural(target->kernels, "kernel", "kernels"));
	if (target->read != target->images)
		text_append(line, " in %d of the images", target->read);
	if (target->registers_high)
		text_append(line, ": %d to %d registers", target->registers_low, target->registers_high);
	if (target->shared_high) {
		text_append(line, ", static shared memory up to ");
		format_size(line, target->shared_high);
	}
	if (target->stack_kernels)
		text_append(line, ", stack in %d (up to %u B)", target->stack_kernels, target->stack_high);
	if (target->spill_kernels)
		text_append(line, ", spills in %d (up to %d instructions)", target->spill_kernels, target->spill_high);
	else if (target->kernels && target->spill_stated == target->kernels)
		text_append(line, ", no spills");
	text_append(view->out, "  %-*s%-12s", LABEL_WIDTH, "", "");
	flow_line(view, LABEL_WIDTH + 14);
}

/* Two lines, or, where there are many targets, one. */
static void show_target(const struct target_summary *target, const char *label, int compact, struct view *view)
{
	const struct fatbin_entry entry = {.kind = target->kind, .arch = target->arch, .suffix = target->suffix};
	struct text *line = &view->line;
	const char *separator = "";
	char name[24];
	fatbin_entry_target(&entry, name);
	text_append(line, "%s", fatbin_kind_name(target->kind));
	if (target->kind == FATBIN_PTX)
		text_append(line, " %u.%u", target->version_low / 10, target->version_low % 10);
	if (target->kind == FATBIN_PTX && target->version_low != target->version_high)
		text_append(line, " to %u.%u", target->version_high / 10, target->version_high % 10);
	text_append(line, ", ");
	for (int c = FATBIN_RAW; c <= FATBIN_PACKED; c++)
		if (target->compressions & 1u << c) {
			text_append(line, "%s%s", separator, fatbin_compression_name((enum fatbin_compression)c));
			separator = "+";
		}
	text_append(line, ", %d %s, ", target->images, plural(target->images, "image", "images"));
	format_size(line, target->stored_bytes);
	if (target->unpacked_bytes != target->stored_bytes) {
		text_append(line, " (");
		format_size(line, target->unpacked_bytes);
		text_append(line, " unpacked)");
	}
	if (compact && target->read && target->kind == FATBIN_ELF)
		text_append(line, ", %d %s", target->kernels, plural(target->kernels, "kernel", "kernels"));
	if (compact && target->spill_kernels)
		text_append(line, ", spills in %d", target->spill_kernels);
	text_append(view->out, "  %-*s%-12s", LABEL_WIDTH, label, name);
	flow_line(view, LABEL_WIDTH + 14);
	if (!compact)
		show_kernels(target, view);
}

/* What everybody needs is counted; what tells something is named. */
static int show_undefined(const struct inspection *in, enum symbol_origin origin, int first, struct view *view)
{
	const int most = origin == ORIGIN_CUDA_RUNTIME ? 40 : origin == ORIGIN_C_LIBRARY || origin == ORIGIN_CXX_RUNTIME || origin == ORIGIN_MSVC_RUNTIME ? 0 : 4;
	struct text *line = &view->line;
	int count = 0, shown = 0;
	for (int i = 0; i < in->undefined.count; i++)
		count += in->undefined.items[i].origin == origin;
	if (!count)
		return 0;
	text_append(line, "%s: %d %s%s", symbol_origin_name(origin), count, plural(count, "symbol", "symbols"), most ? ":" : "");
	for (int i = 0; i < in->undefined.count && shown < most; i++) {
		if (in->undefined.items[i].origin != origin)
			continue;
		char *name = demangle(in->undefined.items[i].name);
		text_append(line, " ");
		line_name(view, name ? name : in->undefined.items[i].name);
		text_append(line, "%s", ++shown < count ? "," : "");
		free(name);
	}
	if (shown && shown < count)
		text_append(line, " ...");
	show_line(view, first ? "needs" : "");
	return 1;
}

/* What a linked file loads, and which C library or C++ runtime it is made for; of several, the first with device code. */
static void show_host_runtime(const struct inspection *in, struct view *view)
{
	enum { MOST_LIBRARIES = 10 };
	struct text *line = &view->line;
	const struct host_object *linked = NULL, *msvc = NULL;
	const struct artifact_unit *shown = NULL;
	int linked_units = 0;
	for (int u = 0; u < in->artifact.unit_count; u++) {
		const struct host_object *host = &in->artifact.units[u].host;
		if (host->library_count && (!linked || (!shown->image_count && in->artifact.units[u].image_count))) {
			linked = host;
			shown = &in->artifact.units[u];
		}
		linked_units += host->library_count > 0;
		if (host->msvc.runtime != MSVC_RUNTIME_UNKNOWN && (!msvc || msvc_runtime_is_debug(host->msvc.runtime)))
			msvc = host;
	}
	if (linked_units > 1) {
		line_name(view, shown->name);
		text_append(line, " (one of %d): ", linked_units);
	}
	for (int i = 0; linked && i < linked->library_count && i < MOST_LIBRARIES; i++) {
		text_append(line, "%s", i ? ", " : "");
		line_name(view, linked->libraries[i]);
	}
	if (linked && linked->library_count > MOST_LIBRARIES)
		text_append(line, " and %d more", linked->library_count - MOST_LIBRARIES);
	if (linked && (linked->glibc || linked->glibcxx)) {
		text_append(line, "; symbols of ");
		line_name(view, linked->glibc ? linked->glibc : linked->glibcxx);
		if (linked->glibc && linked->glibcxx) {
			text_append(line, " and ");
			line_name(view, linked->glibcxx);
		}
	}
	if (linked)
		show_line(view, "loads");
	if (msvc) {
		text_append(line, "%s (", msvc_runtime_name(msvc->msvc.runtime));
		line_name(view, msvc->msvc.evidence);
		text_append(line, ")");
		show_line(view, "C runtime");
	}
}

static void show_symbols(const struct inspection *in, struct view *view)
{
	static const enum symbol_origin order[ORIGIN_COUNT] = {ORIGIN_CUDA_RUNTIME, ORIGIN_CUDA_DRIVER, ORIGIN_CUDA_LIBRARY,
							       ORIGIN_CXX_RUNTIME,  ORIGIN_MSVC_RUNTIME, ORIGIN_C_LIBRARY, ORIGIN_OTHER};
	enum { MOST_POINTS = 16, SHOWN_OF_MORE = 6 };
	const struct artifact *artifact = &in->artifact;
	struct text *line = &view->line;
	int per_thread = 0, legacy = 0, has_host = 0, fixed = 0, unknown = 0, shown = 0, windows = 0;
	const char *evidence = "";
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct host_object *host = &artifact->units[u].host;
		per_thread |= host->per_thread_stream > 0;
		legacy |= host->legacy_stream > 0;
		has_host |= host->symbol_count > 0;
		windows += host->symbol_count > 0 && artifact_unit_not_linkable(&artifact->units[u]) != NULL;
		if (host->pic == PIC_NO && fixed++ == 0)
			evidence = host->pic_evidence;
		unknown |= host->symbol_count > 0 && host->pic == PIC_UNKNOWN;
	}
	if (!has_host)
		return;
	const int points = in->points.count > MOST_POINTS ? SHOWN_OF_MORE : in->points.count;
	for (int i = 0; i < points; i++) {
		text_append(line, "%s", i ? ", " : "");
		line_name(view, in->points.items[i].name);
	}
	if (points < in->points.count)
		text_append(line, " and %d more (--symbols)", in->points.count - points);
	if (!in->points.count)
		text_append(line, "none with a C name");
	show_line(view, "entry points");
	for (int i = 0; i < ORIGIN_COUNT; i++)
		shown += show_undefined(in, order[i], shown == 0, view);
	if (per_thread || legacy) {
		text_append(line, "%s", per_thread && legacy ? "some units launch on the per-thread default stream, some on the legacy one"
					: per_thread         ? "per-thread default stream (--default-stream per-thread)"
							     : "legacy default stream");
		show_line(view, "stream");
	}
	show_host_runtime(in, view);
	if (windows)
		text_append(line, "%d of its units for another system: on Linux only their device code can be used", windows);
	else if (fixed)
		text_append(line, "%d of its units cannot be linked into a shared object: ", fixed);
	if (fixed && !windows)
		line_name(view, evidence);
	else if (!windows)
		text_append(line, "%s", unknown ? "nothing speaks against a shared object" : "position independent");
	show_line(view, "linking");
}

/* The driver of the system that the host code is for; of device code alone, both. 0: nothing is known. */
static int append_driver(const struct inspection *in, const char *linux_driver, const char *windows_driver, struct text *line)
{
	int is_elf = 0, is_windows = 0;
	for (int u = 0; u < in->artifact.unit_count; u++) {
		const enum object_kind kind = in->artifact.units[u].kind;
		is_elf |= kind == OBJECT_ELF_RELOCATABLE || kind == OBJECT_ELF_SHARED || kind == OBJECT_ELF_EXECUTABLE;
		is_windows |= kind == OBJECT_COFF || kind == OBJECT_COFF_BIGOBJ || kind == OBJECT_PE;
	}
	const int linux_wanted = linux_driver && (is_elf || !is_windows), windows_wanted = windows_driver && (is_windows || !is_elf);
	if (linux_wanted)
		text_append(line, "%s%s", linux_driver, windows_wanted ? " (Linux), " : "");
	if (windows_wanted)
		text_append(line, "%s (Windows)", windows_driver);
	return linux_wanted || windows_wanted;
}

static void show_driver(const struct inspection *in, struct view *view)
{
	const struct artifact_driver_needs *needs = &in->needs;
	struct text *line = &view->line;
	if (append_driver(in, needs->to_load, needs->windows_to_load, line)) {
		text_append(line, " or newer to load it");
		if (needs->runtime_major)
			text_append(line, " (CUDA %u runtime, by %s%s)", needs->runtime_major, needs->runtime_evidence,
				    needs->zstd ? "; unpacks zstd" : "");
		else if (needs->zstd)
			text_append(line, " (unpacks zstd)");
		show_line(view, "driver");
	}
	if (append_driver(in, needs->to_compile, needs->windows_to_compile, line)) {
		text_append(line, " or newer to compile its PTX (ISA %u.%u)", needs->ptx_isa / 10, needs->ptx_isa % 10);
		show_line(view, needs->to_load ? "" : "driver");
	}
}

static void show_gpu(const struct inspection *in, unsigned cc, const struct artifact_coverage *coverage, const char *label,
		     struct view *view)
{
	const int containers = coverage->sass + coverage->jit + coverage->none;
	const char *cards = gpu_cards(cc);
	struct text *line = &view->line;
	char gpu[16];
	snprintf(gpu, sizeof gpu, "sm_%u", cc);
	text_append(view->out, "  %-*s%-8s%-40s", LABEL_WIDTH, label, gpu, cards ? cards : "");
	switch (coverage->verdict) {
	case COVERAGE_SASS:
		paint(view, colour_good, "SASS");
		if (coverage->tegra)
			text_append(line, " (NVIDIA promises no binary compatibility with Tegra: try it)");
		break;
	case COVERAGE_JIT:
		paint(view, colour_fair, "JIT ");
		if (coverage->sass) {
			text_append(line, " %d of %d %s%s", coverage->jit, containers, in->artifact.unit_count > 1 ? "units" : "containers",
				    in->artifact.unit_count > 1 ? ", first " : "");
			if (in->artifact.unit_count > 1)
				line_name(view, in->artifact.units[coverage->first_jit].name);
			text_append(line, ",");
		}
		if (coverage->ptx_isa)
			text_append(line, " from PTX %u.%u", coverage->ptx_isa / 10, coverage->ptx_isa % 10);
		if (coverage->relinked)
			text_append(line, "%s linked again by the driver", coverage->ptx_isa ? "," : "");
		break;
	case COVERAGE_NONE:
		paint(view, colour_bad, "no  ");
		if (coverage->sass || coverage->jit) {
			text_append(line, " %d of %d %s, first%s", coverage->none, containers,
				    in->artifact.unit_count > 1 ? "units" : "containers", in->artifact.unit_count > 1 ? " " : "");
			if (in->artifact.unit_count > 1)
				line_name(view, in->artifact.units[coverage->first_none].name);
			text_append(line, ":");
		}
		text_append(line, " ");
		cli_append_clean(line, coverage->reason, strcspn(coverage->reason, ";"));
		break;
	case COVERAGE_NOTHING:
		text_append(line, "no device code");
		break;
	}
	enum { ROOM = LINE_WIDTH - LABEL_WIDTH - 54 };
	if (line->length > ROOM)
		text_append(view->out, "%.*s...\n", ROOM - 3, line->data);
	else
		text_append(view->out, "%s\n", line->data ? line->data : "");
	line_clear(view);
}

void inspect_summary(const struct inspection *in, const struct gpu_list *gpus, int colour, struct text *out)
{
	struct view view = {.out = out, .colour = colour};
	paint(&view, colour_title, in->artifact.path);
	text_append(out, "\n");
	show_file(in, &view);
	show_wheel(in, &view);
	show_toolkit(in, &view);
	show_provenance(in, &view);
	show_units(in, &view);
	for (int i = 0; i < in->target_count; i++)
		show_target(&in->targets[i], i ? "" : "images", in->target_count > MOST_TARGETS, &view);
	show_symbols(in, &view);
	if (in->abi.abi != MHA_ABI_NONE) {
		text_append(&view.line, "%s: %s", mha_abi_name(in->abi.abi), in->abi.evidence);
		show_line(&view, "run_mha");
	}
	show_driver(in, &view);
	for (int i = 0; i < gpus->count && in->target_count; i++)
		show_gpu(in, gpus->cc[i], &in->coverage[i], i ? "" : "GPUs", &view);
	for (int i = 0; i < in->findings.count; i++) {
		const int is_warning = in->findings.items[i].level == FINDING_WARNING;
		text_append(out, "  ");
		paint(&view, is_warning ? colour_bad : colour_fair, is_warning ? "warning" : "note");
		text_append(out, "%*s", is_warning ? LABEL_WIDTH - 7 : LABEL_WIDTH - 4, "");
		line_name(&view, in->findings.items[i].text);
		flow_line(&view, LABEL_WIDTH + 2);
	}
	if (!in->findings.count) {
		text_append(out, "  %-*s", LABEL_WIDTH, "agreement");
		paint(&view, colour_good, "nothing in it contradicts the rest");
		text_append(out, "\n");
	}
	out->failed |= view.line.failed;
	text_free(&view.line);
}
