/* Blocks: the room they run in, their turns, and the threads of the host that run them. */
#include "device/ptx/core.h"

#include <stdlib.h>
#include <string.h>

/* ---- places ---- */

static void *room_for(size_t bytes)
{
	const size_t size = (bytes + PTX_UNIT) / PTX_UNIT * PTX_UNIT;
	void *memory = aligned_alloc(PTX_UNIT, size);
	if (memory)
		memset(memory, 0, size);
	return memory;
}

struct ptx_place *ptx_place_create(struct ptx_core *core, struct error *err)
{
	const struct ptx_launch_state *const state = &core->state;
	const struct ptx_program *const program = state->program;
	const uint32_t threads = state->threads[0] * state->threads[1] * state->threads[2];
	const int warps = (int)((threads + PTX_LANES - 1) / PTX_LANES), checks = state->checks;
	const size_t file = program->function->register_file_bytes, units = file / PTX_UNIT + 1;
	const size_t lane_bytes = core->kernel->local_bytes;
	struct ptx_place *const place = calloc(1, sizeof *place);
	if (!place)
		goto failed;
	struct ptx_block_state *const block = &place->block;
	*block = (struct ptx_block_state){
		.launch = &core->state, .shared_bytes = state->static_shared + state->dynamic_shared, .warp_count = warps, .threads = threads,
		.memory = state->memory, .entry = program, .parameters = (uint64_t)(uintptr_t)core->kernel->parameters,
		.parameter_bytes = program->function->parameter_bytes, .scheduler = place,
	};
	block->shared = room_for(block->shared_bytes);
	block->warps = calloc((size_t)warps, sizeof *block->warps);
	place->entries = calloc((size_t)warps, sizeof *place->entries);
	place->registers = room_for(file * (size_t)warps);
	place->locals = lane_bytes ? calloc((size_t)warps * PTX_LANES, lane_bytes) : NULL;
	if (!block->shared || !block->warps || !place->entries || !place->registers || (lane_bytes && !place->locals))
		goto failed;
	place->bytes = sizeof *place + block->shared_bytes + (size_t)warps * (sizeof *block->warps + file + lane_bytes * PTX_LANES);
	if (checks) {
		place->shadows = room_for(file * (size_t)warps);
		place->undefined = calloc(units * (size_t)warps, sizeof *place->undefined);
		place->clocks = calloc((size_t)warps * (size_t)warps, sizeof *place->clocks);
		place->local_undefined = lane_bytes ? calloc((size_t)warps * PTX_LANES, lane_bytes) : NULL;
		if (!place->shadows || !place->undefined || !place->clocks || (lane_bytes && !place->local_undefined))
			goto failed;
		if (ptx_shared_shadow_create(block, err) < 0) {
			ptx_place_destroy(place);
			return NULL;
		}
		place->bytes += (size_t)warps * (file + lane_bytes * PTX_LANES) + 16 * (size_t)block->shared_bytes;
	}
	for (int w = 0; w < warps; w++) {
		struct ptx_warp *const warp = &block->warps[w];
		struct ptx_frame *const frame = &place->entries[w];
		frame->program = program;
		frame->registers = place->registers + (size_t)w * file;
		if (checks) {
			frame->undefined = place->undefined + (size_t)w * units;
			frame->shadow = place->shadows + (size_t)w * file;
			warp->clock = place->clocks + (size_t)w * (size_t)warps;
		}
		warp->checks = checks;
		warp->block = block;
		warp->index = (uint32_t)w;
		warp->local_lane_bytes = (uint32_t)lane_bytes;
		if (lane_bytes) {
			warp->local = place->locals + (size_t)w * PTX_LANES * lane_bytes;
			warp->local_undefined = checks ? place->local_undefined + (size_t)w * PTX_LANES * lane_bytes : NULL;
		}
		for (uint32_t lane = 0; lane < PTX_LANES; lane++) {
			const uint32_t thread = (uint32_t)w * PTX_LANES + lane;
			warp->tid[0][lane] = thread % state->threads[0];
			warp->tid[1][lane] = thread / state->threads[0] % state->threads[1];
			warp->tid[2][lane] = thread / state->threads[0] / state->threads[1];
		}
	}
	return place;
failed:
	ptx_place_destroy(place);
	error_set(err, ERROR_ENVIRONMENT, "no memory for a block of kernel %s (%u threads, %u bytes of shared, %zu bytes of local memory a thread)",
		  core->kernel->function->name, threads, state->static_shared + state->dynamic_shared, lane_bytes);
	return NULL;
}

