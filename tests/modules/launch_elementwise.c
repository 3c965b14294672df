/* affine, unary, binary, cast, fill, ternary. Each table function gives 1 (made), 0 (no such case) or -1 (another's kernel). */
#include "launches.h"

#include <stdio.h>
#include <string.h>

enum { COUNT = 3000 };
/* 5 x 7 x 11 elements whose rows and columns are exchanged in memory */
static const uint64_t dims[3] = {5, 7, 11}, straight[3] = {77, 11, 1}, turned[3] = {11, 55, 1}, broadcast[3] = {0, 11, 1};
enum { STRIDED_COUNT = 5 * 7 * 11 };

static int starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Case 0: contiguous, no info; 1: strided; 2: contiguous with info and edge values. Gives the number of elements. */
static uint64_t shape(struct launch *launch, int number, int operands)
{
	const uint64_t *const strides[3] = {turned, broadcast, straight};
	uint64_t info[12], count = COUNT;
	int size = 0;
	if (number == 1) {
		memcpy(info, dims, sizeof(dims));
		for (int i = 0; i < operands; i++)
			memcpy(info + 3 + 3 * i, strides[i], sizeof(dims));
		size = 3 + 3 * operands;
		count = STRIDED_COUNT;
	} else if (number == 2) {
		info[size++] = COUNT;
		for (int i = 0; i < operands; i++)
			info[size++] = 1;
	}
	launch_add(launch, count);
	launch_add(launch, number == 1 ? 3 : 1);
	launch_sizes(launch, info, size);
	launch_for_elements(launch, count);
	return count;
}

static uint64_t scalar(const struct element *element, double value)
{
	uint64_t bits = 0;
	const float single = (float)value;
	uint32_t word;
	memcpy(&word, &single, sizeof(word));
	if (!strcmp(element->name, "f64"))
		memcpy(&bits, &value, sizeof(bits));
	else if (!strcmp(element->name, "f32"))
		bits = word;
	else if (!strcmp(element->name, "bf16"))
		bits = word >> 16;
	else if (!strcmp(element->name, "f16"))
		bits = value == 0 ? 0 : (word >> 16 & 0x8000) | (((word >> 23 & 255) - 112) << 10) | (word >> 13 & 0x3ff);
	else if (strstr(element->name, "e4m3"))
		bits = value == 0 ? 0 : (word >> 24 & 0x80) | (((word >> 23 & 255) - 120) << 3) | (word >> 20 & 7);
	else
		bits = (uint64_t)(int64_t)value;
	return bits;
}

/* Functions that are computed with approximations, whose errors two devices need not share. In float32: ex2 2 ulp, lg2 2^-22,
 * sin and cos 2^-20.5, tanh 2^-11, rcp 1 ulp, sqrt and div 2 ulp (manual 9.7.3); results of 16 bits differ by one of their own
 * units where the float32 before lies at the border of two. float64 refines coarse reciprocals to a few units. */
