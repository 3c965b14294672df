/* Memory: allocation, the stream-ordered pool, copies, fills and device variables. */
#include "cudart/layouts.h"
#include "cudart/shim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum copy_kind { COPY_HOST_TO_HOST = 0, COPY_IN = 1, COPY_OUT = 2, COPY_ON_DEVICE = 3, COPY_BY_ADDRESS = 4 };

/* What stays in the pool for later; beyond it memory goes back to the device. */
static const size_t pool_bytes_max = (size_t)256 << 20;

static uintptr_t address(device_pointer pointer)
{
	return (uintptr_t)pointer;
}

/* --- allocation -------------------------------------------------------------------------------------------------- */

static int give_back(struct shim *shim, struct shim_allocation *allocation, struct error *err)
{
	struct device *device = shim->binding.device;
	pointer_map_remove(&shim->objects, address(allocation->pointer), TAG_ALLOCATION);
	const int failed = device->ops->free(device, allocation->pointer, err);
	free(allocation);
	return failed ? runtime_error_from(err) : RUNTIME_SUCCESS;
}

/* Work that was queued before cudaFreeAsync may still use the memory: wait for it. */
static int drain_pool(struct shim *shim, struct error *err)
{
	struct device *device = shim->binding.device;
	if (shim->pool_count == 0)
		return RUNTIME_SUCCESS;
	shim_about_to_block(shim);
	shim->log.synchronizations++;
	if (device->ops->synchronize(device, err))
		return runtime_error_from(err);
	int result = RUNTIME_SUCCESS;
	while (shim->pool_count) {
		const int one = give_back(shim, shim->pool[--shim->pool_count].allocation, err);
		result = result ? result : one;
	}
	shim->pool_bytes = 0;
	return result;
}

static int allocate(struct shim *shim, void **out, size_t bytes, struct error *err)
{
	struct device *device = shim->binding.device;
	device_pointer pointer = 0;

	shim->log.allocations++;
	shim_about_to_block(shim);
	int failed = device->ops->alloc(device, bytes, &pointer, err);
	if (failed && shim->pool_count) {
		struct error drained = {0};
		if (drain_pool(shim, &drained) == RUNTIME_SUCCESS)
			failed = device->ops->alloc(device, bytes, &pointer, err);
	}
	if (failed)
		return err->kind == ERROR_DEVICE ? runtime_error_from(err) : RUNTIME_OUT_OF_MEMORY;
	struct shim_allocation *allocation = calloc(1, sizeof *allocation);
	if (!allocation || pointer_map_put(&shim->objects, address(pointer), TAG_ALLOCATION, allocation)) {
		free(allocation);
		device->ops->free(device, pointer, NULL);
		return RUNTIME_OUT_OF_MEMORY;
	}
	*allocation = (struct shim_allocation){.pointer = pointer, .bytes = bytes};
	*out = (void *)address(pointer);
	return RUNTIME_SUCCESS;
}

EXPORT int cudaMalloc(void **pointer, size_t bytes)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && !pointer)
		result = RUNTIME_INVALID_VALUE;
	if (!result) {
		*pointer = NULL;
		result = bytes ? allocate(shim, pointer, bytes, &err) : RUNTIME_SUCCESS;
	}
	return shim_leave(shim, __func__, result, &err);
}

static int not_allocated(const void *pointer, struct error *err)
{
	error_set(err, ERROR_INPUT, "%p was not allocated here, or is free already", pointer);
	return RUNTIME_INVALID_VALUE;
}

static int in_pool(const struct shim *shim, const struct shim_allocation *allocation)
{
	for (size_t i = 0; i < shim->pool_count; i++)
		if (shim->pool[i].allocation == allocation)
			return 1;
	return 0;
}

EXPORT int cudaFree(void *pointer)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && pointer) {
		struct shim_allocation *allocation = pointer_map_get(&shim->objects, (uintptr_t)pointer, TAG_ALLOCATION);
		if (!allocation || in_pool(shim, allocation)) {
			result = not_allocated(pointer, &err);
		} else {
			/* the runtime's cudaFree waits for all work on the device */
			shim_about_to_block(shim);
			shim->log.synchronizations++;
			if (shim->binding.device->ops->synchronize(shim->binding.device, &err))
				result = runtime_error_from(&err);
			else
				result = give_back(shim, allocation, &err);
		}
	}
	return shim_leave(shim, __func__, result, &err);
}

