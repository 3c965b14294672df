#include "artifact/ptx.h"

#include "core/util.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct token {
	const char *text;
	size_t length; /* 0 at the end */
};

struct scanner {
	const char *at, *end;
	int line;
	struct ptx *ptx;
	struct error *err;
	int entry_capacity;
};

static int is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '.' ||
	       c == '%' || c == '@' || c == '-';
}

/* nvcc says in a comment which release it is. */
static void note_comment(struct scanner *in, const char *start, const char *end)
{
	static const char mark[] = "Cuda compilation tools, release ";
	const char *at = in->ptx->toolkit[0] ? NULL : memmem(start, (size_t)(end - start), mark, sizeof mark - 1);
	if (!at)
		return;
	at += sizeof mark - 1;
	size_t length = 0;
	while (at + length < end && length < sizeof in->ptx->toolkit - 1 && at[length] >= ' ')
		length++;
	memcpy(in->ptx->toolkit, at, length);
	in->ptx->toolkit[length] = '\0';
}

static void skip_blanks(struct scanner *in)
{
	while (in->at < in->end) {
		const size_t room = (size_t)(in->end - in->at);
		if (*in->at == '\n') {
			in->line++;
			in->at++;
		} else if (*in->at == ' ' || *in->at == '\t' || *in->at == '\r' || *in->at == '\0') {
			in->at++;
		} else if (room >= 2 && in->at[0] == '/' && in->at[1] == '/') {
			const char *newline = memchr(in->at, '\n', room);
			const char *stop = newline ? newline : in->end;
			note_comment(in, in->at, stop);
			in->at = stop;
		} else if (room >= 2 && in->at[0] == '/' && in->at[1] == '*') {
			const char *close = memmem(in->at + 2, room - 2, "*/", 2);
			for (const char *c = in->at; c < (close ? close : in->end); c++)
				in->line += *c == '\n';
			in->at = close ? close + 2 : in->end;
		} else {
			return;
		}
	}
}

/* A word (directives and numbers included), a string with its quotes, or one character of punctuation. */
static struct token next_token(struct scanner *in)
{
	skip_blanks(in);
	struct token token = {.text = in->at};
	if (in->at == in->end)
		return token;
	if (*in->at == '"') {
		for (in->at++; in->at < in->end && *in->at != '"'; in->at++) {
			in->line += *in->at == '\n';
			if (*in->at == '\\' && in->at + 1 < in->end)
				in->at++;
		}
		if (in->at < in->end)
			in->at++;
	} else if (is_word(*in->at)) {
		while (in->at < in->end && is_word(*in->at))
			in->at++;
	} else {
		in->at++;
	}
	token.length = (size_t)(in->at - token.text);
	return token;
}

static struct token peek_token(struct scanner *in)
{
	const char *at = in->at;
	const int line = in->line;
	const struct token token = next_token(in);
	in->at = at;
	in->line = line;
	return token;
}

static int is(struct token token, const char *word)
{
	return token.length == strlen(word) && memcmp(token.text, word, token.length) == 0;
}

/* Whether `word` stands at `at` and ends there: what follows may be a further modifier. */
static int starts_with(const struct scanner *in, const char *word, size_t length)
{
	return (size_t)(in->end - in->at) > length && memcmp(in->at, word, length) == 0 &&
	       (in->at[length] == '.' || !is_word(in->at[length]));
}

/* What is counted of the bodies: an instruction has either modifier once at most. */
struct modifiers {
	unsigned ftz, approx, ftz_exact, f32_approx, f32_precise;
	int has_half;
};

/* The instruction that the modifier at `in->at` belongs to, from `start` on. */
static struct token instruction_at(const struct scanner *in, const char *start)
{
	const char *first = in->at, *last = in->at;
	while (first > start && is_word(first[-1]))
		first--;
	while (last < in->end && is_word(*last))
		last++;
	return (struct token){first, (size_t)(last - first)};
}

static int has_modifier(struct token instruction, const char *modifier)
{
	return memmem(instruction.text, instruction.length, modifier, strlen(modifier)) != NULL;
}

/* Arithmetic that a build with fast math gives .ftz or replaces by an approximation. */
static int is_arithmetic(struct token instruction)
{
	static const char *const names[] = {"add.", "sub.", "mul.", "fma.", "div.", "rcp.", "sqrt.", "min.", "max.", "setp."};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		const size_t length = strlen(names[i]);
		if (instruction.length > length && memcmp(instruction.text, names[i], length) == 0)
			return 1;
	}
	return 0;
}

