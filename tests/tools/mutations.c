#include "mutations.h"

#include "core/util.h"
#include "statement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const mutation_kind_names[MUTATE_KINDS] = {
	"exchange", "register", "constant", "comparison", "rounding", "barrier",  "sign",
	"step",	    "width",	"predicate", "drop",	  "multiply", "operator", "flush",
};

/* ---- the list ---- */

struct finder {
	struct mutations *out;
	const struct statement *s;
	int line, failed;
	struct span *defined; /* registers that were written so far, in order */
	unsigned char *sizes; /* of each: whether it is made of indices of threads and of parameters alone */
	size_t defined_count, defined_capacity;
};

/* Whether the register, as it was written last, is an index or a size. */
static int is_size(const struct finder *f, struct span reg)
{
	for (size_t i = f->defined_count; i--;)
		if (same(f->defined[i], reg))
			return f->sizes[i];
	return 0;
}

/* How many of the registers that a statement reads are sizes, and how many there are. */
static void count_sizes(const struct finder *f, int *sizes, int *registers)
{
	*sizes = *registers = 0;
	for (int i = first_source(f->s); i < f->s->operand_count; i++)
		if (is_register(f->s->operands[i])) {
			++*registers;
			*sizes += is_size(f, f->s->operands[i]);
		}
}

static void add(struct finder *f, enum mutation_kind kind, const char *after, size_t length)
{
	struct mutations *out = f->out;
	if (f->failed || (f->s->line.length == length && memcmp(f->s->line.text, after, length) == 0))
		return;
	for (size_t i = out->count; i-- && out->list[i].line == f->line;)
		if (strlen(out->list[i].after) == length && memcmp(out->list[i].after, after, length) == 0)
			return;
	if (out->count == out->capacity) {
		const size_t capacity = out->capacity ? out->capacity * 2 : 256;
		struct mutation *list = realloc(out->list, capacity * sizeof *list);
		if (!list) {
			f->failed = 1;
			return;
		}
		out->list = list;
		out->capacity = capacity;
	}
	struct mutation *m = &out->list[out->count];
	*m = (struct mutation){kind, f->line, copy_text(f->s->line.text, f->s->line.length), copy_text(after, length)};
	if (m->before && m->after) {
		out->count++;
		return;
	}
	free(m->before);
	free(m->after);
	f->failed = 1;
}

/* The statement as it reads with other parts; spans may be empty parts, which go. */
static void add_statement(struct finder *f, enum mutation_kind kind, const struct statement *s)
{
	struct text text = {0};
	text_append_bytes(&text, s->before.text, s->before.length);
	if (s->predicate.length) {
		text_append_bytes(&text, s->predicate.text, s->predicate.length);
		text_append_bytes(&text, " ", 1);
	}
	for (int i = 0; i < s->part_count; i++) {
		if (!s->parts[i].length)
			continue;
		if (i)
			text_append_bytes(&text, ".", 1);
		text_append_bytes(&text, s->parts[i].text, s->parts[i].length);
	}
	for (int i = 0; i < s->operand_count; i++) {
		text_append(&text, i ? ", " : " \t");
		text_append_bytes(&text, s->operands[i].text, s->operands[i].length);
	}
	text_append_bytes(&text, s->behind.text, s->behind.length);
	if (text.failed)
		f->failed = 1;
	else
		add(f, kind, text.data, text.length);
	text_free(&text);
}

static struct span word(const char *text)
{
	return (struct span){text, strlen(text)};
}

static void with_part(struct finder *f, enum mutation_kind kind, int part, const char *other)
{
	struct statement changed = *f->s;
	changed.parts[part] = word(other);
	add_statement(f, kind, &changed);
}

static void with_operand(struct finder *f, enum mutation_kind kind, int operand, const char *other)
{
	struct statement changed = *f->s;
	changed.operands[operand] = word(other);
	add_statement(f, kind, &changed);
}

/* Puts a part behind the opcode: "add" + "rz" -> "add.rz". */
static void with_modifier(struct finder *f, enum mutation_kind kind, int behind, const char *modifier)
{
	struct statement changed = *f->s;
	if (changed.part_count == PARTS_MAX)
		return;
	memmove(&changed.parts[behind + 2], &changed.parts[behind + 1],
		(size_t)(changed.part_count - behind - 1) * sizeof *changed.parts);
	changed.parts[behind + 1] = word(modifier);
	changed.part_count++;
	add_statement(f, kind, &changed);
}

