/* Several sides (sets of artifacts) on one device, so that what drifts hits all of them alike: clock, temperature, whoever else
 * uses the machine.
 *
 * First each side is verified as `assay verify` does it, one after the other. Then, on a GPU, what passed is timed in rounds: in
 * each round every side has a worker process of its own, all of them alive at once, and the cases are gone through in one
 * order: case by case side A, side B, and B before A for every second case and in every second round, so that neither is always
 * the one that comes after the other. The samples of all rounds end up in one case_record per side and case
 * (timing_record.rounds); round i of one side belongs to round i of every other: compare_statistics.h, ratio_of_rounds, says what
 * that is good for. Before a round times a case, in a new process, it calls it once and compares the outputs with those that
 * were verified; where they are others it verifies the case anew. One that fails in any round is not timed, and its verdict is
 * that of the round. */
#ifndef ASSAY_HARNESS_INTERLEAVE_H
#define ASSAY_HARNESS_INTERLEAVE_H

#include "record.h"
#include "session.h"

/* Eight rounds: Student's 99 % quantile is 3.7 for six degrees of freedom, so that the interval is 1.31 standard deviations of
 * a round to either side, and a difference of 3 % is told where rounds scatter by 1 %. With four it would be 5, and with two
 * nothing is ever told. */
enum { INTERLEAVE_ROUNDS = 8, INTERLEAVE_SIDES_MAX = 16 };

struct interleave_side {
	const char *const *paths;     /* artifacts or folders */
	int path_count;
	const char *set;              /* artifact_record.set of all of them; NULL: "" */
	const char *out;              /* result file; NULL: none */
};

struct interleave_options {
	/* As for a session. Not looked at: kind, paths, out, gbench_json, keep_failures, list, sanitize, whole. bench_seconds is for
	 * one figure of one case on one side, all rounds together; default 0.6, operators 0.12. */
	struct session_options session;
	const struct interleave_side *sides;
	size_t count;                 /* 1 to INTERLEAVE_SIDES_MAX */
	int rounds;                   /* 0: INTERLEAVE_ROUNDS on a GPU and none on `cpu`, where times mean nothing; at most
				       * RECORD_ROUNDS_MAX */
	int no_timing;                /* verify only */
	/* Copies of outputs that session.keep_outputs made go into the result files too. Otherwise they stay in runs[] alone, and there
	 * only of cases whose outputs are not the same bit for bit as those of the first side. */
	int keep_copies;
	/* NULL: the first side that cannot be run at all ends everything. Otherwise [count]: it is left out, its record is empty and
	 * the reason is here (kind ERROR_NONE: it was run). */
	struct error *errors;
};

/* runs[count], to be freed by the caller in any case.
 *
 * What is known is written to OUT.partial, marked as not complete: of a side when it has been verified, of all sides after each
 * round, so that minutes of work outlive a kill. Each time the file is replaced whole; in the end it is renamed to OUT. */
int interleave_run(const struct interleave_options *options, struct run_record *runs, struct error *err);

/* "cpu", "cuda" or "cuda:N": what can be timed in turns; a session takes several at once. */
int interleave_is_one_device(const char *device);

/* ---- interleave_merge.c: rounds into one measurement; pure ---- */

/* Appends a round to *into (zeroed at first); takes over from->raw. ERROR_INPUT beyond RECORD_ROUNDS_MAX or for what was not
 * measured. */
int timing_add_round(struct timing_record *into, struct timing_record *from, struct error *err);
/* Median, interval, extremes of all samples together; `target`: of the relative confidence interval, for `converged`. */
int timing_summarise(struct timing_record *timing, double target, struct error *err);
/* Hot and cold of one case in one round, of all the sides that passed: all of them or none, so that rounds stay pairs. Takes over
 * raw samples and clock readings of from[]; into[i] and from[i] NULL: not of this round. */
int records_add_round(struct case_record *const *into, struct case_record *const *from, size_t count, struct error *err);

#endif
