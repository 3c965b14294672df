/* cp.async (manual 9.7.9.25): copies from global to shared memory that land when they are waited for.
 *
 * Between issue and wait the destination counts as undefined, so that a missing wait shows as a value nobody wrote. Groups belong
 * to threads: each lane counts those it committed, and a copy remembers the number of the group it will be in. */
#include "device/ptx/async.h"
#include "device/ptx/memory_private.h"

#include <stdlib.h>

enum {
	OPTION_OPERATION = OPTION_A,
	OPTION_SIZE_KIND = OPTION_B, /* of the fourth operand */
	OPTION_SOURCE = OPTION_C,  /* index of the source address in src; the destination's is 0 */
	OPTION_SOURCE_BASE = OPTION_D, /* enum access_base */
	COPIES_MAX = 4096          /* of one warp in flight; a GPU lands them as it likes, so landing early is no fault */
};
enum { SIZE_FULL, SIZE_BYTES, SIZE_IGNORE };

struct copy {
	const struct ptx_insn *insn;
	uint32_t lanes, group;
	unsigned bytes;
	uint8_t from_source[PTX_LANES]; /* bytes; the rest is zero */
	uint32_t to[PTX_LANES];
	uint64_t from[PTX_LANES];
};

struct ptx_async {
	uint32_t committed[PTX_LANES]; /* groups */
	struct copy *copies;
	int count, room;
};

void ptx_async_reset(struct ptx_warp *warp)
{
	if (!warp->async)
		return;
	memset(warp->async->committed, 0, sizeof warp->async->committed);
	warp->async->count = 0;
}

void ptx_async_destroy(struct ptx_warp *warp)
{
	if (!warp->async)
		return;
	free(warp->async->copies);
	free(warp->async);
	warp->async = NULL;
}

/* The warp's copies with room for one more; NULL: no memory. */
static struct ptx_async *async_of(struct ptx_warp *warp)
{
	if (!warp->async && !(warp->async = calloc(1, sizeof *warp->async)))
		return NULL;
	struct ptx_async *async = warp->async;
	if (async->count == async->room && async->room < COPIES_MAX) {
		const int room = async->room ? 2 * async->room : 16;
		struct copy *copies = realloc(async->copies, (size_t)room * sizeof *copies);
		if (!copies)
			return async->room ? async : NULL;
		async->copies = copies;
		async->room = room;
	}
	return async;
}

static void land(struct ptx_warp *warp, const struct copy *copy, uint32_t lanes)
{
	struct ptx_shared_shadow *shadow = warp->checks ? warp->block->shared_shadow : NULL;
	const struct ptx_buffer *buffer = NULL;
	for (uint32_t rest = lanes; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		const unsigned count = copy->from_source[lane];
		unsigned char *to = warp->block->shared + copy->to[lane];
		if (count == copy->bytes && count == 16)
			memcpy(to, (const unsigned char *)(uintptr_t)copy->from[lane], 16);
		else {
			if (count) /* else the source may be anything */
				memcpy(to, (const unsigned char *)(uintptr_t)copy->from[lane], count);
			memset(to + count, 0, copy->bytes - count);
		}
		if (!shadow)
			continue;
		uint8_t *bits = shadow->undefined + copy->to[lane];
		memset(bits, 0, copy->bytes);
		if (count == 0)
			continue;
		if (!buffer || !ptx_buffer_holds(buffer, copy->from[lane], count))
			buffer = ptx_memory_find(warp->block->memory, copy->from[lane]);
		if (buffer && !ptx_buffer_is_defined(buffer, copy->from[lane], count))
			ptx_buffer_undefined(buffer, copy->from[lane], count, bits);
	}
	if (shadow && shadow->races) {
		struct ptx_access access;
		ptx_access_begin(&access, warp, copy->insn, ACCESS_WRITE);
		access.space = PTX_SPACE_SHARED;
		access.lanes = lanes;
		access.bytes = copy->bytes;
		access.consecutive = access.uniform = 0;
		for (int l = 0; l < PTX_LANES; l++)
			access.address[l] = copy->to[l];
		ptx_race_check(&access);
	}
}

void ptx_async_land(struct ptx_warp *warp, uint32_t active, uint32_t pending)
{
	struct ptx_async *async = warp->async;
	int kept = 0;
	if (!async)
		return;
	for (int i = 0; i < async->count; i++) {
		struct copy *copy = &async->copies[i];
		uint32_t done = 0;
		for (uint32_t rest = copy->lanes & active; rest; rest &= rest - 1) {
			const int lane = __builtin_ctz(rest);
			/* groups are numbered from 0; those below committed - pending are waited for */
			if (pending == PTX_ASYNC_ALL || (uint64_t)copy->group + pending < async->committed[lane])
				done |= 1u << lane;
		}
		if (done)
			land(warp, copy, done);
		copy->lanes &= ~done;
		if (copy->lanes) {
			if (kept != i)
				async->copies[kept] = *copy;
			kept++;
		}
	}
	async->count = kept;
}

