/* Kernels on the cpu device: PTX modules, launches, and what the virtual machine saw. */
#include "artifact/demangle.h"
#include "artifact/fatbin.h"
#include "core/util.h"
#include "device/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* The cpu device answers as compute capability 9.0 (harness/cudart/properties.c); CUDA programming guide, table of
	 * technical specifications: */
	SHARED_PER_MULTIPROCESSOR = 228 << 10,
	SHARED_RESERVED = 1 << 10, /* by the system, of each block */
	SHARED_PER_BLOCK = 227 << 10,
	SHARED_WITHOUT_OPT_IN = 48 << 10,
	THREADS_PER_MULTIPROCESSOR = 2048,
	BLOCKS_PER_MULTIPROCESSOR = 32
};

/* Warp instructions of one block before a loop counts as endless: some minutes of one core. Who runs cases has a limit of time
 * too, which is usually the shorter one. */
#define BLOCK_BUDGET (1ull << 32)

/* CUresult values that a driver answers with (cuda.h). */
enum { INVALID_VALUE = 1, INVALID_IMAGE = 200, NO_BINARY_FOR_GPU = 209, NOT_FOUND = 500 };

struct device_function {
	struct ptx_kernel *kernel;
	struct ptx_kernel_facts facts;
	int dynamic_limit;
	struct device_function *next;
};

struct device_module {
	struct ptx_image *image;
	struct device_function *functions;
};

int cpu_still_good(const struct cpu_device *cpu, struct error *err)
{
	if (!cpu->lost_code)
		return 0;
	error_set(err, ERROR_DEVICE, "%s", cpu->lost_message);
	if (err)
		err->device_code = cpu->lost_code;
	return -1;
}

/* ---- modules ---- */

/* PTX of a fatbin that an sm_90 would be compiled from, as a text the caller frees. */
static int unpack_fatbin(const void *image, char **text, struct error *err)
{
	struct fatbin fatbin = {0};
	size_t size;
	char reason[160];
	int result = -1;
	*text = NULL;
	if (fatbin_container_size(image, &size, err) || fatbin_parse(image, size, &fatbin, err))
		return -1;
	const int chosen = fatbin_select(fatbin.entries, fatbin.count, -1, 9, 0, IMAGE_PTX, reason, sizeof reason);
	if (chosen >= 0) {
		void *bytes;
		result = fatbin_entry_decompress(&fatbin.entries[chosen], &bytes, &size, err);
		if (result == 0)
			*text = bytes;
	} else {
		error_set(err, ERROR_UNSUPPORTED, "no PTX: the fatbin %s, and the cpu device runs PTX only", reason);
		if (err)
			err->device_code = NO_BINARY_FOR_GPU;
	}
	fatbin_free(&fatbin);
	return result;
}

int cpu_module_load(struct device *device, const void *image, struct device_module **out, struct error *err)
{
	struct cpu_device *cpu = cpu_of(device);
	char *unpacked = NULL;
	uint32_t magic;
	*out = NULL;
	if (cpu_still_good(cpu, err))
		return -1;
	memcpy(&magic, image, sizeof magic); /* the smallest of the three, a PTX text, is longer */
	if (memcmp(image, "\177ELF", 4) == 0) {
		error_set(err, ERROR_UNSUPPORTED, "no PTX: the image is a cubin, and the cpu device runs PTX only");
		if (err)
			err->device_code = NO_BINARY_FOR_GPU;
		return -1;
	}
	if (magic == FATBIN_CONTAINER_MAGIC && unpack_fatbin(image, &unpacked, err))
		return -1;
	struct device_module *module = calloc(1, sizeof *module);
	int result = module ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (result == 0)
		result = ptx_image_load(unpacked ? unpacked : image, cpu->memory, &module->image, err);
	free(unpacked);
	if (result) {
		free(module);
		return -1;
	}
	*out = module;
	return 0;
}

int cpu_module_unload(struct device *device, struct device_module *module, struct error *err)
{
	(void)device, (void)err;
	while (module->functions) {
		struct device_function *function = module->functions;
		module->functions = function->next;
		free(function);
	}
	ptx_image_free(module->image);
	free(module);
	return 0;
}

