/* The frame of lowering: the program and its constants, operands, and which group an instruction belongs to. */
#include "device/ptx/lower.h"

#include "device/ptx/front.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Constants that are the same bits in the same layout share their slot. */
struct interned {
	uint64_t bits[2];
	uint32_t offset;
	uint8_t lane_bytes, taken;
};

struct lowering_state {
	struct arena *arena;
	unsigned char *constants;
	size_t bytes, capacity;
	struct interned *interned; /* open hash table */
	size_t count, places;
};

/* ---- failures ---- */

static int fail(struct ptx_lowering *lowering, enum error_kind kind, const char *format, va_list arguments)
{
	char mnemonic[160], why[512];
	ptx_instruction_mnemonic(lowering->instruction, mnemonic, sizeof mnemonic);
	vsnprintf(why, sizeof why, format, arguments);
	return error_set(lowering->err, kind, "%s%s (PTX line %u, column %u, in '%.200s'): %s", kind == ERROR_UNSUPPORTED ? "unsupported: " : "",
			 mnemonic, lowering->instruction->position.line, lowering->instruction->position.column, lowering->function->name, why);
}

int ptx_unsupported(struct ptx_lowering *lowering, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fail(lowering, ERROR_UNSUPPORTED, format, arguments);
	va_end(arguments);
	return -1;
}

int ptx_malformed(struct ptx_lowering *lowering, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fail(lowering, ERROR_INPUT, format, arguments);
	va_end(arguments);
	return -1;
}

/* ---- memory ---- */

void *ptx_lowering_alloc(struct ptx_lowering *lowering, size_t bytes)
{
	struct lowering_state *state = lowering->state;
	void *memory = arena_alloc(state->arena, bytes ? bytes : 1);
	if (!memory)
		front_no_memory(lowering->err);
	return memory;
}

int ptx_operands(struct ptx_lowering *lowering, struct ptx_insn *insn, int dst_count, int src_count)
{
	enum { MOST = 32 };
	if (dst_count < 0 || src_count < 0 || dst_count > MOST || src_count > MOST)
		return ptx_malformed(lowering, "%d destinations and %d sources are more than any instruction has", dst_count, src_count);
	struct ptx_slot *slots = ptx_lowering_alloc(lowering, (size_t)(dst_count + src_count) * sizeof *slots);
	if (!slots)
		return -1;
	insn->dst = slots;
	insn->src = slots + dst_count;
	insn->dst_count = (uint8_t)dst_count;
	insn->src_count = (uint8_t)src_count;
	return 0;
}

/* ---- constants ---- */

static struct interned *find_interned(struct interned *interned, size_t places, const uint64_t bits[2], int lane_bytes)
{
	uint64_t hash = (bits[0] ^ (bits[1] << 7) ^ (bits[1] >> 57)) * 0x9e3779b97f4a7c15u + (uint64_t)lane_bytes;
	hash ^= hash >> 32;
	for (size_t i = hash & (places - 1);; i = (i + 1) & (places - 1))
		if (!interned[i].taken ||
		    (interned[i].bits[0] == bits[0] && interned[i].bits[1] == bits[1] && interned[i].lane_bytes == lane_bytes))
			return &interned[i];
}

static int grow_interned(struct lowering_state *state)
{
	const size_t places = state->places ? state->places * 2 : 64;
	struct interned *interned = calloc(places, sizeof *interned);
	if (!interned)
		return -1;
	for (size_t i = 0; i < state->places; i++)
		if (state->interned[i].taken)
			*find_interned(interned, places, state->interned[i].bits, state->interned[i].lane_bytes) = state->interned[i];
	free(state->interned);
	state->interned = interned;
	state->places = places;
	return 0;
}

static void broadcast(unsigned char *to, const uint64_t bits[2], int lane_bytes)
{
	if (lane_bytes == 0) {
		const uint32_t mask = bits[0] ? ~0u : 0;
		memcpy(to, &mask, sizeof mask);
		return;
	}
	for (int lane = 0; lane < PTX_LANES; lane++)
		memcpy(to + (size_t)lane * (size_t)lane_bytes, bits, (size_t)lane_bytes); /* little-endian */
}

