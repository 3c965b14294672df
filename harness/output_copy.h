/* Copies of outputs, and how far two of them are apart. */
#ifndef ASSAY_HARNESS_OUTPUT_COPY_H
#define ASSAY_HARNESS_OUTPUT_COPY_H

#include "dataset/case.h"
#include "record.h"

/* What is kept of the outputs of one case, and by a run in memory; a larger case is left out whole, so that what is there can be
 * relied on to be all of it. 64 MiB hold an output of batch 1, 16 heads, 8192 rows, 128 columns in float32. */
enum { OUTPUT_CASE_BYTES_MAX = 64 << 20 };
#define OUTPUT_RUN_BYTES_MAX ((uint64_t)1 << 30)

/* Copies the value of a tensor, in row-major order without gaps; `first` is its first element. Owned by *copy. An empty value has
 * size 0 and bytes that are not NULL. */
int output_copy_take(struct output_copy *copy, const struct tensor *tensor, const void *first, struct error *err);
/* Output `index` of a case: output_copy_take, unless the outputs of the case together are too large, now or before; then none is
 * kept, and outputs[0].size without bytes says so. */
int case_record_keep_output(struct case_record *record, int index, const struct tensor *tensor, const void *first,
			    struct error *err);
/* Whether that would copy it: what it costs to bring it from the device can be saved. */
int case_record_has_room(const struct case_record *record, const struct tensor *tensor);
/* Bytes that the copies of a case hold. */
uint64_t case_record_output_bytes(const struct case_record *record);
void case_record_drop_outputs(struct case_record *record);

/* Copies are there to say how far outputs are apart. Where those of a case are the same bit for bit, by their digests, nobody
 * will look at them: */
/* records[0] is the base, which may be NULL as others may. Drops the copies of every other one that has the base's bits, or
 * has no base; with `is_all` the base's too, where no other one differs. */
void case_records_drop_same(struct case_record *const *records, size_t count, int is_all);
/* The same of all cases of runs[0] and the others: cases of one family, entry point and name belong together. `is_all`: no other
 * run will come. Where memory runs out they are kept. */
void runs_drop_same_outputs(struct run_record *runs, size_t count, int is_all);

/* Distances of elements in units in the last place: representable values between them (dtype_ulp_distance); of integers the
 * difference. +0 and -0 are 0 apart, and so are two NaNs of whatever kind. */
enum ulp_bin {
	ULP_NONE,           /* 0 */
	ULP_ONE,            /* 1 */
	ULP_FEW,            /* 2 to 4 */
	ULP_SOME,           /* 5 to 16 */
	ULP_MANY,           /* 17 to 256 */
	ULP_FAR,            /* 257 to 65536 */
	ULP_BEYOND,         /* more */
	ULP_NAN,            /* one is a NaN and the other is none */
	ULP_BINS
};
const char *ulp_bin_name(enum ulp_bin bin); /* "0", "1", "2-4", ..., "NaN" */

struct output_difference {
	int is_known;             /* 0: a copy is missing, or they are of other types or sizes */
	uint64_t elements;
	uint64_t differing;       /* other bits */
	uint64_t bins[ULP_BINS];  /* of all elements */
	uint64_t largest;         /* distance; 0 where only NaNs or signs of zeros differ */
	uint64_t at;              /* row-major index of the first element with it; of the first differing one where largest is 0 */
	double base, next;        /* what they are there */
};
struct output_difference output_compare(const struct output_copy *base, const struct output_copy *next);

#endif
