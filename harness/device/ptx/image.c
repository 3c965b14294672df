/* A module in memory: its variables placed, its kernels lowered with all they call. */
#include "device/ptx/core.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	LOCAL_MAX = 512 << 10,     /* bytes of local memory a thread may have (CUDA programming guide, compute capabilities) */
	SHARED_MAX = 227 << 10,    /* a block on compute capability 9.0 */
	GENERIC_ALIGN = 256
};

/* ---- variables ---- */

static int module_index_of(const struct ptx_image *image, const struct ptx_variable *variable)
{
	const struct ptx_module *const module = image->module;
	return variable >= module->variables && variable < module->variables + module->variable_count ? (int)(variable - module->variables) : -1;
}

/* Memory for a variable, zero. Large ones get pages that cost nothing before they are touched: a line of PTX can declare more
 * than there is. */
enum { LARGE_VARIABLE = 1 << 20, PAGE_ALIGN = 4096 };
#define VARIABLE_BYTES_MAX ((uint64_t)1 << 34)

static size_t room_of(const struct ptx_variable *variable)
{
	const size_t align = variable->align > GENERIC_ALIGN ? variable->align : GENERIC_ALIGN;
	return ((size_t)variable->bytes + align) / align * align;
}

static int is_mapped(const struct ptx_variable *variable)
{
	return variable->bytes >= LARGE_VARIABLE && variable->align <= PAGE_ALIGN;
}

static unsigned char *take_room(const struct ptx_variable *variable)
{
	const size_t bytes = room_of(variable);
	if (is_mapped(variable)) {
		void *const pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		return pages == MAP_FAILED ? NULL : pages;
	}
	unsigned char *const memory = aligned_alloc(variable->align > GENERIC_ALIGN ? variable->align : GENERIC_ALIGN, bytes);
	if (memory)
		memset(memory, 0, bytes);
	return memory;
}

static void give_room_back(const struct ptx_variable *variable, void *memory)
{
	if (is_mapped(variable))
		munmap(memory, room_of(variable));
	else
		free(memory);
}

static int place(struct ptx_image *image, const struct ptx_variable *variable, uint64_t *address, struct error *err)
{
	if (variable->bytes > VARIABLE_BYTES_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "line %u: %s has %llu bytes; variables of more than %llu are not placed",
				 variable->position.line, variable->name, (unsigned long long)variable->bytes,
				 (unsigned long long)VARIABLE_BYTES_MAX);
	unsigned char *const memory = take_room(variable);
	if (!memory)
		return error_set(err, ERROR_ENVIRONMENT, "no memory for %s of %llu bytes", variable->name, (unsigned long long)variable->bytes);
	if (variable->initial)
		memcpy(memory, variable->initial, (size_t)variable->bytes);
	if (variable->bytes && ptx_memory_add(image->memory, (uint64_t)(uintptr_t)memory, (size_t)variable->bytes,
					      variable->space == PTX_SPACE_CONST ? PTX_BUFFER_MODULE_CONST : PTX_BUFFER_MODULE_GLOBAL,
					      variable->name, err) < 0) {
		give_room_back(variable, memory);
		return -1;
	}
	*address = (uint64_t)(uintptr_t)memory;
	return 0;
}

static void unplace(struct ptx_image *image, const struct ptx_variable *variable, uint64_t address)
{
	if (!address)
		return;
	if (variable->bytes)
		ptx_memory_remove(image->memory, address);
	give_room_back(variable, (void *)(uintptr_t)address);
}

static struct ptx_symbol *symbol(struct ptx_image *image, const char *name)
{
	for (struct ptx_symbol *s = image->symbols; s; s = s->next)
		if (strcmp(s->name, name) == 0)
			return s;
	const enum ptx_builtin builtin = ptx_builtin_named(name);
	const struct ptx_function_index *const index = ptx_module_find(image->module, name);
	if (!index || (index->is_extern && !builtin) || index->is_entry)
		return NULL;
	struct ptx_symbol *const made = calloc(1, sizeof *made);
	if (!made)
		return NULL;
	*made = (struct ptx_symbol){.name = index->name, .builtin = index->is_extern ? builtin : PTX_BUILTIN_NONE, .next = image->symbols};
	image->symbols = made;
	return made;
}