/* The smallest block freed on this very stream that is large enough, and no more than twice as large. */
static struct shim_allocation *take_from_pool(struct shim *shim, size_t bytes, const void *stream)
{
	size_t best = shim->pool_count;
	for (size_t i = 0; i < shim->pool_count; i++) {
		const size_t have = shim->pool[i].allocation->bytes;
		if (shim->pool[i].stream == stream && have >= bytes && have / 2 <= bytes &&
		    (best == shim->pool_count || have < shim->pool[best].allocation->bytes))
			best = i;
	}
	if (best == shim->pool_count)
		return NULL;
	struct shim_allocation *found = shim->pool[best].allocation;
	shim->pool_bytes -= found->bytes;
	shim->pool[best] = shim->pool[--shim->pool_count];
	return found;
}

EXPORT int cudaMallocAsync(void **pointer, size_t bytes, void *stream)
{
	struct error err = {0};
	struct device_stream *on = NULL;
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && !pointer)
		result = RUNTIME_INVALID_VALUE;
	if (!result)
		result = shim_stream(shim, stream, &on, NULL, &err);
	if (!result) {
		*pointer = NULL;
		const struct shim_allocation *pooled = bytes ? take_from_pool(shim, bytes, on) : NULL;
		if (pooled)
			*pointer = (void *)address(pooled->pointer);
		else if (bytes)
			result = allocate(shim, pointer, bytes, &err);
	}
	return shim_leave(shim, __func__, result, &err);
}
EXPORT_ALIAS(int, cudaMallocAsync_ptsz, (void **pointer, size_t bytes, void *stream), cudaMallocAsync);

EXPORT int cudaMallocFromPoolAsync(void **pointer, size_t bytes, void *pool, void *stream)
{
	(void)pool; /* there is one */
	return cudaMallocAsync(pointer, bytes, stream);
}
EXPORT_ALIAS(int, cudaMallocFromPoolAsync_ptsz, (void **pointer, size_t bytes, void *pool, void *stream),
	     cudaMallocFromPoolAsync);

EXPORT int cudaFreeAsync(void *pointer, void *stream)
{
	struct error err = {0};
	struct device_stream *on = NULL;
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = shim_stream(shim, stream, &on, NULL, &err);
	if (!result && pointer) {
		struct shim_allocation *allocation = pointer_map_get(&shim->objects, (uintptr_t)pointer, TAG_ALLOCATION);
		if (!allocation || in_pool(shim, allocation))
			result = not_allocated(pointer, &err);
		if (!result && (shim->pool_count == SHIM_POOL_MAX || allocation->bytes > pool_bytes_max - shim->pool_bytes))
			result = drain_pool(shim, &err);
		if (!result && allocation->bytes > pool_bytes_max) {
			shim_about_to_block(shim);
			shim->log.synchronizations++;
			if (shim->binding.device->ops->synchronize(shim->binding.device, &err))
				result = runtime_error_from(&err);
			else
				result = give_back(shim, allocation, &err);
		} else if (!result) {
			shim->pool[shim->pool_count].allocation = allocation;
			shim->pool[shim->pool_count++].stream = on;
			shim->pool_bytes += allocation->bytes;
		}
	}
	return shim_leave(shim, __func__, result, &err);
}
EXPORT_ALIAS(int, cudaFreeAsync_ptsz, (void *pointer, void *stream), cudaFreeAsync);

EXPORT int cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && (!free_bytes || !total_bytes))
		result = RUNTIME_INVALID_VALUE;
	if (!result && shim->binding.device->ops->memory_info(shim->binding.device, free_bytes, total_bytes, &err))
		result = runtime_error_from(&err);
	return shim_leave(shim, __func__, result, &err);
}

