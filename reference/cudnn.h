/* cuDNN, opened at run time, over the device's primary context: the part of its C backend API (cudnn_graph.h of cuDNN 9) with
 * which a graph of operations is described, planned and executed.
 *
 * Names and numbers are those of cudnn_graph.h, cuDNN 9.14 to 9.28, and have been the same since 8.0 but for those that came
 * with a later release; tests/unit/test_cudnn.c compares them with the header where there is one. Descriptors are opaque
 * pointers; an attribute is set by number, type, count and address of its elements; a descriptor is finalised before another
 * one may name it. */
#ifndef ASSAY_REFERENCE_CUDNN_H
#define ASSAY_REFERENCE_CUDNN_H

#include "device/device.h"

#include <stdbool.h>

enum cudnn_number_type { /* cudnnDataType_t */
	CUDNN_FLOAT = 0,
	CUDNN_HALF = 2,
	CUDNN_INT32 = 4,
	CUDNN_BFLOAT16 = 9,
	CUDNN_BOOLEAN = 11
};

enum cudnn_kind { /* cudnnBackendDescriptorType_t */
	CUDNN_POINTWISE = 0,
	CUDNN_ENGINE = 2,
	CUDNN_ENGINE_CONFIG = 3,
	CUDNN_HEURISTIC = 4,
	CUDNN_PLAN = 5,
	CUDNN_OPERATION_POINTWISE = 13,
	CUDNN_GRAPH = 15,
	CUDNN_VARIANT_PACK = 16,
	CUDNN_TENSOR = 17,
	CUDNN_MATMUL = 18,
	CUDNN_OPERATION_MATMUL = 19,
	CUDNN_REDUCTION = 21,
	CUDNN_OPERATION_REDUCTION = 22
};

enum cudnn_element { /* cudnnBackendAttributeType_t */
	CUDNN_OF_HANDLE = 0,
	CUDNN_OF_NUMBER_TYPE = 1,
	CUDNN_OF_BOOLEAN = 2, /* bool, one byte */
	CUDNN_OF_INT64 = 3,
	CUDNN_OF_POINTER = 6,
	CUDNN_OF_HEURISTIC_MODE = 8,
	CUDNN_OF_POINTWISE_MODE = 14,
	CUDNN_OF_DESCRIPTOR = 15,
	CUDNN_OF_REDUCTION_OPERATOR = 18
};

enum cudnn_attribute { /* cudnnBackendAttributeName_t */
	CUDNN_POINTWISE_MODE = 0,
	CUDNN_POINTWISE_COMPUTE = 1,
	CUDNN_POINTWISE_AXIS = 9,
	CUDNN_HEURISTIC_MODE = 200,
	CUDNN_HEURISTIC_GRAPH = 201,
	CUDNN_HEURISTIC_RESULTS = 202,
	CUDNN_CONFIG_ENGINE = 300,
	CUDNN_PLAN_HANDLE = 400,
	CUDNN_PLAN_CONFIG = 401,
	CUDNN_PLAN_WORKSPACE = 402,
	CUDNN_OPERATION_POINTWISE_DESCRIPTOR = 750,
	CUDNN_OPERATION_POINTWISE_X = 751,
	CUDNN_OPERATION_POINTWISE_B = 752,
	CUDNN_OPERATION_POINTWISE_Y = 753,
	CUDNN_OPERATION_POINTWISE_T = 758,
	CUDNN_GRAPH_HANDLE = 800,
	CUDNN_GRAPH_OPERATIONS = 801,
	CUDNN_TENSOR_ALIGNMENT = 900,
	CUDNN_TENSOR_TYPE = 901,
	CUDNN_TENSOR_DIMENSIONS = 902,
	CUDNN_TENSOR_STRIDES = 903,
	CUDNN_TENSOR_ID = 906,
	CUDNN_TENSOR_IS_VIRTUAL = 907,
	CUDNN_TENSOR_IS_BY_VALUE = 908,
	CUDNN_PACK_IDS = 1000,
	CUDNN_PACK_POINTERS = 1001,
	CUDNN_PACK_WORKSPACE = 1003,
	CUDNN_ENGINE_INDEX = 1301,
	CUDNN_MATMUL_COMPUTE = 1500,
	CUDNN_OPERATION_MATMUL_A = 1520,
	CUDNN_OPERATION_MATMUL_B = 1521,
	CUDNN_OPERATION_MATMUL_C = 1522,
	CUDNN_OPERATION_MATMUL_DESCRIPTOR = 1523,
	CUDNN_REDUCTION_OPERATOR = 1600,
	CUDNN_REDUCTION_COMPUTE = 1601,
	CUDNN_OPERATION_REDUCTION_X = 1610,
	CUDNN_OPERATION_REDUCTION_Y = 1611,
	CUDNN_OPERATION_REDUCTION_DESCRIPTOR = 1612
};