/* ---- kinds ---- */

static void exchange_operands(struct finder *f)
{
	/* what does not care about the order of its first two operands */
	static const char *const symmetric[] = {"add", "mul", "mul24", "fma", "mad", "mad24", "and", "or", "xor", "min", "max",
						"addc", NULL};
	const struct statement *s = f->s;
	const int first = first_source(s);
	if (!first || is_op(s, "ld") || is_op(s, "atom"))
		return;
	for (int i = first; i < s->operand_count; i++)
		for (int j = i + 1; j < s->operand_count; j++) {
			if (!is_register(s->operands[i]) || !is_register(s->operands[j]) ||
			    !same(register_class(s->operands[i]), register_class(s->operands[j])))
				continue;
			if (i == first && j == first + 1 &&
			    (is_op_of(s, symmetric) || (is_op(s, "setp") && (has_part(s, "eq") || has_part(s, "ne")))))
				continue;
			struct statement changed = *s;
			changed.operands[i] = s->operands[j];
			changed.operands[j] = s->operands[i];
			add_statement(f, MUTATE_EXCHANGE, &changed);
		}
}

/* Replaces [from, from + length) in operand i. */
static void splice(struct finder *f, enum mutation_kind kind, int operand, struct span old, const char *new_text, size_t new_length)
{
	const struct span whole = f->s->operands[operand];
	struct text text = {0};
	text_append_bytes(&text, whole.text, (size_t)(old.text - whole.text));
	text_append_bytes(&text, new_text, new_length);
	text_append_bytes(&text, old.text + old.length, (size_t)(whole.text + whole.length - (old.text + old.length)));
	if (text.failed)
		f->failed = 1;
	else
		with_operand(f, kind, operand, text.data);
	text_free(&text);
}

static void other_registers(struct finder *f)
{
	enum { OTHERS = 3 };
	static const char *const special[] = {"%tid.x", "%ctaid.x", "%ntid.x", "%nctaid.x", "%tid.y", "%ctaid.y", "%ntid.y"};
	const struct statement *s = f->s;
	for (int i = first_source(s); i < s->operand_count; i++) {
		for (size_t k = 0; k < ARRAY_COUNT(special); k++)
			if (equals(s->operands[i], special[k]))
				with_operand(f, MUTATE_REGISTER, i, special[(k + 1) % ARRAY_COUNT(special)]);
		const char *at = s->operands[i].text, *end = at + s->operands[i].length;
		while (at < end) {
			if (*at != '%') {
				at++;
				continue;
			}
			const char *start = at++;
			while (at < end && is_word(*at) && *at != '%')
				at++;
			const struct span reg = {start, (size_t)(at - start)};
			if (!is_register(reg) || (at < end && *at == '.'))
				continue;
			int found = 0;
			for (size_t d = f->defined_count; d-- && found < OTHERS;)
				if (!same(f->defined[d], reg) && same(register_class(f->defined[d]), register_class(reg))) {
					splice(f, MUTATE_REGISTER, i, reg, f->defined[d].text, f->defined[d].length);
					found++;
				}
		}
	}
}

static int read_integer(struct span text, int64_t *value)
{
	char copy[32], *end;
	if (!text.length || text.length >= sizeof copy)
		return -1;
	memcpy(copy, text.text, text.length);
	copy[text.length] = '\0';
	if (!((copy[0] >= '0' && copy[0] <= '9') || (copy[0] == '-' && copy[1] >= '0' && copy[1] <= '9')))
		return -1;
	*value = (int64_t)strtoull(copy, &end, 0);
	return *end ? -1 : 0;
}

static void put_integer(struct finder *f, enum mutation_kind kind, int operand, struct span old, int64_t value)
{
	char text[32];
	const int length = snprintf(text, sizeof text, "%" PRId64, value);
	splice(f, kind, operand, old, text, (size_t)length);
}

