/* A worker's service for operator families: units (some entry points of an artifact) are loaded one in place of the other, and
 * cases run on them. */
#ifndef ASSAY_HARNESS_OPERATORS_H
#define ASSAY_HARNESS_OPERATORS_H

#include "execute.h"

struct operators;

int operators_open(struct operators **operators, const struct worker_setup *setup, stage_callback on_stage, void *context,
		   struct worker_ready *ready, struct error *err);
/* `bytes`: struct wire_unit and its symbols. What is refused says why; ERROR_UNSUPPORTED where image and device do not fit. */
int operators_load(struct operators *operators, const void *bytes, size_t size, struct wire_loaded *loaded, struct error *err);
/* Fills *record whole, whatever happens. Returns 1 when the device context is lost and the process has to be replaced. */
int operators_run(struct operators *operators, const struct wire_case *request, struct case_record *record);
void operators_close(struct operators *operators); /* NULL is fine */

#endif
