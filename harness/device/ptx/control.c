/* Flow of control (manual 9.7.12, PTX ISA 9.0): bra, brx.idx, call, ret, exit, trap, brkpt; and where the core's groups of
 * opcodes are told apart. */
#include "device/ptx/core.h"

#include <stdlib.h>
#include <string.h>

/* ---- branches ---- */

static void execute_bra(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_split *const split = warp->split;
	if (active != split->mask) {
		warp->worker->counts.divergent_branches++;
		ptx_detach(warp, split->mask & ~active, ptx_index(warp, insn) + 1);
	}
	split->index = (int)insn->immediate;
	ptx_signal(warp, PTX_EVENT_JUMPED);
}

static void execute_brx(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_split *const split = warp->split;
	const uint32_t *const choice = ptx_src32(warp, insn, 0);
	const int32_t *const targets = insn->extra;
	const uint32_t count = (uint32_t)insn->immediate;
	const int index = ptx_index(warp, insn);
	const uint32_t undefined = warp->checks ? ptx_undefined(warp, &insn->src[0]) & active : 0;
	if (undefined)
		ptx_find(warp, insn, ptx_first_lane(undefined), PTX_FIND_UNDEFINED_BRANCH, 0, "the index has a value that nobody wrote");
	for (uint32_t rest = active; rest; rest &= rest - 1)
		if (choice[ptx_first_lane(rest)] >= count) {
			ptx_find(warp, insn, ptx_first_lane(rest), PTX_FIND_INVALID, 0, "index %u of a table of %u targets",
				 choice[ptx_first_lane(rest)], count);
			return;
		}
	if (active != split->mask)
		ptx_detach(warp, split->mask & ~active, index + 1);
	const int32_t target = targets[choice[ptx_first_lane(active)]];
	for (uint32_t rest = active; rest;) {
		const int32_t there = targets[choice[ptx_first_lane(rest)]];
		uint32_t group = 0;
		for (uint32_t others = rest; others; others &= others - 1)
			if (targets[choice[ptx_first_lane(others)]] == there)
				group |= 1u << ptx_first_lane(others);
		rest &= ~group;
		if (there != target)
			ptx_detach(warp, group, there);
	}
	if (warp->split_count > 1 && split->mask != active)
		warp->worker->counts.divergent_branches++;
	split->index = target;
	ptx_signal(warp, PTX_EVENT_JUMPED);
}

/* ---- calls ---- */

void ptx_frame_release(struct ptx_place *place, struct ptx_frame *frame)
{
	while (frame && --frame->references == 0 && frame->depth > 0) {
		struct ptx_frame *const caller = frame->caller;
		frame->next_free = place->free_frames;
		place->free_frames = frame;
		frame = caller;
	}
}

/* A frame of the program with its registers as at its start; NULL: no memory. */
static struct ptx_frame *frame_for(struct ptx_place *place, const struct ptx_program *program, int checks)
{
	const size_t bytes = program->function->register_file_bytes, units = bytes / PTX_UNIT + 1;
	for (struct ptx_frame **at = &place->free_frames; *at; at = &(*at)->next_free)
		if ((*at)->program == program) {
			struct ptx_frame *const frame = *at;
			*at = frame->next_free;
			return frame;
		}
	struct ptx_frame *const frame = calloc(1, sizeof *frame);
	if (!frame)
		return NULL;
	*frame = (struct ptx_frame){.program = program, .registers = aligned_alloc(PTX_UNIT, bytes + PTX_UNIT)};
	if (frame->registers)
		memset(frame->registers, 0, bytes + PTX_UNIT);
	if (checks) {
		frame->undefined = calloc(units, sizeof *frame->undefined);
		frame->shadow = aligned_alloc(PTX_UNIT, bytes + PTX_UNIT);
		if (frame->shadow)
			memset(frame->shadow, 0, bytes + PTX_UNIT);
	}
	if (!frame->registers || (checks && (!frame->undefined || !frame->shadow))) {
		free(frame->registers);
		free(frame->undefined);
		free(frame->shadow);
		free(frame);
		return NULL;
	}
	return frame;
}

void ptx_frame_start(struct ptx_frame *frame, int checks)
{
	const struct ptx_program *const program = frame->program;
	const struct ptx_function *const function = program->function;
	frame->references = 1;
	if (checks)
		memcpy(frame->undefined, program->initial_undefined, (function->register_file_bytes / PTX_UNIT + 1) * sizeof *frame->undefined);
	for (int i = 0; i < program->live_count; i++) {
		const struct ptx_register *const reg = &function->registers[program->live[i]];
		const size_t bytes = reg->lane_bytes ? (size_t)reg->lane_bytes * PTX_LANES : sizeof(uint32_t);
		memset(frame->registers + reg->slot, 0, bytes);
		if (checks && reg->lane_bytes)
			memset(frame->shadow + reg->slot, 0xff, bytes);
	}
}

