/* Cubins: ELF for the GPU, of ABI 7 (CUDA up to 12.9, sm_90 and below) and ABI 8. NVIDIA does not document them; section
 * names, record codes and encodings were taken from files of CUDA 11.8 to 13.1 and compared with what ptxas -v and
 * cuobjdump of the same toolkit say. Records that are not known are skipped by their length. */
#ifndef ASSAY_ARTIFACT_CUBIN_H
#define ASSAY_ARTIFACT_CUBIN_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

struct cubin_parameter {
	unsigned ordinal, offset, size; /* bytes, offset from the start of the parameters */
};

struct cubin_kernel {
	const char *name;            /* mangled; points into the cubin */
	int registers;               /* per thread; -1: not stated */
	unsigned shared_bytes;       /* static shared memory the program asked for (without the 1 KiB sm_90 and newer reserve) */
	unsigned frame_bytes;        /* "stack frame" of ptxas -v */
	unsigned stack_bytes;        /* with the functions it calls; UINT32_MAX: unknown (recursion) */
	unsigned local_bytes;        /* of section .nv.local */
	int spill_instructions;      /* spill loads and stores; -1: the toolkit (before 13.0) does not say */
	int barriers;                /* -1: not stated */
	unsigned max_threads[3];     /* .maxntid; 0 0 0: none */
	unsigned required_threads[3];/* .reqntid; 0 0 0: none */
	unsigned cluster[3];         /* .reqnctapercluster; 0 0 0: none */
	struct cubin_parameter *parameters; /* by ordinal; owned by the cubin */
	int parameter_count;
	unsigned parameter_bytes;    /* of the constant bank, from the first parameter to the end of the last */
	const unsigned char *code;   /* machine code; NULL after cubin_detach */
	size_t code_size;
};

struct cubin {
	unsigned abi;            /* 7 or 8 */
	unsigned sm;             /* 90 */
	char suffix;             /* 'a' or 0; a target of suffix f cannot be told from none here */
	unsigned toolkit;        /* 10 * major + minor: 130 for CUDA 13.0; 0: not stated */
	const char *tool_version;/* "Cuda compilation tools, release 13.0, V13.0.88"; NULL when absent */
	const char *tool_options;/* "-arch sm_90 -m 64"; NULL when absent */
	int relocatable;         /* has to be linked before it can be loaded */
	struct cubin_kernel *kernels; /* in the order of the symbol table; owned */
	int kernel_count;
	char *texts;             /* owned; NULL before cubin_detach */
};

/* ERROR_INPUT when it is no cubin or contradicts itself. Pointers in the description point into the bytes. */
int cubin_parse(const void *bytes, size_t size, struct cubin *cubin, struct error *err);
void cubin_free(struct cubin *cubin);

/* Makes the description independent of the bytes it was read from: its texts move to one block, which cubin_free frees,
 * and the code is let go. For cubins that had to be decompressed, which together are many times the file. */
int cubin_detach(struct cubin *cubin, struct error *err);

/* Loads and stores of local memory in the kernel's code (sm_70 and newer: instructions of 16 bytes): spills and arrays
 * that do not fit into registers together. Needs the code. */
size_t cubin_local_accesses(const struct cubin_kernel *kernel);

#endif
