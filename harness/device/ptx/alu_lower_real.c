/* Lowering of floating-point arithmetic (manual 9.7.3 to 9.7.5). */
#include "device/ptx/alu_lower.h"

enum { NONE = -1 };

static int operand_count(enum ptx_opcode opcode)
{
	switch (opcode) {
	case PTX_OP_fma: case PTX_OP_mad:
		return 3;
	case PTX_OP_add: case PTX_OP_sub: case PTX_OP_mul: case PTX_OP_div: case PTX_OP_min: case PTX_OP_max: case PTX_OP_copysign:
		return 2;
	default:
		return 1;
	}
}

static unsigned flops_of(enum ptx_opcode opcode)
{
	switch (opcode) {
	case PTX_OP_fma: case PTX_OP_mad:
		return 2;
	case PTX_OP_min: case PTX_OP_max: case PTX_OP_abs: case PTX_OP_neg: case PTX_OP_copysign:
		return 0;
	default:
		return 1;
	}
}

static int finish(struct alu *alu, ptx_execute execute, enum ptx_class class, unsigned packed)
{
	const enum ptx_type type = alu->types[0];
	return alu_operands(alu, type, operand_count(alu->in->opcode), ALU_TYPES(type, type, type))
		       ? -1
		       : alu_done(alu, execute, class, flops_of(alu->in->opcode) * (packed ? 2 : 1));
}

static int rounded_operation(enum ptx_opcode opcode)
{
	switch (opcode) {
	case PTX_OP_add: return ALU_ADD;
	case PTX_OP_sub: return ALU_SUB;
	case PTX_OP_mul: return ALU_MUL;
	case PTX_OP_fma: case PTX_OP_mad: return ALU_FMA;
	case PTX_OP_div: return ALU_DIV;
	case PTX_OP_sqrt: return ALU_SQRT;
	default: return NONE;
	}
}

/* Other modes than to nearest. rcp is 1 / a: the constant takes the place of the first source. */
static int lower_rounded(struct alu *alu, enum number_rounding rounding, int ftz, int sat)
{
	const enum ptx_type type = alu->types[0];
	struct ptx_insn *const insn = alu->insn;
	const int rcp = alu->in->opcode == PTX_OP_rcp;
	const int operation = rcp ? ALU_DIV : rounded_operation(alu->in->opcode);
	if (operation == NONE || rounding == NUMBER_RNA || (type != PTX_F32 && type != PTX_F64 && type != PTX_F32X2))
		return alu_wrong_type(alu);
	insn->option[0] = (uint8_t)ftz;
	insn->option[1] = (uint8_t)sat;
	insn->option[2] = (uint8_t)operation;
	insn->option[3] = (uint8_t)rounding;
	const ptx_execute execute = type == PTX_F32 ? ptx_alu_rounded_f32 : type == PTX_F64 ? ptx_alu_rounded_f64 : ptx_alu_rounded_f32x2;
	const enum ptx_class class = type == PTX_F64 ? PTX_CLASS_F64 : PTX_CLASS_F32;
	if (!rcp)
		return finish(alu, execute, class, type == PTX_F32X2);
	if (alu->in->operand_count != 2)
		return ptx_malformed(alu->lowering, "%d operands, where 2 are expected", alu->in->operand_count);
	const int wide = type == PTX_F64;
	if (alu_room(alu, 1, 2) || ptx_destination(alu->lowering, &alu->in->operands[0], type, 0, &alu->dst[0]) ||
	    ptx_constant(alu->lowering, wide ? 0x3ff0000000000000ull : 0x3f800000u, wide ? 8 : 4, &alu->src[0]) ||
	    ptx_source(alu->lowering, &alu->in->operands[1], type, 0, NULL, &alu->src[1]))
		return -1;
	return alu_done(alu, execute, class, 1);
}

static int lower_least_f32(struct alu *alu, int ftz)
{
	const int max = alu->in->opcode == PTX_OP_max, nan = alu_take(alu, PTX_MOD_NaN);
	const int xorsign = alu_take(alu, PTX_MOD_xorsign) && alu_take(alu, PTX_MOD_abs), three = alu->in->operand_count == 4;
	if (xorsign || three) {
		uint8_t *const option = alu->insn->option;
		option[0] = (uint8_t)ftz, option[1] = (uint8_t)max, option[2] = (uint8_t)nan, option[3] = (uint8_t)xorsign;
		if (xorsign && three)
			return ptx_malformed(alu->lowering, "three operands with .xorsign");
		if (alu_operands(alu, PTX_F32, 2 + three, ALU_TYPES(PTX_F32, PTX_F32, PTX_F32)))
			return -1;
		return alu_done(alu, alu->tables->real[three ? ALU_least3_f32 : ALU_least_f32], PTX_CLASS_F32, 0);
	}
	return finish(alu, alu->tables->real[(max ? ALU_max_f32 : ALU_min_f32) + ftz + 2 * nan], PTX_CLASS_F32, 0);
}

