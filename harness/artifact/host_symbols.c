/* What the names of undefined symbols tell: where they are to come from, and which CUDA runtime has them. */
#include "artifact/host_build.h"
#include "core/util.h"

#include <string.h>

/* Which majors of the CUDA runtime have a symbol, for those that not all have: compared nm listings of objects and of
 * libcudart 11.8, 12.4 and 13.0, and the release notes of 12.0 and 13.0. `prefix` matches the start of the name. */
static const struct {
	const char *name;
	int prefix, major_min, major_max;
} runtime_symbols[] = {
	{"__cudaGetKernel", 0, 12, 0},
	{"__cudaLaunchKernel", 1, 12, 0},
	{"cudaLibrary", 1, 12, 0},
	{"cudaGetDriverEntryPointByVersion", 1, 12, 0},
	{"cudaKernelSetAttributeForDevice", 0, 12, 0},
	{"cudaMemcpyBatchAsync", 1, 12, 0},
	{"cudaStreamGetDevice", 1, 12, 0},
	{"cudaLogs", 1, 12, 0},
	{"cudaMemGetMemPool", 0, 13, 0},
	{"cudaMemSetMemPool", 0, 13, 0},
	{"cudaMemDiscard", 1, 13, 0},
	{"__cudaGetProcAddress", 0, 13, 0},
	{"cudaDeviceGetHostAtomicCapabilities", 0, 13, 0},
	{"cudaDeviceGetP2PAtomicCapabilities", 0, 13, 0},
	{"cudaGetDeviceProperties_v2", 0, 12, 12},
	{"cudaGraphAddNode_v2", 1, 12, 12},
	{"cudaGraphAddDependencies_v2", 1, 12, 12},
	{"cudaGraphGetEdges_v2", 1, 12, 12},
	{"cudaMemAdvise_v2", 1, 12, 12},
	{"cudaMemPrefetchAsync_v2", 1, 12, 12},
	{"cudaStreamGetCaptureInfo_v3", 1, 12, 12},
	{"cudaStreamUpdateCaptureDependencies_v2", 1, 12, 12},
	{"cudaSignalExternalSemaphoresAsync_v2", 1, 0, 12},
	{"cudaWaitExternalSemaphoresAsync_v2", 1, 0, 12},
	{"cudaThread", 1, 0, 12},
	{"cudaSetDoubleFor", 1, 0, 12},
	{"cudaLaunchCooperativeKernelMultiDevice", 0, 0, 12},
	{"__cudaRegisterTexture", 0, 0, 11},
	{"__cudaRegisterSurface", 0, 0, 11},
	{"cudaBindTexture", 1, 0, 11},
	{"cudaUnbindTexture", 0, 0, 11},
	{"cudaGetTextureReference", 0, 0, 11},
};

/* Runtime functions that a compiler given --default-stream per-thread calls by another name (cuda_runtime_api.h). */
static const char *const stream_functions[] = {
	"__cudaLaunchKernel",  "cudaEventRecord",     "cudaFreeAsync",      "cudaLaunchCooperativeKernel",
	"cudaLaunchHostFunc",  "cudaLaunchKernel",    "cudaLaunchKernelExC", "cudaMallocAsync",
	"cudaMemcpy",          "cudaMemcpy2D",        "cudaMemcpy2DAsync",  "cudaMemcpyAsync",
	"cudaMemset",          "cudaMemsetAsync",     "cudaStreamQuery",    "cudaStreamSynchronize",
	"cudaStreamWaitEvent",
};

static const char *const library_prefixes[] = {"cublas", "cudnn", "cufft", "curand", "cusolver", "cusparse", "cutensor",
					       "nvrtc",  "nvJit", "nccl",  "npp",    "nvml",     "nvtx",     "cudss"};

static const char *const cxx_prefixes[] = {
	"_ZSt",  "_ZNSt", "_ZNKSt", "_ZNVSt",  "_ZTVSt",   "_ZTISt", "_ZTSSt",        "_ZTTSt",        "_ZTVN10__cxxabiv1",
	"_Znw",  "_Zna",  "_Zdl",   "_Zda",    "__cxa_",   "__gxx_", "__dynamic_cast", "_ZN9__gnu_cxx", "_ZTIN10__cxxabiv1",
	"__gcc_", "_Unwind_", "__once_",
};

