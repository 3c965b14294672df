/* Handlers of floating-point arithmetic, to nearest and approximate; the lanes are in alu_real.def. Nothing here depends on
 * contraction or on whether the host has a fused multiply-add: where PTX says fma the result is that of one rounding, and
 * approximations are made of separate roundings, so that every host gives the same bits. */
#include "device/ptx/alu_lanes.h"

#include <math.h>

#define F number_f32
#define N number_f64
#define SIGN64 0x8000000000000000ull
#define HIGH32 0xffffffff00000000ull
static inline float Z(uint32_t a) { return number_f32(number_f32_flush(a)); }
static inline uint32_t quiet32(uint32_t a) { return number_f32_is_nan(a) ? NUMBER_F32_NAN : a; }
static inline uint32_t real32(float a) { return quiet32(number_f32_bits(a)); }
static inline uint32_t flush32(float a) { return number_f32_flush(real32(a)); }
/* NaN fails both comparisons and becomes +0. */
static inline uint32_t sat32(float a) { return number_f32_bits(a > 0.0f ? a < 1.0f ? a : 1.0f : 0.0f); }

static inline float add_lane(float a, float b) { return a + b; }
static inline float sub_lane(float a, float b) { return a - b; }
static inline float mul_lane(float a, float b) { return a * b; }

static inline float fma_lane(float a, float b, float c)
{
#if defined(__FMA__) || defined(__aarch64__)
	return __builtin_fmaf(a, b, c);
#else
	/* the product of two f32 is exact in f64, and a sum rounded to odd there can be rounded again */
	return (float)number_add_odd((double)a * (double)b, (double)c);
#endif
}

/* Beyond 2^126 the approximate reciprocal is 0 (manual 9.7.3.7): x / y gives 0, infinity / y NaN. */
static inline uint32_t div_approx(uint32_t a, uint32_t b, uint32_t quotient)
{
	const uint32_t size_a = a & 0x7fffffff, size_b = b & 0x7fffffff;
	const uint32_t zero = size_a >= NUMBER_F32_INFINITY ? NUMBER_F32_NAN : (a ^ b) & 0x80000000u;
	return size_b > 0x7e800000u && size_b < NUMBER_F32_INFINITY ? zero : quotient;
}

/* Two roundings: 2^-23 of the value at most, the manual allows 2^-22.9. */
static inline float rsqrt_lane(float a)
{
	return 1.0f / __builtin_sqrtf(a);
}

/* 2^f for f in [-1/2, 1/2], to about 2^-25.9: a least maximum fit of (2^f - 1) / f, coefficients rounded to f32, summed in
 * pairs. With the roundings of the scheme the error stays below 2 ulp. */
static inline float ex2_fraction(float f)
{
	const float q = f * f;
	const float low = 0x1.62e430p-1f + f * 0x1.ebfbdcp-3f;
	const float middle = 0x1.c6aee8p-5f + f * 0x1.3b2d4cp-7f;
	const float high = 0x1.5f3e54p-10f + f * 0x1.41fbc0p-13f;
	return 1.0f + f * (low + q * (middle + q * high));
}

/* x = n + f: the sum with 1.5 * 2^23 has n in its low bits. */
#define EX2_SHIFT 0x1.8p23f
static inline float ex2_whole(float x) { return (x + EX2_SHIFT) - EX2_SHIFT; }

/* At -127 the result is below the normal numbers and at 128 it is infinity, by the exponent's own arithmetic; NaN fails both
 * comparisons and is put right at the end. */
static inline uint32_t ex2_ftz_lane(uint32_t a)
{
	const float below = F(a) < 128.0f ? F(a) : 128.0f, x = below > -127.0f ? below : -127.0f;
	const float shifted = x + EX2_SHIFT, n = shifted - EX2_SHIFT;
	const uint32_t bits = number_f32_bits(ex2_fraction(x - n)) + (number_f32_bits(shifted) << 23);
	const uint32_t number = (int32_t)bits < 0x00800000 ? 0 : bits;
	return number_f32_is_nan(a) ? NUMBER_F32_NAN : number;
}

static inline float ex2_clamp(float x)
{
	const float below = x < 130.0f ? x : 130.0f;
	return below > -160.0f ? below : -160.0f;
}

static inline uint32_t ex2_lane(uint32_t a)
{
	const float x = ex2_clamp(F(a)), n = ex2_whole(x);
	const float p = ex2_fraction(x - n);
	/* two steps: a subnormal result is rounded once, by the last product */
	const int32_t half = (int32_t)n / 2, rest = (int32_t)n - half;
	const float result = p * number_f32((uint32_t)(half + 127) << 23) * number_f32((uint32_t)(rest + 127) << 23);
	return number_f32_is_nan(a) ? NUMBER_F32_NAN : number_f32_bits(result);
}

