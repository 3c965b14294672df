/* cuDNN as a baseline, without a GPU: what is said where it is missing or not asked, and our own declarations against the
 * library's header, where there is one. What is wrong there does not compile. */
#include "check.h"
#include "reference/attention_cudnn.h"

#include <string.h>

#if __has_include(<cudnn_graph.h>) && __has_include(<cuda_runtime_api.h>)

#include <cudnn_graph.h>

#define SAME_VALUE(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #theirs)
SAME_VALUE(CUDNN_FLOAT, CUDNN_DATA_FLOAT);
SAME_VALUE(CUDNN_HALF, CUDNN_DATA_HALF);
SAME_VALUE(CUDNN_INT32, CUDNN_DATA_INT32);
SAME_VALUE(CUDNN_BFLOAT16, CUDNN_DATA_BFLOAT16);
SAME_VALUE(CUDNN_BOOLEAN, CUDNN_DATA_BOOLEAN);
SAME_VALUE(CUDNN_POINTWISE, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
SAME_VALUE(CUDNN_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
SAME_VALUE(CUDNN_ENGINE_CONFIG, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
SAME_VALUE(CUDNN_HEURISTIC, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
SAME_VALUE(CUDNN_PLAN, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
SAME_VALUE(CUDNN_OPERATION_POINTWISE, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
SAME_VALUE(CUDNN_GRAPH, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
SAME_VALUE(CUDNN_VARIANT_PACK, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
SAME_VALUE(CUDNN_TENSOR, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
SAME_VALUE(CUDNN_MATMUL, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
SAME_VALUE(CUDNN_OPERATION_MATMUL, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
SAME_VALUE(CUDNN_REDUCTION, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
SAME_VALUE(CUDNN_OPERATION_REDUCTION, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
SAME_VALUE(CUDNN_OF_HANDLE, CUDNN_TYPE_HANDLE);
SAME_VALUE(CUDNN_OF_NUMBER_TYPE, CUDNN_TYPE_DATA_TYPE);
SAME_VALUE(CUDNN_OF_BOOLEAN, CUDNN_TYPE_BOOLEAN);
SAME_VALUE(CUDNN_OF_INT64, CUDNN_TYPE_INT64);
SAME_VALUE(CUDNN_OF_POINTER, CUDNN_TYPE_VOID_PTR);
SAME_VALUE(CUDNN_OF_HEURISTIC_MODE, CUDNN_TYPE_HEUR_MODE);
SAME_VALUE(CUDNN_OF_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE);
SAME_VALUE(CUDNN_OF_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR);
SAME_VALUE(CUDNN_OF_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE);
SAME_VALUE(CUDNN_POINTWISE_MODE, CUDNN_ATTR_POINTWISE_MODE);
SAME_VALUE(CUDNN_POINTWISE_COMPUTE, CUDNN_ATTR_POINTWISE_MATH_PREC);
SAME_VALUE(CUDNN_POINTWISE_AXIS, CUDNN_ATTR_POINTWISE_AXIS);
SAME_VALUE(CUDNN_HEURISTIC_MODE, CUDNN_ATTR_ENGINEHEUR_MODE);
SAME_VALUE(CUDNN_HEURISTIC_GRAPH, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
SAME_VALUE(CUDNN_HEURISTIC_RESULTS, CUDNN_ATTR_ENGINEHEUR_RESULTS);
SAME_VALUE(CUDNN_CONFIG_ENGINE, CUDNN_ATTR_ENGINECFG_ENGINE);
SAME_VALUE(CUDNN_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_HANDLE);
SAME_VALUE(CUDNN_PLAN_CONFIG, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
SAME_VALUE(CUDNN_PLAN_WORKSPACE, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
SAME_VALUE(CUDNN_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
SAME_VALUE(CUDNN_OPERATION_POINTWISE_X, CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
SAME_VALUE(CUDNN_OPERATION_POINTWISE_B, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
SAME_VALUE(CUDNN_OPERATION_POINTWISE_Y, CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
SAME_VALUE(CUDNN_OPERATION_POINTWISE_T, CUDNN_ATTR_OPERATION_POINTWISE_TDESC);
SAME_VALUE(CUDNN_GRAPH_HANDLE, CUDNN_ATTR_OPERATIONGRAPH_HANDLE);
SAME_VALUE(CUDNN_GRAPH_OPERATIONS, CUDNN_ATTR_OPERATIONGRAPH_OPS);
SAME_VALUE(CUDNN_TENSOR_ALIGNMENT, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
SAME_VALUE(CUDNN_TENSOR_TYPE, CUDNN_ATTR_TENSOR_DATA_TYPE);
SAME_VALUE(CUDNN_TENSOR_DIMENSIONS, CUDNN_ATTR_TENSOR_DIMENSIONS);
SAME_VALUE(CUDNN_TENSOR_STRIDES, CUDNN_ATTR_TENSOR_STRIDES);
SAME_VALUE(CUDNN_TENSOR_ID, CUDNN_ATTR_TENSOR_UNIQUE_ID);
SAME_VALUE(CUDNN_TENSOR_IS_VIRTUAL, CUDNN_ATTR_TENSOR_IS_VIRTUAL);
SAME_VALUE(CUDNN_TENSOR_IS_BY_VALUE, CUDNN_ATTR_TENSOR_IS_BY_VALUE);
SAME_VALUE(CUDNN_PACK_IDS, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
SAME_VALUE(CUDNN_PACK_POINTERS, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
SAME_VALUE(CUDNN_PACK_WORKSPACE, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
SAME_VALUE(CUDNN_ENGINE_INDEX, CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
SAME_VALUE(CUDNN_MATMUL_COMPUTE, CUDNN_ATTR_MATMUL_COMP_TYPE);
SAME_VALUE(CUDNN_OPERATION_MATMUL_A, CUDNN_ATTR_OPERATION_MATMUL_ADESC);
SAME_VALUE(CUDNN_OPERATION_MATMUL_B, CUDNN_ATTR_OPERATION_MATMUL_BDESC);
SAME_VALUE(CUDNN_OPERATION_MATMUL_C, CUDNN_ATTR_OPERATION_MATMUL_CDESC);
SAME_VALUE(CUDNN_OPERATION_MATMUL_DESCRIPTOR, CUDNN_ATTR_OPERATION_MATMUL_DESC);
SAME_VALUE(CUDNN_REDUCTION_OPERATOR, CUDNN_ATTR_REDUCTION_OPERATOR);
SAME_VALUE(CUDNN_REDUCTION_COMPUTE, CUDNN_ATTR_REDUCTION_COMP_TYPE);
SAME_VALUE(CUDNN_OPERATION_REDUCTION_X, CUDNN_ATTR_OPERATION_REDUCTION_XDESC);
SAME_VALUE(CUDNN_OPERATION_REDUCTION_Y, CUDNN_ATTR_OPERATION_REDUCTION_YDESC);
SAME_VALUE(CUDNN_OPERATION_REDUCTION_DESCRIPTOR, CUDNN_ATTR_OPERATION_REDUCTION_DESC);
SAME_VALUE(CUDNN_ADD, CUDNN_POINTWISE_ADD);
SAME_VALUE(CUDNN_MULTIPLY, CUDNN_POINTWISE_MUL);
SAME_VALUE(CUDNN_DIVIDE, CUDNN_POINTWISE_DIV);
SAME_VALUE(CUDNN_SUBTRACT, CUDNN_POINTWISE_SUB);
SAME_VALUE(CUDNN_EXP, CUDNN_POINTWISE_EXP);
SAME_VALUE(CUDNN_LOG, CUDNN_POINTWISE_LOG);
SAME_VALUE(CUDNN_GREATER_OR_EQUAL, CUDNN_POINTWISE_CMP_GE);
SAME_VALUE(CUDNN_INDEX, CUDNN_POINTWISE_GEN_INDEX);
SAME_VALUE(CUDNN_SELECT, CUDNN_POINTWISE_BINARY_SELECT);
SAME_VALUE(CUDNN_SUM, CUDNN_REDUCE_TENSOR_ADD);
SAME_VALUE(CUDNN_MAXIMUM, CUDNN_REDUCE_TENSOR_MAX);
SAME_VALUE(CUDNN_HEURISTIC_FALLBACK, CUDNN_HEUR_MODE_FALLBACK);
SAME_VALUE(CUDNN_HEURISTIC_A, CUDNN_HEUR_MODE_A);
_Static_assert(sizeof(cudnnStatus_t) == sizeof(cudnn_status), "cudnnStatus_t");
_Static_assert(sizeof(cudnnBackendAttributeName_t) == sizeof(int) && sizeof(cudnnBackendAttributeType_t) == sizeof(int) &&
		       sizeof(cudnnBackendDescriptorType_t) == sizeof(int) && sizeof(cudnnDataType_t) == sizeof(int) &&
		       sizeof(cudnnBackendHeurMode_t) == sizeof(int),
	       "enumerations are passed as int");
_Static_assert(sizeof(cudnnBackendDescriptor_t) == sizeof(cudnn_descriptor), "cudnnBackendDescriptor_t");
/* result and parameters agree but for the names of enumerations and of pointers */
#define TYPE_OF(symbol, ...) _Static_assert(__builtin_types_compatible_p(__typeof__(&symbol), __VA_ARGS__), #symbol)
TYPE_OF(cudnnGetVersion, size_t (*)(void));
TYPE_OF(cudnnGetErrorString, const char *(*)(cudnnStatus_t));
TYPE_OF(cudnnGetLastErrorString, void (*)(char *, size_t));
TYPE_OF(cudnnCreate, cudnnStatus_t (*)(struct cudnnContext **));
TYPE_OF(cudnnDestroy, cudnnStatus_t (*)(struct cudnnContext *));
TYPE_OF(cudnnSetStream, cudnnStatus_t (*)(struct cudnnContext *, struct CUstream_st *));
TYPE_OF(cudnnBackendCreateDescriptor, cudnnStatus_t (*)(cudnnBackendDescriptorType_t, cudnnBackendDescriptor_t *));
TYPE_OF(cudnnBackendDestroyDescriptor, cudnnStatus_t (*)(cudnnBackendDescriptor_t));
TYPE_OF(cudnnBackendSetAttribute, cudnnStatus_t (*)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t,
						    cudnnBackendAttributeType_t, int64_t, const void *));
TYPE_OF(cudnnBackendGetAttribute, cudnnStatus_t (*)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t,
						    cudnnBackendAttributeType_t, int64_t, int64_t *, void *));
TYPE_OF(cudnnBackendFinalize, cudnnStatus_t (*)(cudnnBackendDescriptor_t));
TYPE_OF(cudnnBackendExecute, cudnnStatus_t (*)(struct cudnnContext *, cudnnBackendDescriptor_t, cudnnBackendDescriptor_t));

static void declarations_agree(void)
{
	fprintf(stderr, "declarations compared with cuDNN %d.%d\n", CUDNN_MAJOR, CUDNN_MINOR);
}
#else
static void declarations_agree(void)
{
	fprintf(stderr, "no cudnn_graph.h: the declarations were not compared\n");
}
#endif

static void a_missing_library_is_named(void)
{
	struct cudnn cudnn = {0};
	struct error err = {0};
	CHECK_INT(cudnn_load(&cudnn, "/nowhere/libcudnn.so.9", &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	CHECK_CONTAINS(err.message, "/nowhere/libcudnn.so.9");
	CHECK_CONTAINS(err.message, "--cudnn FILE");

	/* a library, but not this one */
	err = (struct error){0};
	CHECK_INT(cudnn_load(&cudnn, "libm.so.6", &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	CHECK_CONTAINS(err.message, "libm.so.6 lacks cudnnGetVersion");
}

static void other_devices_have_none(void)
{
	struct device *device = NULL;
	struct cudnn *cudnn = NULL;
	struct error err = {0};
	CHECK_INT(device_open(&device, "cpu", NULL, &err), 0);
	CHECK_INT(cudnn_open(&cudnn, device, NULL, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK(cudnn == NULL);
	device_close(device);
}

static void what_is_not_asked_is_said(void)
{
	const int32_t lengths[2] = {0, 64};
	const struct attention_problem plain = {.dtype = DTYPE_F16, .batch = 1, .heads_q = 1, .heads_k = 1, .head_dim = 64,
						.seqlen_q = 64, .seqlen_k = 64, .window_left = -1, .window_right = -1, .scale = 1};
	const struct attention_operand o = {0, 64 * 64, 64, 64};
	static const char *const whats[] = {"various lengths", "ALiBi", "softcap", "windows", "windows", "empty"};
	struct attention_problem problems[6] = {plain, plain, plain, plain, plain, plain};
	problems[0].cu_seqlens_q = problems[0].cu_seqlens_k = lengths;
	problems[1].alibi = ALIBI_CAUSAL;
	problems[2].softcap = 30;
	problems[3].window_left = 16;
	problems[4].window_right = 16;
	problems[5].seqlen_q = 0;
	for (int i = 0; i < 6; i++) {
		struct cudnn nothing = {0}; /* refused before it is looked at */
		struct attention_cudnn *attention = NULL;
		struct error err = {0};
		CHECK_INT(attention_cudnn_prepare(&nothing, &problems[i], &o, 64 * 64 * 2, &attention, &err), -1);
		CHECK_INT(err.kind, ERROR_UNSUPPORTED);
		CHECK_CONTAINS(err.message, whats[i]);
		CHECK(attention == NULL);
	}
}

int main(void)
{
	declarations_agree();
	a_missing_library_is_named();
	other_devices_have_none();
	what_is_not_asked_is_said();
	return check_result();
}
