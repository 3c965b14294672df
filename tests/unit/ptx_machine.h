/* For tests of the PTX machine: one kernel of a text, launched on memory of the test. */
#ifndef ASSAY_TESTS_PTX_MACHINE_H
#define ASSAY_TESTS_PTX_MACHINE_H

#include "check.h"
#include "device/ptx/launch.h"

#include <stdarg.h>
#include <stdlib.h>

#define PTX_HEAD ".version 8.3\n.target sm_90\n.address_size 64\n"

/* A kernel of one parameter, `out`: %r0 the thread's place in the grid, %r1 its place in the block, %r2 the block, %rd1 the address
 * of the thread's 32-bit element, %rd0 that of the first. The body leaves the element in %r10. */
#define PTX_KERNEL(name, body)                                                                                         \
	".visible .entry " name "(.param .u64 out)\n{\n"                                                               \
	".reg .pred %p<16>;\n.reg .b16 %h<8>;\n.reg .b32 %r<64>;\n.reg .f32 %f<8>;\n.reg .b64 %rd<16>;\n"              \
	"ld.param.u64 %rd0, [out];\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\nmov.u32 %r3, %ntid.x;\n"            \
	"mad.lo.s32 %r0, %r2, %r3, %r1;\nmul.wide.u32 %rd1, %r0, 4;\nadd.s64 %rd1, %rd0, %rd1;\nmov.u32 %r10, 0;\n" body \
	"\nst.global.u32 [%rd1], %r10;\nret;\n}\n"

struct machine {
	uint32_t grid[3], block[3];   /* 0: 1 */
	uint32_t dynamic_shared;
	int unchecked, threads;
	uint64_t seed, budget;
	char printed[4096];
	size_t printed_length;
	struct ptx_launch_result result;
	struct error err;
	int status;                   /* of the launch */
};

struct machine_buffer { void *memory; size_t bytes; enum device_memory_use use; };

static void machine_print(void *context, const char *text, size_t length)
{
	struct machine *const machine = context;
	if (length > sizeof machine->printed - 1 - machine->printed_length)
		length = sizeof machine->printed - 1 - machine->printed_length;
	memcpy(machine->printed + machine->printed_length, text, length);
	machine->printed_length += length;
	machine->printed[machine->printed_length] = '\0';
}

/* `arguments`: as cuLaunchKernel takes them. The buffers are registered, marked, and forgotten again. */
static void machine_launch(struct machine *machine, const char *text, const char *kernel, const struct machine_buffer *buffers, int buffer_count,
			   void **arguments)
{
	struct ptx_memory *const memory = ptx_memory_create();
	struct ptx_image *image = NULL;
	machine->status = -1;
	memset(&machine->result, 0, sizeof machine->result);
	memset(&machine->err, 0, sizeof machine->err);
	machine->printed_length = 0;
	machine->printed[0] = '\0';
	for (int i = 0; i < buffer_count; i++) {
		const uint64_t address = (uint64_t)(uintptr_t)buffers[i].memory;
		CHECK_INT(ptx_memory_add(memory, address, buffers[i].bytes, PTX_BUFFER_ALLOCATION, NULL, &machine->err), 0);
		ptx_memory_mark(memory, address, buffers[i].bytes, buffers[i].use);
	}
	struct ptx_launch launch = {
		.memory = memory,
		.grid = {machine->grid[0] ? machine->grid[0] : 1, machine->grid[1] ? machine->grid[1] : 1, machine->grid[2] ? machine->grid[2] : 1},
		.block = {machine->block[0] ? machine->block[0] : 1, machine->block[1] ? machine->block[1] : 1, machine->block[2] ? machine->block[2] : 1},
		.dynamic_shared = machine->dynamic_shared, .arguments = arguments, .checks = !machine->unchecked, .threads = machine->threads,
		.seed = machine->seed, .budget = machine->budget, .print = machine_print, .print_context = machine,
	};
	if (ptx_image_load(text, memory, &image, &machine->err) == 0 && ptx_image_kernel(image, kernel, &launch.kernel, &machine->err) == 0)
		machine->status = ptx_launch(&launch, &machine->result, &machine->err);
	if (machine->status < 0 && machine->err.kind != ERROR_DEVICE && machine->err.kind != ERROR_UNSUPPORTED)
		fprintf(stderr, "%s: %s\n", kernel, machine->err.message);
	free(machine->result.profile);
	machine->result.profile = NULL;
	ptx_image_free(image);
	ptx_memory_destroy(memory);
}

/* A kernel of PTX_KERNEL, on `count` elements. */
static inline void machine_run(struct machine *machine, const char *text, const char *kernel, uint32_t *out, size_t count)
{
	uint64_t address = (uint64_t)(uintptr_t)out;
	void *arguments[] = {&address};
	machine_launch(machine, text, kernel, &(struct machine_buffer){out, count * sizeof *out, DEVICE_MEMORY_PLAIN}, 1, arguments);
}

static inline int machine_found(const struct machine *machine, enum ptx_finding_kind kind)
{
	for (int i = 0; i < machine->result.finding_count; i++)
		if (machine->result.findings[i].kind == kind)
			return 1;
	return 0;
}

/* It ran to its end and nothing was found. */
static inline void machine_clean(const struct machine *machine, const char *what)
{
	check_count++;
	if (machine->status == 0 && !machine->result.device_code && !machine->result.finding_count)
		return;
	check_failures++;
	fprintf(stderr, "%s: status %d, code %d, %d findings %s\n", what, machine->status, machine->result.device_code, machine->result.finding_count,
		machine->err.message);
	for (int i = 0; i < machine->result.finding_count; i++) {
		char line[1024];
		ptx_finding_text(&machine->result.findings[i], line, sizeof line);
		fprintf(stderr, "  %s\n", line);
	}
}

#endif
