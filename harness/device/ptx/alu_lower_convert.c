/* Lowering of cvt (manual 9.7.9.21) and cvt.pack (9.7.9.22). */
#include "device/ptx/alu_lower.h"

#include <string.h>

static unsigned bits_of(enum ptx_type type)
{
	switch (type) {
	case PTX_F16X2: case PTX_BF16X2:
		return 16;
	case PTX_E4M3X2: case PTX_E5M2X2: case PTX_E2M3X2: case PTX_E3M2X2: case PTX_UE8M0X2:
		return 8;
	case PTX_E2M1X2:
		return 4;
	default:
		return 8 * ptx_type_bytes(type);
	}
}

/* Of one number; NULL: f32, f64 and integers. */
static const struct number_format *format_of(enum ptx_type type)
{
	switch (type) {
	case PTX_F16: case PTX_F16X2: return &number_f16_format;
	case PTX_BF16: case PTX_BF16X2: return &number_bf16_format;
	case PTX_TF32: return &number_tf32_format;
	case PTX_E4M3X2: return &number_e4m3_format;
	case PTX_E5M2X2: return &number_e5m2_format;
	case PTX_E2M1X2: return &number_e2m1_format;
	case PTX_E2M3X2: return &number_e2m3_format;
	case PTX_E3M2X2: return &number_e3m2_format;
	default: return NULL;
	}
}

static enum alu_kind kind_of(enum ptx_type type)
{
	if (type == PTX_F32)
		return ALU_KIND_F32;
	if (type == PTX_F64)
		return ALU_KIND_F64;
	if (format_of(type))
		return ALU_KIND_SMALL;
	return alu_is_signed(type) ? ALU_KIND_SIGNED : ALU_KIND_UNSIGNED;
}

static int is_whole(enum ptx_type type)
{
	return (type >= PTX_U8 && type <= PTX_U64) || (type >= PTX_S8 && type <= PTX_S64);
}

static uint64_t mask_of(unsigned bits) { return bits >= 64 ? ~0ull : (1ull << bits) - 1; }

static struct alu_whole whole_of(enum ptx_type from, enum ptx_type to, uint64_t register_mask)
{
	const unsigned from_bits = bits_of(from), to_bits = bits_of(to);
	const int from_signed = alu_is_signed(from), to_signed = alu_is_signed(to);
	return (struct alu_whole){
		.from_mask = mask_of(from_bits), .from_sign = from_signed ? 1ull << (from_bits - 1) : 0,
		.to_mask = mask_of(to_bits), .to_sign = to_signed ? 1ull << (to_bits - 1) : 0,
		.register_mask = register_mask, .from_is_signed = from_signed, .to_is_signed = to_signed, .to_bits = to_bits,
	};
}

/* The bits that a destination register can hold. */
static uint64_t register_mask(const struct alu *alu, const struct ptx_operand *operand, const struct ptx_slot *slot)
{
	if (slot->lane_bytes == 8)
		return ~0ull;
	if (operand->kind == PTX_OPERAND_REGISTER) {
		const unsigned bytes = ptx_type_bytes(alu->lowering->function->registers[operand->reg].type);
		if (bytes == 1 || bytes == 2)
			return mask_of(8 * bytes);
	}
	return 0xffffffffu;
}

static int operands_of(struct alu *alu, enum ptx_type to, enum ptx_type from, int sources)
{
	if (alu->in->operand_count != 1 + sources)
		return ptx_malformed(alu->lowering, "%d operands, where %d are expected", alu->in->operand_count, 1 + sources);
	if (alu_room(alu, 1, sources) || ptx_destination(alu->lowering, &alu->in->operands[0], to, 1, &alu->dst[0]))
		return -1;
	for (int i = 0; i < sources; i++)
		if (ptx_source(alu->lowering, &alu->in->operands[1 + i], from, 1, NULL, &alu->src[i]))
			return -1;
	return 0;
}

static const void *keep(struct alu *alu, const void *what, size_t size)
{
	void *copy = ptx_lowering_alloc(alu->lowering, size);
	if (copy)
		memcpy(copy, what, size);
	return copy;
}

