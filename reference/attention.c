#include "reference/attention_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the problem -------------------------------------------------------------------------------------------------- */

static int check_lengths(const char *name, const int32_t *cumulative, int64_t batch, int64_t longest, struct error *err)
{
	if (cumulative[0] != 0)
		return error_set(err, ERROR_INPUT, "attention: cumulative lengths of %s start at %d instead of 0", name,
				 (int)cumulative[0]);
	for (int64_t b = 0; b < batch; b++) {
		const int64_t length = (int64_t)cumulative[b + 1] - cumulative[b];
		if (length < 0 || length > longest)
			return error_set(err, ERROR_INPUT,
					 "attention: length %lld of %s in batch entry %lld is not within 0 and the maximum %lld",
					 (long long)length, name, (long long)b, (long long)longest);
	}
	return 0;
}

int attention_problem_check(const struct attention_problem *problem, struct error *err)
{
	const struct attention_problem *const p = problem;
	const int64_t sizes[] = {p->batch, p->heads_q, p->heads_k, p->head_dim};
	int64_t rows;

	if (p->dtype != DTYPE_F16 && p->dtype != DTYPE_BF16)
		return error_set(err, ERROR_INPUT, "attention: type %s is neither f16 nor bf16", dtype_name(p->dtype));
	for (int i = 0; i < 4; i++)
		if (sizes[i] < 1 || sizes[i] > 1 << 16)
			return error_set(err, ERROR_INPUT,
					 "attention: batch %lld, heads %lld and %lld, head_dim %lld: each must be from 1 to 65536",
					 (long long)p->batch, (long long)p->heads_q, (long long)p->heads_k,
					 (long long)p->head_dim);
	if (p->batch * p->heads_q > INT32_MAX / 2)
		return error_set(err, ERROR_INPUT, "attention: %lld batch entries of %lld heads are too many to count",
				 (long long)p->batch, (long long)p->heads_q);
	if (p->heads_q % p->heads_k)
		return error_set(err, ERROR_INPUT, "attention: %lld query heads are no multiple of %lld key heads",
				 (long long)p->heads_q, (long long)p->heads_k);
	if (p->seqlen_q < 0 || p->seqlen_k < 0 || p->seqlen_q > ATTENTION_LENGTH_MAX || p->seqlen_k > ATTENTION_LENGTH_MAX)
		return error_set(err, ERROR_INPUT, "attention: sequence lengths %lld and %lld are not within 0 and 2^29",
				 (long long)p->seqlen_q, (long long)p->seqlen_k);
	if (!p->cu_seqlens_q != !p->cu_seqlens_k)
		return error_set(err, ERROR_INPUT, "attention: cumulative lengths are given for one of queries and keys only");
	if (p->cu_seqlens_q && (check_lengths("queries", p->cu_seqlens_q, p->batch, p->seqlen_q, err) ||
				check_lengths("keys", p->cu_seqlens_k, p->batch, p->seqlen_k, err)))
		return -1;
	if (p->window_left < -1 || p->window_right < -1)
		return error_set(err, ERROR_INPUT, "attention: window %lld, %lld: -1 means open, less means nothing",
				 (long long)p->window_left, (long long)p->window_right);
	if (!isfinite(p->scale) || !isfinite(p->softcap) || p->softcap < 0)
		return error_set(err, ERROR_INPUT, "attention: scale %g and softcap %g must be finite, softcap not negative",
				 p->scale, p->softcap);
	if ((p->alibi == ALIBI_DISTANCE || p->alibi == ALIBI_CAUSAL) && !p->slopes)
		return error_set(err, ERROR_INPUT, "attention: ALiBi is asked for without slopes");
	if (__builtin_mul_overflow(p->batch * p->heads_q, p->head_dim * p->seqlen_q * 8, &rows) || rows > INT64_MAX / 8)
		return error_set(err, ERROR_INPUT, "attention: the output is too large to address");
	return 0;
}

struct attention_lengths attention_lengths(const struct attention_problem *problem, int64_t b)
{
	struct attention_lengths lengths = {.seqlen_q = problem->seqlen_q, .seqlen_k = problem->seqlen_k};

	if (problem->cu_seqlens_q) {
		lengths.start_q = problem->cu_seqlens_q[b];
		lengths.start_k = problem->cu_seqlens_k[b];
		lengths.seqlen_q = problem->cu_seqlens_q[b + 1] - lengths.start_q;
		lengths.seqlen_k = problem->cu_seqlens_k[b + 1] - lengths.start_k;
	}
	return lengths;
}

int64_t attention_total_q(const struct attention_problem *problem)
{
	return problem->cu_seqlens_q ? problem->cu_seqlens_q[problem->batch] : problem->batch * problem->seqlen_q;
}

struct attention_range attention_visible(const struct attention_problem *problem, int64_t seqlen_q, int64_t seqlen_k,
					 int64_t query)
{
	struct attention_range range = {0, seqlen_k};
	const int64_t diagonal = query + seqlen_k - seqlen_q;

	/* A window wider than everything is an open one; the comparison keeps the sums from overflowing. */
	if (problem->window_left >= 0 && problem->window_left < 2 * ATTENTION_LENGTH_MAX &&
	    diagonal - problem->window_left > range.begin)
		range.begin = diagonal - problem->window_left;
	if (problem->window_right >= 0 && problem->window_right < 2 * ATTENTION_LENGTH_MAX &&
	    diagonal + problem->window_right + 1 < range.end)
		range.end = diagonal + problem->window_right + 1;
	if (range.begin > seqlen_k)
		range.begin = seqlen_k;
	if (range.end < range.begin)
		range.end = range.begin;
	return range;
}