static const char *const c_names[] = {
	"_GLOBAL_OFFSET_TABLE_", "__assert_fail", "__cxa_atexit", "__cxa_finalize", "__cxa_thread_atexit_impl",
	"__dso_handle", "__errno_location", "__gmon_start__", "__isoc99_sscanf", "__isoc23_strtol", "__isoc23_strtoul",
	"__isoc23_sscanf", "__stack_chk_fail", "__stack_chk_guard", "__tls_get_addr", "_exit", "abort", "atexit", "atof", "atoi",
	"bsearch", "calloc", "clock", "clock_gettime", "dlclose", "dlerror", "dlopen", "dlsym", "environ", "exit", "fclose",
	"fflush", "fgets", "fopen", "fprintf", "fputc", "fputs", "fread", "free", "fseek", "ftell", "fwrite", "getenv",
	"getpid", "gettimeofday", "labs", "ldexp", "longjmp", "malloc", "memchr", "memcmp", "memcpy", "memmove", "memset",
	"nanosleep", "perror", "posix_memalign", "printf", "putc", "putchar", "puts", "qsort", "raise", "rand", "realloc",
	"setenv", "sleep", "snprintf", "sprintf", "srand", "sscanf", "stderr", "stdin", "stdout", "strcasecmp", "strcat",
	"strchr", "strcmp", "strcpy", "strdup", "strerror", "strlen", "strncmp", "strncpy", "strrchr", "strstr", "strtod",
	"strtof", "strtok", "strtol", "strtoll", "strtoul", "strtoull", "syscall", "sysconf", "time", "usleep", "vfprintf",
	"vprintf", "vsnprintf", "write",
	/* libm */
	"acos", "asin", "atan", "atan2", "cbrt", "ceil", "ceilf", "cos", "cosf", "cosh", "erf", "erff", "exp", "exp2", "exp2f",
	"expf", "fabs", "floor", "floorf", "fmod", "fmodf", "frexp", "hypot", "log", "log10", "log10f", "log1p", "log2", "log2f",
	"logf", "lround", "modf", "pow", "powf", "rint", "rintf", "round", "roundf", "sin", "sinf", "sinh", "sqrt", "sqrtf", "tan",
	"tanf", "tanh", "tanhf", "trunc", "truncf"};

/* What only Microsoft's runtime has: vcruntime, the start-up code, the STL's helpers; names as in COFF files. */
static const char *const msvc_prefixes[] = {
	"__security_", "__GSHandlerCheck", "__CxxFrameHandler", "__C_specific_handler", "_CxxThrowException", "_Init_thread_",
	"__chkstk",    "_RTC_",            "??_7type_info@@",   "__std_",               "_tls_index",         "__tls_guard",
	"_fltused",    "_purecall",        "__acrt_",           "__stdio_common_",      "_invalid_parameter", "_CrtDbg",
	"_Cnd_",       "_Mtx_",            "_Thrd_",            "__dyn_tls_",           "__vcrt_",            "_invalid_parameter_noinfo",
	"_wassert",    "_errno",           "terminate",         "_callnewh",            "__RTDynamicCast",    "__RTtypeid",
	"_Xtime_",     "__ExceptionPtr",   "__local_stdio_",    "_local_unwind",        "_aligned_",          "__current_exception",
	"_beginthreadex", "_Query_perf_",  "__imp_std_",        "__isa_available",      "__favor",            "_dclass", "_fdclass",
	"_dsign",      "_fdsign",          "_hypot",            "_time64",              "_ftelli64",          "_fseeki64",
	"__CxxRegisterExceptionObject", "__CxxUnregisterExceptionObject", "__CxxDetectRethrow", "__CxxQueryExceptionSize",
	"__CxxExceptionFilter", "__InternalCxxFrameHandler", "_is_exception_typeof", "__uncaught_exception",
};

static int starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

enum symbol_origin symbol_origin(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(c_names); i++)
		if (strcmp(name, c_names[i]) == 0)
			return ORIGIN_C_LIBRARY;
	if (starts_with(name, "pthread_") || starts_with(name, "sem_"))
		return ORIGIN_C_LIBRARY;
	const size_t length = strlen(name);
	if (starts_with(name, "__") && length > 6 && strcmp(name + length - 4, "_chk") == 0)
		return ORIGIN_C_LIBRARY;
	if ((starts_with(name, "cuda") && is_upper(name[4])) || starts_with(name, "__cuda"))
		return ORIGIN_CUDA_RUNTIME;
	for (size_t i = 0; i < ARRAY_COUNT(library_prefixes); i++)
		if (starts_with(name, library_prefixes[i]))
			return ORIGIN_CUDA_LIBRARY;
	if (starts_with(name, "cu") && is_upper(name[2]))
		return ORIGIN_CUDA_DRIVER;
	for (size_t i = 0; i < ARRAY_COUNT(cxx_prefixes); i++)
		if (starts_with(name, cxx_prefixes[i]))
			return ORIGIN_CXX_RUNTIME;
	return ORIGIN_OTHER;
}

const char *symbol_origin_name(enum symbol_origin origin)
{
	switch (origin) {
	case ORIGIN_CUDA_RUNTIME: return "CUDA runtime";
	case ORIGIN_CUDA_DRIVER: return "CUDA driver";
	case ORIGIN_CUDA_LIBRARY: return "CUDA libraries";
	case ORIGIN_CXX_RUNTIME: return "C++ runtime";
	case ORIGIN_C_LIBRARY: return "C library";
	case ORIGIN_MSVC_RUNTIME: return "MSVC runtime";
	case ORIGIN_OTHER:
	case ORIGIN_COUNT: break;
	}
	return "other";
}