static int lower_f32(struct alu *alu)
{
	const enum ptx_opcode opcode = alu->in->opcode;
	int rounding_given;
	const enum number_rounding rounding = alu_take_rounding(alu, &rounding_given);
	const int ftz = alu_take(alu, PTX_MOD_ftz), approx = alu_take(alu, PTX_MOD_approx);
	const int can_saturate = opcode == PTX_OP_add || opcode == PTX_OP_sub || opcode == PTX_OP_mul || opcode == PTX_OP_fma || opcode == PTX_OP_mad;
	const int sat = can_saturate && alu_take(alu, PTX_MOD_sat);
	const int full = opcode == PTX_OP_div && alu_take(alu, PTX_MOD_full);
	if (rounding_given && (approx || full))
		return ptx_malformed(alu->lowering, "both a rounding mode and an approximation");
	if (rounding != NUMBER_RN)
		return lower_rounded(alu, rounding, ftz, sat);

	int handler = NONE;
	enum ptx_class class = PTX_CLASS_F32;
	int must_approximate = 0, may_approximate = 0;
	switch (opcode) {
	case PTX_OP_add: handler = ALU_add_f32 + ftz + 2 * sat; break;
	case PTX_OP_sub: handler = ALU_sub_f32 + ftz + 2 * sat; break;
	case PTX_OP_mul: handler = ALU_mul_f32 + ftz + 2 * sat; break;
	case PTX_OP_fma: case PTX_OP_mad: handler = ALU_fma_f32 + ftz + 2 * sat; break;
	case PTX_OP_abs: handler = ALU_abs_f32 + ftz; break;
	case PTX_OP_neg: handler = ALU_neg_f32 + ftz; break;
	case PTX_OP_min: case PTX_OP_max:
		if (rounding_given || approx)
			break;
		return lower_least_f32(alu, ftz);
	case PTX_OP_copysign: handler = ftz ? NONE : ALU_copysign_f32; break;
	case PTX_OP_div:
		handler = (approx ? ALU_div_approx_f32 : ALU_div_rn_f32) + ftz;
		may_approximate = 1;
		break;
	case PTX_OP_rcp: handler = ALU_rcp_f32 + ftz, may_approximate = 1; break;
	case PTX_OP_sqrt: handler = ALU_sqrt_f32 + ftz, may_approximate = 1; break;
	case PTX_OP_rsqrt: handler = ALU_rsqrt_f32 + ftz, must_approximate = 1; break;
	case PTX_OP_ex2: handler = ALU_ex2_f32 + ftz, must_approximate = 1; break;
	case PTX_OP_lg2: handler = ALU_lg2_f32 + ftz, must_approximate = 1; break;
	case PTX_OP_tanh: handler = ftz ? NONE : ALU_tanh_f32, must_approximate = 1; break;
	case PTX_OP_sin: handler = ALU_sin_f32, must_approximate = 1; break;
	case PTX_OP_cos: handler = ALU_cos_f32, must_approximate = 1; break;
	default: break;
	}
	if (handler == NONE)
		return alu_wrong_type(alu);
	if (must_approximate ? !approx : approx && !may_approximate)
		return ptx_malformed(alu->lowering, must_approximate ? ".approx is missing" : ".approx is not of this instruction");
	if (must_approximate || approx)
		class = PTX_CLASS_SPECIAL_FUNCTION;
	alu->insn->option[0] = (uint8_t)ftz;
	return finish(alu, alu->tables->real[handler], class, 0);
}

static int lower_f64(struct alu *alu)
{
	const enum ptx_opcode opcode = alu->in->opcode;
	int rounding_given;
	const enum number_rounding rounding = alu_take_rounding(alu, &rounding_given);
	const int approx = alu_take(alu, PTX_MOD_approx), ftz = approx && alu_take(alu, PTX_MOD_ftz);
	if (rounding != NUMBER_RN)
		return lower_rounded(alu, rounding, 0, 0);
	int handler = NONE;
	switch (opcode) {
	case PTX_OP_add: handler = ALU_add_f64; break;
	case PTX_OP_sub: handler = ALU_sub_f64; break;
	case PTX_OP_mul: handler = ALU_mul_f64; break;
	case PTX_OP_fma: case PTX_OP_mad: handler = ALU_fma_f64; break;
	case PTX_OP_abs: handler = ALU_abs_f64; break;
	case PTX_OP_neg: handler = ALU_neg_f64; break;
	case PTX_OP_min: handler = ALU_min_f64; break;
	case PTX_OP_max: handler = ALU_max_f64; break;
	case PTX_OP_copysign: handler = ALU_copysign_f64; break;
	case PTX_OP_div: handler = ALU_div_f64; break;
	case PTX_OP_sqrt: handler = ALU_sqrt_f64; break;
	case PTX_OP_rcp: handler = approx ? ftz ? ALU_rcp_approx_f64 : NONE : ALU_rcp_f64; break;
	case PTX_OP_rsqrt: handler = approx ? ftz ? ALU_rsqrt_approx_ftz_f64 : ALU_rsqrt_approx_f64 : NONE; break;
	default: break;
	}
	if (handler == NONE || (approx && opcode != PTX_OP_rcp && opcode != PTX_OP_rsqrt))
		return alu_wrong_type(alu);
	return finish(alu, alu->tables->real[handler], approx ? PTX_CLASS_SPECIAL_FUNCTION : PTX_CLASS_F64, 0);
}

