/* The functions of the CUDA driver library that this program calls, opened at run time: building needs no CUDA header.
 *
 * Types and symbols follow cuda.h of CUDA 13.0; every symbol is in the libcuda.so.1 of driver branch 525 (CUDA 12.0)
 * and newer. Enumerations are `unsigned`, which C makes compatible with an enum that has no negative value, handles are
 * pointers to the structure tags of cuda.h: where that header is installed, tests/unit/test_cuda_declarations.c
 * compares every signature and constant. */
#ifndef ASSAY_DEVICE_CUDA_DRIVER_H
#define ASSAY_DEVICE_CUDA_DRIVER_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

struct CUctx_st;
struct CUmod_st;
struct CUfunc_st;
struct CUstream_st;
struct CUevent_st;
struct CUuuid_st;
struct CUmemAllocationProp_st;
struct CUmemAccessDesc_st;

typedef unsigned cuda_status; /* CUresult */
typedef unsigned long long cuda_address; /* CUdeviceptr */

/* Layouts of the structures above; passed by cast. */
struct cuda_uuid {
	unsigned char bytes[16];
};
struct cuda_memory_location { /* CUmemLocation */
	unsigned type;
	int id;
};
struct cuda_allocation_properties { /* CUmemAllocationProp */
	unsigned type, handle_types;
	struct cuda_memory_location location;
	void *win32_metadata;
	unsigned char compression, gpu_direct;
	unsigned short usage;
	unsigned char reserved[4];
};
struct cuda_access { /* CUmemAccessDesc */
	struct cuda_memory_location location;
	unsigned flags;
};

enum {
	CUDA_STATUS_SUCCESS = 0,
	CUDA_STATUS_OUT_OF_MEMORY = 2,
	CUDA_STATUS_NOT_INITIALIZED = 3,
	CUDA_STATUS_STUB_LIBRARY = 34,
	CUDA_STATUS_DEVICE_UNAVAILABLE = 46,
	CUDA_STATUS_NO_DEVICE = 100,
	CUDA_STATUS_INVALID_DEVICE = 101,
	CUDA_STATUS_INVALID_IMAGE = 200,
	CUDA_STATUS_NO_BINARY_FOR_GPU = 209,
	CUDA_STATUS_INVALID_PTX = 218,
	CUDA_STATUS_JIT_COMPILER_NOT_FOUND = 221,
	CUDA_STATUS_UNSUPPORTED_PTX_VERSION = 222,
	CUDA_STATUS_JIT_COMPILATION_DISABLED = 223,
	CUDA_STATUS_INVALID_SOURCE = 300,
	CUDA_STATUS_NOT_FOUND = 500,
	CUDA_STATUS_NOT_READY = 600,
	CUDA_STATUS_NOT_SUPPORTED = 801,
	CUDA_STATUS_SYSTEM_NOT_READY = 802,
	CUDA_STATUS_SYSTEM_DRIVER_MISMATCH = 803,
	CUDA_STATUS_COMPAT_NOT_SUPPORTED = 804,
	CUDA_STATUS_UNKNOWN = 999
};

enum { /* CUdevice_attribute */
	CUDA_ATTRIBUTE_MULTIPROCESSORS = 16,
	CUDA_ATTRIBUTE_L2_BYTES = 38,
	CUDA_ATTRIBUTE_CC_MAJOR = 75,
	CUDA_ATTRIBUTE_CC_MINOR = 76,
	CUDA_ATTRIBUTE_SINGLE_TO_DOUBLE_RATIO = 87,
	CUDA_ATTRIBUTE_SHARED_OPTIN = 97,
	CUDA_ATTRIBUTE_VIRTUAL_MEMORY = 102
};