static void other_constants(struct finder *f)
{
	const struct statement *s = f->s;
	static const char *const no_values[] = {"bar", "barrier", "bra", "ret", "membar", "fence", "ld", "st", "red", "cp", NULL};
	if (is_op_of(s, no_values) || (is_op(s, "atom")))
		return;
	for (int i = first_source(s); i < s->operand_count; i++) {
		const struct span operand = s->operands[i];
		int64_t value;
		if (read_integer(operand, &value) == 0) {
			const uint64_t bits = (uint64_t)value;
			put_integer(f, MUTATE_CONSTANT, i, operand, (int64_t)(bits + 1));
			put_integer(f, MUTATE_CONSTANT, i, operand, (int64_t)(bits - 1));
			put_integer(f, MUTATE_CONSTANT, i, operand, (int64_t)(bits * 2));
			put_integer(f, MUTATE_CONSTANT, i, operand, 0);
		} else if (operand.length == 10 && operand.text[0] == '0' && operand.text[1] == 'f') {
			const uint32_t bits = (uint32_t)strtoul(operand.text + 2, NULL, 16);
			float real;
			memcpy(&real, &bits, sizeof real);
			const float others[] = {real + 1, real - 1, real * 2, 0};
			for (size_t k = 0; k < ARRAY_COUNT(others); k++) {
				char text[16];
				uint32_t changed;
				memcpy(&changed, &others[k], sizeof changed);
				snprintf(text, sizeof text, "0f%08" PRIX32, changed);
				with_operand(f, MUTATE_CONSTANT, i, text);
			}
		} else if (operand.length == 18 && operand.text[0] == '0' && operand.text[1] == 'd') {
			const uint64_t bits = strtoull(operand.text + 2, NULL, 16);
			double real;
			memcpy(&real, &bits, sizeof real);
			const double others[] = {real + 1, real - 1, real * 2, 0};
			for (size_t k = 0; k < ARRAY_COUNT(others); k++) {
				char text[32];
				uint64_t changed;
				memcpy(&changed, &others[k], sizeof changed);
				snprintf(text, sizeof text, "0d%016" PRIX64, changed);
				with_operand(f, MUTATE_CONSTANT, i, text);
			}
		}
	}
}

static void other_comparison(struct finder *f)
{
	static const char *const pairs[][2] = {{"lt", "le"},   {"le", "lt"},   {"gt", "ge"},   {"ge", "gt"},   {"eq", "ne"},
					       {"ne", "eq"},   {"lo", "ls"},   {"ls", "lo"},   {"hi", "hs"},   {"hs", "hi"},
					       {"ltu", "leu"}, {"leu", "ltu"}, {"gtu", "geu"}, {"geu", "gtu"}, {"equ", "neu"},
					       {"neu", "equ"}};
	static const char *const ordered[][2] = {{"lt", "ltu"}, {"le", "leu"}, {"gt", "gtu"}, {"ge", "geu"}, {"eq", "equ"},
						 {"ne", "neu"}, {"ltu", "lt"}, {"leu", "le"}, {"gtu", "gt"}, {"geu", "ge"},
						 {"equ", "eq"}, {"neu", "ne"}};
	if (!is_op(f->s, "setp") && !is_op(f->s, "set"))
		return;
	for (int part = 1; part < f->s->part_count; part++) {
		for (size_t i = 0; i < ARRAY_COUNT(pairs); i++)
			if (equals(f->s->parts[part], pairs[i][0]))
				with_part(f, MUTATE_COMPARISON, part, pairs[i][1]);
		for (size_t i = 0; is_floating(f->s) && i < ARRAY_COUNT(ordered); i++)
			if (equals(f->s->parts[part], ordered[i][0]))
				with_part(f, MUTATE_COMPARISON, part, ordered[i][1]);
	}
}

static void other_rounding(struct finder *f)
{
	static const char *const real[] = {"rn", "rz", "rm", "rp"}, *const integer[] = {"rni", "rzi", "rmi", "rpi"};
	static const char *const default_rounded[] = {"add", "sub", "mul", NULL};
	const struct statement *s = f->s;
	int found = 0;
	for (int part = 1; part < s->part_count; part++)
		for (int i = 0; i < 4; i++) {
			if (equals(s->parts[part], real[i])) {
				found = 1;
				for (int k = 0; k < 4; k++)
					with_part(f, MUTATE_ROUNDING, part, real[k]);
			} else if (equals(s->parts[part], integer[i])) {
				found = 1;
				for (int k = 0; k < 4; k++)
					with_part(f, MUTATE_ROUNDING, part, integer[k]);
			}
		}
	if (!found && is_op_of(s, default_rounded) && (has_part(s, "f32") || has_part(s, "f64")))
		for (int k = 1; k < 4; k++)
			with_modifier(f, MUTATE_ROUNDING, 0, real[k]);
}

