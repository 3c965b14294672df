/* One launch: what a driver would refuse, parameters, and what is told afterwards. */
#include "device/ptx/core.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ERROR_INVALID_VALUE = 1, ERROR_OUT_OF_RESOURCES = 701, /* CUresult */
	BLOCK_THREADS_MAX = 1024, BLOCK_Z_MAX = 64, GRID_X_MAX = 0x7fffffff, GRID_YZ_MAX = 65535, SHARED_MAX = 227 << 10,
	THREADS_MAX = 256
};
#define BUDGET_DEFAULT (1ull << 36)

static int refuse(struct error *err, int code, const char *kernel, const char *why)
{
	error_set(err, ERROR_DEVICE, "kernel %s is not launched: %s", kernel, why);
	if (err)
		err->device_code = code;
	return -1;
}

static int validate(const struct ptx_launch *launch, const struct ptx_kernel_facts *facts, struct error *err)
{
	const struct device_dim3 grid = launch->grid, block = launch->block;
	const struct ptx_function *const function = launch->kernel->function;
	char text[256];
	if (!grid.x || !grid.y || !grid.z || grid.x > GRID_X_MAX || grid.y > GRID_YZ_MAX || grid.z > GRID_YZ_MAX) {
		snprintf(text, sizeof text, "a grid of %u x %u x %u blocks (at most 2147483647 x 65535 x 65535, none 0)", grid.x, grid.y, grid.z);
		return refuse(err, ERROR_INVALID_VALUE, facts->name, text);
	}
	if (!block.x || !block.y || !block.z || block.x > BLOCK_THREADS_MAX || block.y > BLOCK_THREADS_MAX || block.z > BLOCK_Z_MAX ||
	    (uint64_t)block.x * block.y * block.z > BLOCK_THREADS_MAX) {
		snprintf(text, sizeof text, "blocks of %u x %u x %u threads (at most 1024 x 1024 x 64, 1024 in all, none 0)", block.x, block.y, block.z);
		return refuse(err, ERROR_INVALID_VALUE, facts->name, text);
	}
	const uint32_t *const required = function->required_threads;
	if (required[0] && (block.x != required[0] || block.y != (required[1] ? required[1] : 1) || block.z != (required[2] ? required[2] : 1))) {
		snprintf(text, sizeof text, "blocks of %u x %u x %u threads, its .reqntid is %u, %u, %u", block.x, block.y, block.z, required[0],
			 required[1] ? required[1] : 1, required[2] ? required[2] : 1);
		return refuse(err, ERROR_INVALID_VALUE, facts->name, text);
	}
	if (block.x * block.y * block.z > facts->max_threads) {
		snprintf(text, sizeof text, "blocks of %u threads, its .maxntid allows %u", block.x * block.y * block.z, facts->max_threads);
		return refuse(err, ERROR_OUT_OF_RESOURCES, facts->name, text);
	}
	if (launch->dynamic_shared > SHARED_MAX || facts->shared_bytes + launch->dynamic_shared > SHARED_MAX) {
		snprintf(text, sizeof text, "%u bytes of static and %u of dynamic shared memory (at most %d in all)", facts->shared_bytes,
			 launch->dynamic_shared, (int)SHARED_MAX);
		return refuse(err, ERROR_INVALID_VALUE, facts->name, text);
	}
	return 0;
}

static int threads_allowed(void)
{
	cpu_set_t set;
	const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	return count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
}

static int by_place(const void *a, const void *b)
{
	const struct ptx_finding *const first = a, *const second = b;
	if (first->position.line != second->position.line)
		return first->position.line < second->position.line ? -1 : 1;
	if (first->position.column != second->position.column)
		return first->position.column < second->position.column ? -1 : 1;
	return (first->kind > second->kind) - (first->kind < second->kind);
}

/* Counters are differences (core.c). */
static void add_program(const struct ptx_program *program, uint64_t *executed, uint64_t *lanes, struct ptx_counts *counts)
{
	uint64_t runs = 0, width = 0;
	executed += program->counter_base;
	lanes += program->counter_base;
	for (int i = 0; i < program->count; i++) {
		const struct ptx_insn *const insn = &program->code[i];
		runs += executed[i];
		width += lanes[i];
		executed[i] = runs;
		lanes[i] = width;
		counts->warp_instructions[insn->class] += runs;
		counts->lane_instructions[insn->class] += width;
		counts->flops[insn->class] += insn->flops * (insn->flags & PTX_INSN_WARP_FLOPS ? runs : width);
		if (insn->source && (insn->source->opcode == PTX_OP_bra || insn->source->opcode == PTX_OP_brx))
			counts->branches += runs;
	}
}

static void profile_program(const struct ptx_program *program, const uint64_t *executed, const uint64_t *lanes, struct ptx_launch_result *result)
{
	for (int i = 0; i < program->count; i++)
		if (program->code[i].source)
			result->profile[result->profile_count++] = (struct ptx_profile){
				program->code[i].source, executed[program->counter_base + (uint32_t)i], lanes[program->counter_base + (uint32_t)i]};
}

