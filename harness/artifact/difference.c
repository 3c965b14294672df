#include "artifact/difference.h"

#include "artifact/fold_name.h"
#include "artifact/kernel_match.h"
#include "artifact/ptx_compare.h"
#include "core/util.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A kernel of one side. */
struct item {
	const char *name;
	char *unit_name;                 /* folded; owned by the side */
	int unit, image, kernel;         /* indexes: of the artifact's units, the unit's images, the image's kernels */
	const struct artifact_image *in;
	const struct cubin_kernel *sass; /* one of the two */
	const struct ptx_entry *ptx;
	const struct item *partner;
};

/* Of the two artifacts one; what was unpacked last is kept, since neighbours ask for the same. */
struct side {
	struct artifact *artifact;
	char **unit_names;               /* folded, one a unit */
	struct item *items;
	int count, capacity;
	const struct artifact_image *unpacked; /* of which the rest is */
	void *bytes;
	struct cubin cubin;
	struct ptx_digests digests;
};

/* ---- the kernels of a side ---- */

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

static void side_forget(struct side *side)
{
	cubin_free(&side->cubin);
	side->cubin = (struct cubin){0};
	ptx_digests_free(&side->digests);
	free(side->bytes);
	side->bytes = NULL;
	side->unpacked = NULL;
}

static void side_close(struct side *side)
{
	free(side->items);
	for (int u = 0; side->unit_names && u < side->artifact->unit_count; u++)
		free(side->unit_names[u]);
	free(side->unit_names);
	side_forget(side);
}

static int add_item(struct side *side, struct item item)
{
	if (side->count == side->capacity) {
		if (side->capacity > INT_MAX / 2)
			return -1;
		const int more = side->capacity ? 2 * side->capacity : 256;
		struct item *larger = realloc(side->items, (size_t)more * sizeof *larger);
		if (!larger)
			return -1;
		side->items = larger;
		side->capacity = more;
	}
	side->items[side->count++] = item;
	return 0;
}

static int kind_order(enum fatbin_kind kind)
{
	return kind == FATBIN_ELF ? 0 : kind == FATBIN_PTX ? 1 : kind == FATBIN_NVVM ? 2 : 3;
}

static int compare_entries(const struct fatbin_entry *a, const struct fatbin_entry *b)
{
	if (a->kind != b->kind)
		return kind_order(a->kind) - kind_order(b->kind);
	if (a->arch != b->arch)
		return a->arch < b->arch ? -1 : 1;
	return a->suffix - b->suffix;
}

static int compare_places(const struct item *a, const struct item *b)
{
	const int order = strcmp(a->unit_name, b->unit_name);
	if (order)
		return order;
	if (a->unit != b->unit)
		return a->unit < b->unit ? -1 : 1;
	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	return (a->kernel > b->kernel) - (a->kernel < b->kernel);
}

static int compare_items(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	int order = compare_entries(&a->in->entry, &b->in->entry);
	order = order ? order : strcmp(a->name, b->name);
	return order ? order : compare_places(a, b);
}

static int side_open(struct side *side, struct artifact *artifact, struct error *err)
{
	side->artifact = artifact;
	side->unit_names = calloc((size_t)artifact->unit_count + 1, sizeof *side->unit_names);
	if (!side->unit_names)
		return out_of_memory(err);
	if (artifact_load_images(artifact, 1u << FATBIN_ELF | 1u << FATBIN_PTX, err))
		return -1;
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		side->unit_names[u] = fold_unit_name(unit->name);
		if (!side->unit_names[u])
			return out_of_memory(err);
		for (int i = 0; i < unit->image_count; i++) {
			const struct artifact_image *image = &unit->images[i];
			struct item item = {.unit_name = side->unit_names[u], .unit = u, .image = i, .in = image};
			for (item.kernel = 0; item.kernel < image->cubin.kernel_count; item.kernel++) {
				item.sass = &image->cubin.kernels[item.kernel];
				item.name = item.sass->name;
				if (add_item(side, item))
					return out_of_memory(err);
			}
			item.sass = NULL;
			for (item.kernel = 0; item.kernel < image->ptx.entry_count; item.kernel++) {
				item.ptx = &image->ptx.entries[item.kernel];
				item.name = item.ptx->name;
				if (add_item(side, item))
					return out_of_memory(err);
			}
		}
	}
	if (side->count)
		qsort(side->items, (size_t)side->count, sizeof *side->items, compare_items);
	return 0;
}