/* Offset of bits broadcast in the layout of lane_bytes. */
static int constant(struct ptx_lowering *lowering, const uint64_t bits[2], int lane_bytes, struct ptx_slot *slot)
{
	struct lowering_state *state = lowering->state;
	if (state->count * 2 >= state->places && grow_interned(state))
		return front_no_memory(lowering->err);
	struct interned *place = find_interned(state->interned, state->places, bits, lane_bytes);
	if (!place->taken) {
		const size_t bytes = (size_t)PTX_UNIT * (lane_bytes <= 4 ? 1 : (size_t)lane_bytes / 4);
		if (state->bytes + bytes > state->capacity) {
			const size_t capacity = state->capacity ? state->capacity * 2 : (size_t)PTX_UNIT * 16;
			unsigned char *grown = realloc(state->constants, capacity);
			if (!grown)
				return front_no_memory(lowering->err);
			state->constants = grown;
			state->capacity = capacity;
		}
		if (state->bytes + bytes > UINT32_MAX)
			return ptx_unsupported(lowering, "more constants than 2^32 bytes hold");
		memset(state->constants + state->bytes, 0, bytes);
		broadcast(state->constants + state->bytes, bits, lane_bytes);
		*place = (struct interned){.bits = {bits[0], bits[1]}, .lane_bytes = (uint8_t)lane_bytes, .taken = 1, .offset = (uint32_t)state->bytes};
		state->bytes += bytes;
		state->count++;
	}
	*slot = (struct ptx_slot){.offset = place->offset, .file = PTX_FILE_CONSTANTS, .lane_bytes = (uint8_t)lane_bytes};
	return 0;
}

int ptx_constant(struct ptx_lowering *lowering, uint64_t bits, int lane_bytes, struct ptx_slot *slot)
{
	const uint64_t both[2] = {lane_bytes == 4 ? (uint32_t)bits : bits, 0};
	return constant(lowering, both, lane_bytes, slot);
}

int ptx_constant_integer(struct ptx_lowering *lowering, const struct ptx_operand *operand, int64_t *value)
{
	if (operand->kind != PTX_OPERAND_INTEGER)
		return ptx_malformed(lowering, "an operand must be an integer constant");
	*value = operand->integer;
	return 0;
}

/* ---- operands ---- */

enum family { FAMILY_BITS, FAMILY_INTEGER, FAMILY_FLOAT };

static enum family family_of(enum ptx_type type)
{
	switch (type) {
	case PTX_U4: case PTX_U8: case PTX_U16: case PTX_U32: case PTX_U64: case PTX_S4: case PTX_S8: case PTX_S16: case PTX_S32: case PTX_S64:
	case PTX_U16X2: case PTX_S16X2:
		return FAMILY_INTEGER;
	case PTX_F16: case PTX_F16X2: case PTX_F32: case PTX_F32X2: case PTX_F64:
		return FAMILY_FLOAT;
	default: /* bf16, tf32 and the 8-bit formats live in .b registers */
		return FAMILY_BITS;
	}
}

/* Manual 6.1 to 6.4, as ptxas 13.0 enforces it: bits go with everything, integers and floating-point not with each other; ld, st
 * and cvt take wider registers, but floating-point ones only of their own size. */
static int check_register(struct ptx_lowering *lowering, const struct ptx_register *reg, enum ptx_type type, int wider)
{
	if ((reg->type == PTX_PRED) != (type == PTX_PRED))
		return ptx_malformed(lowering, "%s is a .%s register, where .%s is needed", reg->name, ptx_type_name(reg->type), ptx_type_name(type));
	if (type == PTX_PRED)
		return 0;
	const unsigned have = ptx_type_bytes(reg->type), need = ptx_type_bytes(type);
	const enum family of_register = family_of(reg->type), of_type = family_of(type);
	const int size = wider && of_register != FAMILY_FLOAT ? have >= need : have == need;
	if (!size || !need || (of_register != of_type && of_register != FAMILY_BITS && of_type != FAMILY_BITS))
		return ptx_malformed(lowering, "%s is a .%s register, which cannot be read or written as .%s", reg->name, ptx_type_name(reg->type),
				     ptx_type_name(type));
	return 0;
}

static struct ptx_slot slot_of(const struct ptx_register *reg)
{
	return (struct ptx_slot){.offset = reg->slot, .file = PTX_FILE_REGISTERS, .lane_bytes = reg->lane_bytes};
}

/* Registers of 8 and 16 bits are kept in 32: their unused bits are 0. */
static int lane_bytes_of(enum ptx_type type)
{
	const unsigned bytes = ptx_type_bytes(type);
	return type == PTX_PRED ? 0 : bytes <= 4 ? 4 : (int)bytes;
}