void ptx_place_destroy(struct ptx_place *place)
{
	if (!place)
		return;
	struct ptx_block_state *const block = &place->block;
	for (int w = 0; block->warps && w < block->warp_count; w++)
		ptx_async_destroy(&block->warps[w]);
	if (block->shared_shadow)
		ptx_shared_shadow_destroy(block);
	for (struct ptx_frame *frame = place->free_frames, *next; frame; frame = next) {
		next = frame->next_free;
		free(frame->registers);
		free(frame->undefined);
		free(frame->shadow);
		free(frame);
	}
	free(block->shared);
	free(block->warps);
	free(place->entries);
	free(place->registers);
	free(place->shadows);
	free(place->undefined);
	free(place->clocks);
	free(place->locals);
	free(place->local_undefined);
	free(place);
}

/* Frames of calls that were under way when a block was stopped go back to the others. */
static void release_calls(struct ptx_place *place)
{
	for (int w = 0; w < place->block.warp_count; w++) {
		struct ptx_warp *const warp = &place->block.warps[w];
		for (int i = 0; i < warp->split_count; i++)
			ptx_frame_release(place, warp->splits[i].frame);
		warp->split_count = 0;
		warp->live = 0;
	}
}

void ptx_place_begin(struct ptx_place *place, uint64_t number)
{
	struct ptx_block_state *const block = &place->block;
	const struct ptx_launch_state *const launch = block->launch;
	release_calls(place);
	block->ctaid[0] = (uint32_t)(number % launch->grid[0]);
	block->ctaid[1] = (uint32_t)(number / launch->grid[0] % launch->grid[1]);
	block->ctaid[2] = (uint32_t)(number / launch->grid[0] / launch->grid[1]);
	block->executed = 0;
	place->number = number;
	memset(place->barriers, 0, sizeof place->barriers);
	memset(block->shared, 0, block->shared_bytes); /* what a block finds there must not depend on who ran before it */
	if (block->shared_shadow)
		ptx_shared_shadow_reset(block);
	if (place->clocks)
		memset(place->clocks, 0, (size_t)block->warp_count * (size_t)block->warp_count * sizeof *place->clocks);
	for (int w = 0; w < block->warp_count; w++) {
		struct ptx_warp *const warp = &block->warps[w];
		const uint32_t rest = block->threads - (uint32_t)w * PTX_LANES;
		ptx_async_reset(warp);
		if (warp->clock)
			warp->clock[w] = 1;
		if (warp->local)
			memset(warp->local, 0, (size_t)PTX_LANES * warp->local_lane_bytes);
		if (warp->local_undefined)
			memset(warp->local_undefined, 0xff, (size_t)PTX_LANES * warp->local_lane_bytes);
		ptx_frame_start(&place->entries[w], warp->checks);
		ptx_warp_begin(warp, &place->entries[w], rest >= PTX_LANES ? ~0u : (1u << rest) - 1);
	}
}

/* ---- a block's turn ---- */

