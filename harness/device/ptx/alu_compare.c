/* Handlers of setp, set and testp; see alu_compare.def.
 *
 * Options of all: [0] complement the comparison, [1] 0, or the way to combine with the predicate that is the last source
 * (ALU_AND ...), [2] that predicate is negated, [3] setp has a second destination (p|q). set: the immediate is what true
 * gives. 16-bit floats: [4] the comparison (enum alu_half_comparison), [5] bf16, [7] ftz. */
#include "device/ptx/alu_lanes.h"

static inline int differ_f32(uint32_t a, uint32_t b)
{
	return (number_f32(a) < number_f32(b)) | (number_f32(a) > number_f32(b));
}

static inline int differ_f64(uint64_t a, uint64_t b)
{
	return (number_f64(a) < number_f64(b)) | (number_f64(a) > number_f64(b));
}

static inline float flushed(uint32_t a)
{
	return number_f32(number_f32_flush(a));
}

static inline uint32_t combine(const struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t comparison)
{
	if (!insn->option[1])
		return comparison;
	const uint32_t c = *ptx_src32(warp, insn, insn->src_count - 1) ^ (0u - insn->option[2]);
	switch (insn->option[1]) {
	case ALU_AND:
		return comparison & c;
	case ALU_OR:
		return comparison | c;
	default:
		return comparison ^ c;
	}
}

static inline void setp_finish(const struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, uint32_t comparison)
{
	comparison ^= 0u - insn->option[0];
	const uint32_t p = combine(warp, insn, comparison);
	if (insn->option[3]) {
		const uint32_t q = combine(warp, insn, ~comparison);
		alu_store_mask(ptx_at(warp, &insn->dst[1]), q, active);
	}
	alu_store_mask(ptx_at(warp, &insn->dst[0]), p, active);
}

static inline void set_finish(const struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, uint32_t comparison)
{
	const uint32_t p = combine(warp, insn, comparison ^ (0u - insn->option[0]));
	const uint32_t yes = (uint32_t)insn->immediate;
	uint32_t result[PTX_LANES];
	LANES result[l] = p & alu_lane_bit[l] ? yes : 0;
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
}

#define C2(name, T, ...)                                                                                               \
	static inline uint32_t compare_##name(const struct ptx_warp *warp, const struct ptx_insn *insn)                \
	{                                                                                                              \
		const T *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]);              \
		uint32_t lanes[PTX_LANES];                                                                             \
		LANES { const T a = pa[l], b = pb[l]; lanes[l] = (__VA_ARGS__) ? ~0u : 0; }                            \
		return alu_pack(lanes);                                                                                \
	}                                                                                                              \
	HANDLER(SETP_##name) { setp_finish(warp, insn, active, compare_##name(warp, insn)); }                          \
	HANDLER(SET_##name) { set_finish(warp, insn, active, compare_##name(warp, insn)); }
#define OTHER(name)
#include "device/ptx/alu_compare.def"
#undef C2
#undef OTHER

/* A 16-bit float as an integer of the same order; both zeros are 0, NaN is told apart before. */
static inline int32_t half_order(uint32_t bits)
{
	const int32_t size = (int32_t)(bits & 0x7fff);
	return bits & 0x8000 ? -size : size;
}

static uint32_t compare_half(const struct ptx_warp *warp, const struct ptx_insn *insn, unsigned shift)
{
	const u32 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]);
	const uint32_t infinity = insn->option[5] ? 0x7f80 : 0x7c00, subnormal = insn->option[7] ? 0x7fff : 0;
	uint32_t less[PTX_LANES], equal[PTX_LANES], ordered[PTX_LANES];
	LANES {
		uint32_t a = pa[l] >> shift & 0xffff, b = pb[l] >> shift & 0xffff;
		a = a & 0x7c00 ? a : a & ~subnormal;
		b = b & 0x7c00 ? b : b & ~subnormal;
		const int32_t x = half_order(a), y = half_order(b);
		ordered[l] = ((a & 0x7fff) <= infinity) & ((b & 0x7fff) <= infinity) ? ~0u : 0;
		less[l] = x < y ? ~0u : 0;
		equal[l] = x == y ? ~0u : 0;
	}
	const uint32_t lt = alu_pack(less), eq = alu_pack(equal), number = alu_pack(ordered);
	switch (insn->option[4]) {
	case ALU_HALF_EQ:
		return eq & number;
	case ALU_HALF_LT:
		return lt & number;
	case ALU_HALF_LE:
		return (lt | eq) & number;
	case ALU_HALF_DIFFER:
		return ~eq & number;
	default:
		return number;
	}
}

