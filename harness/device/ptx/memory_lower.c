/* Lowering of ld, st, ldu, cvta, isspacep, mov of addresses, and of the hints that change nothing here (manual 9.7.9). */
#include "device/ptx/memory_move.h"

#include "device/ptx/propagate.h"

/* ---- addresses ---- */

static int is_kernel_parameter(const struct ptx_function *function, const struct ptx_variable *variable)
{
	return function->is_entry && variable >= function->parameters && variable < function->parameters + function->parameter_count;
}

/* Base and offset of a variable. */
static int lower_variable(struct ptx_lowering *lowering, struct ptx_insn *insn, const struct ptx_variable *variable, int64_t offset)
{
	uint64_t address = 0;
	switch (variable->space) {
	case PTX_SPACE_LOCAL:
	case PTX_SPACE_PARAM:
		insn->option[OPTION_BASE] = is_kernel_parameter(lowering->function, variable) ? BASE_PARAMETER : BASE_FRAME;
		address = variable->offset;
		break;
	case PTX_SPACE_GLOBAL:
	case PTX_SPACE_CONST:
	case PTX_SPACE_SHARED:
		insn->option[OPTION_BASE] = BASE_ABSOLUTE;
		if (!lowering->link || !lowering->link->address || lowering->link->address(lowering->link, variable, &address))
			return ptx_malformed(lowering, "no address is known for %s", variable->name);
		break;
	default:
		return ptx_malformed(lowering, "%s is in no state space that has addresses", variable->name);
	}
	insn->immediate = (int64_t)(address + (uint64_t)offset);
	return 0;
}

int ptx_lower_address(struct ptx_lowering *lowering, struct ptx_insn *insn, const struct ptx_operand *operand, enum ptx_space space, int slot)
{
	if (operand->kind != PTX_OPERAND_ADDRESS)
		return ptx_malformed(lowering, "an address in brackets is expected");
	if (operand->reg >= 0) {
		const struct ptx_register *reg = &lowering->function->registers[operand->reg];
		const struct ptx_operand base = {.kind = PTX_OPERAND_REGISTER, .reg = operand->reg};
		if (reg->lane_bytes != 4 && reg->lane_bytes != 8)
			return ptx_malformed(lowering, "%s cannot hold an address", reg->name);
		insn->option[OPTION_BASE] = reg->lane_bytes == 8 ? BASE_REGISTER64 : BASE_REGISTER32;
		insn->immediate = operand->integer;
		if (ptx_type_bytes(reg->type) < 4)
			return ptx_malformed(lowering, "%s cannot hold an address", reg->name);
		return ptx_source(lowering, &base, reg->lane_bytes == 8 ? PTX_B64 : PTX_B32, 0, NULL, ptx_memory_slot(insn->src, slot));
	}
	insn->option[OPTION_BASE] = BASE_ABSOLUTE;
	insn->immediate = operand->integer;
	if (!operand->variable)
		return 0;
	if (lower_variable(lowering, insn, operand->variable, operand->integer))
		return -1;
	const enum ptx_space there = operand->variable->space;
	if (space == PTX_SPACE_GENERIC) { /* a name gives the address in its own space; the access is to that space */
		if (there == PTX_SPACE_LOCAL || there == PTX_SPACE_SHARED || there == PTX_SPACE_PARAM)
			insn->option[OPTION_SPACE] = (uint8_t)there;
		return 0;
	}
	if (there != space)
		return ptx_malformed(lowering, "%s lies in another state space", operand->variable->name);
	return 0;
}

/* A register for an address operand in front, when its base is one. */
static int has_base_register(const struct ptx_operand *operand)
{
	return operand->kind == PTX_OPERAND_ADDRESS && operand->reg >= 0;
}

/* ---- ld and st ---- */

struct access_form {
	enum ptx_space space;
	enum ptx_type type;
	unsigned elements;
	enum access_strength strength;
};

