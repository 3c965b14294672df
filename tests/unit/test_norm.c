/* Softmax, norms and rotary embeddings: references, and what the families' cases expect. */
#include "check.h"
#include "judge/expect.h"
#include "kernels/family.h"
#include "reference/norm.h"
#include "reference/rope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct family norm_family, rope_family, softmax_family;

static void rows(void)
{
	struct norm_row row;
	const long double far[] = {1e9L, 1e9L + 1, 1e9L + 2};
	norm_row(far, 3, &row);
	CHECK_NEAR((double)row.mean, 1e9 + 1, 0);
	CHECK_NEAR((double)row.variance, 2.0 / 3, 1e-9);
	const long double same[] = {0.1L, 0.1L, 0.1L, 0.1L};
	norm_row(same, 4, &row);
	CHECK_NEAR((double)row.variance, 0, 1e-36);
	const long double mixed[] = {NAN, 3, -INFINITY, -4};
	norm_row(mixed, 4, &row);
	CHECK_INT(row.nan_count, 1);
	CHECK_INT(row.infinity_count, 1);
	CHECK_NEAR((double)row.square_mean, 12.5, 0);
	CHECK_NEAR((double)row.magnitude_mean, 3.5, 0);

	struct softmax_row softmax;
	long double e[4];
	const long double x[] = {1000, 1000 - logl(3), -INFINITY, -1e9L};
	softmax_row(x, 4, 1, e, &softmax);
	CHECK_INT(softmax.is_nan, 0);
	CHECK_NEAR((double)(e[0] / softmax.sum), 0.75, 1e-15);
	CHECK_NEAR((double)(e[1] / softmax.sum), 0.25, 1e-15);
	CHECK_NEAR((double)e[2], 0, 0);
	const long double masked[] = {-INFINITY, -INFINITY}, infinite[] = {1, INFINITY}, broken[] = {1, NAN};
	softmax_row(masked, 2, 0, e, &softmax);
	CHECK_INT(softmax.is_nan, 1);
	softmax_row(infinite, 2, 0, e, &softmax);
	CHECK_INT(softmax.is_nan, 1);
	softmax_row(broken, 2, 0, e, &softmax);
	CHECK_INT(softmax.is_nan, 1);
}

/* Every element belongs to one pair, and the angle is that of its place in b, t and d. */
static void pairs(void)
{
	const struct rope_shape shape = {3, 5, 7, 6, 1}, shared = {3, 5, 7, 6, 0};
	for (int kind = 0; kind < 3; kind++) {
		int64_t number = 0, wrong = 0;
		for (int64_t b = 0; b < shape.b; b++)
			for (int64_t h = 0; h < shape.h; h++)
				for (int64_t t = 0; t < shape.t; t++)
					for (int64_t i = 0; i < shape.d / 2; i++, number++) {
						const int64_t at = b * 210 + (kind == ROPE_THD ? t * 30 + h * 6 : h * 42 + t * 6);
						const struct rope_pair own = rope_pair((enum rope_kind)kind, &shape, number);
						const struct rope_pair common = rope_pair((enum rope_kind)kind, &shared, number);
						wrong += own.first != at + (kind == ROPE_INTERLEAVED ? 2 * i : i);
						wrong += own.second != own.first + (kind == ROPE_INTERLEAVED ? 1 : 3);
						wrong += own.angle != b * 21 + t * 3 + i || common.angle != t * 3 + i;
					}
		CHECK_INT(wrong, 0);
		CHECK_INT(number, 315);
	}
}

static int make(const struct family *family, struct test_case *test, struct error *err, const char *words)
{
	char copy[160], *rest = copy, *word;
	struct assignment assignment = {.family = family->name, .group = "unit"};
	snprintf(copy, sizeof copy, "%s", words);
	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');
		*value++ = 0;
		assignment.axes[assignment.axis_count] = word;
		assignment.values[assignment.axis_count++] = value;
	}
	return family->make_case(&assignment, 3, test, err);
}

/* What a plain program that computes in double gives, rounded to the case's type, must be right, and what it gives with an
 * error of `off` (relative) must not. */
typedef void (*row_formula)(const struct test_case *test, const double *x, int64_t rows, int64_t cols, double *y);

