/* Bodies of functions: declarations, labels, instructions. */
#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

static int open_scope(struct ptx_body *body, uint32_t parent)
{
	if (body->scope_depth >= PTX_SCOPE_DEPTH_MAX)
		return ptx_fault_at(body->lexer.token.position, ERROR_UNSUPPORTED, body->err, "unsupported: blocks nested more than %d deep",
				    PTX_SCOPE_DEPTH_MAX);
	if (front_reserve(&body->scope_parent, body->scope_count, &body->scope_capacity, sizeof *body->scope_parent, body->err))
		return -1;
	body->scope_parent[body->scope_count] = parent;
	body->scope = (uint32_t)body->scope_count++;
	body->scope_depth++;
	return 0;
}

static int parse_registers(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	struct ptx_declaration declaration;
	ptx_lexer_next(lexer);
	if (ptx_parse_declaration(body->module, lexer, &declaration, body->err))
		return -1;
	for (;;) {
		const struct ptx_token name = lexer->token;
		if (name.kind != PTX_TOKEN_WORD)
			return ptx_expected(lexer, "the name of a register", body->err);
		if (declaration.type != PTX_PRED && !ptx_type_bytes(declaration.type))
			return ptx_fault_at(name.position, ERROR_INPUT, body->err, "a register cannot have type .%s", ptx_type_name(declaration.type));
		if (names_find(&body->names, body->scope, name.text, name.length))
			return ptx_fault_at(name.position, ERROR_INPUT, body->err, "'%.*s' is declared twice", (int)name.length, name.text);
		ptx_lexer_next(lexer);
		if (ptx_is_mark(lexer, '<')) {
			uint32_t count;
			ptx_lexer_next(lexer);
			if (ptx_take_u32(lexer, "how many registers", &count, body->err) || ptx_take_mark(lexer, '>', body->err) ||
			    ptx_declare_family(body, &name, declaration.type, declaration.vector, count))
				return -1;
		} else if (ptx_declare_register(body, &name, declaration.type, declaration.vector)) {
			return -1;
		}
		if (!ptx_is_mark(lexer, ','))
			break;
		ptx_lexer_next(lexer);
	}
	return ptx_take_mark(lexer, ';', body->err);
}

static int parse_variables(struct ptx_body *body, enum ptx_space space, int is_extern)
{
	struct ptx_lexer *lexer = &body->lexer;
	struct ptx_declaration declaration;
	ptx_lexer_next(lexer);
	if (ptx_parse_declaration(body->module, lexer, &declaration, body->err))
		return -1;
	for (;;) {
		struct ptx_variable variable;
		if (ptx_parse_variable(body->module, lexer, &declaration, &variable, body->err))
			return -1;
		variable.space = space;
		variable.is_extern = is_extern;
		if (ptx_declare_local(body, &variable))
			return -1;
		if (!ptx_is_mark(lexer, ','))
			break;
		ptx_lexer_next(lexer);
	}
	return ptx_take_mark(lexer, ';', body->err);
}

/* .loc file line column, function_name label + offset, inlined_at file line column */
static int parse_location(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	uint32_t file, line, column;
	ptx_lexer_next(lexer);
	if (ptx_take_u32(lexer, "the number of a file", &file, body->err) || ptx_take_u32(lexer, "a line number", &line, body->err) ||
	    ptx_take_u32(lexer, "a column", &column, body->err))
		return -1;
	body->location = (struct ptx_position){file, line};
	while (ptx_is_mark(lexer, ',')) {
		uint32_t ignored;
		ptx_lexer_next(lexer);
		if (ptx_token_is(&lexer->token, "function_name")) {
			ptx_lexer_next(lexer);
			if (lexer->token.kind != PTX_TOKEN_WORD)
				return ptx_expected(lexer, "a label", body->err);
			ptx_lexer_next(lexer);
			if (ptx_is_mark(lexer, '+')) {
				ptx_lexer_next(lexer);
				if (ptx_take_u32(lexer, "an offset", &ignored, body->err))
					return -1;
			}
		} else if (ptx_token_is(&lexer->token, "inlined_at")) {
			ptx_lexer_next(lexer);
			if (ptx_take_u32(lexer, "the number of a file", &ignored, body->err) ||
			    ptx_take_u32(lexer, "a line number", &ignored, body->err) || ptx_take_u32(lexer, "a column", &ignored, body->err))
				return -1;
		} else {
			return ptx_expected(lexer, "function_name or inlined_at", body->err);
		}
	}
	return 0;
}

