/* The runtime shim, called as an archive would call it, over a device that only records. */
#include "check.h"
#include "cudart/cudart.h"
#include "cudart/layouts.h"
#include "cudart/runtime_error.h"
#include "fake_device.h"
#include "fatbin_bytes.h"

#include <dlfcn.h>
#include <pthread.h>

/* --- structure layouts: sizes and offsets of the toolkits' own headers ------------------------------------------- */

/* 13.0: offsetof and sizeof printed by a program that includes driver_types.h of CUDA 13.0. */
#define AT_13(field, offset) _Static_assert(offsetof(struct device_prop_13, field) == (offset), #field)
_Static_assert(sizeof(struct device_prop_13) == 1008, "cudaDeviceProp of 13");
AT_13(total_global_memory, 288);
AT_13(shared_per_block, 296);
AT_13(total_const_memory, 352);
AT_13(major, 360);
AT_13(multiprocessor_count, 384);
AT_13(max_texture_2d, 404);
AT_13(surface_alignment, 552);
AT_13(l2_cache_size, 596);
AT_13(shared_per_multiprocessor, 624);
AT_13(shared_per_block_optin, 672);
AT_13(reserved_shared_per_block, 696);
AT_13(host_register_supported, 704);
AT_13(cluster_launch, 748);
AT_13(unified_function_pointers, 752);
AT_13(host_numa_multinode_ipc_supported, 780);
AT_13(reserved, 784);
/* 12 and 11: counted from the field lists of driver_types.h 12.6 and 11.8; the size of 12 is also what programs in
 * public repositories assert. */
