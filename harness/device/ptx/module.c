/* The index of a module: what stands where, bodies passed by their braces. */
#include "device/ptx/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text;
	enum ptx_special special;
} specials[] = {
	{"%tid.x", PTX_TID_X}, {"%tid.y", PTX_TID_Y}, {"%tid.z", PTX_TID_Z},
	{"%ntid.x", PTX_NTID_X}, {"%ntid.y", PTX_NTID_Y}, {"%ntid.z", PTX_NTID_Z},
	{"%ctaid.x", PTX_CTAID_X}, {"%ctaid.y", PTX_CTAID_Y}, {"%ctaid.z", PTX_CTAID_Z},
	{"%nctaid.x", PTX_NCTAID_X}, {"%nctaid.y", PTX_NCTAID_Y}, {"%nctaid.z", PTX_NCTAID_Z},
	{"%laneid", PTX_LANEID}, {"%warpid", PTX_WARPID}, {"%nwarpid", PTX_NWARPID}, {"%smid", PTX_SMID}, {"%nsmid", PTX_NSMID},
	{"%gridid", PTX_GRIDID}, {"%lanemask_eq", PTX_LANEMASK_EQ}, {"%lanemask_le", PTX_LANEMASK_LE}, {"%lanemask_lt", PTX_LANEMASK_LT},
	{"%lanemask_ge", PTX_LANEMASK_GE}, {"%lanemask_gt", PTX_LANEMASK_GT}, {"%clock", PTX_CLOCK}, {"%clock_hi", PTX_CLOCK_HI},
	{"%clock64", PTX_CLOCK64}, {"%globaltimer", PTX_GLOBALTIMER}, {"%globaltimer_lo", PTX_GLOBALTIMER_LO},
	{"%globaltimer_hi", PTX_GLOBALTIMER_HI}, {"%dynamic_smem_size", PTX_DYNAMIC_SMEM_SIZE}, {"%total_smem_size", PTX_TOTAL_SMEM_SIZE},
	{"%aggr_smem_size", PTX_AGGR_SMEM_SIZE}, {"%current_graph_exec", PTX_CURRENT_GRAPH_EXEC},
	{"%is_explicit_cluster", PTX_IS_EXPLICIT_CLUSTER},
	{"%clusterid.x", PTX_CLUSTERID_X}, {"%clusterid.y", PTX_CLUSTERID_Y}, {"%clusterid.z", PTX_CLUSTERID_Z},
	{"%nclusterid.x", PTX_NCLUSTERID_X}, {"%nclusterid.y", PTX_NCLUSTERID_Y}, {"%nclusterid.z", PTX_NCLUSTERID_Z},
	{"%cluster_ctaid.x", PTX_CLUSTER_CTAID_X}, {"%cluster_ctaid.y", PTX_CLUSTER_CTAID_Y}, {"%cluster_ctaid.z", PTX_CLUSTER_CTAID_Z},
	{"%cluster_nctaid.x", PTX_CLUSTER_NCTAID_X}, {"%cluster_nctaid.y", PTX_CLUSTER_NCTAID_Y}, {"%cluster_nctaid.z", PTX_CLUSTER_NCTAID_Z},
	{"%cluster_ctarank", PTX_CLUSTER_CTARANK}, {"%cluster_nctarank", PTX_CLUSTER_NCTARANK},
};

static int add_words(struct names *words)
{
	int ok = 1;
	for (int i = 1; i < PTX_OP_COUNT; i++) {
		const char *text = ptx_opcode_name((enum ptx_opcode)i);
		ok &= names_add(words, PTX_NAME_OPCODE, text, strlen(text), PTX_NAME_OPCODE, i) != NULL;
	}
	for (int i = 1; i < PTX_MOD_COUNT; i++) {
		const char *text = ptx_modifier_name((enum ptx_modifier)i);
		ok &= names_add(words, PTX_NAME_MODIFIER, text, strlen(text), PTX_NAME_MODIFIER, i) != NULL;
	}
	for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++)
		ok &= names_add(words, PTX_NAME_SPECIAL, specials[i].text, strlen(specials[i].text), PTX_NAME_SPECIAL,
				(int32_t)specials[i].special) != NULL;
	return ok ? 0 : -1;
}

