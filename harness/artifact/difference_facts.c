/* What two artifacts have besides kernels: targets, units, entry points, and facts about how they were made. */
#include "artifact/difference.h"
#include "artifact/fold_name.h"
#include "artifact/ptx_compare.h"
#include "core/util.h"

#include <stdlib.h>
#include <string.h>

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* ---- sets of names ---- */

struct names {
	char **items;
	int count, capacity;
	int failed;
};

static void names_take(struct names *names, char *name)
{
	if (names->count == names->capacity) {
		const int more = names->capacity ? 2 * names->capacity : 64;
		char **larger = realloc(names->items, (size_t)more * sizeof *larger);
		if (larger) {
			names->items = larger;
			names->capacity = more;
		} else {
			names->failed = 1;
		}
	}
	if (!name || names->failed) {
		names->failed = 1;
		free(name);
		return;
	}
	names->items[names->count++] = name;
}

static void names_free(struct names *names)
{
	for (int i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct names){0};
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once. */
static void names_sort(struct names *names)
{
	int kept = 0;
	if (names->count)
		qsort(names->items, (size_t)names->count, sizeof *names->items, compare_names);
	for (int i = 0; i < names->count; i++) {
		if (kept && strcmp(names->items[kept - 1], names->items[i]) == 0)
			free(names->items[i]);
		else
			names->items[kept++] = names->items[i];
	}
	names->count = kept;
}

/* What only one of them has. Takes both. */
static int names_compare(struct names *before, struct names *after, struct difference_names *out, struct error *err)
{
	struct names added = {0}, removed = {0};
	names_sort(before);
	names_sort(after);
	int b = 0, a = 0;
	while (b < before->count || a < after->count) {
		const int order = b == before->count  ? 1
				  : a == after->count ? -1
						      : strcmp(before->items[b], after->items[a]);
		if (order == 0)
			out->common++;
		else if (order < 0)
			names_take(&removed, strdup(before->items[b]));
		else
			names_take(&added, strdup(after->items[a]));
		b += order <= 0;
		a += order >= 0;
	}
	const int failed = before->failed || after->failed || added.failed || removed.failed;
	names_free(before);
	names_free(after);
	if (failed) {
		names_free(&added);
		names_free(&removed);
		return out_of_memory(err);
	}
	out->added = added.items;
	out->added_count = added.count;
	out->removed = removed.items;
	out->removed_count = removed.count;
	return 0;
}

/* Neighbours are often the same; the rest is for names_sort, since a made-up file may name another target in each entry. */
static struct names targets_of(const struct artifact *artifact)
{
	struct names names = {0};
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			char target[24];
			fatbin_entry_target(&artifact->units[u].images[i].entry, target);
			if (!names.count || strcmp(names.items[names.count - 1], target) != 0)
				names_take(&names, strdup(target));
		}
	return names;
}

static struct names units_of(const struct artifact *artifact)
{
	struct names names = {0};
	/* a file that is one unit may be called as it likes */
	for (int u = 0; u < artifact->unit_count && (artifact->unit_count > 1 || artifact->kind == OBJECT_ARCHIVE); u++)
		names_take(&names, fold_unit_name(artifact->units[u].name));
	return names;
}

static int names_of_points(const struct artifact *artifact, struct names *names, struct error *err)
{
	struct artifact_entry_points points;
	if (artifact_entry_points(artifact, &points, err))
		return -1;
	for (int i = 0; i < points.count; i++)
		names_take(names, strdup(points.items[i].name));
	artifact_entry_points_free(&points);
	return 0;
}

/* Of kernels. Most occur once a target. */
static struct names kernels_of(const struct artifact *artifact)
{
	struct names plain = {0}, names = {0};
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			const struct artifact_image *image = &artifact->units[u].images[i];
			for (int k = 0; k < image->cubin.kernel_count; k++)
				names_take(&plain, strdup(image->cubin.kernels[k].name));
			for (int k = 0; k < image->ptx.entry_count; k++)
				names_take(&plain, strdup(image->ptx.entries[k].name));
		}
	names_sort(&plain);
	for (int i = 0; i < plain.count; i++)
		names_take(&names, fold_kernel_name(plain.items[i]));
	names.failed |= plain.failed;
	names_free(&plain);
	return names;
}

/* ---- facts ---- */

