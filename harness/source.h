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
/* Name of the case's family, and the entry point that the case is for ("" where its family has one for all). Of a stored case
 * they are told by its name (FAMILY/... or ENTRY/...) where that starts with one of the two, so that listing reads no group. */
const char *case_source_family(const struct case_source *source, size_t index);
const char *case_source_entry(const struct case_source *source, size_t index);

/* For processes that are told which cases to load: names are not made, which takes most of the time that opening a long spec
 * takes. Only case_source_load_place and case_source_close may be called then. A place is what case_source_place says of a case
 * in a source that was opened from the same file. */
int case_source_open_places(struct case_source **source, const char *path, uint64_t seed, struct error *err);
size_t case_source_place(const struct case_source *source, size_t index);
int case_source_load_place(const struct case_source *source, size_t place, int with_data, struct test_case *test,
			   const struct family **family, struct error *err);
/* The case with its inputs filled (with_data) or described only, checked by its family. The caller frees it. */
int case_source_load(const struct case_source *source, size_t index, int with_data, struct test_case *test,
		     const struct family **family, struct error *err);
void case_source_close(struct case_source *source);

/* Axis names by family, for spec_open. */
const char *const *source_axes_of(const char *family, void *context);

/* One --filter expression: a case's whole name, a glob over the name, or a part of the name; "-EXPR" takes cases away.
 * With several, a case is selected when any positive one matches (or there is none) and no negative one does. */
int filter_matches(const char *const *filters, int filter_count, const char *name);
/* The same for cases of several sources, but that an expression which is the whole name of a case of one of them selects that
 * case alone, and not those whose names it begins: what a report prints repeats one case. `exact` (filter_count bytes) says
 * which expressions are such: filter_note_exact sets them, source by source. */
void filter_note_exact(const char *const *filters, int filter_count, const struct case_source *source, unsigned char *exact);
int filter_selects(const char *const *filters, int filter_count, const unsigned char *exact, const char *name);

#endif
