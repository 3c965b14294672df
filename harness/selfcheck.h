/* Does this program itself work on this device: stored expectations against the reference, and the judge against results
 * that are known to be right and known to be wrong. Operators are judged on the host, whatever the device. */
#ifndef ASSAY_HARNESS_SELFCHECK_H
#define ASSAY_HARNESS_SELFCHECK_H

#include "core/error.h"
#include "source.h"

struct selfcheck {
	size_t cases;
	size_t compared;          /* cases with stored expectations */
	double worst_relative_l2; /* of the reference against them */
	char worst_case[CASE_NAME_MAX];
	size_t judged_right;      /* the rounded reference was taken for an output and passed */
	size_t judged_wrong;      /* with one element of it changed it failed */
	size_t nothing_to_change; /* cases without a finite element to change */
	size_t failures;          /* lines that were printed */
};

/* Largest relative L2 distance between stored and computed float64 results that is accepted: both are float64 attention
 * with sums in different orders; with up to 2^14 keys that is below 1e-13 (n u = 2^14 * 2^-53 = 2e-12 is the worst case). */
#define SELFCHECK_RELATIVE_L2 1e-12

/* Goes over all cases; prints a line to stderr for everything that does not hold. -1 only when it cannot be carried out. */
int selfcheck_run(const struct case_source *source, const char *device_id, struct selfcheck *result, struct error *err);

#endif
