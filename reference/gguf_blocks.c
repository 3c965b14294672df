/* Blocks to test with: see gguf_fill. */
#include "reference/gguf.h"

#include "core/dtype.h"
#include "dataset/generate.h"

#include <string.h>

enum kind { KIND_RANDOM, KIND_POSITIVE, KIND_ZEROS, KIND_ONES, KIND_BIT, KIND_EXACT, KIND_SPECIAL, KIND_TINY, KIND_LARGE, KIND_NONFINITE };

const char *const gguf_kinds[] = {
	[KIND_RANDOM] = "random", [KIND_POSITIVE] = "positive", [KIND_ZEROS] = "zeros",	  [KIND_ONES] = "ones",
	[KIND_BIT] = "bit",	  [KIND_EXACT] = "exact",	[KIND_SPECIAL] = "special", [KIND_TINY] = "tiny",
	[KIND_LARGE] = "large",	  [KIND_NONFINITE] = "nonfinite", NULL,
};

static const uint16_t special_halves[] = {
	0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x0400, 0x8400, 0x7bff, 0xfbff, 0x3c00, 0xbc00, 0x3bff, 0x3c01, 0xbc01,
};
/* The odd count, prime to that of scales in a block, lets d and m meet in every combination in time. */
static const uint16_t nonfinite_halves[] = {0x7e00, 0x3c00, 0xfe00, 0x7c00, 0xbc00, 0xfc00, 0x7c01};

enum { EXPONENT_BIAS = 15, HALF_MANTISSA = 10 };

/* Exponent of d at which the largest element is about 2: the bits that scale and quant add. */
static int exponent_of_d(enum gguf_format format)
{
	static const signed char exponents[GGUF_FORMAT_COUNT] = {
		[GGUF_Q4_0] = -3, [GGUF_Q4_1] = -4, [GGUF_Q5_0] = -4, [GGUF_Q5_1] = -5, [GGUF_Q8_0] = -7, [GGUF_Q8_1] = -7,
		[GGUF_Q2_K] = -5, [GGUF_Q3_K] = -7, [GGUF_Q4_K] = -9, [GGUF_Q5_K] = -10, [GGUF_Q6_K] = -11, [GGUF_Q8_K] = -7,
	};
	return exponents[format];
}

static int exponent_of_m(enum gguf_format format)
{
	return format == GGUF_Q2_K ? -4 : format == GGUF_Q4_K || format == GGUF_Q5_K ? -6 : 0;
}

static uint16_t half_of(int negative, int exponent, unsigned mantissa)
{
	return (uint16_t)((unsigned)negative << 15 | (unsigned)(exponent + EXPONENT_BIAS) << HALF_MANTISSA | (mantissa & 1023));
}

/* `word`: random bits; `block`: number of the block; `second`: m rather than d. */
static uint16_t scale_of_kind(enum gguf_format format, enum kind kind, uint32_t word, int64_t block, int second)
{
	const int exponent = (second ? exponent_of_m(format) : exponent_of_d(format)) + (int)(word >> 10 & 1);
	const int with_mins = exponent_of_m(format) < 0;
	const int64_t run = second ? block / 3 + block : block;
	switch (kind) {
	case KIND_POSITIVE: return half_of(second && with_mins, exponent, word);
	case KIND_BIT: return second ? 0x3800 : 0x3c00;
	case KIND_EXACT: return half_of((int)(word >> 31), (int)(word >> 10 & 1) - 1, 0);
	case KIND_SPECIAL: return special_halves[run % (int64_t)(sizeof special_halves / sizeof special_halves[0])];
	case KIND_TINY: return (uint16_t)((word >> 31) << 15 | (word & 1023));
	case KIND_LARGE: return half_of((int)(word >> 31), 15, word | 1008);
	case KIND_NONFINITE: return nonfinite_halves[run % (int64_t)(sizeof nonfinite_halves / sizeof nonfinite_halves[0])];
	default: return half_of((int)(word >> 31), exponent, word);
	}
}

