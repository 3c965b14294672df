/* Memory of an operator's case, on the host and on the device: every tensor between canaries, all of them in one piece, so that
 * a run takes one copy in and one copy out, and the host can look at every byte. */
#ifndef ASSAY_HARNESS_OPERATE_MEMORY_H
#define ASSAY_HARNESS_OPERATE_MEMORY_H

#include "buffers.h"
#include "judge/expect.h"

/* Canary on either side of a tensor. A kernel that misses its end by one block writes up to 1024 elements of 8 bytes; beyond the
 * canary lie other tensors, whose bytes are looked at as well. */
enum { OPERATE_CANARY_BYTES = 4096, OPERATE_SHIFT_BYTES = 3 * 4096 + 256 };

/* What outputs, canaries and gaps hold before a run: a pattern for each type that is an ordinary number (of integers: any) or, where
 * the type has one, a NaN that arithmetic does not make. The two differ in every byte. */
enum operate_poison { OPERATE_POISON_NUMBER, OPERATE_POISON_NAN };

struct operate_memory {
	struct device *device;
	enum guard guard;
	const struct test_case *test;            /* borrowed, from operate_memory_bind on */
	size_t place[CASE_TENSORS_MAX];          /* of a tensor's storage in an image; SIZE_MAX: it shares another's */
	size_t bytes[CASE_TENSORS_MAX];          /* of its storage */
	size_t image_bytes, capacity;            /* canaries included */
	unsigned char *image, *first, *now;      /* before the run; after the first run; after this run */
	device_pointer arena;                    /* GUARD_CANARIES */
	size_t arena_capacity, shift;            /* bytes from the arena's start to the image */
	device_pointer single[CASE_TENSORS_MAX]; /* others: the storage of each tensor */
	struct device_guarded guarded[CASE_TENSORS_MAX];
	unsigned char *value[CASE_TENSORS_MAX];  /* outputs that own storage: 1 for each element that is a value, 2: of a value that
						  * nothing is asked of */
};

void operate_memory_init(struct operate_memory *memory, struct device *device, enum guard guard);
/* Lays out and reserves memory for the case; what was bound before is forgotten. */
int operate_memory_bind(struct operate_memory *memory, const struct test_case *test, struct error *err);
/* Says what the elements of a value have to be (tensor_elements(output) of them): those with EXPECT_ANY are not looked at. */
void operate_memory_expect(struct operate_memory *memory, int output, const struct expectation *expected);
/* Poisons what outputs own (or gives it the content of NAME_initial) and copies everything to the device; `shift` moves it to
 * other addresses. Tells a device that watches what is what. */
int operate_memory_prepare(struct operate_memory *memory, enum operate_poison poison, size_t shift, struct error *err);
device_pointer operate_memory_storage(const struct operate_memory *memory, int tensor); /* of the storage it lies in */
device_pointer operate_memory_address(const struct operate_memory *memory, int tensor); /* of its first element */
/* Everything comes back into memory->now; waits for the device. `keep_first`: into memory->first too. */
int operate_memory_fetch(struct operate_memory *memory, int keep_first, struct error *err);

/* Checks on what came back; each breaks or holds. */
void operate_memory_check(const struct operate_memory *memory, struct judgement *out);         /* canary, gap, input */
void operate_memory_check_written(const struct operate_memory *memory, struct judgement *out); /* unwritten, previous: `first` began
								with the number, `now` with the NaN */
void operate_memory_check_repeat(const struct operate_memory *memory, const char *condition, struct judgement *out);

/* Host copy of the storage that an output lies in, and of its first element. */
const void *operate_memory_result(const struct operate_memory *memory, int output);
/* Digest of the value in row-major order. */
int operate_memory_digest(const struct operate_memory *memory, int output, struct digest *digest, struct error *err);

void operate_memory_free(struct operate_memory *memory);

#endif
