/* Two runs held against each other: what became worse, better or other, case by case. Nothing here reads files or prints. A run
 * may be of several devices: times are compared where the devices that the case ran on in the two runs are of one model.
 *
 * Cases belong together when family, entry point and name are the same. Where a run has several such (several artifacts with
 * the same entry point), those of artifacts with the same base name do, in order. */
#ifndef ASSAY_HARNESS_COMPARE_H
#define ASSAY_HARNESS_COMPARE_H

#include "output_copy.h"
#include "record.h"

struct compare_options {
	double threshold;             /* 0.01: times within 1 % are the same; > 0 and < 1 */
	double confidence;            /* 0: COMPARE_CONFIDENCE */
	int resamples;                /* 0: 4000 */
};

/* 99 %: among times that are the same, one comparison in a hundred may miss the truth, so that false alarms stay below that
 * whatever the noise and the threshold. */
#define COMPARE_CONFIDENCE 0.99

enum timing_verdict {
	TIMING_NONE,                  /* neither run timed it */
	TIMING_SLOWER,                /* the whole interval lies beyond the threshold */
	TIMING_FASTER,
	TIMING_SAME,                  /* the whole interval lies within the threshold */
	TIMING_UNSURE,                /* neither: more samples would tell */
	TIMING_REFUSED,               /* not comparable: `reason` */
	TIMING_VERDICTS
};
const char *timing_verdict_name(enum timing_verdict verdict); /* "SLOWER", ...; "-" for TIMING_NONE */

/* Where the SM clocks of the two measurements differ, a kernel bound by the SMs takes the same number of cycles, one that is
 * bound by memory the same time: the truth lies between. Both are kept, and the verdict needs both: SLOWER, FASTER and
 * SAME only where the interval of the times and that of the cycles agree. Times that were taken in turns are compared as they
 * are: a clock that differs then is what the kernels do to it. */
struct timing_comparison {
	enum timing_verdict verdict;
	double base_median, next_median; /* seconds; 0: not measured */
	double ratio, low, high;         /* next / base: > 1 is slower; NaN where there is none */
	int rounds;                      /* of which the interval is; 0: of single samples */
	int in_turns;                    /* and they were pairs */
	double base_mhz, next_mhz;       /* median SM clock of the case; 0: not known */
	int is_normalised;               /* the clocks differ */
	double cycle_ratio, cycle_low, cycle_high; /* ratio * next_mhz / base_mhz; NaN when the clocks do not differ */
	int other_device;                /* refused since the devices are not alike */
	char reason[192];                /* why it was refused; "" otherwise */
};

enum bits { BITS_UNKNOWN, BITS_SAME, BITS_DIFFER };

enum regression { /* bits */
	REGRESSION_VERDICT = 1,       /* became worse */
	REGRESSION_VANISHED = 2,      /* the case is no longer there */
	REGRESSION_MARGIN = 4,        /* error beyond its bound, which it was not */
	REGRESSION_SLOWER = 8         /* hot or cold */
};

struct case_comparison {
	const struct case_record *base, *next; /* of the runs; NULL: there is none (a new case, a vanished one) */
	struct timing_comparison hot, cold;
	enum bits bits;               /* of all outputs together; unknown where inputs may differ or an output has no digest */
	enum bits output_bits[RECORD_OUTPUTS_MAX]; /* in the order of base->output_names */
	struct output_difference differences[RECORD_OUTPUTS_MAX]; /* of those that differ, where both runs kept copies */
	int verdict_change;           /* > 0 worse, < 0 better, 0 the same or as bad */
	int verdict_differs;
	double base_margin, next_margin; /* error / bound; NaN: not judged by numbers */
	double base_lse_margin, next_lse_margin;
	int launches_differ;          /* kernels, grids, blocks or dynamic shared memory of one call */
	int image_differs;
	unsigned regressions;         /* enum regression */
};

/* An entry point: a name of a family of one of the runs. */
struct entry_comparison {
	const char *family, *entry_point;
	size_t base_cases, next_cases, common, regressions;
	size_t same_bits, other_bits, unknown_bits; /* of the common ones */
	size_t worse, better, slower, faster, same, unsure, refused; /* timing: by case_timing */
	size_t first_regression;      /* index of the worst case; SIZE_MAX: none */
};