#define AT_12(field, offset)                                                                                 \
	_Static_assert(offsetof(struct device_prop_12, field) == (offset), #field);                          \
	_Static_assert(offsetof(struct device_prop_11, field) == (offset), #field)
_Static_assert(sizeof(struct device_prop_12) == 1032, "cudaDeviceProp of 12");
_Static_assert(sizeof(struct device_prop_11) == 728, "cudaDeviceProp of 11.8");
AT_12(total_global_memory, 288);
AT_12(clock_rate, 348);
AT_12(major, 360);
AT_12(multiprocessor_count, 388);
AT_12(l2_cache_size, 616);
AT_12(shared_per_multiprocessor, 640);
AT_12(shared_per_block_optin, 696);
AT_12(reserved_shared_per_block, 720);
_Static_assert(offsetof(struct device_prop_12, host_register_supported) == 728, "where 12 goes on");
_Static_assert(sizeof(struct func_attributes_11) == 56, "cudaFuncAttributes of 11.8");
_Static_assert(sizeof(struct func_attributes_12) == 144, "cudaFuncAttributes of 12 and 13");
_Static_assert(offsetof(struct func_attributes_12, max_dynamic_shared) == 44, "cudaFuncAttributes");
_Static_assert(offsetof(struct func_attributes_12, non_portable_cluster_allowed) == 72, "cudaFuncAttributes");
_Static_assert(POINTER_ATTRIBUTES_SIZE_11 == 24 && sizeof(struct pointer_attributes) == 88, "cudaPointerAttributes");
_Static_assert(sizeof(struct launch_attribute) == 72 && sizeof(struct launch_config) == 56, "cudaLaunchConfig_t");

/* --- the shim's functions ---------------------------------------------------------------------------------------- */

typedef struct device_dim3 dim3;

#define SHIM_FUNCTIONS(F)                                                                                    \
	F(void **, __cudaRegisterFatBinary, (void *))                                                        \
	F(void, __cudaRegisterFatBinaryEnd, (void **))                                                       \
	F(void, __cudaUnregisterFatBinary, (void **))                                                        \
	F(void, __cudaRegisterFunction,                                                                      \
	  (void **, const char *, char *, const char *, int, void *, void *, void *, void *, int *))         \
	F(void, __cudaRegisterVar, (void **, char *, char *, const char *, int, size_t, int, int))           \
	F(void, __cudaRegisterManagedVar, (void **, void **, char *, const char *, int, size_t, int, int))   \
	F(unsigned, __cudaPushCallConfiguration, (dim3, dim3, size_t, void *))                               \
	F(int, __cudaPopCallConfiguration, (dim3 *, dim3 *, size_t *, void *))                               \
	F(int, __cudaGetKernel, (void **, const void *))                                                     \
	F(int, __cudaLaunchKernel_ptsz, (void *, dim3, dim3, void **, size_t, void *))                       \
	F(int, cudaLaunchKernel, (const void *, dim3, dim3, void **, size_t, void *))                        \
	F(int, cudaLaunchKernel_ptsz, (const void *, dim3, dim3, void **, size_t, void *))                   \
	F(int, cudaLaunchCooperativeKernel, (const void *, dim3, dim3, void **, size_t, void *))             \
	F(int, cudaLaunchKernelExC, (const struct launch_config *, const void *, void **))                   \
	F(int, cudaFuncSetAttribute, (const void *, int, int))                                               \
	F(int, cudaFuncGetAttributes, (void *, const void *))                                                \
	F(int, cudaFuncSetCacheConfig, (const void *, int))                                                  \
	F(int, cudaOccupancyMaxActiveBlocksPerMultiprocessor, (int *, const void *, int, size_t))            \
	F(int, cudaDeviceGetAttribute, (int *, int, int))                                                    \
	F(int, cudaGetDevice, (int *))                                                                       \
	F(int, cudaSetDevice, (int))                                                                         \
	F(int, cudaGetDeviceCount, (int *))                                                                  \
	F(int, cudaGetDeviceProperties, (void *, int))                                                       \
	F(int, cudaGetDeviceProperties_v2, (void *, int))                                                    \
	F(int, cudaRuntimeGetVersion, (int *))                                                               \
	F(int, cudaDriverGetVersion, (int *))                                                                \
	F(int, cudaGetDriverEntryPoint, (const char *, void **, unsigned long long, int *))                  \
	F(int, cudaGetLastError, (void))                                                                     \
	F(int, cudaPeekAtLastError, (void))                                                                  \
	F(const char *, cudaGetErrorName, (int))                                                             \
	F(const char *, cudaGetErrorString, (int))                                                           \
	F(int, cudaMalloc, (void **, size_t))                                                                \
	F(int, cudaFree, (void *))                                                                           \
	F(int, cudaMallocAsync_ptsz, (void **, size_t, void *))                                              \
	F(int, cudaFreeAsync_ptsz, (void *, void *))                                                         \
	F(int, cudaMallocHost, (void **, size_t))                                                            \
	F(int, cudaFreeHost, (void *))                                                                       \
	F(int, cudaMemGetInfo, (size_t *, size_t *))                                                         \
	F(int, cudaMemcpy, (void *, const void *, size_t, int))                                              \
	F(int, cudaMemcpyAsync_ptsz, (void *, const void *, size_t, int, void *))                            \
	F(int, cudaMemset_ptds, (void *, int, size_t))                                                       \
	F(int, cudaMemcpyToSymbol, (const void *, const void *, size_t, size_t, int))                        \
	F(int, cudaMemcpyFromSymbol_ptds, (void *, const void *, size_t, size_t, int))                       \
	F(int, cudaGetSymbolAddress, (void **, const void *))                                                \
	F(int, cudaGetSymbolSize, (size_t *, const void *))                                                  \
	F(int, cudaPointerGetAttributes, (void *, const void *))                                             \
	F(int, cudaDeviceGetDefaultMemPool, (void **, int))                                                  \
	F(int, cudaMemPoolSetAttribute, (void *, int, void *))                                               \
	F(int, cudaMemPoolTrimTo, (void *, size_t))                                                          \
	F(int, cudaDeviceSynchronize, (void))                                                                \
	F(int, cudaStreamCreate, (void **))                                                                  \
	F(int, cudaStreamCreateWithFlags, (void **, unsigned))                                               \
	F(int, cudaStreamDestroy, (void *))                                                                  \
	F(int, cudaStreamSynchronize_ptsz, (void *))                                                         \
	F(int, cudaStreamIsCapturing_ptsz, (void *, int *))                                                  \
	F(int, cudaStreamGetCaptureInfo_v2, (void *, int *, unsigned long long *))                           \
	F(int, cudaEventCreate, (void **))                                                                   \
	F(int, cudaEventRecord_ptsz, (void *, void *))                                                       \
	F(int, cudaEventQuery, (void *))                                                                     \
	F(int, cudaEventElapsedTime, (float *, void *, void *))                                              \
	F(int, cudaEventDestroy, (void *))                                                                   \
	F(int, cudaLaunchHostFunc, (void *, void (*)(void *), void *))                                       \
	F(int, assay_cudart_bind, (const struct cudart_binding *, struct error *))                           \
	F(const struct cudart_log *, assay_cudart_log, (void))                                               \
	F(void, assay_cudart_log_reset, (void))                                                              \
	F(const char *, assay_cudart_kernel_name, (size_t))                                                  \
	F(long, assay_cudart_missing, (const char *))

#define DECLARE(type, name, parameters) static type(*name) parameters;
SHIM_FUNCTIONS(DECLARE)

static int load_shim(void)
{
	void *shim = dlopen(SHIM_PATH, RTLD_NOW | RTLD_LOCAL);
	if (!shim) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
#define LOAD(type, name, parameters)                                                                         \
	*(void **)&name = dlsym(shim, #name);                                                                \
	CHECK(name != NULL);
	SHIM_FUNCTIONS(LOAD)
	/* nothing of what is linked into it shows */
	CHECK(dlsym(shim, "fatbin_parse") == NULL);
	CHECK(dlsym(shim, "shim_enter") == NULL);
	return check_failures ? -1 : 0;
}

/* --- registration ------------------------------------------------------------------------------------------------ */

static struct fatbin_wrapper wrap(const struct container *container)
{
	return (struct fatbin_wrapper){.magic = FATBIN_WRAPPER_MAGIC, .version = 1, .container = container->bytes};
}

static char host_functions[16]; /* their addresses stand for the archive's host stubs */
static char host_variable;

static void register_kernel(const struct fatbin_wrapper *wrapper, const char *host, const char *name)
{
	void **handle = __cudaRegisterFatBinary((void *)(uintptr_t)wrapper);
	CHECK(handle != NULL);
	__cudaRegisterFunction(handle, host, NULL, name, -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterFatBinaryEnd(handle);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static struct fake_device device;
static struct cudart_binding binding;
static int blocked;

static void count_blocking(void *context)
{
	++*(int *)context;
}

static const dim3 one = {1, 1, 1};

static void nothing_works_before_binding(void)
{
	struct error err = {0};
	int value;
	CHECK_INT(cudaGetDevice(&value), RUNTIME_NOT_INITIALIZED);
	CHECK_INT(cudaGetLastError(), RUNTIME_NOT_INITIALIZED);
	CHECK_INT(cudaGetLastError(), 0);
	CHECK_INT(assay_cudart_missing("helper"), 0); /* stubs work with the real runtime too, where nothing is bound */
	CHECK_INT(assay_cudart_log()->missing_count, 1);
	assay_cudart_log_reset();
	const struct cudart_binding wrong = {.device = &device.device, .stream = &fake_stream, .runtime_major = 14};
	CHECK_INT(assay_cudart_bind(&wrong, &err), -1);
	CHECK_INT(err.kind, ERROR_USAGE);
	binding = (struct cudart_binding){
		.device = &device.device,
		.stream = &fake_stream,
		.runtime_major = 13,
		.before_blocking = count_blocking,
		.blocking_context = &blocked,
	};
	CHECK_INT(assay_cudart_bind(&binding, &err), 0);
	struct fake_device other = fake_device_make();
	const struct cudart_binding second = {.device = &other.device, .stream = &fake_stream, .runtime_major = 13};
	CHECK_INT(assay_cudart_bind(&second, &err), -1);
	CHECK_CONTAINS(err.message, "bound");
}

static struct container both;
static struct fatbin_wrapper both_wrapper;

static void a_launch_loads_lazily_and_is_recorded(void)
{
	const struct cudart_log *log = assay_cudart_log();
	dim3 grid, block;
	size_t shared;
	void *stream, *kernel = NULL;
	int argument = 5;
	void *arguments[] = {&argument};

	container_start(&both);
	container_add(&both, KIND_PTX, 80, "PTX for 80");
	container_add(&both, KIND_ELF, 90, "SASS for 90");
	both_wrapper = wrap(&both);
	register_kernel(&both_wrapper, &host_functions[0], "_Z6kernelPf");
	CHECK_INT(log->fatbins, 1);
	CHECK_INT(log->kernels_registered, 1);
	CHECK_TEXT(assay_cudart_kernel_name(0), "_Z6kernelPf");
	CHECK(assay_cudart_kernel_name(1) == NULL);
	CHECK_INT(device.loads, 0);
	CHECK_TEXT(log->image_summary, "");

	/* the sequence that nvcc up to 12 emits for <<<>>> */
	CHECK_INT(__cudaPushCallConfiguration((dim3){2, 3, 4}, (dim3){32, 2, 1}, 4096, NULL), 0);
	CHECK_INT(__cudaPopCallConfiguration(&grid, &block, &shared, &stream), 0);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], grid, block, arguments, shared, stream), 0);
	CHECK_INT(device.loads, 1);
	CHECK_TEXT(device.loaded, "SASS for 90");
	CHECK_TEXT(device.launched, "_Z6kernelPf");
	CHECK(device.grid.x == 2 && device.grid.y == 3 && device.grid.z == 4 && device.block.x == 32 && device.block.y == 2);
	CHECK(device.arguments == arguments && device.stream == &fake_stream);
	CHECK_INT(device.dynamic_shared, 4096);
	CHECK_INT(log->launch_count, 1);
	CHECK_TEXT(log->launches[0].kernel, "_Z6kernelPf");
	CHECK_INT(log->launches[0].grid.z, 4);
	CHECK_INT(log->launches[0].default_stream, 1);
	CHECK_INT(log->launches[0].result, 0);
	CHECK_INT(log->launches[0].ptx, 0);
	CHECK_TEXT(log->launches[0].message, "");
	CHECK_TEXT(log->image_summary, "SASS sm_90");

	/* the one that nvcc 13 emits; stream handles 1 and 2 are the default streams by name */
	CHECK_INT(__cudaGetKernel(&kernel, &host_functions[0]), 0);
	CHECK_INT(__cudaLaunchKernel_ptsz(kernel, one, one, arguments, 0, (void *)2), 0);
	CHECK_INT(cudaLaunchKernel_ptsz(&host_functions[0], one, one, arguments, 0, (void *)1), 0);
	CHECK_INT(device.loads, 1);
	CHECK_INT(log->launch_count, 3);
	CHECK_INT(log->failed_launches, 0);

	/* more launches than the table holds are still counted */
	for (int i = 0; i < CUDART_LAUNCHES_MAX; i++)
		cudaLaunchKernel(&host_functions[0], one, one, arguments, 0, NULL);
	CHECK_INT(log->launch_count, 3 + CUDART_LAUNCHES_MAX);
	assay_cudart_log_reset();
	CHECK_INT(log->launch_count, 0);
	CHECK_TEXT(log->image_summary, "SASS sm_90");
}

static void the_image_is_chosen_by_policy(void)
{
	static struct container only_80, damaged, empty;
	static struct fatbin_wrapper again, old, bad, none, no_wrapper;
	const struct cudart_log *log = assay_cudart_log();
	struct error err;

	binding.image = IMAGE_PTX;
	CHECK_INT(assay_cudart_bind(&binding, &err), 0);
	again = both_wrapper;
	register_kernel(&again, &host_functions[1], "again");
	CHECK_INT(cudaLaunchKernel(&host_functions[1], one, one, NULL, 0, NULL), 0);
	CHECK_TEXT(device.loaded, "PTX for 80");
	CHECK_INT(log->launches[0].ptx, 1);
	CHECK_TEXT(log->image_summary, "SASS sm_90, PTX compute_80 (JIT)");
	binding.image = IMAGE_ANY;
	CHECK_INT(assay_cudart_bind(&binding, &err), 0);

	/* nothing that runs here: 209, each time, and the reason */
	container_start(&only_80);
	container_add(&only_80, KIND_ELF, 80, "SASS for 80");
	old = wrap(&only_80);
	register_kernel(&old, &host_functions[2], "old");
	const int loads = device.loads;
	for (int i = 0; i < 2; i++)
		CHECK_INT(cudaLaunchKernel(&host_functions[2], one, one, NULL, 0, NULL), RUNTIME_NO_KERNEL_IMAGE);
	CHECK_INT(device.loads, loads);
	CHECK_INT(log->failed_launches, 2);
	CHECK_INT(log->launches[2].result, RUNTIME_NO_KERNEL_IMAGE);
	CHECK_CONTAINS(log->launches[2].message, "sm_80");
	CHECK_CONTAINS(log->launches[2].message, "sm_90");
	CHECK_INT(log->first_error, RUNTIME_NO_KERNEL_IMAGE);
	CHECK_TEXT(log->first_error_call, "cudaLaunchKernel");

	/* the driver refuses what it is given: its code is the archive's */
	static struct fatbin_wrapper refused;
	refused = both_wrapper;
	register_kernel(&refused, &host_functions[3], "refused");
	device.fail_load = 222;
	CHECK_INT(cudaLaunchKernel(&host_functions[3], one, one, NULL, 0, NULL), 222);
	CHECK_INT(log->launches[3].device_code, 222);

	/* bytes that are no container */
	damaged = both;
	put(damaged.bytes + FATBIN_HEADER_SIZE + 8, UINT64_MAX - 7, 8); /* the first entry's payload size */
	bad = wrap(&damaged);
	register_kernel(&bad, &host_functions[4], "bad");
	CHECK_INT(cudaLaunchKernel(&host_functions[4], one, one, NULL, 0, NULL), RUNTIME_INVALID_IMAGE);
	container_start(&empty);
	none = wrap(&empty);
	register_kernel(&none, &host_functions[5], "none");
	CHECK_INT(cudaLaunchKernel(&host_functions[5], one, one, NULL, 0, NULL), RUNTIME_NO_KERNEL_IMAGE);
	no_wrapper = (struct fatbin_wrapper){.magic = 1};
	register_kernel(&no_wrapper, &host_functions[6], "no wrapper");
	CHECK_INT(cudaLaunchKernel(&host_functions[6], one, one, NULL, 0, NULL), RUNTIME_INVALID_IMAGE);
	while (cudaGetLastError())
		;
	assay_cudart_log_reset();
}

static void *other_thread_error(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)cudaPeekAtLastError();
}

static void launches_fail_as_with_the_runtime(void)
{
	const struct cudart_log *log = assay_cudart_log();
	static struct fatbin_wrapper wrapper;
	dim3 grid, block;
	size_t shared;
	void *stream, *kernel;

	CHECK_INT(cudaLaunchKernel(&host_functions[15], one, one, NULL, 0, NULL), RUNTIME_INVALID_DEVICE_FUNCTION);
	CHECK_TEXT(log->launches[0].kernel, "?");
	CHECK_INT(cudaPeekAtLastError(), RUNTIME_INVALID_DEVICE_FUNCTION);
	pthread_t thread;
	void *seen = NULL;
	CHECK_INT(pthread_create(&thread, NULL, other_thread_error, NULL), 0);
	pthread_join(thread, &seen);
	CHECK_INT((intptr_t)seen, 0); /* the last error is the thread's own */
	CHECK_INT(cudaGetLastError(), RUNTIME_INVALID_DEVICE_FUNCTION);
	CHECK_INT(cudaGetLastError(), 0);
	CHECK_INT(__cudaGetKernel(&kernel, &host_functions[15]), RUNTIME_INVALID_DEVICE_FUNCTION);
	CHECK(kernel == NULL);
	CHECK_INT(__cudaLaunchKernel_ptsz(kernel, one, one, NULL, 0, NULL), RUNTIME_INVALID_DEVICE_FUNCTION);

	wrapper = both_wrapper;
	register_kernel(&wrapper, &host_functions[7], "absent");
	CHECK_INT(cudaLaunchKernel(&host_functions[7], one, one, NULL, 0, NULL), RUNTIME_INVALID_DEVICE_FUNCTION);

	const int launches = device.launches;
	const dim3 impossible[] = {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {1, 65536, 1}, {1, 1, 65536}};
	for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++)
		CHECK_INT(cudaLaunchKernel(&host_functions[0], impossible[i], one, NULL, 0, NULL), RUNTIME_INVALID_CONFIGURATION);
	const dim3 wide[] = {{0, 1, 1}, {1025, 1, 1}, {1, 1, 65}, {512, 3, 1}};
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		CHECK_INT(cudaLaunchKernel(&host_functions[0], one, wide[i], NULL, 0, NULL), RUNTIME_INVALID_CONFIGURATION);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, (void *)0x1234), RUNTIME_INVALID_HANDLE);
	CHECK_INT(device.launches, launches);

	device.fail_launch = 701;
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, NULL), 701);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, NULL), 0); /* not sticky */
	CHECK_INT(cudaGetLastError(), 701); /* a success does not clear it */

	CHECK_INT(__cudaPopCallConfiguration(&grid, &block, &shared, &stream), RUNTIME_MISSING_CONFIGURATION);

	CHECK_INT(cudaLaunchCooperativeKernel(&host_functions[0], one, one, NULL, 0, NULL), RUNTIME_NOT_SUPPORTED);
	CHECK_TEXT(log->missing[0], "cudaLaunchCooperativeKernel");
	struct launch_attribute attributes[] = {{.id = 6}, {.id = 4, .value.cluster = {1, 1, 1}}};
	const struct launch_config config = {{1, 1, 1}, {32, 1, 1}, 0, NULL, attributes, 2};
	CHECK_INT(cudaLaunchKernelExC(&config, &host_functions[0], NULL), 0);
	attributes[1].value.cluster[0] = 2;
	CHECK_INT(cudaLaunchKernelExC(&config, &host_functions[0], NULL), RUNTIME_NOT_SUPPORTED);
	CHECK_CONTAINS(log->launches[log->launch_count - 1].message, "cluster");
	CHECK_TEXT(log->launches[log->launch_count - 1].kernel, "_Z6kernelPf");
	while (cudaGetLastError())
		;
	assay_cudart_log_reset();
}

