/* Host symbols of an artifact as a whole. */
#include "artifact/artifact.h"

#include <stdlib.h>
#include <string.h>

static int is_entry_point(const struct host_symbol *symbol)
{
	/* C++ names start with "_Z", or with "?" where MSVC made them */
	return symbol->defined && symbol->function && !symbol->hidden && !symbol->weak && symbol->name[0] != '_' && symbol->name[0] != '?';
}

static int compare_points(const void *a, const void *b)
{
	return strcmp(((const struct artifact_entry_point *)a)->name, ((const struct artifact_entry_point *)b)->name);
}

int artifact_entry_points(const struct artifact *artifact, struct artifact_entry_points *points, struct error *err)
{
	*points = (struct artifact_entry_points){0};
	size_t count = 0;
	for (int i = 0; i < artifact->unit_count; i++)
		for (int j = 0; j < artifact->units[i].host.symbol_count; j++)
			count += is_entry_point(&artifact->units[i].host.symbols[j]);
	if (count == 0)
		return 0;
	points->items = count > INT32_MAX ? NULL : calloc(count, sizeof *points->items);
	if (!points->items)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (int i = 0; i < artifact->unit_count; i++)
		for (int j = 0; j < artifact->units[i].host.symbol_count; j++)
			if (is_entry_point(&artifact->units[i].host.symbols[j]))
				points->items[points->count++] =
					(struct artifact_entry_point){.name = artifact->units[i].host.symbols[j].name, .unit = i};
	qsort(points->items, (size_t)points->count, sizeof *points->items, compare_points);
	int kept = 1;
	for (int i = 1; i < points->count; i++)
		if (strcmp(points->items[i].name, points->items[kept - 1].name) != 0)
			points->items[kept++] = points->items[i];
	points->count = kept;
	return 0;
}

void artifact_entry_points_free(struct artifact_entry_points *points)
{
	free(points->items);
	*points = (struct artifact_entry_points){0};
}

int artifact_defines(const struct artifact *artifact, const char *symbol)
{
	for (int i = 0; i < artifact->unit_count; i++)
		if (host_object_find(&artifact->units[i].host, symbol, 1))
			return i;
	return -1;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_undefined(const void *a, const void *b)
{
	const struct undefined_symbol *left = a, *right = b;
	const int order = strcmp(left->name, right->name);
	return order ? order : left->unit - right->unit;
}

int artifact_undefined(const struct artifact *artifact, struct artifact_undefined *undefined, struct error *err)
{
	size_t defined_count = 0, wanted = 0;
	const char **defined = NULL;
	int result = -1;
	*undefined = (struct artifact_undefined){0};
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct host_object *host = &artifact->units[u].host;
		for (int i = 0; i < host->symbol_count; i++) {
			defined_count += host->symbols[i].defined;
			wanted += !host->symbols[i].defined && !host->symbols[i].weak;
		}
	}
	if (wanted == 0)
		return 0;
	defined = calloc(defined_count + 1, sizeof *defined);
	undefined->items = wanted > INT32_MAX ? NULL : calloc(wanted, sizeof *undefined->items);
	if (!defined || !undefined->items) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	defined_count = 0;
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct host_object *host = &artifact->units[u].host;
		for (int i = 0; i < host->symbol_count; i++)
			if (host->symbols[i].defined)
				defined[defined_count++] = host->symbols[i].name;
	}
	qsort(defined, defined_count, sizeof *defined, compare_names);
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct host_object *host = &artifact->units[u].host;
		for (int i = 0; i < host->symbol_count; i++) {
			const struct host_symbol *symbol = &host->symbols[i];
			if (symbol->defined || symbol->weak || bsearch(&symbol->name, defined, defined_count, sizeof *defined, compare_names))
				continue;
			undefined->items[undefined->count++] = (struct undefined_symbol){symbol->name, u, symbol->origin};
		}
	}
	qsort(undefined->items, (size_t)undefined->count, sizeof *undefined->items, compare_undefined);
	int kept = 0;
	for (int i = 0; i < undefined->count; i++)
		if (kept == 0 || strcmp(undefined->items[i].name, undefined->items[kept - 1].name) != 0)
			undefined->items[kept++] = undefined->items[i];
	undefined->count = kept;
	result = 0;
done:
	free(defined);
	if (result)
		artifact_undefined_free(undefined);
	return result;
}

void artifact_undefined_free(struct artifact_undefined *undefined)
{
	free(undefined->items);
	*undefined = (struct artifact_undefined){0};
}
