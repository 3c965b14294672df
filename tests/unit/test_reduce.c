/* Reductions: what is known of a set of numbers, what a case expects, and the family's cases. */
#include "check.h"
#include "judge/expect.h"
#include "kernels/family.h"
#include "kernels/reduce_plan.h"
#include "reference/reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct family reduce_family;

static struct reduction of(const double *numbers, int count)
{
	struct reduction reduction = {0};
	for (int i = 0; i < count; i++)
		reduction_add(&reduction, (long double)numbers[i]);
	return reduction;
}

static void numbers(void)
{
	const double cancelling[] = {1e300, 1, -1e300, 0.25, -0.0};
	struct reduction all = of(cancelling, 5);
	CHECK_NEAR((double)reduction_sum(&all), 1.25, 0);
	CHECK_INT(all.zeros, 1);
	CHECK_NEAR((double)all.least, -1e300, 0);
	CHECK_NEAR((double)all.greatest, 1e300, 0);
	CHECK_INT(all.lowest_bit, -2);
	CHECK(!reduction_is_exact(&all, 53));

	/* the same in two parts */
	struct reduction front = of(cancelling, 2), back = of(cancelling + 2, 3);
	reduction_merge(&front, &back);
	CHECK_NEAR((double)reduction_sum(&front), 1.25, 0);
	CHECK_INT(front.count, 5);
	CHECK_INT(front.lowest_bit, -2);
	const struct reduction nothing = {0};
	reduction_merge(&front, &nothing);
	CHECK_INT(front.count, 5);

	/* exactness: 2^11 in units of 1 is what eleven bits hold, one more is not */
	const double just[] = {2047, -1}, more[] = {2047, -2};
	all = of(just, 2);
	CHECK(reduction_is_exact(&all, 11));
	all = of(more, 2);
	CHECK(!reduction_is_exact(&all, 11));
	const double small[] = {0x1p-1074, 0x1p-1074}, even[] = {2046, 2, 0};
	all = of(small, 2);
	CHECK_INT(all.lowest_bit, -1074);
	all = of(even, 3);
	CHECK_INT(all.lowest_bit, 1);
	CHECK(reduction_is_exact(&all, 10));

	const double odd[] = {NAN, INFINITY, -INFINITY, 3, NAN};
	all = of(odd, 5);
	CHECK_INT(all.nan_count, 2);
	CHECK_INT(all.plus_infinities, 1);
	CHECK_INT(all.minus_infinities, 1);
	CHECK_NEAR((double)reduction_sum(&all), 3, 0);
	CHECK_NEAR((double)reduction_magnitude(&all), 3, 0);

	CHECK_NEAR(rounding_growth(0x1p-24, 1), 0x1p-24, 1e-22);
	CHECK_NEAR(rounding_growth(0.5, 3), 2.375, 1e-12);
}

enum { AXES = 7 };
static const char *const axis_names[AXES] = {"op", "dtype", "dims", "over", "layout", "input", "initial"};

/* "op dtype dims over layout input initial" */
static int make(struct test_case *test, struct error *err, const char *words)
{
	char copy[160], *rest = copy;
	struct assignment assignment = {.family = "reduce", .group = "unit"};
	snprintf(copy, sizeof copy, "%s", words);
	for (int i = 0; i < AXES; i++) {
		const char *word = strtok_r(i ? NULL : copy, " ", &rest);
		if (!word)
			break;
		assignment.axes[assignment.axis_count] = axis_names[i];
		assignment.values[assignment.axis_count++] = word;
	}
	return reduce_family.make_case(&assignment, 11, test, err);
}

static void count(void *context, const struct operator_symbol *symbol)
{
	CHECK_TEXT(symbol->module, "reduce");
	++*(int *)context;
}

/* A float sum in the order of blocks and trees, as a kernel would; `left_out` elements of each block are forgotten. */
static float tree_sum(const float *x, int64_t length, int block, int64_t left_out)
{
	float lanes[1024] = {0};
	for (int64_t i = 0; i < length - left_out; i++)
		lanes[i % block] += x[i];
	for (int step = block / 2; step > 0; step /= 2)
		for (int lane = 0; lane < step; lane++)
			lanes[lane] += lanes[lane + step];
	return lanes[0];
}

