#include "reference/attention_cudnn.h"

#include "core/util.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 23 tensors, 16 operations with a descriptor each, graph, pack, heuristics, engine */
enum { DESCRIPTORS_MAX = 80, OPERATIONS_MAX = 20, ARGUMENTS_MAX = 8, CONFIGS_MAX = 16 };

struct attention_cudnn {
	struct cudnn *cudnn;
	cudnn_descriptor descriptors[DESCRIPTORS_MAX]; /* all that were made, to be destroyed */
	int descriptor_count;
	cudnn_descriptor operations[OPERATIONS_MAX];
	int operation_count;
	int64_t next_id;
	int64_t ids[ARGUMENTS_MAX];                    /* of the tensors that are no virtual ones, and where their elements are */
	void *addresses[ARGUMENTS_MAX];
	int argument_count;
	float scale, minus_infinity;
	int32_t seqlen_q, seqlen_k;
	cudnn_descriptor plan, pack;
	device_pointer output, workspace;
	size_t output_bytes;
	char note[96];
};

/* ---- descriptors ---------------------------------------------------------------------------------------------------- */

/* One that this struct destroys; NULL with *err. */
static cudnn_descriptor make(struct attention_cudnn *a, enum cudnn_kind kind, struct error *err)
{
	cudnn_descriptor made = NULL;
	if (a->descriptor_count == DESCRIPTORS_MAX) {
		error_set(err, ERROR_INTERNAL, "more than %d descriptors of cuDNN", DESCRIPTORS_MAX);
		return NULL;
	}
	const cudnn_status status = a->cudnn->descriptor_create(kind, &made);
	if (status) {
		cudnn_failed(a->cudnn, status, "cudnnBackendCreateDescriptor", err);
		return NULL;
	}
	a->descriptors[a->descriptor_count++] = made;
	return made;
}

static int set(struct attention_cudnn *a, cudnn_descriptor descriptor, enum cudnn_attribute attribute, enum cudnn_element element,
	       int64_t count, const void *elements, struct error *err)
{
	char what[48];
	const cudnn_status status = a->cudnn->descriptor_set(descriptor, attribute, element, count, elements);
	if (!status)
		return 0;
	snprintf(what, sizeof what, "setting attribute %d", attribute);
	return cudnn_failed(a->cudnn, status, what, err);
}

static int set_descriptor(struct attention_cudnn *a, cudnn_descriptor descriptor, enum cudnn_attribute attribute,
			  cudnn_descriptor value, struct error *err)
{
	return set(a, descriptor, attribute, CUDNN_OF_DESCRIPTOR, 1, &value, err);
}

static int finalize(struct attention_cudnn *a, cudnn_descriptor descriptor, const char *what, struct error *err)
{
	const cudnn_status status = a->cudnn->descriptor_finalize(descriptor);
	return status ? cudnn_failed(a->cudnn, status, what, err) : 0;
}

enum place { VIRTUAL, ON_DEVICE, BY_VALUE };

/* A tensor of four axes. `address` is of its elements unless it is virtual: of the device, or of the host where it is given
 * by value. */
static cudnn_descriptor tensor(struct attention_cudnn *a, enum cudnn_number_type type, const int64_t dims[4],
			       const int64_t strides[4], enum place place, void *address, struct error *err)
{
	const int64_t alignment = 16, id = ++a->next_id;
	const bool is_virtual = place == VIRTUAL, is_by_value = place == BY_VALUE;
	const int number_type = type;
	cudnn_descriptor made = make(a, CUDNN_TENSOR, err);
	if (!made || set(a, made, CUDNN_TENSOR_TYPE, CUDNN_OF_NUMBER_TYPE, 1, &number_type, err) ||
	    set(a, made, CUDNN_TENSOR_DIMENSIONS, CUDNN_OF_INT64, 4, dims, err) ||
	    set(a, made, CUDNN_TENSOR_STRIDES, CUDNN_OF_INT64, 4, strides, err) ||
	    set(a, made, CUDNN_TENSOR_ID, CUDNN_OF_INT64, 1, &id, err) ||
	    set(a, made, CUDNN_TENSOR_ALIGNMENT, CUDNN_OF_INT64, 1, &alignment, err) ||
	    set(a, made, CUDNN_TENSOR_IS_VIRTUAL, CUDNN_OF_BOOLEAN, 1, &is_virtual, err) ||
	    set(a, made, CUDNN_TENSOR_IS_BY_VALUE, CUDNN_OF_BOOLEAN, 1, &is_by_value, err) || finalize(a, made, "a tensor", err))
		return NULL;
	if (place != VIRTUAL) {
		a->ids[a->argument_count] = id;
		a->addresses[a->argument_count++] = address;
	}
	return made;
}