enum {
	CUDA_STREAM_DEFAULT = 0,             /* CU_STREAM_DEFAULT */
	CUDA_EVENT_DEFAULT = 0,              /* CU_EVENT_DEFAULT */
	CUDA_HOST_ALLOC_PORTABLE = 1,        /* CU_MEMHOSTALLOC_PORTABLE */
	CUDA_HOST_ALLOC_DEVICEMAP = 2,       /* CU_MEMHOSTALLOC_DEVICEMAP */
	CUDA_WAIT_VALUE_GEQ = 0,             /* CU_STREAM_WAIT_VALUE_GEQ */
	CUDA_ALLOCATION_PINNED = 1,          /* CU_MEM_ALLOCATION_TYPE_PINNED */
	CUDA_LOCATION_DEVICE = 1,            /* CU_MEM_LOCATION_TYPE_DEVICE */
	CUDA_ACCESS_READWRITE = 3,           /* CU_MEM_ACCESS_FLAGS_PROT_READWRITE */
	CUDA_GRANULARITY_MINIMUM = 0,        /* CU_MEM_ALLOC_GRANULARITY_MINIMUM */
	CUDA_JIT_INFO_LOG_BUFFER = 3,        /* CU_JIT_... */
	CUDA_JIT_INFO_LOG_BYTES = 4,
	CUDA_JIT_ERROR_LOG_BUFFER = 5,
	CUDA_JIT_ERROR_LOG_BYTES = 6
};

/* X(field, symbol, parameters) */
#define CUDA_DRIVER_FUNCTIONS(X)                                                                                      \
	X(init, cuInit, (unsigned flags))                                                                             \
	X(driver_version, cuDriverGetVersion, (int *version))                                                         \
	X(error_string, cuGetErrorString, (cuda_status status, const char **text))                                    \
	X(device_count, cuDeviceGetCount, (int *count))                                                               \
	X(device_get, cuDeviceGet, (int *device, int ordinal))                                                        \
	X(device_name, cuDeviceGetName, (char *name, int size, int device))                                           \
	X(device_uuid, cuDeviceGetUuid_v2, (struct CUuuid_st * uuid, int device))                                     \
	X(device_memory, cuDeviceTotalMem_v2, (size_t *bytes, int device))                                            \
	X(device_attribute, cuDeviceGetAttribute, (int *value, unsigned attribute, int device))                       \
	X(context_retain, cuDevicePrimaryCtxRetain, (struct CUctx_st * *context, int device))                         \
	X(context_release, cuDevicePrimaryCtxRelease_v2, (int device))                                                \
	X(context_set, cuCtxSetCurrent, (struct CUctx_st * context))                                                  \
	X(context_synchronize, cuCtxSynchronize, (void))                                                              \
	X(memory_alloc, cuMemAlloc_v2, (cuda_address * address, size_t bytes))                                        \
	X(memory_free, cuMemFree_v2, (cuda_address address))                                                          \
	X(memory_info, cuMemGetInfo_v2, (size_t *free_bytes, size_t *total_bytes))                                    \
	X(host_alloc, cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags))                                  \
	X(host_free, cuMemFreeHost, (void *memory))                                                                   \
	X(host_address, cuMemHostGetDevicePointer_v2, (cuda_address * address, void *memory, unsigned flags))         \
	X(copy_in, cuMemcpyHtoDAsync_v2,                                                                              \
	  (cuda_address to, const void *from, size_t bytes, struct CUstream_st *stream))                              \
	X(copy_out, cuMemcpyDtoHAsync_v2, (void *to, cuda_address from, size_t bytes, struct CUstream_st *stream))    \
	X(copy, cuMemcpyDtoDAsync_v2,                                                                                 \
	  (cuda_address to, cuda_address from, size_t bytes, struct CUstream_st *stream))                             \
	X(fill8, cuMemsetD8Async, (cuda_address to, unsigned char value, size_t count, struct CUstream_st *stream))   \
	X(fill16, cuMemsetD16Async, (cuda_address to, unsigned short value, size_t count, struct CUstream_st *stream)) \
	X(fill32, cuMemsetD32Async, (cuda_address to, unsigned value, size_t count, struct CUstream_st *stream))      \
	X(address_reserve, cuMemAddressReserve,                                                                       \
	  (cuda_address * address, size_t bytes, size_t alignment, cuda_address wish, unsigned long long flags))      \
	X(address_free, cuMemAddressFree, (cuda_address address, size_t bytes))                                       \
	X(physical_create, cuMemCreate,                                                                               \
	  (unsigned long long *handle, size_t bytes, const struct CUmemAllocationProp_st *properties,                 \
	   unsigned long long flags))                                                                                 \
	X(physical_release, cuMemRelease, (unsigned long long handle))                                                \
	X(map, cuMemMap,                                                                                              \
	  (cuda_address address, size_t bytes, size_t offset, unsigned long long handle, unsigned long long flags))   \
	X(unmap, cuMemUnmap, (cuda_address address, size_t bytes))                                                    \
	X(set_access, cuMemSetAccess,                                                                                 \
	  (cuda_address address, size_t bytes, const struct CUmemAccessDesc_st *access, size_t count))                \
	X(granularity, cuMemGetAllocationGranularity,                                                                 \
	  (size_t *granularity, const struct CUmemAllocationProp_st *properties, unsigned option))                    \
	X(module_load, cuModuleLoadDataEx,                                                                            \
	  (struct CUmod_st * *module, const void *image, unsigned count, unsigned *options, void **values))           \
	X(module_unload, cuModuleUnload, (struct CUmod_st * module))                                                  \
	X(module_function, cuModuleGetFunction,                                                                       \
	  (struct CUfunc_st * *function, struct CUmod_st * module, const char *name))                                 \
	X(module_global, cuModuleGetGlobal_v2,                                                                        \
	  (cuda_address * address, size_t *bytes, struct CUmod_st *module, const char *name))                         \
	X(function_get, cuFuncGetAttribute, (int *value, unsigned attribute, struct CUfunc_st *function))             \
	X(function_set, cuFuncSetAttribute, (struct CUfunc_st * function, unsigned attribute, int value))             \
	X(occupancy, cuOccupancyMaxActiveBlocksPerMultiprocessor,                                                     \
	  (int *blocks, struct CUfunc_st *function, int block_threads, size_t dynamic_shared))                        \
	X(launch, cuLaunchKernel,                                                                                     \
	  (struct CUfunc_st * function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,          \
	   unsigned block_y, unsigned block_z, unsigned shared_bytes, struct CUstream_st *stream, void **arguments,   \
	   void **extra))                                                                                             \
	X(stream_create, cuStreamCreate, (struct CUstream_st * *stream, unsigned flags))                              \
	X(stream_destroy, cuStreamDestroy_v2, (struct CUstream_st * stream))                                          \
	X(stream_synchronize, cuStreamSynchronize, (struct CUstream_st * stream))                                     \
	X(stream_query, cuStreamQuery, (struct CUstream_st * stream))                                                 \
	X(stream_wait_value, cuStreamWaitValue32_v2,                                                                  \
	  (struct CUstream_st * stream, cuda_address address, uint32_t value, unsigned flags))                        \
	X(event_create, cuEventCreate, (struct CUevent_st * *event, unsigned flags))                                  \
	X(event_destroy, cuEventDestroy_v2, (struct CUevent_st * event))                                              \
	X(event_record, cuEventRecord, (struct CUevent_st * event, struct CUstream_st * stream))                      \
	X(event_synchronize, cuEventSynchronize, (struct CUevent_st * event))                                         \
	X(event_query, cuEventQuery, (struct CUevent_st * event))                                                     \
	X(event_elapsed, cuEventElapsedTime, (float *milliseconds, struct CUevent_st *from, struct CUevent_st *to))

