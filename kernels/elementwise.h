/* What the families binary, cast, fill and ternary share: Candle's elementwise kernels, which loop over elements with a stride
 * of the whole grid, so that any grid is right. */
#ifndef ASSAY_KERNELS_ELEMENTWISE_H
#define ASSAY_KERNELS_ELEMENTWISE_H

#include "kernels/operator_like.h"

/* Most elements of a tensor: their indices, and those of what lies between, are 32 bits wide in these kernels. */
#define ELEMENTWISE_MOST (1ll << 28)

/* Element types of these modules, with the oldest GPU that has the kernels: bf16 and f8_e4m3 from 8.0. */
struct elementwise_type {
	enum dtype dtype;
	int least_cc;
};
extern const struct elementwise_type elementwise_types[]; /* ends with DTYPE_INVALID */

/* Axis "launch":
 *   default  1024 threads a block, one thread for each element (cudarc's LaunchConfig::for_num_elems)
 *   short    3 blocks of 96 threads: most elements are reached by going on through the grid
 *   long     two blocks more than there are elements for
 *   small    blocks of 32 threads */
extern const char *const elementwise_launches[]; /* NULL-terminated */
/* `launch`'s grid and block from the case's attribute "launch". */
void elementwise_launch(const struct test_case *test, int64_t count, struct operator_launch *launch);
int elementwise_check_launch(const struct family *family, const struct assignment *assignment, struct error *err);

/* Axis "info": given, or null for operands that are all contiguous. -1 with the message when an operand is not. `widened`: given,
 * with two more axes of one element in front, so that there are more than the six that a tensor has here. */
int elementwise_add_info(const struct family *family, const struct assignment *assignment, const char *const *operands,
			 int operand_count, struct test_case *test, struct error *err);
/* The arguments: the number of axes, of which `rank` are a tensor's, and the address of info, or NULL. */
void elementwise_argument_info(struct operator_launch *launch, const struct test_case *test, int rank);

/* Axis `axis` as shape; -1 when it has more than ELEMENTWISE_MOST elements. */
int elementwise_dims(const struct family *family, const struct assignment *assignment, const char *axis, int64_t *dims, int *rank,
		     struct error *err);
int64_t elementwise_count(const int64_t *dims, int rank);

/* Tensor that owns the storage of the input `name`. */
struct tensor *elementwise_storage(struct test_case *test, const char *name);
/* operator_fill of the storage of an input. */
int elementwise_fill(struct test_case *test, const char *name, const char *values, uint32_t stream, struct error *err);
/* Bit patterns in an array of elements, in the low bits. */
uint64_t elementwise_bits(enum dtype dtype, const void *array, int64_t index);
void elementwise_set_bits(enum dtype dtype, void *array, int64_t index, uint64_t bits);
uint64_t elementwise_mask(enum dtype dtype); /* all bits of an element */
uint64_t elementwise_random(uint64_t seed, uint32_t stream, int64_t index);
/* The first ELEMENTWISE_SPECIALS of operator_fill's values "special", as bit patterns. */
enum { ELEMENTWISE_SPECIALS = 48 };
int elementwise_specials(enum dtype dtype, uint64_t *bits, struct error *err);

/* An operand for reading, element by element. */
struct elementwise_operand {
	const struct tensor *tensor;
	const void *data;
	int contiguous;
};
struct elementwise_operand elementwise_operand(const struct test_case *test, const char *name);
static inline int64_t elementwise_at(const struct elementwise_operand *operand, int64_t linear)
{
	return operand->contiguous ? linear : tensor_offset(operand->tensor, linear);
}

/* The expectation of an element that is moved: `array`[at] with the sign of zeros; NaNs any (the bits are compared by
 * elementwise_judge_moved). */
void elementwise_expect_moved(struct expectation *expected, enum dtype dtype, const void *array, int64_t at);
/* For outputs that only move elements: every bit counts, those of NaNs too. `due` tells the bits of element `linear`. Breaks or
 * holds CHECK_EXACT. */
int elementwise_judge_moved(const struct operator_outputs *outputs, const char *output,
			    uint64_t (*due)(const void *context, int64_t linear), const void *context,
			    struct judgement *out, struct error *err);

/* Bytes of a tensor's value that differ in address: axes of stride 0 are read once. */
double elementwise_bytes(const struct test_case *test, const char *name);

#endif
