/* Timing of a case that passed: hot, cold and what it is held against, energy, and this card's rates. */
#ifndef ASSAY_HARNESS_BENCH_CASE_H
#define ASSAY_HARNESS_BENCH_CASE_H

#include "buffers.h"
#include "worker.h"

struct bencher;

/* Opens NVML when it is there, looks for other processes on the card (ready->other_processes), and measures the matrix-product
 * and copy rates (ready->matrix_product_flops*, copy_bytes_per_second), unless setup->skip_rates. On a CUDA device only. */
int bencher_open(struct bencher **bencher, struct device *device, const struct worker_setup *setup,
		 struct worker_ready *ready, struct error *err);
/* Samples the bound case and fills the timing fields of *record. A baseline that breaks the context sets record->context_lost. */
int bencher_run(struct bencher *bencher, struct buffers *buffers, const struct family *family, void *family_state,
		const struct binding *binding, struct case_record *record, struct error *err);

/* The same for a case whose memory is the caller's: how a call is queued, and how sets of its tensors are made. */
struct bench_subject {
	/* queues one call on the device's stream, with the tensors of that set */
	int (*enqueue)(void *context, int rotation, struct error *err);
	int (*make_sets)(void *context, int count, struct error *err);  /* count >= 1 copies of the tensors; earlier ones are gone */
	void (*free_sets)(void *context);                               /* may be called when there are none */
	void *context;
	size_t set_bytes;
};
int bencher_run_subject(struct bencher *bencher, const struct bench_subject *subject, struct case_record *record,
			struct error *err);
void bencher_close(struct bencher *bencher);

#endif
