#include "artifact/ptx_slice.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

struct token {
	const char *text;
	size_t length; /* 0 at the end */
};

struct scanner {
	const char *at, *end;
};

/* Of a name, or of a directive or number: those have dots. Bytes beyond ASCII belong to names, as in ptxas. */
static int is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '%' ||
	       (unsigned char)c >= 0x80;
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f' || c == '\0';
}

static void skip_blanks(struct scanner *in)
{
	while (in->at < in->end) {
		const size_t room = (size_t)(in->end - in->at);
		if (is_blank(*in->at)) {
			in->at++;
		} else if (room > 1 && in->at[0] == '/' && in->at[1] == '/') {
			const char *newline = memchr(in->at, '\n', room);
			in->at = newline ? newline : in->end;
		} else if (room > 1 && in->at[0] == '/' && in->at[1] == '*') {
			const char *close = memmem(in->at + 2, room - 2, "*/", 2);
			in->at = close ? close + 2 : in->end;
		} else {
			return;
		}
	}
}

/* A name, a number or directive (which begins with a dot, or has one behind digits), a string with its quotes, or one byte of
 * punctuation. */
static struct token next_token(struct scanner *in)
{
	skip_blanks(in);
	struct token token = {.text = in->at};
	if (in->at == in->end)
		return token;
	const char first = *in->at++;
	if (first == '"') {
		while (in->at < in->end && *in->at != '"')
			in->at += in->at[0] == '\\' && in->end - in->at > 1 ? 2 : 1;
		in->at += in->at < in->end;
	} else if (first == '.' || is_name_byte(first)) {
		const int number = first >= '0' && first <= '9';
		while (in->at < in->end && (is_name_byte(*in->at) || (number && *in->at == '.')))
			in->at++;
	}
	token.length = (size_t)(in->at - token.text);
	return token;
}

static int is(struct token token, const char *text)
{
	const size_t length = strlen(text);
	return token.length == length && memcmp(token.text, text, length) == 0;
}

static int is_any_of(struct token token, const char *const *texts)
{
	while (*texts && !is(token, *texts))
		texts++;
	return *texts != NULL;
}

static int is_name(struct token token)
{
	return token.length && is_name_byte(token.text[0]) && !(token.text[0] >= '0' && token.text[0] <= '9');
}

static int compare_tokens(struct token a, struct token b)
{
	if (a.length != b.length)
		return a.length < b.length ? -1 : 1;
	return memcmp(a.text, b.text, a.length);
}

/* ---- the index ---- */

enum item_kind {
	ITEM_ALWAYS,   /* kept in every cut */
	ITEM_TARGET,   /* .target: kept, without the option `debug` */
	ITEM_DROPPED,  /* DWARF */
	ITEM_ENTRY,    /* with a body */
	ITEM_NAMED     /* kept where it is reached */
};

/* A declaration at module scope: its text, without the blanks and comments before it. */
struct item {
	enum item_kind kind;
	const char *text;
	size_t size;
};

struct name {
	struct token token;
	size_t item;
};

struct ptx_slicer {
	struct item *items;
	size_t item_count, item_capacity;
	struct name *names; /* sorted by name, then by item */
	size_t name_count, name_capacity;
	size_t *always; /* items of the first two kinds */
	size_t always_count;
	struct ptx_slice_entry *entries;
	size_t entry_count;
};

static int add_name(struct ptx_slicer *slicer, struct token token)
{
	if (slicer->name_count == slicer->name_capacity) {
		const size_t capacity = slicer->name_capacity ? slicer->name_capacity * 2 : 64;
		struct name *names = realloc(slicer->names, capacity * sizeof *names);
		if (!names)
			return -1;
		slicer->names = names;
		slicer->name_capacity = capacity;
	}
	slicer->names[slicer->name_count++] = (struct name){token, slicer->item_count};
	return 0;
}

static int add_item(struct ptx_slicer *slicer, struct item item)
{
	if (slicer->item_count == slicer->item_capacity) {
		const size_t capacity = slicer->item_capacity ? slicer->item_capacity * 2 : 64;
		struct item *items = realloc(slicer->items, capacity * sizeof *items);
		if (!items)
			return -1;
		slicer->items = items;
		slicer->item_capacity = capacity;
	}
	slicer->items[slicer->item_count++] = item;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	const int order = compare_tokens(x->token, y->token);
	return order ? order : (x->item > y->item) - (x->item < y->item);
}