static int64_t wrong_of(const char *words, int64_t left_out)
{
	struct test_case test;
	struct error err = {0};
	struct reduce_plan plan;
	struct judgement *out = calloc(1, sizeof *out);
	CHECK_INT(make(&test, &err, words), 0);
	CHECK_INT(reduce_family.fill(&test, &err), 0);
	CHECK_INT(reduce_family.check_case(&test, &err), 0);
	CHECK_INT(reduce_plan(&test, &plan, &err), 0);
	const struct tensor *output = case_find_tensor_const(&test, "dst", TENSOR_OUTPUT);
	struct expectation *expected = calloc((size_t)plan.outputs, sizeof *expected);
	float *got = calloc((size_t)plan.outputs, sizeof *got);
	CHECK_INT(reduce_family.expectations(&test, 0, output, expected, &err), 0);
	for (int64_t o = 0; o < plan.outputs; o++)
		got[o] = tree_sum((const float *)plan.source->data + o * plan.length, plan.length, plan.block, left_out);
	const struct expectation_layout layout = {"dst", DTYPE_F32, 1, {plan.outputs}, {1}};
	const int64_t wrong = judge_expectations(&layout, got, expected, MATH_PRECISE, out);
	CHECK_INT(out->checks[CHECK_NUMBERS].state == CHECK_BROKEN || out->checks[CHECK_EXACT].state == CHECK_BROKEN ||
			  out->checks[CHECK_FINITE].state == CHECK_BROKEN, wrong > 0);
	case_free(&test);
	free(expected);
	free(got);
	free(out);
	return wrong;
}

static void sums(void)
{
	CHECK_INT(wrong_of("fast_sum f32 9x1025 last contiguous normal", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 9x1025 last contiguous wide", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 9x33 last contiguous subnormal", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 5x2049 last contiguous sparse", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 5x2049 last contiguous sparse", 1), 5);
	CHECK_INT(wrong_of("fast_sum f32 4x300 last contiguous positive", 1), 4);
	CHECK_INT(wrong_of("fast_sum f32 4x37 last contiguous overflow", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 4x37 last contiguous edge", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 4x37 last contiguous turn", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 4x37 last contiguous both_inf", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 4x37 last contiguous both_inf", 1), 4);
	CHECK_INT(wrong_of("fast_sum f32 4x37 last contiguous nan_last", 0), 0);
	CHECK_INT(wrong_of("fast_sum f32 4x37 last contiguous nan_last", 1) >= 2, 1);
}

/* Places: any that holds the extremum, none beyond the axis. */
static enum check_state judge_places(const char *words, const uint32_t *got, int count_of_got)
{
	struct test_case test;
	struct error err = {0};
	struct judgement *out = calloc(1, sizeof *out);
	CHECK_INT(make(&test, &err, words), 0);
	CHECK_INT(reduce_family.fill(&test, &err), 0);
	struct tensor *source = case_find_tensor(&test, "src", TENSOR_INPUT);
	const float values[] = {5, 1, 5, 2, /**/ -1, -2, -INFINITY, -3, /**/ 1, 2, 3, 4, /**/ 0, -1, NAN, 7};
	CHECK_INT(source->extent, (int64_t)(sizeof values / sizeof *values));
	memcpy(source->data, values, sizeof values);
	const struct tensor *output = case_find_tensor_const(&test, "dst", TENSOR_OUTPUT);
	CHECK_INT(tensor_elements(output), count_of_got);
	CHECK_INT(output->dtype, DTYPE_U32);
	struct operator_outputs outputs = {.test = &test};
	outputs.storage[output - test.tensors] = got;
	CHECK_INT(reduce_family.judge_outputs(&outputs, out, &err), 0);
	const enum check_state state = out->checks[CHECK_EXACT].state;
	case_free(&test);
	free(out);
	return state;
}

