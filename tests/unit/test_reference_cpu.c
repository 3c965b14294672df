/* The cpu reference against sums written down from the definition in long double, and the parts that need no device:
 * visible pairs and blocking. `--export DIR` writes cases and results for a check outside this program. */
#include "check.h"
#include "reference_cases.h"

#include "judge/row_class.h"
#include "reference/attention_private.h"

struct naive {
	double *o, *lse, *magnitude;
	uint8_t *row_class;
	double logit_magnitude[64], logit_max[64], value_sum[64];
	double *inputs[3]; /* q, k, v storages */
};

/* First element of a row of q, k or v. */
static const double *row_of(const struct attention_problem *p, const double *data, const struct attention_operand *operand,
			    int64_t b, int64_t row, int64_t head)
{
	return data + (p->cu_seqlens_q ? 0 : b * operand->batch_stride) + row * operand->row_stride + head * operand->head_stride;
}

static int sees(const struct attention_problem *p, int64_t offset, int64_t i, int64_t j)
{
	return (p->window_left < 0 || j >= i + offset - p->window_left) && (p->window_right < 0 || j <= i + offset + p->window_right);
}

/* Everything of one row; returns its class. */
static int naive_row(const struct reference_case *test, int64_t b, int64_t h, int64_t i, int64_t start_q, int64_t start_k,
		     int64_t sq, int64_t sk, struct naive *naive, int64_t row)
{
	const struct attention_problem *const p = &test->problem;
	const int64_t key_head = h / (p->heads_q / p->heads_k), offset = sk - sq, group = b * p->heads_q + h;
	const long double slope = p->slopes ? p->slopes[b * p->slope_batch_stride + h] : 0;
	long double logits[256], top = -INFINITY, sum = 0;
	int visible = 0, equal = 1, nan = 0, poison = 0, bad_value_seen = 0;
	long double first = 0;
	const double *const q = row_of(p, naive->inputs[0], &p->q, b, start_q + i, h);

	for (int64_t j = 0; j < sk; j++) {
		long double s = 0, magnitude = 0, term = 0;
		int finite = 1, value_finite = 1;
		const double *const k = row_of(p, naive->inputs[1], &p->k, b, start_k + j, key_head);
		const double *const v = row_of(p, naive->inputs[2], &p->v, b, start_k + j, key_head);
		for (int64_t d = 0; d < p->head_dim; d++) {
			const int usable = isfinite(q[d]) && isfinite(k[d]);
			value_finite &= isfinite(v[d]) != 0;
			finite &= usable;
			s += (long double)q[d] * k[d];
			magnitude += usable ? fabsl((long double)q[d] * k[d]) : 0;
		}
		if (p->alibi != ALIBI_NONE)
			term = p->alibi == ALIBI_CAUSAL ? slope * j : -slope * llabs(i + offset - j);
		s *= p->scale;
		if (p->softcap > 0)
			s = p->softcap * tanhl(s / p->softcap);
		s += term;
		logits[j] = s;
		if (!sees(p, offset, i, j)) {
			poison |= !finite || !value_finite;
			continue;
		}
		visible++;
		bad_value_seen |= !value_finite;
		nan |= isnan(s) || s == INFINITY;
		first = visible == 1 ? s : first;
		equal &= fabsl(s - first) < 0x1p-53L;
		top = s > top ? s : top;
		naive->logit_magnitude[group] =
			fmax(naive->logit_magnitude[group], (double)(fabs(p->scale) * magnitude + fabsl(term)));
		if (isfinite((double)s))
			naive->logit_max[group] = fmax(naive->logit_max[group], (double)fabsl(s));
	}
	for (int64_t j = 0; j < sk; j++) {
		logits[j] = sees(p, offset, i, j) && top > -INFINITY ? expl(logits[j] - top) : 0; /* now a weight */
		sum += logits[j];
	}
	naive->lse[row] = nan ? NAN : sum > 0 ? (double)(top + logl(sum)) : INFINITY;
	for (int64_t d = 0; d < p->head_dim; d++) {
		long double o = nan ? NAN : 0, magnitude = nan ? NAN : 0;
		for (int64_t j = 0; j < sk && !nan; j++) {
			const double v = row_of(p, naive->inputs[2], &p->v, b, start_k + j, key_head)[d];
			const long double weight = sum > 0 ? logits[j] / sum : 0;
			if ((double)weight > 0)
				o += weight * v;
			else if (sees(p, offset, i, j) && !isfinite(v))
				poison = 1;
			if (isfinite(v))
				magnitude += weight * fabsl((long double)v);
		}
		naive->o[row * p->head_dim + d] = (double)o;
		naive->magnitude[row * p->head_dim + d] = (double)magnitude;
	}
	if (nan)
		return ROW_NAN;
	int class = visible == 0 ? ROW_MASKED : top == -INFINITY ? ROW_ALL_MINUS_INF : 0;
	if (!class && p->softcap == 0 && fabsl(top) <= 64 && !bad_value_seen &&
	    (visible == 1 || (p->exact_values && equal && (visible & (visible - 1)) == 0))) {
		class = ROW_EXACT;
		for (int64_t d = 0; d < p->head_dim; d++) {
			uint16_t bits;
			dtype_store(p->dtype, &bits, 0, naive->o[row * p->head_dim + d]);
			if (dtype_load(p->dtype, &bits, 0) != naive->o[row * p->head_dim + d])
				class = 0;
		}
	}
	return class | (poison ? ROW_MASKED_POISON : 0);
}

