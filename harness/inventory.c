#include "inventory.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

struct making {
	struct symbol_table *table;
	size_t capacity;
	const struct family *family;
	int failed;
};

static void add_symbol(void *context, const struct operator_symbol *symbol)
{
	struct making *making = context;
	struct symbol_table *table = making->table;
	if (table->count == making->capacity) {
		const size_t capacity = making->capacity ? 2 * making->capacity : 256;
		struct known_symbol *items = reallocarray(table->items, capacity, sizeof *items);
		if (!items) {
			making->failed = 1;
			return;
		}
		table->items = items;
		making->capacity = capacity;
	}
	struct known_symbol *item = &table->items[table->count++];
	*item = (struct known_symbol){.least_cc = symbol->least_cc, .family = making->family};
	if (snprintf(item->name, sizeof item->name, "%s", symbol->name) >= (int)sizeof item->name ||
	    snprintf(item->module, sizeof item->module, "%s", symbol->module) >= (int)sizeof item->module)
		making->failed = 1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct known_symbol *)a)->name, ((const struct known_symbol *)b)->name);
}

int symbol_table_make(struct symbol_table *table, enum operator_abi abi, struct error *err)
{
	struct making making = {.table = table};
	*table = (struct symbol_table){0};
	for (const struct family *const *family = families; *family; family++) {
		making.family = *family;
		if ((*family)->symbols)
			(*family)->symbols(abi, add_symbol, &making);
	}
	if (making.failed) {
		symbol_table_free(table);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for the names of entry points");
	}
	if (table->count)
		qsort(table->items, table->count, sizeof *table->items, by_name);
	return 0;
}

const struct known_symbol *symbol_table_find(const struct symbol_table *table, const char *name)
{
	struct known_symbol key;
	if (!table->count || snprintf(key.name, sizeof key.name, "%s", name) >= (int)sizeof key.name)
		return NULL;
	return bsearch(&key, table->items, table->count, sizeof *table->items, by_name);
}

void symbol_table_free(struct symbol_table *table)
{
	free(table->items);
	*table = (struct symbol_table){0};
}

/* ---- the question ---- */

static int is_present(const struct inventory_question *question, const char *name)
{
	for (size_t i = 0; i < question->present_count; i++)
		if (strcmp(question->present[i].name, name) == 0)
			return 1;
	return 0;
}

/* Whether the module is expected: its file is there, or one of its entry points is. */
static int has_module(const struct inventory_question *question, const char *module)
{
	if (question->whole)
		return 1;
	for (size_t i = 0; i < question->module_count; i++)
		if (strcmp(question->modules[i], module) == 0)
			return 1;
	for (size_t i = 0; i < question->present_count; i++) {
		const struct known_symbol *known = symbol_table_find(question->table, question->present[i].name);
		if (known && strcmp(known->module, module) == 0)
			return 1;
	}
	return 0;
}

struct seen_module {
	char name[24];
	int expected;
};

static int take_text(char **field, struct text *text, struct error *err)
{
	char *taken = text->failed ? NULL : text->data ? text->data : strdup("");
	if (!taken) {
		text_free(text);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	free(*field);
	*field = taken;
	*text = (struct text){0};
	return 0;
}

int inventory_take(const struct inventory_question *question, struct inventory_record *inventory, struct error *err)
{
	enum { MODULES_MAX = 64 };
	struct seen_module seen[MODULES_MAX];
	size_t seen_count = 0;
	struct text modules = {0}, missing = {0}, unknown = {0};
	inventory->architecture = question->architecture;
	for (size_t i = 0; i < question->table->count; i++) {
		const struct known_symbol *symbol = &question->table->items[i];
		size_t at = 0;
		while (at < seen_count && strcmp(seen[at].name, symbol->module) != 0)
			at++;
		if (at == seen_count) {
			if (seen_count == MODULES_MAX)
				return error_set(err, ERROR_INTERNAL, "more than %d modules", MODULES_MAX);
			memcpy(seen[at].name, symbol->module, sizeof seen[at].name);
			seen[at].expected = has_module(question, symbol->module);
			if (seen[at].expected)
				text_append(&modules, "%s%s", modules.length ? ", " : "", symbol->module);
			seen_count++;
		}
		if (!seen[at].expected || symbol->least_cc > question->architecture)
			continue;
		inventory->expected++;
		if (is_present(question, symbol->name)) {
			inventory->present++;
			continue;
		}
		inventory->missing_count++;
		text_append(&missing, "%s%s: %s", missing.length ? "\n" : "", symbol->module, symbol->name);
	}
	for (size_t i = 0; i < question->present_count; i++) {
		const struct present_symbol *present = &question->present[i];
		if (symbol_table_find(question->table, present->name))
			continue;
		inventory->unknown_count++;
		text_append(&unknown, "%s%s: %s", unknown.length ? "\n" : "", present->module, present->name);
	}
	if (take_text(&inventory->modules, &modules, err) || take_text(&inventory->missing, &missing, err) ||
	    take_text(&inventory->unknown, &unknown, err)) {
		text_free(&modules);
		text_free(&missing);
		text_free(&unknown);
		return -1;
	}
	return 0;
}
