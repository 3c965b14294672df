/* From rows to checks: braces expanded, $ references replaced, operands looked up. */
#include "suite.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = 8, CHOICE_MAX = 48 };

struct expansion {
	const struct row *row;
	char choices[GROUPS_MAX][CHOICE_MAX];
	int group_count;
	char label[128];
};

struct checks {
	struct check *items;
	int count, room;
	struct error *err;
};

static int text_put(char *text, size_t size, size_t *length, const char *from, size_t bytes)
{
	if (*length + bytes >= size)
		return -1;
	memcpy(text + *length, from, bytes);
	*length += bytes;
	text[*length] = 0;
	return 0;
}

static int loads(char *text, size_t size, size_t *length, int count, const char *register_name)
{
	for (int first = 0; first < count; first += 4) {
		char line[160];
		const int bytes = snprintf(line, sizeof(line), "ld.global.v4.b32 {%%%s%d, %%%s%d, %%%s%d, %%%s%d}, [%%ld+%d]; ", register_name, first, register_name,
					   first + 1, register_name, first + 2, register_name, first + 3, first * 4);
		if (text_put(text, size, length, line, (size_t)bytes))
			return -1;
	}
	return 0;
}

/* Replaces $0, $1 ...; $mN: the memory type of a half; $hN, $qN: half, a quarter of a number; $AN, $BN: strides of tf32's factors;
 * $reloadN: N words of the result. */
static int substitute(const struct expansion *expansion, const char *from, char *to, size_t size)
{
	size_t length = 0;
	to[0] = 0;
	while (*from) {
		char number[16];
		const char *piece = from;
		if (*from != '$') {
			if (text_put(to, size, &length, from++, 1))
				return -1;
			continue;
		}
		from++;
		if (!strncmp(from, "reload", 6)) {
			from += 6;
			if (loads(to, size, &length, *from++ - '0', "d"))
				return -1;
			continue;
		}
		const char form = isdigit((unsigned char)*from) ? 0 : *from++;
		const int group = *from++ - '0';
		if (group < 0 || group > expansion->group_count)
			return -1;
		const char *choice = group ? expansion->choices[group - 1] : expansion->label;
		piece = choice;
		if (form == 'm')
			piece = strstr(choice, "x2") ? "b32" : "b16";
		else if (form == 'A')
			piece = !strcmp(choice, "row") ? "8" : "16";
		else if (form == 'B')
			piece = !strcmp(choice, "col") ? "8" : "16";
		else if (form == 'h' || form == 'q') {
			snprintf(number, sizeof(number), "%d", atoi(choice) / (form == 'h' ? 2 : 4));
			piece = number;
		}
		/* a choice may carry its dot; operands want the word */
		if (text_put(to, size, &length, piece, strlen(piece)))
			return -1;
	}
	return 0;
}

static int read_operands(const struct expansion *expansion, struct check *check, struct error *err)
{
	char text[256], *save = NULL;

	if (substitute(expansion, expansion->row->operands, text, sizeof(text)))
		return error_set(err, ERROR_INTERNAL, "operands of '%s' are too long", expansion->label);
	for (char *token = strtok_r(text, " ", &save); token; token = strtok_r(NULL, " ", &save)) {
		struct operand *operand = &check->operands[check->operand_count];
		if (check->operand_count == OPERANDS_MAX)
			return error_set(err, ERROR_INTERNAL, "too many operands of '%s'", expansion->label);
		check->operand_count++;
		operand->count = 1;
		char *star = strchr(token, '*');
		if (star) {
			operand->count = atoi(star + 1);
			*star = 0;
		}
		char *dot = strchr(token, '.'); /* "f16.f16": both sides of a conversion */
		if (dot)
			*dot = 0;
		operand->is_predicate = !strcmp(token, "p") || !strcmp(token, "pq") || !strcmp(token, "sp");
		snprintf(operand->text, sizeof(operand->text), "%s", token);
		operand->type = type_find(token);
		if (!operand->type || operand->count < 1)
			return error_set(err, ERROR_INTERNAL, "no operand type '%s' for '%s'", token, expansion->label);
	}
	return 0;
}

static void operand_text(const struct operand *operand, char name, int braces, char *text, size_t size)
{
	size_t length = 0;
	text[0] = 0;
	if (operand->count == 1) {
		snprintf(text, size, braces ? "{%%%c}" : "%%%c", name);
		return;
	}
	for (int i = 0; i < operand->count && length < size; i++)
		length += (size_t)snprintf(text + length, size - length, "%s%%%c%d%s", i ? ", " : "{", name, i, i + 1 == operand->count ? "}" : "");
}