/* What is known while indexing only. */
struct indexing {
	struct ptx_module *module;
	struct ptx_front *front;
	struct ptx_lexer lexer;
	struct error *err;
	struct alias { const char *name; uint32_t length; const char *target; uint32_t target_length; } *aliases;
	int alias_count, alias_capacity;
	int version_seen, target_seen, address_size_seen;
};

static int parse_version(struct indexing *in)
{
	const struct ptx_token *token = &in->lexer.token;
	ptx_lexer_next(&in->lexer);
	char text[16] = "";
	if ((token->kind != PTX_TOKEN_FLOAT && token->kind != PTX_TOKEN_INTEGER) || token->length >= sizeof text)
		return ptx_expected(&in->lexer, "the version of PTX, such as 8.4", in->err);
	memcpy(text, token->text, token->length);
	if (sscanf(text, "%u.%u", &in->module->isa_major, &in->module->isa_minor) != 2)
		return ptx_expected(&in->lexer, "the version of PTX, such as 8.4", in->err);
	if (in->module->isa_major < 3 || in->module->isa_major > 9)
		return ptx_fault_at(token->position, ERROR_UNSUPPORTED, in->err, "unsupported: PTX ISA version %u.%u (3.0 to 9.x)",
				    in->module->isa_major, in->module->isa_minor);
	in->version_seen = 1;
	ptx_lexer_next(&in->lexer);
	return 0;
}

static int parse_target(struct indexing *in)
{
	struct ptx_lexer *lexer = &in->lexer;
	for (;;) {
		ptx_lexer_next(lexer);
		if (lexer->token.kind != PTX_TOKEN_WORD)
			return ptx_expected(lexer, "a target, such as sm_90", in->err);
		const struct ptx_token *token = &lexer->token;
		if (token->length > 3 && memcmp(token->text, "sm_", 3) == 0) {
			char text[16] = "";
			char rest[2] = "";
			unsigned target;
			if (token->length >= sizeof text)
				return ptx_expected(lexer, "a target, such as sm_90", in->err);
			memcpy(text, token->text, token->length);
			char digits_end = '\0';
			const int fields = sscanf(text, "sm_%5u%c%1s", &target, &digits_end, rest);
			if (fields < 1 || fields > 2 || (fields == 2 && digits_end != 'a' && digits_end != 'f'))
				return ptx_expected(lexer, "a target, such as sm_90", in->err);
			in->module->target = target;
			in->module->target_suffix = fields == 2 ? digits_end : '\0';
			in->target_seen = 1;
		} else if (ptx_token_is(token, "debug")) {
			in->module->debug = 1;
		}
		ptx_lexer_next(lexer);
		if (!ptx_is_mark(lexer, ','))
			break;
	}
	if (!in->target_seen)
		return ptx_expected(lexer, "a target, such as sm_90", in->err);
	return 0;
}

static int parse_address_size(struct indexing *in)
{
	uint32_t bits;
	ptx_lexer_next(&in->lexer);
	const struct ptx_position position = in->lexer.token.position;
	if (ptx_take_u32(&in->lexer, "64", &bits, in->err))
		return -1;
	if (bits != 64)
		return ptx_fault_at(position, bits == 32 ? ERROR_UNSUPPORTED : ERROR_INPUT, in->err,
				    bits == 32 ? "unsupported: addresses of 32 bits" : "an address size is 32 or 64, not %u", bits);
	in->module->address_bits = 64;
	in->address_size_seen = 1;
	return 0;
}

static int parse_file(struct indexing *in)
{
	struct ptx_module *module = in->module;
	struct ptx_lexer *lexer = &in->lexer;
	uint32_t index;
	ptx_lexer_next(lexer);
	const struct ptx_position position = lexer->token.position;
	if (ptx_take_u32(lexer, "the number of a file", &index, in->err))
		return -1;
	if (lexer->token.kind != PTX_TOKEN_STRING)
		return ptx_expected(lexer, "the name of a file", in->err);
	const char *name = arena_text(&in->front->arena, lexer->token.text, lexer->token.length);
	if (!name)
		return front_no_memory(in->err);
	ptx_lexer_next(lexer);
	for (int i = 0; i < 2 && ptx_is_mark(lexer, ','); i++) { /* time stamp and size */
		ptx_lexer_next(lexer);
		if (lexer->token.kind != PTX_TOKEN_INTEGER)
			return ptx_expected(lexer, "an integer", in->err);
		ptx_lexer_next(lexer);
	}
	/* numbers count up from 0 or 1: far ones would cost memory that the text does not pay for */
	if (index > module->text_size)
		return ptx_fault_at(position, ERROR_INPUT, in->err, "file number %u is out of all proportion", index);
	while (module->file_count < (int)index) {
		if (front_reserve(&module->files, module->file_count, &in->front->file_capacity, sizeof *module->files, in->err))
			return -1;
		module->files[module->file_count++] = NULL;
	}
	if (index > 0)
		module->files[index - 1] = name;
	return 0;
}

