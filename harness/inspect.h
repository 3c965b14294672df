/* Everything `assay inspect` says about one artifact, gathered before any of it is printed. */
#ifndef ASSAY_HARNESS_INSPECT_H
#define ASSAY_HARNESS_INSPECT_H

#include "artifact/artifact.h"
#include "cli.h"

enum { INSPECT_GPUS_MAX = 32, INSPECT_TARGETS_MAX = 64 };

/* GPUs to answer for, as compute capability times ten. */
struct gpu_list {
	unsigned cc[INSPECT_GPUS_MAX];
	int count;
};
/* "sm_86,sm_120", also "86" and "8.6". NULL: every known one from 7.5 on. ERROR_USAGE names the wrong word. */
int gpu_list_parse(const char *text, struct gpu_list *list, struct error *err);

/* All images of one target, over all units. */
struct target_summary {
	enum fatbin_kind kind;
	unsigned arch;
	char suffix;
	unsigned version_low, version_high; /* PTX ISA, 10 * major + minor */
	int images;
	unsigned compressions;              /* bit of each enum fatbin_compression that occurs */
	size_t stored_bytes, unpacked_bytes;
	int read;                           /* images whose kernels were looked at; the rest of the figures is of those */
	int kernels;
	int registers_low, registers_high;
	unsigned shared_high;               /* largest static shared memory */
	int stack_kernels;                  /* kernels with a stack frame */
	unsigned stack_high;
	int spill_stated;                   /* kernels whose toolkit says how much they spill */
	int spill_kernels, spill_high;      /* of those: kernels that spill, and the most instructions that do so in one */
};

struct inspection {
	struct artifact artifact;
	struct artifact_entry_points points;
	struct artifact_undefined undefined;
	struct artifact_driver_needs needs;
	struct mha_abi_evidence abi;
	struct artifact_findings findings;
	struct artifact_coverage coverage[INSPECT_GPUS_MAX]; /* in the order of the gpu_list */
	struct target_summary targets[INSPECT_TARGETS_MAX];  /* SASS first, then PTX, by architecture */
	int target_count;
};

/* Opens the artifact and asks all of it. */
int inspect_open(const char *path, const struct gpu_list *gpus, struct inspection *inspection, struct error *err);
void inspect_close(struct inspection *inspection);

/* Warnings among the findings. */
int inspect_warnings(const struct inspection *inspection);

/* The three views; each appends. `inspect_kernel_list` reads the PTX of units that have no SASS. */
void inspect_summary(const struct inspection *inspection, const struct gpu_list *gpus, int colour, struct text *out);
int inspect_kernel_list(struct inspection *inspection, struct text *out, struct error *err);
json_t *inspect_json(struct inspection *inspection, const struct gpu_list *gpus); /* NULL when memory runs out */

#endif
