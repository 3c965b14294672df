/* Unix archives: GNU (System V), BSD, MSVC and thin ones. The member header is that of <ar.h>; long names and indexes
 * differ between the flavours. Names are not unique in an archive: a member is known by its ordinal. */
#ifndef ASSAY_ARTIFACT_AR_H
#define ASSAY_ARTIFACT_AR_H

#include "artifact/object_kind.h"
#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum ar_flavour { AR_PLAIN = 0, AR_GNU, AR_BSD, AR_MSVC }; /* AR_PLAIN: nothing in it tells */

struct ar_member {
	char *name;                /* owned by the archive */
	size_t offset;             /* of the data from the start of the archive */
	size_t header_offset;
	const unsigned char *data; /* NULL in a thin archive: `name` is a file, relative to the archive's folder */
	size_t size;
	enum object_kind kind;     /* OBJECT_UNKNOWN when data is NULL */
	unsigned machine;
};

struct ar {
	enum ar_flavour flavour;
	int thin;
	struct ar_member *members; /* without the special ones (index, table of long names) */
	int count;
	int has_index;             /* "ranlib" was run; a linker needs it */
	uint64_t index_symbols;    /* number of symbols the index claims */
};

/* ERROR_INPUT when the bytes are no archive, a member runs past the end or a name cannot be resolved. An archive of
 * no members is well formed. */
int ar_parse(const void *bytes, size_t size, struct ar *ar, struct error *err);
void ar_free(struct ar *ar);
const char *ar_flavour_name(const struct ar *ar); /* "GNU ar", "BSD ar", "MSVC lib", "thin GNU ar", "ar" */

#endif
