/* Checking a case that was read from a file against the one its own attributes describe. */
#ifndef ASSAY_KERNELS_OPERATOR_LIKE_H
#define ASSAY_KERNELS_OPERATOR_LIKE_H

#include "kernels/family.h"

/* Makes the case again from the axes that operator_begin wrote into its attributes, and compares entry, tensors (names, roles,
 * types, shapes, strides, extents, storage) and the numbers of index arrays that make_case fills. -1 with ERROR_INPUT that names
 * the first difference. Values of the other inputs are the family's to check. */
int operator_check_like(const struct family *family, const struct test_case *test, struct error *err);

#endif
