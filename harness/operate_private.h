/* What operate.c and operate_load.c share. For them only. */
#ifndef ASSAY_HARNESS_OPERATE_PRIVATE_H
#define ASSAY_HARNESS_OPERATE_PRIVATE_H

#include "operate.h"

#include "artifact/artifact.h"
#include "artifact/ptx_slice.h"
#include "operate_conditions.h"
#include "operate_memory.h"

enum { PARAMETERS_MAX = OPERATOR_ARGUMENTS_MAX + 8 };

struct loaded_kernel {
	char *symbol;
	struct device_function *function;
	struct device_resources resources;
	unsigned sizes[PARAMETERS_MAX];  /* of its parameters */
	int parameter_count;             /* may exceed the table */
	int is_fast;
};

struct operate {
	struct operate_options options;
	struct operate_memory memory;
	struct operate_conditions *conditions;
	struct device_module *module;
	struct loaded_kernel *kernels;
	size_t kernel_count;
	char image[96];
	char *path;                      /* of the file below */
	struct artifact artifact;
	struct ptx_slicer *slicer;
};

#endif