struct artifact_comparison {
	const struct artifact_record *base, *next; /* NULL: there is none */
	size_t kernels_added, kernels_removed;
	char *changes;                /* newline-separated "toolkit: A -> B", owned; "" when nothing changed */
};

/* A kernel that both runs launched, by its name as it compares across builds. */
enum resource { RESOURCE_REGISTERS, RESOURCE_SHARED, RESOURCE_LOCAL, RESOURCES };
struct resource_comparison {
	char *kernel;                 /* key: fold_kernel_name; owned */
	const char *name;             /* as the base has it, mangled */
	int32_t base[RESOURCES], next[RESOURCES]; /* registers of a thread, static shared bytes of a block, local bytes of a thread
				       * (stack and spills); -1: not told */
	int is_known;                 /* at least one of them is told by both */
	int worse, better;            /* how many of them grew, shrank */
	int is_new_local;             /* local memory where there was none: spills, or arrays that no longer fit into registers */
	size_t cases;                 /* launches of common cases */
};

struct comparison {
	const struct run_record *base, *next;
	double threshold, confidence;
	struct case_comparison *cases; /* worst first: regressions, then other changes, then the same */
	size_t case_count, common;
	struct entry_comparison *entries; /* by family and name */
	size_t entry_count;
	struct artifact_comparison *artifacts;
	size_t artifact_count;
	struct resource_comparison *resources; /* of kernels with a change: new local memory first, then worse, then better. None of
				       * it is a regression by itself: time tells */
	size_t resource_count;
	size_t kernels_compared, kernels_worse, kernels_better, kernels_new_local;
	char *conditions;             /* newline-separated differences of device, driver, datasets, options ...; "" */
	char *timing_refusal;         /* why no time at all can be compared: the devices of all common cases are as unlike; "" */
	char *missing;                /* newline-separated entry points that an inventory lacks now and did not lack before */
	size_t missing_count;
	/* totals of the cases */
	size_t worse, better, other_verdict, vanished, added, margins, same_bits, other_bits, unknown_bits, launches, images;
	uint64_t elements, differing, ulps[ULP_BINS]; /* of outputs that differ and whose copies were kept */
	size_t measured_outputs;      /* so many */
	size_t hot[TIMING_VERDICTS], cold[TIMING_VERDICTS];
	size_t by_rounds, by_samples; /* times with an interval of either kind */
	size_t judged;                /* common cases that at least one run did not skip and found supported; 0: nothing was compared */
	size_t regressions;           /* cases with one, and entry points that are newly missing */
	size_t entries_vanished, entries_added; /* by the cases */
	size_t entries_gone;          /* by the cases or an inventory, each once */
};

/* ERROR_INPUT when the runs have no case in common. On failure *out is empty. `out` points into both runs. */
int compare_runs(const struct run_record *base, const struct run_record *next, const struct compare_options *options,
		 struct comparison *out, struct error *err);
void comparison_free(struct comparison *comparison);

/* Hot and cold as one: SLOWER when either is, else FASTER, UNSURE, SAME, REFUSED; TIMING_NONE when neither was timed. */
enum timing_verdict case_timing(const struct case_comparison *pair);

/* "NVIDIA H100, NVIDIA H200": names of the devices of the run, each once; malloc'd, NULL when memory runs out. */
char *run_device_names(const struct run_record *run);

/* ---- parts, in files of their own ---- */
/* Why times of the two devices cannot be compared; 0 and "" when they can. */
int compare_devices(const struct run_device *base, const struct run_device *next, char *reason, size_t size);
/* Fills artifacts, conditions, timing_refusal and missing. -1 when memory runs out. */
int compare_conditions(struct comparison *comparison);
/* Whether a line of an inventory's `missing`, "MODULE: NAME" or "NAME", is of that entry point. */
int compare_line_names(const char *line, size_t length, const char *entry_point);
/* Fills resources. -1 when memory runs out; the comparison can be freed then. */
int compare_resources(struct comparison *comparison);
void compare_resources_free(struct comparison *comparison);
const char *case_dataset_sha256(const struct run_record *run, const struct case_record *record);

#endif
