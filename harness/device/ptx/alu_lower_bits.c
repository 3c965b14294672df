/* Lowering of bit fields, logic, shifts, prmt and dot products (manual 9.7.1.13 to 9.7.1.24, 9.7.8), and of mov. */
#include "device/ptx/alu_lower.h"

static int lower_logic(struct alu *alu)
{
	const enum ptx_type type = alu->types[0];
	const enum ptx_opcode opcode = alu->in->opcode;
	static const int by_opcode[4][3] = {
		/* pred, up to 32 bits, 64 bits */
		{ALU_and_pred, ALU_and_32, ALU_and_64},
		{ALU_or_pred, ALU_or_32, ALU_or_64},
		{ALU_xor_pred, ALU_xor_32, ALU_xor_64},
		{ALU_not_pred, ALU_not_32, ALU_not_64},
	};
	const int row = opcode == PTX_OP_and ? 0 : opcode == PTX_OP_or ? 1 : opcode == PTX_OP_xor ? 2 : 3;
	const int count = row == 3 ? 1 : 2;
	if (type == PTX_PRED) {
		if (alu->in->operand_count != 1 + count)
			return ptx_malformed(alu->lowering, "%d operands, where %d are expected", alu->in->operand_count, 1 + count);
		if (alu_room(alu, 1, count) || ptx_destination(alu->lowering, &alu->in->operands[0], PTX_PRED, 0, &alu->dst[0]))
			return -1;
		for (int i = 0; i < count; i++)
			if (alu_predicate(alu, 1 + i, i, &alu->insn->option[i]))
				return -1;
		return alu_done(alu, alu->tables->integer[by_opcode[row][0]], PTX_CLASS_INTEGER, 0);
	}
	if (type != PTX_B16 && type != PTX_B32 && type != PTX_B64)
		return alu_wrong_type(alu);
	const int handler = row == 3 && type == PTX_B16 ? ALU_not_16 : by_opcode[row][type == PTX_B64 ? 2 : 1];
	return alu_operands(alu, type, count, ALU_TYPES(type, type)) ? -1 : alu_done(alu, alu->tables->integer[handler], PTX_CLASS_INTEGER, 0);
}

/* lop3.b32 d, a, b, c, table; lop3.or.b32 d|p, a, b, c, table, q. */
static int lower_lop3(struct alu *alu)
{
	const int is_and = alu_take(alu, PTX_MOD_and), is_bool = is_and || alu_take(alu, PTX_MOD_or);
	const struct ptx_operand *const operands = alu->in->operands;
	int64_t table = 0;
	if (alu->types[0] != PTX_B32)
		return alu_wrong_type(alu);
	if (alu->in->operand_count != 5 + is_bool)
		return ptx_malformed(alu->lowering, "%d operands, where %d are expected", alu->in->operand_count, 5 + is_bool);
	if (ptx_constant_integer(alu->lowering, &operands[4], &table))
		return -1;
	if (table < 0 || table > 255)
		return ptx_malformed(alu->lowering, "the table is %lld, not in 0 to 255", (long long)table);
	if (alu_room(alu, 1 + is_bool, 3 + is_bool))
		return -1;
	if (is_bool && (operands[0].kind != PTX_OPERAND_PAIR || operands[0].count != 2))
		return ptx_malformed(alu->lowering, "the destination is not d|p");
	if (is_bool ? ptx_destination(alu->lowering, ptx_element(alu->lowering, &operands[0], 0), PTX_B32, 0, &alu->dst[0]) ||
			      ptx_destination(alu->lowering, ptx_element(alu->lowering, &operands[0], 1), PTX_PRED, 0, &alu->dst[1])
		    : ptx_destination(alu->lowering, &operands[0], PTX_B32, 0, &alu->dst[0]))
		return -1;
	for (int i = 0; i < 3; i++)
		if (ptx_source(alu->lowering, &operands[1 + i], PTX_B32, 0, NULL, &alu->src[i]))
			return -1;
	if (is_bool && alu_predicate(alu, 5, 3, &alu->insn->option[3]))
		return -1;
	alu->insn->option[4] = (uint8_t)is_and;
	alu->insn->immediate = table;
	return alu_done(alu, alu->tables->integer[is_bool ? ALU_lop3_bool : ALU_lop3], PTX_CLASS_INTEGER, 0);
}