static double *widened(const struct reference_case *test, const uint16_t *data, int64_t elements)
{
	double *const to = malloc((size_t)(elements + 1) * sizeof *to);
	for (int64_t n = 0; n < elements; n++)
		to[n] = dtype_load(test->problem.dtype, data, (size_t)n);
	return to;
}

static void naive_make(const struct reference_case *test, struct naive *naive)
{
	const struct attention_problem *const p = &test->problem;
	const size_t rows = (size_t)(attention_total_q(p) * p->heads_q), elements = rows * (size_t)p->head_dim;

	memset(naive, 0, sizeof *naive);
	naive->o = calloc(elements + 1, sizeof(double));
	naive->magnitude = calloc(elements + 1, sizeof(double));
	naive->lse = calloc(rows + 1, sizeof(double));
	naive->row_class = calloc(rows + 1, 1);
	naive->inputs[0] = widened(test, test->q, test->q_elements);
	naive->inputs[1] = widened(test, test->k, test->k_elements);
	naive->inputs[2] = widened(test, test->v, test->v_elements);
	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t h = 0; h < p->heads_q; h++) {
			const int64_t start_q = p->cu_seqlens_q ? p->cu_seqlens_q[b] : 0, start_k = p->cu_seqlens_k ? p->cu_seqlens_k[b] : 0;
			const int64_t sq = p->cu_seqlens_q ? p->cu_seqlens_q[b + 1] - start_q : p->seqlen_q;
			const int64_t sk = p->cu_seqlens_k ? p->cu_seqlens_k[b + 1] - start_k : p->seqlen_k;
			const int64_t first = p->cu_seqlens_q ? h * p->cu_seqlens_q[p->batch] + start_q : (b * p->heads_q + h) * sq;

			for (int64_t i = 0; i < sq; i++)
				naive->row_class[first + i] =
					(uint8_t)naive_row(test, b, h, i, start_q, start_k, sq, sk, naive, first + i);
			for (int64_t d = 0; d < p->head_dim; d++) {
				double sum = 0;
				for (int64_t j = 0; j < sk; j++) {
					const double v = row_of(p, naive->inputs[2], &p->v, b, start_k + j,
								h / (p->heads_q / p->heads_k))[d];
					sum += isfinite(v) ? fabs(v) : 0;
				}
				naive->value_sum[b * p->heads_q + h] = fmax(naive->value_sum[b * p->heads_q + h], sum);
			}
		}
}

static void naive_free(struct naive *naive)
{
	free(naive->o);
	free(naive->magnitude);
	free(naive->lse);
	free(naive->row_class);
	for (int n = 0; n < 3; n++)
		free(naive->inputs[n]);
}

/* Number of elements that differ: both NaN, or equal, or within tolerance * scale. */
static int64_t differing(const double *a, const double *b, const double *scale, int64_t count, double tolerance)
{
	int64_t wrong = 0;
	for (int64_t n = 0; n < count; n++)
		if (!(isnan(a[n]) && isnan(b[n])) && !(a[n] == b[n]) &&
		    !(fabs(a[n] - b[n]) <= tolerance * (scale ? scale[n] : 1 + fabs(b[n])) + 0x1p-1070))
			wrong++;
	return wrong;
}

/* The float64 sums differ from the long double ones by some 2^-53 for each of d and seqlen_k terms, and a logit of size L
 * brings an error of L * 2^-53 into its exponential: L is at most a few thousand in these cases. */
