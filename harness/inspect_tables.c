/* Views that are tables of device code: kernels and images. */
#include "inspect.h"

#include "artifact/demangle.h"
#include "inspect_format.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

int inspect_selects(const struct inspect_selection *selection, const char *const *names)
{
	int selected = 1, positive = 0;
	for (int f = 0; f < selection->filter_count; f++) {
		const char *const *filter = &selection->filters[f];
		int hit = 0;
		if (**filter == '-') {
			for (int n = 0; names[n]; n++)
				if (!filter_matches(filter, 1, names[n]))
					return 0;
			continue;
		}
		for (int n = 0; names[n] && !hit; n++)
			hit = filter_matches(filter, 1, names[n]);
		selected = positive ? selected | hit : hit;
		positive = 1;
	}
	return selected;
}

static int selects_kernel(const struct inspect_selection *selection, const struct artifact *artifact, const struct kernel_row *row)
{
	char target[24];
	if (!selection->filter_count)
		return 1;
	char *plain = demangle(row->name);
	fatbin_entry_target(&row->image->entry, target);
	const char *const names[] = {row->name, target, artifact->units[row->unit].name, plain, NULL};
	const int selected = inspect_selects(selection, names);
	free(plain);
	return selected;
}

static int add_row(struct kernel_rows *rows, size_t *capacity, const struct kernel_row *row)
{
	if (rows->count == *capacity) {
		const size_t more = *capacity ? *capacity * 2 : 256;
		struct kernel_row *items = realloc(rows->items, more * sizeof *items);
		if (!items)
			return -1;
		rows->items = items;
		*capacity = more;
	}
	rows->items[rows->count++] = *row;
	return 0;
}

/* Of the container that begins with the unit's image `first`. */
static int container_has_sass(const struct artifact_unit *unit, int first)
{
	for (int i = first; i < unit->image_count && unit->images[i].entry.container == unit->images[first].entry.container; i++)
		if (unit->images[i].entry.kind == FATBIN_ELF)
			return 1;
	return 0;
}

/* Reads PTX where a container has nothing else. */
static int load_lone_ptx(struct artifact *artifact, struct artifact_unit *unit, struct error *err)
{
	int container = -1, has_sass = 0;
	for (int i = 0; i < unit->image_count; i++) {
		struct artifact_image *image = &unit->images[i];
		if (image->entry.container != container) {
			container = image->entry.container;
			has_sass = container_has_sass(unit, i);
		}
		if (!has_sass && image->entry.kind == FATBIN_PTX && image->entry.compression < FATBIN_OBFUSCATED &&
		    artifact_load_image(artifact, unit, image, err))
			return -1;
	}
	return 0;
}

static int add_image_rows(struct inspection *in, const struct inspect_selection *selection, int unit,
			  const struct artifact_image *image, struct kernel_rows *rows, size_t *capacity)
{
	struct kernel_row row = {.unit = unit, .image = image};
	for (int k = 0; k < image->cubin.kernel_count; k++) {
		row.sass = &image->cubin.kernels[k];
		row.name = row.sass->name;
		if (selects_kernel(selection, &in->artifact, &row) && add_row(rows, capacity, &row))
			return -1;
	}
	for (int k = 0; k < image->ptx.entry_count; k++) {
		row.ptx = &image->ptx.entries[k];
		row.name = row.ptx->name;
		if (selects_kernel(selection, &in->artifact, &row) && add_row(rows, capacity, &row))
			return -1;
	}
	return 0;
}

int inspect_kernel_rows(struct inspection *in, const struct inspect_selection *selection, struct kernel_rows *rows, struct error *err)
{
	struct artifact *artifact = &in->artifact;
	size_t capacity = 0;
	*rows = (struct kernel_rows){0};
	for (int u = 0; u < artifact->unit_count; u++) {
		struct artifact_unit *unit = &artifact->units[u];
		int container = -1, has_sass = 0;
		if (load_lone_ptx(artifact, unit, err))
			goto failed;
		for (int i = 0; i < unit->image_count; i++) {
			const struct artifact_image *image = &unit->images[i];
			if (image->entry.container != container) {
				container = image->entry.container;
				has_sass = container_has_sass(unit, i);
			}
			if (!image->loaded || (image->entry.kind == FATBIN_PTX && has_sass))
				continue;
			if (add_image_rows(in, selection, u, image, rows, &capacity)) {
				error_set(err, ERROR_ENVIRONMENT, "out of memory");
				goto failed;
			}
		}
	}
	return 0;
failed:
	inspect_kernel_rows_free(rows);
	return -1;
}