/* Host memory is ordinary memory: copies work, only that they may be slower; kernels cannot reach it. */
EXPORT int cudaHostAlloc(void **pointer, size_t bytes, unsigned flags)
{
	(void)flags;
	struct shim *shim = shim_enter();
	int result = pointer ? shim_ready(shim) : RUNTIME_INVALID_VALUE;
	if (!result) {
		*pointer = NULL;
		if (posix_memalign(pointer, 4096, bytes ? bytes : 1) ||
		    pointer_map_put(&shim->objects, (uintptr_t)*pointer, TAG_HOST_MEMORY, *pointer)) {
			free(*pointer);
			*pointer = NULL;
			result = RUNTIME_OUT_OF_MEMORY;
		}
	}
	return shim_leave(shim, __func__, result, NULL);
}

EXPORT int cudaMallocHost(void **pointer, size_t bytes)
{
	return cudaHostAlloc(pointer, bytes, 0);
}

EXPORT int cudaFreeHost(void *pointer)
{
	struct shim *shim = shim_enter();
	void *found = pointer_map_remove(&shim->objects, (uintptr_t)pointer, TAG_HOST_MEMORY);
	free(found);
	return shim_leave(shim, __func__, found || !pointer ? RUNTIME_SUCCESS : RUNTIME_INVALID_VALUE, NULL);
}

/* --- pools: there is one, the shim's own ------------------------------------------------------------------------- */

EXPORT int cudaDeviceGetDefaultMemPool(void **pool, int device)
{
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = device != 0 ? RUNTIME_INVALID_DEVICE : pool ? RUNTIME_SUCCESS : RUNTIME_INVALID_VALUE;
	if (!result)
		*pool = &shim->pool;
	return shim_leave(shim, __func__, result, NULL);
}
EXPORT_ALIAS(int, cudaDeviceGetMemPool, (void **pool, int device), cudaDeviceGetDefaultMemPool);

/* Attributes steer when a pool reuses and gives back memory (cudaMemPoolAttr: 1 to 3 int, 4 to 8 64-bit): nothing that
 * a result depends on. */
EXPORT int cudaMemPoolSetAttribute(void *pool, int attribute, void *value)
{
	struct shim *shim = shim_enter();
	const int ok = pool == &shim->pool && value && attribute >= 1 && attribute <= 8;
	return shim_leave(shim, __func__, ok ? RUNTIME_SUCCESS : RUNTIME_INVALID_VALUE, NULL);
}

EXPORT int cudaMemPoolGetAttribute(void *pool, int attribute, void *value)
{
	struct shim *shim = shim_enter();
	const int ok = pool == &shim->pool && value && attribute >= 1 && attribute <= 8;
	if (ok && attribute <= 3)
		memcpy(value, &(int){1}, sizeof(int));
	else if (ok)
		memcpy(value, &(uint64_t){attribute == 4 ? pool_bytes_max : shim->pool_bytes}, sizeof(uint64_t));
	return shim_leave(shim, __func__, ok ? RUNTIME_SUCCESS : RUNTIME_INVALID_VALUE, NULL);
}

EXPORT int cudaMemPoolTrimTo(void *pool, size_t keep)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && pool != &shim->pool)
		result = RUNTIME_INVALID_VALUE;
	if (!result && shim->pool_bytes > keep)
		result = drain_pool(shim, &err);
	return shim_leave(shim, __func__, result, &err);
}

/* --- copies and fills -------------------------------------------------------------------------------------------- */

/* Whether this process can read the byte: the kernel says so without a signal when it is asked to copy it. */
static int host_can_read(const void *pointer)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return 0;
	const int readable = write(ends[1], pointer, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return readable;
}

static int is_device_memory(const struct shim *shim, const void *pointer)
{
	if (pointer_map_get(&shim->objects, (uintptr_t)pointer, TAG_ALLOCATION))
		return 1;
	if (pointer_map_get(&shim->objects, (uintptr_t)pointer, TAG_HOST_MEMORY))
		return 0;
	return shim->binding.device->properties.kind == DEVICE_CUDA && !host_can_read(pointer);
}

