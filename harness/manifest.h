/* assay.json: what the publisher's `assay pack` found, beside what is published. docs/assay-manifest.schema.json describes it.
 * The file may be anyone's: nothing in it is opened or run, only compared with what is there. */
#ifndef ASSAY_HARNESS_MANIFEST_H
#define ASSAY_HARNESS_MANIFEST_H

#include "prebuilt.h"

#include <jansson.h>

#define MANIFEST_NAME "assay.json"

struct manifest {
	char *path;
	char *base; /* folder that its paths start from */
	json_t *json;
};

/* Looks for one in the folder and in the one above. *found 0: there is none. ERROR_INPUT when it is no such file. */
int manifest_find(const char *folder, struct manifest *manifest, int *found, struct error *err);
void manifest_free(struct manifest *manifest);

/* Its entry for a folder of artifacts, NULL: it has none. */
const json_t *manifest_folder(const struct manifest *manifest, const struct prebuilt_folder *folder);

/* What became of the files since: appended to `problems`, a line each ("out/libmoe.a: missing"), at most 8 and then a count. The
 * number of problems is returned; -1 with *err when a file cannot be read. *checked: files that were compared. */
int manifest_check_files(const json_t *entry, const struct prebuilt_folder *folder, struct text *problems, size_t *checked,
			 struct error *err);

/* The last run on an architecture ("sm_90") that concerns an artifact of this content; NULL: none. */
const json_t *manifest_run(const struct manifest *manifest, const char *architecture, const char *sha256, const char **verdict);

/* Text and whole numbers in it, with what stands for a missing or wrong one. */
const char *manifest_text(const json_t *object, const char *key, const char *otherwise);

#endif
