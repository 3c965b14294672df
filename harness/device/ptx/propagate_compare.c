/* Definedness of comparisons: their outcome is defined where the bits that are defined decide it. */
#include "device/ptx/propagate_private.h"

#include "core/dtype.h"

static double number_of(uint64_t bits, enum ptx_type type, int flush)
{
	const uint32_t word = (uint32_t)bits;
	switch (type) {
	case PTX_F64: {
		double value;
		memcpy(&value, &bits, sizeof value);
		return value;
	}
	case PTX_F32: {
		float value;
		memcpy(&value, &word, sizeof value);
		return flush && !(word & 0x7f800000) ? 0.0 : (double)value;
	}
	case PTX_F16:
		return flush && !(word & 0x7c00) ? 0.0 : f16_to_f64((uint16_t)word);
	default:
		return bf16_to_f64((uint16_t)word);
	}
}

/* A comparison whose operands are defined, or decided by bits that are: 0 or 1; -1: not decided. `a`, `b` in the order of the text. */
static int compare(const struct ptx_instruction *source, enum ptx_type type, uint64_t a, uint64_t ua, uint64_t b, uint64_t ub)
{
	const unsigned bits = 8 * ptx_type_bytes(type);
	const uint64_t mask = low_bits(bits);
	int less, equal, unordered = 0; /* -1: not known */
	a &= mask, b &= mask, ua &= mask, ub &= mask;
	if (type == PTX_F64 || type == PTX_F32 || type == PTX_F16 || type == PTX_BF16) {
		if (ua | ub)
			return -1;
		const int flush = ptx_has(source, PTX_MOD_ftz);
		const double x = number_of(a, type, flush), y = number_of(b, type, flush);
		less = x < y;
		equal = x == y;
		unordered = x != x || y != y;
	} else {
		const int has_sign = is_signed(type);
		const struct range x = range_of(a, ua, bits, has_sign), y = range_of(b, ub, bits, has_sign);
		less = x.high < y.low ? 1 : x.low >= y.high ? 0 : -1;
		equal = (a ^ b) & ~(ua | ub) ? 0 : ua | ub ? -1 : 1;
		const int less_or_equal = x.high <= y.low ? 1 : x.low > y.high ? 0 : -1;
		for (int i = 0; i < source->modifier_count; i++)
			switch (source->modifiers[i]) {
			case PTX_MOD_lt: case PTX_MOD_lo: return less;
			case PTX_MOD_ge: case PTX_MOD_hs: return less < 0 ? -1 : !less;
			case PTX_MOD_le: case PTX_MOD_ls: return less_or_equal;
			case PTX_MOD_gt: case PTX_MOD_hi: return less_or_equal < 0 ? -1 : !less_or_equal;
			case PTX_MOD_eq: return equal;
			case PTX_MOD_ne: return equal < 0 ? -1 : !equal;
			default: break;
			}
		return -1;
	}
	for (int i = 0; i < source->modifier_count; i++)
		switch (source->modifiers[i]) {
		case PTX_MOD_eq: return !unordered && equal;
		case PTX_MOD_ne: return !unordered && !equal;
		case PTX_MOD_lt: return !unordered && less;
		case PTX_MOD_le: return !unordered && (less || equal);
		case PTX_MOD_gt: return !unordered && !less && !equal;
		case PTX_MOD_ge: return !unordered && !less;
		case PTX_MOD_equ: return unordered || equal;
		case PTX_MOD_neu: return unordered || !equal;
		case PTX_MOD_ltu: return unordered || less;
		case PTX_MOD_leu: return unordered || less || equal;
		case PTX_MOD_gtu: return unordered || (!less && !equal);
		case PTX_MOD_geu: return unordered || !less;
		case PTX_MOD_num: return !unordered;
		case PTX_MOD_nan: return unordered;
		default: break;
		}
	return -1;
}

