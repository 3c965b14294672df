/* What is timed in turns: which cases of which entry points belong together. See interleave.h. */
#include "interleave_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_what(const struct case_record *a, int32_t artifact, int32_t dataset, uint64_t index, const char *entry_point)
{
	if (a->artifact != artifact)
		return a->artifact < artifact ? -1 : 1;
	if (a->dataset != dataset)
		return a->dataset < dataset ? -1 : 1;
	if (a->case_index != index)
		return a->case_index < index ? -1 : 1;
	return strcmp(a->entry_point, entry_point);
}

static int by_records(const void *a, const void *b)
{
	const struct case_record *const *left = a, *const *right = b;
	return by_what(*left, (*right)->artifact, (*right)->dataset, (*right)->case_index, (*right)->entry_point);
}

/* SIZE_MAX: the case was not among those that were verified. */
static size_t find_record(const struct side *side, int32_t artifact, int32_t dataset, uint64_t index, const char *entry_point)
{
	size_t low = 0, high = side->run->case_count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = by_what(side->sorted[middle], artifact, dataset, index, entry_point);
		if (order == 0)
			return (size_t)(side->sorted[middle] - side->run->cases);
		*(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
	}
	return SIZE_MAX;
}

static int sort_records(struct side *side, struct error *err)
{
	side->sorted = calloc(side->run->case_count + 1, sizeof *side->sorted);
	if (!side->sorted)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < side->run->case_count; i++)
		side->sorted[i] = &side->run->cases[i];
	qsort(side->sorted, side->run->case_count, sizeof *side->sorted, by_records);
	return 0;
}

static struct item *add_item(struct interleave *all, size_t source_index, struct error *err)
{
	if (all->item_count == all->item_capacity) {
		const size_t capacity = all->item_capacity ? 2 * all->item_capacity : 256;
		struct item *items = reallocarray(all->items, capacity, sizeof *items);
		if (items)
			all->items = items;
		struct place *places = items ? reallocarray(all->places, capacity * all->count, sizeof *places) : NULL;
		if (!places) {
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
			return NULL;
		}
		all->places = places;
		all->item_capacity = capacity;
		for (size_t i = 0; i < all->item_count; i++)
			items[i].places = places + i * all->count;
	}
	struct item *item = &all->items[all->item_count];
	*item = (struct item){source_index, all->places + all->item_count * all->count};
	memset(item->places, 0, all->count * sizeof *item->places);
	all->item_count++;
	return item;
}

static struct group *add_group(struct interleave *all, int is_operators, struct error *err)
{
	struct group *groups = reallocarray(all->groups, all->group_count + 1, sizeof *groups);
	if (!groups) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return NULL;
	}
	all->groups = groups;
	groups[all->group_count] = (struct group){.is_operators = is_operators, .first = all->item_count};
	return &groups[all->group_count++];
}

static void want(struct interleave *all, struct place *place, size_t index, const struct job *job, const struct job_entry *entry,
		 size_t source_index)
{
	const struct side *side = &all->sides[index];
	place->entry = entry;
	place->record = find_record(side, job->artifact, entry ? side->timed_dataset : side->attention_dataset, source_index,
				    entry ? entry->symbol : job->entry_point);
	place->is_wanted = place->record == SIZE_MAX || side->run->cases[place->record].judgement.status == STATUS_PASS;
}

static int is_attention(const struct job *job)
{
	return !job_is_operators(job) && !job->reason[0];
}

/* The n-th job of a side that has this entry point. */
static const struct job *nth_job(const struct side *side, const char *entry_point, size_t n)
{
	for (size_t i = 0; i < side->plan.count; i++)
		if (is_attention(&side->plan.jobs[i]) && strcmp(side->plan.jobs[i].entry_point, entry_point) == 0 && n-- == 0)
			return &side->plan.jobs[i];
	return NULL;
}

/* Host entry points: each archive is a group, with the archives of the same rank on the other sides. */
static int plan_attention(struct interleave *all, struct error *err)
{
	const struct case_set *set = &all->selection.attention;
	for (size_t s = 0; s < all->count && set->count; s++) {
		for (size_t j = 0; j < all->sides[s].plan.count; j++) {
			const struct job *job = &all->sides[s].plan.jobs[j];
			size_t rank = 0;
			int is_planned = 0;
			if (!is_attention(job))
				continue;
			for (size_t k = 0; k < j; k++)
				rank += is_attention(&all->sides[s].plan.jobs[k]) &&
					strcmp(all->sides[s].plan.jobs[k].entry_point, job->entry_point) == 0;
			for (size_t other = 0; other < s; other++)
				is_planned |= nth_job(&all->sides[other], job->entry_point, rank) != NULL;
			if (is_planned)
				continue;
			struct group *group = add_group(all, 0, err);
			if (!group)
				return -1;
			for (size_t other = s; other < all->count; other++)
				group->jobs[other] = nth_job(&all->sides[other], job->entry_point, rank);
			for (size_t i = 0; i < set->count; i++) {
				struct item *item = add_item(all, set->indices[i], err);
				if (!item)
					return -1;
				for (size_t other = s; other < all->count; other++)
					if (group->jobs[other])
						want(all, &item->places[other], other, group->jobs[other], NULL, item->source_index);
			}
			group->count = all->item_count - group->first;
		}
	}
	return 0;
}

/* The first that a side has: of two modules with the same kernel one is timed. */
static const struct job_entry *find_entry(const struct side *side, const char *symbol, const struct job **job)
{
	for (size_t j = 0; j < side->plan.count; j++)
		for (size_t i = 0; i < side->plan.jobs[j].entry_count; i++)
			if (side->plan.jobs[j].entries[i].family && strcmp(side->plan.jobs[j].entries[i].symbol, symbol) == 0) {
				*job = &side->plan.jobs[j];
				return &side->plan.jobs[j].entries[i];
			}
	return NULL;
}

