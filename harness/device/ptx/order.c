/* The scheduling order (ptx_block.order): reverse postorder in which the blocks of a loop stand together.
 *
 * Plain reverse postorder is topological without back edges, but may put blocks behind a loop between those of the loop. So
 * loops are found first, then the depth-first search visits, on entering a loop, the blocks its exits lead to before its own:
 * they are finished earlier and so ordered later. For reducible graphs these added edges, from a header to what its loop exits
 * to, change no dominator relation that a back edge rests on. */
#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

struct order {
	const struct ptx_function *function;
	int32_t *header;           /* of the innermost loop around a block, not the block itself; -1 */
	int32_t *position;         /* on the path of the search, from 1; 0: not on it */
	unsigned char *visited, *is_header;
	int32_t *stack, *cursor, *preorder, *depth;
	int32_t *exit_first, *exit_next, *exit_block; /* lists by header */
	int exit_count, exit_capacity;
	int64_t work;              /* steps left for finding loops: nests of thousands would make it quadratic */
};

/* Notes that `block` is in the loop of `header`, keeping the chains of headers sorted by position on the path. After Wei, Mao,
 * Zou and Chen, "A new algorithm for identifying loops in decompilation" (2007). */
static void tag(struct order *o, int32_t block, int32_t header)
{
	if (header < 0 || block == header)
		return;
	while (o->header[block] >= 0) {
		const int32_t inner = o->header[block];
		o->work--;
		if (inner == header)
			return;
		if (o->position[inner] < o->position[header]) {
			o->header[block] = header;
			block = header;
			header = inner;
		} else {
			block = inner;
		}
		if (block == header)
			return;
	}
	o->header[block] = header;
}

static void enter(struct order *o, int32_t block, int *depth)
{
	o->visited[block] = 1;
	o->cursor[block] = 0;
	o->stack[(*depth)++] = block;
	o->position[block] = *depth;
}

static void find_loops(struct order *o)
{
	int depth = 0, seen = 0;
	enter(o, 0, &depth);
	o->preorder[seen++] = 0;
	while (depth > 0 && o->work > 0) {
		const int32_t b = o->stack[depth - 1];
		const struct ptx_block *block = &o->function->blocks[b];
		if (o->cursor[b] == ptx_successor_count(o->function, block)) {
			o->position[b] = 0;
			if (--depth > 0)
				tag(o, o->stack[depth - 1], o->header[b]);
			continue;
		}
		const int32_t to = ptx_successor(o->function, block, o->cursor[b]++);
		o->work--;
		if (to < 0)
			continue;
		if (!o->visited[to]) {
			enter(o, to, &depth);
			o->preorder[seen++] = to;
		} else if (o->position[to] > 0) {
			tag(o, b, to);
		} else {
			/* a block that is done: the loops around it that are still open are around this one too */
			int32_t header = o->header[to];
			while (header >= 0 && !o->position[header]) {
				header = o->header[header];
				o->work--;
			}
			tag(o, b, header);
		}
	}
	for (int i = 0; i < seen; i++)
		if (o->header[o->preorder[i]] >= 0)
			o->is_header[o->header[o->preorder[i]]] = 1;
	for (int i = 0; i < seen; i++) {
		const int32_t b = o->preorder[i];
		if (o->is_header[b])
			o->depth[b] = o->header[b] >= 0 ? o->depth[o->header[b]] + 1 : 1;
	}
}

/* The outermost loop that the edge leaves, or -1. */
static int32_t loop_left(struct order *o, int32_t from, int32_t to)
{
	int32_t a = o->is_header[from] ? from : o->header[from], b = o->is_header[to] ? to : o->header[to], left = -1;
	while (a != b && o->work > 0) {
		o->work--;
		if ((a >= 0 ? o->depth[a] : 0) >= (b >= 0 ? o->depth[b] : 0)) {
			left = a;
			a = o->header[a];
		} else {
			b = o->header[b];
		}
	}
	return left;
}

static int find_exits(struct order *o, struct error *err)
{
	int capacity;
	for (int b = 0; b < o->function->block_count; b++) {
		const struct ptx_block *block = &o->function->blocks[b];
		if (!o->visited[b])
			continue;
		for (int i = 0; i < ptx_successor_count(o->function, block); i++) {
			const int32_t to = ptx_successor(o->function, block, i);
			const int32_t left = to >= 0 ? loop_left(o, b, to) : -1;
			if (left < 0)
				continue;
			capacity = o->exit_capacity;
			if (front_reserve(&o->exit_next, o->exit_count, &capacity, sizeof *o->exit_next, err))
				return -1;
			capacity = o->exit_capacity;
			if (front_reserve(&o->exit_block, o->exit_count, &capacity, sizeof *o->exit_block, err))
				return -1;
			o->exit_capacity = capacity;
			o->exit_block[o->exit_count] = to;
			o->exit_next[o->exit_count] = o->exit_first[left];
			o->exit_first[left] = o->exit_count++;
		}
	}
	return 0;
}

static void number_blocks(struct order *o, struct ptx_function *function)
{
	const int blocks = function->block_count;
	int depth = 0;
	int32_t *postorder = o->preorder, done = 0;
	memset(o->visited, 0, (size_t)blocks);
	enter(o, 0, &depth);
	while (depth > 0) {
		const int32_t b = o->stack[depth - 1];
		const struct ptx_block *block = &function->blocks[b];
		int32_t to;
		if (o->exit_first[b] >= 0) {
			to = o->exit_block[o->exit_first[b]];
			o->exit_first[b] = o->exit_next[o->exit_first[b]];
		} else if (o->cursor[b] < ptx_successor_count(function, block)) {
			/* fall-through last: it then comes right behind */
			to = ptx_successor(function, block, ptx_successor_count(function, block) - 1 - o->cursor[b]++);
		} else {
			postorder[done++] = b;
			depth--;
			continue;
		}
		if (to >= 0 && !o->visited[to])
			enter(o, to, &depth);
	}
	uint32_t order = 0;
	for (int i = done - 1; i >= 0; i--)
		function->blocks[postorder[i]].order = order++;
	for (int b = 0; b < blocks; b++) /* never reached */
		if (!o->visited[b])
			function->blocks[b].order = order++;
}

int ptx_find_order(struct ptx_function *function, struct error *err)
{
	const size_t blocks = (size_t)function->block_count;
	struct order o = {.function = function};
	int status = -1;
	int32_t *memory = calloc(blocks * 7, sizeof *memory);
	unsigned char *flags = calloc(blocks, 2);
	if (!memory || !flags) {
		front_no_memory(err);
		goto done;
	}
	o.header = memory;
	o.position = memory + blocks;
	o.stack = memory + blocks * 2;
	o.cursor = memory + blocks * 3;
	o.preorder = memory + blocks * 4;
	o.depth = memory + blocks * 5;
	o.exit_first = memory + blocks * 6;
	o.visited = flags;
	o.is_header = flags + blocks;
	for (size_t b = 0; b < blocks; b++)
		o.header[b] = o.exit_first[b] = -1;
	o.work = (int64_t)1 << 24;
	find_loops(&o);
	if (o.work > 0 && find_exits(&o, err))
		goto done;
	if (o.work <= 0) /* loops nested past all reason: reverse postorder alone */
		for (size_t b = 0; b < blocks; b++)
			o.exit_first[b] = -1;
	number_blocks(&o, function);
	status = 0;
done:
	free(memory);
	free(flags);
	free(o.exit_next);
	free(o.exit_block);
	return status;
}
