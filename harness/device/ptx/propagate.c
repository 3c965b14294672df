/* Which bits of a result are undefined when bits of its operands are: rules of the kind of MemorySanitizer (Stepanov and
 * Serebryany, CGO 2015), bit by bit where instructions work on bits, by element where they work on numbers.
 *
 * Every rule marks at least the bits that can change when undefined bits of the operands do (tests/unit/test_ptx_definedness.c flips
 * them all); the rules for bits, shifts, permutations, sums and selections mark hardly more. An instruction without a rule makes
 * its destinations wholly undefined. A value is looked at through the type of the instruction: what lies above it in a wider
 * register has no influence. Rules run before the instruction, in the lanes where an operand is undefined. */
#include "device/ptx/propagate.h"
#include "device/ptx/propagate_private.h"

enum { SOURCES_MAX = 8 };

/* One lane's operands. */
struct operands {
	const struct ptx_insn *insn;
	const struct ptx_instruction *source;
	enum ptx_type type;        /* the first type of the instruction */
	unsigned bits;             /* of it */
	uint64_t value[SOURCES_MAX], undefined[SOURCES_MAX];
};
/* Undefined bits of destination 0. */
typedef uint64_t (*rule)(const struct operands *o);

static uint64_t all_or_none(uint64_t undefined, unsigned bits)
{
	return undefined ? low_bits(bits) : 0;
}

/* Runs a rule over the lanes. A destination may be a source as well: a lane's sources are read before its destination is
 * written, and the masks only at the end. */
static inline __attribute__((always_inline)) void apply(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, rule follow,
							 unsigned bits)
{
	struct operands o = {.insn = insn, .source = insn->source, .type = ptx_nth_type(insn->source, 0), .bits = bits};
	const unsigned count = insn->src_count < SOURCES_MAX ? insn->src_count : SOURCES_MAX;
	const struct ptx_slot *dst = &insn->dst[0];
	uint32_t masks[SOURCES_MAX], some = 0, result = 0;
	for (unsigned i = 0; i < count; i++)
		some |= masks[i] = ptx_undefined(warp, &insn->src[i]) & active;
	for (uint32_t rest = some; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		for (unsigned i = 0; i < count; i++) {
			const struct ptx_slot *slot = &insn->src[i];
			o.value[i] = load(ptx_at(warp, slot), slot, lane);
			o.undefined[i] = !(masks[i] >> lane & 1) ? 0 : slot->lane_bytes ? load(ptx_shadow_at(warp, slot), slot, lane) : 1;
		}
		const uint64_t undefined = follow(&o);
		if (undefined) {
			store(ptx_shadow_at(warp, dst), dst, lane, undefined);
			result |= 1u << lane;
		}
	}
	ptx_set_undefined(warp, dst, active, result);
}

static unsigned type_bits(const struct ptx_instruction *source)
{
	const enum ptx_type type = ptx_nth_type(source, 0);
	return type == PTX_PRED ? 1 : 8 * ptx_type_bytes(type);
}

#define RULE(name)                                                                                  \
	static void name##_lanes(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active) \
	{                                                                                           \
		apply(warp, insn, active, name, type_bits(insn->source));                           \
	}

/* ---- moves ---- */

void ptx_propagate_copy(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct ptx_slot *dst = &insn->dst[0], *src = &insn->src[0];
	const uint32_t some = ptx_undefined(warp, src) & active;
	if (dst->lane_bytes && src->lane_bytes == dst->lane_bytes && some)
		for (uint32_t rest = some; rest; rest &= rest - 1) {
			const unsigned offset = (unsigned)__builtin_ctz(rest) * dst->lane_bytes;
			memmove((unsigned char *)ptx_shadow_at(warp, dst) + offset, (const unsigned char *)ptx_shadow_at(warp, src) + offset,
				dst->lane_bytes);
		}
	ptx_set_undefined(warp, dst, active, some);
}

