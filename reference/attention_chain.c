/* The unfused chain as people run it without a fused kernel: two batched matrix products with a softmax between them,
 * over the whole rectangle of scores. */
#include "reference/attention_launch.h"

#include <stdlib.h>

/* One batch entry of a varlen problem, or all of a dense one. */
struct chain_entry {
	struct device_gemm scores, output;
	struct attention_block block;
};

struct attention_chain {
	struct device *device;
	const struct attention_kernels *kernels; /* the reference's */
	enum dtype dtype;
	device_pointer memory, slopes;
	int64_t count;
	struct chain_entry entries[];
};

static int64_t entry_groups(const struct attention_problem *problem)
{
	return problem->cu_seqlens_q ? problem->heads_k : problem->batch * problem->heads_k;
}

static size_t take(size_t *end, size_t elements)
{
	const size_t start = *end;
	*end += (elements * 2 + 255) / 256 * 256;
	return start;
}

/* Lays an entry out from *end on; `base` is added to every address. */
static struct chain_entry lay_out(const struct attention_problem *p, int64_t index, device_pointer base, size_t *end)
{
	const struct attention_lengths lengths = attention_lengths(p, index);
	const int64_t ratio = p->heads_q / p->heads_k, groups = entry_groups(p), d = p->head_dim;
	const int64_t rows = lengths.seqlen_q * ratio, keys = lengths.seqlen_k, leading = (keys + 7) / 8 * 8;
	const device_pointer q = base + take(end, (size_t)(groups * rows * d)), k = base + take(end, (size_t)(groups * keys * d));
	const device_pointer v = base + take(end, (size_t)(groups * keys * d));
	const device_pointer s = base + take(end, (size_t)(groups * rows * leading));
	const device_pointer o = base + take(end, (size_t)(groups * rows * d));
	const int64_t far = ATTENTION_LENGTH_MAX;

	return (struct chain_entry){
		.scores = {.m = rows, .n = keys, .k = d, .batch = groups, .alpha = p->scale, .a = q, .lda = d, .stride_a = rows * d,
			   .b = k, .ldb = d, .stride_b = keys * d, .transpose_b = 1, .c = s, .ldc = leading,
			   .stride_c = rows * leading, .input = p->dtype, .output = p->dtype},
		.output = {.m = rows, .n = d, .k = keys, .batch = groups, .alpha = 1, .a = s, .lda = leading,
			   .stride_a = rows * leading, .b = v, .ldb = d, .stride_b = keys * d, .c = o, .ldc = d,
			   .stride_c = rows * d, .input = p->dtype, .output = p->dtype},
		.block = {.group_stride = rows * leading, .row_stride = leading, .groups = (int32_t)groups,
			  .rows = (int32_t)rows, .ratio = (int32_t)ratio, .columns = (int32_t)keys, .seqlen_k = (int32_t)keys,
			  .offset = (int32_t)(keys - lengths.seqlen_q),
			  .window_left = (int32_t)(p->window_left < far ? p->window_left : far),
			  .window_right = (int32_t)(p->window_right < far ? p->window_right : far),
			  .alibi = (int32_t)p->alibi, .head_base = (int32_t)(index * p->heads_q), .softcap = p->softcap,
			  .inverse_softcap = p->softcap > 0 ? 1 / p->softcap : 0},
	};
}

static int gather_operand(const struct attention_chain *chain, const struct attention_problem *p,
			  const struct attention_operand *operand, int64_t b, int64_t start, int64_t ratio, int64_t rows,
			  device_pointer to, struct error *err)
{
	const device_pointer from =
		operand->base + (device_pointer)(2 * (b * operand->batch_stride + start * operand->row_stride));
	const struct attention_gather gather = {
		.batch_stride = operand->batch_stride, .row_stride = operand->row_stride, .head_stride = operand->head_stride,
		.groups = (int32_t)entry_groups(p), .rows = (int32_t)rows, .columns = (int32_t)p->head_dim,
		.heads_k = (int32_t)p->heads_k, .ratio = (int32_t)ratio, .is_bf16 = p->dtype == DTYPE_BF16,
	};

	return launch_gather(chain->kernels, p->dtype, from, to, &gather, NULL, err);
}

