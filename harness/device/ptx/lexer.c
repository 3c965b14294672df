#include "device/ptx/front.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_START = 1, WORD = 2, DIGIT = 4, SPACE = 8, BRACE = 16 /* what skipping a body has to look at */ };

#define LETTERS(flags)                                                                                                                 \
	['a'] = flags, ['b'] = flags, ['c'] = flags, ['d'] = flags, ['e'] = flags, ['f'] = flags, ['g'] = flags, ['h'] = flags,        \
	['i'] = flags, ['j'] = flags, ['k'] = flags, ['l'] = flags, ['m'] = flags, ['n'] = flags, ['o'] = flags, ['p'] = flags,        \
	['q'] = flags, ['r'] = flags, ['s'] = flags, ['t'] = flags, ['u'] = flags, ['v'] = flags, ['w'] = flags, ['x'] = flags,        \
	['y'] = flags, ['z'] = flags, ['A'] = flags, ['B'] = flags, ['C'] = flags, ['D'] = flags, ['E'] = flags, ['F'] = flags,        \
	['G'] = flags, ['H'] = flags, ['I'] = flags, ['J'] = flags, ['K'] = flags, ['L'] = flags, ['M'] = flags, ['N'] = flags,        \
	['O'] = flags, ['P'] = flags, ['Q'] = flags, ['R'] = flags, ['S'] = flags, ['T'] = flags, ['U'] = flags, ['V'] = flags,        \
	['W'] = flags, ['X'] = flags, ['Y'] = flags, ['Z'] = flags
#define DIGITS(flags)                                                                                                                  \
	['0'] = flags, ['1'] = flags, ['2'] = flags, ['3'] = flags, ['4'] = flags, ['5'] = flags, ['6'] = flags, ['7'] = flags,        \
	['8'] = flags, ['9'] = flags

static const unsigned char classes[256] = {
	LETTERS(WORD_START | WORD),
	DIGITS(WORD | DIGIT),
	['_'] = WORD_START | WORD,
	['$'] = WORD_START | WORD,
	['%'] = WORD_START, /* when a word character follows */
	[' '] = SPACE,
	['\t'] = SPACE,
	['\r'] = SPACE,
	['\f'] = SPACE,
	['\v'] = SPACE,
	['\n'] = SPACE | BRACE,
	['{'] = BRACE,
	['}'] = BRACE,
	['"'] = BRACE,
	['/'] = BRACE,
	['\0'] = BRACE,
};

static int class_of(char c)
{
	return classes[(unsigned char)c];
}

void ptx_lexer_start(struct ptx_lexer *lexer, const char *begin, const char *end, const char *line_start, uint32_t line)
{
	*lexer = (struct ptx_lexer){.at = begin, .end = end, .line_start = line_start, .line = line};
	ptx_lexer_next(lexer);
}

static void new_line(struct ptx_lexer *lexer, const char *after)
{
	lexer->line++;
	lexer->line_start = after;
}

/* Behind the comment that starts at lexer->at, or NULL where it does not end. */
static const char *after_comment(struct ptx_lexer *lexer)
{
	const char *at = lexer->at + 2;
	if (lexer->at[1] == '/') {
		const char *newline = memchr(at, '\n', (size_t)(lexer->end - at));
		return newline ? newline : lexer->end;
	}
	for (; at < lexer->end; at++) {
		if (*at == '\n')
			new_line(lexer, at + 1);
		else if (*at == '*' && at + 1 < lexer->end && at[1] == '/')
			return at + 2;
	}
	return NULL;
}

static struct ptx_position here(const struct ptx_lexer *lexer)
{
	return (struct ptx_position){lexer->line, (uint32_t)(lexer->at - lexer->line_start) + 1};
}

