/* Convolutions, their rearrangements, pooling and upsampling. */
#include "launches.h"

#include <string.h>

static int starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static void sizes(struct launch *launch, const uint64_t *values, int count)
{
	for (int i = 0; i < count; i++)
		launch_add(launch, values[i]);
}

/* dims | strides of a contiguous tensor, appended */
static int describe(uint64_t *info, int at, const uint64_t *dims, int count)
{
	uint64_t stride = 1;
	for (int i = count - 1; i >= 0; i--) {
		info[at + i] = dims[i];
		info[at + count + i] = stride;
		stride *= dims[i];
	}
	return at + 2 * count;
}

int launch_conv(const char *kernel, int number, struct launch *launch)
{
	const struct element *element = element_of_suffix(kernel);
	enum { B = 2, C = 3, O = 4, L = 13, H = 7, W = 9, K = 3 };
	const uint64_t stride = number ? 2 : 1, padding = number ? 0 : 1, dilation = number ? 2 : 1;
	const uint64_t line[3] = {B, C, L}, image[4] = {B, C, H, W};
	uint64_t info[16];
	int size;

	if (!element)
		return -1;
	if (starts(kernel, "conv1d_") || starts(kernel, "conv_transpose1d_")) {
		const int transpose = kernel[4] == '_';
		const uint64_t out_padding = number;
		const uint64_t out = transpose ? (L - 1) * stride - 2 * padding + dilation * (K - 1) + out_padding + 1
					       : (L + 2 * padding - dilation * (K - 1) - 1) / stride + 1;
		const uint64_t weights[3] = {transpose ? C : O, transpose ? O : C, K};
		size = describe(info, describe(info, 0, line, 3), weights, 3);
		sizes(launch, (const uint64_t[]){B * C * L, out, stride, padding}, 4);
		if (transpose)
			launch_add(launch, out_padding);
		launch_add(launch, dilation);
		launch_sizes(launch, info, size);
		launch_input(launch, element, B * C * L, 0, 81);
		launch_input(launch, element, O * C * K, 0, 82);
		launch_output(launch, element, B * O * out);
		launch_for_elements(launch, B * O * out);
		return number < 2;
	}
	if (starts(kernel, "conv2d_") || starts(kernel, "conv_transpose2d_")) {
		const int transpose = kernel[4] == '_';
		const uint64_t out_padding = number;
		uint64_t out[2]; /* h, w */
		for (int i = 0; i < 2; i++)
			out[i] = transpose ? (image[2 + i] - 1) * stride - 2 * padding + dilation * (K - 1) + out_padding + 1
					   : (image[2 + i] + 2 * padding - dilation * (K - 1) - 1) / stride + 1;
		const uint64_t weights[4] = {transpose ? C : O, transpose ? O : C, K, K};
		size = describe(info, describe(info, 0, image, 4), weights, 4);
		sizes(launch, (const uint64_t[]){B * C * H * W, out[1], out[0], stride, padding}, 5);
		if (transpose)
			launch_add(launch, out_padding);
		launch_add(launch, dilation);
		launch_sizes(launch, info, size);
		launch_input(launch, element, B * C * H * W, 0, 83);
		launch_input(launch, element, O * C * K * K, 0, 84);
		launch_output(launch, element, B * O * out[0] * out[1]);
		launch_for_elements(launch, B * O * out[0] * out[1]);
		return number < 2;
	}
	if (starts(kernel, "im2col1d_")) {
		const uint64_t out = (L + 2 * padding - dilation * (K - 1) - 1) / stride + 1, count = B * out * C;
		sizes(launch, (const uint64_t[]){count, out, K, stride, padding, dilation}, 6);
		launch_sizes(launch, info, describe(info, 0, line, 3));
		launch_input(launch, element, B * C * L, 1, 85);
		launch_output(launch, element, count * K);
		launch_for_elements(launch, count);
		return number < 2;
	}
	if (starts(kernel, "im2col_")) {
		const uint64_t h = (H + 2 * padding - dilation * (K - 1) - 1) / stride + 1, w = (W + 2 * padding - dilation * (K - 1) - 1) / stride + 1;
		const uint64_t count = B * h * w * C * K * K;
		sizes(launch, (const uint64_t[]){count, h, w, K, K, stride, padding, dilation}, 8);
		launch_sizes(launch, info, describe(info, 0, image, 4));
		launch_input(launch, element, B * C * H * W, 1, 86);
		launch_output(launch, element, count);
		launch_for_elements(launch, count);
		return number < 2;
	}
	if (starts(kernel, "col2im1d_")) {
		const uint64_t out = (L - 1) * stride + K;
		sizes(launch, (const uint64_t[]){B * O * out, out, L, O, K, stride}, 6);
		launch_input(launch, element, B * L * O * K, 0, 87);
		launch_output(launch, element, B * O * out);
		launch_for_elements(launch, B * O * out);
		return number < 2;
	}
	if (starts(kernel, "avg_pool2d_") || starts(kernel, "max_pool2d_")) {
		const uint64_t k[2] = {2, 3}, s[2] = {number ? 2 : 1, 2}; /* of dimensions 2 and 3 */
		const uint64_t out = ((H - k[0]) / s[0] + 1) * ((W - k[1]) / s[1] + 1) * B * C;
		sizes(launch, (const uint64_t[]){B * C * H * W, k[0], k[1], s[0], s[1]}, 5);
		launch_sizes(launch, info, describe(info, 0, image, 4));
		launch_input(launch, element, B * C * H * W, 0, 88);
		launch_output(launch, element, out);
		launch_for_elements(launch, out);
		if (kernel[0] == 'a' && element->is_float) {
			launch->relative = !strcmp(element->name, "f64") ? 0x1p-50 : 0x1p-20 + (element->bytes == 2 ? element->epsilon : 0);
			launch->why = "a division, approximate in float32: 2 ulp on each side";
		}
		return number < 2;
	}
	if (starts(kernel, "upsample_")) {
		const uint64_t h = number ? 11 : 14, w = number ? 20 : 18;
		const double scale_h = (double)H / (double)h, scale_w = (double)W / (double)w, none = 0;
		uint64_t bits[3];
		memcpy(&bits[0], &scale_h, 8);
		memcpy(&bits[1], &scale_w, 8);
		memcpy(&bits[2], &none, 8);
		sizes(launch, (const uint64_t[]){h, w}, 2); /* nearest: its "w" is dimension 2 */
		if (starts(kernel, "upsample_nearest2d_"))
			sizes(launch, bits, 2);
		else { /* (w_out, h_out) in normal naming */
			launch->argument_count = 0;
			sizes(launch, (const uint64_t[]){w, h, (uint64_t)number, 0, bits[2], 0, bits[2]}, 7);
		}
		launch_sizes(launch, info, describe(info, 0, image, 4));
		launch_input(launch, element, B * C * H * W, 0, 89);
		launch_output(launch, element, B * C * h * w);
		launch_for_elements(launch, B * C * h * w);
		return number < 2;
	}
	return -1;
}
