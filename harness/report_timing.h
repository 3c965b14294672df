/* How well a run's time was used, what a call costs in energy, and what there was to compare it with. */
#ifndef ASSAY_HARNESS_REPORT_TIMING_H
#define ASSAY_HARNESS_REPORT_TIMING_H

#include "record.h"

/* Cases below that are so short that what surrounds a sample takes longer than the sample. */
#define TIMING_SHARE_LEAST 100e-6

struct timing_share {
	size_t cases;
	double sampled;  /* sum of all samples, cold ones and those of baselines too, in seconds */
	double wall;     /* of these cases, all in: inputs, reference, verification, warming up; the sum of wall_seconds */
};
/* Over timed cases whose hot median is at least `least` seconds. */
struct timing_share timing_share_of(const struct run_record *run, double least);

/* Joules for 1e12 of the FLOPs that the case asks for; NaN when energy was not measured or the case does no FLOPs. */
double case_joules_per_teraflop(const struct case_record *record);
/* Mean power of the board while the case was sampled, in watts; NaN when energy was not measured. */
double case_watts(const struct case_record *record);
/* The baseline's median over the case's own; NaN when it has none. */
double baseline_speedup(const struct case_record *record, const struct baseline_record *baseline);

#endif
