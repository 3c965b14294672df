/* Running the worker under compute-sanitizer (--sanitize) and folding its findings into verdicts. */
#ifndef ASSAY_HARNESS_SANITIZE_H
#define ASSAY_HARNESS_SANITIZE_H

#include "record.h"

/* Kernels run about this much slower under memcheck (NVIDIA, Compute Sanitizer user manual, speaks of an order of magnitude
 * and more); the time limit of a case grows by it. */
#define SANITIZER_SLOWDOWN 30.0

struct sanitizer;

/* ERROR_ENVIRONMENT when compute-sanitizer is neither in PATH nor under $CUDA_HOME or /usr/local/cuda. */
int sanitizer_open(struct sanitizer **sanitizer, struct error *err);
/* NULL-terminated words to put before the worker's command. */
const char *const *sanitizer_command(const struct sanitizer *sanitizer);
/* Reads what the tool has logged since the last call and breaks CHECK_SANITIZER of this case when there is something. */
void sanitizer_fold(struct sanitizer *sanitizer, struct case_record *record, const struct judge_policy *policy);
void sanitizer_close(struct sanitizer *sanitizer); /* removes the log */

#endif
