/* What lies beside a result file while a run goes on, and after one that was killed.
 *
 *   FILE.partial  is being written. HDF5 changes it in place, so that a kill in the midst of a write, or a loss of power at any
 *                 time, may leave it as nothing that can be read.
 *   FILE.earlier  an older state of it, whole and on the disk: a copy from some time ago or, in a run that is resumed, what it
 *                 goes on from. FILE.partial has all that FILE.earlier has, once it has more cases.
 *   FILE          all of it. It gets its name when FILE.earlier is gone and everything is on the disk.
 *
 * So whenever and however a run ends there is one of them that can be read, and it has all but what was finished since the last
 * copy. Private to record_*.c and session*.c. */
#ifndef ASSAY_HARNESS_RECORD_EARLIER_H
#define ASSAY_HARNESS_RECORD_EARLIER_H

#include "core/error.h"

#include <stddef.h>

/* "FILE.partial", "FILE.earlier", malloc'd; NULL when memory runs out. */
char *record_partial_name(const char *path);
char *record_earlier_name(const char *path);

/* Removes the file that is called `partial`, if there is one, so that it can be begun anew. ERROR_INPUT when a run is writing it,
 * and when it is no regular file or cannot be removed. */
int record_partial_remove(const char *partial, struct error *err);
/* Puts a copy of `partial`, which nobody changes meanwhile, in the place of `earlier`. -1: it is as it was. */
int record_earlier_copy(const char *partial, const char *earlier);
/* Puts `file`, which is complete and closed, to the disk and then in the place of `path`; `earlier` (or NULL) is removed just
 * before. ERROR_INPUT: `file` is still there. */
int record_publish(const char *file, const char *path, const char *earlier, struct error *err);
/* Cases of a result file that --resume would take over; 0 where it cannot be read. */
size_t record_finished_cases(const char *file);
/* Which of the two to go on with, or to read: NULL when there is neither. */
const char *record_better_of(const char *partial, const char *earlier);

#endif