void inspect_kernel_rows_free(struct kernel_rows *rows)
{
	free(rows->items);
	*rows = (struct kernel_rows){0};
}

/* ---- kernels ---- */

static uint64_t shared_of(const struct kernel_row *row)
{
	return row->sass ? row->sass->shared_bytes : 0;
}

static uint64_t stack_of(const struct kernel_row *row)
{
	return row->sass ? row->sass->frame_bytes : 0;
}

/* What is stated as spilled goes before what may be. */
static uint64_t spills_of(const struct kernel_row *row)
{
	if (!row->sass)
		return 0;
	const int64_t stated = row->sass->spill_instructions, counted = row->sass->local_accesses;
	return (uint64_t)(stated > 0 ? stated : counted > 0 ? counted : 0);
}

static uint64_t registers_of(const struct kernel_row *row)
{
	return row->sass && row->sass->registers > 0 ? (uint64_t)row->sass->registers : 0;
}

static uint64_t size_of(const struct kernel_row *row)
{
	return row->sass ? row->sass->code_size : 0;
}

static int by_name(const void *a, const void *b)
{
	const struct kernel_row *left = a, *right = b;
	const int order = strcmp(left->name, right->name);
	if (order)
		return order;
	return left->unit != right->unit ? left->unit - right->unit : (left->image > right->image) - (left->image < right->image);
}

#define BY(what)                                                                                                                 \
	static int by_##what(const void *a, const void *b)                                                                       \
	{                                                                                                                        \
		const uint64_t left = what##_of(a), right = what##_of(b);                                                        \
		return left != right ? (left < right ? 1 : -1) : by_name(a, b);                                                  \
	}
BY(size)
BY(registers)
BY(shared)
BY(stack)
BY(spills)

static void sort_rows(struct kernel_rows *rows, const char *sort)
{
	static const struct {
		const char *name;
		int (*compare)(const void *, const void *);
	} orders[] = {{"size", by_size}, {"registers", by_registers}, {"shared", by_shared},
		      {"stack", by_stack}, {"spills", by_spills}, {"name", by_name}};
	for (size_t i = 0; rows->count && i < ARRAY_COUNT(orders); i++)
		if (strcmp(sort ? sort : "size", orders[i].name) == 0)
			qsort(rows->items, rows->count, sizeof *rows->items, orders[i].compare);
}

static void number_or_dash(struct text *out, int width, int64_t value)
{
	if (value < 0)
		format_cell(out, -width, "-");
	else
		format_cell(out, -width, "%lld", (long long)value);
}

/* "=128" where the kernel has to be launched with so many threads, "128" where with no more. */
static void threads_cell(struct text *out, int width, const unsigned max[3], const unsigned required[3])
{
	const unsigned *bound = required[0] ? required : max;
	const unsigned long long product = (unsigned long long)bound[0] * bound[1] * bound[2];
	if (product)
		format_cell(out, -width, "%s%llu", required[0] ? "=" : "", product);
	else
		format_cell(out, -width, "-");
}

static void cluster_cell(struct text *out, int width, const unsigned cluster[3], int is_explicit, unsigned max_rank)
{
	if (cluster[0])
		format_cell(out, -width, "%ux%ux%u", cluster[0], cluster[1], cluster[2]);
	else if (max_rank)
		format_cell(out, -width, "<=%u", max_rank);
	else
		format_cell(out, -width, is_explicit ? "any" : "-");
}