static int integer_constant(struct ptx_lowering *lowering, int64_t integer, enum ptx_type type, struct ptx_slot *slot)
{
	const unsigned bytes = ptx_type_bytes(type);
	uint64_t bits[2] = {(uint64_t)integer, bytes == 16 && integer < 0 ? ~0ull : 0};
	if (type == PTX_PRED)
		bits[0] = integer != 0;
	else if (!bytes || family_of(type) == FAMILY_FLOAT)
		return ptx_malformed(lowering, "an integer constant where .%s is needed", ptx_type_name(type));
	else if (bytes < 8)
		bits[0] &= ((uint64_t)1 << (8 * bytes)) - 1;
	return constant(lowering, bits, lane_bytes_of(type), slot);
}

static int float_constant(struct ptx_lowering *lowering, const struct ptx_operand *operand, enum ptx_type type, struct ptx_slot *slot)
{
	uint64_t bits = 0;
	if (type == PTX_F32 || (type == PTX_B32 && operand->single)) {
		const float single = (float)operand->real;
		uint32_t word;
		memcpy(&word, &single, sizeof word);
		bits = operand->single ? (uint32_t)operand->integer : word; /* NaN payloads stay */
	} else if (type == PTX_F64 || (type == PTX_B64 && !operand->single)) {
		memcpy(&bits, &operand->real, sizeof bits);
	} else {
		return ptx_malformed(lowering, "a floating-point constant where .%s is needed", ptx_type_name(type));
	}
	return ptx_constant(lowering, bits, (int)ptx_type_bytes(type), slot);
}

int ptx_source(struct ptx_lowering *lowering, const struct ptx_operand *operand, enum ptx_type type, int wider, int *negated,
	       struct ptx_slot *slot)
{
	if (negated)
		*negated = 0;
	switch (operand->kind) {
	case PTX_OPERAND_REGISTER: {
		const struct ptx_register *reg = &lowering->function->registers[operand->reg];
		if (check_register(lowering, reg, type, wider))
			return -1;
		if (operand->negate && !negated)
			return ptx_malformed(lowering, "! is not allowed before %s here", reg->name);
		if (operand->negate)
			*negated = 1;
		*slot = slot_of(reg);
		return 0;
	}
	case PTX_OPERAND_INTEGER:
		return integer_constant(lowering, operand->integer, type, slot);
	case PTX_OPERAND_FLOAT:
		return float_constant(lowering, operand, type, slot);
	case PTX_OPERAND_VARIABLE: {
		uint64_t address;
		const enum ptx_space space = operand->variable->space;
		if (space != PTX_SPACE_GLOBAL && space != PTX_SPACE_CONST && space != PTX_SPACE_SHARED)
			return ptx_unsupported(lowering, "the address of '%s' as an operand", operand->variable->name);
		if (!lowering->link || !lowering->link->address || lowering->link->address(lowering->link, operand->variable, &address))
			return ptx_malformed(lowering, "no address is known for '%s'", operand->variable->name);
		if (family_of(type) == FAMILY_FLOAT || (ptx_type_bytes(type) != 8 && ptx_type_bytes(type) != 4))
			return ptx_malformed(lowering, "the address of '%s' where .%s is needed", operand->variable->name, ptx_type_name(type));
		return integer_constant(lowering, (int64_t)(address + (uint64_t)operand->integer), type, slot);
	}
	case PTX_OPERAND_SINK:
		return ptx_malformed(lowering, "'_' cannot be read");
	default:
		return ptx_malformed(lowering, "an operand must be a register or a constant of type .%s", ptx_type_name(type));
	}
}

int ptx_destination(struct ptx_lowering *lowering, const struct ptx_operand *operand, enum ptx_type type, int wider, struct ptx_slot *slot)
{
	if (operand->kind == PTX_OPERAND_SINK) {
		*slot = (struct ptx_slot){.offset = lowering->function->sink_slot, .file = PTX_FILE_REGISTERS, .sink = 1,
					  .lane_bytes = (uint8_t)lane_bytes_of(type)};
		return 0;
	}
	if (operand->kind != PTX_OPERAND_REGISTER)
		return ptx_malformed(lowering, "a destination must be a register");
	const struct ptx_register *reg = &lowering->function->registers[operand->reg];
	if (operand->negate)
		return ptx_malformed(lowering, "! is not allowed before a destination");
	if (check_register(lowering, reg, type, wider))
		return -1;
	*slot = slot_of(reg);
	return 0;
}