static int relocate(struct ptx_image *image, const struct ptx_variable *variable, uint64_t address, struct error *err)
{
	for (int i = 0; i < variable->relocation_count; i++) {
		const struct ptx_relocation *const relocation = &variable->relocations[i];
		const struct ptx_variable *const target = ptx_module_variable(image->module, relocation->symbol);
		const int index = target ? module_index_of(image, target) : -1;
		uint64_t value = index >= 0 ? image->globals[index] : 0;
		if (!target) {
			struct ptx_symbol *const function = symbol(image, relocation->symbol);
			if (function) {
				function->in_initialiser = 1;
				value = (uint64_t)(uintptr_t)&function->identity;
			}
		}
		if (!value)
			return error_set(err, ERROR_UNSUPPORTED, "unsupported: line %u: the initial value of %s holds the address of %s, which has none here",
					 variable->position.line, variable->name, relocation->symbol);
		value += (uint64_t)relocation->addend;
		if (relocation->bytes > sizeof value || relocation->offset > variable->bytes || relocation->bytes > variable->bytes - relocation->offset)
			return error_set(err, ERROR_INPUT, "line %u: the initial value of %s is wider than it", variable->position.line, variable->name);
		memcpy((char *)(uintptr_t)address + relocation->offset, &value, relocation->bytes); /* little-endian, as the device is */
	}
	return 0;
}

int ptx_image_load(const char *text, struct ptx_memory *memory, struct ptx_image **image, struct error *err)
{
	struct ptx_image *const made = calloc(1, sizeof *made);
	if (!made)
		return error_set(err, ERROR_ENVIRONMENT, "no memory for a PTX module");
	made->memory = memory;
	if (ptx_module_index(text, &made->module, err) < 0)
		goto failed;
	const int count = made->module->variable_count;
	made->globals = calloc((size_t)count + 1, sizeof *made->globals);
	if (!made->globals) {
		error_set(err, ERROR_ENVIRONMENT, "no memory for %d variables", count);
		goto failed;
	}
	for (int i = 0; i < count; i++) {
		const struct ptx_variable *const variable = &made->module->variables[i];
		if ((variable->space == PTX_SPACE_GLOBAL || variable->space == PTX_SPACE_CONST) && !variable->is_extern &&
		    place(made, variable, &made->globals[i], err) < 0)
			goto failed;
	}
	for (int i = 0; i < count; i++)
		if (made->globals[i] && relocate(made, &made->module->variables[i], made->globals[i], err) < 0)
			goto failed;
	*image = made;
	return 0;
failed:
	ptx_image_free(made);
	return -1;
}

int ptx_image_global(struct ptx_image *image, const char *name, uint64_t *address, size_t *bytes, struct error *err)
{
	const struct ptx_variable *const variable = ptx_module_variable(image->module, name);
	const int index = variable ? module_index_of(image, variable) : -1;
	if (index < 0 || !image->globals[index]) {
		error_set(err, ERROR_INPUT, "the module has no variable %s in .global or .const", name);
		if (err)
			err->device_code = 500; /* CUDA_ERROR_NOT_FOUND */
		return -1;
	}
	*address = image->globals[index];
	*bytes = (size_t)variable->bytes;
	return 0;
}

/* ---- kernels ---- */

static void callee_free(struct ptx_callee *callee)
{
	if (!callee)
		return;
	ptx_program_free(callee->program);
	free(callee->calls);
	free(callee);
}

static void finish_free(struct ptx_program *program)
{
	if (!program)
		return;
	ptx_regions_free(program);
	free(program->rank);
	free(program->live);
	free(program->initial_undefined);
	program->rank = NULL;
	program->live = NULL;
	program->initial_undefined = NULL;
}

static void kernel_free(struct ptx_kernel *kernel)
{
	if (!kernel)
		return;
	finish_free(kernel->program);
	ptx_program_free(kernel->program);
	for (int i = 0; i < kernel->callee_count; i++) {
		finish_free(kernel->callees[i]->program);
		callee_free(kernel->callees[i]);
	}
	if (kernel->parameters) {
		ptx_memory_remove(kernel->image->memory, (uint64_t)(uintptr_t)kernel->parameters);
		free(kernel->parameters);
	}
	free(kernel->callees);
	free(kernel->shared);
	free(kernel);
}