int cpu_module_function(struct device *device, struct device_module *module, const char *name, struct device_function **out,
			struct error *err)
{
	struct ptx_kernel *kernel;
	(void)device;
	*out = NULL;
	if (ptx_image_kernel(module->image, name, &kernel, err))
		return -1;
	for (struct device_function *known = module->functions; known; known = known->next)
		if (known->kernel == kernel) {
			*out = known;
			return 0;
		}
	struct device_function *function = calloc(1, sizeof *function);
	if (!function)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	function->kernel = kernel;
	ptx_kernel_facts(kernel, &function->facts);
	function->dynamic_limit = function->facts.shared_bytes < SHARED_WITHOUT_OPT_IN
					  ? SHARED_WITHOUT_OPT_IN - (int)function->facts.shared_bytes
					  : 0;
	function->next = module->functions;
	module->functions = function;
	*out = function;
	return 0;
}

int cpu_module_global(struct device *device, struct device_module *module, const char *name, device_pointer *out, size_t *bytes,
		      struct error *err)
{
	(void)device;
	return ptx_image_global(module->image, name, out, bytes, err);
}

int cpu_function_get(struct device *device, struct device_function *function, enum device_function_attribute attribute, int *value,
		     struct error *err)
{
	const struct ptx_kernel_facts *facts = &function->facts;
	(void)device, (void)err;
	switch (attribute) {
	case DEVICE_FUNCTION_MAX_THREADS:
		*value = (int)facts->max_threads;
		break;
	case DEVICE_FUNCTION_SHARED_BYTES:
		*value = (int)facts->shared_bytes;
		break;
	case DEVICE_FUNCTION_CONST_BYTES:
		*value = (int)facts->const_bytes;
		break;
	case DEVICE_FUNCTION_LOCAL_BYTES:
		*value = (int)facts->local_bytes;
		break;
	case DEVICE_FUNCTION_REGISTERS:
		*value = (int)facts->registers;
		break;
	case DEVICE_FUNCTION_PTX_VERSION:
		*value = (int)facts->target; /* cuda.h: "the PTX virtual architecture version" */
		break;
	case DEVICE_FUNCTION_MAX_DYNAMIC_SHARED:
		*value = function->dynamic_limit;
		break;
	default: /* no binary, no caches */
		*value = 0;
		break;
	}
	return 0;
}

int cpu_function_set(struct device *device, struct device_function *function, enum device_function_attribute attribute, int value,
		     struct error *err)
{
	(void)device;
	if (attribute == DEVICE_FUNCTION_SHARED_CARVEOUT)
		return 0; /* a hint */
	if (attribute != DEVICE_FUNCTION_MAX_DYNAMIC_SHARED || value < 0 ||
	    (uint32_t)value + function->facts.shared_bytes > SHARED_PER_BLOCK) {
		error_set(err, ERROR_DEVICE, "CUDA_ERROR_INVALID_VALUE: attribute %d of %s cannot be %d (a block has %d bytes of shared memory, "
			  "%u of them static)", (int)attribute, function->facts.name, value, SHARED_PER_BLOCK, function->facts.shared_bytes);
		if (err)
			err->device_code = INVALID_VALUE;
		return -1;
	}
	function->dynamic_limit = value;
	return 0;
}

int cpu_function_occupancy(struct device *device, struct device_function *function, int block_threads, size_t dynamic_shared,
			   int *blocks, struct error *err)
{
	(void)device;
	*blocks = 0;
	if (block_threads <= 0)
		return error_set(err, ERROR_INTERNAL, "occupancy of blocks of %d threads", block_threads);
	const size_t shared = function->facts.shared_bytes + dynamic_shared + SHARED_RESERVED;
	const size_t by_shared = SHARED_PER_MULTIPROCESSOR / shared, by_threads = THREADS_PER_MULTIPROCESSOR / (size_t)block_threads;
	size_t fit = by_shared < by_threads ? by_shared : by_threads;
	if (fit > BLOCKS_PER_MULTIPROCESSOR)
		fit = BLOCKS_PER_MULTIPROCESSOR;
	*blocks = (uint32_t)block_threads > function->facts.max_threads ? 0 : (int)fit;
	return 0;
}

/* ---- findings ---- */