static void kernel_line(const struct inspection *in, const struct kernel_row *row, struct text *out)
{
	char target[24];
	fatbin_entry_target(&row->image->entry, target);
	format_cell(out, 12, "%s", target);
	if (row->sass) {
		const struct cubin_kernel *k = row->sass;
		number_or_dash(out, 4, k->registers);
		number_or_dash(out, 8, k->shared_bytes);
		number_or_dash(out, 7, k->frame_bytes == UINT32_MAX ? -1 : (int64_t)k->frame_bytes);
		number_or_dash(out, 7, k->spill_instructions);
		number_or_dash(out, 6, k->local_accesses);
		number_or_dash(out, 5, k->barriers);
		threads_cell(out, 8, k->max_threads, k->required_threads);
		cluster_cell(out, 8, k->cluster, k->explicit_cluster, k->max_cluster_rank);
		number_or_dash(out, 8, k->parameter_bytes);
		format_size_cell(out, -10, k->code_size);
	} else {
		const struct ptx_entry *e = row->ptx;
		text_append(out, "%4s%8s%7s%7s%6s%5s", "-", "-", "-", "-", "-", "-");
		threads_cell(out, 8, e->max_threads, e->required_threads);
		cluster_cell(out, 8, e->cluster, e->explicit_cluster, e->max_cluster_rank);
		number_or_dash(out, 8, e->parameter_bytes);
		text_append(out, "%10s", "-");
	}
	text_append(out, "  ");
	format_name(out, row->name);
	if (in->artifact.unit_count > 1) {
		text_append(out, "  [");
		cli_append_clean(out, in->artifact.units[row->unit].name, strlen(in->artifact.units[row->unit].name));
		text_append(out, "]");
	}
	text_append(out, "\n");
}

int inspect_kernels(struct inspection *in, const struct inspect_selection *selection, struct text *out, struct error *err)
{
	struct kernel_rows rows;
	uint64_t code = 0;
	if (inspect_kernel_rows(in, selection, &rows, err))
		return -1;
	sort_rows(&rows, selection->sort);
	for (size_t i = 0; i < rows.count; i++)
		code += size_of(&rows.items[i]);
	const size_t shown = selection->top && (uint64_t)selection->top < rows.count ? (size_t)selection->top : rows.count;
	text_append(out, "%-12s%4s%8s%7s%7s%6s%5s%8s%8s%8s%10s  %s\n", "target", "regs", "shared", "stack", "spills", "local", "bar",
		    "threads", "cluster", "params", "code", "kernel");
	for (size_t i = 0; i < shown; i++)
		kernel_line(in, &rows.items[i], out);
	text_append(out, "%zu kernel%s", rows.count, rows.count == 1 ? "" : "s");
	if (shown < rows.count)
		text_append(out, ", %zu of them shown", shown);
	text_append(out, ", ");
	format_size(out, code);
	text_append(out, " of code. spills: loads and stores that ptxas marked as such (13.0 and newer); local: all loads and stores\n"
			 "of local memory, counted where the toolkit does not say which of them spill; threads: at most, or = exactly.\n");
	inspect_kernel_rows_free(&rows);
	return out->failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory") : 0;
}

int inspect_kernel_list(struct inspection *in, const struct inspect_selection *selection, struct text *out, struct error *err)
{
	struct kernel_rows rows;
	if (inspect_kernel_rows(in, selection, &rows, err))
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		const char *unit = in->artifact.units[rows.items[i].unit].name;
		char target[24];
		fatbin_entry_target(&rows.items[i].image->entry, target);
		text_append(out, "%s\t", target);
		cli_append_clean(out, unit, strlen(unit));
		text_append(out, "\t");
		cli_append_clean(out, rows.items[i].name, strlen(rows.items[i].name));
		text_append(out, "\n");
	}
	inspect_kernel_rows_free(&rows);
	return out->failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory") : 0;
}

/* ---- images ---- */

static void quoted(struct text *out, const char *what, const char *text, size_t length)
{
	while (length && text[length - 1] == ' ')
		length--;
	if (!length)
		return;
	text_append(out, ", %s \"", what);
	cli_append_clean(out, text, length);
	text_append(out, "\"");
}

static void describe_sass(struct text *out, const struct artifact_image *image)
{
	const struct cubin *cubin = &image->cubin;
	text_append(out, "%d %s, ABI %u", cubin->kernel_count, plural(cubin->kernel_count, "kernel", "kernels"), cubin->abi);
	if (cubin->toolkit)
		text_append(out, ", CUDA %u.%u", cubin->toolkit / 10, cubin->toolkit % 10);
	if (cubin->virtual_sm && cubin->virtual_sm != cubin->sm)
		text_append(out, ", from compute_%u", cubin->virtual_sm);
	text_append(out, "%s%s%s", cubin->line_info ? ", line info" : "", cubin->debug_info ? ", debug info" : "",
		    cubin->mercury ? ", Mercury" : "");
	if (cubin->unknown_attributes)
		text_append(out, ", %u records of unknown kind (first 0x%02x)", cubin->unknown_attributes, cubin->unknown_attribute);
	if (cubin->tool_options)
		quoted(out, cubin->tool ? cubin->tool : "assembler", cubin->tool_options, strlen(cubin->tool_options));
}

