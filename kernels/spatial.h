/* What the four families of Candle's module `conv` share (conv, im2col, pool, upsample): six element types, NCHW and NCL
 * tensors, one thread per element of the output, cases that are made of nothing but their attributes. */
#ifndef ASSAY_KERNELS_SPATIAL_H
#define ASSAY_KERNELS_SPATIAL_H

#include "kernels/family.h"

#include <math.h>

/* No extent, stride or padding of a case is beyond this, so that the formulas of output extents stay within 63 bits. */
enum { SPATIAL_MOST = 1 << 28 };

extern const struct family conv_family, im2col_family, pool_family, upsample_family;

/* Tells OP_T for each op and T in bf16 f16 f32 f64 u8 u32, module "conv". */
void spatial_symbols(const char *const *ops, operator_visit visit, void *context);

/* Reads the axes "op" and "dtype"; *op is the index in `ops`, `entry` the symbol. */
int spatial_entry(const struct family *family, const struct assignment *assignment, const char *const *ops, int *op,
		  enum dtype *dtype, char entry[64], struct error *err);
/* Exactly `rank` extents from 1 (the first one: from 0, an empty batch) to SPATIAL_MOST. */
int spatial_dims(const struct family *family, const struct assignment *assignment, const char *axis, int rank, int64_t *dims,
		 struct error *err);
/* Layout: a word of operator_layouts or "far", contiguous but for the first axis, which steps by 2^31 + 1 elements, so that offsets
 * leave 31 bits from its second index on and 32 bits from its third. Kind of values: one of operator_values or generator_kinds. */
int spatial_layout(const struct family *family, const struct assignment *assignment, const char *axis, const char **layout,
		   struct error *err);
int spatial_values(const struct family *family, const struct assignment *assignment, const char *axis, struct error *err);

/* operator_add_tensor for an input, with those layouts. */
struct tensor *spatial_add_input(struct test_case *test, const char *name, enum dtype dtype, int rank, const int64_t *dims,
				 const char *layout, struct error *err);

/* Non-finite numbers that the axis "plant" puts among the values of the input "src": "none", "nan" (one element in about 40,
 * at least one), "inf" (as many, signs in turns), "all_nan". 0, or -1 with the axis named where a type has no such numbers. */
int spatial_plant_allowed(const char *plant, enum dtype dtype, struct error *err);
void spatial_plant(struct test_case *test, const char *tensor, const char *plant);

/* Tensor and, for one that is a view, the tensor that owns its storage. NULL when it is not there. */
struct tensor *spatial_storage(struct test_case *test, const char *name);
/* Fills `tensor` (its owner's whole storage) with the values that two axes tell. */
int spatial_fill(struct test_case *test, const char *tensor, const char *values_axis, const char *scale_axis, uint32_t stream,
		 struct error *err);

/* An axis of a made case as a whole number, list of extents or text; attributes have been checked. */
int64_t spatial_int(const struct test_case *test, const char *axis);
int spatial_is(const struct test_case *test, const char *axis, const char *word);
/* Index of the case's "op" in `ops`. */
int spatial_op(const struct test_case *test, const char *const *ops);

/* Where a tensor of the case lies: for references that read it in place. */
struct spatial_view {
	const struct tensor *tensor;
	const void *data;   /* its first element */
};
struct spatial_view spatial_view_of(const struct test_case *test, const char *name);
/* Element (i0, i1, ..) of a view of rank 3 or 4, exactly (a rank of 3: row is 0). */
long double spatial_at(const struct spatial_view *view, int64_t batch, int64_t channel, int64_t row, int64_t column);

/* Sum of sizes of "src", "dst" and, where there is one, "kernel" in bytes: what a call moves at least. Broadcast elements count
 * once. */
double spatial_bytes(const struct test_case *test);

/* Rounding errors of arithmetic in `dtype`'s accumulator: (1 - u)^-n - 1, the most that n successive factors 1 + d or 1 / (1 + d),
 * |d| <= u, make of a number (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., lemma 3.1, which goes on to bound it
 * by n u / (1 - n u)). u = 2^-24 for f16, bf16 and f32 (their sums are kept in float), 2^-53 for f64; col2im1d adds up in the type
 * itself. Infinite from n u = 1/2 on (2^23 terms in float, 128 in bf16): then the error may be of the size of the terms, and no
 * answer would be wrong. What has such a bound is EXPECT_ANY (spatial_open): a case that has nothing else is mistrusted. */
double spatial_gamma(int64_t roundings, double unit);
static inline void spatial_open(struct expectation *expected)
{
	if (!isfinite(expected->bound))
		expected->flags |= EXPECT_ANY;
}
double spatial_accumulator_unit(enum dtype dtype);
double spatial_accumulator_max(enum dtype dtype);     /* largest finite number of it */
double spatial_accumulator_tiny(enum dtype dtype);    /* its smallest subnormal */
/* Most that rounding a number within `error` of `value` to `dtype` adds: half a unit in the last place, 0 when the accumulator is
 * of that type already. */
double spatial_output_rounding(enum dtype dtype, long double value, double error);
/* What flushing one subnormal number to zero costs at most: 2^-126 where numbers are those of float or bf16; 0 for f64, which nvcc never flushes, and f16, whose products and quotients are all normal numbers of float. */
double spatial_flush(enum dtype dtype);

#endif
