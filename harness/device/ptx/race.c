/* Races in shared memory between the warps of a block, by happens-before.
 *
 * A warp's clock counts its epochs; it holds what it knows of the others' (machine.h, ptx_warp.clock). Each word of shared memory
 * remembers its last write and the reads since, as (warp, epoch): an access is ordered after those of another warp when its
 * own warp's clock has seen their epoch (the algorithm of Flanagan and Freund, "FastTrack", PLDI 2009). Words are the unit as
 * long as they are touched whole; a word that is touched in part is split into bytes for the rest of the block, so that
 * neighbours are never mistaken for each other.
 *
 * What counts as a race: two accesses of different warps to the same byte, at least one a write, at least one weak (plain), and
 * no order between them. Two strong ones (atom, red, .volatile, .relaxed, .acquire, .release) never race. A write of the value
 * that is there already is no race with another write: compute-sanitizer's racecheck also holds write-after-write of equal
 * values to be harmless (it reports them at its lowest level, as information); with reads it is one. Lanes of one warp are not
 * looked at. Of several strong writes only the last is remembered.
 *
 * Epochs that are kept are offset by those of earlier blocks in the same place, so that nothing is cleared between blocks. */
#include "device/ptx/memory_private.h"

#include <stdlib.h>

enum {
	STRONG = 0x80,             /* in `writer` */
	WARPS_MAX = 32,
	EPOCH_MAX = 1 << 30,       /* beyond it nothing is looked at in this block */
	MANY = INT32_MAX,          /* read_epoch: readers of different epochs; `readers` is the index of their clocks */
	MANY_ROOM = 1 << 14,       /* such words at a time; beyond, some reads are forgotten */
	SYNCS = 64                 /* words by which warps synchronise, remembered at a time */
};
#define STRONG_READS 0x80000000u /* in `read_line`: every reader was strong */

/* By word, or by byte. */
struct grid {
	uint32_t count;
	int32_t *write_epoch, *read_epoch;
	uint32_t *readers;         /* warps that read in read_epoch */
	uint32_t *write_line, *read_line; /* of the PTX */
	uint8_t *writer;           /* warp | STRONG */
};

struct sync {
	uint64_t offset;
	int used;
	uint32_t clock[WARPS_MAX];
};

struct ptx_races {
	int warps;
	int32_t base;              /* epochs up to this belong to earlier blocks */
	int32_t latest;            /* highest epoch kept in this block */
	struct grid words, bytes;  /* bytes: made with the first split */
	uint8_t *split;            /* by word */
	int any_split;
	int32_t floor[WARPS_MAX], floor_epoch[WARPS_MAX]; /* by warp: accesses of others up to here are known to be before, as long as
							     the warp is in that epoch */
	int32_t (*many)[WARPS_MAX];
	uint32_t many_count, many_free;
	struct sync syncs[SYNCS];
	int sync_count, sync_next;
};

void ptx_clock_join(uint32_t *into, const uint32_t *from, int warps)
{
	for (int w = 0; w < warps; w++)
		into[w] = into[w] > from[w] ? into[w] : from[w];
}

static void grid_free(struct grid *grid)
{
	free(grid->write_epoch);
	free(grid->read_epoch);
	free(grid->readers);
	free(grid->write_line);
	free(grid->read_line);
	free(grid->writer);
	memset(grid, 0, sizeof *grid);
}

static int grid_create(struct grid *grid, uint32_t count)
{
	grid->count = count;
	grid->write_epoch = calloc(count + 1, sizeof *grid->write_epoch);
	grid->read_epoch = calloc(count + 1, sizeof *grid->read_epoch);
	grid->readers = calloc(count + 1, sizeof *grid->readers);
	grid->write_line = calloc(count + 1, sizeof *grid->write_line);
	grid->read_line = calloc(count + 1, sizeof *grid->read_line);
	grid->writer = calloc(count + 1, sizeof *grid->writer);
	if (grid->write_epoch && grid->read_epoch && grid->readers && grid->write_line && grid->read_line && grid->writer)
		return 0;
	grid_free(grid);
	return -1;
}

