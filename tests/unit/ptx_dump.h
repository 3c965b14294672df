/* A function's normalised instructions as text, one a line, so that tests can say what they expect in PTX's own words. Made
 * registers are #0, #1 ... by index, blocks B0, B1 ..., made variables $0 ... by place in the function. */
#ifndef ASSAY_TESTS_PTX_DUMP_H
#define ASSAY_TESTS_PTX_DUMP_H

#include "core/util.h"
#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

static inline void dump_register(struct text *text, const struct ptx_function *function, int32_t reg)
{
	int same = 0; /* the registers of a vector share their name */
	for (int32_t r = reg - 1; r >= 0 && function->registers[r].name[0] && strcmp(function->registers[r].name, function->registers[reg].name) == 0;
	     r--)
		same++;
	if (!function->registers[reg].name[0])
		text_append(text, "#%d", reg);
	else if (same)
		text_append(text, "%s.%d", function->registers[reg].name, same);
	else
		text_append(text, "%s", function->registers[reg].name);
}

static inline void dump_variable(struct text *text, const struct ptx_function *function, const struct ptx_variable *variable)
{
	if (variable->name[0])
		text_append(text, "%s", variable->name);
	else
		text_append(text, "$%d", (int)(variable - function->variables));
}

static inline void dump_operand(struct text *text, const struct ptx_function *function, const struct ptx_operand *operand)
{
	const char *brackets[2] = {"", ""};
	switch (operand->kind) {
	case PTX_OPERAND_NONE:
		text_append(text, "?");
		return;
	case PTX_OPERAND_REGISTER:
		text_append(text, "%s", operand->negate ? "!" : "");
		dump_register(text, function, operand->reg);
		return;
	case PTX_OPERAND_SINK:
		text_append(text, "_");
		return;
	case PTX_OPERAND_INTEGER:
		text_append(text, "%lld", (long long)operand->integer);
		return;
	case PTX_OPERAND_FLOAT:
		if (operand->single)
			text_append(text, "0f%08llX", (unsigned long long)operand->integer);
		else
			text_append(text, "%.17g", operand->real);
		return;
	case PTX_OPERAND_SPECIAL:
		text_append(text, "special:%d", (int)operand->special);
		return;
	case PTX_OPERAND_VARIABLE:
		text_append(text, "&");
		dump_variable(text, function, operand->variable);
		if (operand->integer)
			text_append(text, "%+lld", (long long)operand->integer);
		return;
	case PTX_OPERAND_FUNCTION:
		text_append(text, "%s()", operand->symbol);
		return;
	case PTX_OPERAND_LABEL:
		text_append(text, operand->block >= 0 ? "B%d" : "table", operand->block);
		return;
	case PTX_OPERAND_ADDRESS:
		text_append(text, "[");
		if (operand->reg >= 0)
			dump_register(text, function, operand->reg);
		else if (operand->variable)
			dump_variable(text, function, operand->variable);
		if (operand->integer || (operand->reg < 0 && !operand->variable))
			text_append(text, "%+lld", (long long)operand->integer);
		for (int i = 0; i < operand->count; i++) {
			text_append(text, "; ");
			dump_operand(text, function, &function->elements[operand->first + i]);
		}
		text_append(text, "]");
		return;
	case PTX_OPERAND_VECTOR:
		brackets[0] = "{";
		brackets[1] = "}";
		break;
	case PTX_OPERAND_LIST:
		brackets[0] = "(";
		brackets[1] = ")";
		break;
	case PTX_OPERAND_PAIR:
		break;
	}
	text_append(text, "%s", brackets[0]);
	for (int i = 0; i < operand->count; i++) {
		text_append(text, "%s", i == 0 ? "" : operand->kind == PTX_OPERAND_PAIR ? "|" : ", ");
		dump_operand(text, function, &function->elements[operand->first + i]);
	}
	text_append(text, "%s", brackets[1]);
}

static inline void dump_instruction(struct text *text, const struct ptx_function *function, const struct ptx_instruction *instruction)
{
	if (instruction->guard >= 0) {
		text_append(text, "@%s", instruction->guard_negated ? "!" : "");
		dump_register(text, function, instruction->guard);
		text_append(text, " ");
	}
	text_append(text, "%s", ptx_opcode_name(instruction->opcode));
	for (int i = 0; i < instruction->modifier_count; i++)
		text_append(text, ".%s", ptx_modifier_name(instruction->modifiers[i]));
	for (int i = 0; i < instruction->operand_count; i++) {
		text_append(text, i ? ", " : " ");
		dump_operand(text, function, &instruction->operands[i]);
	}
	text_append(text, "\n");
}

static inline void dump_function(struct text *text, const struct ptx_function *function)
{
	for (int i = 0; i < function->instruction_count; i++)
		dump_instruction(text, function, &function->instructions[i]);
}

#endif
