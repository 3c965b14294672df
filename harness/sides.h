/* What the commands that hold several things against each other share: which of their arguments are result files, and what the
 * files of a run of artifacts are called. */
#ifndef ASSAY_HARNESS_SIDES_H
#define ASSAY_HARNESS_SIDES_H

#include "core/error.h"

#include <stddef.h>

/* Whether the path names a result file (or PATH.partial of a killed run does): HDF5 by its signature, or a name ending in ".h5"
 * or ".h5.partial" that is no folder, so that a file that is not there is told as such. Everything else is an artifact. */
int path_is_result(const char *path);

/* *files: 1 when all are result files, 0 when all are artifacts; ERROR_USAGE when they are mixed. */
int sides_are_files(char *const *paths, size_t count, int *files, struct error *err);

/* "1", "0.5", "2.5%": percent, above 0 and below 100; *threshold is the part of 1. NULL: 0.01. `program` names the command. */
int sides_threshold(const char *program, const char *word, double *threshold, struct error *err);

/* Whether --out DIR says where: ERROR_USAGE for "", which an unset variable makes of it and which would
 * be the root. NULL is fine. */
int sides_folder(const char *program, const char *folder, struct error *err);

/* The last part of the path that is not "out", with what no file name should hold as '_'. malloc'd. */
int side_name(const char *path, char **name, struct error *err);
/* FOLDER/N-NAME.h5, N from 1 on. malloc'd. */
int side_result_path(const char *folder, size_t index, const char *path, char **out, struct error *err);

#endif
