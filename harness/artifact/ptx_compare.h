/* PTX as it compares: each entry's text without what does not belong to it. difference.h says what that is. */
#ifndef ASSAY_ARTIFACT_PTX_COMPARE_H
#define ASSAY_ARTIFACT_PTX_COMPARE_H

#include "core/error.h"

#include <stddef.h>

struct ptx_digest {
	char *name;      /* of the entry; owned */
	char digest[65]; /* SHA-256 of its canonical text */
};

struct ptx_digests {
	struct ptx_digest *entries; /* sorted by name; owned */
	int count;
	char rest[65];              /* of what lies outside of entries: functions, constants, shared memory */
};

int ptx_digests_make(const char *text, size_t size, struct ptx_digests *digests, struct error *err);
const char *ptx_digest_of(const struct ptx_digests *digests, const char *name); /* NULL when it has no such entry */
void ptx_digests_free(struct ptx_digests *digests);

#endif
