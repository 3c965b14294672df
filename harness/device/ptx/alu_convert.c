/* Handlers of cvt. Integers to integers are two extensions with masks (alu.h: alu_whole). With a floating-point side the
 * value of each lane is first brought to f64, which is exact for everything but 64-bit integers; those are rounded to odd
 * when a 16-bit format follows, and converted directly to f32 and f64. Then come .ftz of the source, rounding to a whole
 * number, .relu and .sat, and the one rounding to the result's type. */
#include "device/ptx/alu_lanes.h"

#include <math.h>

static inline uint32_t quiet32(uint32_t a) { return number_f32_is_nan(a) ? NUMBER_F32_NAN : a; }

/* To and from f64 a NaN keeps its sign and what the result has room for of its payload, quiet, as on an H100; the manual leaves it
 * open. (The payloads that were narrowed for the record lie wholly below the cut: that higher bits stay is assumed from the
 * widening.) x86-64 and AArch64 do just that in one instruction. */
#if defined(__x86_64__) || defined(__aarch64__)
static inline uint64_t widen_f64(uint32_t a) { return number_f64_bits((double)number_f32(a)); }
static inline uint32_t narrow_f32(uint64_t a) { return number_f32_bits((float)number_f64(a)); }
#else
static inline uint64_t widen_f64(uint32_t a)
{
	const uint64_t nan = (uint64_t)(a & 0x80000000u) << 32 | 0x7ff8000000000000ull | (uint64_t)(a & 0x7fffff) << 29;
	return number_f32_is_nan(a) ? nan : number_f64_bits((double)number_f32(a));
}
static inline uint32_t narrow_f32(uint64_t a)
{
	const uint32_t nan = ((uint32_t)(a >> 32) & 0x80000000u) | 0x7fc00000 | ((uint32_t)(a >> 29) & 0x3fffff);
	return number_f64_is_nan(a) ? nan : number_f32_bits((float)number_f64(a));
}
#endif
#define NAN_F32_IN_F64 0x7fffffffe0000000ull /* the canonical one */

static inline float source_f32(uint32_t a, int64_t ftz)
{
	return number_f32(a & 0x7f800000u || !ftz ? a : a & 0x80000000u);
}

/* Out of range: the nearest number; NaN: 0. */
static inline uint32_t whole_s32(float value, uint32_t source)
{
	const int inside = (value >= -0x1p31f) & (value < 0x1p31f);
	const uint32_t outside = number_f32_is_nan(source) ? 0 : value < 0.0f ? 0x80000000u : 0x7fffffffu;
	return inside ? (uint32_t)(int32_t)(inside ? value : 0.0f) : outside;
}

/* As an s32 around 2^31, which every host converts. */
static inline uint32_t whole_u32(float value)
{
	const int inside = (value > 0.0f) & (value < 0x1p32f);
	const double moved = (double)(inside ? value : 0.0f) - 0x1p31;
	return inside ? (uint32_t)(int32_t)moved ^ 0x80000000u : value > 0.0f ? ~0u : 0;
}

#define A1 ALU_A1
#define A2 ALU_A2
#define OTHER(name)
#include "device/ptx/alu_convert.def"
#undef A1
#undef A2
#undef OTHER

HANDLER(cvt_f16_f32)
{
	ALU_RESULT;
	alu_round_f16(result, ptx_at(warp, &insn->src[0]));
	alu_merge32(destination, result, active);
}

HANDLER(cvt_f16x2_f32)
{
	uint32_t high[PTX_LANES], low[PTX_LANES];
	alu_round_f16(high, ptx_at(warp, &insn->src[0]));
	alu_round_f16(low, ptx_at(warp, &insn->src[1]));
	LANES low[l] |= high[l] << 16;
	alu_store32(ptx_at(warp, &insn->dst[0]), low, active);
}

static inline uint64_t extend(const struct alu_whole *w, uint64_t value)
{
	const uint64_t wide = ((value & w->from_mask) ^ w->from_sign) - w->from_sign;
	return (((wide & w->to_mask) ^ w->to_sign) - w->to_sign) & w->register_mask;
}

#define WHOLE(name, from, to)                                                                                          \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const struct alu_whole w = *(const struct alu_whole *)insn->extra;                                     \
		const u##from *const pa = ptx_at(warp, &insn->src[0]);                                                 \
		uint##to##_t result[PTX_LANES];                                                                        \
		LANES result[l] = (uint##to##_t)extend(&w, pa[l]);                                                     \
		alu_store##to(ptx_at(warp, &insn->dst[0]), result, active);                                            \
	}
WHOLE(cvt_whole_32_64, 32, 64)
WHOLE(cvt_whole_64_32, 64, 32)
WHOLE(cvt_whole_64_64, 64, 64)