/* The float scale of q8_K: kinds as above, with what only a float can be. */
static uint32_t single_of_kind(enum kind kind, uint32_t word, int64_t block)
{
	static const uint32_t specials[] = {0, 0x80000000u, 1, 0x80000001u, 0x007fffff, 0x807fffffu, 0x00800000, 0x7f7fffff,
					    0x3f800000, 0xbf800000u, 0x3f7fffff, 0x3f800001, 0x33800000};
	static const uint32_t nonfinites[] = {0x7fc00000, 0x3f800000, 0xffc00000u, 0x7f800000, 0xff800000u};
	const uint32_t sign = word & 0x80000000u, mantissa = word & 0x7fffff;
	switch (kind) {
	case KIND_POSITIVE: return 120u << 23 | mantissa;
	case KIND_BIT: return 0x3f800000;
	case KIND_EXACT: return sign | 127u << 23;
	case KIND_SPECIAL: return specials[block % (int64_t)(sizeof specials / sizeof specials[0])];
	case KIND_TINY: return sign | mantissa;
	case KIND_LARGE: return sign | 246u << 23 | mantissa; /* times 128 stays finite */
	case KIND_NONFINITE: return nonfinites[block % (int64_t)(sizeof nonfinites / sizeof nonfinites[0])];
	default: return sign | 120u << 23 | mantissa;
	}
}

static void random_bytes(unsigned char *bytes, int count, uint64_t seed, uint32_t stream, uint64_t block)
{
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	for (int first = 0; first < count; first += 16) {
		/* Streams of their own: the fourth word of generate.h's counters is 0 .. 2. */
		const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), stream, 256 + (uint32_t)first};
		uint32_t words[4];
		philox4x32(counter, key, words);
		for (int i = 0; i < 16 && first + i < count; i++)
			bytes[first + i] = (unsigned char)(words[i / 4] >> 8 * (i % 4));
	}
}

static int is_scale_byte(const struct gguf_layout *layout, enum gguf_format format, int at)
{
	return (at >= layout->d && at < layout->d + (format == GGUF_Q8_K ? 4 : 2)) ||
	       (layout->m >= 0 && at >= layout->m && at < layout->m + 2);
}

static void put_scale(unsigned char *bytes, uint16_t half)
{
	bytes[0] = (unsigned char)half;
	bytes[1] = (unsigned char)(half >> 8);
}

static void fill_bit(enum gguf_format format, int64_t block, unsigned char *bytes)
{
	const struct gguf_layout *layout = &gguf_layouts[format];
	const int scale_bytes = (format == GGUF_Q8_K ? 4 : 2) + (layout->m >= 0 ? 2 : 0);
	int64_t bit = block / 2 % ((layout->bytes - scale_bytes) * 8);
	memset(bytes, block % 2 ? 255 : 0, (size_t)layout->bytes);
	for (int at = 0; at < layout->bytes; at++) {
		if (is_scale_byte(layout, format, at))
			continue;
		if (bit >= 0 && bit < 8)
			bytes[at] ^= (unsigned char)(1 << bit);
		bit -= 8;
	}
}

int gguf_fill(enum gguf_format format, const char *name, int64_t count, uint64_t seed, uint32_t stream, void *data)
{
	const struct gguf_layout *layout = &gguf_layouts[format];
	unsigned char *bytes = data;
	int kind = 0;
	while (gguf_kinds[kind] && strcmp(gguf_kinds[kind], name) != 0)
		kind++;
	if (!gguf_kinds[kind])
		return -1;
	for (int64_t block = 0; block < count; block++, bytes += layout->bytes) {
		uint32_t words[2];
		random_bytes((unsigned char *)words, sizeof words, seed, stream + 0x10000, (uint64_t)block);
		if (kind == KIND_ZEROS || kind == KIND_ONES)
			memset(bytes, kind == KIND_ONES ? 255 : 0, (size_t)layout->bytes);
		else if (kind == KIND_BIT)
			fill_bit(format, block, bytes);
		else
			random_bytes(bytes, layout->bytes, seed, stream, (uint64_t)block);
		if (format == GGUF_Q8_K) {
			const uint32_t single = single_of_kind((enum kind)kind, words[0], block);
			for (int i = 0; i < 4; i++)
				bytes[i] = (unsigned char)(single >> 8 * i);
			continue;
		}
		const uint16_t d = scale_of_kind(format, (enum kind)kind, words[0], block, 0);
		put_scale(bytes + layout->d, d);
		if (layout->m >= 0)
			put_scale(bytes + layout->m, kind == KIND_EXACT ? d : scale_of_kind(format, (enum kind)kind, words[1], block, 1));
	}
	return 0;
}
