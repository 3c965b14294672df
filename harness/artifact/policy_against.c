/* Rules about what may have changed since an earlier build. */
#include "artifact/policy_private.h"
#include "core/util.h"

#include <stdlib.h>
#include <string.h>

static int check_removed(struct policy_look *look, const struct difference_names *names, const char *what)
{
	look->result->looked_at = (size_t)names->common + (size_t)names->removed_count;
	for (int i = 0; i < names->removed_count; i++)
		look_violation(look, NULL, NULL, names->removed[i], "the %s %s is gone", what, names->removed[i]);
	look_note(look, "all %d are still there", names->common);
	return 0;
}

int check_targets_removed(struct policy_look *look)
{
	return check_removed(look, &look->difference->targets, "target");
}

int check_entry_points_removed(struct policy_look *look)
{
	return check_removed(look, &look->difference->entry_points, "entry point");
}

int check_kernels_removed(struct policy_look *look)
{
	for (int k = 0; k < look->difference->kernel_count; k++) {
		const struct difference_kernel *kernel = &look->difference->kernels[k];
		if (kernel->state == KERNEL_ADDED)
			continue;
		look_at(look);
		if (kernel->state == KERNEL_REMOVED)
			look_violation(look, kernel->base_unit, kernel->name, kernel->target, "the kernel %s is gone for %s", kernel->name,
				       kernel->target);
	}
	look_note(look, "all %zu are still there", look->result->looked_at);
	return 0;
}

static const struct kernel_change *change_of(const struct difference_kernel *kernel, enum kernel_field field)
{
	for (int i = 0; i < kernel->change_count; i++)
		if (kernel->changes[i].field == field)
			return &kernel->changes[i];
	return NULL;
}

int check_parameters_changed(struct policy_look *look)
{
	for (int k = 0; k < look->difference->kernel_count; k++) {
		const struct difference_kernel *kernel = &look->difference->kernels[k];
		if (kernel->state != KERNEL_COMMON)
			continue;
		look_at(look);
		const struct kernel_change *change = change_of(kernel, FIELD_PARAMETERS);
		if (change)
			look_violation(look, kernel->unit, kernel->name, change->after_text, "the parameters of %s were %s and are %s", kernel->name,
				       change->before_text, change->after_text);
	}
	look_note(look, "the same in %zu kernel%s", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

int check_code_changed(struct policy_look *look)
{
	for (int k = 0; k < look->difference->kernel_count; k++) {
		const struct difference_kernel *kernel = &look->difference->kernels[k];
		if (kernel->state != KERNEL_COMMON || kernel->code == CODE_NOT_COMPARED)
			continue;
		look_at(look);
		if (kernel->code == CODE_DIFFERS)
			look_violation(look, kernel->unit, kernel->name, kernel->target, "the code of %s for %s is another", kernel->name,
				       kernel->target);
	}
	look_note(look, "identical in %zu kernel%s", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

/* The most that a figure grew; the kernel that did is named. */
static int check_growth(struct policy_look *look, enum kernel_field field, const char *what)
{
	const long long limit = strtoll(look->setting->values[0], NULL, 10);
	const struct difference_kernel *worst = NULL;
	long long most = 0;
	size_t over = 0;
	for (int k = 0; k < look->difference->kernel_count; k++) {
		const struct difference_kernel *kernel = &look->difference->kernels[k];
		if (kernel->state != KERNEL_COMMON || strncmp(kernel->target, "sm_", 3) != 0)
			continue;
		look_at(look);
		const struct kernel_change *change = change_of(kernel, field);
		const long long grown = change ? change->after - change->before : 0;
		over += grown > limit;
		if (grown > most) {
			most = grown;
			worst = kernel;
		}
	}
	if (over) {
		const struct kernel_change *change = change_of(worst, field);
		look_violation(look, worst->unit, worst->name, change->after_text, "%zu kernel%s more than %lld %s more; the worst (%s): %s to %s: %s",
			       over,
			       over == 1 ? " needs" : "s need", limit, what, worst->target, change->before_text, change->after_text, worst->name);
		look->result->violations = over;
	}
	look_note(look, "at most %lld more in %zu kernel%s", most, look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

int check_registers_growth(struct policy_look *look)
{
	return check_growth(look, FIELD_REGISTERS, "registers");
}

int check_spills_growth(struct policy_look *look)
{
	return check_growth(look, FIELD_SPILLS, "instructions that spill");
}

int check_size_growth(struct policy_look *look)
{
	const double percent = (double)strtoul(look->setting->values[0], NULL, 10);
	const double before = (double)look->difference->base_bytes, after = (double)look->difference->next_bytes;
	char value[32];
	look_at(look);
	snprintf(value, sizeof value, "%zu", look->difference->next_bytes);
	const double grown = before > 0 ? 100 * (after - before) / before : 100;
	if (!(grown <= percent))
		look_violation(look, NULL, NULL, value, "the file grew by %.1f %%, from %zu to %zu bytes", grown, look->difference->base_bytes,
			       look->difference->next_bytes);
	look_note(look, "%+.1f %%", grown);
	return 0;
}
