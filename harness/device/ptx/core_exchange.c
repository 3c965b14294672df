/* Exchange between the lanes of a warp (manual 9.7.9.6 and 9.7.13.7 to 9.7.13.11, PTX ISA 9.0): shfl, vote, match, redux,
 * activemask, elect. What moves, moves with its undefined bits. */
#include "device/ptx/core.h"

#include <math.h>
#include <string.h>

enum { OPTION_MODE, OPTION_SYNC, OPTION_NEGATED, OPTION_PAIR, OPTION_TYPE, OPTION_ABS, OPTION_NAN };
enum { SHFL_UP, SHFL_DOWN, SHFL_BFLY, SHFL_IDX };
enum { VOTE_ALL, VOTE_ANY, VOTE_UNI, VOTE_BALLOT };
enum { MATCH_ANY, MATCH_ALL };
enum { REDUX_ADD, REDUX_MIN, REDUX_MAX, REDUX_AND, REDUX_OR, REDUX_XOR };

/* All 32 lanes hold the same. */
static int all_alike(const uint32_t *values)
{
	uint32_t difference = 0;
	for (int lane = 0; lane < PTX_LANES; lane++)
		difference |= values[lane] ^ values[0];
	return !difference;
}

/* Lanes of `pending` that name the same members as `lane`. */
static uint32_t same_members(const struct ptx_slot *slot, const uint32_t *members, uint32_t pending, int lane)
{
	if (slot->file == PTX_FILE_CONSTANTS || all_alike(members))
		return pending;
	uint32_t same = 0;
	for (int i = 0; i < PTX_LANES; i++)
		same |= (uint32_t)(members[i] == members[lane]) << i;
	return same & pending;
}

/* Lanes that can go on now: those whose member mask holds nobody that is elsewhere. The others wait. 0: none. */
static uint32_t meet(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, const struct ptx_slot *slot)
{
	const uint32_t *const members = ptx_at(warp, slot);
	if (warp->checks && ptx_undefined(warp, slot) & active)
		ptx_find(warp, insn, ptx_first_lane(ptx_undefined(warp, slot) & active), PTX_FIND_UNDEFINED_OPERAND, 0,
			 "the member mask has a value that nobody wrote");
	if (warp->split->forced) { /* ptx_unblock: who is not here does not come */
		warp->split->forced = 0;
		return active;
	}
	uint32_t ready = 0, wanted = 0;
	for (uint32_t pending = active; pending;) {
		const int leader = ptx_first_lane(pending);
		const uint32_t mask = members[leader], group = same_members(slot, members, pending, leader);
		pending &= ~group;
		if (group & ~mask)
			ptx_note(warp, insn, ptx_first_lane(group & ~mask), PTX_FIND_INVALID, 0, "the lane is not in its member mask 0x%08x", mask);
		const uint32_t missing = mask & warp->live & ~group;
		if (missing & active) /* they are here and will not come again */
			ptx_note(warp, insn, ptx_first_lane(missing & active), PTX_FIND_INVALID, 0,
				 "lanes that name each other have different member masks (0x%08x and 0x%08x)", mask,
				 members[ptx_first_lane(missing & active)]);
		if (missing & ~active)
			wanted |= mask;
		else
			ready |= group;
	}
	if (ready == active)
		return ready;
	if (!ready) {
		ptx_wait(warp, insn, active, wanted & warp->live);
		return 0;
	}
	/* some go on; the others wait in a split of their own */
	struct ptx_split *const part = ptx_detach(warp, active & ~ready, ptx_index(warp, insn));
	part->state = PTX_SPLIT_WAITS;
	part->waiting_at = insn;
	part->wanted = wanted & warp->live;
	warp->split->index = ptx_index(warp, insn) + 1;
	ptx_signal(warp, PTX_EVENT_JUMPED);
	return ready;
}

/* The lanes with which `lane` executes: of those that are ready, the ones with its member mask. */
static uint32_t company(const struct ptx_insn *insn, const struct ptx_slot *slot, const uint32_t *members, uint32_t ready, int lane)
{
	if (!insn->option[OPTION_SYNC])
		return ready;
	return same_members(slot, members, ready & members[lane], lane);
}

static inline void set_lanes(uint32_t *predicate, uint32_t lanes, uint32_t values)
{
	*predicate = (*predicate & ~lanes) | (values & lanes);
}

/* ---- shfl ---- */

