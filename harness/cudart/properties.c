/* What the archive learns about device, driver and runtime, and about errors. */
#include "cudart/layouts.h"
#include "cudart/shim.h"

#include <string.h>

/* Host code leaves the process when a query fails (flash_api of candle-flash-attn does), so the cpu device answers as
 * the sm_90 whose PTX it takes (shim.c): the limits that the CUDA programming guide's table of compute capabilities
 * gives for 9.0. */
static const struct {
	int attribute, value;
} cpu_attributes[] = {
	{1, 1024},        /* threads per block */
	{2, 1024}, {3, 1024}, {4, 64},
	{5, 0x7fffffff}, {6, 65535}, {7, 65535},
	{8, 48 << 10},    /* shared memory per block */
	{9, 64 << 10},    /* constant memory */
	{10, 32},         /* warp */
	{12, 64 << 10},   /* registers per block */
	{39, 2048},       /* threads per multiprocessor */
	{41, 1},          /* unified addressing */
	{75, 9}, {76, 0}, /* compute capability */
	{81, 228 << 10},  /* shared memory per multiprocessor */
	{82, 64 << 10},   /* registers per multiprocessor */
	{97, 227 << 10},  /* shared memory per block, opt-in */
	{106, 32},        /* blocks per multiprocessor */
	{111, 1 << 10},   /* reserved shared memory per block */
};

static int attribute(struct shim *shim, int number, int *value, struct error *err)
{
	struct device *device = shim->binding.device;
	if (device->ops->attribute(device, number, value, err) == 0)
		return RUNTIME_SUCCESS;
	if (device->properties.kind != DEVICE_CPU)
		return runtime_error_from(err);
	*value = number == 16 ? device->properties.multiprocessors : 0;
	for (size_t i = 0; i < sizeof cpu_attributes / sizeof cpu_attributes[0]; i++)
		if (cpu_attributes[i].attribute == number)
			*value = cpu_attributes[i].value;
	return RUNTIME_SUCCESS;
}

EXPORT int cudaDeviceGetAttribute(int *value, int number, int device)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = device != 0 ? RUNTIME_INVALID_DEVICE : value ? RUNTIME_SUCCESS : RUNTIME_INVALID_VALUE;
	if (!result)
		result = attribute(shim, number, value, &err);
	return shim_leave(shim, __func__, result, &err);
}

/* The archive sees one device, number 0, whatever its number in the machine. */
EXPORT int cudaGetDevice(int *device)
{
	struct shim *shim = shim_enter();
	const int result = device ? shim_ready(shim) : RUNTIME_INVALID_VALUE;
	if (!result)
		*device = 0;
	return shim_leave(shim, __func__, result, NULL);
}

EXPORT int cudaGetDeviceCount(int *count)
{
	struct shim *shim = shim_enter();
	const int result = count ? shim_ready(shim) : RUNTIME_INVALID_VALUE;
	if (!result)
		*count = 1;
	return shim_leave(shim, __func__, result, NULL);
}

static int one_device(const char *call, int device)
{
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result && device != 0)
		result = RUNTIME_INVALID_DEVICE;
	return shim_leave(shim, call, result, NULL);
}

EXPORT int cudaSetDevice(int device)
{
	return one_device(__func__, device);
}

EXPORT int cudaInitDevice(int device, unsigned device_flags, unsigned flags)
{
	(void)device_flags, (void)flags;
	return one_device(__func__, device);
}

EXPORT int cudaSetDeviceFlags(unsigned flags)
{
	(void)flags; /* how to wait: a matter of speed */
	return RUNTIME_SUCCESS;
}

EXPORT int cudaGetDeviceFlags(unsigned *flags)
{
	if (flags)
		*flags = 0;
	return RUNTIME_SUCCESS;
}

EXPORT int cudaDeviceCanAccessPeer(int *can, int device, int peer)
{
	(void)device, (void)peer;
	if (can)
		*can = 0;
	return RUNTIME_SUCCESS;
}

/* Hints that no supported device follows */
EXPORT int cudaDeviceSetCacheConfig(int config)
{
	(void)config;
	return RUNTIME_SUCCESS;
}

EXPORT int cudaDeviceSetSharedMemConfig(int config)
{
	(void)config;
	return RUNTIME_SUCCESS;
}

EXPORT int cudaDeviceGetCacheConfig(int *config)
{
	if (config)
		*config = 0;
	return RUNTIME_SUCCESS;
}

EXPORT int cudaDeviceGetSharedMemConfig(int *config)
{
	if (config)
		*config = 0;
	return RUNTIME_SUCCESS;
}

EXPORT int cudaProfilerStart(void)
{
	return RUNTIME_SUCCESS;
}

EXPORT int cudaProfilerStop(void)
{
	return RUNTIME_SUCCESS;
}

/* --- cudaDeviceProp, in the layout the archive was compiled with ------------------------------------------------- */

static int attribute_or_zero(struct shim *shim, int number)
{
	struct error ignored = {0};
	int value = 0;
	return attribute(shim, number, &value, &ignored) ? 0 : value;
}

static void parse_uuid(const char *text, unsigned char uuid[16])
{
	int digits = 0;
	const char *at = strncmp(text, "GPU-", 4) == 0 ? text + 4 : text;
	for (; *at && digits < 32; at++) {
		const int digit = *at >= '0' && *at <= '9'   ? *at - '0'
				  : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10
				  : *at >= 'A' && *at <= 'F' ? *at - 'A' + 10
							     : -1;
		if (digit < 0)
			continue;
		uuid[digits / 2] = (unsigned char)(uuid[digits / 2] << 4 | digit);
		digits++;
	}
}