/* Adds a word to a list that has it not yet. Bounded: an artifact may say something else in each of a million images. */
static void list_add(struct text *list, const char *word)
{
	enum { LONGEST = 2000 };
	const size_t length = strlen(word);
	if (list->length > LONGEST)
		return;
	for (const char *at = list->data; at && (at = strstr(at, word)); at += length)
		if ((at == list->data || (at - list->data >= 2 && memcmp(at - 2, ", ", 2) == 0)) && (!at[length] || at[length] == ','))
			return;
	text_append(list, "%s%s", list->length ? ", " : "", word);
}

static void add_release(struct text *list, unsigned release)
{
	char word[16];
	snprintf(word, sizeof word, "%u.%u", release / 10, release % 10);
	if (release)
		list_add(list, word);
}

enum fact {
	FACT_RELEASE, FACT_OPTIONS, FACT_ISA, FACT_RUNTIME, FACT_LINUX, FACT_WINDOWS, FACT_COMPRESSION, FACT_STREAM, FACT_CRT,
	FACT_KINDS, FACT_FLAGS, FACT_CANDLE, FACT_PTX_REST, FACT_COUNT
};
static const char *const fact_names[FACT_COUNT] = {
	[FACT_RELEASE] = "CUDA release of SASS",
	[FACT_OPTIONS] = "options of ptxas",
	[FACT_ISA] = "PTX ISA",
	[FACT_RUNTIME] = "CUDA runtime",
	[FACT_LINUX] = "Linux driver to load it",
	[FACT_WINDOWS] = "Windows driver to load it",
	[FACT_COMPRESSION] = "compression",
	[FACT_STREAM] = "default stream",
	[FACT_CRT] = "C runtime of MSVC",
	[FACT_KINDS] = "kinds of units",
	[FACT_FLAGS] = "flags in the build folder",
	[FACT_CANDLE] = "run_mha",
	[FACT_PTX_REST] = "PTX outside of entries",
};

/* A cubin's target stands in the options of ptxas as well, where it says nothing new. */
static void add_options(struct text *list, const char *options)
{
	char word[300];
	size_t used = 0;
	for (const char *at = options; *at;) {
		const size_t length = strcspn(at, " ");
		const int is_target = length == 5 && memcmp(at, "-arch", 5) == 0;
		const size_t skip = is_target ? length + strspn(at + length, " ") + strcspn(at + length + strspn(at + length, " "), " ")
					      : length;
		if (!is_target && length && used + length + 2 < sizeof word)
			used += (size_t)snprintf(word + used, sizeof word - used, "%s%.*s", used ? " " : "", (int)length, at);
		at += skip;
		at += strspn(at, " ");
	}
	if (used)
		list_add(list, word);
}

/* Digest of what PTX modules hold besides entries, all of them together. */
static int add_ptx_rest(struct artifact *artifact, struct text *out, struct error *err)
{
	struct text all = {0};
	if (artifact->kind != OBJECT_PTX)
		return 0; /* of archives it would mean unpacking them all */
	for (int i = 0; i < artifact->units[0].image_count; i++) {
		const struct fatbin_entry *entry = &artifact->units[0].images[i].entry;
		struct ptx_digests digests;
		if (ptx_digests_make((const char *)entry->payload, entry->payload_size, &digests, err)) {
			text_free(&all);
			return -1;
		}
		text_append(&all, "%.16s", digests.rest);
		ptx_digests_free(&digests);
	}
	if (all.data)
		text_append(out, "%s", all.data);
	text_free(&all);
	return 0;
}

