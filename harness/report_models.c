#include "report_models.h"

#include <stdlib.h>
#include <string.h>

int run_devices_are_of_one_model(const struct run_device *a, const struct run_device *b)
{
	return run_devices_are_alike(a, b) && strcmp(a->properties.name, b->properties.name) == 0;
}

int run_has_several_models(const struct run_record *run)
{
	for (size_t i = 1; i < run->case_count; i++)
		if (!run_devices_are_of_one_model(run_record_device(run, &run->cases[0]), run_record_device(run, &run->cases[i])))
			return 1;
	return 0;
}

/* Whether an earlier device of the run is of this one's model. */
static int is_known_model(const struct run_record *run, size_t device)
{
	for (size_t i = 0; i < device; i++)
		if (run_devices_are_of_one_model(&run->devices[i], &run->devices[device]))
			return 1;
	return 0;
}

/* The part of the run on devices like that one; without cases where none ran there. */
static int make_part(struct run_record *part, const struct run_record *run, size_t device)
{
	const struct run_device *model = &run->devices[device];
	int32_t *places = calloc(run->device_count, sizeof *places);
	*part = *run;
	part->cases = NULL;
	part->case_count = part->case_capacity = part->device_count = 0;
	part->devices = calloc(run->device_count, sizeof *part->devices);
	for (size_t i = 0; i < run->case_count; i++)
		part->case_count += run_devices_are_of_one_model(run_record_device(run, &run->cases[i]), model) != 0;
	part->cases = calloc(part->case_count + 1, sizeof *part->cases);
	if (!places || !part->devices || !part->cases) {
		free(places);
		return -1;
	}
	for (int others = 0; others < 2; others++)
		for (size_t i = 0; i < run->device_count; i++)
			if (run_devices_are_of_one_model(&run->devices[i], model) != others) {
				places[i] = (int32_t)part->device_count;
				part->devices[part->device_count++] = run->devices[i];
			}
	part->case_count = 0;
	for (size_t i = 0; i < run->case_count; i++) {
		if (!run_devices_are_of_one_model(run_record_device(run, &run->cases[i]), model))
			continue;
		struct case_record *record = &part->cases[part->case_count++];
		*record = run->cases[i];
		record->device = places[record->device];
	}
	free(places);
	return 0;
}

static void free_part(struct run_record *part)
{
	free(part->cases);
	free(part->devices);
}

static int split(struct model_runs *out, const struct run_record *run, size_t given)
{
	const size_t first = out->part_count;
	for (size_t i = 0; i < run->device_count; i++) {
		struct run_record *part = &out->parts[out->part_count];
		if (is_known_model(run, i))
			continue;
		if (make_part(part, run, i)) {
			free_part(part);
			return -1;
		}
		if (part->case_count == 0) { /* the conditions of the others name it */
			free_part(part);
			continue;
		}
		if (out->part_count > first) {
			part->inventories = NULL;
			part->inventory_count = 0;
		}
		out->runs[out->count] = part;
		out->given[out->count++] = given;
		out->part_count++;
	}
	return 0;
}

int model_runs_make(struct model_runs *out, const struct run_record *const *runs, size_t count)
{
	size_t most = 0, parts = 0;
	*out = (struct model_runs){0};
	for (size_t i = 0; i < count; i++) {
		most += 1 + runs[i]->device_count;
		parts += runs[i]->device_count;
	}
	out->runs = calloc(most + 1, sizeof *out->runs);
	out->given = calloc(most + 1, sizeof *out->given);
	out->parts = calloc(parts + 1, sizeof *out->parts);
	int result = out->runs && out->given && out->parts ? 0 : -1;
	for (size_t i = 0; result == 0 && i < count; i++) {
		if (run_has_several_models(runs[i])) {
			result = split(out, runs[i], i);
			continue;
		}
		out->runs[out->count] = runs[i];
		out->given[out->count++] = i;
	}
	if (result)
		model_runs_free(out);
	return result;
}

void model_runs_free(struct model_runs *models)
{
	for (size_t i = 0; i < models->part_count; i++)
		free_part(&models->parts[i]);
	free(models->parts);
	free(models->runs);
	free(models->given);
	*models = (struct model_runs){0};
}
