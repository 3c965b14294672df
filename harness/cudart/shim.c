/* State, binding, log, and the registration of device code; the modules load on first use. */
#include "cudart/shim.h"

#include "core/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The cpu device runs PTX and has no compute capability of its own: it takes the image an sm_90 would be compiled from,
 * which is also what it answers as its capability (properties.c). */
enum { CPU_CC_MAJOR = 9, CPU_CC_MINOR = 0 };

static struct shim the_shim = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local int last_error;

void shim_text(char *out, size_t size, const char *text)
{
	const size_t length = strnlen(text, size - 1);
	memcpy(out, text, length);
	out[length] = '\0';
}

struct shim *shim_enter(void)
{
	pthread_mutex_lock(&the_shim.mutex);
	return &the_shim;
}

int shim_ready(const struct shim *shim)
{
	return shim->sticky ? shim->sticky : shim->bound ? RUNTIME_SUCCESS : RUNTIME_NOT_INITIALIZED;
}

int shim_leave(struct shim *shim, const char *call, int result, const struct error *err)
{
	if (result != RUNTIME_SUCCESS && result != RUNTIME_NOT_READY) {
		last_error = result;
		if (err && err->kind == ERROR_DEVICE && runtime_error_is_sticky(result))
			shim->sticky = result;
		if (shim->log.first_error == 0) {
			shim->log.first_error = result;
			shim_text(shim->log.first_error_call, sizeof shim->log.first_error_call, call);
			shim_text(shim->log.first_error_message, sizeof shim->log.first_error_message,
				  err && err->kind ? err->message : runtime_error_words(result));
		}
	}
	pthread_mutex_unlock(&shim->mutex);
	return result;
}

int shim_last_error(int clear)
{
	struct shim *shim = shim_enter();
	const int result = shim->sticky ? shim->sticky : last_error;
	if (clear)
		last_error = RUNTIME_SUCCESS;
	pthread_mutex_unlock(&shim->mutex);
	return result;
}

void shim_about_to_block(struct shim *shim)
{
	if (shim->binding.before_blocking)
		shim->binding.before_blocking(shim->binding.blocking_context);
}

void shim_note_missing(struct shim *shim, const char *symbol)
{
	struct cudart_log *log = &shim->log;
	for (int i = 0; i < log->missing_count; i++)
		if (strncmp(log->missing[i], symbol, sizeof log->missing[i] - 1) == 0)
			return;
	if (log->missing_count < CUDART_MISSING_MAX)
		shim_text(log->missing[log->missing_count++], sizeof log->missing[0], symbol);
}

int shim_stream(struct shim *shim, const void *handle, struct device_stream **stream, enum stream_kind *kind, struct error *err)
{
	/* 0: the default stream; 1 and 2: cudaStreamLegacy and cudaStreamPerThread (driver_types.h) */
	const uintptr_t value = (uintptr_t)handle;
	const int is_bound = value <= 2 || handle == shim->binding.stream;
	const struct shim_stream *own = is_bound ? NULL : pointer_map_get(&shim->objects, value, TAG_STREAM);
	if (!is_bound && !own) {
		error_set(err, ERROR_INPUT, "%p is no stream of this runtime", handle);
		return RUNTIME_INVALID_HANDLE;
	}
	*stream = is_bound ? shim->binding.stream : own->stream;
	if (kind)
		*kind = is_bound ? STREAM_BOUND : own->flags & SHIM_STREAM_NON_BLOCKING ? STREAM_OWN : STREAM_OWN_ORDERED;
	if (!is_bound && (own->flags & SHIM_STREAM_NON_BLOCKING))
		return RUNTIME_SUCCESS;
	/* Work on the legacy default stream waits for that of every blocking stream and the other way round. The bound
	 * stream knows nothing of that, so a change from one side to the other waits here. The log does not count it: the
	 * archive did not ask for it. */
	const int crosses = shim->last_ordered != own && (!shim->last_ordered || !own);
	shim->last_ordered = own;
	if (!crosses)
		return RUNTIME_SUCCESS;
	shim_about_to_block(shim);
	return shim->binding.device->ops->synchronize(shim->binding.device, err) ? runtime_error_from(err) : RUNTIME_SUCCESS;
}

/* --- registration: called by the archive's static constructors ------------------------------------------------- */

