/* Special registers (manual chapter 10, PTX ISA 9.0) and the instructions that ask little of this machine: nanosleep, fences,
 * griddepcontrol, setmaxnreg, pmevent, and the addresses of a cluster of one block. */
#include "device/ptx/core.h"

#include <string.h>
#include <time.h>

enum { OPTION_SPECIAL, OPTION_WIDTH };
enum { SM_COUNT = 132 }; /* as the device that results are compared with: an H100 */

static uint64_t nanoseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Those that are the same for all lanes. */
static uint64_t uniform(const struct ptx_warp *warp, enum ptx_special special)
{
	const struct ptx_block_state *const block = warp->block;
	const struct ptx_launch_state *const launch = block->launch;
	switch (special) {
	case PTX_NTID_X: case PTX_NTID_Y: case PTX_NTID_Z:
		return launch->threads[special - PTX_NTID_X];
	case PTX_CTAID_X: case PTX_CTAID_Y: case PTX_CTAID_Z:
		return block->ctaid[special - PTX_CTAID_X];
	case PTX_CLUSTERID_X: case PTX_CLUSTERID_Y: case PTX_CLUSTERID_Z:
		return block->ctaid[special - PTX_CLUSTERID_X];
	case PTX_NCTAID_X: case PTX_NCTAID_Y: case PTX_NCTAID_Z:
		return launch->grid[special - PTX_NCTAID_X];
	case PTX_NCLUSTERID_X: case PTX_NCLUSTERID_Y: case PTX_NCLUSTERID_Z:
		return launch->grid[special - PTX_NCLUSTERID_X];
	case PTX_CLUSTER_NCTAID_X: case PTX_CLUSTER_NCTAID_Y: case PTX_CLUSTER_NCTAID_Z: case PTX_CLUSTER_NCTARANK:
		return 1;
	case PTX_WARPID:
		return warp->index;
	case PTX_NWARPID:
		return (uint64_t)block->warp_count;
	case PTX_SMID:
		return ptx_place_of(warp)->number % SM_COUNT;
	case PTX_NSMID:
		return SM_COUNT;
	case PTX_GRIDID:
		return 1;
	case PTX_CLOCK: case PTX_CLOCK64: case PTX_GLOBALTIMER: case PTX_GLOBALTIMER_LO:
		return nanoseconds();
	case PTX_CLOCK_HI: case PTX_GLOBALTIMER_HI:
		return nanoseconds() >> 32;
	case PTX_DYNAMIC_SMEM_SIZE:
		return launch->dynamic_shared;
	case PTX_TOTAL_SMEM_SIZE: case PTX_AGGR_SMEM_SIZE:
		return block->shared_bytes;
	case PTX_WARP_SZ:
		return PTX_LANES;
	default: /* ranks and positions in a cluster of one, %current_graph_exec without a graph, %is_explicit_cluster */
		return 0;
	}
}

static uint32_t of_lane(enum ptx_special special, int lane)
{
	const uint32_t bit = 1u << lane;
	switch (special) {
	case PTX_LANEID: return (uint32_t)lane;
	case PTX_LANEMASK_EQ: return bit;
	case PTX_LANEMASK_LT: return bit - 1;
	case PTX_LANEMASK_LE: return bit | (bit - 1);
	case PTX_LANEMASK_GT: return ~(bit | (bit - 1));
	default: return ~(bit - 1); /* PTX_LANEMASK_GE */
	}
}

static int differs_by_lane(enum ptx_special special)
{
	return (special >= PTX_TID_X && special <= PTX_TID_Z) || special == PTX_LANEID ||
	       (special >= PTX_LANEMASK_EQ && special <= PTX_LANEMASK_GT);
}

static void execute_special(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const enum ptx_special special = insn->option[OPTION_SPECIAL];
	const int width = insn->option[OPTION_WIDTH];
	uint32_t low[PTX_LANES], high = 0;
	if (differs_by_lane(special)) {
		if (special <= PTX_TID_Z)
			memcpy(low, warp->tid[special - PTX_TID_X], sizeof low);
		else
			for (int lane = 0; lane < PTX_LANES; lane++)
				low[lane] = of_lane(special, lane);
	} else {
		const uint64_t same = uniform(warp, special);
		high = (uint32_t)(same >> 32);
		for (int lane = 0; lane < PTX_LANES; lane++)
			low[lane] = (uint32_t)same;
	}
	uint32_t *const to = ptx_dst32(warp, insn, 0);
	if (width == 0) {
		*to = (*to & ~active) | (low[0] ? active : 0);
		return;
	}
	if (width == 2)
		for (int lane = 0; lane < PTX_LANES; lane++)
			low[lane] &= 0xffff;
	if (width == 8) {
		uint64_t *const wide = ptx_dst64(warp, insn, 0);
		for (int lane = 0; lane < PTX_LANES; lane++)
			wide[lane] = active >> lane & 1 ? (uint64_t)high << 32 | low[lane] : wide[lane];
	} else if (active == ~0u) {
		memcpy(to, low, sizeof low);
	} else {
		for (int lane = 0; lane < PTX_LANES; lane++)
			to[lane] = active >> lane & 1 ? low[lane] : to[lane];
	}
}

