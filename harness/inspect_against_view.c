/* What differs between two artifacts, as text and as JSON. */
#include "artifact/demangle.h"
#include "inspect_against.h"
#include "inspect_format.h"
#include "inspect_json_values.h"

#include <stdlib.h>
#include <string.h>

enum { LABEL_WIDTH = 14, MOST_NAMES = 6, MOST_KERNELS = 3, MOST_CHANGED = 3 };

static const char *colour_good = "\033[32m", *colour_bad = "\033[31m", *colour_off = "\033[0m";

struct view {
	const struct difference *difference;
	struct text *out;
	int all, colour;
};

static void clean(struct text *out, const char *text)
{
	cli_append_clean(out, text, strlen(text));
}

static void label(struct view *view, const char *text)
{
	text_append(view->out, "  %-*s", LABEL_WIDTH, text);
}

static void painted(struct view *view, const char *colour, const char *text)
{
	text_append(view->out, "%s%s%s", view->colour ? colour : "", text, view->colour ? colour_off : "");
}

static void sizes(struct view *view, size_t before, size_t after)
{
	format_size(view->out, before);
	if (before == after) {
		text_append(view->out, ", the same");
		return;
	}
	text_append(view->out, " -> ");
	format_size(view->out, after);
	if (before)
		text_append(view->out, " (%+.1f %%)", 100 * ((double)after - (double)before) / (double)before);
}

static void some_names(struct view *view, struct text *line, char *const *names, int count, const char *sign)
{
	const int most = view->all ? count : MOST_NAMES;
	for (int i = 0; i < count && i < most; i++) {
		text_append(line, " %s", sign);
		format_name(line, names[i]);
	}
	if (count > most)
		text_append(line, " %s%d more", sign, count - most);
}

static void show_names(struct view *view, const char *what, const struct difference_names *names)
{
	if (!names->common && !names->added_count && !names->removed_count)
		return;
	label(view, what);
	if (!names->added_count && !names->removed_count) {
		text_append(view->out, "the same %d\n", names->common);
		return;
	}
	struct text line = {0};
	text_append(&line, "%d common;", names->common);
	some_names(view, &line, names->removed, names->removed_count, "-");
	some_names(view, &line, names->added, names->added_count, "+");
	format_flow(view->out, line.data ? line.data : "", LABEL_WIDTH + 2);
	view->out->failed |= line.failed;
	text_free(&line);
}

static void show_facts(struct view *view)
{
	const struct difference *difference = view->difference;
	int same = 0;
	for (int i = 0; i < difference->fact_count; i++) {
		const struct difference_fact *fact = &difference->facts[i];
		same += fact->same;
		if (fact->same)
			continue;
		struct text line = {0};
		text_append(&line, "%s: %s -> %s", fact->what, fact->before, fact->after);
		label(view, "made");
		format_flow(view->out, line.data ? line.data : "", LABEL_WIDTH + 2);
		view->out->failed |= line.failed;
		text_free(&line);
	}
	if (!same)
		return;
	struct text line = {0};
	text_append(&line, "the same: ");
	for (int i = 0, shown = 0; i < difference->fact_count; i++)
		if (difference->facts[i].same)
			text_append(&line, "%s%s", shown++ ? ", " : "", difference->facts[i].what);
	label(view, "made");
	format_flow(view->out, line.data ? line.data : "", LABEL_WIDTH + 2);
	view->out->failed |= line.failed;
	text_free(&line);
}

/* Of how many common kernels a figure changed, and by how much at most. */
static void show_figures(struct view *view, const struct difference_target *target)
{
	for (int field = 0; field < FIELD_COUNT; field++) {
		const struct kernel_change *most = NULL;
		int more = 0, fewer = 0;
		for (int k = 0; k < view->difference->kernel_count; k++) {
			const struct difference_kernel *kernel = &view->difference->kernels[k];
			for (int c = 0; c < kernel->change_count && strcmp(kernel->target, target->name) == 0; c++) {
				const struct kernel_change *change = &kernel->changes[c];
				if ((int)change->field != field)
					continue;
				more += change->after >= change->before;
				fewer += change->after < change->before;
				if (!most || change->after - change->before > most->after - most->before)
					most = change;
			}
		}
		if (!most || field == FIELD_CODE)
			continue;
		label(view, "");
		text_append(view->out, "%s: ", kernel_field_name((enum kernel_field)field));
		if (more)
			text_append(view->out, "more in %d%s", more, fewer ? ", " : "");
		if (fewer)
			text_append(view->out, "fewer in %d", fewer);
		text_append(view->out, more ? " (at most %s -> %s)\n" : " (%s -> %s)\n", most->before_text, most->after_text);
	}
}

