/* atom and red (manual 9.7.13): host atomics, lane after lane, so that the order among the lanes of a warp is theirs. */
#include "device/ptx/memory_private.h"

#include "core/dtype.h"

enum { OPTION_OPERATION = OPTION_A, OPTION_TYPE = OPTION_B };

enum operation { OPERATION_ADD, OPERATION_MIN, OPERATION_MAX, OPERATION_INC, OPERATION_DEC, OPERATION_AND, OPERATION_OR, OPERATION_XOR,
		 OPERATION_EXCH, OPERATION_CAS };

static uint32_t f32_bits(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static float f32_value(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static uint32_t f32_flushed(uint32_t bits)
{
	return bits & 0x7f800000 ? bits : bits & 0x80000000;
}

/* In global memory subnormal numbers count as zeros, in shared memory not (manual: atom). */
static uint32_t f32_add(uint32_t a, uint32_t b, int flush)
{
	const float sum = flush ? f32_value(f32_flushed(a)) + f32_value(f32_flushed(b)) : f32_value(a) + f32_value(b);
	if (sum != sum)
		return 0x7fffffff; /* the NaN that arithmetic gives (manual: floating-point NaN) */
	return flush ? f32_flushed(f32_bits(sum)) : f32_bits(sum);
}

static uint64_t f64_add(uint64_t a, uint64_t b)
{
	double x, y;
	memcpy(&x, &a, sizeof x);
	memcpy(&y, &b, sizeof y);
	x += y;
	memcpy(&a, &x, sizeof a);
	return a;
}

/* Sums of two f16 or bf16 are exact in double, or so far apart that rounding twice cannot show (53 >= 2 * 11 + 2). */
static uint16_t half_combine(enum operation operation, int is_bf16, uint16_t a, uint16_t b)
{
	const double x = is_bf16 ? bf16_to_f64(a) : f16_to_f64(a), y = is_bf16 ? bf16_to_f64(b) : f16_to_f64(b);
	if (operation == OPERATION_ADD) {
		const double sum = x + y;
		if (sum != sum)
			return 0x7fff;
		return is_bf16 ? bf16_from_f64(sum) : f16_from_f64(sum);
	}
	if (x != x || y != y)
		return x == x ? a : y == y ? b : 0x7fff;
	if (x == y) /* -0 < +0 */
		return operation == OPERATION_MIN ? (uint16_t)(a | b) : (uint16_t)(a & b);
	return (x < y) == (operation == OPERATION_MIN) ? a : b;
}

/* What stands in memory afterwards. `b` is the operand; of cas, the new value where `c`, what is expected, is there. */
static uint64_t combine(enum operation operation, enum ptx_type type, uint64_t old, uint64_t b, int flush)
{
	switch (operation) {
	case OPERATION_AND: return old & b;
	case OPERATION_OR: return old | b;
	case OPERATION_XOR: return old ^ b;
	case OPERATION_EXCH: return b;
	case OPERATION_INC: return (uint32_t)old >= (uint32_t)b ? 0 : (uint32_t)old + 1;
	case OPERATION_DEC: return (uint32_t)old == 0 || (uint32_t)old > (uint32_t)b ? (uint32_t)b : (uint32_t)old - 1;
	default: break;
	}
	const int min = operation == OPERATION_MIN;
	switch (type) {
	case PTX_U32:
		return operation == OPERATION_ADD ? (uint32_t)(old + b) : ((uint32_t)old < (uint32_t)b) == min ? (uint32_t)old : (uint32_t)b;
	case PTX_S32:
		return operation == OPERATION_ADD ? (uint32_t)(old + b) : ((int32_t)old < (int32_t)b) == min ? (uint32_t)old : (uint32_t)b;
	case PTX_U64:
		return operation == OPERATION_ADD ? old + b : (old < b) == min ? old : b;
	case PTX_S64:
		return operation == OPERATION_ADD ? old + b : ((int64_t)old < (int64_t)b) == min ? old : b;
	case PTX_F32:
		return f32_add((uint32_t)old, (uint32_t)b, flush);
	case PTX_F64:
		return f64_add(old, b);
	case PTX_F16:
	case PTX_BF16:
		return half_combine(operation, type == PTX_BF16, (uint16_t)old, (uint16_t)b);
	default: /* f16x2, bf16x2 */
		return half_combine(operation, type == PTX_BF16X2, (uint16_t)old, (uint16_t)b) |
		       (uint32_t)half_combine(operation, type == PTX_BF16X2, (uint16_t)(old >> 16), (uint16_t)(b >> 16)) << 16;
	}
}

#define ATOMIC_WORD(name, word)                                                                                             \
	static uint64_t name(unsigned char *host, enum operation operation, enum ptx_type type, uint64_t b, uint64_t c, int flush) \
	{                                                                                                                   \
		word *place = (word *)(void *)host;                                                                         \
		if (operation == OPERATION_CAS) {                                                                           \
			word expected = (word)c;                                                                            \
			__atomic_compare_exchange_n(place, &expected, (word)b, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
			return expected;                                                                                    \
		}                                                                                                           \
		word old = __atomic_load_n(place, __ATOMIC_RELAXED);                                                        \
		while (!__atomic_compare_exchange_n(place, &old, (word)combine(operation, type, old, b, flush), 0, __ATOMIC_SEQ_CST, \
						    __ATOMIC_RELAXED))                                                      \
			;                                                                                                   \
		return old;                                                                                                 \
	}
ATOMIC_WORD(atomic16, uint16_t)
ATOMIC_WORD(atomic32, uint32_t)
ATOMIC_WORD(atomic64, uint64_t)

/* Undefined bits of what stands in memory afterwards; `old` and `b`, `c` are values, `u` their undefined bits. */
static uint64_t combine_undefined(enum operation operation, uint64_t old, uint64_t old_u, uint64_t b, uint64_t b_u, uint64_t c_u, uint64_t all)
{
	switch (operation) {
	case OPERATION_EXCH: return b_u;
	case OPERATION_AND: return (old_u | b_u) & (old | old_u) & (b | b_u);
	case OPERATION_OR: return (old_u | b_u) & (~old | old_u) & (~b | b_u);
	case OPERATION_XOR: return old_u | b_u;
	case OPERATION_CAS: return old_u | c_u ? all : b_u; /* whether it was exchanged is not known; b_u is for when it was */
	default: return old_u | b_u ? all : 0;
	}
}

static uint64_t lane_value(const unsigned char *at, const struct ptx_slot *slot, int lane)
{
	if (slot->lane_bytes == 8) {
		uint64_t value;
		memcpy(&value, at + 8 * (unsigned)lane, 8);
		return value;
	}
	uint32_t value;
	memcpy(&value, at + 4 * (unsigned)lane, 4);
	return value;
}

static uint64_t lane_shadow(const struct ptx_warp *warp, const struct ptx_slot *slot, int lane)
{
	return ptx_undefined(warp, slot) >> lane & 1 ? lane_value(ptx_shadow_at(warp, slot), slot, lane) : 0;
}

static void set_lane(void *at, const struct ptx_slot *slot, int lane, uint64_t value)
{
	if (slot->lane_bytes == 8)
		((uint64_t *)at)[lane] = value;
	else
		((uint32_t *)at)[lane] = (uint32_t)value;
}

static uint8_t union_of(const uint8_t *bytes, unsigned count)
{
	uint8_t all = 0;
	for (unsigned i = 0; i < count; i++)
		all |= bytes[i];
	return all;
}

/* Undefined bits that a lane's atomic leaves in memory. `old`: what was there, by element; `bits`: its undefined bits. Returns 0
 * when nothing is undefined on either side. */
static int atomic_undefined(const struct ptx_access *access, int lane, const uint64_t *old, const uint8_t *bits, uint8_t *after)
{
	const struct ptx_warp *warp = access->warp;
	const struct ptx_insn *insn = access->insn;
	const unsigned width = insn->option[OPTION_WIDTH], elements = insn->option[OPTION_ELEMENTS];
	const struct ptx_slot *operands = insn->src + insn->option[OPTION_DATA];
	const enum operation operation = (enum operation)insn->option[OPTION_OPERATION];
	const int cas = operation == OPERATION_CAS;
	const uint64_t all = width == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width)) - 1;
	uint64_t any = 0;
	for (unsigned e = 0; e < elements; e++) {
		const struct ptx_slot *b = &operands[cas ? 1 : e];
		const uint64_t b_u = lane_shadow(warp, b, lane), c_u = cas ? lane_shadow(warp, &operands[0], lane) : 0;
		uint64_t old_u = 0;
		memcpy(&old_u, bits + e * width, width);
		uint64_t new_u = combine_undefined(operation, old[e], old_u, lane_value(ptx_at(warp, b), b, lane), b_u, c_u, all);
		if (cas && !(old_u | c_u) && old[e] != (lane_value(ptx_at(warp, &operands[0]), &operands[0], lane) & all))
			new_u = 0; /* nothing was exchanged, and what is there is defined */
		memcpy(after + e * width, &new_u, width);
		any |= old_u | b_u | c_u;
	}
	return any != 0;
}

static void execute_atomic(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_access access;
	const unsigned width = insn->option[OPTION_WIDTH], elements = insn->option[OPTION_ELEMENTS];
	const struct ptx_slot *operands = insn->src + insn->option[OPTION_DATA];
	const enum operation operation = (enum operation)insn->option[OPTION_OPERATION];
	const enum ptx_type type = (enum ptx_type)insn->option[OPTION_TYPE];
	const int cas = operation == OPERATION_CAS;
	ptx_access_begin(&access, warp, insn, ACCESS_ATOMIC);
	access.align = elements > 1 ? access.bytes : width;
	if (ptx_access_address(&access, active, 0))
		return;
	uint32_t unknown = 0;
	if (warp->checks)
		for (unsigned i = 0; i < elements + (unsigned)cas; i++)
			unknown |= ptx_undefined(warp, &operands[i]);
	for (uint32_t rest = active; rest;) {
		rest = ptx_access_split(&access, rest);
		if (ptx_access_resolve(&access))
			return;
		const int flush = access.space == PTX_SPACE_GLOBAL;
		for (uint32_t lanes = access.lanes; lanes; lanes &= lanes - 1) {
			const int lane = __builtin_ctz(lanes);
			uint64_t old[8];
			uint8_t bits[ACCESS_BYTES_MAX] = {0}, after[ACCESS_BYTES_MAX];
			const int look = warp->checks && (unknown >> lane & 1 || !access.all_defined);
			if (look)
				ptx_access_undefined(&access, lane, bits);
			for (unsigned e = 0; e < elements; e++) {
				const struct ptx_slot *slot = &operands[cas ? 1 : e];
				const uint64_t b = lane_value(ptx_at(warp, slot), slot, lane);
				const uint64_t c = cas ? lane_value(ptx_at(warp, &operands[0]), &operands[0], lane) : 0;
				unsigned char *host = access.host[lane] + e * width;
				old[e] = width == 4 ? atomic32(host, operation, type, b, c, flush) : width == 8 ?
					 atomic64(host, operation, type, b, c, flush) : atomic16(host, operation, type, b, c, flush);
			}
			/* what memory holds now is told by the operands' shadows: before destinations, which may be the same registers */
			if (look && atomic_undefined(&access, lane, old, bits, after))
				ptx_access_stored(&access, lane, union_of(after, access.bytes) ? after : NULL);
			for (unsigned e = 0; e < insn->dst_count; e++) {
				set_lane(ptx_at(warp, &insn->dst[e]), &insn->dst[e], lane, old[e]);
				if (!warp->checks)
					continue;
				uint64_t shadow = 0;
				memcpy(&shadow, bits + e * width, width);
				ptx_set_undefined(warp, &insn->dst[e], 1u << lane, shadow ? 1u << lane : 0);
				if (shadow)
					set_lane(ptx_shadow_at(warp, &insn->dst[e]), &insn->dst[e], lane, shadow);
			}
		}
		if (warp->checks) {
			warp->worker->counts.atomics += (unsigned)__builtin_popcount(access.lanes);
			ptx_access_count(&access);
		}
	}
}

/* 128 bits: exch and cas only, under the memory's lock. */
static void execute_atomic128(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_access access;
	const struct ptx_slot *operands = insn->src + insn->option[OPTION_DATA];
	const int cas = insn->option[OPTION_OPERATION] == OPERATION_CAS;
	ptx_access_begin(&access, warp, insn, ACCESS_ATOMIC);
	if (ptx_access_address(&access, active, 0))
		return;
	for (uint32_t rest = active; rest;) {
		rest = ptx_access_split(&access, rest);
		if (ptx_access_resolve(&access))
			return;
		for (uint32_t lanes = access.lanes; lanes; lanes &= lanes - 1) {
			const int lane = __builtin_ctz(lanes);
			const unsigned char *b = (const unsigned char *)ptx_at(warp, &operands[cas]) + 16 * lane;
			const unsigned char *c = (const unsigned char *)ptx_at(warp, &operands[0]) + 16 * lane;
			unsigned char old[16];
			uint8_t bits[ACCESS_BYTES_MAX] = {0}, after[16] = {0};
			int unknown = 0, doubtful = 0;
			if (warp->checks) {
				unknown = ptx_access_undefined(&access, lane, bits) != 0;
				doubtful = cas && (unknown || (ptx_undefined(warp, &operands[0]) >> lane & 1)); /* whether it is exchanged */
				if (doubtful)
					memset(after, 0xff, 16);
				else if (ptx_undefined(warp, &operands[cas]) >> lane & 1)
					memcpy(after, (const unsigned char *)ptx_shadow_at(warp, &operands[cas]) + 16 * lane, 16);
			}
			ptx_memory_lock(warp->block->memory);
			memcpy(old, access.host[lane], 16);
			const int exchanged = !cas || memcmp(old, c, 16) == 0;
			if (exchanged)
				memcpy(access.host[lane], b, 16);
			ptx_memory_unlock(warp->block->memory);
			if (warp->checks && (exchanged || doubtful))
				ptx_access_stored(&access, lane, union_of(after, 16) ? after : NULL);
			if (insn->dst_count) {
				memcpy((unsigned char *)ptx_at(warp, &insn->dst[0]) + 16 * lane, old, 16);
				if (warp->checks) {
					ptx_set_undefined(warp, &insn->dst[0], 1u << lane, unknown ? 1u << lane : 0);
					if (unknown)
						memcpy((unsigned char *)ptx_shadow_at(warp, &insn->dst[0]) + 16 * lane, bits, 16);
				}
			}
		}
		if (warp->checks) {
			warp->worker->counts.atomics += (unsigned)__builtin_popcount(access.lanes);
			ptx_access_count(&access);
		}
	}
}

/* Types of each operation (manual: atom, red). */
static int allowed(enum operation operation, enum ptx_type type, int vector, int noftz)
{
	const int half = type == PTX_F16 || type == PTX_BF16 || type == PTX_F16X2 || type == PTX_BF16X2;
	if (half)
		return noftz && (operation == OPERATION_ADD || (vector && (operation == OPERATION_MIN || operation == OPERATION_MAX)));
	if (noftz)
		return 0;
	switch (operation) {
	case OPERATION_AND:
	case OPERATION_OR:
	case OPERATION_XOR:
		return type == PTX_B32 || type == PTX_B64;
	case OPERATION_EXCH:
		return type == PTX_B32 || type == PTX_B64 || type == PTX_B128;
	case OPERATION_CAS:
		return type == PTX_B16 || type == PTX_B32 || type == PTX_B64 || type == PTX_B128;
	case OPERATION_INC:
	case OPERATION_DEC:
		return type == PTX_U32;
	case OPERATION_ADD:
		return type == PTX_U32 || type == PTX_S32 || type == PTX_U64 || type == PTX_S64 || type == PTX_F32 || type == PTX_F64;
	default:
		return type == PTX_U32 || type == PTX_S32 || type == PTX_U64 || type == PTX_S64;
	}
}

int ptx_lower_atomic(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const int is_red = instruction->opcode == PTX_OP_red;
	enum ptx_space space = PTX_SPACE_GENERIC;
	enum ptx_type type = PTX_NO_TYPE;
	enum access_strength strength = STRENGTH_RELAXED;
	int operation = -1, noftz = 0, hint = 0;
	unsigned elements = 1;
	for (int i = 0; i < instruction->modifier_count; i++) {
		const enum ptx_modifier modifier = instruction->modifiers[i];
		if (ptx_modifier_type(modifier) != PTX_NO_TYPE) {
			if (type != PTX_NO_TYPE)
				return ptx_malformed(lowering, "two types");
			type = ptx_modifier_type(modifier);
			continue;
		}
		switch (modifier) {
		case PTX_MOD_global: space = PTX_SPACE_GLOBAL; break;
		case PTX_MOD_shared: case PTX_MOD_shared__cta: case PTX_MOD_shared__cluster: space = PTX_SPACE_SHARED; break;
		case PTX_MOD_add: operation = OPERATION_ADD; break;
		case PTX_MOD_min: operation = OPERATION_MIN; break;
		case PTX_MOD_max: operation = OPERATION_MAX; break;
		case PTX_MOD_inc: operation = OPERATION_INC; break;
		case PTX_MOD_dec: operation = OPERATION_DEC; break;
		case PTX_MOD_and: operation = OPERATION_AND; break;
		case PTX_MOD_or: operation = OPERATION_OR; break;
		case PTX_MOD_xor: operation = OPERATION_XOR; break;
		case PTX_MOD_exch: operation = OPERATION_EXCH; break;
		case PTX_MOD_cas: operation = OPERATION_CAS; break;
		case PTX_MOD_noftz: noftz = 1; break;
		case PTX_MOD_v2: elements = 2; break;
		case PTX_MOD_v4: elements = 4; break;
		case PTX_MOD_v8: elements = 8; break;
		case PTX_MOD_relaxed: strength = STRENGTH_RELAXED; break;
		case PTX_MOD_acquire: strength = STRENGTH_ACQUIRE; break;
		case PTX_MOD_release: strength = STRENGTH_RELEASE; break;
		case PTX_MOD_acq_rel: strength = STRENGTH_ACQ_REL; break;
		case PTX_MOD_L2__cache_hint: hint = 1; break;
		case PTX_MOD_cta: case PTX_MOD_cluster: case PTX_MOD_gpu: case PTX_MOD_sys: break;
		default:
			return ptx_unsupported(lowering, "modifier .%s is not executed", modifier == PTX_MOD_unknown ? "?" : ptx_modifier_name(modifier));
		}
	}
	const int cas = operation == OPERATION_CAS;
	if (operation < 0 || !allowed((enum operation)operation, type, elements > 1, noftz) || (is_red && (cas || operation == OPERATION_EXCH)))
		return ptx_malformed(lowering, "this operation is not defined for this type");
	const unsigned width = ptx_type_bytes(type);
	if (elements > 1 && (space == PTX_SPACE_SHARED || elements * width > 16 ||
			     !(type == PTX_F32 || type == PTX_F16 || type == PTX_BF16 || type == PTX_F16X2 || type == PTX_BF16X2)))
		return ptx_malformed(lowering, "no vector of this type, length or state space");
	const int first = is_red ? 0 : 1;
	if (instruction->operand_count != first + 2 + cas + hint)
		return ptx_malformed(lowering, "%d operands are expected, %d found", first + 2 + cas + hint, instruction->operand_count);

	const struct ptx_operand *to = ptx_operand(lowering, 0), *address = ptx_operand(lowering, first), *from = ptx_operand(lowering, first + 1);
	const int data = address->kind == PTX_OPERAND_ADDRESS && address->reg >= 0;
	if (elements > 1 && (from->kind != PTX_OPERAND_VECTOR || from->count != (int)elements ||
			     (!is_red && (to->kind != PTX_OPERAND_VECTOR || to->count != (int)elements))))
		return ptx_malformed(lowering, "vectors of %u elements are expected", elements);
	insn->option[OPTION_SPACE] = (uint8_t)space;
	insn->option[OPTION_WIDTH] = (uint8_t)width;
	insn->option[OPTION_ELEMENTS] = (uint8_t)elements;
	insn->option[OPTION_STRONG] = (uint8_t)ptx_fenced_strength(lowering, strength, 1, 1);
	insn->option[OPTION_DATA] = (uint8_t)data;
	insn->option[OPTION_OPERATION] = (uint8_t)operation;
	insn->option[OPTION_TYPE] = (uint8_t)type;
	insn->flags |= PTX_INSN_OWN_DEFINEDNESS | PTX_INSN_STRICT_GUARD;
	insn->class = PTX_CLASS_ATOMIC;
	if (type == PTX_F32 || type == PTX_F64 || noftz)
		insn->flops = elements * (type == PTX_F16X2 || type == PTX_BF16X2 ? 2 : 1);
	insn->execute = width == 16 ? execute_atomic128 : execute_atomic;
	if (ptx_operands(lowering, insn, is_red ? 0 : (int)elements, data + (int)elements + cas) || ptx_lower_address(lowering, insn, address, space, 0))
		return -1;
	/* cas: what is expected, then the new value */
	for (int i = 0; i < (int)elements + cas; i++) {
		const struct ptx_operand *operand = elements > 1 ? ptx_element(lowering, from, i) : ptx_operand(lowering, first + 1 + i);
		if (ptx_source(lowering, operand, type, 0, NULL, ptx_memory_slot(insn->src, data + i)))
			return -1;
	}
	for (int i = 0; i < (int)elements && !is_red; i++)
		if (ptx_destination(lowering, elements > 1 ? ptx_element(lowering, to, i) : to, type, 0, ptx_memory_slot(insn->dst, i)))
			return -1;
	return 0;
}
