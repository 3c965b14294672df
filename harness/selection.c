#include "selection.h"

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
	}
	*selection = (struct selection){0};
}
