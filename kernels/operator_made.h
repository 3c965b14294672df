/* Operator families whose cases follow from their attributes alone: a case read from a file is checked by making it again. */
#ifndef ASSAY_KERNELS_OPERATOR_MADE_H
#define ASSAY_KERNELS_OPERATOR_MADE_H

#include "kernels/family.h"

/* Makes the case that the attributes of `test` (the axes of the family, as operator_begin writes them) stand for, and compares:
 * same entry, same tensors with the same roles, types, shapes, strides and storage, and the same content where make_case fills
 * it (info). -1 with ERROR_INPUT that names case and difference. */
int operator_check_made(const struct family *family, const struct test_case *test, struct error *err);

/* The tensor whose storage `tensor` lies in: itself, or the one it shares. NULL when that is missing. */
struct tensor *operator_storage(struct test_case *test, struct tensor *tensor);

#endif