static enum device_fault fault_of(enum ptx_finding_kind kind)
{
	switch (kind) {
	case PTX_FIND_BOUNDS: case PTX_FIND_MISALIGNED: case PTX_FIND_READ_ONLY:
		return DEVICE_FAULT_ACCESS;
	case PTX_FIND_UNDEFINED_BRANCH: case PTX_FIND_UNDEFINED_ADDRESS: case PTX_FIND_UNDEFINED_OUTPUT: case PTX_FIND_UNDEFINED_OPERAND:
		return DEVICE_FAULT_UNDEFINED;
	case PTX_FIND_RACE:
		return DEVICE_FAULT_RACE;
	case PTX_FIND_DIVERGENT_BARRIER: case PTX_FIND_DEADLOCK: case PTX_FIND_INVALID:
		return DEVICE_FAULT_BARRIER;
	case PTX_FIND_BUDGET:
		return DEVICE_FAULT_ENDLESS;
	case PTX_FIND_UNSUPPORTED:
		return DEVICE_FAULT_UNSUPPORTED;
	default:
		return DEVICE_FAULT_STOPPED;
	}
}

/* "specimen::attention_forward<__half, 64, true>": without what it returns and takes, and cut where templates run on. */
static void kernel_name_for_people(char *name, size_t size)
{
	enum { LONGEST = 96 };
	char *plain = demangle(name);
	if (!plain)
		return;
	const char *start = strncmp(plain, "void ", 5) == 0 ? plain + 5 : plain;
	int depth = 0, length = 0;
	while (start[length] && !(start[length] == '(' && depth == 0)) {
		depth += (start[length] == '<') - (start[length] == '>');
		length++;
	}
	if (length > LONGEST)
		snprintf(name, size, "%.*s...", LONGEST, start);
	else
		snprintf(name, size, "%.*s", length, start);
	free(plain);
}

static void note(struct cpu_device *cpu, const struct ptx_finding *finding)
{
	cpu->findings_in_all++;
	if (cpu->finding_count == CPU_FINDINGS_KEPT)
		return;
	struct device_finding *kept = &cpu->findings[cpu->finding_count++];
	struct ptx_finding readable = *finding;
	kernel_name_for_people(readable.kernel, sizeof readable.kernel);
	kept->fault = fault_of(finding->kind);
	ptx_finding_text(&readable, kept->text, sizeof kept->text);
}

void cpu_look_at(struct cpu_device *cpu, device_pointer pointer, size_t bytes)
{
	enum { ROOM = 8 };
	struct ptx_finding findings[ROOM];
	if (cpu->unchecked)
		return;
	const int count = ptx_memory_host_read(cpu->memory, pointer, bytes, findings, ROOM);
	for (int i = 0; i < count && i < ROOM; i++)
		note(cpu, &findings[i]); /* further ones of the same range say the same */
}

void cpu_forget_output(struct cpu_device *cpu, device_pointer pointer)
{
	/* what is left of the ranges no longer lies in any buffer, and looking at it finds nothing; those that began here go at
	 * once, so that a long run does not gather them */
	for (size_t i = cpu->output_count; i-- > 0;)
		if (cpu->outputs[i].pointer == pointer)
			cpu->outputs[i] = cpu->outputs[--cpu->output_count];
}

void cpu_mark(struct device *device, device_pointer pointer, size_t bytes, enum device_memory_use use)
{
	struct cpu_device *cpu = cpu_of(device);
	if (!bytes)
		return;
	ptx_memory_mark(cpu->memory, pointer, bytes, use);
	for (size_t i = cpu->output_count; i-- > 0;) /* marked anew */
		if (cpu->outputs[i].pointer >= pointer && cpu->outputs[i].pointer + cpu->outputs[i].bytes <= pointer + bytes)
			cpu->outputs[i] = cpu->outputs[--cpu->output_count];
	if (use != DEVICE_MEMORY_OUTPUT)
		return;
	if (cpu->output_count == cpu->output_capacity) {
		const size_t capacity = cpu->output_capacity ? 2 * cpu->output_capacity : 16;
		struct cpu_range *more = realloc(cpu->outputs, capacity * sizeof *more);
		if (!more)
			return; /* it is a hint */
		cpu->outputs = more;
		cpu->output_capacity = capacity;
	}
	cpu->outputs[cpu->output_count++] = (struct cpu_range){pointer, bytes};
}

int cpu_findings(struct device *device, struct device_finding *findings, int room)
{
	struct cpu_device *cpu = cpu_of(device);
	for (size_t i = 0; i < cpu->output_count; i++)
		cpu_look_at(cpu, cpu->outputs[i].pointer, cpu->outputs[i].bytes);
	const int count = cpu->findings_in_all, given = cpu->finding_count < room ? cpu->finding_count : room;
	if (given > 0)
		memcpy(findings, cpu->findings, (size_t)given * sizeof *findings);
	cpu->finding_count = cpu->findings_in_all = 0;
	return count;
}

