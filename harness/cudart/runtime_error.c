#include "cudart/runtime_error.h"

#include <stddef.h>

struct entry {
	int code;
	const char *name, *words;
	int sticky;
};

static const struct entry entries[] = {
	{0, "cudaSuccess", "no error", 0},
	{1, "cudaErrorInvalidValue", "an argument is not valid", 0},
	{2, "cudaErrorMemoryAllocation", "out of memory", 0},
	{3, "cudaErrorInitializationError", "the runtime is not initialized", 0},
	{4, "cudaErrorCudartUnloading", "the driver is shutting down", 1},
	{9, "cudaErrorInvalidConfiguration", "the grid or block of a launch is not possible", 0},
	{12, "cudaErrorInvalidPitchValue", "a pitch is not valid", 0},
	{13, "cudaErrorInvalidSymbol", "no such device variable", 0},
	{17, "cudaErrorInvalidDevicePointer", "not a device pointer", 0},
	{21, "cudaErrorInvalidMemcpyDirection", "a copy has no such direction", 0},
	{34, "cudaErrorStubLibrary", "the driver library is only a stub", 0},
	{35, "cudaErrorInsufficientDriver", "the driver is older than the runtime needs", 0},
	{36, "cudaErrorCallRequiresNewerDriver", "this call needs a newer driver", 0},
	{46, "cudaErrorDevicesUnavailable", "all devices are busy or unavailable", 0},
	{49, "cudaErrorIncompatibleDriverContext", "the driver context does not fit the runtime", 0},
	{52, "cudaErrorMissingConfiguration", "a launch was not configured", 0},
	{98, "cudaErrorInvalidDeviceFunction", "no such device function", 0},
	{100, "cudaErrorNoDevice", "no CUDA device", 0},
	{101, "cudaErrorInvalidDevice", "no device has this number", 0},
	{102, "cudaErrorDeviceNotLicensed", "the device is not licensed", 0},
	{127, "cudaErrorStartupFailure", "the runtime failed to start", 0},
	{200, "cudaErrorInvalidKernelImage", "the device code is damaged", 0},
	{201, "cudaErrorDeviceUninitialized", "the device has no context", 0},
	{205, "cudaErrorMapBufferObjectFailed", "a buffer cannot be mapped", 0},
	{206, "cudaErrorUnmapBufferObjectFailed", "a buffer cannot be unmapped", 0},
	{208, "cudaErrorAlreadyMapped", "already mapped", 0},
	{209, "cudaErrorNoKernelImageForDevice", "the file holds no code that this device can run", 0},
	{211, "cudaErrorNotMapped", "not mapped", 0},
	{214, "cudaErrorECCUncorrectable", "uncorrectable memory error (ECC)", 1},
	{215, "cudaErrorUnsupportedLimit", "the device has no such limit", 0},
	{216, "cudaErrorDeviceAlreadyInUse", "the context is in use by another thread", 0},
	{217, "cudaErrorPeerAccessUnsupported", "no access between these devices", 0},
	{218, "cudaErrorInvalidPtx", "the driver cannot compile this PTX", 0},
	{220, "cudaErrorNvlinkUncorrectable", "uncorrectable NVLink error", 1},
	{221, "cudaErrorJitCompilerNotFound", "the driver's PTX compiler is missing", 0},
	{222, "cudaErrorUnsupportedPtxVersion", "the PTX is newer than the driver's compiler", 0},
	{223, "cudaErrorJitCompilationDisabled", "compiling PTX is disabled", 0},
	{224, "cudaErrorUnsupportedExecAffinity", "the device has no such execution affinity", 0},
	{225, "cudaErrorUnsupportedDevSideSync", "device code synchronises in an unsupported way", 0},
	{226, "cudaErrorContained", "a contained hardware error; the context is lost", 1},
	{300, "cudaErrorInvalidSource", "the kernel's source is not valid", 0},
	{301, "cudaErrorFileNotFound", "file not found", 0},
	{302, "cudaErrorSharedObjectSymbolNotFound", "a symbol of a shared object is missing", 0},
	{303, "cudaErrorSharedObjectInitFailed", "a shared object failed to start", 0},
	{304, "cudaErrorOperatingSystem", "a call of the operating system failed", 0},
	{400, "cudaErrorInvalidResourceHandle", "not a valid handle", 0},
	{401, "cudaErrorIllegalState", "not in a state that allows this", 0},
	{500, "cudaErrorSymbolNotFound", "a named symbol was not found", 0},
	{600, "cudaErrorNotReady", "not finished yet", 0},
	{700, "cudaErrorIllegalAddress", "a kernel accessed an illegal address", 1},
	{701, "cudaErrorLaunchOutOfResources", "a launch asks for more registers, threads or memory than there are", 0},
	{702, "cudaErrorLaunchTimeout", "a kernel ran too long and was ended", 1},
	{703, "cudaErrorLaunchIncompatibleTexturing", "a kernel uses an incompatible texturing mode", 0},
	{708, "cudaErrorSetOnActiveProcess", "cannot be changed once the context exists", 0},
	{709, "cudaErrorContextIsDestroyed", "the context was destroyed", 1},
	{710, "cudaErrorAssert", "an assertion in a kernel failed", 1},
	{712, "cudaErrorHostMemoryAlreadyRegistered", "host memory is registered already", 0},
	{713, "cudaErrorHostMemoryNotRegistered", "host memory is not registered", 0},
	{714, "cudaErrorHardwareStackError", "a kernel broke its call stack", 1},
	{715, "cudaErrorIllegalInstruction", "a kernel ran an illegal instruction", 1},
	{716, "cudaErrorMisalignedAddress", "a kernel accessed a misaligned address", 1},
	{717, "cudaErrorInvalidAddressSpace", "a kernel used an address in the wrong memory space", 1},
	{718, "cudaErrorInvalidPc", "a kernel jumped to an invalid address", 1},
	{719, "cudaErrorLaunchFailure", "a kernel failed", 1},
	{720, "cudaErrorCooperativeLaunchTooLarge", "a cooperative launch does not fit the device", 0},
	{721, "cudaErrorTensorMemoryLeak", "a kernel left tensor memory allocated", 1},
	{800, "cudaErrorNotPermitted", "not permitted", 0},
	{801, "cudaErrorNotSupported", "not supported", 0},
	{802, "cudaErrorSystemNotReady", "the system is not ready", 0},
	{803, "cudaErrorSystemDriverMismatch", "kernel driver and driver library do not match", 0},
	{804, "cudaErrorCompatNotSupportedOnDevice", "forward compatibility is not supported on this device", 0},
	{805, "cudaErrorMpsConnectionFailed", "no connection to the MPS server", 0},
	{806, "cudaErrorMpsRpcFailure", "a call to the MPS server failed", 1},
	{807, "cudaErrorMpsServerNotReady", "the MPS server is not ready", 0},
	{808, "cudaErrorMpsMaxClientsReached", "the MPS server has no room for a client", 0},
	{809, "cudaErrorMpsMaxConnectionsReached", "the MPS server has no room for a connection", 0},
	{810, "cudaErrorMpsClientTerminated", "the MPS server ended this client", 1},
	{900, "cudaErrorStreamCaptureUnsupported", "not allowed while a stream is captured", 0},
	{901, "cudaErrorStreamCaptureInvalidated", "the capture failed earlier", 0},
	{906, "cudaErrorStreamCaptureImplicit", "a capture would depend on the legacy stream", 0},
	{909, "cudaErrorTimeout", "a wait ran out of time", 0},
	{911, "cudaErrorExternalDevice", "an external device failed", 1},
	{912, "cudaErrorInvalidClusterSize", "a cluster of this size is not possible", 0},
	{913, "cudaErrorFunctionNotLoaded", "a function is not loaded", 0},
	{999, "cudaErrorUnknown", "unknown error", 1},
};

static const struct entry *find(int code)
{
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
		if (entries[i].code == code)
			return &entries[i];
	return NULL;
}

const char *runtime_error_name(int code)
{
	const struct entry *entry = find(code);
	return entry ? entry->name : "unrecognized error code";
}

const char *runtime_error_words(int code)
{
	const struct entry *entry = find(code);
	return entry ? entry->words : "unrecognized error code";
}

int runtime_error_is_sticky(int code)
{
	const struct entry *entry = find(code);
	return entry && entry->sticky;
}

int runtime_error_from(const struct error *err)
{
	switch (err->kind) {
	case ERROR_NONE:
		return RUNTIME_SUCCESS;
	case ERROR_DEVICE:
		return err->device_code > 0 ? err->device_code : RUNTIME_UNKNOWN;
	case ERROR_UNSUPPORTED:
		return RUNTIME_NOT_SUPPORTED;
	case ERROR_USAGE:
	case ERROR_INPUT:
		return RUNTIME_INVALID_VALUE;
	default:
		return RUNTIME_UNKNOWN;
	}
}
