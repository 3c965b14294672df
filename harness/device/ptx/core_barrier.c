/* Barriers of a block (manual 9.7.13.1 to 9.7.13.3, PTX ISA 9.0): bar, barrier, bar.warp.sync, barrier.cluster.
 *
 * From sm_70 on a barrier counts threads. Those of .aligned form must be executed by all threads of a warp together; when
 * some of them are elsewhere, the others wait until the missing ones come, or cannot come: then it is noted and the barrier
 * goes on thread by thread, as the hardware does. */
#include "device/ptx/core.h"

#include <stdio.h>
#include <string.h>

enum { KIND_SYNC, KIND_ARRIVE, KIND_RED, KIND_CLUSTER_ARRIVE, KIND_CLUSTER_WAIT };
enum { OPTION_KIND, OPTION_ALIGNED, OPTION_OPERATION, OPTION_NEGATED, OPTION_COUNTED };
enum { RED_POPC, RED_AND, RED_OR };

static void write_result(struct ptx_warp *warp, const struct ptx_split *split, const struct ptx_barrier *barrier)
{
	const struct ptx_insn *insn = split->waiting_at;
	struct ptx_frame *const frame = split->frame;
	const struct ptx_slot *slot = &insn->dst[0];
	const uint32_t value = insn->option[OPTION_OPERATION] == RED_POPC ? barrier->population
			     : insn->option[OPTION_OPERATION] == RED_AND  ? barrier->all : barrier->any;
	uint32_t *const to = (uint32_t *)(void *)(frame->registers + slot->offset);
	if (insn->option[OPTION_OPERATION] == RED_POPC)
		for (uint32_t rest = split->mask; rest; rest &= rest - 1)
			to[ptx_first_lane(rest)] = value;
	else
		*to = (*to & ~split->mask) | (value ? split->mask : 0);
	if (!warp->checks)
		return;
	uint32_t *const undefined = &frame->undefined[slot->offset / PTX_UNIT];
	*undefined &= ~split->mask;
	if (barrier->undefined) {
		*undefined |= split->mask;
		if (slot->lane_bytes)
			for (uint32_t rest = split->mask; rest; rest &= rest - 1)
				memset(frame->shadow + slot->offset + (size_t)ptx_first_lane(rest) * slot->lane_bytes, 0xff, slot->lane_bytes);
	}
}

static void complete(struct ptx_place *place, int id)
{
	struct ptx_block_state *const block = &place->block;
	struct ptx_barrier *const barrier = &place->barriers[id];
	for (int w = 0; w < block->warp_count; w++) {
		struct ptx_warp *const warp = &block->warps[w];
		int left = 0;
		for (int i = 0; i < warp->split_count; i++) {
			struct ptx_split *const split = &warp->splits[i];
			if (split->state != PTX_SPLIT_AT_BARRIER || split->barrier != id)
				continue;
			if (split->waiting_at->option[OPTION_KIND] == KIND_RED)
				write_result(warp, split, barrier);
			split->state = PTX_SPLIT_RUNS;
			split->index++;
			left = 1;
		}
		if (left && warp->checks) {
			ptx_clock_join(warp->clock, barrier->clock, block->warp_count);
			warp->clock[w]++;
		}
	}
	if (id == PTX_CLUSTER_BARRIER) { /* those that arrived and do not wait yet join it when they do */
		barrier->used = 0;
		memset(barrier->lanes, 0, sizeof barrier->lanes);
		return;
	}
	memset(barrier, 0, sizeof *barrier);
}

static int is_complete(const struct ptx_place *place, const struct ptx_barrier *barrier)
{
	const struct ptx_block_state *const block = &place->block;
	if (!barrier->expected) {
		for (int w = 0; w < block->warp_count; w++)
			if (block->warps[w].live & ~barrier->lanes[w])
				return 0;
		return 1;
	}
	uint32_t arrived = barrier->arrived;
	for (int w = 0; w < block->warp_count; w++)
		arrived += (uint32_t)__builtin_popcount(barrier->lanes[w]);
	return arrived >= barrier->expected;
}

/* Whole warps count 32 whatever their number of threads. */
static void settle(struct ptx_place *place, int id)
{
	struct ptx_barrier *const barrier = &place->barriers[id];
	if (!barrier->used)
		return;
	if (barrier->expected)
		for (int w = 0; w < place->block.warp_count; w++)
			if (barrier->lanes[w] && !(place->block.warps[w].live & ~barrier->lanes[w])) {
				barrier->arrived += PTX_LANES;
				barrier->lanes[w] = 0;
			}
	if (is_complete(place, barrier))
		complete(place, id);
}

