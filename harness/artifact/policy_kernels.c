/* Budgets of groups of kernels. */
#include "artifact/demangle.h"
#include "artifact/policy_private.h"
#include "core/util.h"

#include <stdlib.h>
#include <string.h>

/* One kernel of the group. `value` is what the rule is about; -1: not stated for it. */
struct member {
	const struct artifact_unit *unit;
	const struct artifact_image *image;
	const char *name;
	const struct cubin_kernel *sass; /* one of the two */
	const struct ptx_entry *ptx;
};

/* Whether one of the group's patterns names it: 1, 0, or -1 when memory runs out. glob_match rather than fnmatch: C++ names
 * hold brackets, and it takes no exponential time. */
static int is_member(const struct policy_look *look, const char *name)
{
	char *plain = NULL;
	int found = 0;
	for (int i = 0; i < look->policy->count && !found; i++) {
		const struct policy_setting *setting = &look->policy->settings[i];
		if (!setting->group || strcmp(setting->group, look->setting->group) != 0 || strcmp(setting->rule->key, "pattern") != 0)
			continue;
		for (int v = 0; v < setting->value_count && !found; v++) {
			found = glob_match(setting->values[v], name);
			if (!found && !plain && !(plain = demangle(name)))
				return -1;
			found = found || glob_match(setting->values[v], plain);
		}
	}
	free(plain);
	return found;
}

/* Calls `visit` for every kernel of the group: those of SASS, and of PTX where a unit has no SASS. */
static int for_each(struct policy_look *look, void (*visit)(struct policy_look *look, const struct member *member, void *context),
		    void *context)
{
	for (int u = 0; u < look->artifact->unit_count; u++)
		for (int i = 0; i < look->artifact->units[u].image_count; i++) {
			const struct artifact_unit *unit = &look->artifact->units[u];
			const struct artifact_image *image = &unit->images[i];
			for (int k = 0; k < image->cubin.kernel_count + image->ptx.entry_count; k++) {
				struct member member = {.unit = unit, .image = image};
				if (k < image->cubin.kernel_count)
					member.sass = &image->cubin.kernels[k];
				else
					member.ptx = &image->ptx.entries[k - image->cubin.kernel_count];
				member.name = member.sass ? member.sass->name : member.ptx->name;
				const int is = is_member(look, member.name);
				if (is < 0) {
					look->out_of_memory = 1;
					return 0;
				}
				if (is)
					visit(look, &member, context);
			}
		}
	return 0;
}

/* A figure of a kernel with an upper limit. */
struct budget {
	const char *what;                                 /* "registers" */
	long long (*figure)(const struct member *member); /* -1: not stated */
	long long limit, worst;
	struct member worst_member;
	size_t over;
};

static void weigh(struct policy_look *look, const struct member *member, void *context)
{
	struct budget *budget = context;
	const long long figure = budget->figure(member);
	if (figure < 0)
		return;
	look_at(look);
	budget->over += figure > budget->limit;
	if (figure > budget->worst || !budget->worst_member.unit) {
		budget->worst = figure;
		budget->worst_member = *member;
	}
}

static int check_budget(struct policy_look *look, const char *what, const char *unlimited, long long (*figure)(const struct member *))
{
	struct budget budget = {.what = what, .figure = figure, .limit = (long long)policy_size_value(look->setting->values[0]), .worst = -1};
	if (for_each(look, weigh, &budget))
		return -1;
	if (!look->result->looked_at) {
		look_nothing(look, "no kernel of that name states its %s", what);
		return 0;
	}
	char value[32], target[24];
	snprintf(value, sizeof value, "%lld", budget.worst);
	if (budget.worst == UINT32_MAX)
		snprintf(value, sizeof value, "%s", unlimited);
	fatbin_entry_target(&budget.worst_member.image->entry, target);
	if (budget.over) {
		look_violation(look, budget.worst_member.unit->name, budget.worst_member.name, value,
			       "%zu of %zu kernels are above it; the worst (%s in %s) has %s %s: %s", budget.over, look->result->looked_at,
			       target, budget.worst_member.unit->name, value, what, budget.worst_member.name);
		look->result->violations = budget.over;
	}
	look_note(look, "at most %s in %zu kernel%s", value, look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

static long long registers_of(const struct member *member)
{
	return member->sass ? member->sass->registers : -1;
}

/* As ptxas marked them; older toolkits only let loads and stores of local memory be counted, which hold the spills. */
static long long spills_of(const struct member *member)
{
	if (!member->sass)
		return -1;
	return member->sass->spill_instructions >= 0 ? member->sass->spill_instructions : member->sass->local_accesses;
}

/* Unknown (recursion) is above every limit. */
static long long stack_of(const struct member *member)
{
	if (!member->sass)
		return -1;
	return member->sass->frame_bytes > member->sass->stack_bytes ? member->sass->frame_bytes : member->sass->stack_bytes;
}

static long long shared_of(const struct member *member)
{
	return member->sass ? (long long)member->sass->shared_bytes : -1;
}

static long long code_of(const struct member *member)
{
	return member->sass ? (long long)member->sass->code_size : -1;
}

int check_registers(struct policy_look *look)
{
	return check_budget(look, "registers", "", registers_of);
}

int check_spills(struct policy_look *look)
{
	return check_budget(look, "instructions that spill", "", spills_of);
}

int check_stack(struct policy_look *look)
{
	return check_budget(look, "bytes of stack", "an unknown number (recursion) of", stack_of);
}

int check_shared(struct policy_look *look)
{
	return check_budget(look, "bytes of static shared memory", "", shared_of);
}

int check_code(struct policy_look *look)
{
	return check_budget(look, "bytes of machine code", "", code_of);
}

static void compare_parameters(struct policy_look *look, const struct member *member, void *context)
{
	const unsigned bytes = member->sass ? member->sass->parameter_bytes : member->ptx->parameter_bytes;
	int right = 0;
	char value[16];
	(void)context;
	look_at(look);
	for (int v = 0; v < look->setting->value_count; v++)
		right |= strtoul(look->setting->values[v], NULL, 10) == bytes;
	snprintf(value, sizeof value, "%u", bytes);
	if (!right)
		look_violation(look, member->unit->name, member->name, value, "%s takes %u bytes of parameters in %s", member->name, bytes,
			       member->unit->name);
}

int check_parameter_bytes(struct policy_look *look)
{
	if (for_each(look, compare_parameters, NULL))
		return -1;
	if (look->result->looked_at)
		look_note(look, "so many in %zu kernel%s", look->result->looked_at, PLURAL(look->result->looked_at));
	return 0;
}

static void count(struct policy_look *look, const struct member *member, void *context)
{
	(void)look;
	(void)member;
	++*(size_t *)context;
}

int check_required(struct policy_look *look)
{
	size_t found = 0, kernels = 0;
	for (int u = 0; u < look->artifact->unit_count; u++)
		for (int i = 0; i < look->artifact->units[u].image_count; i++)
			kernels += (size_t)(look->artifact->units[u].images[i].cubin.kernel_count +
					    look->artifact->units[u].images[i].ptx.entry_count);
	if (!kernels)
		return 0;
	if (for_each(look, count, &found))
		return -1;
	look_at(look);
	if (!found)
		look_violation(look, NULL, NULL, "0", "none of its %zu kernels has such a name", kernels);
	look_note(look, "%zu of its %zu kernel%s", found, kernels, PLURAL(kernels));
	return 0;
}