/* Everything past the structure of the major has to stay as it was. */
static size_t bytes_written(const unsigned char *bytes, size_t size)
{
	while (size && bytes[size - 1] == 0xa5)
		size--;
	return size;
}

static void structures_have_the_layout_of_the_major(void)
{
	union {
		unsigned char bytes[2048];
		struct device_prop_11 v11;
		struct device_prop_12 v12;
		struct device_prop_13 v13;
		struct func_attributes_12 function;
		struct pointer_attributes pointer;
	} out;
	struct error err;
	static const struct {
		int major, v2;
		size_t size;
	} cases[] = {{11, 0, 728}, {12, 0, 728}, {12, 1, 1032}, {13, 0, 1008}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		binding.runtime_major = cases[i].major;
		CHECK_INT(assay_cudart_bind(&binding, &err), 0);
		memset(&out, 0xa5, sizeof out);
		CHECK_INT(cases[i].v2 ? cudaGetDeviceProperties_v2(&out, 0) : cudaGetDeviceProperties(&out, 0), 0);
		/* the last field of 11 is an attribute whose upper bytes are zero, the others end in reserved zeros */
		CHECK_INT(bytes_written(out.bytes, sizeof out), cases[i].size);
		CHECK_TEXT(out.v11.name, "fake device");
		CHECK_INT(out.v11.uuid[15], 0xff);
		CHECK_INT(out.v11.uuid[1], 0x11);
		CHECK(out.v11.total_global_memory == (size_t)80 << 30);
		CHECK_INT(out.v11.major, 9);
		CHECK_INT(out.v11.max_threads_dim[2], 64);
		if (cases[i].size == 1008) {
			CHECK_INT(out.v13.multiprocessor_count, 1016);
			CHECK_INT(out.v13.shared_per_block_optin, 1097);
			CHECK_INT(out.v13.cluster_launch, 1120);
		} else {
			CHECK_INT(out.v12.multiprocessor_count, 1016);
			CHECK_INT(out.v12.clock_rate, 1013);
			CHECK_INT(out.v12.shared_per_block_optin, 1097);
		}
		memset(&out, 0xa5, sizeof out);
		CHECK_INT(cudaFuncGetAttributes(&out, &host_functions[0]), 0);
		/* 11: 52 bytes and padding that is copied as zero */
		CHECK_INT(bytes_written(out.bytes, sizeof out), cases[i].major == 11 ? 56 : 144);
		CHECK_INT(out.function.max_threads_per_block, 100);
		CHECK_INT(out.function.registers, 104);
		CHECK_INT(out.function.max_dynamic_shared, 108);
		memset(&out, 0xa5, sizeof out);
		CHECK_INT(cudaPointerGetAttributes(&out, &host_variable), 0);
		CHECK_INT(bytes_written(out.bytes, sizeof out), cases[i].major == 13 ? 88 : 24);
		CHECK_INT(out.pointer.type, 0);
		CHECK(out.pointer.host_pointer == &host_variable);
	}
	CHECK_INT(binding.runtime_major, 13);
	CHECK_INT(cudaGetDeviceProperties(&out, 1), RUNTIME_INVALID_DEVICE);
}