/* Where each lane's value comes from; lanes whose source lies in their segment. */
static uint32_t shuffle_sources(int mode, const uint32_t *b, const uint32_t *c, uint32_t *from)
{
	uint32_t inside = 0;
	for (int lane = 0; lane < PTX_LANES; lane++) {
		const int offset = (int)(b[lane] & 31), clamp = (int)(c[lane] & 31), segment = (int)(c[lane] >> 8 & 31);
		const int highest = (lane & segment) | (clamp & ~segment);
		const int source = mode == SHFL_UP ? lane - offset : mode == SHFL_DOWN ? lane + offset : mode == SHFL_BFLY ? lane ^ offset
				 : ((lane & segment) | (offset & ~segment));
		const int within = mode == SHFL_UP ? source >= highest : source <= highest;
		from[lane] = (uint32_t)(within ? source : lane) & 31;
		inside |= (uint32_t)within << lane;
	}
	return inside;
}

/* Shuffles by constants, as most are. */
struct pattern { uint32_t from[PTX_LANES], inside; };

static void shuffle_definedness(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, const uint32_t *from)
{
	const uint32_t here = ptx_undefined(warp, &insn->src[0]);
	const uint32_t unknown = ptx_undefined(warp, &insn->src[1]) | ptx_undefined(warp, &insn->src[2]);
	const uint32_t *const members = insn->option[OPTION_SYNC] ? ptx_src32(warp, insn, 3) : NULL;
	const uint32_t *const shadow = insn->src[0].file == PTX_FILE_REGISTERS ? ptx_shadow_at(warp, &insn->src[0]) : NULL;
	const int whole = active == ~0u && (!members || (members[0] == ~0u && (insn->src[3].file == PTX_FILE_CONSTANTS || all_alike(members))));
	uint32_t undefined = unknown & active, bits[PTX_LANES];
	if (here || unknown || !whole)
		for (uint32_t rest = active; rest; rest &= rest - 1) {
			const int lane = ptx_first_lane(rest), source = (int)from[lane];
			bits[lane] = 0xffffffffu;
			if (unknown >> lane & 1)
				continue;
			if (!whole && !(company(insn, &insn->src[3], members, active, lane) >> source & 1)) {
				undefined |= 1u << lane; /* the value of a lane that takes no part */
			} else if (here >> source & 1) {
				undefined |= 1u << lane;
				bits[lane] = shadow[source];
			}
		}
	ptx_set_undefined(warp, &insn->dst[0], active, undefined);
	if (undefined) {
		uint32_t *const to_shadow = ptx_shadow_at(warp, &insn->dst[0]);
		for (uint32_t rest = undefined; rest; rest &= rest - 1)
			to_shadow[ptx_first_lane(rest)] = bits[ptx_first_lane(rest)];
	}
	if (insn->option[OPTION_PAIR])
		ptx_set_undefined(warp, &insn->dst[1], active, unknown);
}

static void execute_shfl(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	/* sources: a, b, c, members */
	if (insn->option[OPTION_SYNC] && !(active = meet(warp, insn, active, &insn->src[3])))
		return;
	const uint32_t *const a = ptx_src32(warp, insn, 0);
	const struct pattern *const pattern = insn->extra;
	uint32_t *const to = ptx_dst32(warp, insn, 0);
	uint32_t value[PTX_LANES], own[PTX_LANES], inside;
	const uint32_t *from = own;
	if (pattern) {
		from = pattern->from;
		inside = pattern->inside;
	} else {
		inside = shuffle_sources(insn->option[OPTION_MODE], ptx_src32(warp, insn, 1), ptx_src32(warp, insn, 2), own);
	}
	for (int lane = 0; lane < PTX_LANES; lane++)
		value[lane] = a[from[lane]];
	if (warp->checks)
		shuffle_definedness(warp, insn, active, from);
	if (insn->option[OPTION_PAIR])
		set_lanes(ptx_dst32(warp, insn, 1), active, inside);
	if (active == ~0u) {
		memcpy(to, value, sizeof value);
		return;
	}
	for (int lane = 0; lane < PTX_LANES; lane++)
		to[lane] = active >> lane & 1 ? value[lane] : to[lane];
}

/* ---- vote ---- */

