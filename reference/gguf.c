#include "reference/gguf.h"

#include "core/dtype.h"

#include <math.h>
#include <string.h>

const struct gguf_layout gguf_layouts[GGUF_FORMAT_COUNT] = {
	[GGUF_Q4_0] = {"q4_0", 18, 32, 0, -1, 16},	[GGUF_Q4_1] = {"q4_1", 20, 32, 0, 2, 16},
	[GGUF_Q5_0] = {"q5_0", 22, 32, 0, -1, 32},	[GGUF_Q5_1] = {"q5_1", 24, 32, 0, 2, 32},
	[GGUF_Q8_0] = {"q8_0", 34, 32, 0, -1, 256},	[GGUF_Q8_1] = {"q8_1", 36, 32, 0, 2, 256},
	[GGUF_Q2_K] = {"q2_K", 84, 256, 80, 82, 4},	[GGUF_Q3_K] = {"q3_K", 110, 256, 108, -1, 8},
	[GGUF_Q4_K] = {"q4_K", 144, 256, 0, 2, 16},	[GGUF_Q5_K] = {"q5_K", 176, 256, 0, 2, 32},
	[GGUF_Q6_K] = {"q6_K", 210, 256, 208, -1, 64},	[GGUF_Q8_K] = {"q8_K", 292, 256, 0, -1, 256},
};

enum gguf_format gguf_format_from_name(const char *name)
{
	int format = 0;
	while (format < GGUF_FORMAT_COUNT && strcmp(gguf_layouts[format].name, name) != 0)
		format++;
	return (enum gguf_format)format;
}

