/* Operands (manual chapter 6). */
#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

enum { RANGE_SCOPE = (int)0x40000000 }; /* added to a scope: names of register families, such as %r of %r<12> */

static const struct ptx_operand no_operand = {.kind = PTX_OPERAND_NONE, .reg = -1, .block = -1};

int32_t ptx_new_register(struct ptx_body *body, const char *name, enum ptx_type type)
{
	struct ptx_function *function = body->function;
	if (function->register_count >= PTX_REGISTERS_MAX)
		return ptx_fault_at(body->lexer.token.position, ERROR_UNSUPPORTED, body->err, "unsupported: a function that uses more than %d registers",
				    PTX_REGISTERS_MAX);
	if (front_reserve(&function->registers, function->register_count, &body->register_capacity, sizeof *function->registers, body->err))
		return -1;
	function->registers[function->register_count] = (struct ptx_register){.name = name, .type = type};
	return function->register_count++;
}

int ptx_emit(struct ptx_body *body, const struct ptx_instruction *instruction)
{
	struct ptx_function *function = body->function;
	if (function->instruction_count >= PTX_INSTRUCTIONS_MAX)
		return ptx_fault_at(instruction->position, ERROR_UNSUPPORTED, body->err, "unsupported: a function of more than %d instructions",
				    PTX_INSTRUCTIONS_MAX);
	if (front_reserve(&function->instructions, function->instruction_count, &body->instruction_capacity, sizeof *instruction, body->err))
		return -1;
	function->instructions[function->instruction_count++] = *instruction;
	return 0;
}

int ptx_add_elements(struct ptx_body *body, const struct ptx_operand *operands, int count)
{
	struct ptx_function *function = body->function;
	const int first = function->element_count;
	for (int i = 0; i < count; i++) {
		if (front_reserve(&function->elements, function->element_count, &body->element_capacity, sizeof *operands, body->err))
			return -1;
		function->elements[function->element_count++] = operands[i];
	}
	return first;
}

int ptx_local_variable(struct ptx_body *body, const struct ptx_variable *variable)
{
	struct ptx_variable *kept = arena_alloc(&ptx_front_of(body->module)->arena, sizeof *kept);
	if (!kept)
		return front_no_memory(body->err);
	*kept = *variable;
	if (front_reserve(&body->locals, body->local_count, &body->local_capacity, sizeof *body->locals, body->err))
		return -1;
	body->locals[body->local_count] = kept;
	return body->local_count++;
}

/* A register, or the `width` registers of a vector in a row; -1 failed. */
static int32_t new_registers(struct ptx_body *body, const char *text, size_t length, enum ptx_type type, uint32_t width)
{
	int32_t first = -1;
	const char *name = arena_text(&ptx_front_of(body->module)->arena, text, length);
	if (!name)
		return front_no_memory(body->err);
	for (uint32_t i = 0; i < width; i++) {
		const int32_t made = ptx_new_register(body, name, type);
		if (made < 0)
			return -1;
		if (i == 0)
			first = made;
	}
	body->function->registers[first].slot = width; /* until slots are given */
	return first;
}

int ptx_declare_register(struct ptx_body *body, const struct ptx_token *name, enum ptx_type type, uint32_t width)
{
	const int32_t first = new_registers(body, name->text, name->length, type, width);
	if (first < 0)
		return -1;
	if (!names_add(&body->names, body->scope, name->text, name->length, width > 1 ? PTX_NAME_REGISTER_VECTOR : PTX_NAME_REGISTER, first))
		return front_no_memory(body->err);
	return 0;
}

int ptx_declare_family(struct ptx_body *body, const struct ptx_token *stem, enum ptx_type type, uint32_t width, uint32_t count)
{
	if (names_find(&body->names, body->scope | RANGE_SCOPE, stem->text, stem->length))
		return ptx_fault_at(stem->position, ERROR_INPUT, body->err, "'%.*s' is declared twice", (int)stem->length, stem->text);
	if (front_reserve(&body->ranges, body->range_count, &body->range_capacity, sizeof *body->ranges, body->err))
		return -1;
	body->ranges[body->range_count] = (struct register_range){type, count, width};
	if (!names_add(&body->names, body->scope | RANGE_SCOPE, stem->text, stem->length, PTX_NAME_REGISTER_RANGE, body->range_count++))
		return front_no_memory(body->err);
	return 0;
}