static void device_and_functions_answer(void)
{
	int value = 0;
	CHECK_INT(cudaGetDeviceCount(&value), 0);
	CHECK_INT(value, 1);
	CHECK_INT(cudaSetDevice(0), 0);
	CHECK_INT(cudaSetDevice(1), RUNTIME_INVALID_DEVICE);
	CHECK_INT(cudaDeviceGetAttribute(&value, 97, 0), 0);
	CHECK_INT(value, 1097);
	CHECK_INT(cudaDeviceGetAttribute(&value, 100000, 0), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaDeviceGetAttribute(NULL, 97, 0), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaRuntimeGetVersion(&value), 0);
	CHECK_INT(value, 13000);
	CHECK_INT(cudaDriverGetVersion(&value), 0);
	CHECK_INT(value, 13000);
	CHECK_INT(cudaFuncSetAttribute(&host_functions[0], 8, 98304), 0);
	CHECK(device.set_attribute == 8 && device.set_value == 98304);
	CHECK_INT(cudaFuncSetAttribute(&host_functions[0], 7, 1), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaFuncSetAttribute(&host_functions[0], 8, -1), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaFuncSetAttribute(&host_variable, 8, 1), RUNTIME_INVALID_DEVICE_FUNCTION);
	CHECK_INT(cudaFuncSetCacheConfig(&host_functions[0], 1), 0);
	CHECK_INT(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&value, &host_functions[0], 128, 2), 0);
	CHECK_INT(value, 130);
	void *entry = &value;
	CHECK_INT(cudaGetDriverEntryPoint("cuLaunchKernel", &entry, 0, &value), RUNTIME_NOT_SUPPORTED);
	CHECK(entry == NULL);
	while (cudaGetLastError())
		;
	assay_cudart_log_reset();
}