static cudnn_descriptor scalar(struct attention_cudnn *a, enum cudnn_number_type type, void *value, struct error *err)
{
	static const int64_t one[4] = {1, 1, 1, 1};
	return tensor(a, type, one, one, BY_VALUE, value, err);
}

static int add_operation(struct attention_cudnn *a, cudnn_descriptor operation, const char *what, struct error *err)
{
	if (finalize(a, operation, what, err))
		return -1;
	a->operations[a->operation_count++] = operation;
	return 0;
}

struct pointwise {
	enum cudnn_pointwise mode;
	enum cudnn_number_type compute;
	int64_t axis;                    /* of CUDNN_INDEX */
	cudnn_descriptor x, b, t, y;     /* b and t may be NULL */
};

static int pointwise(struct attention_cudnn *a, struct pointwise p, struct error *err)
{
	const int mode = p.mode, compute = p.compute;
	cudnn_descriptor descriptor = make(a, CUDNN_POINTWISE, err);
	if (!p.x || !p.y || !descriptor || set(a, descriptor, CUDNN_POINTWISE_MODE, CUDNN_OF_POINTWISE_MODE, 1, &mode, err) ||
	    set(a, descriptor, CUDNN_POINTWISE_COMPUTE, CUDNN_OF_NUMBER_TYPE, 1, &compute, err) ||
	    (p.mode == CUDNN_INDEX && set(a, descriptor, CUDNN_POINTWISE_AXIS, CUDNN_OF_INT64, 1, &p.axis, err)) ||
	    finalize(a, descriptor, "a pointwise operation", err))
		return -1;
	cudnn_descriptor operation = make(a, CUDNN_OPERATION_POINTWISE, err);
	if (!operation || set_descriptor(a, operation, CUDNN_OPERATION_POINTWISE_DESCRIPTOR, descriptor, err) ||
	    set_descriptor(a, operation, CUDNN_OPERATION_POINTWISE_X, p.x, err) ||
	    set_descriptor(a, operation, CUDNN_OPERATION_POINTWISE_Y, p.y, err) ||
	    (p.b && set_descriptor(a, operation, CUDNN_OPERATION_POINTWISE_B, p.b, err)) ||
	    (p.t && set_descriptor(a, operation, CUDNN_OPERATION_POINTWISE_T, p.t, err)))
		return -1;
	return add_operation(a, operation, "a pointwise operation on its tensors", err);
}

static int reduction(struct attention_cudnn *a, enum cudnn_reduction operator, cudnn_descriptor x, cudnn_descriptor y,
		     struct error *err)
{
	const int value = operator, compute = CUDNN_FLOAT;
	cudnn_descriptor descriptor = make(a, CUDNN_REDUCTION, err);
	if (!x || !y || !descriptor || set(a, descriptor, CUDNN_REDUCTION_OPERATOR, CUDNN_OF_REDUCTION_OPERATOR, 1, &value, err) ||
	    set(a, descriptor, CUDNN_REDUCTION_COMPUTE, CUDNN_OF_NUMBER_TYPE, 1, &compute, err) ||
	    finalize(a, descriptor, "a reduction", err))
		return -1;
	cudnn_descriptor operation = make(a, CUDNN_OPERATION_REDUCTION, err);
	if (!operation || set_descriptor(a, operation, CUDNN_OPERATION_REDUCTION_DESCRIPTOR, descriptor, err) ||
	    set_descriptor(a, operation, CUDNN_OPERATION_REDUCTION_X, x, err) ||
	    set_descriptor(a, operation, CUDNN_OPERATION_REDUCTION_Y, y, err))
		return -1;
	return add_operation(a, operation, "a reduction of its tensors", err);
}

