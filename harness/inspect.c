#include "inspect.h"

#include "artifact/compat.h"

#include <stdlib.h>
#include <string.h>

static int parse_gpu(const char *word, size_t length, unsigned *cc)
{
	unsigned value = 0, digits = 0, dots = 0;
	if (length > 3 && memcmp(word, "sm_", 3) == 0) {
		word += 3;
		length -= 3;
	}
	for (size_t i = 0; i < length; i++) {
		if (word[i] >= '0' && word[i] <= '9' && digits < 4) {
			value = value * 10 + (unsigned)(word[i] - '0');
			digits++;
		} else if (word[i] == '.' && digits && dots == 0 && i + 2 == length) {
			dots++;
		} else {
			return -1;
		}
	}
	*cc = value;
	return digits >= 2 && value >= 20 ? 0 : -1;
}

int gpu_list_parse(const char *text, struct gpu_list *list, struct error *err)
{
	*list = (struct gpu_list){0};
	if (!text) {
		for (size_t i = 0; i < gpu_model_count; i++)
			if (gpu_models[i].cc >= 75 && list->count < INSPECT_GPUS_MAX)
				list->cc[list->count++] = gpu_models[i].cc;
		return 0;
	}
	for (const char *at = text;; at++) {
		const size_t length = strcspn(at, ",");
		unsigned cc;
		if (parse_gpu(at, length, &cc))
			return error_set(err, ERROR_USAGE, "assay inspect: --gpu takes names such as sm_86,sm_120, not '%.*s'",
					 (int)(length < 64 ? length : 64), at);
		if (list->count == INSPECT_GPUS_MAX)
			return error_set(err, ERROR_USAGE, "assay inspect: --gpu takes %d GPUs at most", INSPECT_GPUS_MAX);
		list->cc[list->count++] = cc;
		at += length;
		if (!*at)
			return 0;
	}
}

static struct target_summary *target_of(struct inspection *inspection, const struct fatbin_entry *entry)
{
	for (int i = 0; i < inspection->target_count; i++) {
		struct target_summary *target = &inspection->targets[i];
		if (target->kind == entry->kind && target->arch == entry->arch && target->suffix == entry->suffix)
			return target;
	}
	if (inspection->target_count == INSPECT_TARGETS_MAX)
		return &inspection->targets[INSPECT_TARGETS_MAX - 1];
	struct target_summary *target = &inspection->targets[inspection->target_count++];
	*target = (struct target_summary){.kind = entry->kind, .arch = entry->arch, .suffix = entry->suffix};
	return target;
}

static void add_kernel(struct target_summary *target, const struct cubin_kernel *kernel)
{
	if (kernel->registers >= 0) {
		if (!target->registers_high || kernel->registers < target->registers_low)
			target->registers_low = kernel->registers;
		if (kernel->registers > target->registers_high)
			target->registers_high = kernel->registers;
	}
	if (kernel->shared_bytes > target->shared_high)
		target->shared_high = kernel->shared_bytes;
	if (kernel->frame_bytes && kernel->frame_bytes != UINT32_MAX) {
		target->stack_kernels++;
		if (kernel->frame_bytes > target->stack_high)
			target->stack_high = kernel->frame_bytes;
	}
	if (kernel->spill_instructions >= 0) {
		target->spill_stated++;
		target->spill_kernels += kernel->spill_instructions > 0;
		if (kernel->spill_instructions > target->spill_high)
			target->spill_high = kernel->spill_instructions;
	}
}

static void add_image(struct inspection *inspection, const struct artifact_image *image)
{
	const struct fatbin_entry *entry = &image->entry;
	struct target_summary *target = target_of(inspection, entry);
	const unsigned version = 10 * entry->version_major + entry->version_minor;
	if (!target->images || version < target->version_low)
		target->version_low = version;
	if (version > target->version_high)
		target->version_high = version;
	target->images++;
	target->compressions |= 1u << entry->compression;
	target->stored_bytes += entry->payload_size;
	target->unpacked_bytes += entry->decompressed_size;
	if (!image->loaded)
		return;
	target->read++;
	target->kernels += image->cubin.kernel_count + image->ptx.entry_count;
	for (int i = 0; i < image->cubin.kernel_count; i++)
		add_kernel(target, &image->cubin.kernels[i]);
}

static int kind_order(enum fatbin_kind kind)
{
	return kind == FATBIN_ELF ? 0 : kind == FATBIN_PTX ? 1 : kind == FATBIN_NVVM ? 2 : 3;
}

static int compare_targets(const void *a, const void *b)
{
	const struct target_summary *left = a, *right = b;
	if (left->kind != right->kind)
		return kind_order(left->kind) - kind_order(right->kind);
	if (left->arch != right->arch)
		return left->arch < right->arch ? -1 : 1;
	return left->suffix - right->suffix;
}

int inspect_open(const char *path, const struct gpu_list *gpus, struct inspection *inspection, struct error *err)
{
	*inspection = (struct inspection){0};
	struct artifact *artifact = &inspection->artifact;
	if (artifact_open(path, artifact, err))
		return -1;
	if (artifact_load_images(artifact, 1u << FATBIN_ELF, err) || artifact_entry_points(artifact, &inspection->points, err) ||
	    artifact_undefined(artifact, &inspection->undefined, err) ||
	    artifact_driver_needs(artifact, &inspection->needs, err) || artifact_mha_abi(artifact, &inspection->abi, err) ||
	    artifact_findings(artifact, &inspection->findings, err))
		goto failed;
	for (int i = 0; i < gpus->count; i++)
		if (artifact_coverage(artifact, (int)(gpus->cc[i] / 10), (int)(gpus->cc[i] % 10), IMAGE_ANY,
				      &inspection->coverage[i], err))
			goto failed;
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++)
			add_image(inspection, &artifact->units[u].images[i]);
	qsort(inspection->targets, (size_t)inspection->target_count, sizeof *inspection->targets, compare_targets);
	return 0;
failed:
	inspect_close(inspection);
	return -1;
}

void inspect_close(struct inspection *inspection)
{
	artifact_findings_free(&inspection->findings);
	artifact_undefined_free(&inspection->undefined);
	artifact_entry_points_free(&inspection->points);
	artifact_close(&inspection->artifact);
}

int inspect_warnings(const struct inspection *inspection)
{
	int warnings = 0;
	for (int i = 0; i < inspection->findings.count; i++)
		warnings += inspection->findings.items[i].level == FINDING_WARNING;
	return warnings;
}