void ptx_image_free(struct ptx_image *image)
{
	if (!image)
		return;
	for (struct ptx_kernel *kernel = image->kernels, *next; kernel; kernel = next) {
		next = kernel->next;
		kernel_free(kernel);
	}
	for (struct ptx_symbol *s = image->symbols, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	for (int i = 0; image->globals && i < image->module->variable_count; i++)
		unplace(image, &image->module->variables[i], image->globals[i]);
	for (int i = 0; i < image->local_count; i++)
		unplace(image, image->locals[i].variable, image->locals[i].address);
	ptx_heap_destroy(image);
	free(image->globals);
	free(image->locals);
	ptx_module_free(image->module);
	free(image);
}

static struct ptx_kernel *kernel_of(const struct ptx_link *link)
{
	return (struct ptx_kernel *)(uintptr_t)(const void *)link;
}

static int link_address(const struct ptx_link *link, const struct ptx_variable *variable, uint64_t *address)
{
	struct ptx_kernel *const kernel = kernel_of(link);
	struct ptx_image *const image = kernel->image;
	if (variable->space == PTX_SPACE_SHARED) {
		for (int i = 0; i < kernel->shared_count; i++)
			if (kernel->shared[i].variable == variable) {
				*address = kernel->shared[i].address;
				return 0;
			}
		return -1;
	}
	const int index = module_index_of(image, variable);
	if (index >= 0) {
		*address = image->globals[index];
		return *address ? 0 : -1;
	}
	for (int i = 0; i < image->local_count; i++)
		if (image->locals[i].variable == variable) {
			*address = image->locals[i].address;
			return 0;
		}
	struct ptx_placed *const locals = realloc(image->locals, ((size_t)image->local_count + 1) * sizeof *locals);
	if (!locals)
		return -1;
	image->locals = locals;
	if ((variable->space != PTX_SPACE_GLOBAL && variable->space != PTX_SPACE_CONST) || place(image, variable, address, NULL) < 0)
		return -1;
	image->locals[image->local_count++] = (struct ptx_placed){variable, *address};
	return relocate(image, variable, *address, NULL);
}

static struct ptx_program *link_function(const struct ptx_link *link, const char *name, int *builtin, struct error *err)
{
	struct ptx_symbol *const found = symbol(kernel_of(link)->image, name);
	if (!found) {
		error_set(err, ERROR_INPUT, "no function %s in the module", name);
		return NULL;
	}
	*builtin = found->builtin;
	return &found->identity;
}

struct ptx_callee *ptx_kernel_callee(struct ptx_kernel *kernel, const char *name, struct error *err)
{
	struct ptx_symbol *const wanted = symbol(kernel->image, name);
	if (!wanted) {
		const struct ptx_function_index *const index = ptx_module_find(kernel->image->module, name);
		if (index && index->is_extern)
			error_set(err, ERROR_UNSUPPORTED, "%s is defined elsewhere", name);
		else
			error_set(err, ERROR_INPUT, "%s is no function of the module", name);
		return NULL;
	}
	for (int i = 0; i < kernel->callee_count; i++)
		if (kernel->callees[i]->symbol == wanted)
			return kernel->callees[i];
	struct ptx_callee **const callees = realloc(kernel->callees, ((size_t)kernel->callee_count + 1) * sizeof *callees);
	struct ptx_callee *const made = calloc(1, sizeof *made);
	if (callees)
		kernel->callees = callees;
	if (!callees || !made) {
		free(made);
		error_set(err, ERROR_ENVIRONMENT, "no memory for function %s", name);
		return NULL;
	}
	made->symbol = wanted;
	if (wanted->builtin == PTX_BUILTIN_MALLOC || wanted->builtin == PTX_BUILTIN_FREE)
		kernel->uses_heap = 1;
	kernel->callees[kernel->callee_count++] = made;
	return made;
}

const struct ptx_callee *ptx_kernel_function_at(const struct ptx_kernel *kernel, uint64_t address)
{
	for (int i = 0; i < kernel->callee_count; i++)
		if ((uint64_t)(uintptr_t)&kernel->callees[i]->symbol->identity == address)
			return kernel->callees[i];
	return NULL;
}

/* ---- what a function uses, before it is lowered ---- */

static int use_shared(struct ptx_kernel *kernel, const struct ptx_variable *variable, struct error *err)
{
	for (int i = 0; i < kernel->shared_count; i++)
		if (kernel->shared[i].variable == variable)
			return 0;
	struct ptx_placed *const shared = realloc(kernel->shared, ((size_t)kernel->shared_count + 1) * sizeof *shared);
	if (!shared)
		return error_set(err, ERROR_ENVIRONMENT, "no memory for a list of variables");
	kernel->shared = shared;
	kernel->shared[kernel->shared_count++] = (struct ptx_placed){variable, 0};
	return 0;
}

static int add_call(struct ptx_callee *from, int index)
{
	int *const calls = realloc(from->calls, ((size_t)from->call_count + 1) * sizeof *calls);
	if (!calls)
		return -1;
	from->calls = calls;
	from->calls[from->call_count++] = index;
	return 0;
}

static int index_of(const struct ptx_kernel *kernel, const struct ptx_callee *callee)
{
	for (int i = 0; i < kernel->callee_count; i++)
		if (kernel->callees[i] == callee)
			return i;
	return -1;
}

static int scan_operand(struct ptx_kernel *kernel, struct ptx_callee *from, const struct ptx_operand *operand, int is_callee, struct error *err)
{
	if ((operand->kind == PTX_OPERAND_VARIABLE || operand->kind == PTX_OPERAND_ADDRESS) && operand->variable &&
	    operand->variable->space == PTX_SPACE_SHARED && !(operand->kind == PTX_OPERAND_ADDRESS && operand->reg >= 0))
		return use_shared(kernel, operand->variable, err);
	if (operand->kind != PTX_OPERAND_FUNCTION)
		return 0;
	struct error cause = {0};
	struct ptx_callee *const callee = ptx_kernel_callee(kernel, operand->symbol, &cause);
	if (!callee)
		return 0; /* lowering says so, with the line */
	if (is_callee) {
		callee->direct = 1;
		if (add_call(from, index_of(kernel, callee)) < 0)
			return error_set(err, ERROR_ENVIRONMENT, "no memory for a list of calls");
	}
	return 0;
}

/* Instructions by which code can wait for what other threads do. */
static int may_wait(const struct ptx_instruction *instruction)
{
	static const enum ptx_modifier fresh[] = {PTX_MOD_volatile, PTX_MOD_relaxed, PTX_MOD_acquire, PTX_MOD_mmio, PTX_MOD_cv, PTX_MOD_cg};
	if (instruction->opcode == PTX_OP_atom || instruction->opcode == PTX_OP_nanosleep)
		return 1;
	for (size_t i = 0; instruction->opcode == PTX_OP_ld && i < sizeof fresh / sizeof *fresh; i++)
		if (ptx_has(instruction, fresh[i]))
			return 1;
	return 0;
}

static int scan(struct ptx_kernel *kernel, struct ptx_callee *from, const struct ptx_function *function, struct error *err)
{
	for (int i = 0; i < function->instruction_count; i++) {
		const struct ptx_instruction *const instruction = &function->instructions[i];
		const int is_call = instruction->opcode == PTX_OP_call;
		kernel->may_wait |= may_wait(instruction);
		for (int n = 0; n < instruction->operand_count; n++) {
			if (is_call && n == 1 && instruction->operands[n].kind == PTX_OPERAND_REGISTER)
				from->indirect = kernel->has_indirect = 1;
			if (scan_operand(kernel, from, &instruction->operands[n], is_call && n == 1, err) < 0)
				return -1;
		}
	}
	for (int i = 0; i < function->element_count; i++)
		if (scan_operand(kernel, from, &function->elements[i], 0, err) < 0)
			return -1;
	return 0;
}

/* Static variables in the order of their first use, then dynamic shared memory, where all unsized variables start. */
static int place_shared(struct ptx_kernel *kernel, struct error *err)
{
	uint64_t end = 0, dynamic_align = 16;
	for (int i = 0; i < kernel->shared_count; i++) {
		const struct ptx_variable *const variable = kernel->shared[i].variable;
		const uint64_t align = variable->align ? variable->align : 1;
		if (variable->bytes == 0) {
			dynamic_align = align > dynamic_align ? align : dynamic_align;
			continue;
		}
		end = (end + align - 1) / align * align;
		kernel->shared[i].address = end;
		if (variable->bytes > SHARED_MAX || end + variable->bytes > SHARED_MAX)
			return error_set(err, ERROR_INPUT, "kernel %s has more than %d bytes of shared memory", kernel->function->name, (int)SHARED_MAX);
		end += variable->bytes;
	}
	int dynamic = 0;
	for (int i = 0; i < kernel->shared_count; i++)
		dynamic |= kernel->shared[i].variable->bytes == 0;
	if (dynamic)
		end = (end + dynamic_align - 1) / dynamic_align * dynamic_align;
	for (int i = 0; i < kernel->shared_count; i++)
		if (kernel->shared[i].variable->bytes == 0)
			kernel->shared[i].address = end;
	kernel->static_shared = (uint32_t)end;
	return 0;
}

/* ---- local memory: frames along the deepest chain of calls ---- */

enum { UNSEEN = 0, UNDER_WAY = 1, DONE = 2 };
struct chain { struct ptx_kernel *kernel; struct ptx_callee *root; unsigned char *state; uint64_t *bytes; int recursive; };

static uint64_t frame_of(const struct ptx_function *function)
{
	return function ? (uint64_t)function->frame_bytes + (function->frame_align > 16 ? function->frame_align : 16) : 0;
}

/* A call chain is no deeper than the number of functions; that may be many for the stack of this program. */
enum { CHAIN_MAX = 1000 };

static uint64_t deepest(struct chain *chain, int index, int depth)
{
	struct ptx_callee *const callee = index < 0 ? chain->root : chain->kernel->callees[index];
	unsigned char *const state = &chain->state[index + 1];
	if (*state == UNDER_WAY || depth > CHAIN_MAX) {
		chain->recursive = 1;
		return 0;
	}
	if (*state == DONE)
		return chain->bytes[index + 1];
	*state = UNDER_WAY;
	uint64_t below = 0;
	for (int i = 0; i < callee->call_count; i++) {
		const uint64_t bytes = deepest(chain, callee->calls[i], depth + 1);
		below = bytes > below ? bytes : below;
	}
	for (int i = 0; callee->indirect && i < chain->kernel->callee_count; i++) {
		const uint64_t bytes = deepest(chain, i, depth + 1);
		below = bytes > below ? bytes : below;
	}
	*state = DONE;
	chain->bytes[index + 1] = frame_of(callee->function) + below;
	return chain->bytes[index + 1];
}

static int measure_local(struct ptx_kernel *kernel, struct ptx_callee *root, struct error *err)
{
	struct chain chain = {.kernel = kernel, .root = root};
	chain.state = calloc((size_t)kernel->callee_count + 1, sizeof *chain.state);
	chain.bytes = calloc((size_t)kernel->callee_count + 1, sizeof *chain.bytes);
	int result = -1;
	if (!chain.state || !chain.bytes) {
		error_set(err, ERROR_ENVIRONMENT, "no memory for a list of functions");
		goto done;
	}
	uint64_t bytes = deepest(&chain, -1, 0);
	if (kernel->callee_count == 0 && root->function->frame_bytes == 0)
		bytes = 0;
	if (chain.recursive)
		bytes += PTX_RECURSIVE_LOCAL;
	if (bytes > LOCAL_MAX) {
		error_set(err, ERROR_UNSUPPORTED, "unsupported: kernel %s needs %llu bytes of local memory a thread, a GPU has %d", kernel->function->name,
			  (unsigned long long)bytes, (int)LOCAL_MAX);
		goto done;
	}
	kernel->local_bytes = (uint32_t)((bytes + 15) / 16 * 16);
	kernel->recursive = chain.recursive;
	result = 0;
done:
	free(chain.state);
	free(chain.bytes);
	return result;
}

/* ---- what the core needs beside a program's code ---- */

static int by_order(const void *a, const void *b)
{
	const struct ptx_block *const first = *(const struct ptx_block *const *)a, *const second = *(const struct ptx_block *const *)b;
	if (first->order != second->order)
		return first->order < second->order ? -1 : 1;
	return first->first < second->first ? -1 : first->first > second->first;
}

static int finish(struct ptx_kernel *kernel, struct ptx_program *program, struct error *err)
{
	const struct ptx_function *const function = program->function;
	const size_t units = function->register_file_bytes / PTX_UNIT + 1;
	const struct ptx_block **blocks = calloc((size_t)function->block_count + 1, sizeof *blocks);
	program->rank = calloc((size_t)program->count + 1, sizeof *program->rank);
	program->live = calloc((size_t)function->register_count + 1, sizeof *program->live);
	program->initial_undefined = calloc(units, sizeof *program->initial_undefined);
	if (ptx_regions_find(program) < 0 || !blocks || !program->rank || !program->live || !program->initial_undefined) {
		free(blocks);
		return error_set(err, ERROR_ENVIRONMENT, "no memory for function %s", function->name);
	}
	for (int i = 0; i < function->block_count; i++)
		blocks[i] = &function->blocks[i];
	qsort(blocks, (size_t)function->block_count, sizeof *blocks, by_order);
	uint32_t rank = 0;
	for (int i = 0; i < function->block_count; i++)
		for (int32_t n = 0; n < blocks[i]->count; n++)
			program->rank[blocks[i]->first + n] = rank++;
	program->rank[program->count - 1] = rank; /* the ret at the end */
	free(blocks);
	for (int i = 0; i < function->register_count; i++) {
		const struct ptx_register *const reg = &function->registers[i];
		if (!reg->used || !reg->live_at_entry)
			continue;
		program->live[program->live_count++] = i;
		program->initial_undefined[reg->slot / PTX_UNIT] = ~0u;
	}
	program->counter_base = kernel->counters;
	kernel->counters += (uint32_t)program->count + 1;
	return 0;
}

static int build(struct ptx_kernel *kernel, struct error *err)
{
	struct ptx_image *const image = kernel->image;
	struct ptx_callee root = {.function = kernel->function};
	int result = -1;
	if (scan(kernel, &root, kernel->function, err) < 0)
		goto done;
	if (kernel->has_indirect)
		for (struct ptx_symbol *s = image->symbols; s; s = s->next)
			if (s->in_initialiser && !ptx_kernel_callee(kernel, s->name, err))
				goto done;
	for (int i = 0; i < kernel->callee_count; i++) {
		struct ptx_callee *const callee = kernel->callees[i];
		if (callee->symbol->builtin)
			continue;
		callee->function = ptx_module_function(image->module, callee->symbol->name, &callee->refusal);
		if (!callee->function) {
			if (callee->direct) {
				*err = callee->refusal;
				goto done;
			}
			continue;
		}
		if (scan(kernel, callee, callee->function, err) < 0)
			goto done;
		if (kernel->has_indirect) /* found only now */
			for (struct ptx_symbol *s = image->symbols; s; s = s->next)
				if (s->in_initialiser && !ptx_kernel_callee(kernel, s->name, err))
					goto done;
	}
	if (place_shared(kernel, err) < 0 || measure_local(kernel, &root, err) < 0 ||
	    ptx_lower(kernel->function, &kernel->link, &kernel->program, err) < 0 || finish(kernel, kernel->program, err) < 0)
		goto done;
	for (int i = 0; i < kernel->callee_count; i++) {
		struct ptx_callee *const callee = kernel->callees[i];
		if (!callee->function)
			continue;
		if (ptx_lower(callee->function, &kernel->link, &callee->program, &callee->refusal) < 0) {
			callee->program = NULL;
			if (!callee->direct)
				continue;
			*err = callee->refusal;
			goto done;
		}
		if (finish(kernel, callee->program, err) < 0)
			goto done;
	}
	kernel->program->shared_bytes = kernel->static_shared;
	kernel->program->local_bytes = kernel->local_bytes;
	kernel->program->recursive = kernel->recursive;
	result = 0;
done:
	free(root.calls);
	return result;
}

int ptx_image_kernel(struct ptx_image *image, const char *name, struct ptx_kernel **kernel, struct error *err)
{
	for (struct ptx_kernel *known = image->kernels; known; known = known->next)
		if (strcmp(known->function->name, name) == 0) {
			*kernel = known;
			return 0;
		}
	const struct ptx_function_index *const index = ptx_module_find(image->module, name);
	if (!index || !index->is_entry) {
		error_set(err, ERROR_INPUT, "the module has no kernel %s", name);
		if (err)
			err->device_code = 500; /* CUDA_ERROR_NOT_FOUND */
		return -1;
	}
	struct error local = {0};
	struct error *const cause = err ? err : &local;
	struct ptx_kernel *const made = calloc(1, sizeof *made);
	if (!made)
		return error_set(err, ERROR_ENVIRONMENT, "no memory for kernel %s", name);
	made->link = (struct ptx_link){.address = link_address, .function = link_function};
	made->image = image;
	made->function = ptx_module_function(image->module, name, cause);
	if (!made->function)
		goto failed;
	const uint32_t *const cluster = made->function->cluster;
	if ((uint64_t)(cluster[0] ? cluster[0] : 1) * (cluster[1] ? cluster[1] : 1) * (cluster[2] ? cluster[2] : 1) > 1) {
		error_set(err, ERROR_UNSUPPORTED, "unsupported: kernel %s (line %u) asks for clusters of %u x %u x %u blocks", name,
			  made->function->position.line, cluster[0], cluster[1], cluster[2]);
		goto failed;
	}
	if (build(made, cause) < 0)
		goto failed;
	const size_t bytes = ((size_t)made->function->parameter_bytes + 256) / 256 * 256;
	made->parameters = aligned_alloc(256, bytes);
	if (!made->parameters) {
		error_set(err, ERROR_ENVIRONMENT, "no memory for the parameters of kernel %s", name);
		goto failed;
	}
	memset(made->parameters, 0, bytes);
	if (made->function->parameter_bytes && ptx_memory_add(image->memory, (uint64_t)(uintptr_t)made->parameters, made->function->parameter_bytes,
							      PTX_BUFFER_PARAMETERS, "kernel parameters", cause) < 0) {
		free(made->parameters);
		made->parameters = NULL;
		goto failed;
	}
	if (made->uses_heap && ptx_heap_create(image, cause) < 0)
		goto failed;
	made->next = image->kernels;
	image->kernels = made;
	*kernel = made;
	return 0;
failed:
	kernel_free(made);
	return -1;
}

void ptx_kernel_facts(const struct ptx_kernel *kernel, struct ptx_kernel_facts *facts)
{
	const struct ptx_function *const function = kernel->function;
	const struct ptx_module *const module = kernel->image->module;
	uint64_t const_bytes = 0, max_threads = 1024;
	for (int i = 0; i < module->variable_count; i++)
		if (module->variables[i].space == PTX_SPACE_CONST)
			const_bytes += module->variables[i].bytes;
	const uint32_t *const limit = function->required_threads[0] ? function->required_threads : function->max_threads;
	if (limit[0]) {
		max_threads = (uint64_t)limit[0] * (limit[1] ? limit[1] : 1);
		max_threads = max_threads > 1024 ? 1024 : max_threads * (limit[2] ? limit[2] : 1);
		max_threads = max_threads > 1024 ? 1024 : max_threads;
	}
	*facts = (struct ptx_kernel_facts){
		.name = function->name, .parameter_bytes = function->parameter_bytes, .shared_bytes = kernel->static_shared,
		.local_bytes = kernel->local_bytes, .const_bytes = (uint32_t)const_bytes, .max_threads = (uint32_t)max_threads,
		.isa = 10 * module->isa_major + module->isa_minor, .target = module->target, .registers = function->register_file_bytes / PTX_UNIT,
		.parameters = function->parameters, .parameter_count = function->parameter_count,
	};
}
