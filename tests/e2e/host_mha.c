/* A null engine: `run_mha` with the signature of candle-flash-attn 0.9.2 (kernels/attention.c), computed by the host in
 * float64 and rounded once. On the cpu device the pointers are host memory, so that the whole way from the archive to the
 * verdict can be tested without a GPU. It launches no kernel: the check no-launch has to be off for it to pass.
 *
 * Built with -DFAULT=NAME it is a faulty twin; twins.sh lists the faults and what has to be said of each. Faults that end
 * or stop the process show for bf16 only, so that cases of f16 tell whether the rest still gets its verdicts. Build it with
 * optimisation: the references of the other faults to functions that exist nowhere have to go. */
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum fault {
	none,
	/* numbers */
	wrong_scale, softcap_missing, mask_top_left, gqa_mapping, alibi_batch_ignored, one_element_wrong, outlier_head,
	output_nan, last_bit_wrong, v_stride_ignored,
	/* log-sum-exp */
	lse_base2, lse_offset, lse_infinity_sign,
	/* rows that are not ordinary */
	masked_row_nan, masked_row_average, nan_swallowed,
	/* memory */
	last_row_unwritten, lse_unwritten, depends_on_output, accumulates_into_output,
	writes_before, writes_after, lse_writes_after,
	writes_into_gaps, modifies_input, reads_past_k,
	/* repeatability */
	not_repeatable, changes_later,
	/* launches */
	launch_swallowed, missing_function,
	/* the process */
	segfault, exits, aborts, double_free, loops, loops_printing, prints, overflows_stack, kills_itself,
	constructor_crashes, constructor_waits, closes_descriptors, writes_garbage, writes_a_header, leaves_child,
	leaves_child_and_crashes, last_words
};

#ifndef FAULT
#define FAULT none
#endif
static const enum fault planted = FAULT;

/* ---- numbers -------------------------------------------------------------------------------------------------------- */

static double power_of_two(int exponent)
{
	return ldexp(1.0, exponent);
}

static double load(const void *base, int64_t at, int is_bf16)
{
	const uint16_t bits = ((const uint16_t *)base)[at];
	const int mantissa_bits = is_bf16 ? 7 : 10, bias = is_bf16 ? 127 : 15, top = is_bf16 ? 255 : 31;
	const int exponent = bits >> mantissa_bits & top, mantissa = bits & ((1 << mantissa_bits) - 1);
	const double sign = bits >> 15 ? -1.0 : 1.0;
	if (exponent == top)
		return mantissa ? NAN : sign * INFINITY;
	if (exponent == 0)
		return sign * mantissa * power_of_two(1 - bias - mantissa_bits);
	return sign * (mantissa + (1 << mantissa_bits)) * power_of_two(exponent - bias - mantissa_bits);
}

/* To nearest, ties to even. */
static uint16_t rounded(double x, int is_bf16)
{
	const int mantissa_bits = is_bf16 ? 7 : 10, bias = is_bf16 ? 127 : 15, top = is_bf16 ? 255 : 31;
	const uint16_t sign = signbit(x) ? 0x8000 : 0;
	int exponent;
	if (isnan(x))
		return (uint16_t)(top << mantissa_bits | 1 << (mantissa_bits - 1));
	if (isinf(x))
		return (uint16_t)(sign | top << mantissa_bits);
	x = fabs(x);
	if (x == 0)
		return sign;
	frexp(x, &exponent);
	exponent -= 1; /* 2^exponent <= x */
	if (exponent < 1 - bias)
		exponent = 1 - bias;
	const int units = (int)nearbyint(x / power_of_two(exponent - mantissa_bits));
	/* a mantissa that rounds up to the next power of two carries into the exponent by itself */
	const int bits = units + ((exponent + bias - 1) << mantissa_bits);
	return (uint16_t)(sign | (bits >= top << mantissa_bits ? top << mantissa_bits : bits));
}

/* ---- attention ------------------------------------------------------------------------------------------------------ */

struct operand {
	void *base;
	int64_t batch, row, head; /* strides in elements */
};

