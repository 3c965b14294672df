/* Where cases come from: a stored dataset (.h5) or a spec (text), seen alike. */
#ifndef ASSAY_HARNESS_SOURCE_H
#define ASSAY_HARNESS_SOURCE_H

#include "core/util.h"
#include "dataset/case.h"
#include "kernels/family.h"

struct case_source;

/* A file that starts with the HDF5 signature is a dataset, everything else is read as a spec. `seed` is mixed into every
 * case of a spec; datasets carry theirs. Cases of a spec that come out under the same name are kept once. */
int case_source_open(struct case_source **source, const char *path, uint64_t seed, struct error *err);
size_t case_source_count(const struct case_source *source);
const char *case_source_name(const struct case_source *source, size_t index);
int case_source_is_stored(const struct case_source *source);
/* The case with its inputs filled (with_data) or described only, checked by its family. The caller frees it. */
int case_source_load(const struct case_source *source, size_t index, int with_data, struct test_case *test,
		     const struct family **family, struct error *err);
void case_source_close(struct case_source *source);

/* Axis names by family, for spec_open. */
const char *const *source_axes_of(const char *family, void *context);

/* One --filter expression: a case's whole name, a glob over the name, or a part of the name; "-EXPR" takes cases away.
 * With several, a case is selected when any positive one matches (or there is none) and no negative one does. */
int filter_matches(const char *const *filters, int filter_count, const char *name);

#endif