static void softmax_formula(const struct test_case *test, const double *x, int64_t row_count, int64_t cols, double *y)
{
	(void)test;
	for (int64_t r = 0; r < row_count; r++) {
		double sum = 0, most = -INFINITY;
		for (int64_t i = 0; i < cols; i++)
			most = fmax(most, x[r * cols + i]);
		for (int64_t i = 0; i < cols; i++)
			sum += exp(x[r * cols + i] - most);
		for (int64_t i = 0; i < cols; i++)
			y[r * cols + i] = exp(x[r * cols + i] - most) / sum;
	}
}

static void norm_formula(const struct test_case *test, const double *x, int64_t row_count, int64_t cols, double *y)
{
	const struct tensor *alpha = operator_tensor(test, "alpha"), *beta = operator_tensor(test, "beta");
	const int centred = strncmp(test->name, "layer", 5) == 0;
	for (int64_t r = 0; r < row_count; r++) {
		double mean = 0, square = 0;
		for (int64_t i = 0; centred && i < cols; i++)
			mean += x[r * cols + i] / (double)cols;
		for (int64_t i = 0; i < cols; i++)
			square += (x[r * cols + i] - mean) * (x[r * cols + i] - mean) / (double)cols;
		for (int64_t i = 0; i < cols; i++)
			y[r * cols + i] = (x[r * cols + i] - mean) / sqrt(square + (double)(float)1e-5) *
						  (alpha ? dtype_load(alpha->dtype, alpha->data, (size_t)i) : 1) +
					  (beta ? dtype_load(beta->dtype, beta->data, (size_t)i) : 0);
	}
}

static void against(const struct family *family, const char *words, row_formula formula, double off)
{
	struct test_case test;
	struct error err = {0};
	struct judgement *out = calloc(1, sizeof *out), *wrong = calloc(1, sizeof *wrong);
	const int made = make(family, &test, &err, words);
	CHECK_INT(made, 0);
	if (made) {
		fprintf(stderr, "%s: %s\n", words, err.message);
		free(out);
		free(wrong);
		return;
	}
	CHECK_INT(family->fill(&test, &err), 0);
	CHECK_INT(family->check_case(&test, &err), 0);
	const struct tensor *source = operator_tensor(&test, "src"), *output = operator_tensor(&test, "dst");
	const int64_t elements = tensor_elements(output);
	struct expectation *expected = calloc((size_t)elements, sizeof *expected);
	double *x = calloc((size_t)elements * 3, sizeof *x), *y = x + elements;
	unsigned char *stored = (unsigned char *)(y + elements);
	CHECK_INT(family->expectations(&test, 0, output, expected, &err), 0);
	for (int64_t i = 0; i < elements; i++)
		x[i] = dtype_load(source->dtype, source->data, (size_t)i);
	formula(&test, x, source->dims[0], source->dims[1], y);
	const struct expectation_layout layout = {"dst", output->dtype, 1, {elements}, {1}};
	for (int64_t i = 0; i < elements; i++)
		dtype_store(output->dtype, stored, (size_t)i, y[i]);
	CHECK_INT(judge_expectations(&layout, stored, expected, MATH_PRECISE, out), 0);
	CHECK_INT(out->checks[CHECK_NUMBERS].state, CHECK_HELD);
	for (int64_t i = 0; i < elements; i++)
		dtype_store(output->dtype, stored, (size_t)i, y[i] * (1 + off));
	CHECK(judge_expectations(&layout, stored, expected, MATH_FAST, wrong) > elements / 2);
	case_free(&test);
	free(expected);
	free(x);
	free(out);
	free(wrong);
}

static void bounds(void)
{
	against(&softmax_family, "dtype=f32 cols=300", softmax_formula, 1e-5);
	against(&softmax_family, "dtype=f64 cols=300", softmax_formula, 1e-13);
	against(&softmax_family, "dtype=f16 cols=100", softmax_formula, 0.02);
	against(&softmax_family, "dtype=bf16 cols=100", softmax_formula, 0.15);
	against(&norm_family, "op=rmsnorm dtype=f32 cols=300", norm_formula, 1e-5);
	against(&norm_family, "op=rmsnorm dtype=f64 cols=2000", norm_formula, 1e-5);
	against(&norm_family, "op=layernorm dtype=f32 cols=1500 affine=both", norm_formula, 3e-5);
	against(&norm_family, "op=layernorm dtype=f16 cols=300 affine=none", norm_formula, 4e-3);
	against(&norm_family, "op=layernorm dtype=bf16 cols=300 affine=beta", norm_formula, 0.03);
}

