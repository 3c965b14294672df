/* Races in shared memory between the warps of a block, by happens-before.
 *
 * A warp's clock counts its epochs; it holds what it knows of the others' (machine.h, ptx_warp.clock). Each cell of shared memory
 * remembers its last write and the reads since, as (warp, epoch): an access is ordered after those of another warp when its
 * own warp's clock has seen their epoch (the algorithm of Flanagan and Freund, "FastTrack", PLDI 2009). Cells of 16 bytes are
 * the unit as long as they are touched whole (rows of ldmatrix, vectors, warps that go along); one that is touched in part is
 * split into words for the rest of the block, and such a word into bytes, so that neighbours are never mistaken for each other.
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
	MANY_ROOM = 1 << 14,       /* such cells at a time; beyond, some reads are forgotten */
	SYNCS = 64,                /* words by which warps synchronise, remembered at a time */
	LEVELS = 3
};
#define STRONG_READS 0x80000000u /* in `read_line`: every reader was strong */
static const unsigned level_bits[LEVELS] = {4, 2, 0}; /* bytes of a cell, as a power of two */

struct cell {
	int32_t write_epoch, read_epoch; /* 0: never */
	uint32_t readers;          /* warps that read in read_epoch */
	uint32_t write_line, read_line; /* of the PTX */
	uint8_t writer;            /* warp | STRONG */
	uint8_t split;             /* see the cells of the next level */
};

struct sync {
	uint64_t offset;
	uint32_t clock[WARPS_MAX];
};

struct ptx_races {
	int warps;
	int32_t base;              /* epochs up to this belong to earlier blocks */
	int32_t latest;            /* highest epoch kept in this block */
	struct cell *cells[LEVELS]; /* the lower levels are made with the first split */
	uint32_t counts[LEVELS];
	int any_split;
	int32_t floor[WARPS_MAX], floor_epoch[WARPS_MAX]; /* by warp: accesses of others up to here are known to be before, as long as
							     the warp is in that epoch */
	int32_t (*many)[WARPS_MAX];
	uint32_t many_count;
	struct sync syncs[SYNCS];
	int sync_count, sync_next;
};

void ptx_clock_join(uint32_t *into, const uint32_t *from, int warps)
{
	for (int w = 0; w < warps; w++)
		into[w] = into[w] > from[w] ? into[w] : from[w];
}

static struct cell *make_cells(struct ptx_races *races, int level, uint32_t bytes)
{
	races->counts[level] = ((bytes + 15) / 16) << (4 - level_bits[level]);
	races->cells[level] = calloc(races->counts[level] + 1, sizeof *races->cells[level]);
	return races->cells[level];
}

int ptx_race_create(struct ptx_block_state *block, struct error *err)
{
	struct ptx_shared_shadow *shadow = block->shared_shadow;
	struct ptx_races *races = calloc(1, sizeof *races);
	shadow->races = races;
	if (!races || !make_cells(races, 0, shadow->bytes)) {
		ptx_race_destroy(block);
		return error_set(err, ERROR_ENVIRONMENT, "no memory for the checks of shared memory");
	}
	races->warps = block->warp_count;
	return 0;
}

void ptx_race_reset(struct ptx_block_state *block)
{
	struct ptx_races *races = block->shared_shadow->races;
	races->base = races->latest > races->base ? races->latest : races->base;
	if (races->base > EPOCH_MAX / 2 || races->many_count || races->any_split) {
		/* epochs that cannot go on, or cells that look elsewhere; lower levels are written when a cell is split */
		memset(races->cells[0], 0, races->counts[0] * sizeof *races->cells[0]);
		races->base = 0;
	}
	races->latest = races->base;
	races->many_count = 0;
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
	for (int level = 0; level < LEVELS; level++)
		free(races->cells[level]);
	free(races->many);
	free(races);
	block->shared_shadow->races = NULL;
}

/* One access as the cells see it. */
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

/* What the access writes to [offset, offset + size), size a power of two, is there already. */
static int same_value(const struct look *look, uint64_t offset, unsigned size)
{
	const struct ptx_access *access = look->access;
	const struct ptx_insn *insn = access->insn;
	if (access->kind != ACCESS_WRITE || (!access->source && !access->value))
		return 0;
	const unsigned piece = size < access->bytes ? size : access->bytes;
	for (uint64_t at = offset; at < offset + size; at += piece) {
		int same = 0;
		/* the highest lane that writes there wins */
		for (int lane = PTX_LANES - 1; lane >= 0; lane--) {
			const uint64_t start = access->address[lane];
			if (!(access->lanes >> lane & 1) || at < start || at + piece > start + access->bytes)
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
			same = memcmp(bytes + (at - start), access->warp->block->shared + at, piece) == 0;
			break;
		}
		if (!same)
			return 0;
	}
	return 1;
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
		if (offset - look->access->address[l] < look->access->bytes || look->access->address[l] - offset < 16) {
			lane = l;
			break;
		}
	}
	ptx_note(look->access->warp, look->access->insn, lane, PTX_FIND_RACE, offset,
		 "%s shared memory at offset %llu, which warp %d %s at line %u with no barrier in between", kind_of(look),
		 (unsigned long long)offset, warp, other, line & ~STRONG_READS);
}

