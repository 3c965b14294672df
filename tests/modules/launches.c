#include "launches.h"

#include <stdlib.h>
#include <string.h>

static const struct element elements[] = {
	{"bf16", 2, 1, BHALF_MODERATE, BFLOAT16, 0x1p-7}, {"f16", 2, 1, HALF_MODERATE, FLOAT16, 0x1p-10},
	{"f32", 4, 1, FLOAT_MODERATE, FLOAT32, 0x1p-23}, {"f64", 8, 1, DOUBLE_MODERATE, FLOAT64, 0x1p-52},
	{"u8", 1, 0, BITS, BITS, 0}, {"u32", 4, 0, BITS, BITS, 0}, {"i64", 8, 0, BITS, BITS, 0}, {"i16", 2, 0, BITS, BITS, 0},
	{"i32", 4, 0, BITS, BITS, 0}, {"f8_e4m3", 1, 0, FP8_MODERATE, BITS, 0}, /* bits: its NaN has one pattern a sign */
	{"fp8_e4m3", 1, 0, FP8_MODERATE, BITS, 0},
};

const struct element *element_find(const char *name)
{
	for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++)
		if (!strcmp(elements[i].name, name))
			return &elements[i];
	return NULL;
}

const struct element *element_of_suffix(const char *kernel)
{
	const struct element *best = NULL;
	for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
		const size_t length = strlen(kernel), part = strlen(elements[i].name);
		if (length > part && kernel[length - part - 1] == '_' && !strcmp(kernel + length - part, elements[i].name) &&
		    (!best || part > strlen(best->name)))
			best = &elements[i];
	}
	return best;
}

int launch_buffer(struct launch *launch, const struct element *element, size_t count, int is_output)
{
	const size_t bytes = count * (size_t)(element ? element->bytes : 1);
	if (launch->buffer_count == LAUNCH_BUFFERS) {
		launch->failed = 1;
		return 0;
	}
	struct launch_buffer *buffer = &launch->buffers[launch->buffer_count];
	*buffer = (struct launch_buffer){.bytes = calloc(1, bytes ? bytes : 1), .size = bytes, .element = element, .is_output = is_output};
	launch->failed |= !buffer->bytes;
	return launch->buffer_count++;
}

void launch_fill(struct launch *launch, int index, int edges, uint64_t seed)
{
	struct launch_buffer *buffer = &launch->buffers[index];
	const struct element *element = buffer->element;
	if (launch->failed || !element)
		return;
	for (size_t i = 0; i < buffer->size / (size_t)element->bytes; i++) {
		const uint64_t random = input_mix(input_mix(i) ^ seed * 0x9e3779b97f4a7c15);
		const int edge = edges && (i < 32 || random >> 60 == 0) ? (int)(i < 32 ? i : random >> 40) & 31 : -1;
		const uint64_t value = input_value(edges ? element->edges : element->moderate, element->bytes * 8, random, edge);
		memcpy(buffer->bytes + i * (size_t)element->bytes, &value, (size_t)element->bytes);
	}
}

void launch_add_buffer(struct launch *launch, int buffer)
{
	if (launch->argument_count == LAUNCH_ARGUMENTS) {
		launch->failed = 1;
		return;
	}
	launch->arguments[launch->argument_count++].buffer = buffer;
}

void launch_add(struct launch *launch, uint64_t value)
{
	if (launch->argument_count == LAUNCH_ARGUMENTS) {
		launch->failed = 1;
		return;
	}
	memcpy(launch->arguments[launch->argument_count].value, &value, sizeof(value)); /* little-endian: the low bytes come first */
	launch->arguments[launch->argument_count++].buffer = -1;
}

void launch_input(struct launch *launch, const struct element *element, size_t count, int edges, uint64_t seed)
{
	const int buffer = launch_buffer(launch, element, count, 0);
	launch_fill(launch, buffer, edges, seed);
	launch_add_buffer(launch, buffer);
}

void launch_output(struct launch *launch, const struct element *element, size_t count)
{
	const int buffer = launch_buffer(launch, element, count, 1);
	if (!launch->failed)
		memset(launch->buffers[buffer].bytes, 0xa5, launch->buffers[buffer].size); /* what is not written stays the same on both */
	launch_add_buffer(launch, buffer);
}

void launch_sizes(struct launch *launch, const uint64_t *values, int count)
{
	if (count == 0) {
		launch_add(launch, 0);
		return;
	}
	const int buffer = launch_buffer(launch, NULL, (size_t)count * sizeof(*values), 0);
	if (!launch->failed)
		memcpy(launch->buffers[buffer].bytes, values, (size_t)count * sizeof(*values));
	launch_add_buffer(launch, buffer);
}

void launch_for_elements(struct launch *launch, uint64_t count)
{
	launch->grid = (struct device_dim3){(uint32_t)((count + 1023) / 1024), 1, 1};
	launch->block = (struct device_dim3){1024, 1, 1};
}

void launch_free(struct launch *launch)
{
	for (int i = 0; i < launch->buffer_count; i++)
		free(launch->buffers[i].bytes);
	launch->buffer_count = 0;
}

int launch_make(const char *kernel, int number, struct launch *launch, struct error *err)
{
	int (*const tables[])(const char *, int, struct launch *) = {launch_elementwise, launch_indexing, launch_conv, launch_reduce, launch_quantized};
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		*launch = (struct launch){.why = "the same bits"};
		const int made = tables[i](kernel, number, launch);
		if (launch->failed) {
			launch_free(launch);
			return error_set(err, ERROR_ENVIRONMENT, "%s: no memory for its buffers, or too many of them", kernel);
		}
		if (made == 1)
			return 1;
		launch_free(launch);
		if (made == 0)
			return 0;
	}
	return error_set(err, ERROR_INPUT, "%s: no kernel of this name is known", kernel);
}
