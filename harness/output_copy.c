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