static int is_operator_planned(const struct interleave *all, size_t before, const char *symbol)
{
	const struct job *job;
	for (size_t i = 0; i < before; i++)
		if (find_entry(&all->sides[i], symbol, &job))
			return 1;
	return 0;
}

static int fits(const struct group *group, const struct job *const *jobs, size_t count)
{
	if (group->entries >= ENTRIES_TOGETHER)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (jobs[i] && group->jobs[i] && jobs[i] != group->jobs[i])
			return 0;
	return 1;
}

/* Without a dataset of the user's one size is timed, as `assay run` does: what the host has to judge of a large one takes a
 * second. */
static struct entry_cases smallest_of(const struct cases_by_entry *cases, struct entry_cases all)
{
	struct entry_cases best = {all.first, 1};
	double least = (double)INFINITY;
	for (size_t i = all.first; i < all.first + all.count; i++) {
		const double work = case_set_work(cases->set, cases->sorted[i]);
		if (work < least) {
			least = work;
			best.first = i;
		}
	}
	return best;
}

static int plan_operator(struct interleave *all, size_t first, const struct job_entry *entry, struct group **last,
			 struct error *err)
{
	struct entry_cases cases = cases_by_entry_find(&all->timed, entry->symbol);
	const struct job *jobs[INTERLEAVE_SIDES_MAX] = {NULL};
	const struct job_entry *entries[INTERLEAVE_SIDES_MAX] = {NULL};
	if (!cases.count)
		return 0;
	if (!all->session.dataset)
		cases = smallest_of(&all->timed, cases);
	for (size_t i = first; i < all->count; i++)
		entries[i] = find_entry(&all->sides[i], entry->symbol, &jobs[i]);
	if (!*last || !fits(*last, jobs, all->count))
		*last = add_group(all, 1, err);
	struct group *group = *last;
	if (!group)
		return -1;
	for (size_t i = 0; i < all->count; i++)
		if (jobs[i])
			group->jobs[i] = jobs[i];
	group->entries++;
	for (size_t k = cases.first; k < cases.first + cases.count; k++) {
		struct item *item = add_item(all, all->timed.sorted[k], err);
		if (!item)
			return -1;
		for (size_t i = first; i < all->count; i++)
			if (entries[i])
				want(all, &item->places[i], i, jobs[i], entries[i], item->source_index);
	}
	group->count = all->item_count - group->first;
	return 0;
}

static int plan_operators(struct interleave *all, struct error *err)
{
	struct group *last = NULL;
	for (size_t s = 0; s < all->count && all->selection.timed.count; s++)
		for (size_t j = 0; j < all->sides[s].plan.count; j++)
			for (size_t i = 0; i < all->sides[s].plan.jobs[j].entry_count; i++) {
				const struct job_entry *entry = &all->sides[s].plan.jobs[j].entries[i];
				const struct job *job;
				if (!entry->family || is_operator_planned(all, s, entry->symbol) ||
				    find_entry(&all->sides[s], entry->symbol, &job) != entry)
					continue;
				if (plan_operator(all, s, entry, &last, err))
					return -1;
			}
	return 0;
}

static int open_side(struct interleave *all, struct side *side, int *attention, int *operators, struct error *err)
{
	const struct plan_options options = {.abi = all->session.abi, .donor = all->session.donor, .paths = side->given->paths,
					     .path_count = side->given->path_count};
	if (!side->is_here)
		return 0; /* its plan is empty: it has no part in any group */
	side->record = calloc(1, sizeof *side->record);
	side->symbols = calloc(ENTRIES_TOGETHER + 1, sizeof *side->symbols);
	if (!side->record || !side->symbols)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (plan_make(&side->plan, &options, &side->scratch, err) || sort_records(side, err))
		return -1;
	for (size_t i = 0; i < side->plan.count; i++)
		*(job_is_operators(&side->plan.jobs[i]) ? operators : attention) = 1;
	return 0;
}

/* Datasets are those of `assay run`: what it times. */
static int open_selection(struct interleave *all, int attention, int operators, struct error *err)
{
	struct session_options options = all->session;
	struct dataset_paths paths;
	options.kind = SESSION_RUN;
	if (dataset_paths_find(&options, attention, operators, &paths, err))
		return -1;
	const struct selection_options wanted = {
		.attention = paths.attention,
		.timed = paths.timed,
		.filters = options.filters,
		.filter_count = options.filter_count,
		.seed = (uint64_t)options.seed,
	};
	int result = selection_make(&all->selection, &wanted, NULL, err);
	for (size_t i = 0; result == 0 && i < all->count; i++) {
		struct side *side = &all->sides[i];
		if (!side->is_here)
			continue;
		if ((paths.attention && (side->attention_dataset = run_record_add_dataset(side->run, paths.attention, err)) < 0) ||
		    (paths.timed && (side->timed_dataset = run_record_add_dataset(side->run, paths.timed, err)) < 0))
			result = -1;
	}
	dataset_paths_free(&paths);
	return result;
}

int interleave_plan(struct interleave *all, struct error *err)
{
	int attention = 0, operators = 0;
	for (size_t i = 0; i < all->count; i++)
		if (open_side(all, &all->sides[i], &attention, &operators, err))
			return -1;
	if (open_selection(all, attention, operators, err)) {
		/* what was verified is there; the filter has left nothing of what is timed */
		if (err->kind != ERROR_INPUT || !all->session.filter_count)
			return -1;
		*err = (struct error){0};
		return 0;
	}
	if (cases_by_entry_make(&all->timed, &all->selection.timed, err) ||
	    plan_attention(all, err) || plan_operators(all, err))
		return -1;
	return 0;
}
