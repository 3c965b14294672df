/* The PTX text of a module. */
#include "suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text { char *bytes; size_t length, room; int failed; };

static __attribute__((format(printf, 2, 3))) void put(struct text *text, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	const int needed = vsnprintf(NULL, 0, format, list);
	va_end(list);
	if (needed < 0 || text->failed)
		return;
	if (text->length + (size_t)needed + 1 > text->room) {
		const size_t room = (text->length + (size_t)needed + 1) * 2;
		char *grown = realloc(text->bytes, room);
		if (!grown) {
			text->failed = 1;
			return;
		}
		text->bytes = grown;
		text->room = room;
	}
	va_start(list, format);
	vsnprintf(text->bytes + text->length, text->room - text->length, format, list);
	va_end(list);
	text->length += (size_t)needed;
}

static void declare(struct text *text, char name, const struct operand *operand)
{
	if (operand->count == 1)
		put(text, "\t.reg %s %%%c;\n", operand->type->reg, name);
	else
		put(text, "\t.reg %s %%%c<%d>;\n", operand->type->reg, name, operand->count);
}

/* Loads or stores of `count` elements, in vectors of at most 16 bytes. */
static void move(struct text *text, const char *operation, char name, const struct operand *operand, int is_store)
{
	const struct type *type = operand->type;
	if (operand->count == 1) {
		if (is_store)
			put(text, "\t%s.global.%s [%%l%c], %%%c;\n", operation, type->memory, name, name);
		else
			put(text, "\t%s.global.%s %%%c, [%%l%c];\n", operation, type->memory, name, name);
		return;
	}
	for (int i = 0; i < operand->count; i++) {
		if (is_store)
			put(text, "\t%s.global.%s [%%l%c+%d], %%%c%d;\n", operation, type->memory, name, i * type->bytes, name, i);
		else
			put(text, "\t%s.global.%s %%%c%d, [%%l%c+%d];\n", operation, type->memory, name, i, name, i * type->bytes);
	}
}

static void kernel(struct text *text, const struct check *check)
{
	put(text, "// %s\n.visible .entry %s(.param .u64 pa, .param .u64 pb, .param .u64 pc, .param .u64 pd)\n{\n", check->label, check->kernel);
	put(text, "\t.reg .pred %%p, %%q, %%r;\n\t.reg .b16 %%hx, %%hy;\n\t.reg .b32 %%i, %%t, %%x, %%y, %%z, %%w;\n\t.reg .f32 %%fx, %%fy;\n"
		  "\t.reg .f64 %%gx;\n\t.reg .b64 %%la, %%lb, %%lc, %%ld, %%wa, %%wb, %%wc, %%wd, %%lx, %%ly, %%lz;\n");
	for (int i = 0; i < check->operand_count; i++)
		declare(text, "dabc"[i], &check->operands[i]);
	put(text, "\tmov.u32 %%t, %%tid.x;\n\tmov.u32 %%x, %%ctaid.x;\n\tmad.lo.u32 %%i, %%x, %d, %%t;\n\tand.b32 %%x, %%i, -32;\n", BLOCK_THREADS);
	for (int i = 0; i < check->operand_count; i++) {
		const char name = "dabc"[i];
		const int bytes = check->operands[i].type->bytes * check->operands[i].count;
		put(text, "\tld.param.u64 %%ly, [p%c];\n\tcvta.to.global.u64 %%ly, %%ly;\n\tmul.wide.u32 %%lx, %%i, %d;\n\tadd.u64 %%l%c, %%ly, %%lx;\n"
			  "\tmul.wide.u32 %%lx, %%x, %d;\n\tadd.u64 %%w%c, %%ly, %%lx;\n", name, bytes, name, bytes, name);
		if (i)
			move(text, "ld", name, &check->operands[i], 0);
		if (i && check->operands[i].is_predicate)
			put(text, "\tand.b32 %%y, %%%c, 1;\n\tsetp.eq.u32 %%r, %%y, 1;\n", name);
	}
	put(text, "\n");
	/* a line an instruction, so that messages point at the right one */
	for (const char *c = check->body; *c;) {
		size_t line = strcspn(c, ";");
		line += c[line] == ';';
		put(text, "\t%.*s\n", (int)line, c);
		for (c += line; *c == ' ';)
			c++;
	}
	put(text, "\n");
	move(text, "st", 'd', &check->operands[0], 1);
	put(text, "\tret;\n}\n\n");
}

int module_text(const struct check *checks, int count, int family, char **result, struct error *err)
{
	const struct family facts = conformance_family(family);
	struct text text = {0};

	put(&text, "// Made by the conformance suite of assay: family %s\n.version %s\n.target sm_90\n.address_size 64\n\n%s\n", facts.name, facts.version,
	    facts.preamble ? facts.preamble : "");
	for (int i = 0; i < count; i++)
		if (checks[i].family == family)
			kernel(&text, &checks[i]);
	if (text.failed || !text.bytes) {
		free(text.bytes);
		return error_set(err, ERROR_ENVIRONMENT, "no memory for the text of a module");
	}
	*result = text.bytes;
	return 0;
}

static uint64_t hash(uint64_t value, const void *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) /* FNV-1a */
		value = (value ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
	return value;
}

uint64_t check_key(const struct check *check)
{
	uint64_t key = 0xcbf29ce484222325;
	struct check plain = *check;

	plain.kernel[0] = 0; /* its number may change */
	struct text text = {0};
	kernel(&text, &plain);
	key = hash(key, text.bytes, text.length);
	free(text.bytes);
	const char *preamble = conformance_family(check->family).preamble;
	if (preamble)
		key = hash(key, preamble, strlen(preamble));
	key = hash(key, &check->threads, sizeof(check->threads));
	for (int i = 0; i < 3; i++) {
		if (!check->inputs[i])
			continue;
		unsigned char *bytes = calloc(1, check->input_bytes[i]);
		if (!bytes)
			return 0;
		inputs_fill(check, i, bytes);
		key = hash(key, bytes, check->input_bytes[i]);
		free(bytes);
	}
	return key ? key : 1;
}