/* Modifiers that ld, ldu, st share; others are for the caller to refuse. */
static int read_form(struct ptx_lowering *lowering, struct access_form *form)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	*form = (struct access_form){.space = PTX_SPACE_GENERIC, .elements = 1};
	for (int i = 0; i < instruction->modifier_count; i++) {
		const enum ptx_modifier modifier = instruction->modifiers[i];
		const enum ptx_type type = ptx_modifier_type(modifier);
		if (type != PTX_NO_TYPE) {
			if (form->type != PTX_NO_TYPE)
				return ptx_malformed(lowering, "two types");
			form->type = type;
			continue;
		}
		switch (modifier) {
		case PTX_MOD_global: form->space = PTX_SPACE_GLOBAL; break;
		case PTX_MOD_shared:
		case PTX_MOD_shared__cta:
		case PTX_MOD_shared__cluster: form->space = PTX_SPACE_SHARED; break;
		case PTX_MOD_local: form->space = PTX_SPACE_LOCAL; break;
		case PTX_MOD_const: form->space = PTX_SPACE_CONST; break;
		case PTX_MOD_param:
		case PTX_MOD_param__entry:
		case PTX_MOD_param__func: form->space = PTX_SPACE_PARAM; break;
		case PTX_MOD_v2: form->elements = 2; break;
		case PTX_MOD_v4: form->elements = 4; break;
		case PTX_MOD_v8: form->elements = 8; break;
		case PTX_MOD_volatile:
		case PTX_MOD_relaxed:
		case PTX_MOD_mmio: form->strength = STRENGTH_RELAXED; break;
		case PTX_MOD_acquire: form->strength = STRENGTH_ACQUIRE; break;
		case PTX_MOD_release: form->strength = STRENGTH_RELEASE; break;
		case PTX_MOD_weak: case PTX_MOD_cta: case PTX_MOD_cluster: case PTX_MOD_gpu: case PTX_MOD_sys: case PTX_MOD_ca: case PTX_MOD_cg:
		case PTX_MOD_cs: case PTX_MOD_lu: case PTX_MOD_cv: case PTX_MOD_wb: case PTX_MOD_wt: case PTX_MOD_nc:
		case PTX_MOD_L1__evict_normal: case PTX_MOD_L1__evict_unchanged: case PTX_MOD_L1__evict_first: case PTX_MOD_L1__evict_last:
		case PTX_MOD_L1__no_allocate: case PTX_MOD_L2__cache_hint: case PTX_MOD_L2__64B: case PTX_MOD_L2__128B: case PTX_MOD_L2__256B:
		case PTX_MOD_L2__evict_normal: case PTX_MOD_L2__evict_last: case PTX_MOD_L2__evict_first:
			break; /* where copies are kept, and how far an order reaches: one host memory serves all */
		default:
			return ptx_unsupported(lowering, "modifier .%s is not executed",
					       modifier == PTX_MOD_unknown ? "?" : ptx_modifier_name(modifier));
		}
	}
	switch (form->type) {
	case PTX_B8: case PTX_B16: case PTX_B32: case PTX_B64: case PTX_B128: case PTX_U8: case PTX_U16: case PTX_U32: case PTX_U64:
	case PTX_S8: case PTX_S16: case PTX_S32: case PTX_S64: case PTX_F32: case PTX_F64:
		break;
	default:
		return ptx_malformed(lowering, form->type == PTX_NO_TYPE ? "a type is expected" : "this type is not one of ld and st");
	}
	if (form->elements * ptx_type_bytes(form->type) > ACCESS_BYTES_MAX)
		return ptx_malformed(lowering, "a vector of more than %d bytes", ACCESS_BYTES_MAX);
	return 0;
}

static enum ptx_class class_of(enum ptx_space space, enum access_base base)
{
	switch (space) {
	case PTX_SPACE_SHARED: return PTX_CLASS_SHARED;
	case PTX_SPACE_LOCAL: return PTX_CLASS_LOCAL;
	case PTX_SPACE_CONST: return PTX_CLASS_CONST;
	case PTX_SPACE_PARAM: return base == BASE_FRAME ? PTX_CLASS_LOCAL : PTX_CLASS_CONST; /* as hardware keeps them */
	default: return PTX_CLASS_GLOBAL;
	}
}

enum access_strength ptx_fenced_strength(const struct ptx_lowering *lowering, enum access_strength strength, int reads, int writes)
{
	if (strength != STRENGTH_RELAXED)
		return strength;
	for (int i = 0; i < lowering->function->instruction_count; i++) {
		const enum ptx_opcode opcode = lowering->function->instructions[i].opcode;
		if (opcode == PTX_OP_membar || opcode == PTX_OP_fence)
			return reads && writes ? STRENGTH_ACQ_REL : reads ? STRENGTH_ACQUIRE : STRENGTH_RELEASE;
	}
	return strength;
}

