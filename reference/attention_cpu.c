/* The reference in plain C over BLAS, one head after another. It shares no arithmetic with the CUDA one: every pair (i, j) is
 * asked by the definition in attention.h whether it is visible, heads are not folded, and nothing is skipped but keys that
 * no query of a block sees; so that each can check the other. */
#include "core/util.h"
#include "judge/row_class.h"
#include "reference/attention_private.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERY_BLOCK = 64, KEY_CHUNK = 512 };
enum { BAD_KEY = 1, BAD_VALUE = 2 }; /* a key with a non-finite element of k, of v */

/* All 65536 values of each 16-bit type: a look-up is several times faster than taking the bits apart. */
struct cpu_reference {
	struct device *device;
	double f16[1 << 16], bf16[1 << 16];
};

struct scratch {
	int64_t block;         /* queries at a time */
	double *q, *s, *o, *m; /* [block, d], [block, seqlen_k], [block, d] twice */
	double *chunk;         /* keys or values [KEY_CHUNK, d] */
	float *q32, *s32, *o32, *chunk32;
	unsigned char *bad;    /* [seqlen_k]: BAD_KEY, BAD_VALUE */
};

/* One head of one batch entry. */
struct head {
	const struct attention_problem *problem;
	const double *values;  /* of the 65536 bit patterns */
	const uint16_t *q, *k, *v;
	int64_t q_row, k_row, v_row; /* strides */
	int64_t seqlen_q, seqlen_k, d;
	int64_t group, first_result_row;
	double slope;
	int any_bad;
};

static int is_visible(const struct head *head, int64_t i, int64_t j)
{
	const int64_t diagonal = i + head->seqlen_k - head->seqlen_q;
	return (head->problem->window_left < 0 || diagonal - j <= head->problem->window_left) &&
	       (head->problem->window_right < 0 || j - diagonal <= head->problem->window_right);
}

static double alibi_of(const struct head *head, int64_t i, int64_t j)
{
	if (head->problem->alibi == ALIBI_CAUSAL)
		return head->slope * (double)j;
	if (head->problem->alibi == ALIBI_DISTANCE)
		return -head->slope * fabs((double)(i + head->seqlen_k - head->seqlen_q - j));
	return 0;
}

/* ---- operands ----------------------------------------------------------------------------------------------------- */

enum reading { AS_IS, FINITE, FINITE_MAGNITUDE };

static double read_element(const struct head *head, uint16_t bits, enum reading reading)
{
	const double value = head->values[bits];

	if (reading == AS_IS)
		return value;
	if (!isfinite(value))
		return 0;
	return reading == FINITE_MAGNITUDE ? fabs(value) : value;
}

static void read_rows(const struct head *head, const uint16_t *from, int64_t stride, int64_t first, int64_t rows,
		      enum reading reading, double *to, float *to32)
{
	for (int64_t row = 0; row < rows; row++)
		for (int64_t d = 0; d < head->d; d++) {
			const double value = read_element(head, from[(first + row) * stride + d], reading);
			if (to)
				to[row * head->d + d] = value;
			else
				to32[row * head->d + d] = (float)value;
		}
}

static int row_is_finite(const struct head *head, const uint16_t *row)
{
	for (int64_t d = 0; d < head->d; d++)
		if (!isfinite(head->values[row[d]]))
			return 0;
	return 1;
}

static void flag_keys(struct head *head, unsigned char *bad)
{
	head->any_bad = 0;
	for (int64_t j = 0; j < head->seqlen_k; j++) {
		bad[j] = row_is_finite(head, head->k + j * head->k_row) ? 0 : BAD_KEY;
		if (!row_is_finite(head, head->v + j * head->v_row))
			bad[j] |= BAD_VALUE;
		head->any_bad |= bad[j];
	}
}

/* ---- float64 ------------------------------------------------------------------------------------------------------ */

/* q.k of a block for keys [begin, end), not yet scaled: products of 16-bit numbers, most of them exact in float64, so that
 * equal logits come out equal whatever the order of summation. Then O and P|V| from the probabilities in their place. */
static void scores_f64(const struct head *head, struct scratch *w, int64_t rows, int64_t begin, int64_t end)
{
	for (int64_t j = begin; j < end; j += KEY_CHUNK) {
		const int64_t keys = end - j < KEY_CHUNK ? end - j : KEY_CHUNK;
		read_rows(head, head->k, head->k_row, j, keys, AS_IS, w->chunk, NULL);
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)keys, (int)head->d, 1, w->q,
			    (int)head->d, w->chunk, (int)head->d, 0, w->s + j, (int)head->seqlen_k);
	}
}

