/* Declarations: type, alignment, vectors, arrays and initialisers (manual 5.4). */
#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

enum { DIMENSIONS_MAX = 16, ALIGN_MAX = 1 << 16 };
static const uint64_t bytes_max = (uint64_t)1 << 40;
static const uint64_t initial_max = (uint64_t)1 << 28; /* bytes of a variable that has an initialiser: they are held in memory */

enum ptx_type ptx_parse_type(const struct ptx_module *module, const struct ptx_token *token)
{
	if (token->kind != PTX_TOKEN_DOT)
		return PTX_NO_TYPE;
	if (ptx_token_is(token, "texref") || ptx_token_is(token, "samplerref") || ptx_token_is(token, "surfref"))
		return PTX_B64;
	const struct names_entry *entry = names_find(&ptx_front_of(module)->words, PTX_NAME_MODIFIER, token->text, token->length);
	return entry ? ptx_modifier_type((enum ptx_modifier)entry->value) : PTX_NO_TYPE;
}

enum ptx_space ptx_parse_space(const struct ptx_token *token)
{
	static const struct {
		const char *word;
		enum ptx_space space;
	} spaces[] = {{"reg", PTX_SPACE_REG}, {"param", PTX_SPACE_PARAM}, {"global", PTX_SPACE_GLOBAL}, {"shared", PTX_SPACE_SHARED},
		      {"local", PTX_SPACE_LOCAL}, {"const", PTX_SPACE_CONST}, {"tex", PTX_SPACE_GLOBAL},
		      {"shared::cta", PTX_SPACE_SHARED}};
	if (token->kind == PTX_TOKEN_DOT)
		for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
			if (ptx_token_is(token, spaces[i].word))
				return spaces[i].space;
	return PTX_SPACE_GENERIC;
}

static int skip_parentheses(struct ptx_lexer *lexer, struct error *err)
{
	if (ptx_take_mark(lexer, '(', err))
		return -1;
	for (size_t depth = 1; depth; ptx_lexer_next(lexer)) {
		if (lexer->token.kind == PTX_TOKEN_END || lexer->token.kind == PTX_TOKEN_BAD)
			return ptx_expected(lexer, "')'", err);
		depth += (size_t)ptx_is_mark(lexer, '(');
		depth -= (size_t)ptx_is_mark(lexer, ')');
	}
	return 0;
}

int ptx_parse_declaration(const struct ptx_module *module, struct ptx_lexer *lexer, struct ptx_declaration *declaration, struct error *err)
{
	*declaration = (struct ptx_declaration){.vector = 1};
	while (lexer->token.kind == PTX_TOKEN_DOT) {
		const enum ptx_type type = ptx_parse_type(module, &lexer->token);
		if (ptx_is_dot(lexer, "align")) {
			uint32_t align;
			ptx_lexer_next(lexer);
			const struct ptx_position position = lexer->token.position;
			if (ptx_take_u32(lexer, "the alignment", &align, err))
				return -1;
			if (align == 0 || align > ALIGN_MAX || (align & (align - 1)))
				return ptx_fault_at(position, ERROR_INPUT, err, "alignment %u is not a power of two up to %d", align, ALIGN_MAX);
			if (!declaration->is_pointer) /* else of what it points to */
				declaration->align = align;
		} else if (ptx_is_dot(lexer, "v2") || ptx_is_dot(lexer, "v4") || ptx_is_dot(lexer, "v8")) {
			declaration->vector = (uint32_t)(lexer->token.text[1] - '0');
			ptx_lexer_next(lexer);
		} else if (ptx_is_dot(lexer, "ptr")) {
			declaration->is_pointer = 1;
			ptx_lexer_next(lexer);
		} else if (ptx_is_dot(lexer, "attribute")) {
			ptx_lexer_next(lexer);
			if (skip_parentheses(lexer, err))
				return -1;
		} else if (type != PTX_NO_TYPE) {
			if (declaration->type != PTX_NO_TYPE)
				return ptx_expected(lexer, "a name (the type was given)", err);
			declaration->type = type;
			ptx_lexer_next(lexer);
		} else if (declaration->is_pointer && ptx_parse_space(&lexer->token) != PTX_SPACE_GENERIC) {
			ptx_lexer_next(lexer);
		} else {
			return ptx_expected(lexer, "a type", err);
		}
	}
	if (declaration->type == PTX_NO_TYPE)
		return ptx_expected(lexer, "a type", err);
	return 0;
}