static int skip_statement(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	while (!ptx_is_mark(lexer, ';')) {
		if (lexer->token.kind == PTX_TOKEN_END || lexer->token.kind == PTX_TOKEN_BAD || ptx_is_mark(lexer, '{') || ptx_is_mark(lexer, '}'))
			return ptx_expected(lexer, "';'", body->err);
		ptx_lexer_next(lexer);
	}
	ptx_lexer_next(lexer);
	return 0;
}

static int parse_directive(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	const enum ptx_space space = ptx_parse_space(&lexer->token);
	if (space == PTX_SPACE_REG)
		return parse_registers(body);
	if (space != PTX_SPACE_GENERIC)
		return parse_variables(body, space, 0);
	if (ptx_is_dot(lexer, "loc"))
		return parse_location(body);
	if (ptx_is_dot(lexer, "pragma"))
		return skip_statement(body);
	if (ptx_is_dot(lexer, "extern") || ptx_is_dot(lexer, "visible") || ptx_is_dot(lexer, "weak")) {
		const int is_extern = ptx_is_dot(lexer, "extern");
		ptx_lexer_next(lexer);
		const enum ptx_space of = ptx_parse_space(&lexer->token);
		if (of == PTX_SPACE_GLOBAL || of == PTX_SPACE_CONST || of == PTX_SPACE_SHARED)
			return parse_variables(body, of, is_extern);
	}
	return ptx_expected(lexer, "an instruction or a declaration", body->err);
}

static int add_reference(struct ptx_body *body, int32_t instruction, int32_t operand, const struct ptx_token *name)
{
	if (front_reserve(&body->references, body->reference_count, &body->reference_capacity, sizeof *body->references, body->err))
		return -1;
	body->references[body->reference_count++] =
		(struct ptx_reference){.instruction = instruction, .operand = operand, .scope = body->scope, .name = name->text,
				       .length = name->length, .position = name->position};
	return 0;
}

/* name: .branchtargets a, b, c; the other two kinds of lists are about calls through registers and are passed over */
static int parse_targets(struct ptx_body *body, const struct ptx_token *name)
{
	struct ptx_lexer *lexer = &body->lexer;
	struct ptx_function *function = body->function;
	if (!ptx_is_dot(lexer, "branchtargets")) {
		if (!names_find(&body->labels, body->scope, name->text, name->length) &&
		    !names_add(&body->labels, body->scope, name->text, name->length, PTX_NAME_PROTOTYPE, 0))
			return front_no_memory(body->err);
		return skip_statement(body);
	}
	if (names_find(&body->labels, body->scope, name->text, name->length))
		return ptx_fault_at(name->position, ERROR_INPUT, body->err, "label '%.*s' stands twice", (int)name->length, name->text);
	if (front_reserve(&function->tables, function->table_count, &body->table_capacity, sizeof *function->tables, body->err))
		return -1;
	struct ptx_table *table = &function->tables[function->table_count];
	*table = (struct ptx_table){.name = arena_text(&ptx_front_of(body->module)->arena, name->text, name->length)};
	if (!table->name || !names_add(&body->labels, body->scope, name->text, name->length, PTX_NAME_TABLE, function->table_count))
		return front_no_memory(body->err);
	const int32_t index = function->table_count++;
	do {
		ptx_lexer_next(lexer);
		if (lexer->token.kind != PTX_TOKEN_WORD)
			return ptx_expected(lexer, "a label", body->err);
		if (add_reference(body, -1 - index, table->count++, &lexer->token))
			return -1;
		ptx_lexer_next(lexer);
	} while (ptx_is_mark(lexer, ','));
	table->blocks = malloc((size_t)table->count * sizeof *table->blocks);
	if (!table->blocks)
		return front_no_memory(body->err);
	return ptx_take_mark(lexer, ';', body->err);
}