static int lower_whole(struct alu *alu, enum ptx_type to, enum ptx_type from)
{
	const int sat = alu_take(alu, PTX_MOD_sat);
	if (operands_of(alu, to, from, 1))
		return -1;
	const int wide_from = alu->src[0].lane_bytes == 8, wide_to = alu->dst[0].lane_bytes == 8;
	const uint64_t mask = register_mask(alu, &alu->in->operands[0], &alu->dst[0]);
	const struct alu_whole whole = whole_of(from, to, mask);
	int handler = wide_from ? wide_to ? ALU_cvt_whole_64_64 : ALU_cvt_whole_64_32 : wide_to ? ALU_cvt_whole_32_64 : ALU_cvt_whole_32_32;
	if (sat)
		handler = ALU_cvt_whole_sat;
	else if (from == PTX_U32 && wide_to && !wide_from && bits_of(to) == 64)
		handler = ALU_cvt_u64_u32;
	else if (from == PTX_S32 && wide_to && !wide_from && bits_of(to) == 64)
		handler = ALU_cvt_s64_s32;
	else if (wide_from && !wide_to && bits_of(from) == 64 && bits_of(to) == 32)
		handler = ALU_cvt_u32_u64;
	else if (!wide_from && !wide_to && (((to == PTX_U16 || (bits_of(to) == 16 && mask == 0xffff)) && bits_of(from) >= 16) ||
		  (from == PTX_U16 && bits_of(to) == 32)))
		handler = ALU_cvt_low_16;
	alu->insn->extra = keep(alu, &whole, sizeof whole);
	return alu->insn->extra ? alu_done(alu, alu->tables->convert[handler], PTX_CLASS_CONVERT, 0) : -1;
}

static enum alu_whole_rounding take_whole_rounding(struct alu *alu)
{
	return alu_take(alu, PTX_MOD_rni) ? ALU_RNI : alu_take(alu, PTX_MOD_rzi) ? ALU_RZI : alu_take(alu, PTX_MOD_rmi) ? ALU_RMI
	       : alu_take(alu, PTX_MOD_rpi) ? ALU_RPI : ALU_NOT_WHOLE;
}

/* A handler of its own for the frequent pairs, where no modifier asks for more; -1 otherwise. Registers of the types' size. */
static int frequent(const struct alu *alu, enum ptx_type to, enum ptx_type from, const struct alu_conversion *c)
{
	const unsigned to_bytes = ptx_type_bytes(to), from_bytes = ptx_type_bytes(from);
	if (c->sat || c->relu || c->satfinite || c->rounding != NUMBER_RN)
		return -1;
	if (alu->dst[0].lane_bytes != (to_bytes == 8 ? 8 : 4) || alu->src[0].lane_bytes != (from_bytes == 8 ? 8 : 4))
		return -1;
	if (c->whole != ALU_NOT_WHOLE) {
		const int mode = c->whole - ALU_RNI; /* handlers stand in the order of enum alu_whole_rounding */
		alu->insn->immediate = c->ftz;
		return from != PTX_F32 ? -1 : to == PTX_S32 ? ALU_cvt_rni_s32_f32 + mode : to == PTX_U32 ? ALU_cvt_rni_u32_f32 + mode
		       : to == PTX_F32 ? ALU_cvt_rni_f32_f32 + mode : -1;
	}
	if (to == PTX_F64 && from == PTX_F32)
		return c->ftz ? ALU_cvt_f64_ftz_f32 : ALU_cvt_f64_f32;
	if (to == PTX_F32 && from == PTX_F64)
		return c->ftz ? ALU_cvt_ftz_f32_f64 : ALU_cvt_f32_f64;
	if (to == PTX_F32 && from == PTX_S32)
		return ALU_cvt_f32_s32;
	if (to == PTX_F32 && from == PTX_U32)
		return ALU_cvt_f32_u32;
	if (to == PTX_F32 && (from == PTX_U16 || from == PTX_S16))
		return from == PTX_U16 ? ALU_cvt_f32_u16 : ALU_cvt_f32_s16;
	if (to == PTX_F32 && (from == PTX_U8 || from == PTX_S8))
		return from == PTX_U8 ? ALU_cvt_f32_u8 : ALU_cvt_f32_s8;
	if (c->ftz)
		return -1;
	if (to == PTX_F16 && from == PTX_F32)
		return ALU_cvt_f16_f32;
	if (to == PTX_BF16 && from == PTX_F32)
		return ALU_cvt_bf16_f32;
	/* the handlers look at 16 bits only if the register has no more */
	const struct ptx_operand *const source = &alu->in->operands[1];
	const int narrow = source->kind == PTX_OPERAND_REGISTER && ptx_type_bytes(alu->lowering->function->registers[source->reg].type) == 2;
	if (narrow && to == PTX_F32 && from == PTX_F16)
		return ALU_cvt_f32_f16;
	if (narrow && to == PTX_F32 && from == PTX_BF16)
		return ALU_cvt_f32_bf16;
	return -1;
}

