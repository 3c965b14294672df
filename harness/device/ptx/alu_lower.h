/* What the files that lower arithmetic share: alu.c (dispatch, operands), alu_lower_*.c (one a group of instructions). */
#ifndef ASSAY_DEVICE_PTX_ALU_LOWER_H
#define ASSAY_DEVICE_PTX_ALU_LOWER_H

#include "device/ptx/alu.h"

/* One instruction on its way. Modifiers must be taken one by one: what nobody took is unsupported. */
struct alu {
	struct ptx_lowering *lowering;
	struct ptx_insn *insn;
	const struct ptx_instruction *in;
	const struct alu_tables *tables;
	enum ptx_type types[4];    /* among the modifiers, in order; all taken */
	int type_count;
	uint32_t taken;            /* a bit for each modifier */
	struct ptx_slot *dst, *src; /* insn->dst and src, to be written */
};

int alu_take(struct alu *alu, enum ptx_modifier modifier); /* 1: it is there */
/* .rn .rz .rm .rp, to nearest where none stands; *given is 1 where one does (may be NULL). */
enum number_rounding alu_take_rounding(struct alu *alu, int *given);

/* Slots for destinations and sources; -1 without memory. */
int alu_room(struct alu *alu, int dst_count, int src_count);
/* dst <- operand 0, sources <- the operands after it, `count` of them with the types of the list. */
int alu_operands(struct alu *alu, enum ptx_type dst, int count, const enum ptx_type *types);
#define ALU_TYPES(...) ((const enum ptx_type[]){__VA_ARGS__})
/* A predicate source in src[i]; *negated as in ptx_source. */
int alu_predicate(struct alu *alu, int operand, int i, uint8_t *negated);

/* Ends: handler, class, and floating-point operations a lane. -1 where a modifier is left over or `execute` is NULL. */
int alu_done(struct alu *alu, ptx_execute execute, enum ptx_class class, unsigned flops);
int alu_wrong_type(struct alu *alu); /* "unsupported": this type */

/* The group's instructions. */
int alu_lower_integer(struct alu *alu);   /* with an integer or bit type as first type */
int alu_lower_bits(struct alu *alu);      /* bit fields, shifts, logic, permutation, dot products */
int alu_lower_real(struct alu *alu);
int alu_lower_compare(struct alu *alu);   /* setp set testp selp slct */
int alu_lower_convert(struct alu *alu);   /* cvt */
int alu_lower_move(struct alu *alu);      /* mov */

static inline int alu_is_real(enum ptx_type type)
{
	return type >= PTX_F16 && type <= PTX_F64;
}
static inline int alu_is_signed(enum ptx_type type)
{
	return (type >= PTX_S4 && type <= PTX_S64) || type == PTX_S16X2;
}

#endif