static const struct ptx_callee *indirect_callee(struct ptx_warp *warp, const struct ptx_insn *insn, const struct ptx_call_site *site, uint32_t active,
						uint32_t *group)
{
	const uint64_t *const addresses = ptx_src64(warp, insn, 0);
	const int leader = ptx_first_lane(active);
	const uint32_t undefined = warp->checks ? ptx_undefined(warp, &insn->src[0]) & active : 0;
	if (undefined)
		ptx_find(warp, insn, ptx_first_lane(undefined), PTX_FIND_UNDEFINED_BRANCH, 0, "the function's address has a value that nobody wrote");
	const struct ptx_callee *const callee = ptx_kernel_function_at(site->kernel, addresses[leader]);
	if (!callee) {
		ptx_find(warp, insn, leader, PTX_FIND_INVALID, addresses[leader], "a call of 0x%llx, where no function stands",
			 (unsigned long long)addresses[leader]);
		return NULL;
	}
	*group = 0;
	for (uint32_t rest = active; rest; rest &= rest - 1)
		if (addresses[ptx_first_lane(rest)] == addresses[leader])
			*group |= 1u << ptx_first_lane(rest);
	if (callee->symbol->builtin)
		return callee;
	if (!callee->program) {
		ptx_find(warp, insn, leader, PTX_FIND_UNSUPPORTED, 0, "%s: %s", callee->symbol->name, callee->refusal.message);
		return NULL;
	}
	const struct ptx_function *const function = callee->program->function;
	int fits = function->parameter_count == site->argument_count && function->result_count == site->result_count;
	for (int i = 0; fits && i < site->argument_count; i++)
		fits = function->parameters[i].bytes == site->arguments[i].bytes;
	for (int i = 0; fits && i < site->result_count; i++)
		fits = function->results[i].bytes == site->results[i].bytes;
	if (!fits) {
		ptx_find(warp, insn, leader, PTX_FIND_INVALID, 0, "%s has other parameters than it is called with", callee->symbol->name);
		return NULL;
	}
	return callee;
}

/* Bytes of local memory from one frame to another, in each lane, with their definedness. */
static void copy_local(struct ptx_warp *warp, uint32_t lanes, uint32_t to, uint32_t from, uint32_t bytes)
{
	for (uint32_t rest = lanes; rest; rest &= rest - 1) {
		const size_t base = (size_t)ptx_first_lane(rest) * warp->local_lane_bytes;
		memcpy(warp->local + base + to, warp->local + base + from, bytes);
		if (warp->local_undefined)
			memcpy(warp->local_undefined + base + to, warp->local_undefined + base + from, bytes);
	}
}

static void execute_call(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_split *const split = warp->split;
	struct ptx_frame *const caller = split->frame;
	const struct ptx_call_site *const site = insn->extra;
	const int index = ptx_index(warp, insn);
	uint32_t group = active;
	const struct ptx_callee *const callee = site->callee ? site->callee : indirect_callee(warp, insn, site, active, &group);
	if (!callee)
		return;
	if (callee->symbol->builtin) {
		struct ptx_call_site named = *site;
		named.callee = callee;
		if (group != active) {
			ptx_detach(warp, active & ~group, index);
			split->index = index + 1;
			ptx_signal(warp, PTX_EVENT_JUMPED);
		}
		ptx_builtin_call(warp, insn, &named, group);
		return;
	}
	const struct ptx_program *const program = callee->program;
	const struct ptx_function *const function = program->function;
	const uint32_t align = function->frame_align > 16 ? function->frame_align : 16;
	const uint64_t base = ((uint64_t)caller->local_base + caller->program->function->frame_bytes + align - 1) / align * align;
	if (base + function->frame_bytes > warp->local_lane_bytes || caller->depth >= PTX_CALL_DEPTH_MAX) {
		ptx_find(warp, insn, ptx_first_lane(active), PTX_FIND_BOUNDS, 0,
			 "the call stack overflows: %d calls deep, %llu bytes a thread", caller->depth + 1,
			 (unsigned long long)(base + function->frame_bytes));
		return;
	}
	struct ptx_frame *const frame = frame_for(ptx_place_of(warp), program, warp->checks);
	if (!frame) {
		ptx_find(warp, insn, ptx_first_lane(active), PTX_FIND_UNSUPPORTED, 0, "no memory for the called function's registers");
		return;
	}
	if (split->mask & ~active)
		ptx_detach(warp, split->mask & ~active, index + 1);
	if (active & ~group)
		ptx_detach(warp, active & ~group, index);
	ptx_frame_start(frame, warp->checks);
	frame->caller = caller; /* which keeps the split's reference */
	frame->return_index = index + 1;
	frame->depth = caller->depth + 1;
	frame->local_base = (uint32_t)base;
	if (warp->local_undefined)
		for (uint32_t rest = group; rest; rest &= rest - 1)
			memset(warp->local_undefined + (size_t)ptx_first_lane(rest) * warp->local_lane_bytes + base, 0xff, function->frame_bytes);
	for (int i = 0; i < site->argument_count; i++)
		copy_local(warp, group, frame->local_base + (uint32_t)function->parameters[i].offset, caller->local_base + site->arguments[i].offset,
			   site->arguments[i].bytes);
	split->frame = frame;
	split->index = 0;
	ptx_signal(warp, PTX_EVENT_JUMPED);
}

