/* Figures of operators that reports derive from records: verdicts by entry point, by family and module; throughput. */
#ifndef ASSAY_HARNESS_OPERATOR_FIGURES_H
#define ASSAY_HARNESS_OPERATOR_FIGURES_H

#include "record.h"

int case_is_operator(const struct case_record *record);
/* Skipped, but not for want of a run: it was launched, and nothing is asked of its values (operate_verdict.h). */
int case_is_unjudged(const struct case_record *record);

/* What the cases of one entry point of one artifact came to. */
struct entry_summary {
	const char *family, *module, *symbol;
	int artifact;
	int fast_math;
	enum status status;           /* fail before crashed, timeout, error, mistrusted; then pass; unsupported, skipped when nothing ran */
	size_t cases, statuses[STATUS_COUNT];
	double margin, precise_margin; /* largest of the cases that passed or failed by numbers; NaN: no case was judged by numbers */
	uint64_t ulp_max;
	const struct case_record *worst; /* the first that is why of `status` (pass: with the largest margin) */
};
/* In the order of the first case of each; *entries is malloc'd. -1 when memory runs out. */
int entry_summaries(const struct run_record *run, struct entry_summary **entries, size_t *count);

struct family_summary {
	const char *family, *module;
	size_t entries, statuses[STATUS_COUNT]; /* entry points by their verdict */
	size_t cases, fast;           /* fast: entry points compiled with fast math */
	double margin, precise_margin;
	uint64_t ulp_max;
	const char *worst;            /* name of the case with the largest margin among passed entry points; "" */
};
/* In the order of the entries. */
int family_summaries(const struct entry_summary *entries, size_t count, struct family_summary **families_out, size_t *family_count);

/* Rate in the unit that bounds the case, and its share of what this card does in the same run: bytes/s of the copy rate, FLOP/s of
 * the matrix product. Bytes are counted by the cold time where there is one: what lies in the cache says nothing of memory. */
struct operator_rate {
	double rate, share;           /* share: NaN when not measured */
	int is_cold;
};
struct operator_rate operator_rate_of(const struct run_record *run, const struct case_record *record);

#endif
