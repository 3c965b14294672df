/* Google Benchmark behind C functions: it registers, selects, prints and writes its JSON, so that its tools (compare.py)
 * read what this program measures. The measuring itself is the sampler's: a benchmark is one iteration with a manual time,
 * the sampler's median, and everything else is counters.
 *
 * The library keeps its state for the whole process, and so does this wrapper: initialise once, register, run once. Works
 * with 1.7.1 (Debian 12) and 1.8.3 (Ubuntu 24.04). Not for use from several threads. No exception leaves. */
#ifndef ASSAY_MEASURE_GBENCH_H
#define ASSAY_MEASURE_GBENCH_H

#include "core/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GBENCH_COUNTERS_MAX = 16 };

enum gbench_outcome {
	GBENCH_MEASURED,
	GBENCH_SKIPPED, /* not measured, as a case that did not pass or is not supported; `message` says why. Google Benchmark
			 * before 1.8 knows only errors, and marks it as one */
	GBENCH_FAILED   /* measuring failed; `message` says why */
};

struct gbench_counter {
	char name[32];
	double value; /* left out when it is not finite: JSON has no such numbers */
};

struct gbench_result {
	enum gbench_outcome outcome;
	double seconds; /* GBENCH_MEASURED: the median; finite and > 0, else the benchmark counts as failed */
	double host_seconds; /* what the host does for a call (sampler_result.enqueue_seconds): the column "CPU"; 0: not known */
	struct gbench_counter counters[GBENCH_COUNTERS_MAX];
	int counter_count;
	char label[128];
	char message[256];
};

struct gbench_options {
	const char *filter;    /* NULL or "": all; a registered name: that one; else a POSIX extended regular expression that is
				* searched for in the names */
	const char *json_path; /* NULL: none; the file appears when the run is complete */
	const char *program;   /* "executable" in the JSON's context; NULL: "assay" */
	int console;           /* 1: a table on stdout */
	int colour;
};

/* ERROR_INPUT when json_path cannot be written; ERROR_INTERNAL when called twice. Fills nothing that needs freeing. */
int gbench_initialize(const struct gbench_options *options, struct error *err);

/* A line of the JSON's context and of nothing else: conditions of the measurement. The first value of a key stays. */
int gbench_context(const char *key, const char *value, struct error *err);

/* `run` fills *result (zeroed before) and returns 0; any other value stops the run after this benchmark, and those that are
 * left count as skipped; neither it nor they come into the table. It is called once at most. Names must differ:
 * ERROR_INTERNAL. */
int gbench_register(const char *name, int (*run)(void *context, struct gbench_result *result), void *context,
		    struct error *err);

/* Adds a counter; more than GBENCH_COUNTERS_MAX are dropped, as are values that are not finite. */
void gbench_count(struct gbench_result *result, const char *name, double value);

/* Runs what the filter selects, in the order of registration. Returns how many benchmarks that were (> 0), or -1: a filter
 * that is no expression (ERROR_USAGE), nothing selected (ERROR_INPUT), the JSON not written (ERROR_INPUT). */
int gbench_run(struct error *err);

#ifdef __cplusplus
}
#endif

#endif
