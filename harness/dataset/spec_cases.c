/* Cases of a section: the product of its axes, or a covering array of their pairs. */
#include "core/digest.h"
#include "dataset/spec_private.h"

#include <stdlib.h>
#include <string.h>

/* Does an exclusion hold, all of whose terms have a value in `row`? `newest` >= 0 looks only at those that name it. */
static int is_excluded(const struct section *section, const int32_t *row, int newest)
{
	for (size_t i = 0; i < section->exclusion_count; i++) {
		const struct exclusion *exclusion = &section->exclusions[i];
		int holds = 1, names_newest = newest < 0;
		for (int t = 0; t < exclusion->term_count && holds; t++) {
			const struct exclusion_term *term = &exclusion->terms[t];
			names_newest |= term->axis == newest;
			holds = row[term->axis] != UNSET && term->matches[row[term->axis]];
		}
		if (holds && names_newest)
			return 1;
	}
	return 0;
}

static int complete_from(struct section *section, int32_t *row, int axis)
{
	while (axis < section->axis_count && row[axis] != UNSET)
		axis++;
	if (axis == section->axis_count)
		return 1;
	int found = 0;
	for (size_t value = 0; value < section->axes[axis].count && !found; value++) {
		if (--section->steps_left < 0)
			break;
		row[axis] = (int32_t)value;
		found = !is_excluded(section, row, axis) && complete_from(section, row, axis + 1);
	}
	row[axis] = UNSET;
	return found;
}

int section_can_complete(struct section *section, int32_t *row)
{
	if (section->exclusion_count == 0)
		return 1;
	return !is_excluded(section, row, -1) && complete_from(section, row, 0);
}

static int append_row(struct section *section, const int32_t *row, size_t room, size_t *capacity, const char *file,
		      struct error *err)
{
	if (section->row_count >= room)
		return error_set(err, ERROR_INPUT, "%s:%d: with section [%s] the spec has more than %d cases; shorten a list, or "
				 "say `pairwise = yes`", file, section->line, section->name, SPEC_CASES_MAX);
	if (section->row_count == *capacity) {
		const size_t more = *capacity ? *capacity * 2 : 64;
		uint16_t *rows = realloc(section->rows, more * (size_t)section->axis_count * sizeof *rows);
		if (!rows)
			return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", file);
		section->rows = rows;
		*capacity = more;
	}
	uint16_t *to = section->rows + section->row_count++ * (size_t)section->axis_count;
	for (int axis = 0; axis < section->axis_count; axis++)
		to[axis] = (uint16_t)row[axis];
	return 0;
}

static int too_entangled(const struct section *section, const char *file, struct error *err)
{
	return error_set(err, ERROR_INPUT, "%s:%d: the exclusions of section [%s] leave too few cases to be found by trying; "
			 "split the section", file, section->line, section->name);
}

/* Odometer with the last axis fastest that turns back as soon as an exclusion holds. */
static int make_product(struct section *section, const char *file, size_t room, struct error *err)
{
	int32_t row[SPEC_AXES_MAX];
	size_t capacity = 0;
	int axis = 0;
	for (int i = 0; i < SPEC_AXES_MAX; i++)
		row[i] = UNSET;
	while (axis >= 0) {
		if (--section->steps_left < 0)
			return too_entangled(section, file, err);
		if ((size_t)++row[axis] == section->axes[axis].count) {
			row[axis--] = UNSET;
			continue;
		}
		if (is_excluded(section, row, axis))
			continue;
		if (axis + 1 < section->axis_count)
			axis++;
		else if (append_row(section, row, room, &capacity, file, err))
			return -1;
	}
	return 0;
}

/* A greedy covering array of strength 2 in the manner of AETG (Cohen, Dalal, Fredman, Patton: "The AETG system", IEEE
 * Trans. Softw. Eng. 23(7), 1997): a row starts from a pair that is not yet covered; the other axes follow in random
 * order, each with the value that covers most new pairs; the best of some candidates is kept. */
