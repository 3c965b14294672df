/* The runtime shim: the CUDA runtime functions that prebuilt archives import, implemented over a device table, in a
 * shared object of its own (libassay_cudart.so) that is never in the global scope.
 *
 * How it is used: the worker dlopens the shim (RTLD_NOW | RTLD_LOCAL), calls `assay_cudart_bind`, then dlopens the
 * plugin that the archive was linked into, whose DT_NEEDED names the shim's soname. Static constructors of the archive
 * register their fatbins with the shim; modules are loaded on first use, from the image this side chooses.
 *
 * Streams: the legacy default stream (0, cudaStreamLegacy) and the per-thread default stream (0 in _ptsz functions,
 * cudaStreamPerThread) both map to `cudart_binding.stream`, so that the harness's events sit on the very stream the
 * kernels use; streams that the archive creates itself are real ones, and launches on them are recorded as such.
 *
 * Structures whose layout changed between CUDA majors (cudaDeviceProp, cudaFuncAttributes) are written in the layout of
 * `runtime_major`. Sources: driver_types.h of CUDA 11.8, 12.x, 13.0. */
#ifndef ASSAY_CUDART_CUDART_H
#define ASSAY_CUDART_CUDART_H

#include "artifact/fatbin.h"
#include "device/device.h"

enum { CUDART_LAUNCHES_MAX = 256, CUDART_MISSING_MAX = 8 };

/* Device code that runs in place of what the host code registers (donor.h makes it). All of it has to live as long as the
 * process. */
#define CUDART_OWN_CODE (-1L)
struct cudart_kernel_pair {
	const char *name;        /* as the host code registers it */
	const char *code_name;   /* in the container */
	long container;          /* index into cudart_stand_in.containers; CUDART_OWN_CODE: the host code's own */
	const char *refused;     /* not NULL: a launch is refused for this reason, whatever `container` is */
};
struct cudart_module_pair {
	const void *container;   /* fatbin container of the host code, by its bytes */
	size_t size;
	const struct cudart_kernel_pair *kernels; /* sorted by name */
	size_t kernel_count;
};
struct cudart_stand_in {
	const struct cudart_module_pair *modules;
	size_t module_count;
	const void *const *containers; /* fatbin containers that images are taken from */
	size_t container_count;
};

struct cudart_binding {
	struct device *device;
	struct device_stream *stream;
	enum image_policy image; /* which image of a fatbin runs; on the cpu device only PTX can */
	int runtime_major;       /* 11, 12 or 13: whose structure layouts the archive expects */
	/* Called before the shim does anything that may wait for the device or that the device may refuse to do while a
	 * stream is blocked: synchronising, allocating, copying to or from the host, loading a module. A sampler that
	 * holds the stream behind a gate opens it here and marks the sample. May be NULL. It is called with the
	 * shim's lock held: it must not call back into the shim. */
	void (*before_blocking)(void *context);
	void *blocking_context;
	const struct cudart_stand_in *stand_in; /* NULL: the host code's own device code runs. The first binding's counts. */
};

struct cudart_launch {
	const char *kernel;      /* mangled name, of the code that runs; "?" for a function never registered; lives as long as the
				    shim and the stand-in */
	struct device_dim3 grid, block;
	size_t dynamic_shared;
	int default_stream;      /* 1: on the bound stream */
	int ordered_stream;      /* 1: there, or on a stream of the archive's own that the legacy default stream waits for */
	struct device_resources resources; /* of the kernel that ran; all -1 where none was found */
	int result;              /* cudaError_t that the archive was given */
	int device_code;         /* CUresult behind it */
	int own_code;            /* 1 when there is a stand-in and the kernel ran from the host code's own image all the same */
	int ptx;                 /* 1 when the image is PTX that the driver compiles, 0 for SASS or when none was loaded */
	char message[160];       /* why it failed, "" otherwise */
};

struct cudart_log {
	/* since the last assay_cudart_log_reset */
	size_t launch_count;                     /* may exceed the table: the first CUDART_LAUNCHES_MAX are kept */
	struct cudart_launch launches[CUDART_LAUNCHES_MAX];
	size_t failed_launches;
	int first_error;                         /* first cudaError_t that any call returned, 0 for none */
	char first_error_call[64];               /* which function returned it */
	char first_error_message[256];
	char missing[CUDART_MISSING_MAX][128];   /* functions or symbols that were called but exist only as stubs */
	int missing_count;                       /* distinct ones, at most CUDART_MISSING_MAX are kept */
	char no_match[480];                      /* first thing that was used and has no counterpart in the stand-in, and why */
	size_t allocations, synchronizations;    /* calls of the archive that allocate or synchronise */
	/* since the shim was bound */
	size_t fatbins, kernels_registered;
	double module_load_seconds;
	char image_summary[96];                  /* "SASS sm_90", "PTX compute_80 (JIT)", "" before the first load */
};

/* Entry points that the worker looks up by dlsym in the shim. `bind` comes first and may come again (another stream,
 * another sampler) as long as the device stays the same; ERROR_USAGE when it does not or when runtime_major is none of
 * the three. */
typedef int (*cudart_bind_fn)(const struct cudart_binding *binding, struct error *err);
typedef const struct cudart_log *(*cudart_log_fn)(void);
typedef void (*cudart_log_reset_fn)(void);
/* Names of every kernel registered by the archive (index < kernels_registered); NULL past the end. */
typedef const char *(*cudart_kernel_name_fn)(size_t index);
/* Called by generated stubs for symbols that the archive leaves undefined (see plugin.h): records the name and returns
 * 0, or cudaErrorNotSupported (801) when the name is that of a CUDA runtime function. Needs no binding. */
typedef long (*cudart_missing_fn)(const char *symbol);

#define CUDART_SHIM_SONAME "libassay_cudart.so"
#define CUDART_BIND "assay_cudart_bind"
#define CUDART_LOG "assay_cudart_log"
#define CUDART_LOG_RESET "assay_cudart_log_reset"
#define CUDART_KERNEL_NAME "assay_cudart_kernel_name"
#define CUDART_MISSING "assay_cudart_missing"

#endif