static void no_barrier(struct finder *f)
{
	static const char *const barriers[] = {"bar", "barrier", "membar", "fence", NULL};
	if (is_op_of(f->s, barriers))
		add(f, MUTATE_BARRIER, "", 0);
}

static void other_sign(struct finder *f)
{
	/* Where the low bits of a result do not depend on the sign, nothing would change. 64 bits without a sign are sizes and
	 * addresses: none is so large that it would matter. Nor is an index of a thread, an extent, or what is made of them: they
	 * are below 2^31. */
	static const char *const careful[] = {"cvt", "shr", "div", "rem", "setp", "set", "min", "max", "ld", "abs", "atom", "red",
					      "bfe", NULL};
	static const char *const divisions[] = {"div", "rem", NULL};
	static const char *const pairs[][2] = {{"s8", "u8"},  {"s16", "u16"}, {"s32", "u32"}, {"s64", "u64"},
					       {"u8", "s8"},  {"u16", "s16"}, {"u32", "s32"}};
	const struct statement *s = f->s;
	const int wide = (is_op(s, "mul") || is_op(s, "mad")) && (has_part(s, "wide") || has_part(s, "hi"));
	if ((!is_op_of(s, careful) && !wide) || has_part(s, "param") || has_part(s, "eq") || has_part(s, "ne"))
		return;
	int sizes, registers;
	count_sizes(f, &sizes, &registers);
	if (registers && (sizes == registers || (sizes && is_op_of(s, divisions))))
		return;
	for (int part = 1; part < s->part_count; part++)
		for (size_t i = 0; i < ARRAY_COUNT(pairs); i++)
			if (equals(s->parts[part], pairs[i][0]))
				with_part(f, MUTATE_SIGN, part, pairs[i][1]);
}

/* Bytes of the type of a load or store. */
static int type_bytes(const struct statement *s)
{
	const struct span type = s->parts[s->part_count - 1];
	static const struct {
		const char *name;
		int bytes;
	} sizes[] = {{"8", 1}, {"16", 2}, {"32", 4}, {"64", 8}};
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
		if (type.length == strlen(sizes[i].name) + 1 && strncmp(type.text + 1, sizes[i].name, type.length - 1) == 0)
			return sizes[i].bytes;
	return 0;
}

static void other_step(struct finder *f)
{
	const struct statement *s = f->s;
	static const char *const accessing[] = {"ld", "st", "atom", "red", NULL};
	int64_t value;
	if (is_op_of(s, accessing) && !has_part(s, "param") && type_bytes(s)) {
		for (int i = 0; i < s->operand_count; i++) {
			const struct span operand = s->operands[i];
			if (operand.text[0] != '[' || operand.length < 3)
				continue;
			const char *plus = memchr(operand.text, '+', operand.length), *close = operand.text + operand.length - 1;
			int64_t offset = 0;
			if (plus && read_integer((struct span){plus + 1, (size_t)(close - plus - 1)}, &offset))
				continue;
			const char *end = plus ? plus : close;
			const struct span address = {operand.text + 1, (size_t)(end - operand.text - 1)};
			for (int sign = -1; sign <= 1; sign += 2) {
				char text[160];
				const int64_t changed = offset + sign * type_bytes(s);
				snprintf(text, sizeof text, "[%.*s+%" PRId64 "]", (int)(address.length < 100 ? address.length : 100),
					 address.text, changed);
				with_operand(f, MUTATE_STEP, i, text);
			}
		}
	} else if (s->operand_count >= 3 && read_integer(s->operands[2], &value) == 0) {
		if (((is_op(s, "mul") || is_op(s, "mad")) && has_part(s, "wide") && (value == 2 || value == 4 || value == 8))) {
			put_integer(f, MUTATE_STEP, 2, s->operands[2], value * 2);
			put_integer(f, MUTATE_STEP, 2, s->operands[2], value / 2);
		} else if (is_op(s, "shl") && has_part(s, "b64") && value > 0 && value < 5) {
			put_integer(f, MUTATE_STEP, 2, s->operands[2], value + 1);
			put_integer(f, MUTATE_STEP, 2, s->operands[2], value - 1);
		}
	}
}

