/* From paths to jobs: which entry points of which artifacts can be called, and how. */
#ifndef ASSAY_HARNESS_PLAN_H
#define ASSAY_HARNESS_PLAN_H

#include "artifact/artifact.h"
#include "inventory.h"
#include "keep.h"
#include "kernels/family.h"
#include "record.h"

/* An entry point of an operator family, or one that no family knows. */
struct job_entry {
	/* its name; of one with RECORD_ENTRY_MAX bytes or more, which cannot be called: how it begins, '~', and 16 digits of the
	 * SHA-256 of the whole name, so that two of them are two */
	char symbol[RECORD_ENTRY_MAX];
	size_t whole_length;         /* of a name that is not whole in `symbol`; else 0 */
	const struct family *family; /* NULL: unknown */
	char module[24];             /* that the profile has it in; "" when unknown */
	int fast;                    /* compiled with fast math */
	size_t text_size;            /* of its PTX; 0 where there is none: what compiling it costs */
};

/* What is called of one artifact: one host function of an attention archive (`family` is set), or any number of entry points
 * of operator families (`entries`). */
struct job {
	char *artifact_path;
	char *donor_path;      /* archive whose host code is called instead of the artifact's own; NULL: its own */
	char entry_point[RECORD_ENTRY_MAX];
	const struct family *family;
	int abi;               /* index into family->profiles; of operators: enum operator_abi */
	int runtime_major;     /* of the CUDA runtime the artifact was built for; 13 when nothing tells */
	int artifact;          /* index into run_record.artifacts */
	/* "" where no other job can fail the same case; else what tells its kept failures apart (keep.h): the file's name up to its
	 * first dot and 8 digits of its SHA-256, of copies of one file their number among the artifacts too */
	char keep_label[KEEP_LABEL_MAX];
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
	const char *donor;      /* file or folder with the host code for artifacts that are no modules, or NULL */
	const char *const *paths;
	int path_count;
};

/* Opens every artifact under the paths, describes it in `run` (artifacts, inventories) and lists jobs. A module (PTX, cubin,
 * fatbin) none of whose kernels is known is a job of operators whose entries have no family; any other artifact without a known
 * entry point becomes a job that is refused with the reason; an unreadable one is an error.
 *
 * Operators: artifacts of one folder are a set. Its profile is the one that --abi names; else the one of which it has entry
 * points that no other profile has; else what a README beside it claims; else the first.
 *
 * With a donor the entry points, their profile and the CUDA runtime are those of its host code (plan_donor.c chooses the file);
 * kernels, and so how a build is to be judged, are the artifact's. Modules have no host code and need no donor. */
int plan_make(struct plan *plan, const struct plan_options *options, struct run_record *run, struct error *err);
void plan_free(struct plan *plan);

/* plan_donor.c: opens the archive under options->donor whose host code can stand in for the artifact's: the only one there is, or
 * the first that has an entry point which the artifact has too, or that some family knows. 1: *host is open; 0: there is none,
 * job->reason says why; -1 with *err: nothing there can be read. */
int plan_donor_open(const char *path, const struct artifact *artifact, struct artifact *host, struct job *job, struct error *err);
/* Whether device code of this artifact can run under another one's host code at all: it is no module, and holds some. */
int plan_wants_donor(const struct artifact *artifact);
/* What run_mha takes is told by the kernels. Where both sides tell, and not the same, the job is refused. */
void plan_donor_check_release(struct job *job, struct artifact *artifact, struct artifact *host);

/* plan_operators.c: whether the artifact (host functions: of `host`, which may be the same) is one of operators or a module with
 * any kernel (then `job` is filled but for profile and families), 0 when it is
 * none, -1 on failure. */
int plan_operators_of(struct job *job, struct artifact *artifact, const struct artifact *host,
		      const struct symbol_table tables[OPERATOR_ABI_COUNT], struct artifact_record *record, struct error *err);
/* Chooses profiles by sets and takes inventories. */
int plan_operators_sets(struct plan *plan, const char *abi, const struct symbol_table tables[OPERATOR_ABI_COUNT],
			struct run_record *run, struct error *err);

#endif
