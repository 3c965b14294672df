/* The virtual machine: what an instruction is when it runs, and the state it runs on. The contract between lowering
 * (lower.h), the execution core (core.c: splits, blocks, barriers), arithmetic (alu), memory (memory.h), matrices and checks.
 *
 * The unit of work is a lane vector: an instruction is executed for the 32 lanes of a warp at once, for those of a mask.
 * Lanes of a warp may diverge: each group of lanes with the same place in the program is a split; the core runs one split
 * at a time, the one with the lowest block order first, and merges splits that meet (ir.h, ptx_block.order). */
#ifndef ASSAY_DEVICE_PTX_MACHINE_H
#define ASSAY_DEVICE_PTX_MACHINE_H

#include "device/device.h"
#include "device/ptx/ir.h"

#include <stdint.h>

enum { PTX_LANES = 32, PTX_UNIT = 128 }; /* bytes of a register slot's unit: one 32-bit value a lane */

/* Where a value lives, in one of two files: the registers of the frame, or the program's constants (read-only, broadcast to
 * all lanes, the same layout). Offsets are multiples of PTX_UNIT. Layout by lane_bytes:
 *   0   predicate: one uint32_t, bit l is lane l
 *   4   uint32_t[32]: 8-, 16- and 32-bit types. 8- and 16-bit values are zero-extended: the unused high bits are always 0
 *   8   uint64_t[32]
 *   16  { uint64_t low, high; }[32]
 */
enum { PTX_FILE_REGISTERS = 0, PTX_FILE_CONSTANTS = 1 };
struct ptx_slot {
	uint32_t offset;
	uint8_t file;
	uint8_t lane_bytes;
	uint8_t sink;              /* destination `_`: the slot is scratch and nobody reads it */
};

struct ptx_warp;
struct ptx_insn;

/* Executes for the lanes of `active`, which is never 0. Lanes outside it keep their destinations. */
typedef void (*ptx_execute)(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);

enum ptx_insn_flags {
	PTX_INSN_CONTROL = 1 << 0,      /* may change the place, the mask or the state of the split: the core looks afterwards */
	PTX_INSN_OWN_DEFINEDNESS = 1 << 1, /* `execute` keeps the destinations' definedness itself (memory, shuffles, matrices) */
	PTX_INSN_STRICT_GUARD = 1 << 2, /* an undefined guard is a finding (branches, memory, barriers); else the destinations
					   become undefined in those lanes */
	PTX_INSN_BLOCK_START = 1 << 3,  /* first of a block where lanes may meet (ptx_block.is_join) */
	PTX_INSN_WARP_FLOPS = 1 << 4    /* `flops` counts once a warp (matrix instructions), not once a lane */
};

/* For the report of counts. */
enum ptx_class {
	PTX_CLASS_INTEGER, PTX_CLASS_F16, PTX_CLASS_F32, PTX_CLASS_F64, PTX_CLASS_SPECIAL_FUNCTION, PTX_CLASS_CONVERT, PTX_CLASS_MATRIX,
	PTX_CLASS_MOVE, PTX_CLASS_COMPARE, PTX_CLASS_CONTROL, PTX_CLASS_BARRIER, PTX_CLASS_EXCHANGE, /* shfl, vote, match, redux */
	PTX_CLASS_GLOBAL, PTX_CLASS_SHARED, PTX_CLASS_LOCAL, PTX_CLASS_CONST, PTX_CLASS_ATOMIC, PTX_CLASS_OTHER, PTX_CLASS_COUNT
};
const char *ptx_class_name(enum ptx_class class);

/* What `ret` does (control.c): for the one that stands after the last instruction, with PTX_INSN_CONTROL. */
void ptx_execute_ret(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);

