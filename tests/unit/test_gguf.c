/* Quantised blocks: what they stand for, blocks to test with, activations, products. */
#include "check.h"

#include "core/dtype.h"
#include "core/util.h"
#include "reference/gguf.h"

#include <math.h>
#include <stdlib.h>

static void put_half(unsigned char *bytes, uint16_t half)
{
	bytes[0] = (unsigned char)half;
	bytes[1] = (unsigned char)(half >> 8);
}

/* Byte j of each block is 7 j^2 + 37 j + 11, d = 1, m = -1/2. The results are those of the Python package gguf 0.19.0, which has
 * its own dequantisation, in numpy: the sum of (i + 1) * element i, the first and the last element. */
static const struct known {
	enum gguf_format format;
	double sum, first, last;
} knowns[] = {
	{GGUF_Q4_0, 53.0, -7.0, -2.0},		{GGUF_Q4_1, 3950.0, 14.5, 9.5},
	{GGUF_Q5_0, 667.0, 5.0, -14.0},		{GGUF_Q5_1, 8668.0, 18.5, 12.5},
	{GGUF_Q8_0, -6528.0, 113.0, -105.0},	{GGUF_Q2_K, 594476.0, 33.0, 2.5},
	{GGUF_Q3_K, 31064.0, 81.0, 0.0},	{GGUF_Q4_K, 9807584.0, 190.5, 403.5},
	{GGUF_Q5_K, 18957184.0, 430.5, 345.5},	{GGUF_Q6_K, -2579104.0, -1431.0, 2574.0},
};

static void test_known_blocks(void)
{
	for (size_t n = 0; n < ARRAY_COUNT(knowns); n++) {
		const struct gguf_layout *layout = &gguf_layouts[knowns[n].format];
		unsigned char bytes[GGUF_BYTES_MAX];
		struct gguf_block block;
		double sum = 0;
		for (int j = 0; j < layout->bytes; j++)
			bytes[j] = (unsigned char)(7 * j * j + 37 * j + 11);
		put_half(bytes + layout->d, 0x3c00);
		if (layout->m >= 0)
			put_half(bytes + layout->m, 0xb800);
		gguf_decode(knowns[n].format, bytes, &block);
		for (int i = 0; i < layout->elements; i++)
			sum += (i + 1) * gguf_value(&block, i);
		CHECK_NEAR(sum, knowns[n].sum, 0);
		CHECK_NEAR(gguf_value(&block, 0), knowns[n].first, 0);
		CHECK_NEAR(gguf_value(&block, layout->elements - 1), knowns[n].last, 0);
	}
}

/* q8_0, q8_1 and q8_K are their quants. */
static void test_byte_formats(void)
{
	static const enum gguf_format formats[] = {GGUF_Q8_0, GGUF_Q8_1, GGUF_Q8_K};
	for (size_t n = 0; n < ARRAY_COUNT(formats); n++) {
		const int elements = gguf_layouts[formats[n]].elements, first = formats[n] == GGUF_Q8_0 ? 2 : 4;
		const float scale = 0.25f;
		unsigned char bytes[GGUF_BYTES_MAX] = {0};
		struct gguf_block block;
		if (formats[n] == GGUF_Q8_K)
			memcpy(bytes, &scale, 4);
		else
			put_half(bytes, f16_from_f64((double)scale));
		for (int i = 0; i < elements; i++)
			bytes[first + i] = (unsigned char)(i * 5 - 128);
		gguf_decode(formats[n], bytes, &block);
		for (int i = 0; i < elements; i++)
			CHECK_NEAR(gguf_value(&block, i), 0.25 * (signed char)(unsigned char)(i * 5 - 128), 0);
	}
}

