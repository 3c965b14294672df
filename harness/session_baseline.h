/* --baseline PATH: another archive or shared library with the same entry point, which every case that passed is run with too,
 * in a worker of its own: verified by the same rules, then timed on the same inputs. Its verdict is not the artifact's: what
 * does not pass, crashes or cannot be loaded is said in the note of its baseline_record. */
#ifndef ASSAY_HARNESS_SESSION_BASELINE_H
#define ASSAY_HARNESS_SESSION_BASELINE_H

#include "session_private.h"

/* As many as fit beside the family's own. */
enum { SESSION_BASELINES_MAX = 2 };

struct session_baselines;

/* For one device, as device_open takes it. NULL in *baselines when none were given. ERROR_USAGE: too many. ERROR_INPUT: a path that cannot be read, or has no host
 * function that a family knows. */
int session_baselines_open(struct session_baselines **baselines, const struct session *session, const char *device, struct error *err);
/* Adds the baselines to the record of a case that passed; the worker is started by the first one. -1 only for faults that are
 * everybody's. `request` is what the artifact's worker was given. To be called by one thread. */
int session_baselines_case(struct session_baselines *baselines, const struct session *session,
			   const struct runner_request *request, struct case_record *record, struct error *err);
void session_baselines_close(struct session_baselines *baselines); /* NULL is fine */

#endif
