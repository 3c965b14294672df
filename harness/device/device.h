/* Where kernels run: one table of operations, implemented over the CUDA driver API (cuda.c) and over host memory
 * (cpu.c). Nothing above this layer calls CUDA or BLAS.
 *
 * Errors: every function returns 0 or -1 with *err. A failure that the device itself reported has kind ERROR_DEVICE and
 * the CUresult in device_code; a few kinds of failure are told apart by the kind and keep the CUresult in device_code:
 * ERROR_ENVIRONMENT (out of memory, 2; no compiler for PTX, 221; compiling switched off, 223), ERROR_UNSUPPORTED (no code
 * for this GPU, 209; PTX newer than the driver, 222; not supported, 801) and ERROR_INPUT (a module lacks a name, 500).
 * After a sticky one (illegal address, trap, launch timeout, ECC ...) every later call fails as well and the process has
 * to be replaced: device_error_is_sticky tells.
 * Threads: a device is used by one thread at a time, except where a comment says otherwise. */
#ifndef ASSAY_DEVICE_DEVICE_H
#define ASSAY_DEVICE_DEVICE_H

#include "core/dtype.h"
#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum device_kind { DEVICE_CUDA, DEVICE_CPU };

typedef uint64_t device_pointer; /* address in device memory; on `cpu` an address of this process; 0 is none */

/* On cuda these pointers are the driver's own handles (CUmodule, CUfunction, CUstream, CUevent), so that foreign code can
 * be given a stream. Streams, the device's own too, are of the kind that waits for the legacy default stream and the
 * other way round (CU_STREAM_DEFAULT). */
struct device_module;
struct device_function;
struct device_stream;
struct device_event;

/* The legacy default stream (CU_STREAM_LEGACY), where a real CUDA runtime queues what names no stream; cuda only. */
#define DEVICE_STREAM_LEGACY ((struct device_stream *)(uintptr_t)1)

struct device_properties {
	enum device_kind kind;
	char id[32];              /* "cuda:0", "cpu": what --device takes */
	char name[128];           /* "NVIDIA H100 80GB HBM3", or the processor's model name */
	char uuid[48];            /* "GPU-xxxxxxxx-...", "" on cpu */
	int cc_major, cc_minor;   /* compute capability; 0 on cpu */
	int multiprocessors;      /* cores on cpu */
	size_t l2_bytes;
	size_t memory_bytes;
	size_t shared_per_block_optin;
	int driver_version;       /* CUDA version of the driver, 1000*major + 10*minor (cuDriverGetVersion); 0 on cpu */
	char driver_text[32];     /* "580.159.04" where NVML tells, else "" */
	char gemm_library[96];    /* name and version of the library behind `gemm`; "" on cuda before the first product */
	int slow_f64;             /* 1 when float64 runs at 1/16 of float32 or less */
};

struct device_dim3 {
	uint32_t x, y, z;
};

enum device_function_attribute { /* values of CUfunction_attribute in cuda.h */
	DEVICE_FUNCTION_MAX_THREADS = 0,
	DEVICE_FUNCTION_SHARED_BYTES = 1,
	DEVICE_FUNCTION_CONST_BYTES = 2,
	DEVICE_FUNCTION_LOCAL_BYTES = 3,
	DEVICE_FUNCTION_REGISTERS = 4,
	DEVICE_FUNCTION_PTX_VERSION = 5,
	DEVICE_FUNCTION_BINARY_VERSION = 6,
	DEVICE_FUNCTION_CACHE_MODE_CA = 7,
	DEVICE_FUNCTION_MAX_DYNAMIC_SHARED = 8,
	DEVICE_FUNCTION_SHARED_CARVEOUT = 9
};

/* C[i] = alpha * A[i] * op(B[i]) + beta * C[i] for i < batch, all row-major:
 * A is m x k with leading dimension (row stride) lda, B is k x n with ldb, or n x k when transpose_b, C is m x n with ldc.
 * Strides between batch entries in elements; 0 repeats the same matrix. Combinations that every device supports:
 * f64/f64/f64, f32/f32/f32 (full float32, no TF32), and f16 or bf16 inputs with f32 accumulation and f16, bf16 (same
 * as the input) or f32 output. alpha and beta are applied in the accumulation type. */