static int gather(struct artifact *artifact, struct text facts[FACT_COUNT], struct error *err)
{
	struct artifact_driver_needs needs;
	struct mha_abi_evidence abi;
	int legacy = 0, per_thread = 0;
	if (artifact_driver_needs(artifact, &needs, err) || artifact_mha_abi(artifact, &abi, err) ||
	    add_ptx_rest(artifact, &facts[FACT_PTX_REST], err))
		return -1;
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		legacy |= unit->host.legacy_stream > 0;
		per_thread |= unit->host.per_thread_stream > 0;
		list_add(&facts[FACT_KINDS], object_kind_name(unit->kind));
		if (unit->host.msvc.runtime != MSVC_RUNTIME_UNKNOWN)
			list_add(&facts[FACT_CRT], msvc_runtime_name(unit->host.msvc.runtime));
		for (int i = 0; i < unit->image_count; i++) {
			const struct artifact_image *image = &unit->images[i];
			list_add(&facts[FACT_COMPRESSION], fatbin_compression_name(image->entry.compression));
			add_release(&facts[FACT_RELEASE], image->cubin.toolkit);
			if (image->cubin.tool_options)
				add_options(&facts[FACT_OPTIONS], image->cubin.tool_options);
			if (image->entry.kind == FATBIN_PTX)
				add_release(&facts[FACT_ISA], 10 * image->entry.version_major + image->entry.version_minor);
		}
	}
	for (int i = 0; artifact->provenance && i < artifact->provenance->flag_count; i++)
		list_add(&facts[FACT_FLAGS], artifact->provenance->flags[i]);
	if (needs.runtime_major)
		text_append(&facts[FACT_RUNTIME], "%u", needs.runtime_major);
	if (needs.to_load)
		text_append(&facts[FACT_LINUX], "%s", needs.to_load);
	if (needs.windows_to_load)
		text_append(&facts[FACT_WINDOWS], "%s", needs.windows_to_load);
	if (legacy || per_thread)
		text_append(&facts[FACT_STREAM], "%s", legacy && per_thread ? "mixed" : legacy ? "legacy" : "per-thread");
	if (abi.abi != MHA_ABI_NONE)
		text_append(&facts[FACT_CANDLE], "%s%s", mha_abi_name(abi.abi), abi.assumed ? " (assumed)" : "");
	return 0;
}

static int find_facts(struct difference *difference, struct error *err)
{
	struct text before[FACT_COUNT] = {{0}}, after[FACT_COUNT] = {{0}};
	int result = -1;
	if (gather(difference->base, before, err) || gather(difference->next, after, err))
		goto done;
	difference->facts = calloc(FACT_COUNT, sizeof *difference->facts);
	if (!difference->facts) {
		out_of_memory(err);
		goto done;
	}
	for (int i = 0; i < FACT_COUNT; i++) {
		if (!before[i].data && !after[i].data && !before[i].failed && !after[i].failed)
			continue;
		struct difference_fact *fact = &difference->facts[difference->fact_count++];
		*fact = (struct difference_fact){.what = fact_names[i],
						 .before = strdup(before[i].data ? before[i].data : "none"),
						 .after = strdup(after[i].data ? after[i].data : "none")};
		if (!fact->before || !fact->after || before[i].failed || after[i].failed) {
			out_of_memory(err);
			goto done;
		}
		fact->same = strcmp(fact->before, fact->after) == 0;
	}
	result = 0;
done:
	for (int i = 0; i < FACT_COUNT; i++) {
		text_free(&before[i]);
		text_free(&after[i]);
	}
	return result;
}

/* ---- by target ---- */

/* Those that a made-up file has too many of share the last one. */
static struct difference_target *target_named(struct difference *difference, const char *name)
{
	enum { TARGETS_MAX = 256 };
	for (int i = 0; i < difference->target_count; i++)
		if (strcmp(difference->target[i].name, name) == 0)
			return &difference->target[i];
	if (difference->target_count == TARGETS_MAX)
		return &difference->target[TARGETS_MAX - 1];
	if (difference->target_count % 16 == 0) {
		struct difference_target *larger = realloc(difference->target, (size_t)(difference->target_count + 16) * sizeof *larger);
		if (!larger)
			return NULL;
		difference->target = larger;
	}
	struct difference_target *target = &difference->target[difference->target_count++];
	*target = (struct difference_target){0};
	snprintf(target->name, sizeof target->name, "%s", name);
	return target;
}

static int count_images(struct difference *difference, const struct artifact *artifact, int is_next, struct error *err)
{
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			const struct artifact_image *image = &artifact->units[u].images[i];
			size_t code = 0;
			char name[24];
			fatbin_entry_target(&image->entry, name);
			struct difference_target *target = target_named(difference, name);
			if (!target)
				return out_of_memory(err);
			const int kernels = image->cubin.kernel_count + image->ptx.entry_count;
			for (int k = 0; k < image->cubin.kernel_count; k++)
				code += image->cubin.kernels[k].code_size;
			*(is_next ? &target->next_images : &target->base_images) += 1;
			*(is_next ? &target->next_stored : &target->base_stored) += image->entry.payload_size;
			*(is_next ? &target->next_code : &target->base_code) += code;
			*(is_next ? &target->next_kernels : &target->base_kernels) += kernels;
		}
	return 0;
}

