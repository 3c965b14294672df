/* ld and st: from memory to registers and back, with their definedness. */
#include "device/ptx/memory_move.h"

#define EACH_LANE(lanes, statement)                                                    \
	do {                                                                           \
		if ((lanes) == UINT32_MAX) {                                           \
			for (unsigned l = 0; l < PTX_LANES; l++)                       \
				statement;                                             \
		} else {                                                               \
			for (uint32_t rest_ = (lanes); rest_; rest_ &= rest_ - 1) {    \
				const unsigned l = (unsigned)__builtin_ctz(rest_);     \
				statement;                                             \
			}                                                              \
		}                                                                      \
	} while (0)

static inline __attribute__((always_inline)) void copy_in(unsigned char *to, unsigned char *const *from, unsigned offset, uint32_t lanes,
							   unsigned width)
{
	EACH_LANE(lanes, memcpy(to + l * width, from[l] + offset, width));
}

static inline __attribute__((always_inline)) void extend_lane(unsigned char *to, const unsigned char *from, unsigned width, unsigned lane_bytes,
							       unsigned sign)
{
	uint64_t value = 0;
	memcpy(&value, from, width);
	if (sign) {
		const unsigned shift = 64 - 8 * width;
		value = (uint64_t)((int64_t)(value << shift) >> shift);
		if (sign < 8)
			value &= (UINT64_C(1) << (8 * sign)) - 1;
	}
	memcpy(to, &value, lane_bytes);
}

static inline __attribute__((always_inline)) void extend_in(unsigned char *to, unsigned char *const *from, unsigned offset, uint32_t lanes,
							     unsigned width, unsigned lane_bytes)
{
	EACH_LANE(lanes, extend_lane(to + l * lane_bytes, from[l] + offset, width, lane_bytes, 0));
}

/* Element `element` of each lane into a slot's place. */
static void move_in(unsigned char *to, unsigned char *const *from, unsigned element, uint32_t lanes, unsigned width, unsigned lane_bytes,
		    unsigned sign)
{
	const unsigned offset = element * width;
	if (width == lane_bytes) {
		switch (width) {
		case 4: copy_in(to, from, offset, lanes, 4); return;
		case 8: copy_in(to, from, offset, lanes, 8); return;
		default: copy_in(to, from, offset, lanes, 16); return;
		}
	}
	if (sign == 0 && lane_bytes == 4) {
		if (width == 2)
			extend_in(to, from, offset, lanes, 2, 4);
		else
			extend_in(to, from, offset, lanes, 1, 4);
		return;
	}
	if (lane_bytes == 16) { /* of a type that is shorter: the rest is zero */
		EACH_LANE(lanes, {
			memset(to + l * 16, 0, 16);
			memcpy(to + l * 16, from[l] + offset, width);
		});
		return;
	}
	EACH_LANE(lanes, extend_lane(to + l * lane_bytes, from[l] + offset, width, lane_bytes, sign));
}

static inline __attribute__((always_inline)) void vector_in(struct ptx_warp *warp, const struct ptx_insn *insn, unsigned char *const *from,
							     uint32_t lanes, unsigned width, unsigned elements)
{
	unsigned char *to[4];
	for (unsigned e = 0; e < elements; e++)
		to[e] = ptx_at(warp, &insn->dst[e]);
	EACH_LANE(lanes, {
		unsigned char bytes[32];
		memcpy(bytes, from[l], width * elements);
		for (unsigned e = 0; e < elements; e++)
			memcpy(to[e] + l * width, bytes + e * width, width);
	});
}

static int lanes_are_of(const struct ptx_slot *slots, unsigned count, unsigned bytes)
{
	for (unsigned i = 0; i < count; i++)
		if (slots[i].lane_bytes != bytes)
			return 0;
	return 1;
}

