/* Private to the memory group (memory_*.c, async.c, mbarrier.c, shadow.c, race.c): buffers, one access of a warp. */
#ifndef ASSAY_DEVICE_PTX_MEMORY_PRIVATE_H
#define ASSAY_DEVICE_PTX_MEMORY_PRIVATE_H

#include "device/ptx/lower.h"
#include "device/ptx/memory.h"

#include <string.h>

/* ---- buffers ---- */

enum { PAGE_BITS = 12, PAGE_BYTES = 1 << PAGE_BITS };

/* What holds for every byte of a page of a buffer (pages are counted from the buffer's start). Only PAGE_DEFINED changes
 * while kernels run, and only from set to clear, under the memory's lock. */
enum page_flags {
	PAGE_READ = 1,    /* may be read without a finding */
	PAGE_WRITE = 2,   /* may be written without a finding */
	PAGE_DEFINED = 4  /* defined, whatever `defined` holds */
};

struct ptx_buffer {
	uint64_t address, bytes;
	enum ptx_buffer_kind kind;
	char *name;                /* may be NULL */
	uint8_t *pages;            /* enum page_flags by page */
	uint8_t *use;              /* by byte: enum device_memory_use; made with the first mark (zero: SCRATCH) */
	uint8_t *page_use;         /* by page: the use of all its bytes, or USE_MIXED: see `use` */
	uint8_t *defined;          /* by byte: 1 bits are defined; meaningless in pages of PAGE_DEFINED */
	uint8_t *origin;           /* by byte: 0, or the number of the store that put undefined bits there; made with the first */
};
enum { USE_MIXED = 255 };

static inline int ptx_buffer_holds(const struct ptx_buffer *buffer, uint64_t address, uint64_t bytes)
{
	return address - buffer->address < buffer->bytes && bytes <= buffer->bytes - (address - buffer->address);
}
/* The buffer in which `address` lies, or NULL. */
struct ptx_buffer *ptx_memory_find(const struct ptx_memory *memory, uint64_t address);
/* "offset 4096, just past the end of a buffer of 4096 bytes (input)": where `bytes` at `address` are, for messages. */
void ptx_memory_place(const struct ptx_memory *memory, uint64_t address, uint64_t bytes, char *text, size_t size);

/* The buffer that holds a range, by way of the last one that this instruction hit; NULL: none. */
static inline struct ptx_buffer *ptx_buffer_at(const struct ptx_warp *warp, const struct ptx_insn *insn, uint64_t address, uint64_t bytes)
{
	const void **last = &warp->worker->buffers[((uintptr_t)insn / sizeof *insn) % 64];
	/* the cache holds what the registry handed out: buffers, which are not const there */
	union { const void *in; struct ptx_buffer *out; } hit = {*last};
	if (hit.in && ptx_buffer_holds(hit.out, address, bytes))
		return hit.out;
	struct ptx_buffer *buffer = ptx_memory_find(warp->block->memory, address);
	if (!buffer || !ptx_buffer_holds(buffer, address, bytes))
		return NULL;
	*last = buffer;
	return buffer;
}

/* Undefined bits of `bytes` (at most 32) at an address of `buffer`. Returns their union: 0 when all is defined. */
uint8_t ptx_buffer_undefined(const struct ptx_buffer *buffer, uint64_t address, unsigned bytes, uint8_t *shadow);
/* All of [address, address + bytes) is defined. */
int ptx_buffer_is_defined(const struct ptx_buffer *buffer, uint64_t address, uint64_t bytes);
/* A kernel stored defined bytes. */
void ptx_buffer_define(const struct ptx_buffer *buffer, uint64_t address, uint64_t bytes);
/* A kernel stored bytes with undefined bits (1 bits of `shadow`, at most 32 bytes). */
void ptx_buffer_store_undefined(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, struct ptx_buffer *buffer, uint64_t address,
				unsigned bytes, const uint8_t *shadow);
/* Union of the page flags over a range inside the buffer: what holds for all of it. */
static inline unsigned ptx_buffer_flags(const struct ptx_buffer *buffer, uint64_t address, uint64_t bytes)
{
	const uint64_t first = (address - buffer->address) >> PAGE_BITS;
	const uint64_t last = (address - buffer->address + bytes - 1) >> PAGE_BITS;
	unsigned flags = __atomic_load_n(&buffer->pages[first], __ATOMIC_ACQUIRE);
	for (uint64_t page = first + 1; page <= last; page++)
		flags &= __atomic_load_n(&buffer->pages[page], __ATOMIC_ACQUIRE);
	return flags;
}
/* For what is no single host instruction. */
void ptx_memory_lock(struct ptx_memory *memory);
void ptx_memory_unlock(struct ptx_memory *memory);
/* What is wrong with an access of a range inside the buffer: a use that forbids it, or -1 when nothing is. */
int ptx_buffer_forbidden(const struct ptx_buffer *buffer, uint64_t address, unsigned bytes, int is_write);

/* ---- one access of a warp ---- */

/* How the address of an instruction is made: option[OPTION_BASE]. */
enum access_base {
	BASE_REGISTER64, BASE_REGISTER32, /* src[0] + immediate */
	BASE_ABSOLUTE,                    /* immediate */
	BASE_FRAME,                       /* the frame's place in local memory + immediate */
	BASE_PARAMETER                    /* the kernel's parameters + immediate */
};