/* mov.b32 d, {a, b}; and mov.b32 {d, e}, a. The first part is the lowest. */
static void parts_lanes(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const unsigned parts = insn->dst_count > 1 ? insn->dst_count : insn->src_count;
	const unsigned bytes = type_bits(insn->source) / 8 / parts; /* of a part */
	uint32_t some = 0, masks[SOURCES_MAX] = {0}, results[SOURCES_MAX] = {0};
	if (parts > SOURCES_MAX)
		return;
	for (unsigned i = 0; i < insn->src_count; i++)
		some |= masks[i] = ptx_undefined(warp, &insn->src[i]) & active;
	for (uint32_t rest = some; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		unsigned char whole[16] = {0};
		for (unsigned i = 0; i < insn->src_count; i++) {
			const struct ptx_slot *slot = &insn->src[i];
			if (masks[i] >> lane & 1)
				memcpy(whole + i * bytes, (const unsigned char *)ptx_shadow_at(warp, slot) + (unsigned)lane * slot->lane_bytes,
				       insn->src_count > 1 ? bytes : slot->lane_bytes);
		}
		for (unsigned i = 0; i < insn->dst_count; i++) {
			const struct ptx_slot *slot = &insn->dst[i];
			unsigned char part[16] = {0}, any = 0;
			memcpy(part, whole + (insn->dst_count > 1 ? i * bytes : 0), insn->dst_count > 1 ? bytes : slot->lane_bytes);
			for (unsigned k = 0; k < 16; k++)
				any |= part[k];
			if (any) {
				memcpy((unsigned char *)ptx_shadow_at(warp, slot) + (unsigned)lane * slot->lane_bytes, part, slot->lane_bytes);
				results[i] |= 1u << lane;
			}
		}
	}
	for (unsigned i = 0; i < insn->dst_count; i++)
		ptx_set_undefined(warp, &insn->dst[i], active, results[i]);
}

/* ---- logic ---- */

/* Predicates may be negated: option[i] of and, or, xor, not (alu_lower_bits.c). */
static uint64_t operand(const struct operands *o, int i)
{
	return o->type == PTX_PRED && o->insn->option[i] ? o->value[i] ^ 1 : o->value[i];
}

static uint64_t rule_and(const struct operands *o)
{
	const uint64_t a = operand(o, 0), b = operand(o, 1), ua = o->undefined[0], ub = o->undefined[1];
	return (ua | ub) & (a | ua) & (b | ub) & low_bits(o->bits);
}
RULE(rule_and)

static uint64_t rule_or(const struct operands *o)
{
	const uint64_t a = operand(o, 0), b = operand(o, 1), ua = o->undefined[0], ub = o->undefined[1];
	return (ua | ub) & (~a | ua) & (~b | ub) & low_bits(o->bits);
}
RULE(rule_or)

/* xor, not; and copies bit for bit */
static uint64_t rule_union(const struct operands *o)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < o->insn->src_count && i < SOURCES_MAX; i++)
		all |= o->undefined[i];
	return all & low_bits(o->bits);
}
RULE(rule_union)

static uint32_t lop3(uint32_t a, uint32_t b, uint32_t c, unsigned table)
{
	uint32_t result = 0;
	for (unsigned i = 0; i < 8; i++)
		if (table >> i & 1)
			result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
	return result;
}

static uint64_t rule_lop3(const struct operands *o)
{
	const unsigned table = (unsigned)o->insn->immediate;
	uint32_t v[3], u[3], changed = 0;
	for (int i = 0; i < 3; i++) {
		v[i] = (uint32_t)o->value[i];
		u[i] = (uint32_t)o->undefined[i];
	}
	const uint32_t first = lop3(v[0], v[1], v[2], table);
	for (unsigned flip = 1; flip < 8; flip++)
		changed |= first ^ lop3(flip & 1 ? v[0] ^ u[0] : v[0], flip & 2 ? v[1] ^ u[1] : v[1], flip & 4 ? v[2] ^ u[2] : v[2], table);
	return changed;
}
RULE(rule_lop3)

/* ---- shifts and fields ---- */

static uint64_t sign_extended(uint64_t bits, unsigned width)
{
	return width >= 64 ? bits : (uint64_t)((int64_t)(bits << (64 - width)) >> (64 - width));
}