static int define_label(struct ptx_body *body, const struct ptx_token *name)
{
	if (names_find(&body->labels, body->scope, name->text, name->length))
		return ptx_fault_at(name->position, ERROR_INPUT, body->err, "label '%.*s' stands twice", (int)name->length, name->text);
	int capacity = body->label_capacity;
	if (front_reserve(&body->label_places, body->label_count, &capacity, sizeof *body->label_places, body->err))
		return -1;
	capacity = body->label_capacity;
	if (front_reserve(&body->label_names, body->label_count, &capacity, sizeof *body->label_names, body->err))
		return -1;
	body->label_capacity = capacity;
	body->label_places[body->label_count] = body->function->instruction_count;
	body->label_names[body->label_count] = arena_text(&ptx_front_of(body->module)->arena, name->text, name->length);
	if (!body->label_names[body->label_count] ||
	    !names_add(&body->labels, body->scope, name->text, name->length, PTX_NAME_LABEL, body->label_count))
		return front_no_memory(body->err);
	body->label_count++;
	return 0;
}

static int parse_guard(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	struct ptx_operand operand;
	ptx_lexer_next(lexer);
	const int negated = ptx_is_mark(lexer, '!');
	if (negated)
		ptx_lexer_next(lexer);
	const struct ptx_position position = lexer->token.position;
	if (lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "a predicate", body->err);
	body->current.position = position;
	if (ptx_parse_operand(body, &operand) || ptx_normalise_operand(body, &operand))
		return -1;
	if (operand.kind != PTX_OPERAND_REGISTER || body->function->registers[operand.reg].type != PTX_PRED)
		return ptx_fault_at(position, ERROR_INPUT, body->err, "a guard must be a predicate");
	body->current.guard = operand.reg;
	body->current.guard_negated = (uint8_t)negated;
	return 0;
}

static int parse_modifiers(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	struct ptx_instruction *instruction = &body->current;
	const struct names *words = &ptx_front_of(body->module)->words;
	while (lexer->token.kind == PTX_TOKEN_DOT) {
		if (instruction->modifier_count == PTX_MODIFIERS_MAX)
			return ptx_fault_at(lexer->token.position, ERROR_INPUT, body->err, "more than %d modifiers", PTX_MODIFIERS_MAX);
		const struct names_entry *entry = names_find(words, PTX_NAME_MODIFIER, lexer->token.text, lexer->token.length);
		instruction->modifiers[instruction->modifier_count++] = entry ? (enum ptx_modifier)entry->value : PTX_MOD_unknown;
		ptx_lexer_next(lexer);
	}
	return 0;
}

static int parse_list(struct ptx_body *body, struct ptx_operand *list)
{
	struct ptx_lexer *lexer = &body->lexer;
	const int base = body->scratch_count;
	*list = (struct ptx_operand){.kind = PTX_OPERAND_LIST, .reg = -1, .block = -1};
	if (!ptx_is_mark(lexer, '('))
		return 0;
	ptx_lexer_next(lexer);
	while (!ptx_is_mark(lexer, ')')) {
		struct ptx_operand element;
		if (ptx_parse_operand(body, &element) || ptx_normalise_operand(body, &element) ||
		    front_reserve(&body->scratch, body->scratch_count, &body->scratch_capacity, sizeof element, body->err))
			return -1;
		body->scratch[body->scratch_count++] = element;
		if (!ptx_is_mark(lexer, ','))
			break;
		ptx_lexer_next(lexer);
	}
	if (ptx_take_mark(lexer, ')', body->err))
		return -1;
	list->count = body->scratch_count - base;
	list->first = ptx_add_elements(body, list->count ? body->scratch + base : NULL, list->count);
	body->scratch_count = base;
	return list->first < 0 ? -1 : 0;
}

/* call (results), callee, (arguments), prototype or targets; every part but the callee may be absent */
static int parse_call(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	struct ptx_instruction *call = &body->current;
	struct ptx_operand callee, results, arguments = {.kind = PTX_OPERAND_LIST, .reg = -1, .block = -1};
	const int has_results = ptx_is_mark(lexer, '(');
	if (parse_list(body, &results) || (has_results && ptx_take_mark(lexer, ',', body->err)))
		return -1;
	const struct ptx_position position = lexer->token.position;
	if (lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "the name of a function", body->err);
	if (ptx_parse_operand(body, &callee))
		return -1;
	if (callee.kind != PTX_OPERAND_FUNCTION && callee.kind != PTX_OPERAND_REGISTER)
		return ptx_fault_at(position, ERROR_INPUT, body->err, "only functions and addresses in registers can be called");
	if (ptx_is_mark(lexer, ',')) {
		ptx_lexer_next(lexer);
		if (ptx_is_mark(lexer, '(')) {
			if (parse_list(body, &arguments))
				return -1;
			if (ptx_is_mark(lexer, ','))
				ptx_lexer_next(lexer);
		}
		if (lexer->token.kind == PTX_TOKEN_WORD) /* the prototype, or list of targets, of a call through a register */
			ptx_lexer_next(lexer);
	}
	call->operands[0] = results;
	call->operands[1] = callee;
	call->operands[2] = arguments;
	call->operand_count = 3;
	return 0;
}

