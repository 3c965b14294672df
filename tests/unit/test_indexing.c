/* Indexing: the reference against answers worked out by hand and sums in long double, and the family's cases. */
#include "check.h"
#include "dataset/generate.h"
#include "kernels/family.h"
#include "reference/indexing.h"

#include <stdlib.h>

extern const struct family indexing_family;

static void moves(void)
{
	/* left 2, rows 3, ids 2, right 2 */
	const int64_t per_id[] = {2, INDEX_NONE}, per_element[] = {0, 2, 1, INDEX_NONE, 2, 2, 0, 2};
	struct index_problem problem = {INDEX_SELECT, 2, 3, 2, 2, per_id};
	int64_t source[12];
	index_sources(&problem, 0, 4, source);
	const int64_t selected[] = {4, 5, -1, -1, 10, 11, -1, -1};
	CHECK(memcmp(source, selected, sizeof selected) == 0);

	problem.operation = INDEX_GATHER;
	problem.at = per_element;
	index_sources(&problem, 0, 4, source);
	const int64_t gathered[] = {0, 5, 2, -1, 10, 11, 6, 11};
	CHECK(memcmp(source, gathered, sizeof gathered) == 0);

	/* [l = 1, r = 1] has index 2 twice: the later one wins */
	problem.operation = INDEX_SCATTER;
	index_sources(&problem, 0, 4, source);
	const int64_t scattered[] = {0, -1, 2, -1, -1, 1, 6, -1, -1, -1, 4, 7};
	CHECK(memcmp(source, scattered, sizeof scattered) == 0);

	/* a part of the columns touches no other */
	int64_t part[12];
	memset(part, 0x55, sizeof part);
	index_sources(&problem, 1, 2, part);
	CHECK_INT(part[1], -1);
	CHECK_INT(part[3], -1);
	CHECK_INT(part[5], 1);
	CHECK_INT(part[0], 0x5555555555555555);
	CHECK_INT(part[7], 0x5555555555555555);
}

/* One column: `count` numbers added to `initial`, all to row 0. */
static double summed(enum dtype dtype, double initial, const double *numbers, int count, int flush)
{
	int64_t at[8] = {0};
	unsigned char in[64], out[8];
	const struct index_problem problem = {INDEX_ADD, 1, 1, count, 1, at};
	dtype_store(dtype, out, 0, initial);
	for (int i = 0; i < count; i++)
		dtype_store(dtype, in, (size_t)i, numbers[i]);
	index_sums(&problem, dtype, in, flush, 0, 1, out);
	return dtype_load(dtype, out, 0);
}

static void sums(void)
{
	/* each step is rounded: 2048 + 1 is a tie that goes to the even 2048 in f16, while 1 + 1 + 2048 is 2050 */
	CHECK_NEAR(summed(DTYPE_F16, 2048, (const double[]){1, 1}, 2, 0), 2048, 0);
	CHECK_NEAR(summed(DTYPE_F16, 1, (const double[]){1, 2048}, 2, 0), 2050, 0);
	CHECK(isinf(summed(DTYPE_F16, 65504, (const double[]){65504, -65504}, 2, 0)));
	CHECK_NEAR(summed(DTYPE_BF16, 256, (const double[]){1, 1}, 2, 0), 256, 0);
	CHECK_NEAR(summed(DTYPE_F8_E4M3, 448, (const double[]){448, -448}, 2, 0), 0, 0); /* stays at 448 in between */
	CHECK_NEAR(summed(DTYPE_F8_E4M3, 16, (const double[]){1, 1}, 2, 0), 16, 0);
	CHECK(isnan(summed(DTYPE_F8_E4M3, NAN, (const double[]){1}, 1, 0)));
	CHECK_NEAR(summed(DTYPE_U8, 200, (const double[]){100, 255}, 2, 0), 43, 0);
	CHECK_NEAR(summed(DTYPE_U32, 4294967295.0, (const double[]){3}, 1, 0), 2, 0);
	CHECK_NEAR(summed(DTYPE_I64, 0x1p62, (const double[]){0x1p62}, 1, 0), -0x1p63, 0);
	CHECK(signbit(summed(DTYPE_F32, -0.0, (const double[]){-0.0}, 1, 0)));
	CHECK(!signbit(summed(DTYPE_F32, -1, (const double[]){1}, 1, 0)));
	/* subnormal numbers: kept, or zeros where the build flushes them */
	CHECK_NEAR(summed(DTYPE_F32, 0x1p-127, (const double[]){0x1p-128}, 1, 0), 0x1.8p-127, 0);
	CHECK_NEAR(summed(DTYPE_F32, 0x1p-127, (const double[]){0x1p-128}, 1, 1), 0, 0);
	CHECK_NEAR(summed(DTYPE_F32, 0x1.8p-126, (const double[]){-0x1p-126}, 1, 0), 0x1p-127, 0);
	CHECK_NEAR(summed(DTYPE_F32, 0x1.8p-126, (const double[]){-0x1p-126}, 1, 1), 0, 0);
	CHECK_NEAR(summed(DTYPE_F64, 0x1p-1060, (const double[]){0x1p-1070}, 1, 1), 0x1p-1060 + 0x1p-1070, 0);

	/* one rounding of the exact sum, for random bits */
	for (int type = 0; type < 2; type++) {
		const enum dtype dtype = type ? DTYPE_BF16 : DTYPE_F16;
		int64_t wrong = 0;
		for (uint64_t i = 0; i < 200000; i++) {
			const uint16_t bits[2] = {(uint16_t)generate_below(65536, 7, 1, i), (uint16_t)generate_below(65536, 7, 2, i)};
			const double a = dtype_load(dtype, bits, 0), b = dtype_load(dtype, bits, 1);
			/* bf16: where the exponents are more than 60 apart long double would round too */
			if (!isfinite(a) || !isfinite(b) || (a != 0 && b != 0 && abs(ilogb(a) - ilogb(b)) > 40))
				continue;
			const double got = summed(dtype, a, &b, 1, 0);
			wrong += (long double)got != round_to_dtype(dtype, (long double)a + (long double)b);
		}
		CHECK_INT(wrong, 0);
	}
}

