#include "kernels/family.h"

#include <string.h>

const struct family *const families[] = {&attention_family, NULL};

const struct family *family_find(const char *name)
{
	for (const struct family *const *family = families; *family; family++)
		if (strcmp((*family)->name, name) == 0)
			return *family;
	return NULL;
}

const char *family_default(const char *name, const char *axis)
{
	const struct family *family = family_find(name);
	for (int i = 0; family && family->axes[i]; i++)
		if (strcmp(family->axes[i], axis) == 0)
			return family->defaults[i];
	return NULL;
}

const struct family *family_of_entry_point(const char *symbol)
{
	for (const struct family *const *family = families; *family; family++)
		for (const char *const *entry = (*family)->entry_points; *entry; entry++)
			if (strcmp(*entry, symbol) == 0)
				return *family;
	return NULL;
}

const struct bound_tensor *binding_find(const struct binding *binding, const char *name, enum tensor_role role)
{
	for (int i = 0; i < binding->test->tensor_count; i++) {
		const struct tensor *tensor = &binding->test->tensors[i];
		if (tensor->role == role && strcmp(tensor->name, name) == 0)
			return &binding->tensors[i];
	}
	return NULL;
}
