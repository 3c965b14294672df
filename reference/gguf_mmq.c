#include "reference/gguf_mmq.h"

#include "core/dtype.h"

#include <math.h>
#include <string.h>

const char *const gguf_mmq_layouts[] = {"D4", "DS4", "D2S6", NULL};

enum gguf_mmq_layout gguf_mmq_layout_of(enum gguf_format format)
{
	switch (format) {
	case GGUF_Q4_0:
	case GGUF_Q4_1:
	case GGUF_Q5_1:
	case GGUF_Q4_K:
	case GGUF_Q5_K:
		return GGUF_MMQ_DS4;
	case GGUF_Q2_K:
		return GGUF_MMQ_D2S6;
	default:
		return GGUF_MMQ_D4;
	}
}

static double half_at(const unsigned char *bytes)
{
	return f16_to_f64((uint16_t)(bytes[0] | bytes[1] << 8));
}

static void put_half(unsigned char *bytes, double value)
{
	const uint16_t bits = f16_from_f64(value);
	bytes[0] = (unsigned char)bits;
	bytes[1] = (unsigned char)(bits >> 8);
}

double gguf_mmq_scale(enum gguf_mmq_layout layout, const void *block, int group)
{
	const unsigned char *bytes = block;
	float single;
	if (layout != GGUF_MMQ_D4)
		return half_at(bytes + (layout == GGUF_MMQ_DS4 ? 4 : 2) * group);
	memcpy(&single, bytes + 4 * group, sizeof single);
	return (double)single;
}

double gguf_mmq_sum(enum gguf_mmq_layout layout, const void *block, int group)
{
	const unsigned char *bytes = block;
	return half_at(layout == GGUF_MMQ_DS4 ? bytes + 4 * group + 2 : bytes + 4 + 2 * group);
}

static void quantize_block(enum gguf_mmq_layout layout, const float *values, unsigned char *bytes)
{
	const int of_scale = gguf_mmq_scale_elements(layout), of_sum = gguf_mmq_sum_elements(layout);
	for (int first = 0; first < GGUF_MMQ_ELEMENTS; first += of_scale) {
		double largest = 0;
		for (int i = first; i < first + of_scale; i++)
			largest = fmax(largest, fabs((double)values[i]));
		const float d = (float)(largest / 127);
		for (int i = first; i < first + of_scale; i++)
			bytes[GGUF_MMQ_QUANTS + i] = (unsigned char)(signed char)(d > 0 ? round((double)values[i] * 127 / largest) : 0);
		if (layout == GGUF_MMQ_D4)
			memcpy(bytes + first / of_scale * 4, &d, sizeof d);
		else
			put_half(bytes + first / of_scale * (layout == GGUF_MMQ_DS4 ? 4 : 2), (double)d);
	}
	for (int first = 0; of_sum && first < (layout == GGUF_MMQ_D2S6 ? 96 : 128); first += of_sum) {
		double sum = 0;
		for (int i = first; i < first + of_sum; i++)
			sum += (double)values[i];
		put_half(layout == GGUF_MMQ_DS4 ? bytes + first / of_sum * 4 + 2 : bytes + 4 + first / of_sum * 2, (double)(float)sum);
	}
}

void gguf_mmq_quantize(enum gguf_mmq_layout layout, const float *values, int64_t rows, int64_t count, int64_t padded, void *data)
{
	unsigned char *bytes = data;
	for (int64_t block = 0; block < padded / GGUF_MMQ_ELEMENTS; block++) {
		for (int64_t row = 0; row < rows; row++, bytes += GGUF_MMQ_BYTES) {
			float part[GGUF_MMQ_ELEMENTS];
			for (int64_t i = 0, at = block * GGUF_MMQ_ELEMENTS; i < GGUF_MMQ_ELEMENTS; i++, at++)
				part[i] = at < count ? values[row * count + at] : 0.0f;
			quantize_block(layout, part, bytes);
		}
	}
}

static double to_half(double value)
{
	return f16_to_f64(f16_from_f64(value));
}

/* Sixteen elements share a sub-block and a scale of the activations. */
enum { RUN = 16 };

struct run {
	int32_t dot, quants;   /* sums of quant * q8 (|.| < 2^20) and of q8 */
	int scale, min;        /* of the sub-block */
	double d8, sum;        /* sum: NAN where none is stored */
};

static void add_run(const struct gguf_block *block, const struct run *run, int rounds, struct gguf_mmq_product *product)
{
	double magnitude = 0;
	for (int way = 0; way < 2; way++) {
		double scale = block->d * run->scale, min = run->min ? block->m * run->min : 0;
		if (way && rounds) {
			scale = to_half(scale);
			min = to_half(min);
		}
		/* 11 bits (17 unrounded) times 24 at most of d8, times 20 of the sum: a long double holds what a double does not */
		const long double weights = (long double)(scale * run->d8) * run->dot;
		const long double quants = run->min ? (long double)(min * run->d8) * run->quants : 0;
		const long double sums = !run->min ? 0 : isnan(run->sum) ? quants : (long double)min * (long double)run->sum;
		product->by_sum[way] += weights + sums;
		product->by_quants[way] += weights + quants;
		magnitude = fmax(magnitude, fabs((double)weights) + fmax(fabs((double)sums), fabs((double)quants)));
		if (isnan(weights + sums + quants))
			magnitude = (double)NAN;
	}
	product->magnitude += magnitude;
}

void gguf_mmq_product(enum gguf_format format, const struct gguf_block *blocks, const void *activations, int64_t rows, int64_t row,
		      int64_t count, struct gguf_mmq_product *product)
{
	const enum gguf_mmq_layout layout = gguf_mmq_layout_of(format);
	const int elements = gguf_layouts[format].elements, of_scale = gguf_mmq_scale_elements(layout);
	const int of_sum = gguf_mmq_sum_elements(layout);
	const int rounds = format == GGUF_Q2_K || format == GGUF_Q4_K || format == GGUF_Q5_K;
	*product = (struct gguf_mmq_product){0};
	for (int64_t first = 0; first < count; first += RUN) {
		const struct gguf_block *block = blocks + first / elements;
		const int16_t *weight = block->weight + first % elements;
		const int within = (int)(first % GGUF_MMQ_ELEMENTS);
		const unsigned char *bytes = (const unsigned char *)activations +
					     (first / GGUF_MMQ_ELEMENTS * rows + row) * GGUF_MMQ_BYTES;
		const signed char *quants = (const signed char *)bytes + GGUF_MMQ_QUANTS + within;
		struct run run = {
			.scale = block->scale[first % elements],
			.min = block->offset[first % elements],
			.d8 = gguf_mmq_scale(layout, bytes, within / of_scale),
			.sum = (double)NAN,
		};
		for (int i = 0; i < RUN; i++) {
			run.dot += run.scale ? weight[i] / run.scale * quants[i] : 0;
			run.quants += quants[i];
		}
		/* half of a sum of 32 is not stored: it is taken with the first run, none with the second */
		if (of_sum && (layout == GGUF_MMQ_DS4 || within < 96))
			run.sum = within % of_sum ? 0 : gguf_mmq_sum(layout, bytes, within / of_sum);
		add_run(block, &run, rounds, product);
	}
}