static int lower_real(struct alu *alu, enum ptx_type to, enum ptx_type from, struct alu_conversion *c)
{
	const int to_whole = is_whole(to), from_whole = is_whole(from);
	c->whole = take_whole_rounding(alu);
	c->sat = (uint8_t)alu_take(alu, PTX_MOD_sat);
	if (to == PTX_TF32 && from != PTX_F32)
		return ptx_unsupported(alu->lowering, "tf32 comes from f32 only");
	if (from == PTX_TF32)
		return ptx_unsupported(alu->lowering, "from tf32");
	if (to_whole && c->whole == ALU_NOT_WHOLE)
		return ptx_malformed(alu->lowering, "an integer rounding modifier is missing");
	if (from_whole && c->whole != ALU_NOT_WHOLE)
		return ptx_malformed(alu->lowering, "an integer is rounded to an integer");
	if (to_whole && (c->relu || c->satfinite))
		return ptx_malformed(alu->lowering, ".relu or .satfinite of an integer");
	if (to_whole)
		c->sat = 0; /* conversions to integers clamp without it */
	if (operands_of(alu, to, from, 1))
		return -1;
	int handler = frequent(alu, to, from, c);
	if (handler < 0)
		handler = to == PTX_F64 && from == PTX_F64 ? ALU_cvt_f64_f64 : ALU_cvt_real;
	c->narrow = from_whole ? whole_of(from, from, ~0ull) : (struct alu_whole){0};
	c->register_mask = register_mask(alu, &alu->in->operands[0], &alu->dst[0]);
	if (!to_whole || !alu_is_signed(to))
		c->register_mask &= mask_of(bits_of(to));
	alu->insn->extra = keep(alu, c, sizeof *c);
	return alu->insn->extra ? alu_done(alu, alu->tables->convert[handler], PTX_CLASS_CONVERT, 0) : -1;
}

static int is_tiny(enum ptx_type type)
{
	return type >= PTX_E4M3X2 && type <= PTX_UE8M0X2;
}

/* Two numbers in one register on either side. */
static int lower_packed(struct alu *alu, enum ptx_type to, enum ptx_type from, struct alu_conversion *c)
{
	const int half_to = to == PTX_F16X2 || to == PTX_BF16X2, half_from = from == PTX_F16X2 || from == PTX_BF16X2;
	int handler, sources;
	enum ptx_type operand = from, result = to;
	if (from == PTX_F32 && (half_to || is_tiny(to))) {
		handler = ALU_cvt_pack, sources = 2;
	} else if (half_from && is_tiny(to)) {
		handler = ALU_cvt_pack, sources = 1;
	} else if (half_to && is_tiny(from)) {
		handler = ALU_cvt_unpack, sources = 1;
	} else {
		return ptx_unsupported(alu->lowering, "from .%s to .%s", ptx_type_name(from), ptx_type_name(to));
	}
	if (is_tiny(to) && to != PTX_UE8M0X2 && !c->satfinite)
		return ptx_malformed(alu->lowering, ".satfinite is missing");
	c->ue8m0 = to == PTX_UE8M0X2 || from == PTX_UE8M0X2;
	if ((from == PTX_UE8M0X2 && to != PTX_BF16X2) || (to == PTX_UE8M0X2 && from == PTX_F16X2) || (from != PTX_UE8M0X2 && is_tiny(from) && to != PTX_F16X2) ||
	    (to == PTX_UE8M0X2 && c->rounding != NUMBER_RZ && c->rounding != NUMBER_RP))
		return ptx_unsupported(alu->lowering, "from .%s to .%s in this rounding mode", ptx_type_name(from), ptx_type_name(to));
	/* two 8-bit numbers live in 16-bit registers, two 4-bit ones in 8 bits */
	if (is_tiny(from))
		operand = from == PTX_E2M1X2 ? PTX_B8 : PTX_B16;
	if (is_tiny(to))
		result = to == PTX_E2M1X2 ? PTX_B8 : PTX_B16;
	if (alu->in->operand_count != 1 + sources)
		return ptx_malformed(alu->lowering, "%d operands, where %d are expected", alu->in->operand_count, 1 + sources);
	if (alu_operands(alu, result, sources, ALU_TYPES(operand, operand)))
		return -1;
	if (handler == ALU_cvt_pack && sources == 2 && half_to && c->rounding == NUMBER_RN && !c->relu && !c->satfinite)
		handler = to == PTX_F16X2 ? ALU_cvt_f16x2_f32 : ALU_cvt_bf16x2_f32;
	if (c->rounding == NUMBER_RN && !c->relu && (to == PTX_E4M3X2 || to == PTX_E5M2X2) && from != PTX_BF16X2)
		handler = sources == 2 ? to == PTX_E4M3X2 ? ALU_cvt_e4m3x2_f32 : ALU_cvt_e5m2x2_f32
				       : to == PTX_E4M3X2 ? ALU_cvt_e4m3x2_f16x2 : ALU_cvt_e5m2x2_f16x2;
	if (!c->relu && (from == PTX_E4M3X2 || from == PTX_E5M2X2))
		handler = from == PTX_E4M3X2 ? ALU_cvt_f16x2_e4m3x2 : ALU_cvt_f16x2_e5m2x2;
	alu->insn->extra = keep(alu, c, sizeof *c);
	return alu->insn->extra ? alu_done(alu, alu->tables->convert[handler], PTX_CLASS_CONVERT, 0) : -1;
}

