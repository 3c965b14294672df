#include "statement.h"

#include <string.h>

int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

int is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '%';
}

static struct span trimmed(const char *from, const char *to)
{
	while (from < to && is_blank(*from))
		from++;
	while (from < to && is_blank(to[-1]))
		to--;
	return (struct span){from, (size_t)(to - from)};
}

int equals(struct span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

int same(struct span a, struct span b)
{
	return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

/* Returns 1 where the line is one instruction that can be read. */
int read_statement(const char *text, const char *end, struct statement *s)
{
	*s = (struct statement){.line = trimmed(text, end)};
	const char *at = s->line.text, *stop = at + s->line.length;
	const char *semicolon = memchr(at, ';', (size_t)(stop - at)), *comment = memmem(at, (size_t)(stop - at), "//", 2);
	if (!semicolon || (comment && comment < semicolon))
		return 0;
	for (const char *c = semicolon + 1; c < (comment ? comment : stop); c++)
		if (*c == ';')
			return 0;
	s->before.text = at;
	while (at < semicolon && (is_blank(*at) || *at == '{'))
		at++;
	s->before.length = (size_t)(at - s->before.text);
	if (*at == '@') {
		const char *start = at++;
		while (at < semicolon && (is_word(*at) || *at == '!'))
			at++;
		s->predicate = (struct span){start, (size_t)(at - start)};
		while (at < semicolon && is_blank(*at))
			at++;
	}
	while (at < semicolon && is_word(*at)) {
		const char *start = at;
		while (at < semicolon && (is_word(*at) || *at == ':'))
			at++;
		if (s->part_count == PARTS_MAX)
			return 0;
		s->parts[s->part_count++] = (struct span){start, (size_t)(at - start)};
		if (at == semicolon || *at != '.')
			break;
		at++;
	}
	if (!s->part_count || (at < semicolon && !is_blank(*at)) || (s->parts[0].text[0] < 'a' || s->parts[0].text[0] > 'z'))
		return 0;
	int depth = 0;
	const char *start = at;
	for (;; at++) {
		if (at == semicolon || (*at == ',' && !depth)) {
			const struct span operand = trimmed(start, at);
			if (operand.length) {
				if (s->operand_count == OPERANDS_MAX)
					return 0;
				s->operands[s->operand_count++] = operand;
			}
			start = at + 1;
			if (at == semicolon)
				break;
		} else if (*at == '[' || *at == '{' || *at == '(') {
			depth++;
		} else if (*at == ']' || *at == '}' || *at == ')') {
			depth--;
		}
	}
	s->behind = trimmed(semicolon, stop);
	return depth == 0;
}

int has_part(const struct statement *s, const char *part)
{
	for (int i = 1; i < s->part_count; i++)
		if (equals(s->parts[i], part))
			return i;
	return 0;
}

int is_op(const struct statement *s, const char *name)
{
	return equals(s->parts[0], name);
}

int is_op_of(const struct statement *s, const char *const *names)
{
	while (*names && !is_op(s, *names))
		names++;
	return *names != NULL;
}

int is_register(struct span operand)
{
	return operand.length > 2 && operand.text[0] == '%' && operand.text[1] >= 'a' && operand.text[1] <= 'z' &&
	       operand.text[operand.length - 1] >= '0' && operand.text[operand.length - 1] <= '9' &&
	       !memchr(operand.text, '.', operand.length) && !memchr(operand.text, '|', operand.length);
}

/* "%rd" of "%rd12". */
struct span register_class(struct span reg)
{
	size_t length = 1;
	while (length < reg.length && reg.text[length] >= 'a' && reg.text[length] <= 'z')
		length++;
	return (struct span){reg.text, length};
}

/* First operand that is read; those before it are written. */
int first_source(const struct statement *s)
{
	static const char *const none[] = {"st", "red", "bra", "bar", "barrier", "ret", "exit", "membar", "fence", "trap",
					   "prefetch", "call", "brkpt", "nanosleep", NULL};
	return is_op_of(s, none) ? 0 : 1;
}

int is_floating(const struct statement *s)
{
	static const char *const types[] = {"f16", "f16x2", "bf16", "bf16x2", "f32", "f64", "f32x2", NULL};
	for (const char *const *type = types; *type; type++)
		if (has_part(s, *type))
			return 1;
	return 0;
}