EXPORT void **__cudaRegisterFatBinary(void *wrapper)
{
	struct shim *shim = shim_enter();
	struct shim_module *module = calloc(1, sizeof *module);
	if (module) {
		module->wrapper = wrapper;
		shim->log.fatbins++;
	}
	shim_leave(shim, __func__, module ? RUNTIME_SUCCESS : RUNTIME_OUT_OF_MEMORY, NULL);
	return (void **)module; /* opaque to the archive, which only hands it back */
}

EXPORT void __cudaRegisterFatBinaryEnd(void **handle)
{
	(void)handle;
}

/* Runs at exit, when the device may be gone already: the process's end frees more surely than a call here. */
EXPORT void __cudaUnregisterFatBinary(void **handle)
{
	(void)handle;
}

EXPORT char __cudaInitModule(void **handle)
{
	(void)handle;
	return 1;
}

static int add_kernel(struct shim *shim, struct shim_module *module, const void *host, const char *name)
{
	/* the same template may be registered by several translation units under the one address the linker kept */
	if (pointer_map_get(&shim->objects, (uintptr_t)host, TAG_KERNEL))
		return RUNTIME_SUCCESS;
	if (shim->kernel_count == shim->kernel_capacity) {
		const size_t capacity = shim->kernel_capacity ? 2 * shim->kernel_capacity : 64;
		struct shim_kernel **kernels = realloc(shim->kernels, capacity * sizeof *kernels);
		if (!kernels)
			return RUNTIME_OUT_OF_MEMORY;
		shim->kernels = kernels;
		shim->kernel_capacity = capacity;
	}
	struct shim_kernel *kernel = calloc(1, sizeof *kernel);
	char *copy = strdup(name);
	if (!kernel || !copy || pointer_map_put(&shim->objects, (uintptr_t)host, TAG_KERNEL, kernel) ||
	    pointer_map_put(&shim->objects, (uintptr_t)kernel, TAG_KERNEL, kernel)) {
		pointer_map_remove(&shim->objects, (uintptr_t)host, TAG_KERNEL);
		free(kernel);
		free(copy);
		return RUNTIME_OUT_OF_MEMORY;
	}
	*kernel = (struct shim_kernel){.name = copy, .module = module};
	shim->kernels[shim->kernel_count++] = kernel;
	shim->log.kernels_registered = shim->kernel_count;
	return RUNTIME_SUCCESS;
}

EXPORT void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int thread_limit,
				   void *tid, void *bid, void *block, void *grid, int *warp_size)
{
	(void)device, (void)thread_limit, (void)tid, (void)bid, (void)block, (void)grid, (void)warp_size;
	struct shim *shim = shim_enter();
	const int result = handle && host && name ? add_kernel(shim, (struct shim_module *)handle, host, name)
						  : RUNTIME_INVALID_VALUE;
	shim_leave(shim, __func__, result, NULL);
}

static int add_variable(struct shim *shim, struct shim_module *module, const void *host, const char *name, size_t size)
{
	struct shim_variable *variable = calloc(1, sizeof *variable);
	char *copy = strdup(name);
	if (!variable || !copy || pointer_map_put(&shim->objects, (uintptr_t)host, TAG_VARIABLE, variable)) {
		free(variable);
		free(copy);
		return RUNTIME_OUT_OF_MEMORY;
	}
	*variable = (struct shim_variable){.name = copy, .module = module, .size = size};
	shim->variable_count++;
	return RUNTIME_SUCCESS;
}

EXPORT void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external, size_t size,
			      int constant, int global)
{
	(void)device, (void)external, (void)constant, (void)global;
	struct shim *shim = shim_enter();
	const int result = handle && host && name ? add_variable(shim, (struct shim_module *)handle, host, name, size)
						  : RUNTIME_INVALID_VALUE;
	shim_leave(shim, __func__, result, NULL);
}

/* Managed memory, textures and surfaces bound by name need the real runtime; the archive may still hold other code that
 * does not use them. */
static void cannot_register(const char *what, const char *name)
{
	char text[160];
	struct shim *shim = shim_enter();
	snprintf(text, sizeof text, "%s(%s)", what, name ? name : "?");
	shim_note_missing(shim, text);
	shim_leave(shim, what, RUNTIME_SUCCESS, NULL);
}

