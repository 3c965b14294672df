/* Running one case of one entry point on one device: memory, poison, calls, judgement, samples. The body of a worker,
 * but free of processes, so that it can be tested by itself. */
#ifndef ASSAY_HARNESS_EXECUTE_H
#define ASSAY_HARNESS_EXECUTE_H

#include "worker.h"

struct executor;

/* `on_stage` is told what comes next, for the post-mortem. */
typedef void (*stage_callback)(void *context, enum stage stage);

/* Opens device, dataset, plugin, reference and judge. Fills *ready (its strings are asked for by the functions below). */
int executor_open(struct executor **executor, const struct worker_setup *setup, stage_callback on_stage, void *context,
		  struct worker_ready *ready, struct error *err);
const char *executor_stub(const struct executor *executor, size_t index);
const char *executor_kernel(const struct executor *executor, size_t index);

/* Runs the case and fills *record whole, whatever happens: problems become a status and a reason. Returns 1 when the
 * device context is lost and the process has to be replaced, else 0. `known` may be NULL. */
int executor_run(struct executor *executor, uint64_t index, int want_bench, const struct known_outputs *known,
		 struct case_record *record);
void executor_close(struct executor *executor);

#endif
