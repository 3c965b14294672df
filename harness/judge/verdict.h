/* What a case came to: the checks that were made, the figures behind them, and the one function that decides. */
#ifndef ASSAY_JUDGE_VERDICT_H
#define ASSAY_JUDGE_VERDICT_H

#include "judge/judge.h"

#include <stdint.h>

enum status {
	STATUS_PASS,
	STATUS_FAIL,        /* a check was broken */
	STATUS_MISTRUSTED,  /* everything held, but a fault could not have shown */
	STATUS_UNSUPPORTED, /* the artifact or device cannot do this case, and says so or provably so */
	STATUS_SKIPPED,     /* not run, by choice of the user or of the plan; or run, and by choice of the user (fast math) not judged */
	STATUS_CRASHED,     /* the process that ran it died, or the device context was lost */
	STATUS_TIMEOUT,     /* it did not come back in time */
	STATUS_ERROR,       /* this program could not finish the case (out of memory, broken dataset ...) */
	STATUS_COUNT
};

const char *status_name(enum status status);      /* "pass", ...; "?" when out of range */
enum status status_from_name(const char *name);   /* STATUS_COUNT when unknown */

/* The checks that can break, each with a name that reports print and --without-check takes. */
enum check {
	CHECK_NUMBERS,      /* scaled error of the output per group */
	CHECK_LSE,          /* error of the log-sum-exp */
	CHECK_FINITE,       /* NaN or Inf where a number is due */
	CHECK_ROW_CLASS,    /* masked rows, NaN rows */
	CHECK_EXACT,        /* exact-answer rows */
	CHECK_UNWRITTEN,    /* elements that must be written and were not */
	CHECK_PREVIOUS,     /* result depends on what the output held before: differs between the two poisons */
	CHECK_CANARY,       /* bytes before or after an output changed */
	CHECK_GAP,          /* bytes between rows of a strided output changed */
	CHECK_INPUT,        /* an input changed */
	CHECK_REPEAT,       /* repeats on the same inputs differ */
	CHECK_LAUNCH,       /* a launch or another runtime call failed and the artifact did not say so */
	CHECK_NO_LAUNCH,    /* the entry point launched nothing */
	CHECK_STREAM,       /* a kernel ran on a stream that is not the default one and was not waited for */
	CHECK_GUARD,        /* an access beyond a buffer hit unmapped memory (--guard pages) */
	CHECK_SANITIZER,    /* a finding of compute-sanitizer (--sanitize) */
	CHECK_ACCESS,       /* the cpu device saw a kernel leave its buffers, misalign an access, or write to an input */
	CHECK_UNDEFINED,    /* a value nobody wrote decided a branch or an address, or reached an output (cpu) */
	CHECK_RACE,         /* two warps used the same shared memory with no barrier between (cpu) */
	CHECK_BARRIER,      /* a barrier or warp-wide operation that not all lanes reach (cpu) */
	CHECK_NAMES_COUNT
};
const char *check_name(enum check check);         /* "numbers", "row-class", ...; "?" when out of range */
enum check check_from_name(const char *name);     /* CHECK_NAMES_COUNT when unknown */

enum check_state {
	CHECK_NOT_MADE,     /* did not apply, or was not reached: counts for nothing */
	CHECK_HELD,
	CHECK_BROKEN,
	CHECK_DISABLED      /* switched off by the policy; `reason` still says what it would have said */
};
const char *check_state_name(enum check_state state); /* "not made", "held", "broken", "disabled" */

struct check_result {
	enum check_state state;
	char reason[400];        /* "head 3 of batch 1: scaled error 0.12 > bound 0.0021 at row 17, column 5: ..." */
};

/* Measurements and decision of one case. Zero-initialise. About 9 KiB: allocate once. */
struct judgement {
	enum status status;      /* set by judgement_decide */
	char reason[512];        /* "" for a pass */
	struct check_result checks[CHECK_NAMES_COUNT];
	char mistrust[256];      /* why a fault could not have shown, or "" */
	double precise_margin;   /* operators: margin by the bounds of a precise build, whichever decided */
	double margin;           /* max over groups of scaled error / bound: passes when <= 1 */
	double scaled_max, scaled_bound; /* of the group with the largest margin */
	double low_scaled_max;   /* of the unfused chain, same group */
	double absolute_max, relative_max, relative_l2;
	uint64_t ulp_max;
	double lse_absolute_max, lse_margin;
	int64_t worst_index[4];  /* batch, head, row, column of the worst element; -1 when there is none */
	double worst_value, worst_reference;
	int64_t elements, nan_count, inf_count;
	int64_t histogram[JUDGE_HISTOGRAM_BINS];
};

/* Records the outcome of one check. A broken check stays broken: a later `hold` or another reason does not replace the
 * first one. */
void judgement_hold(struct judgement *judgement, enum check check);
void judgement_break(struct judgement *judgement, enum check check, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Everything may hold and yet prove nothing: the first reason is kept. */
void judgement_mistrust(struct judgement *judgement, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets a status that no check decides (error, crashed, timeout, unsupported, skipped), with its reason. */
void judgement_conclude(struct judgement *judgement, enum status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

int judgement_has_broken(const struct judgement *judgement); /* a check, switched off or not */

/* Checks that are switched off (--without-check NAME), to show in a test that each faulty specimen is caught by one
 * check: bit 1u << check. */
struct judge_policy {
	unsigned disabled_checks;
};

/* The only place where a status is decided from checks: disabled checks become CHECK_DISABLED (never held); then FAIL when
 * one is broken, MISTRUSTED when a fault could not have shown, ERROR when no check held at all, else PASS. Fills status
 * and reason. `policy` may be NULL. Calling it again gives the same answer. */
void judgement_decide(struct judgement *judgement, const struct judge_policy *policy);

#endif
