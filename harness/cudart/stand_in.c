/* Device code of another archive in place of what the host code registers: which kernel and which variable it is. The pairs of
 * kernels are made by donor.c; variables are found here, since host code says only when it registers them that it knows them. */
#include "cudart/shim.h"

#include "artifact/demangle.h"
#include "artifact/fold_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int shim_stand_in_open(struct shim *shim, const struct cudart_stand_in *stand_in)
{
	if (!stand_in)
		return 0;
	shim->stand_ins = calloc(stand_in->container_count + 1, sizeof *shim->stand_ins);
	if (!shim->stand_ins)
		return -1;
	for (size_t i = 0; i < stand_in->container_count; i++)
		shim->stand_ins[i].container = stand_in->containers[i];
	return 0;
}

void shim_note_no_match(struct shim *shim, const char *what, const char *name, const char *why)
{
	if (shim->log.no_match[0])
		return;
	char *plain = demangle(name);
	snprintf(shim->log.no_match, sizeof shim->log.no_match, "no donor %s: %.300s: %.150s", what, plain ? plain : name, why);
	free(plain);
}

/* What stands in for a registered fatbin. Host code is linked, not changed: the bytes of its containers are those in the file. */
static const struct cudart_module_pair *pair_of(const struct shim *shim, struct shim_module *module)
{
	const struct cudart_stand_in *stand_in = shim->binding.stand_in;
	const struct fatbin_wrapper *wrapper = module->wrapper;
	size_t size;
	if (module->pair || !wrapper || wrapper->magic != FATBIN_WRAPPER_MAGIC || !wrapper->container ||
	    fatbin_container_size(wrapper->container, &size, NULL))
		return module->pair;
	for (size_t i = 0; i < stand_in->module_count && !module->pair; i++)
		if (stand_in->modules[i].size == size && memcmp(stand_in->modules[i].container, wrapper->container, size) == 0)
			module->pair = &stand_in->modules[i];
	return module->pair;
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct cudart_kernel_pair *)item)->name);
}

void shim_kernel_decide(struct shim *shim, struct shim_kernel *kernel)
{
	if (kernel->code)
		return;
	kernel->code = kernel->module;
	kernel->code_name = kernel->name;
	if (!shim->binding.stand_in)
		return;
	const struct cudart_module_pair *module = pair_of(shim, kernel->module);
	const struct cudart_kernel_pair *pair =
		module && module->kernel_count
			? bsearch(kernel->name, module->kernels, module->kernel_count, sizeof *module->kernels, compare_name)
			: NULL;
	kernel->own = 1;
	if (!pair) {
		kernel->refused = "the donor's host code registers it, and its device code does not have it";
	} else if (pair->refused) {
		kernel->refused = pair->refused;
	} else if (pair->container >= 0 && (size_t)pair->container < shim->binding.stand_in->container_count) {
		kernel->own = 0;
		kernel->code = &shim->stand_ins[pair->container];
		kernel->code_name = pair->code_name;
	}
}

/* The variable in a module of the stand-in: the one of that very name, or the only one whose name folds alike. NULL, and
 * *several where there is more than one of those. */
static const struct module_variable *find_variable(const struct shim_module *module, const char *name, const char *folded,
						    int *several)
{
	const struct module_variable *found = NULL;
	for (size_t i = 0; i < module->variables.count; i++)
		if (strcmp(module->variables.items[i].name, name) == 0)
			return &module->variables.items[i];
	for (size_t i = 0; i < module->variables.count; i++) {
		char *other = fold_kernel_name(module->variables.items[i].name);
		const int same = other && strcmp(other, folded) == 0;
		free(other);
		if (!same)
			continue;
		if (found) {
			*several = 1;
			return NULL;
		}
		found = &module->variables.items[i];
	}
	return found;
}

/* Whether an earlier kernel of the module runs from the same container. */
static int is_seen(const struct cudart_module_pair *pair, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (pair->kernels[i].container == pair->kernels[index].container)
			return 1;
	return 0;
}

int shim_variable_decide(struct shim *shim, struct shim_variable *variable, struct error *err)
{
	const char *why = "the artifact has no variable of that name where its kernels are";
	const struct cudart_module_pair *pair = shim->binding.stand_in ? pair_of(shim, variable->module) : NULL;
	size_t containers = 0, found = 0;
	int several = 0;
	if (variable->code)
		return RUNTIME_SUCCESS;
	if (!shim->binding.stand_in) {
		variable->code = variable->module;
		variable->code_name = variable->name;
		return RUNTIME_SUCCESS;
	}
	char *folded = fold_kernel_name(variable->name);
	if (!folded)
		return RUNTIME_OUT_OF_MEMORY;
	for (size_t i = 0; pair && i < pair->kernel_count; i++) {
		const long container = pair->kernels[i].container;
		if (container < 0 || pair->kernels[i].refused || is_seen(pair, i))
			continue;
		struct shim_module *module = &shim->stand_ins[container];
		const int result = shim_module_resolve(shim, module, err);
		if (result) {
			free(folded);
			return result;
		}
		containers++;
		const struct module_variable *one = find_variable(module, variable->name, folded, &several);
		if (!one)
			continue;
		found++;
		if (one->size && one->size != variable->size) {
			why = "the artifact's variable is of another size";
			several = 0;
			found = 0;
			break;
		}
		variable->code = module;
		variable->code_name = one->name;
	}
	free(folded);
	if (found == 1 && !several)
		return RUNTIME_SUCCESS;
	variable->code = NULL;
	if (found > 1 || several)
		why = "several variables of the artifact could be meant";
	/* all of its kernels run from the donor, and so do their variables */
	if (pair && !containers) {
		int has_refused = 0;
		for (size_t i = 0; i < pair->kernel_count; i++)
			has_refused |= pair->kernels[i].refused != NULL;
		if (!has_refused) {
			variable->code = variable->module;
			variable->code_name = variable->name;
			return RUNTIME_SUCCESS;
		}
	}
	shim_note_no_match(shim, "variable", variable->name, why);
	error_set(err, ERROR_UNSUPPORTED, "no donor variable: %s", why);
	return RUNTIME_NOT_SUPPORTED;
}
