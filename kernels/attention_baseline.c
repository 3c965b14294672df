/* What run_mha is timed against: the unfused chain over cuBLAS, and cuDNN's fused attention. */
#include "kernels/attention_state.h"

#include "reference/attention_cudnn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the unfused chain ---- */

static int chain_open(void *opaque, const struct baseline_options *options, const struct binding *binding, void **baseline,
		      char note[BASELINE_NOTE_MAX], struct error *err)
{
	struct attention_state *state = opaque;
	struct attention_params p;
	struct attention_problem problem;
	struct attention_chain *chain;
	(void)options;
	if (attention_params_of(binding->test, &p, err))
		return -1;
	attention_problem_of(&p, binding, &problem);
	if (attention_chain_prepare(state->reference, &problem, state->workspace_limit, &chain, err))
		return -1;
	snprintf(note, BASELINE_NOTE_MAX, "%s", state->device->properties.gemm_library);
	*baseline = chain;
	return 0;
}

static int chain_enqueue(void *baseline, struct device_stream *stream, struct error *err)
{
	return attention_chain_enqueue(baseline, stream, err);
}

static void chain_close(void *baseline)
{
	attention_chain_free(baseline);
}

static const struct family_baseline chain_baseline = {
	.name = "unfused",
	.open = chain_open,
	.enqueue = chain_enqueue,
	.close = chain_close,
};

/* ---- cuDNN ---- */

struct cudnn_baseline {
	struct device *device;
	struct attention_cudnn *attention;
};

static void cudnn_baseline_close(void *opaque)
{
	struct cudnn_baseline *baseline = opaque;
	attention_cudnn_free(baseline->attention);
	free(baseline);
}

static int64_t rows_of(const struct tensor *o)
{
	return o->dims[0] * o->dims[1] * o->dims[2]; /* batch, position, head; head_dim is the last axis */
}

/* Element at which row `row` of the output starts, in the order batch, head, position. */
static int64_t row_start(const struct tensor *o, int64_t row)
{
	const int64_t i = row % o->dims[1], h = row / o->dims[1] % o->dims[2], b = row / o->dims[1] / o->dims[2];
	return b * o->strides[0] + i * o->strides[1] + h * o->strides[2];
}

static int cudnn_baseline_open(void *opaque, const struct baseline_options *options, const struct binding *binding, void **out,
			       char note[BASELINE_NOTE_MAX], struct error *err)
{
	struct attention_state *state = opaque;
	struct attention_params p;
	struct attention_problem problem;
	if (attention_params_of(binding->test, &p, err))
		return -1;
	attention_problem_of(&p, binding, &problem);
	if (!state->cudnn && state->cudnn_missing.kind == ERROR_NONE)
		cudnn_open(&state->cudnn, state->device, options->cudnn, &state->cudnn_missing);
	if (!state->cudnn) {
		*err = state->cudnn_missing;
		return -1;
	}
	struct cudnn_baseline *baseline = calloc(1, sizeof *baseline);
	if (!baseline)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	baseline->device = state->device;
	/* cases of various lengths have three axes: they are refused below before the operand is looked at */
	const int rank = p.o->rank;
	const struct attention_operand o = {0, rank == 4 ? p.o->strides[0] : 0, p.o->strides[rank - 3], p.o->strides[rank - 2]};
	const size_t bytes = rank == 4 && rows_of(p.o) ? (size_t)(row_start(p.o, rows_of(p.o) - 1) + p.head_dim) * 2 : 2;
	if (attention_cudnn_prepare(state->cudnn, &problem, &o, bytes, &baseline->attention, err)) {
		cudnn_baseline_close(baseline);
		return -1;
	}
	snprintf(note, BASELINE_NOTE_MAX, "%s", attention_cudnn_note(baseline->attention));
	*out = baseline;
	return 0;
}

static int cudnn_baseline_enqueue(void *opaque, struct device_stream *stream, struct error *err)
{
	struct cudnn_baseline *baseline = opaque;
	return attention_cudnn_enqueue(baseline->attention, stream, err);
}

/* CHECKED_ROWS spread over batch, heads and positions show a wrong mask, scale or layout as well as all would. Two right
 * results in f16 or bf16 differ by 4e-4 or 3e-3 of their norm (each is 2.7e-4 or 2.2e-3 from float64, docs/figures.md and
 * eight times that); computing something else shows as 0.1 and more. */
enum { CHECKED_ROWS = 256 };
static const double agreement = 0.02;

static int cudnn_baseline_check(void *opaque, const struct binding *binding, struct error *err)
{
	struct cudnn_baseline *baseline = opaque;
	const struct device_ops *ops = baseline->device->ops;
	struct attention_params p;
	if (attention_params_of(binding->test, &p, err))
		return -1;
	const struct bound_tensor *o = binding_find(binding, p.o->name, TENSOR_OUTPUT);
	const int64_t rows = rows_of(p.o), count = rows < CHECKED_ROWS ? rows : CHECKED_ROWS;
	const size_t bytes = (size_t)p.head_dim * 2;
	double difference = 0, norm = 0;
	uint16_t *ours = malloc(2 * bytes), *theirs = ours ? ours + p.head_dim : NULL;
	if (!ours)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (int64_t n = 0; n < count; n++) {
		const int64_t start = row_start(p.o, count > 1 ? n * (rows - 1) / (count - 1) : 0);
		if (ops->copy_out(baseline->device, ours, o->data + (device_pointer)start * 2, bytes, NULL, err) ||
		    ops->copy_out(baseline->device, theirs,
				  attention_cudnn_output(baseline->attention) + (device_pointer)start * 2, bytes, NULL, err)) {
			free(ours);
			return -1;
		}
		for (int64_t i = 0; i < p.head_dim; i++) {
			const double expected = dtype_load(p.dtype, ours, (size_t)i),
				     got = dtype_load(p.dtype, theirs, (size_t)i);
			difference += (got - expected) * (got - expected);
			norm += expected * expected;
		}
	}
	free(ours);
	if (!(sqrt(difference) <= agreement * sqrt(norm)))
		return error_set(err, ERROR_UNSUPPORTED, "computes something else: %.3g of the output's norm away from it",
				 sqrt(difference / norm));
	return 0;
}

static const struct family_baseline cudnn_baseline = {
	.name = "cudnn",
	.plans = 1,
	.open = cudnn_baseline_open,
	.enqueue = cudnn_baseline_enqueue,
	.check = cudnn_baseline_check,
	.close = cudnn_baseline_close,
};

const struct family_baseline *const attention_baselines[] = {&chain_baseline, &cudnn_baseline, NULL};