static void execute_vote(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	/* sources: predicate, members */
	if (insn->option[OPTION_SYNC] && !(active = meet(warp, insn, active, &insn->src[1])))
		return;
	uint32_t values = *ptx_src32(warp, insn, 0);
	if (insn->option[OPTION_NEGATED])
		values = ~values;
	const uint32_t unknown = warp->checks ? ptx_undefined(warp, &insn->src[0]) : 0;
	const uint32_t *const members = insn->option[OPTION_SYNC] ? ptx_src32(warp, insn, 1) : NULL;
	const int mode = insn->option[OPTION_MODE];
	for (uint32_t pending = active; pending;) {
		const uint32_t lanes = pending & company(insn, &insn->src[1], members, active, ptx_first_lane(pending));
		const uint32_t group = lanes ? lanes : pending & -pending; /* a lane that does not name itself */
		pending &= ~group;
		const uint32_t yes = values & group & ~unknown, no = ~values & group & ~unknown, open = unknown & group;
		if (mode == VOTE_BALLOT) {
			uint32_t *const to = ptx_dst32(warp, insn, 0);
			for (int lane = 0; lane < PTX_LANES; lane++)
				to[lane] = group >> lane & 1 ? values & group : to[lane];
			if (warp->checks) {
				ptx_set_undefined(warp, &insn->dst[0], group, open ? group : 0);
				uint32_t *const shadow = ptx_shadow_at(warp, &insn->dst[0]);
				for (uint32_t rest = open ? group : 0; rest; rest &= rest - 1)
					shadow[ptx_first_lane(rest)] = open;
			}
			continue;
		}
		const int result = mode == VOTE_ALL ? !(~values & group) : mode == VOTE_ANY ? (values & group) != 0
				 : !(~values & group) || !(values & group);
		set_lanes(ptx_dst32(warp, insn, 0), group, result ? group : 0);
		if (warp->checks) {
			const int decided = !open || (mode == VOTE_ALL ? no != 0 : mode == VOTE_ANY ? yes != 0 : yes && no);
			ptx_set_undefined(warp, &insn->dst[0], group, decided ? 0 : group);
		}
	}
}

/* ---- match ---- */

static uint64_t element(const struct ptx_warp *warp, const struct ptx_slot *slot, int lane)
{
	return slot->lane_bytes == 8 ? ((const uint64_t *)ptx_at(warp, slot))[lane] : ((const uint32_t *)ptx_at(warp, slot))[lane];
}

static void execute_match(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	/* sources: value, members */
	if (!(active = meet(warp, insn, active, &insn->src[1])))
		return;
	const uint32_t *const members = ptx_src32(warp, insn, 1);
	uint32_t *const to = ptx_dst32(warp, insn, 0);
	uint64_t value[PTX_LANES];
	for (int lane = 0; lane < PTX_LANES; lane++)
		value[lane] = element(warp, &insn->src[0], lane);
	const uint32_t unknown = warp->checks ? ptx_undefined(warp, &insn->src[0]) : 0;
	uint32_t undefined = 0, all = 0;
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int lane = ptx_first_lane(rest);
		const uint32_t group = company(insn, &insn->src[1], members, active, lane) | 1u << lane;
		uint32_t same = 0;
		for (uint32_t others = group; others; others &= others - 1)
			if (value[ptx_first_lane(others)] == value[lane])
				same |= 1u << ptx_first_lane(others);
		if (group & unknown)
			undefined |= 1u << lane;
		if (insn->option[OPTION_MODE] == MATCH_ANY) {
			to[lane] = same;
		} else {
			to[lane] = same == group ? group : 0;
			all |= (uint32_t)(same == group) << lane;
		}
	}
	if (insn->option[OPTION_PAIR])
		set_lanes(ptx_dst32(warp, insn, 1), active, all);
	if (warp->checks)
		for (unsigned i = 0; i < insn->dst_count; i++) {
			ptx_set_undefined(warp, &insn->dst[i], active, 0);
			ptx_make_undefined(warp, &insn->dst[i], undefined);
		}
}

/* ---- redux ---- */