static void test_layouts(void)
{
	for (int format = 0; format < GGUF_FORMAT_COUNT; format++) {
		CHECK_INT(gguf_format_from_name(gguf_layouts[format].name), format);
		CHECK(gguf_layouts[format].bytes <= GGUF_BYTES_MAX && gguf_layouts[format].elements <= GGUF_ELEMENTS_MAX);
	}
	CHECK_INT(gguf_format_from_name("q4_k"), GGUF_FORMAT_COUNT);
	CHECK_INT(gguf_format_from_name(""), GGUF_FORMAT_COUNT);
}

/* Kinds: finite but for one, repeatable, each bit of a block once, exact ones exact. */
static void test_fill(void)
{
	enum { COUNT = 40 };
	static unsigned char bytes[COUNT * GGUF_BYTES_MAX], again[COUNT * GGUF_BYTES_MAX];
	struct gguf_block block;
	for (int format = 0; format < GGUF_FORMAT_COUNT; format++) {
		const struct gguf_layout *layout = &gguf_layouts[format];
		for (int kind = 0; gguf_kinds[kind]; kind++) {
			int finite = 1, elements = 0, negative = 0;
			CHECK_INT(gguf_fill((enum gguf_format)format, gguf_kinds[kind], COUNT, 3, 1, bytes), 0);
			CHECK_INT(gguf_fill((enum gguf_format)format, gguf_kinds[kind], COUNT, 3, 1, again), 0);
			CHECK(memcmp(bytes, again, (size_t)(COUNT * layout->bytes)) == 0);
			for (int b = 0; b < COUNT; b++) {
				gguf_decode((enum gguf_format)format, bytes + b * layout->bytes, &block);
				for (int i = 0; i < layout->elements; i++, elements++) {
					finite &= isfinite(gguf_value(&block, i)) != 0;
					negative += gguf_value(&block, i) < 0;
				}
				if (strcmp(gguf_kinds[kind], "tiny") == 0 && format != GGUF_Q8_K)
					CHECK(fabs(block.d) < 0x1p-14);
				if (strcmp(gguf_kinds[kind], "positive") == 0)
					CHECK(block.d > 0);
			}
			CHECK_INT(finite, strcmp(gguf_kinds[kind], "nonfinite") != 0);
			if (strcmp(gguf_kinds[kind], "random") == 0)
				CHECK(negative > elements / 5 && negative < elements * 4 / 5);
		}
		CHECK_INT(gguf_fill((enum gguf_format)format, "no such kind", 1, 3, 1, bytes), -1);
	}
	/* block 2b of kind "bit" has bit b set, but for the scales' */
	CHECK_INT(gguf_fill(GGUF_Q5_0, "bit", COUNT, 3, 1, bytes), 0);
	for (int b = 0; b < COUNT / 2; b++) {
		gguf_decode(GGUF_Q5_0, bytes + 2 * b * 22, &block);
		for (int i = 0; i < 32; i++)
			CHECK_NEAR(gguf_value(&block, i), i == b ? 0 : -16, 0); /* the fifth bits come first */
	}
}

