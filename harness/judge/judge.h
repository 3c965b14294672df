/* Measuring how far a result is from its reference, and whether memory was treated as promised: on the device where the
 * data lies (own kernels from embedded PTX on cuda, plain C on cpu; both give the same numbers up to the order of float64
 * sums, integers and maxima exactly).
 *
 * This layer measures. What is allowed is decided by rules (rules.h), which are pure functions of the measurements. */
#ifndef ASSAY_JUDGE_JUDGE_H
#define ASSAY_JUDGE_JUDGE_H

#include "core/digest.h"
#include "device/device.h"

struct judge;
int judge_open(struct judge **judge, struct device *device, struct error *err);
void judge_close(struct judge *judge);

/* ---- memory: canaries, gaps, unwritten elements, repeatability ---------------------------------------------------- */

/* A buffer as the harness allocates it: `front` bytes of canary, the tensor's storage, `back` bytes of canary. Element
 * (i0, ..) of the value lies at element offset sum(i*strides) of the storage; other elements of the storage are gaps. */
struct judge_layout {
	enum dtype dtype;
	int rank;                     /* <= 6 */
	int64_t dims[6], strides[6];  /* strides in elements, not overlapping */
	size_t front, bytes, back;    /* multiples of the element size */
};

/* What an output buffer looked like after two runs that started from different poison.
 *   first/second: device copies of the whole buffer (canaries included) after run A and run B
 *   poison_a/poison_b: 32-bit patterns that filled the whole buffer before each run (16-bit types: both halves equal) */
struct judge_memory {
	int64_t unwritten;            /* value elements that hold poison_a after A and poison_b after B */
	int64_t unwritten_first;      /* row-major index of the first, -1 when none */
	int64_t differing;            /* value elements written but not bitwise equal in A and B */
	int64_t differing_first;      /* row-major index, -1 */
	int64_t canary;               /* canary bytes' elements that changed */
	int64_t canary_first;         /* element offset relative to the storage start (negative: before it); 0 when none */
	int64_t gap;                  /* gap elements that changed */
	int64_t gap_first;            /* element offset in the storage; -1 */
};
int judge_output_memory(struct judge *judge, const struct judge_layout *layout, device_pointer first,
			device_pointer second, uint32_t poison_a, uint32_t poison_b, struct judge_memory *out,
			struct error *err);

/* Bytes that differ between two equally long device ranges; *first is the offset of the first (or -1). Used for inputs
 * (must stay as they were) and for repeats. */
int judge_compare_bytes(struct judge *judge, device_pointer a, device_pointer b, size_t bytes, int64_t *differing,
			int64_t *first, struct error *err);

/* Digest (core/digest.h) of the value elements in row-major order, gaps left out. */
int judge_digest(struct judge *judge, const struct judge_layout *layout, device_pointer storage, struct digest *digest,
		 struct error *err);

/* ---- numbers ------------------------------------------------------------------------------------------------------ */

enum { JUDGE_HISTOGRAM_BINS = 32 };

/* What is compared: `rows` rows of `columns` elements; row r belongs to group row_group[r] < groups and has class bits
 * row_class[r] (reference/attention.h; NULL pointers (0): one group, class 0).
 * Value element (r, c): `value` with dtype at element offset row_offset[r] + c (device i64 array, elements relative to
 * `value`; 0: r * columns). */
struct judge_input {
	enum dtype dtype;
	device_pointer value;
	device_pointer row_offset;
	int64_t rows, columns, groups;
	device_pointer reference;    /* f64 [rows, columns] */
	device_pointer magnitude;    /* f64 [rows, columns] that errors are divided by; 0: divide by 1 (absolute error) */
	device_pointer row_class;    /* u8 [rows] or 0 */
	device_pointer row_group;    /* i32 [rows] or 0 */
	const double *absolute_slack; /* host [groups] or NULL: subtracted from |x - ref| before scaling (subnormal terms) */
	int is_lse;                  /* classes are judged as for LSE instead of O */
};

/* Errors of one group. Only elements whose class asks for a number are in the error figures; the others are counted.
 * A NaN or Inf where a finite value is due counts in `not_finite` and makes every maximum +inf, so that no comparison
 * passes by accident. */
struct judge_group {
	double scaled_max;           /* max (|x - ref| - slack)+ / magnitude; where magnitude is 0: 0 if |x - ref| <= slack, else +inf */
	int64_t scaled_max_index;    /* row * columns + column, -1 when the group has no such element */
	double absolute_max, relative_max; /* relative: |x - ref| / |ref| over ref != 0 */
	double error_square_sum, reference_square_sum;
	uint64_t ulp_max;            /* distance to the reference rounded to dtype; over elements with |ref| >= smallest normal */
	int64_t ulp_max_index;
	int64_t elements;            /* that were compared as numbers */
	int64_t not_finite;          /* NaN or Inf where a finite number is due */
	int64_t class_violations;    /* elements that break what their row's class demands (masked row not zero, NaN missing, ...) */
	int64_t class_violation_index;
	int64_t exact_mismatches;    /* ROW_EXACT elements that are not the rounded reference (-0 equals +0) */
	int64_t exact_mismatch_index;
	int64_t exact_elements;
};

struct judge_numbers {
	struct judge_group *groups;  /* [groups], freed by judge_numbers_free */
	int64_t group_count;
	struct judge_group total;    /* over all groups (maxima of maxima, sums of sums) */
	int64_t histogram[JUDGE_HISTOGRAM_BINS]; /* bin b counts scaled errors in [2^(b-31), 2^(b-30)); bin 0 everything smaller */
	int64_t nan_count, inf_count; /* in the values, wherever they are */
	double reference_min, reference_max; /* over finite compared elements: min == max means no fault could show */
};
int judge_compare(struct judge *judge, const struct judge_input *input, struct judge_numbers *out, struct error *err);
void judge_numbers_free(struct judge_numbers *numbers);

#endif
