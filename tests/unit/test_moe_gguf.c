/* Host functions of quantised matrices: moe_gemm_gguf, moe_gemm_gguf_prefill, launch_mmvq_gguf_*: all shipped cases called on
 * entry points written in C, right and with faults. */
#include "host_entry.h"

#include "core/dtype.h"
#include "reference/gguf.h"

#include <stdlib.h>

extern const struct family moe_gguf_family, mmvq_family;

enum fault {
	RIGHT,
	ROW_OF_SLOT,        /* without weights the input is read as if it had a row for each slot */
	WEIGHT_IGNORED,
	WEIGHT_OF_POSITION, /* the weight of the sorted position */
	ROW_OF_POSITION,    /* results go to the sorted position */
	NEXT_EXPERT,
	FORMAT_NUMBERS,     /* Q2_K and Q3_K in each other's place */
	ROWS_REST,          /* an expert's rows beyond the first 32 */
	COLUMNS_REST,       /* columns beyond whole groups of 4 */
	BLOCKS_REST,        /* the last block of a row */
	HALF_SUMS,
	NOT_QUANTISED,      /* decode: the input is taken as it is */
	OTHER_TYPE,         /* prefill: f16 is read as bf16 and the other way round */
	EXPERT_STRIDE,      /* an expert's matrix is taken to have a row less */
	FAULT_COUNT
};
static int planted; /* enum fault */

static double sum_of(double sum)
{
	return planted == HALF_SUMS ? f16_to_f64(f16_from_f64(sum)) : (double)(float)sum;
}

static void product(const void *input, enum dtype type, const unsigned char *weights, const int32_t *sorted, const int32_t *ids,
		    const float *scales, float *output, int experts, int topk, int rows, int n, int k, int number)
{
	static const enum gguf_format formats[] = {GGUF_Q8_0, GGUF_Q4_K, GGUF_Q2_K, GGUF_Q3_K, GGUF_Q5_K, GGUF_Q6_K};
	const enum gguf_format format = formats[planted == FORMAT_NUMBERS && number / 2 == 1 ? 5 - number : number];
	const struct gguf_layout *layout = &gguf_layouts[format];
	const int blocks = k / layout->elements, in_rows = scales ? rows : rows / topk;
	const enum dtype read = planted != OTHER_TYPE || type == DTYPE_F32 ? type : type == DTYPE_F16 ? DTYPE_BF16 : DTYPE_F16;
	const int stride = n - (planted == EXPERT_STRIDE && n > 1);
	float *values = malloc(sizeof *values * (size_t)k);
	unsigned char *q8_1 = malloc((size_t)((k + 31) / 32 * 36));
	for (int i = 0; i < rows; i++) {
		const int row = sorted[i], expert = planted == NEXT_EXPERT ? (ids[i] + 1) % experts : ids[i];
		const int from = (scales || planted == ROW_OF_SLOT ? row : row / topk) % in_rows;
		int within = 0;
		while (within < i && ids[i - within - 1] == ids[i])
			within++;
		if (planted == ROWS_REST && within >= 32)
			continue;
		for (int j = 0; j < k; j++)
			values[j] = (float)dtype_load(read, input, (size_t)from * (size_t)k + (size_t)j);
		gguf_quantize_q8_1(values, 1, k, k, q8_1);
		for (int j = 0; j < k && type == DTYPE_F32 && planted != NOT_QUANTISED; j++)
			values[j] = (float)(f16_to_f64((uint16_t)(q8_1[j / 32 * 36] | q8_1[j / 32 * 36 + 1] << 8)) *
					    (signed char)q8_1[j / 32 * 36 + 4 + j % 32]);
		for (int column = 0; column < (planted == COLUMNS_REST ? n / 4 * 4 : n); column++) {
			double sum = 0;
			for (int b = 0; b < blocks - (planted == BLOCKS_REST); b++) {
				struct gguf_block block;
				gguf_decode(format, weights + ((size_t)(expert * stride + column) * (size_t)blocks + (size_t)b) *
							      (size_t)layout->bytes, &block);
				double part = 0;
				for (int e = 0; e < layout->elements; e++) {
					double weight = gguf_value(&block, e);
					if (type != DTYPE_F32)
						weight = f16_to_f64(f16_from_f64(weight));
					if (type == DTYPE_BF16)
						weight = bf16_to_f64(bf16_from_f64(weight));
					part += weight * (double)values[b * layout->elements + e];
				}
				sum = sum_of(sum + part);
			}
			const double scale = !scales || planted == WEIGHT_IGNORED ? 1 : (double)scales[planted == WEIGHT_OF_POSITION ? i : row];
			output[(size_t)(planted == ROW_OF_POSITION ? i : row) * (size_t)n + (size_t)column] = (float)(sum * scale);
		}
	}
	free(values);
	free(q8_1);
}

