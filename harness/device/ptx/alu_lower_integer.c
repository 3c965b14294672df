/* Lowering of integer arithmetic (manual 9.7.1, 9.7.2). */
#include "device/ptx/alu_lower.h"

/* Handlers of one operation by type; 0 (ALU_add_32, which no row but add's own needs) where there is none. */
struct row {
	enum ptx_opcode opcode;
	enum ptx_modifier part;    /* PTX_MOD_lo ..., PTX_MOD_unknown: none */
	int16_t u16, s16, u32, s32, u64, s64;
};
enum { NONE = -1 };

static const struct row rows[] = {
	{PTX_OP_add, PTX_MOD_unknown, ALU_add_16, ALU_add_16, ALU_add_32, ALU_add_32, ALU_add_64, ALU_add_64},
	{PTX_OP_sub, PTX_MOD_unknown, ALU_sub_16, ALU_sub_16, ALU_sub_32, ALU_sub_32, ALU_sub_64, ALU_sub_64},
	{PTX_OP_mul, PTX_MOD_lo, ALU_mul_lo_16, ALU_mul_lo_16, ALU_mul_lo_32, ALU_mul_lo_32, ALU_mul_lo_64, ALU_mul_lo_64},
	{PTX_OP_mul, PTX_MOD_hi, ALU_mul_hi_u16, ALU_mul_hi_s16, ALU_mul_hi_u32, ALU_mul_hi_s32, ALU_mul_hi_u64, ALU_mul_hi_s64},
	{PTX_OP_mul, PTX_MOD_wide, ALU_mul_wide_u16, ALU_mul_wide_s16, ALU_mul_wide_u32, ALU_mul_wide_s32, NONE, NONE},
	{PTX_OP_mad, PTX_MOD_lo, ALU_mad_lo_16, ALU_mad_lo_16, ALU_mad_lo_32, ALU_mad_lo_32, ALU_mad_lo_64, ALU_mad_lo_64},
	{PTX_OP_mad, PTX_MOD_hi, ALU_mad_hi_u16, ALU_mad_hi_s16, ALU_mad_hi_u32, ALU_mad_hi_s32, ALU_mad_hi_u64, ALU_mad_hi_s64},
	{PTX_OP_mad, PTX_MOD_wide, ALU_mad_wide_u16, ALU_mad_wide_s16, ALU_mad_wide_u32, ALU_mad_wide_s32, NONE, NONE},
	{PTX_OP_mul24, PTX_MOD_lo, NONE, NONE, ALU_mul24_lo_u32, ALU_mul24_lo_s32, NONE, NONE},
	{PTX_OP_mul24, PTX_MOD_hi, NONE, NONE, ALU_mul24_hi_u32, ALU_mul24_hi_s32, NONE, NONE},
	{PTX_OP_mad24, PTX_MOD_lo, NONE, NONE, ALU_mad24_lo_u32, ALU_mad24_lo_s32, NONE, NONE},
	{PTX_OP_mad24, PTX_MOD_hi, NONE, NONE, ALU_mad24_hi_u32, ALU_mad24_hi_s32, NONE, NONE},
	{PTX_OP_sad, PTX_MOD_unknown, ALU_sad_u16, ALU_sad_s16, ALU_sad_u32, ALU_sad_s32, ALU_sad_u64, ALU_sad_s64},
	{PTX_OP_div, PTX_MOD_unknown, ALU_div_u16, ALU_div_s16, ALU_div_u32, ALU_div_s32, ALU_div_u64, ALU_div_s64},
	{PTX_OP_rem, PTX_MOD_unknown, ALU_rem_u16, ALU_rem_s16, ALU_rem_u32, ALU_rem_s32, ALU_rem_u64, ALU_rem_s64},
	{PTX_OP_abs, PTX_MOD_unknown, NONE, ALU_abs_s16, NONE, ALU_abs_s32, NONE, ALU_abs_s64},
	{PTX_OP_neg, PTX_MOD_unknown, NONE, ALU_neg_16, NONE, ALU_neg_32, NONE, ALU_neg_64},
	{PTX_OP_min, PTX_MOD_unknown, ALU_min_u32, ALU_min_s16, ALU_min_u32, ALU_min_s32, ALU_min_u64, ALU_min_s64},
	{PTX_OP_max, PTX_MOD_unknown, ALU_max_u32, ALU_max_s16, ALU_max_u32, ALU_max_s32, ALU_max_u64, ALU_max_s64},
};

static int by_type(const struct row *row, enum ptx_type type)
{
	switch (type) {
	case PTX_U16: return row->u16;
	case PTX_S16: return row->s16;
	case PTX_U32: return row->u32;
	case PTX_S32: return row->s32;
	case PTX_U64: return row->u64;
	case PTX_S64: return row->s64;
	default: return NONE;
	}
}

static enum ptx_modifier take_part(struct alu *alu)
{
	return alu_take(alu, PTX_MOD_lo) ? PTX_MOD_lo : alu_take(alu, PTX_MOD_hi) ? PTX_MOD_hi : alu_take(alu, PTX_MOD_wide) ? PTX_MOD_wide : PTX_MOD_unknown;
}