/* As f16_to_f64, inline: products spend their time here. */
static double half_at(const unsigned char *bytes)
{
	const uint64_t half = (uint64_t)(bytes[0] | bytes[1] << 8), exponent = half >> 10 & 31, mantissa = half & 1023;
	if (exponent == 0 || exponent == 31)
		return f16_to_f64((uint16_t)half);
	const uint64_t bits = (half >> 15) << 63 | (exponent + (1023 - 15)) << 52 | mantissa << 42;
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

/* Formats of 32 elements with `bias`, or m, and quants of 4 bits, or 5 whose top bits stand apart. */
static void decode_nibbles(const unsigned char *nibbles, const unsigned char *fifth, int bias, struct gguf_block *block)
{
	uint32_t top = 0;
	for (int i = 0; fifth && i < 4; i++)
		top |= (uint32_t)fifth[i] << 8 * i;
	for (int i = 0; i < 32; i++) {
		block->weight[i] = (int16_t)(nibbles[i % 16] >> (i < 16 ? 0 : 4) & 15);
		block->weight[i] |= (int16_t)((top >> i & 1) << 4);
		block->offset[i] = (int16_t)bias;
		block->scale[i] = 1;
	}
}

static void decode_q2_k(const unsigned char *bytes, struct gguf_block *block)
{
	const unsigned char *scales = bytes, *quants = bytes + 16;
	for (int i = 0; i < 256; i++) {
		const int quant = quants[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
		block->scale[i] = (int16_t)(scales[i / 16] & 15);
		block->weight[i] = (int16_t)(block->scale[i] * quant);
		block->offset[i] = (int16_t)-(scales[i / 16] >> 4);
	}
}

/* Sixteen numbers of 6 bits in 12 bytes: low nibbles of bytes 0 .. 7 are numbers 0 .. 7, high ones 8 .. 15; the upper two
 * bits of numbers n, n + 4, n + 8 and n + 12 stand in byte 8 + n, lowest first. */
static int scale_of_q3_k(const unsigned char *scales, int n)
{
	return (scales[n % 8] >> (n < 8 ? 0 : 4) & 15) | (scales[8 + n % 4] >> n / 4 * 2 & 3) << 4;
}

static void decode_q3_k(const unsigned char *bytes, struct gguf_block *block)
{
	const unsigned char *third = bytes, *quants = bytes + 32, *scales = bytes + 96;
	for (int i = 0; i < 256; i++) {
		const int low = quants[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
		const int quant = low - (third[i % 32] >> i / 32 & 1 ? 0 : 4);
		block->scale[i] = (int16_t)(scale_of_q3_k(scales, i / 16) - 32);
		block->weight[i] = (int16_t)(block->scale[i] * quant);
		block->offset[i] = 0;
	}
}

/* Eight scales and eight mins of 6 bits in 12 bytes: scales 0 .. 3 are the low bits of bytes 0 .. 3, mins 0 .. 3 those of
 * bytes 4 .. 7; scales (mins) 4 .. 7 are the low (high) nibbles of bytes 8 .. 11 with the upper two bits of bytes 0 .. 3
 * (4 .. 7) above them. */
static void scale_and_min(const unsigned char *scales, int n, int *scale, int *min)
{
	*scale = n < 4 ? scales[n] & 63 : (scales[n + 4] & 15) | scales[n - 4] >> 6 << 4;
	*min = n < 4 ? scales[n + 4] & 63 : scales[n + 4] >> 4 | scales[n] >> 6 << 4;
}

static void decode_q45_k(const unsigned char *scales, const unsigned char *fifth, const unsigned char *nibbles,
			 struct gguf_block *block)
{
	for (int i = 0; i < 256; i++) {
		int scale, min, quant = nibbles[i / 64 * 32 + i % 32] >> (i % 64 < 32 ? 0 : 4) & 15;
		scale_and_min(scales, i / 32, &scale, &min);
		if (fifth)
			quant |= (fifth[i % 32] >> i / 32 & 1) << 4;
		block->scale[i] = (int16_t)scale;
		block->weight[i] = (int16_t)(scale * quant);
		block->offset[i] = (int16_t)-min;
	}
}

static void decode_q6_k(const unsigned char *bytes, struct gguf_block *block)
{
	const unsigned char *low = bytes, *high = bytes + 128, *scales = bytes + 192;
	for (int i = 0; i < 256; i++) {
		const int part = i % 128 / 32;
		const int nibble = low[i / 128 * 64 + part % 2 * 32 + i % 32] >> (part < 2 ? 0 : 4) & 15;
		const int quant = (nibble | (high[i / 128 * 32 + i % 32] >> 2 * part & 3) << 4) - 32;
		block->scale[i] = (int8_t)scales[i / 16];
		block->weight[i] = (int16_t)(block->scale[i] * quant);
		block->offset[i] = 0;
	}
}

static void decode_bytes(const unsigned char *quants, int count, struct gguf_block *block)
{
	for (int i = 0; i < count; i++) {
		block->weight[i] = (int8_t)quants[i];
		block->offset[i] = 0;
		block->scale[i] = 1;
	}
}

void gguf_decode(enum gguf_format format, const void *data, struct gguf_block *block)
{
	const unsigned char *bytes = data;
	const struct gguf_layout *layout = &gguf_layouts[format];
	float single;
	if (format == GGUF_Q8_K) {
		memcpy(&single, bytes, 4);
		block->d = (double)single;
	} else {
		block->d = half_at(bytes + layout->d);
	}
	block->m = layout->m >= 0 ? half_at(bytes + layout->m) : block->d;
	switch (format) {
	case GGUF_Q4_0: decode_nibbles(bytes + 2, NULL, -8, block); break;
	case GGUF_Q4_1: decode_nibbles(bytes + 4, NULL, 1, block); break;
	case GGUF_Q5_0: decode_nibbles(bytes + 6, bytes + 2, -16, block); break;
	case GGUF_Q5_1: decode_nibbles(bytes + 8, bytes + 4, 1, block); break;
	case GGUF_Q8_0: decode_bytes(bytes + 2, 32, block); break;
	case GGUF_Q8_1: decode_bytes(bytes + 4, 32, block); break;
	case GGUF_Q2_K: decode_q2_k(bytes, block); break;
	case GGUF_Q3_K: decode_q3_k(bytes, block); break;
	case GGUF_Q4_K: decode_q45_k(bytes + 4, NULL, bytes + 16, block); break;
	case GGUF_Q5_K: decode_q45_k(bytes + 4, bytes + 16, bytes + 48, block); break;
	case GGUF_Q6_K: decode_q6_k(bytes, block); break;
	case GGUF_Q8_K: decode_bytes(bytes + 4, 256, block); break;
	default: break;
	}
}

/* ---- activations -------------------------------------------------------------------------------------------------- */

void gguf_quantize_exact(const float values[32], struct gguf_q8_1_exact *exact)
{
	*exact = (struct gguf_q8_1_exact){0};
	for (int i = 0; i < 32; i++) {
		exact->amax = fmax(exact->amax, fabs((double)values[i]));
		exact->sum += (long double)values[i];
		exact->magnitude += fabs((double)values[i]);
	}
	exact->d = exact->amax / 127;
	for (int i = 0; i < 32; i++)
		exact->ratio[i] = exact->amax > 0 ? (double)values[i] * 127 / exact->amax : 0;
}

static void put_half(unsigned char *bytes, double value)
{
	const uint16_t bits = f16_from_f64(value);
	bytes[0] = (unsigned char)bits;
	bytes[1] = (unsigned char)(bits >> 8);
}

void gguf_quantize_q8_1(const float *values, int64_t rows, int64_t count, int64_t padded, void *data)
{
	unsigned char *bytes = data;
	for (int64_t row = 0; row < rows; row++) {
		for (int64_t first = 0; first < padded; first += 32, bytes += 36) {
			float part[32], largest = 0, sum_f32;
			double sum = 0;
			for (int64_t i = 0; i < 32; i++) {
				part[i] = first + i < count ? values[row * count + first + i] : 0.0f;
				largest = fmaxf(largest, fabsf(part[i]));
				sum += (double)part[i];
			}
			const float d = largest / 127.0f;
			for (int i = 0; i < 32; i++)
				bytes[4 + i] = (unsigned char)(signed char)(d > 0 ? roundf(part[i] / d) : 0.0f);
			sum_f32 = (float)sum;
			put_half(bytes, (double)d);
			put_half(bytes + 2, (double)sum_f32);
		}
	}
}

/* ---- products ------------------------------------------------------------------------------------------------------ */

void gguf_product(enum gguf_format format, const struct gguf_block *blocks, const void *activations, int64_t count,
		  struct gguf_product *product)
{
	const unsigned char *bytes = activations;
	const int elements = gguf_layouts[format].elements, of_sum = format != GGUF_Q2_K;
	*product = (struct gguf_product){0};
	for (int64_t first = 0; first < count; first += 32, bytes += 36) {
		const struct gguf_block *block = blocks + first / elements;
		const int16_t *weight = block->weight + first % elements, *offset = block->offset + first % elements;
		const signed char *quants = (const signed char *)bytes + 4;
		const double d8 = half_at(bytes), s8 = half_at(bytes + 2);
		int32_t products[32], dot = 0, offsets = 0, weight_sizes = 0, offset_sizes = 0;
		for (int i = 0; i < 32; i++)
			products[i] = weight[i] * quants[i]; /* below 2^19 */
		for (int i = 0; i < 32; i += 4) { /* an offset is that of 16 elements or more */
			const int32_t w = products[i] + products[i + 1] + products[i + 2] + products[i + 3];
			const int32_t o = offset[i] * (quants[i] + quants[i + 1] + quants[i + 2] + quants[i + 3]);
			dot += w;
			offsets += o;
			weight_sizes += w < 0 ? -w : w;
			offset_sizes += o < 0 ? -o : o;
		}
		const double scale = block->d * d8; /* 22 bits: times dot, below 2^24, still exact */
		const long double scaled = (long double)(scale * dot);
		product->magnitude += fabs(scale) * weight_sizes;
		product->by_quants += scaled;
		product->by_sum += scaled;
		if (!offset_sizes && !offset[0])
			continue;
		product->by_quants += (long double)(block->m * d8) * offsets;
		product->by_sum += of_sum ? (long double)(block->m * s8) * offset[0] : (long double)(block->m * d8) * offsets;
		product->magnitude += fabs(block->m) * fmax(fabs(d8) * offset_sizes, of_sum ? fabs(s8 * offset[0]) : 0);
	}
}

void gguf_product_f32(enum gguf_format format, const struct gguf_block *blocks, const float *activations, int64_t count,
		      struct gguf_product *product)
{
	const int elements = gguf_layouts[format].elements;
	*product = (struct gguf_product){0};
	for (int64_t first = 0; first < count; first += elements, blocks++) {
		for (int i = 0; i < elements; i++) {
			const double y = (double)activations[first + i], w = blocks->d * blocks->weight[i];
			const double o = blocks->offset[i] ? blocks->m * blocks->offset[i] : 0;
			product->by_quants += (long double)(w + o) * (long double)y;
			product->magnitude += (fabs(w) + fabs(o)) * fabs(y);
		}
	}
	product->by_sum = product->by_quants;
}