static void execute_nothing(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	(void)warp;
	(void)insn;
	(void)active;
}

/* Blocks run in several threads of the host. */
static void execute_fence(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	(void)warp;
	(void)insn;
	(void)active;
	atomic_thread_fence(memory_order_seq_cst);
}

static void execute_nanosleep(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	(void)active;
	warp->split->index = ptx_index(warp, insn) + 1;
	ptx_signal(warp, PTX_EVENT_YIELD);
}

/* In a cluster of one block an address of shared memory is that of block 0. */
static void execute_mapa(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const uint32_t *const rank = ptx_src32(warp, insn, 1);
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int lane = ptx_first_lane(rest);
		if (rank[lane] != 0)
			ptx_find(warp, insn, lane, PTX_FIND_INVALID, 0, "block %u of a cluster of one", rank[lane]);
		if (insn->option[OPTION_WIDTH] == 8)
			ptx_dst64(warp, insn, 0)[lane] = ptx_src64(warp, insn, 0)[lane];
		else
			ptx_dst32(warp, insn, 0)[lane] = ptx_src32(warp, insn, 0)[lane];
	}
}

static void execute_getctarank(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	for (uint32_t rest = active; rest; rest &= rest - 1)
		ptx_dst32(warp, insn, 0)[ptx_first_lane(rest)] = 0;
}

static int lower_mov(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	const enum ptx_type type = ptx_nth_type(instruction, 0);
	const struct ptx_operand *const source = ptx_operand(lowering, 1);
	struct ptx_slot *dst, *src;
	if (instruction->operand_count != 2 || source->kind != PTX_OPERAND_SPECIAL)
		return ptx_malformed(lowering, "a special register expected");
	if (type == PTX_PRED && source->special != PTX_IS_EXPLICIT_CLUSTER)
		return ptx_malformed(lowering, "a special register that is no predicate");
	if (type != PTX_PRED && (source->special == PTX_IS_EXPLICIT_CLUSTER || ptx_type_bytes(type) < 2 || ptx_type_bytes(type) > 8))
		return ptx_malformed(lowering, "a special register of another type");
	insn->class = PTX_CLASS_MOVE;
	insn->option[OPTION_SPECIAL] = (uint8_t)source->special;
	insn->option[OPTION_WIDTH] = (uint8_t)ptx_type_bytes(type);
	insn->execute = execute_special;
	return ptx_slots(lowering, insn, 1, 0, &dst, &src) || ptx_destination(lowering, ptx_operand(lowering, 0), type, 0, &dst[0]) ? -1 : 0;
}

int ptx_lower_special(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *const instruction = lowering->instruction;
	struct ptx_slot *dst, *src;
	insn->class = PTX_CLASS_OTHER;
	switch (instruction->opcode) {
	case PTX_OP_mov:
		return lower_mov(lowering, insn);
	case PTX_OP_membar: case PTX_OP_fence:
		insn->execute = execute_fence;
		return 0;
	case PTX_OP_nanosleep:
		insn->flags |= PTX_INSN_CONTROL | PTX_INSN_OWN_DEFINEDNESS;
		insn->execute = execute_nanosleep;
		return 0;
	case PTX_OP_griddepcontrol: case PTX_OP_setmaxnreg: case PTX_OP_pmevent:
		insn->execute = execute_nothing;
		return 0;
	case PTX_OP_mapa: {
		const enum ptx_type type = ptx_nth_type(instruction, 0);
		if (instruction->operand_count != 3 || (type != PTX_U32 && type != PTX_U64))
			return ptx_malformed(lowering, "mapa.u32 or mapa.u64 with three operands expected");
		insn->option[OPTION_WIDTH] = (uint8_t)ptx_type_bytes(type);
		insn->execute = execute_mapa;
		return ptx_slots(lowering, insn, 1, 2, &dst, &src) || ptx_destination(lowering, ptx_operand(lowering, 0), type, 0, &dst[0]) ||
		       ptx_source(lowering, ptx_operand(lowering, 1), type, 0, NULL, &src[0]) ||
		       ptx_source(lowering, ptx_operand(lowering, 2), PTX_U32, 0, NULL, &src[1]) ? -1 : 0;
	}
	case PTX_OP_getctarank:
		if (instruction->operand_count != 2)
			return ptx_malformed(lowering, "two operands expected");
		insn->execute = execute_getctarank;
		return ptx_slots(lowering, insn, 1, 0, &dst, &src) || ptx_destination(lowering, ptx_operand(lowering, 0), PTX_U32, 0, &dst[0]) ? -1 : 0;
	default:
		return ptx_unsupported(lowering, "no such instruction here");
	}
}