/* One for each instruction of the function, at the same index, and a `ret` after the last. */
struct ptx_insn {
	ptx_execute execute;
	ptx_execute propagate;     /* definedness when a source is undefined in an active lane; called before execute; NULL: every
				      destination becomes wholly undefined in the lanes where any source is */
	const struct ptx_slot *dst, *src; /* all register and constant operands in a row, vectors and pairs flattened */
	uint8_t dst_count, src_count;
	uint8_t flags;
	uint8_t class;
	int32_t guard;             /* offset of the predicate's slot, or -1 */
	uint32_t guard_flip;       /* XORed into the predicate: ~0u for @!p, else 0 */
	uint32_t flops;            /* floating-point operations (fma: 2) a lane, or a warp */
	int64_t immediate;         /* whatever the handler wants: address offset, target index, lop3 table ... */
	uint8_t option[16];        /* likewise: rounding, comparison, space, cache, width ... */
	const void *extra;         /* likewise; lives as long as the program */
	const struct ptx_instruction *source; /* position, text, .loc */
};

struct ptx_program {
	const struct ptx_function *function;
	struct ptx_insn *code;
	int count;                 /* function->instruction_count + 1 */
	uint32_t *block_of;        /* index of the block of each instruction; the last `ret`: block_count */
	unsigned char *constants;  /* file 1 */
	size_t constants_bytes;
	uint32_t shared_bytes;     /* static shared memory of this function and those it calls, after placement */
	uint32_t local_bytes;      /* frames along the deepest chain of calls; recursion: one frame each and `recursive` */
	int recursive;
	int barriers;              /* highest named barrier used + 1; 16 when it is not constant */
	void *arena;               /* private of lowering */
	/* made by image.c once the program is lowered */
	uint32_t *rank;            /* of each instruction: splits with the lowest run first (by block order, then place) */
	int32_t *live; int live_count; /* registers that are live at entry */
	uint32_t *initial_undefined; /* what a new frame's `undefined` is: ~0 for registers that are live at entry */
	struct ptx_region **regions; /* by block: what a branch at its end decides, where that is values only (core_region.c) */
	uint32_t counter_base;     /* where its instructions' counters start among those of the kernel */
};

/* ---- state ---- */

/* A call's registers; shared by the splits that are in it. */
struct ptx_frame {
	const struct ptx_program *program;
	unsigned char *registers;  /* file 0: program->function->register_file_bytes */
	uint32_t *undefined;       /* by offset / PTX_UNIT of a slot: lanes whose value holds bits nobody wrote. 0 where all is well */
	unsigned char *shadow;     /* same layout as `registers`: 1 bits are undefined; meaningful only in lanes of `undefined`;
				      predicates have none (the mask says it all) */
	uint32_t local_base;       /* where the frame's local variables start in each lane's local memory; .local addresses, and
				      .param addresses of a .func or of a call's variables, are offsets in that memory */
	struct ptx_frame *caller;
	int return_index;          /* instruction to go on with in the caller */
	int references;
	int depth;                 /* calls above the kernel's own frame */
	uint32_t carry;            /* CC.CF (manual 9.7.2), a bit a lane: add.cc and its kin; not kept across calls */
	struct ptx_frame *next_free;
};

struct ptx_split {
	struct ptx_frame *frame;
	uint32_t mask;             /* lanes */
	int index;                 /* next instruction */
	uint8_t state;             /* private of the core: running, waiting for lanes, at a barrier */
	uint8_t barrier;           /* and its details */
	uint8_t tired;             /* ran its slice out: others first */
	uint8_t forced;            /* goes on though lanes it should meet are elsewhere */
	const struct ptx_insn *waiting_at;
	uint32_t wanted;
	uint32_t ran;              /* instructions since it last met or left others */
};

enum ptx_event { PTX_EVENT_NONE = 0, PTX_EVENT_JUMPED, PTX_EVENT_BARRIER, PTX_EVENT_WAIT_LANES, PTX_EVENT_YIELD, PTX_EVENT_EXIT, PTX_EVENT_STOP };

/* Lanes that took a branch on an undefined value, until they come to where its ways meet. */
struct ptx_pending { uint32_t lanes; const struct ptx_frame *frame; const struct ptx_region *region; };
enum { PTX_PENDING_MAX = 16 };

struct ptx_warp {
	/* of the running split, copied here for handlers */
	unsigned char *file[2];    /* PTX_FILE_REGISTERS, PTX_FILE_CONSTANTS */
	uint32_t *undefined;
	unsigned char *shadow;
	struct ptx_frame *frame;
	struct ptx_split *split;
	enum ptx_event event;      /* set by control handlers */
	int checks;                /* definedness, races and bounds are looked at */

