/* Heads of functions: linkage, results, name, parameters, performance directives. */
#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

struct parameter_list {
	struct ptx_variable *variables;
	const char **registers;
	int count, capacity, register_capacity;
};

static uint64_t align_up(uint64_t offset, uint32_t align)
{
	return (offset + align - 1) / align * align;
}

static int parse_parameter(struct ptx_module *module, struct ptx_lexer *lexer, struct parameter_list *list, struct error *err)
{
	const enum ptx_space space = ptx_parse_space(&lexer->token);
	struct ptx_declaration declaration;
	struct ptx_variable variable;
	if (space != PTX_SPACE_PARAM && space != PTX_SPACE_REG)
		return ptx_expected(lexer, ".param", err);
	ptx_lexer_next(lexer);
	if (ptx_parse_declaration(module, lexer, &declaration, err))
		return -1;
	if (space == PTX_SPACE_REG && declaration.type == PTX_PRED)
		return ptx_fault_at(lexer->token.position, ERROR_UNSUPPORTED, err, "unsupported: a predicate register as parameter");
	if (ptx_parse_variable(module, lexer, &declaration, &variable, err))
		return -1;
	variable.space = PTX_SPACE_PARAM;
	int register_capacity = list->register_capacity;
	if (front_reserve(&list->registers, list->count, &register_capacity, sizeof *list->registers, err))
		return -1;
	list->register_capacity = register_capacity;
	if (front_reserve(&list->variables, list->count, &list->capacity, sizeof *list->variables, err))
		return -1;
	list->registers[list->count] = space == PTX_SPACE_REG ? variable.name : NULL;
	list->variables[list->count++] = variable;
	return 0;
}

static int parse_parameters(struct ptx_module *module, struct ptx_lexer *lexer, struct parameter_list *list, struct error *err)
{
	if (ptx_take_mark(lexer, '(', err))
		return -1;
	while (!ptx_is_mark(lexer, ')')) {
		if (parse_parameter(module, lexer, list, err))
			return -1;
		if (!ptx_is_mark(lexer, ','))
			break;
		ptx_lexer_next(lexer);
	}
	return ptx_take_mark(lexer, ')', err);
}

static int parse_three(struct ptx_lexer *lexer, uint32_t values[3], struct error *err)
{
	values[0] = values[1] = values[2] = 1;
	for (int i = 0; i < 3; i++) {
		if (ptx_take_u32(lexer, "an integer", &values[i], err))
			return -1;
		if (!ptx_is_mark(lexer, ','))
			break;
		ptx_lexer_next(lexer);
	}
	return 0;
}

static int parse_performance(struct ptx_lexer *lexer, struct ptx_function *function, struct error *err)
{
	const struct ptx_token directive = lexer->token;
	ptx_lexer_next(lexer);
	if (ptx_token_is(&directive, "maxntid"))
		return parse_three(lexer, function->max_threads, err);
	if (ptx_token_is(&directive, "reqntid"))
		return parse_three(lexer, function->required_threads, err);
	if (ptx_token_is(&directive, "reqnctapercluster"))
		return parse_three(lexer, function->cluster, err);
	if (ptx_token_is(&directive, "maxnreg"))
		return ptx_take_u32(lexer, "an integer", &function->max_registers, err);
	if (ptx_token_is(&directive, "minnctapersm"))
		return ptx_take_u32(lexer, "an integer", &function->min_blocks, err);
	if (ptx_token_is(&directive, "pragma")) {
		while (lexer->token.kind == PTX_TOKEN_STRING || ptx_is_mark(lexer, ','))
			ptx_lexer_next(lexer);
		return ptx_take_mark(lexer, ';', err);
	}
	/* .noreturn, .explicitcluster, .maxnctapersm 2, .abi_preserve 16 ...: nothing that running needs */
	while (lexer->token.kind == PTX_TOKEN_INTEGER || ptx_is_mark(lexer, ','))
		ptx_lexer_next(lexer);
	return 0;
}

/* Keeps a list and gives its variables their places from *offset on. */
static int place_parameters(struct ptx_module *module, struct parameter_list *list, struct ptx_variable **variables, int *count,
			    uint64_t *offset, uint32_t *align, struct error *err)
{
	*count = list->count;
	if (!list->count)
		return 0;
	*variables = arena_alloc(&ptx_front_of(module)->arena, (size_t)list->count * sizeof **variables);
	if (!*variables)
		return front_no_memory(err);
	memcpy(*variables, list->variables, (size_t)list->count * sizeof **variables);
	for (int i = 0; i < list->count; i++) {
		struct ptx_variable *variable = &(*variables)[i];
		variable->offset = align_up(*offset, variable->align);
		*offset = variable->offset + variable->bytes;
		if (*offset > 1 << 20)
			return ptx_fault_at(variable->position, ERROR_UNSUPPORTED, err, "unsupported: more than 2^20 bytes of parameters");
		if (variable->align > *align)
			*align = variable->align;
	}
	return 0;
}

