/* Liveness and slots.
 *
 * A slot may be shared by registers whose live ranges do not overlap, by linear scan over the blocks in scheduling order. Two
 * rules come from the machine:
 * - Only registers of one lane size share. Lanes that diverged are at different places at the same time, and lane 5 of a
 *   64-bit register lies where lanes 10 and 11 of a 32-bit one would.
 * - A destination never takes the slot of a source of the same instruction, though it dies there: handlers write lane by lane,
 *   or piece by piece, and may still need it. */
#include "device/ptx/front.h"
#include "device/ptx/machine.h"

#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4 };
static const uint8_t class_lane_bytes[CLASSES] = {0, 4, 8, 16};
static const uint32_t class_bytes[CLASSES] = {PTX_UNIT, PTX_UNIT, 2 * PTX_UNIT, 4 * PTX_UNIT};

/* 64-bit words of the live sets of all blocks together, and words looked at while they settle: beyond it every register gets a
 * slot of its own. The attention kernels of 10 000 instructions need some 10^5. */
static const uint64_t set_words_max = (uint64_t)1 << 22, work_max = (uint64_t)1 << 27;

static int class_of(enum ptx_type type)
{
	const unsigned bytes = ptx_type_bytes(type);
	return type == PTX_PRED ? 0 : bytes <= 4 ? 1 : bytes == 8 ? 2 : 3;
}

struct liveness {
	struct ptx_function *function;
	int32_t *global;           /* by register: bit number among those live across blocks, or -1 */
	int32_t *global_register;  /* by bit number */
	int global_count;
	size_t words;              /* of one set */
	uint64_t *in, *out, *gen, *kill; /* by block */
	int32_t *stamp;            /* by register: block that killed it last, + 1 */
	int32_t *first, *last;     /* by register: positions of its interval; first -1: never occurs */
	int32_t block;             /* while visiting */
	int32_t position;
	int guarded;
};

static void find_global(void *context, int32_t reg, int access)
{
	struct liveness *live = context;
	if ((access & PTX_ACCESS_READ) && live->stamp[reg] != live->block + 1 && live->global[reg] < 0) {
		live->global_register[live->global_count] = reg;
		live->global[reg] = live->global_count++;
	}
	if ((access & PTX_ACCESS_WRITE) && !live->guarded)
		live->stamp[reg] = live->block + 1;
	live->function->registers[reg].used = 1;
}

static void find_sets(void *context, int32_t reg, int access)
{
	struct liveness *live = context;
	const int32_t bit = live->global[reg];
	if (bit < 0)
		return;
	uint64_t *gen = live->gen + (size_t)live->block * live->words, *kill = live->kill + (size_t)live->block * live->words;
	const uint64_t mask = (uint64_t)1 << (bit % 64);
	if ((access & PTX_ACCESS_READ) && !(kill[bit / 64] & mask))
		gen[bit / 64] |= mask;
	if ((access & PTX_ACCESS_WRITE) && !live->guarded)
		kill[bit / 64] |= mask;
}

static void extend(struct liveness *live, int32_t reg, int32_t position)
{
	if (live->first[reg] < 0 || position < live->first[reg])
		live->first[reg] = position;
	if (position > live->last[reg])
		live->last[reg] = position;
}

static void find_interval(void *context, int32_t reg, int access)
{
	struct liveness *live = context;
	(void)access;
	extend(live, reg, live->position);
}

/* A guarded write leaves the other lanes' values alone: it does not end what was before. A made mov under the guard of its only
 * reader may count as whole. */
static int is_partial(const struct ptx_instruction *instruction)
{
	return instruction->guard >= 0 && !(instruction->made && instruction->opcode == PTX_OP_mov);
}

static void visit_block(struct liveness *live, int b, void (*visit)(void *context, int32_t reg, int access))
{
	const struct ptx_block *block = &live->function->blocks[b];
	live->block = b;
	for (int i = 0; i < block->count; i++, live->position++) {
		const struct ptx_instruction *instruction = &live->function->instructions[block->first + i];
		live->guarded = is_partial(instruction);
		ptx_visit_registers(live->function, instruction, visit, live);
	}
}