/* The family that a name such as %r12 belongs to in one scope; makes the register (or vector of them) on first use, so that
 * the cost is that of the registers used, not of those declared. *found is NULL where there is none. */
static int find_in_family(struct ptx_body *body, uint32_t scope, const char *text, size_t length, struct names_entry **found)
{
	size_t digits = 0;
	while (digits < length && digits < 9 && text[length - 1 - digits] >= '0' && text[length - 1 - digits] <= '9')
		digits++;
	/* %r1<20> declares %r10 .. %r119: any number of the digits may be the index, which has no leading zeros */
	*found = NULL;
	for (size_t taken = digits; taken > 0; taken--) {
		const size_t stem = length - taken;
		if (taken > 1 && text[stem] == '0')
			continue;
		const struct names_entry *family = names_find(&body->names, scope | RANGE_SCOPE, text, stem);
		if (!family)
			continue;
		uint32_t index = 0;
		for (size_t i = stem; i < length; i++)
			index = index * 10 + (uint32_t)(text[i] - '0');
		const struct register_range *range = &body->ranges[family->value];
		if (index >= range->count)
			continue;
		const int32_t first = new_registers(body, text, length, range->type, range->vector);
		if (first < 0)
			return -1;
		*found = names_add(&body->names, scope, text, length, range->vector > 1 ? PTX_NAME_REGISTER_VECTOR : PTX_NAME_REGISTER, first);
		return *found ? 0 : front_no_memory(body->err);
	}
	return 0;
}

/* What a name means in the innermost scope that knows it: *found, or NULL. */
static int find_name(struct ptx_body *body, const char *text, size_t length, struct names_entry **found)
{
	const int may_be_family = length > 1 && text[length - 1] >= '0' && text[length - 1] <= '9';
	for (uint32_t scope = body->scope;; scope = body->scope_parent[scope]) {
		*found = names_find(&body->names, scope, text, length);
		if (!*found && may_be_family && find_in_family(body, scope, text, length, found))
			return -1;
		if (*found || scope == 0)
			return 0;
	}
}

/* .x .y .z .w or .r .g .b .a right behind a name: 0 .. 3; -1: none. */
static int take_component(struct ptx_lexer *lexer)
{
	if (lexer->token.kind != PTX_TOKEN_DOT || !lexer->token.glued || lexer->token.length != 1)
		return -1;
	static const char letters[] = "xyzwrgba";
	const char *found = strchr(letters, lexer->token.text[0]);
	if (!found)
		return -1;
	ptx_lexer_next(lexer);
	return (int)(found - letters) % 4;
}

static int unknown_name(const struct ptx_token *token, struct error *err)
{
	const int length = token->length > 200 ? 200 : (int)token->length;
	static const char *const known[] = {"%envreg", "%pm0", "%pm1", "%pm2", "%pm3", "%pm4", "%pm5", "%pm6", "%pm7", "%reserved_smem_offset",
					    "%tid", "%ntid", "%ctaid", "%nctaid", "%clusterid", "%nclusterid", "%cluster_ctaid", "%cluster_nctaid"};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (token->length >= strlen(known[i]) && memcmp(token->text, known[i], strlen(known[i])) == 0)
			return ptx_fault_at(token->position, ERROR_UNSUPPORTED, err, "unsupported: special register %.*s here", length, token->text);
	return ptx_fault_at(token->position, ERROR_INPUT, err, "'%.*s' is not declared", length, token->text);
}

static int vector_operand(struct ptx_body *body, int32_t first, uint32_t count, struct ptx_operand *operand)
{
	operand->kind = PTX_OPERAND_VECTOR;
	operand->first = body->function->element_count;
	operand->count = (int32_t)count;
	for (uint32_t i = 0; i < count; i++) {
		struct ptx_operand element = no_operand;
		element.kind = PTX_OPERAND_REGISTER;
		element.reg = first + (int32_t)i;
		if (ptx_add_elements(body, &element, 1) < 0)
			return -1;
	}
	return 0;
}