/* SASS before PTX, then by architecture: "sm_90" before "sm_100", which is longer. */
static int compare_target_names(const char *a, const char *b)
{
	const int a_sass = strncmp(a, "sm_", 3) == 0, b_sass = strncmp(b, "sm_", 3) == 0;
	if (a_sass != b_sass)
		return b_sass - a_sass;
	const char *a_digit = a + strcspn(a, "0123456789"), *b_digit = b + strcspn(b, "0123456789");
	const unsigned long left = strtoul(a_digit, NULL, 10), right = strtoul(b_digit, NULL, 10);
	return left != right ? (left < right ? -1 : 1) : strcmp(a, b);
}

static int compare_targets(const void *a, const void *b)
{
	return compare_target_names(((const struct difference_target *)a)->name, ((const struct difference_target *)b)->name);
}

static int state_order(enum kernel_state state)
{
	return state == KERNEL_REMOVED ? 0 : state == KERNEL_ADDED ? 1 : 2;
}

static int compare_kernels(const void *left, const void *right)
{
	const struct difference_kernel *a = left, *b = right;
	const int targets = compare_target_names(a->target, b->target);
	if (targets || a->state != b->state)
		return targets ? targets : state_order(a->state) - state_order(b->state);
	const int names = strcmp(a->name, b->name);
	return names ? names : strcmp(a->unit ? a->unit : a->base_unit, b->unit ? b->unit : b->base_unit);
}

static int count_kernels(struct difference *difference, struct error *err)
{
	for (int k = 0; k < difference->kernel_count; k++) {
		const struct difference_kernel *kernel = &difference->kernels[k];
		struct difference_target *target = target_named(difference, kernel->target);
		if (!target)
			return out_of_memory(err);
		target->added += kernel->state == KERNEL_ADDED;
		target->removed += kernel->state == KERNEL_REMOVED;
		if (kernel->state != KERNEL_COMMON)
			continue;
		target->common++;
		target->identical += kernel->code == CODE_IDENTICAL;
		target->differing += kernel->code == CODE_DIFFERS;
		target->not_compared += kernel->code == CODE_NOT_COMPARED;
		int changed = 0;
		for (int c = 0; c < kernel->change_count; c++)
			changed |= kernel->changes[c].field != FIELD_CODE;
		target->changed += changed;
	}
	return 0;
}

int difference_summarise(struct difference *difference, struct error *err)
{
	struct names before = targets_of(difference->base), after = targets_of(difference->next);
	if (names_compare(&before, &after, &difference->targets, err))
		return -1;
	before = kernels_of(difference->base);
	after = kernels_of(difference->next);
	if (names_compare(&before, &after, &difference->names, err))
		return -1;
	before = units_of(difference->base);
	after = units_of(difference->next);
	if (names_compare(&before, &after, &difference->units, err))
		return -1;
	if (names_of_points(difference->base, &before, err) || names_of_points(difference->next, &after, err)) {
		names_free(&before);
		names_free(&after);
		return -1;
	}
	if (names_compare(&before, &after, &difference->entry_points, err) || find_facts(difference, err) ||
	    count_images(difference, difference->base, 0, err) || count_images(difference, difference->next, 1, err) ||
	    count_kernels(difference, err))
		return -1;
	if (difference->target_count)
		qsort(difference->target, (size_t)difference->target_count, sizeof *difference->target, compare_targets);
	if (difference->kernel_count)
		qsort(difference->kernels, (size_t)difference->kernel_count, sizeof *difference->kernels, compare_kernels);
	return 0;
}

int difference_is_empty(const struct difference *difference)
{
	for (int i = 0; i < difference->fact_count; i++)
		if (!difference->facts[i].same)
			return 0;
	for (int i = 0; i < difference->kernel_count; i++)
		if (difference->kernels[i].state != KERNEL_COMMON || difference->kernels[i].code == CODE_DIFFERS ||
		    difference->kernels[i].change_count)
			return 0;
	return !difference->targets.added_count && !difference->targets.removed_count && !difference->entry_points.added_count &&
	       !difference->entry_points.removed_count;
}
