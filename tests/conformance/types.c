/* Operand types and the values that inputs take. Only integer operations, and float ones that IEEE 754 rounds correctly, so
 * that the inputs are the same everywhere. */
#include "suite.h"

#include <string.h>

static const struct type types[] = {
	{"u8", ".b32", "b32", 4, BITS, 0}, {"s8", ".b32", "b32", 4, BITS, 0}, /* 0 halves: a byte, other bits above it */
	{"u16", ".b16", "b16", 2, BITS, 1}, {"s16", ".b16", "b16", 2, BITS, 1}, {"b16", ".b16", "b16", 2, BITS, 1},
	{"u32", ".b32", "b32", 4, BITS, 1}, {"s32", ".b32", "b32", 4, BITS, 1}, {"b32", ".b32", "b32", 4, BITS, 1},
	{"u64", ".b64", "b64", 8, BITS, 1}, {"s64", ".b64", "b64", 8, BITS, 1}, {"b64", ".b64", "b64", 8, BITS, 1},
	{"u16x2", ".b32", "b32", 4, BITS, 2}, {"s16x2", ".b32", "b32", 4, BITS, 2},
	{"f16", ".b16", "b16", 2, FLOAT16, 1}, {"f16x2", ".b32", "b32", 4, FLOAT16, 2},
	{"bf16", ".b16", "b16", 2, BFLOAT16, 1}, {"bf16x2", ".b32", "b32", 4, BFLOAT16, 2},
	{"f32", ".f32", "f32", 4, FLOAT32, 1}, {"f64", ".f64", "f64", 8, FLOAT64, 1},
	{"u16n", ".b16", "b16", 2, NONZERO, 1}, {"s16n", ".b16", "b16", 2, NONZERO, 1}, {"u32n", ".b32", "b32", 4, NONZERO, 1},
	{"s32n", ".b32", "b32", 4, NONZERO, 1}, {"u64n", ".b64", "b64", 8, NONZERO, 1}, {"s64n", ".b64", "b64", 8, NONZERO, 1},
	{"small", ".b32", "b32", 4, SMALL, 1}, {"position", ".b32", "b32", 4, POSITION, 1}, {"angle", ".f32", "f32", 4, ANGLE, 1},
	{"p", ".b16", "u8", 1, PREDICATE, 1}, {"pq", ".b16", "u8", 1, PREDICATE, 1}, {"sp", ".b32", "b32", 4, PREDICATE, 1},
	/* for matrices: moderate (m), small whole numbers (i), some of them infinite or NaN (s) */
	{"f16x2m", ".b32", "b32", 4, HALF_MODERATE, 2}, {"bf16x2m", ".b32", "b32", 4, BHALF_MODERATE, 2},
	{"tf32m", ".b32", "b32", 4, FLOAT_MODERATE, 1}, {"f32m", ".f32", "f32", 4, FLOAT_MODERATE, 1}, {"f64m", ".f64", "f64", 8, DOUBLE_MODERATE, 1},
	{"e4m3x4m", ".b32", "b32", 4, FP8_MODERATE, 4}, {"e5m2x4m", ".b32", "b32", 4, FP8_WIDE_MODERATE, 4},
	{"f16x2i", ".b32", "b32", 4, HALF_WHOLE, 2}, {"bf16x2i", ".b32", "b32", 4, BHALF_WHOLE, 2}, {"tf32i", ".b32", "b32", 4, FLOAT_WHOLE, 1},
	{"f32i", ".f32", "f32", 4, FLOAT_WHOLE, 1}, {"e4m3x4i", ".b32", "b32", 4, FP8_WHOLE, 4},
	{"f16x2s", ".b32", "b32", 4, HALF_SPECIAL, 2}, {"bf16x2s", ".b32", "b32", 4, BHALF_SPECIAL, 2},
};

const struct type *type_find(const char *token)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].token, token))
			return &types[i];
	return NULL;
}

/* The first GRID of each meet each other in all pairs. */
enum { GRID = 16, EDGES = 32 };
static const uint64_t edges_f16[EDGES] = {
	0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x3c00, 0xbc00, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0x3555, 0x4100, 0xc100,
	0x7d01, 0xfe00, 0x3800, 0xb800, 0x3bff, 0x3c01, 0x6400, 0x63ff, 0x5bff, 0x5c00, 0xdc00, 0x0200, 0x1400, 0x7800, 0x4e40, 0x57ff};
