#include "record.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

void case_record_free(struct case_record *record)
{
	free(record->hot.raw);
	free(record->cold.raw);
	for (int i = 0; i < RECORD_BASELINES_MAX; i++)
		free(record->baselines[i].hot.raw);
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++)
		free(record->outputs[i].bytes);
	free(record->clocks);
	case_record_forget(record);
}

void case_record_forget(struct case_record *record)
{
	record->hot.raw = record->cold.raw = NULL;
	for (int i = 0; i < RECORD_BASELINES_MAX; i++)
		record->baselines[i].hot.raw = NULL;
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++)
		record->outputs[i] = (struct output_copy){0};
	record->clocks = NULL;
	record->clock_count = 0;
}

const struct baseline_record *case_record_baseline(const struct case_record *record, const char *name)
{
	for (int i = 0; i < record->baseline_count && i < RECORD_BASELINES_MAX; i++)
		if (record->baselines[i].hot.measured && (!name || strcmp(record->baselines[i].name, name) == 0))
			return &record->baselines[i];
	return NULL;
}

struct baseline_record *case_record_add_baseline(struct case_record *record, const char *name)
{
	if (record->baseline_count >= RECORD_BASELINES_MAX)
		return NULL;
	struct baseline_record *baseline = &record->baselines[record->baseline_count++];
	*baseline = (struct baseline_record){0};
	snprintf(baseline->name, sizeof baseline->name, "%s", name);
	return baseline;
}

static void artifact_record_free(struct artifact_record *artifact)
{
	free(artifact->path);
	free(artifact->kind);
	free(artifact->toolkit);
	free(artifact->provenance);
	free(artifact->abi);
	free(artifact->cudart);
	free(artifact->stubbed);
	free(artifact->refused);
	free(artifact->images);
	free(artifact->set);
	free(artifact->donor);
	for (size_t i = 0; i < artifact->kernel_count; i++)
		free(artifact->kernels[i]);
	free(artifact->kernels);
	free(artifact->kernel_launched);
}

static void inventory_free(struct inventory_record *inventory)
{
	free(inventory->folder);
	free(inventory->profile);
	free(inventory->evidence);
	free(inventory->claim);
	free(inventory->modules);
	free(inventory->missing);
	free(inventory->unknown);
}

void run_record_free(struct run_record *record)
{
	for (size_t i = 0; i < record->case_count; i++)
		case_record_free(&record->cases[i]);
	for (size_t i = 0; i < record->artifact_count; i++)
		artifact_record_free(&record->artifacts[i]);
	free(record->cases);
	free(record->artifacts);
	for (size_t i = 0; i < record->dataset_count; i++)
		free(record->datasets[i].path);
	free(record->datasets);
	for (size_t i = 0; i < record->inventory_count; i++)
		inventory_free(&record->inventories[i]);
	free(record->inventories);
	free(record->devices);
	free(record->math);
	free(record->command);
	free(record->version);
	free(record->date);
	free(record->host);
	free(record->dataset);
	free(record->repeat_options);
	free(record->interleaved);
	free(record->options);
	free(record->notes);
	*record = (struct run_record){0};
}

int run_record_add(struct run_record *record, const struct case_record *added, struct error *err)
{
	if (record->case_count == record->case_capacity) {
		const size_t capacity = record->case_capacity ? record->case_capacity * 2 : 64;
		struct case_record *cases = reallocarray(record->cases, capacity, sizeof *cases);
		if (!cases)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu results", capacity);
		record->cases = cases;
		record->case_capacity = capacity;
	}
	record->cases[record->case_count++] = *added;
	return 0;
}

static int by_order(const void *a, const void *b)
{
	const struct case_record *x = a, *y = b;
	return (x->order > y->order) - (x->order < y->order);
}

void run_record_sort(struct run_record *record)
{
	int sorted = 1;
	for (size_t i = 1; i < record->case_count; i++)
		sorted &= record->cases[i - 1].order <= record->cases[i].order;
	if (!sorted)
		qsort(record->cases, record->case_count, sizeof *record->cases, by_order);
}

