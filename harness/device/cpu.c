/* Host memory as a device: everything is done when a call returns, so that streams and events hold no work. Kernels:
 * cpu_kernels.c. */
#include "core/util.h"
#include "device/cpu.h"

#include <errno.h>
#include <sched.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

/* GPUs align allocations to 256 bytes (CUDA C++ Programming Guide, "Device Memory Accesses"); kernels and the judge may
 * rely on it. */
enum { ALLOCATION_ALIGNMENT = 256 };

struct device_event {
	int recorded;
	double seconds;
};

static void *host_pointer(device_pointer pointer)
{
	return (void *)(uintptr_t)pointer;
}

static int compare_addresses(const void *a, const void *b)
{
	const uintptr_t left = (uintptr_t)a, right = (uintptr_t)b;
	return (left > right) - (left < right);
}

static int no_memory(size_t bytes, struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT,
			 "out of memory: %zu bytes of host memory for the cpu device cannot be had; use smaller cases",
			 bytes);
}

static void cpu_close(struct device *device)
{
	struct cpu_device *cpu = cpu_of(device);
	tdestroy(cpu->allocations, free);
	ptx_memory_destroy(cpu->memory);
	free(cpu->outputs);
	free(cpu);
}

/* Value in bytes of one line of /proc/meminfo, 0 when it is not there. */
static size_t meminfo(const char *key)
{
	char line[128];
	unsigned long long kibibytes = 0;
	FILE *file = fopen("/proc/meminfo", "re");
	while (file && fgets(line, sizeof line, file)) {
		const size_t length = strlen(key);
		if (strncmp(line, key, length) == 0 && line[length] == ':') {
			kibibytes = strtoull(line + length + 1, NULL, 10);
			break;
		}
	}
	if (file)
		fclose(file);
	return (size_t)kibibytes * 1024;
}

static int cpu_memory_info(struct device *device, size_t *free_bytes, size_t *total_bytes, struct error *err)
{
	(void)device;
	*free_bytes = meminfo("MemAvailable");
	*total_bytes = meminfo("MemTotal");
	if (*total_bytes == 0)
		return error_set(err, ERROR_ENVIRONMENT, "/proc/meminfo does not say how much memory there is");
	return 0;
}

static int cpu_alloc(struct device *device, size_t bytes, device_pointer *out, struct error *err)
{
	size_t padded;

	if (size_add(bytes ? bytes : DEVICE_SMALLEST_ALLOCATION, ALLOCATION_ALIGNMENT - 1, &padded) != 0)
		return no_memory(bytes, err);
	padded -= padded % ALLOCATION_ALIGNMENT;
	/* Linux promises more memory than there is and kills the process that uses it */
	if (device->properties.memory_bytes && padded > device->properties.memory_bytes)
		return no_memory(bytes, err);
	void *memory = aligned_alloc(ALLOCATION_ALIGNMENT, padded);
	if (!memory)
		return no_memory(bytes, err);
	if (!tsearch(memory, &cpu_of(device)->allocations, compare_addresses)) {
		free(memory);
		return no_memory(bytes, err);
	}
	/* the size asked for, not the padded one: kernels are held to it */
	if (ptx_memory_add(cpu_of(device)->memory, (uintptr_t)memory, bytes, PTX_BUFFER_ALLOCATION, NULL, err)) {
		tdelete(memory, &cpu_of(device)->allocations, compare_addresses);
		free(memory);
		return -1;
	}
	*out = (device_pointer)(uintptr_t)memory;
	return 0;
}

static int cpu_free(struct device *device, device_pointer pointer, struct error *err)
{
	if (!pointer)
		return 0;
	void *memory = host_pointer(pointer);
	if (!tdelete(memory, &cpu_of(device)->allocations, compare_addresses))
		return error_set(err, ERROR_INTERNAL, "%p was not allocated by the cpu device, or was freed before", memory);
	ptx_memory_remove(cpu_of(device)->memory, pointer);
	cpu_forget_output(cpu_of(device), pointer);
	free(memory);
	return 0;
}

static int cpu_alloc_guarded(struct device *device, size_t bytes, struct device_guarded *out, struct error *err)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t rounded, usable, total;

	if (size_add(bytes, 15, &rounded) != 0 || size_add(rounded, page, &usable) != 0)
		return no_memory(bytes, err);
	rounded -= rounded % 16;
	usable = rounded + (page - rounded % page) % page;
	if (size_add(usable, 2 * page, &total) != 0 ||
	    (device->properties.memory_bytes && usable > device->properties.memory_bytes))
		return no_memory(bytes, err);
	char *base = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return no_memory(bytes, err);
	if (usable && mprotect(base + page, usable, PROT_READ | PROT_WRITE) != 0) {
		munmap(base, total);
		return no_memory(bytes, err);
	}
	const device_pointer start = (device_pointer)(uintptr_t)(base + page + usable - rounded);
	if (ptx_memory_add(cpu_of(device)->memory, start, bytes, PTX_BUFFER_ALLOCATION, NULL, err)) {
		munmap(base, total);
		return -1;
	}
	*out = (struct device_guarded){.pointer = start, .bytes = bytes, .handle = {(uint64_t)(uintptr_t)base, total}};
	return 0;
}