static uint32_t vector_width(const struct ptx_body *body, const struct names_entry *entry)
{
	return body->function->registers[entry->value].slot;
}

/* A name: register, special register, variable, function. */
static int parse_name(struct ptx_body *body, struct ptx_operand *operand)
{
	struct ptx_lexer *lexer = &body->lexer;
	const struct ptx_token token = lexer->token;
	struct names_entry *entry;
	ptx_lexer_next(lexer);
	if (token.length == 1 && token.text[0] == '_') {
		operand->kind = PTX_OPERAND_SINK;
		return 0;
	}
	if (find_name(body, token.text, token.length, &entry))
		return -1;
	if (entry) {
		switch (entry->kind) {
		case PTX_NAME_REGISTER:
			operand->kind = PTX_OPERAND_REGISTER;
			operand->reg = entry->value;
			if (lexer->token.kind == PTX_TOKEN_DOT && lexer->token.glued) { /* .b0 .h1: selectors of video instructions */
				body->current.opcode = PTX_OP_unknown;
				ptx_lexer_next(lexer);
			}
			return 0;
		case PTX_NAME_REGISTER_VECTOR: {
			const uint32_t width = vector_width(body, entry);
			const struct ptx_position position = lexer->token.position;
			const int component = take_component(lexer);
			if (component < 0)
				return vector_operand(body, entry->value, width, operand);
			if ((uint32_t)component >= width)
				return ptx_fault_at(position, ERROR_INPUT, body->err, "the vector has %u elements", width);
			operand->kind = PTX_OPERAND_REGISTER;
			operand->reg = entry->value + component;
			return 0;
		}
		case PTX_NAME_LOCAL_VARIABLE:
			operand->kind = PTX_OPERAND_VARIABLE;
			operand->variable = body->locals[entry->value];
			operand->block = entry->value; /* until the locals have their final place */
			return 0;
		case PTX_NAME_PARAMETER:
			operand->kind = PTX_OPERAND_VARIABLE;
			operand->variable = &body->function->parameters[entry->value];
			return 0;
		case PTX_NAME_RESULT:
			operand->kind = PTX_OPERAND_VARIABLE;
			operand->variable = &body->function->results[entry->value];
			return 0;
		default:
			return ptx_fault_at(token.position, ERROR_INPUT, body->err, "'%.*s' cannot be an operand here", (int)token.length, token.text);
		}
	}
	const struct ptx_front *front = ptx_front_of(body->module);
	if (token.text[0] == '%') {
		size_t length = token.length;
		if (lexer->token.kind == PTX_TOKEN_DOT && lexer->token.glued)
			length += 1 + lexer->token.length;
		entry = names_find(&front->words, PTX_NAME_SPECIAL, token.text, length);
		if (!entry)
			return unknown_name(&token, body->err);
		if (length > token.length)
			ptx_lexer_next(lexer);
		operand->kind = PTX_OPERAND_SPECIAL;
		operand->special = (enum ptx_special)entry->value;
		return 0;
	}
	entry = names_find(&front->symbols, 0, token.text, token.length);
	if (!entry)
		return unknown_name(&token, body->err);
	if (entry->kind == PTX_NAME_VARIABLE) {
		operand->kind = PTX_OPERAND_VARIABLE;
		operand->variable = &body->module->variables[entry->value];
	} else {
		operand->kind = PTX_OPERAND_FUNCTION;
		operand->symbol = body->module->functions[entry->value].name;
	}
	return 0;
}

/* + 4, - 4, +-4 behind a base. */
static int parse_offset(struct ptx_body *body, int64_t *offset)
{
	struct ptx_constant constant;
	const struct ptx_position position = body->lexer.token.position;
	if (ptx_is_mark(&body->lexer, '+'))
		ptx_lexer_next(&body->lexer);
	if (ptx_parse_constant(&body->lexer, &constant, body->err))
		return -1;
	if (constant.is_float)
		return ptx_fault_at(position, ERROR_INPUT, body->err, "an offset must be an integer");
	*offset = (int64_t)((uint64_t)*offset + (uint64_t)constant.integer);
	return 0;
}

