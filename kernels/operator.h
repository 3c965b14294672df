/* Operators: families whose entry points are kernels of a PTX module (or host functions) and whose results are judged on the
 * host, element by element. What they share: launches described as data, names, layouts, values of inputs.
 *
 * An operator family fills the second half of struct family (family.h): symbols, launch (or call), expect. Its make_case
 * writes the attribute "entry" (the symbol that the case is for) and adds tensors; `fill` gives inputs their values.
 *
 * Tensors of a case:
 *   role input    what the entry point reads: operands, and index arrays such as Candle's `info` (dims and strides, i64, since
 *                 size_t and i64 are alike there). Must come back unchanged.
 *   role output   what it writes. It starts from poison, or, when there is an input called "NAME_initial" (same dtype and
 *                 storage), from that one's content: for kernels that work in place or add to what is there.
 * Canaries lie around every tensor, gaps of strided ones must stay as they were (poison, or NAME_initial).
 * Quantised blocks are tensors of u8. */
#ifndef ASSAY_KERNELS_OPERATOR_H
#define ASSAY_KERNELS_OPERATOR_H

#include "core/parallel.h"
#include "dataset/case.h"
#include "dataset/spec.h"
#include "device/device.h"
#include "judge/expect.h"

struct family;

/* ABI profiles of all operator families (struct family: profiles, binding.abi). */
enum operator_abi { OPERATOR_ABI_092, OPERATOR_ABI_011, OPERATOR_ABI_COUNT };
extern const char *const operator_profiles[]; /* "0.9.2", "0.11", NULL */

/* ---- symbols ---------------------------------------------------------------------------------------------------- */

struct operator_symbol {
	const char *name;     /* need not outlive the visit */
	const char *module;   /* "unary" for unary.ptx; "libmoe" */
	int least_cc;         /* 10 * major + minor of the oldest GPU that has it: 0, 53 (f16), 80 (bf16), 89 (f8) */
};
typedef void (*operator_visit)(void *context, const struct operator_symbol *symbol);

/* ---- launches ----------------------------------------------------------------------------------------------------- */

enum { OPERATOR_ARGUMENTS_MAX = 24 };

enum operator_argument_kind { ARGUMENT_VALUE, ARGUMENT_TENSOR, ARGUMENT_NULL };

struct operator_argument {
	enum operator_argument_kind kind;
	int size;                  /* of the parameter in bytes; pointers: 8 */
	int tensor;                /* ARGUMENT_TENSOR: index into test->tensors; its first element's address is passed */
	unsigned char value[8];    /* ARGUMENT_VALUE: little-endian */
};

/* Zero-initialise. The argument list is compared with the kernel's own .param list (number and sizes) before anything is
 * launched. */
struct operator_launch {
	struct device_dim3 grid, block;
	uint32_t dynamic_shared;   /* bytes */
	struct operator_argument arguments[OPERATOR_ARGUMENTS_MAX];
	int argument_count;
	int failed;                /* too many arguments, or a tensor that is not there: checked by the caller of `launch` */
};

/* Each appends one argument. */
void argument_tensor(struct operator_launch *launch, const struct test_case *test, const char *name); /* any role but expected */
void argument_null(struct operator_launch *launch);              /* a pointer that is 0 */
void argument_size(struct operator_launch *launch, int64_t value); /* size_t, int64_t */
void argument_u32(struct operator_launch *launch, int64_t value);  /* uint32_t, int32_t: 4 bytes */
void argument_f32(struct operator_launch *launch, double value);
void argument_f64(struct operator_launch *launch, double value);
void argument_bool(struct operator_launch *launch, int value);     /* 1 byte */
void argument_element(struct operator_launch *launch, enum dtype dtype, double value); /* by value, in that type */
/* cudarc's LaunchConfig::for_num_elems: 1024 threads a block, ceil(n / 1024) blocks; at least one, since a launch of none is an
 * error and Candle makes no call for empty tensors. */
void launch_for_elements(struct operator_launch *launch, int64_t count);

/* ---- making cases ------------------------------------------------------------------------------------------------ */