HANDLER(cvt_whole_32_32)
{
	const struct alu_whole *const w = insn->extra;
	const uint32_t from_mask = (uint32_t)w->from_mask, from_sign = (uint32_t)w->from_sign, to_mask = (uint32_t)w->to_mask,
		       to_sign = (uint32_t)w->to_sign, register_mask = (uint32_t)w->register_mask;
	const u32 *const pa = ptx_at(warp, &insn->src[0]);
	uint32_t result[PTX_LANES];
	LANES {
		const uint32_t wide = ((pa[l] & from_mask) ^ from_sign) - from_sign;
		result[l] = (((wide & to_mask) ^ to_sign) - to_sign) & register_mask;
	}
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
}

static void load_lanes(uint64_t *lanes, const struct ptx_warp *warp, const struct ptx_slot *slot)
{
	if (slot->lane_bytes == 8) {
		memcpy(lanes, ptx_at(warp, slot), PTX_LANES * sizeof *lanes);
	} else {
		const u32 *const from = ptx_at(warp, slot);
		LANES lanes[l] = from[l];
	}
}

static void store_lanes(const struct ptx_warp *warp, const struct ptx_slot *slot, const uint64_t *lanes, uint32_t active)
{
	if (slot->lane_bytes == 8) {
		alu_store64(ptx_at(warp, slot), lanes, active);
	} else {
		uint32_t narrow[PTX_LANES];
		LANES narrow[l] = (uint32_t)lanes[l];
		alu_store32(ptx_at(warp, slot), narrow, active);
	}
}

/* The nearest value of the result's type (cvt.sat between integers). */
static uint64_t clamp_whole(const struct alu_whole *w, uint64_t value)
{
	const uint64_t wide = ((value & w->from_mask) ^ w->from_sign) - w->from_sign;
	const int negative = w->from_is_signed && (int64_t)wide < 0;
	const uint64_t top = w->to_is_signed ? w->to_mask >> 1 : w->to_mask;
	const uint64_t bottom = w->to_is_signed ? ~top : 0;
	if (negative)
		return (int64_t)wide < (int64_t)bottom ? bottom : w->to_is_signed ? wide : 0;
	return wide > top ? top : wide;
}

HANDLER(cvt_whole_sat)
{
	const struct alu_whole *const w = insn->extra;
	uint64_t lanes[PTX_LANES];
	load_lanes(lanes, warp, &insn->src[0]);
	for (int l = 0; l < PTX_LANES; l++)
		lanes[l] = clamp_whole(w, lanes[l]) & w->register_mask;
	store_lanes(warp, &insn->dst[0], lanes, active);
}

static double to_double(const struct alu_conversion *c, uint64_t bits)
{
	switch (c->from) {
	case ALU_KIND_F64:
		return number_f64(bits);
	case ALU_KIND_F32:
		return (double)number_f32(c->ftz ? number_f32_flush((uint32_t)bits) : (uint32_t)bits);
	case ALU_KIND_SMALL:
		if (c->from_format == &number_f16_format)
			return (double)number_f32(number_f16_to_f32((uint32_t)bits & 0xffff));
		if (c->from_format == &number_bf16_format)
			return (double)number_f32(number_bf16_to_f32((uint32_t)bits & 0xffff));
		return number_to_f64((uint32_t)bits & ((1u << c->from_bits) - 1), c->from_format);
	default:
		break;
	}
	const uint64_t wide = ((bits & c->narrow.from_mask) ^ c->narrow.from_sign) - c->narrow.from_sign;
	const int negative = c->from == ALU_KIND_SIGNED && (int64_t)wide < 0;
	uint64_t size = negative ? 0 - wide : wide;
	/* to odd: at most 53 bits and a sticky one are exact in f64 after the shift */
	if (size >> 53)
		size = (size >> 11 | ((size & 0x7ff) != 0)) << 11;
	return negative ? -(double)size : (double)size;
}

/* What a NaN becomes where the result is a floating-point number. The manual leaves it open but for the canonical one from f32 to
 * f16 and bf16; here it is as on an H100, but for two that are not recorded: .ftz from bf16 and .satfinite to tf32, canonical. */
