/* State of operators in a session; private to session_operators.c (running), session_pairs.c (what is to be run). */
#ifndef ASSAY_HARNESS_SESSION_OPERATORS_H
#define ASSAY_HARNESS_SESSION_OPERATORS_H

#include "operator_units.h"
#include "session_private.h"

/* Where the numbers of records start that say in what order they were planned: host entry points come first, at 0. */
#define ORDER_VERIFIED (UINT64_C(1) << 40)
#define ORDER_TIMED (UINT64_C(2) << 40)
#define ORDER_REST (UINT64_C(3) << 40)

struct operators_session {
	struct operator_units units;
	struct cases_by_entry verified, timed;
	size_t jobs;                  /* workers side by side */

	/* shared by the threads, under the session's mutex: */
	size_t next;                  /* of units.by_cost */
	size_t allowed;               /* workers that fit into the device's memory, once it is known */
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
	struct runner *runner;
	size_t loaded_unit;           /* of the runner; SIZE_MAX: none */
	size_t loaded_entry;          /* of a unit that was refused: the one entry that was tried alone */
	struct error refusal;         /* of the last load, when it was refused */
	int is_refused;
	enum status refused_as;
	const char **symbols;
};

#endif
