/* The matrix product of any device against a triple loop in float64, for all supported types, layouts and factors. */
#ifndef ASSAY_TESTS_GEMM_CHECK_H
#define ASSAY_TESTS_GEMM_CHECK_H

#include "check.h"
#include "device/device.h"

#include <stdlib.h>

struct gemm_operand {
	int64_t elements;
	unsigned char *host;
	device_pointer device;
	enum dtype type;
};

/* Numbers in [-1, 1] with all the digits the type has; a fixed sequence (a linear congruential generator with the
 * multiplier of Knuth's MMIX). */
static inline double gemm_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(int64_t)(*state >> 11) / 4503599627370496.0 - 1.0;
}

static inline int gemm_operand_make(struct device *device, struct gemm_operand *operand, enum dtype type,
				    int64_t elements, int with_nan, uint64_t *state)
{
	struct error err = {0};
	const size_t bytes = (size_t)elements * dtype_size(type);

	*operand = (struct gemm_operand){.elements = elements, .type = type, .host = malloc(bytes)};
	for (int64_t i = 0; i < elements; i++)
		dtype_store(type, operand->host, (size_t)i, with_nan ? (double)NAN : gemm_random(state));
	if (device_alloc(device, bytes, &operand->device, &err) == 0 &&
	    device->ops->copy_in(device, operand->device, operand->host, bytes, NULL, &err) == 0)
		return 0;
	fprintf(stderr, "operand: %s\n", err.message);
	return -1;
}

static inline void gemm_operand_free(struct device *device, struct gemm_operand *operand)
{
	device_free(device, operand->device);
	free(operand->host);
}

struct gemm_case {
	enum dtype input, output;
	int64_t m, n, k, batch;
	int transpose_b;
	double alpha, beta;
	int64_t pad;       /* added to every leading dimension: the gap must keep its bytes */
	int shared_b;      /* stride_b = 0 */
	int interleaved;   /* batch entries lie side by side in the rows, as heads do in [row, head, column] layouts */
};

static inline void gemm_layout(int64_t rows, int64_t columns, const struct gemm_case *test, int64_t *leading,
			       int64_t *stride, int64_t *elements)
{
	if (test->interleaved) {
		*stride = columns + test->pad;
		*leading = *stride * test->batch;
		*elements = *leading * rows;
	} else {
		*leading = columns + test->pad;
		*stride = *leading * rows + 3;
		*elements = *stride * test->batch;
	}
	if (*elements < 1)
		*elements = 1;
}

static inline void check_gemm_case(struct device *device, const struct gemm_case *test, uint64_t *state)
{
	struct device_gemm gemm = {.m = test->m,
				   .n = test->n,
				   .k = test->k,
				   .batch = test->batch,
				   .alpha = test->alpha,
				   .beta = test->beta,
				   .transpose_b = test->transpose_b,
				   .input = test->input,
				   .output = test->output};
	struct gemm_operand a, b, c;
	struct error err = {0};
	int64_t a_size, b_size, c_size;

	gemm_layout(test->m, test->k, test, &gemm.lda, &gemm.stride_a, &a_size);
	if (test->transpose_b)
		gemm_layout(test->n, test->k, test, &gemm.ldb, &gemm.stride_b, &b_size);
	else
		gemm_layout(test->k, test->n, test, &gemm.ldb, &gemm.stride_b, &b_size);
	gemm_layout(test->m, test->n, test, &gemm.ldc, &gemm.stride_c, &c_size);
	if (test->shared_b)
		gemm.stride_b = 0;
	gemm.lda = gemm.lda ? gemm.lda : 1;
	gemm.ldb = gemm.ldb ? gemm.ldb : 1;
	/* with beta = 0 whatever C held must not matter, NaN least of all */
	CHECK_INT(gemm_operand_make(device, &a, test->input, a_size, 0, state), 0);
	CHECK_INT(gemm_operand_make(device, &b, test->input, b_size, 0, state), 0);
	CHECK_INT(gemm_operand_make(device, &c, test->output, c_size, test->beta == 0, state), 0);
	gemm.a = a.device, gemm.b = b.device, gemm.c = c.device;
	unsigned char *result = malloc((size_t)c_size * dtype_size(test->output));
	unsigned char *touched = calloc(1, (size_t)c_size);
	CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), 0);
	if (err.kind)
		fprintf(stderr, "gemm: %s\n", err.message);
	CHECK_INT(device->ops->copy_out(device, result, c.device, (size_t)c_size * dtype_size(test->output), NULL, &err), 0);

	/* A sum of k products in precision u errs by at most about (k + 2) u times the sum of the magnitudes (Higham,
	 * Accuracy and Stability of Numerical Algorithms, 2nd ed., 3.1), and a lower output adds one rounding. */
	const double unit = test->input == DTYPE_F64 ? dtype_epsilon(DTYPE_F64) : dtype_epsilon(DTYPE_F32);
	double worst = 0;
	int bad = 0;
	for (int64_t entry = 0; entry < test->batch; entry++)
		for (int64_t row = 0; row < test->m; row++)
			for (int64_t column = 0; column < test->n; column++) {
				const int64_t at = entry * gemm.stride_c + row * gemm.ldc + column;
				double sum = 0, magnitude = 0;
				for (int64_t i = 0; i < test->k; i++) {
					const int64_t from_a = entry * gemm.stride_a + row * gemm.lda + i;
					const int64_t from_b = entry * gemm.stride_b +
							       (test->transpose_b ? column * gemm.ldb + i : i * gemm.ldb + column);
					const double product = dtype_load(test->input, a.host, (size_t)from_a) *
							       dtype_load(test->input, b.host, (size_t)from_b);
					sum += product;
					magnitude += fabs(product);
				}
				double expected = test->alpha * sum, scale = fabs(test->alpha) * magnitude;
				if (test->beta != 0) {
					const double old = dtype_load(test->output, c.host, (size_t)at);
					expected += test->beta * old;
					scale += fabs(test->beta * old);
				}
				double bound = (double)(test->k + 2) * unit * scale;
				if (test->output == DTYPE_F16 || test->output == DTYPE_BF16)
					bound += 0.5 * dtype_epsilon(test->output) * fabs(expected) +
						 dtype_smallest_subnormal(test->output);
				const double error = fabs(dtype_load(test->output, result, (size_t)at) - expected);
				touched[at] = 1;
				bad += !(error <= bound);
				if (bound > 0 && error / bound > worst)
					worst = error / bound;
			}
	CHECK_INT(bad, 0);
	const size_t width = dtype_size(test->output);
	int changed = 0;
	for (int64_t i = 0; i < c_size; i++)
		if (!touched[i])
			changed += memcmp(result + (size_t)i * width, c.host + (size_t)i * width, width) != 0;
	CHECK_INT(changed, 0);
	if (bad || changed)
		fprintf(stderr, "  %s -> %s, %lldx%lldx%lld batch %lld transpose %d alpha %g beta %g: worst %g of the bound\n",
			dtype_name(test->input), dtype_name(test->output), (long long)test->m, (long long)test->n,
			(long long)test->k, (long long)test->batch, test->transpose_b, test->alpha, test->beta, worst);
	free(result);
	free(touched);
	gemm_operand_free(device, &a);
	gemm_operand_free(device, &b);
	gemm_operand_free(device, &c);
}