static void execute_copy(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_access to, from;
	const unsigned bytes = insn->option[OPTION_WIDTH];
	uint8_t wanted[PTX_LANES];
	ptx_access_begin(&to, warp, insn, ACCESS_WRITE);
	ptx_access_begin(&from, warp, insn, ACCESS_READ);
	if (ptx_access_address(&to, active, 0) ||
	    ptx_access_address_at(&from, active, insn->option[OPTION_SOURCE], (enum access_base)insn->option[OPTION_SOURCE_BASE],
				  *(const int64_t *)insn->extra))
		return;
	to.space = PTX_SPACE_SHARED;
	from.space = PTX_SPACE_GLOBAL;

	/* how much comes from the source */
	uint32_t whole = active, part = 0;
	memset(wanted, (int)bytes, sizeof wanted);
	if (insn->option[OPTION_SIZE_KIND] != SIZE_FULL) {
		const struct ptx_slot *slot = &insn->src[insn->src_count - 1];
		const uint32_t undefined = warp->checks ? ptx_undefined(warp, slot) & active : 0;
		if (undefined)
			ptx_find(warp, insn, __builtin_ctz(undefined), PTX_FIND_UNDEFINED_OPERAND, 0,
				 "how many bytes are copied depends on a value that nothing wrote");
		if (warp->event == PTX_EVENT_STOP)
			return;
		const uint32_t *values = ptx_at(warp, slot);
		if (insn->option[OPTION_SIZE_KIND] == SIZE_IGNORE) {
			whole = active & ~(*values ^ (insn->option[OPTION_E] ? UINT32_MAX : 0));
			for (int l = 0; l < PTX_LANES; l++)
				wanted[l] = whole >> l & 1 ? (uint8_t)bytes : 0;
		} else {
			for (uint32_t rest = active; rest; rest &= rest - 1) {
				const int lane = __builtin_ctz(rest);
				if (values[lane] > bytes)
					ptx_find(warp, insn, lane, PTX_FIND_INVALID, 0, "a source size of %u bytes for a copy of %u", values[lane], bytes);
				if (values[lane] >= bytes)
					continue;
				wanted[lane] = (uint8_t)values[lane];
				whole &= ~(1u << lane);
				if (values[lane])
					part |= 1u << lane;
			}
			if (warp->event == PTX_EVENT_STOP)
				return;
		}
	}
	to.lanes = active;
	if (ptx_access_resolve(&to))
		return;
	if (whole) {
		from.lanes = whole;
		if (ptx_access_resolve(&from))
			return;
		if (warp->checks)
			ptx_access_count(&from);
	}
	for (uint32_t rest = part; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		from.lanes = 1u << lane;
		from.bytes = wanted[lane];
		if (ptx_access_resolve(&from))
			return;
		if (warp->checks)
			ptx_access_count(&from);
	}
	if (warp->checks) {
		ptx_access_count(&to);
		if (warp->block->shared_shadow)
			for (uint32_t rest = active; rest; rest &= rest - 1)
				memset(warp->block->shared_shadow->undefined + to.address[__builtin_ctz(rest)], 0xff, bytes);
	}

	struct ptx_async *async = async_of(warp);
	if (async && async->count == async->room) /* full: land what was issued first */
		ptx_async_land(warp, UINT32_MAX, PTX_ASYNC_ALL);
	for (uint32_t rest = active; rest;) {
		/* lanes that committed differently often are in groups of different numbers */
		struct copy copy = {.insn = insn, .bytes = bytes, .group = async ? async->committed[__builtin_ctz(rest)] : 0};
		for (int l = 0; l < PTX_LANES; l++) {
			if (!(rest >> l & 1) || (async && async->committed[l] != copy.group))
				continue;
			copy.lanes |= 1u << l;
			copy.from_source[l] = wanted[l];
			copy.to[l] = (uint32_t)to.address[l];
			copy.from[l] = from.address[l];
		}
		rest &= ~copy.lanes;
		if (async && async->count < async->room)
			async->copies[async->count++] = copy;
		else
			land(warp, &copy, copy.lanes);
	}
}

static void execute_commit(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	(void)insn;
	const struct ptx_async *async = async_of(warp);
	for (uint32_t rest = active; async && rest; rest &= rest - 1)
		warp->async->committed[__builtin_ctz(rest)]++;
}

static void execute_wait(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	ptx_async_land(warp, active, insn->immediate < 0 ? PTX_ASYNC_ALL : (uint32_t)insn->immediate);
}

/* ---- lowering ---- */

