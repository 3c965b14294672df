/* Which toolkit, driver and GPU go together. Sources: PTX ISA 9.4, "Release Notes" table; CUDA toolkit release notes,
 * tables of minimum and corresponding drivers; CUDA programming guide, "Compute Capabilities". */
#ifndef ASSAY_ARTIFACT_COMPAT_H
#define ASSAY_ARTIFACT_COMPAT_H

#include <stddef.h>

/* CUDA release (10 * major + minor) that introduced a PTX ISA (10 * major + minor); 0 when not known. 8.5 came with 12.5
 * and is also that of 12.6. */
unsigned cuda_of_ptx_isa(unsigned isa);

/* First driver (Linux) that compiles PTX of a CUDA release and knows its interfaces: "550.54.14" for 124; NULL when not
 * known. The Windows one likewise; of 13.0 and newer, which bring none, the branch ("580"). */
const char *driver_of_cuda(unsigned cuda);
const char *windows_driver_of_cuda(unsigned cuda);

/* First driver that runs programs (SASS) built by any release of that major: "525.60.13" for 12; NULL when not known. */
const char *driver_of_cuda_major(unsigned major);
const char *windows_driver_of_cuda_major(unsigned major);

/* First CUDA release whose driver knows GPUs of this compute capability (90); 0 when not known. */
unsigned cuda_of_compute_capability(unsigned cc);

/* Compares "550.54.14" and "550.54"; <0, 0, >0. Missing parts count as 0. */
int driver_compare(const char *a, const char *b);

/* GPUs by compute capability, oldest first. */
struct gpu_model {
	unsigned cc;       /* 90 */
	const char *cards; /* "H100, H200" */
};
extern const struct gpu_model gpu_models[];
extern const size_t gpu_model_count;
const char *gpu_cards(unsigned cc); /* NULL when not known */

/* Tegra parts (Jetson, Drive): binary compatibility between them and other GPUs is not promised. */
int is_tegra(unsigned cc);

#endif
