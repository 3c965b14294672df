/* Which registers an instruction reads and writes: the one place that says so, for liveness and for lowering's checks. */
#include "device/ptx/front.h"

int ptx_destination_count(const struct ptx_instruction *instruction)
{
	if (!instruction->operand_count)
		return 0;
	switch (instruction->opcode) {
	case PTX_OP_bra: case PTX_OP_brx: case PTX_OP_call: case PTX_OP_cp: case PTX_OP_discard: case PTX_OP_exit: case PTX_OP_fence:
	case PTX_OP_griddepcontrol: case PTX_OP_membar: case PTX_OP_nanosleep: case PTX_OP_pmevent: case PTX_OP_prefetch: case PTX_OP_prefetchu:
	case PTX_OP_red: case PTX_OP_ret: case PTX_OP_setmaxnreg: case PTX_OP_st: case PTX_OP_stackrestore: case PTX_OP_stmatrix:
	case PTX_OP_sured: case PTX_OP_sust: case PTX_OP_trap: case PTX_OP_brkpt: case PTX_OP_applypriority:
		return 0;
	case PTX_OP_bar: case PTX_OP_barrier:
		return ptx_has(instruction, PTX_MOD_red);
	default:
		/* mbarrier.init [a], n; wmma.store [p], ...: an address first means that memory is the destination */
		return instruction->operands[0].kind != PTX_OPERAND_ADDRESS;
	}
}

static void visit_operand(const struct ptx_function *function, const struct ptx_operand *operand, int access,
			  void (*visit)(void *context, int32_t reg, int access), void *context)
{
	if (operand->reg >= 0) /* the register of an address is read, wherever the address stands */
		visit(context, operand->reg, operand->kind == PTX_OPERAND_ADDRESS ? PTX_ACCESS_READ : access);
	for (int i = 0; i < operand->count; i++) {
		const struct ptx_operand *element = &function->elements[operand->first + i];
		const int elements = operand->kind == PTX_OPERAND_ADDRESS ? PTX_ACCESS_READ : access;
		if (element->kind == PTX_OPERAND_VECTOR || element->kind == PTX_OPERAND_ADDRESS) { /* {..}|p */
			for (int k = 0; k < element->count; k++)
				if (function->elements[element->first + k].reg >= 0)
					visit(context, function->elements[element->first + k].reg, elements);
		}
		if (element->reg >= 0)
			visit(context, element->reg, element->kind == PTX_OPERAND_ADDRESS ? PTX_ACCESS_READ : elements);
	}
}

void ptx_visit_registers(const struct ptx_function *function, const struct ptx_instruction *instruction,
			 void (*visit)(void *context, int32_t reg, int access), void *context)
{
	const int destinations = ptx_destination_count(instruction);
	/* not known well enough to say: both. Accumulators of wgmma and tcgen05 are both in truth. */
	const int unsure = instruction->opcode == PTX_OP_unknown || instruction->opcode == PTX_OP_wgmma || instruction->opcode == PTX_OP_tcgen05;
	const int both = PTX_ACCESS_READ | PTX_ACCESS_WRITE;
	if (instruction->guard >= 0)
		visit(context, instruction->guard, PTX_ACCESS_READ);
	for (int i = destinations; i < instruction->operand_count; i++)
		visit_operand(function, &instruction->operands[i], unsure ? both : PTX_ACCESS_READ, visit, context);
	for (int i = 0; i < destinations; i++)
		visit_operand(function, &instruction->operands[i], unsure ? both : PTX_ACCESS_WRITE, visit, context);
}