enum ptx_outcome ptx_block_run(struct ptx_place *place, struct ptx_worker *worker)
{
	struct ptx_block_state *const block = &place->block;
	struct ptx_core *const core = block->launch->core;
	const uint64_t begun = block->executed;
	for (int w = 0; w < block->warp_count; w++)
		block->warps[w].worker = worker;
	for (;;) {
		const uint64_t before = block->executed;
		int alive = 0, moved = 0;
		for (int w = 0; w < block->warp_count; w++) {
			struct ptx_warp *const warp = &block->warps[w];
			if (!warp->live)
				continue;
			if (atomic_load_explicit(&core->stop, memory_order_relaxed) || (core->launch->cancel && *core->launch->cancel))
				return PTX_BLOCK_STOPPED;
			switch (ptx_warp_run(warp, core->warp_slice)) {
			case PTX_TURN_STOPPED:
				return PTX_BLOCK_STOPPED;
			case PTX_TURN_ENDED:
				ptx_async_reset(warp);
				moved = 1;
				break;
			case PTX_TURN_SLICE:
				moved = 1;
				alive = 1;
				break;
			default:
				alive = 1;
				break;
			}
			if (block->executed >= core->budget) {
				const struct ptx_split *const split = warp->split_count ? &warp->splits[0] : NULL;
				const struct ptx_program *const program = split ? split->frame->program : block->entry;
				ptx_find(warp, &program->code[split ? split->index : 0], split ? ptx_first_lane(split->mask) : 0, PTX_FIND_BUDGET, 0,
					 "still running after %llu warp instructions of its block", (unsigned long long)block->executed);
				return PTX_BLOCK_STOPPED;
			}
		}
		if (!alive)
			return PTX_BLOCK_DONE;
		if (!moved && block->executed == before) {
			ptx_deadlock(place);
			return PTX_BLOCK_STOPPED;
		}
		if (block->executed - begun >= core->block_slice)
			return PTX_BLOCK_PAUSED;
	}
}

/* ---- the grid ---- */