	struct ptx_block_state *block;
	struct ptx_worker *worker; /* counters, scratch memory of the thread that runs it */
	uint32_t index;            /* %warpid */
	uint32_t live;             /* lanes that have not exited */
	uint32_t tid[3][PTX_LANES];
	unsigned char *local;      /* local memory, lane after lane */
	unsigned char *local_undefined; /* a byte for each of its bytes: 1 bits are undefined; NULL without checks */
	uint32_t local_lane_bytes; /* of one lane */
	uint32_t *clock;           /* happens-before: clock[w] is the last epoch of warp w of this block that this warp has seen,
				      clock[index] its own current epoch (memory.h: races) */
	struct ptx_async *async;   /* copies in flight (cp.async), by lane and group; of memory.c */
	struct ptx_split splits[PTX_LANES];
	int split_count;
	struct ptx_pending pending[PTX_PENDING_MAX];
	int pending_count;
};

/* One launch, the same for all its workers; constant while it runs, but for what `core` points to. */
struct ptx_launch_state {
	struct ptx_memory *memory;
	const struct ptx_program *program; /* of the entry */
	uint32_t grid[3], threads[3]; /* %nctaid, %ntid */
	uint32_t static_shared, dynamic_shared; /* bytes; dynamic shared memory starts where the static part ends */
	int checks;
	struct ptx_core *core;     /* private of the core: blocks to run, findings, output */
};

struct ptx_block_state {
	struct ptx_launch_state *launch;
	uint32_t ctaid[3];
	unsigned char *shared;     /* static, then dynamic */
	uint32_t shared_bytes;
	struct ptx_shared_shadow *shared_shadow; /* definedness and last accesses by word; of memory.c; NULL without checks */
	struct ptx_warp *warps;
	int warp_count;
	uint32_t threads;
	uint64_t executed;         /* warp instructions so far, for the budget */
	/* filled by the core for memory_*.c, the same for all blocks of a launch */
	struct ptx_memory *memory;
	const struct ptx_program *entry; /* program of the kernel */
	uint64_t parameters;       /* host address of the kernel parameters, 16-byte aligned, registered as PTX_BUFFER_PARAMETERS.
				      Addresses in .param of an entry are addresses of this process */
	uint32_t parameter_bytes;
	void *scheduler;           /* private of the core: barriers, place in the queue */
};

/* By what a worker saw; added up when the launch ends. */
struct ptx_counts {
	uint64_t warp_instructions[PTX_CLASS_COUNT], lane_instructions[PTX_CLASS_COUNT];
	uint64_t flops[PTX_CLASS_COUNT];
	uint64_t global_read_bytes, global_written_bytes;   /* asked for by lanes */
	uint64_t global_read_sectors, global_written_sectors; /* 32-byte sectors touched, request by request */
	uint64_t global_requests, global_ideal_sectors;     /* sectors had the same bytes lain together */
	uint64_t shared_read_bytes, shared_written_bytes, shared_requests, shared_wavefronts; /* wavefronts beyond one a request are
							       bank conflicts (32 banks of 4 bytes; 64- and 128-bit accesses by
							       half and quarter warps) */
	uint64_t local_bytes, atomics, barriers, divergent_branches, branches;
	uint64_t blocks, warps;
};

struct ptx_worker {
	struct ptx_launch_state *launch;
	struct ptx_counts counts;
	uint64_t *executed, *lanes; /* by instruction, from program->counter_base on; private of the core while it runs */
	void *scratch;             /* private of the core */
	const void *buffers[64];   /* last buffer hit, by instruction (memory_*.c); zero at the start of a launch */
};

/* ---- faults and findings ---- */

