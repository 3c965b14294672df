/* The attention family: `run_mha`, FlashAttention forward as Candle's libflashattention.a exports it. */
#include "kernels/attention_state.h"

#include "core/util.h"
#include "judge/attention_rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- calling ---------------------------------------------------------------------------------------------------- */

/* candle-flash-attn 0.9.2-alpha.2, 0.9.2 and 0.10: src/ffi.rs */
typedef void (*run_mha_092)(void *q, void *k, void *v, void *o, void *softmax_lse, void *alibi_slopes, int32_t *cu_seqlens_q,
			    int32_t *cu_seqlens_k, uint32_t q_batch_stride, uint32_t k_batch_stride, uint32_t v_batch_stride,
			    uint32_t o_batch_stride, uint32_t alibi_slopes_batch_stride, uint32_t q_row_stride,
			    uint32_t k_row_stride, uint32_t v_row_stride, uint32_t o_row_stride, uint32_t q_head_stride,
			    uint32_t k_head_stride, uint32_t v_head_stride, uint32_t o_head_stride, uint32_t b, uint32_t h,
			    uint32_t h_k, uint32_t d, uint32_t d_rounded, float softmax_scale, uint32_t seqlen_q,
			    uint32_t seqlen_k, uint32_t seqlen_q_rounded, uint32_t seqlen_k_rounded, int is_bf16,
			    int is_causal, int unpadded_lse, int window_size_left, int window_size_right, float softcap);

/* candle-flash-attn 0.11: total_q behind the rounded lengths, then paging, prefix ranges and a stream at the end */
typedef void (*run_mha_011)(void *q, void *k, void *v, void *o, void *softmax_lse, void *alibi_slopes, int32_t *cu_seqlens_q,
			    int32_t *cu_seqlens_k, uint32_t q_batch_stride, uint32_t k_batch_stride, uint32_t v_batch_stride,
			    uint32_t o_batch_stride, uint32_t alibi_slopes_batch_stride, uint32_t q_row_stride,
			    uint32_t k_row_stride, uint32_t v_row_stride, uint32_t o_row_stride, uint32_t q_head_stride,
			    uint32_t k_head_stride, uint32_t v_head_stride, uint32_t o_head_stride, uint32_t b, uint32_t h,
			    uint32_t h_k, uint32_t d, uint32_t d_rounded, float softmax_scale, uint32_t seqlen_q,
			    uint32_t seqlen_k, uint32_t seqlen_q_rounded, uint32_t seqlen_k_rounded, uint32_t total_q,
			    int is_bf16, int is_causal, int unpadded_lse, int window_size_left, int window_size_right,
			    float softcap, int32_t *block_table, uint32_t block_table_batch_stride, int page_block_size,
			    int32_t *mm_prefix_ranges, uint32_t mm_prefix_range_batch_stride, int max_mm_prefix_ranges,
			    void *stream);

enum profile { PROFILE_092, PROFILE_011 };
static const char *const profiles[] = {"0.9.2", "0.11", NULL};

struct attention_windows attention_call_windows(const struct attention_params *params)
{
	int64_t left = params->window_left, right = params->window_right;
	if (left > params->seqlen_k)
		left = -1;
	if (right > params->seqlen_k)
		right = -1;
	struct attention_windows windows = {.is_causal = left < 0 && right == 0};
	if (left < 0 && right >= 0)
		left = params->seqlen_k;
	else if (left >= 0 && right < 0)
		right = params->seqlen_k;
	windows.left = (int)left;
	windows.right = (int)right;
	return windows;
}

static int64_t round_up(int64_t value, int64_t multiple)
{
	return (value + multiple - 1) / multiple * multiple;
}

/* Strides of an operand in the order run_mha takes them; varlen has no batch axis and passes 0 for it. */
static struct attention_operand operand_of(const struct attention_params *params, const struct tensor *tensor,
					   device_pointer base)
{
	const int64_t *strides = tensor->strides;
	if (params->varlen)
		return (struct attention_operand){base, 0, strides[0], strides[1]};
	return (struct attention_operand){base, strides[0], strides[1], strides[2]};
}