static uint64_t nan_result(const struct alu_conversion *c, uint64_t source)
{
	if (c->from == ALU_KIND_F64 && c->to == ALU_KIND_F32)
		return narrow_f32(source);
	if (c->from == ALU_KIND_F64 && c->to_bits == 16) {
		const unsigned mantissa_bits = c->to_format->mantissa_bits;
		const uint64_t quiet = source | 0x0008000000000000ull;
		return (quiet >> 63) << 15 | (quiet << 1 >> (53 - mantissa_bits) & 0x7fff);
	}
	/* .ftz takes f32 through an operation that makes NaNs canonical */
	if (c->from == ALU_KIND_F32 && c->to == ALU_KIND_F64)
		return c->ftz ? NAN_F32_IN_F64 : widen_f64((uint32_t)source);
	if (c->from_bits == 16 && c->to == ALU_KIND_F64) {
		const unsigned mantissa_bits = c->from_format->mantissa_bits;
		const uint64_t mantissa = source & ((1ull << mantissa_bits) - 1);
		return (source >> 15 & 1) << 63 | 0x7ff8000000000000ull | mantissa << (52 - mantissa_bits);
	}
	if (c->from_format == &number_bf16_format && c->to == ALU_KIND_F32 && !c->ftz)
		return number_bf16_to_f32((uint32_t)source & 0xffff);
	/* the bits that tf32 has not are dropped: what stays may be an infinity */
	if (c->to_format == &number_tf32_format && c->rounding == NUMBER_RNA && !c->satfinite)
		return source & 0xffffe000;
	return c->to == ALU_KIND_SMALL ? number_from_f64((double)NAN, c->to_format, c->rounding, c->satfinite)
	       : c->to == ALU_KIND_F32 ? NUMBER_F32_NAN : NAN_F32_IN_F64;
}

static double round_whole(double value, enum alu_whole_rounding rounding)
{
	switch (rounding) {
	case ALU_RNI:
		return rint(value);
	case ALU_RZI:
		return trunc(value);
	case ALU_RMI:
		return floor(value);
	case ALU_RPI:
		return ceil(value);
	default:
		return value;
	}
}

/* Out of range: the nearest value. NaN: 0 when neither side has 64 bits, else the top bit (manual 9.7.9.21). */
static uint64_t to_whole(const struct alu_conversion *c, double value)
{
	if (isnan(value))
		return c->from != ALU_KIND_F64 && c->to_bits != 64 ? 0 : c->to == ALU_KIND_SIGNED ? (uint64_t)(INT64_MIN >> (64 - c->to_bits)) : 1ull << (c->to_bits - 1);
	if (c->to == ALU_KIND_SIGNED) {
		const double limit = ldexp(1.0, (int)c->to_bits - 1);
		if (value >= limit)
			return (1ull << (c->to_bits - 1)) - 1;
		return (uint64_t)(value < -limit ? INT64_MIN >> (64 - c->to_bits) : (int64_t)value);
	}
	if (value <= 0.0)
		return 0;
	if (value >= ldexp(1.0, (int)c->to_bits))
		return c->to_bits == 64 ? ~0ull : (1ull << c->to_bits) - 1;
	return (uint64_t)value;
}

static double limit_value(const struct alu_conversion *c, double value)
{
	if (c->sat)
		return value > 0.0 ? value < 1.0 ? value : 1.0 : 0.0; /* NaN to +0 */
	if (c->relu && (value < 0.0 || (value == 0.0 && signbit(value))))
		return 0.0;
	return value;
}

HANDLER(cvt_real)
{
	const struct alu_conversion *const c = insn->extra;
	uint64_t lanes[PTX_LANES];
	double values[PTX_LANES];
	load_lanes(lanes, warp, &insn->src[0]);
	if (c->from <= ALU_KIND_SIGNED && c->to == ALU_KIND_F32 && !c->sat) {
		uint32_t narrow[PTX_LANES];
		for (int l = 0; l < PTX_LANES; l++)
			lanes[l] = ((lanes[l] & c->narrow.from_mask) ^ c->narrow.from_sign) - c->narrow.from_sign;
		ptx_alu_whole_to_f32(narrow, lanes, c->from == ALU_KIND_SIGNED, c->rounding);
		for (int l = 0; l < PTX_LANES; l++)
			lanes[l] = narrow[l];
	} else if (c->from <= ALU_KIND_SIGNED && c->to == ALU_KIND_F64 && !c->sat) {
		for (int l = 0; l < PTX_LANES; l++)
			lanes[l] = ((lanes[l] & c->narrow.from_mask) ^ c->narrow.from_sign) - c->narrow.from_sign;
		ptx_alu_whole_to_f64(lanes, lanes, c->from == ALU_KIND_SIGNED, c->rounding);
	} else {
		for (int l = 0; l < PTX_LANES; l++)
			values[l] = limit_value(c, round_whole(to_double(c, lanes[l]), c->whole));
		if (c->to == ALU_KIND_F32) {
			uint32_t narrow[PTX_LANES];
			ptx_alu_narrow_f32(narrow, values, c->rounding);
			for (int l = 0; l < PTX_LANES; l++)
				lanes[l] = isnan(values[l]) ? nan_result(c, lanes[l]) : c->ftz ? number_f32_flush(narrow[l]) : narrow[l];
		} else {
			for (int l = 0; l < PTX_LANES; l++) {
				if (c->to >= ALU_KIND_F32 && isnan(values[l]))
					lanes[l] = nan_result(c, lanes[l]);
				else if (c->to == ALU_KIND_F64)
					lanes[l] = number_f64_bits(values[l]);
				else if (c->to == ALU_KIND_SMALL)
					lanes[l] = number_from_f64(values[l], c->to_format, c->rounding, c->satfinite);
				else
					lanes[l] = to_whole(c, values[l]);
			}
		}
	}
	for (int l = 0; l < PTX_LANES; l++)
		lanes[l] &= c->register_mask;
	store_lanes(warp, &insn->dst[0], lanes, active);
}

