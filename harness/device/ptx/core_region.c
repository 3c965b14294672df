/* Branches on values that nobody wrote. Where both ways of such a branch only compute, and meet again, the branch decides
 * nothing but values: those computed on either way are undefined in the lanes that took it, as the result of a selection by an
 * undefined condition is. A softmax that skips a division for rows of a tile that hold no data is such a one. Only where
 * one of the ways stores, waits, exchanges, calls or leaves is the branch itself a finding. */
#include "device/ptx/core.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCKS_MAX = 16, SLOTS_MAX = 64 };

/* Computes, or loads: nothing that anybody else sees. */
static int only_computes(const struct ptx_insn *insn)
{
	switch (insn->class) {
	case PTX_CLASS_INTEGER: case PTX_CLASS_F16: case PTX_CLASS_F32: case PTX_CLASS_F64: case PTX_CLASS_SPECIAL_FUNCTION:
	case PTX_CLASS_CONVERT: case PTX_CLASS_MOVE: case PTX_CLASS_COMPARE:
		return 1;
	case PTX_CLASS_CONTROL:
		return insn->source && insn->source->opcode == PTX_OP_bra;
	default:
		return insn->source && insn->source->opcode == PTX_OP_ld;
	}
}

static int add_slots(const struct ptx_insn *insn, struct ptx_region *region)
{
	for (unsigned i = 0; i < insn->dst_count; i++) {
		int n = 0;
		while (n < region->count && region->slots[n].offset != insn->dst[i].offset)
			n++;
		if (n == SLOTS_MAX)
			return -1;
		region->slots[n] = insn->dst[i];
		region->count += n == region->count;
	}
	return 0;
}

/* The blocks between a branch at the end of `from` and where its ways meet; 0 where they do more than compute. */
static int explore(const struct ptx_program *program, int32_t from, int32_t join, struct ptx_region *region)
{
	const struct ptx_function *const function = program->function;
	int32_t seen[BLOCKS_MAX], count = 0;
	for (int way = 0; way < 2; way++) {
		const int32_t next = function->blocks[from].successors[way];
		if (next >= 0 && next != join && (count == 0 || seen[0] != next))
			seen[count++] = next;
	}
	for (int32_t at = 0; at < count; at++) {
		const struct ptx_block *const block = &function->blocks[seen[at]];
		if (seen[at] == from || block->table >= 0)
			return 0; /* a loop around the branch: how often it runs is decided here */
		for (int32_t i = block->first; i < block->first + block->count; i++)
			if (!only_computes(&program->code[i]) || add_slots(&program->code[i], region) < 0)
				return 0;
		for (int way = 0; way < 2; way++) {
			const int32_t next = block->successors[way];
			int32_t n = 0;
			if (next < 0 || next == join)
				continue;
			while (n < count && seen[n] != next)
				n++;
			if (n < count)
				continue;
			if (count == BLOCKS_MAX)
				return 0;
			seen[count++] = next;
		}
	}
	return 1;
}

int ptx_regions_find(struct ptx_program *program)
{
	const struct ptx_function *const function = program->function;
	struct ptx_region region;
	struct ptx_slot room[SLOTS_MAX + 1];
	program->regions = calloc((size_t)function->block_count + 1, sizeof *program->regions);
	if (!program->regions)
		return -1;
	for (int b = 0; b < function->block_count; b++) {
		const struct ptx_block *const block = &function->blocks[b];
		const int32_t join = block->immediate_postdominator;
		if (block->count < 1 || join < 0 || join == b || block->table >= 0)
			continue;
		const struct ptx_insn *const last = &program->code[block->first + block->count - 1];
		if (last->guard < 0 || !last->source || last->source->opcode != PTX_OP_bra ||
		    !(program->code[function->blocks[join].first].flags & PTX_INSN_BLOCK_START))
			continue;
		region = (struct ptx_region){.join = function->blocks[join].first, .slots = room};
		if (!explore(program, b, join, &region))
			continue;
		struct ptx_region *const kept = malloc(sizeof *kept + (size_t)region.count * sizeof *room);
		if (!kept)
			return -1;
		*kept = (struct ptx_region){.join = region.join, .count = region.count, .slots = (struct ptx_slot *)(void *)(kept + 1)};
		memcpy(kept->slots, room, (size_t)region.count * sizeof *room);
		program->regions[b] = kept;
	}
	return 0;
}

void ptx_regions_free(struct ptx_program *program)
{
	for (int b = 0; program->regions && b < program->function->block_count; b++)
		free(program->regions[b]);
	free(program->regions);
	program->regions = NULL;
}

int ptx_region_enter(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t lanes)
{
	const struct ptx_program *const program = warp->frame->program;
	if (!insn->source || insn->source->opcode != PTX_OP_bra)
		return 0;
	const struct ptx_region *const region = program->regions[program->block_of[insn - program->code]];
	if (!region || warp->pending_count == PTX_PENDING_MAX)
		return 0;
	warp->pending[warp->pending_count++] = (struct ptx_pending){lanes, warp->frame, region};
	return 1;
}

void ptx_region_leave(struct ptx_warp *warp)
{
	const struct ptx_split *const split = warp->split;
	for (int i = warp->pending_count - 1; i >= 0; i--) {
		struct ptx_pending *const pending = &warp->pending[i];
		if (pending->frame != split->frame || pending->region->join != split->index)
			continue;
		const uint32_t lanes = split->mask & pending->lanes;
		for (int n = 0; lanes && n < pending->region->count; n++)
			ptx_make_undefined(warp, &pending->region->slots[n], lanes);
		pending->lanes &= ~lanes;
		if (!pending->lanes)
			*pending = warp->pending[--warp->pending_count];
	}
}