static void count_modifier(struct scanner *in, const char *start, struct modifiers *counts)
{
	switch ((size_t)(in->end - in->at) > 1 ? in->at[1] : 0) {
	case 'f':
		if (starts_with(in, ".ftz", 4)) {
			counts->ftz++;
			counts->ftz_exact += !has_modifier(instruction_at(in, start), ".approx");
		} else if (starts_with(in, ".f32", 4)) {
			const struct token instruction = instruction_at(in, start);
			counts->f32_precise += is_arithmetic(instruction) && !has_modifier(instruction, ".ftz") &&
					       !has_modifier(instruction, ".approx");
		} else if (starts_with(in, ".f16", 4) || starts_with(in, ".f16x2", 6)) {
			counts->has_half = 1;
		}
		break;
	case 'a':
		if (starts_with(in, ".approx", 7)) {
			counts->approx++;
			counts->f32_approx += has_modifier(instruction_at(in, start), ".f32");
		}
		break;
	case 'b':
		counts->has_half |= starts_with(in, ".bf16", 5) || starts_with(in, ".bf16x2", 7);
		break;
	case 'l':
		in->ptx->line_info |= starts_with(in, ".loc", 4);
		break;
	}
}

/* From behind a '{' to behind its '}'. Bodies make up nearly all of a module, so this looks only at what can matter. */
static int skip_braces(struct scanner *in, struct modifiers *counts)
{
	const char *const start = in->at;
	for (int depth = 1; in->at < in->end;) {
		const char c = *in->at;
		if (c == '.') {
			count_modifier(in, start, counts);
		} else if (c == '{') {
			depth++;
		} else if (c == '}') {
			if (--depth == 0) {
				in->at++;
				in->ptx->ftz += counts->ftz;
				in->ptx->approx += counts->approx;
				return 0;
			}
		} else if (c == '\n') {
			in->line++;
		} else if (c == '"' || c == '/') {
			const char *before = in->at;
			if (c == '"')
				next_token(in);
			else
				skip_blanks(in);
			if (in->at != before)
				continue;
		}
		in->at++;
	}
	return error_set(in->err, ERROR_INPUT, "PTX line %d: ends inside a body; the text is cut off", in->line);
}

static int number(struct token token, unsigned *value)
{
	uint64_t sum = 0;
	if (!token.length || token.length > 10)
		return -1;
	for (size_t i = 0; i < token.length; i++) {
		if (token.text[i] < '0' || token.text[i] > '9')
			return -1;
		sum = sum * 10 + (uint64_t)(token.text[i] - '0');
	}
	if (sum > INT32_MAX)
		return -1;
	*value = (unsigned)sum;
	return 0;
}

static int read_version(struct scanner *in)
{
	const struct token token = next_token(in);
	const char *dot = memchr(token.text, '.', token.length);
	if (dot) {
		const struct token major = {token.text, (size_t)(dot - token.text)};
		const struct token minor = {dot + 1, token.length - major.length - 1};
		if (!number(major, &in->ptx->version_major) && !number(minor, &in->ptx->version_minor))
			return 0;
	}
	return error_set(in->err, ERROR_INPUT, "PTX line %d: .version is followed by '%.*s', not by a number such as 8.4", in->line,
			 (int)(token.length < 32 ? token.length : 32), token.text);
}

static int read_target(struct scanner *in)
{
	const struct token token = next_token(in);
	size_t digits = 0;
	const int has_prefix = token.length > 3 && memcmp(token.text, "sm_", 3) == 0;
	while (has_prefix && 3 + digits < token.length && token.text[3 + digits] >= '0' && token.text[3 + digits] <= '9')
		digits++;
	const struct token arch = {token.text + 3, digits};
	if (!has_prefix || digits > 4 || number(arch, &in->ptx->arch) || token.length - 3 - digits > 1)
		return error_set(in->err, ERROR_INPUT, "PTX line %d: .target is followed by '%.*s', not by sm_NN", in->line,
				 (int)(token.length < 32 ? token.length : 32), token.text);
	in->ptx->suffix = 3 + digits < token.length ? token.text[3 + digits] : 0;
	while (is(peek_token(in), ",")) {
		next_token(in);
		in->ptx->debug |= is(next_token(in), "debug");
	}
	return 0;
}

static unsigned type_size(struct token type)
{
	static const struct {
		const char *name;
		unsigned size;
	} types[] = {{".u8", 1},    {".s8", 1},   {".b8", 1},   {".u16", 2},  {".s16", 2},   {".b16", 2},    {".f16", 2},
		     {".bf16", 2},  {".u32", 4},  {".s32", 4},  {".b32", 4},  {".f32", 4},   {".f16x2", 4},  {".bf16x2", 4},
		     {".u64", 8},   {".s64", 8},  {".b64", 8},  {".f64", 8},  {".b128", 16}, {".texref", 8}, {".samplerref", 8},
		     {".surfref", 8}, {".pred", 1}};
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		if (is(type, types[i].name))
			return types[i].size;
	return 0;
}