/* f64 to f64: a NaN keeps its payload. */
HANDLER(cvt_f64_f64)
{
	const struct alu_conversion *const c = insn->extra;
	const u64 *const pa = ptx_at(warp, &insn->src[0]);
	uint64_t result[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++) {
		const double value = limit_value(c, round_whole(number_f64(pa[l]), c->whole));
		result[l] = number_f64_is_nan(number_f64_bits(value)) ? pa[l] | 0x0008000000000000ull : number_f64_bits(value);
	}
	alu_store64(ptx_at(warp, &insn->dst[0]), result, active);
}

/* Two f32 (a to the high half, b to the low), or the halves of one f16x2 or bf16x2, to two small numbers in one register. */
HANDLER(cvt_pack)
{
	const struct alu_conversion *const c = insn->extra;
	const u32 *const pa = ptx_at(warp, &insn->src[0]);
	const u32 *const pb = insn->src_count > 1 ? ptx_at(warp, &insn->src[1]) : NULL;
	const unsigned width = c->to_bits;
	uint32_t result[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++) {
		const double high = limit_value(c, to_double(c, pb ? pa[l] : pa[l] >> 16)), low = limit_value(c, to_double(c, pb ? pb[l] : pa[l] & 0xffff));
		if (c->ue8m0)
			result[l] = number_to_ue8m0((float)high, c->rounding, c->satfinite) << 8 | number_to_ue8m0((float)low, c->rounding, c->satfinite);
		else
			result[l] = number_from_f64(high, c->to_format, c->rounding, c->satfinite) << width |
				    number_from_f64(low, c->to_format, c->rounding, c->satfinite);
	}
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
}

/* Two small numbers of one register to f16x2 (bf16x2 from ue8m0x2). */
HANDLER(cvt_unpack)
{
	const struct alu_conversion *const c = insn->extra;
	const u32 *const pa = ptx_at(warp, &insn->src[0]);
	const unsigned stride = c->from_bits > 4 ? 8 : 4;
	uint32_t result[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++) {
		const uint32_t mask = (1u << c->from_bits) - 1, low = pa[l] & mask, high = pa[l] >> stride & mask;
		if (c->ue8m0)
			result[l] = number_ue8m0_to_bf16(high) << 16 | number_ue8m0_to_bf16(low);
		else
			result[l] = number_from_f64(limit_value(c, to_double(c, high)), c->to_format, NUMBER_RN, 0) << 16 |
				    number_from_f64(limit_value(c, to_double(c, low)), c->to_format, NUMBER_RN, 0);
	}
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
}

/* cvt.pack.sat.type.s32 d, a, b {, c}: a above b; with c the pair goes below what c holds in its low bits, moved up. */
HANDLER(cvt_pack_sat)
{
	const struct alu_conversion *const c = insn->extra;
	const u32 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]);
	const u32 *const pc = insn->src_count > 2 ? ptx_at(warp, &insn->src[2]) : NULL;
	uint32_t result[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++) {
		const uint32_t mask = (uint32_t)c->narrow.to_mask;
		const uint32_t high = (uint32_t)clamp_whole(&c->narrow, pa[l]) & mask, low = (uint32_t)clamp_whole(&c->narrow, pb[l]) & mask;
		const uint32_t pair = high << c->to_bits | low;
		result[l] = pc ? pc[l] << 2 * c->to_bits | pair : pair;
	}
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
}

#define A1(name, ...) do_##name,
#define A2(name, ...) do_##name,
#define OTHER(name) do_##name,
extern const ptx_execute ALU_TABLE(convert)[ALU_CONVERT_COUNT];
const ptx_execute ALU_TABLE(convert)[ALU_CONVERT_COUNT] = {
#include "device/ptx/alu_convert.def"
};
