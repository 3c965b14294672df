/* Questions about an artifact's device code: who can run it, and which kernels they would find. */
#include "artifact/artifact.h"
#include "artifact/compat.h"

#include <stdlib.h>
#include <string.h>

/* The images of one container, [first, end) of its unit's, and their entries side by side as fatbin_select wants them. */
struct container {
	struct artifact_unit *unit;
	int unit_index, first, end;
	struct artifact_library library; /* of the unit */
	int results;                  /* link results looked into so far, all libraries together */
	struct fatbin_entry *entries; /* owned; used again for the next container */
	int capacity;
};

/* Moves on to the next container of the artifact: 1, 0 at the end, -1 when memory runs out. Starts from {0}. */
static int container_next(struct artifact *artifact, struct container *at, struct error *err)
{
	at->first = at->end;
	while (at->unit_index < artifact->unit_count && at->first == artifact->units[at->unit_index].image_count) {
		at->unit_index++;
		at->first = 0;
	}
	if (at->unit_index == artifact->unit_count)
		return 0;
	while (at->unit_index >= at->library.end)
		artifact_library_next(artifact, &at->library);
	at->unit = &artifact->units[at->unit_index];
	const struct artifact_image *images = at->unit->images;
	for (at->end = at->first; at->end < at->unit->image_count; at->end++) {
		if (images[at->end].entry.container != images[at->first].entry.container)
			break;
		const int used = at->end - at->first;
		if (used == at->capacity) {
			const int more = at->capacity ? at->capacity * 2 : 16;
			struct fatbin_entry *entries = realloc(at->entries, (size_t)more * sizeof *entries);
			if (!entries)
				return error_set(err, ERROR_ENVIRONMENT, "out of memory");
			at->entries = entries;
			at->capacity = more;
		}
		at->entries[used] = images[at->end].entry;
	}
	return 1;
}

/* Index of the image in the unit, or -1 with the reason. */
static int container_select(const struct container *at, int cc_major, int cc_minor, enum image_policy policy, char *reason,
			    size_t reason_size)
{
	const int selected =
		fatbin_select(at->entries, at->end - at->first, -1, cc_major, cc_minor, policy, reason, reason_size);
	if (selected < 0)
		return -1;
	if (at->unit->images[at->first + selected].relocatable_section) {
		if (reason)
			snprintf(reason, reason_size, "holds relocatable device code, which nvcc -dlink has to link first");
		return -1;
	}
	return at->first + selected;
}

/* Whether the unit is a linked file that holds the result of a device link. */
static int is_linked_unit(const struct artifact_unit *unit)
{
	int plain = 0;
	for (int i = 0; i < unit->image_count && !plain; i++)
		plain = !unit->images[i].relocatable_section && !unit->images[i].cubin.relocatable;
	return plain && host_object_is_linked(&unit->host);
}

static int is_device_linked(const struct artifact_unit *units, int count)
{
	static const char registered[] = "__cudaRegisterLinkedBinary_";
	int linked_units = 0, others = 0, plain = 0, defined = 0;
	for (int u = 0; u < count; u++) {
		const struct artifact_unit *unit = &units[u];
		int relocatable = 0;
		for (int i = 0; i < unit->image_count; i++) {
			relocatable |= unit->images[i].relocatable_section;
			plain |= !unit->images[i].relocatable_section && !unit->images[i].cubin.relocatable;
		}
		const int linked = is_linked_unit(unit);
		linked_units += linked;
		others += relocatable && !linked;
		for (int s = 0; s < unit->host.symbol_count && !defined; s++)
			defined = unit->host.symbols[s].defined &&
				  strncmp(unit->host.symbols[s].name, registered, sizeof registered - 1) == 0;
	}
	return plain && ((linked_units && !others) || defined);
}

int artifact_library_next(const struct artifact *artifact, struct artifact_library *library)
{
	const struct artifact_unit *units = artifact->units;
	const int first = library->end;
	if (first >= artifact->unit_count)
		return 0;
	int end = first + 1;
	while (end < artifact->unit_count && units[end].library == units[first].library)
		end++;
	*library = (struct artifact_library){.first = first, .end = end, .device_linked = is_device_linked(units + first, end - first)};
	return 1;
}

static int has_kernels(struct artifact *artifact, const struct container *at, int *has, struct error *err)
{
	*has = 0;
	for (int i = at->first; i < at->end && !*has; i++) {
		struct artifact_image *image = &at->unit->images[i];
		if (image->entry.kind != FATBIN_ELF && image->entry.kind != FATBIN_PTX) {
			*has = 1; /* cannot be looked into: taken as holding some */
			continue;
		}
		if (artifact_load_image(artifact, at->unit, image, err))
			return -1;
		*has = image->cubin.kernel_count + image->ptx.entry_count > 0;
	}
	return 0;
}