struct device_gemm {
	int64_t m, n, k, batch;
	double alpha, beta;
	device_pointer a, b, c;
	int64_t lda, ldb, ldc;
	int64_t stride_a, stride_b, stride_c;
	int transpose_b;
	enum dtype input, output;
};

/* Memory with unmapped address space after its end: an access past it is an illegal address instead of a silent hit on a
 * neighbour. The end lies less than 16 bytes before the boundary, since the start is aligned to 16. Unmapped space also
 * lies before the allocation, but the start is a good deal away from it (a granule of 2 MiB on GPUs, a page on the CPU,
 * holds up to that much less 16 bytes in front of it). */
struct device_guarded {
	device_pointer pointer; /* usable bytes start here, aligned to 16 */
	size_t bytes;
	uint64_t handle[4];     /* private */
};

/* What a range of memory is used for in the case at hand. `cuda` takes note of nothing; `cpu` checks every access of a
 * kernel against it. */
enum device_memory_use {
	DEVICE_MEMORY_SCRATCH = 0, /* may be read and written; its content counts as never written until something writes it */
	DEVICE_MEMORY_INPUT,       /* defined, may only be read */
	DEVICE_MEMORY_OUTPUT,      /* as SCRATCH, and the host looks at it afterwards */
	DEVICE_MEMORY_NO_ACCESS,   /* canaries and gaps: out of bounds for kernels */
	DEVICE_MEMORY_PLAIN        /* defined, may be read and written: an end to all marks */
};

/* A fault that a device saw a kernel commit. */
enum device_fault {
	DEVICE_FAULT_ACCESS,    /* outside the buffers, into a canary, misaligned, or a write to an input */
	DEVICE_FAULT_UNDEFINED, /* a value nobody wrote decides a branch or an address, or is in an output */
	DEVICE_FAULT_RACE,      /* two warps use the same shared memory with no barrier between */
	DEVICE_FAULT_BARRIER,   /* a barrier or warp-wide operation that not all lanes reach */
	DEVICE_FAULT_ENDLESS,   /* the instruction budget was used up */
	DEVICE_FAULT_STOPPED,   /* trap or failed assertion */
	DEVICE_FAULT_UNSUPPORTED, /* met an instruction, while running, that the device does not execute */
	DEVICE_FAULT_COUNT
};
struct device_finding {
	enum device_fault fault;
	char text[640];         /* what, where in the PTX and in the source, kernel, block, thread */
};

/* Work of kernels, counted rather than timed. */
struct device_counts {
	uint64_t launches, blocks, warps;
	uint64_t warp_instructions, lane_instructions; /* executed; lanes: those whose guard held */
	uint64_t flops, matrix_flops;           /* fma: 2; matrix_flops: of mma and wmma, not in flops */
	uint64_t special_functions, conversions, integer_instructions; /* lanes */
	uint64_t global_read_bytes, global_written_bytes, shared_read_bytes, shared_written_bytes, local_bytes;
	uint64_t global_sectors, global_ideal_sectors; /* 32-byte sectors touched by warp-wide requests, and had the bytes lain
							 together: their ratio is the coalescing */
	uint64_t shared_requests, shared_wavefronts; /* wavefronts beyond one a request are bank conflicts */
	uint64_t atomics, barriers, branches, divergent_branches;
	double seconds;                         /* spent executing, on the host's cores: no figure of merit */
};

struct device;

struct device_ops {
	void (*close)(struct device *device);

