/* A small device for tests of memory and checks: buffers, and one kernel written as PTX, run as a launch. */
#ifndef ASSAY_TESTS_PTX_MEMORY_RUN_H
#define ASSAY_TESTS_PTX_MEMORY_RUN_H

#include "check.h"
#include "device/ptx/launch.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORLD_BUFFERS = 4, WORLD_BYTES = 16384 };

/* Kernels get the buffers' addresses as p0 ... p3. */
struct world {
	struct ptx_memory *memory;
	unsigned char *buffer[WORLD_BUFFERS];
	size_t bytes[WORLD_BUFFERS];
	struct ptx_launch_result *result;
	struct error err;
	int status;                /* of the last launch */
};

static void world_open(struct world *world)
{
	memset(world, 0, sizeof *world);
	world->memory = ptx_memory_create();
	world->result = calloc(1, sizeof *world->result);
	for (int i = 0; i < WORLD_BUFFERS; i++) {
		world->buffer[i] = aligned_alloc(256, WORLD_BYTES);
		world->bytes[i] = WORLD_BYTES;
		for (int k = 0; k < WORLD_BYTES; k++)
			world->buffer[i][k] = (unsigned char)(k * 7 + k / 256 + i);
		CHECK_INT(ptx_memory_add(world->memory, (uint64_t)(uintptr_t)world->buffer[i], WORLD_BYTES, PTX_BUFFER_ALLOCATION, NULL, NULL), 0);
	}
}

static void world_close(struct world *world)
{
	ptx_memory_destroy(world->memory);
	for (int i = 0; i < WORLD_BUFFERS; i++)
		free(world->buffer[i]);
	free(world->result);
}

static inline uint64_t world_address(const struct world *world, int buffer)
{
	return (uint64_t)(uintptr_t)world->buffer[buffer];
}

struct world_launch {
	const char *declarations;  /* of module scope; NULL: none */
	const char *variables;     /* of the body */
	const char *body;
	uint32_t threads, blocks, dynamic_shared;
	int no_checks;
	int workers;               /* host threads; 0: one */
};

/* Runs a kernel with this body; `mov.u32 %t, %tid.x` and the parameters in %p0 ... %p3 come before it. */
static void world_run(struct world *world, struct world_launch run)
{
	static char text[65536];
	snprintf(text, sizeof text,
		 ".version 8.5\n.target sm_90\n.address_size 64\n%s\n"
		 ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u64 p2, .param .u64 p3)\n{\n"
		 ".reg .b16 %%h<20>;\n.reg .b32 %%r<40>, %%t;\n.reg .b64 %%d<40>, %%p0, %%p1, %%p2, %%p3;\n.reg .b128 %%q<4>;\n.reg .f32 %%f<20>;\n"
		 ".reg .f64 %%g<8>;\n.reg .pred %%b<20>;\n%s\n"
		 "mov.u32 %%t, %%tid.x;\nld.param.u64 %%p0, [p0];\nld.param.u64 %%p1, [p1];\nld.param.u64 %%p2, [p2];\nld.param.u64 %%p3, [p3];\n"
		 "%s\nret;\n}\n",
		 run.declarations ? run.declarations : "", run.variables ? run.variables : "", run.body);
	struct ptx_image *image = NULL;
	struct ptx_kernel *kernel = NULL;
	memset(world->result, 0, sizeof *world->result);
	world->err = (struct error){0};
	world->status = ptx_image_load(text, world->memory, &image, &world->err);
	if (world->status == 0)
		world->status = ptx_image_kernel(image, "k", &kernel, &world->err);
	if (world->status == 0) {
		uint64_t values[WORLD_BUFFERS];
		void *arguments[WORLD_BUFFERS];
		for (int i = 0; i < WORLD_BUFFERS; i++) {
			values[i] = world_address(world, i);
			arguments[i] = &values[i];
		}
		const struct ptx_launch launch = {
			.kernel = kernel, .memory = world->memory, .grid = {run.blocks ? run.blocks : 1, 1, 1}, .block = {run.threads ? run.threads : 32, 1, 1},
			.dynamic_shared = run.dynamic_shared, .arguments = arguments, .checks = !run.no_checks, .threads = run.workers ? run.workers : 1, .budget = 1 << 20,
		};
		world->status = ptx_launch(&launch, world->result, &world->err);
	}
	if (world->status)
		fprintf(stderr, "  (%s)\n", world->err.message);
	if (image)
		ptx_image_free(image);
}

/* The only finding is of this kind and its text contains `text`; kind < 0: there is none. A race may be told from both sides. */
static inline void world_expect(const struct world *world, int kind, const char *text)
{
	CHECK_INT(world->status, 0);
	if (kind != PTX_FIND_RACE || world->result->finding_count == 0)
		CHECK_INT(world->result->finding_count, kind < 0 ? 0 : 1);
	int contained = text == NULL || kind < 0;
	for (int i = 0; i < world->result->finding_count; i++) {
		const struct ptx_finding *finding = &world->result->findings[i];
		if (kind < 0 || (int)finding->kind != kind)
			fprintf(stderr, "  finding: %s: %s (line %u)\n", ptx_finding_name(finding->kind), finding->text, finding->position.line);
		if (kind >= 0)
			CHECK_INT(finding->kind, kind);
		contained |= text && strstr(finding->text, text) != NULL;
	}
	if (!contained && world->result->finding_count)
		CHECK_CONTAINS(world->result->findings[0].text, text);
}

#endif
