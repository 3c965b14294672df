/* cp.async.bulk between global and shared memory (manual 9.7.9.25.4), one thread's copy of a multiple of 16 bytes. It is done where
 * it is issued, and its mbarrier told; groups of such copies are therefore always complete. That others wait for the mbarrier
 * before they look is seen by the order of accesses (race.c). Tensor maps, reductions and multicast are not executed. */
#include "device/ptx/async.h"
#include "device/ptx/memory_private.h"

enum { OPTION_TO_SHARED = OPTION_A, OPTION_SIZE = OPTION_B /* index of the size in src */ };
enum { TO, FROM, BARRIER, ADDRESSES };

struct bulk {
	struct { enum access_base base; int64_t offset; int operand; } addresses[ADDRESSES];
};

static void execute_bulk(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct bulk *bulk = insn->extra;
	const int to_shared = insn->option[OPTION_TO_SHARED];
	struct ptx_access access;
	uint64_t place[ADDRESSES][PTX_LANES];
	for (int i = 0; i < (to_shared ? ADDRESSES : BARRIER); i++) {
		ptx_access_begin(&access, warp, insn, ACCESS_READ);
		if (ptx_access_address_at(&access, active, bulk->addresses[i].operand, bulk->addresses[i].base, bulk->addresses[i].offset))
			return;
		memcpy(place[i], access.address, sizeof place[i]);
	}
	const struct ptx_slot *slot = &insn->src[insn->option[OPTION_SIZE]];
	const uint32_t *sizes = ptx_at(warp, slot), undefined = warp->checks ? ptx_undefined(warp, slot) & active : 0;
	if (undefined) {
		ptx_find(warp, insn, __builtin_ctz(undefined), PTX_FIND_UNDEFINED_OPERAND, 0, "how many bytes are copied depends on a value that nothing wrote");
		if (warp->event == PTX_EVENT_STOP)
			return;
	}
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		const uint32_t size = sizes[lane];
		if (size % 16) {
			ptx_find(warp, insn, lane, PTX_FIND_INVALID, 0, "a bulk copy of %u bytes: it must be a multiple of 16", size);
			return;
		}
		for (uint32_t at = 0; at < size; at += 16) {
			unsigned char value[16], shadow[16];
			if (ptx_read(warp, insn, lane, to_shared ? PTX_SPACE_GLOBAL : PTX_SPACE_SHARED, place[FROM][lane] + at, 16, value, shadow) ||
			    ptx_write(warp, insn, lane, to_shared ? PTX_SPACE_SHARED : PTX_SPACE_GLOBAL, place[TO][lane] + at, 16, value, shadow))
				return;
		}
		if (warp->checks) {
			struct ptx_counts *counts = &warp->worker->counts;
			*(to_shared ? &counts->global_read_bytes : &counts->global_written_bytes) += size;
			*(to_shared ? &counts->global_read_sectors : &counts->global_written_sectors) += size / 32;
			*(to_shared ? &counts->shared_written_bytes : &counts->shared_read_bytes) += size;
			counts->global_ideal_sectors += size / 32;
			counts->global_requests++;
		}
		if (to_shared && ptx_mbarrier_complete(warp, insn, lane, place[BARRIER][lane], size))
			return;
	}
}

static void execute_nothing(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	(void)warp, (void)insn, (void)active;
}

int ptx_lower_bulk(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	enum ptx_space spaces[2];
	int found = 0, complete = 0, group = 0, commit = 0, wait = 0, hint = 0, prefetch = 0;
	for (int i = 0; i < instruction->modifier_count; i++)
		switch (instruction->modifiers[i]) {
		case PTX_MOD_async: case PTX_MOD_bulk: case PTX_MOD_read: break;
		case PTX_MOD_global: case PTX_MOD_shared__cta: case PTX_MOD_shared__cluster:
			if (found == 2)
				return ptx_malformed(lowering, "three state spaces");
			spaces[found++] = instruction->modifiers[i] == PTX_MOD_global ? PTX_SPACE_GLOBAL : PTX_SPACE_SHARED;
			break;
		case PTX_MOD_mbarrier__complete_tx__bytes: complete = 1; break;
		case PTX_MOD_bulk_group: group = 1; break;
		case PTX_MOD_commit_group: commit = 1; break;
		case PTX_MOD_wait_group: wait = 1; break;
		case PTX_MOD_L2__cache_hint: hint = 1; break;
		case PTX_MOD_prefetch: case PTX_MOD_L2: prefetch = 1; break;
		default: return ptx_unsupported(lowering, "this form of cp.async.bulk is not executed");
		}
	const int operands = instruction->operand_count - hint;
	insn->flags |= PTX_INSN_OWN_DEFINEDNESS | PTX_INSN_STRICT_GUARD;
	insn->class = PTX_CLASS_OTHER;
	if (commit || wait || prefetch) {
		insn->execute = execute_nothing;
		return ptx_operands(lowering, insn, 0, 0);
	}
	const int to_shared = complete;
	if (found != 2 || complete == group || operands != (to_shared ? 4 : 3) || spaces[0] != (to_shared ? PTX_SPACE_SHARED : PTX_SPACE_GLOBAL))
		return ptx_unsupported(lowering, "only copies from global to shared memory with an mbarrier, and back in a bulk group, are executed");
	if (spaces[1] == spaces[0])
		return ptx_unsupported(lowering, "copies within shared memory are not executed");

	static const int texts[ADDRESSES] = {0, 1, 3}; /* operands of the text */
	const int count = to_shared ? ADDRESSES : BARRIER;
	int slots = 0;
	for (int i = 0; i < count; i++)
		slots += ptx_operand(lowering, texts[i])->kind == PTX_OPERAND_ADDRESS && ptx_operand(lowering, texts[i])->reg >= 0;
	struct bulk *bulk = ptx_lowering_alloc(lowering, sizeof *bulk);
	if (!bulk || ptx_operands(lowering, insn, 0, slots + 1))
		return -1;
	insn->option[OPTION_WIDTH] = 16;
	insn->option[OPTION_ELEMENTS] = 1;
	insn->option[OPTION_TO_SHARED] = (uint8_t)to_shared;
	insn->option[OPTION_SIZE] = (uint8_t)slots;
	for (int i = 0, slot = 0; i < count; i++) {
		const struct ptx_operand *address = ptx_operand(lowering, texts[i]);
		if (ptx_lower_address(lowering, insn, address, i == BARRIER ? PTX_SPACE_SHARED : spaces[i], slot))
			return -1;
		bulk->addresses[i].base = (enum access_base)insn->option[OPTION_BASE];
		bulk->addresses[i].offset = insn->immediate;
		bulk->addresses[i].operand = slot;
		slot += address->reg >= 0;
	}
	insn->extra = bulk;
	insn->class = PTX_CLASS_GLOBAL;
	insn->execute = execute_bulk;
	return ptx_source(lowering, ptx_operand(lowering, 2), PTX_U32, 0, NULL, ptx_memory_slot(insn->src, slots));
}