/* log2(2^e * m), m in [sqrt(1/2), sqrt(2)): e + 2 / ln 2 * artanh((m - 1) / (m + 1)), in f64, the series to s^15 (s^2 < 0.0295,
 * what is left out is below 2^-40 of the sum). */
static inline float lg2_lane(float x)
{
	const uint32_t bits = number_f32_bits(x), size = bits & 0x7fffffff;
	const int subnormal = size < 0x00800000;
	const uint32_t scaled = subnormal ? number_f32_bits(number_f32(size) * 0x1p25f) : size;
	const int32_t exponent = ((int32_t)(scaled - 0x3f3504f3) >> 23);
	const double m = (double)number_f32(scaled - ((uint32_t)exponent << 23));
	const double s = (m - 1.0) / (m + 1.0), q = s * s;
	double p = 1.0 / 15;
	p = p * q + 1.0 / 13;
	p = p * q + 1.0 / 11;
	p = p * q + 1.0 / 9;
	p = p * q + 1.0 / 7;
	p = p * q + 1.0 / 5;
	p = p * q + 1.0 / 3;
	p = p * q + 1.0;
	const float finite = (float)((double)(exponent - (subnormal ? 25 : 0)) + p * s * 2.8853900817779268);
	const float special = size == 0 ? -INFINITY : bits == NUMBER_F32_INFINITY ? INFINITY : NAN;
	return size == 0 || bits >= NUMBER_F32_INFINITY ? special : finite;
}

/* Up to 1/2 the continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))) to its fifth term, above (1 - 2^-y) / (1 + 2^-y) with
 * y = 2 |x| log2 e: a few ulp, where the manual asks for 2^-11. */
static inline uint32_t tanh_lane(uint32_t a)
{
	const uint32_t size_bits = a & 0x7fffffff;
	const float size = F(size_bits < 0x41200000 ? size_bits : 0x41200000); /* 10: tanh is 1 in f32 */
	const float y = size * -2.88539008f, n = ex2_whole(y);
	const float e = number_f32((uint32_t)((int32_t)number_f32_bits(ex2_fraction(y - n)) + (int32_t)n * (1 << 23)));
	const float q = size * size;
	const int small = size < 0.5f;
	const float above = small ? size * (945.0f + q * (105.0f + q)) : 1.0f - e;
	const float below = small ? 945.0f + q * (420.0f + q * 15.0f) : 1.0f + e;
	const uint32_t result = number_f32_bits(above / below) | (a & 0x80000000u);
	/* x itself where the fraction could only lose bits, subnormal numbers among them */
	const uint32_t number = size_bits < 0x39000000 ? a : result;
	return size_bits > NUMBER_F32_INFINITY ? NUMBER_F32_NAN : number;
}

/* min and max (manual 9.7.3.12): a NaN loses against a number, -0 is below +0. */
static inline int32_t order32(uint32_t a) { return (int32_t)(a ^ (uint32_t)((int32_t)a >> 31) >> 1); }
static inline int either_nan(uint32_t a, uint32_t b) { return number_f32_is_nan(a) | number_f32_is_nan(b); }
static inline uint32_t choose32(uint32_t a, uint32_t b, int take_a)
{
	const uint32_t number = take_a ? a : b;
	const uint32_t other = number_f32_is_nan(b) ? quiet32(a) : number;
	return number_f32_is_nan(a) ? quiet32(b) : other;
}
static inline uint32_t min_lane(uint32_t a, uint32_t b) { return choose32(a, b, order32(a) < order32(b)); }
static inline uint32_t max_lane(uint32_t a, uint32_t b) { return choose32(a, b, order32(a) > order32(b)); }

/* f64 keeps the payload of a NaN operand, made quiet, the first one's where there are several. */
static inline uint64_t quiet64(uint64_t a) { return number_f64_is_nan(a) ? a | 0x0008000000000000ull : a; }
static inline uint64_t real64_2(double result, uint64_t a, uint64_t b)
{
	const uint64_t bits = number_f64_bits(result);
	const uint64_t nan = number_f64_is_nan(a) ? quiet64(a) : number_f64_is_nan(b) ? quiet64(b) : NUMBER_F64_NAN;
	return number_f64_is_nan(bits) ? nan : bits;
}
static inline uint64_t real64_3(double result, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t nan = number_f64_is_nan(a) ? a : number_f64_is_nan(b) ? b : number_f64_is_nan(c) ? c : NUMBER_F64_NAN;
	return number_f64_is_nan(number_f64_bits(result)) ? quiet64(nan) : number_f64_bits(result);
}
static inline uint64_t flush64(uint64_t a) { return a & NUMBER_F64_INFINITY ? a : a & SIGN64; }
/* rcp and rsqrt.approx.ftz.f64 work on the upper 32 bits and give only those (manual 9.7.3.14, 9.7.3.18). A NaN that shows in the
 * lower bits only is an infinity there, and a NaN result has the bits of f32's in the upper ones, as on an H100; the manual leaves
 * both open. */