/* The initialiser being read. */
struct initialiser {
	struct ptx_module *module;
	struct ptx_lexer *lexer;
	struct error *err;
	enum ptx_type type;
	unsigned element_bytes;
	uint64_t strides[DIMENSIONS_MAX + 2]; /* elements that one step of each level covers; the last is 1 */
	int levels;
	uint64_t limit;            /* elements at most */
	unsigned char *bytes;
	uint64_t count, capacity;  /* elements */
	struct ptx_relocation *relocations;
	int relocation_count, relocation_capacity;
};

static int reserve_elements(struct initialiser *init, uint64_t count, struct ptx_position position)
{
	if (count > init->limit)
		return ptx_fault_at(position, ERROR_INPUT, init->err, "more initial values than elements (%llu)", (unsigned long long)init->limit);
	if (count * init->element_bytes > initial_max)
		return ptx_fault_at(position, ERROR_UNSUPPORTED, init->err, "unsupported: an initialised variable of more than %llu bytes",
				    (unsigned long long)initial_max);
	if (count > init->capacity) {
		uint64_t capacity = init->capacity ? init->capacity : 64;
		while (capacity < count)
			capacity *= 2;
		unsigned char *grown = realloc(init->bytes, capacity * init->element_bytes);
		if (!grown)
			return front_no_memory(init->err);
		init->bytes = grown;
		init->capacity = capacity;
	}
	if (count > init->count) {
		memset(init->bytes + init->count * init->element_bytes, 0, (count - init->count) * init->element_bytes);
		init->count = count;
	}
	return 0;
}

static int add_relocation(struct initialiser *init, uint64_t element)
{
	struct ptx_lexer *lexer = init->lexer;
	const struct ptx_position position = lexer->token.position;
	struct ptx_relocation relocation = {.offset = element * init->element_bytes, .bytes = init->element_bytes};
	if (ptx_token_is(&lexer->token, "generic")) {
		relocation.generic = 1;
		ptx_lexer_next(lexer);
		if (ptx_take_mark(lexer, '(', init->err))
			return -1;
	}
	if (lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "a variable or function", init->err);
	relocation.symbol = arena_text(&ptx_front_of(init->module)->arena, lexer->token.text, lexer->token.length);
	if (!relocation.symbol)
		return front_no_memory(init->err);
	ptx_lexer_next(lexer);
	/* generic(symbol + 4) and generic(symbol) + 4 */
	for (int inside = relocation.generic;; inside = 0) {
		if (ptx_is_mark(lexer, '+') || ptx_is_mark(lexer, '-')) {
			struct ptx_constant addend;
			if (ptx_is_mark(lexer, '+'))
				ptx_lexer_next(lexer);
			if (ptx_parse_constant(lexer, &addend, init->err))
				return -1;
			if (addend.is_float)
				return ptx_fault_at(position, ERROR_INPUT, init->err, "an offset must be an integer");
			relocation.addend = (int64_t)((uint64_t)relocation.addend + (uint64_t)addend.integer);
		}
		if (!inside)
			break;
		if (ptx_take_mark(lexer, ')', init->err))
			return -1;
	}
	if (init->element_bytes != 8 && init->element_bytes != 4)
		return ptx_fault_at(position, ERROR_INPUT, init->err, "an address needs elements of 8 bytes, not of %u", init->element_bytes);
	if (front_reserve(&init->relocations, init->relocation_count, &init->relocation_capacity, sizeof *init->relocations, init->err))
		return -1;
	init->relocations[init->relocation_count++] = relocation;
	return 0;
}

