/* What ir.h promises of an instruction's operands, made by putting instructions before and after it. */
#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

static const struct ptx_operand no_operand = {.kind = PTX_OPERAND_NONE, .reg = -1, .block = -1};

static struct ptx_operand register_operand(int32_t reg)
{
	struct ptx_operand operand = no_operand;
	operand.kind = PTX_OPERAND_REGISTER;
	operand.reg = reg;
	return operand;
}

/* An instruction put beside the one being parsed, under its guard. */
static struct ptx_instruction made_instruction(const struct ptx_body *body, enum ptx_opcode opcode)
{
	struct ptx_instruction made = body->current;
	made.opcode = opcode;
	made.made = 1;
	made.table = -1;
	made.modifier_count = made.operand_count = 0;
	return made;
}

static enum ptx_modifier modifier_of_type(enum ptx_type type)
{
	for (int i = 1; i < PTX_MOD_COUNT; i++)
		if (ptx_modifier_type((enum ptx_modifier)i) == type)
			return (enum ptx_modifier)i;
	return PTX_MOD_unknown;
}

static enum ptx_type type_of_special(enum ptx_special special)
{
	switch (special) {
	case PTX_CLOCK64: case PTX_GLOBALTIMER: case PTX_GRIDID: case PTX_CURRENT_GRAPH_EXEC:
		return PTX_U64;
	case PTX_IS_EXPLICIT_CLUSTER:
		return PTX_PRED;
	default:
		return PTX_U32;
	}
}

int ptx_normalise_operand(struct ptx_body *body, struct ptx_operand *operand)
{
	if (operand->kind != PTX_OPERAND_SPECIAL)
		return 0;
	const enum ptx_type type = type_of_special(operand->special);
	const int32_t reg = ptx_new_register(body, "", type);
	if (reg < 0)
		return -1;
	struct ptx_instruction mov = made_instruction(body, PTX_OP_mov);
	mov.modifiers[mov.modifier_count++] = modifier_of_type(type);
	mov.operands[mov.operand_count++] = register_operand(reg);
	mov.operands[mov.operand_count++] = *operand;
	*operand = register_operand(reg);
	return ptx_emit(body, &mov);
}

/* st.param [variable], value or ld.param value, [variable]. */
static int emit_param(struct ptx_body *body, enum ptx_opcode opcode, enum ptx_type type, const struct ptx_operand *value,
		      const struct ptx_variable *variable, int32_t local)
{
	struct ptx_instruction made = made_instruction(body, opcode);
	struct ptx_operand address = no_operand;
	address.kind = PTX_OPERAND_ADDRESS;
	address.variable = variable;
	address.block = local;
	made.modifiers[made.modifier_count++] = PTX_MOD_param;
	made.modifiers[made.modifier_count++] = modifier_of_type(type);
	made.operands[made.operand_count++] = opcode == PTX_OP_st ? address : *value;
	made.operands[made.operand_count++] = opcode == PTX_OP_st ? *value : address;
	return ptx_emit(body, &made);
}

static int place_local(struct ptx_body *body, struct ptx_variable *variable)
{
	struct ptx_function *function = body->function;
	const uint64_t offset = ((uint64_t)function->frame_bytes + variable->align - 1) / variable->align * variable->align;
	if (offset + variable->bytes > 1 << 30)
		return ptx_fault_at(variable->position, ERROR_UNSUPPORTED, body->err, "unsupported: more than 2^30 bytes of local variables");
	variable->offset = offset;
	function->frame_bytes = (uint32_t)(offset + variable->bytes);
	if (variable->align > function->frame_align)
		function->frame_align = variable->align;
	return 0;
}

/* A variable of the body for an argument or result that is none; *local is its index. */
static int make_variable(struct ptx_body *body, enum ptx_type type, int *local)
{
	struct ptx_variable variable = {.name = "", .space = PTX_SPACE_PARAM, .type = type, .align = ptx_type_bytes(type),
					.bytes = ptx_type_bytes(type), .position = body->current.position};
	if (!variable.bytes)
		return ptx_fault_at(body->current.position, ERROR_UNSUPPORTED, body->err, "unsupported: a predicate as argument or result of a call");
	if (place_local(body, &variable))
		return -1;
	*local = ptx_local_variable(body, &variable);
	return *local < 0 ? -1 : 0;
}