static int lower_shift(struct alu *alu)
{
	const enum ptx_type type = alu->types[0];
	int handler = -1;
	if (alu->in->opcode == PTX_OP_shl)
		handler = type == PTX_B16 ? ALU_shl_16 : type == PTX_B32 ? ALU_shl_32 : type == PTX_B64 ? ALU_shl_64 : -1;
	else
		switch (type) {
		case PTX_B16: case PTX_U16: handler = ALU_shr_u16; break;
		case PTX_B32: case PTX_U32: handler = ALU_shr_u32; break;
		case PTX_B64: case PTX_U64: handler = ALU_shr_u64; break;
		case PTX_S16: handler = ALU_shr_s16; break;
		case PTX_S32: handler = ALU_shr_s32; break;
		case PTX_S64: handler = ALU_shr_s64; break;
		default: break;
		}
	if (handler < 0)
		return alu_wrong_type(alu);
	return alu_operands(alu, type, 2, ALU_TYPES(type, PTX_U32)) ? -1 : alu_done(alu, alu->tables->integer[handler], PTX_CLASS_INTEGER, 0);
}

static int lower_prmt(struct alu *alu)
{
	static const struct {
		enum ptx_modifier mode;
		int handler;
	} modes[] = {{PTX_MOD_f4e, ALU_prmt_f4e}, {PTX_MOD_b4e, ALU_prmt_b4e}, {PTX_MOD_rc8, ALU_prmt_rc8},
		     {PTX_MOD_ecl, ALU_prmt_ecl}, {PTX_MOD_ecr, ALU_prmt_ecr}, {PTX_MOD_rc16, ALU_prmt_rc16}};
	int handler = -1;
	if (alu->types[0] != PTX_B32)
		return alu_wrong_type(alu);
	for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
		if (alu_take(alu, modes[i].mode))
			handler = modes[i].handler;
	if (alu_operands(alu, PTX_B32, 3, ALU_TYPES(PTX_B32, PTX_B32, PTX_B32)))
		return -1;
	if (handler < 0 && alu->in->operands[3].kind == PTX_OPERAND_INTEGER) {
		alu->insn->immediate = alu->in->operands[3].integer & 0xffff;
		handler = ALU_prmt_constant;
	}
	return alu_done(alu, alu->tables->integer[handler < 0 ? ALU_prmt : handler], PTX_CLASS_INTEGER, 0);
}

/* dp4a.atype.btype d, a, b, c; dp2a.lo and .hi */
static int lower_dot(struct alu *alu)
{
	const int four = alu->in->opcode == PTX_OP_dp4a;
	if (alu->type_count != 2 || (alu->types[0] != PTX_U32 && alu->types[0] != PTX_S32) || (alu->types[1] != PTX_U32 && alu->types[1] != PTX_S32))
		return alu_wrong_type(alu);
	const int a = alu->types[0] == PTX_S32, b = alu->types[1] == PTX_S32;
	static const int handlers[2][2][2] = {{{ALU_dp2a_uu, ALU_dp2a_us}, {ALU_dp2a_su, ALU_dp2a_ss}}, {{ALU_dp4a_uu, ALU_dp4a_us}, {ALU_dp4a_su, ALU_dp4a_ss}}};
	if (!four) {
		if (alu_take(alu, PTX_MOD_hi))
			alu->insn->immediate = 16;
		else if (!alu_take(alu, PTX_MOD_lo))
			return ptx_malformed(alu->lowering, ".lo or .hi is missing");
	}
	const enum ptx_type sum = a || b ? PTX_S32 : PTX_U32;
	return alu_operands(alu, sum, 3, ALU_TYPES(PTX_B32, PTX_B32, sum)) ? -1 : alu_done(alu, alu->tables->integer[handlers[four][a][b]], PTX_CLASS_INTEGER, 0);
}