static int product(struct attention_cudnn *a, cudnn_descriptor left, cudnn_descriptor right, cudnn_descriptor out,
		   struct error *err)
{
	const int compute = CUDNN_FLOAT;
	cudnn_descriptor descriptor = make(a, CUDNN_MATMUL, err);
	if (!left || !right || !out || !descriptor || set(a, descriptor, CUDNN_MATMUL_COMPUTE, CUDNN_OF_NUMBER_TYPE, 1, &compute, err) ||
	    finalize(a, descriptor, "a matrix product", err))
		return -1;
	cudnn_descriptor operation = make(a, CUDNN_OPERATION_MATMUL, err);
	if (!operation || set_descriptor(a, operation, CUDNN_OPERATION_MATMUL_DESCRIPTOR, descriptor, err) ||
	    set_descriptor(a, operation, CUDNN_OPERATION_MATMUL_A, left, err) ||
	    set_descriptor(a, operation, CUDNN_OPERATION_MATMUL_B, right, err) ||
	    set_descriptor(a, operation, CUDNN_OPERATION_MATMUL_C, out, err))
		return -1;
	return add_operation(a, operation, "a matrix product of its tensors", err);
}

/* ---- the graph ------------------------------------------------------------------------------------------------------ */

/* What the scores and a column of them look like to virtual tensors. */
struct shapes {
	int64_t scores[4], score_strides[4], row[4], row_strides[4];
};

static struct shapes shapes_of(const struct attention_problem *p)
{
	const int64_t b = p->batch, h = p->heads_q, m = p->seqlen_q, n = p->seqlen_k;
	return (struct shapes){{b, h, m, n}, {h * m * n, m * n, n, 1}, {b, h, m, 1}, {h * m, m, 1, 1}};
}

static cudnn_descriptor virtual_scores(struct attention_cudnn *a, const struct shapes *shapes, enum cudnn_number_type type,
				       struct error *err)
{
	return tensor(a, type, shapes->scores, shapes->score_strides, VIRTUAL, NULL, err);
}

/* Keeps score (i, j) where i + seqlen_k - seqlen_q >= j. NULL on failure. */
static cudnn_descriptor mask_causal(struct attention_cudnn *a, const struct attention_problem *p, const struct shapes *shapes,
				    cudnn_descriptor scores, struct error *err)
{
	cudnn_descriptor row = virtual_scores(a, shapes, CUDNN_INT32, err), column = virtual_scores(a, shapes, CUDNN_INT32, err);
	if (!row || !column ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_INDEX, .compute = CUDNN_FLOAT, .axis = 2, .x = scores, .y = row}, err) ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_INDEX, .compute = CUDNN_FLOAT, .axis = 3, .x = scores, .y = column}, err))
		return NULL;
	/* the engines know the pattern row + seqlen_k - seqlen_q, in two steps */
	for (int step = 0; step < 2 && p->seqlen_q != p->seqlen_k; step++) {
		cudnn_descriptor moved = virtual_scores(a, shapes, CUDNN_INT32, err);
		cudnn_descriptor length = scalar(a, CUDNN_INT32, step ? &a->seqlen_q : &a->seqlen_k, err);
		if (!moved || !length ||
		    pointwise(a, (struct pointwise){.mode = step ? CUDNN_SUBTRACT : CUDNN_ADD, .compute = CUDNN_INT32, .x = row,
						    .b = length, .y = moved}, err))
			return NULL;
		row = moved;
	}
	cudnn_descriptor keep = virtual_scores(a, shapes, CUDNN_BOOLEAN, err), masked = virtual_scores(a, shapes, CUDNN_FLOAT, err);
	cudnn_descriptor nothing = scalar(a, CUDNN_FLOAT, &a->minus_infinity, err);
	if (!keep || !masked || !nothing ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_GREATER_OR_EQUAL, .compute = CUDNN_BOOLEAN, .x = row, .b = column,
					    .y = keep}, err) ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_SELECT, .compute = CUDNN_FLOAT, .x = scores, .b = nothing, .t = keep,
					    .y = masked}, err))
		return NULL;
	return masked;
}

/* exp(s - max) / sum, in the type of the second product's input. NULL on failure. That the log-sum-exp, max + log sum, is in the
 * graph too, although nothing reads it, is by what cuDNN tells its flash attention from an older one (which its releases of
 * today do not have any more). */
