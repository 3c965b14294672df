/* Loading a PTX module and running its kernels: what harness/device/cpu.c calls. */
#ifndef ASSAY_DEVICE_PTX_LAUNCH_H
#define ASSAY_DEVICE_PTX_LAUNCH_H

#include "device/ptx/machine.h"
#include "device/ptx/memory.h"

/* A module placed in memory: its .global and .const variables are allocated, initialised (relocations too) and registered. */
struct ptx_image;
int ptx_image_load(const char *text, struct ptx_memory *memory, struct ptx_image **image, struct error *err);
void ptx_image_free(struct ptx_image *image);
/* The module's .global or .const variable; ERROR_INPUT when there is none of that name. */
int ptx_image_global(struct ptx_image *image, const char *name, uint64_t *address, size_t *bytes, struct error *err);

/* A kernel, parsed and lowered with everything it calls; kept by the image. ERROR_INPUT: no such entry (device_code 500, as a
 * driver answers) or malformed PTX; ERROR_UNSUPPORTED: an instruction that is not executed here, named with its line. Only
 * what is asked for is parsed. */
struct ptx_kernel;
int ptx_image_kernel(struct ptx_image *image, const char *name, struct ptx_kernel **kernel, struct error *err);
struct ptx_kernel_facts {
	const char *name;
	uint32_t parameter_bytes, shared_bytes, local_bytes, const_bytes; /* static */
	uint32_t max_threads;      /* by .maxntid/.reqntid, else 1024 */
	uint32_t isa;              /* 10 * major + minor */
	uint32_t target;           /* 90 for sm_90 */
	uint32_t registers;        /* 32-bit slots a lane after allocation: not what ptxas would use */
	const struct ptx_variable *parameters; int parameter_count;
};
void ptx_kernel_facts(const struct ptx_kernel *kernel, struct ptx_kernel_facts *facts);

struct ptx_launch {
	struct ptx_kernel *kernel;
	struct ptx_memory *memory;
	struct device_dim3 grid, block;
	uint32_t dynamic_shared;   /* bytes */
	void **arguments;          /* one pointer per kernel parameter */
	int checks;                /* definedness, races, exact bounds of marked memory; plain bounds are always checked */
	int threads;               /* host threads that run blocks; 0: one a core allowed */
	uint64_t seed;             /* of the order in which blocks are taken: a permutation of the grid by this seed; 0: in order */
	uint64_t budget;           /* warp instructions one block may execute; 0: 2^36 */
	const volatile int *cancel; /* may be NULL: when it becomes non-zero the launch stops */
	int profile;               /* count by instruction */
	void (*print)(void *context, const char *text, size_t length); /* of vprintf; NULL: standard output, as the CUDA runtime does */
	void *print_context;
};

enum { PTX_FINDINGS_MAX = 64 };

struct ptx_profile { const struct ptx_instruction *instruction; uint64_t executed, lanes; }; /* warps, and lanes whose guard held */

struct ptx_launch_result {
	int device_code;           /* CUresult that a GPU would report: 0, 700 (illegal address), 716, 710, 719, 702 ...; after a
				      sticky one the device is not to be used again (device_error_is_sticky) */
	struct ptx_finding findings[PTX_FINDINGS_MAX]; /* in the order of kernel position, not of time */
	int finding_count;         /* distinct; those beyond the room are counted only */
	int findings_left_out;
	struct ptx_counts counts;
	double seconds;
	struct ptx_profile *profile; int profile_count; /* with launch.profile: every instruction in the order of the text, of called
						     functions too; the caller frees it. Instructions live as long as the image */
};

/* Runs it to its end. 0 also when findings stopped it (device_code tells). -1 with *err: wrong launch configuration (ERROR_DEVICE,
 * device_code 1 or 701, as a driver answers), unsupported instruction (ERROR_UNSUPPORTED), no memory. */
int ptx_launch(const struct ptx_launch *launch, struct ptx_launch_result *result, struct error *err);

/* "st.global.f32 at line 120 of the PTX (kernel.cu:12), block (0,0,0), thread (3,0,0): ..." */
void ptx_finding_text(const struct ptx_finding *finding, char *text, size_t size);

#endif
