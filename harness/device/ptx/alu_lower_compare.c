/* Lowering of setp, set, testp, selp and slct (manual 9.7.3.1, 9.7.6, 9.7.7). */
#include "device/ptx/alu_lower.h"

/* Every comparison from the ones that have handlers: with operands swapped, and complemented. What is true of unordered operands
 * is the complement of something that is false of them. */
struct comparison {
	enum ptx_modifier word;
	enum alu_half_comparison real;
	uint8_t real_swap, real_complement;
	uint8_t whole;             /* of integers: 0 none, 1 eq, 2 lt */
	uint8_t whole_swap, whole_complement;
};
static const struct comparison comparisons[] = {
	{PTX_MOD_eq, ALU_HALF_EQ, 0, 0, 1, 0, 0},
	{PTX_MOD_ne, ALU_HALF_DIFFER, 0, 0, 1, 0, 1},
	{PTX_MOD_lt, ALU_HALF_LT, 0, 0, 2, 0, 0},
	{PTX_MOD_le, ALU_HALF_LE, 0, 0, 2, 1, 1},
	{PTX_MOD_gt, ALU_HALF_LT, 1, 0, 2, 1, 0},
	{PTX_MOD_ge, ALU_HALF_LE, 1, 0, 2, 0, 1},
	{PTX_MOD_lo, ALU_HALF_LT, 0, 0, 2, 0, 0},
	{PTX_MOD_ls, ALU_HALF_LE, 0, 0, 2, 1, 1},
	{PTX_MOD_hi, ALU_HALF_LT, 1, 0, 2, 1, 0},
	{PTX_MOD_hs, ALU_HALF_LE, 1, 0, 2, 0, 1},
	{PTX_MOD_equ, ALU_HALF_DIFFER, 0, 1, 0, 0, 0},
	{PTX_MOD_neu, ALU_HALF_EQ, 0, 1, 0, 0, 0},
	{PTX_MOD_ltu, ALU_HALF_LE, 1, 1, 0, 0, 0},
	{PTX_MOD_leu, ALU_HALF_LT, 1, 1, 0, 0, 0},
	{PTX_MOD_gtu, ALU_HALF_LE, 0, 1, 0, 0, 0},
	{PTX_MOD_geu, ALU_HALF_LT, 0, 1, 0, 0, 0},
	{PTX_MOD_num, ALU_HALF_NUMBER, 0, 0, 0, 0, 0},
	{PTX_MOD_nan, ALU_HALF_NUMBER, 0, 1, 0, 0, 0},
};

/* The SETP_ handler; the SET_ one follows it. -1: none. */
static int whole_handler(enum ptx_type type, int less)
{
	switch (type) {
	case PTX_B16: case PTX_B32:
		return less ? -1 : ALU_SETP_eq_32;
	case PTX_B64:
		return less ? -1 : ALU_SETP_eq_64;
	case PTX_U16: case PTX_U32:
		return less ? ALU_SETP_lt_u32 : ALU_SETP_eq_32;
	case PTX_S16:
		return less ? ALU_SETP_lt_s16 : ALU_SETP_eq_32;
	case PTX_S32:
		return less ? ALU_SETP_lt_s32 : ALU_SETP_eq_32;
	case PTX_U64:
		return less ? ALU_SETP_lt_u64 : ALU_SETP_eq_64;
	case PTX_S64:
		return less ? ALU_SETP_lt_s64 : ALU_SETP_eq_64;
	default:
		return -1;
	}
}

static int real_handler(enum ptx_type type, int ftz, enum alu_half_comparison comparison)
{
	static const int f32[5][2] = {{ALU_SETP_eq_f32, ALU_SETP_eq_ftz_f32},
				      {ALU_SETP_lt_f32, ALU_SETP_lt_ftz_f32},
				      {ALU_SETP_le_f32, ALU_SETP_le_ftz_f32},
				      {ALU_SETP_differ_f32, ALU_SETP_differ_ftz_f32},
				      {ALU_SETP_number_f32, ALU_SETP_number_f32}};
	static const int f64[5] = {ALU_SETP_eq_f64, ALU_SETP_lt_f64, ALU_SETP_le_f64, ALU_SETP_differ_f64, ALU_SETP_number_f64};
	switch (type) {
	case PTX_F32:
		return f32[comparison][ftz];
	case PTX_F64:
		return ftz ? -1 : f64[comparison];
	case PTX_F16: case PTX_BF16:
		return ALU_SETP_f16;
	case PTX_F16X2: case PTX_BF16X2:
		return ALU_SETP_f16x2;
	default:
		return -1;
	}
}