static void places(void)
{
	const char *rows = "fast_argmax f32 4x4 last", *least = "fast_argmin f32 4x4 last", *pairs = "fast_argmax f32 2x2x4 12";
	/* the last row has a NaN: anything */
	CHECK_INT(judge_places(rows, (const uint32_t[]){0, 0, 3, 0}, 4), CHECK_HELD);
	CHECK_INT(judge_places(rows, (const uint32_t[]){2, 0, 3, UINT32_MAX}, 4), CHECK_HELD);
	CHECK_INT(judge_places(rows, (const uint32_t[]){1, 0, 3, 0}, 4), CHECK_BROKEN);
	CHECK_INT(judge_places(rows, (const uint32_t[]){2, 0, 4, 0}, 4), CHECK_BROKEN);
	CHECK_INT(judge_places(rows, (const uint32_t[]){UINT32_MAX, 0, 3, 0}, 4), CHECK_BROKEN);
	CHECK_INT(judge_places(least, (const uint32_t[]){1, 2, 0, 9}, 4), CHECK_HELD);
	CHECK_INT(judge_places(least, (const uint32_t[]){1, 3, 0, 9}, 4), CHECK_BROKEN);
	/* over two axes the place is that on the last one */
	CHECK_INT(judge_places(pairs, (const uint32_t[]){2, 0}, 2), CHECK_HELD);
	CHECK_INT(judge_places(pairs, (const uint32_t[]){3, 0}, 2), CHECK_BROKEN);
}

static void cases(void)
{
	struct test_case test;
	struct error err = {0};
	struct reduce_plan plan;
	int symbols = 0;
	reduce_family.symbols(OPERATOR_ABI_092, count, &symbols);
	CHECK_INT(symbols, 40);

	/* reduced axes come last in info, and the walk through a block follows it */
	CHECK_INT(make(&test, &err, "fast_min i64 2x3x5 02 transposed limits"), 0);
	CHECK_TEXT(test.name, "fast_min_i64/dims:2x3x5/over:02/layout:transposed/input:limits");
	const struct tensor *info = operator_tensor(&test, "info");
	const int64_t wanted[] = {3, 2, 5, 2, 1, 6};
	CHECK_INT(info->extent, 6);
	CHECK(memcmp(info->data, wanted, sizeof wanted) == 0);
	CHECK_INT(reduce_plan(&test, &plan, &err), 0);
	CHECK_INT(plan.outputs, 3);
	CHECK_INT(plan.length, 10);
	CHECK_INT(plan.block, 16);
	CHECK_INT(reduce_block_offset(&plan, 2), 4);
	struct reduce_walk walk = {0};
	for (int i = 0; i < 7; i++)
		reduce_step(&plan, &walk);
	CHECK_INT(walk.offset, 1 + 2 * 6); /* seven steps on: index 1 of axis 0, 2 of axis 2 */
	struct operator_launch launch = {0};
	CHECK_INT(reduce_family.launch(&test, 0, &launch, &err), 0);
	CHECK_INT(launch.grid.x, 3);
	CHECK_INT(launch.block.x, 16);
	CHECK_INT(launch.failed, 0);
	/* another stride in info, another extent, a missing attribute */
	((int64_t *)info->data)[3] = 1;
	CHECK_INT(reduce_family.check_case(&test, &err), -1);
	((int64_t *)info->data)[3] = 2;
	CHECK_INT(reduce_family.check_case(&test, &err), 0);
	case_set_text(&test, "over", "20", &err);
	CHECK_INT(reduce_family.check_case(&test, &err), -1);
	CHECK_CONTAINS(err.message, "over");
	case_free(&test);

	/* sum: extents and contiguous strides of the reduced axes, outermost first */
	CHECK_INT(make(&test, &err, "sum f32 2x3x5 02 transposed normal integers"), 0);
	info = operator_tensor(&test, "info");
	const int64_t atomic[] = {2, 3, 5, 1, 2, 6, 2, 5, 15, 1};
	CHECK_INT(info->extent, 10);
	CHECK(memcmp(info->data, atomic, sizeof atomic) == 0);
	CHECK(operator_tensor(&test, "dst_initial") != NULL);
	CHECK(reduce_family.varies(&test) != NULL);
	case_free(&test);

	static const char *const refused[] = {
		"slow_sum f32 4", "fast_sum f8_e4m3 4", "sum i64 4", "fast_sum f32 0x4", "fast_sum f32 4x", "fast_sum f32 3x4 2",
		"fast_sum f32 3x4 11", "fast_sum f32 3x4 -", "fast_sum f32 3x4 last upside_down",
		"fast_sum f32 3x4 last contiguous limits",
		"fast_sum u8 3x4 last contiguous nan_first", "fast_sum f32 4000000000x4000000000",
	};
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		const int status = make(&test, &err, refused[i]);
		CHECK_INT(status, -1);
		if (status == 0) {
			fprintf(stderr, "accepted: %s\n", refused[i]);
			case_free(&test);
		}
	}
}

int main(void)
{
	numbers();
	sums();
	places();
	cases();
	return check_result();
}