/* One cell, whatever its state. */
static __attribute__((noinline)) void look_closely(const struct look *look, struct cell *cell, uint64_t offset, unsigned size)
{
	struct ptx_races *races = look->races;
	const int last = cell->writer & ~STRONG, last_strong = cell->writer & STRONG;
	int told = 0;

	if (cell->write_epoch > races->base && !ordered(look, last, cell->write_epoch) && !(look->strong && last_strong) &&
	    !(look->writes && same_value(look, offset, size))) {
		report(look, offset, "wrote", last, cell->write_line);
		told = 1;
	}
	if (look->writes) {
		const int reads_strong = (cell->read_line & STRONG_READS) != 0;
		if (cell->read_epoch > races->base && !(look->strong && reads_strong) && !told) {
			for (int w = 0; w < races->warps; w++) {
				int32_t epoch = 0;
				if (cell->read_epoch == MANY)
					epoch = races->many[cell->readers][w];
				else if (cell->readers >> w & 1)
					epoch = cell->read_epoch;
				if (epoch && !ordered(look, w, epoch)) {
					report(look, offset, "read", w, cell->read_line);
					break;
				}
			}
		}
		cell->read_epoch = 0;
		cell->readers = 0;
		cell->write_epoch = look->epoch;
		cell->writer = (uint8_t)(look->warp | (look->strong ? STRONG : 0));
		cell->write_line = look->line;
		return;
	}
	/* a read joins the readers of its epoch, or takes the place of those before it */
	const uint32_t strong = look->strong ? STRONG_READS : 0;
	if (cell->read_epoch == look->epoch) {
		cell->readers |= look->bit;
		cell->read_line = look->line | (strong & cell->read_line);
		return;
	}
	int before = 1;
	if (cell->read_epoch == MANY) {
		before = 0;
	} else if (cell->read_epoch > races->base) {
		for (int w = 0; w < races->warps && before; w++)
			if (cell->readers >> w & 1)
				before = ordered(look, w, cell->read_epoch);
	}
	if (before) {
		cell->read_epoch = look->epoch;
		cell->readers = look->bit;
		cell->read_line = look->line | strong;
		return;
	}
	if (cell->read_epoch != MANY) {
		if (!races->many && !(races->many = malloc(MANY_ROOM * sizeof *races->many)))
			return;
		if (races->many_count == MANY_ROOM)
			return;
		int32_t *clocks = races->many[races->many_count];
		for (int w = 0; w < WARPS_MAX; w++)
			clocks[w] = cell->readers >> w & 1 ? cell->read_epoch : 0;
		cell->read_epoch = MANY;
		cell->readers = races->many_count++;
	}
	races->many[cell->readers][look->warp] = look->epoch;
	cell->read_line = look->line | (strong & cell->read_line);
}

/* The same, with the frequent cases first: weak, and all that is not known to be before is the warp's own. */
static inline __attribute__((always_inline)) void look_at(const struct look *look, struct cell *cell, uint64_t offset, unsigned size)
{
	const int32_t floor = look->floor;
	const int own_write = cell->write_epoch <= floor || cell->writer == look->warp;
	const int own_reads = cell->read_epoch <= floor || (cell->readers == look->bit && cell->read_epoch != MANY);
	if (look->strong || !own_write || !(own_reads || (!look->writes && cell->read_epoch == look->epoch))) {
		look_closely(look, cell, offset, size);
	} else if (look->writes) {
		cell->read_epoch = 0;
		cell->write_epoch = look->epoch;
		cell->writer = (uint8_t)look->warp;
		cell->write_line = look->line;
	} else {
		cell->readers = cell->read_epoch == look->epoch ? cell->readers | look->bit : look->bit;
		cell->read_epoch = look->epoch;
		cell->read_line = look->line;
	}
}