static int copy_slopes(struct attention_chain *chain, const struct attention_problem *p, struct error *err)
{
	const size_t heads = (size_t)(p->batch * p->heads_q);
	float *const slopes = malloc(heads * sizeof *slopes);
	int failed;

	if (!slopes)
		return error_set(err, ERROR_ENVIRONMENT, "unfused chain: out of memory for %zu slopes", heads);
	for (size_t n = 0; n < heads; n++)
		slopes[n] = attention_slope(p, (int64_t)n / p->heads_q, (int64_t)n % p->heads_q);
	failed = chain->device->ops->copy_in(chain->device, chain->slopes, slopes, heads * sizeof *slopes, NULL, err);
	free(slopes);
	return failed;
}

int attention_chain_prepare(struct attention_reference *reference, const struct attention_problem *problem,
			    size_t workspace_limit, struct attention_chain **out, struct error *err)
{
	struct device *const device = reference->device;
	const int64_t count = problem->cu_seqlens_q ? problem->batch : 1, ratio = problem->heads_q / problem->heads_k;
	struct attention_chain *chain = NULL;
	size_t bytes = 0, end = 0;

	*out = NULL;
	if (device->properties.kind != DEVICE_CUDA)
		return error_set(err, ERROR_UNSUPPORTED, "the unfused chain is a baseline for GPUs: none on device %s",
				 device->properties.id);
	if (attention_problem_check(problem, err))
		return -1;
	if (entry_groups(problem) > 65535 || problem->seqlen_q * ratio * entry_groups(problem) > INT32_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "unfused chain: too many heads or rows for one batch of products");
	for (int64_t index = 0; index < count; index++) {
		const struct chain_entry entry = lay_out(problem, index, 0, &bytes);
		/* checked here, one entry at a time, so that the sum cannot wrap */
		if (bytes > workspace_limit || entry.scores.m < 0)
			return error_set(err, ERROR_UNSUPPORTED,
					 "unfused chain: its scores and operands need more than the limit of %zu MiB",
					 workspace_limit >> 20);
	}
	chain = calloc(1, sizeof *chain + (size_t)count * sizeof chain->entries[0]);
	if (!chain)
		return error_set(err, ERROR_ENVIRONMENT, "unfused chain: out of memory");
	chain->device = device;
	chain->dtype = problem->dtype;
	chain->kernels = cuda_reference_kernels(reference->cuda);
	if (device_alloc(device, bytes, &chain->memory, err) ||
	    device_alloc(device, (size_t)(problem->batch * problem->heads_q) * sizeof(float), &chain->slopes, err))
		goto failed;
	if (problem->alibi != ALIBI_NONE && copy_slopes(chain, problem, err))
		goto failed;
	for (int64_t index = 0; index < count; index++) {
		const struct attention_lengths lengths = attention_lengths(problem, index);
		struct chain_entry *const entry = &chain->entries[chain->count];

		*entry = lay_out(problem, index, chain->memory, &end);
		entry->block.slopes = chain->slopes;
		if (lengths.seqlen_q == 0 || lengths.seqlen_k == 0)
			continue;
		chain->count++;
		if (gather_operand(chain, problem, &problem->q, index, lengths.start_q, ratio, entry->block.rows,
				   entry->scores.a, err) ||
		    gather_operand(chain, problem, &problem->k, index, lengths.start_k, 1, lengths.seqlen_k, entry->scores.b,
				   err) ||
		    gather_operand(chain, problem, &problem->v, index, lengths.start_k, 1, lengths.seqlen_k, entry->output.b,
				   err))
			goto failed;
	}
	/* The chain may be queued on any stream: its operands must be there. */
	if (device_synchronize(device, err))
		goto failed;
	*out = chain;
	return 0;
failed:
	attention_chain_free(chain);
	return -1;
}

int attention_chain_enqueue(struct attention_chain *chain, struct device_stream *stream, struct error *err)
{
	const struct device_ops *const ops = chain->device->ops;

	for (int64_t n = 0; n < chain->count; n++) {
		const struct chain_entry *const entry = &chain->entries[n];
		if (ops->gemm(chain->device, &entry->scores, stream, err) ||
		    launch_softmax(chain->kernels, chain->dtype, entry->scores.c, &entry->block, stream, err) ||
		    ops->gemm(chain->device, &entry->output, stream, err))
			return error_context(err, "unfused chain");
	}
	return 0;
}

device_pointer attention_chain_output(const struct attention_chain *chain)
{
	return chain->count > 0 && chain->entries[0].block.head_base == 0 ? chain->entries[0].output.c : 0;
}

void attention_chain_free(struct attention_chain *chain)
{
	if (!chain)
		return;
	device_free(chain->device, chain->memory);
	device_free(chain->device, chain->slopes);
	free(chain);
}