static int add_variable(struct indexing *in, struct ptx_variable *variable)
{
	struct ptx_module *module = in->module;
	struct names_entry *entry = names_find(&in->front->symbols, 0, variable->name, strlen(variable->name));
	if (entry && entry->kind == PTX_NAME_FUNCTION)
		return ptx_fault_at(variable->position, ERROR_INPUT, in->err, "'%s' is a function already", variable->name);
	if (entry) {
		/* a declaration (.extern) and its definition, or .weak and .common ones: the definition counts */
		struct ptx_variable *known = &module->variables[entry->value];
		if (known->space != variable->space)
			return ptx_fault_at(variable->position, ERROR_INPUT, in->err, "'%s' was declared in another state space (line %u)",
					    variable->name, known->position.line);
		if (!variable->is_extern && !known->is_extern && variable->initial && known->initial)
			return ptx_fault_at(variable->position, ERROR_INPUT, in->err, "'%s' is defined twice (first in line %u)", variable->name,
					    known->position.line);
		if (known->is_extern || variable->initial)
			*known = *variable;
		return 0;
	}
	if (front_reserve(&module->variables, module->variable_count, &in->front->variable_capacity, sizeof *module->variables, in->err))
		return -1;
	if (!names_add(&in->front->symbols, 0, variable->name, strlen(variable->name), PTX_NAME_VARIABLE, module->variable_count))
		return front_no_memory(in->err);
	module->variables[module->variable_count++] = *variable;
	return 0;
}

static int parse_variables(struct indexing *in, enum ptx_space space, int is_extern)
{
	struct ptx_declaration declaration;
	ptx_lexer_next(&in->lexer);
	if (ptx_parse_declaration(in->module, &in->lexer, &declaration, in->err))
		return -1;
	for (;;) {
		struct ptx_variable variable;
		if (ptx_parse_variable(in->module, &in->lexer, &declaration, &variable, in->err))
			return -1;
		variable.space = space;
		variable.is_extern = is_extern;
		if (!variable.bytes && !is_extern && space != PTX_SPACE_SHARED && variable.is_array && !variable.initial)
			return ptx_fault_at(variable.position, ERROR_INPUT, in->err, "'%s' has neither a size nor an initialiser", variable.name);
		if (add_variable(in, &variable))
			return -1;
		if (!ptx_is_mark(&in->lexer, ','))
			break;
		ptx_lexer_next(&in->lexer);
	}
	return ptx_take_mark(&in->lexer, ';', in->err);
}

static int add_function(struct indexing *in, const struct ptx_function_index *function, int has_body)
{
	struct ptx_module *module = in->module;
	const struct names_entry *entry = names_find(&in->front->symbols, 0, function->name, strlen(function->name));
	if (entry && entry->kind != PTX_NAME_FUNCTION)
		return ptx_fault_at(function->position, ERROR_INPUT, in->err, "'%s' is a variable already", function->name);
	if (entry) {
		struct ptx_function_index *known = &module->functions[entry->value];
		if (has_body && !known->is_extern)
			return ptx_fault_at(function->position, ERROR_INPUT, in->err, "'%s' is defined twice (first in line %u)", function->name,
					    known->position.line);
		if (has_body)
			*known = *function;
		return 0;
	}
	if (front_reserve(&module->functions, module->function_count, &in->front->function_capacity, sizeof *module->functions, in->err))
		return -1;
	if (!names_add(&in->front->symbols, 0, function->name, strlen(function->name), PTX_NAME_FUNCTION, module->function_count))
		return front_no_memory(in->err);
	module->functions[module->function_count++] = *function;
	return 0;
}

