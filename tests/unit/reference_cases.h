/* Random attention problems that cover every feature of the reference, for its tests. Host memory only. */
#ifndef ASSAY_TESTS_REFERENCE_CASES_H
#define ASSAY_TESTS_REFERENCE_CASES_H

#include "core/util.h"
#include "reference/attention.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reference_case {
	struct attention_problem problem; /* operands' bases are 0: q, k, v below are where they lie in host memory */
	uint16_t *q, *k, *v;
	int64_t q_elements, k_elements, v_elements;
	int32_t cu_q[8], cu_k[8];
	float slopes[64];
	int non_finite;
	const char *inputs;
};

struct case_random {
	uint64_t state;
};

static uint64_t case_bits(struct case_random *random)
{
	/* SplitMix64, as in core/digest.h */
	uint64_t word = random->state += 0x9e3779b97f4a7c15ull;
	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return word ^ (word >> 31);
}

static int64_t case_between(struct case_random *random, int64_t low, int64_t high)
{
	return low + (int64_t)(case_bits(random) % (uint64_t)(high - low + 1));
}

static double case_uniform(struct case_random *random) /* (-1, 1) */
{
	return (double)(int64_t)(case_bits(random) >> 11) * 0x1p-52 - 1;
}

static double case_normal(struct case_random *random) /* sum of twelve: good enough for inputs */
{
	double sum = 0;
	for (int n = 0; n < 12; n++)
		sum += case_uniform(random);
	return sum / 2;
}

enum case_inputs { INPUTS_NORMAL, INPUTS_UNIFORM, INPUTS_LARGE, INPUTS_INTEGERS, INPUTS_CONSTANT, INPUTS_ZERO_QUERIES, INPUTS_KINDS };

static double case_value(struct case_random *random, enum case_inputs inputs, int is_query, int is_value)
{
	switch (inputs) {
	case INPUTS_UNIFORM: return case_uniform(random);
	case INPUTS_LARGE: return case_normal(random) * (is_value ? 1 : 8);
	case INPUTS_INTEGERS: return (double)case_between(random, -3, 3);
	case INPUTS_CONSTANT: return is_value ? (double)case_between(random, -2, 2) : 0.5;
	case INPUTS_ZERO_QUERIES: return is_query ? 0 : (double)case_between(random, -4, 4);
	default: return case_normal(random);
	}
}

static uint16_t *case_fill(struct case_random *random, const struct reference_case *test, int64_t elements,
			   enum case_inputs inputs, int is_query, int is_value)
{
	uint16_t *const data = malloc((size_t)(elements > 0 ? elements : 1) * sizeof *data);
	for (int64_t n = 0; data && n < elements; n++)
		dtype_store(test->problem.dtype, data, (size_t)n, case_value(random, inputs, is_query, is_value));
	return data;
}

/* Strides of [batch, rows, heads, d] in one of four layouts; returns the elements of the storage. */
static int64_t case_layout(struct case_random *random, struct attention_operand *operand, int layout, int64_t batch,
			   int64_t rows, int64_t heads, int64_t d)
{
	const int64_t gap = layout == 3 ? case_between(random, 1, 9) : layout == 2 ? 8 : 0;

	if (layout == 1) { /* [batch, heads, rows, d] */
		operand->row_stride = d;
		operand->head_stride = rows * d;
	} else { /* [batch, rows, heads, d], with gaps after rows in layouts 2 and 3 */
		operand->head_stride = d;
		operand->row_stride = heads * d + gap;
	}
	operand->batch_stride = layout == 1 ? rows * heads * d : rows * operand->row_stride;
	return batch * operand->batch_stride + d;
}

static void case_poison(struct case_random *random, struct reference_case *test, uint16_t *data, int64_t elements)
{
	const int is_half = test->problem.dtype == DTYPE_F16;
	const uint16_t infinity = is_half ? 0x7c00 : 0x7f80, poisons[] = {infinity, infinity | 0x8000, infinity | 0x15};

	for (int64_t n = case_between(random, 0, 3); n > 0 && elements > 0; n--)
		data[case_between(random, 0, elements - 1)] = poisons[case_between(random, 0, 2)];
}

/* Case `number` of a seed: the number walks through the features so that a few dozen meet all of them, the rest is random.
 * `non_finite` sprinkles infinities and NaN into the inputs of some. Free with reference_case_free; -1 without memory. */