	/* Aligned to 256 bytes; 0 bytes give a pointer that may only be freed. `free`: 0 is fine. */
	int (*alloc)(struct device *device, size_t bytes, device_pointer *out, struct error *err);
	int (*free)(struct device *device, device_pointer pointer, struct error *err);
	int (*alloc_guarded)(struct device *device, size_t bytes, struct device_guarded *out, struct error *err);
	/* Waits for everything queued; memory that holds nothing is fine. */
	int (*free_guarded)(struct device *device, struct device_guarded *memory, struct error *err);
	int (*memory_info)(struct device *device, size_t *free_bytes, size_t *total_bytes, struct error *err);
	/* Copies and fills are ordered on `stream` (NULL: the device's own stream); copies to or from the host return
	 * when the host buffer may be reused. */
	int (*copy_in)(struct device *device, device_pointer to, const void *from, size_t bytes,
		       struct device_stream *stream, struct error *err);
	int (*copy_out)(struct device *device, void *to, device_pointer from, size_t bytes, struct device_stream *stream,
			struct error *err);
	int (*copy)(struct device *device, device_pointer to, device_pointer from, size_t bytes,
		    struct device_stream *stream, struct error *err);
	/* `count` words of `width` bytes (1, 2 or 4) are set to the low bytes of `value`. */
	int (*fill)(struct device *device, device_pointer to, uint32_t value, int width, size_t count,
		    struct device_stream *stream, struct error *err);

	/* `image`: a cubin, NUL-terminated PTX text or a fatbin. The driver's log is in *err when it is refused. */
	int (*module_load)(struct device *device, const void *image, struct device_module **out, struct error *err);
	int (*module_unload)(struct device *device, struct device_module *module, struct error *err);
	int (*module_function)(struct device *device, struct device_module *module, const char *name,
			       struct device_function **out, struct error *err);
	int (*module_global)(struct device *device, struct device_module *module, const char *name, device_pointer *out,
			     size_t *bytes, struct error *err);
	int (*function_get)(struct device *device, struct device_function *function,
			    enum device_function_attribute attribute, int *value, struct error *err);
	int (*function_set)(struct device *device, struct device_function *function,
			    enum device_function_attribute attribute, int value, struct error *err);
	int (*function_occupancy)(struct device *device, struct device_function *function, int block_threads,
				  size_t dynamic_shared, int *blocks, struct error *err);
	/* `arguments`: one pointer per kernel parameter, as cuLaunchKernel takes them. */
	int (*launch)(struct device *device, struct device_function *function, struct device_dim3 grid,
		      struct device_dim3 block, size_t dynamic_shared, struct device_stream *stream, void **arguments,
		      struct error *err);

	int (*stream_create)(struct device *device, struct device_stream **out, struct error *err);
	int (*stream_destroy)(struct device *device, struct device_stream *stream, struct error *err);
	int (*stream_synchronize)(struct device *device, struct device_stream *stream, struct error *err);
	int (*event_create)(struct device *device, struct device_event **out, struct error *err);
	int (*event_destroy)(struct device *device, struct device_event *event, struct error *err);
	int (*event_record)(struct device *device, struct device_event *event, struct device_stream *stream,
			    struct error *err);
	int (*event_synchronize)(struct device *device, struct device_event *event, struct error *err);
	int (*event_query)(struct device *device, struct device_event *event, int *done, struct error *err);
	int (*event_elapsed)(struct device *device, struct device_event *from, struct device_event *to, double *seconds,
			     struct error *err);
	/* Makes `stream` wait until *flag (32 bits, from gate_flag) has reached `value`: (int32_t)(*flag - value) >= 0;
	 * ERROR_UNSUPPORTED where the device cannot. `gate_flag`: a word of host memory that the device can see, owned
	 * by the device, 0 at first; NULL where there is none. Any thread may write it; so that a gate left behind
	 * never opens early, values only grow. Closing the device opens all gates. */
	int (*stream_wait_value)(struct device *device, struct device_stream *stream, uint32_t value, struct error *err);
	volatile uint32_t *(*gate_flag)(struct device *device);
	/* Everything queued on any stream of the context; returns sticky errors. */
	int (*synchronize)(struct device *device, struct error *err);
	/* Value of a CUdevice_attribute by number (the CUDA runtime uses the same numbers). */
	int (*attribute)(struct device *device, int attribute, int *value, struct error *err);

