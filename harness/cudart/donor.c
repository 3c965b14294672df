#include "cudart/donor.h"

#include "artifact/artifact.h"
#include "artifact/demangle.h"
#include "artifact/fold_name.h"
#include "artifact/kernel_match.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The cpu device has no compute capability; see shim.c */
enum { CPU_CC_MAJOR = 9, CPU_CC_MINOR = 0 };

/* One container of device code, by what one of its images says. */
struct container {
	int unit;
	const unsigned char *bytes;
	size_t size;
	int image;                   /* index into the unit's images: the one that speaks for it */
};

struct entry { /* a kernel of a container */
	size_t container;            /* index */
	const struct cubin_kernel *sass; /* one of the two */
	const struct ptx_entry *ptx;
};

struct side {
	struct artifact artifact;
	int is_open;
	char **unit_names;           /* folded */
	struct container *containers;
	size_t container_count;
	struct entry *entries;       /* beside items, one each */
	struct match_item *items;
	size_t count, capacity;
};

struct donor {
	struct side artifact, host;
	struct cudart_stand_in stand_in;
	struct cudart_module_pair *modules;
	struct cudart_kernel_pair *kernels;
	const void **containers;
	struct match_item **by_folded; /* the artifact's */
	size_t folded_count;
	unsigned char *is_used;      /* one a kernel of the artifact */
	char **reasons;              /* one a kernel of the host, NULL where it needs none */
	const char **names;          /* donor_kernel's: the artifact's that are used, then those of libraries; each part sorted */
	size_t artifact_names, name_count;
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* ---- what a side holds ---- */

static int can_be_read(const struct fatbin_entry *entry)
{
	return (entry->kind == FATBIN_ELF || entry->kind == FATBIN_PTX) && entry->compression != FATBIN_OBFUSCATED &&
	       entry->compression != FATBIN_PACKED;
}

/* Any cubin is shorter than its PTX, and a raw one is read in place. */
static int is_cheaper(const struct fatbin_entry *a, const struct fatbin_entry *b)
{
	if (a->kind != b->kind)
		return a->kind == FATBIN_ELF;
	return a->compression == FATBIN_RAW && b->compression != FATBIN_RAW;
}

/* The image that would run on the device; where there is none, or any will do, the one that is cheapest to read. */
static int speaking_image(const struct artifact_unit *unit, int first, int end, const struct device_properties *device,
			  enum image_policy policy)
{
	enum { IMAGES_MAX = 64 }; /* a container has one for each target */
	struct fatbin_entry entries[IMAGES_MAX] = {{0}};
	const int count = end - first < IMAGES_MAX ? end - first : IMAGES_MAX;
	int best = -1;
	for (int i = 0; i < count; i++)
		entries[i] = unit->images[first + i].entry;
	if (device) {
		const int is_cpu = device->kind == DEVICE_CPU;
		best = fatbin_select(entries, count, -1, is_cpu ? CPU_CC_MAJOR : device->cc_major, is_cpu ? CPU_CC_MINOR : device->cc_minor,
				     is_cpu ? IMAGE_PTX : policy, NULL, 0);
		if (best >= 0 && can_be_read(&entries[best]))
			return first + best;
		best = -1;
	}
	for (int i = 0; i < count; i++)
		if (can_be_read(&entries[i]) && (best < 0 || is_cheaper(&entries[i], &entries[best])))
			best = i;
	return best < 0 ? -1 : first + best;
}

static int add_container(struct side *side, struct container container)
{
	struct container *containers = reallocarray(side->containers, side->container_count + 1, sizeof *containers);
	if (!containers)
		return -1;
	side->containers = containers;
	containers[side->container_count++] = container;
	return 0;
}

static int add_entry(struct side *side, const char *name, struct entry entry)
{
	if (side->count == side->capacity) {
		const size_t more = side->capacity ? 2 * side->capacity : 128;
		struct entry *entries = reallocarray(side->entries, more, sizeof *entries);
		if (!entries)
			return -1;
		side->entries = entries;
		struct match_item *items = reallocarray(side->items, more, sizeof *items);
		if (!items)
			return -1;
		side->items = items;
		side->capacity = more;
	}
	const int unit = side->containers[entry.container].unit;
	side->entries[side->count] = entry;
	side->items[side->count] = (struct match_item){
		.name = name, .unit_name = side->unit_names[unit], .unit = unit, .place = side->count};
	side->count++;
	return 0;
}

static int add_kernels(struct side *side, const struct artifact_image *image)
{
	struct entry entry = {.container = side->container_count - 1};
	for (int i = 0; i < image->cubin.kernel_count; i++) {
		entry.sass = &image->cubin.kernels[i];
		if (add_entry(side, entry.sass->name, entry))
			return -1;
	}
	entry.sass = NULL;
	for (int i = 0; i < image->ptx.entry_count; i++) {
		entry.ptx = &image->ptx.entries[i];
		if (add_entry(side, entry.ptx->name, entry))
			return -1;
	}
	return 0;
}

/* `device` NULL: any image of a container speaks for it. */
static int side_open(struct side *side, const char *path, const struct device_properties *device, enum image_policy policy,
		     struct error *err)
{
	if (artifact_open(path, &side->artifact, err))
		return -1;
	side->is_open = 1;
	side->unit_names = calloc((size_t)side->artifact.unit_count + 1, sizeof *side->unit_names);
	if (!side->unit_names)
		return out_of_memory(err);
	for (int u = 0; u < side->artifact.unit_count; u++) {
		struct artifact_unit *unit = &side->artifact.units[u];
		if (!(side->unit_names[u] = fold_unit_name(unit->name)))
			return out_of_memory(err);
		for (int first = 0, end = 0; first < unit->image_count; first = end) {
			while (end < unit->image_count && unit->images[end].entry.container == unit->images[first].entry.container)
				end++;
			const struct container container = {
				.unit = u,
				.bytes = unit->images[first].entry.container_bytes,
				.size = unit->images[first].entry.container_size,
				.image = speaking_image(unit, first, end, device, policy),
			};
			if (!container.bytes || container.image < 0)
				continue;
			if (add_container(side, container))
				return out_of_memory(err);
			struct artifact_image *image = &unit->images[container.image];
			if (artifact_load_image(&side->artifact, unit, image, err))
				return error_context(err, "%s: %s", path, unit->name);
			if (add_kernels(side, image))
				return out_of_memory(err);
		}
	}
	return 0;
}

static void side_close(struct side *side)
{
	match_items_free(side->items, side->count);
	free(side->items);
	free(side->entries);
	free(side->containers);
	for (int u = 0; side->unit_names && u < side->artifact.unit_count; u++)
		free(side->unit_names[u]);
	free(side->unit_names);
	if (side->is_open)
		artifact_close(&side->artifact);
}

/* ---- pairs ---- */

struct parameter {
	unsigned offset, size;
};

static int parameter_count(const struct entry *entry)
{
	return entry->sass ? entry->sass->parameter_count : entry->ptx->parameter_count;
}

static struct parameter parameter_of(const struct entry *entry, int index)
{
	if (entry->sass)
		return (struct parameter){entry->sass->parameters[index].offset, entry->sass->parameters[index].size};
	return (struct parameter){entry->ptx->parameters[index].offset, entry->ptx->parameters[index].size};
}

static unsigned parameter_bytes(const struct entry *entry)
{
	return entry->sass ? entry->sass->parameter_bytes : entry->ptx->parameter_bytes;
}

/* NULL when they are the same, else how they differ, malloc'd. */
static char *compare_parameters(const struct entry *artifact, const struct entry *host)
{
	char *text = NULL;
	int failed = 0;
	if (parameter_count(artifact) != parameter_count(host)) {
		failed = asprintf(&text, "it takes %d parameters of %u bytes in all, the donor's kernel %d of %u", parameter_count(artifact),
				  parameter_bytes(artifact), parameter_count(host), parameter_bytes(host)) < 0;
		return failed ? NULL : text;
	}
	for (int i = 0; i < parameter_count(host); i++) {
		const struct parameter a = parameter_of(artifact, i), b = parameter_of(host, i);
		if (a.size == b.size && a.offset == b.offset)
			continue;
		failed = asprintf(&text, "its parameter %d is of %u bytes at %u, that of the donor's kernel of %u bytes at %u", i, a.size,
				  a.offset, b.size, b.offset) < 0;
		return failed ? NULL : text;
	}
	return NULL;
}

static int same_parameters(const struct entry *artifact, const struct entry *host)
{
	if (parameter_count(artifact) != parameter_count(host))
		return 0;
	for (int i = 0; i < parameter_count(host); i++) {
		const struct parameter a = parameter_of(artifact, i), b = parameter_of(host, i);
		if (a.size != b.size || a.offset != b.offset)
			return 0;
	}
	return 1;
}

/* CUDA's own C++ libraries (CCCL) put the toolkit's version into the namespaces below these. */
static int is_library_kernel(const char *name)
{
	return strncmp(name, "_ZN3cub", 7) == 0 || strncmp(name, "_ZN6thrust", 10) == 0 || strncmp(name, "_ZN4cuda", 8) == 0;
}

static int compare_folded(const void *left, const void *right)
{
	return strcmp((*(struct match_item *const *)left)->folded, (*(struct match_item *const *)right)->folded);
}

/* The artifact's kernels by folded names, for those of the host that the pairing left alone. */
static int index_folded(struct donor *donor, struct error *err)
{
	struct side *side = &donor->artifact;
	size_t alone = 0;
	for (size_t i = 0; i < donor->host.count; i++)
		alone += donor->host.items[i].kind == MATCH_NONE;
	if (!alone)
		return 0;
	donor->by_folded = calloc(side->count + 1, sizeof *donor->by_folded);
	if (!donor->by_folded)
		return out_of_memory(err);
	for (size_t i = 0; i < side->count; i++) {
		struct match_item *item = &side->items[i];
		if (!item->folded && !(item->folded = fold_kernel_name(item->name)))
			return out_of_memory(err);
		donor->by_folded[donor->folded_count++] = item;
	}
	if (side->count)
		qsort(donor->by_folded, side->count, sizeof *donor->by_folded, compare_folded);
	return 0;
}

/* Which kernel of the artifact a kernel of the host stands for: its index, -1: none, -2: several. The pairing takes each kernel
 * once. One that every translation unit has a copy of may be in fewer units of the artifact; int64_t and long long, which are
 * two types on Linux, are one on Windows: for those left alone any kernel of their key will do, if there is just one, or one
 * of the very same name. */
static long partner_of(const struct donor *donor, size_t index)
{
	const struct match_item *item = &donor->host.items[index];
	if (item->kind != MATCH_NONE)
		return item->ambiguous ? -2 : (long)item->partner;
	size_t low = 0, high = donor->folded_count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (strcmp(donor->by_folded[middle]->folded, item->folded) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	long any = -1, named = -1;
	for (; low < donor->folded_count && strcmp(donor->by_folded[low]->folded, item->folded) == 0; low++) {
		const long at = (long)(donor->by_folded[low] - donor->artifact.items);
		any = any == -1 ? at : -2;
		if (strcmp(donor->by_folded[low]->name, item->name) == 0)
			named = named == -1 ? at : -2;
	}
	return named != -1 ? named : any;
}

static int decide(struct donor *donor, size_t index, struct cudart_kernel_pair *pair, struct error *err)
{
	const struct match_item *item = &donor->host.items[index];
	const long partner = partner_of(donor, index);
	char *reason = NULL;
	*pair = (struct cudart_kernel_pair){.name = item->name, .code_name = item->name, .container = CUDART_OWN_CODE};
	if (partner >= 0) {
		const struct entry *artifact = &donor->artifact.entries[partner], *host = &donor->host.entries[index];
		pair->code_name = donor->artifact.items[partner].name;
		pair->container = (long)artifact->container;
		if (same_parameters(artifact, host)) {
			donor->is_used[partner] = 1;
			return 0;
		}
		reason = compare_parameters(artifact, host);
	} else if (partner == -2) {
		reason = strdup("several kernels of the artifact could be meant");
	} else {
		reason = strdup("the artifact has no kernel of that name");
	}
	pair->container = CUDART_OWN_CODE;
	pair->code_name = item->name;
	if (reason && is_library_kernel(item->name)) {
		free(reason);
		return 0;
	}
	donor->reasons[index] = reason;
	pair->refused = reason;
	return reason ? 0 : out_of_memory(err);
}

static int compare_pairs(const void *left, const void *right)
{
	return strcmp(((const struct cudart_kernel_pair *)left)->name, ((const struct cudart_kernel_pair *)right)->name);
}

/* The host's kernels lie container by container; each container's are sorted for the shim. */
static int make_pairs(struct donor *donor, struct error *err)
{
	struct side *host = &donor->host, *artifact = &donor->artifact;
	donor->kernels = calloc(host->count + 1, sizeof *donor->kernels);
	donor->reasons = calloc(host->count + 1, sizeof *donor->reasons);
	donor->is_used = calloc(artifact->count + 1, 1);
	donor->modules = calloc(host->container_count + 1, sizeof *donor->modules);
	donor->containers = calloc(artifact->container_count + 1, sizeof *donor->containers);
	if (!donor->kernels || !donor->reasons || !donor->is_used || !donor->modules || !donor->containers)
		return out_of_memory(err);
	if (index_folded(donor, err))
		return -1;
	for (size_t i = 0; i < host->count; i++)
		if (decide(donor, i, &donor->kernels[i], err))
			return -1;
	for (size_t c = 0, at = 0; c < host->container_count; c++) {
		const size_t first = at;
		while (at < host->count && host->entries[at].container == c)
			at++;
		donor->modules[c] = (struct cudart_module_pair){
			.container = host->containers[c].bytes,
			.size = host->containers[c].size,
			.kernels = donor->kernels + first,
			.kernel_count = at - first,
		};
		if (at > first)
			qsort(donor->kernels + first, at - first, sizeof *donor->kernels, compare_pairs);
	}
	for (size_t c = 0; c < artifact->container_count; c++)
		donor->containers[c] = artifact->containers[c].bytes;
	donor->stand_in = (struct cudart_stand_in){
		.modules = donor->modules,
		.module_count = host->container_count,
		.containers = donor->containers,
		.container_count = artifact->container_count,
	};
	return 0;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static size_t sort_names(const char **names, size_t count)
{
	size_t kept = 0;
	if (count)
		qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count; i++)
		if (!kept || strcmp(names[kept - 1], names[i]) != 0)
			names[kept++] = names[i];
	return kept;
}

static int list_names(struct donor *donor, struct error *err)
{
	donor->names = calloc(donor->artifact.count + donor->host.count + 1, sizeof *donor->names);
	if (!donor->names)
		return out_of_memory(err);
	size_t count = 0;
	for (size_t i = 0; i < donor->artifact.count; i++)
		if (donor->is_used[i])
			donor->names[count++] = donor->artifact.items[i].name;
	count = donor->artifact_names = sort_names(donor->names, count);
	for (size_t i = 0; i < donor->host.count; i++)
		if (donor->kernels[i].container == CUDART_OWN_CODE && !donor->kernels[i].refused)
			donor->names[count++] = donor->kernels[i].name;
	donor->name_count = donor->artifact_names + sort_names(donor->names + donor->artifact_names, count - donor->artifact_names);
	return 0;
}

static int check_pairs(const struct donor *donor, const char *artifact, const char *host, struct error *err)
{
	size_t paired = 0;
	const struct cudart_kernel_pair *first = NULL;
	if (!donor->artifact.count)
		return error_set(err, ERROR_UNSUPPORTED, "%s: holds no kernel that host code of %s could launch", artifact, host);
	if (!donor->host.count)
		return error_set(err, ERROR_UNSUPPORTED, "%s: holds no kernels, so its host code launches none: give an archive of the same "
				 "release as --donor", host);
	for (size_t i = 0; i < donor->host.count; i++) {
		paired += donor->kernels[i].container != CUDART_OWN_CODE;
		if (donor->kernels[i].refused && !first)
			first = &donor->kernels[i];
	}
	if (paired)
		return 0;
	char *name = first ? demangle(first->name) : NULL;
	error_set(err, ERROR_UNSUPPORTED,
		  "%s: none of its kernels fits the host code of the donor %s (%.160s: %s): give an archive of the same release as --donor",
		  artifact, host, name ? name : "?", first ? first->refused : "it launches library kernels only");
	free(name);
	return -1;
}

int donor_open(struct donor **out, const char *artifact, const char *host, const struct device_properties *device,
	       enum image_policy policy, struct error *err)
{
	struct donor *donor = calloc(1, sizeof *donor);
	*out = NULL;
	if (!donor)
		return out_of_memory(err);
	if (side_open(&donor->artifact, artifact, device, policy, err) || side_open(&donor->host, host, NULL, IMAGE_ANY, err) ||
	    match_items(donor->host.items, donor->host.count, donor->artifact.items, donor->artifact.count, err) ||
	    make_pairs(donor, err) || check_pairs(donor, artifact, host, err) || list_names(donor, err)) {
		donor_close(donor);
		return -1;
	}
	*out = donor;
	return 0;
}

void donor_close(struct donor *donor)
{
	if (!donor)
		return;
	for (size_t i = 0; donor->reasons && i < donor->host.count; i++)
		free(donor->reasons[i]);
	free(donor->reasons);
	free(donor->modules);
	free(donor->kernels);
	free(donor->containers);
	free(donor->names);
	free(donor->by_folded);
	free(donor->is_used);
	side_close(&donor->artifact);
	side_close(&donor->host);
	free(donor);
}

const struct cudart_stand_in *donor_stand_in(const struct donor *donor)
{
	return &donor->stand_in;
}

const char *donor_kernel(const struct donor *donor, size_t index)
{
	return index < donor->name_count ? donor->names[index] : NULL;
}

/* ---- words ---- */

static int compare_pointers(const void *left, const void *right)
{
	const struct cudart_kernel_pair *a = *(const struct cudart_kernel_pair *const *)left;
	const struct cudart_kernel_pair *b = *(const struct cudart_kernel_pair *const *)right;
	const int order = strcmp(a->name, b->name);
	/* of copies the one that runs speaks for all */
	return order ? order : (a->container == CUDART_OWN_CODE) - (b->container == CUDART_OWN_CODE);
}

/* A kernel counts once, in however many translation units it is. */
static const struct cudart_kernel_pair **sorted_pairs(const struct donor *donor, size_t *count)
{
	const struct cudart_kernel_pair **pairs = calloc(donor->host.count + 1, sizeof *pairs);
	*count = 0;
	if (!pairs)
		return NULL;
	for (size_t i = 0; i < donor->host.count; i++)
		pairs[i] = &donor->kernels[i];
	if (donor->host.count)
		qsort(pairs, donor->host.count, sizeof *pairs, compare_pointers);
	for (size_t i = 0; i < donor->host.count; i++)
		if (!*count || strcmp(pairs[*count - 1]->name, pairs[i]->name) != 0)
			pairs[(*count)++] = pairs[i];
	return pairs;
}

/* Names of the artifact's kernels of which no copy is used. */
static size_t count_unused(const struct donor *donor)
{
	const char **names = calloc(donor->artifact.count + 1, sizeof *names);
	size_t unused = 0;
	for (size_t i = 0; names && i < donor->artifact.count; i++)
		names[i] = donor->artifact.items[i].name;
	const size_t count = names ? sort_names(names, donor->artifact.count) : 0;
	for (size_t i = 0; i < count; i++)
		unused += !donor->artifact_names ||
			  !bsearch(&names[i], donor->names, donor->artifact_names, sizeof *donor->names, compare_names);
	free(names);
	return unused;
}

void donor_describe(struct donor *donor, struct text *out)
{
	struct artifact *host = &donor->host.artifact;
	size_t count, paired = 0, named = 0;
	const struct cudart_kernel_pair **pairs = sorted_pairs(donor, &count);
	if (!pairs) {
		out->failed = 1;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const int is_paired = pairs[i]->container != CUDART_OWN_CODE;
		paired += is_paired;
		named += is_paired && strcmp(pairs[i]->name, pairs[i]->code_name) == 0;
	}
	text_append(out, "path %s\nsha256 %s\nkernels %zu %zu %zu\nunused %zu\n", host->path, artifact_sha256(host), paired, named,
		    count, count_unused(donor));
	for (size_t i = 0; i < count; i++) {
		if (pairs[i]->container != CUDART_OWN_CODE)
			continue;
		if (pairs[i]->refused)
			text_append(out, "missing %s: %s\n", pairs[i]->name, pairs[i]->refused);
		else
			text_append(out, "library %s\n", pairs[i]->name);
	}
	free(pairs);
}

int donor_text_next(const char **at, struct donor_line *line)
{
	while (**at) {
		const char *text = *at;
		const size_t length = strcspn(text, "\n"), key = strcspn(text, " \n");
		*at = text + length + (text[length] == '\n');
		if (key == 0 || key >= length)
			continue;
		*line = (struct donor_line){.key = text, .key_length = key, .value = text + key + 1, .value_length = length - key - 1};
		return 1;
	}
	return 0;
}

char *donor_text_value(const char *text, const char *key)
{
	struct donor_line line;
	for (const char *at = text; donor_text_next(&at, &line);)
		if (line.key_length == strlen(key) && memcmp(line.key, key, line.key_length) == 0)
			return copy_text(line.value, line.value_length);
	return NULL;
}
