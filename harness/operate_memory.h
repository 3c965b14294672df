/* Memory of an operator's case, on the host and on the device: every tensor between canaries, all of them in one piece (an
 * image), so that the host can look at every byte. Where it is small there is an image for every run of the case, each at
 * addresses of its own, and all runs take one copy in and one copy out: waiting for the device is what most cases would spend
 * their time with, above all when several processes share it. */
#ifndef ASSAY_HARNESS_OPERATE_MEMORY_H
#define ASSAY_HARNESS_OPERATE_MEMORY_H

#include "buffers.h"
#include "judge/expect.h"

/* Canary on either side of a tensor. A kernel that misses its end by one block writes up to 1024 elements of 8 bytes; beyond the
 * canary lie other tensors, whose bytes are looked at as well. */
enum { OPERATE_CANARY_BYTES = 4096 };
/* Images of a case together, at most; a case that needs more has one at a time. */
#define OPERATE_IMAGES_BYTES ((size_t)64 << 20)

/* What outputs, canaries and gaps hold before a run: a pattern for each type that is an ordinary number (of integers: any) or, where
 * the type has one, a NaN that arithmetic does not make. The two differ in every byte. */
enum operate_poison { OPERATE_POISON_NUMBER, OPERATE_POISON_NAN };

struct operate_memory {
	struct device *device;
	enum guard guard;
	const struct test_case *test;            /* borrowed, from operate_memory_bind on */
	size_t place[CASE_TENSORS_MAX];          /* of a tensor's storage in an image; SIZE_MAX: it shares another's */
	size_t bytes[CASE_TENSORS_MAX];          /* of its storage */
	size_t image_bytes;                      /* of one image, canaries included */
	int images;                              /* how many there are at once */
	size_t capacity;                         /* bytes of each of the following: */
	unsigned char *before, *after;           /* [images] before and after the runs */
	unsigned char *first;                    /* after the first run: in `after`, or a copy when images come one at a time */
	unsigned char *first_copy;
	device_pointer arena;                    /* GUARD_CANARIES */
	size_t arena_capacity;
	size_t arena_marked;       /* behind so many bytes all of the arena is marked as out of bounds */
	device_pointer single[CASE_TENSORS_MAX]; /* others: the storage of each tensor */
	struct device_guarded guarded[CASE_TENSORS_MAX];
	unsigned char *value[CASE_TENSORS_MAX];  /* outputs that own storage: 1 for each element that is a value, 2: of a value that
						  * nothing is asked of */
};

void operate_memory_init(struct operate_memory *memory, struct device *device, enum guard guard);
/* Lays out and reserves memory for the case; what was bound before is forgotten. memory->images becomes `runs`, or 1 where so
 * many are too large (or every tensor has memory of its own). */
int operate_memory_bind(struct operate_memory *memory, const struct test_case *test, int runs, struct error *err);
/* Says what the elements of a value have to be (tensor_elements(output) of them): those with EXPECT_ANY are not looked at. */
void operate_memory_expect(struct operate_memory *memory, int output, const struct expectation *expected);
/* Makes an image: poisons what outputs own (or gives it the content of NAME_initial). */
void operate_memory_prepare(struct operate_memory *memory, int image, enum operate_poison poison);
/* Copies all images to the device, and tells a device that watches what is what. */
int operate_memory_upload(struct operate_memory *memory, struct error *err);
device_pointer operate_memory_storage(const struct operate_memory *memory, int image, int tensor); /* of the storage it lies in */
device_pointer operate_memory_address(const struct operate_memory *memory, int image, int tensor); /* of its first element */
/* All images come back; waits for the device. The first time after bind, image 0 is kept as the first run. */
int operate_memory_fetch(struct operate_memory *memory, struct error *err);

/* Checks on what came back; each breaks or holds. */
void operate_memory_check(const struct operate_memory *memory, int image, struct judgement *out); /* canary, gap, input */
/* unwritten, previous: the first run began with the number, this one with the NaN. */
void operate_memory_check_written(const struct operate_memory *memory, int image, struct judgement *out);
void operate_memory_check_repeat(const struct operate_memory *memory, int image, const char *condition, struct judgement *out);

/* Host copy of an image as it came back last; NULL when none has since bind. */
const unsigned char *operate_memory_image(const struct operate_memory *memory, int image);
/* Host copy of an output, from its first element on. */
const void *operate_memory_result(const struct operate_memory *memory, int image, int output);
/* Digest of the value in row-major order. */
int operate_memory_digest(const struct operate_memory *memory, int image, int output, struct digest *digest, struct error *err);

void operate_memory_free(struct operate_memory *memory);

#endif
