/* Arguments of the kernels in judge_kernels.cu, each passed by value as the only parameter of its kernel; pointers are
 * device addresses. Shared by both sides, so that the layout cannot differ. */
#ifndef ASSAY_JUDGE_KERNEL_ARGS_H
#define ASSAY_JUDGE_KERNEL_ARGS_H

#include "judge/judge.h"

enum { JUDGE_BLOCK = 256 }; /* threads in a block of every kernel here */

struct judge_shape { /* index -> element offset in the storage; unit dims left out, adjacent dims joined */
	int32_t rank, element_size;
	int64_t dims[6], strides[6];
	int64_t elements;
};

/* Counters that kernels add to or lower; a copy comes back to the host. */
struct judge_memory_counters {
	uint64_t unwritten, differing, canary, gap, overlap;
	/* least index, UINT64_MAX when none; in row-major value elements, then in elements of the whole buffer */
	uint64_t unwritten_first, differing_first, canary_first, gap_first;
};

struct judge_memory_args { /* assay_judge_memory_value, assay_judge_memory_rest */
	struct judge_shape shape;
	uint64_t first, second;        /* whole buffers: front canary, storage, back canary */
	uint64_t front, storage, back; /* sizes in elements */
	uint64_t bitmap;               /* one bit per storage element, zeroed; 0: the value covers the storage */
	uint64_t counters;             /* struct judge_memory_counters */
	uint32_t poison_a, poison_b;
};

struct judge_bytes_counters {
	uint64_t differing, first;
};

struct judge_bytes_args { /* assay_judge_bytes */
	uint64_t a, b, bytes, counters;
};

struct judge_digest_args { /* assay_judge_digest */
	struct judge_shape shape;
	uint64_t storage, words;
	uint64_t halves;               /* two u64, zeroed */
};

struct judge_compare_args { /* assay_judge_ranges, assay_judge_compare, assay_judge_combine */
	uint64_t value, row_offset, reference, magnitude, row_class, row_group;
	uint64_t slack;                /* f64 [groups] or 0 */
	int64_t rows, columns, groups;
	uint64_t first_row, end_row;   /* u32 [groups]: UINT32_MAX and 0 before assay_judge_ranges; unused without row_group */
	uint64_t partials;             /* struct judge_group [groups * pieces] */
	uint64_t results;              /* struct judge_group [groups] */
	uint64_t histogram;            /* u64 [JUDGE_HISTOGRAM_BINS], zeroed */
	uint64_t invalid;              /* u64, zeroed: rows whose group is out of range */
	int32_t dtype, is_lse;
	uint32_t pieces;               /* blocks that share a group */
};

#endif