static void products_f64(const struct head *head, struct scratch *w, int64_t rows, int64_t begin, int64_t end,
			 enum reading reading, double *to)
{
	memset(to, 0, sizeof(double) * (size_t)(rows * head->d));
	for (int64_t j = begin; j < end; j += KEY_CHUNK) {
		const int64_t keys = end - j < KEY_CHUNK ? end - j : KEY_CHUNK;
		read_rows(head, head->v, head->v_row, j, keys, reading, w->chunk, NULL);
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)head->d, (int)keys, 1, w->s + j,
			    (int)head->seqlen_k, w->chunk, (int)head->d, 1, to, (int)head->d);
	}
}

/* What a row of scores says before its values are looked at. */
struct row {
	int64_t visible;
	double top, bottom, sum; /* largest and smallest visible logit, sum of exp(logit - top) */
	int nan;                 /* a visible logit is NaN or +inf */
};

/* Turns the scores of query i into probabilities; keys outside [begin, end) are invisible and not touched. */
static struct row softmax_f64(const struct head *head, double *s, int64_t i, int64_t begin, int64_t end, double *magnitude)
{
	const double cap = head->problem->softcap;
	struct row row = {.top = -INFINITY, .bottom = INFINITY};

	for (int64_t j = begin; j < end; j++) {
		if (!is_visible(head, i, j))
			continue;
		s[j] *= head->problem->scale;
		if (cap > 0)
			s[j] = cap * tanh(s[j] / cap);
		s[j] += alibi_of(head, i, j);
		row.visible++;
		row.nan |= isnan(s[j]) || s[j] == INFINITY;
		row.top = fmax(row.top, s[j]);
		row.bottom = fmin(row.bottom, s[j]);
		if (isfinite(s[j]))
			*magnitude = fmax(*magnitude, fabs(s[j]));
	}
	for (int64_t j = begin; j < end; j++) {
		if (row.nan)
			s[j] = NAN;
		else
			s[j] = is_visible(head, i, j) && row.top > -INFINITY ? exp(s[j] - row.top) : 0;
		row.sum += s[j];
	}
	if (row.sum > 0)
		for (int64_t j = begin; j < end; j++)
			s[j] /= row.sum;
	return row;
}

static int class_of(const struct head *head, const struct row *row, int64_t i, const double *p, const unsigned char *bad,
		    int64_t begin, int64_t end)
{
	const int power_of_two = (row->visible & (row->visible - 1)) == 0;
	int bits = 0;

	if (row->visible == 0)
		bits = ROW_MASKED;
	else if (row->nan)
		return ROW_NAN;
	else if (row->top == -INFINITY)
		bits = ROW_ALL_MINUS_INF;
	else if (!(head->problem->softcap > 0) && fabs(row->top) <= 64 &&
		 (row->visible == 1 || (head->problem->exact_values && power_of_two && row->visible <= 1 << 20 &&
					row->top - row->bottom < 0x1p-53)))
		bits = ROW_EXACT;
	for (int64_t j = 0; head->any_bad && j < head->seqlen_k; j++) {
		if (!bad[j])
			continue;
		if (!is_visible(head, i, j))
			bits |= ROW_MASKED_POISON;
		else if (bad[j] & BAD_VALUE) {
			bits &= ~ROW_EXACT;
			if (j < begin || j >= end || p[j] == 0)
				bits |= ROW_MASKED_POISON;
		}
	}
	if (row->visible < head->seqlen_k && !row_is_finite(head, head->q + i * head->q_row))
		bits |= ROW_MASKED_POISON;
	return bits;
}

/* Non-finite values of visible keys, which the product has left out. */
static void add_non_finite(const struct head *head, const double *p, const unsigned char *bad, int64_t i, int64_t begin,
			   int64_t end, double *o)
{
	for (int64_t j = begin; j < end; j++)
		for (int64_t d = 0; (bad[j] & BAD_VALUE) && p[j] > 0 && is_visible(head, i, j) && d < head->d; d++) {
			const double value = head->values[head->v[j * head->v_row + d]];
			if (!isfinite(value))
				o[d] += value;
		}
}