/* ---- instructions ---- */

static int lower_one(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *in = lowering->instruction;
	switch (in->opcode) {
	case PTX_OP_bra: case PTX_OP_brx: case PTX_OP_call: case PTX_OP_ret: case PTX_OP_exit: case PTX_OP_trap: case PTX_OP_brkpt:
	case PTX_OP_bar: case PTX_OP_barrier: case PTX_OP_shfl: case PTX_OP_vote: case PTX_OP_match: case PTX_OP_redux: case PTX_OP_activemask:
	case PTX_OP_elect: case PTX_OP_nanosleep: case PTX_OP_membar: case PTX_OP_fence: case PTX_OP_setmaxnreg: case PTX_OP_griddepcontrol:
	case PTX_OP_pmevent: case PTX_OP_getctarank: case PTX_OP_mapa:
		return ptx_lower_control(lowering, insn);
	case PTX_OP_mov:
		if (in->operand_count == 2 && in->operands[1].kind == PTX_OPERAND_SPECIAL)
			return ptx_lower_control(lowering, insn);
		if (in->operand_count == 2 && (in->operands[1].kind == PTX_OPERAND_VARIABLE || in->operands[1].kind == PTX_OPERAND_FUNCTION))
			return ptx_lower_memory(lowering, insn);
		break;
	case PTX_OP_ld: case PTX_OP_st: case PTX_OP_ldu: case PTX_OP_atom: case PTX_OP_red: case PTX_OP_cp: case PTX_OP_mbarrier:
	case PTX_OP_prefetch: case PTX_OP_prefetchu: case PTX_OP_cvta: case PTX_OP_isspacep: case PTX_OP_discard: case PTX_OP_applypriority:
	case PTX_OP_createpolicy:
		return ptx_lower_memory(lowering, insn);
	case PTX_OP_mma: case PTX_OP_wmma: case PTX_OP_ldmatrix: case PTX_OP_stmatrix: case PTX_OP_movmatrix:
		return ptx_lower_matrix(lowering, insn);
	case PTX_OP_unknown: case PTX_OP_alloca: case PTX_OP_stacksave: case PTX_OP_stackrestore: case PTX_OP_clusterlaunchcontrol:
	case PTX_OP_istypep: case PTX_OP_multimem: case PTX_OP_suld: case PTX_OP_suq: case PTX_OP_sured: case PTX_OP_sust: case PTX_OP_tcgen05:
	case PTX_OP_tensormap: case PTX_OP_tex: case PTX_OP_tld4: case PTX_OP_txq: case PTX_OP_vadd: case PTX_OP_vadd2: case PTX_OP_vadd4:
	case PTX_OP_vabsdiff: case PTX_OP_vabsdiff2: case PTX_OP_vabsdiff4: case PTX_OP_vmax: case PTX_OP_vmax2: case PTX_OP_vmax4:
	case PTX_OP_vavrg2: case PTX_OP_vavrg4: case PTX_OP_vmad: case PTX_OP_vmin: case PTX_OP_vmin2: case PTX_OP_vmin4: case PTX_OP_vset:
	case PTX_OP_vset2: case PTX_OP_vset4: case PTX_OP_vshl: case PTX_OP_vshr: case PTX_OP_vsub: case PTX_OP_vsub2: case PTX_OP_vsub4:
	case PTX_OP_wgmma:
		return ptx_unsupported(lowering, "not executed here");
	default:
		break;
	}
	if (ptx_lower_alu(lowering, insn))
		return -1;
	if (!insn->propagate && !(insn->flags & PTX_INSN_OWN_DEFINEDNESS))
		insn->propagate = ptx_propagation(in);
	return 0;
}

/* The highest named barrier and one: 16 where a register says which. */
static int barriers_of(const struct ptx_function *function)
{
	int barriers = 0;
	for (int i = 0; i < function->instruction_count; i++) {
		const struct ptx_instruction *in = &function->instructions[i];
		if ((in->opcode != PTX_OP_bar && in->opcode != PTX_OP_barrier) || ptx_has(in, PTX_MOD_warp) || ptx_has(in, PTX_MOD_cluster))
			continue;
		const int at = ptx_destination_count(in); /* bar.red d, a, ... */
		if (at >= in->operand_count)
			continue;
		const struct ptx_operand *which = &in->operands[at];
		const int one = which->kind == PTX_OPERAND_INTEGER && which->integer >= 0 && which->integer < 16 ? (int)which->integer + 1 : 16;
		barriers = one > barriers ? one : barriers;
	}
	return barriers;
}