static void memory_is_tracked_and_pooled(void)
{
	const struct cudart_log *log = assay_cudart_log();
	void *pointer = NULL, *again = NULL, *small = NULL, *pool = NULL;
	size_t free_bytes, total_bytes;
	char text[8] = "abcdefg", back[8] = "";
	const int allocations = device.allocations, frees = device.frees;

	blocked = 0;
	CHECK_INT(cudaMalloc(&pointer, 64), 0);
	CHECK_INT(blocked, 1);
	CHECK_INT(log->allocations, 1);
	CHECK_INT(cudaMemcpy(pointer, text, 8, 1), 0);
	CHECK_INT(cudaMemcpyAsync_ptsz(back, pointer, 8, 2, NULL), 0);
	CHECK_TEXT(back, "abcdefg");
	CHECK_INT(blocked, 3);
	CHECK_INT(cudaMemcpy((char *)pointer + 8, pointer, 8, 3), 0);
	CHECK_INT(blocked, 3); /* within the device nothing waits */
	CHECK_INT(cudaMemset_ptds(pointer, 'x', 3), 0);
	CHECK_INT(cudaMemcpy(back, pointer, 8, 4), 0);
	CHECK_TEXT(back, "xxxdefg");
	CHECK_INT(cudaMemcpy(back, pointer, 8, 5), RUNTIME_INVALID_COPY_DIRECTION);
	CHECK_INT(cudaMemcpy(NULL, pointer, 8, 3), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaMemcpy(NULL, NULL, 0, 3), 0);
	CHECK_INT(cudaFree(pointer), 0);
	CHECK_INT(cudaFree(pointer), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaFree(NULL), 0);
	CHECK_INT(cudaFree(text), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaMalloc(&pointer, SIZE_MAX), RUNTIME_OUT_OF_MEMORY);
	CHECK(pointer == NULL);
	CHECK_INT(cudaMalloc(&pointer, 0), 0);

	/* what was freed in stream order is used again in stream order, without a word to the device */
	CHECK_INT(cudaMallocAsync_ptsz(&pointer, 1000, NULL), 0);
	CHECK_INT(cudaFreeAsync_ptsz(pointer, NULL), 0);
	CHECK_INT(cudaFreeAsync_ptsz(pointer, NULL), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaFree(pointer), RUNTIME_INVALID_VALUE);
	blocked = 0;
	CHECK_INT(cudaMallocAsync_ptsz(&again, 900, NULL), 0);
	CHECK(again == pointer);
	CHECK_INT(blocked, 0);
	CHECK_INT(cudaFreeAsync_ptsz(again, NULL), 0);
	CHECK_INT(cudaMallocAsync_ptsz(&small, 10, NULL), 0); /* far too small for it */
	CHECK(small != pointer);
	CHECK_INT(cudaFree(small), 0);
	CHECK_INT(cudaDeviceGetDefaultMemPool(&pool, 0), 0);
	uint64_t threshold = UINT64_MAX;
	CHECK_INT(cudaMemPoolSetAttribute(pool, 4, &threshold), 0);
	CHECK_INT(cudaMemPoolTrimTo(pool, 0), 0);
	/* more blocks than the pool keeps: nothing is lost */
	for (int i = 0; i < 100; i++) {
		CHECK_INT(cudaMallocAsync_ptsz(&pointer, (size_t)16 << (i % 10), NULL), 0);
		CHECK_INT(cudaMallocAsync_ptsz(&again, (size_t)16 << (i % 7), NULL), 0);
		CHECK(pointer != again);
		CHECK_INT(cudaFreeAsync_ptsz(pointer, NULL), 0);
		CHECK_INT(cudaFreeAsync_ptsz(again, NULL), 0);
	}
	CHECK_INT(cudaMemPoolTrimTo(pool, 0), 0);
	CHECK_INT(device.allocations - allocations, device.frees - frees);
	CHECK(device.allocations > allocations);

	CHECK_INT(cudaMallocHost(&pointer, 100), 0);
	memset(pointer, 1, 100);
	CHECK_INT(cudaFreeHost(pointer), 0);
	CHECK_INT(cudaFreeHost(&text), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaMemGetInfo(&free_bytes, &total_bytes), 0);
	CHECK_INT(total_bytes, 4);
	while (cudaGetLastError())
		;
	assay_cudart_log_reset();
}