/* ---- pairs ---- */

static struct match_item *match_items_of(const struct side *side)
{
	struct match_item *items = calloc((size_t)side->count + 1, sizeof *items);
	for (int i = 0; items && i < side->count; i++) {
		const struct item *item = &side->items[i];
		const struct fatbin_entry *entry = &item->in->entry;
		items[i] = (struct match_item){
			.name = item->name,
			.unit_name = item->unit_name,
			.unit = item->unit,
			.place = (size_t)item->image << 32 | (size_t)item->kernel,
			.group = (uint64_t)kind_order(entry->kind) << 40 | (uint64_t)entry->arch << 8 | (unsigned char)entry->suffix,
		};
	}
	return items;
}

static int pair_all(struct side *base, struct side *next, struct error *err)
{
	struct match_item *before = match_items_of(base), *after = match_items_of(next);
	int result = -1;
	if (!before || !after) {
		out_of_memory(err);
		goto done;
	}
	if (match_items(before, (size_t)base->count, after, (size_t)next->count, err))
		goto done;
	for (int i = 0; i < base->count; i++)
		base->items[i].partner = before[i].kind == MATCH_NONE ? NULL : &next->items[before[i].partner];
	for (int i = 0; i < next->count; i++)
		next->items[i].partner = after[i].kind == MATCH_NONE ? NULL : &base->items[after[i].partner];
	result = 0;
done:
	if (before)
		match_items_free(before, (size_t)base->count);
	if (after)
		match_items_free(after, (size_t)next->count);
	free(before);
	free(after);
	return result;
}

/* ---- code ---- */

static int same_payload(const struct artifact_image *a, const struct artifact_image *b)
{
	return a->entry.compression == b->entry.compression && a->entry.compression != FATBIN_OBFUSCATED &&
	       a->entry.payload_size == b->entry.payload_size &&
	       memcmp(a->entry.payload, b->entry.payload, a->entry.payload_size) == 0;
}

/* Unpacks the item's image for the side, unless it is the one that was last. */
static int side_unpack(struct side *side, const struct item *item, struct error *err)
{
	size_t size;
	if (side->unpacked == item->in)
		return 0;
	side_forget(side);
	if (fatbin_entry_decompress(&item->in->entry, &side->bytes, &size, err) ||
	    (item->sass ? cubin_parse(side->bytes, size, &side->cubin, err) : ptx_digests_make(side->bytes, size, &side->digests, err)))
		return -1;
	if (item->ptx) {
		free(side->bytes);
		side->bytes = NULL;
	}
	side->unpacked = item->in;
	return 0;
}

/* The machine code, unpacked again where it was let go. */
static int code_of(struct side *side, const struct item *item, const unsigned char **code, size_t *size, struct error *err)
{
	const struct cubin_kernel *kernel = item->sass;
	if (!kernel->code && kernel->code_size) {
		if (side_unpack(side, item, err))
			return -1;
		kernel = item->kernel < side->cubin.kernel_count ? &side->cubin.kernels[item->kernel] : NULL;
	}
	*code = kernel ? kernel->code : NULL;
	*size = kernel ? kernel->code_size : 0;
	return 0;
}

static int compare_code(struct side *base, const struct item *before, struct side *next, const struct item *after,
			struct difference_kernel *kernel, struct error *err)
{
	if (same_payload(before->in, after->in) && strcmp(before->name, after->name) == 0) {
		kernel->code = CODE_IDENTICAL;
		return 0;
	}
	if (before->ptx) {
		if (side_unpack(base, before, err) || side_unpack(next, after, err))
			return -1;
		const char *a = ptx_digest_of(&base->digests, before->name), *b = ptx_digest_of(&next->digests, after->name);
		if (a && b)
			kernel->code = strcmp(a, b) == 0 ? CODE_IDENTICAL : CODE_DIFFERS;
		return 0;
	}
	const unsigned char *a, *b;
	size_t a_size, b_size;
	if (code_of(base, before, &a, &a_size, err) || code_of(next, after, &b, &b_size, err))
		return -1;
	if (!a || !b)
		return 0;
	const size_t common = a_size < b_size ? a_size : b_size, instruction = before->in->entry.arch >= 70 ? 16 : 8;
	size_t at = 0;
	while (at < common && a[at] == b[at])
		at++;
	kernel->code = at == common && a_size == b_size ? CODE_IDENTICAL : CODE_DIFFERS;
	kernel->first_instruction = at / instruction;
	return 0;
}