enum ptx_finding_kind {
	PTX_FIND_BOUNDS,           /* outside every buffer, or in a part that is out of bounds (DEVICE_MEMORY_NO_ACCESS) */
	PTX_FIND_MISALIGNED,
	PTX_FIND_READ_ONLY,        /* write to an input, .const, or kernel parameters */
	PTX_FIND_UNDEFINED_BRANCH, PTX_FIND_UNDEFINED_ADDRESS, PTX_FIND_UNDEFINED_OUTPUT, PTX_FIND_UNDEFINED_OPERAND, /* of a barrier,
				      a member mask, a trap condition ... */
	PTX_FIND_RACE,             /* shared memory, two warps, no barrier between */
	PTX_FIND_DIVERGENT_BARRIER, /* .aligned barrier reached by part of a warp, or lanes of a member mask that never come */
	PTX_FIND_DEADLOCK,         /* every warp waits */
	PTX_FIND_BUDGET,           /* endless loop: instruction budget used up */
	PTX_FIND_ASSERT, PTX_FIND_TRAP,
	PTX_FIND_UNSUPPORTED,      /* met only while running: never a wrong number instead */
	PTX_FIND_INVALID,          /* operands that the manual forbids: barrier 16, a shuffle from a lane outside the mask ... */
	PTX_FIND_COUNT
};
const char *ptx_finding_name(enum ptx_finding_kind kind); /* "out of bounds", "shared-memory race" ... */
/* CUresult that a GPU would stop with (700 illegal address, 716 misaligned, 710 assert, 719 trap, 702 timeout), or 0 where the
 * launch goes on after it was noted. */
int ptx_finding_code(enum ptx_finding_kind kind);

struct ptx_finding {
	enum ptx_finding_kind kind;
	char kernel[256];          /* as mangled */
	uint32_t block[3], thread[3];
	uint64_t address;          /* 0: none */
	struct ptx_position position; /* in the PTX */
	char mnemonic[80];         /* "st.global.f32" */
	char source[192];          /* "kernel.cu:12" by .loc, or "" */
	char text[256];            /* "st.global.f32 writes 4 bytes at 0x..., 12 bytes past the end of a buffer of 4096" */
	uint64_t count;            /* how often the same kind happened at the same instruction */
};

/* Notes a finding (the first of each kind and instruction is kept, others are counted). Stops the launch where
 * ptx_finding_code says so: warp->event becomes PTX_EVENT_STOP, and the caller returns as soon as it can. Threads: any. */
void ptx_find(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_finding_kind kind, uint64_t address,
	      const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The same, but the launch goes on whatever the kind: for what harms nothing outside the kernel's own buffers. */
void ptx_note(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_finding_kind kind, uint64_t address,
	      const char *format, ...) __attribute__((format(printf, 6, 7)));

/* ---- shorthands for handlers ---- */

static inline void *ptx_at(const struct ptx_warp *warp, const struct ptx_slot *slot)
{
	return warp->file[slot->file] + slot->offset;
}
static inline uint32_t *ptx_dst32(const struct ptx_warp *warp, const struct ptx_insn *insn, int i)
{
	return (uint32_t *)ptx_at(warp, &insn->dst[i]);
}
static inline uint64_t *ptx_dst64(const struct ptx_warp *warp, const struct ptx_insn *insn, int i)
{
	return (uint64_t *)ptx_at(warp, &insn->dst[i]);
}
static inline const uint32_t *ptx_src32(const struct ptx_warp *warp, const struct ptx_insn *insn, int i)
{
	return (const uint32_t *)ptx_at(warp, &insn->src[i]);
}
static inline const uint64_t *ptx_src64(const struct ptx_warp *warp, const struct ptx_insn *insn, int i)
{
	return (const uint64_t *)ptx_at(warp, &insn->src[i]);
}
/* Lanes in which the value of a slot holds undefined bits. Constants are defined. */
static inline uint32_t ptx_undefined(const struct ptx_warp *warp, const struct ptx_slot *slot)
{
	return slot->file == PTX_FILE_REGISTERS ? warp->undefined[slot->offset / PTX_UNIT] : 0;
}
static inline void ptx_set_undefined(const struct ptx_warp *warp, const struct ptx_slot *slot, uint32_t active, uint32_t lanes)
{
	uint32_t *mask = &warp->undefined[slot->offset / PTX_UNIT];
	*mask = (*mask & ~active) | (lanes & active);
}
static inline void *ptx_shadow_at(const struct ptx_warp *warp, const struct ptx_slot *slot)
{
	return warp->shadow + slot->offset; /* of registers only */
}

#endif