struct cover {
	struct section *section;
	unsigned char *open;  /* a byte for each pair: 1 while it is not covered */
	size_t base[SPEC_AXES_MAX][SPEC_AXES_MAX]; /* of the pairs of axes a < b; values va, vb at + va * count(b) + vb */
	size_t left[SPEC_AXES_MAX][SPEC_AXES_MAX]; /* open pairs of axes a < b */
	size_t cursor[SPEC_AXES_MAX][SPEC_AXES_MAX]; /* no pair before it is open */
	size_t open_count;
	uint64_t random;
	uint32_t *gain;       /* scratch: a number for each value of an axis */
};

static uint32_t draw(struct cover *cover, uint32_t bound)
{
	cover->random += DIGEST_KEY_0;
	return (uint32_t)((digest_mix(cover->random) >> 32) * bound >> 32);
}

static size_t pair_at(const struct cover *cover, int a, int b, int32_t va, int32_t vb)
{
	return a < b ? cover->base[a][b] + (size_t)va * cover->section->axes[b].count + (size_t)vb
		     : cover->base[b][a] + (size_t)vb * cover->section->axes[a].count + (size_t)va;
}

static void close_pair(struct cover *cover, int a, int b, int32_t va, int32_t vb)
{
	unsigned char *open = &cover->open[pair_at(cover, a, b, va, vb)];
	cover->open_count -= *open;
	cover->left[a][b] -= *open;
	*open = 0;
}

/* The value of `axis` that covers most open pairs with the axes that are set; ties are drawn. Values that an exclusion
 * forbids, or that leave no way to complete the row, are passed over. UNSET when there is none. */
static int32_t best_value(struct cover *cover, int32_t *row, int axis, uint32_t *gained)
{
	struct section *section = cover->section;
	const size_t count = section->axes[axis].count;
	uint32_t *gain = cover->gain;
	for (size_t value = 0; value < count; value++)
		gain[value] = 1; /* 0 marks a value that was passed over */
	for (int other = 0; other < section->axis_count; other++) {
		const int a = other < axis ? other : axis, b = other < axis ? axis : other;
		if (other == axis || row[other] == UNSET || cover->left[a][b] == 0)
			continue;
		for (size_t value = 0; value < count; value++)
			gain[value] += cover->open[pair_at(cover, axis, other, (int32_t)value, row[other])];
	}
	for (;;) {
		uint32_t most = 0, ties = 0;
		for (size_t value = 0; value < count; value++) {
			if (gain[value] > most) {
				most = gain[value];
				ties = 0;
			}
			ties += gain[value] == most;
		}
		if (most == 0)
			return UNSET;
		uint32_t skip = draw(cover, ties);
		size_t value = 0;
		while (gain[value] != most || skip-- > 0)
			value++;
		row[axis] = (int32_t)value;
		if (section_can_complete(section, row)) {
			*gained += most - 1;
			return (int32_t)value;
		}
		row[axis] = UNSET;
		gain[value] = 0;
	}
}

/* Completes `row` from its seed pair in `kept`; returns the pairs it covers besides, or -1 when it cannot be completed. */
static int64_t fill_row(struct cover *cover, int32_t *row)
{
	int order[SPEC_AXES_MAX], count = 0;
	uint32_t gained = 0;
	for (int axis = 0; axis < cover->section->axis_count; axis++) {
		if (row[axis] != UNSET)
			continue;
		const int at = (int)draw(cover, (uint32_t)++count);
		order[count - 1] = order[at];
		order[at] = axis;
	}
	for (int i = 0; i < count; i++)
		if (best_value(cover, row, order[i], &gained) == UNSET)
			return -1;
	return gained;
}

/* An open pair of the two axes that have most of them. */
static void next_seed(struct cover *cover, int *a, int *b, int32_t *va, int32_t *vb)
{
	*a = 0;
	*b = 1;
	for (int i = 0; i < cover->section->axis_count; i++)
		for (int j = i + 1; j < cover->section->axis_count; j++)
			if (cover->left[i][j] > cover->left[*a][*b]) {
				*a = i;
				*b = j;
			}
	size_t *cursor = &cover->cursor[*a][*b];
	while (!cover->open[cover->base[*a][*b] + *cursor])
		++*cursor;
	*va = (int32_t)(*cursor / cover->section->axes[*b].count);
	*vb = (int32_t)(*cursor % cover->section->axes[*b].count);
}

