/* Inputs, outputs and reference of a case that failed, as a dataset file that can be looked at and run again. */
#ifndef ASSAY_HARNESS_KEEP_H
#define ASSAY_HARNESS_KEEP_H

#include "kernels/family.h"

/* Writes FOLDER/<case name with '/' as '_'>.h5: the case with its inputs, for every output T an expected tensor T (float64
 * reference) and an expected tensor actual.T (what the kernel wrote, widened to float64, which is exact). */
int keep_failure(const char *folder, struct device *device, const struct family *family, void *family_state,
		 const struct binding *binding, struct error *err);

#endif