/* add.cc addc sub.cc subc mad.cc madc: they read or write CC.CF, or both. */
static int lower_carry(struct alu *alu, int reads)
{
	const enum ptx_type type = alu->types[0];
	const int wide = ptx_type_bytes(type) == 8;
	const int writes = alu_take(alu, PTX_MOD_cc);
	const enum ptx_modifier part = take_part(alu);
	int handler = NONE, count = 2;
	if (type != PTX_U32 && type != PTX_S32 && type != PTX_U64 && type != PTX_S64 && type != PTX_B32 && type != PTX_B64)
		return alu_wrong_type(alu);
	switch (alu->in->opcode) {
	case PTX_OP_add: case PTX_OP_addc:
		handler = wide ? ALU_add_carry_64 : ALU_add_carry_32;
		break;
	case PTX_OP_sub: case PTX_OP_subc:
		handler = wide ? ALU_sub_carry_64 : ALU_sub_carry_32;
		break;
	default:
		count = 3;
		if (part == PTX_MOD_lo)
			handler = wide ? ALU_mad_lo_carry_64 : ALU_mad_lo_carry_32;
		else if (part == PTX_MOD_hi)
			handler = alu_is_signed(type) ? wide ? ALU_mad_hi_carry_s64 : ALU_mad_hi_carry_s32
						      : wide ? ALU_mad_hi_carry_u64 : ALU_mad_hi_carry_u32;
		else
			return ptx_malformed(alu->lowering, ".lo or .hi is missing");
	}
	alu->insn->option[0] = (uint8_t)reads;
	alu->insn->option[1] = (uint8_t)writes;
	return alu_operands(alu, type, count, ALU_TYPES(type, type, type)) ? -1 : alu_done(alu, alu->tables->integer[handler], PTX_CLASS_INTEGER, 0);
}

/* u16x2, s16x2 and .relu: what the rows do not have. */
static int special_form(struct alu *alu, int *handler)
{
	const enum ptx_type type = alu->types[0];
	const enum ptx_opcode opcode = alu->in->opcode;
	const int packed = type == PTX_U16X2 || type == PTX_S16X2;
	if (opcode == PTX_OP_add && packed)
		*handler = ALU_add_16x2;
	else if ((opcode == PTX_OP_add || opcode == PTX_OP_sub) && type == PTX_S32 && alu_take(alu, PTX_MOD_sat))
		*handler = opcode == PTX_OP_add ? ALU_add_sat_s32 : ALU_sub_sat_s32;
	else if ((opcode == PTX_OP_min || opcode == PTX_OP_max) && (packed || (type == PTX_S32 && ptx_has(alu->in, PTX_MOD_relu)))) {
		const int max = opcode == PTX_OP_max;
		if (type == PTX_U16X2)
			*handler = max ? ALU_max_u16x2 : ALU_min_u16x2;
		else if (alu_take(alu, PTX_MOD_relu))
			*handler = type == PTX_S32 ? max ? ALU_max_relu_s32 : ALU_min_relu_s32 : max ? ALU_max_relu_s16x2 : ALU_min_relu_s16x2;
		else
			*handler = max ? ALU_max_s16x2 : ALU_min_s16x2;
	} else if ((opcode == PTX_OP_mad || opcode == PTX_OP_mad24) && type == PTX_S32 && ptx_has(alu->in, PTX_MOD_sat) && ptx_has(alu->in, PTX_MOD_hi)) {
		alu_take(alu, PTX_MOD_sat);
		*handler = opcode == PTX_OP_mad ? ALU_mad_hi_sat_s32 : ALU_mad24_hi_sat_s32;
	} else {
		return 0;
	}
	return 1;
}

int alu_lower_integer(struct alu *alu)
{
	const enum ptx_type type = alu->types[0];
	const enum ptx_opcode opcode = alu->in->opcode;
	if (opcode == PTX_OP_addc || opcode == PTX_OP_subc || opcode == PTX_OP_madc || ptx_has(alu->in, PTX_MOD_cc))
		return lower_carry(alu, opcode == PTX_OP_addc || opcode == PTX_OP_subc || opcode == PTX_OP_madc);

	const enum ptx_modifier part = take_part(alu);
	int handler = NONE;
	if (!special_form(alu, &handler))
		for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
			if (rows[i].opcode == opcode && rows[i].part == part)
				handler = by_type(&rows[i], type);
	if (handler == NONE)
		return alu_wrong_type(alu);

	enum ptx_type wide = type;
	if (part == PTX_MOD_wide)
		wide = type == PTX_U16 ? PTX_U32 : type == PTX_S16 ? PTX_S32 : type == PTX_U32 ? PTX_U64 : PTX_S64;
	const enum ptx_type types[3] = {type, type, wide};
	const int count = opcode == PTX_OP_abs || opcode == PTX_OP_neg ? 1 : opcode == PTX_OP_mad || opcode == PTX_OP_mad24 || opcode == PTX_OP_sad ? 3 : 2;
	const enum ptx_type dst = opcode == PTX_OP_sad && alu_is_signed(type) ? type : wide;
	return alu_operands(alu, dst, count, types) ? -1 : alu_done(alu, alu->tables->integer[handler], PTX_CLASS_INTEGER, 0);
}