/* f16, f16x2, bf16, bf16x2; the options are those of alu_half.inc. */
static int lower_half(struct alu *alu)
{
	const enum ptx_type type = alu->types[0];
	const int bf16 = type == PTX_BF16 || type == PTX_BF16X2, packed = type == PTX_F16X2 || type == PTX_BF16X2;
	uint8_t *const option = alu->insn->option;
	int handler = NONE;
	enum ptx_class class = PTX_CLASS_F16;
	const int arithmetic = operand_count(alu->in->opcode) > 1 && alu->in->opcode != PTX_OP_min && alu->in->opcode != PTX_OP_max;

	if (arithmetic)
		alu_take(alu, PTX_MOD_rn);
	option[3] = (uint8_t)packed;
	switch (alu->in->opcode) {
	case PTX_OP_add: handler = bf16 ? ALU_add_bf16 : ALU_add_f16; break;
	case PTX_OP_sub:
		handler = bf16 ? ALU_add_bf16 : ALU_add_f16;
		option[6] = 1;
		break;
	case PTX_OP_mul: handler = bf16 ? ALU_mul_bf16 : ALU_mul_f16; break;
	case PTX_OP_fma:
		handler = bf16 ? ALU_fma_bf16 : ALU_fma_f16;
		option[2] = (uint8_t)alu_take(alu, PTX_MOD_relu);
		break;
	case PTX_OP_min: case PTX_OP_max:
		handler = alu->in->opcode == PTX_OP_min ? bf16 ? ALU_min_bf16 : ALU_min_f16 : bf16 ? ALU_max_bf16 : ALU_max_f16;
		option[4] = (uint8_t)alu_take(alu, PTX_MOD_NaN);
		option[5] = alu_take(alu, PTX_MOD_xorsign) && alu_take(alu, PTX_MOD_abs);
		break;
	case PTX_OP_abs: handler = bf16 ? ALU_abs_bf16 : ALU_abs_f16; break;
	case PTX_OP_neg: handler = bf16 ? ALU_neg_bf16 : ALU_neg_f16; break;
	case PTX_OP_ex2: case PTX_OP_tanh:
		if (!alu_take(alu, PTX_MOD_approx))
			return ptx_malformed(alu->lowering, ".approx is missing");
		handler = alu->in->opcode == PTX_OP_ex2 ? bf16 ? ALU_ex2_bf16 : ALU_ex2_f16 : bf16 ? ALU_tanh_bf16 : ALU_tanh_f16;
		class = PTX_CLASS_SPECIAL_FUNCTION;
		if (bf16)
			alu_take(alu, PTX_MOD_ftz); /* ex2.approx.ftz.bf16: the handler flushes */
		break;
	default: break;
	}
	if (handler == NONE)
		return alu_wrong_type(alu);
	if (arithmetic && !bf16)
		option[1] = (uint8_t)alu_take(alu, PTX_MOD_sat);
	if (!bf16)
		option[0] = (uint8_t)alu_take(alu, PTX_MOD_ftz);
	return finish(alu, alu->tables->real[handler], class, (unsigned)packed);
}

static int lower_f32x2(struct alu *alu)
{
	const enum number_rounding rounding = alu_take_rounding(alu, NULL);
	const int ftz = alu_take(alu, PTX_MOD_ftz);
	int handler = NONE;
	switch (alu->in->opcode) {
	case PTX_OP_add: handler = ALU_add_f32x2; break;
	case PTX_OP_sub: handler = ALU_sub_f32x2; break;
	case PTX_OP_mul: handler = ALU_mul_f32x2; break;
	case PTX_OP_fma: handler = ALU_fma_f32x2; break;
	default: return alu_wrong_type(alu);
	}
	if (rounding != NUMBER_RN)
		return lower_rounded(alu, rounding, ftz, 0);
	alu->insn->option[0] = (uint8_t)ftz;
	return finish(alu, alu->tables->real[handler], PTX_CLASS_F32, 1);
}

int alu_lower_real(struct alu *alu)
{
	if (alu->type_count != 1)
		return ptx_unsupported(alu->lowering, "operands of different types");
	switch (alu->types[0]) {
	case PTX_F32:
		return lower_f32(alu);
	case PTX_F64:
		return lower_f64(alu);
	case PTX_F16: case PTX_F16X2: case PTX_BF16: case PTX_BF16X2:
		return lower_half(alu);
	case PTX_F32X2:
		return lower_f32x2(alu);
	default:
		return alu_wrong_type(alu);
	}
}