static cudnn_descriptor softmax(struct attention_cudnn *a, const struct shapes *shapes, enum cudnn_number_type type,
				cudnn_descriptor scores, struct error *err)
{
	cudnn_descriptor largest = tensor(a, CUDNN_FLOAT, shapes->row, shapes->row_strides, VIRTUAL, NULL, err);
	cudnn_descriptor sum = tensor(a, CUDNN_FLOAT, shapes->row, shapes->row_strides, VIRTUAL, NULL, err);
	cudnn_descriptor below = virtual_scores(a, shapes, CUDNN_FLOAT, err), power = virtual_scores(a, shapes, CUDNN_FLOAT, err);
	cudnn_descriptor logarithm = tensor(a, CUDNN_FLOAT, shapes->row, shapes->row_strides, VIRTUAL, NULL, err);
	cudnn_descriptor lse = tensor(a, CUDNN_FLOAT, shapes->row, shapes->row_strides, VIRTUAL, NULL, err);
	cudnn_descriptor weights = virtual_scores(a, shapes, type, err);
	if (!largest || !sum || !below || !power || !logarithm || !lse || !weights ||
	    reduction(a, CUDNN_MAXIMUM, scores, largest, err) ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_SUBTRACT, .x = scores, .b = largest, .y = below}, err) ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_EXP, .x = below, .y = power}, err) ||
	    reduction(a, CUDNN_SUM, power, sum, err) ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_LOG, .x = sum, .y = logarithm}, err) ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_ADD, .x = largest, .b = logarithm, .y = lse}, err) ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_DIVIDE, .x = power, .b = sum, .y = weights}, err))
		return NULL;
	return weights;
}

/* Axes batch, head, position, dimension of an operand. */
static cudnn_descriptor operand(struct attention_cudnn *a, const struct attention_problem *p, const struct attention_operand *o,
				int64_t heads, int64_t length, int transposed, struct error *err)
{
	int64_t dims[4] = {p->batch, heads, length, p->head_dim};
	int64_t strides[4] = {o->batch_stride, o->head_stride, o->row_stride, 1};
	if (transposed) {
		dims[2] = p->head_dim, dims[3] = length;
		strides[2] = 1, strides[3] = o->row_stride;
	}
	return tensor(a, p->dtype == DTYPE_BF16 ? CUDNN_BFLOAT16 : CUDNN_HALF, dims, strides, ON_DEVICE, (void *)(uintptr_t)o->base,
		      err);
}

static int describe(struct attention_cudnn *a, const struct attention_problem *p, const struct attention_operand *o,
		    struct error *err)
{
	const struct shapes shapes = shapes_of(p);
	const struct attention_operand out = {a->output, o->batch_stride, o->row_stride, o->head_stride};
	const enum cudnn_number_type type = p->dtype == DTYPE_BF16 ? CUDNN_BFLOAT16 : CUDNN_HALF;
	cudnn_descriptor q = operand(a, p, &p->q, p->heads_q, p->seqlen_q, 0, err);
	cudnn_descriptor k = operand(a, p, &p->k, p->heads_k, p->seqlen_k, 1, err);
	cudnn_descriptor v = operand(a, p, &p->v, p->heads_k, p->seqlen_k, 0, err);
	cudnn_descriptor result = operand(a, p, &out, p->heads_q, p->seqlen_q, 0, err);
	cudnn_descriptor scores = virtual_scores(a, &shapes, CUDNN_FLOAT, err), scaled = virtual_scores(a, &shapes, CUDNN_FLOAT, err);
	cudnn_descriptor factor = scalar(a, CUDNN_FLOAT, &a->scale, err);
	if (!q || !k || !v || !result || !scores || !scaled || !factor || product(a, q, k, scores, err) ||
	    pointwise(a, (struct pointwise){.mode = CUDNN_MULTIPLY, .x = scores, .b = factor, .y = scaled}, err))
		return -1;
	cudnn_descriptor masked = p->window_right == 0 ? mask_causal(a, p, &shapes, scaled, err) : scaled;
	cudnn_descriptor weights = masked ? softmax(a, &shapes, type, masked, err) : NULL;
	return weights ? product(a, weights, v, result, err) : -1;
}

/* ---- the plan ------------------------------------------------------------------------------------------------------- */

