/* References of convolution and interpolation: answers worked out by hand, and what must hold between them. */
#include "check.h"
#include "dataset/generate.h"
#include "reference/convolution.h"
#include "reference/interpolation.h"

#include <stdlib.h>

static struct convolution line(int transposed, int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
			       int64_t out_padding)
{
	struct convolution c = {.transposed = transposed, .batch = 1, .channels_in = 1, .channels_out = 1, .in = {1, in},
				.kernel = {1, kernel}, .out = {1, 0}, .stride = {1, stride}, .padding = {0, padding},
				.dilation = {1, dilation}};
	c.out[1] = convolution_extent(&c, 1, out_padding);
	return c;
}

static void answers(void)
{
	const double src[] = {1, 2, 3, 4, 5}, kernel[] = {1, 10, 100};
	struct convolution_sum sums[8];
	struct convolution c = line(0, 5, 3, 2, 1, 1, 0);
	CHECK_INT(c.out[1], 3);
	convolution_sums(&c, src, kernel, 0, 3, sums);
	CHECK_NEAR((double)sums[0].value, 210, 0);
	CHECK_NEAR((double)sums[1].value, 432, 0);
	CHECK_NEAR((double)sums[2].value, 54, 0);
	CHECK_INT(sums[0].terms, 2);
	CHECK_INT(sums[1].terms, 3);

	c = line(0, 5, 3, 1, 0, 2, 0);
	CHECK_INT(c.out[1], 1);
	convolution_sums(&c, src, kernel, 0, 1, sums);
	CHECK_NEAR((double)sums[0].value, 531, 0);

	c = line(1, 2, 3, 2, 0, 1, 1);
	CHECK_INT(c.out[1], 6);
	convolution_sums(&c, src, kernel, 0, 6, sums);
	const double spread[] = {1, 10, 102, 20, 200, 0};
	for (int i = 0; i < 6; i++)
		CHECK_NEAR((double)sums[i].value, spread[i], 0);
	CHECK_INT(sums[5].terms, 0);

	c = line(1, 2, 3, 2, 1, 1, 0);
	CHECK_INT(c.out[1], 3);
	convolution_sums(&c, src, kernel, 1, 3, sums);
	CHECK_NEAR((double)sums[0].value, 102, 0);
	CHECK_NEAR((double)sums[1].value, 20, 0);
}

static void extents(void)
{
	CHECK_INT(line(0, 3, 7, 1, 2, 1, 0).out[1], 1);
	CHECK_INT(line(0, 3, 8, 1, 2, 1, 0).out[1], 0);  /* longer than the padded source */
	CHECK_INT(line(0, 10, 3, 3, 0, 2, 0).out[1], 2); /* taps reach over 5: starts 0 and 3 */
	CHECK_INT(line(0, 11, 3, 3, 0, 2, 0).out[1], 3);
	CHECK_INT(line(1, 5, 3, 2, 3, 1, 0).out[1], 5);
	CHECK_INT(line(1, 5, 3, 2, 3, 3, 1).out[1], 10);
	CHECK_INT(line(1, 1, 1, 1, 3, 1, 0).out[1], 0);
}

/* The padding is left out: an infinite weight there makes nothing, and NaN and infinities make what they must. */
static void not_finite(void)
{
	const double src[] = {1, 2, 3}, kernel[] = {(double)INFINITY, 1, 1}, opposite[] = {(double)INFINITY, 0, -(double)INFINITY};
	const double small[] = {0x1p-127, 0, 1};
	struct convolution_sum sums[3];
	const struct convolution c = line(0, 3, 3, 1, 1, 1, 0);
	convolution_sums(&c, src, kernel, 0, 3, sums);
	CHECK_NEAR((double)sums[0].value, 3, 0);
	CHECK(isinf(sums[1].value) && sums[1].value > 0);
	convolution_sums(&c, src, opposite, 0, 3, sums);
	CHECK(isinf(sums[0].value) && sums[0].value < 0);
	CHECK(isnan(sums[1].value));
	CHECK_INT(sums[1].infinite_small, 0);
	convolution_sums(&c, small, kernel, 0, 3, sums);
	CHECK_INT(sums[1].infinite_small, 1);
	CHECK_NEAR((double)sums[0].partners, 1 + 0x1p-127, 1e-15);
}

enum { BATCH = 2, IN = 3, OUT = 2 };

static double dot(const double *a, const struct convolution_sum *b, int64_t count)
{
	long double sum = 0;
	for (int64_t i = 0; i < count; i++)
		sum += a[i] * b[i].value;
	return (double)sum;
}

static void check_adjoint(const struct convolution *c, const struct convolution *back, const double *x, const double *y,
			  const double *kernel)
{
	const int64_t x_count = BATCH * IN * c->in[0] * c->in[1], y_count = BATCH * OUT * c->out[0] * c->out[1];
	struct convolution_sum *const forward = calloc((size_t)y_count, sizeof *forward);
	struct convolution_sum *const plain = calloc((size_t)y_count, sizeof *plain);
	struct convolution_sum *const backward = calloc((size_t)x_count, sizeof *backward);
	CHECK(forward && plain && backward);
	if (forward && plain && backward) {
		convolution_sums(c, x, kernel, 0, y_count, forward);
		convolution_sums(back, y, kernel, 0, x_count, backward);
		/* integers: exact */
		CHECK_NEAR(dot(y, forward, y_count), dot(x, backward, x_count), 0);
		convolution_plain_sums(c, x, kernel, 0, y_count, plain);
		for (int64_t i = 0; i < y_count; i++)
			CHECK(plain[i].value == forward[i].value && plain[i].magnitude == forward[i].magnitude &&
			      plain[i].terms == forward[i].terms);
		/* in parts the same */
		convolution_sums(c, x, kernel, 5, 9, plain);
		for (int i = 0; i < 4; i++)
			CHECK(plain[i].value == forward[5 + i].value);
		double terms = 0;
		for (int64_t i = 0; i < y_count; i++)
			terms += (double)forward[i].terms;
		CHECK_NEAR(convolution_products(c), terms, 0);
		CHECK_NEAR(convolution_products(back), terms, 0);
	}
	free(forward);
	free(plain);
	free(backward);
}