static int index_function(struct indexing *in, struct ptx_position position, const char *begin, int is_weak)
{
	struct ptx_lexer *lexer = &in->lexer;
	struct ptx_function_index function = {.is_entry = ptx_is_dot(lexer, "entry"), .is_weak = is_weak, .position = position,
					      .begin = (size_t)(begin - in->module->text)};
	ptx_lexer_next(lexer);
	/* results and attributes before the name */
	while (lexer->token.kind == PTX_TOKEN_DOT || ptx_is_mark(lexer, '(')) {
		if (ptx_is_mark(lexer, '(')) {
			while (!ptx_is_mark(lexer, ')')) {
				if (lexer->token.kind == PTX_TOKEN_END || lexer->token.kind == PTX_TOKEN_BAD)
					return ptx_expected(lexer, "')'", in->err);
				ptx_lexer_next(lexer);
			}
		}
		ptx_lexer_next(lexer);
	}
	if (lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "the name of a function", in->err);
	function.name = arena_text(&in->front->arena, lexer->token.text, lexer->token.length);
	if (!function.name)
		return front_no_memory(in->err);
	while (!ptx_is_mark(lexer, '{') && !ptx_is_mark(lexer, ';')) {
		if (lexer->token.kind == PTX_TOKEN_END || lexer->token.kind == PTX_TOKEN_BAD)
			return ptx_expected(lexer, "the body of the function, or ';'", in->err);
		const int pragma = ptx_is_dot(lexer, "pragma"); /* has a semicolon of its own */
		ptx_lexer_next(lexer);
		while (pragma && (lexer->token.kind == PTX_TOKEN_STRING || ptx_is_mark(lexer, ',')))
			ptx_lexer_next(lexer);
		if (pragma && ptx_take_mark(lexer, ';', in->err))
			return -1;
	}
	const int has_body = ptx_is_mark(lexer, '{');
	function.is_extern = !has_body;
	if (!has_body) {
		function.end = (size_t)(lexer->at - in->module->text);
		ptx_lexer_next(lexer);
	} else {
		const char *brace = lexer->token.text;
		if (ptx_lexer_skip_braces(lexer, in->err))
			return -1;
		/* the lexer stands at the token after the closing brace; find the brace again from the comments between */
		const char *end = lexer->token.text;
		while (end > brace && end[-1] != '}')
			end--;
		function.end = (size_t)(end - in->module->text);
	}
	return add_function(in, &function, has_body);
}

static int parse_alias(struct indexing *in)
{
	struct ptx_lexer *lexer = &in->lexer;
	struct alias alias;
	ptx_lexer_next(lexer);
	if (lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "the name of a function", in->err);
	alias.name = lexer->token.text;
	alias.length = lexer->token.length;
	ptx_lexer_next(lexer);
	if (ptx_take_mark(lexer, ',', in->err))
		return -1;
	if (lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "the name of a function", in->err);
	alias.target = lexer->token.text;
	alias.target_length = lexer->token.length;
	ptx_lexer_next(lexer);
	if (ptx_take_mark(lexer, ';', in->err) ||
	    front_reserve(&in->aliases, in->alias_count, &in->alias_capacity, sizeof *in->aliases, in->err))
		return -1;
	in->aliases[in->alias_count++] = alias;
	return 0;
}

/* .section .debug_info { ... }; old compilers: @@DWARF lines */
static int skip_section(struct indexing *in)
{
	struct ptx_lexer *lexer = &in->lexer;
	ptx_lexer_next(lexer);
	if (lexer->token.kind != PTX_TOKEN_DOT && lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "the name of a section", in->err);
	ptx_lexer_next(lexer);
	if (!ptx_is_mark(lexer, '{'))
		return ptx_expected(lexer, "'{'", in->err);
	return ptx_lexer_skip_braces(lexer, in->err);
}

static int skip_to_semicolon(struct indexing *in)
{
	struct ptx_lexer *lexer = &in->lexer;
	while (!ptx_is_mark(lexer, ';')) {
		if (lexer->token.kind == PTX_TOKEN_END || lexer->token.kind == PTX_TOKEN_BAD)
			return ptx_expected(lexer, "';'", in->err);
		ptx_lexer_next(lexer);
	}
	ptx_lexer_next(lexer);
	return 0;
}

