/* The parts of the cpu device. */
#ifndef ASSAY_DEVICE_CPU_H
#define ASSAY_DEVICE_CPU_H

#include "device/private.h"
#include "device/ptx/launch.h"

struct device_stream {
	char unused;
};

enum { CPU_FINDINGS_KEPT = 64 };

struct cpu_range {
	device_pointer pointer;
	size_t bytes;
};

struct cpu_device {
	struct device base;
	void *allocations; /* tsearch tree of addresses handed out: freeing anything else is refused */
	struct device_stream stream;
	struct ptx_memory *memory; /* the same allocations, with what each byte is used for */
	int unchecked;
	uint64_t launches;         /* so far: seeds the order in which blocks run, another one each time */
	int lost_code;             /* CUresult of the fault that ended a kernel; every later call fails with it, as on a GPU */
	char lost_message[320];
	struct cpu_range *outputs; /* marked DEVICE_MEMORY_OUTPUT */
	size_t output_count, output_capacity;
	struct device_finding findings[CPU_FINDINGS_KEPT]; /* not yet taken */
	int finding_count;
	int findings_in_all;       /* more than finding_count only when all places are taken */
	struct device_counts counts;
};

static inline struct cpu_device *cpu_of(struct device *device)
{
	return (struct cpu_device *)device;
}

/* The matrix product over CBLAS; *gemm has passed device_gemm_check and is not empty. */
int cpu_gemm(const struct device_gemm *gemm, struct error *err);
/* Sets the number of BLAS threads and names the library. `cores`: processors this process may run on. */
void cpu_blas_start(int cores, char *name, size_t name_size);

/* cpu_kernels.c: entries of the table, as device.h describes them */
int cpu_module_load(struct device *device, const void *image, struct device_module **out, struct error *err);
int cpu_module_unload(struct device *device, struct device_module *module, struct error *err);
int cpu_module_function(struct device *device, struct device_module *module, const char *name, struct device_function **out,
			struct error *err);
int cpu_module_global(struct device *device, struct device_module *module, const char *name, device_pointer *out, size_t *bytes,
		      struct error *err);
int cpu_function_get(struct device *device, struct device_function *function, enum device_function_attribute attribute, int *value,
		     struct error *err);
int cpu_function_set(struct device *device, struct device_function *function, enum device_function_attribute attribute, int value,
		     struct error *err);
int cpu_function_occupancy(struct device *device, struct device_function *function, int block_threads, size_t dynamic_shared,
			   int *blocks, struct error *err);
int cpu_launch(struct device *device, struct device_function *function, struct device_dim3 grid, struct device_dim3 block,
	       size_t dynamic_shared, struct device_stream *stream, void **arguments, struct error *err);
void cpu_mark(struct device *device, device_pointer pointer, size_t bytes, enum device_memory_use use);
int cpu_findings(struct device *device, struct device_finding *findings, int room);
int cpu_counts(struct device *device, struct device_counts *counts);

/* Fails with the fault that a kernel ended in. */
int cpu_still_good(const struct cpu_device *cpu, struct error *err);
/* The host reads device memory: what kernels stored there from undefined values is noted. */
void cpu_look_at(struct cpu_device *cpu, device_pointer pointer, size_t bytes);
/* The allocation that starts here is gone. */
void cpu_forget_output(struct cpu_device *cpu, device_pointer pointer);

#endif