/* The lanes of `bad` loaded undefined bits. */
static void load_undefined(const struct ptx_access *access, uint32_t bad)
{
	struct ptx_warp *warp = access->warp;
	const struct ptx_insn *insn = access->insn;
	unsigned char bits[PTX_LANES][ACCESS_BYTES_MAX], *from[PTX_LANES];
	uint32_t lanes = 0;
	for (int l = 0; l < PTX_LANES; l++)
		from[l] = bits[l];
	for (uint32_t rest = bad; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		if (ptx_access_undefined(access, lane, bits[lane]))
			lanes |= 1u << lane;
	}
	const unsigned width = insn->option[OPTION_WIDTH];
	for (unsigned e = 0; e < insn->option[OPTION_ELEMENTS] && lanes; e++) {
		const struct ptx_slot *slot = &insn->dst[e];
		uint32_t undefined = 0;
		for (uint32_t rest = lanes; rest; rest &= rest - 1) {
			const int lane = __builtin_ctz(rest);
			for (unsigned i = 0; i < width; i++)
				if (bits[lane][e * width + i]) {
					undefined |= 1u << lane;
					break;
				}
		}
		if (undefined == 0)
			continue;
		/* a sign-extended value is as undefined as its sign: the shadow is moved as the value is */
		move_in(ptx_shadow_at(warp, slot), from, e, undefined, width, slot->lane_bytes, insn->option[OPTION_SIGNED]);
		warp->undefined[slot->offset / PTX_UNIT] |= undefined;
	}
}

static inline void broadcast(uint32_t *to, const unsigned char *from)
{
	uint32_t value;
	memcpy(&value, from, sizeof value);
	for (int l = 0; l < PTX_LANES; l++)
		to[l] = value;
}

/* ---- the most frequent access: all lanes, one 32- or 64-bit value each, side by side ---- */

/* 1: it is one, at *base (a global address, or an offset in shared memory), and its address is defined. */
static inline __attribute__((always_inline)) int side_by_side(const struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active,
							       enum ptx_space *space, uint64_t *base)
{
	const unsigned width = insn->option[OPTION_WIDTH], form = insn->option[OPTION_BASE];
	if (active != UINT32_MAX || insn->option[OPTION_ELEMENTS] != 1 || insn->option[OPTION_STRONG] || (width != 4 && width != 8))
		return 0;
	*space = (enum ptx_space)insn->option[OPTION_SPACE];
	uint64_t differs = 0;
	if (form == BASE_REGISTER64) {
		const uint64_t *from = ptx_src64(warp, insn, 0);
		if (from[PTX_LANES - 1] - from[0] != (PTX_LANES - 1) * width)
			return 0;
		for (unsigned l = 0; l < PTX_LANES; l++)
			differs |= from[l] ^ (from[0] + l * width);
		*base = from[0] + (uint64_t)insn->immediate;
	} else if (form == BASE_REGISTER32) {
		const uint32_t *from = ptx_src32(warp, insn, 0);
		if (from[PTX_LANES - 1] - from[0] != (PTX_LANES - 1) * width)
			return 0;
		for (unsigned l = 0; l < PTX_LANES; l++)
			differs |= from[l] ^ (from[0] + l * width);
		*base = from[0] + (uint32_t)insn->immediate;
		if (*base > UINT32_MAX)
			return 0; /* lanes that wrap are for the general way */
	} else {
		return 0;
	}
	if (*space == PTX_SPACE_GENERIC)
		*space = ptx_generic_space(*base) == PTX_SPACE_GLOBAL ? PTX_SPACE_GLOBAL : PTX_SPACE_LOCAL;
	return differs == 0 && (*base & (width - 1)) == 0 && (*space == PTX_SPACE_GLOBAL || *space == PTX_SPACE_SHARED) &&
	       !(warp->checks && ptx_undefined(warp, &insn->src[0]));
}

static inline int shared_holds(const struct ptx_block_state *block, uint64_t base, uint64_t span)
{
	return base <= block->shared_bytes && span <= block->shared_bytes - base;
}