struct problem {
	struct operand q, k, v, o;
	float *lse, *slopes;
	int32_t *cu_seqlens_q, *cu_seqlens_k;
	int64_t slope_stride, batches, heads_q, heads_k, head_dim, seqlen_q, seqlen_k;
	double scale, softcap;
	int is_bf16, is_causal, unpadded_lse, left, right;
	unsigned calls; /* before this one, of the same problem */
};

struct row {
	int64_t batch, head, query;  /* query counts from the start of its sequence */
	int64_t seqlen_q, seqlen_k;
	int64_t q_at, k_at, v_at, o_at; /* elements from the operand's base to the row or to key 0 */
	int is_last;                 /* of the whole output */
};

static int is_visible(const struct problem *p, const struct row *row, int64_t key)
{
	const int64_t shift = planted == mask_top_left ? 0 : row->seqlen_k - row->seqlen_q, at = row->query + shift;
	if (p->is_causal)
		return key <= at;
	return (p->left < 0 || key >= at - p->left) && (p->right < 0 || key <= at + p->right);
}

static double logit(const struct problem *p, const struct row *row, int64_t key)
{
	double sum = 0;
	for (int64_t i = 0; i < p->head_dim; i++)
		sum += load(p->q.base, row->q_at + i, p->is_bf16) * load(p->k.base, row->k_at + key * p->k.row + i, p->is_bf16);
	sum *= planted == wrong_scale ? 1.1 * p->scale : p->scale;
	if (p->softcap > 0 && planted != softcap_missing)
		sum = p->softcap * tanh(sum / p->softcap);
	if (p->slopes) {
		const int64_t entry = planted == alibi_batch_ignored ? 0 : row->batch;
		const double slope = p->slopes[entry * p->slope_stride + row->head];
		const int64_t distance = row->query + row->seqlen_k - row->seqlen_q - key;
		sum += p->is_causal ? slope * (double)key : -slope * (double)(distance < 0 ? -distance : distance);
	}
	return sum;
}

static float *lse_of(const struct problem *p, const struct row *row)
{
	const int64_t total_q = p->cu_seqlens_q ? p->cu_seqlens_q[p->batches] : 0;
	if (p->unpadded_lse)
		return p->lse + row->head * total_q + p->cu_seqlens_q[row->batch] + row->query;
	return p->lse + (row->batch * p->heads_q + row->head) * p->seqlen_q + row->query;
}

/* changes_later: how many processes had called it before this one; they leave a byte each in a file that the test names. */
static long processes_before(void)
{
	static long before = -1;
	const char *path = getenv("TWIN_PROCESSES");
	FILE *file = before < 0 && path ? fopen(path, "ab") : NULL;
	if (file) {
		fseek(file, 0, SEEK_END);
		before = ftell(file);
		fputc('.', file);
		fclose(file);
	}
	return before;
}

static void store_row(const struct problem *p, const struct row *row, const double *values)
{
	uint16_t *const to = (uint16_t *)p->o.base + row->o_at;
	const int is_first = row->batch == 0 && row->head == 0 && row->query == 0;
	if (planted == last_row_unwritten && row->query == row->seqlen_q - 1)
		return;
	for (int64_t i = 0; i < p->head_dim; i++) {
		double value = values[i];
		const int is_last_lane = i == p->head_dim - 1;
		if (planted == one_element_wrong && row->is_last && is_last_lane)
			value += 0.125;
		if (planted == outlier_head && row->head == p->heads_q - 1)
			value *= 1.25;
		if (planted == output_nan && row->is_last && is_last_lane)
			value = NAN;
		if (planted == accumulates_into_output)
			value += load(to, i, p->is_bf16);
		/* where a number was the last bit is another one; the run that is judged starts from NaN, so that it is right */
		const uint16_t previous = planted == depends_on_output && !isnan(load(to, i, p->is_bf16));
		to[i] = rounded(value, p->is_bf16) ^ previous;
		if (planted == last_bit_wrong && value != 0)
			to[i] ^= 1;
		if (planted == not_repeatable && p->calls >= 2 && p->calls % 2 == 0 && is_first && i == 0)
			to[i] ^= 1;
		if (planted == changes_later && processes_before() >= 2 && p->calls % 2 == 0 && is_first && i == 0)
			to[i] ^= 1;
	}
	if (planted == writes_before && is_first)
		to[-1] = 0x3c00;
	if (planted == writes_after && row->is_last)
		to[p->head_dim] = 0x3c00;
	if (planted == writes_into_gaps && p->o.head > p->head_dim && !row->is_last)
		to[p->head_dim] = 0x3c00;
}