static void closeness(struct launch *launch, const char *function, const struct element *element)
{
	static const struct { const char *name; double relative, absolute; const char *why; } functions[] = {
		{"uexp_", 0x1p-20, 0x1p-125, "ex2.approx: 2 ulp on each side; results below 2^-126 become 0"}, {"ulog_", 0x1p-20, 0x1p-20, "lg2.approx: 2^-22 times ln 2, each side"},
		{"usin_", 0, 0x1p-13, "sin.approx: 2^-14.7 within 100 pi, each side"}, {"ucos_", 0, 0x1p-13, "cos.approx: 2^-14.7 within 100 pi, each side"},
		{"utanh_", 0x1p-10, 0, "tanh.approx: 2^-11, each side"}, {"uerf_", 0x1p-18, 0x1p-20, "ex2.approx within a polynomial"},
		{"unormcdf_", 0x1p-16, 0x1p-20, "ex2.approx and rcp.approx within a polynomial"}, {"usqrt_", 0x1p-21, 0, "sqrt.approx: 2^-23, each side"},
		{"urecip_", 0x1p-21, 0, "rcp.approx: 1 ulp, each side"}, {"usilu_", 0x1p-19, 0x1p-140, "ex2.approx, div.approx"},
		{"usigmoid_", 0x1p-19, 0x1p-140, "ex2.approx, div.approx"}, {"ugelu_erf_", 0x1p-16, 0x1p-14, "erf as above, times |x| up to 2^6"},
		{"ugelu_", 0x1p-10, 0x1p-8, "x / 2 (1 + tanh.approx): cancels below -1, where |x| times 2^-11 remains"},
		{"uelu_", 0x1p-20, 0x1p-22, "ex2.approx minus 1"}, {"upowf_", 0x1p-14, 0, "ex2.approx(p lg2.approx(x)): exponents up to 128 times 2^-22"},
		{"bdiv_", 0x1p-20, 0, "div.approx: 2 ulp, each side"},
	};
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (!starts(function, functions[i].name) || !element->is_float)
			continue;
		const int is_double = !strcmp(element->name, "f64");
		launch->relative = is_double ? 0x1p-49 : functions[i].relative + (element->bytes == 2 ? element->epsilon : 0);
		launch->absolute = is_double ? 0x1p-50 : functions[i].absolute;
		launch->why = is_double ? "float64 from refined reciprocals: 4 ulp, each side" : functions[i].why;
		return;
	}
}

static int launch_unary(const char *kernel, int number, struct launch *launch, const struct element *element)
{
	const uint64_t count = shape(launch, number, 1);
	/* sums of roundings have no bound where edge values overflow on the way: functions get moderate values in every case */
	closeness(launch, kernel, element);
	const int edges = number == 2 && launch->relative == 0 && launch->absolute == 0;
	if (starts(kernel, "uelu_") || starts(kernel, "upowf_"))
		launch_add(launch, scalar(element, starts(kernel, "uelu_") ? 0.75 : 2.5));
	launch_input(launch, element, count, edges, (uint64_t)number + 11);
	launch_output(launch, element, count);
	return 1;
}

static int launch_cast(const char *kernel, int number, struct launch *launch)
{
	char from[16] = "";
	const char *names[] = {"f8_e4m3", "bf16", "f16", "f32", "f64", "u8", "u32", "i64", "i32"};
	const struct element *to = element_of_suffix(kernel);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !from[0]; i++)
		if (starts(kernel + 5, names[i]) && kernel[5 + strlen(names[i])] == '_')
			snprintf(from, sizeof(from), "%s", names[i]);
	const struct element *source = element_find(from);
	if (!source || !to)
		return -1;
	const uint64_t count = shape(launch, number, 1);
	launch_input(launch, source, count, number == 2, (uint64_t)number + 21);
	launch_output(launch, to, count);
	return 1;
}

static int launch_binary(const char *kernel, int number, struct launch *launch, const struct element *element)
{
	const uint64_t count = shape(launch, number, 2);
	const int compares = kernel[0] != 'b';
	closeness(launch, kernel, element);
	const int edges = number == 2 && launch->relative == 0;
	launch_input(launch, element, count, edges, (uint64_t)number + 31);
	launch_input(launch, element, count, edges, (uint64_t)number + 32);
	if (starts(kernel, "bdiv_") && !element->is_float && !launch->failed) { /* division by zero, and of the smallest by -1, is not defined */
		struct launch_buffer *divisor = &launch->buffers[launch->buffer_count - 1];
		for (size_t i = 0; i < divisor->size; i += (size_t)element->bytes)
			divisor->bytes[i] = (unsigned char)((divisor->bytes[i] & 0x7e) + 1);
	}
	if (compares && !launch->failed) { /* every eighth pair is equal */
		const struct launch_buffer *sides = &launch->buffers[launch->buffer_count - 2];
		const size_t width = (size_t)element->bytes;
		for (size_t i = 5; i < sides[0].size / width; i += 8)
			memcpy(sides[1].bytes + i * width, sides[0].bytes + i * width, width);
	}
	launch_output(launch, compares ? element_find("u8") : element, count);
	return 1;
}