static void variables_are_found_in_their_module(void)
{
	static struct fatbin_wrapper wrapper;
	char text[8] = "1234567";
	void *pointer = NULL;
	size_t size = 0;
	wrapper = both_wrapper;
	void **handle = __cudaRegisterFatBinary(&wrapper);
	__cudaRegisterVar(handle, &host_variable, NULL, "table", 0, 16, 1, 0);
	CHECK_INT(cudaMemcpyToSymbol(&host_variable, text, 8, 8, 1), 0);
	CHECK_TEXT((const char *)device.variable + 8, "1234567");
	memset(text, 0, sizeof text);
	CHECK_INT(cudaMemcpyFromSymbol_ptds(text, &host_variable, 4, 8, 2), 0);
	CHECK_TEXT(text, "1234");
	CHECK_INT(cudaMemcpyToSymbol(&host_variable, text, 8, 9, 1), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaMemcpyToSymbol(&host_variable, text, SIZE_MAX, 8, 1), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaMemcpyToSymbol(&host_functions[0], text, 8, 0, 1), RUNTIME_INVALID_SYMBOL);
	CHECK_INT(cudaGetSymbolAddress(&pointer, &host_variable), 0);
	CHECK(pointer == device.variable);
	CHECK_INT(cudaGetSymbolSize(&size, &host_variable), 0);
	CHECK_INT(size, 16);
	while (cudaGetLastError())
		;
	assay_cudart_log_reset();
	__cudaRegisterManagedVar(handle, &pointer, NULL, "shared_by_both", 0, 4, 0, 0);
	CHECK_CONTAINS(assay_cudart_log()->missing[0], "shared_by_both");
	__cudaUnregisterFatBinary(handle);
	assay_cudart_log_reset();
}