void ptx_barriers_look(struct ptx_warp *warp)
{
	struct ptx_place *const place = ptx_place_of(warp);
	for (int id = 0; id <= PTX_BARRIERS; id++)
		if (place->barriers[id].used)
			settle(place, id);
}

static void arrive(struct ptx_warp *warp, struct ptx_barrier *barrier, const struct ptx_insn *insn, uint32_t lanes)
{
	if (!barrier->used) {
		barrier->used = 1;
		barrier->first = insn;
		barrier->all = 1;
	}
	barrier->lanes[warp->index] |= lanes;
	if (warp->checks)
		ptx_clock_join(barrier->clock, warp->clock, warp->block->warp_count);
}

/* Lanes of `active` whose operands are those of its first lane. */
static uint32_t alike(const struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, int operands)
{
	const int leader = ptx_first_lane(active);
	uint32_t same = active;
	for (int i = 0; i < operands; i++) {
		const uint32_t *const value = ptx_src32(warp, insn, i);
		if (insn->src[i].file == PTX_FILE_CONSTANTS)
			continue;
		for (uint32_t rest = active; rest; rest &= rest - 1)
			if (value[ptx_first_lane(rest)] != value[leader])
				same &= ~(1u << ptx_first_lane(rest));
	}
	return same;
}

static void undefined_operands(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, int operands)
{
	for (int i = 0; i < operands; i++) {
		const uint32_t lanes = ptx_undefined(warp, &insn->src[i]) & active;
		if (lanes)
			ptx_find(warp, insn, ptx_first_lane(lanes), PTX_FIND_UNDEFINED_OPERAND, 0,
				 "operand %d has a value that nobody wrote", i + 1);
	}
}

static void at_barrier(struct ptx_warp *warp, const struct ptx_insn *insn, int id)
{
	struct ptx_split *const split = warp->split;
	split->index = ptx_index(warp, insn);
	split->state = PTX_SPLIT_AT_BARRIER;
	split->barrier = (uint8_t)id;
	split->waiting_at = insn;
	ptx_signal(warp, PTX_EVENT_BARRIER);
}

static void execute_barrier(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_split *const split = warp->split;
	struct ptx_place *const place = ptx_place_of(warp);
	const int kind = insn->option[OPTION_KIND], index = ptx_index(warp, insn);
	const int operands = 1 + insn->option[OPTION_COUNTED];
	if (insn->option[OPTION_ALIGNED] && active != warp->live && !split->forced) {
		ptx_wait(warp, insn, active, warp->live);
		return;
	}
	split->forced = 0;
	if (warp->checks)
		undefined_operands(warp, insn, active, operands);
	const uint32_t group = alike(warp, insn, active, operands);
	if (split->mask & ~active)
		ptx_detach(warp, split->mask & ~active, index + 1);
	if (active & ~group)
		ptx_detach(warp, active & ~group, index);
	const int leader = ptx_first_lane(group);
	const uint32_t id = ptx_src32(warp, insn, 0)[leader];
	uint32_t expected = operands > 1 ? ptx_src32(warp, insn, 1)[leader] : 0;
	if (id >= PTX_BARRIERS) {
		ptx_find(warp, insn, leader, PTX_FIND_INVALID, 0, "barrier %u: there are 16, numbered from 0", id);
		return;
	}
	struct ptx_barrier *const barrier = &place->barriers[id];
	if (operands > 1 && (expected == 0 || expected % PTX_LANES != 0 || expected > PTX_LANES * (uint32_t)warp->block->warp_count)) {
		ptx_find(warp, insn, leader, PTX_FIND_INVALID, 0,
			 "barrier %u for %u threads: the number must be a multiple of 32, and this block has %u threads", id, expected,
			 warp->block->threads);
		return;
	}
	if (expected == PTX_LANES * (uint32_t)warp->block->warp_count && kind != KIND_ARRIVE)
		expected = 0; /* the same as saying nothing */
	else if (kind == KIND_ARRIVE && barrier->used && !barrier->expected && expected == PTX_LANES * (uint32_t)warp->block->warp_count)
		expected = 0;
	if (kind != KIND_ARRIVE && !expected && barrier->used && barrier->expected == PTX_LANES * (uint32_t)warp->block->warp_count)
		expected = barrier->expected;
	if (barrier->used && barrier->expected != expected) {
		ptx_find(warp, insn, leader, PTX_FIND_INVALID, 0,
			 "barrier %u is entered for %u threads while others wait there for %u (0: all of the block)", id, expected, barrier->expected);
		return;
	}
	warp->worker->counts.barriers++;
	arrive(warp, barrier, insn, group);
	barrier->expected = expected;
	if (kind == KIND_RED) {
		const struct ptx_slot *const slot = &insn->src[operands];
		uint32_t value = *(const uint32_t *)ptx_at(warp, slot);
		if (insn->option[OPTION_NEGATED])
			value = ~value;
		barrier->population += (uint32_t)__builtin_popcount(value & group);
		barrier->all &= (group & ~value) == 0;
		barrier->any |= (group & value) != 0;
		if (warp->checks && ptx_undefined(warp, slot) & group)
			barrier->undefined = 1;
	}
	if (kind == KIND_ARRIVE) {
		split->index = index + 1;
		if (warp->checks)
			warp->clock[warp->index]++; /* what follows is not ordered by this arrival */
		ptx_signal(warp, PTX_EVENT_JUMPED);
	} else {
		at_barrier(warp, insn, (int)id);
	}
	settle(place, (int)id);
}

