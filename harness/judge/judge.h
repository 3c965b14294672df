/* Measuring how far a result is from its reference, and whether memory was treated as promised: on the device where the
 * data lies (own kernels from embedded PTX on cuda, plain C on cpu; both give the same numbers up to the order of float64
 * sums, integers and maxima exactly).
 *
 * This layer measures. What is allowed is decided by rules (attention_rule.h), which are pure functions of what was measured. */
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
 * row_class[r] (judge/row_class.h; NULL pointers (0): one group, class 0). Rows of one group should lie side by side:
 * scattered ones are handled, but the device then looks at every row between the first and the last of a group.
 * Value element (r, c): `value` with dtype (f16, bf16, f32 or f64) at element offset row_offset[r] + c (device i64 array,
 * elements relative to `value`; 0: r * columns). At most 2^31 - 1 rows and 2^31 - 1 columns.
 *
 * What an element has to be:
 *                          O                                        LSE (is_lse)
 *   ROW_NAN                NaN                                      NaN or +inf
 *   ROW_MASKED             +0 or -0                                 +inf
 *   ROW_ALL_MINUS_INF      NaN, or +-0; all of a row alike          NaN, +inf or -inf
 *   ROW_MASKED_POISON      as without it, or NaN                    as without it, or NaN
 *   ROW_EXACT              a number, and the reference itself       a number
 *                          where that is representable
 *   otherwise, by the reference element:
 *     finite               a number                                 a number
 *     NaN                  NaN or an infinity                       NaN or an infinity
 *     +inf or -inf         the same, or NaN                         the same
 * Breaking a line of this table that does not ask for a number is a class violation; a NaN or infinity where a number is
 * asked for is `not_finite`. (A reference that is finite in float64 but rounds to an infinity in dtype asks for that
 * infinity or a finite number.) */
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

/* Errors of one group. The error figures are over elements that were compared as numbers. `scaled_max`, `absolute_max` and
 * `relative_max` are +inf and `ulp_max` is UINT64_MAX as soon as `not_finite` is not 0, so that no comparison with a bound
 * passes by accident; `finite_scaled_max` leaves such elements out, so that they can be charged to a check of their own.
 * Indices are row * columns + column of the first element (in that order) that reaches the maximum, or -1. */
struct judge_group {
	double scaled_max;           /* max of s = (|x - ref| - slack)+ / magnitude; where magnitude is 0: 0 if |x - ref| <= slack,
				      * else +inf; where magnitude is not a finite number: +inf */
	double finite_scaled_max;
	int64_t scaled_max_index;    /* of finite_scaled_max */
	double scaled_max_value, scaled_max_reference; /* x and ref there */
	double absolute_max;
	double relative_max;         /* |x - ref| / |ref| over ref != 0 */
	double error_square_sum, reference_square_sum;
	uint64_t ulp_max;            /* distance to the reference rounded to dtype; over elements with |ref| >= smallest normal */
	int64_t ulp_max_index;
	int64_t elements;            /* compared as numbers, and finite */
	int64_t not_finite;          /* NaN or infinite where a number is due */
	int64_t not_finite_index;
	double not_finite_value, not_finite_reference;
	int64_t class_elements;      /* asked to be something else than a number */
	int64_t class_violations;    /* of those */
	int64_t class_violation_index;
	int64_t class_violation_class; /* bits of its row */
	double class_violation_value, class_violation_reference;
	int64_t exact_elements;      /* of ROW_EXACT rows, where the reference is representable in dtype */
	int64_t exact_mismatches;    /* of those, that are not the reference (-0 equals +0) */
	int64_t exact_mismatch_index;
	double exact_mismatch_value, exact_mismatch_reference;
	int64_t nan_count, inf_count; /* among all values, allowed or not */
	double reference_min, reference_max; /* over the references of `elements` and `not_finite`; +inf and -inf when none */
};

struct judge_numbers {
	struct judge_group *groups;  /* [group_count], freed by judge_numbers_free */
	int64_t group_count;
	struct judge_group total;    /* over all groups: maxima of maxima, sums of sums */
	int64_t histogram[JUDGE_HISTOGRAM_BINS]; /* of s over `elements` and `not_finite`: bin b counts [2^(b-31), 2^(b-30)), bin
						  * 0 everything smaller, the last one everything from 1 up */
};
int judge_compare(struct judge *judge, const struct judge_input *input, struct judge_numbers *out, struct error *err);
void judge_numbers_free(struct judge_numbers *numbers);

#endif