static uint64_t rule_shl(const struct operands *o)
{
	if ((uint32_t)o->undefined[1])
		return low_bits(o->bits);
	const uint32_t count = (uint32_t)o->value[1];
	return count >= o->bits ? 0 : (o->undefined[0] << count) & low_bits(o->bits);
}
RULE(rule_shl)

static uint64_t rule_shr(const struct operands *o)
{
	if ((uint32_t)o->undefined[1])
		return low_bits(o->bits);
	uint32_t count = (uint32_t)o->value[1];
	if (is_signed(o->type)) {
		count = count < 63 ? count : 63;
		return (uint64_t)((int64_t)sign_extended(o->undefined[0] & low_bits(o->bits), o->bits) >> count) & low_bits(o->bits);
	}
	return count >= o->bits ? 0 : (o->undefined[0] & low_bits(o->bits)) >> count;
}
RULE(rule_shr)

/* shf.l d, a, b, c: the high word of {b, a} << c; .r: the low word of {b, a} >> c. */
static uint64_t rule_shf(const struct operands *o)
{
	if (o->undefined[2])
		return UINT32_MAX;
	const uint32_t raw = (uint32_t)o->value[2];
	const uint32_t count = ptx_has(o->source, PTX_MOD_wrap) ? raw & 31 : raw < 32 ? raw : 32;
	const uint64_t both = (uint64_t)(uint32_t)o->undefined[1] << 32 | (uint32_t)o->undefined[0];
	return ptx_has(o->source, PTX_MOD_l) ? (both << count) >> 32 : (both >> count) & UINT32_MAX;
}
RULE(rule_shf)

static uint64_t rule_bfe(const struct operands *o)
{
	if ((o->undefined[1] | o->undefined[2]) & 0xff)
		return low_bits(o->bits);
	const unsigned position = o->value[1] & 0xff, length = o->value[2] & 0xff, top = o->bits - 1;
	const uint64_t undefined = o->undefined[0] & low_bits(o->bits);
	if (length == 0)
		return 0;
	uint64_t field = position > top ? 0 : undefined >> position;
	if (is_signed(o->type)) { /* filled with bit min(position + length - 1, msb) */
		const unsigned sign = position + length - 1 < top ? position + length - 1 : top;
		field = (field & low_bits(length)) | (undefined >> sign & 1 ? ~(sign < position ? 0 : low_bits(sign - position + 1)) : 0);
		return field & low_bits(o->bits);
	}
	return field & low_bits(length);
}
RULE(rule_bfe)

/* bfi f, a, b, c, d: a's low bits into b at c, d of them */
static uint64_t rule_bfi(const struct operands *o)
{
	if ((o->undefined[2] | o->undefined[3]) & 0xff)
		return low_bits(o->bits);
	const unsigned position = o->value[2] & 0xff, length = o->value[3] & 0xff;
	if (position >= o->bits)
		return o->undefined[1] & low_bits(o->bits);
	const uint64_t field = low_bits(length) << position;
	return ((o->undefined[1] & ~field) | (o->undefined[0] << position & field)) & low_bits(o->bits);
}
RULE(rule_bfi)

static uint64_t rule_brev(const struct operands *o)
{
	uint64_t reversed = 0;
	for (unsigned i = 0; i < o->bits; i++)
		reversed |= (o->undefined[0] >> i & 1) << (o->bits - 1 - i);
	return reversed;
}
RULE(rule_brev)

static uint64_t rule_clz(const struct operands *o)
{
	const uint64_t known = o->value[0] & ~o->undefined[0] & low_bits(o->bits);
	const uint64_t undefined = o->undefined[0] & low_bits(o->bits);
	return undefined > known ? low_bits(32) : 0; /* no undefined bit above the highest 1 that is known */
}
RULE(rule_clz)

