#include "device/nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Signatures and values of nvml.h (NVML API reference guide, driver 580). */
struct nvmlDevice_st;
typedef unsigned nvml_status;

enum {
	NVML_STATUS_SUCCESS = 0,
	NVML_STATUS_INSUFFICIENT_SIZE = 7,
	NVML_CLOCK_OF_SM = 1,       /* NVML_CLOCK_SM */
	NVML_CLOCK_OF_MEMORY = 2,   /* NVML_CLOCK_MEM */
	NVML_SENSOR_GPU = 0,        /* NVML_TEMPERATURE_GPU */
	NVML_FIELD_POWER_INSTANT = 186, /* NVML_FI_DEV_POWER_INSTANT, milliwatts; drivers from r530 on */
	NVML_TYPE_UNSIGNED = 1      /* NVML_VALUE_TYPE_UNSIGNED_INT */
};

struct nvml_field { /* nvmlFieldValue_t */
	unsigned field, scope;
	long long timestamp, latency;
	unsigned type;
	nvml_status status;
	union {
		double real;
		unsigned integer;
		unsigned long long wide;
	} value;
};

struct nvml_process { /* nvmlProcessInfo_t of the functions _v2 and _v3 */
	unsigned pid;
	unsigned long long memory;
	unsigned gpu_instance, compute_instance;
};
enum { PROCESSES_MAX = 64 };

struct nvml {
	void *library;
	struct nvmlDevice_st *device;
	nvml_status (*shutdown)(void);
	nvml_status (*clock)(struct nvmlDevice_st *device, unsigned type, unsigned *megahertz);
	nvml_status (*power)(struct nvmlDevice_st *device, unsigned *milliwatts);
	nvml_status (*temperature)(struct nvmlDevice_st *device, unsigned sensor, unsigned *celsius);
	nvml_status (*throttle)(struct nvmlDevice_st *device, unsigned long long *reasons);
	nvml_status (*fields)(struct nvmlDevice_st *device, int count, struct nvml_field *fields);
	nvml_status (*energy)(struct nvmlDevice_st *device, unsigned long long *millijoules);
	nvml_status (*processes)(struct nvmlDevice_st *device, unsigned *count, struct nvml_process *processes);
	int instant_power; /* 1 while the field is answered */
};

/* Fills a function pointer; NULL when the library lacks the symbol. */
static void find(void *library, const char *symbol, void *function, size_t size)
{
	void *address = dlsym(library, symbol);
	memcpy(function, &address, size);
}
#define FIND(library, symbol, pointer) find(library, symbol, &(pointer), sizeof(pointer))