static int copy(struct shim *shim, void *to, const void *from, size_t bytes, int kind, struct device_stream *stream,
		struct error *err)
{
	struct device *device = shim->binding.device;
	if (bytes == 0)
		return RUNTIME_SUCCESS;
	if (!to || !from)
		return RUNTIME_INVALID_VALUE;
	if (kind == COPY_BY_ADDRESS)
		kind = (is_device_memory(shim, to) ? COPY_IN : 0) | (is_device_memory(shim, from) ? COPY_OUT : 0);
	if (kind != COPY_ON_DEVICE)
		shim_about_to_block(shim);
	int failed = 0;
	switch (kind) {
	case COPY_HOST_TO_HOST: /* still in order with the stream */
		failed = device->ops->stream_synchronize(device, stream, err);
		if (!failed)
			memmove(to, from, bytes);
		break;
	case COPY_IN:
		failed = device->ops->copy_in(device, (uintptr_t)to, from, bytes, stream, err);
		break;
	case COPY_OUT:
		failed = device->ops->copy_out(device, to, (uintptr_t)from, bytes, stream, err);
		break;
	case COPY_ON_DEVICE:
		failed = device->ops->copy(device, (uintptr_t)to, (uintptr_t)from, bytes, stream, err);
		break;
	default:
		return RUNTIME_INVALID_COPY_DIRECTION;
	}
	return failed ? runtime_error_from(err) : RUNTIME_SUCCESS;
}

static int copy_call(const char *call, void *to, const void *from, size_t bytes, int kind, const void *stream)
{
	struct error err = {0};
	struct device_stream *on;
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = shim_stream(shim, stream, &on, NULL, &err);
	if (!result)
		result = copy(shim, to, from, bytes, kind, on, &err);
	return shim_leave(shim, call, result, &err);
}

EXPORT int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream)
{
	return copy_call(__func__, to, from, bytes, kind, stream);
}
EXPORT_ALIAS(int, cudaMemcpyAsync_ptsz, (void *to, const void *from, size_t bytes, int kind, void *stream), cudaMemcpyAsync);

/* A copy within the device returns before it is done, as with the runtime; one that reaches the host has waited. */
EXPORT int cudaMemcpy(void *to, const void *from, size_t bytes, int kind)
{
	return copy_call(__func__, to, from, bytes, kind, NULL);
}
EXPORT_ALIAS(int, cudaMemcpy_ptds, (void *to, const void *from, size_t bytes, int kind), cudaMemcpy);

EXPORT int cudaMemsetAsync(void *pointer, int value, size_t bytes, void *stream)
{
	struct error err = {0};
	struct device_stream *on;
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = shim_stream(shim, stream, &on, NULL, &err);
	if (!result && bytes && !pointer)
		result = RUNTIME_INVALID_VALUE;
	if (!result && bytes &&
	    shim->binding.device->ops->fill(shim->binding.device, (uintptr_t)pointer, (uint8_t)value, 1, bytes, on, &err))
		result = runtime_error_from(&err);
	return shim_leave(shim, "cudaMemset", result, &err);
}
EXPORT_ALIAS(int, cudaMemsetAsync_ptsz, (void *pointer, int value, size_t bytes, void *stream), cudaMemsetAsync);

EXPORT int cudaMemset(void *pointer, int value, size_t bytes)
{
	return cudaMemsetAsync(pointer, value, bytes, NULL);
}
EXPORT_ALIAS(int, cudaMemset_ptds, (void *pointer, int value, size_t bytes), cudaMemset);

/* --- device variables -------------------------------------------------------------------------------------------- */

static int variable_address(struct shim *shim, const void *symbol, device_pointer *pointer, size_t *bytes, struct error *err)
{
	struct shim_variable *variable = pointer_map_get(&shim->objects, (uintptr_t)symbol, TAG_VARIABLE);
	struct device *device = shim->binding.device;
	if (!variable)
		return RUNTIME_INVALID_SYMBOL;
	int result = shim_variable_decide(shim, variable, err);
	if (!result)
		result = shim_module_resolve(shim, variable->code, err);
	if (result)
		return result;
	if (device->ops->module_global(device, variable->code->module, variable->code_name, pointer, bytes, err))
		return runtime_error_from(err) == RUNTIME_SYMBOL_NOT_FOUND ? RUNTIME_INVALID_SYMBOL : runtime_error_from(err);
	return RUNTIME_SUCCESS;
}

