/* The modules of an operate, and what their images state of the kernels in them. */
#include "operate_private.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

int operate_open(struct operate **out, const struct operate_options *options, struct error *err)
{
	struct operate *operate = calloc(1, sizeof *operate);
	*out = NULL;
	if (!operate)
		return error_out_of_memory(err);
	operate->options = *options;
	operate_memory_init(&operate->memory, options->device, options->guard);
	if (operate_conditions_open(&operate->conditions, options->device, err)) {
		operate_close(operate);
		return -1;
	}
	*out = operate;
	return 0;
}

static void unload(struct operate *operate)
{
	if (operate->module)
		operate->options.device->ops->module_unload(operate->options.device, operate->module, NULL);
	operate->module = NULL;
	for (size_t i = 0; i < operate->kernel_count; i++)
		free(operate->kernels[i].symbol);
	free(operate->kernels);
	operate->kernels = NULL;
	operate->kernel_count = 0;
}

static void close_file(struct operate *operate)
{
	if (!operate->path)
		return;
	ptx_slicer_close(operate->slicer);
	operate->slicer = NULL;
	artifact_close(&operate->artifact);
	free(operate->path);
	operate->path = NULL;
}

static int open_file(struct operate *operate, const char *path, struct error *err)
{
	if (operate->path && strcmp(operate->path, path) == 0)
		return 0;
	unload(operate);
	close_file(operate);
	if (artifact_open(path, &operate->artifact, err))
		return -1;
	operate->path = strdup(path);
	if (!operate->path) {
		artifact_close(&operate->artifact);
		return error_out_of_memory(err);
	}
	const enum object_kind kind = operate->artifact.kind;
	if (kind != OBJECT_PTX && kind != OBJECT_CUBIN && kind != OBJECT_FATBIN)
		error_set(err, ERROR_INPUT, "%s: is no module that a driver loads (PTX, cubin or fatbin)", path);
	else if (kind != OBJECT_PTX || ptx_slicer_open(&operate->slicer, (const char *)operate->artifact.map.data,
						       operate->artifact.map.size, err) == 0)
		return 0;
	close_file(operate);
	return -1;
}

/* Parameters of a kernel, as its image states them. */
static void describe_parameters(struct loaded_kernel *kernel, const struct artifact_kernel *found, const struct ptx *ptx)
{
	if (found->ptx) {
		kernel->parameter_count = found->ptx->parameter_count;
		for (int i = 0; i < kernel->parameter_count && i < PARAMETERS_MAX; i++)
			kernel->sizes[i] = found->ptx->parameters[i].size;
		kernel->is_fast = ptx_is_fast(ptx);
		return;
	}
	kernel->parameter_count = found->sass->parameter_count;
	for (int i = 0; i < kernel->parameter_count && i < PARAMETERS_MAX; i++)
		kernel->sizes[i] = found->sass->parameters[i].size;
	kernel->is_fast = 1; /* SASS does not tell: the user's word is taken for it */
}

static int by_symbol(const void *key, const void *item)
{
	return strcmp(key, ((const struct artifact_kernel *)item)->name);
}

static int find_kernels(struct operate *operate, const char *const *symbols, size_t count, struct error *err)
{
	struct device *device = operate->options.device;
	const struct device_properties *properties = &device->properties;
	struct artifact_kernels kernels = {0};
	int result = -1;
	/* a module is for one GPU; what is not for this one the driver has refused */
	const int any = properties->kind != DEVICE_CUDA;
	if (artifact_kernel_names(&operate->artifact, any ? 99 : properties->cc_major, any ? 9 : properties->cc_minor,
				  any ? IMAGE_PTX : IMAGE_ANY, &kernels, err))
		return -1;
	operate->kernels = calloc(count ? count : 1, sizeof *operate->kernels);
	if (!operate->kernels) {
		error_out_of_memory(err);
		goto done;
	}
	for (size_t i = 0; i < count; i++) {
		struct loaded_kernel *kernel = &operate->kernels[i];
		const struct artifact_kernel *found =
			kernels.count ? bsearch(symbols[i], kernels.items, (size_t)kernels.count, sizeof *kernels.items, by_symbol)
				      : NULL;
		if (!found) {
			error_set(err, ERROR_INPUT, "%s: has no kernel %s", operate->path, symbols[i]);
			goto done;
		}
		kernel->symbol = strdup(symbols[i]);
		if (!kernel->symbol) {
			error_out_of_memory(err);
			goto done;
		}
		operate->kernel_count++;
		describe_parameters(kernel, found, &operate->artifact.units[found->unit].images[found->image].ptx);
		if (device->ops->module_function(device, operate->module, symbols[i], &kernel->function, err))
			goto done;
		kernel->resources = device_function_resources(device, kernel->function);
	}
	const struct artifact_image *image = &operate->artifact.units[0].images[0];
	if (operate->artifact.kind == OBJECT_PTX)
		snprintf(operate->image, sizeof operate->image, "PTX sm_%u%.1s (JIT)", image->ptx.arch,
			 image->ptx.suffix ? &image->ptx.suffix : "");
	else
		snprintf(operate->image, sizeof operate->image, "%s", object_kind_name(operate->artifact.kind));
	result = 0;
done:
	artifact_kernels_free(&kernels);
	return result;
}

int operate_load(struct operate *operate, const char *path, const char *const *symbols, size_t count, int whole,
		 struct operate_loaded *loaded, struct error *err)
{
	struct device *device = operate->options.device;
	char *text = NULL;
	*loaded = (struct operate_loaded){0};
	if (open_file(operate, path, err))
		return -1;
	unload(operate);
	const void *image = operate->artifact.map.data;
	if (operate->slicer && !whole) {
		if (ptx_slicer_cut(operate->slicer, symbols, count, &text, NULL, err))
			return error_context(err, "%s", path);
	} else if (operate->slicer) {
		text = copy_text((const char *)operate->artifact.map.data, operate->artifact.map.size);
		if (!text)
			return error_out_of_memory(err);
	}
	const double start = monotonic_seconds();
	const int failed = device->ops->module_load(device, text ? text : image, &operate->module, err);
	loaded->seconds = monotonic_seconds() - start;
	free(text);
	if (failed)
		return error_context(err, "%s", path);
	if (find_kernels(operate, symbols, count, err)) {
		unload(operate);
		return -1;
	}
	snprintf(loaded->image, sizeof loaded->image, "%s", operate->image);
	return 0;
}

void operate_close(struct operate *operate)
{
	if (!operate)
		return;
	unload(operate);
	close_file(operate);
	operate_conditions_close(operate->conditions);
	operate_memory_free(&operate->memory);
	free(operate);
}