/* insn->option of ld, st, atom, red, cp */
enum access_option {
	OPTION_SPACE,      /* enum ptx_space; PARAM of an entry by register: decided by the address */
	OPTION_WIDTH,      /* bytes of one element in memory */
	OPTION_ELEMENTS,
	OPTION_SIGNED,     /* bytes of the register to which a smaller value is sign-extended; 0: zero-extended */
	OPTION_BASE,
	OPTION_DATA,       /* index of the first data operand in src */
	OPTION_STRONG,     /* 0, or enum access_strength */
	OPTION_A, OPTION_B, OPTION_C, OPTION_D, OPTION_E /* of the opcode */
};
enum access_strength { STRENGTH_WEAK, STRENGTH_RELAXED, STRENGTH_ACQUIRE, STRENGTH_RELEASE, STRENGTH_ACQ_REL };

enum { ACCESS_BYTES_MAX = 32 }; /* of one lane: .v4.b64 and .v8.b32 */

enum ptx_access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_ATOMIC };

struct ptx_access {
	struct ptx_warp *warp;
	const struct ptx_insn *insn;
	enum ptx_access_kind kind;
	uint8_t strong;            /* enum access_strength */
	unsigned bytes;            /* of one lane */
	unsigned align;            /* that the address must have */
	uint32_t lanes;            /* that take part; resolving takes away those that may not */
	uint64_t address[PTX_LANES]; /* of the space: host addresses, or offsets in shared or a lane's local memory */

	/* what is stored, so that equal values can be told: slots by element, or one lane's bytes; both NULL for others */
	const struct ptx_slot *source;
	const unsigned char *value;

	/* found by resolving */
	enum ptx_space space;      /* GLOBAL, SHARED, LOCAL */
	int consecutive;           /* lane l's bytes start at address[0] + l * bytes, for all 32 lanes; all take part */
	int uniform;               /* all lanes have the same address */
	unsigned char *host[PTX_LANES];
	struct ptx_buffer *buffer; /* GLOBAL: the one all lanes are in, or NULL: look for each lane */
	int all_defined;           /* nothing undefined is there (reads and atomics); always set without checks */
};

/* Starts an access: everything but the addresses. `space` and sizes come from the insn's options. */
void ptx_access_begin(struct ptx_access *access, struct ptx_warp *warp, const struct ptx_insn *insn, enum ptx_access_kind kind);
/* Addresses of the lanes of `active` by the insn's base, register src[operand]; an undefined one is a finding. 0, or -1: stop. */
int ptx_access_address(struct ptx_access *access, uint32_t active, int operand);
/* The same with a base and offset that are not the insn's own (its second address). */
int ptx_access_address_at(struct ptx_access *access, uint32_t active, int operand, enum access_base form, int64_t offset);
/* Lanes of `rest` to do next, as access->lanes, with access->space and addresses in it: all of them unless addresses are generic
 * and lie in different spaces. Returns what is left. */
uint32_t ptx_access_split(struct ptx_access *access, uint32_t rest);
/* Checks bounds, alignment, use and races, and finds host addresses. 0, or -1: the launch stops, nothing may be touched. */
int ptx_access_resolve(struct ptx_access *access);
void ptx_access_count(const struct ptx_access *access);
/* Undefined bits at a lane's place. Returns their union. */
uint8_t ptx_access_undefined(const struct ptx_access *access, int lane, uint8_t *shadow);
/* The lane stored its bytes; shadow NULL: all defined. */
void ptx_access_stored(const struct ptx_access *access, int lane, const uint8_t *shadow);
/* All lanes of access->lanes stored, all defined. */
void ptx_access_stored_all(const struct ptx_access *access);

/* ---- shared memory: definedness and races (shadow.c, race.c) ---- */

struct ptx_shared_shadow {
	uint32_t bytes, words;
	uint8_t *undefined;        /* by byte: 1 bits are undefined */
	struct ptx_races *races;   /* NULL: one warp only */
};

int ptx_race_create(struct ptx_block_state *block, struct error *err);
void ptx_race_reset(struct ptx_block_state *block);
void ptx_race_destroy(struct ptx_block_state *block);
/* Happens-before through a word of shared memory: what the warp did so far comes before whatever acquires it. */
void ptx_race_release(struct ptx_warp *warp, uint64_t offset);
void ptx_race_acquire(struct ptx_warp *warp, uint64_t offset);
/* Looks at and notes the accesses of all lanes to shared memory; bounds are checked before. */
void ptx_race_check(struct ptx_access *access);
/* Notes a weak access of whole cells where nothing is wrong. 0: it is not that simple, and ptx_race_check has to look (what was
 * noted before does no harm). */
int ptx_race_quick(struct ptx_warp *warp, const struct ptx_insn *insn, int writes, uint64_t offset, uint64_t bytes);
/* As ptx_race_check, for a weak read of 16 aligned bytes by one lane. */
void ptx_race_read16(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, uint64_t offset);

/* ---- lowering ---- */

/* The slots of an insn while it is lowered: those ptx_operands made, to be filled. */
static inline struct ptx_slot *ptx_memory_slot(const struct ptx_slot *slots, int i)
{
	union { const struct ptx_slot *made; struct ptx_slot *open; } all = {slots};
	return all.open + i;
}
/* The address operand: base, immediate, src[operand]. `space` is the instruction's. */
int ptx_lower_address(struct ptx_lowering *lowering, struct ptx_insn *insn, const struct ptx_operand *operand, enum ptx_space space, int slot);
/* Relaxed accesses order what is around them where fences stand beside them (manual 8.10: release and acquire patterns). Fences are
 * not followed one by one: in a function that has any, relaxed accesses count as releasing and acquiring. */
enum access_strength ptx_fenced_strength(const struct ptx_lowering *lowering, enum access_strength strength, int reads, int writes);
int ptx_lower_atomic(struct ptx_lowering *lowering, struct ptx_insn *insn);
int ptx_lower_async(struct ptx_lowering *lowering, struct ptx_insn *insn);
int ptx_lower_mbarrier(struct ptx_lowering *lowering, struct ptx_insn *insn);

#endif