static int reference_case_make(struct reference_case *test, uint64_t seed, int number, int non_finite)
{
	struct case_random random = {seed * 1000003 + (uint64_t)number};
	struct attention_problem *const p = &test->problem;
	static const int64_t head_dims[] = {8, 16, 40, 64, 96, 128, 7, 33, 256};
	static const char *const names[] = {"normal", "uniform", "large", "integers", "constant", "zero queries"};
	enum case_inputs inputs = (enum case_inputs)(number % INPUTS_KINDS);
	const int varlen = number % 3 == 2, layout = number % 4;

	memset(test, 0, sizeof *test);
	test->inputs = names[inputs];
	p->dtype = number % 2 ? DTYPE_BF16 : DTYPE_F16;
	p->batch = case_between(&random, 1, varlen ? 5 : 3);
	p->heads_k = case_between(&random, 1, 3);
	p->heads_q = p->heads_k * case_between(&random, 1, number % 5 == 1 ? 4 : 1 + number % 2);
	p->head_dim = head_dims[case_between(&random, 0, number % 7 == 3 ? 8 : 5)];
	p->seqlen_q = case_between(&random, 1, 150);
	p->seqlen_k = number % 5 == 0 ? p->seqlen_q : case_between(&random, 1, 200);
	if (number % 11 == 4)
		p->seqlen_q = 1;
	if (number % 11 == 7)
		p->seqlen_k = 1;
	p->window_left = p->window_right = -1;
	switch (number / 2 % 5) {
	case 1: p->window_right = 0; break; /* causal */
	case 2: p->window_left = case_between(&random, 0, 40); p->window_right = case_between(&random, 0, 40); break;
	case 3: p->window_left = case_between(&random, 0, 60); break;
	case 4: p->window_right = case_between(&random, 0, 60); p->window_left = number % 4 == 1 ? p->seqlen_k : -1; break;
	}
	p->scale = number % 13 == 5 ? 0.7 : 1 / sqrt((double)p->head_dim);
	p->softcap = number % 4 == 3 ? case_between(&random, 1, 50) : 0;
	p->alibi = number % 7 < 3 ? ALIBI_NONE : number % 7 < 5 ? ALIBI_DISTANCE : ALIBI_CAUSAL;
	if (p->alibi != ALIBI_NONE) {
		p->slope_batch_stride = number % 2 ? p->heads_q : 0;
		for (size_t n = 0; n < ARRAY_COUNT(test->slopes); n++)
			test->slopes[n] = (float)(0.3 * fabs(case_uniform(&random)));
		p->slopes = test->slopes;
	}
	p->exact_values = inputs >= INPUTS_INTEGERS;
	int64_t rows_q = p->seqlen_q, rows_k = p->seqlen_k, batches = p->batch;
	if (varlen) {
		p->seqlen_q = p->seqlen_k = 0;
		for (int64_t b = 0; b < p->batch; b++) {
			const int64_t length_q = case_between(&random, 0, 3) ? case_between(&random, 1, 130) : 0;
			const int64_t length_k = case_between(&random, 0, 4) ? case_between(&random, 1, 150) : 0;
			test->cu_q[b + 1] = test->cu_q[b] + (int32_t)length_q;
			test->cu_k[b + 1] = test->cu_k[b] + (int32_t)length_k;
			p->seqlen_q = length_q > p->seqlen_q ? length_q : p->seqlen_q;
			p->seqlen_k = length_k > p->seqlen_k ? length_k : p->seqlen_k;
		}
		p->cu_seqlens_q = test->cu_q;
		p->cu_seqlens_k = test->cu_k;
		rows_q = test->cu_q[p->batch];
		rows_k = test->cu_k[p->batch];
		batches = 1;
	}
	test->q_elements = case_layout(&random, &p->q, layout, batches, rows_q, p->heads_q, p->head_dim);
	test->k_elements = case_layout(&random, &p->k, layout, batches, rows_k, p->heads_k, p->head_dim);
	test->v_elements = case_layout(&random, &p->v, (layout + number / 4) % 4, batches, rows_k, p->heads_k, p->head_dim);
	if (varlen)
		p->q.batch_stride = p->k.batch_stride = p->v.batch_stride = 0;
	test->q = case_fill(&random, test, test->q_elements, inputs, 1, 0);
	test->k = case_fill(&random, test, test->k_elements, inputs, 0, 0);
	test->v = case_fill(&random, test, test->v_elements, inputs, 0, 1);
	if (!test->q || !test->k || !test->v)
		return -1;
	if (non_finite) {
		test->non_finite = 1;
		case_poison(&random, test, test->q, number % 3 == 0 ? test->q_elements : 0);
		case_poison(&random, test, test->k, number % 3 != 1 ? test->k_elements : 0);
		case_poison(&random, test, test->v, number % 3 != 2 ? test->v_elements : 0);
		/* keys of -inf against positive queries give logits of -inf */
		for (int64_t n = 0; number % 4 == 0 && n < 12 * p->k.row_stride && n < test->k_elements; n++)
			dtype_store(p->dtype, test->k, (size_t)n, -INFINITY);
		for (int64_t n = 0; number % 8 == 0 && n < test->q_elements; n++)
			test->q[n] &= 0x7fff;
	}
	return 0;
}