int ptx_race_create(struct ptx_block_state *block, struct error *err)
{
	struct ptx_shared_shadow *shadow = block->shared_shadow;
	struct ptx_races *races = calloc(1, sizeof *races);
	if (!races)
		return error_set(err, ERROR_ENVIRONMENT, "no memory for the checks of shared memory");
	shadow->races = races;
	races->warps = block->warp_count;
	races->split = calloc(shadow->words + 1, 1);
	if (!races->split || grid_create(&races->words, shadow->words)) {
		ptx_race_destroy(block);
		return error_set(err, ERROR_ENVIRONMENT, "no memory for the checks of shared memory");
	}
	return 0;
}

void ptx_race_reset(struct ptx_block_state *block)
{
	struct ptx_shared_shadow *shadow = block->shared_shadow;
	struct ptx_races *races = shadow->races;
	races->base = races->latest > races->base ? races->latest : races->base;
	if (races->base > EPOCH_MAX / 2 || races->many_count) {
		/* epochs that cannot go on, or words whose readers are kept elsewhere */
		memset(races->words.write_epoch, 0, races->words.count * sizeof *races->words.write_epoch);
		memset(races->words.read_epoch, 0, races->words.count * sizeof *races->words.read_epoch);
		if (races->bytes.count) {
			memset(races->bytes.write_epoch, 0, races->bytes.count * sizeof *races->bytes.write_epoch);
			memset(races->bytes.read_epoch, 0, races->bytes.count * sizeof *races->bytes.read_epoch);
		}
		races->base = 0;
	}
	races->latest = races->base;
	races->many_count = races->many_free = 0;
	if (races->any_split)
		memset(races->split, 0, shadow->words);
	races->any_split = 0;
	races->sync_count = races->sync_next = 0;
	for (int w = 0; w < WARPS_MAX; w++)
		races->floor_epoch[w] = -1;
}

void ptx_race_destroy(struct ptx_block_state *block)
{
	struct ptx_races *races = block->shared_shadow ? block->shared_shadow->races : NULL;
	if (!races)
		return;
	grid_free(&races->words);
	grid_free(&races->bytes);
	free(races->split);
	free(races->many);
	free(races);
	block->shared_shadow->races = NULL;
}

/* One access as the grids see it. */
struct look {
	struct ptx_races *races;
	struct ptx_access *access;
	const uint32_t *clock;
	int warp, lane;            /* lane for the finding */
	int32_t epoch, floor;
	uint32_t bit, line;
	int writes, strong;
};

static int ordered(const struct look *look, int warp, int32_t epoch)
{
	return warp == look->warp || epoch <= look->races->base + (int32_t)look->clock[warp];
}

/* Bytes of the lane that cover grid cell [offset, offset + size) hold what is there already. */
static int same_value(const struct look *look, uint64_t offset, unsigned size)
{
	const struct ptx_access *access = look->access;
	const struct ptx_insn *insn = access->insn;
	if (access->kind != ACCESS_WRITE || (!access->source && !access->value))
		return 0;
	/* the highest lane that writes there wins */
	for (int lane = PTX_LANES - 1; lane >= 0; lane--) {
		const uint64_t start = access->address[lane];
		if (!(access->lanes >> lane & 1) || offset < start || offset + size > start + access->bytes)
			continue;
		unsigned char bytes[ACCESS_BYTES_MAX];
		if (access->value) {
			memcpy(bytes, access->value, access->bytes);
		} else {
			const unsigned width = insn->option[OPTION_WIDTH];
			for (unsigned e = 0; e < insn->option[OPTION_ELEMENTS]; e++)
				memcpy(bytes + e * width, (const unsigned char *)ptx_at(access->warp, &access->source[e]) +
					(size_t)lane * access->source[e].lane_bytes, width);
		}
		return memcmp(bytes + (offset - start), access->warp->block->shared + offset, size) == 0;
	}
	return 0;
}

static const char *kind_of(const struct look *look)
{
	return !look->writes ? "reads" : look->access->kind == ACCESS_ATOMIC ? "changes" : "writes";
}

