/* A Cargo project as doctor and install see it: what its Cargo.lock says, where Cargo builds it, for which target, and the
 * folders that build scripts have there. Cargo itself is asked where it is installed (`cargo metadata`), since configuration
 * files and environment decide; nothing is built and nothing written. */
#ifndef ASSAY_HARNESS_CARGO_PROJECT_H
#define ASSAY_HARNESS_CARGO_PROJECT_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

struct cargo_package {
	char *name, *version;
	char *source;	   /* "registry+https://...", "git+https://...?rev=R#<40 hex digits>"; NULL: a path */
	char revision[41]; /* of a git source; "" */
};

/* A folder that a build script has run in, or will: has `out`. */
struct cargo_build_folder {
	char *path;
	char *crate;
	int64_t invoked_at; /* time of invoked.timestamp, or of `out` where Cargo wrote none, in nanoseconds since 1970 */
	int has_run; /* the build script came to its end at least once: `output` is there */
};

struct cargo_project {
	char *root;	 /* folder of Cargo.lock */
	char *lock_path; /* NULL: there is no Cargo.lock */
	struct cargo_package *packages;
	int package_count;
	char *target_dir;
	char target_evidence[64];
	char *triple; /* "x86_64-unknown-linux-gnu"; NULL when nothing tells */
	char triple_evidence[96];
	int is_cross;	/* builds go to target_dir/<triple>/<profile> */
	int crt_static; /* target feature crt-static: 1 on, 0 off, -1: not stated, which is off but for musl */
	char crt_evidence[160];
	char *profile;			    /* "release" or "debug" */
	char *profile_dir;		    /* target_dir[/triple]/profile */
	struct cargo_build_folder *folders; /* of every crate; the last one used first */
	int folder_count;
};

struct cargo_project_options {
	const char *path;	/* the project, or a folder in it */
	const char *profile;	/* NULL: release */
	const char *triple;	/* NULL: as configured, or the host's */
	const char *target_dir; /* NULL: as Cargo says */
};

/* ERROR_INPUT when there is no project (no Cargo.toml in the folder or above), or its Cargo.lock cannot be read. */
int cargo_project_open(const struct cargo_project_options *options, struct cargo_project *project, struct error *err);
void cargo_project_free(struct cargo_project *project);

/* Package of that name; of several the last one in Cargo.lock, which is the newest. NULL: none. *others: how many more. */
const struct cargo_package *cargo_package_find(const struct cargo_project *project, const char *name, int *others);
/* The folder used last by the crate's build script; NULL: none yet. */
const struct cargo_build_folder *cargo_build_folder_find(const struct cargo_project *project, const char *crate, int *others);

/* The text of a Cargo.lock, into project->packages: a line at a time, as Cargo writes it. -1 when memory runs out or it is more
 * than any project has (100 000 packages). */
int cargo_lock_note(struct cargo_project *project, const char *text, size_t size);

#endif
