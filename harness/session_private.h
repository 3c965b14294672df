/* What the parts of a session share: session.c (the flow, host entry points), session_setup.c (conditions and workers' orders),
 * session_pairs.c and session_operators.c (operators, side by side). */
#ifndef ASSAY_HARNESS_SESSION_PRIVATE_H
#define ASSAY_HARNESS_SESSION_PRIVATE_H

#include "measure/gbench.h"
#include "plan.h"
#include "progress.h"
#include "runner.h"
#include "sanitize.h"
#include "selection.h"
#include "session.h"

#include <pthread.h>

struct session {
	const struct session_options *options;
	struct run_record *run;
	const char *device;
	const struct plan *plan;
	const struct selection *selection;
	struct record_writer *writer;   /* NULL without --out */
	struct progress progress;
	uint64_t order;                 /* of the next case */
	uint64_t held_outputs;          /* bytes of copies of outputs in `run` */
	struct judge_policy policy;     /* the worker's */
	struct session_baselines *baselines; /* NULL: none were given */
	struct operators_session *operators; /* NULL: there are no operators */

	/* of what runs one after the other: */
	struct runner *runner;
	const struct job *job;
	struct sanitizer *sanitizer;    /* NULL without --sanitize */
	struct error failure;           /* what stopped the session from inside a callback */
	int failed;

	/* threads of operators hold it while they use what is above, and the runs's record */
	pthread_mutex_t mutex;
	int unflushed_is_fine;          /* somebody flushes the writer now and then */
};

/* ---- session_setup.c ---- */

/* Paths of datasets by the options, malloc'd: NULL where there is none of the kind. */
struct dataset_paths {
	char *attention, *operators, *timed;
};
int dataset_paths_find(const struct session_options *options, int attention, int operators, struct dataset_paths *paths,
		       struct error *err);
void dataset_paths_free(struct dataset_paths *paths);
int describe_run(struct run_record *run, const struct session_options *options, struct error *err);
/* `job` NULL: for a worker that runs units of operators. */
int make_setup(const struct session_options *options, const struct job *job, const char *dataset, const char *device,
	       struct worker_setup *setup, struct error *err);
/* Puts what is to be told of the job's donor into the artifact's record, where there is one and that has not been done. */
int session_note_donor(struct session *session, const struct job *job, const struct device_properties *device, struct error *err);
/* Time limits and the like; `sanitizer` may be NULL. */
struct runner_options make_runner_options(const struct session_options *options, int operators, const char *device,
					  const struct sanitizer *sanitizer);

/* ---- session.c ---- */

/* Puts what a worker says of its device into the run's record; its index there, or -1. Under the mutex. */
int session_note_device(struct session *session, const struct worker_ready *ready, struct error *err);
/* The result file starts with the conditions, so it is opened once they are known: before the first case. */
int session_open_writer(struct session *session, struct error *err);
/* Prints, and puts into record and result file, which then owns the samples. */
int session_keep(struct session *session, const struct job *job, struct case_record *record, struct error *err);
void session_report_benchmark(const struct session *session, const struct case_record *record, struct gbench_result *result);
void session_skip_benchmark(struct gbench_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- session_pairs.c, session_operators.c ---- */

/* Pairs entry points with cases and cuts units; *cases is the number of records to come. */
int operators_session_open(struct session *session, size_t *cases, struct error *err);
void operators_session_close(struct session *session);
/* Records of entry points that nothing is run for. */
int operators_answer_rest(struct session *session, struct error *err);
/* Verifies, side by side. */
int operators_verify(struct session *session, struct error *err);
/* Benchmarks, to be registered with Google Benchmark by the caller, which calls operators_bench from its callback. */
size_t operators_bench_count(const struct session *session);
void operators_bench_name(const struct session *session, size_t index, struct text *name);
int operators_bench(struct session *session, size_t index, struct gbench_result *result);
void operators_bench_end(struct session *session); /* ends the worker */

#endif
