#include "device/cuda_driver.h"
#include "device/device.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The second one is where Windows keeps the driver of its Linux subsystem, which not every loader is told about. */
static const char *const driver_paths[] = {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"};

static const char no_gpu_remedy[] = "or use --device cpu for what needs no GPU";

/* What the kernel driver's device file says; filled when the library alone cannot explain why there is no GPU. */
static const char *device_file_hint(void)
{
	if (access("/dev/nvidiactl", R_OK | W_OK) == 0)
		return "";
	if (errno == EACCES)
		return "; this user may not open /dev/nvidiactl: add it to the group that owns that file";
	if (access("/dev/dxg", F_OK) == 0)
		return "";
	return "; /dev/nvidiactl is missing: load the kernel module (modprobe nvidia), or give the container its GPU "
	       "(docker run --gpus all)";
}

int cuda_environment_error(cuda_status status, const char *call, struct error *err)
{
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	const char *hint = "";
	char text[320];

	switch (status) {
	case CUDA_STATUS_NO_DEVICE:
	case CUDA_STATUS_INVALID_DEVICE:
		if (visible)
			snprintf(text, sizeof text,
				 "the driver shows no usable GPU while CUDA_VISIBLE_DEVICES is '%.40s': unset it or name a GPU "
				 "that nvidia-smi -L lists",
				 visible);
		else
			snprintf(text, sizeof text, "the driver finds no GPU: see whether nvidia-smi lists one");
		hint = device_file_hint();
		break;
	case CUDA_STATUS_STUB_LIBRARY:
		snprintf(text, sizeof text,
			 "the libcuda.so.1 that was loaded is the toolkit's stub: take its folder (.../stubs) out of "
			 "LD_LIBRARY_PATH, or install the NVIDIA driver");
		break;
	case CUDA_STATUS_OUT_OF_MEMORY:
		snprintf(text, sizeof text, "the GPU has no memory left for a context: see with nvidia-smi who uses it");
		break;
	case CUDA_STATUS_DEVICE_UNAVAILABLE:
		snprintf(text, sizeof text,
			 "the GPU is taken: another process holds it in exclusive mode, or its compute mode is Prohibited "
			 "(nvidia-smi -q -d COMPUTE)");
		break;
	case CUDA_STATUS_SYSTEM_NOT_READY:
		snprintf(text, sizeof text,
			 "the system is not ready: on machines with NVSwitch start nvidia-fabricmanager, then try again");
		break;
	case CUDA_STATUS_SYSTEM_DRIVER_MISMATCH:
		snprintf(text, sizeof text,
			 "the driver's library and its kernel module are of different versions: reboot after a driver "
			 "update, or remove a cuda-compat folder from LD_LIBRARY_PATH");
		break;
	case CUDA_STATUS_COMPAT_NOT_SUPPORTED:
		snprintf(text, sizeof text,
			 "the cuda-compat package does not support this GPU: remove its folder from LD_LIBRARY_PATH");
		break;
	case CUDA_STATUS_NOT_INITIALIZED:
		snprintf(text, sizeof text, "the driver was initialised before this process was forked: start a new one");
		break;
	case CUDA_STATUS_UNKNOWN:
		snprintf(text, sizeof text,
			 "the driver could not start: load the module nvidia-uvm (nvidia-modprobe -u) or reboot");
		hint = device_file_hint();
		break;
	default:
		snprintf(text, sizeof text, "the driver could not start: see dmesg for lines of NVRM");
		hint = device_file_hint();
		break;
	}
	error_set(err, ERROR_ENVIRONMENT, "no CUDA device: %s gave %s (%u); %s%s; %s", call, device_error_name((int)status),
		  status, text, hint, no_gpu_remedy);
	if (err)
		err->device_code = (int)status;
	return -1;
}

int cuda_error(const struct cuda_driver *driver, cuda_status status, const char *call, struct error *err)
{
	const char *text = NULL;

	if (!err)
		return -1;
	if (driver->error_string(status, &text) != CUDA_STATUS_SUCCESS || !text)
		text = "no description";
	error_set(err,
		  status == CUDA_STATUS_OUT_OF_MEMORY    ? ERROR_ENVIRONMENT
		  : status == CUDA_STATUS_NOT_SUPPORTED ? ERROR_UNSUPPORTED
							: ERROR_DEVICE,
		  "%s: %s (%u): %s", call, device_error_name((int)status), status, text);
	err->device_code = (int)status;
	return -1;
}

/* Branch numbers are those of the release notes' table of minimum driver versions; CUDA 12.0 shipped with r525. */
static int too_old(int version, const char *missing, struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT,
			 "no CUDA device: the NVIDIA driver is too old (it supports CUDA %d.%d%s%s); install branch r525 (CUDA "
			 "12.0) or newer, %s",
			 version / 1000, version % 1000 / 10, missing ? " and lacks " : "", missing ? missing : "",
			 no_gpu_remedy);
}

