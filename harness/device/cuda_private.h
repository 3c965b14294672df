/* The cuda device: handles of the driver API are cast to the opaque types of device.h and back. */
#ifndef ASSAY_DEVICE_CUDA_PRIVATE_H
#define ASSAY_DEVICE_CUDA_PRIVATE_H

#include "device/cuda_driver.h"
#include "device/private.h"

struct cuda_blas;

struct cuda_device {
	struct device base;
	struct cuda_driver driver;
	int ordinal;
	struct CUctx_st *context; /* the primary context: the CUDA runtime and cuBLAS use the same one */
	struct cuda_blas *blas;   /* opened by the first matrix product */
	char *cublas_path;        /* NULL: search */
	uint32_t *gate;           /* host memory that the device sees */
	cuda_address gate_address;
	uint32_t last_gate_value; /* opens every gate when written to *gate */
};

static inline struct cuda_device *cuda_of(struct device *device)
{
	return (struct cuda_device *)device;
}

static inline struct CUstream_st *cuda_stream(struct device *device, struct device_stream *stream)
{
	return (struct CUstream_st *)(stream ? stream : device->stream);
}

/* 0 when `status` is success, else cuda_error. */
int cuda_check(struct device *device, cuda_status status, const char *call, struct error *err);
/* Makes the device's context current on this thread: foreign code may have changed it, and the thread may be new. */
int cuda_enter(struct device *device, struct error *err);

/* cuda_memory.c */
int cuda_alloc(struct device *device, size_t bytes, device_pointer *out, struct error *err);
int cuda_free(struct device *device, device_pointer pointer, struct error *err);
int cuda_alloc_guarded(struct device *device, size_t bytes, struct device_guarded *out, struct error *err);
int cuda_free_guarded(struct device *device, struct device_guarded *memory, struct error *err);
int cuda_memory_info(struct device *device, size_t *free_bytes, size_t *total_bytes, struct error *err);
int cuda_copy_in(struct device *device, device_pointer to, const void *from, size_t bytes, struct device_stream *stream,
		 struct error *err);
int cuda_copy_out(struct device *device, void *to, device_pointer from, size_t bytes, struct device_stream *stream,
		  struct error *err);
int cuda_copy(struct device *device, device_pointer to, device_pointer from, size_t bytes, struct device_stream *stream,
	      struct error *err);
int cuda_fill(struct device *device, device_pointer to, uint32_t value, int width, size_t count,
	      struct device_stream *stream, struct error *err);

/* cuda_module.c */
int cuda_module_load(struct device *device, const void *image, struct device_module **out, struct error *err);
int cuda_module_unload(struct device *device, struct device_module *module, struct error *err);
int cuda_module_function(struct device *device, struct device_module *module, const char *name,
			 struct device_function **out, struct error *err);
int cuda_module_global(struct device *device, struct device_module *module, const char *name, device_pointer *out,
		       size_t *bytes, struct error *err);
int cuda_function_get(struct device *device, struct device_function *function, enum device_function_attribute attribute,
		      int *value, struct error *err);
int cuda_function_set(struct device *device, struct device_function *function, enum device_function_attribute attribute,
		      int value, struct error *err);
int cuda_function_occupancy(struct device *device, struct device_function *function, int block_threads,
			    size_t dynamic_shared, int *blocks, struct error *err);
int cuda_launch(struct device *device, struct device_function *function, struct device_dim3 grid,
		struct device_dim3 block, size_t dynamic_shared, struct device_stream *stream, void **arguments,
		struct error *err);
/* The newest PTX ISA that a driver of this CUDA version compiles, as 10 * major + minor; and the CUDA version whose
 * driver is needed for a PTX ISA. 0 when this program does not know. */
int cuda_ptx_of_driver(int driver_version);
int cuda_driver_of_ptx(int ptx, const char **branch);

/* cuda_blas.c */
int cuda_gemm(struct device *device, const struct device_gemm *gemm, struct device_stream *stream, struct error *err);
void cuda_blas_close(struct device *device); /* with the context current */

#endif
