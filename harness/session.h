/* The whole of `verify`, `bench` and `run`: plan, workers, record. The three differ in what they do with a case that
 * passed and in how results are shown. */
#ifndef ASSAY_HARNESS_SESSION_H
#define ASSAY_HARNESS_SESSION_H

#include "core/options.h"
#include "record.h"
#include "worker.h"

enum session_kind { SESSION_VERIFY, SESSION_BENCH, SESSION_RUN };

struct session_options { /* as the command line gave them; NULL or 0: the default */
	enum session_kind kind;
	const char *const *paths;
	int path_count;
	const char *device, *dataset, *out, *keep_failures, *cublas, *cudnn, *cudart, *cudart_path, *abi, *image, *reference, *guard;
	const char *donor;       /* file or folder whose host code is called instead of that of artifacts that are no modules */
	const char *cache_dir, *gbench_json, *math;
	const char *const *filters;
	int filter_count;
	const char *const *without_checks;
	int without_count;
	const char *const *baselines; /* archives that attention is timed against */
	int baseline_count;
	double timeout, bench_seconds, bench_target;
	int64_t seed, repeats, deaths_in_a_row, jobs; /* jobs 0: by processors and memory */
	int whole, strict, list, sanitize, no_check, no_baseline, quiet, verbose;
	/* copies of outputs: keep_outputs puts them into the result file and, with hold_outputs, they stay in the record; see
	 * record.h for how much of them */
	int keep_outputs, hold_outputs;
	const char *command;     /* the command line, quoted */
	/* --shard I/N: that part of the cases only; 0: all of them */
	int64_t shard_index, shard_count;
	/* Result file of a run that was cut off: what it had finished is taken over, and `out` is the same file. */
	const char *resume;
};

/* Runs it and fills *run (run_record_free it). Verdicts other than pass are printed to stdout as they come, with the command
 * that reproduces them. *selected is the number of cases. */
int session_run(const struct session_options *options, struct run_record *run, struct error *err);

/* Names of the selected cases, one a line, to stdout. */
int session_list(const struct session_options *options, struct error *err);

/* A file that is installed with the program, such as "smoke.h5": $ASSAY_DATADIR, datasets/ beside the executable,
 * ../share/assay/datasets. malloc'd, or NULL with *err. */
char *session_data_file(const char *name, struct error *err);

#endif