/* Index of the first of that name; the others follow. name_count when there is none. */
static size_t find_name(const struct ptx_slicer *slicer, struct token token)
{
	size_t low = 0, high = slicer->name_count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (compare_tokens(slicer->names[middle].token, token) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < slicer->name_count && compare_tokens(slicer->names[low].token, token) == 0 ? low : slicer->name_count;
}

static int cut_off(struct error *err, const struct scanner *in, const char *start)
{
	const char *newline = memchr(start, '\n', (size_t)(in->end - start));
	const size_t length = newline ? (size_t)(newline - start) : (size_t)(in->end - start);
	return error_set(err, ERROR_INPUT, "PTX: the text is cut off inside '%.*s'", (int)(length < 80 ? length : 80), start);
}

/* From behind a '{' to behind its '}'; -1 at the end of the text. */
static int skip_braces(struct scanner *in)
{
	for (int depth = 1; in->at < in->end;) {
		const char c = *in->at;
		if (c == '"' || c == '/') {
			const char *before = in->at;
			if (c == '"')
				next_token(in);
			else
				skip_blanks(in);
			if (in->at != before)
				continue;
		}
		in->at++;
		if (c == '{')
			depth++;
		else if (c == '}' && --depth == 0)
			return 0;
	}
	return -1;
}

/* .file and .loc, which have no end of their own. */
static void skip_line(struct scanner *in)
{
	const char *newline = memchr(in->at, '\n', (size_t)(in->end - in->at));
	in->at = newline ? newline : in->end;
}

/* ".target sm_80, texmode_independent, debug" */
static void skip_list(struct scanner *in)
{
	for (;;) {
		next_token(in);
		struct scanner ahead = *in;
		if (!is(next_token(&ahead), ","))
			return;
		*in = ahead;
	}
}

/* Reads a function or variable from its first directive on. Names that it declares are added for the item that comes next. */
static int read_declaration(struct scanner *in, struct ptx_slicer *slicer, struct token first, struct item *item, struct error *err)
{
	static const char *const declaring[] = {".global", ".const", ".shared", ".local", ".func", ".entry", ".alias", ".tex", NULL};
	int depth = 0, function = 0, entry = 0, named = 0, declares = 0, value = 0, pragma = 0;
	for (struct token token = first;; token = next_token(in)) {
		if (!token.length)
			return cut_off(err, in, item->text);
		const char c = token.length == 1 ? token.text[0] : '\0';
		if (token.text[0] == '.') {
			declares |= is_any_of(token, declaring);
			entry |= is(token, ".entry");
			function |= entry || is(token, ".func");
			pragma |= is(token, ".pragma");
			continue;
		}
		if (c == '{') {
			if (skip_braces(in))
				return cut_off(err, in, item->text);
			if (!function)
				continue;
			item->kind = entry ? ITEM_ENTRY : ITEM_NAMED;
			break;
		}
		if (c == ';' && function && pragma) { /* stands between a function's head and its body */
			pragma = 0;
			continue;
		}
		if (c == ';') {
			item->kind = declares ? ITEM_NAMED : ITEM_ALWAYS;
			break;
		}
		if (c == '(' || c == '[')
			depth++;
		else if ((c == ')' || c == ']') && depth)
			depth--;
		else if (c == '=')
			value = 1;
		else if (c == ',' && !depth)
			value = 0;
		/* a function has one name, behind what it returns; variables may share a declaration */
		else if (is_name(token) && !depth && !value && !(function && named)) {
			if (add_name(slicer, token))
				return error_set(err, ERROR_ENVIRONMENT, "out of memory");
			named = 1;
		}
	}
	if (function && !named)
		return error_set(err, ERROR_INPUT, "PTX: a function without a name");
	return 0;
}

static int read_item(struct scanner *in, struct ptx_slicer *slicer, struct token first, struct error *err)
{
	static const char *const values[] = {".version", ".address_size", NULL}, *const lines[] = {".file", ".loc", NULL};
	struct item item = {.kind = ITEM_ALWAYS, .text = first.text};
	if (is_any_of(first, values)) {
		next_token(in);
	} else if (is(first, ".target")) {
		skip_list(in);
		item.kind = ITEM_TARGET;
	} else if (is_any_of(first, lines)) {
		skip_line(in);
	} else if (is(first, ".section")) {
		const struct token name = next_token(in);
		for (struct token token = name; !is(token, "{"); token = next_token(in))
			if (!token.length)
				return cut_off(err, in, item.text);
		if (skip_braces(in))
			return cut_off(err, in, item.text);
		item.kind = is(name, ".debug_str") ? ITEM_ALWAYS : ITEM_DROPPED;
	} else if (read_declaration(in, slicer, first, &item, err)) {
		return -1;
	}
	item.size = (size_t)(in->at - item.text);
	return add_item(slicer, item) ? error_set(err, ERROR_ENVIRONMENT, "out of memory") : 0;
}

/* Lists of the items that are asked for by kind. The name of an entry is the one that its item declares. */
static int finish_index(struct ptx_slicer *slicer, struct error *err)
{
	size_t entries = 0;
	for (size_t i = 0; i < slicer->item_count; i++)
		entries += slicer->items[i].kind == ITEM_ENTRY;
	slicer->always = malloc((slicer->item_count + 1) * sizeof *slicer->always);
	slicer->entries = malloc((entries + 1) * sizeof *slicer->entries);
	if (!slicer->always || !slicer->entries)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < slicer->item_count; i++)
		if (slicer->items[i].kind == ITEM_ALWAYS || slicer->items[i].kind == ITEM_TARGET)
			slicer->always[slicer->always_count++] = i;
	for (size_t n = 0; n < slicer->name_count; n++) { /* as yet in the module's order */
		const struct item *item = &slicer->items[slicer->names[n].item];
		if (item->kind == ITEM_ENTRY)
			slicer->entries[slicer->entry_count++] =
				(struct ptx_slice_entry){slicer->names[n].token.text, slicer->names[n].token.length, item->size};
	}
	if (slicer->name_count)
		qsort(slicer->names, slicer->name_count, sizeof *slicer->names, compare_names);
	return 0;
}