static const uint64_t edges_bf16[EDGES] = {
	0x0000, 0x8000, 0x0001, 0x8001, 0x007f, 0x0080, 0x3f80, 0xbf80, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0, 0x3eab, 0x4020, 0xc020,
	0x7f81, 0xffc0, 0x3f00, 0xbf00, 0x3f7f, 0x3f81, 0x4b00, 0x4aff, 0x4f00, 0x4eff, 0xcf00, 0x0040, 0x3400, 0x7f00, 0x437f, 0x4380};
static const uint64_t edges_f32[EDGES] = {
	0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff, 0x7f800000,
	0xff800000, 0x7fc00000, 0x3eaaaaab, 0x40200000, 0xc0200000, 0x7f800001, 0xffc12345, 0x3f000000, 0xbf000000, 0x3f7fffff, 0x3f800001,
	0x4b000000, 0x4affffff, 0x4f000000, 0x4effffff, 0xcf000000, 0x5f000000, 0x477fe000, 0x477ff000, 0x33000000, 0x43800000};
static const uint64_t edges_f64[EDGES] = {
	0x0000000000000000, 0x8000000000000000, 0x0000000000000001, 0x8000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x3ff0000000000000,
	0xbff0000000000000, 0x7fefffffffffffff, 0xffefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x3fd5555555555555,
	0x4004000000000000, 0xc004000000000000, 0x7ff0000000000001, 0xfff8000012345678, 0x3fe0000000000000, 0xbfe0000000000000, 0x3fefffffffffffff,
	0x3ff0000000000001, 0x4330000000000000, 0x432fffffffffffff, 0x41e0000000000000, 0x41dfffffffc00000, 0xc1e0000000000000, 0x43e0000000000000,
	0x47efffffe0000000, 0x47effffff0000000, 0x3690000000000000, 0x36a0000000000000};
static const uint64_t edges_bits[EDGES] = {
	0, 1, UINT64_MAX, 2, (uint64_t)-2, INT64_MAX, (uint64_t)INT64_MIN, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 7, (uint64_t)-7, 128, 255, 0x7f, 0x8000,
	0x7fff, 0xffff, 0x80000000, 0x7fffffff, 0xffffffff, 31, 32, 33, 63, 64, 100, 1000, (uint64_t)-1000, 0x10000, 0x00ff00ff00ff00ff, 0x0123456789abcdef,
	0x8000000080000001};