static void other_width(struct finder *f)
{
	static const char *const halves[][2] = {{"u16", "u8"}, {"b16", "b8"}, {"s16", "s8"}, {"u32", "u16"}, {"b32", "b16"},
						{"s32", "s16"}, {"u64", "u32"}, {"b64", "b32"}, {"s64", "s32"}};
	const struct statement *s = f->s;
	if ((!is_op(s, "ld") && !is_op(s, "st")) || has_part(s, "param"))
		return;
	for (size_t i = 0; i < ARRAY_COUNT(halves); i++)
		if (equals(s->parts[s->part_count - 1], halves[i][0]))
			with_part(f, MUTATE_WIDTH, s->part_count - 1, halves[i][1]);
}

static void other_predicate(struct finder *f)
{
	const struct statement *s = f->s;
	if (s->predicate.length) {
		char text[64];
		const int negated = s->predicate.text[1] == '!';
		snprintf(text, sizeof text, "@%s%.*s", negated ? "" : "!", (int)s->predicate.length - 1 - negated,
			 s->predicate.text + 1 + negated);
		struct statement changed = *s;
		changed.predicate = word(text);
		add_statement(f, MUTATE_PREDICATE, &changed);
	}
	if (is_op(s, "not") && has_part(s, "pred"))
		with_part(f, MUTATE_PREDICATE, 0, "mov");
}

static int was_defined(const struct finder *f, struct span reg)
{
	for (size_t i = f->defined_count; i--;)
		if (same(f->defined[i], reg))
			return 1;
	return 0;
}

static void dropped(struct finder *f)
{
	static const char *const effects[] = {"st", "red", "bra", NULL};
	const struct statement *s = f->s;
	const int changes_variable = first_source(s) && s->operand_count && is_register(s->operands[0]) &&
				     was_defined(f, s->operands[0]);
	const int is_effect = is_op_of(s, effects) && !has_part(s, "param") && (!is_op(s, "bra") || s->predicate.length);
	if (is_effect || changes_variable)
		add(f, MUTATE_DROP, "", 0);
}

static void other_multiply(struct finder *f)
{
	const struct statement *s = f->s;
	struct statement changed = *s;
	if ((is_op(s, "fma") || is_op(s, "mad")) && s->operand_count == 4) {
		changed.parts[0] = word("mul");
		changed.operand_count = 3;
		add_statement(f, MUTATE_MULTIPLY, &changed);
	} else if (is_op(s, "mul") && s->operand_count == 3 && !has_part(s, "wide")) {
		changed.operands[changed.operand_count++] = s->operands[1];
		if (!is_floating(s)) {
			changed.parts[0] = word("mad");
			add_statement(f, MUTATE_MULTIPLY, &changed);
		} else {
			changed.parts[0] = word(has_part(s, "rn") ? "fma" : "fma.rn");
			add_statement(f, MUTATE_MULTIPLY, &changed);
		}
	}
}

static void other_operator(struct finder *f)
{
	static const char *const pairs[][2] = {{"min", "max"}, {"max", "min"}, {"and", "or"},  {"or", "and"},  {"xor", "or"},
					       {"add", "sub"}, {"sub", "add"}, {"shl", "shr"}, {"shr", "shl"}, {"mul", "add"},
					       {"div", "mul"}, {"rem", "div"}, {"div", "rem"}, {"neg", "mov"}, {"neg", "abs"},
					       {"abs", "neg"}, {"sin", "cos"}, {"cos", "sin"}, {"sqrt", "rcp"}};
	static const char *const shifted[][2] = {{"shl", "b32"}, {"shl", "b64"}};
	const struct statement *s = f->s;
	if (is_op(s, "shl")) { /* of what is unsigned: shr knows no sign of .b */
		for (size_t i = 0; i < ARRAY_COUNT(shifted); i++)
			if (has_part(s, shifted[i][1]))
				with_part(f, MUTATE_OPERATOR, 0, "shr");
		return;
	}
	if (is_op(s, "mul") && (has_part(s, "wide") || has_part(s, "lo") || has_part(s, "hi")))
		return;
	if (is_op(s, "selp") && s->operand_count == 4) { /* only ever the one value */
		for (int i = 1; i <= 2; i++) {
			struct statement changed = *s;
			changed.operands[i] = s->operands[3 - i];
			add_statement(f, MUTATE_OPERATOR, &changed);
		}
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(pairs); i++)
		if (is_op(s, pairs[i][0]))
			with_part(f, MUTATE_OPERATOR, 0, pairs[i][1]);
}