static void execute_exit(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_split *const split = warp->split;
	warp->live &= ~active;
	split->mask &= ~active;
	split->index = ptx_index(warp, insn) + 1;
	ptx_signal(warp, PTX_EVENT_EXIT);
}

void ptx_execute_ret(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_split *const split = warp->split;
	struct ptx_frame *const frame = split->frame, *const caller = frame->caller;
	if (!caller) {
		execute_exit(warp, insn, active);
		return;
	}
	if (split->mask & ~active)
		ptx_detach(warp, split->mask & ~active, ptx_index(warp, insn) + 1);
	const struct ptx_call_site *const site = caller->program->code[frame->return_index - 1].extra;
	const struct ptx_function *const function = frame->program->function;
	for (int i = 0; i < site->result_count; i++)
		copy_local(warp, active, caller->local_base + site->results[i].offset, frame->local_base + (uint32_t)function->results[i].offset,
			   site->results[i].bytes);
	split->index = frame->return_index;
	caller->references++;
	split->frame = caller;
	ptx_frame_release(ptx_place_of(warp), frame);
	ptx_signal(warp, PTX_EVENT_JUMPED);
}

static void execute_trap(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	ptx_find(warp, insn, ptx_first_lane(active), PTX_FIND_TRAP, 0, insn->immediate ? "a breakpoint, and no debugger" : "the kernel gave up");
}

/* ---- lowering ---- */

int ptx_slots(struct ptx_lowering *lowering, struct ptx_insn *insn, int dst_count, int src_count, struct ptx_slot **dst, struct ptx_slot **src)
{
	struct ptx_slot *const slots = ptx_lowering_alloc(lowering, (size_t)(dst_count + src_count + 1) * sizeof *slots);
	if (!slots)
		return -1;
	memset(slots, 0, (size_t)(dst_count + src_count + 1) * sizeof *slots);
	insn->dst = *dst = slots;
	insn->src = *src = slots + dst_count;
	insn->dst_count = (uint8_t)dst_count;
	insn->src_count = (uint8_t)src_count;
	return 0;
}

static int lower_brx(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	const struct ptx_function *const function = lowering->function;
	if (!ptx_has(instruction, PTX_MOD_idx) || instruction->table < 0 || instruction->table >= function->table_count)
		return ptx_malformed(lowering, "brx.idx with a table of targets expected");
	const struct ptx_table *const table = &function->tables[instruction->table];
	int32_t *const targets = ptx_lowering_alloc(lowering, (size_t)(table->count + 1) * sizeof *targets);
	struct ptx_slot *dst, *src;
	if (!targets || ptx_slots(lowering, insn, 0, 1, &dst, &src) ||
	    ptx_source(lowering, ptx_operand(lowering, 0), PTX_U32, 0, NULL, &src[0]))
		return -1;
	for (int i = 0; i < table->count; i++)
		targets[i] = function->blocks[table->blocks[i]].first;
	insn->extra = targets;
	insn->immediate = table->count;
	insn->execute = execute_brx;
	return 0;
}

