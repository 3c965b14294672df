/* mbarrier (manual 9.7.13.15): barriers that are objects in shared memory, 8 bytes each, of a form only these handlers know.
 *
 * Bits of an object, which the manual leaves open: 0-19 arrivals still pending in this phase, 20-39 arrivals of a phase, 40-61
 * bytes of transactions still pending (signed), 62 parity of the phase, 63 set in every object that is initialised. The state
 * that arriving gives is the object before the arrival. */
#include "device/ptx/async.h"
#include "device/ptx/memory_private.h"

enum { OPTION_OPERATION = OPTION_A, OPTION_COUNT = OPTION_B /* a second operand is there */, OPTION_PARITY = OPTION_C,
       OPTION_TRANSACTION = OPTION_D, OPTION_STAYS = OPTION_E };
enum { OPERATION_INIT, OPERATION_INVAL, OPERATION_ARRIVE, OPERATION_EXPECT, OPERATION_COMPLETE, OPERATION_WAIT, OPERATION_ASYNC_ARRIVE };

enum { COUNT_BITS = 20, COUNT_MAX = (1 << COUNT_BITS) - 1, TRANSACTION_MAX = (1 << 20) - 1 };
#define VALID (UINT64_C(1) << 63)
#define PARITY (UINT64_C(1) << 62)

struct object {
	int64_t pending, expected, transaction;
	int parity;
};

static struct object unpack(uint64_t bits)
{
	return (struct object){(int64_t)(bits & COUNT_MAX), (int64_t)(bits >> 20 & COUNT_MAX), (int64_t)(bits << 2) >> 42, (bits & PARITY) != 0};
}

static uint64_t pack(const struct object *object)
{
	return (uint64_t)object->pending | (uint64_t)object->expected << 20 | ((uint64_t)object->transaction & 0x3fffff) << 40 |
	       (object->parity ? PARITY : 0) | VALID;
}

static void settle(struct object *object)
{
	if (object->pending == 0 && object->transaction == 0) {
		object->pending = object->expected;
		object->parity = !object->parity;
	}
}

/* The object at a lane's address, which must have been initialised. 0, or -1 after a finding. */
static int get(const struct ptx_access *access, int lane, uint64_t *bits)
{
	struct ptx_warp *warp = access->warp;
	uint8_t shadow[8];
	memcpy(bits, access->host[lane], 8);
	const int unknown = warp->checks && ptx_access_undefined(access, lane, shadow);
	if (!unknown && *bits & VALID)
		return 0;
	ptx_find(warp, access->insn, lane, PTX_FIND_INVALID, access->address[lane],
		 "offset %llu of shared memory holds no mbarrier: none was initialised there", (unsigned long long)access->address[lane]);
	return -1;
}

static void put(const struct ptx_access *access, int lane, uint64_t bits)
{
	memcpy(access->host[lane], &bits, 8);
	ptx_access_stored(access, lane, NULL);
}

static int invalid(struct ptx_access *access, int lane, const char *what, long long value)
{
	ptx_find(access->warp, access->insn, lane, PTX_FIND_INVALID, access->address[lane], "%s: %lld", what, value);
	return -1;
}

static int arrive(struct ptx_access *access, int lane, uint64_t *state, int64_t count, int64_t transaction)
{
	uint64_t bits;
	if (get(access, lane, &bits))
		return -1;
	*state = bits;
	struct object object = unpack(bits);
	if (count < 0 || count > object.pending)
		return invalid(access, lane, "more arrivals than the mbarrier expects in this phase", count);
	object.transaction += transaction;
	if (object.transaction > TRANSACTION_MAX || object.transaction < -TRANSACTION_MAX)
		return invalid(access, lane, "more bytes of transactions than an mbarrier can count", (long long)object.transaction);
	object.pending -= count;
	settle(&object);
	ptx_race_release(access->warp, access->address[lane]);
	put(access, lane, pack(&object));
	return 0;
}

