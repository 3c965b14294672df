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
	uint64_t within;           /* thin archive: `name` is itself an archive, with the member's header there; 0: it is not */
	int64_t mtime;             /* seconds since 1970; 0: blank, or written by a deterministic ar; -1: lib.exe /Brepro */
};

/* Which symbol is in which member, as a linker looks it up. */
enum ar_index_form { AR_INDEX_NONE = 0, AR_INDEX_GNU, AR_INDEX_GNU_64, AR_INDEX_BSD, AR_INDEX_BSD_64 };
struct ar_index {
	enum ar_index_form form;
	const unsigned char *data;
	size_t size;
};

struct ar {
	enum ar_flavour flavour;
	int thin;
	struct ar_member *members; /* without the special ones (index, table of long names) */
	int count;
	int has_index;             /* "ranlib" was run; a linker needs it */
	uint64_t index_symbols;    /* number of symbols the index claims */
	struct ar_index index;     /* the first one; NONE when there is none or it is too short for its own count */
	int has_second_index;      /* lib.exe's, sorted by name */
	int has_arm64ec_symbols;   /* "/<ECSYMBOLS>/" */
};

/* ERROR_INPUT when the bytes are no archive, a member runs past the end or a name cannot be resolved. An archive of
 * no members is well formed. */
int ar_parse(const void *bytes, size_t size, struct ar *ar, struct error *err);
void ar_free(struct ar *ar);

/* Data of the member whose header is at `offset` of an archive, as `within` names one. ERROR_INPUT when there is none. */
int ar_member_at(const void *bytes, size_t size, uint64_t offset, const unsigned char **data, size_t *length, struct error *err);

/* Steps through the index; starts from {0}. 1: a symbol and the offset of the header of the member that has it; 0: the end;
 * -1: the index is damaged. The name points into the archive. */
struct ar_index_cursor {
	uint64_t next, name_at;
};
int ar_index_next(const struct ar *ar, struct ar_index_cursor *cursor, const char **name, uint64_t *header_offset);
const char *ar_flavour_name(const struct ar *ar); /* "GNU ar", "BSD ar", "MSVC lib", "thin GNU ar", "ar" */

#endif