static void other_flush(struct finder *f)
{
	static const char *const flushing[] = {"add", "sub", "mul", "fma", "min", "max", "setp", "sqrt", "div", "rcp", "cvt", NULL};
	const struct statement *s = f->s;
	const int ftz = has_part(s, "ftz"), nan = has_part(s, "NaN");
	struct statement changed = *s;
	if (ftz) {
		changed.parts[ftz].length = 0;
		add_statement(f, MUTATE_FLUSH, &changed);
	} else if (is_op_of(s, flushing) && has_part(s, "f32") && !has_part(s, "f64")) {
		with_modifier(f, MUTATE_FLUSH, s->part_count - (is_op(s, "cvt") ? 3 : 2), "ftz");
	}
	if (nan) {
		changed = *s;
		changed.parts[nan].length = 0;
		add_statement(f, MUTATE_FLUSH, &changed);
	} else if ((is_op(s, "min") || is_op(s, "max")) && is_floating(s) && !has_part(s, "f64")) {
		with_modifier(f, MUTATE_FLUSH, s->part_count - 2, "NaN");
	}
}

/* ---- the body ---- */

static void note_defined(struct finder *f)
{
	const struct statement *s = f->s;
	int sizes, registers;
	count_sizes(f, &sizes, &registers);
	/* what is loaded is data, but for parameters */
	const int size = (has_part(s, "param") || !is_op(s, "ld")) && !is_floating(s) && sizes == registers;
	for (int i = 0; i < first_source(s) && i < s->operand_count; i++) {
		const char *at = s->operands[i].text, *end = at + s->operands[i].length;
		while (at < end) { /* "{%r1, %r2}", "%p1|%p2" */
			const char *start = at++;
			while (*start == '%' && at < end && is_word(*at) && *at != '%')
				at++;
			const struct span reg = {start, (size_t)(at - start)};
			if (!is_register(reg))
				continue;
			if (f->defined_count == f->defined_capacity) {
				const size_t capacity = f->defined_capacity ? f->defined_capacity * 2 : 128;
				struct span *defined = realloc(f->defined, capacity * sizeof *defined);
				if (!defined) {
					f->failed = 1;
					return;
				}
				f->defined = defined;
				unsigned char *flags = realloc(f->sizes, capacity);
				if (!flags) {
					f->failed = 1;
					return;
				}
				f->sizes = flags;
				f->defined_capacity = capacity;
			}
			f->sizes[f->defined_count] = (unsigned char)size;
			f->defined[f->defined_count++] = reg;
		}
	}
}

/* nvcc divides 64-bit numbers by a 32-bit instruction where both fit: "or; and ..., -4294967296; setp; bra", two ways, and a
 * 64-bit division in one of them. Numbers that are divided are sizes, below 2^32 in every buffer that the cases can have, for
 * which both ways do the same: these lines have no mutants of interest. */
static int chooses_division(const char *line, const char *end, const struct statement *s)
{
	static const char mask[] = "-4294967296", *const wide[] = {"div", "rem", NULL};
	const char *stop = line;
	if (is_op_of(s, wide) && (has_part(s, "u64") || has_part(s, "s64")))
		return 1;
	if (!is_op(s, "or") && !is_op(s, "and") && !is_op(s, "setp") && !is_op(s, "bra"))
		return 0;
	/* the mask stands on this line or at most one after it (or), or three before (bra) */
	for (int ahead = 0; ahead < 2 && stop < end; ahead++) {
		const char *newline = memchr(stop, '\n', (size_t)(end - stop));
		const size_t length = newline ? (size_t)(newline - stop) : (size_t)(end - stop);
		if ((ahead == 0 || is_op(s, "or")) && memmem(stop, length, mask, sizeof mask - 1))
			return 1;
		stop = newline ? newline + 1 : end;
	}
	if (!is_op(s, "setp") && !is_op(s, "bra"))
		return 0;
	const char *before = line;
	for (int back = 0; back < 2; back++) {
		const char *start = before - 1;
		while (start[-1] != '\n') /* the line of the entry's name is before */
			start--;
		if (memmem(start, (size_t)(before - start), mask, sizeof mask - 1))
			return back == 0 ? is_op(s, "setp") : is_op(s, "bra");
		before = start;
	}
	return 0;
}