static int at_offset(const struct ptx_lexer *lexer)
{
	return ptx_is_mark(lexer, '+') || ptx_is_mark(lexer, '-');
}

/* Elements up to `closing`, which is taken. */
static int parse_elements(struct ptx_body *body, int closing, struct ptx_operand *operand)
{
	struct ptx_lexer *lexer = &body->lexer;
	const int base = body->scratch_count;
	while (!ptx_is_mark(lexer, closing)) {
		struct ptx_operand element;
		const struct ptx_position position = lexer->token.position;
		if (ptx_parse_operand(body, &element) || ptx_normalise_operand(body, &element))
			return -1;
		if (element.kind == PTX_OPERAND_VECTOR || element.kind == PTX_OPERAND_PAIR || element.kind == PTX_OPERAND_LIST)
			return ptx_fault_at(position, ERROR_INPUT, body->err, "a vector inside a vector");
		if (front_reserve(&body->scratch, body->scratch_count, &body->scratch_capacity, sizeof element, body->err))
			return -1;
		body->scratch[body->scratch_count++] = element;
		if (!ptx_is_mark(lexer, ','))
			break;
		ptx_lexer_next(lexer);
	}
	if (ptx_take_mark(lexer, closing, body->err))
		return -1;
	operand->count = body->scratch_count - base;
	operand->first = ptx_add_elements(body, operand->count ? body->scratch + base : NULL, operand->count);
	body->scratch_count = base;
	return operand->first < 0 ? -1 : 0;
}

/* Behind '['. */
static int parse_address(struct ptx_body *body, struct ptx_operand *operand)
{
	struct ptx_lexer *lexer = &body->lexer;
	const struct ptx_position position = lexer->token.position;
	if (lexer->token.kind == PTX_TOKEN_WORD && !ptx_token_is(&lexer->token, "WARP_SZ")) {
		if (parse_name(body, operand) || ptx_normalise_operand(body, operand))
			return -1;
		if (operand->kind != PTX_OPERAND_REGISTER && operand->kind != PTX_OPERAND_VARIABLE)
			return ptx_fault_at(position, ERROR_INPUT, body->err, "an address starts with a register, a variable or a constant");
		if (at_offset(lexer) && parse_offset(body, &operand->integer))
			return -1;
	} else if (parse_offset(body, &operand->integer)) {
		return -1;
	}
	operand->kind = PTX_OPERAND_ADDRESS;
	if (ptx_is_mark(lexer, ',')) { /* coordinates, a sampler: kept in a row */
		struct ptx_operand rest = no_operand;
		const int base = body->scratch_count;
		while (ptx_is_mark(lexer, ',')) {
			ptx_lexer_next(lexer);
			if (ptx_parse_operand(body, &rest))
				return -1;
			const int many = rest.kind == PTX_OPERAND_VECTOR;
			if (rest.kind == PTX_OPERAND_PAIR || rest.kind == PTX_OPERAND_LIST || rest.kind == PTX_OPERAND_ADDRESS)
				return ptx_expected(lexer, "coordinates", body->err);
			for (int i = 0; i < (many ? rest.count : 1); i++) {
				if (front_reserve(&body->scratch, body->scratch_count, &body->scratch_capacity, sizeof rest, body->err))
					return -1;
				body->scratch[body->scratch_count++] = many ? body->function->elements[rest.first + i] : rest;
			}
		}
		operand->count = body->scratch_count - base;
		operand->first = ptx_add_elements(body, operand->count ? body->scratch + base : NULL, operand->count);
		body->scratch_count = base;
		if (operand->first < 0)
			return -1;
	}
	return ptx_take_mark(lexer, ']', body->err);
}

