/* What the parts of a session share: session.c (the flow, host entry points), session_setup.c (conditions and workers' orders),
 * session_pairs.c and session_operators.c (operators, side by side). */
#ifndef ASSAY_HARNESS_SESSION_PRIVATE_H
#define ASSAY_HARNESS_SESSION_PRIVATE_H

#include "device_list.h"
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
	struct device_list devices;
	const char *device;             /* the first of them */
	int noted[RECORD_DEVICES_MAX];  /* 1 + index into run->devices of each; 0: not known yet */
	const struct plan *plan;
	const struct selection *selection;
	struct record_writer *writer;   /* NULL without --out */
	int has_written;                /* it was opened */
	struct progress progress;
	uint64_t held_outputs;          /* bytes of copies of outputs in `run` */
	struct judge_policy policy;     /* the worker's */
	struct session_baselines *baselines[RECORD_DEVICES_MAX]; /* NULL: none were given */
	struct operators_session *operators; /* NULL: there are no operators */

	struct lanes *lanes;            /* session_lanes.c */
	struct sanitizer *sanitizer;    /* of operators; NULL without --sanitize */

	/* cases of an earlier part of the run, by order; they are the first of run->cases */
	struct earlier_case {
		uint64_t order;
		size_t index;           /* of run->cases, until these are sorted */
	} *earlier;
	size_t earlier_count;
	struct run_record earlier_run;  /* what that part says of artifacts; its cases are in `run` */
	char *earlier_file;             /* to be removed at the end; NULL: there is none */
	int earlier_lock;               /* open file that holds off another --resume of it; -1: none */

	/* threads hold it while they use what is above, and the runs's record */
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

/* Puts what a worker says of its device, the slot-th of session.devices, into record and result file. Under the mutex. */
int session_note_device(struct session *session, size_t slot, const struct worker_ready *ready, struct error *err);
/* The result file starts with the conditions, so it is opened once they are known: before the first case. */
int session_open_writer(struct session *session, struct error *err);
/* Prints, and puts into record and result file, which then owns the samples. `slot`: of the device; SIZE_MAX: none. Under the
 * mutex. */
int session_keep(struct session *session, size_t slot, const struct job *job, struct case_record *record, struct error *err);
struct case_record *session_new_record(struct error *err);
/* Number of a host entry point's case in the order of the whole run: it does not depend on which parts of it are run where. */
uint64_t session_order(const struct session *session, const struct job *job, size_t position);
/* Answers for one case of a host entry point that cannot be run. Under the mutex. */
int session_refuse_case(struct session *session, const struct job *job, size_t position, enum status status, const char *reason,
			struct error *err);
void session_print_refusal(const struct session *session, enum status status, const char *reason);
void session_report_benchmark(const struct session *session, const struct case_record *record, struct gbench_result *result);
void session_skip_benchmark(struct gbench_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- session_resume.c ---- */

/* Takes over the cases of an earlier part of the run (options.resume). 1: they are all there and the run was complete, *run is
 * what it said; 0: the rest is to be run; -1: it cannot be read, or is of another run. */
int session_resume(struct session *session, struct error *err);
/* The earlier record of the case with that number, or NULL. */
const struct case_record *session_earlier(const struct session *session, uint64_t order);
/* Before the result file is opened. */
int session_resume_prepare(struct session *session, struct error *err);
/* Puts them into the result file, which has just been opened. */
int session_resume_write(struct session *session, struct error *err);
void session_resume_close(struct session *session, int is_complete);

/* ---- session_lanes.c: devices side by side ---- */

/* Lists what is to be run one after the other on each device: cases of host entry points, and what is timed of operators. Adds
 * to *cases the number of the former. */
int session_lanes_open(struct session *session, size_t *cases, struct error *err);
int session_lanes_run(struct session *session, struct error *err);
void session_lanes_close(struct session *session);

/* ---- session_pairs.c, session_operators.c ---- */

/* Pairs entry points with cases and cuts units; *cases is the number of records to come. */
int operators_session_open(struct session *session, size_t *cases, struct error *err);
void operators_session_close(struct session *session);
/* Records of entry points that nothing is run for. */
int operators_answer_rest(struct session *session, struct error *err);
/* Verifies, side by side. */
int operators_verify(struct session *session, struct error *err);
/* ---- session_timing.c: operators, timed; one crew for each device ---- */

size_t operators_bench_count(const struct session *session);
void operators_bench_name(const struct session *session, size_t index, struct text *name);
/* What is timed one after the other, since it is loaded together, has the same number. */
size_t operators_bench_unit(const struct session *session, size_t index);
uint64_t operators_bench_order(const struct session *session, size_t index);
struct operators_timing;
/* *timing is NULL at first. Without the mutex. */
int operators_bench(struct session *session, size_t slot, struct operators_timing **timing, size_t index, struct gbench_result *result,
		    struct error *err);
void operators_timing_close(struct operators_timing *timing); /* NULL is fine */

#endif
