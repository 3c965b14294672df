/* Checks of the judge with values worked out by hand, for whichever device the judge runs on. */
#ifndef ASSAY_TESTS_JUDGE_CHECKS_H
#define ASSAY_TESTS_JUDGE_CHECKS_H

#include "check.h"
#include "core/digest.h"
#include "core/util.h"
#include "device/device.h"
#include "judge/judge.h"
#include "judge/row_class.h"

#include <float.h>
#include <stdlib.h>

struct bench {
	struct device *device;
	struct judge *judge;
	device_pointer allocated[32];
	int count;
};

/* A copy of host memory on the device, freed by bench_clear. */
static device_pointer upload(struct bench *bench, const void *bytes, size_t size)
{
	struct error err = {0};
	device_pointer pointer = 0;
	if (bench->count == (int)ARRAY_COUNT(bench->allocated) ||
	    device_alloc(bench->device, size, &pointer, &err) ||
	    (size && bench->device->ops->copy_in(bench->device, pointer, bytes, size, NULL, &err))) {
		fprintf(stderr, "test cannot go on: %s\n", err.message);
		exit(1);
	}
	bench->allocated[bench->count++] = pointer;
	return pointer;
}

static void bench_clear(struct bench *bench)
{
	while (bench->count)
		device_free(bench->device, bench->allocated[--bench->count]);
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

enum { POISON_A = 0x7fa17fa1, POISON_B = (int)0xffb2ffb2 };

struct buffers {
	unsigned char a[4096], b[4096];
	size_t size;
};

static void poison_fill(struct buffers *buffers, const struct judge_layout *layout)
{
	const uint32_t poison_a = POISON_A, poison_b = (uint32_t)POISON_B;
	buffers->size = layout->front + layout->bytes + layout->back;
	for (size_t i = 0; i < buffers->size; i++) {
		buffers->a[i] = (unsigned char)(poison_a >> (8 * (i % 4)));
		buffers->b[i] = (unsigned char)(poison_b >> (8 * (i % 4)));
	}
}

static size_t value_byte(const struct judge_layout *layout, int64_t linear)
{
	int64_t offset = 0;
	for (int i = layout->rank - 1; i >= 0; i--) {
		offset += linear % layout->dims[i] * layout->strides[i];
		linear /= layout->dims[i];
	}
	return layout->front + (size_t)offset * dtype_size(layout->dtype);
}

static int64_t value_count(const struct judge_layout *layout)
{
	int64_t count = 1;
	for (int i = 0; i < layout->rank; i++)
		count *= layout->dims[i];
	return count;
}

/* As a right kernel leaves it: every element written, with the same bytes in both runs. */
static void write_values(struct buffers *buffers, const struct judge_layout *layout)
{
	for (int64_t i = 0; i < value_count(layout); i++)
		for (size_t byte = 0; byte < dtype_size(layout->dtype); byte++) {
			const size_t at = value_byte(layout, i) + byte;
			buffers->a[at] = buffers->b[at] = (unsigned char)(17 + 31 * i + (int64_t)byte);
		}
}

static struct judge_memory scan(struct bench *bench, const struct buffers *buffers, const struct judge_layout *layout)
{
	struct error err = {0};
	struct judge_memory memory;
	memset(&memory, 0x55, sizeof memory);
	const int result = judge_output_memory(bench->judge, layout, upload(bench, buffers->a, buffers->size),
					       upload(bench, buffers->b, buffers->size), POISON_A, (uint32_t)POISON_B,
					       &memory, &err);
	CHECK_INT(result, 0);
	if (result)
		fprintf(stderr, "%s\n", err.message);
	bench_clear(bench);
	return memory;
}

static void check_memory_layout(struct bench *bench, const struct judge_layout *layout)
{
	const size_t size = dtype_size(layout->dtype);
	const int64_t last = value_count(layout) - 1;
	static struct buffers clean, buffers;
	poison_fill(&clean, layout);
	write_values(&clean, layout);
	struct judge_memory memory = scan(bench, &clean, layout);
	CHECK_INT(memory.unwritten, 0);
	CHECK_INT(memory.unwritten_first, -1);
	CHECK_INT(memory.differing, 0);
	CHECK_INT(memory.differing_first, -1);
	CHECK_INT(memory.canary, 0);
	CHECK_INT(memory.gap, 0);
	CHECK_INT(memory.gap_first, -1);

	/* the last element and one in the middle keep their poison */
	buffers = clean;
	for (size_t byte = 0; byte < size; byte++) {
		for (int64_t i = last; i >= last / 2; i -= last - last / 2) {
			const size_t at = value_byte(layout, i) + byte;
			buffers.a[at] = (unsigned char)((uint32_t)POISON_A >> (8 * (at % 4)));
			buffers.b[at] = (unsigned char)((uint32_t)POISON_B >> (8 * (at % 4)));
		}
	}
	memory = scan(bench, &buffers, layout);
	CHECK_INT(memory.unwritten, 2);
	CHECK_INT(memory.unwritten_first, last / 2);
	CHECK_INT(memory.differing, 0);

	/* a value that is the poison of run A in both runs was written */
	buffers = clean;
	for (size_t byte = 0; byte < size; byte++) {
		const size_t at = value_byte(layout, 1) + byte;
		buffers.a[at] = buffers.b[at] = (unsigned char)((uint32_t)POISON_A >> (8 * (at % 4)));
	}
	memory = scan(bench, &buffers, layout);
	CHECK_INT(memory.unwritten, 0);
	CHECK_INT(memory.differing, 0);

	/* one bit depends on what was there before */
	buffers = clean;
	buffers.b[value_byte(layout, last) + size - 1] ^= 0x80;
	memory = scan(bench, &buffers, layout);
	CHECK_INT(memory.unwritten, 0);
	CHECK_INT(memory.differing, 1);
	CHECK_INT(memory.differing_first, last);

	/* canaries: the last element before, the first and the last behind; in one run only */
	buffers = clean;
	buffers.a[layout->front - 1] ^= 1;
	memory = scan(bench, &buffers, layout);
	CHECK_INT(memory.canary, 1);
	CHECK_INT(memory.canary_first, -1);
	buffers = clean;
	buffers.b[layout->front + layout->bytes] ^= 0x10;
	buffers.b[buffers.size - 1] ^= 0x10;
	memory = scan(bench, &buffers, layout);
	CHECK_INT(memory.canary, 2);
	CHECK_INT(memory.canary_first, (int64_t)(layout->bytes / size));
	CHECK_INT(memory.gap, 0);
	CHECK_INT(memory.differing, 0);
	buffers = clean;
	buffers.a[0] ^= 1;
	memory = scan(bench, &buffers, layout);
	CHECK_INT(memory.canary_first, -(int64_t)(layout->front / size));

	/* every gap element by itself */
	const int64_t storage = (int64_t)(layout->bytes / size);
	int64_t gaps = 0;
	for (int64_t element = 0; element < storage; element++) {
		int reached = 0;
		for (int64_t i = 0; i <= last; i++)
			reached |= value_byte(layout, i) == layout->front + (size_t)element * size;
		if (reached)
			continue;
		gaps++;
		buffers = clean;
		buffers.b[layout->front + (size_t)element * size] ^= 4;
		memory = scan(bench, &buffers, layout);
		CHECK_INT(memory.gap, 1);
		CHECK_INT(memory.gap_first, element);
		CHECK_INT(memory.canary, 0);
	}
	CHECK_INT(gaps, storage - (last + 1));
}

static void check_memory(struct bench *bench)
{
	const struct judge_layout layouts[] = {
		/* contiguous */
		{.dtype = DTYPE_F16, .rank = 3, .dims = {2, 3, 5}, .strides = {15, 5, 1}, .front = 16, .bytes = 60, .back = 32},
		/* rows with gaps */
		{.dtype = DTYPE_BF16, .rank = 3, .dims = {2, 2, 3}, .strides = {10, 5, 1}, .front = 32, .bytes = 44, .back = 16},
		/* permuted: the inner dimension is not the fastest */
		{.dtype = DTYPE_F32, .rank = 2, .dims = {3, 4}, .strides = {1, 3}, .front = 16, .bytes = 48, .back = 16},
		/* not nested: offsets 0 2 3 5 */
		{.dtype = DTYPE_F32, .rank = 2, .dims = {2, 2}, .strides = {3, 2}, .front = 16, .bytes = 24, .back = 16},
		{.dtype = DTYPE_U8, .rank = 2, .dims = {3, 3}, .strides = {4, 1}, .front = 5, .bytes = 11, .back = 3},
		{.dtype = DTYPE_F64, .rank = 2, .dims = {2, 2}, .strides = {3, 1}, .front = 8, .bytes = 48, .back = 16},
		/* dimensions of one, and storage that goes on behind the last element */
		{.dtype = DTYPE_F16, .rank = 6, .dims = {1, 2, 1, 2, 1, 2}, .strides = {99, 7, 99, 3, 99, 1}, .front = 16, .bytes = 40, .back = 16},
	};
	for (size_t i = 0; i < ARRAY_COUNT(layouts); i++)
		check_memory_layout(bench, &layouts[i]);

	/* an empty value: the storage is all gap */
	struct judge_layout layout = {.dtype = DTYPE_F16, .rank = 2, .dims = {0, 4}, .strides = {4, 1}, .front = 16, .bytes = 8, .back = 16};
	static struct buffers buffers;
	poison_fill(&buffers, &layout);
	buffers.a[18] ^= 1;
	const struct judge_memory memory = scan(bench, &buffers, &layout);
	CHECK_INT(memory.gap, 1);
	CHECK_INT(memory.gap_first, 1);
	CHECK_INT(memory.unwritten, 0);

	/* layouts that cannot be */
	struct error err = {0};
	struct judge_memory out;
	const device_pointer a = upload(bench, buffers.a, 4096), b = upload(bench, buffers.b, 4096);
	layout = (struct judge_layout){.dtype = DTYPE_F32, .rank = 2, .dims = {2, 3}, .strides = {2, 1}, .front = 16, .bytes = 20, .back = 16};
	CHECK_INT(judge_output_memory(bench->judge, &layout, a, b, POISON_A, (uint32_t)POISON_B, &out, &err), -1);
	CHECK_CONTAINS(err.message, "share their place");
	layout.strides[0] = 4;
	CHECK_INT(judge_output_memory(bench->judge, &layout, a, b, POISON_A, (uint32_t)POISON_B, &out, &err), -1);
	CHECK_CONTAINS(err.message, "reaches element 6");
	layout.strides[0] = INT64_MAX;
	layout.dims[0] = 3;
	CHECK_INT(judge_output_memory(bench->judge, &layout, a, b, POISON_A, (uint32_t)POISON_B, &out, &err), -1);
	layout = (struct judge_layout){.dtype = DTYPE_F32, .rank = 1, .dims = {2}, .strides = {1}, .front = 18, .bytes = 8, .back = 16};
	CHECK_INT(judge_output_memory(bench->judge, &layout, a, b, POISON_A, (uint32_t)POISON_B, &out, &err), -1);
	layout.front = 16;
	CHECK_INT(judge_output_memory(bench->judge, &layout, a, b, POISON_A, POISON_A, &out, &err), -1);
	CHECK_CONTAINS(err.message, "two poisons");
	bench_clear(bench);
}

static void check_bytes(struct bench *bench)
{
	unsigned char a[1000], b[1000];
	struct error err = {0};
	int64_t differing, first;
	for (int i = 0; i < 1000; i++)
		a[i] = b[i] = (unsigned char)(i * 7);
	CHECK_INT(judge_compare_bytes(bench->judge, upload(bench, a, 1000), upload(bench, b, 1000), 1000, &differing, &first, &err), 0);
	CHECK_INT(differing, 0);
	CHECK_INT(first, -1);
	b[999] ^= 1;
	b[515] ^= 0x81; /* two bits of one byte are one byte */
	b[517] ^= 0x10;
	const device_pointer at_a = upload(bench, a, 1000), at_b = upload(bench, b, 1000);
	CHECK_INT(judge_compare_bytes(bench->judge, at_a, at_b, 1000, &differing, &first, &err), 0);
	CHECK_INT(differing, 3);
	CHECK_INT(first, 515);
	CHECK_INT(judge_compare_bytes(bench->judge, at_a, at_b, 515, &differing, &first, &err), 0);
	CHECK_INT(differing, 0);
	/* addresses that are not aligned alike */
	CHECK_INT(judge_compare_bytes(bench->judge, at_a + 3, at_b + 3, 997, &differing, &first, &err), 0);
	CHECK_INT(differing, 3);
	CHECK_INT(first, 512);
	CHECK_INT(judge_compare_bytes(bench->judge, at_a, at_b, 0, &differing, &first, &err), 0);
	CHECK_INT(differing, 0);
	CHECK_INT(first, -1);
	bench_clear(bench);
}

static void check_digest_of(struct bench *bench, const struct judge_layout *layout)
{
	unsigned char storage[4096], packed[4096];
	const size_t size = dtype_size(layout->dtype);
	struct error err = {0};
	struct digest digest = {{0}};
	for (size_t i = 0; i < layout->bytes; i++)
		storage[i] = (unsigned char)(i * 73 + 5);
	for (int64_t i = 0; i < value_count(layout); i++)
		memcpy(packed + (size_t)i * size, storage + value_byte(layout, i), size);
	const struct digest expected = digest_bytes(packed, (size_t)value_count(layout) * size);
	CHECK_INT(judge_digest(bench->judge, layout, upload(bench, storage, layout->bytes), &digest, &err), 0);
	CHECK(digest.half[0] == expected.half[0] && digest.half[1] == expected.half[1]);
	/* a gap is not part of it, an element is */
	for (size_t byte = 0; byte < layout->bytes; byte += size) {
		int reached = 0;
		for (int64_t i = 0; i < value_count(layout); i++)
			reached |= value_byte(layout, i) == byte;
		storage[byte] ^= 1;
		struct digest changed = {{0}};
		CHECK_INT(judge_digest(bench->judge, layout, upload(bench, storage, layout->bytes), &changed, &err), 0);
		CHECK_INT(changed.half[0] != expected.half[0], reached);
		CHECK_INT(changed.half[1] != expected.half[1], reached);
		storage[byte] ^= 1;
		if (bench->count > 16)
			bench_clear(bench);
	}
	bench_clear(bench);
}

static void check_digest(struct bench *bench)
{
	const struct judge_layout layouts[] = {
		{.dtype = DTYPE_F16, .rank = 2, .dims = {3, 5}, .strides = {5, 1}, .bytes = 30}, /* odd count: half a word is left */
		{.dtype = DTYPE_F16, .rank = 3, .dims = {2, 3, 3}, .strides = {14, 4, 1}, .bytes = 56},
		{.dtype = DTYPE_F32, .rank = 2, .dims = {3, 4}, .strides = {1, 3}, .bytes = 48},
		{.dtype = DTYPE_U8, .rank = 2, .dims = {3, 3}, .strides = {4, 1}, .bytes = 12},
		{.dtype = DTYPE_F64, .rank = 2, .dims = {2, 2}, .strides = {3, 1}, .bytes = 48},
		{.dtype = DTYPE_F32, .rank = 0, .bytes = 4},
		{.dtype = DTYPE_F16, .rank = 1, .dims = {0}, .strides = {1}, .bytes = 0},
	};
	for (size_t i = 0; i < ARRAY_COUNT(layouts); i++)
		check_digest_of(bench, &layouts[i]);
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

enum { ROWS_MAX = 64, COLUMNS_MAX = 64 };

/* Values and references of a comparison on the host; rounded to dtype and uploaded by `compare`. */
struct scene {
	enum dtype dtype;
	int64_t rows, columns, groups;
	double value[ROWS_MAX * COLUMNS_MAX], reference[ROWS_MAX * COLUMNS_MAX], magnitude[ROWS_MAX * COLUMNS_MAX];
	unsigned char row_class[ROWS_MAX];
	int32_t row_group[ROWS_MAX];
	double slack[ROWS_MAX];
	int is_lse;
};

static struct scene scene_of(enum dtype dtype, int64_t rows, int64_t columns, int64_t groups)
{
	struct scene scene = {.dtype = dtype, .rows = rows, .columns = columns, .groups = groups};
	for (int64_t i = 0; i < rows * columns; i++) {
		scene.value[i] = scene.reference[i] = 0.25 * (double)(i % 13 + 1);
		scene.magnitude[i] = 2.0;
	}
	for (int64_t row = 0; row < rows; row++)
		scene.row_group[row] = (int32_t)(row * groups / rows);
	return scene;
}

static struct judge_numbers compare(struct bench *bench, const struct scene *scene)
{
	struct error err = {0};
	struct judge_numbers numbers = {0};
	const size_t count = (size_t)(scene->rows * scene->columns);
	uint64_t value[ROWS_MAX * COLUMNS_MAX];
	for (size_t i = 0; i < count; i++)
		dtype_store(scene->dtype, value, i, scene->value[i]);
	const struct judge_input input = {
		.dtype = scene->dtype,
		.value = upload(bench, value, count * dtype_size(scene->dtype)),
		.rows = scene->rows,
		.columns = scene->columns,
		.groups = scene->groups,
		.reference = upload(bench, scene->reference, count * sizeof(double)),
		.magnitude = scene->is_lse ? 0 : upload(bench, scene->magnitude, count * sizeof(double)),
		.row_class = upload(bench, scene->row_class, (size_t)scene->rows),
		.row_group = upload(bench, scene->row_group, (size_t)scene->rows * sizeof(int32_t)),
		.absolute_slack = scene->slack,
		.is_lse = scene->is_lse,
	};
	const int result = judge_compare(bench->judge, &input, &numbers, &err);
	CHECK_INT(result, 0);
	if (result) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	bench_clear(bench);
	return numbers;
}

static void check_numbers(struct bench *bench)
{
	struct scene scene = scene_of(DTYPE_F16, 6, 4, 3);
	struct judge_numbers numbers = compare(bench, &scene);
	CHECK_INT(numbers.group_count, 3);
	CHECK_INT(numbers.total.elements, 24);
	CHECK_INT(numbers.histogram[0], 24);
	CHECK(numbers.total.scaled_max == 0 && numbers.total.scaled_max_index == 0);
	CHECK(numbers.total.reference_min == 0.25 && numbers.total.reference_max == 3.25);
	CHECK(numbers.groups[1].scaled_max_index == 8);
	judge_numbers_free(&numbers);

	/* errors 1/8, -1/4, 1/4 over the magnitude 2, in different groups; the first of the equal ones is told */
	scene.reference[5] -= 0.125;
	scene.reference[9] += 0.25;
	scene.reference[11] -= 0.25;
	numbers = compare(bench, &scene);
	CHECK(numbers.groups[0].scaled_max == 0.0625 && numbers.groups[0].scaled_max_index == 5);
	CHECK(numbers.groups[1].scaled_max == 0.125 && numbers.groups[1].scaled_max_index == 9);
	CHECK(numbers.groups[1].scaled_max_value == scene.value[9] && numbers.groups[1].scaled_max_reference == scene.reference[9]);
	CHECK(numbers.groups[2].scaled_max == 0);
	CHECK(numbers.total.scaled_max == 0.125 && numbers.total.scaled_max_index == 9);
	CHECK(numbers.total.absolute_max == 0.25);
	CHECK(numbers.total.relative_max == 0.25 / 2.75 || numbers.total.relative_max == 0.125 / 1.375);
	CHECK(numbers.total.error_square_sum == 0.015625 + 2 * 0.0625);
	/* floor(log2 0.0625) = -4, -3 twice */
	CHECK_INT(numbers.histogram[JUDGE_HISTOGRAM_BINS - 1 - 4], 1);
	CHECK_INT(numbers.histogram[JUDGE_HISTOGRAM_BINS - 1 - 3], 2);
	CHECK_INT(numbers.histogram[0], 21);
	/* 2.5 against 2.75 in binary16: 2^-9 apart from neighbour to neighbour in [2, 4) */
	CHECK_INT(numbers.groups[1].ulp_max, 128);
	CHECK_INT(numbers.groups[1].ulp_max_index, 9);
	judge_numbers_free(&numbers);

	/* slack: taken off before scaling, and never below 0 */
	scene.slack[0] = 0.125;
	scene.slack[1] = 0.1875;
	numbers = compare(bench, &scene);
	CHECK(numbers.groups[0].scaled_max == 0);
	CHECK(numbers.groups[1].scaled_max == 0.03125);
	judge_numbers_free(&numbers);

	/* magnitudes that cannot divide */
	scene.magnitude[5] = 0;                /* error equals the slack: fine */
	scene.magnitude[9] = 0;                /* error beyond it */
	scene.magnitude[20] = (double)NAN;     /* no error, but nothing to measure it by */
	numbers = compare(bench, &scene);
	CHECK(numbers.groups[0].scaled_max == 0);
	CHECK(isinf(numbers.groups[1].scaled_max));
	CHECK(isinf(numbers.groups[2].scaled_max) && numbers.groups[2].scaled_max_index == 20);
	CHECK_INT(numbers.histogram[JUDGE_HISTOGRAM_BINS - 1], 2);
	scene.magnitude[20] = (double)INFINITY;
	judge_numbers_free(&numbers);
	numbers = compare(bench, &scene);
	CHECK(isinf(numbers.groups[2].scaled_max));
	judge_numbers_free(&numbers);
}

static void check_not_finite(struct bench *bench)
{
	static const enum dtype types[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F32, DTYPE_F64};
	for (size_t t = 0; t < ARRAY_COUNT(types); t++) {
		struct scene scene = scene_of(types[t], 6, 4, 3);
		scene.value[10] = (double)NAN;
		scene.value[9] = -(double)INFINITY;
		scene.value[8] += 1.0;
		struct judge_numbers numbers = compare(bench, &scene);
		const struct judge_group *group = &numbers.groups[1];
		CHECK_INT(group->not_finite, 2);
		CHECK_INT(group->not_finite_index, 9);
		CHECK(group->not_finite_value == -(double)INFINITY && group->not_finite_reference == scene.reference[9]);
		CHECK_INT(group->elements, 6);
		CHECK(isinf(group->scaled_max) && isinf(group->absolute_max) && isinf(group->relative_max));
		CHECK(group->ulp_max == UINT64_MAX);
		CHECK(group->finite_scaled_max == 0.5 && group->scaled_max_index == 8);
		CHECK_INT(group->nan_count, 1);
		CHECK_INT(group->inf_count, 1);
		CHECK(numbers.groups[0].scaled_max == 0 && numbers.groups[2].scaled_max == 0);
		CHECK(isinf(numbers.total.scaled_max));
		CHECK_INT(numbers.histogram[JUDGE_HISTOGRAM_BINS - 1], 2);
		judge_numbers_free(&numbers);
		/* nothing but NaN */
		for (int i = 0; i < 24; i++)
			scene.value[i] = (double)NAN;
		numbers = compare(bench, &scene);
		CHECK_INT(numbers.total.not_finite, 24);
		CHECK_INT(numbers.total.elements, 0);
		CHECK(isinf(numbers.total.scaled_max) && isinf(numbers.groups[0].scaled_max));
		CHECK_INT(numbers.total.scaled_max_index, -1);
		judge_numbers_free(&numbers);
	}
}

/* Whether one value, alone in a row of the class with its neighbour, is accepted; -1 when it is compared as a number. */
static int class_accepts(struct bench *bench, int row_class, int is_lse, double reference, double value, double neighbour)
{
	struct scene scene = scene_of(is_lse ? DTYPE_F32 : DTYPE_F16, 1, is_lse ? 1 : 2, 1);
	scene.is_lse = is_lse;
	scene.row_class[0] = (unsigned char)row_class;
	scene.reference[0] = reference;
	scene.reference[1] = reference;
	scene.value[0] = is_lse ? value : neighbour;
	if (!is_lse)
		scene.value[1] = value;
	struct judge_numbers numbers = compare(bench, &scene);
	const struct judge_group group = numbers.total;
	judge_numbers_free(&numbers);
	CHECK_INT(group.elements + group.not_finite + group.class_elements, scene.columns);
	if (group.class_violations && !is_lse) {
		CHECK(group.class_violation_class == row_class);
		CHECK(group.class_violation_index >= 0);
	}
	return group.class_elements == 0 ? -1 : group.class_violations == 0;
}

static void check_classes(struct bench *bench)
{
	const double nan = (double)NAN, inf = (double)INFINITY;
	const struct {
		int row_class, is_lse;
		double reference, value, neighbour;
		int accepted;
	} table[] = {
		{ROW_MASKED, 0, 0, 0.0, 0.0, 1},
		{ROW_MASKED, 0, 0, -0.0, 0.0, 1},
		{ROW_MASKED, 0, 0, 6e-8, 0.0, 0},
		{ROW_MASKED, 0, 0, nan, 0.0, 0},
		{ROW_MASKED, 1, inf, inf, 0, 1},
		{ROW_MASKED, 1, inf, -inf, 0, 0},
		{ROW_MASKED, 1, inf, 0.0, 0, 0},
		{ROW_MASKED, 1, inf, nan, 0, 0},
		{ROW_MASKED | ROW_MASKED_POISON, 0, 0, nan, 0.0, 1},
		{ROW_MASKED | ROW_MASKED_POISON, 0, 0, 0.5, 0.0, 0},
		{ROW_MASKED | ROW_MASKED_POISON, 1, inf, nan, 0, 1},
		{ROW_NAN, 0, nan, nan, nan, 1},
		{ROW_NAN, 0, nan, 0.0, nan, 0},
		{ROW_NAN, 0, nan, inf, nan, 0},
		{ROW_NAN, 1, nan, nan, 0, 1},
		{ROW_NAN, 1, nan, inf, 0, 1},
		{ROW_NAN, 1, nan, -inf, 0, 0},
		{ROW_NAN, 1, nan, 3.0, 0, 0},
		{ROW_ALL_MINUS_INF, 0, nan, nan, nan, 1},
		{ROW_ALL_MINUS_INF, 0, nan, 0.0, -0.0, 1},
		{ROW_ALL_MINUS_INF, 0, nan, nan, 0.0, 0}, /* one row, two kinds */
		{ROW_ALL_MINUS_INF, 0, nan, 0.0, nan, 0},
		{ROW_ALL_MINUS_INF, 0, nan, 1.0, 0.0, 0},
		{ROW_ALL_MINUS_INF, 1, nan, nan, 0, 1},
		{ROW_ALL_MINUS_INF, 1, nan, inf, 0, 1},
		{ROW_ALL_MINUS_INF, 1, nan, -inf, 0, 1},
		{ROW_ALL_MINUS_INF, 1, nan, 0.0, 0, 0},
		{ROW_MASKED_POISON, 0, 1.0, nan, nan, 1},
		{ROW_MASKED_POISON, 0, 1.0, 1.0, 1.0, -1},
		{ROW_MASKED_POISON, 0, 1.0, inf, 1.0, -1}, /* counted as not finite */
		{0, 0, nan, nan, nan, 1},
		{0, 0, nan, inf, nan, 1},
		{0, 0, nan, 1.0, nan, 0},
		{0, 0, inf, inf, inf, 1},
		{0, 0, inf, nan, inf, 1},
		{0, 0, inf, -inf, inf, 0},
		{0, 0, inf, 65504.0, inf, 0},
		{0, 1, inf, inf, 0, 1},
		{0, 1, inf, nan, 0, 0},
		{0, 1, -inf, inf, 0, 0},
		{0, 0, 65600.0, inf, inf, 1}, /* finite in float64, infinite in binary16 */
		{0, 0, 65600.0, -inf, inf, 0},
		{0, 0, 1.0, nan, 1.0, -1},
	};
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		/* the row of (65600, -inf, inf) holds one accepted infinity and one that is no number */
		if (table[i].reference == 65600.0 && table[i].accepted == 0)
			continue;
		const int accepted = class_accepts(bench, table[i].row_class, table[i].is_lse, table[i].reference,
						   table[i].value, table[i].neighbour);
		if (accepted != table[i].accepted)
			fprintf(stderr, "row class %d, %s, %g for %g beside %g\n", table[i].row_class,
				table[i].is_lse ? "LSE" : "output", table[i].value, table[i].reference,
				table[i].neighbour);
		CHECK_INT(accepted, table[i].accepted);
	}
	struct scene scene = scene_of(DTYPE_F16, 1, 2, 1);
	scene.reference[0] = scene.reference[1] = 65600.0;
	scene.value[0] = inf;
	scene.value[1] = -inf;
	struct judge_numbers numbers = compare(bench, &scene);
	CHECK_INT(numbers.total.not_finite, 1);
	CHECK_INT(numbers.total.not_finite_index, 1);
	judge_numbers_free(&numbers);
}

static void check_exact_rows(struct bench *bench)
{
	struct scene scene = scene_of(DTYPE_F16, 2, 4, 1);
	scene.row_class[1] = ROW_EXACT;
	const double ulp = 0x1p-9; /* of binary16 in [2, 4) */
	scene.value[1] += ulp;                 /* not an exact row */
	scene.reference[5] = -0.0;
	scene.value[5] = 0.0;                  /* the same number */
	scene.reference[6] += 0x1p-30;         /* not representable: any neighbour will do */
	scene.value[6] += ulp;
	scene.value[7] = scene.reference[7] + ulp;
	struct judge_numbers numbers = compare(bench, &scene);
	CHECK_INT(numbers.total.exact_elements, 3);
	CHECK_INT(numbers.total.exact_mismatches, 1);
	CHECK_INT(numbers.total.exact_mismatch_index, 7);
	CHECK(numbers.total.exact_mismatch_value == scene.value[7] && numbers.total.exact_mismatch_reference == scene.reference[7]);
	judge_numbers_free(&numbers);
	scene.value[4] = (double)NAN;
	numbers = compare(bench, &scene);
	CHECK_INT(numbers.total.exact_mismatches, 2);
	CHECK_INT(numbers.total.exact_mismatch_index, 4);
	judge_numbers_free(&numbers);
}

static void check_ulps(struct bench *bench)
{
	/* One neighbour off across a power of two, the largest number, and a subnormal reference that does not count. */
	struct scene scene = scene_of(DTYPE_BF16, 1, 3, 1);
	scene.reference[0] = 1.0;
	scene.value[0] = 1.0 - 0x1p-8;
	scene.reference[1] = -1.0;
	scene.value[1] = 1.0;                       /* 2 * 0x3f80 */
	scene.reference[2] = 0x1p-130;
	scene.value[2] = 1e30;
	struct judge_numbers numbers = compare(bench, &scene);
	CHECK_INT(numbers.total.ulp_max, 2 * 0x3f80);
	CHECK_INT(numbers.total.ulp_max_index, 1);
	judge_numbers_free(&numbers);
	scene.value[1] = -1.0;
	numbers = compare(bench, &scene);
	CHECK_INT(numbers.total.ulp_max, 1);
	CHECK_INT(numbers.total.ulp_max_index, 0);
	judge_numbers_free(&numbers);
}

static void check_layout_and_groups(struct bench *bench)
{
	/* rows in any order in memory, groups in turn: group r % 2 */
	struct error err = {0};
	struct judge_numbers numbers;
	const float storage[] = {9, 10, 11, 99, 5, 6, 7, 99, 1, 2, 3, 99, 20, 21, 22};
	const int64_t row_offset[] = {8, 4, 0, 12};
	const double reference[] = {1, 2, 3, 5, 6, 8, 9, 10, 11, 20, 21, 22};
	const int32_t row_group[] = {0, 1, 0, 1};
	struct judge_input input = {.dtype = DTYPE_F32,
				    .value = upload(bench, storage, sizeof storage),
				    .row_offset = upload(bench, row_offset, sizeof row_offset),
				    .rows = 4,
				    .columns = 3,
				    .groups = 3,
				    .reference = upload(bench, reference, sizeof reference),
				    .row_group = upload(bench, row_group, sizeof row_group)};
	CHECK_INT(judge_compare(bench->judge, &input, &numbers, &err), 0);
	CHECK(numbers.groups[0].scaled_max == 0 && numbers.groups[0].elements == 6);
	CHECK(numbers.groups[1].scaled_max == 1 && numbers.groups[1].scaled_max_index == 5);
	CHECK_INT(numbers.groups[2].elements, 0);
	CHECK_INT(numbers.groups[2].scaled_max_index, -1);
	CHECK_INT(numbers.total.elements, 12);
	judge_numbers_free(&numbers);

	input.groups = 1; /* group 1 does not exist */
	CHECK_INT(judge_compare(bench->judge, &input, &numbers, &err), -1);
	CHECK_CONTAINS(err.message, "2 rows name a group");
	CHECK(numbers.groups == NULL);
	input.row_group = 0;
	CHECK_INT(judge_compare(bench->judge, &input, &numbers, &err), 0);
	CHECK(numbers.groups[0].scaled_max == 1);
	judge_numbers_free(&numbers);
	input.groups = 2;
	CHECK_INT(judge_compare(bench->judge, &input, &numbers, &err), -1);
	input.groups = 1;
	const double bad_slack = (double)NAN;
	input.absolute_slack = &bad_slack;
	CHECK_INT(judge_compare(bench->judge, &input, &numbers, &err), -1);
	CHECK_CONTAINS(err.message, "slack");
	input.absolute_slack = NULL;
	input.rows = 0;
	CHECK_INT(judge_compare(bench->judge, &input, &numbers, &err), -1);
	CHECK_CONTAINS(err.message, "nothing to compare");
	bench_clear(bench);
}

static void judge_checks(struct bench *bench)
{
	check_memory(bench);
	check_bytes(bench);
	check_digest(bench);
	check_numbers(bench);
	check_not_finite(bench);
	check_classes(bench);
	check_exact_rows(bench);
	check_ulps(bench);
	check_layout_and_groups(bench);
}

#endif