/* Where the variables of an operand list of a call stand in the frame. */
static int copies(struct ptx_lowering *lowering, const struct ptx_operand *list, struct ptx_call_copy **out, int *count)
{
	*count = 0;
	if (list->kind != PTX_OPERAND_LIST)
		return ptx_malformed(lowering, "a list of arguments expected");
	struct ptx_call_copy *const all = ptx_lowering_alloc(lowering, (size_t)(list->count + 1) * sizeof *all);
	if (!all)
		return -1;
	for (int i = 0; i < list->count; i++) {
		const struct ptx_operand *const element = ptx_element(lowering, list, i);
		const struct ptx_variable *const variable = element->variable;
		if (element->kind != PTX_OPERAND_VARIABLE || variable->space != PTX_SPACE_PARAM || element->integer != 0)
			return ptx_malformed(lowering, "argument %d is no .param variable", i + 1);
		if (variable->offset + variable->bytes > lowering->function->frame_bytes)
			return ptx_unsupported(lowering, "an argument outside the function's frame");
		all[i] = (struct ptx_call_copy){(uint32_t)variable->offset, (uint32_t)variable->bytes};
	}
	*out = all;
	*count = list->count;
	return 0;
}

static int lower_call(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	struct ptx_kernel *const kernel = (struct ptx_kernel *)(uintptr_t)(const void *)lowering->link;
	if (instruction->operand_count < 3)
		return ptx_malformed(lowering, "call takes results, a function and arguments");
	struct ptx_call_site *const site = ptx_lowering_alloc(lowering, sizeof *site);
	struct ptx_slot *dst, *src;
	const struct ptx_operand *const target = ptx_operand(lowering, 1);
	const int indirect = target->kind == PTX_OPERAND_REGISTER;
	if (!site || ptx_slots(lowering, insn, 0, indirect, &dst, &src))
		return -1;
	*site = (struct ptx_call_site){.kernel = kernel};
	if (copies(lowering, ptx_operand(lowering, 0), &site->results, &site->result_count) ||
	    copies(lowering, ptx_operand(lowering, 2), &site->arguments, &site->argument_count))
		return -1;
	insn->extra = site;
	insn->execute = execute_call;
	if (indirect) {
		kernel->has_indirect = 1;
		return ptx_source(lowering, target, PTX_B64, 0, NULL, &src[0]);
	}
	if (target->kind != PTX_OPERAND_FUNCTION)
		return ptx_malformed(lowering, "the callee is neither a function nor a register");
	struct error cause = {0};
	site->callee = ptx_kernel_callee(kernel, target->symbol, &cause);
	if (!site->callee)
		return cause.kind == ERROR_UNSUPPORTED ? ptx_unsupported(lowering, "%s", cause.message) : ptx_malformed(lowering, "%s", cause.message);
	return 0;
}

int ptx_lower_flow(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	insn->flags |= PTX_INSN_CONTROL | PTX_INSN_STRICT_GUARD | PTX_INSN_OWN_DEFINEDNESS;
	insn->class = PTX_CLASS_CONTROL;
	switch (instruction->opcode) {
	case PTX_OP_bra: {
		const struct ptx_operand *const target = ptx_operand(lowering, 0);
		if (instruction->operand_count != 1 || target->kind != PTX_OPERAND_LABEL)
			return ptx_malformed(lowering, "a label expected");
		insn->immediate = lowering->function->blocks[target->block].first;
		insn->execute = execute_bra;
		return 0;
	}
	case PTX_OP_brx:
		return lower_brx(lowering, insn);
	case PTX_OP_call:
		return lower_call(lowering, insn);
	case PTX_OP_ret:
		insn->execute = ptx_execute_ret;
		return 0;
	case PTX_OP_exit:
		insn->execute = execute_exit;
		return 0;
	case PTX_OP_brkpt:
		insn->immediate = 1;
		insn->execute = execute_trap;
		return 0;
	default:
		insn->execute = execute_trap;
		return 0;
	}
}

int ptx_lower_control(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	switch (lowering->instruction->opcode) {
	case PTX_OP_bra: case PTX_OP_brx: case PTX_OP_call: case PTX_OP_ret: case PTX_OP_exit: case PTX_OP_trap: case PTX_OP_brkpt:
		return ptx_lower_flow(lowering, insn);
	case PTX_OP_bar: case PTX_OP_barrier:
		return ptx_lower_barrier(lowering, insn);
	case PTX_OP_shfl: case PTX_OP_vote: case PTX_OP_match: case PTX_OP_redux: case PTX_OP_activemask: case PTX_OP_elect:
		return ptx_lower_exchange(lowering, insn);
	default:
		return ptx_lower_special(lowering, insn);
	}
}
