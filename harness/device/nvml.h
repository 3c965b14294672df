/* Clocks, power, temperature and throttle reasons of a GPU, through NVML opened at run time. */
#ifndef ASSAY_DEVICE_NVML_H
#define ASSAY_DEVICE_NVML_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

struct nvml;

/* nvmlClocksEventReasonSwPowerCap */
#define NVML_REASON_POWER_CAP 0x4u

struct nvml_reading { /* a value that the driver does not tell is 0 */
	unsigned sm_clock_mhz, memory_clock_mhz;
	unsigned power_milliwatts;
	unsigned temperature_celsius;
	uint64_t throttle_reasons; /* bits of nvmlClocksEventReasons */
};

/* Finds the GPU by UUID ("GPU-..."). ERROR_ENVIRONMENT when libnvidia-ml.so.1 is missing or does not know it. */
int nvml_open(struct nvml **nvml, const char *uuid, struct error *err);
int nvml_read(struct nvml *nvml, struct nvml_reading *reading, struct error *err);
/* What the board has drawn since the driver was loaded, in joules. ERROR_UNSUPPORTED where the GPU does not count it (before
 * Volta). */
int nvml_energy(struct nvml *nvml, double *joules, struct error *err);
/* Compute processes on the GPU that are not this one or another child of its parent (workers of one session). In a container
 * process ids may be those of the host: then one is taken to be this process. ERROR_UNSUPPORTED where the driver does not
 * tell. */
int nvml_other_processes(struct nvml *nvml, uint32_t *count, struct error *err);
/* Driver version such as "580.159.04", from the kernel module or NVML; works without a GPU context. -1 when neither tells. */
int nvml_driver_version(char *text, size_t size);
void nvml_close(struct nvml *nvml);

#endif