static int is_representable(enum dtype type, double value)
{
	const double rounded = type == DTYPE_F16 ? f16_to_f64(f16_from_f64(value)) : bf16_to_f64(bf16_from_f64(value));
	return isnan(value) || rounded == value;
}

/* ---- the magnitudes and the low chain, in float32 ----------------------------------------------------------------- */

static void scores_f32(const struct head *head, struct scratch *w, int64_t rows, int64_t begin, int64_t end,
		       enum reading reading, float scale)
{
	for (int64_t j = begin; j < end; j += KEY_CHUNK) {
		const int64_t keys = end - j < KEY_CHUNK ? end - j : KEY_CHUNK;
		read_rows(head, head->k, head->k_row, j, keys, reading, NULL, w->chunk32);
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)keys, (int)head->d, scale, w->q32,
			    (int)head->d, w->chunk32, (int)head->d, 0, w->s32 + j, (int)head->seqlen_k);
	}
}

static float rounded(const struct head *head, float value)
{
	return head->problem->dtype == DTYPE_F16 ? f16_to_f32(f16_from_f32(value)) : bf16_to_f32(bf16_from_f32(value));
}

static double low_row(const struct head *head, float *s, int64_t i, int64_t begin, int64_t end)
{
	const float cap = (float)head->problem->softcap;
	float top = -INFINITY, sum = 0;
	int64_t visible = 0;

	for (int64_t j = begin; j < end; j++) {
		if (!is_visible(head, i, j))
			continue;
		s[j] = rounded(head, s[j]);
		if (cap > 0)
			s[j] = cap * tanhf(s[j] / cap);
		s[j] += (float)alibi_of(head, i, j);
		top = isnan(s[j]) || s[j] > top ? s[j] : top;
		if (isnan(top))
			break;
		visible++;
	}
	for (int64_t j = begin; j < end; j++) {
		if (isnan(top) || top == INFINITY)
			s[j] = NAN;
		else if (top == -INFINITY || !is_visible(head, i, j))
			s[j] = 0;
		else
			s[j] = expf(s[j] - top);
		sum += s[j];
	}
	for (int64_t j = begin; j < end; j++)
		s[j] = sum == 0 ? 0 : rounded(head, s[j] / sum);
	return sum == 0 ? INFINITY : (double)top + log((double)sum);
}

static void low_block(const struct head *head, struct scratch *w, int64_t first, int64_t rows, int64_t begin, int64_t end,
		      struct attention_result *result)
{
	double *const lse = (double *)(uintptr_t)result->low_lse + head->first_result_row + first;
	double *const o = (double *)(uintptr_t)result->low_o + (head->first_result_row + first) * head->d;

	read_rows(head, head->q, head->q_row, first, rows, AS_IS, NULL, w->q32);
	scores_f32(head, w, rows, begin, end, AS_IS, (float)head->problem->scale);
	for (int64_t row = 0; row < rows; row++)
		lse[row] = low_row(head, w->s32 + row * head->seqlen_k, first + row, begin, end);
	memset(w->o32, 0, sizeof(float) * (size_t)(rows * head->d));
	for (int64_t j = begin; j < end; j += KEY_CHUNK) {
		const int64_t keys = end - j < KEY_CHUNK ? end - j : KEY_CHUNK;
		read_rows(head, head->v, head->v_row, j, keys, FINITE, NULL, w->chunk32);
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)head->d, (int)keys, 1, w->s32 + j,
			    (int)head->seqlen_k, w->chunk32, (int)head->d, 1, w->o32, (int)head->d);
	}
	for (int64_t n = 0; n < rows * head->d; n++)
		o[n] = (double)rounded(head, w->o32[n]);
}

static double magnitude_block(const struct head *head, struct scratch *w, int64_t first, int64_t rows, int64_t begin,
			      int64_t end)
{
	double largest = 0;

	read_rows(head, head->q, head->q_row, first, rows, FINITE_MAGNITUDE, NULL, w->q32);
	scores_f32(head, w, rows, begin, end, FINITE_MAGNITUDE, fabsf((float)head->problem->scale));
	for (int64_t row = 0; row < rows; row++)
		for (int64_t j = begin; j < end; j++)
			if (is_visible(head, first + row, j))
				largest = fmax(largest, (double)w->s32[row * head->seqlen_k + j] +
								fabs(alibi_of(head, first + row, j)));
	return largest;
}