static void moe_gemm_gguf(const float *input, const void *weights, const int32_t *sorted, const int32_t *ids, const float *scales,
			  void *output, int experts, int topk, int size_m, int size_n, int size_k, int number, int64_t stream)
{
	(void)stream;
	product(input, DTYPE_F32, weights, sorted, ids, scales, output, experts, topk, size_m, size_n, size_k, number);
}

static void moe_gemm_gguf_prefill(const void *input, const uint8_t *weights, const int32_t *sorted, const int32_t *ids,
				  const float *scales, void *output, int experts, int topk, int size_m, int size_n, int size_k,
				  int type, int number, int64_t stream)
{
	(void)stream;
	product(input, type ? DTYPE_BF16 : DTYPE_F16, weights, sorted, ids, scales, output, experts, topk, size_m, size_n, size_k,
		number);
}

static enum dtype mmvq_type;
static enum gguf_format mmvq_format;

static void mmvq_product(const void *vx, const void *vy, void *dst, int k, int rows, int stride_y, int stride_dst, int columns,
			 void *stream)
{
	const struct gguf_layout *layout = &gguf_layouts[mmvq_format];
	const int blocks = k / layout->elements;
	struct gguf_block *row_blocks = malloc(sizeof *row_blocks * (size_t)blocks);
	(void)stream;
	for (int row = 0; row < rows - (planted == COLUMNS_REST); row++) {
		for (int b = 0; b < blocks; b++)
			gguf_decode(mmvq_format, (const unsigned char *)vx + ((size_t)row * (size_t)blocks + (size_t)b) *
							 (size_t)layout->bytes, &row_blocks[b]);
		for (int column = 0; column < columns; column++) {
			struct gguf_product one;
			const int stride = planted == BLOCKS_REST ? k / 32 : stride_y;
			gguf_product(mmvq_format, row_blocks, (const unsigned char *)vy + (size_t)column * (size_t)stride * 36, k, &one);
			dtype_store(planted == OTHER_TYPE && mmvq_type == DTYPE_F16 ? DTYPE_BF16 : mmvq_type, dst,
				    (size_t)column * (size_t)(planted == EXPERT_STRIDE ? rows : stride_dst) + (size_t)row,
				    sum_of((double)(planted == NOT_QUANTISED ? one.by_quants * 1.001L : one.by_quants)));
		}
	}
	free(row_blocks);
}

static void mmvq_quantize(const void *x, void *vy, int k, int padded, int rows, void *stream)
{
	float *values = malloc(sizeof *values * (size_t)k * (size_t)rows);
	(void)stream;
	for (size_t i = 0; i < (size_t)k * (size_t)rows; i++)
		values[i] = (float)dtype_load(mmvq_type, x, i);
	gguf_quantize_q8_1(values, rows, k, padded, vy);
	if (planted == BLOCKS_REST)
		memset((unsigned char *)vy + (k - 1) / 32 * 36, 0, 36);
	free(values);
}

/* Whether the case passes on the entry point that it names. */
static int passes(const struct family *family, const struct test_case *test, double *margin)
{
	const char *symbol = case_get_text(test, "entry");
	void (*entry)(void) = (void (*)(void))moe_gemm_gguf;
	if (strcmp(symbol, "moe_gemm_gguf_prefill") == 0)
		entry = (void (*)(void))moe_gemm_gguf_prefill;
	else if (strstr(symbol, "quantize"))
		entry = (void (*)(void))mmvq_quantize;
	else if (strstr(symbol, "mmvq"))
		entry = (void (*)(void))mmvq_product;
	if (family == &mmvq_family) {
		mmvq_type = operator_dtype(test, "type");
		mmvq_format = gguf_format_from_name(case_get_text(test, "format"));
	}
	return host_entry_passes(family, test, entry, margin);
}

static void contradictions(void)
{
	static const char *const axes[][2] = {{"k", "100"}, {"format", "q4_0"}, {"topk", "0"}, {"weighted", "maybe"},
					      {"input", "normal:x"}, {"blocks", "none"}, {"routing", "none"}, {"tokens", "40000"}};
	for (size_t i = 0; i < sizeof axes / sizeof axes[0]; i++) {
		struct test_case test;
		struct error err = {0};
		const struct assignment assignment = {.family = "moe_gguf", .axis_count = 1, .axes = {axes[i][0]}, .values = {axes[i][1]}};
		CHECK(moe_gguf_family.make_case(&assignment, 1, &test, &err) != 0);
		CHECK(err.message[0] != 0);
	}
}

int main(void)
{
	host_entry_cases(&moe_gguf_family, MOE_GGUF_SPEC, &planted, FAULT_COUNT, 0, passes);
	host_entry_cases(&mmvq_family, MMVQ_SPEC, &planted, FAULT_COUNT,
			 1u << ROW_OF_SLOT | 1u << WEIGHT_IGNORED | 1u << WEIGHT_OF_POSITION | 1u << ROW_OF_POSITION |
				 1u << NEXT_EXPERT | 1u << FORMAT_NUMBERS | 1u << ROWS_REST, passes);
	contradictions();
	return check_result();
}