static void reference_case_free(struct reference_case *test)
{
	free(test->q);
	free(test->k);
	free(test->v);
	memset(test, 0, sizeof *test);
}

static void reference_case_print(const struct reference_case *test, int number)
{
	const struct attention_problem *const p = &test->problem;
	fprintf(stderr,
		"  case %d: %s b=%lld h=%lld/%lld d=%lld sq=%lld sk=%lld%s window %lld,%lld scale %g softcap %g alibi %d inputs %s%s\n",
		number, dtype_name(p->dtype), (long long)p->batch, (long long)p->heads_q, (long long)p->heads_k,
		(long long)p->head_dim, (long long)p->seqlen_q, (long long)p->seqlen_k, p->cu_seqlens_q ? " varlen" : "",
		(long long)p->window_left, (long long)p->window_right, p->scale, p->softcap, (int)p->alibi, test->inputs,
		test->non_finite ? " with non-finite elements" : "");
}

/* A problem whose operands lie in memory of `device`, and the memory to free. */
struct placed_case {
	struct attention_problem problem;
	device_pointer memory[3];
};

static void placed_case_free(struct device *device, struct placed_case *placed)
{
	for (int n = 0; n < 3; n++)
		device_free(device, placed->memory[n]);
	memset(placed, 0, sizeof *placed);
}

static int placed_case_make(struct device *device, const struct reference_case *test, struct placed_case *placed,
			    struct error *err)
{
	const uint16_t *const data[] = {test->q, test->k, test->v};
	const int64_t elements[] = {test->q_elements, test->k_elements, test->v_elements};

	memset(placed, 0, sizeof *placed);
	for (int n = 0; n < 3; n++) {
		const size_t bytes = (size_t)elements[n] * sizeof(uint16_t);
		if (device_alloc(device, bytes, &placed->memory[n], err) ||
		    device->ops->copy_in(device, placed->memory[n], data[n], bytes, NULL, err)) {
			placed_case_free(device, placed);
			return -1;
		}
	}
	placed->problem = test->problem;
	placed->problem.q.base = placed->memory[0];
	placed->problem.k.base = placed->memory[1];
	placed->problem.v.base = placed->memory[2];
	return 0;
}

/* ---- a result in host memory -------------------------------------------------------------------------------------- */

struct host_result {
	int64_t rows, heads, head_dim;
	double *o, *lse, *magnitude, *low_o, *low_lse;
	uint8_t *row_class;
	int32_t *row_group;
	double *logit_magnitude, *logit_max, *value_sum;
	double seconds;
	size_t workspace_bytes;
};

static void host_result_free(struct host_result *host)
{
	void *const arrays[] = {host->o, host->lse, host->magnitude, host->low_o, host->low_lse, host->row_class,
				host->row_group, host->logit_magnitude, host->logit_max, host->value_sum};
	for (size_t n = 0; n < ARRAY_COUNT(arrays); n++)
		free(arrays[n]);
	memset(host, 0, sizeof *host);
}

static void *host_copy(struct device *device, device_pointer from, size_t bytes)
{
	void *const to = from ? malloc(bytes ? bytes : 1) : NULL;
	if (to && bytes && device->ops->copy_out(device, to, from, bytes, NULL, NULL)) {
		free(to);
		return NULL;
	}
	return to;
}

static double *host_figures(const double *from, int64_t count)
{
	double *const to = from ? malloc((size_t)count * sizeof *to) : NULL;
	if (to)
		memcpy(to, from, (size_t)count * sizeof *to);
	return to;
}

/* Runs the reference on the case and copies everything to the host. */
static int host_result_make(struct attention_reference *reference, struct device *device, const struct reference_case *test,
			    const struct attention_options *options, struct host_result *host, struct error *err)
{
	struct placed_case placed;
	struct attention_result result;

	memset(host, 0, sizeof *host);
	if (placed_case_make(device, test, &placed, err))
		return -1;
	if (attention_reference_run(reference, &placed.problem, options, &result, err)) {
		placed_case_free(device, &placed);
		return -1;
	}
	const size_t rows = (size_t)result.rows, elements = rows * (size_t)test->problem.head_dim;
	host->rows = result.rows;
	host->heads = result.heads;
	host->head_dim = test->problem.head_dim;
	host->o = host_copy(device, result.o, elements * sizeof(double));
	host->lse = host_copy(device, result.lse, rows * sizeof(double));
	host->magnitude = host_copy(device, result.magnitude, elements * sizeof(double));
	host->low_o = host_copy(device, result.low_o, elements * sizeof(double));
	host->low_lse = host_copy(device, result.low_lse, rows * sizeof(double));
	host->row_class = host_copy(device, result.row_class, rows);
	host->row_group = host_copy(device, result.row_group, rows * sizeof(int32_t));
	host->logit_magnitude = host_figures(result.logit_magnitude, result.heads);
	host->logit_max = host_figures(result.logit_max, result.heads);
	host->value_sum = host_figures(result.value_sum, result.heads);
	host->seconds = result.seconds;
	host->workspace_bytes = result.workspace_bytes;
	attention_result_free(reference, &result);
	placed_case_free(device, &placed);
	return 0;
}

