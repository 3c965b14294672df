/* Reductions, normalisations, rotary embeddings, sorting. */
#include "launches.h"

#include <string.h>

static int starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static uint32_t power_of_two(uint32_t value)
{
	uint32_t power = 1;
	while (power < value)
		power *= 2;
	return power;
}

static uint64_t bits_of(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static void approximate(struct launch *launch, const struct element *element, double relative, double absolute, const char *why)
{
	const int is_double = !strcmp(element->name, "f64");
	launch->relative = is_double ? 0x1p-45 : relative + (element->bytes == 2 ? element->epsilon : 0);
	launch->absolute = is_double ? 0x1p-45 : absolute;
	launch->why = why;
}

static int rope(const char *kernel, int number, struct launch *launch, const struct element *element)
{
	enum { BATCH = 2, HEADS = 3, TOKENS = 5, WIDTH = 8, ALL = BATCH * HEADS * TOKENS * WIDTH };
	const uint64_t stride_b = number ? HEADS * TOKENS * WIDTH : 0;
	const size_t angles = (number ? BATCH : 1) * TOKENS * WIDTH / 2;
	launch_input(launch, element, ALL, 0, 91);
	launch_input(launch, element, angles, 0, 92);
	launch_input(launch, element, angles, 0, 93);
	launch_output(launch, element, ALL);
	if (starts(kernel, "rope_thd_")) {
		for (int i = 0; i < 4; i++)
			launch_add(launch, (const uint64_t[]){BATCH, TOKENS, HEADS, WIDTH}[i]);
	} else {
		launch_add(launch, BATCH * HEADS);
		launch_add(launch, TOKENS * WIDTH);
		if (!starts(kernel, "rope_i_"))
			launch_add(launch, WIDTH);
	}
	launch_add(launch, stride_b);
	launch_for_elements(launch, ALL / 2);
	return number < 2;
}

int launch_reduce(const char *kernel, int number, struct launch *launch)
{
	const struct element *element = element_of_suffix(kernel);
	if (!element)
		return -1;
	if (starts(kernel, "fast_")) {
		/* case 1: the reduced dimension lies apart in memory */
		const uint64_t rows = 6, columns = number == 2 ? 1500 : 45;
		const uint64_t info[4] = {rows, columns, number == 1 ? 1 : columns, number == 1 ? rows : 1};
		const int argument = starts(kernel, "fast_arg");
		launch_add(launch, rows * columns);
		launch_add(launch, columns);
		launch_add(launch, 2);
		launch_sizes(launch, info, 4);
		launch_input(launch, element, rows * columns, 0, 101);
		launch_output(launch, argument ? element_find("u32") : element, rows);
		launch->grid = (struct device_dim3){(uint32_t)rows, 1, 1};
		launch->block = (struct device_dim3){power_of_two((uint32_t)(columns < 1024 ? columns : 1024)), 1, 1};
		return 1;
	}
	if (starts(kernel, "sum_")) {
		const uint64_t info[6] = {6, 45, 45, 1, 45, 1};
		launch_add(launch, 6 * 45);
		launch_add(launch, 2);
		launch_add(launch, 1);
		launch_sizes(launch, info, 6);
		launch_input(launch, element, 6 * 45, 0, 102);
		launch_add_buffer(launch, launch_buffer(launch, element, 6 * 45, 1)); /* zeros; how many sums there are is the kernel's business */
		launch_for_elements(launch, 6 * 45);
		launch->any_order = element->is_float;
		if (element->is_float)
			approximate(launch, element, 45 * (element->bytes == 2 ? element->epsilon : 0x1p-22), 45 * 64 * (element->bytes == 2 ? element->epsilon : 0x1p-22),
				    "45 additions in any order, each rounded, of values up to 128");
		return number == 0;
	}
	if (starts(kernel, "softmax_")) {
		const uint64_t columns = number == 1 ? 300 : 37;
		launch_input(launch, element, 5 * columns, 0, 103);
		launch_output(launch, element, 5 * columns);
		launch_add(launch, columns);
		launch->grid = (struct device_dim3){5, 1, 1};
		launch->block = (struct device_dim3){1, 32, 1};
		approximate(launch, element, 0x1p-17, 0x1p-130, "ex2.approx and div.approx, 2 ulp each, in every term of the sum");
		if (element->bytes == 2)
			launch->relative *= 4; /* exponentials are rounded to the type before they are added */
		return number < 2;
	}
	if (starts(kernel, "rmsnorm_") || starts(kernel, "layernorm_")) {
		const uint64_t columns = number == 1 ? 1100 : 70, block = columns < 1024 ? 32 : 1024;
		launch_input(launch, element, 4 * columns, 0, 104);
		launch_output(launch, element, 4 * columns);
		if (number == 2)
			launch_add(launch, 0);
		else
			launch_input(launch, element, columns, 0, 105);
		if (kernel[0] == 'l') {
			if (number == 2)
				launch_add(launch, 0);
			else
				launch_input(launch, element, columns, 0, 106);
		}
		launch_add(launch, columns);
		launch_add(launch, block);
		launch_add(launch, bits_of(1e-5f));
		launch->grid = (struct device_dim3){4, 1, 1};
		launch->block = (struct device_dim3){(uint32_t)block, 1, 1};
		approximate(launch, element, 0x1p-18, 0x1p-13, "rsqrt.approx, div.approx; the difference from the mean cancels: values up to 128, weights up to 64");
		if (!strcmp(element->name, "f64"))
			launch->relative = 0x1p-18, launch->absolute = 0x1p-13; /* epsilon and root are float32 there too */
		return 1;
	}
	if (starts(kernel, "rope_"))
		return rope(kernel, number, launch, element);
	if (starts(kernel, "asort_")) {
		const uint64_t columns = number ? 100 : 32, padded = power_of_two((uint32_t)columns);
		launch_input(launch, element, 3 * columns, 0, 107);
		launch_output(launch, element_find("u32"), 3 * columns);
		launch_add(launch, columns);
		launch_add(launch, padded);
		launch->grid = (struct device_dim3){3, 1, 1};
		launch->block = (struct device_dim3){(uint32_t)padded, 1, 1};
		launch->shared = (uint32_t)padded * 4;
		return number < 2;
	}
	return -1;
}