static int keep_constants(struct ptx_program *program, const struct lowering_state *state, struct error *err)
{
	/* aligned, and never empty, so that its address can always be formed */
	program->constants_bytes = state->bytes;
	program->constants = aligned_alloc(PTX_UNIT, state->bytes ? state->bytes : PTX_UNIT);
	if (!program->constants)
		return front_no_memory(err);
	if (state->bytes)
		memcpy(program->constants, state->constants, state->bytes);
	return 0;
}

static int lower_all(struct ptx_lowering *lowering)
{
	const struct ptx_function *function = lowering->function;
	struct ptx_program *program = lowering->program;
	program->function = function;
	program->count = function->instruction_count + 1;
	program->code = calloc((size_t)program->count, sizeof *program->code);
	program->block_of = malloc((size_t)program->count * sizeof *program->block_of);
	if (!program->code || !program->block_of)
		return front_no_memory(lowering->err);
	for (int b = 0; b < function->block_count; b++) {
		const struct ptx_block *block = &function->blocks[b];
		for (int i = block->first; i < block->first + block->count; i++)
			program->block_of[i] = (uint32_t)b;
		if (block->is_join)
			program->code[block->first].flags |= PTX_INSN_BLOCK_START;
	}
	program->block_of[function->instruction_count] = (uint32_t)function->block_count;
	for (int i = 0; i < function->instruction_count; i++) {
		struct ptx_insn *insn = &program->code[i];
		const struct ptx_instruction *in = &function->instructions[i];
		const uint8_t flags = insn->flags;
		lowering->instruction = in;
		insn->source = in;
		insn->guard = -1;
		insn->class = PTX_CLASS_OTHER;
		if (in->guard >= 0) {
			insn->guard = (int32_t)function->registers[in->guard].slot;
			insn->guard_flip = in->guard_negated ? ~0u : 0;
		}
		if (lower_one(lowering, insn))
			return -1;
		if (!insn->execute)
			return ptx_unsupported(lowering, "not executed here");
		insn->flags |= flags;
	}
	struct ptx_instruction *end = ptx_lowering_alloc(lowering, sizeof *end);
	if (!end)
		return -1;
	*end = (struct ptx_instruction){.opcode = PTX_OP_ret, .guard = -1, .table = -1, .made = 1, .text = "ret", .text_length = 3,
					.position = function->end};
	struct ptx_insn *last = &program->code[function->instruction_count];
	*last = (struct ptx_insn){.execute = ptx_execute_ret, .flags = (uint8_t)(last->flags | PTX_INSN_CONTROL | PTX_INSN_BLOCK_START),
				  .class = PTX_CLASS_CONTROL, .guard = -1, .source = end};
	program->barriers = barriers_of(function);
	program->local_bytes = function->frame_bytes;
	for (int i = 0; i < function->variable_count; i++) {
		const struct ptx_variable *variable = &function->variables[i];
		if (variable->space == PTX_SPACE_SHARED && !variable->is_extern && variable->offset + variable->bytes > program->shared_bytes)
			program->shared_bytes = (uint32_t)(variable->offset + variable->bytes);
	}
	return keep_constants(program, lowering->state, lowering->err);
}

int ptx_lower(const struct ptx_function *function, const struct ptx_link *link, struct ptx_program **made, struct error *err)
{
	struct error ignored;
	*made = NULL;
	err = err ? err : &ignored;
	struct ptx_program *program = calloc(1, sizeof *program);
	struct arena *arena = calloc(1, sizeof *arena);
	if (!program || !arena) {
		free(program);
		free(arena);
		return front_no_memory(err);
	}
	program->arena = arena;
	struct lowering_state state = {.arena = arena};
	struct ptx_lowering lowering = {.function = function, .program = program, .link = link, .err = err, .state = &state};
	const int status = lower_all(&lowering);
	free(state.constants);
	free(state.interned);
	if (status) {
		ptx_program_free(program);
		return -1;
	}
	*made = program;
	return 0;
}

void ptx_program_free(struct ptx_program *program)
{
	if (!program)
		return;
	struct arena *arena = program->arena;
	arena_free(arena);
	free(arena);
	free(program->code);
	free(program->block_of);
	free(program->constants);
	free(program);
}
