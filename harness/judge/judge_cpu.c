/* The judge on the cpu device, where addresses are addresses of this process. */
#include "judge/element.h"
#include "judge/private.h"

#include <stdlib.h>
#include <string.h>

static const void *host(uint64_t address)
{
	return (const void *)(uintptr_t)address;
}

static void cpu_close(void *state)
{
	(void)state;
}

/* Walks the elements of a shape in row-major order. */
struct walk {
	const struct judge_shape *shape;
	int64_t index[6];
	int64_t offset;
};

static void walk_next(struct walk *walk)
{
	for (int i = walk->shape->rank - 1; i >= 0; i--) {
		walk->offset += walk->shape->strides[i];
		if (++walk->index[i] < walk->shape->dims[i])
			return;
		walk->offset -= walk->shape->dims[i] * walk->shape->strides[i];
		walk->index[i] = 0;
	}
}

/* 1 when the `size` bytes at byte `at` of the buffer are what filling it with the pattern left there. */
static int is_poison(const unsigned char *buffer, uint64_t at, int size, uint32_t pattern)
{
	for (int byte = 0; byte < size; byte++)
		if (buffer[at + (uint64_t)byte] != (pattern >> (8 * ((at + (uint64_t)byte) % 4)) & 0xff))
			return 0;
	return 1;
}

static void count(uint64_t *counter, uint64_t *least, uint64_t index)
{
	if ((*counter)++ == 0)
		*least = index;
}

static int cpu_memory(void *state, const struct judge_memory_args *args, int covers, struct judge_memory_counters *out,
		      struct error *err)
{
	(void)state;
	const unsigned char *first = host(args->first), *second = host(args->second);
	const int size = args->shape.element_size;
	const uint64_t step = (uint64_t)size;
	unsigned char *reached = covers ? NULL : calloc(args->storage ? args->storage : 1, 1);

	*out = (struct judge_memory_counters){.unwritten_first = UINT64_MAX,
					      .differing_first = UINT64_MAX,
					      .canary_first = UINT64_MAX,
					      .gap_first = UINT64_MAX};
	if (!covers && !reached)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory to look for gaps");
	struct walk walk = {.shape = &args->shape};
	for (int64_t i = 0; i < args->shape.elements; i++, walk_next(&walk)) {
		const uint64_t at = (args->front + (uint64_t)walk.offset) * step;
		if (is_poison(first, at, size, args->poison_a) && is_poison(second, at, size, args->poison_b))
			count(&out->unwritten, &out->unwritten_first, (uint64_t)i);
		else if (memcmp(first + at, second + at, step) != 0)
			count(&out->differing, &out->differing_first, (uint64_t)i);
		if (reached && reached[walk.offset]++)
			out->overlap++;
	}
	for (uint64_t i = 0; i < args->front + args->storage + args->back; i++) {
		const int inside = i >= args->front && i < args->front + args->storage;
		if (inside && (covers || reached[i - args->front]))
			continue;
		if (is_poison(first, i * step, size, args->poison_a) && is_poison(second, i * step, size, args->poison_b))
			continue;
		if (inside)
			count(&out->gap, &out->gap_first, i);
		else
			count(&out->canary, &out->canary_first, i);
	}
	free(reached);
	return 0;
}

static int cpu_bytes(void *state, const struct judge_bytes_args *args, struct judge_bytes_counters *out,
		     struct error *err)
{
	(void)state;
	(void)err;
	const unsigned char *a = host(args->a), *b = host(args->b);

	*out = (struct judge_bytes_counters){.first = UINT64_MAX};
	if (args->bytes == 0 || memcmp(a, b, args->bytes) == 0)
		return 0;
	for (uint64_t i = 0; i < args->bytes; i++)
		if (a[i] != b[i])
			count(&out->differing, &out->first, i);
	return 0;
}

static int cpu_digest(void *state, const struct judge_digest_args *args, uint64_t halves[2], struct error *err)
{
	(void)state;
	(void)err;
	const unsigned char *storage = host(args->storage);
	const int size = args->shape.element_size;
	const uint64_t elements_end = (uint64_t)args->shape.elements * (uint64_t)size;
	struct walk walk = {.shape = &args->shape};
	uint64_t byte = 0; /* among the packed bytes */
	uint32_t word = 0;

	halves[0] = halves[1] = 0;
	for (int64_t i = 0; i < args->shape.elements; i++, walk_next(&walk)) {
		for (int part = 0; part < size; part++, byte++) {
			word |= (uint32_t)storage[walk.offset * size + part] << (8 * (byte % 4));
			if (byte % 4 != 3 && byte + 1 != elements_end)
				continue;
			const uint64_t value = (byte / 4 << 32) + word;
			halves[0] += digest_mix(value + DIGEST_KEY_0);
			halves[1] += digest_mix(value + DIGEST_KEY_1);
			word = 0;
		}
	}
	return 0;
}

static int cpu_compare(void *state, const struct judge_compare_args *args, const double *slack,
		       struct judge_group *groups, int64_t histogram[JUDGE_HISTOGRAM_BINS], uint64_t *invalid,
		       struct error *err)
{
	(void)state;
	(void)err;
	const enum dtype type = (enum dtype)args->dtype;
	const double *reference = host(args->reference), *magnitude = host(args->magnitude);
	const unsigned char *row_class = host(args->row_class);
	const int32_t *row_group = host(args->row_group);
	const int64_t *row_offset = host(args->row_offset);
	const void *value = host(args->value);

	*invalid = 0;
	memset(histogram, 0, JUDGE_HISTOGRAM_BINS * sizeof *histogram);
	for (int64_t group = 0; group < args->groups; group++)
		judge_group_clear(&groups[group]);
	for (int64_t row = 0; row < args->rows; row++) {
		const int64_t group = row_group ? row_group[row] : 0;
		if (group < 0 || group >= args->groups) {
			(*invalid)++;
			continue;
		}
		const int64_t start = row_offset ? row_offset[row] : row * args->columns;
		const double first = judge_widen(type, judge_load_bits(type, value, start));
		for (int64_t column = 0; column < args->columns; column++) {
			const int64_t index = row * args->columns + column;
			const int bin = judge_element(&groups[group], type, judge_load_bits(type, value, start + column),
						      first, reference[index], magnitude ? magnitude[index] : 1.0,
						      slack ? slack[group] : 0.0, row_class ? row_class[row] : 0,
						      args->is_lse, index);
			if (bin >= 0)
				histogram[bin]++;
		}
	}
	return 0;
}

const struct judge_backend judge_cpu_backend = {
	.close = cpu_close,
	.memory = cpu_memory,
	.bytes = cpu_bytes,
	.digest = cpu_digest,
	.compare = cpu_compare,
};