static int parse_head(struct ptx_module *module, struct ptx_lexer *lexer, struct ptx_function *function, struct parameter_list *results,
		      struct parameter_list *parameters, struct error *err)
{
	while (ptx_is_dot(lexer, "extern") || ptx_is_dot(lexer, "visible") || ptx_is_dot(lexer, "weak") || ptx_is_dot(lexer, "common"))
		ptx_lexer_next(lexer);
	function->is_entry = ptx_is_dot(lexer, "entry");
	if (!function->is_entry && !ptx_is_dot(lexer, "func"))
		return ptx_expected(lexer, ".entry or .func", err);
	ptx_lexer_next(lexer);
	while (ptx_is_dot(lexer, "attribute")) {
		do
			ptx_lexer_next(lexer);
		while (!ptx_is_mark(lexer, ')') && lexer->token.kind != PTX_TOKEN_END && lexer->token.kind != PTX_TOKEN_BAD);
		if (ptx_take_mark(lexer, ')', err))
			return -1;
	}
	if (ptx_is_mark(lexer, '(') && parse_parameters(module, lexer, results, err))
		return -1;
	if (function->is_entry && results->count)
		return ptx_fault_at(lexer->token.position, ERROR_INPUT, err, "an entry has no results");
	if (lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "the name of a function", err);
	ptx_lexer_next(lexer);
	if (ptx_is_mark(lexer, '(') && parse_parameters(module, lexer, parameters, err))
		return -1;
	while (lexer->token.kind == PTX_TOKEN_DOT)
		if (parse_performance(lexer, function, err))
			return -1;
	if (!ptx_is_mark(lexer, '{') && !ptx_is_mark(lexer, ';'))
		return ptx_expected(lexer, "'{' or a directive", err);
	uint64_t bytes = 0;
	uint32_t align = 1;
	if (place_parameters(module, parameters, &function->parameters, &function->parameter_count, &bytes, &align, err))
		return -1;
	function->parameter_bytes = (uint32_t)bytes;
	if (place_parameters(module, results, &function->results, &function->result_count, &bytes, &align, err))
		return -1;
	if (!function->is_entry)
		function->frame_bytes = (uint32_t)bytes;
	function->frame_align = function->is_entry ? 1 : align;
	return 0;
}

int ptx_parse_head(struct ptx_module *module, struct ptx_lexer *lexer, struct ptx_function *function, const char ***register_parameters,
		   struct error *err)
{
	struct parameter_list results = {.count = 0}, parameters = {.count = 0};
	int status = parse_head(module, lexer, function, &results, &parameters, err);
	*register_parameters = NULL;
	if (status == 0 && results.count + parameters.count) {
		const char **names = arena_alloc(&ptx_front_of(module)->arena, (size_t)(results.count + parameters.count) * sizeof *names);
		if (!names)
			status = front_no_memory(err);
		for (int i = 0; names && i < results.count; i++)
			names[i] = results.registers[i];
		for (int i = 0; names && i < parameters.count; i++)
			names[results.count + i] = parameters.registers[i];
		*register_parameters = names;
	}
	free(results.variables);
	free(results.registers);
	free(parameters.variables);
	free(parameters.registers);
	return status;
}

const struct ptx_function *ptx_prototype(struct ptx_module *module, const char *name)
{
	const struct ptx_function_index *index = ptx_module_find(module, name);
	if (!index)
		return NULL;
	struct ptx_front *front = ptx_front_of(module);
	struct ptx_function **prototype = &front->prototypes[index - module->functions];
	if (!*prototype) {
		struct ptx_function *function = arena_alloc(&front->arena, sizeof *function);
		const char **names;
		struct ptx_lexer lexer;
		if (!function)
			return NULL;
		const char *begin = module->text + index->begin;
		ptx_lexer_start(&lexer, begin, module->text + index->end, begin - (index->position.column - 1), index->position.line);
		function->module = module;
		function->name = index->name;
		if (ptx_parse_head(module, &lexer, function, &names, NULL))
			return NULL;
		*prototype = function;
	}
	return *prototype;
}
