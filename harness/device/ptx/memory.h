/* Memory of the virtual machine: state spaces, what belongs to whom, and the checks of every access.
 *
 * Global memory is host memory: a generic or .global address is an address of this process, valid only inside a buffer that
 * was registered here. Shared and local memory have windows of their own in the generic address space, outside anything the
 * host can have (non-canonical addresses on x86-64 and AArch64). */
#ifndef ASSAY_DEVICE_PTX_MEMORY_H
#define ASSAY_DEVICE_PTX_MEMORY_H

#include "device/ptx/machine.h"

#define PTX_SHARED_WINDOW 0x2000000000000000ull /* generic address = window + offset; 2^32 bytes */
#define PTX_LOCAL_WINDOW 0x3000000000000000ull

/* Space that a generic address lies in: SHARED, LOCAL or GLOBAL. */
static inline enum ptx_space ptx_generic_space(uint64_t address)
{
	return address >> 32 == PTX_SHARED_WINDOW >> 32 ? PTX_SPACE_SHARED : address >> 32 == PTX_LOCAL_WINDOW >> 32 ? PTX_SPACE_LOCAL : PTX_SPACE_GLOBAL;
}

/* ---- global memory: the buffers of a device. Changed only while no kernel runs. ---- */

struct ptx_memory;
struct ptx_memory *ptx_memory_create(void);
void ptx_memory_destroy(struct ptx_memory *memory);

enum ptx_buffer_kind { PTX_BUFFER_ALLOCATION, PTX_BUFFER_MODULE_GLOBAL, PTX_BUFFER_MODULE_CONST, PTX_BUFFER_PARAMETERS };

/* Registers host memory [address, address + bytes): undefined (ALLOCATION) or defined (the others), writable except CONST and
 * PARAMETERS. `name` (may be NULL) is copied for messages. Buffers may not overlap. */
int ptx_memory_add(struct ptx_memory *memory, uint64_t address, size_t bytes, enum ptx_buffer_kind kind, const char *name, struct error *err);
/* Forgets the buffer that starts at `address`; keeps where it was, so that use after free can be named. -1: none starts there. */
int ptx_memory_remove(struct ptx_memory *memory, uint64_t address);

/* What a range may be used for; DEVICE_MEMORY_* of device.h. Ranges outside every buffer are ignored. */
void ptx_memory_mark(struct ptx_memory *memory, uint64_t address, size_t bytes, enum device_memory_use use);
/* The host wrote (copy_in, fill, memcpy of the runtime): defined. */
void ptx_memory_host_write(struct ptx_memory *memory, uint64_t address, size_t bytes);
/* A copy between two ranges carries definedness along. */
void ptx_memory_host_copy(struct ptx_memory *memory, uint64_t to, uint64_t from, size_t bytes);
/* The host looks at the range: bytes there that a kernel stored from undefined values, and that nothing wrote since, are findings
 * (UNDEFINED_OUTPUT, one a store instruction, with its kernel, line and first thread; `count` are bytes). Whatever the range is
 * marked as: to see outputs before the host copies them, ask for them. At most `room` are written; returns how many there are.
 * Bytes that no kernel wrote are not reported here. Stores are followed in launches with checks only. */
int ptx_memory_host_read(struct ptx_memory *memory, uint64_t address, size_t bytes, struct ptx_finding *findings, int room);

/* ---- one access, with all checks: for handlers whose access pattern is their own (ldmatrix, stmatrix, vprintf ...) ----
 * `bytes` 1 to 16 at `address` of `space` (GENERIC: decided by the address; SHARED, LOCAL: offsets). Value to `to`, undefined
 * bits to `shadow` (NULL: not wanted). 0, or -1 when the launch stops (a finding was noted). Sizes that are a power of two must be
 * aligned to it. Not counted as traffic. */
int ptx_read(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_space space, uint64_t address, unsigned bytes,
	     void *to, void *shadow);
int ptx_write(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_space space, uint64_t address, unsigned bytes,
	      const void *from, const void *shadow);
/* Counts one warp-wide request to shared memory for bank conflicts: `bytes` at each active lane's offset. */
void ptx_count_shared(struct ptx_warp *warp, uint32_t active, const uint32_t *offsets, unsigned bytes, int is_write);

/* ---- called by the core ---- */
int ptx_shared_shadow_create(struct ptx_block_state *block, struct error *err); /* everything undefined, nobody has touched it */
void ptx_shared_shadow_reset(struct ptx_block_state *block); /* for the next block in the same place */
void ptx_shared_shadow_destroy(struct ptx_block_state *block);
/* Copies of the warp that are still in flight when it exits are dropped. */
void ptx_async_reset(struct ptx_warp *warp);
void ptx_async_destroy(struct ptx_warp *warp);
/* Races (race.c says what counts as one). Happens-before: warps keep vector clocks (ptx_warp.clock, one entry a warp of the block). The core calls these at barriers:
 * every arriving warp's clock is joined into the barrier's, every leaving warp joins the barrier's and starts a new epoch. */
void ptx_clock_join(uint32_t *into, const uint32_t *from, int warps);

#endif
