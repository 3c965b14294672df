/* Runs on devices of several models, as reports tell them: each model's cases apart. */
#ifndef ASSAY_HARNESS_REPORT_MODELS_H
#define ASSAY_HARNESS_REPORT_MODELS_H

#include "record.h"

/* Whether figures of the two can stand side by side: one architecture and one name. */
int run_devices_are_of_one_model(const struct run_device *a, const struct run_device *b);
/* Whether cases of the run ran on different models. */
int run_has_several_models(const struct run_record *run);

/* Runs of one model each. One that has several is split: each part has the cases that ran on that model, and the devices of the
 * whole run with those of its model first, so that run_record_device(part, NULL) is one of them. Inventories, which are of no
 * device, go with the first part. */
struct model_runs {
	const struct run_record **runs;
	size_t *given;               /* index of each among those that were given */
	size_t count;
	struct run_record *parts;    /* they share all that they point to, but the lists of cases and of devices, with their runs */
	size_t part_count;
};
/* -1: memory ran out, and there is nothing to be freed. The runs that were given have to outlive the result. */
int model_runs_make(struct model_runs *out, const struct run_record *const *runs, size_t count);
void model_runs_free(struct model_runs *models);

#endif