static uint64_t rule_prmt(const struct operands *o)
{
	static const struct { enum ptx_modifier mode; uint16_t by_selector[4]; } modes[] = {
		/* bytes of {b, a}, four nibbles, by the two low bits of c (manual: prmt) */
		{PTX_MOD_f4e, {0x3210, 0x4321, 0x5432, 0x6543}}, {PTX_MOD_b4e, {0x5670, 0x6701, 0x7012, 0x0123}},
		{PTX_MOD_rc8, {0x0000, 0x1111, 0x2222, 0x3333}}, {PTX_MOD_ecl, {0x3210, 0x3211, 0x3222, 0x3333}},
		{PTX_MOD_ecr, {0x0000, 0x1110, 0x2210, 0x3210}}, {PTX_MOD_rc16, {0x1010, 0x3232, 0x1010, 0x3232}},
	};
	const uint64_t both = (uint64_t)(uint32_t)o->undefined[1] << 32 | (uint32_t)o->undefined[0];
	uint32_t selector = (uint32_t)o->value[2] & 0xffff, doubt = (uint32_t)o->undefined[2] & 0xffff;
	for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
		if (ptx_has(o->source, modes[i].mode)) {
			if (doubt & 3)
				return UINT32_MAX;
			selector = modes[i].by_selector[selector & 3];
			doubt = 0;
		}
	uint32_t result = 0;
	for (unsigned i = 0; i < 4; i++) {
		const unsigned pick = selector >> (4 * i) & 15;
		uint32_t byte = both >> (8 * (pick & 7)) & 0xff;
		if (pick & 8)
			byte = byte & 0x80 ? 0xff : 0;
		if (doubt >> (4 * i) & 15)
			byte = 0xff;
		result |= byte << (8 * i);
	}
	return result;
}
RULE(rule_prmt)

/* ---- selection and comparison ---- */

/* selp d, a, b, p: option[2] negates p (alu_lower_compare.c) */
static uint64_t rule_selp(const struct operands *o)
{
	if (o->undefined[2])
		return (o->undefined[0] | o->undefined[1] | (o->value[0] ^ o->value[1])) & low_bits(o->bits);
	const int first = (o->value[2] ^ (o->insn->option[2] ? 1 : 0)) != 0;
	return o->undefined[first ? 0 : 1] & low_bits(o->bits);
}
RULE(rule_selp)

static uint64_t rule_slct(const struct operands *o)
{
	const uint64_t sign = UINT32_C(1) << 31;
	if (ptx_nth_type(o->source, 1) == PTX_F32 ? o->undefined[2] != 0 : (o->undefined[2] & sign) != 0)
		return (o->undefined[0] | o->undefined[1] | (o->value[0] ^ o->value[1])) & low_bits(o->bits);
	float c;
	const uint32_t bits = (uint32_t)o->value[2];
	memcpy(&c, &bits, sizeof c);
	const int first = ptx_nth_type(o->source, 1) == PTX_F32 ? c >= 0 || (ptx_has(o->source, PTX_MOD_ftz) && !(bits & 0x7f800000)) : !(bits & sign);
	return o->undefined[first ? 0 : 1] & low_bits(o->bits);
}
RULE(rule_slct)

static uint64_t rule_minmax(const struct operands *o)
{
	const struct range a = range_of(o->value[0], o->undefined[0], o->bits, is_signed(o->type));
	const struct range b = range_of(o->value[1], o->undefined[1], o->bits, is_signed(o->type));
	const int min = o->source->opcode == PTX_OP_min;
	if (a.high <= b.low)
		return o->undefined[min ? 0 : 1] & low_bits(o->bits);
	if (b.high <= a.low)
		return o->undefined[min ? 1 : 0] & low_bits(o->bits);
	return (o->undefined[0] | o->undefined[1] | (o->value[0] ^ o->value[1])) & low_bits(o->bits);
}
RULE(rule_minmax)

/* ---- integer arithmetic ---- */

/* a + b + carry: a bit of the sum is known where both bits and the carry into it are; carries only grow with the operands. */
static uint64_t undefined_sum(uint64_t a, uint64_t ua, uint64_t b, uint64_t ub, uint64_t carry, unsigned bits)
{
	const uint64_t low = (a & ~ua) + (b & ~ub) + carry, high = (a | ua) + (b | ub) + carry;
	const uint64_t low_carries = low ^ (a & ~ua) ^ (b & ~ub), high_carries = high ^ (a | ua) ^ (b | ub);
	return (ua | ub | (low_carries ^ high_carries)) & low_bits(bits);
}