#define GET_INT(field, a) out->field = attribute_or_zero(shim, a);
#define GET_INT2(field, a, b) GET_INT(field[0], a) GET_INT(field[1], b)
#define GET_INT3(field, a, b, c) GET_INT2(field, a, b) GET_INT(field[2], c)
#define GET_SIZE(field, a) out->field = (size_t)attribute_or_zero(shim, a);
#define GET_NONE(field, a)
#define GET_HEAD                                                                                             \
	const struct device_properties *device = &shim->binding.device->properties;                          \
	memset(out, 0, sizeof *out);                                                                         \
	shim_text(out->name, sizeof out->name, device->name);                                                \
	parse_uuid(device->uuid, out->uuid);                                                                 \
	out->total_global_memory = device->memory_bytes;

static void fill_prop_11(struct shim *shim, struct device_prop_11 *out)
{
	GET_HEAD
	DEVICE_PROP_COMMON(GET_INT, GET_INT2, GET_INT3, GET_SIZE, GET_INT)
}

static void fill_prop_12(struct shim *shim, struct device_prop_12 *out)
{
	GET_HEAD
	DEVICE_PROP_COMMON(GET_INT, GET_INT2, GET_INT3, GET_SIZE, GET_INT)
	DEVICE_PROP_SINCE_12(GET_INT)
}

static void fill_prop_13(struct shim *shim, struct device_prop_13 *out)
{
	GET_HEAD
	DEVICE_PROP_COMMON(GET_INT, GET_INT2, GET_INT3, GET_SIZE, GET_NONE)
	DEVICE_PROP_SINCE_12(GET_INT)
	DEVICE_PROP_SINCE_13(GET_INT)
}

static int properties(const char *call, void *out, int device, int layout_12)
{
	struct shim *shim = shim_enter();
	int result = shim_ready(shim);
	if (!result)
		result = device != 0 ? RUNTIME_INVALID_DEVICE : out ? RUNTIME_SUCCESS : RUNTIME_INVALID_VALUE;
	if (!result && layout_12)
		fill_prop_12(shim, out);
	else if (!result && shim->binding.runtime_major == 13)
		fill_prop_13(shim, out);
	else if (!result)
		fill_prop_11(shim, out);
	return shim_leave(shim, call, result, NULL);
}

/* Headers of 12 turn the plain name into _v2. So the plain one is called by code compiled with 11 (also when the rest of
 * its archive comes from 12) or with 13. */
EXPORT int cudaGetDeviceProperties(void *out, int device)
{
	return properties(__func__, out, device, 0);
}

EXPORT int cudaGetDeviceProperties_v2(void *out, int device)
{
	return properties(__func__, out, device, 1);
}

EXPORT int cudaRuntimeGetVersion(int *version)
{
	struct shim *shim = shim_enter();
	const int major = shim->binding.runtime_major;
	const int result = version ? shim_ready(shim) : RUNTIME_INVALID_VALUE;
	if (!result) /* 1000 * major + 10 * minor; 11 stands for 11.8, the release whose layouts are used */
		*version = major == 11 ? 11080 : major * 1000;
	return shim_leave(shim, __func__, result, NULL);
}

EXPORT int cudaDriverGetVersion(int *version)
{
	struct shim *shim = shim_enter();
	const int result = version ? shim_ready(shim) : RUNTIME_INVALID_VALUE;
	if (!result)
		*version = shim->binding.device->properties.driver_version;
	return shim_leave(shim, __func__, result, NULL);
}

/* What these functions would give out bypasses the shim. cudaGetDriverEntryPoint got a fourth argument in 12, which a
 * caller from 11 does not pass: it stays untouched, as the error allows. */
static int refused(const char *call, void **out)
{
	struct error err = {0};
	struct shim *shim = shim_enter();
	if (out)
		*out = NULL;
	shim_note_missing(shim, call);
	error_set(&err, ERROR_UNSUPPORTED, "the runtime shim does not hand out functions of the driver");
	return shim_leave(shim, call, RUNTIME_NOT_SUPPORTED, &err);
}

EXPORT int cudaGetDriverEntryPoint(const char *symbol, void **function)
{
	(void)symbol;
	return refused(__func__, function);
}
EXPORT_ALIAS(int, cudaGetDriverEntryPoint_ptsz, (const char *symbol, void **function), cudaGetDriverEntryPoint);

EXPORT int cudaGetDriverEntryPointByVersion(const char *symbol, void **function)
{
	(void)symbol;
	return refused(__func__, function);
}
EXPORT_ALIAS(int, cudaGetDriverEntryPointByVersion_ptsz, (const char *symbol, void **function),
	     cudaGetDriverEntryPointByVersion);

/* --- errors ------------------------------------------------------------------------------------------------------ */

EXPORT int cudaGetLastError(void)
{
	return shim_last_error(1);
}

EXPORT int cudaPeekAtLastError(void)
{
	return shim_last_error(0);
}

EXPORT const char *cudaGetErrorName(int code)
{
	return runtime_error_name(code);
}

EXPORT const char *cudaGetErrorString(int code)
{
	return runtime_error_words(code);
}