static float as_float(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

/* min and max of f32 (manual 9.7.13.10): a NaN is passed over, or with .NaN gives the canonical NaN; -0 lies below +0. */
static uint32_t redux_f32(const struct ptx_insn *insn, uint32_t sum, uint32_t value)
{
	const float a = as_float(sum), b = as_float(value);
	if (isnan(a) || isnan(b)) {
		if (insn->option[OPTION_NAN] || (isnan(a) && isnan(b)))
			return 0x7fffffffu;
		return isnan(a) ? value : sum;
	}
	const int second_lower = b < a || (b == a && value >> 31 > sum >> 31);
	return second_lower == (insn->option[OPTION_MODE] == REDUX_MIN) ? value : sum;
}

static uint32_t redux_step(const struct ptx_insn *insn, uint32_t sum, uint32_t value)
{
	if (insn->option[OPTION_TYPE] == PTX_F32)
		return redux_f32(insn, sum, value);
	const int is_signed = insn->option[OPTION_TYPE] == PTX_S32;
	const int lower = is_signed ? (int32_t)value < (int32_t)sum : value < sum;
	switch (insn->option[OPTION_MODE]) {
	case REDUX_ADD: return sum + value;
	case REDUX_MIN: return lower ? value : sum;
	case REDUX_MAX: return lower ? sum : value;
	case REDUX_AND: return sum & value;
	case REDUX_OR: return sum | value;
	default: return sum ^ value;
	}
}

static void execute_redux(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	/* sources: value, members */
	if (!(active = meet(warp, insn, active, &insn->src[1])))
		return;
	const uint32_t *const members = ptx_src32(warp, insn, 1);
	uint32_t *const to = ptx_dst32(warp, insn, 0), value[PTX_LANES];
	memcpy(value, ptx_src32(warp, insn, 0), sizeof value);
	const uint32_t unknown = warp->checks ? ptx_undefined(warp, &insn->src[0]) : 0;
	if (insn->option[OPTION_ABS])
		for (int lane = 0; lane < PTX_LANES; lane++)
			value[lane] &= 0x7fffffffu;
	uint32_t undefined = 0;
	for (uint32_t pending = active; pending;) {
		const int leader = ptx_first_lane(pending);
		const uint32_t group = (company(insn, &insn->src[1], members, active, leader) & pending) | 1u << leader;
		pending &= ~group;
		uint32_t sum = value[leader];
		if (insn->option[OPTION_TYPE] == PTX_F32 && isnan(as_float(sum)))
			sum = 0x7fffffffu;
		for (uint32_t rest = group & (group - 1); rest; rest &= rest - 1)
			sum = redux_step(insn, sum, value[ptx_first_lane(rest)]);
		for (uint32_t rest = group; rest; rest &= rest - 1)
			to[ptx_first_lane(rest)] = sum;
		if (group & unknown)
			undefined |= group;
	}
	if (warp->checks) {
		ptx_set_undefined(warp, &insn->dst[0], active, 0);
		ptx_make_undefined(warp, &insn->dst[0], undefined);
	}
}

/* ---- activemask, elect ---- */

static void execute_activemask(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	uint32_t *const to = ptx_dst32(warp, insn, 0);
	for (uint32_t rest = active; rest; rest &= rest - 1)
		to[ptx_first_lane(rest)] = active;
}

/* The lowest lane of each member mask is elected: which one is up to the implementation, as long as it is always the same. */
static void execute_elect(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	if (!(active = meet(warp, insn, active, &insn->src[0])))
		return;
	const uint32_t *const members = ptx_src32(warp, insn, 0);
	uint32_t *const to = ptx_dst32(warp, insn, 0), elected = 0;
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int lane = ptx_first_lane(rest);
		const int leader = ptx_first_lane(company(insn, &insn->src[0], members, active, lane) | 1u << lane);
		to[lane] = (uint32_t)leader;
		elected |= (uint32_t)(leader == lane) << lane;
	}
	if (insn->option[OPTION_PAIR])
		set_lanes(ptx_dst32(warp, insn, 1), active, elected);
	if (warp->checks)
		for (unsigned i = 0; i < insn->dst_count; i++)
			ptx_set_undefined(warp, &insn->dst[i], active, 0);
}

/* ---- lowering ---- */

/* d or d|p. */
static int destinations(struct ptx_lowering *lowering, struct ptx_insn *insn, struct ptx_slot *dst, enum ptx_type type)
{
	const struct ptx_operand *const operand = ptx_operand(lowering, 0);
	if (operand->kind != PTX_OPERAND_PAIR)
		return ptx_destination(lowering, operand, type, 0, &dst[0]);
	if (operand->count != 2)
		return ptx_malformed(lowering, "a pair d|p expected");
	insn->option[OPTION_PAIR] = 1;
	return ptx_destination(lowering, ptx_element(lowering, operand, 0), type, 0, &dst[0]) ||
	       ptx_destination(lowering, ptx_element(lowering, operand, 1), PTX_PRED, 0, &dst[1]) ? -1 : 0;
}