static uint64_t rule_add(const struct operands *o)
{
	return undefined_sum(o->value[0], o->undefined[0], o->value[1], o->undefined[1], 0, o->bits);
}
RULE(rule_add)

static uint64_t rule_sub(const struct operands *o)
{
	return undefined_sum(o->value[0], o->undefined[0], ~o->value[1], o->undefined[1], 1, o->bits);
}
RULE(rule_sub)

static uint64_t rule_neg(const struct operands *o)
{
	return undefined_sum(0, 0, ~o->value[0], o->undefined[0], 1, o->bits);
}
RULE(rule_neg)

static unsigned trailing(uint64_t bits)
{
	return bits ? (unsigned)__builtin_ctzll(bits) : 64;
}

/* Lowest bit of a product that can change: an operand's lowest undefined bit, moved up by the zeros the other ends in. */
static unsigned product_from(uint64_t a, uint64_t ua, uint64_t b, uint64_t ub, unsigned bits)
{
	const uint64_t mask = low_bits(bits);
	a &= mask, b &= mask, ua &= mask, ub &= mask;
	if ((a | ua) == 0 || (b | ub) == 0)
		return 128; /* zero whatever the other is */
	const unsigned from_a = ua ? trailing(ua) + trailing(b | ub) : 128, from_b = ub ? trailing(ub) + trailing(a | ua) : 128;
	return from_a < from_b ? from_a : from_b;
}

static uint64_t rule_mul(const struct operands *o)
{
	const unsigned from = product_from(o->value[0], o->undefined[0], o->value[1], o->undefined[1], o->bits);
	if (ptx_has(o->source, PTX_MOD_hi))
		return from >= 128 ? 0 : low_bits(o->bits);
	const unsigned width = ptx_has(o->source, PTX_MOD_wide) ? 2 * o->bits : o->bits;
	return from >= width ? 0 : low_bits(width) & ~low_bits(from);
}
RULE(rule_mul)

static uint64_t rule_mad(const struct operands *o)
{
	const unsigned from = product_from(o->value[0], o->undefined[0], o->value[1], o->undefined[1], o->bits);
	const int wide = ptx_has(o->source, PTX_MOD_wide);
	const unsigned width = wide ? 2 * o->bits : o->bits;
	if (ptx_has(o->source, PTX_MOD_hi))
		return from >= 128 && !o->undefined[2] ? 0 : low_bits(o->bits);
	uint64_t a = o->value[0] & low_bits(o->bits), b = o->value[1] & low_bits(o->bits);
	if (wide && is_signed(o->type)) {
		a = sign_extended(a, o->bits);
		b = sign_extended(b, o->bits);
	}
	return undefined_sum(a * b, from >= width ? 0 : low_bits(width) & ~low_bits(from), o->value[2], o->undefined[2], 0, width);
}
RULE(rule_mad)

/* ---- numbers: by element ---- */

static uint64_t by_elements(const struct operands *o, unsigned bits, unsigned element)
{
	uint64_t all = 0, result = 0;
	for (unsigned i = 0; i < o->insn->src_count && i < SOURCES_MAX; i++)
		all |= o->undefined[i];
	for (unsigned at = 0; at < bits; at += element)
		result |= all_or_none(all >> at & low_bits(element), element) << at;
	return result;
}

static uint64_t rule_halves(const struct operands *o)
{
	return by_elements(o, 32, 16);
}
RULE(rule_halves)

static uint64_t rule_singles(const struct operands *o)
{
	return by_elements(o, 64, 32);
}
RULE(rule_singles)

static uint64_t rule_scalar(const struct operands *o)
{
	return by_elements(o, o->bits, o->bits);
}
RULE(rule_scalar)