static int symbol_call(const char *call, const void *symbol, void *host, size_t bytes, size_t offset, int kind,
		       const void *stream, int into_symbol)
{
	struct error err = {0};
	struct device_stream *on;
	device_pointer pointer = 0;
	size_t size = 0;
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = shim_stream(shim, stream, &on, NULL, &err);
	if (!result)
		result = variable_address(shim, symbol, &pointer, &size, &err);
	if (!result && (offset > size || bytes > size - offset))
		result = RUNTIME_INVALID_VALUE;
	if (!result) {
		void *inside = (void *)(address(pointer) + offset);
		result = into_symbol ? copy(shim, inside, host, bytes, kind, on, &err) : copy(shim, host, inside, bytes, kind, on, &err);
	}
	return shim_leave(shim, call, result, &err);
}

#define TO_SYMBOL (const void *symbol, const void *from, size_t bytes, size_t offset, int kind)
#define TO_SYMBOL_ASYNC (const void *symbol, const void *from, size_t bytes, size_t offset, int kind, void *stream)
#define FROM_SYMBOL (void *to, const void *symbol, size_t bytes, size_t offset, int kind)
#define FROM_SYMBOL_ASYNC (void *to, const void *symbol, size_t bytes, size_t offset, int kind, void *stream)

EXPORT int cudaMemcpyToSymbol TO_SYMBOL
{
	return symbol_call(__func__, symbol, (void *)(uintptr_t)from, bytes, offset, kind, NULL, 1);
}
EXPORT_ALIAS(int, cudaMemcpyToSymbol_ptds, TO_SYMBOL, cudaMemcpyToSymbol);

EXPORT int cudaMemcpyToSymbolAsync TO_SYMBOL_ASYNC
{
	return symbol_call(__func__, symbol, (void *)(uintptr_t)from, bytes, offset, kind, stream, 1);
}
EXPORT_ALIAS(int, cudaMemcpyToSymbolAsync_ptsz, TO_SYMBOL_ASYNC, cudaMemcpyToSymbolAsync);

EXPORT int cudaMemcpyFromSymbol FROM_SYMBOL
{
	return symbol_call(__func__, symbol, to, bytes, offset, kind, NULL, 0);
}
EXPORT_ALIAS(int, cudaMemcpyFromSymbol_ptds, FROM_SYMBOL, cudaMemcpyFromSymbol);

EXPORT int cudaMemcpyFromSymbolAsync FROM_SYMBOL_ASYNC
{
	return symbol_call(__func__, symbol, to, bytes, offset, kind, stream, 0);
}
EXPORT_ALIAS(int, cudaMemcpyFromSymbolAsync_ptsz, FROM_SYMBOL_ASYNC, cudaMemcpyFromSymbolAsync);

static int locate_symbol(const char *call, const void *symbol, void **pointer, size_t *bytes)
{
	struct error err = {0};
	device_pointer found = 0;
	size_t size = 0;
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && !pointer && !bytes)
		result = RUNTIME_INVALID_VALUE;
	if (!result)
		result = variable_address(shim, symbol, &found, &size, &err);
	if (!result && pointer)
		*pointer = (void *)address(found);
	if (!result && bytes)
		*bytes = size;
	return shim_leave(shim, call, result, &err);
}

EXPORT int cudaGetSymbolAddress(void **pointer, const void *symbol)
{
	return locate_symbol(__func__, symbol, pointer, NULL);
}

EXPORT int cudaGetSymbolSize(size_t *bytes, const void *symbol)
{
	return locate_symbol(__func__, symbol, NULL, bytes);
}

/* Device memory that the harness made is not in the shim's table: what the host cannot read is taken for it. */
EXPORT int cudaPointerGetAttributes(void *attributes, const void *pointer)
{
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && !attributes)
		result = RUNTIME_INVALID_VALUE;
	if (!result) {
		const int on_device = is_device_memory(shim, pointer);
		const int pinned = pointer_map_get(&shim->objects, (uintptr_t)pointer, TAG_HOST_MEMORY) != NULL;
		const struct pointer_attributes out = {
			.type = on_device ? 2 : pinned ? 1 : 0,
			.device = 0,
			.device_pointer = on_device ? (void *)(uintptr_t)pointer : NULL,
			.host_pointer = on_device ? NULL : (void *)(uintptr_t)pointer,
		};
		memcpy(attributes, &out, shim->binding.runtime_major == 13 ? sizeof out : POINTER_ATTRIBUTES_SIZE_11);
	}
	return shim_leave(shim, __func__, result, NULL);
}
