/* The parent's side of worker processes: start, watch the clock, explain deaths, start anew for the rest. */
#ifndef ASSAY_HARNESS_RUNNER_H
#define ASSAY_HARNESS_RUNNER_H

#include "worker.h"

/* A runner is opened, used and closed by one thread: its worker dies with the thread that started it. Several threads may have
 * one each. */
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
/* Begins to start the worker and does not wait for it, so that several of them come up side by side; runner_start waits, and so does
 * whatever needs the worker. */
int runner_begin(struct runner *runner, struct error *err);
/* What a failure of runner_start says of the archive's cases: crashed or timeout when its own code was running, unsupported,
 * or error. */
enum status runner_refusal(const struct runner *runner);
/* Operators: loads a unit, in place of the one before; where a worker has to be replaced later, it is loaded again. A unit that
 * is refused, or whose loading ends or holds up the worker, is ERROR_INPUT or ERROR_UNSUPPORTED (runner_refusal says what that
 * makes of its cases); that no worker can be started is any other kind. `symbols` has to live until the next unit. */
struct runner_unit {
	const char *path;
	const char *donor;      /* NULL: none */
	const char *keep_label; /* keep.h; NULL: "" */
	const char *const *symbols;
	size_t symbol_count;
	int abi, whole, is_archive, runtime_major;
};
int runner_load(struct runner *runner, const struct runner_unit *unit, struct wire_loaded *loaded, struct error *err);

struct runner_request {
	uint64_t index;         /* of the case; operators: its place (source.h) */
	const char *name, *family, *entry_point;
	int want_bench;
	/* NULL, or the record with which it passed before, of the same artifact on the same device: see known_outputs */
	const struct case_record *verified;
};
/* Runs one case and fills *record whatever happens: crashed, timeout and skipped are made here. -1 only when a worker cannot
 * be started, and not for a fault of the archive. */
int runner_case(struct runner *runner, const struct runner_request *request, struct case_record *record, struct error *err);
/* Deaths so far do not count against what comes. */
void runner_forget_deaths(struct runner *runner);
/* What the first worker said of itself; its stubs and kernels. NULL before runner_start. */
const struct worker_ready *runner_ready(const struct runner *runner);
const char *runner_stub(const struct runner *runner, size_t index);
const char *runner_kernel(const struct runner *runner, size_t index);
/* Ends the worker in order; the next case starts another. */
void runner_stop(struct runner *runner);
void runner_close(struct runner *runner);

#endif