static device_pointer data_of(const struct binding *binding, const struct tensor *tensor)
{
	return tensor ? binding->tensors[tensor - binding->test->tensors].data : 0;
}

static void *pointer(device_pointer address)
{
	return (void *)(uintptr_t)address;
}

static void attention_call(const struct binding *binding)
{
	struct attention_params p;
	if (attention_params_of(binding->test, &p, NULL))
		return; /* cannot be: check_case has passed */
	const struct attention_operand q = operand_of(&p, p.q, data_of(binding, p.q));
	const struct attention_operand k = operand_of(&p, p.k, data_of(binding, p.k));
	const struct attention_operand v = operand_of(&p, p.v, data_of(binding, p.v));
	const struct attention_operand o = operand_of(&p, p.o, data_of(binding, p.o));
	const struct attention_windows windows = attention_call_windows(&p);
	const uint32_t slope_stride = p.alibi == 2 ? (uint32_t)p.heads_q : 0;
	const int unpadded = p.varlen && !p.lse_padded, bf16 = p.dtype == DTYPE_BF16;
	void *const lse = pointer(data_of(binding, p.lse)), *const slopes = pointer(data_of(binding, p.slopes));
	int32_t *const lengths_q = pointer(data_of(binding, p.cu_seqlens_q));
	int32_t *const lengths_k = pointer(data_of(binding, p.cu_seqlens_k));
	/* the batch strides of a 4-D tensor do not fit 32 bits for every size; supports() has refused those */
#define COMMON                                                                                                              \
	pointer(q.base), pointer(k.base), pointer(v.base), pointer(o.base), lse, slopes, lengths_q, lengths_k,              \
		(uint32_t)q.batch_stride, (uint32_t)k.batch_stride, (uint32_t)v.batch_stride, (uint32_t)o.batch_stride,     \
		slope_stride, (uint32_t)q.row_stride, (uint32_t)k.row_stride, (uint32_t)v.row_stride,                       \
		(uint32_t)o.row_stride, (uint32_t)q.head_stride, (uint32_t)k.head_stride, (uint32_t)v.head_stride,          \
		(uint32_t)o.head_stride, (uint32_t)p.batch, (uint32_t)p.heads_q, (uint32_t)p.heads_k, (uint32_t)p.head_dim, \
		(uint32_t)round_up(p.head_dim, 32), (float)p.scale, (uint32_t)p.seqlen_q, (uint32_t)p.seqlen_k,             \
		(uint32_t)round_up(p.seqlen_q, 128), (uint32_t)round_up(p.seqlen_k, 128)
	/* a function pointer may not be cast from void * in ISO C; POSIX dlsym demands that it works */
	if (binding->abi == PROFILE_092) {
		run_mha_092 run_mha;
		memcpy(&run_mha, &binding->entry, sizeof run_mha);
		run_mha(COMMON, bf16, windows.is_causal, unpadded, windows.left, windows.right, (float)p.softcap);
	} else {
		run_mha_011 run_mha;
		memcpy(&run_mha, &binding->entry, sizeof run_mha);
		run_mha(COMMON, (uint32_t)p.total_q, bf16, windows.is_causal, unpadded, windows.left, windows.right,
			(float)p.softcap, NULL, 0, -1, NULL, 0, 0, NULL);
	}
#undef COMMON
}