static int parse_constant_operand(struct ptx_body *body, struct ptx_operand *operand)
{
	struct ptx_constant constant;
	if (ptx_parse_constant(&body->lexer, &constant, body->err))
		return -1;
	operand->kind = constant.is_float ? PTX_OPERAND_FLOAT : PTX_OPERAND_INTEGER;
	operand->integer = constant.integer;
	operand->real = constant.real;
	operand->single = (uint8_t)constant.single;
	return 0;
}

static int parse_single(struct ptx_body *body, struct ptx_operand *operand)
{
	struct ptx_lexer *lexer = &body->lexer;
	const struct ptx_position position = lexer->token.position;
	*operand = no_operand;
	if (lexer->token.kind == PTX_TOKEN_WORD && !ptx_token_is(&lexer->token, "WARP_SZ")) {
		if (parse_name(body, operand))
			return -1;
		if (operand->kind == PTX_OPERAND_VARIABLE) {
			if (at_offset(lexer))
				return parse_offset(body, &operand->integer);
			if (ptx_is_mark(lexer, '[')) { /* an element of an array; but of mov, what is at its address */
				int64_t index = 0;
				const unsigned bytes = ptx_type_bytes(operand->variable->type);
				ptx_lexer_next(lexer);
				if (parse_offset(body, &index) || ptx_take_mark(lexer, ']', body->err))
					return -1;
				operand->integer = (int64_t)((uint64_t)index * bytes);
				if (body->current.opcode != PTX_OP_mov)
					operand->kind = PTX_OPERAND_ADDRESS;
			}
		}
		return 0;
	}
	if (ptx_is_mark(lexer, '!')) {
		const struct ptx_lexer before = *lexer;
		ptx_lexer_next(lexer);
		if (lexer->token.kind != PTX_TOKEN_WORD) { /* !0 */
			*lexer = before;
			return parse_constant_operand(body, operand);
		}
		if (parse_name(body, operand) || ptx_normalise_operand(body, operand))
			return -1;
		if (operand->kind != PTX_OPERAND_REGISTER || body->function->registers[operand->reg].type != PTX_PRED)
			return ptx_fault_at(position, ERROR_INPUT, body->err, "! takes a predicate");
		operand->negate = 1;
		return 0;
	}
	if (ptx_is_mark(lexer, '[')) {
		ptx_lexer_next(lexer);
		return parse_address(body, operand);
	}
	if (ptx_is_mark(lexer, '{')) {
		ptx_lexer_next(lexer);
		if (parse_elements(body, '}', operand))
			return -1;
		operand->kind = PTX_OPERAND_VECTOR;
		return 0;
	}
	if (lexer->token.kind == PTX_TOKEN_INTEGER || lexer->token.kind == PTX_TOKEN_FLOAT || lexer->token.kind == PTX_TOKEN_WORD ||
	    ptx_is_mark(lexer, '(') || ptx_is_mark(lexer, '~') || ptx_is_mark(lexer, '-') || ptx_is_mark(lexer, '+'))
		return parse_constant_operand(body, operand);
	return ptx_expected(lexer, "an operand", body->err);
}

int ptx_parse_operand(struct ptx_body *body, struct ptx_operand *operand)
{
	if (++body->operand_depth > PTX_EXPRESSION_DEPTH_MAX)
		return ptx_expected(&body->lexer, "braces less deep", body->err);
	if (parse_single(body, operand))
		return -1;
	if (ptx_is_mark(&body->lexer, '|')) {
		struct ptx_operand pair[2] = {*operand};
		ptx_lexer_next(&body->lexer);
		if (parse_single(body, &pair[1]) || ptx_normalise_operand(body, &pair[0]) || ptx_normalise_operand(body, &pair[1]))
			return -1;
		const int flat = pair[0].kind != PTX_OPERAND_VECTOR && pair[1].kind != PTX_OPERAND_VECTOR;
		if (!flat) /* {..}|p of tex: residency; not executed */
			body->current.opcode = PTX_OP_unknown;
		*operand = no_operand;
		operand->kind = PTX_OPERAND_PAIR;
		operand->count = 2;
		operand->first = ptx_add_elements(body, pair, 2);
		if (operand->first < 0)
			return -1;
	}
	body->operand_depth--;
	return 0;
}