static int parse_linked(struct indexing *in)
{
	struct ptx_lexer *lexer = &in->lexer;
	const struct ptx_position position = lexer->token.position;
	const char *begin = lexer->token.text - 1; /* a dot token's text starts behind its dot */
	int is_extern = 0, is_weak = 0;
	for (;;) {
		if (ptx_is_dot(lexer, "extern"))
			is_extern = 1;
		else if (ptx_is_dot(lexer, "weak") || ptx_is_dot(lexer, "common"))
			is_weak = 1;
		else if (!ptx_is_dot(lexer, "visible"))
			break;
		ptx_lexer_next(lexer);
	}
	if (ptx_is_dot(lexer, "entry") || ptx_is_dot(lexer, "func"))
		return index_function(in, position, begin, is_weak);
	const enum ptx_space space = ptx_parse_space(&lexer->token);
	if (space == PTX_SPACE_GLOBAL || space == PTX_SPACE_CONST || space == PTX_SPACE_SHARED)
		return parse_variables(in, space, is_extern);
	if (space == PTX_SPACE_REG || space == PTX_SPACE_LOCAL || space == PTX_SPACE_PARAM)
		return ptx_fault_at(lexer->token.position, ERROR_UNSUPPORTED, in->err, "unsupported: .%.*s variables outside functions",
				    (int)lexer->token.length, lexer->token.text);
	return ptx_expected(lexer, "a directive", in->err);
}

static int parse_directive(struct indexing *in)
{
	struct ptx_lexer *lexer = &in->lexer;
	if (ptx_is_mark(lexer, ';')) {
		ptx_lexer_next(lexer);
		return 0;
	}
	if (ptx_is_mark(lexer, '@' << 8 | '@')) {
		const char *newline = memchr(lexer->at, '\n', (size_t)(lexer->end - lexer->at));
		lexer->at = newline ? newline : lexer->end;
		ptx_lexer_next(lexer);
		return 0;
	}
	if (lexer->token.kind != PTX_TOKEN_DOT)
		return ptx_expected(lexer, "a directive", in->err);
	if (ptx_is_dot(lexer, "version"))
		return parse_version(in);
	if (!in->version_seen)
		return ptx_expected(lexer, ".version, with which PTX starts", in->err);
	if (ptx_is_dot(lexer, "target"))
		return parse_target(in);
	if (ptx_is_dot(lexer, "address_size"))
		return parse_address_size(in);
	if (ptx_is_dot(lexer, "file"))
		return parse_file(in);
	if (ptx_is_dot(lexer, "section"))
		return skip_section(in);
	if (ptx_is_dot(lexer, "alias"))
		return parse_alias(in);
	if (ptx_is_dot(lexer, "pragma"))
		return skip_to_semicolon(in);
	if (!in->target_seen)
		return ptx_expected(lexer, ".target before anything is declared", in->err);
	if (!in->address_size_seen)
		return ptx_fault_at(lexer->token.position, ERROR_UNSUPPORTED, in->err,
				    "unsupported: addresses of 32 bits (no .address_size 64 before this)");
	return parse_linked(in);
}

static int apply_aliases(struct indexing *in)
{
	for (int i = 0; i < in->alias_count; i++) {
		const struct alias *alias = &in->aliases[i];
		const struct names_entry *from = names_find(&in->front->symbols, 0, alias->name, alias->length);
		const struct names_entry *to = names_find(&in->front->symbols, 0, alias->target, alias->target_length);
		if (!from || from->kind != PTX_NAME_FUNCTION || !to || to->kind != PTX_NAME_FUNCTION)
			return error_set(in->err, ERROR_INPUT, ".alias %.*s, %.*s: both must be functions of the module", (int)alias->length,
					 alias->name, (int)alias->target_length, alias->target);
		struct ptx_function_index *function = &in->module->functions[from->value];
		const char *name = function->name;
		*function = in->module->functions[to->value];
		function->name = name;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ptx_function_index *)a)->name, ((const struct ptx_function_index *)b)->name);
}