static void set_form(struct ptx_insn *insn, const struct access_form *form)
{
	insn->option[OPTION_SPACE] = (uint8_t)form->space;
	insn->option[OPTION_WIDTH] = (uint8_t)ptx_type_bytes(form->type);
	insn->option[OPTION_ELEMENTS] = (uint8_t)form->elements;
	insn->option[OPTION_STRONG] = (uint8_t)form->strength;
	insn->flags |= PTX_INSN_OWN_DEFINEDNESS | PTX_INSN_STRICT_GUARD;
}

/* The data operand: one, or a vector of as many as the form says. */
static int check_elements(struct ptx_lowering *lowering, const struct ptx_operand *operand, unsigned elements)
{
	const unsigned count = operand->kind == PTX_OPERAND_VECTOR ? (unsigned)operand->count : 1;
	if (count != elements || (elements > 1 && operand->kind != PTX_OPERAND_VECTOR))
		return ptx_malformed(lowering, "%u element%s expected, %u found", elements, elements == 1 ? " is" : "s are", count);
	return 0;
}

static const struct ptx_operand *element_of(const struct ptx_lowering *lowering, const struct ptx_operand *operand, unsigned n)
{
	return operand->kind == PTX_OPERAND_VECTOR ? ptx_element(lowering, operand, (int)n) : operand;
}

static int check_operand_count(struct ptx_lowering *lowering, int count)
{
	const int hint = ptx_has(lowering->instruction, PTX_MOD_L2__cache_hint); /* a policy follows */
	if (lowering->instruction->operand_count != count + hint)
		return ptx_malformed(lowering, "%d operands are expected, %d found", count + hint, lowering->instruction->operand_count);
	return 0;
}

static int is_signed(enum ptx_type type)
{
	return type == PTX_S8 || type == PTX_S16 || type == PTX_S32 || type == PTX_S64;
}

static int lower_load(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	struct access_form form;
	if (check_operand_count(lowering, 2) || read_form(lowering, &form))
		return -1;
	const struct ptx_operand *to = ptx_operand(lowering, 0), *from = ptx_operand(lowering, 1);
	if (form.strength == STRENGTH_RELEASE)
		return ptx_malformed(lowering, "a load cannot release");
	if (check_elements(lowering, to, form.elements))
		return -1;
	form.strength = ptx_fenced_strength(lowering, form.strength, 1, 0);
	set_form(insn, &form);
	if (ptx_operands(lowering, insn, (int)form.elements, has_base_register(from)) || ptx_lower_address(lowering, insn, from, form.space, 0))
		return -1;
	for (unsigned e = 0; e < form.elements; e++) {
		const struct ptx_operand *element = element_of(lowering, to, e);
		if (ptx_destination(lowering, element, form.type, 1, ptx_memory_slot(insn->dst, (int)e)))
			return -1;
		if (is_signed(form.type) && element->kind == PTX_OPERAND_REGISTER) {
			const unsigned bytes = ptx_type_bytes(lowering->function->registers[element->reg].type);
			if (bytes > ptx_type_bytes(form.type)) {
				if (insn->option[OPTION_SIGNED] && insn->option[OPTION_SIGNED] != bytes)
					return ptx_unsupported(lowering, "registers of different sizes in a vector");
				insn->option[OPTION_SIGNED] = (uint8_t)bytes;
			}
		}
	}
	insn->class = (uint8_t)class_of((enum ptx_space)insn->option[OPTION_SPACE], (enum access_base)insn->option[OPTION_BASE]);
	insn->execute = ptx_execute_load;
	if (insn->option[OPTION_BASE] == BASE_PARAMETER) {
		const uint64_t offset = (uint64_t)insn->immediate, bytes = form.elements * ptx_type_bytes(form.type);
		if (offset % bytes == 0 && offset < lowering->function->parameter_bytes && bytes <= lowering->function->parameter_bytes - offset)
			insn->execute = ptx_execute_load_parameter;
	}
	return 0;
}

