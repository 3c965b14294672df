/* The parent's side of worker processes: start, watch the clock, explain deaths, start anew for the rest. */
#ifndef ASSAY_HARNESS_RUNNER_H
#define ASSAY_HARNESS_RUNNER_H

#include "worker.h"

struct runner_options {
	double case_timeout;       /* seconds for one case */
	double setup_timeout;      /* seconds for opening device and artifact, each time a worker is started */
	int deaths_in_a_row;       /* after so many crashed or timed-out cases one after the other the rest is skipped; 0: never */
	const char *const *wrapper;/* NULL-terminated command put before the worker's own (compute-sanitizer ...), or NULL */
	int keep_output;           /* let what the artifact prints pass to stderr; else it is dropped but for the last lines */
};

struct runner;
int runner_open(struct runner **runner, const struct worker_setup *setup, const struct runner_options *options,
		struct error *err);
/* Starts the worker when there is none. Fails with ERROR_* of the worker (device missing, archive unusable ...). One that
 * dies during set-up is ERROR_INPUT with how it died, and so is one that does not come back from loading the archive, which
 * runs the archive's static constructors; from anything else that takes too long it is ERROR_ENVIRONMENT. */
int runner_start(struct runner *runner, struct error *err);
/* What a failure of runner_start says of the archive's cases: crashed or timeout when its own code was running, unsupported,
 * or error. */
enum status runner_refusal(const struct runner *runner);
/* Runs one case and fills *record whatever happens: crashed, timeout and skipped are made here. -1 only when a worker cannot
 * be started, and not for a fault of the archive. */
int runner_case(struct runner *runner, uint64_t index, const char *name, int want_bench, struct case_record *record,
		struct error *err);
/* What the first worker said of itself; its stubs and kernels. NULL before runner_start. */
const struct worker_ready *runner_ready(const struct runner *runner);
const char *runner_stub(const struct runner *runner, size_t index);
const char *runner_kernel(const struct runner *runner, size_t index);
/* Ends the worker in order; the next case starts another. */
void runner_stop(struct runner *runner);
void runner_close(struct runner *runner);

#endif
