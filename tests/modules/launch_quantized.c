/* Quantised matrices (GGUF): blocks of random bytes whose scales are moderate numbers. */
#include "launches.h"

#include <stdio.h>
#include <string.h>

static const struct format {
	const char *name, *kernel;        /* "q4_K"; as some kernels spell it: "q4_k" */
	int bytes, elements, halves[2];   /* where the scales stand; -1 */
	int rows_x, rows_y;               /* mul_mat: columns and rows of a tile */
} formats[] = {
	{"q4_0", "q4_0", 18, 32, {0, -1}, 64, 128}, {"q4_1", "q4_1", 20, 32, {0, 2}, 64, 128}, {"q5_0", "q5_0", 22, 32, {0, -1}, 128, 64},
	{"q5_1", "q5_1", 24, 32, {0, 2}, 128, 64}, {"q8_0", "q8_0", 34, 32, {0, -1}, 128, 64}, {"q8_1", "q8_1", 36, 32, {0, 2}, 0, 0},
	{"q2_K", "q2k", 84, 256, {80, 82}, 64, 128}, {"q3_K", "q3k", 110, 256, {108, -1}, 128, 128}, {"q4_K", "q4k", 144, 256, {0, 2}, 64, 128},
	{"q5_K", "q5k", 176, 256, {0, 2}, 64, 128}, {"q6_K", "q6k", 210, 256, {208, -1}, 64, 64}, {"q8_K", "q8k", 292, 256, {-1, -1}, 0, 0},
};

static const struct format *format_at(const char *text)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strncasecmp(text, formats[i].name, 4) || !strncmp(text, formats[i].kernel, strlen(formats[i].kernel)))
			return &formats[i];
	return NULL;
}

/* Zeros follow: kernels read past the last row. */
static void blocks(struct launch *launch, const struct format *format, size_t elements, uint64_t seed)
{
	const size_t count = elements / (size_t)format->elements, padding = (size_t)(1024 / format->elements) * (size_t)format->bytes;
	const int buffer = launch_buffer(launch, NULL, count * (size_t)format->bytes + padding, 0);
	unsigned char *bytes = launch->buffers[buffer].bytes;
	for (size_t i = 0; i < count * (size_t)format->bytes && !launch->failed; i++)
		bytes[i] = (unsigned char)input_mix(i + seed * 0x10001);
	for (size_t b = 0; b < count && !launch->failed; b++) {
		for (int h = 0; h < 2; h++) {
			const uint64_t scale = input_value(HALF_MODERATE, 16, input_mix(b * 2 + (size_t)h + seed) | 1ull << 30, -1) & 0xbfff;
			if (format->halves[h] >= 0)
				memcpy(bytes + b * (size_t)format->bytes + format->halves[h], &scale, 2);
		}
		if (!strcmp(format->name, "q8_K")) {
			const uint64_t scale = input_value(FLOAT_MODERATE, 32, input_mix(b + seed), -1);
			memcpy(bytes + b * (size_t)format->bytes, &scale, 4);
		}
	}
	launch_add_buffer(launch, buffer);
}