static int cpu_free_guarded(struct device *device, struct device_guarded *memory, struct error *err)
{
	if (memory->handle[0]) {
		ptx_memory_remove(cpu_of(device)->memory, memory->pointer);
		cpu_forget_output(cpu_of(device), memory->pointer);
	}
	if (memory->handle[0] && munmap(host_pointer(memory->handle[0]), (size_t)memory->handle[1]) != 0)
		return error_set(err, ERROR_INTERNAL, "guarded memory cannot be unmapped: %s", strerror(errno));
	*memory = (struct device_guarded){0};
	return 0;
}

static int cpu_copy_in(struct device *device, device_pointer to, const void *from, size_t bytes,
		       struct device_stream *stream, struct error *err)
{
	(void)stream, (void)err;
	if (bytes) {
		memmove(host_pointer(to), from, bytes);
		ptx_memory_host_write(cpu_of(device)->memory, to, bytes);
	}
	return 0;
}

static int cpu_copy_out(struct device *device, void *to, device_pointer from, size_t bytes,
			struct device_stream *stream, struct error *err)
{
	(void)stream, (void)err;
	if (bytes) {
		cpu_look_at(cpu_of(device), from, bytes);
		memmove(to, host_pointer(from), bytes);
	}
	return 0;
}

static int cpu_copy(struct device *device, device_pointer to, device_pointer from, size_t bytes,
		    struct device_stream *stream, struct error *err)
{
	(void)stream, (void)err;
	if (bytes) {
		memmove(host_pointer(to), host_pointer(from), bytes);
		ptx_memory_host_copy(cpu_of(device)->memory, to, from, bytes);
	}
	return 0;
}

static int cpu_fill(struct device *device, device_pointer to, uint32_t value, int width, size_t count,
		    struct device_stream *stream, struct error *err)
{
	(void)stream;
	if ((width != 1 && width != 2 && width != 4) || to % (unsigned)width != 0)
		return error_set(err, ERROR_INTERNAL, "fill: words of %d bytes at address %#llx", width,
				 (unsigned long long)to);
	if (width == 1) {
		if (count)
			memset(host_pointer(to), (int)(value & 0xff), count);
	} else if (width == 2) {
		uint16_t *words = host_pointer(to);
		for (size_t i = 0; i < count; i++)
			words[i] = (uint16_t)value;
	} else {
		uint32_t *words = host_pointer(to);
		for (size_t i = 0; i < count; i++)
			words[i] = value;
	}
	ptx_memory_host_write(cpu_of(device)->memory, to, count * (size_t)width);
	return 0;
}

static int cpu_stream_create(struct device *device, struct device_stream **out, struct error *err)
{
	(void)device;
	*out = calloc(1, sizeof **out);
	return *out ? 0 : no_memory(sizeof **out, err);
}

static int cpu_stream_destroy(struct device *device, struct device_stream *stream, struct error *err)
{
	(void)err;
	if (stream != device->stream)
		free(stream);
	return 0;
}

static int cpu_stream_synchronize(struct device *device, struct device_stream *stream, struct error *err)
{
	(void)stream;
	return cpu_still_good(cpu_of(device), err);
}

static int cpu_event_create(struct device *device, struct device_event **out, struct error *err)
{
	(void)device;
	*out = calloc(1, sizeof **out);
	return *out ? 0 : no_memory(sizeof **out, err);
}

static int cpu_event_destroy(struct device *device, struct device_event *event, struct error *err)
{
	(void)device, (void)err;
	free(event);
	return 0;
}

static int cpu_event_record(struct device *device, struct device_event *event, struct device_stream *stream,
			    struct error *err)
{
	(void)device, (void)stream, (void)err;
	event->seconds = monotonic_seconds();
	event->recorded = 1;
	return 0;
}

static int cpu_event_synchronize(struct device *device, struct device_event *event, struct error *err)
{
	(void)device, (void)event, (void)err;
	return 0;
}

static int cpu_event_query(struct device *device, struct device_event *event, int *done, struct error *err)
{
	(void)device, (void)event, (void)err;
	*done = 1;
	return 0;
}

static int cpu_event_elapsed(struct device *device, struct device_event *from, struct device_event *to, double *seconds,
			     struct error *err)
{
	(void)device;
	if (!from->recorded || !to->recorded)
		return error_set(err, ERROR_INTERNAL, "the time between two events was asked for before they were recorded");
	*seconds = to->seconds - from->seconds;
	return 0;
}