static int lower_store(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	struct access_form form;
	if (check_operand_count(lowering, 2) || read_form(lowering, &form))
		return -1;
	const struct ptx_operand *to = ptx_operand(lowering, 0), *from = ptx_operand(lowering, 1);
	if (form.strength == STRENGTH_ACQUIRE)
		return ptx_malformed(lowering, "a store cannot acquire");
	if (form.space == PTX_SPACE_CONST || ptx_has(lowering->instruction, PTX_MOD_nc))
		return ptx_malformed(lowering, "constant memory cannot be written");
	if (check_elements(lowering, from, form.elements))
		return -1;
	const int data = has_base_register(to);
	form.strength = ptx_fenced_strength(lowering, form.strength, 0, 1);
	set_form(insn, &form);
	if (ptx_operands(lowering, insn, 0, data + (int)form.elements) || ptx_lower_address(lowering, insn, to, form.space, 0))
		return -1;
	insn->option[OPTION_DATA] = (uint8_t)data;
	for (unsigned e = 0; e < form.elements; e++)
		if (ptx_source(lowering, element_of(lowering, from, e), form.type, 1, NULL, ptx_memory_slot(insn->src, data + (int)e)))
			return -1;
	insn->class = (uint8_t)class_of((enum ptx_space)insn->option[OPTION_SPACE], (enum access_base)insn->option[OPTION_BASE]);
	insn->execute = ptx_execute_store;
	return 0;
}

/* ---- addresses as values ---- */

enum { OPTION_OPERATION = OPTION_A, OPTION_TARGET = OPTION_B };
enum { CONVERT_NOTHING, CONVERT_TO_GENERIC, CONVERT_FROM_GENERIC };

/* cvta, and mov of an address: one value for all lanes, or one by register. */
static void execute_address(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const enum ptx_space space = (enum ptx_space)insn->option[OPTION_TARGET];
	const unsigned operation = insn->option[OPTION_OPERATION];
	const struct ptx_slot *dst = &insn->dst[0];
	uint64_t base = (uint64_t)insn->immediate;
	const uint64_t *from = NULL;
	if (insn->option[OPTION_BASE] == BASE_REGISTER64)
		from = ptx_src64(warp, insn, 0);
	else if (insn->option[OPTION_BASE] == BASE_FRAME)
		base += warp->frame->local_base;
	else if (insn->option[OPTION_BASE] == BASE_PARAMETER)
		base += warp->block->parameters;
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int l = __builtin_ctz(rest);
		uint64_t address = from ? from[l] + base : base;
		/* addresses in global and constant memory are generic ones; .param of an entry likewise (memory.h) */
		if (operation == CONVERT_TO_GENERIC) {
			if (space == PTX_SPACE_SHARED)
				address = PTX_SHARED_WINDOW | (address & UINT32_MAX);
			else if (space == PTX_SPACE_LOCAL || (space == PTX_SPACE_PARAM && address >> 32 == 0))
				address = PTX_LOCAL_WINDOW | (address & UINT32_MAX);
		} else if (operation == CONVERT_FROM_GENERIC) {
			if (space == PTX_SPACE_SHARED || space == PTX_SPACE_LOCAL || (space == PTX_SPACE_PARAM && ptx_generic_space(address) == PTX_SPACE_LOCAL))
				address &= UINT32_MAX;
		}
		if (dst->lane_bytes == 8)
			((uint64_t *)ptx_at(warp, dst))[l] = address;
		else
			((uint32_t *)ptx_at(warp, dst))[l] = (uint32_t)address;
	}
}