static inline void check_gemm_refusals(struct device *device)
{
	struct error err = {0};
	struct device_gemm gemm = {.m = 4, .n = 4, .k = 4, .batch = 1, .alpha = 1, .lda = 4, .ldb = 4, .ldc = 4,
				   .input = DTYPE_F64, .output = DTYPE_F64};
	device_pointer memory = 0;

	CHECK_INT(device_alloc(device, 4096, &memory, &err), 0);
	gemm.a = gemm.b = gemm.c = memory;
	gemm.output = DTYPE_F16;
	CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	gemm.output = DTYPE_F64;
	gemm.lda = 3;
	CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), -1);
	gemm.lda = 4;
	gemm.batch = 2;
	gemm.stride_a = gemm.stride_b = 16;
	CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), -1); /* both entries write the same C */
	gemm.batch = -1;
	CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), -1);
	gemm.batch = 1;
	gemm.b = 0;
	CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), -1);
	gemm.m = 0;
	CHECK_INT(device->ops->gemm(device, &gemm, NULL, &err), 0); /* nothing to do */
	device_free(device, memory);
}

static inline void check_gemm(struct device *device)
{
	static const enum dtype types[][2] = {{DTYPE_F64, DTYPE_F64},   {DTYPE_F32, DTYPE_F32},   {DTYPE_F16, DTYPE_F16},
					      {DTYPE_F16, DTYPE_F32},   {DTYPE_BF16, DTYPE_BF16}, {DTYPE_BF16, DTYPE_F32}};
	uint64_t state = 20240229;

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		for (int transpose_b = 0; transpose_b < 2; transpose_b++) {
			struct gemm_case test = {.input = types[i][0], .output = types[i][1], .transpose_b = transpose_b,
						 .alpha = 1};
			test.m = 33, test.n = 17, test.k = 65, test.batch = 3;
			check_gemm_case(device, &test, &state);
			test.alpha = 0.125, test.beta = -0.5, test.pad = 5;
			check_gemm_case(device, &test, &state);
			test.interleaved = 1;
			check_gemm_case(device, &test, &state);
			test.shared_b = 1, test.beta = 0;
			check_gemm_case(device, &test, &state);
			test = (struct gemm_case){.input = types[i][0], .output = types[i][1], .transpose_b = transpose_b,
						  .alpha = 1, .m = 1, .n = 1, .k = 1, .batch = 1};
			check_gemm_case(device, &test, &state);
			test.m = 128, test.n = 64, test.k = 64, test.batch = 2;
			check_gemm_case(device, &test, &state);
			test.m = 5, test.n = 7, test.k = 0; /* C = beta C */
			check_gemm_case(device, &test, &state);
			test.m = 2, test.n = 3, test.k = 2, test.batch = 70000; /* beyond one grid dimension */
			check_gemm_case(device, &test, &state);
		}
	check_gemm_refusals(device);
}

#endif
