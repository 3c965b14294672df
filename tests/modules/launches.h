/* Plausible launches of the kernels in candle's PTX modules: arguments, buffers and grids by the kernel's name, small sizes,
 * deterministic inputs. They serve to compare two devices with each other, not with a reference: what a kernel should compute
 * is the families' business. The argument lists are those of the kernels' sources at the revision named in the README. */
#ifndef ASSAY_TESTS_MODULES_LAUNCHES_H
#define ASSAY_TESTS_MODULES_LAUNCHES_H

#include "core/error.h"
#include "device/device.h"

#include "../conformance/suite.h"

enum { LAUNCH_BUFFERS = 8, LAUNCH_ARGUMENTS = 20, LAUNCH_CASES = 3 };

struct element {
	const char *name;                 /* as in kernel names: "bf16" */
	int bytes, is_float;
	enum value_kind moderate, edges;
	double epsilon;                   /* distance from 1 to the next number */
};
const struct element *element_find(const char *name);          /* "f8_e4m3" and "fp8_e4m3" are the same */
const struct element *element_of_suffix(const char *kernel);   /* by the end of the name: "_bf16" */

struct launch_buffer {
	unsigned char *bytes;
	size_t size;
	const struct element *element;    /* NULL: compared bit by bit */
	int is_output;
};

struct launch {
	struct launch_buffer buffers[LAUNCH_BUFFERS];
	int buffer_count;
	struct { unsigned char value[8]; int buffer; } arguments[LAUNCH_ARGUMENTS]; /* buffer >= 0: its address; -1: the value */
	int argument_count;
	struct device_dim3 grid, block;
	uint32_t shared;
	/* Two devices agree when |a - b| <= relative * max(|a|, |b|) + absolute; both 0: the same bits (NaNs are all the same).
	 * `why` says where the bound comes from. */
	double relative, absolute;
	const char *why;
	int any_order;                    /* results may differ between runs: atomic sums of floating-point numbers */
	int failed;                       /* no memory, or too many arguments */
};

/* 1: made; 0: the kernel has no such case; -1: no kernel of that name is known, or no memory (*err). */
int launch_make(const char *kernel, int number, struct launch *launch, struct error *err);
void launch_free(struct launch *launch);

/* ---- for the tables ---- */
int launch_buffer(struct launch *launch, const struct element *element, size_t count, int is_output); /* zeros; gives its index */
void launch_fill(struct launch *launch, int buffer, int edges, uint64_t seed);
void launch_add_buffer(struct launch *launch, int buffer);
void launch_add(struct launch *launch, uint64_t value);
void launch_input(struct launch *launch, const struct element *element, size_t count, int edges, uint64_t seed); /* and its argument */
void launch_output(struct launch *launch, const struct element *element, size_t count);
void launch_sizes(struct launch *launch, const uint64_t *values, int count); /* an array of size_t as argument; none: NULL */
void launch_for_elements(struct launch *launch, uint64_t count);

int launch_elementwise(const char *kernel, int number, struct launch *launch);
int launch_indexing(const char *kernel, int number, struct launch *launch);
int launch_conv(const char *kernel, int number, struct launch *launch);
int launch_reduce(const char *kernel, int number, struct launch *launch);
int launch_quantized(const char *kernel, int number, struct launch *launch);

#endif