static int64_t engine_index(struct attention_cudnn *a, cudnn_descriptor config)
{
	int64_t index = -1, count = 0;
	cudnn_descriptor engine = make(a, CUDNN_ENGINE, NULL);
	if (!engine || a->cudnn->descriptor_get(config, CUDNN_CONFIG_ENGINE, CUDNN_OF_DESCRIPTOR, 1, &count, &engine) ||
	    a->cudnn->descriptor_get(engine, CUDNN_ENGINE_INDEX, CUDNN_OF_INT64, 1, &count, &index))
		return -1;
	return index;
}

/* The first configuration of the list that a plan can be made from. 1: there is none, *err says why the last one failed. */
static int plan_from(struct attention_cudnn *a, cudnn_descriptor graph, enum cudnn_heuristic_mode mode, struct error *err)
{
	const int mode_value = mode;
	cudnn_descriptor configs[CONFIGS_MAX] = {NULL};
	int64_t count = 0;
	cudnn_descriptor heuristic = make(a, CUDNN_HEURISTIC, err);
	if (!heuristic || set_descriptor(a, heuristic, CUDNN_HEURISTIC_GRAPH, graph, err) ||
	    set(a, heuristic, CUDNN_HEURISTIC_MODE, CUDNN_OF_HEURISTIC_MODE, 1, &mode_value, err) ||
	    finalize(a, heuristic, "the choice of an engine", err))
		return 1;
	for (int i = 0; i < CONFIGS_MAX; i++)
		if (a->cudnn->descriptor_create(CUDNN_ENGINE_CONFIG, &configs[i]))
			configs[i] = NULL;
	cudnn_status status = a->cudnn->descriptor_get(heuristic, CUDNN_HEURISTIC_RESULTS, CUDNN_OF_DESCRIPTOR, CONFIGS_MAX, &count,
						       configs);
	if (status)
		cudnn_failed(a->cudnn, status, "the list of engines", err);
	else if (count <= 0)
		error_set(err, ERROR_UNSUPPORTED, "%s has no engine for this case", a->cudnn->name);
	for (int64_t i = 0; !status && i < count && i < CONFIGS_MAX && !a->plan; i++) {
		cudnn_descriptor plan = NULL;
		if (a->cudnn->descriptor_create(CUDNN_PLAN, &plan))
			break;
		if (set(a, plan, CUDNN_PLAN_HANDLE, CUDNN_OF_HANDLE, 1, &a->cudnn->handle, err) == 0 &&
		    set_descriptor(a, plan, CUDNN_PLAN_CONFIG, configs[i], err) == 0 && finalize(a, plan, "planning", err) == 0) {
			a->plan = plan;
			snprintf(a->note, sizeof a->note, "%s, engine %lld", a->cudnn->name, (long long)engine_index(a, configs[i]));
		} else {
			a->cudnn->descriptor_destroy(plan);
		}
	}
	for (int i = 0; i < CONFIGS_MAX; i++)
		if (configs[i])
			a->cudnn->descriptor_destroy(configs[i]);
	return !a->plan;
}

static int make_plan(struct attention_cudnn *a, struct error *err)
{
	struct error first = {0};
	cudnn_descriptor graph = make(a, CUDNN_GRAPH, err);
	if (!graph || set(a, graph, CUDNN_GRAPH_HANDLE, CUDNN_OF_HANDLE, 1, &a->cudnn->handle, err) ||
	    set(a, graph, CUDNN_GRAPH_OPERATIONS, CUDNN_OF_DESCRIPTOR, a->operation_count, a->operations, err) ||
	    finalize(a, graph, "the graph of attention", err))
		return -1;
	if (plan_from(a, graph, CUDNN_HEURISTIC_A, &first) && plan_from(a, graph, CUDNN_HEURISTIC_FALLBACK, err)) {
		*err = first; /* why the engines of choice do not do it, rather than those of need */
		return -1;
	}
	return 0;
}

