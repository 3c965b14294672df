/* One access of a warp: addresses, bounds, alignment, what the bytes may be used for, what of them is defined. */
#include "device/ptx/memory_private.h"

void ptx_access_begin(struct ptx_access *access, struct ptx_warp *warp, const struct ptx_insn *insn, enum ptx_access_kind kind)
{
	access->warp = warp;
	access->insn = insn;
	access->kind = kind;
	access->strong = insn->option[OPTION_STRONG];
	access->space = (enum ptx_space)insn->option[OPTION_SPACE];
	access->bytes = (unsigned)insn->option[OPTION_WIDTH] * insn->option[OPTION_ELEMENTS];
	access->align = access->bytes;
	access->buffer = NULL;
	access->source = NULL;
	access->value = NULL;
}

int ptx_access_address(struct ptx_access *access, uint32_t active, int operand)
{
	return ptx_access_address_at(access, active, operand, (enum access_base)access->insn->option[OPTION_BASE], access->insn->immediate);
}

int ptx_access_address_at(struct ptx_access *access, uint32_t active, int operand, enum access_base form, int64_t offset)
{
	struct ptx_warp *warp = access->warp;
	const struct ptx_insn *insn = access->insn;
	uint64_t *address = access->address;
	uint64_t base = (uint64_t)offset;

	switch (form) {
	case BASE_REGISTER64: {
		const uint64_t *from = ptx_src64(warp, insn, operand);
		for (int l = 0; l < PTX_LANES; l++)
			address[l] = from[l] + base;
		break;
	}
	case BASE_REGISTER32: {
		const uint32_t *from = ptx_src32(warp, insn, operand);
		for (int l = 0; l < PTX_LANES; l++)
			address[l] = from[l] + (uint32_t)base;
		break;
	}
	case BASE_FRAME:
		base += warp->frame->local_base;
		for (int l = 0; l < PTX_LANES; l++)
			address[l] = base;
		return 0;
	case BASE_PARAMETER:
		base += warp->block->parameters;
		/* fall through */
	default:
		for (int l = 0; l < PTX_LANES; l++)
			address[l] = base;
		return 0;
	}
	if (warp->checks) {
		const uint32_t undefined = ptx_undefined(warp, &insn->src[operand]) & active;
		if (undefined) {
			const int lane = __builtin_ctz(undefined);
			ptx_find(warp, insn, lane, PTX_FIND_UNDEFINED_ADDRESS, address[lane], "the address depends on a value that nothing wrote");
			if (warp->event == PTX_EVENT_STOP)
				return -1;
		}
	}
	return 0;
}

static enum ptx_space space_at(enum ptx_space space, uint64_t address)
{
	switch (space) {
	case PTX_SPACE_GENERIC:
		return ptx_generic_space(address);
	case PTX_SPACE_PARAM: /* of an entry: host memory; of a call: local memory */
		return address >> 32 ? PTX_SPACE_GLOBAL : PTX_SPACE_LOCAL;
	case PTX_SPACE_CONST:
		return PTX_SPACE_GLOBAL;
	default:
		return space;
	}
}

uint32_t ptx_access_split(struct ptx_access *access, uint32_t rest)
{
	const enum ptx_space space = (enum ptx_space)access->insn->option[OPTION_SPACE];
	const int first = __builtin_ctz(rest);
	const enum ptx_space found = space_at(space, access->address[first]);
	uint32_t lanes = rest;
	if (space == PTX_SPACE_GENERIC || space == PTX_SPACE_PARAM) {
		uint32_t same = 0;
		for (int l = 0; l < PTX_LANES; l++)
			same |= (uint32_t)(space_at(space, access->address[l]) == found) << l;
		lanes &= same;
		if (space == PTX_SPACE_GENERIC && found != PTX_SPACE_GLOBAL)
			for (int l = 0; l < PTX_LANES; l++)
				if (lanes >> l & 1)
					access->address[l] &= UINT32_MAX;
	}
	access->space = found;
	access->lanes = lanes;
	return rest & ~lanes;
}

/* ---- what went wrong ---- */

static const char *verb(const struct ptx_access *access)
{
	return access->kind == ACCESS_READ ? "reads" : access->kind == ACCESS_WRITE ? "writes" : "changes";
}

