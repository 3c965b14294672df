/* Whether a folder of prebuilt kernels fits a project and a machine: what it claims, what its files are, what is there, and one
 * verdict a requirement. Needs no GPU and changes nothing. */
#ifndef ASSAY_HARNESS_DOCTOR_H
#define ASSAY_HARNESS_DOCTOR_H

#include "artifact/artifact.h"
#include "cargo_project.h"
#include "machine.h"
#include "manifest.h"
#include "prebuilt.h"

#include <jansson.h>

enum fit { FIT_UNKNOWN = 0, FIT_YES, FIT_NO };
const char *fit_name(enum fit fit); /* "not known", "fits", "does not fit" */

struct requirement {
	int folder;	  /* index into prebuilt.folders */
	const char *name; /* "release", "cuda" ...: doctor_requirements has all */
	enum fit fit;
	char *evidence; /* a sentence: what is asked for, what there is, and where that was seen */
	char *remedy;	/* what to do about it; NULL where nothing has to be */
};

/* Of one artifact, as far as requirements need it: the artifact itself is closed again. */
struct doctor_artifact {
	int folder;
	char *path;
	char *problem; /* why it cannot be read; NULL */
	char sha256[65];
	uint64_t size;
	const char *kind;    /* "archive", "PTX module" ...: object_kind_name */
	enum host_os host;   /* of its host code; HOST_UNKNOWN: has none */
	const char *machine; /* "x86-64"; NULL: no host code */
	char *targets;	     /* "SASS sm_90, PTX compute_90 (9.0)"; "" none */
	unsigned toolkit_min, toolkit_max, runtime_major;
	int toolkit_at_least; /* the toolkit by the ISA of PTX alone: any later one may have made it */
	const char *to_load, *to_compile, *windows_to_load, *windows_to_compile; /* drivers; NULL: nothing tells */
	enum msvc_runtime crt, other_crt;
	char crt_evidence[96];
	char *not_linkable; /* why its host code cannot become part of a program; NULL */
	struct mha_abi_evidence abi;
	char **runtime_symbols; /* of the CUDA runtime, that it wants */
	int runtime_symbol_count;
	struct artifact_coverage coverage[MACHINE_GPUS_MAX]; /* by GPU of the machine */
	char *claims;					     /* claims of the folder that it does not keep, a line each; NULL */
	int claims_kept;				     /* claims that it keeps */
};

struct doctor {
	struct prebuilt prebuilt;
	struct manifest manifest;
	int has_manifest;
	struct cargo_project project;
	int has_project;
	const char *triple; /* of doctor_options */
	struct machine machine;
	struct doctor_artifact *artifacts;
	int artifact_count;
	struct requirement *requirements; /* by folder, then in the order of doctor_requirements */
	int requirement_count;
};

struct doctor_options {
	const char *prebuilt;
	const struct cargo_project_options *project; /* NULL: none is asked about */
	const char *triple;			     /* target to answer for where there is no project; NULL: this machine's */
	struct machine_options machine;
	int without_manifest; /* do not look for an assay.json */
};

/* All requirements by name, with what each asks: {"release", "the Candle release ..."}, ended by NULLs. */
struct doctor_requirement_kind {
	const char *name, *asks;
};
extern const struct doctor_requirement_kind doctor_requirements[];

/* Looks at all of it. A file that cannot be read is a requirement that does not fit; an error only where there is nothing to look
 * at, or a project that is none. */
int doctor_examine(const struct doctor_options *options, struct doctor *doctor, struct error *err);
void doctor_free(struct doctor *doctor);
/* The worst of a folder's requirements, or of all (folder -1): does not fit before not known before fits. */
enum fit doctor_verdict(const struct doctor *doctor, int folder);

void doctor_text(const struct doctor *doctor, int colour, struct text *out);
json_t *doctor_json(const struct doctor *doctor); /* docs/doctor-json.schema.json; NULL when memory runs out */

/* The parts, for doctor_examine: facts of the artifacts, and the requirements from them. */
int doctor_gather(struct doctor *doctor, struct error *err);
int doctor_judge(struct doctor *doctor, struct error *err);

#endif