static double tolerance_for(const struct naive *naive, int64_t heads)
{
	double largest = 0;
	for (int64_t n = 0; n < heads; n++)
		largest = fmax(largest, naive->logit_magnitude[n]);
	return 0x1p-53 * (64 + 16 * largest);
}

static void check_low(const struct reference_case *test, const struct host_result *host)
{
	const double eps = dtype_epsilon(test->problem.dtype);
	int64_t far = 0, unrounded = 0;
	double largest = 1;

	for (int64_t n = 0; n < host->heads; n++)
		largest = fmax(largest, host->logit_magnitude[n]);
	for (int64_t n = 0; n < host->rows * host->head_dim; n++) {
		uint16_t bits;
		if (host->row_class[n / host->head_dim] & ~ROW_EXACT || !isfinite(host->o[n]))
			continue;
		dtype_store(test->problem.dtype, &bits, 0, host->low_o[n]);
		unrounded += dtype_load(test->problem.dtype, &bits, 0) != host->low_o[n];
		/* score rounded: eps/2 of it in the exponent; probability and output: eps/2 each; doubled for the sum of
		 * probabilities, whose relative error is the largest of theirs */
		far += !(fabs(host->low_o[n] - host->o[n]) <= 2 * expm1(eps * (largest + 1)) * host->magnitude[n] + 1e-4);
	}
	CHECK_INT(far, 0);
	CHECK_INT(unrounded, 0);
	for (int64_t row = 0; row < host->rows; row++)
		if (!(host->row_class[row] & ~ROW_EXACT))
			CHECK_NEAR(host->low_lse[row], host->lse[row], eps * (largest + 1));
}

static void matches_the_definition(struct device *device, struct attention_reference *reference)
{
	int classes[32] = {0};
	struct error err = {0};

	for (int number = 0; number < 130; number++) {
		/* every third with the smallest scratch, so that rows are cut into single ones */
		struct attention_options options = {.precision = DTYPE_F64, .want_low = 1, .want_magnitude = 1,
						    .workspace_limit = (size_t)(number % 3 ? 64 << 20 : 4 << 20)};
		struct reference_case test;
		struct host_result host;
		struct naive naive;
		const int before = check_failures;

		if (reference_case_make(&test, 5, number, number >= 70) ||
		    host_result_make(reference, device, &test, &options, &host, &err)) {
			fprintf(stderr, "case %d: %s\n", number, err.message);
			CHECK(0);
			reference_case_free(&test);
			continue;
		}
		naive_make(&test, &naive);
		const double tolerance = tolerance_for(&naive, host.heads);
		const int64_t elements = host.rows * host.head_dim;
		int64_t wrong_classes = 0, wrong_groups = 0;

		CHECK_INT(host.rows, attention_total_q(&test.problem) * test.problem.heads_q);
		CHECK_INT(differing(host.o, naive.o, naive.magnitude, elements, tolerance), 0);
		CHECK_INT(differing(host.magnitude, naive.magnitude, naive.magnitude, elements, tolerance), 0);
		CHECK_INT(differing(host.lse, naive.lse, NULL, host.rows, tolerance), 0);
		for (int64_t row = 0; row < host.rows; row++) {
			wrong_classes += host.row_class[row] != naive.row_class[row];
			classes[host.row_class[row] & 31]++;
			if (!test.problem.cu_seqlens_q)
				wrong_groups += host.row_group[row] != row / test.problem.seqlen_q;
		}
		CHECK_INT(wrong_classes, 0);
		CHECK_INT(wrong_groups, 0);
		/* float32 sums of up to 256 terms */
		CHECK_INT(differing(host.logit_magnitude, naive.logit_magnitude, NULL, host.heads, 256 * 0x1p-23), 0);
		CHECK_INT(differing(host.logit_max, naive.logit_max, NULL, host.heads, tolerance), 0);
		CHECK_INT(differing(host.value_sum, naive.value_sum, NULL, host.heads, tolerance), 0);
		if (!test.non_finite)
			check_low(&test, &host);
		CHECK(host.workspace_bytes <= options.workspace_limit);
		if (check_failures != before)
			reference_case_print(&test, number);
		naive_free(&naive);
		host_result_free(&host);
		reference_case_free(&test);
	}
	/* the cases have met every class, or they have shown nothing about it */
	CHECK(classes[0] > 1000);
	CHECK(classes[ROW_MASKED] > 100);
	CHECK(classes[ROW_NAN] > 100);
	CHECK(classes[ROW_MASKED_POISON] > 100);
	CHECK(classes[ROW_EXACT] > 100);
	CHECK(classes[ROW_ALL_MINUS_INF] + classes[ROW_ALL_MINUS_INF | ROW_MASKED_POISON] > 10);
	CHECK(classes[ROW_MASKED | ROW_MASKED_POISON] > 10);
}

