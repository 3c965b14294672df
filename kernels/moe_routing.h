/* Which expert computes which row: the two index arrays of libmoe's entry points.
 *   sorted_token_ids[i]   i32: a row, each of [0, rows) once, grouped by expert
 *   expert_ids[i]         i32: its expert, not decreasing, in [0, experts) */
#ifndef ASSAY_KERNELS_MOE_ROUTING_H
#define ASSAY_KERNELS_MOE_ROUTING_H

#include "kernels/family.h"

/* How rows are dealt out; values of the axis `routing`:
 *   random     each row to any expert, an expert's rows in ascending order
 *   shuffled   the same, an expert's rows in any order
 *   first, middle, last   all to one expert
 *   ends       the first and the last in turn: those in between have none
 *   round      row i to expert i modulo experts
 *   uneven     half of them to the second expert (the only one, if there is one), the others to any */
extern const char *const moe_routings[]; /* NULL-terminated */

/* Adds both tensors, without data. */
int moe_routing_add(struct test_case *test, int64_t rows, struct error *err);
/* Fills them. */
int moe_routing_fill(struct test_case *test, const char *routing, int64_t experts, struct error *err);
/* -1 with ERROR_INPUT when they are not as described above. */
int moe_routing_check(const struct test_case *test, int64_t experts, struct error *err);

#endif