static int parse_operands(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	struct ptx_instruction *instruction = &body->current;
	for (int more = !ptx_is_mark(lexer, ';'); more;) {
		struct ptx_operand operand;
		const int is_label = (instruction->opcode == PTX_OP_bra && instruction->operand_count == 0) ||
				     (instruction->opcode == PTX_OP_brx && instruction->operand_count == 1);
		if (is_label) {
			if (lexer->token.kind != PTX_TOKEN_WORD)
				return ptx_expected(lexer, "a label", body->err);
			/* whatever is made for the operands before has been emitted: the jump itself comes next */
			operand = (struct ptx_operand){.kind = PTX_OPERAND_LABEL, .reg = -1, .block = -1};
			if (add_reference(body, body->function->instruction_count, instruction->operand_count, &lexer->token))
				return -1;
			ptx_lexer_next(lexer);
		} else if (ptx_parse_operand(body, &operand)) {
			return -1;
		}
		const int may_be_special = instruction->opcode == PTX_OP_mov && instruction->operand_count == 1;
		if (!may_be_special && ptx_normalise_operand(body, &operand))
			return -1;
		if (instruction->operand_count == PTX_OPERANDS_MAX)
			instruction->opcode = PTX_OP_unknown; /* none of those that are executed has that many */
		else
			instruction->operands[instruction->operand_count++] = operand;
		more = ptx_is_mark(lexer, ',');
		if (more)
			ptx_lexer_next(lexer);
	}
	return 0;
}

/* What the flow of the function rests on, whatever lowering says later. */
static int check_jump(const struct ptx_body *body)
{
	const struct ptx_instruction *instruction = &body->current;
	const int wanted = instruction->opcode == PTX_OP_bra ? 1 : instruction->opcode == PTX_OP_brx ? 2 : -1;
	if (wanted >= 0 && instruction->operand_count != wanted)
		return ptx_fault_at(instruction->position, ERROR_INPUT, body->err, "%s takes %d operand%s, not %d",
				    ptx_opcode_name(instruction->opcode), wanted, wanted == 1 ? "" : "s", instruction->operand_count);
	return 0;
}