static int lower_shf(struct alu *alu)
{
	const int left = alu_take(alu, PTX_MOD_l), right = alu_take(alu, PTX_MOD_r);
	const int clamp = alu_take(alu, PTX_MOD_clamp), wrap = alu_take(alu, PTX_MOD_wrap);
	if (left + right != 1 || clamp + wrap != 1)
		return ptx_malformed(alu->lowering, "one of .l and .r, and one of .clamp and .wrap are needed");
	if (alu->types[0] != PTX_B32)
		return alu_wrong_type(alu);
	const int handler = left ? clamp ? ALU_shf_l_clamp : ALU_shf_l_wrap : clamp ? ALU_shf_r_clamp : ALU_shf_r_wrap;
	return alu_operands(alu, PTX_B32, 3, ALU_TYPES(PTX_B32, PTX_B32, PTX_U32)) ? -1 : alu_done(alu, alu->tables->integer[handler], PTX_CLASS_INTEGER, 0);
}

static int choose(enum ptx_type type, int u32, int s32, int u64, int s64)
{
	switch (type) {
	case PTX_B32: case PTX_U32: return u32;
	case PTX_S32: return s32;
	case PTX_B64: case PTX_U64: return u64;
	case PTX_S64: return s64;
	default: return -1;
	}
}

static int lower_field(struct alu *alu)
{
	const enum ptx_type type = alu->types[0];
	int handler = -1, count = 1;
	enum ptx_type dst = type, types[4] = {type, PTX_U32, PTX_U32, PTX_U32};
	switch (alu->in->opcode) {
	case PTX_OP_popc:
		handler = choose(type, ALU_popc_32, -1, ALU_popc_64, -1);
		dst = PTX_U32;
		break;
	case PTX_OP_clz:
		handler = choose(type, ALU_clz_32, -1, ALU_clz_64, -1);
		dst = PTX_U32;
		break;
	case PTX_OP_brev:
		handler = choose(type, ALU_brev_32, -1, ALU_brev_64, -1);
		break;
	case PTX_OP_bfind:
		handler = alu_take(alu, PTX_MOD_shiftamt) ? choose(type, ALU_bfind_shiftamt_u32, ALU_bfind_shiftamt_s32, ALU_bfind_shiftamt_u64, ALU_bfind_shiftamt_s64)
							  : choose(type, ALU_bfind_u32, ALU_bfind_s32, ALU_bfind_u64, ALU_bfind_s64);
		dst = PTX_U32;
		break;
	case PTX_OP_bfe:
		handler = choose(type, ALU_bfe_u32, ALU_bfe_s32, ALU_bfe_u64, ALU_bfe_s64);
		count = 3;
		break;
	case PTX_OP_bfi:
		handler = choose(type, ALU_bfi_32, -1, ALU_bfi_64, -1);
		types[1] = type;
		count = 4;
		break;
	case PTX_OP_bmsk: case PTX_OP_szext: {
		const int clamp = alu_take(alu, PTX_MOD_clamp);
		if (!clamp && !alu_take(alu, PTX_MOD_wrap))
			return ptx_malformed(alu->lowering, ".clamp or .wrap is missing");
		if (alu->in->opcode == PTX_OP_bmsk)
			handler = type == PTX_B32 ? clamp ? ALU_bmsk_clamp : ALU_bmsk_wrap : -1;
		else
			handler = clamp ? choose(type, ALU_szext_clamp_u32, ALU_szext_clamp_s32, -1, -1) : choose(type, ALU_szext_wrap_u32, ALU_szext_wrap_s32, -1, -1);
		count = 2;
		break;
	}
	case PTX_OP_fns:
		handler = type == PTX_B32 ? ALU_fns : -1;
		types[1] = PTX_B32;
		types[2] = PTX_S32;
		count = 3;
		break;
	default: /* cnot */
		handler = type == PTX_B16 ? ALU_cnot_32 : choose(type, ALU_cnot_32, -1, ALU_cnot_64, -1);
		break;
	}
	if (handler < 0)
		return alu_wrong_type(alu);
	return alu_operands(alu, dst, count, types) ? -1 : alu_done(alu, alu->tables->integer[handler], PTX_CLASS_INTEGER, 0);
}

