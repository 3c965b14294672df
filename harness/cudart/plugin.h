/* From a static archive to code that can be called: the archive is linked whole into a shared object with the system
 * linker (`ld`, and `as` for stubs, both of binutils), against the runtime shim or the real runtime, and cached by
 * content under $XDG_CACHE_HOME/assay (default ~/.cache/assay). */
#ifndef ASSAY_CUDART_PLUGIN_H
#define ASSAY_CUDART_PLUGIN_H

#include "core/error.h"
#include "cudart/cudart.h"

#include <stddef.h>

enum cudart_kind { CUDART_SHIM, CUDART_REAL };

struct plugin_options {
	const char *archive;           /* path of the .a (or .o, or .so, which is loaded as it is) */
	enum cudart_kind cudart;
	const char *shim_path;         /* NULL: beside the executable or in ../lib/assay, see plugin_shim_path */
	const char *real_cudart_path;  /* NULL: libcudart.so.<major> found by the dynamic loader or under CUDA_HOME */
	const char *cache_dir;         /* NULL: the default above */
	const char *const *required;   /* NULL-terminated: symbols that must be defined, such as "run_mha" */
	int runtime_major;             /* 11, 12, 13: which real runtime; from the artifact */
};

struct plugin {
	char *path;            /* the shared object */
	int from_cache;        /* 1 when it was linked earlier */
	double link_seconds;
	char **stubbed;        /* symbols the archive leaves undefined that nothing here provides: stubs were made */
	size_t stubbed_count;
	void *shim;            /* dlopen handles; NULL before plugin_load (shim also with CUDART_REAL) */
	void *handle;
	char *temporary_dir;   /* where `path` lies when the cache could not be written; removed by plugin_free; else NULL */
};

/* Links (or finds) the shared object. Errors: the linker is missing (apt install binutils), the archive holds no ELF
 * objects (ERROR_UNSUPPORTED with the reason: COFF, LLVM bitcode, ...), is not position independent (ERROR_UNSUPPORTED
 * with the linker's words and the remedy -Xcompiler -fPIC), or lacks a required symbol (ERROR_INPUT). A concurrent link
 * of the same archive is harmless: the result appears by rename. */
int plugin_link(struct plugin *plugin, const struct plugin_options *options, struct error *err);
/* dlopens shim and plugin into this process; with CUDART_SHIM binds first. Runs the archive's static constructors. */
int plugin_load(struct plugin *plugin, const struct plugin_options *options, const struct cudart_binding *binding,
		struct error *err);
void *plugin_symbol(const struct plugin *plugin, const char *name);
void plugin_free(struct plugin *plugin); /* frees memory; leaves loaded code alone (unloading foreign code is not safe) */

/* Where the shim lies for the running program: $ASSAY_LIBDIR, the folder of /proc/self/exe, its ../lib/assay. malloc'd. */
char *plugin_shim_path(struct error *err);

#endif
