/* Timing of a case that passed: hot, cold and the unfused baseline, and this card's matrix-product rate. */
#ifndef ASSAY_HARNESS_BENCH_CASE_H
#define ASSAY_HARNESS_BENCH_CASE_H

#include "buffers.h"
#include "worker.h"

struct bencher;

/* Opens NVML when it is there, and measures the matrix-product rate (ready->matrix_product_flops*) on a CUDA device. */
int bencher_open(struct bencher **bencher, struct device *device, const struct worker_setup *setup,
		 struct worker_ready *ready, struct error *err);
/* Samples the bound case and fills the timing fields of *record. */
int bencher_run(struct bencher *bencher, struct buffers *buffers, const struct family *family, void *family_state,
		const struct binding *binding, struct case_record *record, struct error *err);
void bencher_close(struct bencher *bencher);

#endif
