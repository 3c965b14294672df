/* Inside of the runtime shim. Every exported function has the shape
 *
 *     struct error err = {0};
 *     struct shim *shim = shim_enter();
 *     int result = shim_ready(shim);
 *     if (!result) ... result = ...;
 *     return shim_leave(shim, "cudaName", result, &err);
 *
 * shim_enter takes the lock that shim_leave gives back: archives may call from several threads, the device table must
 * not be. The C ABI of the runtime passes no context, so the state is the one static object of this library. */
#ifndef ASSAY_CUDART_SHIM_H
#define ASSAY_CUDART_SHIM_H

#include "artifact/variables.h"
#include "cudart/cudart.h"
#include "cudart/pointer_map.h"
#include "cudart/runtime_error.h"

#include <pthread.h>

#define EXPORT __attribute__((visibility("default")))
/* A second exported name for the same function: per-thread default stream variants, whose stream 0 is the bound stream
 * just like the legacy one, and versions that differ in nothing the shim looks at. */
#define EXPORT_ALIAS(type, alias_name, parameters, name)                                                     \
	EXPORT type alias_name parameters __attribute__((alias(#name)))

struct shim_module { /* one registered fatbin, or one of the stand-in's */
	const struct fatbin_wrapper *wrapper; /* NULL: of the stand-in, */
	const void *container;                /* which is this one */
	struct device_module *module; /* NULL until it is loaded */
	int result;                   /* of a load that failed: the archive gets it again; 0 otherwise */
	int ptx;
	struct error failure;
	const struct cudart_module_pair *pair; /* of a registered one, what stands in for it; NULL: not looked up, or nothing does */
	struct module_variables variables;     /* of the stand-in's, once it is loaded */
};

struct shim_kernel {
	char *name;
	struct shim_module *module;
	struct device_function *function; /* NULL until first use */
	struct device_resources resources; /* of it */
	/* what runs, by shim_kernel_decide; `code` NULL: not decided */
	struct shim_module *code;
	const char *code_name;
	const char *refused;              /* why nothing does; questions about it are answered by the host code's own image */
	int own;                          /* from the host code's own image, though there is a stand-in */
};

struct shim_variable {
	char *name;
	struct shim_module *module;
	size_t size;
	struct shim_module *code;         /* where it lies; NULL: not decided */
	const char *code_name;
};

struct shim_allocation {
	device_pointer pointer;
	size_t bytes;
};

struct shim_stream { /* made by the archive */
	struct device_stream *stream;
	unsigned flags;
};

enum { SHIM_POOL_MAX = 64, SHIM_LIMITS = 7, SHIM_STREAM_NON_BLOCKING = 1 };

struct shim {
	pthread_mutex_t mutex;
	struct cudart_binding binding;
	int bound;
	int sticky; /* the error that ended the context, 0 while it lives */
	struct cudart_log log;

	int limits[SHIM_LIMITS], limits_known; /* of grids and blocks: launch.c */

	struct pointer_map objects;
	struct shim_kernel **kernels;
	size_t kernel_count, kernel_capacity;
	size_t variable_count;
	struct shim_module *stand_ins; /* one for each container of binding.stand_in */

	/* The stream that last took part in the legacy default stream's implicit ordering; NULL is the default one. */
	const struct shim_stream *last_ordered;

	/* Freed with cudaFreeAsync, reused by cudaMallocAsync on the same stream without waiting, as a pool does. */
	struct {
		struct shim_allocation *allocation;
		const void *stream;
	} pool[SHIM_POOL_MAX];
	size_t pool_count, pool_bytes;
};

/* Copies what fits, NUL-terminated. */
void shim_text(char *out, size_t size, const char *text);

struct shim *shim_enter(void);
/* 0, or what the call has to return at once: not bound, or the context is lost. */
int shim_ready(const struct shim *shim);
/* Sets the thread's last error, logs the first one, remembers a lost context, gives the lock back, returns `result`.
 * `err` may be NULL or hold no message. */
int shim_leave(struct shim *shim, const char *call, int result, const struct error *err);

int shim_last_error(int clear); /* this thread's */

void shim_about_to_block(struct shim *shim);
void shim_note_missing(struct shim *shim, const char *symbol);

/* The stream a handle names, the bound one for the default handles; waits where the legacy default stream's implicit
 * ordering asks for it. Returns a runtime error. `kind` may be NULL. */
enum stream_kind { STREAM_OWN = 0, STREAM_OWN_ORDERED, STREAM_BOUND };
int shim_stream(struct shim *shim, const void *handle, struct device_stream **stream, enum stream_kind *kind,
		struct error *err);

/* The kernel behind a host function or a kernel handle; NULL when it was never registered. */
struct shim_kernel *shim_kernel_of(const struct shim *shim, const void *function);
/* ---- stand_in.c ---- */
int shim_stand_in_open(struct shim *shim, const struct cudart_stand_in *stand_in); /* -1: out of memory */
/* Which code runs for it. */
void shim_kernel_decide(struct shim *shim, struct shim_kernel *kernel);
/* The same for a variable. Returns a runtime error with the reason in *err. */
int shim_variable_decide(struct shim *shim, struct shim_variable *variable, struct error *err);
/* Takes note of what was used and has no counterpart in the stand-in. */
void shim_note_no_match(struct shim *shim, const char *what, const char *name, const char *why);

/* ---- shim.c ---- */
/* Loads its module and finds its function on first use. Returns a runtime error with the reason in *err. */
int shim_kernel_resolve(struct shim *shim, struct shim_kernel *kernel, struct error *err);
int shim_module_resolve(struct shim *shim, struct shim_module *module, struct error *err);

#endif