static int attention_supports(const struct test_case *test, int abi, const struct device_properties *device,
			      struct error *err)
{
	struct attention_params p;
	if (attention_params_of(test, &p, err))
		return -1;
	const int64_t most = abi == PROFILE_011 ? 512 : 256;
	if (p.head_dim > most)
		return error_set(err, ERROR_UNSUPPORTED, "head_dim %lld is beyond the %lld of Candle %s", (long long)p.head_dim,
				 (long long)most, profiles[abi]);
	if (device->kind == DEVICE_CUDA && device->cc_major < 8)
		return error_set(err, ERROR_UNSUPPORTED, "FlashAttention-2 needs compute capability 8.0 or newer; %s is %d.%d",
				 device->name, device->cc_major, device->cc_minor);
	const struct tensor *operands[] = {p.q, p.k, p.v, p.o};
	for (size_t i = 0; i < ARRAY_COUNT(operands); i++) {
		for (int axis = 0; axis + 1 < operands[i]->rank; axis++) {
			const int64_t stride = operands[i]->strides[axis];
			if (stride > UINT32_MAX || (operands[i]->dims[axis] > 1 && stride % 8))
				return error_set(err, ERROR_UNSUPPORTED,
						 "stride %lld of %s is no multiple of 8 elements within 32 bits",
						 (long long)stride, operands[i]->name);
		}
		if (operands[i]->offset % 8)
			return error_set(err, ERROR_UNSUPPORTED, "%s does not start on 16 bytes", operands[i]->name);
	}
	return 0;
}

static int attention_promise(const struct test_case *test, int abi, const struct tensor *output,
			     struct output_promise *promise, struct error *err)
{
	struct attention_params p;
	*promise = (struct output_promise){.kind = PROMISE_ALL};
	if (attention_params_of(test, &p, err))
		return -1;
	if (!p.varlen || output != p.lse)
		return 0;
	if (!p.lse_padded) {
		/* The kernels of 0.9.2 to 0.10 take the distance between heads of an unpadded LSE from params.total_q
		 * (flash_fwd_kernel.h, get_lse_tile), and run_mha of those releases never sets it: every head writes to the
		 * first total_q elements. Candle never reads this LSE. 0.11 passes total_q. */
		if (abi == PROFILE_092 && p.heads_q > 1) {
			promise->kind = PROMISE_NOTHING;
			snprintf(promise->why, sizeof promise->why,
				 "Candle before 0.11 gives run_mha no total_q, so the heads of an unpadded LSE overlap");
		}
		return 0;
	}
	promise->kind = PROMISE_REGIONS;
	promise->regions = calloc((size_t)p.batch, sizeof *promise->regions);
	if (!promise->regions)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	const int32_t *lengths = p.cu_seqlens_q->data;
	for (int64_t entry = 0; entry < p.batch; entry++)
		promise->regions[promise->region_count++] = (struct output_region){
			.offset = entry * p.heads_q * p.seqlen_q,
			.rank = 2,
			.dims = {p.heads_q, lengths[entry + 1] - lengths[entry]},
			.strides = {p.seqlen_q, 1},
		};
	return 0;
}

/* ---- reference and judgement ------------------------------------------------------------------------------------- */

static void attention_close(void *opaque)
{
	struct attention_state *state = opaque;
	if (!state)
		return;
	cudnn_close(state->cudnn);
	attention_reference_close(state->reference);
	free(state);
}

static int attention_open(void **out, struct device *device, struct error *err)
{
	struct attention_state *state = calloc(1, sizeof *state);
	if (!state)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	state->device = device;
	/* scores of one block of rows: a quarter of the memory, at most 8 GiB */
	state->workspace_limit = device->properties.memory_bytes / 4;
	if (state->workspace_limit > (size_t)8 << 30)
		state->workspace_limit = (size_t)8 << 30;
	if (attention_reference_open(&state->reference, device, err)) {
		attention_close(state);
		return -1;
	}
	*out = state;
	return 0;
}

