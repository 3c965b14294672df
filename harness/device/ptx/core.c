/* The loop that executes instructions, and how lanes of a warp part and meet. */
#include "device/ptx/core.h"

#include <string.h>

/* Handlers read the running split's files from the warp. */
static inline void load(struct ptx_warp *warp, struct ptx_split *split)
{
	struct ptx_frame *frame = split->frame;
	warp->split = split;
	warp->frame = frame;
	warp->file[PTX_FILE_REGISTERS] = frame->registers;
	warp->file[PTX_FILE_CONSTANTS] = frame->program->constants;
	warp->undefined = frame->undefined;
	warp->shadow = frame->shadow;
}

void ptx_make_undefined(const struct ptx_warp *warp, const struct ptx_slot *slot, uint32_t lanes)
{
	warp->undefined[slot->offset / PTX_UNIT] |= lanes;
	if (!slot->lane_bytes)
		return;
	unsigned char *shadow = ptx_shadow_at(warp, slot);
	for (uint32_t rest = lanes; rest; rest &= rest - 1)
		memset(shadow + (size_t)ptx_first_lane(rest) * slot->lane_bytes, 0xff, slot->lane_bytes);
}

/* A guard nobody wrote. Later instructions under the same guard say nothing new. 1: a branch that decides values only. */
static __attribute__((noinline)) int undefined_guard(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t lanes)
{
	if (ptx_region_enter(warp, insn, lanes))
		return 1;
	ptx_find(warp, insn, ptx_first_lane(lanes),
		 insn->class == PTX_CLASS_CONTROL ? PTX_FIND_UNDEFINED_BRANCH : PTX_FIND_UNDEFINED_OPERAND, 0,
		 "whether it is executed depends on a value that nobody wrote");
	warp->undefined[(uint32_t)insn->guard / PTX_UNIT] &= ~lanes;
	return 0;
}

/* Definedness of what an instruction computes; before it is executed. */
static inline __attribute__((always_inline)) void follow_definedness(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	uint32_t undefined = 0;
	for (unsigned i = 0; i < insn->src_count; i++)
		undefined |= ptx_undefined(warp, &insn->src[i]);
	undefined &= active;
	if (__builtin_expect(undefined != 0, 0)) {
		if (insn->propagate) {
			insn->propagate(warp, insn, active);
			return;
		}
		for (unsigned i = 0; i < insn->dst_count; i++) {
			ptx_set_undefined(warp, &insn->dst[i], active, 0);
			ptx_make_undefined(warp, &insn->dst[i], undefined);
		}
		return;
	}
	for (unsigned i = 0; i < insn->dst_count; i++)
		warp->undefined[insn->dst[i].offset / PTX_UNIT] &= ~active;
}