static int resolve(struct ptx_access *access, struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, enum ptx_access_kind kind,
		   int operand)
{
	ptx_access_begin(access, warp, insn, kind);
	if (ptx_access_address(access, active, operand))
		return -1;
	if (ptx_access_split(access, active) || access->space != PTX_SPACE_SHARED) {
		ptx_find(warp, insn, __builtin_ctz(active), PTX_FIND_INVALID, access->address[__builtin_ctz(active)], "an mbarrier must lie in shared memory");
		return -1;
	}
	return ptx_access_resolve(access);
}

static void execute_mbarrier(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_access access;
	const unsigned operation = insn->option[OPTION_OPERATION];
	const int data = insn->option[OPTION_DATA];
	const int plain = operation == OPERATION_INIT || operation == OPERATION_INVAL; /* not for several threads at once */
	uint32_t yes = 0;

	if (warp->checks)
		for (int i = data; i < insn->src_count; i++) {
			const uint32_t undefined = ptx_undefined(warp, &insn->src[i]) & active;
			if (undefined) {
				ptx_find(warp, insn, __builtin_ctz(undefined), PTX_FIND_UNDEFINED_OPERAND, 0, "operand of an mbarrier that nothing wrote");
				if (warp->event == PTX_EVENT_STOP)
					return;
			}
		}
	if (operation == OPERATION_ASYNC_ARRIVE)
		ptx_async_land(warp, active, PTX_ASYNC_ALL);
	if (resolve(&access, warp, insn, active, plain ? ACCESS_WRITE : ACCESS_ATOMIC, 0))
		return;
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		const uint32_t operand = insn->src_count > data && insn->src[data].lane_bytes == 4 ? ptx_src32(warp, insn, data)[lane] : 1;
		uint64_t bits, state = 0;
		struct object object;
		switch (operation) {
		case OPERATION_INIT:
			if (operand < 1 || operand > COUNT_MAX) {
				invalid(&access, lane, "an mbarrier counts from 1 to 1048575 arrivals", operand);
				return;
			}
			object = (struct object){operand, operand, 0, 0};
			put(&access, lane, pack(&object));
			break;
		case OPERATION_INVAL:
			put(&access, lane, 0);
			break;
		case OPERATION_ARRIVE:
			if (arrive(&access, lane, &state, insn->option[OPTION_TRANSACTION] ? 1 : operand, insn->option[OPTION_TRANSACTION] ? operand : 0))
				return;
			break;
		case OPERATION_ASYNC_ARRIVE: /* without .noinc the phase expects one more for it: that and this arrival cancel */
			if (insn->option[OPTION_STAYS] ? arrive(&access, lane, &state, 1, 0) : arrive(&access, lane, &state, 0, 0))
				return;
			break;
		case OPERATION_EXPECT:
		case OPERATION_COMPLETE:
			if (arrive(&access, lane, &state, 0, operation == OPERATION_EXPECT ? (int64_t)operand : -(int64_t)operand))
				return;
			break;
		default: { /* wait */
			if (get(&access, lane, &bits))
				return;
			object = unpack(bits);
			int parity;
			if (insn->option[OPTION_PARITY])
				parity = operand & 1;
			else
				parity = (ptx_src64(warp, insn, data)[lane] & PARITY) != 0;
			if (object.parity != parity) {
				yes |= 1u << lane;
				ptx_race_acquire(warp, access.address[lane]);
			}
			break;
		}
		}
		if (insn->dst_count && operation == OPERATION_ARRIVE) {
			ptx_dst64(warp, insn, 0)[lane] = state;
			if (warp->checks)
				ptx_set_undefined(warp, &insn->dst[0], 1u << lane, 0);
		}
	}
	if (operation == OPERATION_WAIT) {
		uint32_t *to = ptx_dst32(warp, insn, 0);
		*to = (*to & ~active) | yes;
		if (warp->checks)
			ptx_set_undefined(warp, &insn->dst[0], active, 0);
		if (yes != active && warp->event == PTX_EVENT_NONE) { /* others have to arrive first */
			warp->split->index = (int)(insn - warp->frame->program->code) + 1;
			warp->event = PTX_EVENT_YIELD;
		}
	}
	if (warp->checks)
		ptx_access_count(&access);
}