int alu_lower_bits(struct alu *alu)
{
	switch (alu->in->opcode) {
	case PTX_OP_and: case PTX_OP_or: case PTX_OP_xor: case PTX_OP_not:
		return lower_logic(alu);
	case PTX_OP_lop3:
		return lower_lop3(alu);
	case PTX_OP_shl: case PTX_OP_shr:
		return lower_shift(alu);
	case PTX_OP_shf:
		return lower_shf(alu);
	case PTX_OP_prmt:
		return lower_prmt(alu);
	case PTX_OP_dp4a: case PTX_OP_dp2a:
		return lower_dot(alu);
	default:
		return lower_field(alu);
	}
}

static enum ptx_type bits_of(unsigned bytes)
{
	return bytes == 1 ? PTX_B8 : bytes == 2 ? PTX_B16 : bytes == 4 ? PTX_B32 : bytes == 8 ? PTX_B64 : bytes == 16 ? PTX_B128 : PTX_NO_TYPE;
}

/* mov.b32 r, {h, h} and the other way: parts of equal size, the first one lowest. */
static int lower_parts(struct alu *alu, int pack)
{
	const struct ptx_operand *const parts = &alu->in->operands[pack ? 1 : 0], *const whole = &alu->in->operands[pack ? 0 : 1];
	const unsigned bytes = ptx_type_bytes(alu->types[0]);
	const int count = parts->count;
	if ((count != 2 && count != 4) || bytes % (unsigned)count || bits_of(bytes / (unsigned)count) == PTX_NO_TYPE)
		return ptx_malformed(alu->lowering, "%d parts of .%s", count, ptx_type_name(alu->types[0]));
	const enum ptx_type part = bits_of(bytes / (unsigned)count), type = bits_of(bytes);
	if (alu_room(alu, pack ? 1 : count, pack ? count : 1))
		return -1;
	if (pack ? ptx_destination(alu->lowering, whole, type, 0, &alu->dst[0]) : ptx_source(alu->lowering, whole, type, 0, NULL, &alu->src[0]))
		return -1;
	for (int i = 0; i < count; i++) {
		const struct ptx_operand *const element = ptx_element(alu->lowering, parts, i);
		if (pack ? ptx_source(alu->lowering, element, part, 0, NULL, &alu->src[i]) : ptx_destination(alu->lowering, element, part, 0, &alu->dst[i]))
			return -1;
	}
	alu->insn->option[0] = (uint8_t)ptx_type_bytes(part);
	int handler = pack ? ALU_mov_pack : ALU_mov_unpack;
	if (count == 2 && part == PTX_B16)
		handler = pack ? ALU_mov_pack_16x2 : ALU_mov_unpack_16x2;
	else if (count == 2 && part == PTX_B32)
		handler = pack ? ALU_mov_pack_32x2 : ALU_mov_unpack_32x2;
	return alu_done(alu, alu->tables->integer[handler], PTX_CLASS_MOVE, 0);
}

int alu_lower_move(struct alu *alu)
{
	const enum ptx_type type = alu->types[0];
	if (alu->in->operand_count != 2)
		return ptx_malformed(alu->lowering, "%d operands, where 2 are expected", alu->in->operand_count);
	if (alu->in->operands[0].kind == PTX_OPERAND_VECTOR)
		return lower_parts(alu, 0);
	if (alu->in->operands[1].kind == PTX_OPERAND_VECTOR)
		return lower_parts(alu, 1);
	if (type == PTX_PRED) {
		if (alu_room(alu, 1, 1) || ptx_destination(alu->lowering, &alu->in->operands[0], PTX_PRED, 0, &alu->dst[0]) ||
		    alu_predicate(alu, 1, 0, &alu->insn->option[0]))
			return -1;
		return alu_done(alu, alu->tables->integer[ALU_mov_pred], PTX_CLASS_MOVE, 0);
	}
	const unsigned bytes = ptx_type_bytes(type);
	if (bytes < 2)
		return alu_wrong_type(alu);
	const int handler = bytes == 16 ? ALU_mov_128 : bytes == 8 ? ALU_mov_64 : ALU_mov_32;
	return alu_operands(alu, type, 1, ALU_TYPES(type)) ? -1 : alu_done(alu, alu->tables->integer[handler], PTX_CLASS_MOVE, 0);
}