static int launch_ternary(const char *kernel, int number, struct launch *launch, const struct element *element)
{
	static const uint64_t plain[1] = {1};
	const uint64_t count = number == 1 ? STRIDED_COUNT : COUNT;
	const char *end = strchr(kernel + 6, '_');
	char name[16] = "";
	uint64_t info[12];
	if (end && (size_t)(end - kernel - 6) < sizeof(name))
		memcpy(name, kernel + 6, (size_t)(end - kernel - 6));
	const struct element *index = element_find(name);
	if (!index)
		return -1;
	if (number == 0) /* never without info: case 2 is the contiguous one */
		number = 2;
	launch_add(launch, count);
	launch_add(launch, number == 1 ? 3 : 1);
	if (number == 1) {
		const uint64_t *const all[4] = {dims, turned, broadcast, straight};
		for (int i = 0; i < 4; i++)
			memcpy(info + 3 * i, all[i], sizeof(dims));
	} else {
		info[0] = COUNT;
		for (int i = 1; i < 4; i++)
			info[i] = plain[0];
	}
	launch_sizes(launch, info, number == 1 ? 12 : 4);
	const int ids = launch_buffer(launch, index, count, 0);
	for (uint64_t i = 0; i < count && !launch->failed; i++)
		launch->buffers[ids].bytes[i * (uint64_t)index->bytes] = (unsigned char)(input_mix(i) & 1);
	launch_add_buffer(launch, ids);
	launch_input(launch, element, count, 1, 41);
	launch_input(launch, element, count, 1, 42);
	launch_output(launch, element, count);
	launch_for_elements(launch, count);
	return 1;
}

static int launch_fills(const char *kernel, int number, struct launch *launch, const struct element *element)
{
	if (starts(kernel, "fill_")) {
		launch_output(launch, element, COUNT);
		launch_add(launch, scalar(element, number ? -1.5 : 1));
		launch_add(launch, COUNT - 7);
		launch_for_elements(launch, COUNT);
		return number < 2;
	}
	if (starts(kernel, "copy2d_")) {
		launch_input(launch, element, 30 * 70, 1, 51);
		launch_output(launch, element, 30 * 65);
		for (int i = 0; i < 4; i++)
			launch_add(launch, (const uint64_t[]){30, 61, 70, 65}[i]);
		launch_for_elements(launch, 30 * 61);
		return number == 0;
	}
	const uint64_t count = shape(launch, number, 1); /* const_set */
	launch_add(launch, scalar(element, 2));
	launch_output(launch, element, count);
	return 1;
}

int launch_elementwise(const char *kernel, int number, struct launch *launch)
{
	static const char *const binary[] = {"badd_", "bsub_", "bmul_", "bdiv_", "bmaximum_", "bminimum_", "eq_", "ne_", "lt_", "le_", "gt_", "ge_"};
	const struct element *element = element_of_suffix(kernel);
	if (!element)
		return -1;
	if (starts(kernel, "affine_")) {
		const uint64_t count = shape(launch, number, 1);
		launch_input(launch, element, count, number == 2, 61);
		launch_output(launch, element, count);
		launch_add(launch, scalar(element, 1.5));
		launch_add(launch, scalar(element, 0.5));
		return 1;
	}
	if (starts(kernel, "cast_"))
		return launch_cast(kernel, number, launch);
	if (starts(kernel, "where_"))
		return launch_ternary(kernel, number, launch, element);
	if (starts(kernel, "fill_") || starts(kernel, "copy2d_") || starts(kernel, "const_set_"))
		return launch_fills(kernel, number, launch, element);
	for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]); i++)
		if (starts(kernel, binary[i]))
			return launch_binary(kernel, number, launch, element);
	if (kernel[0] == 'u' && !starts(kernel, "upsample_"))
		return launch_unary(kernel, number, launch, element);
	return -1;
}