static int make_pack(struct attention_cudnn *a, struct error *err)
{
	struct device *device = a->cudnn->device;
	int64_t bytes = 0, count = 0;
	const cudnn_status status = a->cudnn->descriptor_get(a->plan, CUDNN_PLAN_WORKSPACE, CUDNN_OF_INT64, 1, &count, &bytes);
	if (status)
		return cudnn_failed(a->cudnn, status, "the size of the workspace", err);
	if (bytes > 0 && device_alloc(device, (size_t)bytes, &a->workspace, err))
		return -1;
	void *workspace = (void *)(uintptr_t)a->workspace;
	a->pack = make(a, CUDNN_VARIANT_PACK, err);
	if (!a->pack || set(a, a->pack, CUDNN_PACK_IDS, CUDNN_OF_INT64, a->argument_count, a->ids, err) ||
	    set(a, a->pack, CUDNN_PACK_POINTERS, CUDNN_OF_POINTER, a->argument_count, a->addresses, err) ||
	    set(a, a->pack, CUDNN_PACK_WORKSPACE, CUDNN_OF_POINTER, 1, &workspace, err) || finalize(a, a->pack, "the arguments", err))
		return -1;
	return 0;
}

static int check_problem(const struct attention_problem *p, struct error *err)
{
	const char *what = p->cu_seqlens_q ? "sequences of various lengths"
			   : p->alibi != ALIBI_NONE ? "ALiBi"
			   : p->softcap > 0 ? "a softcap"
			   /* a window on the right that reaches the last key from the first query hides nothing */
			   : p->window_left >= 0 || (p->window_right > 0 && p->window_right < p->seqlen_k) ? "windows"
			   : NULL;
	if (what)
		return error_set(err, ERROR_UNSUPPORTED, "not asked of cuDNN here: %s", what);
	if (p->seqlen_q < 1 || p->seqlen_k < 1 || p->seqlen_q > INT32_MAX || p->seqlen_k > INT32_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "not asked of cuDNN here: empty sequences");
	return 0;
}

int attention_cudnn_prepare(struct cudnn *cudnn, const struct attention_problem *problem, const struct attention_operand *o,
			    size_t o_bytes, struct attention_cudnn **out, struct error *err)
{
	*out = NULL;
	if (check_problem(problem, err))
		return -1;
	struct attention_cudnn *a = calloc(1, sizeof *a);
	if (!a)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	a->cudnn = cudnn;
	a->scale = (float)problem->scale;
	/* what cuDNN takes for a score that is masked: the lowest number before 9.10, from then on minus infinity */
	a->minus_infinity = cudnn->release < 91000 ? -0x1.fffffep127f : -(float)INFINITY;
	a->seqlen_q = (int32_t)problem->seqlen_q;
	a->seqlen_k = (int32_t)problem->seqlen_k;
	a->output_bytes = o_bytes;
	const double start = monotonic_seconds();
	if (device_alloc(cudnn->device, o_bytes, &a->output, err) ||
	    cudnn->device->ops->fill(cudnn->device, a->output, 0x7fff, 2, o_bytes / 2, NULL, err) || describe(a, problem, o, err) ||
	    make_plan(a, err) || make_pack(a, err)) {
		attention_cudnn_free(a);
		return -1;
	}
	const size_t used = strlen(a->note);
	snprintf(a->note + used, sizeof a->note - used, ", planned in %.2f s", monotonic_seconds() - start);
	*out = a;
	return 0;
}

int attention_cudnn_enqueue(struct attention_cudnn *attention, struct device_stream *stream, struct error *err)
{
	struct cudnn *cudnn = attention->cudnn;
	struct device_stream *on = stream ? stream : cudnn->device->stream;
	cudnn_status status = cudnn->set_stream(cudnn->handle, (struct CUstream_st *)on);
	if (status)
		return cudnn_failed(cudnn, status, "cudnnSetStream", err);
	status = cudnn->execute(cudnn->handle, attention->plan, attention->pack);
	return status ? cudnn_failed(cudnn, status, "cudnnBackendExecute", err) : 0;
}

device_pointer attention_cudnn_output(const struct attention_cudnn *attention)
{
	return attention->output;
}

const char *attention_cudnn_note(const struct attention_cudnn *attention)
{
	return attention->note;
}

void attention_cudnn_free(struct attention_cudnn *attention)
{
	if (!attention)
		return;
	const struct cudnn *cudnn = attention->cudnn;
	if (attention->plan)
		cudnn->descriptor_destroy(attention->plan);
	for (int i = attention->descriptor_count; i-- > 0;)
		cudnn->descriptor_destroy(attention->descriptors[i]);
	device_free(cudnn->device, attention->workspace);
	device_free(cudnn->device, attention->output);
	free(attention);
}
