/* Whether the conditions of a run were good enough for its figures to be trusted, and what to do where they were not. */
#ifndef ASSAY_HARNESS_REPORT_CONDITIONS_H
#define ASSAY_HARNESS_REPORT_CONDITIONS_H

#include "record.h"

enum { RUN_WARNINGS_MAX = 12 };

struct run_warning {
	int is_grave;            /* figures of this run should not be published; else: they hold, but for these conditions only */
	char what[256];          /* "the card was slowed down by heat in 12 of 40 timed cases" */
	char remedy[256];        /* a sentence */
};

/* Grave ones first. Returns how many; 0: nothing to be said. Clocks are looked at where cases were
 * timed: what is only verified does not depend on them. */
int run_warnings_of(const struct run_record *run, struct run_warning warnings[RUN_WARNINGS_MAX]);

enum run_conditions {
	CONDITIONS_GOOD,         /* nothing to be said */
	CONDITIONS_FAIR,         /* something, but nothing grave */
	CONDITIONS_POOR
};
enum run_conditions run_conditions_of(const struct run_record *run);

/* "WHAT; WHAT"; nothing where there are none. */
void run_append_warnings(const struct run_record *run, struct text *out);

#endif