static void bad(struct ptx_lexer *lexer, const char *fault)
{
	lexer->token.kind = PTX_TOKEN_BAD;
	lexer->token.fault = fault;
	lexer->token.length = 1;
	lexer->at = lexer->end; /* nothing sensible can follow */
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* `digits` hexadecimal digits exactly: 0f and 0d constants. */
static int hexadecimal(struct ptx_lexer *lexer, const char *at, int digits, uint64_t *value)
{
	*value = 0;
	for (int i = 0; i < digits; i++, at++) {
		if (at >= lexer->end || digit_value(*at) > 15)
			return -1;
		*value = *value << 4 | (uint64_t)digit_value(*at);
	}
	if (at < lexer->end && (class_of(*at) & WORD))
		return -1;
	lexer->at = at;
	return 0;
}

static void number(struct ptx_lexer *lexer)
{
	struct ptx_token *token = &lexer->token;
	const char *at = lexer->at, *end = lexer->end;
	const char second = at + 1 < end ? at[1] : '\0';
	if (*at == '0' && (second == 'f' || second == 'F' || second == 'd' || second == 'D')) {
		token->kind = PTX_TOKEN_FLOAT;
		token->single = second == 'f' || second == 'F';
		if (hexadecimal(lexer, at + 2, token->single ? 8 : 16, &token->integer)) {
			bad(lexer, token->single ? "0f must be followed by 8 hexadecimal digits" : "0d must be followed by 16 hexadecimal digits");
			return;
		}
		if (token->single) {
			const uint32_t bits = (uint32_t)token->integer;
			float value;
			memcpy(&value, &bits, 4);
			token->real = value;
		} else {
			memcpy(&token->real, &token->integer, 8);
		}
		return;
	}
	uint64_t base = 10;
	if (*at == '0' && (second == 'x' || second == 'X'))
		base = 16;
	else if (*at == '0' && (second == 'b' || second == 'B'))
		base = 2;
	const char *start = base == 10 ? at : at + 2;
	/* a decimal point or an exponent makes it a decimal floating-point constant */
	if (base == 10) {
		const char *after = at;
		while (after < end && (class_of(*after) & DIGIT))
			after++;
		const int point = after < end && *after == '.' && (after + 1 >= end || !(class_of(after[1]) & WORD_START));
		if (point || (after < end && (*after == 'e' || *after == 'E'))) {
			char copy[64];
			size_t length = 0;
			int digits_seen = 0;
			for (after = at; after < end && length < sizeof copy - 1; after++) {
				const char c = *after;
				const int sign = (c == '+' || c == '-') && length && (copy[length - 1] == 'e' || copy[length - 1] == 'E');
				if (!(class_of(c) & DIGIT) && c != '.' && c != 'e' && c != 'E' && !sign)
					break;
				digits_seen |= class_of(c) & DIGIT;
				copy[length++] = c;
			}
			copy[length] = '\0';
			char *stop;
			token->kind = PTX_TOKEN_FLOAT;
			token->real = strtod(copy, &stop);
			if (!digits_seen || *stop || (after < end && (class_of(*after) & WORD))) {
				bad(lexer, "malformed floating-point constant");
				return;
			}
			lexer->at = after;
			return;
		}
		if (*at == '0' && after > at + 1)
			base = 8;
	}
	token->kind = PTX_TOKEN_INTEGER;
	uint64_t value = 0;
	int overflow = 0;
	for (at = start; at < end && digit_value(*at) < (int)(base < 10 ? 10 : base); at++) {
		if ((uint64_t)digit_value(*at) >= base) {
			bad(lexer, base == 8 ? "octal constant with a digit above 7" : "binary constant with a digit above 1");
			return;
		}
		overflow |= __builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, (uint64_t)digit_value(*at), &value);
	}
	if (at == start) {
		bad(lexer, "constant without digits");
		return;
	}
	if (overflow) {
		bad(lexer, "integer constant above 2^64 - 1");
		return;
	}
	if (at < end && *at == 'U') {
		token->is_unsigned = 1;
		at++;
	}
	if (at < end && (class_of(*at) & WORD)) {
		bad(lexer, "malformed constant");
		return;
	}
	token->is_unsigned |= value > INT64_MAX;
	token->integer = value;
	lexer->at = at;
}