static int lower_copy(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	int shared = 0, global = 0, ca = 0, cg = 0, hint = 0;
	for (int i = 0; i < instruction->modifier_count; i++)
		switch (instruction->modifiers[i]) {
		case PTX_MOD_async: break;
		case PTX_MOD_ca: ca = 1; break;
		case PTX_MOD_cg: cg = 1; break;
		case PTX_MOD_shared: case PTX_MOD_shared__cta: shared = 1; break;
		case PTX_MOD_global: global = 1; break;
		case PTX_MOD_L2__cache_hint: hint = 1; break;
		case PTX_MOD_L2__64B: case PTX_MOD_L2__128B: case PTX_MOD_L2__256B: break;
		default: return ptx_unsupported(lowering, "this form of cp.async is not executed");
		}
	const int operands = instruction->operand_count - hint;
	if (!shared || !global || ca == cg || (operands != 3 && operands != 4))
		return ptx_malformed(lowering, "cp.async takes .ca or .cg, .shared, .global, two addresses and a size");
	int64_t bytes = 0;
	if (ptx_constant_integer(lowering, ptx_operand(lowering, 2), &bytes))
		return -1;
	if (bytes != 16 && (cg || (bytes != 4 && bytes != 8)))
		return ptx_malformed(lowering, "copies of %lld bytes do not exist", (long long)bytes);
	const struct ptx_operand *to = ptx_operand(lowering, 0), *from = ptx_operand(lowering, 1);
	const int to_register = to->kind == PTX_OPERAND_ADDRESS && to->reg >= 0, from_register = from->kind == PTX_OPERAND_ADDRESS && from->reg >= 0;
	insn->option[OPTION_SPACE] = PTX_SPACE_GLOBAL;
	insn->option[OPTION_WIDTH] = (uint8_t)bytes;
	insn->option[OPTION_ELEMENTS] = 1;
	int64_t *offset = ptx_lowering_alloc(lowering, sizeof *offset);
	if (!offset || ptx_operands(lowering, insn, 0, to_register + from_register + (operands == 4)) ||
	    ptx_lower_address(lowering, insn, from, PTX_SPACE_GLOBAL, to_register))
		return -1;
	*offset = insn->immediate;
	insn->extra = offset;
	insn->option[OPTION_SOURCE_BASE] = insn->option[OPTION_BASE];
	insn->option[OPTION_SOURCE] = (uint8_t)to_register;
	if (ptx_lower_address(lowering, insn, to, PTX_SPACE_SHARED, 0))
		return -1;
	if (operands == 4) {
		const struct ptx_operand *size = ptx_operand(lowering, 3);
		const int last = to_register + from_register;
		const int predicate = size->kind == PTX_OPERAND_REGISTER && lowering->function->registers[size->reg].type == PTX_PRED;
		int negated = 0;
		if (ptx_source(lowering, size, predicate ? PTX_PRED : PTX_U32, 0, predicate ? &negated : NULL, ptx_memory_slot(insn->src, last)))
			return -1;
		insn->option[OPTION_SIZE_KIND] = predicate ? SIZE_IGNORE : SIZE_BYTES;
		insn->option[OPTION_E] = (uint8_t)negated;
	}
	insn->class = PTX_CLASS_GLOBAL;
	insn->flags |= PTX_INSN_OWN_DEFINEDNESS | PTX_INSN_STRICT_GUARD;
	insn->execute = execute_copy;
	return 0;
}

int ptx_lower_async(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	if (ptx_has(instruction, PTX_MOD_bulk) || ptx_has(instruction, PTX_MOD_tensor))
		return ptx_lower_bulk(lowering, insn);
	if (!ptx_has(instruction, PTX_MOD_async))
		return ptx_unsupported(lowering, "not executed");
	if (ptx_has(instruction, PTX_MOD_mbarrier))
		return ptx_lower_async_arrive(lowering, insn);
	insn->class = PTX_CLASS_OTHER;
	if (instruction->modifier_count == 2 && ptx_has(instruction, PTX_MOD_commit_group)) {
		insn->execute = execute_commit;
		return ptx_operands(lowering, insn, 0, 0);
	}
	if (instruction->modifier_count == 2 && ptx_has(instruction, PTX_MOD_wait_all)) {
		insn->immediate = -1;
		insn->execute = execute_wait;
		return ptx_operands(lowering, insn, 0, 0);
	}
	if (instruction->modifier_count == 2 && ptx_has(instruction, PTX_MOD_wait_group)) {
		int64_t pending = 0;
		if (instruction->operand_count != 1 || ptx_constant_integer(lowering, ptx_operand(lowering, 0), &pending))
			return ptx_malformed(lowering, "cp.async.wait_group takes a constant number of groups");
		if (pending < 0 || pending > INT32_MAX)
			return ptx_malformed(lowering, "%lld groups cannot be pending", (long long)pending);
		insn->immediate = pending;
		insn->execute = execute_wait;
		return ptx_operands(lowering, insn, 0, 0);
	}
	return lower_copy(lowering, insn);
}