static void increment(void *data)
{
	++*(int *)data;
}

static void streams_and_events(void)
{
	const struct cudart_log *log = assay_cudart_log();
	void *stream = NULL, *blocking = NULL, *event = NULL, *second = NULL;
	int status = 9, called = 0;
	unsigned long long id = 9;
	float milliseconds = 0;

	CHECK_INT(cudaStreamCreateWithFlags(&stream, 1), 0);
	CHECK_INT(cudaStreamCreateWithFlags(&blocking, 2), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaGetLastError(), RUNTIME_INVALID_VALUE);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, stream), 0);
	CHECK(device.stream != &fake_stream);
	CHECK_INT(log->launches[0].default_stream, 0);
	CHECK_INT(log->synchronizations, 0);
	CHECK_INT(log->launches[0].ordered_stream, 0);
	/* the legacy default stream and a blocking one wait for each other, a non-blocking one for neither */
	const int waits = device.synchronizations;
	CHECK_INT(cudaStreamCreate(&blocking), 0);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, NULL), 0);
	CHECK_INT(device.synchronizations - waits, 0);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, blocking), 0);
	CHECK_INT(log->launches[2].ordered_stream, 1);
	CHECK_INT(log->launches[2].default_stream, 0);
	CHECK_INT(device.synchronizations - waits, 1);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, blocking), 0);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, stream), 0);
	CHECK_INT(device.synchronizations - waits, 1);
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, NULL), 0);
	CHECK_INT(device.synchronizations - waits, 2);
	CHECK_INT(log->synchronizations, 0); /* the archive asked for none */

	blocked = 0;
	CHECK_INT(cudaStreamSynchronize_ptsz(stream), 0);
	CHECK_INT(cudaDeviceSynchronize(), 0);
	CHECK_INT(blocked, 2);
	CHECK_INT(log->synchronizations, 2);
	CHECK_INT(cudaStreamIsCapturing_ptsz(stream, &status), 0);
	CHECK_INT(status, 0);
	CHECK_INT(cudaStreamGetCaptureInfo_v2(NULL, &status, &id), 0);
	CHECK_INT(id, 0);
	CHECK_INT(cudaLaunchHostFunc(stream, increment, &called), 0);
	CHECK_INT(called, 1);

	CHECK_INT(cudaEventCreate(&event), 0);
	CHECK_INT(cudaEventCreate(&second), 0);
	CHECK_INT(cudaEventRecord_ptsz(event, NULL), 0);
	CHECK_INT(cudaEventQuery(event), RUNTIME_NOT_READY);
	CHECK_INT(cudaPeekAtLastError(), 0); /* not an error */
	CHECK_INT(cudaEventRecord_ptsz(event, stream), 0);
	CHECK_INT(cudaEventQuery(event), 0);
	CHECK_INT(cudaEventElapsedTime(&milliseconds, event, second), 0);
	CHECK_NEAR(milliseconds, 250, 0);
	CHECK_INT(cudaEventDestroy(event), 0);
	CHECK_INT(cudaEventDestroy(event), RUNTIME_INVALID_HANDLE);
	CHECK_INT(cudaEventDestroy(second), 0);
	CHECK_INT(cudaStreamDestroy(stream), 0);
	CHECK_INT(cudaStreamDestroy(stream), RUNTIME_INVALID_HANDLE);
	CHECK_INT(cudaStreamSynchronize_ptsz(stream), RUNTIME_INVALID_HANDLE);
	CHECK_INT(cudaStreamDestroy(blocking), 0);
	while (cudaGetLastError())
		;
	assay_cudart_log_reset();
}