static void test_activations(void)
{
	float values[2 * 40];
	unsigned char bytes[2 * 2 * 36];
	struct gguf_block block;
	for (int i = 0; i < 80; i++)
		values[i] = (float)(i % 40 < 32 ? (i % 2 ? 1 : -1) * (i % 40) * 0.125 : 0.5);
	gguf_quantize_q8_1(values, 2, 40, 64, bytes);
	for (int row = 0; row < 2; row++) {
		gguf_decode(GGUF_Q8_1, bytes + row * 72, &block);
		CHECK_NEAR(block.d, f16_to_f64(f16_from_f64((double)(3.875f / 127.0f))), 0);
		CHECK_NEAR(block.m, 2.0, 0); /* sixteen pairs that differ by 1/8 */
		for (int i = 0; i < 32; i++)
			CHECK_NEAR(gguf_value(&block, i), (double)values[i], 0.52 * block.d);
		CHECK_INT(block.weight[31], 127);
		gguf_decode(GGUF_Q8_1, bytes + row * 72 + 36, &block);
		CHECK_NEAR(block.m, 4.0, 0);
		for (int i = 0; i < 32; i++)
			CHECK_INT(block.weight[i], i < 8 ? 127 : 0);
	}
	/* a half quant goes away from zero; a block of zeros is one */
	for (int i = 0; i < 32; i++)
		values[i] = i == 0 ? 127.0f : i == 1 ? 2.5f : i == 2 ? -2.5f : 0.0f;
	memset(values + 32, 0, 8 * sizeof values[0]);
	gguf_quantize_q8_1(values, 1, 40, 64, bytes);
	gguf_decode(GGUF_Q8_1, bytes, &block);
	CHECK_INT(block.weight[1], 3);
	CHECK_INT(block.weight[2], -3);
	for (int i = 0; i < 36; i++)
		CHECK_INT(bytes[36 + i], 0);
	struct gguf_q8_1_exact exact;
	gguf_quantize_exact(values, &exact);
	CHECK_NEAR(exact.d, 1, 0);
	CHECK_NEAR(exact.ratio[1], 2.5, 0);
	CHECK_NEAR((double)exact.sum, 127, 0);
	CHECK_NEAR(exact.magnitude, 132, 0);
}

/* Both answers against sums of decoded elements, and the bound's magnitude above what it bounds. */
static void test_products(void)
{
	enum { K = 512 };
	static unsigned char weights[(K / 32) * GGUF_BYTES_MAX], q8_1[(K / 32) * 36];
	static struct gguf_block blocks[K / 32];
	float values[K];
	for (int i = 0; i < K; i++)
		values[i] = (float)sin(i * 0.7) * (float)(1 + i % 5);
	gguf_quantize_q8_1(values, 1, K, K, q8_1);
	for (int format = 0; format < GGUF_FORMAT_COUNT; format++) {
		const struct gguf_layout *layout = &gguf_layouts[format];
		if (format == GGUF_Q8_1 || format == GGUF_Q8_K)
			continue;
		const int count = K / layout->elements;
		double by_quants = 0, by_sum = 0, of_floats = 0, absolute = 0;
		struct gguf_product product;
		CHECK_INT(gguf_fill((enum gguf_format)format, "random", count, 5, 1, weights), 0);
		for (int b = 0; b < count; b++)
			gguf_decode((enum gguf_format)format, weights + b * layout->bytes, &blocks[b]);
		for (int i = 0; i < K; i++) {
			struct gguf_block activation;
			const struct gguf_block *block = &blocks[i / layout->elements];
			const int at = i % layout->elements;
			gguf_decode(GGUF_Q8_1, q8_1 + i / 32 * 36, &activation);
			const double y = gguf_value(&(struct gguf_block){.d = activation.d, .weight = {activation.weight[i % 32]}}, 0);
			by_quants += gguf_value(block, at) * y;
			by_sum += block->d * block->weight[at] * y + (i % 32 ? 0 : block->m * block->offset[at] * activation.m);
			of_floats += gguf_value(block, at) * (double)values[i];
			absolute += fabs(gguf_value(block, at) * (double)values[i]);
		}
		gguf_product((enum gguf_format)format, blocks, q8_1, K, &product);
		CHECK_NEAR((double)product.by_quants, by_quants, 1e-10);
		CHECK_NEAR((double)product.by_sum, format == GGUF_Q2_K ? by_quants : by_sum, 1e-10);
		CHECK(product.magnitude >= fabs(by_quants) && product.magnitude < 100 * absolute);
		CHECK_NEAR((double)product.by_quants, of_floats, 0.02 * absolute); /* of 127 steps */
		gguf_product_f32((enum gguf_format)format, blocks, values, K, &product);
		CHECK_NEAR((double)product.by_quants, of_floats, 1e-10);
		CHECK(product.magnitude >= absolute * (1 - 1e-12));
	}
}

int main(void)
{
	test_known_blocks();
	test_byte_formats();
	test_layouts();
	test_fill();
	test_activations();
	test_products();
	return check_result();
}