/* Live-in and live-out sets by iteration to the fixed point; 1 when that would cost too much, -1 with *err. */
static int settle(struct liveness *live, struct error *err)
{
	const struct ptx_function *function = live->function;
	const size_t words = live->words;
	int32_t *start = NULL, *list = NULL, *queue = NULL;
	unsigned char *queued = NULL;
	uint64_t work = 0;
	int status = -1;
	if (ptx_predecessors(function, &start, &list, err))
		return -1;
	const size_t blocks = (size_t)function->block_count;
	queue = malloc(blocks * sizeof *queue);
	queued = malloc(blocks);
	if (!queue || !queued) {
		front_no_memory(err);
		goto done;
	}
	/* late blocks first, round and round */
	size_t head = 0, waiting = blocks;
	for (size_t b = 0; b < blocks; b++)
		queue[blocks - 1 - function->blocks[b].order] = (int32_t)b;
	memset(queued, 1, blocks);
	while (waiting > 0) {
		const int32_t b = queue[head];
		head = head + 1 == blocks ? 0 : head + 1;
		waiting--;
		queued[b] = 0;
		const struct ptx_block *block = &function->blocks[b];
		uint64_t *in = live->in + (size_t)b * words, *out = live->out + (size_t)b * words;
		const uint64_t *gen = live->gen + (size_t)b * words, *kill = live->kill + (size_t)b * words;
		for (int s = 0; s < ptx_successor_count(function, block); s++) {
			const int32_t to = ptx_successor(function, block, s);
			if (to < 0)
				continue;
			const uint64_t *from = live->in + (size_t)to * words;
			for (size_t w = 0; w < words; w++)
				out[w] |= from[w];
			work += words;
		}
		int changed = 0;
		for (size_t w = 0; w < words; w++) {
			const uint64_t now = gen[w] | (out[w] & ~kill[w]);
			changed |= now != in[w];
			in[w] = now;
		}
		work += words + 1;
		if (work > work_max) {
			status = 1;
			goto done;
		}
		for (int32_t i = changed ? start[b] : start[b + 1]; i < start[b + 1]; i++) {
			const int32_t before = list[i];
			if (queued[before])
				continue;
			queued[before] = 1;
			queue[(head + waiting++) % blocks] = before;
		}
	}
	status = 0;
done:
	free(start);
	free(list);
	free(queue);
	free(queued);
	return status;
}

static void extend_set(struct liveness *live, const uint64_t *set, int32_t position)
{
	for (size_t w = 0; w < live->words; w++)
		for (uint64_t bits = set[w]; bits; bits &= bits - 1)
			extend(live, live->global_register[w * 64 + (size_t)__builtin_ctzll(bits)], position);
}

static int find_intervals(struct liveness *live, struct error *err)
{
	const struct ptx_function *function = live->function;
	int32_t *by_order = malloc((size_t)function->block_count * sizeof *by_order);
	if (!by_order)
		return front_no_memory(err);
	for (int b = 0; b < function->block_count; b++)
		by_order[function->blocks[b].order] = b;
	live->position = 0;
	for (int i = 0; i < function->block_count; i++) {
		const int32_t b = by_order[i];
		extend_set(live, live->in + (size_t)b * live->words, live->position);
		visit_block(live, b, find_interval);
		extend_set(live, live->out + (size_t)b * live->words, live->position);
		live->position++; /* the border between two blocks is a place too */
	}
	free(by_order);
	return 0;
}

/* ---- slots ---- */

/* A binary heap of 64-bit keys, the smallest first. */
struct heap {
	uint64_t *keys;
	int count;
};