static int parse_value(struct initialiser *init, uint64_t element)
{
	struct ptx_lexer *lexer = init->lexer;
	const struct ptx_position position = lexer->token.position;
	if (reserve_elements(init, element + 1, position))
		return -1;
	if (lexer->token.kind == PTX_TOKEN_WORD)
		return add_relocation(init, element);
	struct ptx_constant value;
	if (ptx_parse_constant(lexer, &value, init->err))
		return -1;
	if (ptx_is_mark(lexer, '('))
		return ptx_fault_at(position, ERROR_UNSUPPORTED, init->err, "unsupported: a part of an address, mask(symbol), as initial value");
	unsigned char *to = init->bytes + element * init->element_bytes;
	if (init->type == PTX_F32) {
		const float single = value.is_float ? (float)value.real : (float)value.integer;
		memcpy(to, &single, 4);
		if (value.single)
			memcpy(to, &value.integer, 4);
	} else if (init->type == PTX_F64) {
		const double real = value.is_float ? value.real : (double)value.integer;
		memcpy(to, &real, 8);
	} else if (value.is_float) {
		if (value.single && init->element_bytes == 4)
			memcpy(to, &value.integer, 4);
		else if (!value.single && init->element_bytes == 8)
			memcpy(to, &value.real, 8);
		else
			return ptx_fault_at(position, ERROR_INPUT, init->err, "a floating-point constant for elements of type .%s",
					    ptx_type_name(init->type));
	} else {
		const uint64_t bits[2] = {(uint64_t)value.integer, init->element_bytes == 16 && value.integer < 0 && !value.is_unsigned ? ~0ull : 0};
		memcpy(to, bits, init->element_bytes); /* little-endian, truncated to the type */
	}
	return 0;
}

/* Braces around the elements of `level`, from element `first`. */
static int parse_level(struct initialiser *init, int level, uint64_t first)
{
	struct ptx_lexer *lexer = init->lexer;
	const uint64_t end = level == 0 ? init->limit : first + init->strides[level - 1];
	uint64_t next = first;
	if (ptx_take_mark(lexer, '{', init->err))
		return -1;
	while (!ptx_is_mark(lexer, '}')) {
		const struct ptx_position position = lexer->token.position;
		if (next >= end)
			return ptx_fault_at(position, ERROR_INPUT, init->err, "more initial values than elements");
		if (ptx_is_mark(lexer, '{')) {
			if (level + 1 >= init->levels)
				return ptx_fault_at(position, ERROR_INPUT, init->err, "more braces than dimensions");
			const uint64_t stride = init->strides[level];
			next = first + (next - first + stride - 1) / stride * stride;
			if (next >= end)
				return ptx_fault_at(position, ERROR_INPUT, init->err, "more initial values than elements");
			if (parse_level(init, level + 1, next) || reserve_elements(init, next + stride, position))
				return -1;
			next += stride;
		} else {
			if (parse_value(init, next))
				return -1;
			next++;
		}
		if (!ptx_is_mark(lexer, ','))
			break;
		ptx_lexer_next(lexer);
	}
	return ptx_take_mark(lexer, '}', init->err);
}

static int keep_initialiser(struct initialiser *init, struct ptx_variable *variable)
{
	struct arena *arena = &ptx_front_of(init->module)->arena;
	if (variable->bytes > initial_max)
		return ptx_fault_at(variable->position, ERROR_UNSUPPORTED, init->err,
				    "unsupported: an initialised variable of more than %llu bytes", (unsigned long long)initial_max);
	variable->initial = arena_alloc(arena, variable->bytes ? variable->bytes : 1);
	if (!variable->initial)
		return front_no_memory(init->err);
	if (init->count)
		memcpy(variable->initial, init->bytes, init->count * init->element_bytes);
	if (init->relocation_count) {
		const size_t bytes = (size_t)init->relocation_count * sizeof *init->relocations;
		variable->relocations = arena_alloc(arena, bytes);
		if (!variable->relocations)
			return front_no_memory(init->err);
		memcpy(variable->relocations, init->relocations, bytes);
		variable->relocation_count = init->relocation_count;
	}
	return 0;
}

