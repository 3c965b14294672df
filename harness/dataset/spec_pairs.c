/* Which pairs of axis values the cases of a family hold. */
#include "dataset/spec_private.h"

#include <stdlib.h>
#include <string.h>

enum {
	UNION_AXES_MAX = 64,
	UNION_PAIRS_MAX = 1 << 24,
	NAMES_MAX = 100
};

enum pair_state { COVERED = 1, LISTED = 2, POSSIBLE = 4 };

struct union_axis {
	const char *name;
	size_t count;
	const char **values; /* sorted; strings belong to the spec or the family */
};

struct counting {
	const struct spec *spec;
	const char *family;
	spec_default_of default_of;
	void *context;
	int axis_count;
	struct union_axis axes[UNION_AXES_MAX];
	size_t base[UNION_AXES_MAX][UNION_AXES_MAX];
	unsigned char *states;
};

/* A section in the terms of the union. */
struct section_view {
	int axis_of[UNION_AXES_MAX];           /* the section's axis, or -1 where it leaves it out */
	int32_t fixed[UNION_AXES_MAX];         /* its value where it is left out, or UNSET when it has none */
	int32_t *value_of[UNION_AXES_MAX];     /* from the section's values to the union's */
};

static int compare_strings(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int32_t find_value(const struct union_axis *axis, const char *value)
{
	const char **found = bsearch(&value, axis->values, axis->count, sizeof *axis->values, compare_strings);
	return found ? (int32_t)(found - axis->values) : UNSET;
}

static const struct value_list *find_list(const struct section *section, const char *axis)
{
	for (int i = 0; i < section->axis_count; i++)
		if (strcmp(section->axes[i].axis, axis) == 0)
			return &section->axes[i];
	return NULL;
}

static const char *default_value(const struct counting *counting, const char *axis)
{
	return counting->default_of ? counting->default_of(counting->family, axis, counting->context) : NULL;
}

static int is_member(const struct counting *counting, size_t section)
{
	return strcmp(counting->spec->sections[section].family, counting->family) == 0;
}

static int collect_axes(struct counting *counting, struct error *err)
{
	const struct spec *spec = counting->spec;
	for (size_t s = 0; s < spec->section_count; s++)
		for (int i = 0; is_member(counting, s) && i < spec->sections[s].axis_count; i++) {
			int known = 0;
			for (int axis = 0; axis < counting->axis_count && !known; axis++)
				known = strcmp(counting->axes[axis].name, spec->sections[s].axes[i].axis) == 0;
			if (known)
				continue;
			if (counting->axis_count == UNION_AXES_MAX)
				return error_set(err, ERROR_INPUT, "%s: family '%s' has more than %d axes", spec->name, counting->family,
						 UNION_AXES_MAX);
			counting->axes[counting->axis_count++].name = spec->sections[s].axes[i].axis;
		}
	if (counting->axis_count == 0)
		return error_set(err, ERROR_INPUT, "%s: no section is of family '%s'", spec->name, counting->family);
	return 0;
}

/* Sorted values of all sections, without repeats. */
static int collect_values(struct counting *counting, struct union_axis *axis, struct error *err)
{
	const struct spec *spec = counting->spec;
	size_t most = 0, distinct = 0;
	for (size_t s = 0; s < spec->section_count; s++) {
		const struct value_list *list = is_member(counting, s) ? find_list(&spec->sections[s], axis->name) : NULL;
		most += list ? list->count : 1;
	}
	axis->values = malloc(most * sizeof *axis->values);
	if (!axis->values)
		return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", spec->name);
	for (size_t s = 0; s < spec->section_count; s++) {
		if (!is_member(counting, s))
			continue;
		const struct value_list *list = find_list(&spec->sections[s], axis->name);
		const char *value = list ? NULL : default_value(counting, axis->name);
		if (value)
			axis->values[axis->count++] = value;
		for (size_t i = 0; list && i < list->count; i++)
			axis->values[axis->count++] = list->values[i];
	}
	qsort(axis->values, axis->count, sizeof *axis->values, compare_strings);
	for (size_t i = 0; i < axis->count; i++)
		if (distinct == 0 || strcmp(axis->values[distinct - 1], axis->values[i]) != 0)
			axis->values[distinct++] = axis->values[i];
	axis->count = distinct;
	return 0;
}

static int lay_out_pairs(struct counting *counting, size_t *total, struct error *err)
{
	size_t pairs = 0;
	for (int a = 0; a < counting->axis_count; a++)
		for (int b = a + 1; b < counting->axis_count; b++) {
			size_t here;
			counting->base[a][b] = pairs;
			if (size_mul(counting->axes[a].count, counting->axes[b].count, &here) || size_add(pairs, here, &pairs) ||
			    pairs > UNION_PAIRS_MAX)
				return error_set(err, ERROR_INPUT, "%s: more than %d pairs of axis values are not counted",
						 counting->spec->name, UNION_PAIRS_MAX);
		}
	counting->states = calloc(pairs ? pairs : 1, 1);
	if (!counting->states)
		return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", counting->spec->name);
	*total = pairs;
	return 0;
}

static void view_close(struct section_view *view)
{
	for (int axis = 0; axis < UNION_AXES_MAX; axis++)
		free(view->value_of[axis]);
}

static int view_open(struct section_view *view, const struct counting *counting, const struct section *section,
		     struct error *err)
{
	*view = (struct section_view){0};
	for (int axis = 0; axis < counting->axis_count; axis++) {
		const struct value_list *list = find_list(section, counting->axes[axis].name);
		const char *fixed = list ? NULL : default_value(counting, counting->axes[axis].name);
		view->axis_of[axis] = list ? (int)(list - section->axes) : -1;
		view->fixed[axis] = fixed ? find_value(&counting->axes[axis], fixed) : UNSET;
		if (!list)
			continue;
		view->value_of[axis] = malloc(list->count * sizeof *view->value_of[axis]);
		if (!view->value_of[axis]) {
			view_close(view);
			return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", counting->spec->name);
		}
		for (size_t i = 0; i < list->count; i++)
			view->value_of[axis][i] = find_value(&counting->axes[axis], list->values[i]);
	}
	return 0;
}

static unsigned char *state_of(const struct counting *counting, int a, int b, int32_t va, int32_t vb)
{
	return &counting->states[counting->base[a][b] + (size_t)va * counting->axes[b].count + (size_t)vb];
}

static void mark_covered(struct counting *counting, const struct section *section, const struct section_view *view,
			 const unsigned char *selected)
{
	for (size_t r = 0; r < section->row_count; r++) {
		int32_t values[UNION_AXES_MAX];
		if (selected && !selected[section->first + r])
			continue;
		const uint16_t *row = section->rows + r * (size_t)section->axis_count;
		for (int axis = 0; axis < counting->axis_count; axis++)
			values[axis] = view->axis_of[axis] < 0 ? view->fixed[axis] : view->value_of[axis][row[view->axis_of[axis]]];
		for (int a = 0; a < counting->axis_count; a++)
			for (int b = a + 1; values[a] != UNSET && b < counting->axis_count; b++)
				if (values[b] != UNSET)
					*state_of(counting, a, b, values[a], values[b]) |= COVERED;
	}
}

/* Marks the pairs that the section lists, and of those not covered the ones that its exclusions leave possible. */
static void mark_listed(struct counting *counting, struct section *section, const struct section_view *view, int a, int b)
{
	const int axis_a = view->axis_of[a], axis_b = view->axis_of[b];
	const size_t count_a = axis_a < 0 ? view->fixed[a] != UNSET : section->axes[axis_a].count;
	const size_t count_b = axis_b < 0 ? view->fixed[b] != UNSET : section->axes[axis_b].count;
	int32_t row[SPEC_AXES_MAX];
	for (int axis = 0; axis < SPEC_AXES_MAX; axis++)
		row[axis] = UNSET;
	for (size_t i = 0; i < count_a; i++)
		for (size_t j = 0; j < count_b; j++) {
			const int32_t va = axis_a < 0 ? view->fixed[a] : view->value_of[a][i];
			const int32_t vb = axis_b < 0 ? view->fixed[b] : view->value_of[b][j];
			unsigned char *state = state_of(counting, a, b, va, vb);
			*state |= LISTED;
			if (*state & (COVERED | POSSIBLE))
				continue;
			if (axis_a >= 0)
				row[axis_a] = (int32_t)i;
			if (axis_b >= 0)
				row[axis_b] = (int32_t)j;
			if (section_can_complete(section, row))
				*state |= POSSIBLE;
		}
}

static void sum_up(const struct counting *counting, struct spec_pairs *pairs, struct text *names)
{
	size_t named = 0;
	for (int a = 0; a < counting->axis_count; a++)
		for (int b = a + 1; b < counting->axis_count; b++)
			for (size_t va = 0; va < counting->axes[a].count; va++)
				for (size_t vb = 0; vb < counting->axes[b].count; vb++) {
					const unsigned char state = *state_of(counting, a, b, (int32_t)va, (int32_t)vb);
					const int is_missing = !(state & COVERED) && (state & POSSIBLE);
					const int is_apart = !(state & (COVERED | LISTED));
					pairs->total++;
					pairs->covered += (state & COVERED) != 0;
					pairs->missing += (size_t)is_missing;
					pairs->apart += (size_t)is_apart;
					pairs->excluded += (state & (COVERED | LISTED | POSSIBLE)) == LISTED;
					if (names && (is_missing || is_apart) && named++ < NAMES_MAX)
						text_append(names, "%s=%s %s=%s\n", counting->axes[a].name, counting->axes[a].values[va],
							    counting->axes[b].name, counting->axes[b].values[vb]);
				}
}

int spec_count_pairs(const struct spec *spec, const char *family, const unsigned char *selected,
		     spec_default_of default_of, void *context, struct spec_pairs *pairs, struct text *names,
		     struct error *err)
{
	struct counting counting = {.spec = spec, .family = family, .default_of = default_of, .context = context};
	struct section_view view;
	size_t total;
	int result = -1;
	*pairs = (struct spec_pairs){0};
	if (collect_axes(&counting, err))
		goto done;
	for (int axis = 0; axis < counting.axis_count; axis++)
		if (collect_values(&counting, &counting.axes[axis], err))
			goto done;
	if (lay_out_pairs(&counting, &total, err))
		goto done;
	/* all that is covered first: only what remains needs a search */
	for (int listed = 0; listed < 2; listed++)
		for (size_t s = 0; s < spec->section_count; s++) {
			if (!is_member(&counting, s))
				continue;
			struct section section = spec->sections[s]; /* a copy, for the search to count its steps in */
			section.steps_left = SEARCH_STEPS_MAX;
			if (view_open(&view, &counting, &section, err))
				goto done;
			if (!listed)
				mark_covered(&counting, &section, &view, selected);
			for (int a = 0; listed && a < counting.axis_count; a++)
				for (int b = a + 1; b < counting.axis_count; b++)
					mark_listed(&counting, &section, &view, a, b);
			view_close(&view);
			if (section.steps_left < 0) {
				error_set(err, ERROR_INPUT, "%s:%d: the exclusions of section [%s] are too many to tell which pairs they "
					  "leave possible; split the section", spec->name, section.line, section.name);
				goto done;
			}
		}
	sum_up(&counting, pairs, names);
	result = 0;
done:
	for (int axis = 0; axis < counting.axis_count; axis++)
		free(counting.axes[axis].values);
	free(counting.states);
	return result;
}
