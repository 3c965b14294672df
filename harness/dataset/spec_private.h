/* What spec.c reads, spec_cases.c multiplies out and spec_pairs.c counts. */
#ifndef ASSAY_DATASET_SPEC_PRIVATE_H
#define ASSAY_DATASET_SPEC_PRIVATE_H

#include "dataset/spec.h"

enum {
	VALUES_MAX = 65535,        /* of one axis: a row holds indices of 16 bits */
	PAIRS_MAX = 1 << 20,       /* of one pairwise section: bounds the time of the search */
	SEARCH_STEPS_MAX = 1 << 25 /* of one section: bounds the time that exclusions can cost */
};

struct value_list {
	char *axis;
	int line;
	size_t count;
	char **values; /* owned, as are the strings */
};

struct exclusion_term {
	int axis;
	unsigned char *matches; /* a byte for each value of the axis */
};

struct exclusion { /* holds when every term does */
	int term_count;
	struct exclusion_term terms[SPEC_AXES_MAX];
};

struct section {
	char *name, *family;
	int line;
	int axis_count;
	struct value_list axes[SPEC_AXES_MAX];
	size_t exclusion_count;
	struct exclusion *exclusions;
	int pairwise;
	size_t row_count;
	uint16_t *rows;     /* row_count * axis_count value indices */
	size_t first;       /* index of its first case in the spec */
	int64_t steps_left; /* of the search for cases; below zero once exhausted */
};

struct spec {
	char *name; /* of the file */
	char *text;
	size_t section_count;
	struct section *sections;
	size_t case_count;
};

enum { UNSET = -1 }; /* a row under construction holds int32_t with UNSET for axes that have no value yet */

/* Fills section->rows; `room` is how many cases the spec may still take. */
int section_make_cases(struct section *section, const char *file, size_t room, struct error *err);
/* 1 when some full row extends `row` without being excluded, 0 when none does or steps_left ran out. `row` is used as
 * scratch and comes back as it was. */
int section_can_complete(struct section *section, int32_t *row);

#endif
