/* Views that list what an artifact is made of: members, host symbols, and what takes how much room. */
#include "inspect.h"

#include "artifact/demangle.h"
#include "inspect_format.h"

#include <stdlib.h>
#include <string.h>

static int finish(const struct text *out, struct error *err)
{
	return out->failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory") : 0;
}

static void clean(struct text *out, const char *text)
{
	cli_append_clean(out, text, strlen(text));
}

/* ---- members ---- */

/* "sm_80, sm_90a, compute_90": each target once, in the order of the file. */
static void append_targets(struct text *out, const struct artifact_unit *unit)
{
	enum { MOST = 16 };
	char seen[MOST][24];
	int count = 0;
	for (int i = 0; i < unit->image_count; i++) {
		char target[24];
		int at = 0;
		fatbin_entry_target(&unit->images[i].entry, target);
		while (at < count && strcmp(seen[at], target) != 0)
			at++;
		if (at < count)
			continue;
		if (count == MOST) {
			text_append(out, ", ...");
			return;
		}
		memcpy(seen[count++], target, sizeof target);
		text_append(out, "%s%s", count > 1 ? ", " : "", target);
	}
	if (!count)
		text_append(out, "-");
}

/* Kernels of its SASS, or of its PTX where there is nothing else; -1: not looked at. */
static int unit_kernels(const struct artifact_unit *unit)
{
	int sass = 0, ptx = 0, sass_read = 0, ptx_read = 0;
	for (int i = 0; i < unit->image_count; i++) {
		const struct artifact_image *image = &unit->images[i];
		sass += image->cubin.kernel_count;
		ptx += image->ptx.entry_count;
		sass_read |= image->loaded && image->entry.kind == FATBIN_ELF;
		ptx_read |= image->loaded && image->entry.kind == FATBIN_PTX;
	}
	return sass_read ? sass : ptx_read ? ptx : unit->image_count ? -1 : 0;
}

int inspect_members(struct inspection *in, const struct inspect_selection *selection, struct text *out, struct error *err)
{
	const struct artifact *artifact = &in->artifact;
	int count = 0, shown = 0;
	text_append(out, "%6s%11s%12s%11s%8s%9s  %s\n", "member", "size", "offset", "containers", "images", "kernels", "name, kind, targets");
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		const char *const names[] = {unit->name, object_kind_name(unit->kind), NULL};
		if (!inspect_selects(selection, names))
			continue;
		count++;
		if (selection->top && shown == selection->top)
			continue;
		shown++;
		const char *machine = object_machine_name(unit->kind, unit->machine);
		format_cell(out, -6, "%d", u);
		format_size_cell(out, -11, unit->size);
		format_cell(out, -12, "0x%zx", unit->offset);
		format_cell(out, -11, "%d", unit->container_count);
		format_cell(out, -8, "%d", unit->image_count);
		const int kernels = unit_kernels(unit);
		if (kernels < 0)
			format_cell(out, -9, "-");
		else
			format_cell(out, -9, "%d", kernels);
		text_append(out, "  ");
		clean(out, unit->name);
		text_append(out, ", %s%s%s, ", object_kind_name(unit->kind), machine ? " for " : "", machine ? machine : "");
		append_targets(out, unit);
		if (unit->problem) {
			text_append(out, "; ");
			clean(out, unit->problem);
		}
		text_append(out, "\n");
	}
	text_append(out, "%d %s", count, plural(count, "member", "members"));
	if (shown < count)
		text_append(out, ", %d of them shown", shown);
	text_append(out, "\n");
	return finish(out, err);
}

/* ---- symbols ---- */

static int selects_symbol(const struct inspect_selection *selection, const char *name, const char *unit)
{
	if (!selection->filter_count)
		return 1;
	char *plain = demangle(name);
	const char *const names[] = {name, unit, plain, NULL};
	const int selected = inspect_selects(selection, names);
	free(plain);
	return selected;
}

static void symbol_line(const struct artifact *artifact, const char *name, int unit, struct text *out)
{
	text_append(out, "  ");
	format_name(out, name);
	if (artifact->unit_count > 1) {
		text_append(out, "  [");
		clean(out, artifact->units[unit].name);
		text_append(out, "]");
	}
	text_append(out, "\n");
}

int inspect_symbols(struct inspection *in, const struct inspect_selection *selection, struct text *out, struct error *err)
{
	const struct artifact *artifact = &in->artifact;
	int count = 0;
	text_append(out, "entry points (defined, visible, with a C name):\n");
	for (int i = 0; i < in->points.count; i++) {
		const struct artifact_entry_point *point = &in->points.items[i];
		if (!selects_symbol(selection, point->name, artifact->units[point->unit].name))
			continue;
		symbol_line(artifact, point->name, point->unit, out);
		count++;
	}
	if (!count)
		text_append(out, "  none\n");
	for (int origin = 0; origin < ORIGIN_COUNT; origin++) {
		int of_origin = 0;
		for (int i = 0; i < in->undefined.count; i++) {
			const struct undefined_symbol *symbol = &in->undefined.items[i];
			if ((int)symbol->origin != origin || !selects_symbol(selection, symbol->name, artifact->units[symbol->unit].name))
				continue;
			if (of_origin++ == 0)
				text_append(out, "needed from elsewhere, %s:\n", symbol_origin_name(symbol->origin));
			symbol_line(artifact, symbol->name, symbol->unit, out);
		}
		count += of_origin;
	}
	text_append(out, "%d %s%s\n", count, plural(count, "symbol", "symbols"),
		    artifact->unit_count > 1 ? "; in brackets the member that defines it or the first that needs it" : "");
	return finish(out, err);
}