/* copysign d, a, b: the sign of a, the rest of b */
static uint64_t rule_copysign(const struct operands *o)
{
	const uint64_t sign = UINT64_C(1) << (o->bits - 1);
	return ((o->undefined[0] & sign) | (o->undefined[1] & ~sign)) & low_bits(o->bits);
}
RULE(rule_copysign)

/* ---- cvt ---- */

static int is_integer(enum ptx_type type)
{
	return (type >= PTX_U8 && type <= PTX_U64) || (type >= PTX_S8 && type <= PTX_S64);
}

/* Integer to integer without saturation: extended by the source's sign, cut to the type, extended by the type's sign into the
 * register. */
static void cvt_integer_lanes(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct ptx_instruction *source = insn->source;
	const enum ptx_type to = ptx_nth_type(source, 0), from = ptx_nth_type(source, 1);
	const unsigned to_bits = 8 * ptx_type_bytes(to), from_bits = 8 * ptx_type_bytes(from);
	const struct ptx_slot *dst = &insn->dst[0], *src = &insn->src[0];
	const uint32_t some = ptx_undefined(warp, src) & active;
	const struct ptx_operand *target = &source->operands[0];
	const unsigned register_bytes = target->kind == PTX_OPERAND_REGISTER ? ptx_type_bytes(warp->frame->program->function->registers[target->reg].type)
									     : dst->lane_bytes;
	uint32_t result = 0;
	for (uint32_t rest = some; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		uint64_t undefined = load(ptx_shadow_at(warp, src), src, lane) & low_bits(from_bits);
		if (is_signed(from))
			undefined = sign_extended(undefined, from_bits);
		undefined &= low_bits(to_bits);
		if (is_signed(to))
			undefined = sign_extended(undefined, to_bits) & low_bits(8 * register_bytes);
		if (undefined) {
			store(ptx_shadow_at(warp, dst), dst, lane, undefined);
			result |= 1u << lane;
		}
	}
	ptx_set_undefined(warp, dst, active, result);
}

/* Any other conversion of one number: all of it, in whatever register it is. */
static void cvt_scalar_lanes(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const unsigned from_bits = 8 * ptx_type_bytes(ptx_nth_type(insn->source, 1));
	const struct ptx_slot *dst = &insn->dst[0], *src = &insn->src[0];
	const uint32_t some = ptx_undefined(warp, src) & active;
	uint32_t result = 0;
	for (uint32_t rest = some; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		if (load(ptx_shadow_at(warp, src), src, lane) & low_bits(from_bits)) {
			store(ptx_shadow_at(warp, dst), dst, lane, low_bits(8u * dst->lane_bytes));
			result |= 1u << lane;
		}
	}
	ptx_set_undefined(warp, dst, active, result);
}

static unsigned packed_bits(enum ptx_type type)
{
	switch (type) {
	case PTX_F16X2: case PTX_BF16X2: return 16;
	case PTX_E2M1X2: return 4;
	case PTX_E4M3X2: case PTX_E5M2X2: case PTX_E2M3X2: case PTX_E3M2X2: case PTX_UE8M0X2: return 8;
	default: return 0;
	}
}

/* Two numbers: d = {a, b} of two floats, the first one high; or both of one register. */
static void cvt_packed_lanes(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const unsigned to = packed_bits(ptx_nth_type(insn->source, 0)), from = packed_bits(ptx_nth_type(insn->source, 1));
	const struct ptx_slot *dst = &insn->dst[0], *high_slot = &insn->src[0], *low_slot = &insn->src[insn->src_count - 1];
	const uint32_t high_mask = ptx_undefined(warp, high_slot), low_mask = ptx_undefined(warp, low_slot);
	uint32_t result = 0;
	for (uint32_t rest = (high_mask | low_mask) & active; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		uint64_t high = high_mask >> lane & 1 ? load(ptx_shadow_at(warp, high_slot), high_slot, lane) : 0;
		uint64_t low = low_mask >> lane & 1 ? load(ptx_shadow_at(warp, low_slot), low_slot, lane) : 0;
		if (insn->src_count == 1) {
			low &= low_bits(from);
			high = high >> from & low_bits(from);
		}
		const uint64_t undefined = all_or_none(low, to) | all_or_none(high, to) << to;
		if (undefined) {
			store(ptx_shadow_at(warp, dst), dst, lane, undefined);
			result |= 1u << lane;
		}
	}
	ptx_set_undefined(warp, dst, active, result);
}

