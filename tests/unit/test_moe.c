/* moe_gemm_wmma: the bound of its accumulation against an adder that truncates, its routing, and all shipped cases called on
 * an entry point written in C, right and with faults. */
#include "check.h"
#include "dataset/generate.h"
#include "kernels/family.h"
#include "kernels/moe_routing.h"
#include "reference/grouped_product.h"

#include <stdlib.h>

extern const struct family moe_wmma_family;

/* ---- the bound -------------------------------------------------------------------------------------------------------- */

static double chopped(double x, int exponent) /* towards zero, to a multiple of 2^exponent */
{
	return ldexp(trunc(ldexp(x, -exponent)), exponent);
}

static double chopped_to_24_bits(double x)
{
	int exponent;
	if (x == 0)
		return 0;
	frexp(x, &exponent);
	return chopped(x, exponent - 24);
}

/* What tensor cores do, at their least precise: `block` products and the sum so far are cut off at the last place of the
 * largest of them, added, and the sum is cut off to 24 bits. */
static double truncating_sum(const double *products, int64_t count, int block)
{
	double sum = 0;
	for (int64_t at = 0; at < count; at += block) {
		const int64_t end = at + block < count ? at + block : count;
		double largest = fabs(sum), total;
		int exponent;
		for (int64_t i = at; i < end; i++)
			largest = fmax(largest, fabs(products[i]));
		if (largest == 0)
			continue;
		frexp(largest, &exponent);
		total = chopped(sum, exponent - 24);
		for (int64_t i = at; i < end; i++)
			total += chopped(products[i], exponent - 24);
		sum = chopped_to_24_bits(total);
	}
	return sum;
}

static void bound(void)
{
	enum { MOST = 512 };
	float in[MOST], weights[MOST];
	double products[MOST];
	double worst = 0;
	int64_t beyond = 0;
	for (uint64_t round = 0; round < 3000; round++) {
		const int64_t k = 1 + (int64_t)generate_below(MOST, 1, 1, round);
		const int block = 1 << generate_below(5, 1, 2, round), alike = generate_below(2, 1, 3, round) == 0;
		const struct grouped_product product = {.n = 1, .k = k, .in = in, .weights = weights};
		struct dot dot;
		long double sum = 0, size = 0;
		for (int64_t i = 0; i < k; i++) {
			const uint64_t at = round * MOST + (uint64_t)i;
			in[i] = f16_to_f32(f16_from_f64(((double)generate_below(4096, 2, 1, at) - (alike ? 0 : 2048)) / 1000));
			weights[i] = bf16_to_f32(bf16_from_f64(((double)generate_below(4096, 2, 2, at) + 1) / 777));
			products[i] = (double)in[i] * (double)weights[i];
			sum += (long double)products[i];
			size += fabsl((long double)products[i]);
		}
		grouped_product_row(&product, 0, 0, &dot);
		CHECK_NEAR(dot.sum, (double)sum, (double)size * 1e-13);
		CHECK_NEAR(dot.magnitude, (double)size, (double)size * 1e-13);
		const double allowed = grouped_product_error(dot.magnitude, k, 0);
		const double error = fabs(truncating_sum(products, k, block) - dot.sum);
		beyond += !(error <= allowed);
		worst = fmax(worst, allowed > 0 ? error / allowed : 0);
	}
	CHECK_INT(beyond, 0);
	if (!(worst > 0.1))
		fprintf(stderr, "the largest error is %g of the bound\n", worst);
	CHECK(worst > 0.1); /* and it is not far from what can happen */
	CHECK_NEAR(grouped_product_error(0x1p24, 1000, 1), 0, 0);
	CHECK(grouped_product_error(0x1p24 + 2, 1000, 1) > 0);
	CHECK(grouped_product_error(1, 8, 0) > 8 * 0x1p-23);

	/* rows and experts are found where they lie */
	const float two_in[] = {1, 2, 3, 4, 5, 6}, two_weights[] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1};
	const struct grouped_product product = {.n = 2, .k = 3, .in = two_in, .weights = two_weights};
	struct dot dots[2];
	grouped_product_row(&product, 1, 1, dots);
	CHECK_NEAR(dots[0].sum, 6, 0);
	CHECK_NEAR(dots[1].sum, 15, 0);
}