/* ---- export for an outside check ---------------------------------------------------------------------------------- */

static int export_array(const char *dir, int number, const char *name, const void *bytes, size_t size)
{
	char path[4096];
	struct error err;

	snprintf(path, sizeof path, "%s/case%02d.%s", dir, number, name);
	if (write_file_atomically(path, bytes, size, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return -1;
	}
	return 0;
}

static void export_lengths(struct text *json, const char *name, const int32_t *cumulative, int64_t batch)
{
	text_append(json, "  \"%s\": ", name);
	for (int64_t b = 0; cumulative && b <= batch; b++)
		text_append(json, "%s%d", b ? ", " : "[", (int)cumulative[b]);
	text_append(json, cumulative ? "],\n" : "null,\n");
}

/* Writes cases 0..count-1 and what the reference makes of them: little-endian arrays and JSON parameters. */
static int reference_cases_export(struct attention_reference *reference, struct device *device, enum dtype precision,
				  const char *dir, int count)
{
	struct error err;

	if (make_dirs(dir, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	for (int number = 0; number < count; number++) {
		const struct attention_options options = {.precision = precision, .workspace_limit = (size_t)1 << 30};
		struct reference_case test;
		struct host_result host = {0};
		struct text json = {0};
		int failed = reference_case_make(&test, 77, number, 0);

		if (!failed && host_result_make(reference, device, &test, &options, &host, &err)) {
			fprintf(stderr, "%s\n", err.message);
			failed = -1;
		}
		if (!failed) {
			const struct attention_problem *const p = &test.problem;
			const struct attention_operand *const operands[] = {&p->q, &p->k, &p->v};
			text_append(&json, "{\n  \"dtype\": \"%s\", \"batch\": %lld, \"heads_q\": %lld, \"heads_k\": %lld,\n",
				    dtype_name(p->dtype), (long long)p->batch, (long long)p->heads_q, (long long)p->heads_k);
			text_append(&json, "  \"head_dim\": %lld, \"seqlen_q\": %lld, \"seqlen_k\": %lld,\n",
				    (long long)p->head_dim, (long long)p->seqlen_q, (long long)p->seqlen_k);
			export_lengths(&json, "cu_seqlens_q", p->cu_seqlens_q, p->batch);
			export_lengths(&json, "cu_seqlens_k", p->cu_seqlens_k, p->batch);
			for (int n = 0; n < 3; n++)
				text_append(&json, "  \"%c_strides\": [%lld, %lld, %lld],\n", "qkv"[n],
					    (long long)operands[n]->batch_stride, (long long)operands[n]->row_stride,
					    (long long)operands[n]->head_stride);
			text_append(&json, "  \"slopes\": ");
			for (int64_t n = 0; p->slopes && n < p->batch * p->heads_q; n++)
				text_append(&json, "%s%.9g", n ? ", " : "[",
					    (double)p->slopes[n / p->heads_q * p->slope_batch_stride + n % p->heads_q]);
			text_append(&json, p->slopes ? "],\n" : "null,\n");
			text_append(&json, "  \"window_left\": %lld, \"window_right\": %lld, \"alibi\": %d,\n",
				    (long long)p->window_left, (long long)p->window_right, (int)p->alibi);
			text_append(&json, "  \"scale\": %.17g, \"softcap\": %.17g, \"inputs\": \"%s\"\n}\n", p->scale, p->softcap,
				    test.inputs);
			failed = json.failed ||
				 export_array(dir, number, "json", json.data, json.length) ||
				 export_array(dir, number, "q", test.q, (size_t)test.q_elements * 2) ||
				 export_array(dir, number, "k", test.k, (size_t)test.k_elements * 2) ||
				 export_array(dir, number, "v", test.v, (size_t)test.v_elements * 2) ||
				 export_array(dir, number, "o", host.o, (size_t)(host.rows * host.head_dim) * 8) ||
				 export_array(dir, number, "lse", host.lse, (size_t)host.rows * 8);
		}
		text_free(&json);
		host_result_free(&host);
		reference_case_free(&test);
		if (failed)
			return 1;
	}
	printf("%d cases in %s\n", count, dir);
	return 0;
}

#endif