/* One declaration behind ".param", up to the ',' or ')' that ends it, which stays. */
static int read_parameter(struct scanner *in, struct ptx_entry *entry, int *capacity)
{
	struct ptx_parameter parameter = {0};
	unsigned element = 0, elements = 1, own_align = 0;
	for (;;) {
		const struct token token = peek_token(in);
		if (!token.length || is(token, "{") || is(token, "}"))
			return error_set(in->err, ERROR_INPUT, "PTX line %d: ends inside the parameters of %s", in->line, entry->name);
		if (is(token, ",") || is(token, ")"))
			break;
		next_token(in);
		if (is(token, ".align")) {
			if (number(next_token(in), &own_align))
				return error_set(in->err, ERROR_INPUT, "PTX line %d: .align without a number", in->line);
		} else if (is(token, ".ptr")) {
			/* ".ptr .global .align 16": says where the pointer leads, not how the parameter lies */
			while (peek_token(in).length && peek_token(in).text[0] == '.') {
				if (is(next_token(in), ".align"))
					next_token(in);
			}
		} else if (is(token, "[")) {
			if (number(next_token(in), &elements))
				return error_set(in->err, ERROR_INPUT, "PTX line %d: an array without a size", in->line);
			next_token(in);
		} else if (!element && (element = type_size(token))) {
			memcpy(parameter.type, token.text, token.length < sizeof parameter.type ? token.length : sizeof parameter.type - 1);
		}
	}
	if (!element)
		return error_set(in->err, ERROR_INPUT, "PTX line %d: a parameter of %s has no type that is known", in->line,
				 entry->name);
	parameter.align = own_align ? own_align : element;
	uint64_t offset = entry->parameter_bytes;
	offset += (parameter.align - offset % parameter.align) % parameter.align;
	const uint64_t size = (uint64_t)element * elements;
	if (offset + size > INT32_MAX)
		return error_set(in->err, ERROR_INPUT, "PTX line %d: the parameters of %s take %llu bytes", in->line, entry->name,
				 (unsigned long long)(offset + size));
	parameter.offset = (unsigned)offset;
	parameter.size = (unsigned)size;
	entry->parameter_bytes = (unsigned)(offset + size);
	if (entry->parameter_count == *capacity) {
		*capacity = *capacity ? *capacity * 2 : 8;
		struct ptx_parameter *more = realloc(entry->parameters, (size_t)*capacity * sizeof *more);
		if (!more)
			return error_set(in->err, ERROR_ENVIRONMENT, "out of memory");
		entry->parameters = more;
	}
	entry->parameters[entry->parameter_count++] = parameter;
	return 0;
}

static void read_threads(struct scanner *in, unsigned threads[3])
{
	for (int i = 0; i < 3; i++)
		threads[i] = 1;
	for (int i = 0; i < 3; i++) {
		if (number(next_token(in), &threads[i]) || !is(peek_token(in), ","))
			return;
		next_token(in);
	}
}

static int read_entry(struct scanner *in)
{
	struct ptx *ptx = in->ptx;
	const struct token name = next_token(in);
	if (!name.length || !is_word(name.text[0]))
		return error_set(in->err, ERROR_INPUT, "PTX line %d: .entry without a name", in->line);
	if (ptx->entry_count == in->entry_capacity) {
		in->entry_capacity = in->entry_capacity ? in->entry_capacity * 2 : 16;
		struct ptx_entry *entries = realloc(ptx->entries, (size_t)in->entry_capacity * sizeof *entries);
		if (!entries)
			return error_set(in->err, ERROR_ENVIRONMENT, "out of memory");
		ptx->entries = entries;
	}
	struct ptx_entry *entry = &ptx->entries[ptx->entry_count];
	*entry = (struct ptx_entry){.name = copy_text(name.text, name.length)};
	if (!entry->name)
		return error_set(in->err, ERROR_ENVIRONMENT, "out of memory");
	ptx->entry_count++;
	int capacity = 0;
	for (;;) {
		const struct token token = next_token(in);
		if (!token.length)
			return error_set(in->err, ERROR_INPUT, "PTX line %d: ends inside the entry %s; the text is cut off", in->line,
					 entry->name);
		if (is(token, "{")) {
			struct modifiers counts = {0};
			if (skip_braces(in, &counts))
				return -1;
			entry->ftz = counts.ftz;
			entry->approx = counts.approx;
			entry->ftz_exact = counts.ftz_exact;
			entry->f32_approx = counts.f32_approx;
			entry->f32_precise = counts.f32_precise;
			entry->has_half = counts.has_half;
			entry->text_size = (size_t)(in->at - name.text);
			return 0;
		}
		if (is(token, ";")) /* a declaration without a body */
			return 0;
		if (is(token, ".param") && read_parameter(in, entry, &capacity))
			return -1;
		if (is(token, ".maxntid"))
			read_threads(in, entry->max_threads);
		else if (is(token, ".reqntid"))
			read_threads(in, entry->required_threads);
		else if (is(token, ".maxnreg"))
			number(next_token(in), &entry->max_registers);
		else if (is(token, ".minnctapersm"))
			number(next_token(in), &entry->min_blocks);
		else if (is(token, ".reqnctapercluster"))
			read_threads(in, entry->cluster);
		else if (is(token, ".explicitcluster"))
			entry->explicit_cluster = 1;
		else if (is(token, ".maxclusterrank"))
			number(next_token(in), &entry->max_cluster_rank);
	}
}