/* ---- figures ---- */

static const char *const field_names[FIELD_COUNT] = {
	[FIELD_REGISTERS] = "registers",
	[FIELD_SPILLS] = "spill instructions",
	[FIELD_STACK] = "stack bytes",
	[FIELD_SHARED] = "shared bytes",
	[FIELD_LOCAL] = "local bytes",
	[FIELD_BARRIERS] = "barriers",
	[FIELD_PARAMETERS] = "parameters",
	[FIELD_MAX_THREADS] = "max threads",
	[FIELD_REQUIRED_THREADS] = "required threads",
	[FIELD_CLUSTER] = "cluster",
	[FIELD_MAX_REGISTERS] = "register limit",
	[FIELD_MIN_BLOCKS] = "min blocks",
	[FIELD_CODE] = "code bytes",
};

const char *kernel_field_name(enum kernel_field field)
{
	return (unsigned)field < FIELD_COUNT ? field_names[field] : "";
}

static struct kernel_change *add_change(struct difference_kernel *kernel, enum kernel_field field)
{
	struct kernel_change *larger = realloc(kernel->changes, (size_t)(kernel->change_count + 1) * sizeof *larger);
	if (!larger)
		return NULL;
	kernel->changes = larger;
	larger[kernel->change_count] = (struct kernel_change){.field = field};
	return &larger[kernel->change_count++];
}

static void number_text(enum kernel_field field, long long value, char *out, size_t size)
{
	if ((field == FIELD_MAX_REGISTERS || field == FIELD_MIN_BLOCKS) && value == 0)
		snprintf(out, size, "none");
	else if (field == FIELD_STACK && value == UINT32_MAX)
		snprintf(out, size, "unknown (recursion)");
	else
		snprintf(out, size, "%lld", value);
}

/* Below 0: not stated. */
static int note_number(struct difference_kernel *kernel, enum kernel_field field, long long before, long long after)
{
	if (before == after || before < 0 || after < 0)
		return 0;
	struct kernel_change *change = add_change(kernel, field);
	if (!change)
		return -1;
	change->before = before;
	change->after = after;
	number_text(field, before, change->before_text, sizeof change->before_text);
	number_text(field, after, change->after_text, sizeof change->after_text);
	return 0;
}

static void three_text(const unsigned values[3], char *out, size_t size)
{
	if (!values[0] && !values[1] && !values[2])
		snprintf(out, size, "none");
	else
		snprintf(out, size, "%ux%ux%u", values[0], values[1], values[2]);
}

static long long three_product(const unsigned values[3])
{
	long long product;
	if (__builtin_mul_overflow((long long)values[0], (long long)values[1], &product) ||
	    __builtin_mul_overflow(product, (long long)values[2], &product))
		return LLONG_MAX;
	return product;
}

static int note_three(struct difference_kernel *kernel, enum kernel_field field, const unsigned before[3], const unsigned after[3])
{
	if (memcmp(before, after, 3 * sizeof *before) == 0)
		return 0;
	struct kernel_change *change = add_change(kernel, field);
	if (!change)
		return -1;
	change->before = three_product(before);
	change->after = three_product(after);
	three_text(before, change->before_text, sizeof change->before_text);
	three_text(after, change->after_text, sizeof change->after_text);
	return 0;
}

struct parameter {
	unsigned offset, size;
};

static int parameter_count(const struct item *item)
{
	return item->sass ? item->sass->parameter_count : item->ptx->parameter_count;
}