void attention_problem_of(const struct attention_params *p, const struct binding *binding, struct attention_problem *problem)
{
	const struct attention_windows windows = attention_call_windows(p);
	*problem = (struct attention_problem){
		.dtype = p->dtype,
		.batch = p->batch,
		.heads_q = p->heads_q,
		.heads_k = p->heads_k,
		.head_dim = p->head_dim,
		.seqlen_q = p->seqlen_q,
		.seqlen_k = p->seqlen_k,
		.cu_seqlens_q = p->varlen ? p->cu_seqlens_q->data : NULL,
		.cu_seqlens_k = p->varlen ? p->cu_seqlens_k->data : NULL,
		.q = operand_of(p, p->q, data_of(binding, p->q)),
		.k = operand_of(p, p->k, data_of(binding, p->k)),
		.v = operand_of(p, p->v, data_of(binding, p->v)),
		/* a causal kernel looks at the right side alone */
		.window_left = windows.is_causal ? -1 : windows.left,
		.window_right = windows.right,
		/* run_mha takes both as float32: that value is what the reference has to work with */
		.scale = (double)(float)p->scale,
		.softcap = (double)(float)p->softcap,
		.alibi = !p->alibi ? ALIBI_NONE : windows.is_causal ? ALIBI_CAUSAL : ALIBI_DISTANCE,
		.slopes = p->slopes ? p->slopes->data : NULL,
		.slope_batch_stride = p->alibi == 2 ? p->heads_q : 0,
		.exact_values = p->exact_values,
	};
}

/* Where each row of the reference lies in the outputs, in elements: o (first lane) and lse. */
static int row_offsets(const struct attention_params *p, int64_t rows, int64_t *o, int64_t *lse, struct error *err)
{
	int64_t row = 0;
	if (!p->varlen) {
		for (int64_t b = 0; b < p->batch; b++)
			for (int64_t h = 0; h < p->heads_q; h++)
				for (int64_t i = 0; i < p->seqlen_q; i++, row++) {
					o[row] = b * p->o->strides[0] + i * p->o->strides[1] + h * p->o->strides[2];
					lse[row] = row;
				}
	} else {
		const int32_t *lengths = p->cu_seqlens_q->data;
		for (int64_t h = 0; h < p->heads_q; h++)
			for (int64_t b = 0; b < p->batch; b++)
				for (int64_t i = 0; i < lengths[b + 1] - lengths[b]; i++, row++) {
					o[row] = (lengths[b] + i) * p->o->strides[0] + h * p->o->strides[1];
					lse[row] = p->lse_padded ? (b * p->heads_q + h) * p->seqlen_q + i : row;
				}
	}
	if (row != rows)
		return error_set(err, ERROR_INTERNAL, "the reference has %lld rows, the case %lld", (long long)rows,
				 (long long)row);
	return 0;
}

static int upload(struct device *device, const void *from, size_t bytes, device_pointer *out, struct error *err)
{
	if (device_alloc(device, bytes ? bytes : 1, out, err))
		return -1;
	return device->ops->copy_in(device, *out, from, bytes, NULL, err);
}

/* What the judge needs for one case, beside the reference. */
struct measurement {
	struct attention_params params;
	struct attention_result reference;
	device_pointer o_offsets, lse_offsets; /* i64 [rows] */
	int64_t *host_offsets;                 /* [2 * rows] */
	double *slacks;                        /* [groups] */
	int64_t *keys, *first_rows;            /* [groups] */
	struct judge_numbers out, low, lse;
};

static void measurement_free(struct attention_state *state, struct measurement *m)
{
	attention_result_free(state->reference, &m->reference);
	device_free(state->device, m->o_offsets);
	device_free(state->device, m->lse_offsets);
	free(m->host_offsets);
	free(m->slacks);
	free(m->keys);
	free(m->first_rows);
	judge_numbers_free(&m->out);
	judge_numbers_free(&m->low);
	judge_numbers_free(&m->lse);
}

/* seqlen_k and the row of query 0 of every group (batch entry and head). */
static int describe_groups(struct measurement *m, struct error *err)
{
	const struct attention_params *p = &m->params;
	const int64_t groups = p->batch * p->heads_q;
	m->slacks = calloc((size_t)groups, sizeof *m->slacks);
	m->keys = calloc((size_t)groups, sizeof *m->keys);
	m->first_rows = calloc((size_t)groups, sizeof *m->first_rows);
	if (!m->slacks || !m->keys || !m->first_rows)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (int64_t group = 0; group < groups; group++) {
		const int64_t b = group / p->heads_q, h = group % p->heads_q;
		if (p->varlen) {
			const int32_t *q = p->cu_seqlens_q->data, *k = p->cu_seqlens_k->data;
			m->keys[group] = k[b + 1] - k[b];
			m->first_rows[group] = h * p->total_q + q[b];
		} else {
			m->keys[group] = p->seqlen_k;
			m->first_rows[group] = group * p->seqlen_q;
		}
	}
	return 0;
}