/* ---- an entry point in C ---------------------------------------------------------------------------------------------- */

enum fault {
	RIGHT,
	BITS_AS_NUMBER,     /* the bits of an f16 result are taken for a whole number */
	ROW_OF_SLOT,        /* without weights the input is read as if it had a row for each slot */
	WEIGHT_IGNORED,
	WEIGHT_OF_POSITION, /* the weight of the sorted position */
	DEPTH_REST,         /* k beyond whole steps of 16 */
	ROWS_REST,          /* an expert's rows beyond the first 32 */
	COLUMNS_REST,       /* columns beyond whole tiles of 16 */
	SUM_IN_TYPE,        /* sums are rounded to the type at every step of 16 */
	ROW_OF_POSITION,    /* results go to the sorted position */
	NEXT_EXPERT,
	ROUND_DOWN,
	OTHER_TYPE,         /* f16 is read as bf16 and the other way round */
	OTHERS_TOUCHED,     /* matrices of other experts take part with a factor of 0 */
	ROW_TOUCHED,        /* the next row of the input takes part with a factor of 0 */
	SATURATED,
	WEIGHT_LATE,        /* applied after rounding */
	EXPERT_LOST,        /* experts from 256 on */
	DECODE_ROWS,        /* decoding: rows beyond 8 of an expert */
	FAULT_COUNT
};
static enum fault planted;

static double rounded(enum dtype dtype, double value)
{
	const long double nearest = round_to_dtype(dtype, (long double)value);
	if (planted == ROUND_DOWN && fabsl(nearest) > fabsl((long double)value)) {
		const double unit = unit_in_last_place(dtype, nearest) / 2;
		return (double)(nearest - copysignl((long double)unit, nearest)) == value
			       ? value
			       : (double)(nearest - copysignl((long double)unit_in_last_place(dtype, (long double)value), nearest));
	}
	if (planted == SATURATED && dtype == DTYPE_F16 && isinf(nearest))
		return value > 0 ? 65504 : -65504;
	return (double)nearest;
}

static void moe_gemm_wmma(const void *input, const void *weights, const int32_t *sorted_token_ids, const int32_t *expert_ids,
			  const float *topk_weights, void *output, int32_t *expert_counts, int32_t *expert_offsets,
			  int num_experts, int topk, int size_m, int size_n, int size_k, int dtype_number, _Bool is_prefill,
			  int64_t stream)
{
	const enum dtype dtype = dtype_number ? DTYPE_BF16 : DTYPE_F16;
	const enum dtype read = planted == OTHER_TYPE ? (dtype_number ? DTYPE_F16 : DTYPE_BF16) : dtype;
	const int depth = planted == DEPTH_REST ? size_k / 16 * 16 : size_k;
	const int columns = planted == COLUMNS_REST ? size_n / 16 * 16 : size_n;
	(void)stream;
	memset(expert_counts, 0, sizeof *expert_counts * (size_t)num_experts);
	for (int i = 0; i < size_m; i++)
		expert_counts[expert_ids[i]]++;
	expert_offsets[0] = 0;
	for (int expert = 0; expert < num_experts; expert++)
		expert_offsets[expert + 1] = expert_offsets[expert] + expert_counts[expert];
	for (int i = 0; i < size_m; i++) {
		const int row = sorted_token_ids[i], within = i - expert_offsets[expert_ids[i]];
		const int from = topk_weights || planted == ROW_OF_SLOT ? row : row / topk;
		const int rows = topk_weights ? size_m : size_m / topk;
		const int expert = planted == NEXT_EXPERT ? (expert_ids[i] + 1) % num_experts : expert_ids[i];
		if ((planted == ROWS_REST && within >= 32) || (planted == EXPERT_LOST && expert >= 256) ||
		    (planted == DECODE_ROWS && !is_prefill && within >= 8))
			continue;
		for (int column = 0; column < columns; column++) {
			const size_t matrix = ((size_t)expert * (size_t)size_n + (size_t)column) * (size_t)size_k;
			const size_t other = ((size_t)((expert + 1) % num_experts) * (size_t)size_n + (size_t)column) * (size_t)size_k;
			float sum = 0;
			for (int k = 0; k < depth; k++) {
				const size_t at = (size_t)(from % rows) * (size_t)size_k + (size_t)k;
				const size_t beside = (size_t)((from + 1) % rows) * (size_t)size_k + (size_t)k;
				sum += (float)(dtype_load(read, input, at) * dtype_load(read, weights, matrix + (size_t)k));
				if (planted == OTHERS_TOUCHED)
					sum += 0 * (float)dtype_load(read, weights, other + (size_t)k);
				if (planted == ROW_TOUCHED)
					sum += 0 * (float)dtype_load(read, input, beside);
				if (planted == SUM_IN_TYPE && k % 16 == 15)
					sum = (float)rounded(dtype, (double)sum);
			}
			float weight = topk_weights ? topk_weights[planted == WEIGHT_OF_POSITION ? i : row] : 1;
			if (planted == WEIGHT_IGNORED)
				weight = 1;
			double result = rounded(dtype, (double)(sum * weight));
			if (planted == WEIGHT_LATE)
				result = rounded(dtype, rounded(dtype, (double)sum) * (double)weight);
			if (planted == BITS_AS_NUMBER && dtype == DTYPE_F16)
				result = (double)f16_from_f64(result);
			dtype_store(dtype, output, (size_t)(planted == ROW_OF_POSITION ? i : row) * (size_t)size_n + (size_t)column, result);
		}
	}
}

