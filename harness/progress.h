/* A progress bar with the time left, on a terminal only. */
#ifndef ASSAY_HARNESS_PROGRESS_H
#define ASSAY_HARNESS_PROGRESS_H

#include <stddef.h>

struct progress {
	size_t done, total, bad;
	double started, drawn;
	int active; /* stderr is a terminal */
};

void progress_start(struct progress *progress, size_t total);
/* One more is done; `bad` counts cases that did not pass. Redraws at most ten times a second. */
void progress_step(struct progress *progress, int is_bad, const char *label);
/* Wipes the bar, so that a line can be printed; the next step draws it again. */
void progress_clear(struct progress *progress);

#endif