/* ---- sizes ---- */

/* One kernel's name over all images. */
struct kernel_total {
	const char *name;
	uint64_t code;
	int images;
};

static int by_kernel_name(const void *a, const void *b)
{
	return strcmp(((const struct kernel_row *)a)->name, ((const struct kernel_row *)b)->name);
}

static int by_code(const void *a, const void *b)
{
	const struct kernel_total *left = a, *right = b;
	return left->code != right->code ? (left->code < right->code ? 1 : -1) : strcmp(left->name, right->name);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void sizes_by_target(const struct inspection *in, const struct kernel_rows *rows, struct text *out)
{
	uint64_t stored = 0, unpacked = 0;
	text_append(out, "%-13s%-8s%8s%9s%11s%11s%11s%8s\n", "target", "kind", "images", "kernels", "code", "unpacked", "stored", "of file");
	for (int t = 0; t < in->target_count; t++) {
		const struct target_summary *target = &in->targets[t];
		const struct fatbin_entry entry = {.kind = target->kind, .arch = target->arch, .suffix = target->suffix};
		char name[24];
		uint64_t code = 0;
		for (size_t i = 0; i < rows->count; i++) {
			const struct fatbin_entry *of = &rows->items[i].image->entry;
			if (rows->items[i].sass && of->kind == target->kind && of->arch == target->arch && of->suffix == target->suffix)
				code += rows->items[i].sass->code_size;
		}
		fatbin_entry_target(&entry, name);
		format_cell(out, 13, "%s", name);
		format_cell(out, 8, "%s", fatbin_kind_name(target->kind));
		format_cell(out, -8, "%d", target->images);
		if (target->kind == FATBIN_ELF) {
			format_cell(out, -9, "%d", target->kernels);
			format_size_cell(out, -11, code);
		} else {
			text_append(out, "%9s%11s", "-", "-");
		}
		format_size_cell(out, -11, target->unpacked_bytes);
		format_size_cell(out, -11, target->stored_bytes);
		format_cell(out, -8, "%.1f%%", percent(target->stored_bytes, in->artifact.map.size));
		text_append(out, "\n");
		stored += target->stored_bytes;
		unpacked += target->unpacked_bytes;
	}
	/* a thin archive's members lie elsewhere, and those of a zip archive are packed once more */
	const size_t file = in->artifact.map.size;
	format_cell(out, 49, "device code");
	format_size_cell(out, -11, unpacked);
	format_size_cell(out, -11, stored);
	format_cell(out, -8, "%.1f%%", percent(stored, file));
	if (stored <= file && in->artifact.member_count == 0 && in->artifact.kind != OBJECT_ZIP) {
		text_append(out, "\n");
		format_cell(out, 60, "host code, symbols and headers");
		format_size_cell(out, -11, file - stored);
		format_cell(out, -8, "%.1f%%", percent(file - stored, file));
	}
	text_append(out, "\n\n");
}

int inspect_sizes(struct inspection *in, const struct inspect_selection *selection, struct text *out, struct error *err)
{
	enum { MOST = 25 };
	struct kernel_rows rows;
	struct kernel_total *totals = NULL;
	size_t count = 0;
	uint64_t code = 0, shown_code = 0;
	if (inspect_kernel_rows(in, selection, &rows, err))
		return -1;
	sizes_by_target(in, &rows, out);
	totals = calloc(rows.count ? rows.count : 1, sizeof *totals);
	if (!totals) {
		inspect_kernel_rows_free(&rows);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	if (rows.count)
		qsort(rows.items, rows.count, sizeof *rows.items, by_kernel_name);
	for (size_t i = 0; i < rows.count; i++) {
		if (!rows.items[i].sass)
			continue;
		if (!count || strcmp(totals[count - 1].name, rows.items[i].name) != 0)
			totals[count++] = (struct kernel_total){.name = rows.items[i].name};
		totals[count - 1].code += rows.items[i].sass->code_size;
		totals[count - 1].images++;
		code += rows.items[i].sass->code_size;
	}
	if (count)
		qsort(totals, count, sizeof *totals, by_code);
	const size_t most = selection->top ? (size_t)selection->top : MOST, shown = most < count ? most : count;
	text_append(out, "%10s%8s%8s  %s\n", "code", "of all", "images", "kernel");
	for (size_t i = 0; i < shown; i++) {
		format_size_cell(out, -10, totals[i].code);
		format_cell(out, -8, "%.1f%%", percent(totals[i].code, code));
		format_cell(out, -8, "%d", totals[i].images);
		text_append(out, "  ");
		format_name(out, totals[i].name);
		text_append(out, "\n");
		shown_code += totals[i].code;
	}
	if (shown < count) {
		format_size_cell(out, -10, code - shown_code);
		format_cell(out, -8, "%.1f%%", percent(code - shown_code, code));
		text_append(out, "%8s  in %zu more kernels (--top N shows N)\n", "", count - shown);
	}
	free(totals);
	inspect_kernel_rows_free(&rows);
	return finish(out, err);
}
