#include "artifact/kernel_match.h"

#include "artifact/fold_name.h"

#include <stdlib.h>
#include <string.h>

/* The items of one side that take part in a round, by their keys. */
struct round {
	struct match_item **items; /* owned */
	const struct match_item *first; /* of the side: indexes count from it */
	size_t count;
};

static int compare_keys(const struct match_item *a, const struct match_item *b, int folded)
{
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return folded ? strcmp(a->folded, b->folded) : strcmp(a->name, b->name);
}

static int compare_places(const struct match_item *a, const struct match_item *b)
{
	const int order = strcmp(a->unit_name, b->unit_name);
	if (order)
		return order;
	if (a->unit != b->unit)
		return a->unit < b->unit ? -1 : 1;
	return (a->place > b->place) - (a->place < b->place);
}

static int compare_named(const void *left, const void *right)
{
	const struct match_item *a = *(struct match_item *const *)left, *b = *(struct match_item *const *)right;
	const int order = compare_keys(a, b, 0);
	return order ? order : compare_places(a, b);
}

static int compare_folded(const void *left, const void *right)
{
	const struct match_item *a = *(struct match_item *const *)left, *b = *(struct match_item *const *)right;
	const int order = compare_keys(a, b, 1);
	return order ? order : compare_places(a, b);
}

/* The items that have no partner yet. */
static int pick(struct round *round, struct match_item *items, size_t count, int folded)
{
	*round = (struct round){.items = malloc((count + 1) * sizeof *round->items), .first = items};
	if (!round->items)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (items[i].kind != MATCH_NONE)
			continue;
		if (folded && !(items[i].folded = fold_kernel_name(items[i].name)))
			return -1;
		round->items[round->count++] = &items[i];
	}
	if (round->count)
		qsort(round->items, round->count, sizeof *round->items, folded ? compare_folded : compare_named);
	return 0;
}

static void pair(const struct round *base, struct match_item *a, const struct round *next, struct match_item *b, int folded,
		 int ambiguous)
{
	a->kind = b->kind = folded ? MATCH_FOLDED : MATCH_NAME;
	a->ambiguous = b->ambiguous = ambiguous;
	a->partner = (size_t)(b - next->first);
	b->partner = (size_t)(a - base->first);
}

/* End of the run that begins at `from` and is of one unit's name; `end` at most. */
static size_t unit_end(const struct round *round, size_t from, size_t end)
{
	size_t at = from + 1;
	while (at < end && strcmp(round->items[at]->unit_name, round->items[from]->unit_name) == 0)
		at++;
	return at;
}

static size_t key_end(const struct round *round, size_t from, int folded)
{
	size_t at = from + 1;
	while (at < round->count && compare_keys(round->items[from], round->items[at], folded) == 0)
		at++;
	return at;
}

static size_t count_alone(const struct round *round, size_t from, size_t end)
{
	size_t count = 0;
	for (size_t i = from; i < end; i++)
		count += round->items[i]->kind == MATCH_NONE;
	return count;
}

/* The runs [b, b_end) and [n, n_end) are of one key, and sorted by unit. */
static void pair_run(const struct round *base, size_t b, size_t b_end, const struct round *next, size_t n, size_t n_end,
		     int folded)
{
	for (size_t i = b, k = n; i < b_end && k < n_end;) {
		const int units = strcmp(base->items[i]->unit_name, next->items[k]->unit_name);
		if (units != 0) {
			i += units < 0;
			k += units > 0;
			continue;
		}
		const size_t i_end = unit_end(base, i, b_end), k_end = unit_end(next, k, n_end);
		const int ambiguous = i_end - i > 1 || k_end - k > 1;
		while (i < i_end && k < k_end)
			pair(base, base->items[i++], next, next->items[k++], folded, ambiguous);
		i = i_end;
		k = k_end;
	}
	const int ambiguous = count_alone(base, b, b_end) > 1 || count_alone(next, n, n_end) > 1;
	for (size_t i = b, k = n; i < b_end && k < n_end;) {
		if (base->items[i]->kind != MATCH_NONE)
			i++;
		else if (next->items[k]->kind != MATCH_NONE)
			k++;
		else
			pair(base, base->items[i++], next, next->items[k++], folded, ambiguous);
	}
}

static void pair_round(const struct round *base, const struct round *next, int folded)
{
	for (size_t b = 0, n = 0; b < base->count && n < next->count;) {
		const int order = compare_keys(base->items[b], next->items[n], folded);
		if (order != 0) {
			b += order < 0;
			n += order > 0;
			continue;
		}
		const size_t b_end = key_end(base, b, folded), n_end = key_end(next, n, folded);
		pair_run(base, b, b_end, next, n, n_end, folded);
		b = b_end;
		n = n_end;
	}
}

int match_items(struct match_item *base, size_t base_count, struct match_item *next, size_t next_count, struct error *err)
{
	int failed = 0;
	for (int folded = 0; folded < 2 && !failed; folded++) {
		struct round before = {0}, after = {0};
		failed = pick(&before, base, base_count, folded) || pick(&after, next, next_count, folded);
		if (!failed)
			pair_round(&before, &after, folded);
		free(before.items);
		free(after.items);
	}
	return failed ? error_set(err, ERROR_ENVIRONMENT, "out of memory") : 0;
}

void match_items_free(struct match_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(items[i].folded);
		items[i].folded = NULL;
	}
}
