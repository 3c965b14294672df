/* From paths to jobs: which entry points of which artifacts can be called, and how. */
#ifndef ASSAY_HARNESS_PLAN_H
#define ASSAY_HARNESS_PLAN_H

#include "artifact/artifact.h"
#include "inventory.h"
#include "kernels/family.h"
#include "record.h"

/* An entry point of an operator family, or one that no family knows. */
struct job_entry {
	char symbol[CASE_NAME_MAX];  /* known ones have less than 64 bytes */
	const struct family *family; /* NULL: unknown */
	char module[24];             /* that the profile has it in; "" when unknown */
	int fast;                    /* compiled with fast math */
	size_t text_size;            /* of its PTX; 0 where there is none: what compiling it costs */
};

/* What is called of one artifact: one host function of an attention archive (`family` is set), or any number of entry points
 * of operator families (`entries`). */
struct job {
	char *artifact_path;
	char entry_point[64];
	const struct family *family;
	int abi;               /* index into family->profiles; of operators: enum operator_abi */
	int runtime_major;     /* of the CUDA runtime the artifact was built for; 13 when nothing tells */
	int artifact;          /* index into run_record.artifacts */
	struct job_entry *entries; /* sorted by name, or in the order of the module's text */
	size_t entry_count;
	int is_archive;        /* of operators: the entries are host functions */
	int inventory;         /* of operators: index into run_record.inventories */
	/* why it cannot be run here, or "" */
	enum status refused;   /* STATUS_UNSUPPORTED or STATUS_ERROR, when reason is not empty */
	char reason[512];
};
int job_is_operators(const struct job *job);

struct plan {
	struct job *jobs;
	size_t count;
};

struct plan_options {
	const char *abi;        /* profile name, or NULL: from the artifact */
	const char *const *paths;
	int path_count;
};

/* Opens every artifact under the paths, describes it in `run` (artifacts, inventories) and lists jobs. A module (PTX, cubin,
 * fatbin) none of whose kernels is known is a job of operators whose entries have no family; any other artifact without a known
 * entry point becomes a job that is refused with the reason; an unreadable one is an error.
 *
 * Operators: artifacts of one folder are a set. Its profile is the one that --abi names; else the one of which it has entry
 * points that no other profile has; else what a README beside it claims; else the first. */
int plan_make(struct plan *plan, const struct plan_options *options, struct run_record *run, struct error *err);
void plan_free(struct plan *plan);

/* plan_operators.c: whether the artifact is one of operators or a module with any kernel (then `job` is filled but for profile and families), 0 when it is
 * none, -1 on failure. */
int plan_operators_of(struct job *job, struct artifact *artifact, const struct symbol_table tables[OPERATOR_ABI_COUNT],
		      struct artifact_record *record, struct error *err);
/* Chooses profiles by sets and takes inventories. */
int plan_operators_sets(struct plan *plan, const char *abi, const struct symbol_table tables[OPERATOR_ABI_COUNT],
			struct run_record *run, struct error *err);

#endif
