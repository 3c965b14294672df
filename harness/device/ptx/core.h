/* Private to the execution core (core*.c, schedule.c, control.c, image.c, launch.c, find.c, builtin.c): what a kernel is once
 * it is placed, and the state that handlers of other groups do not see. */
#ifndef ASSAY_DEVICE_PTX_CORE_H
#define ASSAY_DEVICE_PTX_CORE_H

#include "device/ptx/launch.h"
#include "device/ptx/lower.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	PTX_WARPS_MAX = 32,        /* 1024 threads a block */
	PTX_BARRIERS = 16,
	PTX_CLUSTER_BARRIER = 16,  /* one more: barrier.cluster of a cluster of one block */
	PTX_CALL_DEPTH_MAX = 4096,
	PTX_RECURSIVE_LOCAL = 16384, /* bytes of local memory a lane has where calls nest without a bound */
	/* Slices, in warp instructions: a split that loops for so long may wait for lanes of its own warp, a warp for another warp,
	 * a block for another block. Longer ones lose less reconvergence, locality and memory; shorter ones wait less. Code
	 * that can wait is told by its instructions (ptx_kernel.may_wait). */
	PTX_SPLIT_SLICE = 1 << 16, PTX_SPLIT_SLICE_WAITING = 1 << 12,
	PTX_WARP_SLICE = 1 << 18, PTX_WARP_SLICE_WAITING = 1 << 13,
	PTX_BLOCK_SLICE = 1 << 24, PTX_BLOCK_SLICE_WAITING = 1 << 14,
	PTX_RESIDENT_MAX = 1024,   /* blocks begun and not ended, as long as they fit into: */
	PTX_RESIDENT_BYTES = 256 << 20
};

enum ptx_builtin { PTX_BUILTIN_NONE = 0, PTX_BUILTIN_VPRINTF, PTX_BUILTIN_MALLOC, PTX_BUILTIN_FREE, PTX_BUILTIN_ASSERTFAIL };

/* ---- what is run ---- */

/* A function of the module whose address is taken, or that is called. */
struct ptx_symbol {
	struct ptx_program identity; /* nothing but its address is used: what a function pointer holds (ptx_link.function) */
	const char *name;          /* of the module's index */
	enum ptx_builtin builtin;
	int in_initialiser;
	struct ptx_symbol *next;
};

/* A .func as a kernel sees it. */
struct ptx_callee {
	struct ptx_symbol *symbol;
	const struct ptx_function *function; /* NULL: built in, or refused */
	struct ptx_program *program; /* likewise */
	int direct;                /* somebody calls it by its name: a refusal is the kernel's */
	int scanned, indirect;     /* has an indirect call */
	int *calls; int call_count; /* indices of callees it calls by name */
	struct error refusal;
};

/* A call: where its arguments and results lie in the caller's frame, in the order of the callee's parameters and results. */
struct ptx_call_site {
	const struct ptx_callee *callee; /* NULL: indirect, the address is source 0 */
	const struct ptx_kernel *kernel;
	struct ptx_call_copy { uint32_t offset, bytes; } *arguments, *results;
	int argument_count, result_count;
};

struct ptx_placed { const struct ptx_variable *variable; uint64_t address; };

struct ptx_kernel {
	struct ptx_link link;      /* first: handlers of the link find the kernel by it */
	struct ptx_image *image;
	const struct ptx_function *function;
	struct ptx_program *program;
	struct ptx_callee **callees; int callee_count;
	struct ptx_placed *shared; int shared_count;
	uint32_t static_shared;
	uint32_t local_bytes;      /* of one lane */
	uint32_t counters;         /* instructions of all its programs */
	int has_indirect, uses_heap, recursive;
	int may_wait;              /* has loads that see what others write meanwhile, atomics with a result, or nanosleep */
	unsigned char *parameters; /* the buffer that ld.param reads: one for each kernel, filled by each launch */
	struct ptx_kernel *next;
};