static int destination_count(const struct ptx_lowering *lowering)
{
	return ptx_operand(lowering, 0)->kind == PTX_OPERAND_PAIR ? 2 : 1;
}

static int lower_shfl(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	const int sync = insn->option[OPTION_SYNC];
	if (instruction->operand_count != 4 + sync)
		return ptx_malformed(lowering, "%d operands expected", 4 + sync);
	if (ptx_nth_type(instruction, 0) != PTX_B32)
		return ptx_unsupported(lowering, "shuffles of another type than .b32");
	const int up = ptx_has(instruction, PTX_MOD_up), down = ptx_has(instruction, PTX_MOD_down), bfly = ptx_has(instruction, PTX_MOD_bfly);
	if (up + down + bfly + ptx_has(instruction, PTX_MOD_idx) != 1)
		return ptx_malformed(lowering, "a shuffle is one of .up, .down, .bfly, .idx");
	insn->option[OPTION_MODE] = up ? SHFL_UP : down ? SHFL_DOWN : bfly ? SHFL_BFLY : SHFL_IDX;
	insn->execute = execute_shfl;
	struct ptx_slot *dst, *src;
	if (ptx_slots(lowering, insn, destination_count(lowering), 3 + sync, &dst, &src) || destinations(lowering, insn, dst, PTX_B32))
		return -1;
	for (int i = 0; i < 3 + sync; i++)
		if (ptx_source(lowering, ptx_operand(lowering, 1 + i), PTX_B32, 0, NULL, &src[i]))
			return -1;
	const struct ptx_operand *const b = ptx_operand(lowering, 2), *const c = ptx_operand(lowering, 3);
	if (b->kind == PTX_OPERAND_INTEGER && c->kind == PTX_OPERAND_INTEGER) {
		struct pattern *const pattern = ptx_lowering_alloc(lowering, sizeof *pattern);
		uint32_t offsets[PTX_LANES], segments[PTX_LANES];
		if (!pattern)
			return -1;
		for (int lane = 0; lane < PTX_LANES; lane++) {
			offsets[lane] = (uint32_t)b->integer;
			segments[lane] = (uint32_t)c->integer;
		}
		pattern->inside = shuffle_sources(insn->option[OPTION_MODE], offsets, segments, pattern->from);
		insn->extra = pattern;
	}
	return 0;
}

static int lower_vote(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	const int sync = insn->option[OPTION_SYNC], ballot = ptx_has(instruction, PTX_MOD_ballot);
	const int all = ptx_has(instruction, PTX_MOD_all), any = ptx_has(instruction, PTX_MOD_any);
	if (instruction->operand_count != 2 + sync)
		return ptx_malformed(lowering, "%d operands expected", 2 + sync);
	if (all + any + ballot + ptx_has(instruction, PTX_MOD_uni) != 1)
		return ptx_malformed(lowering, "a vote is one of .all, .any, .uni, .ballot");
	insn->option[OPTION_MODE] = all ? VOTE_ALL : any ? VOTE_ANY : ballot ? VOTE_BALLOT : VOTE_UNI;
	insn->execute = execute_vote;
	struct ptx_slot *dst, *src;
	int negated = 0;
	if (ptx_slots(lowering, insn, 1, 1 + sync, &dst, &src) ||
	    ptx_destination(lowering, ptx_operand(lowering, 0), ballot ? PTX_B32 : PTX_PRED, 0, &dst[0]) ||
	    ptx_source(lowering, ptx_operand(lowering, 1), PTX_PRED, 0, &negated, &src[0]) ||
	    (sync && ptx_source(lowering, ptx_operand(lowering, 2), PTX_B32, 0, NULL, &src[1])))
		return -1;
	insn->option[OPTION_NEGATED] = (uint8_t)negated;
	return 0;
}

static int lower_match(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	const enum ptx_type type = ptx_nth_type(instruction, 0);
	const int all = ptx_has(instruction, PTX_MOD_all);
	if (instruction->operand_count != 3 || (type != PTX_B32 && type != PTX_B64) || all + ptx_has(instruction, PTX_MOD_any) != 1)
		return ptx_malformed(lowering, "match.any or match.all of .b32 or .b64 with three operands expected");
	insn->option[OPTION_MODE] = all ? MATCH_ALL : MATCH_ANY;
	insn->execute = execute_match;
	struct ptx_slot *dst, *src;
	return ptx_slots(lowering, insn, destination_count(lowering), 2, &dst, &src) || destinations(lowering, insn, dst, PTX_B32) ||
	       ptx_source(lowering, ptx_operand(lowering, 1), type, 0, NULL, &src[0]) ||
	       ptx_source(lowering, ptx_operand(lowering, 2), PTX_B32, 0, NULL, &src[1]) ? -1 : 0;
}