static void *open_library(struct error *err)
{
	/* the second is where Windows keeps it for its Linux subsystem; never unloaded, like the driver itself */
	void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	char reason[256] = "";
	if (!library)
		snprintf(reason, sizeof reason, "%s", dlerror());
	if (!library)
		library = dlopen("/usr/lib/wsl/lib/libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library)
		error_set(err, ERROR_ENVIRONMENT,
			  "clocks and power are not known: libnvidia-ml.so.1 cannot be opened (%s); install the driver's "
			  "utilities, in a container set NVIDIA_DRIVER_CAPABILITIES=compute,utility",
			  reason);
	return library;
}

static int failed(void *library, nvml_status status, const char *what, struct error *err)
{
	const char *(*error_string)(nvml_status status);
	FIND(library, "nvmlErrorString", error_string);
	return error_set(err, ERROR_ENVIRONMENT, "clocks and power are not known: %s: %s (NVML error %u)", what,
			 error_string ? error_string(status) : "no description", status);
}

/* Looks the GPU up under its UUID; a MIG slice has clocks only through the GPU it is part of. */
static nvml_status find_device(struct nvml *nvml, const char *uuid)
{
	nvml_status (*by_uuid)(const char *uuid, struct nvmlDevice_st **device);
	nvml_status (*parent_of)(struct nvmlDevice_st *slice, struct nvmlDevice_st **device);
	char slice_name[64];

	FIND(nvml->library, "nvmlDeviceGetHandleByUUID", by_uuid);
	FIND(nvml->library, "nvmlDeviceGetDeviceHandleFromMigDeviceHandle", parent_of);
	if (!by_uuid)
		return 13; /* NVML_ERROR_FUNCTION_NOT_FOUND */
	nvml_status status = by_uuid(uuid, &nvml->device);
	if (status == NVML_STATUS_SUCCESS || strncmp(uuid, "GPU-", 4) != 0 || !parent_of)
		return status;
	snprintf(slice_name, sizeof slice_name, "MIG-%s", uuid + 4);
	struct nvmlDevice_st *slice = NULL;
	if (by_uuid(slice_name, &slice) == NVML_STATUS_SUCCESS)
		status = parent_of(slice, &nvml->device);
	return status;
}

int nvml_open(struct nvml **out, const char *uuid, struct error *err)
{
	struct nvml *nvml = calloc(1, sizeof *nvml);
	nvml_status (*init)(void);
	nvml_status status;
	int initialised = 0;

	*out = NULL;
	if (!nvml)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	nvml->library = open_library(err);
	if (!nvml->library)
		goto failed;
	FIND(nvml->library, "nvmlInit_v2", init);
	FIND(nvml->library, "nvmlShutdown", nvml->shutdown);
	FIND(nvml->library, "nvmlDeviceGetClockInfo", nvml->clock);
	FIND(nvml->library, "nvmlDeviceGetPowerUsage", nvml->power);
	FIND(nvml->library, "nvmlDeviceGetTemperature", nvml->temperature);
	FIND(nvml->library, "nvmlDeviceGetCurrentClocksEventReasons", nvml->throttle);
	if (!nvml->throttle) /* its name before r535 */
		FIND(nvml->library, "nvmlDeviceGetCurrentClocksThrottleReasons", nvml->throttle);
	FIND(nvml->library, "nvmlDeviceGetFieldValues", nvml->fields);
	FIND(nvml->library, "nvmlDeviceGetTotalEnergyConsumption", nvml->energy);
	FIND(nvml->library, "nvmlDeviceGetComputeRunningProcesses_v3", nvml->processes);
	if (!nvml->processes) /* its name before r510 */
		FIND(nvml->library, "nvmlDeviceGetComputeRunningProcesses_v2", nvml->processes);
	nvml->instant_power = nvml->fields != NULL;
	if (!init || !nvml->shutdown) {
		error_set(err, ERROR_ENVIRONMENT, "clocks and power are not known: libnvidia-ml.so.1 is no NVML");
		goto failed;
	}
	status = init();
	if (status != NVML_STATUS_SUCCESS) {
		failed(nvml->library, status, "nvmlInit", err);
		goto failed;
	}
	initialised = 1;
	status = find_device(nvml, uuid);
	if (status != NVML_STATUS_SUCCESS) {
		failed(nvml->library, status, uuid, err);
		goto failed;
	}
	*out = nvml;
	return 0;
failed:
	if (initialised)
		nvml->shutdown();
	free(nvml);
	return -1;
}

/* Board power now; the older call averages over a second on most GPUs, longer than many a measurement. */
static unsigned read_power(struct nvml *nvml)
{
	unsigned milliwatts = 0;

	if (nvml->instant_power) {
		struct nvml_field field = {.field = NVML_FIELD_POWER_INSTANT};
		if (nvml->fields(nvml->device, 1, &field) == NVML_STATUS_SUCCESS && field.status == NVML_STATUS_SUCCESS &&
		    field.type == NVML_TYPE_UNSIGNED)
			return field.value.integer;
		nvml->instant_power = 0;
	}
	if (!nvml->power || nvml->power(nvml->device, &milliwatts) != NVML_STATUS_SUCCESS)
		milliwatts = 0;
	return milliwatts;
}

int nvml_read(struct nvml *nvml, struct nvml_reading *reading, struct error *err)
{
	unsigned long long reasons = 0;
	nvml_status status = NVML_STATUS_SUCCESS;

	*reading = (struct nvml_reading){0};
	if (nvml->clock) {
		status = nvml->clock(nvml->device, NVML_CLOCK_OF_SM, &reading->sm_clock_mhz);
		if (nvml->clock(nvml->device, NVML_CLOCK_OF_MEMORY, &reading->memory_clock_mhz) != NVML_STATUS_SUCCESS)
			reading->memory_clock_mhz = 0;
	}
	if (status == 15) /* NVML_ERROR_GPU_IS_LOST */
		return failed(nvml->library, status, "reading the SM clock", err);
	if (status != NVML_STATUS_SUCCESS)
		reading->sm_clock_mhz = 0;
	reading->power_milliwatts = read_power(nvml);
	if (!nvml->temperature ||
	    nvml->temperature(nvml->device, NVML_SENSOR_GPU, &reading->temperature_celsius) != NVML_STATUS_SUCCESS)
		reading->temperature_celsius = 0;
	if (nvml->throttle && nvml->throttle(nvml->device, &reasons) == NVML_STATUS_SUCCESS)
		reading->throttle_reasons = reasons;
	return 0;
}

int nvml_energy(struct nvml *nvml, double *joules, struct error *err)
{
	unsigned long long millijoules = 0;
	const nvml_status status = nvml->energy ? nvml->energy(nvml->device, &millijoules) : 3; /* NVML_ERROR_NOT_SUPPORTED */

	if (status != NVML_STATUS_SUCCESS) {
		failed(nvml->library, status, "reading the energy", err);
		if (err && status == 3)
			err->kind = ERROR_UNSUPPORTED;
		return -1;
	}
	*joules = (double)millijoules / 1000;
	return 0;
}

/* Parent of a process that this one can see; 0 for others. */
static int parent_of_process(unsigned pid)
{
	char path[48], line[512] = "";
	int parent = 0;

	snprintf(path, sizeof path, "/proc/%u/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(line, sizeof line, file))
		line[0] = '\0';
	fclose(file);
	/* "pid (name) state ppid ...": the name may hold anything, parentheses too */
	const char *after = strrchr(line, ')');
	if (!after || sscanf(after + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

int nvml_other_processes(struct nvml *nvml, uint32_t *count, struct error *err)
{
	struct nvml_process processes[PROCESSES_MAX];
	unsigned found = PROCESSES_MAX;
	uint32_t others = 0, is_there = 0;

	const nvml_status status = nvml->processes ? nvml->processes(nvml->device, &found, processes) : 3; /* NVML_ERROR_NOT_SUPPORTED */
	if (status != NVML_STATUS_SUCCESS && status != NVML_STATUS_INSUFFICIENT_SIZE)
		return error_set(err, ERROR_UNSUPPORTED, "the driver does not tell which processes use the GPU (NVML error %u)", status);
	if (status == NVML_STATUS_INSUFFICIENT_SIZE) { /* nothing was filled in; more than anyone wants to share a GPU with */
		*count = found > 1 ? found - 1 : 1;
		return 0;
	}
	for (unsigned i = 0; i < found && i < PROCESSES_MAX; i++) {
		if (processes[i].pid == (unsigned)getpid())
			is_there = 1;
		else if (parent_of_process(processes[i].pid) != getppid())
			others++;
	}
	*count = !is_there && others ? others - 1 : others;
	return 0;
}

/* The kernel module says its version without the tens of milliseconds that starting NVML takes. */
static int module_version(char *text, size_t size)
{
	char line[64] = "";
	FILE *file = fopen("/sys/module/nvidia/version", "re");

	if (!file)
		return -1;
	if (!fgets(line, sizeof line, file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	if (!line[0])
		return -1;
	snprintf(text, size, "%s", line);
	return 0;
}

int nvml_driver_version(char *text, size_t size)
{
	nvml_status (*init)(void);
	nvml_status (*shut)(void);
	nvml_status (*version)(char *version, unsigned length);
	char found[96] = "";

	if (module_version(text, size) == 0)
		return 0;
	void *library = open_library(NULL);
	if (!library)
		return -1;
	FIND(library, "nvmlInit_v2", init);
	FIND(library, "nvmlShutdown", shut);
	FIND(library, "nvmlSystemGetDriverVersion", version);
	if (!init || !shut || !version || init() != NVML_STATUS_SUCCESS)
		return -1;
	const nvml_status status = version(found, sizeof found);
	shut();
	if (status != NVML_STATUS_SUCCESS)
		return -1;
	snprintf(text, size, "%s", found);
	return 0;
}

void nvml_close(struct nvml *nvml)
{
	if (!nvml)
		return;
	nvml->shutdown();
	free(nvml);
}