/* operator new and delete, and whatever lies in namespace std, as MSVC mangles them: "??2@YAPEAX_K@Z",
 * "?what@exception@std@@UEBAPEBDXZ", "??0bad_alloc@std@@QEAA@XZ". The name of a function of ours that only takes something of
 * std has "@std@@" further behind: what counts is the scope, which ends at the first "@@". */
static int is_msvc_mangled_runtime(const char *name)
{
	static const char *const operators[] = {"??2@Y", "??3@Y", "??_U@Y", "??_V@Y"};
	for (size_t i = 0; i < ARRAY_COUNT(operators); i++)
		if (starts_with(name, operators[i]))
			return 1;
	if (name[0] != '?')
		return 0;
	const char *scope_end = strstr(name, "@@");
	return scope_end && scope_end - name >= 4 && memcmp(scope_end - 4, "@std", 4) == 0;
}

enum symbol_origin symbol_origin_coff(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(msvc_prefixes); i++)
		if (starts_with(name, msvc_prefixes[i]))
			return ORIGIN_MSVC_RUNTIME;
	if (is_msvc_mangled_runtime(name))
		return ORIGIN_MSVC_RUNTIME;
	const enum symbol_origin origin = symbol_origin(name);
	/* on Windows the C library is a part of that runtime and shares its flavour */
	return origin == ORIGIN_C_LIBRARY ? ORIGIN_MSVC_RUNTIME : origin;
}

static int starts_with_any_case(const char *name, const char *prefix)
{
	return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

enum symbol_origin symbol_origin_dll(const char *dll)
{
	static const struct {
		const char *prefix;
		enum symbol_origin origin;
	} dlls[] = {
		{"cudart", ORIGIN_CUDA_RUNTIME}, {"nvcuda", ORIGIN_CUDA_DRIVER},   {"cu", ORIGIN_CUDA_LIBRARY},
		{"nvrtc", ORIGIN_CUDA_LIBRARY},  {"nvjitlink", ORIGIN_CUDA_LIBRARY}, {"nvml", ORIGIN_CUDA_LIBRARY},
		{"npp", ORIGIN_CUDA_LIBRARY},    {"vcruntime", ORIGIN_MSVC_RUNTIME}, {"msvcp", ORIGIN_MSVC_RUNTIME},
		{"ucrtbase", ORIGIN_MSVC_RUNTIME}, {"concrt", ORIGIN_MSVC_RUNTIME}, {"api-ms-win-crt-", ORIGIN_MSVC_RUNTIME},
		{"msvcr", ORIGIN_MSVC_RUNTIME},  {"libstdc++", ORIGIN_CXX_RUNTIME}, {"libgcc_s", ORIGIN_CXX_RUNTIME},
	};
	for (size_t i = 0; i < ARRAY_COUNT(dlls); i++)
		if (starts_with_any_case(dll, dlls[i].prefix))
			return dlls[i].origin;
	return ORIGIN_COUNT;
}

/* Streams, device linking and the majors of the runtime that have this function. */
static void note_runtime_symbol(struct host_object *object, const char *name)
{
	const size_t length = strlen(name);
	if (length > 5 && (strcmp(name + length - 5, "_ptsz") == 0 || strcmp(name + length - 5, "_ptds") == 0))
		object->per_thread_stream++;
	for (size_t i = 0; i < ARRAY_COUNT(stream_functions); i++)
		object->legacy_stream += strcmp(name, stream_functions[i]) == 0;
	if (starts_with(name, "__cudaRegisterLinkedBinary"))
		object->needs_device_link = 1;
	for (size_t i = 0; i < ARRAY_COUNT(runtime_symbols); i++) {
		if (runtime_symbols[i].prefix ? !starts_with(name, runtime_symbols[i].name)
					      : strcmp(name, runtime_symbols[i].name) != 0)
			continue;
		if (runtime_symbols[i].major_min > object->cuda_major_min) {
			object->cuda_major_min = runtime_symbols[i].major_min;
			object->cuda_min_symbol = name;
		}
		const int max = runtime_symbols[i].major_max;
		if (max && (object->cuda_major_max == 0 || max < object->cuda_major_max)) {
			object->cuda_major_max = max;
			object->cuda_max_symbol = name;
		}
	}
}

void host_note_undefined(struct host_object *object, const struct host_symbol *symbol)
{
	object->origins[symbol->origin]++;
	if (symbol->origin == ORIGIN_CUDA_RUNTIME)
		note_runtime_symbol(object, symbol->name);
	if (symbol->origin == ORIGIN_MSVC_RUNTIME && starts_with(symbol->name, "_RTC_"))
		object->msvc.has_runtime_checks = 1;
}
