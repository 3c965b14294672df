#include "check.h"
#include "core/util.h"
#include "dataset/batch.h"
#include "dataset/generate.h"

#include <stdlib.h>

/* Known answers of Philox4x32-10 published with Random123 (file kat_vectors). */
static void philox_gives_the_published_answers(void)
{
	static const struct {
		uint32_t counter[4], key[2], out[4];
	} known[] = {
		{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
		 {0xffffffff, 0xffffffff},
		 {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
		 {0xa4093822, 0x299f31d0},
		 {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		uint32_t out[4];
		philox4x32(known[i].counter, known[i].key, out);
		for (int word = 0; word < 4; word++)
			CHECK_INT(out[word], known[i].out[word]);
	}
}

/* Element i by the words of generate.h alone, through the block function and the general conversion. */
static double expected_value(const char *kind, double scale, uint64_t seed, uint32_t stream, uint64_t i)
{
	const int normal = strcmp(kind, "normal") == 0;
	const uint64_t block = normal ? i / 2 : i / 4;
	const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), stream, 0};
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	uint32_t w[4];
	philox4x32(counter, key, w);
	if (normal) {
		const uint32_t a = w[i % 2 * 2], b = w[i % 2 * 2 + 1];
		const int32_t k = (int32_t)((a >> 16) + (a & 0xffff) + (b >> 16) + (b & 0xffff)) - 131070;
		return (double)k * (NORMAL_UNIT * scale);
	}
	if (strcmp(kind, "uniform") == 0)
		return (double)(int32_t)w[i % 4] * (0x1p-31 * scale);
	return ((double)((uint64_t)w[i % 4] * 7 >> 32) - 3.0) * scale;
}

static void elements_are_what_the_header_says(void)
{
	enum { COUNT = 5000 };
	static const char *const kinds[] = {"normal", "uniform", "integers"};
	static const double scales[] = {1.0, 0.3, -2.0, 1e-6, 3e4, 1e30, 1e-40, 1e300, 0.0};
	static const enum dtype types[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F32, DTYPE_F64, DTYPE_I32};
	unsigned char *got = malloc(COUNT * sizeof(double)), *want = malloc(COUNT * sizeof(double));
	struct error err = {0};
	for (size_t kind = 0; kind < ARRAY_COUNT(kinds); kind++)
		for (size_t scale = 0; scale < ARRAY_COUNT(scales); scale++)
			for (size_t type = 0; type < ARRAY_COUNT(types); type++) {
				const uint64_t seed = 0x123456789abcdef0u + scale;
				CHECK_INT(generate_array(got, types[type], COUNT, 1, kinds[kind], scales[scale], seed, 7, &err), 0);
				for (size_t i = 0; i < COUNT; i++)
					dtype_store(types[type], want, i, expected_value(kinds[kind], scales[scale], seed, 7, i));
				CHECK(memcmp(got, want, COUNT * dtype_size(types[type])) == 0);
			}
	/* pinned, so that a change of the definition is noticed as one */
	static const uint16_t pinned[4] = {0x36cc, 0xbc61, 0x3f0d, 0xc090};
	CHECK_INT(generate_array(got, DTYPE_F16, 4, 1, "normal", 1.0, 1, 2, &err), 0);
	for (size_t i = 0; i < 4; i++)
		CHECK_INT(((const uint16_t *)(const void *)got)[i], pinned[i]);
	free(got);
	free(want);
}

/* A prefix does not depend on how much is made; the AVX2 and the plain code agree, also beyond 2^32 blocks. */
static void parts_and_processors_agree(void)
{
	enum { COUNT = 2000 };
	static float whole[COUNT], part[COUNT];
	static uint16_t a[4 * BATCH_BLOCKS], b[4 * BATCH_BLOCKS];
	for (int kind = 0; generator_kinds[kind]; kind++) {
		CHECK_INT(generate_array(whole, DTYPE_F32, COUNT, 50, generator_kinds[kind], 0.7, 3, 4, NULL), 0);
		CHECK_INT(generate_array(part, DTYPE_F32, 1350, 50, generator_kinds[kind], 0.7, 3, 4, NULL), 0);
		CHECK(memcmp(whole, part, 1350 * sizeof whole[0]) == 0);
	}
	for (int kind = BATCH_NORMAL; kind <= BATCH_INTEGERS; kind++)
		for (int dtype = DTYPE_F16; dtype <= DTYPE_BF16; dtype++)
			for (int shift = 0; shift < 40; shift += 13) {
				struct batch batch = {.kind = (enum batch_kind)kind, .dtype = (enum dtype)dtype, .step = 0.37,
						      .seed = ~UINT64_C(0) - 5, .stream = 0xffffffff,
						      .first_block = (UINT64_C(3) << shift) * BATCH_BLOCKS,
						      .count = batch_elements((enum batch_kind)kind) - 3};
				memset(a, 0xaa, sizeof a);
				memset(b, 0xaa, sizeof b);
				batch.out = a;
				batch_run(&batch);
				batch.out = b;
				batch_run_portable(&batch);
				CHECK(memcmp(a, b, sizeof a) == 0);
				CHECK_INT(a[batch.count], 0xaaaa);
			}
}

/* Every k that `normal` can give, in both 16-bit formats, at scales that reach subnormals, ties and infinity. */
static void fast_rounding_is_the_one_rounding(void)
{
	enum { MOST = 131070 };
	static const double steps[] = {NORMAL_UNIT, NORMAL_UNIT * 0.125, 0x1p-16, 0x1p-33, 0x1.8p-38, 0x1p-30, 1.0, 0.5,
				       0x1.001p-1, 1e-9, 0x1p-150, 0x1.8p-142, 0x1p111, 0x1.fep111, 1e306, 1e-310, -0.75, -0.0};
	static const enum dtype types[] = {DTYPE_F16, DTYPE_BF16};
	static int32_t k[2 * MOST + 1];
	static uint16_t fast[2 * MOST + 1], plain[2 * MOST + 1];
	const int count = 2 * MOST + 1;
	uint64_t wrong = 0, tried = 0;
	for (int i = 0; i < count; i++)
		k[i] = i - MOST;
	for (size_t s = 0; s < ARRAY_COUNT(steps); s++)
		for (size_t type = 0; type < ARRAY_COUNT(types); type++) {
			batch_store(fast, types[type], k, count, steps[s]);
			batch_store_portable(plain, types[type], k, count, steps[s]);
			for (int i = 0; i < count; i++, tried++) {
				const double value = (double)k[i] * steps[s];
				const uint16_t right = types[type] == DTYPE_F16 ? f16_from_f64(value) : bf16_from_f64(value);
				wrong += fast[i] != right;
				wrong += plain[i] != right;
			}
		}
	CHECK_INT(wrong, 0);
	CHECK_INT(tried, (int64_t)ARRAY_COUNT(steps) * 2 * count);
}

static void moments_are_those_of_the_definition(void)
{
	enum { COUNT = 1 << 20 };
	static float x[COUNT];
	static const struct {
		const char *kind;
		double variance, fourth, largest; /* fourth central moment / variance^2 */
	} known[] = {{"normal", 1.0, 2.7, 3.46405}, {"uniform", 1.0 / 3, 1.8, 1.0}, {"integers", 4.0, 1.75, 3.0}};
	for (size_t kind = 0; kind < ARRAY_COUNT(known); kind++) {
		double sum = 0, square = 0, fourth = 0, largest = 0, neighbour = 0;
		CHECK_INT(generate_array(x, DTYPE_F32, COUNT, 1, known[kind].kind, 1.0, 99, 0, NULL), 0);
		for (int i = 0; i < COUNT; i++) {
			const double v = (double)x[i];
			sum += v;
			square += v * v;
			fourth += v * v * v * v;
			largest = fmax(largest, fabs(v));
			neighbour += i ? v * (double)x[i - 1] : 0.0;
		}
		/* five standard deviations of each statistic over 2^20 independent values: of the mean sqrt(var / n), of
		 * the second and fourth moments at most sqrt(9 var^2 / n) and sqrt(60 var^4 / n) for these kinds */
		const double var = known[kind].variance, error = 5.0 / sqrt((double)COUNT);
		CHECK_NEAR(sum / COUNT, 0.0, error * sqrt(var));
		CHECK_NEAR(square / COUNT, var, error * 3 * var);
		CHECK_NEAR(fourth / COUNT, known[kind].fourth * var * var, error * 8 * var * var);
		CHECK_NEAR(neighbour / COUNT, 0.0, error * var);
		CHECK(largest <= known[kind].largest && largest >= 0.9 * known[kind].largest);
	}
}

static void other_kinds(void)
{
	enum { ROW = 96, ROWS = 64, COUNT = ROW * ROWS };
	static float x[COUNT], normal[COUNT];
	int seen[ROW] = {0}, distinct = 0, outliers = 0;
	CHECK_INT(generate_array(x, DTYPE_F32, COUNT, ROW, "one_hot", 2.5, 5, 6, NULL), 0);
	for (int row = 0; row < ROWS; row++) {
		int ones = 0;
		for (int i = 0; i < ROW; i++) {
			CHECK(x[row * ROW + i] == 0.0f || x[row * ROW + i] == 2.5f);
			if (x[row * ROW + i] != 0.0f) {
				ones++;
				seen[i] = 1;
			}
		}
		CHECK_INT(ones, 1);
	}
	for (int i = 0; i < ROW; i++)
		distinct += seen[i];
	CHECK(distinct > 30); /* 64 draws out of 96 hit 47 on average; 30 or fewer is 7 standard deviations away */

	CHECK_INT(generate_array(x, DTYPE_F32, COUNT, 1, "outliers", 1.0, 5, 6, NULL), 0);
	CHECK_INT(generate_array(normal, DTYPE_F32, COUNT, 1, "normal", 1.0, 5, 6, NULL), 0);
	for (int i = 0; i < COUNT; i++) {
		if (x[i] != normal[i]) {
			CHECK(x[i] == 64.0f * normal[i]);
			outliers++;
		}
	}
	CHECK_INT(outliers, COUNT / 1024);
	CHECK_INT(generate_array(x, DTYPE_F32, COUNT, 1, "constant", 0.1, 5, 6, NULL), 0);
	CHECK(x[0] == 0.1f && x[1] == 0.1f && x[COUNT - 1] == 0.1f);
	CHECK_INT(generate_array(x, DTYPE_F32, COUNT, 1, "zeros", 3.0, 5, 6, NULL), 0);
	CHECK(x[0] == 0.0f && x[COUNT / 2 + 1] == 0.0f && x[COUNT - 1] == 0.0f);

	uint64_t below[8] = {0};
	for (uint64_t i = 0; i < 8000; i++) {
		const uint64_t value = generate_below(8, 1, 2, i);
		if (value < 8)
			below[value]++;
	}
	for (int i = 0; i < 8; i++)
		CHECK_NEAR((double)below[i], 1000.0, 150.0); /* five standard deviations of 30 */
	CHECK_INT(generate_below(0, 1, 2, 3), 0);
	CHECK_INT(generate_below(1, 1, 2, 3), 0);
	CHECK(generate_below(UINT64_MAX, 1, 2, 3) != generate_below(UINT64_MAX, 1, 2, 4));
}

static void tensors_with_gaps(void)
{
	static struct test_case test = {.name = "gaps"};
	struct error err = {0};
	for (int kind = 0; generator_kinds[kind]; kind++) {
		const int64_t dims[2] = {6, 8}, strides[2] = {12, 1};
		struct tensor *tensor = case_add_tensor(&test, generator_kinds[kind], TENSOR_INPUT, DTYPE_F32, 2, dims, strides, &err);
		CHECK(tensor != NULL);
		CHECK_INT(generate_tensor(tensor, generator_kinds[kind], 1.0, 8, 9, &err), 0);
		CHECK_TEXT(tensor->generator, generator_kinds[kind]);
		int ones = 0, finite = 1, gap_differs = 0;
		for (int64_t i = 0; i < tensor->extent; i++) {
			const double value = dtype_load(DTYPE_F32, tensor->data, (size_t)i);
			finite &= isfinite(value);
			if (i % 12 >= 8)
				gap_differs |= value != 0.0 && value != 1.0;
			else
				ones += value == 1.0;
		}
		CHECK(finite);
		if (strcmp(generator_kinds[kind], "constant") == 0)
			CHECK_INT(ones, 48);
		if (strcmp(generator_kinds[kind], "one_hot") == 0)
			CHECK_INT(ones, 6);
		if (strcmp(generator_kinds[kind], "zeros") == 0)
			CHECK_INT(ones, 0);
		CHECK(gap_differs);
	}
	/* a dense shape at the start of a larger storage */
	struct tensor *owner = case_add_tensor(&test, "owner", TENSOR_INPUT, DTYPE_F32, 2, (int64_t[]){2, 4}, NULL, &err);
	owner->extent = 11;
	CHECK_INT(generate_tensor(owner, "one_hot", 1.0, 8, 9, &err), 0);
	const float *values = owner->data;
	CHECK(values[0] + values[1] + values[2] + values[3] == 1.0f && values[4] + values[5] + values[6] + values[7] == 1.0f);
	CHECK(values[8] != 0.0f && values[9] != 0.0f && values[10] != 0.0f);
	struct tensor *empty = case_add_tensor(&test, "empty", TENSOR_INPUT, DTYPE_F16, 2, (int64_t[]){0, 8}, NULL, &err);
	for (int kind = 0; generator_kinds[kind]; kind++)
		CHECK_INT(generate_tensor(empty, generator_kinds[kind], 1.0, 8, 9, &err), 0);
	CHECK_INT(generate_tensor(empty, "gaussian", 1.0, 8, 9, &err), -1);
	CHECK_CONTAINS(err.message, "'empty'");
	CHECK_CONTAINS(err.message, "one_hot");
	CHECK_INT(generate_tensor(empty, "normal", NAN, 8, 9, &err), -1);
	CHECK_INT(generate_tensor(empty, "normal", INFINITY, 8, 9, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	float four[4];
	CHECK_INT(generate_array(four, DTYPE_F32, 4, 3, "one_hot", 1.0, 1, 1, &err), -1);
	CHECK_INT(generate_array(four, DTYPE_F32, 4, 0, "one_hot", 1.0, 1, 1, &err), -1);
	CHECK_INT(generate_array(four, DTYPE_INVALID, 4, 1, "normal", 1.0, 1, 1, &err), -1);
	case_free(&test);
}

/* Large arrays are filled by several threads: the start of one, and its end, are what a small array has there. */
static void threads_leave_nothing_out(void)
{
	const int64_t count = ((int64_t)3 << 20) + 17, few = 1 << 19;
	uint16_t *large = malloc((size_t)count * 2), *small = malloc((size_t)few * 2), *tail = malloc((size_t)count * 2);
	struct error err = {0};
	CHECK(large && small && tail);
	if (large && small && tail) {
		memset(large, 0xff, (size_t)count * 2);
		CHECK_INT(generate_array(large, DTYPE_F16, count, count, "normal", 1.0, 5, 2, &err), 0);
		CHECK_INT(generate_array(small, DTYPE_F16, few, few, "normal", 1.0, 5, 2, &err), 0);
		CHECK(memcmp(large, small, (size_t)few * 2) == 0);
		int64_t unwritten = 0;
		for (int64_t i = 0; i < count; i++)
			unwritten += large[i] == 0xffff; /* NaN: no element is */
		CHECK_INT(unwritten, 0);
		/* batch by batch, as one thread does it */
		for (int64_t first = 0, block = 0; first < count; first += 2 * BATCH_BLOCKS, block += BATCH_BLOCKS) {
			const int64_t left = count - first;
			batch_run(&(struct batch){.kind = BATCH_NORMAL, .dtype = DTYPE_F16, .step = NORMAL_UNIT, .seed = 5, .stream = 2,
						  .first_block = (uint64_t)block, .count = left < 2 * BATCH_BLOCKS ? (int)left : 2 * BATCH_BLOCKS,
						  .out = tail + first});
		}
		CHECK(memcmp(large, tail, (size_t)count * 2) == 0);
	}
	free(large);
	free(small);
	free(tail);
}

int main(void)
{
	philox_gives_the_published_answers();
	elements_are_what_the_header_says();
	parts_and_processors_agree();
	fast_rounding_is_the_one_rounding();
	moments_are_those_of_the_definition();
	other_kinds();
	tensors_with_gaps();
	threads_leave_nothing_out();
	return check_result();
}