static ptx_execute cvt_rule(const struct ptx_instruction *instruction)
{
	const enum ptx_type to = ptx_nth_type(instruction, 0), from = ptx_nth_type(instruction, 1);
	if (ptx_has(instruction, PTX_MOD_pack))
		return NULL;
	if (is_integer(to) && is_integer(from))
		return ptx_has(instruction, PTX_MOD_sat) ? cvt_scalar_lanes : cvt_integer_lanes;
	if (packed_bits(to) && (packed_bits(from) || from == PTX_F32))
		return cvt_packed_lanes;
	if (packed_bits(to) || packed_bits(from))
		return NULL;
	return cvt_scalar_lanes;
}

/* ---- choice ---- */

ptx_execute ptx_propagation(const struct ptx_instruction *instruction)
{
	const enum ptx_type type = ptx_nth_type(instruction, 0);
	const int integer = is_integer(type), plain = !ptx_has(instruction, PTX_MOD_cc) && !ptx_has(instruction, PTX_MOD_sat);
	const int halves = type == PTX_F16X2 || type == PTX_BF16X2 || type == PTX_U16X2 || type == PTX_S16X2;
	switch (instruction->opcode) {
	case PTX_OP_mov:
		return instruction->operands[0].kind == PTX_OPERAND_VECTOR || instruction->operands[1].kind == PTX_OPERAND_VECTOR ? parts_lanes
																  : ptx_propagate_copy;
	case PTX_OP_and: return rule_and_lanes;
	case PTX_OP_or: return rule_or_lanes;
	case PTX_OP_xor:
	case PTX_OP_not: return rule_union_lanes;
	case PTX_OP_lop3: return ptx_has(instruction, PTX_MOD_and) || ptx_has(instruction, PTX_MOD_or) ? NULL : rule_lop3_lanes;
	case PTX_OP_shl: return rule_shl_lanes;
	case PTX_OP_shr: return rule_shr_lanes;
	case PTX_OP_shf: return rule_shf_lanes;
	case PTX_OP_bfe: return rule_bfe_lanes;
	case PTX_OP_bfi: return rule_bfi_lanes;
	case PTX_OP_brev: return rule_brev_lanes;
	case PTX_OP_clz: return rule_clz_lanes;
	case PTX_OP_prmt: return rule_prmt_lanes;
	case PTX_OP_selp: return rule_selp_lanes;
	case PTX_OP_slct: return rule_slct_lanes;
	case PTX_OP_setp:
	case PTX_OP_set: return ptx_propagate_compare;
	case PTX_OP_cvt: return cvt_rule(instruction);
	case PTX_OP_copysign: return rule_copysign_lanes;
	case PTX_OP_add:
		if (integer && plain)
			return rule_add_lanes;
		break;
	case PTX_OP_sub:
		if (integer && plain)
			return rule_sub_lanes;
		break;
	case PTX_OP_neg:
		if (integer)
			return rule_neg_lanes;
		break;
	case PTX_OP_mul:
		if (integer)
			return rule_mul_lanes;
		break;
	case PTX_OP_mad:
		if (integer && plain)
			return rule_mad_lanes;
		break;
	case PTX_OP_min:
	case PTX_OP_max:
		if (integer && instruction->modifier_count == 1)
			return rule_minmax_lanes;
		break;
	case PTX_OP_abs: case PTX_OP_fma: case PTX_OP_ex2: case PTX_OP_tanh:
		break;
	default:
		return NULL;
	}
	if (!plain && integer)
		return NULL;
	if (halves)
		return rule_halves_lanes;
	if (type == PTX_F32X2)
		return rule_singles_lanes;
	return type == PTX_F16 || type == PTX_BF16 ? rule_scalar_lanes : NULL;
}