static inline void count_side_by_side(const struct ptx_warp *warp, enum ptx_space space, uint64_t base, unsigned span, int writes)
{
	struct ptx_counts *counts = &warp->worker->counts;
	if (space == PTX_SPACE_SHARED) {
		const unsigned groups = span / (PTX_LANES * 4);
		*(writes ? &counts->shared_written_bytes : &counts->shared_read_bytes) += span;
		counts->shared_requests += groups;
		counts->shared_wavefronts += groups;
		return;
	}
	*(writes ? &counts->global_written_bytes : &counts->global_read_bytes) += span;
	*(writes ? &counts->global_written_sectors : &counts->global_read_sectors) += ((base + span - 1) >> 5) - (base >> 5) + 1;
	counts->global_requests++;
	counts->global_ideal_sectors += span / 32;
}

static inline void copy_span(void *to, const void *from, unsigned span)
{
	if (span == 128) /* lengths that are known are copied in place */
		memcpy(to, from, 128);
	else
		memcpy(to, from, 256);
}

static inline int load_side_by_side(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	enum ptx_space space;
	uint64_t base;
	const unsigned width = insn->option[OPTION_WIDTH], span = PTX_LANES * width;
	if (insn->dst[0].lane_bytes != width || !side_by_side(warp, insn, active, &space, &base))
		return 0;
	const unsigned char *from;
	if (space == PTX_SPACE_GLOBAL) {
		const struct ptx_buffer *buffer = ptx_buffer_at(warp, insn, base, span);
		if (!buffer)
			return 0;
		const unsigned flags = ptx_buffer_flags(buffer, base, span);
		if (!(flags & PAGE_READ) || (warp->checks && !(flags & PAGE_DEFINED) && !ptx_buffer_is_defined(buffer, base, span)))
			return 0;
		from = (const unsigned char *)(uintptr_t)base;
	} else {
		const struct ptx_block_state *block = warp->block;
		if (!shared_holds(block, base, span))
			return 0;
		if (warp->checks && block->shared_shadow) {
			const struct ptx_shared_shadow *shadow = block->shared_shadow;
			uint64_t undefined = 0;
			for (unsigned i = 0; i < span; i += 8) {
				uint64_t eight;
				memcpy(&eight, shadow->undefined + base + i, 8);
				undefined |= eight;
			}
			if (undefined || (shadow->races && !ptx_race_quick(warp, insn, 0, base, span)))
				return 0;
		}
		from = block->shared + base;
	}
	copy_span(ptx_at(warp, &insn->dst[0]), from, span);
	if (warp->checks) {
		warp->undefined[insn->dst[0].offset / PTX_UNIT] = 0;
		count_side_by_side(warp, space, base, span, 0);
	}
	return 1;
}

static inline int store_side_by_side(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	enum ptx_space space;
	uint64_t base;
	const struct ptx_slot *source = &insn->src[insn->option[OPTION_DATA]];
	const unsigned width = insn->option[OPTION_WIDTH], span = PTX_LANES * width;
	if (source->lane_bytes != width || (warp->checks && ptx_undefined(warp, source)) || !side_by_side(warp, insn, active, &space, &base))
		return 0;
	unsigned char *to;
	if (space == PTX_SPACE_GLOBAL) {
		const struct ptx_buffer *buffer = ptx_buffer_at(warp, insn, base, span);
		if (!buffer)
			return 0;
		const unsigned flags = ptx_buffer_flags(buffer, base, span);
		if (!(flags & PAGE_WRITE))
			return 0;
		if (warp->checks && !(flags & PAGE_DEFINED))
			ptx_buffer_define(buffer, base, span);
		to = (unsigned char *)(uintptr_t)base;
	} else {
		const struct ptx_block_state *block = warp->block;
		if (!shared_holds(block, base, span))
			return 0;
		if (warp->checks && block->shared_shadow) {
			if (block->shared_shadow->races && !ptx_race_quick(warp, insn, 1, base, span))
				return 0;
			memset(block->shared_shadow->undefined + base, 0, span);
		}
		to = block->shared + base;
	}
	copy_span(to, ptx_at(warp, source), span);
	if (warp->checks)
		count_side_by_side(warp, space, base, span, 1);
	return 1;
}

