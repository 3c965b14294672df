/* Sectors of global accesses and bank conflicts of shared ones, request by request. */
#include "device/ptx/memory_private.h"

enum {
	SECTOR_BITS = 5, /* 32 bytes: the unit of traffic between L1, L2 and memory */
	BANKS = 32       /* of 4 bytes each */
};

/* Distinct sectors that the lanes touch. */
static unsigned count_sectors(const struct ptx_access *access)
{
	uint64_t seen[64];         /* a hash set of sector numbers + 1 */
	unsigned count = 0;
	memset(seen, 0, sizeof seen);
	uint64_t last = UINT64_MAX;
	for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
		const uint64_t address = access->address[__builtin_ctz(rest)];
		for (uint64_t sector = address >> SECTOR_BITS; sector <= (address + access->bytes - 1) >> SECTOR_BITS; sector++) {
			if (sector == last)
				continue;
			last = sector;
			/* at most 64 sectors (two a lane): accesses are aligned, so that only those of 32 bytes and more could span two,
			 * and they are aligned to 32 */
			unsigned place = (unsigned)(sector ^ sector >> 6) % 64;
			while (seen[place] && seen[place] != sector + 1)
				place = (place + 1) % 64;
			if (seen[place] == 0) {
				seen[place] = sector + 1;
				count++;
			}
		}
	}
	return count;
}

/* `lane_bytes` at each lane's offset, as the hardware serves them: a warp at once up to 4 bytes a lane, half warps for 8,
 * quarter warps for 16. Lanes that want the same word are served together. */
void ptx_count_shared(struct ptx_warp *warp, uint32_t active, const uint32_t *offsets, unsigned bytes, int is_write)
{
	struct ptx_counts *counts = &warp->worker->counts;
	const unsigned words = bytes < 4 ? 1 : bytes / 4, group = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
	*(is_write ? &counts->shared_written_bytes : &counts->shared_read_bytes) += (uint64_t)bytes * (unsigned)__builtin_popcount(active);
	for (unsigned start = 0; start < PTX_LANES; start += group) {
		uint32_t rest = group == 32 ? active : active & (((1u << group) - 1) << start);
		if (rest == 0)
			continue;
		uint32_t wanted[BANKS][PTX_LANES]; /* words of each bank */
		uint8_t depth[BANKS] = {0};
		unsigned deepest = 1;
		for (; rest; rest &= rest - 1) {
			const uint32_t first = offsets[__builtin_ctz(rest)] / 4;
			for (uint32_t word = first; word < first + words; word++) {
				const unsigned bank = word % BANKS;
				unsigned i = 0;
				while (i < depth[bank] && wanted[bank][i] != word)
					i++;
				if (i == depth[bank] && i < PTX_LANES) {
					wanted[bank][i] = word;
					depth[bank] = (uint8_t)(i + 1);
					deepest = i + 1 > deepest ? i + 1 : deepest;
				}
			}
		}
		counts->shared_requests++;
		counts->shared_wavefronts += deepest;
	}
}

void ptx_access_count(const struct ptx_access *access)
{
	struct ptx_counts *counts = &access->warp->worker->counts;
	const unsigned lanes = (unsigned)__builtin_popcount(access->lanes);
	const uint64_t bytes = (uint64_t)lanes * access->bytes;

	if (access->space == PTX_SPACE_LOCAL) {
		counts->local_bytes += bytes;
		return;
	}
	if (access->space == PTX_SPACE_SHARED) {
		if (access->consecutive || access->uniform) {
			/* without conflicts: a wavefront for each group */
			const unsigned groups = access->uniform || access->bytes <= 4 ? 1 : access->bytes <= 8 ? 2 : 4 * (access->bytes / 16);
			*(access->kind == ACCESS_READ ? &counts->shared_read_bytes : &counts->shared_written_bytes) += bytes;
			counts->shared_requests += groups;
			counts->shared_wavefronts += groups;
			return;
		}
		uint32_t offsets[PTX_LANES];
		for (int l = 0; l < PTX_LANES; l++)
			offsets[l] = (uint32_t)access->address[l];
		ptx_count_shared(access->warp, access->lanes, offsets, access->bytes, access->kind != ACCESS_READ);
		return;
	}
	if (access->insn->class == PTX_CLASS_CONST)
		return;
	unsigned sectors;
	if (access->consecutive)
		sectors = (unsigned)((access->address[PTX_LANES - 1] + access->bytes - 1) >> SECTOR_BITS) - (unsigned)(access->address[0] >> SECTOR_BITS) + 1;
	else
		sectors = access->uniform ? 1 : count_sectors(access);
	const unsigned packed = (unsigned)((bytes + (1 << SECTOR_BITS) - 1) >> SECTOR_BITS);
	counts->global_requests++;
	counts->global_ideal_sectors += packed < sectors ? packed : sectors; /* lanes that share bytes need fewer still */
	if (access->kind != ACCESS_WRITE) {
		counts->global_read_bytes += bytes;
		counts->global_read_sectors += sectors;
	}
	if (access->kind != ACCESS_READ) {
		counts->global_written_bytes += bytes;
		counts->global_written_sectors += sectors;
	}
}