static inline uint64_t approx64(double result)
{
	const uint64_t bits = number_f64_bits(result);
	const uint64_t rounded = (bits + 0x80000000ull) & HIGH32;
	const uint64_t number = (bits & ~SIGN64) >= NUMBER_F64_INFINITY ? bits & HIGH32 : flush64(rounded);
	return number_f64_is_nan(bits) ? (uint64_t)NUMBER_F32_NAN << 32 : number;
}
static inline int64_t order64(uint64_t a) { return (int64_t)(a ^ (uint64_t)((int64_t)a >> 63) >> 1); }
static inline uint64_t least64(uint64_t a, uint64_t b, int take_a)
{
	const uint64_t number = take_a ? a : b;
	const uint64_t other = number_f64_is_nan(b) ? quiet64(a) : number;
	return number_f64_is_nan(a) ? quiet64(b) : other;
}

#define A1 ALU_A1
#define A2 ALU_A2
#define A3 ALU_A3
#define OTHER(name)
#include "device/ptx/alu_real.def"
#undef A1
#undef A2
#undef A3
#undef OTHER

/* The host's sine and cosine in f64: right for every argument, far inside what the manual allows. */
#define TRIGONOMETRIC(name, function)                                                                                  \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const u32 *const pa = ptx_at(warp, &insn->src[0]);                                                     \
		const int ftz = insn->option[0];                                                                       \
		uint32_t result[PTX_LANES];                                                                            \
		for (int l = 0; l < PTX_LANES; l++) {                                                                  \
			if (!(active >> l & 1)) {                                                                      \
				result[l] = 0;                                                                         \
				continue;                                                                              \
			}                                                                                              \
			const float r = (float)function((double)(ftz ? Z(pa[l]) : F(pa[l])));                          \
			result[l] = ftz ? flush32(r) : real32(r);                                                      \
		}                                                                                                      \
		alu_store32(ptx_at(warp, &insn->dst[0]), result, active);                                              \
	}
TRIGONOMETRIC(sin_f32, sin)
TRIGONOMETRIC(cos_f32, cos)

static inline uint32_t least_general(const struct ptx_insn *insn, uint32_t a, uint32_t b)
{
	const uint32_t sign = (a ^ b) & 0x80000000u;
	if (insn->option[0])
		a = number_f32_flush(a), b = number_f32_flush(b);
	if (insn->option[3])
		a &= 0x7fffffff, b &= 0x7fffffff;
	const uint32_t r = insn->option[2] && either_nan(a, b) ? NUMBER_F32_NAN : insn->option[1] ? max_lane(a, b) : min_lane(a, b);
	return insn->option[3] && !number_f32_is_nan(r) ? r | sign : r;
}

HANDLER(least_f32)
{
	const u32 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]);
	uint32_t result[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++)
		result[l] = least_general(insn, pa[l], pb[l]);
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
}

HANDLER(least3_f32)
{
	const u32 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]), *const pc = ptx_at(warp, &insn->src[2]);
	uint32_t result[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++)
		result[l] = least_general(insn, least_general(insn, pa[l], pb[l]), pc[l]);
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
}

#define X2(name, arity, one, one_ftz)                                                                                  \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const u32 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]),            \
				 *const pc = ptx_at(warp, &insn->src[(arity) - 1]);                                    \
		u32 *const d = ptx_at(warp, &insn->dst[0]);                                                            \
		const int ftz = insn->option[0];                                                                       \
		for (int i = 0; i < 2 * PTX_LANES; i++) {                                                              \
			const uint32_t a = pa[i], b = pb[i], c = pc[i];                                                \
			(void)c;                                                                                       \
			const uint32_t r = ftz ? flush32(one_ftz) : real32(one);                                       \
			d[i] = active >> i / 2 & 1 ? r : d[i];                                                         \
		}                                                                                                      \
	}
X2(add_f32x2, 2, F(a) + F(b), Z(a) + Z(b))
X2(sub_f32x2, 2, F(a) - F(b), Z(a) - Z(b))
X2(mul_f32x2, 2, F(a) * F(b), Z(a) * Z(b))
X2(fma_f32x2, 3, fma_lane(F(a), F(b), F(c)), fma_lane(Z(a), Z(b), Z(c)))

#include "device/ptx/alu_half.inc"

#define A1(name, ...) do_##name,
#define A2(name, ...) do_##name,
#define A3(name, ...) do_##name,
#define OTHER(name) do_##name,
extern const ptx_execute ALU_TABLE(real)[ALU_REAL_COUNT];
const ptx_execute ALU_TABLE(real)[ALU_REAL_COUNT] = {
#include "device/ptx/alu_real.def"
};