static int lower_cvta(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const struct ptx_operand *from = ptx_operand(lowering, 1);
	enum ptx_space space = PTX_SPACE_GENERIC;
	enum ptx_type type = PTX_NO_TYPE;
	int to = 0;
	for (int i = 0; i < instruction->modifier_count; i++)
		switch (instruction->modifiers[i]) {
		case PTX_MOD_to: to = 1; break;
		case PTX_MOD_global: space = PTX_SPACE_GLOBAL; break;
		case PTX_MOD_const: space = PTX_SPACE_CONST; break;
		case PTX_MOD_local: space = PTX_SPACE_LOCAL; break;
		case PTX_MOD_shared: case PTX_MOD_shared__cta: case PTX_MOD_shared__cluster: space = PTX_SPACE_SHARED; break;
		case PTX_MOD_param: case PTX_MOD_param__entry: space = PTX_SPACE_PARAM; break;
		case PTX_MOD_u64: type = PTX_U64; break;
		default: return ptx_unsupported(lowering, "this form of cvta is not executed");
		}
	if (instruction->operand_count != 2 || space == PTX_SPACE_GENERIC || type == PTX_NO_TYPE)
		return ptx_malformed(lowering, "cvta takes a state space, .u64, a destination and a source");
	const int variable = from->kind == PTX_OPERAND_VARIABLE;
	if (ptx_operands(lowering, insn, 1, !variable) || ptx_destination(lowering, ptx_operand(lowering, 0), PTX_U64, 0, ptx_memory_slot(insn->dst, 0)))
		return -1;
	if (variable) {
		if (to || from->variable->space != space)
			return ptx_malformed(lowering, "%s lies in another state space", from->variable->name);
		if (lower_variable(lowering, insn, from->variable, from->integer))
			return -1;
	} else {
		insn->option[OPTION_BASE] = BASE_REGISTER64;
		if (ptx_source(lowering, from, PTX_U64, 0, NULL, ptx_memory_slot(insn->src, 0)))
			return -1;
	}
	insn->option[OPTION_OPERATION] = to ? CONVERT_FROM_GENERIC : CONVERT_TO_GENERIC;
	insn->option[OPTION_TARGET] = (uint8_t)space;
	insn->class = PTX_CLASS_MOVE;
	insn->execute = execute_address;
	insn->propagate = ptx_propagate_copy;
	return 0;
}

static int lower_mov(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const struct ptx_operand *from = ptx_operand(lowering, 1);
	const enum ptx_type type = ptx_nth_type(instruction, 0);
	if (instruction->operand_count != 2 || instruction->modifier_count != 1 ||
	    (type != PTX_U32 && type != PTX_B32 && type != PTX_S32 && type != PTX_U64 && type != PTX_B64 && type != PTX_S64))
		return ptx_malformed(lowering, "an address is 32 or 64 bits");
	if (ptx_operands(lowering, insn, 1, 0) || ptx_destination(lowering, ptx_operand(lowering, 0), type, 0, ptx_memory_slot(insn->dst, 0)))
		return -1;
	if (from->kind == PTX_OPERAND_FUNCTION) {
		int builtin = 0;
		if (!lowering->link || !lowering->link->function)
			return ptx_malformed(lowering, "no address is known for %s", from->symbol);
		struct ptx_program *program = lowering->link->function(lowering->link, from->symbol, &builtin, lowering->err);
		if (builtin)
			return ptx_unsupported(lowering, "the address of %s cannot be taken", from->symbol);
		if (!program)
			return -1;
		insn->option[OPTION_BASE] = BASE_ABSOLUTE;
		insn->immediate = (int64_t)(uintptr_t)program;
	} else if (from->kind == PTX_OPERAND_VARIABLE) {
		if (lower_variable(lowering, insn, from->variable, from->integer))
			return -1;
	} else {
		return ptx_malformed(lowering, "a variable or function is expected");
	}
	insn->option[OPTION_OPERATION] = CONVERT_NOTHING;
	insn->class = PTX_CLASS_MOVE;
	insn->execute = execute_address;
	return 0;
}

static void execute_isspacep(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const enum ptx_space space = (enum ptx_space)insn->option[OPTION_TARGET];
	const uint64_t *from = ptx_src64(warp, insn, 0);
	uint32_t *to = ptx_dst32(warp, insn, 0), is = 0;
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int l = __builtin_ctz(rest);
		enum ptx_space found = ptx_generic_space(from[l]);
		int yes = found == space;
		if (found == PTX_SPACE_GLOBAL) {
			const struct ptx_buffer *buffer = ptx_memory_find(warp->block->memory, from[l]);
			const int constant = buffer && buffer->kind == PTX_BUFFER_MODULE_CONST;
			const int parameter = buffer && buffer->kind == PTX_BUFFER_PARAMETERS;
			/* the window of kernel parameters lies in that of global memory (manual: isspacep) */
			yes = space == PTX_SPACE_CONST ? constant : space == PTX_SPACE_PARAM ? parameter : space == PTX_SPACE_GLOBAL && !constant;
		}
		is |= (uint32_t)yes << l;
	}
	*to = (*to & ~active) | is;
}