/* One query that sees one key is that key's value, whatever surrounds it. */
static void exact_row(struct device *device, struct attention_reference *reference)
{
	uint16_t q[8], k[16], v[16];
	struct reference_case test = {
		.problem = {.dtype = DTYPE_F16, .batch = 1, .heads_q = 1, .heads_k = 1, .head_dim = 8, .seqlen_q = 1, .seqlen_k = 2,
			    .q = {.row_stride = 8}, .k = {.row_stride = 8}, .v = {.row_stride = 8}, .window_left = 0,
			    .window_right = 0, .scale = 1},
		.q = q, .k = k, .v = v, .q_elements = 8, .k_elements = 16, .v_elements = 16};
	const struct attention_options options = {.precision = DTYPE_F64, .workspace_limit = 1 << 20};
	struct host_result host;
	struct error err = {0};

	for (size_t n = 0; n < 16; n++) {
		dtype_store(DTYPE_F16, q, n % 8, 1);
		dtype_store(DTYPE_F16, k, n, n < 8 ? NAN : 0.25);
		dtype_store(DTYPE_F16, v, n, n < 8 ? INFINITY : 0.1 * (double)n);
	}
	CHECK_INT(host_result_make(reference, device, &test, &options, &host, &err), 0);
	CHECK_INT(host.row_class[0], ROW_EXACT | ROW_MASKED_POISON);
	CHECK_NEAR(host.lse[0], 2, 1e-15);
	for (size_t n = 0; n < 8; n++)
		CHECK_NEAR(host.o[n], dtype_load(DTYPE_F16, v, 8 + n), 0);
	CHECK(!host.magnitude && !host.low_o && !host.logit_max);
	host_result_free(&host);
}