/* `opcode` has been taken. */
static int parse_instruction(struct ptx_body *body, const struct ptx_token *opcode)
{
	struct ptx_lexer *lexer = &body->lexer;
	struct ptx_instruction *instruction = &body->current;
	const struct names_entry *entry = names_find(&ptx_front_of(body->module)->words, PTX_NAME_OPCODE, opcode->text, opcode->length);
	instruction->opcode = entry ? (enum ptx_opcode)entry->value : PTX_OP_unknown;
	const int is_call = instruction->opcode == PTX_OP_call;
	instruction->position = opcode->position;
	instruction->text = opcode->text;
	instruction->source_file = body->location.line;
	instruction->source_line = body->location.column;
	/* so that a name nobody knows is not taken for an instruction that has a fault further on */
	if (!entry && lexer->token.kind == PTX_TOKEN_WORD && opcode->text[0] == '%')
		return ptx_fault_at(opcode->position, ERROR_INPUT, body->err, "expected an instruction, found '%.*s'",
				    opcode->length > 60 ? 60 : (int)opcode->length, opcode->text);
	body->operand_depth = 0;
	if (parse_modifiers(body) || (is_call ? parse_call(body) : parse_operands(body)))
		return -1;
	if (!ptx_is_mark(lexer, ';'))
		return ptx_expected(lexer, instruction->operand_count ? "',' or ';'" : "an operand or ';'", body->err);
	const char *end = lexer->token.text;
	while (end > instruction->text && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n' || end[-1] == '\r'))
		end--;
	instruction->text_length = (uint32_t)(end - instruction->text);
	ptx_lexer_next(lexer);
	if (is_call)
		return ptx_normalise_call(body);
	if (check_jump(body) || (instruction->opcode == PTX_OP_ret && ptx_store_register_results(body)))
		return -1;
	return ptx_emit(body, instruction);
}

static void start_instruction(struct ptx_body *body)
{
	memset(&body->current, 0, sizeof body->current);
	body->current.guard = body->current.table = -1;
}

static int parse_statement(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	start_instruction(body);
	if (ptx_is_mark(lexer, ';')) {
		ptx_lexer_next(lexer);
		return 0;
	}
	if (ptx_is_mark(lexer, '{')) {
		ptx_lexer_next(lexer);
		return open_scope(body, body->scope);
	}
	if (lexer->token.kind == PTX_TOKEN_DOT)
		return parse_directive(body);
	if (ptx_is_mark(lexer, '@')) {
		body->current.text = lexer->token.text;
		body->current.text_length = 1;
		if (parse_guard(body))
			return -1;
	}
	const struct ptx_token word = lexer->token;
	if (word.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "an instruction", body->err);
	ptx_lexer_next(lexer);
	if (body->current.guard < 0 && ptx_is_mark(lexer, ':')) {
		ptx_lexer_next(lexer);
		if (ptx_is_dot(lexer, "branchtargets") || ptx_is_dot(lexer, "calltargets") || ptx_is_dot(lexer, "callprototype"))
			return parse_targets(body, &word);
		return define_label(body, &word);
	}
	return parse_instruction(body, &word);
}

/* Labels by name become indices of labels; find_blocks turns those into blocks. */
static int resolve_references(struct ptx_body *body)
{
	struct ptx_function *function = body->function;
	for (int i = 0; i < body->reference_count; i++) {
		const struct ptx_reference *reference = &body->references[i];
		const struct names_entry *entry = NULL;
		for (uint32_t scope = reference->scope;; scope = body->scope_parent[scope]) {
			entry = names_find(&body->labels, scope, reference->name, reference->length);
			if (entry || scope == 0)
				break;
		}
		struct ptx_instruction *jump = reference->instruction >= 0 ? &function->instructions[reference->instruction] : NULL;
		const int wanted = jump && jump->opcode == PTX_OP_brx ? PTX_NAME_TABLE : PTX_NAME_LABEL;
		if (!entry || entry->kind != wanted)
			return ptx_fault_at(reference->position, ERROR_INPUT, body->err, "there is no %s '%.*s' in the function",
					    wanted == PTX_NAME_TABLE ? "list of branch targets" : "label",
					    reference->length > 200 ? 200 : (int)reference->length, reference->name);
		if (!jump)
			function->tables[-1 - reference->instruction].blocks[reference->operand] = entry->value;
		else if (wanted == PTX_NAME_TABLE)
			jump->table = entry->value;
		else
			jump->operands[reference->operand].block = entry->value;
	}
	return 0;
}

static int parse_body(struct ptx_body *body)
{
	struct ptx_lexer *lexer = &body->lexer;
	if (open_scope(body, 0) || ptx_parse_head(body->module, lexer, body->function, &body->register_parameters, body->err) ||
	    ptx_load_register_parameters(body))
		return -1;
	if (!ptx_is_mark(lexer, '{'))
		return ptx_expected(lexer, "the body of the function", body->err);
	ptx_lexer_next(lexer);
	if (open_scope(body, 0))
		return -1;
	for (;;) {
		if (!ptx_is_mark(lexer, '}')) {
			if (parse_statement(body))
				return -1;
			continue;
		}
		if (body->scope == 1)
			break;
		ptx_lexer_next(lexer);
		body->scope = body->scope_parent[body->scope];
		body->scope_depth--;
	}
	start_instruction(body);
	body->current.position = body->function->end = lexer->token.position;
	body->current.text = lexer->token.text;
	body->current.text_length = 1;
	return ptx_store_register_results(body); /* control may run into the end */
}

int ptx_parse_body(struct ptx_body *body)
{
	struct ptx_function *function = body->function;
	int status = parse_body(body);
	if (status == 0)
		status = resolve_references(body);
	if (status == 0)
		status = ptx_place_locals(body);
	if (status == 0)
		status = ptx_find_blocks(function, body->label_places, body->label_names, body->label_count, body->err);
	if (status == 0)
		status = ptx_find_order(function, body->err);
	if (status == 0)
		status = ptx_find_postdominators(function, body->err);
	if (status == 0)
		status = ptx_allocate(function, body->err);
	names_free(&body->names);
	names_free(&body->labels);
	free(body->scope_parent);
	free(body->ranges);
	free(body->locals);
	free(body->label_places);
	free(body->label_names);
	free(body->references);
	free(body->scratch);
	return status;
}
