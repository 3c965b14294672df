#include "reference/convolution.h"

#include <math.h>

int64_t convolution_extent(const struct convolution *c, int axis, int64_t out_padding)
{
	const int64_t reach = c->dilation[axis] * (c->kernel[axis] - 1) + 1; /* elements from the first to the last tap */
	int64_t extent;
	if (c->transposed) {
		extent = (c->in[axis] - 1) * c->stride[axis] - 2 * c->padding[axis] + reach + out_padding;
	} else {
		const int64_t room = c->in[axis] + 2 * c->padding[axis] - reach;
		extent = room < 0 ? 0 : room / c->stride[axis] + 1;
	}
	return extent > 0 ? extent : 0;
}

/* Position in the source that tap `tap` of output `at` meets, or -1. */
static int64_t meets(const struct convolution *c, int axis, int64_t at, int64_t tap)
{
	int64_t position;
	if (c->transposed) {
		const int64_t numerator = at + c->padding[axis] - tap * c->dilation[axis];
		if (numerator < 0 || numerator % c->stride[axis])
			return -1;
		position = numerator / c->stride[axis];
	} else {
		position = at * c->stride[axis] + tap * c->dilation[axis] - c->padding[axis];
	}
	return position >= 0 && position < c->in[axis] ? position : -1;
}

/* Where the products of one tap begin and how far one channel is from the next. */
struct tap {
	int64_t src, src_step, kernel, kernel_step;
};

struct place {
	int64_t batch, channel, row, column;
};

static struct place place_of(const struct convolution *c, int64_t index)
{
	struct place place;
	place.column = index % c->out[1];
	place.row = index / c->out[1] % c->out[0];
	place.channel = index / c->out[1] / c->out[0] % c->channels_out;
	place.batch = index / c->out[1] / c->out[0] / c->channels_out;
	return place;
}

static struct tap tap_of(const struct convolution *c, const struct place *place, int64_t row, int64_t column, int64_t tap_row,
			 int64_t tap_column)
{
	const int64_t plane = c->in[0] * c->in[1], taps = c->kernel[0] * c->kernel[1];
	struct tap tap = {.src = place->batch * c->channels_in * plane + row * c->in[1] + column, .src_step = plane};
	tap.kernel = tap_row * c->kernel[1] + tap_column;
	tap.kernel += place->channel * (c->transposed ? taps : c->channels_in * taps);
	tap.kernel_step = c->transposed ? c->channels_out * taps : taps;
	return tap;
}

/* What follows is done for every tap of an output that meets the source; `tap` says where it lies. */
#define FOR_EACH_TAP(c, place, tap)                                                                                         \
	for (int64_t tap_row = 0; tap_row < (c)->kernel[0]; tap_row++)                                                      \
		for (int64_t row = meets(c, 0, (place).row, tap_row), tap_column = 0, column;                               \
		     row >= 0 && tap_column < (c)->kernel[1]; tap_column++)                                                 \
			if ((column = meets(c, 1, (place).column, tap_column)) >= 0 &&                                      \
			    (tap = tap_of(c, &(place), row, column, tap_row, tap_column), 1))

static void add_product(struct convolution_sum *sum, double a, double b)
{
	const long double product = (long double)a * b;
	const int small = a != 0 && b != 0 && (fabs(a) < 0x1p-126 || fabs(b) < 0x1p-126);
	sum->value += product;
	if (!isfinite(product)) {
		sum->infinite_small += small;
		return;
	}
	sum->magnitude += fabsl(product);
	if (small)
		sum->partners += (long double)fabs(a) + fabs(b);
}

void convolution_sums(const struct convolution *c, const double *src, const double *kernel, int64_t first, int64_t last,
		      struct convolution_sum *sums)
{
	for (int64_t index = first; index < last; index++) {
		const struct place place = place_of(c, index);
		struct convolution_sum sum = {0};
		struct tap tap;
		FOR_EACH_TAP(c, place, tap) {
			for (int64_t channel = 0; channel < c->channels_in; channel++)
				add_product(&sum, src[tap.src + channel * tap.src_step],
					    kernel[tap.kernel + channel * tap.kernel_step]);
			sum.terms += c->channels_in;
		}
		sums[index - first] = sum;
	}
}

void convolution_plain_sums(const struct convolution *c, const double *src, const double *kernel, int64_t first, int64_t last,
			    struct convolution_sum *sums)
{
	for (int64_t index = first; index < last; index++) {
		const struct place place = place_of(c, index);
		double value = 0, magnitude = 0;
		int64_t taps = 0;
		struct tap tap;
		FOR_EACH_TAP(c, place, tap) {
			for (int64_t channel = 0; channel < c->channels_in; channel++) {
				const double product = src[tap.src + channel * tap.src_step] *
						       kernel[tap.kernel + channel * tap.kernel_step];
				value += product;
				magnitude += fabs(product);
			}
			taps++;
		}
		sums[index - first] = (struct convolution_sum){.value = value, .magnitude = magnitude,
							       .terms = taps * c->channels_in};
	}
}

void convolution_wrapped(const struct convolution *c, const uint32_t *src, const uint32_t *kernel, int64_t first, int64_t last,
			 uint32_t *sums)
{
	for (int64_t index = first; index < last; index++) {
		const struct place place = place_of(c, index);
		uint32_t sum = 0;
		struct tap tap;
		FOR_EACH_TAP(c, place, tap)
			for (int64_t channel = 0; channel < c->channels_in; channel++)
				sum += src[tap.src + channel * tap.src_step] * kernel[tap.kernel + channel * tap.kernel_step];
		sums[index - first] = sum;
	}
}

/* Pairs of output position and tap that meet the source along an axis. */
static double meetings(const struct convolution *c, int axis)
{
	double count = 0;
	for (int64_t at = 0; at < c->out[axis]; at++)
		for (int64_t tap = 0; tap < c->kernel[axis]; tap++)
			count += meets(c, axis, at, tap) >= 0;
	return count;
}

double convolution_products(const struct convolution *c)
{
	return (double)c->batch * (double)c->channels_in * (double)c->channels_out * meetings(c, 0) * meetings(c, 1);
}
