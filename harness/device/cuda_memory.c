#include "core/util.h"
#include "device/cuda_private.h"

#include <stdlib.h>
#include <string.h>

static int allocation_failed(struct device *device, cuda_status status, const char *call, size_t bytes,
			     struct error *err)
{
	size_t free_bytes = 0, total_bytes = 0;

	if (status != CUDA_STATUS_OUT_OF_MEMORY ||
	    cuda_of(device)->driver.memory_info(&free_bytes, &total_bytes) != CUDA_STATUS_SUCCESS)
		return cuda_check(device, status, call, err);
	error_set(err, ERROR_ENVIRONMENT,
		  "%s is out of memory: %zu bytes asked for, %zu of %zu free; use smaller cases, or end other programs that "
		  "nvidia-smi shows on it",
		  device->properties.id, bytes, free_bytes, total_bytes);
	if (err)
		err->device_code = (int)status;
	return -1;
}

int cuda_alloc(struct device *device, size_t bytes, device_pointer *out, struct error *err)
{
	cuda_address address = 0;

	if (cuda_enter(device, err) != 0)
		return -1;
	const cuda_status status =
		cuda_of(device)->driver.memory_alloc(&address, bytes ? bytes : DEVICE_SMALLEST_ALLOCATION);
	if (status != CUDA_STATUS_SUCCESS)
		return allocation_failed(device, status, "cuMemAlloc", bytes, err);
	*out = address;
	return 0;
}

int cuda_free(struct device *device, device_pointer pointer, struct error *err)
{
	if (!pointer)
		return 0;
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.memory_free(pointer), "cuMemFree", err);
}

/* device_guarded.handle */
enum { GUARDED_BASE, GUARDED_RESERVED, GUARDED_PHYSICAL, GUARDED_MAPPED };

/* Undoes whatever of a guarded allocation exists, the latest step first. The first failure is reported. */
static int release_guarded(struct device *device, struct device_guarded *memory, size_t granularity, struct error *err)
{
	const struct cuda_driver *driver = &cuda_of(device)->driver;
	const uint64_t *handle = memory->handle;
	cuda_status first = CUDA_STATUS_SUCCESS, status;

	if (handle[GUARDED_MAPPED]) {
		status = driver->unmap(handle[GUARDED_BASE] + granularity, (size_t)handle[GUARDED_MAPPED]);
		first = first ? first : status;
	}
	if (handle[GUARDED_PHYSICAL]) {
		status = driver->physical_release(handle[GUARDED_PHYSICAL]);
		first = first ? first : status;
	}
	if (handle[GUARDED_BASE]) {
		status = driver->address_free(handle[GUARDED_BASE], (size_t)handle[GUARDED_RESERVED]);
		first = first ? first : status;
	}
	*memory = (struct device_guarded){0};
	return cuda_check(device, first, "freeing guarded memory", err);
}

static struct cuda_allocation_properties pinned_on(int ordinal)
{
	return (struct cuda_allocation_properties){.type = CUDA_ALLOCATION_PINNED,
						   .location = {.type = CUDA_LOCATION_DEVICE, .id = ordinal}};
}

static cuda_status minimum_granularity(struct device *device, size_t *granularity)
{
	const struct cuda_allocation_properties properties = pinned_on(cuda_of(device)->ordinal);
	return cuda_of(device)->driver.granularity(granularity, (const struct CUmemAllocationProp_st *)&properties,
						   CUDA_GRANULARITY_MINIMUM);
}

int cuda_alloc_guarded(struct device *device, size_t bytes, struct device_guarded *out, struct error *err)
{
	struct cuda_device *cuda = cuda_of(device);
	const struct cuda_driver *driver = &cuda->driver;
	const struct cuda_allocation_properties properties = pinned_on(cuda->ordinal);
	const struct cuda_access access = {.location = properties.location, .flags = CUDA_ACCESS_READWRITE};
	struct device_guarded memory = {0};
	size_t granularity = 0, rounded, mapped, reserved;
	cuda_address base = 0;
	unsigned long long physical = 0;
	int supported = 0;
	const char *call;
	cuda_status status;

	if (cuda_enter(device, err) != 0)
		return -1;
	status = driver->device_attribute(&supported, CUDA_ATTRIBUTE_VIRTUAL_MEMORY, cuda->ordinal);
	if (status != CUDA_STATUS_SUCCESS || !supported)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s has no virtual memory management, which --guard pages needs; run without it",
				 device->properties.id);
	call = "cuMemGetAllocationGranularity";
	status = minimum_granularity(device, &granularity);
	if (status != CUDA_STATUS_SUCCESS || granularity == 0)
		return cuda_check(device, status ? status : CUDA_STATUS_NOT_SUPPORTED, call, err);
	/* the end may stay up to 15 bytes short of the boundary, so that the start keeps an alignment of 16 */
	if (size_add(bytes, 15, &rounded) != 0 || size_add(rounded, 3 * granularity, &reserved) != 0)
		return allocation_failed(device, CUDA_STATUS_OUT_OF_MEMORY, "cuMemCreate", bytes, err);
	rounded -= rounded % 16;
	mapped = rounded + (granularity - rounded % granularity) % granularity;
	reserved = mapped + 2 * granularity;

	call = "cuMemAddressReserve";
	status = driver->address_reserve(&base, reserved, 0, 0, 0);
	if (status != CUDA_STATUS_SUCCESS)
		goto failed;
	memory.handle[GUARDED_BASE] = base;
	memory.handle[GUARDED_RESERVED] = reserved;
	if (mapped) {
		call = "cuMemCreate";
		status = driver->physical_create(&physical, mapped, (const struct CUmemAllocationProp_st *)&properties, 0);
		if (status != CUDA_STATUS_SUCCESS)
			goto failed;
		memory.handle[GUARDED_PHYSICAL] = physical;
		call = "cuMemMap";
		status = driver->map(base + granularity, mapped, 0, physical, 0);
		if (status != CUDA_STATUS_SUCCESS)
			goto failed;
		memory.handle[GUARDED_MAPPED] = mapped;
		call = "cuMemSetAccess";
		status = driver->set_access(base + granularity, mapped, (const struct CUmemAccessDesc_st *)&access, 1);
		if (status != CUDA_STATUS_SUCCESS)
			goto failed;
	}
	memory.pointer = base + granularity + mapped - rounded;
	memory.bytes = bytes;
	*out = memory;
	return 0;