/* cvt.pack.sat.convertType.abType{.cType} d, a, b {, c} */
static int lower_pack(struct alu *alu)
{
	const enum ptx_type to = alu->types[0];
	const int with_c = alu->type_count == 3;
	if (!alu_take(alu, PTX_MOD_sat) || alu->type_count < 2 || alu->types[1] != PTX_S32 || (with_c && alu->types[2] != PTX_B32))
		return ptx_malformed(alu->lowering, "cvt.pack.sat.type.s32{.b32} is expected");
	const unsigned bits = to == PTX_U16 || to == PTX_S16 ? 16 : to == PTX_U8 || to == PTX_S8 ? 8 : to == PTX_U4 || to == PTX_S4 ? 4 : 0;
	if (bits == 0 || (bits == 16 && with_c))
		return alu_wrong_type(alu);
	struct alu_conversion c = {.to_bits = bits, .narrow = whole_of(PTX_S32, to, ~0ull)};
	c.narrow.to_mask = mask_of(bits);
	c.narrow.to_bits = bits;
	alu->insn->extra = keep(alu, &c, sizeof c);
	if (!alu->insn->extra || alu_operands(alu, PTX_B32, 2 + with_c, ALU_TYPES(PTX_S32, PTX_S32, PTX_B32)))
		return -1;
	return alu_done(alu, alu->tables->convert[ALU_cvt_pack_sat], PTX_CLASS_CONVERT, 0);
}

int alu_lower_convert(struct alu *alu)
{
	if (alu_take(alu, PTX_MOD_pack))
		return lower_pack(alu);
	if (alu->type_count != 2)
		return ptx_malformed(alu->lowering, "%d types, where 2 are expected", alu->type_count);
	const enum ptx_type to = alu->types[0], from = alu->types[1];
	if (is_whole(to) && is_whole(from))
		return lower_whole(alu, to, from);
	struct alu_conversion c = {
		.from = kind_of(from), .to = kind_of(to), .from_format = format_of(from), .to_format = format_of(to),
		.from_bits = bits_of(from), .to_bits = bits_of(to),
	};
	c.rounding = alu_take_rounding(alu, NULL);
	c.relu = (uint8_t)alu_take(alu, PTX_MOD_relu);
	c.satfinite = (uint8_t)alu_take(alu, PTX_MOD_satfinite);
	c.ftz = (from == PTX_F32 || to == PTX_F32) && alu_take(alu, PTX_MOD_ftz);
	const int packed = is_tiny(to) || is_tiny(from) || to == PTX_F16X2 || to == PTX_BF16X2 || from == PTX_F16X2 || from == PTX_BF16X2;
	if (packed)
		return lower_packed(alu, to, from, &c);
	const int known_to = is_whole(to) || c.to == ALU_KIND_F32 || c.to == ALU_KIND_F64 || c.to_format;
	const int known_from = is_whole(from) || c.from == ALU_KIND_F32 || c.from == ALU_KIND_F64 || c.from_format;
	if (!known_to || !known_from)
		return ptx_unsupported(alu->lowering, "from .%s to .%s", ptx_type_name(from), ptx_type_name(to));
	if (c.rounding == NUMBER_RNA && to != PTX_TF32)
		return ptx_unsupported(alu->lowering, ".rna to .%s", ptx_type_name(to));
	return lower_real(alu, to, from, &c);
}