/* The cell's state is that of each of its parts from now on. */
static int split(struct ptx_races *races, const struct ptx_shared_shadow *shadow, int level, uint32_t i)
{
	if (!races->cells[level + 1] && !make_cells(races, level + 1, shadow->bytes))
		return -1;
	struct cell *whole = &races->cells[level][i];
	const uint32_t parts = 1u << (level_bits[level] - level_bits[level + 1]);
	for (uint32_t k = 0; k < parts; k++) {
		struct cell *part = &races->cells[level + 1][i * parts + k];
		*part = *whole;
		part->split = 0;
		if (whole->read_epoch == MANY && k > 0) { /* each part needs clocks of its own */
			if (races->many_count == MANY_ROOM)
				return -1;
			memcpy(races->many[races->many_count], races->many[whole->readers], sizeof *races->many);
			part->readers = races->many_count++;
		}
	}
	whole->split = 1;
	races->any_split = 1;
	return 0;
}

static void look_at_level(const struct look *look, int level, uint64_t from, uint64_t to)
{
	struct ptx_races *races = look->races;
	const unsigned bits = level_bits[level], size = 1u << bits;
	for (uint64_t i = from >> bits; i << bits < to; i++) {
		struct cell *cell = &races->cells[level][i];
		const uint64_t start = i << bits, end = start + size;
		if (!cell->split && from <= start && end <= to) {
			look_at(look, cell, start, size);
			continue;
		}
		/* without memory less is looked at */
		if (level + 1 < LEVELS && (cell->split || split(races, look->access->warp->block->shared_shadow, level, (uint32_t)i) == 0))
			look_at_level(look, level + 1, from > start ? from : start, to < end ? to : end);
	}
}

static inline void look_at_range(const struct look *look, uint64_t offset, uint64_t bytes)
{
	struct cell *cell = &look->races->cells[0][offset / 16];
	if (bytes == 16 && offset % 16 == 0 && !cell->split)
		look_at(look, cell, offset, 16);
	else
		look_at_level(look, 0, offset, offset + bytes);
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
		for (uint32_t rest = access->lanes; rest;) {
			/* neighbours that go on where the lane before ended are looked at together: they may fill cells */
			const uint64_t start = access->address[__builtin_ctz(rest)];
			uint64_t end = start;
			do {
				end += access->bytes;
				rest &= rest - 1;
			} while (rest && access->address[__builtin_ctz(rest)] == end);
			look_at_range(&look, start, end - start);
		}
	if (access->strong == STRENGTH_RELEASE || access->strong == STRENGTH_ACQ_REL)
		for (uint32_t rest = access->lanes; rest; rest &= rest - 1)
			ptx_race_release(warp, access->address[__builtin_ctz(rest)]);
}

int ptx_race_quick(struct ptx_warp *warp, const struct ptx_insn *insn, int writes, uint64_t offset, uint64_t bytes)
{
	struct ptx_races *races = warp->block->shared_shadow->races;
	if ((offset | bytes) % 16 || !warp->clock || warp->index >= WARPS_MAX || warp->clock[warp->index] > EPOCH_MAX / 2)
		return 0;
	const int32_t epoch = races->base + (int32_t)warp->clock[warp->index], floor = floor_of(races, warp, epoch);
	const uint32_t bit = 1u << warp->index, line = insn->source ? insn->source->position.line & ~STRONG_READS : 0;
	struct cell *cell = &races->cells[0][offset / 16];
	races->latest = epoch > races->latest ? epoch : races->latest;
	for (const struct cell *end = cell + bytes / 16; cell < end; cell++) {
		if (cell->split || !(cell->write_epoch <= floor || cell->writer == warp->index))
			return 0;
		const int own_reads = cell->read_epoch <= floor || (cell->readers == bit && cell->read_epoch != MANY);
		if (writes) {
			if (!own_reads)
				return 0;
			cell->read_epoch = 0;
			cell->write_epoch = epoch;
			cell->writer = (uint8_t)warp->index;
			cell->write_line = line;
		} else {
			if (!own_reads && cell->read_epoch != epoch)
				return 0;
			cell->readers = cell->read_epoch == epoch ? cell->readers | bit : bit;
			cell->read_epoch = epoch;
			cell->read_line = line;
		}
	}
	return 1;
}

void ptx_race_read16(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, uint64_t offset)
{
	if (ptx_race_quick(warp, insn, 0, offset, 16))
		return;
	struct ptx_access access;
	access.warp = warp;
	access.insn = insn;
	access.kind = ACCESS_READ;
	access.strong = STRENGTH_WEAK;
	access.bytes = 16;
	access.lanes = 1u << lane;
	access.source = NULL;
	access.value = NULL;
	access.consecutive = 0;
	access.uniform = 1;
	access.address[lane] = offset;
	ptx_race_check(&access);
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
