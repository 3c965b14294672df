/* What a Cargo build-output folder says about how its artifacts were made.
 *
 * Cargo keeps, for each run of a build script, a folder `<crate>-<16 hex digits>` with `output` (what the script
 * printed), `stderr`, `root-output` (the path that `out/` had where it was built) and `out/`. Build scripts for CUDA
 * (crates bindgen_cuda and cudaforge) print environment settings and, some of them, their whole configuration; nvcc
 * --verbose adds its own commands. All of it is text meant for people: what is not found is left unset. */
#ifndef ASSAY_ARTIFACT_PROVENANCE_H
#define ASSAY_ARTIFACT_PROVENANCE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum host_os { HOST_UNKNOWN = 0, HOST_LINUX, HOST_MACOS, HOST_WINDOWS };

struct provenance {
	char *folder;            /* the build-output folder, as reached from here */
	char *crate;             /* "candle-flash-attn"; NULL when the folder's name does not tell */
	char *crate_hash;        /* 16 hex digits */
	char *root_output;       /* path of `out` on the machine that built it */
	enum host_os host;
	char *cuda_root;         /* "/usr/local/cuda-12.4" */
	unsigned cuda_version;   /* 10 * major + minor: 124; 0: not stated */
	char cuda_evidence[96];  /* what says so */
	unsigned compute_cap;    /* 90; 0: not stated */
	char compute_cap_suffix; /* 'a', 'f' or 0 */
	char **flags;            /* extra arguments of nvcc, in order, each once */
	int flag_count;
	int has_invoked_timestamp; /* Cargo's invoked.timestamp is there */
	int64_t invoked_at;      /* when the build script was started: that file's time, seconds since 1970; 0 without it */
	int fast_math;           /* 1: built with --use_fast_math; 0: built without; -1: not stated */
};

/* Reads the folder's files. *found says whether it is a build-output folder: has `root-output`, or `invoked.timestamp`, or an
 * `output` with a line that starts with "cargo:". ERROR_INPUT when a file cannot be read or is larger than 64 MiB. */
int provenance_read(const char *folder, struct provenance *provenance, int *found, struct error *err);
void provenance_free(struct provenance *provenance);

/* The parts of it, for bytes that are already in memory: -1 when memory runs out. */
int provenance_note_output(struct provenance *provenance, const char *text, size_t size);
int provenance_note_root_output(struct provenance *provenance, const char *text, size_t size);
int provenance_note_folder_name(struct provenance *provenance, const char *name);

/* What a README says its artifacts are, in words such as "Candle 0.9.2-alpha.2, CUDA 12.6, Windows SDK 10.0.19041". Only what
 * is stated without doubt is taken: a statement made twice in different ways (two CUDA versions) is counted and not taken. */
struct readme_claims {
	char *path;              /* of the file */
	char *candle_release;    /* "0.9.2-alpha.2"; NULL */
	unsigned cuda_version;   /* 10 * major + minor: 126; 0: not stated, or more than one */
	unsigned cuda_versions;  /* different ones that are stated */
	enum host_os host;       /* HOST_UNKNOWN: not stated, or more than one */
	char *windows_sdk;       /* "10.0.19041"; NULL */
	const char *machine;     /* "x86-64", "AArch64", as object_machine_name has them; NULL: not stated, or both */
	unsigned compute_caps[16]; /* 86, 90 ...: "sm_86", "compute capability 9.0"; in the order of the file, each once */
	int compute_cap_count;
};

/* Reads README, README.md, README.txt or README.rst (case aside) of the folder or, with `above` 1 or 2, of the one that many
 * levels above it. *found says whether there is one that claims something. A file that cannot be read, or is larger than
 * 1 MiB, claims nothing. */
int readme_claims_read(const char *folder, int above, struct readme_claims *claims, int *found, struct error *err);
/* The same for text in memory; -1 when memory runs out. */
int readme_claims_note(struct readme_claims *claims, const char *text, size_t size);
void readme_claims_free(struct readme_claims *claims);

const char *host_os_name(enum host_os host); /* "Linux", "macOS", "Windows", "unknown" */

#endif