/* A cluster of one block: all its threads arrive, and wait for the others' arrival. */
static void execute_cluster(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_place *const place = ptx_place_of(warp);
	struct ptx_barrier *const barrier = &place->barriers[PTX_CLUSTER_BARRIER];
	struct ptx_split *const split = warp->split;
	const int index = ptx_index(warp, insn);
	if (insn->option[OPTION_ALIGNED] && active != warp->live && !split->forced) {
		ptx_wait(warp, insn, active, warp->live);
		return;
	}
	split->forced = 0;
	if (split->mask & ~active)
		ptx_detach(warp, split->mask & ~active, index + 1);
	split->index = index + 1;
	ptx_signal(warp, PTX_EVENT_JUMPED);
	if (insn->option[OPTION_KIND] == KIND_CLUSTER_ARRIVE) {
		if (barrier->lanes[warp->index] & active) {
			ptx_find(warp, insn, ptx_first_lane(active), PTX_FIND_INVALID, 0, "arrives twice at the cluster's barrier without waiting for it");
			return;
		}
		warp->worker->counts.barriers++;
		arrive(warp, barrier, insn, active);
		if (warp->checks)
			warp->clock[warp->index]++;
		settle(place, PTX_CLUSTER_BARRIER);
		return;
	}
	if (barrier->used && barrier->lanes[warp->index] & active) {
		at_barrier(warp, insn, PTX_CLUSTER_BARRIER);
		warp->event = PTX_EVENT_BARRIER;
		return;
	}
	if (warp->checks)
		ptx_clock_join(warp->clock, barrier->clock, warp->block->warp_count);
}

/* bar.warp.sync: waits for the lanes named, each of which may execute one of its own (ptx_unblock). */
static void execute_warp_barrier(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_split *const split = warp->split;
	const uint32_t *const members = ptx_src32(warp, insn, 0);
	const int index = ptx_index(warp, insn);
	if (split->forced) {
		split->forced = 0;
		return;
	}
	if (warp->checks)
		undefined_operands(warp, insn, active, 1);
	uint32_t waiting = 0, wanted = 0;
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int lane = ptx_first_lane(rest);
		if (!(members[lane] >> lane & 1))
			ptx_note(warp, insn, lane, PTX_FIND_INVALID, 0, "the lane is not in its member mask 0x%08x", members[lane]);
		if (members[lane] & warp->live & ~active) {
			waiting |= 1u << lane;
			wanted |= members[lane];
		}
	}
	if (!waiting)
		return;
	if (waiting != active) { /* those whose company is complete go on with the lanes whose guard does not hold */
		const uint32_t others = split->mask & ~waiting;
		ptx_detach(warp, others, index + 1);
	}
	ptx_wait(warp, insn, split->mask & waiting, wanted & warp->live);
}

/* ---- when nothing runs ---- */

static int is_warp_barrier(const struct ptx_insn *insn)
{
	return insn->execute == execute_warp_barrier;
}

static uint32_t member_mask(const struct ptx_split *split)
{
	const struct ptx_slot *slot = &split->waiting_at->src[0];
	const unsigned char *file = slot->file == PTX_FILE_CONSTANTS ? split->frame->program->constants : split->frame->registers;
	return ((const uint32_t *)(const void *)(file + slot->offset))[ptx_first_lane(split->mask)];
}