static unsigned parameter_bytes(const struct item *item)
{
	return item->sass ? item->sass->parameter_bytes : item->ptx->parameter_bytes;
}

static struct parameter parameter_of(const struct item *item, int index)
{
	if (index >= parameter_count(item))
		return (struct parameter){0};
	if (item->sass)
		return (struct parameter){item->sass->parameters[index].offset, item->sass->parameters[index].size};
	return (struct parameter){item->ptx->parameters[index].offset, item->ptx->parameters[index].size};
}

static void parameters_text(const struct item *item, int first, char *out, size_t size)
{
	const struct parameter at = parameter_of(item, first);
	if (first < parameter_count(item) && parameter_count(item) > 1)
		snprintf(out, size, "%u bytes in %d (%d: %u at %u)", parameter_bytes(item), parameter_count(item), first, at.size, at.offset);
	else
		snprintf(out, size, "%u bytes in %d", parameter_bytes(item), parameter_count(item));
}

static int note_parameters(struct difference_kernel *kernel, const struct item *before, const struct item *after)
{
	const int most = parameter_count(before) > parameter_count(after) ? parameter_count(before) : parameter_count(after);
	int first = 0;
	for (; first < most; first++) {
		const struct parameter a = parameter_of(before, first), b = parameter_of(after, first);
		if (a.offset != b.offset || a.size != b.size)
			break;
	}
	if (first == most && parameter_count(before) == parameter_count(after) && parameter_bytes(before) == parameter_bytes(after))
		return 0;
	struct kernel_change *change = add_change(kernel, FIELD_PARAMETERS);
	if (!change)
		return -1;
	change->before = parameter_bytes(before);
	change->after = parameter_bytes(after);
	parameters_text(before, first, change->before_text, sizeof change->before_text);
	parameters_text(after, first, change->after_text, sizeof change->after_text);
	return 0;
}

/* Both as the toolkit marked them, or both as they were counted in the code; never one with the other. */
static int note_spills(struct difference_kernel *kernel, const struct cubin_kernel *before, const struct cubin_kernel *after)
{
	if (before->spill_instructions >= 0 && after->spill_instructions >= 0)
		return note_number(kernel, FIELD_SPILLS, before->spill_instructions, after->spill_instructions);
	return note_number(kernel, FIELD_SPILLS, before->local_accesses, after->local_accesses);
}

static int compare_figures(struct difference_kernel *kernel, const struct item *before, const struct item *after)
{
	if (note_parameters(kernel, before, after))
		return -1;
	if (before->ptx) {
		const struct ptx_entry *a = before->ptx, *b = after->ptx;
		return note_three(kernel, FIELD_MAX_THREADS, a->max_threads, b->max_threads) ||
				       note_three(kernel, FIELD_REQUIRED_THREADS, a->required_threads, b->required_threads) ||
				       note_three(kernel, FIELD_CLUSTER, a->cluster, b->cluster) ||
				       note_number(kernel, FIELD_MAX_REGISTERS, a->max_registers, b->max_registers) ||
				       note_number(kernel, FIELD_MIN_BLOCKS, a->min_blocks, b->min_blocks)
			       ? -1
			       : 0;
	}
	const struct cubin_kernel *a = before->sass, *b = after->sass;
	return note_number(kernel, FIELD_REGISTERS, a->registers, b->registers) || note_spills(kernel, a, b) ||
			       note_number(kernel, FIELD_STACK, a->stack_bytes, b->stack_bytes) ||
			       note_number(kernel, FIELD_SHARED, a->shared_bytes, b->shared_bytes) ||
			       note_number(kernel, FIELD_LOCAL, a->local_bytes, b->local_bytes) ||
			       note_number(kernel, FIELD_BARRIERS, a->barriers, b->barriers) ||
			       note_three(kernel, FIELD_MAX_THREADS, a->max_threads, b->max_threads) ||
			       note_three(kernel, FIELD_REQUIRED_THREADS, a->required_threads, b->required_threads) ||
			       note_three(kernel, FIELD_CLUSTER, a->cluster, b->cluster) ||
			       note_number(kernel, FIELD_MAX_REGISTERS, a->register_limit, b->register_limit) ||
			       note_number(kernel, FIELD_CODE, (long long)a->code_size, (long long)b->code_size)
		       ? -1
		       : 0;
}