static int misaligned(const struct ptx_access *access)
{
	for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		if (access->address[lane] & (access->align - 1)) {
			ptx_find(access->warp, access->insn, lane, PTX_FIND_MISALIGNED, access->address[lane],
				 "%s %u bytes at 0x%llx, which is not a multiple of %u", verb(access), access->bytes,
				 (unsigned long long)access->address[lane], access->align);
			break;
		}
	}
	return -1;
}

/* Offsets past `limit` in shared or local memory. */
static __attribute__((noinline)) int report_past_end(const struct ptx_access *access, uint64_t limit, const char *what)
{
	for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		const uint64_t offset = access->address[lane];
		if (offset > limit || access->bytes > limit - offset) {
			ptx_find(access->warp, access->insn, lane, PTX_FIND_BOUNDS, offset, "%s %u bytes at offset %llu of the %llu bytes of %s",
				 verb(access), access->bytes, (unsigned long long)offset, (unsigned long long)limit, what);
			break;
		}
	}
	return -1;
}

static int past_end(const struct ptx_access *access, uint64_t limit, const char *what)
{
	uint64_t highest = 0;
	for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
		const uint64_t offset = access->address[__builtin_ctz(rest)];
		highest = offset > highest ? offset : highest;
	}
	return highest > limit || access->bytes > limit - highest ? report_past_end(access, limit, what) : 0;
}

/* ---- global memory ---- */

static struct ptx_buffer *lookup(const struct ptx_access *access, uint64_t address, uint64_t bytes)
{
	return ptx_buffer_at(access->warp, access->insn, address, bytes);
}

static unsigned needed_flags(const struct ptx_access *access)
{
	return access->kind == ACCESS_READ ? PAGE_READ : access->kind == ACCESS_WRITE ? PAGE_WRITE : PAGE_READ | PAGE_WRITE;
}

/* The bytes exist, and may not be used like this: noted; the access goes on as it would on a GPU, but for constants. */
static void forbidden(struct ptx_access *access, int lane, const struct ptx_buffer *buffer)
{
	const uint64_t address = access->address[lane];
	const int is_write = access->kind != ACCESS_READ;
	const int use = ptx_buffer_forbidden(buffer, address, access->bytes, is_write);
	const int constant = is_write && (buffer->kind == PTX_BUFFER_MODULE_CONST || buffer->kind == PTX_BUFFER_PARAMETERS);
	if (constant) {
		access->lanes &= ~(1u << lane);
		access->consecutive = 0;
	}
	if (use < 0 || (!access->warp->checks && !constant))
		return;
	char place[160];
	ptx_memory_place(access->warp->block->memory, address, access->bytes, place, sizeof place);
	ptx_note(access->warp, access->insn, lane, use == DEVICE_MEMORY_NO_ACCESS ? PTX_FIND_BOUNDS : PTX_FIND_READ_ONLY, address,
		 "%s %u bytes at %s", verb(access), access->bytes, place);
}

static int resolve_global(struct ptx_access *access)
{
	struct ptx_warp *warp = access->warp;
	const unsigned needed = needed_flags(access);
	const uint64_t far = 16 * PAGE_BYTES; /* ranges that are not worth looking at as a whole */
	uint64_t low = access->address[__builtin_ctz(access->lanes)], span = access->bytes;

	if (access->consecutive) {
		span = (uint64_t)PTX_LANES * access->bytes;
	} else if (!access->uniform) {
		uint64_t high = low;
		for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
			const uint64_t address = access->address[__builtin_ctz(rest)];
			low = address < low ? address : low;
			high = address > high ? address : high;
		}
		span = high - low + access->bytes;
	}
	for (int l = 0; l < PTX_LANES; l++)
		access->host[l] = (unsigned char *)(uintptr_t)access->address[l];
	access->buffer = lookup(access, low, span);
	if (access->buffer && span <= far) {
		const unsigned flags = ptx_buffer_flags(access->buffer, low, span);
		if ((flags & needed) == needed) {
			access->all_defined = !warp->checks || (flags & PAGE_DEFINED) != 0;
			if (!access->all_defined && access->kind != ACCESS_WRITE && (access->consecutive || access->uniform))
				access->all_defined = ptx_buffer_is_defined(access->buffer, low, span);
			return 0;
		}
	}
	unsigned all = PAGE_DEFINED;
	for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		const uint64_t address = access->address[lane];
		const struct ptx_buffer *buffer = access->buffer ? access->buffer : lookup(access, address, access->bytes);
		if (!buffer) {
			char place[160];
			ptx_memory_place(warp->block->memory, address, access->bytes, place, sizeof place);
			ptx_find(warp, access->insn, lane, PTX_FIND_BOUNDS, address, "%s %u bytes at %s", verb(access), access->bytes, place);
			return -1;
		}
		const unsigned flags = ptx_buffer_flags(buffer, address, access->bytes);
		all &= flags;
		if ((flags & needed) != needed)
			forbidden(access, lane, buffer);
	}
	access->all_defined = !warp->checks || all;
	return 0;
}

