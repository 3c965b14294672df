#include "selection.h"

#include "shard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int is_operator(const char *family)
{
	const struct family *found = family_find(family);
	return found && found->symbols;
}

static int select_from(struct case_set *set, const struct selection_options *options, const unsigned char *exact, int operators,
		       struct error *err)
{
	const size_t count = case_source_count(set->source);
	set->indices = calloc(count, sizeof *set->indices);
	if (!set->indices)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (is_operator(case_source_family(set->source, i)) == operators &&
		    filter_selects(options->filters, options->filter_count, exact, case_source_name(set->source, i)))
			set->indices[set->count++] = i;
	return 0;
}

int selection_make(struct selection *selection, const struct selection_options *options, struct run_record *run, struct error *err)
{
	struct case_set *const sets[] = {&selection->attention, &selection->operators, &selection->timed};
	const char *const paths[] = {options->attention, options->operators, options->timed};
	struct text names = {0};
	unsigned char *exact = calloc((size_t)options->filter_count + 1, 1);
	*selection = (struct selection){0};
	if (!exact) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto fail;
	}
	for (int i = 0; i < 3; i++) {
		if (!paths[i])
			continue;
		for (int k = 0; k < i && !sets[i]->source; k++)
			if (paths[k] && strcmp(paths[k], paths[i]) == 0) {
				sets[i]->source = sets[k]->source;
				sets[i]->is_shared = 1;
			}
		if (!sets[i]->is_shared) {
			if (case_source_open(&sets[i]->source, paths[i], options->seed, err))
				goto fail;
			filter_note_exact(options->filters, options->filter_count, sets[i]->source, exact);
			selection->in_datasets += case_source_count(sets[i]->source);
			text_append(&names, "%s%s", names.length ? ", " : "", paths[i]);
		}
		if (run && (sets[i]->dataset = run_record_add_dataset(run, paths[i], err)) < 0)
			goto fail;
	}
	for (int i = 0; i < 3; i++)
		if (sets[i]->source && select_from(sets[i], options, exact, i > 0, err))
			goto fail;
	if (selection->attention.count + selection->operators.count + selection->timed.count == 0) {
		if (options->filter_count)
			error_set(err, ERROR_INPUT, "%s: none of its %zu cases matches the filter; --list shows their names", names.data ? names.data : "",
				  selection->in_datasets);
		else
			error_set(err, ERROR_INPUT, "%s: none of its %zu cases is for these artifacts; --list shows their names",
				  names.data ? names.data : "", selection->in_datasets);
		goto fail;
	}
	text_free(&names);
	free(exact);
	return 0;
fail:
	text_free(&names);
	free(exact);
	selection_free(selection);
	return -1;
}

void selection_free(struct selection *selection)
{
	struct case_set *const sets[] = {&selection->attention, &selection->operators, &selection->timed};
	for (int i = 0; i < 3; i++) {
		if (!sets[i]->is_shared)
			case_source_close(sets[i]->source);
		free(sets[i]->indices);
		free(sets[i]->elsewhere);
	}
	free(selection->entries);
	*selection = (struct selection){0};
}

/* ---- shards -------------------------------------------------------------------------------------------------------- */

/* Of an operator's entry point beside one of its cases: loading and compiling it (operator_units.c: some 3000 bytes of PTX at 300
 * a millisecond, a case five milliseconds). */
static const double entry_cost = 3;

static int shard_cases(struct case_set *set, int64_t index, int64_t count, struct error *err)
{
	struct shard_item *items = calloc(set->count + 1, sizeof *items);
	int64_t *parts = calloc(set->count + 1, sizeof *parts);
	int result = -1;
	set->elsewhere = calloc(set->count + 1, 1);
	if (!items || !parts || !set->elsewhere) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	for (size_t i = 0; i < set->count; i++)
		items[i] = (struct shard_item){case_source_name(set->source, set->indices[i]), 1};
	if (shard_deal(items, set->count, count, parts, err))
		goto done;
	for (size_t i = 0; i < set->count; i++)
		set->elsewhere[i] = parts[i] != index;
	result = 0;
done:
	free(items);
	free(parts);
	return result;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct shard_item *)a)->name, ((const struct shard_item *)b)->name);
}

static int shard_entries(struct selection *selection, int64_t index, int64_t count, struct error *err)
{
	const struct case_set *const sets[] = {&selection->operators, &selection->timed};
	struct shard_item *items = calloc(sets[0]->count + sets[1]->count + 1, sizeof *items);
	int64_t *parts = calloc(sets[0]->count + sets[1]->count + 1, sizeof *parts);
	size_t found = 0, distinct = 0;
	int result = -1;
	selection->entries = calloc(sets[0]->count + sets[1]->count + 1, sizeof *selection->entries);
	if (!items || !parts || !selection->entries) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	for (size_t s = 0; s < 2; s++)
		for (size_t i = 0; i < sets[s]->count; i++)
			items[found++] = (struct shard_item){case_source_entry(sets[s]->source, sets[s]->indices[i]), 1};
	qsort(items, found, sizeof *items, by_name);
	for (size_t i = 0; i < found; i++) {
		if (distinct && strcmp(items[distinct - 1].name, items[i].name) == 0)
			items[distinct - 1].cost++;
		else
			items[distinct++] = (struct shard_item){items[i].name, 1 + entry_cost};
	}
	if (shard_deal(items, distinct, count, parts, err))
		goto done;
	for (size_t i = 0; i < distinct; i++)
		if (parts[i] == index)
			selection->entries[selection->entry_count++] = items[i].name;
	result = 0;
done:
	free(items);
	free(parts);
	return result;
}

int selection_shard(struct selection *selection, int64_t index, int64_t count, struct error *err)
{
	if (count <= 1)
		return 0;
	selection->shard_count = count;
	return shard_cases(&selection->attention, index, count, err) || shard_entries(selection, index, count, err) ? -1 : 0;
}

static int by_symbol(const void *key, const void *entry)
{
	return strcmp(key, *(const char *const *)entry);
}

int selection_has_entry(const struct selection *selection, const char *symbol)
{
	return selection->shard_count <= 1 ||
	       bsearch(symbol, selection->entries, selection->entry_count, sizeof *selection->entries, by_symbol) != NULL;
}

int selection_has_case(const struct selection *selection, const struct case_set *set, size_t position)
{
	if (set == &selection->attention)
		return !set->elsewhere || !set->elsewhere[position];
	return selection_has_entry(selection, case_source_entry(set->source, set->indices[position]));
}

double case_set_work(const struct case_set *set, size_t index)
{
	struct test_case test;
	const struct family *family;
	struct work work = {0};
	if (case_source_load(set->source, index, 0, &test, &family, NULL))
		return (double)INFINITY;
	if (family->work)
		family->work(&test, &work, NULL);
	case_free(&test);
	return work.bytes + work.flops;
}
