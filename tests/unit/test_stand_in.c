/* The runtime shim with device code of another archive in place of what the host code registers. */
#include "check.h"
#include "cudart/cudart.h"
#include "cudart/runtime_error.h"
#include "fake_device.h"
#include "fatbin_bytes.h"

#include <dlfcn.h>

typedef struct device_dim3 dim3;

#define SHIM_FUNCTIONS(F)                                                                                    \
	F(void **, __cudaRegisterFatBinary, (void *))                                                        \
	F(void, __cudaRegisterFunction,                                                                      \
	  (void **, const char *, char *, const char *, int, void *, void *, void *, void *, int *))         \
	F(void, __cudaRegisterVar, (void **, char *, char *, const char *, int, size_t, int, int))           \
	F(int, cudaLaunchKernel, (const void *, dim3, dim3, void **, size_t, void *))                        \
	F(int, cudaFuncSetAttribute, (const void *, int, int))                                               \
	F(int, cudaFuncGetAttributes, (void *, const void *))                                                \
	F(int, cudaMemcpyToSymbol, (const void *, const void *, size_t, size_t, int))                        \
	F(int, cudaGetSymbolAddress, (void **, const void *))                                                \
	F(int, assay_cudart_bind, (const struct cudart_binding *, struct error *))                           \
	F(const struct cudart_log *, assay_cudart_log, (void))                                               \
	F(void, assay_cudart_log_reset, (void))

#define DECLARE(type, name, parameters) static type(*name) parameters;
SHIM_FUNCTIONS(DECLARE)

static struct fake_device device;
static const dim3 one = {1, 1, 1};

/* what the host code registers: two translation units, and one that nobody knows */
static struct container first_host, second_host, foreign_host;
static struct fatbin_wrapper wrappers[3];
static char functions[8], variables[4];
enum { PAIRED, LIBRARY, GONE, SECOND, FOREIGN };
enum { TABLE, WIDER, NOWHERE };

/* what stands in for it */
static struct container first_code, second_code;
static const struct cudart_kernel_pair first_kernels[] = {
	{"_Z4gonePl", "_Z4gonePl", CUDART_OWN_CODE, "the artifact has no kernel of that name"},
	{"_Z6pairedPl", "_Z6pairedPx", 0, NULL},
	{"_ZN3cub4scanEv", "_ZN3cub4scanEv", CUDART_OWN_CODE, NULL},
};
static const struct cudart_kernel_pair second_kernels[] = {{"_Z6secondv", "_Z6secondv", 1, NULL}};
static struct cudart_module_pair modules[2];
static const void *code[2];
static const struct cudart_stand_in stand_in = {modules, 2, code, 2};

static void make_containers(void)
{
	container_start(&first_host);
	container_add(&first_host, KIND_ELF, 90, "host's first");
	container_start(&second_host);
	container_add(&second_host, KIND_ELF, 90, "host's second");
	container_start(&foreign_host);
	container_add(&foreign_host, KIND_ELF, 90, "foreign");
	container_start(&first_code);
	container_add(&first_code, KIND_PTX, 80,
		      ".version 7.0\r\n.target sm_80\r\n.global .align 4 .b8 _ZN42_INTERNAL_aaaaaaaa_11_moe_wmma_cu_bbbbbbbb5tableE[16];\r\n"
		      ".const .align 8 .u64 wider;\r\n");
	container_start(&second_code);
	container_add(&second_code, KIND_PTX, 80, ".version 7.0\n.target sm_80\n");
	modules[0] = (struct cudart_module_pair){first_host.bytes, first_host.size, first_kernels, 3};
	modules[1] = (struct cudart_module_pair){second_host.bytes, second_host.size, second_kernels, 1};
	code[0] = first_code.bytes;
	code[1] = second_code.bytes;
}

/* Linking copies a container: it is known by its bytes, not by where it lies. */
static struct container copies[3];

static void register_all(void)
{
	copies[0] = first_host, copies[1] = second_host, copies[2] = foreign_host;
	void **handles[3];
	for (int i = 0; i < 3; i++) {
		wrappers[i] = (struct fatbin_wrapper){.magic = FATBIN_WRAPPER_MAGIC, .version = 1, .container = copies[i].bytes};
		handles[i] = __cudaRegisterFatBinary(&wrappers[i]);
	}
	static const struct {
		int module, function;
		const char *name;
	} kernels[] = {{0, PAIRED, "_Z6pairedPl"}, {0, LIBRARY, "_ZN3cub4scanEv"}, {0, GONE, "_Z4gonePl"}, {1, SECOND, "_Z6secondv"},
		       {2, FOREIGN, "_Z7foreignv"}};
	for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
		__cudaRegisterFunction(handles[kernels[i].module], &functions[kernels[i].function], NULL, kernels[i].name, -1, NULL, NULL, NULL,
				       NULL, NULL);
	__cudaRegisterVar(handles[0], &variables[TABLE], NULL, "_ZN42_INTERNAL_1ec9824a_11_moe_wmma_cu_6db1471f5tableE", 0, 16, 0, 0);
	__cudaRegisterVar(handles[0], &variables[WIDER], NULL, "wider", 0, 4, 1, 0);
	__cudaRegisterVar(handles[1], &variables[NOWHERE], NULL, "nowhere", 0, 4, 0, 0);
}

