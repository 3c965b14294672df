/* Variables of a module that host code can reach by name (cudaMemcpyToSymbol and the like): __device__ and __constant__ ones at
 * module scope. */
#ifndef ASSAY_ARTIFACT_VARIABLES_H
#define ASSAY_ARTIFACT_VARIABLES_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

struct module_variable {
	char *name;
	uint64_t size; /* bytes; 0: the module does not say */
};

struct module_variables {
	struct module_variable *items; /* sorted by name; owned */
	size_t count;
};

/* Of a cubin: symbols of objects that lie in global or constant memory. Of PTX text: .global and .const declarations outside
 * of functions, but for those of another module (.extern). ERROR_INPUT when a cubin is damaged. */
int module_variables_read(const void *bytes, size_t size, int is_ptx, struct module_variables *variables, struct error *err);
void module_variables_free(struct module_variables *variables);

#endif
