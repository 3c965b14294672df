/* Inputs, outputs and reference of a case that failed, as a dataset file that can be looked at and run again. */
#ifndef ASSAY_HARNESS_KEEP_H
#define ASSAY_HARNESS_KEEP_H

#include "judge/expect.h"
#include "kernels/family.h"

/* Of several artifacts that may fail the same case each has a label, such as "affine-0123abcd"; else it is "". */
enum { KEEP_LABEL_MAX = 96 };

/* Writes FOLDER/<case name with '/' as '_'>.h5, with a label FOLDER/<the same>.<label>.h5: the case with its inputs, for every
 * output T an expected tensor T (float64 reference) and an expected tensor actual.T (what the kernel wrote, widened to float64,
 * which is exact). */
int keep_failure(const char *folder, const char *label, struct device *device, const struct family *family, void *family_state,
		 const struct binding *binding, struct error *err);

/* The same for a case of operators, by index into test->tensors: `storage` is what outputs that own theirs held after the call,
 * with gaps (NULL: unknown, such as after a launch that was refused); it is kept as the data of the outputs themselves, bit by
 * bit. `expected` (NULL: of that output nothing is) becomes an expected tensor of its output's name, f64 or, of i64, i64; NaN
 * where a NaN or anything is right. A failure of the same case and label in a later run replaces the file. */
int keep_operator_failure(const char *folder, const char *label, const struct test_case *test,
			  const void *const storage[CASE_TENSORS_MAX],
			  const struct expectation *const expected[CASE_TENSORS_MAX], struct error *err);

#endif
