/* What another program prints, such as `nvcc --version`. */
#ifndef ASSAY_HARNESS_COMMAND_OUTPUT_H
#define ASSAY_HARNESS_COMMAND_OUTPUT_H

#include "core/error.h"
#include "core/util.h"

/* Runs argv (NULL-terminated; argv[0] is looked for on PATH) in `folder` (NULL: where this program is) with no input, and appends
 * its standard output; what it says on standard error is dropped. ERROR_ENVIRONMENT when it cannot be started, does not end
 * within `seconds` (it is killed), ends badly, or prints more than 64 MiB. */
int command_output(const char *const *argv, const char *folder, double seconds, struct text *out, struct error *err);

/* Path of a program on PATH, malloc'd; NULL when there is none. */
char *command_find(const char *name);

#endif