int ptx_unblock(struct ptx_warp *warp)
{
	int freed = 0;
	/* lanes that execute different bar.warp.sync with one mask */
	for (int i = 0; i < warp->split_count; i++) {
		struct ptx_split *const split = &warp->splits[i];
		if (split->state != PTX_SPLIT_WAITS || !is_warp_barrier(split->waiting_at))
			continue;
		const uint32_t mask = member_mask(split);
		uint32_t present = 0;
		for (int j = 0; j < warp->split_count; j++)
			if (warp->splits[j].state == PTX_SPLIT_WAITS && is_warp_barrier(warp->splits[j].waiting_at) && member_mask(&warp->splits[j]) == mask)
				present |= warp->splits[j].mask;
		if (mask & warp->live & ~present)
			continue;
		for (int j = 0; j < warp->split_count; j++) {
			struct ptx_split *const other = &warp->splits[j];
			if (other->state == PTX_SPLIT_WAITS && is_warp_barrier(other->waiting_at) && member_mask(other) == mask) {
				other->state = PTX_SPLIT_RUNS;
				other->forced = 1;
			}
		}
		freed = 1;
	}
	if (freed)
		return 1;
	for (int i = 0; i < warp->split_count; i++) {
		struct ptx_split *const split = &warp->splits[i];
		const struct ptx_insn *const insn = split->waiting_at;
		if (split->state != PTX_SPLIT_WAITS || (insn->execute != execute_barrier && insn->execute != execute_cluster))
			continue;
		ptx_note(warp, insn, ptx_first_lane(split->mask), PTX_FIND_DIVERGENT_BARRIER, 0,
			 "only the lanes 0x%08x of the warp's 0x%08x come to this barrier, which must be reached by all of them together",
			 split->mask, warp->live);
		split->state = PTX_SPLIT_RUNS;
		split->forced = 1;
		freed = 1;
	}
	if (freed)
		return 1;
	/* lanes that name each other in exchanges at different places: each place gets the lanes it has, as hardware does */
	uint32_t waiting = 0;
	for (int i = 0; i < warp->split_count; i++)
		if (warp->splits[i].state == PTX_SPLIT_WAITS && warp->splits[i].waiting_at->class == PTX_CLASS_EXCHANGE)
			waiting |= warp->splits[i].mask;
	for (int i = 0; i < warp->split_count; i++) {
		struct ptx_split *const split = &warp->splits[i];
		if (split->state != PTX_SPLIT_WAITS || split->waiting_at->class != PTX_CLASS_EXCHANGE || split->wanted & warp->live & ~waiting)
			continue;
		ptx_note(warp, split->waiting_at, ptx_first_lane(split->mask), PTX_FIND_DIVERGENT_BARRIER, 0,
			 "lanes 0x%08x exchange values with 0x%08x, some of which are at another instruction", split->mask, split->wanted & warp->live);
		split->state = PTX_SPLIT_RUNS;
		split->forced = 1;
		freed = 1;
	}
	return freed;
}

void ptx_deadlock(struct ptx_place *place)
{
	struct ptx_block_state *const block = &place->block;
	struct ptx_warp *reporter = NULL;
	const struct ptx_insn *insn = NULL;
	int lane = 0;
	char text[200] = "";
	size_t length = 0;
	for (int w = 0; w < block->warp_count; w++) {
		struct ptx_warp *const warp = &block->warps[w];
		for (int i = 0; i < warp->split_count && warp->live; i++) {
			struct ptx_split *const split = &warp->splits[i];
			if (split->state == PTX_SPLIT_WAITS)
				ptx_note(warp, split->waiting_at, ptx_first_lane(split->mask), PTX_FIND_DIVERGENT_BARRIER, 0,
					 "lanes 0x%08x wait for the lanes 0x%08x, which never come", split->mask,
					 split->wanted & warp->live & ~split->mask);
			if (!reporter || (split->state == PTX_SPLIT_AT_BARRIER && insn && reporter->splits[0].state == PTX_SPLIT_WAITS)) {
				reporter = warp;
				insn = split->waiting_at;
				lane = ptx_first_lane(split->mask);
			}
		}
	}
	for (int id = 0; id <= PTX_BARRIERS; id++) {
		const struct ptx_barrier *const barrier = &place->barriers[id];
		if (!barrier->used)
			continue;
		uint32_t here = 0, missing = 0;
		for (int w = 0; w < block->warp_count; w++) {
			int waits = 0;
			for (int i = 0; i < block->warps[w].split_count && block->warps[w].live; i++)
				waits |= block->warps[w].splits[i].state == PTX_SPLIT_AT_BARRIER && block->warps[w].splits[i].barrier == id;
			if (waits)
				here |= 1u << w;
			else if (block->warps[w].live)
				missing |= 1u << w;
		}
		const int n = snprintf(text + length, sizeof text - length, "%sbarrier %d: warps 0x%x wait, 0x%x do not", length ? "; " : "", id, here, missing);
		if (n < 0 || (size_t)n >= sizeof text - length)
			break;
		length += (size_t)n;
	}
	if (reporter)
		ptx_find(reporter, insn, lane, PTX_FIND_DEADLOCK, 0, "every warp of the block waits%s%s", length ? ": " : "", text);
}

