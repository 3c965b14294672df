/* The PTX machine given other people's PTX: the front end alone, and everything up to running each kernel with a small budget. */
#include "targets.h"

#include "device/ptx/launch.h"
#include "device/ptx/lower.h"

#include "../unit/ptx_allocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FUNCTIONS_MOST = 32, BUFFER_BYTES = 4096, VARIABLES_MOST = 1 << 22 };

static volatile size_t seen;

/* PTX is text: up to the first NUL. The caller frees. */
static char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static void look_at(const struct ptx_function *function)
{
	char mnemonic[64];
	for (int i = 0; i < function->instruction_count; i++) {
		ptx_instruction_mnemonic(&function->instructions[i], mnemonic, sizeof mnemonic);
		seen += strlen(mnemonic) + function->instructions[i].text_length;
	}
	for (int b = 0; b < function->block_count; b++)
		if (function->blocks[b].first + function->blocks[b].count > function->instruction_count)
			abort();
	/* the check walks all slots of all blocks: only where that is little */
	if ((uint64_t)function->block_count * function->register_file_bytes < 1 << 26 && allocation_faults(function))
		abort();
}

void fuzz_ptx_front(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);
	struct ptx_module *module;
	struct error err = {0};
	if (ptx_module_index(text, &module, &err) == 0) {
		for (int i = 0; i < module->function_count && i < FUNCTIONS_MOST; i++) {
			const struct ptx_function *function = ptx_module_function(module, module->functions[i].name, &err);
			if (function)
				look_at(function);
		}
		ptx_module_free(module);
	}
	free(text);
}

static void ignore_text(void *context, const char *text, size_t length)
{
	(void)context;
	seen += length ? (unsigned char)text[length - 1] : 0;
}

static void run_kernel(struct ptx_image *image, struct ptx_memory *memory, const char *name, unsigned char *buffer)
{
	struct ptx_kernel *kernel;
	struct ptx_kernel_facts facts;
	struct error err = {0};
	if (ptx_image_kernel(image, name, &kernel, &err))
		return;
	ptx_kernel_facts(kernel, &facts);
	void **arguments = calloc((size_t)facts.parameter_count + 1, sizeof *arguments);
	unsigned char *values = calloc((size_t)facts.parameter_bytes + 16, 1);
	struct ptx_launch_result *result = malloc(sizeof *result);
	if (!arguments || !values || !result)
		abort();
	for (int i = 0; i < facts.parameter_count; i++) {
		const uint64_t address = (uint64_t)(uintptr_t)buffer + (uint64_t)i * 1024 % BUFFER_BYTES, small = 3 + (uint64_t)i;
		unsigned char *value = values + facts.parameters[i].offset;
		arguments[i] = value;
		if (facts.parameters[i].bytes <= 8)
			memcpy(value, facts.parameters[i].bytes == 8 ? &address : &small, (size_t)facts.parameters[i].bytes);
	}
	for (int checks = 0; checks < 2; checks++) {
		const struct ptx_launch launch = {.kernel = kernel, .memory = memory, .grid = {2, 1, 1}, .block = {40, 1, 1}, .dynamic_shared = 64,
						  .arguments = arguments, .checks = checks, .threads = 1, .seed = 1, .budget = 2000,
						  .print = ignore_text};
		if (ptx_launch(&launch, result, &err) == 0)
			seen += (size_t)result->finding_count;
	}
	free(arguments);
	free(values);
	free(result);
}

void fuzz_ptx_run(const uint8_t *data, size_t size)
{
	static _Alignas(256) unsigned char buffer[BUFFER_BYTES];
	char *text = text_of(data, size);
	struct ptx_module *module;
	struct ptx_image *image;
	struct error err = {0};
	if (ptx_module_index(text, &module, &err) == 0) {
		uint64_t bytes = 0; /* a module may rightly ask for more: not here */
		for (int i = 0; i < module->variable_count; i++)
			bytes += module->variables[i].bytes;
		struct ptx_memory *memory = bytes < VARIABLES_MOST ? ptx_memory_create() : NULL;
		if (memory) {
			memset(buffer, 0, sizeof buffer);
			if (ptx_memory_add(memory, (uint64_t)(uintptr_t)buffer, sizeof buffer, PTX_BUFFER_ALLOCATION, "buffer", &err) == 0 &&
			    ptx_image_load(text, memory, &image, &err) == 0) {
				for (int i = 0, ran = 0; i < module->function_count && ran < FUNCTIONS_MOST; i++)
					if (module->functions[i].is_entry) {
						run_kernel(image, memory, module->functions[i].name, buffer);
						ran++;
					}
				ptx_image_free(image);
			}
			ptx_memory_destroy(memory);
		}
		ptx_module_free(module);
	}
	free(text);
}