static void report(const struct look *look, uint64_t offset, const char *other, int warp, uint32_t line)
{
	/* the lane that touches the byte */
	int lane = __builtin_ctz(look->access->lanes);
	for (uint32_t rest = look->access->lanes; rest; rest &= rest - 1) {
		const int l = __builtin_ctz(rest);
		if (offset - look->access->address[l] < look->access->bytes || look->access->address[l] - offset < 4) {
			lane = l;
			break;
		}
	}
	ptx_note(look->access->warp, look->access->insn, lane, PTX_FIND_RACE, offset,
		 "%s shared memory at offset %llu, which warp %d %s at line %u with no barrier in between", kind_of(look),
		 (unsigned long long)offset, warp, other, line & ~STRONG_READS);
}

/* One cell, whatever its state. */
static void look_at(const struct look *look, struct grid *grid, uint32_t i, unsigned size)
{
	struct ptx_races *races = look->races;
	const uint64_t offset = (uint64_t)i * size;
	const int last = grid->writer[i] & ~STRONG, last_strong = grid->writer[i] & STRONG;
	int told = 0;

	if (grid->write_epoch[i] > races->base && !ordered(look, last, grid->write_epoch[i]) && !(look->strong && last_strong) &&
	    !(look->writes && same_value(look, offset, size))) {
		report(look, offset, "wrote", last, grid->write_line[i]);
		told = 1;
	}
	const int reads_strong = (grid->read_line[i] & STRONG_READS) != 0;
	if (look->writes) {
		if (grid->read_epoch[i] > races->base && !(look->strong && reads_strong) && !told) {
			for (int w = 0; w < races->warps; w++) {
				int32_t epoch = 0;
				if (grid->read_epoch[i] == MANY)
					epoch = races->many[grid->readers[i]][w];
				else if (grid->readers[i] >> w & 1)
					epoch = grid->read_epoch[i];
				if (epoch && !ordered(look, w, epoch)) {
					report(look, offset, "read", w, grid->read_line[i]);
					break;
				}
			}
		}
		grid->read_epoch[i] = 0;
		grid->readers[i] = 0;
		grid->write_epoch[i] = look->epoch;
		grid->writer[i] = (uint8_t)(look->warp | (look->strong ? STRONG : 0));
		grid->write_line[i] = look->line;
		return;
	}
	/* a read joins the readers of its epoch, or takes the place of those before it */
	const uint32_t strong = look->strong ? STRONG_READS : 0;
	if (grid->read_epoch[i] == look->epoch) {
		grid->readers[i] |= look->bit;
		grid->read_line[i] = look->line | (strong & grid->read_line[i]);
		return;
	}
	int before = 1;
	if (grid->read_epoch[i] == MANY) {
		before = 0;
	} else if (grid->read_epoch[i] > races->base) {
		for (int w = 0; w < races->warps && before; w++)
			if (grid->readers[i] >> w & 1)
				before = ordered(look, w, grid->read_epoch[i]);
	}
	if (before) {
		grid->read_epoch[i] = look->epoch;
		grid->readers[i] = look->bit;
		grid->read_line[i] = look->line | strong;
		return;
	}
	if (grid->read_epoch[i] != MANY) {
		if (!races->many && !(races->many = malloc(MANY_ROOM * sizeof *races->many)))
			return;
		if (races->many_count == MANY_ROOM)
			return;
		int32_t *clocks = races->many[races->many_count];
		for (int w = 0; w < WARPS_MAX; w++)
			clocks[w] = grid->readers[i] >> w & 1 ? grid->read_epoch[i] : 0;
		grid->read_epoch[i] = MANY;
		grid->readers[i] = races->many_count++;
	}
	races->many[grid->readers[i]][look->warp] = look->epoch;
	grid->read_line[i] = look->line | (strong & grid->read_line[i]);
}

