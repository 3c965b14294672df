/* Lowering of arithmetic: which function lowers an instruction, and what they share. */
#include "device/ptx/alu_lower.h"

#ifdef PTX_ALU_X86_LEVELS
#include <cpuid.h>
#endif
#include <string.h>

#define TABLES(level)                                                                                                  \
	extern const ptx_execute ptx_alu_integer_##level[ALU_INTEGER_COUNT], ptx_alu_real_##level[ALU_REAL_COUNT],     \
		ptx_alu_compare_##level[ALU_COMPARE_COUNT], ptx_alu_convert_##level[ALU_CONVERT_COUNT];                \
	static const struct alu_tables tables_##level = {ptx_alu_integer_##level, ptx_alu_real_##level, ptx_alu_compare_##level, \
							 ptx_alu_convert_##level};
TABLES(baseline)
#ifdef PTX_ALU_X86_LEVELS
TABLES(v3)
TABLES(v4)

/* Clang 14 does not know these two by name: CPUID (Intel SDM volume 2A) leaf 1, ECX bit 29; leaf 0x80000001, ECX bit 5. */
static int host_has_f16c_lzcnt(void)
{
	unsigned a, b, c, d, extended_c;
	return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1) && __get_cpuid(0x80000001, &a, &b, &extended_c, &d) && (extended_c >> 5 & 1);
}

static int host_has(const char *level)
{
	__builtin_cpu_init();
	const int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
		       __builtin_cpu_supports("bmi") && host_has_f16c_lzcnt();
	if (strcmp(level, "v3") == 0)
		return v3;
	return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
}
#endif

const struct alu_tables *ptx_alu_level(const char *name)
{
	if (strcmp(name, "baseline") == 0)
		return &tables_baseline;
#ifdef PTX_ALU_X86_LEVELS
	if (strcmp(name, "v3") == 0)
		return host_has("v3") ? &tables_v3 : NULL;
	if (strcmp(name, "v4") == 0)
		return host_has("v4") ? &tables_v4 : NULL;
#endif
	return NULL;
}

const struct alu_tables *ptx_alu_tables(void)
{
	static const char *const levels[] = {"v4", "v3"};
	for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++) {
		const struct alu_tables *tables = ptx_alu_level(levels[i]);
		if (tables)
			return tables;
	}
	return &tables_baseline;
}

int alu_take(struct alu *alu, enum ptx_modifier modifier)
{
	for (int i = 0; i < alu->in->modifier_count; i++)
		if (alu->in->modifiers[i] == modifier) {
			alu->taken |= 1u << i;
			return 1;
		}
	return 0;
}

enum number_rounding alu_take_rounding(struct alu *alu, int *given)
{
	static const struct {
		enum ptx_modifier modifier;
		enum number_rounding rounding;
	} words[] = {{PTX_MOD_rn, NUMBER_RN}, {PTX_MOD_rz, NUMBER_RZ}, {PTX_MOD_rm, NUMBER_RM}, {PTX_MOD_rp, NUMBER_RP}, {PTX_MOD_rna, NUMBER_RNA}};
	if (given)
		*given = 0;
	for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
		if (alu_take(alu, words[i].modifier)) {
			if (given)
				*given = 1;
			return words[i].rounding;
		}
	return NUMBER_RN;
}

int alu_room(struct alu *alu, int dst_count, int src_count)
{
	struct ptx_slot *slots = ptx_lowering_alloc(alu->lowering, (size_t)(dst_count + src_count) * sizeof *slots);
	if (!slots)
		return -1;
	memset(slots, 0, (size_t)(dst_count + src_count) * sizeof *slots);
	alu->dst = slots;
	alu->src = slots + dst_count;
	alu->insn->dst = alu->dst;
	alu->insn->src = alu->src;
	alu->insn->dst_count = (uint8_t)dst_count;
	alu->insn->src_count = (uint8_t)src_count;
	return 0;
}

