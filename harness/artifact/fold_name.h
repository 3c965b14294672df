/* Names of kernels as they compare across builds and operating systems. */
#ifndef ASSAY_ARTIFACT_FOLD_NAME_H
#define ASSAY_ARTIFACT_FOLD_NAME_H

#include <stddef.h>

/* A key, for comparing only, that is the same for one kernel built on Linux and on Windows and in two builds: 64-bit integer
 * types count as one (`long` and `long long`; int64_t is the first on Linux and the second on Windows), and what nvcc adds
 * to names of internal linkage (hash, file, process: _INTERNAL_..., _GLOBAL__N_..., __nv_static_...) is left out. Two
 * kernels of one file may share a key, where it overloads on those types. Memory the caller frees; NULL when it runs out. */
char *fold_kernel_name(const char *name);

/* The same for one mangled name among many, such as those of variables in PTX, without demangling: never longer than the name,
 * and the same for two names whenever it can be told from their letters alone. Memory the caller frees; NULL when it runs
 * out. */
char *fold_mangled_name(const char *name, size_t length);

/* A unit's name without what changes from build to build: `-` and a hash of 8 or more hex digits, the process in
 * tmpxft_<pid>_<n>-<k>_, folders, and .o, .obj or .cu.o at its end. Memory the caller frees; NULL when it runs out. */
char *fold_unit_name(const char *name);

#endif