static uint64_t mix(uint64_t value)
{
	value ^= value >> 30;
	value *= 0xbf58476d1ce4e5b9u; /* the finaliser of splitmix64 (Steele, Lea, Flood 2014) */
	value ^= value >> 27;
	value *= 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

/* A permutation of [0, blocks) that needs no table: a Feistel network over the next even number of bits, walked until it
 * falls inside (Black and Rogaway, Ciphers with arbitrary finite domains, 2002). */
static uint64_t block_at(const struct ptx_core *core, uint64_t position)
{
	if (!core->seed)
		return position;
	const int half = core->order_bits / 2;
	const uint64_t mask = (1ull << half) - 1;
	do {
		uint64_t left = position >> half, right = position & mask;
		for (uint64_t round = 0; round < 4; round++) {
			const uint64_t next = left ^ (mix(right ^ mix(core->seed + round)) & mask);
			left = right;
			right = next;
		}
		position = left << half | right;
	} while (position >= core->blocks);
	return position;
}

static void fail(struct ptx_core *core, const struct error *err)
{
	pthread_mutex_lock(&core->mutex);
	if (!core->failed) {
		core->failed = 1;
		core->failure = *err;
	}
	pthread_mutex_unlock(&core->mutex);
	atomic_store(&core->stop, 1);
}

/* A block to run: a new one as long as there are and those put aside leave room for it, else the one put aside longest. NULL:
 * nothing left for this thread. */
static struct ptx_place *take(struct ptx_core *core, struct ptx_place **spare)
{
	struct ptx_place *place = NULL;
	struct error err = {0};
	if (atomic_load(&core->stop))
		return NULL;
	const int paused = atomic_load_explicit(&core->paused_count, memory_order_relaxed);
	if (paused == 0 || (paused < PTX_RESIDENT_MAX && atomic_load(&core->place_bytes) * (size_t)paused < PTX_RESIDENT_BYTES)) {
		if (atomic_load_explicit(&core->next, memory_order_relaxed) < core->blocks) {
			place = *spare ? *spare : ptx_place_create(core, &err);
			*spare = NULL;
			if (place)
				atomic_store(&core->place_bytes, place->bytes);
			if (!place && paused == 0) {
				fail(core, &err);
				return NULL;
			}
		}
		if (place) {
			const uint64_t position = atomic_fetch_add(&core->next, 1);
			if (position < core->blocks) {
				ptx_place_begin(place, block_at(core, position));
				return place;
			}
			*spare = place;
		}
	}
	pthread_mutex_lock(&core->mutex);
	place = core->paused;
	if (place) {
		core->paused = place->next;
		if (!core->paused)
			core->paused_tail = &core->paused;
		atomic_fetch_sub(&core->paused_count, 1);
	}
	pthread_mutex_unlock(&core->mutex);
	return place;
}

static void put_aside(struct ptx_core *core, struct ptx_place *place)
{
	place->next = NULL;
	pthread_mutex_lock(&core->mutex);
	*core->paused_tail = place;
	core->paused_tail = &place->next;
	atomic_fetch_add(&core->paused_count, 1);
	pthread_mutex_unlock(&core->mutex);
}

static void work(struct ptx_worker *worker)
{
	struct ptx_core *const core = worker->launch->core;
	struct ptx_place *place, *spare = NULL;
	while ((place = take(core, &spare))) {
		switch (ptx_block_run(place, worker)) {
		case PTX_BLOCK_PAUSED:
			put_aside(core, place);
			break;
		case PTX_BLOCK_DONE:
			worker->counts.blocks++;
			worker->counts.warps += (uint64_t)place->block.warp_count;
			if (spare)
				ptx_place_destroy(place);
			else
				spare = place;
			break;
		default:
			atomic_store(&core->stop, 1);
			release_calls(place);
			ptx_place_destroy(place);
			break;
		}
	}
	if (spare) {
		release_calls(spare);
		ptx_place_destroy(spare);
	}
}

static void *thread_main(void *worker)
{
	work(worker);
	return NULL;
}

static void add_counts(struct ptx_counts *into, const struct ptx_counts *from)
{
	_Static_assert(sizeof *into % sizeof(uint64_t) == 0, "counts are 64-bit numbers");
	uint64_t *const to = (uint64_t *)(void *)into;
	const uint64_t *const what = (const uint64_t *)(const void *)from;
	for (size_t i = 0; i < sizeof *into / sizeof(uint64_t); i++)
		to[i] += what[i];
}

int ptx_grid_run(struct ptx_core *core, int workers, struct ptx_counts *counts, uint64_t *executed, uint64_t *lanes, struct error *err)
{
	const size_t counters = core->kernel->counters;
	int failed = 0, started = 0;
	struct ptx_worker *const all = calloc((size_t)workers, sizeof *all);
	pthread_t *const threads = calloc((size_t)workers, sizeof *threads);
	if (!all || !threads) {
		failed = error_set(err, ERROR_ENVIRONMENT, "no memory for %d threads", workers);
		goto done;
	}
	for (int i = 0; i < workers; i++) {
		all[i].launch = &core->state;
		all[i].executed = calloc(counters, sizeof *all[i].executed);
		all[i].lanes = calloc(counters, sizeof *all[i].lanes);
		if (!all[i].executed || !all[i].lanes) {
			failed = error_set(err, ERROR_ENVIRONMENT, "no memory for the counters of %zu instructions", counters);
			goto done;
		}
	}
	/* a thread that cannot be had is done without: this one does all that is left */
	for (started = 1; started < workers; started++)
		if (pthread_create(&threads[started], NULL, thread_main, &all[started]) != 0)
			break;
	work(&all[0]);
	for (int i = 1; i < started; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < workers; i++) {
		add_counts(counts, &all[i].counts);
		for (size_t n = 0; n < counters; n++) {
			executed[n] += all[i].executed[n];
			lanes[n] += all[i].lanes[n];
		}
	}
	while (core->paused) {
		struct ptx_place *const next = core->paused->next;
		release_calls(core->paused);
		ptx_place_destroy(core->paused);
		core->paused = next;
	}
done:
	for (int i = 0; all && i < workers; i++) {
		free(all[i].executed);
		free(all[i].lanes);
	}
	free(all);
	free(threads);
	return failed;
}