static int count(const struct ptx_launch *launch, uint64_t *executed, uint64_t *lanes, struct ptx_launch_result *result, struct error *err)
{
	const struct ptx_kernel *const kernel = launch->kernel;
	add_program(kernel->program, executed, lanes, &result->counts);
	for (int i = 0; i < kernel->callee_count; i++)
		if (kernel->callees[i]->program)
			add_program(kernel->callees[i]->program, executed, lanes, &result->counts);
	if (!launch->profile)
		return 0;
	result->profile = calloc(kernel->counters, sizeof *result->profile);
	if (!result->profile)
		return error_set(err, ERROR_ENVIRONMENT, "no memory for a profile of %u instructions", kernel->counters);
	profile_program(kernel->program, executed, lanes, result);
	for (int i = 0; i < kernel->callee_count; i++)
		if (kernel->callees[i]->program)
			profile_program(kernel->callees[i]->program, executed, lanes, result);
	return 0;
}

static void print_out(struct ptx_core *core)
{
	const struct ptx_launch *const launch = core->launch;
	if (!core->printed_length)
		return;
	if (launch->print) {
		launch->print(launch->print_context, core->printed, core->printed_length);
		return;
	}
	fwrite(core->printed, 1, core->printed_length, stdout);
	fflush(stdout);
}

static double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int ptx_launch(const struct ptx_launch *launch, struct ptx_launch_result *result, struct error *err)
{
	struct ptx_kernel *const kernel = launch->kernel;
	struct ptx_kernel_facts facts;
	memset(result, 0, sizeof *result);
	ptx_kernel_facts(kernel, &facts);
	if (validate(launch, &facts, err) < 0)
		return -1;
	const struct ptx_function *const function = kernel->function;
	for (int i = 0; i < function->parameter_count; i++)
		memcpy(kernel->parameters + function->parameters[i].offset, launch->arguments[i], (size_t)function->parameters[i].bytes);

	struct ptx_core core = {
		.state = {.memory = launch->memory, .program = kernel->program, .grid = {launch->grid.x, launch->grid.y, launch->grid.z},
			  .threads = {launch->block.x, launch->block.y, launch->block.z}, .static_shared = facts.shared_bytes,
			  .dynamic_shared = launch->dynamic_shared, .checks = launch->checks != 0},
		.split_slice = kernel->may_wait ? PTX_SPLIT_SLICE_WAITING : PTX_SPLIT_SLICE,
		.warp_slice = kernel->may_wait ? PTX_WARP_SLICE_WAITING : PTX_WARP_SLICE,
		.block_slice = kernel->may_wait ? PTX_BLOCK_SLICE_WAITING : PTX_BLOCK_SLICE,
		.launch = launch, .kernel = kernel, .budget = launch->budget ? launch->budget : BUDGET_DEFAULT, .seed = launch->seed,
		.blocks = (uint64_t)launch->grid.x * launch->grid.y * launch->grid.z,
		.mutex = PTHREAD_MUTEX_INITIALIZER, .note_mutex = PTHREAD_MUTEX_INITIALIZER, .print_mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	core.state.core = &core;
	core.paused_tail = &core.paused;
	while (core.order_bits < 64 && (core.order_bits == 0 || core.blocks - 1 > (1ull << core.order_bits) - 1))
		core.order_bits += 2;
	int workers = launch->threads > 0 ? launch->threads : threads_allowed();
	workers = workers > THREADS_MAX ? THREADS_MAX : workers;
	workers = (uint64_t)workers > core.blocks ? (int)core.blocks : workers;

	int status = -1;
	uint64_t *const executed = calloc(kernel->counters, sizeof *executed), *const lanes = calloc(kernel->counters, sizeof *lanes);
	if (!executed || !lanes) {
		error_set(err, ERROR_ENVIRONMENT, "no memory for the counters of kernel %s", facts.name);
		goto done;
	}
	const double begin = seconds_now();
	if (ptx_grid_run(&core, workers, &result->counts, executed, lanes, err) < 0)
		goto done;
	result->seconds = seconds_now() - begin;
	print_out(&core);
	if (count(launch, executed, lanes, result, err) < 0)
		goto done;
	result->device_code = core.device_code;
	if (core.note_count)
		qsort(core.notes, (size_t)core.note_count, sizeof *core.notes, by_place);
	result->finding_count = core.note_count < PTX_FINDINGS_MAX ? core.note_count : PTX_FINDINGS_MAX;
	result->findings_left_out = core.note_count - result->finding_count + core.notes_left_out;
	if (result->finding_count)
		memcpy(result->findings, core.notes, (size_t)result->finding_count * sizeof *core.notes);
	if (core.failed) {
		if (err)
			*err = core.failure;
		goto done;
	}
	if (core.unsupported[0]) {
		error_set(err, ERROR_UNSUPPORTED, "%s", core.unsupported);
		goto done;
	}
	if (launch->cancel && *launch->cancel) {
		error_set(err, ERROR_TIMEOUT, "kernel %s was stopped on request", facts.name);
		goto done;
	}
	status = 0;
done:
	free(executed);
	free(lanes);
	free(core.notes);
	free(core.note_keys);
	free(core.printed);
	return status;
}
