/* Device memory of one case: every tensor between canaries, all inputs in one block and all outputs in another, so that
 * one fill, one copy or one comparison covers them all. Blocks are kept and reused from case to case. */
#ifndef ASSAY_HARNESS_BUFFERS_H
#define ASSAY_HARNESS_BUFFERS_H

#include "dataset/case.h"
#include "device/device.h"
#include "judge/judge.h"
#include "kernels/family.h"

/* Canary before and after each tensor. A kernel that runs past a tile writes at most a tile's rows: 128 rows of 64
 * elements of 2 bytes are 16 KiB. */
enum { CANARY_BYTES = 16384, BUFFER_ALIGNMENT = 256 };

/* What memory holds before a call. POISON_NAN is NaN in f16, bf16 and f32 alike (exponent all ones, mantissa not zero) and not
 * the canonical NaN that arithmetic gives: whatever is read of it shows. POISON_NUMBER is an ordinary number in all three (1.09,
 * 0.013, 0.013): a kernel that adds to what it finds leaves NaN on the one and a wrong number on the other. */
#define POISON_NAN 0x7fa57fa5u
#define POISON_NUMBER 0x3c5a3c5au

/* What is around a tensor. */
enum guard {
	GUARD_CANARIES, /* a pattern before and after, looked at after each run */
	GUARD_PAGES,    /* unmapped memory: a read beyond it is seen too */
	GUARD_SEPARATE  /* an allocation of its own and exact size, for tools that watch allocations (compute-sanitizer) */
};

struct block {
	device_pointer base;
	size_t capacity;
};

struct buffers {
	struct device *device;
	enum guard guard;
	struct block inputs, pristine, outputs, snapshot;
	size_t input_bytes, output_bytes;                  /* used of the blocks */
	size_t region_start[CASE_TENSORS_MAX];             /* of a tensor's front canary in its block */
	size_t region_bytes[CASE_TENSORS_MAX];             /* canaries and padding included */
	struct device_guarded guarded[CASE_TENSORS_MAX];   /* GUARD_PAGES: one mapping per tensor instead of the blocks */
	device_pointer separate[CASE_TENSORS_MAX];         /* GUARD_SEPARATE: likewise, one allocation */
};

void buffers_init(struct buffers *buffers, struct device *device, enum guard guard);
/* Lays out and uploads the case, keeps a pristine copy of the inputs, binds the tensors. Any earlier case is forgotten. */
int buffers_bind(struct buffers *buffers, const struct test_case *test, struct binding *binding, struct error *err);
/* Fills everything that outputs own with a poison pattern; a device that watches its kernels takes it for memory that nobody
 * wrote. */
int buffers_poison(struct buffers *buffers, const struct binding *binding, uint32_t pattern, struct error *err);
/* Copies outputs to the snapshot. */
int buffers_snapshot(struct buffers *buffers, const struct binding *binding, struct error *err);
/* Layout of an output for the judge, and where its buffer and its snapshot begin (front canary). There are canaries with
 * GUARD_CANARIES only. */
void buffers_layout(const struct buffers *buffers, const struct binding *binding, int tensor, struct judge_layout *layout,
		    device_pointer *current, device_pointer *snapshot);
/* -1 with *err on failure; *tensor is the first input that changed, or -1; *offset its first changed byte relative to the
 * tensor's storage. */
int buffers_check_inputs(struct buffers *buffers, const struct binding *binding, struct judge *judge, int *tensor,
			 int64_t *offset, struct error *err);
/* A second set of the same case at another address, for cold timing; `count` sets, each bound. The sets are freed with
 * buffers_rotation_free. */
struct rotation {
	struct binding *bindings;
	int count;
	device_pointer memory;
};
int buffers_rotate(struct buffers *buffers, const struct binding *binding, size_t least_bytes, size_t most_bytes,
		   struct rotation *rotation, struct error *err);
void buffers_rotation_free(struct buffers *buffers, struct rotation *rotation);
void buffers_free(struct buffers *buffers);

#endif
