/* What a case came to. */
#ifndef ASSAY_JUDGE_VERDICT_H
#define ASSAY_JUDGE_VERDICT_H

enum status {
	STATUS_PASS,
	STATUS_FAIL,        /* a check was broken */
	STATUS_MISTRUSTED,  /* everything held, but a fault could not have shown */
	STATUS_UNSUPPORTED, /* the artifact or device cannot do this case, and says so or provably so */
	STATUS_SKIPPED,     /* not run, by choice of the user or of the plan */
	STATUS_CRASHED,     /* the process that ran it died, or the device context was lost */
	STATUS_TIMEOUT,     /* it did not come back in time */
	STATUS_ERROR,       /* this program could not finish the case (out of memory, broken dataset ...) */
	STATUS_COUNT
};

const char *status_name(enum status status);
enum status status_from_name(const char *name); /* STATUS_COUNT when unknown */

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
	CHECK_NAMES_COUNT
};
const char *check_name(enum check check);
enum check check_from_name(const char *name); /* CHECK_NAMES_COUNT when unknown */

#endif