static void attend_row(const struct problem *p, const struct row *row, double *weights, double *values)
{
	double most = -INFINITY, sum = 0;
	int64_t visible = 0;
	for (int64_t key = 0; key < row->seqlen_k; key++) {
		weights[key] = -INFINITY;
		if (!is_visible(p, row, key)) {
			if (planted == masked_row_average)
				weights[key] = -30000;
		} else {
			weights[key] = logit(p, row, key);
			if (planted == nan_swallowed && isnan(weights[key]))
				weights[key] = -INFINITY;
			visible++;
		}
		if (weights[key] > most || isnan(weights[key]))
			most = weights[key];
		if (isnan(most))
			break;
	}
	for (int64_t i = 0; i < p->head_dim; i++)
		values[i] = 0;
	const int is_masked = visible == 0 && !(planted == masked_row_average && row->seqlen_k > 0);
	if (!is_masked && !isnan(most)) {
		const int64_t v_row = planted == v_stride_ignored && !p->cu_seqlens_q && p->v.row > p->heads_k * p->head_dim
					      ? p->heads_k * p->head_dim : p->v.row;
		for (int64_t key = 0; key < row->seqlen_k; key++) {
			const double weight = exp(weights[key] - most);
			sum += weight;
			if (weight != 0)
				for (int64_t i = 0; i < p->head_dim; i++)
					values[i] += weight * load(p->v.base, row->v_at + key * v_row + i, p->is_bf16);
		}
	}
	for (int64_t i = 0; i < p->head_dim; i++)
		values[i] = is_masked ? (planted == masked_row_nan ? NAN : 0) : isnan(most) ? NAN : values[i] / sum;
	store_row(p, row, values);

	double lse = is_masked ? (planted == lse_infinity_sign ? -INFINITY : INFINITY) : isnan(most) ? NAN : most + log(sum);
	if (planted == lse_base2)
		lse *= 1.4426950408889634;
	if (planted == lse_offset)
		lse += 0.01;
	if (planted != lse_unwritten)
		*lse_of(p, row) = (float)lse;
	if (planted == lse_writes_after && row->is_last && !p->unpadded_lse)
		p->lse[p->batches * p->heads_q * p->seqlen_q] = 1;
}

static void attend(const struct problem *p)
{
	double *const weights = malloc((size_t)(p->seqlen_k + 1) * sizeof *weights);
	double *const values = malloc((size_t)p->head_dim * sizeof *values);
	for (int64_t batch = 0; weights && values && batch < p->batches; batch++) {
		struct row row = {.batch = batch, .seqlen_q = p->seqlen_q, .seqlen_k = p->seqlen_k};
		int64_t first_q = 0, first_k = 0;
		if (p->cu_seqlens_q) {
			first_q = p->cu_seqlens_q[batch];
			first_k = p->cu_seqlens_k[batch];
			row.seqlen_q = p->cu_seqlens_q[batch + 1] - first_q;
			row.seqlen_k = p->cu_seqlens_k[batch + 1] - first_k;
		}
		for (row.head = 0; row.head < p->heads_q; row.head++) {
			const int64_t group = p->heads_q / p->heads_k;
			const int64_t head_k = planted == gqa_mapping ? row.head % p->heads_k : row.head / group;
			for (row.query = 0; row.query < row.seqlen_q; row.query++) {
				row.q_at = batch * p->q.batch + (first_q + row.query) * p->q.row + row.head * p->q.head;
				row.k_at = batch * p->k.batch + first_k * p->k.row + head_k * p->k.head;
				row.v_at = batch * p->v.batch + first_k * p->v.row + head_k * p->v.head;
				row.o_at = batch * p->o.batch + (first_q + row.query) * p->o.row + row.head * p->o.head;
				const int64_t last_q = p->cu_seqlens_q ? p->cu_seqlens_q[p->batches] : p->seqlen_q;
				row.is_last = row.head == p->heads_q - 1 && first_q + row.query == last_q - 1 &&
					      (p->cu_seqlens_q || batch == p->batches - 1);
				attend_row(p, &row, weights, values);
			}
		}
	}
	free(weights);
	free(values);
}