static double value_sum(const struct head *head)
{
	double largest = 0;

	for (int64_t d = 0; d < head->d; d++) {
		double sum = 0;
		for (int64_t j = 0; j < head->seqlen_k; j++)
			sum += read_element(head, head->v[j * head->v_row + d], FINITE_MAGNITUDE);
		largest = fmax(largest, sum);
	}
	return largest;
}

/* ---- heads -------------------------------------------------------------------------------------------------------- */

static void run_block(const struct head *head, struct scratch *w, const struct attention_options *options, int64_t first,
		      int64_t rows, struct attention_result *result)
{
	const int64_t d = head->d, at = head->first_result_row + first;
	double *const o = (double *)(uintptr_t)result->o + at * d, *const lse = (double *)(uintptr_t)result->lse + at;
	uint8_t *const row_class = (uint8_t *)(uintptr_t)result->row_class + at;
	int32_t *const row_group = (int32_t *)(uintptr_t)result->row_group + at;
	int64_t begin = head->seqlen_k, end = 0;
	double largest = 0;

	for (int64_t i = first; i < first + rows; i++) {
		const struct attention_range range = attention_visible(head->problem, head->seqlen_q, head->seqlen_k, i);
		if (range.begin < range.end) {
			begin = range.begin < begin ? range.begin : begin;
			end = range.end > end ? range.end : end;
		}
	}
	read_rows(head, head->q, head->q_row, first, rows, AS_IS, w->q, NULL);
	scores_f64(head, w, rows, begin, end);
	for (int64_t row = 0; row < rows; row++) {
		double *const s = w->s + row * head->seqlen_k;
		const struct row found = softmax_f64(head, s, first + row, begin, end, &largest);

		lse[row] = found.nan ? NAN : found.sum > 0 ? found.top + log(found.sum) : INFINITY;
		row_class[row] = (uint8_t)class_of(head, &found, first + row, s, w->bad, begin, end);
		row_group[row] = (int32_t)head->group;
	}
	products_f64(head, w, rows, begin, end, FINITE, w->o);
	for (int64_t row = 0; row < rows; row++) {
		if (head->any_bad)
			add_non_finite(head, w->s + row * head->seqlen_k, w->bad, first + row, begin, end, w->o + row * d);
		for (int64_t c = 0; c < d; c++)
			if (!is_representable(head->problem->dtype, w->o[row * d + c]))
				row_class[row] &= (uint8_t)~ROW_EXACT;
	}
	memcpy(o, w->o, sizeof(double) * (size_t)(rows * d));
	if (options->want_magnitude) {
		products_f64(head, w, rows, begin, end, FINITE_MAGNITUDE, w->m);
		memcpy((double *)(uintptr_t)result->magnitude + at * d, w->m, sizeof(double) * (size_t)(rows * d));
		result->logit_max[head->group] = fmax(result->logit_max[head->group], largest);
		largest = magnitude_block(head, w, first, rows, begin, end);
		result->logit_magnitude[head->group] = fmax(result->logit_magnitude[head->group], largest);
	}
	if (options->want_low)
		low_block(head, w, first, rows, begin, end, result);
}

static const uint16_t *operand_at(const struct attention_operand *operand, int64_t b, int64_t start, int64_t h)
{
	return (const uint16_t *)(uintptr_t)operand->base + b * operand->batch_stride + start * operand->row_stride +
	       h * operand->head_stride;
}

static struct head head_get(const struct cpu_reference *cpu, const struct attention_problem *problem, int64_t b, int64_t h)
{
	const struct attention_lengths lengths = attention_lengths(problem, b);
	const int64_t key_head = h / (problem->heads_q / problem->heads_k), total_q = attention_total_q(problem);

	return (struct head){
		.problem = problem,
		.values = problem->dtype == DTYPE_F16 ? cpu->f16 : cpu->bf16,
		.q = operand_at(&problem->q, b, lengths.start_q, h), .q_row = problem->q.row_stride,
		.k = operand_at(&problem->k, b, lengths.start_k, key_head), .k_row = problem->k.row_stride,
		.v = operand_at(&problem->v, b, lengths.start_k, key_head), .v_row = problem->v.row_stride,
		.seqlen_q = lengths.seqlen_q, .seqlen_k = lengths.seqlen_k, .d = problem->head_dim,
		.group = b * problem->heads_q + h,
		.first_result_row = problem->cu_seqlens_q ? h * total_q + lengths.start_q
							  : (b * problem->heads_q + h) * problem->seqlen_q,
		.slope = (double)attention_slope(problem, b, h),
	};
}