/* What follows the instruction in a label (" whole") only names the check. */

/* The same product of magnitudes beside it: sum |a * b| + |c|, which the bound is relative to. */
static int magnitude_body(struct check *check)
{
	static const struct { const char *prefix, *mask; } masks[] = {
		{"f16x2", "0x7fff7fff"}, {"bf16x2", "0x7fff7fff"}, {"e4m3x4", "0x7f7f7f7f"}, {"e5m2x4", "0x7f7f7f7f"}, {"tf32", "0x7fffffff"}};
	char texts[4][160], instruction[128];
	size_t length = 0;
	const size_t size = sizeof(check->body);

	snprintf(instruction, sizeof(instruction), "%.*s", (int)strcspn(check->label, " "), check->label);
	for (int i = 0; i < 4; i++)
		operand_text(&check->operands[i], "dabc"[i], 1, texts[i], sizeof(texts[i]));
	length += (size_t)snprintf(check->body, size, "%s %s, %s, %s, %s; ", instruction, texts[0], texts[1], texts[2], texts[3]);
	for (int i = 1; i < 4; i++)
		for (int r = 0; r < check->operands[i].count; r++) {
			char name[16];
			const char *mask = NULL, *token = check->operands[i].type->token;
			if (check->operands[i].count == 1)
				snprintf(name, sizeof(name), "%%%c", "dabc"[i]);
			else
				snprintf(name, sizeof(name), "%%%c%d", "dabc"[i], r);
			for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++)
				if (!strncmp(token, masks[m].prefix, strlen(masks[m].prefix)))
					mask = masks[m].mask;
			if (length >= size)
				return -1;
			if (mask)
				length += (size_t)snprintf(check->body + length, size - length, "and.b32 %s, %s, %s; ", name, name, mask);
			else
				length += (size_t)snprintf(check->body + length, size - length, "abs.%.3s %s, %s; ", token, name, name);
		}
	/* the results of the second product are the upper half of d */
	struct operand sums = check->operands[0];
	const int count = sums.count;
	char *to = texts[0];
	size_t used = 0;
	to[0] = 0;
	for (int i = 0; i < count; i++)
		used += (size_t)snprintf(to + used, sizeof(texts[0]) - used, "%s%%d%d%s", i ? ", " : "{", count + i, i + 1 == count ? "}" : "");
	if (length < size)
		length += (size_t)snprintf(check->body + length, size - length, "%s %s, %s, %s, %s;", instruction, texts[0], texts[1], texts[2], texts[3]);
	check->operands[0].count *= 2;
	check->halves = 1;
	return length < size ? 0 : -1;
}

static int plain_body(struct check *check)
{
	const int to_predicates = check->operands[0].is_predicate, both = !strcmp(check->operands[0].text, "pq");
	const int vectors_only = !strncmp(check->label, "mma.", 4); /* operands in braces even where there is one register */
	char text[160];
	size_t length = (size_t)snprintf(check->body, sizeof(check->body), "%.*s %s", (int)strcspn(check->label, " "), check->label, !to_predicates ? "" : both ? "%p|%q" : "%p");

	if (!to_predicates) {
		operand_text(&check->operands[0], 'd', 0, text, sizeof(text));
		length += (size_t)snprintf(check->body + length, sizeof(check->body) - length, "%s", text);
	}
	for (int i = 1; i < check->operand_count; i++) {
		operand_text(&check->operands[i], "dabc"[i], vectors_only, text, sizeof(text));
		length += (size_t)snprintf(check->body + length, sizeof(check->body) - length, ", %s", check->operands[i].is_predicate ? "%r" : text);
	}
	length += (size_t)snprintf(check->body + length, sizeof(check->body) - length, ";");
	if (to_predicates)
		length += (size_t)snprintf(check->body + length, sizeof(check->body) - length, " selp.u16 %%d, 1, 0, %%p;%s",
					   both ? " selp.u16 %hx, 2, 0, %q; or.b16 %d, %d, %hx;" : "");
	return length < sizeof(check->body) ? 0 : -1;
}