static void heap_push(struct heap *heap, uint64_t key)
{
	int i = heap->count++;
	while (i > 0 && heap->keys[(i - 1) / 2] > key) {
		heap->keys[i] = heap->keys[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap->keys[i] = key;
}

static uint64_t heap_pop(struct heap *heap)
{
	const uint64_t least = heap->keys[0], key = heap->keys[--heap->count];
	int i = 0;
	for (;;) {
		int child = 2 * i + 1;
		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && heap->keys[child + 1] < heap->keys[child])
			child++;
		if (heap->keys[child] >= key)
			break;
		heap->keys[i] = heap->keys[child];
		i = child;
	}
	heap->keys[i] = key;
	return least;
}

static int by_key(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Slots by number within each class; not `shared`: each register its own. */
static int number_slots(const struct liveness *live, int shared, uint32_t slots[CLASSES], struct error *err)
{
	struct ptx_function *function = live->function;
	const size_t registers = (size_t)function->register_count;
	uint64_t *keys = malloc((registers + 1) * 3 * sizeof *keys);
	if (!keys)
		return front_no_memory(err);
	for (int class = 0; class < CLASSES; class++) {
		struct heap active = {.keys = keys + registers}, unused = {.keys = keys + registers * 2};
		size_t count = 0;
		slots[class] = 0;
		for (size_t r = 0; r < registers; r++)
			if (function->registers[r].used && class_of(function->registers[r].type) == class)
				keys[count++] = (uint64_t)(shared ? (uint32_t)live->first[r] : 0) << 32 | r;
		if (shared)
			qsort(keys, count, sizeof *keys, by_key);
		for (size_t i = 0; i < count; i++) {
			struct ptx_register *reg = &function->registers[(uint32_t)keys[i]];
			if (!shared) {
				reg->slot = slots[class]++;
				continue;
			}
			const uint64_t start = keys[i] >> 32;
			while (active.count && active.keys[0] >> 32 < start)
				heap_push(&unused, (uint32_t)heap_pop(&active));
			reg->slot = unused.count ? (uint32_t)heap_pop(&unused) : slots[class]++;
			heap_push(&active, (uint64_t)(uint32_t)live->last[(uint32_t)keys[i]] << 32 | reg->slot);
		}
	}
	free(keys);
	return 0;
}

static int has_sink(const struct ptx_function *function)
{
	for (int i = 0; i < function->element_count; i++)
		if (function->elements[i].kind == PTX_OPERAND_SINK)
			return 1;
	for (int i = 0; i < function->instruction_count; i++)
		if (function->instructions[i].operand_count && function->instructions[i].operands[0].kind == PTX_OPERAND_SINK)
			return 1;
	return 0;
}

static int give_slots(const struct liveness *live, int shared, struct error *err)
{
	struct ptx_function *function = live->function;
	uint32_t slots[CLASSES], base[CLASSES];
	uint64_t bytes = 0;
	if (number_slots(live, shared, slots, err))
		return -1;
	for (int class = 0; class < CLASSES; class++) {
		base[class] = (uint32_t)bytes;
		bytes += (uint64_t)slots[class] * class_bytes[class];
	}
	if (has_sink(function)) {
		function->sink_slot = (uint32_t)bytes;
		bytes += class_bytes[CLASSES - 1];
	}
	if (bytes > 1 << 30)
		return ptx_fault_at(function->position, ERROR_UNSUPPORTED, err, "unsupported: '%s' needs %llu bytes of registers a warp",
				    function->name, (unsigned long long)bytes);
	for (int r = 0; r < function->register_count; r++) {
		struct ptx_register *reg = &function->registers[r];
		const int class = class_of(reg->type);
		reg->lane_bytes = class_lane_bytes[class];
		reg->slot = reg->used ? base[class] + reg->slot * class_bytes[class] : 0;
	}
	function->register_file_bytes = (uint32_t)bytes;
	return 0;
}

int ptx_allocate(struct ptx_function *function, struct error *err)
{
	const size_t registers = (size_t)function->register_count, blocks = (size_t)function->block_count;
	struct liveness live = {.function = function};
	int32_t *memory = malloc((registers + 1) * 5 * sizeof *memory);
	uint64_t *sets = NULL;
	int status = -1;
	if (!memory)
		return front_no_memory(err);
	memset(memory, 0xff, (registers + 1) * 5 * sizeof *memory);
	live.global = memory;
	live.global_register = memory + registers;
	live.stamp = memory + registers * 2;
	live.first = memory + registers * 3;
	live.last = memory + registers * 4;
	for (size_t b = 0; b < blocks; b++)
		visit_block(&live, (int)b, find_global);
	live.words = ((size_t)live.global_count + 63) / 64;
	int precise = live.words * blocks <= set_words_max;
	if (precise) {
		sets = calloc(live.words * blocks * 4 + 1, sizeof *sets);
		if (!sets) {
			front_no_memory(err);
			goto done;
		}
		live.in = sets;
		live.out = live.in + live.words * blocks;
		live.gen = live.out + live.words * blocks;
		live.kill = live.gen + live.words * blocks;
		for (size_t b = 0; b < blocks; b++)
			visit_block(&live, (int)b, find_sets);
		const int settled = settle(&live, err);
		if (settled < 0)
			goto done;
		precise = settled == 0;
	}
	for (int i = 0; i < live.global_count; i++) /* without sets: whatever is read in a block that did not write it before */
		function->registers[live.global_register[i]].live_at_entry =
			!precise || (live.in[i / 64] >> (i % 64) & 1);
	if (precise && find_intervals(&live, err))
		goto done;
	status = give_slots(&live, precise, err);
done:
	free(memory);
	free(sets);
	return status;
}
