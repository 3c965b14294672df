#include "output_copy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int output_copy_take(struct output_copy *copy, const struct tensor *tensor, const void *first, struct error *err)
{
	const size_t size = dtype_size(tensor->dtype);
	const int64_t elements = tensor_elements(tensor);
	size_t bytes;
	*copy = (struct output_copy){.dtype = tensor->dtype};
	if (elements < 0 || size_mul((size_t)elements, size, &bytes))
		return error_set(err, ERROR_INTERNAL, "%s: %lld elements", tensor->name, (long long)elements);
	unsigned char *packed = malloc(bytes ? bytes : 1);
	if (!packed)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for a copy of %s", tensor->name);
	/* rows that lie together are copied as one */
	const int rank = tensor->rank;
	const int has_rows = rank > 0 && tensor->strides[rank - 1] == 1;
	const int64_t run = tensor_is_contiguous(tensor) ? elements : has_rows ? tensor->dims[rank - 1] : 1;
	for (int64_t at = 0; at < elements; at += run)
		memcpy(packed + (size_t)at * size, (const unsigned char *)first + (size_t)tensor_offset(tensor, at) * size, (size_t)run * size);
	copy->bytes = packed;
	copy->size = bytes;
	return 0;
}

int case_record_has_room(const struct case_record *record, const struct tensor *tensor)
{
	const int64_t elements = tensor_elements(tensor);
	size_t bytes;
	if (elements < 0 || size_mul((size_t)elements, dtype_size(tensor->dtype), &bytes))
		return 0;
	if (record->outputs[0].size && !record->outputs[0].bytes)
		return 0;
	const uint64_t held = case_record_output_bytes(record);
	return bytes <= OUTPUT_CASE_BYTES_MAX && held <= OUTPUT_CASE_BYTES_MAX - bytes;
}

int case_record_keep_output(struct case_record *record, int index, const struct tensor *tensor, const void *first,
			    struct error *err)
{
	if (case_record_has_room(record, tensor))
		return output_copy_take(&record->outputs[index], tensor, first, err);
	case_record_drop_outputs(record);
	record->outputs[0].size = 1;
	return 0;
}

uint64_t case_record_output_bytes(const struct case_record *record)
{
	uint64_t bytes = 0;
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++)
		bytes += record->outputs[i].bytes ? record->outputs[i].size : 0;
	return bytes;
}

void case_record_drop_outputs(struct case_record *record)
{
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++) {
		free(record->outputs[i].bytes);
		record->outputs[i] = (struct output_copy){0};
	}
}

static int same_bits(const struct case_record *a, const struct case_record *b)
{
	if (a->output_count != b->output_count)
		return 0;
	for (int i = 0; i < a->output_count && i < RECORD_OUTPUTS_MAX; i++)
		if (strcmp(a->output_names[i], b->output_names[i]) != 0 || memcmp(&a->digests[i], &b->digests[i], sizeof a->digests[i]) != 0)
			return 0;
	return 1;
}

void case_records_drop_same(struct case_record *const *records, size_t count, int is_all)
{
	int differs = 0;
	for (size_t i = 1; i < count; i++) {
		if (!records[i])
			continue;
		if (!records[0] || same_bits(records[0], records[i]))
			case_record_drop_outputs(records[i]);
		else
			differs = 1;
	}
	if (count && records[0] && is_all && !differs)
		case_record_drop_outputs(records[0]);
}

struct owned_case {
	struct case_record *record;
	size_t run;
};

static int by_what(const struct case_record *a, const struct case_record *b)
{
	int order = strcmp(a->family, b->family);
	if (order == 0)
		order = strcmp(a->entry_point, b->entry_point);
	return order ? order : strcmp(a->name, b->name);
}

static int by_case_and_run(const void *a, const void *b)
{
	const struct owned_case *left = a, *right = b;
	const int order = by_what(left->record, right->record);
	return order ? order : (left->run > right->run) - (left->run < right->run);
}

/* Cases that are called the same. Of several artifacts with the same case nobody knows yet which is held against which: they have
 * to be the same on the base's side. */
