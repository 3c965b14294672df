/* Blocks of a function, which way control goes between them, and where it meets again for certain. */
#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

static int ends_block(const struct ptx_instruction *instruction)
{
	switch (instruction->opcode) {
	case PTX_OP_bra: case PTX_OP_brx: case PTX_OP_ret: case PTX_OP_exit:
		return 1;
	case PTX_OP_trap:
		return instruction->guard < 0;
	default:
		return 0;
	}
}

static void link_block(struct ptx_function *function, int b)
{
	struct ptx_block *block = &function->blocks[b];
	const int32_t next = b + 1 < function->block_count ? b + 1 : -1;
	block->successors[0] = block->successors[1] = block->table = -1;
	if (block->count == 0) {
		block->successors[0] = next;
		return;
	}
	const struct ptx_instruction *last = &function->instructions[block->first + block->count - 1];
	if (!ends_block(last) || last->guard >= 0)
		block->successors[0] = next;
	if (last->opcode == PTX_OP_bra) {
		if (block->successors[0] < 0)
			block->successors[0] = last->operands[0].block;
		else if (block->successors[0] != last->operands[0].block)
			block->successors[1] = last->operands[0].block;
	} else if (last->opcode == PTX_OP_brx) {
		block->table = last->table;
	}
}

int ptx_find_blocks(struct ptx_function *function, const int32_t *label_places, const char *const *label_names, int label_count,
		    struct error *err)
{
	const int count = function->instruction_count;
	unsigned char *starts = calloc((size_t)count + 1, 1);
	int32_t *block_at = malloc(((size_t)count + 1) * sizeof *block_at);
	int status = -1, blocks = 0;
	if (!starts || !block_at) {
		front_no_memory(err);
		goto done;
	}
	starts[0] = 1;
	for (int i = 0; i < label_count; i++)
		starts[label_places[i]] = 1;
	for (int i = 0; i + 1 < count; i++)
		if (ends_block(&function->instructions[i]))
			starts[i + 1] = 1;
	for (int i = 0; i <= count; i++) {
		block_at[i] = blocks;
		blocks += starts[i];
	}
	function->blocks = calloc((size_t)blocks, sizeof *function->blocks);
	if (!function->blocks) {
		front_no_memory(err);
		goto done;
	}
	function->block_count = blocks;
	for (int i = 0; i <= count; i++)
		if (starts[i])
			function->blocks[block_at[i]] = (struct ptx_block){.first = i, .immediate_postdominator = -1};
	for (int b = 0; b < blocks; b++)
		function->blocks[b].count = (b + 1 < blocks ? function->blocks[b + 1].first : count) - function->blocks[b].first;
	for (int i = label_count - 1; i >= 0; i--) /* the first label of several at one place gives the name */
		function->blocks[block_at[label_places[i]]].label = label_names[i];

	/* references name labels so far */
	for (int i = 0; i < count; i++)
		for (int k = 0; k < function->instructions[i].operand_count; k++) {
			struct ptx_operand *operand = &function->instructions[i].operands[k];
			if (operand->kind == PTX_OPERAND_LABEL && operand->block >= 0)
				operand->block = block_at[label_places[operand->block]];
		}
	for (int t = 0; t < function->table_count; t++)
		for (int i = 0; i < function->tables[t].count; i++)
			function->tables[t].blocks[i] = block_at[label_places[function->tables[t].blocks[i]]];

	for (int b = 0; b < blocks; b++)
		link_block(function, b);
	for (int b = 0; b < blocks; b++) { /* counted up to two */
		const struct ptx_block *block = &function->blocks[b];
		for (int i = 0; i < ptx_successor_count(function, block); i++) {
			const int32_t to = ptx_successor(function, block, i);
			if (to >= 0 && function->blocks[to].is_join < 2)
				function->blocks[to].is_join++;
		}
	}
	for (int b = 0; b < blocks; b++)
		function->blocks[b].is_join = b == 0 || function->blocks[b].is_join > 1;
	status = 0;
done:
	free(starts);
	free(block_at);
	return status;
}

int ptx_predecessors(const struct ptx_function *function, int32_t **start, int32_t **list, struct error *err)
{
	const int blocks = function->block_count;
	*start = calloc((size_t)blocks + 2, sizeof **start);
	*list = NULL;
	if (!*start)
		return front_no_memory(err);
	size_t edges = 0;
	for (int b = 0; b < blocks; b++)
		for (int i = 0; i < ptx_successor_count(function, &function->blocks[b]); i++) {
			const int32_t to = ptx_successor(function, &function->blocks[b], i);
			if (to >= 0) {
				(*start)[to + 2]++;
				edges++;
			}
		}
	*list = malloc((edges + 1) * sizeof **list);
	if (!*list || edges > INT32_MAX) {
		free(*start);
		free(*list);
		*start = *list = NULL;
		return front_no_memory(err);
	}
	for (int b = 0; b < blocks; b++)
		(*start)[b + 2] += (*start)[b + 1];
	for (int b = 0; b < blocks; b++)
		for (int i = 0; i < ptx_successor_count(function, &function->blocks[b]); i++) {
			const int32_t to = ptx_successor(function, &function->blocks[b], i);
			if (to >= 0)
				(*list)[(*start)[to + 1]++] = b;
		}
	return 0;
}