failed:
	release_guarded(device, &memory, granularity, NULL);
	return allocation_failed(device, status, call, bytes, err);
}

int cuda_free_guarded(struct device *device, struct device_guarded *memory, struct error *err)
{
	size_t granularity = 0;

	if (!memory->handle[GUARDED_BASE])
		return 0;
	/* unlike cuMemFree, cuMemUnmap does not wait for work that still uses the memory */
	if (cuda_enter(device, err) != 0 || device_synchronize(device, err) != 0)
		return -1;
	const cuda_status status = minimum_granularity(device, &granularity);
	if (status != CUDA_STATUS_SUCCESS)
		return cuda_check(device, status, "cuMemGetAllocationGranularity", err);
	return release_guarded(device, memory, granularity, err);
}

int cuda_memory_info(struct device *device, size_t *free_bytes, size_t *total_bytes, struct error *err)
{
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.memory_info(free_bytes, total_bytes), "cuMemGetInfo", err);
}

/* After both host copies the stream is waited for: the driver's own promise for pageable memory covers only a staging
 * copy, and for pinned memory nothing. */
int cuda_copy_in(struct device *device, device_pointer to, const void *from, size_t bytes, struct device_stream *stream,
		 struct error *err)
{
	const struct cuda_driver *driver = &cuda_of(device)->driver;

	if (bytes == 0)
		return 0;
	if (cuda_enter(device, err) != 0 ||
	    cuda_check(device, driver->copy_in(to, from, bytes, cuda_stream(device, stream)), "cuMemcpyHtoDAsync", err) != 0)
		return -1;
	return cuda_check(device, driver->stream_synchronize(cuda_stream(device, stream)), "cuStreamSynchronize", err);
}

int cuda_copy_out(struct device *device, void *to, device_pointer from, size_t bytes, struct device_stream *stream,
		  struct error *err)
{
	const struct cuda_driver *driver = &cuda_of(device)->driver;

	if (bytes == 0)
		return 0;
	if (cuda_enter(device, err) != 0 ||
	    cuda_check(device, driver->copy_out(to, from, bytes, cuda_stream(device, stream)), "cuMemcpyDtoHAsync", err) != 0)
		return -1;
	return cuda_check(device, driver->stream_synchronize(cuda_stream(device, stream)), "cuStreamSynchronize", err);
}

int cuda_copy(struct device *device, device_pointer to, device_pointer from, size_t bytes, struct device_stream *stream,
	      struct error *err)
{
	if (bytes == 0)
		return 0;
	if (cuda_enter(device, err) != 0)
		return -1;
	return cuda_check(device, cuda_of(device)->driver.copy(to, from, bytes, cuda_stream(device, stream)),
			  "cuMemcpyDtoDAsync", err);
}

int cuda_fill(struct device *device, device_pointer to, uint32_t value, int width, size_t count,
	      struct device_stream *stream, struct error *err)
{
	const struct cuda_driver *driver = &cuda_of(device)->driver;
	struct CUstream_st *queue = cuda_stream(device, stream);

	if ((width != 1 && width != 2 && width != 4) || to % (unsigned)width != 0)
		return error_set(err, ERROR_INTERNAL, "fill: words of %d bytes at address %#llx", width,
				 (unsigned long long)to);
	if (count == 0)
		return 0;
	if (cuda_enter(device, err) != 0)
		return -1;
	if (width == 1)
		return cuda_check(device, driver->fill8(to, (unsigned char)value, count, queue), "cuMemsetD8Async", err);
	if (width == 2)
		return cuda_check(device, driver->fill16(to, (unsigned short)value, count, queue), "cuMemsetD16Async", err);
	return cuda_check(device, driver->fill32(to, value, count, queue), "cuMemsetD32Async", err);
}