static void missing_functions_are_named(void)
{
	const struct cudart_log *log = assay_cudart_log();
	CHECK_INT(assay_cudart_missing("_Z10not_in_hereIfEvv"), 0);
	CHECK_INT(assay_cudart_missing("_Z10not_in_hereIfEvv"), 0);
	CHECK_INT(log->first_error, 0);
	CHECK_INT(assay_cudart_missing("cudaGraphLaunch"), RUNTIME_NOT_SUPPORTED);
	CHECK_INT(cudaGetLastError(), RUNTIME_NOT_SUPPORTED);
	CHECK_INT(log->missing_count, 2);
	CHECK_TEXT(log->missing[1], "cudaGraphLaunch");
	CHECK_TEXT(log->first_error_call, "cudaGraphLaunch");
	for (int i = 0; i < 20; i++) {
		char name[300];
		snprintf(name, sizeof name, "%d%0*d", i, 250, 0);
		assay_cudart_missing(name);
	}
	CHECK_INT(log->missing_count, CUDART_MISSING_MAX);
	assay_cudart_log_reset();
}

static void errors_have_names_and_agree_with_the_device(void)
{
	CHECK_TEXT(cudaGetErrorName(0), "cudaSuccess");
	CHECK_TEXT(cudaGetErrorName(209), "cudaErrorNoKernelImageForDevice");
	CHECK_TEXT(cudaGetErrorName(12345), "unrecognized error code");
	CHECK(strlen(cudaGetErrorString(700)) > 0);
	/* both tables say of every code whether the context survives it */
	for (int code = 0; code < 1000; code++) {
		const struct error err = {.kind = ERROR_DEVICE, .device_code = code};
		CHECK_INT(runtime_error_is_sticky(code), device_error_is_sticky(&err));
		CHECK_INT(runtime_error_from(&err), code ? code : RUNTIME_UNKNOWN);
	}
}

/* Last: there is no way back. */
static void a_lost_context_stays_lost(void)
{
	const struct cudart_log *log = assay_cudart_log();
	void *pointer;
	device.fail_launch = 700;
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, NULL), 700);
	CHECK_INT(cudaGetLastError(), 700);
	CHECK_INT(cudaGetLastError(), 700);
	CHECK_INT(cudaMalloc(&pointer, 8), 700);
	CHECK_INT(cudaDeviceSynchronize(), 700);
	const int launches = device.launches;
	CHECK_INT(cudaLaunchKernel(&host_functions[0], one, one, NULL, 0, NULL), 700);
	CHECK_INT(device.launches, launches);
	CHECK_INT(log->launches[1].result, 700);
	CHECK_TEXT(log->first_error_call, "cudaLaunchKernel");
}

int main(void)
{
	device = fake_device_make();
	if (load_shim())
		return 1;
	nothing_works_before_binding();
	a_launch_loads_lazily_and_is_recorded();
	the_image_is_chosen_by_policy();
	launches_fail_as_with_the_runtime();
	structures_have_the_layout_of_the_major();
	device_and_functions_answer();
	memory_is_tracked_and_pooled();
	variables_are_found_in_their_module();
	streams_and_events();
	missing_functions_are_named();
	errors_have_names_and_agree_with_the_device();
	a_lost_context_stays_lost();
	return check_result();
}
