/* What the files with definedness rules share (propagate.c, propagate_compare.c). */
#ifndef ASSAY_DEVICE_PTX_PROPAGATE_PRIVATE_H
#define ASSAY_DEVICE_PTX_PROPAGATE_PRIVATE_H

#include "device/ptx/lower.h"

#include <string.h>

/* Rule of setp and set (propagate_compare.c). */
void ptx_propagate_compare(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);

static inline uint64_t low_bits(unsigned count)
{
	return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* A lane's value or undefined bits; of predicates one bit, which `at` holds for all lanes. */
static inline uint64_t load(const unsigned char *at, const struct ptx_slot *slot, int lane)
{
	if (slot->lane_bytes == 8) {
		uint64_t value;
		memcpy(&value, at + 8 * (unsigned)lane, 8);
		return value;
	}
	uint32_t value;
	memcpy(&value, at + (slot->lane_bytes ? 4 * (unsigned)lane : 0), 4);
	return slot->lane_bytes ? value : value >> lane & 1;
}

static inline void store(unsigned char *at, const struct ptx_slot *slot, int lane, uint64_t value)
{
	if (slot->lane_bytes == 8)
		memcpy(at + 8 * (unsigned)lane, &value, 8);
	else if (slot->lane_bytes)
		memcpy(at + 4 * (unsigned)lane, &value, 4);
}

static inline int is_signed(enum ptx_type type)
{
	return type >= PTX_S4 && type <= PTX_S64;
}

struct range {
	uint64_t low, high;
};

/* Smallest and largest value that the defined bits allow, in an order that is the type's own. */
static inline struct range range_of(uint64_t value, uint64_t undefined, unsigned bits, int has_sign)
{
	const uint64_t flip = has_sign ? UINT64_C(1) << (bits - 1) : 0, mask = low_bits(bits);
	value = (value ^ flip) & mask;
	return (struct range){value & ~undefined, (value | undefined) & mask};
}

#endif
