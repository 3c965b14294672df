/* The judge on a GPU: the checks of test_judge.c with values worked out by hand, and agreement with the cpu on random
 * comparisons, memory and digests. */
#include "judge_checks.h"

static double random_number(uint64_t *state)
{
	return (double)(digest_mix((*state)++) >> 11) * 0x1p-53 * 4.0 - 2.0;
}

static uint64_t random_below(uint64_t *state, uint64_t limit)
{
	return digest_mix((*state)++) % limit;
}

/* The same measurements: integers, maxima and indices exactly, sums up to their order. */
static void same_group(const struct judge_group *a, const struct judge_group *b)
{
	CHECK(a->scaled_max == b->scaled_max && a->finite_scaled_max == b->finite_scaled_max);
	CHECK_INT(a->scaled_max_index, b->scaled_max_index);
	CHECK(a->scaled_max_value == b->scaled_max_value && a->scaled_max_reference == b->scaled_max_reference);
	CHECK(a->absolute_max == b->absolute_max && a->relative_max == b->relative_max);
	CHECK(a->ulp_max == b->ulp_max);
	CHECK_INT(a->ulp_max_index, b->ulp_max_index);
	CHECK_INT(a->elements, b->elements);
	CHECK_INT(a->not_finite, b->not_finite);
	CHECK_INT(a->not_finite_index, b->not_finite_index);
	CHECK_INT(a->class_elements, b->class_elements);
	CHECK_INT(a->class_violations, b->class_violations);
	CHECK_INT(a->class_violation_index, b->class_violation_index);
	CHECK_INT(a->class_violation_class, b->class_violation_class);
	CHECK_INT(a->exact_elements, b->exact_elements);
	CHECK_INT(a->exact_mismatches, b->exact_mismatches);
	CHECK_INT(a->exact_mismatch_index, b->exact_mismatch_index);
	CHECK_INT(a->nan_count, b->nan_count);
	CHECK_INT(a->inf_count, b->inf_count);
	CHECK(a->reference_min == b->reference_min && a->reference_max == b->reference_max);
	/* n positive terms in any order differ by at most n roundings each */
	const double terms = 0x1p-52 * (double)(a->elements + 1);
	CHECK_NEAR(a->error_square_sum, b->error_square_sum, terms * b->error_square_sum);
	CHECK_NEAR(a->reference_square_sum, b->reference_square_sum, terms * b->reference_square_sum);
}