int ptx_parse_variable(struct ptx_module *module, struct ptx_lexer *lexer, const struct ptx_declaration *declaration,
		       struct ptx_variable *variable, struct error *err)
{
	uint64_t dimensions[DIMENSIONS_MAX];
	int dimension_count = 0, open = 0;
	*variable = (struct ptx_variable){.type = declaration->type, .position = lexer->token.position};
	const unsigned element_bytes = ptx_type_bytes(declaration->type);
	if (!element_bytes)
		return ptx_fault_at(variable->position, ERROR_INPUT, err, "a variable in memory cannot have type .%s", ptx_type_name(declaration->type));
	if (lexer->token.kind != PTX_TOKEN_WORD)
		return ptx_expected(lexer, "the name of a variable", err);
	variable->name = arena_text(&ptx_front_of(module)->arena, lexer->token.text, lexer->token.length);
	if (!variable->name)
		return front_no_memory(err);
	ptx_lexer_next(lexer);
	if (ptx_is_mark(lexer, '<'))
		return ptx_fault_at(variable->position, ERROR_UNSUPPORTED, err, "unsupported: a numbered family of variables in memory");
	const uint32_t natural = element_bytes * declaration->vector;
	uint64_t elements = declaration->vector;
	while (ptx_is_mark(lexer, '[')) {
		struct ptx_constant size = {.integer = 0};
		const struct ptx_position position = lexer->token.position;
		ptx_lexer_next(lexer);
		if (ptx_is_mark(lexer, ']')) {
			if (dimension_count)
				return ptx_fault_at(position, ERROR_INPUT, err, "only the first dimension may be left out");
			open = 1;
		} else {
			if (ptx_parse_constant(lexer, &size, err))
				return -1;
			if (size.is_float || size.integer < 0)
				return ptx_fault_at(position, ERROR_INPUT, err, "the size of an array must be an integer that is not negative");
		}
		if (ptx_take_mark(lexer, ']', err))
			return -1;
		if (dimension_count == DIMENSIONS_MAX)
			return ptx_fault_at(position, ERROR_UNSUPPORTED, err, "unsupported: an array of more than %d dimensions", DIMENSIONS_MAX);
		dimensions[dimension_count] = open && !dimension_count ? 1 : (uint64_t)size.integer;
		if (__builtin_mul_overflow(elements, dimensions[dimension_count], &elements) || elements > bytes_max / element_bytes)
			return ptx_fault_at(position, ERROR_UNSUPPORTED, err, "unsupported: an array of more than 2^40 bytes");
		dimension_count++;
	}
	variable->is_array = dimension_count > 0;
	variable->align = declaration->align ? declaration->align : natural;
	variable->bytes = open ? 0 : elements * element_bytes;
	if (!ptx_is_mark(lexer, '='))
		return 0;
	ptx_lexer_next(lexer);
	if (lexer->token.kind == PTX_TOKEN_MARK && lexer->token.mark == '{' && dimension_count == 0 && declaration->vector == 1) {
		/* { addr_mode_0 = wrap, ... } of a sampler: read where it is used, which is not here */
		return ptx_lexer_skip_braces(lexer, err);
	}

	struct initialiser init = {.module = module, .lexer = lexer, .err = err, .type = declaration->type, .element_bytes = element_bytes,
				   .limit = open ? bytes_max / element_bytes : elements};
	uint64_t stride = declaration->vector;
	init.levels = dimension_count + (declaration->vector > 1);
	if (declaration->vector > 1)
		init.strides[init.levels - 1] = 1;
	for (int i = dimension_count - 1; i >= 0; i--) {
		init.strides[i] = stride;
		stride *= dimensions[i];
	}
	int status = ptx_is_mark(lexer, '{') ? parse_level(&init, 0, 0) : parse_value(&init, 0);
	if (status == 0) {
		if (open) {
			const uint64_t step = init.strides[0] ? init.strides[0] : 1;
			variable->bytes = (init.count + step - 1) / step * step * element_bytes;
		}
		status = keep_initialiser(&init, variable);
	}
	free(init.bytes);
	free(init.relocations);
	return status;
}
