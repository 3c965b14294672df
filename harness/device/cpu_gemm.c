#include "device/cpu.h"

#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements of one converted panel: 16 MiB of float32, well above what a product needs to run at full speed and small
 * beside any machine's memory. */
enum { PANEL_ELEMENTS = 1 << 22 };

void cpu_blas_start(int cores, char *name, size_t name_size)
{
	/* OpenBLAS starts one thread a processor of the machine; those beyond the affinity mask would only take turns */
	if (!getenv("OPENBLAS_NUM_THREADS") && !getenv("OMP_NUM_THREADS") && openblas_get_num_threads() > cores)
		openblas_set_num_threads(cores);
	char config[80];
	snprintf(config, sizeof config, "%s", openblas_get_config());
	snprintf(name, name_size, "%s", config);
}

/* A 16-bit matrix panel, rows x columns, as packed float32. */
static void widen(enum dtype type, const uint16_t *from, int64_t leading, int64_t rows, int64_t columns, float *to)
{
	for (int64_t row = 0; row < rows; row++) {
		const uint16_t *source = from + row * leading;
		float *target = to + row * columns;
		if (type == DTYPE_F16)
			for (int64_t i = 0; i < columns; i++)
				target[i] = f16_to_f32(source[i]);
		else
			for (int64_t i = 0; i < columns; i++)
				target[i] = bf16_to_f32(source[i]);
	}
}

static void narrow(enum dtype type, const float *from, int64_t rows, int64_t columns, uint16_t *to, int64_t leading)
{
	for (int64_t row = 0; row < rows; row++) {
		const float *source = from + row * columns;
		uint16_t *target = to + row * leading;
		if (type == DTYPE_F16)
			for (int64_t i = 0; i < columns; i++)
				target[i] = f16_from_f32(source[i]);
		else
			for (int64_t i = 0; i < columns; i++)
				target[i] = bf16_from_f32(source[i]);
	}
}

struct panels {
	float *a, *b, *c; /* packed float32; c is NULL when the product writes float32 itself */
	int64_t rows, columns; /* of C, at most this many at a time */
};

/* One matrix of the batch: panels of A and of B are widened, multiplied over the whole of k in one call (so that the
 * accumulation is float32 throughout) and the result is rounded once. */
static void low_precision_gemm(const struct device_gemm *gemm, const uint16_t *a, const uint16_t *b, void *c,
			       const struct panels *panels)
{
	const struct device_gemm g = *gemm;

	for (int64_t column = 0; column < g.n; column += panels->columns) {
		const int64_t columns = g.n - column < panels->columns ? g.n - column : panels->columns;
		if (g.transpose_b)
			widen(g.input, b + column * g.ldb, g.ldb, columns, g.k, panels->b);
		else
			widen(g.input, b + column, g.ldb, g.k, columns, panels->b);
		for (int64_t row = 0; row < g.m; row += panels->rows) {
			const int64_t rows = g.m - row < panels->rows ? g.m - row : panels->rows;
			const int64_t at = row * g.ldc + column;
			float *result = panels->c ? panels->c : (float *)c + at;
			const int64_t leading = panels->c ? columns : g.ldc;

			widen(g.input, a + row * g.lda, g.lda, rows, g.k, panels->a);
			if (panels->c && g.beta != 0)
				widen(g.output, (const uint16_t *)c + at, g.ldc, rows, columns, panels->c);
			cblas_sgemm(CblasRowMajor, CblasNoTrans, g.transpose_b ? CblasTrans : CblasNoTrans, (int)rows,
				    (int)columns, (int)g.k, (float)g.alpha, panels->a, (int)(g.k ? g.k : 1), panels->b,
				    (int)(g.transpose_b ? (g.k ? g.k : 1) : columns), (float)g.beta, result,
				    (int)leading);
			if (panels->c)
				narrow(g.output, panels->c, rows, columns, (uint16_t *)c + at, g.ldc);
		}
	}
}

static int64_t panel_lines(int64_t lines, int64_t length)
{
	const int64_t fit = PANEL_ELEMENTS / (length > 0 ? length : 1);
	const int64_t some = fit > 16 ? fit : 16;
	return lines < some ? lines : some;
}

static int low_precision_batch(const struct device_gemm *gemm, struct error *err)
{
	const struct device_gemm g = *gemm;
	struct panels panels = {.rows = panel_lines(g.m, g.k), .columns = panel_lines(g.n, g.k)};
	const int rounds = g.output != DTYPE_F32;
	int result = -1;

	if (rounds && panels.rows * panels.columns > PANEL_ELEMENTS)
		panels.rows = panels.columns < PANEL_ELEMENTS ? PANEL_ELEMENTS / panels.columns : 1;
	panels.a = malloc(sizeof(float) * (size_t)(panels.rows * g.k + 1));
	panels.b = malloc(sizeof(float) * (size_t)(panels.columns * g.k + 1));
	panels.c = rounds ? malloc(sizeof(float) * (size_t)(panels.rows * panels.columns)) : NULL;
	if (!panels.a || !panels.b || (rounds && !panels.c)) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory for the panels of a matrix product %lld x %lld x %lld",
			  (long long)g.m, (long long)g.n, (long long)g.k);
		goto done;
	}
	for (int64_t i = 0; i < g.batch; i++) {
		const size_t c_bytes = (size_t)(i * g.stride_c) * dtype_size(g.output);
		low_precision_gemm(gemm, (const uint16_t *)(uintptr_t)g.a + i * g.stride_a,
				   (const uint16_t *)(uintptr_t)g.b + i * g.stride_b, (char *)(uintptr_t)g.c + c_bytes,
				   &panels);
	}
	result = 0;
done:
	free(panels.a);
	free(panels.b);
	free(panels.c);
	return result;
}

int cpu_gemm(const struct device_gemm *gemm, struct error *err)
{
	const struct device_gemm g = *gemm;
	const enum CBLAS_TRANSPOSE transpose_b = g.transpose_b ? CblasTrans : CblasNoTrans;

	/* CBLAS counts in int unless it was built with 64-bit integers, which the distributions' packages are not */
	if (g.m > INT_MAX || g.n > INT_MAX || g.k > INT_MAX || g.lda > INT_MAX || g.ldb > INT_MAX || g.ldc > INT_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "matrix product %lld x %lld x %lld: a size exceeds 2^31-1",
				 (long long)g.m, (long long)g.n, (long long)g.k);
	if (g.input == DTYPE_F16 || g.input == DTYPE_BF16)
		return low_precision_batch(gemm, err);
	for (int64_t i = 0; i < g.batch; i++) {
		if (g.input == DTYPE_F64)
			cblas_dgemm(CblasRowMajor, CblasNoTrans, transpose_b, (int)g.m, (int)g.n, (int)g.k, g.alpha,
				    (const double *)(uintptr_t)g.a + i * g.stride_a, (int)g.lda,
				    (const double *)(uintptr_t)g.b + i * g.stride_b, (int)g.ldb, g.beta,
				    (double *)(uintptr_t)g.c + i * g.stride_c, (int)g.ldc);
		else
			cblas_sgemm(CblasRowMajor, CblasNoTrans, transpose_b, (int)g.m, (int)g.n, (int)g.k,
				    (float)g.alpha, (const float *)(uintptr_t)g.a + i * g.stride_a, (int)g.lda,
				    (const float *)(uintptr_t)g.b + i * g.stride_b, (int)g.ldb, (float)g.beta,
				    (float *)(uintptr_t)g.c + i * g.stride_c, (int)g.ldc);
	}
	return 0;
}