/* What set writes for true. */
static int true_value(enum ptx_type type, int packed, int64_t *value)
{
	switch (type) {
	case PTX_U32: case PTX_S32:
		*value = packed ? 0xffff : 0xffffffff;
		return 0;
	case PTX_U16: case PTX_S16:
		*value = 0xffff;
		return 0;
	case PTX_F32:
		*value = 0x3f800000;
		return 0;
	case PTX_F16: case PTX_F16X2:
		*value = 0x3c00;
		return 0;
	case PTX_BF16: case PTX_BF16X2:
		*value = 0x3f80;
		return 0;
	default:
		return -1;
	}
}

static int lower_comparison(struct alu *alu)
{
	const int is_set = alu->in->opcode == PTX_OP_set;
	const struct ptx_operand *const operands = alu->in->operands;
	struct ptx_insn *const insn = alu->insn;
	if (alu->type_count != 1 + is_set)
		return ptx_malformed(alu->lowering, "%d types, where %d are expected", alu->type_count, 1 + is_set);
	const enum ptx_type type = alu->types[is_set];
	const int ftz = alu_take(alu, PTX_MOD_ftz), packed = type == PTX_F16X2 || type == PTX_BF16X2;
	const struct comparison *comparison = NULL;
	for (unsigned i = 0; i < sizeof comparisons / sizeof *comparisons && !comparison; i++)
		if (alu_take(alu, comparisons[i].word))
			comparison = &comparisons[i];
	if (!comparison)
		return ptx_malformed(alu->lowering, "no comparison");
	insn->option[1] = alu_take(alu, PTX_MOD_and) ? ALU_AND : alu_take(alu, PTX_MOD_or) ? ALU_OR : alu_take(alu, PTX_MOD_xor) ? ALU_XOR : 0;
	const int combined = insn->option[1] != 0, pair = operands[0].kind == PTX_OPERAND_PAIR;
	if (alu->in->operand_count != 3 + combined)
		return ptx_malformed(alu->lowering, "%d operands, where %d are expected", alu->in->operand_count, 3 + combined);
	if (pair && (is_set || operands[0].count != 2))
		return ptx_malformed(alu->lowering, "the destination is a pair");
	if (packed && !is_set && !pair)
		return ptx_malformed(alu->lowering, "the destination is not p|q");

	const int real = alu_is_real(type);
	int handler = real ? real_handler(type, ftz, comparison->real) : comparison->whole ? whole_handler(type, comparison->whole == 2) : -1;
	if (handler < 0 || (ftz && (!real || type == PTX_BF16 || type == PTX_BF16X2)))
		return alu_wrong_type(alu);
	handler += is_set;
	insn->option[0] = real ? comparison->real_complement : comparison->whole_complement;
	insn->option[3] = (uint8_t)pair;
	insn->option[4] = (uint8_t)comparison->real;
	insn->option[5] = type == PTX_BF16 || type == PTX_BF16X2;
	insn->option[7] = (uint8_t)ftz;
	if (is_set && true_value(alu->types[0], packed, &insn->immediate))
		return alu_wrong_type(alu);

	if (alu_room(alu, 1 + pair, 2 + combined))
		return -1;
	const enum ptx_type result = is_set ? alu->types[0] : PTX_PRED;
	for (int i = 0; i < 1 + pair; i++)
		if (ptx_destination(alu->lowering, pair ? ptx_element(alu->lowering, &operands[0], i) : &operands[0], result, 0, &alu->dst[i]))
			return -1;
	const int swap = real ? comparison->real_swap : comparison->whole_swap;
	for (int i = 0; i < 2; i++)
		if (ptx_source(alu->lowering, &operands[1 + i], type, 0, NULL, &alu->src[swap ? 1 - i : i]))
			return -1;
	if (combined && alu_predicate(alu, 3, 2, &insn->option[2]))
		return -1;
	return alu_done(alu, alu->tables->compare[handler], PTX_CLASS_COMPARE, 0);
}