struct ptx_image {
	struct ptx_module *module;
	struct ptx_memory *memory;
	uint64_t *globals;         /* addresses of the module's variables, by their index; 0: not placed */
	struct ptx_placed *locals; int local_count; /* .global and .const variables of functions' bodies */
	struct ptx_kernel *kernels;
	struct ptx_symbol *symbols;
	unsigned char *heap;       /* of device-side malloc; made for the first kernel that calls it */
	struct ptx_heap *heap_state;
};

/* The function `name` among those the kernel may call; NULL with *err. */
struct ptx_callee *ptx_kernel_callee(struct ptx_kernel *kernel, const char *name, struct error *err);
/* The function whose address is `address`, or NULL. */
const struct ptx_callee *ptx_kernel_function_at(const struct ptx_kernel *kernel, uint64_t address);

/* ---- while it runs ---- */

enum ptx_split_state { PTX_SPLIT_RUNS = 0, PTX_SPLIT_WAITS, PTX_SPLIT_AT_BARRIER };

struct ptx_barrier {
	int used;                  /* somebody arrived since it was last complete */
	uint32_t expected;         /* threads; 0: all that live */
	uint32_t arrived;          /* threads of warps that arrived wholly (32 each), where a number is expected */
	uint32_t lanes[PTX_WARPS_MAX]; /* else, or of warps in part */
	uint32_t population, all, any; /* .red */
	int undefined;
	const struct ptx_insn *first;
	uint32_t clock[PTX_WARPS_MAX];
};

/* Room for one block at a time. */
struct ptx_place {
	struct ptx_block_state block;
	struct ptx_barrier barriers[PTX_BARRIERS + 1];
	struct ptx_frame *free_frames; /* of called functions */
	struct ptx_frame *entries;     /* one a warp */
	unsigned char *registers, *shadows;
	uint32_t *undefined, *clocks;
	unsigned char *locals, *local_undefined;
	uint64_t number;           /* of the block in the grid */
	size_t bytes;
	struct ptx_place *next;
};

struct ptx_note_key { enum ptx_finding_kind kind; const struct ptx_insn *insn; };

struct ptx_core {
	struct ptx_launch_state state;
	uint32_t split_slice;
	uint64_t warp_slice, block_slice;
	const struct ptx_launch *launch;
	struct ptx_kernel *kernel;
	uint64_t budget;
	/* blocks */
	uint64_t blocks;           /* in the grid */
	_Atomic uint64_t next;     /* position in the order */
	uint64_t seed;
	int order_bits;
	pthread_mutex_t mutex;     /* of what follows */
	struct ptx_place *paused, **paused_tail;
	_Atomic int paused_count;
	_Atomic size_t place_bytes; /* of one, about */
	int failed; struct error failure;
	/* faults */
	_Atomic int stop;
	pthread_mutex_t note_mutex;
	struct ptx_finding *notes; struct ptx_note_key *note_keys; int note_count, note_room;
	int notes_left_out;
	int device_code;
	char unsupported[512];
	/* vprintf */
	pthread_mutex_t print_mutex;
	char *printed; size_t printed_length, printed_room;
	int print_lost;
};

struct ptx_place *ptx_place_create(struct ptx_core *core, struct error *err);
void ptx_place_destroy(struct ptx_place *place);
/* Makes the place ready for block `number`. */
void ptx_place_begin(struct ptx_place *place, uint64_t number);

enum ptx_outcome { PTX_BLOCK_DONE, PTX_BLOCK_PAUSED, PTX_BLOCK_STOPPED };
/* Runs the block until it ends, stops, or has used its slice. */
enum ptx_outcome ptx_block_run(struct ptx_place *place, struct ptx_worker *worker);

enum ptx_turn { PTX_TURN_SLICE, PTX_TURN_BLOCKED, PTX_TURN_ENDED, PTX_TURN_STOPPED };
/* Runs a warp until it ends, waits, or has executed about `slice` instructions. */
enum ptx_turn ptx_warp_run(struct ptx_warp *warp, uint64_t slice);
void ptx_warp_begin(struct ptx_warp *warp, struct ptx_frame *entry, uint32_t lanes);