	int (*gemm)(struct device *device, const struct device_gemm *gemm, struct device_stream *stream,
		    struct error *err);

	/* ---- what a device tells that watches its kernels (`cpu`); NULL in others: see the shorthands below ---- */
	/* A hint: what [pointer, pointer + bytes) is used for from now on. Copies and fills by the host make memory defined
	 * again but for that; `free` ends it. */
	void (*mark)(struct device *device, device_pointer pointer, size_t bytes, enum device_memory_use use);
	/* What kernels did wrong since the last call, and the OUTPUT memory that holds values made of memory nobody wrote.
	 * Takes them: returns how many there were, of which the first `room` (at most 64) are given. */
	int (*findings)(struct device *device, struct device_finding *findings, int room);
	/* What kernels did since the last call, added up. 0: counts are not kept, *counts is zeroed. */
	int (*counts)(struct device *device, struct device_counts *counts);
};

struct device {
	const struct device_ops *ops;
	struct device_properties properties;
	struct device_stream *stream; /* the device's own stream: what NULL means above */
};

struct device_options {
	const char *cublas_path; /* NULL: libcublas.so.13, .12, .11 in that order; else this file */
	int unchecked;           /* cpu: kernels are not watched (definedness, races, canaries), for speed */
};

/* Opens "cuda:N", "cuda" (= cuda:0) or "cpu". ERROR_ENVIRONMENT says what is missing (driver library, GPU, permission,
 * driver too old) and what to do. */
int device_open(struct device **device, const char *id, const struct device_options *options, struct error *err);
void device_close(struct device *device); /* NULL is fine */

/* What --device means when it is not given: "cuda:0" when a CUDA device answers, else "cpu". */
const char *device_default_id(void);
/* Number of CUDA devices and, when there are none, why (into `why`). Never fails; opens no context. */
int device_cuda_count(char *why, size_t why_size);

int device_error_is_sticky(const struct error *err);
/* "CUDA_ERROR_ILLEGAL_ADDRESS" for 700 ...; never NULL. Works without a driver for the codes this program meets. */
const char *device_error_name(int device_code);

/* Shorthands over the table, for readability of the layers above. */
static inline int device_alloc(struct device *device, size_t bytes, device_pointer *out, struct error *err)
{
	return device->ops->alloc(device, bytes, out, err);
}
static inline void device_free(struct device *device, device_pointer pointer)
{
	if (pointer)
		device->ops->free(device, pointer, 0);
}
static inline void device_mark(struct device *device, device_pointer pointer, size_t bytes, enum device_memory_use use)
{
	if (device->ops->mark)
		device->ops->mark(device, pointer, bytes, use);
}
static inline int device_findings(struct device *device, struct device_finding *findings, int room)
{
	return device->ops->findings ? device->ops->findings(device, findings, room) : 0;
}
static inline int device_counts(struct device *device, struct device_counts *counts)
{
	*counts = (struct device_counts){0};
	return device->ops->counts ? device->ops->counts(device, counts) : 0;
}
static inline int device_synchronize(struct device *device, struct error *err)
{
	return device->ops->synchronize(device, err);
}

/* What a kernel takes as it was loaded: registers of a thread, static shared memory of a block, local memory of a thread
 * (stack and spills), bytes. -1 what the device does not tell; the cpu device has no registers that a GPU would know. */
struct device_resources {
	int32_t registers, static_shared_bytes, local_bytes;
};
static inline struct device_resources device_function_resources(struct device *device, struct device_function *function)
{
	int registers = -1, shared = -1, local = -1;
	if (device->properties.kind == DEVICE_CPU ||
	    device->ops->function_get(device, function, DEVICE_FUNCTION_REGISTERS, &registers, NULL) != 0)
		registers = -1;
	if (device->ops->function_get(device, function, DEVICE_FUNCTION_SHARED_BYTES, &shared, NULL) != 0)
		shared = -1;
	if (device->ops->function_get(device, function, DEVICE_FUNCTION_LOCAL_BYTES, &local, NULL) != 0)
		local = -1;
	return (struct device_resources){registers, shared, local};
}

#endif
