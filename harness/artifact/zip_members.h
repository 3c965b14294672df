/* Zip archives, Python wheels among them: the members that can be artifacts by their name, in memory. libzip unpacks; what is
 * stored without compression is used where it lies. What a lying header or a bomb asks for is not given: sizes are capped,
 * memory follows what the data really hold, and members may not share their bytes. */
#ifndef ASSAY_ARTIFACT_ZIP_MEMBERS_H
#define ASSAY_ARTIFACT_ZIP_MEMBERS_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

#define ZIP_MEMBER_LIMIT ((uint64_t)2 << 30) /* bytes of one member once unpacked */
#define ZIP_TOTAL_LIMIT ((uint64_t)4 << 30)  /* of all of them */

/* A member larger than this that unpacks to more than so many times its size is taken for a bomb: SASS, the best compressible
 * thing in a wheel, shrinks to a tenth. */
#define ZIP_BOMB_SIZE ((uint64_t)64 << 20)
#define ZIP_BOMB_RATIO 200

struct zip_member {
	char *name;                /* with its folders */
	const unsigned char *data; /* in the archive's own bytes, or in `owned` */
	size_t size;
	size_t offset;             /* of the data in the archive; 0: not there in this form */
	void *owned;
	char *problem;             /* why it could not be had, with the remedy; then data is NULL. NULL: nothing wrong */
};

/* What a wheel says about itself: its file name (PEP 427) and the files WHEEL and METADATA of its .dist-info folder. */
struct wheel {
	char *distribution, *version, *build;      /* build may be NULL */
	char *python_tag, *abi_tag, *platform_tag; /* "cp312", "cp312", "manylinux_2_28_x86_64" */
	char *generator;           /* "setuptools (75.1.0)"; NULL */
	char *metadata_name, *metadata_version; /* of METADATA; NULL */
	char **tags;               /* of WHEEL: "cp312-cp312-linux_x86_64" */
	int tag_count;
	char **requires;           /* requirements on NVIDIA's packages: "nvidia-cuda-runtime-cu12==12.4.127" */
	int require_count;
};

struct zip_archive {
	struct zip_member *members; /* in the order of the archive */
	int count;
	int others;                 /* members that are no artifacts by name */
	struct wheel *wheel;        /* NULL: not called *.whl */
};

/* `name` is that of the file, for a wheel. The bytes have to stay. ERROR_INPUT when this is no zip archive or its directory is
 * damaged. */
int zip_archive_open(const void *bytes, size_t size, const char *name, struct zip_archive *zip, struct error *err);
void zip_archive_close(struct zip_archive *zip);

#endif