static void the_artifact_runs(void)
{
	const struct cudart_log *log = assay_cudart_log();
	CHECK_INT(cudaFuncSetAttribute(&functions[PAIRED], 8, 4096), 0);
	CHECK_INT(device.set_value, 4096);
	CHECK_INT(cudaLaunchKernel(&functions[PAIRED], one, one, NULL, 0, NULL), 0);
	CHECK_CONTAINS(device.loaded, ".version 7.0");
	CHECK_TEXT(device.launched, "_Z6pairedPx");
	CHECK_TEXT(log->launches[0].kernel, "_Z6pairedPx");
	CHECK_INT(log->launches[0].own_code, 0);
	CHECK_INT(log->launches[0].ptx, 1);
	CHECK_TEXT(log->no_match, "");
	CHECK_INT(cudaLaunchKernel(&functions[SECOND], one, one, NULL, 0, NULL), 0);
	CHECK_TEXT(device.launched, "_Z6secondv");
	CHECK_INT(log->failed_launches, 0);
	CHECK_TEXT(log->image_summary, "PTX compute_80 (JIT)");
	assay_cudart_log_reset();
}

static void libraries_run_from_the_host_code(void)
{
	const struct cudart_log *log = assay_cudart_log();
	CHECK_INT(cudaLaunchKernel(&functions[LIBRARY], one, one, NULL, 0, NULL), 0);
	CHECK_TEXT(device.loaded, "host's first");
	CHECK_TEXT(device.launched, "_ZN3cub4scanEv");
	CHECK_INT(log->launches[0].own_code, 1);
	CHECK_TEXT(log->no_match, "");
	assay_cudart_log_reset();
}

/* Only a launch says so: what is asked about the kernel before gets an answer, so that the host code comes to it. */
static void what_has_no_counterpart_is_refused_when_launched(void)
{
	const struct cudart_log *log = assay_cudart_log();
	unsigned char attributes[256];
	const int launches = device.launches;
	device.set_value = 0;
	CHECK_INT(cudaFuncSetAttribute(&functions[GONE], 8, 512), 0);
	CHECK_INT(device.set_value, 0);
	CHECK_INT(cudaFuncGetAttributes(attributes, &functions[GONE]), 0);
	CHECK_TEXT(log->no_match, "");
	CHECK_INT(log->first_error, 0);
	CHECK_INT(cudaLaunchKernel(&functions[GONE], one, one, NULL, 0, NULL), RUNTIME_NOT_SUPPORTED);
	CHECK_INT(device.launches, launches);
	CHECK_TEXT(log->no_match, "no donor kernel: gone(long*): the artifact has no kernel of that name");
	CHECK_INT(log->failed_launches, 1);
	CHECK_INT(log->launches[0].own_code, 1);
	assay_cudart_log_reset();
	CHECK_TEXT(log->no_match, "");
	CHECK_INT(cudaLaunchKernel(&functions[FOREIGN], one, one, NULL, 0, NULL), RUNTIME_NOT_SUPPORTED);
	CHECK_CONTAINS(log->no_match, "no donor kernel: foreign()");
	assay_cudart_log_reset();
}

static void variables_are_the_artifacts(void)
{
	const struct cudart_log *log = assay_cudart_log();
	static const char text[16] = "fifteen letters";
	void *pointer = NULL;
	CHECK_INT(cudaMemcpyToSymbol(&variables[TABLE], text, sizeof text, 0, 1), 0);
	CHECK_TEXT((const char *)device.variable, text);
	CHECK_TEXT(device.variable_name, "_ZN42_INTERNAL_aaaaaaaa_11_moe_wmma_cu_bbbbbbbb5tableE");
	CHECK_INT(cudaGetSymbolAddress(&pointer, &variables[TABLE]), 0);
	CHECK(pointer == device.variable);
	CHECK_TEXT(log->no_match, "");
	/* 8 bytes there, 4 here */
	CHECK_INT(cudaGetSymbolAddress(&pointer, &variables[WIDER]), RUNTIME_NOT_SUPPORTED);
	CHECK_TEXT(log->no_match, "no donor variable: wider: the artifact's variable is of another size");
	assay_cudart_log_reset();
	CHECK_INT(cudaGetSymbolAddress(&pointer, &variables[NOWHERE]), RUNTIME_NOT_SUPPORTED);
	CHECK_CONTAINS(log->no_match, "no donor variable: nowhere: the artifact has no variable of that name");
	assay_cudart_log_reset();
}

int main(void)
{
	struct error err = {0};
	void *shim = dlopen(SHIM_PATH, RTLD_NOW | RTLD_LOCAL);
	if (!shim) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
#define LOAD(type, name, parameters)                                                                         \
	*(void **)&name = dlsym(shim, #name);                                                                \
	CHECK(name != NULL);
	SHIM_FUNCTIONS(LOAD)
	if (check_failures)
		return check_result();
	device = fake_device_make();
	make_containers();
	const struct cudart_binding binding = {
		.device = &device.device, .stream = &fake_stream, .runtime_major = 13, .stand_in = &stand_in};
	CHECK_INT(assay_cudart_bind(&binding, &err), 0);
	register_all();
	the_artifact_runs();
	libraries_run_from_the_host_code();
	what_has_no_counterpart_is_refused_when_launched();
	variables_are_the_artifacts();
	return check_result();
}
