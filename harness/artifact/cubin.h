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
	unsigned reserved_shared_bytes; /* that reserve: cuobjdump -res-usage shows the sum */
	unsigned frame_bytes;        /* "stack frame" of ptxas -v; UINT32_MAX: unknown (recursion, before 13.0) */
	unsigned stack_bytes;        /* with the functions it calls; UINT32_MAX: unknown (recursion) */
	unsigned local_bytes;        /* of section .nv.local */
	unsigned constant_bytes;     /* of the constant bank 0: driver's part and parameters */
	int spill_instructions;      /* spill loads and stores, as ptxas marked them; -1: the toolkit (before 13.0) does not say */
	int local_accesses;          /* where it does not: loads and stores of local memory counted in the code, which are spills
					and arrays that do not fit into registers together; -1: not counted (the toolkit says, or
					the code is of sm_6x and older) */
	int barriers;                /* -1: not stated */
	int mbarriers;               /* 0: none stated */
	unsigned register_limit;     /* of -maxrregcount or .maxnreg; 0: none */
	unsigned max_threads[3];     /* .maxntid; 0 0 0: none */
	unsigned required_threads[3];/* .reqntid; 0 0 0: none */
	unsigned cluster[3];         /* .reqnctapercluster; 0 0 0: none */
	int explicit_cluster;        /* .explicitcluster: has to be launched with one */
	unsigned max_cluster_rank;   /* .maxclusterrank; 0: none */
	struct cubin_parameter *parameters; /* by ordinal; owned by the cubin */
	int parameter_count;
	unsigned parameter_base;     /* where parameters start in the constant bank */
	unsigned parameter_bytes;    /* of the constant bank, from the first parameter to the end of the last */
	const unsigned char *code;   /* machine code; NULL after cubin_detach */
	size_t code_size;
};

struct cubin {
	unsigned abi;            /* 7 or 8 */
	unsigned sm;             /* 90 */
	char suffix;             /* 'a', 'f' or 0; f only where the assembler's options tell, the file itself does not */
	unsigned virtual_sm;     /* of the PTX it was made from; 0: not stated */
	unsigned toolkit;        /* 10 * major + minor: 130 for CUDA 13.0; 0: not stated */
	const char *tool;        /* "ptxas" or "nvlink"; NULL when absent */
	const char *tool_version;/* "Cuda compilation tools, release 13.0, V13.0.88"; NULL when absent */
	const char *tool_options;/* "-arch sm_90 -m 64"; NULL when absent */
	int relocatable;         /* has to be linked before it can be loaded */
	int line_info;           /* holds tables from code to source lines (-lineinfo or -G) */
	int debug_info;          /* holds descriptions of variables and types (-G) */
	int mercury;             /* holds a second form of the code that a driver can finish for other chips (sm_100 and newer) */
	size_t file_bytes;       /* of the ELF file, without what a fatbin pads it with */
	size_t code_bytes;       /* machine code of kernels and device functions */
	unsigned unknown_attributes; /* records of a code that this program has no name for */
	unsigned unknown_attribute;  /* the first such code */
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

/* Name of a record of .nv.info, without its EIATTR_: "REGCOUNT" for 0x2f; NULL when not known. From what cuobjdump -elf of
 * CUDA 12.4 and 13.5 prints for each code. */
const char *cubin_attribute_name(unsigned code);

#endif