static void drop_in_group(const struct owned_case *group, size_t count, int is_all)
{
	struct case_record *const base = group[0].run == 0 ? group[0].record : NULL;
	int differs = 0;
	for (size_t i = 1; i < count && group[i].run == 0; i++)
		if (!same_bits(base, group[i].record))
			return;
	for (size_t i = 0; i < count; i++) {
		if (group[i].run == 0)
			continue;
		if (!base || same_bits(base, group[i].record))
			case_record_drop_outputs(group[i].record);
		else
			differs = 1;
	}
	for (size_t i = 0; i < count && group[i].run == 0 && is_all && !differs; i++)
		case_record_drop_outputs(group[i].record);
}

void runs_drop_same_outputs(struct run_record *runs, size_t count, int is_all)
{
	size_t total = 0, used = 0;
	for (size_t i = 0; i < count; i++)
		total += runs[i].case_count;
	struct owned_case *cases = calloc(total + 1, sizeof *cases);
	if (!cases)
		return;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < runs[i].case_count; k++)
			cases[used++] = (struct owned_case){&runs[i].cases[k], i};
	qsort(cases, used, sizeof *cases, by_case_and_run);
	for (size_t first = 0, length; first < used; first += length) {
		for (length = 1; first + length < used && by_what(cases[first].record, cases[first + length].record) == 0;)
			length++;
		drop_in_group(&cases[first], length, is_all);
	}
	free(cases);
}

const char *ulp_bin_name(enum ulp_bin bin)
{
	static const char *const names[ULP_BINS] = {
		[ULP_NONE] = "0",     [ULP_ONE] = "1",	    [ULP_FEW] = "2-4",	    [ULP_SOME] = "5-16",
		[ULP_MANY] = "17-256", [ULP_FAR] = "257-65536", [ULP_BEYOND] = ">65536", [ULP_NAN] = "NaN"};
	return (unsigned)bin < ULP_BINS ? names[bin] : "?";
}

static enum ulp_bin bin_of(uint64_t distance)
{
	return distance == 0 ? ULP_NONE : distance == 1 ? ULP_ONE : distance <= 4 ? ULP_FEW : distance <= 16 ? ULP_SOME :
	       distance <= 256 ? ULP_MANY : distance <= 65536 ? ULP_FAR : ULP_BEYOND;
}

static uint64_t bits_of(const unsigned char *at, size_t size)
{
	uint64_t bits = 0;
	memcpy(&bits, at, size); /* little-endian, as everywhere here */
	return bits;
}

static uint64_t integer_distance(enum dtype type, uint64_t a, uint64_t b)
{
	const int is_signed = type == DTYPE_I16 || type == DTYPE_I32 || type == DTYPE_I64;
	if (is_signed) { /* so that the order of the bits is that of the numbers */
		const uint64_t sign = 1ull << (8 * dtype_size(type) - 1);
		a ^= sign;
		b ^= sign;
	}
	return a > b ? a - b : b - a;
}

struct output_difference output_compare(const struct output_copy *base, const struct output_copy *next)
{
	struct output_difference out = {0};
	const size_t size = dtype_size(base->dtype);
	if (!base->bytes || !next->bytes || base->dtype != next->dtype || base->size != next->size || !size || base->size % size)
		return out;
	const unsigned char *old = base->bytes, *new = next->bytes;
	int is_placed = 0;
	out.is_known = 1;
	out.elements = base->size / size;
	for (uint64_t i = 0; i < out.elements; i++) {
		const uint64_t a = bits_of(old + i * size, size), b = bits_of(new + i * size, size);
		if (a == b) {
			out.bins[ULP_NONE]++;
			continue;
		}
		out.differing++;
		uint64_t distance = 0;
		enum ulp_bin bin = ULP_NONE;
		if (!dtype_is_float(base->dtype)) {
			distance = integer_distance(base->dtype, a, b);
			bin = bin_of(distance);
		} else {
			const int a_is_nan = isnan(dtype_load(base->dtype, old, i)), b_is_nan = isnan(dtype_load(base->dtype, new, i));
			distance = a_is_nan || b_is_nan ? 0 : dtype_ulp_distance(base->dtype, a, b);
			bin = a_is_nan != b_is_nan ? ULP_NAN : bin_of(distance);
		}
		out.bins[bin]++;
		if (!is_placed || distance > out.largest) {
			is_placed = 1;
			out.largest = distance;
			out.at = i;
			out.base = dtype_load(base->dtype, old, i);
			out.next = dtype_load(base->dtype, new, i);
		}
	}
	return out;
}