static void describe_ptx(struct text *out, const struct artifact_image *image)
{
	const struct ptx *ptx = &image->ptx;
	text_append(out, "ISA %u.%u, %d %s, %u %s, .ftz %u, .approx %u", ptx->version_major, ptx->version_minor, ptx->entry_count,
		    plural(ptx->entry_count, "entry", "entries"), ptx->functions, plural((int)ptx->functions, "function", "functions"),
		    ptx->ftz, ptx->approx);
	text_append(out, "%s", ptx->line_info ? ", line info" : "");
	if (ptx->toolkit[0])
		quoted(out, "CUDA", ptx->toolkit, strlen(ptx->toolkit));
	if (ptx->unresolved)
		quoted(out, "calls", ptx->unresolved, strlen(ptx->unresolved));
}

static void image_line(const struct artifact_image *image, struct text *out)
{
	const struct fatbin_entry *entry = &image->entry;
	const char *host = entry_host_name(entry);
	char target[24];
	fatbin_entry_target(entry, target);
	format_cell(out, -11, "%d", entry->container);
	format_cell(out, 18, "  %s", fatbin_entry_kind_name(entry));
	format_cell(out, 13, "%s", target);
	format_cell(out, 11, "%s", fatbin_compression_name(entry->compression));
	format_cell(out, 8, "%s", host ? host : "-");
	format_size_cell(out, -10, entry->payload_size);
	format_size_cell(out, -10, entry->decompressed_size);
	text_append(out, "  ");
	if (image->loaded && entry->kind == FATBIN_ELF)
		describe_sass(out, image);
	else if (image->loaded && entry->kind == FATBIN_PTX)
		describe_ptx(out, image);
	else
		text_append(out, "version %u.%u", entry->version_major, entry->version_minor);
	text_append(out, "%s%s%s", entry->flags & FATBIN_FLAG_64BIT || !entry->flags ? "" : ", 32-bit",
		    entry->flags & FATBIN_FLAG_DEBUG ? ", debug" : "", entry->flags & FATBIN_FLAG_OPENCL ? ", OpenCL" : "");
	if (image->relocatable_section || image->cubin.relocatable)
		text_append(out, ", relocatable");
	if (entry->kind == FATBIN_OTHER)
		text_append(out, ", kind 0x%x", entry->raw_kind);
	if (entry->flags & ~FATBIN_FLAGS_KNOWN)
		text_append(out, ", unknown flags 0x%llx", (unsigned long long)(entry->flags & ~FATBIN_FLAGS_KNOWN));
	if (entry->identifier)
		quoted(out, "source", entry->identifier, entry->identifier_length);
	if (entry->options)
		quoted(out, entry->kind == FATBIN_PTX ? "for ptxas" : "options", entry->options, entry->options_length);
	text_append(out, "\n");
}

int inspect_images(struct inspection *in, const struct inspect_selection *selection, struct text *out, struct error *err)
{
	struct artifact *artifact = &in->artifact;
	size_t shown = 0, count = 0;
	if (artifact_load_images(artifact, 1u << FATBIN_ELF | 1u << FATBIN_PTX, err))
		return -1;
	text_append(out, "%11s  %-16s%-13s%-11s%-8s%10s%10s  %s\n", "container", "kind", "target", "stored as", "host", "stored",
		    "unpacked", "contents");
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		int named = artifact->unit_count == 1;
		for (int i = 0; i < unit->image_count; i++) {
			char target[24];
			fatbin_entry_target(&unit->images[i].entry, target);
			const char *const names[] = {unit->name, target, fatbin_entry_kind_name(&unit->images[i].entry), NULL};
			if (!inspect_selects(selection, names))
				continue;
			count++;
			if (selection->top && shown == (uint64_t)selection->top)
				continue;
			shown++;
			if (!named) {
				cli_append_clean(out, unit->name, strlen(unit->name));
				text_append(out, "\n");
				named = 1;
			}
			image_line(&unit->images[i], out);
		}
	}
	text_append(out, "%zu image%s", count, count == 1 ? "" : "s");
	if (shown < count)
		text_append(out, ", %zu of them shown", shown);
	text_append(out, "\n");
	return out->failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory") : 0;
}