static int lse_is_promised(const struct attention_params *params, const struct binding *binding)
{
	struct output_promise promise;
	if (attention_promise(binding->test, binding->abi, params->lse, &promise, NULL))
		return 0;
	free(promise.regions);
	return promise.kind != PROMISE_NOTHING;
}

static int attention_family_judge(void *opaque, const struct binding *binding, struct judge *judge, enum dtype precision,
				  struct judgement *out, struct error *err)
{
	struct attention_state *state = opaque;
	struct measurement m = {0};
	struct attention_problem problem;
	int result = -1;
	if (attention_params_of(binding->test, &m.params, err))
		return -1;
	const struct attention_params *p = &m.params;
	attention_problem_of(p, binding, &problem);
	const struct attention_options options = {
		.precision = precision, .workspace_limit = state->workspace_limit, .want_low = 1, .want_magnitude = 1};
	if (attention_reference_run(state->reference, &problem, &options, &m.reference, err) || describe_groups(&m, err))
		goto done;
	const int64_t rows = m.reference.rows, groups = m.reference.heads;
	if (rows == 0) { /* every sequence is empty: nothing was asked for, so nothing can show */
		judgement_mistrust(out, "the case has no query");
		result = 0;
		goto done;
	}
	m.host_offsets = calloc((size_t)(rows ? rows : 1) * 2, sizeof *m.host_offsets);
	if (!m.host_offsets) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	const size_t offset_bytes = (size_t)rows * sizeof(int64_t);
	if (row_offsets(p, rows, m.host_offsets, m.host_offsets + rows, err) ||
	    upload(state->device, m.host_offsets, offset_bytes, &m.o_offsets, err) ||
	    upload(state->device, m.host_offsets + rows, offset_bytes, &m.lse_offsets, err))
		goto done;

	const struct attention_rule_input rule = {
		.dtype = p->dtype,
		.reference = precision,
		.groups = groups,
		.heads = p->heads_q,
		.head_dim = p->head_dim,
		.softcap = problem.softcap,
		.logit_magnitude = m.reference.logit_magnitude,
		.logit_max = m.reference.logit_max,
		.value_sum = m.reference.value_sum,
		.keys = m.keys,
		.first_row = m.first_rows,
	};
	attention_slacks(&rule, m.slacks);
	const struct judge_input of_output = {
		.dtype = p->dtype,
		.value = data_of(binding, p->o),
		.row_offset = m.o_offsets,
		.rows = rows,
		.columns = p->head_dim,
		.groups = groups,
		.reference = m.reference.o,
		.magnitude = m.reference.magnitude,
		.row_class = m.reference.row_class,
		.row_group = m.reference.row_group,
		.absolute_slack = m.slacks,
	};
	struct judge_input of_low = of_output, of_lse = of_output;
	of_low.dtype = DTYPE_F64;
	of_low.value = m.reference.low_o;
	of_low.row_offset = 0;
	of_lse.dtype = DTYPE_F32;
	of_lse.value = data_of(binding, p->lse);
	of_lse.row_offset = m.lse_offsets;
	of_lse.columns = 1;
	of_lse.reference = m.reference.lse;
	of_lse.magnitude = 0;
	of_lse.absolute_slack = NULL;
	of_lse.is_lse = 1;
	const int with_lse = lse_is_promised(p, binding);
	if (judge_compare(judge, &of_output, &m.out, err) || judge_compare(judge, &of_low, &m.low, err) ||
	    (with_lse && judge_compare(judge, &of_lse, &m.lse, err)) ||
	    attention_judge(&m.out, &m.low, with_lse ? &m.lse : NULL, &rule, out, err))
		goto done;
	result = 0;
done:
	measurement_free(state, &m);
	return result;
}

