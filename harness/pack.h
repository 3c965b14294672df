/* assay.json and the README table of a folder that is about to be published: docs/assay-manifest.schema.json. */
#ifndef ASSAY_HARNESS_PACK_H
#define ASSAY_HARNESS_PACK_H

#include "doctor.h"
#include "record.h"

/* What the policy said of all artifacts. */
struct pack_policy {
	int is_set, failures;
	json_t *failed; /* array of {file, rule, asked, evidence}; owned */
};

struct pack_options {
	const char *release; /* Candle release that the files are of; NULL: what a README claims */
	const struct pack_policy *policy;
	const struct run_record *run; /* NULL: nothing was run */
	const json_t *earlier;	      /* an assay.json from before; NULL: none */
};

/* Makes the manifest: the folders as they are, and the runs: that of `run`, and those of `earlier` on other architectures as
 * far as they are of files that are still the same. What is not kept is told in `out`. */
int pack_manifest(const struct doctor *doctor, const struct pack_options *options, json_t **manifest, struct text *out,
		  struct error *err);

/* Whether a verdict in the manifest, or its policy, is bad. */
int pack_is_bad(const json_t *manifest);

/* The table of the manifest, in Markdown. */
void pack_table(const json_t *manifest, struct text *out);

/* `text` with the table between the lines PACK_BEGIN and PACK_END, which are appended where they are missing; nothing else of it
 * changes. ERROR_INPUT when only one of the two lines is there, or one twice. */
#define PACK_BEGIN "<!-- assay: begin -->"
#define PACK_END "<!-- assay: end -->"
int pack_insert(const char *name, const char *text, size_t size, const struct text *table, struct text *out, struct error *err);

#endif
