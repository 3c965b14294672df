/* State of operators in a session; private to session_operators.c (verifying), session_timing.c and session_pairs.c (what is to be
 * run). */
#ifndef ASSAY_HARNESS_SESSION_OPERATORS_H
#define ASSAY_HARNESS_SESSION_OPERATORS_H

#include "operator_units.h"
#include "session_private.h"

/* Where the numbers of records start that say in what order they were planned: host entry points come first, at 0. */
#define ORDER_VERIFIED (UINT64_C(1) << 40)
#define ORDER_TIMED (UINT64_C(2) << 40)
#define ORDER_REST (UINT64_C(3) << 40)
/* Within the first two: the number of the entry point, then that of the case among the entry point's. */
#define ORDER_ENTRY_BITS 20

struct operators_session {
	struct operator_units units;
	struct cases_by_entry verified, timed;
	size_t jobs;                  /* workers side by side */

	/* shared by the threads, under the session's mutex: */
	size_t next;                  /* of units.by_cost */
	size_t allowed[RECORD_DEVICES_MAX]; /* workers that fit into the device's memory, once it is known */
	size_t running;               /* threads */
	struct error failure;
	int failed;                   /* no worker can be started at all, or a result cannot be kept */
	size_t *returned;             /* units of workers that could not be started, for the others */
	size_t returned_count;
	struct error no_worker;       /* why */
	double started;
	pthread_cond_t ended;

	/* timing: */
	struct bench_item {
		size_t entry, unit;   /* of units.entries, units.units */
		size_t source_index;
		uint64_t order;
	} *bench;
	size_t bench_count;
};

/* A worker with what it needs: a thread of verification, or the timing on one device. */
struct crew {
	struct session *session;
	size_t index;
	size_t slot;                  /* of session.devices */
	const char *device;
	struct runner *runner;
	struct case_record *record;
	const char **symbols;
};
int operators_crew_open(struct crew *crew, int bench, struct error *err);
void operators_crew_close(struct crew *crew);
/* Under the mutex. */
int operators_note_device(struct session *session, size_t slot, const struct worker_ready *ready, struct error *err);
int operators_note_load(const struct crew *crew, const struct job *job, const struct wire_loaded *loaded, struct error *err);
/* Entries [first, first + count) of the units'. */
int operators_load_unit(struct crew *crew, size_t first, size_t count, int whole, struct wire_loaded *loaded, struct error *err);
int operators_is_refusal(const struct error *err);
void operators_describe_case(struct case_record *record, const struct entry_work *work, const struct case_set *set, size_t source_index);
void operators_complete_record(const struct entry_work *work, const struct case_set *set, size_t source_index, uint64_t order,
			       struct case_record *record);

#endif