static void refuses(struct device *device, struct attention_reference *reference)
{
	const struct attention_options options = {.precision = DTYPE_F64, .workspace_limit = 1 << 20};
	const int32_t descending[] = {0, 5, 3}, late[] = {1, 5, 6}, long_one[] = {0, 5, 99};
	const struct attention_problem good = {.dtype = DTYPE_F16, .batch = 2, .heads_q = 4, .heads_k = 2, .head_dim = 8,
					       .seqlen_q = 6, .seqlen_k = 6, .window_left = -1, .window_right = -1, .scale = 1};
	struct attention_result result;
	struct attention_problem bad;
	struct error err;

#define REFUSES(change, word)                                                                                     \
	do {                                                                                                      \
		bad = good;                                                                                       \
		change;                                                                                           \
		err.message[0] = 0;                                                                               \
		CHECK_INT(attention_reference_run(reference, &bad, &options, &result, &err), -1);                 \
		CHECK_CONTAINS(err.message, word);                                                                \
		CHECK(!result.storage);                                                                           \
	} while (0)
	REFUSES(bad.dtype = DTYPE_F32, "f32");
	REFUSES(bad.heads_k = 3, "multiple");
	REFUSES(bad.head_dim = 0, "head_dim");
	REFUSES(bad.seqlen_k = INT64_MAX, "lengths");
	REFUSES(bad.cu_seqlens_q = descending, "one of");
	REFUSES((bad.cu_seqlens_q = long_one, bad.cu_seqlens_k = descending), "batch entry 1");
	REFUSES((bad.cu_seqlens_q = bad.cu_seqlens_k = late), "start at 1");
	REFUSES(bad.scale = NAN, "scale");
	REFUSES(bad.softcap = -1, "softcap");
	REFUSES(bad.alibi = ALIBI_CAUSAL, "slopes");
	REFUSES(bad.window_left = -2, "window");
	REFUSES(bad.seqlen_k = 1 << 20, "scratch");
#undef REFUSES
	struct attention_chain *chain;
	CHECK_INT(attention_chain_prepare(reference, &good, 1 << 20, &chain, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK(device->properties.kind == DEVICE_CPU && !chain);
}

static void visible_pairs_are_counted(void)
{
	struct case_random random = {11};

	for (int n = 0; n < 400; n++) {
		struct reference_case test;
		int64_t pairs = 0;

		if (reference_case_make(&test, case_bits(&random), n, 0)) {
			CHECK(0);
			return;
		}
		const struct attention_problem *const p = &test.problem;
		for (int64_t b = 0; b < p->batch; b++) {
			const int64_t sq = p->cu_seqlens_q ? p->cu_seqlens_q[b + 1] - p->cu_seqlens_q[b] : p->seqlen_q;
			const int64_t sk = p->cu_seqlens_k ? p->cu_seqlens_k[b + 1] - p->cu_seqlens_k[b] : p->seqlen_k;
			for (int64_t i = 0; i < sq; i++)
				for (int64_t j = 0; j < sk; j++)
					pairs += sees(p, sk - sq, i, j);
		}
		CHECK_INT(attention_visible_pairs(p), pairs * p->heads_q);
		reference_case_free(&test);
	}
	const struct attention_problem causal = {.batch = 3, .heads_q = 7, .seqlen_q = 1000, .seqlen_k = 1000, .window_left = 1000,
						 .window_right = 0};
	CHECK_INT(attention_visible_pairs(&causal), 3 * 7 * 1000 * 1001 / 2);
	const struct attention_problem huge = {.batch = 2, .heads_q = 64, .seqlen_q = 1 << 20, .seqlen_k = 1 << 20, .window_left = -1,
					       .window_right = INT64_MAX};
	CHECK_INT(attention_visible_pairs(&huge), (int64_t)128 << 40);
}

static void blocking_keeps_the_limit(void)
{
	struct case_random random = {3};
	int whole = 0, chunked = 0;

	for (int n = 0; n < 20000; n++) {
		const struct attention_shape shape = {
			.groups = case_between(&random, 1, 200), .ratio = case_between(&random, 1, 16),
			.seqlen_q = case_between(&random, 0, (int64_t)1 << case_between(&random, 1, 20)),
			.seqlen_k = case_between(&random, 0, (int64_t)1 << case_between(&random, 1, 24)),
			.head_dim = 8 * case_between(&random, 1, 32), .window_left = case_between(&random, -1, 1000),
			.window_right = case_between(&random, -1, 1000), .gathered_size = n % 2 ? 8 : 2,
			.scored_size = n % 2 ? 8 : n % 3 ? 4 : 2, .product_size = n % 5 ? 8 : 0, .value_arrays = n % 3,
			.careful = n % 7 == 0};
		const size_t limit = (size_t)1 << case_between(&random, 12, 34);
		struct attention_blocking b;

		if (attention_blocking_choose(&shape, limit, &b)) {
			CHECK(b.bytes > limit && b.groups == 1 && b.queries == 1 && b.keys == 1);
			continue;
		}
		CHECK(b.bytes <= limit);
		CHECK(b.groups >= 1 && b.groups <= shape.groups);
		CHECK(b.queries >= 1 && b.queries <= (shape.seqlen_q > 1 ? shape.seqlen_q : 1));
		CHECK(b.keys >= 1 && (b.keys >= shape.seqlen_k || b.groups == 1));
		CHECK((b.leading * (int64_t)shape.scored_size) % 16 == 0);
		CHECK(b.groups * b.queries * shape.ratio <= INT32_MAX);
		whole += b.keys >= shape.seqlen_k;
		chunked += b.keys < shape.seqlen_k;
	}
	CHECK(whole > 1000 && chunked > 1000);

	/* the size the documentation quotes: one batch of everything when it fits */
	const struct attention_shape quoted = {.groups = 32, .ratio = 1, .seqlen_q = 4096, .seqlen_k = 4096, .head_dim = 128,
					       .window_left = -1, .window_right = -1, .gathered_size = 8, .scored_size = 8,
					       .value_arrays = 1};
	struct attention_blocking b;
	CHECK_INT(attention_blocking_choose(&quoted, (size_t)6 << 30, &b), 0);
	CHECK_INT(b.groups, 32);
	CHECK_INT(b.queries, 4096);
}

int main(int argc, char **argv)
{
	struct device *device = NULL;
	struct attention_reference *reference = NULL;
	struct error err = {0};
	int code = 1;

	if (device_open(&device, "cpu", NULL, &err) || attention_reference_open(&reference, device, &err)) {
		fprintf(stderr, "%s\n", err.message);
		goto done;
	}
	if (argc == 3 && strcmp(argv[1], "--export") == 0) {
		code = reference_cases_export(reference, device, DTYPE_F64, argv[2], 32);
		goto done;
	}
	visible_pairs_are_counted();
	blocking_keeps_the_limit();
	exact_row(device, reference);
	refuses(device, reference);
	matches_the_definition(device, reference);
	code = check_result();
done:
	attention_reference_close(reference);
	device_close(device);
	return code;
}