/* ---- lowering ---- */

static int lower_cluster(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	insn->option[OPTION_ALIGNED] = (uint8_t)ptx_has(instruction, PTX_MOD_aligned);
	if (ptx_has(instruction, PTX_MOD_arrive))
		insn->option[OPTION_KIND] = KIND_CLUSTER_ARRIVE;
	else if (ptx_has(instruction, PTX_MOD_wait))
		insn->option[OPTION_KIND] = KIND_CLUSTER_WAIT;
	else
		return ptx_unsupported(lowering, "barrier.cluster without .arrive or .wait");
	if (instruction->operand_count)
		return ptx_malformed(lowering, "no operands expected");
	insn->execute = execute_cluster;
	return 0;
}

int ptx_lower_barrier(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	insn->flags |= PTX_INSN_CONTROL | PTX_INSN_STRICT_GUARD | PTX_INSN_OWN_DEFINEDNESS;
	insn->class = PTX_CLASS_BARRIER;
	if (ptx_has(instruction, PTX_MOD_cluster))
		return lower_cluster(lowering, insn);
	struct ptx_slot *dst, *src;
	if (ptx_has(instruction, PTX_MOD_warp)) {
		if (!ptx_has(instruction, PTX_MOD_sync) || instruction->operand_count != 1)
			return ptx_malformed(lowering, "bar.warp.sync takes a member mask");
		insn->execute = execute_warp_barrier;
		return ptx_slots(lowering, insn, 0, 1, &dst, &src) ||
		       ptx_source(lowering, ptx_operand(lowering, 0), PTX_B32, 0, NULL, &src[0]) ? -1 : 0;
	}
	insn->execute = execute_barrier;
	insn->option[OPTION_ALIGNED] = instruction->opcode == PTX_OP_bar || ptx_has(instruction, PTX_MOD_aligned);
	int first = 0, operands = instruction->operand_count, kind;
	if (ptx_has(instruction, PTX_MOD_red)) {
		kind = KIND_RED;
		first = 1;
		operands -= 2;
	} else if (ptx_has(instruction, PTX_MOD_arrive)) {
		kind = KIND_ARRIVE;
		if (operands != 2)
			return ptx_malformed(lowering, "an arrival names a barrier and a number of threads");
	} else if (ptx_has(instruction, PTX_MOD_sync)) {
		kind = KIND_SYNC;
	} else {
		return ptx_unsupported(lowering, "a barrier that is neither .sync, .arrive nor .red");
	}
	if (operands < 1 || operands > 2)
		return ptx_malformed(lowering, "wrong number of operands");
	insn->option[OPTION_KIND] = (uint8_t)kind;
	insn->option[OPTION_COUNTED] = operands == 2;
	if (ptx_slots(lowering, insn, kind == KIND_RED, operands + (kind == KIND_RED), &dst, &src))
		return -1;
	for (int i = 0; i < operands; i++)
		if (ptx_source(lowering, ptx_operand(lowering, first + i), PTX_B32, 0, NULL, &src[i]))
			return -1;
	if (kind != KIND_RED)
		return 0;
	const int popc = ptx_has(instruction, PTX_MOD_popc);
	if (popc + ptx_has(instruction, PTX_MOD_and) + ptx_has(instruction, PTX_MOD_or) != 1)
		return ptx_malformed(lowering, "a reduction is one of .popc, .and, .or");
	insn->option[OPTION_OPERATION] = popc ? RED_POPC : ptx_has(instruction, PTX_MOD_and) ? RED_AND : RED_OR;
	int negated = 0;
	if (ptx_destination(lowering, ptx_operand(lowering, 0), popc ? PTX_U32 : PTX_PRED, 0, &dst[0]) ||
	    ptx_source(lowering, ptx_operand(lowering, first + operands), PTX_PRED, 0, &negated, &src[operands]))
		return -1;
	insn->option[OPTION_NEGATED] = (uint8_t)negated;
	return 0;
}
