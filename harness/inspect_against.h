/* `assay inspect --against BASE NEW`: what is different, in words and as JSON. */
#ifndef ASSAY_HARNESS_INSPECT_AGAINST_H
#define ASSAY_HARNESS_INSPECT_AGAINST_H

#include "artifact/difference.h"
#include "cli.h"
#include "inspect_policy.h"

struct against_options {
	const char *base, *next;           /* files, or folders whose artifacts are matched by name */
	int all;                           /* every kernel that is not the same, instead of the worst */
	int colour;
	const struct inspect_policies *policies;
};

/* What came of it. */
struct against_result {
	int compared, differing;           /* pairs of artifacts */
	int alone;                         /* artifacts that only one side has */
	int failures;                      /* rules of policies that fail */
};

/* Appends to `out`, and to the array `json`; rules about which files there are go to the object `root` (both may be NULL). Artifacts of two folders are matched by their paths from there, the
 * hash of Cargo's folder names aside; two files are compared whatever they are called. ERROR_INPUT when one side cannot be
 * read, or when nothing matches. */
int inspect_against(const struct against_options *options, struct text *out, json_t *json, json_t *root,
		    struct against_result *result, struct error *err);

/* The two views of one difference. */
void against_text(const struct difference *difference, int all, int colour, struct text *out);
json_t *against_json(const struct difference *difference); /* NULL when memory runs out */

#endif
