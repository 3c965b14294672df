/* One lane's access with all its checks, for handlers whose pattern is their own. */
#include "device/ptx/memory_private.h"

static int one(struct ptx_access *access, struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_access_kind kind,
	       enum ptx_space space, uint64_t address, unsigned bytes, const void *value)
{
	access->value = value;
	access->warp = warp;
	access->insn = insn;
	access->kind = kind;
	access->strong = STRENGTH_WEAK;
	access->bytes = bytes;
	/* ldmatrix and its like want their rows aligned; the sizes that are no power of two are those of vprintf and may lie anywhere */
	access->align = bytes & (bytes - 1) ? 1 : bytes;
	access->lanes = 1u << lane;
	access->buffer = NULL;
	access->source = NULL;
	if (space == PTX_SPACE_GENERIC) {
		space = ptx_generic_space(address);
		if (space != PTX_SPACE_GLOBAL)
			address &= UINT32_MAX;
	}
	access->space = space;
	for (int l = 0; l < PTX_LANES; l++)
		access->address[l] = address;
	return ptx_access_resolve(access);
}

/* An aligned row of shared memory, in bounds: what ldmatrix asks for 32 times. Returns 0 when it was
 * something else. */
static inline int read_shared(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, uint64_t offset, void *to, void *shadow)
{
	const struct ptx_block_state *block = warp->block;
	const struct ptx_shared_shadow *state = warp->checks ? block->shared_shadow : NULL;
	if (offset % 16 || offset >= block->shared_bytes || block->shared_bytes - offset < 16)
		return 0;
	if (state && state->races)
		ptx_race_read16(warp, insn, lane, offset);
	memcpy(to, block->shared + offset, 16);
	if (shadow && state)
		memcpy(shadow, state->undefined + offset, 16);
	else if (shadow)
		memset(shadow, 0, 16);
	return 1;
}

int ptx_read(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_space space, uint64_t address, unsigned bytes,
	     void *to, void *shadow)
{
	struct ptx_access access;
	uint8_t undefined[ACCESS_BYTES_MAX] = {0};
	if (space == PTX_SPACE_SHARED && bytes == 16 && read_shared(warp, insn, lane, address, to, shadow))
		return 0;
	if (one(&access, warp, insn, lane, ACCESS_READ, space, address, bytes, NULL))
		return -1;
	memcpy(to, access.host[lane], bytes);
	if (shadow) {
		if (!access.all_defined)
			ptx_access_undefined(&access, lane, undefined);
		memcpy(shadow, undefined, bytes);
	}
	return 0;
}

int ptx_write(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_space space, uint64_t address, unsigned bytes,
	      const void *from, const void *shadow)
{
	struct ptx_access access;
	if (one(&access, warp, insn, lane, ACCESS_WRITE, space, address, bytes, from))
		return -1;
	if (!(access.lanes >> lane & 1))
		return 0;
	memcpy(access.host[lane], from, bytes);
	const uint8_t *undefined = shadow;
	uint8_t all = 0;
	for (unsigned i = 0; undefined && i < bytes; i++)
		all |= undefined[i];
	ptx_access_stored(&access, lane, all ? undefined : NULL);
	return 0;
}