int ptx_mbarrier_complete(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, uint64_t offset, uint32_t bytes)
{
	struct ptx_access access;
	uint64_t state;
	ptx_access_begin(&access, warp, insn, ACCESS_ATOMIC);
	access.space = PTX_SPACE_SHARED;
	access.bytes = access.align = 8;
	access.lanes = 1u << lane;
	for (int l = 0; l < PTX_LANES; l++)
		access.address[l] = offset;
	return ptx_access_resolve(&access) || arrive(&access, lane, &state, 0, -(int64_t)bytes) ? -1 : 0;
}

static void execute_pending_count(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int l = __builtin_ctz(rest);
		ptx_dst32(warp, insn, 0)[l] = (uint32_t)(ptx_src64(warp, insn, 0)[l] & COUNT_MAX);
	}
}

/* ---- lowering ---- */

/* The address and what is common to all; `first`: index of its operand; `values` operands follow it. */
static int lower_object(struct ptx_lowering *lowering, struct ptx_insn *insn, enum ptx_space space, int destinations, int first, int values)
{
	const struct ptx_operand *address = ptx_operand(lowering, first);
	const int data = address->kind == PTX_OPERAND_ADDRESS && address->reg >= 0;
	insn->option[OPTION_SPACE] = (uint8_t)space;
	insn->option[OPTION_WIDTH] = 8;
	insn->option[OPTION_ELEMENTS] = 1;
	insn->option[OPTION_DATA] = (uint8_t)data;
	insn->class = PTX_CLASS_BARRIER;
	insn->flags |= PTX_INSN_OWN_DEFINEDNESS | PTX_INSN_STRICT_GUARD | PTX_INSN_CONTROL;
	insn->execute = execute_mbarrier;
	return ptx_operands(lowering, insn, destinations, data + values) || ptx_lower_address(lowering, insn, address, space, 0) ? -1 : 0;
}

static enum ptx_space space_of(const struct ptx_instruction *instruction)
{
	return ptx_has(instruction, PTX_MOD_shared) || ptx_has(instruction, PTX_MOD_shared__cta) || ptx_has(instruction, PTX_MOD_shared__cluster) ?
	       PTX_SPACE_SHARED : PTX_SPACE_GENERIC;
}

int ptx_lower_async_arrive(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	if (!ptx_has(instruction, PTX_MOD_arrive) || instruction->operand_count != 1)
		return ptx_malformed(lowering, "cp.async.mbarrier.arrive takes the address of an mbarrier");
	insn->option[OPTION_OPERATION] = OPERATION_ASYNC_ARRIVE;
	insn->option[OPTION_STAYS] = (uint8_t)ptx_has(instruction, PTX_MOD_noinc);
	return lower_object(lowering, insn, space_of(instruction), 0, 0, 0);
}