static void random_comparison(struct bench *cpu, struct bench *cuda, uint64_t seed)
{
	static const enum dtype types[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F32, DTYPE_F64};
	static const unsigned char classes[] = {0, 0, 0, 0, ROW_MASKED, ROW_NAN, ROW_MASKED_POISON, ROW_ALL_MINUS_INF, ROW_EXACT};
	static const double specials[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 0.0, -0.0, 6e-8, 65504.0, 1e-40};
	struct error err = {0};
	uint64_t state = seed << 32;
	const enum dtype dtype = types[random_below(&state, 4)];
	const int64_t columns = 1 + (int64_t)random_below(&state, 200);
	const int64_t rows = 1 + (int64_t)random_below(&state, seed % 8 == 0 ? 20000 : 300);
	const int64_t groups = 1 + (int64_t)random_below(&state, seed % 3 == 0 ? 1 : 40);
	const int scattered = seed % 5 == 0;
	const size_t count = (size_t)(rows * columns), size = dtype_size(dtype);
	unsigned char *value = malloc(count * size), *row_class = malloc((size_t)rows);
	double *reference = malloc(count * sizeof *reference), *magnitude = malloc(count * sizeof *magnitude);
	double *slack = malloc((size_t)groups * sizeof *slack);
	int32_t *row_group = malloc((size_t)rows * sizeof *row_group);
	if (!value || !row_class || !reference || !magnitude || !slack || !row_group) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	for (int64_t row = 0; row < rows; row++) {
		row_class[row] = classes[random_below(&state, sizeof classes)];
		row_group[row] = (int32_t)(scattered ? (int64_t)random_below(&state, (uint64_t)groups) : row * groups / rows);
	}
	for (int64_t group = 0; group < groups; group++)
		slack[group] = 1e-6 * (double)random_below(&state, 3);
	for (size_t i = 0; i < count; i++) {
		reference[i] = random_number(&state);
		magnitude[i] = random_below(&state, 50) ? 1.0 + random_number(&state) / 4 : 0.0;
		double x = reference[i] * (random_below(&state, 2) ? 1.0 : 1.0 + 1e-3 * random_number(&state));
		if (row_class[i / (size_t)columns] == ROW_MASKED)
			x = 0.0;
		if (random_below(&state, 400) == 0)
			x = specials[random_below(&state, ARRAY_COUNT(specials))];
		if (random_below(&state, 400) == 0)
			reference[i] = specials[random_below(&state, ARRAY_COUNT(specials))];
		dtype_store(dtype, value, i, x);
	}
	struct bench *benches[] = {cpu, cuda};
	struct judge_numbers numbers[2], again;
	struct judge_input input = {0};
	for (int which = 0; which < 2; which++) {
		struct bench *bench = benches[which];
		input = (struct judge_input){.dtype = dtype,
					     .value = upload(bench, value, count * size),
					     .rows = rows,
					     .columns = columns,
					     .groups = groups,
					     .reference = upload(bench, reference, count * sizeof *reference),
					     .magnitude = upload(bench, magnitude, count * sizeof *magnitude),
					     .row_class = upload(bench, row_class, (size_t)rows),
					     .row_group = upload(bench, row_group, (size_t)rows * sizeof *row_group),
					     .absolute_slack = slack,
					     .is_lse = seed % 4 == 3};
		if (judge_compare(bench->judge, &input, &numbers[which], &err)) {
			fprintf(stderr, "%s\n", err.message);
			exit(1);
		}
	}
	same_group(&numbers[1].total, &numbers[0].total);
	for (int64_t group = 0; group < groups; group++)
		same_group(&numbers[1].groups[group], &numbers[0].groups[group]);
	for (int bin = 0; bin < JUDGE_HISTOGRAM_BINS; bin++)
		CHECK_INT(numbers[1].histogram[bin], numbers[0].histogram[bin]);
	/* the same bits every time, sums included */
	CHECK_INT(judge_compare(cuda->judge, &input, &again, &err), 0);
	CHECK(memcmp(again.groups, numbers[1].groups, (size_t)groups * sizeof *again.groups) == 0);
	judge_numbers_free(&again);
	judge_numbers_free(&numbers[0]);
	judge_numbers_free(&numbers[1]);

	const struct judge_layout layout = {.dtype = dtype,
					    .rank = 2,
					    .dims = {rows, columns > 1 ? columns - 1 : 1},
					    .strides = {columns, 1},
					    .bytes = count * size};
	struct digest digests[2];
	for (int which = 0; which < 2; which++)
		CHECK_INT(judge_digest(benches[which]->judge, &layout, upload(benches[which], value, count * size),
				       &digests[which], &err), 0);
	CHECK(digests[0].half[0] == digests[1].half[0] && digests[0].half[1] == digests[1].half[1]);

	/* Memory that is mostly poison, with writes anywhere. */
	unsigned char *second = malloc(count * size);
	const uint32_t poison[2] = {0x7fa17fa1, 0xffb2ffb2};
	struct judge_memory memory[2];
	if (!second) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	for (size_t i = 0; i < count * size; i++) {
		const int written = random_below(&state, 3) == 0;
		value[i] = written ? (unsigned char)i : (unsigned char)(poison[0] >> (8 * (i % 4)));
		second[i] = written ? (unsigned char)i : (unsigned char)(poison[1] >> (8 * (i % 4)));
	}
	struct judge_layout inner = layout;
	if (rows > 6) { /* first and last two rows are canaries */
		inner.dims[0] = rows - 4;
		inner.front = inner.back = 2 * (size_t)columns * size;
		inner.bytes -= inner.front + inner.back;
	}
	for (int which = 0; which < 2; which++)
		CHECK_INT(judge_output_memory(benches[which]->judge, &inner, upload(benches[which], value, count * size),
					      upload(benches[which], second, count * size), poison[0], poison[1],
					      &memory[which], &err), 0);
	CHECK(memcmp(&memory[0], &memory[1], sizeof memory[0]) == 0);
	int64_t differing[2], first[2];
	for (int which = 0; which < 2; which++)
		CHECK_INT(judge_compare_bytes(benches[which]->judge, upload(benches[which], value, count * size),
					      upload(benches[which], second, count * size), count * size,
					      &differing[which], &first[which], &err), 0);
	CHECK_INT(differing[1], differing[0]);
	CHECK_INT(first[1], first[0]);

	bench_clear(cpu);
	bench_clear(cuda);
	free(second);
	free(value);
	free(row_class);
	free(reference);
	free(magnitude);
	free(slack);
	free(row_group);
}

int main(void)
{
	struct error err = {0};
	struct bench cpu = {0}, cuda = {0};
	char why[256] = "";
	if (device_cuda_count(why, sizeof why) < 1)
		return check_skip(why);
	if (device_open(&cpu.device, "cpu", NULL, &err) || judge_open(&cpu.judge, cpu.device, &err) ||
	    device_open(&cuda.device, "cuda:0", NULL, &err) || judge_open(&cuda.judge, cuda.device, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	judge_checks(&cuda);
	for (uint64_t seed = 1; seed <= 60; seed++)
		random_comparison(&cpu, &cuda, seed);
	judge_close(cuda.judge);
	judge_close(cpu.judge);
	device_close(cuda.device);
	device_close(cpu.device);
	return check_result();
}