HANDLER(SETP_f16) { setp_finish(warp, insn, active, compare_half(warp, insn, 0)); }
HANDLER(SET_f16) { set_finish(warp, insn, active, compare_half(warp, insn, 0)); }

/* p is the low half's, q the high half's; both are combined with the same predicate. */
HANDLER(SETP_f16x2)
{
	const uint32_t flip = 0u - insn->option[0];
	const uint32_t p = combine(warp, insn, compare_half(warp, insn, 0) ^ flip), q = combine(warp, insn, compare_half(warp, insn, 16) ^ flip);
	alu_store_mask(ptx_at(warp, &insn->dst[0]), p, active);
	alu_store_mask(ptx_at(warp, &insn->dst[1]), q, active);
}

HANDLER(SET_f16x2)
{
	const uint32_t flip = 0u - insn->option[0];
	const uint32_t p = combine(warp, insn, compare_half(warp, insn, 0) ^ flip), q = combine(warp, insn, compare_half(warp, insn, 16) ^ flip);
	const uint32_t yes = (uint32_t)insn->immediate;
	uint32_t result[PTX_LANES];
	LANES result[l] = (p & alu_lane_bit[l] ? yes : 0) | (q & alu_lane_bit[l] ? yes << 16 : 0);
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
}

/* testp: option[4] is enum alu_test; zeros count as normal (manual 9.7.3.1). Sizes are compared with 0, the smallest normal number and infinity. */
#define TESTP(name, T, infinity, smallest)                                                                             \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const T *const pa = ptx_at(warp, &insn->src[0]);                                                       \
		uint32_t mask = 0;                                                                                     \
		for (int l = 0; l < PTX_LANES; l++) {                                                                  \
			const T size = pa[l] & ((T)~(T)0 >> 1);                                                        \
			int yes = 0;                                                                                   \
			switch (insn->option[4]) {                                                                     \
			case ALU_TEST_FINITE: yes = size < (infinity); break;                                          \
			case ALU_TEST_INFINITE: yes = size == (infinity); break;                                       \
			case ALU_TEST_NUMBER: yes = size <= (infinity); break;                                         \
			case ALU_TEST_NOTANUMBER: yes = size > (infinity); break;                                      \
			case ALU_TEST_NORMAL: yes = size == 0 || (size >= (smallest) && size < (infinity)); break;     \
			case ALU_TEST_SUBNORMAL: yes = size > 0 && size < (smallest); break;                           \
			}                                                                                              \
			mask |= (uint32_t)yes << l;                                                                    \
		}                                                                                                      \
		alu_store_mask(ptx_at(warp, &insn->dst[0]), mask, active);                                             \
	}
TESTP(testp_f32, u32, NUMBER_F32_INFINITY, 0x00800000u)
TESTP(testp_f64, u64, NUMBER_F64_INFINITY, 0x0010000000000000ull)

#define C2(name, ...) do_SETP_##name, do_SET_##name,
#define OTHER(name) do_##name,
extern const ptx_execute ALU_TABLE(compare)[ALU_COMPARE_COUNT];
const ptx_execute ALU_TABLE(compare)[ALU_COMPARE_COUNT] = {
#include "device/ptx/alu_compare.def"
};