/* Where the body of the entry begins (behind its '{') and ends (at its '}'). */
static int find_body(const char *module, const char *entry, const char **body, const char **end)
{
	const size_t length = strlen(entry);
	for (const char *at = module; (at = strstr(at, ".entry")); at++) {
		const char *name = at + 6;
		while (is_blank(*name))
			name++;
		if (strncmp(name, entry, length) != 0 || is_word(name[length]))
			continue;
		const char *open = strchr(name, '{');
		int depth = 1;
		if (!open)
			return -1;
		for (const char *c = open + 1; *c; c++) {
			depth += (*c == '{') - (*c == '}');
			if (!depth) {
				*body = open + 1;
				*end = c;
				return 0;
			}
		}
	}
	return -1;
}

int mutations_find(const char *module, const char *entry, struct mutations *mutations, struct error *err)
{
	const char *body, *end;
	struct finder f = {.out = mutations, .line = 1};
	*mutations = (struct mutations){0};
	if (find_body(module, entry, &body, &end))
		return error_set(err, ERROR_INPUT, "the module has no body of '%s'", entry);
	for (const char *c = module; c < body; c++)
		f.line += *c == '\n';
	for (const char *at = body; at < end && !f.failed; f.line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
		struct statement s;
		if (read_statement(at, stop, &s)) {
			f.s = &s;
			if (chooses_division(at, end, &s)) {
				note_defined(&f);
				at = newline ? newline + 1 : end;
				continue;
			}
			exchange_operands(&f);
			other_registers(&f);
			other_constants(&f);
			other_comparison(&f);
			other_rounding(&f);
			no_barrier(&f);
			other_sign(&f);
			other_step(&f);
			other_width(&f);
			other_predicate(&f);
			dropped(&f);
			other_multiply(&f);
			other_operator(&f);
			other_flush(&f);
			note_defined(&f);
		}
		at = newline ? newline + 1 : end;
	}
	free(f.defined);
	free(f.sizes);
	if (!f.failed)
		return 0;
	mutations_free(mutations);
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

void mutations_free(struct mutations *mutations)
{
	for (size_t i = 0; i < mutations->count; i++) {
		free(mutations->list[i].before);
		free(mutations->list[i].after);
	}
	free(mutations->list);
	*mutations = (struct mutations){0};
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	*state += 0x9e3779b97f4a7c15u;
	uint64_t value = (*state ^ *state >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

void mutations_order(const struct mutations *mutations, uint64_t seed, size_t *order)
{
	const size_t count = mutations->count;
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = count; i > 1; i--) {
		const size_t other = (size_t)(next_random(&seed) % i), kept = order[i - 1];
		order[i - 1] = order[other];
		order[other] = kept;
	}
	/* one of each kind in turn, each kind's in the order that chance gave them */
	for (size_t at = 0; at < count;) {
		unsigned taken = 0;
		const size_t round = at;
		for (size_t i = round; i < count; i++) {
			const unsigned bit = 1u << mutations->list[order[i]].kind;
			if (taken & bit)
				continue;
			taken |= bit;
			const size_t chosen = order[i];
			memmove(&order[at + 1], &order[at], (i - at) * sizeof *order);
			order[at++] = chosen;
		}
	}
}

/* The module with its line, as far as it is `before`, replaced by two texts. */
static char *replace_line(const char *module, const struct mutation *mutation, const char *first, const char *second)
{
	const char *at = module;
	for (int line = 1; line < mutation->line && at; line++) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	const char *found = at ? strstr(at, mutation->before) : NULL;
	if (!found)
		return NULL;
	struct text text = {0};
	text_append_bytes(&text, module, (size_t)(found - module));
	text_append(&text, "%s%s%s", first, second, found + strlen(mutation->before));
	if (!text.failed)
		return text.data;
	text_free(&text);
	return NULL;
}

char *mutation_apply(const char *module, const struct mutation *mutation)
{
	return replace_line(module, mutation, mutation->after, "");
}

char *mutation_probe(const char *module, const struct mutation *mutation)
{
	return replace_line(module, mutation, "trap; ", mutation->before);
}