static int sort_functions(struct indexing *in)
{
	struct ptx_module *module = in->module;
	if (!module->function_count)
		return 0;
	qsort(module->functions, (size_t)module->function_count, sizeof *module->functions, by_name);
	for (int i = 0; i < module->function_count; i++)
		names_find(&in->front->symbols, 0, module->functions[i].name, strlen(module->functions[i].name))->value = i;
	in->front->prototypes = arena_alloc(&in->front->arena, (size_t)module->function_count * sizeof(void *));
	return in->front->prototypes ? 0 : front_no_memory(in->err);
}

int ptx_module_index(const char *text, struct ptx_module **made, struct error *err)
{
	*made = NULL;
	const size_t size = strlen(text);
	if (size > PTX_TEXT_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "unsupported: PTX of more than %d bytes", PTX_TEXT_MAX);
	struct ptx_module *module = calloc(1, sizeof *module);
	struct ptx_front *front = calloc(1, sizeof *front);
	char *copy = malloc(size + 1);
	if (!module || !front || !copy) {
		free(module);
		free(front);
		free(copy);
		return front_no_memory(err);
	}
	memcpy(copy, text, size + 1);
	module->text = copy;
	module->text_size = size;
	module->arena = front;
	struct indexing in = {.module = module, .front = front, .err = err};
	int status = add_words(&front->words) ? front_no_memory(err) : 0;
	ptx_lexer_start(&in.lexer, copy, copy + size, copy, 1);
	while (status == 0 && in.lexer.token.kind != PTX_TOKEN_END)
		status = parse_directive(&in);
	if (status == 0 && !in.version_seen)
		status = ptx_expected(&in.lexer, ".version, with which PTX starts", err);
	if (status == 0)
		status = apply_aliases(&in);
	if (status == 0)
		status = sort_functions(&in);
	free(in.aliases);
	if (status) {
		ptx_module_free(module);
		return -1;
	}
	*made = module;
	return 0;
}

static void free_function(struct ptx_function *function)
{
	free(function->registers);
	free(function->instructions);
	free(function->elements);
	free(function->blocks);
	for (int i = 0; i < function->table_count; i++)
		free(function->tables[i].blocks);
	free(function->tables);
	free(function->variables);
}

void ptx_module_free(struct ptx_module *module)
{
	if (!module)
		return;
	struct ptx_front *front = ptx_front_of(module);
	for (int i = 0; i < module->function_count; i++)
		if (module->functions[i].parsed)
			free_function(module->functions[i].parsed);
	arena_free(&front->arena);
	names_free(&front->words);
	names_free(&front->symbols);
	free(front);
	free(module->variables);
	free(module->functions);
	free(module->files);
	free(module->text);
	free(module);
}

const struct ptx_variable *ptx_module_variable(const struct ptx_module *module, const char *name)
{
	const struct names_entry *entry = names_find(&ptx_front_of(module)->symbols, 0, name, strlen(name));
	return entry && entry->kind == PTX_NAME_VARIABLE ? &module->variables[entry->value] : NULL;
}

struct ptx_function_index *ptx_module_find(struct ptx_module *module, const char *name)
{
	const struct names_entry *entry = names_find(&ptx_front_of(module)->symbols, 0, name, strlen(name));
	return entry && entry->kind == PTX_NAME_FUNCTION ? &module->functions[entry->value] : NULL;
}

const struct ptx_function *ptx_module_function(struct ptx_module *module, const char *name, struct error *err)
{
	struct ptx_function_index *index = ptx_module_find(module, name);
	if (!index) {
		error_set(err, ERROR_INPUT, "the PTX has no function '%s'", name);
		return NULL;
	}
	if (index->parsed)
		return index->parsed;
	if (index->is_extern) {
		ptx_fault_at(index->position, ERROR_INPUT, err, "'%s' is declared here, but the PTX has no body for it", name);
		return NULL;
	}
	struct ptx_front *front = ptx_front_of(module);
	struct ptx_function *function = arena_alloc(&front->arena, sizeof *function);
	if (!function) {
		front_no_memory(err);
		return NULL;
	}
	function->module = module;
	function->name = index->name;
	function->is_entry = index->is_entry;
	function->position = index->position;

	struct ptx_body body = {.module = module, .function = function, .err = err};
	const char *begin = module->text + index->begin;
	ptx_lexer_start(&body.lexer, begin, module->text + index->end, begin - (index->position.column - 1), index->position.line);
	if (ptx_parse_body(&body)) {
		free_function(function);
		return NULL;
	}
	index->parsed = function;
	return function;
}
