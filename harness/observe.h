/* What was seen of a case while it ran, turned into checks and statuses: findings of a watching device, failed calls, the log of
 * the runtime shim. */
#ifndef ASSAY_HARNESS_OBSERVE_H
#define ASSAY_HARNESS_OBSERVE_H

#include "cudart/cudart.h"
#include "record.h"
#include "worker.h"

struct observer {
	struct device *device;
	struct case_record *record;  /* its judgement is not decided yet: status STATUS_COUNT */
	unsigned disabled_checks;
	int guard_pages;             /* every buffer lies against unmapped memory */
};

/* What a device that watches its kernels saw since the last time. Each fault breaks the check of its kind; one that ends a
 * kernel without being wrong by a check (a trap, an endless loop) decides the case. */
void observe_findings(const struct observer *observer);
/* A call of this program failed: decides the case, by whether the device context survived. Returns 1 when it is lost. */
int observe_error(const struct observer *observer, const struct error *err);
/* What the shim saw of one call: launches into the record, checks launch, no-launch and stream. Returns 1 when the case is
 * decided by it. */
int observe_log(const struct observer *observer, const struct cudart_log *log);
/* A case that was verified before has run once more, from NaN poison: 1 when its outputs are what they were and no check broke,
 * and it has passed then. 0: the record is as before that call but for what it launched and a note, and the case has to be
 * verified whole. known->count > 0. */
int observe_known(const struct observer *observer, const struct known_outputs *known);
/* Adds to what is worth saying beside the verdict, behind what is said already, as far as there is room. */
void observe_note(struct case_record *record, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether a launch that failed with this cudaError_t says that image and GPU do not fit, which is no fault of the kernel. */
int launch_error_is_unsupported(int error);

#endif