/* ---- scratch ------------------------------------------------------------------------------------------------------ */

/* With 2^29 keys and head_dim up to 2^20 the products below stay under 2^63. */
static size_t scratch_bytes(const struct attention_problem *problem, int64_t block)
{
	const size_t d = (size_t)problem->head_dim, keys = (size_t)problem->seqlen_k, rows = (size_t)block;
	return (rows * d * 3 + rows * keys + KEY_CHUNK * d) * sizeof(double) +
	       (rows * d * 2 + rows * keys + KEY_CHUNK * d) * sizeof(float) + keys + 10 * 64;
}

static void *take(unsigned char **from, size_t bytes)
{
	void *const taken = *from;
	*from += (bytes + 63) / 64 * 64;
	return taken;
}

static int scratch_allocate(const struct attention_problem *problem, size_t limit, struct scratch *w, void **memory,
			    struct attention_result *result, struct error *err)
{
	const size_t d = (size_t)problem->head_dim, keys = (size_t)problem->seqlen_k;
	unsigned char *next;

	w->block = problem->seqlen_q < QUERY_BLOCK ? problem->seqlen_q : QUERY_BLOCK;
	w->block = w->block < 1 ? 1 : w->block;
	while (w->block > 1 && scratch_bytes(problem, w->block) > limit)
		w->block = (w->block + 1) / 2;
	result->workspace_bytes = scratch_bytes(problem, w->block);
	if (result->workspace_bytes > limit)
		return error_set(err, ERROR_ENVIRONMENT,
				 "attention reference: a row of scores over %lld keys needs %zu MiB of scratch, and the limit is %zu "
				 "MiB: raise it",
				 (long long)problem->seqlen_k, (result->workspace_bytes >> 20) + 1, limit >> 20);
	*memory = aligned_alloc(64, (result->workspace_bytes + 63) / 64 * 64);
	if (!*memory)
		return error_set(err, ERROR_ENVIRONMENT, "attention reference: out of memory for %zu MiB of scratch",
				 result->workspace_bytes >> 20);
	const size_t rows = (size_t)w->block;
	next = *memory;
	w->q = take(&next, rows * d * sizeof(double));
	w->s = take(&next, rows * keys * sizeof(double));
	w->o = take(&next, rows * d * sizeof(double));
	w->m = take(&next, rows * d * sizeof(double));
	w->chunk = take(&next, KEY_CHUNK * d * sizeof(double));
	w->q32 = take(&next, rows * d * sizeof(float));
	w->s32 = take(&next, rows * keys * sizeof(float));
	w->o32 = take(&next, rows * d * sizeof(float));
	w->chunk32 = take(&next, KEY_CHUNK * d * sizeof(float));
	w->bad = take(&next, keys);
	return 0;
}

int cpu_reference_run(struct cpu_reference *cpu, const struct attention_problem *problem,
		      const struct attention_options *options, struct attention_result *result, struct error *err)
{
	const double begun = monotonic_seconds();
	struct scratch w = {0};
	void *memory = NULL;

	if (scratch_allocate(problem, options->workspace_limit, &w, &memory, result, err))
		return -1;
	for (int64_t b = 0; b < problem->batch; b++)
		for (int64_t h = 0; h < problem->heads_q; h++) {
			struct head head = head_get(cpu, problem, b, h);

			flag_keys(&head, w.bad);
			for (int64_t i = 0; i < head.seqlen_q; i += w.block)
				run_block(&head, &w, options, i, head.seqlen_q - i < w.block ? head.seqlen_q - i : w.block,
					  result);
			if (options->want_magnitude)
				result->value_sum[head.group] = value_sum(&head);
		}
	free(memory);
	result->seconds = monotonic_seconds() - begun;
	return 0;
}

int cpu_reference_open(struct cpu_reference **cpu, struct device *device, struct error *err)
{
	*cpu = malloc(sizeof **cpu);
	if (!*cpu)
		return error_set(err, ERROR_ENVIRONMENT, "attention reference: out of memory");
	(*cpu)->device = device;
	for (uint32_t bits = 0; bits < 1 << 16; bits++) {
		(*cpu)->f16[bits] = f16_to_f64((uint16_t)bits);
		(*cpu)->bf16[bits] = bf16_to_f64((uint16_t)bits);
	}
	return 0;
}

void cpu_reference_close(struct cpu_reference *cpu)
{
	free(cpu);
}