/* Runs the whole grid with `workers` threads, this one included; counts are added to *counts, the counters of instructions to
 * `executed` and `lanes`. */
int ptx_grid_run(struct ptx_core *core, int workers, struct ptx_counts *counts, uint64_t *executed, uint64_t *lanes, struct error *err);

/* ---- for handlers of the core ---- */

static inline struct ptx_core *ptx_core_of(const struct ptx_warp *warp)
{
	return warp->block->launch->core;
}
static inline struct ptx_place *ptx_place_of(const struct ptx_warp *warp)
{
	return warp->block->scheduler;
}
static inline void ptx_signal(struct ptx_warp *warp, enum ptx_event event)
{
	if (warp->event != PTX_EVENT_STOP)
		warp->event = event;
}
static inline int ptx_index(const struct ptx_warp *warp, const struct ptx_insn *insn)
{
	return (int)(insn - warp->frame->program->code);
}
static inline int ptx_first_lane(uint32_t lanes)
{
	return __builtin_ctz(lanes);
}
/* Both ways of a branch and where they meet, when they do nothing but compute. */
struct ptx_region { int join; int count; struct ptx_slot *slots; }; /* first instruction after; what is written on the ways */
int ptx_regions_find(struct ptx_program *program); /* -1: no memory */
void ptx_regions_free(struct ptx_program *program);
/* `lanes` branch on an undefined value. 1: it decides values only, which become undefined where the ways meet; 0: a finding. */
int ptx_region_enter(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t lanes);
/* The running split may have come to where ways meet. */
void ptx_region_leave(struct ptx_warp *warp);

/* Takes `lanes` (not all of them) from the running split into a new one that goes on at `index`. */
struct ptx_split *ptx_detach(struct ptx_warp *warp, uint32_t lanes, int index);
/* The running split waits at `insn` until lanes of `wanted` have met it there. Lanes of the split that are not `active` (their
 * guard does not hold) go on. */
void ptx_wait(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, uint32_t wanted);
/* Lanes left for good: who waits for them must look again. */
void ptx_lanes_left(struct ptx_warp *warp);
/* No split of the warp can run. Lets those go on that may; 0: none. */
int ptx_unblock(struct ptx_warp *warp);
/* Looks whether barriers are complete now that lanes have left. */
void ptx_barriers_look(struct ptx_warp *warp);
void ptx_barrier_arrive(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);
/* A frame as it is when its function starts: registers that are live at entry are 0 and undefined. */
void ptx_frame_start(struct ptx_frame *frame, int checks);
void ptx_frame_release(struct ptx_place *place, struct ptx_frame *frame);
/* Every warp waits: the findings that say who waits where for whom. */
void ptx_deadlock(struct ptx_place *place);
/* Marks a destination wholly undefined in `lanes`. */
void ptx_make_undefined(const struct ptx_warp *warp, const struct ptx_slot *slot, uint32_t lanes);

/* Room for operands; as ptx_operands, to be written. */
int ptx_slots(struct ptx_lowering *lowering, struct ptx_insn *insn, int dst_count, int src_count, struct ptx_slot **dst, struct ptx_slot **src);

/* One group of opcodes each. */
int ptx_lower_flow(struct ptx_lowering *lowering, struct ptx_insn *insn);     /* control.c */
int ptx_lower_barrier(struct ptx_lowering *lowering, struct ptx_insn *insn);  /* core_barrier.c */
int ptx_lower_exchange(struct ptx_lowering *lowering, struct ptx_insn *insn); /* core_exchange.c */
int ptx_lower_special(struct ptx_lowering *lowering, struct ptx_insn *insn);  /* core_special.c */

/* Calls of vprintf and the like; arguments lie in the caller's frame. */
void ptx_builtin_call(struct ptx_warp *warp, const struct ptx_insn *insn, const struct ptx_call_site *site, uint32_t active);
enum ptx_builtin ptx_builtin_named(const char *name);
int ptx_heap_create(struct ptx_image *image, struct error *err);
void ptx_heap_destroy(struct ptx_image *image);

#endif