int ptx_slicer_open(struct ptx_slicer **out, const char *text, size_t size, struct error *err)
{
	struct scanner in = {text, text + size};
	struct ptx_slicer *slicer = calloc(1, sizeof *slicer);
	int failed = 0, has_version = 0, has_target = 0;
	*out = NULL;
	if (!slicer)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		in.at += 3;
	for (struct token token; !failed && (token = next_token(&in)).length;) {
		has_version |= is(token, ".version");
		has_target |= is(token, ".target");
		if (!has_version)
			failed = error_set(err, ERROR_INPUT, "is no PTX module: it does not begin with .version");
		else if (!is(token, ";"))
			failed = read_item(&in, slicer, token, err);
	}
	if (!failed && !has_target)
		failed = error_set(err, ERROR_INPUT, "is no PTX module: it has no %s", has_version ? ".target" : ".version");
	if (!failed)
		failed = finish_index(slicer, err);
	if (failed)
		ptx_slicer_close(slicer);
	else
		*out = slicer;
	return failed ? -1 : 0;
}

void ptx_slicer_close(struct ptx_slicer *slicer)
{
	if (!slicer)
		return;
	free(slicer->items);
	free(slicer->names);
	free(slicer->always);
	free(slicer->entries);
	free(slicer);
}

size_t ptx_slicer_entry_count(const struct ptx_slicer *slicer)
{
	return slicer->entry_count;
}

struct ptx_slice_entry ptx_slicer_entry(const struct ptx_slicer *slicer, size_t index)
{
	return slicer->entries[index];
}

/* ---- cutting ---- */

/* Items of a cut: a set, and the order in which they came into it. */
struct chosen {
	unsigned char *in, *named; /* by item; by name: all of that name are in */
	size_t *items;
	size_t count, capacity;
};

static int choose(struct chosen *chosen, size_t item)
{
	if (chosen->in[item])
		return 0;
	if (chosen->count == chosen->capacity) {
		const size_t capacity = chosen->capacity ? chosen->capacity * 2 : 32;
		size_t *items = realloc(chosen->items, capacity * sizeof *items);
		if (!items)
			return -1;
		chosen->items = items;
		chosen->capacity = capacity;
	}
	chosen->in[item] = 1;
	chosen->items[chosen->count++] = item;
	return 0;
}

