/* What a publisher of prebuilt kernels gives away: a folder that Cargo left of a build script's run (`<crate>-<16 hex digits>`
 * with `out/` and, beside it, `output`, `root-output`, `stderr`, `invoked.timestamp`), its `out` alone, or a folder of several
 * such, with a README and perhaps an assay.json (manifest.h). Nothing is run and nothing is hashed here. */
#ifndef ASSAY_HARNESS_PREBUILT_H
#define ASSAY_HARNESS_PREBUILT_H

#include "artifact/artifact.h"
#include "artifact/provenance.h"

#include <stdint.h>

struct prebuilt_file {
	char *path; /* below `out`, with '/' */
	uint64_t size;
};

struct prebuilt_folder {
	char *path;  /* the build-output folder */
	char *out;   /* where the build script's files are: path/out, or path itself where there is no out */
	char *crate; /* "candle-flash-attn"; NULL when nothing tells */
	char crate_evidence[96];
	struct provenance provenance;
	int is_build_output;	     /* has any of Cargo's own files */
	struct readme_claims claims; /* of a README in the folder, or one or two levels above */
	int has_claims;
	struct prebuilt_file *files; /* all of `out`, sorted by path, those whose name starts with a dot too */
	size_t file_count;
	uint64_t bytes;
	struct artifact_list artifacts; /* those among them that can be artifacts by name */
	double build_seconds;		/* what the run of the build script took; 0: its time stamps do not tell */
};

struct prebuilt {
	char *path; /* as given, without an `out` at its end */
	struct prebuilt_folder *folders;
	int count;
};

/* ERROR_INPUT when the path is no folder, holds nothing of the kind, or a link or special file lies in an `out` (what is copied
 * into a project has to be files), or more than 100 000 files. */
int prebuilt_open(const char *path, struct prebuilt *prebuilt, struct error *err);
void prebuilt_free(struct prebuilt *prebuilt);

/* Whether `name`, a path below `out`, is one of its files. */
int prebuilt_has_file(const struct prebuilt_folder *folder, const char *name);

/* Files of a folder tree, sorted; for whoever has to look at one again. Directories are not listed. */
int prebuilt_list_files(const char *folder, struct prebuilt_file **files, size_t *count, struct error *err);
void prebuilt_files_free(struct prebuilt_file *files, size_t count);

/* SHA-256 of a file as 64 hex digits. */
int file_sha256(const char *path, char hex[65], struct error *err);

#endif