static void count_symbol(void *context, const struct operator_symbol *symbol)
{
	int *counts = context; /* by least_cc: 0, 53, 80, 89; then of another module */
	counts[symbol->least_cc == 0 ? 0 : symbol->least_cc == 53 ? 1 : symbol->least_cc == 80 ? 2 : 3]++;
	counts[4] += strcmp(symbol->module, "indexing") != 0;
}

static void symbols(void)
{
	int counts[5] = {0};
	indexing_family.symbols(OPERATOR_ABI_092, count_symbol, counts);
	CHECK_INT(counts[0], 75);
	CHECK_INT(counts[1], 15);
	CHECK_INT(counts[2], 15);
	CHECK_INT(counts[3], 20);
	CHECK_INT(counts[4], 0);
	CHECK(family_has_symbol(&indexing_family, OPERATOR_ABI_092, "sa_i16_f8_e4m3", NULL));
	CHECK(family_has_symbol(&indexing_family, OPERATOR_ABI_011, "is_u8_i64", NULL));
	CHECK(!family_has_symbol(&indexing_family, OPERATOR_ABI_092, "s_u8_f8_e4m3", NULL));
	CHECK(!family_has_symbol(&indexing_family, OPERATOR_ABI_092, "ia_i16_f32", NULL));
}

struct setting {
	const char *axis, *value;
};

static int make(struct test_case *test, struct error *err, const struct setting *settings)
{
	struct assignment assignment = {.family = "indexing", .group = "test"};
	for (; settings->axis; settings++) {
		assignment.axes[assignment.axis_count] = settings->axis;
		assignment.values[assignment.axis_count++] = settings->value;
	}
	return indexing_family.make_case(&assignment, 11, test, err);
}
#define MAKE(test, err, ...) make(test, err, (const struct setting[]){__VA_ARGS__, {NULL, NULL}})

static void refused(void)
{
	struct test_case test;
	struct error err = {0};
	CHECK(MAKE(&test, &err, {"op", "scatter"}, {"dtype", "f8_e4m3"}) < 0);
	CHECK_CONTAINS(err.message, "s_u32_f8_e4m3");
	CHECK(MAKE(&test, &err, {"index", "i16"}) < 0);
	CHECK(MAKE(&test, &err, {"shape", "3x7x5"}) < 0);
	CHECK(MAKE(&test, &err, {"shape", "3x0x5x1"}) < 0);
	CHECK(MAKE(&test, &err, {"shape", "8000000000x8000000000x8000000000x1"}) < 0);
	CHECK(MAKE(&test, &err, {"op", "gather"}, {"ids_layout", "strided"}) < 0);
	CHECK(MAKE(&test, &err, {"indices", "distinct"}, {"shape", "1x4x5x1"}) < 0);
	CHECK(MAKE(&test, &err, {"index", "u8"}, {"indices", "distinct"}, {"shape", "1x256x256x1"}) < 0); /* 255 is none */
	CHECK(MAKE(&test, &err, {"values", "cancel"}) < 0);
	CHECK(MAKE(&test, &err, {"indices", "wild"}) < 0);
}

static int64_t index_at(const struct test_case *test, int64_t i)
{
	return (int64_t)operator_element(test, operator_tensor(test, "ids"), i);
}

