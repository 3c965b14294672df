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
 * A value list is comma separated; `a..b:step` stands for integers. A line may be continued by indenting the next.
 * Errors name file and line. */
#ifndef ASSAY_DATASET_SPEC_H
#define ASSAY_DATASET_SPEC_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum { SPEC_AXES_MAX = 24, SPEC_VALUE_MAX = 64 };

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
int spec_parse(struct spec **spec, const char *name, const char *text, spec_axes_of axes_of, void *context,
	       struct error *err);
size_t spec_count(const struct spec *spec);
/* index < spec_count; deterministic order: sections as written, axes with the last one fastest. */
struct assignment spec_at(const struct spec *spec, size_t index);
const char *assignment_value(const struct assignment *assignment, const char *axis); /* NULL when the section has not set it */
void spec_close(struct spec *spec);

#endif