static void show_target(struct view *view, const struct difference_target *target)
{
	struct text *out = view->out;
	label(view, target->name);
	if (!target->base_images || !target->next_images) {
		painted(view, target->base_images ? colour_bad : colour_good, target->base_images ? "only in the base" : "only in the new one");
		text_append(out, ": %d %s in %d %s\n", target->base_kernels + target->next_kernels,
			    plural(target->base_kernels + target->next_kernels, "kernel", "kernels"),
			    target->base_images + target->next_images,
			    plural(target->base_images + target->next_images, "image", "images"));
		return;
	}
	text_append(out, "%d common %s: ", target->common, plural(target->common, "kernel", "kernels"));
	if (target->common && target->identical == target->common) {
		painted(view, colour_good, "code identical in all");
	} else {
		text_append(out, "code identical in %d", target->identical);
		if (target->differing) {
			text_append(out, ", ");
			char words[48];
			snprintf(words, sizeof words, "other in %d", target->differing);
			painted(view, colour_bad, words);
		}
		if (target->not_compared)
			text_append(out, ", not compared in %d", target->not_compared);
	}
	text_append(out, "; figures changed in %d; %d added, %d removed\n", target->changed, target->added, target->removed);
	label(view, "");
	text_append(out, "stored ");
	sizes(view, target->base_stored, target->next_stored);
	if (target->base_code || target->next_code) {
		text_append(out, "; code ");
		sizes(view, target->base_code, target->next_code);
	}
	text_append(out, "\n");
	if (target->changed)
		show_figures(view, target);
}

/* Whether both sides are built for the kernel's target; where one is not, that says it all. */
static int target_is_common(const struct view *view, const struct difference_kernel *kernel)
{
	for (int i = 0; i < view->difference->target_count; i++)
		if (strcmp(view->difference->target[i].name, kernel->target) == 0)
			return view->difference->target[i].base_images && view->difference->target[i].next_images;
	return 0;
}

static void show_only(struct view *view, enum kernel_state state, const char *what)
{
	int count = 0, shown = 0;
	for (int k = 0; k < view->difference->kernel_count; k++)
		count += view->difference->kernels[k].state == state && target_is_common(view, &view->difference->kernels[k]);
	if (!count)
		return;
	for (int k = 0; k < view->difference->kernel_count; k++) {
		const struct difference_kernel *kernel = &view->difference->kernels[k];
		if (kernel->state != state || (shown == MOST_KERNELS && !view->all) || !target_is_common(view, kernel))
			continue;
		label(view, shown++ ? "" : what);
		struct text line = {0};
		format_name(&line, kernel->name);
		text_append(view->out, "%-12s", kernel->target);
		format_flow(view->out, line.data ? line.data : "", LABEL_WIDTH + 14);
		view->out->failed |= line.failed;
		text_free(&line);
	}
	if (shown < count) {
		label(view, "");
		text_append(view->out, "and %d more: --all shows them\n", count - shown);
	}
}

/* How much worse a kernel became; the worst are shown. Spills cost more than registers, other figures least. */
static double badness(const struct difference_kernel *kernel)
{
	double sum = kernel->code == CODE_DIFFERS ? 1e-3 : 0;
	for (int c = 0; c < kernel->change_count; c++) {
		const struct kernel_change *change = &kernel->changes[c];
		const double grown = (double)change->after - (double)change->before;
		sum += change->field == FIELD_PARAMETERS   ? 1e9
		       : change->field == FIELD_SPILLS     ? 100 * (grown < 0 ? -grown / 1000 : grown) + 1
		       : change->field == FIELD_REGISTERS  ? 10 * (grown < 0 ? -grown / 1000 : grown) + 1
		       : change->field == FIELD_CODE       ? 1e-2
							   : 1;
	}
	return sum;
}