float attention_slope(const struct attention_problem *problem, int64_t b, int64_t head)
{
	return problem->alibi == ALIBI_NONE ? 0.0f : problem->slopes[b * problem->slope_batch_stride + head];
}

int64_t attention_visible_pairs(const struct attention_problem *problem)
{
	int64_t pairs = 0;

	for (int64_t b = 0; b < problem->batch; b++) {
		const struct attention_lengths lengths = attention_lengths(problem, b);
		int64_t entry = 0;

		for (int64_t i = 0; i < lengths.seqlen_q; i++) {
			const struct attention_range range =
				attention_visible(problem, lengths.seqlen_q, lengths.seqlen_k, i);
			entry += range.end - range.begin;
		}
		pairs += entry * problem->heads_q;
		if (!problem->cu_seqlens_q) /* every entry is alike */
			return pairs * problem->batch;
	}
	return pairs;
}

/* ---- the result --------------------------------------------------------------------------------------------------- */

static size_t reserve(size_t *end, size_t bytes)
{
	const size_t start = *end;
	*end += (bytes + 255) / 256 * 256;
	return start;
}

int attention_result_allocate(struct device *device, const struct attention_problem *problem,
			      const struct attention_options *options, struct attention_result *result,
			      struct error *err)
{
	const size_t rows = (size_t)(attention_total_q(problem) * problem->heads_q);
	const size_t heads = (size_t)(problem->batch * problem->heads_q), elements = rows * (size_t)problem->head_dim;
	size_t end = 0;
	const size_t o = reserve(&end, elements * sizeof(double)), lse = reserve(&end, rows * sizeof(double));
	const size_t row_group = reserve(&end, rows * sizeof(int32_t)), row_class = reserve(&end, rows);
	const size_t magnitude = options->want_magnitude ? reserve(&end, elements * sizeof(double)) : 0;
	const size_t low_o = options->want_low ? reserve(&end, elements * sizeof(double)) : 0;
	const size_t low_lse = options->want_low ? reserve(&end, rows * sizeof(double)) : 0;

	*result = (struct attention_result){.rows = (int64_t)rows, .heads = (int64_t)heads};
	if (options->want_magnitude) {
		result->logit_magnitude = calloc(heads, sizeof(double));
		result->logit_max = calloc(heads, sizeof(double));
		result->value_sum = calloc(heads, sizeof(double));
		if (!result->logit_magnitude || !result->logit_max || !result->value_sum) {
			error_set(err, ERROR_ENVIRONMENT, "attention reference: out of memory for figures of %zu heads", heads);
			goto failed;
		}
	}
	if (device_alloc(device, end, &result->storage, err)) {
		error_context(err, "attention reference: %zu MiB for the results", end >> 20);
		goto failed;
	}
	result->o = result->storage + o;
	result->lse = result->storage + lse;
	result->row_group = result->storage + row_group;
	result->row_class = result->storage + row_class;
	if (options->want_magnitude)
		result->magnitude = result->storage + magnitude;
	if (options->want_low) {
		result->low_o = result->storage + low_o;
		result->low_lse = result->storage + low_lse;
	}
	return 0;
failed:
	free(result->logit_magnitude);
	free(result->logit_max);
	free(result->value_sum);
	memset(result, 0, sizeof *result);
	return -1;
}

void attention_result_free(struct attention_reference *reference, struct attention_result *result)
{
	device_free(reference->device, result->storage);
	free(result->logit_magnitude);
	free(result->logit_max);
	free(result->value_sum);
	memset(result, 0, sizeof *result);
}

/* ---- which implementation ----------------------------------------------------------------------------------------- */

int attention_reference_open(struct attention_reference **reference, struct device *device, struct error *err)
{
	struct attention_reference *const opened = calloc(1, sizeof *opened);

	*reference = NULL;
	if (!opened)
		return error_set(err, ERROR_ENVIRONMENT, "attention reference: out of memory");
	opened->device = device;
	if (device->properties.kind == DEVICE_CUDA ? cuda_reference_open(&opened->cuda, device, err)
						   : cpu_reference_open(&opened->cpu, device, err)) {
		free(opened);
		return -1;
	}
	*reference = opened;
	return 0;
}

int attention_reference_run(struct attention_reference *reference, const struct attention_problem *problem,
			    const struct attention_options *options, struct attention_result *result, struct error *err)
{
	memset(result, 0, sizeof *result);
	if (attention_problem_check(problem, err))
		return -1;
	if (options->precision != DTYPE_F64 && options->precision != DTYPE_F32)
		return error_set(err, ERROR_USAGE, "attention reference: precision %s is neither f64 nor f32",
				 dtype_name(options->precision));
	if (attention_result_allocate(reference->device, problem, options, result, err))
		return -1;
	if (reference->cuda ? cuda_reference_run(reference->cuda, problem, options, result, err)
			    : cpu_reference_run(reference->cpu, problem, options, result, err)) {
		attention_result_free(reference, result);
		return -1;
	}
	return 0;
}

void attention_reference_close(struct attention_reference *reference)
{
	if (!reference)
		return;
	cuda_reference_close(reference->cuda);
	cpu_reference_close(reference->cpu);
	free(reference);
}