EXPORT void __cudaRegisterManagedVar(void **handle, void **host, char *device, const char *name, int external,
				     size_t size, int constant, int global)
{
	(void)handle, (void)host, (void)device, (void)external, (void)size, (void)constant, (void)global;
	cannot_register(__func__, name);
}

EXPORT void __cudaRegisterTexture(void **handle, const void *host, const void **device, const char *name, int dimension,
				  int normalized, int external)
{
	(void)handle, (void)host, (void)device, (void)dimension, (void)normalized, (void)external;
	cannot_register(__func__, name);
}

EXPORT void __cudaRegisterSurface(void **handle, const void *host, const void **device, const char *name, int dimension,
				  int external)
{
	(void)handle, (void)host, (void)device, (void)dimension, (void)external;
	cannot_register(__func__, name);
}

/* --- from a registered fatbin to functions ---------------------------------------------------------------------- */

static void note_image(struct shim *shim, const struct fatbin_entry *entry)
{
	char target[24], one[64];
	char *summary = shim->log.image_summary;
	const size_t size = sizeof shim->log.image_summary, length = strlen(summary);
	const char *how = entry->kind == FATBIN_PTX && shim->binding.device->properties.kind == DEVICE_CUDA ? " (JIT)" : "";
	fatbin_entry_target(entry, target);
	snprintf(one, sizeof one, "%s %s%s", fatbin_kind_name(entry->kind), target, how);
	const char *at = strstr(summary, one);
	if (!at && length + strlen(one) + 3 < size)
		snprintf(summary + length, size - length, "%s%s", length ? ", " : "", one);
}

static int select_entry(const struct shim *shim, const struct fatbin *fatbin, struct error *err)
{
	const struct device_properties *device = &shim->binding.device->properties;
	const int is_cpu = device->kind == DEVICE_CPU;
	char reason[600];
	if (is_cpu && shim->binding.image == IMAGE_SASS)
		return error_set(err, ERROR_UNSUPPORTED, "SASS was asked for, and the cpu device runs PTX only");
	const int chosen = fatbin_select(fatbin->entries, fatbin->count, -1, is_cpu ? CPU_CC_MAJOR : device->cc_major,
					 is_cpu ? CPU_CC_MINOR : device->cc_minor,
					 is_cpu ? IMAGE_PTX : shim->binding.image, reason, sizeof reason);
	if (chosen < 0)
		error_set(err, ERROR_UNSUPPORTED, "the fatbin %s%s", reason, is_cpu ? " (the cpu device runs its PTX)" : "");
	return chosen;
}

/* Names are needed only where host code asks for variables by them. */
static int read_variables(const struct shim *shim, struct shim_module *module, const void *image, size_t size, struct error *err)
{
	if (!module->container || !shim->variable_count)
		return 0;
	return module_variables_read(image, size, module->ptx, &module->variables, err);
}

static int load(struct shim *shim, struct shim_module *module, struct error *err)
{
	const struct fatbin_wrapper *wrapper = module->wrapper;
	const void *container = module->container;
	struct device *device = shim->binding.device;
	struct fatbin fatbin = {0};
	void *image = NULL;
	size_t available, image_size;
	int result = RUNTIME_INVALID_IMAGE;

	if (!container) {
		if (!wrapper || wrapper->magic != FATBIN_WRAPPER_MAGIC || !wrapper->container) {
			error_set(err, ERROR_INPUT, "what the archive registered is no fatbin wrapper");
			goto done;
		}
		container = wrapper->container;
	}
	/* the container lies in the archive's own data: its header is all there is to tell where it ends */
	if (fatbin_container_size(container, &available, err) || fatbin_parse(container, available, &fatbin, err))
		goto done;
	result = RUNTIME_NO_KERNEL_IMAGE;
	const int chosen = select_entry(shim, &fatbin, err);
	if (chosen < 0)
		goto done;
	const struct fatbin_entry *entry = &fatbin.entries[chosen];
	result = RUNTIME_INVALID_IMAGE;
	if (fatbin_entry_decompress(entry, &image, &image_size, err))
		goto done;
	module->ptx = entry->kind == FATBIN_PTX;
	if (read_variables(shim, module, image, image_size, err))
		goto done;
	shim_about_to_block(shim);
	const double started = monotonic_seconds();
	if (device->ops->module_load(device, image, &module->module, err)) {
		module->module = NULL;
		result = runtime_error_from(err);
		goto done;
	}
	shim->log.module_load_seconds += monotonic_seconds() - started;
	note_image(shim, entry);
	result = RUNTIME_SUCCESS;
done:
	free(image);
	fatbin_free(&fatbin);
	return result;
}