/* Whether control can leave the function at the end of a block. */
static int leaves(const struct ptx_function *function, int b)
{
	const struct ptx_block *block = &function->blocks[b];
	if (block->count) {
		const struct ptx_instruction *last = &function->instructions[block->first + block->count - 1];
		if (ends_block(last) && last->opcode != PTX_OP_bra && last->opcode != PTX_OP_brx)
			return 1;
		if (ends_block(last) && last->guard < 0)
			return 0;
	}
	return b + 1 == function->block_count;
}

/* Dominators of the graph turned round, from a virtual exit: Lengauer and Tarjan, "A fast algorithm for finding dominators in a
 * flowgraph" (1979), with path compression: O(edges log blocks). Nodes are numbered from 1 in depth-first order; 0 is none. */
struct dominators {
	int32_t *number, *node, *parent, *semi, *ancestor, *label, *idom, *bucket, *next_in_bucket, *stack;
};

static void compress(struct dominators *d, int32_t v)
{
	int depth = 0;
	for (int32_t u = v; d->ancestor[d->ancestor[u]]; u = d->ancestor[u])
		d->stack[depth++] = u;
	while (depth > 0) {
		const int32_t u = d->stack[--depth], above = d->ancestor[u];
		if (d->semi[d->label[above]] < d->semi[d->label[u]])
			d->label[u] = d->label[above];
		d->ancestor[u] = d->ancestor[above];
	}
}

static int32_t evaluate(struct dominators *d, int32_t v)
{
	if (!d->ancestor[v])
		return d->label[v];
	compress(d, v);
	return d->label[v];
}

int ptx_find_postdominators(struct ptx_function *function, struct error *err)
{
	const int blocks = function->block_count, exit_node = blocks;
	int32_t *start = NULL, *list = NULL, *cursor = NULL;
	int status = -1;
	struct dominators d = {.number = NULL};
	const size_t room = (size_t)blocks + 2;
	int32_t *memory = calloc(room * 10, sizeof *memory);
	cursor = calloc(room, sizeof *cursor);
	if (!memory || !cursor) {
		front_no_memory(err);
		goto done;
	}
	if (ptx_predecessors(function, &start, &list, err))
		goto done;
	int32_t **const parts[] = {&d.number, &d.node, &d.parent, &d.semi, &d.ancestor, &d.label, &d.idom, &d.bucket, &d.next_in_bucket, &d.stack};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		*parts[i] = memory + room * i;

	/* depth first from the exit, against the direction of control */
	int32_t count = 0;
	d.number[exit_node] = ++count;
	d.node[count] = exit_node;
	for (int last = blocks - 1; last >= 0; last--) {
		if (!leaves(function, last) || d.number[last])
			continue;
		int depth = 0;
		d.number[last] = ++count;
		d.node[count] = last;
		d.parent[count] = 1;
		d.stack[depth++] = last;
		cursor[last] = start[last];
		while (depth > 0) {
			const int32_t b = d.stack[depth - 1];
			if (cursor[b] == start[b + 1]) {
				depth--;
				continue;
			}
			const int32_t from = list[cursor[b]++];
			if (d.number[from])
				continue;
			d.number[from] = ++count;
			d.node[count] = from;
			d.parent[count] = d.number[b];
			cursor[from] = start[from];
			d.stack[depth++] = from;
		}
	}
	for (int32_t v = 1; v <= count; v++)
		d.semi[v] = d.label[v] = v;
	for (int32_t w = count; w > 1; w--) {
		const int32_t b = d.node[w];
		const struct ptx_block *block = &function->blocks[b];
		for (int i = -1; i < ptx_successor_count(function, block); i++) {
			const int32_t to = i >= 0 ? ptx_successor(function, block, i) : leaves(function, b) ? exit_node : -1;
			if (to < 0 || !d.number[to])
				continue;
			const int32_t u = evaluate(&d, d.number[to]);
			if (d.semi[u] < d.semi[w])
				d.semi[w] = d.semi[u];
		}
		d.next_in_bucket[w] = d.bucket[d.semi[w]];
		d.bucket[d.semi[w]] = w;
		d.ancestor[w] = d.parent[w];
		for (int32_t v = d.bucket[d.parent[w]]; v; v = d.next_in_bucket[v]) {
			const int32_t u = evaluate(&d, v);
			d.idom[v] = d.semi[u] < d.semi[v] ? u : d.parent[w];
		}
		d.bucket[d.parent[w]] = 0;
	}
	for (int32_t w = 2; w <= count; w++) {
		if (d.idom[w] != d.semi[w])
			d.idom[w] = d.idom[d.idom[w]];
		const int32_t to = d.node[d.idom[w]];
		function->blocks[d.node[w]].immediate_postdominator = to == exit_node ? -1 : to;
	}
	status = 0;
done:
	free(memory);
	free(cursor);
	free(start);
	free(list);
	return status;
}
