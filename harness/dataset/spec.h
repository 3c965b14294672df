/* A spec is text (INI) that stands for many cases: each section is a product of axes.
 *
 *     [sweep]                       ; section name, becomes the attribute "group"
 *     family   = attention
 *     dtype    = f16, bf16
 *     head_dim = 64, 128
 *     seqlen   = 113/203, 1/4096
 *     pairwise = yes                ; optional: instead of the full product, a set of cases in which every pair of
 *                                   ;   values of two axes occurs together at least once (seeded, deterministic)
 *     exclude  = mask:causal+alibi:head, ...   ; optional: combinations left out
 *
 * Axis names and the meaning of values belong to the family; this layer only splits, multiplies and chooses.
 * A value list is comma separated; `a..b` and `a..b:step` stand for integers, b included when a step meets it. Values
 * are printable and hold no space, '=' or ','. A line may be continued by indenting the next; a comment starts with ';'
 * or '#' at the start of a line, or with ';' after a space. A line holds at most 197 bytes before its comment (inih).
 * An exclusion is `axis:pattern` terms joined by '+', all of which must hold; a pattern may use `*` and `?`, names an
 * axis of the section and matches at least one of its values, so that a misspelt one is found.
 * Errors name file and line. Duplicate sections, keys and values, unknown axes and families, empty lists and sections
 * without a case are errors. */
#ifndef ASSAY_DATASET_SPEC_H
#define ASSAY_DATASET_SPEC_H

#include "core/error.h"
#include "core/util.h"

#include <stddef.h>
#include <stdint.h>

enum { SPEC_AXES_MAX = 24, SPEC_VALUE_MAX = 64, SPEC_CASES_MAX = 1000000 };

struct assignment { /* one value for each axis of a section */
	const char *family;
	const char *group;
	int axis_count;
	const char *axes[SPEC_AXES_MAX];
	const char *values[SPEC_AXES_MAX];
	int line; /* of the section in the spec, for messages */
};

struct spec; /* owns every string an assignment points to */

/* `axes`: the names a family accepts (NULL-terminated), through a callback so that this layer knows no family;
 * it returns NULL for an unknown family. */
typedef const char *const *(*spec_axes_of)(const char *family, void *context);

int spec_open(struct spec **spec, const char *path, spec_axes_of axes_of, void *context, struct error *err);
/* `name` stands for the file in messages. */
int spec_parse(struct spec **spec, const char *name, const char *text, spec_axes_of axes_of, void *context,
	       struct error *err);
size_t spec_count(const struct spec *spec); /* 1 to SPEC_CASES_MAX */
/* index < spec_count; deterministic order: sections as written, axes with the last one fastest (the cases of a pairwise
 * section stand in that order too). */
struct assignment spec_at(const struct spec *spec, size_t index);
const char *assignment_value(const struct assignment *assignment, const char *axis); /* NULL when the section has not set it */
const char *spec_text(const struct spec *spec); /* as it was read */
void spec_close(struct spec *spec);

/* How many pairs of axis values the cases of a family hold. The values of an axis are those of all sections of the
 * family, and its default where a section leaves the axis out; a pair is one value of each of two axes.
 *     total = covered + excluded + apart + missing */
struct spec_pairs {
	size_t total;
	size_t covered;  /* some case holds both values */
	size_t excluded; /* not covered; in every section that has both values, exclusions leave no case with both */
	size_t apart;    /* not covered; no section has both values */
	size_t missing;  /* not covered, though some section could */
};

/* Value that the family gives an axis the section leaves out, or NULL when it has none worth counting. */
typedef const char *(*spec_default_of)(const char *family, const char *axis, void *context);

/* `selected` (may be NULL: all) has a byte for each case of the spec; those that are 0 hold nothing (cases that did not
 * run). `default_of` may be NULL: then an axis that is left out has no value. `names` (may be NULL) receives the pairs
 * that are apart or missing, one a line, the first hundred. ERROR_INPUT when no section is of the family. */
int spec_count_pairs(const struct spec *spec, const char *family, const unsigned char *selected,
		     spec_default_of default_of, void *context, struct spec_pairs *pairs, struct text *names,
		     struct error *err);

#endif