static const char *find_functions(struct cuda_driver *driver, void *library)
{
	const char *missing = NULL;
#define X(field, symbol, parameters)                                                                                  \
	{                                                                                                             \
		void *address = dlsym(library, #symbol);                                                              \
		memcpy(&driver->field, &address, sizeof address);                                                     \
		if (!address && !missing)                                                                             \
			missing = #symbol;                                                                            \
	}
	CUDA_DRIVER_FUNCTIONS(X)
#undef X
	return missing;
}

int cuda_driver_open(struct cuda_driver *driver, struct error *err)
{
	char reason[256] = "";
	void *library = NULL;

	*driver = (struct cuda_driver){0};
	for (size_t i = 0; !library && i < sizeof driver_paths / sizeof driver_paths[0]; i++) {
		/* never unloaded: the driver starts threads and registers exit handlers */
		library = dlopen(driver_paths[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
		if (!library && !reason[0])
			snprintf(reason, sizeof reason, "%s", dlerror());
	}
	if (!library)
		return error_set(err, ERROR_ENVIRONMENT,
				 "no CUDA device: the NVIDIA driver's library cannot be opened (%s); install a driver of branch "
				 "r525 or newer, in a container pass the GPU through (docker run --gpus all), %s",
				 reason, no_gpu_remedy);
	const char *missing = find_functions(driver, library);
	if (!driver->driver_version || !driver->init)
		return error_set(err, ERROR_ENVIRONMENT,
				 "no CUDA device: the libcuda.so.1 that was loaded is no CUDA driver (it lacks %s); reinstall the "
				 "NVIDIA driver, %s",
				 missing, no_gpu_remedy);
	cuda_status status = driver->driver_version(&driver->version);
	if (status != CUDA_STATUS_SUCCESS)
		return cuda_environment_error(status, "cuDriverGetVersion", err);
	if (driver->version < CUDA_OLDEST_VERSION || missing)
		return too_old(driver->version, missing, err);
	status = driver->init(0);
	if (status != CUDA_STATUS_SUCCESS)
		return cuda_environment_error(status, "cuInit", err);
	return 0;
}

int cuda_driver_devices(const struct cuda_driver *driver, int *count, struct error *err)
{
	*count = 0;
	const cuda_status status = driver->device_count(count);
	if (status != CUDA_STATUS_SUCCESS)
		return cuda_environment_error(status, "cuDeviceGetCount", err);
	if (*count <= 0)
		return cuda_environment_error(CUDA_STATUS_NO_DEVICE, "cuDeviceGetCount", err);
	return 0;
}

int device_cuda_count(char *why, size_t why_size)
{
	struct cuda_driver driver;
	struct error err = {0};
	int count = 0;

	if (why && why_size)
		why[0] = '\0';
	if (cuda_driver_open(&driver, &err) == 0 && cuda_driver_devices(&driver, &count, &err) == 0)
		return count;
	if (why && why_size)
		snprintf(why, why_size, "%s", err.message);
	return 0;
}