uint64_t input_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t bits_of_float(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static uint64_t whole_f16(int value) /* -15 .. 15 */
{
	const unsigned magnitude = (unsigned)(value < 0 ? -value : value);
	if (!magnitude)
		return 0;
	const int exponent = 31 - __builtin_clz(magnitude);
	return (value < 0 ? 0x8000u : 0u) | (unsigned)(15 + exponent) << 10 | ((magnitude << (10 - exponent)) & 0x3ff);
}

/* Floating-point number of a random sign and mantissa, its exponent within `spread` of one. */
static uint64_t moderate(uint64_t random, int exponent_bits, int mantissa_bits, int spread)
{
	const uint64_t bias = (1ull << (exponent_bits - 1)) - 1;
	const uint64_t exponent = bias - (uint64_t)spread + (random >> 8) % (uint64_t)(2 * spread + 1);
	return (random & 1) << (exponent_bits + mantissa_bits) | exponent << mantissa_bits | (random >> 11 & ((1ull << mantissa_bits) - 1));
}

/* One value of `bits` bits. `edge`: its number among the edge values, or -1. */
uint64_t input_value(enum value_kind kind, int bits, uint64_t random, int edge)
{
	const uint64_t mask = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
	uint64_t value;

	switch (kind) {
	case FLOAT16:
		return edge >= 0 ? edges_f16[edge] : random & 1 << 20 ? random >> 40 & 0xffff : moderate(random, 5, 10, 6);
	case BFLOAT16:
		return edge >= 0 ? edges_bf16[edge] : random & 1 << 20 ? random >> 40 & 0xffff : moderate(random, 8, 7, 10);
	case FLOAT32:
		return edge >= 0 ? edges_f32[edge] : random & 1 << 7 ? random >> 32 : moderate(random, 8, 23, 20);
	case FLOAT64:
		return edge >= 0 ? edges_f64[edge] : random & 1 << 7 ? input_mix(random) : moderate(random, 11, 52, random & 2 ? 30 : 140);
	case SMALL:
		return random & 15 ? (random >> 8) % 80 : (random >> 8) % 300;
	case POSITION:
		return (random >> 8) % 70 | (random >> 16) % 70 << 8 | (random & 3 ? 0 : random >> 32 & 0xffff0000);
	case NONZERO:
		value = (edge >= 0 ? edges_bits[edge] : random & 1 << 7 ? random >> 16 : random >> 16 & 0xff) & mask;
		return value == 0 ? 3 : value == mask ? 5 : value;
	case ANGLE:
		if (edge >= 0)
			return edges_f32[edge];
		return bits_of_float((float)((int)(random >> 32 & 0x1ffffff) - 0x1000000) * (random & 1 ? 0x1.921fb6p-22f : 0x1.3a28c6p-16f));
	case HALF_MODERATE:
		return random & 0xfffffffff0000000ull ? moderate(random, 5, 10, 4) : 0;
	case BHALF_MODERATE:
		return random & 0xfffffffff0000000ull ? moderate(random, 8, 7, 6) : 0;
	case FLOAT_MODERATE:
		return moderate(random, 8, 23, 6);
	case DOUBLE_MODERATE:
		return moderate(random, 11, 52, 10);
	case FP8_MODERATE:
		return moderate(random, 4, 3, 3);
	case FP8_WIDE_MODERATE:
		return moderate(random, 5, 2, 4);
	case HALF_SPECIAL:
		if (!(random & 127 << 20))
			return (uint64_t[]){0x7c00, 0xfc00, 0x7e00, 0xfe01}[random >> 32 & 3];
		return whole_f16((int)(random % 17) - 8);
	case BHALF_SPECIAL:
		if (!(random & 127 << 20))
			return (uint64_t[]){0x7f80, 0xff80, 0x7fc0, 0xffc1}[random >> 32 & 3];
		return bits_of_float((float)((int)(random % 17) - 8)) >> 16;
	case HALF_WHOLE:
		return whole_f16((int)(random % 17) - 8);
	case BHALF_WHOLE:
		return bits_of_float((float)((int)(random % 17) - 8)) >> 16;
	case FLOAT_WHOLE:
		return bits_of_float((float)((int)(random % 1025) - 512));
	case FP8_WHOLE:
		value = whole_f16((int)(random % 17) - 8); /* 5 exponent bits of bias 15 become 4 of bias 7 */
		return value ? (value >> 8 & 0x80) | ((value >> 10 & 31) - 8) << 3 | (value >> 7 & 7) : 0;
	default:
		if (edge >= 0)
			return edges_bits[edge] & mask;
		return (random & 1 << 7 ? input_mix(random) : input_mix(random) >> (random & 63)) & mask;
	}
}

void inputs_fill(const struct check *check, int which, unsigned char *bytes)
{
	const struct operand *operand = check->inputs[which];
	const struct type *type = operand->type;
	const int halves = type->halves ? type->halves : 1, element_bits = type->bytes * 8 / halves;
	int sources = 0;

	for (int i = 0; i < 3; i++)
		sources += check->inputs[i] != NULL;
	for (int i = 0; i < check->threads * operand->count; i++) {
		uint64_t element = 0;
		for (int half = 0; half < halves; half++) {
			const uint64_t random = input_mix(input_mix((uint64_t)i * 8 + (uint64_t)half) ^ (uint64_t)(which + 1) * 0x5851f42d4c957f2d);
			int edge = -1;
			if (sources == 1 && operand->count == 1 && i < EDGES)
				edge = (i + half * 5) % EDGES;
			else if (sources == 2 && operand->count == 1 && i < GRID * GRID)
				edge = ((which ? i % GRID : i / GRID) + half * 3) % GRID;
			else if (sources == 3 && i < check->threads / 2)
				edge = (int)(random >> 50) % GRID;
			else if ((random >> 60) == 0)
				edge = (int)(random >> 50) % EDGES;
			element |= input_value(type->kind, element_bits, random, edge) << (half * element_bits);
		}
		if (!type->halves) /* bytes, one after the other */
			element = (element & ~0xffull) | ((uint64_t)i & 0xff);
		memcpy(bytes + (size_t)i * (size_t)type->bytes, &element, (size_t)type->bytes); /* little-endian, as the device */
	}
}