int alu_operands(struct alu *alu, enum ptx_type dst, int count, const enum ptx_type *types)
{
	if (alu->in->operand_count != 1 + count)
		return ptx_malformed(alu->lowering, "%d operands, where %d are expected", alu->in->operand_count, 1 + count);
	if (alu_room(alu, 1, count) || ptx_destination(alu->lowering, &alu->in->operands[0], dst, 0, &alu->dst[0]))
		return -1;
	for (int i = 0; i < count; i++)
		if (ptx_source(alu->lowering, &alu->in->operands[1 + i], types[i], 0, NULL, &alu->src[i]))
			return -1;
	return 0;
}

int alu_predicate(struct alu *alu, int operand, int i, uint8_t *negated)
{
	int value = 0;
	if (ptx_source(alu->lowering, &alu->in->operands[operand], PTX_PRED, 0, &value, &alu->src[i]))
		return -1;
	*negated = value != 0;
	return 0;
}

int alu_wrong_type(struct alu *alu)
{
	return ptx_unsupported(alu->lowering, "not with type .%s", alu->type_count ? ptx_type_name(alu->types[0]) : "(none)");
}

int alu_done(struct alu *alu, ptx_execute execute, enum ptx_class class, unsigned flops)
{
	for (int i = 0; i < alu->in->modifier_count; i++)
		if (!(alu->taken >> i & 1))
			return ptx_unsupported(alu->lowering, "modifier .%s is not executed here", ptx_modifier_name(alu->in->modifiers[i]));
	if (!execute)
		return alu_wrong_type(alu);
	alu->insn->execute = execute;
	alu->insn->class = (uint8_t)class;
	alu->insn->flops = flops;
	return 0;
}

int ptx_lower_alu(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	struct alu alu = {.lowering = lowering, .insn = insn, .in = lowering->instruction, .tables = ptx_alu_tables()};
	for (int i = 0; i < alu.in->modifier_count; i++) {
		const enum ptx_type type = ptx_modifier_type(alu.in->modifiers[i]);
		if (type == PTX_NO_TYPE)
			continue;
		if (alu.type_count == 4)
			return ptx_malformed(lowering, "more types than any instruction has");
		alu.types[alu.type_count++] = type;
		alu.taken |= 1u << i;
	}
	if (alu.type_count == 0)
		return ptx_malformed(lowering, "no type");
	const int real = alu_is_real(alu.types[0]);
	switch (alu.in->opcode) {
	case PTX_OP_add: case PTX_OP_sub: case PTX_OP_mul: case PTX_OP_mad: case PTX_OP_div: case PTX_OP_abs: case PTX_OP_neg:
	case PTX_OP_min: case PTX_OP_max:
		return real ? alu_lower_real(&alu) : alu_lower_integer(&alu);
	case PTX_OP_addc: case PTX_OP_subc: case PTX_OP_madc: case PTX_OP_mul24: case PTX_OP_mad24: case PTX_OP_sad: case PTX_OP_rem:
		return alu_lower_integer(&alu);
	case PTX_OP_popc: case PTX_OP_clz: case PTX_OP_bfind: case PTX_OP_brev: case PTX_OP_bfe: case PTX_OP_bfi: case PTX_OP_bmsk:
	case PTX_OP_fns: case PTX_OP_szext: case PTX_OP_lop3: case PTX_OP_shf: case PTX_OP_shl: case PTX_OP_shr: case PTX_OP_prmt:
	case PTX_OP_dp4a: case PTX_OP_dp2a: case PTX_OP_cnot: case PTX_OP_and: case PTX_OP_or: case PTX_OP_xor: case PTX_OP_not:
		return alu_lower_bits(&alu);
	case PTX_OP_fma: case PTX_OP_rcp: case PTX_OP_sqrt: case PTX_OP_rsqrt: case PTX_OP_sin: case PTX_OP_cos: case PTX_OP_lg2:
	case PTX_OP_ex2: case PTX_OP_tanh: case PTX_OP_copysign:
		return alu_lower_real(&alu);
	case PTX_OP_set: case PTX_OP_setp: case PTX_OP_selp: case PTX_OP_slct: case PTX_OP_testp:
		return alu_lower_compare(&alu);
	case PTX_OP_cvt:
		return alu_lower_convert(&alu);
	case PTX_OP_mov:
		return alu_lower_move(&alu);
	default:
		return ptx_unsupported(lowering, "not executed on the cpu");
	}
}