/* ---- the whole ---- */

static void describe(struct difference_kernel *kernel, const struct side *base, const struct side *next, const struct item *before,
		     const struct item *after)
{
	const struct item *any = after ? after : before;
	*kernel = (struct difference_kernel){
		.state = !before ? KERNEL_ADDED : !after ? KERNEL_REMOVED : KERNEL_COMMON,
		.name = any->name,
		.base_name = before && after && strcmp(before->name, after->name) != 0 ? before->name : NULL,
		.unit = after ? next->artifact->units[after->unit].name : NULL,
		.base_unit = before ? base->artifact->units[before->unit].name : NULL,
	};
	fatbin_entry_target(&any->in->entry, kernel->target);
}

/* Common kernels in the order of base's images, so that each is unpacked about once. */
static int compare_base_places(const void *left, const void *right)
{
	const struct item *a = *(const struct item *const *)left, *b = *(const struct item *const *)right;
	if (a->unit != b->unit)
		return a->unit < b->unit ? -1 : 1;
	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	return (a->kernel > b->kernel) - (a->kernel < b->kernel);
}

static int find_kernels(struct difference *difference, struct side *base, struct side *next, struct error *err)
{
	const size_t most = (size_t)base->count + (size_t)next->count;
	int result = -1, common = 0;
	const struct item **pairs = malloc(((size_t)base->count + 1) * sizeof *pairs);
	if (most > INT_MAX || !pairs || !(difference->kernels = calloc(most + 1, sizeof *difference->kernels))) {
		out_of_memory(err);
		goto done;
	}
	for (int i = 0; i < base->count; i++) {
		if (base->items[i].partner)
			pairs[common++] = &base->items[i];
		else
			describe(&difference->kernels[difference->kernel_count++], base, next, &base->items[i], NULL);
	}
	for (int i = 0; i < next->count; i++)
		if (!next->items[i].partner)
			describe(&difference->kernels[difference->kernel_count++], base, next, NULL, &next->items[i]);
	if (common)
		qsort(pairs, (size_t)common, sizeof *pairs, compare_base_places);
	for (int i = 0; i < common; i++) {
		struct difference_kernel *kernel = &difference->kernels[difference->kernel_count++];
		const struct item *before = pairs[i], *after = before->partner;
		describe(kernel, base, next, before, after);
		if (compare_code(base, before, next, after, kernel, err))
			goto done;
		if (compare_figures(kernel, before, after)) {
			out_of_memory(err);
			goto done;
		}
	}
	result = 0;
done:
	free(pairs);
	return result;
}

int artifact_difference(struct artifact *base, struct artifact *next, struct difference *difference, struct error *err)
{
	struct side before = {0}, after = {0};
	int result = -1;
	*difference = (struct difference){.base = base, .next = next, .base_bytes = base->map.size, .next_bytes = next->map.size};
	if (side_open(&before, base, err) || side_open(&after, next, err) || pair_all(&before, &after, err) ||
	    find_kernels(difference, &before, &after, err) || difference_summarise(difference, err))
		goto done;
	result = 0;
done:
	side_close(&before);
	side_close(&after);
	if (result)
		artifact_difference_free(difference);
	return result;
}

static void names_free(struct difference_names *names)
{
	for (int i = 0; i < names->added_count; i++)
		free(names->added[i]);
	for (int i = 0; i < names->removed_count; i++)
		free(names->removed[i]);
	free(names->added);
	free(names->removed);
}

void artifact_difference_free(struct difference *difference)
{
	names_free(&difference->targets);
	names_free(&difference->units);
	names_free(&difference->entry_points);
	names_free(&difference->names);
	for (int i = 0; i < difference->fact_count; i++) {
		free(difference->facts[i].before);
		free(difference->facts[i].after);
	}
	free(difference->facts);
	free(difference->target);
	for (int i = 0; i < difference->kernel_count; i++)
		free(difference->kernels[i].changes);
	free(difference->kernels);
	*difference = (struct difference){0};
}
