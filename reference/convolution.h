/* Convolutions and transposed convolutions of NCHW tensors by their definition, one output at a time; 1-D ones are those with a
 * single row. All arrays are contiguous.
 *
 *   plain:       out[b,o,y,x] = sum over c, i, j of src[b,c, y*s0 + i*d0 - p0, x*s1 + j*d1 - p1] * kernel[o,c,i,j]
 *   transposed:  out[b,o,y,x] = sum over c, i, j of src[b,c, Y, X] * kernel[c,o,i,j]  where Y*s0 + i*d0 - p0 = y, X likewise
 *
 * Taps that fall outside the source are left out (they are not zeros that are multiplied: a kernel may hold infinities). */
#ifndef ASSAY_REFERENCE_CONVOLUTION_H
#define ASSAY_REFERENCE_CONVOLUTION_H

#include <stdint.h>

struct convolution {
	int transposed;
	int64_t batch, channels_in, channels_out;
	int64_t in[2], kernel[2], out[2];             /* rows, columns */
	int64_t stride[2], padding[2], dilation[2];   /* along rows, columns; strides and dilations from 1 */
};

/* Extent of the output along an axis (0 rows, 1 columns) by
 *   plain       floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1
 *   transposed  (in - 1) stride - 2 padding + dilation (kernel - 1) + out_padding + 1
 * 0 when it has none (the kernel is longer than the padded source). */
int64_t convolution_extent(const struct convolution *convolution, int axis, int64_t out_padding);

struct convolution_sum {
	long double value;       /* relative error at most terms * 2^-63 of `magnitude` */
	long double magnitude;   /* sum of |products|, of those that are finite */
	long double partners;    /* sum of |a| + |b| over finite products of which a factor is below 2^-126 and not 0: what
				  * flushing such factors costs at most, in units of 2^-126 */
	int64_t terms;           /* products */
	int64_t infinite_small;  /* products of an infinity and a number below 2^-126 that is not 0: NaN where it is flushed */
};
/* Outputs [first, last) in row-major order. */
void convolution_sums(const struct convolution *convolution, const double *src, const double *kernel, int64_t first,
		      int64_t last, struct convolution_sum *sums);
/* The same, several times as fast, for factors with at most 24 significant bits, 0 or of magnitudes from 2^-126 to 2^128: products
 * are exact doubles. Relative error at most terms * 2^-52 of `magnitude`; `partners` and `infinite_small` are 0. */
void convolution_plain_sums(const struct convolution *convolution, const double *src, const double *kernel, int64_t first,
			    int64_t last, struct convolution_sum *sums);
/* The same in unsigned integers modulo 2^32 (modulo 2^8 is the low byte of it). */
void convolution_wrapped(const struct convolution *convolution, const uint32_t *src, const uint32_t *kernel, int64_t first,
			 int64_t last, uint32_t *sums);
/* Products that make up all outputs, padding not counted. */
double convolution_products(const struct convolution *convolution);

#endif