static void string(struct ptx_lexer *lexer)
{
	const char *at = lexer->at + 1;
	for (; at < lexer->end && *at != '"' && *at != '\n'; at++)
		if (*at == '\\' && at + 1 < lexer->end && at[1] != '\n')
			at++;
	if (at >= lexer->end || *at != '"') {
		bad(lexer, "string without closing quote");
		return;
	}
	lexer->token.kind = PTX_TOKEN_STRING;
	lexer->token.text = lexer->at + 1;
	lexer->token.length = (uint32_t)(at - lexer->at - 1);
	lexer->at = at + 1;
}

static void dotted(struct ptx_lexer *lexer)
{
	const char *at = lexer->at + 1, *end = lexer->end;
	while (at < end && (class_of(*at) & WORD)) {
		at++;
		if (at + 2 < end && at[0] == ':' && at[1] == ':' && (class_of(at[2]) & WORD))
			at += 2;
	}
	if (at == lexer->at + 1) {
		bad(lexer, "a dot without a word");
		return;
	}
	lexer->token.kind = PTX_TOKEN_DOT;
	lexer->token.text = lexer->at + 1;
	lexer->token.length = (uint32_t)(at - lexer->at - 1);
	lexer->at = at;
}

static void mark(struct ptx_lexer *lexer)
{
	static const char pairs[][3] = {"<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "@@"};
	const char *at = lexer->at;
	lexer->token.kind = PTX_TOKEN_MARK;
	lexer->token.length = 1;
	lexer->token.mark = (unsigned char)*at;
	if (at + 1 < lexer->end)
		for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
			if (at[0] == pairs[i][0] && at[1] == pairs[i][1]) {
				lexer->token.mark = at[0] << 8 | at[1];
				lexer->token.length = 2;
			}
	if (!strchr("(){}[],;:+-*/%&|^~!<>=?@", *at)) {
		bad(lexer, "a character that PTX does not use here");
		return;
	}
	lexer->at += lexer->token.length;
}

void ptx_lexer_next(struct ptx_lexer *lexer)
{
	const char *before = lexer->at;
	struct ptx_token *token = &lexer->token;
	*token = (struct ptx_token){.kind = PTX_TOKEN_END};
	for (;;) {
		while (lexer->at < lexer->end && (class_of(*lexer->at) & SPACE)) {
			lexer->at++;
			if (lexer->at[-1] == '\n')
				new_line(lexer, lexer->at);
		}
		if (lexer->at + 1 < lexer->end && lexer->at[0] == '/' && (lexer->at[1] == '/' || lexer->at[1] == '*')) {
			token->position = here(lexer);
			token->text = lexer->at;
			const char *after = after_comment(lexer);
			if (!after) {
				bad(lexer, "comment that does not end");
				return;
			}
			lexer->at = after;
			continue;
		}
		if (lexer->at < lexer->end && *lexer->at == '#' && lexer->at == lexer->line_start) { /* a preprocessor's line marker */
			const char *newline = memchr(lexer->at, '\n', (size_t)(lexer->end - lexer->at));
			lexer->at = newline ? newline : lexer->end;
			continue;
		}
		break;
	}
	token->position = here(lexer);
	token->text = lexer->at;
	token->glued = lexer->at == before;
	if (lexer->at >= lexer->end)
		return;
	const char c = *lexer->at;
	const int class = class_of(c);
	if ((class & WORD_START) && (c != '%' || (lexer->at + 1 < lexer->end && (class_of(lexer->at[1]) & WORD)))) {
		const char *at = lexer->at + 1;
		while (at < lexer->end && (class_of(*at) & WORD))
			at++;
		token->kind = PTX_TOKEN_WORD;
		token->length = (uint32_t)(at - lexer->at);
		lexer->at = at;
	} else if (class & DIGIT) {
		number(lexer);
		if (token->kind != PTX_TOKEN_BAD)
			token->length = (uint32_t)(lexer->at - token->text);
	} else if (c == '.') {
		dotted(lexer);
	} else if (c == '"') {
		string(lexer);
	} else {
		mark(lexer);
	}
}

int ptx_lexer_skip_braces(struct ptx_lexer *lexer, struct error *err)
{
	const struct ptx_position opened = lexer->token.position;
	const char *at = lexer->at, *end = lexer->end;
	for (size_t depth = 1;;) {
		while (at < end && !(class_of(*at) & BRACE))
			at++;
		if (at >= end)
			return ptx_fault_at(opened, ERROR_INPUT, err, "the brace opened here is not closed");
		const char c = *at;
		lexer->at = at;
		if (c == '\n') {
			new_line(lexer, at + 1);
		} else if (c == '{') {
			depth++;
		} else if (c == '}') {
			if (--depth == 0)
				break;
		} else if (c == '/' && at + 1 < end && (at[1] == '/' || at[1] == '*')) {
			const struct ptx_position start = here(lexer);
			at = after_comment(lexer);
			if (!at)
				return ptx_fault_at(start, ERROR_INPUT, err, "comment that does not end");
			continue;
		} else if (c == '"') {
			const struct ptx_position start = here(lexer);
			string(lexer);
			if (lexer->token.kind == PTX_TOKEN_BAD)
				return ptx_fault_at(start, ERROR_INPUT, err, "%s", lexer->token.fault);
			at = lexer->at;
			continue;
		}
		at++;
	}
	lexer->at = at + 1;
	ptx_lexer_next(lexer);
	return 0;
}

int ptx_token_is(const struct ptx_token *token, const char *word)
{
	return (token->kind == PTX_TOKEN_WORD || token->kind == PTX_TOKEN_DOT) && strlen(word) == token->length &&
	       memcmp(token->text, word, token->length) == 0;
}

int ptx_fault_at(struct ptx_position position, enum error_kind kind, struct error *err, const char *format, ...)
{
	char text[768];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return error_set(err, kind, "PTX line %u, column %u: %s", position.line, position.column, text);
}

int ptx_expected(const struct ptx_lexer *lexer, const char *what, struct error *err)
{
	const struct ptx_token *token = &lexer->token;
	if (token->kind == PTX_TOKEN_BAD)
		return ptx_fault_at(token->position, ERROR_INPUT, err, "%s (expected %s)", token->fault, what);
	if (token->kind == PTX_TOKEN_END)
		return ptx_fault_at(token->position, ERROR_INPUT, err, "expected %s, found the end of the text", what);
	const int length = token->length > 60 ? 60 : (int)token->length;
	return ptx_fault_at(token->position, ERROR_INPUT, err, "expected %s, found '%s%.*s%s'", what, token->kind == PTX_TOKEN_DOT ? "." : "",
			    length, token->text, token->length > 60 ? "..." : "");
}

int ptx_take_mark(struct ptx_lexer *lexer, int mark_wanted, struct error *err)
{
	if (!ptx_is_mark(lexer, mark_wanted)) {
		const char what[4] = {'\'', (char)mark_wanted, '\'', '\0'};
		return ptx_expected(lexer, what, err);
	}
	ptx_lexer_next(lexer);
	return 0;
}

int ptx_take_u32(struct ptx_lexer *lexer, const char *what, uint32_t *value, struct error *err)
{
	if (lexer->token.kind != PTX_TOKEN_INTEGER || lexer->token.integer > UINT32_MAX)
		return ptx_expected(lexer, what, err);
	*value = (uint32_t)lexer->token.integer;
	ptx_lexer_next(lexer);
	return 0;
}
