#include "artifact/variables.h"

#include "artifact/elf_file.h"
#include "core/util.h"

#include <stdlib.h>
#include <string.h>

static int add(struct module_variables *variables, const char *name, size_t length, uint64_t size, struct error *err)
{
	if (variables->count % 32 == 0) {
		struct module_variable *items = reallocarray(variables->items, variables->count + 32, sizeof *items);
		if (!items)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		variables->items = items;
	}
	struct module_variable *item = &variables->items[variables->count];
	*item = (struct module_variable){.name = copy_text(name, length), .size = size};
	if (!item->name)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	variables->count++;
	return 0;
}

static int is_variable_section(const char *name)
{
	/* .nv.global, .nv.global.init, .nv.constant3 and .nv.constant4; .nv.constant0.K are a kernel's parameters */
	return strncmp(name, ".nv.global", 10) == 0 || (strncmp(name, ".nv.constant", 12) == 0 && !strchr(name + 12, '.'));
}

static int read_cubin(const void *bytes, size_t size, struct module_variables *variables, struct error *err)
{
	struct elf_file elf;
	int result = -1;
	if (elf_file_open(bytes, size, &elf, err))
		return -1;
	const struct elf_section *table = elf_file_section_of_type(&elf, SHT_SYMTAB);
	const size_t count = table ? elf_symbol_count(table) : 0;
	for (size_t i = 1; i < count; i++) {
		struct elf_symbol symbol;
		if (elf_symbol_read(&elf, table, i, &symbol)) {
			error_set(err, ERROR_INPUT, "cubin symbol %zu: is damaged", i);
			goto done;
		}
		if (symbol.type != STT_OBJECT || !symbol.defined || !symbol.section || !*symbol.name ||
		    !is_variable_section(elf.sections[symbol.section].name))
			continue;
		if (add(variables, symbol.name, strlen(symbol.name), symbol.size, err))
			goto done;
	}
	result = 0;
done:
	elf_file_close(&elf);
	return result;
}

struct scan {
	const char *at, *end;
};

static int is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '.' ||
	       c == '%';
}

/* The next word or single character, past blanks and comments; 0 at the end. A string counts as one. */
static size_t next_token(struct scan *scan, const char **token)
{
	while (scan->at < scan->end) {
		const size_t room = (size_t)(scan->end - scan->at);
		if (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n' || *scan->at == '\0') {
			scan->at++;
		} else if (room > 1 && scan->at[0] == '/' && scan->at[1] == '/') {
			const char *newline = memchr(scan->at, '\n', room);
			scan->at = newline ? newline : scan->end;
		} else if (room > 1 && scan->at[0] == '/' && scan->at[1] == '*') {
			const char *close = memmem(scan->at + 2, room - 2, "*/", 2);
			scan->at = close ? close + 2 : scan->end;
		} else {
			break;
		}
	}
	*token = scan->at;
	if (scan->at == scan->end)
		return 0;
	if (*scan->at == '"') {
		const char *close = memchr(scan->at + 1, '"', (size_t)(scan->end - scan->at) - 1);
		scan->at = close ? close + 1 : scan->end;
	} else if (is_word(*scan->at)) {
		while (scan->at < scan->end && is_word(*scan->at))
			scan->at++;
	} else {
		scan->at++;
	}
	return (size_t)(scan->at - *token);
}

static int is(const char *token, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(token, text, length) == 0;
}

/* ".f32": 4; 0 when it is no type. */
static unsigned type_size(const char *token, size_t length)
{
	static const char letters[] = "busf";
	unsigned bits = 0;
	if (length < 3 || length > 5 || token[0] != '.' || !strchr(letters, token[1]))
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (token[i] < '0' || token[i] > '9')
			return 0;
		bits = bits * 10 + (unsigned)(token[i] - '0');
	}
	return bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128 ? bits / 8 : 0;
}

static unsigned vector_width(const char *token, size_t length)
{
	return is(token, length, ".v2") ? 2 : is(token, length, ".v4") ? 4 : is(token, length, ".v8") ? 8 : 1;
}

/* [64][2] behind the name: the product; an empty one is an array whose values tell its length, which 0 stands for. */
static uint64_t take_dimensions(struct scan *scan)
{
	uint64_t product = 1;
	for (;;) {
		struct scan ahead = *scan;
		const char *token;
		size_t length = next_token(&ahead, &token);
		if (!is(token, length, "["))
			return product;
		length = next_token(&ahead, &token);
		uint64_t extent = 0;
		for (size_t i = 0; i < length && token[i] >= '0' && token[i] <= '9' && extent < UINT32_MAX; i++)
			extent = extent * 10 + (uint64_t)(token[i] - '0');
		if (!is(token, length, "]"))
			next_token(&ahead, &token);
		*scan = ahead;
		if (__builtin_mul_overflow(product, extent, &product))
			return 0;
	}
}

/* .global .align 8 .v2 .f32 name[4], from behind the first word. */
static int take_declaration(struct scan *scan, struct module_variables *variables, struct error *err)
{
	unsigned element = 0, width = 1;
	for (;;) {
		const char *token;
		const size_t length = next_token(scan, &token);
		if (!length || is(token, length, ";") || is(token, length, "{"))
			return 0;
		if (is(token, length, ".align") || is(token, length, ".attribute")) {
			next_token(scan, &token);
		} else if (type_size(token, length)) {
			element = type_size(token, length);
		} else if (token[0] == '.') {
			width = vector_width(token, length) > 1 ? vector_width(token, length) : width;
		} else if (is_word(token[0]) && element) {
			const uint64_t extent = take_dimensions(scan);
			uint64_t size = 0;
			if (__builtin_mul_overflow(extent, (uint64_t)element * width, &size))
				size = 0;
			return add(variables, token, length, size, err);
		}
	}
}

static int read_ptx(const char *text, size_t size, struct module_variables *variables, struct error *err)
{
	struct scan scan = {text, text + size};
	int depth = 0, is_extern = 0;
	const char *token;
	size_t length;
	while ((length = next_token(&scan, &token))) {
		if (is(token, length, "{") || is(token, length, "(")) {
			depth++;
		} else if (is(token, length, "}") || is(token, length, ")")) {
			depth -= depth > 0;
		} else if (is(token, length, ".extern")) {
			is_extern = 1;
		} else if (depth == 0 && (is(token, length, ".global") || is(token, length, ".const"))) {
			if (!is_extern && take_declaration(&scan, variables, err))
				return -1;
			is_extern = 0;
		} else if (is(token, length, ";") || is(token, length, ".func") || is(token, length, ".entry")) {
			is_extern = 0;
		}
	}
	return 0;
}

static int compare_variables(const void *left, const void *right)
{
	return strcmp(((const struct module_variable *)left)->name, ((const struct module_variable *)right)->name);
}

int module_variables_read(const void *bytes, size_t size, int is_ptx, struct module_variables *variables, struct error *err)
{
	*variables = (struct module_variables){0};
	if (is_ptx ? read_ptx(bytes, size, variables, err) : read_cubin(bytes, size, variables, err)) {
		module_variables_free(variables);
		return -1;
	}
	if (variables->count)
		qsort(variables->items, variables->count, sizeof *variables->items, compare_variables);
	return 0;
}

void module_variables_free(struct module_variables *variables)
{
	for (size_t i = 0; i < variables->count; i++)
		free(variables->items[i].name);
	free(variables->items);
	*variables = (struct module_variables){0};
}