/* All declarations of that name: a function may have prototypes. *entries counts those that are entries. */
static int choose_named(const struct ptx_slicer *slicer, struct chosen *chosen, struct token token, size_t *entries)
{
	const size_t first = find_name(slicer, token);
	if (first == slicer->name_count || chosen->named[first])
		return 0;
	chosen->named[first] = 1;
	for (size_t n = first; n < slicer->name_count && compare_tokens(slicer->names[n].token, token) == 0; n++) {
		*entries += slicer->items[slicer->names[n].item].kind == ITEM_ENTRY;
		if (choose(chosen, slicer->names[n].item))
			return -1;
	}
	return 0;
}

/* Whatever is named in the text of an item. Directives, and with them the modifiers of an opcode, are no names. */
static int choose_reached(const struct ptx_slicer *slicer, struct chosen *chosen, const struct item *item)
{
	struct scanner in = {item->text, item->text + item->size};
	size_t entries = 0;
	for (struct token token; (token = next_token(&in)).length;)
		if (is_name(token) && choose_named(slicer, chosen, token, &entries))
			return -1;
	return 0;
}

static int choose_all(const struct ptx_slicer *slicer, struct chosen *chosen, const char *const *entries, size_t count,
		      struct error *err)
{
	if (!chosen->in || !chosen->named)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (!count)
		return error_set(err, ERROR_INPUT, "no entry of the PTX module is asked for");
	for (size_t i = 0; i < count; i++) {
		const struct token token = {entries[i], strlen(entries[i])};
		const size_t first = find_name(slicer, token);
		size_t found = first < slicer->name_count && chosen->named[first]; /* asked for twice */
		if (choose_named(slicer, chosen, token, &found))
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		if (!found)
			return error_set(err, ERROR_INPUT, "the PTX module has no entry '%s'", entries[i]);
	}
	for (size_t i = 0; i < chosen->count; i++) /* grows while it is walked */
		if (choose_reached(slicer, chosen, &slicer->items[chosen->items[i]]))
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < slicer->always_count; i++)
		if (choose(chosen, slicer->always[i]))
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return 0;
}

static int compare_sizes(const void *a, const void *b)
{
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	return (x > y) - (x < y);
}

/* ".target sm_80, debug" without `debug`. */
static void put_target(struct text *out, const struct item *item)
{
	struct scanner in = {item->text, item->text + item->size};
	const char *separator = "";
	next_token(&in);
	text_append(out, ".target ");
	for (struct token token; (token = next_token(&in)).length;) {
		if (is(token, ",") || is(token, "debug"))
			continue;
		text_append(out, "%s", separator);
		text_append_bytes(out, token.text, token.length);
		separator = ", ";
	}
}

int ptx_slicer_cut(const struct ptx_slicer *slicer, const char *const *entries, size_t count, char **out, size_t *out_size,
		   struct error *err)
{
	struct chosen chosen = {.in = calloc(slicer->item_count + 1, 1), .named = calloc(slicer->name_count + 1, 1)};
	struct text text = {0};
	int failed = choose_all(slicer, &chosen, entries, count, err);
	*out = NULL;
	if (!failed)
		qsort(chosen.items, chosen.count, sizeof *chosen.items, compare_sizes);
	for (size_t i = 0; !failed && i < chosen.count; i++) {
		const struct item *item = &slicer->items[chosen.items[i]];
		if (item->kind == ITEM_TARGET)
			put_target(&text, item);
		else
			text_append_bytes(&text, item->text, item->size);
		text_append_bytes(&text, "\n", 1);
	}
	free(chosen.in);
	free(chosen.named);
	free(chosen.items);
	if (!failed && text.failed)
		failed = error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (failed) {
		text_free(&text);
		return -1;
	}
	*out = text.data;
	if (out_size)
		*out_size = text.length;
	return 0;
}

int ptx_slice(const char *text, size_t size, const char *const *entries, size_t count, char **out, size_t *out_size,
	      struct error *err)
{
	struct ptx_slicer *slicer;
	*out = NULL;
	if (ptx_slicer_open(&slicer, text, size, err))
		return -1;
	const int failed = ptx_slicer_cut(slicer, entries, count, out, out_size, err);
	ptx_slicer_close(slicer);
	return failed;
}
