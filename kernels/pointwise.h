/* Cases of kernels that read one tensor element by element and write another of the same shape: unary and affine. They share
 * layouts, the ways to operate in place, launch shapes, and the first arguments
 *     numel, num_dims, info* (dims | strides), [..,] inp* (NULL: in place on out), out* [, ..]
 *
 * Axes, after those of the family's own (which come first in its list):
 *   dims      shape, such as 5x7x3; the output is contiguous
 *   layout    of the input (operator.h)
 *   info      null   a NULL info: contiguous by contract
 *             given  dims and strides. Layouts other than contiguous and offset have it in any case.
 *   in_place  no | yes: inp is NULL and out starts with the operand
 *   grid      elements  1024 threads a block, one for each element, as Candle launches
 *             one       a single block of 96 threads: every thread takes many elements
 *             extra     7 blocks more than there are elements for
 *   values    of the input (operator.h), or the family's own
 *   scale     of those values */
#ifndef ASSAY_KERNELS_POINTWISE_H
#define ASSAY_KERNELS_POINTWISE_H

#include "kernels/family.h"

#define POINTWISE_AXES "dims", "layout", "info", "in_place", "grid", "values", "scale"
#define POINTWISE_DEFAULTS "1031", "contiguous", "null", "no", "elements", "moderate", "1"

/* Adds info, inp (or out_initial) and out to a case that operator_begin has started. */
int pointwise_add(const struct family *family, const struct assignment *assignment, enum dtype dtype, struct test_case *test,
		  struct error *err);
/* Operand of the case: inp, or out_initial; NULL when there is none. */
const struct tensor *pointwise_operand(const struct test_case *test);
/* The tensor that holds the operand's storage. */
struct tensor *pointwise_storage(struct test_case *test);
int pointwise_fill(struct test_case *test, struct error *err);

/* Launch shape and numel, num_dims, info. */
int pointwise_launch(const struct test_case *test, struct operator_launch *launch, struct error *err);
/* inp, out. */
void pointwise_pointers(const struct test_case *test, struct operator_launch *launch);

int pointwise_work(const struct test_case *test, struct work *work, struct error *err);

#endif