/* Relocatable code of which a linked file holds the linked form as well. */
static int is_link_input(const struct container *at)
{
	return at->library.device_linked && at->unit->images[at->first].relocatable_section;
}

/* The name of a kernel of the container, or NULL when it has none or none was loaded. */
static const char *first_kernel(const struct artifact_unit *unit, int first, int end)
{
	for (int i = first; i < end; i++)
		if (unit->images[i].cubin.kernel_count)
			return unit->images[i].cubin.kernels[0].name;
	return NULL;
}

static int holds_kernel(const struct artifact_image *image, const char *name)
{
	for (int k = 0; k < image->cubin.kernel_count; k++)
		if (strcmp(image->cubin.kernels[k].name, name) == 0)
			return 1;
	return 0;
}

int artifact_is_link_result(const struct artifact *artifact, const struct artifact_library *library,
			    const struct artifact_unit *unit, int first, int end)
{
	const char *name = first < end && !unit->images[first].relocatable_section ? first_kernel(unit, first, end) : NULL;
	for (int u = library->first; u < library->end && name && library->device_linked; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++)
			if (artifact->units[u].images[i].relocatable_section && holds_kernel(&artifact->units[u].images[i], name))
				return 1;
	return 0;
}

/* Whether all that the device link of a library was made from has code for a GPU. *isa: of its newest PTX then. */
static int inputs_fit(struct artifact *artifact, const struct artifact_library *library, int cc_major, int cc_minor,
		      enum image_policy policy, int *fit, unsigned *isa, struct error *err)
{
	struct container at = {.unit_index = library->first, .library = *library};
	int more;
	*fit = 1;
	while ((more = container_next(artifact, &at, err)) > 0 && at.unit_index < library->end) {
		if (!at.unit->images[at.first].relocatable_section)
			continue;
		const int selected = fatbin_select(at.entries, at.end - at.first, -1, cc_major, cc_minor, policy, NULL, 0);
		if (selected < 0) {
			*fit = 0;
			break;
		}
		const struct fatbin_entry *entry = &at.entries[selected];
		if (entry->kind == FATBIN_PTX && 10 * entry->version_major + entry->version_minor > *isa)
			*isa = 10 * entry->version_major + entry->version_minor;
	}
	free(at.entries);
	return more < 0 ? -1 : 0;
}

/* Whether the driver can make what is missing from what the container was linked from. */
static int can_relink(struct artifact *artifact, struct container *at, int cc_major, int cc_minor, enum image_policy policy, int *can,
		      unsigned *isa, struct error *err)
{
	enum { RESULTS_MAX = 64 }; /* a library has one; beyond it only a made-up file goes */
	*can = 0;
	if (!at->library.device_linked || policy == IMAGE_SASS || at->results++ >= RESULTS_MAX)
		return 0;
	for (int u = at->library.first; u < at->library.end; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++)
			if (artifact->units[u].images[i].entry.kind == FATBIN_ELF &&
			    artifact_load_image(artifact, &artifact->units[u], &artifact->units[u].images[i], err))
				return -1;
	if (!artifact_is_link_result(artifact, &at->library, at->unit, at->first, at->end))
		return 0;
	return inputs_fit(artifact, &at->library, cc_major, cc_minor, policy, can, isa, err);
}

static void note_jit(struct artifact_coverage *coverage, const struct container *at, unsigned isa)
{
	if (coverage->jit++ == 0)
		coverage->first_jit = at->unit_index;
	if (isa > coverage->ptx_isa)
		coverage->ptx_isa = isa;
}

static int cover_container(struct artifact *artifact, struct container *at, int cc_major, int cc_minor,
			   enum image_policy policy, struct artifact_coverage *coverage, struct error *err)
{
	char reason[sizeof coverage->reason] = "";
	int selected = container_select(at, cc_major, cc_minor, policy, reason, sizeof reason);
	if (is_link_input(at))
		return 0;
	/* a bare cubin or fatbin lies in no section that would tell */
	if (selected >= 0 && at->unit->images[selected].entry.kind == FATBIN_ELF) {
		if (artifact_load_image(artifact, at->unit, &at->unit->images[selected], err))
			return -1;
		if (at->unit->images[selected].cubin.relocatable) {
			snprintf(reason, sizeof reason, "holds relocatable device code, which nvcc -dlink has to link first");
			selected = -1;
		}
	}
	if (selected < 0) {
		int has, can;
		unsigned isa = 0;
		if (has_kernels(artifact, at, &has, err) || (has && can_relink(artifact, at, cc_major, cc_minor, policy, &can, &isa, err)))
			return -1;
		if (has && can) {
			if (coverage->relinked++ == 0 && !coverage->none)
				memcpy(coverage->reason, reason, sizeof reason);
			note_jit(coverage, at, isa);
		} else if (has && coverage->none++ == 0) {
			coverage->first_none = at->unit_index;
			memcpy(coverage->reason, reason, sizeof reason);
		}
		return 0;
	}
	const struct fatbin_entry *entry = &at->unit->images[selected].entry;
	coverage->debug += (entry->flags & FATBIN_FLAG_DEBUG) != 0;
	if (entry->kind == FATBIN_ELF) {
		const unsigned cc = (unsigned)(10 * cc_major + cc_minor);
		coverage->sass++;
		coverage->tegra += entry->arch != cc && (is_tegra(entry->arch) || is_tegra(cc));
		return 0;
	}
	note_jit(coverage, at, 10 * entry->version_major + entry->version_minor);
	return 0;
}