int shim_module_resolve(struct shim *shim, struct shim_module *module, struct error *err)
{
	if (module->module)
		return RUNTIME_SUCCESS;
	if (module->result) {
		*err = module->failure;
		return module->result;
	}
	const int result = load(shim, module, err);
	if (result != RUNTIME_SUCCESS && result != RUNTIME_OUT_OF_MEMORY) {
		module->result = result;
		module->failure = *err;
	}
	return result;
}

struct shim_kernel *shim_kernel_of(const struct shim *shim, const void *function)
{
	return pointer_map_get(&shim->objects, (uintptr_t)function, TAG_KERNEL);
}

int shim_kernel_resolve(struct shim *shim, struct shim_kernel *kernel, struct error *err)
{
	if (kernel->function)
		return RUNTIME_SUCCESS;
	struct device *device = shim->binding.device;
	shim_kernel_decide(shim, kernel);
	const int result = shim_module_resolve(shim, kernel->code, err);
	if (result != RUNTIME_SUCCESS)
		return result;
	/* with lazy loading this is where the driver moves the kernel's code to the device */
	shim_about_to_block(shim);
	if (device->ops->module_function(device, kernel->code->module, kernel->code_name, &kernel->function, err)) {
		kernel->function = NULL;
		const int code = runtime_error_from(err);
		return code == RUNTIME_SYMBOL_NOT_FOUND || err->kind == ERROR_INPUT ? RUNTIME_INVALID_DEVICE_FUNCTION : code;
	}
	kernel->resources = device_function_resources(device, kernel->function);
	return RUNTIME_SUCCESS;
}

/* --- this library's own entry points ---------------------------------------------------------------------------- */

EXPORT int assay_cudart_bind(const struct cudart_binding *binding, struct error *err)
{
	if (!binding || !binding->device || binding->runtime_major < 11 || binding->runtime_major > 13)
		return error_set(err, ERROR_USAGE, "the runtime shim knows the structures of CUDA 11, 12 and 13, not of %d",
				 binding ? binding->runtime_major : 0);
	struct shim *shim = shim_enter();
	int result = 0;
	const struct cudart_stand_in *stand_in = shim->bound ? shim->binding.stand_in : binding->stand_in;
	if (shim->bound && shim->binding.device != binding->device) {
		result = error_set(err, ERROR_USAGE, "the runtime shim is bound to device %s already; one process serves one device",
				   shim->binding.device->properties.id);
	} else if (!shim->bound && shim_stand_in_open(shim, stand_in)) {
		result = error_set(err, ERROR_ENVIRONMENT, "out of memory");
	} else {
		shim->binding = *binding;
		shim->binding.stand_in = stand_in;
		shim->bound = 1;
	}
	pthread_mutex_unlock(&shim->mutex);
	return result;
}

EXPORT const struct cudart_log *assay_cudart_log(void)
{
	return &the_shim.log;
}

EXPORT void assay_cudart_log_reset(void)
{
	struct shim *shim = shim_enter();
	struct cudart_log *log = &shim->log;
	log->launch_count = log->failed_launches = 0;
	log->first_error = 0;
	log->first_error_call[0] = log->first_error_message[0] = '\0';
	log->missing_count = 0;
	log->no_match[0] = '\0';
	log->allocations = log->synchronizations = 0;
	pthread_mutex_unlock(&shim->mutex);
}

EXPORT const char *assay_cudart_kernel_name(size_t index)
{
	struct shim *shim = shim_enter();
	const char *name = index < shim->kernel_count ? shim->kernels[index]->name : NULL;
	pthread_mutex_unlock(&shim->mutex);
	return name;
}

EXPORT long assay_cudart_missing(const char *symbol)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	shim_note_missing(shim, symbol);
	const int is_runtime = strncmp(symbol, "cuda", 4) == 0 && symbol[4] >= 'A' && symbol[4] <= 'Z';
	if (is_runtime)
		error_set(&err, ERROR_UNSUPPORTED, "the runtime shim has no %s", symbol);
	return shim_leave(shim, symbol, is_runtime ? RUNTIME_NOT_SUPPORTED : RUNTIME_SUCCESS, &err);
}
