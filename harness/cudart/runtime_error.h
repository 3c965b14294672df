/* cudaError_t by number: names, words, which of them end a context, and how failures of the device table become them.
 *
 * Numbers and names are those of driver_types.h (CUDA 13.0); since CUDA 10.1 they equal CUresult wherever both know the
 * condition. The words are this program's own: archives only print them. */
#ifndef ASSAY_CUDART_RUNTIME_ERROR_H
#define ASSAY_CUDART_RUNTIME_ERROR_H

#include "core/error.h"

enum runtime_error {
	RUNTIME_SUCCESS = 0,
	RUNTIME_INVALID_VALUE = 1,
	RUNTIME_OUT_OF_MEMORY = 2,
	RUNTIME_NOT_INITIALIZED = 3,
	RUNTIME_INVALID_CONFIGURATION = 9,
	RUNTIME_INVALID_SYMBOL = 13,
	RUNTIME_INVALID_COPY_DIRECTION = 21,
	RUNTIME_MISSING_CONFIGURATION = 52,
	RUNTIME_INVALID_DEVICE_FUNCTION = 98,
	RUNTIME_INVALID_DEVICE = 101,
	RUNTIME_INVALID_IMAGE = 200,
	RUNTIME_NO_KERNEL_IMAGE = 209,
	RUNTIME_UNSUPPORTED_LIMIT = 215,
	RUNTIME_INVALID_HANDLE = 400,
	RUNTIME_SYMBOL_NOT_FOUND = 500,
	RUNTIME_NOT_READY = 600,
	RUNTIME_NOT_SUPPORTED = 801,
	RUNTIME_UNKNOWN = 999
};

const char *runtime_error_name(int code);  /* "cudaErrorInvalidValue"; as the runtime: "unrecognized error code" */
const char *runtime_error_words(int code);
int runtime_error_is_sticky(int code);     /* the context is lost: every later call fails the same way */

/* What the archive is told when the device table failed with `err`. */
int runtime_error_from(const struct error *err);

#endif
