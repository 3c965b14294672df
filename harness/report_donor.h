/* What reports say where an artifact's kernels ran under another archive's host code. */
#ifndef ASSAY_HARNESS_REPORT_DONOR_H
#define ASSAY_HARNESS_REPORT_DONOR_H

#include "record.h"
#include "report_page.h"

#include <jansson.h>

/* artifact_record.donor, read: zeros and NULLs where there is no donor. */
struct donor_facts {
	char *path, *sha256;                  /* of the archive whose host code ran; owned */
	uint64_t kernels, matched, named;     /* of the donor: all, those with a counterpart, of these those of the same name */
	uint64_t unused;                      /* kernels of the artifact without a counterpart */
	struct text library, missing;         /* a name (and for missing ": why") a line; owned */
	size_t library_count, missing_count;
};
/* The text may be anyone's. -1: memory ran out. */
int donor_facts_read(const char *text, struct donor_facts *facts);
void donor_facts_free(struct donor_facts *facts);

/* "PATH (sha256 HASH)" of the donor; nothing without one, or without an artifact. */
void report_donor_words(const struct artifact_record *artifact, struct text *out);
/* Facts for the page; nothing without a donor. */
void report_donor(struct page *page, const struct artifact_record *artifact);
/* The same as a JSON object, null without a donor; NULL when memory runs out. */
json_t *report_donor_json(const struct artifact_record *artifact);

#endif