/* What is not known to be before is the warp's own: a warp that works in a part of its own, between barriers. */
static int only_own(const struct look *look, const struct grid *grid, uint32_t first, uint32_t last)
{
	int foreign = 0;
	for (uint32_t i = first; i < last; i++) {
		foreign |= (grid->write_epoch[i] > look->floor) & (grid->writer[i] != look->warp);
		foreign |= (grid->read_epoch[i] > look->floor) & ((grid->readers[i] != look->bit) | (grid->read_epoch[i] == MANY)) &
			   (look->writes | (grid->read_epoch[i] != look->epoch));
	}
	return !foreign;
}

/* Whole words [first, last), none split, of a weak access. The loops are written for the vectoriser. */
static void look_at_words(const struct look *look, uint32_t first, uint32_t last)
{
	struct grid *grid = &look->races->words;
	int32_t *restrict write_epoch = grid->write_epoch, *restrict read_epoch = grid->read_epoch;
	uint32_t *restrict readers = grid->readers;
	const int32_t floor = look->floor, epoch = look->epoch;
	const uint32_t bit = look->bit;
	int late = 0;
	if (look->writes) {
		for (uint32_t i = first; i < last; i++)
			late |= (write_epoch[i] > floor) | (read_epoch[i] > floor);
		if (late && !only_own(look, grid, first, last)) {
			for (uint32_t i = first; i < last; i++)
				look_at(look, grid, i, 4);
			return;
		}
		for (uint32_t i = first; i < last; i++) {
			write_epoch[i] = epoch;
			read_epoch[i] = 0;
			grid->write_line[i] = look->line;
		}
		memset(grid->writer + first, look->warp, last - first);
		return;
	}
	for (uint32_t i = first; i < last; i++)
		late |= (write_epoch[i] > floor) | ((read_epoch[i] > floor) & (read_epoch[i] != epoch));
	if (late && !only_own(look, grid, first, last)) {
		for (uint32_t i = first; i < last; i++)
			look_at(look, grid, i, 4);
		return;
	}
	for (uint32_t i = first; i < last; i++) {
		readers[i] = read_epoch[i] == epoch ? readers[i] | bit : bit; /* those of other epochs were before, or its own */
		read_epoch[i] = epoch;
		grid->read_line[i] = look->line;
	}
}

/* The word's state is that of each of its bytes from now on. */
static int split_word(struct ptx_races *races, uint32_t word)
{
	struct grid *bytes = &races->bytes;
	const struct grid *words = &races->words;
	if (!bytes->count && grid_create(bytes, words->count * 4))
		return -1;
	for (uint32_t i = 4 * word; i < 4 * word + 4; i++) {
		bytes->write_epoch[i] = words->write_epoch[word];
		bytes->read_epoch[i] = words->read_epoch[word];
		bytes->readers[i] = words->readers[word];
		bytes->write_line[i] = words->write_line[word];
		bytes->read_line[i] = words->read_line[word];
		bytes->writer[i] = words->writer[word];
		if (words->read_epoch[word] == MANY && i > 4 * word) { /* each byte needs clocks of its own */
			if (races->many_count == MANY_ROOM)
				return -1;
			memcpy(races->many[races->many_count], races->many[words->readers[word]], sizeof *races->many);
			bytes->readers[i] = races->many_count++;
		}
	}
	races->split[word] = 1;
	races->any_split = 1;
	return 0;
}

static void look_at_range(const struct look *look, uint64_t offset, uint64_t bytes)
{
	struct ptx_races *races = look->races;
	const uint64_t end = offset + bytes;
	uint32_t word = (uint32_t)(offset / 4);
	const uint32_t last = (uint32_t)((end + 3) / 4);
	if (offset % 4 == 0 && end % 4 == 0 && !look->strong && (!races->any_split || !memchr(races->split + word, 1, last - word))) {
		look_at_words(look, word, last);
		return;
	}
	for (; word < last; word++) {
		const uint64_t from = offset > 4 * (uint64_t)word ? offset : 4 * (uint64_t)word;
		const uint64_t to = end < 4 * (uint64_t)word + 4 ? end : 4 * (uint64_t)word + 4;
		if (!races->split[word]) {
			if (to - from == 4) {
				look_at(look, &races->words, word, 4);
				continue;
			}
			if (split_word(races, word))
				continue; /* without memory less is looked at */
		}
		for (uint64_t i = from; i < to; i++)
			look_at(look, &races->bytes, (uint32_t)i, 1);
	}
}