static inline uint64_t population(uint32_t lanes)
{
	/* no instruction of the oldest processors this is built for, and a call into the compiler's library otherwise */
	lanes -= lanes >> 1 & 0x55555555u;
	lanes = (lanes & 0x33333333u) + (lanes >> 2 & 0x33333333u);
	return ((lanes + (lanes >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;
}

/* Counters of instructions are differences: a run over [first, last) by some lanes adds at its start and subtracts at its end,
 * so that an instruction itself counts nothing but lanes its guard left out. Added up in ptx_grid_run. */
static inline void count_run(const struct ptx_worker *worker, const struct ptx_program *program, const struct ptx_insn *first,
			     const struct ptx_insn *last, uint64_t width)
{
	uint64_t *executed = worker->executed + program->counter_base, *lanes = worker->lanes + program->counter_base;
	const size_t from = (size_t)(first - program->code), to = (size_t)(last - program->code);
	executed[from]++;
	executed[to]--;
	lanes[from] += width;
	lanes[to] -= width;
}

/* Runs the loaded split from its index: to an event, to a block where others may be met (`many`: there are other splits), or
 * until `limit` instructions are done, looked at when it jumps. Sets split->index; returns the number executed. */
static inline __attribute__((always_inline)) uint64_t run(struct ptx_warp *warp, uint64_t limit, const int checks, const int many)
{
	struct ptx_split *const split = warp->split;
	const uint32_t mask = split->mask;
	const uint64_t width = population(mask);
	uint64_t executed = 0;
	int stops = many;
	for (;;) {
		const struct ptx_program *const program = warp->frame->program;
		const struct ptx_insn *const code = program->code, *insn = code + split->index, *const first = insn;
		const unsigned char *const registers = warp->file[PTX_FILE_REGISTERS];
		uint64_t *const lanes = warp->worker->lanes + program->counter_base;
		warp->event = PTX_EVENT_NONE;
		for (;;) {
			uint32_t active = mask, doubtful = 0;
			const unsigned flags = insn->flags;
			if (insn->guard >= 0) {
				active &= *(const uint32_t *)(const void *)(registers + insn->guard) ^ insn->guard_flip;
				if (checks) {
					doubtful = warp->undefined[(uint32_t)insn->guard / PTX_UNIT] & mask;
					if (__builtin_expect(doubtful != 0, 0) && flags & PTX_INSN_STRICT_GUARD) {
						stops |= undefined_guard(warp, insn, doubtful);
						doubtful = 0;
					}
				}
				if (active != mask) {
					const uint64_t out = active ? population(mask & ~active) : width;
					lanes[insn - code] -= out;
					lanes[insn - code + 1] += out;
				}
			}
			if (active) {
				if (checks && !(flags & PTX_INSN_OWN_DEFINEDNESS))
					follow_definedness(warp, insn, active);
				insn->execute(warp, insn, active);
			}
			if (checks && __builtin_expect(doubtful != 0, 0))
				for (unsigned i = 0; i < insn->dst_count; i++)
					ptx_make_undefined(warp, &insn->dst[i], doubtful);
			insn++;
			if (flags & PTX_INSN_CONTROL && warp->event != PTX_EVENT_NONE)
				break;
			/* the last lanes to leave a loop leave it by a branch that is not taken */
			if (stops && (flags & PTX_INSN_CONTROL || insn->flags & PTX_INSN_BLOCK_START)) {
				split->index = (int)(insn - code);
				break;
			}
		}
		executed += (uint64_t)(insn - first);
		count_run(warp->worker, program, first, insn, width); /* the frame may be gone by now, its program is not */
		if (stops || warp->event != PTX_EVENT_JUMPED || warp->split_count != 1 || executed >= limit)
			return executed;
		/* all lanes went the same way, perhaps into or out of a function */
		load(warp, split);
	}
}

static __attribute__((noinline)) uint64_t run_plain(struct ptx_warp *warp, uint64_t limit)
{
	return run(warp, limit, 0, 0);
}
static __attribute__((noinline)) uint64_t run_plain_many(struct ptx_warp *warp, uint64_t limit)
{
	return run(warp, limit, 0, 1);
}
static __attribute__((noinline)) uint64_t run_checked(struct ptx_warp *warp, uint64_t limit)
{
	return run(warp, limit, 1, 0);
}
static __attribute__((noinline)) uint64_t run_checked_many(struct ptx_warp *warp, uint64_t limit)
{
	return run(warp, limit, 1, 1);
}

/* ---- splits ---- */

struct ptx_split *ptx_detach(struct ptx_warp *warp, uint32_t lanes, int index)
{
	struct ptx_split *const split = warp->split, *const part = &warp->splits[warp->split_count++];
	*part = (struct ptx_split){.frame = split->frame, .mask = lanes, .index = index};
	split->mask &= ~lanes;
	split->ran = 0;
	split->frame->references++;
	return part;
}

void ptx_wait(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, uint32_t wanted)
{
	struct ptx_split *const split = warp->split;
	const int index = ptx_index(warp, insn);
	if (split->mask != active)
		ptx_detach(warp, split->mask & ~active, index + 1);
	split->index = index;
	split->state = PTX_SPLIT_WAITS;
	split->waiting_at = insn;
	split->wanted = wanted;
	ptx_signal(warp, PTX_EVENT_WAIT_LANES);
}

/* Where a split stands when seen from the frame `from`, which it is in or was called from: twice the rank, and one more in
 * the midst of a call. */
static uint64_t standing(const struct ptx_frame *frame, int index, const struct ptx_frame *from)
{
	if (frame == from)
		return 2ull * frame->program->rank[index];
	while (frame->caller != from) /* their common frame is above both */
		frame = frame->caller;
	return 2ull * from->program->rank[frame->return_index - 1] + 1;
}

static int precedes(const struct ptx_split *a, const struct ptx_split *b)
{
	const struct ptx_frame *f = a->frame, *g = b->frame;
	if (f == g)
		return f->program->rank[a->index] < g->program->rank[b->index];
	while (f != g) {
		if (f->depth >= g->depth)
			f = f->caller;
		else
			g = g->caller;
	}
	return standing(a->frame, a->index, f) < standing(b->frame, b->index, f);
}

static void remove_split(struct ptx_warp *warp, struct ptx_split *split)
{
	ptx_frame_release(ptx_place_of(warp), split->frame);
	*split = warp->splits[--warp->split_count];
}

/* The split to run next, joined by those that stand where it stands; NULL: all wait. */
static struct ptx_split *choose(struct ptx_warp *warp)
{
	struct ptx_split *best = NULL;
	int tired = 0;
	for (int i = 0; i < warp->split_count; i++) {
		struct ptx_split *const split = &warp->splits[i];
		if (split->state != PTX_SPLIT_RUNS)
			continue;
		if (split->tired)
			tired = 1;
		else if (!best || precedes(split, best))
			best = split;
	}
	if (!best && tired) {
		for (int i = 0; i < warp->split_count; i++) {
			struct ptx_split *const split = &warp->splits[i];
			if (split->state != PTX_SPLIT_RUNS)
				continue;
			split->tired = 0;
			if (!best || precedes(split, best))
				best = split;
		}
	}
	if (!best)
		return NULL;
	for (int i = warp->split_count - 1; i >= 0; i--) {
		struct ptx_split *const split = &warp->splits[i];
		if (split == best || split->frame != best->frame || split->index != best->index || split->state == PTX_SPLIT_AT_BARRIER)
			continue;
		best->mask |= split->mask;
		best->ran = 0;
		if (best == &warp->splits[warp->split_count - 1])
			best = split; /* where removing puts it */
		remove_split(warp, split);
	}
	return best;
}

void ptx_lanes_left(struct ptx_warp *warp)
{
	for (int i = 0; i < warp->split_count; i++)
		if (warp->splits[i].state == PTX_SPLIT_WAITS)
			warp->splits[i].state = PTX_SPLIT_RUNS;
	ptx_barriers_look(warp);
}

void ptx_warp_begin(struct ptx_warp *warp, struct ptx_frame *entry, uint32_t lanes)
{
	warp->live = lanes;
	warp->event = PTX_EVENT_NONE;
	entry->references = 1;
	warp->splits[0] = (struct ptx_split){.frame = entry, .mask = lanes};
	warp->split_count = 1;
	warp->pending_count = 0;
	load(warp, &warp->splits[0]);
}

enum ptx_turn ptx_warp_run(struct ptx_warp *warp, uint64_t slice)
{
	struct ptx_block_state *const block = warp->block;
	const uint32_t split_slice = block->launch->core->split_slice;
	uint64_t done = 0;
	while (warp->live) {
		struct ptx_split *split = warp->split_count == 1 && warp->splits[0].state == PTX_SPLIT_RUNS ? &warp->splits[0] : choose(warp);
		if (!split) {
			if (!ptx_unblock(warp))
				return PTX_TURN_BLOCKED;
			continue;
		}
		load(warp, split);
		if (warp->pending_count)
			ptx_region_leave(warp);
		uint64_t executed;
		if (warp->split_count == 1 && !warp->pending_count)
			executed = warp->checks ? run_checked(warp, slice - done) : run_plain(warp, slice - done);
		else
			executed = warp->checks ? run_checked_many(warp, slice) : run_plain_many(warp, slice);
		done += executed;
		block->executed += executed;
		split->ran += (uint32_t)executed;
		int yields = 0;
		switch (warp->event) {
		case PTX_EVENT_STOP:
			return PTX_TURN_STOPPED;
		case PTX_EVENT_EXIT:
			if (!split->mask)
				remove_split(warp, split);
			ptx_lanes_left(warp);
			break;
		case PTX_EVENT_YIELD:
			split->tired = 1;
			yields = 1;
			break;
		default:
			if (split->ran >= split_slice) {
				split->tired = 1;
				split->ran = 0;
			}
			break;
		}
		if (yields || done >= slice)
			return PTX_TURN_SLICE;
	}
	return PTX_TURN_ENDED;
}