/* Whether the case passes on it. */
static int passes(const struct test_case *test, double *margin)
{
	struct binding binding = {.test = test};
	void (*const entry)(void) = (void (*)(void))moe_gemm_wmma;
	memcpy(&binding.entry, &entry, sizeof binding.entry);
	struct judgement *judgement = calloc(1, sizeof *judgement);
	struct error err = {0};
	int64_t wrong = judgement ? 0 : 1;
	void *outputs[CASE_TENSORS_MAX] = {0};
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		binding.tensors[i].tensor = tensor;
		if (tensor->role == TENSOR_OUTPUT) {
			outputs[i] = malloc((size_t)tensor->extent * dtype_size(tensor->dtype) + 1);
			memset(outputs[i], 0xff, (size_t)tensor->extent * dtype_size(tensor->dtype)); /* NaNs */
		}
		binding.tensors[i].data = (device_pointer)(uintptr_t)(outputs[i] ? outputs[i] : tensor->data);
	}
	moe_wmma_family.call(&binding);
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		if (!outputs[i])
			continue;
		const int64_t count = tensor_elements(tensor);
		struct expectation *expected = calloc((size_t)count, sizeof *expected);
		if (!expected || moe_wmma_family.expectations(test, 0, tensor, expected, &err)) {
			fprintf(stderr, "%s: %s\n", test->name, err.message);
			wrong++;
		} else {
			struct expectation_layout layout = {.name = tensor->name, .dtype = tensor->dtype, .rank = tensor->rank};
			memcpy(layout.dims, tensor->dims, sizeof layout.dims);
			memcpy(layout.strides, tensor->strides, sizeof layout.strides);
			wrong += judge_expectations(&layout, outputs[i], expected, MATH_PRECISE, judgement);
		}
		free(expected);
		free(outputs[i]);
	}
	if (margin && judgement && judgement->margin > *margin)
		*margin = judgement->margin;
	free(judgement);
	return wrong == 0;
}

static const char *const *axes_of(const char *family, void *context)
{
	(void)context;
	return strcmp(family, "moe_wmma") == 0 ? moe_wmma_family.axes : NULL;
}