static int32_t floor_of(struct ptx_races *races, const struct ptx_warp *warp, int32_t epoch)
{
	const uint32_t w = warp->index;
	if (races->floor_epoch[w] != epoch) {
		uint32_t floor = UINT32_MAX;
		for (int v = 0; v < races->warps; v++)
			if ((uint32_t)v != w && warp->clock[v] < floor)
				floor = warp->clock[v];
		races->floor[w] = races->base + (int32_t)(floor < EPOCH_MAX ? floor : EPOCH_MAX);
		races->floor_epoch[w] = epoch;
	}
	return races->floor[w];
}

void ptx_race_check(struct ptx_access *access)
{
	struct ptx_warp *warp = access->warp;
	struct ptx_races *races = warp->block->shared_shadow->races;
	if (!warp->clock || warp->index >= WARPS_MAX || warp->clock[warp->index] > EPOCH_MAX / 2)
		return;
	struct look look = {
		.races = races, .access = access, .clock = warp->clock, .warp = (int)warp->index, .bit = 1u << warp->index,
		.epoch = races->base + (int32_t)warp->clock[warp->index],
		.line = access->insn->source ? access->insn->source->position.line & ~STRONG_READS : 0,
		.writes = access->kind != ACCESS_READ, .strong = access->kind == ACCESS_ATOMIC || access->strong != STRENGTH_WEAK,
	};
	if (access->strong == STRENGTH_ACQUIRE || access->strong == STRENGTH_ACQ_REL)
		for (uint32_t rest = access->lanes; rest; rest &= rest - 1)
			ptx_race_acquire(warp, access->address[__builtin_ctz(rest)]);
	look.floor = floor_of(races, warp, look.epoch);
	races->latest = look.epoch > races->latest ? look.epoch : races->latest;
	if (access->consecutive)
		look_at_range(&look, access->address[0], (uint64_t)PTX_LANES * access->bytes);
	else if (access->uniform)
		look_at_range(&look, access->address[__builtin_ctz(access->lanes)], access->bytes);
	else
		for (uint32_t rest = access->lanes; rest; rest &= rest - 1)
			look_at_range(&look, access->address[__builtin_ctz(rest)], access->bytes);
	if (access->strong == STRENGTH_RELEASE || access->strong == STRENGTH_ACQ_REL)
		for (uint32_t rest = access->lanes; rest; rest &= rest - 1)
			ptx_race_release(warp, access->address[__builtin_ctz(rest)]);
}

static struct sync *sync_at(struct ptx_races *races, uint64_t offset)
{
	for (int i = 0; i < races->sync_count; i++)
		if (races->syncs[i].offset == offset)
			return &races->syncs[i];
	return NULL;
}

void ptx_race_release(struct ptx_warp *warp, uint64_t offset)
{
	struct ptx_races *races = warp->block->shared_shadow ? warp->block->shared_shadow->races : NULL;
	if (!races || !warp->clock)
		return;
	struct sync *sync = sync_at(races, offset);
	if (!sync) {
		if (races->sync_count < SYNCS) {
			sync = &races->syncs[races->sync_count++];
		} else { /* the oldest is forgotten: an order that is there may then be missed */
			sync = &races->syncs[races->sync_next];
			races->sync_next = (races->sync_next + 1) % SYNCS;
		}
		*sync = (struct sync){.offset = offset};
	}
	ptx_clock_join(sync->clock, warp->clock, races->warps);
	warp->clock[warp->index]++;
}

void ptx_race_acquire(struct ptx_warp *warp, uint64_t offset)
{
	struct ptx_races *races = warp->block->shared_shadow ? warp->block->shared_shadow->races : NULL;
	if (!races || !warp->clock)
		return;
	const struct sync *sync = sync_at(races, offset);
	if (!sync)
		return;
	ptx_clock_join(warp->clock, sync->clock, races->warps);
	races->floor_epoch[warp->index] = -1;
}