int artifact_coverage(struct artifact *artifact, int cc_major, int cc_minor, enum image_policy policy,
		      struct artifact_coverage *coverage, struct error *err)
{
	struct container at = {0};
	int more;
	*coverage = (struct artifact_coverage){.first_none = -1, .first_jit = -1};
	while ((more = container_next(artifact, &at, err)) > 0)
		if (cover_container(artifact, &at, cc_major, cc_minor, policy, coverage, err)) {
			more = -1;
			break;
		}
	free(at.entries);
	coverage->verdict = coverage->none   ? COVERAGE_NONE
			    : coverage->jit  ? COVERAGE_JIT
			    : coverage->sass ? COVERAGE_SASS
					     : COVERAGE_NOTHING;
	return more;
}

const char *coverage_verdict_name(enum coverage_verdict verdict)
{
	switch (verdict) {
	case COVERAGE_SASS: return "SASS";
	case COVERAGE_JIT: return "JIT";
	case COVERAGE_NONE: return "no";
	case COVERAGE_NOTHING: break;
	}
	return "no device code";
}

static int kernel_append(struct artifact_kernels *kernels, int *capacity, struct artifact_kernel kernel)
{
	if (kernels->count == *capacity) {
		if (*capacity > INT32_MAX / 2)
			return -1;
		const int more = *capacity ? *capacity * 2 : 64;
		struct artifact_kernel *items = realloc(kernels->items, (size_t)more * sizeof *items);
		if (!items)
			return -1;
		kernels->items = items;
		*capacity = more;
	}
	kernels->items[kernels->count++] = kernel;
	return 0;
}

static int compare_kernels(const void *a, const void *b)
{
	const struct artifact_kernel *left = a, *right = b;
	const int order = strcmp(left->name, right->name);
	return order ? order : left->unit != right->unit ? left->unit - right->unit : left->image - right->image;
}

/* The kernels of one image. */
static int kernels_append(struct artifact_kernels *kernels, int *capacity, const struct artifact_image *image, int unit, int index)
{
	struct artifact_kernel kernel = {.unit = unit, .image = index};
	for (int i = 0; i < image->cubin.kernel_count; i++) {
		kernel.sass = &image->cubin.kernels[i];
		kernel.name = kernel.sass->name;
		if (kernel_append(kernels, capacity, kernel))
			return -1;
	}
	for (int i = 0; i < image->ptx.entry_count; i++) {
		kernel.ptx = &image->ptx.entries[i];
		kernel.name = kernel.ptx->name;
		if (kernel_append(kernels, capacity, kernel))
			return -1;
	}
	return 0;
}

int artifact_kernel_names(struct artifact *artifact, int cc_major, int cc_minor, enum image_policy policy,
			  struct artifact_kernels *kernels, struct error *err)
{
	struct container at = {0};
	int capacity = 0, more, result = -1;
	*kernels = (struct artifact_kernels){0};
	while ((more = container_next(artifact, &at, err)) > 0) {
		const int index = container_select(&at, cc_major, cc_minor, policy, NULL, 0);
		if (is_link_input(&at))
			continue;
		if (index < 0) {
			int has;
			if (has_kernels(artifact, &at, &has, err))
				goto done;
			kernels->missing += has;
			continue;
		}
		if (artifact_load_image(artifact, at.unit, &at.unit->images[index], err))
			goto done;
		if (kernels_append(kernels, &capacity, &at.unit->images[index], at.unit_index, index)) {
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
			goto done;
		}
	}
	if (more < 0)
		goto done;
	if (kernels->count)
		qsort(kernels->items, (size_t)kernels->count, sizeof *kernels->items, compare_kernels);
	result = 0;
done:
	free(at.entries);
	if (result)
		artifact_kernels_free(kernels);
	return result;
}

void artifact_kernels_free(struct artifact_kernels *kernels)
{
	free(kernels->items);
	*kernels = (struct artifact_kernels){0};
}