static void expect_first(const char *words, struct expectation *first)
{
	struct test_case test;
	struct error err = {0};
	CHECK_INT(make(&norm_family, &test, &err, words), 0);
	CHECK_INT(norm_family.fill(&test, &err), 0);
	const struct tensor *output = case_find_tensor_const(&test, "dst", TENSOR_OUTPUT);
	struct expectation *expected = calloc((size_t)tensor_elements(output), sizeof *expected);
	CHECK_INT(norm_family.expectations(&test, 0, output, expected, &err), 0);
	*first = expected[0];
	free(expected);
	case_free(&test);
}

/* Rows whose elements are all equal: a number while eps is not 0, however large they are; NaN for zeros without eps. */
static void constants(void)
{
	struct expectation first;
	expect_first("op=layernorm dtype=f32 cols=777 input=constant scale=317.7 affine=none", &first);
	CHECK_INT(first.flags, 0);
	CHECK_NEAR((double)first.value, 0, 1e-12);
	CHECK(isfinite(first.fast_bound) && first.bound > 0);
	expect_first("op=layernorm dtype=f32 cols=777 input=zeros eps=0", &first);
	CHECK_INT(first.flags, EXPECT_NAN);
	expect_first("op=rmsnorm dtype=f16 cols=5 input=zeros eps=0", &first);
	CHECK_INT(first.flags, EXPECT_NAN);
	expect_first("op=layernorm dtype=f32 cols=777 input=constant scale=317.7 eps=0", &first);
	CHECK_INT(first.flags, EXPECT_ANY);
}

static void count(void *context, const struct operator_symbol *symbol)
{
	CHECK_TEXT(symbol->module, "reduce");
	++*(int *)context;
}

static void refused(const struct family *family, const char *words)
{
	struct test_case test;
	struct error err = {0};
	const int status = make(family, &test, &err, words);
	CHECK_INT(status, -1);
	if (status == 0) {
		fprintf(stderr, "accepted: %s\n", words);
		case_free(&test);
	}
}

static void cases(void)
{
	int symbols = 0;
	norm_family.symbols(OPERATOR_ABI_092, count, &symbols);
	rope_family.symbols(OPERATOR_ABI_092, count, &symbols);
	softmax_family.symbols(OPERATOR_ABI_092, count, &symbols);
	CHECK_INT(symbols, 24);
	refused(&softmax_family, "dtype=u8");
	refused(&softmax_family, "cols=0");
	refused(&softmax_family, "rows=100000 cols=100000");
	refused(&softmax_family, "scale=inf");
	refused(&norm_family, "op=rmsnorm affine=beta");
	refused(&norm_family, "op=layernorm eps=-1");
	refused(&norm_family, "op=layernorm eps=nan");
	refused(&rope_family, "d=7");
	refused(&rope_family, "t=0");
	refused(&rope_family, "angles=none");

	struct test_case test;
	struct error err = {0};
	struct operator_launch launch = {0};
	CHECK_INT(make(&rope_family, &test, &err, "op=rope_thd dtype=f16 b=2 h=3 t=5 d=4 angles=batch"), 0);
	CHECK_INT(rope_family.launch(&test, 0, &launch, &err), 0);
	CHECK_INT(launch.argument_count, 9);
	CHECK_INT(launch.arguments[8].value[0], 60);
	CHECK_INT(launch.failed, 0);
	CHECK_INT(rope_family.check_case(&test, &err), 0);
	case_find_tensor(&test, "cos", TENSOR_INPUT)->dims[1] = 4;
	CHECK_INT(rope_family.check_case(&test, &err), -1);
	case_free(&test);

	launch = (struct operator_launch){0};
	CHECK_INT(make(&norm_family, &test, &err, "op=layernorm cols=1024 affine=beta"), 0);
	CHECK_INT(norm_family.launch(&test, 0, &launch, &err), 0);
	CHECK_INT(launch.block.x, 1024);
	CHECK_INT(launch.arguments[2].kind, ARGUMENT_NULL);
	CHECK_INT(launch.arguments[3].kind, ARGUMENT_TENSOR);
	case_free(&test);
}

int main(void)
{
	rows();
	pairs();
	bounds();
	constants();
	cases();
	return check_result();
}