static int compare_badness(const void *left, const void *right)
{
	const struct difference_kernel *a = *(const struct difference_kernel *const *)left,
				       *b = *(const struct difference_kernel *const *)right;
	const double x = badness(a), y = badness(b);
	if (x != y)
		return x > y ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void show_changed_kernel(struct view *view, const struct difference_kernel *kernel)
{
	struct text line = {0}, *out = &line;
	text_append(view->out, "%-12s", kernel->target);
	for (int c = 0, shown = 0; c < kernel->change_count; c++) {
		const struct kernel_change *change = &kernel->changes[c];
		text_append(out, "%s%s %s -> %s", shown++ ? ", " : "", kernel_field_name(change->field), change->before_text,
			    change->after_text);
	}
	if (kernel->code == CODE_DIFFERS)
		text_append(out, "%scode differs", kernel->change_count ? ", " : "");
	if (kernel->code == CODE_DIFFERS && strncmp(kernel->target, "sm_", 3) == 0)
		text_append(out, " from instruction %zu on", kernel->first_instruction);
	text_append(out, ": ");
	format_name(out, kernel->name);
	if (kernel->base_name) {
		text_append(out, " (was ");
		clean(out, kernel->base_name);
		text_append(out, ")");
	}
	format_flow(view->out, line.data ? line.data : "", LABEL_WIDTH + 14);
	view->out->failed |= line.failed;
	text_free(&line);
}

static void show_changed(struct view *view)
{
	const struct difference *difference = view->difference;
	const struct difference_kernel **changed = malloc(((size_t)difference->kernel_count + 1) * sizeof *changed);
	int count = 0;
	if (!changed) {
		view->out->failed = 1;
		return;
	}
	for (int k = 0; k < difference->kernel_count; k++) {
		const struct difference_kernel *kernel = &difference->kernels[k];
		if (kernel->state == KERNEL_COMMON && (kernel->change_count || kernel->code == CODE_DIFFERS))
			changed[count++] = kernel;
	}
	if (count)
		qsort(changed, (size_t)count, sizeof *changed, compare_badness);
	const int most = view->all ? count : MOST_CHANGED;
	for (int i = 0; i < count && i < most; i++) {
		label(view, i ? "" : "changed");
		show_changed_kernel(view, changed[i]);
	}
	if (count > most) {
		label(view, "");
		text_append(view->out, "and %d more: --all shows them\n", count - most);
	}
	free(changed);
}

/* By name alone, whatever they are built for. The names are listed where no target is common; else they are below. */
static void show_kernel_names(struct view *view)
{
	const struct difference_names *names = &view->difference->names;
	int common_targets = 0;
	for (int i = 0; i < view->difference->target_count; i++)
		common_targets += view->difference->target[i].base_images && view->difference->target[i].next_images;
	if (!common_targets || (!names->added_count && !names->removed_count)) {
		show_names(view, "kernels", names);
		return;
	}
	label(view, "kernels");
	text_append(view->out, "%d names common, %d removed, %d added\n", names->common, names->removed_count, names->added_count);
}

void against_text(const struct difference *difference, int all, int colour, struct text *out)
{
	struct view view = {difference, out, all, colour};
	clean(out, difference->base->path);
	text_append(out, " -> ");
	clean(out, difference->next->path);
	text_append(out, "\n");
	label(&view, "file");
	sizes(&view, difference->base_bytes, difference->next_bytes);
	text_append(out, "\n");
	show_facts(&view);
	show_names(&view, "targets", &difference->targets);
	show_names(&view, "units", &difference->units);
	show_names(&view, "entry points", &difference->entry_points);
	show_kernel_names(&view);
	for (int i = 0; i < difference->target_count; i++)
		show_target(&view, &difference->target[i]);
	show_only(&view, KERNEL_REMOVED, "removed");
	show_only(&view, KERNEL_ADDED, "added");
	show_changed(&view);
	if (difference_is_empty(difference)) {
		label(&view, "verdict");
		painted(&view, colour_good, "nothing that was compared differs");
		text_append(out, "\n");
	}
}

/* ---- JSON ---- */

static json_t *names_json(struct builder *builder, const struct difference_names *names)
{
	json_t *object = json_object(), *added = json_array(), *removed = json_array();
	for (int i = 0; i < names->added_count; i++)
		json_add(builder, added, text_or_null(names->added[i]));
	for (int i = 0; i < names->removed_count; i++)
		json_add(builder, removed, text_or_null(names->removed[i]));
	json_put(builder, object, "common", json_integer(names->common));
	json_put(builder, object, "added", added);
	json_put(builder, object, "removed", removed);
	return object;
}

/* "spill instructions" is spelled spill_instructions there. */
static void key_of(const char *name, char *key, size_t size)
{
	snprintf(key, size, "%s", name);
	for (char *at = key; *at; at++)
		*at = *at == ' ' ? '_' : *at;
}

static json_t *kernel_json(struct builder *builder, const struct difference_kernel *kernel)
{
	static const char *const states[] = {"common", "added", "removed"};
	json_t *object = json_object(), *changes = json_object();
	char *plain = demangle(kernel->name);
	json_put(builder, object, "state", json_string(states[kernel->state]));
	json_put(builder, object, "target", json_string(kernel->target));
	json_put(builder, object, "name", text_or_null(kernel->name));
	json_put(builder, object, "demangled", plain ? text_or_null(plain) : NULL);
	json_put(builder, object, "base_name", text_or_null(kernel->base_name));
	json_put(builder, object, "unit", text_or_null(kernel->unit));
	json_put(builder, object, "base_unit", text_or_null(kernel->base_unit));
	free(plain);
	if (kernel->state != KERNEL_COMMON)
		return json_decref(changes), object;
	json_put(builder, object, "code",
		 kernel->code == CODE_NOT_COMPARED ? json_null() : json_string(kernel->code == CODE_IDENTICAL ? "identical" : "differs"));
	json_put(builder, object, "first_instruction",
		 kernel->code == CODE_DIFFERS && strncmp(kernel->target, "sm_", 3) == 0 ? json_integer((json_int_t)kernel->first_instruction)
											  : json_null());
	for (int c = 0; c < kernel->change_count; c++) {
		const struct kernel_change *change = &kernel->changes[c];
		char key[48];
		key_of(kernel_field_name(change->field), key, sizeof key);
		json_put(builder, changes, key, json_pack("{s:s, s:s}", "base", change->before_text, "new", change->after_text));
	}
	json_put(builder, object, "changes", changes);
	return object;
}

static json_t *target_json(struct builder *builder, const struct difference_target *target)
{
	const struct {
		const char *key;
		size_t base, next;
	} pairs[] = {{"images", (size_t)target->base_images, (size_t)target->next_images},
		     {"kernels", (size_t)target->base_kernels, (size_t)target->next_kernels},
		     {"stored_bytes", target->base_stored, target->next_stored},
		     {"code_bytes", target->base_code, target->next_code}};
	json_t *object = json_object();
	json_put(builder, object, "target", json_string(target->name));
	for (size_t i = 0; i < ARRAY_COUNT(pairs); i++)
		json_put(builder, object, pairs[i].key,
			 json_pack("{s:I, s:I}", "base", (json_int_t)pairs[i].base, "new", (json_int_t)pairs[i].next));
	json_put(builder, object, "common", json_integer(target->common));
	json_put(builder, object, "added", json_integer(target->added));
	json_put(builder, object, "removed", json_integer(target->removed));
	json_put(builder, object, "identical", json_integer(target->identical));
	json_put(builder, object, "differing", json_integer(target->differing));
	json_put(builder, object, "not_compared", json_integer(target->not_compared));
	json_put(builder, object, "figures_changed", json_integer(target->changed));
	return object;
}

json_t *against_json(const struct difference *difference)
{
	struct builder builder = {0};
	json_t *object = json_object(), *facts = json_array(), *targets = json_array(), *kernels = json_array();
	json_put(&builder, object, "base", text_or_null(difference->base->path));
	json_put(&builder, object, "new", text_or_null(difference->next->path));
	json_put(&builder, object, "same", json_boolean(difference_is_empty(difference)));
	json_put(&builder, object, "bytes",
		 json_pack("{s:I, s:I}", "base", (json_int_t)difference->base_bytes, "new", (json_int_t)difference->next_bytes));
	json_put(&builder, object, "targets", names_json(&builder, &difference->targets));
	json_put(&builder, object, "units", names_json(&builder, &difference->units));
	json_put(&builder, object, "entry_points", names_json(&builder, &difference->entry_points));
	json_put(&builder, object, "kernel_names", names_json(&builder, &difference->names));
	for (int i = 0; i < difference->fact_count; i++) {
		json_t *fact = json_object();
		json_put(&builder, fact, "what", json_string(difference->facts[i].what));
		json_put(&builder, fact, "same", json_boolean(difference->facts[i].same));
		json_put(&builder, fact, "base", text_or_null(difference->facts[i].before));
		json_put(&builder, fact, "new", text_or_null(difference->facts[i].after));
		json_add(&builder, facts, fact);
	}
	json_put(&builder, object, "facts", facts);
	for (int i = 0; i < difference->target_count; i++)
		json_add(&builder, targets, target_json(&builder, &difference->target[i]));
	json_put(&builder, object, "by_target", targets);
	for (int i = 0; i < difference->kernel_count; i++)
		json_add(&builder, kernels, kernel_json(&builder, &difference->kernels[i]));
	json_put(&builder, object, "kernels", kernels);
	if (!builder.failed)
		return object;
	json_decref(object);
	return NULL;
}