static int lower_isspacep(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	if (instruction->operand_count != 2 || instruction->modifier_count != 1)
		return ptx_malformed(lowering, "isspacep takes a state space, a predicate and an address");
	switch (instruction->modifiers[0]) {
	case PTX_MOD_global: insn->option[OPTION_TARGET] = PTX_SPACE_GLOBAL; break;
	case PTX_MOD_const: insn->option[OPTION_TARGET] = PTX_SPACE_CONST; break;
	case PTX_MOD_local: insn->option[OPTION_TARGET] = PTX_SPACE_LOCAL; break;
	case PTX_MOD_shared: case PTX_MOD_shared__cta: case PTX_MOD_shared__cluster: insn->option[OPTION_TARGET] = PTX_SPACE_SHARED; break;
	case PTX_MOD_param: case PTX_MOD_param__entry: insn->option[OPTION_TARGET] = PTX_SPACE_PARAM; break;
	default: return ptx_unsupported(lowering, "this state space is not known to isspacep");
	}
	if (ptx_operands(lowering, insn, 1, 1) || ptx_destination(lowering, ptx_operand(lowering, 0), PTX_PRED, 0, ptx_memory_slot(insn->dst, 0)) ||
	    ptx_source(lowering, ptx_operand(lowering, 1), PTX_U64, 0, NULL, ptx_memory_slot(insn->src, 0)))
		return -1;
	insn->class = PTX_CLASS_COMPARE;
	insn->execute = execute_isspacep;
	return 0;
}

/* ---- hints ---- */

static void execute_nothing(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	(void)warp, (void)insn, (void)active;
}

/* A cache policy is opaque and changes no result: any value does. */
static void execute_policy(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	uint64_t *to = ptx_dst64(warp, insn, 0);
	for (uint32_t rest = active; rest; rest &= rest - 1)
		to[__builtin_ctz(rest)] = 0;
	if (warp->checks)
		ptx_set_undefined(warp, &insn->dst[0], active, 0);
}

static int lower_hint(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	for (int i = 0; i < instruction->modifier_count; i++)
		if (instruction->modifiers[i] == PTX_MOD_unknown || instruction->modifiers[i] == PTX_MOD_tensormap)
			return ptx_unsupported(lowering, "this form is not executed");
	if (instruction->operand_count < 1 || ptx_operand(lowering, 0)->kind != PTX_OPERAND_ADDRESS)
		return ptx_malformed(lowering, "an address in brackets is expected");
	insn->class = PTX_CLASS_OTHER;
	insn->flags |= PTX_INSN_OWN_DEFINEDNESS;
	insn->execute = execute_nothing;
	return ptx_operands(lowering, insn, 0, 0);
}

static int lower_policy(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	if (instruction->operand_count < 1 || ptx_nth_type(instruction, 0) != PTX_B64)
		return ptx_malformed(lowering, "createpolicy gives a .b64 policy");
	insn->class = PTX_CLASS_OTHER;
	insn->flags |= PTX_INSN_OWN_DEFINEDNESS;
	insn->execute = execute_policy;
	return ptx_operands(lowering, insn, 1, 0) || ptx_destination(lowering, ptx_operand(lowering, 0), PTX_B64, 0, ptx_memory_slot(insn->dst, 0)) ? -1 : 0;
}

int ptx_lower_memory(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	switch (lowering->instruction->opcode) {
	case PTX_OP_ld:
	case PTX_OP_ldu: return lower_load(lowering, insn);
	case PTX_OP_st: return lower_store(lowering, insn);
	case PTX_OP_atom:
	case PTX_OP_red: return ptx_lower_atomic(lowering, insn);
	case PTX_OP_cp: return ptx_lower_async(lowering, insn);
	case PTX_OP_mbarrier: return ptx_lower_mbarrier(lowering, insn);
	case PTX_OP_cvta: return lower_cvta(lowering, insn);
	case PTX_OP_mov: return lower_mov(lowering, insn);
	case PTX_OP_isspacep: return lower_isspacep(lowering, insn);
	case PTX_OP_prefetch:
	case PTX_OP_prefetchu:
	case PTX_OP_discard:
	case PTX_OP_applypriority: return lower_hint(lowering, insn);
	case PTX_OP_createpolicy: return lower_policy(lowering, insn);
	default: return ptx_unsupported(lowering, "not executed");
	}
}
