/* Everything `assay inspect` says about one artifact, gathered before any of it is printed. */
#ifndef ASSAY_HARNESS_INSPECT_H
#define ASSAY_HARNESS_INSPECT_H

#include "artifact/artifact.h"
#include "cli.h"

#include <stdint.h>

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

/* What the views of kernels and the like are told. */
struct inspect_selection {
	const char *const *filters; /* as filter_matches takes them (source.h); each is tried on every name of a thing */
	int filter_count;
	const char *sort;           /* "size", "registers", "shared", "stack", "spills" or "name"; NULL: size */
	int64_t top;                /* rows shown at most; 0: the view's own number */
};

/* One kernel of one image, SASS or (of containers that hold no SASS) PTX. */
struct kernel_row {
	int unit;
	const struct artifact_image *image;
	const struct cubin_kernel *sass; /* one of the two is set */
	const struct ptx_entry *ptx;
	const char *name;                /* mangled */
};
struct kernel_rows {
	struct kernel_row *items;
	size_t count;
};
/* The kernels that the filters select, in the order of the file. Reads the PTX of containers without SASS. */
int inspect_kernel_rows(struct inspection *inspection, const struct inspect_selection *selection, struct kernel_rows *rows,
			struct error *err);
void inspect_kernel_rows_free(struct kernel_rows *rows);
/* Whether the filters select a thing that is known by these names (NULL-terminated). */
int inspect_selects(const struct inspect_selection *selection, const char *const *names);

/* The views; each appends. */
void inspect_summary(const struct inspection *inspection, const struct gpu_list *gpus, int colour, struct text *out);
int inspect_kernels(struct inspection *inspection, const struct inspect_selection *selection, struct text *out, struct error *err);
int inspect_kernel_list(struct inspection *inspection, const struct inspect_selection *selection, struct text *out, struct error *err);
int inspect_images(struct inspection *inspection, const struct inspect_selection *selection, struct text *out, struct error *err);
int inspect_members(struct inspection *inspection, const struct inspect_selection *selection, struct text *out, struct error *err);
int inspect_symbols(struct inspection *inspection, const struct inspect_selection *selection, struct text *out, struct error *err);
int inspect_sizes(struct inspection *inspection, const struct inspect_selection *selection, struct text *out, struct error *err);
/* docs/inspect-json.schema.json describes it. Reads all PTX. */
int inspect_json(struct inspection *inspection, const struct gpu_list *gpus, json_t **json, struct error *err);

/* Files that are written under one folder, all of them or none: they come to be in a new folder beside it, which takes its
 * name at the end. */
struct extraction;
/* ERROR_INPUT when `folder` is there and not empty, or cannot be made. */
int extraction_open(struct extraction **extraction, const char *folder, struct error *err);
/* Writes members, containers and images, under names that are made up from ordinals and what is harmless in the artifact's own
 * names (inspect_extract.c says how). An image that cannot be decompressed is written as it is stored. */
int inspect_extract(struct inspection *inspection, const struct inspect_selection *selection, struct extraction *extraction,
		    struct error *err);
/* Gives the folder its name; *files: how many there are. The extraction is freed whatever happens. */
int extraction_commit(struct extraction *extraction, size_t *files, struct error *err);
void extraction_abandon(struct extraction *extraction); /* removes what was written; NULL is fine */

#endif