/* ---- shared and local memory ---- */

/* All bits of an access's bytes, 1 to 32 of them. */
static inline uint64_t union_of(const uint8_t *bytes, unsigned count)
{
	uint64_t all = 0;
	for (; count >= 8; count -= 8, bytes += 8) {
		uint64_t eight;
		memcpy(&eight, bytes, 8);
		all |= eight;
	}
	if (count >= 4) {
		uint32_t four;
		memcpy(&four, bytes, 4);
		all |= four;
		count -= 4;
		bytes += 4;
	}
	while (count-- > 0)
		all |= *bytes++;
	return all;
}

static int range_is_zero(const uint8_t *bytes, uint64_t count)
{
	uint8_t all = 0;
	for (uint64_t i = 0; i < count; i++)
		all |= bytes[i];
	return all == 0;
}

static int resolve_shared(struct ptx_access *access)
{
	struct ptx_block_state *block = access->warp->block;
	const uint64_t limit = block->shared_bytes;
	const struct ptx_shared_shadow *shadow = access->warp->checks ? block->shared_shadow : NULL;
	if (access->consecutive) {
		const uint64_t span = (uint64_t)PTX_LANES * access->bytes;
		if ((access->address[0] > limit || span > limit - access->address[0]) && past_end(access, limit, "shared memory"))
			return -1;
	} else if (access->uniform) {
		const uint64_t offset = access->address[__builtin_ctz(access->lanes)];
		if (offset > limit || access->bytes > limit - offset)
			return report_past_end(access, limit, "shared memory");
	} else if (past_end(access, limit, "shared memory")) {
		return -1;
	}
	for (int l = 0; l < PTX_LANES; l++)
		access->host[l] = block->shared + access->address[l];
	if (!shadow) {
		access->all_defined = 1;
		return 0;
	}
	if (shadow->races)
		ptx_race_check(access);
	access->all_defined = 1;
	if (access->kind != ACCESS_WRITE) {
		if (access->consecutive || access->uniform) {
			access->all_defined = range_is_zero(shadow->undefined + access->address[__builtin_ctz(access->lanes)],
							    access->consecutive ? (uint64_t)PTX_LANES * access->bytes : access->bytes);
		} else {
			uint64_t all = 0;
			for (uint32_t rest = access->lanes; rest; rest &= rest - 1)
				all |= union_of(shadow->undefined + access->address[__builtin_ctz(rest)], access->bytes);
			access->all_defined = all == 0;
		}
	}
	return 0;
}

static int resolve_local(struct ptx_access *access)
{
	const struct ptx_warp *warp = access->warp;
	access->consecutive = access->uniform = 0; /* each lane has its own */
	if (past_end(access, warp->local_lane_bytes, "local memory"))
		return -1;
	const uint8_t *undefined = warp->checks && access->kind != ACCESS_WRITE ? warp->local_undefined : NULL;
	uint64_t all = 0;
	for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		const uint64_t place = (uint64_t)(unsigned)lane * warp->local_lane_bytes + access->address[lane];
		access->host[lane] = warp->local + place;
		if (undefined)
			all |= union_of(undefined + place, access->bytes);
	}
	access->all_defined = all == 0;
	return 0;
}