/* ".extern .func (result) name (...);". What the driver itself provides needs no linking: vprintf, malloc, free,
 * __assertfail (CUDA's PTX interoperability guide, "System Calls"), and the device runtime cuda*. */
static int read_extern(struct scanner *in)
{
	static const char *const provided[] = {"vprintf", "malloc", "free", "__assertfail", "__nv_static_assertfail"};
	int is_function = 0;
	struct token name = {0};
	for (;;) {
		const struct token token = peek_token(in);
		if (!token.length || is(token, ";") || is(token, "{"))
			break;
		next_token(in);
		if (is(token, ".func"))
			is_function = 1;
		else if (is(token, "(")) {
			for (struct token inner = token; inner.length && !is(inner, ")");)
				inner = next_token(in);
			if (name.length)
				break;
		} else if (is_function && !name.length && token.text[0] != '.' && is_word(token.text[0])) {
			name = token;
		}
	}
	if (!is_function || !name.length || in->ptx->unresolved)
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(provided); i++)
		if (is(name, provided[i]))
			return 0;
	in->ptx->unresolved = copy_text(name.text, name.length);
	return in->ptx->unresolved ? 0 : error_set(in->err, ERROR_ENVIRONMENT, "out of memory");
}

int ptx_parse(const char *text, size_t size, struct ptx *ptx, struct error *err)
{
	struct scanner in = {.at = text, .end = text + size, .line = 1, .ptx = ptx, .err = err};
	struct modifiers counts = {0};
	int failed = 0, is_function = 0;
	*ptx = (struct ptx){0};
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		in.at += 3;
	while (!failed) {
		const struct token token = next_token(&in);
		if (!token.length)
			break;
		if (is(token, ".version"))
			failed = read_version(&in);
		else if (!ptx->version_major)
			failed = error_set(err, ERROR_INPUT, "PTX line %d: has '%.*s' where .version has to come first", in.line,
					   (int)(token.length < 32 ? token.length : 32), token.text);
		else if (is(token, ".target"))
			failed = read_target(&in);
		else if (is(token, ".address_size"))
			number(next_token(&in), &ptx->address_size);
		else if (is(token, ".entry"))
			failed = read_entry(&in);
		else if (is(token, ".extern"))
			failed = read_extern(&in);
		else if (is(token, ".func"))
			is_function = 1;
		else if (is(token, ";"))
			is_function = 0;
		else if (is(token, "{")) {
			ptx->functions += (unsigned)is_function;
			is_function = 0;
			counts = (struct modifiers){0};
			failed = skip_braces(&in, &counts);
		}
	}
	if (!failed && (!ptx->version_major || !ptx->arch))
		failed = error_set(err, ERROR_INPUT, "is no PTX module: it has no %s", ptx->version_major ? ".target" : ".version");
	if (failed)
		ptx_free(ptx);
	return failed ? -1 : 0;
}

void ptx_free(struct ptx *ptx)
{
	for (int i = 0; i < ptx->entry_count; i++) {
		free(ptx->entries[i].name);
		free(ptx->entries[i].parameters);
	}
	free(ptx->entries);
	free(ptx->unresolved);
	*ptx = (struct ptx){0};
}

int ptx_entry_is_fast(const struct ptx_entry *entry)
{
	return entry->ftz_exact > 0 || (entry->f32_approx > 0 && entry->f32_precise == 0 && !entry->has_half);
}

int ptx_is_fast(const struct ptx *ptx)
{
	for (int i = 0; i < ptx->entry_count; i++)
		if (ptx_entry_is_fast(&ptx->entries[i]))
			return 1;
	return 0;
}