enum cudnn_pointwise { /* cudnnPointwiseMode_t */
	CUDNN_ADD = 0,
	CUDNN_MULTIPLY = 1,
	CUDNN_DIVIDE = 6,
	CUDNN_SUBTRACT = 9,
	CUDNN_EXP = 13,
	CUDNN_LOG = 15,
	CUDNN_GREATER_OR_EQUAL = 303,
	CUDNN_INDEX = 501,
	CUDNN_SELECT = 601
};
enum cudnn_reduction { CUDNN_SUM = 0, CUDNN_MAXIMUM = 3 };                      /* cudnnReduceTensorOp_t */
enum cudnn_heuristic_mode { CUDNN_HEURISTIC_FALLBACK = 2, CUDNN_HEURISTIC_A = 3 }; /* cudnnBackendHeurMode_t */

struct cudnnContext;
typedef void *cudnn_descriptor;
typedef int cudnn_status; /* cudnnStatus_t; 0: success, 3000 to 3999: not supported */

/* X(field, symbol, result, parameters) */
#define CUDNN_FUNCTIONS(X)                                                                                                 \
	X(version, cudnnGetVersion, size_t, (void))                                                                        \
	X(status_text, cudnnGetErrorString, const char *, (cudnn_status status))                                           \
	X(create, cudnnCreate, cudnn_status, (struct cudnnContext **handle))                                               \
	X(destroy, cudnnDestroy, cudnn_status, (struct cudnnContext *handle))                                              \
	X(set_stream, cudnnSetStream, cudnn_status, (struct cudnnContext *handle, struct CUstream_st *stream))             \
	X(descriptor_create, cudnnBackendCreateDescriptor, cudnn_status, (int kind, cudnn_descriptor *descriptor))         \
	X(descriptor_destroy, cudnnBackendDestroyDescriptor, cudnn_status, (cudnn_descriptor descriptor))                  \
	X(descriptor_set, cudnnBackendSetAttribute, cudnn_status,                                                          \
	  (cudnn_descriptor descriptor, int attribute, int element, int64_t count, const void *elements))                  \
	X(descriptor_get, cudnnBackendGetAttribute, cudnn_status,                                                          \
	  (const cudnn_descriptor descriptor, int attribute, int element, int64_t room, int64_t *count, void *elements))   \
	X(descriptor_finalize, cudnnBackendFinalize, cudnn_status, (cudnn_descriptor descriptor))                          \
	X(execute, cudnnBackendExecute, cudnn_status,                                                                      \
	  (struct cudnnContext *handle, cudnn_descriptor plan, cudnn_descriptor pack))

struct CUstream_st;
struct cudnn {
	struct device *device;       /* borrowed */
	struct cudnnContext *handle;
	char name[48];               /* "cuDNN 9.14.0" */
	int release;                 /* 91400 */
	void (*last_error)(char *text, size_t size); /* cudnnGetLastErrorString; NULL before 9.0 */
#define CUDNN_FIELD(field, symbol, result, parameters) result(*field) parameters;
	CUDNN_FUNCTIONS(CUDNN_FIELD)
#undef CUDNN_FIELD
};

/* Opens `path`, or libcudnn.so.9 as the loader finds it, in $CUDNN_HOME/lib, in $CUDA_HOME/lib64 or in /usr/local/cuda/lib64
 * when it is NULL, and makes a handle on the device. ERROR_ENVIRONMENT says what is missing and what to do; ERROR_UNSUPPORTED:
 * not on this kind of device. */
int cudnn_open(struct cudnn **cudnn, struct device *device, const char *path, struct error *err);
void cudnn_close(struct cudnn *cudnn); /* NULL is fine */
/* The first half, free of a device: fills functions, name and release. */
int cudnn_load(struct cudnn *cudnn, const char *path, struct error *err);
/* Fills *err: ERROR_UNSUPPORTED where the library says so, else ERROR_ENVIRONMENT. -1. */
int cudnn_failed(const struct cudnn *cudnn, cudnn_status status, const char *what, struct error *err);

#endif