int ptx_access_resolve(struct ptx_access *access)
{
	const uint64_t *address = access->address;
	const unsigned bytes = access->bytes;
	uint64_t odd = 0;
	access->consecutive = access->uniform = 0;
	if (access->lanes == UINT32_MAX) {
		/* the last lane tells which of the two it could be */
		const uint64_t step = address[PTX_LANES - 1] == address[0] ? 0 : bytes;
		uint64_t differs = 0;
		for (unsigned l = 0; l < PTX_LANES; l++) {
			differs |= address[l] ^ (address[0] + l * step);
			odd |= address[l];
		}
		access->consecutive = differs == 0 && step;
		access->uniform = differs == 0 && !step;
	} else {
		const uint64_t first = address[__builtin_ctz(access->lanes)];
		uint64_t same = 0;
		for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
			const int l = __builtin_ctz(rest);
			same |= address[l] ^ first;
			odd |= address[l];
		}
		access->uniform = same == 0;
	}
	if (odd & (access->align - 1))
		return misaligned(access);
	switch (access->space) {
	case PTX_SPACE_SHARED:
		return resolve_shared(access);
	case PTX_SPACE_LOCAL:
		return resolve_local(access);
	default:
		return resolve_global(access);
	}
}

/* ---- definedness at the resolved place ---- */

uint8_t ptx_access_undefined(const struct ptx_access *access, int lane, uint8_t *shadow)
{
	const uint64_t address = access->address[lane];
	const struct ptx_warp *warp = access->warp;
	const uint8_t *from = NULL;
	memset(shadow, 0, access->bytes);
	if (!warp->checks)
		return 0;
	if (access->space == PTX_SPACE_SHARED)
		from = warp->block->shared_shadow ? warp->block->shared_shadow->undefined + address : NULL;
	else if (access->space == PTX_SPACE_LOCAL)
		from = warp->local_undefined ? warp->local_undefined + (uint64_t)(unsigned)lane * warp->local_lane_bytes + address : NULL;
	else {
		const struct ptx_buffer *buffer = access->buffer ? access->buffer : lookup(access, address, access->bytes);
		return buffer ? ptx_buffer_undefined(buffer, address, access->bytes, shadow) : 0;
	}
	uint8_t all = 0;
	for (unsigned i = 0; from && i < access->bytes; i++)
		all |= shadow[i] = from[i];
	return all;
}

void ptx_access_stored(const struct ptx_access *access, int lane, const uint8_t *shadow)
{
	const uint64_t address = access->address[lane];
	const struct ptx_warp *warp = access->warp;
	uint8_t *to = NULL;
	if (!warp->checks)
		return;
	if (access->space == PTX_SPACE_SHARED)
		to = warp->block->shared_shadow ? warp->block->shared_shadow->undefined + address : NULL;
	else if (access->space == PTX_SPACE_LOCAL)
		to = warp->local_undefined ? warp->local_undefined + (uint64_t)(unsigned)lane * warp->local_lane_bytes + address : NULL;
	else {
		struct ptx_buffer *buffer = access->buffer ? access->buffer : lookup(access, address, access->bytes);
		if (buffer && shadow)
			ptx_buffer_store_undefined(access->warp, access->insn, lane, buffer, address, access->bytes, shadow);
		else if (buffer)
			ptx_buffer_define(buffer, address, access->bytes);
		return;
	}
	if (to && shadow)
		memcpy(to, shadow, access->bytes);
	else if (to) {
		switch (access->bytes) { /* lengths that are known become single stores */
		case 4: memset(to, 0, 4); break;
		case 8: memset(to, 0, 8); break;
		case 16: memset(to, 0, 16); break;
		default: memset(to, 0, access->bytes); break;
		}
	}
}

void ptx_access_stored_all(const struct ptx_access *access)
{
	const struct ptx_warp *warp = access->warp;
	const uint64_t span = (uint64_t)PTX_LANES * access->bytes;
	if (!warp->checks)
		return;
	if (access->space == PTX_SPACE_GLOBAL) {
		if (access->all_defined) /* before, and after */
			return;
		if (access->consecutive && access->buffer) {
			ptx_buffer_define(access->buffer, access->address[0], span);
			return;
		}
	} else if (access->space == PTX_SPACE_SHARED && access->consecutive) {
		if (warp->block->shared_shadow)
			memset(warp->block->shared_shadow->undefined + access->address[0], 0, span);
		return;
	}
	for (uint32_t rest = access->lanes; rest; rest &= rest - 1)
		ptx_access_stored(access, __builtin_ctz(rest), NULL);
}
