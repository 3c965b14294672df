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
	int fast_math;           /* 1: built with --use_fast_math; 0: built without; -1: not stated */
};

/* Reads the folder's files. *found says whether it is a build-output folder: has `root-output`, or an `output` with a
 * line that starts with "cargo:". ERROR_INPUT when a file cannot be read or is larger than 64 MiB. */
int provenance_read(const char *folder, struct provenance *provenance, int *found, struct error *err);
void provenance_free(struct provenance *provenance);

/* The parts of it, for bytes that are already in memory: -1 when memory runs out. */
int provenance_note_output(struct provenance *provenance, const char *text, size_t size);
int provenance_note_root_output(struct provenance *provenance, const char *text, size_t size);
int provenance_note_folder_name(struct provenance *provenance, const char *name);

const char *host_os_name(enum host_os host); /* "Linux", "macOS", "Windows", "unknown" */

#endif
