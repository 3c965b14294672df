/* Checks what the allocator gave against the meaning of the code, by a way of its own: forwards, who wrote each slot last?
 * (The allocator goes backwards: who is read later?) Every read must find its own register's value on every path. */
#ifndef ASSAY_TESTS_PTX_ALLOCATION_H
#define ASSAY_TESTS_PTX_ALLOCATION_H

#include "device/ptx/front.h"
#include "device/ptx/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct allocation_check {
	const struct ptx_function *function;
	int32_t *owner;            /* by slot, while walking: register, -1 nobody, -2 one of several */
	const struct ptx_instruction *instruction;
	uint32_t read[512];        /* slots read by the instruction */
	int32_t read_registers[512];
	int read_count, faults, silent;
};

static int allocation_quiet; /* for the test of this check */

static inline void allocation_fault(struct allocation_check *check, int32_t reg, const char *what)
{
	if (!check->silent && check->faults++ < 3 && !allocation_quiet)
		fprintf(stderr, "%s: PTX line %u: %s: %s\n", check->function->name, check->instruction->position.line,
			check->function->registers[reg].name, what);
}

static void allocation_visit(void *context, int32_t reg, int access)
{
	struct allocation_check *check = context;
	const struct ptx_register *r = &check->function->registers[reg];
	const uint32_t slot = r->slot / PTX_UNIT;
	if (access & PTX_ACCESS_READ) {
		if (check->owner[slot] != reg)
			allocation_fault(check, reg, "read, but its slot was written for another register on some path");
		if (check->read_count < 512) {
			check->read[check->read_count] = slot;
			check->read_registers[check->read_count++] = reg;
		}
	}
	if (access & PTX_ACCESS_WRITE) {
		for (int i = 0; i < check->read_count; i++)
			if (check->read[i] == slot && check->read_registers[i] != reg)
				allocation_fault(check, reg, "destination in the slot of a source");
		check->owner[slot] = reg;
	}
}

/* Faults found; 0 is what it should be. */
static inline int allocation_faults(const struct ptx_function *function)
{
	const int slots = (int)(function->register_file_bytes / PTX_UNIT) + 1, blocks = function->block_count;
	struct allocation_check check = {.function = function};
	int32_t *at_start = malloc((size_t)slots * (size_t)blocks * sizeof *at_start);
	unsigned char *reached = calloc((size_t)blocks, 1);
	unsigned char *lanes = calloc((size_t)slots, 1);
	int32_t *queue = malloc((size_t)blocks * sizeof *queue);
	check.owner = malloc((size_t)slots * sizeof *check.owner);
	for (int i = 0; i < slots; i++)
		at_start[i] = -1;
	for (int r = 0; r < function->register_count; r++) {
		const struct ptx_register *reg = &function->registers[r];
		if (!reg->used)
			continue;
		const unsigned units = reg->lane_bytes <= 4 ? 1 : reg->lane_bytes / 4;
		for (unsigned u = 0; u < units; u++) { /* one lane size, aligned, inside the file */
			const uint32_t slot = reg->slot / PTX_UNIT + u;
			const unsigned char size = (unsigned char)(reg->lane_bytes + 1 + 32 * u);
			if (reg->slot % PTX_UNIT || (int)slot >= slots - 1 || (lanes[slot] && lanes[slot] != size)) {
				fprintf(stderr, "%s: %s: slot %u\n", function->name, reg->name, reg->slot);
				check.faults++;
			}
			lanes[slot] = size;
		}
		if (reg->live_at_entry) {
			if (at_start[reg->slot / PTX_UNIT] >= 0) {
				fprintf(stderr, "%s: two registers live at entry in slot %u\n", function->name, reg->slot);
				check.faults++;
			}
			at_start[reg->slot / PTX_UNIT] = r;
		}
	}
	/* settle who owns what at the start of each block, then look at the reads */
	const int32_t first = 0;
	int count = 0;
	queue[count++] = first;
	reached[0] = 3; /* reached, queued */
	for (int pass = 0; pass < 2; pass++) {
		if (pass)
			for (int b = 0; b < blocks; b++)
				if (reached[b])
					queue[count++] = b;
		check.silent = pass == 0; /* not settled yet */
		while (count > 0) {
			const int32_t b = queue[--count];
			const struct ptx_block *block = &function->blocks[b];
			reached[b] = 1;
			memcpy(check.owner, at_start + (size_t)b * (size_t)slots, (size_t)slots * sizeof *check.owner);
			for (int i = 0; i < block->count; i++) {
				check.instruction = &function->instructions[block->first + i];
				check.read_count = 0;
				ptx_visit_registers(function, check.instruction, allocation_visit, &check);
			}
			if (pass == 0) {
				for (int s = 0; s < ptx_successor_count(function, block); s++) {
					const int32_t to = ptx_successor(function, block, s);
					if (to < 0)
						continue;
					int32_t *there = at_start + (size_t)to * (size_t)slots;
					int changed = !reached[to];
					for (int k = 0; k < slots; k++) {
						const int32_t merged = !reached[to] || there[k] == check.owner[k] ? check.owner[k] : -2;
						changed |= merged != there[k];
						there[k] = merged;
					}
					if (changed && reached[to] != 3) {
						reached[to] = 3;
						queue[count++] = to;
					}
				}
			}
		}
	}
	free(at_start);
	free(reached);
	free(lanes);
	free(queue);
	free(check.owner);
	return check.faults;
}

#endif