static int add_check(struct checks *checks, int family, const struct expansion *expansion)
{
	const struct row *row = expansion->row;
	if (checks->count == checks->room) {
		checks->room = checks->room ? checks->room * 2 : 1024;
		struct check *grown = realloc(checks->items, (size_t)checks->room * sizeof(*grown));
		if (!grown)
			return error_set(checks->err, ERROR_ENVIRONMENT, "no memory for the checks");
		checks->items = grown;
	}
	struct check *check = &checks->items[checks->count];
	memset(check, 0, sizeof(*check));
	check->family = family;
	check->rule = row->rule;
	snprintf(check->label, sizeof(check->label), "%s", expansion->label);
	size_t length = (size_t)snprintf(check->kernel, sizeof(check->kernel), "k%d_", checks->count);
	for (const char *c = expansion->label; *c && length + 1 < sizeof(check->kernel); c++)
		check->kernel[length++] = (char)(isalnum((unsigned char)*c) ? *c : '_');
	check->kernel[length] = 0;
	if (read_operands(expansion, check, checks->err))
		return -1;
	if (check->operand_count > 4)
		return error_set(checks->err, ERROR_INTERNAL, "'%s' has more than three sources", expansion->label);
	if (row->body ? substitute(expansion, row->body, check->body, sizeof(check->body))
		      : row->rule >= MMA ? magnitude_body(check) : plain_body(check))
		return error_set(checks->err, ERROR_INTERNAL, "the body of '%s' is too long or refers to braces that are not there", expansion->label);
	int vectors = 0;
	for (int i = 0; i < check->operand_count; i++)
		vectors |= check->operands[i].count > 2;
	check->threads = vectors ? 256 : row->rule != EXACT ? 2048 : 512;
	for (int i = 1; i < check->operand_count; i++) /* pointers into `operands` are set when the array no longer moves */
		check->input_bytes[i - 1] = (size_t)check->threads * (size_t)check->operands[i].type->bytes * (size_t)check->operands[i].count;
	check->output_bytes = (size_t)check->threads * (size_t)check->operands[0].type->bytes * (size_t)check->operands[0].count;
	checks->count++;
	return 0;
}

static int expand(struct checks *checks, int family, struct expansion *expansion, const char *rest, size_t length)
{
	while (*rest && *rest != '{') {
		if (text_put(expansion->label, sizeof(expansion->label), &length, rest++, 1))
			return error_set(checks->err, ERROR_INTERNAL, "'%s' is too long", expansion->row->instruction);
	}
	if (!*rest)
		return add_check(checks, family, expansion);
	const char *end = strchr(rest, '}');
	if (!end || expansion->group_count == GROUPS_MAX)
		return error_set(checks->err, ERROR_INTERNAL, "braces of '%s'", expansion->row->instruction);
	const int group = expansion->group_count++;
	for (const char *choice = rest + 1; choice <= end;) {
		char *to = expansion->choices[group];
		size_t used = 0, label_length = length;
		while (choice < end && *choice != ',') {
			if (*choice == '\\')
				choice++;
			if (used + 1 < CHOICE_MAX)
				to[used++] = *choice;
			choice++;
		}
		to[used] = 0;
		choice++;
		if (text_put(expansion->label, sizeof(expansion->label), &label_length, to, used))
			return error_set(checks->err, ERROR_INTERNAL, "'%s' is too long", expansion->row->instruction);
		expansion->label[label_length] = 0;
		if (expand(checks, family, expansion, end + 1, label_length))
			return -1;
		expansion->label[length] = 0;
	}
	expansion->group_count = group;
	return 0;
}

int checks_make(struct check **result, int *count, struct error *err)
{
	struct checks checks = {.err = err};

	for (int f = 0; f < conformance_family_count; f++) {
		const struct family family = conformance_family(f);
		for (int r = 0; r < family.row_count; r++) {
			struct expansion expansion = {.row = &family.rows[r]};
			if (expand(&checks, f, &expansion, family.rows[r].instruction, 0)) {
				free(checks.items);
				return -1;
			}
		}
	}
	for (int i = 0; i < checks.count; i++) {
		struct check *check = &checks.items[i];
		for (int k = 1; k < check->operand_count; k++)
			check->inputs[k - 1] = &check->operands[k];
		for (int other = 0; other < i; other++)
			if (!strcmp(checks.items[other].label, check->label)) {
				error_set(err, ERROR_INTERNAL, "'%s' is there twice", check->label);
				free(checks.items);
				return -1;
			}
	}
	*result = checks.items;
	*count = checks.count;
	return 0;
}