struct cuda_driver {
	int version; /* cuDriverGetVersion: 1000 * major + 10 * minor */
#define X(field, symbol, parameters) cuda_status(*field) parameters;
	CUDA_DRIVER_FUNCTIONS(X)
#undef X
};

/* The oldest driver this program works with: branch r525, CUDA 12.0 (cuStreamWaitValue32_v2, PTX ISA 8.0). */
enum { CUDA_OLDEST_VERSION = 12000 };

/* Opens libcuda.so.1, checks its version, fills the table and calls cuInit. ERROR_ENVIRONMENT says what is missing and
 * what to do. The library stays loaded for the life of the process. */
int cuda_driver_open(struct cuda_driver *driver, struct error *err);

/* Number of devices (> 0). ERROR_ENVIRONMENT with cause and remedy when there are none. */
int cuda_driver_devices(const struct cuda_driver *driver, int *count, struct error *err);

/* Why no GPU can be used, as an ERROR_ENVIRONMENT, for the results that cuInit, cuDeviceGetCount and
 * cuDevicePrimaryCtxRetain give. Returns -1. */
int cuda_environment_error(cuda_status status, const char *call, struct error *err);

/* *err from a failed call: ERROR_ENVIRONMENT when memory ran out, ERROR_UNSUPPORTED for CUDA_ERROR_NOT_SUPPORTED, else
 * ERROR_DEVICE; always with the CUresult in device_code. Returns -1. */
int cuda_error(const struct cuda_driver *driver, cuda_status status, const char *call, struct error *err);

#endif