int ptx_lower_mbarrier(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const enum ptx_space space = space_of(instruction);
	const int count = instruction->operand_count;
	int operation = -1, parity = 0;
	for (int i = 0; i < instruction->modifier_count; i++)
		switch (instruction->modifiers[i]) {
		case PTX_MOD_init: operation = OPERATION_INIT; break;
		case PTX_MOD_inval: operation = OPERATION_INVAL; break;
		case PTX_MOD_arrive: operation = OPERATION_ARRIVE; break;
		case PTX_MOD_expect_tx:
			if (operation == OPERATION_ARRIVE)
				insn->option[OPTION_TRANSACTION] = 1;
			else
				operation = OPERATION_EXPECT;
			break;
		case PTX_MOD_complete_tx: operation = OPERATION_COMPLETE; break;
		case PTX_MOD_test_wait:
		case PTX_MOD_try_wait: operation = OPERATION_WAIT; break;
		case PTX_MOD_parity: parity = 1; break;
		case PTX_MOD_pending_count: operation = OPERATION_ASYNC_ARRIVE + 1; break;
		case PTX_MOD_noComplete: case PTX_MOD_acquire: case PTX_MOD_release: case PTX_MOD_relaxed: case PTX_MOD_cta: case PTX_MOD_cluster:
		case PTX_MOD_shared: case PTX_MOD_shared__cta: case PTX_MOD_shared__cluster: case PTX_MOD_b64:
			break;
		default: return ptx_unsupported(lowering, "this form of mbarrier is not executed");
		}
	insn->option[OPTION_OPERATION] = (uint8_t)operation;
	switch (operation) {
	case OPERATION_INIT:
		if (count != 2 || lower_object(lowering, insn, space, 0, 0, 1))
			break;
		return ptx_source(lowering, ptx_operand(lowering, 1), PTX_U32, 0, NULL, ptx_memory_slot(insn->src, insn->option[OPTION_DATA]));
	case OPERATION_INVAL:
		if (count != 1 || lower_object(lowering, insn, space, 0, 0, 0))
			break;
		return 0;
	case OPERATION_ARRIVE: {
		/* state, [address] {, count} — or without a state where the object may be another block's */
		const int state = count > 0 && ptx_operand(lowering, 0)->kind != PTX_OPERAND_ADDRESS;
		const int values = count - state - 1;
		if (values < 0 || values > 1 || (insn->option[OPTION_TRANSACTION] && values != 1) || lower_object(lowering, insn, space, state, state, values))
			break;
		if (state && ptx_destination(lowering, ptx_operand(lowering, 0), PTX_B64, 0, ptx_memory_slot(insn->dst, 0)))
			return -1;
		return values ? ptx_source(lowering, ptx_operand(lowering, state + 1), PTX_U32, 0, NULL, ptx_memory_slot(insn->src, insn->option[OPTION_DATA])) : 0;
	}
	case OPERATION_EXPECT:
	case OPERATION_COMPLETE:
		if (count != 2 || lower_object(lowering, insn, space, 0, 0, 1))
			break;
		return ptx_source(lowering, ptx_operand(lowering, 1), PTX_U32, 0, NULL, ptx_memory_slot(insn->src, insn->option[OPTION_DATA]));
	case OPERATION_WAIT: {
		/* predicate, [address], state or parity {, how long at most} */
		if ((count != 3 && count != 4) || lower_object(lowering, insn, space, 1, 1, 1))
			break;
		insn->option[OPTION_PARITY] = (uint8_t)parity;
		return ptx_destination(lowering, ptx_operand(lowering, 0), PTX_PRED, 0, ptx_memory_slot(insn->dst, 0)) ||
		       ptx_source(lowering, ptx_operand(lowering, 2), parity ? PTX_U32 : PTX_B64, 0, NULL,
				  ptx_memory_slot(insn->src, insn->option[OPTION_DATA])) ? -1 : 0;
	}
	case OPERATION_ASYNC_ARRIVE + 1:
		if (count != 2)
			break;
		insn->class = PTX_CLASS_OTHER;
		insn->execute = execute_pending_count;
		return ptx_operands(lowering, insn, 1, 1) || ptx_destination(lowering, ptx_operand(lowering, 0), PTX_U32, 0, ptx_memory_slot(insn->dst, 0)) ||
		       ptx_source(lowering, ptx_operand(lowering, 1), PTX_B64, 0, NULL, ptx_memory_slot(insn->src, 0)) ? -1 : 0;
	default:
		return ptx_unsupported(lowering, "this form of mbarrier is not executed");
	}
	return lowering->err && lowering->err->kind != ERROR_NONE ? -1 : ptx_malformed(lowering, "operands that this form does not take");
}