static void cases(void)
{
	struct test_case test;
	struct error err = {0};
	CHECK(MAKE(&test, &err, {"op", "add"}, {"dtype", "f16"}, {"index", "u8"}, {"shape", "2x300x9x3"}, {"indices", "ends"}) == 0);
	CHECK_TEXT(test.name, "ia_u8_f16/shape:2x300x9x3/indices:ends");
	CHECK(indexing_family.fill(&test, &err) == 0);
	CHECK_INT(index_at(&test, 0), 0);
	CHECK_INT(index_at(&test, 1), 254); /* row 255 has no number of eight bits: that is none */
	CHECK(indexing_family.check_case(&test, &err) == 0);
	struct operator_launch launch = {0};
	CHECK(indexing_family.launch(&test, OPERATOR_ABI_092, &launch, &err) == 0);
	CHECK_INT(launch.argument_count, 8);
	CHECK_INT(launch.arguments[1].value[0], 9);
	CHECK_INT(launch.arguments[5].value[0], 9);
	CHECK_INT(launch.arguments[6].value[0], 300 % 256);
	CHECK_INT(launch.grid.x, 1);
	CHECK(!launch.failed);
	((uint8_t *)case_find_tensor(&test, "ids", TENSOR_INPUT)->data)[2] = 255;
	CHECK(indexing_family.check_case(&test, &err) == 0);
	case_free(&test);

	CHECK(MAKE(&test, &err, {"op", "gather"}, {"index", "i64"}) == 0);
	CHECK(indexing_family.fill(&test, &err) == 0);
	((int64_t *)case_find_tensor(&test, "ids", TENSOR_INPUT)->data)[5] = 7;
	CHECK(indexing_family.check_case(&test, &err) < 0);
	CHECK_CONTAINS(err.message, "outside the 7 rows");
	((int64_t *)case_find_tensor(&test, "ids", TENSOR_INPUT)->data)[5] = -1;
	CHECK(indexing_family.check_case(&test, &err) < 0);
	case_free(&test);

	/* a file may hold anything */
	CHECK(MAKE(&test, &err, {"op", "gather"}) == 0);
	CHECK(case_set_text(&test, "shape", "3x8x5x4", &err) == 0);
	CHECK(indexing_family.check_case(&test, &err) < 0);
	CHECK(case_set_text(&test, "shape", "-3x8x5x4", &err) == 0);
	CHECK(indexing_family.check_case(&test, &err) < 0);
	case_free(&test);
	CHECK(MAKE(&test, &err, {"op", "gather"}) == 0);
	CHECK(case_set_text(&test, "entry", "gather_u8_f32", &err) == 0);
	CHECK(indexing_family.check_case(&test, &err) < 0);
	case_free(&test);

	/* every pattern stays within the rows; distinct ones are, column by column */
	static const char *const patterns[] = {"random", "few", "same", "first", "last", "ends", "ascending", "descending", "distinct",
					       "none_first", "none_last", "none_some", "none_all"};
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		CHECK(MAKE(&test, &err, {"op", "scatter_add"}, {"indices", patterns[i]}, {"shape", "2x11x8x3"}) == 0);
		CHECK(indexing_family.fill(&test, &err) == 0);
		CHECK(indexing_family.check_case(&test, &err) == 0);
		int64_t none = 0, again = 0;
		for (int64_t element = 0; element < 48; element++) {
			none += index_at(&test, element) == UINT32_MAX;
			for (int64_t other = element % 24 + 3; element < 24 && other < 24; other += 3)
				again += other % 3 == element % 3 && other > element && index_at(&test, other) == index_at(&test, element);
		}
		CHECK_INT(none, strncmp(patterns[i], "none", 4) ? 0 : i == 12 ? 48 : i == 11 ? 16 : 6);
		if (strcmp(patterns[i], "distinct") == 0)
			CHECK_INT(again, 0);
		case_free(&test);
	}

	/* what is expected of a view: the strided index, not its neighbour */
	CHECK(MAKE(&test, &err, {"ids_layout", "strided"}, {"dtype", "i64"}, {"shape", "1x50x6x1"}) == 0);
	CHECK(indexing_family.fill(&test, &err) == 0);
	struct expectation expected[6] = {{0}};
	CHECK(indexing_family.expectations(&test, 0, operator_tensor(&test, "out"), expected, &err) == 0);
	const uint32_t *storage = case_find_tensor(&test, "ids", TENSOR_INPUT)->data;
	for (int64_t i = 0; i < 6; i++)
		CHECK(expected[i].value == operator_element(&test, operator_tensor(&test, "inp"), storage[2 * i]));
	case_free(&test);
}

int main(void)
{
	moves();
	sums();
	symbols();
	refused();
	cases();
	return check_result();
}
