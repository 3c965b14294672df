#include "record.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

void case_record_free(struct case_record *record)
{
	free(record->hot.raw);
	free(record->cold.raw);
	free(record->baseline.raw);
	free(record->clocks);
	record->hot.raw = record->cold.raw = record->baseline.raw = NULL;
	record->clocks = NULL;
	record->clock_count = 0;
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
	for (size_t i = 0; i < artifact->kernel_count; i++)
		free(artifact->kernels[i]);
	free(artifact->kernels);
	free(artifact->kernel_launched);
}

void run_record_free(struct run_record *record)
{
	for (size_t i = 0; i < record->case_count; i++)
		case_record_free(&record->cases[i]);
	for (size_t i = 0; i < record->artifact_count; i++)
		artifact_record_free(&record->artifacts[i]);
	free(record->cases);
	free(record->artifacts);
	free(record->command);
	free(record->version);
	free(record->date);
	free(record->host);
	free(record->dataset);
	free(record->repeat_options);
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
	return bad ? 1 : passed ? 0 : 3;
}

void run_record_reproduction(const struct run_record *run, const struct case_record *record, struct text *out)
{
	text_append(out, "assay verify ");
	if (record->artifact >= 0 && (size_t)record->artifact < run->artifact_count)
		text_append_quoted(out, run->artifacts[record->artifact].path);
	text_append(out, " --dataset ");
	text_append_quoted(out, run->dataset ? run->dataset : "");
	text_append(out, " --filter ");
	text_append_quoted(out, record->name);
	if (run->repeat_options)
		text_append(out, "%s", run->repeat_options);
}
