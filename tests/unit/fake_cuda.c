/* A libcuda.so.1 that only refuses, for tests of what the program says on machines whose driver is too old, finds no GPU,
 * and so on. FAKE_CUDA="version init count count_status": what cuDriverGetVersion gives, what cuInit returns, what
 * cuDeviceGetCount gives and returns. Compiled with LACKING, it lacks cuStreamWaitValue32_v2, as drivers before CUDA 11.7. */
#include "device/cuda_driver.h"

#include <stdio.h>
#include <stdlib.h>

struct plan {
	int version, init, count, count_status;
};

static struct plan plan(void)
{
	struct plan given = {13000, 0, 1, 0};
	const char *text = getenv("FAKE_CUDA");
	if (text)
		sscanf(text, "%d %d %d %d", &given.version, &given.init, &given.count, &given.count_status);
	return given;
}

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define cuInit unused_cuInit
#define cuDriverGetVersion unused_cuDriverGetVersion
#define cuDeviceGetCount unused_cuDeviceGetCount
#ifdef LACKING
#define cuStreamWaitValue32_v2 unused_cuStreamWaitValue32_v2
#endif
#define EXPANDED(symbol, parameters) cuda_status symbol parameters { return CUDA_STATUS_UNKNOWN; }
#define X(field, symbol, parameters) EXPANDED(symbol, parameters)
CUDA_DRIVER_FUNCTIONS(X)
#undef X
#undef cuInit
#undef cuDriverGetVersion
#undef cuDeviceGetCount

cuda_status cuInit(unsigned flags)
{
	return (cuda_status)plan().init;
}

cuda_status cuDriverGetVersion(int *version)
{
	*version = plan().version;
	return CUDA_STATUS_SUCCESS;
}

cuda_status cuDeviceGetCount(int *count)
{
	*count = plan().count;
	return (cuda_status)plan().count_status;
}