/* Whether `compared` (0, 1, or -1: undefined) combined with c stays undefined. */
static int combined_undefined(const struct ptx_instruction *source, int compared, int c, int c_undefined)
{
	const int a_undefined = compared < 0;
	if (ptx_has(source, PTX_MOD_and))
		return (a_undefined || c_undefined) && (a_undefined || compared) && (c_undefined || c);
	if (ptx_has(source, PTX_MOD_or))
		return (a_undefined || c_undefined) && (a_undefined || !compared) && (c_undefined || !c);
	return a_undefined || c_undefined;
}

/* Sources may stand in the other order than in the text (alu_lower_compare.c): slots of the text's first two operands are found by
 * the comparison word, as there. */
static int swapped(const struct ptx_instruction *source, enum ptx_type type)
{
	const int real = type >= PTX_F16 && type <= PTX_F64;
	for (int i = 0; i < source->modifier_count; i++)
		switch (source->modifiers[i]) {
		case PTX_MOD_gt: case PTX_MOD_hi: return 1;
		case PTX_MOD_ge: case PTX_MOD_hs: return real;
		case PTX_MOD_le: case PTX_MOD_ls: return !real;
		case PTX_MOD_ltu: case PTX_MOD_leu: return 1;
		default: break;
		}
	return 0;
}

void ptx_propagate_compare(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct ptx_instruction *source = insn->source;
	const int is_set = source->opcode == PTX_OP_set, has_c = insn->src_count > 2;
	const enum ptx_type type = ptx_nth_type(source, is_set);
	const int packed = type == PTX_F16X2 || type == PTX_BF16X2;
	const enum ptx_type element = type == PTX_F16X2 ? PTX_F16 : type == PTX_BF16X2 ? PTX_BF16 : type;
	const int swap = swapped(source, type), pair = insn->dst_count > 1;
	const struct ptx_slot *slot_a = &insn->src[swap ? 1 : 0], *slot_b = &insn->src[swap ? 0 : 1], *slot_c = has_c ? &insn->src[2] : NULL;
	const uint32_t mask_a = ptx_undefined(warp, slot_a), mask_b = ptx_undefined(warp, slot_b), mask_c = has_c ? ptx_undefined(warp, slot_c) : 0;
	const unsigned result_bits = is_set ? 8 * ptx_type_bytes(ptx_nth_type(source, 0)) : 1;
	uint32_t results[2] = {0, 0};
	for (uint32_t rest = (mask_a | mask_b | mask_c) & active; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		const uint64_t a = load(ptx_at(warp, slot_a), slot_a, lane), b = load(ptx_at(warp, slot_b), slot_b, lane);
		const uint64_t ua = mask_a >> lane & 1 ? load(ptx_shadow_at(warp, slot_a), slot_a, lane) : 0;
		const uint64_t ub = mask_b >> lane & 1 ? load(ptx_shadow_at(warp, slot_b), slot_b, lane) : 0;
		const int c = has_c && (load(ptx_at(warp, slot_c), slot_c, lane) ^ (insn->option[2] ? 1 : 0)), uc = mask_c >> lane & 1;
		int undefined[2];
		for (int half = 0; half < 1 + packed; half++) {
			const int compared = compare(source, element, a >> (16 * half), ua >> (16 * half), b >> (16 * half), ub >> (16 * half));
			undefined[half] = has_c ? combined_undefined(source, compared, c, uc) : compared < 0;
			if (!packed && pair) /* q: the complement */
				undefined[1] = has_c ? combined_undefined(source, compared < 0 ? -1 : !compared, c, uc) : compared < 0;
		}
		if (is_set) {
			const uint64_t bits = packed ? (undefined[0] ? low_bits(result_bits / 2) : 0) |
							(undefined[1] ? low_bits(result_bits / 2) << (result_bits / 2) : 0)
						     : undefined[0] ? low_bits(result_bits) : 0;
			if (bits) {
				store(ptx_shadow_at(warp, &insn->dst[0]), &insn->dst[0], lane, bits);
				results[0] |= 1u << lane;
			}
			continue;
		}
		for (int i = 0; i < 1 + pair; i++)
			results[i] |= (uint32_t)undefined[i] << lane;
	}
	for (int i = 0; i < 1 + pair; i++)
		ptx_set_undefined(warp, &insn->dst[i], active, results[i]);
}
