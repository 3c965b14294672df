#include "reference/cudnn.h"

#include "core/util.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void find(void *library, const char *symbol, void *function, size_t size)
{
	void *address = dlsym(library, symbol);
	memcpy(function, &address, size);
}
#define FIND(library, symbol, pointer) find(library, symbol, &(pointer), sizeof(pointer))

/* Never unloaded, like the driver. */
static void *open_library(const char *path, char *reason, size_t reason_size)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library)
		snprintf(reason, reason_size, "%s", dlerror());
	return library;
}

static void *search_library(char *reason, size_t reason_size)
{
	const char *const homes[] = {getenv("CUDNN_HOME"), getenv("CUDA_HOME"), "/usr/local/cuda"};
	static const char *const folders[] = {"lib", "lib64", "lib64"};
	char path[1024], ignored[256];
	void *library = open_library("libcudnn.so.9", reason, reason_size);
	for (size_t i = 0; !library && i < ARRAY_COUNT(homes); i++)
		if (homes[i] && snprintf(path, sizeof path, "%s/%s/libcudnn.so.9", homes[i], folders[i]) < (int)sizeof path &&
		    path_exists(path))
			library = open_library(path, ignored, sizeof ignored);
	return library;
}

int cudnn_load(struct cudnn *cudnn, const char *path, struct error *err)
{
	char reason[512] = "";
	void *library = path ? open_library(path, reason, sizeof reason) : search_library(reason, sizeof reason);
	if (!library)
		return error_set(err, ERROR_ENVIRONMENT, "no cuDNN 9: %s; install it (apt install libcudnn9-cuda-13 from NVIDIA's "
				 "repository), or give --cudnn FILE", reason);
#define FIND_FUNCTION(field, symbol, result, parameters)                                                                   \
	FIND(library, #symbol, cudnn->field);                                                                              \
	if (!cudnn->field)                                                                                                 \
		return error_set(err, ERROR_ENVIRONMENT, "%s lacks " #symbol ": it is no cuDNN 9", path ? path : "libcudnn.so.9");
	CUDNN_FUNCTIONS(FIND_FUNCTION)
#undef FIND_FUNCTION
	FIND(library, "cudnnGetLastErrorString", cudnn->last_error);
	/* major * 10000 + minor * 100 + patch from 9.0 on; 8.9.7 says 8907 */
	cudnn->release = (int)cudnn->version();
	if (cudnn->release < 90000)
		return error_set(err, ERROR_ENVIRONMENT, "%s is cuDNN %d.%d; 9 or newer is needed", path ? path : "libcudnn.so.9",
				 cudnn->release / 1000, cudnn->release / 100 % 10);
	snprintf(cudnn->name, sizeof cudnn->name, "cuDNN %d.%d.%d", cudnn->release / 10000, cudnn->release / 100 % 100,
		 cudnn->release % 100);
	return 0;
}

int cudnn_failed(const struct cudnn *cudnn, cudnn_status status, const char *what, struct error *err)
{
	char last[256] = "";
	if (cudnn->last_error)
		cudnn->last_error(last, sizeof last);
	last[sizeof last - 1] = '\0';
	last[strcspn(last, "\n")] = '\0';
	return error_set(err, status / 1000 == 3 ? ERROR_UNSUPPORTED : ERROR_ENVIRONMENT, "%s: %s: %s%s%s", cudnn->name, what,
			 cudnn->status_text(status), last[0] ? ": " : "", last);
}

int cudnn_open(struct cudnn **out, struct device *device, const char *path, struct error *err)
{
	*out = NULL;
	if (device->properties.kind != DEVICE_CUDA)
		return error_set(err, ERROR_UNSUPPORTED, "cuDNN runs on CUDA devices only");
	struct cudnn *cudnn = calloc(1, sizeof *cudnn);
	if (!cudnn)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	cudnn->device = device;
	/* whatever was queued: foreign code may have changed the context, and cuDNN takes the current one */
	if (device_synchronize(device, err) || cudnn_load(cudnn, path, err))
		goto fail;
	const cudnn_status status = cudnn->create(&cudnn->handle);
	if (status) {
		cudnn_failed(cudnn, status, "cudnnCreate", err);
		cudnn->handle = NULL;
		goto fail;
	}
	*out = cudnn;
	return 0;
fail:
	cudnn_close(cudnn);
	return -1;
}

void cudnn_close(struct cudnn *cudnn)
{
	if (!cudnn)
		return;
	if (cudnn->handle)
		cudnn->destroy(cudnn->handle);
	free(cudnn);
}