/* Value of an axis, or the family's default. */
const char *operator_value(const struct family *family, const struct assignment *assignment, const char *axis);
/* -1 with ERROR_INPUT that names axis and value. */
int operator_int(const struct family *family, const struct assignment *assignment, const char *axis, int64_t low, int64_t high,
		 int64_t *out, struct error *err);
int operator_real(const struct family *family, const struct assignment *assignment, const char *axis, double *out,
		  struct error *err);
/* "3x4x5" -> dims, rank; "1" .. ; extents may be 0. At most `most` axes. */
int operator_dims(const struct family *family, const struct assignment *assignment, const char *axis, int most, int64_t *dims,
		  int *rank, struct error *err);
int operator_is_one_of(const struct family *family, const struct assignment *assignment, const char *axis,
		       const char *const *words, struct error *err); /* index of the word, or -1 */

/* Starts a case: zeroes it, sets family, seed, the attributes "entry", "group" (the section) and one attribute for every axis
 * of the family (its text), and the name ENTRY/axis:value/axis:value..., where axes of `in_entry` (NULL-terminated: those that
 * the symbol's name already tells) and axes at their defaults are left out. */
int operator_begin(const struct family *family, const struct assignment *assignment, uint64_t seed, const char *entry,
		   const char *const *in_entry, struct test_case *test, struct error *err);

/* Layouts, by name:
 *   contiguous   row-major
 *   transposed   row-major with the axes in reverse order in memory
 *   broadcast    the first axis (outermost) has stride 0
 *   broadcast_all  every stride is 0
 *   strided      gaps: the last axis steps by 2, every other one by one row more than it needs
 *   offset       contiguous, starting 3 elements into a storage that also has 5 elements behind it
 * For an offset layout the storage is a tensor of its own, NAME_storage, which goes before it. */
extern const char *const operator_layouts[]; /* NULL-terminated, in this order */
struct tensor *operator_add_tensor(struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype, int rank,
				   const int64_t *dims, const char *layout, struct error *err);
/* Adds the input `name` (i64, 1-D, filled) that holds the given numbers, such as Candle's info: dims, then strides. */
int operator_add_numbers(struct test_case *test, const char *name, const int64_t *numbers, int count, struct error *err);
/* dims | strides of each operand; operands are names of tensors (inputs or outputs). All have the rank of the first. */
int operator_add_info(struct test_case *test, const char *name, const char *const *operands, int operand_count,
		      struct error *err);

/* Values of inputs, by name. All from (seed, stream) only.
 *   those of dataset/generate.h: normal, uniform, integers, zeros, constant, outliers ...
 *   bits       random bit patterns (floating-point: every value incl. NaN and Inf is possible)
 *   all        element i has the bit pattern i modulo 2^bits: 8- and 16-bit types, all patterns in 65536 elements
 *   binades    every exponent of the type in both signs: mantissas 0, 1, middle, largest, random
 *   special    +-0, +-Inf, NaNs, the ends of the subnormal, normal and finite ranges, +-1, halves, neighbours of powers of two,
 *              limits of the integer types and their neighbours; then random values in between. Integers: their ends, 0, 1,
 *              -1, powers of two and their neighbours.
 *   moderate   magnitudes from 2^-6 to 2^6, both signs, no zero (integers: 1 .. 100)
 *   positive   as moderate, but positive
 *   wide       magnitudes log-uniform over the normal range of the type, both signs */
extern const char *const operator_values[]; /* NULL-terminated: the above beyond generate.h's */
int operator_fill(struct tensor *tensor, const char *values, double scale, uint64_t seed, uint32_t stream, struct error *err);

/* Element at a row-major index of a tensor's value, exactly; tensors that share storage too. */
long double operator_element(const struct test_case *test, const struct tensor *tensor, int64_t linear);
const struct tensor *operator_tensor(const struct test_case *test, const char *name); /* input or output of that name; NULL */
/* Attribute text of an axis as a dtype. */
enum dtype operator_dtype(const struct test_case *test, const char *attribute);

/* Outputs as they are after a run, for families that judge them by a rule of their own (sort: a permutation). */
struct operator_outputs {
	const struct test_case *test;
	const void *storage[CASE_TENSORS_MAX]; /* host copy of the storage of outputs, by index into test->tensors; else NULL */
	enum math math;
};

#endif