/* ---- counts ---- */

static void add_counts(struct device_counts *sum, const struct ptx_launch_result *result)
{
	const struct ptx_counts *of = &result->counts;
	sum->launches++;
	sum->blocks += of->blocks;
	sum->warps += of->warps;
	for (int class = 0; class < PTX_CLASS_COUNT; class++) {
		sum->warp_instructions += of->warp_instructions[class];
		sum->lane_instructions += of->lane_instructions[class];
		if (class == PTX_CLASS_MATRIX)
			sum->matrix_flops += of->flops[class];
		else
			sum->flops += of->flops[class];
	}
	sum->special_functions += of->lane_instructions[PTX_CLASS_SPECIAL_FUNCTION];
	sum->conversions += of->lane_instructions[PTX_CLASS_CONVERT];
	sum->integer_instructions += of->lane_instructions[PTX_CLASS_INTEGER];
	sum->global_read_bytes += of->global_read_bytes;
	sum->global_written_bytes += of->global_written_bytes;
	sum->shared_read_bytes += of->shared_read_bytes;
	sum->shared_written_bytes += of->shared_written_bytes;
	sum->local_bytes += of->local_bytes;
	sum->global_sectors += of->global_read_sectors + of->global_written_sectors;
	sum->global_ideal_sectors += of->global_ideal_sectors;
	sum->shared_requests += of->shared_requests;
	sum->shared_wavefronts += of->shared_wavefronts;
	sum->atomics += of->atomics;
	sum->barriers += of->barriers;
	sum->branches += of->branches;
	sum->divergent_branches += of->divergent_branches;
	sum->seconds += result->seconds;
}

int cpu_counts(struct device *device, struct device_counts *counts)
{
	struct cpu_device *cpu = cpu_of(device);
	*counts = cpu->counts;
	cpu->counts = (struct device_counts){0};
	return counts->launches > 0;
}

/* ---- launches ---- */

int cpu_launch(struct device *device, struct device_function *function, struct device_dim3 grid, struct device_dim3 block,
	       size_t dynamic_shared, struct device_stream *stream, void **arguments, struct error *err)
{
	struct cpu_device *cpu = cpu_of(device);
	(void)stream;
	if (cpu_still_good(cpu, err))
		return -1;
	if (dynamic_shared > (size_t)function->dynamic_limit) {
		error_set(err, ERROR_DEVICE, "CUDA_ERROR_INVALID_VALUE: %s asks for %zu bytes of dynamic shared memory and may have %d",
			  function->facts.name, dynamic_shared, function->dynamic_limit);
		if (err)
			err->device_code = INVALID_VALUE;
		return -1;
	}
	const struct ptx_launch launch = {
		.kernel = function->kernel,
		.memory = cpu->memory,
		.grid = grid,
		.block = block,
		.dynamic_shared = (uint32_t)dynamic_shared,
		.arguments = arguments,
		.checks = !cpu->unchecked,
		.threads = device->properties.multiprocessors,
		.seed = ++cpu->launches,
		.budget = BLOCK_BUDGET,
	};
	struct ptx_launch_result *result = calloc(1, sizeof *result);
	if (!result)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	const int failed = ptx_launch(&launch, result, err);
	if (!failed) {
		add_counts(&cpu->counts, result);
		for (int i = 0; i < result->finding_count; i++)
			note(cpu, &result->findings[i]);
		cpu->findings_in_all += result->findings_left_out;
		if (result->device_code) {
			/* as on a GPU the launch itself is accepted, and whoever waits for it learns of the fault */
			const struct ptx_finding *cause = NULL;
			for (int i = 0; i < result->finding_count && !cause; i++)
				if (ptx_finding_code(result->findings[i].kind) == result->device_code)
					cause = &result->findings[i];
			char text[256] = "";
			if (cause)
				ptx_finding_text(cause, text, sizeof text);
			cpu->lost_code = result->device_code;
			snprintf(cpu->lost_message, sizeof cpu->lost_message, "%s: %s", device_error_name(result->device_code), text);
		}
	}
	free(result);
	return failed;
}