/* A transposed convolution is the transpose of the convolution with the same kernel: <y, C x> = <C' y, x>. */
static void adjoint(void)
{
	enum { X = BATCH * IN * 5 * 7, KERNEL = OUT * IN * 2 * 3, Y_MAX = BATCH * OUT * 64 };
	double x[X], y[Y_MAX], kernel[KERNEL];
	CHECK_INT(generate_array(x, DTYPE_F64, X, 1, "integers", 1, 5, 1, NULL), 0);
	CHECK_INT(generate_array(y, DTYPE_F64, Y_MAX, 1, "integers", 1, 5, 2, NULL), 0);
	CHECK_INT(generate_array(kernel, DTYPE_F64, KERNEL, 1, "integers", 1, 5, 3, NULL), 0);
	for (int64_t stride = 1; stride <= 3; stride++) {
		for (int64_t padding = 0; padding <= 2; padding++) {
			for (int64_t dilation = 1; dilation <= 2; dilation++) {
				struct convolution c = {.batch = BATCH, .channels_in = IN, .channels_out = OUT, .in = {5, 7},
							.kernel = {2, 3}, .stride = {stride, 4 - stride}, .padding = {padding, 2 - padding},
							.dilation = {dilation, 3 - dilation}};
				struct convolution back = c;
				back.transposed = 1;
				back.channels_in = OUT;
				back.channels_out = IN;
				for (int axis = 0; axis < 2; axis++) {
					back.in[axis] = c.out[axis] = convolution_extent(&c, axis, 0);
					back.out[axis] = c.in[axis];
					/* what floor() took away is out_padding of the transposed one */
					const int64_t least = convolution_extent(&back, axis, 0);
					CHECK(least <= c.in[axis] && c.in[axis] - least < c.stride[axis]);
				}
				check_adjoint(&c, &back, x, y, kernel);
			}
		}
	}
}

static void wraps(void)
{
	const uint32_t src[] = {0xffffffffu, 3, 0x80000000u}, kernel[] = {2, 0x80000001u};
	uint32_t sums[2];
	const struct convolution c = line(0, 3, 2, 1, 0, 1, 0);
	convolution_wrapped(&c, src, kernel, 0, 2, sums);
	CHECK_INT(sums[0], (uint32_t)(0xffffffffull * 2 + 3 * 0x80000001ull));
	CHECK_INT(sums[1], (uint32_t)(6 + 0x80000000ull * 0x80000001ull));
}

static void interpolation(void)
{
	CHECK_INT(nearest_source(0.5, 5, 3), 2);
	CHECK_INT(nearest_source(0.5, 9, 3), 2);
	/* 2/98 * 49 is a little below 1 in double */
	CHECK_INT(nearest_source(2.0 / 98, 49, 2), 0);
	struct interpolation at = interpolate_corners(3, 5, 9);
	CHECK(at.low == 1 && at.high == 2 && at.weight == 0.5L);
	at = interpolate_corners(8, 5, 9);
	CHECK(at.low == 4 && at.high == 4 && at.weight == 0);
	at = interpolate_corners(0, 5, 1);
	CHECK(at.low == 0 && at.weight == 0);
	at = interpolate_corners(3, 1, 9);
	CHECK(at.low == 0 && at.high == 0);
	at = interpolate_centers(1, 2, 0, 5); /* -0.25: held at 0 */
	CHECK(at.low == 0 && at.high == 1 && at.weight == 0);
	at = interpolate_centers(1, 2, 3, 5); /* 1.25 */
	CHECK(at.low == 1 && at.high == 2 && at.weight == 0.25L);
	CHECK(at.error > 0 && at.error < 1e-15);
	at = interpolate_centers(1, 2, 9, 5); /* 4.25: behind the last centre */
	CHECK(at.low == 4 && at.high == 4);
	CHECK(center_position(1, 2, 9) == 4.25L);
	at = interpolate_centers(5, 5, 2, 5);
	CHECK(at.low == 2 && at.weight == 0);
	/* every position computed in double lies within the error of the exact one */
	for (int64_t in = 1; in < 40; in += 3) {
		for (int64_t out = 1; out < 60; out += 7) {
			for (int64_t i = 0; i < out; i++) {
				const double ratio = (double)in / (double)out, position = ratio * ((double)i + 0.5) - 0.5;
				const struct interpolation exact = interpolate_centers((double)in, (double)out, i, in);
				const long double due = center_position((double)in, (double)out, i);
				CHECK(fabsl((position > 0 ? position : 0) - due) <= exact.error);
			}
		}
	}
}

int main(void)
{
	answers();
	extents();
	not_finite();
	adjoint();
	wraps();
	interpolation();
	return check_result();
}