static void shipped_cases(void)
{
	struct error err = {0};
	struct spec *spec;
	if (spec_open(&spec, MOE_SPEC, axes_of, NULL, &err)) {
		CHECK_TEXT(err.message, "");
		return;
	}
	int caught[FAULT_COUNT] = {0};
	double margin = 0;
	for (size_t i = 0; i < spec_count(spec); i++) {
		const struct assignment assignment = spec_at(spec, i);
		struct test_case test;
		if (moe_wmma_family.make_case(&assignment, i, &test, &err) || moe_wmma_family.fill(&test, &err) ||
		    moe_wmma_family.check_case(&test, &err)) {
			CHECK_TEXT(err.message, "");
			continue;
		}
		for (int fault = 0; fault < FAULT_COUNT; fault++) {
			planted = (enum fault)fault;
			if (fault && caught[fault])
				continue;
			const int right = passes(&test, fault ? NULL : &margin);
			if (!fault && !right)
				fprintf(stderr, "%s fails on the right entry point\n", test.name);
			caught[fault] += !right;
		}
		case_free(&test);
	}
	CHECK_INT(caught[RIGHT], 0);
	CHECK(margin > 0.5 && margin <= 1);
	for (int fault = 1; fault < FAULT_COUNT; fault++) {
		if (!caught[fault])
			fprintf(stderr, "fault %d is not caught\n", fault);
		CHECK_INT(caught[fault], 1);
	}
	planted = RIGHT;
	spec_close(spec);
}

/* ---- cases ------------------------------------------------------------------------------------------------------------ */

static int make(struct test_case *test, struct error *err, const char *axis, const char *value, const char *other,
		const char *other_value)
{
	const struct assignment assignment = {.family = "moe_wmma", .axis_count = 2, .axes = {axis, other},
					      .values = {value, other_value}};
	return moe_wmma_family.make_case(&assignment, 3, test, err);
}

static void cases(void)
{
	struct test_case test;
	struct error err = {0};
	CHECK(make(&test, &err, "k", "12", "n", "1") < 0);
	CHECK_CONTAINS(err.message, "multiple of 8");
	CHECK(make(&test, &err, "experts", "1025", "prefill", "no") < 0);
	CHECK(make(&test, &err, "dtype", "f32", "n", "1") < 0);
	CHECK(make(&test, &err, "tokens", "16777216", "topk", "2") < 0);
	CHECK(make(&test, &err, "n", "1048576", "experts", "0") < 0);

	for (const char *const *routing = moe_routings; *routing; routing++) {
		CHECK(make(&test, &err, "routing", *routing, "experts", "7") == 0);
		CHECK(moe_wmma_family.fill(&test, &err) == 0);
		CHECK(moe_wmma_family.check_case(&test, &err) == 0);
		int32_t *row = case_find_tensor(&test, "sorted_token_ids", TENSOR_INPUT)->data;
		int32_t *expert = case_find_tensor(&test, "expert_ids", TENSOR_INPUT)->data;
		int falls = 0;
		for (int i = 1; i < 40; i++)
			falls += expert[i] == expert[i - 1] && row[i] < row[i - 1];
		CHECK((falls > 0) == (strcmp(*routing, "shuffled") == 0));
		CHECK(strcmp(*routing, "last") != 0 || expert[0] == 6);
		CHECK(strcmp(*routing, "ends") != 0 || (expert[0] == 0 && expert[19] == 0 && expert[20] == 6));
		const int32_t kept = row[5];
		row[5] = row[6];
		CHECK(moe_wmma_family.check_case(&test, &err) < 0);
		row[5] = 40;
		CHECK(moe_wmma_family.check_case(&test, &err) < 0);
		row[5] = kept;
		expert[39] = 7;
		CHECK(moe_wmma_family.check_case(&test, &err) < 0);
		expert[39] = -1;
		CHECK(moe_wmma_family.check_case(&test, &err) < 0);
		case_free(&test);
	}
	struct work work;
	CHECK(make(&test, &err, "prefill", "no", "routing", "last") == 0);
	CHECK(moe_wmma_family.fill(&test, &err) == 0);
	CHECK(moe_wmma_family.work(&test, &work, &err) == 0);
	CHECK_NEAR(work.flops, 2.0 * 40 * 40 * 64, 0);
	CHECK_NEAR(work.bytes, 2.0 * (20 * 64 + 40 * 64 + 40 * 40) + 4.0 * 40 * 2, 0);
	CHECK_INT(work.unit, WORK_BYTES);
	CHECK(case_set_text(&test, "topk", "x", &err) == 0);
	CHECK(moe_wmma_family.check_case(&test, &err) < 0);
	case_free(&test);
}

int main(void)
{
	bound();
	cases();
	shipped_cases();
	return check_result();
}