static int lower_redux(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	static const struct { enum ptx_modifier modifier; int mode; } operations[] = {
		{PTX_MOD_add, REDUX_ADD}, {PTX_MOD_min, REDUX_MIN}, {PTX_MOD_max, REDUX_MAX},
		{PTX_MOD_and, REDUX_AND}, {PTX_MOD_or, REDUX_OR}, {PTX_MOD_xor, REDUX_XOR},
	};
	const enum ptx_type type = ptx_nth_type(instruction, 0);
	int mode = -1;
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if (ptx_has(instruction, operations[i].modifier))
			mode = operations[i].mode;
	const int extreme = mode == REDUX_MIN || mode == REDUX_MAX, bitwise = mode == REDUX_AND || mode == REDUX_OR || mode == REDUX_XOR;
	if (instruction->operand_count != 3 || mode < 0)
		return ptx_malformed(lowering, "an operation and three operands expected");
	if (!(bitwise ? type == PTX_B32 : type == PTX_S32 || type == PTX_U32 || (extreme && type == PTX_F32)))
		return ptx_unsupported(lowering, "this operation on this type");
	insn->option[OPTION_MODE] = (uint8_t)mode;
	insn->option[OPTION_TYPE] = (uint8_t)type;
	insn->option[OPTION_ABS] = type == PTX_F32 && ptx_has(instruction, PTX_MOD_abs);
	insn->option[OPTION_NAN] = type == PTX_F32 && ptx_has(instruction, PTX_MOD_NaN);
	insn->execute = execute_redux;
	struct ptx_slot *dst, *src;
	return ptx_slots(lowering, insn, 1, 2, &dst, &src) || ptx_destination(lowering, ptx_operand(lowering, 0), type, 0, &dst[0]) ||
	       ptx_source(lowering, ptx_operand(lowering, 1), type, 0, NULL, &src[0]) ||
	       ptx_source(lowering, ptx_operand(lowering, 2), PTX_B32, 0, NULL, &src[1]) ? -1 : 0;
}

int ptx_lower_exchange(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	struct ptx_slot *dst, *src;
	insn->class = PTX_CLASS_EXCHANGE;
	insn->flags |= PTX_INSN_CONTROL | PTX_INSN_STRICT_GUARD | PTX_INSN_OWN_DEFINEDNESS;
	insn->option[OPTION_SYNC] = (uint8_t)ptx_has(instruction, PTX_MOD_sync);
	switch (instruction->opcode) {
	case PTX_OP_shfl:
		return lower_shfl(lowering, insn);
	case PTX_OP_vote:
		return lower_vote(lowering, insn);
	case PTX_OP_activemask:
		insn->flags &= (uint8_t)~(PTX_INSN_CONTROL | PTX_INSN_OWN_DEFINEDNESS);
		insn->execute = execute_activemask;
		if (instruction->operand_count != 1)
			return ptx_malformed(lowering, "one operand expected");
		return ptx_slots(lowering, insn, 1, 0, &dst, &src) || ptx_destination(lowering, ptx_operand(lowering, 0), PTX_B32, 0, &dst[0]) ? -1 : 0;
	default:
		break;
	}
	if (!insn->option[OPTION_SYNC])
		return ptx_malformed(lowering, ".sync expected");
	switch (instruction->opcode) {
	case PTX_OP_match:
		return lower_match(lowering, insn);
	case PTX_OP_redux:
		return lower_redux(lowering, insn);
	default: /* elect.sync d|p, members */
		insn->execute = execute_elect;
		if (instruction->operand_count != 2)
			return ptx_malformed(lowering, "two operands expected");
		return ptx_slots(lowering, insn, destination_count(lowering), 1, &dst, &src) || destinations(lowering, insn, dst, PTX_B32) ||
		       ptx_source(lowering, ptx_operand(lowering, 1), PTX_B32, 0, NULL, &src[0]) ? -1 : 0;
	}
}