/* Lays reference rows (their own order) into an expected tensor shaped like the output. */
static int add_expected(struct attention_state *state, struct test_case *test, const struct tensor *output,
			device_pointer values, const int64_t *offsets, int64_t rows, int64_t columns, struct error *err)
{
	int result = -1;
	const size_t bytes = sizeof(double) * (size_t)rows * (size_t)columns;
	double *host = malloc(bytes ? bytes : 1);
	int64_t strides[TENSOR_RANK_MAX];
	/* the strides of the output, so that the same offsets lead to the same elements */
	memcpy(strides, output->strides, sizeof strides);
	struct tensor *expected =
		case_add_tensor(test, output->name, TENSOR_EXPECTED, DTYPE_F64, output->rank, output->dims, strides, err);
	if (!host || !expected || tensor_allocate(expected, err)) {
		if (!host)
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (bytes && state->device->ops->copy_out(state->device, host, values, bytes, NULL, err))
		goto done;
	for (int64_t row = 0; row < rows; row++)
		memcpy((double *)expected->data + offsets[row], host + row * columns, sizeof *host * (size_t)columns);
	snprintf(expected->generator, sizeof expected->generator, "reference f64");
	result = 0;
done:
	free(host);
	return result;
}

static int attention_expect(void *opaque, const struct binding *binding, struct test_case *test, struct error *err)
{
	struct attention_state *state = opaque;
	struct measurement m = {0};
	struct attention_problem problem;
	int result = -1;
	if (attention_params_of(binding->test, &m.params, err))
		return -1;
	attention_problem_of(&m.params, binding, &problem);
	const struct attention_options options = {.precision = DTYPE_F64, .workspace_limit = state->workspace_limit};
	if (attention_reference_run(state->reference, &problem, &options, &m.reference, err))
		goto done;
	const int64_t rows = m.reference.rows;
	m.host_offsets = calloc((size_t)(rows ? rows : 1) * 2, sizeof *m.host_offsets);
	if (!m.host_offsets) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (row_offsets(&m.params, rows, m.host_offsets, m.host_offsets + rows, err) ||
	    add_expected(state, test, m.params.o, m.reference.o, m.host_offsets, rows, m.params.head_dim, err) ||
	    add_expected(state, test, m.params.lse, m.reference.lse, m.host_offsets + rows, rows, 1, err))
		goto done;
	result = 0;
done:
	measurement_free(state, &m);
	return result;
}

static int attention_work(const struct test_case *test, struct work *work, struct error *err)
{
	struct attention_params p;
	struct attention_problem problem;
	struct binding nowhere = {.test = test};
	if (attention_params_of(test, &p, err))
		return -1;
	attention_problem_of(&p, &nowhere, &problem);
	work->flops = 4.0 * (double)p.head_dim * (double)attention_visible_pairs(&problem);
	work->bytes = 0;
	for (int i = 0; i < test->tensor_count; i++)
		if (test->tensors[i].role != TENSOR_EXPECTED)
			work->bytes += (double)tensor_elements(&test->tensors[i]) * (double)dtype_size(test->tensors[i].dtype);
	return 0;
}

static const char *const entry_points[] = {"run_mha", NULL};

const struct family attention_family = {
	.name = "attention",
	.axes = attention_axes,
	.defaults = attention_defaults,
	.entry_points = entry_points,
	.profiles = profiles,
	.make_case = attention_make_case,
	.fill = attention_fill,
	.check_case = attention_check_case,
	.supports = attention_supports,
	.promise = attention_promise,
	.call = attention_call,
	.open = attention_open,
	.close = attention_close,
	.judge = attention_family_judge,
	.expect = attention_expect,
	.work = attention_work,
	.reaches = attention_reaches,
	.baselines = attention_baselines,
};