static int normalise_argument(struct ptx_body *body, struct ptx_operand *argument, const struct ptx_variable *parameter)
{
	if (argument->kind == PTX_OPERAND_VARIABLE && argument->variable->space == PTX_SPACE_PARAM && argument->integer == 0)
		return 0;
	enum ptx_type type;
	int local;
	if (argument->kind == PTX_OPERAND_REGISTER)
		type = body->function->registers[argument->reg].type;
	else if ((argument->kind == PTX_OPERAND_INTEGER || argument->kind == PTX_OPERAND_FLOAT) && parameter)
		type = parameter->type;
	else
		return ptx_fault_at(body->current.position, ERROR_INPUT, body->err, "an argument of a call is a .param variable, a register or a constant");
	if (make_variable(body, type, &local) || emit_param(body, PTX_OP_st, type, argument, body->locals[local], local))
		return -1;
	*argument = no_operand;
	argument->kind = PTX_OPERAND_VARIABLE;
	argument->variable = body->locals[local];
	argument->block = local;
	return 0;
}

int ptx_normalise_call(struct ptx_body *body)
{
	struct ptx_function *function = body->function;
	struct ptx_instruction *call = &body->current;
	const struct ptx_function *callee =
		call->operands[1].kind == PTX_OPERAND_FUNCTION ? ptx_prototype(body->module, call->operands[1].symbol) : NULL;
	const struct ptx_operand results = call->operands[0], arguments = call->operands[2];
	for (int i = 0; i < arguments.count; i++) {
		struct ptx_operand argument = function->elements[arguments.first + i];
		const struct ptx_variable *parameter = callee && i < callee->parameter_count ? &callee->parameters[i] : NULL;
		if (normalise_argument(body, &argument, parameter))
			return -1;
		function->elements[arguments.first + i] = argument;
	}
	/* results that are registers: the call fills made variables, loads behind it fill the registers */
	const int loads = function->element_count;
	for (int i = 0; i < results.count; i++) {
		struct ptx_operand result = function->elements[results.first + i];
		int local;
		if (result.kind == PTX_OPERAND_VARIABLE && result.variable->space == PTX_SPACE_PARAM && result.integer == 0)
			continue;
		if (result.kind == PTX_OPERAND_SINK && callee && i < callee->result_count) {
			struct ptx_variable ignored = callee->results[i];
			ignored.name = "";
			if (place_local(body, &ignored) || (local = ptx_local_variable(body, &ignored)) < 0)
				return -1;
			result = no_operand;
			result.kind = PTX_OPERAND_VARIABLE;
			result.variable = body->locals[local];
			result.block = local;
			function->elements[results.first + i] = result;
			continue;
		}
		if (result.kind != PTX_OPERAND_REGISTER)
			return ptx_fault_at(call->position, ERROR_INPUT, body->err, "a result of a call is a .param variable or a register");
		if (make_variable(body, function->registers[result.reg].type, &local))
			return -1;
		struct ptx_operand *element = &function->elements[results.first + i];
		*element = no_operand;
		element->kind = PTX_OPERAND_VARIABLE;
		element->variable = body->locals[local];
		element->block = local;
		result.block = local;
		if (ptx_add_elements(body, &result, 1) < 0)
			return -1;
	}
	if (ptx_emit(body, call))
		return -1;
	for (int i = loads; i < function->element_count; i++) {
		const int local = function->elements[i].block;
		struct ptx_operand value = register_operand(function->elements[i].reg);
		function->elements[i].block = -1;
		if (emit_param(body, PTX_OP_ld, function->registers[value.reg].type, &value, body->locals[local], local))
			return -1;
	}
	return 0;
}