int run_record_add_dataset(struct run_record *record, const char *path, struct error *err)
{
	struct file_map map;
	for (size_t i = 0; i < record->dataset_count; i++)
		if (strcmp(record->datasets[i].path, path) == 0)
			return (int)i;
	struct dataset_record *datasets = reallocarray(record->datasets, record->dataset_count + 1, sizeof *datasets);
	if (datasets)
		record->datasets = datasets;
	char *own = strdup(path), *first = record->dataset ? NULL : strdup(path);
	if (!datasets || !own || (!record->dataset && !first)) {
		free(own);
		free(first);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	if (file_map_open(&map, path, err)) {
		free(own);
		free(first);
		return -1;
	}
	struct dataset_record *dataset = &datasets[record->dataset_count];
	*dataset = (struct dataset_record){.path = own};
	sha256_hex(map.data, map.size, dataset->sha256);
	file_map_close(&map);
	if (first) {
		record->dataset = first;
		memcpy(record->dataset_sha256, dataset->sha256, sizeof record->dataset_sha256);
	}
	return (int)record->dataset_count++;
}

const struct run_device *run_record_device(const struct run_record *record, const struct case_record *of)
{
	static const struct run_device none = {.properties = {.kind = DEVICE_CPU}};
	const int32_t index = of ? of->device : 0;
	return index >= 0 && (size_t)index < record->device_count ? &record->devices[index] : &none;
}

int run_record_add_device(struct run_record *record, const struct device_properties *properties, const char *host, struct error *err)
{
	for (size_t i = 0; i < record->device_count; i++)
		if (strcmp(record->devices[i].properties.id, properties->id) == 0 &&
		    strcmp(record->devices[i].properties.uuid, properties->uuid) == 0 && strcmp(record->devices[i].host, host) == 0)
			return (int)i;
	return run_record_append_device(record, properties, host, err);
}

int run_record_append_device(struct run_record *record, const struct device_properties *properties, const char *host, struct error *err)
{
	if (record->device_count >= RECORD_DEVICES_MAX)
		return error_set(err, ERROR_INPUT, "a result file has room for %d devices", RECORD_DEVICES_MAX);
	struct run_device *devices = reallocarray(record->devices, record->device_count + 1, sizeof *devices);
	if (!devices)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	record->devices = devices;
	devices[record->device_count] = (struct run_device){.properties = *properties};
	snprintf(devices[record->device_count].host, sizeof devices[0].host, "%s", host);
	return (int)record->device_count++;
}

void run_record_order_devices(struct run_record *record)
{
	size_t order[RECORD_DEVICES_MAX]; /* where each came from */
	struct run_device sorted[RECORD_DEVICES_MAX];
	int32_t places[RECORD_DEVICES_MAX];
	const size_t count = record->device_count;
	if (count < 2 || count > RECORD_DEVICES_MAX)
		return;
	for (size_t i = 0; i < count; i++) {
		size_t at = i;
		for (; at > 0 && record->devices[order[at - 1]].place > record->devices[i].place; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (size_t i = 0; i < count; i++) {
		sorted[i] = record->devices[order[i]];
		places[order[i]] = (int32_t)i;
	}
	memcpy(record->devices, sorted, count * sizeof *sorted);
	for (size_t i = 0; i < record->case_count; i++)
		if (record->cases[i].device >= 0 && (size_t)record->cases[i].device < count)
			record->cases[i].device = places[record->cases[i].device];
}

int run_devices_are_alike(const struct run_device *a, const struct run_device *b)
{
	const struct device_properties *x = &a->properties, *y = &b->properties;
	return !x->id[0] == !y->id[0] && x->kind == y->kind && x->cc_major == y->cc_major && x->cc_minor == y->cc_minor;
}

struct inventory_record *run_record_add_inventory(struct run_record *record, struct error *err)
{
	struct inventory_record *inventories = reallocarray(record->inventories, record->inventory_count + 1, sizeof *inventories);
	if (!inventories) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return NULL;
	}
	record->inventories = inventories;
	struct inventory_record *added = &inventories[record->inventory_count++];
	*added = (struct inventory_record){.folder = strdup(""), .profile = strdup(""), .evidence = strdup(""), .claim = strdup(""),
					   .modules = strdup(""), .missing = strdup(""), .unknown = strdup("")};
	if (!added->folder || !added->profile || !added->evidence || !added->claim || !added->modules || !added->missing ||
	    !added->unknown) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return NULL;
	}
	return added;
}

int inventory_is_broken(const struct inventory_record *inventory)
{
	return inventory->claim && inventory->claim[0] && inventory->missing_count > 0;
}

int artifact_record_mark(struct artifact_record *artifact, const char *kernel, struct error *err)
{
	/* a launch keeps so much of a name; one that fills it may have been cut */
	const size_t length = strlen(kernel), cut = sizeof ((struct launch_record *)0)->kernel - 1;
	for (size_t i = 0; i < artifact->kernel_count; i++)
		if (length < cut ? strcmp(artifact->kernels[i], kernel) == 0 : strncmp(artifact->kernels[i], kernel, cut) == 0) {
			artifact->kernel_launched[i] = KERNEL_LAUNCHED;
			return 0;
		}
	char **kernels = reallocarray(artifact->kernels, artifact->kernel_count + 1, sizeof *kernels);
	if (kernels)
		artifact->kernels = kernels;
	uint8_t *launched = realloc(artifact->kernel_launched, artifact->kernel_count + 1);
	if (launched)
		artifact->kernel_launched = launched;
	char *name = strdup(kernel);
	if (!kernels || !launched || !name) {
		free(name);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for the names of kernels");
	}
	kernels[artifact->kernel_count] = name;
	launched[artifact->kernel_count++] = KERNEL_LAUNCHED;
	return 0;
}

int artifact_record_merge_kernels(struct artifact_record *artifact, const struct artifact_record *other, struct error *err)
{
	for (size_t i = 0; i < other->kernel_count; i++) {
		size_t at = 0;
		while (at < artifact->kernel_count && strcmp(artifact->kernels[at], other->kernels[i]) != 0)
			at++;
		if (at == artifact->kernel_count) {
			if (artifact_record_mark(artifact, other->kernels[i], err))
				return -1;
			if (at == artifact->kernel_count)
				continue; /* its name was taken for that of another, which is longer than a launch keeps */
			artifact->kernel_launched[at] = other->kernel_launched[i];
		} else if (other->kernel_launched[i] == KERNEL_LAUNCHED || artifact->kernel_launched[at] == KERNEL_UNREACHABLE) {
			/* what one device cannot reach another may */
			artifact->kernel_launched[at] = other->kernel_launched[i];
		}
	}
	return 0;
}

void artifact_record_sort_kernels(struct artifact_record *artifact)
{
	/* insertion: two arrays move together, and there are some hundred */
	for (size_t i = 1; i < artifact->kernel_count; i++)
		for (size_t k = i; k > 0 && strcmp(artifact->kernels[k - 1], artifact->kernels[k]) > 0; k--) {
			char *const name = artifact->kernels[k];
			const uint8_t launched = artifact->kernel_launched[k];
			artifact->kernels[k] = artifact->kernels[k - 1];
			artifact->kernel_launched[k] = artifact->kernel_launched[k - 1];
			artifact->kernels[k - 1] = name;
			artifact->kernel_launched[k - 1] = launched;
		}
}

int run_record_exit_code(const struct run_record *record, int strict)
{
	size_t passed = 0, bad = 0;
	for (size_t i = 0; i < record->case_count; i++) {
		switch (record->cases[i].judgement.status) {
		case STATUS_PASS:
			passed++;
			break;
		case STATUS_UNSUPPORTED:
		case STATUS_SKIPPED:
			bad += strict != 0;
			break;
		default:
			bad++;
		}
	}
	for (size_t i = 0; i < record->inventory_count; i++)
		bad += inventory_is_broken(&record->inventories[i]) != 0;
	return bad ? 1 : passed ? 0 : 3;
}

void run_record_reproduction(const struct run_record *run, const struct case_record *record, struct text *out)
{
	text_append(out, "assay verify ");
	if (record->artifact >= 0 && (size_t)record->artifact < run->artifact_count)
		text_append_quoted(out, run->artifacts[record->artifact].path);
	text_append(out, " --dataset ");
	const int known = record->dataset >= 0 && (size_t)record->dataset < run->dataset_count;
	const char *dataset = known ? run->datasets[record->dataset].path : run->dataset;
	text_append_quoted(out, dataset ? dataset : "");
	text_append(out, " --filter ");
	text_append_quoted(out, record->name);
	if (run->repeat_options)
		text_append(out, "%s", run->repeat_options);
	/* of several devices the one that it ran on */
	if (run->device_count > 1 && !(run->repeat_options && strstr(run->repeat_options, " --device ")))
		text_append(out, " --device %s", run_record_device(run, record)->properties.id);
}