void ptx_execute_load(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_access access;
	const unsigned width = insn->option[OPTION_WIDTH], elements = insn->option[OPTION_ELEMENTS];
	if (load_side_by_side(warp, insn, active))
		return;
	ptx_access_begin(&access, warp, insn, ACCESS_READ);
	if (ptx_access_address(&access, active, 0))
		return;
	for (uint32_t rest = active; rest;) {
		rest = ptx_access_split(&access, rest);
		if (ptx_access_resolve(&access))
			return;
		const unsigned lane_bytes = insn->dst[0].lane_bytes;
		if (elements == 1) {
			unsigned char *to = ptx_at(warp, &insn->dst[0]);
			if (access.consecutive && width == 4 && lane_bytes == 4)
				memcpy(to, access.host[0], 128);
			else if (access.consecutive && width == 8 && lane_bytes == 8)
				memcpy(to, access.host[0], 256);
			else if (access.uniform && access.lanes == UINT32_MAX && width == 4 && lane_bytes == 4)
				broadcast((uint32_t *)(void *)to, access.host[0]);
			else
				move_in(to, access.host, 0, access.lanes, width, lane_bytes, insn->option[OPTION_SIGNED]);
		} else if (elements == 4 && width == 4 && lanes_are_of(insn->dst, 4, 4)) {
			vector_in(warp, insn, access.host, access.lanes, 4, 4);
		} else if (elements == 2 && width == 4 && lanes_are_of(insn->dst, 2, 4)) {
			vector_in(warp, insn, access.host, access.lanes, 4, 2);
		} else if (elements == 2 && width == 8 && lanes_are_of(insn->dst, 2, 8)) {
			vector_in(warp, insn, access.host, access.lanes, 8, 2);
		} else {
			for (unsigned e = 0; e < elements; e++)
				move_in(ptx_at(warp, &insn->dst[e]), access.host, e, access.lanes, width, insn->dst[e].lane_bytes,
					insn->option[OPTION_SIGNED]);
		}
		if (warp->checks) {
			for (unsigned e = 0; e < elements; e++)
				warp->undefined[insn->dst[e].offset / PTX_UNIT] &= ~access.lanes;
			if (!access.all_defined)
				load_undefined(&access, access.lanes);
			ptx_access_count(&access);
		}
	}
	if (access.strong >= STRENGTH_ACQUIRE)
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

void ptx_execute_load_parameter(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const unsigned width = insn->option[OPTION_WIDTH], elements = insn->option[OPTION_ELEMENTS];
	unsigned char *from[PTX_LANES];
	unsigned char *base = (unsigned char *)(uintptr_t)(warp->block->parameters + (uint64_t)insn->immediate);
	for (int l = 0; l < PTX_LANES; l++)
		from[l] = base;
	for (unsigned e = 0; e < elements; e++) {
		move_in(ptx_at(warp, &insn->dst[e]), from, e, active, width, insn->dst[e].lane_bytes, insn->option[OPTION_SIGNED]);
		if (warp->checks)
			warp->undefined[insn->dst[e].offset / PTX_UNIT] &= ~active;
	}
}

/* ---- st ---- */

static inline __attribute__((always_inline)) void copy_out(unsigned char *const *to, const unsigned char *from, unsigned offset, uint32_t lanes,
							    unsigned width, unsigned lane_bytes)
{
	EACH_LANE(lanes, memcpy(to[l] + offset, from + l * lane_bytes, width));
}

static void move_out(unsigned char *const *to, const unsigned char *from, unsigned element, uint32_t lanes, unsigned width, unsigned lane_bytes)
{
	const unsigned offset = element * width;
	switch (width << 8 | lane_bytes) {
	case 1 << 8 | 4: copy_out(to, from, offset, lanes, 1, 4); return;
	case 2 << 8 | 4: copy_out(to, from, offset, lanes, 2, 4); return;
	case 4 << 8 | 4: copy_out(to, from, offset, lanes, 4, 4); return;
	case 8 << 8 | 8: copy_out(to, from, offset, lanes, 8, 8); return;
	default: EACH_LANE(lanes, memcpy(to[l] + offset, from + l * lane_bytes, width)); return;
	}
}

static inline __attribute__((always_inline)) void vector_out(struct ptx_warp *warp, const struct ptx_slot *source, unsigned char *const *to,
							      uint32_t lanes, unsigned width, unsigned elements)
{
	const unsigned char *from[4];
	for (unsigned e = 0; e < elements; e++)
		from[e] = ptx_at(warp, &source[e]);
	EACH_LANE(lanes, {
		unsigned char bytes[32];
		for (unsigned e = 0; e < elements; e++)
			memcpy(bytes + e * width, from[e] + l * width, width);
		memcpy(to[l], bytes, width * elements);
	});
}

/* In lane order, as the values: the highest lane of several at one place stays. */
static void store_undefined(const struct ptx_access *access, const struct ptx_slot *source)
{
	const struct ptx_warp *warp = access->warp;
	const unsigned width = access->insn->option[OPTION_WIDTH], elements = access->insn->option[OPTION_ELEMENTS];
	for (uint32_t rest = access->lanes; rest; rest &= rest - 1) {
		const int lane = __builtin_ctz(rest);
		uint8_t bits[ACCESS_BYTES_MAX] = {0}, all = 0;
		for (unsigned e = 0; e < elements; e++)
			if (ptx_undefined(warp, &source[e]) >> lane & 1)
				memcpy(bits + e * width, (const unsigned char *)ptx_shadow_at(warp, &source[e]) + (unsigned)lane * source[e].lane_bytes, width);
		for (unsigned i = 0; i < access->bytes; i++)
			all |= bits[i];
		ptx_access_stored(access, lane, all ? bits : NULL);
	}
}

void ptx_execute_store(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	struct ptx_access access;
	const unsigned width = insn->option[OPTION_WIDTH], elements = insn->option[OPTION_ELEMENTS];
	const struct ptx_slot *source = insn->src + insn->option[OPTION_DATA];
	if (store_side_by_side(warp, insn, active))
		return;
	ptx_access_begin(&access, warp, insn, ACCESS_WRITE);
	access.source = source;
	if (access.strong == STRENGTH_RELEASE || access.strong == STRENGTH_ACQ_REL)
		__atomic_thread_fence(__ATOMIC_RELEASE);
	if (ptx_access_address(&access, active, 0))
		return;
	for (uint32_t rest = active; rest;) {
		rest = ptx_access_split(&access, rest);
		if (ptx_access_resolve(&access))
			return;
		const unsigned lane_bytes = source[0].lane_bytes;
		if (elements == 1) {
			const unsigned char *from = ptx_at(warp, &source[0]);
			if (access.consecutive && width == 4 && lane_bytes == 4)
				memcpy(access.host[0], from, 128);
			else if (access.consecutive && width == 8 && lane_bytes == 8)
				memcpy(access.host[0], from, 256);
			else
				move_out(access.host, from, 0, access.lanes, width, lane_bytes);
		} else if (elements == 4 && width == 4 && lanes_are_of(source, 4, 4)) {
			vector_out(warp, source, access.host, access.lanes, 4, 4);
		} else if (elements == 2 && width == 4 && lanes_are_of(source, 2, 4)) {
			vector_out(warp, source, access.host, access.lanes, 4, 2);
		} else if (elements == 2 && width == 8 && lanes_are_of(source, 2, 8)) {
			vector_out(warp, source, access.host, access.lanes, 8, 2);
		} else {
			for (unsigned e = 0; e < elements; e++)
				move_out(access.host, ptx_at(warp, &source[e]), e, access.lanes, width, source[e].lane_bytes);
		}
		if (warp->checks) {
			uint32_t undefined = 0;
			for (unsigned e = 0; e < elements; e++)
				undefined |= ptx_undefined(warp, &source[e]);
			if (undefined & access.lanes)
				store_undefined(&access, source);
			else
				ptx_access_stored_all(&access);
			ptx_access_count(&access);
		}
	}
}