/* ---- faults of the process -------------------------------------------------------------------------------------------- */

/* Tells the test who is running, so that it can look whether anyone is left. */
static void note_process(void)
{
	const char *path = getenv("HOST_MHA_PIDS");
	FILE *file = path ? fopen(path, "a") : NULL;
	if (!file)
		return;
	fprintf(file, "%ld\n", (long)getpid());
	fclose(file);
}

static volatile unsigned turns;

static int __attribute__((noinline)) recurse(volatile char *caller)
{
	volatile char frame[4096];
	frame[0] = caller[0];
	frame[0] = (char)recurse(frame);
	return frame[0];
}

static void leave_child(void)
{
	if (fork() == 0) {
		note_process();
		for (;;)
			pause();
	}
	usleep(20000); /* time for the child to write its number */
}

/* The functions of the CUDA runtime that faults call; declared here, since no toolkit is needed to build this. */
extern int cudaLaunchKernel(const void *function, uint64_t grid_xy, uint32_t grid_z, uint64_t block_xy, uint32_t block_z,
			    void **arguments, size_t shared, void *stream);
extern int cudaNoSuchFunction(void);

static void misbehave(void)
{
	char block[65536];
	switch (planted) {
	case segfault: {
		volatile int *volatile nowhere = NULL;
		*nowhere = 1;
		break;
	}
	case exits:
		exit(0);
	case aborts:
		abort();
	case double_free: {
		void *volatile memory = malloc(24);
		free(memory);
		free(memory);
		break;
	}
	case loops:
		for (;;)
			turns++;
	case loops_printing:
		memset(block, 'x', sizeof block);
		for (;;)
			if (write(1, block, sizeof block) < 0)
				turns++;
	case overflows_stack:
		recurse(block);
		break;
	case kills_itself:
		kill(getpid(), SIGTERM);
		break;
	case closes_descriptors:
		for (int fd = 0; fd < 1024; fd++)
			close(fd);
		break;
	case writes_garbage:
		memset(block, 0x5a, sizeof block);
		if (write(3, block, 4096) < 0)
			turns++;
		break;
	case writes_a_header: {
		/* as harness/wire.c begins a message, of a size that never comes */
		const struct {
			uint32_t magic, type;
			uint64_t size;
		} header = {0x61737379, 7, 1u << 20};
		if (write(3, &header, sizeof header) < 0)
			turns++;
		break;
	}
	case leaves_child:
		leave_child();
		break;
	case leaves_child_and_crashes:
		leave_child();
		abort();
	case last_words: /* no UTF-8, and a command to the terminal in either form */
		fprintf(stderr, "farewell \377\300 \033[31m red \302\2331m\n\n");
		abort();
	default:
		break;
	}
}

static void __attribute__((constructor)) load_time(void)
{
	if (planted == constructor_crashes)
		abort();
	if (planted == constructor_waits)
		for (;;)
			pause();
}

static void negate_first_lanes(const struct operand *operand, int64_t batches, int64_t rows, int64_t heads)
{
	for (int64_t batch = 0; batch < batches; batch++)
		for (int64_t row = 0; row < rows; row++)
			for (int64_t head = 0; head < heads; head++)
				((uint16_t *)operand->base)[batch * operand->batch + row * operand->row + head * operand->head] ^= 0x8000;
}

/* How many calls in a row had this problem before this one. */
static unsigned calls_before(const struct problem *problem)
{
	static struct problem last;
	static unsigned calls;
	calls = memcmp(problem, &last, sizeof last) == 0 ? calls + 1 : 0;
	memcpy(&last, problem, sizeof last);
	return calls;
}

/* ---- the entry point -------------------------------------------------------------------------------------------------- */

