/* From instructions to something that runs. One function lowers each group of opcodes; it checks modifiers and operand types
 * (a combination that is not executed exactly as the manual says is "unsupported", never approximated), resolves operands
 * into slots, and chooses the handler. */
#ifndef ASSAY_DEVICE_PTX_LOWER_H
#define ASSAY_DEVICE_PTX_LOWER_H

#include "device/ptx/machine.h"

/* What symbols of a module stand for once it is placed; made by image.c. */
struct ptx_link {
	/* Generic address of a .global or .const variable, or offset of a .shared one (static or extern, as placed for the entry
	 * being lowered), of the module or of a function's body: variable->offset alone does not say where the shared
	 * variables of a called function stand. -1: unknown symbol. */
	int (*address)(const struct ptx_link *link, const struct ptx_variable *variable, uint64_t *address);
	/* Stands for a .func; NULL with *err: no such function. It is lowered after its callers, so nothing but its address may be
	 * used: the value of `mov d, function`. Built-in ones (vprintf, malloc, free, __assertfail) are told apart by
	 * `builtin` > 0. */
	struct ptx_program *(*function)(const struct ptx_link *link, const char *name, int *builtin, struct error *err);
};

struct ptx_lowering {
	const struct ptx_function *function;
	struct ptx_program *program;
	const struct ptx_link *link;
	const struct ptx_instruction *instruction; /* the one being lowered */
	struct error *err;
	void *state;               /* private of lower.c */
};

/* Lowers a whole function. ERROR_UNSUPPORTED: "unsupported: <instruction> (line L, column C): <why>"; ERROR_INPUT where
 * the PTX breaks a rule (wrong operand kind or size ...), with line and column. */
int ptx_lower(const struct ptx_function *function, const struct ptx_link *link, struct ptx_program **program, struct error *err);
void ptx_program_free(struct ptx_program *program);

/* The groups. Each gets an insn with guard, source and defaults filled in, and completes it. 0, or -1 by one of the two
 * failure functions below. */
int ptx_lower_control(struct ptx_lowering *lowering, struct ptx_insn *insn);  /* control.c: bra brx call ret exit trap bar barrier shfl vote
	match redux activemask elect nanosleep membar fence mov of special registers, setmaxnreg griddepcontrol pmevent brkpt getctarank mapa */
int ptx_lower_alu(struct ptx_lowering *lowering, struct ptx_insn *insn);      /* alu*.c: all arithmetic, logic, comparison, conversion, mov, selp ... */
int ptx_lower_memory(struct ptx_lowering *lowering, struct ptx_insn *insn);   /* memory_*.c: ld st ldu atom red cp (async, bulk) mbarrier prefetch
	cvta isspacep discard applypriority createpolicy, and mov of a variable's or function's address (of a function: the
	address of its ptx_program, which an indirect call takes) */
int ptx_lower_matrix(struct ptx_lowering *lowering, struct ptx_insn *insn);   /* matrix.c: mma wmma ldmatrix stmatrix movmatrix */
/* Definedness rule of an ALU instruction (propagate.c), NULL for the default. */
ptx_execute ptx_propagation(const struct ptx_instruction *instruction);

/* ---- for the groups ---- */

/* Failures: fill *lowering->err with mnemonic, line and column; return -1. */
int ptx_unsupported(struct ptx_lowering *lowering, const char *format, ...) __attribute__((format(printf, 2, 3)));
int ptx_malformed(struct ptx_lowering *lowering, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory that lives as long as the program; NULL after failing with ERROR_ENVIRONMENT. */
void *ptx_lowering_alloc(struct ptx_lowering *lowering, size_t bytes);

/* Room for the operands of the insn: sets insn->dst/src and counts (at most 32 each). */
int ptx_operands(struct ptx_lowering *lowering, struct ptx_insn *insn, int dst_count, int src_count);

/* A source operand read as `type`: a register (whose size must be that of the type, or with `wider` not smaller: ld, st, cvt),
 * or a constant, which is converted to the type's bits as the manual says (chapter 4.5: integer constants are truncated to the
 * type, floating-point constants rounded to it, 0f only for .f32 and 0d for .f64) and broadcast to a slot of the constants. Type
 * PTX_PRED gives a predicate slot (negated predicates are not resolved here: see `negated`, which may be NULL where ! is an
 * error). VARIABLE operands in .global, .const, .shared become their address; in .local and .param of a frame they cannot be
 * constants: the memory group handles mov and addresses of those. */
int ptx_source(struct ptx_lowering *lowering, const struct ptx_operand *operand, enum ptx_type type, int wider, int *negated,
	       struct ptx_slot *slot);
/* A destination register, or `_` (a scratch slot with sink set). */
int ptx_destination(struct ptx_lowering *lowering, const struct ptx_operand *operand, enum ptx_type type, int wider,
		    struct ptx_slot *slot);
/* A constant of `lane_bytes` (4 or 8) broadcast. */
int ptx_constant(struct ptx_lowering *lowering, uint64_t bits, int lane_bytes, struct ptx_slot *slot);
/* The value of an operand that must be a constant integer. */
int ptx_constant_integer(struct ptx_lowering *lowering, const struct ptx_operand *operand, int64_t *value);
/* Elements of VECTOR, PAIR and LIST; n-th operand of the instruction. */
static inline const struct ptx_operand *ptx_element(const struct ptx_lowering *lowering, const struct ptx_operand *operand, int n)
{
	return &lowering->function->elements[operand->first + n];
}
static inline const struct ptx_operand *ptx_operand(const struct ptx_lowering *lowering, int n)
{
	return &lowering->instruction->operands[n];
}

#endif
