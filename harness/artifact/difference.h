/* What differs between two artifacts: an earlier build (base) and a later one (next).
 *
 * Kernels are paired by target and name: first those whose mangled names are the same, in the order of their units where a
 * name occurs several times; then those whose folded names are (fold_name.h), so that a Windows and a Linux build of one
 * source pair up. SASS is compared by its bytes, nothing normalised. PTX is compared entry by entry as text without
 * comments, line information (.loc, .file, .section of DWARF), and white space; the ordinal that nvcc puts into labels and
 * local depots ($L__BB3_1, __local_depot3) and the entry's own name are left out, since they follow from what else is in
 * the module. Other
 * mangled names in it are folded as those of kernels are. */
#ifndef ASSAY_ARTIFACT_DIFFERENCE_H
#define ASSAY_ARTIFACT_DIFFERENCE_H

#include "artifact/artifact.h"
#include "core/error.h"

#include <stddef.h>

/* Names that only one of the two has; both sorted. */
struct difference_names {
	char **added, **removed; /* owned */
	int added_count, removed_count, common;
};

enum kernel_state { KERNEL_COMMON = 0, KERNEL_ADDED, KERNEL_REMOVED };
enum code_state { CODE_NOT_COMPARED = 0, CODE_IDENTICAL, CODE_DIFFERS };

enum kernel_field {
	FIELD_REGISTERS = 0, FIELD_SPILLS, FIELD_STACK, FIELD_SHARED, FIELD_LOCAL, FIELD_BARRIERS, FIELD_PARAMETERS,
	FIELD_MAX_THREADS, FIELD_REQUIRED_THREADS, FIELD_CLUSTER, FIELD_MAX_REGISTERS, FIELD_MIN_BLOCKS, FIELD_CODE,
	FIELD_COUNT
};
const char *kernel_field_name(enum kernel_field field); /* "registers", "spill instructions" ...; also keys in JSON, with _ */

/* Only where both sides state it and it is not the same. */
struct kernel_change {
	enum kernel_field field;
	long long before, after;   /* parameters: bytes; threads and clusters: the product of the three */
	char before_text[48], after_text[48]; /* "128x1x1"; parameters: "440 bytes in 1", with the first offset that differs */
};

struct difference_kernel {
	enum kernel_state state;
	char target[24];           /* "sm_90", "compute_90" */
	const char *name;          /* mangled, in next (of a removed one: in base); points into the artifacts */
	const char *base_name;     /* of a pair whose names are not the same; else NULL */
	const char *unit, *base_unit; /* NULL where it is not in that artifact */
	enum code_state code;
	size_t first_instruction;  /* CODE_DIFFERS, SASS: index of the first instruction that differs */
	struct kernel_change *changes; /* owned */
	int change_count;
};

/* All images of one target. */
struct difference_target {
	char name[24];
	int base_images, next_images;
	size_t base_stored, next_stored;   /* bytes in the files */
	size_t base_code, next_code;       /* machine code of its kernels */
	int base_kernels, next_kernels;
	int added, removed, common;        /* kernels */
	int identical, differing, not_compared; /* of the common ones */
	int changed;                       /* common ones with another figure than their code's size */
};

struct difference_fact {
	const char *what;                  /* "CUDA release", "file size" ... */
	char *before, *after;              /* owned; "none" where there is nothing */
	int same;
};

struct difference {
	struct artifact *base, *next;      /* as given: they must outlive the difference */
	size_t base_bytes, next_bytes;     /* of the files */
	struct difference_names targets, units, entry_points; /* units: by their names without hashes and process ids */
	struct difference_names names;     /* of kernels, whatever they are built for; as fold_kernel_name has them */
	struct difference_fact *facts;
	int fact_count;
	struct difference_target *target;  /* those of either, SASS first, by architecture */
	int target_count;
	struct difference_kernel *kernels; /* by target, then removed, added, common; by name */
	int kernel_count;
};

/* Loads all images of both. */
int artifact_difference(struct artifact *base, struct artifact *next, struct difference *difference, struct error *err);
void artifact_difference_free(struct difference *difference);

/* Whether the two are the same in all that was compared (file sizes and names of units aside). */
int difference_is_empty(const struct difference *difference);

/* Part of the former, in a file of its own: fills in all but the kernels, which are sorted by it. */
int difference_summarise(struct difference *difference, struct error *err);

#endif