static int lower_testp(struct alu *alu)
{
	static const struct {
		enum ptx_modifier word;
		enum alu_test test;
	} tests[] = {{PTX_MOD_finite, ALU_TEST_FINITE}, {PTX_MOD_infinite, ALU_TEST_INFINITE}, {PTX_MOD_number, ALU_TEST_NUMBER},
		     {PTX_MOD_notanumber, ALU_TEST_NOTANUMBER}, {PTX_MOD_normal, ALU_TEST_NORMAL}, {PTX_MOD_subnormal, ALU_TEST_SUBNORMAL}};
	const enum ptx_type type = alu->types[0];
	int found = 0;
	for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
		if (alu_take(alu, tests[i].word)) {
			alu->insn->option[4] = (uint8_t)tests[i].test;
			found++;
		}
	if (found != 1)
		return ptx_malformed(alu->lowering, "one test is needed");
	if (type != PTX_F32 && type != PTX_F64)
		return alu_wrong_type(alu);
	return alu_operands(alu, PTX_PRED, 1, ALU_TYPES(type)) ? -1 : alu_done(alu, alu->tables->compare[type == PTX_F32 ? ALU_testp_f32 : ALU_testp_f64], PTX_CLASS_COMPARE, 0);
}

/* selp d, a, b, p: options are predicate()'s of alu_integer.c, [2] for the third source. */
static int lower_selp(struct alu *alu)
{
	const enum ptx_type type = alu->types[0];
	const unsigned bytes = ptx_type_bytes(type);
	if (alu->in->operand_count != 4)
		return ptx_malformed(alu->lowering, "%d operands, where 4 are expected", alu->in->operand_count);
	if (bytes < 2 || bytes > 8)
		return alu_wrong_type(alu);
	if (alu_room(alu, 1, 3) || ptx_destination(alu->lowering, &alu->in->operands[0], type, 0, &alu->dst[0]) ||
	    ptx_source(alu->lowering, &alu->in->operands[1], type, 0, NULL, &alu->src[0]) ||
	    ptx_source(alu->lowering, &alu->in->operands[2], type, 0, NULL, &alu->src[1]) || alu_predicate(alu, 3, 2, &alu->insn->option[2]))
		return -1;
	return alu_done(alu, alu->tables->integer[bytes == 8 ? ALU_selp_64 : ALU_selp_32], PTX_CLASS_COMPARE, 0);
}

static int lower_slct(struct alu *alu)
{
	const enum ptx_type type = alu->types[0];
	const unsigned bytes = ptx_type_bytes(type);
	if (alu->type_count != 2 || (alu->types[1] != PTX_S32 && alu->types[1] != PTX_F32) || bytes < 2 || bytes > 8)
		return alu_wrong_type(alu);
	const int real = alu->types[1] == PTX_F32;
	if (real)
		alu->insn->immediate = alu_take(alu, PTX_MOD_ftz);
	const int handler = real ? bytes == 8 ? ALU_slct_64_f32 : ALU_slct_32_f32 : bytes == 8 ? ALU_slct_64_s32 : ALU_slct_32_s32;
	return alu_operands(alu, type, 3, ALU_TYPES(type, type, alu->types[1])) ? -1 : alu_done(alu, alu->tables->integer[handler], PTX_CLASS_COMPARE, 0);
}

int alu_lower_compare(struct alu *alu)
{
	switch (alu->in->opcode) {
	case PTX_OP_selp:
		return lower_selp(alu);
	case PTX_OP_slct:
		return lower_slct(alu);
	case PTX_OP_testp:
		return lower_testp(alu);
	default:
		return lower_comparison(alu);
	}
}
