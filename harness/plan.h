/* From paths to jobs: which entry points of which artifacts can be called, and how. */
#ifndef ASSAY_HARNESS_PLAN_H
#define ASSAY_HARNESS_PLAN_H

#include "artifact/artifact.h"
#include "kernels/family.h"
#include "record.h"

struct job {
	char *artifact_path;
	char entry_point[64];
	const struct family *family;
	int abi;               /* index into family->profiles */
	int runtime_major;     /* of the CUDA runtime the artifact was built for; 13 when nothing tells */
	int artifact;          /* index into run_record.artifacts */
	/* why it cannot be run here, or "" */
	enum status refused;   /* STATUS_UNSUPPORTED or STATUS_ERROR, when reason is not empty */
	char reason[512];
};

struct plan {
	struct job *jobs;
	size_t count;
};

struct plan_options {
	const char *abi;        /* profile name, or NULL: from the artifact */
	const char *const *paths;
	int path_count;
};

/* Opens every artifact under the paths, describes it in `run` (artifacts) and lists jobs. An artifact without a known entry
 * point becomes a job that is refused with the reason; an unreadable one is an error. */
int plan_make(struct plan *plan, const struct plan_options *options, struct run_record *run, struct error *err);
void plan_free(struct plan *plan);

#endif
