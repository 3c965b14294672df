/* Verification of prebuilt folders, for commands that want one verdict: all artifacts of the folders, on one device. */
#ifndef ASSAY_HARNESS_VERIFY_PREBUILT_H
#define ASSAY_HARNESS_VERIFY_PREBUILT_H

#include "prebuilt.h"
#include "session.h"

struct verify_options {
	enum session_kind kind;
	const char *device, *dataset, *donor, *cache_dir, *math, *abi;
	struct option_list filters;
	int verbose;	     /* print single cases */
	const char *command; /* as session_options has it */
};

/* Cases by verdict. */
struct verify_counts {
	size_t cases, passed, bad,
		undecided; /* bad: fail, mistrusted, crashed, timeout, error; undecided: skipped, unsupported */
};
/* Of one artifact of a run, or (artifact -1) of all. */
struct verify_counts verify_count(const struct run_record *run, int artifact);

/* Runs the session over the folders whose `taken` is not 0 (NULL: all). Fails where it cannot run; verdicts are the caller's. */
int verify_prebuilt(const struct prebuilt *prebuilt, const unsigned char *taken, const struct verify_options *options,
		    struct run_record *run, struct error *err);

/* "cuda:0 (NVIDIA H100): 36 of 36 cases passed" */
void verify_summary(const struct run_record *run, struct text *out);

#endif