static int make_cover(struct cover *cover, const char *file, size_t room, int candidates, struct error *err)
{
	struct section *section = cover->section;
	size_t capacity = 0;
	while (cover->open_count) {
		int32_t best[SPEC_AXES_MAX], row[SPEC_AXES_MAX];
		int64_t best_gain = -1;
		int a, b;
		int32_t va, vb;
		next_seed(cover, &a, &b, &va, &vb);
		for (int candidate = 0; candidate < candidates; candidate++) {
			for (int axis = 0; axis < SPEC_AXES_MAX; axis++)
				row[axis] = UNSET;
			row[a] = va;
			row[b] = vb;
			if (!section_can_complete(section, row))
				break;
			const int64_t gain = fill_row(cover, row);
			if (gain > best_gain) {
				best_gain = gain;
				memcpy(best, row, sizeof best);
			}
		}
		if (section->steps_left < 0)
			return too_entangled(section, file, err);
		if (best_gain < 0) {
			close_pair(cover, a, b, va, vb); /* excluded */
			continue;
		}
		for (int i = 0; i < section->axis_count; i++)
			for (int j = i + 1; j < section->axis_count; j++)
				close_pair(cover, i, j, best[i], best[j]);
		if (append_row(section, best, room, &capacity, file, err))
			return -1;
	}
	return 0;
}

static int compare_rows(const void *left, const void *right, void *context)
{
	const uint16_t *a = left, *b = right;
	const int *axis_count = context;
	for (int axis = 0; axis < *axis_count; axis++)
		if (a[axis] != b[axis])
			return a[axis] < b[axis] ? -1 : 1;
	return 0;
}

static int make_pairwise(struct section *section, const char *file, size_t room, struct error *err)
{
	enum { CANDIDATES_MAX = 24 };
	struct cover cover = {.section = section};
	size_t pairs = 0, values = 0, most = 0, largest_axis = 0;
	int result = -1;
	for (int i = 0; i < section->axis_count; i++) {
		const size_t count = section->axes[i].count;
		values += count;
		largest_axis = count > largest_axis ? count : largest_axis;
		for (int j = i + 1; j < section->axis_count; j++) {
			const size_t here = count * section->axes[j].count;
			cover.base[i][j] = pairs;
			cover.left[i][j] = here;
			most = here > most ? here : most;
			pairs += here; /* at most 276 * 65535^2: no overflow */
		}
	}
	if (pairs > PAIRS_MAX)
		return error_set(err, ERROR_INPUT, "%s:%d: section [%s] has %zu pairs of values, more than the %d that are searched; "
				 "shorten its lists", file, section->line, section->name, pairs, PAIRS_MAX);
	cover.open_count = pairs;
	cover.open = malloc(pairs);
	cover.gain = malloc(largest_axis * sizeof *cover.gain);
	if (!cover.open || !cover.gain) {
		error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", file);
		goto done;
	}
	memset(cover.open, 1, pairs);
	for (const char *at = section->name; *at; at++)
		cover.random = digest_mix(cover.random + (unsigned char)*at);
	/* fewer candidates where rows are many and wide, so that the search stays within about a second */
	const size_t work = most * values * (size_t)section->axis_count;
	const size_t affordable = (size_t)500000000 / (work ? work : 1);
	const int candidates = affordable < 1 ? 1 : affordable > CANDIDATES_MAX ? CANDIDATES_MAX : (int)affordable;
	if (make_cover(&cover, file, room, candidates, err))
		goto done;
	if (section->row_count)
		qsort_r(section->rows, section->row_count, (size_t)section->axis_count * sizeof *section->rows, compare_rows,
			&section->axis_count);
	result = 0;
done:
	free(cover.open);
	free(cover.gain);
	return result;
}

int section_make_cases(struct section *section, const char *file, size_t room, struct error *err)
{
	section->steps_left = SEARCH_STEPS_MAX;
	const int pairwise = section->pairwise && section->axis_count >= 2;
	if (pairwise ? make_pairwise(section, file, room, err) : make_product(section, file, room, err))
		return -1;
	if (section->row_count == 0)
		return error_set(err, ERROR_INPUT, "%s:%d: the exclusions of section [%s] leave no case; take some out", file,
				 section->line, section->name);
	return 0;
}