void run_mha(void *q, void *k, void *v, void *o, void *softmax_lse, void *alibi_slopes, int32_t *cu_seqlens_q,
	     int32_t *cu_seqlens_k, uint32_t q_batch_stride, uint32_t k_batch_stride, uint32_t v_batch_stride,
	     uint32_t o_batch_stride, uint32_t alibi_slopes_batch_stride, uint32_t q_row_stride, uint32_t k_row_stride,
	     uint32_t v_row_stride, uint32_t o_row_stride, uint32_t q_head_stride, uint32_t k_head_stride,
	     uint32_t v_head_stride, uint32_t o_head_stride, uint32_t b, uint32_t h, uint32_t h_k, uint32_t d,
	     uint32_t d_rounded, float softmax_scale, uint32_t seqlen_q, uint32_t seqlen_k, uint32_t seqlen_q_rounded,
	     uint32_t seqlen_k_rounded, int is_bf16, int is_causal, int unpadded_lse, int window_size_left,
	     int window_size_right, float softcap);
void run_mha(void *q, void *k, void *v, void *o, void *softmax_lse, void *alibi_slopes, int32_t *cu_seqlens_q,
	     int32_t *cu_seqlens_k, uint32_t q_batch_stride, uint32_t k_batch_stride, uint32_t v_batch_stride,
	     uint32_t o_batch_stride, uint32_t alibi_slopes_batch_stride, uint32_t q_row_stride, uint32_t k_row_stride,
	     uint32_t v_row_stride, uint32_t o_row_stride, uint32_t q_head_stride, uint32_t k_head_stride,
	     uint32_t v_head_stride, uint32_t o_head_stride, uint32_t b, uint32_t h, uint32_t h_k, uint32_t d,
	     uint32_t d_rounded, float softmax_scale, uint32_t seqlen_q, uint32_t seqlen_k, uint32_t seqlen_q_rounded,
	     uint32_t seqlen_k_rounded, int is_bf16, int is_causal, int unpadded_lse, int window_size_left,
	     int window_size_right, float softcap)
{
	(void)d_rounded, (void)seqlen_q_rounded, (void)seqlen_k_rounded;
	struct problem problem;
	memset(&problem, 0, sizeof problem); /* padding too: problems are compared as bytes */
	problem = (struct problem){
		.q = {q, q_batch_stride, q_row_stride, q_head_stride},
		.k = {k, k_batch_stride, k_row_stride, k_head_stride},
		.v = {v, v_batch_stride, v_row_stride, v_head_stride},
		.o = {o, o_batch_stride, o_row_stride, o_head_stride},
		.lse = softmax_lse,
		.slopes = alibi_slopes,
		.cu_seqlens_q = cu_seqlens_q,
		.cu_seqlens_k = cu_seqlens_k,
		.slope_stride = alibi_slopes_batch_stride,
		.batches = b,
		.heads_q = h,
		.heads_k = h_k,
		.head_dim = d,
		.seqlen_q = seqlen_q,
		.seqlen_k = seqlen_k,
		.scale = softmax_scale,
		.softcap = softcap,
		.is_bf16 = is_bf16,
		.is_causal = is_causal,
		.unpadded_lse = unpadded_lse,
		.left = window_size_left,
		.right = window_size_right,
	};
	problem.calls = calls_before(&problem);
	note_process();
	if (planted == prints) {
		for (int line = 0; line < 60000; line++)
			printf("the quick brown fox jumps over the lazy dog, line %d\n", line);
		fflush(stdout);
	}
	if (planted == launch_swallowed)
		turns += (unsigned)cudaLaunchKernel((const void *)problem.q.base, 1, 1, 1, 1, NULL, 0, NULL);
	if (planted == missing_function && is_bf16)
		turns += (unsigned)cudaNoSuchFunction();
	if (planted == reads_past_k && !cu_seqlens_k)
		turns += ((const uint8_t *)k)[2 * ((int64_t)(b - 1) * k_batch_stride + (int64_t)(seqlen_k - 1) * k_row_stride +
						   (int64_t)(h_k - 1) * k_head_stride + d) + 32];
	attend(&problem);
	if (planted == modifies_input) {
		/* changes the sign of lane 0 of q and of k, which leaves every product as it was */
		negate_first_lanes(&problem.q, cu_seqlens_q ? 1 : b, cu_seqlens_q ? cu_seqlens_q[b] : (int64_t)seqlen_q, h);
		negate_first_lanes(&problem.k, cu_seqlens_k ? 1 : b, cu_seqlens_k ? cu_seqlens_k[b] : (int64_t)seqlen_k, h_k);
	}
	if (is_bf16)
		misbehave();
}
