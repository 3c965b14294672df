/* Figures that reports derive from records. */
#ifndef ASSAY_HARNESS_REPORT_FIGURES_H
#define ASSAY_HARNESS_REPORT_FIGURES_H

#include "record.h"

/* Median (lower one of two), 95th percentile (nearest rank) and maximum; NaN counts as +inf. */
struct spread {
	size_t count;
	double minimum, median, high, maximum;
};
/* Sorts `values`. All zero when count is 0. */
struct spread spread_of(double *values, size_t count);

/* The first device of the run; its id is "" where none was opened. */
const struct device_properties *run_device(const struct run_record *run);
/* Processes beside this program that computed on the run's cards at its start. */
uint32_t run_other_processes(const struct run_record *run);
double case_energy(const struct case_record *record);           /* J of one call; NaN when not measured */
double case_energy_per_tflop(const struct case_record *record); /* J / TFLOP; likewise */

struct kernel_counts {
	size_t launched, reachable; /* reachable: all that are not KERNEL_UNREACHABLE */
};
struct kernel_counts kernel_counts_of(const struct artifact_record *artifact);

/* 1 when the case passed and was timed: nothing else has a throughput. */
int case_is_timed(const struct case_record *record);
double case_flop_rate(const struct case_record *record);      /* FLOP/s of the hot median; NaN when it does no FLOPs */
double case_byte_rate(const struct case_record *record);
/* FLOP rate relative to this card's matrix-product rate in the same type and run; NaN when that was not measured. */
double case_roof_share(const struct run_record *run, const struct case_record *record);
double case_speedup(const struct case_record *record);        /* over the unfused chain; NaN when that was not measured */
double case_uncertainty(const struct case_record *record);    /* half the confidence interval, relative to the median */

struct clock_summary {
	size_t readings;
	struct spread sm_mhz, power_watts, temperature_celsius;
	uint64_t throttle_reasons; /* of all readings together */
};
/* Over all readings of the run; -1 when memory runs out. */
int clock_summary_of(const struct run_record *run, struct clock_summary *out);
/* "power cap, thermal slowdown", "none". */
void append_throttle_reasons(uint64_t reasons, struct text *out);

struct run_summary {
	size_t statuses[STATUS_COUNT];
	size_t checks[CHECK_NAMES_COUNT][4]; /* by enum check_state */
	struct spread margins, lse_margins;  /* of passed cases that have them */
	const struct case_record *worst, *worst_lse; /* with the largest margin among the passed; NULL when there is none */
	size_t timed, timed_hosts;           /* timed_hosts: those that are not of operators */
	double device_seconds;               /* the whole run's sum of verify_seconds */
};
int run_summary_of(const struct run_record *run, struct run_summary *out); /* -1 when memory runs out */

/* Cases of one type and head dimension that were timed (operators have none: operator_figures.h). */
struct throughput_group {
	enum dtype dtype;
	int64_t head_dim;
	size_t cases;
	double rate_median, rate_best;       /* FLOP/s */
	double share_best, speedup_median;   /* NaN when not measured */
	const struct case_record *best;
};
/* *groups is malloc'd, in the order of dtype and head_dim. -1 when memory runs out. */
int throughput_groups(const struct run_record *run, struct throughput_group **groups, size_t *count);

#endif