static int cpu_stream_wait_value(struct device *device, struct device_stream *stream, uint32_t value, struct error *err)
{
	(void)device, (void)stream, (void)value;
	return error_set(err, ERROR_UNSUPPORTED, "the cpu device runs every call at once: it cannot be held at a gate");
}

static volatile uint32_t *cpu_gate_flag(struct device *device)
{
	(void)device;
	return NULL;
}

static int cpu_synchronize(struct device *device, struct error *err)
{
	return cpu_still_good(cpu_of(device), err);
}

static int cpu_attribute(struct device *device, int attribute, int *value, struct error *err)
{
	(void)device;
	*value = 0;
	return error_set(err, ERROR_UNSUPPORTED, "the cpu device has no CUDA device attribute %d", attribute);
}

static int cpu_gemm_checked(struct device *device, const struct device_gemm *gemm, struct device_stream *stream,
			    struct error *err)
{
	(void)device, (void)stream;
	if (device_gemm_check(gemm, err) != 0)
		return -1;
	return device_gemm_is_empty(gemm) ? 0 : cpu_gemm(gemm, err);
}

static const struct device_ops cpu_ops = {
	.close = cpu_close,
	.alloc = cpu_alloc,
	.free = cpu_free,
	.alloc_guarded = cpu_alloc_guarded,
	.free_guarded = cpu_free_guarded,
	.memory_info = cpu_memory_info,
	.copy_in = cpu_copy_in,
	.copy_out = cpu_copy_out,
	.copy = cpu_copy,
	.fill = cpu_fill,
	.module_load = cpu_module_load,
	.module_unload = cpu_module_unload,
	.module_function = cpu_module_function,
	.module_global = cpu_module_global,
	.function_get = cpu_function_get,
	.function_set = cpu_function_set,
	.function_occupancy = cpu_function_occupancy,
	.launch = cpu_launch,
	.stream_create = cpu_stream_create,
	.stream_destroy = cpu_stream_destroy,
	.stream_synchronize = cpu_stream_synchronize,
	.event_create = cpu_event_create,
	.event_destroy = cpu_event_destroy,
	.event_record = cpu_event_record,
	.event_synchronize = cpu_event_synchronize,
	.event_query = cpu_event_query,
	.event_elapsed = cpu_event_elapsed,
	.stream_wait_value = cpu_stream_wait_value,
	.gate_flag = cpu_gate_flag,
	.synchronize = cpu_synchronize,
	.attribute = cpu_attribute,
	.gemm = cpu_gemm_checked,
	.mark = cpu_mark,
	.findings = cpu_findings,
	.counts = cpu_counts,
};

static void processor_name(char *name, size_t size)
{
	char line[256];
	struct utsname system;

	name[0] = '\0';
	FILE *file = fopen("/proc/cpuinfo", "re");
	while (file && !name[0] && fgets(line, sizeof line, file)) {
		char *colon = strchr(line, ':');
		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		char *text = colon + 1 + strspn(colon + 1, " \t");
		text[strcspn(text, "\n")] = '\0';
		snprintf(name, size, "%s", text);
	}
	if (file)
		fclose(file);
	/* ARM kernels name no model */
	if (!name[0] && uname(&system) == 0)
		snprintf(name, size, "%.60s processor", system.machine);
}

static int cores_allowed(void)
{
	cpu_set_t set;
	/* the mask of a machine with more than 1024 processors does not fit: all of them, then */
	if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
		return CPU_COUNT(&set);
	const long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (int)online : 1;
}

/* The last level of cache is what a cold measurement has to push out. */
static size_t last_level_cache(void)
{
	const long level3 = sysconf(_SC_LEVEL3_CACHE_SIZE), level2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
	return level3 > 0 ? (size_t)level3 : level2 > 0 ? (size_t)level2 : 0;
}

int cpu_device_open(struct device **device, const struct device_options *options, struct error *err)
{
	struct cpu_device *cpu = calloc(1, sizeof *cpu);

	*device = NULL;
	if (!cpu)
		return no_memory(sizeof *cpu, err);
	cpu->memory = ptx_memory_create();
	if (!cpu->memory) {
		free(cpu);
		return no_memory(sizeof *cpu, err);
	}
	cpu->unchecked = options->unchecked;
	struct device_properties *properties = &cpu->base.properties;
	cpu->base.ops = &cpu_ops;
	cpu->base.stream = &cpu->stream;
	properties->kind = DEVICE_CPU;
	snprintf(properties->id, sizeof properties->id, "cpu");
	processor_name(properties->name, sizeof properties->name);
	properties->multiprocessors = cores_allowed();
	properties->l2_bytes = last_level_cache();
	properties->memory_bytes = meminfo("MemTotal");
	cpu_blas_start(properties->multiprocessors, properties->gemm_library, sizeof properties->gemm_library);
	*device = &cpu->base;
	return 0;
}