int launch_quantized(const char *kernel, int number, struct launch *launch)
{
	const struct element *f32 = element_find("f32"), *f16 = element_find("f16");
	const struct format *q8_1 = format_at("q8_1"), *format;
	char part[64];

	if (sscanf(kernel, "dequantize_block_%63s", part) == 1) {
		const size_t count = 2048;
		const struct element *to = element_of_suffix(kernel);
		format = format_at(part);
		if (!format || !to)
			return -1;
		const int wide = !strcmp(format->name, "q5_0") || !strcmp(format->name, "q5_1");
		blocks(launch, format, count, 111);
		launch_output(launch, to == f16 ? f16 : f32, count);
		if (format->elements == 32)
			launch_add(launch, wide ? count : count / 32);
		launch->grid = (struct device_dim3){(uint32_t)(count / (wide ? 512 : 256)), 1, 1};
		launch->block = (struct device_dim3){wide ? 256u : format->elements == 32 || !strcmp(format->name, "q4_K") || !strcmp(format->name, "q8_K") ? 32u : 64u, 1, 1};
		return number == 0;
	}
	if (sscanf(kernel, "dequantize_mul_mat_vec_%63s", part) == 1) {
		const uint64_t columns = 512, rows = 5;
		format = format_at(part);
		if (!format)
			return -1;
		blocks(launch, format, columns * rows, 112);
		launch_input(launch, f32, columns, 0, 113);
		launch_output(launch, f32, rows);
		launch_add(launch, columns);
		if (strcmp(format->name, "q5_K"))
			launch_add(launch, rows);
		launch->grid = (struct device_dim3){(uint32_t)rows, 1, 1};
		launch->block = (struct device_dim3){32, 1, 1};
		return number == 0;
	}
	if (!strcmp(kernel, "quantize_q8_1")) {
		const uint64_t columns = 700, padded = 1024, rows = 3;
		launch_input(launch, f32, columns * rows, 0, 114);
		launch_output(launch, NULL, rows * padded / 32 * 36);
		launch_add(launch, columns);
		launch_add(launch, padded);
		launch->grid = (struct device_dim3){(uint32_t)(padded / 256), (uint32_t)rows, 1};
		launch->block = (struct device_dim3){256, 1, 1};
		return number == 0;
	}
	if (sscanf(kernel, "mul_mat_vec_%63s", part) == 1) {
		const uint64_t columns = 512, rows = 6, batch = (uint64_t)(kernel[strlen(kernel) - 1] - '0');
		format = format_at(part);
		if (!format || batch < 1 || batch > 8)
			return -1;
		blocks(launch, format, columns * rows, 115);
		blocks(launch, q8_1, columns * batch, 116);
		launch_output(launch, f32, rows * batch);
		for (int i = 0; i < 4; i++)
			launch_add(launch, (const uint64_t[]){columns, rows, columns, rows}[i]);
		launch->grid = (struct device_dim3){(uint32_t)(batch == 1 ? rows : (rows + 1) / 2), 1, 1};
		launch->block = (struct device_dim3){32, batch > 4 ? 2 : 4, 1};
		return number == 0;
	}
	if (sscanf(kernel, "mul_mat_%63s", part) == 1) {
		const uint64_t columns = 512, rows = number ? 70 : 33, batch = number ? 3 : 20;
		format = format_at(part);
		if (!format || !format->rows_x)
			return -1;
		blocks(launch, format, columns * rows, 117);
		blocks(launch, q8_1, columns * batch, 118);
		launch_output(launch, f32, rows * batch);
		for (int i = 0; i < 5; i++)
			launch_add(launch, (const uint64_t[]){columns, rows, batch, columns, rows}[i]);
		launch->grid = (struct device_dim3){(uint32_t)((rows + (uint64_t)format->rows_y - 1) / (uint64_t)format->rows_y),
						    (uint32_t)((batch + (uint64_t)format->rows_x - 1) / (uint64_t)format->rows_x), 1};
		launch->block = (struct device_dim3){32, 4, 1};
		return number < 2;
	}
	if (sscanf(kernel, "indexed_moe_forward_%63s", part) == 1) {
		const uint64_t n = 6, k = 512, batch = 3, topk = 2, experts = 4, input_dim1 = number ? topk : 1;
		format = format_at(part);
		if (!format)
			return -1;
		blocks(launch, format, experts * n * k, 119);
		blocks(launch, q8_1, batch * input_dim1 * k, 120);
		const int ids = launch_buffer(launch, element_find("u32"), batch * topk, 0);
		for (uint64_t i = 0; i < batch * topk && !launch->failed; i++)
			launch->buffers[ids].bytes[4 * i] = (unsigned char)(input_mix(i) % experts);
		launch_add_buffer(launch, ids);
		launch_output(launch, f32, batch * topk * n);
		for (int i = 0; i < 6; i++)
			launch_add(launch, (const uint64_t[]){n, k, batch, topk, k, input_dim1}[i]);
		launch->grid = (struct device_dim3){(uint32_t)n, (uint32_t)batch, (uint32_t)topk};
		launch->block = (struct device_dim3){32, 4, 1};
		return number < 2;
	}
	return -1;
}