int ptx_load_register_parameters(struct ptx_body *body)
{
	struct ptx_function *function = body->function;
	const int count = function->result_count + function->parameter_count;
	if (!count)
		return 0;
	body->parameter_registers = arena_alloc(&ptx_front_of(body->module)->arena, (size_t)count * sizeof *body->parameter_registers);
	if (!body->parameter_registers)
		return front_no_memory(body->err);
	body->current = (struct ptx_instruction){.guard = -1, .table = -1, .position = function->position, .text = function->name,
						 .text_length = (uint32_t)strlen(function->name)};
	for (int i = 0; i < count; i++) {
		const int is_result = i < function->result_count;
		const char *name = body->register_parameters[i];
		const struct ptx_variable *variable = is_result ? &function->results[i] : &function->parameters[i - function->result_count];
		body->parameter_registers[i] = -1;
		if (!name) {
			if (names_find(&body->names, 0, variable->name, strlen(variable->name)))
				return ptx_fault_at(variable->position, ERROR_INPUT, body->err, "'%s' is declared twice", variable->name);
			if (!names_add(&body->names, 0, variable->name, strlen(variable->name), is_result ? PTX_NAME_RESULT : PTX_NAME_PARAMETER,
				       is_result ? i : i - function->result_count))
				return front_no_memory(body->err);
			continue;
		}
		const struct ptx_token token = {.text = name, .length = (uint32_t)strlen(name), .position = variable->position};
		if (variable->is_array || variable->bytes != ptx_type_bytes(variable->type))
			return ptx_fault_at(variable->position, ERROR_UNSUPPORTED, body->err, "unsupported: a vector register as parameter");
		body->parameter_registers[i] = function->register_count;
		if (ptx_declare_register(body, &token, variable->type, 1))
			return -1;
		if (!is_result) {
			const struct ptx_operand value = register_operand(body->parameter_registers[i]);
			if (emit_param(body, PTX_OP_ld, variable->type, &value, variable, -1))
				return -1;
		}
	}
	return 0;
}

int ptx_store_register_results(struct ptx_body *body)
{
	for (int i = 0; i < body->function->result_count; i++) {
		if (body->parameter_registers[i] < 0)
			continue;
		const struct ptx_operand value = register_operand(body->parameter_registers[i]);
		const struct ptx_variable *variable = &body->function->results[i];
		if (emit_param(body, PTX_OP_st, variable->type, &value, variable, -1))
			return -1;
	}
	return 0;
}

static void move_to_row(const struct ptx_body *body, struct ptx_operand *operand)
{
	if ((operand->kind == PTX_OPERAND_VARIABLE || operand->kind == PTX_OPERAND_ADDRESS) && operand->block >= 0) {
		operand->variable = &body->function->variables[operand->block];
		operand->block = -1;
	}
}

int ptx_place_locals(struct ptx_body *body)
{
	struct ptx_function *function = body->function;
	if (!body->local_count)
		return 0;
	function->variables = malloc((size_t)body->local_count * sizeof *function->variables);
	if (!function->variables)
		return front_no_memory(body->err);
	function->variable_count = body->local_count;
	for (int i = 0; i < body->local_count; i++)
		function->variables[i] = *body->locals[i];
	for (int i = 0; i < function->instruction_count; i++)
		for (int k = 0; k < function->instructions[i].operand_count; k++)
			move_to_row(body, &function->instructions[i].operands[k]);
	for (int i = 0; i < function->element_count; i++)
		move_to_row(body, &function->elements[i]);
	return 0;
}

int ptx_declare_local(struct ptx_body *body, struct ptx_variable *variable)
{
	if (names_find(&body->names, body->scope, variable->name, strlen(variable->name)))
		return ptx_fault_at(variable->position, ERROR_INPUT, body->err, "'%s' is declared twice", variable->name);
	if (variable->space == PTX_SPACE_LOCAL || variable->space == PTX_SPACE_PARAM) {
		if (place_local(body, variable))
			return -1;
	} else if (variable->space == PTX_SPACE_SHARED && !variable->is_extern) {
		variable->offset = (body->shared_bytes + variable->align - 1) / variable->align * variable->align;
		body->shared_bytes = variable->offset + variable->bytes;
		if (body->shared_bytes > 1 << 30)
			return ptx_fault_at(variable->position, ERROR_UNSUPPORTED, body->err, "unsupported: more than 2^30 bytes of shared variables");
	}
	const int local = ptx_local_variable(body, variable);
	if (local < 0)
		return -1;
	if (!names_add(&body->names, body->scope, variable->name, strlen(variable->name), PTX_NAME_LOCAL_VARIABLE, local))
		return front_no_memory(body->err);
	return 0;
}
